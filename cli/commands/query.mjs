// query: a SELECT over the tables by Basin SQL (R2 SQL). tail: the Worker's log as it happens. replay: a
// recorded session as a page.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { openContext, openSettings } from "../context.mjs";
import { PACKAGE } from "../names.mjs";
import { which } from "../options.mjs";
import { EXIT, Stop } from "../output.mjs";
import { queryTables, tableOf } from "../proving.mjs";
import { tableNumbers } from "../resources.mjs";
import { wranglerHere } from "../wrangler.mjs";

async function query(options, output, sql) {
  const context = await openContext(options, output);
  context.tables = await tableNumbers(context);
  // {events} is the table of the stream, whatever it is called by now.
  const whole = sql.replace(/\{(\w+)\}/g, (all, stream) => (context.tables[stream] === undefined ? all : tableOf(context, stream)));
  const { rows, metrics } = await queryTables(context, whole);
  if (rows.length === 0) output.print("no rows");
  else if (!options.json) console.table(rows);
  output.result({ query: whole, rows, metrics });
}

async function tail(options, output) {
  const context = await openContext(options, output);
  const filters = [["--status", options.status], ["--search", options.search], ["--ip", options.ip], ["--sampling-rate", options.samplingRate]];
  const chosen = filters.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value]));
  return wranglerHere(["tail", context.name, "--format", options.json ? "json" : "pretty", ...chosen], context);
}

function replay(options, _output, session, file) {
  const isLocated = options.from !== undefined || options.worker !== undefined;
  const worker = isLocated ? options.worker : openSettings(options).state.values.url;
  if (!isLocated && worker === undefined) {
    throw new Stop(EXIT.usage, "give --worker, the Worker's address", "the folder of a deployment that hogflare created knows it; --from reads the views of sql/ where they are served as /sql?q= instead");
  }
  const places = [["--from", options.from], ["--worker", worker], ["--team-id", options.teamId]];
  const args = [join(PACKAGE, "scripts/replay.mjs"), ...places.flatMap(([flag, value]) => (value === undefined ? [] : [flag, value])), ...(options.json ? ["--json"] : []), ...[session, file].filter((each) => each !== undefined)];
  return new Promise((done) => spawn(process.execPath, args, { stdio: "inherit" }).once("close", (code) => done(code ?? EXIT.failed)));
}

export function register(program, run) {
  which(program.command("query"))
    .description("a SELECT over the tables; {events} and {persons} stand for their names")
    .argument("<sql>")
    .option("--bucket <name>", "R2 bucket of the tables")
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
    .option("--worker <url>", "the Worker (default: the one this folder deployed); its key in HOGFLARE_ADMIN_TOKEN or POSTHOG_PERSONAL_API_KEY")
    .option("--from <url>", "the views of sql/ instead: a fake pipeline, or DuckDB over the tables")
    .option("--team-id <number>", "the project's team, 1 unless set")
    .action(run(replay));
}
