// What flags need beside the request: stored people and groups, continuity keys, definitions in KV;
// and what is answered when one of them cannot be read.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { PostHog } from "posthog-node";
import { faultyWorker, setFault } from "../lib/faulty_worker.mjs";
import { condition, DOCUMENT, filter, flag, metric } from "../lib/flags_document.mjs";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";

const ADMIN = "admin-token";

function hash(key, id) {
  const digest = createHash("sha1").update(`${key}.${id}`).digest("hex");
  return parseInt(digest.slice(0, 15), 16) / 0xfffffffffffffff;
}

const STATEFUL = {
  ...DOCUMENT,
  flags: [
    ...DOCUMENT.flags,
    flag(20, "gold-company", [condition([{ ...filter("tier", "gold"), type: "group", group_type_index: 0 }])], {
      filters: { aggregation_group_type_index: 0 },
    }),
    flag(21, "sticky", [condition([], { rollout_percentage: 50 })], { ensure_experience_continuity: true }),
    flag(22, "adult", [condition([filter("age", 18, "gte")])]),
  ],
};

/** What answers a /flags request: POSTs and returns the JSON of a 200. */
async function ask(system, fields, path = "/flags/?v=2") {
  const response = await system.post(path, { token: TOKEN, ...fields });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
}

/** Calls to person and group objects so far. */
async function objectCalls(system) {
  const calls = (kind) => metric(system, ADMIN, "hogflare_object_calls_total", [`class="${kind}"`]);
  return (await calls("person")) + (await calls("group"));
}

async function capture(system, batch) {
  const response = await system.post("/batch/", { api_key: TOKEN, batch });
  assert.equal(response.status, 200, await response.clone().text());
}

describe("stored state", () => {
  let system;
  before(async () => {
    system = await startSystem({
      vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(STATEFUL), HOGFLARE_ADMIN_TOKEN: ADMIN },
    });
    await capture(system, [
      { event: "$set", distinct_id: "ada", properties: { $set: { plan: "pro", age: 36, email: "ada@hog.io" } } },
      {
        event: "$groupidentify",
        distinct_id: "ada",
        properties: { $group_type: "company", $group_key: "acme", $group_set: { tier: "gold" } },
      },
    ]);
  });
  after(() => system.stop());

  const value = async (key, fields) => (await ask(system, { flag_keys: [key], ...fields })).flags[key].enabled;

  it("a person's stored properties decide", async () => {
    assert.equal(await value("pro", { distinct_id: "ada" }), true);
    assert.equal(await value("adult", { distinct_id: "ada" }), true);
    assert.equal(await value("insider", { distinct_id: "ada" }), true);
    assert.equal(await value("pro", { distinct_id: "nobody-knows" }), false);
  });

  it("the request's lie over them", async () => {
    assert.equal(await value("pro", { distinct_id: "ada", person_properties: { plan: "free" } }), false);
    assert.equal(await value("adult", { distinct_id: "ada", person_properties: { plan: "free" } }), true);
    assert.equal(await value("adult", { distinct_id: "ada", person_properties: { age: 12 } }), false);
  });

  it("a group's stored properties decide, the request's lie over them", async () => {
    const groups = { company: "acme" };
    assert.equal(await value("gold-company", { distinct_id: "x", groups }), true);
    assert.equal(await value("gold-company", { distinct_id: "x", groups: { company: "other" } }), false);
    const group_properties = { company: { tier: "tin" } };
    assert.equal(await value("gold-company", { distinct_id: "x", groups, group_properties }), false);
  });

  it("only_use_override_person_properties leaves the stored ones aside", async () => {
    const path = "/flags/?v=2&only_use_override_person_properties=true";
    const answer = await ask(system, { distinct_id: "ada", flag_keys: ["pro"] }, path);
    assert.equal(answer.flags.pro.enabled, false);
  });

  it("calls no object when the request brings what flags need", async () => {
    const before = await objectCalls(system);
    await ask(system, { distinct_id: "ada", flag_keys: ["everyone", "third", "halves", "held", "depends"] });
    await ask(system, { distinct_id: "ada", flag_keys: ["pro", "adult"], person_properties: { plan: "x", age: 1 } });
    await ask(system, { distinct_id: "ada", flag_keys: ["gold-company"] });
    await ask(system, { distinct_id: "ada", disable_flags: true });
    assert.equal((await objectCalls(system)) - before, 0);
    await ask(system, { distinct_id: "ada", flag_keys: ["pro", "adult", "insider"] });
    assert.equal((await objectCalls(system)) - before, 1);
    await ask(system, { distinct_id: "ada", groups: { company: "acme" }, flag_keys: ["gold-company"] });
    assert.equal((await objectCalls(system)) - before, 2);
  });

  it("reading flags creates no person", async () => {
    await ask(system, { distinct_id: "only-asked", $anon_distinct_id: "only-anon" });
    await capture(system, [{ event: "first", distinct_id: "only-asked" }]);
    const rows = await eventually(async () => {
      const found = (await system.rows()).filter((row) => row.distinct_id === "only-asked");
      return found.length === 1 && found;
    });
    assert.ok(Math.abs(Date.parse(rows[0].person_created_at) - Date.now()) < 60_000);
  });

  it("whoever identifies keeps the variant of the anonymous visit", async () => {
    // Pairs of ids on different sides of the rollout, so that a lost key shows.
    const pairs = [];
    for (let i = 0; pairs.length < 4; i += 1) {
      const [anon, user] = [`anon-${i}`, `member-${i}`];
      if (hash("sticky", anon) <= 0.5 !== hash("sticky", user) <= 0.5) pairs.push([anon, user]);
    }
    for (const [anon, user] of pairs) {
      await capture(system, [{ event: "visit", distinct_id: anon, properties: { $process_person_profile: true } }]);
      const visited = await value("sticky", { distinct_id: anon });
      assert.equal(visited, hash("sticky", anon) <= 0.5);
      // The member is known before, so the anonymous person is merged into it.
      await capture(system, [{ event: "signup", distinct_id: user, properties: { $set: { plan: "pro" } } }]);
      await capture(system, [{ event: "$identify", distinct_id: user, properties: { $anon_distinct_id: anon } }]);
      assert.equal(await value("sticky", { distinct_id: user, $anon_distinct_id: anon }), visited);
      // Now the key is stored: later visits do not bring the anonymous id, nor do other flags lose it.
      assert.equal(await value("sticky", { distinct_id: user }), visited);
      assert.equal(await value("sticky", { distinct_id: anon }), visited);
      assert.equal(await value("sticky", { distinct_id: user, $anon_distinct_id: `${anon}-second-device` }), visited);
    }
  });

  it("a stored key survives the merge of its person", async () => {
    let i = 0;
    while (hash("sticky", `early-${i}`) <= 0.5 === hash("sticky", `late-${i}`) <= 0.5) i += 1;
    const [early, late, device] = [`early-${i}`, `late-${i}`, `device-${i}`];
    const kept = hash("sticky", early) <= 0.5;
    await capture(system, [{ event: "visit", distinct_id: device, properties: { $set: { a: 1 } } }]);
    // The key of `early` is stored with the device's person, which then becomes part of `late`.
    assert.equal(await value("sticky", { distinct_id: device, $anon_distinct_id: early }), kept);
    await capture(system, [{ event: "signup", distinct_id: late, properties: { $set: { a: 2 } } }]);
    assert.equal(await value("sticky", { distinct_id: late }), !kept);
    await capture(system, [{ event: "$identify", distinct_id: late, properties: { $anon_distinct_id: device } }]);
    await eventually(async () => (await value("sticky", { distinct_id: late })) === kept, {
      what: "the merged person's key",
    });
  });
});

describe("state that cannot be read", () => {
  let system;
  before(async () => {
    system = await startSystem({
      vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(STATEFUL), HOGFLARE_ADMIN_TOKEN: ADMIN },
      extra: faultyWorker(),
    });
  });
  after(() => system.stop());

  const keys = ["everyone", "pro", "sticky", "gold-company", "halves"];
  const fields = { distinct_id: "ada", groups: { company: "acme" }, flag_keys: keys };
  const failedKeys = ({ flags }) => keys.filter((key) => flags[key].failed === true);

  it("fails the flags that need it; the others are answered", async () => {
    const whole = await ask(system, fields);
    assert.equal(whole.errorsWhileComputingFlags, false);
    assert.deepEqual(failedKeys(whole), []);

    await setFault(system, "person", "throw");
    const people = await ask(system, fields);
    assert.equal(people.errorsWhileComputingFlags, true);
    assert.deepEqual(failedKeys(people), ["pro", "sticky"]);
    assert.equal(people.flags.pro.reason.code, "database_error");
    assert.equal(people.flags.sticky.reason.code, "hash_key_override_error");
    assert.deepEqual(people.flags.everyone, whole.flags.everyone);
    assert.deepEqual(people.flags.halves, whole.flags.halves);
    const brought = await ask(system, { ...fields, person_properties: { plan: "pro" }, flag_keys: ["pro"] });
    assert.equal(brought.flags.pro.enabled, true);
    assert.equal(brought.errorsWhileComputingFlags, false);

    await setFault(system, "group", "throw");
    assert.deepEqual(failedKeys(await ask(system, fields)), ["pro", "sticky", "gold-company"]);
    for (const path of ["/flags/?v=1", "/decide/?v=3", "/decide/?v=1", "/decide/?v=2"]) {
      assert.equal((await ask(system, fields, path)).errorsWhileComputingFlags, true, path);
    }
    const ofrep = await system.post("/ofrep/v1/evaluate/flags/pro", { context: { targetingKey: "ada" } });
    assert.equal(ofrep.status, 500);
    assert.equal((await ofrep.json()).errorCode, "GENERAL");
    const bulk = await system.post("/ofrep/v1/evaluate/flags", { context: { targetingKey: "ada" } });
    assert.equal(bulk.status, 200);
    const listed = (await bulk.json()).flags;
    assert.equal(listed.find(({ key }) => key === "pro").errorCode, "GENERAL");
    assert.equal(listed.find(({ key }) => key === "everyone").value, true);

    await setFault(system, "person", "");
    await setFault(system, "group", "");
    assert.deepEqual(await ask(system, fields).then(failedKeys), []);
  });

  it("does not wait longer for it than SDKs wait for flags", async () => {
    await setFault(system, "person", "hang");
    const began = Date.now();
    const answer = await ask(system, fields);
    const took = Date.now() - began;
    assert.deepEqual(failedKeys(answer), ["pro", "sticky"]);
    assert.ok(took > 2_000, `two tries of 1.2 s each, not ${took} ms`);
    await setFault(system, "person", "");
  });

  it("answers 502, which SDKs ask again after, when the core is lost under a flag request", async () => {
    const lost = { "x-test-lose-core": "1", origin: "https://www.example.com" };
    const paths = ["/flags/?v=2", "/flags", "/decide/?v=3", "/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/a"];
    for (const path of paths) {
      const response = await system.post(path, fields, lost);
      assert.equal(response.status, 502, path);
      assert.equal(response.headers.get("access-control-allow-origin"), "https://www.example.com");
    }
    for (const path of ["/batch/", "/flags/definitions", "/e/"]) {
      const response = await system.post(path, fields, lost);
      assert.equal(response.status, 503, path);
      assert.equal(response.headers.get("retry-after"), "1");
    }
  });
});

describe("a core that is lost once", () => {
  it("costs a client of flags nothing but a second try", async () => {
    const system = await startSystem({
      vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(STATEFUL) },
      extra: faultyWorker(),
    });
    const client = new PostHog(TOKEN, { host: system.url });
    try {
      await setFault(system, "core", "once");
      assert.equal((await system.post("/flags/?v=2", { token: TOKEN, distinct_id: "u" })).status, 502);
      await setFault(system, "core", "once");
      assert.equal(await client.getFeatureFlag("everyone", "u", { sendFeatureFlagEvents: false }), true);
      const faults = await system.worker.getKVNamespace("FAULTS");
      assert.equal(await faults.get("core"), null);
    } finally {
      await client.shutdown();
      await system.stop();
    }
  });
});

describe("definitions in KV", () => {
  const KEY = "flags-document";
  const vars = { HOGFLARE_FLAGS_KV_KEY: KEY, HOGFLARE_FLAGS_TTL_SECS: "1", POSTHOG_PERSONAL_API_KEY: "phx_p", HOGFLARE_ADMIN_TOKEN: ADMIN };
  const one = (name) => JSON.stringify([flag(1, name, [condition()])]);
  const put = async (system, text) => (await system.worker.getKVNamespace("FLAGS")).put(KEY, text);
  const shown = async (system) => Object.keys((await ask(system, { distinct_id: "u" })).flags);
  const health = async (system) => (await system.request("/healthz", { headers: { authorization: `Bearer ${ADMIN}` } })).json();
  const becomes = (system, expected) =>
    eventually(async () => JSON.stringify(await shown(system)) === JSON.stringify(expected), {
      what: `flags ${expected}`,
    });
  const feed = (system) => system.request(`/flags/definitions?token=${TOKEN}`, { headers: { authorization: "Bearer phx_p" } });

  it("change without a deploy; a bad set keeps the last good one", async () => {
    const system = await startSystem({ vars, extra: faultyWorker() });
    try {
      await put(system, one("first"));
      assert.deepEqual(await shown(system), ["first"]);
      assert.equal((await health(system)).flags.source, "KV");
      await put(system, one("second"));
      await becomes(system, ["second"]);

      await put(system, '[{"key":"third"');
      const report = await eventually(async () => {
        await shown(system);
        const { status, problems } = await health(system);
        return status === "degraded" && problems.find(({ message }) => /flags of KV are refused/.test(message));
      });
      assert.match(report.message, /the last good set stays.*not valid JSON/s);
      assert.deepEqual(await shown(system), ["second"]);

      await setFault(system, "flags", "throw");
      await eventually(async () =>
        (await health(system)).problems.some(({ message }) => /namespace could not be read.*on purpose/.test(message)),
      );
      assert.deepEqual(await shown(system), ["second"]);
      await setFault(system, "flags", "");

      await put(system, one("fourth"));
      await becomes(system, ["fourth"]);
      assert.deepEqual(
        (await health(system)).problems.filter(({ message }) => /flags/.test(message)),
        [],
      );

      await (await system.worker.getKVNamespace("FLAGS")).delete(KEY);
      await eventually(async () => (await health(system)).problems.some(({ message }) => /has no key "flags-document"/.test(message)));
      assert.deepEqual(await shown(system), ["fourth"]);
    } finally {
      await system.stop();
    }
  });

  it("without any good set yet, clients are told to keep what they have", async () => {
    const system = await startSystem({ vars, extra: faultyWorker() });
    try {
      await setFault(system, "flags", "throw");
      for (const breakage of ["unreadable", "missing", "refused"]) {
        if (breakage === "missing") await setFault(system, "flags", "");
        if (breakage === "refused") await put(system, "{");
        const answer = await ask(system, { distinct_id: "u" }, "/flags/?v=2&config=true");
        assert.deepEqual(answer.flags, {});
        assert.equal(answer.errorsWhileComputingFlags, true, breakage);
        assert.equal(answer.hasFeatureFlags, true);
        assert.equal((await health(system)).flags.usable, false);
        const definitions = await feed(system);
        assert.equal(definitions.status, 503);
        assert.equal((await definitions.json()).type, "server_error");
        const ofrep = await system.post("/ofrep/v1/evaluate/flags", { context: { targetingKey: "a" } });
        assert.equal(ofrep.status, 500);
        assert.equal((await ofrep.json()).errorCode, "GENERAL");
      }
      await put(system, one("found"));
      await becomes(system, ["found"]);
      assert.equal((await feed(system)).status, 200);
      assert.equal((await ask(system, { distinct_id: "u" })).errorsWhileComputingFlags, false);
    } finally {
      await system.stop();
    }
  });

  it("the variable serves until the key gives a good set", async () => {
    const system = await startSystem({ vars: { ...vars, HOGFLARE_FEATURE_FLAGS: one("variable") } });
    try {
      assert.deepEqual(await shown(system), ["variable"]);
      assert.equal((await health(system)).flags.source, "HOGFLARE_FEATURE_FLAGS");
      await put(system, one("from-kv"));
      await becomes(system, ["from-kv"]);
    } finally {
      await system.stop();
    }
  });

  it("a request that waits for objects keeps the set it began with", async () => {
    const system = await startSystem({ vars, extra: faultyWorker() });
    try {
      const needy = (name) => JSON.stringify([flag(1, name, [condition([filter("plan", "pro")])])]);
      await put(system, needy("old"));
      assert.deepEqual(await shown(system), ["old"]);
      await setFault(system, "person", "hang");
      const waiting = Promise.all([1, 2, 3].map((i) => ask(system, { distinct_id: `waits-${i}` })));
      await put(system, JSON.stringify([flag(1, "new", [condition()]), flag(2, "newer", [condition()])]));
      // Asked of /healthz, since a flag request would wait as well.
      await eventually(async () => (await health(system)).flags.count === 2, { what: "the new set" });
      for (const answer of await waiting) {
        assert.deepEqual(Object.keys(answer.flags), ["old"]);
        assert.equal(answer.flags.old.failed, true);
      }
      assert.deepEqual(await shown(system), ["new", "newer"]);
      assert.equal((await health(system)).traps, 0);
    } finally {
      await system.stop();
    }
  });
});

describe("definitions in a variable that are refused", () => {
  it("are told as missing, not as no flags", async () => {
    const system = await startSystem({ vars: { HOGFLARE_FEATURE_FLAGS: '[{"filters":{}}', HOGFLARE_ADMIN_TOKEN: ADMIN } });
    try {
      const answer = await ask(system, { distinct_id: "u" });
      assert.equal(answer.errorsWhileComputingFlags, true);
      const health = await (await system.request("/healthz", { headers: { authorization: `Bearer ${ADMIN}` } })).json();
      assert.equal(health.status, "degraded");
      assert.match(health.problems[0].message, /HOGFLARE_FEATURE_FLAGS are refused.*not valid JSON/s);
    } finally {
      await system.stop();
    }
  });
});

describe("cohorts with a list of members", () => {
  const cohort = (id, operator) => condition([{ key: "id", type: "cohort", value: id, operator }]);
  const document = {
    flags: [
      flag(1, "in", [cohort(7, "in")]),
      flag(2, "not", [cohort(7, "not_in")]),
      flag(3, "here", [cohort(8, "in")]),
      flag(4, "realtime", [cohort(9, "in")]),
    ],
    cohorts: [
      { id: 7, is_static: true, filters: {}, count: 3 },
      { id: 8, is_static: true, filters: null, members: ["u-here"] },
      {
        id: 9,
        is_static: false,
        cohort_type: "realtime",
        filters: { properties: { type: "OR", values: [{ key: "plan", type: "person", value: "pro" }] } },
      },
    ],
  };
  const vars = { HOGFLARE_FEATURE_FLAGS: JSON.stringify(document), HOGFLARE_FLAGS_TTL_SECS: "1", HOGFLARE_ADMIN_TOKEN: ADMIN };
  const put = async (system, id, list) =>
    (await system.worker.getKVNamespace("FLAGS")).put(`cohort:${id}`, typeof list === "string" ? list : JSON.stringify(list));
  const values = async (system, request) => {
    const { flags, errorsWhileComputingFlags } = await ask(system, request);
    const shown = Object.fromEntries(Object.entries(flags).map(([key, { enabled, failed }]) => [key, failed ? "failed" : enabled]));
    assert.equal(errorsWhileComputingFlags, Object.values(shown).includes("failed"));
    return shown;
  };
  const problems = async (system) => {
    const report = await (await system.request("/healthz", { headers: { authorization: `Bearer ${ADMIN}` } })).json();
    return report.problems.map(({ message }) => message).filter((message) => /cohort/.test(message));
  };

  it("in KV: by distinct id, by another id of the person, by uuid; changed without a deploy; loud when it is not to be had", async () => {
    const system = await startSystem({ vars, extra: faultyWorker() });
    try {
      const unknown = { in: "failed", not: "failed", here: false, realtime: false };
      assert.deepEqual(await values(system, { distinct_id: "u" }), unknown);
      assert.match((await problems(system)).join(), /cohort 7 has no members in the definitions nor in KV \(cohort:7\)/);
      assert.doesNotMatch((await problems(system)).join(), /cohort 9/);
      assert.equal((await values(system, { distinct_id: "u-here" })).here, true);
      assert.equal((await values(system, { distinct_id: "u", person_properties: { plan: "pro" } })).realtime, true);

      await put(system, 7, ["u", "known"]);
      await eventually(async () => (await values(system, { distinct_id: "u" })).in === true, { what: "the list to be read" });
      assert.deepEqual(await problems(system), []);
      assert.deepEqual(await values(system, { distinct_id: "u" }), { in: true, not: false, here: false, realtime: false });
      assert.deepEqual(await values(system, { distinct_id: "x" }), { in: false, not: true, here: false, realtime: false });

      // Listed is the id that the person had before.
      await system.post("/batch/", {
        api_key: TOKEN,
        batch: [
          { event: "seen", distinct_id: "known" },
          { event: "$identify", distinct_id: "account-1", properties: { $anon_distinct_id: "known" } },
        ],
      });
      await eventually(async () => (await values(system, { distinct_id: "account-1" })).in === true, { what: "the person's other id" });

      await put(system, 9, ["x"]);
      await eventually(async () => (await values(system, { distinct_id: "x" })).realtime === true, { what: "the realtime list" });
      assert.equal((await values(system, { distinct_id: "u", person_properties: { plan: "pro" } })).realtime, false);

      await put(system, 7, '{"oops":');
      await eventually(async () => (await problems(system)).length > 0 || (await values(system, { distinct_id: "u" }), false), {
        what: "the unreadable list to be told",
      });
      assert.match((await problems(system)).join(), /cohort:7 cannot be used/);
      assert.equal((await values(system, { distinct_id: "u" })).in, true, "the last good list stays");
    } finally {
      await system.stop();
    }
  });

  it("of many members are read one after the other, and one that is too large fails none of the others", async () => {
    const ids = [11, 12, 13, 14, 15, 16];
    const many = {
      flags: ids.map((id) => flag(id, `in-${id}`, [cohort(id, "in")])),
      cohorts: ids.map((id) => ({ id, is_static: true, filters: {} })),
    };
    const system = await startSystem({ vars: { ...vars, HOGFLARE_FEATURE_FLAGS: JSON.stringify(many), HOGFLARE_FLAGS_TTL_SECS: "60" } });
    try {
      const members = (id, length) => ["u", ...Array.from({ length: 99_999 }, (_, n) => `${id}-${n}`.padEnd(length, "x"))];
      for (const id of ids) await put(system, id, members(id, id === 12 ? 90 : 40));
      const { "in-12": tooLarge, ...others } = await values(system, { distinct_id: "u" });
      assert.equal(tooLarge, "failed");
      assert.deepEqual(others, { "in-11": true, "in-13": true, "in-14": true, "in-15": true, "in-16": true });
      assert.match((await problems(system)).join(), /the list of members cohort:12 has more than the 8388608 bytes that are taken/);
    } finally {
      await system.stop();
    }
  });
});

describe("warnings of definitions", () => {
  it("stand in /healthz with their paths and degrade nothing", async () => {
    const properties = [{ key: "p", type: "person", operator: "regex", value: "^x{,2}$" }];
    const system = await startSystem({
      vars: {
        HOGFLARE_FEATURE_FLAGS: JSON.stringify([{ key: "odd", filters: { groups: [{ properties }] } }]),
        HOGFLARE_ADMIN_TOKEN: ADMIN,
      },
    });
    try {
      const answer = await system.request("/healthz", { headers: { authorization: `Bearer ${ADMIN}` } });
      const { flags, problems } = await answer.json();
      assert.equal(flags.warnings.length, 1);
      assert.match(flags.warnings[0], /^flags\[0\]\.filters\.groups\[0\]\.properties\[0\]\.value: '\{,2\}' is a repeat/);
      assert.ok(!problems.some(({ message }) => message.includes("flags[0]")));
    } finally {
      await system.stop();
    }
  });
});
