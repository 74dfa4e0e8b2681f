// import: people, groups, flags, cohorts and events of a PostHog project. docs/IMPORT.md describes it.
import { join, resolve } from "node:path";
import { importFiles, importFlags, importGroups, importPeople, importQuery } from "../importing/parts.mjs";
import { createPostHogApi } from "../importing/posthog_api.mjs";
import { createProgress } from "../importing/progress.mjs";
import { openImportState } from "../importing/state.mjs";
import { createTarget } from "../importing/target.mjs";
import { EXIT, Stop } from "../output.mjs";

const PARTS = ["people", "groups", "cohorts", "flags", "events"];

function httpUrl(text, name) {
  try {
    const url = new URL(text);
    if (/^https?:$/.test(url.protocol)) return text.replace(/\/$/, "");
  } catch {
    /* told below */
  }
  throw new Stop(EXIT.usage, `${name} ${text} is no address`, "such as https://us.posthog.com");
}

function chosenParts(options) {
  const hasEvents = options.files !== undefined || options.since !== undefined;
  const chosen = options.only?.split(",").map((each) => each.trim()) ?? PARTS.filter((part) => part !== "events" || hasEvents);
  const unknown = chosen.find((part) => !PARTS.includes(part));
  if (unknown !== undefined) throw new Stop(EXIT.usage, `there is no part "${unknown}"`, `there are ${PARTS.join(", ")}`);
  if (!chosen.includes("events")) return chosen;
  if (!hasEvents) throw new Stop(EXIT.usage, "events come from files or from the query API", "give --files, or --since and --until");
  if (options.files !== undefined && options.since !== undefined) throw new Stop(EXIT.usage, "--files and --since exclude one another", "");
  for (const name of ["since", "until"]) {
    if (options.since !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(options[name] ?? "")) {
      throw new Stop(EXIT.usage, `--${name} is a moment in UTC`, "such as 2026-01-01T00:00:00Z");
    }
  }
  return chosen;
}

async function importPostHog(options, output) {
  const parts = chosenParts(options);
  const needsApi = parts.some((part) => part !== "events") || options.files === undefined;
  const key = output.hide(process.env.POSTHOG_IMPORT_API_KEY ?? "");
  if (needsApi && (key === "" || options.from === undefined || options.project === undefined)) {
    throw new Stop(
      EXIT.usage,
      "PostHog's API needs --from, --project and POSTHOG_IMPORT_API_KEY",
      "a personal API key (phx_…) with the scopes person:read, group:read, feature_flag:read, cohort:read and query:read",
    );
  }
  const sends = parts.some((part) => ["people", "groups", "events"].includes(part));
  if (sends && (options.to === undefined || options.token === undefined))
    throw new Stop(EXIT.usage, "people, groups and events need --to and --token", "the Worker's address and a project's token of it");
  const dryRun = options.dryRun === true;
  const from = options.from === undefined ? "" : httpUrl(options.from, "--from");
  const to = options.to === undefined ? "" : httpUrl(options.to, "--to");
  const project = options.project ?? "";
  const whose = { from, project, to, token: options.token ?? "" };
  const state = openImportState(resolve(options.state ?? join(".hogflare", `import-${project || "files"}.json`)), whose, { dryRun });
  const say = output.say;
  const run = {
    api: needsApi ? createPostHogApi({ from, project, key, say }) : undefined,
    target: createTarget({ to, token: options.token, dryRun, say }),
    state,
    say,
    options,
    project,
    progress: createProgress(),
  };
  if (dryRun) say("a dry run: everything is read, nothing is sent or written");
  let told = {};
  // What flags ask of people, groups and cohorts is there before them.
  if (parts.includes("people")) told = { ...told, ...(await importPeople(run)) };
  if (parts.includes("groups")) told = { ...told, ...(await importGroups(run)) };
  const wanted = { flags: parts.includes("flags"), cohorts: parts.includes("cohorts") };
  if (wanted.flags || wanted.cohorts) {
    const { flags, cohorts } = await importFlags(run, wanted);
    told = { ...told, ...(wanted.flags ? { flags } : {}), ...(wanted.cohorts ? { cohorts } : {}) };
  }
  if (parts.includes("events")) told = { ...told, ...(await (options.files === undefined ? importQuery : importFiles)(run)) };
  for (const [name, value] of Object.entries(told)) if (typeof value === "number") output.print(`${name}: ${value}`);
  output.result({ dry_run: dryRun, state: state.path, ...told });
}

export function register(program, run) {
  program
    .command("import")
    .description("people, groups, flags, cohorts and events of a PostHog project; run again it goes on where it stopped")
    .option("--from <url>", "PostHog: https://us.posthog.com, https://eu.posthog.com or your own")
    .option("--project <id>", "number of the project there")
    .option("--to <url>", "the Worker")
    .option("--token <token>", "token of the project here")
    .option("--only <list>", `of ${PARTS.join(", ")}, with commas (default: all; events where they are given)`)
    .option("--files <paths...>", "events from files or folders of a batch export: .parquet or .jsonl")
    .option("--since <moment>", "events by the query API from here, such as 2026-01-01T00:00:00Z")
    .option("--until <moment>", "up to here, not included")
    .option("--document <file>", "the flags document", "flags.json")
    .option("--overwrite", "PostHog's properties of people win over those the Worker has")
    .option("--state <file>", "what is done (default: .hogflare/import-PROJECT.json)")
    .option("--dry-run", "reads and counts; sends and writes nothing")
    .option("--json", "the result as JSON on stdout")
    .action(run(importPostHog));
}
