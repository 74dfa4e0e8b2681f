// Rows of several requests in one send (js-shim/sends.js): every request hears of its own rows, and of
// nobody else's trouble.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { ABOUT_THE_ADDRESS, sendRows } from "../../js-shim/sends.js";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, assertAllLanded, Client, gateVariables, metrics, PASS, settle, startGate } from "./support.mjs";

let gate;
let system;
before(async () => {
  gate = await startGate();
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "3", ...gateVariables(gate) },
  });
  gate.target = system.pipeline.url;
});
after(async () => {
  await system.stop();
  gate.stop();
});
beforeEach(async () => {
  gate.decide = () => PASS;
  await system.reset();
  gate.sends.length = 0;
});

/** A gate whose sends wait until `release`; what has arrived is in gate.sends. */
function hold(answer = () => PASS) {
  let release = () => {};
  const released = new Promise((done) => (release = () => done(undefined)));
  gate.decide = async (send) => {
    await released;
    return answer(send);
  };
  return release;
}

const sendsArrived = (count) => eventually(() => gate.sends.length >= count, { what: `${count} sends` });
const rowsArrived = (count) => eventually(() => gate.sends.reduce((sum, send) => sum + send.rows, 0) >= count, { what: `${count} rows` });

/** Starts one request that is sent at once, then `count` that find it under way. */
async function startBehind(client, count, size = 2) {
  const first = client.attempt(client.batch(size));
  await sendsArrived(1);
  const rest = Array.from({ length: count }, () => client.attempt(client.batch(size)));
  return [first, ...rest];
}

describe("requests that come while a send is under way", () => {
  it("share sends, and each is answered when its rows are in", async () => {
    const release = hold();
    const client = new Client(system.url);
    let answered = 0;
    const requests = await startBehind(client, 24);
    for (const request of requests) request.then(() => (answered += 1));
    await rowsArrived(50);
    assert.ok(gate.sends.length < 25, `${gate.sends.length} sends for 25 requests`);
    assert.equal(answered, 0);
    release();
    assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
    assert.equal((await assertAllLanded(system, client)).copies, 0);
  });

  it("do not wait for a send that hangs", async () => {
    let open = () => {};
    const opened = new Promise((done) => (open = () => done(undefined)));
    gate.decide = async () => {
      if (gate.sends.length === 1) await opened;
      return PASS;
    };
    const client = new Client(system.url);
    const [first, ...rest] = await startBehind(client, 8);
    assert.deepEqual(new Set(await Promise.all(rest)), new Set([200]));
    open();
    assert.equal(await first, 200);
    await settle(system);
    await assertAllLanded(system, client);
  });

  it("are served when the client of the one that sends goes away", async () => {
    const release = hold();
    const client = new Client(system.url);
    const first = client.attempt(client.batch(2));
    await sendsArrived(1);
    const gone = new AbortController();
    const events = client.batch(2);
    const aborted = fetch(`${system.url}/batch/`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ api_key: TOKEN, batch: events }),
      signal: gone.signal,
    }).catch((error) => error.name);
    const rest = Array.from({ length: 6 }, () => client.attempt(client.batch(2)));
    await rowsArrived(16);
    gone.abort();
    assert.equal(await aborted, "AbortError");
    release();
    assert.deepEqual(new Set(await Promise.all([first, ...rest])), new Set([200]));
    await eventually(async () => (await system.rows()).length === 16, { what: "16 rows" });
    const landed = new Set((await system.rows()).map((row) => row.uuid));
    assert.ok(events.every((event) => landed.has(event.uuid)));
  });
});

describe("an answer to a send of several requests", () => {
  it("that fails is one failure; each request tries again", async () => {
    const count = (now, verdict) => now.of(`hogflare_sends_total{stream="events",verdict="${verdict}"}`);
    const before = await metrics(system.url);
    let failed = 0;
    const release = hold(({ rows }) => (rows.length > 2 && failed++ === 0 ? { status: 503 } : PASS));
    const client = new Client(system.url);
    const requests = await startBehind(client, 12);
    await rowsArrived(26);
    release();
    assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
    assert.equal(failed > 0, true, "a send of several requests failed");
    const now = await metrics(system.url);
    assert.equal(count(now, "transient") - count(before, "transient"), 1);
    assert.equal(now.of('hogflare_sends_skipped_total{stream="events"}'), 0, "the breaker stayed closed");
    assert.equal((await admin(system.url, "/admin/outbox")).rows, 0);
    assert.equal((await assertAllLanded(system, client)).copies, 0);
  });

  for (const status of [401, 403, 404]) {
    it(`answered ${status} is about the address: no row is sent again by itself`, async () => {
      const misconfigured = (now) => now.of('hogflare_sends_total{stream="events",verdict="misconfigured"}');
      const before = await metrics(system.url);
      let failed = 0;
      const release = hold(({ rows }) => (rows.length > 2 && failed++ === 0 ? { status } : PASS));
      const client = new Client(system.url);
      const requests = await startBehind(client, 12);
      await rowsArrived(26);
      release();
      assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
      assert.equal(failed > 0, true, "a send of several requests was refused");
      assert.equal(misconfigured(await metrics(system.url)) - misconfigured(before), 1);
      await settle(system);
      assert.equal((await assertAllLanded(system, client)).copies, 0);
    });
  }

  it("statuses about the address are the same here and in the core", () => {
    const source = readFileSync(new URL("../../src/delivery/sink.cpp", import.meta.url), "utf8");
    const [, list] = /kStatuses\[\] = \{([^}]*)\}/.exec(source);
    assert.deepEqual(list.split(",").map(Number), ABOUT_THE_ADDRESS);
  });

  it("that refuses a row is the answer to the request whose row it is", async () => {
    const isBad = ({ rows }) => rows.some((row) => row.event === "poison");
    const toOutbox = async () => (await metrics(system.url)).of('hogflare_rows_to_outbox_total{stream="events"}');
    const before = await toOutbox();
    const release = hold((send) => (isBad(send) ? { status: 400, body: "a bad row" } : PASS));
    const client = new Client(system.url);
    const poisoner = new Client(system.url, { name: "poisoner", event: "poison" });
    const requests = await startBehind(client, 12);
    requests.push(poisoner.attempt(poisoner.batch(1)));
    await rowsArrived(27);
    release();
    assert.deepEqual(new Set(await Promise.all(requests)), new Set([200]));
    assert.equal((await toOutbox()) - before, 1);
    gate.decide = (send) => (isBad(send) ? { status: 400, body: "a bad row" } : PASS);
    await settle(system);
    const figures = await assertAllLanded(system, [client, poisoner], { quarantined: poisoner.acknowledged });
    assert.equal(figures.copies, 0);
    assert.equal(figures.quarantined, 1);
  });
});

// No client can end a request of workerd in the middle of its send, so here the module runs by itself
// and the sender's fetch is one that never says anything, not even that it was aborted.
describe("a request that dies while it sends others' rows", () => {
  const env = { CLOUDFLARE_PIPELINE_ENDPOINT: "http://sink.invalid/" };
  const rowsOf = (name) => new TextEncoder().encode(`[{"event":"${name}"}]`);
  const send = (name, timeoutMs = 200) => sendRows(/** @type {any} */ ({ a: 0, c: timeoutMs, bytes: rowsOf(name) }), env);
  const real = globalThis.fetch;
  let bodies = [];
  const answer = async (_, { body }) => {
    bodies.push(new TextDecoder().decode(body));
    return new Response('{"success":true}');
  };
  const silence = (_, { body }) => {
    bodies.push(new TextDecoder().decode(body));
    return new Promise(() => {});
  };
  beforeEach(() => (bodies = []));
  after(() => (globalThis.fetch = real));

  it("costs them a time-out, and the next ones nothing", async () => {
    globalThis.fetch = silence;
    void send("a");
    void send("b");
    const behind = send("c");
    const result = await behind;
    assert.deepEqual(bodies, ['[{"event":"a"}]', '[{"event":"b"},{"event":"c"}]']);
    assert.equal(result.ok, false);
    assert.equal(result.status, 0);
    assert.match(new TextDecoder().decode(result.body), /no answer within 200 ms/);
    globalThis.fetch = answer;
    assert.equal((await send("d")).ok, true);
    assert.equal(bodies.at(-1), '[{"event":"d"}]');
  });

  it("before its turn has come costs them the wait alone", async () => {
    globalThis.fetch = silence;
    void send("a");
    await sleep(1);
    // Waits and is told to send, but its fetch is lost; whoever waited longer than it goes by itself.
    void send("b");
    await sleep(60);
    globalThis.fetch = answer;
    const [c, d] = await Promise.all([send("c"), send("d")]);
    assert.ok(c.ok && d.ok);
    assert.deepEqual(
      bodies
        .slice(2)
        .join("")
        .match(/"[cd]"/g),
      ['"c"', '"d"'],
    );
  });
});
