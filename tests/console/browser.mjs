// Chromium and a console before its stand-in.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";
import { eventually } from "../lib/harness.mjs";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "../..");
export const PICTURES = join(ROOT, "build/console-pictures");
mkdirSync(PICTURES, { recursive: true });

export function openChromium() {
  const path =
    process.env["CHROMIUM"] ??
    ["chromium", "chromium-browser", "google-chrome"]
      .map((name) => {
        try {
          return execFileSync("which", [name], { encoding: "utf8" }).trim();
        } catch {
          return "";
        }
      })
      .find((found) => found !== "");
  return chromium.launch({
    executablePath: path ?? "",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}

export const LOOKS = [
  { name: "1440-light", viewport: { width: 1440, height: 900 }, colorScheme: /** @type {const} */ ("light") },
  { name: "390-dark", viewport: { width: 390, height: 844 }, colorScheme: /** @type {const} */ ("dark") },
];

/** How long a page is waited for: a busy machine takes long, and a test that waits for what comes ends when it comes. */
const PATIENCE_MS = 60_000;

/** A page that notes what it should not do: faults, refusals by the policy, requests to other hosts. */
export async function openPage(browser, url, { look = LOOKS[0], token = "admin", path = "/app" } = {}) {
  const context = await browser.newContext({
    viewport: look.viewport,
    colorScheme: look.colorScheme,
    locale: "en-GB",
    timezoneId: "America/New_York",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  page.faults = [];
  page.on("pageerror", (fault) => page.faults.push(String(fault)));
  page.on("console", (message) => {
    if (message.type() === "error" && !/status of (401|403|404|409|422|429|500|503|504)/.test(message.text()))
      page.faults.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !/^(data|blob|about):/.test(request.url())) page.faults.push(`asked ${request.url()}`);
  });
  await page.goto(url + path);
  if (token !== null) {
    await page.fill("input[type=password]", token);
    await page.click("button[type=submit]");
    await page.waitForSelector(".header h1");
  }
  return page;
}

/** Goes to a page of the console as a link would. */
export async function visit(page, address) {
  await page.evaluate((to) => {
    history.pushState(null, "", to);
    dispatchEvent(new PopStateEvent("popstate"));
  }, address);
  await settled(page);
}

/** Closes the pages of a test and its stand-in, whatever became of it. */
export async function closeAll(browser, mock) {
  await Promise.allSettled([...(browser?.contexts() ?? []).map((context) => context.close()), mock?.close()]);
}

/** Where the page is, by its own word: what Playwright knows comes a little later. */
export const addressOf = (page) => page.evaluate(() => location.href);

/** `g` and a key, pressed again where a busy machine let more than a second and a half pass between them. */
export async function pressGo(page, key, address) {
  await page.waitForSelector(".rail");
  await eventually(
    async () => {
      await page.keyboard.press("g");
      await page.keyboard.press(key);
      // A page that is being loaded anew has no word for the moment.
      return address.test(await addressOf(page).catch(() => ""));
    },
    { timeoutMs: PATIENCE_MS, what: `the page of g ${key}` },
  );
}

/** Waits for what a key or click opens; where it does not come, tells what the page has instead. */
export async function opened(page, selector) {
  try {
    await page.waitForSelector(selector);
  } catch (fault) {
    const has = await page.evaluate(() => ({
      address: location.href,
      focus: document.activeElement?.outerHTML.slice(0, 200),
      dialogs: [...document.querySelectorAll("dialog")].map((one) => one.outerHTML.slice(0, 400)),
      loadedAnew: sessionStorage.getItem("hogflare.reloaded"),
      sinceLoadedMs: performance.now(),
      text: document.body.innerText.slice(0, 400),
    }));
    throw new Error(`${selector} did not come; the page has ${JSON.stringify({ ...has, faults: page.faults }, null, 1)}`, { cause: fault });
  }
}

/** Nothing is being asked any more, and something stands there. */
export async function settled(page) {
  await page.waitForFunction(
    () =>
      document.querySelector("#content")?.children.length &&
      !document.querySelector('#content [aria-busy="true"]') &&
      !document.querySelector("#content .skeleton"),
  );
}
