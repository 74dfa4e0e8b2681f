// What capture answers when neither the sink nor the outbox can keep events (W-4.4, W-10.3).
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { batch, event, nothingBad, stored, v1Batch, v1Event, v1Headers } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem({ vars: { HOGFLARE_OUTBOX_MAX_BYTES: "0" } });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

// As many as one request makes; fewer than the isolate needs to stop asking.
const ATTEMPTS = 3;

describe("an outage without outbox", () => {
  it("v1 asks for the event again, and the same uuid is taken later", async () => {
    const sent = v1Event();
    const body = v1Batch([sent]);
    const headers = v1Headers();
    await system.pipeline.fault({ stream: "events", count: ATTEMPTS, status: 503 });
    const first = await system.post("/i/v1/analytics/events", body, headers);
    assert.equal(first.status, 200);
    assert.equal(first.headers.get("retry-after"), "1");
    assert.deepEqual((await first.json()).results, {
      [sent.uuid]: { result: "retry", details: "not_persisted" },
    });
    assert.deepEqual(await system.rows(), []);

    const second = await system.post("/i/v1/analytics/events", body, { ...headers, "posthog-attempt": "2" });
    assert.equal(second.headers.get("retry-after"), null);
    assert.equal(second.headers.get("posthog-request-id"), headers["posthog-request-id"]);
    assert.deepEqual((await second.json()).results, { [sent.uuid]: { result: "ok" } });
    assert.deepEqual(
      (await system.rows()).map((row) => row.uuid),
      [sent.uuid],
    );
  });

  it("v0 answers 503 with a short Retry-After, CORS included, and takes the same batch later", async () => {
    const body = batch([event({ uuid: "01890a5d-ac96-774b-bcce-b302099a8057" })]);
    await system.pipeline.fault({ stream: "events", count: ATTEMPTS, status: 503 });
    const first = await system.post("/batch/", body, { origin: "https://www.example.com" });
    assert.equal(first.status, 503);
    assert.equal(first.headers.get("retry-after"), "1");
    assert.equal(first.headers.get("access-control-allow-origin"), "https://www.example.com");
    assert.deepEqual(await system.rows(), []);
    await stored(system, await system.post("/batch/", body), 1);
  });
});
