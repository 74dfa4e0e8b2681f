// What PostHog built into other things, against local workerd: servers of Express, wrappers of models' clients
// whose models are mocked, a server of the Model Context Protocol.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import Anthropic from "@anthropic-ai/sdk";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { InMemoryTransport } from "@modelcontextprotocol/sdk/inMemory.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { PostHogAnthropic } from "@posthog/ai/anthropic";
import { PostHogOpenAI } from "@posthog/ai/openai";
import { instrument } from "@posthog/mcp";
import express from "express";
import { PostHog, setupExpressErrorHandler, setupExpressRequestContext } from "posthog-node";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { startModels } from "./models.mjs";
import { proofs } from "./proofs.mjs";

const { proves } = proofs(import.meta.url);

let system;
let models;
before(async () => {
  models = await startModels();
  system = await startSystem();
});
after(async () => {
  models.stop();
  const bad = await system.bad();
  const refused = (await system.stream("rejects")).filter((row) => row.kind === "reject");
  const warned = new Set((await system.stream("rejects")).map((row) => row.reason));
  await system.stop();
  assert.deepEqual(bad, [], "the sink refused nothing");
  assert.deepEqual(refused, [], "the Worker refused nothing");
  // @posthog/mcp's session ids begin with "ses_", which is no UUID; PostHog warns of them likewise.
  assert.deepEqual([...warned], ["invalid_event_session_id"]);
});

const rowsOf = async (distinctId) => (await system.rows()).filter((row) => row.distinct_id === distinctId);

describe("@posthog/ai 8.13.1", () => {
  const SDK = "@posthog/ai 8.13.1, models mocked";
  it(
    "records chats, streams, responses and embeddings of OpenAI's client",
    proves(SDK, ["AI"], async () => {
      const phClient = new PostHog(TOKEN, { host: system.url });
      const openai = new PostHogOpenAI({ apiKey: "none", baseURL: `${models.url}/v1`, posthog: phClient });
      const traced = { posthogDistinctId: "ai-node", posthogTraceId: "trace-1", posthogProperties: { plan: "pro" } };
      const messages = [{ role: "user", content: "Was ist ein Igel? 🦔" }];
      const chat = await openai.chat.completions.create({ model: "gpt-5", messages, ...traced });
      assert.equal(chat.choices[0].message.content, "Ein Tier.");
      const stream = await openai.chat.completions.create({ model: "gpt-5", messages, stream: true, ...traced });
      let text = "";
      for await (const chunk of stream) text += chunk.choices[0]?.delta?.content ?? "";
      assert.equal(text, "Ein Tier.");
      await openai.responses.create({ model: "gpt-5", input: "Was?", ...traced });
      await openai.embeddings.create({ model: "embed", input: "Igel", ...traced });
      await phClient.shutdown();
      const rows = await rowsOf("ai-node");
      const kinds = rows.map((row) => row.event).sort();
      assert.deepEqual(kinds, ["$ai_embedding", "$ai_generation", "$ai_generation", "$ai_generation"]);
      for (const row of rows) {
        assert.equal(row.properties.$ai_trace_id, "trace-1");
        assert.equal(row.properties.plan, "pro");
        assert.equal(row.properties.$ai_provider, "openai");
      }
      const first = rows.find((row) => row.event === "$ai_generation");
      assert.match(JSON.stringify(first.properties.$ai_input), /Igel\? 🦔/);
      assert.ok(first.properties.$ai_input_tokens > 0);
    }),
  );

  it(
    "records messages of Anthropic's client",
    proves(SDK, ["AI"], async () => {
      const phClient = new PostHog(TOKEN, { host: system.url });
      const client = new PostHogAnthropic({ apiKey: "none", baseURL: models.url, posthog: phClient });
      assert.ok(client instanceof Anthropic);
      const messages = [{ role: "user", content: "Ein Igel. ".repeat(2_000) }];
      await client.messages.create({ model: "claude", max_tokens: 9, messages, posthogDistinctId: "ai-other" });
      await phClient.shutdown();
      const [row] = await rowsOf("ai-other");
      assert.equal(row.event, "$ai_generation");
      assert.equal(row.properties.$ai_provider, "anthropic");
      assert.ok(JSON.stringify(row.properties.$ai_input).length >= 20_000, "it came whole");
    }),
  );
});

describe("@posthog/mcp 0.16.3", () => {
  it(
    "records tools that are listed and called",
    proves("@posthog/mcp 0.16.3", ["capture", "exceptions"], async () => {
      const posthog = new PostHog(TOKEN, { host: system.url });
      const server = new McpServer({ name: "shop", version: "1.0.0" });
      server.registerTool("price", { description: "A price" }, async () => ({ content: [{ type: "text", text: "42" }] }));
      server.registerTool("broken", { description: "Fails" }, async () => {
        throw new Error("out of order");
      });
      instrument(server, posthog, { identify: async () => ({ distinctId: "mcp-user", properties: { plan: "pro" } }) });
      const client = new Client({ name: "tester", version: "1.0.0" });
      const [one, other] = InMemoryTransport.createLinkedPair();
      await Promise.all([server.connect(one), client.connect(other)]);
      await client.listTools();
      await client.callTool({ name: "price", arguments: {} });
      const failed = await client.callTool({ name: "broken", arguments: {} });
      assert.equal(failed.isError, true);
      await client.close();
      await posthog.shutdown();
      const rows = await rowsOf("mcp-user");
      const events = rows.map((row) => row.event);
      for (const event of ["$mcp_tools_list", "$mcp_tool_call"]) assert.ok(events.includes(event), events.join(" "));
      const calls = rows.filter((row) => row.event === "$mcp_tool_call");
      assert.deepEqual(calls.map((row) => row.properties.$mcp_tool_name).sort(), ["broken", "price"]);
      assert.equal(new Set(rows.map((row) => row.person_id)).size, 1, "one person");
    }),
  );
});

describe("posthog-node in Express", () => {
  it(
    "gives events the request's person and reports what handlers throw",
    proves("posthog-node 5.70.0 in Express 5.3.0", ["capture", "exceptions"], async () => {
      const posthog = new PostHog(TOKEN, { host: system.url });
      const app = express();
      setupExpressRequestContext(posthog, app);
      app.get("/buy", (_, response) => {
        posthog.capture({ event: "bought" });
        response.send("ok");
      });
      app.get("/fail", () => {
        throw new RangeError("no such shelf");
      });
      setupExpressErrorHandler(posthog, app);
      app.use((error, _request, response, _next) => response.status(500).send(String(error.name)));
      const server = createServer(app);
      await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      const headers = { "x-posthog-distinct-id": "visitor", "x-posthog-session-id": "01a20351-0812-7d72-b3dd-c8f87de2236e" };
      assert.equal((await fetch(`http://127.0.0.1:${port}/buy`, { headers })).status, 200);
      assert.equal(await (await fetch(`http://127.0.0.1:${port}/fail`, { headers })).text(), "RangeError");
      await new Promise((done) => server.close(done));
      await posthog.shutdown();
      const rows = await rowsOf("visitor");
      const bought = rows.find((row) => row.event === "bought");
      assert.equal(bought.properties.$session_id, headers["x-posthog-session-id"]);
      const exception = rows.find((row) => row.event === "$exception");
      assert.equal(exception.properties.$exception_list[0].type, "RangeError");
      assert.match(exception.properties.$current_url ?? exception.properties.$request_path, /\/fail/);
    }),
  );
});
