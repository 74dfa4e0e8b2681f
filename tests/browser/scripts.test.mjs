// What sites ship: the HTML snippet, array.js with the config in one, and a bundle of the npm import.
// Whatever of posthog-js they load later comes from the operator's own host.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { scripts } from "../../scripts/lib/assets.mjs";
import { DOCUMENT, SURVEY } from "./everything.mjs";
import { answerSurvey, openBrowser } from "./page.mjs";

const ALIASES = { "/q1": "/e", "/q2": "/flags", "/q3": "/s", "/q4": "/i/v0/e", "/q5": "/api/surveys", "/js": "/static", "/c": "/array" };
const VERSIONS = ["posthog-js", "posthog-js-1.200", "posthog-js-1.100"];
const folderOf = (name) => dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));

let system;
let browser;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT),
      HOGFLARE_PATH_PREFIX: "/ingest",
      HOGFLARE_PATH_ALIASES: JSON.stringify(ALIASES),
    },
  });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await system?.stop();
});

/** The example page, with the operator's host and token, and `options` beside the example's own. */
function snippetPage(host, options = {}) {
  return readFileSync(join(ROOT, "examples/browser/snippet.html"), "utf8")
    .replace("https://hogflare.example.workers.dev", host)
    .replace("phc_your_project", TOKEN)
    .replace('{ defaults: "2026-01-30" }', JSON.stringify({ defaults: "2026-01-30", ...options }));
}

const bundles = new Map();

/** The example's bundle with another release in place of the pinned one. */
async function bundleOf(library) {
  if (!bundles.has(library)) {
    const built = await build({
      entryPoints: [join(ROOT, "examples/browser/bundle.js")],
      bundle: true,
      write: false,
      format: "iife",
      alias: library === "posthog-js" ? {} : { "posthog-js": folderOf(library) },
      logLevel: "error",
    });
    bundles.set(library, built.outputFiles[0].text);
  }
  return bundles.get(library);
}

/** Opens a page with the npm import of `library`. */
async function openBundle(library, host, config = {}) {
  const name = `/${library}.js`;
  browser.pages.set(name, { type: "text/javascript", body: await bundleOf(library) });
  const data = JSON.stringify({ ...FAST, ...config }).replaceAll('"', "&quot;");
  browser.pages.set(
    `/bundle-${library}`,
    `<!doctype html><meta charset="utf-8"><title>Shop</title><h1>Shop</h1><button id="buy">Buy</button><input id="name">
     <script data-host="${host}" data-token="${TOKEN}" data-config="${data}" src="${name}"></script>`,
  );
  return browser.visit(`/bundle-${library}?visit=${++visits}`);
}

const FAST = { request_queue_config: { flush_interval_ms: 250 }, person_profiles: "always" };
let visits = 0;

async function openSnippet(host, options = {}) {
  const path = `/snippet-${++visits}`;
  browser.pages.set(path, snippetPage(host, { ...FAST, ...options }));
  return browser.visit(path);
}

async function rowsOf(page) {
  const path = new URL(page.url());
  const mine = `${path.pathname}${path.search}`;
  return (await system.rows()).filter((row) => String(row.properties?.$current_url ?? "").includes(mine));
}

function landed(page, ...events) {
  return eventually(
    async () => {
      const rows = await rowsOf(page);
      return events.every((event) => rows.some((row) => row.event === event)) && rows;
    },
    { what: `rows of ${events.join(", ")} (${page.url()})`, timeoutMs: 60_000 },
  );
}

/** Nothing of the page was answered 404 or worse, and its console is silent. */
function isQuiet(page) {
  assert.deepEqual(
    page.answers.filter(({ status }) => status >= 400),
    [],
  );
  assert.deepEqual(page.errors, []);
}

const loaded = (page, file) => page.answers.some(({ url, status }) => status === 200 && new URL(url).pathname.endsWith(file));

describe("the HTML snippet", () => {
  for (const place of ["", "/ingest"]) {
    it(`delivers on another origin, at ${place || "the root"}`, async () => {
      const page = await openSnippet(system.url + place);
      await page.evaluate(() => window.posthog.capture("from the stub"));
      await page.click("#buy");
      await landed(page, "$pageview", "from the stub", "$autocapture");
      assert.ok(page.sent.every((request) => [system.url, browser.site.url].includes(new URL(request.url()).origin)));
      isQuiet(page);
      await page.context().close();
    });
  }

  it("loads under other names, with the rewriteRequestPath that fits", async () => {
    const path = `/snippet-${++visits}`;
    const printed = execFileSync(process.execPath, [join(ROOT, "scripts/path-aliases.mjs"), JSON.stringify(ALIASES)], { encoding: "utf8" });
    const html = snippetPage(system.url, FAST)
      .replace("/static/array.js", "/js/array.js")
      .replace("options.api_host = host;", `options.api_host = host; options.rewriteRequestPath = ({ ${printed} }).rewriteRequestPath;`);
    browser.pages.set(path, html);
    const page = await browser.visit(path);
    await landed(page, "$pageview");
    const asked = page.sent.map((request) => new URL(request.url())).filter((url) => url.origin === system.url);
    assert.deepEqual(
      asked.map((url) => url.pathname).filter((name) => !/^\/(q[1-5]|js|c)\//.test(name)),
      [],
    );
    isQuiet(page);
    await page.context().close();
  });

  it("array.js of the token starts with the config it brings", async () => {
    const path = `/snippet-${++visits}`;
    browser.pages.set(path, snippetPage(system.url, FAST).replace("/static/array.js", `/array/${TOKEN}/array.js`));
    const page = await browser.visit(path);
    await landed(page, "$pageview");
    assert.ok(!page.sent.some((request) => request.url().includes("/config")), "the config needs no request of its own");
    isQuiet(page);
    await page.context().close();
  });
});

for (const library of VERSIONS) {
  describe(`the npm import, ${library}`, () => {
    it("gets recorder, exceptions and surveys from the Worker, and no request is answered 404", async () => {
      const page = await openBundle(library, system.url);
      page.expects(/the page's own mistake/);
      await landed(page, "$pageview");
      await page.click("#buy");
      await page.fill("#name", "Ada");
      await page.evaluate(() =>
        setTimeout(() => {
          throw new Error("the page's own mistake");
        }),
      );
      const session = await page.evaluate(() => window.posthog.get_session_id());
      await eventually(
        async () => (await system.rows()).some((row) => /^\$snapshot/.test(row.event) && row.properties.$session_id === session),
        { what: "a recording", timeoutMs: 60_000 },
      );
      const showsSurveys = library !== "posthog-js-1.100";
      if (showsSurveys) await eventually(() => loaded(page, "/surveys.js"), { what: "the surveys script" });
      if (library === "posthog-js") await landed(page, "$exception");
      assert.deepEqual(
        page.answers.filter(({ status }) => status >= 400),
        [],
      );
      assert.deepEqual(
        page.errors.filter((text) => !text.includes("the page's own mistake")),
        [],
      );
      await page.context().close();
    });
  });
}

describe("what remote config switches on", () => {
  it("a survey is shown and answered", async () => {
    const page = await openSnippet(system.url);
    await answerSurvey(page, "Nothing at all");
    const rows = await landed(page, "survey shown", "survey sent");
    const sent = rows.find((row) => row.event === "survey sent");
    assert.equal(sent.properties.$survey_id, SURVEY.id);
    isQuiet(page);
    await page.context().close();
  });

  it("an early access feature is listed, and enrolment turns its flag on", async () => {
    const page = await openSnippet(system.url);
    await eventually(() => page.evaluate(() => window.posthog.__loaded === true), { what: "the library" });
    const list = await page.evaluate(() => new Promise((done) => window.posthog.getEarlyAccessFeatures(done, true)));
    assert.deepEqual(
      list.map((feature) => feature.flagKey),
      ["beta"],
    );
    await page.evaluate(() => window.posthog.updateEarlyAccessFeatureEnrollment("beta", true));
    await eventually(
      () =>
        page.evaluate(() => {
          window.posthog.reloadFeatureFlags();
          return window.posthog.isFeatureEnabled("beta", { send_event: false }) === true;
        }),
      { what: "the flag", everyMs: 500, timeoutMs: 60_000 },
    );
    isQuiet(page);
    await page.context().close();
  });

  it("heatmaps, web vitals and dead clicks are measured", async () => {
    const page = await openSnippet(system.url, { defaults: undefined, capture_pageview: true });
    await landed(page, "$pageview");
    await eventually(() => loaded(page, "/web-vitals.js") || loaded(page, "/web-vitals-with-attribution.js"), { what: "web vitals" });
    await eventually(() => loaded(page, "/dead-clicks-autocapture.js"), { what: "dead clicks" });
    await page.mouse.move(50, 50);
    await page.click("h1");
    await page.click("#buy");
    await landed(page, "$$heatmap");
    isQuiet(page);
    await page.context().close();
  });
});

describe("the scripts themselves", () => {
  const { version, files } = scripts();
  const digest = async (response) =>
    createHash("sha384")
      .update(new Uint8Array(await response.arrayBuffer()))
      .digest("base64");

  it("are those of the npm package, byte for byte, in every shape of address", async () => {
    for (const [name, integrity] of Object.entries(files)) {
      for (const path of [`/static/${name}`, `/static/${version}/${name}`, `/static/${name}?v=${version}`]) {
        const response = await system.request(path);
        assert.equal(response.status, 200, path);
        assert.equal(`sha384-${await digest(response)}`, integrity, path);
      }
    }
  });

  it("may be loaded by any page, last as their address says, and answer 304", async () => {
    for (const [path, age] of [
      ["/static/array.js", /^public, max-age=3600$/],
      [`/static/${version}/array.js`, /max-age=31536000, immutable/],
      ["/static/1/array.js", /^public, max-age=3600$/],
      ["/static/1.200.0/recorder.js", /^public, max-age=3600$/],
      ["/ingest/static/recorder.js", /^public, max-age=3600$/],
      ["/js/array.js", /^public, max-age=3600$/],
    ]) {
      const response = await system.request(path, { headers: { origin: "https://www.example.com" } });
      assert.equal(response.status, 200, path);
      assert.match(response.headers.get("content-type"), /javascript/, path);
      assert.match(response.headers.get("cache-control"), age, path);
      assert.equal(response.headers.get("access-control-allow-origin"), "*", path);
      assert.equal(response.headers.get("cross-origin-resource-policy"), "cross-origin", path);
      assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
      assert.equal(response.headers.get("x-hogflare-script-version"), version, path);
      // fetch asks for it, and unpacks.
      assert.match(response.headers.get("content-encoding") ?? "", /gzip|br/, path);
      await response.arrayBuffer();
      const again = await system.request(path, { headers: { "if-none-match": response.headers.get("etag") } });
      assert.equal(again.status, 304, path);
    }
  });

  it("the SDK and a project's config in one has them too, and another tag when the config is another", async () => {
    const path = `/array/${TOKEN}/array.js`;
    const response = await system.request(path, { headers: { origin: "https://www.example.com" } });
    assert.equal(response.status, 200);
    for (const [name, value] of [
      ["cache-control", "public, max-age=300"],
      ["access-control-allow-origin", "https://www.example.com"],
      ["cross-origin-resource-policy", "cross-origin"],
      ["x-content-type-options", "nosniff"],
      ["x-hogflare-script-version", version],
    ]) {
      assert.equal(response.headers.get(name), value, name);
    }
    const etag = response.headers.get("etag");
    assert.ok((await response.arrayBuffer()).byteLength > 300_000);
    const again = await system.request(path, { headers: { origin: "https://www.example.com", "if-none-match": etag } });
    assert.equal(again.status, 304);
    const other = await system.request(path.replace(TOKEN, "phc_another"));
    assert.equal(other.status, 200);
    assert.notEqual(other.headers.get("etag"), etag);
    await other.arrayBuffer();
  });

  it("nothing else is served there", async () => {
    for (const path of ["/static/nothing.js", "/static/array.js.map", "/static/../worker.js", "/static/a/b/c.js", "/static/"]) {
      assert.equal((await system.request(path)).status, 404, path);
    }
  });
});
