// hogflare import, from a stand-in of PostHog's API into a running Worker: who people are, what they have,
// which flags they get, and that nothing comes twice however often the command is ended.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { retryAfterMs } from "../../cli/importing/posthog_api.mjs";
import { createProgress } from "../../cli/importing/progress.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { startSystem, TOKEN } from "../lib/harness.mjs";
import { KEY, PROJECT, startPostHogApi } from "../lib/posthog_api.mjs";

const CF = {
  country: "AT",
  city: "Vienna",
  continent: "EU",
  latitude: "48.2",
  longitude: "16.3",
  asn: 1853,
  asOrganization: "Importer Ltd",
  colo: "VIE",
  metroCode: "807",
};
const uuidOf = (n) => `01900000-0000-7000-8000-${String(n).padStart(12, "0")}`;

/** People with one id, with several, and one with many. */
function makeWorld() {
  const people = Array.from({ length: 230 }, (_, n) => ({
    id: n,
    uuid: uuidOf(n),
    name: `user-${n}`,
    distinct_ids: n % 3 === 0 ? [`user-${n}`, `anon-${n}`, `device-${n}`] : [`user-${n}`],
    properties: { plan: n % 2 === 0 ? "pro" : "free", seats: 3, number: n },
    created_at: "2025-03-01T10:00:00.123000Z",
  }));
  people[6].distinct_ids = Array.from({ length: 60 }, (_, i) => `many-${String(i).padStart(3, "0")}`);
  const events = Array.from({ length: 1234 }, (_, n) => ({
    uuid: uuidOf(10_000 + n),
    event: n % 2 === 0 ? "$pageview" : "bought",
    distinct_id: n % 3 === 0 ? `anon-${(n % 30) * 3}` : `user-${n % 30}`,
    // Several at the same moment, so that a page of the query ends among them.
    timestamp: `2025-0${1 + Math.floor(n / 400)}-15T08:00:${String(Math.floor(n / 40) % 60).padStart(2, "0")}.000100Z`,
    properties: {
      $ip: "203.0.113.7",
      $geoip_country_code: "NZ",
      $current_url: "https://shop.example/a",
      n,
      $set: { plan: "old" },
      $lib: "web",
    },
  }));
  return {
    people,
    events,
    groupTypes: [{ group_type: "company", group_type_index: 0, name_singular: null, name_plural: null }],
    groups: Array.from({ length: 120 }, (_, n) => ({
      group_type_index: 0,
      group_key: `company-${n}`,
      group_properties: { tier: n % 2 === 0 ? "gold" : "tin" },
      created_at: "2025-02-01T00:00:00Z",
    })),
    flags: [
      {
        id: 1,
        key: "for-pro",
        name: "",
        active: true,
        deleted: false,
        created_by: { email: "who@example.com" },
        filters: {
          groups: [{ properties: [{ key: "plan", value: ["pro"], operator: "exact", type: "person" }], rollout_percentage: 100 }],
        },
      },
      {
        id: 2,
        key: "for-list",
        name: "",
        active: true,
        deleted: false,
        filters: { groups: [{ properties: [{ key: "id", value: 5, type: "cohort" }], rollout_percentage: 100 }] },
      },
      {
        id: 3,
        key: "for-gold",
        name: "",
        active: true,
        deleted: false,
        filters: {
          aggregation_group_type_index: 0,
          groups: [
            {
              properties: [{ key: "tier", value: "gold", operator: "exact", type: "group", group_type_index: 0 }],
              rollout_percentage: 100,
            },
          ],
        },
      },
      { id: 4, key: "gone", active: true, deleted: true, filters: { groups: [] } },
    ],
    cohorts: [{ id: 5, name: "A list", is_static: true, deleted: false, filters: {}, groups: [] }],
    members: { 5: people.slice(0, 150).filter((_, n) => n % 2 === 1) },
  };
}

let folder;
let posthog;
const world = makeWorld();

/** Runs the command: {code, stdout, stderr, told}. */
function run(args, { key = KEY } = {}) {
  const child = spawn(process.execPath, [join(ROOT, "bin/hogflare"), "import", ...args], {
    cwd: folder,
    env: { ...process.env, POSTHOG_IMPORT_API_KEY: key },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (text) => (stdout += text));
  child.stderr.on("data", (text) => (stderr += text));
  return new Promise((done) =>
    child.once("close", (code) => {
      let told = {};
      try {
        told = JSON.parse(stdout);
      } catch {
        /* no --json */
      }
      done({ code, stdout, stderr, told });
    }),
  );
}
/** A column of JSON, which is a text or read already. */
const objectOf = (value) => (typeof value === "string" ? JSON.parse(value) : value);
const source = () => ["--from", posthog.url, "--project", PROJECT];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "hogflare-import-"));
  posthog = await startPostHogApi(world);
});
afterEach(async () => {
  await posthog.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe("an import into a Worker", () => {
  let system;
  before(
    async () =>
      (system = await startSystem({ extra: { cf: CF }, vars: { POSTHOG_GROUP_TYPE_0: "company", HOGFLARE_ADMIN_TOKEN: "admin" } })),
  );
  after(() => system.stop());
  beforeEach(async () => {
    await system.landed();
    await system.reset();
  });
  const target = () => ["--to", system.url, "--token", TOKEN];

  /** The person_id that an event of this id gets now. */
  async function personOf(distinctId) {
    const uuid = crypto.randomUUID();
    assert.equal((await system.post("/batch/", { api_key: TOKEN, batch: [{ event: "now", distinct_id: distinctId, uuid }] })).status, 200);
    await system.landed();
    const [row] = await system.sql(`SELECT person_id, person_properties FROM events WHERE uuid = '${uuid}'`);
    return { id: row.person_id, properties: objectOf(row.person_properties) };
  }

  function nothingOfTheImporter(rows) {
    assert.ok(rows.length > 0);
    for (const row of rows) {
      const properties = objectOf(row.properties);
      const names = Object.keys(properties).filter((name) => name.startsWith("cf_") || name.startsWith("$geoip_c") || name === "$ip");
      const own = row.event === "$pageview" || row.event === "bought" ? ["$ip", "$geoip_country_code"] : [];
      assert.deepEqual(
        names.filter((name) => !own.includes(name)),
        [],
        row.event,
      );
      // People of earlier tests have the place of their own events.
      assert.doesNotMatch(JSON.stringify({ ...row, person_properties: null }), /Vienna|Importer Ltd|127\.0\.0\.1/);
    }
  }

  // Before anybody's own event, whose place its person has.
  it("people and groups carry no address and no place of the importer", async () => {
    assert.equal((await run([...source(), ...target(), "--only", "people,groups"])).code, 0);
    await system.landed();
    nothingOfTheImporter(await system.rows());
    for (const row of await system.stream("persons")) assert.doesNotMatch(JSON.stringify(row), /Vienna|geoip/);
  });

  it("people are who they were, at once, and have what they had", async () => {
    const { code, told, stderr } = await run([...source(), ...target(), "--only", "people", "--json"]);
    assert.equal(code, 0, stderr);
    assert.equal(told.people, 230);
    for (const n of [0, 3, 99]) {
      const [user, anon, device] = await Promise.all([`user-${n}`, `anon-${n}`, `device-${n}`].map(personOf));
      assert.deepEqual([anon.id, device.id], [user.id, user.id]);
      assert.deepEqual(anon.properties, { ...anon.properties, plan: n % 2 === 0 ? "pro" : "free", number: n, seats: 3 });
    }
    const many = await Promise.all(["many-000", "many-031", "many-059"].map(personOf));
    assert.equal(new Set(many.map((each) => each.id)).size, 1);
    assert.notEqual((await personOf("user-1")).id, (await personOf("user-2")).id);
    const people = await system.sql("SELECT count(DISTINCT person_id) AS n FROM persons_current WHERE distinct_id NOT LIKE '$company%'");
    assert.equal(Number(people[0].n), 230);
    const [{ created_at }] = await system.sql("SELECT created_at FROM persons_current WHERE distinct_id = 'user-1'");
    assert.match(String(created_at), /^2025-03-01/);
    assert.deepEqual(await system.bad(), []);
  });

  it("what the Worker knows already stays, and gives way to --overwrite", async () => {
    const set = { event: "$set", distinct_id: "user-50", properties: { $set: { plan: "here" } } };
    await system.post("/batch/", { api_key: TOKEN, batch: [set] });
    assert.equal((await run([...source(), ...target(), "--only", "people"])).code, 0);
    assert.equal((await personOf("user-50")).properties.plan, "here");
    const again = await run([...source(), ...target(), "--only", "people", "--overwrite", "--state", "other.json"]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal((await personOf("user-50")).properties.plan, "pro");
  });

  it("groups, flags and cohorts decide as they did", async () => {
    const { code, told, stderr } = await run([...source(), ...target(), "--json"]);
    assert.equal(code, 0, stderr);
    assert.deepEqual([told.people, told.groups, told.flags, told.cohorts], [230, 120, 3, 1]);
    assert.match(stderr, /POSTHOG_GROUP_TYPE_0 = "company"/);
    const text = readFileSync(join(folder, "flags.json"), "utf8");
    assert.doesNotMatch(text, /who@example|"gone"/);
    const document = JSON.parse(text);
    assert.deepEqual(document.group_type_mapping, { 0: "company" });
    assert.equal(document.cohorts[0].members.length, world.members[5].flatMap((each) => each.distinct_ids).length);
    const check = spawnSync(process.execPath, [join(ROOT, "scripts/flags-check.mjs"), join(folder, "flags.json")], { encoding: "utf8" });
    assert.equal(check.status, 0, check.stdout + check.stderr);
    const edge = await startSystem({ extra: { cf: CF }, vars: { POSTHOG_GROUP_TYPE_0: "company", HOGFLARE_FEATURE_FLAGS: text } });
    try {
      const there = await run([...source(), "--to", edge.url, "--token", TOKEN, "--only", "people,groups", "--state", "there.json"]);
      assert.equal(there.code, 0, there.stderr);
      const flagsOf = async (distinct_id, company) => {
        const answer = await edge.post("/flags?v=2", { token: TOKEN, distinct_id, groups: { company } });
        const { flags } = await answer.json();
        return Object.fromEntries(Object.entries(flags).map(([key, flag]) => [key, flag.enabled]));
      };
      assert.deepEqual(await flagsOf("device-3", "company-2"), { "for-pro": false, "for-list": true, "for-gold": true });
      assert.deepEqual(await flagsOf("anon-0", "company-1"), { "for-pro": true, "for-list": false, "for-gold": false });
    } finally {
      await edge.stop();
    }
  });

  it("a document keeps what was in it", async () => {
    writeFileSync(
      join(folder, "mine.json"),
      JSON.stringify({
        timezone: "Europe/Vienna",
        flags: [
          { key: "mine", rollout_percentage: 5 },
          { key: "for-pro", rollout_percentage: 1 },
        ],
      }),
    );
    assert.equal((await run([...source(), "--only", "flags", "--document", "mine.json"])).code, 0);
    const document = JSON.parse(readFileSync(join(folder, "mine.json"), "utf8"));
    assert.equal(document.timezone, "Europe/Vienna");
    assert.deepEqual(
      document.flags.map((flag) => flag.key),
      ["mine", "for-pro", "for-list", "for-gold"],
    );
    assert.equal(document.flags[1].id, 1);
  });

  /** Every event once, where it happened, with nothing of the importer's. */
  async function eventsAreThere() {
    await system.landed();
    const rows = await system.sql(
      "SELECT uuid, event, distinct_id, \"timestamp\", properties, country_code FROM events_deduplicated WHERE event IN ('$pageview', 'bought')",
    );
    assert.deepEqual(rows.map((row) => row.uuid).sort(), world.events.map((each) => each.uuid).sort());
    const sent = new Map(world.events.map((each) => [each.uuid, each]));
    for (const row of rows) {
      const { distinct_id, properties, timestamp } = sent.get(row.uuid);
      assert.equal(row.distinct_id, distinct_id);
      assert.equal(Date.parse(`${String(row.timestamp).replace(" ", "T").replace("Z", "")}Z`), Date.parse(timestamp));
      const read = objectOf(row.properties);
      const { $set, ...kept } = properties;
      assert.deepEqual(Object.fromEntries(Object.keys(kept).map((name) => [name, read[name]])), kept);
      assert.equal(read.$set?.plan, undefined, "people are imported as they are now");
      assert.equal(row.country_code, "NZ");
    }
    nothingOfTheImporter(await system.rows());
    assert.deepEqual(await system.bad(), []);
  }

  it("events come from lines, plain and compressed, and from Parquet", async () => {
    const third = Math.floor(world.events.length / 3);
    const parts = [world.events.slice(0, third), world.events.slice(third, 2 * third), world.events.slice(2 * third)];
    const lines = (events) => `${events.map((each) => JSON.stringify(each)).join("\n")}\n`;
    writeFileSync(join(folder, "1.jsonl"), lines(parts[0]));
    writeFileSync(join(folder, "2.jsonl.gz"), gzipSync(lines(parts[1])));
    writeFileSync(join(folder, "3.lines"), lines(parts[2]));
    // Written as PostHog writes it, by another's writer: properties as text, times of microseconds, zstd.
    const python =
      "import duckdb, sys; duckdb.execute(f\"COPY (SELECT uuid, event, distinct_id, CAST(\\\"timestamp\\\" AS TIMESTAMP) AS \\\"timestamp\\\", CAST(properties AS VARCHAR) AS properties, '' AS elements_chain FROM read_json('{sys.argv[1]}', format='newline_delimited', columns={{uuid:'VARCHAR',event:'VARCHAR',distinct_id:'VARCHAR',timestamp:'VARCHAR',properties:'JSON'}})) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)\")";
    const made = spawnSync(join(ROOT, ".venv/bin/python"), ["-c", python, join(folder, "3.lines"), join(folder, "3.parquet.zst")], {
      encoding: "utf8",
    });
    assert.equal(made.status, 0, made.stderr);
    const { code, told, stderr } = await run([...target(), "--only", "events", "--files", folder, "--json"], { key: "" });
    assert.equal(code, 0, stderr);
    assert.deepEqual([told.events, told.files, told.left_out], [1234, 3, 0]);
    await eventsAreThere();
    const before = (await system.rows()).length;
    const again = await run([...target(), "--only", "events", "--files", folder, "--json"], { key: "" });
    assert.equal(again.told.events, 1234);
    await system.landed();
    assert.equal((await system.rows(before)).length, before, "nothing is sent twice");
  });

  it("events come from the query API, page by page", async () => {
    const { code, told, stderr } = await run([
      ...source(),
      ...target(),
      "--only",
      "events",
      "--since",
      "2025-01-01T00:00:00Z",
      "--until",
      "2025-12-01T00:00:00Z",
      "--json",
    ]);
    assert.equal(code, 0, stderr);
    assert.equal(told.events, 1234);
    await eventsAreThere();
  });

  it("an import that is ended goes on where it stopped, and nothing comes twice", async () => {
    posthog.pageMax = 20;
    const words = [...source(), ...target(), "--only", "people,groups", "--json"];
    // PostHog refuses in the middle: seven pages, then the key is no good any more.
    posthog.fail.push(...Array.from({ length: 7 }, () => undefined), {
      status: 401,
      code: "authentication_failed",
      detail: "Key was revoked.",
    });
    const first = await run(words);
    assert.equal(first.code, 4, first.stderr);
    assert.match(first.stderr, /Key was revoked/);
    assert.doesNotMatch(first.stdout + first.stderr, new RegExp(KEY));
    const asked = posthog.asked.length;
    const second = await run(words);
    assert.equal(second.code, 0, second.stderr);
    assert.deepEqual([second.told.people, second.told.groups], [230, 120]);
    assert.deepEqual(
      posthog.asked.slice(0, asked - 1).filter((each) => posthog.asked.slice(asked).includes(each)),
      [],
      "no page is read twice",
    );
    await system.landed();
    const [{ n, of }] = await system.sql("SELECT count(*) AS n, count(DISTINCT uuid) AS of FROM events");
    assert.deepEqual([Number(n), Number(of)], [Number(of), 120 + world.people.reduce((sum, each) => sum + each.distinct_ids.length, 0)]);
    const third = await run(words);
    assert.equal(third.told.people, 230);
    await system.landed();
    assert.equal((await system.rows(Number(n))).length, Number(n));
    const state = JSON.parse(readFileSync(join(folder, ".hogflare/import-7.json"), "utf8"));
    assert.doesNotMatch(JSON.stringify(state), new RegExp(KEY));
    const elsewhere = await run([...source(), "--to", "http://127.0.0.1:9", "--token", TOKEN, "--only", "people"]);
    assert.equal(elsewhere.code, 5, elsewhere.stderr);
  });

  it("a killed import sends at most its last step again, under the same uuids", async () => {
    posthog.pageMax = 10;
    const child = spawn(process.execPath, [join(ROOT, "bin/hogflare"), "import", ...source(), ...target(), "--only", "people"], {
      cwd: folder,
      stdio: "ignore",
      env: { ...process.env, POSTHOG_IMPORT_API_KEY: KEY },
    });
    const ended = new Promise((done) => child.once("exit", done));
    while (posthog.asked.length < 8) await new Promise((done) => setTimeout(done, 5));
    child.kill("SIGKILL");
    await ended;
    const again = await run([...source(), ...target(), "--only", "people", "--json"]);
    assert.equal(again.told.people, 230, again.stderr);
    await system.landed();
    const [{ n, of, once }] = await system.sql(
      "SELECT count(*) AS n, count(DISTINCT uuid) AS of, (SELECT count(*) FROM events_deduplicated) AS once FROM events",
    );
    assert.equal(
      Number(of),
      world.people.reduce((sum, each) => sum + each.distinct_ids.length, 0),
    );
    assert.equal(Number(once), Number(of));
    assert.ok(Number(n) - Number(of) <= 10 * 60);
  });

  it("limits and passing errors are waited out", async () => {
    posthog.fail.push({ status: 429, headers: { "retry-after": "1" } }, { status: 502, detail: "Bad gateway" }, undefined, {
      status: 429,
      headers: { "retry-after": "0" },
    });
    const { code, told, stderr } = await run([...source(), ...target(), "--only", "people", "--json"]);
    assert.equal(code, 0, stderr);
    assert.equal(told.people, 230);
  });

  it("a limit of hours ends the command, which goes on later", async () => {
    posthog.fail.push({ status: 429, headers: { "retry-after": "7200" } });
    const { code, stderr } = await run([...source(), ...target(), "--only", "people"]);
    assert.equal(code, 1);
    assert.match(stderr, /throttled.*\n.*goes on where it stopped/);
  });

  it("a dry run reads and counts, and leaves nothing", async () => {
    const { code, told, stderr } = await run([
      ...source(),
      ...target(),
      "--since",
      "2025-01-01T00:00:00Z",
      "--until",
      "2025-12-01T00:00:00Z",
      "--dry-run",
      "--json",
    ]);
    assert.equal(code, 0, stderr);
    assert.deepEqual([told.people, told.groups, told.flags, told.cohorts, told.events], [230, 120, 3, 1, 1234]);
    assert.deepEqual(await system.rows(), []);
    assert.throws(() => readFileSync(join(folder, "flags.json")), /ENOENT/);
    assert.throws(() => readFileSync(join(folder, ".hogflare/import-7.json")), /ENOENT/);
  });

  it("a token that the Worker does not know ends it with the reason", async () => {
    const strict = await startSystem({ vars: { HOGFLARE_PROJECTS: '{"phc_known":{"team_id":3}}' } });
    try {
      const { code, stderr } = await run([...source(), "--to", strict.url, "--token", "phc_other", "--only", "people"]);
      assert.equal(code, 1);
      assert.match(stderr, /refused events: 401[\s\S]*--token/);
    } finally {
      await strict.stop();
    }
  });
});

describe("what the command says before it does anything", () => {
  const words = ["--from", "http://127.0.0.1:9", "--project", "7", "--to", "http://127.0.0.1:9", "--token", "phc_x"];
  for (const [args, code, text] of /** @type {[string[], number, RegExp][]} */ ([
    [[], 2, /--from, --project and POSTHOG_IMPORT_API_KEY/],
    [[...words, "--only", "peoples"], 2, /no part "peoples"/],
    [[...words, "--only", "events"], 2, /--files, or --since and --until/],
    [[...words, "--since", "yesterday", "--until", "2025-01-01T00:00:00Z"], 2, /--since is a moment/],
    [[...words.slice(0, 4), "--only", "people"], 2, /--to and --token/],
    [[...words, "--only", "events", "--files", "nowhere"], 2, /there is no nowhere/],
  ])) {
    it(`${args.slice(-2).join(" ") || "nothing"}: ${text.source}`, async () => {
      const result = await run(args, { key: args.length === 0 ? "" : KEY });
      assert.equal(result.code, code, result.stderr);
      assert.match(result.stderr, text);
    });
  }

  it("a wrong key and a wrong project are told as what they are", async () => {
    const wrong = await run([...source(), "--only", "flags"], { key: "phx_wrong_key" });
    assert.equal(wrong.code, 4);
    assert.match(wrong.stderr, /personal API key/);
    const elsewhere = await run(["--from", posthog.url, "--project", "8", "--only", "flags"]);
    assert.equal(elsewhere.code, 1);
    assert.match(elsewhere.stderr, /Project not found/);
  });

  it("ids beyond those that the API lists come by the query API, page by page", async () => {
    const distinct_ids = Array.from({ length: 12_600 }, (_, n) => `id's-${n}`);
    const rich = await startPostHogApi({ ...world, people: [{ ...world.people[0], distinct_ids }] });
    const { code, told, stderr } = await run([
      "--from",
      rich.url,
      "--project",
      PROJECT,
      "--to",
      "http://127.0.0.1:9",
      "--token",
      TOKEN,
      "--only",
      "people",
      "--dry-run",
      "--json",
    ]);
    await rich.stop();
    assert.equal(code, 0, stderr);
    assert.equal(told.distinct_ids, 12_600);
    assert.equal(rich.asked.filter((each) => each.endsWith("/query/")).length, 3);
  });

  it("a page elsewhere does not get the key", async () => {
    const elsewhere = await startPostHogApi(world);
    posthog.pageMax = 1;
    const url = posthog.url;
    posthog.url = elsewhere.url;
    const { code, stderr } = await run(["--from", url, "--project", PROJECT, "--only", "flags"]);
    posthog.url = url;
    await elsewhere.stop();
    assert.equal(code, 5, stderr);
    assert.deepEqual(elsewhere.asked, []);
  });

  it("Retry-After is seconds or a date", () => {
    assert.equal(retryAfterMs("12"), 12_000);
    assert.equal(retryAfterMs("Thu, 01 Jan 2026 00:00:05 GMT", Date.UTC(2026, 0, 1)), 5000);
    assert.equal(retryAfterMs("soon"), undefined);
    assert.equal(retryAfterMs(null), undefined);
  });

  it("a bar on a terminal, a line elsewhere", () => {
    const shown = (isTTY) => {
      let text = "";
      const bar = createProgress(/** @type {any} */ ({ isTTY, write: (part) => (text += part) }), () => 0);
      bar.at("events", 1500, "events", 0.5);
      bar.end("events", 3000, "events");
      return text;
    };
    assert.match(shown(true), /█{12}░{12} {2}50 % {2}1,500 events.*█{24} 100 % {2}3,000 events\n$/s);
    assert.equal(shown(false).split("\n").length, 3);
  });
});
