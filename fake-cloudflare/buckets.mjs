// R2 buckets, Basin Catalog over them (old and new paths), and table maintenance.
import { hexId, Page, Raw, Refusal } from "./http.mjs";

const STORAGE = ["Workers R2 Storage Write"];
const CATALOG = ["Workers R2 Data Catalog Write"];
const TARGET_SIZES = ["64", "128", "256", "512"];

/** What a bucket's files and its catalog's tables are called after. */
export function bucketOf(state, name) {
  const bucket = state.buckets.find((each) => each.name === name);
  if (bucket === undefined) throw new Refusal(404, 10006, "The specified bucket does not exist.");
  return bucket;
}

export function catalogOf(state, bucket) {
  const catalog = state.catalogs.find((each) => each.bucket === bucket);
  if (catalog === undefined) throw new Refusal(404, 40401, "Warehouse not found");
  return catalog;
}

function createBucket(state, { name, locationHint, storageClass }, jurisdiction) {
  if (!state.account.r2) throw new Refusal(403, 10042, "Please enable R2 through the Cloudflare Dashboard.");
  if (!/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name ?? "")) {
    throw new Refusal(400, 10005, "The specified bucket name is not valid.");
  }
  if (state.buckets.some((each) => each.name === name)) {
    throw new Refusal(409, 10004, "The bucket you tried to create already exists, and you own it.");
  }
  const bucket = {
    name,
    creation_date: new Date().toISOString(),
    location: locationHint ?? "WEUR",
    storage_class: storageClass ?? "Standard",
    jurisdiction: jurisdiction ?? "default",
  };
  state.buckets.push(bucket);
  return bucket;
}

function deleteBucket(state, name) {
  const bucket = bucketOf(state, name);
  const files = (state.objects[name] ?? []).length;
  if (files > 0) throw new Refusal(409, 10008, "The bucket you tried to delete is not empty.");
  state.buckets.splice(state.buckets.indexOf(bucket), 1);
  return {};
}

function enable(state, account, name) {
  const bucket = bucketOf(state, name);
  if (bucket.jurisdiction !== "default") throw new Refusal(400, 10006, "Only buckets of the default jurisdiction have a catalog");
  let catalog = state.catalogs.find((each) => each.bucket === name);
  if (catalog === undefined) {
    catalog = { id: hexId(), bucket: name, name: `${account}_${name}`, credential_status: "absent", maintenance_config: {}, tables: [] };
    state.catalogs.push(catalog);
  }
  catalog.status = "active";
  return { id: catalog.id, name: catalog.name };
}

function maintain(catalog, { compaction, snapshot_expiration: expiry }) {
  if (compaction?.target_size_mb !== undefined && !TARGET_SIZES.includes(compaction.target_size_mb)) {
    throw new Refusal(400, 40001, `target_size_mb must be one of ${TARGET_SIZES.join(", ")}, as a string`);
  }
  if (expiry?.max_snapshot_age !== undefined && !/^\d+[dhms]$/.test(expiry.max_snapshot_age)) {
    throw new Refusal(400, 40001, "max_snapshot_age must be a number with d, h, m or s");
  }
  if (compaction?.state === "enabled" && catalog.credential_status !== "present") {
    throw new Refusal(400, 40002, "A credential is needed before compaction can be enabled");
  }
  const config = catalog.maintenance_config;
  if (compaction) config.compaction = { ...config.compaction, ...compaction };
  if (expiry) config.snapshot_expiration = { ...config.snapshot_expiration, ...expiry };
  return config;
}

function credential(state, catalog, { token: value }) {
  const token = state.tokens.find((each) => each.value === value && each.status === "active");
  if (!token?.groups.includes("Workers R2 Data Catalog Write")) {
    throw new Refusal(400, 40003, "The token cannot be used for this catalog");
  }
  catalog.credential_status = "present";
  return null;
}

function removeCatalog(state, catalog, force) {
  if (!force && catalog.tables.length > 0) throw new Refusal(409, 40901, "The warehouse is not empty");
  state.catalogs.splice(state.catalogs.indexOf(catalog), 1);
  return new Raw(204, "");
}

const shown = ({ tables, ...rest }) => rest;

export function bucketRoutes({ state }) {
  const A = `/accounts/${state.account.id}`;
  const tableName = ({ params }) => [params.ns, params.table];
  const catalogs = ["basin-catalog", "r2-catalog"].flatMap((path) => [
    ["GET", `${A}/${path}`, CATALOG, () => ({ warehouses: state.catalogs.map(shown) })],
    ["GET", `${A}/${path}/{bucket}`, CATALOG, ({ params }) => shown(catalogOf(state, params.bucket))],
    ["POST", `${A}/${path}/{bucket}/enable`, CATALOG, ({ params }) => enable(state, state.account.id, params.bucket)],
    ["POST", `${A}/${path}/{bucket}/disable`, CATALOG, ({ params }) => void (catalogOf(state, params.bucket).status = "inactive")],
    [
      "POST",
      `${A}/${path}/{bucket}/delete`,
      CATALOG,
      ({ params, query }) => removeCatalog(state, catalogOf(state, params.bucket), query.get("force") === "true"),
    ],
    ["POST", `${A}/${path}/{bucket}/credential`, CATALOG, ({ params, json }) => credential(state, catalogOf(state, params.bucket), json)],
    [
      "GET",
      `${A}/${path}/{bucket}/maintenance-configs`,
      CATALOG,
      ({ params }) => {
        const { credential_status, maintenance_config } = catalogOf(state, params.bucket);
        return { credential_status, maintenance_config };
      },
    ],
    ["POST", `${A}/${path}/{bucket}/maintenance-configs`, CATALOG, ({ params, json }) => maintain(catalogOf(state, params.bucket), json)],
    [
      "GET",
      `${A}/${path}/{bucket}/namespaces`,
      CATALOG,
      ({ params }) => ({
        namespaces: [...new Set(catalogOf(state, params.bucket).tables.map((table) => table.namespace))].map((name) => [name]),
        next_page_token: null,
      }),
    ],
    [
      "GET",
      `${A}/${path}/{bucket}/namespaces/{ns}/tables`,
      CATALOG,
      ({ params }) => ({
        identifiers: catalogOf(state, params.bucket)
          .tables.filter((table) => table.namespace === params.ns)
          .map(({ namespace, name }) => ({ namespace: [namespace], name })),
        next_page_token: null,
      }),
    ],
  ]);
  // Iceberg REST of the catalog's own host, which the stand-in serves below /catalog.
  const warehouse = `/catalog/${state.account.id}/{bucket}`;
  const iceberg = [
    [
      "GET",
      `${warehouse}/v1/config`,
      CATALOG,
      ({ params }) => Raw.json({ defaults: {}, overrides: { prefix: catalogOf(state, params.bucket).id } }),
    ],
    [
      "DELETE",
      `${warehouse}/v1/{prefix}/namespaces/{ns}/tables/{table}`,
      CATALOG,
      (call) => {
        const { tables } = catalogOf(state, call.params.bucket);
        const [ns, name] = tableName(call);
        const at = tables.findIndex((table) => table.namespace === ns && table.name === name);
        if (at < 0) return Raw.json({ error: { message: "no such table", type: "NoSuchTableException", code: 404 } }, 404);
        tables.splice(at, 1);
        const objects = state.objects[call.params.bucket] ?? [];
        state.objects[call.params.bucket] = objects.filter((key) => !key.includes(`/${ns}/${name}/`));
        return new Raw(204, "");
      },
    ],
  ];
  return [
    [
      "GET",
      `${A}/r2/buckets`,
      STORAGE,
      ({ query }) => {
        if (!state.account.r2) throw new Refusal(403, 10042, "Please enable R2 through the Cloudflare Dashboard.");
        return { buckets: state.buckets.filter((bucket) => bucket.name.includes(query.get("name_contains") ?? "")) };
      },
    ],
    ["POST", `${A}/r2/buckets`, STORAGE, ({ json, headers }) => createBucket(state, json, headers["cf-r2-jurisdiction"])],
    ["GET", `${A}/r2/buckets/{name}`, STORAGE, ({ params }) => bucketOf(state, params.name)],
    ["DELETE", `${A}/r2/buckets/{name}`, STORAGE, ({ params }) => deleteBucket(state, params.name)],
    [
      "GET",
      `${A}/r2/buckets/{name}/objects`,
      STORAGE,
      ({ params, query }) => {
        bucketOf(state, params.name);
        const keys = state.objects[params.name] ?? [];
        const items = keys.slice(0, Number(query.get("per_page") ?? 20)).map((key) => ({ key, size: 1 }));
        return new Page(items, { is_truncated: keys.length > items.length });
      },
    ],
    [
      "DELETE",
      `${A}/r2/buckets/{name}/objects/{key*}`,
      STORAGE,
      ({ params }) => {
        state.objects[params.name] = (state.objects[params.name] ?? []).filter((key) => key !== params.key);
        return { key: params.key };
      },
    ],
    ...catalogs,
    ...iceberg,
  ];
}
