// SDKs of compiled languages against the started product, where the machine has what builds them. What they
// send, and how they read flags, is held elsewhere too, by their recordings (tests/golden).
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";

/** Modules and crates are fetched and compiled first: minutes on a machine that has never done it. */
const TIMEOUT_MS = 1_500_000;

/** What is missing to build with a tool of at least that version; "" when nothing is. */
function missing(command, args, [major, minor]) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: "utf8" });
  const found = /(\d+)\.(\d+)/.exec(`${stdout ?? ""}${stderr ?? ""}`);
  if (status !== 0 || found === null) return `there is no ${command}`;
  const [has, minorOf] = [Number(found[1]), Number(found[2])];
  return has > major || (has === major && minorOf >= minor) ? "" : `${command} ${found[0]} is older than ${major}.${minor}`;
}

const LANGUAGES = [
  { name: "Go", lacks: missing("go", ["version"], [1, 24]), sdks: ["posthog-go-1.23.1", "posthog-go-1.23.1-flags"] },
  {
    name: "Java",
    lacks: missing("javac", ["-version"], [17, 0]) || missing("mvn", ["-version"], [3, 6]),
    sdks: ["posthog-jvm-6.6.5", "posthog-jvm-6.6.5-flags", "posthog-jvm-3.23.1", "posthog-jvm-3.23.1-flags"],
  },
  {
    name: "Rust",
    lacks: missing("cargo", ["--version"], [1, 85]),
    sdks: ["posthog-rs-0.30.0", "posthog-rs-0.30.0-capture-v1", "posthog-rs-0.30.0-flags", "posthog-rs-0.3.7"],
  },
];

/** Runs the programs of recordings against a product started for them; what they printed. */
function runLive(names) {
  return new Promise((done) => {
    const child = spawn(join(ROOT, "scripts/record-golden"), ["--live", ...names], {
      cwd: ROOT,
      stdio: ["ignore", "pipe", "pipe"],
      // Nobody debugs them, and they are built in half the time.
      env: { ...process.env, CARGO_PROFILE_DEV_DEBUG: "0" },
    });
    let text = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (text += bytes));
    child.once("close", (code) => done({ code, text }));
  });
}

describe("SDKs of compiled languages, live", () => {
  for (const { name, lacks, sdks } of LANGUAGES) {
    it(`${name}: ${sdks.join(", ")}`, {
      skip: lacks === "" ? false : `${lacks}; its recordings are replayed`,
      timeout: TIMEOUT_MS,
    }, async () => {
      const { code, text } = await runLive(sdks);
      assert.equal(code, 0, text);
      for (const sdk of sdks) {
        const said = text.split("\n").find((line) => line.includes(`${sdk}: `));
        assert.ok(said !== undefined, `${sdk} said nothing:\n${text}`);
        const [, count] = /: (\d+) (?:events arrived|questions)/.exec(said) ?? [];
        assert.ok(Number(count) > 0, said);
        console.log(said.slice(said.indexOf(sdk)));
      }
    });
  }
});
