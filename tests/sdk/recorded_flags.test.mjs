// What releases ask about flags whose tool chains the suite has not: recorded when they read the product's
// answers right (scripts/record-golden NAME-flags), asked again here; each learns the same.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { learned, VALUES, VARIABLES } from "../golden/record/flags.mjs";
import { persistently, startSystem } from "../lib/harness.mjs";

const FOLDER = join(import.meta.dirname, "../golden/flags");
const recordings = readdirSync(FOLDER)
  .sort()
  .map((name) => JSON.parse(readFileSync(join(FOLDER, name), "utf8")));

/** The ids that its users had before they logged in. */
function anonymousIds() {
  const bodies = recordings.flatMap(({ questions }) => questions.map(({ request }) => Buffer.from(request.body, "base64")));
  const texts = bodies.map((body) => (body[0] === 0x1f ? gunzipSync(body) : body).toString("utf8"));
  const ids = texts.filter((text) => text !== "").map((text) => JSON.parse(text).$anon_distinct_id);
  return [...new Set(ids.filter((id) => id !== undefined))];
}

let system;
before(async () => {
  system = await startSystem({ vars: VARIABLES });
  // Of whom a release tells nothing, the server knows it.
  const $set = { email: "jvm@example.com" };
  await system.post("/batch/", {
    api_key: "phc_golden",
    batch: [
      ...anonymousIds().map(($anon_distinct_id) => ({
        event: "$identify",
        distinct_id: "jvm-user",
        properties: { $anon_distinct_id, $set },
      })),
      {
        event: "$groupidentify",
        distinct_id: "jvm-user",
        properties: { $group_type: "company", $group_key: "acme", $group_set: { tier: "gold" } },
      },
    ],
  });
});
after(() => system.stop());

const valuesIn = ({ flags, featureFlags }) =>
  flags === undefined ? featureFlags : Object.fromEntries(Object.entries(flags).map(([key, { value }]) => [key, value]));

describe("recorded questions about flags", () => {
  for (const { sdk, isLocal, questions } of recordings) {
    it(`${sdk} learns what it learned when it was recorded`, async () => {
      for (const { request, status, learned: before } of questions) {
        const { method, path, headers, body } = request;
        await persistently(async () => {
          const init = { method, headers, body: body === "" ? undefined : Buffer.from(body, "base64") };
          const response = await system.request(path, init);
          assert.equal(response.status, status);
          assert.deepEqual(learned(path, JSON.parse(await response.text())), before);
        });
      }
    });

    it(`${sdk} was told every flag`, () => {
      const { payload, ...values } = VALUES;
      const told = questions.map((question) => question.learned);
      if (told.some(({ key }) => key !== undefined)) {
        const found = Object.fromEntries(told.filter(({ key }) => key in values).map(({ key, value }) => [key, value]));
        assert.deepEqual(found, values);
        return;
      }
      const answers = told.filter((one) => one.flags !== undefined || one.featureFlags !== undefined);
      const last = valuesIn(answers.at(-1));
      for (const [key, value] of Object.entries(last)) assert.equal(value, values[key], key);
      assert.ok(Object.keys(last).length > 0);
      if (!isLocal) return;
      const decides = told.find((one) => one.decides !== undefined);
      assert.deepEqual(decides.decides, Object.fromEntries(Object.keys(values).map((key) => [key, true])));
    });
  }
});
