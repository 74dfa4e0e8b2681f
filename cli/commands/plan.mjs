// plan: what create would do and what it costs, with an account or without one.
import { createSteps } from "../creating.mjs";
import { openContext, openSettings } from "../context.mjs";
import { schemas } from "../names.mjs";
import { number, where } from "../options.mjs";
import { estimate } from "../prices.mjs";
import { runSteps } from "../steps.mjs";

/** The steps in words, when nobody is to be asked. */
function offline(settings) {
  const tables = Object.fromEntries(settings.streams.map((stream) => [stream, settings.state.values.tables[stream] ?? 1]));
  const context = { ...settings, options: {}, tables, schemas: schemas(), api: undefined, account: "<account>" };
  return createSteps(context, { waitSeconds: 600 })
    .map((step) => ({ step: step.name, outcome: "would", detail: typeof step.would === "string" ? step.would : step.would() }))
    .filter((step) => step.detail !== "");
}

async function plan(options, output) {
  const settings = openSettings(options);
  const costs = estimate(number(options.events, 1_000_000), { tables: settings.streams.length });
  let steps;
  if (options.offline || !process.env.CLOUDFLARE_API_TOKEN) {
    steps = offline(settings);
    for (const { step, detail } of steps) output.print(`${step}: ${detail}`);
  } else {
    const context = await openContext({ ...options, dryRun: true }, output);
    Object.assign(context, { tables: {} });
    steps = await runSteps(createSteps(context, { waitSeconds: 600 }), { output, dryRun: true, again: "hogflare plan" });
    for (const { step, outcome, detail } of steps) output.print(`${step}: ${outcome === "would" ? "would " : "there: "}${detail}`);
  }
  output.print(`\nAt ${costs.events} events a month, about USD ${costs.usd.toFixed(2)}:`);
  for (const line of costs.lines)
    output.print(
      `  ${line.usd.toFixed(2).padStart(8)}  ${line.what}${line.amount === null ? "" : ` ${line.amount} (${line.included} included)`}`,
    );
  const { name, bucket, namespace, streams, domain } = settings;
  output.result({ name, bucket, namespace, streams, domain: domain ?? null, steps, costs });
}

export const register = (program, run) =>
  where(program.command("plan"))
    .description("what create would do, step by step, and what it costs a month; works without an account")
    .option("--events <number>", "events a month, for the price", "1000000")
    .option("--offline", "ask Cloudflare nothing")
    .action(run(plan));
