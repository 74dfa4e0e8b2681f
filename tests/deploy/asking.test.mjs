// create at a terminal: what it asks, and that the answers are what is done.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { begin, cleanUp } from "../lib/cli_system.mjs";
import { NODE } from "../lib/cloudflare.mjs";

after(cleanUp);

/** Runs a command at a terminal of util-linux's script(1), and gives each answer when its question is shown. */
function atTerminal(words, answers, { cwd, env }) {
  return new Promise((done, fail) => {
    const child = spawn("script", ["-qec", `stty cols 120 rows 40; ${words.map((word) => `'${word}'`).join(" ")}`, "/dev/null"], {
      cwd,
      env: { ...env, TERM: "xterm" },
    });
    let shown = "";
    let from = 0;
    const waiting = [...answers];
    child.stdout.on("data", (bytes) => {
      shown += bytes;
      const at = waiting.length === 0 ? -1 : shown.indexOf(waiting[0][0], from);
      if (at < 0) return;
      from = at + 1;
      child.stdin.write(waiting.shift()[1]);
    });
    // A question that never comes would be waited for for ever.
    const late = setTimeout(() => child.kill(), 300_000);
    child.once("error", fail);
    child.once("close", (code) => {
      clearTimeout(late);
      done({ code, shown, unasked: waiting.map(([question]) => question) });
    });
  });
}

describe("create at a terminal", { skip: process.platform === "linux" ? false : "script(1) takes other arguments here" }, () => {
  it("asks for names, streams and domain, and does what was answered", async () => {
    const { cloud, cwd, env } = await begin({ edge: false });
    const { CI: _, ...asked } = env;
    const down = "\u001b[B";
    const answers = [
      ["Name of the Worker", "-two\r"],
      ["R2 bucket", "\r"],
      ["Streams", `${down}${down} \r`],
      ["Custom domain", "\r"],
    ];
    const { code, shown, unasked } = await atTerminal([NODE, join(ROOT, "bin/hogflare"), "create", "--dry-run"], answers, {
      cwd,
      env: asked,
    });
    assert.deepEqual(unasked, [], shown);
    assert.equal(code, 0, shown);
    assert.match(shown, /would POST r2\/buckets \{"name":"hogflare-two"\}/);
    assert.match(shown, /hogflare_two_events_v1/);
    assert.match(shown, /hogflare_two_distinct_ids_v1/);
    assert.doesNotMatch(shown, /hogflare_two_persons_v1/, "the third of the list was taken out");
    assert.deepEqual(
      cloud.requests.filter((call) => call.method !== "GET"),
      [],
    );
    await cloud.stop();
  });
});
