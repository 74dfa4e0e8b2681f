// Session replay through local workerd, as far as the view that joins a recording again
// (W-6).
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { isNear, nothingBad, PLAIN, refused, stored } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const SESSION = "0190d5a7-6b1a-7c3f-9a0b-5c2f8e1d4a77";
const snapshot = (properties = {}, fields = {}) => ({
  event: "$snapshot",
  uuid: randomUUID(),
  properties: {
    token: TOKEN,
    distinct_id: "watched",
    $session_id: SESSION,
    $window_id: "window-1",
    $snapshot_data: [{ type: 4, data: { href: "https://example.com/" }, timestamp: 1 }],
    $snapshot_bytes: 60,
    $lib: "web",
    ...properties,
  },
  offset: 2000,
  ...fields,
});

describe("replay", () => {
  for (const path of ["/s", "/s/"]) {
    it(`one event at ${path} is one $snapshot_items row of no person`, async () => {
      const sent = snapshot({ $snapshot_data: [] });
      const [row] = await stored(system, await system.post(path, sent), 1);
      assert.equal(row.event, "$snapshot_items");
      assert.equal(row.uuid, sent.uuid);
      assert.equal(row.distinct_id, "watched");
      assert.equal(row.api_key, TOKEN);
      assert.equal(row.person_id, null);
      isNear(row.timestamp, Date.now() - 2000);
      assert.deepEqual(row.properties, {
        distinct_id: "watched",
        $session_id: SESSION,
        $window_id: "window-1",
        $snapshot_source: "web",
        $lib: "web",
        $snapshot_items: [],
      });
    });
  }

  it("the events of a session become one row with all their items in order", async () => {
    const first = snapshot({ $snapshot_data: [{ n: 1 }, { n: 2 }] });
    const second = snapshot({ $snapshot_data: { n: 3 } });
    const [row] = await stored(system, await system.post("/s/", [first, second]), 1);
    assert.equal(row.uuid, first.uuid);
    assert.deepEqual(row.properties.$snapshot_items, [{ n: 1 }, { n: 2 }, { n: 3 }]);
  });

  it("the library comes from the User-Agent when the event names none", async () => {
    const agent = { "user-agent": "posthog-android/1.0.4" };
    const [row] = await stored(system, await system.post("/s/", snapshot({ $lib: undefined }), agent), 1);
    assert.equal(row.properties.$lib, "posthog-android");
  });

  it("the window is the session when there is none, the source mobile when it says so", async () => {
    const sent = snapshot({ $window_id: undefined, $snapshot_source: "mobile" });
    const [row] = await stored(system, await system.post("/s/", sent), 1);
    assert.equal(row.properties.$window_id, SESSION);
    assert.equal(row.properties.$snapshot_source, "mobile");
  });

  for (const [name, properties, words] of [
    ["no session", { $session_id: undefined }, /without session id/],
    ["an object as session", { $session_id: {} }, /invalid session id/],
    ["170 characters of session", { $session_id: "x".repeat(170) }, /invalid session id/],
    ["a session with odd characters", { $session_id: "a b" }, /invalid session id/],
    ["no data", { $snapshot_data: undefined }, /without snapshot data/],
    ["data that is a string", { $snapshot_data: "x" }, /without snapshot data/],
  ]) {
    it(`${name} is refused with its reason and kept as a reject`, async () => {
      await refused(system, await system.post("/s/", snapshot(properties)), 400, words);
      const rejects = await system.stream("rejects");
      assert.deepEqual(
        rejects.map((row) => row.reason),
        ["invalid_replay"],
      );
    });
  }

  it("one bad snapshot does not cost the others", async () => {
    const body = [snapshot(), snapshot({ $session_id: "bad session" }), snapshot()];
    const [row] = await stored(system, await system.post("/s/", body), 1);
    assert.equal(row.properties.$snapshot_items.length, 2);
  });

  it("compressed inner data arrives byte for byte", async () => {
    const latin = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
    const item = { type: 2, cv: "2024-10", data: latin, timestamp: 1735787045678, big: 0 };
    const spelled = JSON.stringify(item).replace('"big":0', '"big":12345678901234567890.10');
    const text = JSON.stringify([snapshot({ $snapshot_data: [] })]).replace('"$snapshot_data":[]', `"$snapshot_data":[${spelled}]`);
    await stored(system, await system.post("/s/", gzipSync(text), PLAIN), 1);
    const raw = await (await fetch(`${system.pipeline.url}/events`)).text();
    assert.ok(raw.includes(`"$snapshot_items":[${spelled}]`));
    const [joined] = await system.sql("SELECT snapshot_data FROM sessions_replay");
    assert.equal(joined.snapshot_data, `[${spelled}]`);
  });

  it("a recording over the sink's row limit is cut into chunks that the view joins again", async () => {
    const items = Array.from({ length: 40 }, (_, i) => ({
      type: 3,
      timestamp: i,
      data: { text: `${i} "quoted" \\ grüße 🦔 ${"é\n".repeat(30_000)}` },
    }));
    const sent = snapshot({ $snapshot_data: items });
    const rows = await (async () => {
      const response = await system.post("/s/", gzipSync(JSON.stringify([sent])), PLAIN);
      assert.equal(response.status, 200, await response.text());
      return system.rows();
    })();
    assert.ok(rows.length >= 3, `${rows.length} rows`);
    assert.equal(new Set(rows.map((row) => row.uuid)).size, rows.length);
    for (const row of rows) {
      assert.equal(row.event, "$snapshot_items");
      assert.equal(row.properties.$hogflare_chunk_of, sent.uuid);
      assert.equal(row.properties.$hogflare_chunk_count, rows.length);
      assert.equal(row.properties.$session_id, SESSION);
    }
    const view = await system.sql(
      "SELECT uuid, session_id, window_id, distinct_id, chunk_count, is_complete, snapshot_data FROM sessions_replay",
    );
    assert.equal(view.length, 1);
    assert.equal(view[0].uuid, sent.uuid);
    assert.equal(view[0].chunk_count, rows.length);
    assert.equal(view[0].is_complete, true);
    assert.equal(view[0].snapshot_data, JSON.stringify(items));
  });

  it("the same recording sent again is joined once", async () => {
    const items = [{ text: "x".repeat(2_500_000) }];
    const body = JSON.stringify([snapshot({ $snapshot_data: items })]);
    for (const attempt of [1, 2]) {
      const response = await system.post("/s/", body);
      assert.equal(response.status, 200, `attempt ${attempt}`);
    }
    const view = await system.sql("SELECT is_complete, snapshot_data FROM sessions_replay");
    assert.equal(view.length, 1);
    assert.equal(view[0].snapshot_data, JSON.stringify(items));
  });
});
