// An outage of all sinks under load, and recovery. HOGFLARE_OUTAGE_SECS: how long (default 20).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, assertAllLanded, Client, metrics, settle } from "./support.mjs";

const OUTAGE_MS = 1000 * Number(process.env.HOGFLARE_OUTAGE_SECS ?? 20);

let system;
before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "5" },
  });
});
after(() => system.stop());

describe(`an outage of ${OUTAGE_MS / 1000} s under load`, () => {
  it("every client keeps its 200s and every event lands once the sinks are back", async () => {
    const faults = [{ status: 503 }, { hang: true }, { reset: true }, { status: 429, retry_after: 2 }];
    // One after the other: the first that has not ended is met.
    for (const [i, fault] of faults.entries()) {
      await system.pipeline.fault({ seconds: ((i + 1) * OUTAGE_MS) / 4000, ...fault });
    }
    const clients = [0, 1, 2, 3].map((i) => new Client(system.url, { name: `outage-${i}` }));
    const until = Date.now() + OUTAGE_MS + 3000;
    let slowestMs = 0;
    let deepest = 0;
    const load = clients.map(async (client) => {
      while (Date.now() < until) {
        const began = Date.now();
        await client.send(client.batch(50, { bad: 1, personless: false }));
        slowestMs = Math.max(slowestMs, Date.now() - began);
        await sleep(150);
      }
    });
    const watch = (async () => {
      while (Date.now() < until) {
        deepest = Math.max(deepest, (await admin(system.url, "/admin/outbox")).rows);
        await sleep(500);
      }
    })();
    await Promise.all([...load, watch]);
    assert.ok(deepest > 0, "nothing had to wait: that was no outage");
    const recovering = Date.now();
    // Alone, by its alarms.
    await settle(system, { drain: false, stalledMs: 120_000 });
    const figures = await assertAllLanded(system, clients);
    const counted = await metrics(system.url);
    console.log(
      JSON.stringify({
        ...figures,
        deepest_rows: deepest,
        slowest_answer_ms: slowestMs,
        recovered_after_ms: Date.now() - recovering,
        sends_skipped: counted.of('hogflare_sends_skipped_total{stream="events"}'),
      }),
    );
    for (const client of clients) assert.deepEqual([...client.answers.keys()], [200]);
    const events = (name) => counted.of(`${name}{stream="events"}`);
    assert.equal(counted.of("hogflare_events_accepted_total"), figures.landed);
    assert.equal(events("hogflare_rows_delivered_total") + events("hogflare_rows_to_outbox_total"), figures.landed);
    assert.equal(events("hogflare_rows_to_outbox_total"), events("hogflare_outbox_rows_delivered_total"));
    assert.equal(events("hogflare_rows_failed_total"), 0);
  });
});
