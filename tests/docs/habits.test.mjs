// One version, a changelog that can be read by machines, and CONTRIBUTING.md's lists against the code.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { files, read, ROOT } from "./tree.mjs";
import { existsSync } from "node:fs";
import { join } from "node:path";

const { version } = JSON.parse(read("package.json"));

describe("the version", () => {
  it("is package.json's wherever it is repeated", () => {
    const repeated = {
      "include/hogflare/version.h": /kVersion = "([^"]+)"/g,
      "template/package.json": /"hogflare": "([^"]+)"/g,
      "console/dev/mock.mjs": /\bversion: "([^"]+)"/g,
    };
    for (const [path, pattern] of Object.entries(repeated)) {
      const found = [...read(path).matchAll(pattern)].map(([, each]) => each);
      assert.ok(found.length > 0, path);
      assert.deepEqual([...new Set(found)], [version], path);
    }
    const lock = JSON.parse(read("package-lock.json"));
    assert.deepEqual([lock.version, lock.packages[""].version], [version, version]);
    assert.match(version, /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/);
  });
});

describe("CHANGELOG.md", () => {
  const text = read("CHANGELOG.md");
  const sections = [...text.matchAll(/^## \[([^\]]+)\](?: - (\d{4}-\d{2}-\d{2}))?$/gm)].map(([, name, date]) => ({ name, date }));

  it("has Unreleased first, then versions with their days, newest first", () => {
    assert.equal(sections[0].name, "Unreleased");
    const released = sections.slice(1);
    for (const { name, date } of released) assert.ok(/^\d+\.\d+\.\d+$/.test(name) && date !== undefined, name);
    assert.deepEqual(
      released.map(({ date }) => date),
      released
        .map(({ date }) => date)
        .sort()
        .reverse(),
    );
    const unreleased = text.slice(text.indexOf("## [Unreleased]")).split(/^## \[(?!Unreleased)/m)[0];
    assert.ok(
      released.some(({ name }) => name === version) || unreleased.includes(version),
      `${version} is neither released nor said to come`,
    );
  });

  it("groups changes by the names of Keep a Changelog", () => {
    for (const [, name] of text.matchAll(/^### (.*)$/gm)) {
      assert.ok(["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"].includes(name), name);
    }
  });
});

describe("CONTRIBUTING.md", () => {
  const text = read("CONTRIBUTING.md");
  /** Heading, what marks the example in the code, and where besides the listed files it may stand. */
  const RECIPES = [
    ["An operator of flags, as `semver_caret`", /\bsemver_caret\b|\bkSemverCaret\b/, /^$/],
    [
      "A reject reason, as `origin_not_allowed`",
      /\borigin_not_allowed\b|\bkOriginNotAllowed\b/,
      /^(include\/hogflare\/capture|src\/capture\/)/,
    ],
    ["A property that the edge adds, as `cf_metro_code`", /cf_metro_code|\bmetro_?code\b/i, /^bench\//],
    ["A variable, as `HOGFLARE_ANSWER_WITHIN_SECS`", /HOGFLARE_ANSWER_WITHIN_SECS/, /^(docs\/|include\/hogflare\/(recordings_)?limits\.h)/],
    ["A route, as `/api/product_tours`", /\bkProductTours\b|`\/api\/product_tours`/, /^docs\/BROWSER\.md$/],
  ];
  const CODE = /^(src|include|js-shim|fuzz|bench|docs|scripts|cli)\/|^(README\.md|wrangler\.toml\.example)$|^tests\/lib\//;

  for (const [heading, mark, elsewhere] of RECIPES) {
    it(`${heading}: lists the files that it really needs`, () => {
      const from = text.indexOf(`### ${heading}\n`);
      assert.ok(from > 0, "the heading is there");
      const section = text.slice(from, text.indexOf("\n#", from + 4));
      const listed = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, path]) => path);
      for (const path of listed) assert.ok(existsSync(join(ROOT, path)), path);
      const marked = files().filter((path) => CODE.test(path) && mark.test(read(path)));
      assert.deepEqual(marked.filter((path) => !elsewhere.test(path)).sort(), [...listed].sort());
    });
  }

  it("shows how suites are chosen", () => {
    for (const command of ["scripts/test unit", "scripts/test --changed", "scripts/test"]) {
      assert.match(text, new RegExp(`^${command} +#`, "m"));
    }
  });
});

describe("files that a repository is looked for", () => {
  it("are there and lead on", () => {
    for (const path of [
      "LICENSE",
      "NOTICE",
      "CONTRIBUTING.md",
      "SECURITY.md",
      "CODE_OF_CONDUCT.md",
      "CHANGELOG.md",
      ".editorconfig",
      ".github/pull_request_template.md",
    ]) {
      assert.ok(existsSync(join(ROOT, path)), path);
    }
    assert.match(read("SECURITY.md"), /\(docs\/SECURITY\.md\)/);
    assert.match(read("README.md"), /\(CONTRIBUTING\.md\)/);
    assert.match(read("CODE_OF_CONDUCT.md"), /contributor-covenant\.org\/version\/2\/1/);
    assert.equal(JSON.parse(read("package.json")).license, "Apache-2.0");
    assert.match(read("LICENSE"), /Apache License\s+Version 2\.0/);
    for (const form of ["bug.yml", "difference.yml"]) {
      const yaml = read(`.github/ISSUE_TEMPLATE/${form}`);
      for (const key of ["name", "description", "body"]) assert.match(yaml, new RegExp(`^${key}:`, "m"), form);
    }
  });
});
