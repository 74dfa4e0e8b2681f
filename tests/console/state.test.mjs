// The address codec: what is written is read again, what is no part of it is kept and told.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { build } from "esbuild";

let state;
before(async () => {
  const { outputFiles } = await build({ entryPoints: ["console/src/lib/state.ts"], bundle: true, format: "esm", write: false });
  state = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
});

const read = (address) => {
  const url = new URL(address, "http://x");
  return state.parseAddress(url.pathname, url.search, "/app");
};

describe("addresses", () => {
  for (const address of [
    "/app/1/home",
    "/app/1/web?from=-30d&cmp=prev&f=e.$browser~is~Safari",
    "/app/7/insights/sign-ups?from=-1d/d&to=-1d/d&q=1.q1YqSy&sel=pt:2026-11-12:0",
    "/app/1/errors?f=p.plan~in&future=1",
    "/app/1/web?f=p.plan~is~pro|team&f=e.price~gt~5&f=e.ref~unset",
    "/app/1/sessions/0192-ab?t=83",
  ]) {
    it(`${address} is itself again`, () => assert.equal(state.formatAddress(read(address), "/app"), address));
  }

  it("values with the codec's own signs, with spaces, quotes and letters of any script come back", () => {
    for (const value of ["a~b|c%d", "50 % & more=1?#", "Zoë \"x\" 'y'", "", "日本|~", "%7C", "a+b"]) {
      const route = { ...state.emptyRoute(), team: 1, page: "web", f: [{ scope: "p", key: "k~|%", op: "is", values: [value, "second"] }] };
      assert.deepEqual(read(state.formatAddress(route, "/app")).f, route.f);
    }
  });

  it("a distinct id with slashes is one id", () => {
    const route = { ...state.emptyRoute(), team: 1, page: "people", id: "a/b?c#d %2F" };
    assert.equal(read(state.formatAddress(route, "/app")).id, route.id);
  });

  it("what is not understood is kept, not lost", () => {
    assert.deepEqual(read("/app/1/web?foo=1&f=nonsense").unknown, [
      ["foo", "1"],
      ["f", "nonsense"],
    ]);
    assert.equal(read("/app/%E0%A4%A/x").page, "%E0%A4%A");
  });

  for (const near of ["x.k~is~a", "e.~is~a", "e.k~is", "e.k~set~a", "e.k~wat~a", "ek~is~a", ""]) {
    it(`"${near}" is no filter`, () => assert.equal(state.parseFilter(near), null));
  }
});

describe("ranges", () => {
  for (const [from, to, expected] of [
    ["-7d", "", { date_from: "-7d" }],
    ["-1d/d", "-1d/d", { date_from: "-1dStart", date_to: "-1dEnd" }],
    ["0m/m", "", { date_from: "mStart" }],
    ["2026-11-01", "2026-11-14", { date_from: "2026-11-01", date_to: "2026-11-14" }],
    ["all", "", { date_from: "all" }],
  ]) {
    it(`${from} to ${to || "now"}`, () => assert.deepEqual(state.dateRange({ from, to }), expected));
  }

  for (const [from, to, by, expected] of [
    ["-7d", "", -1, { from: "-14d", to: "-7d" }],
    ["-14d", "-7d", 1, { from: "-7d", to: "" }],
    ["2026-11-01", "2026-11-07", -1, { from: "2026-10-25", to: "2026-10-31" }],
    ["-1d/d", "-1d/d", -1, { from: "-2d/d", to: "-2d/d" }],
    ["all", "", -1, null],
  ]) {
    it(`${from}…${to} one ${by < 0 ? "back" : "on"}`, () => assert.deepEqual(state.stepRange({ from, to }, by), expected));
  }

  it("intervals fit the range unless chosen", () => {
    const of = (from, to = "", i = "") => state.intervalOf({ from, to, i });
    assert.deepEqual(
      [of("-24h"), of("0d/d"), of("-7d"), of("-90d"), of("0y/y"), of("all"), of("-7d", "", "week")],
      ["hour", "hour", "day", "day", "week", "month", "week"],
    );
  });
});
