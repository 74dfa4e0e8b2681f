// Functions of a minified stack are called what their author called them: real stacks of scripts that a real
// minifier made, run here.
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import vm from "node:vm";
import { build } from "esbuild";

let lib;
before(async () => {
  const { outputFiles } = await build({
    stdin: {
      contents: 'export { sourceName } from "./names.ts"; export { TraceMap } from "@jridgewell/trace-mapping";',
      resolveDir: "console/src/lib",
    },
    bundle: true,
    format: "esm",
    write: false,
  });
  lib = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`);
});

const SOURCE = `
const note = (text: string) => \`\${text.replace(/["'{(]/g, "")} }\`;
function amountOf(cart: any): number {
  const unused = (line: any) => line.price; // a function of the same minified name may stand before
  return [cart].map(unused).length && cart.total.amount;
}
const twice = (cart: any) => amountOf(cart) * 2;
const late = async (cart: any) => { await null; return twice(cart); };
class Till {
  rows = [1];
  pay(cart: any) { return this.rows.map(function perRow() { return twice(cart); }); }
}
function neighbour() { return note("}"); }
globalThis.run = (how: string) => {
  neighbour();
  const till = new Till();
  return how === "late" ? late({}) : till.pay({});
};
`;

/** The frames of what a minified script throws: the name in the stack, and what it is called in the source. */
async function namesOf(how, { withNames = true, source = SOURCE } = {}) {
  const { outputFiles } = await build({
    stdin: { contents: source, loader: "ts", sourcefile: "shop.ts" },
    bundle: true,
    minify: true,
    format: "iife",
    write: false,
    outdir: "out",
    sourcemap: "external",
    target: "es2022",
  });
  const textOf = (end) => outputFiles.find(({ path }) => path.endsWith(end)).text;
  const map = JSON.parse(textOf(".map"));
  if (!withNames) {
    map.names = map.names.map(() => "");
    map.mappings = map.mappings
      .split(";")
      .map((line) =>
        line
          .split(",")
          .map((segment) => withoutName(segment))
          .join(","),
      )
      .join(";");
    map.names = [];
  }
  const context = vm.createContext({});
  vm.runInContext(textOf(".js"), context, { filename: "shop.js" });
  let thrown;
  try {
    await vm.runInContext("globalThis.run", context)(how);
  } catch (error) {
    thrown = error;
  }
  const frames = [...thrown.stack.matchAll(/^ +at (?:(.+?) \()?shop\.js:(\d+):(\d+)\)?$/gm)];
  const trace = new lib.TraceMap(JSON.stringify(map));
  return frames.map(([, name, line, column]) => [
    name,
    name === undefined ? undefined : lib.sourceName(trace, textOf(".js"), name, Number(line), Number(column) - 1),
  ]);
}

/** A segment of four numbers instead of five: the last base64 digit group is the name's. */
function withoutName(segment) {
  const groups = segment.match(/[g-z0-9+/]*[A-Za-f]/g) ?? [];
  return groups.slice(0, 4).join("");
}

describe("names of functions", () => {
  for (const withNames of [true, false]) {
    it(`declared, arrow and inner functions ${withNames ? "by the map's names" : "by the source, where the map has no names"}`, async () => {
      const found = await namesOf("now", { withNames });
      assert.deepEqual(
        found.slice(0, 2).map(([, name]) => name),
        ["amountOf", "twice"],
        JSON.stringify(found),
      );
      assert.ok(
        found.slice(0, 2).every(([minified]) => minified.length <= 2),
        JSON.stringify(found),
      );
      // A method keeps its name in minified code, and a function without one has none.
      assert.ok(
        found.slice(2).every(([, name]) => name === undefined),
        JSON.stringify(found),
      );
    });
  }

  it("an async function, before and after it waited", async () => {
    const found = await namesOf("late");
    assert.deepEqual(
      found.map(([, name]) => name),
      ["amountOf", "twice", "late"],
    );
  });

  for (const [text, wanted] of [
    ['function r(){function r(){return"}"}let x=/[}"]/;boom()}', "first"],
    ["var r=()=>{let t=`${r=>`}`}}`;boom()}", "first"],
    ["var r=e=>e.x,t=r=>boom()", undefined],
    ["var r=function(){/* } */boom()}", "first"],
    ["function r(a={b:1}){return a/2/boom()}", "first"],
    ["function r(){}boom()", undefined],
    ["var r=e=>e.x;boom()", undefined],
    ["function rr(){boom()}", undefined],
    ["x.r=1;boom()", undefined],
  ]) {
    it(`of “${text}” ${wanted === undefined ? "no r stands around" : `the ${wanted} r stands around`} boom()`, () => {
      // A map of one line: the first two tokens r are called "first" and "second" in the source.
      const at = [...text.matchAll(/(?<![\w$])r(?![\w$])/g)].map(({ index }) => index).slice(0, 2);
      const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
      const vlq = (n) => (n < 16 ? digits[n * 2] : digits[((n * 2) & 31) | 32] + digits[n >> 4]);
      const mappings = at
        .map((column, i) => `${vlq(column - (i === 0 ? 0 : at[i - 1]))}AA${i === 0 ? "A" : "C"}${i === 0 ? "A" : "C"}`)
        .join(",");
      const map = new lib.TraceMap(JSON.stringify({ version: 3, sources: ["shop.ts"], names: ["first", "second"], mappings }));
      assert.equal(lib.sourceName(map, text, "r", 1, text.indexOf("boom")), wanted);
    });
  }
});
