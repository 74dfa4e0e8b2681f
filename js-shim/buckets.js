// Effects on R2 buckets, and answers that are objects of one.
import { readUpTo, withTimeout } from "./results.js";

/** @typedef {import("./core.js").Effect} Effect */
/** @typedef {import("./results.js").Result} Result */

/** Bindings by Bucket; where SYMBOLS is not bound, RECORDINGS has its objects too. */
const BUCKETS = ["RECORDINGS", "SYMBOLS"];
const NOTHING = new Uint8Array(0);
/** A bucket that does not answer a question within this is treated as failed. */
const BUCKET_TIMEOUT_MS = 10_000;
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @param {number} bucket @param {any} env */
function bucketOf(bucket, env) {
  return env[BUCKETS[bucket]] ?? env[BUCKETS[0]];
}

/** @param {number} status @param {Uint8Array} body @returns {Result} */
function answered(status, body = NOTHING) {
  return { ok: true, status, retryAfterMs: 0, body };
}

/** @param {Uint8Array} bytes @returns {Promise<ArrayBuffer>} */
function packed(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

/** An object's text: what was put packed, unpacked. @param {any} object @returns {ReadableStream} */
function unpacked(object) {
  const isPacked = object.httpMetadata?.contentEncoding === "gzip";
  return isPacked ? object.body.pipeThrough(new DecompressionStream("gzip")) : object.body;
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
export async function putObject(effect, env) {
  const options = { httpMetadata: { contentEncoding: "gzip" } };
  const put = async () => bucketOf(effect.a, env).put(effect.name, await packed(effect.bytes), options);
  await withTimeout(put(), effect.c);
  return answered(200);
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
export async function getObject(effect, env) {
  const get = async () => {
    const object = await bucketOf(effect.a, env).get(effect.name);
    if (object === null) return answered(404);
    const { bytes, isWhole } = await readUpTo(unpacked(object), effect.b);
    return isWhole ? answered(200, bytes) : answered(413);
  };
  return withTimeout(get(), BUCKET_TIMEOUT_MS);
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
export async function listObjects(effect, env) {
  const startAfter = decoder.decode(effect.bytes);
  const options = { prefix: effect.name, limit: effect.b, ...(startAfter === "" ? {} : { startAfter }) };
  const { objects, truncated } = await withTimeout(bucketOf(effect.a, env).list(options), BUCKET_TIMEOUT_MS);
  const keys = objects.map(({ key }) => `${key}\0`).join("");
  return answered(truncated ? 206 : 200, encoder.encode(keys));
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
export async function deleteObjects(effect, env) {
  const keys = decoder.decode(effect.bytes).split("\0").slice(0, -1);
  await withTimeout(bucketOf(effect.a, env).delete(keys), BUCKET_TIMEOUT_MS);
  return answered(200);
}

/**
 * The body of an answer that has objects: one after another, none of them whole in memory.
 * @param {Uint8Array} first what comes before them
 * @param {string[]} keys
 * @param {number} bucket
 * @param {any} env
 * @returns {ReadableStream}
 */
export function streamOf(first, keys, bucket, env) {
  const { readable, writable } = new TransformStream();
  const write = async () => {
    if (first.byteLength > 0) {
      const writer = writable.getWriter();
      await writer.write(first);
      writer.releaseLock();
    }
    for (const key of keys) {
      const object = await bucketOf(bucket, env).get(key);
      if (object !== null) await unpacked(object).pipeTo(writable, { preventClose: true });
    }
    await writable.close();
  };
  // A reader who has only a part must not take it for the whole: the connection breaks.
  write().catch((error) => writable.abort(error).catch(() => {}));
  return readable;
}
