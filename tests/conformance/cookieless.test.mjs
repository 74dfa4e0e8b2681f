// tests/vectors/cookieless.json through local workerd, each case in a project of its own, and what only a
// running Worker can show: objects that do not answer, and a start after another.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { faultyWorker, setFault } from "../lib/faulty_worker.mjs";
import { startSystem } from "../lib/harness.mjs";

const VECTORS = JSON.parse(readFileSync(join(ROOT, "tests/vectors/cookieless.json"), "utf8")).cases;
// No connection is without an address here, a clock cannot be set, and an offset that has a summer time is
// another one half of the year: those cases are the unit tests'.
const needsNoAddress = (test) => test.team.timezone === "UTC" && test.events.every((event) => event.connection.ip !== null);
const answers = (test) => test.expect.every(([relation]) => relation !== "failed");
const CASES = VECTORS.filter((test) => test.kind === "events" && needsNoAddress(test) && answers(test));
const FLAG_CASES = VECTORS.filter((test) => test.kind === "flags" && !("flag" in test.request));
const ALL = [...CASES, ...FLAG_CASES];
const PLACEHOLDER = "$posthog_cookieless";
const DAY_MS = 86_400_000;

const teamOf = (index) => 3000 + index;
const tokenOf = (index) => `phc_cookieless_${index}`;
const OTHER = { team_id: 2999, cookieless: "stateful" };

const projects = {
  phc_other: OTHER,
  phc_broken: { team_id: 2998, cookieless: "stateful" },
  ...Object.fromEntries(
    ALL.map((test, index) => {
      const { cookieless, timezone } = test.team;
      const project = { team_id: teamOf(index), timezone };
      return [tokenOf(index), cookieless === null ? project : { ...project, cookieless }];
    }),
  ),
};

const flags = Array.from({ length: 40 }, (_, i) => ({
  id: i + 1,
  key: `half-${i}`,
  active: true,
  filters: { groups: [{ properties: [], rollout_percentage: 50 }] },
}));

let system;
let tables;
/** By case: uuid of each ref. */
const sent = [];

/** By how many days a case's times move so that its last one is in the day that has just passed. */
function shiftOf(test) {
  const last = Math.max(...test.events.map((event) => Date.parse(event.received_at)));
  return Math.floor((Date.now() - last) / DAY_MS) * DAY_MS;
}

async function sendEvents(test, index) {
  const uuids = {};
  // Once for all of them: a day may turn in between.
  const shift = shiftOf(test);
  for (const [position, event] of test.events.entries()) {
    const uuid = event.body.uuid ?? `00000000-0000-4000-8000-${String(index).padStart(6, "0")}${String(position).padStart(6, "0")}`;
    uuids[event.ref] = uuid;
    const timestamp = new Date(Date.parse(event.body.timestamp) + shift).toISOString();
    const body = { ...event.body, uuid, timestamp, api_key: tokenOf(index) };
    const response = await system.post("/i/v0/e/", body, { "cf-connecting-ip": event.connection.ip });
    assert.equal(response.status, 200, `${test.name}: ${await response.text()}`);
  }
  sent.push(uuids);
}

before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_PERSONLESS: "exact",
      HOGFLARE_PROJECTS: JSON.stringify(projects),
      HOGFLARE_FEATURE_FLAGS: JSON.stringify({ flags }),
    },
    extra: faultyWorker(),
  });
  for (const [index, test] of ALL.entries()) await sendEvents(test, index);
  tables = {
    rows: await system.sql("SELECT * FROM events_with_person"),
    rejects: await system.sql("SELECT team_id, kind, reason, event_uuid FROM rejects"),
    ids: await system.sql("SELECT team_id, distinct_id, person_id FROM person_distinct_ids"),
  };
});
after(async () => {
  assert.deepEqual(await system.bad(), []);
  await system.stop();
});

const json = (value) => (typeof value === "string" ? JSON.parse(value) : (value ?? {}));

/** A path of the vectors in the stored rows. */
function valueAt(index, path) {
  const [ref, ...rest] = path.split(".");
  const row = tables.rows.find((each) => each.team_id === teamOf(index) && each.uuid === sent[index][ref]);
  assert.ok(row, `${ref} has no row`);
  if (rest[0] === "distinct_id" || rest[0] === "person_id") return row[rest[0]];
  if (rest[0] === "properties") rest.shift();
  return rest.reduce((value, name) => value?.[name], json(row.properties));
}

async function check(index, [relation, first, second, third]) {
  const side = (ref, kind, reason) =>
    tables.rejects.some(
      (row) => row.team_id === teamOf(index) && row.event_uuid === sent[index][ref] && row.kind === kind && row.reason === reason,
    );
  const owner = (id) => tables.ids.find((row) => row.team_id === teamOf(index) && row.distinct_id === id)?.person_id;
  switch (relation) {
    case "same":
      return assert.equal(valueAt(index, first), valueAt(index, second));
    case "different":
      return assert.notEqual(valueAt(index, first), valueAt(index, second));
    case "equals":
      return assert.deepEqual(valueAt(index, first), second);
    case "absent":
      return assert.equal(valueAt(index, first), undefined);
    case "matches":
      return assert.match(valueAt(index, first), new RegExp(second));
    case "dropped":
      assert.throws(() => valueAt(index, `${first}.distinct_id`), /has no row/);
      assert.ok(side(first, "reject", second), second);
      if (third !== null) assert.ok(side(first, "warning", third), third);
      return;
    case "no_person_for":
      return assert.equal(owner(first), undefined);
    case "not_merged":
      return assert.notEqual(valueAt(index, first), owner(second));
    case "different_across_projects": {
      const uuid = randomUUID();
      await system.post(
        "/i/v0/e/",
        { ...CASES[index].events[0].body, timestamp: undefined, uuid, api_key: "phc_other" },
        { "cf-connecting-ip": CASES[index].events[0].connection.ip },
      );
      const row = (await system.rows()).find((each) => each.uuid === uuid);
      assert.match(row.distinct_id, /^cookieless_/);
      return assert.notEqual(row.distinct_id, valueAt(index, first));
    }
    default:
      assert.fail(`unknown relation ${relation}`);
  }
}

describe("cookieless vectors through workerd", () => {
  for (const [index, test] of CASES.entries()) {
    it(test.name, async () => {
      for (const expectation of test.expect) await check(index, expectation);
      assert.ok(!tables.ids.some((row) => row.distinct_id === PLACEHOLDER));
    });
  }
});

async function enabled(index, request, distinctId) {
  const { timezone, cookieless_hash_extra: extra } = request;
  const body = { token: tokenOf(index), distinct_id: distinctId, timezone, cookieless_hash_extra: extra };
  const response = await system.post("/flags/?v=2", body, {
    "cf-connecting-ip": request.connection.ip,
    // fetch() sends an agent of its own unless one is given.
    "user-agent": request.headers["user-agent"] ?? "",
    ...(request.headers.origin === undefined ? {} : { origin: request.headers.origin }),
  });
  const values = response.status === 200 ? Object.entries((await response.json()).flags).map(([key, flag]) => [key, flag.enabled]) : [];
  return { status: response.status, values: values.sort() };
}

describe("flags of cookieless visitors", () => {
  for (const [position, test] of FLAG_CASES.entries()) {
    const index = CASES.length + position;
    it(test.name, async () => {
      const { status, values } = await enabled(index, test.request, test.request.distinct_id);
      for (const [relation, expected] of test.expect) {
        if (relation === "status") {
          assert.equal(status, expected);
          continue;
        }
        // The event's day is the case's, the request's is today's: ask with an event of now.
        let identifier = expected;
        if (relation === "identifier_same_as") {
          const uuid = randomUUID();
          const { connection, body } = test.events[0];
          await system.post(
            "/i/v0/e/",
            { ...body, timestamp: undefined, uuid, api_key: tokenOf(index) },
            { "cf-connecting-ip": connection.ip },
          );
          identifier = (await system.rows()).find((row) => row.uuid === uuid).distinct_id;
        }
        assert.deepEqual(values, (await enabled(index, test.request, identifier)).values);
        assert.notDeepEqual(values, (await enabled(index, test.request, "somebody else")).values);
      }
    });
  }
});

describe("a cookieless project whose objects do not answer", () => {
  const view = (fields = {}) => ({
    event: "view",
    uuid: randomUUID(),
    distinct_id: PLACEHOLDER,
    properties: { $host: "shop.example", $raw_user_agent: "Agent", $cookieless_mode: true },
    ...fields,
  });
  const post = (events) => system.post("/batch/", { api_key: "phc_broken", batch: events }, { "cf-connecting-ip": "192.0.2.9" });

  it("keeps the others' events and asks for its own again; the copy has one row", async () => {
    await setFault(system, "cookieless", "throw");
    const events = [view(), { event: "ordinary", uuid: randomUUID(), distinct_id: "real-1" }];
    const response = await post(events);
    assert.equal(response.status, 503);
    assert.ok(response.headers.get("retry-after"));
    const uuids = async () => (await system.rows()).filter((row) => row.team_id === 2998).map((row) => row.uuid);
    assert.deepEqual(await uuids(), [events[1].uuid]);
    await setFault(system, "cookieless", "");
    assert.equal((await post(events)).status, 200);
    assert.ok((await uuids()).includes(events[0].uuid));
    const people = await system.sql("SELECT distinct_id FROM person_distinct_ids WHERE team_id = 2998");
    assert.ok(!people.some((row) => row.distinct_id === PLACEHOLDER));
  });

  it("answers flags with an error that SDKs keep their flags on", async () => {
    await setFault(system, "cookieless", "throw");
    const response = await system.post(
      "/flags/?v=2",
      { token: "phc_broken", distinct_id: PLACEHOLDER },
      { "cf-connecting-ip": "192.0.2.77", origin: "https://shop.example", "user-agent": "Agent" },
    );
    await setFault(system, "cookieless", "");
    assert.equal(response.status, 502);
  });
});
