// What one page view costs: the page's requests to the operator's host, and how many of them run the Worker.
// docs/PERFORMANCE.md, "A page view", says the same figures.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { build } from "esbuild";
import { startCountingHost } from "../lib/counting_host.mjs";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { openBrowser } from "./page.mjs";

const ADMIN = "an-admin-token-of-some-length";
const EXAMPLES = join(ROOT, "examples/browser");
const EVERYTHING = {
  sessionRecording: true,
  autocaptureExceptions: true,
  heatmaps: true,
  captureDeadClicks: true,
  capturePerformance: { web_vitals: true },
};
const FLAGS = { flags: [{ key: "beta", active: true, filters: { groups: [{ properties: [], rollout_percentage: 100 }] } }] };

// On 127.0.0.1 posthog-js says of the visitor that it is a tester: an event and a request that no site's page has.
const DEPLOYED = { internal_or_test_user_hostname: null };

let browser;
before(async () => {
  browser = await openBrowser();
  const built = await build({ entryPoints: [join(EXAMPLES, "bundle.js")], bundle: true, write: false, format: "iife", logLevel: "error" });
  browser.pages.set("/bundle.js", { type: "text/javascript", body: built.outputFiles[0].text });
});
after(() => browser?.close());

/** Runs of the Worker so far, by route; this question's own left out. */
async function runsOf(system) {
  const text = await (await system.request("/metrics", { headers: { authorization: `Bearer ${ADMIN}` } })).text();
  const counts = [...text.matchAll(/^hogflare_requests_total\{route="(\w+)",[^}]*\} (\d+)$/gm)];
  return counts.filter(([, route]) => route !== "admin" && route !== "health").reduce((sum, [, , count]) => sum + Number(count), 0);
}

/** Names of the events in a request's body. */
function eventsIn({ path, body }) {
  if (!/^\/(e|i\/v0\/e|batch)\//.test(path) || body.length === 0) return [];
  const text = body[0] === 0x1f ? gunzipSync(body).toString() : body.toString();
  const plain = text.startsWith("data=") ? Buffer.from(decodeURIComponent(text.slice(5)), "base64").toString() : text;
  const value = JSON.parse(plain);
  return (Array.isArray(value) ? value : (value.batch ?? [value])).map(({ event }) => event);
}

const KINDS = { scripts: /^\/static\//, config: /^\/array\//, flags: /^\/flags\//, events: /^\/(e|i\/v0\/e)\//, replay: /^\/s\// };

/** A visit until it is still, and then leaving: requests by kind, and runs of the Worker. */
async function visit(name, remoteConfig) {
  const system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN, HOGFLARE_FEATURE_FLAGS: JSON.stringify({ ...FLAGS, remote_config: remoteConfig }) },
  });
  const host = await startCountingHost(system.url);
  try {
    const html = readFileSync(join(EXAMPLES, name), "utf8")
      .replaceAll("https://hogflare.example.workers.dev", host.url)
      .replaceAll("phc_your_project", TOKEN)
      .replace('{ defaults: "2026-01-30" }', JSON.stringify({ defaults: "2026-01-30", ...DEPLOYED }))
      .replace(" data-token=", ` data-config='${JSON.stringify(DEPLOYED)}' data-token=`);
    browser.pages.set(`/${name}`, html);
    const page = await browser.visit(`/${name}`);
    const has = (event) => system.rows().then((rows) => rows.some((row) => row.event === event));
    await eventually(() => has("$pageview"), { what: "the page view", timeoutMs: 60_000 });
    await eventually(
      () =>
        page.evaluate(() => window.posthog.featureFlags?.hasLoadedFlags ?? window.posthog.isFeatureEnabled("beta", { send_event: false })),
      { what: "the flags", timeoutMs: 60_000 },
    );
    const viewed = host.requests.length;
    await page.goto(`${browser.site.url}/elsewhere`);
    await eventually(() => has("$pageleave"), { what: "the page's end", timeoutMs: 60_000 });
    await page.context().close();
    // The answers of what was sent last are counted when they are given.
    const ran = host.requests.filter(({ path }) => !KINDS.scripts.test(path));
    await eventually(async () => (await runsOf(system)) >= ran.length, { what: "every run to be counted" });
    const count = (requests) => {
      const by = Object.fromEntries(
        Object.entries(KINDS).map(([kind, pattern]) => [kind, requests.filter(({ path }) => pattern.test(path)).length]),
      );
      return {
        ...by,
        others: requests.length - Object.values(by).reduce((sum, each) => sum + each, 0),
        preflights: requests.filter(({ method }) => method === "OPTIONS").length,
      };
    };
    const measured = {
      view: count(host.requests.slice(0, viewed)),
      leaving: count(host.requests.slice(viewed)),
      all: count(host.requests),
      runs: await runsOf(system),
      events: host.requests.map(eventsIn).filter((events) => events.length > 0),
    };
    console.log(`${name}, ${Object.keys(remoteConfig).length > 0 ? "everything on" : "plain"}: ${JSON.stringify(measured)}`);
    return measured;
  } finally {
    await host.stop();
    await system.stop();
  }
}

for (const name of ["snippet.html", "bundle.html"]) {
  describe(`a page view of ${name}`, () => {
    it("is one config, one flags and its events in one request; leaving is one more; scripts run nothing", async () => {
      const { view, leaving, all, runs, events } = await visit(name, {});
      assert.deepEqual(
        { config: all.config, flags: all.flags, replay: all.replay, others: all.others, preflights: all.preflights },
        { config: 1, flags: 1, replay: 0, others: 0, preflights: 0 },
      );
      assert.equal(all.scripts, name === "snippet.html" ? 1 : 0);
      assert.ok(view.events <= 1, JSON.stringify(events));
      assert.ok(leaving.events <= 1, JSON.stringify(events));
      assert.equal(runs, all.config + all.flags + all.events);
    });

    it("with everything switched on loads more scripts, which run nothing, and adds what the recorder sends", async () => {
      const { all, runs } = await visit(name, EVERYTHING);
      assert.deepEqual(
        { config: all.config, flags: all.flags, others: all.others, preflights: all.preflights },
        { config: 1, flags: 1, others: 0, preflights: 0 },
      );
      assert.ok(all.scripts >= 3, `${all.scripts} scripts`);
      assert.equal(runs, all.config + all.flags + all.events + all.replay);
    });
  });
}
