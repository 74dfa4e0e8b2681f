// What became of an effect, as the core is told.

/**
 * `shared`: the answer to another request's send that carried these rows.
 * `stored`: the body is a value of the flags namespace.
 * @typedef {{ok: boolean, status: number, retryAfterMs: number, body: Uint8Array, shared?: boolean, stored?: boolean}} Result
 */

const encoder = new TextEncoder();

/** A flags namespace, or the assets, that do not answer within this are treated as failed. */
export const KV_TIMEOUT_MS = 2_000;

/** What an object's failed call says that its caller has to know, whatever isolate it ran in. Ending the
 * object fails all its calls with the same words, so those of a trap name the call that brought it about. */
export const TRAPPED = "the core was reset after a trap";
export const NOT_SQLITE = "the object's class is not SQLite-backed";

/** @param {unknown} error @param {string} what */
export function says(error, what) {
  return String(error).includes(what);
}

/** No answer, and why. @param {unknown} error @returns {Result} */
export function failure(error) {
  return { ok: false, status: 0, retryAfterMs: 0, body: encoder.encode(String(error)) };
}

/** @param {number} timeoutMs */
export function noAnswerWithin(timeoutMs) {
  return new Error(`no answer within ${timeoutMs} ms`);
}

/**
 * A stream's first bytes, at most so many; what would come behind them is not asked for.
 * @param {AsyncIterable<Uint8Array> | null} stream
 * @param {number} bytesMax
 * @returns {Promise<{bytes: Uint8Array, isWhole: boolean}>}
 */
export async function readUpTo(stream, bytesMax) {
  const parts = [];
  let size = 0;
  for await (const part of stream ?? []) {
    size += part.byteLength;
    parts.push(part);
    // Leaving the loop cancels the stream.
    if (size > bytesMax) break;
  }
  const bytes = new Uint8Array(Math.min(size, bytesMax));
  let at = 0;
  for (const part of parts) {
    bytes.set(part.subarray(0, bytes.byteLength - at), at);
    at = Math.min(at + part.byteLength, bytes.byteLength);
  }
  return { bytes, isWhole: size <= bytesMax };
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {number} timeoutMs
 * @returns {Promise<T>}
 */
export function withTimeout(promise, timeoutMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(noAnswerWithin(timeoutMs)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
