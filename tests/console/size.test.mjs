// Every file of the console is within its budget.
import assert from "node:assert/strict";
import { it } from "node:test";
import { bundle, sizes } from "../../console/build.mjs";

it("no part is over its budget", async () => {
  const rows = sizes(await bundle());
  for (const { name, gzip, budget } of rows) console.log(`${String(gzip).padStart(7)} of ${String(budget).padStart(7)}  ${name}`);
  assert.deepEqual(
    rows.filter(({ gzip, budget }) => gzip > budget),
    [],
  );
  assert.ok(rows.some(({ name }) => name.startsWith("application")));
});
