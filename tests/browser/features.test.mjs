// What a site switches on, by each way of installing and in the releases that sites have: page views,
// autocapture, rage and dead clicks, heatmaps, web vitals, exceptions, surveys, early access, leaving. On another
// origin than the page's, at the root and below a prefix.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { DOCUMENT, SURVEY } from "./everything.mjs";
import { answerSurvey, openBrowser } from "./page.mjs";

const folderOf = (name) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
const NEWEST = "posthog-js";
const EXAMPLES = join(ROOT, "examples/browser");

/** What a release has not got: 1.100 is from before heatmaps, web vitals, dead clicks and surveys of today's form. */
const MISSING = {
  "posthog-js-1.100": ["survey", "$dead_click", "$$heatmap", "$web_vitals"],
};

const CASES = [
  [NEWEST, "snippet", ""],
  [NEWEST, "snippet", "/ingest"],
  [NEWEST, "array.js with its config", "/ingest"],
  [NEWEST, "the site's own array.js", ""],
  [NEWEST, "bundle", ""],
  [NEWEST, "bundle", "/ingest"],
  ["posthog-js-1.200", "the site's own array.js", ""],
  ["posthog-js-1.200", "bundle", "/ingest"],
  ["posthog-js-1.100", "the site's own array.js", "/ingest"],
  ["posthog-js-1.100", "bundle", ""],
];

let system;
let browser;
before(async () => {
  system = await startSystem({ vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT), HOGFLARE_PATH_PREFIX: "/ingest" } });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await system?.stop();
});

const OPTIONS = { request_queue_config: { flush_interval_ms: 250 }, person_profiles: "always", capture_pageview: true };
const BODY = '<h1>Shop</h1><button id="buy">Buy</button><p id="dead">Does nothing</p>';

function snippet(host, script) {
  return readFileSync(join(EXAMPLES, "snippet.html"), "utf8")
    .replace("https://hogflare.example.workers.dev", host)
    .replace("phc_your_project", TOKEN)
    .replace('{ defaults: "2026-01-30" }', JSON.stringify(OPTIONS))
    .replace('config.api_host + "/static/array.js"', script)
    .replace(/<h1>[^]*<\/body>/, `${BODY}</body>`);
}

const bundles = new Map();
async function bundleOf(library) {
  if (!bundles.has(library)) {
    const alias = library === NEWEST ? {} : { "posthog-js": folderOf(library) };
    const built = await build({
      entryPoints: [join(EXAMPLES, "bundle.js")],
      bundle: true,
      write: false,
      format: "iife",
      alias,
      logLevel: "error",
    });
    bundles.set(library, built.outputFiles[0].text);
  }
  return bundles.get(library);
}

/** The page's HTML; what it loads from the site itself is put beside it. */
async function pageOf(library, way, host) {
  if (way === "snippet") return snippet(host, 'config.api_host + "/static/array.js"');
  if (way === "array.js with its config") return snippet(host, `config.api_host + "/array/${TOKEN}/array.js"`);
  const file = `/${library}-${way === "bundle" ? "bundle" : "array"}.js`;
  const body = way === "bundle" ? await bundleOf(library) : readFileSync(join(folderOf(library), "dist/array.js"), "utf8");
  browser.pages.set(file, { type: "text/javascript", body });
  if (way !== "bundle") return snippet(host, `"${file}"`);
  const config = JSON.stringify(OPTIONS).replaceAll('"', "&quot;");
  return `<!doctype html><meta charset="utf-8"><title>Shop</title>${BODY}<script data-host="${host}" data-token="${TOKEN}" data-config="${config}" src="${file}"></script>`;
}

let visits = 0;
for (const [library, way, prefix] of CASES) {
  describe(`${library} by ${way}, at ${prefix || "the root"}`, () => {
    it("sends what the project switches on, and no request is answered with an error", async () => {
      const has = (what) => !(MISSING[library] ?? []).includes(what);
      const path = `/features-${++visits}`;
      browser.pages.set(path, await pageOf(library, way, system.url + prefix));
      const page = await browser.visit(path);
      page.expects(/the page's own mistake/);
      await eventually(() => page.evaluate(() => window.posthog?.__loaded === true), { what: "the library", timeoutMs: 60_000 });
      const visitor = await page.evaluate(() => window.posthog.get_distinct_id());
      const mine = async () => (await system.rows()).filter((row) => row.distinct_id === visitor);
      const landed = (...events) =>
        eventually(
          async () => {
            const rows = await mine();
            return events.every((event) => !has(event) || rows.some((row) => row.event === event)) && rows;
          },
          { what: events.filter(has).join(", "), timeoutMs: 60_000 },
        ).catch(async (error) => {
          throw new Error(`${error.message}; there are ${(await mine()).map((row) => row.event).join(", ")}`);
        });
      await landed("$pageview");

      if (has("survey")) {
        await answerSurvey(page, "Nothing at all");
        const rows = await landed("survey shown", "survey sent");
        assert.equal(rows.find((row) => row.event === "survey sent").properties.$survey_id, SURVEY.id);
      }

      await page.mouse.move(60, 60);
      await page.click("h1");
      // Three clicks within a second, however slow the machine.
      await page.evaluate(() => [1, 2, 3].forEach(() => document.querySelector("#buy").click()));
      await page.evaluate(() =>
        setTimeout(() => {
          throw new Error("the page's own mistake");
        }),
      );
      await landed("$autocapture", "$rageclick", "$exception", "$$heatmap", "$web_vitals");

      await page.evaluate(() => document.querySelector("#dead").click());
      await landed("$dead_click");

      const features = await page.evaluate(() => new Promise((done) => window.posthog.getEarlyAccessFeatures(done, true)));
      assert.deepEqual(
        features.map(({ flagKey }) => flagKey),
        ["beta"],
      );
      await page.evaluate(() => window.posthog.updateEarlyAccessFeatureEnrollment("beta", true));
      await eventually(
        () =>
          page.evaluate(() => {
            window.posthog.reloadFeatureFlags();
            return window.posthog.isFeatureEnabled("beta", { send_event: false }) === true;
          }),
        { what: "the flag of the feature", everyMs: 500, timeoutMs: 60_000 },
      );

      await page.goto(`${browser.site.url}/elsewhere`);
      await landed("$feature_enrollment_update", "$pageleave");
      assert.ok(page.sent.every((request) => [system.url, browser.site.url].includes(new URL(request.url()).origin)));
      await page.context().close();
    });
  });
}
