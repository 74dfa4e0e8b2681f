// What each client was seen to do: the cells of docs/COMPATIBILITY.md's matrix.
//
//   const { proves } = proofs(import.meta.url);
//   it("captures", proves("posthog-node 5.70.0", ["capture"], async () => { … }));
//
// A capability is proven when its test passed in this run of the file; matrix.test.mjs, which runs last,
// compares all of them with the document.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

export const PROOFS = join(import.meta.dirname, "../../build/proofs");

/** In the order of the matrix's columns; what each means stands below the matrix. */
export const CAPABILITIES = ["capture", "people", "groups", "exceptions", "AI", "flags", "local flags", "v1", "faults"];

/** @param {string} url the test file's */
export function proofs(url) {
  const file = join(PROOFS, `${basename(fileURLToPath(url))}.json`);
  const cells = [];
  rmSync(file, { force: true });
  return {
    /**
     * @param {string} sdk its name and release, as the matrix has it
     * @param {string[]} capabilities
     * @param {() => Promise<void>} body of the test
     */
    proves: (sdk, capabilities, body) => async () => {
      for (const name of capabilities) if (!CAPABILITIES.includes(name)) throw new Error(`no capability ${name}`);
      await body();
      cells.push(...capabilities.map((capability) => ({ sdk, capability })));
      mkdirSync(PROOFS, { recursive: true });
      writeFileSync(file, JSON.stringify(cells, null, 1));
    },
  };
}
