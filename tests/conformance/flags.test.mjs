// Flag endpoints through local workerd: shapes, versions, encodings, refusals (W-7 to W-9).
import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { after, before, describe, it } from "node:test";
import vm from "node:vm";
import { gzipSync } from "node:zlib";
import { DOCUMENT, FLAGS } from "../lib/flags_document.mjs";
import { startSystem, TOKEN } from "../lib/harness.mjs";

const PERSONAL = "phx_personal";
const SECRET = "phs_secret";
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const bearer = (key) => ({ authorization: `Bearer ${key}` });
const body = (fields = {}) => ({ token: TOKEN, distinct_id: "user-1", ...fields });

let system;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT),
      POSTHOG_PERSONAL_API_KEY: PERSONAL,
      POSTHOG_PROJECT_SECRET: SECRET,
    },
  });
});
after(() => system.stop());

/** POSTs to a flag path and returns the JSON of a 200. */
async function ask(path, fields = {}, headers = {}) {
  const response = await system.post(path, body(fields), headers);
  assert.equal(response.status, 200, await response.clone().text());
  assert.match(response.headers.get("content-type"), /^application\/json/);
  return response.json();
}

/** PostHog's hash of a flag and an id. */
function hash(key, id, salt = "") {
  const digest = createHash("sha1").update(`${key}.${id}${salt}`).digest("hex");
  return parseInt(digest.slice(0, 15), 16) / 0xfffffffffffffff;
}

const CONFIG_KEYS = ["supportedCompression", "hasFeatureFlags", "sessionRecording", "toolbarParams", "config"];

describe("versions of /flags", () => {
  it("2 gives details", async () => {
    const answer = await ask("/flags/?v=2", { flag_keys_to_evaluate: ["everyone", "nobody"] });
    assert.deepEqual(answer.flags, {
      everyone: {
        key: "everyone",
        enabled: true,
        variant: null,
        reason: { code: "condition_match", condition_index: 0, description: "Matched condition set 1" },
        metadata: { id: 1, version: 1, description: null, payload: '{"columns": 2}', has_experiment: false },
      },
      nobody: {
        key: "nobody",
        enabled: false,
        variant: null,
        reason: { code: "out_of_rollout_bound", condition_index: 0, description: "Out of rollout bound" },
        metadata: { id: 2, version: 2, description: null, payload: null, has_experiment: false },
      },
    });
    assert.equal(answer.errorsWhileComputingFlags, false);
    assert.match(answer.requestId, UUID);
    assert.ok(Math.abs(answer.evaluatedAt - Date.now()) < 60_000);
    assert.equal(answer.quotaLimited, undefined);
    assert.equal(answer.featureFlags, undefined);
    for (const key of CONFIG_KEYS) assert.equal(answer[key], undefined, key);
  });

  for (const path of ["/flags/?v=1", "/flags?config=true", "/decide/?v=3"]) {
    it(`${path} gives maps`, async () => {
      const answer = await ask(path, { flag_keys: ["everyone", "nobody", "halves"] });
      const half = hash("halves", "user-1", "variant") < 0.5 ? "left" : "right";
      assert.deepEqual(answer.featureFlags, { everyone: true, nobody: false, halves: half });
      assert.deepEqual(answer.featureFlagPayloads, {
        everyone: '{"columns": 2}',
        halves: { left: '"l"', right: "[1,2]" }[half],
      });
      assert.equal(answer.flags, undefined);
      assert.equal(answer.supportedCompression === undefined, path === "/flags/?v=1");
    });
  }

  it("3 gives typed values", async () => {
    const answer = await ask("/flags/?v=3", { flag_keys: ["everyone", "halves"] });
    assert.equal(answer.flags.everyone.value, true);
    assert.equal(answer.flags.everyone.enabled, undefined);
    assert.equal(answer.flags.everyone.metadata.config_version, 1);
    assert.match(answer.flags.halves.value, /^(left|right)$/);
  });

  for (const path of ["/flags", "/flags/"]) {
    it(`${path} without v or config is version 2 with the config`, async () => {
      const answer = await ask(path, { flag_keys: ["everyone"] });
      assert.deepEqual(Object.keys(answer.flags), ["everyone"]);
      for (const key of CONFIG_KEYS) assert.notEqual(answer[key], undefined, key);
      assert.deepEqual(answer.supportedCompression, ["gzip", "gzip-js"]);
      assert.equal(answer.hasFeatureFlags, true);
    });
  }

  it("config=true merges the config into version 2", async () => {
    const answer = await ask("/flags/?v=2&config=true", { flag_keys: ["everyone"] });
    assert.equal(answer.flags.everyone.enabled, true);
    for (const key of CONFIG_KEYS) assert.notEqual(answer[key], undefined, key);
  });

  it("a multivariate flag has its variant and that variant's payload", async () => {
    for (const id of ["a", "b", "c", "d", "e"]) {
      const { flags } = await ask("/flags/?v=2", { distinct_id: id, flag_keys: ["halves"] });
      const expected = hash("halves", id, "variant") < 0.5 ? "left" : "right";
      assert.equal(flags.halves.variant, expected);
      assert.equal(flags.halves.metadata.payload, { left: '"l"', right: "[1,2]" }[expected]);
    }
  });
});

describe("versions of /decide", () => {
  it("none and 1 list what is on, 2 maps it, 4 gives details; all with the config", async () => {
    const fields = { flag_keys: ["everyone", "nobody", "depends"] };
    assert.deepEqual((await ask("/decide/", fields)).featureFlags, ["everyone", "depends"]);
    assert.deepEqual((await ask("/decide/?v=1", fields)).featureFlags, ["everyone", "depends"]);
    assert.deepEqual((await ask("/decide?v=2", fields)).featureFlags, { everyone: true, depends: true });
    const answer = await ask("/decide/?v=4", fields);
    assert.equal(answer.flags.nobody.enabled, false);
    for (const key of CONFIG_KEYS) assert.notEqual(answer[key], undefined, key);
  });
});

describe("methods", () => {
  for (const path of ["/flags", "/flags/", "/decide/"]) {
    it(`${path}: GET is the config, HEAD is empty, PUT is refused`, async () => {
      const answer = await (await system.request(path)).json();
      assert.deepEqual(answer.flags, {});
      assert.deepEqual(answer.supportedCompression, ["gzip", "gzip-js"]);
      assert.equal(answer.hasFeatureFlags, true);
      const head = await system.request(path, { method: "HEAD" });
      assert.equal(head.status, 200);
      assert.equal(await head.text(), "");
      const put = await system.request(path, { method: "PUT", body: "{}" });
      assert.equal(put.status, 405);
      assert.equal(put.headers.get("allow"), "GET, HEAD, POST, OPTIONS");
    });
  }

  it("OPTIONS mirrors the origin and the requested headers", async () => {
    const response = await system.request("/flags/?v=2", {
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
    assert.match(response.headers.get("access-control-allow-methods"), /POST/);
  });
});

describe("encodings", () => {
  const json = JSON.stringify(body({ flag_keys: ["everyone"] }));
  const base64 = Buffer.from(json).toString("base64");
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const plain = { "content-type": "text/plain" };
  /** @type {[string, string, string | Uint8Array, Record<string, string>][]} */
  const cases = [
    ["JSON", "/flags/?v=2", json, {}],
    ["JSON as text", "/flags/?v=2", json, plain],
    ["a form of base64, as posthog-js sends it", "/flags/?v=2&compression=base64", `data=${encodeURIComponent(base64)}`, form],
    ["a form of base64 without the hint", "/flags/?v=2", `data=${encodeURIComponent(base64)}`, form],
    ["base64", "/flags/?v=2&compression=base64", base64, plain],
    ["base64 without the hint", "/flags/?v=2", base64, plain],
    ["gzip by query", "/flags/?v=2&compression=gzip-js", gzipSync(json), plain],
    ["gzip by header", "/flags/?v=2", gzipSync(json), { "content-encoding": "gzip" }],
    ["gzip by its magic bytes", "/flags/?v=2", gzipSync(json), plain],
  ];
  for (const [name, path, payload, headers] of cases) {
    it(name, async () => {
      const response = await system.post(path, payload, headers);
      assert.equal(response.status, 200, await response.clone().text());
      assert.equal((await response.json()).flags.everyone.enabled, true);
    });
  }

  it("GET with ?data=", async () => {
    const response = await system.request(`/decide/?v=3&data=${encodeURIComponent(base64)}`);
    assert.deepEqual((await response.json()).featureFlags, { everyone: true });
  });

  /** @type {[string, string, string | Uint8Array, Record<string, string>, number, RegExp][]} */
  const refused = [
    ["JSON that ends early", "/flags/?v=2", '{"token":', {}, 400, /failed to parse request/i],
    ["a body that is nothing", "/flags/?v=2", "%%%", plain, 400, /failed to decode request.*base64/i],
    ["a list", "/flags/?v=2", "[1]", {}, 400, /must be a JSON object/],
    ["no body", "/flags/?v=2", "", {}, 400, /payload/],
    ["a form without data", "/flags/?v=2", "x=1", form, 400, /no data field/],
    ["gzip in a form", "/flags/?v=2&compression=gzip", `data=${base64}`, form, 400, /gzip/],
    ["an unknown compression", "/flags/?v=2&compression=lz64", json, {}, 400, /compression must be/],
    ["an unknown content type", "/flags/?v=2", json, { "content-type": "application/xml" }, 400, /content type must be/],
    ["broken gzip", "/flags/?v=2", gzipSync(json).subarray(0, 30), plain, 400, /failed to decode/i],
    ["a body over 2 MiB", "/flags/?v=2", json + " ".repeat(2 << 20), {}, 413, /larger than the limit/],
    ["gzip that unpacks to 9 MiB", "/flags/?v=2", gzipSync(json + " ".repeat(9 << 20)), plain, 413, /larger than the limit/],
  ];
  for (const [name, path, payload, headers, status, text] of refused) {
    it(`${name} is refused`, async () => {
      const response = await system.post(path, payload, headers);
      assert.equal(response.status, status);
      assert.match(await response.text(), text);
      assert.match(response.headers.get("content-type"), /^text\/plain/);
    });
  }
});

describe("fields", () => {
  const only = (key, fields) => ask("/flags/?v=2", { flag_keys: [key], ...fields }).then((answer) => answer.flags[key]);

  it("flag_keys asks for these and their dependencies; unknown keys are passed over", async () => {
    const { flags } = await ask("/flags/?v=2", {
      person_properties: { $device_id: "d" },
      groups: {},
      group_properties: {},
      geoip_disable: true,
      flag_keys_to_evaluate: ["nobody", "no-such-flag"],
    });
    assert.deepEqual(Object.keys(flags), ["nobody"]);
  });

  it("a number is a distinct id", async () => {
    for (const id of [17, 18, 19, 20]) {
      const asked = await ask("/flags/?v=2", { distinct_id: id, flag_keys: ["halves"] });
      assert.equal(asked.flags.halves.variant, hash("halves", String(id), "variant") < 0.5 ? "left" : "right");
    }
  });

  it("an empty distinct id is accepted", async () => {
    assert.equal((await only("everyone", { distinct_id: "" })).enabled, true);
  });

  it("NaN reads as null", async () => {
    const text = `{"token":"${TOKEN}","distinct_id":"u","flag_keys":["pro"],"person_properties":{"plan":NaN}}`;
    const response = await system.post("/flags/?v=2", text);
    assert.equal((await response.json()).flags.pro.enabled, false);
  });

  it("tokens and ids are found under their other names", async () => {
    const response = await system.post("/flags/?v=2", { api_key: TOKEN, $distinct_id: "u", flag_keys: ["everyone"] });
    assert.equal((await response.json()).flags.everyone.enabled, true);
  });

  it("no token, no distinct id, an unusable token", async () => {
    const refusals = [
      [{ distinct_id: "u" }, 401, /No API token provided/],
      [{ token: "", distinct_id: "u" }, 401, /No API token provided/],
      [{ token: "phx_personal_key", distinct_id: "u" }, 401, /API key is not valid/],
      [{ token: TOKEN }, 400, /distinct_id field is missing/],
      [{ token: TOKEN, distinct_id: true }, 400, /distinct_id must be/],
      [{ token: TOKEN, distinct_id: "u", groups: [] }, 400, /groups must be an object/],
    ];
    for (const [fields, status, text] of refusals) {
      for (const path of ["/flags/?v=2", "/decide/?v=4"]) {
        const response = await system.post(path, fields);
        assert.equal(response.status, status);
        assert.match(await response.text(), text);
      }
    }
  });

  it("disable_flags answers the config alone, without a distinct id even", async () => {
    const response = await system.post("/flags/?v=2&config=true", { token: TOKEN, disable_flags: true });
    const answer = await response.json();
    assert.deepEqual(answer.flags, {});
    assert.equal(answer.errorsWhileComputingFlags, false);
    assert.deepEqual(answer.supportedCompression, ["gzip", "gzip-js"]);
  });

  it("person properties decide", async () => {
    assert.equal((await only("pro", { person_properties: { plan: "pro" } })).enabled, true);
    assert.equal((await only("pro", { person_properties: { plan: "free" } })).enabled, false);
    assert.equal((await only("pro", { person_properties: {} })).enabled, false);
  });

  it("a group flag needs its group", async () => {
    assert.deepEqual((await only("company", {})).reason.code, "no_group_type");
    assert.equal((await only("company", { groups: { company: "acme" } })).enabled, true);
    assert.equal((await only("company", { groups: { company: 42 } })).enabled, true);
  });

  it("a cohort of filters is evaluated", async () => {
    assert.equal((await only("insider", { person_properties: { email: "a@hog.io" } })).enabled, true);
    assert.equal((await only("insider", { person_properties: { email: "a@b.c" } })).enabled, false);
  });

  it("a holdout takes its share", async () => {
    let held = 0;
    for (let i = 0; i < 40; i += 1) {
      const id = `holdout-${i}`;
      const answer = await only("held", { distinct_id: id });
      const digest = createHash("sha1").update(`holdout-${id}`).digest("hex");
      const out = parseInt(digest.slice(0, 15), 16) / 0xfffffffffffffff <= 0.1;
      assert.equal(answer.variant, out ? "holdout-42" : null, id);
      assert.equal(answer.reason.code, out ? "holdout_condition_value" : "condition_match");
      held += Number(out);
    }
    assert.ok(held > 0 && held < 40);
  });

  it("evaluation contexts leave out flags that are tagged otherwise", async () => {
    const has = async (contexts) => "tagged" in (await ask("/flags/?v=2", { evaluation_contexts: contexts })).flags;
    assert.equal(await has(["web"]), true);
    assert.equal(await has(["mobile"]), false);
    assert.equal(await has([]), true);
  });

  it("the runtime is guessed from the User-Agent, or given", async () => {
    const shown = async (agent, fields = {}) =>
      Object.keys((await ask("/flags/?v=2", { flag_keys: ["for-servers", "for-clients"], ...fields }, { "user-agent": agent })).flags);
    assert.deepEqual(await shown("posthog-python/7.0.0"), ["for-servers"]);
    assert.deepEqual(await shown("posthog-node/5.0.0"), ["for-servers"]);
    assert.deepEqual(await shown("posthog-ios/3.0.0"), ["for-clients"]);
    assert.deepEqual(await shown("Mozilla/5.0 (X11; Linux)"), ["for-clients"]);
    assert.deepEqual(await shown("something/1.0", { evaluation_runtime: "server" }), ["for-servers"]);
    assert.deepEqual(await shown("posthog-node/5.0.0", { evaluation_runtime: "all" }), ["for-servers", "for-clients"]);
  });

  it("flags that are switched off are not in the answer", async () => {
    assert.equal("inactive" in (await ask("/flags/?v=2")).flags, false);
  });

  it("a third of people are in 33.3 %, the same ones as PostHog's", async () => {
    for (let i = 0; i < 60; i += 1) {
      const id = `rollout-${i}`;
      const { enabled } = await only("third", { distinct_id: id });
      assert.equal(enabled, hash("third", id) <= 0.333, id);
    }
  });
});

describe("definitions for local evaluation", () => {
  const query = `?token=${TOKEN}&send_cohorts`;
  const paths = ["/flags/definitions", "/flags/definitions/", "/api/feature_flag/local_evaluation", "/api/feature_flag/local_evaluation/"];

  it("the token is looked at before the credential", async () => {
    const long = "x".repeat(65);
    for (const path of paths) {
      for (const [query, headers] of [
        [`?token=${long}`, {}],
        ["", { "x-posthog-project-api-key": long }],
      ]) {
        const bad = await system.request(path + query, { headers: { ...bearer(PERSONAL), ...headers } });
        assert.equal(bad.status, 401);
        const error = await bad.json();
        assert.equal(error.code, "authentication_failed");
        assert.match(error.detail, /API key is not valid/);
      }
    }
  });

  it("the key opens them without a token, and with one in the header as posthog-rs sends it", async () => {
    for (const path of paths) {
      for (const headers of [{}, { "x-posthog-project-api-key": TOKEN }]) {
        const response = await system.request(`${path}?send_cohorts`, { headers: { ...bearer(SECRET), ...headers } });
        assert.equal(response.status, 200);
        assert.ok((await response.json()).flags.length > 8);
      }
      assert.equal((await system.request(path, { headers: { "x-posthog-project-api-key": TOKEN } })).status, 401);
    }
  });

  it("the API's list of flags has them all, by key", async () => {
    for (const path of ["/api/projects/12/feature_flags", "/api/projects/@current/feature_flags/", "/api/feature_flag/"]) {
      assert.equal((await system.request(path)).status, 401);
      assert.equal((await system.request(path, { headers: bearer("phx_other") })).status, 401);
      for (const query of ["", `?token=${TOKEN}`]) {
        const response = await system.request(path + query, { headers: bearer(PERSONAL) });
        assert.equal(response.status, 200);
        const list = await response.json();
        assert.deepEqual(Object.keys(list), ["count", "next", "previous", "results"]);
        assert.equal(list.count, list.results.length);
        assert.deepEqual([list.next, list.previous], [null, null]);
        const halves = list.results.find(({ key }) => key === "halves");
        assert.deepEqual(
          halves.filters.multivariate.variants.map(({ key }) => key),
          ["left", "right"],
        );
        assert.equal(list.results.find(({ key }) => key === "inactive").active, false);
      }
    }
  });

  it("the API's list of flags has pages and filters", async () => {
    const list = async (path) => {
      const response = await system.request(path, { headers: bearer(PERSONAL) });
      assert.equal(response.status, 200);
      return response.json();
    };
    const path = "/api/projects/12/feature_flags/";
    const all = (await list(path)).results.map(({ key }) => key);
    const first = await list(`${path}?limit=3&token=${TOKEN}`);
    assert.deepEqual([first.count, first.previous], [all.length, null]);
    assert.equal(first.next, `${system.url}${path}?limit=3&offset=3&token=${TOKEN}`);
    const found = first.results.map(({ key }) => key);
    let page = first;
    while (page.next !== null) {
      const before = page;
      page = await list(page.next.slice(system.url.length));
      assert.ok(page.results.length > 0);
      found.push(...page.results.map(({ key }) => key));
      assert.deepEqual(await list(page.previous.slice(system.url.length)), before);
    }
    assert.deepEqual(found, all);
    const none = await list(`${path}?offset=1000`);
    assert.deepEqual([none.count, none.next, none.results], [all.length, null, []]);
    assert.equal(none.previous, `${system.url}${path}?limit=100&offset=900`);
    for (const odd of ["limit=0", "limit=-1", "limit=many", "offset=-3", "offset=x", "active=STALE", "search="]) {
      assert.equal((await list(`${path}?${odd}`)).results.length, all.length, odd);
    }
    const keys = async (query) => (await list(`${path}?${query}`)).results.map(({ key }) => key);
    assert.deepEqual(await keys("active=false"), ["inactive"]);
    assert.deepEqual(
      await keys("active=true"),
      all.filter((key) => key !== "inactive"),
    );
    assert.deepEqual(await keys("search=HALV"), ["halves"]);
    assert.deepEqual(await keys("search=the+third"), ["third"]);
    assert.ok((await keys("type=multivariant")).includes("halves") && !(await keys("type=boolean")).includes("halves"));
    assert.deepEqual(await keys("evaluation_runtime=client"), ["for-clients"]);
    const both = await list(`${path}?search=FOR-&limit=1`);
    assert.deepEqual([both.count, both.next], [2, `${system.url}${path}?limit=1&offset=1&search=FOR-`]);
  });

  it("no credential and a wrong one are told as the API tells them", async () => {
    for (const path of paths) {
      const none = await system.request(path + query);
      assert.equal(none.status, 401);
      assert.deepEqual(await none.json(), {
        type: "authentication_error",
        code: "not_authenticated",
        detail: "Authentication credentials were not provided.",
        attr: null,
      });
      const wrong = await system.request(path + query, { headers: bearer("phx_other") });
      assert.equal(wrong.status, 401);
      const error = await wrong.json();
      assert.deepEqual(
        { ...error, detail: "" },
        {
          type: "authentication_error",
          code: "authentication_failed",
          detail: "",
          attr: null,
        },
      );
    }
  });

  it("both paths and both keys give the same feed", async () => {
    const bodies = new Set();
    for (const path of paths) {
      for (const key of [PERSONAL, SECRET]) {
        const response = await system.request(path + query, { headers: bearer(key) });
        assert.equal(response.status, 200);
        assert.equal(response.headers.get("cache-control"), "private, must-revalidate");
        assert.match(response.headers.get("etag"), /^W\/"[0-9a-f]+"$/);
        bodies.add(await response.text());
      }
    }
    assert.equal(bodies.size, 1);
    const feed = JSON.parse([...bodies][0]);
    assert.deepEqual(
      feed.flags.map(({ key }) => key),
      FLAGS.map(({ key }) => key),
    );
    assert.deepEqual(feed.group_type_mapping, { 0: "company" });
    assert.deepEqual(Object.keys(feed.cohorts), ["1"]);
    const marked = feed.flags.filter((flag) => flag.ensure_experience_continuity).map(({ key }) => key);
    assert.deepEqual(marked, ["held", "for-clients"]);
    const depends = feed.flags.find(({ key }) => key === "depends").filters.groups[0].properties[0];
    assert.equal(depends.key, "everyone");
    assert.deepEqual(depends.dependency_chain, ["everyone"]);
  });

  it("without send_cohorts a cohort is written into the condition", async () => {
    for (const suffix of ["", "&send_cohorts=false"]) {
      const response = await system.request(`/flags/definitions?token=${TOKEN}${suffix}`, { headers: bearer(PERSONAL) });
      const feed = await response.json();
      assert.deepEqual(feed.cohorts, {});
      const [property] = feed.flags.find(({ key }) => key === "insider").filters.groups[0].properties;
      assert.equal(property.key, "email");
    }
  });

  it("the tag answers 304 however it is quoted", async () => {
    const first = await system.request(`/flags/definitions${query}`, { headers: bearer(PERSONAL) });
    const tag = first.headers.get("etag");
    const hex = /[0-9a-f]{40}/.exec(tag)[0];
    for (const path of paths) {
      for (const given of [tag, `"${hex}"`, hex, `w/"${hex}"`, `"other", ${tag}`, "*"]) {
        const response = await system.request(path + query, { headers: { ...bearer(PERSONAL), "if-none-match": given } });
        assert.equal(response.status, 304, given);
        assert.equal(response.headers.get("etag"), tag);
        assert.equal(await response.text(), "");
      }
    }
    const other = await system.request(`/flags/definitions${query}`, { headers: { ...bearer(PERSONAL), "if-none-match": '"other"' } });
    assert.equal(other.status, 200);
  });

  it("the tag does not open the feed without a credential", async () => {
    const response = await system.request(`/flags/definitions${query}`, { headers: { "if-none-match": "*" } });
    assert.equal(response.status, 401);
  });

  it("POST is refused", async () => {
    assert.equal((await system.post(`/flags/definitions${query}`, {}, bearer(PERSONAL))).status, 405);
  });
});

describe("a flag's payload", () => {
  const payload = (key, headers = bearer(PERSONAL), project = "@current") =>
    system.request(`/api/projects/${project}/feature_flags/${key}/remote_config/?token=${TOKEN}`, { headers });

  it("is a JSON text of JSON", async () => {
    for (const project of ["@current", "12"]) {
      const response = await payload("everyone", bearer(SECRET), project);
      assert.equal(response.status, 200);
      assert.equal(await response.json(), '{"columns": 2}');
    }
  });
  it("is empty when the flag has none", async () => {
    const response = await payload("nobody");
    assert.equal(response.status, 200);
    assert.equal(await response.text(), "");
  });
  it("is 404 for an unknown flag", async () => {
    const response = await payload("no-such-flag");
    assert.equal(response.status, 404);
    assert.equal((await response.json()).code, "not_found");
  });
  it("needs a credential", async () => {
    assert.equal((await payload("everyone", {})).status, 401);
    assert.equal((await (await payload("everyone", bearer("phx_other"))).json()).code, "authentication_failed");
  });
});

describe("remote config", () => {
  for (const path of [`/array/${TOKEN}/config`, `/array/${TOKEN}/config/`]) {
    it(path, async () => {
      const response = await system.request(path, { headers: { origin: "https://www.example.com" } });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("cache-control"), "public, max-age=300");
      assert.equal(response.headers.get("vary"), "Origin, Referer");
      assert.equal(response.headers.get("access-control-allow-origin"), "https://www.example.com");
      const config = await response.json();
      assert.equal(config.token, TOKEN);
      assert.equal(config.hasFeatureFlags, true);
      assert.ok(config.supportedCompression.includes("gzip-js"));
    });
  }

  it("config.js sets it for its token", async () => {
    const response = await system.request(`/array/${TOKEN}/config.js`);
    assert.match(response.headers.get("content-type"), /javascript/);
    const window = /** @type {any} */ ({});
    vm.runInNewContext(await response.text(), { window });
    const { config, siteApps } = window._POSTHOG_REMOTE_CONFIG[TOKEN];
    assert.equal(config.hasFeatureFlags, true);
    assert.deepEqual([...config.siteApps], []);
    assert.deepEqual([...siteApps], []);
  });

  it("a bad token and none", async () => {
    assert.equal((await system.request("/array/a.b/config")).status, 400);
    assert.equal((await system.request(`/array/${"x".repeat(201)}/config`)).status, 400);
    assert.equal((await system.request("/array//config")).status, 401);
    assert.equal((await system.request(`/array/${TOKEN}/config`, { method: "HEAD" })).status, 200);
    assert.equal((await system.request(`/array/${TOKEN}/config`, { method: "POST", body: "{}" })).status, 405);
  });
});

describe("small lists", () => {
  it("surveys", async () => {
    const form = { "content-type": "application/x-www-form-urlencoded" };
    for (const response of [
      await system.request("/api/surveys/?token=unknown"),
      await system.request("/surveys?token=unknown"),
      await system.post("/api/surveys/", "token=unknown", form),
    ]) {
      assert.equal(response.status, 200);
      assert.deepEqual(await response.json(), { surveys: [], survey_config: null });
    }
    assert.equal((await system.request("/api/surveys/")).status, 401);
    assert.equal((await system.request(`/api/surveys/?token=${"x".repeat(201)}`)).status, 400);
  });

  it("web experiments and early access features", async () => {
    const experiments = await system.request(`/api/web_experiments/?token=${TOKEN}`);
    assert.deepEqual(await experiments.json(), { experiments: [] });
    const features = await system.request(`/api/early_access_features/?token=${TOKEN}&stage=beta`);
    assert.deepEqual(await features.json(), { earlyAccessFeatures: [] });
  });
});

describe("OFREP", () => {
  const evaluate = (key, context, headers = {}) =>
    system.post(`/ofrep/v1/evaluate/flags${key === undefined ? "" : `/${key}`}`, { context }, headers);
  const ada = { targetingKey: "ada" };

  it("one flag", async () => {
    const cases = [
      ["everyone", ada, { value: true, reason: "STATIC" }],
      // A boolean's variant: the Python provider cannot do without one.
      ["nobody", ada, { value: false, reason: "DEFAULT" }],
      ["pro", { ...ada, plan: "pro" }, { value: true, reason: "TARGETING_MATCH" }],
      ["halves", ada, { value: hash("halves", "ada", "variant") < 0.5 ? "left" : "right", reason: "SPLIT" }],
      ["company", { ...ada, groups: { company: "acme" } }, { value: true, reason: "STATIC" }],
      ["inactive", ada, { value: false, reason: "DISABLED" }],
    ];
    for (const [key, context, expected] of cases) {
      const response = await evaluate(key, context, bearer(TOKEN));
      assert.equal(response.status, 200);
      const answer = await response.json();
      assert.equal(answer.key, key);
      assert.deepEqual({ value: answer.value, reason: answer.reason }, expected, key);
      assert.equal(answer.variant, String(answer.value));
    }
    const { metadata } = await (await evaluate("everyone", ada)).json();
    assert.equal(metadata.payload, '{"columns": 2}');
    assert.equal(metadata.flagId, 1);
  });

  it("all flags, with a tag", async () => {
    const response = await evaluate(undefined, ada);
    const tag = response.headers.get("etag");
    assert.equal(response.headers.get("access-control-expose-headers"), "ETag");
    const { flags } = await response.json();
    assert.ok(flags.length > 8);
    assert.equal(flags.find(({ key }) => key === "everyone").value, true);
    const again = await evaluate(undefined, ada, { "if-none-match": tag });
    assert.equal(again.status, 304);
    assert.equal(again.headers.get("etag"), tag);
    assert.equal(await again.text(), "");
    const changed = await evaluate(undefined, { ...ada, plan: "pro" }, { "if-none-match": tag });
    assert.equal(changed.status, 200);
    assert.notEqual(changed.headers.get("etag"), tag);
  });

  it("errors", async () => {
    const expectError = async (response, status, code) => {
      assert.equal(response.status, status);
      assert.equal((await response.json()).errorCode, code);
    };
    await expectError(await evaluate("no-such-flag", ada), 404, "FLAG_NOT_FOUND");
    await expectError(await evaluate("everyone", {}), 400, "TARGETING_KEY_MISSING");
    await expectError(await evaluate("everyone", undefined), 400, "TARGETING_KEY_MISSING");
    await expectError(await evaluate("everyone", { targetingKey: 1 }), 400, "INVALID_CONTEXT");
    await expectError(await evaluate("everyone", []), 400, "INVALID_CONTEXT");
    await expectError(await system.post("/ofrep/v1/evaluate/flags/everyone", "{"), 400, "PARSE_ERROR");
    await expectError(await system.post("/ofrep/v1/evaluate/flags", "{"), 400, "PARSE_ERROR");
    assert.equal((await system.request("/ofrep/v1/evaluate/flags")).status, 405);
  });
});

describe("CORS", () => {
  const origin = "https://www.example.com";
  /** @type {[string, number, string, RequestInit][]} */
  const cases = [
    ["/flags", 200, "/flags/?v=2", { method: "POST", body: JSON.stringify(body()) }],
    ["a refused /flags", 401, "/flags/?v=2", { method: "POST", body: "{}" }],
    ["/flags by GET", 200, "/flags/", {}],
    ["/decide", 200, "/decide/?v=3", { method: "POST", body: JSON.stringify(body()) }],
    ["definitions", 401, `/flags/definitions?token=${TOKEN}`, {}],
    ["the config", 200, `/array/${TOKEN}/config`, {}],
    ["config.js", 200, `/array/${TOKEN}/config.js`, {}],
    ["surveys", 200, `/api/surveys/?token=${TOKEN}`, {}],
    ["experiments", 200, `/api/web_experiments/?token=${TOKEN}`, {}],
    ["early access", 200, `/api/early_access_features/?token=${TOKEN}`, {}],
    ["OFREP", 404, "/ofrep/v1/evaluate/flags/x", { method: "POST", body: '{"context":{"targetingKey":"a"}}' }],
    ["OFREP's list", 200, "/ofrep/v1/evaluate/flags", { method: "POST", body: '{"context":{"targetingKey":"a"}}' }],
  ];
  for (const [name, status, path, init] of cases) {
    it(`${name} carries the origin, null included`, async () => {
      for (const given of [origin, "null"]) {
        const response = await system.request(path, { ...init, headers: { origin: given } });
        assert.equal(response.status, status, await response.clone().text());
        assert.equal(response.headers.get("access-control-allow-origin"), given);
        assert.equal(response.headers.get("access-control-allow-credentials"), "true");
        assert.match(response.headers.get("vary"), /Origin/);
      }
    });
  }
});

describe("the place a request comes from", () => {
  let placed;
  before(async () => {
    placed = await startSystem({
      vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT) },
      extra: { cf: { country: "DE", city: "Berlin" } },
    });
  });
  after(() => placed.stop());
  const german = async (fields) => {
    const response = await placed.post("/flags/?v=2", body({ flag_keys: ["german"], ...fields }));
    return (await response.json()).flags.german.enabled;
  };

  it("is a person property, unless the request has its own or forbids it", async () => {
    assert.equal(await german({}), true);
    assert.equal(await german({ geoip_disable: true }), false);
    assert.equal(await german({ person_properties: { $geoip_country_code: "FR" } }), false);
  });
});

describe("flags of the short dialect", () => {
  let system;
  before(async () => {
    const flags = [
      {
        key: "pro-flag",
        active: true,
        rollout_percentage: 100,
        id: 12,
        version: 3,
        description: "Pro users",
        salt: "pro-flag-salt",
        conditions: [
          {
            properties: [
              { key: "plan", value: ["pro", "enterprise"], operator: "in" },
              { key: "age", value: 18, operator: "gte" },
            ],
          },
        ],
        payload: { tier: "pro" },
      },
      { key: "by-company", group_type: "company", rollout_percentage: 50 },
      { key: "staging", evaluation_environments: ["staging"] },
      { key: "off", active: false },
    ];
    system = await startSystem({
      vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify({ flags }), POSTHOG_PERSONAL_API_KEY: PERSONAL },
    });
  });
  after(() => system.stop());
  const answerOf = async (path, fields) => {
    const response = await system.post(path, body({ person_properties: { plan: "pro", age: "21" }, ...fields }));
    assert.equal(response.status, 200);
    return response.json();
  };

  it("answer in their own shape, with the maps beside it", async () => {
    const answer = await answerOf("/flags/?v=2", { flag_keys_to_evaluate: ["pro-flag", "off"] });
    assert.deepEqual(answer.flags, {
      "pro-flag": {
        key: "pro-flag",
        enabled: true,
        metadata: { id: 12, version: 3, description: "Pro users", payload: '{"tier":"pro"}' },
        reason: { code: "match", condition_index: 0 },
      },
      off: { key: "off", enabled: false, reason: { code: "disabled" } },
    });
    assert.deepEqual(answer.featureFlags, { "pro-flag": true });
    assert.deepEqual(answer.featureFlagPayloads, { "pro-flag": { tier: "pro" } });
    const young = await answerOf("/flags/?v=2", { flag_keys: ["pro-flag"], person_properties: { plan: "pro", age: 17 } });
    assert.deepEqual(young.flags["pro-flag"].reason, { code: "no_match" });
  });

  it("take their bucket of 100 from salt and group", async () => {
    for (let i = 0; i < 12; i += 1) {
      const digest = createHash("sha1").update(`by-company:company-${i}`).digest();
      const answer = await answerOf("/decide/?v=3", { groups: { company: `company-${i}` }, flag_keys: ["by-company"] });
      assert.equal(answer.featureFlags["by-company"], digest.readBigUInt64BE(0) % 100n < 50n);
    }
  });

  it("are left out in another environment", async () => {
    const keys = async (environments) => Object.keys((await answerOf("/flags/?v=2", { evaluation_environments: environments })).flags);
    assert.ok((await keys(["staging"])).includes("staging"));
    assert.ok(!(await keys(["production"])).includes("staging"));
  });

  it("are marked in the feed, unless on for everyone", async () => {
    const response = await system.request(`/flags/definitions?token=${TOKEN}`, { headers: bearer(PERSONAL) });
    const { flags } = await response.json();
    assert.ok(flags.find(({ key }) => key === "by-company").ensure_experience_continuity);
    assert.ok(flags.every(({ filters }) => filters !== undefined));
  });
});

describe("a deployment with projects, a signing secret and no flags", () => {
  const signing = "s3cret";
  let closed;
  before(async () => {
    closed = await startSystem({
      vars: {
        POSTHOG_SIGNING_SECRET: signing,
        POSTHOG_PERSONAL_API_KEY: PERSONAL,
        HOGFLARE_FEATURE_FLAGS: JSON.stringify({ flags: [], remote_config: { minimalFlagCalledEvents: true } }),
        HOGFLARE_PROJECTS: JSON.stringify({ phc_known: { team_id: 2, origins: ["https://app.example.com"] } }),
      },
    });
  });
  after(() => closed.stop());
  const sign = (text, algorithm = "sha256") => createHmac(algorithm, signing).update(text).digest("hex");
  const known = JSON.stringify({ token: "phc_known", distinct_id: "u" });

  it("wants no signature for flags, but no wrong one", async () => {
    for (const path of ["/flags/?v=2", "/decide/?v=3"]) {
      assert.equal((await closed.post(path, known)).status, 200);
      const wrong = await closed.post(path, known, { "x-posthog-signature": `sha256=${sign("other")}` });
      assert.equal(wrong.status, 401);
      assert.equal((await closed.post(path, known, { "x-posthog-signature": `sha256=${sign(known)}` })).status, 200);
      assert.equal((await closed.post(path, known, { "x-hub-signature": `sha1=${sign(known, "sha1")}` })).status, 200);
    }
    const context = JSON.stringify({ context: { targetingKey: "a" } });
    const headers = bearer("phc_known");
    assert.equal((await closed.post("/ofrep/v1/evaluate/flags", context, headers)).status, 200);
    const wrong = { ...headers, "x-posthog-signature": `sha256=${sign("other")}` };
    assert.equal((await closed.post("/ofrep/v1/evaluate/flags", context, wrong)).status, 401);
    const signed = { ...headers, "x-posthog-signature": `sha256=${sign(context)}` };
    assert.equal((await closed.post("/ofrep/v1/evaluate/flags", context, signed)).status, 200);
  });

  it("refuses tokens and origins that are not its projects'", async () => {
    const other = JSON.stringify({ token: "phc_other", distinct_id: "u" });
    const response = await closed.post("/flags/?v=2", other, { "x-posthog-signature": `sha256=${sign(other)}` });
    assert.equal(response.status, 401);
    assert.match(await response.text(), /not one of this deployment's projects/);
    const signed = { "x-posthog-signature": `sha256=${sign(known)}` };
    assert.equal((await closed.post("/flags/?v=2", known, { ...signed, origin: "https://evil.example" })).status, 403);
    assert.equal((await closed.post("/flags/?v=2", known, { ...signed, origin: "https://app.example.com" })).status, 200);
    const context = JSON.stringify({ context: { targetingKey: "a" } });
    const ofrep = { "x-posthog-signature": `sha256=${sign(context)}` };
    assert.equal((await closed.post("/ofrep/v1/evaluate/flags", context, ofrep)).status, 401);
    assert.equal((await closed.post("/ofrep/v1/evaluate/flags", context, { ...ofrep, ...bearer("phc_other") })).status, 401);
    const feed = await closed.request("/flags/definitions?token=phc_other", { headers: bearer(PERSONAL) });
    assert.equal(feed.status, 401);
    assert.match((await feed.json()).detail, /not one of this deployment's projects/);
    assert.equal((await closed.request("/flags/definitions", { headers: bearer(PERSONAL) })).status, 401);
    const named = { ...bearer(PERSONAL), "x-posthog-project-api-key": "phc_known" };
    assert.equal((await closed.request("/flags/definitions", { headers: named })).status, 200);
    assert.equal((await closed.request("/flags/definitions?token=phc_known", { headers: bearer(PERSONAL) })).status, 200);
    assert.equal((await closed.request("/array/phc_other/config")).status, 404);
  });

  it("tells SDKs to send little with $feature_flag_called where the document says so", async () => {
    for (const query of ["?v=2", "?v=2&config=true", "?v=3", ""]) {
      const answer = await (await closed.post(`/flags/${query}`, known)).text();
      assert.equal(answer.split('"minimalFlagCalledEvents":true').length, 2, query);
    }
    assert.equal((await (await closed.post("/flags/?v=1", known)).json()).minimalFlagCalledEvents, undefined);
    const feed = await closed.request("/flags/definitions?token=phc_known", { headers: bearer(PERSONAL) });
    assert.equal((await feed.json()).minimal_flag_called_events, true);
    const other = await (await system.post("/flags/?v=2&config=true", { token: TOKEN, distinct_id: "u" })).json();
    assert.equal(other.minimalFlagCalledEvents, undefined);
  });

  it("reads a version that is no number as 1", async () => {
    for (const version of ["abc", "0", "-1", "2.0", "1"]) {
      const answer = await (await closed.post(`/flags/?v=${version}`, known)).json();
      assert.deepEqual([answer.flags, answer.featureFlags], [undefined, {}], version);
    }
    for (const version of ["abc", "0", "-1", "2.0"]) {
      assert.deepEqual((await (await closed.post(`/decide/?v=${version}`, known)).json()).featureFlags, [], version);
    }
  });

  it("says truthfully that there are no flags", async () => {
    const config = await (await closed.request("/array/phc_known/config")).json();
    assert.equal(config.hasFeatureFlags, false);
    const signed = { "x-posthog-signature": `sha256=${sign(known)}` };
    const answer = await (await closed.post("/flags/?v=2&config=true", known, signed)).json();
    assert.equal(answer.hasFeatureFlags, false);
    assert.deepEqual(answer.flags, {});
    assert.equal(answer.errorsWhileComputingFlags, false);
  });
});
