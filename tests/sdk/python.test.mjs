// An unmodified Python client of PostHog against local workerd.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { proofs } from "./proofs.mjs";

const { proves } = proofs(import.meta.url);
const SDK = "posthog-python 7.91.1";
const FLAGS = {
  flags: [
    {
      id: 1,
      key: "new-checkout",
      active: true,
      filters: {
        groups: [{ properties: [], rollout_percentage: 100 }],
        multivariate: {
          variants: [
            { key: "control", rollout_percentage: 50 },
            { key: "test", rollout_percentage: 50 },
          ],
        },
        payloads: { control: '{"colour":"grey"}', test: '{"colour":"blue"}' },
      },
    },
    {
      id: 2,
      key: "staff-only",
      active: true,
      filters: {
        groups: [
          {
            properties: [{ key: "email", type: "person", operator: "icontains", value: "@example.com" }],
            rollout_percentage: 100,
          },
        ],
      },
    },
    { id: 3, key: "half", active: true, filters: { groups: [{ properties: [], rollout_percentage: 50 }] } },
  ],
};

let system;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
      POSTHOG_PERSONAL_API_KEY: "phx_test",
      HOGFLARE_ADMIN_TOKEN: "admin",
      POSTHOG_GROUP_TYPE_0: "company",
    },
  });
});
after(async () => {
  assert.deepEqual(await system.bad(), [], "the sink refused nothing");
  assert.deepEqual(await system.stream("rejects"), [], "the Worker refused nothing");
  await system.stop();
});

/** Has the client do one scenario of python_sdk.py; what it printed. */
async function python(scenario) {
  const { stdout } = await promisify(execFile)(
    join(ROOT, ".venv/bin/python"),
    [join(ROOT, "tests/sdk/python_sdk.py"), scenario, system.url, TOKEN],
    { timeout: 240_000 },
  );
  return JSON.parse(stdout);
}

const rowsOf = async (distinctId) => (await system.rows()).filter((row) => row.distinct_id === distinctId);

describe("posthog-python", () => {
  it(
    "captures and sets properties; the person stays the same",
    proves(SDK, ["capture"], async () => {
      await python("capture");
      const rows = await rowsOf("py-user");
      assert.deepEqual(
        rows.map((row) => row.event),
        ["purchase", "$set", "$set_once", "upgraded"],
      );
      assert.equal(new Set(rows.map((row) => row.person_id)).size, 1);
      assert.deepEqual([rows[0].properties.amount, rows[0].properties.name], [29.99, "Zoë"]);
      assert.equal(rows[2].person_properties.plan, "free", "$set_once leaves what is set");
      const last = rows[3].person_properties;
      assert.deepEqual([last.plan, last.since, last.email], ["pro", "today", "py@example.com"]);
      for (const row of rows) {
        assert.equal(row.properties.$lib, "posthog-python");
        assert.ok(Math.abs(Date.now() - Date.parse(row.timestamp)) < 60_000, row.timestamp);
      }
    }),
  );

  it(
    "joins an alias and identifies a context as the same person",
    proves(SDK, ["people"], async () => {
      await python("identify");
      const [before] = await rowsOf("py-anonymous");
      const known = (await rowsOf("py-known")).find((row) => row.event === "in context");
      assert.equal(known.person_id, before.person_id);
    }),
  );

  it(
    "puts events into groups",
    proves(SDK, ["groups"], async () => {
      await python("groups");
      const row = (await rowsOf("py-grouped")).find((row) => row.event === "in a group");
      assert.equal(row.group0, "py-acme");
      assert.equal(row.group_properties.company.size, 12);
    }),
  );

  it("sends gzip, and every event arrives once", async () => {
    await python("gzipped");
    const rows = await rowsOf("py-many");
    const numbers = rows.map((row) => row.properties.n).sort((a, b) => a - b);
    assert.deepEqual(numbers, [...Array(250).keys()]);
    assert.equal(new Set(rows.map((row) => row.uuid)).size, 250);
  });

  it("migrates history with its own times", async () => {
    await python("migrate");
    const [row] = await rowsOf("py-historic");
    // What the request took to arrive counts as skew of the client's clock.
    const late = Date.parse(row.timestamp) - Date.parse("2019-05-04T03:02:01Z");
    assert.ok(late >= 0 && late < 60_000, row.timestamp);
  });

  it(
    "reports exceptions",
    proves(SDK, ["exceptions"], async () => {
      await python("exceptions");
      const [row] = await rowsOf("py-exception");
      assert.equal(row.event, "$exception");
      assert.equal(row.properties.$exception_list[0].type, "IndexError");
    }),
  );

  it(
    "speaks capture v1",
    proves(SDK, ["v1"], async () => {
      await python("capture_v1");
      const [row] = await rowsOf("py-v1");
      assert.equal(row.event, "over v1");
      assert.equal(row.properties.n, 1);
      const metrics = await (await system.request("/metrics", { headers: { authorization: "Bearer admin" } })).text();
      assert.match(metrics, /^hogflare_requests_total\{.*route="capture_v1".*\} [1-9]/m, "it came over v1");
    }),
  );

  it(
    "reads flags from the server and evaluates them itself, with the same answers",
    proves(SDK, ["flags", "local flags"], async () => {
      const [remote, local] = [await python("flags_remote"), await python("flags_local")];
      assert.deepEqual(local, remote);
      assert.equal(remote["py-staff"].staff, true);
      assert.equal(remote["py-guest"].staff, false);
      for (const answers of Object.values(remote)) {
        const colour = { control: "grey", test: "blue" }[answers.all["new-checkout"]];
        assert.deepEqual(answers.payload, { colour });
        assert.equal(typeof answers.all.half, "boolean");
      }
    }),
  );
});
