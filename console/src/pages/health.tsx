// Is anything being lost? One sentence, the equation, then the parts.
import { useState } from "preact/hooks";
import { bytes, duration, exact, number, plural } from "../lib/format";
import { difference, equationOf, healthSentence, type Health, type Sink } from "../lib/health";
import { api, isAdmin } from "../lib/session";
import { useLoad } from "../lib/ask";
import { Block, Dialog, Fault, Note, Table, Waiting } from "../ui/kit";

const WHY: Record<string, string> = {
  distinct_ids: "Without it merged people count as two in the tables.",
  persons: "Without it the tables know no person's properties.",
  rejects: "Without it refused events are counted, not kept.",
  events: "Without it nothing lands.",
};

const nameOf = (sink: Sink) => String(sink.name ?? sink["stream"] ?? "");
const isBound = (sink: Sink) => (sink.bound ?? (sink.kind !== undefined && sink.kind !== "none")) === true;

export default function HealthPage() {
  const health = useLoad("health", () => api<Health>("health"), 10_000);
  const [asking, ask] = useState<"drain" | "redrive" | null>(null);
  const [told, tell] = useState<{ tone: "ok" | "bad"; text: string } | null>(null);
  if (health.value === undefined)
    return health.state === "failed" ? <Fault fault={health.fault!} again={health.again} /> : <Waiting height={320} />;
  const now = health.value;
  const counts = equationOf(now);
  const local = (counts as Record<string, unknown> | undefined)?.["of"] === "this_isolate";
  const sentence = healthSentence(local ? ({ ...now, counts: undefined } as unknown as Health) : now);
  const run = async (what: "drain" | "redrive") => {
    ask(null);
    try {
      const answer = await api<Record<string, unknown>>(`health/${what}`, { method: "POST", body: {} });
      tell({
        tone: "ok",
        text:
          Object.entries(answer)
            .filter(([, value]) => typeof value === "number")
            .map(([key, value]) => `${key.replace(/_/g, " ")} ${exact(value as number)}`)
            .join(", ") || "Done.",
      });
    } catch (fault) {
      tell({ tone: "bad", text: (fault as Error).message });
    }
    health.again();
  };
  const rows = now.outbox.rows ?? 0;
  const quarantined = now.quarantine.rows ?? 0;
  const reasons = Object.entries(
    ((counts as Record<string, unknown> | undefined)?.["rejected_by_reason"] as Record<string, number> | undefined) ?? {},
  );
  return (
    <div class="stack">
      {health.state === "failed" && <Fault fault={health.fault!} />}
      <Block name="Health">
        <p class="row wrap">
          <span class={sentence.tone} aria-hidden="true">
            ●
          </span>
          <b class="grow" style={{ fontSize: "16px", lineHeight: "22px" }}>
            {sentence.text}
          </b>
          <span class="meta">
            version {now.version}
            {now["traps"] !== undefined && ` · traps ${exact(now["traps"] as number)}`}
          </span>
        </p>
        {counts !== undefined && (
          <div
            class="row wrap"
            style={{ marginTop: "12px", gap: "6px 12px", fontSize: "15px", lineHeight: "22px" }}
            aria-label="The equation"
          >
            <span>
              accepted <b>{exact(counts.accepted)}</b>
            </span>
            <span class="faint">=</span>
            <span>
              landed <b>{exact(counts.landed)}</b>
              {counts.by_outbox > 0 && <span class="dim"> ({exact(counts.by_outbox)} by the outbox)</span>}
            </span>
            <span class="faint">+</span>
            <span class={counts.waiting > 0 ? "warn" : ""}>
              waiting <b>{exact(counts.waiting)}</b>
            </span>
            <span class="faint">+</span>
            <span>
              rejected <b>{exact(counts.rejected)}</b>
            </span>
            <span class="faint">+</span>
            <span class={counts.quarantined > 0 ? "warn" : ""}>
              quarantined <b>{exact(counts.quarantined)}</b>
            </span>
            {local ? (
              <span
                class="tag"
                title="Accepted, landed and rejected are counted by the isolate that answered since it started; waiting and quarantined are of all."
              >
                this isolate
              </span>
            ) : (
              <span class={difference(counts) === 0 ? "ok" : "bad"}>
                Δ {exact(difference(counts))} {difference(counts) === 0 && "✓"}
              </span>
            )}
          </div>
        )}
      </Block>
      {told !== null && <Note tone={told.tone}>{told.text}</Note>}
      {now.problems.length > 0 && (
        <Block title={`${plural(now.problems.length, "problem")}`} flush>
          <ul>
            {now.problems.map((problem, i) => (
              <li key={i} class="row" style={{ padding: "8px 12px", alignItems: "start", borderTop: "1px solid var(--line)" }}>
                <span class={`tag ${problem.severity === "error" ? "bad" : "warn"}`}>{problem.severity}</span>
                <span class="grow">
                  {problem.sentence} <span class="meta mono">{problem.code}</span>
                </span>
              </li>
            ))}
          </ul>
        </Block>
      )}
      <Block title="Sinks" flush>
        <Table<Sink>
          label="Sinks"
          rows={now.sinks}
          columns={[
            { key: "name", name: "Stream", cell: (sink) => <b>{nameOf(sink)}</b> },
            {
              key: "state",
              name: "State",
              cell: (sink) =>
                isBound(sink) ? (
                  (sink.failures ?? 0) > 0 ? (
                    <span class="warn">
                      failing {Number(sink["last_status"] ?? 0) > 0 ? `(answered ${sink["last_status"]})` : "(no answer)"}
                    </span>
                  ) : (
                    <span class="ok">✓ {sink.kind ?? "bound"}</span>
                  )
                ) : (
                  <span class={nameOf(sink) === "events" ? "bad" : "dim"}>not bound</span>
                ),
            },
            {
              key: "waiting",
              name: "Waiting",
              num: true,
              cell: (sink) => (isBound(sink) ? exact(Number(sink["waiting_rows"] ?? 0)) : "—"),
            },
            {
              key: "next",
              name: "Next try",
              num: true,
              cell: (sink) =>
                typeof sink["retry_in_s"] === "number"
                  ? duration(sink["retry_in_s"])
                  : sink.last_success_s != null
                    ? `last success ${duration(sink.last_success_s)}`
                    : "—",
            },
            {
              key: "why",
              name: "",
              wide: true,
              cell: (sink) => <span class="meta">{isBound(sink) ? String(sink["last_reason"] ?? "") : WHY[nameOf(sink)]}</span>,
            },
          ]}
        />
      </Block>
      <div class="grid two">
        <Block
          title="Outbox"
          actions={
            isAdmin() &&
            rows > 0 && (
              <button type="button" class="button small" onClick={() => ask("drain")}>
                Send now
              </button>
            )
          }
        >
          <p>
            <span class="big">{number(rows)}</span> rows wait
          </p>
          <p class="meta">
            {bytes(now.outbox.bytes)}
            {typeof now.outbox["bytes_max"] === "number" && ` of ${bytes(now.outbox["bytes_max"])}`}
            {rows > 0 && now.outbox.oldest_s !== null && ` · oldest ${duration(now.outbox.oldest_s)}`}
            {Number(now.outbox["shards_failed"] ?? 0) > 0 && (
              <span class="bad"> · {exact(Number(now.outbox["shards_failed"]))} shards do not answer</span>
            )}
          </p>
        </Block>
        <Block
          title="Quarantine"
          actions={
            isAdmin() &&
            quarantined > 0 && (
              <button type="button" class="button small" onClick={() => ask("redrive")}>
                Send again
              </button>
            )
          }
        >
          <p>
            <span class={`big ${quarantined > 0 ? "warn" : ""}`}>{number(quarantined)}</span> rows the sink refuses for good
          </p>
          <p class="meta">
            {quarantined > 0 ? "They stay until they are sent again or discarded: hogflare quarantine, or /admin/quarantine." : "None."}
          </p>
        </Block>
      </div>
      {reasons.length > 0 && (
        <Block title="Rejects by reason" flush>
          <Table
            label="Rejects by reason"
            rows={reasons.sort((a, b) => b[1] - a[1])}
            columns={[
              { key: "r", name: "Reason", cell: ([reason]) => <span class="mono">{reason}</span> },
              { key: "n", name: "Events", num: true, cell: ([, n]) => exact(n), sort: ([, n]) => n },
            ]}
          />
        </Block>
      )}
      {asking !== null && (
        <Dialog label="Confirm" onClose={() => ask(null)}>
          <div class="in">
            <h2>
              {asking === "drain" ? `Send ${plural(rows, "waiting row")} now?` : `Send ${plural(quarantined, "quarantined row")} again?`}
            </h2>
            <p class="dim">
              {asking === "drain"
                ? "They are sent by themselves at their next try; this tries at once."
                : "What the sink refuses again goes back into quarantine."}
            </p>
            <div class="row">
              <button type="button" class="button main" onClick={() => void run(asking)}>
                Send
              </button>
              <button type="button" class="button" onClick={() => ask(null)}>
                Cancel
              </button>
            </div>
          </div>
        </Dialog>
      )}
    </div>
  );
}
