// What README.md, docs/DEPLOY.md, docs/UPGRADING.md and the package's README tell a reader to type, typed.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startCloudflare } from "../../fake-cloudflare/server.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { addresses, environment, run } from "../lib/cloudflare.mjs";

/** Lines of the shell in a document that begin with a word, without their remarks. */
function commands(file, word) {
  const text = readFileSync(join(ROOT, file), "utf8");
  const blocks = [...text.matchAll(/```bash\n([^]*?)```/g)].flatMap(([, block]) => block.split("\n"));
  return blocks.map((line) => line.replace(/\s+#.*$/, "").trim()).filter((line) => line.startsWith(word));
}

/** Packages come from the registry when a reader types it; here they are there already. */
const FETCHED = ["npm install hogflare", "npm install hogflare@latest", "npm ci"];

let cloud;
let cwd;
let env;
before(async () => {
  cloud = await startCloudflare();
  cwd = mkdtempSync(join(tmpdir(), "hogflare-docs-"));
  mkdirSync(join(cwd, "node_modules/.bin"), { recursive: true });
  symlinkSync(ROOT, join(cwd, "node_modules/hogflare"));
  symlinkSync(join(ROOT, "bin/hogflare"), join(cwd, "node_modules/.bin/hogflare"));
  symlinkSync(join(ROOT, "node_modules/wrangler/bin/wrangler.js"), join(cwd, "node_modules/.bin/wrangler"));
  writeFileSync(join(cwd, "package.json"), '{"private":true}');
  cpSync(join(ROOT, "flags.json"), join(cwd, "flags.json"));
  env = environment(cloud, { ...addresses(cloud), HOGFLARE_SINK_TOKEN: cloud.token, HOGFLARE_ADMIN_TOKEN: "an-admin-token-of-the-test" });
  env.PATH = `${join(cwd, "node_modules/.bin")}:${join(ROOT, "node_modules/.bin")}:${env.PATH}`;
});
after(async () => {
  await cloud.stop();
  rmSync(cwd, { recursive: true, force: true });
});

/** Types a line as it stands; what needs a person gets --yes, what waits does not. */
async function type(line, more = {}) {
  const plain = line.replace("npx ", "").replace(/^hogflare (destroy|rollback).*/, (all) => `${all} --yes`);
  const ended = await run("bash", ["-c", plain], { cwd, env: { ...env, ...more } });
  assert.equal(ended.code, 0, `${line}\n${ended.stdout}${ended.stderr}`);
}

const once = (lines) => [...new Set(lines)];
const last = (line) => (line.includes("destroy") ? 2 : line.includes("rollback") ? 1 : 0);

describe("the documents' commands", () => {
  it("of README.md, docs/DEPLOY.md and the package's README work in this order", async () => {
    const lines = once([
      ...commands("README.md", "npx hogflare"),
      ...commands("package/README.md", "npx hogflare"),
      ...commands("docs/DEPLOY.md", "npx hogflare"),
    ]);
    assert.ok(lines.length >= 12, lines.join("\n"));
    // A tail has no end of its own, and is tried where one is made; a question needs an engine behind the
    // Worker, and is asked in tests/conformance/cli_query.test.mjs.
    const order = lines.filter((line) => !/hogflare (tail|query .*--worker)/.test(line)).sort((left, right) => last(left) - last(right));
    order.sort((left, right) => Number(!/ create$/.test(left)) - Number(!/ create$/.test(right)) || last(left) - last(right));
    for (const line of order) await type(line);
    assert.deepEqual(cloud.state.scripts, []);
  });

  it("of docs/UPGRADING.md and of the manual way", async () => {
    const upgrading = commands("docs/UPGRADING.md", "npx hogflare");
    assert.ok(upgrading.some((line) => /upgrade/.test(line)));
    for (const line of upgrading.filter((each) => /--name/.test(each)))
      await type(line, { HOGFLARE_WORKER_URL: cloud.workerUrl("hogflare-two") });
    const manual = ["npx wrangler", "cp ", "node "].flatMap((word) => commands("docs/DEPLOY.md", word));
    assert.equal(manual.length, 8, manual.join("\n"));
    const other = mkdtempSync(join(tmpdir(), "hogflare-manual-"));
    const block = /## By hand\n\n```bash\n([^]*?)```/
      .exec(readFileSync(join(ROOT, "docs/DEPLOY.md"), "utf8"))[1]
      .trim()
      .split("\n");
    const account = await startCloudflare({ edge: false });
    cpSync(cwd, other, { recursive: true, verbatimSymlinks: true });
    rmSync(join(other, "wrangler.jsonc"), { force: true });
    for (const line of block) {
      const deploys = line === "npx wrangler deploy";
      // In the tree the example names the tree's own places; the package's is rewritten when it is packed.
      if (deploys) {
        const text = readFileSync(join(other, "wrangler.toml"), "utf8")
          .replace('main = "js-shim', 'main = "node_modules/hogflare/js-shim')
          .replace('"build/assets"', '"assets"');
        writeFileSync(join(other, "wrangler.toml"), text);
      }
      const ended = await run("bash", ["-c", line.replace("npx ", "")], {
        cwd: other,
        env: { ...env, ...environment(account, { HOGFLARE_SINK_TOKEN: account.token, PATH: env.PATH }) },
      });
      assert.equal(ended.code, 0, `${line}\n${ended.stdout}${ended.stderr}`);
    }
    rmSync(other, { recursive: true });
    assert.deepEqual(
      account.state.scripts.map((script) => script.name),
      ["hogflare"],
    );
    assert.equal(account.state.pipelines.length, 1);
    await account.stop();
  });

  it("say nothing that is fetched but what is named here", () => {
    const files = ["README.md", "docs/DEPLOY.md", "docs/UPGRADING.md", "package/README.md"];
    const fetched = files.flatMap((file) => commands(file, "npm ")).filter((line) => !line.startsWith("npm run "));
    assert.deepEqual(
      once(fetched).filter((line) => !FETCHED.includes(line)),
      [],
    );
  });
});
