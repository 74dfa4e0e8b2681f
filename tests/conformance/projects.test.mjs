// HOGFLARE_PROJECTS: who may send, under which team, from where; and the path prefix.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { event, nothingBad, refused, v1Batch, v1Event, v1Headers } from "./support.mjs";

const PROJECTS = {
  phc_one: { team_id: 11 },
  phc_two: { team_id: 22, anonymize_ips: true },
  phc_web: { team_id: 33, origins: ["https://www.example.com", "https://app.example.com"] },
};
let system;
before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_PROJECTS: JSON.stringify(PROJECTS), HOGFLARE_PATH_PREFIX: "/ingest/" },
    extra: { cf: { country: "AT" } },
  });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const batchOf = (token, events) => ({ api_key: token, batch: events });
const send = (token, events, headers = {}) => system.post("/batch/", batchOf(token, events), headers);
const snapshot = (token) => ({
  event: "$snapshot",
  properties: { token, distinct_id: "u", $session_id: "s", $snapshot_data: [{ type: 1 }] },
});

describe("projects", () => {
  it("each project's rows carry its team_id", async () => {
    for (const token of ["phc_one", "phc_two"]) {
      assert.equal((await send(token, [event()])).status, 200);
    }
    assert.equal((await system.post("/s/", snapshot("phc_one"))).status, 200);
    const headers = v1Headers({ authorization: "Bearer phc_two" });
    assert.equal((await system.post("/i/v1/analytics/events", v1Batch([v1Event()]), headers)).status, 200);
    const rows = await system.rows();
    assert.deepEqual(
      rows.map((row) => [row.api_key, row.team_id]),
      [
        ["phc_one", 11],
        ["phc_two", 22],
        ["phc_one", 11],
        ["phc_two", 22],
      ],
    );
  });

  it("one distinct_id in two projects is two people", async () => {
    const identify = (plan) => event({ event: "$identify", distinct_id: "same", properties: { $set: { plan } } });
    await send("phc_one", [identify("free")]);
    await send("phc_two", [identify("pro")]);
    await send("phc_one", [event({ distinct_id: "same" })]);
    const rows = await system.rows();
    assert.notEqual(rows[0].person_id, rows[1].person_id);
    assert.equal(rows[0].person_id, rows[2].person_id);
    assert.equal(rows[2].person_properties.plan, "free");
    const persons = await system.stream("persons");
    assert.deepEqual(new Set(persons.map((row) => row.team_id)), new Set([11, 22]));
  });

  it("one group key in two projects is two groups", async () => {
    const group = (size) =>
      event({
        event: "$groupidentify",
        properties: { $group_type: "company", $group_key: "acme", $group_set: { size } },
      });
    const member = event({ event: "visit", properties: { $groups: { company: "acme" } } });
    await send("phc_one", [group(1)]);
    await send("phc_two", [group(2)]);
    await send("phc_one", [member]);
    const visit = (await system.rows()).find((row) => row.event === "visit");
    assert.deepEqual(visit.group_properties.company, { size: 1 });
  });

  /** @type {[string, string, unknown, Record<string, string>][]} */
  const strangers = [
    ["a batch", "/batch/", batchOf("phc_three", [event()]), {}],
    ["a single event", "/e/", { token: "phc_three", ...event() }, {}],
    ["a recording", "/s/", snapshot("phc_three"), {}],
    ["the seed's identify", "/identify", { api_key: "phc_three", distinct_id: "u", properties: {} }, {}],
    ["AI", "/i/v0/ai/batch/", batchOf("phc_three", [event()]), {}],
    ["v1", "/i/v1/analytics/events", v1Batch([v1Event()]), v1Headers({ authorization: "Bearer phc_three" })],
  ];
  for (const [name, path, body, headers] of strangers) {
    it(`${name} with another token is 401 and leaves nothing`, async () => {
      const response = await system.post(path, body, { ...headers, origin: "https://a.example" });
      assert.equal(response.headers.get("access-control-allow-origin"), "https://a.example");
      await refused(system, response, 401, /project API key|invalid_api_token/);
      assert.deepEqual(await system.stream("persons"), []);
      assert.deepEqual(await system.stream("rejects"), []);
    });
  }

  it("an origin of the list, and a server without one, may send", async () => {
    for (const origin of ["https://www.example.com", "https://app.example.com"]) {
      const response = await send("phc_web", [event()], { origin });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("access-control-allow-origin"), origin);
    }
    assert.equal((await send("phc_web", [event()])).status, 200);
    assert.equal((await system.rows(3)).length, 3);
  });

  for (const origin of ["https://evil.example", "https://www.example.com.evil.example", "http://www.example.com", "null"]) {
    it(`${origin} may not, and can read why`, async () => {
      const response = await send("phc_web", [event()], { origin });
      assert.equal(response.headers.get("access-control-allow-origin"), origin);
      await refused(system, response, 403, /origin/);
    });
  }

  it("remote config knows the projects' tokens only", async () => {
    assert.equal((await system.request("/array/phc_one/config")).status, 200);
    assert.equal((await system.request("/array/phc_three/config")).status, 404);
  });

  it("a project's setting hides addresses", async () => {
    const headers = { "cf-connecting-ip": "203.0.113.7" };
    await send("phc_one", [event()], headers);
    await send("phc_two", [event({ properties: { $ip: "198.51.100.1" } }), event()], headers);
    const text = JSON.stringify(await system.rows());
    assert.equal(text.match(/203\.0\.113\.7/g)?.length, 1);
    assert.doesNotMatch(text, /198\.51/);
  });
});

describe("the path prefix", () => {
  for (const path of ["/ingest/batch/", "/ingest/e", "/ingest/i/v0/e/", "/batch"]) {
    it(`${path} takes events`, async () => {
      assert.equal((await system.post(path, batchOf("phc_one", [event()]))).status, 200);
      assert.equal((await system.rows(1)).length, 1);
    });
  }
  it("config and health are there too", async () => {
    assert.equal((await system.request("/ingest/array/phc_one/config")).status, 200);
    assert.equal((await system.request("/ingest/healthz")).status, 200);
  });
  for (const path of ["/ingester/batch/", "/ingest", "/other/batch/", "/ingest/ingest/batch/"]) {
    it(`${path} is no path`, async () => {
      assert.equal((await system.post(path, batchOf("phc_one", [event()]))).status, 404);
    });
  }
});

describe("other ways to the same path", () => {
  const own = "https://www.example.com";
  const ADMIN = { authorization: "Bearer admin" };
  let open;
  before(async () => {
    open = await startSystem({
      vars: {
        HOGFLARE_PROJECTS: JSON.stringify({ "*": { team_id: 1, origins: [own] }, phc_two: { team_id: 2 } }),
        HOGFLARE_ADMIN_TOKEN: "admin",
        HOGFLARE_PATH_ALIASES: JSON.stringify({ "/tools": "/mcp" }),
      },
    });
  });
  after(() => open.stop());

  it("OpenFeature asks from a project's own origins, with a token and without", async () => {
    for (const path of ["/ofrep/v1/evaluate/flags", "/ofrep/v1/evaluate/flags/f"]) {
      for (const token of [{}, { authorization: "Bearer phc_any" }]) {
        const from = async (origin) => (await open.post(path, { context: { targetingKey: "u" } }, { ...token, ...origin })).status;
        assert.equal(await from({ origin: "https://evil.example" }), 403, path);
        const status = await from({ origin: own });
        assert.ok(status === 200 || status === 404, `${path}: ${status}`);
        assert.equal(await from({}), status);
      }
    }
  });

  it("another site's page asks no tool, however the path is written", async () => {
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    const json = { accept: "application/json, text/event-stream" };
    for (const path of ["/mcp", "/mcp/", "/mcp//", "//mcp", "/tools", "/tools/"]) {
      const from = async (headers) => (await open.post(path, ping, { ...ADMIN, ...json, ...headers })).status;
      assert.equal(await from({ origin: "https://evil.example" }), 403, path);
      assert.equal(await from({}), 200, path);
    }
    assert.equal((await open.post("/mcp", ping, { ...ADMIN, ...json, origin: open.url })).status, 200);
  });

  it("whoever names no project of several is not given the one of all other tokens", async () => {
    const listed = async (team) => {
      const params = { name: "flags", arguments: { action: "list", ...team } };
      const headers = { ...ADMIN, accept: "application/json, text/event-stream" };
      const answer = await open.post("/mcp", { jsonrpc: "2.0", id: 1, method: "tools/call", params }, headers);
      return answer.text();
    };
    assert.doesNotMatch(await listed({ team_id: 2 }), /team_id must name/);
    assert.match(await listed({}), /team_id must name a project/);
    const current = await open.request("/api/projects/@current/session_recordings", { headers: ADMIN });
    assert.equal((await current.json()).code, "not_found");
    const two = await open.request("/api/projects/2/session_recordings", { headers: ADMIN });
    assert.equal((await two.json()).code, "no_bucket");
  });
});
