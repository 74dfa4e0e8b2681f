// AI capture, the seed's /identify, /alias and /groups in all their shapes, and fields of capture v0 that
// need more than one request to see (W-2.5, W-5).
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event, FORM, nothingBad, refused, single, stored } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem({ vars: { POSTHOG_GROUP_TYPE_0: "company" } });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

describe("AI capture", () => {
  for (const path of ["/i/v0/ai/batch", "/i/v0/ai/batch/"]) {
    it(`${path} keeps the client's uuid`, async () => {
      const uuid = randomUUID();
      const sent = event({ event: "$ai_generation", uuid, properties: { $ai_model: "m", $ai_input: [{ role: "user" }] } });
      const [row] = await stored(system, await system.post(path, batch([sent])), 1);
      assert.equal(row.uuid, uuid);
      assert.deepEqual(row.properties.$ai_input, [{ role: "user" }]);
    });
  }
  it("an event of another kind is taken too", async () => {
    await stored(system, await system.post("/i/v0/ai/batch/", batch([event()])), 1);
  });
});

describe("the seed's /identify", () => {
  /** @type {[string, Record<string, unknown>][]} */
  const shapes = [
    ["bare properties", { properties: { plan: "pro" } }],
    ["$set inside properties", { properties: { $set: { plan: "pro" } } }],
    ["$set beside them", { $set: { plan: "pro" }, properties: {} }],
    ["an event's form", { event: "$identify", properties: { $set: { plan: "pro" } } }],
  ];
  for (const [name, fields] of shapes) {
    it(`${name} are the person's`, async () => {
      const id = randomUUID();
      const [row] = await stored(system, await system.post("/identify", { api_key: TOKEN, distinct_id: id, ...fields }), 1);
      assert.equal(row.event, "$identify");
      assert.equal(row.distinct_id, id);
      assert.equal(row.person_properties.plan, "pro");
      assert.ok(row.person_id);
    });
  }

  it("an anonymous id is merged", async () => {
    const [anonymous, user] = [randomUUID(), randomUUID()];
    await system.post("/e/", single({ distinct_id: anonymous }));
    const sent = { api_key: TOKEN, distinct_id: user, $anon_distinct_id: anonymous, properties: { a: 1 } };
    assert.equal((await system.post("/identify", sent)).status, 200);
    await system.post("/e/", single({ distinct_id: user }));
    const rows = await system.rows(3);
    assert.equal(rows.length, 3);
    assert.equal(rows[0].person_id, rows[2].person_id);
  });

  it("a form and a batch of them", async () => {
    const sent = { api_key: TOKEN, distinct_id: "formed", properties: { plan: "pro" } };
    const form = `data=${encodeURIComponent(JSON.stringify(sent))}`;
    await stored(system, await system.post("/identify/", form, FORM), 1);
    await system.reset();
    const rows = await stored(system, await system.post("/identify", batch([sent, { ...sent, distinct_id: "second" }])), 2);
    assert.deepEqual(
      rows.map((row) => row.event),
      ["$identify", "$identify"],
    );
  });

  it("no distinct_id is refused", async () => {
    await refused(system, await system.post("/identify", { api_key: TOKEN, properties: {} }), 400, /distinct_id/);
  });
});

describe("the seed's /alias", () => {
  for (const [name, fields] of /** @type {[string, (alias: string) => Record<string, unknown>][]} */ ([
    ["alias at the root", (alias) => ({ alias })],
    ["alias in properties", (alias) => ({ properties: { alias } })],
    ["an event's form", (alias) => ({ event: "$create_alias", properties: { alias } })],
  ])) {
    it(`${name} joins two ids`, async () => {
      const [id, alias] = [randomUUID(), randomUUID()];
      await system.post("/e/", single({ distinct_id: id }));
      const response = await system.post("/alias", { api_key: TOKEN, distinct_id: id, ...fields(alias) });
      assert.equal(response.status, 200, await response.text());
      await system.post("/e/", single({ distinct_id: alias }));
      const rows = await system.rows();
      assert.deepEqual(
        rows.map((row) => row.event),
        ["testing", "$create_alias", "testing"],
      );
      assert.equal(rows[0].person_id, rows[2].person_id);
    });
  }
});

describe("the seed's /groups", () => {
  /** @type {[string, (key: string) => Record<string, unknown>][]} */
  const shapes = [
    ["type and key at the root", (key) => ({ group_type: "company", group_key: key, properties: { size: 12 } })],
    [
      "an event's form",
      (key) => ({
        event: "$groupidentify",
        distinct_id: "u",
        properties: { $group_type: "company", $group_key: key, $group_set: { size: 12 } },
      }),
    ],
  ];
  for (const [name, fields] of shapes) {
    it(`${name}: the group's properties are on later events`, async () => {
      const key = randomUUID();
      const response = await system.post("/groups", { api_key: TOKEN, ...fields(key) });
      assert.equal(response.status, 200, await response.text());
      await system.post("/e/", single({ event: "visit", properties: { $groups: { company: key } } }));
      const rows = await system.rows();
      assert.equal(rows[0].event, "$groupidentify");
      const visit = rows.find((row) => row.event === "visit");
      assert.equal(visit.group0, key);
      assert.deepEqual(visit.group_properties.company, { size: 12 });
    });
  }
});

describe("fields of capture v0", () => {
  it("the same uuid sent twice is one event in the deduplicating view", async () => {
    const sent = batch([event({ uuid: randomUUID() })]);
    await system.post("/batch/", sent);
    await system.post("/batch/", sent);
    assert.equal((await system.rows(2)).length, 2);
    const [count] = await system.sql("SELECT count(*) AS n FROM events_deduplicated");
    assert.equal(Number(count.n), 1);
  });

  it("$set and $set_once count at the root and in properties", async () => {
    const id = randomUUID();
    const events = [
      event({ distinct_id: id, $set: { a: 1 }, $set_once: { first: 1 } }),
      event({ distinct_id: id, properties: { $set: { b: 2 }, $set_once: { first: 2 } } }),
      event({ distinct_id: id, event: "$set", properties: { $unset: ["a"] } }),
    ];
    const rows = await stored(system, await system.post("/batch/", batch(events)), 3);
    assert.deepEqual([rows[1].person_properties.a, rows[1].person_properties.b, rows[1].person_properties.first], [1, 2, 1]);
    assert.equal(rows[2].person_properties.a, undefined);
  });

  it("a wrapper's token wins over its events'", async () => {
    const [row] = await stored(system, await system.post("/batch/", batch([event({ token: "phc_other" })])), 1);
    assert.equal(row.api_key, TOKEN);
  });

  it("any well-formed token is taken without configured projects", async () => {
    const [row] = await stored(system, await system.post("/e/", single({ token: "phc_never_seen" })), 1);
    assert.equal(row.api_key, "phc_never_seen");
    assert.equal(row.team_id, 1);
  });

  it("the address is Cloudflare's word, else the first hop", async () => {
    const headers = { "x-forwarded-for": "203.0.113.1, 10.0.0.1" };
    await system.post("/e/", single(), headers);
    await system.post("/e/", single(), { ...headers, "cf-connecting-ip": "203.0.113.2" });
    const rows = await system.rows();
    assert.deepEqual(rows.map((row) => row.properties.$ip).slice(1), ["203.0.113.2"]);
    assert.ok(["203.0.113.1", "127.0.0.1", "::1"].includes(rows[0].properties.$ip));
  });

  for (const [name, id] of /** @type {[string, unknown][]} */ ([
    ["null", null],
    ["spaces", "   "],
    ["an empty text", ""],
  ])) {
    it(`a distinct_id of ${name} is missing`, async () => {
      await refused(system, await system.post("/e/", single({ distinct_id: id })), 400, /without a distinct_id/);
    });
  }

  it("context and custom properties arrive as they are", async () => {
    const properties = { s: "2025-01-02T03:04:05+05:30", n: 1.5, b: false, z: null, a: [1, { b: 2 }] };
    const [row] = await stored(system, await system.post("/e/", single({ properties, context: { page: 1 } })), 1);
    for (const [name, value] of Object.entries(properties)) assert.deepEqual(row.properties[name], value, name);
    assert.deepEqual(row.context, { page: 1 });
  });
});
