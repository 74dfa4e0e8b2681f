// posthog-node through a bad network and a server that refuses: every event arrives, each under one uuid.
import assert from "node:assert/strict";
import { createServer, request as send } from "node:http";
import { after, before, describe, it } from "node:test";
import { PostHog } from "posthog-node";
import { PostHog as PostHog4 } from "posthog-node-4";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { proofs } from "./proofs.mjs";

const { proves } = proofs(import.meta.url);

/** What befalls a request between client and Worker. "lost": the Worker answers, the client hears nothing. */
const FAULTS = ["503", "429", "reset", "lost"];

let system;
before(async () => {
  system = await startSystem();
});
after(async () => {
  assert.deepEqual(await system.stream("rejects"), [], "the Worker refused nothing");
  await system.stop();
});

/** A proxy before the Worker that does `fault` to the first `times` requests. */
async function startProxy(fault, times) {
  const target = new URL(system.url);
  const seen = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const isBad = seen.push(request.url) <= times;
    if (isBad && fault === "reset") return request.socket.destroy();
    if (isBad && fault !== "lost") return response.writeHead(Number(fault), { "retry-after": "0" }).end("{}");
    const { method, url: path, headers } = request;
    const onward = send({ host: target.hostname, port: target.port, method, path, headers }, (answer) => {
      if (isBad) {
        answer.resume().once("end", () => request.socket.destroy());
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    onward.end(Buffer.concat(parts));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Makes a client that repeats soon and for long. @param {"v0" | "v1"} mode */
function clientOf(Client, url, mode) {
  process.env.POSTHOG_CAPTURE_MODE = mode;
  try {
    return new Client(TOKEN, { host: url, flushAt: 100, fetchRetryCount: 5, fetchRetryDelay: 20, requestTimeout: 60_000 });
  } finally {
    delete process.env.POSTHOG_CAPTURE_MODE;
  }
}

/** Twelve events of one person; what arrived of them, when all of them did. */
async function through(Client, url, mode, id) {
  const client = clientOf(Client, url, mode);
  for (let n = 0; n < 12; n += 1) {
    client.capture({ distinctId: id, event: "numbered", properties: { n, $set: { last: n } } });
  }
  await client.flush();
  await client.shutdown();
  return eventually(
    async () => {
      const rows = (await system.rows()).filter((row) => row.distinct_id === id);
      return new Set(rows.map((row) => row.properties.n)).size === 12 && rows;
    },
    { what: `the events of ${id}`, timeoutMs: 60_000 },
  );
}

function assertWhole(rows, copies) {
  assert.equal(new Set(rows.map((row) => row.uuid)).size, 12, "an event keeps its uuid");
  assert.equal(rows.length, 12 * copies);
  assert.equal(new Set(rows.map((row) => row.person_id)).size, 1, "one person");
}

for (const [sdk, Client, mode] of [
  ["posthog-node 5.70.0", PostHog, "v0"],
  ["posthog-node 5.70.0", PostHog, "v1"],
  ["posthog-node 4.18.0", PostHog4, "v0"],
]) {
  describe(`${sdk}, capture ${mode}`, () => {
    const capabilities = mode === "v1" ? ["v1", "faults"] : ["faults"];
    for (const fault of FAULTS) {
      it(
        `sends again after ${fault === "lost" ? "a lost answer" : fault}`,
        proves(sdk, capabilities, async () => {
          const proxy = await startProxy(fault, 2);
          try {
            const rows = await through(Client, proxy.url, mode, `${sdk} ${mode} ${fault}`);
            assert.equal(proxy.seen.length, 3, proxy.seen.join(" "));
            assert.ok(proxy.seen.every((path) => path.startsWith(mode === "v1" ? "/i/v1/analytics/events" : "/batch")));
            assertWhole(rows, fault === "lost" ? 3 : 1);
          } finally {
            proxy.stop();
          }
        }),
      );
    }

    it(
      "sends once while the sink refuses; the outbox has it until then",
      proves(sdk, capabilities, async () => {
        await system.pipeline.fault({ seconds: 4, status: 503 });
        const proxy = await startProxy("", 0);
        try {
          const rows = await through(Client, proxy.url, mode, `${sdk} ${mode} outage`);
          assert.equal(proxy.seen.length, 1);
          assertWhole(rows, 1);
        } finally {
          proxy.stop();
        }
      }),
    );
  });
}
