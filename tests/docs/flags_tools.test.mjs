// `npm run flags:check` and `npm run flags:eval` as a user runs them, on the documents of the docs too.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { instantiate } from "../../scripts/lib/core-tool.mjs";

const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "hogflare-flags-tools-"));
after(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a document and returns its path. */
function fileOf(name, document) {
  const path = join(folder, name);
  writeFileSync(path, typeof document === "string" ? document : JSON.stringify(document));
  return path;
}

/** Runs an npm script; npm's own lines are left out. */
function run(script, ...args) {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "--silent", script, "--", ...args], {
    cwd: ROOT,
    encoding: "utf8",
    env: { ...process.env, POSTHOG_GROUP_TYPE_0: "company" },
  });
  return { status, stdout, stderr };
}

const posthog = (key, properties, rest = {}) => ({ key, filters: { groups: [{ properties, ...rest }] } });

/** The first JSON block behind a heading of a document. */
function example(file, heading) {
  const text = readFileSync(join(ROOT, file), "utf8");
  const at = text.indexOf(`\n## ${heading}\n`);
  assert.ok(at >= 0, `${file} has no section "${heading}"`);
  return /```json\n(.*?)```/s.exec(text.slice(at))[1];
}

describe("npm run flags:check", () => {
  it("says that a good document is fit to use", () => {
    const file = fileOf("good.json", [{ key: "a" }, posthog("b", [{ key: "plan", value: "pro" }])]);
    const { status, stdout } = run("flags:check", file);
    assert.equal(stdout, `${file}: 2 flags, fit to use\n`);
    assert.equal(status, 0);
  });

  it("says all that is wrong with a document that takes much memory", () => {
    const pattern = (i) => ({ key: "p", value: `^\\p{L}{1,30}${i}`, operator: "regex" });
    const flags = Array.from({ length: 400 }, (_, i) => posthog(`f${i}`, [i < 60 ? pattern(i) : { key: "p", value: 1, operator: "near" }]));
    const { status, stdout } = run("flags:check", fileOf("large.json", flags));
    const lines = stdout.trim().split("\n");
    const beyond = lines.filter((line) => line.includes("the document's other patterns take all of the 16777216 bytes"));
    assert.ok(beyond.length > 0 && beyond.length < 60, `${beyond.length} patterns`);
    assert.match(beyond[0], /^error: flags\[\d+\]\.filters\.groups\[0\]\.properties\[0\]\.value: /);
    assert.equal(lines.filter((line) => line.includes("unknown operator")).length, 340);
    assert.equal(status, 1);
  });

  /** @type {[string, unknown, string][]} */
  const bad = [
    [
      "an unknown operator",
      [posthog("a", [{ key: "p", value: 1, operator: "near" }])],
      "flags[0].filters.groups[0].properties[0].operator",
    ],
    [
      "a broken regular expression",
      [posthog("a", [{ key: "p", value: "(", operator: "regex" }])],
      "flags[0].filters.groups[0].properties[0].value",
    ],
    ["look-around", [posthog("a", [{ key: "p", value: "a(?=b)", operator: "regex" }])], "flags[0].filters.groups[0].properties[0].value"],
    ["an unknown cohort", [posthog("a", [{ key: "id", type: "cohort", value: 3 }])], "flags[0].filters.groups[0].properties[0]"],
    ["a key used twice", [{ key: "a" }, { key: "a" }], "flags[1].key"],
    [
      "weights over 100",
      [
        {
          key: "a",
          filters: {
            groups: [{}],
            multivariate: {
              variants: [
                { key: "x", rollout_percentage: 60 },
                { key: "y", rollout_percentage: 60 },
              ],
            },
          },
        },
      ],
      "flags[0].filters.multivariate",
    ],
    [
      "a dependency cycle",
      [
        { id: 1, ...posthog("a", [{ key: "2", type: "flag", operator: "flag_evaluates_to", value: true }]) },
        { id: 2, ...posthog("b", [{ key: "1", type: "flag", operator: "flag_evaluates_to", value: true }]) },
      ],
      "flags[1]: flag 'a' depends on itself through 'b'",
    ],
  ];
  for (const [name, document, path] of bad) {
    it(`calls ${name} an error and says where`, () => {
      const file = fileOf("bad.json", document);
      const { status, stdout } = run("flags:check", file);
      const lines = stdout.trim().split("\n");
      assert.ok(
        lines.some((line) => line.startsWith(`error: ${path}`)),
        stdout,
      );
      assert.match(lines.at(-1), /: \d+ errors?$/);
      assert.equal(status, 1);
    });
  }

  it("names every problem of a document at once", () => {
    const file = fileOf(
      "many.json",
      bad.slice(0, 3).map(([, [one]], i) => ({ ...one, key: `k${i}` })),
    );
    const { stdout } = run("flags:check", file);
    assert.equal(stdout.match(/^error: /gm).length, 3);
    assert.match(stdout, /: 3 errors\n$/);
  });

  it("warns without an error", () => {
    const file = fileOf("warning.json", [posthog("a", [{ key: "99", type: "flag", operator: "flag_evaluates_to", value: true }])]);
    const { status, stdout } = run("flags:check", file);
    assert.match(stdout, /^warning: flags\[0\]/);
    assert.equal(status, 0);
  });

  it("refuses what is no JSON, no file, no argument", () => {
    const broken = run("flags:check", fileOf("broken.json", '[{"key": '));
    assert.match(broken.stdout, /^error: .*byte/m);
    assert.equal(broken.status, 1);
    const missing = run("flags:check", join(folder, "missing.json"));
    assert.match(missing.stderr, /cannot be read/);
    assert.equal(missing.status, 2);
    const none = run("flags:check");
    assert.match(none.stderr, /usage/);
    assert.equal(none.status, 2);
  });

  for (const [file, heading] of [
    ["README.md", "Feature flags"],
    ["docs/FLAGS.md", "The document"],
  ]) {
    it(`accepts the example of ${file}`, () => {
      const { status, stdout } = run("flags:check", fileOf("example.json", example(file, heading)));
      assert.match(stdout, /^[^\n]*: 2 flags, fit to use\n$/);
      assert.equal(status, 0);
    });
  }

  it("accepts the flags.json that is deployed", () => {
    assert.equal(run("flags:check", "flags.json").status, 0);
  });
});

describe("npm run flags:eval", () => {
  it("shows value, reason, bucket and payload of each flag", () => {
    const file = fileOf("eval.json", example("README.md", "Feature flags"));
    const { status, stdout } = run("flags:eval", file, "--distinct-id", "user-1", "--person", "plan=pro");
    const [head, ...rows] = stdout
      .trim()
      .split("\n")
      .map((line) => line.split(/ {2,}/));
    assert.deepEqual(head, ["flag", "value", "reason (condition)", "bucket", "payload"]);
    assert.deepEqual(
      rows.map(([key]) => key),
      ["pro-flag", "layout"],
    );
    for (const [, value, reason, bucket] of rows) {
      const on = Number(bucket) < 50;
      assert.equal(value !== "false", on);
      assert.match(reason, on ? /^(match|condition_match) \(0\)$/ : /^out_of_rollout/);
    }
    assert.equal(status, 0);
  });

  it("takes groups, group properties, a moment and typed values; --json gives it all", () => {
    const file = fileOf("typed.json", {
      flags: [
        posthog("age", [{ key: "age", value: 18, operator: "gte" }]),
        posthog("recent", [{ key: "signed_up", value: "-7d", operator: "is_date_after" }]),
        {
          key: "tier",
          filters: {
            aggregation_group_type_index: 0,
            groups: [{ properties: [{ key: "tier", value: "gold", type: "group", group_type_index: 0 }] }],
          },
        },
      ],
    });
    const { status, stdout } = run(
      "flags:eval",
      file,
      "--json",
      "--distinct-id",
      "u",
      "--person",
      "age=30",
      "--person",
      "signed_up=2025-06-10",
      "--group",
      "company=acme",
      "--group-property",
      "company.tier=gold",
      "--now",
      "2025-06-15T12:00:00Z",
    );
    assert.equal(status, 0);
    const { flags } = JSON.parse(stdout);
    assert.deepEqual(
      flags.map(({ key, value }) => [key, value]),
      [
        ["age", true],
        ["recent", true],
        ["tier", true],
      ],
    );
    assert.equal(flags[2].identifier, "acme");
  });

  it("says what is wrong with its arguments and its document", () => {
    const file = fileOf("twice.json", [{ key: "a" }, { key: "a" }]);
    const refused = run("flags:eval", fileOf("none.json", { flags: 1 }), "--distinct-id", "u");
    assert.match(refused.stderr, /the definitions are refused\nerror: flags/);
    assert.equal(refused.status, 1);
    const usage = run("flags:eval", file);
    assert.match(usage.stderr, /usage/);
    assert.equal(usage.status, 2);
    const pair = run("flags:eval", file, "--distinct-id", "u", "--person", "plan");
    assert.match(pair.stderr, /'plan' must be key=value/);
    assert.equal(pair.status, 2);
  });
});

describe("the tools' core", () => {
  it("says which assertion failed, as the Worker's log does", () => {
    // An entry without the random bytes that belong to its input.
    assert.throws(() => instantiate().hf_http(0, 0), /^Error: assertion failed: .+ \(src\/wasm\/module\.cpp:\d+\)$/);
  });
});
