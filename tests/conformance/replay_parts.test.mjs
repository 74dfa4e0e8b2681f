// Parts of a recording that somebody made to harm whoever plays it: what can be played is, the rest is counted.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { eventsOf, PART_BYTES_MAX } from "../../replay/recording.mjs";

const packed = (value) => gzipSync(JSON.stringify(value)).toString("latin1");
const snapshot = (data, timestamp) => ({ type: 2, timestamp, cv: "2024-10", data: packed(data) });

describe("events that unpack large", () => {
  it("are played up to a bound of all of a part together", () => {
    const large = snapshot({ text: "x".repeat(PART_BYTES_MAX / 3) }, 1);
    const items = [snapshot({ n: 0 }, 0), ...Array.from({ length: 5 }, () => large), snapshot({ n: 1 }, 2)];
    const { windows, unreadable } = eventsOf({ window_id: "w", items });
    const events = windows.get("w");
    assert.equal(unreadable, 3);
    assert.deepEqual([events[0].data, events.at(-1).data], [{ n: 0 }, { n: 1 }]);
  });

  it("and all of a mutation's parts count", () => {
    const text = packed("x".repeat(PART_BYTES_MAX / 3));
    const mutation = {
      type: 3,
      timestamp: 1,
      cv: "2024-10",
      data: { source: 0, texts: text, attributes: text, removes: text, adds: text },
    };
    assert.equal(eventsOf({ window_id: "w", items: [mutation] }).unreadable, 1);
  });
});

describe("events that the player would stumble over", () => {
  it("are left out, and the others of their part played", () => {
    const meta = { type: 4, timestamp: 1, data: { href: "https://shop.example/", width: 800, height: 600 } };
    const strange = [
      { type: 4, timestamp: 1 },
      { type: 4, timestamp: 1, data: { href: "https://shop.example/" } },
      { type: 2, timestamp: 1, data: null },
      { type: 3, timestamp: 1, data: "text" },
      { type: 3, timestamp: "1", data: {} },
      null,
      5,
    ];
    const { windows, unreadable } = eventsOf({ window_id: "w", items: [{ type: 0, timestamp: 0 }, ...strange, meta] });
    assert.equal(unreadable, strange.length);
    assert.deepEqual(
      windows.get("w").map((event) => event.type),
      [0, 4],
    );
  });
});
