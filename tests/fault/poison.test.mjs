// Answers of a sink that will not change by waiting: too large, refused rows, a wrong token.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { eventually, startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, asAdmin, admin, assertAllLanded, Client, gateVariables, PASS, settle, startGate } from "./support.mjs";

let gate;
let system;
before(async () => {
  gate = await startGate();
  system = await startSystem({
    vars: {
      ...gateVariables(gate),
      HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN,
      CLOUDFLARE_PIPELINE_AUTH_TOKEN: "pipeline-token",
    },
  });
  gate.target = system.pipeline.url;
  gate.token = "pipeline-token";
});
after(async () => {
  await system.stop();
  gate.stop();
});
beforeEach(async () => {
  await system.reset();
  gate.sends = [];
  gate.decide = () => PASS;
});

describe("413", () => {
  it("a send is halved until its parts fit, in the request, in order, without copies", async () => {
    gate.decide = ({ rows }) => (rows.length > 10 ? { status: 413 } : PASS);
    const client = new Client(system.url);
    assert.equal(await client.send(client.batch(64)), 1);
    assert.equal((await admin(system.url, "/admin/outbox")).rows, 0);
    assert.equal((await assertAllLanded(system, client)).copies, 0);
    assert.ok(gate.sends.every(({ rows }) => [64, 32, 16, 8].includes(rows)));
    const numbers = (await system.rows()).map((row) => row.properties.n);
    // Parts travel at once, so order holds within each of them.
    for (let i = 0; i < numbers.length; i += 8) {
      const part = numbers.slice(i, i + 8);
      assert.deepEqual(
        part,
        [...part].sort((a, b) => a - b),
      );
    }
  });

  it("rows of 900 kB travel in sends of at most 4 MiB", async () => {
    const client = new Client(system.url);
    const pad = "x".repeat(440_000);
    await client.send(client.batch(12, { properties: { pad, more: pad.slice(40_000) } }));
    await settle(system);
    assert.equal((await assertAllLanded(system, client)).landed, 12);
    assert.ok(gate.sends.length >= 2);
    for (const { bytes } of gate.sends) assert.ok(bytes <= 4 << 20, `${bytes} bytes`);
  });
});

describe("a row the sink refuses", () => {
  it("is found by halving; only it is quarantined, and redriven when it may pass", async () => {
    const refuse = ({ rows }) => (rows.some((row) => row.event === "poison") ? { status: 400, body: "cannot parse a row" } : PASS);
    gate.decide = refuse;
    const client = new Client(system.url);
    const events = client.batch(100);
    events[37].event = "poison";
    assert.equal(await client.send(events), 1);
    const held = await eventually(
      async () => {
        const stats = await admin(system.url, "/admin/outbox");
        return stats.sends === 0 && stats.quarantine_rows === 1 ? stats : null;
      },
      { what: "one quarantined row" },
    );
    assert.ok(held.quarantine_bytes > 0);
    const quarantine = await admin(system.url, "/admin/quarantine");
    assert.equal(quarantine.total, 1);
    const [entry] = quarantine.shards.flatMap((shard) => shard.rows);
    assert.equal(entry.row.uuid, events[37].uuid);
    assert.equal(entry.stream, "events");
    assert.equal(entry.status, 400);
    assert.match(entry.reason, /cannot parse a row/);
    const figures = await assertAllLanded(system, client, { quarantined: [events[37].uuid] });
    assert.equal(figures.landed, 99);
    assert.equal(figures.copies, 0);

    // Sent again too early it comes back; nothing is lost by trying.
    assert.equal((await admin(system.url, "/admin/quarantine/redrive", { method: "POST" })).moved, 1);
    await settle(system);
    assert.equal((await admin(system.url, "/admin/quarantine")).total, 1);

    gate.decide = () => PASS;
    assert.equal((await admin(system.url, "/admin/quarantine/redrive", { method: "POST" })).moved, 1);
    await settle(system);
    assert.equal((await admin(system.url, "/admin/quarantine")).total, 0);
    assert.equal((await assertAllLanded(system, client)).landed, 100);
  });

  it("several of them in several sends do not hold up the others", async () => {
    gate.decide = ({ rows }) => (rows.some((row) => row.properties.n % 25 === 7) ? { status: 422 } : PASS);
    const client = new Client(system.url);
    const sent = [];
    for (let i = 0; i < 4; i += 1) {
      const events = client.batch(50);
      sent.push(...events);
      await client.send(events);
    }
    await settle(system);
    const poison = sent.filter((event) => event.properties.n % 25 === 7).map((event) => event.uuid);
    assert.equal((await admin(system.url, "/admin/quarantine")).total, poison.length);
    assert.equal((await assertAllLanded(system, client, { quarantined: poison })).landed, 192);
    gate.decide = () => PASS;
    await admin(system.url, "/admin/quarantine/redrive", { method: "POST" });
    await settle(system);
    await assertAllLanded(system, client);
  });
});

describe("a wrong token", () => {
  it("rows wait, /healthz tells, nothing is quarantined, and all land once it is right", async () => {
    let right = "Bearer another-token";
    gate.decide = ({ authorization }) => (authorization === right ? PASS : { status: 401, body: '{"success":false}' });
    const client = new Client(system.url);
    for (let i = 0; i < 3; i += 1) assert.equal(await client.send(client.batch(10)), 1);
    assert.deepEqual(await system.rows(), []);
    const drained = await admin(system.url, "/admin/outbox/drain", { method: "POST" });
    assert.ok(drained.failures > 0);
    assert.equal(drained.rows_quarantined, 0);
    const health = await eventually(
      async () => {
        const answer = await (await system.request("/healthz", { headers: asAdmin })).json();
        return answer.outbox.rows === 30 ? answer : null;
      },
      { what: "/healthz with the waiting rows" },
    );
    assert.equal(health.status, "degraded");
    assert.match(JSON.stringify(health.problems), /events.*401/);
    assert.equal(health.outbox.streams.events.last_status, 401);
    assert.equal(health.outbox.quarantine_rows, 0);

    right = "Bearer pipeline-token";
    await settle(system);
    assert.equal((await assertAllLanded(system, client)).landed, 30);
  });
});
