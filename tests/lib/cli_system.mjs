// A stand-in, a folder and the command in it, for the tests of the command.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startCloudflare } from "../../fake-cloudflare/server.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { addresses, environment, hogflare } from "./cloudflare.mjs";

export const ADMIN = "an-admin-token-that-nobody-guesses";
export const STREAMS = readdirSync(join(ROOT, "schemas"))
  .map((name) => name.replace(".json", ""))
  .sort();
const folders = [];
const newFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), "hogflare-cli-")));
  return folders.at(-1);
};
const clouds = [];
/** For a file's `after`: whatever a failed test left running. */
export async function cleanUp() {
  await Promise.all(clouds.map((cloud) => cloud.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}

/** A stand-in, a folder, and the command in it. */
export async function begin({ account = {}, env = {}, edge = true } = {}) {
  const cloud = await startCloudflare({ account, edge });
  clouds.push(cloud);
  const cwd = newFolder();
  const whole = environment(cloud, { ...addresses(cloud), HOGFLARE_ADMIN_TOKEN: ADMIN, ...env });
  const command = (args, more = {}) => hogflare(args, { cwd, env: { ...whole, ...more } });
  const json = async (args, more) => {
    const { code, stdout, stderr } = await command([...args, "--json"], more);
    assert.doesNotThrow(() => JSON.parse(stdout), stderr);
    return { code, stderr, ...JSON.parse(stdout) };
  };
  return { cloud, cwd, env: whole, command, json };
}

export const secretsFiles = () => readdirSync(tmpdir()).filter((name) => name.startsWith("hogflare-secrets-"));

/** A Worker as the first Hogflare deployed it, or another's. */
export async function uploadScript(cloud, name, classes, { tag = "v1", sqlite = true } = {}) {
  cloud.state.account.keyValueObjects = !sqlite;
  const form = new FormData();
  const migrations =
    classes.length === 0 ? {} : { migrations: { new_tag: tag, steps: [{ [sqlite ? "new_sqlite_classes" : "new_classes"]: classes }] } };
  form.set("metadata", JSON.stringify({ main_module: "w.js", bindings: [], ...migrations }));
  form.set(
    "w.js",
    new File([`export default {};\n${classes.map((each) => `export class ${each} {}`).join("\n")}`], "w.js", {
      type: "application/javascript+module",
    }),
  );
  const answer = await fetch(`${cloud.api}/accounts/${cloud.account}/workers/scripts/${name}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${cloud.token}` },
    body: form,
  });
  assert.equal(answer.status, 200, await answer.text());
  cloud.state.account.keyValueObjects = false;
}
