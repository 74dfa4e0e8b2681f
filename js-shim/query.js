// Asks the engine that reads the lake (Basin SQL, formerly R2 SQL), and keeps answers in the data centre's cache.
import { failure, readUpTo, withTimeout } from "./results.js";

/** @typedef {import("./core.js").Effect} Effect */
/** @typedef {import("./results.js").Result} Result */

const SQL_URL = "https://api.sql.cloudflarestorage.com";
/** The renamed path first, the old one where the engine does not know it yet. */
const PATHS = ["basin-sql", "r2-sql"];
/** As limits::kQueryReplyBytesMax. */
const REPLY_BYTES_MAX = 4 * 1024 * 1024;
/** A cache that is slower than the engine is none. */
const CACHE_TIMEOUT_MS = 1_000;
const NOTHING = new Uint8Array(0);
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/**
 * @param {Effect} effect milliseconds to wait `c`, SQL `bytes`
 * @param {any} env
 * @param {AbortSignal} [left] nobody waits for the answer any more
 * @returns {Promise<Result>}
 */
export async function runQuery(effect, env, left) {
  if (left?.aborted) return failure("nobody waits for the answer");
  const abort = new AbortController();
  left?.addEventListener("abort", () => abort.abort(left.reason));
  const timer = setTimeout(() => abort.abort(new Error(`no answer within ${effect.c} ms`)), effect.c);
  try {
    const query = decoder.decode(effect.bytes);
    for (const path of PATHS) {
      const response = await ask(path, query, env, abort.signal);
      if (response.status === 404 && path !== PATHS.at(-1)) {
        await response.body?.cancel();
        continue;
      }
      return await readReply(response);
    }
    return failure("no path");
  } catch (error) {
    return failure(error);
  } finally {
    clearTimeout(timer);
  }
}

/** @param {string} path @param {string} query @param {any} env @param {AbortSignal} signal */
function ask(path, query, env, signal) {
  const { HOGFLARE_SQL_ACCOUNT_ID: account, HOGFLARE_SQL_BUCKET: bucket, HOGFLARE_SQL_TOKEN: token } = env;
  const base = (env.HOGFLARE_SQL_URL || SQL_URL).replace(/\/+$/, "");
  return fetch(`${base}/api/v1/accounts/${account}/${path}/query/${bucket}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ query, warehouse: `${account}_${bucket}` }),
    signal,
    // Nobody but the engine answers a question, or sees it.
    redirect: "manual",
  });
}

/** The answer's bytes, up to a bound. @param {Response} response @returns {Promise<Result>} */
async function readReply(response) {
  const { bytes: body, isWhole } = await readUpTo(response.body, REPLY_BYTES_MAX);
  if (!isWhole) return { ok: false, status: 413, retryAfterMs: 0, body: encoder.encode("the answer is too large") };
  return { ok: true, status: response.status, retryAfterMs: 0, body };
}

const addressOf = (key) => `https://answers.hogflare.internal/${key}`;

/** @param {Effect} effect key `name` @returns {Promise<Result>} */
export async function readCache(effect) {
  const kept = await withTimeout(caches.default.match(addressOf(effect.name)), CACHE_TIMEOUT_MS);
  if (kept === undefined) return { ok: true, status: 404, retryAfterMs: 0, body: NOTHING };
  return { ok: true, status: 200, retryAfterMs: 0, body: new Uint8Array(await kept.arrayBuffer()) };
}

/**
 * The answer waits for it, but not longer than for a read; one that was not kept is asked for again.
 * @param {Effect} effect key `name`, value `bytes`, seconds `b`
 * @returns {Promise<Result>}
 */
export async function writeCache(effect) {
  const headers = { "cache-control": `max-age=${effect.b}`, "content-type": "application/octet-stream" };
  const put = caches.default.put(addressOf(effect.name), new Response(effect.bytes, { headers }));
  try {
    await withTimeout(put, CACHE_TIMEOUT_MS);
  } catch (error) {
    return failure(error);
  }
  return { ok: true, status: 200, retryAfterMs: 0, body: NOTHING };
}
