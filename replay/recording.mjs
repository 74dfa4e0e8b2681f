// Parts of recordings, as they lie in the view sessions_replay or in the bucket, turned into events that
// rrweb plays.
//
//   const { windows } = eventsOf({ window_id: "w", items: row.snapshot_data });   // Map: id → events
//
// posthog-js packs the large parts of an event one by one: `cv: "2024-10"` says that `data` (of a full
// snapshot), or `texts`, `attributes`, `removes` and `adds` (of a mutation), hold gzip as Latin-1 text.
import { gunzipSync } from "node:zlib";

/** Unpacked bytes of one part of a recording, all its events together; a page's full snapshot has megabytes, not more. */
export const PART_BYTES_MAX = 64 * 1024 * 1024;

const PACKED = "2024-10";
const MUTATION_PARTS = ["texts", "attributes", "removes", "adds", "styles"];

/** @param {unknown} packed @param {{bytes: number}} left */
function unpackText(packed, left) {
  if (typeof packed !== "string") return packed;
  if (left.bytes <= 0) throw new RangeError("the part unpacks too large");
  const text = gunzipSync(Buffer.from(packed, "latin1"), { maxOutputLength: left.bytes });
  left.bytes -= text.byteLength;
  return JSON.parse(text.toString("utf8"));
}

/** One event with nothing packed in it. @param {any} event @param {{bytes: number}} left what it may have unpacked, less what it had */
function unpackEvent(event, left) {
  if (event?.cv !== PACKED) return event;
  const { cv: _, ...plain } = event;
  if (typeof plain.data === "string") return { ...plain, data: unpackText(plain.data, left) };
  const data = { ...plain.data };
  for (const part of MUTATION_PARTS) {
    if (part in data) data[part] = unpackText(data[part], left);
  }
  return { ...plain, data };
}

/** Whether rrweb's player can take it: it looks at once at what a page and its state say of themselves. @param {any} event */
function isPlayable({ type, timestamp, data }) {
  if (typeof type !== "number" || typeof timestamp !== "number") return false;
  if (type === 4) return typeof data?.width === "number" && typeof data.height === "number";
  return type < 2 || (typeof data === "object" && data !== null);
}

/**
 * The events of one part of a recording by window, as they came. What cannot be read is counted, not
 * thrown: one broken event does not take the recording away.
 * @param {{window_id: string | null, items: string | any[]}} part
 * @returns {{windows: Map<string, any[]>, unreadable: number}}
 */
export function eventsOf(part) {
  /** @type {Map<string, any[]>} */
  const windows = new Map();
  let items = part.items;
  try {
    if (typeof items === "string") items = JSON.parse(items);
  } catch {
    return { windows, unreadable: 1 };
  }
  let unreadable = 0;
  const left = { bytes: PART_BYTES_MAX };
  for (const item of Array.isArray(items) ? items : [items]) {
    try {
      const event = unpackEvent(item, left);
      if (!isPlayable(event)) throw new TypeError("no rrweb event");
      const id = String(item.windowId ?? part.window_id ?? "");
      const events = windows.get(id);
      if (events === undefined) windows.set(id, [event]);
      else events.push(event);
    } catch {
      unreadable += 1;
    }
  }
  return { windows, unreadable };
}
