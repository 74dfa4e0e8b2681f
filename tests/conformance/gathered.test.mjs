// A body's bytes as they come (js-shim/gathered.js): what is kept goes by the bytes, in however small parts.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Gathered, roomAfter } from "../../js-shim/gathered.js";

/** What a reader gives that was offered `room` bytes and had these. */
function partOf(bytes, room) {
  const block = new Uint8Array(room);
  block.set(bytes);
  return block.subarray(0, bytes.length);
}

/** Memory behind the blocks, each counted once. */
const keptBytes = (gathered) =>
  [...new Set(gathered.blocks.map((block) => block.buffer))].reduce((sum, { byteLength }) => sum + byteLength, 0);

describe("a body as it comes", () => {
  for (const partSize of [1, 100, 4_095, 4_096, 65_536]) {
    it(`keeps less than twice its bytes in parts of ${partSize}`, () => {
      const body = Uint8Array.from({ length: 300_001 }, (_, i) => i % 251);
      const gathered = new Gathered();
      for (let at = 0, parts = 0; at < body.length; parts += 1) {
        const room = roomAfter(at);
        const taken = body.subarray(at, at + Math.min(partSize, room));
        gathered.add(partOf(taken, room));
        at += taken.length;
        if (parts % 1_000 > 1) continue;
        assert.ok(keptBytes(gathered) < 2 * at + 4_097, `${keptBytes(gathered)} of ${at}`);
      }
      assert.equal(gathered.size, body.length);
      assert.deepEqual(gathered.take(), body);
      assert.equal(keptBytes(gathered), 0);
    });
  }

  it("makes little room for a body that has not come, and more for one that does", () => {
    assert.deepEqual([0, 1, 10_000, 1_000_000].map(roomAfter), [4_096, 4_096, 10_000, 65_536]);
    assert.deepEqual(new Gathered().take(), new Uint8Array(0));
  });
});
