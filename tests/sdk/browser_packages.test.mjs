// Packages for browsers that are built on posthog-js or beside it, in Chromium: the client halves of
// @posthog/next and @posthog/nuxt with the frameworks' own modules left out, the slim build, posthog-js-lite.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { build } from "esbuild";
import { openBrowser } from "../browser/page.mjs";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";

/** The release that the product pins, in place of those that the packages bring, and one React. */
const PINNED = ["posthog-js", "@posthog/react", "react", "react-dom"];
const DOCUMENT = {
  flags: [
    {
      id: 1,
      key: "layout",
      active: true,
      filters: {
        groups: [{ properties: [], rollout_percentage: 100 }],
        multivariate: { variants: [{ key: "wide", rollout_percentage: 100 }] },
      },
    },
  ],
  remote_config: { sessionRecording: true, heatmaps: true },
};

let system;
let browser;
before(async () => {
  system = await startSystem({ vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT) } });
  browser = await openBrowser();
});
after(async () => {
  await browser?.close();
  await system?.stop();
});

/** A page with `source` as its script, `modules` in place of what only a framework has. */
async function open(name, source, modules = {}) {
  const stubs = {
    name: "framework",
    setup(made) {
      made.onResolve({ filter: /^(next\/|#app$)/ }, ({ path }) => ({ path, namespace: "framework" }));
      made.onLoad({ filter: /.*/, namespace: "framework" }, ({ path }) => ({ contents: modules[path], loader: "js" }));
    },
  };
  const built = await build({
    stdin: {
      contents: source.replaceAll("%HOST%", system.url).replaceAll("%TOKEN%", TOKEN),
      resolveDir: import.meta.dirname,
      loader: "jsx",
    },
    bundle: true,
    write: false,
    format: "iife",
    platform: "browser",
    jsx: "automatic",
    define: {
      "process.env.NEXT_PUBLIC_POSTHOG_KEY": "undefined",
      "process.env.NEXT_PUBLIC_POSTHOG_HOST": "undefined",
      "process.env.NODE_ENV": '"production"',
    },
    alias: Object.fromEntries(PINNED.map((each) => [each, join(ROOT, "node_modules", each)])),
    plugins: [stubs],
    logLevel: "error",
  });
  browser.pages.set(`/${name}.js`, { type: "text/javascript", body: built.outputFiles[0].text });
  browser.pages.set(
    `/${name}`,
    `<!doctype html><meta charset="utf-8"><title>${name}</title><h1>Shop</h1><button id="buy">Buy</button><main id="app"></main><script src="/${name}.js"></script>`,
  );
  return browser.visit(`/${name}`);
}

async function landed(visitor, ...events) {
  const rows = async () => (await system.rows()).filter((row) => row.distinct_id === visitor);
  return eventually(
    async () => {
      const mine = await rows();
      return events.every((event) => mine.some((row) => row.event === event)) && mine;
    },
    { what: `${events.join(", ")} of ${visitor}`, timeoutMs: 60_000 },
  );
}

const visitorOf = (page) =>
  eventually(() => page.evaluate(() => window.posthog?.__loaded === true && window.posthog.get_distinct_id()), {
    what: "the library",
    timeoutMs: 60_000,
  });
const isRecorded = (page) =>
  eventually(
    async () => {
      const session = await page.evaluate(() => window.posthog.get_session_id());
      return (await system.rows()).some((row) => row.event === "$snapshot_items" && row.properties.$session_id === session);
    },
    { what: "a recording", timeoutMs: 60_000 },
  );

describe("@posthog/next", () => {
  const SOURCE = `
    import { PostHogPageView, PostHogProvider } from "@posthog/next/pages";
    import { useFeatureFlagVariantKey } from "@posthog/react";
    import posthog from "posthog-js";
    import { createRoot } from "react-dom/client";
    function Layout() { return <p id="layout">{String(useFeatureFlagVariantKey("layout"))}</p>; }
    createRoot(document.getElementById("app")).render(
      <PostHogProvider apiKey="%TOKEN%" clientOptions={{ api_host: "%HOST%", person_profiles: "always" }}><PostHogPageView /><Layout /></PostHogProvider>);
    window.posthog = posthog;`;

  it("its client's defaults: page views, exceptions, headers for the site's own API; flags and replay", async () => {
    const page = await open("next", SOURCE, {
      "next/router.js": "const router = { asPath: '/next', isReady: true }; export const useRouter = () => router;",
    });
    page.expects(/the page's own mistake/);
    const visitor = await visitorOf(page);
    await page.locator("#layout", { hasText: "wide" }).waitFor({ timeout: 60_000 });
    await page.click("#buy");
    await page.evaluate(() =>
      setTimeout(() => {
        throw new Error("the page's own mistake");
      }),
    );
    const rows = await landed(visitor, "$pageview", "$autocapture", "$exception");
    assert.equal(rows.filter((row) => row.event === "$pageview").length, 1);
    await isRecorded(page);
    const session = await page.evaluate(() => window.posthog.get_session_id());
    // The script that adds the headers comes from the Worker, too.
    await eventually(
      async () => {
        const asked = page.waitForRequest(/\/api\/cart$/);
        await page.evaluate(() => fetch("/api/cart").then(() => {}));
        return (await asked).headers()["x-posthog-session-id"] === session;
      },
      { what: "the session in the site's own requests", timeoutMs: 60_000 },
    );
    await page.context().close();
  });
});

describe("@posthog/nuxt", () => {
  const SOURCE = `
    import plugin from "./node_modules/@posthog/nuxt/dist/runtime/vue-plugin.js";
    import posthog from "posthog-js";
    window.hooks = {};
    plugin.setup({ hook: (name, run) => { window.hooks[name] = run; } });
    window.posthog = posthog;`;
  const app = (clientConfig) => ({
    "#app": `export const defineNuxtPlugin = (plugin) => plugin;
      export const useRuntimeConfig = () => ({ public: { posthog: { publicKey: "${TOKEN}", host: "${system.url}", debug: false }, posthogClientConfig: ${JSON.stringify(clientConfig)} } });`,
  });

  it("its client's defaults: page views, clicks, replay", async () => {
    const page = await open("nuxt", SOURCE, app({}));
    const visitor = await visitorOf(page);
    await page.click("#buy");
    await landed(visitor, "$pageview", "$autocapture");
    await isRecorded(page);
    await page.context().close();
  });

  it("with capture_exceptions what Vue caught and what nobody caught", async () => {
    const page = await open("nuxt-exceptions", SOURCE, app({ capture_exceptions: true }));
    page.expects(/nobody's mistake/);
    const visitor = await visitorOf(page);
    await page.evaluate(() => window.hooks["vue:error"](new Error("a component's mistake"), null, "render"));
    await eventually(() => page.answers.some(({ url }) => url.includes("/exception-autocapture.js")), {
      what: "the script",
      timeoutMs: 60_000,
    });
    await page.evaluate(() =>
      setTimeout(() => {
        throw new Error("nobody's mistake");
      }),
    );
    await eventually(
      async () => {
        const messages = (await landed(visitor, "$exception")).map((row) => row.exception_message);
        return messages.includes("a component's mistake") && messages.includes("nobody's mistake");
      },
      { what: "both exceptions", timeoutMs: 60_000 },
    );
    await page.context().close();
  });
});

describe("posthog-js/dist/module.slim", () => {
  it("captures page views and what it is told", async () => {
    const page = await open(
      "slim",
      `
      import posthog from "posthog-js/dist/module.slim";
      posthog.init("%TOKEN%", { api_host: "%HOST%", person_profiles: "always" });
      window.posthog = posthog;`,
    );
    const visitor = await visitorOf(page);
    await page.evaluate(() => window.posthog.capture("from slim", { text: "grüße" }));
    const rows = await landed(visitor, "$pageview", "from slim");
    assert.equal(rows.find((row) => row.event === "from slim").properties.text, "grüße");
    await page.context().close();
  });
});

describe("posthog-js-lite", () => {
  it("captures and reads flags in a page of another origin", async () => {
    const page = await open(
      "lite",
      `
      import { PostHog } from "posthog-js-lite";
      window.lite = new PostHog("%TOKEN%", { host: "%HOST%", flushAt: 1 });`,
    );
    await page.evaluate(() => window.lite.capture("from lite"));
    const visitor = await page.evaluate(() => window.lite.getDistinctId());
    await landed(visitor, "from lite");
    await eventually(() => page.evaluate(() => window.lite.reloadFeatureFlagsAsync().then((flags) => flags?.layout === "wide")), {
      what: "the flag",
      timeoutMs: 60_000,
      everyMs: 500,
    });
    await page.context().close();
  });
});
