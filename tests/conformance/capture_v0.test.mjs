// The wire protocol of capture v0 through local workerd: shapes, encodings, fields, refusals.
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import LZString from "lz-string";
import { startSystem, TOKEN } from "../lib/harness.mjs";

const PATHS = ["/batch", "/i/v0/e", "/e", "/capture", "/track", "/engage"];
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
beforeEach(() => system.reset());

const event = (fields = {}) => ({ event: "testing", distinct_id: "u", ...fields });
const single = (fields = {}) => ({ token: TOKEN, ...event(fields) });
const batch = (events) => ({ api_key: TOKEN, batch: events });

async function expectStored(response, count) {
  assert.equal(response.status, 200, await response.clone().text());
  assert.deepEqual(await response.json(), { status: "Ok" });
  const rows = await system.rows(count);
  assert.equal(rows.length, count);
  return rows;
}

async function expectRefused(response, status, text) {
  assert.equal(response.status, status);
  assert.match(await response.text(), text);
  assert.deepEqual(await system.rows(), []);
}

describe("shapes", () => {
  it("a single event is one row with a new version 7 uuid", async () => {
    const [row] = await expectStored(await system.post("/e/", single()), 1);
    assert.equal(row.event, "testing");
    assert.equal(row.distinct_id, "u");
    assert.equal(row.api_key, TOKEN);
    assert.match(row.uuid, UUID);
    assert.equal(row.uuid[14], "7");
  });

  it("an array of events keeps its order", async () => {
    const rows = await expectStored(await system.post("/e/", [single({ event: "one" }), single({ event: "two" })]), 2);
    assert.deepEqual(
      rows.map((row) => row.event),
      ["one", "two"],
    );
  });

  for (const path of PATHS) {
    for (const slash of ["", "/"]) {
      it(`${path}${slash} takes a batch`, async () => {
        await expectStored(await system.post(path + slash, batch([event(), event()])), 2);
      });
    }
  }

  it("historical_migration is kept", async () => {
    const [row] = await expectStored(await system.post("/batch/", { ...batch([event()]), historical_migration: true }), 1);
    assert.match(JSON.stringify(row.extra), /historical_migration":true/);
  });

  it("/engage without an event name is $identify", async () => {
    const [row] = await expectStored(await system.post("/engage/", { token: TOKEN, $distinct_id: "u", $set: { plan: "pro" } }), 1);
    assert.equal(row.event, "$identify");
    assert.equal(row.person_properties.plan, "pro");
  });

  it("the same elsewhere is refused", async () => {
    await expectRefused(await system.post("/e/", { token: TOKEN, $distinct_id: "u", $set: { plan: "pro" } }), 400, /event/);
  });
});

describe("encodings", () => {
  const json = JSON.stringify(batch([event({ properties: { text: "grüße 🦔" } })]));
  const base64 = Buffer.from(json).toString("base64");
  const gzip = gzipSync(json);
  const plain = { "content-type": "text/plain" };
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const encode = encodeURIComponent;

  /** @type {[string, string, string | Uint8Array, Record<string, string>][]} */
  const cases = [
    ["plain JSON", "/e/", json, {}],
    ["gzip by magic as text/plain", "/e/", gzip, plain],
    ["gzip by Content-Encoding", "/batch/", gzip, { "content-encoding": "gzip" }],
    ["gzip by query", "/batch/?compression=gzip", gzip, {}],
    ["gzip-js by query", "/e/?compression=gzip-js", gzip, plain],
    ["a gzip hint on a body some proxy inflated", "/batch/", json, { "content-encoding": "gzip" }],
    ["base64 by query", "/e/?compression=base64", base64, plain],
    ["base64 without a hint", "/e/", base64, plain],
    ["a form of JSON", "/e/", `data=${encode(json)}`, form],
    ["a form of base64", "/e/", `data=${encode(base64)}&compression=base64`, form],
    ["a form whose base64 lost its plus signs", "/e/", `data=${base64}&compression=base64`, form],
    ["a form of LZ-string", "/e/", `data=${encode(LZString.compressToBase64(json))}&compression=lz64`, form],
  ];
  for (const [name, path, body, headers] of cases) {
    it(name, async () => {
      const [row] = await expectStored(await system.post(path, body, headers), 1);
      assert.equal(row.properties.text, "grüße 🦔");
    });
  }

  it("GET with ?data=", async () => {
    await expectStored(await system.request(`/e/?data=${encode(base64)}`), 1);
  });

  it("a form content type on plain JSON is refused", async () => {
    await expectRefused(await system.post("/e/", json, form), 400, /form/);
  });

  it("truncated gzip is refused", async () => {
    await expectRefused(await system.post("/e/", gzip.subarray(0, 40), plain), 400, /failed to decode/);
  });

  it("a gzip bomb is refused", async () => {
    const bomb = gzipSync(Buffer.alloc(120 * 1024 * 1024, 32));
    await expectRefused(await system.post("/e/", bomb, plain), 413, /./);
  });

  it("?beacon=1 answers 204 without a body", async () => {
    const response = await system.post("/e/?beacon=1", json);
    assert.equal(response.status, 204);
    assert.equal(await response.text(), "");
    assert.equal((await system.rows(1)).length, 1);
  });

  it("4 MB are taken on /e and 21 MB refused", async () => {
    const padded = (megabytes) =>
      JSON.stringify(batch(Array.from({ length: megabytes * 8 }, () => event({ properties: { pad: "x".repeat(131072) } }))));
    await expectStored(await system.post("/e/", padded(4)), 32);
    await system.reset();
    await expectRefused(await system.post("/e/", padded(21)), 413, /./);
  });
});

describe("fields", () => {
  it("token and distinct_id may stand in properties, as posthog-js sends them", async () => {
    const began = Date.now();
    const [row] = await expectStored(
      await system.post("/e/", {
        api_key: TOKEN,
        batch: [{ event: "$pageview", properties: { token: TOKEN, distinct_id: "in-props" }, offset: 5000 }],
        sent_at: new Date().toISOString(),
      }),
      1,
    );
    assert.equal(row.distinct_id, "in-props");
    const sentAt = Date.parse(row.timestamp) + 5000;
    assert.ok(sentAt >= began - 1000 && sentAt <= Date.now() + 1000, row.timestamp);
  });

  it("a distinct_id at the root wins over one in properties", async () => {
    const [row] = await expectStored(await system.post("/e/", single({ distinct_id: "root", properties: { distinct_id: "props" } })), 1);
    assert.equal(row.distinct_id, "root");
  });

  it("numbers, objects and long distinct ids become text of at most 200 characters", async () => {
    const rows = await expectStored(
      await system.post("/batch/", batch([42, { a: 1 }, "x".repeat(222)].map((id) => event({ distinct_id: id })))),
      3,
    );
    assert.deepEqual(
      rows.map((row) => row.distinct_id),
      ["42", '{"a":1}', "x".repeat(200)],
    );
  });

  it("a client's uuid is kept, an empty one replaced", async () => {
    const uuid = "01890a5d-ac96-774b-bcce-b302099a8057";
    const rows = await expectStored(await system.post("/batch/", batch([event({ uuid }), event({ uuid: "" })])), 2);
    assert.equal(rows[0].uuid, uuid);
    assert.match(rows[1].uuid, UUID);
  });

  it("one bad event never costs its batch", async () => {
    const response = await system.post(
      "/batch/",
      batch([event({ event: "good" }), event({ uuid: "x" }), { event: "no id" }, event({ event: "" }), "no object"]),
    );
    await expectStored(response, 1);
    const rejects = await system.stream("rejects");
    assert.deepEqual(
      rejects.map((reject) => reject.reason),
      ["invalid_uuid", "missing_distinct_id", "missing_event_name", "hydrate_failed"],
    );
  });

  it("what nobody reads leaves byte for byte as it came", async () => {
    const text = `{"api_key":"${TOKEN}","batch":[{"event":"e","distinct_id":"u","properties":{"big":12345678901234567890,"price":1.10,"nested":{"e":1E5, "s":"\\u00fc\\/"}}}]}`;
    assert.equal((await system.post("/batch/", text)).status, 200);
    const raw = await (await fetch(`${system.pipeline.url}/events`)).text();
    for (const spelled of ['"big":12345678901234567890', '"price":1.10', '{"e":1E5, "s":"\\u00fc\\/"}']) {
      assert.ok(raw.includes(spelled), `${spelled} in ${raw}`);
    }
  });

  it("a lone surrogate is replaced, not refused", async () => {
    const text = `{"api_key":"${TOKEN}","batch":[{"event":"e","distinct_id":"u","properties":{"s":"a\\ud83d!"}}]}`;
    assert.equal((await system.post("/batch/", text)).status, 200);
    assert.equal((await system.rows(1))[0].properties.s, "a\ufffd!");
  });

  it("$performance_event is filtered without a word", async () => {
    const response = await system.post("/batch/", batch([event({ event: "$performance_event" })]));
    await expectStored(response, 0);
  });

  it("unknown root fields are in extra", async () => {
    const [row] = await expectStored(await system.post("/e/", single({ shoe_size: 44 })), 1);
    assert.equal(row.extra.shoe_size, 44);
  });
});

describe("refusals", () => {
  it("malformed JSON", async () => {
    await expectRefused(await system.post("/batch/", '{"api_key":'), 400, /failed to parse request.*byte 11/s);
  });
  it("an empty body", async () => {
    await expectRefused(await system.post("/batch/", ""), 400, /missing data payload/);
  });
  it("an empty batch", async () => {
    await expectRefused(await system.post("/batch/", batch([])), 400, /request holds no event/);
  });
  it("no token", async () => {
    await expectRefused(await system.post("/e/", event()), 401, /without an api_key/);
  });
  it("two tokens in one array", async () => {
    await expectRefused(await system.post("/e/", [single(), { ...single(), token: "phc_other" }]), 401, /more than one/);
  });
  for (const [name, token] of [
    ["an empty token", ""],
    ["65 characters", "x".repeat(65)],
    ["a personal key", "phx_secret"],
    ["a NUL", "phc_\u0000"],
    ["an emoji", "phc_🦔"],
  ]) {
    it(`${name} as token`, async () => {
      await expectRefused(await system.post("/e/", { ...single(), token }), 401, /./);
    });
  }
  it("spaces around a token are trimmed", async () => {
    await expectStored(await system.post("/e/", { ...single(), token: ` ${TOKEN} ` }), 1);
  });
  it("no distinct_id", async () => {
    await expectRefused(await system.post("/e/", { token: TOKEN, event: "e" }), 400, /without a distinct_id/);
  });
  it("an unknown path", async () => {
    await expectRefused(await system.post("/nothing/here", single()), 404, /no such path/);
  });
  it("a wrong method", async () => {
    const response = await system.request("/batch/", { method: "DELETE" });
    assert.equal(response.headers.get("allow"), "GET, POST, OPTIONS");
    await expectRefused(response, 405, /method not allowed/);
  });
});

describe("CORS", () => {
  it("a preflight mirrors origin and requested headers", async () => {
    const response = await system.request("/batch/", {
      method: "OPTIONS",
      headers: {
        origin: "https://www.example.com",
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type, x-custom",
      },
    });
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("access-control-allow-origin"), "https://www.example.com");
    assert.equal(response.headers.get("access-control-allow-credentials"), "true");
    assert.equal(response.headers.get("access-control-allow-headers"), "content-type, x-custom");
    assert.match(response.headers.get("access-control-allow-methods"), /GET, POST, OPTIONS/);
  });
  for (const [name, path, body, status] of [
    ["success", "/e/", single(), 200],
    ["a refusal", "/e/", { event: "e" }, 401],
    ["an unknown path", "/nothing", {}, 404],
  ]) {
    it(`${name} carries the origin, null included`, async () => {
      for (const origin of ["https://www.example.com", "null"]) {
        const response = await system.post(path, body, { origin });
        assert.equal(response.status, status);
        assert.equal(response.headers.get("access-control-allow-origin"), origin);
        assert.match(response.headers.get("vary") ?? "", /Origin/);
      }
    });
  }
});
