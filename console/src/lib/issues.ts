// What somebody decided about an issue: an event of our own, so that the table holds who and when.
import { signal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { useQuestion, type Query } from "./ask";
import { callJson, can, project, session } from "./session";

export const STATUS_EVENT = "issue_status_changed";
export type Status = "active" | "resolved" | "ignored";
export const STATUSES: [Status, string][] = [["active", "Active"], ["resolved", "Resolved"], ["ignored", "Ignored"]];

export interface Decision {
  status: Status;
  at: string;
}

const DECISIONS: Query = { kind: "EventsQuery", select: ["timestamp", "properties.issue", "properties.status"], event: STATUS_EVENT, after: "-365d", orderBy: ["timestamp DESC"], limit: 1_000 };

/** What was decided on this page and may not be in the table yet. */
const made = signal<Record<string, Decision>>({});
const keyOf = (issue: string) => `${project()?.team_id ?? 1} ${issue}`;

/** The newest decision about each issue. */
export function useDecisions(): (issue: string) => Decision | undefined {
  const asked = useQuestion(can("sql") ? DECISIONS : null);
  const stored = useMemo(() => {
    const all = new Map<string, Decision>();
    for (const [at, issue, status] of (asked.answer?.results ?? []) as [string, string, string][]) {
      if (!all.has(issue) && STATUSES.some(([key]) => key === status)) all.set(issue, { at, status: status as Status });
    }
    return all;
  }, [asked.answer]);
  return (issue) => {
    const [mine, theirs] = [made.value[keyOf(issue)], stored.get(issue)];
    return mine !== undefined && (theirs === undefined || Date.parse(mine.at) >= Date.parse(theirs.at)) ? mine : theirs;
  };
}

/** A resolved issue that was met afterwards is open again. */
export const hasReturned = (decision: Decision | undefined, lastSeen: string | undefined) =>
  decision?.status === "resolved" && lastSeen !== undefined && Date.parse(lastSeen) > Date.parse(decision.at);

export async function decide(issue: string, status: Status): Promise<void> {
  const at = new Date().toISOString();
  const by = session.value?.who ?? session.value?.role ?? "admin";
  await callJson("/batch/", {
    method: "POST",
    body: {
      api_key: project()?.token,
      batch: [{ event: STATUS_EVENT, distinct_id: "hogflare-console", timestamp: at, properties: { issue, status, by, $process_person_profile: false, $geoip_disable: true, $lib: "hogflare-console" } }],
    },
  });
  made.value = { ...made.value, [keyOf(issue)]: { status, at } };
}
