// What SDKs ask before and beside capture: remote config, its script, the small lists
// (W-8, W-9).
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import vm from "node:vm";
import { startSystem, TOKEN } from "../lib/harness.mjs";

const KEY = "phx_personal";
const FLAGS = [
  {
    id: 1,
    key: "with-payload",
    active: true,
    version: 1,
    filters: { groups: [{ properties: [], rollout_percentage: 100 }], payloads: { true: '{"a":1}' } },
  },
];
let system;
before(async () => {
  system = await startSystem({
    vars: { POSTHOG_PERSONAL_API_KEY: KEY, HOGFLARE_FEATURE_FLAGS: JSON.stringify({ flags: FLAGS }) },
  });
});
after(() => system.stop());

const ORIGIN = "https://www.example.com";
const get = (path, headers = {}) => system.request(path, { headers });
const bearer = { authorization: `Bearer ${KEY}` };

function isConfig(config) {
  assert.equal(config.hasFeatureFlags, true);
  assert.ok(config.supportedCompression.includes("gzip"));
  assert.ok(config.supportedCompression.includes("gzip-js"));
  assert.equal(config.sessionRecording, false);
  assert.equal(config.token ?? TOKEN, TOKEN);
}

describe("remote config", () => {
  for (const slash of ["", "/"]) {
    it(`/array/T/config${slash} is the safe minimal answer`, async () => {
      const response = await get(`/array/${TOKEN}/config${slash}?_=1`, { origin: ORIGIN });
      assert.equal(response.status, 200);
      assert.match(response.headers.get("content-type"), /^application\/json/);
      assert.equal(response.headers.get("cache-control"), "public, max-age=300");
      assert.match(response.headers.get("vary"), /Origin/);
      assert.match(response.headers.get("vary"), /Referer/);
      assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
      isConfig(await response.json());
    });
  }

  it("config.js runs and sets the config and its site apps", async () => {
    const response = await get(`/array/${TOKEN}/config.js`, { origin: ORIGIN });
    assert.equal(response.status, 200);
    assert.match(response.headers.get("content-type"), /javascript/);
    assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
    const page = vm.createContext({});
    page.window = page;
    vm.runInContext(await response.text(), page);
    const entry = page._POSTHOG_REMOTE_CONFIG[TOKEN];
    isConfig(entry.config);
    assert.ok(
      Array.isArray(vm.runInContext(`Array.from(_POSTHOG_REMOTE_CONFIG[${JSON.stringify(TOKEN)}].siteApps)`, page)) ||
        entry.siteApps.length === 0,
    );
  });

  it("config.js keeps what another project has set", async () => {
    const page = vm.createContext({ _POSTHOG_REMOTE_CONFIG: { phc_other: { config: 1 } } });
    page.window = page;
    vm.runInContext(await (await get(`/array/${TOKEN}/config.js`)).text(), page);
    assert.equal(page._POSTHOG_REMOTE_CONFIG.phc_other.config, 1);
    assert.ok(page._POSTHOG_REMOTE_CONFIG[TOKEN]);
  });

  for (const kind of ["config", "config.js"]) {
    it(`${kind} refuses tokens that could be script or path`, async () => {
      for (const token of ["a%22b", "a%3Cscript%3E", "a.b", "x".repeat(201)]) {
        assert.equal((await get(`/array/${token}/${kind}`)).status, 400, token);
      }
      assert.equal((await get(`/array//${kind}`)).status, 401);
    });

    it(`HEAD and OPTIONS of ${kind}`, async () => {
      const head = await system.request(`/array/${TOKEN}/${kind}`, { method: "HEAD" });
      assert.equal(head.status, 200);
      assert.equal(await head.text(), "");
      const options = await system.request(`/array/${TOKEN}/${kind}`, { method: "OPTIONS", headers: { origin: ORIGIN } });
      assert.ok([200, 204].includes(options.status));
      assert.equal(options.headers.get("access-control-allow-origin"), ORIGIN);
    });
  }
});

describe("definitions", () => {
  for (const path of [
    "/flags/definitions",
    "/flags/definitions/",
    "/api/feature_flag/local_evaluation",
    "/api/feature_flag/local_evaluation/",
  ]) {
    it(`${path} without credential is 401 in Django's form`, async () => {
      const response = await get(`${path}?token=${TOKEN}&send_cohorts`);
      assert.equal(response.status, 401);
      const body = await response.json();
      assert.equal(body.code, "not_authenticated");
      assert.deepEqual(Object.keys(body).sort(), ["attr", "code", "detail", "type"]);
    });

    it(`${path} with a wrong credential is 401`, async () => {
      const response = await get(`${path}?token=${TOKEN}`, { authorization: "Bearer phx_wrong" });
      assert.equal(response.status, 401);
      assert.equal((await response.json()).code, "authentication_failed");
    });

    it(`${path} gives the flags, and 304 for each spelling of its ETag`, async () => {
      const response = await get(`${path}?token=${TOKEN}&send_cohorts`, bearer);
      assert.equal(response.status, 200);
      assert.equal((await response.json()).flags[0].key, "with-payload");
      const etag = response.headers.get("etag");
      assert.match(etag, /^W\/"/);
      for (const spelled of [etag, etag.slice(2), etag.slice(3, -1)]) {
        const again = await get(`${path}?token=${TOKEN}&send_cohorts`, { ...bearer, "if-none-match": spelled });
        assert.equal(again.status, 304, spelled);
        assert.equal(again.headers.get("etag"), etag);
        assert.equal(await again.text(), "");
      }
      const other = await get(`${path}?token=${TOKEN}&send_cohorts`, { ...bearer, "if-none-match": '"x"' });
      assert.equal(other.status, 200);
    });
  }

  it("one flag's payload, and 404 for no flag", async () => {
    const path = (key) => `/api/projects/@current/feature_flags/${key}/remote_config?token=${TOKEN}`;
    const known = await get(path("with-payload"), bearer);
    assert.equal(known.status, 200);
    assert.equal(await known.json(), '{"a":1}');
    assert.equal((await get(path("nobody"), bearer)).status, 404);
    assert.equal((await get(path("with-payload"))).status, 401);
  });
});

describe("lists", () => {
  for (const path of ["/api/surveys", "/api/surveys/", "/surveys"]) {
    it(`${path} is empty for any token`, async () => {
      const response = await get(`${path}?token=unknown`);
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { surveys: [], survey_config: null });
      assert.equal((await get(path)).status, 401);
      assert.equal((await get(`${path}?token=${"x".repeat(201)}`)).status, 400);
      const form = await system.request(path, {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: "token=unknown",
      });
      assert.equal(form.status, 200);
      // What waits for the document holds its body meanwhile.
      const large = await system.request(path, { method: "POST", body: `token=${"x".repeat(5_000_000)}` });
      assert.equal(large.status, 413);
      assert.match(await large.text(), /a form with the token, of 4096 bytes at most/);
    });
  }

  for (const [path, key] of [
    ["/api/web_experiments/", "experiments"],
    ["/api/early_access_features/", "earlyAccessFeatures"],
  ]) {
    it(`${path} is an empty list`, async () => {
      const response = await get(`${path}?token=${TOKEN}`, { origin: ORIGIN });
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { [key]: [] });
      assert.equal(response.headers.get("access-control-allow-origin"), ORIGIN);
    });
  }
});
