// Chromium and a console before its stand-in.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

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

/** A page that notes what it should not do: faults, refusals by the policy, requests to other hosts. */
export async function openPage(browser, url, { look = LOOKS[0], token = "admin", path = "/app" } = {}) {
  const context = await browser.newContext({
    viewport: look.viewport,
    colorScheme: look.colorScheme,
    locale: "en-GB",
    timezoneId: "America/New_York",
  });
  const page = await context.newPage();
  page.setDefaultTimeout(20_000);
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

/** Nothing is being asked any more, and something stands there. */
export async function settled(page) {
  await page.waitForFunction(
    () =>
      document.querySelector("#content")?.children.length &&
      !document.querySelector('#content [aria-busy="true"]') &&
      !document.querySelector("#content .skeleton"),
  );
}
