// The time of an event, through local workerd (W-3).
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { batch, event, isNear, nothingBad, single, stored } from "./support.mjs";

const HOUR = 3_600_000;
let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const iso = (ms) => new Date(ms).toISOString();

/** The stored row of one event in a wrapper. */
async function rowOf(fields, wrapper = {}, query = "") {
  const [row] = await stored(system, await system.post(`/batch/${query}`, batch([event(fields)], wrapper)), 1);
  return row;
}

describe("timestamps", () => {
  it("a client's clock that is an hour ahead is corrected by sent_at", async () => {
    const now = Date.now();
    const row = await rowOf({ timestamp: iso(now + HOUR - 600_000) }, { sent_at: iso(now + HOUR) });
    isNear(row.timestamp, now - 600_000);
    isNear(row.created_at, now);
    assert.equal(row.extra.$client_timestamp, iso(now + HOUR - 600_000));
    assert.equal(row.extra.$sent_at, iso(now + HOUR));
  });

  it("offset alone counts back from the server's clock", async () => {
    const row = await rowOf({ offset: 7_200_000 });
    isNear(row.timestamp, Date.now() - 2 * HOUR);
    assert.equal(row.extra.$client_offset, 7_200_000);
  });

  it("offset wins over timestamp", async () => {
    const row = await rowOf({ offset: 7_200_000, timestamp: "2025-01-01T00:00:00Z" });
    isNear(row.timestamp, Date.now() - 2 * HOUR);
  });

  for (const [name, timestamp] of [
    ["no timestamp", undefined],
    ["a null timestamp", null],
    ["a word", "yesterday"],
    ["an object", {}],
    ["an impossible date", "2025-13-45T99:00:00Z"],
  ]) {
    it(`${name} is the server's time`, async () => {
      isNear((await rowOf({ timestamp })).timestamp, Date.now());
    });
  }

  it("a day ahead is the server's time, 22 hours ahead is kept", async () => {
    const now = Date.now();
    isNear((await rowOf({ timestamp: iso(now + 24 * HOUR) })).timestamp, now);
    await system.reset();
    isNear((await rowOf({ timestamp: iso(now + 22 * HOUR) })).timestamp, now + 22 * HOUR, 1);
  });

  it("$ignore_sent_at leaves the timestamp as it is", async () => {
    const row = await rowOf(
      { timestamp: "2025-06-01T00:00:00.000Z", properties: { $ignore_sent_at: true } },
      { sent_at: iso(Date.now() + HOUR) },
    );
    assert.equal(row.timestamp, "2025-06-01T00:00:00.000Z");
  });

  /** @type {[string, unknown, string][]} */
  const forms = [
    ["an offset", "2025-01-02T08:34:05+05:30", "2025-01-02T03:04:05.000Z"],
    ["a short offset", "2025-01-02T08:34:05+03", "2025-01-02T05:34:05.000Z"],
    ["microseconds", "2025-01-02T03:04:05.678901Z", "2025-01-02T03:04:05.678Z"],
    ["a date", "2025-01-02", "2025-01-02T00:00:00.000Z"],
    ["a space", "2025-01-02 03:04:05", "2025-01-02T03:04:05.000Z"],
    ["no zone", "2025-01-02T03:04:05", "2025-01-02T03:04:05.000Z"],
    ["RFC 2822", "Thu, 02 Jan 2025 03:04:05 +0000", "2025-01-02T03:04:05.000Z"],
    ["seconds as text", "1735787045", "2025-01-02T03:04:05.000Z"],
    ["milliseconds as text", "1735787045678", "2025-01-02T03:04:05.678Z"],
    ["milliseconds as a number", 1735787045678, "2025-01-02T03:04:05.678Z"],
  ];
  for (const [name, timestamp, expected] of forms) {
    it(`a timestamp with ${name}`, async () => {
      assert.equal(Date.parse((await rowOf({ timestamp })).timestamp), Date.parse(expected));
    });
  }

  it("?_= is sent_at when the body has none, and nothing when it is 0", async () => {
    const now = Date.now();
    const skewed = { timestamp: iso(now + HOUR - 600_000) };
    isNear((await rowOf(skewed, {}, `?_=${now + HOUR}`)).timestamp, now - 600_000);
    await system.reset();
    isNear((await rowOf(skewed, {}, "?_=0")).timestamp, now + HOUR - 600_000, 1);
    await system.reset();
    isNear((await rowOf(skewed, { sent_at: iso(now) }, `?_=${now + HOUR}`)).timestamp, now + HOUR - 600_000);
  });

  it("a query time that is no number costs nothing", async () => {
    await stored(system, await system.post("/e/?_=soon", single()), 1);
  });

  for (const [name, timestamp] of [
    ["year 0", "0000-01-01T00:00:00Z"],
    ["the last moment of year 0", "0000-12-31T23:59:59.999Z"],
    ["a number of year 0", -62_135_596_800_001],
  ]) {
    it(`${name} costs neither the event nor the person's later ones`, async () => {
      const first = await rowOf({ distinct_id: "year-0", properties: { $set: { a: 1 } }, timestamp });
      assert.notEqual(first.timestamp.slice(0, 4), "0000");
      await system.reset();
      const later = await rowOf({ distinct_id: "year-0" });
      assert.equal(later.person_properties.a, 1);
      assert.notEqual(later.person_created_at.slice(0, 4), "0000");
    });
  }

  it("the first and the last writable moments are kept", async () => {
    assert.equal(Date.parse((await rowOf({ timestamp: "0001-01-01T00:00:00Z" })).timestamp), -62_135_596_800_000);
  });
});
