// Bundles the Worker as it would be deployed and runs it in local workerd.
//
//   const worker = await startWorker({ port: 8787, stateDir: ".hogflare", vars: {…} });
//   await worker.dispose();
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const DIST = join(ROOT, "dist");
const CONFIG = join(ROOT, "wrangler.toml.example");

/** Files the bundle is made from. */
function sources() {
  const shim = readdirSync(join(ROOT, "js-shim")).map((name) => join(ROOT, "js-shim", name));
  return [...shim, join(ROOT, "build/wasm/core.wasm"), join(ROOT, "flags.json"), CONFIG];
}

/** `wrangler deploy --dry-run` on wrangler.toml.example, without its build command. */
export function bundle() {
  const stamp = join(DIST, ".bundled");
  const newest = Math.max(...sources().map((path) => statSync(path).mtimeMs));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newest) return DIST;
  const config = join(ROOT, ".wrangler", "bundle.toml");
  mkdirSync(dirname(config), { recursive: true });
  const text = readFileSync(CONFIG, "utf8")
    .replace('main = "js-shim/worker.js"', 'main = "../js-shim/worker.js"')
    .replace(/\[build\]\ncommand = .*\n/, "");
  writeFileSync(config, text);
  rmSync(DIST, { recursive: true, force: true });
  execFileSync(
    join(ROOT, "node_modules/.bin/node"),
    [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", DIST, "--config", config],
    { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" } },
  );
  writeFileSync(stamp, "");
  return DIST;
}

/** Compatibility date of wrangler.toml.example: what is tested is what is deployed. */
function compatibilityDate() {
  return /compatibility_date = "(.*)"/.exec(readFileSync(CONFIG, "utf8"))[1];
}

/**
 * Miniflare's options for the bundled Worker.
 * @param {{port?: number, host?: string, stateDir: string, vars: Record<string, string>,
 *   kvNamespaces?: string[], extra?: object}} settings
 */
export function workerOptions({ port = 0, host = "127.0.0.1", stateDir, vars, kvNamespaces = ["FLAGS"], extra = {} }) {
  const dist = bundle();
  const wasm = readdirSync(dist).find((name) => name.endsWith(".wasm"));
  return convertV4MiniflareOptions({
    name: "hogflare",
    host,
    port,
    modules: [
      { type: "ESModule", path: join(dist, "worker.js") },
      { type: "CompiledWasm", path: join(dist, wasm) },
    ],
    modulesRoot: dist,
    compatibilityDate: compatibilityDate(),
    bindings: vars,
    kvNamespaces,
    durableObjects: {
      PERSONS: { className: "PersonDurableObject", useSQLite: true },
      PERSON_ID_COUNTER: { className: "PersonIdCounterDurableObject", useSQLite: true },
      GROUPS: { className: "GroupDurableObject", useSQLite: true },
      OUTBOX: { className: "OutboxDurableObject", useSQLite: true },
    },
    durableObjectsPersist: join(stateDir, "objects"),
    kvPersist: join(stateDir, "kv"),
    cf: false,
    log: new Log(LogLevel.WARN),
    ...extra,
  });
}

/** Starts the Worker and waits until it takes requests. */
export async function startWorker(settings) {
  const worker = new Miniflare(workerOptions(settings));
  const url = await worker.ready;
  return Object.assign(worker, { url: url.href.replace(/\/$/, "") });
}
