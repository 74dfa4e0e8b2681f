// How far an import is: a bar on a terminal, a line now and then elsewhere.
const WIDTH = 24;
const EVERY_MS = 100;
const LINE_EVERY_MS = 10_000;

/** @param {NodeJS.WriteStream} [stream] */
export function createProgress(stream = process.stderr, now = () => performance.now()) {
  const live = Boolean(stream.isTTY);
  let shown = -Infinity;
  const render = (name, count, unit, share) => {
    const text = `${count.toLocaleString("en")} ${unit}`;
    if (share === undefined) return `${name.padEnd(8)} ${text}`;
    const full = Math.round(Math.min(1, share) * WIDTH);
    return `${name.padEnd(8)} ${"█".repeat(full)}${"░".repeat(WIDTH - full)} ${String(Math.floor(Math.min(1, share) * 100)).padStart(3)} %  ${text}`;
  };
  return {
    /** @param {string} name @param {number} count @param {string} unit @param {number} [share] 0 to 1, where the whole is known */
    at(name, count, unit, share) {
      if (now() - shown < (live ? EVERY_MS : LINE_EVERY_MS)) return;
      shown = now();
      stream.write(live ? `\r\x1b[K${render(name, count, unit, share)}` : `${render(name, count, unit, share)}\n`);
    },
    /** The part is done. */
    end(name, count, unit) {
      shown = -Infinity;
      stream.write(`${live ? "\r\x1b[K" : ""}${render(name, count, unit, 1)}\n`);
    },
  };
}
