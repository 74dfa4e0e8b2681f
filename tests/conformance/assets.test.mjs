// What js-shim holds of static assets that the core answers with, however many ask and however slowly they read.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { endsInAsset, readAsset, streamed } from "../../js-shim/assets.js";

const SIZE = 800_000;
const PART = 16 * 1024;
const script = new Uint8Array(SIZE).map((_, i) => 97 + (i % 23));

/** Assets of which all are that script; how many are being read, and the bytes that were taken of them. */
function assetsOf() {
  const seen = { open: 0, most: 0, bytes: 0, status: 200 };
  const fetch = async () => {
    seen.open += 1;
    seen.most = Math.max(seen.most, seen.open);
    let at = 0;
    const pull = async (controller) => {
      await sleep(0);
      const part = script.slice(at, at + PART);
      at += part.byteLength;
      seen.bytes += part.byteLength;
      if (part.byteLength > 0) return controller.enqueue(part);
      seen.open -= 1;
      controller.close();
    };
    return new Response(new ReadableStream({ pull }, { highWaterMark: 0 }), { status: seen.status });
  };
  return { env: { ASSETS: { fetch } }, seen };
}

const read = async (env) => {
  let asset;
  const result = await readAsset({ name: "/static/a.js" }, env, (noted) => (asset = noted));
  return { ...result, asset };
};
const joined = (...parts) => new Uint8Array(Buffer.concat(parts));
const bytesOf = async (stream) => new Uint8Array(await new Response(stream).arrayBuffer());

describe("static assets", () => {
  before(() => {
    // workerd's: one that counts, which Node does not have.
    globalThis.FixedLengthStream = class {
      constructor() {
        const { readable, writable } = new TransformStream();
        Object.assign(this, { readable, writable });
      }
    };
  });

  it("are read a few at a time, however many ask", async () => {
    const { env, seen } = assetsOf();
    const results = await Promise.all(Array.from({ length: 60 }, () => read(env)));
    assert.ok(results.every(({ ok, status, body }) => ok && status === 200 && Buffer.compare(body, script) === 0));
    assert.ok(seen.most <= 8, `${seen.most} at once`);
  });

  it("go on to their reader as they are taken, behind what the core has put before them", async () => {
    for (const first of [new Uint8Array(0), new TextEncoder().encode("config();\n")]) {
      const { env, seen } = assetsOf();
      const { asset } = await read(env);
      const output = { body: joined(first, script), asset };
      assert.ok(endsInAsset(output));
      seen.bytes = 0;
      const stream = await streamed(output, env);
      await sleep(50);
      assert.equal(output.body.byteLength, 0, "the core's copy is given away");
      assert.ok(seen.bytes <= 4 * PART, `${seen.bytes} bytes for nobody`);
      assert.deepEqual(await bytesOf(stream), joined(first, script));
    }
  });

  it("are not taken for an answer that is another", async () => {
    const { env } = assetsOf();
    const { asset } = await read(env);
    assert.equal(endsInAsset({ body: joined(script.subarray(0, 100), new Uint8Array([1]), script.subarray(100)), asset }), false);
    assert.equal(endsInAsset({ body: new Uint8Array(0), asset }), false, "304");
    assert.equal(endsInAsset({ body: script, asset: undefined }), false);
  });

  it("that are gone by then are an error, not a part of an answer", async () => {
    const { env, seen } = assetsOf();
    const { asset } = await read(env);
    seen.status = 404;
    await assert.rejects(streamed({ body: script.slice(), asset }, env), /a\.js is not there any more/);
    assert.equal((await read(env)).asset, undefined);
    assert.equal((await readAsset({ name: "/static/a.js" }, {}, assert.fail)).status, 404);
  });
});
