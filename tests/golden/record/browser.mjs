// Sends what a page sends with posthog-js to the server in HOGFLARE_RECORD_URL; argument: "current" or
// "2024". Uses the browser of tests/browser, so that it runs from the tree and not from build/golden.
import { setTimeout as sleep } from "node:timers/promises";
import { openBrowser } from "../../browser/page.mjs";

const apiHost = process.env.HOGFLARE_RECORD_URL;
const library = process.argv[2];
const browser = await openBrowser();
const settings = { library, apiHost, config: { person_profiles: "always" } };

const shop = await browser.open(settings);
await shop.evaluate(() => {
  const { posthog } = /** @type {any} */ (window);
  posthog.capture("purchase", { amount: 29.99, count: 9007199254740991, text: "grüße 🦔", nested: { a: [1, 2], b: null } });
  posthog.identify("browser-user", { email: "b@example.com" }, { first: "browser" });
  posthog.group("company", "acme", { size: 12 });
  posthog.alias("browser-alias");
  posthog.capture("at once", {}, { send_instantly: true });
});
await sleep(3000);
await shop.click("#buy");
// Leaving flushes what is queued with sendBeacon.
await shop.evaluate(() => /** @type {any} */ (window).posthog.capture("before leaving"));
await shop.goto("about:blank");
await sleep(1000);

const plain = await browser.open({ ...settings, config: { ...settings.config, disable_compression: true } });
await plain.evaluate(() => /** @type {any} */ (window).posthog.capture("uncompressed"));
await sleep(3000);
await browser.close();
process.exit(0);
