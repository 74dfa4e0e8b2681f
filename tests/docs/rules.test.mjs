// docs/rules and those who cite it: every cited number is a rule, every rule has one number and a
// source, and no comment names a section of what is not a public standard.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { at, files, read } from "./tree.mjs";

const DOCUMENTS = { I: "docs/rules/identity.md", W: "docs/rules/wire.md", F: "docs/rules/flags.md", P: "docs/rules/platform.md" };
const NUMBER = /(?<![\w-])[IWFP]-\d+(?:\.\d+)*(?![\w-])/g;
const TEXT = /\.(h|cpp|inc|js|mjs|ts|tsx|css|html|py|sh|sql|md|json|toml|example)$|^(scripts|\.ci|bin)\//;
/** A section sign belongs to one of these when it follows within the same sentence. */
const STANDARD = /(?:RFC \d+|WHATWG \w+|ECMA-\d+)(?:(?!\. )[^;]){0,40}$/;

const rules = Object.entries(DOCUMENTS).flatMap(([letter, path]) =>
  read(path)
    .split("\n")
    .flatMap((line, index) => {
      const cells = line.startsWith("| ") ? line.split("|").map((cell) => cell.trim()) : [];
      if (!/^[A-Z]-\d/.test(cells[1] ?? "")) return [];
      return [{ letter, number: cells[1], text: cells[2], source: cells[3], cells: cells.length, place: `${path}:${index + 1}` }];
    }),
);
/** Every number that may be cited: a rule's own, and all beginnings of it. */
const citable = new Set(
  rules.flatMap(({ number }) => {
    const parts = number.split(".");
    return parts.map((_, index) => parts.slice(0, index + 1).join("."));
  }),
);
const texts = files().filter((path) => TEXT.test(path) && path !== "docs/rules/README.md" && path !== "tests/docs/rules.test.mjs");

describe("docs/rules", () => {
  it("numbers each rule once, in the document of its letter, with a source", () => {
    assert.ok(rules.length > 130, `${rules.length} rules`);
    const seen = new Map();
    for (const { letter, number, text, source, cells, place } of rules) {
      assert.equal(number[0], letter, place);
      assert.match(number, /^[A-Z]-\d+(\.\d+)*$/, place);
      assert.equal(seen.get(number), undefined, `${place}: ${number} stands at ${seen.get(number)} too`);
      seen.set(number, place);
      assert.equal(cells, 5, `${place}: three cells`);
      assert.ok(text.length > 20, `${place}: says something`);
      assert.match(source, /^the same\b|`[^`]+`|^[a-z.]+\.[a-z]+\//, `${place}: names its source`);
    }
  });

  it("puts each rule under the heading of its chapter", () => {
    for (const path of Object.values(DOCUMENTS)) {
      let chapter = "";
      for (const line of read(path).split("\n")) {
        chapter = /^## ([A-Z]-\d+) /.exec(line)?.[1] ?? chapter;
        const number = /^\| ([A-Z]-\d[\d.]*) /.exec(line)?.[1];
        if (number !== undefined)
          assert.ok(number.startsWith(chapter) && !/^\d/.test(number.slice(chapter.length)), `${path}: ${number} under ${chapter}`);
      }
    }
  });

  it("holds every rule that anybody cites", () => {
    let cited = 0;
    const missing = [];
    for (const path of texts) {
      const text = read(path);
      for (const match of text.matchAll(NUMBER)) {
        ++cited;
        if (!citable.has(match[0])) missing.push(`${at(path, text, match.index)}: ${match[0]}`);
      }
    }
    assert.deepEqual(missing, []);
    assert.ok(cited > 200, `${cited} citations`);
  });
});

describe("sections of other texts", () => {
  it("are of public standards", () => {
    const bare = [];
    for (const path of texts) {
      const text = read(path);
      for (const match of text.matchAll(/§/g)) {
        const before = text.slice(Math.max(0, match.index - 120), match.index).replaceAll(/\n\s*(\/\/|\*|#)? ?/g, " ");
        if (!STANDARD.test(before)) bare.push(at(path, text, match.index));
      }
    }
    assert.deepEqual(bare, []);
  });

  it("and no comment names a text that is not in the tree", () => {
    const named = [];
    for (const path of texts) {
      const text = read(path);
      for (const match of text.matchAll(
        /\b(wire-protocol|identity-semantics|flag-semantics|flag-rules-v2|insight-semantics|console-design|posthog-2026|browser-surface)\b(?!\.json)/g,
      )) {
        named.push(at(path, text, match.index));
      }
    }
    assert.deepEqual(named, []);
  });
});
