// Workers: uploads, versions, deployments, secrets, assets, triggers and their removal.
import { randomUUID } from "node:crypto";
import { hexId, pageOf, Refusal } from "./http.mjs";
import { checkClasses, exportedNames, migrate, reconcile } from "./migrations.mjs";

const SCRIPTS = ["Workers Scripts Write"];
const READ = ["Workers Scripts Write", "Workers Scripts Read"];
const MODULE_BYTES_MAX = 64 * 1024 * 1024;

export function scriptOf(state, name) {
  const script = state.scripts.find((each) => each.name === name);
  if (script === undefined || script.versions.length === 0) {
    throw new Refusal(404, 10007, "This Worker does not exist on your account.");
  }
  return script;
}

const newScript = (name) => ({
  name,
  tag: undefined,
  scriptTag: hexId(),
  namespaces: [],
  versions: [],
  deployments: [],
  secrets: new Map(),
  secretsChanged: 0,
  subdomain: { enabled: false, previews_enabled: false },
  schedules: [],
  tags: [],
  settings: {},
});

async function readForm({ body, headers }) {
  const form = await new Response(body, { headers: { "content-type": headers["content-type"] } }).formData();
  const metadata = JSON.parse(await textOf(form.get("metadata")));
  const modules = [];
  for (const [name, part] of form) {
    if (name === "metadata" || typeof part === "string") continue;
    modules.push({ name, type: part.type, bytes: Buffer.from(await part.arrayBuffer()) });
  }
  return { metadata, modules };
}

const textOf = async (part) => (typeof part === "string" ? part : part.text());

/** What a binding names must exist. */
function checkBindings(cloud, bindings, token) {
  const { state } = cloud;
  for (const binding of bindings) {
    if (binding.type === "kv_namespace" && !state.kv.some((each) => each.id === binding.namespace_id)) {
      throw new Refusal(400, 10041, `KV namespace '${binding.namespace_id}' not found`);
    }
    if (
      binding.type === "ratelimit" &&
      !(/^\d+$/.test(binding.namespace_id) && binding.simple?.limit > 0 && [10, 60].includes(binding.simple.period))
    ) {
      throw new Refusal(400, 10021, `rate limit '${binding.name}' needs a number as namespace_id, a limit, and a period of 10 or 60`);
    }
    if (binding.type === "pipelines") {
      if (!token.groups.includes("Pipelines Write")) throw new Refusal(403, 10000, "Authentication error");
      const id = binding.stream ?? binding.pipeline;
      if (!state.streams.some((each) => each.id === id)) throw new Refusal(400, 10085, `stream '${id}' not found`);
    }
  }
}

/** Checks an upload and makes a version of it; nothing has changed when it is refused. */
function makeVersion(cloud, script, { metadata, modules }, token, { versionsOnly }) {
  const main = modules.find((module) => module.name === metadata.main_module);
  if (main === undefined) throw new Refusal(400, 10021, `No such module "${metadata.main_module}".`);
  if (modules.reduce((sum, module) => sum + module.bytes.length, 0) > MODULE_BYTES_MAX) {
    throw new Refusal(413, 10027, "Your Worker exceeded the size limit");
  }
  const bindings = metadata.bindings ?? [];
  checkBindings(cloud, bindings, token);
  const bound = bindings.filter((each) => each.type === "durable_object_namespace" && !each.script_name).map((each) => each.class_name);
  const context = {
    script: script.name,
    tag: script.tag,
    namespaces: script.namespaces,
    bound,
    exported: exportedNames(main.bytes.toString()),
    allowKeyValue: cloud.state.account.keyValueObjects,
  };
  let classes = { tag: script.tag, namespaces: script.namespaces };
  if (versionsOnly && metadata.migrations) throw new Refusal(400, 10211, "Migrations need a non-versioned deployment");
  if (metadata.migrations && metadata.exports) throw new Refusal(400, 10021, "migrations and exports are mutually exclusive");
  if (metadata.migrations && script.usesExports) throw new Refusal(400, 10021, "this Worker's classes are declared by exports");
  if (script.usesExports && !metadata.exports) throw new Refusal(400, 100402, "this Worker's classes are declared by exports");
  if (metadata.migrations) classes = migrate(context, metadata.migrations);
  if (metadata.exports && !versionsOnly) classes = reconcile(context, metadata.exports);
  checkClasses({ ...context, ...classes });
  const keepsSecrets = (metadata.keep_bindings ?? []).includes("secret_text");
  const secrets = new Map(keepsSecrets ? script.secrets : []);
  for (const { type, name, text } of bindings) if (type === "secret_text") secrets.set(name, text);
  const plain = bindings.filter((each) => each.type !== "secret_text" && !(each.type === "inherit" && secrets.has(each.name)));
  const lifecycle = JSON.stringify(classes.namespaces.map((each) => each.class).sort());
  const version = {
    id: randomUUID(),
    number: script.versions.length + 1,
    modules,
    metadata,
    bindings: plain,
    secrets,
    lifecycle,
    annotations: metadata.annotations ?? {},
    created_on: new Date().toISOString(),
    migration_tag: classes.tag,
    assets: cloud.state.assetJwts.get(metadata.assets?.jwt) ?? script.versions.at(-1)?.assets ?? new Map(),
  };
  return { version, classes, usesExports: script.usesExports || metadata.exports !== undefined };
}

async function upload(cloud, call, { versionsOnly }) {
  const { state } = cloud;
  const { name } = call.params;
  let script = state.scripts.find((each) => each.name === name);
  if (script === undefined && versionsOnly) throw new Refusal(404, 10007, "This Worker does not exist on your account.");
  script ??= newScript(name);
  const { version, classes, usesExports } = makeVersion(cloud, script, await readForm(call), call.token, { versionsOnly });
  if (!state.scripts.includes(script)) state.scripts.push(script);
  script.versions.push(version);
  script.usesExports = usesExports;
  script.tags = version.metadata.tags ?? script.tags;
  if (!versionsOnly) {
    Object.assign(script, classes, { secrets: version.secrets });
    deploy(script, [{ version_id: version.id, percentage: 100 }], version.annotations);
  }
  const shared = { id: version.id, startup_time_ms: 30 };
  if (versionsOnly) return { ...shownVersion(version), ...shared };
  return {
    ...shared,
    id: name,
    tag: script.scriptTag,
    etag: hexId(),
    handlers: ["fetch"],
    deployment_id: version.id,
    migration_tag: script.tag,
    has_assets: version.assets.size > 0,
  };
}

function deploy(script, versions, annotations = {}) {
  const deployment = {
    id: randomUUID(),
    source: "api",
    strategy: "percentage",
    author_email: "operator@example.com",
    created_on: new Date().toISOString(),
    annotations,
    versions,
  };
  script.deployments.unshift(deployment);
  script.secrets = script.versions.find((each) => each.id === versions[0].version_id).secrets;
  return deployment;
}

function createDeployment(cloud, { params, json, query }) {
  const script = scriptOf(cloud.state, params.name);
  const { versions = [] } = json;
  if (versions.reduce((sum, each) => sum + each.percentage, 0) !== 100) throw new Refusal(400, 10212, "Percentages must add up to 100");
  const chosen = versions.map(({ version_id: id }) => script.versions.find((each) => each.id === id));
  if (chosen.includes(undefined)) throw new Refusal(400, 10213, "Version not found");
  const lifecycle = JSON.stringify(script.namespaces.map((each) => each.class).sort());
  if (chosen.some((each) => each.lifecycle !== lifecycle))
    throw new Refusal(400, 10216, "A Durable Object migration lies between these versions");
  const names = (secrets) =>
    [...secrets]
      .map(([name, text]) => `${name}=${text}`)
      .sort()
      .join();
  const older = chosen.find((each) => each !== script.versions.at(-1) && names(each.secrets) !== names(script.secrets));
  if (older !== undefined && query.get("force") !== "true") {
    const changed = [...new Set([...older.secrets.keys(), ...script.secrets.keys()])].filter(
      (name) => older.secrets.get(name) !== script.secrets.get(name),
    );
    throw new Refusal(400, 10220, `The following secrets have changed since this version was deployed: ${changed.join(", ")}`);
  }
  checkBindings(
    cloud,
    chosen.flatMap((each) => each.bindings),
    { groups: ["Pipelines Write"] },
  );
  return { id: deploy(script, versions, json.annotations).id };
}

/** A secret set or taken away makes and deploys a version at once. */
function changeSecrets(script, changes) {
  const newest = script.versions.at(-1);
  if (!script.deployments[0]?.versions.some((each) => each.version_id === newest.id)) {
    throw new Refusal(400, 10215, "Secret edit failed. The latest version of your Worker isn't currently deployed.");
  }
  const secrets = new Map(newest.secrets);
  for (const [name, text] of Object.entries(changes)) {
    if (newest.bindings.some((each) => each.name === name)) throw new Refusal(400, 10053, `Binding name '${name}' already in use.`);
    if (text === null) secrets.delete(name);
    else secrets.set(name, text);
  }
  const version = { ...newest, id: randomUUID(), number: newest.number + 1, secrets, created_on: new Date().toISOString() };
  script.versions.push(version);
  deploy(script, [{ version_id: version.id, percentage: 100 }]);
}

function currentVersion(script) {
  return script.versions.find((each) => each.id === script.deployments[0]?.versions[0].version_id) ?? script.versions.at(-1);
}

const shownBindings = (version) => [...version.bindings, ...[...version.secrets.keys()].map((name) => ({ type: "secret_text", name }))];

const shownVersion = (version) => ({
  id: version.id,
  number: version.number,
  annotations: version.annotations,
  metadata: { created_on: version.created_on, author_email: "operator@example.com", source: "wrangler" },
  resources: {
    bindings: shownBindings(version),
    script: { etag: version.id, handlers: ["fetch"] },
    script_runtime: {
      compatibility_date: version.metadata.compatibility_date,
      migration_tag: version.migration_tag,
      usage_model: "standard",
    },
  },
});

function remove(state, name) {
  const script = scriptOf(state, name);
  state.scripts.splice(state.scripts.indexOf(script), 1);
  state.domains = state.domains.filter((domain) => domain.service !== name);
  return {};
}

function service(script) {
  return {
    id: script.name,
    default_environment: {
      environment: "production",
      script: {
        id: script.name,
        tag: script.scriptTag,
        tags: script.tags,
        etag: hexId(),
        handlers: ["fetch"],
        migration_tag: script.tag,
        last_deployed_from: "wrangler",
        created_on: script.versions[0].created_on,
        modified_on: script.versions.at(-1).created_on,
      },
    },
    environments: [{ environment: "production" }],
  };
}

function assetRoutes(cloud, W) {
  const { state } = cloud;
  return [
    [
      "POST",
      `${W}/scripts/{name}/assets-upload-session`,
      SCRIPTS,
      ({ json }) => {
        const jwt = `session-${randomUUID()}`;
        const wanted = Object.entries(json.manifest);
        state.assetJwts.set(jwt, new Map(wanted.map(([path, { hash }]) => [path, hash])));
        const missing = [...new Set(wanted.map(([, { hash }]) => hash))].filter((hash) => !state.assetFiles.has(hash));
        return { jwt, buckets: missing.length === 0 ? [] : [missing] };
      },
    ],
    [
      "POST",
      `${W}/assets/upload`,
      null,
      async ({ body, headers }) => {
        const jwt = (headers.authorization ?? "").replace(/^Bearer /, "");
        const manifest = state.assetJwts.get(jwt);
        if (manifest === undefined) throw new Refusal(401, 10030, "The upload session is unknown or over");
        const form = await new Response(body, { headers: { "content-type": headers["content-type"] } }).formData();
        const known = new Set(manifest.values());
        for (const [hash, part] of form) {
          if (!known.has(hash)) throw new Refusal(400, 10031, `${hash} is not in the manifest`);
          const bytes = Buffer.from(await textOf(part), "base64");
          state.assetFiles.set(hash, { bytes, type: typeof part === "string" ? "" : part.type });
        }
        const whole = [...known].every((hash) => state.assetFiles.has(hash));
        return whole ? { jwt } : {};
      },
    ],
  ];
}

function secretRoutes({ state }, S) {
  return [
    [
      "GET",
      `${S}/secrets`,
      READ,
      ({ params }) => [...currentVersion(scriptOf(state, params.name)).secrets.keys()].map((name) => ({ name, type: "secret_text" })),
    ],
    [
      "PUT",
      `${S}/secrets`,
      SCRIPTS,
      ({ params, json }) => {
        changeSecrets(scriptOf(state, params.name), { [json.name]: json.text });
        return { name: json.name, type: json.type };
      },
    ],
    ["DELETE", `${S}/secrets/{secret}`, SCRIPTS, ({ params }) => changeSecrets(scriptOf(state, params.name), { [params.secret]: null })],
    [
      "PATCH",
      `${S}/secrets-bulk`,
      SCRIPTS,
      ({ params, json }) => {
        changeSecrets(
          scriptOf(state, params.name),
          Object.fromEntries(Object.entries(json.secrets).map(([name, value]) => [name, value?.text ?? null])),
        );
        return [];
      },
    ],
  ];
}

function triggerRoutes({ state, url }, W, S) {
  const noSubdomain = () => {
    if (state.account.subdomain === undefined)
      throw new Refusal(400, 10063, "You need a workers.dev subdomain; open the Workers page once");
  };
  return [
    [
      "GET",
      `${W}/subdomain`,
      READ,
      () => {
        if (state.account.subdomain === undefined) throw new Refusal(404, 10007, "no workers.dev subdomain is registered");
        return { subdomain: state.account.subdomain };
      },
    ],
    [
      "PUT",
      `${W}/subdomain`,
      SCRIPTS,
      ({ json }) => {
        if (state.takenSubdomains.includes(json.subdomain)) throw new Refusal(409, 10031, "This subdomain is taken");
        state.account.subdomain = json.subdomain;
        return { subdomain: json.subdomain };
      },
    ],
    ["GET", `${S}/subdomain`, READ, ({ params }) => scriptOf(state, params.name).subdomain],
    [
      "POST",
      `${S}/subdomain`,
      SCRIPTS,
      ({ params, json }) => {
        noSubdomain();
        return Object.assign(scriptOf(state, params.name).subdomain, json);
      },
    ],
    [
      "PUT",
      `${S}/schedules`,
      SCRIPTS,
      ({ params, json }) => {
        noSubdomain();
        scriptOf(state, params.name).schedules = json;
        return { schedules: json };
      },
    ],
    [
      "GET",
      `${W}/domains`,
      READ,
      ({ query }) =>
        state.domains.filter(
          (each) => (query.get("hostname") ?? each.hostname) === each.hostname && (query.get("service") ?? each.service) === each.service,
        ),
    ],
    [
      "POST",
      `${S}/domains/changeset`,
      SCRIPTS,
      ({ params, json }) => ({
        added: json.filter(({ hostname }) => !state.domains.some((each) => each.hostname === hostname)),
        removed: [],
        updated: [],
        conflicting: state.domains.filter(
          (each) => each.service !== params.name && json.some(({ hostname }) => hostname === each.hostname),
        ),
      }),
    ],
    [
      "PUT",
      `${S}/domains/records`,
      SCRIPTS,
      ({ params, json }) => {
        for (const { hostname } of json.origins) {
          state.domains = state.domains.filter((each) => each.hostname !== hostname);
          state.domains.push({ id: hexId(), hostname, service: params.name, environment: "production", zone_id: state.account.zone });
        }
        return [];
      },
    ],
    ["DELETE", `${W}/domains/{id}`, SCRIPTS, ({ params }) => void (state.domains = state.domains.filter((each) => each.id !== params.id))],
    [
      "GET",
      "/zones",
      [],
      ({ query }) =>
        pageOf(
          state.zones.filter((zone) => (query.get("name") ?? zone.name) === zone.name),
          query,
        ),
    ],
    ["GET", "/zones/{zone}/workers/routes", [], () => []],
    ["GET", "/zones/{zone}/dns_records", [], ({ query }) => state.dns.filter((each) => each.name === query.get("name"))],
    [
      "POST",
      `${S}/tails`,
      ["Workers Tail Read", ...SCRIPTS],
      ({ params }) => {
        scriptOf(state, params.name);
        const id = hexId();
        return {
          id,
          url: `${url.replace(/^http/, "ws")}/tail/${params.name}/${id}`,
          expires_at: new Date(Date.now() + 3_600_000).toISOString(),
        };
      },
    ],
    ["GET", `${S}/tails`, READ, () => []],
    ["DELETE", `${S}/tails/{id}`, ["Workers Tail Read", ...SCRIPTS], () => null],
  ];
}

export function workerRoutes(cloud) {
  const { state } = cloud;
  const W = `/accounts/${state.account.id}/workers`;
  const S = `${W}/scripts/{name}`;
  const get = (params) => scriptOf(state, params.name);
  const namespaces = () => state.scripts.flatMap((script) => script.namespaces);
  return [
    ["GET", `${W}/services/{name}`, READ, ({ params }) => service(get(params))],
    ["DELETE", `${W}/services/{name}`, SCRIPTS, ({ params }) => remove(state, params.name)],
    [
      "GET",
      `${W}/workers/{name}`,
      READ,
      ({ params }) => ({ id: get(params).scriptTag, name: params.name, subdomain: get(params).subdomain }),
    ],
    [
      "GET",
      `${W}/scripts`,
      READ,
      () => state.scripts.map((script) => ({ id: script.name, tag: script.scriptTag, migration_tag: script.tag, handlers: ["fetch"] })),
    ],
    ["PUT", S, SCRIPTS, (call) => upload(cloud, call, { versionsOnly: false })],
    ["DELETE", S, SCRIPTS, ({ params }) => remove(state, params.name)],
    [
      "GET",
      `${S}/settings`,
      READ,
      ({ params }) => {
        const script = get(params);
        const version = currentVersion(script);
        const { compatibility_date, observability, limits } = version.metadata;
        return {
          bindings: shownBindings(version),
          compatibility_date,
          observability,
          limits,
          tags: script.tags,
          migration_tag: script.tag,
          ...script.settings,
        };
      },
    ],
    [
      "PATCH",
      `${S}/settings`,
      SCRIPTS,
      async ({ params, body, headers }) => {
        const script = get(params);
        const form = await new Response(body, { headers: { "content-type": headers["content-type"] } }).formData();
        const settings = JSON.parse(await textOf(form.get("settings")));
        if (settings.migrations) script.tag = settings.migrations.new_tag;
        return settings;
      },
    ],
    [
      "PATCH",
      `${S}/script-settings`,
      SCRIPTS,
      ({ params, json }) => {
        const script = get(params);
        if (json.tags) script.tags = json.tags;
        return Object.assign(script.settings, json.observability ? { observability: json.observability } : {});
      },
    ],
    ["POST", `${S}/versions`, SCRIPTS, (call) => upload(cloud, call, { versionsOnly: true })],
    ["GET", `${S}/versions`, READ, ({ params }) => ({ items: [...get(params).versions].reverse().map(shownVersion) })],
    [
      "GET",
      `${S}/versions/{version}`,
      READ,
      ({ params }) => {
        const version = get(params).versions.find((each) => each.id === params.version);
        if (version === undefined) throw new Refusal(404, 100146, "Version not found");
        return shownVersion(version);
      },
    ],
    ["GET", `${S}/deployments`, READ, ({ params }) => ({ deployments: get(params).deployments })],
    ["POST", `${S}/deployments`, SCRIPTS, (call) => createDeployment(cloud, call)],
    ["GET", `${S}/references`, READ, () => ({ services: { incoming: [], outgoing: [] }, durable_objects: [] })],
    ["GET", `${W}/tails/by-consumer/{name}`, READ, () => []],
    ["GET", `${W}/durable_objects/namespaces`, READ, ({ query }) => pageOf(namespaces(), query, 1000)],
    ["GET", `${W}/durable_objects/namespaces/{id}`, READ, ({ params }) => namespaces().find((each) => each.id === params.id)],
    ...secretRoutes(cloud, S),
    ...assetRoutes(cloud, W),
    ...triggerRoutes(cloud, W, S),
  ];
}

/** The version that answers, and its assets by path. */
export function liveWorker(state, name) {
  const script = state.scripts.find((each) => each.name === name);
  return script === undefined || script.versions.length === 0 ? undefined : { script, version: currentVersion(script) };
}
