// Every file of the console is within its budget.
import assert from "node:assert/strict";
import { it } from "node:test";
import { bundle, sizes } from "../../console/build.mjs";

it("every part is printed, none is over its budget", async () => {
  const built = await bundle();
  const rows = sizes(built);
  for (const { name, gzip, budget } of rows) console.log(`${String(gzip).padStart(7)} of ${String(budget).padStart(7)}  ${name}`);
  assert.deepEqual(
    rows.filter(({ gzip, budget }) => gzip > budget),
    [],
  );
  // Each file has its line, or is a part of the replayer's.
  for (const { name, entry } of built.files) assert.ok(entry === "replay" || rows.some((row) => row.name.endsWith(name)), name);
  assert.ok(rows.some(({ name }) => name.startsWith("application")));
});
