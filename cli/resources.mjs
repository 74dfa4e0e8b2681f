// What a deployment owns at Cloudflare, by its names: looked up, compared, made.
import { kvTitle, readPartName } from "./names.mjs";
import { EXIT, Stop } from "./output.mjs";

/** The lowest an Iceberg sink takes; rows are queryable a minute after they were sent. */
export const ROLL_SECONDS = 60;
/** Scans read whole row groups: Cloudflare's default of 1 GB would read a file for one row. */
export const ROW_GROUP_BYTES = 32 * 1024 * 1024;
/** Files of this size are what a scan over a day wants; snapshots a week back are enough to look at. */
export const MAINTENANCE = {
  compaction: { state: "enabled", target_size_mb: "128" },
  snapshot_expiration: { state: "enabled", max_snapshot_age: "7d", min_snapshots_to_keep: 10 },
};

const P = "pipelines/v1";
const catalogPath = (bucket) => `basin-catalog/${bucket}`;

/**
 * The catalog of a bucket by the path of either name: which one answers depends on how far the renaming
 * has got.
 */
export function catalogApi(api, bucket) {
  const paths = [catalogPath(bucket), `r2-catalog/${bucket}`];
  const either = async (ask) => {
    try {
      return await ask(paths[0]);
    } catch (error) {
      if (error.code !== 7003 && error.code !== 7000) throw error;
      return ask(paths[1]);
    }
  };
  return {
    find: () =>
      either((path) => api.get(path)).catch((error) => {
        if (error.absent) return undefined;
        throw error;
      }),
    get: (rest) => either((path) => api.get(`${path}/${rest}`)),
    post: (rest, body) => either((path) => api.post(`${path}/${rest}`, body)),
  };
}

/** One part by its exact name; filters of lists are substrings. Two of one name are nobody's to choose from. */
export async function findByName(api, kind, name) {
  const found = (await api.list(`${P}/${kind}`, { name })).filter((each) => each.name === name);
  if (found.length > 1)
    throw new Stop(
      EXIT.refused,
      `there are ${found.length} ${kind} named ${name}`,
      "delete all but the one with rows, by id, then run this again",
    );
  return found.length === 0 ? undefined : api.find(`${P}/${kind}/${found[0].id}`);
}

/** Everything with our names, of every table version: [{stream, number, part}]. */
export async function listOwn(api, kind, name) {
  const read = readPartName(name, kind);
  return (await api.list(`${P}/${kind}`)).flatMap((part) => {
    const place = read(part.name);
    return place === undefined ? [] : [{ ...place, part }];
  });
}

/** How a deployed stream's columns differ from a schema's; more keys than sent may come back. */
export function schemaDifferences(fields, deployed) {
  const there = new Map((deployed ?? []).map((field) => [field.name, field]));
  const differences = [];
  for (const field of fields) {
    const other = there.get(field.name);
    if (other === undefined) differences.push(`${field.name} is missing`);
    else if (other.type !== field.type) differences.push(`${field.name} is ${other.type}, not ${field.type}`);
    else if (Boolean(other.required) !== Boolean(field.required))
      differences.push(`${field.name} is ${other.required ? "" : "not "}required`);
    else if (field.unit !== undefined && other.unit !== field.unit)
      differences.push(`${field.name} has the unit ${other.unit}, not ${field.unit}`);
  }
  const known = new Set(fields.map((field) => field.name));
  for (const name of there.keys()) if (!known.has(name)) differences.push(`${name} is unknown`);
  return differences;
}

export const sqlOf = (parts) => `INSERT INTO ${parts.sink} SELECT * FROM ${parts.stream}`;
export const sameSql = (left, right) => left.replace(/\s+/g, " ").trim() === right.replace(/\s+/g, " ").trim();

export const streamBody = (parts, schema) => ({
  name: parts.stream,
  format: { type: "json" },
  // The API's own default is open to everybody. Rows come through the binding.
  http: { enabled: false, authentication: true },
  worker_binding: { enabled: true },
  schema: { fields: schema.fields },
});

export const sinkBody = ({ account, bucket, namespace }, parts, token) => ({
  name: parts.sink,
  type: "r2_data_catalog",
  format: { type: "parquet", compression: "zstd", row_group_bytes: ROW_GROUP_BYTES },
  config: { account_id: account, bucket, namespace, table_name: parts.table, token, rolling_policy: { interval_seconds: ROLL_SECONDS } },
});

/** The version of each stream's table: what is decided, else the newest there is, else the first. */
export async function tableNumbers({ api, name, state, streams }) {
  const tables = { ...state.values.tables };
  const missing = streams.filter((stream) => tables[stream] === undefined);
  if (missing.length === 0) return tables;
  const own = [...(await listOwn(api, "sinks", name)), ...(await listOwn(api, "streams", name))];
  for (const stream of missing) tables[stream] = Math.max(1, ...own.filter((each) => each.stream === stream).map((each) => each.number));
  return tables;
}

export const findKv = async (api, name) => (await api.list("storage/kv/namespaces")).find((each) => each.title === kvTitle(name));

/** The id of a permission group by any of its names. */
async function permissionId(api, names) {
  const groups = await api.get("tokens/permission_groups");
  const found = groups.find((group) => names.includes(group.name));
  if (found === undefined) throw new Error(`there is no permission group "${names[0]}"`);
  return found.id;
}

/** Makes a token with these rights, of this account, without an end; `rights` are values of PERMISSIONS. */
export async function mintToken(api, account, name, rights) {
  const ids = [];
  for (const right of rights) ids.push(await permissionId(api, right));
  return api.post("tokens", {
    name,
    policies: [
      { effect: "allow", permission_groups: ids.map((id) => ({ id })), resources: { [`com.cloudflare.api.account.${account}`]: "*" } },
    ],
  });
}
