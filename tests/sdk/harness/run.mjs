// PostHog's SDK test harness with the product behind it. Its scenarios are not part of this tree:
//
//   git clone https://github.com/PostHog/posthog-sdk-test-harness
//   python3 -m venv venv && venv/bin/pip install flask aiohttp click pyyaml posthog
//   node tests/sdk/harness/run.mjs HARNESS_FOLDER venv/bin/python [node-v0|node-v1|python-v0|python-v1 …]
//
// Prints a line of docs/COMPATIBILITY.md for each adapter and, after it, the scenarios that failed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually, freePort, startSystem } from "../../lib/harness.mjs";
import { startForwarder } from "./forwarder.mjs";

const [harness, python, ...asked] = process.argv.slice(2);
if (python === undefined) {
  console.error("usage: node tests/sdk/harness/run.mjs HARNESS_FOLDER PYTHON [ADAPTER …]");
  process.exit(2);
}
const HERE = import.meta.dirname;
const ADAPTERS = {
  "node-v0": [process.execPath, join(HERE, "adapter.mjs"), "v0"],
  "node-v1": [process.execPath, join(HERE, "adapter.mjs"), "v1"],
  "python-v0": [python, join(HERE, "adapter.py"), "v0"],
  "python-v1": [python, join(HERE, "adapter.py"), "v1"],
};

async function startAdapter([program, ...words]) {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  await eventually(() => output.includes("\n"), { what: "the adapter", timeoutMs: 60_000 });
  return { url: output.trim(), stop: () => child.kill("SIGTERM") };
}

async function runHarness(adapter, system) {
  const port = await freePort();
  const mock = `http://127.0.0.1:${port}`;
  const forwarder = await startForwarder({ mock, product: system.url });
  const folder = mkdtempSync(join(tmpdir(), "hogflare-harness-"));
  const report = join(folder, "report.json");
  const words = ["run", "--adapter-url", adapter.url, "--mock-port", String(port), "--mock-url", forwarder.url];
  const child = spawn(python, [join(HERE, "launch.py"), ...words, "--sdk-type", "server", "--report", report, "--output", "json"], {
    env: { ...process.env, PYTHONPATH: join(harness, "src") },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  let complaints = "";
  child.stderr.on("data", (data) => (complaints += data));
  await new Promise((done) => child.once("exit", done));
  forwarder.stop();
  const begin = output.indexOf("{\n");
  if (begin < 0) throw new Error(`the harness ended without a result:\n${output}\n${complaints.slice(-2000)}`);
  const summary = JSON.parse(output.slice(begin, output.lastIndexOf("}") + 1));
  rmSync(folder, { recursive: true, force: true });
  return { summary, counts: forwarder.counts };
}

for (const name of asked.length > 0 ? asked : Object.keys(ADAPTERS)) {
  const system = await startSystem();
  const adapter = await startAdapter(ADAPTERS[name]);
  const health = await (await fetch(`${adapter.url}/health`)).json();
  const { summary, counts } = await runHarness(adapter, system);
  const suites = summary.suites.map((suite) => `${suite.name} ${suite.passed} of ${suite.total}`).join(", ");
  const cells = [`${health.sdk_name} ${health.sdk_version}`, name.split("-")[1], suites, counts.product, counts.ordered, counts.refused];
  console.log(`| ${cells.join(" | ")} |`);
  for (const suite of summary.suites) {
    for (const result of suite.results.filter(({ passed }) => !passed)) console.log(`  ${suite.name}: ${result.name}: ${result.message}`);
  }
  const rejects = await system.stream("rejects");
  if (rejects.length > 0) console.log(`  rejects: ${JSON.stringify(rejects.map(({ reason }) => reason))}`);
  adapter.stop();
  await system.stop();
}
process.exit(0);
