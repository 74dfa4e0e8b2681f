// One event: what it says, who sent it, as it came.
import { useState } from "preact/hooks";
import { pageHref } from "../lib/router";
import { personal } from "../lib/store";
import { Copy, Data, Id, JsonTree, Pairs, Sheet, Tabs, Time } from "./kit";
import { BASE } from "../lib/router";
import { project } from "../lib/session";

export interface EventLike {
  uuid: string;
  event: string;
  timestamp: string;
  distinct_id: string;
  properties: Record<string, unknown>;
  person_id?: string;
  state?: string;
  warnings?: unknown[];
}

export function asCurl(event: EventLike): string {
  const host = location.origin + BASE.slice(0, -"/app".length);
  const body = {
    api_key: project()?.token ?? "YOUR_PROJECT_TOKEN",
    event: event.event,
    distinct_id: event.distinct_id,
    properties: event.properties,
  };
  return `curl ${host}/i/v0/e/ -H 'content-type: application/json' -d '${JSON.stringify(body).replace(/'/g, "'\\''")}'`;
}

const STATES: Record<string, [string, string]> = {
  landed: ["ok", "✓ landed in the stream"],
  waiting: ["warn", "◌ waits in the outbox"],
  rejected: ["bad", "⚠ rejected"],
  quarantined: ["bad", "⛔ in quarantine: the sink refuses it"],
};

export function EventPanel({ event, onClose }: { event: EventLike; onClose: () => void }) {
  const [tab, pick] = useState("own");
  const own = Object.fromEntries(Object.entries(event.properties).filter(([key]) => !key.startsWith("$")));
  const rest = Object.fromEntries(Object.entries(event.properties).filter(([key]) => key.startsWith("$")));
  const session = event.properties["$session_id"];
  const state = event.state === undefined ? undefined : STATES[event.state];
  return (
    <Sheet title={event.event} onClose={onClose}>
      <dl class="pairs">
        <dt>Time</dt>
        <dd>
          <Time at={event.timestamp} />
        </dd>
        <dt>Who</dt>
        <dd>
          <a href={pageHref("people", { id: event.distinct_id })}>
            <Data name="distinct_id" value={event.distinct_id} />
          </a>
        </dd>
        {typeof session === "string" && (
          <>
            <dt>Visit</dt>
            <dd>
              <a href={pageHref("sessions", { id: session })}>
                <Id id={session} />
              </a>
            </dd>
          </>
        )}
        {state !== undefined && (
          <>
            <dt>State</dt>
            <dd class={state[0]}>{state[1]}</dd>
          </>
        )}
        <dt>Event id</dt>
        <dd>
          <Id id={event.uuid} copy />
        </dd>
      </dl>
      {(event.warnings ?? []).map((warning, i) => (
        <div class="note warn" key={i}>
          {typeof warning === "string"
            ? warning
            : String(
                (warning as Record<string, unknown>)["detail"] ?? (warning as Record<string, unknown>)["type"] ?? JSON.stringify(warning),
              )}
        </div>
      ))}
      <Tabs
        label="Event"
        now={tab}
        onPick={pick}
        tabs={[
          ["own", `Own (${Object.keys(own).length})`],
          ["all", `From the SDK (${Object.keys(rest).length})`],
          ["raw", "Raw"],
        ]}
      />
      {tab === "own" && <Pairs of={own} />}
      {tab === "all" && <Pairs of={rest} />}
      {tab === "raw" && (
        <>
          <div class="row" style={{ padding: "4px 12px" }}>
            <span class="meta grow">As it came{personal.value ? "" : ", private values hidden"}</span>
            <Copy text={JSON.stringify(event, null, 2)} what="JSON" />
            <button type="button" class="button small" onClick={() => void navigator.clipboard?.writeText(asCurl(event))}>
              Copy as curl
            </button>
          </div>
          <JsonTree value={event} />
        </>
      )}
    </Sheet>
  );
}
