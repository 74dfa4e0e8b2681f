// The stand-in for Cloudflare's API: what it refuses, and that real wrangler can work with it.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { startCloudflare } from "../../fake-cloudflare/server.mjs";
import { environment, wrangler } from "../lib/cloudflare.mjs";

let cloud;
before(async () => {
  cloud = await startCloudflare({ edge: false });
});
after(() => cloud.stop());

/** One request with the bootstrap token, or another; the status, the first error's code, the result. */
async function call(method, path, body, token = cloud.token) {
  const isForm = body instanceof FormData;
  const answer = await fetch(cloud.api + path.replace("A/", `/accounts/${cloud.account}/`), {
    method,
    headers: { authorization: `Bearer ${token}`, ...(isForm ? {} : { "content-type": "application/json" }) },
    body: body === undefined || isForm ? body : JSON.stringify(body),
  });
  const { errors, result } = answer.status === 204 ? { errors: [] } : await answer.json();
  return { status: answer.status, code: errors?.[0]?.code, result, meta: errors?.[0]?.meta };
}

const refused = async (status, code, ...request) => {
  const answer = await call(...request);
  assert.deepEqual({ status: answer.status, code: answer.code }, { status, code }, request.join(" "));
  return answer;
};

/** An upload of a Worker that exports the classes, with bindings to those bound. */
function upload(classes, { bound = classes, ...metadata } = {}) {
  const form = new FormData();
  const bindings = bound.map((name) => ({ type: "durable_object_namespace", name: name.toUpperCase(), class_name: name }));
  form.set("metadata", JSON.stringify({ main_module: "worker.js", compatibility_date: "2026-09-15", bindings, ...metadata }));
  const text = `export default {};\n${classes.map((name) => `export class ${name} {}`).join("\n")}`;
  form.set("worker.js", new File([text], "worker.js", { type: "application/javascript+module" }));
  return form;
}

describe("the stand-in refuses as Cloudflare does", () => {
  it("tokens that are missing, unknown or too narrow, and Pipelines without Workers Scripts", async () => {
    assert.equal((await fetch(`${cloud.api}/user`)).status, 400);
    await refused(401, 1000, "GET", "/user/tokens/verify", undefined, "nobody's");
    await refused(403, 9109, "GET", "A/r2/buckets", undefined, "nobody's");
    const narrow = cloud.addToken({ groups: ["Workers KV Storage Write"] });
    await refused(403, 10000, "GET", "A/r2/buckets", undefined, narrow.value);
    const alone = cloud.addToken({ groups: ["Pipelines Write"] });
    await refused(403, 100, "GET", "A/pipelines/v1/streams", undefined, alone.value);
    await refused(404, 7003, "GET", "/accounts/0123/r2/buckets");
    await refused(400, 1001, "POST", "A/tokens", { name: "t", policies: [{ permission_groups: [{ id: "unknown" }] }] });
  });

  it("bucket names, a second bucket of a name, and the end of one that holds files", async () => {
    await refused(400, 10005, "POST", "A/r2/buckets", { name: "under_score" });
    await call("POST", "A/r2/buckets", { name: "rules" });
    await refused(409, 10004, "POST", "A/r2/buckets", { name: "rules" });
    await refused(404, 40401, "GET", "A/basin-catalog/rules");
    await refused(404, 10006, "POST", "A/r2-catalog/none/enable");
    await call("POST", "A/basin-catalog/rules/enable");
    await refused(400, 40002, "POST", "A/basin-catalog/rules/maintenance-configs", { compaction: { state: "enabled" } });
    await refused(400, 40001, "POST", "A/basin-catalog/rules/maintenance-configs", { compaction: { target_size_mb: 128 } });
    await refused(400, 40003, "POST", "A/basin-catalog/rules/credential", { token: "nobody's" });
    cloud.state.objects.rules = ["a"];
    await refused(409, 10008, "DELETE", "A/r2/buckets/rules");
  });

  it("a change of what is immutable, a table name used before, and the twenty-first stream", async () => {
    await refused(400, 1000, "POST", "A/pipelines/v1/streams", { name: "with-hyphen" });
    await refused(400, 1000, "POST", "A/pipelines/v1/streams", { name: "s", schema: { fields: [{ name: "a", type: "text" }] } });
    const { result: stream } = await call("POST", "A/pipelines/v1/streams", {
      name: "s",
      schema: { fields: [{ name: "a", type: "string", required: true }] },
    });
    assert.deepEqual(stream.http, { enabled: true, authentication: false });
    await refused(409, 1017, "POST", "A/pipelines/v1/streams", { name: "s" });
    await refused(400, 1000, "PATCH", `A/pipelines/v1/streams/${stream.id}`, { schema: {} });
    await refused(400, 1000, "PATCH", `A/pipelines/v1/streams/${stream.id}`, { http: { enabled: false } });
    await refused(404, 1016, "GET", "A/pipelines/v1/streams/none");
    const sink = (name, more = {}) => ({
      name,
      type: "r2_data_catalog",
      format: { type: "parquet", compression: "zstd" },
      config: {
        bucket: "rules",
        namespace: "default",
        table_name: "t_v1",
        token: cloud.token,
        rolling_policy: { interval_seconds: 60 },
        ...more,
      },
    });
    await refused(400, 1000, "POST", "A/pipelines/v1/sinks", sink("k", { rolling_policy: { interval_seconds: 30 } }));
    await refused(400, 1018, "POST", "A/pipelines/v1/sinks", sink("k", { token: "nobody's" }));
    const { result: made } = await call("POST", "A/pipelines/v1/sinks", sink("k"));
    assert.equal(made.config.token, undefined);
    await refused(400, 1012, "POST", "A/pipelines/v1/sinks", sink("k2"));
    await call("DELETE", `A/pipelines/v1/sinks/${made.id}`);
    await refused(400, 1012, "POST", "A/pipelines/v1/sinks", sink("k2"));
    await refused(404, 7003, "PUT", `A/pipelines/v1/sinks/${made.id}`, sink("k"));
    await refused(400, 1000, "POST", "A/pipelines/v1/validate_sql", { sql: "INSERT INTO none SELECT * FROM s" });
    for (let i = 0; i < 19; ++i) assert.equal((await call("POST", "A/pipelines/v1/streams", { name: `s${i}` })).status, 200);
    assert.equal((await call("POST", "A/pipelines/v1/streams", { name: "one_more" })).status, 403);
    cloud.state.streams.splice(1);
  });

  it("migrations: a wrong tag, a class that exists, that is not exported, that is bound, that vanished", async () => {
    const path = "A/workers/scripts/classes";
    const steps = (list, old) => ({ migrations: { ...(old ? { old_tag: old } : {}), new_tag: "n", steps: list } });
    await refused(400, 10061, "PUT", path, upload(["One"]));
    await refused(400, 10070, "PUT", path, upload(["One"], steps([{ new_sqlite_classes: ["Two"] }])));
    await refused(400, 10097, "PUT", path, upload(["One"], steps([{ new_classes: ["One"] }])));
    assert.equal((await call("PUT", path, upload(["One"], steps([{ new_sqlite_classes: ["One"] }])))).status, 200);
    await refused(400, 10079, "PUT", path, upload(["One"], steps([{ new_sqlite_classes: ["One"] }])));
    await refused(400, 10074, "PUT", path, upload(["One"], steps([{ new_sqlite_classes: ["One"] }], "n")));
    await refused(400, 10064, "PUT", path, upload([]));
    await refused(400, 10061, "PUT", path, upload(["One"], steps([{ deleted_classes: ["One"] }], "n")));
    await refused(400, 10211, "POST", `${path}/versions`, upload(["One"], steps([], "n")));
    const declared = { exports: { One: { type: "durable-object", storage: "legacy-kv" } } };
    const { meta } = await refused(400, 100402, "PUT", path, upload(["One"], declared));
    assert.equal(meta.details[0].scenario, "storage_type_mismatch");
  });

  it("KV-backed classes are not turned into SQLite ones", async () => {
    cloud.state.account.keyValueObjects = true;
    const steps = (step, old) => ({ migrations: { ...(old ? { old_tag: old } : {}), new_tag: old ? "v3" : "v2", steps: [step] } });
    await call("PUT", "A/workers/scripts/kv-backed", upload(["One"], steps({ new_classes: ["One"] })));
    cloud.state.account.keyValueObjects = false;
    await refused(400, 10074, "PUT", "A/workers/scripts/kv-backed", upload(["One"], steps({ new_sqlite_classes: ["One"] }, "v2")));
    const { result } = await call("GET", "A/workers/durable_objects/namespaces");
    assert.equal(result.find((each) => each.script === "kv-backed").use_sqlite, false);
  });

  it("secrets while the newest version is not deployed, and a rollback over changed ones", async () => {
    const path = "A/workers/scripts/secrets";
    await call("PUT", path, upload([]));
    const first = cloud.state.scripts.find((each) => each.name === "secrets").versions[0].id;
    await call("PUT", `${path}/secrets`, { name: "S", text: "1", type: "secret_text" });
    const back = { strategy: "percentage", versions: [{ version_id: first, percentage: 100 }] };
    await refused(400, 10220, "POST", `${path}/deployments`, back);
    assert.equal((await call("POST", `${path}/deployments?force=true`, back)).status, 200);
    await refused(400, 10215, "PUT", `${path}/secrets`, { name: "S", text: "2", type: "secret_text" });
    await refused(400, 10212, "POST", `${path}/deployments`, { versions: [{ version_id: first, percentage: 50 }] });
  });

  it("a KV title twice, and a namespace that is gone", async () => {
    const { result } = await call("POST", "A/storage/kv/namespaces", { title: "flags" });
    await refused(400, 10014, "POST", "A/storage/kv/namespaces", { title: "flags" });
    await call("DELETE", `A/storage/kv/namespaces/${result.id}`);
    await refused(404, 10013, "GET", `A/storage/kv/namespaces/${result.id}`);
  });
});

describe("real wrangler", () => {
  let folder;
  const wr = (args, input) => wrangler(args, { cwd: folder, env: environment(cloud), input });
  const works = async (args, input) => {
    const { code, stdout, stderr } = await wr(args, input);
    assert.equal(code, 0, `wrangler ${args.join(" ")}\n${stdout}${stderr}`);
  };
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "hogflare-wrangler-"));
    writeFileSync(join(folder, "worker.js"), "export class One {}\nexport default { fetch: () => new Response('one') };\n");
    const config = {
      name: "real",
      main: "worker.js",
      compatibility_date: "2026-09-15",
      durable_objects: { bindings: [{ name: "ONE", class_name: "One" }] },
      migrations: [{ tag: "a", new_sqlite_classes: ["One"] }],
    };
    writeFileSync(join(folder, "wrangler.json"), JSON.stringify(config));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  it("makes a bucket, a catalog, a stream, a sink and a pipeline", async () => {
    writeFileSync(join(folder, "schema.json"), JSON.stringify({ fields: [{ name: "a", type: "string", required: true }] }));
    await works(["r2", "bucket", "create", "wr-bucket"]);
    const again = await wr(["r2", "bucket", "create", "wr-bucket"]);
    assert.match(again.stderr + again.stdout, /10004/);
    await works(["basin", "catalog", "enable", "wr-bucket"]);
    await works(["basin", "pipelines", "streams", "create", "wr_s", "--schema-file", "schema.json", "--http-enabled", "false"]);
    await works([
      "basin",
      "pipelines",
      "sinks",
      "create",
      "wr_k",
      "--type",
      "r2-data-catalog",
      "--bucket",
      "wr-bucket",
      "--namespace",
      "default",
      "--table",
      "wr_v1",
      "--roll-interval",
      "60",
      `--catalog-token=${cloud.token}`,
    ]);
    await works(["basin", "pipelines", "create", "wr_p", "--sql", "INSERT INTO wr_k SELECT * FROM wr_s"]);
    assert.equal(cloud.state.pipelines.find((each) => each.name === "wr_p").status, "running");
  });

  it("deploys with migrations, again without, and rolls back", async () => {
    await works(["deploy"]);
    const script = cloud.state.scripts.find((each) => each.name === "real");
    assert.equal(script.tag, "a");
    writeFileSync(join(folder, "worker.js"), "export class One {}\nexport default { fetch: () => new Response('two') };\n");
    await works(["deploy"]);
    assert.equal(script.versions.length, 2);
    await works(["rollback", "--message", "back", "-y"]);
    assert.equal(script.deployments[0].versions[0].version_id, script.versions[0].id);
  });
});
