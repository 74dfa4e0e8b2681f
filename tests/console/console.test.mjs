// Every page of the console in Chromium: its main path, its states, its keys, its looks.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { writeConsole } from "../../console/build.mjs";
import { PEOPLE, startMock } from "../../console/dev/mock.mjs";
import { eventually } from "../lib/harness.mjs";
import { addressOf, closeAll, LOOKS, openChromium, opened, openPage, PICTURES, pressGo, settled, visit } from "./browser.mjs";

let browser, mock;
before(async () => {
  await writeConsole("build/console");
  browser = await openChromium();
});
after(() => browser?.close());
beforeEach(async () => {
  mock = await startMock();
});
// Also after a test that failed: what stays open keeps the run from ending.
afterEach(() => closeAll(browser, mock));
const end = (page) => assert.deepEqual(page.faults, []);

const sha1 = (text) => createHash("sha1").update(text).digest("hex");
const visitId = (n) => sha1(`visit ${n}`).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, "$1-$2-5$3-8$4-$5");
const ISSUE = createHash("sha512").update("TypeError").digest("hex");
const ADA = PEOPLE[0].distinct_ids[0];
const PAGES = [
  "home",
  "web",
  "live",
  "insights",
  "insights?tab=FunnelsQuery",
  "insights?tab=RetentionQuery&from=-14d",
  "insights?tab=PathsQuery",
  "insights?tab=LifecycleQuery",
  "insights?tab=StickinessQuery",
  "dashboards",
  "people",
  `people/${ADA}?tab=identity`,
  "sessions",
  "errors",
  `errors/${ISSUE}`,
  "flags",
  "flags/new-checkout",
  "sql",
  "health",
  "settings",
];

describe("looks", () => {
  for (const look of LOOKS) {
    it(`every page at ${look.name}: no fault, no other host, nothing sideways, nothing serious for axe`, { timeout: 900_000 }, async () => {
      const page = await openPage(browser, mock.url, { look });
      const found = [];
      for (const [i, path] of PAGES.entries()) {
        await visit(page, `/app/1/${path}`);
        await page.waitForTimeout(300);
        const name = path.replace(/[^a-z]+/gi, "-").slice(0, 40);
        await page.screenshot({ path: `${PICTURES}/${String(i).padStart(2, "0")}-${name}-${look.name}.png` });
        if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) found.push(`${path}: wider than the window`);
        if ((await page.locator("h1").count()) !== 1) found.push(`${path}: not one h1`);
        const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
        for (const { id, impact, nodes } of violations) {
          if (impact === "serious" || impact === "critical")
            found.push(
              `${path}: ${id}: ${nodes
                .slice(0, 3)
                .map(({ html }) => html.slice(0, 120))
                .join(" | ")}`,
            );
        }
      }
      assert.deepEqual(found, []);
      await end(page);
    });
  }
});

describe("signing in", () => {
  it("a wrong token is told in one sentence, too many name the wait, the right one opens the address that was asked for", async () => {
    const page = await openPage(browser, mock.url, { token: null, path: "/app/1/web?from=-30d" });
    for (let i = 0; i < 6; i += 1) {
      await page.fill("input[type=password]", `wrong ${i}`);
      await page.click("button[type=submit]");
      await page.waitForFunction(
        () => document.querySelector("[role=alert]") !== null && document.querySelector("button[type=submit]").textContent === "Sign in",
        i,
      );
    }
    assert.match(await page.textContent("[role=alert]"), /Too many attempts\. Wait 60 s/);
    await page.fill("input[type=password]", "admin");
    await page.click("button[type=submit]");
    await page.waitForSelector(".header h1");
    assert.match(await addressOf(page), /\/app\/1\/web\?from=-30d$/);
    await end(page);
  });

  it("a viewer sees no control that changes something", async () => {
    const page = await openPage(browser, mock.url, { token: "viewer", path: "/app/1/flags/new-checkout" });
    await settled(page);
    assert.equal(await page.textContent(".header .tag"), "read-only");
    for (const path of ["flags/new-checkout", "insights", "dashboards", "health"]) {
      await visit(page, `/app/1/${path}`);
      assert.equal(await page.getByRole("button", { name: /publish|^Save$|New dashboard|Send now|condition/ }).count(), 0, path);
    }
    await end(page);
  });

  it("a sign-in that ends keeps the page and what was typed", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/sql" });
    await page.fill("textarea", "SELECT 42 AS kept");
    mock.state.sessions.clear();
    await page.getByRole("button", { name: "Run" }).click();
    await page.waitForSelector("dialog[open] input[type=password]");
    await page.fill("dialog input[type=password]", "admin");
    await page.click("dialog button[type=submit]");
    await page.waitForSelector("dialog[open]", { state: "detached" });
    assert.equal(await page.inputValue("textarea"), "SELECT 42 AS kept");
    await end(page);
  });
});

describe("states", () => {
  it("an empty project has one page with its host and token in the snippet", async () => {
    mock.state.empty = true;
    const page = await openPage(browser, mock.url);
    await page.getByRole("heading", { name: "Send the first event" }).waitFor();
    const text = await page.textContent("pre");
    assert.ok(text.includes(mock.url) && text.includes("phc_demo_project_token_cafe"));
    await page.getByText("The first event is here").waitFor();
    await end(page);
  });

  it("without a SQL engine a card says how, and Live, Flags, Health and people by id work", async () => {
    mock.state.sql = false;
    const page = await openPage(browser, mock.url);
    await page.getByText("Questions need a SQL engine.").waitFor();
    for (const [path, word] of [
      ["live", "events/s"],
      ["flags", "new-checkout"],
      ["health", "Everything accepted"],
      [`people/${ADA}`, "one person"],
    ]) {
      await visit(page, `/app/1/${path}`);
      await page.locator("#content").getByText(word).first().waitFor();
    }
    await end(page);
  });

  it("Home is eight requests: its tiles are asked in one, its scripts are two files", async () => {
    const page = await openPage(browser, mock.url);
    await settled(page);
    const asked = [];
    page.on("request", (request) => asked.push(request));
    await page.reload();
    await page.getByText("NetworkError").waitFor();
    await settled(page);
    const paths = asked.map((request) => new URL(request.url()).pathname);
    assert.ok(asked.length <= 8, paths.join("\n"));
    assert.equal(paths.filter((path) => path.endsWith(".js")).length, 2);
    // The tile of sign-ups is known when the events' names are.
    const batches = asked.filter((request) => request.url().endsWith("/query/batch/")).map((request) => request.postDataJSON().queries);
    assert.deepEqual(
      batches.map((queries) => queries.length),
      [7, 1],
    );
    const questions = batches.flat().map((one) => JSON.stringify(one));
    assert.equal(new Set(questions).size, questions.length, "no question twice");
    await end(page);
  });

  it("a tile's answer is shown while others are waited for; leaving the page stops what is asked", async () => {
    mock.state.faults = [{ kind: "LifecycleQuery", delay_ms: 60_000, count: 99 }];
    const page = await openPage(browser, mock.url);
    await page.locator("figure.chart").first().waitFor();
    await page.getByText("NetworkError").waitFor();
    assert.equal(await page.locator('[aria-label="New and returning people"] .skeleton').count(), 1, "this one is still asked");
    const stopped = page.waitForEvent("requestfailed", (request) => request.url().endsWith("/query/batch/"));
    await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Live" }).click();
    assert.match((await stopped).failure().errorText, /ABORTED/);
    await end(page);
  });

  it("a failed tile says why in a sentence; the others stand", async () => {
    mock.state.faults = [
      {
        kind: "ErrorTrackingQuery",
        status: 500,
        count: 9,
        body: { type: "server_error", code: "engine_refused", detail: "The SQL engine refused this: too much to scan." },
      },
    ];
    const page = await openPage(browser, mock.url);
    await page.getByText("The SQL engine refused this: too much to scan.").waitFor();
    await page.locator("figure.chart").first().waitFor();
    assert.equal(await page.getByText("No data").count(), 0);
    mock.state.faults = [];
    await page.getByRole("alert").getByRole("button", { name: "Ask again" }).click();
    await page.getByText("NetworkError").waitFor();
    await end(page);
  });

  it("each of the two hours that a clock has at its change opens its own people", async () => {
    const page = await openPage(browser, mock.url);
    const days = ["01", "02", "02", "03"].map((hour) => `2026-10-25 ${hour}:00:00`);
    const asked = [];
    await page.route("**/app/api/session", async (route) => {
      const session = await (await route.fetch()).json();
      for (const project of session.projects) project.time_zone = "Europe/Berlin";
      await route.fulfill({ json: session });
    });
    await page.route("**/query/batch/", async (route) => {
      const { queries } = route.request().postDataJSON();
      const lines = queries.map(({ query }, index) => {
        const isTrend = query.kind === "TrendsQuery";
        if (!isTrend) asked.push(query.source.day);
        const trend = { label: "$pageview", order: 0, days, labels: days, data: [5, 2, 3, 1], count: 11 };
        const people = PEOPLE.slice(0, asked.at(-1) === days[1] ? 2 : 3).map((person) => [person, person.created_at]);
        const answer = { results: isTrend ? [trend] : people, hasMore: false, hogflare: { as_of: "2026-11-26T12:00:00Z", warnings: [] } };
        return JSON.stringify({ index, status: 200, answer });
      });
      await route.fulfill({ contentType: "application/x-ndjson", body: `${lines.join("\n")}\n` });
    });
    await page.goto(`${mock.url}/app/1/insights?from=2026-10-25&to=2026-10-25&i=hour`);
    const cell = (text) => page.locator('table[aria-label="Values"] tbody button').filter({ hasText: new RegExp(`^${text}$`) });
    const panel = page.getByRole("dialog");
    for (const [value, day, words] of [
      [3, "2026-10-25T01:00:00.000Z", "25 Oct 02:00 again"],
      [2, days[1], "25 Oct 02:00"],
    ]) {
      await cell(value).click();
      await panel.getByText(`${value} people of ${value}`).waitFor();
      assert.match(await panel.textContent(), new RegExp(`${words}(?! again)`));
      assert.equal(asked.at(-1), day);
      await page.screenshot({ path: `${PICTURES}/equal-hour-${value}.png` });
      await page.keyboard.press("Escape");
    }
    // Its address opens it again.
    await page.goto(
      `${mock.url}/app/1/insights?from=2026-10-25&to=2026-10-25&i=hour&sel=${encodeURIComponent("pt:2026-10-25T01%3A00%3A00.000Z:0")}`,
    );
    await panel.getByText("3 people of 3").waitFor();
    await end(page);
  });

  it("a long question tells its seconds and can be stopped; the old answer comes back", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await settled(page);
    const before = await page.textContent('table[aria-label="Values"]');
    mock.state.faults = [{ kind: "TrendsQuery", delay_ms: 600_000 }];
    await page.selectOption('select[aria-label^="What of A"]', "dau");
    await page.getByText(/Asking the table… \d/).waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await page.getByText("Stopped. Nothing was changed").waitFor();
    assert.equal(await page.textContent('table[aria-label="Values"]'), before);
    // The request is let go, by which the Worker stops what the engine was asked.
    await eventually(() => mock.state.left === 1, { what: "the end of the question's request" });
    await end(page);
  });

  it("what would read more than a gigabyte is foretold and waits for a click", async () => {
    mock.state.scanned = 400_000_000;
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await settled(page);
    assert.equal(await page.locator('table[aria-label="Values"]').count(), 1);
    const asked = mock.asked.length;
    await visit(page, "/app/1/insights?from=-90d");
    await page.getByText("This would read about 4.6 GB.").waitFor();
    await page.getByText(/This question has read 50 MB a day; this one is about 91 days.*\$0\.011/).waitFor();
    await page.screenshot({ path: `${PICTURES}/scan-estimate.png` });
    assert.equal(mock.asked.length, asked, "nothing was asked");
    await page.getByRole("button", { name: "Ask (≈ 4.6 GB)" }).click();
    // What stood there stays while its question is on its way.
    await eventually(() => mock.asked.length === asked + 1, { what: "the question that waited" });
    await page.locator('table[aria-label="Values"]').waitFor();
    // Fewer days are asked at once, and what was answered stands there at once.
    await visit(page, "/app/1/insights?from=-14d");
    await eventually(() => mock.asked.length === asked + 2, { what: "the question of fewer days" });
    await settled(page);
    await visit(page, "/app/1/insights?from=-90d");
    await page.locator('table[aria-label="Values"]').waitFor();
    assert.equal(mock.asked.length, asked + 2);
    await end(page);
  });

  it("the Worker's estimate goes before the browser's own, and is not asked for where an answer is at hand", async () => {
    const estimates = [];
    mock.state.estimate = (query) => {
      estimates.push(query);
      return query.dateRange.date_from === "-90d"
        ? { basis: "kind", bytes: 6_370_000_000, days: 91, dollars: 0.016, statements: 1, reason: null }
        : { basis: null, bytes: null, days: 8, dollars: null, statements: 1, reason: "nothing like it" };
    };
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await page.locator('table[aria-label="Values"]').waitFor();
    await visit(page, "/app/1/insights?from=-90d");
    await page.getByText("This would read about 6.4 GB.").waitFor();
    await page.getByText(/The largest question of this kind has read 70 MB a day; this one is about 91 days.*\$0\.016/).waitFor();
    await page.screenshot({ path: `${PICTURES}/scan-estimate-kind.png` });
    assert.equal(estimates.length, 2);
    const asked = mock.asked.length;
    await page.getByRole("button", { name: "Ask (≈ 6.4 GB)" }).click();
    await eventually(() => mock.asked.length > asked, { what: "the question that waited" });
    await settled(page);
    await visit(page, "/app/1/insights");
    await page.locator('table[aria-label="Values"]').waitFor();
    await visit(page, "/app/1/insights?from=-90d");
    await page.locator('table[aria-label="Values"]').waitFor();
    assert.equal(estimates.length, 2, "what was answered stands there at once");
    await end(page);
  });

  it("SQL that was run before says what it read then", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/sql" });
    await page.fill("textarea", "SELECT 1 AS n");
    await page.getByRole("button", { name: "Run" }).click();
    await page.getByText("≈ 34 MB, as it read before ($0.000085)").waitFor();
    await page.fill("textarea", "SELECT 2 AS n");
    await page.getByText("as it read before").waitFor({ state: "detached" });
    await end(page);
  });

  it("a day that did not answer is named and asked for again", async () => {
    mock.state.faults = [{ kind: "TrendsQuery", days_missing: ["2026-11-12"] }];
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await page.getByText(/1 day did not answer \(2026-11-12\)/).waitFor();
    await page.getByRole("button", { name: "Ask for that day" }).click();
    await page.getByText(/did not answer/).waitFor({ state: "detached" });
    await end(page);
  });

  it("a question that takes the engine too long is asked day by day: what answers is shown, what does not is a gap that can be asked for", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await settled(page);
    const cells = () => page.locator('table[aria-label="Values"] tbody tr').first().locator("td").allTextContents();
    const [, total, ...whole] = await cells();
    const today = new Date().toISOString().slice(0, 10);
    const late = (query) =>
      query.dateRange.date_from === "-7d" || (query.dateRange.date_from !== today && query.dateRange.date_from === missing);
    const missing = new Date(Date.parse(today) - 3 * 86_400_000).toISOString().slice(0, 10);
    const fault = {
      kind: "TrendsQuery",
      status: 504,
      count: 2,
      when: late,
      body: { type: "server_error", code: "engine_timeout", detail: "No answer within 30 s." },
    };
    mock.state.faults = [fault];
    await page.getByRole("button", { name: "Ask again" }).click();
    await page.getByText(`1 day did not answer (${missing})`).waitFor();
    const [, sum, ...days] = await cells();
    assert.equal(days.length, whole.length);
    assert.deepEqual(
      days.map((text, i) => (i === 3 ? "" : text)),
      whole.map((text, i) => (i === 3 ? "" : text)),
    );
    assert.equal(numberOf(sum), numberOf(total) - numberOf(whole[3]));
    assert.equal(fault.count, 0);
    // The whole is asked first again, and answers now.
    await page.getByRole("button", { name: "Ask for that day" }).click();
    await page.getByText(/did not answer/).waitFor({ state: "detached" });
    assert.deepEqual(await cells(), [(await cells())[0], total, ...whole]);
    await end(page);
  });

  it("an engine that answers nothing is asked for two days and no more", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await settled(page);
    mock.state.faults = [
      {
        kind: "TrendsQuery",
        status: 504,
        count: 99,
        body: { type: "server_error", code: "engine_timeout", detail: "No answer within 30 s." },
      },
    ];
    const before = mock.asked.length;
    await page.getByRole("button", { name: "Ask again" }).click();
    await page.getByText("No answer within 30 s.").waitFor();
    assert.ok(mock.asked.length - before <= 4, `${mock.asked.length - before} questions`);
    await end(page);
  });

  it("an unknown key of the address is told, not lost", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/web?foo=1" });
    await page.getByText("“foo” in the address is not understood").waitFor();
    assert.match(await addressOf(page), /foo=1/);
    await end(page);
  });
});

/** How long the list in the side panel is, over all of its pages. */
async function listed(page) {
  let count = 0;
  for (;;) {
    // The answer to this page's question is there, with people or with the word that there are none.
    await page.waitForFunction(
      () => document.querySelector(".sheet .bars, .sheet .state") && !document.querySelector('.sheet [aria-busy="true"]'),
    );
    count += await page.locator(".sheet .bars > li").count();
    const next = page.locator(".sheet").getByRole("button", { name: /Next/ });
    if ((await next.count()) === 0 || (await next.isDisabled())) return count;
    await next.click();
    await page.waitForFunction(
      (had) =>
        document.querySelector(".sheet .meta")?.textContent.includes(`${(had + 1).toLocaleString("en-GB")} to`) ||
        document.querySelector(".sheet .meta b") !== null,
      count,
    );
  }
}
const numberOf = (text) => Number(text.replace(/[^\d-]/g, ""));

describe("a number is a link", () => {
  for (const [kind, address, button] of [
    ["a trend's point", "insights?from=-2d", 'table[aria-label="Values"] tbody td:nth-child(4) button'],
    [
      "a lifecycle's piece",
      "insights?tab=LifecycleQuery&from=-3d",
      'table[aria-label="Lifecycle as a table"] tbody tr:nth-child(2) td:nth-child(2) button',
    ],
    ["days of stickiness", "insights?tab=StickinessQuery&from=-3d", ".bars li:nth-child(3) button"],
    ["a funnel's step", "insights?tab=FunnelsQuery", ".step:nth-child(2) button.plain"],
  ]) {
    it(`the list behind ${kind} is as long as the number`, async () => {
      const page = await openPage(browser, mock.url, { path: `/app/1/${address}` });
      await settled(page);
      if (kind === "a trend's point") {
        await page.selectOption('select[aria-label^="What of A"]', "dau");
        await page.waitForFunction(
          () =>
            !document.querySelector('[aria-busy="true"]') &&
            /people who did/.test(document.querySelector('table[aria-label="Values"]')?.textContent ?? ""),
        );
      }
      const shown = numberOf(
        await page
          .locator(button)
          .first()
          .evaluate((element) => element.title || element.firstChild.textContent),
      );
      await page.locator(button).first().click();
      assert.equal(await listed(page), shown);
      await end(page);
    });
  }

  it("the list behind who left a funnel is as long as the number, and it closes to where it was opened", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights?tab=FunnelsQuery&from=-2d" });
    await settled(page);
    const left = page.locator(".bar2 .left").first();
    const shown = numberOf((await left.getAttribute("aria-label")).replace(/people.*/, ""));
    await left.focus();
    await page.keyboard.press("Enter");
    await page.waitForURL(/sel=fun:-2/);
    assert.equal(await listed(page), shown);
    await page.keyboard.press("Escape");
    await page.waitForSelector(".sheet", { state: "detached" });
    assert.equal(await page.evaluate(() => document.activeElement.className), "left");
    await end(page);
  });
});

describe("the address is the page", () => {
  it("a click on a source filters all, back undoes, another window shows the same", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/web" });
    await settled(page);
    const visitors = () => page.textContent(".figure .big");
    const before = await visitors();
    await page.getByRole("button", { name: "google.com" }).click();
    await page.waitForFunction((was) => document.querySelector(".figure .big").textContent !== was, before);
    assert.match(await addressOf(page), /f=s\.\$entry_referring_domain~is~google\.com/);
    const filtered = await visitors();
    const other = await page.context().newPage();
    await other.goto(await addressOf(page));
    await other.waitForSelector(".figure .big");
    assert.equal(await other.textContent(".figure .big"), filtered);
    await other.close();
    await page.goBack();
    await page.waitForFunction((was) => document.querySelector(".figure .big").textContent === was, before);
    await end(page);
  });

  it("each change of a question is a step that back undoes", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights" });
    await settled(page);
    const seen = [await addressOf(page)];
    for (const kind of ["Funnel", "Retention", "Lifecycle", "Trends"]) {
      await page.getByRole("button", { name: kind, exact: true }).click();
      await page.waitForFunction((was) => location.href !== was, seen.at(-1));
      await page.waitForTimeout(350);
      seen.push(await addressOf(page));
    }
    for (const url of seen.slice(0, -1).reverse()) {
      await page.goBack();
      await page.waitForFunction((was) => location.href === was, url);
    }
    await page.getByRole("button", { name: "Trends", exact: true, pressed: true }).waitFor();
    await end(page);
  });

  it("an insight is saved, listed and opened by its address", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights?tab=FunnelsQuery" });
    await settled(page);
    await page.getByRole("button", { name: "Save", exact: true }).click();
    await page.fill('dialog input[aria-label="Name"]', "Sign-ups");
    await page.locator("dialog").getByRole("button", { name: "Save" }).click();
    await page.waitForURL(/insights\/sign-ups$/);
    await page.reload();
    await page.getByText("Sign-ups").first().waitFor();
    await page.locator(".step").first().waitFor();
    await end(page);
  });
});

describe("keys", () => {
  it("g w, the palette, a chart's points and its people by keyboard alone", async () => {
    const page = await openPage(browser, mock.url);
    await settled(page);
    await pressGo(page, "w", /\/web$/);
    await settled(page);
    await page.locator(".plot").focus();
    await page.keyboard.press("Home");
    await page.waitForFunction(() => /\d/.test(document.querySelector('.chart [aria-live="polite"]').textContent));
    await page.keyboard.press("Enter");
    await page.waitForSelector(".sheet");
    await page.keyboard.press("Escape");
    await page.waitForSelector(".sheet", { state: "detached" });
    await page.keyboard.press("Control+k");
    await opened(page, ".palette input");
    await page.keyboard.type(ADA);
    await page.getByRole("option", { name: /Person with distinct id/ }).waitFor();
    await page.keyboard.press("Enter");
    await page.waitForURL(new RegExp(`people/${ADA}`));
    await end(page);
  });
});

describe("keys that come quickly", () => {
  /** Presses keys one right after another, faster than anything is painted; each goes to what has the focus then. */
  const pressAll = (page, ...keys) =>
    page.evaluate(async (all) => {
      for (const key of all) {
        document.activeElement.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
        // What a key changes is in the document when its task is over.
        await new Promise((done) => queueMicrotask(() => queueMicrotask(done)));
      }
    }, keys);
  /** Holds back what files of the console are still asked for; call what it gives to let them come. */
  const holdBack = async (page) => {
    let let_go;
    const held = new Promise((done) => (let_go = done));
    await page.route("**/app/assets/*.js", async (route) => {
      await held;
      await route.continue();
    });
    return let_go;
  };

  it("Escape right after Enter closes the panel that Enter opened, though its list is still on its way", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/web" });
    await settled(page);
    const letGo = await holdBack(page);
    await page.locator(".plot").focus();
    await pressAll(page, "Home", "Enter");
    await page.waitForSelector(".sheet");
    assert.match(await addressOf(page), /sel=/);
    await pressAll(page, "Escape", "Enter", "Escape");
    await page.waitForSelector(".sheet", { state: "detached" });
    assert.doesNotMatch(await addressOf(page), /sel=/);
    letGo();
    await page.keyboard.press("Home");
    await page.keyboard.press("Enter");
    await page.locator(".sheet .bars li").first().waitFor();
    await end(page);
  });

  it("a chart with nothing to undo leaves Escape to the panel beside it", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/web" });
    await settled(page);
    await page.locator(".plot").focus();
    await pressAll(page, "Home", "Enter");
    await page.waitForSelector(".sheet");
    await page.locator(".plot").focus();
    await page.keyboard.press("Escape");
    await page.waitForSelector(".sheet", { state: "detached" });
    await end(page);
  });

  it("the palette takes what is typed and Enter before it has its list", async () => {
    const page = await openPage(browser, mock.url);
    await settled(page);
    const letGo = await holdBack(page);
    await page.keyboard.press("Control+k");
    await opened(page, ".palette input");
    await page.keyboard.type(ADA);
    await page.keyboard.press("Enter");
    assert.equal(await page.inputValue(".palette input"), ADA);
    letGo();
    await page.waitForURL(new RegExp(`people/${ADA}`));
    await end(page);
  });

  it("a change of the question that is still being packed closes no panel that was opened after it", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/insights?from=-2d" });
    await settled(page);
    await page.evaluate(() => {
      const Whole = window.CompressionStream;
      const let_go = new Promise((done) => (window.packed = done));
      const pipe = ReadableStream.prototype.pipeThrough;
      ReadableStream.prototype.pipeThrough = function (pair) {
        if (!(pair instanceof Whole)) return pipe.call(this, pair);
        const slow = new TransformStream({ transform: async (part, to) => (await let_go, to.enqueue(part)) });
        return pipe.call(pipe.call(this, slow), pair);
      };
    });
    await page.selectOption('select[aria-label^="What of A"]', "dau");
    await page
      .locator('table[aria-label="Values"]')
      .getByText(/people who did/)
      .waitFor();
    await page.locator('table[aria-label="Values"] tbody td:nth-child(4) button').first().click();
    await page.locator(".sheet .bars li").first().waitFor();
    await page.evaluate(() => window.packed());
    await page.waitForURL(/q=1\./);
    assert.match(await addressOf(page), /sel=pt/);
    assert.equal(await page.locator(".sheet").count(), 1);
    await end(page);
  });
});

describe("a phone", () => {
  it("has the SQL page's whole width for its editor, and its recipes", async () => {
    const page = await openPage(browser, mock.url, { look: LOOKS[1], path: "/app/1/sql" });
    const before = await page.inputValue("textarea");
    await page.selectOption('select[aria-label="Recipes"]', "2");
    assert.notEqual(await page.inputValue("textarea"), before);
    assert.ok((await page.locator(".editor").boundingBox()).width > 390 - 32);
    await end(page);
  });
});

describe("flags", () => {
  it("an empty value is refused at its path, a good one is published, a second tab meets the conflict", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/flags/new-checkout" });
    await settled(page);
    const value = page.getByLabel("Value").first();
    await value.fill("");
    await page.getByText("flags.0.filters.groups.0.properties.0.value").waitFor();
    assert.ok(await page.getByRole("button", { name: "Review and publish" }).isDisabled());
    await value.fill("team");
    const other = await page.context().newPage();
    await other.goto(`${mock.url}/app/1/flags/new-checkout`);
    await other.waitForSelector('[aria-label="Value"]');
    await page.getByText("The checker takes it.").waitFor();
    await page.getByRole("button", { name: "Review and publish" }).click();
    await page.getByText("50 % of plan is pro → 50 % of plan is team").waitFor();
    await page.locator("dialog").getByRole("button", { name: "Publish" }).click();
    await page.getByText("Condition 1: 50 % of plan is team").waitFor();
    await page.getByText("Nothing is changed.").waitFor();
    assert.match(mock.state.flags, /"team"/);
    await other.getByLabel("Value").first().fill("free");
    await other.getByText("The checker takes it.").waitFor();
    await other.getByRole("button", { name: "Review and publish" }).click();
    await other.locator("dialog").getByRole("button", { name: "Publish" }).click();
    await other.getByText("The flags were changed meanwhile.").waitFor();
    assert.equal(await other.getByLabel("Value").first().inputValue(), "free");
    await other.close();
    await end(page);
  });
});

describe("what arrives and what was recorded", () => {
  it("events come as they arrive, mails hidden, rejects beside them", async () => {
    const page = await openPage(browser, mock.url, { path: "/app/1/live" });
    await page.getByText("missing_distinct_id").waitFor();
    await page.locator("tr.pick").filter({ hasText: "landed" }).first().click();
    await page.waitForSelector(".sheet");
    assert.ok(!(await page.textContent(".sheet")).includes("ada@example.test"));
    const first = await page.locator("tbody tr").first().textContent();
    await page.getByText(/\d+ new rows? ↑/).waitFor();
    assert.equal(await page.locator("tbody tr").first().textContent(), first, "rows do not move while one is looked at");
    await end(page);
  });

  it("a recording plays with its styles, in a frame without scripts, and asks the recorded site for nothing", async () => {
    const page = await openPage(browser, mock.url, { path: `/app/1/sessions/${visitId(0)}` });
    await page.getByRole("button", { name: "Play", exact: true }).click();
    const outer = page.frames().find((frame) => frame.url().endsWith("/app/frame/replay"));
    const inner = () =>
      outer.evaluate(() => {
        const frame = document.querySelector("iframe");
        const { document: recorded } = frame.contentWindow;
        const heading = recorded.querySelector("h1");
        return {
          sandbox: frame.getAttribute("sandbox"),
          colour: heading && getComputedStyle(heading).color,
          background: getComputedStyle(recorded.body).backgroundColor,
          text: recorded.querySelector("p")?.textContent,
        };
      });
    await page.waitForFunction(() => Number(document.querySelector("input[type=range]").value) > 3_100);
    assert.deepEqual(await inner(), {
      sandbox: "allow-same-origin",
      colour: "rgb(10, 80, 40)",
      background: "rgb(230, 240, 255)",
      text: "Thank you.",
    });
    // The other window of the visit is a recording of its own, from before the first one's change.
    await page.getByRole("button", { name: "Window 2", exact: true }).click();
    await page.waitForFunction(() => document.querySelector('.seek input[type="range"]').disabled === false);
    // The range of the first window may still be there for a moment.
    const isThere = () =>
      inner().then(
        ({ text }) => text === "One plan for everybody.",
        () => false,
      );
    await eventually(isThere, { what: "the other window's beginning" });
    await end(page);
  });
});
