// destroy: takes everything down that create made; rows stay unless told.
import { openContext, requireTyped } from "../context.mjs";
import { destroySteps } from "../destroying.mjs";
import { number, which } from "../options.mjs";
import { EXIT, Stop } from "../output.mjs";
import { runSteps } from "../steps.mjs";

async function destroy(options, output) {
  const drainSeconds = number(options.drainWait, 150);
  const context = await openContext(options, output);
  if (options.data && context.state.values.bucket === undefined && options.bucket === undefined) {
    throw new Stop(EXIT.refused, "nothing here says which bucket is this deployment's", "give --bucket");
  }
  if (!options.dryRun) {
    const what = options.data
      ? `the Worker, all people, and ALL ROWS in the bucket ${context.bucket}`
      : "the Worker and all people (rows stay)";
    await requireTyped(options, context.name, `This deletes ${what}.`);
  }
  const steps = await runSteps(destroySteps(context, { drainSeconds, data: options.data }), {
    output,
    dryRun: options.dryRun,
    again: `hogflare destroy${options.data ? " --data" : ""}`,
  });
  if (!options.dryRun && options.data) context.state.save({ tables: {} });
  // Table names are burnt: Pipelines takes none of them again.
  if (!options.dryRun && !options.data) {
    const tables = Object.fromEntries(Object.entries(context.state.values.tables).map(([stream, count]) => [stream, count]));
    context.state.save({ tables, destroyed: true });
    output.print(`The bucket ${context.bucket} and its tables stay, and cost what they hold. A next create makes new tables beside them.`);
  }
  output.result({ name: context.name, data: Boolean(options.data), steps });
}

export const register = (program, run) =>
  which(program.command("destroy"))
    .description("takes down what create made; rows stay unless --data; refuses while the outbox holds rows")
    .option("--bucket <name>", "R2 bucket of the tables")
    .option("--data", "the tables, their rows and the bucket as well")
    .option("--discard-outbox", "lose what waits in the outbox")
    .option("--drain-wait <seconds>", "how long to wait for rows under way", "150")
    .option("--yes", "ask nothing")
    .option("--dry-run", "say what would be done, and do nothing")
    .action(run(destroy));
