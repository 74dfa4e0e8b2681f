// What doctor looks at. Everything is read once; each check turns what was read into findings, each with
// what to do.
import { differingParts, OBJECTS, ownParts } from "./config.mjs";
import { SECRETS } from "./context.mjs";
import { readPipelineFigures } from "./figures.mjs";
import { bindingOf, kvTitle, links, partsOf, RATE_LIMIT, VERSION } from "./names.mjs";
import { EXIT, Stop } from "./output.mjs";
import { sendEvent, waitForRow } from "./proving.mjs";
import { catalogApi, listOwn, MAINTENANCE, schemaDifferences } from "./resources.mjs";
import { ask, describeFirst, describeNewer, FIRST_ADVICE, lastTag, NEWER_ADVICE, readOwner, whose, workerUrl } from "./worker.mjs";

const STREAMS_MAX = 20;
const STREAMS_MANY = 15;
const CLOCK_OFF_MS = 60_000;

/** @typedef {{check: string, level: "error" | "warning", what: string, todo: string}} Finding */

/** A value, or the refusal in its place. */
const attempt = (promise) =>
  promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );

/** Reads everything; what the token may not see is a refusal, not an end. */
export async function readAll(context) {
  const { api, name, bucket } = context;
  const catalog = catalogApi(api, bucket);
  const script = `workers/scripts/${name}`;
  const reads = {
    verify: api.get("/user/tokens/verify").catch(() => api.get("tokens/verify")),
    bucket: api.find(`r2/buckets/${bucket}`),
    recordings: context.recordings ? api.find(`r2/buckets/${context.recordings}`) : Promise.resolve({}),
    catalog: catalog.find(),
    maintenance: catalog.get("maintenance-configs"),
    allStreams: api.list("pipelines/v1/streams"),
    streams: listOwn(api, "streams", name),
    sinks: listOwn(api, "sinks", name),
    pipelines: listOwn(api, "pipelines", name),
    kv: api.list("storage/kv/namespaces"),
    owner: readOwner(api, name),
    settings: api.find(`${script}/settings`),
    secrets: api.find(`${script}/secrets`),
    deployments: api.find(`${script}/deployments`),
    versions: api.find(`${script}/versions?deployable=true`),
    workersDev: api.find(`${script}/subdomain`),
    subdomain: api.find("workers/subdomain"),
    domains: context.domain ? api.get(`workers/domains?hostname=${context.domain}`) : Promise.resolve([]),
    tokens: context.state.values.sinkTokens.length > 0 ? api.list("tokens") : Promise.resolve([]),
    figures: readPipelineFigures(context, 24),
  };
  const entries = await Promise.all(Object.entries(reads).map(async ([key, promise]) => [key, await attempt(promise)]));
  return Object.fromEntries(entries);
}

const RIGHTS = {
  bucket: "Workers R2 Storage: Edit",
  catalog: "Basin Catalog (R2 Data Catalog): Edit",
  allStreams: "Basin Pipelines: Edit, together with Workers Scripts: Edit",
  kv: "Workers KV Storage: Edit",
  settings: "Workers Scripts: Edit",
  figures: "Account Analytics: Read",
};

function checkToken(read, { account }) {
  const findings = [];
  if (read.verify.value !== undefined && read.verify.value.status !== "active") {
    findings.push({
      check: "token",
      level: "error",
      what: `the token is ${read.verify.value.status}`,
      todo: `make another at ${links(account).bootstrap}`,
    });
  }
  for (const [key, right] of Object.entries(RIGHTS)) {
    const { error } = read[key];
    if (error === undefined) continue;
    if (error.code === 10042)
      findings.push({
        check: "r2",
        level: "error",
        what: "R2 is not switched on for this account",
        todo: `it needs a payment card: ${links(account).r2}`,
      });
    else if (key === "figures")
      findings.push({
        check: "figures",
        level: "warning",
        what: `Cloudflare's figures cannot be read: ${error.message}`,
        todo: `give the token "${right}"`,
      });
    else if (error.forbidden)
      findings.push({
        check: "token-scope",
        level: "error",
        what: `the token may not read: ${error.message}`,
        todo: `it needs "${right}": ${links(account).bootstrap}`,
      });
    else findings.push({ check: "api", level: "error", what: error.message, todo: "run doctor again; it may pass" });
  }
  return findings;
}

function checkCatalog(read, { bucket, account, state }) {
  const findings = [];
  if (read.bucket.error || read.catalog.error) return findings;
  if (read.bucket.value === undefined) {
    return [
      {
        check: "bucket",
        level: "error",
        what: `the bucket ${bucket} is gone`,
        todo: 'run "hogflare create"; rows since then are lost unless the outbox has them',
      },
    ];
  }
  if (read.catalog.value?.status !== "active") {
    findings.push({
      check: "catalog",
      level: "error",
      what: `the catalog of ${bucket} is ${read.catalog.value?.status ?? "not enabled"}: no sink can write`,
      todo: 'run "hogflare create": it enables it again',
    });
  }
  const maintenance = read.maintenance.value;
  if (maintenance !== undefined) {
    const { compaction, snapshot_expiration: expiry } = maintenance.maintenance_config;
    const off = [compaction?.state !== "enabled" && "compaction", expiry?.state !== "enabled" && "snapshot expiry"].filter(Boolean);
    if (maintenance.credential_status !== "present") off.push("the credential for both");
    if (off.length > 0)
      findings.push({
        check: "maintenance",
        level: "warning",
        what: `${off.join(" and ")} is off: small files pile up and queries get slow`,
        todo: 'run "hogflare create": it switches them on',
      });
    else if (String(compaction.target_size_mb) !== MAINTENANCE.compaction.target_size_mb)
      findings.push({
        check: "maintenance",
        level: "warning",
        what: `compaction makes files of ${compaction.target_size_mb} MB`,
        todo: 'run "hogflare create"',
      });
  }
  if (read.tokens.value !== undefined) {
    for (const token of state.values.sinkTokens.filter((each) => each.sinks.length > 0)) {
      const there = read.tokens.value.find((each) => each.id === token.id);
      if (there?.status !== "active")
        findings.push({
          check: "sink-token",
          level: "error",
          what: `the token "${token.name}" that sinks write with is ${there?.status ?? "deleted"}: they take rows and write no file`,
          todo: `a sink's token cannot be changed: "hogflare upgrade --new-tables" makes new tables beside the old; ${links(account).sink}`,
        });
    }
  }
  return findings;
}

function checkTables(read, context) {
  const findings = [];
  if (read.streams.error || read.pipelines.error || read.sinks.error) return findings;
  for (const stream of context.streams) {
    const number = context.tables[stream];
    const parts = partsOf(context.name, stream, number);
    const at = (key) => read[key].value.find((each) => each.stream === stream && each.number === number)?.part;
    const deployed = at("streams");
    if (deployed === undefined) {
      findings.push({
        check: "stream",
        level: "error",
        what: `the stream ${parts.stream} is gone: sends fail and rows wait in the outbox`,
        todo: 'run "hogflare create", then "hogflare deploy": it binds the new one',
      });
      continue;
    }
    const differences = schemaDifferences(context.schemas[stream].fields, deployed.schema?.fields);
    if (differences.length > 0)
      findings.push({
        check: "schema",
        level: "error",
        what: `${parts.stream} has other columns than schemas/${stream}.json: ${differences.slice(0, 4).join("; ")}`,
        todo: 'rows that do not fit are dropped in silence: run "hogflare upgrade"',
      });
    if (deployed.http?.enabled && !deployed.http.authentication)
      findings.push({
        check: "open-ingest",
        level: "error",
        what: `${parts.stream} takes rows from anybody at ${deployed.endpoint ?? "its endpoint"}`,
        todo: `switch HTTP off: "npx wrangler basin pipelines streams" (pipelines streams in older ones), or run "hogflare doctor --fix"`,
      });
    if (deployed.worker_binding?.enabled === false)
      findings.push({
        check: "stream-binding",
        level: "error",
        what: `${parts.stream} refuses Worker bindings`,
        todo: 'run "hogflare doctor --fix"',
      });
    if (at("sinks") === undefined)
      findings.push({
        check: "sink",
        level: "error",
        what: `the sink ${parts.sink} is gone`,
        todo: 'run "hogflare create": it takes the next table',
      });
    const pipeline = at("pipelines");
    if (pipeline === undefined)
      findings.push({
        check: "pipeline",
        level: "error",
        what: `the pipeline ${parts.pipeline} is gone: rows stay in the stream, 24 h at most`,
        todo: 'run "hogflare create"',
      });
    else if (pipeline.status !== "running")
      findings.push({
        check: "pipeline",
        level: "error",
        what: `the pipeline ${parts.pipeline} is ${pipeline.status}${pipeline.failure_reason ? `: ${pipeline.failure_reason}` : ""}`,
        todo: 'delete it and run "hogflare create"; see the token and the bucket first',
      });
  }
  const count = read.allStreams.value?.length ?? 0;
  if (count > STREAMS_MANY)
    findings.push({
      check: "limits",
      level: "warning",
      what: `the account has ${count} of ${STREAMS_MAX} streams`,
      todo: "an upgrade of the tables needs as many as there are tables: delete what is unused",
    });
  return findings;
}

function checkFigures(read) {
  const findings = [];
  for (const each of read.figures.value ?? []) {
    const reasons = Object.entries(each.reasons)
      .map(([reason, count]) => `${count} ${reason}`)
      .join(", ");
    if (each.dropped > 0)
      findings.push({
        check: "silent-drops",
        level: "error",
        what: `${each.stream}: rows were taken and dropped in the last day (${reasons})`,
        todo: 'the stream\'s columns are not this version\'s, or another sender uses it: see "schema" above, then "hogflare upgrade"',
      });
    if (each.recordsWritten > 0 && each.filesWritten === 0)
      findings.push({
        check: "no-files",
        level: "error",
        what: `${each.stream}: ${each.recordsWritten} rows were written and no file`,
        todo: "the sink cannot commit: its token is revoked or lacks R2 Storage, or the bucket is gone",
      });
  }
  return findings;
}

function checkWorker(read, context) {
  const { name } = context;
  if (read.owner.error) return [];
  const owner = read.owner.value;
  const kind = whose(owner);
  if (kind === "absent") return [{ check: "worker", level: "error", what: `there is no Worker "${name}"`, todo: 'run "hogflare create"' }];
  if (kind === "first") return [{ check: "first-hogflare", level: "error", what: describeFirst(owner), todo: FIRST_ADVICE }];
  if (kind === "newer") return [{ check: "migrations", level: "error", what: describeNewer(owner), todo: NEWER_ADVICE }];
  if (kind === "foreign")
    return [
      {
        check: "worker",
        level: "error",
        what: `the Worker "${name}" is not Hogflare's (migration tag ${owner.tag ?? "none"})`,
        todo: "give --name",
      },
    ];
  const findings = [];
  if (owner.tag !== lastTag)
    findings.push({
      check: "migrations",
      level: "error",
      what: `the migration tag is ${owner.tag}, this version's is ${lastTag}`,
      todo: 'run "hogflare deploy"',
    });
  const missing = OBJECTS.filter((each) => !owner.classes.some((one) => one.class === each.class)).map((each) => each.class);
  if (missing.length > 0 && owner.tag === lastTag)
    findings.push({
      check: "migrations",
      level: "error",
      what: `objects were never made: ${missing.join(", ")}`,
      todo: "the tag was set without its step; deploy under a new --name",
    });
  for (const each of owner.classes.filter((one) => !one.use_sqlite))
    findings.push({ check: "objects", level: "error", what: `${each.class} is KV-backed`, todo: FIRST_ADVICE });
  return [
    ...findings,
    ...checkBindings(read, context),
    ...checkSecrets(read),
    ...checkVersions(read, context),
    ...checkReach(read, context),
  ];
}

function checkRecordings(read, binding, recordings) {
  if (recordings === undefined && binding === undefined) return [];
  if (binding?.type !== "r2_bucket")
    return [{ check: "recordings", level: "warning", what: "RECORDINGS is not bound: recordings are rows", todo: 'run "hogflare deploy"' }];
  if (recordings !== undefined && binding.bucket_name !== recordings)
    return [
      {
        check: "recordings",
        level: "warning",
        what: `RECORDINGS is bound to ${binding.bucket_name}, not to ${recordings}`,
        todo: 'run "hogflare deploy"',
      },
    ];
  if (read.recordings.error || read.recordings.value !== undefined) return [];
  return [
    {
      check: "recordings",
      level: "error",
      what: `the bucket ${binding.bucket_name} of the recordings is gone; recordings are rows again`,
      todo: 'run "hogflare create"',
    },
  ];
}

function checkRateLimit(binding, rateLimit) {
  const limit = binding?.type === "ratelimit" ? binding.simple.limit : 0;
  if (limit === rateLimit) return [];
  const what =
    limit === 0
      ? `${RATE_LIMIT.binding} is not bound: one client may send as much as it likes`
      : `${RATE_LIMIT.binding} lets ${limit} requests of a client through, not ${rateLimit || "all"}`;
  return [{ check: "rate-limit", level: "warning", what, todo: 'run "hogflare deploy"' }];
}

function checkBindings(read, { streams, tables, name, recordings, rateLimit }) {
  const bindings = read.settings.value?.bindings;
  if (bindings === undefined) return [];
  const findings = [];
  const bound = (binding) => bindings.find((each) => each.name === binding);
  for (const stream of streams) {
    const binding = bound(bindingOf(stream));
    const own = read.streams.value?.find((each) => each.stream === stream && each.number === tables[stream]);
    if (binding?.type !== "pipelines") {
      findings.push({
        check: "binding",
        level: stream === "events" ? "error" : "warning",
        what: `${bindingOf(stream)} is not bound`,
        todo: 'run "hogflare deploy"',
      });
    } else if (own !== undefined && (binding.stream ?? binding.pipeline) !== own.part.id) {
      findings.push({
        check: "binding",
        level: "error",
        what: `${bindingOf(stream)} is bound to another stream than ${own.part.name}`,
        todo: 'run "hogflare deploy"',
      });
    }
  }
  for (const each of OBJECTS) {
    if (bound(each.binding)?.class_name !== each.class)
      findings.push({
        check: "binding",
        level: "error",
        what: `${each.binding} is not bound to ${each.class}`,
        todo: 'run "hogflare deploy"',
      });
  }
  findings.push(...checkRecordings(read, bound("RECORDINGS"), recordings), ...checkRateLimit(bound(RATE_LIMIT.binding), rateLimit));
  const flags = bound("FLAGS");
  if (flags === undefined) findings.push({ check: "kv", level: "warning", what: "FLAGS is not bound", todo: 'run "hogflare deploy"' });
  else if (read.kv.value !== undefined && !read.kv.value.some((each) => each.id === flags.namespace_id))
    findings.push({
      check: "kv",
      level: "error",
      what: `FLAGS is bound to a namespace that is gone (${kvTitle(name)})`,
      todo: 'run "hogflare create", then "hogflare flags push"',
    });
  return findings;
}

function checkSecrets(read) {
  const bindings = read.settings.value?.bindings ?? [];
  const findings = [];
  for (const name of SECRETS) {
    const plain = bindings.find((each) => each.name === name && each.type === "plain_text");
    if (plain !== undefined)
      findings.push({
        check: "secrets",
        level: "error",
        what: `${name} is a plain variable: everybody who sees the Worker's settings can read it`,
        todo: `take it out of wrangler.jsonc, then: ${name}=… hogflare deploy`,
      });
  }
  const has = (name) => bindings.some((each) => each.name === name);
  if (!has("HOGFLARE_SQL_TOKEN"))
    findings.push({
      check: "questions",
      level: "warning",
      what: "HOGFLARE_SQL_TOKEN is not set: questions, lists and the console's numbers have no engine",
      todo: 'run "hogflare create", or HOGFLARE_SQL_TOKEN=… hogflare deploy',
    });
  if (!has("HOGFLARE_ADMIN_TOKEN"))
    findings.push({
      check: "secrets",
      level: "warning",
      what: "HOGFLARE_ADMIN_TOKEN is not set: nobody can see the outbox or redrive",
      todo: "HOGFLARE_ADMIN_TOKEN=… hogflare deploy",
    });
  return findings;
}

function checkVersions(read, { name }) {
  const live = read.deployments.value?.deployments?.[0]?.versions ?? [];
  const newest = read.versions.value?.items?.[0];
  const findings = [];
  if (live.length > 1)
    findings.push({
      check: "split",
      level: "warning",
      what: `two versions share the traffic: ${live.map((each) => `${each.percentage} %`).join(" and ")}`,
      todo: '"hogflare deploy" gives all traffic to the newest, "hogflare rollback" to the one before',
    });
  else if (newest !== undefined && live.length === 1 && newest.id !== live[0].version_id)
    findings.push({
      check: "not-deployed",
      level: "warning",
      what: `the newest version of ${name} is not the one that is deployed: secrets cannot be changed`,
      todo: 'run "hogflare deploy"',
    });
  const observed = read.settings.value?.observability;
  if (observed !== undefined && !observed.enabled)
    findings.push({
      check: "observability",
      level: "warning",
      what: "Workers Logs are off: what happened in the night is gone by the morning",
      todo: 'set observability.enabled in wrangler.jsonc, then "hogflare deploy"',
    });
  return findings;
}

function checkReach(read, { domain, name }) {
  if (domain) {
    const owner = read.domains.value?.[0];
    if (owner === undefined)
      return [{ check: "domain", level: "error", what: `${domain} leads to no Worker`, todo: 'run "hogflare deploy"' }];
    if (owner.service !== name)
      return [
        {
          check: "domain",
          level: "error",
          what: `${domain} leads to the Worker "${owner.service}"`,
          todo: 'take it off there, then "hogflare deploy"',
        },
      ];
    return [];
  }
  if (read.subdomain.value === undefined && !read.subdomain.error)
    return [
      {
        check: "workers-dev",
        level: "error",
        what: "the account has no workers.dev name: the Worker cannot be reached",
        todo: 'run "hogflare create", or give --domain',
      },
    ];
  if (read.workersDev.value?.enabled === false)
    return [
      { check: "workers-dev", level: "error", what: "the Worker is not on workers.dev and has no domain", todo: 'run "hogflare deploy"' },
    ];
  return [];
}

/** Whether wrangler.jsonc, where it lies here, says what create and deploy write. */
function checkConfiguration(read, context) {
  const { streams, tables, name } = context;
  const ids = streams.map((stream) => [
    stream,
    read.streams.value?.find((each) => each.stream === stream && each.number === tables[stream])?.part.id,
  ]);
  const kvId = read.kv.value?.find((each) => each.title === kvTitle(name))?.id;
  // What is missing has a finding of its own.
  if (kvId === undefined || ids.some(([, id]) => id === undefined)) return [];
  const keys = differingParts(context.folder, ownParts(context, { streamIds: Object.fromEntries(ids), kvId })) ?? [];
  if (keys.length === 0) return [];
  return [
    {
      check: "configuration",
      level: "warning",
      what: `wrangler.jsonc differs from what this version deploys: ${keys.join(", ")}`,
      todo: 'run "hogflare deploy": it writes its own parts and leaves the others',
    },
  ];
}

/** Whether a project takes events of a page of that origin; without projects every one does. */
export function checkOrigin(read, origin) {
  const binding = read.settings.value?.bindings?.find((each) => each.name === "HOGFLARE_PROJECTS");
  let projects;
  try {
    projects = Object.values(binding?.json ?? JSON.parse(binding?.text ?? "{}"));
  } catch {
    // /healthz says what is wrong with it.
    return [];
  }
  if (projects.length === 0 || projects.some((each) => !each?.origins?.length || each.origins.includes(origin))) return [];
  return [
    {
      check: "cors",
      level: "error",
      what: `no project takes events of a page of ${origin}`,
      todo: 'add it to the project\'s origins in HOGFLARE_PROJECTS, then "hogflare deploy"',
    },
  ];
}

/** What the Worker says itself: health, outbox, clock, CORS. */
async function checkAnswers(url, origin) {
  const adminToken = process.env.HOGFLARE_ADMIN_TOKEN;
  const health = await ask(url, "/healthz", { adminToken });
  if (health.body?.version === undefined)
    return [
      {
        check: "reach",
        level: "error",
        what: `${url} does not answer as Hogflare (${health.error ?? `status ${health.status}`})`,
        todo: 'a new workers.dev name takes minutes; otherwise see the Worker\'s logs: "hogflare tail"',
      },
    ];
  const findings = [];
  if (health.body.version !== VERSION)
    findings.push({
      check: "version",
      level: "warning",
      what: `version ${health.body.version} answers, this is ${VERSION}`,
      todo: '"hogflare upgrade", or install that version',
    });
  const problems = (health.body.problems ?? []).map((each) => each.message);
  for (const what of problems)
    findings.push({
      check: "health",
      level: health.body.status === "error" ? "error" : "warning",
      what,
      todo: 'docs/DELIVERY.md, "What an operator sees"',
    });
  if (problems.length === 0 && health.body.status !== "ok")
    findings.push({
      check: "health",
      level: "error",
      what: `the Worker says it is ${health.body.status}`,
      todo: "export HOGFLARE_ADMIN_TOKEN and run this again: then it says why",
    });
  // What /healthz says of the outbox may be a minute old.
  const outbox = adminToken ? (await ask(url, "/admin/outbox", { adminToken })).body : health.body.outbox;
  if (outbox?.quarantine_rows > 0)
    findings.push({
      check: "outbox",
      level: "error",
      what: `${outbox.quarantine_rows} rows are in quarantine: the stream refuses them`,
      todo: "docs/DELIVERY.md: look at them, then redrive",
    });
  if (outbox?.rows > 0)
    findings.push({
      check: "outbox",
      level: "warning",
      what: `${outbox.rows} rows wait in the outbox`,
      todo: "they go out by themselves once the stream takes them",
    });
  const date = Date.parse(health.headers.get("date") ?? "");
  if (Math.abs(date - Date.now()) > CLOCK_OFF_MS)
    findings.push({
      check: "clock",
      level: "warning",
      what: `this machine's clock is ${Math.round((Date.now() - date) / 1000)} s off`,
      todo: "set it: events sent from here get wrong times",
    });
  if (origin !== undefined) {
    const preflight = await ask(url, "/batch/", {
      method: "OPTIONS",
      headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
    });
    const allowed = preflight.headers.get("access-control-allow-origin");
    if (allowed !== "*" && allowed !== origin)
      findings.push({
        check: "cors",
        level: "error",
        what: `a page of ${origin} may not send here: the preflight's answer does not allow it`,
        todo: "what stands between, a proxy or a rule, takes the headers off: let Access-Control-* through",
      });
  }
  return findings;
}

async function checkEvent(context, url, withinSeconds, note) {
  try {
    const uuid = await sendEvent(context, url);
    if (withinSeconds === 0) return [];
    const seconds = await waitForRow(context, uuid, { withinSeconds, note });
    if (seconds !== undefined) return [];
    return [
      {
        check: "event",
        level: "error",
        what: `the event ${uuid} is no row after ${withinSeconds} s`,
        todo: "see the findings above; without any, wait for one roll (60 s) and run this again",
      },
    ];
  } catch (error) {
    return [{ check: "event", level: error.status === 403 ? "warning" : "error", what: error.message, todo: error.advice ?? "" }];
  }
}

/** As a browser sends it: without a path. */
function originOf(page) {
  if (!URL.canParse(page)) throw new Stop(EXIT.usage, `"${page}" is no origin`, "give it as https://www.example.com");
  return new URL(page).origin;
}

/** Closes what stands open; the only thing of a stream that can be changed. */
export async function repair(context, read) {
  const repaired = [];
  for (const { part } of read.streams.value ?? []) {
    if (part.http?.enabled || part.worker_binding?.enabled === false) {
      await context.api.patch(`pipelines/v1/streams/${part.id}`, {
        http: { enabled: false, authentication: true },
        worker_binding: { enabled: true },
      });
      repaired.push(`${part.name}: HTTP is off, the binding on`);
    }
  }
  return repaired;
}

/** @returns {Promise<Finding[]>} nothing when all is well */
export async function diagnose(context, read, { origin: page, waitSeconds, note }) {
  const origin = page === undefined ? undefined : originOf(page);
  const findings = [
    ...checkToken(read, context),
    ...checkCatalog(read, context),
    ...checkTables(read, context),
    ...checkFigures(read),
    ...checkWorker(read, context),
  ];
  if (!read.owner.error && whose(read.owner.value) === "ours") {
    findings.push(...checkConfiguration(read, context), ...(origin === undefined ? [] : checkOrigin(read, origin)));
    const url = await workerUrl(context).catch(() => undefined);
    if (url !== undefined) {
      const answers = await checkAnswers(url, origin);
      findings.push(...answers);
      if (!answers.some((each) => each.check === "reach") && waitSeconds !== undefined)
        findings.push(...(await checkEvent(context, url, waitSeconds, note)));
    }
  }
  return findings;
}
