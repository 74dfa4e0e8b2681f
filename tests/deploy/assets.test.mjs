// The folder of static assets, where several processes write it at once: tests beside each other do, and `scripts/dev` beside them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { scripts } from "../../scripts/lib/assets.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";

it("several who write the assets at once leave one whole folder and nothing beside it", async () => {
  const parent = mkdtempSync(join(tmpdir(), "hogflare-assets-"));
  const folder = join(parent, "assets");
  const write = () =>
    new Promise((done) => {
      const child = spawn(process.execPath, [join(ROOT, "scripts/lib/assets.mjs"), folder], { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.on("data", (part) => (said += part));
      child.once("close", (code) => done({ code, said }));
    });
  try {
    for (let round = 0; round < 3; round += 1) {
      const ended = await Promise.all(Array.from({ length: 5 }, write));
      for (const { code, said } of ended) assert.equal(code, 0, said);
    }
    assert.deepEqual(readdirSync(parent), ["assets"]);
    const { version, files } = scripts();
    assert.deepEqual(
      Object.keys(files).filter((name) => !readdirSync(join(folder, "static", version)).includes(name)),
      [],
    );
    assert.ok(readdirSync(folder).includes("_headers"));
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
});
