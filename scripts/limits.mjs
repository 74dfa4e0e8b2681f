// docs/LIMITS.md: every bound of the headers named *limits.h as a table, made from the
// constants and their comments. tests/docs/limits.test.mjs holds the document against the headers.
//
//   node scripts/limits.mjs           writes the document
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(fileURLToPath(import.meta.url), "../..");
export const HEADERS = [
  "include/hogflare/limits.h",
  "include/hogflare/memory_limits.h",
  "include/hogflare/flags_limits.h",
  "include/hogflare/insights_limits.h",
  "include/hogflare/recordings_limits.h",
  "src/console/limits.h",
  "src/http/mcp_limits.h",
  "src/json/limits.h",
];
export const DOCUMENT = join(root, "docs/LIMITS.md");

/** What an operator may set instead, by constant. */
export const VARIABLES = {
  kObjectCallsMax: "HOGFLARE_OBJECT_CALLS_MAX",
  kEventsPerRequestMax: "HOGFLARE_EVENTS_PER_REQUEST_MAX",
  kDecompressedBytesMax: "HOGFLARE_BODY_BYTES_MAX",
  kRejectRowsMax: "HOGFLARE_REJECT_ROWS_MAX",
};

/** By the end of a name, which is its unit. The first that fits counts. */
const UNITS = [
  [/Share$/, "divides the whole"],
  [/Bytes/, "bytes"],
  [/Ms(Max)?$/, "milliseconds"],
  [/(Session|Skew)S$/, "seconds"],
  [/Chars$/, "code points"],
  [/Units$/, "UTF-16 units"],
  [/./, "count"],
];

const unitOf = (name) => UNITS.find(([ending]) => ending.test(name))[1];

/** A constant's value out of the few forms that the headers use. */
function valueOf(text) {
  const plain = text
    .replaceAll("'", "")
    .replaceAll(/(\d)u\b/g, "$1")
    .replaceAll(/u?int\d+_t\{(\d+)\}/g, "$1");
  if (!/^[\d\s<*]+$/.test(plain)) throw new Error(`no number: ${text}`);
  const [number, shift = "0"] = plain.split("<<");
  const product = number.split("*").reduce((value, factor) => value * Number(factor), 1);
  return product * 2 ** Number(shift);
}

/** The sentences of a comment that name where a number comes from. */
function sourceOf(comment) {
  const named = comment.match(/(?:PostHog|Cloudflare|Workers|RFC \d+|\b[WIFP]-\d+(?:\.\d+)*|[a-z-]+\.md|\w+\.rs|The sink)/g);
  return named === null ? "Hogflare" : [...new Set(named)].join(", ");
}

/** Every constant in order: {section, name, value, unit, why, source, variable}. */
export function limits() {
  const found = [];
  for (const header of HEADERS) {
    let section = header.endsWith("flags_limits.h")
      ? "Flags"
      : header.endsWith("insights_limits.h")
        ? "Questions"
        : header.endsWith("recordings_limits.h")
          ? "Recordings"
          : header.endsWith("console/limits.h")
            ? "The console"
            : header.endsWith("json/limits.h")
              ? "Documents"
              : "";
    let comment = [];
    let wasConstant = false;
    for (const line of readFileSync(join(root, header), "utf8").split("\n")) {
      const heading = /^\/\/ --- (.*?)(?: \([^)]*\))? ---$/.exec(line);
      const constant = /^inline constexpr \w+ (k\w+) = ([^;]+);$/.exec(line);
      if (heading !== null) {
        section = heading[1];
        comment = [];
      } else if (line.startsWith("// ")) {
        if (wasConstant) comment = [];
        comment.push(line.slice(3));
      } else if (constant !== null) {
        const why = comment.join(" ");
        const [, name, value] = constant;
        found.push({
          section,
          name,
          value: valueOf(value),
          unit: unitOf(name),
          why,
          source: sourceOf(why),
          variable: VARIABLES[name] ?? "",
        });
      }
      wasConstant = constant !== null;
      if (line === "") comment = [];
    }
  }
  return found;
}

/** @returns {string} the document */
export function render() {
  const lines = [
    "# Limits",
    "",
    "Every number that bounds something, made by `node scripts/limits.mjs` out of `include/hogflare/limits.h` and",
    "`include/hogflare/memory_limits.h`, `flags_limits.h` and `insights_limits.h` and `recordings_limits.h`; a test compares them. Names end in their unit. A limit with a variable is",
    "the default of what an operator may set (README, Configuration); a value that cannot be used is named by",
    "`/healthz` and the default stays.",
    "",
    "What a client sees when a request is over one of them:",
    "",
    "| over | v0 answer | capture v1 | again? |",
    "|---|---|---|---|",
    "| bytes on the wire or unpacked, values, events of a request | 413 `request is larger than the limit` | 413 `payload_too_large` | in parts |",
    "| object calls of a request (people, groups) | 413, nothing stored | 413 `payload_too_large` | in parts of fewer people |",
    "| memory that other requests hold at the moment | 503 with Retry-After | 503 `service_unavailable` | as it is |",
    "| one event's bytes | that event has a reject row | `drop` with its reason | no |",
    "| reject rows of a request | the rest is one row with their number | the same | |",
    "| properties that rows may carry | rows without them, one row with their number | the same | |",
  ];
  let section = null;
  for (const limit of limits()) {
    if (limit.section !== section) {
      section = limit.section;
      lines.push("", `## ${section}`, "", "| name | value | unit | why | source | variable |", "|---|---|---|---|---|---|");
    }
    const variable = limit.variable === "" ? "" : `\`${limit.variable}\``;
    const why = limit.why.replaceAll("|", "\\|");
    lines.push(`| \`${limit.name}\` | ${limit.value} | ${limit.unit} | ${why} | ${limit.source} | ${variable} |`);
  }
  return `${lines.join("\n")}\n`;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  writeFileSync(DOCUMENT, render());
  console.log(`wrote ${limits().length} limits`);
}
