// The matrix of docs/COMPATIBILITY.md is what this run of the suite has seen. It comes last: the other files
// leave their proofs in build/proofs.
//
//   HOGFLARE_WRITE_MATRIX=1 scripts/test sdk      writes it anew
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CAPABILITIES, PROOFS } from "./proofs.mjs";
import { recordings } from "./recordings.mjs";

const DOCUMENT = join(import.meta.dirname, "../../docs/COMPATIBILITY.md");
const BEGIN = "<!-- matrix: written by tests/sdk -->\n";
const END = "<!-- end of the matrix -->\n";

/** The files whose tests prove something. */
const provers = () =>
  readdirSync(import.meta.dirname).filter(
    (name) => name.endsWith(".test.mjs") && /^const \{ proves \} =/m.test(readFileSync(join(import.meta.dirname, name), "utf8")),
  );

function matrix() {
  /** @type {Map<string, Map<string, string>>} */
  const rows = new Map();
  const mark = (sdk, capability, how) => {
    if (!rows.has(sdk)) rows.set(sdk, new Map());
    const row = /** @type {Map<string, string>} */ (rows.get(sdk));
    if (row.get(capability) !== "runs") row.set(capability, how);
  };
  for (const { sdk, capabilities } of recordings()) for (const one of capabilities) mark(sdk, one, "recorded");
  for (const name of provers()) {
    const cells = JSON.parse(readFileSync(join(PROOFS, `${name}.json`), "utf8"));
    for (const { sdk, capability } of cells) mark(sdk, capability, "runs");
  }
  const line = (cells) => `| ${cells.join(" | ")} |\n`;
  const sorted = [...rows].sort(([a], [b]) => (a.toLowerCase() < b.toLowerCase() ? -1 : 1));
  return (
    line(["SDK", ...CAPABILITIES]) +
    line(["---", ...CAPABILITIES.map(() => "---")]) +
    sorted.map(([sdk, row]) => line([sdk, ...CAPABILITIES.map((one) => row.get(one) ?? "")])).join("")
  );
}

test("docs/COMPATIBILITY.md has the matrix of this run", () => {
  const text = readFileSync(DOCUMENT, "utf8");
  const begin = text.indexOf(BEGIN) + BEGIN.length;
  const end = text.indexOf(END);
  assert.ok(begin >= BEGIN.length && end >= begin, "the document marks where the matrix stands");
  const found = matrix();
  if (process.env.HOGFLARE_WRITE_MATRIX === "1") writeFileSync(DOCUMENT, text.slice(0, begin) + found + text.slice(end));
  else assert.equal(text.slice(begin, end), found, "HOGFLARE_WRITE_MATRIX=1 scripts/test sdk writes it anew");
});
