// Variables and bindings stand in one table in the code; README and wrangler.toml.example agree.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");

const code = read("src/config/config.cpp");
const inCode = [...code.matchAll(/^ {6}\{"([A-Z0-9_]+)", (?:true|false)\},$/gm)].map((match) => match[1]);
const secrets = [...code.matchAll(/^ {6}\{"([A-Z0-9_]+)", true\},$/gm)].map((match) => match[1]);
const bindings = [...code.slice(code.indexOf("config_bindings()")).matchAll(/"([A-Z_]+)"/g)].map((match) => match[1]);
const readme = read("README.md");
const example = read("wrangler.toml.example");

describe("configuration", () => {
  it("the code's table is found", () => {
    assert.ok(inCode.length >= 20);
    assert.ok(bindings.includes("PERSONS"));
  });

  it("README lists the same variables in the same order", () => {
    const listed = [...readme.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map((match) => match[1]);
    assert.deepEqual(listed, inCode);
  });

  it("README marks the same ones as secret", () => {
    const marked = [...readme.matchAll(/^\| `([A-Z0-9_]+)` \|.*\(secret\) \|$/gm)].map((match) => match[1]);
    assert.deepEqual(marked, secrets);
  });

  it("wrangler.toml.example names every variable and no other", () => {
    const named = new Set(example.match(/\b(?:HOGFLARE|POSTHOG|CLOUDFLARE)_[A-Z0-9_]+\b/g));
    assert.deepEqual([...named].sort(), [...inCode].sort());
  });

  it("wrangler.toml.example has no secret as a variable", () => {
    for (const secret of secrets) assert.doesNotMatch(example, new RegExp(`^(# )?${secret} =`, "m"));
  });

  it("wrangler.toml.example names every binding", () => {
    for (const binding of bindings) assert.match(example, new RegExp(`"${binding}"`));
  });
});
