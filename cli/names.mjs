// What a deployment's parts are called, and both spellings of what Cloudflare renamed in October 2026.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Stop, EXIT } from "./output.mjs";

/** The package, or the tree it was made from. */
export const PACKAGE = join(import.meta.dirname, "..");
export const VERSION = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8")).version;

/** @typedef {{name: string, fields: {name: string, type: string, required?: boolean, unit?: string}[]}} Schema */

/** Every stream there is a schema for. @returns {Record<string, Schema>} */
export function schemas() {
  const folder = join(PACKAGE, "schemas");
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -5));
  // Events first: without them there is nothing to prove.
  names.sort((left, right) => Number(right === "events") - Number(left === "events") || (left < right ? -1 : 1));
  return Object.fromEntries(names.map((name) => [name, { name, ...JSON.parse(readFileSync(join(folder, `${name}.json`), "utf8")) }]));
}

/** The Worker's binding of the limit on one client, its period, and what create takes unless told otherwise. */
export const RATE_LIMIT = { binding: "CLIENT_RATE_LIMIT", seconds: 10, requests: 10_000 };

/** A limit has no resource but a number of the account's, under which its counters are shared: one a deployment. */
export const rateLimitNamespace = (name) => String(createHash("sha256").update(name).digest().readUInt32BE() >>> 1);

/** The Worker's binding of a stream. */
export const bindingOf = (stream) => `${stream.toUpperCase()}_STREAM`;

/** Workers and buckets take hyphens and no underscores, SQL identifiers the other way round. */
export function checkName(name) {
  if (!/^[a-z][a-z0-9-]{1,50}[a-z0-9]$/.test(name)) {
    throw new Stop(EXIT.usage, `the name "${name}" will not do`, "3 to 52 of a-z, 0-9 and hyphens, a letter first");
  }
  return name;
}

export const identifierOf = (name) => name.replaceAll("-", "_");

/** Names of a stream's parts; `number` counts the versions of its table. */
export function partsOf(name, stream, number) {
  const stem = `${identifierOf(name)}_${stream}`;
  return {
    stream: `${stem}_v${number}`,
    sink: `${stem}_sink_v${number}`,
    pipeline: `${stem}_pipeline_v${number}`,
    table: `${stem}_v${number}`,
  };
}

/** The stream and number that a part's name belongs to, or undefined when it is not ours. */
export function readPartName(name, part) {
  const kinds = Object.keys(schemas()).join("|");
  const infix = { streams: "", sinks: "_sink", pipelines: "_pipeline", tables: "" };
  return (text) => {
    const found = new RegExp(`^${identifierOf(name)}_(${kinds})${infix[part]}_v(\\d+)$`).exec(text);
    return found === null ? undefined : { stream: found[1], number: Number(found[2]) };
  };
}

export const kvTitle = (name) => `${name}-flags`;

/** Permission groups: what the API calls them, then what the dashboard calls them since October 2026. */
export const PERMISSIONS = {
  catalogWrite: ["Workers R2 Data Catalog Write", "Basin Catalog Write", "Basin Catalog Edit"],
  storageWrite: ["Workers R2 Storage Write", "R2 Storage Write"],
  catalogRead: ["Workers R2 Data Catalog Read", "Basin Catalog Read"],
  storageRead: ["Workers R2 Storage Read", "R2 Storage Read"],
  sqlRead: ["Workers R2 SQL Read", "Basin SQL Read"],
};

/** Pages where a person makes what only a person can make. */
export const links = (account) => ({
  bootstrap: `https://dash.cloudflare.com/profile/api-tokens?permissionGroupKeys=${encodeURIComponent(
    JSON.stringify([
      { key: "workers_scripts", type: "edit" },
      { key: "workers_kv_storage", type: "edit" },
      { key: "workers_r2", type: "edit" },
      { key: "pipelines", type: "edit" },
      { key: "r2_catalog", type: "edit" },
      { key: "r2_catalog_sql", type: "read" },
      { key: "workers_tail", type: "read" },
      { key: "account_analytics", type: "read" },
      { key: "account_settings", type: "read" },
    ]),
  )}&name=hogflare&accountId=*&zoneId=all`,
  sink: `https://dash.cloudflare.com/${account ?? "<account>"}/r2/api-tokens/create?type=account`,
  plan: `https://dash.cloudflare.com/${account ?? "<account>"}/workers/plans`,
  r2: `https://dash.cloudflare.com/${account ?? "<account>"}/r2/overview`,
});
