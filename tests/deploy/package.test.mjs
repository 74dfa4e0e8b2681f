// The npm package in an empty folder: no compiler, no sources, only what it brings.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { compatibilityDate, ROOT } from "../../scripts/lib/worker.mjs";
import { eventually, sinkVariables, startPipeline, TOKEN } from "../lib/harness.mjs";

const NODE = join(ROOT, "node_modules/.bin/node");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const tarball = join(ROOT, `dist/hogflare-${version}.tgz`);
const inFolder = (command, args) => execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, CI: "true" } });
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

let folder;
let first;
before(() => {
  const pack = () => execFileSync(NODE, [join(ROOT, "scripts/lib/package.mjs")], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  pack();
  first = sha256(tarball);
  pack();
  folder = mkdtempSync(join(tmpdir(), "hogflare-package-"));
  inFolder("npm", ["install", "--no-audit", "--no-fund", "--silent", tarball]);
});
after(() => folder && rmSync(folder, { recursive: true, force: true }));

describe("the package", () => {
  it("is the same twice, small, and holds nothing but what an operator needs", () => {
    assert.equal(sha256(tarball), first);
    assert.ok(statSync(tarball).size <= 3_000_000);
    const names = execFileSync("tar", ["tzf", tarball], { encoding: "utf8" }).trim().split("\n");
    assert.deepEqual(names.filter((name) => /\/(src|include|tests|fuzz|bench|node_modules)\//.test(name)), []);
    assert.doesNotMatch(readFileSync(join(folder, "node_modules/hogflare/wrangler.toml.example"), "utf8"), /\[build\]/);
  });

  it("says what is inside it, and the module is the one it names", () => {
    const inside = join(folder, "node_modules/hogflare");
    const bill = JSON.parse(readFileSync(join(inside, "sbom.cdx.json"), "utf8"));
    assert.equal(bill.bomFormat, "CycloneDX");
    const names = bill.components.map((component) => component.name);
    for (const name of ["nlohmann/json", "{fmt}", "RE2", "zlib", "OpenSSL libcrypto", "posthog-js"]) assert.ok(names.includes(name), name);
    const sum = sha256(join(inside, "build/wasm/core.wasm"));
    assert.equal(bill.metadata.component.hashes[0].content, sum);
    assert.equal(readFileSync(join(inside, "build/wasm/core.wasm.sha256"), "utf8"), `${sum}  core.wasm\n`);
    const terms = readFileSync(join(inside, "THIRD_PARTY_LICENSES"), "utf8");
    for (const words of ["Niels Lohmann", "Victor Zverovich", "The RE2 Authors", "Jean-loup Gailly", "Apache License"]) assert.ok(terms.includes(words), words);
  });

  it("deploys dry without a build, and what would be uploaded takes an event and serves a script", async () => {
    cpSync(join(folder, "node_modules/hogflare/wrangler.toml.example"), join(folder, "wrangler.toml"));
    inFolder(NODE, ["node_modules/hogflare/scripts/lib/assets.mjs", "assets"]);
    inFolder(NODE, [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "out"]);
    const out = join(folder, "out");
    const pipeline = await startPipeline(join(folder, "pipeline"));
    const object = (className) => ({ className, useSQLite: true });
    const worker = new Miniflare(
      convertV4MiniflareOptions({
        host: "127.0.0.1",
        port: 0,
        resourcePersistencePath: join(folder, "worker"),
        workers: [
          {
            name: "hogflare",
            modules: readdirSync(out)
              .filter((name) => /\.(js|wasm)$/.test(name))
              .map((name) => ({ type: name.endsWith(".js") ? "ESModule" : "CompiledWasm", path: join(out, name) }))
              .sort((left) => (left.type === "ESModule" ? -1 : 1)),
            modulesRoot: out,
            compatibilityDate: compatibilityDate(),
            bindings: sinkVariables(pipeline.url),
            assets: { directory: join(folder, "assets"), binding: "ASSETS", routerConfig: { has_user_worker: true }, assetConfig: { html_handling: "none" } },
            durableObjects: {
              PERSONS: object("PersonDurableObject"),
              PERSON_ID_COUNTER: object("PersonIdCounterDurableObject"),
              GROUPS: object("GroupDurableObject"),
              OUTBOX: object("OutboxDurableObject"),
            },
          },
        ],
      }),
    );
    try {
      const url = (await worker.ready).href;
      const sent = await fetch(`${url}batch/`, {
        method: "POST",
        body: JSON.stringify({ api_key: TOKEN, batch: [{ event: "from the package", properties: { distinct_id: "p" } }] }),
      });
      assert.equal(sent.status, 200);
      await eventually(async () => (await pipeline.json("/events")).some((row) => row.event === "from the package"), { what: "the row" });
      assert.equal((await fetch(`${url}static/array.js`)).status, 200);
    } finally {
      await worker.dispose();
      await pipeline.stop();
    }
  });
});
