// The command line: which commands there are, and how each ends. docs/DEPLOY.md describes them.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Command, CommanderError } from "commander";
import { VERSION } from "./names.mjs";
import { createOutput, EXIT, Stop } from "./output.mjs";

const EXIT_HELP = `
Exit status: 0 done, 1 failed (run it again: it goes on), 2 wrong usage, 3 doctor has findings,
4 a person has to do something first, 5 refused because it would harm, 6 all stands but no row arrived.

Environment: CLOUDFLARE_API_TOKEN or "wrangler login"; CLOUDFLARE_ACCOUNT_ID; HOGFLARE_SINK_TOKEN when the token
may not mint one; HOGFLARE_READER_TOKEN for queries; HOGFLARE_ADMIN_TOKEN and the Worker's other secrets.`;

/**
 * Wraps a command: its options, its output, and the end of what goes wrong.
 * @param {(options: any, output: any, ...positionals: any[]) => Promise<number | void>} action
 */
function run(action) {
  return async (...args) => {
    const command = args.at(-1);
    const options = command.optsWithGlobals();
    const output = createOutput({ json: options.json });
    try {
      process.exitCode = (await action(options, output, ...args.slice(0, -2))) ?? EXIT.done;
    } catch (error) {
      const known = error instanceof Stop || error.name === "ApiError" || error.status !== undefined;
      const exit = error instanceof Stop ? error.exit : EXIT.failed;
      const advice = error.advice ?? "";
      output.result({ error: output.clean(error.message), advice, exit });
      output.say(`error: ${known ? error.message : error.stack}${advice ? `\n       ${advice}` : ""}`);
      process.exitCode = exit;
    }
  };
}

/** @param {string[]} args */
export async function main(args) {
  const program = new Command("hogflare")
    .description("Deploys Hogflare to Cloudflare and looks after it")
    .version(VERSION)
    .addHelpText("after", EXIT_HELP)
    .showHelpAfterError("(hogflare --help lists the commands)")
    .enablePositionalOptions()
    .exitOverride();
  // Each file of commands/ registers its own.
  const folder = join(import.meta.dirname, "commands");
  for (const file of readdirSync(folder).sort()) {
    const { register } = await import(pathToFileURL(join(folder, file)).href);
    register(program, run);
  }
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    process.exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  }
}
