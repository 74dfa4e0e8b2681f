// The views and recipes of sql/, put together for an engine: DuckDB has the views, Basin SQL (formerly
// R2 SQL) can create nothing, so that a recipe brings the views it needs as CTEs and its macros' text.
//
//   compose("active_people", { dialect: "basin", parameters: { since: "2026-10-01T00:00:00Z" } })  // SQL text
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const SQL = resolve(dirname(fileURLToPath(import.meta.url)), "../../sql");
const STREAMS = ["events", "persons", "rejects", "distinct_ids"];

const read = (...path) => readFileSync(join(SQL, ...path), "utf8");
const withoutComments = (text) =>
  text
    .replace(/^\s*--.*\n/gm, "")
    .trim()
    .replace(/;$/, "");

/** Files of views for a dialect, in the order they build on one another: [{name, path}]. */
export function viewFiles(dialect) {
  const folders = [["views"], ["views", dialect]].filter((folder) => existsSync(join(SQL, ...folder)));
  return folders
    .flatMap((folder) => readdirSync(join(SQL, ...folder)).map((file) => ({ file, path: [...folder, file] })))
    .filter(({ file }) => file.endsWith(".sql"))
    .sort((a, b) => (a.file < b.file ? -1 : 1))
    .map(({ file, path }) => ({ name: file.replace(/^\d+_|\.sql$/g, ""), path }));
}

export const recipes = () =>
  readdirSync(join(SQL, "recipes"))
    .map((file) => file.replace(".sql", ""))
    .sort();

/** What a recipe's head says: {text, parameters: {name: {value, meaning}}}. */
export function describe(recipe) {
  if (!recipes().includes(recipe)) throw new Error(`no recipe ${recipe}; there are ${recipes().join(", ")}`);
  const text = read("recipes", `${recipe}.sql`);
  const parameters = {};
  for (const [, name, value, meaning] of text.matchAll(/^-- \$(\w+) = ('(?:[^']|'')*'|-?\d+): (.*)$/gm)) {
    parameters[name] = { value: value.startsWith("'") ? value.slice(1, -1) : Number(value), meaning };
  }
  return { text, parameters };
}

function literal(name, value, given) {
  if (typeof value === "number") {
    if (!/^-?\d+(\.\d+)?$/.test(String(given))) throw new Error(`$${name} is a number, not ${JSON.stringify(given)}`);
    return String(given);
  }
  return `'${String(given).replaceAll("'", "''")}'`;
}

function withParameters(text, known, given) {
  for (const name of Object.keys(given)) {
    if (!(name in known)) throw new Error(`no parameter ${name}; there are ${Object.keys(known).join(", ")}`);
  }
  // Inside of a quoted text a $ is a property's or an event's name.
  return text.replace(/'(?:[^']|'')*'|\$([a-z]\w*)/g, (found, name) =>
    name === undefined || !(name in known) ? found : literal(name, known[name].value, given[name] ?? known[name].value),
  );
}

/** The macros of a dialect: [{name, arguments, body}]. */
function macros(dialect) {
  const found = withoutComments(read("macros", `${dialect}.sql`)).matchAll(/CREATE OR REPLACE MACRO (\w+)\(([^)]*)\) AS ([^;]*);?/g);
  return [...found].map(([, name, names, body]) => ({ name, names: names.split(",").map((each) => each.trim()), body }));
}

/** The texts of a call's arguments, from behind its parenthesis, and where the call ends. */
function argumentsAt(text, start) {
  const parts = [];
  let depth = 0;
  let from = start;
  for (let at = start; at < text.length; at++) {
    const c = text[at];
    if (c === "'" || c === '"') at = text.indexOf(c, at + 1);
    else if (c === "(") depth++;
    else if (c === ")" && depth-- === 0) return { parts: [...parts, text.slice(from, at).trim()], end: at + 1 };
    else if (c === "," && depth === 0) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  throw new Error("a call is not closed");
}

function expand(text, known) {
  const call = new RegExp(`\\b(${known.map((macro) => macro.name).join("|")})\\(`);
  for (let found = call.exec(text); found; found = call.exec(text)) {
    const { parts, end } = argumentsAt(text, found.index + found[0].length);
    const macro = known.find((each) => each.name === found[1] && each.names.length === parts.length);
    if (macro === undefined) throw new Error(`${found[1]} takes no ${parts.length} arguments`);
    const body = macro.body.replace(/\w+/g, (word) => (macro.names.includes(word) ? parts[macro.names.indexOf(word)] : word));
    text = text.slice(0, found.index) + body + text.slice(end);
  }
  return text;
}

const TABLES = new RegExp(`\\b(FROM|JOIN) (${STREAMS.join("|")})\\b(?! AS)`, "g");
const ALIASED = new RegExp(`\\b(FROM|JOIN) (${STREAMS.join("|")})\\b(?= AS)`, "g");

/** The views that a text needs, those they need before them. */
function viewsOf(text, views, needed = new Map()) {
  for (const view of views) {
    if (needed.has(view.name) || !new RegExp(`\\b(FROM|JOIN) ${view.name}\\b`).test(text)) continue;
    const body = withoutComments(read(...view.path)).replace(/^CREATE OR REPLACE VIEW \w+ AS\s*/, "");
    viewsOf(body, views, needed);
    needed.set(view.name, body);
  }
  return needed;
}

function forBasin(text, tables) {
  const needed = viewsOf(text, viewFiles("basin"));
  const own = /^WITH\s+/.test(text) ? `,\n${text.replace(/^WITH\s+/, "")}` : `\n${text}`;
  const ctes = [...needed].map(([name, body]) => `${name} AS (\n${body}\n)`).join(",\n");
  const whole = needed.size === 0 ? text : `WITH ${ctes}${own}`;
  return expand(whole, macros("basin"))
    .replace(ALIASED, (_, word, stream) => `${word} ${tables(stream)}`)
    .replace(TABLES, (_, word, stream) => `${word} ${tables(stream)} AS ${stream}`);
}

/**
 * The SQL of a recipe, or of `text` over the views, for an engine.
 * @param {string} recipe
 * @param {{dialect?: "duckdb" | "basin", parameters?: Record<string, string | number>, text?: string,
 *   tables?: (stream: string) => string}} options
 */
export function compose(recipe, options = {}) {
  const { dialect = "duckdb", parameters = {}, tables = (stream) => `default.hogflare_${stream}_v1` } = options;
  const described = options.text === undefined ? describe(recipe) : { text: options.text, parameters: {} };
  const text = withParameters(withoutComments(described.text), described.parameters, parameters);
  return dialect === "duckdb" ? text : forBasin(text, tables);
}
