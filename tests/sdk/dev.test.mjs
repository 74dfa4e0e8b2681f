// scripts/dev as a person uses it: one command, the examples, a crash, a stop and another start.
import assert from "node:assert/strict";
import { execFile, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { eventually, freePort } from "../lib/harness.mjs";

const COLUMNS = JSON.parse(readFileSync(join(ROOT, "schemas/events.json"), "utf8")).fields.map((field) => field.name);
const START_MS_MAX = 120_000;
const ADMIN = "an-admin-token-of-the-test";

let stateDir;
let ports;
let dev;

/** Runs scripts/dev until it says that it is ready. */
async function start(options = [], env = {}) {
  const began = Date.now();
  const child = spawn(join(ROOT, "scripts/dev"), options, {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      HOGFLARE_PORT: String(ports.worker),
      FAKE_PIPELINE_PORT: String(ports.pipeline),
      HOGFLARE_STATE_DIR: stateDir,
      HOGFLARE_ADMIN_TOKEN: ADMIN,
      CLOUDFLARE_API_TOKEN: "an-account-token-that-is-exported",
      ...env,
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const url = `http://127.0.0.1:${ports.worker}`;
  await eventually(
    () => {
      assert.equal(child.exitCode, null, `scripts/dev ended:\n${output}`);
      return output.includes(`ready ${url}\n`);
    },
    { timeoutMs: START_MS_MAX, what: "the line 'ready …'" },
  );
  return { child, url, tookMs: Date.now() - began, output: () => output };
}

/** A start that ends by itself: its status and what it says. */
async function refusedStart(options, env) {
  const child = spawn(join(ROOT, "scripts/dev"), options, {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  let complaint = "";
  child.stderr.on("data", (data) => (complaint += data));
  const status = await new Promise((done) => {
    child.once("exit", done);
    setTimeout(() => child.kill("SIGTERM"), START_MS_MAX).unref();
  });
  return { status, complaint };
}

/** Every process below `pid`, itself included. */
function family(pid) {
  const table = execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" });
  const pairs = table
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (const parent of found) {
    for (const [child, itsParent] of pairs) if (itsParent === parent) found.push(child);
  }
  return found;
}

/** Whether a process runs; one that ended and was not waited for yet does not. */
function runs(pid) {
  try {
    return !execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" })
      .trim()
      .startsWith("Z");
  } catch {
    return false;
  }
}

const listens = (port) =>
  new Promise((done) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => done(socket.destroy() && true));
    socket.once("error", () => done(false));
  });

async function stop() {
  const processes = family(dev.child.pid);
  assert.ok(processes.length >= 3, "the front, the fake pipeline and workerd");
  const ended = new Promise((done) => dev.child.once("exit", done));
  dev.child.kill("SIGTERM");
  // 143 is what a shell calls an end by SIGTERM.
  assert.ok([0, 143].includes(await ended), dev.output());
  await eventually(() => !processes.some(runs), { what: "the end of every process" });
  assert.deepEqual(await Promise.all([ports.worker, ports.pipeline].map(listens)), [false, false]);
}

async function rows() {
  return (await fetch(`http://127.0.0.1:${ports.pipeline}/events`)).json();
}

/** An event of this person; its row. */
async function capture(event) {
  const response = await fetch(`${dev.url}/capture`, {
    method: "POST",
    body: JSON.stringify({ api_key: "phc_example", event, distinct_id: "node-user" }),
  });
  assert.equal(response.status, 200, await response.text());
  return eventually(async () => (await rows()).find((row) => row.event === event), { what: `the row of ${event}` });
}

const runExample = (command, file) =>
  promisify(execFile)(command, [join(ROOT, "examples", file)], {
    env: { ...process.env, HOGFLARE_URL: dev.url },
    timeout: 60_000,
  });

before(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "hogflare-dev-"));
  ports = { worker: await freePort(), pipeline: await freePort() };
  dev = await start();
});
after(async () => {
  if (dev !== undefined && dev.child.exitCode === null) await stop();
  rmSync(stateDir, { recursive: true, force: true });
});

describe("scripts/dev", () => {
  for (const [command, file, distinctId] of [
    [process.execPath, "node-capture.mjs", "node-user"],
    [join(ROOT, ".venv/bin/python"), "python_capture.py", "python-user"],
  ]) {
    it(`takes the events of examples/${file}`, async () => {
      await runExample(command, file);
      const found = (await rows()).filter((row) => row.distinct_id === distinctId);
      assert.equal(found.length, 3);
      assert.deepEqual([found[0].event, found[2].event], ["purchase", "upgraded"]);
      assert.equal(new Set(found.map((row) => row.person_id)).size, 1, "one person");
      assert.equal(found[2].person_properties.email, `${distinctId}@example.com`);
      for (const row of found)
        assert.deepEqual(
          Object.keys(row).filter((name) => !name.startsWith("__")),
          COLUMNS,
        );
    });
  }

  it("starts workerd again when it was killed, and events flow", async () => {
    const first = await capture("before the crash");
    const pid = Number(readFileSync(join(stateDir, "workerd.pid"), "utf8"));
    process.kill(pid, "SIGKILL");
    await eventually(() => !runs(pid), { what: "the end of workerd" });
    await eventually(
      () =>
        fetch(`${dev.url}/_liveness`).then(
          (response) => response.ok,
          () => false,
        ),
      {
        what: "workerd's return",
      },
    );
    assert.equal((await capture("after the crash")).person_id, first.person_id);
    assert.notEqual(Number(readFileSync(join(stateDir, "workerd.pid"), "utf8")), pid);
  });

  it("stops everything on SIGTERM and keeps its state for the next start", async () => {
    const kept = await capture("before the stop");
    await stop();
    dev = await start();
    console.log(`a start with everything installed took ${dev.tookMs} ms`);
    const row = await capture("after the start");
    assert.equal(row.person_id, kept.person_id);
    assert.equal(row.person_created_at, kept.person_created_at);
    assert.equal(row.person_properties.email, "node-user@example.com");
  });

  it("hands only documented variables to the Worker, and says what arrives", async () => {
    const health = await (await fetch(`${dev.url}/healthz`, { headers: { authorization: `Bearer ${ADMIN}` } })).json();
    assert.doesNotMatch(JSON.stringify(health.configuration ?? health), /CLOUDFLARE_API_TOKEN/);
    assert.match(JSON.stringify(health), /HOGFLARE_ADMIN_TOKEN/);
    await capture("seen in the terminal");
    await eventually(() => /arrived .*events.*: .*1 seen in the terminal/.test(dev.output()), { what: "the line about it" });
  });

  for (const options of [[], ["--fresh"]]) {
    it(`refuses a second start on its state${options.map((each) => ` with ${each}`)}, which touches nothing`, async () => {
      const kept = (await rows()).length;
      const { status, complaint } = await refusedStart(options, {
        HOGFLARE_PORT: String(await freePort()),
        FAKE_PIPELINE_PORT: String(await freePort()),
        HOGFLARE_STATE_DIR: stateDir,
      });
      assert.equal(status, 1);
      assert.match(complaint, new RegExp(`runs on this state already: process \\d+, port ${ports.worker}`));
      assert.equal((await rows()).length, kept);
      await capture(`after a second start ${options}`);
    });
  }

  it("--fresh takes nothing away from a folder that is not its own", async () => {
    const precious = mkdtempSync(join(tmpdir(), "hogflare-precious-"));
    mkdirSync(join(precious, "sub"));
    writeFileSync(join(precious, "sub/thesis.txt"), "years");
    const { status, complaint } = await refusedStart(["--fresh"], {
      HOGFLARE_PORT: String(await freePort()),
      FAKE_PIPELINE_PORT: String(await freePort()),
      HOGFLARE_STATE_DIR: precious,
    });
    assert.equal(status, 1);
    assert.match(complaint, /is no state folder of scripts\/dev/);
    assert.equal(readFileSync(join(precious, "sub/thesis.txt"), "utf8"), "years");
    rmSync(precious, { recursive: true });
  });

  it("refuses a taken port by name", async () => {
    const { status, complaint } = await refusedStart([], {
      HOGFLARE_PORT: String(ports.worker),
      FAKE_PIPELINE_PORT: String(ports.pipeline),
      HOGFLARE_STATE_DIR: join(stateDir, "other"),
    });
    assert.equal(status, 1);
    assert.match(complaint, new RegExp(`port ${ports.worker} is taken; choose another with HOGFLARE_PORT`));
  });

  it("begins with nothing when started with --fresh", async () => {
    const old = (await rows()).find((row) => row.event === "after the start");
    await stop();
    dev = await start(["--fresh"]);
    assert.deepEqual(await rows(), []);
    const row = await capture("in a new state");
    assert.ok(Date.parse(row.person_created_at) > Date.parse(old.person_created_at));
    assert.equal(row.person_properties?.email, undefined);
    await stop();
  });

  it("says that flags are larger than a deployment's variable may be, and serves them", async () => {
    const flags = Array.from({ length: 60 }, (_, i) => ({
      id: i + 1,
      key: `flag-${i}`,
      active: true,
      filters: { groups: [{ properties: [], rollout_percentage: 100 }] },
    }));
    const document = JSON.stringify({ flags });
    dev = await start([], { HOGFLARE_FEATURE_FLAGS: document });
    assert.match(dev.output(), new RegExp(`HOGFLARE_FEATURE_FLAGS has ${document.length} bytes; Cloudflare deploys at most 5120`));
    const response = await fetch(`${dev.url}/flags/?v=2`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: "phc_example", distinct_id: "u" }),
    });
    const answer = await response.json();
    assert.equal(Object.values(answer.flags).filter(({ enabled }) => enabled).length, flags.length);
    await stop();
  });
});
