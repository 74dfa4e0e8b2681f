// What a question would have the engine read, told before it is asked: by what its like has read, without asking the engine.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { answerWith, startBesideEngine } from "./support.mjs";

const ADMIN = { authorization: "Bearer admin-token" };
const VIEWER = { authorization: "Bearer viewer-token" };
const VARS = {
  HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1 }, phc_two: { team_id: 2, timezone: "Europe/Berlin" } }),
  HOGFLARE_ADMIN_TOKEN: "admin-token",
  HOGFLARE_VIEWER_TOKEN: "viewer-token",
};
const DAY_BYTES = 3_000_000_000;
const PRICE = 2.5e-12;
const trends = (more = {}) => ({
  kind: "TrendsQuery",
  dateRange: { date_from: "-7d" },
  series: [{ kind: "EventsNode", event: "viewed" }],
  ...more,
});
const sql = (query) => ({ kind: "HogQLQuery", query });

describe("a question's estimate", () => {
  let system, stop;
  let asked = 0;
  /** What the engine says that each statement read. */
  let bytes = 0;

  before(async () => {
    ({ system, stop } = await startBesideEngine(VARS, (statement, response) => {
      const isFreshness = statement.includes("max(__ingest_ts)");
      if (!isFreshness) asked += 1;
      const schema = ["b", "n", "t"].map((name) => ({ name, descriptor: { type: { name: "int64" } } }));
      // The look at the newest row costs as well, and is no part of a question's like.
      answerWith(response, { result: { schema, rows: [], metrics: { bytes_scanned: isFreshness ? 77 : bytes } } });
    }));
  });
  after(() => stop());
  beforeEach(() => {
    asked = 0;
  });

  async function answer(query, read) {
    bytes = read;
    const response = await system.post("/api/projects/1/query/", { query, refresh: "force_blocking" }, ADMIN);
    assert.equal(response.status, 200, await response.text());
  }
  async function estimate(query, { team = 1, headers = ADMIN } = {}) {
    const before = asked;
    const response = await system.post(`/api/projects/${team}/query/estimate/`, { query }, headers);
    assert.equal(asked, before, "an estimate asks the engine nothing");
    return { status: response.status, ...(await response.json()) };
  }

  test("of what nothing like has been answered is null, with the reason", async () => {
    const { reason, ...rest } = await estimate(trends());
    assert.deepEqual(rest, { status: 200, basis: null, bytes: null, days: 8, dollars: null, statements: 1 });
    assert.match(reason, /nothing like it has been answered/);
  });

  test("of another range is what the question read a day, times its days; those it is compared with count", async () => {
    await answer(trends(), 8 * DAY_BYTES);
    const month = await estimate(trends({ dateRange: { date_from: "-30d" } }));
    assert.deepEqual(month, {
      status: 200,
      basis: "same",
      bytes: 31 * DAY_BYTES,
      days: 31,
      dollars: Number((31 * DAY_BYTES * PRICE).toFixed(6)),
      reason: null,
      statements: 1,
    });
    const compared = await estimate(trends({ compareFilter: { compare: true } }));
    assert.deepEqual([compared.basis, compared.days, compared.bytes, compared.statements], ["same", 16, 16 * DAY_BYTES, 2]);
    const past = await estimate(trends({ dateRange: { date_from: "2026-01-01", date_to: "2026-01-02" } }));
    assert.deepEqual([past.basis, past.days, past.bytes], ["same", 2, 2 * DAY_BYTES]);
  });

  test("counts a day of 25 hours as one", async () => {
    const october = trends({ dateRange: { date_from: "2026-10-01", date_to: "2026-10-31" } });
    assert.equal((await estimate(october, { team: 2 })).days, 31);
  });

  test("of another question of its kind is the costliest's; what reads less afterwards does not lower it", async () => {
    await answer(trends({ series: [{ kind: "EventsNode", event: "viewed", math: "dau" }] }), 8 * 1_000_000);
    const other = await estimate(trends({ series: [{ kind: "EventsNode", event: "bought" }] }));
    assert.deepEqual([other.basis, other.bytes], ["kind", 8 * DAY_BYTES]);
    // Each statement is billed 10 MB at the least.
    const small = await estimate(trends({ series: [{ kind: "EventsNode", event: "viewed", math: "dau" }] }));
    assert.deepEqual([small.basis, small.bytes, small.dollars], ["same", 8_000_000, 0.000025]);
    assert.equal((await estimate({ kind: "LifecycleQuery", series: trends().series })).basis, null);
    assert.equal((await estimate(trends(), { team: 2 })).basis, null, "another project's");
  });

  test("of all time, and of SQL, is what that very question read", async () => {
    const all = trends({ dateRange: { date_from: "all" }, interval: "month" });
    assert.deepEqual((({ basis, days }) => [basis, days])(await estimate(all)), [null, null]);
    await answer(all, 123_456);
    assert.deepEqual((({ basis, days, bytes: told }) => [basis, days, told])(await estimate(all)), ["same", null, 123_456]);
    await answer(sql("SELECT 1 AS n FROM events"), 20_000_000_000);
    const told = await estimate(sql("SELECT 1 AS n FROM events"));
    assert.deepEqual([told.basis, told.bytes, told.days, told.dollars], ["same", 20_000_000_000, null, 0.05]);
    assert.equal((await estimate(sql("SELECT 2 AS n FROM events"))).basis, null);
  });

  test("is refused as the question would be", async () => {
    const bad = await estimate(trends({ series: [{ kind: "EventsNode", event: "viewed", math: "teapot" }] }));
    assert.deepEqual([bad.status, bad.code, bad.attr], [400, "invalid_query", "query.series.0.math"]);
    const unread = await estimate(undefined);
    assert.deepEqual([unread.status, unread.attr], [400, "query"]);
    const free = await estimate(sql("SELECT 1 AS n FROM events"), { headers: VIEWER });
    assert.deepEqual([free.status, free.code], [403, "permission_denied"]);
    assert.equal((await estimate(trends(), { headers: VIEWER })).basis, "same");
    assert.equal((await estimate(trends(), { headers: {} })).status, 401);
    assert.equal((await estimate(trends(), { team: 9 })).status, 404);
    assert.equal((await system.request("/api/projects/1/query/estimate/", { headers: ADMIN })).status, 405);
  });
});
