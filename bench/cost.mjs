// Dollars per million events, from effects counted in the module and the published prices of
// Cloudflare's paid plan (2026-11), beyond what the plan includes.
//
//   node bench/cost.mjs [--json FILE] [--row KIND]     --row "server batches, saving": where a row's bytes are
import { writeFileSync } from "node:fs";
import { loadCore } from "./lib/core.mjs";
import { table } from "./lib/measure.mjs";
import { recordedServer, request, TOKEN } from "./lib/payloads.mjs";

/** developers.cloudflare.com: workers/platform/pricing, durable-objects/platform/pricing, pipelines. */
const PRICES = {
  request: 0.3 / 1e6,
  cpuMs: 0.02 / 1e6,
  objectRequest: 0.15 / 1e6,
  objectGbSecond: 12.5 / 1e6,
  rowWritten: 1 / 1e6,
  rowRead: 0.001 / 1e6,
  /** The pipeline's SQL transform, on the JSON that comes in. */
  transformByte: 0.04 / 1e9,
  /** The Iceberg sink, on what it delivers uncompressed. */
  sinkByte: 0.06 / 1e9,
  storedByteMonth: 0.015 / 1e9,
};
/** An object is billed for 128 MB while it works; a local call with its commit takes about this. */
const OBJECT_GB = 0.128;
const OBJECT_SECONDS = 0.003;
/** What the sink counts as delivered, of the rows' JSON: all of it, or a quarter, as one production measured. */
const SINK_SHARES = { whole: 1, quarter: 0.25 };
/** The switches that save bytes. */
const SAVING = { HOGFLARE_PERSON_PROPERTIES: "off", HOGFLARE_ROWS: "lean" };
/** Parquet, compressed, against the rows' JSON; kept for a year. */
const PARQUET_SHARE = 0.12;
const MONTHS_KEPT = 12;
/** What workerd itself takes a request beside the core, from bench/end_to_end.mjs, rather too much. */
const SHIM_CPU_MS = 0.4;

const args = process.argv.slice(2);
const jsonFile = args.includes("--json") ? args[args.indexOf("--json") + 1] : null;
const shownRow = args.includes("--row") ? args[args.indexOf("--row") + 1] : null;
const core = await loadCore();

/** One flush of a recording, as posthog-js sends it. */
function replayRequest({ bytes, first, distinctId }) {
  const item = { type: 3, timestamp: 1_763_812_730_166 + first, data: { source: 0, text: "x".repeat(bytes - 400) } };
  const properties = {
    $snapshot_data: [item],
    $session_id: "01a20328-ac57-7726-998a-5e930f917b46",
    $window_id: "01a20328-ac58-7d69-9c3e-73bc06f5d108",
    distinct_id: distinctId,
    token: TOKEN,
    $lib: "web",
    $snapshot_source: "web",
  };
  const body = new TextEncoder().encode(JSON.stringify([{ event: "$snapshot", properties }]));
  return { path: "/s/", headers: { "content-type": "application/json" }, body };
}

const encoder = new TextEncoder();

/** Bytes of each column of an event's row, its name and comma with it: the mean of the last rows sent. */
function bytesByColumn() {
  const rows = JSON.parse(new TextDecoder().decode(core.lastEvents()));
  const sums = {};
  for (const row of rows)
    for (const [name, value] of Object.entries(row))
      sums[name] = (sums[name] ?? 0) + encoder.encode(JSON.stringify({ [name]: value })).byteLength - 1;
  return Object.entries(sums).map(([name, sum]) => [name, Math.round(sum / rows.length)]);
}

/** People come back: each of `people` sends `events` in requests of `batch`. */
function traffic({ name, saves, shape, sdk, bytes, batch, personless, people, events }) {
  core.configure(saves ? SAVING : {});
  const before = { ...core.counts };
  let requests = 0;
  let cpuMs = 0;
  for (let i = 0; i < events; i += batch) {
    const distinctId = (index) => `${name}-${saves}-${Math.floor(index / (events / people))}`;
    const work =
      shape === "replay"
        ? replayRequest({ bytes, first: i, distinctId: distinctId(i) })
        : shape === "recorded"
          ? recordedServer({ sdk, events: batch, first: i, distinctId })
          : request({ shape, bytes, events: batch, personless, first: i, distinctId });
    const head = core.head("POST", work.path, work.headers);
    const start = process.cpuUsage();
    const { status } = core.handle(head, work.body);
    if (status !== 200) throw new Error(`${name} was answered ${status}`);
    const cpu = process.cpuUsage(start);
    cpuMs += (cpu.user + cpu.system) / 1000 + SHIM_CPU_MS;
    requests += 1;
  }
  const counted = Object.fromEntries(Object.entries(core.counts).map(([key, value]) => [key, value - before[key]]));
  if (shownRow === (saves ? `${name}, saving` : name)) console.log(`${table(["column", "bytes"], bytesByColumn())}\n`);
  const per = (value) => value / events;
  const parts = {
    requests: per(requests) * PRICES.request,
    cpu: per(cpuMs) * PRICES.cpuMs,
    objectCalls: per(counted.objectCalls) * (PRICES.objectRequest + OBJECT_GB * OBJECT_SECONDS * PRICES.objectGbSecond),
    rowsWritten: per(counted.rowsWritten) * PRICES.rowWritten,
    transform: per(counted.rowBytes) * PRICES.transformByte,
    storage: per(counted.rowBytes) * PARQUET_SHARE * MONTHS_KEPT * PRICES.storedByteMonth,
  };
  const dollars = Object.fromEntries(Object.entries(parts).map(([key, value]) => [key, value * 1e6]));
  const withoutSink = Object.values(dollars).reduce((sum, value) => sum + value, 0);
  for (const [reading, share] of Object.entries(SINK_SHARES)) {
    dollars[`sink_${reading}`] = per(counted.rowBytes) * share * PRICES.sinkByte * 1e6;
    dollars[`total_${reading}`] = withoutSink + dollars[`sink_${reading}`];
  }
  return {
    name: saves ? `${name}, saving` : name,
    dollarsPerMillionEvents: dollars,
    perEvent: {
      requests: per(requests),
      objectCalls: per(counted.objectCalls),
      rowsWritten: per(counted.rowsWritten),
      rowBytes: per(counted.rowBytes),
      cpuMs: per(cpuMs),
    },
  };
}

const KINDS = [
  { name: "browser", shape: "browser", bytes: 2500, batch: 4, personless: false, people: 100, events: 2000 },
  { name: "server batches", shape: "server", bytes: 1500, batch: 50, personless: false, people: 100, events: 2000 },
  ...["posthog-node-5.70.0", "posthog-python-7.91.1", "posthog-go-1.23.1", "posthog-php-4.13.2"].map((sdk) => ({
    name: sdk,
    shape: "recorded",
    sdk,
    batch: 50,
    people: 100,
    events: 2000,
  })),
  { name: "personless", shape: "browser", bytes: 2500, batch: 4, personless: true, people: 100, events: 2000 },
  { name: "replay, 20 KB", shape: "replay", bytes: 20_000, batch: 1, personless: true, people: 100, events: 500 },
];
const lines = KINDS.flatMap((kind) => [traffic({ ...kind, saves: false }), traffic({ ...kind, saves: true })]);
console.log(
  table(
    [
      "$ per million events",
      "total",
      "total, sink ¼",
      "requests",
      "cpu",
      "object calls",
      "rows written",
      "transform",
      "sink",
      "sink ¼",
      "a year in R2",
      "bytes/row",
    ],
    lines.map(({ name, dollarsPerMillionEvents: d, perEvent }) => [
      name,
      d.total_whole,
      d.total_quarter,
      d.requests,
      d.cpu,
      d.objectCalls,
      d.rowsWritten,
      d.transform,
      d.sink_whole,
      d.sink_quarter,
      d.storage,
      perEvent.rowBytes,
    ]),
  ),
);
if (jsonFile !== null) writeFileSync(jsonFile, JSON.stringify({ prices: PRICES, lines }, null, 1));
