// Basin Pipelines: streams, sinks, pipelines, validate_sql and the ingest endpoint.
//
// A row that breaks its stream's schema is answered with 200 and dropped, as by the real one; what was
// dropped is counted for GraphQL's pipelinesUserErrorsAdaptiveGroups.
import { catalogOf } from "./buckets.mjs";
import { hexId, pageOf, Raw, Refusal } from "./http.mjs";

const LIMIT = 20;
const TYPES = new Set([
  "int32",
  "int64",
  "uint32",
  "uint64",
  "float32",
  "float64",
  "decimal128",
  "bool",
  "string",
  "binary",
  "bytes",
  "timestamp",
  "json",
  "struct",
  "list",
]);
const COMPRESSIONS = ["zstd", "snappy", "gzip", "lz4", "uncompressed"];
const NOT_FOUND = { streams: 1016, sinks: 1015, pipelines: 1000 };

function checkName(state, kind, name) {
  if (!/^[A-Za-z0-9_]{1,128}$/.test(name ?? "")) {
    throw new Refusal(400, 1000, `${name}: a name has letters, digits and underscores, 128 at most`);
  }
  if (state[kind].length >= LIMIT) throw new Refusal(403, 1013, `This account has ${LIMIT} ${kind}, the most there may be`);
  if (state.uniqueNames && state[kind].some((each) => each.name === name)) {
    throw new Refusal(409, 1017, `${kind} ${name} already exists`);
  }
}

function checkSchema(schema) {
  if (schema === undefined) return;
  if (!Array.isArray(schema.fields) || schema.fields.length === 0) throw new Refusal(400, 1000, "A schema has fields");
  const seen = new Set();
  for (const field of schema.fields) {
    if (!TYPES.has(field.type)) throw new Refusal(400, 1000, `${field.name}: unknown type ${field.type}`);
    if (seen.has(field.name)) throw new Refusal(400, 1000, `${field.name} stands twice`);
    if (field.type === "list" && field.items === undefined) throw new Refusal(400, 1000, `${field.name}: a list needs items`);
    seen.add(field.name);
  }
}

function createStream(cloud, body) {
  const { state } = cloud;
  checkName(state, "streams", body.name);
  checkSchema(body.schema);
  const http = body.http ?? { enabled: true, authentication: false };
  if ((http.cors?.origins ?? []).length > 5) throw new Refusal(400, 1000, "At most five CORS origins");
  const id = hexId();
  const now = new Date().toISOString();
  const stream = {
    id,
    name: body.name,
    version: 1,
    created_at: now,
    modified_at: now,
    http,
    endpoint: `${cloud.url}/ingest/${id}`,
    worker_binding: body.worker_binding ?? { enabled: true },
    format: body.format ?? { type: "json" },
    schema: body.schema ?? { fields: [{ name: "value", type: "json", required: true }] },
  };
  state.streams.push(stream);
  return stream;
}

function patchStream(state, id, body) {
  const stream = find(state, "streams", id);
  const wrong = Object.keys(body).find((key) => key !== "http" && key !== "worker_binding");
  if (wrong !== undefined) throw new Refusal(400, 1000, `${wrong} cannot be changed`);
  if (body.http && (body.http.enabled === undefined || body.http.authentication === undefined)) {
    throw new Refusal(400, 1000, "http needs enabled and authentication");
  }
  Object.assign(stream, body, { modified_at: new Date().toISOString() });
  return stream;
}

function deleteStream(state, id) {
  const stream = find(state, "streams", id);
  state.pipelines = state.pipelines.filter((pipeline) => pipeline.stream !== stream.name);
  state.streams.splice(state.streams.indexOf(stream), 1);
  return null;
}

function createSink(state, { name, type, config = {}, format = { type: "parquet" } }) {
  checkName(state, "sinks", name);
  if (!["r2_data_catalog", "basin_catalog"].includes(type)) throw new Refusal(400, 1000, `type ${type} is not served here`);
  if (format.type !== "parquet") throw new Refusal(400, 1000, "An Iceberg sink writes parquet");
  if (!COMPRESSIONS.includes(format.compression ?? "zstd")) throw new Refusal(400, 1000, `unknown compression ${format.compression}`);
  const rolling = config.rolling_policy ?? {};
  if ((rolling.interval_seconds ?? 300) < 60) throw new Refusal(400, 1000, "interval_seconds must be at least 60");
  if ((rolling.file_size_bytes ?? 5e6) < 5e6) throw new Refusal(400, 1000, "file_size_bytes must be at least 5 MB");
  const catalog = catalogOf(state, config.bucket);
  if (catalog.status !== "active") throw new Refusal(400, 1011, "The catalog is not active");
  const token = state.tokens.find((each) => each.value === config.token);
  if (!token?.groups.includes("Workers R2 Data Catalog Write")) throw new Refusal(400, 1018, "The token cannot write to the catalog");
  const { namespace = "default", table_name: table } = config;
  const path = `${config.bucket}/${namespace}/${table}`;
  if (catalog.tables.some((each) => each.namespace === namespace && each.name === table) || state.burntTables.includes(path)) {
    throw new Refusal(400, 1012, `Writing to existing catalog tables is not supported: ${namespace}.${table}`);
  }
  catalog.tables.push({ namespace, name: table, rows: [], files: 0 });
  state.burntTables.push(path);
  (state.objects[config.bucket] ??= []).push(`__r2_data_catalog/${namespace}/${table}/metadata/v0.json`);
  const now = new Date().toISOString();
  const sink = { id: hexId(), name, type, format, config: { ...config, namespace }, created_at: now, modified_at: now, tokenId: token.id };
  state.sinks.push(sink);
  return withoutToken(sink);
}

const withoutToken = ({ tokenId, config: { token, ...config }, ...sink }) => ({ ...sink, config });

function parse(state, sql) {
  const found = /^\s*INSERT\s+INTO\s+(\w+)\s+SELECT\s+\*\s+FROM\s+(\w+)\s*;?\s*$/i.exec(sql ?? "");
  if (found === null) throw new Refusal(400, 1000, "SQL validation failed: INSERT INTO sink SELECT * FROM stream is understood here");
  const sink = state.sinks.find((each) => each.name === found[1]);
  const stream = state.streams.find((each) => each.name === found[2]);
  if (sink === undefined) throw new Refusal(400, 1000, `SQL validation failed: table '${found[1]}' not found`);
  if (stream === undefined) throw new Refusal(400, 1000, `SQL validation failed: table '${found[2]}' not found`);
  const table = (each, type) => ({ id: each.id, name: each.name, type, version: 1 });
  return { sink, stream, tables: { [sink.name]: table(sink, "sink"), [stream.name]: table(stream, "stream") } };
}

function createPipeline(state, { name, sql }) {
  checkName(state, "pipelines", name);
  const { sink, stream } = parse(state, sql);
  const now = new Date().toISOString();
  const pipeline = {
    id: hexId(),
    name,
    sql,
    status: "running",
    created_at: now,
    modified_at: now,
    stream: stream.name,
    sink: sink.name,
    recordsIn: 0,
    written: 0,
    errors: {},
  };
  state.pipelines.push(pipeline);
  return shownPipeline(state, pipeline);
}

function shownPipeline(state, { stream, sink, recordsIn, written, errors, ...pipeline }) {
  const table = (kind, name) =>
    state[kind].filter((each) => each.name === name).map((each) => ({ id: each.id, name, type: kind.slice(0, -1), version: 1, latest: 1 }));
  return { ...pipeline, tables: [...table("streams", stream), ...table("sinks", sink)] };
}

function find(state, kind, id) {
  const found = state[kind].find((each) => each.id === id);
  if (found === undefined) throw new Refusal(404, NOT_FOUND[kind], `${kind.slice(0, -1)} ${id} does not exist`);
  return found;
}

const FITS = {
  string: (value) => typeof value === "string",
  int64: (value) => Number.isInteger(value) || /^-?\d+$/.test(value),
  bool: (value) => typeof value === "boolean",
  timestamp: (value) => typeof value === "number" || !Number.isNaN(Date.parse(value)),
};

/** Why a row never arrives, or undefined. */
function fault(schema, row) {
  for (const { name, type, required } of schema.fields) {
    const value = row[name];
    if (value === undefined || value === null) {
      if (required) return value === null ? "null_value" : "missing_field";
    } else if (FITS[type] && !FITS[type](value)) {
      return "type_mismatch";
    }
  }
  return undefined;
}

/** Takes rows as the Worker binding does; they are rows of the table at once. */
export async function ingest(cloud, id, rows) {
  const { state } = cloud;
  const stream = find(state, "streams", id);
  for (const pipeline of state.pipelines.filter((each) => each.stream === stream.name)) {
    const sink = state.sinks.find((each) => each.name === pipeline.sink);
    const token = state.tokens.find((each) => each.id === sink?.tokenId && each.status === "active");
    const table = state.catalogs
      .find((each) => each.bucket === sink?.config.bucket)
      ?.tables.find((each) => each.namespace === sink.config.namespace && each.name === sink.config.table_name);
    pipeline.recordsIn += rows.length;
    if (pipeline.status !== "running" || table === undefined) continue;
    const good = rows.filter((row) => {
      const why = fault(stream.schema, row);
      if (why !== undefined) pipeline.errors[why] = (pipeline.errors[why] ?? 0) + 1;
      return why === undefined;
    });
    pipeline.written += good.length;
    // Without a living token with storage rights a sink takes rows and never commits a file.
    if (good.length === 0 || !token?.groups.some((group) => /Storage (Bucket Item )?Write$/.test(group))) continue;
    table.files += 1;
    table.rows.push(...good);
    state.objects[sink.config.bucket].push(
      `__r2_data_catalog/${sink.config.namespace}/${sink.config.table_name}/data/${table.files}.parquet`,
    );
    await cloud.forward?.(stream.name, good);
  }
  return rows.length;
}

async function ingestHttp(cloud, { params, body, headers }) {
  const stream = find(cloud.state, "streams", params.id);
  if (!stream.http.enabled) return Raw.json({ error: { code: 1019, message: "HTTP is not enabled for this stream" } }, 403);
  const value = (headers.authorization ?? "").replace(/^Bearer /, "");
  if (stream.http.authentication && !cloud.state.tokens.some((token) => token.value === value)) {
    return Raw.json({ error: { code: 1014, message: "You are unauthorized to use this Pipeline" } }, 401);
  }
  const rows = JSON.parse(body.toString());
  if (!Array.isArray(rows)) return Raw.json({ error: { code: 1000, message: "an array of objects is expected" } }, 400);
  return Raw.json({ success: true, result: { committed: await ingest(cloud, params.id, rows) } });
}

export function pipelineRoutes(cloud) {
  const { state } = cloud;
  const P = `/accounts/${state.account.id}/pipelines/v1`;
  // Pipelines alone is not enough: the token needs Workers Scripts as well.
  const scope = ["Pipelines Write"];
  const named = (all, query) => all.filter((each) => each.name.toLowerCase().includes((query.get("name") ?? "").toLowerCase()));
  const kinds = { streams: (each) => each, sinks: withoutToken, pipelines: (each) => shownPipeline(state, each) };
  const common = Object.entries(kinds).flatMap(([kind, shown]) => [
    ["GET", `${P}/${kind}`, scope, ({ query }) => pageOf(named(state[kind], query).map(shown), query)],
    ["GET", `${P}/${kind}/{id}`, scope, ({ params }) => shown(find(state, kind, params.id))],
  ]);
  const remove =
    (kind) =>
    ({ params }) => {
      state[kind].splice(state[kind].indexOf(find(state, kind, params.id)), 1);
      return null;
    };
  return [
    ...common,
    ["POST", `${P}/streams`, scope, ({ json }) => createStream(cloud, json)],
    ["PATCH", `${P}/streams/{id}`, scope, ({ params, json }) => patchStream(state, params.id, json)],
    ["DELETE", `${P}/streams/{id}`, scope, ({ params }) => deleteStream(state, params.id)],
    ["POST", `${P}/sinks`, scope, ({ json }) => createSink(state, json)],
    ["DELETE", `${P}/sinks/{id}`, scope, remove("sinks")],
    ["POST", `${P}/validate_sql`, scope, ({ json }) => ({ tables: parse(state, json.sql).tables })],
    ["POST", `${P}/pipelines`, scope, ({ json }) => createPipeline(state, json)],
    ["DELETE", `${P}/pipelines/{id}`, scope, remove("pipelines")],
    ["GET", `/accounts/${state.account.id}/pipelines`, scope, () => []],
    ["POST", "/ingest/{id}", null, (call) => ingestHttp(cloud, call)],
    ["POST", "/bound/{id}", null, async ({ params, json }) => Raw.json({ committed: await ingest(cloud, params.id, json) })],
  ];
}
