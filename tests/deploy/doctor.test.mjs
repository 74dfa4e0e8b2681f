// doctor finds what is planted, over the first Hogflare too; status and destroy look before they act.
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { TAGS } from "../../cli/config.mjs";
import { begin, cleanUp, uploadScript } from "../lib/cli_system.mjs";

after(cleanUp);

describe("over the first Hogflare", () => {
  const situations = [
    { tag: "v1", sqlite: false, classes: ["PersonDurableObject"], says: /KV-backed, which Cloudflare never turns/ },
    { tag: "v2", sqlite: false, classes: ["PersonDurableObject", "PersonIdCounterDurableObject", "GroupDurableObject"], says: /KV-backed/ },
    { tag: "v1", sqlite: true, classes: ["PersonDurableObject"], says: /under other keys/ },
    {
      tag: "v2",
      sqlite: true,
      classes: ["PersonDurableObject", "PersonIdCounterDurableObject", "GroupDurableObject"],
      says: /under other keys/,
    },
  ];
  for (const { tag, sqlite, classes, says } of situations) {
    it(`tag ${tag}, ${sqlite ? "SQLite" : "KV"}-backed: create refuses with reason and way, doctor knows it, a new name works`, async () => {
      const { cloud, command, json } = await begin({ edge: false });
      await uploadScript(cloud, "hogflare", classes, { tag, sqlite });
      const refused = await command(["create"]);
      assert.equal(refused.code, 5, refused.stderr);
      assert.match(refused.stderr, says);
      assert.match(refused.stderr, /--name.*old people stay where they are.*UPGRADING/);
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
  const without = (state, kind, pick) =>
    set(
      state,
      kind,
      state[kind].filter((each) => each !== pick(state)),
    );
  const version = (state) => state.scripts[0].versions.at(-1);

  const unbound = (name) => (state) =>
    set(
      version(state),
      "bindings",
      version(state).bindings.filter((each) => each.name !== name),
    );
  const bind = (binding) => (state) =>
    set(version(state), "bindings", [...version(state).bindings.filter((each) => each.name !== binding.name), binding]);
  const limitOf = (state) => version(state).bindings.find((each) => each.name === "CLIENT_RATE_LIMIT");
  const secret = (name, value) => (state) => {
    const { secrets } = state.scripts[0];
    const old = secrets.get(name);
    value === undefined ? secrets.delete(name) : secrets.set(name, value);
    return () => (old === undefined ? secrets.delete(name) : secrets.set(name, old));
  };
  /** wrangler.jsonc with a text replaced. */
  const edited = (from, to) => () => {
    const path = join(system.cwd, "wrangler.jsonc");
    const text = readFileSync(path, "utf8");
    assert.ok(text.includes(from));
    writeFileSync(path, text.replace(from, to));
    return () => writeFileSync(path, text);
  };
  /** Something stands before the Worker and changes its answers' headers. */
  const proxy = (change) => async () => {
    const server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { host, connection, "content-length": _, ...headers } = request.headers;
      const answer = await fetch(system.cloud.workerUrl("hogflare") + request.url, {
        method: request.method,
        headers,
        body: chunks.length > 0 ? Buffer.concat(chunks) : undefined,
      });
      const given = Object.fromEntries(
        [...answer.headers].filter(([name]) => !/^(content-(length|encoding)|transfer-encoding|connection)$/.test(name)),
      );
      response.writeHead(answer.status, change(given)).end(Buffer.from(await answer.arrayBuffer()));
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", () => listening(undefined)));
    const undo = () => server.close();
    return Object.assign(undo, { env: { HOGFLARE_WORKER_URL: `http://127.0.0.1:${/** @type {any} */ (server.address()).port}` } });
  };
  const withoutCors = (headers) => Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("access-control")));
  const SHOP = "https://shop.example.com";
  const projects = (origins) => ({
    type: "plain_text",
    name: "HOGFLARE_PROJECTS",
    text: JSON.stringify({ phc_web: { team_id: 3, origins } }),
  });

  const faults = [
    {
      name: "wrangler.jsonc has another object class",
      check: "configuration",
      says: /durable_objects/,
      todo: /deploy/,
      plant: edited('"OutboxDurableObject"', '"AnotherDurableObject"'),
    },
    {
      name: "wrangler.jsonc has an older compatibility date",
      check: "configuration",
      says: /compatibility_date/,
      plant: edited("2026-09-15", "2024-01-01"),
    },
    { name: "a variable makes no sense", check: "health", says: /POSTHOG_TEAM_ID/, plant: secret("POSTHOG_TEAM_ID", "seven") },
    {
      name: "the console's live object is not bound",
      check: "binding",
      says: /^LIVE is not bound to LiveDurableObject/,
      todo: /deploy/,
      plant: unbound("LIVE"),
    },
    {
      name: "the console's live object was never made",
      check: "migrations",
      says: /never made: LiveDurableObject$/,
      plant: (state) =>
        set(
          state.scripts[0],
          "namespaces",
          state.scripts[0].namespaces.filter((each) => each.class !== "LiveDurableObject"),
        ),
    },
    {
      name: "the live object's migration was not applied",
      check: "migrations",
      says: /hogflare-2, this version's is hogflare-3/,
      todo: /deploy/,
      plant: (state) => set(state.scripts[0], "tag", "hogflare-2"),
    },
    {
      name: "a newer version's migration was applied",
      check: "migrations",
      says: /newer hogflare .*hogflare-99/,
      todo: /install/,
      plant: (state) => set(state.scripts[0], "tag", "hogflare-99"),
    },
    {
      name: "the limit on one client is not bound",
      check: "rate-limit",
      says: /not bound/,
      todo: /deploy/,
      plant: unbound("CLIENT_RATE_LIMIT"),
    },
    {
      name: "the limit on one client is another",
      check: "rate-limit",
      says: /lets 1 requests/,
      plant: (state) => set(limitOf(state).simple, "limit", 1),
    },
    {
      name: "a stream refuses the Worker's binding",
      check: "stream-binding",
      todo: /--fix/,
      plant: (state) => set(events("streams")(state), "worker_binding", { enabled: false }),
    },
    {
      name: "a stream has a column of another type",
      check: "schema",
      says: /team_id is string, not/,
      plant: (state) =>
        set(
          events("streams")(state).schema.fields.find((each) => each.name === "team_id"),
          "type",
          "string",
        ),
    },
    { name: "the bucket is gone", check: "bucket", todo: /create/, plant: (state) => set(state, "buckets", []) },
    {
      name: "nobody has the admin token",
      check: "secrets",
      says: /HOGFLARE_ADMIN_TOKEN is not set/,
      plant: secret("HOGFLARE_ADMIN_TOKEN", undefined),
    },
    {
      name: "the account is nearly out of streams",
      check: "limits",
      plant: (state) =>
        set(state, "streams", [
          ...state.streams,
          ...Array.from({ length: 14 }, (_, i) => ({ ...events("streams")(state), id: `${i}`.padStart(32, "0"), name: `other_${i}` })),
        ]),
    },
    {
      name: "a token may not read the figures",
      check: "figures",
      todo: /Account Analytics: Read/,
      plant: (state) =>
        set(
          state.tokens[0],
          "groups",
          state.tokens[0].groups.filter((each) => each !== "Account Analytics Read"),
        ),
    },
    {
      name: "this machine's clock is off",
      check: "clock",
      says: /(599|60[01]) s off/,
      plant: proxy((headers) => ({ ...headers, date: new Date(Date.now() - 600_000).toUTCString() })),
    },
    { name: "a proxy takes CORS away", check: "cors", args: ["--origin", SHOP], says: /preflight/, plant: proxy(withoutCors) },
    {
      name: "no project takes events of that page",
      check: "cors",
      args: ["--origin", `${SHOP}/basket`],
      says: /shop\.example\.com$/,
      todo: /HOGFLARE_PROJECTS/,
      plant: bind(projects(["https://www.example.com"])),
    },
    {
      name: "an event becomes no row",
      check: "event",
      isSent: true,
      says: /is no row after 2 s/,
      args: ["--wait", "2"],
      plant: (state) => without(state, "pipelines", events("pipelines")),
    },
    {
      name: "the Worker takes no event",
      check: "event",
      isSent: true,
      says: /401/,
      todo: /POSTHOG_SIGNING_SECRET/,
      plant: secret("POSTHOG_SIGNING_SECRET", "known-to-others"),
    },
    {
      name: "a token without Pipelines",
      check: "token-scope",
      todo: /Workers Scripts: Edit/,
      plant: (state) =>
        set(
          state.tokens[0],
          "groups",
          state.tokens[0].groups.filter((each) => each !== "Pipelines Write"),
        ),
    },
    {
      name: "the sinks' token was deleted",
      check: "sink-token",
      plant: (state) =>
        set(
          state,
          "tokens",
          state.tokens.filter((each) => each.name === "bootstrap"),
        ),
    },
    { name: "a pipeline failed", check: "pipeline", plant: (state) => set(events("pipelines")(state), "status", "failed") },
    { name: "a pipeline is gone", check: "pipeline", plant: (state) => without(state, "pipelines", events("pipelines")) },
    {
      name: "a stream has other columns",
      check: "schema",
      todo: /upgrade/,
      plant: (state) => set(events("streams")(state).schema, "fields", events("streams")(state).schema.fields.slice(1)),
    },
    {
      name: "a stream is open to everybody",
      check: "open-ingest",
      plant: (state) => set(events("streams")(state), "http", { enabled: true, authentication: false }),
    },
    {
      name: "the Worker is bound to another stream",
      check: "binding",
      todo: /deploy/,
      plant: (state) =>
        set(
          version(state).bindings.find((each) => each.name === "EVENTS_STREAM"),
          "stream",
          "0".repeat(32),
        ),
    },
    { name: "a stream is gone", check: "stream", plant: (state) => without(state, "streams", events("streams")) },
    { name: "a sink is gone", check: "sink", plant: (state) => without(state, "sinks", events("sinks")) },
    { name: "the catalog is switched off", check: "catalog", plant: (state) => set(state.catalogs[0], "status", "inactive") },
    { name: "compaction is off", check: "maintenance", plant: (state) => set(state.catalogs[0], "maintenance_config", {}) },
    {
      name: "rows are dropped in silence",
      check: "silent-drops",
      says: /7 missing_field/,
      plant: (state) => set(events("pipelines")(state), "errors", { missing_field: 7 }),
    },
    {
      name: "rows are written and no file",
      check: "no-files",
      plant: (state) =>
        set(
          state.catalogs[0].tables.find((each) => /events/.test(each.name)),
          "files",
          0,
        ),
    },
    { name: "a class is KV-backed", check: "objects", plant: (state) => set(state.scripts[0].namespaces[0], "use_sqlite", false) },
    { name: "the last migration was not applied", check: "migrations", plant: (state) => set(state.scripts[0], "tag", TAGS[0]) },
    {
      name: "the newest version is not deployed",
      check: "not-deployed",
      plant: (state) =>
        set(state.scripts[0], "versions", [
          ...state.scripts[0].versions,
          { ...version(state), id: "11111111-1111-4111-8111-111111111111" },
        ]),
    },
    {
      name: "two versions share the traffic",
      check: "split",
      plant: (state) =>
        set(state.scripts[0].deployments[0], "versions", [
          { version_id: version(state).id, percentage: 90 },
          { version_id: version(state).id, percentage: 10 },
        ]),
    },
    {
      name: "a secret is a plain variable",
      check: "secrets",
      plant: (state) =>
        set(version(state), "bindings", [...version(state).bindings, { type: "plain_text", name: "POSTHOG_SIGNING_SECRET", text: "seen" }]),
    },
    {
      name: "questions have no token",
      check: "questions",
      todo: /HOGFLARE_SQL_TOKEN=… hogflare deploy/,
      plant: (state) => {
        const { secrets } = state.scripts[0];
        const value = secrets.get("HOGFLARE_SQL_TOKEN");
        secrets.delete("HOGFLARE_SQL_TOKEN");
        return () => secrets.set("HOGFLARE_SQL_TOKEN", value);
      },
    },
    { name: "the flags' namespace is gone", check: "kv", plant: (state) => set(state, "kv", []) },
    { name: "the account has no workers.dev name", check: "workers-dev", plant: (state) => set(state.account, "subdomain", undefined) },
    {
      name: "Workers Logs are off",
      check: "observability",
      plant: (state) => set(version(state).metadata, "observability", { enabled: false }),
    },
    {
      name: "R2 was switched off",
      check: "r2",
      plant: (state) => set(state.tokens[0], "value", state.tokens[0].value),
      fault: { path: /r2\/buckets/, status: 403, code: 10042, times: 9 },
    },
    {
      name: "the domain belongs to another Worker",
      check: "domain",
      args: ["--domain", "in.example.com"],
      plant: (state) => set(state, "domains", [{ id: "d", hostname: "in.example.com", service: "another" }]),
    },
    { name: "nothing answers", check: "reach", env: { HOGFLARE_WORKER_URL: "http://127.0.0.1:9" }, plant: () => () => {} },
  ];
  for (const { name, check, plant, fault, isSent = false, args = [], env = {}, says = /./, todo = /./ } of faults) {
    it(`finds: ${name}`, async () => {
      const { cloud, json } = system;
      const undo = await plant(cloud.state);
      if (fault) cloud.faults.push(fault);
      try {
        const { code, findings } = await json(["doctor", ...(isSent ? [] : ["--no-event"]), ...args], { ...env, ...undo.env });
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

  it("finds nothing for a page that a project takes", async () => {
    const undo = bind(projects([SHOP]))(system.cloud.state);
    const { findings } = await system.json(["doctor", "--no-event", "--origin", `${SHOP}/`]);
    undo();
    assert.deepEqual(findings, []);
  });

  it("an older package takes neither a newer one for the first Hogflare nor its place", async () => {
    const undo = set(system.cloud.state.scripts[0], "tag", "hogflare-99");
    const refused = await system.command(["deploy"]);
    undo();
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /newer hogflare is deployed.*npm install/s);
  });

  it("finds nothing either where Cloudflare knows its parts by their names before October 2026 alone", async () => {
    const { cloud } = system;
    cloud.faults.push(
      { path: /basin-catalog/, status: 404, code: 7003, times: 99 },
      { path: /basin-sql/, status: 404, code: 7003, times: 99 },
    );
    const { findings } = await system.json(["doctor", "--wait", "30"]);
    const asked = cloud.requests.filter((call) => /r2-catalog|r2-sql/.test(call.path)).length;
    cloud.faults.length = 0;
    assert.deepEqual(findings, []);
    assert.ok(asked >= 3, String(asked));
  });

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

  it("finds rows in the outbox, and destroy refuses while it holds them", async () => {
    const { cloud, command } = system;
    const undo = set(cloud.state, "streams", []);
    const sent = await fetch(`${cloud.workerUrl("hogflare")}/batch/`, {
      method: "POST",
      body: JSON.stringify({ api_key: "phc_x", batch: [{ event: "kept", distinct_id: "d" }] }),
    });
    assert.equal(sent.status, 200);
    const { findings } = await system.json(["doctor", "--no-event"]);
    assert.match(findings.find((each) => each.check === "outbox").what, /^2 rows wait/);
    const refused = await command(["destroy", "--yes"]);
    undo();
    assert.equal(refused.code, 5, refused.stderr);
    assert.match(refused.stderr, /2 rows wait in the outbox/);
    assert.equal(cloud.state.scripts.length, 1);
  });
});
