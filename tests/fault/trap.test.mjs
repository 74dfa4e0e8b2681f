// The core traps: nobody gets a 200 that was not earned, and the next request works.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import {
  ADMIN_TOKEN,
  admin,
  asAdmin,
  assertAllLanded,
  Client,
  gateVariables,
  inParallel,
  metrics,
  PASS,
  settle,
  startGate,
} from "./support.mjs";

let gate;
let system;
const logs = [];
before(async () => {
  gate = await startGate();
  system = await startSystem({
    main: "tests/fault/trap_worker.js",
    vars: {
      HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN,
      CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "30",
      HOGFLARE_ANSWER_WITHIN_SECS: "60",
      ...gateVariables(gate),
    },
    onLog: (log) => logs.push(log),
  });
  gate.target = system.pipeline.url;
});
after(async () => {
  await system.stop();
  gate.stop();
});
beforeEach(() => system.reset());

const trap = async () => {
  const response = await system.post("/trap", {});
  assert.equal(response.status, 500);
  assert.match(await response.text(), /reset after a trap/);
};
const traps = async () => (await metrics(system.url)).of("hogflare_traps_total");

describe("a trap", () => {
  it("while requests wait for the sink: each is answered 503, and their retries land once", async () => {
    // Rows are stored at once and answered for after the trap.
    let release = () => {};
    const trapped = new Promise((done) => (release = () => done(undefined)));
    gate.decide = async ({ rows }) => {
      await fetch(`${system.pipeline.url}/`, { method: "POST", body: JSON.stringify(rows) });
      await trapped;
      return { status: 200, body: '{"success":true}' };
    };
    const client = new Client(system.url);
    const batches = [0, 1, 2, 3].map(() => client.batch(10));
    const first = batches.map((events) => client.attempt(events));
    await eventually(async () => (await system.rows()).length === 40, { everyMs: 20 });
    await trap();
    release();
    assert.deepEqual(await Promise.all(first), [503, 503, 503, 503]);
    assert.deepEqual(client.acknowledged, []);
    gate.decide = () => PASS;
    for (const events of batches) await client.send(events);
    await settle(system);
    const figures = await assertAllLanded(system, client);
    assert.equal(figures.landed, 40);
    assert.equal(figures.copies, 40); // the sends before the trap had arrived
  });

  it("is counted, logged and shown, and the configuration is there again", async () => {
    const before = await traps();
    await trap();
    await trap();
    assert.equal(await traps(), before + 2);
    assert.equal((await (await system.request("/healthz", { headers: asAdmin })).json()).traps, before + 2);
    const lines = logs.flatMap((log) => log.message.split("\n")).filter((line) => line.includes("core_trap"));
    assert.ok(lines.length >= 2);
    assert.equal(JSON.parse(lines.at(-1)).level, "error");
  });

  it("tells the assertion with its place: in the log and, with the time, on /healthz", async () => {
    await trap();
    const told = /assertion failed: input\.size\(\) >= sizeof seed \(src\/wasm\/module\.cpp:\d+\)/;
    const health = await (await system.request("/healthz", { headers: asAdmin })).json();
    const problem = health.problems.find(({ message }) => told.test(message));
    assert.match(problem.message, /at 20\d\d-\d\d-\d\dT[\d:.]+Z/);
    assert.equal(health.status, "degraded");
    assert.equal((await (await system.request("/healthz")).json()).status, "degraded");
    const lines = logs.flatMap((log) => log.message.split("\n")).filter((line) => line.includes("core_trap"));
    assert.match(JSON.parse(lines.at(-1)).message, told);
  });

  it("is not repeated by the same body: refused with the reason, any other is taken", async () => {
    const origin = { origin: "https://www.example.com" };
    const body = (n) => ({ token: TOKEN, event: "$identify", distinct_id: `trapping-${n}`, properties: { $set: { n } } });
    const before = await traps();
    assert.equal((await system.post("/e/", body(1), { "x-trap": "1" })).status, 503);
    assert.equal(await traps(), before + 1);
    for (const path of ["/e/", "/e/?_=2&retry_count=1", "/batch/"]) {
      const refused = await system.post(path, body(1), { "x-trap": "1", ...origin });
      assert.equal(refused.status, 413);
      assert.match(await refused.text(), /refused for ten minutes/);
      assert.equal(refused.headers.get("access-control-allow-origin"), origin.origin);
      assert.equal(refused.headers.get("retry-after"), null);
    }
    assert.equal((await system.post("/e/", body(2))).status, 200);
    assert.equal(await traps(), before + 1);
  });

  it("of a request without a body refuses that query, not every request without a body", async () => {
    const query = (n) => {
      const event = { token: TOKEN, event: "$identify", distinct_id: `in-query-${n}`, properties: { $set: { n } } };
      return `/e/?data=${encodeURIComponent(Buffer.from(JSON.stringify(event)).toString("base64"))}`;
    };
    const before = await traps();
    assert.equal((await system.request(query(1), { headers: { "x-trap": "1" } })).status, 503);
    assert.equal((await system.request(`${query(1)}&_=17`, { headers: { "x-trap": "1" } })).status, 400);
    assert.equal((await system.request(query(2))).status, 200);
    assert.equal((await system.request("/_liveness")).status, 200);
    assert.equal(await traps(), before + 1);
  });

  it("does not come of a clock that jumps: a request whose task was let go is answered 503", async () => {
    const before = await traps();
    const body = { token: TOKEN, event: "$identify", distinct_id: "late", properties: { $set: { a: 1 } } };
    const late = await system.post("/e/", body, { "x-clock": "400000", origin: "https://www.example.com" });
    assert.equal(late.status, 503);
    assert.equal(late.headers.get("access-control-allow-origin"), "https://www.example.com");
    assert.equal((await system.post("/e/", body)).status, 200);
    assert.equal(await traps(), before);
  });

  it("in a browser's request carries CORS, so that its SDK sees the 503 and retries", async () => {
    await system.pipeline.fault({ count: 1, delay_ms: 20_000 });
    const pending = system.post("/e/", { token: TOKEN, event: "e", distinct_id: "u" }, { origin: "https://www.example.com" });
    await eventually(async () => (await system.pipeline.json("/health")).faults === 0);
    await trap();
    const response = await pending;
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "1");
    assert.equal(response.headers.get("access-control-allow-origin"), "https://www.example.com");
  });

  it("again and again under load loses nothing", async () => {
    const client = new Client(system.url);
    let done = false;
    let broken = 0;
    const breaking = (async () => {
      // As fast as the machine lets something through between two traps: a slow one would never get anywhere.
      while (!done) {
        const taken = client.acknowledged.length;
        await sleep(60);
        while (!done && client.acknowledged.length === taken) await sleep(20);
        await trap();
        broken += 1;
      }
    })();
    // As long as it takes until traps have hit requests.
    let sent = 0;
    try {
      do {
        await inParallel(60, 6, () => client.send(client.batch(20, { bad: 1, personless: false }), { pauseMs: 20 }));
        sent += 1200;
      } while ((client.answers.get(503) ?? 0) === 0 || broken <= 3);
    } finally {
      done = true;
      await breaking;
    }
    await settle(system);
    const figures = await assertAllLanded(system, client);
    assert.equal(figures.accepted, sent);
  });
});

describe("an object's turn in which something breaks", () => {
  for (const [what, path, trapped] of [
    ["a trap", "/trap-in-object", 1],
    ["a refused write", "/refuse-in-object", 0],
  ]) {
    it(`${what} undoes what the turn had written, and the request finds another shard`, async () => {
      await system.pipeline.fault({ seconds: 600, status: 503 });
      const before = await traps();
      const undone = () => logs.filter(({ message }) => message.includes("object_turn_undone")).length;
      const undoneBefore = undone();
      await system.post(path, {});
      const client = new Client(system.url);
      // Many, so that the shard that broke gets some of them: what was left in it would go out too.
      for (let i = 0; i < 40; i += 1) await client.send(client.batch(2));
      assert.equal(await traps(), before + trapped);
      await eventually(() => undone() === undoneBefore + 1 - trapped, { what: "the log's word" });
      assert.equal((await admin(system.url, "/admin/outbox")).rows, 80);
      await system.pipeline.fault({ clear: true });
      // By alarms alone: a drain beside an alarm may send what that has on its way.
      await settle(system, { drain: false });
      const figures = await assertAllLanded(system, client);
      assert.equal(figures.landed, 80);
      assert.equal(figures.copies, 0, "the half-written put was sent as well");
    });
  }

  it("an alarm that the platform refuses fails the calls of that object, and nothing is left unhandled", async () => {
    await system.pipeline.fault({ seconds: 600, status: 503 });
    const before = await traps();
    await system.post("/refuse-alarm", {});
    const client = new Client(system.url);
    for (let i = 0; i < 8; i += 1) await client.send(client.batch(2), { pauseMs: 20 });
    await eventually(() => logs.some(({ message }) => /object_turn_undone.*the alarm broke/.test(message)), {
      what: "the log's word",
    });
    assert.equal(await traps(), before);
    assert.ok(!logs.some(({ message }) => /unhandled/i.test(message)));
    await system.pipeline.fault({ clear: true });
    await settle(system);
    await assertAllLanded(system, client);
  });

  it("a trap there refuses the body that brought it about, and no other of that person", async () => {
    const body = (n) => ({
      token: TOKEN,
      event: "$identify",
      distinct_id: "in-person",
      properties: { $anon_distinct_id: `anon-${n}` },
    });
    const before = await traps();
    await system.post("/trap-in-person", {});
    assert.equal((await system.post("/e/", body(1))).status, 503);
    assert.equal(await traps(), before + 1);
    const refused = await system.post("/e/", body(1));
    assert.equal(refused.status, 413);
    assert.match(await refused.text(), /refused for ten minutes/);
    await eventually(async () => (await system.post("/e/", body(2))).status === 200, { what: "another body's turn" });
    assert.equal(await traps(), before + 1);
  });
});

describe("a document of flags that traps the core", () => {
  const KEY = "flags";
  const BAD = JSON.stringify({ timezone: "Trap/Zone", flags: [{ key: "bad", filters: { groups: [{}] } }] });
  const good = (key) => JSON.stringify({ flags: [{ key, filters: { groups: [{}] } }] });
  const question = { token: TOKEN, distinct_id: "u" };
  const name = createHash("sha1").update(BAD).digest("hex");

  async function withFlags(vars, test) {
    const own = await startSystem({ main: "tests/fault/trap_worker.js", vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, ...vars } });
    try {
      await test(own, {
        trapCount: async () => (await metrics(own.url)).of("hogflare_traps_total"),
        problems: async () =>
          (await (await own.request("/healthz", { headers: asAdmin })).json()).problems.map(({ message }) => message ?? ""),
      });
    } finally {
      await own.stop();
    }
  }

  it("is refused by its name, the one before it stays, and nobody who asks is refused", async () => {
    await withFlags({ HOGFLARE_FLAGS_KV_KEY: KEY, HOGFLARE_FLAGS_TTL_SECS: "1" }, async (own, { trapCount, problems }) => {
      const namespace = await own.worker.getKVNamespace("FLAGS");
      const statuses = new Map();
      const keys = async () => {
        const response = await own.post("/flags/?v=2", question);
        statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
        const text = await response.text();
        if (response.status !== 200) return [];
        const answer = JSON.parse(text);
        return answer.errorsWhileComputingFlags ? ["errors"] : Object.keys(answer.flags);
      };
      const isInForce = async (key) => (await keys()).join() === key;
      await namespace.put(KEY, good("before"));
      await eventually(() => isInForce("before"));
      assert.equal(await trapCount(), 0);

      await namespace.put(KEY, BAD);
      await eventually(async () => (await keys(), (await trapCount()) === 1), { what: "the trap" });
      statuses.clear();
      // Longer than the document takes to be due again, twice.
      for (const until = Date.now() + 3_000; Date.now() < until; await sleep(100)) assert.ok(await isInForce("before"));
      assert.deepEqual([...statuses.keys()], [200]);
      assert.equal(await trapCount(), 1);
      const refusal = `taking this document (SHA-1 ${name}) stopped the server`;
      assert.ok((await problems()).some((message) => message.includes(refusal)));

      await namespace.put(KEY, good("after"));
      await eventually(() => isInForce("after"));
      assert.ok(!(await problems()).some((message) => message.includes(refusal)));
      assert.equal(await trapCount(), 1);
    });
  });

  it("as a variable costs one request, and events are taken", async () => {
    await withFlags({ HOGFLARE_FEATURE_FLAGS: BAD }, async (own, { trapCount, problems }) => {
      const event = { token: TOKEN, event: "e", distinct_id: "u" };
      await eventually(async () => (await own.post("/e/", event)).status === 200);
      assert.equal(await trapCount(), 1);
      const answer = await own.post("/flags/?v=2", question);
      assert.equal((await answer.json()).errorsWhileComputingFlags, true);
      assert.ok((await problems()).some((message) => message.includes(`SHA-1 ${name}`)));
    });
  });
});
