// Rows for a pipeline's binding, as objects: what of them an isolate holds at once, whatever a client has put into
// them.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PART_VALUES_MAX, partsOf, sendRecords, VALUES_AT_ONCE_MAX } from "../../js-shim/records.js";

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const bytesOf = (rows) => encoder.encode(JSON.stringify(rows));
const partsFor = (rows) =>
  [...partsOf(bytesOf(rows))].map(({ text, values }) => ({ rows: JSON.parse(`[${decoder.decode(text)}]`), values }));

/** Values in a row, all of its members' down to the last. */
const valuesIn = (value) =>
  typeof value === "object" && value !== null ? Object.values(value).reduce((sum, one) => sum + valuesIn(one), 1) : 1;

/** A binding that takes a while, and what it was given. */
function slowBinding({ failsFrom = Number.POSITIVE_INFINITY } = {}) {
  const seen = { rows: [], sends: 0, values: 0, most: 0 };
  const send = async (records) => {
    assert.ok(Array.isArray(records));
    seen.sends += 1;
    const values = valuesIn(records);
    seen.values += values;
    seen.most = Math.max(seen.most, seen.values);
    await sleep(5);
    seen.values -= values;
    if (seen.sends >= failsFrom) throw new Error("the sink fails");
    seen.rows.push(...records);
  };
  return { send, seen };
}

describe("rows for a binding", () => {
  it("few rows are one send, as they are", async () => {
    const rows = [
      { uuid: "1", properties: { a: [1, { b: '\\"]},{' }], "é\u2028😀": null } },
      { uuid: "2", properties: "\\\\" },
    ];
    assert.deepEqual(
      partsFor(rows).map((part) => part.rows),
      [rows],
    );
    const { send, seen } = slowBinding();
    await sendRecords({ send }, bytesOf(rows), 1_000);
    assert.deepEqual([seen.rows, seen.sends], [rows, 1]);
    assert.deepEqual(partsFor([]), []);
  });

  it("many small values are several, each of rows as they came", async () => {
    const texts = ["", '"', "\\", '\\"', "]", "},{", ",", "\\\\\\", "\n"];
    const rows = Array.from({ length: 900 }, (_, i) => ({
      uuid: String(i),
      [texts[i % texts.length]]: texts[(i * 7) % texts.length],
      properties: { list: Array.from({ length: (i * 13) % 1_500 }, () => (i % 2 === 0 ? {} : texts[i % texts.length])) },
    }));
    const parts = partsFor(rows);
    assert.deepEqual(
      parts.flatMap((part) => part.rows),
      rows,
    );
    assert.ok(parts.length > 2, `${parts.length} parts`);
    for (const part of parts) {
      assert.ok(part.values <= PART_VALUES_MAX);
      // What is counted is at least what is there, but for the rows' own commas.
      assert.ok(part.values + part.rows.length >= valuesIn(part.rows) - 1, `${part.values} of ${valuesIn(part.rows)}`);
    }
    const { send, seen } = slowBinding();
    await sendRecords({ send }, bytesOf(rows), 10_000);
    assert.deepEqual([seen.rows, seen.sends], [rows, parts.length]);
  });

  it("a row that has more by itself is one part", () => {
    const large = { uuid: "1", properties: Array(3 * PART_VALUES_MAX).fill(0) };
    assert.deepEqual(
      partsFor([{ uuid: "0" }, large, large, { uuid: "3" }]).map((part) => part.rows.map((row) => row.uuid)),
      [["0"], ["1"], ["1"], ["3"]],
    );
  });

  it("however many send at once, so many values are on their way", async () => {
    const rows = Array.from({ length: 8 }, (_, i) => ({ uuid: String(i), properties: Array(50_000).fill({}) }));
    const { send, seen } = slowBinding();
    await Promise.all(Array.from({ length: 12 }, () => sendRecords({ send }, bytesOf(rows), 60_000)));
    assert.equal(seen.rows.length, 96);
    // Several parts, each of which counts its objects and their commas.
    assert.ok(seen.most > (PART_VALUES_MAX * 3) / 4 && seen.most <= VALUES_AT_ONCE_MAX, `${seen.most} at once`);
  });

  it("a failed part fails the send, and its room is given back", async () => {
    const rows = Array.from({ length: 8 }, (_, i) => ({ uuid: String(i), properties: Array(90_000).fill(0) }));
    const { send, seen } = slowBinding({ failsFrom: 3 });
    for (let i = 0; i < 6; i += 1) await assert.rejects(sendRecords({ send }, bytesOf(rows), 10_000), /the sink fails/);
    assert.equal(seen.sends, 3 + 5);
    const never = { send: () => new Promise(() => {}) };
    await assert.rejects(sendRecords(never, bytesOf(rows), 50), /no answer within/);
    for (const broken of ["[{]", "[{},", "[1]", "", '[{"a":"]']) {
      await assert.rejects(
        sendRecords({ send: async () => {} }, encoder.encode(broken), 1_000),
        (error) => error instanceof SyntaxError,
        broken,
      );
    }
    const after = slowBinding();
    await sendRecords(after, bytesOf(rows), 10_000);
    assert.equal(after.seen.rows.length, 8);
  });
});
