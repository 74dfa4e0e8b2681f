// What requests hold together, of which some end without a word.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, it, mock } from "node:test";
import { Room } from "../../js-shim/room.js";

describe("room that requests share", () => {
  beforeEach(() => mock.timers.enable({ apis: ["Date"], now: 1_000_000 }));
  afterEach(() => mock.timers.reset());

  it("is what the others leave, and one alone always finds some", () => {
    const room = new Room(100);
    assert.ok(room.has(1_000));
    const first = room.place();
    assert.ok(room.has(1_000));
    first.hold(60, 1_000);
    assert.deepEqual([room.has(40), room.has(41)], [true, false]);
    first.hold(90, 1_000);
    assert.deepEqual([room.held(), room.has(11)], [90, false]);
    const second = room.place();
    second.hold(10, 1_000);
    assert.ok(!room.has(1));
    first.end();
    first.end();
    assert.deepEqual([room.held(), first.amount, room.has(90)], [10, 0, true]);
  });

  it("comes back from who was never heard of again, and from a clock that was ahead", () => {
    const room = new Room(100);
    room.place().hold(100, 1_000);
    assert.ok(!room.has(1));
    mock.timers.setTime(1_001_000);
    assert.ok(!room.has(1));
    mock.timers.setTime(1_001_001);
    assert.deepEqual([room.held(), room.has(100)], [0, true]);
    const soon = room.place();
    soon.hold(100, 1_000);
    // As another request sees it, whose clock has stood for a moment.
    mock.timers.setTime(1_000_500);
    assert.ok(!room.has(1));
    soon.end();
    mock.timers.setTime(40_000_000_000);
    const ahead = room.place();
    ahead.hold(100, 1_000);
    mock.timers.setTime(1_001_002);
    assert.deepEqual([room.held(), room.has(100)], [0, true]);
    ahead.hold(100, 1_000);
    assert.equal(room.held(), 100);
  });
});
