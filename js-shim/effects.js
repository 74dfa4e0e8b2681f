// Performs the core's effects and feeds their results back until the task is finished.
import { EFFECT_KIND, OBJECT_BINDINGS, STREAMS } from "./abi.js";
import { CoreReset, currentGeneration, end, resume } from "./core.js";

/** @typedef {import("./core.js").Output} Output */
/** @typedef {import("./core.js").Effect} Effect */
/** @typedef {{ok: boolean, status: number, retryAfterMs: number, body: Uint8Array}} Result */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);
const JSON_HEADERS = { "content-type": "application/json" };
/** What the core looks at of a sink's answer. */
const ANSWER_BYTES_KEPT = 2048;
/** A flags namespace that does not answer within this is treated as one that failed. */
const KV_TIMEOUT_MS = 2_000;

/**
 * Runs a started task to its end. Rejects with CoreReset when the instance was reset meanwhile.
 * @param {Output} started
 * @param {any} env
 * @param {import("./core.js").ObjectStorage | null} storage of the object whose task it is
 * @returns {Promise<Output>}
 */
export function runToEnd(started, env, storage) {
  if (started.finished && started.effects.length === 0) {
    if (started.points !== "") writePoints(started.points, env);
    end(started.slot);
    return Promise.resolve(started);
  }
  const generation = currentGeneration();
  return new Promise((resolve, reject) => {
    let settled = false;
    /** Effects without a result yet. */
    const open = new Set();
    const timers = [];
    const settle = () => {
      settled = true;
      for (const timer of timers) clearTimeout(timer);
    };
    const take = (output) => {
      if (output.points !== "") writePoints(output.points, env);
      if (output.effects.length > 0) start(output.effects);
      if (output.finished && !settled) {
        settle();
        end(output.slot);
        resolve(output);
      }
    };
    const start = (effects) => {
      /** Calls by how long they may take. @type {Map<number, number[]>} */
      const calls = new Map();
      for (const effect of effects) {
        open.add(effect.id);
        if (effect.kind === EFFECT_KIND.callObject) {
          const ids = calls.get(effect.c);
          if (ids === undefined) calls.set(effect.c, [effect.id]);
          else ids.push(effect.id);
        }
        perform(effect, env).then((result) => feed(effect.id, result), (error) => feed(effect.id, failure(error)));
      }
      // One timer for all calls of a turn instead of one each.
      for (const [timeoutMs, ids] of calls) timers.push(setTimeout(giveUp, timeoutMs, ids, timeoutMs));
    };
    const giveUp = (ids, timeoutMs) => {
      for (const id of ids) feed(id, failure(new Error(`no answer within ${timeoutMs} ms`)));
    };
    const feed = (id, result) => {
      if (settled || !open.delete(id)) return;
      try {
        if (currentGeneration() !== generation) throw new CoreReset("the core was reset while this task ran");
        take(resume(started.slot, id, result, storage));
      } catch (error) {
        settle();
        reject(error);
      }
    };
    take(started);
  });
}

/** Counters as data points: index and blob are the counter's name. @param {string} points @param {any} env */
function writePoints(points, env) {
  for (const [name, value] of JSON.parse(points)) {
    env.ANALYTICS.writeDataPoint({ indexes: [name.slice(0, 96)], blobs: [name], doubles: [value] });
  }
}

/** @param {unknown} error @returns {Result} */
function failure(error) {
  return { ok: false, status: 0, retryAfterMs: 0, body: encoder.encode(String(error)) };
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
function perform(effect, env) {
  switch (effect.kind) {
    case EFFECT_KIND.callObject:
      return callObject(effect, env);
    case EFFECT_KIND.sendRows:
      return sendRows(effect, env);
    case EFFECT_KIND.readKv:
      return readKv(effect, env);
    case EFFECT_KIND.wait:
      return wait(effect.a);
    default:
      return Promise.reject(new Error(`unknown effect kind ${effect.kind}`));
  }
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
async function callObject(effect, env) {
  // A stub may be broken after an exception, so every attempt gets its own.
  const stub = env[OBJECT_BINDINGS[effect.a]].getByName(effect.name);
  return { ok: true, status: 200, retryAfterMs: 0, body: await stub.call(effect.name, effect.bytes) };
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
async function sendRows(effect, env) {
  const stream = STREAMS[effect.a];
  if (env[stream.binding] !== undefined) {
    await withTimeout(env[stream.binding].send(JSON.parse(decoder.decode(effect.bytes))), effect.c);
    return { ok: true, status: 200, retryAfterMs: 0, body: NOTHING };
  }
  const token = stream.tokens.map((name) => env[name]).find((value) => value);
  const response = await fetch(env[stream.endpoint], {
    method: "POST",
    headers: token ? { ...JSON_HEADERS, authorization: `Bearer ${token}` } : JSON_HEADERS,
    body: effect.bytes,
    signal: AbortSignal.timeout(effect.c),
  });
  // Read to the end, so that the connection can be used again.
  const body = new Uint8Array(await response.arrayBuffer());
  return {
    ok: true,
    status: response.status,
    retryAfterMs: response.ok ? 0 : retryAfterMs(response),
    body: body.byteLength > ANSWER_BYTES_KEPT ? body.slice(0, ANSWER_BYTES_KEPT) : body,
  };
}

/** @param {Response} response */
function retryAfterMs(response) {
  const seconds = Number(response.headers.get("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0;
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
async function readKv(effect, env) {
  const value = await withTimeout(env.FLAGS.get(effect.name, "text"), KV_TIMEOUT_MS);
  if (value === null) return { ok: true, status: 404, retryAfterMs: 0, body: NOTHING };
  return { ok: true, status: 200, retryAfterMs: 0, body: encoder.encode(value) };
}

/** @param {number} delayMs @returns {Promise<Result>} */
function wait(delayMs) {
  return new Promise((resolve) =>
    setTimeout(() => resolve({ ok: true, status: 0, retryAfterMs: 0, body: NOTHING }), delayMs),
  );
}

/**
 * @template T
 * @param {Promise<T>} promise
 * @param {number} timeoutMs
 * @returns {Promise<T>}
 */
function withTimeout(promise, timeoutMs) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
