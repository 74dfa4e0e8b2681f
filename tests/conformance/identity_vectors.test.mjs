// The identity cases of tests/vectors through local workerd: events in over HTTP, people out as rows of the
// persons stream and the SQL views made of them. HOGFLARE_PERSONLESS=exact; each case in a project of
// its own, so that one Worker serves them all.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { ROOT } from "../../scripts/lib/worker.mjs";
import { eventually, startSystem } from "../lib/harness.mjs";

const FILES = ["identity", "2-identity-newer-rules", "2-identity-lists-and-merge-matrix"];
// tests/unit/identity_vectors_test.cpp says why.
const REPLACED = ["numeric $anon_distinct_id is stringified", "lifted: fbclid"];
const CASES = FILES.flatMap((name) => JSON.parse(readFileSync(join(ROOT, `tests/vectors/${name}.json`), "utf8")).cases).filter(
  (test) => !REPLACED.includes(test.name),
);
const NAMESPACE = Buffer.from("932979b465c3442484670b66ec27bc22", "hex");
const DEFAULT_TIME = "2024-01-01T00:00:00Z";

const teamOf = (index) => 1000 + index;
const tokenOf = (index) => `phc_case_${index}`;

/** I-4.2 */
function personUuid(team, distinctId) {
  const bytes = createHash("sha1").update(NAMESPACE).update(`${team}:${distinctId}`).digest().subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x50;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The vectors' uuids are those of team 1. */
function translateUuid(test, team, uuid) {
  const ids = test.events.flatMap((event) => [event.distinct_id, event.properties?.$anon_distinct_id, event.properties?.alias]);
  const id = ids.find((candidate) => personUuid(1, String(candidate)) === uuid);
  assert.notEqual(id, undefined, `no distinct_id of the case has the uuid ${uuid}`);
  return personUuid(team, String(id));
}

function projects() {
  const ofCases = Object.fromEntries(
    CASES.map((test, index) => {
      const { opt_out: optOut, ...settings } = test.team ?? {};
      const project = { ...settings, team_id: teamOf(index) };
      if (optOut !== undefined) project.person_processing_opt_out = optOut;
      return [tokenOf(index), project];
    }),
  );
  return { ...ofCases, phc_merged: { team_id: 1 }, phc_chain: { team_id: 2 } };
}

let system;
/** @type {Awaited<ReturnType<typeof readTables>>} */
let tables;
/** @type {string[][]} the events' uuids by case */
const sent = [];
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_PERSONLESS: "exact",
      HOGFLARE_PROJECTS: JSON.stringify(projects()),
      POSTHOG_TEAM_ID: undefined,
    },
    // The cases say nothing of a place.
    extra: { cf: {} },
    // A project for each case is more than a deployment's variable holds.
    platform: { variable_bytes: 1 << 20 },
  });
  for (const index of CASES.keys()) sent.push(await sendEvents(index));
  tables = await readTables();
});
after(() => system.stop());

const json = (value) => (typeof value === "string" ? JSON.parse(value) : (value ?? {}));

function withoutCreator(properties) {
  const { $creator_event_uuid: creator, ...rest } = json(properties);
  assert.ok(creator === undefined || typeof creator === "string");
  return rest;
}

/** Sends the case's events one by one; the uuid of each. */
async function sendEvents(index) {
  const uuids = [];
  for (const [position, { ip, ...event }] of CASES[index].events.entries()) {
    const uuid = `00000000-0000-4000-8000-${String(index).padStart(6, "0")}${String(position).padStart(6, "0")}`;
    uuids.push(uuid);
    const body = { api_key: tokenOf(index), uuid, timestamp: DEFAULT_TIME, ...event };
    const response = await system.post("/i/v0/e/", body, ip === undefined ? {} : { "cf-connecting-ip": ip });
    assert.equal(response.status, 200, await response.text());
  }
  return uuids;
}

/** What all cases left behind, read at once because a query costs more than a case. */
async function readTables() {
  const perTeam = (rows) => (team) => rows.filter((row) => row.team_id === team);
  return {
    people: perTeam(await system.sql("SELECT team_id, person_id, properties, is_identified FROM persons_current")),
    ids: perTeam(await system.sql("SELECT team_id, distinct_id, person_id FROM person_distinct_ids")),
    rows: perTeam(await system.sql("SELECT * FROM events ORDER BY created_at")),
    attributed: perTeam(await system.sql("SELECT team_id, distinct_id, person_id FROM events_with_person")),
    warnings: perTeam(await system.sql("SELECT team_id, reason, event_uuid FROM rejects WHERE kind = 'warning'")),
  };
}

/** Present people by the views: distinct_ids, properties, is_identified, uuid. */
function presentPeople(team) {
  return tables.people(team).map((person) => ({
    uuid: person.person_id,
    is_identified: person.is_identified,
    properties: withoutCreator(person.properties),
    distinct_ids: tables
      .ids(team)
      .filter((id) => id.person_id === person.person_id)
      .map((id) => id.distinct_id)
      .sort(),
  }));
}

function expectPeople(test, team, people) {
  if (test.expect.persons === undefined) return;
  assert.equal(people.length, test.expect.persons.length, JSON.stringify(people));
  for (const expected of test.expect.persons) {
    const ids = [...expected.distinct_ids].sort();
    const found = people.find((person) => person.distinct_ids.join("\n") === ids.join("\n"));
    assert.ok(found, `no person with the ids ${ids} in ${JSON.stringify(people)}`);
    assert.deepEqual(found.properties, expected.properties);
    assert.equal(found.is_identified, expected.is_identified);
    if (expected.uuid !== undefined) assert.equal(found.uuid, translateUuid(test, team, expected.uuid));
  }
  const personOf = (id) => people.find((person) => person.distinct_ids.includes(id))?.uuid;
  for (const [left, right] of test.expect.same_person ?? []) assert.equal(personOf(left), personOf(right));
  for (const [left, right] of test.expect.different_person ?? []) assert.notEqual(personOf(left), personOf(right));
}

function expectRow(test, team, row, expected) {
  if (expected.dropped === true) {
    assert.equal(row, undefined, "the event must have no row");
    return;
  }
  assert.ok(row, "the event has no row");
  if (expected.person_id !== undefined) assert.equal(row.person_id, translateUuid(test, team, expected.person_id));
  if (expected.person_mode !== undefined) {
    assert.equal(json(row.extra).$person_mode ?? "full", expected.person_mode);
  }
  if (expected.person_properties !== undefined) {
    assert.deepEqual(withoutCreator(row.person_properties), expected.person_properties);
  }
  if (expected.properties !== undefined) {
    const properties = json(row.properties);
    for (const [key, value] of Object.entries(expected.properties)) {
      assert.deepEqual(properties[key], value, key);
    }
    for (const key of Object.keys(properties)) {
      // Without an ip of its own the case says nothing about the address of this very test.
      const isAsserted = key.startsWith("$group_") || (key === "$ip" && test.events[0].ip !== undefined);
      if (isAsserted) assert.ok(key in expected.properties, `unexpected ${key}`);
    }
  }
}

/** What rows show of a group: the last one that names it. */
function expectGroups(test, rows) {
  for (const expected of test.expect.groups ?? []) {
    const column = `group${expected.group_type_index}`;
    const named = rows.filter((row) => row[column] === expected.group_key);
    assert.ok(named.length > 0, `no row names group ${expected.group_key}`);
    const [properties] = Object.values(json(named.at(-1).group_properties));
    assert.deepEqual(properties, expected.properties);
  }
  if (test.expect.groups?.length === 0) {
    for (const row of rows) {
      for (const properties of Object.values(json(row.group_properties))) assert.deepEqual(properties, {});
    }
  }
}

describe("identity vectors through workerd, exact mode", () => {
  for (const [index, test] of CASES.entries()) {
    it(test.name, () => {
      const team = teamOf(index);
      const uuids = sent[index];
      const people = presentPeople(team);
      expectPeople(test, team, people);

      const rows = tables.rows(team);
      for (const expected of test.expect.event_rows ?? []) {
        const row = rows.find((candidate) => candidate.uuid === uuids[expected.event_index]);
        expectRow(test, team, row, expected);
      }
      expectGroups(test, rows);

      const warnings = tables.warnings(team).sort((left, right) => uuids.indexOf(left.event_uuid) - uuids.indexOf(right.event_uuid));
      assert.deepEqual(
        warnings.map((warning) => warning.reason),
        test.expect.warnings ?? [],
      );

      // Whoever owns an id now owns its old rows, overridden ids included.
      for (const row of tables.attributed(team)) {
        const owner = people.find((person) => person.distinct_ids.includes(row.distinct_id));
        assert.equal(row.person_id, owner?.uuid ?? personUuid(team, row.distinct_id));
      }
    });
  }
});

describe("people as data", () => {
  it("rows stored before a merge belong to the survivor right after it", async () => {
    const token = "phc_merged";
    const send = (event, distinctId, properties = {}) =>
      system.post("/i/v0/e/", { api_key: token, event, distinct_id: distinctId, properties });
    await send("$pageview", "visitor-1", { $set: { plan: "free" } });
    await send("opened", "member-1", { $set: { name: "Ann" } });
    await send("$pageview", "visitor-2", { $process_person_profile: false });
    assert.equal((await send("$identify", "member-1", { $anon_distinct_id: "visitor-1" })).status, 200);
    assert.equal((await send("$identify", "member-1", { $anon_distinct_id: "visitor-2" })).status, 200);
    const rows = await system.sql(
      `SELECT distinct_id, event_person_id, person_id, current_person_properties FROM events_with_person
       WHERE team_id = 1 AND distinct_id IN ('visitor-1', 'visitor-2', 'member-1')`,
    );
    const member = personUuid(1, "member-1");
    assert.equal(rows.length, 5);
    for (const row of rows) {
      assert.equal(row.person_id, member);
      assert.equal(json(row.current_person_properties).plan, "free");
      assert.equal(json(row.current_person_properties).name, "Ann");
    }
    assert.ok(rows.some((row) => row.event_person_id === personUuid(1, "visitor-1")));
    assert.ok(rows.some((row) => row.event_person_id === personUuid(1, "visitor-2")));
  });

  it("a chain of merges leads every id to the last survivor", async () => {
    const token = "phc_chain";
    const send = (event, distinctId, properties = {}) =>
      system.post("/i/v0/e/", { api_key: token, event, distinct_id: distinctId, properties });
    for (const id of ["link-1", "link-2", "link-3", "link-4"]) await send("seen", id);
    for (const number of [1, 2, 3]) {
      const response = await send("$merge_dangerously", `link-${number + 1}`, { alias: `link-${number}` });
      assert.equal(response.status, 200);
    }
    const ids = await system.sql(
      `SELECT distinct_id, person_id, merges FROM person_distinct_ids
       WHERE team_id = 2 AND distinct_id LIKE 'link-%' ORDER BY distinct_id`,
    );
    assert.deepEqual(
      ids.map((row) => row.person_id),
      Array(4).fill(personUuid(2, "link-4")),
    );
    assert.equal((await send("seen", "link-1", { $set: { last: true } })).status, 200);
    const [person] = await system.sql(`SELECT properties FROM persons_current WHERE person_id = '${personUuid(2, "link-4")}'`);
    assert.equal(json(person.properties).last, true);
  });

  it("the survivor's alarm reports every merge once more, for clients that did not stay", async () => {
    const merges = () =>
      system.sql(
        `SELECT person_id, max(version) AS version FROM persons WHERE operation = 'merge' AND team_id = 2
         AND api_key IS NULL GROUP BY person_id`,
      );
    const survivor = personUuid(2, "link-4");
    await eventually(async () => (await merges()).some((row) => row.person_id === survivor), {
      everyMs: 1000,
      what: "the alarm's report of the last merge",
    });
    const [ids] = await system.sql(`SELECT distinct_ids FROM persons WHERE person_id = '${survivor}' AND api_key IS NULL LIMIT 1`);
    assert.deepEqual([...json(ids.distinct_ids)].sort(), ["link-1", "link-2", "link-3", "link-4"]);
  });
});
