// The command against Cloudflare's stand-in: made, killed everywhere, taken down.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { OBJECTS, TAGS } from "../../cli/config.mjs";
import { ADMIN, begin, cleanUp, secretsFiles, STREAMS, uploadScript } from "../lib/cli_system.mjs";
import { runThroughKills } from "../lib/cloudflare.mjs";

after(cleanUp);

/** Every text below a folder. */
function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile());
}

/** What a whole deployment is, and that nothing of earlier attempts is left. */
function assertWhole({ state }) {
  for (const kind of ["streams", "sinks", "pipelines"]) assert.equal(state[kind].length, STREAMS.length, kind);
  assert.deepEqual(
    state.pipelines.map((each) => each.status),
    STREAMS.map(() => "running"),
  );
  assert.deepEqual(
    state.buckets.map((each) => each.name),
    ["hogflare"],
  );
  assert.equal(state.kv.length, 1);
  const used = new Set(state.sinks.map((each) => each.tokenId));
  const [script] = state.scripts;
  const reader = state.tokens.find((each) => each.value === script.secrets.get("HOGFLARE_SQL_TOKEN"));
  assert.deepEqual([...reader.groups].sort(), ["Workers R2 Data Catalog Read", "Workers R2 SQL Read", "Workers R2 Storage Read"]);
  assert.deepEqual(
    state.tokens.filter((each) => each.name !== "bootstrap" && each !== reader && !used.has(each.id)),
    [],
    "tokens nobody holds",
  );
  const variables = Object.fromEntries(
    script.versions
      .at(-1)
      .bindings.filter((each) => each.type === "plain_text")
      .map((each) => [each.name, each.text]),
  );
  const tables = Object.fromEntries(
    state.sinks.map((each) => [each.name.replace(/^hogflare_(.*)_sink_v\d+$/, "$1"), each.config.table_name]),
  );
  const assumed = Object.values(tables).every((each) => each.endsWith("_v1"));
  assert.deepEqual(
    [variables.HOGFLARE_SQL_ACCOUNT_ID, variables.HOGFLARE_SQL_BUCKET, variables.HOGFLARE_SQL_NAMESPACE],
    [state.account.id, "hogflare", "default"],
  );
  assert.deepEqual(JSON.parse(variables.HOGFLARE_SQL_TABLES ?? "{}"), assumed ? {} : tables);
  assert.equal(state.catalogs[0].credential_status, "present");
  assert.equal(state.catalogs[0].maintenance_config.compaction.target_size_mb, "128");
  assert.equal(script.tag, TAGS.at(-1));
  assert.deepEqual(script.namespaces.map((each) => each.class).sort(), OBJECTS.map((each) => each.class).sort());
  assert.ok(script.subdomain.enabled);
  const { simple, namespace_id: number } = script.versions.at(-1).bindings.find((each) => each.name === "CLIENT_RATE_LIMIT");
  assert.deepEqual(simple, { limit: 10_000, period: 10 });
  assert.match(number, /^\d+$/);
}

describe("plan", () => {
  it("says every step and the price without an account, and asks nobody", async () => {
    const { cloud, json } = await begin({ edge: false });
    const { code, steps, costs, name, bucket } = await json(
      ["plan", "--offline", "--name", "my-app", "--bucket", "my-rows", "--events", "100000000"],
      { CLOUDFLARE_API_TOKEN: "" },
    );
    assert.equal(code, 0);
    assert.deepEqual([name, bucket], ["my-app", "my-rows"]);
    const names = steps.map((step) => step.step);
    for (const stream of STREAMS)
      for (const part of ["stream", "sink", "pipeline"]) assert.ok(names.includes(`${part}:${stream}`), `${part}:${stream}`);
    assert.match(JSON.stringify(steps), /my_app_events_v1/);
    assert.match(
      steps.find((step) => step.step === "rate-limit").detail,
      /bind CLIENT_RATE_LIMIT .* 10000 requests of one address in 10 s/,
    );
    assert.ok(costs.usd > 5 && costs.lines.some((line) => line.usd > 0 && /sinks/.test(line.what)));
    assert.deepEqual(cloud.requests, []);
    await cloud.stop();
  });

  it("with an account says what is there, and changes nothing", async () => {
    const { cloud, json } = await begin({ edge: false });
    const { steps } = await json(["create", "--dry-run"]);
    assert.ok(steps.some((step) => step.step === "bucket" && step.outcome === "would"));
    assert.deepEqual(
      cloud.requests.filter((call) => call.method !== "GET"),
      [],
    );
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
    for (const part of [
      "r2/buckets",
      "/enable",
      "/tokens",
      "/credential",
      "/maintenance-configs",
      "/streams",
      "/sinks",
      "/pipelines ",
      "/namespaces",
      "/scripts/hogflare ",
    ]) {
      assert.ok(
        made.killedAt.some((key) => key.includes(part)),
        `never killed at ${part}`,
      );
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
    assert.deepEqual(
      state.tokens.map((each) => each.name),
      ["bootstrap"],
    );
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
    assert.ok(
      cloud.state.sinks.every((each) => each.name.endsWith("_v2")),
      JSON.stringify(cloud.state.sinks.map((each) => each.name)),
    );
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
      {
        groups: ["Workers R2 Storage Write", "Workers KV Storage Write", "Pipelines Write"],
        says: /Basin Pipelines: Edit" together with "Workers Scripts: Edit/,
      },
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
      assert.deepEqual(
        cloud.requests.slice(before).filter((call) => call.method !== "GET"),
        [],
      );
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
    const wrong = await command(["create"], {
      CLOUDFLARE_API_TOKEN: token,
      HOGFLARE_SINK_TOKEN: cloud.addToken({ groups: ["Workers R2 Storage Write"], name: "wrong" }).value,
    });
    assert.equal(wrong.code, 4, wrong.stderr);
    const sinks = cloud.addToken({ groups: ["Workers R2 Storage Write", "Workers R2 Data Catalog Write"], name: "sinks" });
    const ended = await command(["create"], { CLOUDFLARE_API_TOKEN: token, HOGFLARE_SINK_TOKEN: sinks.value });
    assert.equal(ended.code, 0, ended.stderr);
    assert.deepEqual([...new Set(cloud.state.sinks.map((each) => each.tokenId))], [sinks.id]);
    await cloud.stop();
  });
});
