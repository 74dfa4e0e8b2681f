// 100,000 events and more through the real path while the sink misbehaves; none is lost.
// HOGFLARE_LOAD_EVENTS: how many (default 100,000).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, assertAllLanded, Client, inParallel, metrics, settle } from "./support.mjs";

const EVENTS = Number(process.env.HOGFLARE_LOAD_EVENTS ?? 100_000);
const BATCH = 250;
const CONNECTIONS = 6;

let system;
/** The Worker's log lines that say how it fell. */
const traps = [];
before(async () => {
  system = await startSystem({
    onLog: ({ message }) => message.includes("core_trap") && traps.push(message),
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "10" },
  });
});
after(() => system.stop());

describe("load", () => {
  it(`${EVENTS} events with faults: accepted = landed + rejected + quarantined`, async () => {
    const client = new Client(system.url, { distinctIds: 1000 });
    const toOutbox = async () => (await metrics(system.url)).of('hogflare_rows_to_outbox_total{stream="events"}');
    // The ways of delivery that are asserted below are brought about one by one, on a machine of any
    // speed: here through an outbox, at the end by a repeated send.
    let sent = 0;
    const sendOne = () => {
      sent += BATCH;
      return client.send(client.batch(BATCH, { personless: true }));
    };
    await system.pipeline.fault({ seconds: 3600, status: 500 });
    do await sendOne();
    while ((await toOutbox()) === 0);
    await system.pipeline.fault({ clear: true });
    const faults = [
      { seconds: 3, status: 500 },
      { count: 2, status: 503, after_commit: true },
      { count: 2, hang_after_commit: true },
      { count: 2, status: 503 },
      { count: 2, status: 429, retry_after: 1 },
      { count: 2, reset: true },
      { count: 2, reset: true, after_commit: true },
      { count: 1, hang: true },
      { count: 4, delay_ms: 800 },
    ];
    let done = false;
    const misbehave = (async () => {
      for (let i = 0; !done; i += 1) {
        await system.pipeline.fault(faults[i % faults.length]);
        await sleep(2000);
      }
    })();
    const began = Date.now();
    const latencies = [];
    await inParallel(EVENTS / BATCH, CONNECTIONS, async (i) => {
      // Every fortieth batch writes people; every other has an event that is refused.
      const batch = client.batch(BATCH, { bad: i % 2, personless: i % 40 !== 0 });
      const started = Date.now();
      await client.send(batch);
      sent += BATCH;
      latencies.push(Date.now() - started);
    });
    const tookMs = Date.now() - began;
    done = true;
    await misbehave;
    await system.pipeline.fault({ clear: true });
    await settle(system);
    await system.pipeline.fault({ count: 1, status: 503, after_commit: true });
    await sendOne();
    await settle(system);
    const figures = await assertAllLanded(system, client);
    const counted = await metrics(system.url);
    latencies.sort((a, b) => a - b);
    console.log(
      JSON.stringify({
        ...figures,
        seconds: tookMs / 1000,
        events_per_second: Math.round(EVENTS / (tookMs / 1000)),
        batch_p50_ms: latencies[Math.floor(latencies.length / 2)],
        batch_max_ms: latencies.at(-1),
        through_outbox: counted.of('hogflare_rows_to_outbox_total{stream="events"}'),
        retries: counted.of('hogflare_send_retries_total{stream="events"}'),
        answers: Object.fromEntries(client.answers),
      }),
    );
    assert.equal(counted.of("hogflare_traps_total"), 0, traps.join("\n"));
    assert.equal(figures.accepted, sent);
    assert.equal(figures.accepted, figures.landed + figures.rejected + figures.quarantined);
    assert.ok(figures.copies > 0, "no fault left a copy");
    assert.ok(counted.of('hogflare_rows_to_outbox_total{stream="events"}') > 0, "no fault reached an outbox");
  });
});
