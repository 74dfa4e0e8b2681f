// Pages with posthog-js in real headless Chromium, for the tests of this folder.
//
//   const browser = await openBrowser();
//   const page = await browser.open({ library: "current", apiHost: system.url, config: {…} });
//   await page.evaluate(() => window.posthog.capture("clicked"));
//   await page.context().close();
//   await browser.close();
//
// Pages come from a site of their own, on another port than the Worker: every request to the Worker
// crosses origins, as it does for a deployed one.
//
// No request of a page is answered with an error and its console is silent: closing the page's context, or
// the browser, asserts it. What a test brings about on purpose it names first: page.expects(/my mistake/, /401/).
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { dirname, join, normalize } from "node:path";
import { chromium } from "playwright-core";
import { TOKEN } from "../lib/harness.mjs";

const packageFolder = (name) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));

/** The two releases: today's, and one from before the batch wrapper, as sites keep them for years. */
export const LIBRARIES = {
  current: join(packageFolder("posthog-js"), "dist"),
  2024: join(packageFolder("posthog-js-2024"), "dist"),
};

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // posthog-js sends nothing for a browser that says that it is driven.
  "--disable-blink-features=AutomationControlled",
];

function chromiumPath() {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("/bin/sh", ["-c", `command -v ${name}`], { encoding: "utf8" }).trim();
    } catch {
      // The next name.
    }
  }
  throw new Error("no Chromium on PATH: run scripts/setup browser");
}

const HTML = `<!doctype html><html><head><meta charset="utf-8"><title>Shop</title></head><body>
<h1>Shop</h1><button id="buy">Buy</button><input id="name"><a href="/left">Leave</a></body></html>`;

/**
 * Serves the page at every path, the libraries' own files below /lib/{name}/, and what the test put
 * into `pages` by its path: a page's text, or {type, body, headers}.
 * @param {Map<string, string | {type: string, body: string, headers?: Record<string, string>}>} pages
 */
async function startSite(pages) {
  const server = createServer((request, response) => {
    const path = new URL(request.url, "http://site").pathname;
    const own = pages.get(path);
    if (own !== undefined) {
      const { type, body, headers = {} } = typeof own === "string" ? { type: "text/html", body: own } : own;
      response.writeHead(200, { "content-type": type, ...headers });
      response.end(body);
      return;
    }
    const [, library, file] = /^\/lib\/(\w+)\/(.*)$/.exec(path) ?? [];
    const full = library in LIBRARIES ? join(LIBRARIES[library], normalize(file)) : "";
    if (full.startsWith(LIBRARIES[library] ?? "\0") && existsSync(full)) {
      response.writeHead(200, { "content-type": "application/javascript" });
      createReadStream(full).pipe(response);
      return;
    }
    response.writeHead(200, { "content-type": "text/html" });
    response.end(HTML);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    // The same pages under a host that browsers hold for another site.
    otherUrl: `http://localhost:${port}`,
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}

/** Waits for the survey and answers it. What came of it is told by its events; posthog-js may show it anew. */
export async function answerSurvey(page, text) {
  const answer = page.locator("textarea");
  await answer.waitFor({ timeout: 60_000 });
  await answer.fill(text);
  await page.getByText("Send", { exact: true }).click();
  await answer.waitFor({ state: "detached", timeout: 60_000 });
}

/** Starts the site and the browser. */
export async function openBrowser() {
  const executablePath = chromiumPath();
  const version = /\d+/.exec(execFileSync(executablePath, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }))[0];
  // Chromium's own name with "Headless" left out: posthog-js takes headless browsers for bots. As a
  // flag it holds while a page is unloaded too, which Playwright's own option does not.
  const userAgent = `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${version}.0.0.0 Safari/537.36`;
  const browser = await chromium.launch({ executablePath, args: [...FLAGS, `--user-agent=${userAgent}`] });
  const pages = new Map();
  const site = await startSite(pages);
  let visits = 0;
  /** Checks of pages that have not been closed. @type {Set<() => void>} */
  const unchecked = new Set();

  /** A fresh profile's page; `sent`, `answers` and `errors` say what happened on it. */
  const watched = async (profile = {}) => {
    const context = await browser.newContext(profile);
    const page = await context.newPage();
    const sent = [];
    const answers = [];
    const errors = [];
    const expected = [];
    const isExpected = (text) => expected.some((pattern) => pattern.test(text));
    const check = () => {
      unchecked.delete(check);
      const bad = answers.filter(({ status }) => status >= 400).map(({ url, status }) => `${status} ${url}`);
      assert.deepEqual(
        [...bad, ...errors].filter((text) => !isExpected(text)),
        [],
        "the page's requests and console",
      );
    };
    unchecked.add(check);
    const close = context.close.bind(context);
    context.close = async (...args) => {
      await close(...args);
      if (unchecked.has(check)) check();
    };
    page.on("request", (request) => sent.push(request));
    page.on("response", (response) => answers.push({ url: response.url(), status: response.status() }));
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text());
    });
    return Object.assign(page, { sent, answers, errors, expects: (...patterns) => void expected.push(...patterns) });
  };

  return {
    site,
    pages,
    /** Opens one of `pages` in a fresh profile. @param {string} path @param {string} origin */
    async visit(path, origin = site.url) {
      const page = await watched();
      await page.goto(origin + path);
      return page;
    },
    /**
     * Opens a page in a fresh profile and starts posthog-js there, as a site's own script would.
     * `page.sent` lists what the page requested, `page.errors` what its console complains about. The
     * address is of this page alone and stands in the events' $current_url. `profile`: what Playwright's
     * newContext takes.
     */
    async open({ library = "current", apiHost, config = {}, origin = site.url, profile = {} }) {
      const page = await watched(profile);
      const visit = `visit=${++visits}&`;
      await page.goto(`${origin}/shop?${visit}utm_source=mail`);
      if (apiHost !== undefined) {
        await page.addScriptTag({ url: `/lib/${library}/array.full.js` });
        await page.evaluate(
          ([token, settings]) =>
            new Promise((done) => /** @type {any} */ (window).posthog.init(token, { ...settings, loaded: () => done(undefined) })),
          /** @type {[string, object]} */ ([TOKEN, { api_host: apiHost, request_queue_config: { flush_interval_ms: 250 }, ...config }]),
        );
      }
      return Object.assign(page, { visit });
    },
    async close() {
      await browser.close();
      await site.stop();
      for (const check of unchecked) check();
    },
  };
}
