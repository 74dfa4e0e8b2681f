// docs/BROWSER.md names every field of remote config that is checked, and what the assets hold.
import assert from "node:assert/strict";
import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { scripts } from "../../scripts/lib/assets.mjs";

const root = join(fileURLToPath(import.meta.url), "../../..");
const page = readFileSync(join(root, "docs/BROWSER.md"), "utf8");
const source = readFileSync(join(root, "src/project/settings.cpp"), "utf8");

/** Names in one of the source's tables of fields. */
function fieldsOf(table) {
  const [, body] = new RegExp(`constexpr Field ${table}\\[\\] = \\{([\\s\\S]*?)\\n\\};`).exec(source) ?? [];
  assert.ok(body, `${table} is in settings.cpp`);
  return [...body.matchAll(/\{\.name = "([^"]+)"/g)].map(([, name]) => name);
}

describe("docs/BROWSER.md", () => {
  // The server says these two by itself; a document that has them is taken as PostHog's own.
  const OWN = ["endpoint", "recorderVersion"];
  for (const table of ["kRemoteConfig", "kSessionRecording", "kMasking", "kPayloadCapture", "kErrorTracking"]) {
    it(`names each field of ${table}`, () => {
      const missing = fieldsOf(table).filter((name) => !OWN.includes(name) && !page.includes(`\`${name}\``));
      assert.deepEqual(missing, []);
    });
  }

  const dist = join(dirname(createRequire(import.meta.url).resolve("posthog-js/package.json")), "dist");
  const names = Object.keys(scripts().files);
  const bytesOf = (some) => some.reduce((sum, name) => sum + statSync(join(dist, name)).size, 0);

  it("says how many scripts there are, and how large they are together", () => {
    assert.match(page, new RegExp(`has ${names.length} scripts of\\s${(bytesOf(names) / 1e6).toFixed(1).replace(".", "\\.")} MB`));
  });

  it("has each script in one row of their table, whose figures are theirs", () => {
    const [, table] = /\| Scripts \|.*\n\|.*\n((?:\|.*\n)+)/.exec(page);
    const found = table
      .trim()
      .split("\n")
      .flatMap((row) => {
        const [, , patterns, count, kilobytes] = row.split("|").map((cell) => cell.trim());
        const all = patterns
          .split(", ")
          .map((pattern) => new RegExp(`^${pattern.slice(1, -1).replaceAll(".", "\\.").replaceAll("*", ".*")}$`));
        const some = names.filter((name) => all.some((pattern) => pattern.test(name)));
        assert.deepEqual([some.length, Math.round(bytesOf(some) / 1000)], [Number(count), Number(kilobytes)], row);
        return some;
      });
    assert.deepEqual(found.sort(), [...names].sort());
  });
});
