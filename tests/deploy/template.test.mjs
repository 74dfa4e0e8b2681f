// What `npm create cloudflare -- --template` and the Deploy to Cloudflare button ask of a folder, by Cloudflare's pages
// workers/platform/deploy-buttons and pages/get-started/c3 and by create-cloudflare's own checks (November 2026).
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { parseEnv } from "node:util";
import { readConfig } from "../../cli/config.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";

const TEMPLATE = join(ROOT, "template");
const read = (name) => readFileSync(join(TEMPLATE, name), "utf8");
const manifest = JSON.parse(read("package.json"));
const config = readConfig(TEMPLATE);
const secrets = Object.keys(parseEnv(read(".dev.vars.example")));
/** Kinds of bindings that the button makes, or for which nothing is to be made; Basin Pipelines are none of them. */
const PROVISIONED = ["assets", "durable_objects", "kv_namespaces"];
const PLAIN = ["name", "main", "compatibility_date", "workers_dev", "build", "observability", "vars", "migrations"];

describe("the template", () => {
  it("is a project with package.json and wrangler.jsonc at its root, and none of variants", () => {
    for (const name of ["package.json", "wrangler.jsonc", "README.md", ".gitignore"]) assert.ok(existsSync(join(TEMPLATE, name)), name);
    // create-cloudflare takes these folders for variants, and copies only one of them.
    for (const name of ["js", "ts", "py"]) assert.ok(!existsSync(join(TEMPLATE, name)), name);
  });

  it("stands alone: a button given a subdirectory copies that and nothing beside it", () => {
    const texts = readdirSync(TEMPLATE, { withFileTypes: true })
      .filter((each) => each.isFile())
      .map(({ name }) => [name, read(name)]);
    for (const [name, text] of texts) assert.doesNotMatch(text, /\.\.\//, name);
    assert.match(config.main, /^node_modules\/hogflare\//);
    for (const version of Object.values(manifest.dependencies)) assert.match(version, /^\d+\.\d+\.\d+$/);
  });

  it("has the scripts that Workers Builds runs", () => {
    assert.match(manifest.scripts.deploy, /wrangler deploy$/);
    assert.ok(manifest.scripts.build);
    assert.equal(config.build.command, "npm run build");
  });

  it("names only what can be made without an account's ids", () => {
    assert.deepEqual(
      Object.keys(config).filter((key) => ![...PROVISIONED, ...PLAIN].includes(key)),
      [],
    );
    // Without an id the namespace is made; with one it would be somebody else's.
    for (const each of config.kv_namespaces) assert.deepEqual(Object.keys(each), ["binding"]);
    assert.ok(config.migrations.every((each) => each.new_sqlite_classes.length > 0));
  });

  it("describes each binding, variable and secret that the button asks for, and no other", () => {
    const asked = [
      ...config.durable_objects.bindings.map((each) => each.name),
      ...config.kv_namespaces.map((each) => each.binding),
      ...Object.keys(config.vars),
      ...secrets,
    ];
    assert.deepEqual(Object.keys(manifest.cloudflare.bindings).sort(), asked.sort());
    for (const [name, { description }] of Object.entries(manifest.cloudflare.bindings)) assert.ok(description.length > 10, name);
  });

  it("asks for secrets without a value that would be deployed as it stands", () => {
    for (const [name, value] of Object.entries(parseEnv(read(".dev.vars.example")))) assert.equal(value, "", name);
    const table = readFileSync(join(ROOT, "README.md"), "utf8");
    for (const name of secrets) assert.match(table, new RegExp(`^\\| \`${name}\` \\|.*\\(secret\\) \\|$`, "m"), name);
    assert.match(read(".gitignore"), /^\.dev\.vars$/m);
  });
});
