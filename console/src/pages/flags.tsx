// Flags: who gets what and why; edited with the checker's words where KV is bound.
import { useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { exact, number, percent, time } from "../lib/format";
import { event, withState } from "../lib/question";
import { go, pageHref, route } from "../lib/router";
import { api, isAdmin, callJson, Refused, can, team } from "../lib/session";
import { useLoad, useQuestion, type Loaded, type Query } from "../lib/ask";
import { listOf } from "../lib/documents";
import { inParts } from "../lib/parts";
import { Answered, Block, Copy, Data, Dialog, Fault, Note, Pairs, Table, Tabs, Time, useSettled, Waiting } from "../ui/kit";
import { Editor } from "../ui/editor";
import { Icon } from "../ui/icons";
import { evaluate, FlagAnswers, type FlagAnswer } from "./people";
import type { Actor } from "../ui/people-panel";

interface Problem {
  flag?: string;
  path?: string;
  severity: string;
  message: string;
}
interface FlagRow {
  key: string;
  name?: string;
  active: boolean;
  kind?: string;
  rollout?: unknown;
}
interface FlagsAnswer {
  document: string;
  etag: string;
  source: "kv" | "variable" | "file" | "none";
  writable: boolean;
  problems: Problem[];
  flags: FlagRow[];
}
interface Property {
  key: string;
  value?: unknown;
  operator?: string;
  type?: string;
}
interface Group {
  properties?: Property[];
  rollout_percentage?: number | null;
  variant?: string | null;
}
interface Flag {
  key: string;
  name?: string;
  active?: boolean;
  filters?: {
    groups?: Group[];
    multivariate?: { variants: { key: string; rollout_percentage: number }[] } | null;
    payloads?: Record<string, unknown>;
  };
  [more: string]: unknown;
}

const load = () => api<FlagsAnswer>("flags");

/** The list of flags of a document, whichever of its two places it stands in. */
export function flagsOf(document: any): Flag[] {
  if (Array.isArray(document)) return document as Flag[];
  return Array.isArray(document?.flags) ? document.flags : Array.isArray(document?.results) ? document.results : [];
}
function parse(text: string): any {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

export default function Flags() {
  const flags = useLoad(`flags ${team()}`, load);
  const { id } = route.value;
  if (flags.value === undefined)
    return flags.state === "failed" ? <Fault fault={flags.fault!} again={flags.again} /> : <Waiting height={320} />;
  return id === "" ? <List flags={flags.value} /> : <Detail flags={flags as Loaded<FlagsAnswer>} id={id} />;
}

function Source({ flags }: { flags: FlagsAnswer }) {
  if (flags.source === "kv" && flags.writable) return null;
  if (flags.source === "kv") return <p class="meta">You can look. Changes need the admin token.</p>;
  return (
    <Note>
      {flags.source === "variable" || flags.source === "file" ? (
        <>
          Flags come from {flags.source === "file" ? "the deployment's file" : <code>HOGFLARE_FEATURE_FLAGS</code>}; bind a KV namespace as{" "}
          <code>FLAGS</code> to edit them here.
        </>
      ) : (
        <>
          No flags are configured. Bind a KV namespace as <code>FLAGS</code> to make them here, or set <code>HOGFLARE_FEATURE_FLAGS</code>.
        </>
      )}
    </Note>
  );
}

function List({ flags }: { flags: FlagsAnswer }) {
  const [search, find] = useState("");
  const [tab, pick] = useState("list");
  const rows = flags.flags.filter(({ key, name }) => `${key} ${name ?? ""}`.toLowerCase().includes(search.toLowerCase()));
  const definitions = new Map(flagsOf(parse(flags.document)).map((flag) => [flag.key, flag]));
  const problemsOf = (key: string) => flags.problems.filter(({ flag }) => flag === key);
  return (
    <div class="stack">
      <Source flags={flags} />
      {flags.problems
        .filter(({ flag }) => !flag)
        .map((problem, i) => (
          <Note key={i} tone={problem.severity === "error" ? "bad" : "warn"}>
            {problem.message} <span class="mono meta">{problem.path}</span>
          </Note>
        ))}
      <Block flush name="Flags">
        <Tabs
          label="Flags"
          now={tab}
          onPick={pick}
          tabs={[
            ["list", `Flags (${number(flags.flags.length)})`],
            ["evaluate", "Evaluate a person"],
            ["json", "JSON"],
            ["history", "History"],
          ]}
        />
        {tab === "list" && (
          <>
            <div class="row" style={{ padding: "8px 12px" }}>
              <input
                class="input grow"
                style={{ maxWidth: "320px" }}
                placeholder="Search flags…"
                aria-label="Search flags"
                value={search}
                onInput={(input) => find(input.currentTarget.value)}
              />
            </div>
            {rows.length === 0 ? (
              <div class="state">{flags.flags.length === 0 ? "No flag is defined yet." : "No flag by that name."}</div>
            ) : (
              <Table<FlagRow>
                label="Flags"
                rows={rows}
                onPick={(row) => go({ id: row.key, tab: "" })}
                columns={[
                  {
                    key: "key",
                    name: "Flag",
                    cell: (row) => (
                      <span class="cut">
                        <a class="mono" href={pageHref("flags", { id: row.key })}>
                          {row.key}
                        </a>{" "}
                        <span class="dim">{row.name}</span>
                      </span>
                    ),
                    sort: (row) => row.key,
                  },
                  {
                    key: "on",
                    name: "State",
                    cell: (row) => <span class={`tag ${row.active ? "ok" : ""}`}>{row.active ? "on" : "off"}</span>,
                    sort: (row) => Number(row.active),
                  },
                  {
                    key: "who",
                    name: "Who",
                    cell: (row) => <span class="cut">{words(definitions.get(row.key)) || String(row.rollout ?? "")}</span>,
                  },
                  { key: "kind", name: "Kind", wide: true, cell: (row) => <span class="dim">{row.kind}</span> },
                  {
                    key: "problems",
                    name: "Problems",
                    num: true,
                    cell: (row) => {
                      const all = problemsOf(row.key);
                      return all.length === 0 ? (
                        <span class="faint">—</span>
                      ) : (
                        <span class={all.some(({ severity }) => severity === "error") ? "bad" : "warn"}>{number(all.length)}</span>
                      );
                    },
                  },
                ]}
              />
            )}
          </>
        )}
        {tab === "evaluate" && <Evaluate />}
        {tab === "json" && <JsonEditor flags={flags} />}
        {tab === "history" && <History flags={flags} />}
      </Block>
    </div>
  );
}

const OPERATOR_WORDS: Record<string, string> = {
  exact: "is",
  is_not: "is not",
  icontains: "contains",
  not_icontains: "does not contain",
  regex: "matches",
  not_regex: "does not match",
  is_set: "is set",
  is_not_set: "is not set",
  gt: ">",
  gte: "≥",
  lt: "<",
  lte: "≤",
  is_date_before: "before",
  is_date_after: "after",
  in: "in",
  not_in: "not in",
};
const OPERATORS: [string, string][] = Object.entries(OPERATOR_WORDS);

function propertyWords({ key, value, operator = "exact", type }: Property): string {
  const list = [value].flat().map((one) => (one === "" ? "(empty)" : String(one)));
  if (type === "cohort") return `in cohort ${list.join(", ")}`;
  return operator === "is_set" || operator === "is_not_set"
    ? `${key} ${OPERATOR_WORDS[operator]}`
    : `${key} ${OPERATOR_WORDS[operator] ?? operator} ${list.join(" or ")}`;
}
function groupWords(group: Group): string {
  const who = (group.properties ?? []).map(propertyWords).join(" and ") || "everybody";
  const share = group.rollout_percentage ?? 100;
  return `${share === 100 ? "" : `${share} % of `}${who}${group.variant ? ` → ${group.variant}` : ""}`;
}
function words(flag: Flag | undefined): string {
  const groups = flag?.filters?.groups ?? [];
  return groups.map(groupWords).join("; or ");
}

function Evaluate({ only }: { only?: string }) {
  const [id, setId] = useState("");
  const [properties, setProperties] = useState("");
  const [answer, set] = useState<FlagAnswer[] | null>(null);
  const [told, tell] = useState("");
  const ask = async (submit: Event) => {
    submit.preventDefault();
    try {
      const given = properties.trim() === "" ? undefined : (JSON.parse(properties) as Record<string, unknown>);
      const all = await evaluate(id.trim(), given, only);
      set(only === undefined ? all : all.filter(({ key }) => key === only));
      tell("");
    } catch (fault) {
      tell(fault instanceof SyntaxError ? "The properties are no JSON object." : (fault as Error).message);
    }
  };
  return (
    <div class="stack" style={{ padding: "12px" }}>
      <form class="stack" onSubmit={ask}>
        <div class="row wrap">
          <input
            class="input grow"
            style={{ maxWidth: "360px" }}
            required
            placeholder="Distinct id…"
            aria-label="Distinct id"
            value={id}
            onInput={(input) => setId(input.currentTarget.value)}
          />
          <input
            class="input grow mono"
            style={{ maxWidth: "360px" }}
            placeholder='Properties, such as {"plan": "pro"}'
            aria-label="Person properties as JSON"
            value={properties}
            onInput={(input) => setProperties(input.currentTarget.value)}
          />
          <button type="submit" class="button main">
            Evaluate
          </button>
        </div>
        <p class="meta">As of now, by the Worker's own evaluator; what is given here overrides what is stored.</p>
      </form>
      {told !== "" && <Note tone="bad">{told}</Note>}
      {answer !== null &&
        (only === undefined ? (
          <FlagAnswers flags={answer} />
        ) : answer.length === 0 ? (
          <Note>The Worker gives no answer for this flag: it is off, or refused by the checker.</Note>
        ) : (
          <One answer={answer[0]!} id={id} />
        ))}
    </div>
  );
}

function One({ answer, id }: { answer: FlagAnswer; id: string }) {
  return (
    <div class="stack">
      <p>
        <span class={`tag ${answer.enabled ? "ok" : ""}`}>{answer.enabled ? (answer.variant ?? "true") : "false"}</span>{" "}
        {answer.reason?.description ?? answer.reason?.code?.replace(/_/g, " ")}
      </p>
      <Conditions answer={answer} />
      <details>
        <summary>All that was answered</summary>
        <Pairs
          of={{ ...(answer.reason as Record<string, unknown>), ...((answer["metadata"] as Record<string, unknown> | undefined) ?? {}) }}
        />
      </details>
      <p class="row">
        <span class="meta">The same by a request</span>
        <Copy
          what="curl"
          text={`curl '${location.origin}/flags/?v=2' -H 'content-type: application/json' -d '${JSON.stringify({ api_key: "YOUR_PROJECT_TOKEN", distinct_id: id })}'`}
        />
      </p>
    </div>
  );
}

/** Each condition and what it asks for: what is there, and what was wanted. */
function Conditions({ answer }: { answer: FlagAnswer }) {
  if (!answer.conditions) return null;
  const decided = answer.enabled ? answer.reason?.condition_index : null;
  const mark = (good: boolean) =>
    good ? (
      <span class="ok">
        ✓<span class="sr"> met</span>
      </span>
    ) : (
      <span class="bad">
        ✕<span class="sr"> not met</span>
      </span>
    );
  const value = (of: unknown) =>
    of === null || of === undefined ? "not set" : Array.isArray(of) ? of.map(String).join(" or ") : String(of);
  return (
    <ol class="stack" aria-label="Conditions" style={{ gap: "8px" }}>
      {answer.conditions.map((one) => (
        <li key={one.index}>
          <p>
            {mark(one.matches)} <b>Condition {one.index + 1}</b>
            {one.rollout_percentage < 100 && <span> for {one.rollout_percentage} % of who meets it</span>}
            {one.index === decided ? (
              <span class="dim"> · it decided</span>
            ) : one.matches && one.rollout_percentage < 100 && answer.reason?.code === "out_of_rollout_bound" ? (
              <span class="dim"> · not among the {one.rollout_percentage} %</span>
            ) : null}
          </p>
          <ul style={{ paddingLeft: "20px" }}>
            {one.filters.length === 0 && <li class="dim">everybody</li>}
            {one.filters.map((filter, i) => (
              <li key={i}>
                {mark(filter.matches)} <span class="mono">{filter.key}</span>{" "}
                {filter.type === "person" ? (
                  <>
                    is <Data name={filter.key ?? ""} value={value(filter.actual)} />
                  </>
                ) : (
                  <span class="dim">({filter.type})</span>
                )}
                , wanted: {OPERATOR_WORDS[filter.operator] ?? filter.operator}{" "}
                <b>{["is_set", "is_not_set"].includes(filter.operator) ? "" : value(filter.wanted)}</b>
              </li>
            ))}
          </ul>
        </li>
      ))}
    </ol>
  );
}

// -- Who would get it -----------------------------------------------------------------------------

const SAMPLE_MAX = 1_000;
// People of one request: as many as the Worker takes, and fewer of a flag that is much work.
const AT_ONCE: [number, number] = [10, 200];
const PRESENT: Query = {
  kind: "ActorsQuery",
  select: ["actor"],
  limit: SAMPLE_MAX,
  source: {
    kind: "InsightActorsQuery",
    series: 0,
    source: {
      kind: "TrendsQuery",
      series: [event(null, "dau")],
      dateRange: { date_from: "-30d" },
      trendsFilter: { display: "BoldNumber" },
    },
  },
};

interface Count {
  people: number;
  enabled: number;
  variants: Record<string, number>;
  conditions: { meet: number; get: number }[];
}

/** The Worker's own evaluator over people who were active in 30 days, by the properties they have now. */
function useAudience(flag: string, text: string, ready: boolean): { count: Count | undefined; state: string; of: string } {
  const asked = useQuestion(can("sql") ? PRESENT : null);
  const people = useMemo(
    () =>
      ((asked.answer?.results ?? []) as [Actor][]).flatMap(([actor]) =>
        actor.distinct_ids?.[0] === undefined ? [] : [{ distinct_id: actor.distinct_ids[0], properties: actor.properties ?? {} }],
      ),
    [asked.answer],
  );
  const settled = useSettled(text, 400);
  const counted = useLoad(people.length > 0 && ready ? `audience ${team()} ${flag} ${people.length} ${settled}` : null, async (stop) => {
    const sum: Count = { people: 0, enabled: 0, variants: {}, conditions: [] };
    const ask = (part: typeof people) =>
      callJson<Count>("/app/api/flags/evaluate", {
        method: "POST",
        body: { team_id: team(), key: flag, document: settled, people: part },
        signal: stop,
      });
    await inParts(people, AT_ONCE, ask, (part) => {
      sum.people += part.people;
      sum.enabled += part.enabled;
      for (const [name, n] of Object.entries(part.variants)) sum.variants[name] = (sum.variants[name] ?? 0) + n;
      part.conditions.forEach(({ meet, get }, i) => {
        const old = sum.conditions[i] ?? { meet: 0, get: 0 };
        sum.conditions[i] = { meet: old.meet + meet, get: old.get + get };
      });
    });
    return sum;
  });
  const of = asked.answer?.hasMore
    ? `${exact(people.length)} of the people active in 30 days`
    : `all ${exact(people.length)} people active in 30 days`;
  return {
    count: counted.value,
    state:
      asked.state === "failed" || counted.state === "failed"
        ? "failed"
        : people.length === 0 && asked.state === "ready"
          ? "nobody"
          : counted.state,
    of,
  };
}

function Audience({ audience, flag }: { audience: ReturnType<typeof useAudience>; flag: Flag }) {
  if (!can("sql")) return null;
  const { count, state, of } = audience;
  const isPartly = JSON.stringify(flag.filters ?? {}).includes('"cohort"') || (flag.filters as any)?.aggregation_group_type_index != null;
  return (
    <p aria-live="polite" class="row wrap">
      <b>Who would get it</b>
      {state === "failed" ? (
        <span class="dim">cannot be counted now</span>
      ) : state === "nobody" ? (
        <span class="dim">nobody was active in 30 days</span>
      ) : count === undefined ? (
        <span class="dim">counting…</span>
      ) : (
        <span>
          <b>{exact(count.enabled)}</b> of {of} ({percent(count.people === 0 ? null : count.enabled / count.people)})
          {Object.keys(count.variants).length > 0 && (
            <>
              :{" "}
              {Object.entries(count.variants)
                .map(([name, n]) => `${name} ${exact(n)}`)
                .join(", ")}
            </>
          )}
        </span>
      )}
      {isPartly && <span class="meta">Cohorts by list and groups are not looked at here.</span>}
    </p>
  );
}

// -- One flag -------------------------------------------------------------------------------------

function Detail({ flags, id }: { flags: Loaded<FlagsAnswer>; id: string }) {
  const answer = flags.value!;
  const stored = useMemo(() => flagsOf(parse(answer.document)).find(({ key }) => key === id), [answer.document, id]);
  const row = answer.flags.find(({ key }) => key === id);
  const { tab } = route.value;
  const now = ["rules", "evaluate", "usage", "json"].includes(tab) ? tab : "rules";
  if (row === undefined && stored === undefined)
    return (
      <Note>
        No flag is named “{id}”. <a href={pageHref("flags")}>All flags</a>
      </Note>
    );
  return (
    <div class="stack">
      <div class="row wrap between">
        <p class="row wrap">
          <b class="mono" style={{ fontSize: "16px" }}>
            {id}
          </b>
          <span class={`tag ${row?.active ? "ok" : ""}`}>{row?.active ? "on" : "off"}</span>
          <span class="dim">{row?.name}</span>
        </p>
        <a class="button" href={pageHref("flags")}>
          All flags
        </a>
      </div>
      <Source flags={answer} />
      {answer.problems
        .filter(({ flag }) => flag === id)
        .map((problem, i) => (
          <Note key={i} tone={problem.severity === "error" ? "bad" : "warn"}>
            {problem.message} <span class="mono meta">{problem.path}</span>
          </Note>
        ))}
      <Block flush name="Flag">
        <Tabs
          label="Flag"
          now={now}
          onPick={(key) => go({ tab: key })}
          tabs={[
            ["rules", "Rules"],
            ["evaluate", "Evaluate"],
            ["usage", "Usage"],
            ["json", "JSON"],
          ]}
        />
        {now === "rules" &&
          (stored === undefined ? (
            <div class="state">Its definition stands in no place that can be shown.</div>
          ) : (
            <Rules key={answer.etag} flags={answer} stored={stored} reload={flags.again} />
          ))}
        {now === "evaluate" && <Evaluate only={id} />}
        {now === "usage" && <Usage id={id} />}
        {now === "json" && (
          <div style={{ padding: "12px" }}>
            <Editor language="json" label="Definition" readOnly value={JSON.stringify(stored ?? {}, null, 2)} onInput={() => {}} />
            <p class="meta">The whole document is edited on the list's JSON tab.</p>
          </div>
        )}
      </Block>
    </div>
  );
}

function Usage({ id }: { id: string }) {
  const source = withState(
    {
      kind: "TrendsQuery",
      series: [
        { ...event("$feature_flag_called", "dau"), properties: [{ type: "event", key: "$feature_flag", operator: "exact", value: [id] }] },
      ],
      breakdownFilter: { breakdown: "$feature_flag_response", breakdown_type: "event" },
      trendsFilter: { display: "ActionsBarValue" },
    },
    route.value,
  );
  const asked = useQuestion(can("sql") ? source : null);
  if (!can("sql")) return <div class="state">Usage needs a SQL engine.</div>;
  return (
    <Answered
      asked={asked}
      height={200}
      isEmpty={(answer) => (answer.results as any[]).every((one) => !(one.aggregated_value > 0))}
      empty="No SDK said in this range that it was given this flag ($feature_flag_called)."
    >
      {(answer) => {
        const rows = (answer.results as any[]).map((one) => ({
          value: String(one.breakdown_value ?? one.label),
          people: Number(one.aggregated_value),
        }));
        const all = rows.reduce((sum, { people }) => sum + people, 0);
        return (
          <Table
            label="Answers"
            rows={rows}
            columns={[
              {
                key: "v",
                name: "Answer",
                cell: (one) => <span class="mono">{one.value.includes("null_$$") ? "(not set)" : one.value}</span>,
                bar: (one) => one.people / Math.max(all, 1),
              },
              { key: "n", name: "People", num: true, cell: (one) => exact(one.people) },
              { key: "p", name: "", num: true, cell: (one) => percent(one.people / Math.max(all, 1)) },
            ]}
          />
        );
      }}
    </Answered>
  );
}

function useCheck(text: string): { problems: Problem[]; busy: boolean } {
  const settled = useSettled(text, 400);
  const checked = useLoad(`check ${settled}`, (stop) =>
    callJson<{ problems: Problem[] }>("/app/api/flags/check", { method: "POST", body: { document: settled }, signal: stop }),
  );
  return {
    problems: checked.value?.problems ?? (checked.state === "failed" ? [{ severity: "error", message: checked.fault?.detail ?? "" }] : []),
    busy: checked.state === "asking" || settled !== text,
  };
}

/** What a publication changes, in words. */
function differences(before: Flag | undefined, after: Flag | undefined): string[] {
  if (before === undefined) return [`${after?.key} is new: ${words(after) || "nobody"}`];
  if (after === undefined) return [`${before.key} is gone`];
  const out: string[] = [];
  if ((before.active ?? true) !== (after.active ?? true)) out.push(`${after.key} is turned ${after.active ? "on" : "off"}`);
  const [was, is] = [(before.filters?.groups ?? []).map(groupWords), (after.filters?.groups ?? []).map(groupWords)];
  for (let i = 0; i < Math.max(was.length, is.length); i += 1) {
    if (was[i] !== is[i]) out.push(`${after.key}, condition ${i + 1}: ${was[i] ?? "—"} → ${is[i] ?? "taken away"}`);
  }
  if (out.length === 0 && JSON.stringify(before) !== JSON.stringify(after)) out.push(`${after.key}: other parts of its definition`);
  return out;
}
function allDifferences(before: any, after: any): string[] {
  const [was, is] = [new Map(flagsOf(before).map((flag) => [flag.key, flag])), new Map(flagsOf(after).map((flag) => [flag.key, flag]))];
  const out: string[] = [];
  for (const key of new Set([...was.keys(), ...is.keys()])) {
    if (JSON.stringify(was.get(key)) !== JSON.stringify(is.get(key))) out.push(...differences(was.get(key), is.get(key)));
  }
  if (out.length === 0 && JSON.stringify(before) !== JSON.stringify(after)) out.push("Parts of the document beside the flags");
  return out;
}

function Publish({
  flags,
  text,
  problems,
  busy,
  done,
}: {
  flags: FlagsAnswer;
  text: string;
  problems: Problem[];
  busy: boolean;
  done: () => void;
}) {
  const [open, set] = useState(false);
  const [told, tell] = useState("");
  const [conflict, setConflict] = useState(false);
  const errors = problems.filter(({ severity }) => severity === "error");
  const changes = useMemo(() => allDifferences(parse(flags.document), parse(text)), [flags.document, text]);
  const publish = async () => {
    try {
      await api("flags", { method: "PUT", body: { document: text }, headers: { "if-match": flags.etag } });
      set(false);
      tell("");
      done();
    } catch (fault) {
      set(false);
      if (fault instanceof Refused && fault.status === 409) setConflict(true);
      tell((fault as Error).message);
    }
  };
  return (
    <>
      <div class="row wrap">
        <button type="button" class="button main" disabled={busy || errors.length > 0 || text === flags.document} onClick={() => set(true)}>
          Review and publish
        </button>
        <span class="meta">
          {text === flags.document
            ? "Nothing is changed."
            : busy
              ? "Checking…"
              : errors.length > 0
                ? `The checker refuses it: ${errors.length === 1 ? "one fault" : `${number(errors.length)} faults`}.`
                : "The checker takes it."}
        </span>
      </div>
      {told !== "" && (
        <Note tone="bad">
          {told}
          {conflict && (
            <>
              {" "}
              Your text is kept here.{" "}
              <button type="button" class="button small" onClick={done}>
                Take theirs
              </button>
            </>
          )}
        </Note>
      )}
      {open && (
        <Dialog label="Publish" onClose={() => set(false)}>
          <div class="in">
            <h2>Publish</h2>
            <ul class="stack" style={{ gap: "4px", maxHeight: "40vh", overflow: "auto" }}>
              {changes.map((change, i) => (
                <li key={i}>{change}</li>
              ))}
            </ul>
            <p class="meta">Workers read the flags again within a minute; SDKs ask when they next do.</p>
            <div class="row">
              <button type="button" class="button main" autofocus onClick={() => void publish()}>
                Publish
              </button>
              <button type="button" class="button" onClick={() => set(false)}>
                Cancel
              </button>
            </div>
          </div>
        </Dialog>
      )}
    </>
  );
}

function Problems({ problems }: { problems: Problem[] }) {
  return (
    <>
      {problems.map((problem, i) => (
        <Note key={i} tone={problem.severity === "error" ? "bad" : "warn"}>
          <span class="grow">{problem.message}</span>{" "}
          <span class="mono meta">
            {problem.flag} {problem.path}
          </span>
        </Note>
      ))}
    </>
  );
}

function Rules({ flags, stored, reload }: { flags: FlagsAnswer; stored: Flag; reload: () => void }) {
  const [flag, set] = useState<Flag>(stored);
  const text = useMemo(() => {
    if (flag === stored) return flags.document;
    const document = parse(flags.document);
    const next = flagsOf(document).map((one) => (one.key === flag.key ? flag : one));
    return JSON.stringify(
      Array.isArray(document) ? next : { ...document, [Array.isArray(document.flags) ? "flags" : "results"]: next },
      null,
      2,
    );
  }, [flag, flags.document]);
  const { problems, busy } = useCheck(text);
  const mine = problems.filter((problem) => !problem.flag || problem.flag === flag.key);
  const groups = flag.filters?.groups ?? [];
  const edit = flags.writable && isAdmin();
  const put = (next: Group[]) => set({ ...flag, filters: { ...flag.filters, groups: next } });
  const variants = flag.filters?.multivariate?.variants ?? [];
  const audience = useAudience(flag.key, text, !busy && !problems.some(({ severity }) => severity === "error"));
  return (
    <div class="stack" style={{ padding: "12px" }}>
      <Audience audience={audience} flag={flag} />
      {edit ? (
        <label class="check">
          <input type="checkbox" checked={flag.active ?? true} onChange={() => set({ ...flag, active: !(flag.active ?? true) })} />
          on
        </label>
      ) : null}
      {variants.length > 0 && (
        <p class="row wrap">
          <span class="dim">Variants</span>
          {variants.map((variant) => (
            <span class="tag" key={variant.key}>
              {variant.key} {variant.rollout_percentage} %
            </span>
          ))}
        </p>
      )}
      {groups.length === 0 && <Note tone="warn">No condition: nobody gets it.</Note>}
      {groups.map((group, g) => (
        <section class="block" key={g} aria-label={`Condition ${g + 1}`}>
          <header>
            <h3 class="grow">
              Condition {g + 1}:{" "}
              <span class="dim" style={{ fontWeight: 400 }}>
                {groupWords(group)}
              </span>
            </h3>
            {audience.count?.conditions[g] !== undefined && (
              <span class="meta" title="Of the people who are counted above">
                {exact(audience.count.conditions[g]!.meet)} meet it, {exact(audience.count.conditions[g]!.get)} get it by it
              </span>
            )}
            {edit && (
              <button type="button" class="button quiet small" onClick={() => put(groups.filter((_, at) => at !== g))}>
                Remove
              </button>
            )}
          </header>
          {edit && (
            <div class="body stack" style={{ gap: "6px" }}>
              {(group.properties ?? []).map((property, p) => {
                const change = (next: Property) =>
                  put(
                    groups.map((one, at) =>
                      at === g ? { ...one, properties: (one.properties ?? []).map((old, i) => (i === p ? next : old)) } : one,
                    ),
                  );
                const text = [property.value ?? ""].flat().join(", ");
                const needs = property.operator !== "is_set" && property.operator !== "is_not_set";
                return (
                  <div class="row wrap" key={p}>
                    <input
                      class="input mono"
                      style={{ width: "160px" }}
                      aria-label="Property"
                      value={property.key}
                      onInput={(input) => change({ ...property, key: input.currentTarget.value })}
                    />
                    <select
                      class="select"
                      aria-label="Operator"
                      value={property.operator ?? "exact"}
                      onChange={(pick) => change({ ...property, operator: pick.currentTarget.value })}
                    >
                      {OPERATORS.map(([key, word]) => (
                        <option key={key} value={key}>
                          {word}
                        </option>
                      ))}
                    </select>
                    {needs && (
                      <input
                        class="input grow"
                        style={{ maxWidth: "320px" }}
                        aria-label="Value"
                        aria-invalid={text === "" ? "true" : undefined}
                        value={text}
                        onInput={(input) =>
                          change({
                            ...property,
                            value: Array.isArray(property.value)
                              ? input.currentTarget.value === ""
                                ? []
                                : input.currentTarget.value.split(/,\s*/)
                              : input.currentTarget.value,
                          })
                        }
                      />
                    )}
                    <button
                      type="button"
                      class="button quiet"
                      aria-label={`Remove ${property.key}`}
                      onClick={() =>
                        put(
                          groups.map((one, at) =>
                            at === g ? { ...one, properties: (one.properties ?? []).filter((_, i) => i !== p) } : one,
                          ),
                        )
                      }
                    >
                      <Icon name="close" />
                    </button>
                  </div>
                );
              })}
              <div class="row wrap">
                <button
                  type="button"
                  class="button quiet"
                  onClick={() =>
                    put(
                      groups.map((one, at) =>
                        at === g
                          ? {
                              ...one,
                              properties: [...(one.properties ?? []), { key: "email", value: "", operator: "exact", type: "person" }],
                            }
                          : one,
                      ),
                    )
                  }
                >
                  <Icon name="plus" />
                  property
                </button>
                <label class="row">
                  <input
                    class="input"
                    type="number"
                    min="0"
                    max="100"
                    style={{ width: "76px" }}
                    aria-label="Per cent of them"
                    value={String(group.rollout_percentage ?? 100)}
                    onInput={(input) =>
                      put(groups.map((one, at) => (at === g ? { ...one, rollout_percentage: Number(input.currentTarget.value) } : one)))
                    }
                  />
                  <span class="dim">% of them</span>
                </label>
              </div>
            </div>
          )}
        </section>
      ))}
      {edit && (
        <div>
          <button
            type="button"
            class="button"
            onClick={() =>
              put([...groups, { properties: [{ key: "email", value: "", operator: "exact", type: "person" }], rollout_percentage: 100 }])
            }
          >
            <Icon name="plus" />
            condition
          </button>
        </div>
      )}
      {flag !== stored && <Problems problems={mine} />}
      {edit && <Publish flags={flags} text={text} problems={problems} busy={busy} done={reload} />}
    </div>
  );
}

function JsonEditor({ flags }: { flags: FlagsAnswer }) {
  const [text, set] = useState(() => sessionStorage.getItem("hogflare.flags") ?? flags.document);
  const area = useRef<HTMLTextAreaElement | null>(null);
  const { problems, busy } = useCheck(text);
  const edit = flags.writable && isAdmin();
  useLayoutEffect(() => {
    // Typed text outlives a sign-in that ends and a deployment.
    if (text === flags.document) sessionStorage.removeItem("hogflare.flags");
    else sessionStorage.setItem("hogflare.flags", text);
  }, [text]);
  return (
    <div class="stack" style={{ padding: "12px" }}>
      <Editor language="json" label="Flags as JSON" value={text} onInput={set} readOnly={!edit} area={area} />
      {text !== flags.document && (
        <div>
          <button type="button" class="button small" onClick={() => set(flags.document)}>
            Back to what is published
          </button>
        </div>
      )}
      <Problems problems={problems} />
      {edit && (
        <Publish
          flags={flags}
          text={text}
          problems={problems}
          busy={busy}
          done={() => {
            sessionStorage.removeItem("hogflare.flags");
            location.reload();
          }}
        />
      )}
    </div>
  );
}

interface Version {
  at: string;
  replaced_by?: string;
  bytes?: number;
  etag?: string;
}

/** A version's time is its key: ISO, or milliseconds. */
const momentOf = (at: string) => (/^\d{12,14}$/.test(at) ? Number(at) : at);

function History({ flags }: { flags: FlagsAnswer }) {
  const history = useLoad("flags history", async () => listOf<Version>(await api<unknown>("flags/history"), "versions"));
  const [chosen, choose] = useState("");
  if (history.state === "asking") return <Waiting height={120} />;
  if (history.state === "failed") return <Fault fault={history.fault!} again={history.again} />;
  if (history.value!.length === 0) return <div class="state">No version before this one. Each publication keeps the one it replaces.</div>;
  return (
    <div class="stack" style={{ padding: "0 0 12px" }}>
      <Table<Version>
        label="Versions"
        rows={history.value!}
        onPick={(row) => choose(row.at)}
        selected={(row) => row.at === chosen}
        columns={[
          { key: "at", name: "Replaced at", cell: (row) => <Time at={momentOf(row.at)} /> },
          { key: "who", name: "By", cell: (row) => row.replaced_by ?? "—" },
          { key: "bytes", name: "Bytes", num: true, cell: (row) => exact(row.bytes) },
        ]}
      />
      {chosen !== "" && <OldVersion key={chosen} at={chosen} flags={flags} />}
    </div>
  );
}

function OldVersion({ at, flags }: { at: string; flags: FlagsAnswer }) {
  const version = useLoad(`version ${at}`, () => api<{ document: string }>(`flags/history?at=${encodeURIComponent(at)}`));
  const [told, tell] = useState("");
  if (version.state === "asking") return <Waiting height={60} />;
  if (version.state === "failed") return <Fault fault={version.fault!} />;
  const changes = allDifferences(parse(flags.document), parse(version.value!.document));
  const restore = () =>
    api("flags", { method: "PUT", body: { document: version.value!.document }, headers: { "if-match": flags.etag } }).then(
      () => location.reload(),
      (fault: Error) => tell(fault.message),
    );
  return (
    <div class="stack" style={{ padding: "0 12px" }}>
      <p>
        {changes.length === 0 ? "The same as what is published now." : `Going back to the version replaced ${time(momentOf(at))} changes:`}
      </p>
      <ul>
        {changes.map((line, i) => (
          <li key={i}>{line}</li>
        ))}
      </ul>
      {told !== "" && <Note tone="bad">{told}</Note>}
      {flags.writable && isAdmin() && changes.length > 0 && (
        <div>
          <button type="button" class="button danger" onClick={() => void restore()}>
            Restore this version
          </button>
        </div>
      )}
    </div>
  );
}
