// The Worker and its object classes: bytes in, bytes out. Every decision about events, people and
// flags is the core's.
import { DurableObject } from "cloudflare:workers";
import { version as scriptVersion } from "posthog-js/package.json";
import bundledFlags from "../flags.json";
import { BODY_BYTES_MAX, consoleHeadOf, HEAD_CF, headersOf, READING_BYTES_MAX } from "./abi.js";
import { endsInAsset, streamed } from "./assets.js";
import { linesOf, requestsIn } from "./batch.js";
import { streamOf } from "./buckets.js";
import { ASK_FROM, configure, CoreTrap, hasRoomFor, isConfigured, startHttp, startObject, trappedBy } from "./core.js";
import { endAtOnce, runToEnd } from "./effects.js";
import { Gathered, roomAfter } from "./gathered.js";
import { RememberingKv } from "./kv.js";
import { connect, watchedTeams } from "./live.js";
import { overLimit, withLimitsMetrics } from "./rate_limit.js";
import { NOT_SQLITE } from "./results.js";
import { Room } from "./room.js";
import { isRefused, keyOf, markOf, remember } from "./trapped.js";

const VARIABLE = /^(HOGFLARE|POSTHOG|CLOUDFLARE)_/;

/** Describes variables and bindings to the core. @param {any} env */
function configureFrom(env) {
  if (isConfigured()) return;
  const vars = {};
  const bindings = [];
  for (const [name, value] of Object.entries(env)) {
    if (VARIABLE.test(name)) vars[name] = typeof value === "string" ? value : JSON.stringify(value);
    else if (typeof value === "object") bindings.push(name);
  }
  configure({ vars, bindings, bundled_flags: JSON.stringify(bundledFlags), script_version: scriptVersion });
}

const NO_BODY = new Uint8Array(0);

/** Bytes of large bodies that are being read, or were and are not yet the core's. */
const reading = new Room(READING_BYTES_MAX);
/** Bodies from which on those that are not large are counted too: many that do not come on must not fill an isolate. */
const COUNTED_FROM = 16 * 1024;
const SMALL_BYTES_MAX = 8 * 1024 * 1024;
/** Bytes that were announced of such bodies, which the platform gathers; above, the shim does, by what has come. */
const expected = new Room(SMALL_BYTES_MAX);
const arriving = new Room(SMALL_BYTES_MAX);
/** Bytes that one look at a body brings that is not taken: many may wait for what does not come. */
const LEFT_PART_BYTES = 8 * 1024;

/** @typedef {ReturnType<Room["place"]>} Place */

/**
 * @typedef {object} Read a body, as far as it was read
 * @property {Uint8Array} body
 * @property {string} state "" read, "large" over the cap, "busy" others' bodies take the room, "slow" given up
 */

/**
 * Reads the body up to the shim's own cap.
 * @param {Request} request
 * @param {Place} place what it holds of the room until it is the core's
 * @returns {Promise<Read>}
 */
async function readBody(request, place) {
  // Looking at request.body makes a stream object of it, so that comes last.
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    const size = Number(announced);
    if (size > BODY_BYTES_MAX) return discard(request, "large");
    // The smallest always find room.
    if (size < COUNTED_FROM) return { body: new Uint8Array(await request.arrayBuffer()), state: "" };
    if (size < ASK_FROM && expected.has(size)) return readAtOnce(request, size);
    if (size >= ASK_FROM && !reading.has(size)) return discard(request, "busy");
  }
  if (request.body === null) return { body: NO_BODY, state: "" };
  return readChunks(request.body, place);
}

/** A large body takes room from others: one that has come more slowly than this after so long is given up. */
const PATIENCE_MS = 30_000;
const PACE_BYTES_PER_MS = 64;
/** The same for one that is not large: no SDK waits longer for its answer. */
const SMALL_PATIENCE_MS = 60_000;

/**
 * @param {Request} request
 * @param {number} size what was announced
 * @returns {Promise<Read>}
 */
async function readAtOnce(request, size) {
  const place = expected.place();
  place.hold(size, SMALL_PATIENCE_MS);
  let timer;
  const late = new Promise((resolve) => (timer = setTimeout(() => resolve(null), SMALL_PATIENCE_MS)));
  try {
    const bytes = await Promise.race([request.arrayBuffer(), late]);
    return bytes === null ? { body: NO_BODY, state: "slow" } : { body: new Uint8Array(bytes), state: "" };
  } finally {
    clearTimeout(timer);
    place.end();
  }
}

/** Watches over a body as it comes. */
class Patience {
  size = 0;
  began = Date.now();
  isOver = false;
  /** Ends the wait under way. */
  giveUp = () => {};

  /** @param {number} leastMs what even the smallest has */
  constructor(leastMs) {
    this.leastMs = leastMs;
    this.timer = setTimeout(() => this.look(), leastMs);
  }

  /** The same one, or another where it is another time. @param {Patience | null} former @param {number} leastMs */
  static of(former, leastMs) {
    if (former !== null && former.leastMs === leastMs) return former;
    former?.end();
    return new Patience(leastMs);
  }

  look() {
    const leftMs = this.began + this.leastMs + this.size / PACE_BYTES_PER_MS - Date.now();
    this.isOver = leftMs <= 0;
    if (this.isOver) this.giveUp();
    else this.timer = setTimeout(() => this.look(), leftMs);
  }

  /**
   * What comes, or null once it is too slow. A race with one promise would be remembered by it for every part.
   * @template T
   * @param {Promise<T>} next
   * @returns {Promise<T | null>}
   */
  wait(next) {
    if (this.isOver) return Promise.resolve(null);
    return new Promise((resolve, reject) => {
      this.giveUp = () => resolve(null);
      next.then(resolve, reject);
    });
  }

  end() {
    clearTimeout(this.timer);
  }
}

/**
 * Reads a body that is large or does not say how long it is. It takes room as its bytes come.
 * @param {ReadableStream<Uint8Array>} stream
 * @param {Place} place
 * @returns {Promise<Read>}
 */
async function readChunks(stream, place) {
  const gathered = new Gathered();
  const reader = stream.getReader({ mode: "byob" });
  const small = arriving.place();
  /** @type {Patience | null} */
  let patience = null;
  let size = 0;
  let state = "";
  try {
    for (;;) {
      const next = reader.read(new Uint8Array(state === "" ? roomAfter(size) : LEFT_PART_BYTES));
      const part = await (patience === null ? next : patience.wait(next));
      if (part === null) {
        if (state === "") state = "slow";
        next.catch(() => {});
        reader.cancel().catch(() => {});
        break;
      }
      if (part.done) break;
      size += part.value.byteLength;
      if (state === "" && size > BODY_BYTES_MAX) state = "large";
      const isLarge = size >= ASK_FROM;
      if (state === "" && isLarge && !reading.has(size - place.amount)) state = "busy";
      if (state === "" && !isLarge && size >= COUNTED_FROM && !arriving.has(size - small.amount)) state = "busy";
      if (state !== "") {
        gathered.blocks.length = 0;
        place.end();
        small.end();
        continue;
      }
      gathered.add(part.value);
      if (size < COUNTED_FROM) continue;
      const leastMs = isLarge ? PATIENCE_MS : SMALL_PATIENCE_MS;
      patience = Patience.of(patience, leastMs);
      patience.size = size;
      (isLarge ? place : small).hold(size, leastMs + size / PACE_BYTES_PER_MS);
      if (isLarge) small.end();
    }
    return { body: state === "" ? gathered.take() : NO_BODY, state };
  } finally {
    patience?.end();
    small.end();
  }
}

/**
 * Reads a body that is not taken to its end: a client that is still sending would otherwise see a
 * broken connection instead of the answer. The platform bounds what can come.
 * @param {Request} request
 * @param {string} state why
 * @returns {Promise<Read>}
 */
async function discard(request, state) {
  if (request.body !== null) await request.body.pipeTo(new WritableStream());
  return { body: NO_BODY, state };
}

/**
 * The request's head as the core reads it (abi.js).
 * @param {Request} request
 * @param {string} bodyState
 * @param {any} env
 * @param {string} url
 */
function headOf(request, bodyState, env, url) {
  const pathAt = url.indexOf("/", url.indexOf("://") + 3);
  const queryAt = url.indexOf("?", pathAt);
  const path = queryAt < 0 ? url.slice(pathAt) : url.slice(pathAt, queryAt);
  const query = queryAt < 0 ? "" : url.slice(queryAt + 1);
  let head = `${request.method}\0${path}\0${query}\0${bodyState}\0`;
  const headers = request.headers;
  for (const name of headersOf(request.method, path, Boolean(env.POSTHOG_SIGNING_SECRET))) {
    const value = name === null ? null : headers.get(name);
    head += value === null ? "\0" : `${value}\0`;
  }
  const cf = /** @type {any} */ (request).cf ?? {};
  for (const name of HEAD_CF) head += `${cf[name] ?? ""}\0`;
  // What few requests have, behind the rest: the address, where an answer holds some of its own; of a
  // console's request its headers; of others which projects somebody looks at.
  const more = consoleHeadOf(path, request) || `${watchedTeams(Date.now())}\0`;
  const origin = path.includes("/api/") ? url.slice(0, pathAt) : "";
  return origin === "" && more === "\0" ? head : `${head}${origin}\0${more}`;
}

/** @param {import("./core.js").Output} output @returns {[string, string][]} */
function headersIn({ headers }) {
  /** @type {[string, string][]} */
  const pairs = [];
  for (let i = 0; i + 1 < headers.length; i += 2) pairs.push([headers[i], headers[i + 1]]);
  return pairs;
}

/**
 * @param {import("./core.js").Output} output
 * @param {Request} request
 * @param {any} env
 */
function responseOf(output, request, env) {
  const headers = headersIn(output);
  if (output.objects.length > 0) {
    // The runtime packs what says that it is packed.
    if (/\bgzip\b/.test(request.headers.get("accept-encoding") ?? "")) headers.push(["content-encoding", "gzip"]);
    return new Response(streamOf(output.body, output.objects, output.objectsOf, env), { status: output.status, headers });
  }
  const empty = output.status === 204 || output.status === 304;
  return new Response(empty ? null : output.body, { status: output.status, headers });
}

/** Paths whose clients retry 502 but not 503; capture is the other way round. */
const FLAGS_PATH = /\/(flags|decide)\/?$|\/ofrep\/v1\//;

/** An operator's paths, whose answers no page may read: of a project's, those of its flags alone are for pages. */
const OPERATORS_PATH =
  /\/(metrics|mcp|session_recordings|(admin|app|session_recordings|error_tracking)\/.*|api\/(projects|environments)\/[^/]+\/(?!feature_flags(\/|$)).+)\/?$/;

/** Headers of an answer that is not the core's. @param {Request} request */
function ownHeaders(request) {
  const headers = new Headers({ "content-type": "text/plain" });
  const origin = request.headers.get("origin");
  if (origin !== null && !OPERATORS_PATH.test(new URL(request.url).pathname)) {
    headers.set("access-control-allow-origin", origin);
    headers.set("access-control-allow-credentials", "true");
    headers.set("vary", "Origin");
  }
  return headers;
}

/** What a client gets that sends again what trapped the core: an answer its SDK does not retry. */
function refused(request, hasBody) {
  const reason = hasBody
    ? "request is larger than the limit: this body stopped the server and is refused for ten minutes; send its events in smaller requests"
    : "this request stopped the server and is refused for ten minutes";
  return new Response(reason, { status: hasBody ? 413 : 400, headers: ownHeaders(request) });
}

/** What a client gets whose large body does not come on, as from PostHog's capture. @param {Request} request */
function tooSlow(request) {
  return new Response("the request's body came too slowly", { status: 408, headers: ownHeaders(request) });
}

/** What a client gets when the core is lost under it: an answer its SDK retries. */
function unavailable(request) {
  const headers = ownHeaders(request);
  headers.set("retry-after", "1");
  const status = FLAGS_PATH.test(new URL(request.url).pathname) ? 502 : 503;
  return new Response("transient error, please retry", { status, headers });
}

/**
 * @param {Request} request
 * @param {Uint8Array} body
 * @param {string} state of readBody
 * @param {any} env
 * @param {string} [url] another than the request's own
 */
function start(request, body, state, env, url = request.url) {
  if (hasRoomFor(body.byteLength)) return startHttp(body, headOf(request, state, env, url));
  return startHttp(NO_BODY, headOf(request, "busy", env, url));
}

/** What a question of a batch gets when the core is lost under it. */
const LOST = {
  status: 503,
  body: new TextEncoder().encode('{"type":"server_error","code":"transient","detail":"this question was lost: ask again","attr":null}'),
};

/**
 * The answer to a batch: its requests, one by one, to the path of a single one.
 * @param {import("./core.js").Output} output
 * @param {Request} request
 * @param {any} env
 * @param {{waitUntil: (promise: Promise<any>) => void}} ctx
 * @param {string} key of the request, should it trap the core
 */
function batchOf(output, request, env, ctx, key) {
  const url = request.url.replace(/\/batch\/?(\?.*)?$/, "");
  const left = new AbortController();
  const answer = async (body) => {
    try {
      configureFrom(env);
      const started = start(request, new TextEncoder().encode(body), "", env, url);
      const running = runToEnd(started, env, null, () => {}, left.signal);
      ctx.waitUntil(running.catch(() => {}));
      return await running;
    } catch (error) {
      if (error instanceof CoreTrap) remember(key, request.url, Date.now());
      console.error(JSON.stringify({ level: "error", event: "request_failed", message: String(error) }));
      return LOST;
    }
  };
  const lines = linesOf(requestsIn(output.body), answer, () => left.abort(new Error("whoever asked is gone")));
  return new Response(lines, { status: 200, headers: headersIn(output) });
}

export default {
  /** @param {Request} request @param {any} env @param {{waitUntil: (promise: Promise<any>) => void}} ctx */
  async fetch(request, env, ctx) {
    let key = "";
    const place = reading.place();
    try {
      const isLimited = env.CLIENT_RATE_LIMIT !== undefined;
      const over = isLimited ? await overLimit(request, env, () => ownHeaders(request)) : undefined;
      if (over !== undefined) return over;
      const { body, state } = await readBody(request, place);
      if (state === "slow") return tooSlow(request);
      key = keyOf(body, request.url);
      if (isRefused(key, Date.now())) return refused(request, body.byteLength > 0);
      configureFrom(env);
      // An object may run in another isolate, and its trap be no more than a failed call here; but it is
      // this body that brings it about.
      const onTrap = () => remember(key, request.url, Date.now());
      const started = start(request, body, state, env);
      place.end();
      const running = runToEnd(started, env, null, onTrap);
      // A client that goes away must not leave its events half delivered.
      ctx.waitUntil(running.catch(() => {}));
      const output = await running;
      if (output.status === 101) return connect(request, output, env);
      if (output.status === 207) return batchOf(output, request, env, ctx, key);
      if (isLimited) withLimitsMetrics(output, request);
      if (endsInAsset(output) && request.method === "GET")
        return new Response(await streamed(output, env), { status: output.status, headers: headersIn(output) });
      return responseOf(output, request, env);
    } catch (error) {
      if (error instanceof CoreTrap) remember(key, request.url, Date.now());
      console.error(JSON.stringify({ level: "error", event: "request_failed", message: String(error) }));
      return unavailable(request);
    } finally {
      place.end();
    }
  },
};

/** The object's key-value storage; undefined when its class is not SQLite-backed. @param {any} ctx */
function sqliteKv(ctx) {
  try {
    // Of another class storage.kv is there all the same, and throws at its first use; this throws at once.
    if (typeof ctx.storage.sql.databaseSize !== "number") return undefined;
    return ctx.storage.kv;
  } catch {
    return undefined;
  }
}

const NO_SETTING = Promise.resolve();

/** An object: its storage, its alarm and the core's class number. */
class CoreObject extends DurableObject {
  /** @param {any} ctx @param {any} env @param {number} objectClass */
  constructor(ctx, env, objectClass) {
    super(ctx, env);
    this.objectClass = objectClass;
    const kv = sqliteKv(ctx);
    this.isUsable = kv !== undefined;
    /** Settles when the platform has taken the alarm that was set last. @type {Promise<void>} */
    this.setting = NO_SETTING;
    /** @type {import("./core.js").ObjectStorage} */
    this.storage = {
      kv: new RememberingKv(kv),
      alarmAt: 0,
      setAlarm: (atMs) => {
        this.storage.alarmAt = atMs;
        this.setting = atMs === 0 ? ctx.storage.deleteAlarm() : ctx.storage.setAlarm(atMs);
        this.setting.catch((error) => this.alarmRefused(error));
      },
      abandon: (reason) => ctx.abort(reason),
    };
    ctx.blockConcurrencyWhile(async () => {
      this.storage.alarmAt = (await ctx.storage.getAlarm()) ?? 0;
    });
  }

  /**
   * Without its alarm, what the turn has left to be done would wait for ever: the object begins anew from
   * what is stored, and its calls fail. @param {unknown} error
   */
  alarmRefused(error) {
    console.error(JSON.stringify({ level: "error", event: "object_turn_undone", message: String(error) }));
    this.storage.abandon(String(error));
  }

  /**
   * One call; the reply's bytes. Throws when the core could not answer.
   * @param {Uint8Array} request
   * @returns {Uint8Array | Promise<Uint8Array>}
   */
  call(request) {
    // While a deployment is under way, a Worker of another version may call.
    if (!(request instanceof Uint8Array)) throw new TypeError("an object is called with one Uint8Array, its request");
    this.assertUsable();
    configureFrom(this.env);
    /** @type {import("./core.js").ObjectStorage} */
    const own = Object.assign(Object.create(this.storage), { request });
    const started = startObject(1, this.objectClass, request, own);
    if (started.finished && started.effects.length === 0) return this.afterSetting(bodyOf(endAtOnce(started, this.env)));
    own.mark = markOf(request);
    own.request = undefined;
    // An object that this one asked may have trapped elsewhere: whoever called this one has to know.
    let trapped = false;
    return runToEnd(started, this.env, own, () => (trapped = true)).then((output) => {
      if (trapped) throw new Error(trappedBy(own));
      return this.afterSetting(bodyOf(output));
    });
  }

  async alarm() {
    this.assertUsable();
    configureFrom(this.env);
    this.storage.alarmAt = 0;
    await runToEnd(startObject(2, this.objectClass, NO_BODY, this.storage), this.env, this.storage, () => {});
    await this.setting;
  }

  /** The reply, when the platform has taken the alarm that it may rest on. @param {Uint8Array} body */
  afterSetting(body) {
    if (this.setting === NO_SETTING) return body;
    const { setting } = this;
    return setting.then(() => {
      if (this.setting === setting) this.setting = NO_SETTING;
      return body;
    });
  }

  assertUsable() {
    if (this.isUsable) return;
    throw new Error(`${NOT_SQLITE}: make it with new_sqlite_classes`);
  }
}

/** @param {import("./core.js").Output} output an object's reply */
function bodyOf(output) {
  if (output.status !== 200) throw new Error(new TextDecoder().decode(output.body));
  return output.body;
}

export class PersonDurableObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, 0);
  }
}

export class GroupDurableObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, 1);
  }
}

export class PersonIdCounterDurableObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, 2);
  }
}

export class OutboxDurableObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, 3);
  }
}

export class CookielessDurableObject extends CoreObject {
  constructor(ctx, env) {
    super(ctx, env, 4);
  }
}

export { LiveDurableObject } from "./live.js";
