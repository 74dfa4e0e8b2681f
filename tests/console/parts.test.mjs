// Many are asked about in parts, and in smaller ones where the Worker calls a part too much work.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import { build } from "esbuild";

let inParts;
before(async () => {
  const { outputFiles } = await build({ entryPoints: ["console/src/lib/parts.ts"], bundle: true, format: "esm", write: false });
  ({ inParts } = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`));
});

const everybody = Array.from({ length: 450 }, (_, i) => i);
const refusal = (code) => Object.assign(new Error(code), { code });

/** Asks a Worker that takes so many at once: sizes of the parts that were sent, and who was counted. */
async function ask(takes, { least = 10, code = "too_much_work" } = {}) {
  const sizes = [];
  const counted = [];
  const answer = async (part) => {
    sizes.push(part.length);
    if (part.length > takes) throw refusal(code);
    return part;
  };
  const fault = await inParts(everybody, [least, 200], answer, (part) => counted.push(...part)).then(
    () => undefined,
    (thrown) => thrown,
  );
  return { sizes, counted, fault };
}

test("everybody is asked about once", async () => {
  assert.deepEqual(await ask(200), { sizes: [200, 200, 50], counted: everybody, fault: undefined });
});

test("a part that is too much work is halved, and the next are as small", async () => {
  assert.deepEqual(await ask(110), { sizes: [200, 100, 100, 100, 100, 50], counted: everybody, fault: undefined });
  assert.deepEqual((await ask(30)).sizes.slice(0, 4), [200, 100, 50, 25]);
  assert.deepEqual((await ask(30)).counted, everybody);
});

test("what is too much in small parts, and any other refusal, is the answer", async () => {
  const small = await ask(5);
  assert.deepEqual([small.sizes, small.counted, small.fault.code], [[200, 100, 50, 25, 12, 10], [], "too_much_work"]);
  const other = await ask(100, { code: "bad_request" });
  assert.deepEqual([other.sizes, other.fault.code], [[200], "bad_request"]);
});
