// The numbers and names of docs/SECURITY.md are those of the code.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";

const ROOT = join(import.meta.dirname, "../..");
const page = readFileSync(join(ROOT, "docs/SECURITY.md"), "utf8");
const limits = readFileSync(join(ROOT, "include/hogflare/limits.h"), "utf8");

/** A constant's value: a number or one that is shifted. */
function valueOf(name) {
  const found = new RegExp(`\\b${name} = (\\d[\\d']*)u?(?: << (\\d+))?;`).exec(limits);
  assert.ok(found, `${name} is not in limits.h`);
  return Number(found[1].replaceAll("'", "")) * 2 ** Number(found[2] ?? 0);
}

describe("docs/SECURITY.md", () => {
  it("tells the limits as they are", () => {
    const rows = [...page.matchAll(/^\| `(k\w+)` \| ([\d,]+) /gm)];
    assert.ok(rows.length > 10);
    for (const [, name, number] of rows) assert.equal(Number(number.replaceAll(",", "")), valueOf(name), name);
  });

  it("names every fuzzer and no other", () => {
    const fuzzers = readdirSync(join(ROOT, "fuzz")).filter((name) => name.endsWith("_fuzz.cpp"));
    const told = [...page.matchAll(/^\| `(\w+_fuzz)` \|/gm)].map(([, name]) => `${name}.cpp`);
    assert.deepEqual(told.sort(), fuzzers.sort());
  });
});
