// Asks a Worker: a question file, a recipe of sql/ or SQL, answered as a table, CSV or JSON.
import { existsSync, readFileSync } from "node:fs";
import { compose, recipes } from "../scripts/lib/sql.mjs";
import { EXIT, Stop } from "./output.mjs";

const KEYS = ["POSTHOG_PERSONAL_API_KEY", "HOGFLARE_ADMIN_TOKEN", "HOGFLARE_VIEWER_TOKEN"];
const TIMEOUT_MS = 120_000;

/** "name=value" as a pair. */
function parameterOf(word) {
  const at = word.indexOf("=");
  if (at < 1)
    throw new Stop(
      EXIT.usage,
      `"${word}" is no parameter`,
      "a recipe's parameters are written since=2026-10-01T00:00:00Z; npm run sql lists them",
    );
  return [word.slice(0, at), word.slice(at + 1)];
}

/**
 * What is asked: {sql} or {question}. `what` is "-" (standard input), a file of JSON or SQL, a recipe's name, or SQL.
 * @param {string} what
 * @param {string[]} words a recipe's parameters
 * @param {(stream: string) => string} tables names of the tables in SQL
 */
export function readAsked(what, words, tables) {
  const parameters = Object.fromEntries(words.map(parameterOf));
  if (recipes().includes(what)) {
    try {
      return { sql: compose(what, { dialect: "basin", parameters, tables }) };
    } catch (error) {
      throw new Stop(EXIT.usage, error.message, `npm run sql -- ${what} shows the recipe`);
    }
  }
  if (words.length > 0)
    throw new Stop(EXIT.usage, `there is no recipe "${what}", and only recipes have parameters`, `there are ${recipes().join(", ")}`);
  const isFile = what === "-" || existsSync(what);
  if (!isFile && /^[\w./-]+$/.test(what))
    throw new Stop(EXIT.usage, `"${what}" is neither a recipe nor a file`, `recipes: ${recipes().join(", ")}`);
  const text = (isFile ? readFileSync(what === "-" ? 0 : what, "utf8") : what).trim();
  if (!text.startsWith("{") || /^\{\w+\}/.test(text)) return { sql: text };
  try {
    const question = JSON.parse(text);
    return { question: question.query?.kind === undefined ? question : question.query };
  } catch (error) {
    throw new Stop(EXIT.usage, `${isFile ? what : "the question"} is not JSON: ${error.message}`);
  }
}

function credential(output) {
  const key = KEYS.map((name) => process.env[name]).find((value) => value);
  if (key === undefined) throw new Stop(EXIT.needed, "nobody may ask without a key", `set one of ${KEYS.join(", ")} in the environment`);
  return output.hide(key);
}

/** Says until when the table has rows, and which days the engine did not answer for. */
function sayFreshness(output, until, missing) {
  if (until) output.say(`data until ${until}`);
  if (missing) output.say(`no answer for ${missing}: these days are missing; ask for them alone, or again later`);
}

/** The answer's text. How fresh it is is said beside it. */
export async function askWorker(output, { worker, project = "@current", asked, format = "json", isFresh = false }) {
  const question = asked.question ?? { kind: "HogQLQuery", query: asked.sql };
  const address = new URL(
    `${worker.replace(/\/+$/, "")}/api/projects/${encodeURIComponent(project)}/query/${format === "csv" ? "?format=csv" : ""}`,
  );
  const response = await fetch(address, {
    method: "POST",
    headers: { authorization: `Bearer ${credential(output)}`, "content-type": "application/json" },
    body: JSON.stringify({ query: question, ...(isFresh ? { refresh: "force_blocking" } : {}) }),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  }).catch((error) => {
    throw new Stop(EXIT.failed, `${address.origin} does not answer: ${error.cause?.message ?? error.message}`);
  });
  const text = await response.text();
  if (response.ok) {
    if (format === "csv") {
      sayFreshness(output, response.headers.get("x-hogflare-data-until"), response.headers.get("x-hogflare-days-missing"));
    } else {
      const { data_until: until, days_missing: missing } = JSON.parse(text).hogflare ?? {};
      sayFreshness(output, until, missing?.join(", "));
    }
    return text;
  }
  let told = {};
  try {
    told = JSON.parse(text);
  } catch {
    // Something that stands before the Worker answered.
  }
  const exit = response.status === 401 || response.status === 403 ? EXIT.needed : response.status === 400 ? EXIT.usage : EXIT.failed;
  const advice =
    project === "@current" && told.code === "not_found" ? "this deployment has several projects: give --project with a team id" : "";
  throw new Stop(exit, `${response.status} ${told.detail ?? text.slice(0, 300)}`, advice);
}

/** Cells of a CSV text (RFC 4180), line by line. */
export function cellsOf(csv) {
  const lines = [];
  let line = [];
  for (const [, quoted, plain, end] of csv.matchAll(/(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|$)/g)) {
    if (quoted === undefined && plain === "" && end === "" && line.length === 0) continue;
    line.push(quoted === undefined ? plain : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    lines.push(line);
    line = [];
  }
  return lines;
}

/** Lines as CSV; a text that a spreadsheet would take for a formula gets an apostrophe, as the Worker's has. */
export function csvOf(lines) {
  const cell = (text) => {
    const safe = /^[=+\-@\t\r]/.test(text) && !isNumber(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return lines.map((line) => line.map(cell).join(",")).join("\r\n");
}

const CELL_CHARS = 60;
const isNumber = (text) => /^-?\d+(\.\d+)?(e[+-]?\d+)?$/.test(text);
// Control characters of an event must not reach the terminal.
const shown = (text) => {
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
  return plain.length > CELL_CHARS ? `${plain.slice(0, CELL_CHARS - 1)}…` : plain;
};

/** Lines as a table of aligned columns, the first line above a rule. */
export function tableOf(lines) {
  const cells = lines.map((line) => line.map(shown));
  const count = Math.max(...cells.map((line) => line.length));
  const column = (at) => cells.map((line) => line[at] ?? "");
  const widths = Array.from({ length: count }, (_, at) => Math.max(...column(at).map((cell) => cell.length)));
  const right = widths.map((_, at) =>
    column(at)
      .slice(1)
      .every((cell) => cell === "" || isNumber(cell)),
  );
  const write = (line) =>
    widths
      .map((width, at) => (right[at] ? (line[at] ?? "").padStart(width) : (line[at] ?? "").padEnd(width)))
      .join("  ")
      .trimEnd();
  return [write(cells[0]), widths.map((width) => "─".repeat(width)).join("  "), ...cells.slice(1).map(write)].join("\n");
}
