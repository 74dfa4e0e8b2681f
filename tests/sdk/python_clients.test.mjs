// What is built on PostHog in Python, against local workerd: OpenFeature's remote provider, the wrappers of
// OpenAI's client with mocked models, Django's middleware.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { condition, filter, flag } from "../lib/flags_document.mjs";
import { persistently, startSystem, TOKEN } from "../lib/harness.mjs";
import { startModels } from "./models.mjs";
import { proofs } from "./proofs.mjs";

const { proves } = proofs(import.meta.url);
const FLAGS = {
  flags: [
    flag(1, "on", [condition()]),
    flag(2, "off", [condition([], { rollout_percentage: 0 })]),
    flag(3, "staff", [condition([{ ...filter("email", "@example.com"), operator: "icontains" }])]),
    flag(4, "look", [condition()], {
      filters: { multivariate: { variants: [{ key: "a", rollout_percentage: 100 }] }, payloads: { a: '{"columns":2}' } },
    }),
  ],
};

let system;
let models;
before(async () => {
  models = await startModels();
  system = await startSystem({ vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS) } });
});
after(async () => {
  models.stop();
  assert.deepEqual(await system.bad(), [], "the sink refused nothing");
  assert.deepEqual(await system.stream("rejects"), [], "the Worker refused nothing");
  await system.stop();
});

/** Runs one scenario of python_clients.py; what it printed. */
async function python(scenario) {
  const { stdout } = await promisify(execFile)(
    join(ROOT, ".venv/bin/python"),
    [join(import.meta.dirname, "python_clients.py"), scenario, system.url, TOKEN, models.url],
    { timeout: 240_000 },
  );
  return JSON.parse(stdout);
}

const rowsOf = async (distinctId) => (await system.rows()).filter((row) => row.distinct_id === distinctId);

describe("Python", () => {
  const PROVIDER = "openfeature-provider-ofrep 0.3.0 (Python)";

  it(
    "OpenFeature's remote provider has texts, variants and defaults",
    proves(PROVIDER, ["flags"], async () => {
      await persistently(async () => {
        const found = await python("openfeature");
        assert.deepEqual(found.look, ["a", "a", null]);
        assert.deepEqual(found.missing, [true, null, "FLAG_NOT_FOUND"]);
      });
    }),
  );

  it(
    "OpenFeature's remote provider has booleans",
    proves(PROVIDER, ["flags"], async () => {
      await persistently(async () => {
        const found = await python("openfeature");
        assert.deepEqual(found.on, [true, "true", null]);
        assert.deepEqual(found.off, [false, "false", null]);
        assert.deepEqual(found.staff, [true, "true", null]);
      });
    }),
  );

  it(
    "posthog.ai records chats, streams, responses and embeddings",
    proves("posthog.ai 7.91.1 (Python), models mocked", ["AI"], async () => {
      assert.deepEqual(await python("ai"), ["Ein Tier.", "Ein Tier."]);
      const rows = await rowsOf("ai-python");
      const kinds = rows.map((row) => row.event).sort();
      assert.deepEqual(kinds, ["$ai_embedding", "$ai_generation", "$ai_generation", "$ai_generation"]);
      for (const row of rows) {
        assert.equal(row.properties.$ai_trace_id, "trace-1");
        assert.equal(row.properties.$ai_provider, "openai");
        assert.equal(row.properties.plan, "pro");
      }
    }),
  );

  it(
    "Django's middleware gives events the request's person and reports what views throw",
    proves("posthog-python 7.91.1 in Django 5.2.19", ["capture", "exceptions"], async () => {
      assert.deepEqual(await python("django"), [200, 500]);
      const rows = await rowsOf("django-visitor");
      const bought = rows.find((row) => row.event === "bought");
      assert.equal(bought.properties.$session_id, "01a20351-0812-7d72-b3dd-c8f87de2236e");
      assert.match(bought.properties.$current_url, /\/buy$/);
      const exception = rows.find((row) => row.event === "$exception");
      assert.equal(exception.properties.$exception_list[0].type, "KeyError");
    }),
  );
});
