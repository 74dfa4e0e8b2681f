// Cases from the field (tests/cases): what people reported of PostHog's SDKs and server, each a program of its own
// against a started product. Its first lines name the situation, what is right, and the source.
//
//   BASE=http://127.0.0.1:8787 SINK=http://127.0.0.1:8088 node tests/cases/05-nul-characters.mjs
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { after, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { startSystem } from "../lib/harness.mjs";

const CASES = join(ROOT, "tests/cases");
const ADMIN = "admin-token-of-the-cases";

/** The definitions a case asks for: its own, the common ones, or none. */
function flagsOf(name) {
  const own = join(CASES, `${name}.flags.json`);
  if (existsSync(own)) return own;
  return /^\/\/ .*HOGFLARE_FEATURE_FLAGS = flags\.json/m.test(readFileSync(join(CASES, `${name}.mjs`), "utf8"))
    ? join(CASES, "flags.json")
    : "";
}

/** @type {Map<string, ReturnType<typeof startSystem>>} products by their definitions */
const systems = new Map();
function systemWith(flags) {
  if (!systems.has(flags)) {
    const vars = {
      HOGFLARE_ADMIN_TOKEN: ADMIN,
      POSTHOG_PERSONAL_API_KEY: "phx_case",
      ...(flags === "" ? {} : { HOGFLARE_FEATURE_FLAGS: readFileSync(flags, "utf8") }),
    };
    systems.set(flags, startSystem({ vars }));
  }
  return systems.get(flags);
}
after(async () => {
  for (const system of systems.values()) await (await system).stop();
});

/** Runs a case; what it printed, and whether it said pass. */
function runCase(name, system) {
  return new Promise((done) => {
    const env = { ...process.env, BASE: system.url, SINK: system.pipeline.url, ADMIN };
    const child = spawn(process.execPath, [join(CASES, `${name}.mjs`)], { env, stdio: ["ignore", "pipe", "pipe"] });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (text += bytes));
    child.once("close", (code) => done({ code, text: text.trim() }));
  });
}

describe("cases from the field", () => {
  const names = readdirSync(CASES)
    .filter((name) => /^\d.*\.mjs$/.test(name))
    .map((name) => basename(name, ".mjs"));
  for (const name of names) {
    it(name, { timeout: 240_000 }, async () => {
      const { code, text } = await runCase(name, await systemWith(flagsOf(name)));
      assert.ok(code === 0 && text.split("\n").at(-1) === "pass", text);
    });
  }
});
