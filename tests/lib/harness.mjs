// A Worker in local workerd and a fake pipeline behind it, for one test file.
//
//   const system = await startSystem({ vars: { POSTHOG_TEAM_ID: "7" } });
//   const response = await system.post("/batch/", { api_key: "phc_test", batch: [...] });
//   const rows = await system.rows();          // of the events stream, in order of arrival
//   await system.stop();
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ROOT, startWorker } from "../../scripts/lib/worker.mjs";

export const TOKEN = "phc_test";

/** A port that nothing listens on. */
export function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer();
    probe.once("error", fail);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (probe.address());
      probe.close(() => done(port));
    });
  });
}

/** Polls until `check` gives something truthy; its value. */
export async function eventually(check, { timeoutMs = 120_000, everyMs = 50, what = "the condition" } = {}) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`${what} did not come true within ${timeoutMs} ms`);
    await sleep(everyMs);
  }
}

/** The list, when it has `least` elements, or as it is after a minute. */
async function whenThere(read, least) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const list = await read();
    if (list.length >= least || Date.now() > deadline) return list;
    await sleep(50);
  }
}

/**
 * Runs `check` until it throws nothing; its value, or after the time its last error. For answers that the
 * product may leave incomplete on a machine without time: flags whose person could not be read within the
 * deadline are told as failed.
 */
export async function persistently(check, { timeoutMs = 120_000, everyMs = 200 } = {}) {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await check();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await sleep(everyMs);
    }
  }
}

/** Starts a fake pipeline; `stop` ends it and keeps its state. `rollSeconds`: as the sink's, what is younger is not in the tables. */
export async function startPipeline(stateDir, { token = "", rollSeconds = 0 } = {}) {
  const port = await freePort();
  const child = spawn(join(ROOT, ".venv/bin/python"), ["-m", "fake_pipeline", "--port", String(port), "--state-dir", stateDir], {
    cwd: join(ROOT, "fake-pipeline"),
    stdio: ["ignore", "ignore", "inherit"],
    env: { ...process.env, FAKE_PIPELINE_TOKEN: token, FAKE_BASIN_SQL_ROLL_SECONDS: String(rollSeconds) },
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(
    () =>
      fetch(`${url}/health`).then(
        (response) => response.ok,
        () => false,
      ),
    { what: "the fake pipeline", timeoutMs: 120_000 },
  );
  return {
    url,
    port,
    child,
    json: async (path) => {
      const response = await fetch(url + path);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return response.json();
    },
    fault: (fault) =>
      fetch(`${url}/faults`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(fault),
      }),
    stop: () =>
      new Promise((done) => {
        child.once("exit", done);
        child.kill("SIGTERM");
      }),
  };
}

/** Where a fake pipeline's streams are. */
export function sinkVariables(pipelineUrl) {
  return {
    CLOUDFLARE_PIPELINE_ENDPOINT: `${pipelineUrl}/`,
    CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: `${pipelineUrl}/streams/persons`,
    CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT: `${pipelineUrl}/streams/rejects`,
    CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT: `${pipelineUrl}/streams/distinct_ids`,
  };
}

/** The stand-in for Basin SQL in a fake pipeline. */
export function sqlVariables(pipelineUrl) {
  return {
    HOGFLARE_SQL_URL: pipelineUrl,
    HOGFLARE_SQL_ACCOUNT_ID: "account",
    HOGFLARE_SQL_BUCKET: "bucket",
    HOGFLARE_SQL_TOKEN: "sql-token",
  };
}

/**
 * Starts both. `vars` are the Worker's variables on top of the sinks; a value of undefined removes one.
 * `hasSql`: questions are answered by the fake pipeline. `rollSeconds`: startPipeline's. The other settings are startWorker's.
 * @param {{vars?: Record<string, string | undefined>, hasSql?: boolean, rollSeconds?: number, [setting: string]: any}} settings
 */
export async function startSystem({ vars = {}, hasSql = false, rollSeconds = 0, ...settings } = {}) {
  const stateDir = mkdtempSync(join(tmpdir(), "hogflare-test-"));
  const pipeline = await startPipeline(join(stateDir, "pipeline"), {
    token: vars.CLOUDFLARE_PIPELINE_AUTH_TOKEN ?? "",
    rollSeconds,
  });
  const chosen = Object.fromEntries(
    Object.entries({ ...sinkVariables(pipeline.url), ...(hasSql ? sqlVariables(pipeline.url) : {}), ...vars }).filter(
      ([, value]) => value !== undefined,
    ),
  );
  const worker = await startWorker({ stateDir, vars: chosen, ...settings }).catch(async (error) => {
    // A pipeline that is left behind keeps the test runner waiting for it.
    await pipeline.stop();
    rmSync(stateDir, { recursive: true, force: true });
    throw error;
  });
  const request = (path, init = {}) => fetch(worker.url + path, init);
  return {
    url: worker.url,
    worker,
    pipeline,
    stateDir,
    /** The Worker's variables. */
    vars: chosen,
    request,
    /** POSTs JSON, or the given body as it is. */
    post: (path, body, headers = {}) =>
      request(path, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers },
        body: typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body),
      }),
    /** What has landed, once there are `least` of them: on a busy machine rows come by the outbox, a little later. */
    rows: (least = 0) => whenThere(() => pipeline.json("/events"), least),
    stream: (name, least = 0) => whenThere(() => pipeline.json(`/streams/${name}`), least),
    bad: () => pipeline.json("/bad"),
    sql: (query) => pipeline.json(`/sql?q=${encodeURIComponent(query)}`),
    reset: () => fetch(`${pipeline.url}/reset`, { method: "POST" }),
    /** Waits until all that was answered 200 is in the tables: on a busy machine rows come by the outbox. */
    landed: () =>
      eventually(
        async () => {
          const metrics = await request("/metrics", { headers: { authorization: `Bearer ${chosen.HOGFLARE_ADMIN_TOKEN ?? ""}` } });
          const text = await metrics.text();
          const waiting = [...text.matchAll(/^hogflare_outbox_rows\{.*\} (\d+)$/gm)].map((match) => Number(match[1]));
          if (waiting.length === 0) throw new Error(`/metrics tells of no outbox: ${metrics.status} ${text.slice(0, 200)}`);
          return waiting.every((rows) => rows === 0);
        },
        { what: "the end of the outbox", timeoutMs: 120_000 },
      ),
    stop: async () => {
      await worker.dispose();
      await pipeline.stop();
      rmSync(stateDir, { recursive: true, force: true });
    },
  };
}
