// Real posthog-js in real Chromium, on pages of another origin: what it does lands as rows.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { LIBRARIES, openBrowser } from "./page.mjs";

const FLAGS = {
  flags: [
    {
      id: 1,
      key: "new-checkout",
      active: true,
      filters: {
        groups: [{ properties: [], rollout_percentage: 100 }],
        multivariate: {
          variants: [
            { key: "control", rollout_percentage: 0 },
            { key: "test", rollout_percentage: 100 },
          ],
        },
        payloads: { test: '{"colour":"blue"}' },
      },
    },
    {
      id: 2,
      key: "staff-only",
      active: true,
      filters: {
        groups: [
          {
            properties: [{ key: "email", type: "person", operator: "icontains", value: "@example.com" }],
            rollout_percentage: 100,
          },
        ],
      },
    },
  ],
};

let system;
let browser;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
      HOGFLARE_SESSION_RECORDING: "true",
      POSTHOG_GROUP_TYPE_0: "company",
    },
  });
  browser = await openBrowser();
});
after(async () => {
  assert.deepEqual(await system.bad(), [], "the sink refused nothing");
  assert.deepEqual(await system.stream("rejects"), [], "the Worker refused nothing");
  await browser.close();
  await system.stop();
});

/** Rows of one page, in order of arrival. */
async function rowsOf(page) {
  return (await system.rows()).filter((row) => (row.properties.$current_url ?? "").includes(page.visit));
}

/** Waits until all these events of the page are rows; its rows. */
function landed(page, ...events) {
  return eventually(
    async () => {
      const rows = await rowsOf(page);
      return events.every((event) => rows.some((row) => row.event === event)) && rows;
    },
    { what: `rows of ${events.join(", ")}` },
  );
}

const rowOf = (rows, event) => rows.find((row) => row.event === event);
const distinctIdIn = (page) => page.evaluate(() => window.posthog.get_distinct_id());
const toWorker = (page) => page.sent.filter((request) => request.url().startsWith(system.url));
const captures = (page) => toWorker(page).filter((request) => /\/e\/|\/batch\/|\/s\//.test(request.url()));

for (const library of Object.keys(LIBRARIES)) {
  describe(`posthog-js, ${library} release`, () => {
    const open = (config = {}) => browser.open({ library, apiHost: system.url, config: { person_profiles: "always", ...config } });

    it("sends page views and events of its own, which land with what the browser knows", async () => {
      const page = await open();
      await page.evaluate(() => window.posthog.capture("added to cart", { price: 29.99, items: ["a", "ü"] }));
      const rows = await landed(page, "$pageview", "added to cart");

      const view = rowOf(rows, "$pageview");
      assert.equal(view.distinct_id, await distinctIdIn(page));
      assert.equal(view.api_key, TOKEN);
      assert.equal(view.properties.$lib, "web");
      assert.equal(view.properties.$browser, "Chrome");
      assert.equal(view.properties.utm_source, "mail");
      assert.equal(view.properties.$session_id, await page.evaluate(() => window.posthog.get_session_id()));
      const event = rowOf(rows, "added to cart");
      assert.equal(event.properties.price, 29.99);
      assert.deepEqual(event.properties.items, ["a", "ü"]);
      assert.equal(event.properties.$session_id, view.properties.$session_id);
      assert.equal(event.person_id, view.person_id);
      assert.equal(event.person_properties.$initial_utm_source, "mail");
      for (const row of rows) assert.ok(Math.abs(Date.now() - Date.parse(row.timestamp)) < 60_000, row.timestamp);
      assert.deepEqual(page.errors, [], "neither CORS nor anything else is complained about");
      await page.context().close();
    });

    it("compresses what it sends, without a preflight", async () => {
      const page = await open();
      await page.evaluate(() => {
        for (let i = 0; i < 20; i++) window.posthog.capture("compressed", { i });
      });
      const rows = await eventually(
        async () => {
          const found = (await rowsOf(page)).filter((row) => row.event === "compressed");
          return found.length === 20 && found;
        },
        { what: "20 rows" },
      );
      assert.deepEqual(
        rows.map((row) => row.properties.i).sort((a, b) => a - b),
        [...Array(20).keys()],
      );
      const gzipped = captures(page).filter(
        (request) =>
          request.url().includes("compression=gzip-js") ||
          request
            .postDataBuffer()
            ?.subarray(0, 2)
            .equals(Buffer.from([0x1f, 0x8b])),
      );
      assert.ok(gzipped.length > 0, "a capture request is gzip");
      for (const request of gzipped) assert.equal(request.headers()["content-type"], "text/plain");
      await page.context().close();
    });

    it("keeps the anonymous person when a user identifies", async () => {
      const page = await open();
      const anonymous = await distinctIdIn(page);
      const user = `identified-${library}`;
      const [view] = await landed(page, "$pageview");
      await page.evaluate((id) => window.posthog.identify(id, { email: "ada@example.com" }, { first_seen: "mail" }), user);
      // In a request of its own the next event may come first, and the person not be there yet.
      await landed(page, "$identify");
      await page.evaluate(() => window.posthog.capture("after login"));
      const rows = await landed(page, "$identify", "after login");

      assert.equal(view.distinct_id, anonymous);
      assert.equal(rowOf(rows, "$identify").properties.$anon_distinct_id, anonymous);
      const last = rowOf(rows, "after login");
      assert.equal(last.distinct_id, user);
      assert.equal(last.person_id, view.person_id, "the anonymous person goes on");
      assert.equal(last.person_properties.email, "ada@example.com");
      assert.equal(last.person_properties.first_seen, "mail");
      await page.context().close();
    });

    it("makes no person of an anonymous visitor when only identified ones get profiles", async () => {
      const page = await open({ person_profiles: "identified_only" });
      const [view] = await landed(page, "$pageview");
      assert.equal(view.properties.$process_person_profile, false);
      assert.deepEqual(view.person_properties, {});

      await page.evaluate((id) => window.posthog.identify(id, { email: "grace@example.com" }), `identified-only-${library}`);
      await landed(page, "$identify");
      await page.evaluate(() => window.posthog.capture("after login"));
      const last = rowOf(await landed(page, "$identify", "after login"), "after login");
      assert.equal(last.person_properties.email, "grace@example.com");
      assert.equal(last.person_id, view.person_id, "earlier rows stay theirs");
      await page.context().close();
    });

    it("joins an alias to the person", async () => {
      const page = await open();
      const alias = `alias-${library}`;
      const [view] = await landed(page, "$pageview");
      await page.evaluate((id) => window.posthog.alias(id), alias);
      await landed(page, "$create_alias");
      const body = { api_key: TOKEN, event: `server-side of ${alias}`, distinct_id: alias };
      assert.equal((await system.post("/capture", body)).status, 200);
      const row = rowOf(await system.rows(), body.event);
      assert.equal(row.person_id, view.person_id);
      await page.context().close();
    });

    it("puts events into groups with the group's properties", async () => {
      const page = await open();
      const key = `acme-${library}`;
      await page.evaluate((company) => window.posthog.group("company", company, { size: 12 }), key);
      await landed(page, "$groupidentify");
      await page.evaluate(() => window.posthog.capture("in a group"));
      const row = rowOf(await landed(page, "in a group"), "in a group");
      assert.equal(row.group0, key);
      assert.deepEqual(row.properties.$groups, { company: key });
      assert.equal(row.group_properties.company.size, 12);
      await page.context().close();
    });

    it("sends nothing while opted out, and sends again after opting in", async () => {
      const page = await open({ opt_out_capturing_by_default: true });
      const captureAndWait = async () => {
        await page.evaluate(() => window.posthog.capture("not to be sent"));
        // The queue is flushed every 250 ms: a request would have left.
        await page.waitForTimeout(700);
      };
      await captureAndWait();
      assert.deepEqual(
        captures(page).map((request) => request.url()),
        [],
      );

      await page.evaluate(() => window.posthog.opt_in_capturing());
      await landed(page, "$opt_in");
      await page.evaluate(() => window.posthog.opt_out_capturing());
      await captureAndWait();
      assert.equal(rowOf(await rowsOf(page), "not to be sent"), undefined);
      await page.context().close();
    });

    it("sends what is queued when the page is left, by sendBeacon", async () => {
      const page = await open({ capture_pageleave: true, request_queue_config: { flush_interval_ms: 5000 } });
      await landed(page, "$pageview");
      await page.evaluate(() => {
        const beacon = navigator.sendBeacon.bind(navigator);
        navigator.sendBeacon = (url, data) => {
          sessionStorage.setItem("beacon", String(url));
          return beacon(url, data);
        };
        window.posthog.capture("at the last moment");
      });
      await page.goto(`${browser.site.url}/left`);
      const rows = await landed(page, "at the last moment", "$pageleave");
      assert.equal(rowOf(rows, "at the last moment").person_id, rowOf(rows, "$pageview").person_id);
      const beacon = await page.evaluate(() => sessionStorage.getItem("beacon"));
      assert.ok(beacon?.startsWith(system.url), `sendBeacon was called with ${beacon}`);
      await page.context().close();
    });

    it("keeps the session over pages and begins another after a reset", async () => {
      const page = await open();
      const session = () => page.evaluate(() => window.posthog.get_session_id());
      const first = await session();
      assert.equal(await session(), first);
      await page.evaluate(() => window.posthog.capture("in the first session"));
      await landed(page, "in the first session");
      await page.evaluate(() => {
        window.posthog.reset();
        window.posthog.capture("in the second session");
      });
      const rows = await landed(page, "in the second session");
      const second = rowOf(rows, "in the second session");
      assert.equal(rowOf(rows, "in the first session").properties.$session_id, first);
      assert.equal(second.properties.$session_id, await session());
      assert.notEqual(second.properties.$session_id, first);
      assert.notEqual(second.person_id, rowOf(rows, "in the first session").person_id);
      await page.context().close();
    });

    it("reads flags, variants and payloads, and says which it used", async () => {
      const page = await open();
      const seen = await page.evaluate(() => new Promise((done) => window.posthog.onFeatureFlags((flags) => done(flags))));
      assert.deepEqual(seen, ["new-checkout"]);
      const read = await page.evaluate(() => ({
        variant: window.posthog.getFeatureFlag("new-checkout"),
        payload: window.posthog.getFeatureFlagPayload("new-checkout"),
        staff: window.posthog.isFeatureEnabled("staff-only"),
      }));
      assert.deepEqual(read, { variant: "test", payload: { colour: "blue" }, staff: false });
      const rows = await landed(page, "$feature_flag_called");
      const called = rows.find((row) => row.properties.$feature_flag === "new-checkout");
      assert.equal(called.properties.$feature_flag_response, "test");

      await page.evaluate((id) => window.posthog.identify(id, { email: `${id}@example.com` }), `staff-${library}`);
      await eventually(() => page.evaluate(() => window.posthog.isFeatureEnabled("staff-only")), {
        what: "the flag for the identified user",
      });
      await page.evaluate(() => window.posthog.capture("with flags"));
      const row = rowOf(await landed(page, "with flags"), "with flags");
      assert.equal(row.properties["$feature/new-checkout"], "test");
      assert.equal(row.properties["$feature/staff-only"], true);
      await page.context().close();
    });
  });
}

describe("posthog-js, current release only", () => {
  const open = (settings = {}) =>
    browser.open({ apiHost: system.url, ...settings, config: { person_profiles: "always", ...settings.config } });

  it("passes preflights when the site adds headers of its own", async () => {
    const page = await open({ config: { request_headers: { "X-Shop": "1", "Content-Language": "de" } } });
    await page.evaluate(() => window.posthog.capture("with headers"));
    await landed(page, "with headers");
    assert.ok(captures(page).some((request) => request.headers()["x-shop"] === "1"));
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });

  it("captures exceptions, sets properties and unsets them", async () => {
    const page = await open();
    await page.evaluate(() => {
      window.posthog.setPersonProperties({ plan: "pro" }, { signed_up: "today" });
    });
    await landed(page, "$set");
    // posthog-js sends exceptions in requests of their own, which nothing orders with the others.
    await page.evaluate(() => window.posthog.captureException(new TypeError("cart is empty")));
    await landed(page, "$exception");
    await page.evaluate(() => window.posthog.capture("after", { $unset: ["plan"] }));
    const rows = await landed(page, "after");
    assert.equal(rowOf(rows, "$exception").properties.$exception_list[0].value, "cart is empty");
    assert.equal(rowOf(rows, "$exception").person_properties.plan, "pro");
    const last = rowOf(rows, "after").person_properties;
    assert.equal(last.signed_up, "today");
    assert.equal("plan" in last, false);
    await page.context().close();
  });

  it("works from two origins at once, credentials included", async () => {
    const origins = [browser.site.url, browser.site.otherUrl];
    const pages = await Promise.all(origins.map((origin) => open({ origin })));
    for (const page of pages) {
      await landed(page, "$pageview");
      const answer = await page.evaluate(
        async ([url, token]) => {
          const response = await fetch(`${url}/e/`, {
            method: "POST",
            credentials: "include",
            headers: { "content-type": "application/json", "x-posthog-session-id": "s" },
            body: JSON.stringify({
              api_key: token,
              event: "with credentials",
              distinct_id: "visitor",
              properties: { $current_url: location.href },
            }),
          });
          return { status: response.status, body: await response.json() };
        },
        [system.url, TOKEN],
      );
      assert.deepEqual(answer, { status: 200, body: { status: "Ok" } });
      await landed(page, "with credentials");
      assert.deepEqual(page.errors, []);
    }
    await Promise.all(pages.map((page) => page.context().close()));
  });

  it("lets a page read why its request was refused", async () => {
    const page = await open();
    page.expects(/^40[014] /, /the server responded with a status of 40[014]/);
    const statuses = await page.evaluate(async (url) => {
      const ask = async (path, body) => {
        const response = await fetch(url + path, { method: "POST", credentials: "include", body });
        return [response.status, (await response.text()) !== ""];
      };
      return [await ask("/e/", "{"), await ask("/e/", '{"event":"x"}'), await ask("/nowhere", "")];
    }, system.url);
    assert.deepEqual(statuses, [
      [400, true],
      [401, true],
      [404, true],
    ]);
    await page.context().close();
  });

  it("records sessions when the deployment says so; the rows join to what rrweb can play", async () => {
    const page = await open({ config: { session_recording: { maskAllInputs: false } } });
    const session = await page.evaluate(() => window.posthog.get_session_id());
    const recordings = () =>
      system.sql(`SELECT uuid, is_complete, snapshot_data FROM sessions_replay WHERE session_id = '${session}' ORDER BY "timestamp"`);
    const items = async () => (await recordings()).flatMap((row) => [JSON.parse(row.snapshot_data)].flat());
    // The recorder sends nothing before the visitor does something, and does not see what was done
    // before it had started.
    const snapshot = async () => {
      await page.fill("#name", "");
      await page.fill("#name", "Ada");
      return (await items()).some((item) => item.type === 2);
    };
    await eventually(snapshot, { what: "a full snapshot", everyMs: 500 });
    // A change that no single row holds.
    await page.evaluate(() => {
      const paragraph = document.createElement("p");
      paragraph.hidden = true;
      const random = Array.from({ length: 20 }, () => crypto.getRandomValues(new Uint8Array(50_000)));
      paragraph.textContent = random.map((bytes) => [...bytes].map((byte) => byte.toString(36)).join(" ")).join("\n");
      document.body.append(paragraph);
    });
    await eventually(
      async () => {
        const seen = await items();
        return seen.some((item) => item.data?.text === "Ada") && JSON.stringify(seen).length > 1_500_000;
      },
      { what: "the input and the large change" },
    );
    assert.ok(
      page.sent.some((request) => request.url() === `${system.url}/s/`),
      "to the endpoint it was told",
    );
    for (const recording of await recordings()) assert.equal(recording.is_complete, true);
    const rows = (await system.rows()).filter((row) => row.properties.$session_id === session);
    assert.ok(
      rows.some((row) => row.properties.$hogflare_chunk_count > 1),
      "a recording was cut into rows",
    );
    assert.ok(
      rows.some((row) => row.event === "$pageview"),
      "its session is that of the events",
    );
    assert.deepEqual(page.errors, []);
    await page.context().close();
  });
});

describe("a deployment without flags that takes one site's pages only", () => {
  let strict;
  before(async () => {
    strict = await startSystem({
      vars: {
        HOGFLARE_PROJECTS: JSON.stringify({ [TOKEN]: { team_id: 3, origins: [browser.site.url] } }),
      },
    });
  });
  after(() => strict.stop());

  it("tells posthog-js that there are no flags, so that it asks for none", async () => {
    const page = await browser.open({ apiHost: strict.url, config: { person_profiles: "always" } });
    await eventually(async () => (await strict.rows()).length > 0, { what: "a row" });
    assert.deepEqual(
      page.sent.map((request) => request.url()).filter((url) => url.includes("/flags")),
      [],
    );
    assert.ok(page.sent.some((request) => request.url().includes(`/array/${TOKEN}/config`)));
    assert.equal((await strict.rows())[0].team_id, 3);
    assert.equal(await page.evaluate(() => window.posthog.sessionRecordingStarted()), false);
    await page.context().close();
  });

  it("refuses another site's pages with an answer they can read", async () => {
    const page = await browser.open({ origin: browser.site.otherUrl });
    page.expects(/^403 /, /the server responded with a status of 403/);
    const status = await page.evaluate(
      async ([url, token]) => {
        const body = JSON.stringify({ api_key: token, event: "foreign", distinct_id: "visitor" });
        return (await fetch(`${url}/e/`, { method: "POST", body })).status;
      },
      [strict.url, TOKEN],
    );
    assert.equal(status, 403);
    assert.equal(rowOf(await strict.rows(), "foreign"), undefined);
    await page.context().close();
  });
});
