// The command against Cloudflare's stand-in: made, looked at, killed everywhere, taken down.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { OBJECTS, TAGS } from "../../cli/config.mjs";
import { startCloudflare } from "../../fake-cloudflare/server.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { addresses, environment, hogflare, runThroughKills } from "../lib/cloudflare.mjs";

const ADMIN = "an-admin-token-that-nobody-guesses";
const STREAMS = readdirSync(join(ROOT, "schemas")).map((name) => name.replace(".json", "")).sort();
const folders = [];
const newFolder = () => {
  folders.push(mkdtempSync(join(tmpdir(), "hogflare-cli-")));
  return folders.at(-1);
};
const clouds = [];
after(async () => {
  await Promise.all(clouds.map((cloud) => cloud.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** A stand-in, a folder, and the command in it. */
async function begin({ account = {}, env = {}, edge = true } = {}) {
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

const secretsFiles = () => readdirSync(tmpdir()).filter((name) => name.startsWith("hogflare-secrets-"));

/** Every text below a folder. */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** What a whole deployment is, and that nothing of earlier attempts is left. */
function assertWhole({ state }) {
  for (const kind of ["streams", "sinks", "pipelines"]) assert.equal(state[kind].length, STREAMS.length, kind);
  assert.deepEqual(state.pipelines.map((each) => each.status), STREAMS.map(() => "running"));
  assert.deepEqual(state.buckets.map((each) => each.name), ["hogflare"]);
  assert.equal(state.kv.length, 1);
  const used = new Set(state.sinks.map((each) => each.tokenId));
  assert.deepEqual(state.tokens.filter((each) => each.name !== "bootstrap" && !used.has(each.id)), [], "tokens nobody holds");
  assert.equal(state.catalogs[0].credential_status, "present");
  assert.equal(state.catalogs[0].maintenance_config.compaction.target_size_mb, "128");
  const [script] = state.scripts;
  assert.equal(script.tag, TAGS.at(-1));
  assert.deepEqual(script.namespaces.map((each) => each.class).sort(), OBJECTS.map((each) => each.class).sort());
  assert.ok(script.subdomain.enabled);
}

describe("plan", () => {
  it("says every step and the price without an account, and asks nobody", async () => {
    const { cloud, json } = await begin({ edge: false });
    const { code, steps, costs, name, bucket } = await json(["plan", "--offline", "--name", "my-app", "--bucket", "my-rows", "--events", "100000000"], { CLOUDFLARE_API_TOKEN: "" });
    assert.equal(code, 0);
    assert.deepEqual([name, bucket], ["my-app", "my-rows"]);
    const names = steps.map((step) => step.step);
    for (const stream of STREAMS) for (const part of ["stream", "sink", "pipeline"]) assert.ok(names.includes(`${part}:${stream}`), `${part}:${stream}`);
    assert.match(JSON.stringify(steps), /my_app_events_v1/);
    assert.ok(costs.usd > 5 && costs.lines.some((line) => line.usd > 0 && /sinks/.test(line.what)));
    assert.deepEqual(cloud.requests, []);
    await cloud.stop();
  });

  it("with an account says what is there, and changes nothing", async () => {
    const { cloud, json } = await begin({ edge: false });
    const { steps } = await json(["create", "--dry-run"]);
    assert.ok(steps.some((step) => step.step === "bucket" && step.outcome === "would"));
    assert.deepEqual(cloud.requests.filter((call) => call.method !== "GET"), []);
    await cloud.stop();
  });
});

describe("create and destroy", () => {
  it("end right when they are killed at every request that changes something", async () => {
    const { cloud, cwd, env, command } = await begin({ account: { subdomain: undefined } });
    const made = await runThroughKills(cloud, ["create"], { cwd, env });
    assert.equal(made.last.code, 0, made.last.stderr);
    console.log(`create: killed ${made.killedAt.length} times`);
    assert.deepEqual(secretsFiles(), [], "also not what killed runs left");
    for (const part of ["r2/buckets", "/enable", "/tokens", "/credential", "/maintenance-configs", "/streams", "/sinks", "/pipelines ", "/namespaces", "/scripts/hogflare "]) {
      assert.ok(made.killedAt.some((key) => key.includes(part)), `never killed at ${part}`);
    }
    assertWhole(cloud);
    const again = await command(["create"]);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stderr, /version .* is deployed\n/);
    assertWhole(cloud);

    const gone = await runThroughKills(cloud, ["destroy", "--yes", "--data"], { cwd, env, extra: ["--drain-wait", "5"] });
    assert.equal(gone.last.code, 0, gone.last.stderr);
    console.log(`destroy: killed ${gone.killedAt.length} times`);
    const { state } = cloud;
    for (const kind of ["streams", "sinks", "pipelines", "buckets", "catalogs", "kv", "scripts"]) assert.deepEqual(state[kind], [], kind);
    assert.deepEqual(state.tokens.map((each) => each.name), ["bootstrap"]);
    await cloud.stop();
  });

  it("go through lost answers and refused connections, and a next create takes new tables beside the old", async () => {
    const { cloud, command } = await begin();
    cloud.state.uniqueNames = false;
    for (const path of [/r2\/buckets$/, /\/v1\/streams$/, /\/v1\/sinks$/, /\/v1\/pipelines$/, /kv\/namespaces$/]) {
      cloud.faults.push({ method: "POST", path, status: 500, after: true });
    }
    cloud.faults.push({ method: "GET", path: /streams/, status: 429, code: 971, headers: { "retry-after": "1" } });
    const first = await command(["create"]);
    assert.equal(first.code, 0, first.stderr);
    assertWhole(cloud);
    assert.equal((await command(["destroy", "--yes", "--drain-wait", "5"])).code, 0);
    assert.equal(cloud.state.catalogs[0].tables.length, STREAMS.length);
    const second = await command(["create"]);
    assert.equal(second.code, 0, second.stderr);
    assertWhole(cloud);
    assert.ok(cloud.state.sinks.every((each) => each.name.endsWith("_v2")), JSON.stringify(cloud.state.sinks.map((each) => each.name)));
    await cloud.stop();
  });

  it("keep secrets out of arguments, output and files", async () => {
    const { cloud, cwd, command } = await begin();
    const seen = [];
    cloud.before = (call) => {
      if (call.method !== "PUT" || !/scripts\/hogflare$/.test(call.path)) return;
      for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
        try {
          const line = readFileSync(`/proc/${pid}/cmdline`, "utf8");
          if (line.includes(cwd)) seen.push(line);
        } catch {
          // It has ended meanwhile.
        }
      }
    };
    const { code, stdout, stderr } = await command(["create", "--json"], { POSTHOG_SIGNING_SECRET: "a-signing-secret-of-ours" });
    assert.equal(code, 0, `${stdout}${stderr}`);
    const minted = cloud.state.tokens.map((each) => each.value);
    const secrets = [...minted, ADMIN, "a-signing-secret-of-ours"];
    assert.ok(seen.length > 0);
    for (const secret of secrets) {
      assert.ok(!`${stdout}${stderr}${seen.join()}`.includes(secret), "a secret was shown");
      for (const path of filesBelow(cwd)) assert.ok(!readFileSync(path, "utf8").includes(secret), `a secret is in ${path}`);
    }
    assert.equal(cloud.state.scripts[0].secrets.get("POSTHOG_SIGNING_SECRET"), "a-signing-secret-of-ours");
    assert.deepEqual(secretsFiles(), []);
    await cloud.stop();
  });

  it("stop before anything is made when something is missing, and say what", async () => {
    const cases = [
      { account: { r2: false }, says: /R2 is not switched on/ },
      { groups: ["Workers R2 Storage Write", "Workers KV Storage Write", "Pipelines Write"], says: /Basin Pipelines: Edit" together with "Workers Scripts: Edit/ },
      { groups: ["Workers Scripts Write"], says: /Workers R2 Storage: Edit/ },
      { foreign: true, code: 5, says: /is not Hogflare's/ },
    ];
    for (const { account, groups, foreign, code = 4, says } of cases) {
      const { cloud, command } = await begin({ account, edge: false });
      if (foreign) await uploadScript(cloud, "hogflare", []);
      const token = groups === undefined ? cloud.token : cloud.addToken({ groups }).value;
      const before = cloud.requests.length;
      const ended = await command(["create"], { CLOUDFLARE_API_TOKEN: token });
      assert.equal(ended.code, code, ended.stderr);
      assert.match(ended.stderr, says);
      assert.deepEqual(cloud.requests.slice(before).filter((call) => call.method !== "GET"), []);
      await cloud.stop();
    }
  });

  it("ask for the sinks' token where it may not be minted, and take it from the environment", async () => {
    const { cloud, command } = await begin();
    const groups = cloud.state.tokens[0].groups.filter((group) => group !== "Account API Tokens Write");
    const token = cloud.addToken({ groups, name: "narrow" }).value;
    const stopped = await command(["create"], { CLOUDFLARE_API_TOKEN: token });
    assert.equal(stopped.code, 4, stopped.stderr);
    assert.match(stopped.stderr, /HOGFLARE_SINK_TOKEN/);
    const wrong = await command(["create"], { CLOUDFLARE_API_TOKEN: token, HOGFLARE_SINK_TOKEN: cloud.addToken({ groups: ["Workers R2 Storage Write"], name: "wrong" }).value });
    assert.equal(wrong.code, 4, wrong.stderr);
    const sinks = cloud.addToken({ groups: ["Workers R2 Storage Write", "Workers R2 Data Catalog Write"], name: "sinks" });
    const ended = await command(["create"], { CLOUDFLARE_API_TOKEN: token, HOGFLARE_SINK_TOKEN: sinks.value });
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual([...new Set(cloud.state.sinks.map((each) => each.tokenId))], [sinks.id]);
    await cloud.stop();
  });
});

/** A Worker as the first Hogflare deployed it, or another's. */
async function uploadScript(cloud, name, classes, { tag = "v1", sqlite = true } = {}) {
  cloud.state.account.keyValueObjects = !sqlite;
  const form = new FormData();
  const migrations = classes.length === 0 ? {} : { migrations: { new_tag: tag, steps: [{ [sqlite ? "new_sqlite_classes" : "new_classes"]: classes }] } };
  form.set("metadata", JSON.stringify({ main_module: "w.js", bindings: [], ...migrations }));
  form.set("w.js", new File([`export default {};\n${classes.map((each) => `export class ${each} {}`).join("\n")}`], "w.js", { type: "application/javascript+module" }));
  const answer = await fetch(`${cloud.api}/accounts/${cloud.account}/workers/scripts/${name}`, { method: "PUT", headers: { authorization: `Bearer ${cloud.token}` }, body: form });
  assert.equal(answer.status, 200, await answer.text());
  cloud.state.account.keyValueObjects = false;
}

describe("over the first Hogflare", () => {
  const situations = [
    { tag: "v1", sqlite: false, classes: ["PersonDurableObject"], says: /KV-backed, which Cloudflare never turns/ },
    { tag: "v2", sqlite: false, classes: ["PersonDurableObject", "PersonIdCounterDurableObject", "GroupDurableObject"], says: /KV-backed/ },
    { tag: "v1", sqlite: true, classes: ["PersonDurableObject"], says: /under other keys/ },
    { tag: "v2", sqlite: true, classes: ["PersonDurableObject", "PersonIdCounterDurableObject", "GroupDurableObject"], says: /under other keys/ },
  ];
  for (const { tag, sqlite, classes, says } of situations) {
    it(`tag ${tag}, ${sqlite ? "SQLite" : "KV"}-backed: create refuses with reason and way, doctor knows it, a new name works`, async () => {
      const { cloud, command, json } = await begin({ edge: false });
      await uploadScript(cloud, "hogflare", classes, { tag, sqlite });
      const refused = await command(["create"]);
      assert.equal(refused.code, 5, refused.stderr);
      assert.match(refused.stderr, says);
      assert.match(refused.stderr, /--name.*import.*UPGRADING/);
      assert.deepEqual(cloud.state.buckets, []);
      const { code, findings } = await json(["doctor", "--no-event"]);
      assert.equal(code, 3);
      assert.match(findings.find((each) => each.check === "first-hogflare").what, says);
      const planned = await json(["create", "--dry-run", "--name", "hogflare-two"]);
      assert.equal(planned.code, 0, planned.stderr);
      assert.equal(cloud.state.scripts[0].tag, tag);
      await cloud.stop();
    });
  }
});

describe("doctor", () => {
  let system;
  before(async () => {
    system = await begin();
    const { code, stderr } = await system.command(["create", "--wait", "60"]);
    assert.equal(code, 0, stderr);
  });
  after(() => system.cloud.stop());

  it("finds nothing in a sound deployment, and one event gets through", async () => {
    const { code, findings } = await system.json(["doctor", "--origin", "https://www.example.com", "--wait", "30"]);
    assert.deepEqual(findings, []);
    assert.equal(code, 0);
  });

  const events = (kind) => (state) => state[kind].find((each) => /_events_/.test(each.name));
  /** Sets a property; returns what puts it back. */
  const set = (object, key, value) => {
    const old = object[key];
    object[key] = value;
    return () => (object[key] = old);
  };
  const without = (state, kind, pick) => set(state, kind, state[kind].filter((each) => each !== pick(state)));
  const version = (state) => state.scripts[0].versions.at(-1);

  const faults = [
    { name: "a token without Pipelines", check: "token-scope", todo: /Workers Scripts: Edit/, plant: (state) => set(state.tokens[0], "groups", state.tokens[0].groups.filter((each) => each !== "Pipelines Write")) },
    { name: "the sinks' token was deleted", check: "sink-token", plant: (state) => set(state, "tokens", state.tokens.filter((each) => each.name === "bootstrap")) },
    { name: "a pipeline failed", check: "pipeline", plant: (state) => set(events("pipelines")(state), "status", "failed") },
    { name: "a pipeline is gone", check: "pipeline", plant: (state) => without(state, "pipelines", events("pipelines")) },
    { name: "a stream has other columns", check: "schema", todo: /upgrade/, plant: (state) => set(events("streams")(state).schema, "fields", events("streams")(state).schema.fields.slice(1)) },
    { name: "a stream is open to everybody", check: "open-ingest", plant: (state) => set(events("streams")(state), "http", { enabled: true, authentication: false }) },
    { name: "the Worker is bound to another stream", check: "binding", todo: /deploy/, plant: (state) => set(version(state).bindings.find((each) => each.name === "EVENTS_STREAM"), "stream", "0".repeat(32)) },
    { name: "a stream is gone", check: "stream", plant: (state) => without(state, "streams", events("streams")) },
    { name: "a sink is gone", check: "sink", plant: (state) => without(state, "sinks", events("sinks")) },
    { name: "the catalog is switched off", check: "catalog", plant: (state) => set(state.catalogs[0], "status", "inactive") },
    { name: "compaction is off", check: "maintenance", plant: (state) => set(state.catalogs[0], "maintenance_config", {}) },
    { name: "rows are dropped in silence", check: "silent-drops", says: /7 missing_field/, plant: (state) => set(events("pipelines")(state), "errors", { missing_field: 7 }) },
    { name: "rows are written and no file", check: "no-files", plant: (state) => set(state.catalogs[0].tables.find((each) => /events/.test(each.name)), "files", 0) },
    { name: "a class is KV-backed", check: "objects", plant: (state) => set(state.scripts[0].namespaces[0], "use_sqlite", false) },
    { name: "the last migration was not applied", check: "migrations", plant: (state) => set(state.scripts[0], "tag", TAGS[0]) },
    { name: "the newest version is not deployed", check: "not-deployed", plant: (state) => set(state.scripts[0], "versions", [...state.scripts[0].versions, { ...version(state), id: "11111111-1111-4111-8111-111111111111" }]) },
    { name: "two versions share the traffic", check: "split", plant: (state) => set(state.scripts[0].deployments[0], "versions", [{ version_id: version(state).id, percentage: 90 }, { version_id: version(state).id, percentage: 10 }]) },
    { name: "a secret is a plain variable", check: "secrets", plant: (state) => set(version(state), "bindings", [...version(state).bindings, { type: "plain_text", name: "POSTHOG_SIGNING_SECRET", text: "seen" }]) },
    { name: "the flags' namespace is gone", check: "kv", plant: (state) => set(state, "kv", []) },
    { name: "the account has no workers.dev name", check: "workers-dev", plant: (state) => set(state.account, "subdomain", undefined) },
    { name: "Workers Logs are off", check: "observability", plant: (state) => set(version(state).metadata, "observability", { enabled: false }) },
    { name: "R2 was switched off", check: "r2", plant: (state) => set(state.tokens[0], "value", state.tokens[0].value), fault: { path: /r2\/buckets/, status: 403, code: 10042, times: 9 } },
    { name: "the domain belongs to another Worker", check: "domain", args: ["--domain", "in.example.com"], plant: (state) => set(state, "domains", [{ id: "d", hostname: "in.example.com", service: "another" }]) },
    { name: "nothing answers", check: "reach", env: { HOGFLARE_WORKER_URL: "http://127.0.0.1:9" }, plant: () => () => {} },
  ];
  for (const { name, check, plant, fault, args = [], env = {}, says = /./, todo = /./ } of faults) {
    it(`finds: ${name}`, async () => {
      const { cloud, json } = system;
      const undo = plant(cloud.state);
      if (fault) cloud.faults.push(fault);
      try {
        const { code, findings } = await json(["doctor", "--no-event", ...args], env);
        assert.equal(code, 3);
        const found = findings.find((each) => each.check === check);
        assert.ok(found !== undefined, JSON.stringify(findings));
        assert.match(found.what, says);
        assert.match(found.todo, todo);
      } finally {
        undo();
        cloud.faults.length = 0;
      }
    });
  }

  it("--fix closes an open stream", async () => {
    const stream = events("streams")(system.cloud.state);
    stream.http = { enabled: true, authentication: false };
    assert.equal((await system.json(["doctor", "--no-event", "--fix"])).code, 0);
    assert.deepEqual(stream.http, { enabled: false, authentication: true });
  });

  it("status has the address, the tables and their rows", async () => {
    const { code, status, tables, outbox } = await system.json(["status"]);
    assert.equal(code, 0);
    assert.equal(status, "ok");
    assert.equal(outbox.rows, 0);
    assert.ok(tables.find((each) => each.stream === "events").written >= 1);
  });

  it("destroy refuses while the outbox holds rows", async () => {
    const { cloud, command } = system;
    const undo = set(cloud.state, "streams", []);
    const sent = await fetch(`${cloud.workerUrl("hogflare")}/batch/`, { method: "POST", body: JSON.stringify({ api_key: "phc_x", batch: [{ event: "kept", distinct_id: "d" }] }) });
    assert.equal(sent.status, 200);
    undo();
    const refused = await command(["destroy", "--yes"]);
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /2 rows wait in the outbox/);
    assert.equal(cloud.state.scripts.length, 1);
  });
});
