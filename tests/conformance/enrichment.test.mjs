// What the Worker adds to an event from the edge and from headers, and what it leaves alone.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { batch, event, nothingBad, single, stored } from "./support.mjs";

const CF = {
  country: "AT",
  continent: "EU",
  city: "Vienna",
  region: "Vienna",
  regionCode: "9",
  postalCode: "1010",
  latitude: "48.20850",
  longitude: "16.37210",
  timezone: "Europe/Vienna",
  metroCode: "807",
  asn: 1764,
  asOrganization: "Example Net",
  colo: "VIE",
};
const HEADERS = { "cf-connecting-ip": "203.0.113.7", "cf-ray": "8f0a1b2c3d4e5f60-VIE" };
const GEO = {
  $geoip_country_code: "AT",
  $geoip_city_name: "Vienna",
  $geoip_continent_code: "EU",
  $geoip_latitude: 48.2085,
  $geoip_longitude: 16.3721,
  $geoip_postal_code: "1010",
  $geoip_subdivision_1_code: "9",
  $geoip_subdivision_1_name: "Vienna",
  $geoip_time_zone: "Europe/Vienna",
};

let system;
before(async () => {
  system = await startSystem({ extra: { cf: CF } });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

async function propertiesOf(properties, headers = HEADERS) {
  const [row] = await stored(system, await system.post("/e/", single({ properties }), headers), 1);
  return row.properties;
}

describe("enrichment", () => {
  it("the edge's place, network and address become properties", async () => {
    const properties = await propertiesOf({});
    assert.equal(properties.$ip, "203.0.113.7");
    for (const [name, value] of Object.entries(GEO)) assert.deepEqual(properties[name], value, name);
    const added = JSON.stringify(properties);
    for (const value of ["1764", "Example Net", "VIE", "807", HEADERS["cf-ray"]]) {
      assert.ok(added.includes(value), `${value} in ${added}`);
    }
  });

  it("what the client sent is never replaced", async () => {
    const own = { $ip: "198.51.100.1", $geoip_city_name: "Graz", $geoip_country_code: null, cf_colo: 1 };
    const properties = await propertiesOf(own);
    assert.equal(properties.$ip, "198.51.100.1");
    assert.equal(properties.$geoip_city_name, "Graz");
    assert.equal(properties.$geoip_country_code, null);
    // Beside a place or an address of the client's own the connection's place says nothing.
    assert.equal(properties.$geoip_continent_code, undefined);
  });

  it("$geoip_disable keeps the place out", async () => {
    const properties = await propertiesOf({ $geoip_disable: true });
    assert.deepEqual(
      Object.keys(properties).filter((name) => name.startsWith("$geoip_") && name !== "$geoip_disable"),
      [],
    );
  });

  it("$geoip_disable of one event is not its neighbour's", async () => {
    const events = [event({ properties: { $geoip_disable: true } }), event()];
    const rows = await stored(system, await system.post("/batch/", batch(events), HEADERS), 2);
    assert.equal(rows[0].properties.$geoip_city_name, undefined);
    assert.equal(rows[1].properties.$geoip_city_name, "Vienna");
  });

  it("capture_internal hides the sender behind 127.0.0.1", async () => {
    assert.equal((await propertiesOf({ capture_internal: true })).$ip, "127.0.0.1");
  });

  it("an event without properties is enriched as well", async () => {
    assert.equal((await propertiesOf(undefined)).$geoip_city_name, "Vienna");
  });
});
