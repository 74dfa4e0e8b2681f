// Folders that are built, where several processes write one at once: tests beside each other do, and `scripts/dev` beside them.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { it } from "node:test";
import { scripts } from "../../scripts/lib/assets.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";

/** Writes `name` in a folder of its own by five processes at a time, three times over; what that folder holds then. */
async function writtenAtOnce(program, name, look) {
  const parent = mkdtempSync(join(tmpdir(), "hogflare-at-once-"));
  const folder = join(parent, name);
  const write = () =>
    new Promise((done) => {
      const child = spawn(process.execPath, [join(ROOT, program), folder], { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.on("data", (part) => (said += part));
      child.once("close", (code) => done({ code, said }));
    });
  try {
    for (let round = 0; round < 3; round += 1) {
      const ended = await Promise.all(Array.from({ length: 5 }, write));
      for (const { code, said } of ended) assert.equal(code, 0, said);
    }
    assert.deepEqual(readdirSync(parent), [name], "nothing is left beside it");
    look(folder);
  } finally {
    rmSync(parent, { recursive: true, force: true });
  }
}

it("several who write the assets at once leave them whole", () =>
  writtenAtOnce("scripts/lib/assets.mjs", "assets", (folder) => {
    const { version, files } = scripts();
    const written = readdirSync(join(folder, "static", version));
    assert.deepEqual(
      Object.keys(files).filter((name) => !written.includes(name)),
      [],
    );
    assert.ok(readdirSync(folder).includes("_headers"));
  }));

it("several who build the console at once leave it whole", () =>
  writtenAtOnce("console/build.mjs", "console", (folder) => {
    assert.deepEqual(readdirSync(folder).sort(), ["assets", "frame", "index.html"]);
    const [, entry] = /src="\/app\/(assets\/[^"]+)"/.exec(readFileSync(join(folder, "index.html"), "utf8"));
    assert.ok(readFileSync(join(folder, entry)).length > 0);
  }));
