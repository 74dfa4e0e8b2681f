// The console of a started Worker in Chromium, for the tests of this folder.

/** Set HOGFLARE_VIEWER_TOKEN to this. */
export const VIEWER = "a-viewer-token-of-some-length";

/** The console, signed in as somebody who may only look. */
export async function signIn(browser, system, path) {
  browser.pages.set("/blank", "<!doctype html><title>Elsewhere</title>");
  const page = await browser.visit("/blank");
  // Nobody is signed in at first.
  page.expects(/401/);
  await page.setViewportSize({ width: 1440, height: 900 });
  await page.goto(system.url + path);
  await page.fill("input[type=password]", VIEWER);
  await page.click("button[type=submit]");
  await page.waitForSelector(".header h1", { timeout: 60_000 });
  return page;
}
