// docs/LIMITS.md lists every bound with the value it has in the code.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { DOCUMENT, HEADERS, limits, render, VARIABLES } from "../../scripts/limits.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");

describe("docs/LIMITS.md", () => {
  it("is what the headers make of it; node scripts/limits.mjs writes it anew", () => {
    assert.equal(readFileSync(DOCUMENT, "utf8"), render());
  });

  it("misses no constant and no reason", () => {
    const headers = execFileSync("git", ["ls-files", "*limits.h"], { cwd: root, encoding: "utf8" });
    const ours = headers
      .trim()
      .split("\n")
      .filter((path) => !path.startsWith("tests/"));
    assert.deepEqual(ours.sort(), [...HEADERS].sort());
    const declared = HEADERS.flatMap((header) => [...read(header).matchAll(/\b(k[A-Z]\w+) =/g)].map((match) => match[1]));
    assert.ok(declared.length > 100);
    assert.deepEqual(
      limits().map((limit) => limit.name),
      declared,
    );
    for (const limit of limits()) {
      assert.ok(limit.why.length > 10, `${limit.name} has no reason`);
      assert.ok(Number.isSafeInteger(limit.value), limit.name);
    }
  });

  it("names the variables that set a limit, whose default it is", () => {
    const readme = read("README.md");
    const byName = Object.fromEntries(limits().map((limit) => [limit.name, limit]));
    for (const [name, variable] of Object.entries(VARIABLES)) {
      assert.equal(byName[name].variable, variable);
      assert.match(readme, new RegExp(`^\\| \`${variable}\` \\| \`${byName[name].value}\` \\|`, "m"));
      assert.match(read("src/config/config.cpp"), new RegExp(`"${variable}",\\s+limits::${name}\\b`));
    }
  });
});
