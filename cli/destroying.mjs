// Takes a deployment down: events first stop, then everything that was made goes, data last and only if told.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { readPipelineFigures } from "./figures.mjs";
import { EXIT, Stop } from "./output.mjs";
import { catalogApi, findKv, listOwn } from "./resources.mjs";
import { ask, requireOurs, workerUrl } from "./worker.mjs";

const CATALOG_URL = "https://catalog.cloudflarestorage.com";
/** A late commit or a compaction may write again while a bucket is emptied. */
const EMPTYING_ROUNDS_MAX = 5;

/** The admin token, or a fresh one put in its place: the Worker goes in a moment anyway. */
async function adminToken({ api, name, output }) {
  if (process.env.HOGFLARE_ADMIN_TOKEN) return process.env.HOGFLARE_ADMIN_TOKEN;
  const text = output.hide(randomBytes(32).toString("base64url"));
  await api.put(`workers/scripts/${name}/secrets`, { name: "HOGFLARE_ADMIN_TOKEN", text, type: "secret_text" });
  return text;
}

async function outboxRows(context) {
  const url = await workerUrl(context);
  const token = await adminToken(context);
  for (let attempt = 0; attempt < 20; ++attempt) {
    const answer = await ask(url, "/admin/outbox", { adminToken: token });
    if (answer.status === 200) return { rows: answer.body.rows, quarantined: answer.body.quarantine_rows };
    await sleep(500);
  }
  return undefined;
}

function outboxStep(context) {
  return {
    name: "outbox",
    title: "rows in the outbox",
    would: "GET /admin/outbox of the Worker; refuse while rows wait there",
    look: async () => {
      if ((await requireOurs(context.api, context.name, { takesNewer: true })) === "absent") return "there is no Worker any more";
      if (context.options.dryRun) return undefined;
      const waiting = await outboxRows(context);
      if (waiting === undefined) {
        if (context.options.discardOutbox) return "the Worker does not say; discarded as told";
        throw new Stop(
          EXIT.refused,
          "the Worker does not say what waits in its outbox",
          'repair it ("hogflare doctor"), or give --discard-outbox',
        );
      }
      const count = waiting.rows + waiting.quarantined;
      if (count === 0) return "empty";
      if (context.options.discardOutbox) return `${count} rows are discarded as told`;
      throw new Stop(
        EXIT.refused,
        `${waiting.rows} rows wait in the outbox, ${waiting.quarantined} in quarantine: they would be lost`,
        "wait, repair the sink, or give --discard-outbox",
      );
    },
    act: async () => {},
  };
}

/** Rows that a stream took and its sink has not written yet would go with the stream. */
function drainStep(context, waitSeconds) {
  return {
    name: "drain",
    title: "rows under way",
    would: `wait up to ${waitSeconds} s until the sinks have written what the streams took`,
    act: async (note) => {
      const end = Date.now() + waitSeconds * 1000;
      for (;;) {
        const figures = await readPipelineFigures(context, 1).catch(() => undefined);
        if (figures === undefined) {
          note(`Cloudflare's figures cannot be read; waiting ${Math.max(0, Math.round((end - Date.now()) / 1000))} s`);
          await sleep(Math.max(0, end - Date.now()));
          return "waited";
        }
        const waiting = figures.reduce((sum, each) => sum + Math.max(0, each.recordsIn - each.dropped - each.recordsWritten), 0);
        if (waiting === 0) return "all are written";
        if (Date.now() > end)
          throw new Stop(
            EXIT.refused,
            `${waiting} rows are not written after ${waitSeconds} s`,
            'run "hogflare doctor", or give --drain-wait 0 to lose them',
          );
        note(`${waiting} rows are under way`);
        await sleep(Math.min(10_000, Math.max(100, end - Date.now())));
      }
    },
  };
}

function removeParts(context, kind, title) {
  const { api, name } = context;
  const own = () => listOwn(api, kind, name);
  return {
    name: kind,
    title,
    would: `DELETE each of pipelines/v1/${kind} of ours`,
    look: async () => ((await own()).length === 0 ? "gone" : undefined),
    act: async () => {
      const parts = await own();
      for (const { part } of parts) await api.drop(`pipelines/v1/${kind}/${part.id}`);
      return parts.map(({ part }) => part.name).join(", ");
    },
  };
}

function domainStep({ api, name }) {
  const own = async () => api.get(`workers/domains?service=${name}`);
  return {
    name: "domains",
    title: "custom domains",
    would: "DELETE workers/domains/… of ours",
    look: async () => ((await own()).length === 0 ? "none" : undefined),
    act: async () => {
      const domains = await own();
      for (const { id } of domains) await api.drop(`workers/domains/${id}`);
      return domains.map((each) => each.hostname).join(", ");
    },
  };
}

function workerStep({ api, name }) {
  return {
    name: "worker",
    title: `Worker ${name} and its people`,
    would: `DELETE workers/scripts/${name}: its objects and all people go with it`,
    look: async () => ((await requireOurs(api, name, { takesNewer: true })) === "absent" ? "gone" : undefined),
    act: async () => {
      await api.drop(`workers/scripts/${name}`);
      return "gone, and its objects with it";
    },
  };
}

function kvStep({ api, name }) {
  return {
    name: "kv",
    title: "KV namespace of the flags",
    would: "DELETE storage/kv/namespaces/…",
    look: async () => ((await findKv(api, name)) === undefined ? "gone" : undefined),
    act: async () => void (await api.drop(`storage/kv/namespaces/${(await findKv(api, name)).id}`)),
  };
}

function tokenStep({ api, state }) {
  return {
    name: "tokens",
    title: "tokens that were minted",
    would: "DELETE tokens/…",
    look: async () => (state.values.sinkTokens.length + state.values.readerTokens.length === 0 ? "none" : undefined),
    act: async () => {
      const there = await api.list("tokens");
      const names = [...state.values.sinkTokens.map((each) => each.name), ...state.values.readerTokens];
      for (const each of there.filter((one) => names.includes(one.name))) await api.drop(`tokens/${each.id}`);
      state.save({ sinkTokens: [], readerTokens: [] });
    },
  };
}

/** The catalog's own host, for what the API has no route for: dropping a table with its files. */
async function dropTable({ account, bucket, token }, namespace, table) {
  const base = `${process.env.HOGFLARE_CATALOG_URL ?? CATALOG_URL}/${account}/${bucket}/v1`;
  const headers = { authorization: `Bearer ${token}` };
  const config = await fetch(`${base}/config?warehouse=${account}_${bucket}`, { headers });
  if (!config.ok)
    throw new Stop(
      EXIT.failed,
      `the catalog refuses to say where its tables are (HTTP ${config.status})`,
      "the token needs Basin Catalog: Edit",
    );
  const { overrides } = await config.json();
  const answer = await fetch(`${base}/${overrides.prefix}/namespaces/${namespace}/tables/${table}?purgeRequested=true`, {
    method: "DELETE",
    headers,
  });
  if (!answer.ok && answer.status !== 404) throw new Stop(EXIT.failed, `the table ${table} cannot be dropped (HTTP ${answer.status})`, "");
}

function dataSteps(context) {
  const { api, bucket } = context;
  const catalog = catalogApi(api, bucket);
  const tables = async () => {
    const { namespaces } = await catalog.get("namespaces");
    const lists = await Promise.all(
      namespaces.map(async ([namespace]) => (await catalog.get(`namespaces/${namespace}/tables`)).identifiers),
    );
    return lists.flat();
  };
  const objects = async () => api.get(`r2/buckets/${bucket}/objects?per_page=1000`);
  return [
    {
      name: "tables",
      title: "tables, and all rows in them",
      would: "drop each table with its files",
      look: async () => ((await catalog.find()) === undefined || (await tables()).length === 0 ? "gone" : undefined),
      act: async () => {
        await catalog.post("maintenance-configs", { compaction: { state: "disabled" }, snapshot_expiration: { state: "disabled" } });
        const all = await tables();
        for (const { namespace, name } of all) await dropTable(context, namespace.join("\u001f"), name);
        return all.map((each) => each.name).join(", ");
      },
    },
    {
      // Before the bucket: its records would be inherited by a later bucket of the name.
      name: "catalog",
      title: "catalog",
      would: `POST basin-catalog/${bucket}/delete?force=true`,
      look: async () => ((await catalog.find()) === undefined ? "gone" : undefined),
      act: async () => void (await catalog.post("delete?force=true")),
    },
    {
      name: "bucket",
      title: `bucket ${bucket}`,
      would: `delete every object, then DELETE r2/buckets/${bucket}`,
      look: async () => ((await api.find(`r2/buckets/${bucket}`)) === undefined ? "gone" : undefined),
      act: async (note) => {
        for (let round = 0; round < EMPTYING_ROUNDS_MAX; ++round) {
          for (let keys = await objects(); keys.length > 0; keys = await objects()) {
            note(`deleting ${keys.length} objects`);
            for (const { key } of keys) await api.drop(`r2/buckets/${bucket}/objects/${key.split("/").map(encodeURIComponent).join("/")}`);
          }
          try {
            return void (await api.drop(`r2/buckets/${bucket}`));
          } catch (error) {
            if (error.code !== 10008) throw error;
          }
        }
        throw new Stop(EXIT.failed, `the bucket ${bucket} does not stay empty`, "run this again");
      },
    },
  ];
}

/** @param {any} context */
export function destroySteps(context, { drainSeconds, data }) {
  const whenMissing = (step) => ({ look: async () => undefined, ...step });
  return [
    outboxStep(context),
    domainStep(context),
    drainStep(context, drainSeconds),
    removeParts(context, "pipelines", "pipelines"),
    workerStep(context),
    removeParts(context, "sinks", "sinks"),
    removeParts(context, "streams", "streams"),
    kvStep(context),
    tokenStep(context),
    ...(data ? dataSteps(context) : []),
  ].map(whenMissing);
}
