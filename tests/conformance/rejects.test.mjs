// Every reason an event can be rejected for: its row in the rejects stream, and the answer.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event, isNear, nothingBad, v1Batch, v1Event, v1Headers } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem({ vars: { HOGFLARE_ADMIN_TOKEN: "admin" } });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const snapshot = (properties) => ({
  event: "$snapshot",
  properties: { token: TOKEN, distinct_id: "u", $session_id: "s", $snapshot_data: [{ type: 1 }], ...properties },
});

/** Reason, path, the bad event among good ones, headers. */
const good = { v0: event({ event: "good" }), s: snapshot({}), v1: v1Event({ event: "good" }) };
/** @type {[string, "v0" | "s" | "v1", unknown][]} */
const REASONS = [
  ["hydrate_failed", "v0", "no object"],
  ["hydrate_failed", "v0", { distinct_id: "u", properties: {} }],
  ["missing_event_name", "v0", event({ event: "" })],
  ["missing_event_name", "v0", event({ event: 7 })],
  ["missing_distinct_id", "v0", { event: "bad" }],
  ["missing_distinct_id", "v0", event({ distinct_id: "  " })],
  ["invalid_uuid", "v0", event({ uuid: "x" })],
  ["invalid_uuid", "v0", event({ uuid: 5 })],
  ["invalid_properties", "v0", event({ properties: [1] })],
  ["invalid_cookieless_mode", "v0", event({ properties: { $cookieless_mode: "yes" } })],
  ["hydrate_failed", "s", 5],
  ["invalid_replay", "s", snapshot({ $session_id: "no spaces" })],
  ["invalid_replay", "s", snapshot({ $snapshot_data: 5 })],
  ["missing_distinct_id", "s", snapshot({ distinct_id: "" })],
  ["invalid_properties", "s", { event: "$snapshot", distinct_id: "u", properties: [] }],
  ["invalid_uuid", "s", { ...snapshot({}), uuid: "x" }],
  ["invalid_cookieless_mode", "s", snapshot({ $cookieless_mode: 1 })],
  ["missing_event_name", "v1", v1Event({ event: "" })],
  ["event_name_too_long", "v1", v1Event({ event: "e".repeat(201) })],
  ["missing_distinct_id", "v1", v1Event({ distinct_id: " " })],
  ["distinct_id_too_large", "v1", v1Event({ distinct_id: "d".repeat(201) })],
  ["invalid_timestamp", "v1", v1Event({ timestamp: "2025" })],
  ["invalid_properties", "v1", v1Event({ properties: "x" })],
  ["invalid_options", "v1", v1Event({ options: { cookieless_mode: [] } })],
];

function send(kind, events) {
  if (kind === "v0") return system.post("/batch/", batch(events));
  if (kind === "s") return system.post("/s/", events);
  return system.post("/i/v1/analytics/events", v1Batch(events), v1Headers());
}

describe("rejects", () => {
  for (const [reason, kind, bad] of REASONS) {
    it(`${kind}: ${reason} for ${JSON.stringify(bad).slice(0, 60)}`, async () => {
      const response = await send(kind, [good[kind], bad]);
      assert.equal(response.status, 200, await response.text());
      assert.equal((await system.rows(1)).length, 1);
      const rejects = await system.stream("rejects", 1);
      assert.equal(rejects.length, 1);
      const [row] = rejects;
      assert.equal(row.kind, "reject");
      assert.equal(row.reason, reason);
      assert.equal(row.api_key, TOKEN);
      assert.equal(row.team_id, 1);
      // What v1's headers say about the library has become properties by then.
      if (kind === "v1") assert.equal(JSON.parse(row.payload).uuid, bad.uuid);
      else assert.equal(row.payload, JSON.stringify(bad));
      isNear(row.received_at ?? row.created_at, Date.now());
    });

    if (kind === "v0") {
      it(`alone, ${reason} for ${JSON.stringify(bad).slice(0, 60)} is 400 and kept all the same`, async () => {
        const response = await send(kind, [bad]);
        assert.equal(response.status, 400);
        assert.deepEqual(
          (await system.stream("rejects")).map((row) => row.reason),
          [reason],
        );
      });
    }
  }

  it("a reject keeps what is known about its event", async () => {
    const uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
    await send("v0", [event({ uuid, distinct_id: "known", event: "named", properties: [1] })]);
    const [row] = await system.stream("rejects");
    assert.deepEqual([row.event, row.distinct_id, row.event_uuid], ["named", "known", uuid]);
  });

  it("a large payload is cut, and the row arrives", async () => {
    await send("v0", [event({ uuid: "x", properties: { text: "é".repeat(500_000) } })]);
    const [row] = await system.stream("rejects");
    assert.ok(row.payload.length > 10_000 && row.payload.length <= 65_536);
  });

  it("rejects and refusals are counted", async () => {
    await send("v0", [event(), event({ uuid: "x" })]);
    await system.post("/batch/", "{");
    const metrics = await (await system.request("/metrics", { headers: { authorization: "Bearer admin" } })).text();
    assert.match(metrics, /reason="invalid_uuid"\} [1-9]/);
    assert.match(metrics, /reason="parse_failed"\} [1-9]/);
  });
});
