// /mcp by the official client of the Model Context Protocol, against the Worker and the stand-in for the
// engine: every tool and resource, whom it answers, and what it refuses in which words.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { startSystem } from "../lib/harness.mjs";

const ADMIN = "admin-token";
const READER = "phx_reader";
const VIEWER = "viewer-token";
const SQL_TOKEN = "sql-token";
const FLAGS = {
  flags: [
    {
      key: "beta",
      active: true,
      filters: { groups: [{ properties: [{ key: "plan", value: ["pro"], operator: "exact", type: "person" }], rollout_percentage: 100 }] },
    },
  ],
};
const TRENDS = { kind: "TrendsQuery", dateRange: { date_from: "-7d" }, series: [{ kind: "EventsNode", event: "$pageview", math: "dau" }] };

let system;
const clients = [];

/** A client that has been initialised with that token. */
async function connect(token, path = "/mcp") {
  const client = new Client({ name: "tests", version: "1.0.0" });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(path, system.url), { requestInit: { headers: { authorization: `Bearer ${token}` } } }),
  );
  clients.push(client);
  return client;
}

/** A tool's answer as JSON; a refusal fails the test. */
async function call(client, name, args = {}) {
  const answer = await client.callTool({ name, arguments: args });
  assert.equal(answer.isError, false, JSON.stringify(answer));
  assert.equal(answer.content.length, 1);
  return JSON.parse(answer.content[0].text);
}

/** The sentence a tool refuses with. */
async function refusal(client, name, args = {}) {
  const answer = await client.callTool({ name, arguments: args });
  assert.equal(answer.isError, true, JSON.stringify(answer));
  return answer.content[0].text;
}

/** A message as it goes over the wire: {status, headers, json}. */
async function send(message, { token = READER, headers = {}, method = "POST", path = "/mcp" } = {}) {
  const response = await system.request(path, {
    method,
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      authorization: `Bearer ${token}`,
      ...headers,
    },
    body: method === "GET" ? undefined : typeof message === "string" ? message : JSON.stringify(message),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: text === "" || !response.headers.get("content-type")?.includes("json") ? undefined : JSON.parse(text),
  };
}

const ping = (id = 1) => ({ jsonrpc: "2.0", id, method: "ping" });

before(async () => {
  system = await startSystem({
    hasSql: true,
    vars: {
      HOGFLARE_ADMIN_TOKEN: ADMIN,
      POSTHOG_PERSONAL_API_KEY: READER,
      HOGFLARE_VIEWER_TOKEN: VIEWER,
      HOGFLARE_FLAGS_KV_KEY: "flags",
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
    },
  });
  const at = (hours) => new Date(Date.now() - hours * 3_600_000).toISOString();
  const page = {
    $session_id: "0190d5a7-0000-7000-8000-000000000001",
    $current_url: "https://shop.example/start",
    $pathname: "/start",
    $browser: "Firefox",
  };
  const events = [
    { event: "$pageview", distinct_id: "ada", timestamp: at(3), properties: { ...page, $set: { email: "ada@shop.example", plan: "pro" } } },
    {
      event: "$pageview",
      distinct_id: "bob",
      timestamp: at(3),
      properties: { ...page, $session_id: "0190d5a7-0000-7000-8000-000000000002", $browser: "Chrome" },
    },
    { event: "signed_up", distinct_id: "ada", timestamp: at(2), properties: { ...page, seats: 3 } },
    {
      event: "$exception",
      distinct_id: "bob",
      timestamp: at(2),
      properties: { ...page, $exception_list: [{ type: "TypeError", value: "x is not a function" }] },
    },
  ];
  assert.equal((await system.post("/batch/", { api_key: "phc_test", batch: events })).status, 200);
  const recorded = {
    event: "$snapshot",
    properties: {
      distinct_id: "ada",
      $session_id: page.$session_id,
      $window_id: "w",
      $snapshot_data: [{ type: 4, data: { href: page.$current_url }, timestamp: Date.now() }],
      $snapshot_bytes: 60,
      token: "phc_test",
    },
  };
  assert.equal((await system.post("/s/", recorded)).status, 200);
});
after(async () => {
  for (const client of clients) await client.close();
  await system.stop();
});

describe("the official client", () => {
  it("begins, is told what there is, and may look only unless it is the admin", async () => {
    const client = await connect(READER);
    assert.equal(client.getServerVersion().name, "hogflare");
    assert.match(client.getInstructions(), /query JSON/);
    await client.ping();
    const { tools } = await client.listTools();
    assert.deepEqual(
      tools.map((tool) => tool.name),
      ["query", "sql", "events", "properties", "person", "flags", "errors", "recordings", "health"],
    );
    for (const tool of tools) {
      assert.equal(tool.annotations.readOnlyHint, true, tool.name);
      assert.equal(tool.inputSchema.additionalProperties, false);
    }
    assert.ok(!tools.find((tool) => tool.name === "flags").inputSchema.properties.action.enum.includes("write"));
    const admins = (await (await connect(ADMIN)).listTools()).tools;
    assert.deepEqual(
      admins.filter((tool) => !tool.annotations.readOnlyHint).map((tool) => tool.name),
      ["flags"],
    );
  });

  it("reads the schema, which is that of the streams, and recipes that each work", async () => {
    const client = await connect(READER);
    const { resources } = await client.listResources();
    assert.deepEqual(
      resources.map((each) => each.uri),
      ["hogflare://schema", "hogflare://recipes"],
    );
    assert.deepEqual((await client.listResourceTemplates()).resourceTemplates, []);
    const read = async (uri) => JSON.parse((await client.readResource({ uri })).contents[0].text);
    const { tables } = await read("hogflare://schema");
    for (const [name, table] of Object.entries(tables)) {
      const schema = JSON.parse(readFileSync(new URL(`../../schemas/${name}.json`, import.meta.url), "utf8"));
      assert.deepEqual(
        table.columns,
        schema.fields.map((field) => ({ name: field.name, type: field.type })),
      );
    }
    assert.deepEqual(Object.keys(tables).sort(), ["distinct_ids", "events", "persons", "rejects"]);
    const recipes = await read("hogflare://recipes");
    assert.ok(recipes.length >= 10);
    for (const recipe of recipes) {
      const answer = await call(client, recipe.tool, recipe.arguments);
      assert.ok(answer.results !== undefined, recipe.name);
    }
    await assert.rejects(client.readResource({ uri: "hogflare://secrets" }), { code: -32002 });
  });

  it("asks questions and SQL, and is told by path what is wrong with them", async () => {
    const client = await connect(READER);
    const trend = await call(client, "query", { query: TRENDS });
    assert.equal(trend.results[0].data.at(-1) + trend.results[0].data.at(-2), 2);
    assert.equal(trend.is_cached, false);
    const people = await call(client, "sql", { sql: "SELECT count(*) AS n FROM events WHERE event = 'signed_up'" });
    assert.deepEqual([people.columns, people.results], [["n"], [[1]]]);
    assert.match(
      await refusal(client, "query", { query: { ...TRENDS, series: [{ kind: "EventsNode", event: "a", math: "hogql" }] } }),
      /^query\.series\.0\.math /,
    );
    assert.match(await refusal(client, "sql", { sql: "DROP TABLE events" }), /SELECT/);
    assert.match(await refusal(client, "sql", { sql: "SELECT * FROM default.hogflare_events_v1" }), /no table that can be asked/);
  });

  it("looks at events, properties, people, errors and recordings", async () => {
    const client = await connect(VIEWER);
    const names = await call(client, "events", { search: "signed" });
    assert.deepEqual(
      names.results.map((each) => [each.name, each.count]),
      [["signed_up", 1]],
    );
    const rows = await call(client, "events", {
      show: "rows",
      event: "$pageview",
      distinct_id: "ada",
      properties: [{ key: "$browser", value: ["Firefox"], operator: "exact", type: "event" }],
    });
    assert.deepEqual(
      rows.results.map((each) => [each.event, each.distinct_id]),
      [["$pageview", "ada"]],
    );
    const properties = await call(client, "properties", { type: "event", event_names: ["signed_up"], search: "seats" });
    assert.deepEqual(
      properties.results.map((each) => [each.name, each.property_type]),
      [["seats", "Numeric"]],
    );
    const person = await call(client, "person", { distinct_id: "ada" });
    assert.equal(person.properties.email, "ada@shop.example");
    const found = await call(client, "person", { search: "ada@shop" });
    assert.deepEqual(
      found.results.map((each) => each.distinct_ids),
      [["ada"]],
    );
    const errors = await call(client, "errors", { search: "function" });
    assert.deepEqual(
      errors.results.map((each) => [each.name, each.aggregations.occurrences]),
      [["TypeError", 1]],
    );
    const [{ id: fingerprint }] = errors.results;
    const statuses = async () => {
      const found = {};
      for (const status of ["all", "active", "resolved", "ignored"])
        found[status] = (await call(client, "errors", { status, refresh: true })).results.length;
      return found;
    };
    assert.deepEqual(await statuses(), { all: 1, active: 1, resolved: 0, ignored: 0 });
    const decided = {
      event: "issue_status_changed",
      distinct_id: "somebody",
      properties: { issue: fingerprint, status: "ignored", $process_person_profile: false },
    };
    assert.equal((await system.post("/batch/", { api_key: "phc_test", batch: [decided] })).status, 200);
    assert.deepEqual(await statuses(), { all: 1, active: 0, resolved: 0, ignored: 1 });
    assert.match(await refusal(client, "errors", { status: "open" }), /^status must be one of /);
    const recordings = await call(client, "recordings");
    assert.deepEqual(
      recordings.results.map((each) => [each.session_id, each.distinct_id, each.parts]),
      [["0190d5a7-0000-7000-8000-000000000001", "ada", 1]],
    );
    assert.deepEqual((await call(client, "recordings", { distinct_id: "bob" })).results, []);
    assert.match(await refusal(client, "person", { distinct_id: "nobody" }), /no person/);
    assert.match(await refusal(client, "sql", { sql: "SELECT 1" }), /viewer may not ask SQL/);
  });

  it("looks at flags and tries them; writes them with the admin's token and the version it read", async () => {
    const reader = await connect(READER);
    const listed = await call(reader, "flags", { action: "list" });
    assert.deepEqual([listed.flags.map((flag) => flag.key), listed.writable], [["beta"], false]);
    const told = await call(reader, "flags", { action: "evaluate", distinct_id: "ada", key: "beta" });
    assert.equal(told.flags.beta.enabled, true);
    assert.equal(told.flags.beta.conditions[0].matches, true);
    const stricter = JSON.stringify({ flags: [{ ...FLAGS.flags[0], filters: { groups: [{ properties: [], rollout_percentage: 0 }] } }] });
    assert.equal((await call(reader, "flags", { action: "check", document: stricter })).ok, true);
    assert.equal((await call(reader, "flags", { action: "check", document: "{" })).ok, false);
    for (const token of [READER, VIEWER]) {
      assert.match(await refusal(await connect(token), "flags", { action: "write", document: stricter, etag: listed.etag }), /admin token/);
    }
    const admin = await connect(ADMIN);
    assert.match(await refusal(admin, "flags", { action: "write", document: stricter, etag: '"other"' }), /changed elsewhere/);
    assert.match(await refusal(admin, "flags", { action: "write", document: '{"flags": [{"key": 1}]}', etag: listed.etag }), /refuse.*\[/);
    assert.equal((await call(admin, "flags", { action: "write", document: stricter, etag: listed.etag })).changed, true);
    assert.equal((await call(reader, "flags", { action: "evaluate", distinct_id: "ada" })).flags.beta.enabled, false);
  });

  it("is told how the deployment is, and never a secret", async () => {
    const client = await connect(VIEWER);
    const health = await call(client, "health");
    assert.ok(Array.isArray(health.sinks));
    const everything = JSON.stringify([
      health,
      await call(client, "flags", { action: "list" }),
      await client.listTools(),
      await call(client, "query", { query: TRENDS }),
    ]);
    for (const secret of [ADMIN, READER, VIEWER, SQL_TOKEN]) assert.ok(!everything.includes(secret), secret);
  });

  it("has arguments checked by their schema, before anything is asked", async () => {
    const client = await connect(READER);
    for (const [tool, args, words] of [
      ["query", {}, /^query is missing$/],
      ["query", { query: "SELECT 1" }, /^query must be an object$/],
      ["sql", { sql: "SELECT 1", limit: 3 }, /^limit is not known; there are sql, refresh, team_id$/],
      ["sql", { sql: " ".repeat(100_001) }, /^sql may have 100000 bytes$/],
      ["events", { show: "all" }, /^show must be one of /],
      ["events", { event: "a" }, /^event goes with "show": "rows"$/],
      ["events", { show: "rows", limit: 1001 }, /^limit must be from 1 to 1000$/],
      ["events", { show: "rows", limit: 1.5 }, /^limit must be an integer$/],
      ["events", { show: "rows", properties: [1] }, /^properties\.0 must be an object$/],
      ["person", {}, /^give either distinct_id/],
      ["flags", { action: "write", document: "{}" }, /^write needs etag/],
      ["health", { team_id: 2 }, /^team_id must name a project/],
    ])
      assert.match(await refusal(client, tool, args), words);
    await assert.rejects(client.callTool({ name: "drop", arguments: {} }), {
      code: -32602,
      message: /there is no tool 'drop'; there are query, sql/,
    });
    await assert.rejects(client.request({ method: "prompts/list" }, { parse: (value) => value }), { code: -32601 });
  });

  it("is nobody without a token", async () => {
    await assert.rejects(connect("wrong"), /send Authorization: Bearer with a personal API key/);
  });
});

describe("the protocol", () => {
  it("speaks four versions and offers its newest for others", async () => {
    const begin = (protocolVersion) =>
      send({
        jsonrpc: "2.0",
        id: "a",
        method: "initialize",
        params: { protocolVersion, capabilities: {}, clientInfo: { name: "t", version: "1" } },
      });
    for (const version of ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"])
      assert.equal((await begin(version)).json.result.protocolVersion, version);
    assert.equal((await begin("2099-01-01")).json.result.protocolVersion, "2025-11-25");
    assert.equal((await begin(7)).json.error.code, -32602);
    assert.equal((await send(ping(), { headers: { "mcp-protocol-version": "2025-11-25" } })).status, 200);
    assert.equal((await send(ping(), { headers: { "mcp-protocol-version": "2099-01-01" } })).status, 400);
    // Wrong arguments were an error of the protocol before they became the model's to mend.
    const wrong = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "sql", arguments: {} } };
    assert.equal((await send(wrong, { headers: { "mcp-protocol-version": "2025-06-18" } })).json.error.code, -32602);
    assert.equal((await send(wrong, { headers: { "mcp-protocol-version": "2025-11-25" } })).json.result.isError, true);
  });

  it("answers 202 to what needs no answer, and 405 to who wants a stream or to end a session", async () => {
    for (const message of [
      { jsonrpc: "2.0", method: "notifications/initialized" },
      { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } },
      { jsonrpc: "2.0", id: 9, result: {} },
    ]) {
      const answer = await send(message);
      assert.deepEqual([answer.status, answer.text], [202, ""]);
    }
    for (const method of ["GET", "DELETE"]) {
      const answer = await send(ping(), { method });
      assert.deepEqual([answer.status, answer.headers.get("allow")], [405, "POST"]);
    }
  });

  it("takes batches in the one version that has them", async () => {
    const both = [ping(1), { jsonrpc: "2.0", method: "notifications/initialized" }, ping("two")];
    assert.deepEqual(
      (await send(both, { headers: { "mcp-protocol-version": "2025-03-26" } })).json.map((each) => each.id),
      [1, "two"],
    );
    assert.equal((await send([both[1]])).status, 202);
    assert.match((await send(both, { headers: { "mcp-protocol-version": "2025-11-25" } })).json.error.message, /no batches/);
    for (const wrong of [[], Array.from({ length: 9 }, (_, id) => ping(id))]) assert.equal((await send(wrong)).status, 400);
    const begin = { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion: "2025-03-26" } };
    assert.equal((await send([begin])).json[0].error.code, -32600);
  });

  it("refuses what is no message, with JSON-RPC's codes", async () => {
    for (const [body, code] of [
      ["{", -32700],
      ["", -32700],
      ["1", -32600],
      ["{}", -32600],
      [{ id: 1, method: "ping" }, -32600],
      [{ ...ping(), id: null }, -32600],
      [{ ...ping(), id: 1.5 }, -32600],
      [{ ...ping(), method: 4 }, -32600],
      ["[".repeat(5_000) + "]".repeat(5_000), -32700],
    ]) {
      const answer = await send(body);
      assert.deepEqual(
        [answer.status, answer.json.error.code, answer.json.jsonrpc, answer.json.id],
        [400, code, "2.0", null],
        JSON.stringify(body).slice(0, 80),
      );
    }
    assert.equal((await send({ ...ping(), params: [] })).json.error.code, -32602);
    assert.equal((await send({ ...ping(), method: "tools/list", params: { cursor: "x" } })).json.error.code, -32602);
    assert.equal((await send(ping(), { headers: { "content-type": "text/plain" } })).status, 415);
    assert.equal((await send(ping(), { headers: { accept: "text/event-stream" } })).status, 406);
    assert.equal((await send({ ...ping(), params: { a: "x".repeat(2 * 1024 * 1024) } })).status, 413);
  });

  it("answers no other site's page, nor one that stands behind a name that leads here", async () => {
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "null" },
      { origin: "http://evil.example", host: "evil.example" },
    ]) {
      const answer = await send(ping(), { headers });
      assert.equal(answer.status, 403, JSON.stringify(headers));
      assert.equal(answer.headers.get("access-control-allow-origin"), null);
    }
    assert.equal((await send(ping(), { headers: { origin: system.url } })).status, 200);
    assert.equal(
      (
        await system.request("/mcp", {
          method: "OPTIONS",
          headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
        })
      ).status,
      405,
    );
  });

  it("needs a bearer token of this deployment; no cookie will do", async () => {
    for (const headers of [{ authorization: "" }, { authorization: "Bearer wrong" }, { authorization: `Basic ${READER}` }]) {
      const answer = await send(ping(), { headers });
      assert.deepEqual([answer.status, answer.headers.get("www-authenticate")], [401, "Bearer"]);
    }
    const session = await system.post("/app/api/session", { token: ADMIN });
    const cookie = session.headers.get("set-cookie").split(";")[0];
    assert.equal(
      (await send(ping(), { headers: { authorization: "", cookie, "x-hogflare-csrf": (await session.json()).csrf } })).status,
      401,
    );
  });
});
