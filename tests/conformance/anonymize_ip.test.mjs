// HOGFLARE_ANONYMIZE_IP: no address reaches a row.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { nothingBad, single, v1Batch, v1Event, v1Headers } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_ANONYMIZE_IP: "true" },
    extra: { cf: { country: "AT", city: "Vienna" } },
  });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const HEADERS = { "cf-connecting-ip": "203.0.113.7", "x-forwarded-for": "203.0.113.8, 10.0.0.1" };

describe("HOGFLARE_ANONYMIZE_IP", () => {
  it("neither the connection's address nor the client's own stays; the place does", async () => {
    const own = { $ip: "198.51.100.1", properties: { $ip: "198.51.100.2" } };
    assert.equal((await system.post("/e/", single({ properties: own.properties }), HEADERS)).status, 200);
    const v1 = await system.post("/i/v1/analytics/events", v1Batch([v1Event({ properties: own.properties })]), v1Headers(HEADERS));
    assert.equal(v1.status, 200);
    const snapshot = { event: "$snapshot", properties: { token: TOKEN, distinct_id: "u", $session_id: "s", $snapshot_data: [] } };
    assert.equal((await system.post("/s/", snapshot, HEADERS)).status, 200);
    const rows = await system.rows(3);
    assert.equal(rows.length, 3);
    assert.doesNotMatch(JSON.stringify(rows), /203\.0\.113|198\.51\.100|10\.0\.0\.1/);
    await system.reset();
    assert.equal((await system.post("/e/", single(), HEADERS)).status, 200);
    assert.equal((await system.rows(1))[0].properties.$geoip_city_name, "Vienna");
  });
});
