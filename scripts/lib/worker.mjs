// Bundles the Worker as it would be deployed and runs it in local workerd.
//
//   const worker = await startWorker({ port: 8787, stateDir: ".hogflare", vars: {…} });
//   await worker.dispose();
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { convertV4MiniflareOptions, Log, LogLevel, Miniflare } from "miniflare";
import { CONSOLE, replaceFolder, scripts, writeAssets } from "./assets.mjs";

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const BUNDLES = join(ROOT, "build/worker");
const CONFIG = join(ROOT, "wrangler.toml.example");
/** The module that is run: that of another preset, for a trap's names (CONTRIBUTING.md). */
const MODULE = resolve(ROOT, process.env.HOGFLARE_MODULE ?? "build/wasm/core.wasm");
const ASSETS = join(ROOT, "build/assets");

const RUNTIME = join(ROOT, "tests/platform/runtime.js");
const DEV_FRONT = join(ROOT, "scripts/lib/dev-front.js");

/** The platform's numbers by name (tests/platform/limits.json). */
export function platformLimits() {
  const { limits } = JSON.parse(readFileSync(join(ROOT, "tests/platform/limits.json"), "utf8"));
  return Object.fromEntries(Object.entries(limits).map(([name, limit]) => [name, limit.value]));
}

/** Files the bundle is made from. */
function sources(main) {
  const shim = readdirSync(join(ROOT, "js-shim")).map((name) => join(ROOT, "js-shim", name));
  return [...shim, join(ROOT, main), join(ROOT, "build/wasm/core.wasm"), MODULE, join(ROOT, "flags.json"), CONFIG];
}

/**
 * `wrangler deploy --dry-run` on wrangler.toml.example.
 * @param {string} main the entry, from the root of the tree; tests have their own around the Worker's
 */
export function bundle(main = "js-shim/worker.js") {
  const name = basename(main, ".js");
  const dist = join(BUNDLES, process.env.HOGFLARE_MODULE === undefined ? name : `${name}-of-${basename(dirname(MODULE))}`);
  const stamp = join(dist, ".bundled");
  const newest = Math.max(...sources(main).map((path) => statSync(path).mtimeMs));
  if (existsSync(stamp) && statSync(stamp).mtimeMs > newest) return dist;
  const config = join(ROOT, ".wrangler", `${name}.${process.pid}.toml`);
  mkdirSync(dirname(config), { recursive: true });
  const text = readFileSync(CONFIG, "utf8")
    .replace('main = "js-shim/worker.js"', `main = "../${main}"`)
    .replace('directory = "build/assets"', `directory = "${assets()}"`);
  writeFileSync(config, text);
  // Others may start what is there, or be bundling too: the folder changes in one step.
  const made = `${dist}.${process.pid}`;
  execFileSync(
    join(ROOT, "node_modules/.bin/node"),
    [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", made, "--config", config],
    { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"], env: { ...process.env, WRANGLER_SEND_METRICS: "false", CI: "true" } },
  );
  rmSync(config);
  if (process.env.HOGFLARE_MODULE !== undefined) {
    for (const file of readdirSync(made)) if (file.endsWith("-core.wasm")) copyFileSync(MODULE, join(made, file));
  }
  writeFileSync(join(made, ".bundled"), "");
  replaceFolder(made, dist);
  return dist;
}

/** Writes the assets of wrangler.toml.example unless they are there; their folder. */
function assets() {
  const { version } = scripts();
  const timeOf = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
  const isOld = timeOf(join(CONSOLE, "index.html")) > timeOf(join(ASSETS, "_headers"));
  if (isOld || !existsSync(join(ASSETS, "static", version, "array.js"))) writeAssets(ASSETS);
  return ASSETS;
}

/** Compatibility date of wrangler.toml.example: what is tested is what is deployed. */
export function compatibilityDate() {
  return /compatibility_date = "(.*)"/.exec(readFileSync(CONFIG, "utf8"))[1];
}

const CLASSES = [
  "PersonDurableObject",
  "GroupDurableObject",
  "PersonIdCounterDurableObject",
  "OutboxDurableObject",
  "CookielessDurableObject",
  "LiveDurableObject",
];

/**
 * The modules of a Worker behind the platform's limits: the first of `modules` is its own entry.
 * @param {string} dist their folder
 * @param {{type: string, path: string, contents?: string}[]} modules
 * @param {Record<string, number>} limits
 */
function confined(dist, modules, limits) {
  const entry = [
    'import { confinedClass, confinedWorker } from "./platform-runtime.js";',
    `import worker, * as own from "./${basename(modules[0].path)}";`,
    `const limits = ${JSON.stringify(limits)};`,
    ...CLASSES.map((name) => `export const ${name} = confinedClass(own.${name}, limits);`),
    "export default confinedWorker(worker, limits);",
  ].join("\n");
  return [
    { type: "ESModule", path: join(dist, "platform-entry.js"), contents: entry },
    { type: "ESModule", path: join(dist, "platform-runtime.js"), contents: readFileSync(RUNTIME, "utf8") },
    ...modules,
  ];
}

/** The modules of a Worker behind what scripts/dev alone offers. */
function fronted(dist, modules) {
  const entry = [
    'import { withDevFront } from "./dev-front.js";',
    `export * from "./${basename(modules[0].path)}";`,
    `import worker from "./${basename(modules[0].path)}";`,
    "export default withDevFront(worker);",
  ].join("\n");
  return [
    { type: "ESModule", path: join(dist, "dev-entry.js"), contents: entry },
    { type: "ESModule", path: join(dist, "dev-front.js"), contents: readFileSync(DEV_FRONT, "utf8") },
    ...modules,
  ];
}

/** A Worker is not deployed with variables above the platform's limits. */
function checkVariables(vars, limits) {
  const names = Object.keys(vars);
  if (names.length > limits.variables) throw new Error(`${names.length} variables; a Worker has at most ${limits.variables}`);
  for (const name of names) {
    const size = Buffer.byteLength(vars[name]);
    if (size > limits.variable_bytes) throw new Error(`${name} has ${size} bytes; a variable has at most ${limits.variable_bytes}`);
  }
}

/**
 * Miniflare's options for the bundled Worker. `demo` answers /app/api/demo. `extra` are further options of the Worker (and `cf`, what
 * request.cf holds), `others` Workers beside it, which it can be bound to. `platform` are limits other
 * than Cloudflare's own (tests/platform/limits.json; `external` for fetches alone); null: workerd's only.
 * @param {{port?: number, host?: string, stateDir: string, vars: Record<string, string>,
 *   kvNamespaces?: string[], r2Buckets?: string[], extra?: object, others?: object[], main?: string,
 *   platform?: Record<string, number> | null,
 *   demo?: {team_id: number, name: string, serve: (request: Request) => Promise<Response>} | null,
 *   onLog?: (log: {level: string, message: string}) => void}} settings
 */
export function workerOptions(settings) {
  const { port = 0, host = "127.0.0.1", stateDir, vars, kvNamespaces = ["FLAGS"], r2Buckets = [] } = settings;
  const { extra = {}, others = [], main, onLog, platform = {}, demo = null } = settings;
  const { cf = false, modules: ownModules, ...ofWorker } = /** @type {any} */ (extra);
  const dist = bundle(main);
  const names = readdirSync(dist);
  const script = names.find((name) => name.endsWith(".js"));
  const wasm = names.find((name) => name.endsWith(".wasm"));
  const modules = ownModules ?? [
    { type: "ESModule", path: join(dist, script) },
    { type: "CompiledWasm", path: join(dist, wasm) },
  ];
  const theirs = platformLimits();
  const limits = { ...theirs, external: theirs.subrequests, ...platform };
  if (platform !== null) checkVariables(vars, limits);
  const limited = platform === null ? modules : confined(dist, modules, limits);
  const worker = {
    name: "hogflare",
    modules: demo === null ? limited : fronted(dist, limited),
    modulesRoot: dist,
    compatibilityDate: compatibilityDate(),
    bindings: demo === null ? vars : { ...vars, DEMO_PROJECT: { team_id: demo.team_id, name: demo.name } },
    ...(demo === null ? {} : { serviceBindings: { DEMO: demo.serve } }),
    kvNamespaces,
    r2Buckets,
    assets: {
      directory: assets(),
      binding: "ASSETS",
      routerConfig: { has_user_worker: true },
      assetConfig: { html_handling: "none" },
    },
    durableObjects: {
      PERSONS: { className: "PersonDurableObject", useSQLite: true },
      PERSON_ID_COUNTER: { className: "PersonIdCounterDurableObject", useSQLite: true },
      GROUPS: { className: "GroupDurableObject", useSQLite: true },
      OUTBOX: { className: "OutboxDurableObject", useSQLite: true },
      COOKIELESS: { className: "CookielessDurableObject", useSQLite: true },
      LIVE: { className: "LiveDurableObject", useSQLite: true },
    },
    ...ofWorker,
  };
  return convertV4MiniflareOptions({
    host,
    port,
    resourcePersistencePath: join(stateDir, "worker"),
    cf,
    log: new Log(LogLevel.WARN),
    ...(onLog === undefined ? {} : { handleStructuredLogs: onLog }),
    workers: [worker, ...others],
  });
}

/** Starts the Worker and waits until it takes requests. */
export async function startWorker(settings) {
  const worker = new Miniflare(workerOptions(settings));
  const url = await worker.ready;
  return Object.assign(worker, { url: url.href.replace(/\/$/, "") });
}
