// The Worker as it is deployed: whose it is, what it is bound to, and how to ask it.
import { OBJECTS, TAGS } from "./config.mjs";
import { EXIT, Stop } from "./output.mjs";

/** Classes of the first Hogflare; some of ours have the same names and another storage. */
const FIRST_CLASSES = ["PersonDurableObject", "PersonIdCounterDurableObject", "GroupDurableObject"];

/** @returns {Promise<{exists: boolean, tag?: string, classes: {class: string, use_sqlite: boolean}[]}>} */
export async function readOwner(api, name) {
  const [service, namespaces] = await Promise.all([api.find(`workers/services/${name}`), api.list("workers/durable_objects/namespaces")]);
  return {
    exists: service !== undefined,
    tag: service?.default_environment?.script?.migration_tag,
    classes: namespaces.filter((each) => each.script === name),
  };
}

/**
 * Whose Worker this is: "absent", "ours", "newer" (ours, with objects of a later release), "first" (the first
 * Hogflare), or "foreign".
 * @param {Awaited<ReturnType<typeof readOwner>>} owner
 */
export function whose({ exists, tag, classes }) {
  if (!exists) return "absent";
  if (TAGS.includes(tag)) return "ours";
  if (/^hogflare-\d+$/.test(tag ?? "")) return "newer";
  if (classes.some((each) => FIRST_CLASSES.includes(each.class))) return "first";
  return "foreign";
}

/** What the first Hogflare left, in a sentence: the four situations are tag v1 or v2, KV-backed or SQLite. */
export function describeFirst({ tag, classes }) {
  const sqlite = classes.some((each) => each.use_sqlite);
  const why = sqlite
    ? "its people are stored under other keys and would be left unread: everybody would begin anew, with other ids"
    : "its objects are KV-backed, which Cloudflare never turns into the SQLite-backed ones that are needed here";
  return `this is the first Hogflare (migration tag ${tag ?? "none"}, classes ${classes.map((each) => each.class).join(", ")}): ${why}`;
}

export const FIRST_ADVICE =
  "deploy beside it under a new name (--name), then point the SDKs at the new one; its old people stay where they are (docs/UPGRADING.md)";

export const describeNewer = ({ tag }) =>
  `a newer hogflare is deployed (migration tag ${tag}, this version's is ${lastTag}): Cloudflare takes no version without the objects that exist`;
export const NEWER_ADVICE = "install that version: npm install hogflare@latest";

/** Stops when a Worker of this name is not ours to replace; a newer one of ours may only be taken down. */
export async function requireOurs(api, name, { takesNewer = false } = {}) {
  const owner = await readOwner(api, name);
  const kind = whose(owner);
  if (kind === "first") throw new Stop(EXIT.refused, `the Worker "${name}": ${describeFirst(owner)}`, FIRST_ADVICE);
  if (kind === "newer" && !takesNewer) throw new Stop(EXIT.refused, `the Worker "${name}": ${describeNewer(owner)}`, NEWER_ADVICE);
  if (kind === "foreign") {
    throw new Stop(
      EXIT.refused,
      `a Worker named "${name}" exists and is not Hogflare's`,
      "choose another --name; nothing of it was touched",
    );
  }
  return kind;
}

export const lastTag = TAGS.at(-1);
export const ownClasses = OBJECTS.map((each) => each.class);

/** Where the Worker answers. HOGFLARE_WORKER_URL is for what stands before it: a proxy, or a test. */
export async function workerUrl(context) {
  if (process.env.HOGFLARE_WORKER_URL) return process.env.HOGFLARE_WORKER_URL.replace(/\/$/, "");
  if (context.domain) return `https://${context.domain}`;
  const subdomain = await context.api.find("workers/subdomain");
  if (subdomain === undefined)
    throw new Stop(EXIT.failed, "the account has no workers.dev name", 'run "hogflare create" again, or give --domain');
  return `https://${context.name}.${subdomain.subdomain}.workers.dev`;
}

/** One request to the Worker: {status, body (JSON or text), headers}, or {error} where nothing answers. */
export async function ask(url, path, { adminToken = undefined, method = "GET", body = undefined, headers = {} } = {}) {
  try {
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(adminToken ? { authorization: `Bearer ${adminToken}` } : {}),
        ...(body ? { "content-type": "application/json" } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    let parsed = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      // Cloudflare's own pages are HTML.
    }
    return { status: response.status, body: parsed, headers: response.headers };
  } catch (error) {
    return { status: 0, error: error.cause?.message ?? error.message, body: undefined, headers: new Headers() };
  }
}

/** Deployments, newest first, and the version that is newest whether deployed or not. */
export async function readVersions(api, name) {
  const [{ deployments }, { items }] = await Promise.all([
    api.get(`workers/scripts/${name}/deployments`),
    api.get(`workers/scripts/${name}/versions?deployable=true`),
  ]);
  return { deployments, versions: items, newest: items[0] };
}
