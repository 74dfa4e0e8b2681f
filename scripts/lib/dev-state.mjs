// The state folder of scripts/dev: whose it is, and what --fresh may take away.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Makes a folder ours. It stays when everything else is cleared. */
const MARK = ".hogflare-state";
const LOCK = "dev.lock";
/** All that scripts/dev ever puts there. */
const OURS = ["pipeline", "worker", "workerd.pid", "demo.json"];

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** Writes the lock, or throws with who holds it. One whose owner is dead is taken over. */
function takeLock(path, owner) {
  for (;;) {
    try {
      return writeFileSync(path, JSON.stringify(owner), { flag: "wx" });
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    let holder;
    try {
      holder = JSON.parse(readFileSync(path, "utf8"));
    } catch {
      // Cut off while it was written; nobody alive holds it.
    }
    if (holder !== undefined && isAlive(holder.pid)) {
      throw new Error(
        `scripts/dev runs on this state already: process ${holder.pid}, port ${holder.port}, since ${holder.since}; end it, or choose another HOGFLARE_STATE_DIR`,
      );
    }
    // Of two that find a dead owner, one renames and the other looks again.
    try {
      renameSync(path, `${path}.${process.pid}`);
      rmSync(`${path}.${process.pid}`);
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
    }
  }
}

/**
 * Takes the folder for this process. `release` gives it back, `clear` takes away what is ours in it.
 * @param {string} folder @param {{port: number}} options
 */
export function claimState(folder, { port }) {
  const mark = join(folder, MARK);
  const entries = existsSync(folder) ? readdirSync(folder) : [];
  // Folders of before there was a mark hold nothing but what scripts/dev made.
  const isOurs = existsSync(mark) || entries.every((name) => OURS.includes(name) || name === LOCK);
  if (!isOurs) {
    const strange = entries.find((name) => !OURS.includes(name) && name !== LOCK);
    throw new Error(`${folder} is no state folder of scripts/dev (it holds "${strange}"): choose another HOGFLARE_STATE_DIR`);
  }
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, LOCK);
  takeLock(lock, { pid: process.pid, port, since: new Date().toISOString() });
  writeFileSync(mark, "State of scripts/dev; scripts/dev --fresh clears it.\n");
  return {
    clear: () => OURS.forEach((name) => rmSync(join(folder, name), { recursive: true, force: true })),
    release: () => rmSync(lock, { force: true }),
  };
}
