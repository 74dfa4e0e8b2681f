// Performs the core's effects and feeds their results back until the task is finished.
import { EFFECT_KIND, KV_CHANGE, OBJECT_BINDINGS } from "./abi.js";
import { readAsset } from "./assets.js";
import { deleteObjects, getObject, listObjects, putObject } from "./buckets.js";
import { CoreReset, currentGeneration, end, refuseClass, resume } from "./core.js";
import { tellLive } from "./live.js";
import { readCache, runQuery, writeCache } from "./query.js";
import { failure, KV_TIMEOUT_MS, noAnswerWithin, NOT_SQLITE, readUpTo, says, TRAPPED, withTimeout } from "./results.js";
import { readKv } from "./kv_reads.js";
import { isRefusal, sendAlone, sendRows } from "./sends.js";
import { markOf } from "./trapped.js";

/** @typedef {import("./core.js").Output} Output */
/** @typedef {import("./core.js").Effect} Effect */
/** @typedef {import("./results.js").Result} Result */

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);
const KEPT_REQUEST_BYTES = 65_536;

/**
 * Runs a started task to its end. Rejects with CoreReset when the instance was reset meanwhile.
 * @param {Output} started
 * @param {any} env
 * @param {import("./core.js").ObjectStorage | null} storage of the object whose task it is
 * @param {() => void} onTrap an object trapped the core in a call of this task
 * @param {AbortSignal} [left] whoever asked is gone: the engine is not asked any more
 * @returns {Promise<Output>}
 */
export function runToEnd(started, env, storage, onTrap, left) {
  if (started.finished && started.effects.length === 0) return Promise.resolve(endAtOnce(started, env));
  return new Promise((resolve, reject) => {
    const run = new Run(started.slot, env, storage, onTrap, resolve, reject);
    run.left = left;
    run.take(started);
  });
}

/**
 * Ends a task that finished in its first turn.
 * @param {Output} started
 * @param {any} env
 */
export function endAtOnce(started, env) {
  if (started.points !== "") writePoints(started.points, env);
  end(started.slot);
  return started;
}

/** A task under way. */
class Run {
  /**
   * @param {number} slot
   * @param {any} env
   * @param {import("./core.js").ObjectStorage | null} storage
   * @param {() => void} onTrap
   * @param {(output: Output) => void} resolve
   * @param {(error: unknown) => void} reject
   */
  constructor(slot, env, storage, onTrap, resolve, reject) {
    this.slot = slot;
    this.env = env;
    this.storage = storage;
    this.onTrap = onTrap;
    this.resolve = resolve;
    this.reject = reject;
    this.generation = currentGeneration();
    this.settled = false;
    /** @type {AbortSignal | undefined} */
    this.left = undefined;
    /** Effects without a result yet. */
    this.open = new Set();
    this.timers = [];
    /** The sink has refused rows of this task, which must not become other requests' trouble. */
    this.isRefused = false;
    /** The asset that was read last. @type {import("./assets.js").Asset | undefined} */
    this.asset = undefined;
  }

  /** @param {Output} output a turn's outcome */
  take(output) {
    if (output.points !== "") writePoints(output.points, this.env);
    if (output.effects.length > 0) this.start(output.effects);
    if (output.finished && !this.settled) {
      this.settle();
      end(this.slot);
      output.asset = this.asset;
      this.resolve(output);
    }
  }

  /** @param {Effect[]} effects */
  start(effects) {
    /** Calls by how long they may take. @type {Map<number, number[]> | null} */
    let calls = null;
    for (const effect of effects) {
      const { id } = effect;
      // Nobody waits for these, neither the task nor its client.
      if (effect.kind === EFFECT_KIND.callObject && OBJECT_BINDINGS[effect.a] === "LIVE") {
        tellLive(effect, this.env);
        continue;
      }
      this.open.add(id);
      if (effect.kind === EFFECT_KIND.callObject) {
        calls ??= new Map();
        const ids = calls.get(effect.c);
        if (ids === undefined) calls.set(effect.c, [id]);
        else ids.push(id);
        this.call(effect);
      } else {
        this.perform(effect).then(
          (result) => this.feed(id, result),
          (error) => this.feed(id, failure(error)),
        );
      }
    }
    if (calls === null) return;
    // One timer for all calls of a turn instead of one each.
    for (const [timeoutMs, ids] of calls) {
      this.timers.push(setTimeout(() => this.giveUp(ids, timeoutMs), timeoutMs));
    }
  }

  /** @param {Effect} effect */
  call(effect) {
    const { id, a: objectClass, bytes } = effect;
    // Kept until the answer comes, so not as bytes when they are many.
    const request = bytes.byteLength > KEPT_REQUEST_BYTES ? markOf(bytes) : bytes;
    try {
      // A stub may be broken after an exception, so every attempt gets its own.
      const stub = this.env[OBJECT_BINDINGS[effect.a]].getByName(effect.name);
      stub.call(effect.bytes).then(
        (body) => this.feed(id, { ok: true, status: 200, retryAfterMs: 0, body }),
        (error) => this.callFailed(id, objectClass, request, error),
      );
    } catch (error) {
      queueMicrotask(() => this.feed(id, failure(error)));
    }
  }

  /**
   * @param {number} id
   * @param {number} objectClass
   * @param {Uint8Array | string} request the bytes, or their mark
   * @param {unknown} error
   */
  callFailed(id, objectClass, request, error) {
    // What an outbox holds may be others' rows: the body is not at fault, and its rows find another shard.
    if (says(error, TRAPPED) && OBJECT_BINDINGS[objectClass] !== "OUTBOX") {
      const mark = typeof request === "string" ? request : markOf(request);
      if (says(error, `${TRAPPED} by ${mark}`)) this.onTrap();
    }
    if (says(error, NOT_SQLITE)) refuseClass(OBJECT_BINDINGS[objectClass]);
    this.feed(id, failure(error));
  }

  /** @param {Effect} effect @returns {Promise<Result>} */
  perform(effect) {
    switch (effect.kind) {
      case EFFECT_KIND.sendRows:
        return this.send(effect);
      case EFFECT_KIND.readKv:
        return readKv(this.env.FLAGS, effect);
      case EFFECT_KIND.wait:
        return wait(effect.a);
      case EFFECT_KIND.readAsset:
        return readAsset(effect, this.env, (asset) => (this.asset = asset));
      case EFFECT_KIND.runQuery:
        return runQuery(effect, this.env, this.left);
      case EFFECT_KIND.readCache:
        return readCache(effect);
      case EFFECT_KIND.writeCache:
        return writeCache(effect);
      case EFFECT_KIND.putObject:
        return putObject(effect, this.env);
      case EFFECT_KIND.getObject:
        return getObject(effect, this.env);
      case EFFECT_KIND.listObjects:
        return listObjects(effect, this.env);
      case EFFECT_KIND.deleteObjects:
        return deleteObjects(effect, this.env);
      case EFFECT_KIND.changeKv:
        return changeKv(effect, this.env);
      case EFFECT_KIND.fetchDocument:
        return fetchDocument(effect);
      default:
        return Promise.reject(new Error(`unknown effect kind ${effect.kind}`));
    }
  }

  /** @param {Effect} effect @returns {Promise<Result>} */
  async send(effect) {
    // Objects' sends are few and joined already.
    const isAlone = this.storage !== null || this.isRefused;
    const result = await (isAlone ? sendAlone(effect, this.env) : sendRows(effect, this.env));
    this.isRefused ||= isRefusal(result.status);
    return result;
  }

  /** @param {number[]} ids @param {number} timeoutMs */
  giveUp(ids, timeoutMs) {
    for (const id of ids) this.feed(id, failure(noAnswerWithin(timeoutMs)));
  }

  /** @param {number} id the effect's @param {Result} result */
  feed(id, result) {
    if (this.settled || !this.open.delete(id)) return;
    try {
      if (currentGeneration() !== this.generation) throw new CoreReset("the core was reset while this task ran");
      this.take(resume(this.slot, id, result, this.storage));
    } catch (error) {
      this.settle();
      this.reject(error);
    }
  }

  settle() {
    this.settled = true;
    for (const timer of this.timers) clearTimeout(timer);
  }
}

/** Counters as data points: index and blob are the counter's name. @param {string} points @param {any} env */
function writePoints(points, env) {
  for (const [name, value] of JSON.parse(points)) {
    env.ANALYTICS.writeDataPoint({ indexes: [name.slice(0, 96)], blobs: [name], doubles: [value] });
  }
}

/** @param {Effect} effect @param {any} env @returns {Promise<Result>} */
async function changeKv({ a: change, b: metadataSize, name: key, bytes }, env) {
  const done = { ok: true, status: 200, retryAfterMs: 0, body: NOTHING };
  if (change === KV_CHANGE.put) {
    const metadata = metadataSize === 0 ? undefined : JSON.parse(decoder.decode(bytes.subarray(0, metadataSize)));
    await withTimeout(env.FLAGS.put(key, bytes.subarray(metadataSize), { metadata }), KV_TIMEOUT_MS);
    return done;
  }
  if (change === KV_CHANGE.delete) {
    await withTimeout(env.FLAGS.delete(key), KV_TIMEOUT_MS);
    return done;
  }
  const { keys } = await withTimeout(env.FLAGS.list({ prefix: key }), KV_TIMEOUT_MS);
  return { ...done, body: encoder.encode(JSON.stringify(keys.map(({ name, metadata }) => ({ name, metadata })))) };
}

/** A document that is larger is none of those the core asks for. */
const DOCUMENT_BYTES_MAX = 1 << 20;

/** @param {Effect} effect @returns {Promise<Result>} */
async function fetchDocument({ name: url, c: timeoutMs }) {
  const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs), redirect: "manual" });
  const { bytes: body, isWhole } = await readUpTo(response.body, DOCUMENT_BYTES_MAX);
  if (!isWhole) throw new Error("the document is too large");
  return { ok: true, status: response.status, retryAfterMs: 0, body };
}

/** @param {number} delayMs @returns {Promise<Result>} */
function wait(delayMs) {
  return new Promise((resolve) => setTimeout(() => resolve({ ok: true, status: 0, retryAfterMs: 0, body: NOTHING }), delayMs));
}
