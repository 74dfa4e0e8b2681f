// Cloudflare's GraphQL sets of Basin Pipelines, and Basin SQL over the tables that the sinks filled.
import { Raw } from "./http.mjs";

function groupsOf(state, dataset) {
  const sum = { operator: "recordsIn", sink: "recordsWritten" };
  if (dataset === "pipelinesOperatorAdaptiveGroups") {
    return state.pipelines.map((each) => ({
      sum: { [sum.operator]: each.recordsIn, bytesIn: each.recordsIn * 100, decodeErrors: 0 },
      dimensions: { pipelineId: each.id },
    }));
  }
  if (dataset === "pipelinesSinkAdaptiveGroups") {
    return state.pipelines.map((each) => ({
      sum: { [sum.sink]: each.written, filesWritten: filesOf(state, each), bytesWritten: each.written * 100 },
      dimensions: { pipelineId: each.id },
    }));
  }
  if (dataset === "pipelinesUserErrorsAdaptiveGroups") {
    return state.pipelines.flatMap((each) =>
      Object.entries(each.errors).map(([errorType, count]) => ({
        count,
        dimensions: { pipelineId: each.id, errorFamily: "deserialization", errorType },
      })),
    );
  }
  return [];
}

function filesOf(state, pipeline) {
  const sink = state.sinks.find((each) => each.name === pipeline.sink);
  const table = state.catalogs
    .find((each) => each.bucket === sink?.config.bucket)
    ?.tables.find((each) => each.name === sink.config.table_name);
  return table?.files ?? 0;
}

function graphql(state, { json, token }) {
  // Errors come with 200.
  if (!token?.groups.includes("Account Analytics Read")) {
    return Raw.json({ data: null, errors: [{ message: "not authorized for that account", path: ["viewer"], extensions: {} }] });
  }
  const account = {};
  for (const [, alias, dataset] of json.query.matchAll(/(\w+)\s*:\s*(pipelines\w+Groups)\s*\(/g)) account[alias] = groupsOf(state, dataset);
  return Raw.json({ data: { viewer: { accounts: [account] } }, errors: null });
}

const failure = (status, code, message) => Raw.json({ success: false, errors: [{ code, message }], result: null }, status);

/** The one form of SELECT that is understood without an engine: a count, with or without one equality. */
const COUNT = /^\s*SELECT\s+count\(\*\)\s+AS\s+(\w+)\s+FROM\s+(\w+)\.(\w+)(?:\s+WHERE\s+(\w+)\s*=\s*'((?:[^']|'')*)')?\s*;?\s*$/i;
const ALL = /^\s*SELECT\s+\*\s+FROM\s+(\w+)\.(\w+)(?:\s+LIMIT\s+(\d+))?\s*;?\s*$/i;

async function sql(cloud, { params, json, token }) {
  const { state } = cloud;
  if (!token?.groups.some((group) => group === "Workers R2 SQL Read" || group === "Workers R2 Data Catalog Write"))
    return failure(403, 10000, "Authentication error");
  const query = json.query ?? "";
  if (!/^\s*(SELECT|WITH|SHOW|DESCRIBE|EXPLAIN)\b/i.test(query)) return failure(400, 40003, "only read-only queries are allowed");
  const catalog = state.catalogs.find((each) => each.bucket === params.bucket);
  const table = (namespace, name) => catalog?.tables.find((each) => each.namespace === namespace && each.name === name);
  const answer = (rows) =>
    Raw.json({
      success: true,
      errors: [],
      messages: [],
      result: { schema: Object.keys(rows[0] ?? {}).map((name) => ({ name })), rows, metrics: { bytes_scanned: 0, files_scanned: 0 } },
    });
  const count = COUNT.exec(query);
  if (count !== null) {
    const [, alias, namespace, name, column, quoted] = count;
    const found = table(namespace, name);
    if (found === undefined) return failure(400, 40004, `table not found: ${namespace}.${name}`);
    const value = quoted?.replaceAll("''", "'");
    return answer([{ [alias]: found.rows.filter((row) => column === undefined || row[column] === value).length }]);
  }
  const all = ALL.exec(query);
  if (all !== null) {
    const found = table(all[1], all[2]);
    if (found === undefined) return failure(400, 40004, `table not found: ${all[1]}.${all[2]}`);
    return answer(found.rows.slice(0, Number(all[3] ?? 500)));
  }
  if (cloud.query === undefined) return failure(400, 40005, "this stand-in runs with a fake pipeline only what is more than a count");
  return cloud.query(query).then(answer, (error) => failure(400, 40005, error.message));
}

export function analyticsRoutes(cloud) {
  return [
    ["POST", "/graphql", [], (call) => graphql(cloud.state, call)],
    ["POST", `/api/v1/accounts/${cloud.state.account.id}/basin-sql/query/{bucket}`, [], (call) => sql(cloud, call)],
    ["POST", `/api/v1/accounts/${cloud.state.account.id}/r2-sql/query/{bucket}`, [], (call) => sql(cloud, call)],
  ];
}
