// Recordings read back: from rows by a SQL engine, from a bucket, and from both at once; who may read them,
// and which there are.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { faultyWorker, setFault } from "../lib/faulty_worker.mjs";
import { startSystem } from "../lib/harness.mjs";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { batch, event } from "./support.mjs";

const ADMIN = "an-admin-token-of-some-length";
const VIEWER = "a-viewer-token-of-some-length";
const vars = {
  HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1 }, phc_two: { team_id: 2 } }),
  HOGFLARE_ADMIN_TOKEN: ADMIN,
  HOGFLARE_VIEWER_TOKEN: VIEWER,
  POSTHOG_PERSONAL_API_KEY: "phx_reader",
};
const by = (key) => ({ headers: { authorization: `Bearer ${key}` } });

/** As posthog-js makes them: a UUID of version 7. */
const sessionAt = (ms) => {
  const hex = ms.toString(16).padStart(12, "0");
  return `${hex.slice(0, 8)}-${hex.slice(8)}-7${randomUUID().slice(15)}`;
};

let clock = Date.now() - 3_600_000;
/** One part of a recording, a second after the one before. */
function part(session, items, { token = "phc_test", ...fields } = {}) {
  clock += 1_000;
  return {
    event: "$snapshot",
    uuid: randomUUID(),
    timestamp: new Date(clock).toISOString(),
    properties: { token, distinct_id: "watched", $session_id: session, $window_id: "w", $snapshot_data: items, $lib: "web" },
    ...fields,
  };
}
const item = (text) => ({ type: 3, data: { source: 5, text, id: 5 }, timestamp: clock });

async function send(system, ...parts) {
  for (const one of parts) assert.equal((await system.post("/s/", JSON.stringify([one]))).status, 200);
}

/** Every part of a recording as a reader puts it together, and how many answers that took. */
async function read(system, session, { key = VIEWER, team = 1 } = {}) {
  const parts = new Map();
  const pieces = new Map();
  let answers = 0;
  for (let next = ""; next !== null; answers += 1) {
    const query = next === "" ? "" : `?after=${encodeURIComponent(next)}`;
    const response = await system.request(`/api/projects/${team}/session_recordings/${session}/snapshots${query}`, by(key));
    assert.equal(response.status, 200, await response.clone().text());
    assert.equal(response.headers.get("content-type"), "application/jsonl");
    for (const line of (await response.text()).split("\n").filter(Boolean)) {
      const { uuid, data, text, chunk_index, chunk_count } = JSON.parse(line);
      if (text === undefined) {
        parts.set(uuid, data);
        continue;
      }
      const have = (pieces.get(uuid) ?? new Map()).set(chunk_index, text);
      pieces.set(uuid, have);
      if (have.size === chunk_count) parts.set(uuid, JSON.parse(Array.from({ length: chunk_count }, (_, at) => have.get(at)).join("")));
    }
    next = response.headers.get("x-hogflare-next");
  }
  return { parts, answers };
}

const list = async (system, query = "", key = VIEWER, team = 1) => {
  const response = await system.request(`/api/projects/${team}/session_recordings/${query}`, by(key));
  return { status: response.status, ...(await response.json()) };
};

describe("recordings in rows", () => {
  let system;
  before(async () => {
    system = await startSystem({ vars, hasSql: true });
  });
  after(() => system.stop());

  it("before the first row there are none", async () => {
    assert.deepEqual(await list(system), { status: 200, results: [], has_next: false });
    const response = await system.request(`/api/projects/1/session_recordings/${randomUUID()}/snapshots`, by(VIEWER));
    assert.equal(response.status, 404);
  });

  it("come whole, a cut one too, each once though it was sent twice, a megabyte an answer", async () => {
    const session = randomUUID();
    const texts = ["a", 'Größe 🛒 "quoted" \\ back', "c".repeat(2_400_000), "d".repeat(600_000), "e".repeat(600_000), "f"];
    const sent = texts.map((text) => part(session, [item(text)]));
    await send(system, ...sent, sent[1], sent[2]);
    const { parts, answers } = await read(system, session);
    assert.deepEqual([...parts.keys()].sort(), sent.map(({ uuid }) => uuid).sort());
    for (const { uuid, properties } of sent) assert.deepEqual(parts.get(uuid), properties.$snapshot_data);
    assert.ok(answers >= 4, `${answers} answers`);
  });

  it("more rows than one statement names are read on from where it stopped", async () => {
    const session = randomUUID();
    // The same instant for all: their uuids tell the order.
    const at = new Date(clock).toISOString();
    const sent = Array.from({ length: 620 }, (_, n) => ({ ...part(session, [{ type: 3, data: { n }, timestamp: n }]), timestamp: at }));
    for (let n = 0; n < sent.length; n += 100) {
      const group = sent.slice(n, n + 100).map((one, i) => ({ ...one, properties: { ...one.properties, $window_id: `w${n + i}` } }));
      assert.equal((await system.post("/s/", JSON.stringify(group))).status, 200);
    }
    const { parts, answers } = await read(system, session);
    assert.equal(parts.size, 620);
    assert.ok(answers >= 2 && answers <= 10, `${answers} answers`);
  });

  it("are listed newest first with what happened in them, by name too", async () => {
    const [first, second, unrecorded] = [randomUUID(), randomUUID(), randomUUID()];
    await send(system, part(first, [item("x")]), part(first, [item("y")]), part(second, [item("z")]));
    const acts = [
      event({
        event: "$pageview",
        distinct_id: "ada",
        timestamp: new Date(clock + 8_000).toISOString(),
        properties: { $session_id: second },
      }),
      event({
        event: "$exception",
        distinct_id: "ada",
        timestamp: new Date(clock + 9_000).toISOString(),
        properties: { $session_id: second },
      }),
      event({
        event: "$pageview",
        distinct_id: "ada",
        timestamp: new Date(clock + 9_000).toISOString(),
        properties: { $session_id: unrecorded },
      }),
    ];
    assert.equal((await system.post("/batch/", batch(acts))).status, 200);
    const { results } = await list(system, "?date_from=-7d");
    assert.equal(results[0].id, second);
    assert.equal(results[1].id, first);
    assert.deepEqual([results[0].recording_duration, results[0].pageviews, results[0].exceptions, results[0].parts], [9, 1, 1, 1]);
    assert.match(results[0].person_id, /^[0-9a-f-]{36}$/);
    assert.deepEqual([results[1].recording_duration, results[1].parts, results[1].person_id], [1, 2, null]);
    const named = await list(system, `?session_ids=${encodeURIComponent(JSON.stringify([first, unrecorded]))}`);
    assert.deepEqual(
      named.results.map(({ id }) => id),
      [first],
    );
    const cut = await list(system, "?limit=1");
    assert.deepEqual([cut.results.length, cut.has_next], [1, true]);
    for (const wrong of [
      "?limit=0",
      "?limit=x",
      "?limit=1001",
      "?date_from=7d",
      "?date_from=-d",
      "?date_from=-400d",
      "?session_ids=a",
      "?session_ids=[1]",
    ]) {
      assert.equal((await list(system, wrong)).status, 400, wrong);
    }
  });

  it("are for who may read, in the project they are asked in, and for no other site's page", async () => {
    const session = randomUUID();
    await send(system, part(session, [item("mine")]));
    for (const key of [ADMIN, VIEWER, "phx_reader"]) assert.equal((await read(system, session, { key })).parts.size, 1);
    const path = `/api/projects/1/session_recordings/${session}/snapshots`;
    for (const address of [path, "/api/projects/1/session_recordings/"]) {
      assert.equal((await system.request(address)).status, 401);
      assert.equal((await system.request(address, by("wrong"))).status, 401);
      const foreign = await system.request(address, { headers: { ...by(ADMIN).headers, origin: "https://evil.example" } });
      assert.equal(foreign.headers.get("access-control-allow-origin"), null);
    }
    assert.equal((await system.request(path.replace("projects/1", "projects/2"), by(ADMIN))).status, 404);
    assert.ok(!(await list(system, "", ADMIN, 2)).results.some(({ id }) => id === session));
    for (const team of ["3", "@current", "x"])
      assert.equal((await system.request(`/api/projects/${team}/session_recordings/`, by(ADMIN))).status, 404, team);
    const quote = await system.request(`/api/projects/1/session_recordings/${encodeURIComponent("x' OR '1'='1")}/snapshots`, by(ADMIN));
    assert.equal(quote.status, 400);
    const removal = await system.request(`/api/projects/1/session_recordings/${session}`, { method: "DELETE", ...by(VIEWER) });
    assert.equal(removal.status, 401);
  });

  it("the console's cookie reads them", async () => {
    const session = randomUUID();
    await send(system, part(session, [item("seen")]));
    const signedIn = await system.post("/app/api/session", { token: VIEWER });
    assert.equal((await signedIn.json()).capabilities.recordings, true);
    const cookie = signedIn.headers.get("set-cookie").split(";")[0];
    const path = `/api/projects/1/session_recordings/${session}/snapshots`;
    assert.equal((await system.request(path, { headers: { cookie } })).status, 200);
    assert.equal((await system.request(path, { headers: { cookie, "sec-fetch-site": "cross-site" } })).status, 401);
  });

  it("questions about all events do not see them", async () => {
    const session = randomUUID();
    await send(system, part(session, [item("x".repeat(900_000))]));
    const query = {
      kind: "EventsQuery",
      select: ["*"],
      after: "-90d",
      properties: [{ type: "event", key: "$session_id", operator: "exact", value: [session] }],
    };
    const answer = await (await system.post("/api/projects/1/query/", { query }, by(VIEWER).headers)).json();
    assert.deepEqual(answer.results, []);
  });

  it("hogflare replay lists and writes them with nothing but the Worker", async () => {
    const session = randomUUID();
    await send(
      system,
      part(session, [
        { type: 4, data: { href: "https://a.example/", width: 800, height: 600 }, timestamp: 1 },
        item("x".repeat(1_500_000)),
      ]),
      part(session, [item("end")]),
    );
    const folder = mkdtempSync(join(tmpdir(), "hogflare-read-"));
    const file = join(folder, "session.html");
    const run = (...args) =>
      promisify(execFile)(process.execPath, [join(ROOT, "bin/hogflare"), "replay", ...args], {
        cwd: folder,
        env: { ...process.env, HOGFLARE_ADMIN_TOKEN: "", POSTHOG_PERSONAL_API_KEY: "phx_reader" },
      });
    const listed = JSON.parse((await run("--worker", system.url, "--json")).stdout);
    assert.ok(listed.some(({ id }) => id === session));
    assert.match((await run("--worker", system.url, session, file)).stdout, /1 windows, 3 events/);
    assert.ok(readFileSync(file, "utf8").includes("x".repeat(1_500_000)));
    await assert.rejects(run(), /give --worker/);
    rmSync(folder, { recursive: true });
  });
});

describe("recordings in a bucket and in rows", () => {
  let system;
  before(async () => {
    const { kvNamespaces, ...extra } = faultyWorker();
    system = await startSystem({ vars, hasSql: true, r2Buckets: ["RECORDINGS"], kvNamespaces, extra });
  });
  after(() => system.stop());

  it("are one recording when the bucket refused a part", async () => {
    const session = randomUUID();
    const sent = [part(session, [item("in the bucket")]), part(session, [item("in a row")])];
    await send(system, sent[0]);
    await setFault(system, "recordings", "throw");
    await send(system, sent[1]);
    await setFault(system, "recordings", "");
    const { parts } = await read(system, session);
    for (const { uuid, properties } of sent) assert.deepEqual(parts.get(uuid), properties.$snapshot_data);
    assert.equal(parts.size, 2);
    assert.equal((await list(system)).results[0].parts, 2);
  });
});

describe("recordings in a bucket without an engine", () => {
  let system;
  before(async () => {
    system = await startSystem({ vars, r2Buckets: ["RECORDINGS"] });
  });
  after(() => system.stop());

  it("are listed by the names of objects, newest first, in their project", async () => {
    const [old, young, older] = [
      sessionAt(Date.now() - 3_600_000),
      sessionAt(Date.now() - 60_000),
      sessionAt(Date.now() - 40 * 86_400_000),
    ];
    await send(system, part(old, [item("1")]), part(young, [item("2")]), part(young, [item("3")]), part(older, [item("4")]));
    await send(system, part(sessionAt(Date.now()), [item("5")], { token: "phc_two" }));
    const { results, has_next } = await list(system);
    assert.deepEqual(
      results.map(({ id }) => id),
      [young, old],
    );
    assert.deepEqual([results[0].parts, results[0].recording_duration, results[0].pageviews, has_next], [2, 1, null, false]);
    assert.deepEqual(
      (await list(system, "?date_from=-60d")).results.map(({ id }) => id),
      [young, old, older],
    );
    assert.deepEqual(
      (await list(system, `?session_ids=${encodeURIComponent(JSON.stringify([older]))}`)).results.map(({ id }) => id),
      [older],
    );
    const cut = await list(system, "?limit=1");
    assert.deepEqual([cut.results[0].id, cut.has_next], [young, true]);
    assert.equal((await read(system, young)).parts.size, 2);
  });
});

describe("without bucket and engine", () => {
  it("there is nothing to read recordings from, and that is said", async () => {
    const system = await startSystem({ vars });
    try {
      const told = await list(system);
      assert.equal(told.status, 404);
      assert.equal(told.code, "no_bucket");
    } finally {
      await system.stop();
    }
  });
});
