// Capture v1 through local workerd (W-4).
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import * as zlib from "node:zlib";
import { startSystem } from "../lib/harness.mjs";
import { isNear, nothingBad, refused, v1Batch, v1Event, v1Headers } from "./support.mjs";

const PATH = "/i/v1/analytics/events";
let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const send = (body, headers = v1Headers(), path = PATH) => system.post(path, body, headers);

/** Results by uuid of a request that was answered 200. */
async function results(response) {
  assert.equal(response.status, 200, await response.clone().text());
  return (await response.json()).results;
}

/** A whole-request failure: status, error tag, nothing stored. */
async function fails(response, status, tag) {
  const body = JSON.parse(await refused(system, response, status));
  assert.equal(body.error, tag);
  assert.equal(typeof body.error_description, "string");
  assert.equal(typeof body.error_uri, "string");
}

describe("capture v1", () => {
  for (const slash of ["", "/"]) {
    it(`an event is stored and answered by its uuid at ${PATH}${slash}`, async () => {
      const sent = v1Event({ session_id: "s-1", window_id: "w-1", properties: { plan: "pro" } });
      const headers = v1Headers();
      const response = await send(v1Batch([sent]), headers, PATH + slash);
      assert.deepEqual(await results(response.clone()), { [sent.uuid]: { result: "ok" } });
      assert.equal(response.headers.get("posthog-request-id"), headers["posthog-request-id"]);
      assert.match(response.headers.get("content-type"), /application\/json/);
      assert.ok(response.headers.get("date"));
      assert.equal(response.headers.get("retry-after"), null);
      const [row] = await system.rows(1);
      assert.equal(row.uuid, sent.uuid);
      assert.equal(row.properties.plan, "pro");
      assert.equal(row.properties.$session_id, "s-1");
      assert.equal(row.properties.$window_id, "w-1");
      assert.equal(row.properties.$lib, "posthog-node");
      assert.equal(row.properties.$lib_version, "5.70.0");
    });
  }

  /** @type {[string, Record<string, string | undefined>, number, string][]} */
  const wrong = [
    ["no Authorization", { authorization: undefined }, 401, "missing_authorization"],
    ["Basic", { authorization: "Basic x" }, 400, "invalid_header_value"],
    ["a personal key", { authorization: "Bearer phx_1" }, 401, "invalid_api_token"],
    ["no attempt", { "posthog-attempt": undefined }, 400, "missing_required_headers"],
    ["attempt 0", { "posthog-attempt": "0" }, 400, "invalid_header_value"],
    ["no request id", { "posthog-request-id": undefined }, 400, "missing_required_headers"],
    ["a request id that is no UUID", { "posthog-request-id": "1" }, 400, "invalid_header_value"],
    ["no request time", { "posthog-request-timestamp": undefined }, 400, "missing_required_headers"],
    ["a request time in words", { "posthog-request-timestamp": "now" }, 400, "invalid_header_value"],
    ["no SDK", { "posthog-sdk-info": undefined }, 400, "missing_required_headers"],
    ["text/plain", { "content-type": "text/plain" }, 415, "unsupported_content_type"],
    ["lz4", { "content-encoding": "lz4" }, 415, "unsupported_encoding"],
  ];
  for (const [name, headers, status, tag] of wrong) {
    it(`${name} is refused`, async () => {
      await fails(await send(v1Batch([v1Event()]), v1Headers(headers)), status, tag);
    });
  }

  it("an SDK name without version is taken", async () => {
    await results(await send(v1Batch([v1Event()]), v1Headers({ "posthog-sdk-info": "odd" })));
  });

  /** @type {[string, string, (text: string) => Uint8Array][]} */
  const encodings = [
    ["gzip", "gzip", zlib.gzipSync],
    ["deflate with zlib's frame", "deflate", zlib.deflateSync],
    ["raw deflate", "deflate", zlib.deflateRawSync],
    ["brotli", "br", zlib.brotliCompressSync],
    ["zstd", "zstd", zlib.zstdCompressSync],
  ];
  for (const [name, header, compress] of encodings) {
    it(`a body in ${name}`, async () => {
      const sent = v1Event({ properties: { text: "grüße 🦔" } });
      const body = compress(JSON.stringify(v1Batch([sent])));
      const got = await results(await send(body, v1Headers({ "content-encoding": header })));
      assert.deepEqual(got, { [sent.uuid]: { result: "ok" } });
      assert.equal((await system.rows(1))[0].properties.text, "grüße 🦔");
    });

    it(`garbage called ${name} is refused`, async () => {
      const response = await send("garbage, garbage", v1Headers({ "content-encoding": header }));
      await fails(response, 400, "request_decoding_error");
    });
  }

  const same = v1Event();
  /** @type {[string, unknown, string][]} */
  const broken = [
    ["one uuid twice", v1Batch([same, same]), "duplicate_event_uuid"],
    ["no uuid", v1Batch([v1Event(), v1Event({ uuid: undefined })]), "missing_event_uuid"],
    ["a uuid that is none", v1Batch([v1Event({ uuid: "x" })]), "invalid_event_uuid"],
    ["an empty batch", v1Batch([]), "empty_batch"],
    ["no created_at", { batch: [v1Event()] }, "invalid_batch"],
    ["created_at in words", v1Batch([v1Event()], { created_at: "now" }), "invalid_batch"],
    ["no batch", { created_at: new Date().toISOString() }, "request_parsing_error"],
    ["a list", [v1Event()], "request_parsing_error"],
    ["half of a JSON text", "{", "request_parsing_error"],
    ["nothing", "", "empty_body"],
  ];
  for (const [name, body, tag] of broken) {
    it(`a body with ${name} is refused as a whole`, async () => {
      await fails(await send(body), 400, tag);
    });
  }

  it("each event gets its own fate", async () => {
    const events = [
      v1Event(),
      v1Event({ event: "" }),
      v1Event({ event: "e".repeat(201) }),
      v1Event({ distinct_id: "" }),
      v1Event({ distinct_id: "d".repeat(201) }),
      v1Event({ timestamp: "yesterday" }),
      v1Event({ properties: [] }),
      v1Event({ options: { process_person_profile: "perhaps" } }),
      v1Event({ event: "$performance_event" }),
      v1Event({ distinct_id: "undefined" }),
    ];
    const expected = [
      { result: "ok" },
      { result: "drop", details: "missing_event_name" },
      { result: "drop", details: "event_name_too_long" },
      { result: "drop", details: "missing_distinct_id" },
      { result: "drop", details: "distinct_id_too_large" },
      { result: "drop", details: "invalid_event_timestamp" },
      { result: "drop", details: "malformed_event_properties" },
      { result: "drop", details: "invalid_options" },
      { result: "drop", details: "dropped_performance_event" },
      { result: "ok", details: "person_processing_disabled" },
    ];
    const got = await results(await send(v1Batch(events)));
    assert.deepEqual(
      events.map((sent) => got[sent.uuid]),
      expected,
    );
    const rows = await system.rows();
    assert.deepEqual(
      rows.map((row) => row.uuid),
      [events[0].uuid, events[9].uuid],
    );
    const rejects = await system.stream("rejects");
    assert.deepEqual(
      rejects.map((row) => row.event_uuid),
      events.slice(1, 8).map((sent) => sent.uuid),
    );
  });

  it("all dropped is still 200", async () => {
    const sent = v1Event({ event: "" });
    const got = await results(await send(v1Batch([sent])));
    assert.equal(got[sent.uuid].result, "drop");
  });

  it("the request's time corrects the clock unless the event forbids it", async () => {
    const now = Date.now();
    const hour = 3_600_000;
    const timestamp = new Date(now + hour - 600_000).toISOString();
    const headers = v1Headers({ "posthog-request-timestamp": new Date(now + hour).toISOString() });
    const events = [v1Event({ timestamp }), v1Event({ timestamp, options: { disable_skew_correction: true } })];
    await results(await send(v1Batch(events), headers));
    const rows = await system.rows();
    isNear(rows[0].timestamp, now - 600_000);
    assert.equal(Date.parse(rows[1].timestamp), Date.parse(timestamp));
    assert.equal(rows[1].properties.$ignore_sent_at, true);
  });

  it("options become properties", async () => {
    const options = { process_person_profile: "false", product_tour_id: 7, cookieless_mode: 0 };
    await results(await send(v1Batch([v1Event({ options })])));
    const [row] = await system.rows(1);
    assert.equal(row.properties.$process_person_profile, false);
    assert.equal(row.properties.$product_tour_id, "7");
    assert.equal(row.properties.$cookieless_mode, false);
    assert.equal(row.extra.$person_mode, "propertyless");
  });

  it("a gzip bomb is refused", async () => {
    const bomb = zlib.gzipSync(Buffer.alloc(120 * 1024 * 1024, 32));
    await fails(await send(bomb, v1Headers({ "content-encoding": "gzip" })), 413, "payload_too_large");
  });

  it("a zstd and a brotli bomb are refused", async () => {
    const plain = Buffer.alloc(120 * 1024 * 1024, 32);
    const fast = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 1 } };
    for (const [encoding, bomb] of [
      ["zstd", zlib.zstdCompressSync(plain)],
      ["br", zlib.brotliCompressSync(plain, fast)],
    ]) {
      await fails(await send(bomb, v1Headers({ "content-encoding": encoding })), 413, "payload_too_large");
    }
  });

  it("a zstd frame may ask for a window of 8 MiB, not for more", async () => {
    const text = JSON.stringify(v1Batch([v1Event()]));
    // RFC 8878 §3.1.1: magic number, a descriptor of nothing but a window, and one last block as it is.
    const frame = (windowLog) =>
      Buffer.concat([
        Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0, (windowLog - 10) << 3]),
        Buffer.from([((text.length << 3) | 1) & 0xff, (text.length >> 5) & 0xff, text.length >> 13]),
        Buffer.from(text),
      ]);
    const headers = v1Headers({ "content-encoding": "zstd" });
    for (const windowLog of [24, 27, 31, 41]) await fails(await send(frame(windowLog), headers), 400, "request_decoding_error");
    assert.equal((await send(frame(23), headers)).status, 200);
  });

  it("11 MiB are refused on the wire", async () => {
    const events = Array.from({ length: 88 }, () => v1Event({ properties: { pad: "x".repeat(131_072) } }));
    await fails(await send(v1Batch(events)), 413, "payload_too_large");
  });

  it("GET and HEAD are 405", async () => {
    for (const method of ["GET", "HEAD"]) {
      const response = await system.request(PATH, { method, headers: v1Headers() });
      assert.equal(response.status, 405);
      assert.equal(response.headers.get("allow"), "POST, OPTIONS");
    }
  });
});
