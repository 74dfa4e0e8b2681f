// A sink that answers with a redirect has taken nothing: whoever stands where it leads is no sink, gets no rows, and
// its 200 is no proof of anything.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { ADMIN_TOKEN, admin, asAdmin, assertAllLanded, Client, settle } from "./support.mjs";

let front;
let system;
/** What the sink answers with; 0: it takes the rows. */
let status = 0;
/** Requests that came to where the redirects lead. */
const followed = [];

before(async () => {
  front = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    if (request.url === "/login") {
      followed.push(request.method);
      return response.end("welcome");
    }
    if (status !== 0) return response.writeHead(status, { location: "/login" }).end();
    const answer = await fetch(system.pipeline.url + request.url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
    });
    response.writeHead(answer.status).end();
  });
  await new Promise((done) => front.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (front.address());
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN_TOKEN, CLOUDFLARE_PIPELINE_ENDPOINT: `http://127.0.0.1:${port}/` },
  });
});
after(async () => {
  await system?.stop();
  front?.close();
  front?.closeAllConnections();
});

describe("a redirect of the sink is not followed, and the rows wait in an outbox", () => {
  for (const answer of [301, 302, 303, 307, 308]) {
    it(`${answer}`, async () => {
      status = answer;
      const client = new Client(system.url);
      await client.send(client.batch(3));
      const { rows, streams } = await admin(system.url, "/admin/outbox");
      assert.deepEqual([rows, streams.events.last_status], [3, answer]);
      // Nor by the outbox itself.
      await fetch(`${system.url}/admin/outbox/drain`, { method: "POST", headers: asAdmin });
      assert.equal((await admin(system.url, "/admin/outbox")).rows, 3);
      assert.deepEqual(followed, []);
      status = 0;
      await settle(system);
      assert.equal((await assertAllLanded(system, client)).copies, 0);
      await system.reset();
    });
  }
});
