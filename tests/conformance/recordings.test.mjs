// Recordings with a bucket bound as RECORDINGS, on Miniflare's R2: what lies where, reading it back,
// removing it, and a bucket that does not take it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { promisify } from "node:util";
import { gunzipSync, gzipSync } from "node:zlib";
import { faultyWorker, setFault } from "../lib/faulty_worker.mjs";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { gauge, nothingBad, PLAIN, stored } from "./support.mjs";

const ADMIN = "an-admin-token-of-some-length";
const KEY = "phx_personal";
const SESSION = "0190d5a7-6b1a-7c3f-9a0b-5c2f8e1d4a77";
const BY = (key) => ({ authorization: `Bearer ${key}` });

let system;
let bucket;
before(async () => {
  const { kvNamespaces, ...extra } = faultyWorker();
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN, POSTHOG_PERSONAL_API_KEY: KEY },
    r2Buckets: ["RECORDINGS"],
    kvNamespaces,
    extra,
  });
  bucket = await system.worker.getR2Bucket("RECORDINGS");
});
after(() => system.stop());
beforeEach(() => system.reset());
afterEach(() => nothingBad(system));

const meta = (href, timestamp) => ({ type: 4, data: { href, width: 800, height: 600 }, timestamp });
const click = (timestamp) => ({ type: 3, data: { source: 2, type: 2, id: 4, x: 1, y: 1 }, timestamp });
const input = (text, timestamp) => ({ type: 3, data: { source: 5, text, isChecked: false, id: 5 }, timestamp });
const ITEMS = [
  meta("https://shop.example/", 1_700_000_000_000),
  click(1_700_000_000_500),
  input("Größe 🛒", 1_700_000_000_900),
  input("b", 1_700_000_001_000),
];

function snapshot(session, properties = {}, fields = {}) {
  return {
    event: "$snapshot",
    uuid: randomUUID(),
    properties: {
      token: TOKEN,
      distinct_id: "watched",
      $session_id: session,
      $window_id: "window/1",
      $snapshot_data: ITEMS,
      $lib: "web",
      ...properties,
    },
    ...fields,
  };
}

const snapshots = (session, key = ADMIN, query = "") =>
  system.request(`/api/projects/1/session_recordings/${session}/snapshots${query}`, { headers: BY(key) });
const keysOf = async (prefix = "") => (await bucket.list({ prefix, limit: 1000 })).objects.map(({ key }) => key);
const lines = (text) =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

describe("a recording with a bucket", () => {
  it("with one large item is looked at in the memory that was admitted for it", async () => {
    // As many values as the text can have, below what is looked at: only the room for them is made.
    const full = { type: 2, data: { node: [Array(950_000).fill(1)] }, timestamp: 1_700_000_000_100 };
    const sent = snapshot(randomUUID(), { $snapshot_data: [...ITEMS, full, click(1_700_000_002_000)] });
    const [row] = await stored(system, await system.post("/s/", gzipSync(JSON.stringify([sent])), PLAIN), 1);
    assert.deepEqual([row.properties.$hogflare_recording_items, row.properties.$hogflare_recording_clicks], [6, 2]);
    const megabytes = (await gauge(system.url, ADMIN, "hogflare_wasm_memory_bytes")) / (1 << 20);
    assert.ok(megabytes <= 46, `${megabytes} MB`);
  });

  it("is one packed object a request; its row says where, when, how much and on which pages", async () => {
    const session = randomUUID();
    const sent = snapshot(session);
    const [row] = await stored(system, await system.post("/s/", gzipSync(JSON.stringify([sent])), PLAIN), 1);
    const [key, ...others] = await keysOf(`1/${session}/`);
    assert.deepEqual(others, []);
    assert.match(key, new RegExp(`^1/${session}/window%2F1/\\d{13}-${sent.uuid}$`));
    const object = await bucket.get(key);
    assert.equal(object.httpMetadata.contentEncoding, "gzip");
    const text = gunzipSync(Buffer.from(await object.arrayBuffer())).toString();
    assert.deepEqual(lines(text), [{ window_id: "window/1", uuid: sent.uuid, data: ITEMS }]);
    assert.equal(row.event, "$snapshot_items");
    assert.equal(row.uuid, sent.uuid);
    assert.equal(row.session_id, session);
    assert.deepEqual(row.properties, {
      distinct_id: "watched",
      $session_id: session,
      $window_id: "window/1",
      $snapshot_source: "web",
      $lib: "web",
      $hogflare_recording_key: key,
      $hogflare_recording_bytes: Buffer.byteLength(text),
      $hogflare_recording_items: 4,
      $hogflare_recording_clicks: 1,
      $hogflare_recording_keys: 2,
      $hogflare_recording_first_ms: 1_700_000_000_000,
      $hogflare_recording_last_ms: 1_700_000_001_000,
      $hogflare_recording_urls: ["https://shop.example/"],
    });
    const [view] = await system.sql(
      `SELECT is_complete, snapshot_data, recording_key, keys, bytes FROM sessions_replay WHERE session_id = '${session}'`,
    );
    assert.deepEqual(view, {
      is_complete: true,
      snapshot_data: null,
      recording_key: key,
      keys: 2,
      bytes: row.properties.$hogflare_recording_bytes,
    });
    const [listed] = await system.sql(`SELECT windows, keys, bytes, is_complete FROM replay_sessions WHERE session_id = '${session}'`);
    assert.deepEqual(listed, { windows: 1, keys: 2, bytes: row.properties.$hogflare_recording_bytes, is_complete: true });
  });

  it("of more than a row may have is one row all the same", async () => {
    const session = randomUUID();
    const items = [{ type: 2, data: { node: "x".repeat(2_400_000) }, timestamp: 5 }];
    await stored(system, await system.post("/s/", JSON.stringify([snapshot(session, { $snapshot_data: items })])), 1);
    const response = await snapshots(session);
    assert.deepEqual(
      lines(await response.text()).map(({ data }) => data),
      [items],
    );
  });

  it("keeps every byte: packed parts, number spelling, key order", async () => {
    const session = randomUUID();
    const latin = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("");
    const spelled = JSON.stringify({ type: 2, cv: "2024-10", data: latin, timestamp: 1, big: 0 }).replace(
      '"big":0',
      '"big":12345678901234567890.10',
    );
    const body = JSON.stringify([snapshot(session, { $snapshot_data: [] })]).replace(
      '"$snapshot_data":[]',
      `"$snapshot_data":[${spelled}]`,
    );
    await stored(system, await system.post("/s/", body), 1);
    const text = await (await snapshots(session)).text();
    assert.ok(text.endsWith(`"data":[${spelled}]}\n`), text.slice(-200));
  });

  it("sent again is read once", async () => {
    const session = randomUUID();
    const body = JSON.stringify([snapshot(session)]);
    for (const attempt of [1, 2]) assert.equal((await system.post("/s/", body)).status, 200, `attempt ${attempt}`);
    assert.equal(lines(await (await snapshots(session)).text()).length, 1);
  });
});

describe("reading a recording", () => {
  it("is for keys only, and says what is missing", async () => {
    for (const [headers, status] of [
      [{}, 401],
      [BY("wrong"), 401],
      [BY(KEY), 404],
      [BY(ADMIN), 404],
    ]) {
      const response = await system.request(`/api/projects/1/session_recordings/${SESSION}/snapshots`, { headers });
      assert.equal(response.status, status);
      assert.ok((await response.json()).detail.length > 0);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
    }
    assert.equal((await system.request(`/api/projects/1/session_recordings/a%2Fb/snapshots`, { headers: BY(ADMIN) })).status, 400);
  });

  it("comes in parts of four hundred objects, packed for who takes it packed", async () => {
    const session = randomUUID();
    const line = (at) => `${JSON.stringify({ window_id: "w", uuid: `${at}`, data: [{ type: 3, timestamp: at }] })}\n`;
    const put = (at) =>
      bucket.put(`1/${session}/w/${String(at).padStart(13, "0")}-${at}`, gzipSync(line(at)), { httpMetadata: { contentEncoding: "gzip" } });
    for (let at = 0; at < 450; at += 50) await Promise.all(Array.from({ length: 50 }, (_, more) => put(at + more)));
    const first = await snapshots(session);
    assert.equal(first.headers.get("content-encoding"), "gzip");
    assert.equal(first.headers.get("content-type"), "application/jsonl");
    const begin = lines(await first.text());
    assert.equal(begin.length, 400);
    const next = first.headers.get("x-hogflare-next");
    const second = await snapshots(session, KEY, `?after=${encodeURIComponent(next)}`);
    const end = lines(await second.text());
    assert.equal(second.headers.get("x-hogflare-next"), null);
    assert.deepEqual(
      [...begin, ...end].map(({ uuid }) => Number(uuid)),
      Array.from({ length: 450 }, (_, at) => at),
    );

    const removal = await system.request(`/api/projects/1/session_recordings/${session}`, { method: "DELETE", headers: BY(ADMIN) });
    assert.equal(removal.status, 200);
    assert.deepEqual(await removal.json(), { success: true, deleted_objects: 450, remaining: [] });
    assert.deepEqual(await keysOf(`1/${session}/`), []);
  });
});

describe("removing recordings", () => {
  it("needs the admin's token", async () => {
    const response = await system.request(`/api/projects/1/session_recordings/${SESSION}`, { method: "DELETE", headers: BY(KEY) });
    assert.equal(response.status, 401);
  });

  it("takes the sessions that are named and no others, whose names begin alike neither", async () => {
    const [one, two, longer, other] = ["s-1", "s-2", "s-11", "s-3"];
    for (const session of [one, two, longer, other])
      await stored(system, await system.post("/s/", snapshot(session)), 1).then(() => system.reset());
    const response = await system.post(
      "/api/projects/1/session_recordings/bulk_delete",
      { session_recording_ids: [one, two, "s-none"] },
      BY(ADMIN),
    );
    assert.equal(response.status, 200);
    assert.equal((await response.json()).deleted_objects, 2);
    const session_recording_ids = Array(1_000_000).fill(one);
    const all = await system.post("/api/projects/1/session_recordings/bulk_delete", { session_recording_ids }, BY(ADMIN));
    assert.equal(all.status, 400);
    assert.match(await all.text(), /at most 100 ids/);
    assert.equal((await keysOf("1/s-1/")).length, 0);
    assert.equal((await keysOf("1/s-2/")).length, 0);
    assert.equal((await keysOf("1/s-11/")).length, 1);
    assert.equal((await keysOf("1/s-3/")).length, 1);
  });
});

// From here on the bucket is left alone for ten seconds after each refusal.
describe("a bucket that refuses", () => {
  it("leaves the recording to rows, whole, and is not asked again at once", async () => {
    const session = randomUUID();
    await setFault(system, "recordings", "throw");
    const [row] = await stored(system, await system.post("/s/", snapshot(session)), 1);
    assert.deepEqual(row.properties.$snapshot_items, ITEMS);
    assert.deepEqual(await keysOf(`1/${session}/`), []);
    await setFault(system, "recordings", "");
    assert.equal((await system.post("/s/", snapshot(session))).status, 200);
    assert.deepEqual(await keysOf(`1/${session}/`), []);
    const metrics = await (await system.request("/metrics", { headers: BY(ADMIN) })).text();
    assert.match(metrics, /^hogflare_recording_puts_failed_total 1$/m);
  });
});

describe("npm run replay", () => {
  it("plays what lies in rows and what lies in the bucket together, each part once", async () => {
    const session = randomUUID();
    await setFault(system, "recordings", "throw");
    await system.post(
      "/s/",
      snapshot(session, { $window_id: "rows", $snapshot_data: [meta("https://a.example/", 1), input("from a row", 2)] }),
    );
    await setFault(system, "recordings", "");
    await bucket.put(
      `1/${session}/w/0000000000001-x`,
      gzipSync(
        `${JSON.stringify({ window_id: "bucket", uuid: "x", data: [meta("https://b.example/", 3), input("from the </script> bucket", 4)] })}\n`,
      ),
      { httpMetadata: { contentEncoding: "gzip" } },
    );
    const folder = mkdtempSync(join(tmpdir(), "hogflare-recordings-"));
    const file = join(folder, "session.html");
    const run = (env, ...args) =>
      promisify(execFile)(process.execPath, [join(ROOT, "scripts/replay.mjs"), ...args], { env: { ...process.env, ...env } });
    const places = ["--from", system.pipeline.url, "--worker", system.url];
    const { stdout } = await run({ HOGFLARE_ADMIN_TOKEN: ADMIN }, ...places, session, file);
    assert.match(stdout, /2 windows, 4 events/);
    const html = readFileSync(file, "utf8");
    assert.ok(html.includes("from a row") && html.includes("from the \\u003c/script> bucket"));
    rmSync(file);
    const alone = await run({ HOGFLARE_ADMIN_TOKEN: "", POSTHOG_PERSONAL_API_KEY: KEY }, "--worker", system.url, session, file);
    assert.match(alone.stdout, /1 windows, 2 events/);
    rmSync(file);
    await assert.rejects(run({ HOGFLARE_ADMIN_TOKEN: ADMIN }, ...places, "s-nobody", file), /npm run replay lists them/);
    assert.equal(existsSync(file), false);
    rmSync(folder, { recursive: true });
  });
});
