// A real page is recorded by real posthog-js through the Worker, written as one HTML file, played in
// Chromium and compared with the page as it was.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { openBrowser } from "./page.mjs";

const PAGE = (host) => `<!doctype html><html><head><meta charset="utf-8"><title>Shop</title>
<style>h1 { color: rgb(10, 120, 60); }</style>
<script>
  window.posthog = [];
  posthog._i = [];
  posthog.init = function (token, config) { posthog._i.push([token, config]); };
  posthog.__SV = 1;
  posthog.init("${TOKEN}", { api_host: "${host}", person_profiles: "always", session_recording: { maskTextSelector: ".mask" },
    loaded: function () { window.isLoaded = true; } });
</script>
<script async crossorigin="anonymous" src="${host}/static/array.js"></script></head><body>
<h1 id="title">Größe 漢字 🛒</h1>
<input id="name"><input id="secret" type="password">
<p class="mask" id="masked">account 4711</p>
<p class="ph-no-capture" id="hidden">never seen</p>
<ul id="list">${Array.from({ length: 30 }, (_, at) => `<li>item ${at}</li>`).join("")}</ul>
<button id="grow">grow</button>
<script>
  document.getElementById("grow").addEventListener("click", function () {
    document.querySelector("#list li").remove();
    var big = document.createElement("pre");
    big.id = "big";
    // Text that does not compress away.
    var text = "", seed = 7;
    while (text.length < 2400000) { seed = (seed * 1103515245 + 12345) % 2147483648; text += seed.toString(36); }
    big.textContent = text;
    document.body.appendChild(big);
    window.bigLength = text.length;
  });
</script></body></html>`;

let system;
let browser;
let folder;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify({ flags: [], remote_config: { sessionRecording: { masking: { maskAllInputs: false, maskTextSelector: ".mask" } } } }),
    },
  });
  browser = await openBrowser();
  folder = mkdtempSync(join(tmpdir(), "hogflare-replay-"));
});
after(async () => {
  await browser?.close();
  await system?.stop();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

const replay = (...args) =>
  execFileSync(process.execPath, [join(ROOT, "scripts/replay.mjs"), "--from", system.pipeline.url, ...args], { encoding: "utf8", cwd: ROOT });

const sessionOf = (page) => page.evaluate(() => window.posthog.get_session_id());

async function record() {
  browser.pages.set("/recorded", PAGE(system.url));
  const page = await browser.visit("/recorded");
  await eventually(() => page.evaluate(() => window.isLoaded === true && window.posthog.sessionRecordingStarted()), { what: "the recorder", timeoutMs: 60_000 });
  await eventually(() => page.evaluate(() => window.posthog.sessionRecording.status === "active"), { what: "an active recording", timeoutMs: 60_000 });
  await page.fill("#name", "Ada");
  await page.fill("#secret", "hunter2");
  await page.click("#grow");
  const bigLength = await page.evaluate(() => window.bigLength);
  // A second window of the same session.
  const second = await page.context().newPage();
  await second.goto(page.url());
  await eventually(() => second.evaluate(() => window.isLoaded === true && window.posthog.sessionRecording.status === "active"), { what: "the second window", timeoutMs: 60_000 });
  assert.equal(await sessionOf(second), await sessionOf(page));
  await second.fill("#name", "Grace");
  const session = await sessionOf(page);
  const written = async () => {
    const rows = await system.sql(`SELECT window_id, snapshot_data FROM sessions_replay WHERE session_id = '${session}' AND is_complete`);
    const bytes = rows.reduce((sum, row) => sum + row.snapshot_data.length, 0);
    return new Set(rows.map((row) => row.window_id)).size === 2 && bytes > 1_000_000;
  };
  await eventually(written, { what: "both windows in the table", timeoutMs: 120_000, everyMs: 500 });
  await page.context().close();
  return { session, bigLength };
}

/** The recorded document at the end of its window, inside the player's frame. */
async function playToEnd(player, index) {
  await player.locator('[role="tab"]').nth(index).click();
  await player.evaluate(() => window.player.pause(window.player.getMetaData().totalTime + 1000));
  return player.frameLocator("#stage iframe");
}

describe("a recorded session", () => {
  it("is listed, written as one file, and plays as the page was", async () => {
    const { session, bigLength } = await record();
    const listed = JSON.parse(replay("--json")).find((row) => row.session_id === session);
    assert.equal(listed.windows, 2);
    assert.ok(listed.pages >= 2 && listed.keys >= 2 && listed.bytes > 1_000_000, JSON.stringify(listed));
    assert.match(replay(), new RegExp(session));

    const file = join(folder, "session.html");
    assert.match(replay(session, file), /2 windows/);
    const html = readFileSync(file, "utf8");
    for (const text of ["hunter2", "account 4711", "never seen"]) assert.ok(!html.includes(text), `${text} is in the file`);

    browser.pages.set("/played", html);
    const player = await browser.visit("/played");
    const outside = player.sent.map((request) => request.url()).filter((url) => !url.startsWith(browser.site.url) && !url.startsWith("data:") && !url.startsWith("blob:"));
    const texts = [];
    for (const index of [0, 1]) {
      const frame = await playToEnd(player, index);
      assert.equal(await frame.locator("#title").textContent(), "Größe 漢字 🛒");
      assert.equal(await frame.locator("#title").evaluate((element) => getComputedStyle(element).color), "rgb(10, 120, 60)");
      assert.equal(await frame.locator("#masked").textContent(), "******* ****");
      assert.equal(await frame.locator("#hidden").count(), 0);
      texts.push(await frame.locator("#name").inputValue());
      if (texts[index] === "Ada") {
        await eventually(async () => (await frame.locator("#list li").count()) === 29, { what: `the removed item gone (${await frame.locator("#list li").count()} items, big ${await frame.locator("#big").count()})` });
        assert.equal((await frame.locator("#big").textContent()).length, bigLength);
      }
    }
    assert.deepEqual(texts.sort(), ["Ada", "Grace"]);
    assert.deepEqual(outside, [], "nothing is fetched from elsewhere");
    assert.deepEqual(player.errors, []);
    await player.screenshot({ path: join(ROOT, "build/replay-player.png") });
    await player.context().close();
  });

  it("an unknown one is an error that says what to do", () => {
    assert.throws(() => replay("0190-nobody", join(folder, "none.html")), /npm run replay lists them/);
  });
});
