// Uploading the Worker: configuration, static assets, secrets, wrangler.
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { writeAssets } from "../scripts/lib/assets.mjs";
import { configIs, jsonVariable, ownParts, writeConfig } from "./config.mjs";
import { SECRETS } from "./context.mjs";
import { PACKAGE, partsOf, VERSION } from "./names.mjs";
import { EXIT, Stop } from "./output.mjs";
import { findByName, findKv } from "./resources.mjs";
import { lastTag } from "./worker.mjs";
import { codesIn, reasonIn, wrangler } from "./wrangler.mjs";

/** Ids of what the Worker is bound to, as Cloudflare has them now. */
export async function readIds(context) {
  const streamIds = {};
  for (const stream of context.streams) {
    const parts = partsOf(context.name, stream, context.tables[stream]);
    const found = await findByName(context.api, "streams", parts.stream);
    if (found === undefined)
      throw new Stop(EXIT.failed, `the stream ${parts.stream} is missing`, 'run "hogflare create": it makes what is missing');
    streamIds[stream] = found.id;
  }
  const kv = await findKv(context.api, context.name);
  if (kv === undefined)
    throw new Stop(EXIT.failed, "the KV namespace of the flags is missing", 'run "hogflare create": it makes what is missing');
  return { streamIds, kvId: kv.id };
}

/** Names a deployment by what is in it, so that a run that was cut off knows whether it had got through. */
export function fingerprint(parts) {
  const wasm = readFileSync(join(PACKAGE, "build/wasm/core.wasm"));
  return createHash("sha256").update(wasm).update(JSON.stringify(parts)).digest("hex").slice(0, 12);
}
export const tagOf = (parts) => `hogflare-${VERSION}-${fingerprint(parts)}`;

/** Secrets to send with an upload: those in the environment, and an admin token when there is none at all. */
async function chooseSecrets({ api, name, output, readerToken }, kind) {
  const secrets = Object.fromEntries(SECRETS.filter((key) => process.env[key]).map((key) => [key, process.env[key]]));
  const known = kind === "absent" ? [] : await api.get(`workers/scripts/${name}/secrets`);
  if (readerToken !== undefined) secrets.HOGFLARE_SQL_TOKEN ??= readerToken;
  if (secrets.HOGFLARE_ADMIN_TOKEN === undefined && !known.some((each) => each.name === "HOGFLARE_ADMIN_TOKEN")) {
    secrets.HOGFLARE_ADMIN_TOKEN = output.hide(randomBytes(32).toString("base64url"));
    output.say(
      "HOGFLARE_ADMIN_TOKEN is not in the environment: one was made that nobody knows. Set your own with: HOGFLARE_ADMIN_TOKEN=… hogflare deploy",
    );
  }
  return secrets;
}

const SECRETS_FOLDER = "hogflare-secrets-";

/** Takes away what a run left that was killed in the middle: the folder's name has its process. */
export function dropSecretsFiles() {
  for (const name of readdirSync(tmpdir()).filter((each) => each.startsWith(SECRETS_FOLDER))) {
    try {
      process.kill(Number(name.split("-")[2]), 0);
    } catch (error) {
      if (error.code === "ESRCH") rmSync(join(tmpdir(), name), { recursive: true, force: true });
    }
  }
}

/** Calls `use` with a file of them that only we can read; it is gone afterwards, also after a signal. */
async function withSecretsFile(secrets, use) {
  const folder = mkdtempSync(join(tmpdir(), `${SECRETS_FOLDER}${process.pid}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const signals = /** @type {const} */ (["SIGINT", "SIGTERM", "SIGHUP"]);
  const end = () => {
    remove();
    process.exit(EXIT.failed);
  };
  for (const signal of signals) process.once(signal, end);
  try {
    const path = join(folder, "secrets.json");
    writeFileSync(path, JSON.stringify(secrets), { mode: 0o600 });
    return await use(path);
  } finally {
    remove();
    for (const signal of signals) process.off(signal, end);
  }
}

/** Whether the triggers stand too: a deploy that was cut off may have uploaded without them. */
async function isReachable(context) {
  if (context.domain) {
    const domains = await context.api.get(`workers/domains?hostname=${context.domain}`);
    if (!domains.some((each) => each.service === context.name)) return false;
  }
  const { enabled } = (await context.api.find(`workers/scripts/${context.name}/subdomain`)) ?? { enabled: false };
  return enabled;
}

/** A sentence when what is deployed is what would be. */
export async function isDeployed(context, kind) {
  if (kind !== "ours") return undefined;
  const parts = ownParts(context, await readIds(context));
  if (!configIs(context.folder, parts)) return undefined;
  const { deployments } = await context.api.get(`workers/scripts/${context.name}/deployments`);
  const live = deployments[0]?.versions ?? [];
  if (live.length !== 1) return undefined;
  const version = await context.api.find(`workers/scripts/${context.name}/versions/${live[0].version_id}`);
  if (version?.annotations?.["workers/tag"] !== tagOf(parts) || !(await isReachable(context))) return undefined;
  return `version ${VERSION} is deployed`;
}

/** Refuses what wrangler would take over without asking. */
export async function checkDomain({ api, name, domain }) {
  if (!domain) return;
  const taken = (await api.get(`workers/domains?hostname=${domain}`)).find((each) => each.service !== name);
  if (taken !== undefined)
    throw new Stop(
      EXIT.refused,
      `${domain} belongs to the Worker "${taken.service}"`,
      "take it off there first, or choose another --domain",
    );
  const labels = domain.split(".");
  for (let i = 0; i < labels.length - 1; ++i) {
    const [zone] = await api.get(`/zones?name=${labels.slice(i).join(".")}&account.id=${api.account}`);
    if (zone === undefined) continue;
    const own = (await api.get(`workers/domains?hostname=${domain}`)).some((each) => each.service === name);
    const records = own ? [] : await api.get(`/zones/${zone.id}/dns_records?name=${domain}`);
    if (records.length > 0)
      throw new Stop(EXIT.refused, `${domain} has a DNS record already`, "remove the record first, or choose another --domain");
    return;
  }
  throw new Stop(EXIT.needed, `no zone of this account holds ${domain}`, "add the domain to Cloudflare first, or give the token Zone Read");
}

/** Writes the configuration and uploads. */
export async function deploy(context, kind, note) {
  dropSecretsFiles();
  const parts = ownParts(context, await readIds(context));
  await checkDomain(context);
  writeConfig(context.folder, parts);
  const prefix = context.config?.vars?.HOGFLARE_PATH_PREFIX ?? "";
  const aliases = jsonVariable(context.config, "HOGFLARE_PATH_ALIASES");
  const assets = writeAssets(join(context.folder, "assets"), { prefix, aliases });
  note(`posthog-js ${assets.version}, ${assets.files} scripts; uploading`);
  const secrets = await chooseSecrets(context, kind);
  context.adminToken = secrets.HOGFLARE_ADMIN_TOKEN ?? context.adminToken;
  const upload = () =>
    withSecretsFile(secrets, (file) =>
      wrangler(
        [
          "deploy",
          "--config",
          join(context.folder, "wrangler.jsonc"),
          "--secrets-file",
          file,
          "--tag",
          tagOf(parts),
          "--message",
          `hogflare ${VERSION}`,
        ],
        context,
      ),
    );
  let { code, text } = await upload();
  if (code !== 0 && codesIn(text).includes(10079)) {
    // The answer to the upload was lost and wrangler sent it again: the first one had arrived.
    note("the migration had been applied already; once more without it");
    ({ code, text } = await upload());
  }
  if (code !== 0) throw new Stop(EXIT.failed, `wrangler: ${reasonIn(text)}`, adviceFor(codesIn(text)));
  await waitForVersion(context, tagOf(parts));
  return `version ${VERSION} is deployed, migration tag ${lastTag}`;
}

/** A version that was just uploaded may not be readable yet. */
async function waitForVersion({ api, name }, tag) {
  for (let attempt = 0; attempt < 20; ++attempt) {
    const { items } = await api.get(`workers/scripts/${name}/versions?deployable=true`);
    if (items.some((each) => each.annotations?.["workers/tag"] === tag)) return;
    await sleep(500);
  }
}

const ADVICE = {
  10061: 'the classes of the objects and their migrations disagree: run "hogflare doctor"',
  10074: 'a class of this name has objects already: run "hogflare doctor"',
  10021: 'Cloudflare could not start the module: run "npm install" again, and report this with the text above',
  10053: "a variable in wrangler.jsonc has the name of a secret: remove it there",
  10063: "the account needs a workers.dev name: open the Workers page once",
  10000: "the token needs Workers Scripts: Edit and Basin Pipelines: Edit",
};
function adviceFor(codes) {
  return codes.map((code) => ADVICE[code]).find(Boolean) ?? "";
}
