// Rows to their streams. Rows that are ready while a send of their stream is under way wait for its
// answer, 50 ms at most, and travel together in the next one: a send takes the sink
// 350 ms and workerd half a request's work however little it carries (docs/DELIVERY.md, "Sends of
// several requests"). Every request still waits for the answer to the send that carries its rows.
import { STREAMS } from "./abi.js";
import { sendRecords } from "./records.js";
import { failure, noAnswerWithin, readUpTo } from "./results.js";

/** @typedef {import("./core.js").Effect} Effect */
/** @typedef {import("./results.js").Result} Result */

/**
 * A request whose rows wait in a lane, or travel in another request's send.
 * @typedef {object} Member
 * @property {Uint8Array} rows a JSON array
 * @property {(outcome: Result | typeof LEAD | typeof ALONE) => void} settle may be called more than
 *   once, and from another request: the runtime goes on in the member's own
 */

/** What a member is told instead of a result: to send what waits, or its own rows by themselves. */
const LEAD = Symbol("lead");
const ALONE = Symbol("alone");

/** Longest wait for the send under way, and how long a send counts as under way: its request may die
 * without a word. It is an eighth of what a send takes. */
const WAIT_MS = 50;
/** Larger sends gain nothing by company. */
const SHARED_BYTES_MAX = 256 * 1024;
/** What may wait: together with the rows of the one that sends at most 4 MiB, as the core's own sends. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024 - SHARED_BYTES_MAX;
/** What the core looks at of a sink's answer. */
const ANSWER_BYTES_KEPT = 2048;
/** Bytes of an answer that are read at all. */
const ANSWER_BYTES_MAX = 64 * 1024;

const JSON_HEADERS = { "content-type": "application/json" };
const NOTHING = new Uint8Array(0);
const COMMA = 0x2c;

/** One stream's sends in this isolate. */
class Lane {
  /** @type {{startedAt: number} | null} the latest send under way */
  current = null;
  /** @type {Member[]} in order of arrival */
  waiting = [];
  waitingBytes = 0;

  /** @param {number} size @returns {boolean} whether rows of that size had better wait */
  takesOn(size) {
    if (size > SHARED_BYTES_MAX || this.waitingBytes + size > WAITING_BYTES_MAX) return false;
    return this.waiting.length > 0 || (this.current !== null && Date.now() - this.current.startedAt < WAIT_MS);
  }

  /** @param {Member} member */
  add(member) {
    this.waiting.push(member);
    this.waitingBytes += member.rows.byteLength;
  }

  /** @returns {Member[]} all that wait, which no longer do */
  takeAll() {
    const taken = this.waiting;
    this.waiting = [];
    this.waitingBytes = 0;
    return taken;
  }

  /** @param {Member} member @returns {boolean} whether it waited, which it no longer does */
  take(member) {
    const at = this.waiting.indexOf(member);
    if (at < 0) return false;
    this.waiting.splice(at, 1);
    this.waitingBytes -= member.rows.byteLength;
    return true;
  }

  /** The next send may go: who has waited longest makes it. @param {object} send */
  finish(send) {
    if (this.current !== send) return;
    const next = this.waiting[0];
    this.current = next === undefined ? null : { startedAt: Date.now() };
    if (next === undefined) return;
    // Taken out at once: should its request be gone, nobody was promised its rows.
    this.take(next);
    next.settle(LEAD);
  }
}

const lanes = STREAMS.map(() => new Lane());

/**
 * Sends rows, alone or in company; resolves to the sink's answer.
 * @param {Effect} effect a stream `a`, milliseconds to wait for an answer `c`, rows `bytes`
 * @param {any} env
 * @returns {Promise<Result>}
 */
export function sendRows(effect, env) {
  const lane = lanes[effect.a];
  if (lane.takesOn(effect.bytes.byteLength)) return waitInLane(lane, effect, env);
  return lead(lane, [], effect, env);
}

/**
 * Sends rows by themselves.
 * @param {Effect} effect
 * @param {any} env
 */
export function sendAlone(effect, env) {
  return post(effect, effect.bytes, env);
}

/**
 * Waits until it is this request's turn to send, or until another request has sent its rows.
 * @param {Lane} lane
 * @param {Effect} effect
 * @param {any} env
 * @returns {Promise<Result>}
 */
async function waitInLane(lane, effect, env) {
  // The promise is this request's own: one of another request ends with it.
  const { promise, resolve } = Promise.withResolvers();
  const member = { rows: effect.bytes, settle: resolve };
  lane.add(member);
  // A request with nothing of its own under way would be taken for a hanging one.
  let timer = setTimeout(() => {
    if (lane.take(member)) return resolve(LEAD);
    timer = setTimeout(() => resolve(failure(noAnswerWithin(effect.c))), effect.c);
  }, WAIT_MS);
  const outcome = await promise;
  clearTimeout(timer);
  if (outcome === ALONE) return sendAlone(effect, env);
  return outcome === LEAD ? lead(lane, lane.takeAll(), effect, env) : outcome;
}

/**
 * Sends this request's rows and those of others, and tells them the answer.
 * @param {Lane} lane
 * @param {Member[]} others
 * @param {Effect} effect
 * @param {any} env
 * @returns {Promise<Result>}
 */
async function lead(lane, others, effect, env) {
  const send = { startedAt: Date.now() };
  lane.current = send;
  let result;
  try {
    result = await post(effect, others.length === 0 ? effect.bytes : join(effect.bytes, others), env);
  } catch (error) {
    result = failure(error);
  }
  lane.finish(send);
  if (others.length === 0) return result;
  // An answer that is about the rows is about somebody's rows: each asks for itself.
  if (isRefusal(result.status)) {
    for (const member of others) member.settle(ALONE);
    return sendAlone(effect, env);
  }
  const copy = { ...result, shared: true };
  for (const member of others) member.settle(copy);
  return result;
}

/** Answers that ask for patience. */
const PATIENCE = [408, 425, 429];
/** Answers about the address, the credential or the way of sending (src/delivery/sink.cpp has the same). */
export const ABOUT_THE_ADDRESS = [401, 402, 403, 404, 405, 407, 410, 411, 415, 421, 426, 451];

/** Whether an answer is about the rows, so that sending fewer of them may help. @param {number} status */
export function isRefusal(status) {
  return status >= 400 && status < 500 && !PATIENCE.includes(status) && !ABOUT_THE_ADDRESS.includes(status);
}

/**
 * One JSON array of several.
 * @param {Uint8Array} first
 * @param {Member[]} others
 */
function join(first, others) {
  let size = first.byteLength;
  for (const { rows } of others) size += rows.byteLength - 1;
  const joined = new Uint8Array(size);
  joined.set(first);
  let at = first.byteLength;
  for (const { rows } of others) {
    // Over the closing bracket comes the next array without its opening one.
    joined[at - 1] = COMMA;
    joined.set(rows.subarray(1), at);
    at += rows.byteLength - 1;
  }
  return joined;
}

/**
 * One send to the stream's sink, a binding or an endpoint.
 * @param {Effect} effect
 * @param {Uint8Array} rows a JSON array
 * @param {any} env
 * @returns {Promise<Result>}
 */
async function post(effect, rows, env) {
  const stream = STREAMS[effect.a];
  if (env[stream.binding] !== undefined) {
    await sendRecords(env[stream.binding], rows, effect.c);
    return { ok: true, status: 200, retryAfterMs: 0, body: NOTHING };
  }
  const token = stream.tokens.map((name) => env[name]).find((value) => value);
  const response = await fetch(env[stream.endpoint], {
    method: "POST",
    headers: token ? { ...JSON_HEADERS, authorization: `Bearer ${token}` } : JSON_HEADERS,
    body: rows,
    signal: AbortSignal.timeout(effect.c),
    // Who stands where it leads is no sink: followed, a redirect to some page is a GET without the rows, and the
    // page's 200 would be taken for the sink's.
    redirect: "manual",
  });
  const body = await answerOf(response);
  return {
    ok: true,
    status: response.status,
    retryAfterMs: response.ok ? 0 : retryAfterMs(response),
    body: body.byteLength > ANSWER_BYTES_KEPT ? body.slice(0, ANSWER_BYTES_KEPT) : body,
  };
}

/**
 * What a sink says of the rows. Read to its end, so that the connection can be used again, unless it has none
 * or is none of what sinks say: that costs the connection.
 * @param {Response} response
 */
async function answerOf(response) {
  const { headers } = response;
  const announced = headers.get("content-length");
  const isShort = announced !== null && Number(announced) <= ANSWER_BYTES_MAX && headers.get("content-encoding") === null;
  return isShort ? new Uint8Array(await response.arrayBuffer()) : (await readUpTo(response.body, ANSWER_BYTES_MAX)).bytes;
}

/** @param {Response} response */
function retryAfterMs(response) {
  const seconds = Number(response.headers.get("retry-after"));
  return Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 3600) * 1000 : 0;
}
