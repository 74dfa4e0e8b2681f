// rollback: the version before, with all traffic. upgrade: this package's version, and its tables.
import { openContext, requireTyped } from "../context.mjs";
import { deployStep, numbersStep, tableSteps, tokenStep } from "../creating.mjs";
import { VERSION } from "../names.mjs";
import { which } from "../options.mjs";
import { EXIT, Stop } from "../output.mjs";
import { listOwn, schemaDifferences } from "../resources.mjs";
import { runSteps } from "../steps.mjs";
import { lastTag, readOwner, readVersions, requireOurs, whose } from "../worker.mjs";
import { viewOver } from "../views.mjs";

/** The newest earlier deployment that gave one version everything. */
function chooseTarget({ deployments }, wanted) {
  const live = deployments[0]?.versions.map((each) => each.version_id) ?? [];
  if (wanted !== undefined) return wanted;
  const earlier = deployments.slice(1).find((each) => each.versions.length === 1 && !live.includes(each.versions[0].version_id));
  if (live.length > 1) return deployments.slice(1).find((each) => each.versions.length === 1)?.versions[0].version_id;
  return earlier?.versions[0].version_id;
}

async function rollback(options, output) {
  const context = await openContext(options, output);
  const { api, name } = context;
  if ((await requireOurs(api, name, { takesNewer: true })) === "absent") throw new Stop(EXIT.failed, `there is no Worker "${name}"`, "");
  const versions = await readVersions(api, name);
  const target = chooseTarget(versions, options.to);
  if (target === undefined)
    throw new Stop(EXIT.failed, "there is no earlier deployment to go back to", '"hogflare deploy" with an older package works always');
  const version = await api.get(`workers/scripts/${name}/versions/${target}`);
  const tag = version.resources.script_runtime.migration_tag;
  const { tag: deployedTag } = await readOwner(api, name);
  if (tag !== deployedTag) {
    throw new Stop(
      EXIT.refused,
      `between ${target} (migration tag ${tag ?? "none"}) and now (${deployedTag}) objects were made: no rollback crosses that`,
      "Cloudflare takes no version without the objects that exist: stay, or upgrade to a release that has what you need",
    );
  }
  const streams = new Set((await api.list("pipelines/v1/streams")).map((each) => each.id));
  const gone = version.resources.bindings.filter((each) => each.type === "pipelines" && !streams.has(each.stream ?? each.pipeline));
  if (gone.length > 0)
    throw new Stop(
      EXIT.refused,
      `${target} is bound to streams that are gone (${gone.map((each) => each.name).join(", ")})`,
      'deploy an older package instead: "hogflare deploy" binds what there is',
    );
  const what = version.annotations?.["workers/message"] ?? target;
  if (options.dryRun) {
    output.print(`would give all traffic to ${what} (${target})`);
    return output.result({ target, message: what });
  }
  await requireTyped(options, name, `All traffic goes to ${what}.`);
  const body = {
    strategy: "percentage",
    versions: [{ version_id: target, percentage: 100 }],
    annotations: { "workers/message": `rollback to ${what}` },
  };
  try {
    await api.post(`workers/scripts/${name}/deployments${options.force ? "?force=true" : ""}`, body);
  } catch (error) {
    if (error.code !== 10220) throw error;
    throw new Stop(
      EXIT.refused,
      `secrets were changed since that version: ${error.reason.split(":").at(-1).trim()}`,
      "the old version runs with the values of its time: --force goes there all the same",
    );
  }
  output.print(`${what} has all traffic. Objects follow within five minutes.`);
  output.result({ target, message: what });
}

/** Streams whose columns this version does not write any more. */
async function outdated(context) {
  const own = await listOwn(context.api, "streams", context.name);
  return context.streams.filter((stream) => {
    const found = own.find((each) => each.stream === stream && each.number === context.tables[stream]);
    return found !== undefined && schemaDifferences(context.schemas[stream].fields, found.part.schema?.fields).length > 0;
  });
}

/** Decides which tables get a next number, and writes it down before anything is made. */
function tablesStep(context) {
  return {
    name: "tables",
    title: "columns of this version",
    would: "take the next number for each table whose columns have changed",
    look: async () => {
      const changed = context.options.newTables
        ? context.streams.filter((stream) => context.state.values.renewed?.[stream] !== VERSION)
        : await outdated(context);
      context.changed = changed;
      return changed.length === 0 ? "as they are deployed" : undefined;
    },
    act: async () => {
      for (const stream of context.changed) context.tables[stream] += 1;
      const renewed = Object.fromEntries(context.changed.map((stream) => [stream, VERSION]));
      context.state.save({ tables: context.tables, renewed: { ...context.state.values.renewed, ...renewed } });
      return context.changed.map((stream) => `${stream}: version ${context.tables[stream]} beside the old`).join(", ");
    },
  };
}

function viewStep(context) {
  return {
    name: "views",
    title: "views over all versions of the tables",
    would: "write sql/tables.sql",
    look: async () => undefined,
    act: async () => viewOver(context),
  };
}

async function upgrade(options, output) {
  const context = Object.assign(await openContext(options, output), { tables: {} });
  const owner = await readOwner(context.api, context.name);
  if (whose(owner) === "absent") throw new Stop(EXIT.failed, `there is no Worker "${context.name}"`, 'run "hogflare create"');
  await requireOurs(context.api, context.name);
  if (owner.tag !== lastTag) output.say(`this version makes new objects (${owner.tag} to ${lastTag}): it cannot be rolled back past that`);
  const steps = [
    numbersStep(context),
    tablesStep(context),
    tokenStep(context),
    ...tableSteps(context),
    deployStep(context),
    viewStep(context),
  ];
  const report = await runSteps(steps, { output, dryRun: options.dryRun, again: "hogflare upgrade" });
  if (!options.dryRun)
    output.print(
      `Version ${VERSION} is deployed. Old tables keep their rows; sql/tables.sql has a view over all. Going back: hogflare rollback`,
    );
  output.result({ version: VERSION, tables: context.tables, steps: report });
}

export function register(program, run) {
  which(program.command("rollback"))
    .description("all traffic to the version before; stored data stays as it is")
    .option("--to <version>", "this version instead")
    .option("--force", "though secrets were changed since")
    .option("--yes", "ask nothing")
    .option("--dry-run", "say where it would go")
    .action(run(rollback));
  which(program.command("upgrade"))
    .description("deploys this package's version; tables whose columns changed get a next one beside them, and a view over both")
    .option("--new-tables", "next tables in any case, for instance with another token for their sinks")
    .option("--dry-run", "say what would be done, and do nothing")
    .action(run(upgrade));
}
