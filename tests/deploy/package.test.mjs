// The npm package in an empty folder: no compiler, no sources, only what it brings.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { convertV4MiniflareOptions, Miniflare } from "miniflare";
import { OBJECTS, ownParts, readConfig } from "../../cli/config.mjs";
import { compatibilityDate, ROOT } from "../../scripts/lib/worker.mjs";
import { throughPipeline } from "../../fake-cloudflare/pipeline.mjs";
import { startCloudflare } from "../../fake-cloudflare/server.mjs";
import { addresses, environment, run } from "../lib/cloudflare.mjs";
import { eventually, freePort, sinkVariables, startPipeline, TOKEN } from "../lib/harness.mjs";

/** Cloudflare's own tool, of the registry; not a dependency, since nothing but this test runs it. */
const CREATE_CLOUDFLARE = "2.74.0";
const NODE = join(ROOT, "node_modules/.bin/node");
const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const tarball = join(ROOT, `dist/hogflare-${version}.tgz`);
const inFolder = (command, args) =>
  execFileSync(command, args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, CI: "true" } });
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

let folder;
let first;
before(() => {
  const pack = () => execFileSync(NODE, [join(ROOT, "scripts/lib/package.mjs")], { cwd: ROOT, stdio: ["ignore", "ignore", "inherit"] });
  pack();
  first = sha256(tarball);
  pack();
  folder = mkdtempSync(join(tmpdir(), "hogflare-package-"));
  inFolder("npm", ["install", "--no-audit", "--no-fund", "--silent", tarball]);
});
after(() => folder && rmSync(folder, { recursive: true, force: true }));

describe("the package", () => {
  it("is the same twice, small, and holds nothing but what an operator needs", () => {
    assert.equal(sha256(tarball), first);
    assert.ok(statSync(tarball).size <= 3_000_000);
    const names = execFileSync("tar", ["tzf", tarball], { encoding: "utf8" }).trim().split("\n");
    assert.deepEqual(
      names.filter((name) => /\/(src|include|tests|fuzz|bench|node_modules)\//.test(name)),
      [],
    );
    assert.doesNotMatch(readFileSync(join(folder, "node_modules/hogflare/wrangler.toml.example"), "utf8"), /\[build\]/);
  });

  it("says what is inside it, and the module is the one it names", () => {
    const inside = join(folder, "node_modules/hogflare");
    const bill = JSON.parse(readFileSync(join(inside, "sbom.cdx.json"), "utf8"));
    assert.equal(bill.bomFormat, "CycloneDX");
    const names = bill.components.map((component) => component.name);
    for (const name of [
      "nlohmann/json",
      "{fmt}",
      "RE2",
      "zlib",
      "OpenSSL libcrypto",
      "posthog-js",
      "preact",
      "uplot",
      "@rrweb/replay",
      "@jridgewell/trace-mapping",
    ])
      assert.ok(names.includes(name), name);
    const refs = bill.components.map((component) => component["bom-ref"]);
    assert.equal(new Set(refs).size, refs.length);
    const sum = sha256(join(inside, "build/wasm/core.wasm"));
    assert.equal(bill.metadata.component.hashes[0].content, sum);
    assert.equal(readFileSync(join(inside, "build/wasm/core.wasm.sha256"), "utf8"), `${sum}  core.wasm\n`);
    const { exports } = JSON.parse(readFileSync(join(inside, "package.json"), "utf8"));
    for (const path of Object.values(exports)) assert.ok(existsSync(join(inside, path.replace("*", ""))), path);
    assert.equal(exports["./core.wasm"], "./build/wasm/core.wasm");
    const terms = readFileSync(join(inside, "THIRD_PARTY_LICENSES"), "utf8");
    for (const words of [
      "Niels Lohmann",
      "Victor Zverovich",
      "The RE2 Authors",
      "Jean-loup Gailly",
      "Apache License",
      "Jason Miller",
      "Leon Sorokin",
      "Justin Ridgewell",
    ])
      assert.ok(terms.includes(words), words);
  });

  it("deploys dry without a build, and what would be uploaded takes an event and serves a script", async () => {
    cpSync(join(folder, "node_modules/hogflare/wrangler.toml.example"), join(folder, "wrangler.toml"));
    inFolder(NODE, ["node_modules/hogflare/scripts/lib/assets.mjs", "assets"]);
    inFolder(NODE, [join(ROOT, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "out"]);
    const out = join(folder, "out");
    const pipeline = await startPipeline(join(folder, "pipeline"));
    const object = (className) => ({ className, useSQLite: true });
    const worker = new Miniflare(
      convertV4MiniflareOptions({
        host: "127.0.0.1",
        port: 0,
        resourcePersistencePath: join(folder, "worker"),
        workers: [
          {
            name: "hogflare",
            modules: readdirSync(out)
              .filter((name) => /\.(js|wasm)$/.test(name))
              .map((name) => ({ type: name.endsWith(".js") ? "ESModule" : "CompiledWasm", path: join(out, name) }))
              .sort((left) => (left.type === "ESModule" ? -1 : 1)),
            modulesRoot: out,
            compatibilityDate: compatibilityDate(),
            bindings: sinkVariables(pipeline.url),
            assets: {
              directory: join(folder, "assets"),
              binding: "ASSETS",
              routerConfig: { has_user_worker: true },
              assetConfig: { html_handling: "none" },
            },
            durableObjects: {
              PERSONS: object("PersonDurableObject"),
              PERSON_ID_COUNTER: object("PersonIdCounterDurableObject"),
              GROUPS: object("GroupDurableObject"),
              OUTBOX: object("OutboxDurableObject"),
            },
          },
        ],
      }),
    );
    try {
      const url = (await worker.ready).href;
      const sent = await fetch(`${url}batch/`, {
        method: "POST",
        body: JSON.stringify({ api_key: TOKEN, batch: [{ event: "from the package", properties: { distinct_id: "p" } }] }),
      });
      assert.equal(sent.status, 200);
      await eventually(async () => (await pipeline.json("/events")).some((row) => row.event === "from the package"), { what: "the row" });
      assert.equal((await fetch(`${url}static/array.js`)).status, 200);
    } finally {
      await worker.dispose();
      await pipeline.stop();
    }
  });

  it("goes from an empty folder to a row of an Iceberg table by one command", async () => {
    const pipeline = await startPipeline(join(folder, "iceberg"));
    const cloud = await startCloudflare(throughPipeline(pipeline.url));
    try {
      const cwd = mkdtempSync(join(folder, "project-"));
      const { CI: _, ...env } = environment(cloud, addresses(cloud));
      const made = await run(NODE, [join(folder, "node_modules/.bin/hogflare"), "create", "--json"], { cwd, env });
      assert.equal(made.code, 0, made.stderr);
      const { url, steps } = JSON.parse(made.stdout);
      assert.match(steps.at(-1).detail, /was a row of default.hogflare_events_v1/);
      const { PostHog } = await import("posthog-node");
      const client = new PostHog(TOKEN, { host: url });
      client.capture({ distinctId: "someone", event: "bought", properties: { price: 3 } });
      await client.shutdown();
      await eventually(async () => (await pipeline.json("/events")).some((row) => row.event === "bought"), {
        what: "the row",
        timeoutMs: 60_000,
      });
      const asked = await run(
        NODE,
        [join(folder, "node_modules/.bin/hogflare"), "query", "SELECT event, distinct_id FROM {events} WHERE event = 'bought'", "--json"],
        { cwd, env },
      );
      assert.deepEqual(JSON.parse(asked.stdout).rows, [{ event: "bought", distinct_id: "someone" }]);
      const answer = await fetch(`${pipeline.url}/export/iceberg?stream=events`);
      if (answer.status === 501)
        console.log(
          "the Iceberg writer is not installed here (fake-pipeline/requirements-iceberg.txt); the row is in the stand-in's table",
        );
      else assert.equal(answer.status, 200, await answer.text());
    } finally {
      await cloud.stop();
      await pipeline.stop();
    }
  });

  it("comes with a template whose configuration is what create writes", async () => {
    const template = JSON.parse(readFileSync(join(ROOT, "template/package.json"), "utf8"));
    assert.equal(template.dependencies.hogflare, version);
    assert.equal(template.dependencies.wrangler, JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")).dependencies.wrangler);
    const cwd = mkdtempSync(join(folder, "template-"));
    cpSync(join(ROOT, "template"), cwd, { recursive: true });
    symlinkSync(join(folder, "node_modules"), join(cwd, "node_modules"));
    const dry = await run(NODE, [join(folder, "node_modules/wrangler/bin/wrangler.js"), "deploy", "--dry-run", "--outdir", "out"], {
      cwd,
      env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false", PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}` },
    });
    assert.equal(dry.code, 0, dry.stdout + dry.stderr);
    const parts = ownParts(
      { name: "hogflare", folder: cwd, account: "a", bucket: "hogflare", namespace: "default", rateLimit: 0, streams: [], tables: {} },
      { streamIds: {}, kvId: "k" },
    );
    const { migrations, durable_objects, compatibility_date, assets } = readConfig(cwd);
    const { migrations: m, durable_objects: d, compatibility_date: c, assets: a } = parts;
    assert.deepEqual(
      { migrations, durable_objects, compatibility_date, assets },
      { migrations: m, durable_objects: d, compatibility_date: c, assets: a },
    );
    for (const { binding } of OBJECTS) assert.ok(template.cloudflare.bindings[binding].description, binding);
    const example = readFileSync(join(ROOT, "wrangler.toml.example"), "utf8");
    for (const { binding, class: name, tag } of OBJECTS)
      assert.match(example, new RegExp(`name = "${binding}"\nclass_name = "${name}"[^]*tag = "${tag}"[^\\[]*\\[[^\\]]*"${name}"`));
    assert.match(example, new RegExp(`compatibility_date = "${compatibility_date}"`));
  });

  it("is taken by npm create cloudflare -- --template, and what it makes deploys", async () => {
    // Of the template's repository only the host is another: git is told where it stands. The package is not of the
    // registry but the tarball that would be published.
    const repository = mkdtempSync(join(folder, "repository-"));
    cpSync(join(ROOT, "template"), repository, { recursive: true });
    const manifest = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    manifest.dependencies.hogflare = `file:${tarball}`;
    writeFileSync(join(repository, "package.json"), JSON.stringify(manifest));
    const git = (cwd, ...args) =>
      execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@example.com", ...args], { cwd, stdio: "ignore" });
    git(repository, "init", "-q", "-b", "main");
    git(repository, "add", "-A");
    git(repository, "commit", "-q", "-m", "template");
    git(folder, "clone", "-q", "--bare", repository, join(folder, "served/example/hogflare-template"));
    const env = {
      ...process.env,
      CI: "1",
      WRANGLER_SEND_METRICS: "false",
      CREATE_CLOUDFLARE_TELEMETRY_DISABLED: "1",
      PATH: `${join(ROOT, "node_modules/.bin")}:${process.env.PATH}`,
      npm_config_prefer_offline: "true",
      npm_config_audit: "false",
      npm_config_fund: "false",
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: `url.file://${join(folder, "served/")}.insteadOf`,
      GIT_CONFIG_VALUE_0: "git@github.com:",
    };
    const cwd = mkdtempSync(join(folder, "created-"));
    const words = [
      "my-hogflare",
      "--category",
      "remote-template",
      "--template",
      "github:example/hogflare-template",
      "--template-mode",
      "git",
      "--no-deploy",
      "--no-git",
      "--no-open",
      "--no-agents",
      "--no-auto-update",
    ];
    const made = await run("npm", ["create", "--yes", `cloudflare@${CREATE_CLOUDFLARE}`, "--", ...words], { cwd, env });
    assert.equal(made.code, 0, made.stdout + made.stderr);
    assert.match(made.stdout, /Application created successfully/);
    const project = join(cwd, "my-hogflare");
    for (const name of [".dev.vars.example", ".gitignore", "node_modules/hogflare/build/wasm/core.wasm"])
      assert.ok(existsSync(join(project, name)), name);
    const dry = await run("npx", ["wrangler", "deploy", "--dry-run", "--outdir", "out"], { cwd: project, env });
    assert.equal(dry.code, 0, dry.stdout + dry.stderr);
    assert.ok(readdirSync(join(project, "out")).some((name) => name.endsWith("core.wasm")));
    const planned = await run("npx", ["hogflare", "plan", "--offline", "--json"], { cwd: project, env });
    assert.equal(JSON.parse(planned.stdout).name, "my-hogflare");
  });

  it("runs in workerd by the command of docker-compose.yml", async () => {
    const pipeline = await startPipeline(join(folder, "compose"));
    const port = await freePort();
    const lines = readFileSync(join(ROOT, "docker-compose.yml"), "utf8").split("\n");
    const first = lines.findIndex((line) => line.trim() === "command:") + 1;
    const words = [];
    for (let at = first; /^ +- /.test(lines[at]); ++at) {
      words.push(
        lines[at]
          .trim()
          .slice(2)
          .replace("0.0.0.0", "127.0.0.1")
          .replace("8787", String(port))
          .replace("http://fake-pipeline:8088", pipeline.url)
          .replace("/data", join(folder, "data"))
          .replace(/\$\{.*\}/, ""),
      );
    }
    cpSync(join(folder, "node_modules/hogflare/wrangler.toml.example"), join(folder, "wrangler.toml"));
    let child;
    const ended = run(NODE, ["node_modules/wrangler/bin/wrangler.js", ...words.slice(1)], {
      cwd: folder,
      env: { ...process.env, CI: "1", WRANGLER_SEND_METRICS: "false" },
      onStart: (started) => (child = started),
    });
    try {
      const url = `http://127.0.0.1:${port}`;
      await eventually(
        () =>
          fetch(`${url}/_liveness`).then(
            (response) => response.ok,
            () => false,
          ),
        { what: "the Worker", timeoutMs: 60_000 },
      );
      const sent = await fetch(`${url}/batch/`, {
        method: "POST",
        body: JSON.stringify({ api_key: TOKEN, batch: [{ event: "composed", distinct_id: "d" }] }),
      });
      assert.equal(sent.status, 200);
      await eventually(async () => (await pipeline.json("/events")).some((row) => row.event === "composed"), { what: "the row" });
    } finally {
      process.kill(-child.pid, "SIGTERM");
      await ended;
      await pipeline.stop();
    }
  });
});
