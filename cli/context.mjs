// Who asks, for which deployment: options, environment, what earlier runs decided, and questions to a person.
import { resolve } from "node:path";
import { createApi } from "./api.mjs";
import { rateLimitIn, readConfig } from "./config.mjs";
import { checkName, links, RATE_LIMIT, schemas } from "./names.mjs";
import { number } from "./options.mjs";
import { EXIT, Stop } from "./output.mjs";
import { openState } from "./state.mjs";
import { wrangler } from "./wrangler.mjs";

/** Secrets of the Worker that are taken from the environment; see README's table. */
export const SECRETS = [
  "HOGFLARE_ADMIN_TOKEN",
  "HOGFLARE_VIEWER_TOKEN",
  "HOGFLARE_SQL_TOKEN",
  "POSTHOG_SIGNING_SECRET",
  "POSTHOG_PERSONAL_API_KEY",
  "POSTHOG_PROJECT_SECRET",
];
const ALSO_HIDDEN = ["CLOUDFLARE_API_TOKEN", "HOGFLARE_SINK_TOKEN", "HOGFLARE_READER_TOKEN"];

const BUCKET_NAME = /^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/;

/** Whether a person can be asked. */
export const canAsk = (options) => Boolean(process.stdin.isTTY && process.stdout.isTTY && !options.yes && !options.json && !process.env.CI);

/** What a deployment is, before Cloudflare is asked anything. */
export function openSettings(options) {
  const folder = resolve(options.folder ?? ".");
  const config = readConfig(folder);
  const name = checkName(options.name ?? config?.name ?? "hogflare");
  const state = openState(folder, name);
  const known = state.values;
  const streams = options.streams?.split(",").map((each) => each.trim()) ?? known.streams ?? Object.keys(schemas());
  const unknown = streams.find((each) => schemas()[each] === undefined);
  if (unknown !== undefined)
    throw new Stop(EXIT.usage, `there is no stream "${unknown}"`, `there are ${Object.keys(schemas()).join(", ")}`);
  if (!streams.includes("events")) throw new Stop(EXIT.usage, "without the stream events nothing can be stored", "add events to --streams");
  const bucket = options.bucket ?? known.bucket ?? name;
  if (!BUCKET_NAME.test(bucket)) throw new Stop(EXIT.usage, `"${bucket}" is no name for a bucket`, "3 to 63 of a-z, 0-9 and hyphens");
  const recordings = options.recordings ?? known.recordings;
  if (recordings !== undefined && (!BUCKET_NAME.test(recordings) || recordings === bucket)) {
    throw new Stop(
      EXIT.usage,
      `"${recordings}" is no name for the bucket of the recordings`,
      "3 to 63 of a-z, 0-9 and hyphens, and another bucket than the tables'",
    );
  }
  const namespace = options.namespace ?? known.namespace ?? "default";
  if (!/^[a-z][a-z0-9_]*$/.test(namespace) || ["system", "examples", "information_schema"].includes(namespace)) {
    throw new Stop(
      EXIT.usage,
      `"${namespace}" is no name for a namespace`,
      "a-z, 0-9 and underscores, a letter first; three names are Cloudflare's own",
    );
  }
  const rateLimit = number(options.rateLimit, known.rateLimit ?? rateLimitIn(config) ?? RATE_LIMIT.requests);
  return { folder, name, state, bucket, recordings, rateLimit, namespace, streams, domain: options.domain ?? known.domain, config };
}

async function loginToken(settings, output) {
  const { code, text } = await wrangler(["auth", "token"], { folder: settings.folder, token: undefined, account: undefined });
  const token = code === 0 ? text.trim().split("\n").at(-1).trim() : "";
  if (!/^[\w.-]{20,}$/.test(token)) {
    throw new Stop(
      EXIT.needed,
      "nobody is logged in at Cloudflare",
      `run "npx wrangler login", or export CLOUDFLARE_API_TOKEN, made at ${links().bootstrap}`,
    );
  }
  return output.hide(token);
}

async function chooseAccount(api, options, settings, output) {
  const given = options.account ?? process.env.CLOUDFLARE_ACCOUNT_ID ?? settings.state.values.account ?? settings.config?.account_id;
  if (given) return given;
  const accounts = await api.get("/accounts?page=1&per_page=50");
  if (accounts.length === 1) return accounts[0].id;
  if (accounts.length > 1 && canAsk(options)) {
    const { isCancel, select } = await import("@clack/prompts");
    const chosen = await select({ message: "Which account?", options: accounts.map(({ id, name }) => ({ value: id, label: name })) });
    if (!isCancel(chosen)) return String(chosen);
  }
  output.say(accounts.map(({ id, name }) => `  ${id}  ${name}`).join("\n"));
  throw new Stop(
    EXIT.needed,
    accounts.length === 0 ? "the token sees no account" : "the token sees several accounts",
    "give --account or CLOUDFLARE_ACCOUNT_ID",
  );
}

/** Everything a command needs that talks to Cloudflare. */
export async function openContext(options, output) {
  const settings = openSettings(options);
  for (const name of [...SECRETS, ...ALSO_HIDDEN]) output.hide(process.env[name]);
  const token = process.env.CLOUDFLARE_API_TOKEN || (await loginToken(settings, output));
  const account = await chooseAccount(createApi({ token }), options, settings, output);
  const known = settings.state.values.account;
  if (known !== undefined && known !== account) {
    throw new Stop(
      EXIT.refused,
      `${settings.state.path} belongs to account ${known}, not ${account}`,
      "work in another folder, or with that account",
    );
  }
  return { ...settings, options, output, token, account, api: createApi({ token, account }), schemas: schemas() };
}

/** Asks for a secret without showing it; undefined where nobody can be asked. */
export async function askSecret(options, message) {
  if (!canAsk(options)) return undefined;
  const { isCancel, password } = await import("@clack/prompts");
  const answer = await password({ message });
  return isCancel(answer) ? undefined : String(answer);
}

/** Asks that a word is typed; `--yes` has typed it. */
export async function requireTyped(options, word, message) {
  if (options.yes) return;
  if (!canAsk(options)) throw new Stop(EXIT.usage, message, "add --yes where nobody can be asked");
  const { isCancel, text } = await import("@clack/prompts");
  const answer = await text({ message: `${message} Type ${word} to go on` });
  if (isCancel(answer) || answer !== word) throw new Stop(EXIT.refused, "not done", "nothing was changed");
}
