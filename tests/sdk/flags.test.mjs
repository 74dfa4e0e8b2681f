// Unmodified clients reading flags from local workerd: posthog-node, posthog-python, OpenFeature.
//
//   HOGFLARE_SEED=7 node --test tests/sdk/flags.test.mjs
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { OFREPProvider } from "@openfeature/ofrep-provider";
import { OpenFeature } from "@openfeature/server-sdk";
import { PostHog } from "posthog-node";
import { condition, DOCUMENT, filter, flag, metric } from "../lib/flags_document.mjs";
import { flagsGenerator } from "../lib/flags_generator.mjs";
import { persistently, startSystem, TOKEN } from "../lib/harness.mjs";
import { proofs } from "./proofs.mjs";

const { proves } = proofs(import.meta.url);
const ROOT = join(import.meta.dirname, "../..");
const SEED = Number(process.env.HOGFLARE_SEED ?? 20261122);
const PERSONAL = "phx_personal";
const ADMIN = "admin-token";
const PEOPLE = 200;
/** How long clients wait for flags; their default of 3 s is short of a busy machine's needs. */
const FLAGS_TIMEOUT_MS = 60_000;

const made = flagsGenerator(SEED);

const rulesFlag = (id, key, return_type, default_value, rule) => ({
  id,
  key,
  active: true,
  filters: {
    version: 2,
    return_type,
    default_value,
    rules: [
      {
        id: "0190a1b2-0000-4000-8000-000000000001",
        targeting: { properties: [] },
        rollout_percentage: 100,
        on_rollout_miss: "continue",
        assignment_algorithm: "sha1_60_v1",
        seed: "seed-of-" + key,
        ...rule,
      },
    ],
  },
});

// Every kind of flag that some SDK cannot answer, beside those that all can.
const SPECIAL = [
  flag(101, "gold", [condition([{ ...filter("tier", "gold"), type: "group", group_type_index: 0 }])], {
    filters: { aggregation_group_type_index: 0 },
  }),
  flag(102, "company-half", [condition([], { rollout_percentage: 50 })], { filters: { aggregation_group_type_index: 0 } }),
  flag(103, "mixed", [condition([], { rollout_percentage: 50, aggregation_group_type_index: 0 }), condition([filter("a", "pro")])]),
  flag(104, "sticky", [condition([], { rollout_percentage: 50 })], { ensure_experience_continuity: true }),
  flag(105, "by-device", [condition([], { rollout_percentage: 50 })], { bucketing_identifier: "device_id" }),
  flag(106, "enrolled", [condition([], { rollout_percentage: 0 })], { filters: { feature_enrollment: true } }),
  flag(107, "stored-only", [condition([filter("plan", "pro")])]),
  flag(108, "unset", [condition([{ key: "plan", operator: "is_not_set", type: "person", value: "is_not_set" }])]),
  flag(109, "in-static", [condition([{ key: "id", value: 9, operator: "in", type: "cohort" }])]),
  flag(110, "after-held", [condition([{ key: "7", value: true, operator: "flag_evaluates_to", type: "flag" }])]),
  flag(111, "look", [condition()], {
    filters: {
      multivariate: {
        variants: [
          { key: "a", rollout_percentage: 40 },
          { key: "b", rollout_percentage: 60 },
        ],
      },
      payloads: { a: '{"columns":2}', b: "7" },
    },
  }),
  // SDKs of today read the rules format as no conditions and would say false.
  rulesFlag(112, "rules-split", "string", "base", {
    rule_type: "experiment",
    experiment_id: null,
    paused: false,
    variants: [
      { key: "a", weight: 50, value: "wide" },
      { key: "b", weight: 50, value: "narrow" },
    ],
  }),
  rulesFlag(113, "rules-half", "boolean", false, { rule_type: "percentage_rollout", value: true, rollout_percentage: 50 }),
  { key: "short-half", rollout_percentage: 50 },
  { key: "short-on", payload: { hint: "x" } },
  { key: "short-plan", conditions: [{ properties: [{ key: "a", value: ["pro", "free"], operator: "in" }] }] },
  {
    key: "short-split",
    variants: [
      { key: "l", rollout_percentage: 50 },
      { key: "r", rollout_percentage: 50 },
    ],
  },
];
const generated = made.times(40, made.flag).map((one) => ({
  ...one,
  id: one.id + 200,
  key: `made-${one.key}`,
  filters: {
    ...one.filters,
    // The generator names dependencies by id.
    groups: one.filters.groups.map((group) => ({
      ...group,
      properties: group.properties.map((property) =>
        property.type === "flag" ? { ...property, key: String(Number(property.key) + 200) } : property,
      ),
    })),
  },
}));
const cohorts = [made.cohort(1), made.cohort(2), { id: 9, is_static: true, filters: { properties: { type: "AND", values: [] } } }];
const FLAGS = {
  flags: [...DOCUMENT.flags.filter(({ key }) => key !== "insider"), ...SPECIAL, ...generated],
  cohorts,
  group_type_mapping: { 0: "company" },
};

const people = made.times(PEOPLE, (i) => {
  const one = made.person();
  return {
    ...one,
    distinct_id: `${one.distinct_id}-${i}`,
    groups: i % 3 === 0 ? {} : { company: `company-${i % 7}` },
    group_properties: i % 3 === 1 ? { company: { tier: i % 2 ? "gold" : "tin" } } : {},
  };
});
// Without members the flags that look at it fail, for everybody and at any time.
Object.assign(cohorts[2], { members: people.filter((_, i) => i % 5 === 0).map(({ distinct_id }) => distinct_id) });

let system;
let folder;
/** @type {Record<string, any>[]} what /flags says for each of `people` */
let answers;
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "hogflare-flags-"));
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
      POSTHOG_PERSONAL_API_KEY: PERSONAL,
      HOGFLARE_ADMIN_TOKEN: ADMIN,
    },
    // A hundred generated flags at once are more than a deployment's variable holds; there they are in KV.
    platform: { variable_bytes: 1 << 20 },
  });
  // Every fourth person has a stored property that no client sends.
  const batch = people
    .filter((_, i) => i % 4 === 0)
    .map(({ distinct_id }) => ({ event: "$set", distinct_id, properties: { $set: { plan: "pro" } } }));
  assert.equal((await system.post("/batch/", { api_key: TOKEN, batch })).status, 200);
  answers = [];
  for (const person of people) answers.push(await flagsOf(person));
});
after(async () => {
  rmSync(folder, { recursive: true, force: true });
  await system?.stop();
});

/**
 * The answer of /flags in which every flag was computed. What is stored about a person is read within a
 * deadline (limits.h, kFlagsReadTimeoutMs), as SDKs wait for 3 s: a machine that cannot keep it answers
 * the flags that need it as failed, and is asked again.
 */
const flagsOf = (person) =>
  persistently(async () => {
    const response = await system.post(
      "/flags/?v=1",
      { token: TOKEN, geoip_disable: true, ...person },
      { "user-agent": "posthog-node/5.0.0" },
    );
    const answer = await response.json();
    if (answer.errorsWhileComputingFlags !== false) assert.fail(await failuresFor(person));
    return answer;
  });

/** Which flags fail for this person now, and why, as the newest form of answers says it. */
async function failuresFor(person) {
  const { flags } = await (await system.post("/flags/?v=2", { token: TOKEN, geoip_disable: true, ...person })).json();
  const failed = Object.values(flags).filter((one) => one.failed);
  return `flags failed: ${failed.map(({ key, reason }) => `${key} (${reason.code})`).join(", ")}; for ${person.distinct_id}`;
}

/** Values as /flags has them: what is left out counts as false, as SDKs take it. */
const same = (mine, server) => (mine ?? false) === (server ?? false);

const options = (person) => ({
  personProperties: person.person_properties,
  groups: person.groups,
  groupProperties: person.group_properties,
});

describe("posthog-node asking the server", () => {
  let client;
  before(() => {
    client = new PostHog(TOKEN, { host: system.url, featureFlagsRequestTimeoutMs: FLAGS_TIMEOUT_MS });
  });
  after(() => client.shutdown());

  it("reads values, payloads and all flags", async () => {
    for (const [i, person] of people.slice(0, 12).entries()) {
      const { featureFlags, featureFlagPayloads } = answers[i];
      await persistently(async () => {
        assert.deepEqual(await client.getAllFlags(person.distinct_id, options(person)), featureFlags);
      });
      const look = await client.getFeatureFlag("look", person.distinct_id, options(person));
      assert.equal(look, featureFlags.look);
      const payload = await client.getFeatureFlagPayload("look", person.distinct_id, undefined, options(person));
      assert.deepEqual(payload, JSON.parse(featureFlagPayloads.look));
      assert.equal(await client.isFeatureEnabled("everyone", person.distinct_id, options(person)), true);
      assert.equal(await client.getFeatureFlag("inactive", person.distinct_id, options(person)), undefined);
    }
  });

  it("reports $feature_flag_called with what the answer said", async () => {
    const reader = new PostHog(TOKEN, { host: system.url, featureFlagsRequestTimeoutMs: FLAGS_TIMEOUT_MS });
    assert.equal(await reader.getFeatureFlag("everyone", "called-user"), true);
    await reader.shutdown();
    const [row] = (await system.rows()).filter((one) => one.event === "$feature_flag_called" && one.distinct_id === "called-user");
    assert.equal(row.properties.$feature_flag, "everyone");
    assert.equal(row.properties.$feature_flag_response, true);
    assert.match(row.properties.$feature_flag_request_id, /^[0-9a-f-]{36}$/);
    assert.equal(row.properties.$feature_flag_reason, "Matched condition set 1");
  });

  it("reads a payload by remote config", async () => {
    const reader = new PostHog(TOKEN, { host: system.url, personalApiKey: PERSONAL, enableLocalEvaluation: false });
    const payload = await reader.getRemoteConfigPayload("everyone");
    assert.deepEqual(typeof payload === "string" ? JSON.parse(payload) : payload, { columns: 2 });
    await reader.shutdown();
  });
});

describe(`posthog-node evaluating locally (seed ${SEED})`, () => {
  let client;
  const warn = console.warn;
  before(async () => {
    console.warn = () => {}; // the SDK names every flag it asks the server for
    client = new PostHog(TOKEN, {
      host: system.url,
      personalApiKey: PERSONAL,
      featureFlagsPollingInterval: 600_000,
      featureFlagsRequestTimeoutMs: FLAGS_TIMEOUT_MS,
    });
    assert.equal(await client.waitForLocalEvaluationReady(FLAGS_TIMEOUT_MS), true);
  });
  after(async () => {
    await client.shutdown();
    console.warn = warn;
  });

  it("answers as /flags does, or asks it", async () => {
    let local = 0;
    let declined = 0;
    const marked = new Set();
    for (const [i, person] of people.entries()) {
      const mine = await client.getAllFlags(person.distinct_id, { ...options(person), onlyEvaluateLocally: true });
      for (const { key } of FLAGS.flags) {
        if (!(key in mine)) {
          declined += 1;
          marked.add(key);
          continue;
        }
        local += 1;
        const server = answers[i].featureFlags[key];
        assert.ok(same(mine[key], server), `${key}: ${mine[key]} locally, ${server} of /flags for ${JSON.stringify(person)}`);
      }
    }
    console.log(`posthog-node: ${local} values computed locally equal, ${declined} left to the server`);
    assert.ok(local > PEOPLE * FLAGS.flags.length * 0.4);
    const wanted = [
      "held",
      "rules-split",
      "rules-half",
      "mixed",
      "sticky",
      "by-device",
      "enrolled",
      "stored-only",
      "unset",
      "in-static",
      "after-held",
      "for-clients",
      "short-half",
      "short-plan",
      "short-split",
    ];
    for (const key of wanted) assert.ok(marked.has(key), `${key} should have been left to the server`);
  });

  it("is the same for all flags together, whoever computed them", async () => {
    for (const [i, person] of people.slice(0, 60).entries()) {
      await persistently(async () => {
        const mine = await client.getAllFlags(person.distinct_id, { ...options(person), disableGeoip: true });
        for (const { key } of FLAGS.flags) {
          const server = answers[i].featureFlags[key];
          assert.ok(same(mine[key], server), `${key}: ${mine[key]}, ${server} of /flags`);
        }
      });
    }
  });

  it("sends nothing for what it can compute, and polls with 304", async () => {
    const requests = (route, status) => metric(system, ADMIN, "hogflare_requests_total", [`route="${route}"`, `status="${status}"`]);
    const asked = await requests("flags", "2xx");
    assert.ok(asked > PEOPLE);
    for (const person of people.slice(0, 10)) {
      await client.getFeatureFlag("look", person.distinct_id, { ...options(person), sendFeatureFlagEvents: false });
    }
    assert.equal(await requests("flags", "2xx"), asked);
    const polled = await requests("flag_definitions", "3xx");
    await client.reloadFeatureFlags();
    assert.equal(await requests("flag_definitions", "3xx"), polled + 1);
    assert.equal(client.isLocalEvaluationReady(), true);
  });
});

describe(`posthog-python (seed ${SEED})`, () => {
  it("asks the server, and evaluates locally with the same answers", async () => {
    const file = join(folder, "people.json");
    const wanted = answers.map(({ featureFlags }) => featureFlags);
    const timeout_seconds = FLAGS_TIMEOUT_MS / 1000;
    writeFileSync(file, JSON.stringify({ host: system.url, token: TOKEN, personal: PERSONAL, timeout_seconds, people, wanted }));
    const { stdout } = await promisify(execFile)(join(ROOT, ".venv/bin/python"), [join(import.meta.dirname, "flags_python.py"), file], {
      maxBuffer: 1 << 28,
    });
    const report = JSON.parse(stdout);
    assert.equal(report.remote.length, 12);
    for (const [i, { all, look, payload }] of report.remote.entries()) {
      const { featureFlags, featureFlagPayloads } = answers[i];
      assert.deepEqual(all, featureFlags);
      assert.equal(look, featureFlags.look);
      assert.deepEqual(typeof payload === "string" ? JSON.parse(payload) : payload, JSON.parse(featureFlagPayloads.look));
    }
    let local = 0;
    let declined = 0;
    for (const [i, mine] of report.local.entries()) {
      for (const { key } of FLAGS.flags) {
        if (mine[key] === undefined || mine[key] === null) {
          declined += 1;
          continue;
        }
        local += 1;
        const server = answers[i].featureFlags[key];
        assert.ok(same(mine[key], server), `${key}: ${mine[key]} locally, ${server} of /flags for ${JSON.stringify(people[i])}`);
      }
    }
    console.log(`posthog-python: ${local} values computed locally equal, ${declined} left to the server`);
    assert.equal(report.local.length, PEOPLE);
    assert.ok(local > PEOPLE * FLAGS.flags.length * 0.4);
    for (const [i, mine] of report.both.entries()) {
      for (const { key } of FLAGS.flags) {
        const server = answers[i].featureFlags[key];
        assert.ok(same(mine[key], server), `${key}: ${mine[key]}, ${server} of /flags`);
      }
    }
    assert.equal(report.remote_config, '{"columns": 2}');
  });
});

describe("an OpenFeature client over OFREP", () => {
  let client;
  before(async () => {
    const provider = new OFREPProvider({ baseUrl: system.url, headers: { Authorization: `Bearer ${TOKEN}` } });
    await OpenFeature.setProviderAndWait(provider);
    client = OpenFeature.getClient();
  });
  after(() => OpenFeature.close());

  /** The evaluation context that says what `person` is. */
  const contextOf = (person) => ({
    targetingKey: person.distinct_id,
    ...person.person_properties,
    groups: person.groups,
    groupProperties: person.group_properties,
  });

  it(
    "has the values of /flags",
    proves("OFREP provider 0.1.3 (Node.js)", ["flags"], async () => {
      for (const [i, person] of people.slice(0, 12).entries()) {
        const { featureFlags } = answers[i];
        const context = contextOf(person);
        for (const key of ["everyone", "third", "gold", "company-half", "stored-only", "short-half"]) {
          await persistently(async () => {
            const details = await client.getBooleanDetails(key, !featureFlags[key], context);
            assert.equal(details.value, featureFlags[key], key);
            assert.equal(details.errorCode, undefined);
          });
        }
        const look = await client.getStringDetails("look", "default", context);
        assert.equal(look.value, featureFlags.look);
        assert.equal(look.variant, featureFlags.look);
        assert.equal(look.reason, "SPLIT");
        assert.equal(look.flagMetadata.payload, { a: '{"columns":2}', b: "7" }[featureFlags.look]);
      }
    }),
  );

  it("gets the default and a reason where there is no value", async () => {
    const missing = await client.getBooleanDetails("no-such-flag", true, { targetingKey: "u" });
    assert.equal(missing.value, true);
    assert.equal(missing.errorCode, "FLAG_NOT_FOUND");
    const nobody = await client.getBooleanDetails("everyone", false, {});
    assert.equal(nobody.value, false);
    assert.equal(nobody.errorCode, "TARGETING_KEY_MISSING");
    const wrongType = await client.getStringDetails("everyone", "default", { targetingKey: "u" });
    assert.equal(wrongType.value, "default");
    assert.equal(wrongType.errorCode, "TYPE_MISMATCH");
  });
});
