// The stand-in for Cloudflare's API, wrangler and the command `hogflare`, for tests.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../../scripts/lib/worker.mjs";

export const NODE = join(ROOT, "node_modules/.bin/node");

/** What a child needs of the environment; nothing of the machine's own Cloudflare account gets through. */
export function environment(cloud, extra = {}) {
  const kept = ["PATH", "HOME", "TMPDIR", "LANG"].filter((name) => process.env[name] !== undefined);
  return {
    ...Object.fromEntries(kept.map((name) => [name, process.env[name]])),
    CI: "1",
    WRANGLER_SEND_METRICS: "false",
    CLOUDFLARE_API_BASE_URL: cloud.api,
    CLOUDFLARE_ACCOUNT_ID: cloud.account,
    CLOUDFLARE_API_TOKEN: cloud.token,
    ...extra,
  };
}

/** Runs a program to its end: {code, stdout, stderr}. `onStart` gets the child, a group leader. */
export function run(program, args, { cwd, env, input = "", onStart = undefined }) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd, env, detached: true });
    onStart?.(child);
    const text = { stdout: "", stderr: "" };
    for (const stream of ["stdout", "stderr"]) child[stream].on("data", (bytes) => (text[stream] += bytes));
    child.once("error", fail);
    child.once("close", (code, signal) => done({ code, signal, ...text }));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
  });
}

export const wrangler = (args, options) => run(NODE, [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), ...args], options);
