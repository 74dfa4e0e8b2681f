// Questions in the module: planning one and reading an answer of 1,000 rows, through the real js-shim/core.js with an
// engine that answers at once. Prints what it takes in WebAssembly, and the whole request, with the engine's rows copied in and the
// answer out twice, to the client and to the cache; with --json FILE writes the figures too.
//
//   node bench/questions.mjs [--json FILE] [--quick]
import { writeFileSync } from "node:fs";
import { loadCore } from "./lib/core.mjs";
import { alternate, table } from "./lib/measure.mjs";

const args = process.argv.slice(2);
const jsonFile = args.includes("--json") ? args[args.indexOf("--json") + 1] : null;
const effort = args.includes("--quick") ? { rounds: 7, roundMs: 8, warmMs: 30 } : {};
const ROWS = 1_000;
const EFFECT = { runQuery: 5, readCache: 6 };

const core = await loadCore({ isTimed: true });
core.configure({
  POSTHOG_PERSONAL_API_KEY: "key",
  HOGFLARE_SQL_ACCOUNT_ID: "a",
  HOGFLARE_SQL_BUCKET: "b",
  HOGFLARE_SQL_TOKEN: "t",
});
const encoder = new TextEncoder();
const node = (event, math) => ({ kind: "EventsNode", event, ...(math === undefined ? {} : { math }) });
const schema = (rows) => Object.keys(rows[0] ?? {}).map((name) => ({ name, descriptor: { type: { name: "string" } } }));
const reply = (rows) =>
  encoder.encode(JSON.stringify({ success: true, result: { schema: schema(rows), rows, metrics: { bytes_scanned: 1 } } }));

const series = [node("$pageview")];
const rows = (write) => Array.from({ length: ROWS }, (_, i) => write(i));
const time = (i) => 1_764_000_000_000_000 + i * 1_000_000;
const properties = (i) => JSON.stringify({ plan: "pro", email: `user-${i}@example.test`, seats: i, $browser: "Chrome", trial: false });

/** What the engine would give to a question's statements, as it gives it: objects by column. */
const CASES = {
  "trend, 40 days by 25 browsers": {
    query: {
      kind: "TrendsQuery",
      dateRange: { date_from: "-39d" },
      series: [node("$pageview", "dau")],
      breakdownFilter: { breakdown: "$browser", breakdown_type: "event" },
    },
    tables: [rows((i) => ({ b: Math.floor(i / 25), v0: `Browser ${i % 25}`, n: i }))],
  },
  "funnel, 400 people": {
    query: { kind: "FunnelsQuery", dateRange: { date_from: "-39d" }, series: [node("$pageview"), node("signed up"), node("paid")] },
    tables: [rows((i) => ({ unit: `person-${Math.floor(i / 2.5)}`, t: time(i), steps: 1 << (i % 3), exclusions: 0, b: 3 }))],
  },
  "retention, 44 days": {
    query: {
      kind: "RetentionQuery",
      retentionFilter: { targetEntity: { id: "$pageview" }, returningEntity: { id: "$pageview" }, period: "Day", totalIntervals: 45 },
    },
    tables: [rows((i) => ({ v: "", b: Math.floor(i / 25), k: i % 25, n: i }))],
  },
  "lifecycle, 250 days": {
    query: { kind: "LifecycleQuery", dateRange: { date_from: "-249d" }, series },
    tables: [rows((i) => ({ b: Math.floor(i / 4), status: ["new", "returning", "resurrecting", "dormant"][i % 4], n: i }))],
  },
  paths: {
    query: { kind: "PathsQuery", dateRange: { date_from: "-39d" }, pathsFilter: { includeEventTypes: ["$pageview"], edgeLimit: ROWS } },
    tables: [rows((i) => ({ source: `${1 + (i % 4)}_/page/${i % 50}`, target: `${2 + (i % 4)}_/page/${i % 49}`, n: i, ms: 1.5 * i }))],
  },
  "table of pages": {
    query: { kind: "WebStatsTableQuery", dateRange: { date_from: "-39d" }, properties: [], breakdownBy: "Page", limit: ROWS },
    tables: [rows((i) => ({ value: `/page/${i}`, visitors: i, views: 2 * i, bounce: null }))],
  },
  "list of visits": {
    query: { kind: "SessionsQuery", dateRange: { date_from: "-39d" }, limit: ROWS },
    tables: [
      rows((i) => ({
        session_id: `session-${i}`,
        person: `person-${i}`,
        start_t: time(i),
        duration: i,
        pageviews: 3,
        entry_url: "https://example.test/",
        exit_url: `https://example.test/page/${i}`,
        is_bounce: 0,
      })),
    ],
  },
  "list of events": {
    query: { kind: "EventsQuery", select: ["event", "distinct_id", "timestamp", "properties.plan"], limit: ROWS },
    tables: [rows((i) => ({ c0: "$pageview", c1: `user-${i}`, c2: time(i), c3: '"pro"' }))],
  },
  "list of people": {
    query: { kind: "ActorsQuery", select: ["actor"], limit: ROWS },
    // Of a tenth of the people another row comes, which knew of one id alone.
    tables: [
      rows((i) => {
        const people = Math.floor(ROWS / 11) * 10;
        const isMore = i >= people;
        const id = i % people;
        return {
          p: `person-${id}`,
          d: `user-${id}`,
          l: isMore ? null : JSON.stringify([`user-${id}`, `anonymous-${id}`]),
          o: isMore ? null : properties(id),
          t: isMore ? null : time(id),
          m: isMore ? 1 : 0,
        };
      }),
    ],
  },
  "list of errors": {
    query: { kind: "ErrorTrackingQuery", orderBy: "last_seen", dateRange: { date_from: "-39d" }, volumeResolution: 20 },
    tables: [
      rows((i) => ({
        id: `fingerprint-${i}`,
        occurrences: i,
        sessions: 2,
        users: 3,
        first_seen: time(i),
        last_seen: time(i),
        type: "TypeError",
        message: "x is not a function",
      })).slice(0, 50),
      rows((i) => ({ id: `fingerprint-${Math.floor(i / 20)}`, bin: i % 20, n: i })),
      [],
    ],
  },
  "SQL of one's own": {
    query: { kind: "HogQLQuery", query: "SELECT event, distinct_id, custom_properties FROM events" },
    tables: [rows((i) => ({ event: "$pageview", distinct_id: `user-${i}`, custom_properties: properties(i) }))],
  },
};

const freshness = encoder.encode('"2026-11-26T11:57:41.204000Z"');

function asking({ query, tables }) {
  const head = core.head("POST", "/api/projects/1/query/", { "content-type": "application/json", authorization: "Bearer key" });
  const body = encoder.encode(JSON.stringify({ query }));
  const replies = tables.map(reply);
  return () => {
    let output = core.shim.startHttp(body.slice(), head);
    const { slot } = output;
    const queue = [...output.effects];
    let asked = 0;
    while (!output.finished) {
      const effect = queue.shift();
      const result = { ok: true, status: 200, retryAfterMs: 0, body: new Uint8Array(0) };
      if (effect.kind === EFFECT.runQuery) result.body = replies[asked++];
      // How fresh the table is was asked within the minute; the answer itself is not kept.
      if (effect.kind === EFFECT.readCache && effect.name.includes("/freshness/")) result.body = freshness;
      else if (effect.kind === EFFECT.readCache) result.status = 404;
      output = core.shim.resume(slot, effect.id, result, null);
      queue.push(...output.effects);
    }
    core.shim.end(slot);
    if (output.status !== 200) throw new Error(`${output.status} ${new TextDecoder().decode(output.body)}`);
  };
}

const works = Object.fromEntries(
  Object.entries(CASES).flatMap(([name, { query, tables }]) => [
    [`${name}: planned, no rows`, asking({ query, tables: tables.map(() => []) })],
    [`${name}: planned, ${ROWS} rows`, asking({ query, tables })],
  ]),
);
const inside = alternate(works, { ...effort, clock: core.insideMs });
const whole = alternate(works, effort);
console.log(
  table(
    ["question, µs", "in wasm", "whole request"],
    Object.keys(works).map((name) => [name, inside[name], whole[name]]),
  ),
);
if (jsonFile) writeFileSync(jsonFile, JSON.stringify({ inside, whole }, null, 1));
