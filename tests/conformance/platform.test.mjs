// The local runtime refuses what Cloudflare refuses, and what the product does about it: the turn is
// undone, its client is told to try again or why not, and nothing traps.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { platformLimits, workerOptions } from "../../scripts/lib/worker.mjs";

const limits = platformLimits();
const ADMIN = { authorization: "Bearer admin" };

/** @param {any} system how often its core has trapped */
async function traps(system) {
  const text = await (await system.request("/metrics", { headers: ADMIN })).text();
  return Number(/^hogflare_traps_total(?:\{[^}]*\})? (\d+)/m.exec(text)?.[1]);
}

const people = (count) => Array.from({ length: count }, (_, n) => ({ event: "e", distinct_id: `p${n}`, properties: {} }));

/** A system with smaller numbers for one describe. */
function withPlatform(platform, vars = {}) {
  const held = /** @type {{system: any}} */ ({ system: null });
  before(async () => {
    held.system = await startSystem({ platform, vars: { HOGFLARE_ADMIN_TOKEN: "admin", ...vars } });
  });
  after(async () => {
    await held.system?.stop();
  });
  return held;
}

describe("a value that the storage does not take", () => {
  const held = withPlatform({ object_value_bytes: 3_000 });
  it("undoes that turn, is answered as retryable, and traps nothing", async () => {
    const { system } = held;
    const set = (id, size) =>
      system.post("/batch/", { api_key: "k", batch: [{ event: "$set", distinct_id: id, properties: { $set: { v: "x".repeat(size) } } }] });
    assert.equal((await set("a", 100)).status, 200);
    assert.equal((await set("a", 20_000)).status, 503);
    assert.equal((await set("b", 100)).status, 200);
    assert.equal((await set("a", 200)).status, 200);
    assert.equal(await traps(system), 0);
  });
});

describe("a key that the storage does not take", () => {
  const held = withPlatform({ object_key_bytes: 1 });
  it("is answered as retryable, and traps nothing", async () => {
    const { system } = held;
    const response = await system.post("/batch/", {
      api_key: "k",
      batch: [{ event: "$identify", distinct_id: "a", properties: { $anon_distinct_id: "b", $set: { v: 1 } } }],
    });
    assert.equal(response.status, 503);
    assert.equal(await traps(system), 0);
  });
});

describe("more subrequests than an invocation may make", () => {
  const held = withPlatform({ subrequests: 20 });
  it("are refused as failed calls, and the next request has its own budget", async () => {
    const { system } = held;
    const response = await system.post("/batch/", { api_key: "k", batch: people(40) });
    assert.ok([413, 503].includes(response.status), String(response.status));
    assert.equal((await system.post("/batch/", { api_key: "k", batch: people(3) })).status, 200);
    assert.equal(await traps(system), 0);
  });
});

describe("more fetches than an invocation may make", () => {
  const held = withPlatform({ external: 0 });
  it("leaves rows in the outbox", async () => {
    const { system } = held;
    assert.equal((await system.post("/batch/", { api_key: "k", batch: people(2) })).status, 200);
    const outbox = await (await system.request("/admin/outbox", { headers: ADMIN })).json();
    assert.equal(outbox.rows, 4, "two events and two people");
    assert.deepEqual(await system.rows(), []);
  });
});

describe("one connection", () => {
  const held = withPlatform({ connections: 1 });
  it("queues sends, and all rows land", async () => {
    const { system } = held;
    const batch = [...people(3), { event: "", distinct_id: "bad" }];
    assert.equal((await system.post("/batch/", { api_key: "k", batch })).status, 200);
    assert.equal((await system.rows(3)).length, 3);
    assert.equal((await system.stream("rejects", 1)).length, 1);
  });
});

describe("calls of objects that are too large to carry", () => {
  const held = withPlatform({ rpc_bytes: 2_000 });
  it("fail as calls, and trap nothing", async () => {
    const { system } = held;
    const batch = [{ event: "$set", distinct_id: "a", properties: { $set: { v: "x".repeat(5_000) } } }];
    assert.equal((await system.post("/batch/", { api_key: "k", batch })).status, 503);
    assert.equal(await traps(system), 0);
  });
});

describe("what the edge refuses", () => {
  const held = withPlatform({ request_body_bytes: 10_000, response_headers_bytes: 1_000_000 });
  it("an address, headers and a body above the limits never reach the Worker", async () => {
    const { system } = held;
    const url = `/flags?v=2&pad=${"x".repeat(limits.url_bytes)}`;
    assert.equal((await system.request(url)).status, 414);
    assert.equal((await system.post("/batch/", { api_key: "k", batch: people(200) })).status, 413);
  });
});

describe("variables", () => {
  it("above 5 KB or 128 of them are not deployed", () => {
    const options = (vars) => () => workerOptions({ stateDir: "unused", vars });
    assert.throws(options({ HOGFLARE_PROJECTS: "x".repeat(limits.variable_bytes + 1) }), /HOGFLARE_PROJECTS/);
    assert.throws(options(Object.fromEntries(Array.from({ length: 129 }, (_, n) => [`V${n}`, ""]))), /129 variables/);
  });
});
