// Sinks as Worker bindings: send(records), as a stream of Cloudflare Pipelines. Miniflare's own stream
// binding takes anything and forgets it, so here each is a Worker with that method which posts to the
// fake pipeline and fails as the fake pipeline does.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, asAdmin, assertAllLanded, Client, metrics, settle, startGate } from "./support.mjs";

const STREAM_WORKER = `
  import { WorkerEntrypoint } from "cloudflare:workers";
  class Stream extends WorkerEntrypoint {
    async post(path, records) {
      if (!Array.isArray(records)) throw new TypeError("records must be an array");
      const response = await fetch(this.env.SINK + path, { method: "POST", body: JSON.stringify(records) });
      if (!response.ok) throw new Error("stream answered " + response.status);
    }
  }
  export class Events extends Stream { send(records) { return this.post("/", records); } }
  export class Persons extends Stream { send(records) { return this.post("/streams/persons", records); } }
  export class Rejects extends Stream { send(records) { return this.post("/streams/rejects", records); } }
  export class DistinctIds extends Stream { send(records) { return this.post("/streams/distinct_ids", records); } }
  export default { fetch: () => new Response(null, { status: 404 }) };`;

let gate;
let unused;
let system;
before(async () => {
  gate = await startGate();
  unused = await startGate();
  system = await startSystem({
    vars: {
      HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN,
      CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "2",
      // Must lose against the bindings.
      CLOUDFLARE_PIPELINE_ENDPOINT: `${unused.url}/`,
      CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: "not a URL, and never looked at",
      CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT: undefined,
    },
    extra: {
      serviceBindings: {
        EVENTS_STREAM: { name: "streams", entrypoint: "Events" },
        PERSONS_STREAM: { name: "streams", entrypoint: "Persons" },
        REJECTS_STREAM: { name: "streams", entrypoint: "Rejects" },
        DISTINCT_IDS_STREAM: { name: "streams", entrypoint: "DistinctIds" },
      },
    },
    others: [
      {
        name: "streams",
        modules: true,
        script: STREAM_WORKER,
        compatibilityDate: "2026-09-15",
        bindings: { SINK: gate.url },
      },
    ],
  });
  gate.target = system.pipeline.url;
});
after(async () => {
  await system.stop();
  gate.stop();
  unused.stop();
});
beforeEach(() => system.reset());

describe("streams that are bound", () => {
  it("win over endpoints, all four", async () => {
    const health = await (await system.request("/healthz", { headers: asAdmin })).json();
    assert.deepEqual(health.configuration.sinks, { events: "binding", persons: "binding", rejects: "binding", distinct_ids: "binding" });
    assert.deepEqual(health.problems, []);
  });

  it("take the very rows an endpoint takes", async () => {
    const client = new Client(system.url);
    await client.send(client.batch(50, { bad: 5, personless: false, properties: { text: "grüße 🦔", price: 1.5 } }));
    const figures = await assertAllLanded(system, client);
    assert.equal(figures.landed, 45);
    assert.equal(figures.copies, 0);
    assert.ok((await system.stream("persons")).length > 0);
    const rows = await system.rows();
    assert.deepEqual(
      rows.map((row) => row.properties.n),
      Array.from({ length: 45 }, (_, i) => i + 5),
    );
    assert.equal(rows[0].properties.text, "grüße 🦔");
    assert.equal(unused.sends.length, 0);
  });

  it("that throw once are asked again within the request", async () => {
    await system.pipeline.fault({ stream: "events", count: 1, status: 503 });
    const client = new Client(system.url);
    assert.equal(await client.send(client.batch(10)), 1);
    assert.equal((await assertAllLanded(system, client)).copies, 0);
    assert.equal((await admin(system.url, "/admin/outbox")).rows, 0);
  });

  it("that hang cost one time-out; the rows go through the outbox", async () => {
    await system.pipeline.fault({ stream: "events", count: 1, hang_after_commit: true });
    const client = new Client(system.url);
    assert.equal(await client.send(client.batch(10)), 1);
    assert.equal((await metrics(system.url)).of('hogflare_send_timeouts_total{stream="events"}'), 1);
    await settle(system);
    assert.equal((await assertAllLanded(system, client)).copies, 10);
  });

  it("that throw for long: the outbox keeps and delivers", async () => {
    await system.pipeline.fault({ stream: "events", count: 5, status: 500 });
    const client = new Client(system.url);
    for (let i = 0; i < 3; i += 1) assert.equal(await client.send(client.batch(10)), 1);
    await settle(system, { drain: false });
    assert.equal((await assertAllLanded(system, client)).landed, 30);
  });
});
