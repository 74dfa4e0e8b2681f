// The brake on one client: what it answers, whom it counts, and what it leaves alone.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { clientOf } from "../../js-shim/rate_limit.js";
import { startSystem, TOKEN } from "../lib/harness.mjs";

const LIMIT = 5;
const ADMIN = "admin";
const vars = { HOGFLARE_ADMIN_TOKEN: ADMIN };
/** A minute, so that no window ends while a test counts; each test has addresses of its own. */
const ratelimits = { CLIENT_RATE_LIMIT: { namespace_id: "1", simple: { limit: LIMIT, period: 60 } } };

const capture = (system, address, headers = {}) =>
  fetch(`${system.url}/batch/`, {
    method: "POST",
    headers: { "content-type": "application/json", "cf-connecting-ip": address, ...headers },
    body: JSON.stringify({ api_key: TOKEN, batch: [{ event: "e", distinct_id: "d", properties: { $process_person_profile: false } }] }),
  });
/** Statuses of requests one after the other; if a window ended in between, once more in one that nobody has used. */
async function burst(send, count = LIMIT + 3) {
  for (;;) {
    const minute = Math.floor(Date.now() / 60_000);
    const answers = [];
    for (let i = 0; i < count; i += 1) answers.push(await send());
    if (Math.floor(Date.now() / 60_000) === minute) return answers;
    await sleep(60_000 - (Date.now() % 60_000) + 100);
  }
}
const statuses = (answers) => answers.map((each) => each.status);
const expected = [...Array(LIMIT).fill(200), 429, 429, 429];
const limitedCount = async (system) => {
  const text = await (
    await fetch(`${system.url}/metrics`, { headers: { authorization: `Bearer ${ADMIN}`, "cf-connecting-ip": "198.51.100.99" } })
  ).text();
  return Number(/^hogflare_rate_limited_total (\d+)$/m.exec(text)?.[1] ?? NaN);
};

describe("with CLIENT_RATE_LIMIT", () => {
  let system;
  before(async () => {
    system = await startSystem({ vars: { ...vars, HOGFLARE_PATH_PREFIX: "/my/app/" }, extra: { ratelimits } });
  });
  after(() => system.stop());

  it("answers one client 429 over its limit, as PostHog does, and its neighbour not", async () => {
    const before = await limitedCount(system);
    const answers = await burst(() => capture(system, "192.0.2.1", { origin: "https://www.example.com" }));
    assert.deepEqual(statuses(answers), expected);
    const [over] = answers.slice(LIMIT);
    assert.equal(over.headers.get("retry-after"), "5");
    assert.equal(over.headers.get("access-control-allow-origin"), "https://www.example.com");
    assert.deepEqual(await over.json(), {
      type: "validation_error",
      code: "rate_limit_exceeded",
      detail: "Rate limit exceeded",
      attr: null,
    });
    assert.equal((await capture(system, "192.0.2.2")).status, 200);
    assert.ok((await limitedCount(system)) >= before + 3, "counted");
  });

  it("limits flags too, and of IPv6 the network that a client has", async () => {
    let host = 0;
    const flags = () =>
      fetch(`${system.url}/flags/?v=2`, {
        method: "POST",
        headers: { "cf-connecting-ip": `2001:db8:0:1::${((host += 1)).toString(16)}` },
        body: JSON.stringify({ token: TOKEN, distinct_id: "d" }),
      });
    assert.deepEqual(statuses(await burst(flags)), expected);
  });

  it("limits a flag and a project that are called like an operator's path", async () => {
    const paths = ["/ofrep/v1/evaluate/flags/metrics", "/ofrep/v1/evaluate/flags/healthz/", "/array/app/config", "/my/app/array/t/config"];
    for (const [n, path] of paths.entries()) {
      const from = { "cf-connecting-ip": `192.0.2.${40 + n}` };
      const body = JSON.stringify({ context: { targetingKey: "u" } });
      const send = () => fetch(system.url + path, path.includes("/ofrep/") ? { method: "POST", body, headers: from } : { headers: from });
      assert.deepEqual(
        statuses(await burst(send)).map((status) => status === 429),
        expected.map((status) => status === 429),
        path,
      );
    }
  });

  it("tells other sites' pages nothing of a project's data, as every answer there", async () => {
    const origin = { origin: "https://www.example.com" };
    const over = async (path, address) => {
      const answers = await burst(() => fetch(system.url + path, { method: "POST", headers: { "cf-connecting-ip": address, ...origin } }));
      return answers.at(-1);
    };
    for (const [n, path] of [
      "/api/projects/1/query/",
      "/api/environments/1/query/batch",
      "/api/projects/1/recordings/s/x",
      "/mcp",
    ].entries()) {
      const answer = await over(path, `192.0.2.${20 + n}`);
      assert.equal(answer.headers.get("access-control-allow-origin"), null, `${path}: ${answer.status}`);
      assert.equal(answer.headers.get("access-control-allow-credentials"), null, path);
    }
    // Its flags are asked for by pages.
    const flags = await over("/api/projects/1/feature_flags/key/remote_config", "192.0.2.30");
    assert.equal(flags.headers.get("access-control-allow-origin"), origin.origin);
  });

  it("leaves preflights and the operator's paths alone", async () => {
    const from = { "cf-connecting-ip": "192.0.2.3" };
    const preflight = () =>
      fetch(`${system.url}/batch/`, {
        method: "OPTIONS",
        headers: { ...from, origin: "https://www.example.com", "access-control-request-method": "POST" },
      });
    for (const answer of await burst(preflight)) assert.ok(answer.ok, String(answer.status));
    for (const path of ["/healthz", "/metrics", "/admin/outbox", "//metrics/", "/my/app/metrics"]) {
      for (const answer of await burst(() => fetch(system.url + path, { headers: { ...from, authorization: `Bearer ${ADMIN}` } })))
        assert.equal(answer.status, 200, path);
    }
  });
});

describe("without it", () => {
  it("nobody is limited, and nothing is said of it", async () => {
    const system = await startSystem({ vars });
    try {
      for (const answer of await burst(() => capture(system, "192.0.2.1"), 20)) assert.equal(answer.status, 200);
      assert.ok(Number.isNaN(await limitedCount(system)));
    } finally {
      await system.stop();
    }
  });
});

describe("a client's address", () => {
  for (const [address, client] of [
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:0:1::5", "2001:db8:0:1"],
    ["2001:0db8:0000:0001:aaaa:bbbb:cccc:dddd", "2001:db8:0:1"],
    ["2001:db8::5", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["2001:db8:1:2:3::", "2001:db8:1:2"],
  ])
    it(`${address} is ${client}`, () => assert.equal(clientOf(address), client));
});
