// A deployment that cannot keep events says so: 503 to SDKs, which try again, and why on /healthz.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event, v1Batch, v1Event, v1Headers } from "./support.mjs";

const ADMIN = "admin-token-of-this-test";
const logs = [];
let system;
before(async () => {
  system = await startSystem({
    vars: {
      CLOUDFLARE_PIPELINE_ENDPOINT: undefined,
      HOGFLARE_PROJECTS: '{"phc_a": {"team": 1}}',
      HOGFLARE_FLAGS_TTL_SECS: "soon",
      HOGFLARE_ADMIN_TOKEN: ADMIN,
    },
    onLog: (log) => logs.push(log.message),
  });
});
after(() => system.stop());

const ORIGIN = { origin: "https://www.example.com" };

describe("a misconfigured deployment", () => {
  for (const [path, body, headers] of /** @type {[string, unknown, Record<string, string>][]} */ ([
    ["/batch/", batch([event()]), {}],
    ["/e", { token: TOKEN, ...event() }, {}],
    ["/s/", [], {}],
    ["/identify", {}, {}],
    ["/i/v0/ai/batch", batch([event()]), {}],
    ["/i/v1/analytics/events", v1Batch([v1Event()]), v1Headers()],
  ])) {
    it(`${path} answers 503 that SDKs retry`, async () => {
      const response = await system.post(path, body, { ...headers, ...ORIGIN });
      assert.equal(response.status, 503);
      assert.equal(response.headers.get("retry-after"), "1");
      assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN.origin);
      assert.match(await response.text(), /healthz/);
      assert.deepEqual(await system.rows(), []);
    });
  }

  it("the log names every problem too, for who has set no admin token", async () => {
    await system.request("/healthz");
    await eventually(() => logs.some((line) => line.includes("configuration_problem")));
    assert.match(logs.join("\n"), /"level":"error","event":"configuration_problem".*CLOUDFLARE_PIPELINE_ENDPOINT/);
  });

  it("/healthz names every problem to who has the admin token", async () => {
    const response = await system.request("/healthz", { headers: ORIGIN });
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN.origin);
    assert.deepEqual(Object.keys(await response.json()), ["status", "version"]);
    const asked = await system.request("/healthz", { headers: { ...ORIGIN, authorization: `Bearer ${ADMIN}` } });
    assert.equal(asked.status, 503);
    assert.equal(asked.headers.get("access-control-allow-origin"), null);
    const health = await asked.json();
    assert.equal(health.status, "error");
    const messages = health.problems.map((problem) => problem.message).join("\n");
    assert.match(messages, /CLOUDFLARE_PIPELINE_ENDPOINT/);
    assert.match(messages, /HOGFLARE_PROJECTS\["phc_a"\]\.team/);
    assert.match(messages, /HOGFLARE_FLAGS_TTL_SECS is "soon"/);
  });

  it("it is alive all the same", async () => {
    assert.equal((await system.request("/_liveness")).status, 200);
  });
});

describe("a deployment whose class of people is not SQLite-backed", () => {
  const told = [];
  let old;
  before(async () => {
    const sqlite = (className) => ({ className, useSQLite: true });
    old = await startSystem({
      vars: { HOGFLARE_ADMIN_TOKEN: ADMIN },
      onLog: (log) => told.push(log.message),
      extra: {
        durableObjects: {
          PERSONS: { className: "PersonDurableObject", useSQLite: false },
          PERSON_ID_COUNTER: sqlite("PersonIdCounterDurableObject"),
          GROUPS: sqlite("GroupDurableObject"),
          OUTBOX: sqlite("OutboxDurableObject"),
        },
      },
    });
  });
  after(() => old.stop());

  it("answers 503, says what to do on /healthz and in the log, and does not trap", async () => {
    const send = () => old.post("/batch/", batch([event()]));
    assert.equal((await send()).status, 503);
    assert.equal((await send()).status, 503);
    const response = await old.request("/healthz", { headers: { authorization: `Bearer ${ADMIN}` } });
    const health = await response.json();
    assert.equal(response.status, 503);
    assert.equal(health.status, "error");
    assert.equal(health.traps, 0);
    const problem = health.problems.find(({ message }) => message.includes("new_sqlite_classes"));
    assert.match(problem.message, /bound as PERSONS is not SQLite-backed/);
    await eventually(() => told.some((line) => /storage_not_sqlite.*PERSONS/.test(line)));
    assert.ok(!told.some((line) => line.includes("core_trap")));
    assert.deepEqual(await old.rows(), []);
  });
});
