// An unmodified posthog-node client against local workerd.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { PostHog } from "posthog-node";
import { startSystem, TOKEN } from "../lib/harness.mjs";

let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());

describe("posthog-node", () => {
  it("captures, identifies and flushes; the person stays the same", async () => {
    const client = new PostHog(TOKEN, { host: system.url });
    client.capture({ distinctId: "node-user", event: "purchase", properties: { amount: 29.99 } });
    client.identify({ distinctId: "node-user", properties: { email: "n@example.com" } });
    client.capture({ distinctId: "node-user", event: "upgraded" });
    await client.shutdown();

    const rows = await system.rows();
    assert.deepEqual(
      rows.map((row) => row.event),
      ["purchase", "$identify", "upgraded"],
    );
    assert.equal(new Set(rows.map((row) => row.person_id)).size, 1);
    assert.equal(rows[0].properties.amount, 29.99);
    assert.equal(rows[2].person_properties.email, "n@example.com");
    for (const row of rows) {
      assert.equal(row.distinct_id, "node-user");
      assert.equal(row.properties.$lib, "posthog-node");
      assert.ok(Math.abs(Date.now() - Date.parse(row.timestamp)) < 60_000);
    }
    assert.deepEqual(await system.bad(), []);
  });

  it("aliases and groups", async () => {
    const client = new PostHog(TOKEN, { host: system.url });
    client.capture({ distinctId: "first-id", event: "before" });
    client.alias({ distinctId: "first-id", alias: "second-id" });
    client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { size: 12 }, distinctId: "first-id" });
    await client.flush();
    client.capture({ distinctId: "second-id", event: "after", groups: { company: "acme" } });
    await client.shutdown();

    const rows = (await system.rows()).filter((row) => ["before", "after"].includes(row.event));
    assert.equal(rows[0].person_id, rows[1].person_id);
    assert.equal(rows[1].group0, "acme");
    assert.equal(rows[1].group_properties.company.size, 12);
  });
});
