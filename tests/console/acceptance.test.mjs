// Checks of the console that belong to no single page: narrow windows, long lists, hostile values, deployments.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import AxeBuilder from "@axe-core/playwright";
import { writeConsole } from "../../console/build.mjs";
import { PEOPLE, startMock, uuidOf } from "../../console/dev/mock.mjs";
import { addressOf, closeAll, openChromium, openPage, PICTURES, pressGo, settled, visit } from "./browser.mjs";

let browser, mock, page;
before(async () => {
  await writeConsole("build/console");
  browser = await openChromium();
});
after(() => browser?.close());
beforeEach(async () => {
  mock = await startMock();
});
afterEach(() => closeAll(browser, mock));

const PAGES = [
  ...["home", "web", "live", "dashboards", "people", "sessions", "errors", "flags", "flags/new-checkout", "sql", "health", "settings"],
  ...["Trends", "Funnels", "Retention", "Paths", "Lifecycle", "Stickiness"].map((kind) => `insights?tab=${kind}Query`),
  `people/${PEOPLE[0].distinct_ids[0]}?tab=identity`,
];
/** A narrow phone, and a window of 1440 pixels enlarged twice. */
const NARROW = [
  { name: "320", viewport: { width: 320, height: 640 }, colorScheme: /** @type {const} */ ("light") },
  { name: "200-percent", viewport: { width: 720, height: 450 }, colorScheme: /** @type {const} */ ("dark") },
];

describe("narrow windows", () => {
  for (const look of NARROW)
    it(`nothing is sideways, cut or serious for axe at ${look.name}`, { timeout: 600_000 }, async () => {
      page = await openPage(browser, mock.url, { look });
      const found = [];
      for (const path of PAGES) {
        await visit(page, `/app/1/${path}`);
        await page.waitForTimeout(200);
        await page.screenshot({ path: `${PICTURES}/narrow-${look.name}-${path.replace(/\W+/g, "-").slice(0, 30)}.png` });
        found.push(
          ...(
            await page.evaluate(() => {
              const wrong = [];
              if (document.documentElement.scrollWidth > innerWidth) wrong.push("wider than the window");
              for (const input of document.querySelectorAll("#content input.input, #content select"))
                if (input.getClientRects().length > 0 && input.type !== "number" && input.getBoundingClientRect().width < 60)
                  wrong.push(`${input.getAttribute("aria-label")} has ${Math.round(input.getBoundingClientRect().width)} pixels`);
              return wrong;
            })
          ).map((wrong) => `${path}: ${wrong}`),
        );
        const { violations } = await new AxeBuilder({ page }).exclude("iframe").analyze();
        for (const { id, impact, nodes } of violations)
          if (impact === "serious" || impact === "critical") found.push(`${path}: ${id}: ${nodes[0].html.slice(0, 120)}`);
      }
      assert.deepEqual(found, []);
      assert.deepEqual(page.faults, []);
    });
});

describe("long lists and odd values", () => {
  it("of 512 referrers the first ten are shown, all of them in a table that draws what is seen, with a search", async () => {
    page = await openPage(browser, mock.url, { path: "/app/1/web" });
    await settled(page);
    const sources = page.getByRole("region", { name: "Sources" });
    const rows = sources.locator("tbody tr");
    assert.equal(await rows.count(), 10);
    await sources.getByRole("button", { name: "Show all" }).click();
    await sources.getByLabel("Search sources").waitFor();
    await settled(page);
    assert.ok((await rows.count()) < 100, "rows out of sight are not drawn");
    assert.equal(await sources.locator("table").getAttribute("aria-rowcount"), "513");
    await sources.getByLabel("Search sources").fill("blog505");
    await page.waitForFunction(() => document.querySelectorAll('table[aria-label="Sources"] tbody tr').length === 1);
    assert.match(await rows.first().textContent(), /blog505\.example/);
    await sources.getByRole("button", { name: "blog505.example" }).click();
    await page.waitForURL(/f=s\.(%24|\$)entry_referring_domain~is~blog505\.example/);
  });

  it("a recording without its first snapshot says so instead of a black frame", async () => {
    page = await openPage(browser, mock.url);
    await page.route("**/snapshots*", (route) =>
      route.fulfill({
        contentType: "application/jsonl",
        body: `${JSON.stringify({ window_id: "one", uuid: "a", data: [{ type: 3, timestamp: Date.now(), data: { source: 1, positions: [] } }] })}\n`,
      }),
    );
    await visit(page, "/app/1/sessions");
    await page.locator("tbody tr a").first().click();
    await page.getByText(/the first full snapshot is missing/).waitFor();
    await page.screenshot({ path: `${PICTURES}/recording-without-snapshot.png` });
  });

  it("an id that never had a person is told from one that is unknown", async () => {
    page = await openPage(browser, mock.url, { path: "/app/1/people/nobody-knows-me" });
    await settled(page);
    const text = await page.textContent("#content");
    assert.match(text, /nobody-knows-me/);
    assert.doesNotMatch(text, /not found/i);
    await page.screenshot({ path: `${PICTURES}/without-person.png` });
  });

  it("an id that came later is not said to have come by no merge at all", async () => {
    const [id, other] = ["ada", "0192-anonymous"];
    page = await openPage(browser, mock.url);
    await page.route("**/app/api/person?*", async (route) => {
      const person = await (await route.fetch({ url: `${mock.url}/app/api/person?distinct_id=${PEOPLE[0].distinct_ids[0]}` })).json();
      const ids = [id, other].map((distinct_id, version) => ({ distinct_id, version, why: version > 0 ? "came later" : "from the first" }));
      await route.fulfill({ json: { ...person, distinct_ids: [id, other], ids, merges: [] } });
    });
    await visit(page, `/app/1/people/${id}?tab=identity`);
    await page.getByText(/given to this person by identify\(\) or an alias, or by an older merge/).waitFor();
    assert.equal(await page.getByText("By no merge:").count(), 0);
  });

  it("a pasted id is its person in one step and one request, without the engine; merges name their events; two people are told the rule and the fix", async () => {
    // The engine is not waited for.
    mock.state.faults = [{ kind: "EventsQuery", delay_ms: 600_000, count: 99 }];
    page = await openPage(browser, mock.url);
    await settled(page);
    const [ada, grace] = PEOPLE.filter(({ is_identified }) => is_identified).map(({ distinct_ids }) => distinct_ids[0]);
    const asked = [];
    page.on("request", (request) => asked.push(`${request.method()} ${new URL(request.url()).pathname}`));
    await page.keyboard.press("Control+k");
    await page.getByLabel("Go, find or do").fill(ada);
    await page.keyboard.press("Enter");
    await page.waitForURL(/\/people\//);
    await page.getByRole("tab", { name: "Identity" }).waitFor();
    assert.match(await page.locator("#content").textContent(), /identified/);
    assert.equal(asked.filter((one) => one === "GET /app/api/person").length, 1, asked.join("\n"));
    await page.getByRole("tab", { name: "Identity" }).click();
    await page.getByText("How they came together").waitFor();
    const { merges } = await page.evaluate(async (id) => await (await fetch(`/app/api/person?team_id=1&distinct_id=${id}`)).json(), ada);
    assert.equal(merges.length, 1);
    // The refused merge names the other id, the event and PostHog's reason.
    const refused = page.locator("li").filter({ hasText: "cannot_merge_already_identified" });
    await refused.waitFor();
    assert.equal(await refused.count(), 1);
    assert.match(await refused.textContent(), new RegExp(`\\$identify of ${ada} with ${grace} `));
    assert.equal(await refused.locator("a").getAttribute("href"), `/app/1/people/${encodeURIComponent(grace)}`);
    await page.getByText(/two people with logins of their own stay two. Call identify\(\) while/).waitFor();
    const uuids = [...merges.map(({ event_uuid }) => event_uuid), uuidOf(`refused ${ada}`)];
    for (const uuid of uuids) assert.equal(await page.locator(`#content [title="${uuid}"]`).count(), 1, uuid);
    await page.getByLabel("Another id").fill(grace);
    await page.getByRole("button", { name: "Compare" }).click();
    await page.getByText("Two people.").waitFor();
    const told = await page.locator(".note").filter({ hasText: "Two people." }).textContent();
    assert.match(told, /Both are identified, and people with logins of their own stay two/);
    assert.match(told, /would be one if identify\(\) had been called while one of the ids was still anonymous/);
    assert.match(told, /\$merge_dangerously.*cannot be undone/);
    await page.screenshot({ path: `${PICTURES}/compared.png` });
  });
});

describe("an address", () => {
  it("opened by somebody else shows the same: question, range, filter, and the people who were open", async () => {
    page = await openPage(browser, mock.url, {
      path: "/app/1/insights?tab=FunnelsQuery&from=-14d&f=e.$browser~is~Safari&sel=fun:2",
    });
    const seen = async (of) => {
      await of.getByText(/People 1 to 100 of \d+/).waitFor();
      await settled(of);
      const texts = await of.locator("#content, .sheet, .header").allTextContents();
      return texts.map((text) => text.replace(/(as of|until) [\d:]+/g, "$1"));
    };
    const first = await seen(page);
    assert.match(first.join(), /Safari/);
    const other = await openPage(browser, mock.url, { path: (await addressOf(page)).slice(mock.url.length), token: "viewer" });
    const told = await seen(other);
    await other.context().close();
    // A viewer has no Save and a badge.
    const same = (texts) => texts.map((text) => text.replace(/read-only|Save(?!d)/g, ""));
    assert.deepEqual(same(told), same(first));
  });
});

describe("what arrives quickly", () => {
  it("is sampled and says so; the row under the pointer stays where it is; no mail is shown", async () => {
    // Fifty rows a second of two hundred events.
    Object.assign(mock.state, { rate: 200, sampled: 4, burst: 45 });
    page = await openPage(browser, mock.url, { path: "/app/1/live" });
    await page.getByText("200 events/s · sampled 1:4").waitFor();
    // Rows come between looking for one and pointing at it, so what is pointed at is what is there then.
    await page.locator("tbody tr").nth(3).hover();
    const under = () =>
      page.evaluate(() => {
        const row = document.querySelector("tbody tr:hover");
        return { text: row.textContent, top: row.getBoundingClientRect().top };
      });
    const pointed = await under();
    await page.getByText(/^\d{3} new rows ↑$/).waitFor();
    assert.deepEqual(await under(), pointed);
    await page.screenshot({ path: `${PICTURES}/live-held.png` });
    await page.locator("tbody tr").filter({ hasText: "landed" }).first().click();
    await page.waitForSelector(".sheet");
    assert.match(await page.textContent(".sheet"), /email/);
    assert.equal(await page.getByText("ada@example.test").count(), 0);
    await page.getByRole("button", { name: /new rows ↑/ }).waitFor();
  });
});

/** The same console as another build: every file has another name, and the old ones are gone. */
function deployAnew(folder) {
  const files = readdirSync(join(folder, "assets"));
  const renamed = (text) => files.reduce((all, name) => all.replaceAll(name, nameOf(name)), text);
  const nameOf = (name) => name.replace(/-(\w+)\.(\w+)$/, (_, hash, ext) => `-${[...hash].reverse().join("")}.${ext}`);
  for (const name of files) {
    const text = renamed(readFileSync(join(folder, "assets", name), "utf8"));
    rmSync(join(folder, "assets", name));
    writeFileSync(join(folder, "assets", nameOf(name)), text);
  }
  for (const name of ["index.html", "frame/replay.html"])
    writeFileSync(join(folder, name), renamed(readFileSync(join(folder, name), "utf8")));
}

describe("a deployment under an open tab", () => {
  it("is one reload, at the page that was asked for, with range, filter and what was typed", async () => {
    const folder = mkdtempSync(join(tmpdir(), "hogflare-deployed-"));
    await writeConsole(folder);
    const deployed = await startMock(0, folder);
    try {
      page = await openPage(browser, deployed.url, { path: "/app/1/flags?from=-30d&f=e.$browser~is~Safari" });
      await page.getByRole("tab", { name: "JSON" }).click();
      const typed = '{"flags": [], "typed": true}';
      await page.getByLabel("Flags as JSON").fill(typed);
      const script = () => page.evaluate(() => document.querySelector("script[type=module]").src);
      const before = await script();
      let loads = 0;
      page.on("load", () => (loads += 1));
      deployAnew(folder);
      await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Web" }).click();
      await page.locator(".figure .big").first().waitFor();
      assert.equal(loads, 1);
      assert.notEqual(await script(), before);
      assert.match(await addressOf(page), /\/app\/1\/web\?from=-30d&f=e\.\$browser~is~Safari$/);
      await page.getByRole("navigation", { name: "Pages" }).getByRole("link", { name: "Flags" }).click();
      await page.getByRole("tab", { name: "JSON" }).click();
      assert.equal(await page.getByLabel("Flags as JSON").inputValue(), typed);
      assert.equal(loads, 1);
    } finally {
      await deployed.close();
      rmSync(folder, { recursive: true });
    }
  });

  it("whose files stay gone is told, not loaded for ever", async () => {
    page = await openPage(browser, mock.url, { path: "/app/1/web" });
    await settled(page);
    let loads = 0;
    page.on("load", () => (loads += 1));
    await page.route("**/app/assets/sql-*.js", (route) => route.fulfill({ status: 404, body: "" }));
    await pressGo(page, "q", /\/app\/1\/sql/);
    await page.getByText("A newer console is there.").waitFor();
    await page.waitForTimeout(500);
    assert.equal(loads, 1);
  });
});
