// wrangler.jsonc: what is ours in it is written by the command, the rest stays as it was.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { applyEdits, modify, parse } from "jsonc-parser";
import { bindingOf, PACKAGE, partsOf, RATE_LIMIT, rateLimitNamespace } from "./names.mjs";
import { EXIT, Stop } from "./output.mjs";

/** Before 2026-10-01 pending calls do not keep an object in memory, which would be billed. */
export const COMPATIBILITY_DATE = "2026-09-15";

/** Object classes by binding, and the tag of the migration that made each. Tags of earlier releases stay. */
export const OBJECTS = [
  { binding: "PERSONS", class: "PersonDurableObject", tag: "hogflare-1" },
  { binding: "PERSON_ID_COUNTER", class: "PersonIdCounterDurableObject", tag: "hogflare-1" },
  { binding: "GROUPS", class: "GroupDurableObject", tag: "hogflare-1" },
  { binding: "OUTBOX", class: "OutboxDurableObject", tag: "hogflare-1" },
  { binding: "COOKIELESS", class: "CookielessDurableObject", tag: "hogflare-2" },
  { binding: "LIVE", class: "LiveDurableObject", tag: "hogflare-3" },
];
export const TAGS = [...new Set(OBJECTS.map((each) => each.tag))];

const pathOf = (folder) => join(folder, "wrangler.jsonc");

/** The configuration in a folder, or undefined. */
export function readConfig(folder) {
  const path = pathOf(folder);
  if (!existsSync(path)) return undefined;
  const errors = [];
  const config = parse(readFileSync(path, "utf8"), errors, { allowTrailingComma: true });
  if (errors.length > 0) throw new Stop(EXIT.usage, `${path} is not JSON with comments`, "repair it, or move it away");
  return config;
}

/**
 * Where the Worker asks its tables. Tables are named only where they are not what the Worker assumes.
 * @param {{name: string, account: string, bucket: string, namespace: string, streams: string[], tables: Record<string, number>}} settings
 */
function sqlVariables({ name, account, bucket, namespace, streams, tables }) {
  const named = Object.fromEntries(streams.map((stream) => [stream, partsOf(name, stream, tables[stream]).table]));
  const others = Object.entries(named).filter(([stream, table]) => table !== partsOf("hogflare", stream, 1).table);
  return {
    HOGFLARE_SQL_ACCOUNT_ID: account,
    HOGFLARE_SQL_BUCKET: bucket,
    HOGFLARE_SQL_NAMESPACE: namespace,
    ...(others.length > 0 ? { HOGFLARE_SQL_TABLES: JSON.stringify(Object.fromEntries(others)) } : {}),
  };
}

/**
 * The parts that are ours.
 * @param {{name: string, folder: string, account: string, domain?: string, recordings?: string, rateLimit: number, bucket: string,
 *   namespace: string, streams: string[], tables: Record<string, number>}} settings
 * @param {{streamIds: Record<string, string>, kvId: string}} ids
 */
export function ownParts(settings, { streamIds, kvId }) {
  const main = relative(settings.folder, join(PACKAGE, "js-shim/worker.js")).replaceAll("\\", "/");
  return {
    name: settings.name,
    account_id: settings.account,
    main,
    vars: sqlVariables(settings),
    compatibility_date: COMPATIBILITY_DATE,
    workers_dev: true,
    ...(settings.domain ? { routes: [{ pattern: settings.domain, custom_domain: true }] } : {}),
    assets: { directory: "assets", binding: "ASSETS", html_handling: "none" },
    observability: { enabled: true },
    durable_objects: { bindings: OBJECTS.map((each) => ({ name: each.binding, class_name: each.class })) },
    migrations: TAGS.map((tag) => ({ tag, new_sqlite_classes: OBJECTS.filter((each) => each.tag === tag).map((each) => each.class) })),
    pipelines: Object.entries(streamIds).map(([stream, id]) => ({ binding: bindingOf(stream), stream: id })),
    kv_namespaces: [{ binding: "FLAGS", id: kvId }],
    ratelimits:
      settings.rateLimit === 0
        ? []
        : [
            {
              name: RATE_LIMIT.binding,
              namespace_id: rateLimitNamespace(settings.name),
              simple: { limit: settings.rateLimit, period: RATE_LIMIT.seconds },
            },
          ],
    ...(settings.recordings ? { r2_buckets: [{ binding: "RECORDINGS", bucket_name: settings.recordings }] } : {}),
  };
}

/** A variable that holds an object, written as one or as its JSON; empty when it is neither, of which the Worker itself tells. */
export function jsonVariable(config, name) {
  const given = config?.vars?.[name];
  try {
    const value = typeof given === "string" ? JSON.parse(given) : given;
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

/** Requests of one client that a configuration lets through, 0 for all; undefined where it says nothing. */
export const rateLimitIn = (config) =>
  config?.ratelimits && (config.ratelimits.find((each) => each.name === RATE_LIMIT.binding)?.simple.limit ?? 0);

/** Our parts in which the file says something else than it should: their keys; undefined without a file. */
export function differingParts(folder, parts) {
  const config = readConfig(folder);
  if (config === undefined) return undefined;
  return Object.keys(parts).filter((key) => JSON.stringify(merged(config, key, parts[key])) !== JSON.stringify(config[key]));
}

/** Whether the file says already what it should. */
export const configIs = (folder, parts) => differingParts(folder, parts)?.length === 0;

/** Bindings of other names in a list stay. */
function merged(config, key, value) {
  const nameOf = (entry) => entry.binding ?? entry.name ?? entry.pattern;
  const others = (list, ours) => (list ?? []).filter((entry) => !ours.some((each) => nameOf(each) === nameOf(entry)));
  if (key === "kv_namespaces" || key === "routes" || key === "r2_buckets") return [...value, ...others(config[key], value)];
  // Without a limit the list stands there empty of ours, so that it is not taken for undecided.
  if (key === "ratelimits") return [...value, ...(config[key] ?? []).filter((entry) => entry.name !== RATE_LIMIT.binding)];
  if (key === "pipelines") return [...value, ...others(config[key], value).filter((entry) => !/_STREAM$/.test(entry.binding))];
  if (key === "vars") {
    // Tables that are the assumed ones again need no name.
    const vars = { ...config.vars, ...value };
    if (value.HOGFLARE_SQL_TABLES === undefined) delete vars.HOGFLARE_SQL_TABLES;
    return vars;
  }
  if (key === "durable_objects") return { ...config[key], bindings: [...value.bindings, ...others(config[key]?.bindings, value.bindings)] };
  if (key === "observability") return config[key] ?? value;
  if (key === "workers_dev") return config[key] ?? value;
  return value;
}

/** Writes them; comments and everything else in the file stay. */
export function writeConfig(folder, parts) {
  const path = pathOf(folder);
  let text = existsSync(path)
    ? readFileSync(path, "utf8")
    : '{\n  // Written by hogflare; variables, environments and routes of your own stay as you write them.\n  "vars": { "HOGFLARE_FLAGS_KV_KEY": "flags" }\n}\n';
  const config = parse(text) ?? {};
  for (const [key, value] of Object.entries(parts)) {
    text = applyEdits(text, modify(text, [key], merged(config, key, value), { formattingOptions: { insertSpaces: true, tabSize: 2 } }));
  }
  writeFileSync(path, text);
}
