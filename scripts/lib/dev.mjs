// Runs the fake pipeline and the Worker and keeps them running; scripts/dev is its front.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseEnv } from "node:util";
import workerd from "workerd";
import { DEMO_NAME, DEMO_TEAM, DEMO_TOKEN, demoService } from "./demo.mjs";
import { announceArrivals, counts } from "./dev-arrivals.mjs";
import { claimState } from "./dev-state.mjs";
import { documentedVariables } from "./variables.mjs";
import { platformLimits, ROOT, startWorker } from "./worker.mjs";

const stateDir = resolve(process.env.HOGFLARE_STATE_DIR ?? join(ROOT, ".hogflare"));
const workerPort = portFrom("HOGFLARE_PORT", 8787);
const pipelinePort = portFrom("FAKE_PIPELINE_PORT", 8088);
const LOCAL_TOKEN = "local";
const FLAGS_FILE = readFileSync(join(ROOT, "flags.json"), "utf8").trim();
const workerdPidFile = join(stateDir, "workerd.pid");
const children = new Set();
let stopping = false;

function portFrom(name, fallback) {
  const text = process.env[name] ?? "";
  const port = text === "" ? fallback : Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    fail(`${name} is "${text}"; it must be a port from 1 to 65535`);
  }
  return port;
}

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

/** Rejects when something listens on the port already. */
function requireFree(port, name) {
  return new Promise((done) => {
    const probe = createServer();
    probe.once("error", () => fail(`port ${port} is taken; choose another with ${name}`));
    probe.listen(port, "127.0.0.1", () => probe.close(done));
  });
}

/** Worker variables: the environment wins over .dev.vars, that over .env.local. */
function workerVariables() {
  const variables = {};
  for (const file of [".env.local", ".dev.vars"]) {
    const path = join(ROOT, file);
    if (existsSync(path)) Object.assign(variables, parseEnv(readFileSync(path, "utf8")));
  }
  Object.assign(variables, process.env);
  const pipeline = `http://127.0.0.1:${pipelinePort}`;
  const chosen = {
    CLOUDFLARE_PIPELINE_ENDPOINT: `${pipeline}/`,
    CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: `${pipeline}/streams/persons`,
    CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT: `${pipeline}/streams/rejects`,
    CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT: `${pipeline}/streams/distinct_ids`,
    // The stand-in answers for the lake, to any account and token.
    HOGFLARE_SQL_URL: pipeline,
    HOGFLARE_SQL_ACCOUNT_ID: "local",
    HOGFLARE_SQL_BUCKET: "local",
    HOGFLARE_SQL_TOKEN: "local",
    // So that a fresh start can be asked: Authorization: Bearer local. Only this machine reaches it.
    HOGFLARE_ADMIN_TOKEN: LOCAL_TOKEN,
    HOGFLARE_VIEWER_TOKEN: "local-viewer",
    HOGFLARE_VIEWER_SQL: "on",
  };
  // What else is exported (a CLOUDFLARE_API_TOKEN, say) is none of the Worker's business.
  for (const name of documentedVariables()) {
    if ((variables[name] ?? "") !== "") chosen[name] = variables[name];
  }
  chosen.HOGFLARE_PROJECTS = withDemoProject(chosen);
  // Flags are edited in the console unless they come from elsewhere.
  const hasOwnFlags =
    chosen.HOGFLARE_FEATURE_FLAGS !== undefined || chosen.HOGFLARE_FLAGS_KV_KEY !== undefined || FLAGS_FILE !== '{ "flags": [] }';
  if (!hasOwnFlags) {
    chosen.HOGFLARE_FLAGS_KV_KEY = "flags";
    chosen.HOGFLARE_FLAGS_TTL_SECS ??= "2";
  }
  return Object.fromEntries(Object.entries(chosen).filter(([, value]) => value !== undefined));
}

/** The operator's projects, or one for any token, and the demo's beside them where its number is free. */
function withDemoProject({ HOGFLARE_PROJECTS: given, POSTHOG_TEAM_ID: team = "1" }) {
  const demo = { [DEMO_TOKEN]: { team_id: DEMO_TEAM } };
  if (given === undefined)
    return team === String(DEMO_TEAM) || !/^[1-9]\d*$/.test(team) ? undefined : JSON.stringify({ "*": { team_id: Number(team) }, ...demo });
  try {
    const projects = JSON.parse(given);
    const isTaken = DEMO_TOKEN in projects || Object.values(projects).some((project) => project.team_id === DEMO_TEAM);
    return isTaken ? given : JSON.stringify({ ...projects, ...demo });
  } catch {
    // The Worker says what is wrong with it.
    return given;
  }
}

function startPipeline() {
  const python = join(ROOT, ".venv/bin/python");
  const child = spawn(
    join(ROOT, "scripts/lib/tied-to-parent"),
    [python, "-m", "fake_pipeline", "--port", String(pipelinePort), "--state-dir", join(stateDir, "pipeline")],
    {
      cwd: join(ROOT, "fake-pipeline"),
      stdio: ["ignore", "inherit", "inherit"],
      // The wrapper must not take this for workerd.
      env: { ...process.env, HOGFLARE_WORKERD: "" },
    },
  );
  children.add(child);
  child.once("exit", (code, signal) => {
    children.delete(child);
    if (stopping) return;
    console.error(`the fake pipeline ended (${signal ?? code}); starting it again`);
    setTimeout(() => stopping || startPipeline(), 500);
  });
}

async function answers(url) {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(1000) });
    await response.arrayBuffer();
    return response.ok;
  } catch {
    return false;
  }
}

async function waitFor(url, name) {
  const deadline = Date.now() + 60_000;
  while (!(await answers(url))) {
    if (Date.now() > deadline) fail(`${name} did not answer at ${url} within 60 s`);
    await sleep(50);
  }
}

function workerdIsAlive() {
  try {
    process.kill(Number(readFileSync(workerdPidFile, "utf8")), 0);
    return true;
  } catch {
    return false;
  }
}

/** Limits with room for variables that no deployment could have: said, and tried all the same. */
function roomFor(vars) {
  const { variable_bytes: most } = platformLimits();
  const sizes = Object.entries(vars)
    .map(([name, value]) => ({ name, bytes: Buffer.byteLength(value) }))
    .filter(({ bytes }) => bytes > most);
  for (const { name, bytes } of sizes) {
    console.error(
      `${name} has ${bytes} bytes; Cloudflare deploys at most ${most} in a variable${name === "HOGFLARE_FEATURE_FLAGS" ? " (larger flags stand in flags.json or in KV: docs/FLAGS.md)" : ""}`,
    );
  }
  return sizes.length === 0 ? {} : { variable_bytes: Math.max(...sizes.map(({ bytes }) => bytes)) };
}

/** The Worker, with a document where it looks for its flags. */
async function startWithFlags(settings) {
  const worker = await startWorker(settings);
  const key = settings.vars.HOGFLARE_FLAGS_KV_KEY;
  const namespace = key === "flags" ? await worker.getKVNamespace("FLAGS") : null;
  if (namespace !== null && (await namespace.get(key)) === null) await namespace.put(key, FLAGS_FILE);
  return worker;
}

async function superviseWorker(settings) {
  let worker = await startWithFlags(settings);
  for (;;) {
    await sleep(200);
    if (stopping) return worker.dispose();
    if (workerdIsAlive()) continue;
    console.error("workerd ended; starting it again");
    await worker.dispose().catch(() => {});
    worker = await startWithFlags(settings);
  }
}

function stop() {
  if (stopping) process.exit(1);
  stopping = true;
  for (const child of children) child.kill("SIGTERM");
  if (workerdIsAlive()) process.kill(Number(readFileSync(workerdPidFile, "utf8")), "SIGTERM");
  setTimeout(() => process.exit(0), 300);
}

process.on("SIGINT", stop);
process.on("SIGTERM", stop);

// Nothing is touched before it is sure that nobody else is here.
let state;
try {
  state = claimState(stateDir, { port: workerPort });
} catch (error) {
  fail(error.message);
}
process.once("exit", state.release);
await requireFree(workerPort, "HOGFLARE_PORT");
await requireFree(pipelinePort, "FAKE_PIPELINE_PORT");
if (process.argv.includes("--fresh")) state.clear();

process.env.HOGFLARE_WORKERD = workerd.default;
process.env.HOGFLARE_WORKERD_PID = workerdPidFile;
process.env.MINIFLARE_WORKERD_PATH = join(ROOT, "scripts/lib/tied-to-parent");

startPipeline();
const vars = workerVariables();
const hasDemo = (vars.HOGFLARE_PROJECTS ?? "").includes(`"${DEMO_TOKEN}":{"team_id":${DEMO_TEAM}}`);
const serve = demoService({
  url: `http://127.0.0.1:${workerPort}${vars.HOGFLARE_PATH_PREFIX ?? ""}`,
  adminToken: vars.HOGFLARE_ADMIN_TOKEN ?? "",
  signingSecret: vars.POSTHOG_SIGNING_SECRET ?? "",
  noteFile: join(stateDir, "demo.json"),
  scale: Number(process.env.HOGFLARE_DEMO_SCALE ?? "1"),
  log: (line) => console.error(line),
});
superviseWorker({
  port: workerPort,
  stateDir,
  vars,
  platform: roomFor(vars),
  demo: hasDemo ? { team_id: DEMO_TEAM, name: DEMO_NAME, serve } : null,
}).catch((error) => fail(`the Worker did not start: ${error.stack ?? error}`));
await waitFor(`http://127.0.0.1:${pipelinePort}/health`, "the fake pipeline");
await waitFor(`http://127.0.0.1:${workerPort}/_liveness`, "the Worker");
const pipelineUrl = `http://127.0.0.1:${pipelinePort}`;
// What arrives right after the next line is announced, too.
const before = await counts(pipelineUrl);
console.error(
  `console http://127.0.0.1:${workerPort}/app, sign in with ${vars.HOGFLARE_ADMIN_TOKEN === LOCAL_TOKEN ? `the token ${LOCAL_TOKEN}` : "HOGFLARE_ADMIN_TOKEN"}; npm run demo sends a month of traffic`,
);
console.log(`ready http://127.0.0.1:${workerPort}`);
announceArrivals(pipelineUrl, before);
