// What an object's storage remembers (js-shim/kv.js), over storage that counts its gets.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RememberingKv } from "../../js-shim/kv.js";

function storage() {
  const values = new Map();
  const kv = {
    gets: 0,
    get(key) {
      kv.gets += 1;
      return values.get(key);
    },
    put: (key, value) => void values.set(key, value),
    delete: (key) => void values.delete(key),
    list: ({ prefix }) => [...values].filter(([key]) => key.startsWith(prefix)),
  };
  return kv;
}

const bytes = (size, fill = 1) => new Uint8Array(size).fill(fill);

describe("an object's storage", () => {
  it("is asked once for a value, and not at all for one it was given", () => {
    const kv = storage();
    kv.put("old", bytes(3));
    const object = new RememberingKv(kv);
    assert.deepEqual(object.get("old"), bytes(3));
    assert.deepEqual(object.get("old"), bytes(3));
    assert.equal(kv.gets, 1);
    object.put("new", bytes(4));
    object.put("new", bytes(5));
    assert.deepEqual(object.get("new"), bytes(5));
    assert.equal(kv.gets, 1);
    assert.deepEqual([...object.list({ prefix: "" })].map(([key]) => key).sort(), ["new", "old"]);
  });

  it("is asked for what is not there, each time", () => {
    const kv = storage();
    const object = new RememberingKv(kv);
    assert.equal(object.get("none"), undefined);
    assert.equal(object.get("none"), undefined);
    assert.equal(kv.gets, 2);
  });

  it("forgets what is deleted", () => {
    const kv = storage();
    const object = new RememberingKv(kv);
    object.put("a", bytes(3));
    object.delete("a");
    assert.equal(object.get("a"), undefined);
  });

  it("remembers nothing of an object's earlier life, nor of another object", () => {
    const kv = storage();
    new RememberingKv(kv).put("a", bytes(3));
    kv.put("a", bytes(4)); // by the same object, in another isolate
    assert.deepEqual(new RememberingKv(kv).get("a"), bytes(4));
    assert.equal(new RememberingKv(storage()).get("a"), undefined);
  });

  it("that did not take a write does not remember it", () => {
    const kv = storage();
    const object = new RememberingKv(kv);
    object.put("a", bytes(3));
    kv.put = () => {
      throw new Error("the storage broke");
    };
    assert.throws(() => object.put("a", bytes(4)), /the storage broke/);
    assert.deepEqual(object.get("a"), bytes(3));
  });

  it("is asked again for large values, and for the oldest when many are known", () => {
    const kv = storage();
    const object = new RememberingKv(kv);
    object.put("small", bytes(10));
    object.put("small", bytes(17 * 1024));
    assert.equal(object.get("small").byteLength, 17 * 1024);
    assert.equal(kv.gets, 1);
    object.put("first", bytes(1000));
    object.put("second", bytes(1000));
    for (let i = 0; i < 450; i += 1) {
      object.put(`filler ${i}`, bytes(10 * 1024));
      object.get("second"); // stays in use
    }
    kv.gets = 0;
    object.get("second");
    assert.equal(kv.gets, 0);
    object.get("first");
    assert.equal(kv.gets, 1);
  });
});
