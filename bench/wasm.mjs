// The core in wasm under Node.js, from request bytes to row bytes, beside V8's own JSON.parse and
// JSON.stringify of the same bytes. Prints a table; with --json FILE writes the figures too.
//
//   node bench/wasm.mjs [--json FILE] [--quick]
import { writeFileSync } from "node:fs";
import { gunzipSync, gzipSync } from "node:zlib";
import { loadCore } from "./lib/core.mjs";
import { alternate, median, table } from "./lib/measure.mjs";
import { FLAGS_BODY, flagDefinitions, request, TOKEN } from "./lib/payloads.mjs";

const args = process.argv.slice(2);
const jsonFile = args.includes("--json") ? args[args.indexOf("--json") + 1] : null;
const effort = args.includes("--quick") ? { rounds: 7, roundMs: 8, warmMs: 30 } : {};
const core = await loadCore();
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** The least a JavaScript Worker does with a body: decompress, decode, parse, stringify, encode. */
function floor(work) {
  const plain = work.body === work.plain ? work.body : gunzipSync(work.body);
  return encoder.encode(JSON.stringify(JSON.parse(decoder.decode(plain))));
}

/** Requests of the same people with other uuids: a uuid that comes again is told from a new one. */
const VARIANTS = 16;

function measureRequest(what) {
  const works = Array.from({ length: VARIANTS }, (_, i) =>
    request({ ...what, first: i * what.events, distinctId: (index) => `user-${(index % what.events) % 7}` }),
  );
  const [work] = works;
  const head = core.head("POST", work.path, work.headers);
  let next = 0;
  const run = () => {
    if (core.handle(head, works[next++ % VARIANTS].body).status !== 200) throw new Error(`${work.name} was refused`);
  };
  // The first makes people, the second gives them their sequential ids.
  run();
  run();
  const before = { ...core.counts };
  run();
  const after = { ...core.counts };
  const delta = (name) => after[name] - before[name];
  const us = alternate({ core: run, floor: () => floor(work) }, effort);
  return {
    name: work.name,
    events: work.events,
    bodyBytes: work.plain.byteLength,
    usPerEvent: us.core / work.events,
    floorUsPerEvent: us.floor / work.events,
    ratioToFloor: us.core / us.floor,
    megabytesPerSecond: work.plain.byteLength / us.core,
    objectCalls: delta("objectCalls"),
    rowsWritten: delta("rowsWritten"),
    rowBytesPerEvent: delta("rowBytes") / work.events,
  };
}

function requestCases() {
  const cases = [];
  for (const shape of ["browser", "server"]) {
    for (const bytes of [300, 1500, 20000]) {
      for (const gzip of [false, true]) cases.push({ shape, bytes, events: 1, gzip });
    }
    for (const events of [50, 1000]) {
      for (const gzip of [false, true]) cases.push({ shape, bytes: 1500, events, gzip });
    }
    for (const events of [1, 50]) cases.push({ shape, bytes: 1500, events, personless: false });
  }
  return cases;
}

const EVENT_TEXT = { timestamp: "2026-11-22T12:08:50.166Z", properties: {} };

/** One identity request that is never the same twice, over people that `prepare` made. */
function measureIdentity(name, eventOf, prepare) {
  const head = core.head("POST", "/batch/", { "content-type": "application/json" });
  const send = (batch) => {
    const body = encoder.encode(JSON.stringify({ api_key: TOKEN, batch }));
    return () => core.handle(head, body);
  };
  const event = (given) => ({ ...EVENT_TEXT, uuid: crypto.randomUUID(), ...given });
  const ROUNDS = 7;
  const EACH = 100;
  const took = [];
  let calls = 0;
  let rows = 0;
  for (let round = 0; round < ROUNDS; round += 1) {
    const runs = [];
    for (let i = 0; i < EACH; i += 1) {
      const n = `${name} ${round * EACH + i}`;
      send(prepare(n).map(event))();
      runs.push(send([event(eventOf(n))]));
    }
    const before = { ...core.counts };
    const start = performance.now();
    for (const run of runs) run();
    took.push(((performance.now() - start) * 1000) / EACH);
    calls = (core.counts.objectCalls - before.objectCalls) / EACH;
    rows = (core.counts.rowsWritten - before.rowsWritten) / EACH;
  }
  return { name, us: median(took), objectCalls: calls, rowsWritten: rows };
}

function identityCases() {
  const known = (id) => ({ event: "e", distinct_id: id, properties: { $set: { plan: "pro" } } });
  return [
    measureIdentity(
      "apply, nothing changes",
      (n) => known(n),
      (n) => [known(n), known(n)],
    ),
    measureIdentity(
      "apply, a property changes",
      (n) => ({ event: "e", distinct_id: n, properties: { $set: { plan: "free" } } }),
      (n) => [known(n)],
    ),
    measureIdentity(
      "merge of two people",
      (n) => ({ event: "$identify", distinct_id: n, properties: { $anon_distinct_id: `device ${n}` } }),
      (n) => [known(n), known(`device ${n}`)],
    ),
  ];
}

function measureFlags(count) {
  const configureMs = core.configure({}, flagDefinitions(count));
  const head = core.head("POST", "/flags/?v=2", { "content-type": "application/json" });
  const run = () => {
    if (core.handle(head, FLAGS_BODY).status !== 200) throw new Error("flags were refused");
  };
  run();
  const before = core.counts.objectCalls;
  run();
  return { flags: count, us: alternate({ run }, effort).run, configureMs, objectCalls: core.counts.objectCalls - before };
}

const configureMs = core.configure();
const coldHead = core.head("POST", "/e/", { "content-type": "application/json" });
const coldWork = request({ shape: "browser", bytes: 1500, events: 1 });
const coldStart = performance.now();
core.handle(coldHead, coldWork.body);
const firstRequestMs = performance.now() - coldStart;

const requests = requestCases().map(measureRequest);
console.log(
  table(
    ["core in wasm", "us/event", "V8 floor", "ratio", "MB/s", "calls", "rows written"],
    requests.map((each) => [
      each.name,
      each.usPerEvent,
      each.floorUsPerEvent,
      each.ratioToFloor,
      each.megabytesPerSecond,
      each.objectCalls,
      each.rowsWritten,
    ]),
  ),
);
const identity = identityCases();
console.log();
console.log(
  table(
    ["identity in wasm, a whole request", "us", "object calls", "rows written"],
    identity.map((each) => [each.name, each.us, each.objectCalls, each.rowsWritten]),
  ),
);
const flags = [1, 100, 1000].map(measureFlags);
console.log();
console.log(
  table(
    ["/flags in wasm", "us/request", "configure ms", "object calls"],
    flags.map((each) => [`${each.flags} flags of 3 conditions`, each.us, each.configureMs, each.objectCalls]),
  ),
);
const module = {
  bytes: core.module.byteLength,
  gzipBytes: gzipSync(core.module, { level: 9 }).byteLength,
  compileMs: core.compileMs,
  instantiateMs: core.instantiateMs,
  configureMs,
  firstRequestMs,
};
console.log();
console.log(
  table(
    ["module", "bytes", "gzipped", "compile ms", "instantiate ms", "configure ms", "first request ms"],
    [["core.wasm", module.bytes, module.gzipBytes, module.compileMs, module.instantiateMs, configureMs, firstRequestMs]],
  ),
);
if (jsonFile !== null) writeFileSync(jsonFile, JSON.stringify({ requests, identity, flags, module }, null, 1));
