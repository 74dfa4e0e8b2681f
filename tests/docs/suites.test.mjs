// scripts/test sets up and builds what the chosen suites need and nothing else, and chooses by what git
// says is changed. Run in a tree of its own whose setting up and building only write down that they ran.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, it } from "node:test";
import { read, ROOT } from "./tree.mjs";

const suites = /^SUITES=\(([^)]*)\)/m.exec(read("scripts/test"))[1].split(" ");
const chosenFor = (paths) =>
  execFileSync(join(ROOT, "scripts/lib/changed-suites"), { input: paths.map((path) => `${path}\n`).join(""), encoding: "utf8" })
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split(" "))
    .map(([suite, when, path]) => ({ suite, when, path }));
const names = (paths, when) =>
  chosenFor(paths)
    .filter((each) => when === undefined || each.when === when)
    .map(({ suite }) => suite);

describe("the table of changed folders", () => {
  it("names suites that there are, and each of them", () => {
    const table = execFileSync(join(ROOT, "scripts/lib/changed-suites"), ["--table"], { encoding: "utf8" });
    const named = new Set(
      table
        .split("\n")
        .filter(Boolean)
        .flatMap((line) => line.split("|").slice(-2).join(" ").split(" ").filter(Boolean)),
    );
    assert.deepEqual([...named].sort(), [...suites].sort());
  });

  it("has a line of its own for each folder that holds code", () => {
    const tracked = (folder) =>
      readdirSync(join(ROOT, folder), { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !entry.name.startsWith("."))
        .map(({ name }) => name);
    const apart = ["build", "node_modules", "dist", "docs"];
    for (const folder of tracked("").filter((name) => !apart.includes(name))) {
      assert.ok(chosenFor([`${folder}/x`]).length > (["bench"].includes(folder) ? 0 : 1), folder);
    }
    for (const folder of tracked("tests").filter((name) => suites.includes(name))) {
      assert.ok(names([`tests/${folder}/x.test.mjs`]).includes(folder), folder);
    }
  });

  it("runs a folder's own tests, says each suite once, and asks at once for nothing that takes minutes", () => {
    assert.deepEqual(names(["src/flags/hash.cpp", "docs/FLAGS.md"], "now"), ["docs", "lint", "unit", "vectors"]);
    assert.deepEqual(chosenFor(["docs/FLAGS.md"]), [{ suite: "docs", when: "now", path: "docs/FLAGS.md" }]);
    assert.ok(names(["src/identity/person.cpp"], "later").includes("sim"));
    assert.deepEqual(names(["src/insights/scan.cpp"], "now"), ["docs", "lint", "unit", "insights"]);
    const quick = new Set(["docs", "lint", "types", "unit", "vectors", "pipeline", "insights"]);
    for (const path of readdirSync(ROOT)) {
      for (const suite of names([path, `${path}/x`], "now")) assert.ok(quick.has(suite), `${path}: ${suite}`);
    }
  });
});

describe("a suite whose tests run a native program", () => {
  const [needs] = /^needs_of\(\) \{[\s\S]*?^\}/m.exec(read("scripts/test"));
  const needsOf = (suite) =>
    execFileSync("bash", ["-c", `${needs}\nneeds_of ${suite}`], { encoding: "utf8" })
      .trim()
      .split(" ");

  it("has it built when it is asked for alone", () => {
    let found = 0;
    for (const suite of suites) {
      const folder = join(ROOT, "tests", suite);
      const texts = existsSync(folder)
        ? readdirSync(folder)
            .filter((name) => /\.(py|mjs)$/.test(name))
            .map((name) => readFileSync(join(folder, name), "utf8"))
        : [];
      if (suite === "docs" || !texts.some((text) => /build\/native|from planner import/.test(text))) continue;
      found += 1;
      assert.ok(needsOf(suite).includes("native"), `${suite} needs native in scripts/test`);
    }
    assert.ok(found >= 3, `${found}`);
  });
});

describe("scripts/test", () => {
  let folder;
  let log;
  const run = (...args) => {
    rmSync(log, { force: true });
    const { status, stdout, stderr } = spawnSync("bash", ["scripts/test", ...args], { cwd: folder, encoding: "utf8" });
    let did = [];
    try {
      did = readFileSync(log, "utf8").trim().split("\n");
    } catch {
      // Nothing was set up.
    }
    return { status, stdout, stderr, did };
  };
  const git = (...args) =>
    execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "init.defaultBranch=main", ...args], {
      cwd: folder,
      encoding: "utf8",
    });
  const write = (path, text) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
    if (text.startsWith("#!")) chmodSync(join(folder, path), 0o755);
  };

  before(() => {
    folder = mkdtempSync(join(tmpdir(), "hogflare-suites-"));
    log = join(folder, "did.log");
    for (const path of ["scripts/test", "scripts/lib/changed-suites"]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      copyFileSync(join(ROOT, path), join(folder, path));
    }
    const setups = ["node", "python", "clients", "browser"].map((name) => `setup_${name}() { echo ${name} >>"${log}"; }`).join("\n");
    write(
      "scripts/lib/setup.sh",
      `HOGFLARE_ROOT="${folder}"\nsay() { echo "$*" >&2; }\nfail() { echo "error: $*" >&2; exit 1; }\n${setups}\n`,
    );
    write("scripts/build", `#!/bin/sh\necho "build $1" >>"${log}"\n`);
    write("build/native/hogflare_tests", "#!/bin/sh\necho 'All tests passed (3 assertions in 2 test cases)'\n");
    write(".gitignore", "/build/\n/did.log\n");
    write("src/insights/scan.cpp", "// one\n");
    write("docs/FLAGS.md", "one\n");
    git("init", "-q");
    git("add", ".");
    git("commit", "-qm", "one");
  });
  after(() => rmSync(folder, { recursive: true }));

  it("unit builds the native tests and sets up neither Node, Python nor the module", () => {
    const { status, stdout, did } = run("unit");
    assert.equal(status, 0, stdout);
    assert.match(stdout, /^unit +\d+ s +2 passed, 0 failed, 0 skipped$/m);
    assert.deepEqual(did, ["build native"]);
  });

  it("all needs everything, each once", () => {
    const { did } = run();
    assert.deepEqual([...did].sort(), [
      "browser",
      "build console",
      "build fuzz",
      "build native",
      "build wasm",
      "clients",
      "node",
      "python",
    ]);
  });

  it("--changed finds changed and new files, says for which, and leaves what takes minutes", () => {
    assert.equal(run("--changed", "--list").stdout, "");
    write("src/insights/scan.cpp", "// two\n");
    write("src/groups/new.cpp", "// new\n");
    const { stdout, stderr, did } = run("--changed", "--list");
    assert.deepEqual(stdout.trim().split("\n"), ["docs", "lint", "unit", "insights"]);
    assert.match(stderr, /^insights, for src\/insights\/scan\.cpp$/m);
    assert.match(stderr, /left to a whole run or to be named:.* sim\b/);
    assert.deepEqual(did, []);
    git("add", ".");
    git("commit", "-qm", "two");
    assert.equal(run("--changed", "--list").stdout, "", "main itself is nothing's change");
    assert.match(run("--changed", "HEAD~1", "--list").stdout, /^unit$/m);
    git("checkout", "-qb", "work");
    write("docs/FLAGS.md", "two\n");
    git("commit", "-qam", "three");
    assert.equal(run("--changed", "--list").stdout, "docs\n");
  });

  it("refuses a commit and a suite that there are not", () => {
    const wrong = run("--changed", "nowhere");
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /'nowhere' is no commit/);
    assert.equal(run("unitt").status, 1);
  });

  it("every suite is in one of the lanes, and in one only", () => {
    const lanes = ["COMPUTING", "WAITING"].flatMap((name) =>
      new RegExp(`^${name}=\\(([^)]*)\\)`, "m").exec(read("scripts/test"))[1].split(" "),
    );
    assert.deepEqual([...lanes].sort(), [...suites].sort());
  });

  it("--list names the suites", () => {
    assert.deepEqual(run("--list").stdout.trim().split("\n"), suites);
  });
});
