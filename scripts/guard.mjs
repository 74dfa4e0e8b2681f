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
if (process.argv[2] === "--update") {
  writeFileSync(BOUNDS, JSON.stringify(counted, null, 2) + "\n");
  console.log(`wrote ${names.length} bounds`);
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
if (failed > 0) console.log("scripts/guard --update accepts the new figures; say in the commit why they are worth it");
console.log(`${names.length * 2 - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
