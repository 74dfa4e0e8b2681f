// The console before the product as scripts/dev starts it, with the demo's month sent by its button: what
// its pages say is what a plain computation of the events that were sent says.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { deflateRawSync } from "node:zlib";
import { PostHog } from "posthog-node";
import { demoRecordings } from "../../scripts/lib/demo-recordings.mjs";
import { DEMO_FLAGS, demoEvents } from "../../scripts/lib/demo-traffic.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { eventually, freePort, persistently } from "../lib/harness.mjs";
import { LOOKS, openChromium, openPage, PICTURES, settled, visit } from "./browser.mjs";
import { plainOf } from "./plain.mjs";

const SCALE = 0.25;
const START_MS_MAX = 240_000;
const RANGE = "from=-30d";
const number = (text) => Number(text.replace(/[^\d.-]/g, ""));
const q = (insight) => `1.${deflateRawSync(JSON.stringify(insight)).toString("base64url")}`;
const series = (event, more = {}) => ({ kind: "EventsNode", event, ...more });

let stateDir, browser, child, dev, page, sent, plain;

async function startDev() {
  stateDir = mkdtempSync(join(tmpdir(), "hogflare-console-"));
  const ports = { worker: await freePort(), pipeline: await freePort() };
  child = spawn(process.execPath, [join(ROOT, "scripts/lib/dev.mjs")], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "pipe"],
    env: {
      ...process.env,
      HOGFLARE_PORT: String(ports.worker),
      FAKE_PIPELINE_PORT: String(ports.pipeline),
      HOGFLARE_STATE_DIR: stateDir,
      HOGFLARE_DEMO_SCALE: String(SCALE),
    },
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const url = `http://127.0.0.1:${ports.worker}`;
  await eventually(
    () => {
      assert.equal(child.exitCode, null, `it ended:\n${output}`);
      return output.includes(`ready ${url}\n`);
    },
    { timeoutMs: START_MS_MAX, what: "the line 'ready …'" },
  );
  return { url, pipeline: `http://127.0.0.1:${ports.pipeline}` };
}

const api = async (path, init = {}) => {
  const response = await fetch(dev.url + path, { ...init, headers: { authorization: "Bearer local", "content-type": "application/json" } });
  return { status: response.status, body: await response.json() };
};

const asked = async (sql) => (await (await fetch(`${dev.pipeline}/sql?q=${encodeURIComponent(sql)}`)).json())[0];

/** A survivor tells of the ids it took over some seconds later: until then the tables know two people. */
async function merged() {
  const taken = new Set(sent.filter(({ event }) => event === "$identify").map(({ properties }) => properties.$anon_distinct_id)).size;
  const told = async () => Number((await asked("SELECT count(DISTINCT distinct_id) AS n FROM distinct_ids WHERE team_id = 2")).n);
  await eventually(async () => (await told()) >= taken, { timeoutMs: 120_000, everyMs: 250, what: `${taken} ids that were taken over` });
}

before(async () => {
  dev = await startDev();
  browser = await openChromium();
  page = await openPage(browser, dev.url, { token: "local", path: "/app/1/home" });
});
after(async () => {
  await browser?.close();
  // Also one that never became ready.
  if (child?.exitCode === null) {
    const ended = new Promise((done) => child.once("exit", done));
    child.kill("SIGTERM");
    await ended;
  }
  rmSync(stateDir, { recursive: true, force: true });
});

describe("the demo's button", () => {
  it("stands on the first page of an empty project, sends the month into Demo, and Demo is alive", { timeout: 600_000 }, async () => {
    await page.getByRole("heading", { name: "Send the first event" }).waitFor();
    await page.screenshot({ path: `${PICTURES}/dev-first-run.png`, fullPage: true });
    await page.getByRole("button", { name: "Send a month of demo traffic" }).click();
    await page.getByText(/events sent in/).waitFor({ timeout: 480_000 });
    await page.screenshot({ path: `${PICTURES}/dev-demo-sent.png`, fullPage: true });
    const { body } = await api("/app/api/demo");
    sent = demoEvents({ began: body.began, until: body.until, scale: SCALE }).map(({ event }) => event);
    plain = plainOf(sent, body.until);
    assert.equal(body.sent, sent.length);
    console.log(`${body.sent} events of demo traffic in ${body.took_s} s`);
    await merged();
    await page.getByRole("link", { name: "Look at Demo" }).click();
    await page.waitForURL(/\/app\/2\/home\?from=-30d$/);
    await settled(page);
    assert.match(await page.locator("#content").textContent(), /Generated traffic/);
  });

  it("sent again changes no number: rows are the same by their uuid", { timeout: 600_000 }, async () => {
    // Parts of recordings are rows as well.
    const count = async () =>
      (await asked("SELECT count(DISTINCT (uuid, event, distinct_id)) AS n FROM events WHERE team_id = 2 AND event <> '$snapshot_items'"))
        .n;
    const was = await count();
    assert.equal(was, sent.length);
    const until = sent.at(-1).timestamp;
    await api("/app/api/demo", { method: "POST", body: "{}" });
    const { body } = await eventually(
      async () => {
        const told = await api("/app/api/demo");
        return told.body.state === "running" ? false : told;
      },
      { timeoutMs: 480_000, everyMs: 500, what: "the second sending" },
    );
    assert.equal(body.state, "done");
    // The clock went on: what happened since is new, nothing else.
    sent = demoEvents({ began: body.began, until: body.until, scale: SCALE }).map(({ event }) => event);
    plain = plainOf(sent, body.until);
    assert.equal(await count(), sent.length);
    assert.ok(sent.filter(({ timestamp }) => timestamp <= until).length === was);
    await merged();
  });

  it("some of its visits have recordings that play, one of them with the fault it met", { timeout: 240_000 }, async () => {
    const { began, until, recordings } = (await api("/app/api/demo")).body;
    const parts = demoRecordings(demoEvents({ began, until, scale: SCALE }), { until, token: "phc_demo" });
    const recorded = new Set(parts.map(({ event }) => event.properties.$session_id));
    assert.ok(recorded.size >= 5 && recorded.size === recordings, `${recorded.size} and ${recordings} recordings`);
    const fault = sent.findLast(({ event, properties }) => event === "$exception" && recorded.has(properties.$session_id));
    await visit(page, `/app/2/sessions/${fault.properties.$session_id}`);
    await page.getByText(/events in \d+ parts?\./).waitFor({ timeout: 120_000 });
    const range = page.locator('.seek input[type="range"]');
    await eventually(() => range.isEnabled(), { what: "a player that is ready", timeoutMs: 60_000 });
    await range.fill(await range.getAttribute("max"));
    const shown = page.frameLocator("iframe").frameLocator("iframe");
    assert.equal(await shown.locator("header b").textContent(), "Shop");
    assert.equal(await shown.locator("header b").evaluate((element) => getComputedStyle(element).color), "rgb(10, 107, 82)");
    await page.screenshot({ path: `${PICTURES}/dev-recording.png` });
    await page
      .getByRole("button", { name: /\$exception|Error/ })
      .last()
      .click();
    await page.screenshot({ path: `${PICTURES}/dev-recording-fault.png` });
    assert.equal(await page.getByText(/could not be read|have not arrived whole/).count(), 0);
  });

  it("its flags are there, with who was asked and what was answered", { timeout: 120_000 }, async () => {
    const { body } = await api("/app/api/flags");
    assert.deepEqual(
      body.flags.map(({ key }) => key),
      DEMO_FLAGS.map(({ key }) => key),
    );
    assert.deepEqual(body.problems, []);
    const exposures = sent.filter(
      ({ event, properties }) => event === "$feature_flag_called" && properties.$feature_flag === "new-reports",
    );
    assert.ok(exposures.some(({ properties }) => properties.$feature_flag_response === true));
    // What the month says was answered is what is answered: the flag is asked of the one who was told.
    const told = exposures.at(-1);
    const answer = await api("/app/api/flags/evaluate", {
      method: "POST",
      body: JSON.stringify({ team_id: 2, distinct_id: told.distinct_id }),
    });
    assert.equal(answer.body.flags["new-reports"].enabled, told.properties.$feature_flag_response);
    await visit(page, `/app/2/flags/signup-copy?tab=usage&${RANGE}`);
    await page.screenshot({ path: `${PICTURES}/dev-flag-usage.png` });
  });

  it("is for the admin alone, and for this page alone", async () => {
    const ask = (headers) =>
      fetch(`${dev.url}/app/api/demo`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body: "{}" });
    assert.equal((await ask({})).status, 401);
    assert.equal((await ask({ authorization: "Bearer local-viewer" })).status, 403);
    const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join("; ");
    assert.equal((await ask({ cookie })).status, 403);
    const { body } = await api("/app/api/session");
    assert.equal(body.capabilities.demo, true);
    assert.deepEqual(
      body.projects.map(({ team_id, name }) => [team_id, name]),
      [
        [1, "Project 1"],
        [2, "Demo"],
      ],
    );
  });
});

/** The rows of a table by its label, each cell's text. */
const rowsOf = (label) =>
  page
    .locator(`table[aria-label="${label}"] tbody tr`)
    .evaluateAll((rows) =>
      rows.map((row) => [...row.children].map((cell) => cell.querySelector("[title]")?.getAttribute("title") || cell.textContent.trim())),
    );

describe("what the pages say is what was sent", () => {
  it("a trend by day", async () => {
    await visit(page, `/app/2/insights?${RANGE}&i=day&q=${q({ kind: "TrendsQuery", series: [series("$pageview")] })}`);
    const [[, total, ...values]] = await page
      .locator('table[aria-label="Values"] tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
    const wanted = Object.values(plain.trend("$pageview"));
    assert.deepEqual(values.map(number).slice(0, wanted.length), wanted.reverse());
    assert.equal(
      number(total),
      wanted.reduce((sum, each) => sum + each, 0),
    );
  });

  it("a trend that the engine takes too long for, asked day by day, is the same but for the day that does not answer", {
    timeout: 240_000,
  }, async (test) => {
    test.after(() => page.unroute("**/query/batch/"));
    const wanted = Object.entries(plain.trend("sign_up"));
    const [missing] = wanted.at(-4);
    const error = { type: "server_error", code: "engine_timeout", detail: "No answer within 30 s." };
    const refused = { contentType: "application/x-ndjson", body: `${JSON.stringify({ index: 0, status: 504, error })}\n` };
    await page.route("**/query/batch/", async (route) => {
      const [{ query }, ...others] = route.request().postDataJSON().queries;
      const isLate =
        others.length === 0 &&
        query.kind === "TrendsQuery" &&
        (query.dateRange.date_from === "-30d" || query.dateRange.date_from === missing);
      await (isLate ? route.fulfill(refused) : route.continue());
    });
    await visit(page, `/app/2/insights?${RANGE}&i=day&q=${q({ kind: "TrendsQuery", series: [series("sign_up")] })}`);
    await page.getByText(`1 day did not answer (${missing})`).waitFor({ timeout: 120_000 });
    const [[, total, ...values]] = await page
      .locator('table[aria-label="Values"] tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
    const left = wanted.map(([day, n]) => (day === missing ? 0 : n)).reverse();
    assert.deepEqual(
      values.slice(0, left.length).map((text) => number(text) || 0),
      left,
    );
    assert.equal(
      number(total),
      left.reduce((sum, n) => sum + n, 0),
    );
    await page.screenshot({ path: `${PICTURES}/dev-day-missing.png` });
    await page.unroute("**/query/batch/");
    await page.getByRole("button", { name: "Ask for that day" }).click();
    await page.getByText(/did not answer/).waitFor({ state: "detached" });
  });

  it("active people by day, whoever they are now", async () => {
    await visit(page, `/app/2/insights?${RANGE}&i=day&q=${q({ kind: "TrendsQuery", series: [series(null, { math: "dau" })] })}`);
    const [[, , ...values]] = await page
      .locator('table[aria-label="Values"] tbody tr')
      .evaluateAll((rows) => rows.map((row) => [...row.children].map((cell) => cell.textContent)));
    const wanted = Object.values(plain.active()).reverse();
    assert.deepEqual(values.map(number).slice(0, wanted.length), wanted);
    const button = page.locator('table[aria-label="Values"] tbody td:nth-child(4) button').first();
    await button.click();
    await page.waitForSelector(".sheet p.meta b");
    assert.equal(
      number(await page.textContent(".sheet p.meta b")),
      wanted[1] === undefined ? 0 : number(await button.textContent()),
      "the list is as long as the number",
    );
    await page.keyboard.press("Escape");
  });

  it("a funnel", async () => {
    const steps = ["$pageview", "sign_up", "project_created", "purchase"];
    await visit(
      page,
      `/app/2/insights?${RANGE}&q=${q({ kind: "FunnelsQuery", series: steps.map((name) => series(name)), funnelsFilter: { funnelWindowInterval: 14, funnelWindowIntervalUnit: "day" } })}`,
    );
    const shown = await page.locator(".step button.plain").evaluateAll((buttons) => buttons.map(({ title }) => title));
    assert.deepEqual(shown.map(number), plain.funnel(steps));
  });

  it("retention", async () => {
    const filter = {
      period: "Day",
      totalIntervals: 15,
      retentionType: "retention_first_time",
      targetEntity: { id: "sign_up", type: "events" },
      returningEntity: { id: "$pageview", type: "events" },
    };
    await visit(page, `/app/2/insights?${RANGE}&q=${q({ kind: "RetentionQuery", retentionFilter: filter })}`);
    const rows = await page
      .locator("table.cohorts tbody tr:not(.sum)")
      .evaluateAll((all) => all.map((row) => [...row.querySelectorAll("td:nth-child(n+3) button")].map(({ title }) => title)));
    const wanted = plain.retention("sign_up", "$pageview").slice(-15);
    assert.deepEqual(
      rows.map((row) => row.map((title) => number(title.split(" of ")[0]))),
      wanted,
    );
  });

  it("the web's five figures", async () => {
    const web = plain.web();
    // The first page has asked the same before the second sending; an answer with today in it is kept for a minute.
    await persistently(
      async () => {
        await visit(page, `/app/2/web?${RANGE}`);
        const titles = await page.locator(".figure .big").evaluateAll((all) => all.map(({ title }) => title));
        assert.deepEqual(titles.slice(0, 3).map(number), [web.visitors, web.views, web.visits]);
        assert.ok(Math.abs(number(titles[3]) - web.bounce) < 0.01, `${titles[3]} and ${web.bounce}`);
        assert.ok(Math.abs(number(titles[4]) - web.length) < 0.01, `${titles[4]} and ${web.length}`);
      },
      { timeoutMs: 150_000, everyMs: 5_000 },
    );
  });

  it("revenue", async () => {
    await visit(
      page,
      `/app/2/insights?${RANGE}&q=${q({ kind: "TrendsQuery", series: [series("purchase", { math: "sum", math_property: "revenue" })], trendsFilter: { display: "BoldNumber" } })}`,
    );
    assert.equal(number(await page.locator(".big [title]").first().getAttribute("title")), plain.revenue());
  });

  it("every person, and every visit, once", { timeout: 240_000 }, async () => {
    for (const [path, label, wanted] of [
      ["people", "People", plain.people().size],
      [`sessions?${RANGE}`, "Visits", plain.visits()],
    ]) {
      await visit(page, `/app/2/${path}`);
      let shown = 0;
      for (;;) {
        await settled(page);
        const told = await page.getByText(/^\d[\d,]* to [\d,]+, newest first$/).textContent();
        shown = number(told.split(" to ")[1]);
        const next = page.getByRole("button", { name: "Next 100" });
        if (await next.isDisabled()) break;
        await next.click();
        await page.waitForFunction((was) => !document.querySelector("#content").textContent.includes(was), told);
      }
      assert.equal(shown, wanted, label);
    }
  });

  it("errors by kind, with how many people met them", async () => {
    await visit(page, `/app/2/errors?${RANGE}`);
    const rows = await rowsOf("Errors");
    const shown = Object.fromEntries(
      rows.map(([name, , people, events]) => [/^[A-Z]\w*?Error/.exec(name)[0], { events: number(events), people: number(people) }]),
    );
    assert.deepEqual(shown, plain.errors());
  });
});

const user = () => sent.find(({ event }) => event === "sign_up").distinct_id;
const failed = async () => (await page.locator("#content .note.bad").allTextContents()).join(" | ");

describe("every page with the month, in both widths and both themes", () => {
  const looks = LOOKS.flatMap((look) =>
    ["light", "dark"].map((colorScheme) => ({ ...look, name: `${look.viewport.width}-${colorScheme}`, colorScheme })),
  );
  for (const look of looks) {
    it(`at ${look.name}: no failure, nothing sideways, nothing from elsewhere`, { timeout: 900_000 }, async () => {
      await page.setViewportSize(look.viewport);
      await page.emulateMedia({ colorScheme: /** @type {"light"} */ (look.colorScheme) });
      const issue = (
        await api("/api/projects/2/query/", {
          method: "POST",
          body: JSON.stringify({
            query: {
              kind: "ErrorTrackingQuery",
              dateRange: { date_from: "-30d" },
              orderBy: "users",
              orderDirection: "DESC",
              limit: 1,
              volumeResolution: 1,
            },
          }),
        })
      ).body.results[0].id;
      const session = sent.find(({ event }) => event === "purchase").properties.$session_id;
      const pages = [
        `home?${RANGE}`,
        `web?${RANGE}&cmp=prev`,
        "live",
        `insights?${RANGE}`,
        `insights?${RANGE}&tab=FunnelsQuery`,
        `insights?from=-14d&tab=RetentionQuery`,
        `insights?${RANGE}&tab=PathsQuery`,
        `insights?${RANGE}&tab=LifecycleQuery`,
        `insights?${RANGE}&tab=StickinessQuery`,
        "dashboards",
        "people",
        `people/${user()}`,
        `people/${user()}?tab=identity`,
        `people/${user()}?tab=properties`,
        `people/${user()}?tab=sessions`,
        `people/${user()}?tab=flags`,
        `sessions?${RANGE}`,
        `sessions/${session}`,
        `errors?${RANGE}`,
        `errors/${issue}?${RANGE}`,
        `errors/${issue}?${RANGE}&tab=before`,
        `errors/${issue}?${RANGE}&tab=by`,
        "flags",
        "sql",
        "health",
        "settings",
        "settings?tab=demo",
      ];
      const found = [];
      for (const [i, path] of pages.entries()) {
        await visit(page, `/app/2/${path}`);
        await page.waitForTimeout(250);
        await settled(page);
        const name = path
          .replace(user(), "user")
          .replace(issue, "issue")
          .replace(session, "visit")
          .replace(/from=-\d+d/, "")
          .replace(/[^a-z]+/gi, "-")
          .replace(/-+$/, "");
        await page.screenshot({ path: `${PICTURES}/dev-${String(i).padStart(2, "0")}-${name}-${look.name}.png` });
        const fault = await failed();
        if (fault !== "") found.push(`${path}: ${fault}`);
        if (await page.evaluate(() => document.documentElement.scrollWidth > innerWidth)) found.push(`${path}: wider than the window`);
      }
      assert.deepEqual([...found, ...page.faults], []);
    });
  }
});

describe("what is done in the console is seen by SDKs, and what they do in the console", () => {
  const client = () => new PostHog("phc_demo", { host: dev.url, flushAt: 1, flushInterval: 0, preloadFeatureFlags: false });

  it("an event stands on the page Live within two seconds of its sending", { timeout: 240_000 }, async () => {
    await page.setViewportSize(LOOKS[0].viewport);
    await visit(page, "/app/2/live");
    await page.getByText("Nothing has arrived").waitFor();
    const sdk = client();
    // An isolate asks every ten seconds whether somebody looks; from then on it shows at once.
    await eventually(
      async () => {
        await sdk.captureImmediate({ distinctId: "ada", event: "first_look" });
        return (await page.locator("tbody tr").count()) > 0;
      },
      { timeoutMs: 120_000, everyMs: 500, what: "the first event" },
    );
    // The quickest of five, or of more: a machine that is busy for a while says nothing about the product.
    const took = [];
    for (let i = 0; i < 5 || (i < 60 && Math.min(...took) > 2_000); i += 1) {
      const began = Date.now();
      await sdk.captureImmediate({ distinctId: "ada", event: `looked_at_${i}`, properties: { email: "ada@mail.example" } });
      await page.getByText(`looked_at_${i}`).first().waitFor({ timeout: 60_000 });
      took.push(Date.now() - began);
    }
    console.log(`from capture to the page Live: ${took.join(", ")} ms`);
    assert.ok(Math.min(...took) <= 2_000, took.join(", "));
    assert.match(await page.locator("tbody tr").first().textContent(), /landed/);
    await page.screenshot({ path: `${PICTURES}/dev-live-events.png` });
    await sdk.shutdown();
  });

  it("a flag that is published gives an SDK another answer, who would get it is counted, and one person is told why", {
    timeout: 300_000,
  }, async () => {
    const sdk = client();
    const people = sent.filter(({ event }) => event === "sign_up").map(({ distinct_id }) => distinct_id);
    const planOf = (id) =>
      sent.filter((event) => event.distinct_id === id && event.properties.$set?.plan !== undefined).at(-1).properties.$set.plan;
    const [payer, other] = [people.find((id) => planOf(id) === "team"), people.find((id) => planOf(id) === "free")];
    assert.notEqual(await sdk.getFeatureFlag("new-orders", payer), true);
    const flag = {
      id: 3,
      key: "new-orders",
      name: "New orders page",
      active: true,
      filters: { groups: [{ properties: [{ key: "plan", value: "team", operator: "exact", type: "person" }], rollout_percentage: 100 }] },
    };
    await visit(page, "/app/2/flags");
    await page.getByRole("tab", { name: "JSON" }).click();
    await page.getByLabel("Flags as JSON").fill(JSON.stringify({ flags: [...DEMO_FLAGS, flag] }));
    await page.getByText("The checker takes it.").waitFor();
    await page.getByRole("button", { name: "Review and publish" }).click();
    const began = Date.now();
    await page.locator("dialog").getByRole("button", { name: "Publish" }).click();
    await eventually(async () => (await sdk.getFeatureFlag("new-orders", payer)) === true, {
      timeoutMs: 120_000,
      everyMs: 250,
      what: "the new answer",
    });
    console.log(`from publishing to the SDK's new answer: ${Date.now() - began} ms`);
    assert.equal(await sdk.getFeatureFlag("new-orders", other), false);

    // The SDK may know before the page has closed its dialog and gone to its list.
    await page.locator("dialog").waitFor({ state: "hidden" });
    await persistently(() => page.goto(`${dev.url}/app/2/flags/new-orders`), { timeoutMs: 30_000 });
    await page.getByText("Who would get it").waitFor();
    const active = new Map();
    for (const event of sent) if (event.properties.$set?.plan !== undefined) active.set(event.distinct_id, event.properties.$set.plan);
    const wanted = [...active.values()].filter((plan) => plan === "team").length;
    await page.getByText(new RegExp(`^${wanted} of all`)).waitFor({ timeout: 60_000 });
    await page.getByText(`${wanted} meet it, ${wanted} get it by it`).waitFor();
    await page.screenshot({ path: `${PICTURES}/dev-flag-rules.png` });

    await page.getByRole("tab", { name: "Evaluate" }).click();
    await page.getByLabel("Distinct id").fill(other);
    await page.getByRole("button", { name: "Evaluate" }).click();
    const conditions = page.getByRole("list", { name: "Conditions" });
    await conditions.waitFor();
    assert.match(await conditions.textContent(), /not met.*Condition 1.*plan.*is free, wanted: is team/);
    await page.screenshot({ path: `${PICTURES}/dev-flag-evaluate.png` });
    await sdk.shutdown();
  });

  it("an issue is resolved by an event, and the list says so", { timeout: 240_000 }, async () => {
    await visit(page, `/app/2/errors?${RANGE}`);
    const before = (await rowsOf("Errors")).length;
    await page.locator('table[aria-label="Errors"] tbody tr').filter({ hasText: "ChunkLoadError" }).click();
    await page.getByRole("button", { name: "Resolved" }).click();
    await page.getByText("resolved since").waitFor();
    await eventually(
      async () =>
        (
          await (
            await fetch(
              `${dev.pipeline}/sql?q=${encodeURIComponent("SELECT count(*) AS n FROM events WHERE event = 'issue_status_changed' AND team_id = 2")}`,
            )
          ).json()
        )[0].n === 1,
      { what: "the event" },
    );
    // Another browser has it from the table.
    const other = await openPage(browser, dev.url, { token: "local", path: `/app/2/errors?${RANGE}` });
    await settled(other);
    // The list that was asked before is kept for a minute: R asks anew.
    await other.keyboard.press("Shift+R");
    await other.getByText("1 issue more in this range with another status.").waitFor();
    assert.equal(await other.locator('table[aria-label="Errors"] tbody tr').count(), before - 1);
    await other.selectOption('select[aria-label="Status"]', "resolved");
    assert.match(await other.locator('table[aria-label="Errors"] tbody tr').textContent(), /ChunkLoadError.*resolved/);
    assert.deepEqual(other.faults, []);
    await other.context().close();
  });

  it("an issue that is ignored until two more people meet it is open again when they have", { timeout: 240_000 }, async () => {
    const row = () => page.locator('table[aria-label="Errors"] tbody tr').filter({ hasText: "TypeError" });
    await visit(page, `/app/2/errors?${RANGE}`);
    await row().click();
    await page.getByRole("button", { name: /^Ignore/ }).click();
    await page.getByLabel("Ignore until").selectOption("until_people");
    await page.getByLabel("How many").fill("2");
    await page.screenshot({ path: `${PICTURES}/dev-ignore.png` });
    await page.getByRole("button", { name: "Ignore it" }).click();
    await page.getByText("until 2 more people have met it (0 so far)").waitFor();
    const { $exception_list } = sent.findLast(
      ({ event, properties }) => event === "$exception" && properties.$exception_list[0].type === "TypeError",
    ).properties;
    const sdk = client();
    const met = (distinctId) => sdk.captureImmediate({ distinctId, event: "$exception", properties: { $exception_list } });
    /** The same from anew: what holds is the table's word, not the page's. */
    const shows = (text) =>
      persistently(
        async () => {
          await page.reload();
          await settled(page);
          assert.match(await page.locator("#content").textContent(), text);
        },
        { timeoutMs: 90_000, everyMs: 1_000 },
      );
    await shows(/until 2 more people have met it \(0 so far\)/);
    await met("grace");
    await met("grace");
    await page.keyboard.press("R");
    await shows(/ignored.*until 2 more people have met it \(1 so far\)/);
    await met("linus");
    await shows(/returned.*until 2 more people have met it \(2 so far\): reached, so it is active again/);
    await sdk.shutdown();
  });

  it("a row's keys resolve and ignore an issue, but not on the way to another page", async () => {
    await visit(page, `/app/2/errors?${RANGE}`);
    const row = page.locator('table[aria-label="Errors"] tbody tr').filter({ hasText: "NetworkError" });
    await row.focus();
    await page.keyboard.press("g");
    await page.keyboard.press("i");
    await page.waitForURL(/\/insights/);
    await visit(page, `/app/2/errors?${RANGE}`);
    await row.focus();
    await page.keyboard.press("i");
    await page.getByText("NetworkError is ignored.").waitFor();
    await row.waitFor({ state: "detached" });
  });
});
