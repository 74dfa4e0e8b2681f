// The tree as the tests of sentences see it: its files, what is a comment in them, and a document's
// headings, tables and links.
import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");
export const read = (path) => readFileSync(join(ROOT, path), "utf8");

/** Folders that hold nothing of ours: what .gitignore names, other people's code and recorded data. */
const ignored = new Set([
  ...read(".gitignore")
    .split("\n")
    .filter((line) => line.endsWith("/"))
    .map((line) => line.replaceAll(/^\/|\/$/g, "")),
  ".git",
  "third_party",
  "node_modules",
]);
const recorded = new Set(["tests/golden", "tests/vectors"]);
const isIgnored = (path, withData) => ignored.has(path) || ignored.has(path.split("/").at(-1)) || (recorded.has(path) && !withData);

/**
 * @param {{data?: boolean}} [options] data: recorded data too
 * @returns {string[]} every file below `folder`, as a path from the root
 */
export function files(folder = "", { data = false } = {}) {
  const found = [];
  for (const entry of readdirSync(join(ROOT, folder), { withFileTypes: true })) {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (isIgnored(path, data)) continue;
    if (entry.isDirectory()) found.push(...files(path, { data }));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

const SOURCE = /\.(h|cpp|inc|js|mjs|ts|tsx|py|sh|css|sql|cmake|toml|yml|yaml)$/;
const HASHED = /\.(py|sh|cmake|toml|yml|yaml)$/;

/** Sources with comments: by their ending, and scripts by their first line. */
export function sources() {
  return files().filter((path) => SOURCE.test(path) || (/^(scripts|\.ci|bin)\/[^.]*$/.test(path) && read(path).startsWith("#!")));
}

/**
 * The comments of a source, one for each run of comment lines.
 * @returns {{line: number, text: string}[]} `text` without comment signs; lines joined by a newline
 */
export function comments(path) {
  const found = [];
  const hashed = HASHED.test(path) || (!SOURCE.test(path) && read(path).startsWith("#!") && !/node/.test(read(path).split("\n")[0]));
  let run;
  let inBlock = false;
  read(path)
    .split("\n")
    .forEach((line, index) => {
      let text;
      if (inBlock) {
        text = line.replace(/\*\/.*/, "").replace(/^\s*\*? ?/, "");
        inBlock = !line.includes("*/");
      } else if (hashed) {
        text = /(?:^|\s)#(?!!) ?(.*)$/.exec(line)?.[1];
      } else if (path.endsWith(".sql")) {
        text = /--\s?(.*)$/.exec(line)?.[1];
      } else {
        text = /(?:^|[\s;{}(,])\/\/\/?(?!\/) ?(.*)$/.exec(line)?.[1];
        const block = text === undefined ? /\/\*\*? ?(.*)$/.exec(line) : null;
        if (block !== null) {
          text = block[1].replace(/\*\/.*/, "");
          inBlock = !block[1].includes("*/");
        }
      }
      if (text === undefined) {
        run = undefined;
      } else if (run === undefined) {
        run = { line: index + 1, text };
        found.push(run);
      } else {
        run.text += `\n${text}`;
      }
    });
  return found;
}

export const documents = () => files().filter((path) => path.endsWith(".md"));

/** A document without its fenced blocks; lines keep their numbers. */
export function prose(path) {
  let inBlock = false;
  return read(path)
    .split("\n")
    .map((line) => {
      if (/^\s*```/.test(line)) {
        inBlock = !inBlock;
        return "";
      }
      return inBlock ? "" : line;
    })
    .join("\n");
}

/** The anchors that GitHub gives a document's headings. */
export function anchors(path) {
  const seen = new Map();
  return prose(path)
    .split("\n")
    .flatMap((line) => {
      const heading = /^#{1,6} (.*)$/.exec(line)?.[1];
      if (heading === undefined) return [];
      const plain = heading
        .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
        .replaceAll("`", "")
        .trim()
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
        .replaceAll(" ", "-");
      const times = seen.get(plain) ?? 0;
      seen.set(plain, times + 1);
      return [times === 0 ? plain : `${plain}-${times}`];
    });
}

/** The rows of the tables below a heading (up to the next heading), as cells; header rows left out. */
export function tableUnder(path, heading) {
  const lines = read(path).split("\n");
  const from = lines.findIndex((line) => new RegExp(`^#+ ${heading}$`).test(line));
  if (from < 0) throw new Error(`${path} has no heading "${heading}"`);
  const rows = [];
  for (let index = from + 1; index < lines.length && !/^#+ /.test(lines[index]); ++index) {
    const line = lines[index];
    if (!line.startsWith("|")) continue;
    if (/^\|[\s:|-]+\|$/.test(line)) {
      rows.pop();
      continue;
    }
    rows.push(
      line
        .slice(1, line.lastIndexOf("|"))
        .split(/(?<!\\)\|/)
        .map((cell) => cell.trim()),
    );
  }
  return rows;
}

/** `path:line`, for messages. */
export const at = (path, text, index) => `${relative("", path)}:${text.slice(0, index).split("\n").length}`;
