// Several questions in one request: each is answered as if it had come alone, as it comes, two at a time; who
// leaves takes along what the engine was asked.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, test } from "node:test";
import { eventually } from "../lib/harness.mjs";
import { answerWith, startBesideEngine } from "./support.mjs";

const ADMIN = { authorization: "Bearer admin-token" };
const VIEWER = { authorization: "Bearer viewer-token" };
const VARS = {
  HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1 } }),
  HOGFLARE_ADMIN_TOKEN: "admin-token",
  HOGFLARE_VIEWER_TOKEN: "viewer-token",
};
const PATH = "/api/projects/1/query/batch/";
/** A question whose statement is known by its number. */
const numbered = (n) => ({ query: { kind: "HogQLQuery", query: `SELECT ${n} AS n` }, refresh: "force_blocking" });

const FRESHNESS = { schema: [], rows: [{ t: 1_764_000_000_000_000 }], metrics: { bytes_scanned: 0 } };

describe("several questions in one request", () => {
  let system, stop;
  /** Statements under way, by number: what answers them. @type {Map<number, (body: object) => void>} */
  const open = new Map();
  /** Numbers in the order the engine was asked, and those whose asker went away. */
  let asked = [];
  let left = [];
  let openMax = 0;

  before(async () => {
    ({ system, stop } = await startBesideEngine(VARS, (statement, response) => {
      const n = Number(/SELECT (\d+) AS/.exec(statement)?.[1]);
      // How fresh the table is, which is asked once a minute beside a question.
      if (Number.isNaN(n)) return answerWith(response, { result: FRESHNESS });
      asked.push(n);
      open.set(n, (result) => {
        open.delete(n);
        answerWith(response, { result });
      });
      openMax = Math.max(openMax, open.size);
      response.on("close", () => {
        if (open.delete(n)) left.push(n);
      });
    }));
  });
  after(() => stop());
  afterEach(() => {
    assert.deepEqual([...open.keys()], [], "nothing is left under way");
    asked = [];
    left = [];
    openMax = 0;
  });

  const answerOf = (n) => ({
    schema: [{ name: "n", descriptor: { type: { name: "int64" } } }],
    rows: [{ n }],
    metrics: { bytes_scanned: n },
  });
  const underWay = (...wanted) =>
    eventually(() => JSON.stringify([...open.keys()].sort()) === JSON.stringify(wanted), { what: `statements ${wanted} under way` });

  /** The next line of an answer's stream. */
  function linesOf(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    const next = async () => {
      while (!text.includes("\n")) {
        const { done, value } = await reader.read();
        if (done) return text.trim() === "" ? null : text;
        text += value;
      }
      const [line] = text.split("\n", 1);
      text = text.slice(line.length + 1);
      return line === "" ? next() : JSON.parse(line);
    };
    return next;
  }

  test("answers are lines, in the order they come, and two questions are asked at a time", async () => {
    const response = await system.post(PATH, { queries: [1, 2, 3, 4].map(numbered) }, ADMIN);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("content-type"), "application/x-ndjson");
    assert.equal(response.headers.get("cache-control"), "no-store");
    const next = linesOf(response);
    await underWay(1, 2);
    open.get(2)(answerOf(2));
    const first = await next();
    assert.equal(first.index, 1, "the second came first");
    assert.equal(first.status, 200);
    assert.deepEqual(first.answer.results, [[2]]);
    assert.equal(first.answer.hogflare.bytes_scanned, 2);
    await underWay(1, 3);
    open.get(1)(answerOf(1));
    assert.equal((await next()).index, 0);
    await underWay(3, 4);
    open.get(3)(answerOf(3));
    open.get(4)(answerOf(4));
    assert.deepEqual([(await next()).index, (await next()).index].sort(), [2, 3]);
    assert.equal(await next(), null);
    assert.equal(openMax, 2);
  });

  test("a question is refused by itself, in the words it would get alone", async () => {
    const teapot = { query: { kind: "TeapotQuery" } };
    const response = await system.post(PATH, { queries: [teapot, numbered(5), { refresh: true }] }, ADMIN);
    await underWay(5);
    open.get(5)(answerOf(5));
    const lines = (await response.text())
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
    lines.sort((a, b) => a.index - b.index);
    assert.deepEqual(
      lines.map(({ status }) => status),
      [400, 200, 400],
    );
    const alone = await (await system.post("/api/projects/1/query/", teapot, ADMIN)).json();
    assert.deepEqual(lines[0].error, alone);
    assert.equal(lines[2].error.attr, "query");
    const [sql] = (await (await system.post(PATH, { queries: [numbered(6)] }, VIEWER)).text()).trim().split("\n");
    assert.deepEqual([JSON.parse(sql).status, JSON.parse(sql).error.code], [403, "permission_denied"]);
  });

  test("what was kept is answered from the cache", async () => {
    const kept = { query: numbered(7).query };
    const ask = async () => JSON.parse(await (await system.post(PATH, { queries: [kept] }, ADMIN)).text());
    const first = ask();
    await underWay(7);
    open.get(7)(answerOf(7));
    assert.equal((await first).answer.is_cached, false);
    assert.equal((await ask()).answer.is_cached, true);
    assert.deepEqual(asked, [7]);
  });

  test("a reader who leaves stops what is asked, and nothing further is begun", async () => {
    const leave = new AbortController();
    const response = await fetch(system.url + PATH, {
      method: "POST",
      headers: { ...ADMIN, "content-type": "application/json" },
      body: JSON.stringify({ queries: [11, 12, 13, 14].map(numbered) }),
      signal: leave.signal,
    });
    assert.equal(response.status, 200);
    await underWay(11, 12);
    leave.abort();
    await eventually(() => left.length === 2, { what: "both statements are let go" });
    assert.deepEqual(left.sort(), [11, 12]);
    // The Worker goes on: another question is answered, and of those that waited none was begun.
    const alone = system.post("/api/projects/1/query/", numbered(15), ADMIN);
    await underWay(15);
    open.get(15)(answerOf(15));
    assert.equal((await alone).status, 200);
    assert.deepEqual(asked, [11, 12, 15]);
  });

  test("a single question goes on when its reader leaves: its answer is kept for who asks next", async () => {
    const leave = new AbortController();
    const { query } = numbered(21);
    const response = fetch(`${system.url}/api/projects/1/query/`, {
      method: "POST",
      headers: { ...ADMIN, "content-type": "application/json" },
      body: JSON.stringify({ query }),
      signal: leave.signal,
    });
    await underWay(21);
    leave.abort();
    await assert.rejects(response, { name: "AbortError" });
    // A whole batch comes and goes meanwhile, which would notice within a second: the statement stands.
    const other = system.post(PATH, { queries: [numbered(22)] }, ADMIN);
    await underWay(21, 22);
    const pulse = (await other).body.getReader();
    for (let n = 0; n < 3; n += 1) assert.equal(new TextDecoder().decode((await pulse.read()).value), "\n");
    assert.deepEqual([left, [...open.keys()].sort()], [[], [21, 22]]);
    open.get(22)(answerOf(22));
    open.get(21)(answerOf(21));
    const again = async () =>
      (await (await system.post("/api/projects/1/query/", { query, refresh: "force_cache" }, ADMIN)).json()).is_cached;
    await eventually(async () => (await again()) === true, { what: "the answer that nobody waited for" });
    assert.deepEqual(asked, [21, 22]);
    await pulse.cancel();
  });

  test("without a right, a project or questions nothing is asked", async () => {
    const of = async (body, headers = ADMIN, path = PATH) => {
      const response = await system.post(path, body, headers);
      const { code, attr, detail } = await response.json();
      return [response.status, code, attr, detail];
    };
    const one = { queries: [numbered(31)] };
    assert.deepEqual((await of(one, {})).slice(0, 2), [401, "not_authenticated"]);
    assert.deepEqual((await of(one, ADMIN, "/api/projects/9/query/batch/")).slice(0, 2), [404, "not_found"]);
    assert.deepEqual((await of({ queries: [] })).slice(0, 3), [400, "invalid_input", "queries"]);
    const many = await of({ queries: Array.from({ length: 21 }, (_, n) => numbered(n)) });
    assert.deepEqual(many.slice(0, 3), [400, "invalid_input", "queries"]);
    assert.match(many[3], /1 to 20.* it has 21/);
    assert.deepEqual((await of({ queries: [numbered(32), 7] })).slice(0, 3), [400, "invalid_input", "queries.1"]);
    assert.deepEqual((await of({ ...one, refresh: true })).slice(0, 3), [400, "invalid_input", "refresh"]);
    for (const body of [
      "",
      "[]",
      "{",
      '{"queries": {}}',
      '{"queries": [{"query": {"kind": "a\0b"}}]}',
      `{"queries": ${"[".repeat(90_000)}`,
    ]) {
      assert.deepEqual((await of(body)).slice(0, 2), [400, "parse_error"], body.slice(0, 60));
    }
    assert.equal((await of(`{"queries": [${" ".repeat(300_000)}]}`))[0], 413);
    assert.equal((await system.request(PATH, { headers: ADMIN })).status, 405);
    assert.deepEqual(asked, []);
  });
});
