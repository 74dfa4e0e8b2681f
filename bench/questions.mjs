// Questions in the module: planning one and reading an answer of 1,000 rows, whole requests through the real
// js-shim/core.js with an engine that answers at once. Prints a table; with --json FILE writes the figures too.
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

const core = await loadCore();
core.configure({
  POSTHOG_PERSONAL_API_KEY: "key",
  HOGFLARE_SQL_ACCOUNT_ID: "a",
  HOGFLARE_SQL_BUCKET: "b",
  HOGFLARE_SQL_TOKEN: "t",
});
const encoder = new TextEncoder();
const node = (event, math) => ({ kind: "EventsNode", event, ...(math === undefined ? {} : { math }) });
const reply = (rows) => encoder.encode(JSON.stringify({ success: true, result: { schema: [], rows, metrics: { bytes_scanned: 1 } } }));

/** What the engine would give, as it gives it: objects by column. */
const CASES = {
  "trend, 40 days by 25 browsers": {
    query: {
      kind: "TrendsQuery",
      dateRange: { date_from: "-39d" },
      series: [node("$pageview", "dau")],
      breakdownFilter: { breakdown: "$browser", breakdown_type: "event" },
    },
    rows: Array.from({ length: ROWS }, (_, i) => ({ b: Math.floor(i / 25), v0: `Browser ${i % 25}`, n: i })),
  },
  "list of events": {
    query: { kind: "EventsQuery", select: ["event", "distinct_id", "timestamp", "properties.plan"], limit: ROWS },
    rows: Array.from({ length: ROWS }, (_, i) => ({ c0: "$pageview", c1: `user-${i}`, c2: 1_764_000_000_000_000 + i, c3: '"pro"' })),
  },
};

function asking({ query, rows }) {
  const head = core.head("POST", "/api/projects/1/query/", { "content-type": "application/json", authorization: "Bearer key" });
  const body = encoder.encode(JSON.stringify({ query }));
  const answer = reply(rows);
  return () => {
    let output = core.shim.startHttp(body.slice(), head);
    const { slot } = output;
    const queue = [...output.effects];
    while (!output.finished) {
      const effect = queue.shift();
      const status = effect.kind === EFFECT.readCache ? 404 : 200;
      output = core.shim.resume(
        slot,
        effect.id,
        { ok: true, status, retryAfterMs: 0, body: effect.kind === EFFECT.runQuery ? answer : new Uint8Array(0) },
        null,
      );
      queue.push(...output.effects);
    }
    core.shim.end(slot);
    if (output.status !== 200) throw new Error(`${output.status} ${new TextDecoder().decode(output.body)}`);
  };
}

const works = Object.fromEntries(
  Object.entries(CASES).flatMap(([name, { query, rows }]) => [
    [`${name}: planned, no rows`, asking({ query, rows: [] })],
    [`${name}: planned, ${ROWS} rows`, asking({ query, rows })],
  ]),
);
const us = alternate(works, effort);
console.log(table(["question, whole request in wasm", "µs"], Object.entries(us)));
if (jsonFile) writeFileSync(jsonFile, JSON.stringify(us, null, 1));
