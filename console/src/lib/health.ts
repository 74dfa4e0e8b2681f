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
  counts?: Counts;
  [more: string]: unknown;
}

export interface Counts {
  accepted: number;
  landed: number;
  waiting: number;
  rejected: number;
  quarantined: number;
  /** Rows that a sink did not take at once; the outbox brought them later, or still holds them. */
  to_outbox?: number;
  /** "this_isolate": accepted, landed and rejected are what one isolate has counted. */
  of?: string;
}

export const difference = (counts: Counts) => counts.accepted - counts.landed - counts.waiting - counts.rejected - counts.quarantined;

/**
 * The equation that is shown: what came is what landed, waits, was refused or is quarantined. An isolate counts what it
 * accepted without what it refused, and as landed what the sink took at once: what went through the outbox and is no
 * longer there has landed, too.
 */
export function equationOf(health: Health): (Counts & { by_outbox: number }) | undefined {
  const { counts } = health;
  if (counts === undefined) return undefined;
  if (counts.of !== "this_isolate") return { ...counts, by_outbox: 0 };
  const by_outbox = Math.max((counts.to_outbox ?? 0) - counts.waiting - counts.quarantined, 0);
  return { ...counts, accepted: counts.accepted + counts.rejected, landed: counts.landed + by_outbox, by_outbox };
}

/** The one sentence: is anything being lost? */
export function healthSentence(health: Health): { tone: "ok" | "warn" | "bad"; text: string } {
  const counts = health.counts;
  const missing = counts === undefined ? 0 : difference(counts);
  const waiting = counts?.waiting ?? health.outbox.rows ?? 0;
  if (missing !== 0)
    return { tone: "bad", text: `${Math.abs(missing)} accepted events are neither landed, waiting, rejected nor quarantined.` };
  if ((health.quarantine.rows ?? 0) > 0)
    return { tone: "warn", text: `${health.quarantine.rows} rows are in quarantine: the sink refuses them.` };
  if (waiting > 0) return { tone: "warn", text: `${waiting} rows wait in the outbox: nothing is lost, the sink is being tried again.` };
  return { tone: "ok", text: "Everything accepted has landed or is accounted for." };
}
