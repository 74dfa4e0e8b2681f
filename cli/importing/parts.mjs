// The parts of an import: each reads pages, sends them, and notes in the state what is done.
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EXIT, Stop } from "../output.mjs";
import { exportedEvent, groupEvent, momentOf, personEvents } from "./events.mjs";
import { exportFiles, exportedRows } from "./export_files.mjs";
import { quoted } from "./posthog_api.mjs";

/** PostHog lists so many ids of a person (posthog/models/person: MAX_LIMIT_DISTINCT_IDS); the rest by a query. */
export const LISTED_IDS_MAX = 2500;
const PAGE = 100;
const QUERY_ROWS = 5000;
const ROWS_AT_ONCE = 500;
/** Lists of members up to this stand in the flags document; longer ones in files of their own, for KV. */
const MEMBERS_INLINE_MAX = 1000;

/** @typedef {{api: any, target: any, state: any, progress: any, say: (text: string) => void, options: any, project: string}} Import */

async function allIds({ api }, person) {
  if (person.distinct_ids.length < LISTED_IDS_MAX) return person;
  const ids = new Set(person.distinct_ids);
  for (let after = ""; ; ) {
    const rows = await api.query(
      `SELECT distinct_id FROM person_distinct_ids WHERE person_id = ${quoted(person.uuid)} AND distinct_id > ${quoted(after)} ORDER BY distinct_id LIMIT ${QUERY_ROWS}`,
    );
    for (const [id] of rows) ids.add(id);
    if (rows.length < QUERY_ROWS) return { ...person, distinct_ids: [...ids] };
    after = rows.at(-1)[0];
  }
}

/** @param {Import} run */
export async function importPeople(run) {
  const { api, target, state, progress, project, options } = run;
  const done = state.get("people");
  let { count = 0, ids = 0 } = done;
  if (!done.whole) {
    for await (const { results, next } of api.pages(`persons/?limit=${PAGE}`, done.next ?? null)) {
      const people = [];
      for (const person of results) people.push(await allIds(run, person));
      await target.send(people.flatMap((person) => personEvents(project, person, options)));
      count += people.length;
      ids += people.reduce((sum, person) => sum + person.distinct_ids.length, 0);
      state.put("people", { next, whole: next === null, count, ids });
      progress.at("people", count, "people");
    }
  }
  progress.end("people", count, "people");
  return { people: count, distinct_ids: ids };
}

/** Index to name of the group types. */
async function groupTypes({ api }) {
  const answer = await api.get("groups_types/");
  const list = Array.isArray(answer) ? answer : (answer.results ?? []);
  return list.map((each) => ({ index: each.group_type_index, type: each.group_type })).sort((a, b) => a.index - b.index);
}

/** @param {Import} run */
export async function importGroups(run) {
  const { api, target, state, progress, project, say } = run;
  const types = await groupTypes(run);
  const done = state.get("groups");
  let count = done.count ?? 0;
  for (const { index, type } of types) {
    const known = done[index] ?? {};
    if (known.whole) continue;
    for await (const { results, next } of api.pages(`groups/?group_type_index=${index}`, known.next ?? null)) {
      await target.send(results.map((group) => groupEvent(project, type, group)));
      count += results.length;
      done[index] = { next, whole: next === null };
      state.put("groups", { ...done, count });
      progress.at("groups", count, "groups");
    }
  }
  progress.end("groups", count, "groups");
  for (const { index, type } of types) say(`         the Worker needs POSTHOG_GROUP_TYPE_${index} = "${type}"`);
  return { groups: count, group_types: Object.fromEntries(types.map(({ index, type }) => [index, type])) };
}

async function list(api, path) {
  const found = [];
  for await (const { results } of api.pages(path)) found.push(...results);
  return found;
}

/** Distinct ids of a static cohort's people: their uuids are others here. */
async function membersOf({ api, progress }, cohort) {
  const ids = [];
  for await (const { results } of api.pages(`cohorts/${cohort.id}/persons/?limit=${PAGE}`)) {
    for (const person of results) ids.push(...(person.distinct_ids ?? []));
    progress.at("cohorts", ids.length, "members");
  }
  return ids;
}

const FLAG_FIELDS = [
  "id",
  "key",
  "name",
  "active",
  "filters",
  "ensure_experience_continuity",
  "has_encrypted_payloads",
  "version",
  "evaluation_runtime",
  "evaluation_tags",
  "bucketing_identifier",
];
const COHORT_FIELDS = ["id", "name", "is_static", "filters", "groups", "cohort_type"];
const pick = (value, names) =>
  Object.fromEntries(names.filter((name) => value[name] !== undefined && value[name] !== null).map((name) => [name, value[name]]));

function readDocument(path) {
  if (!existsSync(path)) return {};
  const document = JSON.parse(readFileSync(path, "utf8"));
  return Array.isArray(document) ? { flags: document } : document;
}

/** `news` over what a list had, by a key. */
function merged(had, news, key) {
  const byKey = new Map(news.map((each) => [String(each[key]), each]));
  return [...(had ?? []).filter((each) => !byKey.has(String(each[key]))), ...news];
}

/**
 * Flags and cohorts, with the groups' names, into the flags document; what else stands there stays.
 * @param {Import} run
 */
export async function importFlags(run, { flags: wantsFlags, cohorts: wantsCohorts }) {
  const { api, target, progress, say, options } = run;
  const path = resolve(options.document);
  const document = readDocument(path);
  const files = [];
  const cohorts = [];
  if (wantsCohorts) {
    for (const cohort of (await list(api, `cohorts/?limit=${PAGE}`)).filter((each) => !each.deleted)) {
      const kept = pick(cohort, COHORT_FIELDS);
      if (cohort.is_static) {
        const members = await membersOf(run, cohort);
        if (members.length <= MEMBERS_INLINE_MAX) kept.members = members;
        else files.push({ path: join(dirname(path), `cohort-${cohort.id}.json`), key: `cohort:${cohort.id}`, members });
      }
      cohorts.push(kept);
    }
    document.cohorts = merged(Array.isArray(document.cohorts) ? document.cohorts : [], cohorts, "id");
    progress.end("cohorts", cohorts.length, "cohorts");
  }
  let flags = [];
  if (wantsFlags) {
    flags = (await list(api, `feature_flags/?limit=${PAGE}`)).filter((each) => !each.deleted).map((each) => pick(each, FLAG_FIELDS));
    document.flags = merged(document.flags, flags, "key");
    const types = await groupTypes(run);
    if (types.length > 0) document.group_type_mapping = Object.fromEntries(types.map(({ index, type }) => [String(index), type]));
    progress.end("flags", flags.length, "flags");
  }
  document.flags ??= [];
  if (!target.dryRun) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);
    for (const file of files) writeFileSync(file.path, `${JSON.stringify(file.members)}\n`);
    say(`         written to ${options.document}; "hogflare flags push ${options.document}" brings it to the edge`);
    for (const file of files)
      say(`         ${file.path} is the list of ${file.members.length} for the key ${file.key} of the KV namespace FLAGS`);
  }
  return { flags: flags.length, cohorts: cohorts.length };
}

/** Sends rows in the order they come, the first `skip` left out; calls `noted` with how many are done. */
async function sendRows(rows, target, skip, noted) {
  let seen = 0;
  let left = 0;
  let held = [];
  const flush = async () => {
    await target.send(held);
    held = [];
    noted(seen, left);
  };
  for await (const row of rows) {
    seen++;
    if (seen <= skip) continue;
    const event = exportedEvent(row);
    if (event === undefined) left++;
    else held.push(event);
    if (held.length >= ROWS_AT_ONCE) await flush();
  }
  await flush();
  return seen;
}

/** Events of batch export files. @param {Import} run */
export async function importFiles({ target, state, progress, say, options }) {
  const files = exportFiles(options.files);
  const done = state.get("files");
  const sizes = files.map((path) => statSync(path).size);
  const whole = sizes.reduce((sum, size) => sum + size, 0);
  let before = 0;
  let events = 0;
  let leftOut = 0;
  for (const [i, path] of files.entries()) {
    const key = resolve(path);
    const known = done[key] ?? {};
    if (known.size !== undefined && known.size !== sizes[i])
      throw new Stop(
        EXIT.refused,
        `${path} is not as large as it was when it was begun`,
        "give another --state to send it from its beginning",
      );
    if (!known.whole) {
      const rows = await sendRows(exportedRows(path), target, known.rows ?? 0, (seen, left) => {
        done[key] = { size: sizes[i], rows: seen, left: (known.left ?? 0) + left, whole: false };
        state.put("files", done);
        progress.at("events", events + seen, "events", before / whole);
      });
      done[key] = { ...done[key], size: sizes[i], rows, whole: true };
      state.put("files", done);
    }
    events += done[key].rows;
    leftOut += done[key].left ?? 0;
    before += sizes[i];
    progress.at("events", events, "events", before / whole);
  }
  progress.end("events", events, "events");
  if (leftOut > 0)
    say(`         ${leftOut} rows without a uuid, a name or a distinct_id were left out: are these files of the events model?`);
  return { events: events - leftOut, left_out: leftOut, files: files.length };
}

const COLUMNS = ["uuid", "event", "distinct_id", "timestamp", "properties", "elements_chain"];

/** Events by the query API, in the order of their time, from where the last run stopped. @param {Import} run */
export async function importQuery({ api, target, state, progress, options }) {
  const done = state.get("query");
  let { after, count = 0 } = done;
  const range = JSON.stringify([options.since, options.until]);
  if (done.range !== undefined && done.range !== range)
    throw new Stop(EXIT.refused, `${state.path} is about the range ${done.range}`, "give another --state");
  const moment = (text) => `toDateTime64(${quoted(text.replace("T", " ").replace(/Z$/, ""))}, 6, 'UTC')`;
  const began = Date.parse(options.since);
  const length = Math.max(1, Date.parse(options.until) - began);
  for (let whole = done.whole ?? false; !whole; ) {
    const behind =
      after === undefined
        ? ""
        : ` AND (timestamp > ${moment(after.timestamp)} OR (timestamp = ${moment(after.timestamp)} AND toString(uuid) > ${quoted(after.uuid)}))`;
    const lists = await api.query(
      `SELECT toString(uuid), event, distinct_id, toString(toTimeZone(timestamp, 'UTC')), properties, elements_chain FROM events` +
        ` WHERE timestamp >= ${moment(options.since)} AND timestamp < ${moment(options.until)}${behind} ORDER BY timestamp, toString(uuid) LIMIT ${QUERY_ROWS}`,
    );
    const rows = lists.map((values) => Object.fromEntries(COLUMNS.map((name, i) => [name, values[i]])));
    await target.send(rows.map(exportedEvent).filter((event) => event !== undefined));
    count += rows.length;
    whole = rows.length < QUERY_ROWS;
    if (rows.length > 0) after = { timestamp: rows.at(-1).timestamp, uuid: rows.at(-1).uuid };
    state.put("query", { range, after, count, whole });
    progress.at("events", count, "events", after === undefined ? 1 : (Date.parse(momentOf(after.timestamp)) - began) / length);
  }
  progress.end("events", count, "events");
  return { events: count };
}
