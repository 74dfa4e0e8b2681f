// Reads values of the flags namespace. One may have 25 MiB, and before the core knows its document every
// request in flight asks for it: no more is held than the core can take, and large ones one after the other.
import { KV_TIMEOUT_MS, readUpTo, withTimeout } from "./results.js";
import { Room } from "./room.js";

/** Values from which on there is to be room for all that one may have. */
const LARGE_FROM = 256 * 1024;
/** Bytes of large values that may be on their way at once. */
export const READING_BYTES_MAX = 16 * 1024 * 1024;
/** How often a large value looks for its room: what another request waits for wakes nobody here. */
const LOOK_MS = 20;

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0);
const reading = new Room(READING_BYTES_MAX);

/**
 * @param {any} namespace
 * @param {{name: string, b: number}} effect the key, and how many bytes its value may have
 * @returns {Promise<import("./results.js").Result>}
 */
export async function readKv(namespace, { name, b: bytesMax }) {
  const value = new Reading(bytesMax);
  try {
    return await withTimeout(value.read(namespace, name), KV_TIMEOUT_MS);
  } finally {
    value.end();
  }
}

/** A value on its way. */
class Reading {
  place = reading.place();
  isOver = false;
  /** @type {ReadableStreamDefaultReader<Uint8Array> | null} */
  reader = null;

  /** @param {number} bytesMax */
  constructor(bytesMax) {
    this.bytesMax = bytesMax;
  }

  /** @param {any} namespace @param {string} name @returns {Promise<import("./results.js").Result>} */
  async read(namespace, name) {
    const stream = await namespace.get(name, "stream");
    if (stream === null) return { ok: true, status: 404, retryAfterMs: 0, body: NOTHING };
    const reader = stream.getReader();
    this.reader = reader;
    const { bytes, isWhole } = await readUpTo(this.parts(reader), this.bytesMax);
    if (isWhole) return { ok: true, status: 200, retryAfterMs: 0, body: bytes, stored: true };
    return { ok: false, status: 413, retryAfterMs: 0, body: encoder.encode(`it has more than ${this.bytesMax} bytes`) };
  }

  /**
   * The next parts of a large value are asked for when there is room.
   * @param {ReadableStreamDefaultReader<Uint8Array>} reader
   */
  async *parts(reader) {
    let size = 0;
    while (!this.isOver) {
      const { done, value } = await reader.read();
      if (done) return;
      size += value.byteLength;
      yield value;
      while (size >= LARGE_FROM && this.place.amount === 0 && !this.isOver) await this.takeRoom();
    }
  }

  async takeRoom() {
    if (reading.has(this.bytesMax)) this.place.hold(this.bytesMax, KV_TIMEOUT_MS);
    else await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  /** Nobody waits for it any more. */
  end() {
    this.isOver = true;
    this.place.end();
    this.reader?.cancel().catch(() => {});
  }
}
