// wrangler as a child, for what it does well: bundling and uploading, live tails, its login.
//
// Without a terminal wrangler answers its own questions (it takes over domains, and rolls back over changed
// secrets), so whatever it would ask is checked before it is called.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

function wranglerPath() {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve("wrangler/package.json")), "bin/wrangler.js");
}

/** Its environment: the token goes in here, never in the arguments. */
function environment({ token, account }) {
  const { NODE_OPTIONS: _, ...rest } = process.env;
  return {
    ...rest,
    CI: "1",
    WRANGLER_SEND_METRICS: "false",
    CLOUDFLARE_API_TOKEN: token,
    ...(account ? { CLOUDFLARE_ACCOUNT_ID: account } : {}),
  };
}

/** @returns {Promise<{code: number, text: string}>} what it printed, both streams */
export function wrangler(args, { folder, token, account }) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [wranglerPath(), ...args], {
      cwd: folder,
      env: environment({ token, account }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let text = "";
    child.stdout.on("data", (bytes) => (text += bytes));
    child.stderr.on("data", (bytes) => (text += bytes));
    child.once("error", fail);
    child.once("close", (code) => done({ code: code ?? 1, text }));
    const end = () => child.kill("SIGTERM");
    process.once("exit", end);
    child.once("close", () => process.off("exit", end));
  });
}

/** Runs it with this terminal, until it ends. @returns {Promise<number>} its exit status */
export function wranglerHere(args, { folder, token, account }) {
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [wranglerPath(), ...args], {
      cwd: folder,
      env: { ...environment({ token, account }) },
      stdio: "inherit",
    });
    child.once("error", fail);
    child.once("close", (code) => done(code ?? 0));
  });
}

/** The codes in what it printed: "[code: 10074]". */
export const codesIn = (text) => [...text.matchAll(/\[code: (\d+)\]/g)].map((found) => Number(found[1]));

/** The last lines that are no banner, for a message. */
export function reasonIn(text) {
  const plain = text
    .replace(/\u001b\[[0-9;]*m/g, "")
    .split("\n")
    .map((line) => line.trim());
  const errors = plain.filter((line) => /ERROR|\[code: \d+\]|✘/.test(line));
  return (errors.length > 0 ? errors : plain.filter(Boolean).slice(-3)).join(" ").replace(/✘\s*\[ERROR\]\s*/g, "");
}
