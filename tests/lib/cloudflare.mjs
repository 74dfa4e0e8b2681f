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

/** The command, from the tree. */
export const hogflare = (args, options) => run(NODE, [join(ROOT, "bin/hogflare"), ...args], options);

/** Where the command finds what is not api.cloudflare.com. */
export const addresses = (cloud, name = "hogflare") => ({
  HOGFLARE_SQL_URL: cloud.url,
  HOGFLARE_CATALOG_URL: `${cloud.url}/catalog`,
  HOGFLARE_WORKER_URL: cloud.workerUrl(name),
});

const idless = (text) => text.replace(/[0-9a-f]{32}|[0-9a-f-]{36}/g, "ID").replace(/(sinks|questions) \w+/, "$1");

/**
 * Runs a command until it gets through, and kills it, with everything it started, at each request that
 * changes something: once before the request has an effect, once after, its answer lost.
 * @returns {Promise<{runs: number, killedAt: string[], last: any}>}
 */
export async function runThroughKills(cloud, args, { cwd, env, extra = [] }) {
  const killedAt = [];
  let child;
  const killOnce = (phase) => (call) => {
    if (call.method === "GET" || /graphql|\/bound\/|-sql\//.test(call.path)) return undefined;
    // Between wrangler's requests nothing is written here: before one is after the last.
    if (phase === "before" && /\/workers\/(scripts|assets)\//.test(call.path)) return undefined;
    const key = `${phase} ${call.method} ${idless(call.path)} ${idless(String(call.json.name ?? call.json.title ?? ""))}`;
    if (killedAt.includes(key) || child === undefined) return undefined;
    killedAt.push(key);
    process.kill(-child.pid, "SIGKILL");
    child = undefined;
    return "hang";
  };
  cloud.before = killOnce("before");
  cloud.after = killOnce("after");
  try {
    for (let runs = 1; ; ++runs) {
      const last = await hogflare([...args, ...extra], { cwd, env, onStart: (started) => (child = started) });
      child = undefined;
      if (last.signal === null && last.code !== null) return { runs, killedAt, last };
      if (runs > 200) throw new Error(`no end after ${killedAt.join("\n")}`);
    }
  } finally {
    cloud.before = undefined;
    cloud.after = undefined;
  }
}
