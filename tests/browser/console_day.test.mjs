// Somebody's first day with the console, on a started Worker: the snippet that it shows is pasted, an event is
// refused, the sink stops and comes back, the token is changed, a clock goes back an hour.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import { openChromium, openPage, PICTURES, visit } from "../console/browser.mjs";
import { eventually, freePort, startSystem } from "../lib/harness.mjs";
import { workerOptions } from "../../scripts/lib/worker.mjs";
import { openBrowser } from "./page.mjs";

const ADMIN = "an-admin-token-of-some-length";
const vars = {
  HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1, timezone: "Europe/Berlin" } }),
  HOGFLARE_ADMIN_TOKEN: ADMIN,
  HOGFLARE_FLAGS_KV_KEY: "flags",
};

let browser, site, system, page, port;
before(async () => {
  port = await freePort();
  system = await startSystem({ vars, hasSql: true, port });
  site = await openBrowser();
  browser = await openChromium();
  page = await openPage(browser, system.url, { token: ADMIN, path: "/app/1/home" });
});
after(async () => {
  await browser?.close();
  await site?.close();
  await system?.stop();
});
const picture = (name) => page.screenshot({ path: join(PICTURES, `day-${name}.png`) });
const packed = (insight) => `1.${deflateRawSync(JSON.stringify(insight)).toString("base64url")}`;
const send = (events, headers = {}) => system.post("/batch/", { api_key: "phc_test", batch: events }, headers);

describe("a first day", () => {
  it("an event without an id is named on the page that waits for the first one", async () => {
    await page.getByText("Waiting for the first event").waitFor();
    await eventually(
      async () => {
        assert.equal((await send([{ event: "lost", properties: {} }])).status, 400);
        return (await page.getByText(/The Worker refused: missing_distinct_id × \d/).count()) > 0;
      },
      { timeoutMs: 60_000, everyMs: 1_000, what: "the reject on the page" },
    );
    await picture("rejected");
  });

  it("the snippet that it shows, pasted into a page, brings an event that is ticked three times", async () => {
    const snippet = await page.locator("pre").first().textContent();
    assert.match(snippet, /posthog\.init\('phc_test', \{ api_host: 'http/);
    site.pages.set("/pasted", `<!doctype html><title>Shop</title>${snippet.replace("identified_only", "always")}<h1>Shop</h1>`);
    const shop = await site.visit("/pasted");
    await page.getByText("The first event is here").waitFor({ timeout: 60_000 });
    const ticks = page.locator("#content li").filter({ has: page.locator(".ok") });
    await eventually(async () => (await ticks.count()) === 3, { what: "three ticks", timeoutMs: 60_000 });
    assert.deepEqual(
      (await ticks.allTextContents()).map((text) => text.replace("✓", "").trim()),
      ["arrived", "has a person", "landed in the stream"],
    );
    await picture("first-event");
    await shop.context().close();
  });

  it("an id without a person, and one that never came, are told apart from a person", async () => {
    await send([{ event: "seen", distinct_id: "nobody-yet", properties: { $process_person_profile: false } }]);
    await eventually(async () => (await system.rows()).some(({ event }) => event === "seen"), { what: "the row" });
    await visit(page, "/app/1/people/nobody-yet");
    await page.getByText("No person has the id").waitFor();
    await page.locator("#content").getByText("seen").first().waitFor();
    await picture("personless");
  });

  it("the day whose clock goes back has 25 hours, each with a name of its own", async () => {
    await send(["00:30", "01:30"].map((time) => ({ event: "night", distinct_id: "owl", timestamp: `2026-10-25T${time}:00Z` })));
    // 22 or 23 o'clock in Berlin, by winter's or summer's time.
    const yesterday = new Date(Date.now() - 86_400_000).toLocaleDateString("sv", { timeZone: "Europe/Berlin" });
    await send([{ event: "evening", distinct_id: "owl", timestamp: `${yesterday}T21:00:00Z` }]);
    await eventually(async () => (await system.rows()).filter(({ event }) => /^(night|evening)$/.test(event)).length === 3, {
      what: "the rows",
    });
    const night = packed({ kind: "TrendsQuery", series: [{ kind: "EventsNode", event: "night" }] });
    const evening = packed({ kind: "TrendsQuery", series: [{ kind: "EventsNode", event: "evening" }] });
    await visit(page, `/app/1/insights?from=2026-10-25&to=2026-10-25&i=hour&q=${night}`);
    const table = page.locator('table[aria-label="Values"]');
    await table.waitFor();
    const heads = (await table.locator("thead th").allTextContents()).slice(2);
    assert.equal(heads.length, 25);
    assert.deepEqual(heads.slice(21), ["02:00 again", "02:00", "01:00", "25 Oct 00:00"]);
    const cells = (await table.locator("tbody tr").first().locator("td").allTextContents()).slice(2);
    assert.deepEqual(cells.filter((text) => text === "1").length, 2);
    await picture("clock-back");
    // Yesterday, by the menu's name for it, is a whole day of hours as well.
    await visit(page, `/app/1/insights?from=-1d/d&to=-1d/d&i=hour&q=${night}`);
    await page.getByText("No night in this range").waitFor();
    await visit(page, `/app/1/insights?from=-1d/d&to=-1d/d&i=hour&q=${evening}`);
    await table.waitFor();
    assert.equal(await table.locator("thead th").filter({ hasText: "23:00" }).count(), 1);
  });

  it("while the sink is down the page says what waits, and Send now brings it", async () => {
    await visit(page, "/app/1/health");
    await page.getByText("Everything accepted has landed").waitFor();
    await system.pipeline.fault({ seconds: 3_600, status: 503 });
    await send([1, 2, 3].map((n) => ({ event: "waits", distinct_id: `w${n}` })));
    await page.getByText(/rows wait in the outbox: nothing is lost/).waitFor({ timeout: 60_000 });
    const equation = async () => {
      const text = await page.getByLabel("The equation").textContent();
      const [accepted, landed, waiting, rejected, quarantined] = [...text.replace(/\(.*?\)/g, "").matchAll(/\d[\d,]*/g)].map(([n]) =>
        Number(n.replaceAll(",", "")),
      );
      return { accepted, sum: landed + waiting + rejected + quarantined, waiting };
    };
    await eventually(
      async () => {
        const { accepted, sum, waiting } = await equation();
        return waiting > 0 && accepted === sum;
      },
      { what: "the equation", timeoutMs: 60_000, everyMs: 500 },
    );
    await picture("sink-down");
    await system.pipeline.fault({ clear: true });
    await page.getByRole("button", { name: "Send now" }).click();
    await page.locator("dialog").getByRole("button", { name: "Send" }).click();
    await eventually(async () => (await system.rows()).filter(({ event }) => event === "waits").length === 3, {
      what: "the rows",
      timeoutMs: 60_000,
    });
    await page.getByText("Everything accepted has landed").waitFor({ timeout: 60_000 });
    assert.equal((await equation()).waiting, 0);
  });

  it("what a spreadsheet would take for a formula is text in the file", async () => {
    await send([{ event: "=1+1", distinct_id: "owl", properties: { formula: "=1+1" } }]);
    await eventually(async () => (await system.rows()).some(({ event }) => event === "=1+1"), { what: "the row" });
    for (const query of [
      { kind: "HogQLQuery", query: "SELECT event FROM events WHERE event LIKE '=%'" },
      { kind: "EventsQuery", select: ["properties.formula"], event: "=1+1", after: "-7d" },
    ]) {
      const response = await system.post("/api/projects/1/query/?format=csv", { query }, { authorization: `Bearer ${ADMIN}` });
      assert.match(await response.text(), /^'=1\+1$/m, query.kind);
    }
    // The file of the page's own button.
    const byFormula = { breakdown: "formula", breakdown_type: "event" };
    const question = packed({ kind: "TrendsQuery", series: [{ kind: "EventsNode", event: "=1+1" }], breakdownFilter: byFormula });
    await visit(page, `/app/1/insights?q=${question}`);
    const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "CSV", exact: true }).click()]);
    const text = readFileSync(await file.path(), "utf8");
    assert.match(text, /'=1\+1/);
    assert.doesNotMatch(text, /(^|[,"])=1\+1/m);
  });

  it("a changed token asks to sign in at the next step, and keeps the flags that were typed", async () => {
    await page.goto(`${system.url}/app/1/flags`);
    await page.getByRole("tab", { name: "JSON" }).click();
    const typed = JSON.stringify({ flags: [{ id: 1, key: "typed", active: true, filters: { groups: [{ rollout_percentage: 100 }] } }] });
    await page.getByLabel("Flags as JSON").fill(typed);
    await page.getByText("The checker takes it.").waitFor();
    const { stateDir } = system;
    const next = "another-admin-token-of-some-length";
    await system.worker.setOptions(workerOptions({ port, stateDir, vars: { ...system.vars, HOGFLARE_ADMIN_TOKEN: next } }));
    await page.getByRole("button", { name: "Review and publish" }).click();
    // A page that asked something in between is told before it publishes.
    const publish = page.locator("dialog[open]").getByRole("button", { name: "Publish" });
    const signIn = page.locator("dialog[open] input[type=password]");
    await publish.or(signIn).first().waitFor();
    if ((await signIn.count()) === 0) await publish.click();
    await page.locator("dialog[open] input[type=password]").waitFor();
    await picture("signed-out");
    await page.locator("dialog[open] input[type=password]").fill(next);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.locator("dialog[open] input[type=password]").waitFor({ state: "detached" });
    await page.keyboard.press("Escape");
    assert.equal(await page.getByLabel("Flags as JSON").inputValue(), typed);
  });
});
