// .hogflare/deployment.json: what a run has decided, so that the next one goes on with it. No secret is in
// it, and it may be lost: every step looks at Cloudflare first.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXIT, Stop } from "./output.mjs";

const FORMAT = 1;

/** @param {string} folder where wrangler.jsonc stands */
export function openState(folder, name) {
  const place = join(folder, ".hogflare");
  const path = join(place, `${name}.json`);
  let values = { format: FORMAT, name, tables: {}, sinkTokens: [], readerTokens: [] };
  if (existsSync(path)) {
    const read = JSON.parse(readFileSync(path, "utf8"));
    if (read.format > FORMAT) {
      throw new Stop(
        EXIT.refused,
        `${path} was written by a newer hogflare`,
        "install that version, or move the file away: Cloudflare is asked for everything again",
      );
    }
    values = { ...values, ...read };
  }
  return {
    path,
    values,
    known: existsSync(path),
    /** On disk before this returns: what is written here must survive a kill right after. */
    save(changes = {}) {
      Object.assign(values, changes);
      mkdirSync(place, { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.new`, `${JSON.stringify(values, null, 2)}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    },
  };
}
