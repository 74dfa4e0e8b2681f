// Rows for a pipeline's binding, which takes objects where an endpoint takes JSON. Objects of small values take
// some twenty times their text, so a text is read in parts of a bounded number of values, and no more of them at
// once than an isolate has memory for.
import { noAnswerWithin, withTimeout } from "./results.js";
import { Room } from "./room.js";

/** Values of a part; a row that has more is a part of its own, and has 320,000 at most (kEventValuesMax). */
export const PART_VALUES_MAX = 200_000;
/** Values of all parts that are on their way at once, if there are several: of some 70 bytes each. */
export const VALUES_AT_ONCE_MAX = 400_000;
/** How often a part looks for its room: what another request waits for wakes nobody here. */
const LOOK_MS = 10;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPEN = [0x5b, 0x7b];
const CLOSE = [0x5d, 0x7d];

const decoder = new TextDecoder();
const onTheirWay = new Room(VALUES_AT_ONCE_MAX);

/**
 * Sends rows part by part. Fails when one of them fails: those before it have landed then, and are sent again with
 * the others.
 * @param {{send: (records: object[]) => Promise<unknown>}} binding
 * @param {Uint8Array} rows a JSON array of objects
 * @param {number} timeoutMs until all have been taken
 */
export async function sendRecords(binding, rows, timeoutMs) {
  const until = Date.now() + timeoutMs;
  const place = onTheirWay.place();
  for (const { text, values } of partsOf(rows)) {
    while (!onTheirWay.has(values)) {
      if (Date.now() >= until) throw noAnswerWithin(timeoutMs);
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    }
    const leftMs = Math.max(1, until - Date.now());
    place.hold(values, leftMs);
    try {
      await withTimeout(binding.send(JSON.parse(`[${decoder.decode(text)}]`)), leftMs);
    } finally {
      place.end();
    }
  }
}

/**
 * The rows, in order, without the array's brackets.
 * @param {Uint8Array} rows @returns {Generator<{text: Uint8Array, values: number}>}
 */
export function* partsOf(rows) {
  const end = rows.lastIndexOf(CLOSE[0]);
  let begin = rows.indexOf(OPEN[0]) + 1;
  // Behind the last row that the part has.
  let kept = begin;
  let keptValues = 0;
  let values = 0;
  let depth = 0;
  for (let at = begin; at < end; at += 1) {
    const byte = rows[at];
    if (byte === QUOTE) {
      at = endOfText(rows, at);
    } else if (OPEN.includes(byte)) {
      depth += 1;
      values += 1;
    } else if (CLOSE.includes(byte)) {
      depth -= 1;
      if (depth > 0) continue;
      if (keptValues > 0 && keptValues + values > PART_VALUES_MAX) {
        yield { text: rows.subarray(begin, kept), values: keptValues };
        begin = rows.indexOf(COMMA, kept) + 1;
        keptValues = 0;
      }
      kept = at + 1;
      keptValues += values;
      values = 0;
    } else if (byte === COMMA) {
      values += 1;
    }
  }
  if (kept !== end) throw new SyntaxError("rows are not a JSON array of objects");
  if (keptValues > 0) yield { text: rows.subarray(begin, kept), values: keptValues };
}

/** @param {Uint8Array} rows @param {number} begin of a quoted text @returns {number} its closing quote */
function endOfText(rows, begin) {
  for (let at = rows.indexOf(QUOTE, begin + 1); at >= 0; at = rows.indexOf(QUOTE, at + 1)) {
    let escapes = 0;
    while (rows[at - 1 - escapes] === BACKSLASH) escapes += 1;
    if (escapes % 2 === 0) return at;
  }
  return rows.byteLength;
}
