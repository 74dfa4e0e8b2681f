// Signed requests: every endpoint that writes wants the HMAC of its raw body.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { condition, flag } from "../lib/flags_document.mjs";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event, nothingBad, PLAIN, single, v1Batch, v1Event, v1Headers } from "./support.mjs";

const SECRET = "a shared secret, ünicode too";
let system;
before(async () => {
  system = await startSystem({ vars: { POSTHOG_SIGNING_SECRET: SECRET } });
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const hmac = (algorithm, body, secret = SECRET) => createHmac(algorithm, secret).update(body).digest("hex");
const sha256 = (body) => ({ "x-posthog-signature": `sha256=${hmac("sha256", body)}` });
const sha1 = (body) => ({ "x-hub-signature": `sha1=${hmac("sha1", body)}` });

const snapshot = {
  event: "$snapshot",
  properties: { token: TOKEN, distinct_id: "u", $session_id: "s", $snapshot_data: [{ type: 1 }] },
};
/** @type {[string, unknown, Record<string, string>][]} */
const WRITING = [
  ["/batch/", batch([event()]), {}],
  ["/e/", single(), {}],
  ["/i/v0/e/", single(), {}],
  ["/capture/", single(), {}],
  ["/track/", single(), {}],
  ["/engage/", { token: TOKEN, $distinct_id: "u", $set: { a: 1 } }, {}],
  ["/identify", { api_key: TOKEN, distinct_id: "u", properties: { a: 1 } }, {}],
  ["/alias", { api_key: TOKEN, distinct_id: "u", alias: "v" }, {}],
  ["/groups", { api_key: TOKEN, group_type: "company", group_key: "acme", properties: {} }, {}],
  ["/i/v0/ai/batch/", batch([event({ event: "$ai_generation" })]), {}],
  ["/s/", [snapshot], {}],
  ["/i/v1/analytics/events", v1Batch([v1Event()]), v1Headers()],
];

describe("signing", () => {
  for (const [path, value, headers] of WRITING) {
    const body = JSON.stringify(value);

    it(`${path} takes sha256 and sha1, in upper case and without algorithm too`, async () => {
      const signatures = [sha256(body), sha1(body), { "x-posthog-signature": hmac("sha256", body).toUpperCase() }];
      for (const signature of signatures) {
        const response = await system.post(path, body, { ...headers, ...signature });
        assert.equal(response.status, 200, `${JSON.stringify(signature)}: ${await response.text()}`);
      }
      assert.equal((await system.rows(3)).length, 3);
    });

    it(`${path} refuses everything else and stores nothing`, async () => {
      const wrong = {
        none: {},
        "another body's": sha256(`${body} `),
        "another secret's": { "x-posthog-signature": `sha256=${hmac("sha256", body, "guess")}` },
        "sha1 for sha256": { "x-posthog-signature": `sha256=${hmac("sha1", body)}` },
        "half of it": { "x-posthog-signature": `sha256=${hmac("sha256", body).slice(0, 32)}` },
        empty: { "x-posthog-signature": "sha256=" },
        "an unknown algorithm": { "x-posthog-signature": `md5=${hmac("md5", body)}` },
      };
      for (const [name, signature] of Object.entries(wrong)) {
        const response = await system.post(path, body, {
          ...headers,
          ...signature,
          origin: "https://www.example.com",
        });
        assert.equal(response.status, 401, name);
        assert.equal(response.headers.get("access-control-allow-origin"), "https://www.example.com");
        assert.match(await response.text(), /signature/, name);
      }
      assert.deepEqual(await system.rows(), []);
      assert.deepEqual(await system.stream("persons"), []);
    });
  }

  it("the signature is of the bytes on the wire, not of what they unpack to", async () => {
    const body = gzipSync(JSON.stringify(batch([event()])));
    assert.equal((await system.post("/batch/", body, { ...PLAIN, ...sha256(body) })).status, 200);
    const ofText = sha256(JSON.stringify(batch([event()])));
    assert.equal((await system.post("/batch/", body, { ...PLAIN, ...ofText })).status, 401);
  });

  it("either of two headers may be the right one", async () => {
    const body = JSON.stringify(single());
    const response = await system.post("/e/", body, { ...sha1(body), "x-posthog-signature": "sha256=00" });
    assert.equal(response.status, 200);
  });

  it("a payload in the query cannot be signed and is refused, also beside a signed body", async () => {
    const forged = Buffer.from(JSON.stringify(single({ event: "forged" }))).toString("base64");
    const query = `?data=${encodeURIComponent(forged)}`;
    const body = JSON.stringify(single());
    for (const response of [
      await system.request(`/e/${query}`),
      await system.request(`/e/${query}`, { headers: sha256("") }),
      await system.post(`/e/${query}`, body, sha256(body)),
    ]) {
      assert.equal(response.status, 401);
      assert.match(await response.text(), /signature/);
    }
    assert.deepEqual(await system.rows(), []);
  });

  it("the query's send time, which is not signed, moves no event", async () => {
    const at = "2026-11-20T12:00:00.000Z";
    const body = JSON.stringify(batch([event({ timestamp: at })]));
    // With a send time the difference to the server's clock would be taken off.
    for (const query of ["?sent_at=1700000000000", "?_=1700000000000"]) {
      assert.equal((await system.post(`/batch/${query}`, body, sha256(body))).status, 200);
    }
    const rows = await system.rows();
    assert.deepEqual(
      rows.map((row) => Date.parse(row.timestamp)),
      [Date.parse(at), Date.parse(at)],
    );
    // The body's own is covered.
    const sent = JSON.stringify(batch([event({ timestamp: at })], { sent_at: at }));
    assert.equal((await system.post("/batch/", sent, sha256(sent))).status, 200);
    assert.ok(Date.parse((await system.rows())[2].timestamp) > Date.parse(at));
  });

  for (const path of ["/flags/", "/flags", "/decide/", "/decide"]) {
    it(`${path} refuses a payload in the query as capture does`, async () => {
      const body = JSON.stringify({ token: TOKEN, distinct_id: "u" });
      const query = `?v=2&data=${encodeURIComponent(Buffer.from(body).toString("base64"))}`;
      for (const response of [
        await system.request(`${path}${query}`),
        await system.request(`${path}${query}`, { headers: sha256("") }),
        await system.post(`${path}${query}`, "", sha256("")),
        await system.post(`${path}${query}`, body, sha256(body)),
      ]) {
        assert.equal(response.status, 401);
        assert.match(await response.text(), /signature/);
      }
      assert.equal((await system.post(`${path}?v=2`, body, sha256(body))).status, 200);
    });
  }

  it("a preflight needs no signature", async () => {
    assert.equal((await system.request("/batch/", { method: "OPTIONS" })).status, 200);
  });

  it("what only reads needs none", async () => {
    assert.equal((await system.request(`/array/${TOKEN}/config`)).status, 200);
    assert.equal((await system.request("/healthz")).status, 200);
  });
});

describe("tokens of clients that hold no secret", () => {
  let mixed;
  before(async () => {
    mixed = await startSystem({
      vars: {
        POSTHOG_SIGNING_SECRET: SECRET,
        HOGFLARE_UNSIGNED_TOKENS: "phc_app, phc_web",
        HOGFLARE_FEATURE_FLAGS: JSON.stringify({
          flags: [flag(1, "sticky", [condition([], { rollout_percentage: 50 })], { ensure_experience_continuity: true })],
        }),
      },
    });
  });
  after(() => mixed.stop());
  beforeEach(() => mixed.reset());
  afterEach(() => nothingBad(mixed));

  const named = (value, token) => JSON.parse(JSON.stringify(value).replaceAll(TOKEN, token));
  const asV1 = (token) => ({ ...v1Headers(), authorization: `Bearer ${token}` });
  for (const [path, value] of WRITING) {
    const isV1 = path.includes("/v1/");
    it(`${path} takes theirs unsigned, and no other`, async () => {
      for (const [token, status] of [
        ["phc_web", 200],
        ["phc_app", 200],
        [TOKEN, 401],
        ["phc_we", 401],
      ]) {
        const response = await mixed.post(path, named(value, token), isV1 ? asV1(token) : {});
        assert.equal(response.status, status, `${token}: ${await response.text()}`);
      }
      assert.equal((await mixed.rows()).length, 2);
    });

    it(`${path} refuses a wrong signature of theirs, and takes a right one of any`, async () => {
      const theirs = named(value, "phc_web");
      const wrong = { "x-posthog-signature": "sha256=00", ...(isV1 ? asV1("phc_web") : {}) };
      assert.equal((await mixed.post(path, theirs, wrong)).status, 401);
      const body = JSON.stringify(value);
      const right = { ...sha256(body), ...(isV1 ? asV1(TOKEN) : {}) };
      assert.equal((await mixed.post(path, body, right)).status, 200);
      assert.equal((await mixed.rows()).length, 1);
    });
  }

  it("every event's token must be theirs", async () => {
    const mine = { ...event(), properties: { ...event().properties, token: TOKEN } };
    const theirs = { ...event(), properties: { ...event().properties, token: "phc_web" } };
    const body = named(batch([theirs, mine]), TOKEN);
    assert.equal((await mixed.post("/batch/", { ...body, api_key: "phc_web" })).status, 401);
    assert.equal((await mixed.post("/batch/", { ...body, api_key: "phc_web", batch: [theirs, theirs] })).status, 200);
    assert.equal((await mixed.rows()).length, 2);
  });

  it("a payload in the query is theirs alone", async () => {
    const query = (token) => `?data=${encodeURIComponent(Buffer.from(JSON.stringify(named(single(), token))).toString("base64"))}`;
    assert.equal((await mixed.request(`/e/${query("phc_web")}`)).status, 200);
    for (const headers of [{}, sha256("")]) {
      assert.equal((await mixed.request(`/e/${query(TOKEN)}`, { headers })).status, 401);
    }
    // The signature of the body beside it does not cover it.
    const body = JSON.stringify(single());
    assert.equal((await mixed.post(`/e/${query(TOKEN)}`, body, sha256(body))).status, 401);
    assert.equal((await mixed.rows()).length, 1);
    const ask = (token) => Buffer.from(JSON.stringify({ token, distinct_id: "u" })).toString("base64");
    assert.equal((await mixed.request(`/flags/?v=2&data=${encodeURIComponent(ask("phc_web"))}`)).status, 200);
    assert.equal((await mixed.request(`/flags/?v=2&data=${encodeURIComponent(ask(TOKEN))}`)).status, 401);
  });

  it("the query's send time counts where nothing is signed", async () => {
    const at = "2026-11-20T12:00:00.000Z";
    const body = named(batch([event({ timestamp: at })]), "phc_web");
    assert.equal((await mixed.post(`/batch/?_=${Date.parse(at)}`, body)).status, 200);
    assert.ok(Date.parse((await mixed.rows())[0].timestamp) > Date.parse(at));
  });

  it("flags are for everybody", async () => {
    const body = JSON.stringify({ token: TOKEN, distinct_id: "u" });
    assert.equal((await mixed.post("/flags/?v=2", body)).status, 200);
    assert.equal((await mixed.post("/flags/?v=2", body, { "x-posthog-signature": "sha256=00" })).status, 401);
  });

  it("a variant is kept for somebody where who asks may write", async () => {
    const ask = async (fields, isSigned = false) => {
      const body = JSON.stringify({ token: TOKEN, ...fields });
      const response = await mixed.post("/flags/?v=2", body, isSigned ? sha256(body) : {});
      assert.equal(response.status, 200, await response.clone().text());
      const { sticky } = (await response.json()).flags;
      assert.notEqual(sticky.failed, true);
      return sticky.enabled;
    };
    for (const [token, isSigned, isKept] of [
      [TOKEN, false, false],
      [TOKEN, true, true],
      ["phc_web", false, true],
    ]) {
      let i = 0;
      const ids = () => [`${token}-${isSigned}-${i}`, `device-${i}`];
      while ((await ask({ distinct_id: ids()[0] })) === (await ask({ distinct_id: ids()[1] }))) i += 1;
      const [user, device] = ids();
      const own = await ask({ distinct_id: user });
      const body = JSON.stringify(batch([event({ event: "$set", distinct_id: user, properties: { $set: { a: 1 } } })]));
      assert.equal((await mixed.post("/batch/", body, sha256(body))).status, 200);
      // The answer itself goes by the device in any case.
      assert.equal(await ask({ token, distinct_id: user, $anon_distinct_id: device }, isSigned), !own);
      assert.equal(await ask({ distinct_id: user }), isKept ? !own : own, `${token}, ${isSigned ? "signed" : "unsigned"}`);
    }
  });
});
