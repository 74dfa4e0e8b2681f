// For how long answers are kept: what the module asks its host to keep, kind by kind, through the real js-shim/core.js.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { loadCore } from "../../bench/lib/core.mjs";

const EFFECT = { runQuery: 5, readCache: 6, writeCache: 7 };
const MINUTE_S = 60;
const DAY_S = 86_400;
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const node = { kind: "EventsNode", event: "$pageview" };
const PAST = { date_from: "2026-01-01", date_to: "2026-01-08" };
const NOW = { date_from: "-7d" };
const entity = { id: "$pageview" };

/** Questions about a time, which each gets as a test wants it. */
const KINDS = {
  TrendsQuery: { series: [node] },
  FunnelsQuery: { series: [node, { ...node, event: "bought" }] },
  RetentionQuery: { retentionFilter: { targetEntity: entity, returningEntity: entity, period: "Day", totalIntervals: 3 } },
  LifecycleQuery: { series: [node] },
  StickinessQuery: { series: [node] },
  PathsQuery: { pathsFilter: { includeEventTypes: ["$pageview"] } },
  WebOverviewQuery: { properties: [] },
  WebStatsTableQuery: { properties: [], breakdownBy: "Page" },
  SessionsQuery: {},
};

let core;
before(async () => {
  core = await loadCore();
  core.configure({ POSTHOG_PERSONAL_API_KEY: "key", HOGFLARE_SQL_ACCOUNT_ID: "a", HOGFLARE_SQL_BUCKET: "b", HOGFLARE_SQL_TOKEN: "t" });
});

/** What is kept of a question: {key, ageS} of the answer; the engine gives no rows, and fails what `fails` names. */
const kept = (query, options = {}) => keptAll(query, options).find(({ key }) => !key.includes("freshness"));

/** All that is kept for it, and read of it; `keys`: gets the keys of both. */
function keptAll(query, { fails = () => false, members = {}, keys = new Set() } = {}) {
  const head = core.head("POST", "/api/projects/1/query/", { "content-type": "application/json", authorization: "Bearer key" });
  let output = core.shim.startHttp(encoder.encode(JSON.stringify({ query, ...members })), head);
  const { slot } = output;
  const queue = [...output.effects];
  const writes = [];
  while (!output.finished) {
    const effect = queue.shift();
    let status = 200;
    let body = new Uint8Array(0);
    if (effect.kind === EFFECT.readCache) {
      status = 404;
      keys.add(effect.name);
    } else if (effect.kind === EFFECT.writeCache) {
      writes.push({ key: effect.name, ageS: effect.b });
      keys.add(effect.name);
    } else {
      const isFailing = fails(decoder.decode(effect.bytes));
      status = isFailing ? 400 : 200;
      const errors = [{ code: 40004, message: "would scan too much" }];
      body = encoder.encode(
        JSON.stringify(isFailing ? { success: false, errors } : { success: true, result: { rows: [], metrics: { bytes_scanned: 9_000 } } }),
      );
    }
    output = core.shim.resume(slot, effect.id, { ok: true, status, retryAfterMs: 0, body }, null);
    queue.push(...output.effects);
  }
  core.shim.end(slot);
  assert.equal(output.status, 200, decoder.decode(output.body));
  return writes;
}

test("what is over is kept for a day, what goes on for a minute, whatever the kind", () => {
  for (const [kind, members] of Object.entries(KINDS)) {
    assert.equal(kept({ kind, ...members, dateRange: PAST }).ageS, DAY_S, kind);
    assert.equal(kept({ kind, ...members, dateRange: NOW }).ageS, MINUTE_S, kind);
  }
  assert.equal(kept({ kind: "EventsQuery", select: ["event"], after: "2026-01-01", before: "2026-01-08" }).ageS, DAY_S);
  for (const query of [
    { kind: "EventsQuery", select: ["event"], after: "2026-01-01" },
    { kind: "ErrorTrackingQuery", orderBy: "last_seen", dateRange: PAST },
    { kind: "PersonsQuery" },
    { kind: "HogQLQuery", query: "SELECT event FROM events" },
  ])
    assert.equal(kept(query).ageS, MINUTE_S, query.kind);
});

test("an answer without some of its days is kept for a minute, and never given to who wants all", () => {
  const query = { kind: "TrendsQuery", series: [node], dateRange: PAST };
  const whole = kept(query);
  const third = Date.UTC(2026, 0, 3) * 1000;
  const fails = (sql) => {
    const range = /t >= (\d+) AND t <= (\d+)/.exec(sql);
    return range !== null && (Number(range[1]) === third || Number(range[2]) - Number(range[1]) > DAY_S * 1_000_000);
  };
  const partial = kept(query, { fails });
  assert.deepEqual(partial, { key: whole.key, ageS: MINUTE_S });
  assert.notEqual(kept(query, { members: { partial: false } }).key, whole.key);
});

test("teams, questions, ranges and tables are kept apart", () => {
  const query = { kind: "TrendsQuery", series: [node], dateRange: PAST };
  const { key } = kept(query);
  assert.equal(kept({ ...query }).key, key);
  for (const more of [{ dateRange: NOW }, { interval: "week" }, { series: [{ ...node, math: "dau" }] }])
    assert.notEqual(kept({ ...query, ...more }).key, key);
  core.configure({
    POSTHOG_PERSONAL_API_KEY: "key",
    HOGFLARE_SQL_ACCOUNT_ID: "a",
    HOGFLARE_SQL_BUCKET: "b",
    HOGFLARE_SQL_TOKEN: "t",
    HOGFLARE_SQL_TABLES: JSON.stringify({ events: "hogflare_events_v2" }),
  });
  assert.notEqual(kept(query).key, key);
});

test("two deployments of one zone have no key in common, though their teams, tables and questions are the same", () => {
  const query = { kind: "TrendsQuery", series: [node], dateRange: NOW };
  const base = { POSTHOG_PERSONAL_API_KEY: "key", HOGFLARE_SQL_ACCOUNT_ID: "a", HOGFLARE_SQL_BUCKET: "b", HOGFLARE_SQL_TOKEN: "t" };
  const seen = new Map();
  for (const vars of [
    base,
    { ...base, HOGFLARE_SQL_ACCOUNT_ID: "c" },
    { ...base, HOGFLARE_SQL_BUCKET: "c" },
    { ...base, HOGFLARE_SQL_ACCOUNT_ID: "ab", HOGFLARE_SQL_BUCKET: "c" },
    { ...base, HOGFLARE_SQL_URL: "https://sql.example" },
    { ...base, HOGFLARE_SQL_NAMESPACE: "lake" },
    { ...base, HOGFLARE_SQL_TABLES: JSON.stringify({ persons: "people" }) },
  ]) {
    core.configure(vars);
    const keys = new Set();
    keptAll(query, { keys });
    const kinds = ["/freshness/", "/scan/"].map((part) => [...keys].filter((key) => key.includes(part)).length);
    assert.deepEqual(kinds, [1, 2], [...keys].join(" "));
    for (const key of keys) {
      assert.equal(seen.get(key), undefined, `${key} of ${JSON.stringify(vars)}`);
      seen.set(key, vars);
    }
    const again = new Set();
    core.configure({ ...vars, HOGFLARE_SQL_TOKEN: "another" });
    keptAll(query, { keys: again });
    assert.deepEqual([...again].sort(), [...keys].sort());
  }
});
