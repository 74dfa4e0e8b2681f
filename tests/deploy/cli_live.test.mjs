// The command on a deployment that runs: flags, queries, tail, upgrade and rollback.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startCloudflare } from "../../fake-cloudflare/server.mjs";
import { addresses, environment, hogflare, runThroughKills } from "../lib/cloudflare.mjs";
import { eventually } from "../lib/harness.mjs";

let cloud;
let cwd;
let env;
const command = (args, more = {}, options = {}) => hogflare(args, { cwd, env: { ...env, ...more }, ...options });
async function works(args, more) {
  const ended = await command(args, more);
  assert.equal(ended.code, 0, `${args.join(" ")}\n${ended.stdout}${ended.stderr}`);
  return ended.stdout;
}
const worker = (path, body, headers = {}) =>
  fetch(cloud.workerUrl("hogflare") + path, { method: body ? "POST" : "GET", body: body && JSON.stringify(body), headers });

before(async () => {
  cloud = await startCloudflare();
  cwd = mkdtempSync(join(tmpdir(), "hogflare-live-"));
  env = environment(cloud, { ...addresses(cloud), HOGFLARE_ADMIN_TOKEN: "an-admin-token-that-nobody-guesses" });
  await works(["create"]);
});
after(async () => {
  await cloud.stop();
  rmSync(cwd, { recursive: true, force: true });
});

describe("flags", () => {
  const flag = (key) => JSON.stringify([{ key, rollout_percentage: 100 }]);

  it("push refuses what the edge would refuse, and pushes what it takes; the edge answers with it", async () => {
    writeFileSync(join(cwd, "broken.json"), '{"flags": [{"key": 7}]}');
    const refused = await command(["flags", "push", "broken.json"]);
    assert.equal(refused.code, 2, refused.stderr);
    writeFileSync(join(cwd, "one.json"), flag("one"));
    await works(["flags", "check", "one.json"]);
    assert.match(await works(["flags", "eval", "one.json", "--distinct-id", "someone", "--person", "plan=pro"]), /one/);
    await works(["flags", "push", "one.json"]);
    const namespace = cloud.state.kv[0];
    assert.equal(namespace.values.get("flags").toString(), flag("one"));
    assert.equal(await works(["flags", "pull"]), flag("one"));
  });

  it("keeps what was pushed over, and brings it back", async () => {
    writeFileSync(join(cwd, "two.json"), flag("two"));
    await works(["flags", "push", "two.json"]);
    const { times } = JSON.parse(await works(["flags", "history", "--json"]));
    assert.equal(times.length, 2);
    assert.equal(await works(["flags", "pull", "--at", times[0]]), flag("one"));
    assert.match(await works(["flags", "push", "two.json"]), /nothing has changed/);
  });
});

describe("query", () => {
  it("names the tables by their streams, and exits with 1 when Basin SQL refuses", async () => {
    const { rows, query } = JSON.parse(await works(["query", "SELECT count(*) AS n FROM {events}", "--json"]));
    assert.equal(query, "SELECT count(*) AS n FROM default.hogflare_events_v1");
    assert.ok(rows[0].n >= 1);
    const refused = await command(["query", "DELETE FROM {events}"]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /read-only.*40003/);
  });
});

describe("tail", () => {
  it("shows what the Worker logs", async () => {
    let child;
    let shown = "";
    const onStart = (started) => {
      child = started;
      started.stdout.on("data", (text) => (shown += text));
    };
    const ended = command(["tail", "--json"], {}, { onStart });
    await eventually(() => cloud.tails.listening("hogflare"), { what: "the tail", timeoutMs: 60_000 });
    const now = Date.now();
    cloud.tails.send("hogflare", {
      outcome: "ok",
      scriptName: "hogflare",
      exceptions: [],
      eventTimestamp: now,
      event: { request: { url: "https://h/batch/", method: "POST", headers: {} }, response: { status: 200 } },
      logs: [{ message: ['{"level":"warning","event":"send_failed"}'], level: "log", timestamp: now }],
      diagnosticsChannelEvents: [],
    });
    // It is left by Ctrl-C, or when Cloudflare ends it.
    await eventually(() => shown.includes("send_failed"), { what: "the line" });
    process.kill(-child.pid, "SIGINT");
    assert.match((await ended).stdout, /send_failed/);
  });
});

describe("rollback", () => {
  it("goes to the version before, over changed secrets only when told", async () => {
    const [script] = cloud.state.scripts;
    const first = script.deployments[0].versions[0].version_id;
    await works(["deploy"], { POSTHOG_PERSONAL_API_KEY: "phx_a_key_of_ours" });
    assert.notEqual(script.deployments[0].versions[0].version_id, first);
    const refused = await command(["rollback", "--yes"]);
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /POSTHOG_PERSONAL_API_KEY/);
    await works(["rollback", "--yes", "--force"]);
    assert.equal(script.deployments[0].versions[0].version_id, first);
    assert.equal((await worker("/_liveness")).status, 200);
  });

  it("does not cross a migration", async () => {
    const [script] = cloud.state.scripts;
    const target = script.versions[0];
    const tag = target.migration_tag;
    target.migration_tag = "hogflare-1";
    const refused = await command(["rollback", "--yes", "--to", target.id]);
    target.migration_tag = tag;
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /no rollback crosses that/);
  });
});

describe("upgrade", () => {
  it("makes the next table beside one with other columns, binds it, and writes a view over both, though killed at every step", async () => {
    const { state } = cloud;
    const old = state.streams.find((stream) => stream.name === "hogflare_events_v1");
    const gone = old.schema.fields.at(-1).name;
    old.schema = { fields: old.schema.fields.slice(0, -1) };
    const create = await command(["create"]);
    assert.equal(create.code, 5, create.stderr);
    assert.match(create.stderr, /hogflare upgrade/);
    const { last, killedAt } = await runThroughKills(cloud, ["upgrade"], { cwd, env });
    assert.equal(last.code, 0, last.stderr);
    for (const part of ["/streams", "/sinks", "/pipelines ", "/hogflare/versions", "/hogflare/deployments"])
      assert.ok(
        killedAt.some((key) => key.includes(part)),
        `never killed at ${part}`,
      );
    for (const kind of ["streams", "sinks", "pipelines"])
      assert.equal(state[kind].filter((each) => each.name.startsWith("hogflare_events_")).length, 2, kind);
    const next = state.streams.find((stream) => stream.name === "hogflare_events_v2");
    const [script] = state.scripts;
    const live = script.versions.find((each) => each.id === script.deployments[0].versions[0].version_id);
    assert.equal(live.bindings.find((each) => each.name === "EVENTS_STREAM").stream, next.id);
    assert.ok(state.streams.includes(old), "what the old stream still holds is not lost");
    const view = readFileSync(join(cwd, "sql/tables.sql"), "utf8");
    assert.match(
      view,
      new RegExp(`NULL AS "${gone}"[^;]*FROM default.hogflare_events_v1\\nUNION ALL\\n[^;]*"${gone}"[^;]*FROM default.hogflare_events_v2;`),
    );
    const sent = await worker("/batch/", { api_key: "phc_x", batch: [{ event: "after the upgrade", distinct_id: "d" }] });
    assert.equal(sent.status, 200);
    await eventually(() => cloud.table("hogflare", "hogflare_events_v2").rows.some((row) => row.event === "after the upgrade"), {
      what: "the row in the new table",
    });
    const again = JSON.parse(await works(["upgrade", "--json"]));
    assert.equal(again.tables.events, 2);
  });
});
