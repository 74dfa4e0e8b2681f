// create: everything from the bucket to the first row. deploy: the Worker alone.
import { canAsk, openContext } from "../context.mjs";
import { createSteps, deployStep, numbersStep } from "../creating.mjs";
import { number, where, which } from "../options.mjs";
import { EXIT, Stop } from "../output.mjs";
import { runSteps } from "../steps.mjs";
import { workerUrl } from "../worker.mjs";

/** Names and domain, asked where a person sits. */
async function askChoices(options) {
  if (!canAsk(options) || options.name) return options;
  const { isCancel, multiselect, text } = await import("@clack/prompts");
  const { schemas } = await import("../names.mjs");
  const answer = async (question) => {
    const given = await question;
    if (isCancel(given)) throw new Stop(EXIT.usage, "not done", "nothing was made");
    return given;
  };
  const name = String(await answer(text({ message: "Name of the Worker", initialValue: "hogflare" })));
  const bucket = String(await answer(text({ message: "R2 bucket for the tables", initialValue: options.bucket ?? name })));
  const all = Object.keys(schemas());
  const streams = /** @type {string[]} */ (
    await answer(multiselect({ message: "Streams (events is needed)", options: all.map((value) => ({ value })), initialValues: all }))
  );
  const domain = String((await answer(text({ message: "Custom domain (empty: workers.dev)", defaultValue: "" }))) ?? "");
  return { ...options, name, bucket, streams: streams.join(","), ...(domain ? { domain } : {}) };
}

async function create(given, output) {
  const options = await askChoices(given);
  const waitSeconds = number(options.wait, 600);
  const context = Object.assign(await openContext(options, output), { tables: {} });
  const steps = await runSteps(createSteps(context, { waitSeconds }), { output, dryRun: options.dryRun, again: "hogflare create" });
  if (options.dryRun) return output.result({ steps });
  const url = await workerUrl(context);
  output.print(
    `\n${url} is live. Point an SDK at it:\n  posthog.init("<any key>", { api_host: "${url}" })\nSee what arrives, signed in with HOGFLARE_ADMIN_TOKEN: ${url}/app`,
  );
  output.result({
    name: context.name,
    url,
    account: context.account,
    bucket: context.bucket,
    namespace: context.namespace,
    tables: context.tables,
    steps,
  });
}

async function deploy(options, output) {
  const context = Object.assign(await openContext(options, output), { tables: {} });
  const step = { ...deployStep(context), look: undefined };
  // Asked for: it uploads even when nothing seems to have changed, for secrets and variables may have.
  const again = deployStep(context);
  step.look = async () => {
    await again.look();
    return undefined;
  };
  step.act = (note) => again.act(note);
  const steps = await runSteps([numbersStep(context), step], { output, dryRun: options.dryRun, again: "hogflare deploy" });
  if (options.dryRun) return output.result({ steps });
  const url = await workerUrl(context);
  output.print(url);
  output.result({ name: context.name, url, steps });
}

export function register(program, run) {
  where(program.command("create"))
    .description("makes bucket, catalog, streams, sinks, pipelines, KV, rate limit and Worker, and proves it with one event")
    .option("--wait <seconds>", "how long to wait for that event's row; 0 does not wait", "600")
    .option("--yes", "ask nothing")
    .option("--dry-run", "say what would be done, and do nothing")
    .action(run(create));
  which(program.command("deploy"))
    .description("uploads the Worker with what wrangler.jsonc and the environment say now")
    .option("--domain <host>", "custom domain, in a zone of the account")
    .option("--dry-run", "say what would be done, and do nothing")
    .action(run(deploy));
}
