// kill -9 of workerd under load, and a start on the same state. Everything runs as an operator's own
// machine would run it: scripts/lib/dev.mjs starts both processes and starts workerd again.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, freePort } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { ADMIN_TOKEN, assertAllLanded, Client, settle } from "./support.mjs";

const KILLS = Number(process.env.HOGFLARE_KILLS ?? 3);
const stateDir = mkdtempSync(join(tmpdir(), "hogflare-kill-"));

/** Starts everything on the state folder; resolves when it is ready. */
async function startDev(ports) {
  const child = spawn(join(ROOT, "node_modules/.bin/node"), [join(ROOT, "scripts/lib/dev.mjs")], {
    stdio: ["ignore", "pipe", "ignore"],
    env: {
      ...process.env,
      HOGFLARE_PORT: String(ports.worker),
      FAKE_PIPELINE_PORT: String(ports.pipeline),
      HOGFLARE_STATE_DIR: stateDir,
      HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN,
      CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "2",
    },
  });
  let printed = "";
  child.stdout.on("data", (chunk) => (printed += chunk));
  await eventually(() => printed.includes("ready http://"), { what: "scripts/dev" });
  return child;
}

const ended = (child) => new Promise((done) => child.once("exit", done));
const workerdPid = () => Number(readFileSync(join(stateDir, "workerd.pid"), "utf8"));

let ports;
let dev;
let system;
before(async () => {
  ports = { worker: await freePort(), pipeline: await freePort() };
  dev = await startDev(ports);
  const pipelineUrl = `http://127.0.0.1:${ports.pipeline}`;
  const json = async (path) => {
    const response = await fetch(pipelineUrl + path);
    const text = await response.text();
    assert.ok(response.ok, `${path}: ${response.status} ${text}`);
    return JSON.parse(text);
  };
  system = {
    url: `http://127.0.0.1:${ports.worker}`,
    sql: (query) => json(`/sql?q=${encodeURIComponent(query)}`),
    bad: () => json("/bad"),
    fault: (fault) =>
      fetch(`${pipelineUrl}/faults`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(fault),
      }),
  };
});
after(async () => {
  const gone = ended(dev);
  dev.kill("SIGTERM");
  await gone;
  rmSync(stateDir, { recursive: true, force: true });
});

describe("kill -9 of workerd under load", () => {
  it(`${KILLS} times, with a sink that fails now and then: every 200 is kept, every reject recorded`, async () => {
    const clients = [0, 1, 2, 3].map((i) => new Client(system.url, { name: `kill-${i}` }));
    const taken = () => clients.reduce((sum, client) => sum + client.acknowledged.length, 0);
    let done = false;
    const load = clients.map(async (client) => {
      while (!done) {
        // People too: their objects die with the isolate.
        await client.send(client.batch(40, { bad: 1, personless: client !== clients[0] }), { pauseMs: 100 });
      }
    });
    for (let i = 0; i < KILLS; i += 1) {
      // So that the killed process holds events in outboxes, in flight and just answered.
      await system.fault({ count: 2, hang_after_commit: true });
      await sleep(1000);
      await system.fault({ seconds: 600, status: 503 });
      const before = taken();
      await eventually(() => taken() > before + 200, { what: "200 events in outboxes" });
      const acknowledged = taken();
      const pid = workerdPid();
      process.kill(pid, "SIGKILL");
      await eventually(() => workerdPid() !== pid, { what: "another workerd" });
      await system.fault({ clear: true });
      await eventually(() => taken() > acknowledged + 200, { what: "load after the kill" });
    }
    done = true;
    await Promise.all(load);
    await settle(system);
    const figures = await assertAllLanded(system, clients);
    const unanswered = clients.reduce((sum, client) => sum + (client.answers.get(0) ?? 0), 0);
    console.log(JSON.stringify({ kills: KILLS, ...figures, unanswered }));
    assert.ok(unanswered > 0, "no request was hit");
    assert.ok(figures.accepted > 1000);
  });

  it("what waited in an outbox when all was killed lands after the next start", async () => {
    await system.fault({ seconds: 3600, status: 503 });
    const client = new Client(system.url, { name: "asleep" });
    await client.send(client.batch(30));
    const gone = ended(dev);
    process.kill(workerdPid(), "SIGKILL");
    dev.kill("SIGKILL");
    await gone;
    await eventually(() =>
      fetch(`http://127.0.0.1:${ports.pipeline}/health`).then(
        () => false,
        () => true,
      ),
    );
    dev = await startDev(ports);
    // Nobody asks: the alarms alone.
    await eventually(async () => (await system.sql("SELECT count(*) AS n FROM events WHERE distinct_id LIKE 'asleep-%'"))[0].n >= 30, {
      what: "the rows of the outbox",
    });
    await assertAllLanded(system, client);
  });
});
