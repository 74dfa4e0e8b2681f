// Requests as real SDK releases sent them (tests/golden), replayed through local workerd: each is answered
// 200 (a beacon 204), every event arrives, none is bad.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, beforeEach, describe, it } from "node:test";
import * as zlib from "node:zlib";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { startSystem } from "../lib/harness.mjs";
import { nothingBad } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());

const DIRECTORY = join(ROOT, "tests/golden");
const recordings = readdirSync(DIRECTORY)
  .filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(DIRECTORY, name), "utf8")));

// What the client's connection sets itself.
const CONNECTION = new Set(["host", "connection", "content-length", "transfer-encoding", "expect", "accept-encoding", "keep-alive"]);

const UNPACK = {
  gzip: zlib.gunzipSync,
  deflate: zlib.inflateSync,
  br: zlib.brotliDecompressSync,
  zstd: zlib.zstdDecompressSync,
};

/** The events of a recorded body, decoded without our own decoder. */
function eventsOf(request) {
  const { searchParams } = new URL(request.path, "http://x");
  const headers = Object.fromEntries(request.headers);
  let bytes = Buffer.from(request.body, "base64");
  const encoding = headers["content-encoding"];
  if (encoding in UNPACK) bytes = UNPACK[encoding](bytes);
  else if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = zlib.gunzipSync(bytes);
  let text = bytes.toString("utf8");
  if (text.startsWith("data=")) text = new URLSearchParams(text).get("data");
  if (searchParams.get("compression") === "base64") text = Buffer.from(text, "base64").toString("utf8");
  const body = JSON.parse(text);
  if (Array.isArray(body)) return body;
  return body.batch ?? [body];
}

const isCapture = ({ path }) => /^\/(batch|e|i\/v0\/e|i\/v1\/analytics\/events|capture|i\/v0\/ai\/batch)\/?(\?|$)/.test(path);

describe("golden requests", () => {
  it("there are recordings", () => {
    assert.ok(recordings.length >= 8);
  });

  for (const { sdk, requests } of recordings) {
    it(`${sdk}: every event arrives with its name and distinct_id`, async () => {
      const expected = [];
      for (const request of requests.filter(isCapture)) {
        const response = await system.request(request.path, {
          method: request.method,
          headers: request.headers.filter(([name]) => !CONNECTION.has(name)),
          body: Buffer.from(request.body, "base64"),
        });
        const answer = await response.text();
        const status = request.path.includes("beacon=1") ? 204 : 200;
        assert.equal(response.status, status, `${request.path}: ${answer}`);
        const events = eventsOf(request);
        expected.push(...events);
        if (request.path.includes("/v1/")) {
          const { results } = JSON.parse(answer);
          assert.deepEqual(
            events.map((event) => results[event.uuid]?.result),
            events.map(() => "ok"),
          );
        }
      }
      assert.ok(expected.length > 0);
      const rows = await system.rows();
      const key = (name, id) => `${name} of ${id}`;
      assert.deepEqual(
        rows.map((row) => key(row.event, row.distinct_id)).sort(),
        expected.map((event) => key(event.event, event.distinct_id ?? event.$distinct_id ?? event.properties?.distinct_id)).sort(),
      );
      for (const event of expected.filter(({ uuid }) => uuid)) {
        assert.ok(
          rows.some((row) => row.uuid === event.uuid),
          event.uuid,
        );
      }
      const purchases = rows.filter((row) => row.event === "purchase");
      for (const row of purchases) {
        assert.equal(row.properties.text, "grüße 🦔");
        assert.equal(row.properties.amount, 29.99);
      }
      await nothingBad(system);
      // Events of long ago under uuids of their recording are warned of, as at PostHog.
      const refused = (await system.stream("rejects")).filter((row) => row.reason !== "event_uuid_timestamp_divergent");
      assert.deepEqual(refused, []);
    });
  }
});
