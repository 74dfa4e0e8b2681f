// Everything a sink can do wrong for a while: nothing is lost, nothing stands twice in the view.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { eventually, startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, assertAllLanded, Client, metrics, settle } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "2" },
  });
});
after(() => system.stop());

// The breaker of the isolate closes with the first probe that succeeds, some seconds later.
afterEach(async () => {
  await system.pipeline.fault({ clear: true });
  await settle(system);
  await eventually(
    async () => {
      const skipped = async () => (await metrics(system.url)).of('hogflare_sends_skipped_total{stream="events"}');
      const before = await skipped();
      await new Client(system.url).send(new Client(system.url).batch(1));
      return (await skipped()) === before;
    },
    { everyMs: 500, what: "a closed breaker" },
  );
  // What was skipped meanwhile is in an outbox.
  await settle(system);
  await system.reset();
});

/** Sends one batch under a fault; how it went. */
async function sendUnder(fault, size = 20) {
  await system.pipeline.fault({ stream: "events", ...fault });
  const client = new Client(system.url);
  const before = await metrics(system.url);
  const began = Date.now();
  const tries = await client.send(client.batch(size, { bad: 2 }));
  const tookMs = Date.now() - began;
  const now = await metrics(system.url);
  const grown = (name) => now.of(`${name}{stream="events"}`) - before.of(`${name}{stream="events"}`);
  return {
    client,
    tries,
    tookMs,
    delivered: grown("hogflare_rows_delivered_total"),
    toOutbox: grown("hogflare_rows_to_outbox_total"),
    retries: grown("hogflare_send_retries_total"),
    timeouts: grown("hogflare_send_timeouts_total"),
  };
}

async function landedFrom(client) {
  await settle(system, { drain: false });
  return assertAllLanded(system, client);
}

describe("one bad answer is mended within the request", () => {
  for (const [name, fault] of [
    ["503", { status: 503 }],
    ["500", { status: 500 }],
    ["408", { status: 408 }],
    ["429 with Retry-After: 1", { status: 429, retry_after: 1 }],
    ["a reset connection", { reset: true }],
  ]) {
    it(name, async () => {
      const sent = await sendUnder({ count: 1, ...fault });
      assert.equal(sent.tries, 1);
      assert.equal(sent.retries, 1);
      assert.equal(sent.delivered, 18);
      assert.equal(sent.toOutbox, 0);
      if ("retry_after" in fault) assert.ok(sent.tookMs >= 1000, `${sent.tookMs} ms`);
      assert.equal((await landedFrom(sent.client)).copies, 0);
    });
  }

  it("a slow answer is waited for, not repeated", async () => {
    const sent = await sendUnder({ count: 1, delay_ms: 500 });
    assert.equal(sent.retries, 0);
    assert.equal(sent.delivered, 18);
    assert.equal((await landedFrom(sent.client)).copies, 0);
  });

  for (const [name, fault] of [
    ["503", { status: 503, after_commit: true }],
    ["a reset", { reset: true, after_commit: true }],
  ]) {
    it(`${name} after the rows were stored: copies, once in the view`, async () => {
      const sent = await sendUnder({ count: 1, ...fault });
      assert.equal(sent.delivered, 18);
      assert.equal((await landedFrom(sent.client)).copies, 18);
    });
  }
});

describe("what takes longer is left to an outbox, and the client has its 200", () => {
  it("a hanging sink costs the client one time-out", async () => {
    const sent = await sendUnder({ count: 1, hang: true });
    assert.equal(sent.timeouts, 1);
    assert.equal(sent.toOutbox, 18);
    assert.ok(sent.tookMs < 40_000, `${sent.tookMs} ms`);
    assert.equal((await landedFrom(sent.client)).copies, 0);
  });

  it("a sink that hangs after it has stored: copies, once in the view", async () => {
    const sent = await sendUnder({ count: 1, hang_after_commit: true });
    assert.equal(sent.toOutbox, 18);
    assert.equal((await landedFrom(sent.client)).copies, 18);
  });

  it("a long Retry-After is kept to", async () => {
    const sent = await sendUnder({ count: 1, status: 429, retry_after: 4 });
    assert.equal(sent.retries, 0);
    assert.equal(sent.toOutbox, 18);
    const { streams } = await admin(system.url, "/admin/outbox");
    assert.equal(streams.events.last_status, 429);
    assert.ok(streams.events.retry_at_ms - streams.events.oldest_ms >= 4000);
    await settle(system, { drain: false });
    await landedFrom(sent.client);
  });

  it("the outbox's own alarm delivers when the sink is well again", async () => {
    const sent = await sendUnder({ count: 3, status: 502 });
    assert.equal(sent.toOutbox, 18);
    const waiting = await admin(system.url, "/admin/outbox");
    assert.equal(waiting.rows, 18);
    assert.equal(waiting.streams.events.last_reason.slice(0, 10), "status 502");
    await settle(system, { drain: false });
    assert.equal((await landedFrom(sent.client)).copies, 0);
  });

  it("faults of the persons and rejects streams do not touch events", async () => {
    for (const stream of ["persons", "rejects"]) await system.pipeline.fault({ stream, seconds: 60, status: 503 });
    const client = new Client(system.url);
    await client.send(client.batch(20, { bad: 3, personless: false }));
    assert.equal((await system.rows()).length, 17);
    const waiting = await admin(system.url, "/admin/outbox");
    assert.equal(waiting.streams.rejects.rows, 3);
    assert.ok(waiting.streams.persons.rows > 0);
    await system.pipeline.fault({ clear: true });
    await landedFrom(client);
    assert.equal((await system.stream("persons")).length, waiting.streams.persons.rows);
  });
});
