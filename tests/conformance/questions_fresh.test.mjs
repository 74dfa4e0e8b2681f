// How fresh an answer is, and what it lacks: until when the table has rows, and which days the engine gave no
// answer for.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { eventually, startSystem } from "../lib/harness.mjs";
import { answerWith, batch, event, startBesideEngine } from "./support.mjs";

const KEY = "phx_a-key-nobody-guesses";
const READER = { authorization: `Bearer ${KEY}` };
const vars = { POSTHOG_PERSONAL_API_KEY: KEY, HOGFLARE_ADMIN_TOKEN: "admin-token" };
const DAY_US = 86_400_000_000;
const TOO_MUCH = { code: 40004, message: "query would scan 99 bytes, which may scan 5" };

/** Asks a project; {status, headers, ...answer}. */
async function ask(system, query, members = {}) {
  const response = await system.post("/api/projects/1/query/", { query, ...members }, READER);
  return { status: response.status, ...(await response.json()) };
}

/** A tool of /mcp; its result. */
async function callTool(system, name, args) {
  const message = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name, arguments: args } };
  const response = await system.post("/mcp", message, { ...READER, "mcp-protocol-version": "2025-11-25" });
  return (await response.json()).result;
}

/** `hogflare query`; {stdout, stderr}. */
function runQuery(system, args) {
  const cwd = mkdtempSync(join(tmpdir(), "hogflare-fresh-"));
  return new Promise((done) => {
    const child = spawn(process.execPath, [join(ROOT, "bin/hogflare"), "query", ...args, "--worker", system.url, "--project", "1"], {
      cwd,
      env: { PATH: process.env.PATH, HOME: cwd, POSTHOG_PERSONAL_API_KEY: KEY },
    });
    const texts = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) child[stream].on("data", (part) => (texts[stream] += part));
    child.once("close", (code) => {
      rmSync(cwd, { recursive: true, force: true });
      done({ code, ...texts });
    });
  });
}

describe("a sink that shows rows some seconds after they arrived", () => {
  let system;
  before(async () => {
    system = await startSystem({ vars, hasSql: true, rollSeconds: 3 });
  });
  after(() => system.stop());
  const TRENDS = { kind: "TrendsQuery", dateRange: { date_from: "-1d" }, series: [{ kind: "EventsNode", event: "viewed" }] };
  const send = async (id) => assert.equal((await system.post("/batch/", batch([event({ event: "viewed", distinct_id: id })]))).status, 200);
  /** The answer, and how many rows had arrived by the moment it names. */
  const look = async () => {
    const answer = await ask(system, TRENDS, { refresh: "force_blocking" });
    assert.equal(answer.status, 200, JSON.stringify(answer));
    const until = answer.hogflare.data_until;
    const [{ n }] =
      until === null
        ? [{ n: 0 }]
        : await system.sql(
            `SELECT count(*) AS n FROM events WHERE event = 'viewed' AND __ingest_ts <= TIMESTAMP '${until.replace("Z", "")}'`,
          );
    return { answer, until, count: answer.results[0].count, arrived: Number(n) };
  };

  test("every answer says until when it knows, and knows all that had arrived by then", async () => {
    assert.equal((await look()).until, null, "nothing has arrived");
    const moments = [];
    for (const id of ["ada", "bob"]) {
      await send(id);
      const seen = await eventually(async () => {
        const now = await look();
        // It may know more than it says, where a file was closed in between; never less.
        assert.ok(now.count >= now.arrived, JSON.stringify(now));
        return now.count === moments.length + 1 && now.arrived === now.count && now;
      });
      moments.push(seen.until);
    }
    assert.match(moments[0], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/);
    assert.ok(moments[0] < moments[1], moments.join(" "));
  });

  test("lists, CSV, tools and the command say it too", async () => {
    const until = await eventually(async () => (await look()).until);
    const isMoment = (text) => assert.ok(text >= until, `${text} ${until}`);
    for (const list of ["events/?after=-1d", "persons/", "event_definitions/", "property_definitions/"]) {
      const response = await system.request(`/api/projects/1/${list}`, { headers: READER });
      isMoment((await response.json()).hogflare.data_until);
    }
    const csv = await system.post("/api/projects/1/query/?format=csv", { query: TRENDS }, READER);
    isMoment(csv.headers.get("x-hogflare-data-until"));
    const told = await callTool(system, "query", { query: TRENDS });
    isMoment(JSON.parse(told.content[0].text).hogflare.data_until);
    for (const format of [[], ["--csv"], ["--json"]]) {
      const { stderr } = await runQuery(system, [JSON.stringify(TRENDS), ...format]);
      isMoment(/^data until (\S+)$/m.exec(stderr)?.[1]);
    }
  });
});

describe("an engine that answers for some days", () => {
  let system;
  let stop;
  /** Statements that came, as {days: how long, from: of day} or "freshness". */
  let asked = [];
  let isTooMuch = () => false;
  let freshness = { rows: [{ t: Date.UTC(2026, 0, 2) * 1000 }] };
  const FIRST_US = Date.UTC(2026, 0, 1) * 1000;

  function answer(sql) {
    if (sql.includes("max(__ingest_ts)")) return freshness;
    const [, from, to] = /t >= (\d+) AND t <= (\d+)/.exec(sql).map(Number);
    const one = { day: (from - FIRST_US) / DAY_US, days: (to + 1 - from) / DAY_US };
    asked.push(one);
    if (isTooMuch(one)) return null;
    return { rows: Array.from({ length: one.days }, (_, i) => ({ b: one.day + i, n: 5 + one.day + i })), metrics: { bytes_scanned: 10 } };
  }

  before(async () => {
    ({ system, stop } = await startBesideEngine(vars, (statement, response) => {
      const result = answer(statement);
      const errors = result === null ? [TOO_MUCH] : [];
      answerWith(response, { success: result !== null, errors, result }, result === null ? 400 : 200);
    }));
  });
  after(() => stop());
  const dateRange = { date_from: "2026-01-01", date_to: "2026-01-06" };
  const node = (name, more = {}) => ({ kind: "EventsNode", event: name, ...more });
  const TRENDS = { kind: "TrendsQuery", dateRange, series: [node("viewed")] };
  const anew = { refresh: "force_blocking" };
  const setUp = (rule) => {
    asked = [];
    isTooMuch = rule;
  };

  test("what is too much as a whole is asked day by day; a day that fails is null and named", async () => {
    setUp(({ day, days }) => days > 1 || day === 3);
    const got = await ask(system, TRENDS, anew);
    assert.equal(got.status, 200, JSON.stringify(got));
    assert.deepEqual(got.results[0].data, [5, 6, 7, null, 9, 10]);
    assert.equal(got.results[0].count, 37);
    assert.deepEqual(
      got.results[0].days,
      Array.from({ length: 6 }, (_, i) => `2026-01-0${i + 1}`),
    );
    assert.deepEqual(got.hogflare.days_missing, ["2026-01-04"]);
    assert.match(got.hogflare.warnings[0], /no answer for 1 of 6 days/);
    assert.equal(got.hogflare.bytes_scanned, 50);
    assert.deepEqual(asked[0], { day: 0, days: 6 });
    // Four travel at once and may arrive in any order.
    assert.ok(
      asked.slice(1, 5).some(({ day }) => day === 5),
      "the newest first",
    );
    assert.equal(asked.length, 7);
  });

  test("of several series a day is there whole or not at all, and formulas have the gap", async () => {
    let threes = 0;
    // One of the two statements of the day fails.
    setUp(({ day, days }) => days > 1 || (day === 3 && ++threes === 2));
    const got = await ask(system, { ...TRENDS, series: [node("viewed"), node("bought", { math: "dau" })] }, anew);
    assert.deepEqual(
      got.results.map((line) => line.data),
      [
        [5, 6, 7, null, 9, 10],
        [5, 6, 7, null, 9, 10],
      ],
    );
    threes = 0;
    const formula = { ...TRENDS, series: [node("viewed"), node("bought")], trendsFilter: { formula: "A/B" } };
    const divided = await ask(system, formula, anew);
    assert.deepEqual(divided.results[0].data, [1, 1, 1, null, 1, 1]);
  });

  test("a partial answer is a gap in CSV, a tool's answer and the command's", async () => {
    setUp(({ day, days }) => days > 1 || day === 3);
    const csv = await system.post("/api/projects/1/query/?format=csv", { query: TRENDS, ...anew }, READER);
    assert.equal(csv.headers.get("x-hogflare-days-missing"), "2026-01-04");
    assert.match(await csv.text(), /2026-01-03,7\r\n2026-01-04,\r\n2026-01-05,9/);
    const told = await callTool(system, "query", { query: TRENDS, refresh: true });
    assert.deepEqual(JSON.parse(told.content[0].text).hogflare.days_missing, ["2026-01-04"]);
    for (const format of [[], ["--json"]]) {
      const { code, stderr } = await runQuery(system, [JSON.stringify(TRENDS), "--refresh", ...format]);
      assert.equal(code, 0, stderr);
      assert.match(stderr, /no answer for 2026-01-04/);
    }
  });

  test("who wants all or nothing says so", async () => {
    setUp(({ day, days }) => days > 1 || day === 3);
    const got = await ask(system, TRENDS, { ...anew, partial: false });
    assert.deepEqual([got.status, got.code, asked.length], [400, "scan_budget", 1]);
    assert.equal((await ask(system, TRENDS, { ...anew, partial: true })).status, 200);
    assert.equal((await ask(system, TRENDS, { partial: "no" })).attr, "partial");
  });

  test("questions that are no sum of their days are refused as a whole", async () => {
    for (const more of [
      { breakdownFilter: { breakdown: "$browser" } },
      { interval: "week" },
      { compareFilter: { compare: true } },
      { trendsFilter: { display: "ActionsLineGraphCumulative" } },
      { trendsFilter: { display: "BoldNumber" } },
      { trendsFilter: { smoothingIntervals: 2 } },
      { series: [node("viewed", { math: "weekly_active" })] },
    ]) {
      setUp(() => true);
      const got = await ask(system, { ...TRENDS, ...more }, anew);
      assert.equal(got.code, "scan_budget", JSON.stringify(more));
      assert.ok(asked.length <= 2, JSON.stringify([more, asked]));
    }
  });

  test("an engine that answers nothing is not asked for every day", async () => {
    setUp(() => true);
    const got = await ask(system, { ...TRENDS, dateRange: { date_from: "2026-01-01", date_to: "2026-01-31" } }, anew);
    assert.deepEqual([got.status, got.code], [400, "scan_budget"]);
    assert.ok(asked.length <= 9, `${asked.length} statements`);
  });

  test("an engine that does not say how fresh it is answers all the same", async () => {
    setUp(() => false);
    for (const reply of [null, { rows: [] }, { rows: [{ t: null }] }, { rows: "?" }]) {
      freshness = reply;
      const got = await ask(system, TRENDS, anew);
      assert.deepEqual(got.results[0].data, [5, 6, 7, 8, 9, 10]);
      assert.equal(got.hogflare.data_until, null);
      assert.equal(got.hogflare.days_missing, undefined);
      assert.deepEqual(got.hogflare.warnings, []);
    }
    freshness = { rows: [{ t: FIRST_US }] };
    assert.equal((await ask(system, TRENDS, anew)).hogflare.data_until, "2026-01-01T00:00:00.000000Z");
  });

  test("it is asked how fresh it is once a minute, not with every question", async () => {
    setUp(() => false);
    let count = 0;
    const given = freshness;
    freshness = {
      get rows() {
        count += 1;
        return given.rows;
      },
    };
    for (const name of ["one", "two", "three"]) {
      const got = await ask(system, { ...TRENDS, series: [node(name)] });
      assert.equal(got.hogflare.data_until, "2026-01-01T00:00:00.000000Z");
    }
    assert.ok(count <= 1, `${count} times`);
  });
});

describe("days asked one by one", () => {
  let system;
  let stop;
  let isRefusing = false;
  const ZONE = "Europe/Berlin";
  before(async () => {
    // The stand-in's own engine, but for statements about more than a day, while it refuses.
    const own = { ...vars, HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1, timezone: ZONE } }) };
    ({ system, stop } = await startBesideEngine(own, async (statement, response, request) => {
      const [, from, to] = (/t >= (\d+) AND t <= (\d+)/.exec(statement) ?? ["", 0, 0]).map(Number);
      if (isRefusing && to - from > 1.2 * DAY_US) return answerWith(response, { success: false, errors: [TOO_MUCH], result: null }, 400);
      const asked = await fetch(system.pipeline.url + request.url, {
        method: "POST",
        headers: { authorization: request.headers.authorization, "content-type": "application/json" },
        body: JSON.stringify({ query: statement }),
      });
      answerWith(response, await asked.text(), asked.status);
    }));
    const events = Array.from({ length: 150 }, (_, i) =>
      event({
        event: "viewed",
        distinct_id: `user-${i % 17}`,
        // Every hour of a week over the change of the clock, whose days begin at 23:00 and at 22:00 UTC.
        timestamp: new Date(Date.UTC(2026, 2, 26, 20) + i * 3_600_000).toISOString(),
        properties: { price: (i * 7) % 31, $session_id: `0190d5a7-0000-7000-8000-0000000000${10 + (i % 23)}` },
      }),
    );
    assert.equal((await system.post("/batch/", batch(events))).status, 200);
  });
  after(() => stop());

  test("give the numbers of the whole", async () => {
    const series = ["total", "dau", "unique_session", "sum", "avg", "p90", "max"].map((math) => ({
      kind: "EventsNode",
      event: "viewed",
      math,
      ...(["total", "dau", "unique_session"].includes(math) ? {} : { math_property: "price" }),
    }));
    const question = { kind: "TrendsQuery", series, dateRange: { date_from: "2026-03-26", date_to: "2026-04-02" } };
    const whole = await ask(system, question, { refresh: "force_blocking" });
    assert.equal(whole.status, 200, JSON.stringify(whole));
    assert.equal(whole.results[0].count, 150);
    isRefusing = true;
    const refused = await ask(system, question, { refresh: "force_blocking", partial: false });
    assert.equal(refused.code, "scan_budget");
    const byDay = await ask(system, question, { refresh: "force_blocking" });
    isRefusing = false;
    assert.equal(byDay.hogflare.days_missing, undefined, JSON.stringify(byDay.hogflare.days_missing));
    assert.deepEqual(byDay.results, whole.results);
  });
});
