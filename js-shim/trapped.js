// Requests that trapped the core: refused for a while, so that a client's retries do not reset it, and
// everything in flight with it, again and again.

/** How long a body that trapped is refused. */
const REFUSED_MS = 600_000;
/** Bodies remembered; the oldest go first. */
const REMEMBERED_MAX = 64;

/** When each trapped, by key. @type {Map<string, number>} */
const trapped = new Map();

/** Per isolate, so that nobody can choose a body with another one's hash. @type {Uint32Array | null} */
let seed = null;

/**
 * 64 bits of hash in two lanes over the body's words; a fraction of what decoding it costs.
 * @param {Uint8Array} body
 * @param {Uint32Array} from
 */
function hashOf(body, from) {
  let a = from[0] ^ body.byteLength;
  let b = from[1];
  const wordCount = body.byteLength >>> 2;
  const words = body.byteOffset % 4 === 0 ? new Uint32Array(body.buffer, body.byteOffset, wordCount) : NO_WORDS;
  for (let i = 0; i < words.length; i += 1) {
    a = Math.imul(a ^ words[i], 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul(b + words[i], 0x85ebca77) ^ a;
  }
  for (let i = words.length * 4; i < body.byteLength; i += 1) {
    a = Math.imul(a ^ body[i], 0x9e3779b1);
    a ^= a >>> 15;
    b = Math.imul(b + body[i], 0x85ebca77) ^ a;
  }
  return `${a >>> 0}.${b >>> 0}.${body.byteLength}`;
}

const encoder = new TextEncoder();
const NO_WORDS = new Uint32Array(0);
/** Parts of a query that differ from one try of a request to the next. */
const OF_THE_TRY = ["_", "retry_count", "sent_at"];

/**
 * What a request is known by: its body, or without one its path and query.
 * @param {Uint8Array} body before it is given away
 * @param {string} url
 */
export function keyOf(body, url) {
  if (body.byteLength > 0) return hashOf(body, ownSeed());
  if (trapped.size === 0) return "";
  return urlKey(url);
}

/** Random, so that nobody can choose what collides in this isolate. */
function ownSeed() {
  seed ??= crypto.getRandomValues(new Uint32Array(2));
  return seed;
}

const EVERY_ISOLATES = new Uint32Array(2);

/**
 * What an object and whoever calls it, perhaps in another isolate, know one call by.
 * @param {Uint8Array} request
 */
export function markOf(request) {
  return hashOf(request, EVERY_ISOLATES);
}

/** @param {string} url */
function urlKey(url) {
  const { pathname, searchParams } = new URL(url);
  for (const name of OF_THE_TRY) searchParams.delete(name);
  // Hashed too: a query may be as long as the platform takes it.
  return hashOf(encoder.encode(`${pathname}?${searchParams}`), ownSeed());
}

/** @param {string} key of keyOf @param {string} url @param {number} now */
export function remember(key, url, now) {
  const known = key === "" ? urlKey(url) : key;
  trapped.delete(known);
  trapped.set(known, now);
  if (trapped.size > REMEMBERED_MAX) trapped.delete(/** @type {string} */ (trapped.keys().next().value));
}

/** @param {string} key of keyOf @param {number} now @returns {boolean} */
export function isRefused(key, now) {
  const at = trapped.size === 0 ? undefined : trapped.get(key);
  if (at === undefined) return false;
  // A clock that was set back must not refuse it for longer.
  if (Math.abs(now - at) < REFUSED_MS) return true;
  trapped.delete(key);
  return false;
}
