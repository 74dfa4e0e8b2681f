// flags check|eval|push|pull|history: definitions in a file, and in the KV namespace that the edge reads.
//
// A push keeps what was there before under "flags@TIME"; history lists these, and pull --at brings one back.
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { groupTypes, loadCoreTool } from "../../scripts/lib/core-tool.mjs";
import { openContext } from "../context.mjs";
import { PACKAGE } from "../names.mjs";
import { which } from "../options.mjs";
import { EXIT, Stop } from "../output.mjs";
import { findKv } from "../resources.mjs";

const KEY = "flags";
const HISTORY_MAX = 50;

const script = (name, args) =>
  new Promise((done) => {
    spawn(process.execPath, [join(PACKAGE, "scripts", name), ...args], { stdio: "inherit" }).once("close", (code) =>
      done(code ?? EXIT.failed),
    );
  });

function read(file) {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new Stop(EXIT.usage, `${file} cannot be read: ${error.code}`, "");
  }
}

/** The problems that the edge would find. */
function problemsOf(text) {
  return loadCoreTool()("flags_check", { document: text, group_types: groupTypes() }).problems ?? [];
}

/** The same as scripts/flags-check.mjs prints, or all of it as JSON. */
async function check(options, output, file) {
  if (!options.json) return script("flags-check.mjs", [file]);
  const report = loadCoreTool()("flags_check", { document: read(file), group_types: groupTypes() });
  output.result({ file, ...report });
  return report.ok ? EXIT.done : EXIT.failed;
}

async function openKv(options, output) {
  const context = await openContext(options, output);
  const namespace = await findKv(context.api, context.name);
  if (namespace === undefined) throw new Stop(EXIT.failed, "the KV namespace of the flags is missing", 'run "hogflare create"');
  const base = `storage/kv/namespaces/${namespace.id}`;
  return {
    output,
    get: (key) =>
      context.api.raw(`${base}/values/${encodeURIComponent(key)}`).then(
        (bytes) => Buffer.from(bytes).toString("utf8"),
        (error) => {
          if (error.absent) return undefined;
          throw error;
        },
      ),
    put: (key, text) => context.api.put(`${base}/values/${encodeURIComponent(key)}`, text, { headers: { "content-type": "text/plain" } }),
    drop: (key) => context.api.drop(`${base}/values/${encodeURIComponent(key)}`),
    keys: async () =>
      (await context.api.get(`${base}/keys?prefix=${encodeURIComponent(`${KEY}@`)}&limit=1000`)).map((each) => each.name).sort(),
  };
}

async function push(options, output, file) {
  const text = read(file);
  const problems = problemsOf(text);
  for (const { severity, path, message } of problems) output.say(`${severity}: ${path ? `${path}: ` : ""}${message}`);
  if (problems.some((each) => each.severity === "error"))
    throw new Stop(EXIT.usage, `${file} was not pushed: the edge would refuse it`, "the lines above say where");
  const kv = await openKv(options, output);
  const before = await kv.get(KEY);
  if (before === text) output.print("nothing has changed");
  else {
    if (before !== undefined) await kv.put(`${KEY}@${new Date().toISOString()}`, before);
    await kv.put(KEY, text);
    for (const old of (await kv.keys()).slice(0, -HISTORY_MAX)) await kv.drop(old);
    if ((await kv.get(KEY)) !== text)
      throw new Stop(EXIT.failed, "what is stored is not what was pushed: somebody else pushed meanwhile", "run it again");
    output.print(`pushed ${Buffer.byteLength(text)} bytes; the edge has them within HOGFLARE_FLAGS_TTL_SECS and KV's own minute`);
  }
  output.result({ pushed: before !== text, bytes: Buffer.byteLength(text), problems });
}

async function pull(options, output, file) {
  const kv = await openKv(options, output);
  const key = options.at === undefined ? KEY : `${KEY}@${options.at}`;
  const text = await kv.get(key);
  if (text === undefined) throw new Stop(EXIT.failed, `there is nothing at ${key}`, '"hogflare flags history" lists what there is');
  if (file !== undefined) writeFileSync(file, text);
  else if (!options.json) process.stdout.write(text);
  output.result({ key, file: file ?? null, text });
}

async function history(options, output) {
  const kv = await openKv(options, output);
  const times = (await kv.keys()).map((key) => key.slice(KEY.length + 1)).reverse();
  for (const time of times) output.print(time);
  if (times.length === 0) output.print("nothing was pushed over yet");
  output.result({ times });
}

export function register(program, run) {
  const flags = program
    .command("flags")
    .description("feature flags: check and evaluate a file, push it to the edge, get it back")
    .enablePositionalOptions();
  flags
    .command("check")
    .description("every problem of a file with its path")
    .argument("<file>")
    .option("--json", "the result as JSON on stdout")
    .action(run(check));
  flags
    .command("eval")
    .description("value, reason and bucket of every flag for one person; options as of scripts/flags-eval.mjs, --json among them")
    .argument("<file>")
    .argument("[options...]")
    .allowUnknownOption()
    .passThroughOptions()
    .action(run((_options, _output, file, rest) => script("flags-eval.mjs", [file, ...rest])));
  which(flags.command("push"))
    .description("checks a file and makes it the edge's; what was there goes into the history")
    .argument("<file>")
    .action(run(push));
  which(flags.command("pull"))
    .description("what the edge has, or had")
    .argument("[file]")
    .option("--at <time>", "one of the history's times")
    .action(run(pull));
  which(flags.command("history")).description("when flags were pushed over, newest first").action(run(history));
}
