// query: a question, a recipe or a SELECT, asked of a Worker (--worker) or, SQL alone, of Basin SQL (R2 SQL)
// with the account's own token. tail: the Worker's log as it happens. replay: a
// recorded session as a page.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { askWorker, cellsOf, csvOf, readAsked, tableOf as tableText } from "../asking.mjs";
import { openContext, openSettings } from "../context.mjs";
import { PACKAGE } from "../names.mjs";
import { which } from "../options.mjs";
import { EXIT, Stop } from "../output.mjs";
import { queryTables, tableOf } from "../proving.mjs";
import { tableNumbers } from "../resources.mjs";
import { wranglerHere } from "../wrangler.mjs";

const STREAMS = ["events", "persons", "rejects", "distinct_ids"];

async function queryWorker(options, output, what, words) {
  // A Worker's SQL knows the streams by their own names, and the project's rows only.
  const asked = readAsked(what, words, (stream) => stream);
  if (asked.sql !== undefined) asked.sql = asked.sql.replace(/\{(\w+)\}/g, (all, stream) => (STREAMS.includes(stream) ? stream : all));
  const format = options.json ? "json" : "csv";
  const text = await askWorker(output, { worker: options.worker, project: options.project, asked, format, isFresh: options.refresh });
  if (options.json) return output.result(JSON.parse(text));
  if (options.csv) return output.print(text.trimEnd());
  const lines = cellsOf(text);
  output.print(lines.length < 2 ? "no rows" : tableText(lines));
}

async function queryAccount(options, output, what, words) {
  const context = await openContext(options, output);
  context.tables = await tableNumbers(context);
  const asked = readAsked(what, words, (stream) => tableOf(context, stream));
  if (asked.question !== undefined)
    throw new Stop(EXIT.usage, "a question is answered by a Worker", "give its address: --worker https://…");
  // {events} is the table of the stream, whatever it is called by now.
  const whole = asked.sql.replace(/\{(\w+)\}/g, (all, stream) => (context.tables[stream] === undefined ? all : tableOf(context, stream)));
  const { rows, metrics } = await queryTables(context, whole);
  if (options.json) return output.result({ query: whole, rows, metrics });
  if (rows.length === 0) return output.print("no rows");
  const names = Object.keys(rows[0]);
  const text = (cell) => (cell === null || cell === undefined ? "" : typeof cell === "object" ? JSON.stringify(cell) : String(cell));
  const lines = [names, ...rows.map((row) => names.map((name) => text(row[name])))];
  output.print(options.csv ? csvOf(lines) : tableText(lines));
}

/** @param {any} options @param {any} output @param {string} what @param {string[]} words */
const query = (options, output, what, words) =>
  options.worker === undefined ? queryAccount(options, output, what, words) : queryWorker(options, output, what, words);

async function tail(options, output) {
  const context = await openContext(options, output);
  const filters = [
    ["--status", options.status],
    ["--search", options.search],
    ["--ip", options.ip],
    ["--sampling-rate", options.samplingRate],
  ];
  const chosen = filters.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
  return wranglerHere(["tail", context.name, "--format", options.json ? "json" : "pretty", ...chosen], context);
}

function replay(options, _output, session, file) {
  const isLocated = options.from !== undefined || options.worker !== undefined;
  const worker = isLocated ? options.worker : openSettings(options).state.values.url;
  if (!isLocated && worker === undefined) {
    throw new Stop(
      EXIT.usage,
      "give --worker, the Worker's address",
      "the folder of a deployment that hogflare created knows it; --from reads the views of sql/ where they are served as /sql?q= instead",
    );
  }
  const places = [
    ["--from", options.from],
    ["--worker", worker],
    ["--team-id", options.teamId],
  ];
  const args = [
    join(PACKAGE, "scripts/replay.mjs"),
    ...places.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])),
    ...(options.json ? ["--json"] : []),
    ...[session, file].filter((each) => each !== undefined),
  ];
  return new Promise((done) => spawn(process.execPath, args, { stdio: "inherit" }).once("close", (code) => done(code ?? EXIT.failed)));
}

export function register(program, run) {
  which(program.command("query"))
    .description("a question, a recipe or a SELECT over the tables, where {events} and {persons} stand for their names")
    .argument("<what>", "a file with a question or SQL, - for standard input, a recipe of npm run sql, or SQL")
    .argument("[parameters...]", "a recipe's, as since=2026-10-01T00:00:00Z")
    .option("--worker <url>", "ask this Worker; its key in POSTHOG_PERSONAL_API_KEY, HOGFLARE_ADMIN_TOKEN or HOGFLARE_VIEWER_TOKEN")
    .option("--project <id>", "team id of the project, where the Worker has several")
    .option("--refresh", "ask anew instead of taking the Worker's kept answer")
    .option("--csv", "the result as CSV on stdout")
    .option("--bucket <name>", "R2 bucket of the tables, without --worker")
    .action(run(query));
  which(program.command("tail"))
    .description("requests and log lines of the Worker as they happen, by wrangler")
    .option("--status <status>", "ok, error or canceled")
    .option("--search <text>", "only lines with this text")
    .option("--ip <address>", "only requests from there; self is this machine")
    .option("--sampling-rate <share>", "a share of the requests, 0 to 1")
    .action(run(tail));
  which(program.command("replay"))
    .description("the recorded sessions, or one of them as a page that plays it")
    .argument("[session]")
    .argument("[file]")
    .option(
      "--worker <url>",
      "the Worker (default: the one this folder deployed); its key in HOGFLARE_ADMIN_TOKEN or POSTHOG_PERSONAL_API_KEY",
    )
    .option("--from <url>", "the views of sql/ instead: a fake pipeline, or DuckDB over the tables")
    .option("--team-id <number>", "the project's team, 1 unless set")
    .action(run(replay));
}
