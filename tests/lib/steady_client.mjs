// An innocent client beside an attack: small requests of every kind, one after another, each timed.
// It and its sink run in threads of their own, so that what a test does itself costs neither of them.
//
//   const sink = await startSink({ delayMs: 50 });
//   const client = await startSteadyClient(url);
//   const quiet = await client.measure(() => sleep(3_000));
//   const during = await client.measure(attack);  // [{ path, status, ms, cpuMs }], those begun meanwhile
//
// `cpuMs` is what workerd computed while the answer was awaited: a long wait with little of it is the
// machine's doing, not the Worker's.
//
// This module is also what the threads run.
import { readdirSync, readFileSync } from "node:fs";
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

/** Processor time in /proc is counted in hundredths of a second (proc(5), USER_HZ). */
const TICK_MS = 10;

/** The fields of a process's /proc entry behind its name: state, parent …; null when it is gone. */
function fieldsOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    const nameAt = text.indexOf("(");
    const nameEnd = text.lastIndexOf(")");
    return { name: text.slice(nameAt + 1, nameEnd), fields: text.slice(nameEnd + 2).split(" ") };
  } catch {
    return null;
  }
}

/** The workerd processes that this one started. */
function workerdPids() {
  const all = readdirSync("/proc").filter((entry) => /^\d+$/.test(entry));
  return all.filter((pid) => {
    const found = fieldsOf(pid);
    return found !== null && found.name === "workerd" && Number(found.fields[1]) === process.pid;
  });
}

/** Processor time of the processes so far. @param {string[]} pids */
function cpuMs(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const found = fieldsOf(pid);
    if (found !== null) ticks += Number(found.fields[11]) + Number(found.fields[12]);
  }
  return ticks * TICK_MS;
}

async function ask(url, { path, body }, pids) {
  const began = performance.now();
  const cpuBefore = cpuMs(pids);
  let status = 0;
  try {
    const response = await fetch(url + path, { method: "POST", headers: { "content-type": "application/json" }, body });
    status = response.status;
    await response.arrayBuffer();
  } catch {
    // No answer at all.
  }
  return { path, status, ms: performance.now() - began, cpuMs: cpuMs(pids) - cpuBefore };
}

/** The client's thread: sends until the end; what was begun between "begin" and "end" is told. */
function runClient({ url, token }) {
  /** Of the phase at hand: answers, and how many are still to come. */
  let phase = { answers: [], open: 0, ended: () => {} };
  const pids = workerdPids();
  if (pids.length === 0) throw new Error("no workerd was started by this process");
  let n = 0;
  const loop = async () => {
    for (;;) {
      const own = phase;
      own.open += 1;
      const request = requests(token, n)[n % 4];
      n += 1;
      own.answers.push(await ask(url, request, pids));
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
