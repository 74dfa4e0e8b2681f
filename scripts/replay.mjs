// Session recordings from the table: a list of them, or one as a page that plays it.
//
//   npm run replay                       the sessions, newest first
//   npm run replay -- SESSION [FILE]     writes FILE (SESSION.html): one file, no server needed
//
// Reads the views replay_sessions and sessions_replay of the fake pipeline at --from
// (http://127.0.0.1:8088).
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { windowsOf } from "../replay/recording.mjs";

const REPLAY = join(dirname(fileURLToPath(import.meta.url)), "../replay");
const SESSION_ID = /^[\w.-]{1,200}$/;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: "string", default: `http://127.0.0.1:${process.env.FAKE_PIPELINE_PORT ?? 8088}` },
    json: { type: "boolean", default: false },
  },
});

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

async function ask(sql) {
  const response = await fetch(`${values.from}/sql?q=${encodeURIComponent(sql)}`).catch((error) =>
    fail(`nothing answers at ${values.from}: ${error.cause?.message ?? error.message}; is scripts/dev running?`),
  );
  if (!response.ok) fail(`the query failed: ${await response.text()}`);
  return response.json();
}

const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** JSON that may stand in a script element. */
const inScript = (value) => JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");

async function list() {
  const rows = await ask("SELECT * FROM replay_sessions ORDER BY started_at DESC LIMIT 200");
  if (values.json) return console.log(JSON.stringify(rows, null, 2));
  if (rows.length === 0) return console.log("no recordings yet");
  const table = rows.map((row) => ({
    session: row.session_id,
    start: String(row.started_at).slice(0, 19),
    seconds: Math.round(row.duration_ms / 1000),
    person: row.distinct_id,
    pages: row.pages,
    clicks: row.clicks,
    keys: row.keys,
    errors: row.errors,
    KB: Math.round(row.bytes / 1000),
  }));
  console.table(table);
}

/** The player's script, one file with rrweb's replayer in it; the package brings it made. */
async function playerScript() {
  const made = join(REPLAY, "player.bundle.js");
  if (existsSync(made)) return readFileSync(made, "utf8");
  const { build } = await import("esbuild");
  const built = await build({
    entryPoints: [join(REPLAY, "player.js")],
    bundle: true,
    minify: true,
    write: false,
    format: "iife",
    logLevel: "error",
  });
  return built.outputFiles[0].text.replaceAll("</script", "<\\/script");
}

async function write(session, file) {
  if (!SESSION_ID.test(session)) fail(`"${session}" is no session id`);
  const rows = await ask(
    `SELECT window_id, snapshot_data, distinct_id, "timestamp" FROM sessions_replay WHERE session_id = '${session}' ORDER BY "timestamp"`,
  );
  if (rows.length === 0) fail(`no recording of session ${session}; npm run replay lists them`);
  const { windows, unreadable, incomplete } = windowsOf(rows);
  if (windows.length === 0) fail(`no part of session ${session} can be played (${incomplete} incomplete, ${unreadable} unreadable)`);
  const faults = [incomplete > 0 ? `${incomplete} parts have not arrived whole` : "", unreadable > 0 ? `${unreadable} events could not be read` : ""].filter(Boolean);
  const facts = [rows[0].distinct_id, String(rows[0].timestamp).slice(0, 19), ...faults].join(" · ");
  const parts = { TITLE: escaped(`Session ${session}`), FACTS: escaped(facts), WINDOWS: inScript(windows), SCRIPT: await playerScript() };
  const html = readFileSync(join(REPLAY, "page.html"), "utf8").replace(/%(TITLE|FACTS|WINDOWS|SCRIPT)%/g, (_, name) => parts[name]);
  writeFileSync(file, html);
  const events = windows.reduce((sum, each) => sum + each.events.length, 0);
  console.log(`${file}: ${windows.length} windows, ${events} events, ${Math.round(html.length / 1000)} KB${faults.length > 0 ? `; ${faults.join("; ")}` : ""}`);
}

if (positionals.length > 2) fail("usage: npm run replay -- [SESSION [FILE]]");
if (positionals.length === 0) await list();
else await write(positionals[0], positionals[1] ?? `${positionals[0]}.html`);
