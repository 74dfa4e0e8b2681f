// The console's page Live: what arrives is shown to whoever looks, and nobody else costs anything.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, startSystem, TOKEN } from "../lib/harness.mjs";
import { batch, event } from "./support.mjs";

const VIEWER = "viewer-token-of-this-test";
let system;

before(async () => {
  system = await startSystem({ vars: { HOGFLARE_VIEWER_TOKEN: VIEWER } });
});
after(() => system?.stop());

/** An upgrade as a browser sends it; the answer, and what comes over the socket. */
async function connect({ path = "/app/api/live?team_id=1", headers = {} } = {}) {
  const response = await system.worker.dispatchFetch(system.url + path, {
    headers: { upgrade: "websocket", connection: "upgrade", ...headers },
  });
  const frames = [];
  const closes = [];
  response.webSocket?.accept();
  response.webSocket?.addEventListener("message", (message) => frames.push(JSON.parse(message.data)));
  response.webSocket?.addEventListener("close", (close) => closes.push(close.code));
  return { response, socket: response.webSocket, frames, closes };
}

const bearer = { authorization: `Bearer ${VIEWER}` };

async function cookieOf() {
  const response = await system.post("/app/api/session", { token: VIEWER });
  return response.headers.get("set-cookie").split(";")[0];
}

/** Sends until one is shown: an isolate asks now and then only whether somebody looks. */
const shown = (frames, name, body = () => batch([event({ event: name })])) =>
  eventually(
    async () => {
      await (await system.post("/batch/", body())).text();
      return frames.flatMap((frame) => frame.events ?? []).find((each) => each.event === name);
    },
    { what: `${name} on the page`, everyMs: 300, timeoutMs: 60_000 },
  );

test("an event is shown with who, what and where it stands", async () => {
  const { response, socket, frames } = await connect({ headers: bearer });
  assert.equal(response.status, 101);
  await eventually(() => frames.some((frame) => frame.kind === "hello"), { what: "hello" });
  const properties = { $current_url: "https://shop.example/pricing", $lib: "web", $lib_version: "1.449.0", plan: "pro" };
  const seen = await shown(frames, "looked_at", () => batch([event({ event: "looked_at", distinct_id: "ada", properties })]));
  assert.equal(seen.distinct_id, "ada");
  assert.equal(seen.state, "landed");
  assert.deepEqual([seen.url, seen.lib, seen.lib_version, seen.properties.plan], ["https://shop.example/pricing", "web", "1.449.0", "pro"]);
  assert.match(seen.uuid, /^[0-9a-f-]{36}$/);
  assert.ok(Date.parse(seen.at) > 0);
  assert.deepEqual(seen.warnings, []);
  socket.close();
});

test("what waits for its sink, what is refused and what is warned of stand beside the events", async () => {
  const { socket, frames } = await connect({ headers: bearer });
  await shown(frames, "before");
  await system.post("/batch/", batch([event({ event: "fine" }), { event: "no_id" }, event({ event: "odd_time", timestamp: "no time" })]));
  const reject = await eventually(() => frames.find((frame) => frame.kind === "reject" && frame.event === "no_id"), { what: "the reject" });
  assert.equal(reject.reason, "missing_distinct_id");
  assert.equal(reject.token_last4, TOKEN.slice(-4));
  const warning = await eventually(() => frames.find((frame) => frame.kind === "warning"), { what: "the warning" });
  assert.deepEqual([warning.name, warning.event], ["ignored_invalid_timestamp", "odd_time"]);
  const odd = frames.flatMap((frame) => frame.events ?? []).find((each) => each.event === "odd_time");
  assert.equal(odd.warnings[0].name, "ignored_invalid_timestamp");
  // A request that is refused as a whole is nobody's project, and may be the one that is waited for.
  await system.post("/batch/", "{");
  await eventually(() => frames.some((frame) => frame.kind === "reject" && frame.event === undefined), { what: "the refused request" });
  await system.pipeline.fault({ seconds: 3_600, status: 503 });
  await system.post("/batch/", batch([event({ event: "late" })]));
  const late = await eventually(() => frames.flatMap((frame) => frame.events ?? []).find((each) => each.event === "late"), {
    what: "the late event",
  });
  assert.equal(late.state, "waiting");
  await system.pipeline.fault({ clear: true });
  socket.close();
});

test("more than fifty in a second are sampled, and the page is told of how many one is", async () => {
  const { socket, frames } = await connect({ headers: bearer });
  await shown(frames, "first");
  frames.length = 0;
  const many = Array.from({ length: 1_000 }, (_, i) => event({ event: "flood", distinct_id: `f${i % 7}` }));
  for (let i = 0; i < 4; i += 1) await (await system.post("/batch/", batch(many.slice(i * 250, (i + 1) * 250)))).text();
  await shown(frames, "last");
  const floods = frames.flatMap((frame) => frame.events ?? []).filter((each) => each.event === "flood");
  assert.ok(floods.length > 0 && floods.length <= 200, `${floods.length} of 1,000`);
  assert.ok(
    frames.some((frame) => frame.sampled > 1 && frame.rate > 50),
    "one of n is said",
  );
  socket.close();
});

test("only a signed-in page of this host is connected", async () => {
  const cookie = await cookieOf();
  const origin = system.url;
  assert.equal((await connect()).response.status, 401);
  assert.equal((await connect({ headers: { cookie: "hf=v1.viewer.1.9999999999.a.b", origin } })).response.status, 401);
  assert.equal((await connect({ headers: { cookie, origin: "https://evil.example" } })).response.status, 403);
  assert.equal((await connect({ headers: { cookie } })).response.status, 403, "a page says its origin");
  assert.equal((await connect({ headers: { cookie, origin }, path: "/app/api/live?team_id=9" })).response.status, 404);
  const plain = await system.request("/app/api/live", { headers: bearer });
  assert.equal(plain.status, 426);
  const good = await connect({ headers: { cookie, origin, "sec-fetch-site": "same-origin" } });
  assert.equal(good.response.status, 101);
  good.socket.close();
});

test("the object takes no socket whose sign-in is over, and closes those that become so", async () => {
  const namespace = await system.worker.getDurableObjectNamespace("LIVE");
  const open = async (until) => {
    const response = await namespace.getByName("7").fetch("http://live/", {
      headers: { upgrade: "websocket", "x-hogflare-live-team": "7", "x-hogflare-live-until": String(until) },
    });
    const closes = [];
    response.webSocket.accept();
    response.webSocket.addEventListener("close", (close) => closes.push(close.code));
    return { response, closes };
  };
  const lasting = await open(Date.now() + 3_600_000);
  const ending = await open(Date.now() + 300);
  await eventually(() => ending.closes.length > 0, { what: "the end of the sign-in" });
  assert.deepEqual(ending.closes, [4401]);
  assert.deepEqual(lasting.closes, []);
  lasting.response.webSocket.close();
});
