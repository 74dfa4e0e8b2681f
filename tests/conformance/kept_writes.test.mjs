// Keeping an answer: a cache that does not take it harms nobody, and its request does not wait for ever.
import assert from "node:assert/strict";
import { after, before, mock, test } from "node:test";
import { writeCache } from "../../js-shim/query.js";

const EFFECT = { name: "2/lake/1/answer", bytes: new Uint8Array([1]), b: 60 };
let put;
before(() => {
  globalThis.caches = { default: { put: (...given) => put(...given) } };
});
after(() => {
  delete globalThis.caches;
});

test("a write is told as done once the cache has it", async () => {
  const kept = [];
  put = async (address, response) => {
    kept.push([address, response.headers.get("cache-control")]);
  };
  assert.equal((await writeCache(EFFECT)).ok, true);
  assert.deepEqual(kept, [["https://answers.hogflare.internal/2/lake/1/answer", "max-age=60"]]);
});

test("a write that fails, at once or later, is told as failed", async () => {
  put = async () => {
    throw new Error("full");
  };
  assert.equal((await writeCache(EFFECT)).ok, false);
});

test("a write that does not end is given up", async () => {
  put = () => new Promise(() => {});
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const written = writeCache(EFFECT);
    mock.timers.tick(1_000);
    assert.equal((await written).ok, false);
  } finally {
    mock.timers.reset();
  }
});
