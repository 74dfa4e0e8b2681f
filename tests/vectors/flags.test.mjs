// Every case of flag-*.json through core.wasm, the module that is deployed.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { loadCoreTool } from "../../scripts/lib/core-tool.mjs";

const tool = loadCoreTool((text) => unmark(text));
// JSON.parse would turn 1.0 into 1, which the rules tell apart: floats with an integer's value stay
// behind a marker until the text is sent.
const MARK = "\u0000float:";
const load = (name) =>
  JSON.parse(
    readFileSync(join(import.meta.dirname, name), "utf8").replaceAll(
      /(": |\[|\n *)(-?\d+\.0)(?=[,\]}\n])/g,
      (_, before, number) => `${before}${JSON.stringify(MARK + number)}`,
    ),
  );
const unmark = (text) => text.replaceAll(/"\\u0000float:(-?\d+\.0)"/g, "$1");
const NOW = Date.parse("2025-06-15T12:00:00Z");
// What the service backtracks through and a linear-time engine cannot run; failed instead.
const BACKTRACKS = /\(\?<?[=!]|\\[1-9]/;

// Every list of members is to be had unless the context says otherwise.
function memberships({ cohorts = [] }, { person, ...context }) {
  const answers = {};
  for (const { id, is_static } of cohorts) {
    if (is_static && context.static_lists) {
      answers[id] = context.static_lists === "unavailable" ? "failed" : "none";
    } else if (is_static) {
      answers[id] = person?.static_cohort_ids?.includes(id) ? "in" : "out";
    } else if (context.stored_memberships_configured !== false) {
      answers[id] = person?.stored_memberships?.[id] ? "in" : "out";
    }
  }
  return answers;
}

function answer(document, context, now = NOW) {
  const report = tool("flags_answer", {
    document: unmark(JSON.stringify(document)),
    as_service: true,
    request: context,
    person: context.person?.properties,
    cohorts: memberships(document, context),
    stored_groups: context.stored_group_properties,
    hash_keys: context.hash_key_overrides,
    now_ms: now,
  });
  assert.equal(report.ok, true, report.error);
  return report;
}

for (const file of ["flag-whole.json", "flag-whole-random.json", "flag-cohorts-dependencies.json"]) {
  for (const { name, definitions, context, expected } of load(file).cases) {
    test(`${file}: ${name}`, () => {
      const { property_matching_version, timezone } = context;
      const { v2 } = answer({ property_matching_version, timezone, ...definitions }, context);
      assert.equal(v2.errorsWhileComputingFlags, expected.errorsWhileComputingFlags);
      for (const [key, flag] of Object.entries(expected.flags)) {
        const detail = v2.flags[key];
        if (flag.omitted) {
          assert.equal(detail, undefined, key);
          continue;
        }
        assert.equal(detail.variant ?? detail.enabled, flag.value, key);
        assert.deepEqual(detail.metadata.payload, flag.payload);
        assert.equal(detail.failed ?? false, flag.failed ?? false);
        for (const [part, value] of Object.entries(flag.reason)) {
          assert.equal(detail.reason[part], value, `${key} reason.${part}`);
        }
      }
    });
  }
}

// Every member that `expected` names, at any depth.
function assertNamed(found, expected, path) {
  if (expected === null || typeof expected !== "object") return assert.equal(found, expected, path);
  for (const [name, value] of Object.entries(expected)) assertNamed(found?.[name], value, `${path}.${name}`);
}

for (const { name, definitions, context, expected } of load("flag-cohorts-and-errors.json").cases) {
  test(`flag-cohorts-and-errors.json: ${name}`, () => {
    const { v2, v3, legacy } = answer(definitions, context);
    const found = { 1: legacy, 2: v2, 3: v3 }[context.v ?? 2];
    const { absent = [], ...named } = expected;
    for (const key of absent) assert.equal(key in found.flags, false, key);
    assertNamed(found, named, "answer");
  });
}

const operatorFiles = ["flag-property-operators.json", "flag-operators-dates-regex.json", "flag-versions.json"];
const operators = operatorFiles.flatMap((file) => load(file).cases.map((vector) => ({ file, vector })));
for (const { file, vector } of operators) {
  test(`${file}: ${vector.id}`, () => {
    const filter = { key: "p", type: "person", operator: vector.operator ?? "exact" };
    if (!vector.filter_value_absent) filter.value = vector.filter_value;
    const document = unmark(JSON.stringify({
      flags: [{ key: "f", filters: { groups: [{ properties: [filter] }] } }],
      timezone: vector.timezone,
      property_matching_version: vector.property_matching_version,
    }));
    if (filter.operator.endsWith("regex") && BACKTRACKS.test(filter.value)) {
      const report = tool("flags_check", { document });
      assert.equal(report.ok, false);
      assert.match(report.problems[0].message, /linear-time engine cannot run/);
    }
    const properties = vector.property.absent ? {} : { p: vector.property.value };
    const { v2 } = tool("flags_answer", {
      document,
      as_service: true,
      request: { distinct_id: "u", person_properties: properties },
      now_ms: vector.now === undefined ? NOW : Date.parse(vector.now),
    });
    if (filter.operator.endsWith("regex") && BACKTRACKS.test(filter.value) && !vector.property.absent) {
      assert.equal(v2.flags.f.failed, true);
      return;
    }
    assert.equal(v2.flags.f.enabled, vector.expected_condition);
  });
}

for (const { name, flags, context, expected, ...options } of load("flag-seed-dialect.json").cases) {
  test(`flag-seed-dialect.json: ${name}`, () => {
    const { v2, legacy } = answer({ flags }, {
      ...context,
      evaluation_environments: options.evaluation_environments,
      flag_keys: options.flag_keys,
    });
    assert.deepEqual(v2.flags, expected.flags);
    assert.deepEqual(v2.featureFlags, expected.featureFlags_v2);
    assert.deepEqual(v2.featureFlagPayloads, expected.featureFlagPayloads_v2);
    assert.deepEqual(legacy.featureFlags, expected.featureFlags_other_versions);
  });
}

// The hash itself: buckets as the module reports them, and the holdout's by its threshold.
const hashes = load("flag-hash.json").vectors;
for (const { prefix, identifier, salt, hash01 } of hashes) {
  test(`flag-hash.json: ${prefix}${identifier.slice(0, 20)}${salt}`, () => {
    const request = { distinct_id: identifier };
    if (prefix === "holdout-") {
      const held = (percentage) => {
        const filters = { groups: [{ properties: [] }], holdout: { id: 7, exclusion_percentage: percentage } };
        const document = { flags: [{ id: 1, key: "held", active: true, filters }] };
        return answer(document, request).v2.flags.held.reason.code === "holdout_condition_value";
      };
      assert.equal(held(hash01 * 100 + 1e-9), true);
      assert.equal(held(hash01 * 100 - 1e-9), false);
      return;
    }
    const key = prefix.slice(0, -1);
    if (identifier === "") {
      // The service does not hash an empty identifier but takes 0; the arithmetic of this vector is
      // held by tests/unit/flags_vectors_test.cpp.
      const filters = { groups: [{ properties: [], rollout_percentage: 0 }] };
      assert.equal(answer({ flags: [{ id: 1, key, active: true, filters }] }, request).v2.flags[key].enabled, true);
      return;
    }
    const variants = [{ key: "a", rollout_percentage: 100 }];
    const filters = { groups: [{ properties: [], rollout_percentage: 50 }], multivariate: { variants } };
    const document = JSON.stringify({ flags: [{ id: 1, key, active: true, filters }] });
    const report = tool("flags_eval", { document, request, now_ms: NOW });
    assert.equal(report.ok, true, report.error);
    const [flag] = report.flags;
    assert.equal(salt === "variant" ? flag.variant_bucket : flag.bucket, hash01 * 100);
  });
}

// The rules format. JSON.parse would hide what the text says, so vectors that hold a text keep it.
const rulesFlag = (filters, rest = {}) => ({ id: 1, key: "f", active: true, version: 1, filters, ...rest });
// Every member of `expected` stands in `actual`; {json_text_of: x} is a text that holds x.
function assertContains(actual, expected, path) {
  if (expected === null || typeof expected !== "object") return assert.equal(actual, expected, path);
  if ("json_text_of" in expected) return assert.deepEqual(JSON.parse(actual), expected.json_text_of, path);
  for (const [name, value] of Object.entries(expected)) assertContains(actual?.[name], value, `${path}.${name}`);
}
const rulesChecks = {
  evaluate({ flag, context, answers }) {
    const { identifier, properties, properties_complete: isComplete, timezone, property_matching_version } = context;
    const isKnown = properties !== null && isComplete;
    const report = tool("flags_answer", {
      document: JSON.stringify({ flags: [flag], timezone, property_matching_version }),
      request: { distinct_id: identifier, person_properties: isKnown ? {} : (properties ?? {}) },
      person: isKnown ? properties : undefined,
      person_read: isKnown ? undefined : "failed",
      now_ms: Date.parse(context.now),
    });
    assert.equal(report.v3.errorsWhileComputingFlags, answers.errorsWhileComputingFlags);
    assertContains(report.v2.flags[flag.key], answers.v2, "v2");
    assertContains(report.v3.flags[flag.key], answers.v3, "v3");
    assert.equal(report.legacy.featureFlags[flag.key], answers.v1.value);
    const payload = report.legacy.featureFlagPayloads[flag.key];
    if (answers.v1.payload === "absent") assert.equal(payload, undefined);
    else assertContains(payload, answers.v1.payload, "v1.payload");
  },
  parse({ filters, filters_text: text, expected }) {
    const flag = JSON.stringify(rulesFlag("FILTERS")).replace('"FILTERS"', text ?? JSON.stringify(filters));
    const { problems } = tool("flags_check", { document: `{"flags":[${flag}]}` });
    if (expected.ok) {
      for (const { message } of problems) assert.match(message, /^pattern/);
      return;
    }
    assert.equal(problems.length, 1);
    assert.ok(problems[0].message.startsWith(`${expected.error} ${expected.field}: `), problems[0].message);
  },
  population({ filters, expected }) {
    const { variants } = filters.rules[0];
    const counts = {};
    for (let i = 0; i < 1000; i += 1) {
      const { value } = answer({ flags: [rulesFlag(filters)] }, { distinct_id: `rider-${i}` }).v3.flags.f;
      const name = variants?.find((variant) => variant.value === value)?.key ?? String(value);
      counts[name] = (counts[name] ?? 0) + 1;
    }
    if (expected.variants) assert.deepEqual(counts, expected.variants);
    else assert.equal(counts.true, expected.true);
  },
  request({ definitions, context, expected }) {
    const body = answer(definitions, context)[{ 1: "legacy", 2: "v2", 3: "v3" }[context.v]];
    const { absent = [], no_member_named: unnamed, ...members } = expected;
    for (const key of absent) assert.equal(body.flags[key], undefined);
    if (unnamed) assert.equal(JSON.stringify(body).includes(`"${unnamed}"`), false);
    assertContains(body, members, "body");
  },
};
const rules = JSON.parse(readFileSync(join(import.meta.dirname, "flag-rules-v2.json"), "utf8"));
for (const vector of rules.cases) {
  test(`flag-rules-v2.json: ${vector.name}`, () => rulesChecks[vector.kind](vector));
}
