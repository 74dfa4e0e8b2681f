export interface Sink {
  name: string;
  bound?: boolean;
  kind?: string;
  last_success_s?: number | null;
  failures?: number;
  status?: string;
  [more: string]: unknown;
}
export interface Health {
  status: string;
  version: string;
  sinks: Sink[];
  outbox: { rows: number | null; bytes: number | null; oldest_s: number | null; [more: string]: unknown };
  quarantine: { rows: number | null; [more: string]: unknown };
  problems: { severity: string; code: string; sentence: string; [more: string]: unknown }[];
  counts?: { accepted: number; landed: number; waiting: number; rejected: number; quarantined: number; scope?: string };
  [more: string]: unknown;
}

export const difference = (counts: NonNullable<Health["counts"]>) =>
  counts.accepted - counts.landed - counts.waiting - counts.rejected - counts.quarantined;

/** The one sentence: is anything being lost? */
export function healthSentence(health: Health): { tone: "ok" | "warn" | "bad"; text: string } {
  const counts = health.counts;
  const missing = counts === undefined ? 0 : difference(counts);
  const waiting = counts?.waiting ?? health.outbox.rows ?? 0;
  if (missing !== 0) return { tone: "bad", text: `${Math.abs(missing)} accepted events are neither landed, waiting, rejected nor quarantined.` };
  if ((health.quarantine.rows ?? 0) > 0) return { tone: "warn", text: `${health.quarantine.rows} rows are in quarantine: the sink refuses them.` };
  if (waiting > 0) return { tone: "warn", text: `${waiting} rows wait in the outbox: nothing is lost, the sink is being tried again.` };
  return { tone: "ok", text: "Everything accepted has landed or is accounted for." };
}
