// Installs pinned SDK releases under build/golden, runs each against the recording server, and writes
// tests/golden/NAME.json. What ends in -flags asks the started product for flags, through a relay that
// keeps the questions, and must read them right: tests/golden/flags/NAME.json. See scripts/record-golden.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { eventually, startSystem } from "../../lib/harness.mjs";
import { eventsOf } from "../../sdk/recordings.mjs";
import { learned, VALUES, VARIABLES } from "./flags.mjs";
import { OF_THE_CONNECTION, startRecorder, startRelay } from "./server.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../../..");
const WORK = join(ROOT, "build/golden");

/** Runs a command to its end, its output into ours. */
function sh(cwd, command, ...words) {
  execFileSync(command, words, { cwd, stdio: ["ignore", "inherit", "inherit"], env: process.env });
}

function workDirectory(name) {
  const path = join(WORK, name);
  mkdirSync(path, { recursive: true });
  return path;
}

/** Each maker installs a release and gives the command that runs it. */
function node(version) {
  return () => {
    const cwd = workDirectory(`node-${version}`);
    writeFileSync(join(cwd, "package.json"), '{"name":"recorder","private":true,"type":"module"}');
    sh(cwd, "npm", "install", "--no-audit", "--no-fund", "--no-save", `posthog-node@${version}`);
    copyFileSync(join(HERE, "node/record.mjs"), join(cwd, "record.mjs"));
    return { cwd, command: [process.execPath, "record.mjs", "posthog-node"] };
  };
}

function python(version) {
  return () => {
    const cwd = workDirectory(`python-${version}`);
    sh(cwd, "python3", "-m", "venv", "venv");
    sh(cwd, "venv/bin/pip", "install", "-q", `posthog[zstd]==${version}`);
    return { cwd, command: [join(cwd, "venv/bin/python"), join(HERE, "python/record.py")] };
  };
}

function go(version, more = "none") {
  return () => {
    const cwd = workDirectory(`go-${version}`);
    copyFileSync(join(HERE, "go/main.go"), join(cwd, "main.go"));
    copyFileSync(join(HERE, `go/more_${more}.go`), join(cwd, "more.go"));
    writeFileSync(join(cwd, "go.mod"), "module recorder\n\ngo 1.22\n");
    sh(cwd, "go", "get", `github.com/posthog/posthog-go@v${version}`);
    sh(cwd, "go", "build", "-o", "recorder", ".");
    return { cwd, command: [join(cwd, "recorder")] };
  };
}

function goFlags(version) {
  return () => {
    const cwd = workDirectory(`go-${version}-flags`);
    copyFileSync(join(HERE, "go/flags/main.go"), join(cwd, "main.go"));
    writeFileSync(join(cwd, "go.mod"), "module recorder\n\ngo 1.22\n");
    sh(cwd, "go", "get", `github.com/posthog/posthog-go@v${version}`);
    sh(cwd, "go", "build", "-o", "recorder", ".");
    return { cwd, command: [join(cwd, "recorder")] };
  };
}

function rust03(version) {
  return () => {
    const cwd = workDirectory(`rust-${version}`);
    mkdirSync(join(cwd, "src"), { recursive: true });
    copyFileSync(join(HERE, "rust/old.rs"), join(cwd, "src/main.rs"));
    writeFileSync(
      join(cwd, "Cargo.toml"),
      `[package]
name = "recorder"
version = "0.0.0"
edition = "2021"

[dependencies]
chrono = "0.4"
posthog-rs = { version = "=${version}", default-features = false }
serde_json = "1"
`,
    );
    sh(cwd, "cargo", "build", "-q", "-j2");
    return { cwd, command: [join(cwd, "target/debug/recorder")] };
  };
}

function rust(version, features = [], binary = "recorder") {
  return () => {
    const cwd = workDirectory(`rust-${version}`);
    mkdirSync(join(cwd, "src"), { recursive: true });
    copyFileSync(join(HERE, "rust/main.rs"), join(cwd, "src/main.rs"));
    copyFileSync(join(HERE, "rust/flags.rs"), join(cwd, "src/flags.rs"));
    writeFileSync(
      join(cwd, "Cargo.toml"),
      `[package]
name = "recorder"
version = "0.0.0"
edition = "2021"

[features]
v1 = ["posthog-rs/capture-v1"]

[[bin]]
name = "recorder"
path = "src/main.rs"

[[bin]]
name = "flags"
path = "src/flags.rs"

[profile.dev]
debug = 0

[dependencies]
chrono = "0.4"
posthog-rs = "=${version}"
serde_json = "1"
tokio = { version = "1", features = ["rt-multi-thread"] }
`,
    );
    sh(cwd, "cargo", "build", "-q", "-j2", "--bin", binary, ...features);
    return { cwd, command: [join(cwd, "target/debug", binary)] };
  };
}

/** @param {string[]} more dependencies that it leaves to who uses it, as group:artifact:version */
function java(group, artifact, version, main, ...more) {
  return () => {
    const cwd = workDirectory(`java-${artifact}-${version}`);
    const dependency = [`${group}:${artifact}:${version}`, ...more]
      .map((name) => name.split(":"))
      .map(([one, two, three]) => `<groupId>${one}</groupId><artifactId>${two}</artifactId><version>${three}</version>`)
      .join("</dependency><dependency>");
    writeFileSync(
      join(cwd, "pom.xml"),
      `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>recorder</groupId><artifactId>recorder</artifactId><version>0</version>
<dependencies><dependency>${dependency}</dependency></dependencies></project>\n`,
    );
    sh(cwd, "mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib");
    return { cwd, command: ["java", "-cp", "lib/*", join(HERE, "java", `${main}.java`)] };
  };
}

/**
 * A release's public sources, which no registry holds in a form that runs here: HOGFLARE_SOURCES/NAME when
 * the variable is set, else cloned.
 */
function sources(name, tag) {
  if (process.env.HOGFLARE_SOURCES !== undefined) return join(process.env.HOGFLARE_SOURCES, name);
  const folder = join(workDirectory("sources"), `${name}-${tag}`);
  if (!existsSync(folder)) {
    sh(ROOT, "git", "clone", "-q", "--depth", "1", "--branch", tag, `https://github.com/PostHog/${name}`, folder);
  }
  return folder;
}

/** Runs under any Ruby with the gem concurrent-ruby (Debian: ruby, ruby-concurrent). */
function ruby(version) {
  return () => {
    const lib = join(sources("posthog-ruby", `posthog-ruby@${version}`), "lib");
    return { cwd: ROOT, command: ["ruby", "-I", lib, join(HERE, "ruby/record.rb")] };
  };
}

/** Debian: php-cli, php-curl. */
function php(version) {
  return () => {
    const lib = join(sources("posthog-php", version), "lib");
    return { cwd: ROOT, command: ["php", join(HERE, "php/record.php"), lib] };
  };
}

/** posthog-js as package.json pins it, in the browser of tests/browser. */
function browser(library) {
  return () => ({ cwd: ROOT, command: [process.execPath, join(HERE, "browser.mjs"), library] });
}

/** Recordings by name: SDK and version, with what tells two of one release apart. */
const RECORDINGS = {
  "posthog-js-1.449.2": browser("current"),
  "posthog-js-1.155.0": browser("2024"),
  "posthog-node-5.70.0": node("5.70.0"),
  "posthog-node-3.6.3": node("3.6.3"),
  "posthog-node-2.5.4": node("2.5.4"),
  "posthog-python-7.91.1": python("7.91.1"),
  "posthog-python-3.25.0": python("3.25.0"),
  "posthog-go-1.23.1": go("1.23.1", "v1"),
  "posthog-go-1.5.2": go("1.5.2"),
  "posthog-go-1.3.3": go("1.3.3"),
  "posthog-rs-0.30.0": rust("0.30.0"),
  "posthog-rs-0.30.0-capture-v1": rust("0.30.0", ["--features", "v1"]),
  "posthog-rs-0.3.7": rust03("0.3.7"),
  "posthog-jvm-6.6.5": java("com.posthog", "posthog", "6.6.5", "Core"),
  "posthog-jvm-3.23.1": java("com.posthog", "posthog", "3.23.1", "Core"),
  "posthog-ruby-3.23.2": ruby("3.23.2"),
  "posthog-php-4.13.2": php("4.13.2"),
  "posthog-java-server-2.3.3": java("com.posthog", "posthog-server", "2.3.3", "Server"),
  "posthog-java-1.2.0": java("com.posthog.java", "posthog", "1.2.0", "Old"),
  "posthog-go-1.23.1-flags": goFlags("1.23.1"),
  "posthog-rs-0.30.0-flags": rust("0.30.0", [], "flags"),
  "posthog-jvm-6.6.5-flags": java("com.posthog", "posthog", "6.6.5", "CoreFlags"),
  "posthog-jvm-3.23.1-flags": java("com.posthog", "posthog", "3.23.1", "CoreFlags"),
  "ofrep-java-0.0.2-flags": java("dev.openfeature.contrib.providers", "ofrep", "0.0.2", "Ofrep", "dev.openfeature:sdk:1.16.0"),
};

async function record(name, install) {
  const { cwd, command } = install();
  const recorder = await startRecorder();
  const [program, ...words] = command;
  const child = spawn(program, words, {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, HOGFLARE_RECORD_URL: recorder.url },
  });
  const status = await new Promise((done) => child.once("exit", done));
  const { requests } = await recorder.stop();
  if (status !== 0) throw new Error(`${name}: its program ended with ${status}`);
  if (requests.length === 0) throw new Error(`${name}: it sent nothing`);
  const recording = { sdk: name, requests };
  writeFileSync(join(ROOT, "tests/golden", `${name}.json`), `${JSON.stringify(recording, null, 1)}\n`);
  console.log(`${name}: ${requests.length} requests`);
}

const isFlags = (path) => /^\/(flags|decide|ofrep|api\/feature_flag)\b/.test(path);

/** Runs the release against the product; it must read the flags right. Keeps its questions if `keep`. */
async function askFlags(name, install, keep) {
  const { cwd, command } = install();
  const system = await startSystem({ vars: VARIABLES });
  const relay = await startRelay(system.url);
  const [program, ...words] = command;
  const child = spawn(program, words, {
    cwd,
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, HOGFLARE_RECORD_URL: relay.url },
  });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  try {
    const status = await new Promise((done) => child.once("close", done));
    if (status !== 0) throw new Error(`its program ended with ${status}`);
    const { remote, local, ...more } = JSON.parse(output.slice(output.indexOf("{")));
    const { payload, ...values } = VALUES;
    assert.deepEqual(remote, remote.payload === undefined ? values : { ...values, payload });
    if (local !== undefined) assert.deepEqual(local, VALUES);
    const questions = relay.exchanges.filter(({ request, status: code }) => isFlags(request.path) && code !== 304);
    assert.ok(questions.length > 0);
    console.log(`${name}: ${questions.length} questions, ${JSON.stringify({ remote, local, ...more })}`);
    if (!keep) return;
    const kept = new Map();
    for (const { request, status: code, text } of questions) {
      const sent = { ...request, headers: request.headers.filter(([header]) => !OF_THE_CONNECTION.has(header)) };
      kept.set(JSON.stringify(sent), { request: sent, status: code, learned: learned(request.path, JSON.parse(text)) });
    }
    const recording = { sdk: name.replace("-flags", ""), isLocal: local !== undefined, questions: [...kept.values()] };
    mkdirSync(join(ROOT, "tests/golden/flags"), { recursive: true });
    writeFileSync(join(ROOT, "tests/golden/flags", `${recording.sdk}.json`), `${JSON.stringify(recording, null, 1)}\n`);
  } finally {
    relay.stop();
    await system.stop();
  }
}

/** The names of the events that a recording holds, sorted. */
function recordedEvents(name) {
  const { requests } = JSON.parse(readFileSync(join(ROOT, "tests/golden", `${name}.json`), "utf8"));
  return requests.flatMap(eventsOf).sort();
}

/** Runs the release against the started product: every event of the recording arrives, none is refused. */
async function runLive(name, install) {
  const { cwd, command } = install();
  const system = await startSystem();
  const [program, ...words] = command;
  const child = spawn(program, words, {
    cwd,
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, HOGFLARE_RECORD_URL: system.url },
  });
  try {
    const status = await new Promise((done) => child.once("exit", done));
    if (status !== 0) throw new Error(`its program ended with ${status}`);
    const wanted = recordedEvents(name).join("\n");
    const arrived = async () => (await system.rows()).map(({ event }) => event).sort().join("\n") === wanted;
    await eventually(arrived, { what: `the events of ${name}` });
    const rejects = (await system.stream("rejects")).filter(({ kind }) => kind !== "warning");
    if (rejects.length > 0) throw new Error(`rejects: ${JSON.stringify(rejects)}`);
    console.log(`${name}: ${wanted.split("\n").length} events arrived`);
  } finally {
    await system.stop();
  }
}

const isLive = process.argv.includes("--live");
const asked = process.argv.slice(2).filter((word) => word !== "--live");
if (asked.includes("--list")) {
  console.log(Object.keys(RECORDINGS).join("\n"));
  process.exit(0);
}
const unknown = asked.filter((name) => !(name in RECORDINGS));
if (unknown.length > 0) {
  console.error(`record-golden: no recording ${unknown.join(", ")}; --list names them`);
  process.exit(2);
}
const failed = [];
for (const [name, install] of Object.entries(RECORDINGS)) {
  if (asked.length > 0 && !asked.includes(name)) continue;
  try {
    if (name.endsWith("-flags")) await askFlags(name, install, !isLive);
    else await (isLive ? runLive : record)(name, install);
  } catch (error) {
    failed.push(name);
    console.error(`${name} ${isLive ? "failed" : "could not be recorded"}: ${error.message}`);
  }
}
process.exit(failed.length > 0 ? 1 : 0);
