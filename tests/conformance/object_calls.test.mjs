// A request with more people than it may call objects for is refused whole; its parts are taken.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { randomUUID } from "node:crypto";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { v1Batch, v1Event, v1Headers } from "./support.mjs";

const MOST = 900;

let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());

const people = (count, prefix) =>
  Array.from({ length: count }, (_, i) => ({ event: "e", distinct_id: `${prefix}${i}`, uuid: randomUUID() }));

/** Sends events as an SDK does that halves what is too large; how many requests were taken and refused. */
async function sendHalving(events) {
  const answer = await system.post("/batch/", { api_key: TOKEN, batch: events });
  if (answer.status !== 413) {
    assert.equal(answer.status, 200);
    return { taken: 1, refused: 0 };
  }
  const half = Math.ceil(events.length / 2);
  const parts = [await sendHalving(events.slice(0, half)), await sendHalving(events.slice(half))];
  return {
    taken: parts[0].taken + parts[1].taken,
    refused: 1 + parts[0].refused + parts[1].refused,
  };
}

/** Waits for that many events: each once, or more often where a sink's answer came too late to be believed. */
async function landed(count) {
  const distinct = async () => Number((await system.sql("SELECT count(DISTINCT uuid) AS n FROM events"))[0].n);
  // What a slow machine's sink did not take in time is in the outbox for a while.
  await eventually(async () => (await distinct()) === count, { what: `${count} events`, timeoutMs: 240_000, everyMs: 250 });
}

describe("object calls of one request", () => {
  for (const count of [1_500, 12_000]) {
    it(`${count} people are refused with words that say what helps, and nothing lands`, async () => {
      const answer = await system.post("/batch/", { api_key: TOKEN, batch: people(count, `r${count}-`) });
      assert.equal(answer.status, 413);
      const text = await answer.text();
      assert.match(text, /^request is larger than the limit: /);
      assert.match(text, /HOGFLARE_OBJECT_CALLS_MAX\); nothing was stored, send it in parts/);
      assert.deepEqual(await system.rows(), []);
      assert.deepEqual(await system.stream("persons"), []);
      assert.deepEqual(await system.stream("rejects"), []);
    });
  }

  it("1,500 people in halves land, each once", async () => {
    const events = people(1_500, "h-");
    assert.deepEqual(await sendHalving(events), { taken: 2, refused: 1 });
    await landed(events.length);
    const rows = await system.sql("SELECT DISTINCT uuid FROM events");
    assert.deepEqual(rows.map((row) => row.uuid).sort(), events.map((each) => each.uuid).sort());
  });

  it("capture v1 says it in its own words", async () => {
    const events = people(MOST + 1, "v").map((each) => v1Event({ distinct_id: each.distinct_id, uuid: each.uuid }));
    const answer = await system.post("/i/v1/analytics/events", v1Batch(events), v1Headers());
    assert.equal(answer.status, 413);
    const { error, error_description } = await answer.json();
    assert.equal(error, "payload_too_large");
    assert.match(error_description, /send it in parts/);
    assert.deepEqual(await system.rows(), []);
  });

  it("20,000 events of one person are no such request", async () => {
    const batch = Array.from({ length: 20_000 }, () => ({ event: "e", distinct_id: "one" }));
    assert.equal((await system.post("/batch/", { api_key: TOKEN, batch })).status, 200);
    await landed(20_000);
  });
});
