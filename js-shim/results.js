// What became of an effect, as the core is told.

/**
 * `shared`: the answer to another request's send that carried these rows.
 * @typedef {{ok: boolean, status: number, retryAfterMs: number, body: Uint8Array, shared?: boolean}} Result
 */

const encoder = new TextEncoder();

/** No answer, and why. @param {unknown} error @returns {Result} */
export function failure(error) {
  return { ok: false, status: 0, retryAfterMs: 0, body: encoder.encode(String(error)) };
}

/** @param {number} timeoutMs */
export function noAnswerWithin(timeoutMs) {
  return new Error(`no answer within ${timeoutMs} ms`);
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
