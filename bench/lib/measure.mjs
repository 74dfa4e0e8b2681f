// Medians of rounds, so that one noisy moment of a shared machine says nothing.

export function median(values) {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)];
}

/**
 * Runs several pieces of work in turn, round after round, and gives each one's median microseconds.
 * What is compared is measured at the same time, by `clock`, in milliseconds.
 * @param {Record<string, () => unknown>} works
 */
export function alternate(works, { rounds = 15, roundMs = 15, warmMs = 60, clock = () => performance.now() } = {}) {
  const entries = Object.entries(works).map(([name, work]) => {
    const until = performance.now() + warmMs;
    let runs = 0;
    do {
      work();
      runs += 1;
    } while (performance.now() < until);
    return { name, work, repeat: Math.max(1, Math.round((runs * roundMs) / warmMs)), took: [] };
  });
  for (let round = 0; round < rounds; round += 1) {
    for (const entry of entries) {
      const start = clock();
      for (let i = 0; i < entry.repeat; i += 1) entry.work();
      entry.took.push(((clock() - start) * 1000) / entry.repeat);
    }
  }
  return Object.fromEntries(entries.map(({ name, took }) => [name, median(took)]));
}

/** Rows of cells as text, numbers to the right. @param {string[]} head @param {unknown[][]} rows */
export function table(head, rows) {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === "number" ? digits(cell) : String(cell))));
  const widths = head.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i].length)));
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join("  ");
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...cells.map(line)].join("\n");
}

function digits(number) {
  if (Number.isInteger(number)) return String(number);
  return number >= 100 ? number.toFixed(0) : number >= 10 ? number.toFixed(1) : number.toFixed(2);
}
