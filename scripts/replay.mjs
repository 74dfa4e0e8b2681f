// Session recordings: a list of them, or one as a page that plays it.
//
//   npm run replay                       the sessions, newest first
//   npm run replay -- SESSION [FILE]     writes FILE (SESSION.html): one file, no server needed
//
// Reads the Worker at --worker, by the key in HOGFLARE_ADMIN_TOKEN or POSTHOG_PERSONAL_API_KEY: what lies in the
// bucket RECORDINGS, and the rows where the Worker has a SQL engine. Or the views replay_sessions and
// sessions_replay at --from, where they are served as /sql?q= (http://127.0.0.1:8088, the fake pipeline); with
// both the rows come from the views. Nothing but one part of the recording is in memory at a time.
import { closeSync, existsSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { eventsOf } from "../replay/recording.mjs";

const REPLAY = join(dirname(fileURLToPath(import.meta.url)), "../replay");
const SESSION_ID = /^[\w.-]{1,200}$/;
/** Bytes of recordings that one query brings. */
const BATCH_BYTES = 8_000_000;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    from: { type: "string" },
    worker: { type: "string" },
    "team-id": { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
});
const from = values.from ?? (values.worker === undefined ? `http://127.0.0.1:${process.env.FAKE_PIPELINE_PORT ?? 8088}` : undefined);

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

async function ask(sql) {
  const response = await fetch(`${from}/sql?q=${encodeURIComponent(sql)}`).catch((error) =>
    fail(`nothing answers at ${from}: ${error.cause?.message ?? error.message}; is scripts/dev running?`),
  );
  if (!response.ok) fail(`the query failed: ${await response.text()}`);
  return response.json();
}

const escaped = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** JSON that may stand in a script element. */
const inScript = (value) =>
  JSON.stringify(value).replaceAll("<", "\\u003c").replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029");

/** What the Worker answers at a path below session_recordings. @param {string} path */
async function askWorker(path) {
  const key = process.env.HOGFLARE_ADMIN_TOKEN || process.env.POSTHOG_PERSONAL_API_KEY;
  if (!key) fail("set HOGFLARE_ADMIN_TOKEN or POSTHOG_PERSONAL_API_KEY to read recordings from the Worker");
  const address = `${values.worker.replace(/\/$/, "")}/api/projects/${values["team-id"]}/session_recordings/${path}`;
  const response = await fetch(address, { headers: { authorization: `Bearer ${key}` } }).catch((error) =>
    fail(`nothing answers at ${values.worker}: ${error.cause?.message ?? error.message}`),
  );
  if (!response.ok && response.status !== 404) fail(`the Worker answers ${response.status}: ${await response.text()}`);
  return response;
}

async function listOfWorker() {
  const response = await askWorker("?limit=200");
  if (response.status === 404) fail(`the Worker has no recordings to list: ${await response.text()}`);
  const { results } = await response.json();
  if (values.json) return console.log(JSON.stringify(results, null, 2));
  if (results.length === 0) return console.log("no recordings yet");
  console.table(
    results.map((one) => ({
      session: one.id,
      start: one.start_time.slice(0, 19),
      seconds: one.recording_duration,
      person: one.distinct_id,
      pages: one.pageviews,
      errors: one.exceptions,
      parts: one.parts,
    })),
  );
}

async function list() {
  if (from === undefined) return listOfWorker();
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

/** Parts that are rows, a few megabytes at a time. @param {{uuid: string, bytes: number}[]} rows */
async function* partsOfRows(rows) {
  for (let at = 0; at < rows.length; ) {
    const begin = at;
    for (let bytes = 0; at < rows.length && (at === begin || bytes + rows[at].bytes <= BATCH_BYTES); at += 1) bytes += rows[at].bytes;
    const uuids = rows
      .slice(begin, at)
      .map(({ uuid }) => `'${uuid}'`)
      .join(", ");
    for (const row of await ask(`SELECT window_id, snapshot_data FROM sessions_replay WHERE uuid IN (${uuids})`)) {
      yield { window_id: row.window_id, items: row.snapshot_data };
    }
  }
}

/** @param {ReadableStream<Uint8Array>} body */
async function* linesOf(body) {
  let pieces = [];
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const [first, ...others] = text.split("\n");
    pieces.push(first);
    for (const next of others) {
      yield pieces.join("");
      pieces = [next];
    }
  }
}

/** Parts as the Worker tells them, from both places. A part that was cut into rows is held until it is whole. @param {string} session */
async function* partsOfWorker(session) {
  const pieces = new Map();
  for (let next = ""; next !== null; ) {
    const response = await askWorker(`${session}/snapshots${next === "" ? "" : `?after=${encodeURIComponent(next)}`}`);
    if (response.status === 404) break;
    for await (const line of linesOf(response.body)) {
      const { window_id, uuid, data, text, chunk_index, chunk_count } = JSON.parse(line);
      if (text === undefined) {
        yield { window_id, uuid, items: data };
        continue;
      }
      const key = `${uuid}/${chunk_count}`;
      const have = pieces.get(key) ?? new Map();
      pieces.set(key, have.set(chunk_index, text));
      if (have.size < chunk_count) continue;
      pieces.delete(key);
      yield { window_id, uuid, items: Array.from({ length: chunk_count }, (_, at) => have.get(at)).join("") };
    }
    const told = response.headers.get("x-hogflare-next");
    if (told !== null && told === next) fail(`the Worker names ${told} as what follows itself`);
    next = told;
  }
  for (const key of pieces.keys()) yield { uuid: key, isCut: true };
}

/** All parts there are, each once, and what is known about the recording. @param {string} session */
async function partsOf(session) {
  const columns = 'uuid, distinct_id, "timestamp", is_complete, recording_key, bytes';
  const where = `session_id = '${session}' AND team_id = ${Number(values["team-id"])}`;
  const rows = from === undefined ? [] : await ask(`SELECT ${columns} FROM sessions_replay WHERE ${where} ORDER BY "timestamp"`);
  const own = rows.filter((row) => row.is_complete && row.recording_key === null);
  const inBucket = rows.length - own.length - rows.filter((row) => !row.is_complete).length;
  if (inBucket > 0 && values.worker === undefined) {
    fail(`${inBucket} parts of session ${session} lie in the bucket RECORDINGS: give --worker, the Worker's address`);
  }
  const inRows = new Set(own.map(({ uuid }) => uuid));
  async function* all() {
    yield* partsOfRows(own);
    if (values.worker === undefined) return;
    for await (const part of partsOfWorker(session)) {
      if (inRows.has(part.uuid)) continue;
      inRows.add(part.uuid);
      yield part;
    }
  }
  return { first: rows[0], incomplete: rows.filter((row) => !row.is_complete).length, parts: all() };
}

async function write(session, file) {
  if (!SESSION_ID.test(session)) fail(`"${session}" is no session id`);
  const { first, incomplete, parts } = await partsOf(session);
  const [head, foot] = readFileSync(join(REPLAY, "page.html"), "utf8")
    .replace("%TITLE%", escaped(`Session ${session}`))
    .split("%PARTS%");
  const out = openSync(file, "w");
  let written = writeSync(out, head);
  let unreadable = 0;
  let events = 0;
  let cut = incomplete;
  const windows = new Set();
  for await (const part of parts) {
    if (part.isCut) {
      cut += incomplete > 0 ? 0 : 1;
      continue;
    }
    const read = eventsOf(part);
    unreadable += read.unreadable;
    for (const [id, list] of read.windows) {
      windows.add(id);
      events += list.length;
      written += writeSync(out, `<script type="application/json" data-window="${escaped(id)}">${inScript(list)}</script>\n`);
    }
  }
  const faults = [
    cut > 0 ? `${cut} parts have not arrived whole` : "",
    unreadable > 0 ? `${unreadable} events could not be read` : "",
  ].filter(Boolean);
  if (events === 0) {
    closeSync(out);
    rmSync(file);
    if (first === undefined) fail(`no recording of session ${session}; npm run replay lists them`);
    fail(`no part of session ${session} can be played (${[...faults, "it may have been deleted"].join("; ")})`);
  }
  const facts = [...(first === undefined ? [] : [first.distinct_id, String(first.timestamp).slice(0, 19)]), ...faults].join(" · ");
  // Functions: a bundle may hold what replace() takes for a pattern.
  const script = await playerScript();
  written += writeSync(out, `<script type="application/json" data-facts>${inScript(facts)}</script>`);
  written += writeSync(
    out,
    foot.replace("%SCRIPT%", () => script),
  );
  closeSync(out);
  console.log(
    `${file}: ${windows.size} windows, ${events} events, ${Math.round(written / 1000)} KB${faults.length > 0 ? `; ${faults.join("; ")}` : ""}`,
  );
}

if (positionals.length > 2) fail("usage: npm run replay -- [SESSION [FILE]]");
if (positionals.length === 0) await list();
else await write(positionals[0], positionals[1] ?? `${positionals[0]}.html`);
