// How cost grows: events of a batch, bytes of a body, ids of a person, flags. A step that takes more
// than its share is marked; the memory of the instance is the highest there was.
//
//   node bench/curves.mjs [--json FILE] [--quick]
import { writeFileSync } from "node:fs";
import { loadCore } from "./lib/core.mjs";
import { alternate, median, table } from "./lib/measure.mjs";
import { FLAGS_BODY, flagDefinitions, request, TOKEN } from "./lib/payloads.mjs";

const args = process.argv.slice(2);
const jsonFile = args.includes("--json") ? args[args.indexOf("--json") + 1] : null;
const ROUNDS = args.includes("--quick") ? 3 : 7;
const encoder = new TextEncoder();
const core = await loadCore();

/** Median microseconds of one request. Warm: what the first ones take is the module's and V8's start. */
function took(head, body) {
  const run = () => {
    const { status } = core.handle(head, body);
    if (status !== 200) throw new Error(`a request of ${body.byteLength} bytes was answered ${status}`);
  };
  return alternate({ run }, { rounds: ROUNDS, roundMs: 40, warmMs: 200 }).run;
}

const memoryMb = () => core.shim.memoryBytes() / (1 << 20);
const jsonHead = (path) => core.head("POST", path, { "content-type": "application/json" });

function batches() {
  core.configure();
  return [1, 10, 100, 1000, 10_000].map((events) => {
    const work = request({ shape: "server", bytes: 1500, events });
    const us = took(core.head("POST", work.path, work.headers), work.plain);
    return { size: events, us, per: us / events, memoryMb: memoryMb() };
  });
}

function bodies() {
  return [1, 10, 100, 1000, 5000, 10_000, 20_000].map((kilobytes) => {
    const count = Math.max(1, Math.floor(kilobytes / 1.5));
    const bytes = Math.min(1500, kilobytes * 1000 - 200);
    const work = request({ shape: "server", bytes, events: count });
    const us = took(jsonHead("/batch/"), work.plain);
    return { size: kilobytes, us, per: us / kilobytes, memoryMb: memoryMb() };
  });
}

/** A person with so many distinct ids, then one further event of theirs. */
function ids() {
  const sizes = [1, 10, 100, 1000, 10_000];
  let merged = 0;
  return sizes.map((size) => {
    const person = "root";
    while (merged < size) {
      const count = Math.min(500, size - merged);
      const batch = Array.from({ length: count }, (_, i) => ({
        event: "$create_alias",
        distinct_id: person,
        properties: { alias: `alias-${merged + i}` },
      }));
      merged += count;
      core.handle(jsonHead("/batch/"), encoder.encode(JSON.stringify({ api_key: TOKEN, batch })));
    }
    let stamp = 0;
    const event = () =>
      encoder.encode(JSON.stringify({ api_key: TOKEN, event: "e", distinct_id: person, properties: { $set: { stamp: (stamp += 1) } } }));
    const rounds = [];
    for (let i = 0; i < ROUNDS * 5; i += 1) {
      const body = event();
      const start = performance.now();
      core.handle(jsonHead("/e/"), body);
      rounds.push((performance.now() - start) * 1000);
    }
    return { size, us: median(rounds), per: median(rounds), memoryMb: memoryMb() };
  });
}

function flags() {
  return [1, 10, 100, 1000].map((count) => {
    core.configure({}, flagDefinitions(count));
    const us = took(jsonHead("/flags/?v=2"), FLAGS_BODY);
    return { size: count, us, per: us / count, memoryMb: memoryMb() };
  });
}

function print(title, unit, curve) {
  const rows = curve.map((each, i) => {
    const last = curve[i - 1];
    const growth = last === undefined ? "" : (each.us / last.us / (each.size / last.size)).toFixed(2);
    return [String(each.size), each.us, each.per, growth, each.memoryMb];
  });
  console.log(table([title, "us", `us per ${unit}`, "growth / linear", "memory MB"], rows));
  console.log();
}

const curves = { batches: batches(), ids: ids(), flags: flags() };
core.configure();
curves.bodies = bodies();
print("events in a batch", "event", curves.batches);
print("distinct ids of the person, one event", "event", curves.ids);
print("flags of 3 conditions, one request", "flag", curves.flags);
print("kilobytes of a body", "KB", curves.bodies);
if (jsonFile !== null) writeFileSync(jsonFile, JSON.stringify(curves, null, 1));
