// The counting and comparing of scripts/guard.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(fileURLToPath(import.meta.url), "../..");
const BOUNDS = join(root, "tests/guard/bounds.json");
const BENCH = join(root, "build/native/guard_stripped");
/** What a change may cost without being noticed, and what other compilers' code differs by. */
const TOLERANCE = 0.1;
/** Requests before counting begins, and counted ones: the first ones make people and fill caches. */
const FIRST = 3;
const COUNTED = 10;

const run = (command, ...args) => execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Instructions of a whole run with so many requests. */
function instructions(name, requests) {
  const report = execFileSync(
    "sh",
    ["-c", 'exec valgrind --tool=callgrind --callgrind-out-file=/dev/null "$0" "$@" 2>&1', BENCH, name, String(requests)],
    { encoding: "utf8" },
  );
  const found = /Collected : (\d+)/.exec(report);
  if (found === null) throw new Error(`callgrind did not say how much it collected:\n${report}`);
  return Number(found[1]);
}

function count(name) {
  const perRequest = (instructions(name, FIRST + COUNTED) - instructions(name, FIRST)) / COUNTED;
  const allocations = Number(/allocations (\d+)/.exec(run(BENCH, name, String(FIRST + COUNTED)))[1]);
  return { instructions: Math.round(perRequest), allocations };
}

const names = run(BENCH, "--list").trim().split("\n");
const counted = Object.fromEntries(names.map((name) => [name, count(name)]));

// Every decoder at three parts of its limit: what costs a byte more the more bytes there are is quadratic.
const PERCENTS = [1, 10, 100];
/** Larger bodies may cost so many times the smallest one's instructions per byte. */
const GROWTH_MAX = 1.5;

/** Instructions for a byte of a decoder's body. */
function perByte(name, percent) {
  const command = 'exec valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=guard_measured "$0" --decoder "$@" 2>&1';
  const report = execFileSync("sh", ["-c", command, BENCH, name, String(percent)], { encoding: "utf8" });
  const bytes = Number(/^bytes (\d+)$/m.exec(report)?.[1]);
  const collected = Number(/Collected : (\d+)/.exec(report)?.[1]);
  if (!(collected > 0 && bytes > 0)) throw new Error(`${name}: callgrind did not say how much it collected:\n${report}`);
  return collected / bytes;
}

const decoders = run(BENCH, "--decoders").trim().split("\n");
const perBytes = Object.fromEntries(
  decoders.map((name) => [name, PERCENTS.map((percent) => Math.round(10 * perByte(name, percent)) / 10)]),
);

if (process.argv[2] === "--update") {
  writeFileSync(BOUNDS, JSON.stringify({ ...counted, decoders: perBytes }, null, 2) + "\n");
  console.log(`wrote ${names.length + decoders.length} bounds`);
  process.exit(0);
}
const bounds = JSON.parse(readFileSync(BOUNDS, "utf8"));
let failed = 0;
for (const name of names) {
  for (const what of ["instructions", "allocations"]) {
    const bound = bounds[name]?.[what];
    const value = counted[name][what];
    const fits = bound !== undefined && value <= bound * (1 + TOLERANCE);
    const change = bound === undefined ? "no bound" : `${((value / bound - 1) * 100).toFixed(1)} %`;
    console.log(`${fits ? "ok  " : "FAIL"} ${name} ${what}: ${value}, bound ${bound} (${change})`);
    failed += fits ? 0 : 1;
  }
}
for (const name of decoders) {
  const [least] = perBytes[name];
  PERCENTS.forEach((percent, i) => {
    const value = perBytes[name][i];
    const bound = bounds.decoders?.[name]?.[i];
    const fits = bound !== undefined && value <= bound * (1 + TOLERANCE) && value <= least * GROWTH_MAX;
    console.log(`${fits ? "ok  " : "FAIL"} ${name} at ${percent} %: ${value} instructions a byte, bound ${bound}`);
    failed += fits ? 0 : 1;
  });
}
if (failed > 0) console.log("scripts/guard --update accepts the new figures; say in the commit why they are worth it");
const checks = names.length * 2 + decoders.length * PERCENTS.length;
console.log(`${checks - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
