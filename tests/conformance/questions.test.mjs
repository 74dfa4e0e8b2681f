// Questions over HTTP: from events that an SDK sends, through the tables, to PostHog's answers, and who may ask.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { answerWith, batch, event, startBesideEngine } from "./support.mjs";

const ADMIN = { authorization: "Bearer admin-token" };
const READER = { authorization: "Bearer phx_reader" };
const VIEWER = { authorization: "Bearer viewer-token" };
const vars = {
  HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1 }, phc_two: { team_id: 2, timezone: "Europe/Berlin" } }),
  HOGFLARE_ADMIN_TOKEN: "admin-token",
  POSTHOG_PERSONAL_API_KEY: "phx_reader",
  HOGFLARE_VIEWER_TOKEN: "viewer-token",
  HOGFLARE_FEATURE_FLAGS: JSON.stringify({
    flags: [],
    cohorts: [
      {
        id: 1,
        name: "Ada",
        filters: { properties: { type: "AND", values: [{ key: "email", type: "person", value: "ada@", operator: "icontains" }] } },
      },
      { id: 2, name: "listed", is_static: true, members: ["bob"] },
      { id: 3, name: "listed elsewhere", is_static: true },
      { id: 4, name: "gone", deleted: true, filters: { properties: { type: "AND", values: [] } } },
    ],
  }),
};
const TRENDS = { kind: "TrendsQuery", dateRange: { date_from: "-7d" }, series: [{ kind: "EventsNode", event: "viewed" }] };

/** Asks a project; {status, ...answer}. */
async function ask(system, query, { team = 1, headers = READER, members = {}, kind = "projects" } = {}) {
  const response = await system.post(`/api/${kind}/${team}/query/`, { query, ...members }, headers);
  return { status: response.status, type: response.headers.get("content-type"), ...(await response.json()) };
}

describe("questions", () => {
  let system;
  before(async () => {
    system = await startSystem({ vars, hasSql: true });
    const at = (hours) => new Date(Date.now() - hours * 3_600_000).toISOString();
    const one = [
      event({ event: "viewed", distinct_id: "ada", timestamp: at(30), properties: { plan: "pro", $set: { email: "ada@example.test" } } }),
      event({ event: "viewed", distinct_id: "ada", timestamp: at(29), properties: { plan: "pro" } }),
      event({ event: "viewed", distinct_id: "bob", timestamp: at(28), properties: { plan: "free" } }),
      event({ event: "bought", distinct_id: "ada", timestamp: at(27), properties: { price: 12 } }),
    ];
    const two = [event({ event: "viewed", distinct_id: "eve", timestamp: at(26) })];
    assert.equal((await system.post("/batch/", batch(one))).status, 200);
    assert.equal((await system.post("/batch/", { ...batch(two), api_key: "phc_two" })).status, 200);
  });
  after(() => system.stop());

  test("a trend has PostHog's shape and what asking cost", async () => {
    const answer = await ask(system, TRENDS, { members: { client_query_id: "mine", refresh: "force_blocking" } });
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.equal(answer.results[0].count, 3);
    assert.equal(answer.results[0].data.length, 8);
    assert.equal(answer.is_cached, false);
    assert.deepEqual(answer.query_status, {
      id: "mine",
      team_id: 1,
      query_async: false,
      complete: true,
      error: false,
      error_message: null,
    });
    assert.ok(answer.hogflare.bytes_scanned > 0);
    assert.ok(answer.hogflare.sql[0].includes("default"));
    assert.match(answer.hogflare.as_of, /^\d{4}-\d\d-\d\dT/);
    assert.equal(answer.timezone, "UTC");
  });

  test("every credential that may ask is taken, on both spellings of the path", async () => {
    for (const headers of [ADMIN, READER, VIEWER]) {
      assert.equal((await ask(system, TRENDS, { headers })).results[0].count, 3);
    }
    assert.equal((await ask(system, TRENDS, { kind: "environments" })).results[0].count, 3);
  });

  test("nobody else may ask, and no other site's page", async () => {
    for (const headers of [{}, { authorization: "Bearer " }, { authorization: "Bearer admin-toke" }, { authorization: "phx_reader" }]) {
      const answer = await ask(system, TRENDS, { headers });
      assert.equal(answer.status, 401);
      assert.equal(answer.type, "authentication_error");
    }
    const response = await system.post("/api/projects/1/query/", { query: TRENDS }, { ...READER, origin: "https://evil.example" });
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });

  test("a project's question sees its own rows only", async () => {
    const other = await ask(system, TRENDS, { team: 2 });
    assert.equal(other.results[0].count, 1);
    assert.equal(other.timezone, "Europe/Berlin");
    assert.equal((await ask(system, TRENDS, { team: 3 })).code, "not_found");
    assert.equal((await ask(system, TRENDS, { team: "@current" })).status, 404);
    const sql = { kind: "HogQLQuery", query: "SELECT distinct_id FROM events ORDER BY distinct_id" };
    assert.deepEqual((await ask(system, sql, { team: 2 })).results, [["eve"]]);
    for (const table of ["default.hogflare_events_v1", "hogflare_events_v1", '"default"."hogflare_events_v1"']) {
      const answer = await ask(system, { kind: "HogQLQuery", query: `SELECT distinct_id FROM ${table}` }, { team: 2 });
      assert.equal(answer.status, 400, table);
      assert.match(answer.detail, /no table that can be asked/);
    }
    const joined = "SELECT r.distinct_id FROM events e JOIN persons p ON p.distinct_id = e.distinct_id, default.hogflare_events_v1 r";
    assert.equal((await ask(system, { kind: "HogQLQuery", query: joined }, { team: 2 })).status, 400);
  });

  test("no way of writing SQL leads out of a project's own rows", async () => {
    const table = "default.hogflare_events_v1";
    for (const query of [
      `SELECT r.distinct_id, r.event FROM (SELECT event, 1 AS "limit" FROM events) AS e LEFT JOIN persons p ON e.limit = 2, ${table} AS r`,
      `SELECT r.distinct_id, r.event FROM events AS window, ${table} AS r`,
      `SELECT r.distinct_id, r.event FROM events window, ${table} AS r`,
      `SELECT r.distinct_id, r.event FROM\u00a0${table} AS r`,
      `SELECT r.distinct_id, r.event FROM events AS e,\u3000${table} AS r`,
      `SELECT DISTINCT ON (1) is DISTINCT FROM ${table} AS r, (SELECT 1 AS "is") AS i`,
      `SELECT (1) AS "default", r.event FROM events AS e WHERE 1 = 1, ${table} AS r`,
      "SELECT t.table_name FROM events AS window, information_schema.tables AS t",
    ]) {
      const answer = await ask(system, { kind: "HogQLQuery", query }, { team: 2 });
      assert.deepEqual([answer.status, answer.code], [400, "invalid_query"], `${query}: ${JSON.stringify(answer)}`);
      assert.equal(answer.results, undefined);
    }
    for (const [query, results] of [
      ['SELECT e.limit, e.distinct_id FROM (SELECT distinct_id, 1 AS "limit" FROM events) AS e', [[1, "eve"]]],
      ["SELECT e.distinct_id AS who FROM events AS e WHERE e.event = 'viewed' OR e.event = 'über default.x'", [["eve"]]],
      ["SELECT events.distinct_id FROM events LEFT JOIN persons AS p ON p.distinct_id = events.event", [["eve"]]],
    ]) {
      const answer = await ask(system, { kind: "HogQLQuery", query }, { team: 2 });
      assert.deepEqual(answer.results, results, `${query}: ${JSON.stringify(answer)}`);
    }
  });

  test("a tool sees its project's rows only, and is asked which where there are several", async () => {
    const call = async (name, args) => {
      const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } };
      const response = await system.post("/mcp", message, { ...READER, "mcp-protocol-version": "2025-11-25" });
      return (await response.json()).result;
    };
    const rows = async (team_id) =>
      JSON.parse((await call("sql", { team_id, sql: "SELECT distinct_id FROM events ORDER BY distinct_id" })).content[0].text).results;
    assert.deepEqual(await rows(2), [["eve"]]);
    assert.deepEqual(new Set((await rows(1)).flat()), new Set(["ada", "bob"]));
    for (const args of [{}, { team_id: 3 }, { team_id: -1 }]) {
      const refused = await call("events", args);
      assert.equal(refused.isError, true);
      assert.match(refused.content[0].text, /team_id/);
    }
    assert.match((await call("person", { team_id: 2, distinct_id: "ada" })).content[0].text, /no person/);
    assert.match(
      (await call("sql", { team_id: 2, sql: "SELECT * FROM default.hogflare_events_v1" })).content[0].text,
      /no table that can be asked/,
    );
  });

  test("each kind of question is answered", async () => {
    const steps = ["viewed", "bought"].map((name) => ({ kind: "EventsNode", event: name }));
    const dateRange = { date_from: "-7d" };
    const entity = (id) => ({ id, type: "events" });
    const answers = {
      FunnelsQuery: { series: steps, dateRange },
      RetentionQuery: {
        retentionFilter: { targetEntity: entity("viewed"), returningEntity: entity("bought"), period: "Day", totalIntervals: 4 },
      },
      LifecycleQuery: { series: [steps[0]], dateRange },
      StickinessQuery: { series: [steps[0]], dateRange },
      PathsQuery: { pathsFilter: { includeEventTypes: ["custom_event"] }, dateRange },
      WebOverviewQuery: { properties: [], dateRange },
      WebStatsTableQuery: { properties: [], breakdownBy: "Page", dateRange },
      SessionsQuery: { dateRange },
      EventsQuery: { select: ["event", "distinct_id"], after: "-7d" },
      PersonsQuery: {},
      ErrorTrackingQuery: { orderBy: "last_seen", dateRange, volumeResolution: 20 },
    };
    for (const [kind, members] of Object.entries(answers)) {
      const answer = await ask(system, { kind, ...members });
      assert.equal(answer.status, 200, `${kind}: ${JSON.stringify(answer)}`);
      assert.ok(answer.results !== undefined, kind);
      assert.ok(answer.hogflare.sql.length > 0, kind);
    }
    const experiment = await ask(system, {
      kind: "ExperimentQuery",
      experiment: {
        feature_flag_key: "checkout",
        variants: ["control", "test"],
        start_date: new Date(Date.now() - 7 * 86_400_000).toISOString(),
      },
      metric: { kind: "ExperimentMetric", metric_type: "mean", source: { kind: "EventsNode", event: "bought" } },
    });
    assert.equal(experiment.status, 200, JSON.stringify(experiment));
    assert.deepEqual([experiment.baseline.number_of_samples, experiment.variant_results[0].key], [0, "test"]);
    const funnel = await ask(system, { kind: "FunnelsQuery", ...answers.FunnelsQuery });
    assert.deepEqual(
      funnel.results.map((step) => step.count),
      [2, 1],
    );
  });

  test("cohorts of the flags' document are asked about", async () => {
    const of = (value, operator = "in") => ({ ...TRENDS, properties: [{ type: "cohort", key: "id", value, operator }] });
    for (const [question, count] of [
      [of(1), 2],
      [of(1, "not_in"), 1],
      [of(2), 1],
    ]) {
      const answer = await ask(system, question);
      assert.equal(answer.status, 200, JSON.stringify(answer));
      assert.equal(answer.results[0].count, count, JSON.stringify(question.properties));
    }
    const lines = await ask(system, { ...TRENDS, breakdownFilter: { breakdown_type: "cohort", breakdown: [1, 2] } });
    assert.deepEqual(
      lines.results.map(({ label, count }) => [label, count]),
      [
        ["Ada", 2],
        ["listed", 1],
      ],
    );
    for (const unknown of [3, 4, 5]) {
      const refused = await ask(system, of(unknown));
      assert.equal(refused.status, 400);
      assert.equal(refused.attr, "query.properties.0.value");
    }
  });

  test("the people behind a number: as many as it says", async () => {
    const behind = async (source) => {
      const answer = await ask(system, { kind: "ActorsQuery", select: ["actor"], source });
      assert.equal(answer.status, 200, JSON.stringify(answer));
      return answer.results.map(([person]) => person.distinct_ids[0]).sort();
    };
    const steps = ["viewed", "bought"].map((name) => ({ kind: "EventsNode", event: name }));
    const dateRange = { date_from: "-7d" };
    const trend = await ask(system, { ...TRENDS, series: [{ ...TRENDS.series[0], math: "dau" }] });
    for (const [index, count] of trend.results[0].data.entries()) {
      const day = trend.results[0].days[index];
      const people = await behind({
        kind: "InsightActorsQuery",
        source: { ...TRENDS, series: [{ ...TRENDS.series[0], math: "dau" }] },
        day,
        series: 0,
      });
      assert.equal(people.length, count, day);
    }
    const funnel = { kind: "FunnelsQuery", series: steps, dateRange };
    const at = (funnelStep) => behind({ kind: "FunnelsActorsQuery", source: funnel, funnelStep });
    assert.deepEqual(await at(1), ["ada", "bob"]);
    assert.deepEqual(await at(2), ["ada"]);
    assert.deepEqual(await at(-2), ["bob"]);
    const sticky = { kind: "StickinessQuery", series: [steps[0]], dateRange };
    const stickiness = await ask(system, sticky);
    for (const [index, count] of stickiness.results[0].data.entries()) {
      assert.equal((await behind({ kind: "InsightActorsQuery", source: sticky, day: index + 1, series: 0 })).length, count);
    }
    const entity = (id) => ({ id, type: "events" });
    const kept = {
      kind: "RetentionQuery",
      retentionFilter: { targetEntity: entity("viewed"), returningEntity: entity("viewed"), period: "Day", totalIntervals: 4 },
    };
    const retention = await ask(system, kept);
    for (const [interval, row] of retention.results.entries()) {
      assert.equal((await behind({ kind: "InsightActorsQuery", source: kept, interval })).length, row.values[0].count);
    }
    for (const status of ["new", "dormant"]) {
      const life = { kind: "LifecycleQuery", series: [steps[0]], dateRange };
      const counts = (await ask(system, life)).results.find((each) => each.status === status);
      const day = counts.days.at(-1);
      assert.equal((await behind({ kind: "InsightActorsQuery", source: life, status, day })).length, Math.abs(counts.data.at(-1)));
    }
  });

  test("SQL: the reader's and the admin's, not a viewer's; columns come by name", async () => {
    const sql = { kind: "HogQLQuery", query: "SELECT event AS what, count(*) AS n FROM events GROUP BY event ORDER BY event" };
    const answer = await ask(system, sql, { headers: ADMIN });
    assert.deepEqual(answer.columns, ["what", "n"]);
    assert.deepEqual(answer.types, ["string", "int64"]);
    assert.deepEqual(answer.results, [
      ["bought", 1],
      ["viewed", 3],
    ]);
    const refused = await ask(system, sql, { headers: VIEWER });
    assert.equal(refused.status, 403);
    assert.equal(refused.code, "permission_denied");
    assert.match(refused.detail, /HOGFLARE_VIEWER_SQL/);
    const wrong = await ask(system, { kind: "HogQLQuery", query: "SELECT nothing_like_it FROM events" }, { headers: ADMIN });
    assert.equal(wrong.status, 400);
    assert.equal(wrong.code, "engine_refuses_sql");
    for (const query of ["DELETE FROM events", "SELECT 1 FROM events; SELECT 2 FROM events", "SELECT * FROM read_parquet('x')"]) {
      assert.equal((await ask(system, { kind: "HogQLQuery", query }, { headers: ADMIN })).status, 400, query);
    }
  });

  test("an answer is kept for a while, and asked anew when the client wants it", async () => {
    const question = { ...TRENDS, dateRange: { date_from: "-3d" } };
    const first = await ask(system, question);
    assert.equal(first.is_cached, false);
    const second = await ask(system, question, { members: { client_query_id: "second" } });
    assert.equal(second.is_cached, true);
    assert.ok(second.cache_age_s >= 0);
    assert.equal(second.query_status.id, "second");
    assert.deepEqual(second.results, first.results);
    assert.equal(second.hogflare.as_of, first.hogflare.as_of);
    for (const refresh of [true, "force_blocking", "force_async"]) {
      assert.equal((await ask(system, question, { members: { refresh } })).is_cached, false);
    }
    assert.equal((await ask(system, question, { members: { refresh: "force_cache" } })).is_cached, true);
    const other = { ...question, dateRange: { date_from: "-5d" } };
    const missed = await ask(system, other, { members: { refresh: "force_cache" } });
    assert.equal(missed.status, 200);
    assert.ok(missed.cache_key.length > 0 && missed.results === undefined);
    assert.equal((await ask(system, question, { team: 2 })).is_cached, false);
  });

  test("what holds the moment of asking is kept as well, until the minute is over", async () => {
    for (const query of [
      { kind: "EventsQuery", select: ["event"], after: "-6d" },
      { kind: "ErrorTrackingQuery", orderBy: "last_seen", dateRange: { date_from: "-6d" } },
      { ...TRENDS, dateRange: { date_from: "-6d" }, trendsFilter: { display: "BoldNumber" } },
    ]) {
      const kept = [];
      // One of the three may be the first of its minute.
      for (let i = 0; i < 3; i += 1) kept.push((await ask(system, query)).is_cached);
      assert.ok(kept[1] || kept[2], `${query.kind} ${kept}`);
      assert.equal((await ask(system, { ...query, properties: [] })).is_cached, false);
    }
  });

  const get = async (path, headers = READER, team = 1) => {
    const response = await system.request(`/api/projects/${team}/${path}`, { headers });
    return { status: response.status, ...(await response.json()) };
  };

  test("lists: events and properties that there are", async () => {
    const events = await get("event_definitions/");
    assert.deepEqual(
      events.results.map(({ name, count }) => [name, count]).filter(([name]) => !name.startsWith("$")),
      [
        ["viewed", 3],
        ["bought", 1],
      ],
    );
    assert.match(events.results[0].last_seen_at, /^\d{4}-/);
    assert.deepEqual(
      (await get("event_definitions/?search=BOU")).results.map(({ name }) => name),
      ["bought"],
    );
    const all = await get("property_definitions/?type=event&event_names=[%22viewed%22]");
    const plan = all.results.find(({ name }) => name === "plan");
    assert.equal(plan.property_type, "String");
    assert.equal(plan.share, 1);
    assert.deepEqual(plan.values, [
      { value: "pro", count: 2 },
      { value: "free", count: 1 },
    ]);
    assert.equal((await get("property_definitions/?event_names=bought&search=pri")).results[0].property_type, "Numeric");
    assert.deepEqual((await get("property_definitions/?type=person&search=email")).results[0].values, [
      { value: "ada@example.test", count: 1 },
    ]);
    assert.equal(
      (await get("property_definitions/", READER, 2)).results.some(({ name }) => name === "plan"),
      false,
    );
  });

  test("lists: people and events as PostHog's", async () => {
    const people = await get("persons/");
    assert.deepEqual(people.results.flatMap((person) => person.distinct_ids).sort(), ["ada", "bob"]);
    const [ada] = (await get("persons/?distinct_id=ada")).results;
    assert.equal(ada.properties.email, "ada@example.test");
    assert.deepEqual(
      (await get("persons/?search=example.test")).results.map(({ name }) => name),
      ["ada@example.test"],
    );
    const events = await get("events/?after=-7d&event=viewed&limit=2");
    assert.equal(events.results.length, 2);
    assert.equal(events.results[0].event, "viewed");
    const next = await get(`events/${events.next}`);
    assert.equal(next.results.length, 1);
    assert.equal(next.next, null);
    assert.deepEqual(
      (await get("events/?after=-7d&distinct_id=bob")).results.map(({ distinct_id }) => distinct_id),
      ["bob"],
    );
    const filters = encodeURIComponent(JSON.stringify([{ key: "plan", type: "event", operator: "exact", value: ["pro"] }]));
    const both = (await get(`events/?after=-7d&properties=${filters}&distinct_id=ada`)).results;
    assert.deepEqual(
      both.map(({ distinct_id, properties }) => [distinct_id, properties.plan]),
      [
        ["ada", "pro"],
        ["ada", "pro"],
      ],
    );
    assert.deepEqual((await get(`events/?after=-7d&properties=${filters}&distinct_id=bob`)).results, []);
    const smuggled = encodeURIComponent('[],"kind":"HogQLQuery"');
    for (const query of [
      `events/?properties=${smuggled}`,
      `property_definitions/?event_names=${smuggled}`,
      "events/?properties=x",
      "events/?limit=many",
      "persons/?limit=-4",
      "property_definitions/?type=cat",
    ]) {
      assert.equal((await get(query)).status, 400, query);
    }
    assert.equal((await get("persons/", {})).status, 401);
  });

  test("CSV: a table, whose cells no spreadsheet takes for formulas", async () => {
    const csv = async (query) => {
      const response = await system.post("/api/projects/1/query/?format=csv", { query }, READER);
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type"), /^text\/csv/);
      return (await response.text()).split("\r\n");
    };
    const sql = `SELECT event, '=HYPERLINK("x")' AS formula, 'a,"b"' AS quoted, -1 AS n FROM events WHERE event = 'bought'`;
    assert.deepEqual(await csv({ kind: "HogQLQuery", query: sql }), [
      "event,formula,quoted,n",
      `bought,"'=HYPERLINK(""x"")","a,""b""",-1`,
      "",
    ]);
    const trend = await csv(TRENDS);
    assert.equal(trend[0], "date,viewed");
    assert.equal(trend.length, 10);
    const people = await system.request("/api/projects/1/persons/?format=csv", { headers: READER });
    assert.match(await people.text(), /created_at,distinct_ids/);
  });

  test("a refusal says what, where and what would be right", async () => {
    const math = await ask(system, { ...TRENDS, series: [{ kind: "EventsNode", event: "viewed", math: "hogql" }] });
    assert.equal(math.status, 400);
    assert.equal(math.attr, "query.series.0.math");
    assert.equal(math.code, "invalid_query");
    assert.match(math.detail, /^query\.series\.0\.math .*hogql/);
    assert.equal((await ask(system, TRENDS, { members: { refresh: "soon" } })).attr, "refresh");
    assert.equal((await ask(system, TRENDS, { members: { filters_override: { a: 1 } } })).attr, "filters_override");
    assert.equal((await ask(system, { kind: "TeapotQuery" })).attr, "query.kind");
  });

  test("what PostHog has and is not here is not found", async () => {
    for (const path of ["/api/users/@me/", "/api/organizations/@current/", "/api/projects/1/insights/", "/api/projects/1/query/some-id/"]) {
      assert.equal((await system.request(path, { headers: READER })).status, 404, path);
    }
  });

  test("hostile bodies get 4xx", async () => {
    const bodies = [
      "",
      "null",
      "[]",
      "{",
      '"query"',
      "{}",
      '{"query": 1}',
      '{"query": {}}',
      `{"query": ${"[".repeat(100_000)}`,
      `{"query": {"kind": ${'{"a":'.repeat(500)}1${"}".repeat(500)}}}`,
      `{"query": {"kind": "${"x".repeat(600_000)}"}}`,
      '{"query": {"kind": "TrendsQuery", "series": 7}}',
      '{"query": {"kind": "HogQLQuery", "query": "SELECT \'"}}',
      `{"query": {"kind": "HogQLQuery", "query": "SELECT ${"(".repeat(20_000)}"}}`,
      JSON.stringify({ query: { ...TRENDS, series: Array.from({ length: 2000 }, () => TRENDS.series[0]) } }),
      JSON.stringify({
        query: { ...TRENDS, properties: [{ key: "a'); DROP TABLE x; --", type: "event", value: ["'"], operator: "nope" }] },
      }),
      new Uint8Array([0xff, 0xfe, 0x7b]),
      JSON.stringify({ query: { ...TRENDS, dateRange: { date_from: "1-1-1", date_to: "9999999-01-01" } } }),
      JSON.stringify({ query: { kind: "PersonsQuery", select: Array(28_000).fill("person") } }),
    ];
    for (const body of bodies) {
      const response = await system.post("/api/projects/1/query/", body, READER);
      const text = await response.text();
      assert.ok(response.status >= 400 && response.status < 500, `${response.status} ${String(body).slice(0, 80)} ${text}`);
      assert.ok(JSON.parse(text).detail.length > 0);
    }
    assert.equal((await system.request("/api/projects/1/query/", { headers: READER })).status, 405);
  });
});

describe("an engine in trouble", () => {
  let system;
  let stop;
  let answers = [];
  before(async () => {
    ({ system, stop } = await startBesideEngine(vars, (statement, response) => {
      // How fresh the table is, is asked beside every question.
      const isFreshness = statement.includes("max(__ingest_ts)");
      const { status, body } = isFreshness ? { status: 404, body: "" } : answers.length > 1 ? answers.shift() : answers[0];
      if (status >= 300 && status < 400) response.setHeader("location", "/login");
      answerWith(response, body, status);
    }));
  });
  after(() => stop());
  const failing = (status, code, message) => ({ status, body: { success: false, errors: [{ code, message }], result: null } });

  test("each way it fails is a sentence with what to change", async () => {
    const cases = [
      [failing(403, 10000, "Authentication error"), 503, "engine_refuses_token", /HOGFLARE_SQL_TOKEN/],
      [failing(404, 7003, "no route"), 503, "engine_unknown", /HOGFLARE_SQL_BUCKET/],
      [failing(429, 10429, "slow down"), 429, "engine_throttled", /again/],
      [failing(400, 40004, "query would scan 99 bytes for DISTINCT, which may scan 5"), 400, "scan_budget", /shorter time/],
      [failing(400, 40004, "table 'default.hogflare_events_v1' not found"), 503, "no_table", /first rows/],
      [failing(400, 40003, "syntax error"), 502, "engine_refuses_statement", /syntax error/],
      [failing(502, 0, "bad gateway"), 503, "engine_unavailable", /502/],
      [{ status: 302, body: "" }, 503, "engine_moved", /302.*HOGFLARE_SQL_URL/],
      [{ status: 307, body: "" }, 503, "engine_moved", /307.*HOGFLARE_SQL_URL/],
      [{ status: 200, body: "<html>" }, 502, "engine_unreadable", /./],
      [{ status: 200, body: { result: { rows: [1, 2] } } }, 502, "engine_unreadable", /./],
      [
        { status: 200, body: { ...failing(200, 40003, "half of it").body, result: { rows: [] } } },
        502,
        "engine_refuses_statement",
        /half of it/,
      ],
      [{ status: 200, body: { success: false, errors: [], result: { rows: [] } } }, 502, "engine_unreadable", /./],
      [{ status: 200, body: { success: true, errors: [{}], result: { rows: [] } } }, 502, "engine_unreadable", /./],
      [failing(200, 40004, "query would scan 99 bytes"), 400, "scan_budget", /shorter time/],
      [{ status: 200, body: `{"result":{"rows":["${"x".repeat(5 << 20)}"]}}` }, 400, "answer_too_large", /shorter/],
    ];
    for (const [answer, status, code, words] of cases) {
      answers = [answer];
      const got = await ask(system, TRENDS);
      assert.equal(got.status, status, JSON.stringify(got));
      assert.equal(got.code, code);
      assert.match(got.detail, words);
    }
  });

  test("rows that are none of the statement's are no answer, and nothing is kept of them", async () => {
    const schema = ["b", "n"].map((name) => ({ name, descriptor: { type: { name: "int64" } } }));
    for (const result of [
      { rows: [{ b: 2 }] },
      { rows: [["x", "y", "z"]] },
      { rows: [[2]] },
      { rows: [[], {}] },
      { rows: [[1, "many"]] },
      { rows: [{ b: 2 }], schema },
      { rows: [{ b: 2, n: 1 }], schema: schema.slice(0, 1) },
      { rows: [{ b: null, n: 1 }], schema },
    ]) {
      answers = [{ status: 200, body: { result } }];
      const got = await ask(system, TRENDS);
      assert.deepEqual([got.status, got.code], [502, "engine_unreadable"], `${JSON.stringify(result)}: ${JSON.stringify(got)}`);
      assert.equal((await ask(system, TRENDS, { members: { refresh: "force_cache" } })).results, undefined, JSON.stringify(result));
    }
    answers = [{ status: 200, body: { success: true, errors: [], result: { rows: [{ b: "2", n: 3 }], schema } } }];
    const answer = await ask(system, { ...TRENDS, dateRange: { date_from: "-3d" } });
    assert.equal(answer.results?.[0].count, 3, JSON.stringify(answer));
  });

  test("an answer many times its rows is refused by what to ask instead, and ends nothing", async () => {
    const values = Array.from({ length: 600 }, (_, n) => ({ b: n % 1_900, v0: `https://example.com/${n}`, n: 1 }));
    answers = [{ status: 200, body: { result: { rows: values } } }];
    const wide = { ...TRENDS, interval: "hour", dateRange: { date_from: "-80d" } };
    const breakdownFilter = { breakdown: "$current_url", breakdown_type: "event", breakdown_limit: 500 };
    const got = await ask(system, { ...wide, breakdownFilter });
    assert.deepEqual([got.status, got.code], [400, "answer_too_large"], JSON.stringify(got).slice(0, 300));
    assert.match(got.detail, /a longer interval, a shorter time or fewer values/);
    const series = Array.from({ length: 26 }, () => TRENDS.series[0]);
    answers = [{ status: 200, body: { result: { rows: values.slice(0, 27) } } }];
    const many = await ask(system, { ...wide, series, breakdownFilter: { ...breakdownFilter, breakdown_limit: 25 } });
    assert.deepEqual([many.status, many.code], [400, "answer_too_large"], JSON.stringify(many).slice(0, 300));
    const days = await ask(system, { ...TRENDS, breakdownFilter: { ...breakdownFilter, breakdown_limit: 25 } });
    assert.equal(days.results.length, 27);
    assert.equal((await (await system.request("/healthz", { headers: ADMIN })).json()).traps, 0);
  });

  test("what it cannot take just then is asked once more", async () => {
    answers = [failing(500, 80001, "try again"), { status: 200, body: { result: { rows: [], metrics: { bytes_scanned: 5 } } } }];
    const answer = await ask(system, TRENDS);
    assert.equal(answer.status, 200, JSON.stringify(answer));
    assert.equal(answer.hogflare.bytes_scanned, 5);
  });
});

test("without an engine, and without anybody who may ask, it says so", async () => {
  const system = await startSystem({ vars: { HOGFLARE_VIEWER_TOKEN: "viewer-token" } });
  try {
    const answer = await ask(system, TRENDS, { headers: VIEWER });
    assert.equal(answer.status, 503);
    assert.equal(answer.code, "no_sql_engine");
    assert.equal((await ask(system, TRENDS, { headers: {} })).status, 401);
  } finally {
    await system.stop();
  }
});
