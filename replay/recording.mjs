// Recordings as they lie in the view sessions_replay, turned into events that rrweb plays.
//
//   const windows = windowsOf(rows);   // [{id, events: [{type, data, timestamp}, …]}, …]
//
// posthog-js packs the large parts of an event one by one: `cv: "2024-10"` says that `data` (of a full
// snapshot), or `texts`, `attributes`, `removes` and `adds` (of a mutation), hold gzip as Latin-1 text.
import { gunzipSync } from "node:zlib";

/** Unpacked bytes of one part of an event; a page's full snapshot has megabytes, not more. */
export const PART_BYTES_MAX = 64 * 1024 * 1024;

const PACKED = "2024-10";
const MUTATION_PARTS = ["texts", "attributes", "removes", "adds", "styles"];

/** @param {unknown} packed */
function unpackText(packed) {
  if (typeof packed !== "string") return packed;
  return JSON.parse(gunzipSync(Buffer.from(packed, "latin1"), { maxOutputLength: PART_BYTES_MAX }).toString("utf8"));
}

/** One event with nothing packed in it. @param {any} event */
export function unpackEvent(event) {
  if (event?.cv !== PACKED) return event;
  const { cv: _, ...plain } = event;
  if (typeof plain.data === "string") return { ...plain, data: unpackText(plain.data) };
  const data = { ...plain.data };
  for (const part of MUTATION_PARTS) {
    if (part in data) data[part] = unpackText(data[part]);
  }
  return { ...plain, data };
}

/**
 * Events of a session by window, in the order of their times. What cannot be read is counted, not
 * thrown: one broken event does not take the recording away.
 * @param {{window_id: string | null, snapshot_data: string | any[] | null}[]} rows
 * @returns {{windows: {id: string, events: any[]}[], unreadable: number, incomplete: number}}
 */
export function windowsOf(rows) {
  /** @type {Map<string, any[]>} */
  const windows = new Map();
  let unreadable = 0;
  let incomplete = 0;
  for (const row of rows) {
    if (row.snapshot_data === null) {
      incomplete += 1;
      continue;
    }
    let items = row.snapshot_data;
    try {
      if (typeof items === "string") items = JSON.parse(items);
    } catch {
      unreadable += 1;
      continue;
    }
    for (const item of Array.isArray(items) ? items : [items]) {
      const id = item?.windowId ?? row.window_id ?? "";
      if (!windows.has(id)) windows.set(id, []);
      try {
        const event = unpackEvent(item);
        if (typeof event?.type !== "number" || typeof event.timestamp !== "number") throw new TypeError("no rrweb event");
        windows.get(id)?.push(event);
      } catch {
        unreadable += 1;
      }
    }
  }
  const list = [...windows].map(([id, events]) => ({ id, events: events.sort((left, right) => left.timestamp - right.timestamp) }));
  list.sort((left, right) => (left.events[0]?.timestamp ?? 0) - (right.events[0]?.timestamp ?? 0));
  return { windows: list.filter((each) => each.events.length > 0), unreadable, incomplete };
}
