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
import { record, RECORDING } from "./recorded.mjs";

let system;
let browser;
let folder;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(RECORDING),
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
  execFileSync(process.execPath, [join(ROOT, "scripts/replay.mjs"), "--from", system.pipeline.url, ...args], {
    encoding: "utf8",
    cwd: ROOT,
  });

/** The recorded document at the end of its window, inside the player's frame. */
async function playToEnd(player, index) {
  await player.locator('[role="tab"]').nth(index).click();
  await player.evaluate(() => window.player.pause(window.player.getMetaData().totalTime + 1000));
  return player.frameLocator("#stage iframe");
}

describe("a recorded session", () => {
  it("is listed, written as one file, and plays as the page was", async () => {
    const { session, bigLength } = await record(browser, system);
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
    const outside = player.sent
      .map((request) => request.url())
      .filter((url) => !url.startsWith(browser.site.url) && !url.startsWith("data:") && !url.startsWith("blob:"));
    const skips = () => player.evaluate(() => window.player.config.skipInactive);
    assert.equal(await skips(), true, "idle time is skipped");
    await player.uncheck("#idle");
    assert.equal(await skips(), false);
    await player.check("#idle");
    const texts = [];
    for (const index of [0, 1]) {
      const frame = await playToEnd(player, index);
      assert.equal(await frame.locator("#title").textContent(), "Größe 漢字 🛒");
      assert.equal(await frame.locator("#title").evaluate((element) => getComputedStyle(element).color), "rgb(10, 120, 60)");
      assert.equal(await frame.locator("#masked").textContent(), "******* ****");
      assert.equal(await frame.locator("#hidden").count(), 0);
      texts.push(await frame.locator("#name").inputValue());
      if (texts[index] === "Ada") {
        await eventually(async () => (await frame.locator("#list li").count()) === 29, {
          what: `the removed item gone (${await frame.locator("#list li").count()} items, big ${await frame.locator("#big").count()})`,
        });
        assert.equal((await frame.locator("#big").textContent()).length, bigLength);
      }
    }
    assert.deepEqual(texts.sort(), ["Ada", "Grace"]);
    assert.deepEqual(outside, [], "nothing is fetched from elsewhere");
    assert.deepEqual(player.errors, []);
    await player.screenshot({ path: join(ROOT, "build/replay-player.png") });
    await player.context().close();
  });

  it("with a window whose page says nothing of itself plays the others", async () => {
    const session = "0190-nameless";
    const document = { type: 0, id: 1, childNodes: [{ type: 2, id: 2, tagName: "html", attributes: {}, childNodes: [] }] };
    const items = (named) => [
      { type: 4, timestamp: 1_700_000_000_000, ...(named ? { data: { href: "https://shop.example/", width: 800, height: 600 } } : {}) },
      { type: 2, timestamp: 1_700_000_000_001, data: { node: document, initialOffset: { top: 0, left: 0 } } },
      { type: 3, timestamp: 1_700_000_000_900, data: { source: 3, id: 1, x: 0, y: 0 } },
    ];
    for (const named of [false, true]) {
      const properties = { $session_id: session, $window_id: `w${named}`, $snapshot_data: items(named), distinct_id: "d", token: TOKEN };
      const sent = await system.post("/s/", { event: "$snapshot", properties, api_key: TOKEN });
      assert.equal(sent.status, 200, await sent.text());
    }
    const file = join(folder, "nameless.html");
    await eventually(() => /2 windows/.test(replay(session, file)), { what: "both windows" });
    browser.pages.set("/nameless", readFileSync(file, "utf8"));
    const player = await browser.visit("/nameless");
    assert.equal(await player.locator('[role="tab"]').count(), 2);
    for (const index of [0, 1]) await player.locator('[role="tab"]').nth(index).click();
    assert.match(await player.locator('[role="tab"][aria-selected="true"]').textContent(), /Window 2/);
    assert.deepEqual(player.errors, []);
    await player.context().close();
  });

  it("an unknown one is an error that says what to do", () => {
    assert.throws(() => replay("0190-nobody", join(folder, "none.html")), /npm run replay lists them/);
  });
});
