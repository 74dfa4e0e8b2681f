// What the console's pages ask beside questions: health, one person, flags and documents.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event } from "./support.mjs";

const ADMIN = "admin-token-of-this-test";
const VIEWER = "viewer-token-of-this-test";

let system;
/** The same without a KV namespace. */
let bare;

before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN, HOGFLARE_VIEWER_TOKEN: VIEWER, HOGFLARE_FLAGS_KV_KEY: "flags" },
  });
  bare = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN, HOGFLARE_FEATURE_FLAGS: '{"flags":[{"key":"fixed"}]}' },
    kvNamespaces: [],
  });
});
after(async () => {
  await system?.stop();
  await bare?.stop();
});
beforeEach(() => system.reset());

/** One request as a script sends it. */
async function ask(path, { method = "GET", body, token = ADMIN, headers = {}, of = system } = {}) {
  const response = await of.request(`/app/api/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: JSON.parse(text) };
}

const send = async (...events) => {
  const response = await system.post("/batch/", batch(events));
  assert.equal(response.status, 200, await response.text());
};

// --- Health ---

test("health names sinks, outbox, problems and the figures of what came and went", async () => {
  const before = (await ask("health", { token: VIEWER })).json;
  await send(event({ distinct_id: "h1" }), event({ distinct_id: "h2" }));
  await system.post("/batch/", batch([{ event: "no id" }]));
  const { status, json } = await ask("health", { token: VIEWER });
  assert.equal(status, 200);
  assert.equal(json.counts.of, "this_isolate");
  assert.equal(json.counts.accepted - before.counts.accepted, 2);
  assert.equal(json.counts.landed - before.counts.landed, 2);
  assert.equal(json.counts.rejected - before.counts.rejected, 1);
  assert.equal(json.counts.rejected_by_reason.missing_distinct_id, 1);
  assert.equal(json.counts.waiting, 0);
  assert.equal(json.counts.quarantined, 0);
  assert.deepEqual(
    json.sinks.map(({ stream, kind }) => `${stream} ${kind}`),
    ["events http", "persons http", "rejects http", "distinct_ids http"],
  );
  assert.ok(!JSON.stringify(json).includes(ADMIN));
});

test("while the sink is down health says what waits, and an admin's drain lands it", async () => {
  await system.pipeline.fault({ seconds: 3_600, status: 503 });
  await send(event({ distinct_id: "waits", event: "waiting" }));
  const waiting = (await ask("health")).json;
  assert.equal(
    waiting.outbox.rows,
    waiting.sinks.reduce((sum, sink) => sum + sink.waiting_rows, 0),
  );
  assert.ok(waiting.counts.waiting >= 1);
  assert.equal(waiting.sinks[0].last_status, 503);
  // A sink that fails once is no news; one that fails again is.
  const again = await eventually(
    async () => {
      const { json } = await ask("health");
      return json.problems.some(({ code }) => code === "outbox") && json;
    },
    { what: "the problem's being told", timeoutMs: 60_000 },
  );
  assert.equal(again.status, "degraded");
  await system.pipeline.fault({ clear: true });
  assert.equal((await ask("health/drain", { method: "POST", token: VIEWER })).status, 403);
  assert.equal((await ask("health/drain", { method: "POST" })).status, 200);
  await eventually(async () => (await system.rows()).some((row) => row.event === "waiting"), { what: "the row's arrival" });
  await eventually(async () => (await ask("health")).json.outbox.rows === 0, { what: "an empty outbox" });
  assert.equal((await ask("health/quarantine")).json.total, 0);
  assert.equal((await ask("health/redrive", { method: "POST" })).status, 200);
  assert.equal((await ask("health/redrive")).status, 405);
});

// --- One person ---

test("a person is what its object knows, under each of its ids, with the events that made them one", async () => {
  await send(event({ distinct_id: "anon-1", properties: { $set: { plan: "free" } } }));
  const merging = "0192aaaa-0000-7000-8000-000000000001";
  await send(
    event({
      event: "$identify",
      distinct_id: "ada",
      uuid: merging,
      properties: { $anon_distinct_id: "anon-1", $set: { email: "ada@example.com" } },
    }),
  );
  for (const id of ["ada", "anon-1"]) {
    const { status, json } = await ask(`person?team_id=1&distinct_id=${id}`, { token: VIEWER });
    assert.equal(status, 200, id);
    assert.deepEqual([...json.distinct_ids].sort(), ["ada", "anon-1"], id);
    assert.equal(json.properties.plan, "free");
    assert.equal(json.properties.email, "ada@example.com");
    assert.equal(json.is_identified, true);
    assert.match(json.created_at, /^\d{4}-/);
    assert.equal(json.distinct_ids_count, 2);
    assert.ok(
      json.last_changes.some((change) => change.event_uuid === merging),
      "the merge's event is named",
    );
  }
  const { json: ada } = await ask("person?distinct_id=ada");
  const { json: anonymous } = await ask("person?distinct_id=anon-1");
  assert.equal(ada.uuid, anonymous.uuid);
  const redirected = [ada, anonymous].filter((person) => person.redirects.length > 1);
  assert.equal(redirected.length, 1, "one of the ids leads to the other");
  const [{ kind, from, to }] = redirected[0].merges;
  assert.deepEqual([kind, [from, to].sort()], ["redirect", ["ada", "anon-1"]]);
});

test("an id whose events had no person came later, and no merge is made up for it", async () => {
  await send(event({ distinct_id: "quiet", properties: { $process_person_profile: false } }));
  await send(event({ distinct_id: "loud", properties: { $process_person_profile: false } }));
  await send(event({ event: "$identify", distinct_id: "loud", properties: { $anon_distinct_id: "quiet" } }));
  const { json } = await ask("person?distinct_id=loud");
  assert.deepEqual([...json.distinct_ids].sort(), ["loud", "quiet"]);
  assert.deepEqual(json.merges, []);
  const later = json.ids.filter(({ version }) => version > 0);
  assert.equal(later.length, 1, JSON.stringify(json.ids));
  assert.match(later[0].why, /^came later, by identify\(\), an alias or a merge: rows that were stored under it before/);
});

test("two people that became one are told with the event and the uuid that went", async () => {
  await send(
    event({ distinct_id: "left", properties: { $set: { a: 1 } } }),
    event({ distinct_id: "right", properties: { $set: { b: 2 } } }),
  );
  const gone = new Set([(await ask("person?distinct_id=left")).json.uuid, (await ask("person?distinct_id=right")).json.uuid]);
  const uuid = "0192aaaa-0000-7000-8000-000000000002";
  await send(event({ event: "$merge_dangerously", distinct_id: "left", uuid, properties: { alias: "right" } }));
  const { json } = await ask("person?distinct_id=right");
  const absorbed = json.merges.find((merge) => merge.kind === "absorbed");
  assert.equal(absorbed.event_uuid, uuid);
  assert.ok(gone.has(absorbed.merged_uuid) && absorbed.merged_uuid !== json.uuid);
  assert.ok(absorbed.sentence.includes(uuid));
  assert.deepEqual([json.properties.a, json.properties.b], [1, 2]);
});

test("an id without a person is said as that, and no project and no id as themselves", async () => {
  await send(event({ distinct_id: "nobody", properties: { $process_person_profile: false } }));
  const nobody = await ask("person?distinct_id=nobody");
  assert.equal(nobody.status, 404);
  assert.equal(nobody.json.code, "no_person");
  assert.equal((await ask("person?distinct_id=never%20seen")).json.code, "no_person");
  assert.equal((await ask("person?team_id=99&distinct_id=a")).json.code, "no_project");
  assert.equal((await ask("person?team_id=x&distinct_id=a")).json.code, "no_project");
  assert.equal((await ask("person")).json.code, "no_distinct_id");
  assert.equal((await ask(`person?distinct_id=${"x".repeat(5000)}`)).status, 400);
});

// --- Flags ---

const onFor = (key, properties, rollout = 100) => ({
  key,
  name: `the flag ${key}`,
  active: true,
  filters: { groups: [{ properties, rollout_percentage: rollout }] },
});
const plan = (value) => ({ key: "plan", type: "person", operator: "exact", value });
const documentOf = (...flags) => JSON.stringify({ flags }, null, 2);

const put = (document, etag, more = {}) =>
  ask("flags", { method: "PUT", body: { document }, headers: etag === undefined ? {} : { "if-match": etag }, ...more });

test("an edit is checked, kept with the version before, and answers SDKs from then on", async () => {
  const first = (await ask("flags?team_id=1")).json;
  assert.equal(first.writable, true);
  const published = await put(documentOf(onFor("beta", [plan("pro")], 50)), first.etag);
  assert.equal(published.status, 200, JSON.stringify(published.json));
  assert.equal(published.headers.get("etag"), published.json.etag);
  const read = (await ask("flags?team_id=1", { token: VIEWER })).json;
  assert.equal(read.source, "kv");
  assert.equal(read.writable, false, "a viewer's form has no button");
  assert.equal(read.etag, published.json.etag);
  assert.deepEqual(read.problems, []);
  assert.deepEqual(read.flags, [{ key: "beta", name: "the flag beta", active: true, kind: "boolean", rollout: 50 }]);

  const second = await put(documentOf(onFor("beta", [plan("pro")])), read.etag);
  assert.equal(second.status, 200);
  const flags = await (await system.post("/flags/?v=2", { token: TOKEN, distinct_id: "x", person_properties: { plan: "pro" } })).json();
  assert.equal(flags.flags.beta.enabled, true);

  const { versions } = (await ask("flags/history", { token: VIEWER })).json;
  assert.equal(versions[0].etag, read.etag, "the newest is the one that was replaced last");
  assert.equal(versions[0].replaced_by, "admin");
  const old = (await ask(`flags/history?at=${encodeURIComponent(versions[0].at)}`)).json;
  assert.equal(old.document, read.document);
  assert.equal((await ask("flags/history?at=1999-01-01T00:00:00.000Z")).json.code, "no_version");
  // What is not changed makes no version.
  const same = await put(documentOf(onFor("beta", [plan("pro")])), second.json.etag);
  assert.equal(same.json.changed, false);
  assert.equal((await ask("flags/history")).json.versions.length, versions.length);
});

test("two who edit: the second is told, with the version that is there now", async () => {
  const { etag } = (await ask("flags")).json;
  const mine = await put(documentOf(onFor("mine", [])), etag);
  assert.equal(mine.status, 200);
  const theirs = await put(documentOf(onFor("theirs", [])), etag);
  assert.equal(theirs.status, 409);
  assert.deepEqual([theirs.json.code, theirs.json.etag], ["changed", mine.json.etag]);
  assert.deepEqual(
    (await ask("flags")).json.flags.map(({ key }) => key),
    ["mine"],
  );
  assert.equal((await put(documentOf(), undefined)).status, 428, "who names no version overwrites nobody's");
});

test("what the edge would refuse is not stored, and the words say where", async () => {
  const { etag } = (await ask("flags")).json;
  const blank = documentOf(onFor("good", []), onFor("bad", [{ key: "plan", type: "person", operator: "no_such", value: "a" }]));
  const checked = await ask("flags/check", { method: "POST", body: { document: blank }, token: VIEWER });
  assert.equal(checked.status, 200);
  assert.equal(checked.json.ok, false);
  const problem = checked.json.problems.find(({ severity }) => severity === "error");
  assert.equal(problem.flag, "bad");
  assert.match(problem.path, /^flags\[1\]/);
  const refused = await put(blank, etag);
  assert.equal(refused.status, 422);
  assert.deepEqual(refused.json.problems, checked.json.problems);
  assert.equal((await put("{", etag)).status, 422);
  assert.equal((await ask("flags", { method: "PUT", body: { document: 7 }, headers: { "if-match": etag } })).status, 400);
  assert.equal((await put(documentOf(), etag, { token: VIEWER })).status, 403);
  assert.equal((await ask("flags")).json.etag, etag);
});

test("what one person gets, and each condition with the value that was looked at", async () => {
  await send(event({ distinct_id: "kim", properties: { $set: { plan: "free", country: "NL" } } }));
  const { etag } = (await ask("flags")).json;
  const flag = {
    key: "offer",
    active: true,
    filters: {
      groups: [
        { properties: [plan("pro"), { key: "country", type: "person", operator: "exact", value: ["NL", "BE"] }], rollout_percentage: 30 },
        { properties: [{ key: "country", type: "person", operator: "exact", value: "NL" }], rollout_percentage: 100, variant: null },
        { properties: [plan("free")], rollout_percentage: 0 },
      ],
    },
  };
  assert.equal((await put(documentOf(flag, onFor("other", [])), etag)).status, 200);
  const { status, json } = await ask("flags/evaluate", {
    method: "POST",
    token: VIEWER,
    body: { team_id: 1, distinct_id: "kim", key: "offer" },
  });
  assert.equal(status, 200, JSON.stringify(json));
  assert.deepEqual(Object.keys(json.flags).sort(), ["offer", "other"]);
  assert.equal(json.flags.offer.enabled, true);
  assert.deepEqual([json.flags.offer.reason.code, json.flags.offer.reason.condition_index], ["condition_match", 1]);
  assert.equal(json.person.exists, true);
  assert.equal(json.person.properties.plan, "free");
  const conditions = json.flags.offer.conditions;
  assert.deepEqual(
    conditions.map(({ matches, rollout_percentage }) => [matches, rollout_percentage]),
    [
      [false, 30],
      [true, 100],
      [true, 0],
    ],
  );
  assert.deepEqual(conditions[0].filters, [
    { key: "plan", type: "person", operator: "exact", wanted: "pro", actual: "free", matches: false },
    { key: "country", type: "person", operator: "exact", wanted: ["NL", "BE"], actual: "NL", matches: true },
  ]);
  // What the page types in goes before what is stored.
  const typed = await ask("flags/evaluate", {
    method: "POST",
    body: { team_id: 1, distinct_id: "kim", key: "offer", person_properties: { plan: "pro" } },
  });
  assert.equal(typed.json.flags.offer.conditions[0].filters[0].actual, "pro");
  assert.equal(typed.json.flags.offer.conditions[0].matches, true);
  // A draft is evaluated without being stored.
  const draft = await ask("flags/evaluate", {
    method: "POST",
    body: { team_id: 1, distinct_id: "kim", document: documentOf(onFor("draft", [plan("free")])) },
  });
  assert.deepEqual(Object.keys(draft.json.flags), ["draft"]);
  assert.equal(draft.json.flags.draft.enabled, true);
  assert.equal((await ask("flags/evaluate", { method: "POST", body: { team_id: 5, distinct_id: "kim" } })).status, 404);
  assert.equal((await ask("flags/evaluate", { method: "POST", body: { team_id: 1 } })).status, 400);
});

// --- Bodies that are no use to anybody ---

const nested = (depth) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
const WIDE = `[${"[],".repeat(450_000)}[]]`;
const members = (count) => `{${Array.from({ length: count }, (_, n) => `"${n}":0`).join(",")}}`;

test("no nesting and no width of any member, or of a text in one, ends the core", async () => {
  const values = [nested(100_000), nested(6_000), WIDE, members(60_000)];
  const routes = [
    ["POST", "flags/check", ["document"]],
    ["PUT", "flags", ["document"]],
    [
      "POST",
      "flags/evaluate",
      ["team_id", "distinct_id", "key", "groups", "person_properties", "group_properties", "$device_id", "document", "people"],
    ],
    ["PUT", "documents/dashboards/deep", ["name", "tiles"]],
    ["PUT", "documents/insights/deep", ["query"]],
    ["POST", "session", ["token"]],
  ];
  const send = async (method, path, body, headers = {}) => {
    const response = await system.request(path, {
      method,
      headers: { authorization: `Bearer ${ADMIN}`, "content-type": "application/json", ...headers },
      body,
    });
    return { status: response.status, json: await response.json() };
  };
  const base = { distinct_id: "deep", team_id: 1 };
  for (const [method, path, names] of routes) {
    for (const name of names) {
      for (const value of values) {
        const rest = Object.entries({ ...base, [name]: undefined }).filter(([, one]) => one !== undefined);
        const others = rest.map(([key, one]) => `,${JSON.stringify(key)}:${JSON.stringify(one)}`).join("");
        const { status, json } = await send(method, `/app/api/${path}`, `{"${name}":${value}${others}}`, { "if-match": '"x"' });
        const what = `${method} ${path} ${name} ${value.slice(0, 12)}: ${status} ${JSON.stringify(json).slice(0, 200)}`;
        assert.ok(status >= 400 && status < 500, what);
        assert.ok(json.detail, what);
        // The same as the text of a document, which only some members are read as.
        if (name !== "document") continue;
        const text = JSON.stringify({ ...base, [name]: value });
        const read = await send(method, `/app/api/${path}`, text, { "if-match": '"x"' });
        const refused = read.json.ok === false || (read.status >= 400 && read.status < 500);
        assert.ok(refused, `text of ${what}: ${read.status} ${JSON.stringify(read.json).slice(0, 200)}`);
      }
    }
  }
  const tools = {
    query: ["query"],
    sql: ["sql"],
    events: ["properties", "search"],
    properties: ["event_names"],
    person: ["distinct_id"],
    flags: ["groups", "person_properties", "group_properties", "document", "key"],
    errors: ["search"],
    recordings: ["after"],
  };
  for (const [name, names] of Object.entries(tools)) {
    for (const member of names) {
      for (const value of [...values, ...values.map((one) => JSON.stringify(one))]) {
        const action = name === "flags" ? `"action":"${member === "document" ? "check" : "evaluate"}","distinct_id":"deep",` : "";
        const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${name}","arguments":{${action}"${member}":${value}}}}`;
        const { status, json } = await send("POST", "/mcp", body, { "mcp-protocol-version": "2025-11-25" });
        const what = `${name} ${member} ${value.slice(0, 12)}: ${status} ${JSON.stringify(json).slice(0, 200)}`;
        const told = json.result?.content?.[0]?.text ?? "";
        const is_refused = (status >= 400 && status < 500) || json.result?.isError === true || told.includes('"ok":false');
        assert.ok(is_refused || member === "key", what);
      }
    }
  }
  const metrics = await system.request("/metrics", { headers: { authorization: `Bearer ${ADMIN}` } });
  assert.match(await metrics.text(), /^hogflare_traps_total 0$/m);
});

test("a flag is counted over people by itself, and one with too many conditions is refused by their number", async () => {
  const people = Array.from({ length: 200 }, (_, n) => ({ distinct_id: `p${n}`, properties: { plan: n % 2 ? "pro" : "free" } }));
  const many = Array.from({ length: 3_000 }, (_, n) => onFor(`other-${n}`, [plan("pro")]));
  const count = async (flag, key) =>
    ask("flags/evaluate", { method: "POST", body: { team_id: 1, key, people, document: documentOf(flag, ...many) } });
  const counted = await count(onFor("offer", [plan("pro")]), "offer");
  assert.equal(counted.status, 200, JSON.stringify(counted.json));
  assert.deepEqual([counted.json.people, counted.json.enabled, counted.json.conditions], [200, 100, [{ meet: 100, get: 100 }]]);
  const groups = Array.from({ length: 60 }, () => ({ properties: [plan("pro"), plan("free")], rollout_percentage: 100 }));
  const refused = await count({ key: "wide", active: true, filters: { groups } }, "wide");
  assert.deepEqual([refused.status, refused.json.code], [400, "too_much_work"], JSON.stringify(refused.json));
  assert.match(refused.json.detail, /181 conditions, filters and flags it depends on: 110 people/);
});

test("without KV flags are shown, not edited, and the sentence says what to bind", async () => {
  const { json } = await ask("flags", { of: bare });
  assert.deepEqual([json.source, json.writable, json.flags[0].key], ["variable", false, "fixed"]);
  for (const [path, method] of [
    ["flags", "PUT"],
    ["flags/history", "GET"],
    ["documents/dashboards", "GET"],
    ["documents/insights/a", "PUT"],
  ]) {
    const refused = await ask(path, { method, of: bare, ...(method === "PUT" ? { body: { document: "{}" } } : {}) });
    assert.deepEqual([refused.status, refused.json.code], [503, "no_kv"], path);
    assert.match(refused.json.detail, /FLAGS/);
  }
});

test("fifty versions are kept", async () => {
  let { etag } = (await ask("flags")).json;
  for (let i = 0; i < 53; i += 1) {
    const answer = await put(documentOf(onFor(`flag-${i}`, [])), etag);
    assert.equal(answer.status, 200);
    etag = answer.json.etag;
  }
  const { versions } = await eventually(
    async () => {
      const { json } = await ask("flags/history");
      return json.versions.length === 50 && json;
    },
    { what: "fifty versions" },
  );
  const newest = (await ask(`flags/history?at=${encodeURIComponent(versions[0].at)}`)).json;
  assert.match(newest.document, /flag-51/);
});

// --- Documents ---

test("a dashboard is stored, listed, changed by whoever has seen it, and comes back from its history", async () => {
  const path = "documents/dashboards/main";
  const made = await ask(`${path}?team_id=1`, { method: "PUT", body: { name: "Main", tiles: [1] } });
  assert.equal(made.status, 200, JSON.stringify(made.json));
  const read = await ask(path, { token: VIEWER });
  assert.deepEqual(read.json, { name: "Main", tiles: [1] });
  assert.equal(read.headers.get("etag"), made.json.etag);
  const list = (await ask("documents/dashboards", { token: VIEWER })).json.results;
  assert.deepEqual(
    list.map(({ slug, name }) => ({ slug, name })),
    [{ slug: "main", name: "Main" }],
  );
  assert.ok(Date.parse(list[0].updated_at) > 0);
  assert.deepEqual((await ask("documents/insights")).json.results, [], "another kind has its own");

  const blind = await ask(path, { method: "PUT", body: { name: "Blind" } });
  assert.deepEqual([blind.status, blind.json.etag], [428, made.json.etag]);
  const changed = await ask(path, { method: "PUT", body: { name: "Second" }, headers: { "if-match": made.json.etag } });
  assert.equal(changed.status, 200);
  const late = await ask(path, { method: "PUT", body: { name: "Late" }, headers: { "if-match": made.json.etag } });
  assert.deepEqual([late.status, late.json.code, late.json.etag], [409, "changed", changed.json.etag]);

  const { versions } = (await ask(`${path}/history`)).json;
  assert.equal(versions.length, 1);
  const old = await ask(`${path}/history?at=${encodeURIComponent(versions[0].at)}`);
  assert.deepEqual(old.json, { name: "Main", tiles: [1] });

  assert.equal((await ask(path, { method: "DELETE", token: VIEWER })).status, 403);
  const gone = await ask(path, { method: "DELETE", headers: { "if-match": changed.json.etag } });
  assert.equal(gone.status, 200);
  assert.equal((await ask(path)).json.code, "no_document");
  assert.equal((await ask(`${path}/history`)).json.versions.length, 2, "what was deleted can be brought back");
  assert.deepEqual((await ask("documents/dashboards")).json.results, []);
});

test("names in the address are plain, and kinds are two", async () => {
  for (const path of [
    "documents/dashboards/Über",
    "documents/dashboards/a%2Fb",
    "documents/dashboards/..",
    `documents/dashboards/${"a".repeat(65)}`,
    "documents/dashboards/a/b",
    "documents/dashboards/a/history/b",
  ]) {
    const { status } = await ask(path);
    assert.ok(status === 400 || status === 404, path);
  }
  assert.equal((await ask("documents/secrets/a")).json.code, "no_route");
  assert.equal((await ask("documents/dashboards", { method: "DELETE" })).status, 400);
});
