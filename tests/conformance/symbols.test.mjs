// posthog-cli's upload of source maps, request by request as its source has them (cli/src/api/symbol_sets.rs,
// releases.rs, client.rs): releases, bulk_start_upload, the form, bulk_finish_upload, and its download.
import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { startSystem } from "../lib/harness.mjs";

const ADMIN = "an-admin-token-of-some-length";
const KEY = "phx_personal";

let system;
let buckets;
before(async () => {
  system = await startSystem({
    vars: { HOGFLARE_ADMIN_TOKEN: ADMIN, POSTHOG_PERSONAL_API_KEY: KEY, POSTHOG_TEAM_ID: "7", HOGFLARE_PATH_PREFIX: "/ingest" },
    r2Buckets: ["RECORDINGS", "SYMBOLS"],
  });
  buckets = { recordings: await system.worker.getR2Bucket("RECORDINGS"), symbols: await system.worker.getR2Bucket("SYMBOLS") };
});
after(() => system?.stop());

/** A client as posthog-cli is: below a prefix, with its headers. */
const call = (method, path, body, { key = KEY, host = `${system.url}/ingest/` } = {}) =>
  fetch(`${host}api/projects/7/error_tracking/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json", "user-agent": "posthog-cli" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

const hashOf = (...parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha512")).digest("hex");

/** The file posthog-cli makes of a minified source and its map. */
function symbolFile(source, map) {
  const number = (value, bytes) => {
    const buffer = Buffer.alloc(bytes);
    if (bytes === 8) buffer.writeBigUInt64LE(BigInt(value));
    else buffer.writeUInt32LE(value);
    return buffer;
  };
  const [minified, mapped] = [Buffer.from(source), Buffer.from(map)];
  return Buffer.concat([
    Buffer.from("posthog_error_tracking"),
    number(1, 4),
    number(2, 4),
    number(minified.length, 8),
    minified,
    number(mapped.length, 8),
    mapped,
  ]);
}

async function start(sets, options = {}) {
  const response = await call("POST", "symbol_sets/bulk_start_upload", {
    symbol_sets: sets.map(({ chunk_id, release_id = null, data }) => ({ chunk_id, release_id, content_hash: hashOf(data) })),
    force: false,
    skip_on_conflict: false,
    ...options,
  });
  return { status: response.status, body: await response.json() };
}

async function send({ presigned_url: { url, fields } }, data) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  form.append("file", new Blob([data]), "file");
  return fetch(url, { method: "POST", body: form });
}

const finish = (hashes) => call("POST", "symbol_sets/bulk_finish_upload", { content_hashes: hashes });

/** upload_inner of the CLI. */
async function upload(sets, options) {
  const started = await start(sets, options);
  assert.equal(started.status, 201, JSON.stringify(started.body));
  const hashes = {};
  for (const [chunk, given] of Object.entries(started.body.id_map)) {
    const { data } = sets.find(({ chunk_id }) => chunk_id === chunk);
    assert.equal((await send(given, data)).status, 204);
    hashes[given.symbol_set_id] = hashOf(data);
  }
  const finished = await finish(hashes);
  assert.equal(finished.status, 201);
  assert.deepEqual(await finished.json(), { success: true });
  return Object.keys(started.body.id_map);
}

const contentOf = async (chunk, key = KEY) => {
  const response = await call("GET", `symbol_sets/${chunk}/content`, undefined, { key });
  return response.status === 200 ? Buffer.from(await response.arrayBuffer()) : response.status;
};

describe("posthog-cli", () => {
  it("makes a release once, and finds it by its hash", async () => {
    const [project, version] = ["shop", "1.4.2"];
    const hash = hashOf(project, version);
    assert.equal((await call("GET", `releases/hash/${hash}`)).status, 404);
    const made = await call("POST", "releases", {
      metadata: { git: { branch: "main", commit_id: "abc" } },
      hash_id: hash,
      version,
      project,
    });
    assert.equal(made.status, 201);
    const release = await made.json();
    assert.match(release.id, /^[0-9a-f-]{36}$/);
    assert.deepEqual([release.hash_id, release.version, release.project, release.team_id], [hash, version, project, 7]);
    const found = await call("GET", `releases/hash/${hash}`);
    assert.equal(found.status, 200);
    assert.deepEqual(await found.json(), release);
    const again = await call("POST", "releases", { hash_id: hash, version, project });
    assert.equal(again.status, 400);
    assert.match((await again.json()).detail, /already in use/);
  });

  it("uploads, does nothing the second time, and downloads the same bytes", async () => {
    const release = await (await call("POST", "releases", { version: randomUUID(), project: "p" })).json();
    const sets = Array.from({ length: 12 }, (_, at) => ({
      chunk_id: randomUUID(),
      release_id: release.id,
      data: symbolFile(`console.log(${at})`, JSON.stringify({ version: 3, sources: ["größe.ts"], mappings: "AAAA" })),
    }));
    assert.equal((await upload(sets)).length, 12);
    assert.deepEqual(await upload(sets), []);
    const [set] = sets;
    assert.ok((await contentOf(set.chunk_id)).equals(set.data));
    const list = await (await call("GET", `symbol_sets/?ref=${set.chunk_id}&limit=1`)).json();
    assert.equal(list.results.length, 1);
    const [{ id }] = list.results;
    assert.equal(list.results[0].release_id, release.id);
    const { url } = await (await call("GET", `symbol_sets/${id}/download/`)).json();
    const downloaded = await fetch(url);
    assert.equal(downloaded.status, 200);
    assert.ok(Buffer.from(await downloaded.arrayBuffer()).equals(set.data));
    assert.deepEqual((await buckets.recordings.list()).objects, [], "symbols have a bucket of their own here");
    assert.ok((await buckets.symbols.list({ prefix: "symbols/7/" })).objects.length >= 24);
  });

  it("takes megabytes that no compression makes smaller", async () => {
    const data = symbolFile("x", randomBytes(6_000_000).toString("base64"));
    const chunk_id = randomUUID();
    await upload([{ chunk_id, data }]);
    assert.ok((await contentOf(chunk_id)).equals(data));
  });

  it("is told when content differs: refused, skipped or, forced, replaced", async () => {
    const chunk_id = randomUUID();
    await upload([{ chunk_id, data: Buffer.from("one") }]);
    const two = [{ chunk_id, data: Buffer.from("two") }];
    const refused = await start(two);
    assert.equal(refused.status, 400);
    assert.equal(refused.body.code, "content_hash_mismatch");
    assert.deepEqual(Object.keys(refused.body).sort(), ["attr", "code", "detail", "type"]);
    assert.deepEqual(await upload(two, { skip_on_conflict: true }), []);
    assert.equal(String(await contentOf(chunk_id)), "one");
    assert.deepEqual(await upload(two, { force: true }), [chunk_id]);
    assert.equal(String(await contentOf(chunk_id)), "two");
  });

  it("cannot move a set to another release, nor name one that is not there", async () => {
    const [one, two] = await Promise.all(
      [1, 2].map(async () => (await call("POST", "releases", { version: randomUUID(), project: "p" })).json()),
    );
    const chunk_id = randomUUID();
    const data = Buffer.from("x");
    await upload([{ chunk_id, data }]);
    assert.deepEqual(await upload([{ chunk_id, data, release_id: one.id }]), [], "an orphan joins a release");
    const moved = await start([{ chunk_id, data, release_id: two.id }]);
    assert.equal(moved.body.code, "release_id_mismatch");
    assert.equal((await start([{ chunk_id: randomUUID(), data, release_id: randomUUID() }])).body.code, "invalid_release_id");
    assert.equal(
      (
        await start([
          { chunk_id, data },
          { chunk_id, data },
        ])
      ).body.code,
      "invalid_chunk_ids",
    );
  });

  it("older ones, which name chunks alone, upload too", async () => {
    const chunk = randomUUID();
    const response = await call("POST", "symbol_sets/bulk_start_upload", { chunk_ids: [chunk], release_id: null });
    assert.equal(response.status, 201);
    assert.deepEqual(Object.keys((await response.json()).id_map), [chunk]);
  });

  it("an upload that never came is no symbol set", async () => {
    const set = { chunk_id: randomUUID(), data: Buffer.from("x") };
    const { body } = await start([set]);
    const { symbol_set_id: id } = body.id_map[set.chunk_id];
    const response = await finish({ [id]: hashOf(set.data) });
    assert.equal(response.status, 400);
    assert.equal((await response.json()).code, "file_not_found");
    assert.equal(await contentOf(set.chunk_id), 404);
    assert.deepEqual(await upload([set]), [set.chunk_id], "the next try uploads it");
  });
});

describe("symbol sets", () => {
  it("are nobody's without a key, and removed by the admin alone", async () => {
    const chunk_id = randomUUID();
    await upload([{ chunk_id, data: Buffer.from("x") }]);
    for (const [method, path] of [
      ["GET", `symbol_sets/${chunk_id}/content`],
      ["GET", `symbol_sets/${chunk_id}`],
      ["POST", "symbol_sets/bulk_start_upload"],
      ["POST", "releases"],
    ]) {
      const response = await call(method, path, method === "POST" ? {} : undefined, { key: "wrong" });
      assert.equal(response.status, 401, path);
      assert.equal(response.headers.get("access-control-allow-origin"), null);
    }
    assert.ok((await contentOf(chunk_id, ADMIN)).equals(Buffer.from("x")));
    assert.equal((await call("DELETE", `symbol_sets/${chunk_id}`)).status, 401);
    assert.equal((await call("DELETE", `symbol_sets/${chunk_id}`, undefined, { key: ADMIN })).status, 204);
    assert.equal(await contentOf(chunk_id), 404);
    assert.equal((await call("GET", `symbol_sets/${chunk_id}`)).status, 404);
  });

  it("an address that was given out is good for its own set and act only", async () => {
    const sets = [1, 2].map((data) => ({ chunk_id: randomUUID(), data: Buffer.from(String(data)) }));
    const { body } = await start(sets);
    const [one, two] = sets.map(({ chunk_id }) => body.id_map[chunk_id]);
    const forged = { presigned_url: { url: one.presigned_url.url, fields: { ...one.presigned_url.fields, key: two.symbol_set_id } } };
    assert.equal((await send(forged, Buffer.from("x"))).status, 403);
    const late = { presigned_url: { url: one.presigned_url.url, fields: { ...one.presigned_url.fields, expires: "1" } } };
    assert.equal((await send(late, Buffer.from("x"))).status, 403);
    const { key, expires, signature } = one.presigned_url.fields;
    const read = await fetch(
      `${system.url}/api/projects/7/error_tracking/symbol_sets/${key}/content?expires=${expires}&signature=${signature}`,
    );
    assert.equal(read.status, 403);
  });

  it("of another team than this deployment's are not there", async () => {
    const response = await fetch(`${system.url}/api/projects/8/error_tracking/symbol_sets/x`, {
      headers: { authorization: `Bearer ${KEY}` },
    });
    assert.equal(response.status, 404);
  });

  it("without a bucket are refused in words that posthog-cli shows", async () => {
    const bare = await startSystem({ vars: { POSTHOG_PERSONAL_API_KEY: KEY } });
    try {
      const response = await bare.post(
        "/api/projects/1/error_tracking/symbol_sets/bulk_start_upload",
        { symbol_sets: [] },
        { authorization: `Bearer ${KEY}` },
      );
      assert.equal(response.status, 400);
      const body = await response.json();
      assert.equal(body.code, "object_storage_required");
      assert.match(body.detail, /bind a bucket as SYMBOLS or RECORDINGS/);
    } finally {
      await bare.stop();
    }
  });

  it("a release's name is looked at once, however many chunks are of it, and so is how many there are", async () => {
    const chunk_ids = Array.from({ length: 200 }, (_, i) => `many-${i}`);
    const long = await call("POST", "symbol_sets/bulk_start_upload", { chunk_ids, release_id: "r".repeat(900_000) });
    assert.equal(long.status, 400);
    assert.match(await long.text(), /at most 200 bytes/);
    const many = await call("POST", "symbol_sets/bulk_start_upload", { chunk_ids: Array(100_000).fill("a") });
    assert.equal(many.status, 400);
    assert.match(await many.text(), /at most 250 symbol sets/);
  });

  it("releases of a great many values are read within the memory that there is", async () => {
    const releases = [];
    for (let i = 0; i < 100; i += 1) {
      const metadata = Array.from({ length: 20_000 }, () => ({}));
      const created = await call("POST", "releases", { version: `${i}`, project: "heavy", hash_id: `heavy-${i}`, metadata });
      assert.equal(created.status, 201);
      releases.push((await created.json()).id);
    }
    const sets = releases.map((release_id, i) => ({ chunk_id: `heavy-${i}`, release_id, data: "x" }));
    const symbol_sets = sets.map(({ chunk_id, release_id }) => ({ chunk_id, release_id, content_hash: "x" }));
    const all = await call("POST", "symbol_sets/bulk_start_upload", { symbol_sets });
    assert.equal(all.status, 413);
    assert.match(await all.text(), /needs more memory than there is; send it in parts/);
    const few = await start(sets.slice(0, 5));
    assert.equal(few.status, 201, JSON.stringify(few.body));
  });
});
