// Cloudflare Access in front of the console: its token says who, the console's which role.
import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { startSystem } from "../lib/harness.mjs";

const ADMIN = "admin-token-of-this-test";
const AUDIENCE = "aud-tag-of-this-application";

const pair = () => generateKeyPairSync("rsa", { modulusLength: 2048 });
const [current, next, foreign] = [pair(), pair(), pair()];
const published = [{ kid: "current", key: current }];
let asked = 0;
let team;
let issuer;
let system;

before(async () => {
  team = createServer((request, response) => {
    asked += 1;
    assert.equal(request.url, "/cdn-cgi/access/certs");
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({
        keys: published.map(({ kid, key }) => ({ ...key.publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" })),
      }),
    );
  });
  await new Promise((done) => team.listen(0, "127.0.0.1", done));
  issuer = `http://127.0.0.1:${team.address().port}`;
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN, HOGFLARE_ACCESS_TEAM: issuer, HOGFLARE_ACCESS_AUD: AUDIENCE },
  });
});
after(async () => {
  await system?.stop();
  team?.close();
});

const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const now = () => Math.floor(Date.now() / 1000);

/** A token as Access makes it. */
function token({ head = {}, claims = {}, key = current } = {}) {
  const said = `${part({ alg: "RS256", kid: "current", typ: "JWT", ...head })}.${part({
    aud: [AUDIENCE],
    iss: issuer,
    email: "ada@example.com",
    exp: now() + 600,
    iat: now(),
    nbf: now(),
    ...claims,
  })}`;
  return `${said}.${createSign("RSA-SHA256").update(said).sign(key.privateKey).toString("base64url")}`;
}

const signIn = (jwt) => system.post("/app/api/session", { token: ADMIN }, jwt === undefined ? {} : { "cf-access-jwt-assertion": jwt });

test("who Access lets through is named, and the console's token still says which role", async () => {
  const response = await signIn(token());
  const session = await response.json();
  assert.equal(response.status, 200, JSON.stringify(session));
  assert.deepEqual([session.who, session.role], ["ada@example.com", "admin"]);
  const wrong = await system.post("/app/api/session", { token: "wrong" }, { "cf-access-jwt-assertion": token() });
  assert.equal((await wrong.json()).code, "wrong_token", "Access alone is no role");
  const service = await signIn(token({ claims: { email: undefined, common_name: "robot.access" } }));
  assert.equal((await service.json()).who, "robot.access");
  const single = await signIn(token({ claims: { aud: AUDIENCE } }));
  assert.equal(single.status, 200, "an audience may stand alone");
});

test("a token that is missing, forged, over, early or for somebody else opens nothing", async () => {
  const good = token();
  const [head, claims, signature] = good.split(".");
  const changed = (text) => (text[20] === "A" ? `${text.slice(0, 20)}B${text.slice(21)}` : `${text.slice(0, 20)}A${text.slice(21)}`);
  const wrong = {
    missing: undefined,
    "no token": "a.b.c",
    "no parts": "abc",
    "another signature": `${head}.${claims}.${changed(signature)}`,
    "a shorter signature": `${head}.${claims}.${signature.slice(0, -4)}`,
    "no signature": `${head}.${claims}.`,
    "other claims": `${head}.${part({ aud: [AUDIENCE], iss: issuer, email: "eve@example.com", exp: now() + 600 })}.${signature}`,
    "another key": token({ key: foreign }),
    "no algorithm": token({ head: { alg: "none" } }),
    "a symmetric algorithm": token({ head: { alg: "HS256" } }),
    over: token({ claims: { exp: now() - 1 } }),
    "without an end": token({ claims: { exp: undefined } }),
    early: token({ claims: { nbf: now() + 3_600 } }),
    "another application": token({ claims: { aud: ["other"] } }),
    "without an application": token({ claims: { aud: undefined } }),
    "another team": token({ claims: { iss: "https://other.cloudflareaccess.com" } }),
    "of nobody": token({ claims: { email: undefined } }),
  };
  for (const [what, jwt] of Object.entries(wrong)) {
    const response = await signIn(jwt);
    assert.equal(response.status, 401, what);
    assert.equal((await response.json()).code, "access_required", what);
  }
});

test("keys are read once, not for every request, and nobody makes the Worker ask on by naming unknown ones", async () => {
  await signIn(token());
  const before = asked;
  for (let i = 0; i < 5; i += 1) assert.equal((await signIn(token())).status, 200);
  for (let i = 0; i < 5; i += 1) assert.equal((await signIn(token({ head: { kid: `unknown-${i}` }, key: next }))).status, 401);
  assert.ok(asked <= before + 1, `${asked - before} questions`);
});

test("what is no console needs no Access", async () => {
  assert.equal((await system.request("/healthz")).status, 200);
  const event = { api_key: "phc_test", event: "open", distinct_id: "x" };
  assert.equal((await system.post("/i/v0/e/", event)).status, 200);
});
