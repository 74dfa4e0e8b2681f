// An innocent client beside an attack: small requests of every kind, one after another, each timed.
// It and its sink run in threads of their own, so that what a test does itself costs neither of them.
//
//   const sink = await startSink({ delayMs: 50 });
//   const client = await startSteadyClient(url);
//   const quiet = await client.measure(() => sleep(3_000));
//   const during = await client.measure(attack);     // [{ path, status, ms }], those begun meanwhile
//
// This module is also what the threads run.
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";

/** Between two requests of one of its loops. */
const PAUSE_MS = 15;
const LOOPS = 2;

const event = (fields = {}, properties = {}) => ({ event: "steady", distinct_id: "innocent", properties, ...fields });

/** What it sends in turn. Most of it waits for the sink, as most of what SDKs send does. */
function requests(token, n) {
  const json = (path, value) => ({ path, body: JSON.stringify(value) });
  return [
    json("/e/", { token, ...event({}, { $process_person_profile: false, n }) }),
    json("/batch/", {
      api_key: token,
      batch: [event({ distinct_id: `innocent-${n % 5}` }, { $set: { n } }), event({}, { n }), event({}, { n: n + 1 })],
    }),
    json("/i/v0/e/", { token, ...event({}, { $process_person_profile: false, text: "x".repeat(2_000) }) }),
    json("/flags/?v=2", { token, distinct_id: `innocent-${n % 5}` }),
  ];
}

async function ask(url, { path, body }) {
  const began = performance.now();
  let status = 0;
  try {
    const response = await fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body });
    status = response.status;
    await response.arrayBuffer();
  } catch {
    // No answer at all.
  }
  return { path, status, ms: performance.now() - began };
}

/** The client's thread: sends until the end; what was begun between "begin" and "end" is told. */
function runClient({ url, token }) {
  /** Of the phase at hand: answers, and how many are still to come. */
  let phase = { answers: [], open: 0, ended: () => {} };
  let n = 0;
  const loop = async () => {
    for (;;) {
      const own = phase;
      own.open += 1;
      const request = requests(token, n)[n % 4];
      n += 1;
      own.answers.push(await ask(url, request));
      own.open -= 1;
      if (own.open === 0) own.ended();
      await sleep(PAUSE_MS);
    }
  };
  for (let i = 0; i < LOOPS; i += 1) void loop();
  parentPort.on("message", (message) => {
    const last = phase;
    phase = { answers: [], open: 0, ended: () => {} };
    if (message === "begin") return parentPort.postMessage(message);
    last.ended = () => parentPort.postMessage(last.answers);
    if (last.open === 0) last.ended();
  });
}

/** The sink's thread: takes everything, as slowly as it is told, and counts. */
function runSink({ delayMs }) {
  const seen = {};
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", async () => {
      const body = Buffer.concat(chunks);
      const stream = request.url.replace(/^\/(streams\/)?/, "") || "events";
      const counted = (seen[stream] ??= { rows: 0, bytes: 0, largest: 0 });
      counted.rows += JSON.parse(body.toString()).length;
      counted.bytes += body.byteLength;
      counted.largest = Math.max(counted.largest, body.byteLength);
      await sleep(delayMs);
      response.setHeader("content-type", "application/json");
      response.end('{"success":true,"result":{"committed":1}}');
    });
  });
  server.listen(0, "127.0.0.1", () => {
    parentPort.postMessage(/** @type {import("node:net").AddressInfo} */ (server.address()).port);
  });
  parentPort.on("message", () => {
    parentPort.postMessage(structuredClone(seen));
  });
}

/** Starts a thread of this module; `call` sends a message and resolves to the next answer. */
function start(role, data) {
  const thread = new Worker(new URL(import.meta.url), { workerData: { role, ...data } });
  const answer = () =>
    new Promise((done, fail) => {
      thread.once("error", fail);
      thread.once("message", (message) => {
        thread.off("error", fail);
        done(message);
      });
    });
  const call = (message) => {
    const answered = answer();
    thread.postMessage(message);
    return answered;
  };
  return { thread, answer, call };
}

/** @param {{url: string, token: string}} settings */
export async function startSteadyClient(settings) {
  const { thread, call } = start("client", settings);
  return {
    /** Runs `work`; the answers to the requests begun meanwhile, when all of them have come. */
    measure: async (work) => {
      await call("begin");
      await work();
      return call("end");
    },
    stop: () => thread.terminate(),
  };
}

/** @param {{delayMs: number}} settings */
export async function startSink(settings) {
  const { thread, answer, call } = start("sink", settings);
  const port = await answer();
  return {
    url: `http://127.0.0.1:${port}`,
    /** Rows and bytes by stream so far. */
    seen: () => call("seen"),
    stop: () => thread.terminate(),
  };
}

if (!isMainThread && workerData?.role === "client") runClient(workerData);
if (!isMainThread && workerData?.role === "sink") runSink(workerData);
