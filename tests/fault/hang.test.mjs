// A sink that hangs under SDKs with time-outs of their own: each request is answered before its client
// gives up, so that nothing is sent twice. Variables are the defaults.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { ADMIN_TOKEN, assertAllLanded, Client, metrics, settle } from "./support.mjs";

// posthog-ruby's, the shortest of those that send from servers.
const SDK_TIMEOUT_MS = 8_000;

let system;
before(async () => {
  system = await startSystem({ vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, CLOUDFLARE_PIPELINE_TIMEOUT_SECS: undefined } });
});
after(() => system.stop());

describe("while the sink hangs", () => {
  it("every request is answered once, from the outbox, and all but one of them at once", async () => {
    await system.pipeline.fault({ stream: "events", hang: true, seconds: 120 });
    const client = new Client(system.url);
    for (let i = 0; i < 4; i += 1) {
      const events = client.batch(5);
      const response = await fetch(`${system.url}/batch/`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ api_key: TOKEN, batch: events }),
        signal: AbortSignal.timeout(SDK_TIMEOUT_MS),
      });
      assert.equal(response.status, 200, await response.text());
      client.acknowledged.push(...events.map((event) => event.uuid));
    }
    const seen = await metrics(system.url);
    assert.ok(seen.of('hogflare_send_timeouts_total{stream="events"}') >= 1);
    assert.ok(seen.of('hogflare_sends_skipped_total{stream="events"}') >= 1);
    assert.equal(seen.of('hogflare_rows_to_outbox_total{stream="events"}'), 20);
    await system.pipeline.fault({ clear: true });
    await settle(system);
    assert.equal((await assertAllLanded(system, client)).landed, 20);
  });
});
