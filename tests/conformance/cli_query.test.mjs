// `hogflare query --worker`: a question file, a recipe or SQL from the terminal, asked of a Worker.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { cellsOf, csvOf, tableOf } from "../../cli/asking.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { recipes } from "../../scripts/lib/sql.mjs";
import { startSystem } from "../lib/harness.mjs";

const KEY = "phx_a-key-nobody-guesses";
const QUESTION = {
  kind: "TrendsQuery",
  dateRange: { date_from: "2026-10-01", date_to: "2026-10-03" },
  series: [
    { kind: "EventsNode", event: "viewed" },
    { kind: "EventsNode", event: "bought" },
  ],
};

let system;
let cwd;
before(async () => {
  cwd = mkdtempSync(join(tmpdir(), "hogflare-query-"));
  system = await startSystem({
    hasSql: true,
    vars: { POSTHOG_PERSONAL_API_KEY: KEY, HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1 }, phc_two: { team_id: 2 } }) },
  });
  const event = (name, id, timestamp, properties = {}) => ({ event: name, distinct_id: id, timestamp, properties });
  const events = [
    event("viewed", "ada", "2026-10-01T10:00:00Z", { note: "=1+1" }),
    event("viewed", "bob", "2026-10-02T10:00:00Z", { note: 'a, "b"' }),
    event("bought", "ada", "2026-10-02T11:00:00Z"),
  ];
  assert.equal((await system.post("/batch/", { api_key: "phc_test", batch: events })).status, 200);
});
after(async () => {
  await system.stop();
  rmSync(cwd, { recursive: true, force: true });
});

/** Runs the command; {code, stdout, stderr}. */
function run(args, { key = KEY, input = "" } = {}) {
  return new Promise((done) => {
    const env = { PATH: process.env.PATH, HOME: cwd, ...(key === undefined ? {} : { POSTHOG_PERSONAL_API_KEY: key }) };
    const child = spawn(process.execPath, [join(ROOT, "bin/hogflare"), "query", ...args], { cwd, env });
    const texts = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) child[stream].on("data", (part) => (texts[stream] += part));
    child.stdin.end(input);
    child.once("close", (code) => done({ code, ...texts }));
  });
}
const ask = (args, more) => run([...args, "--worker", system.url, "--project", "1"], more);

describe("hogflare query --worker", () => {
  it("gives a question's answer as a table, CSV and JSON, from a file and from standard input", async () => {
    writeFileSync(join(cwd, "question.json"), JSON.stringify(QUESTION));
    const table = await ask(["question.json"]);
    assert.equal(table.code, 0, table.stderr);
    assert.equal(
      table.stdout,
      "date        viewed  bought\n──────────  ──────  ──────\n2026-10-01       1       0\n2026-10-02       1       1\n2026-10-03       0       0\n",
    );
    const csv = await ask(["-", "--csv"], { input: JSON.stringify({ query: QUESTION }) });
    assert.equal(csv.stdout, "date,viewed,bought\r\n2026-10-01,1,0\r\n2026-10-02,1,1\r\n2026-10-03,0,0\n");
    const json = await ask(["question.json", "--json", "--refresh"]);
    assert.deepEqual(
      JSON.parse(json.stdout).results.map((series) => series.count),
      [2, 1],
    );
  });

  it("takes SQL, with streams' names in braces as without a Worker, from a file too", async () => {
    const sql = "SELECT event, count(*) AS n FROM {events} GROUP BY event ORDER BY event";
    assert.equal((await ask([sql])).stdout, "event   n\n──────  ─\nbought  1\nviewed  2\n");
    writeFileSync(join(cwd, "some.sql"), `${sql}\n`);
    assert.equal((await ask(["some.sql", "--csv"])).stdout, "event,n\r\nbought,1\r\nviewed,2\n");
    assert.equal((await ask(["SELECT event FROM events WHERE event = 'none'"])).stdout, "no rows\n");
  });

  it("takes every recipe with its parameters", async () => {
    const active = await ask(["active_people", "since=2026-10-01T00:00:00Z", "until=2026-10-04T00:00:00Z", "--json"]);
    assert.equal(active.code, 0, active.stderr);
    const { columns, results } = JSON.parse(active.stdout);
    const daily = columns.findIndex((name) => /daily|dau/.test(name));
    assert.deepEqual(results.map((row) => row[daily]).slice(0, 2), [1, 2]);
    for (const name of recipes()) {
      const answer = await ask([name, "--json"]);
      assert.equal(answer.code, 0, `${name}: ${answer.stderr}`);
    }
  });

  it("says what to change, and never the key", async () => {
    for (const [args, code, words, more] of [
      [["nothing"], 2, /"nothing" is neither a recipe nor a file/],
      [["SELECT 1", "since=1"], 2, /only recipes have parameters/],
      [["funnel", "since"], 2, /"since" is no parameter/],
      [["funnel", "sinc=1"], 2, /no parameter sinc; there are/],
      [['{"kind": '], 2, /the question is not JSON/],
      [[JSON.stringify({ ...QUESTION, series: [] })], 2, /400 .*series/],
      [["DELETE FROM events"], 2, /400 .*SELECT/],
      [["SELECT 1"], 4, /401 /, { key: "phx_another-key-of-some-length" }],
      [["SELECT 1"], 4, /nobody may ask without a key/, { key: "" }],
    ]) {
      const ended = await ask(args, more);
      assert.equal(ended.code, code, `${args}: ${ended.stderr}`);
      assert.match(ended.stderr, words);
      assert.ok(!ended.stderr.includes(KEY));
    }
    const several = await run(["SELECT 1", "--worker", system.url]);
    assert.match(several.stderr, /give --project/);
    const nobody = await run(["SELECT 1", "--worker", "http://127.0.0.1:9", "--project", "1"]);
    assert.equal(nobody.code, 1);
    assert.match(nobody.stderr, /does not answer/);
  });
});

describe("tables of the terminal", () => {
  it("read the CSV that the Worker writes, and write one that spreadsheets take as text", () => {
    const lines = [
      ["a", "b"],
      ["1", 'x, "y"\nz'],
      ["", "é"],
    ];
    assert.deepEqual(cellsOf(csvOf(lines)), lines);
    assert.equal(csvOf([["=1", "-2", "-a"]]), "'=1,-2,'-a");
    assert.deepEqual(cellsOf("a,b\r\n,\r\n1,\r\n"), [
      ["a", "b"],
      ["", ""],
      ["1", ""],
    ]);
  });

  it("align numbers to the right, cut what is long, and let no control character through", () => {
    assert.equal(
      tableOf([
        ["n", "t"],
        ["10", "\u001b[31mred"],
        ["2", "x"],
      ]),
      " n  t\n──  ────────\n10   [31mred\n 2  x",
    );
    assert.match(tableOf([["t"], ["x".repeat(100)]]), /x…$/);
  });
});
