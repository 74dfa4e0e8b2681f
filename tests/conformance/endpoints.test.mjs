// Every endpoint with and without slash under every method, and CORS on every answer.
import assert from "node:assert/strict";
import { after, afterEach, before, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event, nothingBad, single, v1Batch, v1Event, v1Headers } from "./support.mjs";

let system;
before(async () => {
  system = await startSystem();
});
after(() => system.stop());
afterEach(() => nothingBad(system));

const ORIGIN = "https://www.example.com";
const snapshot = {
  event: "$snapshot",
  properties: { token: TOKEN, distinct_id: "u", $session_id: "s", $snapshot_data: [] },
};

/** Path, what POST takes there, whether GET is answered too. */
const ENDPOINTS = [
  { path: "/batch", body: batch([event()]), get: true },
  { path: "/i/v0/e", body: single(), get: true },
  { path: "/e", body: single(), get: true },
  { path: "/capture", body: single(), get: true },
  { path: "/track", body: single(), get: true },
  { path: "/engage", body: { token: TOKEN, $distinct_id: "u", $set: {} }, get: true },
  { path: "/identify", body: { api_key: TOKEN, distinct_id: "u" } },
  { path: "/alias", body: { api_key: TOKEN, distinct_id: "u", alias: "v" } },
  { path: "/groups", body: { api_key: TOKEN, group_type: "company", group_key: "a" } },
  { path: "/i/v0/ai/batch", body: batch([event({ event: "$ai_trace" })]) },
  { path: "/s", body: [snapshot] },
  { path: "/i/v1/analytics/events", body: v1Batch([v1Event()]), headers: v1Headers() },
];

/** The headers that let a page read an answer. */
function readable(response, what) {
  assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN, what);
  assert.equal(response.headers.get("access-control-allow-credentials"), "true", what);
  assert.match(response.headers.get("vary") ?? "", /Origin/, what);
}

describe("endpoints", () => {
  for (const { path, body, get = false, headers = {} } of ENDPOINTS) {
    for (const slash of ["", "/"]) {
      const url = path + slash;

      it(`POST ${url}`, async () => {
        const response = await system.post(url, body, { ...headers, origin: ORIGIN });
        assert.equal(response.status, 200, await response.clone().text());
        readable(response, url);
        assert.match(response.headers.get("content-type"), /^application\/json/);
        const answer = await response.json();
        assert.ok(typeof answer === "object" && answer !== null && !Array.isArray(answer));
      });

      it(`GET ${url}`, async () => {
        const data = encodeURIComponent(JSON.stringify(body));
        const response = await system.request(`${url}?data=${data}`, { headers: { origin: ORIGIN } });
        assert.equal(response.status, get ? 200 : 405, await response.clone().text());
        if (!get) assert.match(response.headers.get("allow"), /POST/);
        readable(response, url);
      });

      it(`OPTIONS ${url}`, async () => {
        const response = await system.request(url, {
          method: "OPTIONS",
          headers: {
            origin: ORIGIN,
            "access-control-request-method": "POST",
            "access-control-request-headers": "authorization,content-type,x-any",
          },
        });
        assert.equal(response.status, 200);
        readable(response, url);
        assert.equal(response.headers.get("access-control-allow-headers"), "authorization,content-type,x-any");
        assert.match(response.headers.get("access-control-allow-methods"), /POST/);
        assert.match(response.headers.get("access-control-allow-methods"), /OPTIONS/);
      });

      for (const method of ["PUT", "DELETE", "PATCH", "HEAD"]) {
        it(`${method} ${url} is 405`, async () => {
          const response = await system.request(url, { method, headers: { origin: ORIGIN } });
          assert.equal(response.status, 405);
          readable(response, url);
          assert.match(response.headers.get("allow"), /POST, OPTIONS/);
        });
      }

      it(`an empty body at ${url} is refused`, async () => {
        const response = await system.post(url, "", { ...headers, origin: ORIGIN });
        assert.equal(response.status, 400, await response.clone().text());
        readable(response, url);
      });
    }
  }

  for (const path of [
    "/i/v1/logs",
    "/v1/logs",
    "/i/v1/traces",
    "/i/v1/metrics",
    "/i/v0/ai/otel",
    "/nothing.js",
    "/nothing",
    "/batch/more",
    "/BATCH",
  ]) {
    it(`${path} is 404`, async () => {
      for (const method of ["GET", "POST"]) {
        const response = await system.request(`${path}?token=${TOKEN}`, { method, headers: { origin: ORIGIN } });
        assert.equal(response.status, 404);
        readable(response, path);
      }
    });
  }

  it("a request from no page gets no CORS headers", async () => {
    const response = await system.post("/e/", single());
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  });

  it("the origin null is mirrored", async () => {
    const response = await system.post("/e/", single(), { origin: "null" });
    assert.equal(response.headers.get("access-control-allow-origin"), "null");
  });

  it("unknown query parameters and a second slash in the query mean nothing", async () => {
    const response = await system.post("/e/?ip=1&ver=1.2.3&retry_count=3&_=1&x=/y/", single());
    assert.equal(response.status, 200);
  });

  for (const path of ["/", "/_liveness", "/_readiness"]) {
    it(`${path} is alive`, async () => {
      assert.equal((await system.request(path)).status, 200);
    });
  }
});
