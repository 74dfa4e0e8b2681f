// The steps that make a deployment, in the order in which each finds what it needs.
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { askSecret } from "./context.mjs";
import { checkDomain, deploy, dropSecretsFiles, isDeployed } from "./deploying.mjs";
import { kvTitle, links, partsOf, PERMISSIONS, RATE_LIMIT } from "./names.mjs";
import { EXIT, Stop } from "./output.mjs";
import { prove } from "./proving.mjs";
import { readerStep } from "./reader.mjs";
import {
  catalogApi,
  findByName,
  findKv,
  listOwn,
  MAINTENANCE,
  mintToken,
  sameSql,
  schemaDifferences,
  sinkBody,
  sqlOf,
  streamBody,
  tableNumbers,
} from "./resources.mjs";
import { requireOurs, workerUrl } from "./worker.mjs";

const TOKEN_ACTIVE_WITHIN_MS = 30_000;
const PIPELINE_RUNS_WITHIN_MS = 120_000;
const STREAMS_MAX = 20;
const TABLE_NUMBER_MAX = 100;
/** The table is known to the catalog: by a sink that is gone, or by somebody else. */
const TABLE_IS_TAKEN = 1012;

const wasMade = (error) =>
  error.status === 0 || error.status >= 500 || error.status === 409 || error.code === 10004 || error.code === 10014;

/** POSTs; when the answer was lost, or says that it exists, what is there counts. */
async function make(post, look) {
  try {
    return await post();
  } catch (error) {
    const there = wasMade(error) ? await look() : undefined;
    if (there === undefined) throw error;
    return there;
  }
}

/** Nothing is made before all of this is known. */
export async function checkFirst(context) {
  dropSecretsFiles();
  const { api, account, name, streams } = context;
  const verify = await api.get("/user/tokens/verify").catch(() => api.find("tokens/verify").catch(() => undefined));
  if (verify !== undefined && verify.status !== "active")
    throw new Stop(EXIT.needed, `the token is ${verify.status}`, `make another at ${links(account).bootstrap}`);
  const probe = async (path, right, others = {}) => {
    try {
      return await api.get(path);
    } catch (error) {
      if (error.code === 10042)
        throw new Stop(EXIT.needed, "R2 is not switched on for this account", `it needs a payment card: ${links(account).r2}`);
      if (error.code === 7003)
        throw new Stop(EXIT.needed, `there is no account ${account} for this token`, "look at --account and CLOUDFLARE_ACCOUNT_ID");
      if (error.forbidden)
        throw new Stop(
          EXIT.needed,
          `the token lacks "${others[error.code] ?? right}"`,
          `make one with all rights at ${links(account).bootstrap}`,
        );
      throw error;
    }
  };
  await probe("r2/buckets?per_page=1", "Workers R2 Storage: Edit");
  const pipelines = { 100: 'Basin Pipelines: Edit" together with "Workers Scripts: Edit' };
  await probe("pipelines/v1/streams?page=1&per_page=1", "Basin Pipelines: Edit", pipelines);
  await probe("storage/kv/namespaces?page=1&per_page=1", "Workers KV Storage: Edit");
  const kind = await requireOurs(api, name).catch((error) => {
    if (error instanceof Stop || !error.forbidden) throw error;
    throw new Stop(EXIT.needed, 'the token lacks "Workers Scripts: Edit"', `make one with all rights at ${links(account).bootstrap}`);
  });
  const all = await api.list("pipelines/v1/streams");
  const ours = await listOwn(api, "streams", name);
  const missing = streams.filter((stream) => !ours.some((each) => each.stream === stream)).length;
  if (all.length + missing > STREAMS_MAX) {
    throw new Stop(
      EXIT.needed,
      `the account has ${all.length} of ${STREAMS_MAX} streams, ${missing} more are needed`,
      "delete some, or take fewer with --streams events",
    );
  }
  await checkDomain(context);
  return kind === "absent" ? "the account has what is needed" : "the account has what is needed; the Worker is ours";
}

function subdomainStep({ api, name }) {
  return {
    name: "subdomain",
    title: "workers.dev name",
    would: `register one: PUT workers/subdomain {"subdomain":"${name}-…"}`,
    look: async () => {
      const found = await api.find("workers/subdomain");
      return found && `${found.subdomain}.workers.dev`;
    },
    act: async () => {
      const wanted = `${name}-${randomBytes(3).toString("hex")}`;
      await api.put("workers/subdomain", { subdomain: wanted });
      return `${wanted}.workers.dev`;
    },
  };
}

function bucketStep({ api, bucket }) {
  const look = () => api.find(`r2/buckets/${bucket}`);
  return {
    name: "bucket",
    title: `bucket ${bucket}`,
    would: `POST r2/buckets {"name":"${bucket}"}`,
    look: async () => {
      const found = await look();
      if (found?.jurisdiction && found.jurisdiction !== "default")
        throw new Stop(
          EXIT.refused,
          `the bucket ${bucket} is of the jurisdiction ${found.jurisdiction}; a catalog needs the default one`,
          "choose another --bucket",
        );
      return found && "there";
    },
    act: async () => void (await make(() => api.post("r2/buckets", { name: bucket }), look)),
  };
}

/** The bucket of the recordings, where one is wanted: files, so no catalog. */
function recordingsSteps({ api, recordings }) {
  if (recordings === undefined) return [];
  const look = () => api.find(`r2/buckets/${recordings}`);
  return [
    {
      name: "recordings",
      title: `bucket ${recordings} for recordings`,
      would: `POST r2/buckets {"name":"${recordings}"}`,
      look: async () => ((await look()) === undefined ? undefined : "there"),
      act: async () => void (await make(() => api.post("r2/buckets", { name: recordings }), look)),
    },
  ];
}

function catalogStep({ api, bucket }) {
  const catalog = catalogApi(api, bucket);
  return {
    name: "catalog",
    title: `Basin Catalog (R2 Data Catalog) of ${bucket}`,
    would: `POST basin-catalog/${bucket}/enable`,
    look: async () => ((await catalog.find())?.status === "active" ? "active" : undefined),
    act: async () => {
      await make(
        () => catalog.post("enable"),
        async () => ((await catalog.find())?.status === "active" ? true : undefined),
      );
    },
  };
}

/** Which streams have no sink yet; with none of those, and a credential, no token's value is needed. */
async function needsSinkToken(context) {
  const own = await listOwn(context.api, "sinks", context.name);
  const missing = context.streams.some((stream) => !own.some((each) => each.stream === stream && each.number === context.tables[stream]));
  if (missing) return true;
  const maintenance = await catalogApi(context.api, context.bucket).get("maintenance-configs");
  return maintenance.credential_status !== "present";
}

/** Takes away what earlier runs minted and no sink holds: their values are lost. */
async function dropUnusedTokens({ api, name, state }) {
  const known = state.values.sinkTokens;
  if (known.length === 0) return;
  const sinks = new Set((await listOwn(api, "sinks", name)).map((each) => each.part.name));
  const unused = known.filter((each) => !each.sinks.some((sink) => sinks.has(sink)));
  if (unused.length === 0) return;
  const there = await api.list("tokens");
  for (const token of unused) for (const each of there.filter((one) => one.name === token.name)) await api.drop(`tokens/${each.id}`);
  state.save({ sinkTokens: known.filter((each) => !unused.includes(each)) });
}

async function mint(context) {
  const { api, account, name, state, output } = context;
  await dropUnusedTokens(context);
  // Written down first: when the answer is lost, the next run finds the token by its name.
  const token = { name: `hogflare ${name} sinks ${randomBytes(4).toString("hex")}`, sinks: [] };
  state.save({ sinkTokens: [...state.values.sinkTokens, token] });
  const minted = await mintToken(api, account, token.name, [PERMISSIONS.catalogWrite, PERMISSIONS.storageWrite]);
  output.hide(minted.value);
  Object.assign(token, { id: minted.id });
  state.save();
  context.minted = token;
  return minted.value;
}

async function sinkToken(context, note) {
  const { account, options, output } = context;
  const given = process.env.HOGFLARE_SINK_TOKEN;
  if (given) return output.hide(given);
  try {
    const value = await mint(context);
    const end = Date.now() + TOKEN_ACTIVE_WITHIN_MS;
    // A fresh token needs seconds to be known everywhere: the first to ask is the catalog.
    for (;;) {
      try {
        await catalogApi(context.api, context.bucket).post("credential", { token: value });
        context.credentialSet = true;
        return value;
      } catch (error) {
        if (Date.now() > end) throw error;
        note("waiting until the new token is known");
        await sleep(2000);
      }
    }
  } catch (error) {
    if (!error.forbidden) throw error;
    context.state.save({ sinkTokens: context.state.values.sinkTokens.filter((each) => each.id !== undefined) });
  }
  output.say(`The token may not make tokens. Make one for the sinks ("Admin Read & Write", no end): ${links(account).sink}`);
  const asked = await askSecret(options, "That token");
  if (!asked)
    throw new Stop(EXIT.needed, "a token for the sinks is needed", `make it at ${links(account).sink} and export HOGFLARE_SINK_TOKEN`);
  return output.hide(asked);
}

function tokenStep(context) {
  return {
    name: "sink-token",
    title: "token for the sinks",
    would: "mint one with R2 Data Catalog Write and R2 Storage Write, or ask for it: POST tokens",
    look: async () => ((await needsSinkToken(context)) ? undefined : "all sinks have theirs"),
    act: async (note) => {
      context.sinkToken = await sinkToken(context, note);
      if (context.credentialSet) return;
      await catalogApi(context.api, context.bucket)
        .post("credential", { token: context.sinkToken })
        .catch((error) => {
          throw new Stop(
            EXIT.needed,
            `the catalog does not take the sinks' token: ${error.reason}`,
            `it must be of the kind "Admin Read & Write": ${links(context.account).sink}`,
          );
        });
    },
  };
}

function maintenanceStep({ api, bucket }) {
  const catalog = catalogApi(api, bucket);
  const same = (there, wanted) => Object.entries(wanted).every(([key, value]) => String(there?.[key]) === String(value));
  return {
    name: "maintenance",
    title: "compaction and snapshot expiry",
    would: `POST basin-catalog/${bucket}/maintenance-configs ${JSON.stringify(MAINTENANCE)}`,
    look: async () => {
      const { maintenance_config: config, credential_status: credential } = await catalog.get("maintenance-configs");
      const set = same(config.compaction, MAINTENANCE.compaction) && same(config.snapshot_expiration, MAINTENANCE.snapshot_expiration);
      return set && credential === "present" ? "on" : undefined;
    },
    act: async () => void (await catalog.post("maintenance-configs", MAINTENANCE)),
  };
}

function streamStep(context, stream) {
  const { api, name, schemas, tables } = context;
  const parts = () => partsOf(name, stream, tables[stream]);
  const look = () => findByName(api, "streams", parts().stream);
  return {
    name: `stream:${stream}`,
    title: `stream ${stream}`,
    would: () =>
      `POST pipelines/v1/streams ${parts().stream}, ${schemas[stream].fields.length} columns of schemas/${stream}.json, HTTP off`,
    look: async () => {
      const found = await look();
      if (found === undefined) return undefined;
      const differences = schemaDifferences(schemas[stream].fields, found.schema?.fields);
      if (differences.length > 0) {
        throw new Stop(
          EXIT.refused,
          `the stream ${found.name} has other columns than this version: ${differences.slice(0, 5).join("; ")}`,
          'a stream cannot be changed: "hogflare upgrade" makes the next table beside it',
        );
      }
      return found.name;
    },
    act: async () => {
      await make(() => api.post("pipelines/v1/streams", streamBody(parts(), schemas[stream])), look);
      return parts().stream;
    },
  };
}

/** Makes the sink; a table that was used before is left alone and the next number taken. */
async function makeSink(context, stream, note) {
  const { api, name, state, tables } = context;
  const parts = () => partsOf(name, stream, tables[stream]);
  for (;;) {
    context.minted?.sinks.push(parts().sink);
    state.save();
    try {
      return await make(
        () => api.post("pipelines/v1/sinks", sinkBody(context, parts(), context.sinkToken)),
        () => findByName(api, "sinks", parts().sink),
      );
    } catch (error) {
      if (error.code !== TABLE_IS_TAKEN || tables[stream] >= TABLE_NUMBER_MAX) throw error;
    }
    // The stream of the same number came first; it is empty and goes with it.
    const left = await findByName(api, "streams", parts().stream);
    note(`the table ${parts().table} was used before; the next number`);
    tables[stream] += 1;
    state.save({ tables });
    if (left !== undefined) await api.drop(`pipelines/v1/streams/${left.id}`);
    const step = streamStep(context, stream);
    if ((await step.look()) === undefined) await step.act();
  }
}

function sinkStep(context, stream) {
  const { api, name, bucket, namespace, tables } = context;
  const parts = () => partsOf(name, stream, tables[stream]);
  return {
    name: `sink:${stream}`,
    title: `sink ${stream}`,
    would: () =>
      `POST pipelines/v1/sinks ${parts().sink}: Iceberg table ${namespace}.${parts().table} in ${bucket}, a file each 60 s, row groups of 32 MB`,
    look: async () => {
      const found = await findByName(api, "sinks", parts().sink);
      if (found === undefined) return undefined;
      const { config } = found;
      if (config.bucket !== bucket || config.table_name !== parts().table || (config.namespace ?? "default") !== namespace) {
        throw new Stop(
          EXIT.refused,
          `the sink ${found.name} writes to ${config.bucket}, ${config.namespace}.${config.table_name}`,
          "give the --bucket and --namespace it was made with, or another --name",
        );
      }
      return `${namespace}.${config.table_name}`;
    },
    act: async (note) => {
      await makeSink(context, stream, note);
      return `${namespace}.${parts().table}`;
    },
  };
}

function pipelineStep(context, stream) {
  const { api, name, tables } = context;
  const parts = () => partsOf(name, stream, tables[stream]);
  const look = () => findByName(api, "pipelines", parts().pipeline);
  const waitUntilRunning = async (id, note) => {
    const end = Date.now() + PIPELINE_RUNS_WITHIN_MS;
    for (;;) {
      const { status, failure_reason: reason } = await api.get(`pipelines/v1/pipelines/${id}`);
      if (status === "running") return;
      if (status === "failed" || Date.now() > end)
        throw new Stop(EXIT.failed, `the pipeline ${parts().pipeline} is ${status}${reason ? `: ${reason}` : ""}`, 'run "hogflare doctor"');
      note(`it is ${status}`);
      await sleep(2000);
    }
  };
  return {
    name: `pipeline:${stream}`,
    title: `pipeline ${stream}`,
    would: () => `POST pipelines/v1/pipelines ${parts().pipeline}: ${sqlOf(parts())}`,
    look: async () => {
      const found = await look();
      if (found === undefined) return undefined;
      if (!sameSql(found.sql, sqlOf(parts())))
        throw new Stop(
          EXIT.refused,
          `the pipeline ${found.name} says: ${found.sql}`,
          "it is not what this command makes; delete it, or take another --name",
        );
      return found.status === "running" ? "running" : undefined;
    },
    act: async (note) => {
      const sql = sqlOf(parts());
      const there = await look();
      if (there === undefined) await api.post("pipelines/v1/validate_sql", { sql });
      const made = there ?? (await make(() => api.post("pipelines/v1/pipelines", { name: parts().pipeline, sql }), look));
      await waitUntilRunning(made.id, note);
      return "running";
    },
  };
}

function kvStep({ api, name }) {
  const look = () => findKv(api, name);
  return {
    name: "kv",
    title: "KV namespace for the flags",
    would: `POST storage/kv/namespaces {"title":"${kvTitle(name)}"}, with an empty document`,
    look: async () => {
      const found = await look();
      if (found === undefined) return undefined;
      const keys = await api.get(`storage/kv/namespaces/${found.id}/keys?prefix=flags`);
      return keys.some((key) => key.name === "flags") ? kvTitle(name) : undefined;
    },
    act: async () => {
      const made = (await look()) ?? (await make(() => api.post("storage/kv/namespaces", { title: kvTitle(name) }), look));
      await api.put(`storage/kv/namespaces/${made.id}/values/flags`, '{"flags":[]}', { headers: { "content-type": "text/plain" } });
      return kvTitle(name);
    },
  };
}

/** Nothing is made for a limit but the Worker's binding, so this step says what the next one deploys. */
function rateLimitStep({ api, name, rateLimit }) {
  const said = rateLimit === 0 ? "none" : `${rateLimit} requests of one address in ${RATE_LIMIT.seconds} s`;
  return {
    name: "rate-limit",
    title: "limit on one client",
    would:
      rateLimit === 0
        ? "bind no rate limit"
        : `bind ${RATE_LIMIT.binding} with the Worker, a rate limit of ${said} at each of Cloudflare's locations`,
    look: async () => {
      const { bindings = [] } = (await api.find(`workers/scripts/${name}/settings`)) ?? {};
      return (bindings.find((each) => each.name === RATE_LIMIT.binding)?.simple?.limit ?? 0) === rateLimit ? said : undefined;
    },
    act: async () => `${said}, with the Worker`,
  };
}

export function deployStep(context) {
  let kind;
  return {
    name: "deploy",
    title: `Worker ${context.name}`,
    would: "write wrangler.jsonc and the static scripts, then: wrangler deploy --secrets-file (a file that is gone afterwards)",
    look: async () => {
      kind = await requireOurs(context.api, context.name);
      return isDeployed(context, kind).catch((error) => {
        // In a dry run the streams are not there yet.
        if (context.options.dryRun) return undefined;
        throw error;
      });
    },
    act: (note) => deploy(context, kind, note),
  };
}

/** The first step of every list that needs table numbers. */
export function numbersStep(context) {
  return {
    name: "numbers",
    title: "versions of the tables",
    would: "",
    look: async () => {
      Object.assign(context.tables, await tableNumbers(context));
      if (!context.options.dryRun) {
        const { account, bucket, recordings, rateLimit, namespace, streams, domain } = context;
        context.state.save({ account, bucket, recordings, rateLimit, namespace, streams, domain, tables: context.tables });
      }
      return context.streams.map((stream) => `${stream} ${context.tables[stream]}`).join(", ");
    },
    act: async () => {},
  };
}

/** @param {any} context of openContext, with `tables: {}` */
export function createSteps(context, { waitSeconds }) {
  return [
    { name: "checks", title: "account, plan, token", would: "", look: () => checkFirst(context), act: async () => {} },
    subdomainStep(context),
    numbersStep(context),
    bucketStep(context),
    ...recordingsSteps(context),
    catalogStep(context),
    { ...tokenStep(context), ...(context.options.dryRun ? { look: async () => undefined } : {}) },
    ...tableSteps(context),
    kvStep(context),
    readerStep(context),
    rateLimitStep(context),
    deployStep(context),
    {
      name: "prove",
      title: "one event through everything",
      would: () => `send one event and wait up to ${waitSeconds} s for its row`,
      act: async (note) => {
        const said = await prove(context, note, waitSeconds);
        context.state.save({ url: await workerUrl(context) });
        return said;
      },
    },
  ].map((step) => ({ look: async () => undefined, ...step }));
}

export function tableSteps(context) {
  const maintenance = maintenanceStep(context);
  const dry = context.options.dryRun;
  return [
    dry ? { ...maintenance, look: () => maintenance.look().catch(() => undefined) } : maintenance,
    ...context.streams.map((stream) => streamStep(context, stream)),
    ...context.streams.map((stream) => sinkStep(context, stream)),
    ...context.streams.map((stream) => pipelineStep(context, stream)),
  ];
}
export { tokenStep };
