// Sizes, depths and numbers at their bounds, and what is hostile.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event, nothingBad, PLAIN, refused, single, stored } from "./support.mjs";

const MIB = 1024 * 1024;
let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(async () => {
  await nothingBad(system);
  // Whatever came, the next one is served, and has landed before the tables are emptied.
  const { length } = await system.rows();
  assert.equal((await system.post("/e/", single())).status, 200);
  await system.rows(length + 1);
});

/** A batch of about so many bytes. */
const padded = (bytes) =>
  JSON.stringify(batch(Array.from({ length: Math.ceil(bytes / MIB) * 8 }, () => event({ properties: { pad: "x".repeat(MIB / 8) } }))));

describe("limits", () => {
  for (const path of ["/batch/", "/e", "/i/v0/e/", "/capture/", "/track/", "/engage/", "/identify", "/i/v0/ai/batch/"]) {
    it(`21 MiB at ${path} are 413`, async () => {
      const response = await system.post(path, padded(21 * MIB), { origin: "https://a.example" });
      assert.equal(response.headers.get("access-control-allow-origin"), "https://a.example");
      await refused(system, response, 413, /larger than the limit/);
    });
  }

  it("26 MiB at /s/ are 413", async () => {
    await refused(system, await system.post("/s/", padded(26 * MIB)), 413, /larger than the limit/);
  });

  it("a body without announced length is counted as it arrives", async () => {
    const chunk = new Uint8Array(MIB).fill(32);
    let sent = 0;
    const stream = new ReadableStream({
      pull(controller) {
        if (sent++ === 27) controller.close();
        else controller.enqueue(chunk);
      },
    });
    const response = await system
      .request("/batch/", { method: "POST", body: stream, duplex: "half", headers: { "content-type": "application/json" } })
      .catch(() => null);
    // The Worker may hang up on the rest of the body after its answer.
    if (response !== null) await refused(system, response, 413);
  });

  const bomb = Buffer.alloc(200 * MIB, 32);
  for (const [name, path, body, headers] of /** @type {[string, string, Uint8Array, Record<string, string>][]} */ ([
    ["a gzip bomb", "/e/", gzipSync(bomb), PLAIN],
    ["a gzip bomb for replay", "/s/", gzipSync(bomb), PLAIN],
    ["a deflate bomb", "/batch/", deflateSync(bomb), { "content-encoding": "deflate" }],
    ["gzip in base64", "/e/", Buffer.from(gzipSync(bomb).toString("base64")), PLAIN],
  ])) {
    it(`${name} stops at the cap`, async () => {
      await refused(system, await system.post(path, body, headers), 413, /over \d+ bytes/);
    });
  }

  it("31 MiB of JSON in gzip are taken", async () => {
    const events = Array.from({ length: 31 }, () => event({ properties: { pad: "x".repeat(MIB - 300) } }));
    const response = await system.post("/batch/", gzipSync(JSON.stringify(batch(events))), PLAIN);
    assert.equal(response.status, 200, await response.text());
    assert.equal((await system.rows(31)).length, 31);
  });

  it("an event over the sink's row limit is cut, not lost", async () => {
    const properties = { big: "é".repeat(1_500_000), small: 1 };
    const [row] = await stored(system, await system.post("/e/", single({ properties })), 1);
    assert.equal(row.event, "testing");
    assert.equal(row.properties.small, 1);
  });

  for (const depth of [100, 127]) {
    it(`${depth} levels of nesting are stored`, async () => {
      const nested = `${"[".repeat(depth - 4)}${"]".repeat(depth - 4)}`;
      const text = `{"api_key":"${TOKEN}","batch":[{"event":"e","distinct_id":"u","properties":{"deep":${nested}}}]}`;
      await stored(system, await system.post("/batch/", text), 1);
    });
  }

  for (const [name, text] of [
    [
      "200 levels",
      `{"api_key":"${TOKEN}","batch":[{"event":"e","distinct_id":"u","properties":{"deep":${"[".repeat(200)}${"]".repeat(200)}}}]}`,
    ],
    ["a million open brackets", "[".repeat(1_000_000)],
    ["a million open objects", '{"a":'.repeat(1_000_000)],
  ]) {
    it(`${name} are refused`, async () => {
      await refused(system, await system.post("/batch/", text), 413, /expected less nesting/);
    });
  }

  it("numbers leave as they came, however large or odd", async () => {
    const numbers = ["9223372036854775808", "-0", "1e308", "0.1000", "123456789012345678901234567890", "1E-5"];
    const properties = `{${numbers.map((number, i) => `"n${i}":${number}`).join(",")}}`;
    const text = `{"api_key":"${TOKEN}","batch":[{"event":"e","distinct_id":"u","properties":${properties}}]}`;
    assert.equal((await system.post("/batch/", text)).status, 200);
    const raw = await (await fetch(`${system.pipeline.url}/events`)).text();
    numbers.forEach((number, i) => assert.ok(raw.includes(`"n${i}":${number}`), number));
  });

  it("a number that no double can hold is refused, as at PostHog", async () => {
    const text = `{"api_key":"${TOKEN}","batch":[{"event":"e","distinct_id":"u","properties":{"n":1e400}}]}`;
    await refused(system, await system.post("/batch/", text), 400, /binary64/);
  });

  it("a distinct_id that is a huge integer keeps its digits", async () => {
    const text = `{"api_key":"${TOKEN}","event":"e","distinct_id":123456789012345678901234567890}`;
    const [row] = await stored(system, await system.post("/e/", text), 1);
    assert.equal(row.distinct_id, "123456789012345678901234567890");
  });

  it("NULs in names and ids become U+FFFD", async () => {
    const sent = single({ event: "a\u0000b", distinct_id: "c\u0000d", properties: { e: "f\u0000g" } });
    const [row] = await stored(system, await system.post("/e/", sent), 1);
    assert.equal(row.event, "a\ufffdb");
    assert.equal(row.distinct_id, "c\ufffdd");
  });

  it("ten thousand small events are ten thousand rows", async () => {
    const events = Array.from({ length: 10_000 }, (_, i) => event({ event: `e${i}`, properties: { $process_person_profile: false } }));
    const rows = await stored(system, await system.post("/batch/", batch(events)), 10_000);
    // They went to the sink in several sends at once, which keep no order among themselves.
    assert.equal(new Set(rows.map((row) => row.event)).size, 10_000);
  });

  it("a property name of a thousand characters, an empty one and a repeated one", async () => {
    const text = `{"token":"${TOKEN}","event":"e","distinct_id":"u","properties":{"${"k".repeat(1000)}":1,"":2,"a":1,"a":2}}`;
    const [row] = await stored(system, await system.post("/e/", text), 1);
    assert.equal(row.properties["k".repeat(1000)], 1);
    assert.equal(row.properties[""], 2);
    assert.equal(row.properties.a, 2);
  });

  for (const [name, bytes] of [
    ["bytes that are no UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ["UTF-16", Buffer.from(JSON.stringify(single()), "utf16le")],
    ["zeros", new Uint8Array(1000)],
    ["random bytes", Uint8Array.from({ length: 4096 }, (_, i) => (i * 2654435761) >>> 13)],
  ]) {
    it(`${name} are refused`, async () => {
      await refused(system, await system.post("/e/", bytes), 400, /failed to (decode|parse)/);
    });
  }
});
