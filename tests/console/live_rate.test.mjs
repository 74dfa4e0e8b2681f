// How much of what arrives the page Live is shown: the object's own rule, at a clock of the test's.
import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { it } from "node:test";

const PLATFORM = `export class DurableObject { constructor(ctx) { this.ctx = ctx; } }
export const waitUntil = () => {};`;
registerHooks({
  resolve: (name, context, next) =>
    name === "cloudflare:workers"
      ? { url: `data:text/javascript,${encodeURIComponent(PLATFORM)}`, shortCircuit: true }
      : next(name, context),
});
Object.assign(globalThis, { WebSocketRequestResponsePair: class {} });
const { LiveDurableObject } = await import("../../js-shim/live.js");

it("of two hundred events a second fifty are shown, and that one of four is", ({ mock }) => {
  mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  const object = new LiveDurableObject({ setWebSocketAutoResponse() {} }, {});
  for (let second = 0; second < 5; second += 1) {
    const frames = [];
    for (let request = 0; request < 4; request += 1) {
      frames.push(...object.framesOf({ events: Array.from({ length: 50 }, (_, n) => ({ n })), seen: 50 }).map((text) => JSON.parse(text)));
      mock.timers.tick(250);
    }
    const shown = frames.reduce((sum, { events }) => sum + events.length, 0);
    assert.equal(shown, 50, `second ${second}`);
    if (second > 0) for (const { rate, sampled } of frames) assert.deepEqual([rate, sampled], [200, 4]);
  }
});

it("of forty a second all are shown, and nothing is said of a sample", ({ mock }) => {
  mock.timers.enable({ apis: ["Date"], now: 1_800_000_000_000 });
  const object = new LiveDurableObject({ setWebSocketAutoResponse() {} }, {});
  for (let second = 0; second < 3; second += 1) {
    for (let i = 0; i < 4; i += 1) {
      const [frame] = object.framesOf({ events: Array.from({ length: 10 }, (_, n) => ({ n })) }).map((text) => JSON.parse(text));
      assert.deepEqual([frame.events.length, frame.sampled], [10, 1]);
      mock.timers.tick(250);
    }
  }
});
