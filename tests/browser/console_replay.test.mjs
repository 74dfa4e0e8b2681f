// A session that real posthog-js recorded is found and watched in the console of a real Worker: with the
// recording in a bucket, and with nothing but rows and a SQL engine.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { eventually, startSystem } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { signIn, VIEWER } from "./console.mjs";
import { openBrowser } from "./page.mjs";
import { record, RECORDING } from "./recorded.mjs";

const PICTURES = join(ROOT, "build/console-pictures");

let browser;
before(async () => {
  mkdirSync(PICTURES, { recursive: true });
  browser = await openBrowser();
});
after(() => browser?.close());

/** The recorded document inside the player's frame, at the recording's end. */
async function playedToEnd(page) {
  const range = page.locator('input[type="range"]');
  await eventually(() => range.isEnabled(), { what: "a player that is ready", timeoutMs: 120_000 });
  await page.getByText(/events in \d+ parts?\./).waitFor({ timeout: 120_000 });
  await range.fill(await range.getAttribute("max"));
  return page.frameLocator("iframe").frameLocator("iframe");
}

for (const [where, settings] of Object.entries({
  "in a bucket": { r2Buckets: ["RECORDINGS"] },
  "in rows": {},
})) {
  describe(`a recording ${where}`, () => {
    let system;
    before(async () => {
      system = await startSystem({
        vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(RECORDING), HOGFLARE_VIEWER_TOKEN: VIEWER },
        hasSql: true,
        ...settings,
      });
    });
    after(() => system?.stop());

    it("stands beside its visit, and plays each window as the page was", async () => {
      const { session, bigLength } = await record(browser, system);
      const page = await signIn(browser, system, "/app/1/sessions");
      const row = page.locator("tbody tr").filter({ has: page.locator(`a[href*="${session}"]`) });
      await row.locator("svg").waitFor({ timeout: 60_000 });
      await row.locator("a").first().click();

      const texts = [];
      for (const index of [0, 1]) {
        await page.getByText(/events in \d+ parts?\./).waitFor({ timeout: 120_000 });
        await page.getByRole("button", { name: `Window ${index + 1}`, exact: true }).click();
        const shown = await playedToEnd(page);
        await eventually(async () => (await shown.locator("#name").inputValue()) !== "", { what: "what was typed", timeoutMs: 60_000 });
        assert.equal(await shown.locator("#title").textContent(), "Größe 漢字 🛒");
        assert.equal(await shown.locator("#title").evaluate((element) => getComputedStyle(element).color), "rgb(10, 120, 60)");
        assert.equal(await shown.locator("#masked").textContent(), "******* ****");
        assert.equal(await shown.locator("#hidden").count(), 0);
        texts.push(await shown.locator("#name").inputValue());
        if (texts[index] !== "Ada") continue;
        await eventually(async () => (await shown.locator("#list li").count()) === 29, { what: "the removed item gone" });
        assert.equal((await shown.locator("#big").textContent()).length, bigLength);
      }
      assert.deepEqual(texts.sort(), ["Ada", "Grace"]);
      assert.equal(await page.getByText(/could not be read|have not arrived whole/).count(), 0);
      await page.screenshot({ path: join(PICTURES, `recording-${where.replaceAll(" ", "-")}.png`) });
      const elsewhere = page.sent
        .map((request) => request.url())
        .filter((url) => !url.startsWith(system.url) && !url.startsWith(browser.site.url) && !/^(data|blob):/.test(url));
      assert.deepEqual(elsewhere, [], "nothing is fetched from elsewhere");
      await page.context().close();
    });
  });
}
