// Hogflare, the yardstick, a Worker that only does the I/O and an empty one in local workerd, the same
// requests in turn: CPU of each workerd process per event, requests a second, latency, and what
// Hogflare's requests cost in sends, calls and rows. Ratios are what counts. "only I/O" makes the same
// object calls and the same send with nothing in between: no Worker that sends by itself gets below it.
//
//   node bench/end_to_end.mjs [--json FILE] [--quick] [--case NUMBER]
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer, request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { compatibilityDate, ROOT, workerOptions } from "../scripts/lib/worker.mjs";
import { median, table } from "./lib/measure.mjs";
import { request } from "./lib/payloads.mjs";

const args = process.argv.slice(2);
const jsonFile = args.includes("--json") ? args[args.indexOf("--json") + 1] : null;
const quick = args.includes("--quick");
const ROUNDS = quick ? 3 : 7;
const ROUND_MS = quick ? 400 : 1000;
/** Until the compilers behind the interpreters have seen enough. */
const WARM_REQUESTS = quick ? 1500 : 2000;
/** Clients that wait for their answer before they send again. */
const CLIENTS = 8;
const ADMIN = "bench-admin-token";
const ANSWER = '{"success":true,"result":{"committed":1}}';

const state = mkdtempSync(join(tmpdir(), "hogflare-bench-"));

/** A sink that takes everything. */
let sends = 0;
const sink = createServer((incoming, outgoing) => {
  sends += 1;
  incoming.resume();
  incoming.on("end", () => {
    outgoing.setHeader("content-type", "application/json");
    outgoing.end(ANSWER);
  });
});
await new Promise((done) => sink.listen(0, "127.0.0.1", done));
const sinkUrl = `http://127.0.0.1:${sink.address().port}/`;

function workerdPids() {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
        return stat.includes("(workerd)") && stat.slice(stat.lastIndexOf(")") + 4).split(" ")[0] === String(process.pid);
      } catch {
        return false;
      }
    });
}

async function start(name, options) {
  const before = workerdPids();
  const worker = new Miniflare(options);
  const url = await worker.ready;
  const pid = workerdPids().find((each) => !before.includes(each));
  return { name, worker, pid, port: Number(url.port), agent: new Agent({ keepAlive: true, maxSockets: 64 }) };
}

const vars = { CLOUDFLARE_PIPELINE_ENDPOINT: sinkUrl };
const plainWorker = (name, path, extra = {}) =>
  convertV4MiniflareOptions({
    name,
    host: "127.0.0.1",
    port: 0,
    modules: true,
    scriptPath: path,
    modulesRoot: ROOT,
    compatibilityDate: compatibilityDate(),
    cf: false,
    bindings: vars,
    log: new Log(LogLevel.WARN),
    ...extra,
  });

const systems = [
  await start(
    "hogflare",
    workerOptions({ platform: null, stateDir: join(state, "hogflare"), vars: { ...vars, HOGFLARE_ADMIN_TOKEN: ADMIN } }),
  ),
  await start(
    "yardstick",
    plainWorker("yardstick", join(ROOT, "bench/yardstick/worker.js"), {
      durableObjects: { PERSONS: { className: "PersonDurableObject", useSQLite: true } },
      durableObjectsPersist: join(state, "yardstick"),
    }),
  ),
  await start(
    "floor",
    plainWorker("floor", join(ROOT, "bench/yardstick/floor.js"), {
      durableObjects: { PERSONS: { className: "PersonDurableObject", useSQLite: true } },
      durableObjectsPersist: join(state, "floor"),
    }),
  ),
  await start("empty", plainWorker("empty", join(ROOT, "bench/yardstick/empty.js"))),
];

/** Time on a core of all threads, to the nanosecond: the ticks of /proc/PID/stat are 10 ms. */
function cpuMs(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  }
  return nanoseconds / 1e6;
}

function post(system, work) {
  return new Promise((done, fail) => {
    const outgoing = httpRequest(
      {
        host: "127.0.0.1",
        port: system.port,
        agent: system.agent,
        method: "POST",
        path: work.path,
        headers: { ...work.headers, "content-length": work.body.byteLength, "x-people": String(work.people) },
      },
      (incoming) => {
        let text = "";
        incoming.on("data", (chunk) => (text += chunk));
        incoming.on("end", () =>
          incoming.statusCode === 200 ? done() : fail(new Error(`${system.name}: ${incoming.statusCode} ${text}`)),
        );
      },
    );
    outgoing.on("error", fail);
    outgoing.end(work.body);
  });
}

/** Sends for about `ms`, and `least` requests at least; what it took. */
async function load(system, works, clients, ms, least = 0) {
  const latencies = [];
  let sent = 0;
  const cpu = cpuMs(system.pid);
  const sendsBefore = sends;
  const began = performance.now();
  const lane = async () => {
    while (performance.now() - began < ms || sent < least) {
      const start = performance.now();
      await post(system, works[sent++ % works.length]);
      latencies.push(performance.now() - start);
    }
  };
  await Promise.all(Array.from({ length: clients }, lane));
  const tookMs = performance.now() - began;
  return { requests: latencies.length, cpuMs: cpuMs(system.pid) - cpu, sends: sends - sendsBefore, tookMs, latencies };
}

async function counters() {
  const response = await fetch(`http://127.0.0.1:${systems[0].port}/metrics`, { headers: { authorization: `Bearer ${ADMIN}` } });
  const text = await response.text();
  const sum = (name) =>
    [...text.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, "gm"))].reduce((total, found) => total + Number(found[1]), 0);
  return { calls: sum("hogflare_object_calls_total"), rows: sum("hogflare_storage_rows_written_total") };
}

/** Different requests of one kind, so that people and uuids vary. */
const variants = (what, count) =>
  Array.from({ length: count }, (_, i) => ({
    ...request({ ...what, first: i * what.events, distinctId: (index) => `user-${index % PEOPLE}` }),
    people: what.personless === false ? Math.min(what.events, PEOPLE) : 0,
  }));
const PEOPLE = 50;

const CASES = [
  { what: { shape: "server", bytes: 300, events: 1 } },
  { what: { shape: "browser", bytes: 1500, events: 1 } },
  { what: { shape: "browser", bytes: 1500, events: 1 }, clients: 1 },
  { what: { shape: "browser", bytes: 1500, events: 1, gzip: true } },
  { what: { shape: "browser", bytes: 1500, events: 1 }, clients: 32 },
  { what: { shape: "browser", bytes: 1500, events: 1, personless: false } },
  { what: { shape: "browser", bytes: 1500, events: 1, personless: false }, clients: 1 },
  { what: { shape: "browser", bytes: 1500, events: 1, personless: false }, clients: 32 },
  { what: { shape: "browser", bytes: 20000, events: 1, gzip: true } },
  { what: { shape: "server", bytes: 1500, events: 50 } },
  { what: { shape: "server", bytes: 1500, events: 50, gzip: true } },
  { what: { shape: "browser", bytes: 1500, events: 50 } },
  { what: { shape: "server", bytes: 1500, events: 50, personless: false } },
  { what: { shape: "server", bytes: 1500, events: 1000 } },
];

function percentile(values, share) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

async function run({ what, clients = CLIENTS }) {
  const works = variants(what, what.events === 1 ? 100 : 4);
  const rounds = new Map(systems.map((system) => [system.name, []]));
  for (const system of systems) await load(system, works, clients, 300, Math.ceil(WARM_REQUESTS / Math.sqrt(what.events)));
  const before = await counters();
  for (let round = 0; round < ROUNDS; round += 1) {
    // Every round in another order, so that none always runs behind the same other one.
    for (let i = 0; i < systems.length; i += 1) {
      const system = systems[(i + round) % systems.length];
      rounds.get(system.name).push(await load(system, works, clients, ROUND_MS));
    }
  }
  const after = await counters();
  const figures = {};
  for (const [name, results] of rounds) {
    const latencies = results.flatMap((each) => each.latencies);
    figures[name] = {
      cpuUsPerEvent: median(results.map((each) => (each.cpuMs * 1000) / each.requests / what.events)),
      requestsPerSecond: median(results.map((each) => (each.requests * 1000) / each.tookMs)),
      p50Ms: percentile(latencies, 0.5),
      p99Ms: percentile(latencies, 0.99),
    };
  }
  const requests = rounds.get("hogflare").reduce((total, each) => total + each.requests, 0);
  /** Of what two systems took in the same round. */
  const ratioOf = (name, other) =>
    median(
      rounds.get(name).map((each, i) => {
        const beside = rounds.get(other)[i];
        return each.cpuMs / each.requests / (beside.cpuMs / beside.requests);
      }),
    );
  const net = (name) => figures[name].cpuUsPerEvent - figures.empty.cpuUsPerEvent;
  return {
    name: works[0].name + (clients === CLIENTS ? "" : clients === 1 ? ", one client" : `, ${clients} clients`),
    events: what.events,
    clients,
    ...figures,
    ratio: ratioOf("hogflare", "yardstick"),
    floorRatio: ratioOf("floor", "yardstick"),
    netRatio: net("hogflare") / net("yardstick"),
    sendsPerRequest: rounds.get("hogflare").reduce((total, each) => total + each.sends, 0) / requests,
    // Asking for /metrics calls each of the eight outbox shards once.
    objectCallsPerRequest: Math.max(0, after.calls - before.calls - 8) / requests,
    rowsWrittenPerRequest: (after.rows - before.rows) / requests,
  };
}

const only = args.includes("--case") ? Number(args[args.indexOf("--case") + 1]) : null;
const chosen = CASES.filter((_, index) => only === null || index === only);
const results = [];
try {
  for (const each of chosen) {
    results.push(await run(each));
    console.error(`${results.length} of ${chosen.length}: ${results.at(-1).name}, ratio ${results.at(-1).ratio.toFixed(2)}`);
  }
} finally {
  for (const system of systems) await system.worker.dispose();
  sink.close();
  rmSync(state, { recursive: true, force: true });
}
console.log(
  table(
    [
      "workerd, CPU us/event",
      "hogflare",
      "yardstick",
      "ratio",
      "net ratio",
      "only I/O",
      "ratio",
      "empty",
      "req/s",
      "yardstick",
      "p50 ms",
      "yardstick",
      "p99 ms",
      "sends",
      "calls",
      "rows",
    ],
    results.map((each) => [
      each.name,
      each.hogflare.cpuUsPerEvent,
      each.yardstick.cpuUsPerEvent,
      each.ratio,
      each.netRatio,
      each.floor.cpuUsPerEvent,
      each.floorRatio,
      each.empty.cpuUsPerEvent,
      Math.round(each.hogflare.requestsPerSecond),
      Math.round(each.yardstick.requestsPerSecond),
      each.hogflare.p50Ms,
      each.yardstick.p50Ms,
      each.hogflare.p99Ms,
      each.sendsPerRequest,
      each.objectCallsPerRequest,
      each.rowsWrittenPerRequest,
    ]),
  ),
);
console.log("ratio: to the yardstick, the same round; net: both without the empty Worker; sends, calls, rows: Hogflare's, a request");
if (jsonFile !== null) writeFileSync(jsonFile, JSON.stringify({ endToEnd: results }, null, 1));
process.exit(0);
