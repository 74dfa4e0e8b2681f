// What PostHog says of people, groups and events, as events that the Worker's capture path takes.
import { EXIT, Stop } from "../output.mjs";
import { parseExactly } from "./json.mjs";
import { stableUuid } from "./target.mjs";

/** Every imported event says that its place is not the importer's, and what sent it. */
const OWN = { $geoip_disable: true };
const LIB = { ...OWN, $lib: "hogflare-import" };

const objectOf = (value) => {
  const read = typeof value === "string" && value !== "" ? parseExactly(value) : value;
  return read !== null && typeof read === "object" && !Array.isArray(read) ? read : {};
};

/** A moment of PostHog's as ISO 8601 in UTC, to the microsecond where it has them. */
export function momentOf(value) {
  if (value instanceof Date) return value.toISOString();
  const text = String(value).trim().replace(" ", "T");
  const zoned = /(Z|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`;
  if (Number.isNaN(Date.parse(zoned))) throw new Stop(EXIT.failed, `"${value}" is no moment`, "");
  return zoned;
}

/**
 * Events that make a person: its properties, then each other id merged into the first. What the Worker knows of the person
 * already, because its SDKs have moved, stays, unless `overwrite`.
 */
export function personEvents(project, person, { overwrite = false } = {}) {
  const [first, ...others] = person.distinct_ids ?? [];
  if (first === undefined) return [];
  const timestamp = momentOf(person.created_at);
  const event = (name, properties, ...key) => ({
    uuid: stableUuid(project, "person", person.uuid ?? person.id, ...key),
    event: name,
    distinct_id: first,
    timestamp,
    properties: { ...LIB, ...properties },
  });
  const isIdentified = person.is_identified === true && others.length === 0;
  return [
    event(isIdentified ? "$identify" : "$set", { [overwrite ? "$set" : "$set_once"]: objectOf(person.properties) }, "properties"),
    ...others.map((other) => event("$merge_dangerously", { alias: other }, "id", other)),
  ];
}

export function groupEvent(project, type, group) {
  return {
    uuid: stableUuid(project, "group", type, group.group_key),
    event: "$groupidentify",
    distinct_id: `$${type}_${group.group_key}`,
    timestamp: momentOf(group.created_at),
    properties: { ...LIB, $group_type: type, $group_key: group.group_key, $group_set: objectOf(group.group_properties) },
  };
}

/** What of an exported event would change people once more: they are imported as they are now. */
const PERSONS_OWN = ["$set", "$set_once", "$unset"];

/** An exported row or a row of a query as an event, under its own uuid; undefined where it is none. */
export function exportedEvent(row) {
  if (typeof row.uuid !== "string" || typeof row.event !== "string" || row.distinct_id === undefined || row.distinct_id === null)
    return undefined;
  const properties = { ...objectOf(row.properties) };
  for (const name of PERSONS_OWN) delete properties[name];
  if (typeof row.elements_chain === "string" && row.elements_chain !== "") properties.$elements_chain ??= row.elements_chain;
  return {
    uuid: row.uuid,
    event: row.event,
    distinct_id: String(row.distinct_id),
    timestamp: momentOf(row.timestamp),
    properties: { ...properties, ...OWN },
  };
}
