// The wasm core in this isolate: instantiation, calls, recovery from a trap.
import module from "../build/wasm/core.wasm";
import * as zlib from "node:zlib";
import { EFFECT, OUTCOME, OUTPUT } from "./abi.js";
import { TRAPPED } from "./results.js";
import { markOf } from "./trapped.js";
import { offsetAt } from "./zones.js";

/**
 * @typedef {object} Output one turn's outcome, copied out of wasm memory
 * @property {number} slot
 * @property {boolean} finished
 * @property {Effect[]} effects
 * @property {number} status
 * @property {string[]} headers name, value, name, value …
 * @property {Uint8Array} body
 * @property {string} points JSON for Analytics Engine, "" when none are due
 * @property {string[]} objects keys of a bucket whose objects follow the body
 * @property {number} objectsOf the bucket
 * @property {import("./assets.js").Asset} [asset] what the task has read of the assets
 *
 * @typedef {object} Effect
 * @property {number} id
 * @property {number} kind
 * @property {number} a
 * @property {number} b
 * @property {number} c
 * @property {string} name
 * @property {Uint8Array} bytes
 *
 * @typedef {object} ObjectStorage what an object's turn may touch
 * @property {any} kv ctx.storage.kv
 * @property {number} alarmAt milliseconds, 0 when none is set
 * @property {(atMs: number) => void} setAlarm
 * @property {(reason: string) => void} abandon ends the object and what its turn has written so far
 * @property {Uint8Array} [request] of the call whose turn it is, while its first turn runs
 * @property {string} [mark] of that call, afterwards
 */

/** A trap, a call that belonged to an instance which has been reset since, or to a task that is gone. */
export class CoreReset extends Error {}

/** The trap itself, as its cause sees it; the other tasks in flight see a CoreReset. */
export class CoreTrap extends CoreReset {}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** @type {ObjectStorage | null} */
let storage = null;
/** What the host's storage refused in the turn at hand: too large a value, or trouble of its own. */
let refusal = null;
let hasWritten = false;
/** @type {Uint8Array} a result on its way into the core */
let kept = new Uint8Array(0);
let generation = 0;
let trapCount = 0;
/** What the failed assertion said, until the trap it announces has been dealt with. */
let panicMessage = "";
/** @type {{at: string, message: string} | null} */
let lastTrap = null;
let configured = false;
/** Documents of flags that trapped the core while they were taken, by their SHA-1. @type {Set<string>} */
const refusedFlags = new Set();
const REFUSED_FLAGS_MAX = 16;
/** The document of the flags namespace that was taken last. @type {Uint8Array} */
let formerFlags = new Uint8Array(0);

/** Views of the whole memory; growing it detaches them. */
let bytesView = new Uint8Array(0);
let wordsView = new Uint32Array(0);

const instance = new WebAssembly.Instance(module, {
  host: {
    storage_get(key, keySize) {
      const value = stored((own) => own.kv.get(text(key, keySize)));
      if (value === undefined) return -1;
      // The core writes bytes only; anything else is nothing it could read.
      return keep(value instanceof Uint8Array ? value : NOTHING);
    },
    take(destination) {
      bytes().set(kept, destination);
      kept = new Uint8Array(0);
    },
    storage_put(key, keySize, value, valueSize) {
      changes((own) => own.kv.put(text(key, keySize), bytes().slice(value, value + valueSize)));
    },
    storage_delete(key, keySize) {
      changes((own) => own.kv.delete(text(key, keySize)));
    },
    storage_list(prefix, prefixSize, after, afterSize, limit) {
      const options = { prefix: text(prefix, prefixSize), limit };
      if (afterSize > 0) options.startAfter = text(after, afterSize);
      let joined = "";
      stored((own) => {
        for (const [key] of own.kv.list(options)) joined += key + "\0";
      });
      return keep(encoder.encode(joined));
    },
    storage_set_alarm(atMs) {
      changes((own) => own.setAlarm(atMs));
    },
    storage_alarm() {
      return objectStorage().alarmAt;
    },
    decompress(format, input, inputSize, sizeMax) {
      return decompress(format, bytes().subarray(input, input + inputSize), sizeMax);
    },
    zone_offset(name, nameSize, utcSeconds) {
      return offsetAt(text(name, nameSize), utcSeconds);
    },
    panic(condition, conditionSize, file, fileSize, line) {
      panicMessage = `assertion failed: ${text(condition, conditionSize)} (${text(file, fileSize)}:${line})`;
    },
  },
});
const wasm = /** @type {any} */ (instance.exports);
wasm._initialize();
// Taken before any request: writing it back makes statics and allocator as new.
const initialMemory = new Uint8Array(wasm.memory.buffer).slice();
const initialStack = wasm.stackSave();

function bytes() {
  if (bytesView.length === 0) bytesView = new Uint8Array(wasm.memory.buffer);
  return bytesView;
}

function words() {
  if (wordsView.length === 0) wordsView = new Uint32Array(wasm.memory.buffer);
  return wordsView;
}

function text(at, size) {
  return decoder.decode(bytes().subarray(at, at + size));
}

function keep(value) {
  kept = value;
  return value.byteLength;
}

function objectStorage() {
  if (storage === null) throw new Error("storage is only there in an object's turn");
  return storage;
}

/**
 * Asks the object's storage. What it refuses is that object's trouble, not the core's: the turn goes on
 * to its end and is undone (guardedWithStorage).
 * @template T
 * @param {(storage: ObjectStorage) => T} ask
 * @returns {T | undefined}
 */
function stored(ask) {
  const own = objectStorage();
  try {
    return ask(own);
  } catch (error) {
    refusal ??= error;
    return undefined;
  }
}

/** @param {(storage: ObjectStorage) => void} change */
function changes(change) {
  hasWritten = true;
  stored(change);
}

/** By format number; gzip and deflate are the core's own. */
const DECOMPRESSORS = { 3: zlib.brotliDecompressSync, 4: zlib.zstdDecompressSync };
/** A frame of a few bytes may ask for a window of 128 MB, and gets it at once; as a content coding it may have
 * 8 MiB (RFC 9659 §3). Brotli's is 16 MiB at most. */
const WINDOW = { [zlib.constants.ZSTD_d_windowLogMax]: 23 };

function decompress(format, input, sizeMax) {
  const options = format === 4 ? { maxOutputLength: sizeMax, params: WINDOW } : { maxOutputLength: sizeMax };
  try {
    return keep(DECOMPRESSORS[format](input, options));
  } catch (error) {
    return error instanceof RangeError ? -2 : -1;
  }
}

/** Classes whose storage cannot hold what the core stores. @type {Set<string>} */
const withoutSqlite = new Set();

/**
 * An object's class turned out not to be SQLite-backed. Nothing can be kept then, so the core begins anew
 * with that as a fatal problem of its configuration; the tasks in flight are answered as after a trap.
 * @param {string} binding
 */
export function refuseClass(binding) {
  if (withoutSqlite.has(binding)) return;
  withoutSqlite.add(binding);
  console.error(JSON.stringify({ level: "error", event: "storage_not_sqlite", binding }));
  reset();
}

/** Writes the state after initialisation back; every task in flight is gone. */
function reset() {
  generation += 1;
  configured = false;
  bytes().set(initialMemory);
  wasm.stackRestore(initialStack);
}

/** @returns {{sets: number, document: string}} sets taken so far, and the document that is being taken */
function flagsTaking() {
  const at = wasm.hf_flags_taking();
  return { sets: words()[at / 4], document: text(at + 4, 40) };
}

/** @returns {boolean} whether a document of flags was being taken when the core trapped, which is refused then */
function refuseFlags() {
  const { document } = flagsTaking();
  if (!/^[0-9a-f]{40}$/.test(document)) return false;
  if (refusedFlags.size >= REFUSED_FLAGS_MAX) refusedFlags.clear();
  refusedFlags.add(document);
  return true;
}

/**
 * Where a trap happened, innermost first; undefined unless the module has names (preset wasm-debug).
 * @param {unknown} error
 */
function namedFunctions(error) {
  const frames = error instanceof Error ? String(error.stack).matchAll(/^\s*at (\S.*) \(wasm:\/\//gm) : [];
  const names = Array.from(frames, ([, name]) => name);
  return names.length === 0 ? undefined : names;
}

/**
 * Runs one entry of the core; a trap resets the instance.
 * @template T
 * @param {() => T} entry
 * @returns {T}
 */
function guarded(entry) {
  try {
    return entry();
  } catch (error) {
    const message = panicMessage === "" ? String(error) : panicMessage;
    panicMessage = "";
    lastTrap = { at: new Date().toISOString(), message };
    const functions = namedFunctions(error);
    console.error(
      JSON.stringify({ level: "error", event: "core_trap", message, trapCount: trapCount + 1, memoryBytes: memoryBytes(), functions }),
    );
    trapCount += 1;
    const isFlags = refuseFlags();
    reset();
    // Whoever asked while a document was due is not at fault.
    throw isFlags ? new CoreReset(TRAPPED) : new CoreTrap(TRAPPED);
  }
}

/** @returns {number} what the instance holds; it never shrinks */
export function memoryBytes() {
  return wasm.memory.buffer.byteLength;
}

/** The reason of an object's end that names the call. @param {ObjectStorage} ownStorage */
export function trappedBy({ request, mark }) {
  const known = mark ?? (request === undefined ? "an alarm" : markOf(request));
  return `${TRAPPED} by ${known}`;
}

/** An object's turn that was undone; the core is well. */
class TurnUndone extends Error {}

/**
 * Runs one entry of the core for an object. A turn's writes stand or fall together: after a trap, when
 * the storage has refused something, or when the core says after it has written that the call failed,
 * the object is ended before they commit, as if its machine had died, and starts from what is stored.
 * @param {ObjectStorage} ownStorage
 * @param {() => Output | null} entry
 * @returns {Output | null} null: the task is gone
 */
function guardedWithStorage(ownStorage, entry) {
  storage = ownStorage;
  refusal = null;
  hasWritten = false;
  try {
    const output = guarded(entry);
    const hasFailed = output?.finished && output.status >= 500 && hasWritten;
    if (refusal === null && !hasFailed) return output;
    const reason = refusal === null ? decoder.decode(output?.body) : String(refusal);
    console.error(JSON.stringify({ level: "error", event: "object_turn_undone", message: reason }));
    if (output !== null) end(output.slot);
    throw new TurnUndone(reason);
  } catch (error) {
    // First: nothing behind `abandon` need be reached.
    storage = null;
    ownStorage.abandon(error instanceof CoreTrap ? trappedBy(ownStorage) : String(error));
    throw error;
  } finally {
    storage = null;
  }
}

/** @returns {number} changes whenever the instance was reset */
export function currentGeneration() {
  return generation;
}

/**
 * Writes an entry's input: `body`, then `tail` as UTF-8, then random bytes for the entropy if wanted.
 * @param {Uint8Array} body
 * @param {string} tail
 * @param {number} seedSize
 * @returns {number} bytes of the tail
 */
function writeInput(body, tail, seedSize) {
  const tailBytes = encodeTail(tail);
  const size = body.byteLength + tailBytes.byteLength;
  const at = wasm.hf_input(size + seedSize);
  const memory = bytes();
  memory.set(body, at);
  memory.set(tailBytes, at + body.byteLength);
  if (seedSize > 0) memory.set(nextSeed(seedSize), at + size);
  return tailBytes.byteLength;
}

const SEED_SIZE = 32;
// Random bytes are drawn for many entries at once: a draw costs as much as the entry's own work.
const seeds = new Uint8Array(128 * SEED_SIZE);
let seedAt = seeds.byteLength;

/** @param {number} size @returns {Uint8Array} bytes that no other entry gets */
function nextSeed(size) {
  if (seedAt + size > seeds.byteLength) {
    crypto.getRandomValues(seeds);
    seedAt = 0;
  }
  seedAt += size;
  return seeds.subarray(seedAt - size, seedAt);
}

const NOTHING = new Uint8Array(0);
/** Bytes from which a buffer is freed at once instead of by the next garbage collection. */
const RELEASE_FROM = 256 * 1024;

/** @param {Uint8Array} bytes of no more use */
function release(bytes) {
  if (bytes.byteLength >= RELEASE_FROM) /** @type {ArrayBuffer} */ (bytes.buffer).transfer(0);
}

let scratch = new Uint8Array(8192);

/** @param {string} tail @returns {Uint8Array} valid until the next call */
function encodeTail(tail) {
  if (tail === "") return NOTHING;
  // UTF-8 takes at most three bytes for a UTF-16 unit.
  if (scratch.byteLength < 3 * tail.length) scratch = new Uint8Array(3 * tail.length);
  return scratch.subarray(0, encoder.encodeInto(tail, scratch).written);
}

/**
 * Gives the core its configuration, once per instance.
 * @param {object} host what config.h describes; the last trap and unusable classes are added
 */
export function configure(host) {
  guarded(() => {
    const own = { last_trap: lastTrap, not_sqlite: [...withoutSqlite] };
    const flags = refusedFlags.size === 0 ? {} : { refused_flags: [...refusedFlags], former_flags: decoder.decode(formerFlags) };
    writeInput(NOTHING, JSON.stringify({ ...host, ...own, ...flags }), 0);
    wasm.hf_configure(trapCount);
  });
  configured = true;
}

export function isConfigured() {
  return configured;
}

/** Bodies from which on it is asked whether there is room. */
export const ASK_FROM = 256 * 1024;

/** @param {number} size @returns {boolean} whether a body of that size may be brought into the module now */
export function hasRoomFor(size) {
  return size < ASK_FROM || guarded(() => wasm.hf_body_bytes_left() >= size);
}

/**
 * Starts a request. The body is given away: its memory is freed before the core needs its own.
 * @param {Uint8Array} body
 * @param {string} head fields of abi.js, each ended by a NUL
 */
export function startHttp(body, head) {
  return guarded(() => {
    const headSize = writeInput(body, head, SEED_SIZE);
    release(body);
    return readOutput(wasm.hf_http(headSize, Date.now()));
  });
}

/**
 * Starts an object's call or alarm.
 * @param {number} entry 1 call, 2 alarm
 * @param {number} objectClass
 * @param {Uint8Array} request
 * @param {ObjectStorage} ownStorage
 */
export function startObject(entry, objectClass, request, ownStorage) {
  const output = guardedWithStorage(ownStorage, () => {
    writeInput(request, "", SEED_SIZE);
    return readOutput(wasm.hf_object(entry, objectClass, Date.now()));
  });
  return /** @type {Output} */ (output); // a task that was just begun is there
}

/**
 * Feeds an effect's result into its task.
 * @param {number} slot
 * @param {number} id the effect's
 * @param {import("./results.js").Result} result
 * @param {ObjectStorage | null} ownStorage
 */
export function resume(slot, id, result, ownStorage) {
  const entry = () => {
    const setsBefore = result.stored ? flagsTaking().sets : 0;
    writeInput(result.body, "", 0);
    const address = wasm.hf_resume(slot, id, outcomeOf(result), result.status, result.retryAfterMs, Date.now());
    if (result.stored && flagsTaking().sets !== setsBefore) formerFlags = result.body;
    return address === 0 ? null : readOutput(address);
  };
  const output = ownStorage === null ? guarded(entry) : guardedWithStorage(ownStorage, entry);
  if (output === null) throw new CoreReset("the task was let go: the clock says it has waited too long");
  return output;
}

/** @param {import("./results.js").Result} result */
function outcomeOf(result) {
  return (result.ok ? OUTCOME.ok : 0) | (result.shared ? OUTCOME.shared : 0);
}

/** Forgets a task. @param {number} slot */
export function end(slot) {
  guarded(() => wasm.hf_end(slot));
}

/**
 * Runs a command of the command-line tools.
 * @param {string} json
 * @returns {string}
 */
export function tool(json) {
  return guarded(() => {
    writeInput(NOTHING, json, 0);
    const place = wasm.hf_tool() / 4;
    return text(words()[place], words()[place + 1]);
  });
}

/** @type {Effect[]} */
const NO_EFFECTS = [];
/** @type {string[]} */
const NO_TEXTS = [];

/** @returns {Uint8Array} */
function copyOf(at, size) {
  return size === 0 ? NOTHING : bytes().slice(at, at + size);
}

/** @param {number} address @returns {Output} */
function readOutput(address) {
  const record = words();
  const at = address / 4;
  if (record[at + OUTPUT.logSize] > 0) writeLog(text(record[at + OUTPUT.log], record[at + OUTPUT.logSize]));
  const headersSize = record[at + OUTPUT.headersSize];
  const pointsSize = record[at + OUTPUT.pointsSize];
  const effectCount = record[at + OUTPUT.effectCount];
  const objectsSize = record[at + OUTPUT.objectsSize];
  return {
    slot: record[at + OUTPUT.slot],
    finished: record[at + OUTPUT.finished] === 1,
    effects: effectCount === 0 ? NO_EFFECTS : readEffects(record[at + OUTPUT.effects], effectCount),
    status: record[at + OUTPUT.status],
    headers: headersSize === 0 ? NO_TEXTS : text(record[at + OUTPUT.headers], headersSize).split("\0"),
    body: copyOf(record[at + OUTPUT.body], record[at + OUTPUT.bodySize]),
    points: pointsSize === 0 ? "" : text(record[at + OUTPUT.points], pointsSize),
    objects:
      objectsSize === 0
        ? NO_TEXTS
        : text(record[at + OUTPUT.objects], objectsSize)
            .split("\0")
            .slice(0, -1),
    objectsOf: record[at + OUTPUT.objectsOf],
  };
}

/** @returns {Effect[]} */
function readEffects(address, count) {
  const record = words();
  const effects = [];
  for (let i = 0, at = address / 4; i < count; i += 1, at += EFFECT.words) {
    const nameSize = record[at + EFFECT.nameSize];
    effects.push({
      id: record[at + EFFECT.id],
      kind: record[at + EFFECT.kind],
      a: record[at + EFFECT.a],
      b: record[at + EFFECT.b],
      c: record[at + EFFECT.c],
      name: nameSize === 0 ? "" : text(record[at + EFFECT.name], nameSize),
      bytes: copyOf(record[at + EFFECT.bytes], record[at + EFFECT.bytesSize]),
    });
  }
  return effects;
}

/** One JSON object a line, its level deciding the console method. @param {string} lines */
function writeLog(lines) {
  for (const line of lines.split("\n")) {
    if (line === "") continue;
    if (line.startsWith('{"level":"error"')) console.error(line);
    else if (line.startsWith('{"level":"warn"')) console.warn(line);
    else console.log(line);
  }
}
