// When neither the sink nor the outbox can take a row the client hears it, by the route's own words.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, asAdmin, assertAllLanded, Client, metrics, settle } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, HOGFLARE_OUTBOX_MAX_BYTES: String(8 * 12_000) },
  });
  await system.pipeline.fault({ seconds: 3600, status: 503 });
});
after(() => system.stop());

describe("a full outbox", () => {
  const client = new Client("");

  it("answers 503 with a small Retry-After once the bound is reached, not before", async () => {
    client.url = system.url;
    let status = 200;
    for (let i = 0; i < 100 && status === 200; i += 1) status = await client.attempt(client.batch(5));
    assert.equal(status, 503);
    assert.ok(client.acknowledged.length >= 40, `${client.acknowledged.length} taken before`);
    const stats = await admin(system.url, "/admin/outbox");
    assert.equal(stats.rows, client.acknowledged.length);
    assert.ok(stats.bytes <= stats.bytes_max, `${stats.bytes} of ${stats.bytes_max}`);
    assert.ok((await metrics(system.url)).of("hogflare_outbox_puts_full_total") > 0);
  });

  const until503 = async (path, body, headers = {}) => {
    for (;;) {
      const response = await system.post(path, body, headers);
      if (response.status !== 200) return response;
      await response.arrayBuffer();
    }
  };
  const event = () => ({ event: "e", distinct_id: "full", uuid: randomUUID(), properties: { pad: "x".repeat(8000) } });

  for (const path of ["/batch/", "/e/", "/i/v0/e/", "/capture/"]) {
    it(`${path} says so`, async () => {
      const response = await until503(path, { api_key: TOKEN, batch: [event()] });
      assert.equal(response.status, 503);
      assert.match(response.headers.get("retry-after"), /^[1-5]$/);
      assert.match(await response.text(), /retry/);
    });
  }

  it("/s/ says so", async () => {
    const data = [{ type: 3, data: { text: "x".repeat(8000) }, timestamp: Date.now() }];
    const snapshot = {
      event: "$snapshot",
      properties: { token: TOKEN, distinct_id: "full", $session_id: "session", $window_id: "window", $snapshot_data: data },
    };
    const response = await until503("/s/", [snapshot]);
    assert.equal(response.status, 503);
    assert.match(response.headers.get("retry-after"), /^[1-5]$/);
  });

  it("capture v1 tells it event by event", async () => {
    const one = { ...event(), timestamp: new Date().toISOString(), properties: { pad: "x".repeat(20_000) } };
    const response = await system.post(
      "/i/v1/analytics/events",
      { created_at: new Date().toISOString(), batch: [one] },
      {
        authorization: `Bearer ${TOKEN}`,
        "posthog-sdk-info": "posthog-node/5.0.0",
        "posthog-attempt": "1",
        "posthog-request-id": randomUUID(),
        "posthog-request-timestamp": new Date().toISOString(),
      },
    );
    const text = await response.text();
    assert.equal(response.status, 200, text);
    assert.equal(JSON.parse(text).results[one.uuid].result, "retry");
    assert.match(response.headers.get("retry-after"), /^[1-5]$/);
  });

  it("what was taken lands when the sink is back, and the service takes events again", async () => {
    await system.pipeline.fault({ clear: true });
    await settle(system);
    await client.send(client.batch(5));
    await settle(system);
    await assertAllLanded(system, client);
  });
});

describe("a deployment that cannot deliver at all", () => {
  for (const [name, vars, words] of [
    ["no sink for events", { CLOUDFLARE_PIPELINE_ENDPOINT: undefined }, /no sink for events: bind EVENTS_STREAM/],
    ["an endpoint that is no URL", { CLOUDFLARE_PIPELINE_ENDPOINT: "stream-id" }, /CLOUDFLARE_PIPELINE_ENDPOINT must be a URL/],
  ]) {
    it(`${name} is refused loudly: 503 on capture, and /healthz says what to do`, async () => {
      const broken = await startSystem({ vars: { ...vars, HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN } });
      try {
        const response = await broken.post("/batch/", { api_key: TOKEN, batch: [{ event: "e", distinct_id: "u" }] });
        assert.equal(response.status, 503);
        assert.match(await response.text(), /healthz/);
        const health = await broken.request("/healthz", { headers: asAdmin });
        assert.equal(health.status, 503);
        const answer = await health.json();
        assert.equal(answer.status, "error");
        assert.match(JSON.stringify(answer.problems), words);
        assert.deepEqual(await broken.rows(), []);
      } finally {
        await broken.stop();
      }
    });
  }
});
