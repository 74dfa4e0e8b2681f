// What js-shim holds of a value of the flags namespace before the core has looked at it.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { READING_BYTES_MAX, readKv } from "../../js-shim/kv_reads.js";

const PART = 64 * 1024;
const BYTES_MAX = 4 << 20;
const read = (namespace) => readKv(namespace, { name: "flags", b: BYTES_MAX });

/** A namespace whose every value has so many bytes, and how many of them were asked for. */
function namespaceOf(size) {
  const asked = { bytes: 0, opened: 0, open: 0 };
  const get = async (_name, type) => {
    assert.equal(type, "stream");
    asked.opened += 1;
    let left = size;
    const pull = async (controller) => {
      await sleep(0);
      const bytes = Math.min(PART, left);
      left -= bytes;
      asked.bytes += bytes;
      if (bytes > 0) controller.enqueue(new Uint8Array(bytes).fill(32));
      if (left === 0) controller.close();
    };
    return new ReadableStream({ pull }, { highWaterMark: 0 });
  };
  return { get, asked };
}

describe("a value of the flags namespace", () => {
  it("is read whole up to its bound", async () => {
    for (const size of [0, 1, PART, BYTES_MAX]) {
      const { ok, status, body } = await read(namespaceOf(size));
      assert.deepEqual([ok, status, body.byteLength], [true, 200, size]);
    }
    const missing = await read({ get: async () => null });
    assert.deepEqual([missing.ok, missing.status, missing.body.byteLength], [true, 404, 0]);
  });

  it("over it is refused, and the rest of it is not asked for", async () => {
    for (const size of [BYTES_MAX + 1, 25 << 20]) {
      const namespace = namespaceOf(size);
      const { ok, status, body } = await read(namespace);
      assert.deepEqual([ok, status], [false, 413]);
      assert.ok(body.byteLength < 100);
      assert.ok(namespace.asked.bytes <= BYTES_MAX + PART, `${namespace.asked.bytes} of ${size} bytes`);
    }
  });

  it("that is large waits for those before it, and a small one does not", async () => {
    const large = namespaceOf(BYTES_MAX);
    let done = 0;
    let most = 0;
    const look = setInterval(() => (most = Math.max(most, large.asked.bytes - done * BYTES_MAX)), 0);
    const asked = Array.from({ length: 8 }, async () => {
      const result = await read(large);
      done += 1;
      return result;
    });
    await sleep(10);
    assert.equal((await read(namespaceOf(1000))).body.byteLength, 1000);
    assert.ok(done < 8);
    for (const result of await Promise.all(asked)) assert.equal(result.body.byteLength, BYTES_MAX);
    clearInterval(look);
    // Those that are read, and what the others have read to see that they are large.
    assert.ok(most <= READING_BYTES_MAX + 8 * 320 * 1024, `${most} bytes at once`);
  });

  it("that does not come on gives its room back", async () => {
    const stuck = { get: async () => new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(300 * 1024)) }) };
    const waiting = Array.from({ length: 4 }, () => read(stuck).catch((error) => error));
    for (const error of await Promise.all(waiting)) assert.match(String(error), /no answer within/);
    assert.equal((await read(namespaceOf(BYTES_MAX))).ok, true);
  });
});
