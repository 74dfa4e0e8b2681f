// What an operator sees: admin routes, /healthz, /metrics, Analytics Engine, logs. And what nobody
// may ever see: the secrets.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, asAdmin, Client, gateVariables, metrics, parsePrometheus, PASS, settle, startGate } from "./support.mjs";

const SECRETS = {
  CLOUDFLARE_PIPELINE_AUTH_TOKEN: "secret-of-the-events-sink",
  CLOUDFLARE_PERSONS_PIPELINE_AUTH_TOKEN: "secret-of-the-persons-sink",
  CLOUDFLARE_REJECTS_PIPELINE_AUTH_TOKEN: "secret-of-the-rejects-sink",
  POSTHOG_PERSONAL_API_KEY: "phx_secret_of_the_person",
  POSTHOG_PROJECT_SECRET: "phs_secret_of_the_project",
  HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN,
};

/** Everything that left the system: answers with their headers, and log lines. */
const seen = [];
const logs = [];
let gate;
let system;

async function ask(path, init) {
  const response = await system.request(path, init);
  const text = await response.text();
  seen.push(`${path} ${response.status} ${JSON.stringify([...response.headers])} ${text}`);
  return { status: response.status, headers: response.headers, text };
}

const OWN_TOKEN = {
  events: SECRETS.CLOUDFLARE_PIPELINE_AUTH_TOKEN,
  persons: SECRETS.CLOUDFLARE_PERSONS_PIPELINE_AUTH_TOKEN,
  rejects: SECRETS.CLOUDFLARE_REJECTS_PIPELINE_AUTH_TOKEN,
};

before(async () => {
  gate = await startGate();
  // Each stream with its own token, and with no other.
  gate.decide = ({ stream, authorization }) =>
    authorization === `Bearer ${OWN_TOKEN[stream]}` ? PASS : { status: 401, body: `not for ${stream}` };
  system = await startSystem({
    vars: { ...gateVariables(gate), ...SECRETS, CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "2" },
    onLog: (log) => logs.push(log),
    extra: { serviceBindings: { ANALYTICS: { name: "analytics", entrypoint: "Dataset" } } },
    others: [
      {
        name: "analytics",
        modules: true,
        compatibilityDate: "2026-09-15",
        // As a dataset: takes points at once and answers nothing.
        script: `
          import { WorkerEntrypoint } from "cloudflare:workers";
          const points = [];
          export class Dataset extends WorkerEntrypoint {
            writeDataPoint(point) { points.push(point); }
            points() { return points; }
          }
          export default { fetch: () => Response.json(points) };`,
        routes: ["analytics.test/*"],
      },
    ],
  });
  gate.target = system.pipeline.url;
  gate.token = OWN_TOKEN.events;
});
after(async () => {
  await system.stop();
  gate.stop();
});

const PATHS = [
  ["GET", "/admin/outbox"],
  ["POST", "/admin/outbox/drain"],
  ["GET", "/admin/quarantine"],
  ["POST", "/admin/quarantine/redrive"],
  ["GET", "/metrics"],
];

describe("the operator's paths", () => {
  for (const [method, path] of PATHS) {
    it(`${method} ${path} wants the admin token`, async () => {
      for (const authorization of [
        undefined,
        "Bearer wrong",
        `Basic ${ADMIN_TOKEN}`,
        `Bearer ${ADMIN_TOKEN}x`,
        `Bearer ${ADMIN_TOKEN.slice(0, -1)}`,
        `Bearer ${ADMIN_TOKEN.slice(0, 5)}`,
        "Bearer ",
      ]) {
        const headers = authorization === undefined ? {} : { authorization };
        const refused = await ask(path, { method, headers });
        assert.equal(refused.status, 401, `${authorization}`);
        assert.match(refused.text, /HOGFLARE_ADMIN_TOKEN/);
      }
      assert.equal((await ask(path, { method, headers: asAdmin })).status, 200);
    });

    it(`${method} ${path} answers no page: no CORS, no preflight`, async () => {
      const origin = "https://www.example.com";
      const preflight = { origin, "access-control-request-method": method, "access-control-request-headers": "authorization" };
      for (const [how, headers] of [
        ["OPTIONS", preflight],
        [method, { origin }],
        [method, { origin, ...asAdmin }],
      ]) {
        const answer = await ask(path, { method: how, headers });
        const cors = [...answer.headers.keys()].filter((name) => name.startsWith("access-control-"));
        assert.deepEqual(cors, [], how);
        if (how === "OPTIONS") assert.equal(answer.status, 405);
      }
    });

    it(`${method} ${path} with another method is 405`, async () => {
      const refused = await ask(path, { method: method === "GET" ? "POST" : "GET", headers: asAdmin });
      assert.equal(refused.status, 405);
      assert.match(refused.headers.get("allow") ?? "", new RegExp(method));
    });
  }

  it("the outbox is told by stream", async () => {
    const stats = await admin(system.url, "/admin/outbox");
    assert.equal(stats.shards, 8);
    assert.equal(stats.shards_failed, 0);
    assert.equal(stats.bytes_max, 1 << 30);
    assert.deepEqual(Object.keys(stats.streams), ["events", "persons", "rejects", "distinct_ids"]);
  });

  it("a shard that does not exist is refused", async () => {
    const refused = await ask("/admin/quarantine?shard=8", { headers: asAdmin });
    assert.equal(refused.status, 400);
    assert.match(refused.text, /from 0 to 7/);
  });
});

describe("/metrics", () => {
  it("is Prometheus text whose counters add up", async () => {
    const client = new Client(system.url);
    await system.pipeline.fault({ stream: "events", count: 3, status: 503 });
    await client.send(client.batch(30, { bad: 4 }));
    await client.send(client.batch(10));
    await settle(system);
    const answer = await ask("/metrics", { headers: asAdmin });
    assert.equal(answer.headers.get("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    const { of, types, values } = parsePrometheus(answer.text);
    assert.equal(of("hogflare_events_accepted_total"), 36);
    assert.equal(of('hogflare_events_rejected_total{reason="missing_event_name"}'), 4);
    assert.equal(of('hogflare_rows_to_outbox_total{stream="events"}'), 26);
    assert.equal(of('hogflare_outbox_rows_delivered_total{stream="events"}'), 26);
    assert.equal(of('hogflare_rows_delivered_total{stream="events"}'), 10);
    assert.equal(of('hogflare_rows_delivered_total{stream="rejects"}'), 4);
    assert.equal(of('hogflare_send_retries_total{stream="events"}'), 2);
    assert.equal(of("hogflare_outbox_puts_total"), 1);
    assert.ok(of('hogflare_object_calls_total{class="outbox"}') > 0);
    assert.equal(of("hogflare_traps_total"), 0);
    assert.equal(of('hogflare_outbox_rows{stream="events"}'), 0);
    assert.equal(of('hogflare_outbox_shards{state="answered"}'), 8);
    assert.equal(types.get("hogflare_events_accepted_total"), "counter");
    assert.equal(types.get("hogflare_outbox_oldest_age_seconds"), "gauge");
    assert.ok(values.size > 100);
  });

  it("shows depth and age of what waits", async () => {
    await system.pipeline.fault({ seconds: 600, status: 503 });
    const client = new Client(system.url);
    await client.send(client.batch(7));
    const waiting = await eventually(async () => {
      const { of } = await metrics(system.url);
      return of('hogflare_outbox_oldest_age_seconds{stream="events"}') >= 1 ? of : null;
    });
    assert.equal(waiting('hogflare_outbox_rows{stream="events"}'), 7);
    assert.equal(waiting('hogflare_outbox_sends{stream="events"}'), 1);
  });
});

describe("/healthz", () => {
  it("tells without a token its state and version, and nothing else", async () => {
    for (const authorization of ["", "Bearer ", `Bearer ${ADMIN_TOKEN.slice(0, -1)}`, `Bearer ${ADMIN_TOKEN}x`]) {
      const { text } = await ask("/healthz", { headers: { authorization } });
      assert.deepEqual(Object.keys(JSON.parse(text)), ["status", "version"], authorization);
    }
  });

  it("tells the operator that rows wait, and for which answer of the sink", async () => {
    await fetch(`${system.url}/admin/outbox/drain`, { method: "POST", headers: asAdmin });
    const health = await eventually(async () => {
      const answer = JSON.parse((await ask("/healthz", { headers: asAdmin })).text);
      return answer.status === "degraded" ? answer : null;
    });
    assert.match(JSON.stringify(health.problems), /7 rows of the stream events wait in the outbox; its sink answered 503/);
    assert.equal(health.outbox.rows, 7);
    assert.ok(health.outbox.oldest_age_ms > 0);
    assert.equal(health.configuration.bindings.OUTBOX, true);
    assert.equal(health.configuration.bindings.EVENTS_STREAM, false);
    assert.deepEqual(health.configuration.sinks, { events: "http", persons: "http", rejects: "http", distinct_ids: "http" });
    assert.ok(health.configuration.variables_set.includes("CLOUDFLARE_PIPELINE_AUTH_TOKEN"));
    assert.equal(health.outbox.streams.events.last_reason, undefined);
  });

  it("is well again afterwards", async () => {
    await system.pipeline.fault({ clear: true });
    await settle(system);
    await eventually(async () => JSON.parse((await ask("/healthz")).text).status === "ok");
  });
});

describe("Analytics Engine", () => {
  it("gets what was counted, as points of one counter each", async () => {
    const client = new Client(system.url);
    await client.send(client.batch(1));
    const dispatch = system.worker.dispatchFetch.bind(system.worker);
    const points = await eventually(async () => {
      const written = await (await dispatch("http://analytics.test/")).json();
      return written.some((point) => point.blobs[0] === "hogflare_events_accepted_total") ? written : null;
    });
    for (const point of points) {
      assert.equal(point.indexes.length, 1);
      assert.ok(point.indexes[0].length <= 96);
      assert.match(point.blobs[0], /^hogflare_[a-z_]+_total(\{.*\})?$/);
      assert.ok(point.doubles[0] > 0);
    }
  });
});

describe("logs", () => {
  it("are one JSON object a line, with level and event", () => {
    const lines = logs.flatMap((log) => log.message.split("\n")).filter((line) => line !== "");
    assert.ok(lines.length > 5);
    for (const line of lines) {
      const entry = JSON.parse(line);
      assert.match(entry.level, /^(info|warn|error)$/);
      assert.match(entry.event, /^[a-z_]+$/);
    }
    const failed = lines.map((line) => JSON.parse(line)).find((entry) => entry.event === "send_failed");
    assert.deepEqual(Object.keys(failed), ["level", "event", "stream", "verdict", "status", "rows", "attempt"]);
  });
});

describe("secrets", () => {
  it("are in no answer, no log and no row", async () => {
    for (const path of ["/", "/flags", "/decide", "/array/x/config", "/api/feature_flag/local_evaluation", "/nothing", "/e/"]) {
      await ask(path);
      await ask(path, { method: "POST", body: JSON.stringify({ token: TOKEN, distinct_id: "u" }) });
    }
    await ask("/healthz");
    await ask("/metrics", { headers: asAdmin });
    const everything = [...seen, ...logs.map((log) => log.message), await (await fetch(`${system.pipeline.url}/all`)).text()];
    assert.ok(everything.length > 60);
    for (const [name, secret] of Object.entries(SECRETS)) {
      for (const text of everything) assert.ok(!text.includes(secret), `${name} in: ${text.slice(0, 400)}`);
    }
  });
});
