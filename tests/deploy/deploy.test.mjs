// What `wrangler deploy` would upload, from wrangler.toml.example as it stands.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { OBJECTS } from "../../cli/config.mjs";
import { writeAssets } from "../../scripts/lib/assets.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";

const config = join(ROOT, "wrangler.deploy-test.toml");
const out = mkdtempSync(join(tmpdir(), "hogflare-deploy-"));
after(() => {
  rmSync(config, { force: true });
  rmSync(out, { recursive: true, force: true });
});

// As `scripts/build worker` leaves them.
before(() => {
  const assets = join(ROOT, "build/assets");
  if (!existsSync(assets)) writeAssets(assets);
});

/** Dry-runs the example; what it printed on both streams: warnings go to the second. */
function dryRun(text) {
  writeFileSync(config, text);
  const { status, stdout, stderr } = spawnSync(
    join(ROOT, "node_modules/.bin/node"),
    [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", out, "--config", config],
    { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, CI: "true" } },
  );
  assert.equal(status, 0, stdout + stderr);
  return stdout + stderr;
}

const example = readFileSync(join(ROOT, "wrangler.toml.example"), "utf8");

/** Turns the commented tables and variables on. */
function withOptions(text) {
  return text
    .replace(/^# (\[\[|[A-Z_]+ = |binding = |stream = |id = |dataset = |bucket_name = |name = |namespace_id = |simple = )/gm, "$1")
    .replace(/^#$/gm, "");
}

describe("wrangler deploy --dry-run", () => {
  it("takes the example as it is and names every object class", () => {
    const printed = dryRun(example);
    for (const { binding } of OBJECTS) assert.match(printed, new RegExp(`env\\.${binding}\\b`));
    assert.doesNotMatch(printed, /warning/i);
  });

  it("takes it with every option switched on", () => {
    const printed = dryRun(withOptions(example));
    for (const name of [
      "EVENTS_STREAM",
      "PERSONS_STREAM",
      "REJECTS_STREAM",
      "DISTINCT_IDS_STREAM",
      "FLAGS",
      "RECORDINGS",
      "CLIENT_RATE_LIMIT",
      "ANALYTICS",
      "HOGFLARE_PROJECTS",
    ]) {
      assert.match(printed, new RegExp(`env\\.${name}`));
    }
  });

  it("uploads a module of at most 1 MB gzipped", () => {
    const wasm = readdirSync(out).find((name) => name.endsWith(".wasm"));
    const bytes = readFileSync(join(out, wasm));
    const gzipped = gzipSync(bytes, { level: 9 }).byteLength;
    console.log(`core.wasm ${statSync(join(out, wasm)).size} bytes, ${gzipped} gzipped`);
    assert.ok(gzipped <= 1_000_000, `${gzipped} bytes gzipped`);
  });
});
