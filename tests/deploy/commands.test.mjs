// What all commands have in common, and what docs/DEPLOY.md says of them.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import { EXIT } from "../../cli/output.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { NODE } from "../lib/cloudflare.mjs";

const help = (...words) => execFileSync(NODE, [join(ROOT, "bin/hogflare"), ...words, "--help"], { encoding: "utf8" });
/** Names of the commands in a help text. */
const commandsOf = (text) =>
  [...text.slice(text.indexOf("Commands:")).matchAll(/^ {2}([a-z]+) /gm)].map(([, name]) => name).filter((name) => name !== "help");
const all = commandsOf(help()).flatMap((name) => (name === "flags" ? commandsOf(help("flags")).map((each) => ["flags", each]) : [[name]]));

describe("the commands", () => {
  it("are those of the design", () => {
    const wanted = [
      "plan",
      "create",
      "deploy",
      "doctor",
      "status",
      "tail",
      "query",
      "replay",
      "import",
      "upgrade",
      "rollback",
      "destroy",
      ...["check", "eval", "push", "pull", "history"].map((name) => `flags ${name}`),
    ];
    assert.deepEqual(all.map((words) => words.join(" ")).sort(), wanted.sort());
  });

  for (const words of all) {
    it(`${words.join(" ")} gives its result as JSON`, () => assert.match(help(...words), /--json/));
  }

  it("flags check gives it, with every problem, and exits as without", () => {
    const folder = mkdtempSync(join(tmpdir(), "hogflare-check-"));
    try {
      const file = join(folder, "flags.json");
      writeFileSync(file, '{"flags":[{"key":""}]}');
      const words = [join(ROOT, "bin/hogflare"), "flags", "check", file];
      const plain = spawnSync(NODE, words, { encoding: "utf8" });
      const { status, stdout } = spawnSync(NODE, [...words, "--json"], { encoding: "utf8" });
      assert.equal(status, EXIT.failed);
      assert.equal(plain.status, status);
      const { ok, problems } = JSON.parse(stdout);
      assert.equal(ok, false);
      for (const { message } of problems) assert.ok(plain.stdout.includes(message), message);
      assert.ok(problems.length > 0);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("exit with the statuses that docs/DEPLOY.md and --help list, and no other", () => {
    const codes = Object.values(EXIT).sort();
    const table = readFileSync(join(ROOT, "docs/DEPLOY.md"), "utf8").split("| Exit status |")[1].split("\n\n")[0];
    assert.deepEqual(
      [...table.matchAll(/^\| (\d) \|/gm)].map(([, code]) => Number(code)),
      codes,
    );
    const listed = help().split("Exit status:")[1].split("\n\n")[0];
    assert.deepEqual(
      [...listed.matchAll(/\b(\d) /g)].map(([, code]) => Number(code)),
      codes,
    );
  });
});
