// What somebody decided about an issue: an event of our own, so that the table holds who and when. What holds
// comes with the issue (ErrorTrackingQuery); what was decided on this page may not be in the table yet.
import { signal } from "@preact/signals";
import { exact, plural } from "./format";
import { callJson, project, session } from "./session";

export const STATUS_EVENT = "issue_status_changed";
export type Status = "active" | "resolved" | "ignored";
export const STATUSES: [Status, string][] = [
  ["active", "Active"],
  ["resolved", "Resolved"],
  ["ignored", "Ignored"],
];

/** What it takes after the decision until an ignored issue is active again. */
export interface Bounds {
  until_people?: number;
  until_occurrences?: number;
}
export interface Decision extends Bounds {
  status: Status;
  at: string;
  /** That met it after the decision. */
  people: number;
  occurrences: number;
}
/** What an issue of ErrorTrackingQuery says of itself. */
export interface Decided {
  id: string;
  status: Status;
  decision: Decision | null;
}

const made = signal<Record<string, Decision>>({});
const keyOf = (issue: string) => `${project()?.team_id ?? 1} ${issue}`;

/** The status that holds, undefined while it is not known, and the decision it comes from; one made on this page first. */
export function standing(issue: string, told: Decided | undefined): { status: Status | undefined; decision: Decision | null } {
  const [mine, theirs] = [made.value[keyOf(issue)], told?.decision ?? null];
  if (mine !== undefined && (theirs === null || Date.parse(mine.at) > Date.parse(theirs.at)))
    return { status: mine.status, decision: mine };
  return { status: told?.status, decision: theirs };
}

/** Met again after it was resolved, or by as many as it was ignored for. */
export const hasReturned = ({ status, decision }: { status: Status | undefined; decision: Decision | null }) =>
  status === "active" && decision !== null && decision.status !== "active";

/** "until 5 more people have met it (2 so far)"; empty without a bound. */
export function boundsText(decision: Decision): string {
  const parts: string[] = [];
  if (decision.until_people !== undefined)
    parts.push(`${plural(decision.until_people, "more person has", "more people have")} met it (${exact(decision.people)} so far)`);
  if (decision.until_occurrences !== undefined)
    parts.push(`it has happened ${plural(decision.until_occurrences, "more time", "more times")} (${exact(decision.occurrences)} so far)`);
  return parts.length === 0 ? "" : `until ${parts.join(" or ")}`;
}

export async function decide(issue: string, status: Status, bounds: Bounds = {}): Promise<void> {
  const at = new Date().toISOString();
  const by = session.value?.who ?? session.value?.role ?? "admin";
  await callJson("/batch/", {
    method: "POST",
    body: {
      api_key: project()?.token,
      batch: [
        {
          event: STATUS_EVENT,
          distinct_id: "hogflare-console",
          timestamp: at,
          properties: { issue, status, ...bounds, by, $process_person_profile: false, $geoip_disable: true, $lib: "hogflare-console" },
        },
      ],
    },
  });
  made.value = { ...made.value, [keyOf(issue)]: { status, at, people: 0, occurrences: 0, ...bounds } };
}
