// Every form of tests/vectors/capture-timestamps.json, as PostHog's capture reads it, through local workerd.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { batch, event, isNear, stored } from "./support.mjs";

const FILE = join(import.meta.dirname, "../vectors/capture-timestamps.json");
const { cases } = JSON.parse(readFileSync(FILE, "utf8"));
const textOf = (vector) => vector.request.body.batch[0].timestamp;

describe("capture timestamps", () => {
  let system;
  /** @type {any[]} */
  let rows;
  /** @type {any[]} */
  let warnings;
  before(async () => {
    system = await startSystem();
    const events = cases.map((vector, i) => event({ distinct_id: `form-${i}`, timestamp: textOf(vector) }));
    rows = await stored(system, await system.post("/batch/", batch(events)), cases.length);
    warnings = await system.stream("rejects");
    for (const row of warnings) assert.deepEqual([row.kind, row.reason], ["warning", "ignored_invalid_timestamp"]);
  });
  after(() => system.stop());

  for (const [i, vector] of cases.entries()) {
    const { timestamp, match } = vector.expected;
    it(vector.name, () => {
      const row = rows.find(({ distinct_id }) => distinct_id === `form-${i}`);
      const warned = warnings.some(({ distinct_id }) => distinct_id === `form-${i}`);
      // Over 23 hours ahead is now by another rule of PostHog's, and was read all the same.
      const isAhead = timestamp.startsWith("9999");
      if (timestamp === "now" || isAhead) isNear(row.timestamp, Date.now(), 120_000);
      else if (match === "date") assert.equal(row.timestamp, `${timestamp}T00:00:00.000Z`);
      else assert.equal(Date.parse(row.timestamp), Date.parse(timestamp));
      assert.equal(warned, timestamp === "now");
    });
  }
});
