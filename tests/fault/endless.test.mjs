// Answers without an end: whoever is asked, sink, engine or identity provider, may write for ever. What is read of it is
// bounded, and nobody else notices.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { eventually, startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, asAdmin, assertAllLanded, Client, settle } from "./support.mjs";

/** Far above what is read of any answer, far below what an endless one would bring until its time-out. */
const WRITTEN_MAX = 64 << 20;
const CHUNK = Buffer.alloc(64 << 10, "[");

/** Writes until the other side has had enough; the bytes it took. */
function writeForEver(response, status) {
  response.writeHead(status, { "content-type": "application/json" });
  return new Promise((done) => {
    let written = 0;
    const go = () => {
      while (!response.destroyed) {
        written += CHUNK.length;
        if (!response.write(CHUNK)) return;
      }
    };
    response.on("drain", go);
    response.once("close", () => done(written));
    go();
  });
}

let endless;
let system;
/** Bytes that were written into each answer that has ended. */
const written = [];
/** What the sink does with rows before it begins to talk. */
let status = 200;

before(async () => {
  endless = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const isSink = request.method === "POST" && !/\/query\//.test(request.url);
    if (isSink && status === 200)
      await fetch(system.pipeline.url + request.url, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: Buffer.concat(chunks),
      });
    written.push(await writeForEver(response, isSink ? status : 200));
  });
  await new Promise((done) => endless.listen(0, "127.0.0.1", () => done(undefined)));
  const url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (endless.address()).port}`;
  system = await startSystem({
    vars: {
      HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN,
      CLOUDFLARE_PIPELINE_ENDPOINT: `${url}/`,
      HOGFLARE_SQL_URL: url,
      HOGFLARE_SQL_ACCOUNT_ID: "account",
      HOGFLARE_SQL_BUCKET: "bucket",
      HOGFLARE_SQL_TOKEN: "token",
      HOGFLARE_ACCESS_TEAM: url,
      HOGFLARE_ACCESS_AUD: "an-audience",
    },
  });
});
after(async () => {
  await system?.stop();
  endless?.close();
  endless?.closeAllConnections();
});

/** Every answer so far was cut, and early. */
async function allCut(count) {
  await eventually(() => written.length >= count, { what: `${count} answers that were cut`, timeoutMs: 30_000 });
  for (const bytes of written) assert.ok(bytes < WRITTEN_MAX, `${bytes} bytes were taken`);
}

describe("an answer without an end", () => {
  it("of the sink counts by its status, and its rows land once", async () => {
    status = 200;
    const client = new Client(system.url);
    assert.equal(await client.send(client.batch(20)), 1);
    await allCut(1);
    assert.equal((await assertAllLanded(system, client)).copies, 0);
  });

  it("of a sink that refuses leaves the rows to the outbox, and they land", async () => {
    status = 500;
    const client = new Client(system.url);
    await client.send(client.batch(20));
    status = 200;
    await settle(system);
    await assertAllLanded(system, client);
    await allCut(2);
  });

  it("of the engine is a sentence", async () => {
    const before = written.length;
    const answer = await system.request("/api/projects/1/query/", {
      method: "POST",
      headers: { ...asAdmin, "content-type": "application/json" },
      body: JSON.stringify({
        query: { kind: "TrendsQuery", series: [{ kind: "EventsNode", event: "$pageview" }], dateRange: { date_from: "-7d" } },
      }),
    });
    assert.ok(answer.status >= 400, String(answer.status));
    assert.match(await answer.text(), /answer_too_large/);
    await allCut(before + 1);
  });

  it("of Access signs nobody in", async () => {
    const before = written.length;
    const jwt = [
      { alg: "RS256", kid: "k", typ: "JWT" },
      { aud: ["an-audience"], exp: Math.floor(Date.now() / 1000) + 600 },
    ]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .concat(Buffer.alloc(256).toString("base64url"))
      .join(".");
    const answer = await system.post("/app/api/session", { token: ADMIN_TOKEN }, { "cf-access-jwt-assertion": jwt });
    assert.ok(answer.status >= 400, String(answer.status));
    await allCut(before + 1);
    assert.equal((await system.request("/_liveness")).status, 200);
  });
});
