// The console's files and signing in, as a browser and a script see them.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { writeAssets } from "../../scripts/lib/assets.mjs";
import { startSystem } from "../lib/harness.mjs";

const ADMIN = "admin-token-of-this-test";
const VIEWER = "viewer-token-of-this-test";
const folder = mkdtempSync(join(tmpdir(), "hogflare-console-"));

/** An application as the build makes it: two documents, and files with names of their own. */
function writeApplication() {
  const files = {
    "index.html": '<!doctype html><title>app</title><script type="module" src="/app/assets/main-1a2b.js"></script>',
    "frame/replay.html": '<!doctype html><title>replay</title><script src="/app/assets/replay-3c4d.js"></script>',
    "assets/main-1a2b.js": "export {};",
    "assets/replay-3c4d.js": "'replay';",
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(folder, "console", name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
  }
  writeAssets(join(folder, "assets"), { console: join(folder, "console") });
}

let system;
/** A second Worker: below a prefix, and with other tokens. */
let other;

const assetsOf = (directory) => ({
  assets: { directory, binding: "ASSETS", routerConfig: { has_user_worker: true }, assetConfig: { html_handling: "none" } },
});
const start = (vars) => startSystem({ vars, extra: assetsOf(join(folder, "assets")) });

before(async () => {
  writeApplication();
  system = await start({ HOGFLARE_ADMIN_TOKEN: ADMIN, HOGFLARE_VIEWER_TOKEN: VIEWER });
  other = await start({ HOGFLARE_ADMIN_TOKEN: "another-token", HOGFLARE_PATH_PREFIX: "/ingest" });
});
after(async () => {
  await system?.stop();
  await other?.stop();
  rmSync(folder, { recursive: true, force: true });
});

let address = 0;
/** Signs in from an address of its own; the answer. */
const signIn = (token, headers = {}, to = system, path = "/app/api/session") =>
  to.post(path, { token }, { "cf-connecting-ip": `192.0.2.${(address += 1)}`, ...headers });

/** The cookie of a session, and its token against forgery. */
async function sessionOf(token) {
  const response = await signIn(token);
  assert.equal(response.status, 200, await response.clone().text());
  const cookie = response.headers.get("set-cookie");
  return { cookie: cookie.split(";")[0], attributes: cookie, ...(await response.json()) };
}

const ask = (session, method = "GET", headers = {}) =>
  system.request("/app/api/session", { method, headers: { cookie: session.cookie, ...headers } });

test("every address below /app that is no file is the application, with the headers that keep it to itself", async () => {
  for (const path of ["/app", "/app/", "/app/1/insights/abc", "/app/index.html"]) {
    const response = await system.request(path);
    assert.equal(response.status, 200, path);
    assert.match(await response.text(), /<title>app</, path);
    const policy = response.headers.get("content-security-policy");
    assert.match(policy, /^default-src 'none'; script-src 'self'; style-src 'self';/, path);
    assert.match(policy, /frame-ancestors 'none'; require-trusted-types-for 'script'$/, path);
    assert.doesNotMatch(policy, /unsafe/, path);
    assert.equal(response.headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(response.headers.get("referrer-policy"), "no-referrer", path);
    assert.equal(response.headers.get("cross-origin-opener-policy"), "same-origin", path);
    assert.equal(response.headers.get("x-robots-tag"), "noindex", path);
    assert.equal(response.headers.get("cache-control"), "no-cache", path);
  }
});

test("the replay's document has a policy of its own, by both of its names", async () => {
  for (const path of ["/app/frame/replay", "/app/frame/replay.html"]) {
    const response = await system.request(path);
    assert.match(await response.text(), /<title>replay</, path);
    assert.equal(
      response.headers.get("content-security-policy"),
      "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'",
      path,
    );
  }
});

test("hashed files last for ever, and one of an older deployment is 404 and no document", async () => {
  const file = await system.request("/app/assets/main-1a2b.js");
  assert.equal(file.status, 200);
  assert.equal(file.headers.get("cache-control"), "public, max-age=31536000, immutable");
  assert.equal(file.headers.get("x-content-type-options"), "nosniff");
  await file.text();
  const gone = await system.request("/app/assets/main-0000.js");
  assert.equal(gone.status, 404);
  assert.doesNotMatch(await gone.text(), /</);
});

test("below a path prefix the documents name their files there, and these are served", async () => {
  const page = await other.request("/ingest/app/1/live");
  assert.match(await page.text(), /src="\/ingest\/app\/assets\/main-1a2b\.js"/);
  const file = await other.request("/ingest/app/assets/main-1a2b.js");
  assert.equal(file.status, 200);
  assert.match(file.headers.get("content-type"), /^text\/javascript/);
  assert.match(file.headers.get("cache-control"), /immutable/);
  await file.text();
});

test("without a token there are the two commands and nothing else", async () => {
  const bare = await start({ HOGFLARE_ADMIN_TOKEN: undefined });
  try {
    for (const path of ["/app", "/app/1/home"]) {
      const response = await bare.request(path);
      const text = await response.text();
      assert.deepEqual(text.match(/wrangler secret put \w+/g), [
        "wrangler secret put HOGFLARE_ADMIN_TOKEN",
        "wrangler secret put HOGFLARE_VIEWER_TOKEN",
      ]);
      assert.doesNotMatch(text, /<script|src=|<a /);
      assert.match(response.headers.get("content-security-policy"), /^default-src 'none'; img-src data:; style-src 'sha256-/);
    }
    const session = await bare.request("/app/api/session");
    assert.equal(session.status, 503);
    assert.equal((await session.json()).code, "no_token");
    // The empty token of a variable that is not set opens nothing.
    assert.equal((await bare.post("/app/api/session", { token: "" })).status, 503);
  } finally {
    await bare.stop();
  }
});

test("each token opens its role, for twelve hours, with a cookie that no script and no other page has", async () => {
  for (const [token, role] of [
    [ADMIN, "admin"],
    [VIEWER, "viewer"],
  ]) {
    const session = await sessionOf(token);
    assert.equal(session.role, role);
    assert.match(
      session.attributes,
      /^hf=v1\.\w+\.\d+\.\d+\.[0-9a-f]{32}\.[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200$/,
    );
    const hours = (Date.parse(session.expires_at) - Date.now()) / 3_600_000;
    assert.ok(hours > 11.9 && hours <= 12, `${hours} hours`);
    const again = await ask(session);
    assert.equal(again.status, 200);
    assert.equal(again.headers.get("cache-control"), "private, no-store");
    const { cookie, attributes, ...told } = session;
    assert.deepEqual(await again.json(), told);
    assert.ok(!JSON.stringify(told).includes(token), "the token never comes back");
  }
});

test("what the page is told: projects, zone, version, and what is on", async () => {
  const session = await sessionOf(VIEWER);
  assert.deepEqual(
    session.projects.map(({ team_id, takes_any_token }) => ({ team_id, takes_any_token })),
    [{ team_id: 1, takes_any_token: true }],
  );
  assert.equal(session.time_zone, "UTC");
  assert.match(session.version, /^\d+\.\d+\.\d+$/);
  assert.equal(session.capabilities.documents, true, "FLAGS is bound");
  assert.equal(session.capabilities.flags_kv, false, "no key of it is named");
  assert.equal(session.capabilities.sql, false);
  assert.equal(session.capabilities.free_sql, false);
});

test("over https the cookie is bound to its host", async () => {
  const response = await system.worker.dispatchFetch("https://hog.example/app/api/session", {
    method: "POST",
    headers: { "content-type": "application/json", "cf-connecting-ip": "198.51.100.1" },
    body: JSON.stringify({ token: ADMIN }),
  });
  const cookie = response.headers.get("set-cookie");
  assert.match(cookie, /^__Host-hf=.*; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure$/);
  assert.doesNotMatch(cookie, /Domain/i);
});

test("a cookie that was changed, is of another token, or is over, is nobody's", async () => {
  const session = await sessionOf(VIEWER);
  const [name, value] = session.cookie.split("=");
  const parts = value.split(".");
  const changed = (index, text) => `${name}=${parts.map((part, i) => (i === index ? text : part)).join(".")}`;
  const wrong = {
    "the role raised": changed(1, "admin"),
    "a longer life": changed(3, String(Number(parts[3]) + 3600)),
    "another id": changed(4, "0".repeat(32)),
    "another signature": changed(5, "0".repeat(64)),
    "no signature": changed(5, ""),
    "another version": changed(0, "v2"),
    "no cookie": "a=b",
    empty: `${name}=`,
  };
  for (const [what, cookie] of Object.entries(wrong)) {
    const response = await system.request("/app/api/session", { headers: { cookie } });
    assert.equal(response.status, 401, what);
    assert.equal((await response.json()).code, "signed_out", what);
  }
  const elsewhere = await signIn("another-token", {}, other, "/ingest/app/api/session");
  const theirs = elsewhere.headers.get("set-cookie").split(";")[0];
  assert.equal((await system.request("/app/api/session", { headers: { cookie: theirs } })).status, 401);
});

test("a wrong token is told as wrong, five times from an address; then a wait is named, for the right one too", async () => {
  const from = { "cf-connecting-ip": "203.0.113.7" };
  const words = new Set();
  for (const token of ["x", "", ADMIN.slice(0, -1), `${VIEWER}x`, "wrong"]) {
    const response = await signIn(token, from);
    assert.equal(response.status, 401);
    assert.equal(response.headers.get("set-cookie"), null);
    words.add(await response.text());
  }
  assert.equal(words.size, 1, "the same words whatever was wrong");
  for (const token of ["wrong", ADMIN]) {
    const response = await signIn(token, from);
    assert.equal(response.status, 429);
    const { code, retry_after_s } = await response.json();
    assert.equal(code, "too_many_attempts");
    assert.ok(retry_after_s > 0 && retry_after_s <= 60);
  }
  assert.equal((await signIn(ADMIN)).status, 200, "another address is not held up");
});

test("whoever comes sends a few kilobytes to sign in, and no nesting or width of it harms the core", async () => {
  const send = (body) =>
    system.request("/app/api/session", {
      method: "POST",
      headers: { "content-type": "application/json", "cf-connecting-ip": `192.0.2.${(address += 1)}` },
      body,
    });
  const MIB = 2 ** 20;
  for (const [body, status] of [
    ["[".repeat(2_097_142), 413],
    [`[${"[],".repeat(MIB / 2)}[]]`, 413],
    [`{"token":${"[".repeat(2_000)}${"]".repeat(2_000)}}`, 400],
    [`{"token":"${"x".repeat(5_000)}"}`, 413],
    [`{"token":${"[".repeat(100)}${"]".repeat(100)}}`, 401],
  ]) {
    const response = await send(body);
    assert.equal(response.status, status, `${body.slice(0, 20)}: ${await response.clone().text()}`);
    assert.ok((await response.json()).detail);
  }
  assert.equal((await send(JSON.stringify({ token: ADMIN }))).status, 200);
  const metrics = await system.request("/metrics", { headers: { authorization: `Bearer ${ADMIN}` } });
  assert.match(await metrics.text(), /^hogflare_traps_total 0$/m);
});

test("the addresses of one IPv6 network have their attempts together", async () => {
  for (let i = 0; i < 5; i += 1) {
    assert.equal((await signIn("wrong", { "cf-connecting-ip": `2001:db8:7:9::${i + 1}` })).status, 401);
  }
  assert.equal((await signIn("wrong", { "cf-connecting-ip": "2001:db8:7:9:aaaa::1" })).status, 429);
  assert.equal((await signIn("wrong", { "cf-connecting-ip": "2001:db8:7:a::1" })).status, 401);
});

test("attempts by bearer are counted with the others", async () => {
  const from = { "cf-connecting-ip": "203.0.113.99" };
  const bearer = (token) => system.request("/app/api/session", { headers: { ...from, authorization: `Bearer ${token}` } });
  assert.equal((await bearer(VIEWER)).status, 200);
  for (let i = 0; i < 5; i += 1) assert.equal((await bearer("wrong")).status, 401);
  assert.equal((await bearer(VIEWER)).status, 429);
});

test("a changing request needs the page's own token and origin", async () => {
  const session = await sessionOf(ADMIN);
  const good = { "x-hogflare-csrf": session.csrf, origin: system.url, "sec-fetch-site": "same-origin" };
  const forged = {
    "no token": { ...good, "x-hogflare-csrf": "" },
    "a wrong token": { ...good, "x-hogflare-csrf": "0".repeat(64) },
    "another session's token": { ...good, "x-hogflare-csrf": (await sessionOf(ADMIN)).csrf },
    "another origin": { ...good, origin: "https://evil.example" },
    "an opaque origin": { ...good, origin: "null" },
    "a sibling site": { ...good, "sec-fetch-site": "same-site" },
    "another site": { ...good, "sec-fetch-site": "cross-site" },
  };
  for (const [what, headers] of Object.entries(forged)) {
    const response = await ask(session, "DELETE", headers);
    assert.equal(response.status, 403, what);
    assert.equal((await response.json()).code, "forged", what);
    assert.equal(response.headers.get("set-cookie"), null, what);
  }
  const out = await ask(session, "DELETE", good);
  assert.equal(out.status, 200);
  assert.match(out.headers.get("set-cookie"), /^hf=; .*Max-Age=0/);
});

test("another page can neither sign in nor read an answer", async () => {
  for (const headers of [{ origin: "https://evil.example" }, { "sec-fetch-site": "cross-site" }]) {
    const response = await signIn(ADMIN, headers);
    assert.equal(response.status, 403);
    assert.equal(response.headers.get("access-control-allow-origin"), null);
  }
  const preflight = await system.request("/app/api/session", {
    method: "OPTIONS",
    headers: { origin: "https://evil.example", "access-control-request-method": "POST" },
  });
  assert.equal(preflight.headers.get("access-control-allow-origin"), null);
  assert.notEqual(preflight.status, 200);
  const form = await system.request("/app/api/session", {
    method: "POST",
    headers: { "content-type": "text/plain", "cf-connecting-ip": "198.51.100.2" },
    body: JSON.stringify({ token: ADMIN }),
  });
  assert.equal(form.status, 415);
});

test("what is no route, method or JSON is said as that", async () => {
  const from = { "cf-connecting-ip": "198.51.100.3" };
  assert.equal((await system.request("/app/api/nothing")).status, 404);
  assert.equal((await system.request("/app/api")).status, 404);
  assert.equal((await system.request("/app/api/session", { method: "PUT" })).status, 405);
  assert.equal((await system.request("/app/1/home", { method: "POST" })).status, 405);
  for (const body of ["", "{", "[]", '"token"', "null"]) {
    assert.equal((await system.post("/app/api/session", body, from)).status, 400, body);
  }
});

test("/ is a page for browsers: whether it works, and a snippet with this host", async () => {
  const response = await system.request("/", { headers: { accept: "text/html,application/xhtml+xml" } });
  const text = await response.text();
  assert.equal(response.status, 200);
  assert.match(text, /It works\./);
  assert.ok(text.includes(`${system.url}/static/array.js`));
  assert.ok(text.includes(`curl ${system.url}/i/v0/e/`));
  assert.ok(text.includes(`href="${system.url}/app"`));
  assert.doesNotMatch(text, /<script/);
  assert.equal(response.headers.get("vary"), "Accept");
  const below = await other.request("/ingest/", { headers: { accept: "text/html" } });
  assert.ok((await below.text()).includes(`${other.url}/ingest/static/array.js`));
  const plain = await system.request("/");
  assert.equal(await plain.text(), "hogflare");
});

test("/ says it when nothing can be taken", async () => {
  const broken = await start({ CLOUDFLARE_PIPELINE_ENDPOINT: undefined, HOGFLARE_PROJECTS: '{"phc_secretish": {"team_id": 3}}' });
  try {
    const text = await (await broken.request("/", { headers: { accept: "text/html" } })).text();
    assert.match(text, /It takes no events/);
    assert.doesNotMatch(text, /phc_secretish/, "whose project this is, is nobody's business here");
  } finally {
    await broken.stop();
  }
});
