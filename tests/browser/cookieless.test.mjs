// Real posthog-js in two Chromium profiles with cookieless_mode: nothing is stored in the browser, everybody
// sends the same placeholder, and the rows tell them apart all the same.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { eventually, startSystem } from "../lib/harness.mjs";
import { openBrowser } from "./page.mjs";

const PLACEHOLDER = "$posthog_cookieless";
const AGENT = (system) => `Mozilla/5.0 (${system}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36`;
/** Another machine behind another address. */
const PROFILES = {
  one: { userAgent: AGENT("X11; Linux x86_64"), extraHTTPHeaders: { "cf-connecting-ip": "203.0.113.7" } },
  two: { userAgent: AGENT("Macintosh; Intel Mac OS X 10_15_7"), extraHTTPHeaders: { "cf-connecting-ip": "198.51.100.9" } },
};
const FLAGS = {
  flags: Array.from({ length: 34 }, (_, i) => ({
    id: i + 1,
    key: `half-${i}`,
    active: true,
    ensure_experience_continuity: i % 2 === 0,
    filters: { groups: [{ properties: [], rollout_percentage: 50 }] },
  })),
};

let browser;
before(async () => {
  browser = await openBrowser();
});
after(() => browser.close());

const LIBRARY = "current";
const json = (value) => (typeof value === "string" ? JSON.parse(value) : value);

/** A started product of this mode, and pages on it. */
async function start(mode) {
  const system = await startSystem({
    vars: {
      HOGFLARE_COOKIELESS: mode,
      HOGFLARE_PERSONLESS: "exact",
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
    },
  });
  const pages = [];
  return {
    system,
    async open(profile, cookielessMode, config = {}) {
      const page = await browser.open({
        library: LIBRARY,
        apiHost: system.url,
        profile: PROFILES[profile],
        config: { cookieless_mode: cookielessMode, person_profiles: "always", ...config },
      });
      pages.push(page);
      return page;
    },
    /** The rows of all pages with the people they belong to now, once there are so many of that name. */
    rows: (event, count = 1) =>
      eventually(
        async () => {
          if ((await system.rows()).length === 0) return false;
          const rows = await system.sql("SELECT * FROM events_with_person");
          return (
            rows.filter((row) => row.event === event).length >= count && rows.map((row) => ({ ...row, properties: json(row.properties) }))
          );
        },
        { what: `${count} rows of ${event}` },
      ),
    async nobodyIsThePlaceholder() {
      const people = await system.stream("persons");
      assert.ok(!JSON.stringify(people).includes(PLACEHOLDER));
      for (const row of await system.rows()) {
        assert.notEqual(row.distinct_id, PLACEHOLDER);
        const text = JSON.stringify(row);
        for (const profile of Object.values(PROFILES)) {
          assert.ok(!text.includes(profile.userAgent), "no row has the user agent");
          assert.ok(!text.includes(profile.extraHTTPHeaders["cf-connecting-ip"]), "no row has the address");
        }
      }
    },
    async stop() {
      for (const page of pages) await page.context().close();
      assert.deepEqual(await system.bad(), []);
      await system.stop();
    },
  };
}

const of = (rows, page, event) => rows.filter((row) => row.event === event && row.properties.$current_url.includes(page.visit));
/** A request's JSON, however the SDK packed it. */
function plain(body) {
  if (body[0] === 0x1f) return JSON.parse(gunzipSync(body).toString());
  const text = body.toString();
  const data = new URLSearchParams(text).get("data");
  return JSON.parse(data === null ? text || "{}" : Buffer.from(data, "base64").toString());
}

const stored = (page) =>
  page.evaluate(() => JSON.stringify([document.cookie, ...Object.values(localStorage), ...Object.values(sessionStorage)]));
const identify = (page, id) => page.evaluate((user) => window.posthog.identify(user, { name: user }), id);
const capture = (page, event) => page.evaluate((name) => window.posthog.capture(name), event);

describe("posthog-js with cookieless_mode always, stateful", () => {
  it("two visitors are two people, and each log-in takes its own visitor along", async () => {
    const product = await start("stateful");
    const one = await product.open("one", "always");
    const two = await product.open("two", "always");
    for (const page of [one, two]) await capture(page, "looked");
    await product.rows("looked", 2);
    await identify(one, "ann");
    await product.rows("$identify");
    await capture(one, "bought");
    await capture(two, "left");
    await product.rows("bought");
    let rows = await product.rows("left");

    const [a] = of(rows, one, "looked");
    const [b] = of(rows, two, "looked");
    assert.match(a.distinct_id, /^cookieless_/);
    assert.match(a.properties.$device_id, /^cookielessd_/);
    assert.notEqual(a.distinct_id, b.distinct_id);
    assert.notEqual(a.properties.$session_id, b.properties.$session_id);
    const [login] = of(rows, one, "$identify");
    assert.equal(login.distinct_id, "ann");
    assert.equal(login.properties.$anon_distinct_id, a.distinct_id);
    const [bought] = of(rows, one, "bought");
    assert.equal(bought.distinct_id, "ann");
    for (const row of [a, login, bought]) assert.equal(row.properties.$session_id, a.properties.$session_id);
    assert.equal(a.person_id, login.person_id, "what ann did before is hers");
    const [left] = of(rows, two, "left");
    assert.equal(left.distinct_id, b.distinct_id);
    assert.notEqual(left.person_id, login.person_id);

    await identify(two, "bob");
    rows = await product.rows("$identify", 2);
    const [other] = of(rows, two, "$identify");
    assert.equal(other.properties.$anon_distinct_id, b.distinct_id);
    assert.notEqual(other.person_id, login.person_id);

    // After the log-in the SDK asks for flags with everybody's placeholder as the anonymous id.
    const asked = () =>
      one.sent.filter((request) => request.url().includes("/flags/")).map((request) => plain(request.postDataBuffer() ?? Buffer.alloc(0)));
    await eventually(() => asked().some((body) => body.$anon_distinct_id === PLACEHOLDER && body.distinct_id === "ann"), {
      what: "a /flags request after the log-in",
    });
    assert.ok(await one.evaluate(() => window.posthog.featureFlags.getFlags().length > 0));

    // The page keeps nothing: after a reload it is nobody's again, on the same device.
    await one.reload();
    const shown = await stored(one);
    for (const id of ["ann", a.distinct_id, a.properties.$session_id]) assert.ok(!shown.includes(id), `${id} is in the browser`);
    await product.nobodyIsThePlaceholder();
    await product.stop();
  });
});

describe("posthog-js with cookieless_mode always, stateless", () => {
  it("visitors are told apart, and a log-in is refused with its reason", async () => {
    const product = await start("stateless");
    const one = await product.open("one", "always");
    const two = await product.open("two", "always");
    for (const page of [one, two]) await capture(page, "looked");
    await identify(one, "ann");
    await capture(one, "bought");
    await product.rows("looked", 2);
    const rows = await product.rows("bought");
    const [a] = of(rows, one, "looked");
    const [b] = of(rows, two, "looked");
    assert.match(a.distinct_id, /^cookieless_/);
    assert.notEqual(a.distinct_id, b.distinct_id);
    const [bought] = of(rows, one, "bought");
    assert.equal(bought.distinct_id, a.distinct_id, "the page's ann stays the day's visitor");
    assert.equal(bought.properties.$session_id, a.properties.$session_id);
    assert.deepEqual(of(rows, one, "$identify"), []);
    const rejects = await product.system.stream("rejects");
    assert.ok(rejects.some((row) => row.kind === "reject" && row.reason === "cookieless_stateless_no_identify"));
    assert.ok(rejects.some((row) => row.kind === "warning" && row.reason === "cookieless_stateless_no_identify"));
    await product.nobodyIsThePlaceholder();
    await product.stop();
  });
});

describe("posthog-js with cookieless_mode on_reject", () => {
  it("who rejects is a visitor of the day, who accepts later is somebody new", async () => {
    const product = await start("stateful");
    const one = await product.open("one", "on_reject");
    // The SDK's default: who has declined has no person, so a log-in of theirs merges nobody.
    const two = await product.open("two", "on_reject", { person_profiles: "identified_only" });
    await capture(one, "before any choice");
    for (const page of [one, two]) {
      await page.evaluate(() => window.posthog.opt_out_capturing());
      await capture(page, "rejected");
    }
    let rows = await product.rows("rejected", 2);
    const [a] = of(rows, one, "rejected");
    const [b] = of(rows, two, "rejected");
    assert.match(a.distinct_id, /^cookieless_/);
    assert.notEqual(a.distinct_id, b.distinct_id);
    assert.deepEqual(of(rows, one, "before any choice"), []);

    await identify(two, "bob");
    await capture(two, "after");
    rows = await product.rows("after");
    assert.equal(of(rows, two, "after")[0].distinct_id, b.distinct_id, "a log-in without person processing counts for nothing");
    assert.ok(!rows.some((row) => row.distinct_id === "bob"));

    await one.evaluate(() => window.posthog.opt_in_capturing());
    await capture(one, "accepted");
    rows = await product.rows("accepted");
    const [accepted] = of(rows, one, "accepted");
    assert.match(accepted.distinct_id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
    assert.notEqual(accepted.person_id, a.person_id);
    const people = await product.system.stream("persons");
    assert.ok(!JSON.stringify(people).includes(PLACEHOLDER));
    await product.stop();
  });
});

describe("posthog-js in cookieless mode while the project's is off", () => {
  it("leaves no row and no person, and the page is not told an error", async () => {
    const product = await start("disabled");
    const one = await product.open("one", "always");
    await capture(one, "looked");
    await eventually(
      async () =>
        (await product.system.stream("rejects")).some((row) => row.event === "looked" && row.reason === "cookieless_team_disabled"),
      { what: "a reject row" },
    );
    assert.deepEqual(await product.system.rows(), []);
    assert.deepEqual(await product.system.stream("persons"), []);
    assert.deepEqual(one.errors, []);
    await product.stop();
  });
});
