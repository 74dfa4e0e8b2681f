// tests/platform/limits.json is the one truth: every number has a source, and copies agree with it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";

const read = (path) => readFileSync(join(ROOT, path), "utf8");
const { limits } = JSON.parse(read("tests/platform/limits.json"));

it("every number has its unit, its source, what that says, and who enforces it or why nobody does", () => {
  for (const [name, limit] of Object.entries(limits)) {
    assert.ok(Number.isInteger(limit.value) && limit.value > 0, name);
    for (const field of ["unit", "source", "says"]) assert.ok(limit[field]?.length > 0, `${name}.${field}`);
    assert.ok(limit.enforced.length > 0 || limit.note?.length > 0, `${name}: enforced by nobody, without a reason`);
  }
});

it("the fake pipeline has the same numbers", () => {
  const rows = read("fake-pipeline/fake_pipeline/rows.py");
  const constant = (name) => Number(new RegExp(`^${name} = ([0-9_]+)$`, "m").exec(rows)?.[1].replaceAll("_", ""));
  assert.equal(constant("BODY_BYTES_MAX"), limits.sink_send_bytes.value);
  assert.equal(constant("ROW_BYTES_MAX"), limits.sink_row_bytes.value);
});

it("the core stays below them", () => {
  const text = read("include/hogflare/limits.h");
  const value = Number(/kStorageValueBytesMax = ([0-9']+);/.exec(text)?.[1].replaceAll("'", ""));
  assert.ok(value > 0 && value <= limits.object_value_bytes.value, String(value));
});
