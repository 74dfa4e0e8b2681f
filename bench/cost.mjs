// Dollars per million events, from effects counted in the module and the published prices of
// Cloudflare's paid plan (2026-11), beyond what the plan includes.
//
//   node bench/cost.mjs [--json FILE]
import { writeFileSync } from "node:fs";
import { loadCore } from "./lib/core.mjs";
import { table } from "./lib/measure.mjs";
import { request } from "./lib/payloads.mjs";

/** developers.cloudflare.com: workers/platform/pricing, durable-objects/platform/pricing, pipelines. */
const PRICES = {
  request: 0.3 / 1e6,
  cpuMs: 0.02 / 1e6,
  objectRequest: 0.15 / 1e6,
  objectGbSecond: 12.5 / 1e6,
  rowWritten: 1 / 1e6,
  rowRead: 0.001 / 1e6,
  /** SQL transform and Iceberg sink, on uncompressed JSON. */
  sinkByte: (0.04 + 0.06) / 1e9,
  storedByteMonth: 0.015 / 1e9,
};
/** An object is billed for 128 MB while it works; a local call with its commit takes about this. */
const OBJECT_GB = 0.128;
const OBJECT_SECONDS = 0.003;
/** Parquet, compressed, against the rows' JSON; kept for a year. */
const PARQUET_SHARE = 0.12;
const MONTHS_KEPT = 12;
/** What workerd itself takes a request beside the core, from bench/end_to_end.mjs, rather too much. */
const SHIM_CPU_MS = 0.4;

const args = process.argv.slice(2);
const jsonFile = args.includes("--json") ? args[args.indexOf("--json") + 1] : null;
const core = await loadCore();
core.configure({ CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: "" });

/** People come back: each of `people` sends `events` in requests of `batch`. */
function traffic({ name, shape, bytes, batch, personless, people, events }) {
  const before = { ...core.counts };
  let requests = 0;
  let cpuMs = 0;
  for (let i = 0; i < events; i += batch) {
    const work = request({
      shape, bytes, events: batch, personless, first: i,
      distinctId: (index) => `${name}-${Math.floor(index / (events / people))}`,
    });
    const head = core.head("POST", work.path, work.headers);
    const start = process.cpuUsage();
    const { status } = core.handle(head, work.body);
    if (status !== 200) throw new Error(`${name} was answered ${status}`);
    const cpu = process.cpuUsage(start);
    cpuMs += (cpu.user + cpu.system) / 1000 + SHIM_CPU_MS;
    requests += 1;
  }
  const counted = Object.fromEntries(Object.entries(core.counts).map(([key, value]) => [key, value - before[key]]));
  const per = (value) => value / events;
  const parts = {
    requests: per(requests) * PRICES.request,
    cpu: per(cpuMs) * PRICES.cpuMs,
    objectCalls: per(counted.objectCalls) * (PRICES.objectRequest + OBJECT_GB * OBJECT_SECONDS * PRICES.objectGbSecond),
    rowsWritten: per(counted.rowsWritten) * PRICES.rowWritten,
    sink: per(counted.rowBytes) * PRICES.sinkByte,
    storage: per(counted.rowBytes) * PARQUET_SHARE * MONTHS_KEPT * PRICES.storedByteMonth,
  };
  const dollars = Object.fromEntries(Object.entries(parts).map(([key, value]) => [key, value * 1e6]));
  dollars.total = Object.values(dollars).reduce((sum, value) => sum + value, 0);
  return {
    name, dollarsPerMillionEvents: dollars,
    perEvent: { requests: per(requests), objectCalls: per(counted.objectCalls), rowsWritten: per(counted.rowsWritten), rowBytes: per(counted.rowBytes), cpuMs: per(cpuMs) },
  };
}

const lines = [
  traffic({ name: "browser", shape: "browser", bytes: 2500, batch: 4, personless: false, people: 100, events: 2000 }),
  traffic({ name: "server batches", shape: "server", bytes: 1500, batch: 50, personless: false, people: 100, events: 2000 }),
  traffic({ name: "personless", shape: "browser", bytes: 2500, batch: 4, personless: true, people: 100, events: 2000 }),
];
console.log(
  table(
    ["$ per million events", "total", "requests", "cpu", "object calls", "rows written", "sink", "a year in R2", "calls/event", "rows/event"],
    lines.map(({ name, dollarsPerMillionEvents: d, perEvent }) => [
      name, d.total, d.requests, d.cpu, d.objectCalls, d.rowsWritten, d.sink, d.storage, perEvent.objectCalls, perEvent.rowsWritten,
    ]),
  ),
);
if (jsonFile !== null) writeFileSync(jsonFile, JSON.stringify({ prices: PRICES, lines }, null, 1));
