// Every page of examples/browser, opened in Chromium on an origin of its own: what it promises arrives, no
// request is answered with an error, nothing is in the console.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { openBrowser } from "./page.mjs";

const EXAMPLES = join(ROOT, "examples/browser");
const DOCUMENT = {
  flags: [
    {
      key: "layout",
      active: true,
      filters: {
        groups: [{ properties: [], rollout_percentage: 100 }],
        multivariate: { variants: [{ key: "wide", rollout_percentage: 100 }] },
      },
    },
  ],
  remote_config: {
    sessionRecording: true,
    autocaptureExceptions: true,
    heatmaps: true,
    captureDeadClicks: true,
    capturePerformance: { web_vitals: true },
  },
};

let system;
let browser;
before(async () => {
  system = await startSystem({ vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT), HOGFLARE_COOKIELESS: "stateful" } });
  browser = await openBrowser();
  for (const [name, source] of [
    ["/bundle.js", "bundle.js"],
    ["/react.js", "react.jsx"],
  ]) {
    const built = await build({
      entryPoints: [join(EXAMPLES, source)],
      bundle: true,
      write: false,
      format: "iife",
      jsx: "automatic",
      define: { "process.env.NODE_ENV": '"production"' },
      logLevel: "error",
    });
    browser.pages.set(name, { type: "text/javascript", body: built.outputFiles[0].text });
  }
});
after(async () => {
  await browser?.close();
  await system?.stop();
});

const opened = new Set();

/** Opens an example with the operator's host and token in it; nothing else is changed. */
async function open(name, query = "") {
  opened.add(name);
  const html = readFileSync(join(EXAMPLES, name), "utf8")
    .replaceAll("https://hogflare.example.workers.dev", system.url)
    .replaceAll("phc_your_project", TOKEN);
  browser.pages.set(`/${name}`, html);
  return browser.visit(`/${name}${query}`);
}

function landed(page, ...events) {
  const mine = new URL(page.url()).pathname;
  return eventually(
    async () => {
      const rows = (await system.rows()).filter((row) =>
        String(row.properties?.$current_url ?? row.properties?.$pathname ?? "").includes(mine),
      );
      return events.every((event) => rows.some((row) => row.event === event)) && rows;
    },
    { what: `rows of ${events.join(", ")} (${mine})`, timeoutMs: 60_000 },
  );
}

const isRecorded = (page) =>
  eventually(
    async () => {
      const session = await page.evaluate(() => window.posthog?.get_session_id?.());
      return (await system.rows()).some((row) => row.event === "$snapshot_items" && row.properties.$session_id === session);
    },
    { what: "a recording", timeoutMs: 60_000 },
  );

/** Who asked for what: own pages and the Worker alone, all answered well. */
function isQuiet(page) {
  assert.deepEqual(
    page.answers.filter(({ status }) => status >= 400),
    [],
  );
  assert.deepEqual(page.errors, []);
  const origins = new Set(
    page.sent
      .map((request) => request.url())
      .filter((url) => /^https?:/.test(url))
      .map((url) => new URL(url).origin),
  );
  assert.deepEqual(
    [...origins].filter((origin) => ![system.url, browser.site.url].includes(origin)),
    [],
  );
}

describe("examples/browser", () => {
  for (const name of ["snippet.html", "bundle.html", "strict-csp.html"]) {
    it(`${name} sends page views and clicks, and records`, async () => {
      const page = await open(name);
      await page.locator("#buy").click();
      await page.fill("#name", "Ada");
      await landed(page, "$pageview", "$autocapture");
      await isRecorded(page);
      isQuiet(page);
      await page.context().close();
    });
  }

  it("strict-csp.html has nothing inline, and its policy is in force", async () => {
    const page = await open("strict-csp.html");
    page.expects(/Content Security Policy/);
    await landed(page, "$pageview");
    const violated = await page.evaluate(
      () =>
        new Promise((done) => {
          document.addEventListener("securitypolicyviolation", (event) => done(event.violatedDirective));
          const script = document.createElement("script");
          script.textContent = "window.isInline = true";
          document.head.append(script);
        }),
    );
    assert.match(violated, /^script-src/);
    assert.equal(await page.evaluate(() => window.isInline), undefined);
    await page.context().close();
  });

  it("react.html renders a flag's variant, captures, and its boundary reports a component's mistake", async () => {
    const page = await open("react.html");
    page.expects(/a component's mistake/);
    await eventually(async () => (await page.locator("#layout").textContent()) === "wide", { what: "the variant", timeoutMs: 60_000 });
    await page.click("#buy");
    const rows = await landed(page, "$pageview", "bought");
    assert.equal(rows.find((row) => row.event === "bought").properties.price, 12);
    isQuiet(page);
    await page.click("#break");
    await page.locator("#sorry").waitFor();
    const [exception] = (await landed(page, "$exception")).filter((row) => row.event === "$exception");
    assert.equal(exception.exception_message, "a component's mistake");
    // React says itself what a boundary caught.
    assert.deepEqual(
      page.errors.filter((text) => !text.includes("a component's mistake")),
      [],
    );
    assert.deepEqual(
      page.answers.filter(({ status }) => status >= 400),
      [],
    );
    await page.context().close();
  });

  it("cookieless.html keeps nothing in the browser, and its visitor is counted all the same", async () => {
    const page = await open("cookieless.html");
    await eventually(() => page.evaluate(() => window.posthog?.__loaded === true), { what: "the library", timeoutMs: 60_000 });
    await page.click("#buy");
    const rows = await landed(page, "$pageview", "$autocapture");
    const ids = new Set(rows.map((row) => row.distinct_id));
    assert.equal(ids.size, 1);
    assert.match([...ids][0], /^cookieless_/);
    assert.deepEqual(await page.context().cookies(), []);
    const kept = await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage)].flat());
    assert.deepEqual(kept, []);
    isQuiet(page);
    await page.context().close();
  });

  it("has no page that is not opened here", () => {
    assert.deepEqual(
      readdirSync(EXAMPLES).filter((name) => name.endsWith(".html") && !opened.has(name)),
      [],
    );
  });
});
