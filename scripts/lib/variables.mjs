// The Worker's variables as README.md's table has them: nothing else of an environment is handed to it.
import { readFileSync } from "node:fs";
import { join } from "node:path";

const README = join(import.meta.dirname, "../../README.md");

/** @returns {string[]} */
export function documentedVariables() {
  return [...readFileSync(README, "utf8").matchAll(/^\| `((?:HOGFLARE|POSTHOG|CLOUDFLARE)_\w+)` \|/gm)].map((found) => found[1]);
}
