// What of an import is done: one small file, written anew after each step, so that a run that was ended goes on.
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { EXIT, Stop } from "../output.mjs";

const FORMAT = 1;

/** @param {string} path @param {{from: string, project: string, to: string, token: string}} whose */
export function openImportState(path, whose, { dryRun = false } = {}) {
  let parts = {};
  if (existsSync(path)) {
    const { format, parts: known, ...of } = JSON.parse(readFileSync(path, "utf8"));
    if (format !== FORMAT) throw new Stop(EXIT.refused, `${path} is of another version`, "give another --state");
    for (const [name, value] of Object.entries(whose)) {
      if (of[name] !== value)
        throw new Stop(EXIT.refused, `${path} is about the import with ${name} ${of[name]}, not ${value}`, "give another --state");
    }
    parts = known;
  }
  const save = () => {
    if (dryRun) return;
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(`${path}.new`, `${JSON.stringify({ format: FORMAT, ...whose, parts }, null, 2)}\n`);
    renameSync(`${path}.new`, path);
  };
  return {
    path,
    /** What is known of a part; its own object, kept by put(). */
    get: (name) => ({ ...parts[name] }),
    put(name, value) {
      parts[name] = value;
      save();
    },
  };
}
