// The builder: six kinds on one screen; no modes, the address holds every change.
import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { bucket, bytes, dayOf, exact, isOpen, number, percent, wallClock } from "../lib/format";
import { defaultInsight, KINDS, MATHS, NEEDS_PROPERTY, sentence, seriesWords } from "../lib/insight";
import { pack, remembered, unpack } from "../lib/pack";
import { daysOf, learn, SCAN_ASKED_MAX, useEstimate } from "../lib/scan";
import {
  breakdownLabel,
  BREAKDOWN_OTHER,
  event,
  pointParts,
  pointText,
  withState,
  type Insight,
  type Kind,
  type Series,
} from "../lib/question";
import { go, goTyping, pageHref, route } from "../lib/router";
import { can, isAdmin, Refused } from "../lib/session";
import { intervalOf, propertyFilter, type Filter } from "../lib/state";
import { remembered as known, useQuestion, type Answer, type Query } from "../lib/ask";
import { listDocuments, loadDocument, saveDocument, slugOf, type Saved } from "../lib/documents";
import { useLoad } from "../lib/ask";
import { Answered, Block, Dialog, Note, Num, Pop, Segments, Select, Table, Time, useSettled, Waiting } from "../ui/kit";
import { Icon } from "../ui/icons";
import { EventPicker, FilterButton, OP_WORDS, useDefinitions, useEvents } from "../ui/filters";
import { PeoplePanel } from "../ui/people";
import { bucketAt, bucketName, bucketPlace, bucketWords, COLORS, colorVar, Legend, LineChart, type Line } from "../chart/line";
import { Funnel, Histogram, type Step } from "../chart/funnel";
import { Retention, type Cohort } from "../chart/retention";
import { Flow, type Edge } from "../chart/flow";
import { Lifecycle, type LifecycleLine } from "../chart/lifecycle";

export interface InsightDocument {
  name: string;
  query: Insight;
  state?: Partial<Record<"from" | "to" | "cmp" | "i", string>> & { f?: Filter[] };
}

function useInsight(saved: Insight | undefined): { insight: Insight | null; fault: string; change: (next: Insight) => void } {
  const { q, tab } = route.value;
  const events = useEvents();
  const [held, hold] = useState<{ q: string; insight: Insight } | null>(null);
  const [fault, fail] = useState("");
  useEffect(() => {
    if (q === "" || held?.q === q) return;
    const known = remembered(q);
    if (known !== undefined) return hold({ q, insight: known as Insight });
    unpack(q).then(
      (insight) => {
        hold({ q, insight: insight as Insight });
        fail("");
      },
      () => fail("The question in this address is damaged. Its link may have been cut."),
    );
  }, [q]);
  const kind = KINDS.some(([key]) => key === tab) ? (tab as Kind) : "TrendsQuery";
  const ready = events.state !== "asking" || !can("sql");
  const fallback = useMemo(() => saved ?? (ready ? defaultInsight(kind, events.value ?? []) : null), [kind, ready, saved]);
  const changes = useRef(0);
  const change = (next: Insight) => {
    const turn = ++changes.current;
    const { sel } = route.peek();
    hold({ q: "pending", insight: next });
    void pack(next).then((packed) => {
      // Packing takes its time: what was changed after, and what was opened meanwhile, stays.
      if (turn !== changes.current) return;
      hold({ q: packed, insight: next });
      goTyping({ q: packed, tab: "", sel: route.peek().sel === sel ? "" : route.peek().sel });
    });
  };
  const insight =
    q === ""
      ? held?.q === "pending"
        ? held.insight
        : fallback
      : held !== null && (held.q === q || held.q === "pending")
        ? held.insight
        : ((remembered(q) as Insight | undefined) ?? null);
  return { insight, fault, change };
}

export default function Insights() {
  const { id } = route.value;
  const document = useLoad(id === "" ? null : `insight ${id}`, () => loadDocument<InsightDocument>("insights", id));
  const saved = id === "" ? undefined : document.value;
  const { insight, fault, change } = useInsight(saved?.document.query);
  // A saved insight brings its range and filters, the address overrides them.
  useEffect(() => {
    const state = saved?.document.state;
    if (state === undefined || location.search !== "") return;
    go({ ...state, f: state.f ?? [] }, "replace");
  }, [saved]);
  if (id !== "" && document.state === "failed")
    return (
      <Note tone="bad">
        {document.fault?.detail ?? "There is no such insight."} <a href={pageHref("insights")}>New insight</a>
      </Note>
    );
  if (fault !== "")
    return (
      <Note tone="bad">
        {fault} <a href={pageHref("insights")}>New insight</a>
      </Note>
    );
  if (insight === null || (id !== "" && saved === undefined)) return <Waiting height={420} />;
  return <Builder insight={insight} change={change} saved={saved} reload={document.again} />;
}

function Builder({
  insight,
  change,
  saved,
  reload,
}: {
  insight: Insight;
  change: (next: Insight) => void;
  saved: Saved<InsightDocument> | undefined;
  reload: () => void;
}) {
  const state = route.value;
  const events = useEvents();
  const [form, openForm] = useState(false);
  // Another kind is asked at once; typing waits until it stands still.
  const still = useSettled(insight);
  const settled = still.kind === insight.kind ? still : insight;
  const source = useMemo(
    () => withState(settled, state),
    [JSON.stringify(settled), JSON.stringify([state.f, state.from, state.to, state.cmp, state.i])],
  );
  const complete = !(insight.series ?? []).some(({ math, math_property }) => NEEDS_PROPERTY.includes(math ?? "") && !math_property);
  const days = daysOf(source, state);
  const key = JSON.stringify(source);
  // What is known to read much waits for a click; an answer at hand costs nothing.
  const [agreed, agree] = useState("");
  const isFree = known(source) !== undefined || agreed === key;
  const scan = useEstimate(complete && !isFree ? source : null, days);
  const isLarge = !isFree && (scan?.bytes ?? 0) > SCAN_ASKED_MAX;
  const asked = useQuestion(complete && (isFree || scan !== undefined) && !isLarge ? source : null);
  useEffect(() => {
    if (asked.state === "ready" && asked.answer !== undefined && asked.of !== undefined && JSON.stringify(asked.of) === key)
      learn(source, days, asked.answer);
  }, [asked.state, asked.answer, key]);
  const changed = saved !== undefined && state.q !== "" && JSON.stringify(saved.document.query) !== JSON.stringify(insight);
  const name = KINDS.find(([kind]) => kind === insight.kind)?.[1] ?? insight.kind;
  return (
    <div class="stack">
      <div class="row wrap between">
        <Segments
          label="Kind"
          now={insight.kind}
          options={KINDS}
          onPick={(kind) => change(defaultInsight(kind as Kind, events.value ?? [], insight))}
        />
        <div class="row wrap">
          <span class="dim cut">{saved?.document.name ?? "Untitled"}</span>
          {changed && <span class="tag warn">changed from saved</span>}
          {changed && (
            <button type="button" class="button quiet" onClick={() => go({ q: "" })}>
              Reset
            </button>
          )}
          <SaveButton insight={insight} saved={saved} reload={reload} />
          <SavedList />
          <Pop label="More" class="button" face={<Icon name="more" />}>
            {(close) => (
              <>
                <button
                  type="button"
                  onClick={() => {
                    void navigator.clipboard?.writeText(location.href);
                    close();
                  }}
                >
                  <Icon name="link" />
                  Copy link
                </button>
                <button
                  type="button"
                  onClick={() => {
                    void navigator.clipboard?.writeText(JSON.stringify(source, null, 2));
                    close();
                  }}
                >
                  <Icon name="copy" />
                  Copy question as JSON
                </button>
                {can("free_sql") && asked.answer?.hogflare?.sql?.[0] !== undefined && (
                  <button
                    type="button"
                    onClick={() =>
                      void pack({ sql: asked.answer!.hogflare!.sql![0] }).then((q) => go({ page: "sql", id: "", q, sel: "", tab: "" }))
                    }
                  >
                    <Icon name="sql" />
                    Open as SQL
                  </button>
                )}
              </>
            )}
          </Pop>
        </div>
      </div>
      <div class="builder">
        <Block flush name="Question">
          <button
            type="button"
            class="link narrow"
            style={{ padding: "10px 12px", width: "100%" }}
            aria-expanded={form}
            onClick={() => openForm(!form)}
          >
            {sentence(insight)} ✎
          </button>
          <div class={form ? "" : "wide"}>
            <Form insight={insight} change={change} />
          </div>
        </Block>
        <Block flush name={`${name}: answer`}>
          {!complete ? (
            <div class="state">Pick a property to compute from.</div>
          ) : isLarge && scan ? (
            <div class="state">
              <strong>This would read about {bytes(scan.bytes)}.</strong>
              <span>
                {scan.days === null
                  ? "It has read as much before."
                  : `${scan.basis === "same" ? "This question" : "The largest question of this kind"} has read ${bytes(scan.bytes / scan.days)} a day; this one is about ${number(Math.round(scan.days))} days.`}{" "}
                That is about ${Number(scan.dollars.toPrecision(2))} of Basin SQL.
              </span>
              <button type="button" class="button main" onClick={() => agree(key)}>
                Ask (≈ {bytes(scan.bytes)})
              </button>
            </div>
          ) : (
            <AnswerOf insight={settled} asked={asked} source={source} />
          )}
        </Block>
      </div>
      <Panel insight={insight} source={source} answer={asked.answer} />
    </div>
  );
}

// -- The question ---------------------------------------------------------------------------------

function SeriesRow({
  one,
  letter,
  change,
  remove,
  maths = MATHS,
}: {
  one: Series;
  letter: string;
  change: (next: Series) => void;
  remove?: (() => void) | undefined;
  maths?: [string, string][];
}) {
  const definitions = useDefinitions();
  const properties = (one.properties ?? []) as { key: string; operator: string; value?: unknown }[];
  const math = one.math ?? "total";
  const numeric = (definitions.value ?? []).filter(({ scope }) => scope === "e");
  return (
    <div class="part">
      <div class="row">
        <span class="letter" aria-hidden="true">
          {letter}
        </span>
        <EventPicker value={one.event} label={`Event ${letter}`} onPick={(name) => change({ ...one, event: name })} />
        {remove !== undefined && (
          <button type="button" class="button quiet" aria-label={`Remove ${letter}`} onClick={remove}>
            <Icon name="close" />
          </button>
        )}
      </div>
      {maths.length > 0 && (
        <div class="row">
          <Select
            class="grow"
            label={`What of ${letter}`}
            value={math}
            options={maths}
            onPick={(value) => {
              const { math: _, math_property: __, ...rest } = one;
              change(
                value === "total"
                  ? rest
                  : {
                      ...rest,
                      math: value,
                      ...(NEEDS_PROPERTY.includes(value) && one.math_property ? { math_property: one.math_property } : {}),
                    },
              );
            }}
          />
          {NEEDS_PROPERTY.includes(math) && (
            <Select
              class="grow"
              label={`Property of ${letter}`}
              value={one.math_property ?? ""}
              options={[
                ["", "property…"],
                ["$session_duration", "visit length"],
                ...numeric.map(({ name }): [string, string] => [name, name]),
              ]}
              onPick={(value) => change({ ...one, math_property: value })}
            />
          )}
        </div>
      )}
      <div class="row wrap" style={{ gap: "4px" }}>
        {properties.map((filter, i) => (
          <span class="chip" key={i}>
            <b class="mono">{filter.key}</b>{" "}
            {OP_WORDS[filter.operator as keyof typeof OP_WORDS] ?? filter.operator.replace("exact", "is").replace(/_/g, " ")}{" "}
            {filter.value !== undefined && <b class="cut">{[filter.value].flat().join(" or ")}</b>}
            <button
              type="button"
              aria-label={`Remove ${filter.key}`}
              onClick={() => {
                const rest = properties.filter((_, at) => at !== i);
                const { properties: _, ...bare } = one;
                change(rest.length > 0 ? ({ ...bare, properties: rest } as Series) : (bare as Series));
              }}
            >
              <Icon name="close" />
            </button>
          </span>
        ))}
        <FilterButton label="Filter" onAdd={(filter) => change({ ...one, properties: [...properties, propertyFilter(filter)] })} />
      </div>
    </div>
  );
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const SERIES_MAX = 10;

function SeriesList({
  insight,
  change,
  maths,
  least = 1,
  word = "series",
}: {
  insight: Insight;
  change: (next: Insight) => void;
  maths?: [string, string][];
  least?: number;
  word?: string;
}) {
  const series = insight.series ?? [];
  const put = (next: Series[]) => change({ ...insight, series: next });
  return (
    <>
      {series.map((one, i) => (
        <SeriesRow
          key={i}
          one={one}
          letter={word === "step" ? String(i + 1) : LETTERS[i]!}
          {...(maths === undefined ? {} : { maths })}
          change={(next) => put(series.map((old, at) => (at === i ? next : old)))}
          remove={series.length > least ? () => put(series.filter((_, at) => at !== i)) : undefined}
        />
      ))}
      {series.length < SERIES_MAX && (
        <div class="part">
          <button
            type="button"
            class="button quiet"
            onClick={() => put([...series, event(series.at(-1)?.event ?? "$pageview", series.at(-1)?.math)])}
          >
            <Icon name="plus" />
            {word}
          </button>
        </div>
      )}
    </>
  );
}

function Breakdown({ insight, change }: { insight: Insight; change: (next: Insight) => void }) {
  const definitions = useDefinitions();
  const by = insight.breakdownFilter;
  const now = by?.breakdown === undefined ? "" : `${by.breakdown_type ?? "event"}:${by.breakdown}`;
  const known = (definitions.value ?? []).map(({ scope, name }): [string, string] => [
    `${scope === "p" ? "person" : "event"}:${name}`,
    `${name}${scope === "p" ? " (person)" : ""}`,
  ]);
  if (now !== "" && !known.some(([key]) => key === now)) known.unshift([now, by!.breakdown!]);
  return (
    <div class="part">
      <label class="meta" for="breakdown">
        Break down by
      </label>
      <select
        id="breakdown"
        class="select"
        value={now}
        onChange={(pick) => {
          const [type, ...name] = pick.currentTarget.value.split(":");
          const { breakdownFilter: _, ...rest } = insight;
          change(
            pick.currentTarget.value === ""
              ? (rest as Insight)
              : ({ ...rest, breakdownFilter: { breakdown: name.join(":"), breakdown_type: type! } } as Insight),
          );
        }}
      >
        <option value="">nothing</option>
        {known.map(([key, name]) => (
          <option key={key} value={key}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}

function Interval({ insight }: { insight: Insight }) {
  const state = route.value;
  if (!["TrendsQuery", "FunnelsQuery", "LifecycleQuery", "StickinessQuery"].includes(insight.kind)) return null;
  if (insight.kind === "FunnelsQuery" && insight.funnelsFilter?.["funnelVizType"] !== "trends") return null;
  return (
    <div class="part">
      <span class="meta">Interval</span>
      <Select
        label="Interval"
        value={intervalOf(state)}
        options={[
          ["hour", "hour"],
          ["day", "day"],
          ["week", "week"],
          ["month", "month"],
        ]}
        onPick={(i) => go({ i, sel: "" })}
      />
    </div>
  );
}

const DISPLAYS: [string, string][] = [
  ["ActionsLineGraph", "Line"],
  ["ActionsAreaGraph", "Area"],
  ["ActionsBar", "Bars"],
  ["ActionsLineGraphCumulative", "Running sum"],
  ["BoldNumber", "Number"],
  ["ActionsTable", "Table"],
];

function Form({ insight, change }: { insight: Insight; change: (next: Insight) => void }) {
  switch (insight.kind) {
    case "TrendsQuery": {
      const filter = insight.trendsFilter ?? {};
      const put = (next: typeof filter) => {
        const { trendsFilter: _, ...rest } = insight;
        const clean = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined && value !== ""));
        change(Object.keys(clean).length === 0 ? (rest as Insight) : ({ ...rest, trendsFilter: clean } as Insight));
      };
      return (
        <>
          <SeriesList insight={insight} change={change} />
          {((insight.series ?? []).length > 1 || filter.formula) && (
            <div class="part">
              <label class="meta" for="formula">
                Formula, such as A / B
              </label>
              <input
                id="formula"
                class="input"
                value={filter.formula ?? ""}
                placeholder="none"
                onInput={(input) => put({ ...filter, formula: input.currentTarget.value.toUpperCase() })}
              />
            </div>
          )}
          <Breakdown insight={insight} change={change} />
          <div class="part">
            <span class="meta">Shown as</span>
            <Select
              label="Shown as"
              value={filter.display ?? "ActionsLineGraph"}
              options={DISPLAYS}
              onPick={(display) => put({ ...filter, display: display === "ActionsLineGraph" ? (undefined as unknown as string) : display })}
            />
          </div>
          <Interval insight={insight} />
        </>
      );
    }
    case "FunnelsQuery": {
      const filter = insight.funnelsFilter ?? {};
      const put = (next: Record<string, unknown>) => change({ ...insight, funnelsFilter: { ...filter, ...next } });
      return (
        <>
          <SeriesList insight={insight} change={change} maths={[]} least={2} word="step" />
          <div class="part">
            <span class="meta">Within, from the first step</span>
            <div class="row">
              <input
                class="input"
                style={{ width: "72px" }}
                type="number"
                min="1"
                max="365"
                aria-label="Window"
                value={String(filter["funnelWindowInterval"] ?? 14)}
                onChange={(input) => put({ funnelWindowInterval: Math.max(1, Number(input.currentTarget.value)) })}
              />
              <Select
                label="Unit"
                value={String(filter["funnelWindowIntervalUnit"] ?? "day")}
                options={[
                  ["minute", "minutes"],
                  ["hour", "hours"],
                  ["day", "days"],
                  ["week", "weeks"],
                ]}
                onPick={(unit) => put({ funnelWindowIntervalUnit: unit })}
              />
            </div>
          </div>
          <div class="part">
            <span class="meta">Order</span>
            <Select
              label="Order"
              value={String(filter["funnelOrderType"] ?? "ordered")}
              options={[
                ["ordered", "in this order"],
                ["strict", "with nothing between"],
                ["unordered", "in any order"],
              ]}
              onPick={(order) => put({ funnelOrderType: order })}
            />
          </div>
          <Breakdown insight={insight} change={change} />
          <div class="part">
            <span class="meta">Shown as</span>
            <Select
              label="Shown as"
              value={String(filter["funnelVizType"] ?? "steps")}
              options={[
                ["steps", "Steps"],
                ["time_to_convert", "Time to convert"],
                ["trends", "Over time"],
              ]}
              onPick={(shape) => put({ funnelVizType: shape })}
            />
          </div>
          <Interval insight={insight} />
        </>
      );
    }
    case "RetentionQuery": {
      const filter = insight.retentionFilter ?? {};
      const put = (next: Record<string, unknown>) => change({ ...insight, retentionFilter: { ...filter, ...next } });
      const entity = (name: string | null) => ({ id: name, type: "events", ...(name === null ? { name: "All events" } : {}) });
      const type = String(filter["retentionType"] ?? "retention_first_time");
      return (
        <>
          <div class="part">
            <span class="meta">People who did</span>
            <EventPicker
              label="Target event"
              value={filter["targetEntity"]?.id ?? null}
              onPick={(name) => put({ targetEntity: entity(name) })}
            />
            <label class="check">
              <input
                type="radio"
                name="type"
                checked={type !== "retention_recurring"}
                onChange={() => put({ retentionType: "retention_first_time" })}
              />
              for the first time ever: each person is in one cohort
            </label>
            <label class="check">
              <input
                type="radio"
                name="type"
                checked={type === "retention_recurring"}
                onChange={() => put({ retentionType: "retention_recurring" })}
              />
              each time: a person is in every cohort they were active in
            </label>
          </div>
          <div class="part">
            <span class="meta">and came back to do</span>
            <EventPicker
              label="Returning event"
              value={filter["returningEntity"]?.id ?? null}
              onPick={(name) => put({ returningEntity: entity(name) })}
            />
          </div>
          <div class="part">
            <span class="meta">Periods</span>
            <Select
              label="Period"
              value={String(filter["period"] ?? "Day")}
              options={[
                ["Hour", "Hours"],
                ["Day", "Days"],
                ["Week", "Weeks"],
                ["Month", "Months"],
              ]}
              onPick={(period) => put({ period })}
            />
          </div>
          <Breakdown insight={insight} change={change} />
        </>
      );
    }
    case "PathsQuery": {
      const filter = insight.pathsFilter ?? {};
      const put = (next: Record<string, unknown>) => {
        const clean = Object.fromEntries(Object.entries({ ...filter, ...next }).filter(([, value]) => value !== "" && value !== undefined));
        change({ ...insight, pathsFilter: clean });
      };
      const kinds = (filter["includeEventTypes"] as string[] | undefined) ?? ["$pageview"];
      const hidden = (filter["excludeEvents"] as string[] | undefined) ?? [];
      return (
        <>
          <div class="part">
            <span class="meta">Of</span>
            {(
              [
                ["$pageview", "pages"],
                ["$screen", "screens"],
                ["custom_event", "events of your own"],
              ] as const
            ).map(([key, word]) => (
              <label class="check" key={key}>
                <input
                  type="checkbox"
                  checked={kinds.includes(key)}
                  onChange={() => {
                    const next = kinds.includes(key) ? kinds.filter((one) => one !== key) : [...kinds, key];
                    if (next.length > 0) put({ includeEventTypes: next });
                  }}
                />
                {word}
              </label>
            ))}
          </div>
          <div class="part">
            <label class="meta" for="start">
              Starting at
            </label>
            <input
              id="start"
              class="input"
              placeholder="anywhere"
              value={String(filter["startPoint"] ?? "")}
              onChange={(input) => put({ startPoint: input.currentTarget.value })}
            />
          </div>
          <div class="part">
            <label class="meta" for="end">
              Ending at
            </label>
            <input
              id="end"
              class="input"
              placeholder="anywhere"
              value={String(filter["endPoint"] ?? "")}
              onChange={(input) => put({ endPoint: input.currentTarget.value })}
            />
          </div>
          <div class="part">
            <span class="meta">Steps</span>
            <Select
              label="Steps"
              value={String(filter["stepLimit"] ?? 5)}
              options={["3", "4", "5"].map((n) => [n, n])}
              onPick={(n) => put({ stepLimit: Number(n) })}
            />
          </div>
          {hidden.length > 0 && (
            <div class="part">
              <span class="meta">Hidden</span>
              <div class="row wrap">
                {hidden.map((one) => (
                  <span class="chip" key={one}>
                    {one}
                    <button
                      type="button"
                      aria-label={`Show ${one}`}
                      onClick={() => {
                        const rest = hidden.filter((x) => x !== one);
                        put({ excludeEvents: rest.length > 0 ? rest : undefined });
                      }}
                    >
                      <Icon name="close" />
                    </button>
                  </span>
                ))}
              </div>
            </div>
          )}
        </>
      );
    }
    default:
      return (
        <>
          {(insight.series ?? []).slice(0, insight.kind === "LifecycleQuery" ? 1 : 9).map((one, i) => (
            <SeriesRow
              key={i}
              one={one}
              letter={LETTERS[i]!}
              maths={[]}
              change={(next) => change({ ...insight, series: (insight.series ?? []).map((old, at) => (at === i ? next : old)) })}
            />
          ))}
          <Interval insight={insight} />
          <div class="part meta">
            {insight.kind === "LifecycleQuery"
              ? "Events without a person are left out: they belong to nobody who could come back."
              : "People by the number of intervals they were active in."}
          </div>
        </>
      );
  }
}

// -- The answer -----------------------------------------------------------------------------------

const noRows = (insight: Insight) => (answer: Answer) => {
  const results = answer.results;
  if (!Array.isArray(results)) return (results?.bins ?? []).length === 0;
  if (results.length === 0) return true;
  if (insight.kind === "TrendsQuery") return results.every((one: any) => (one.count ?? 0) === 0 && !(one.aggregated_value > 0));
  if (insight.kind === "FunnelsQuery" && !Array.isArray(results[0]) && results[0].day === undefined && results[0].data === undefined)
    return results[0].count === 0;
  return false;
};

function Empty({ insight }: { insight: Insight }) {
  const events = useEvents();
  const { f } = route.value;
  const name = insight.series?.[0]?.event ?? insight.retentionFilter?.["targetEntity"]?.id;
  const known = events.value?.find((one) => one.name === name);
  return (
    <>
      <strong>
        No {name ?? "events"} in this range{f.length > 0 ? " with these filters" : ""}.
      </strong>
      {known?.last_seen_at && (
        <span>
          Last one: {dayOf(known.last_seen_at)} <Time at={known.last_seen_at} />.{" "}
          <button
            type="button"
            class="link"
            onClick={() => {
              const day = wallClock(known.last_seen_at!).slice(0, 10);
              go({ from: day, to: day });
            }}
          >
            Go there
          </button>
        </span>
      )}
      {name && events.state === "ready" && known === undefined && <span>This project has sent no “{name}” in 30 days.</span>}
      {f.map((filter, i) => (
        <button type="button" class="link" key={i} onClick={() => go({ f: f.filter((_, at) => at !== i) })}>
          Remove filter {filter.key} {OP_WORDS[filter.op]} {filter.values.join(" or ")}
        </button>
      ))}
    </>
  );
}

export function AnswerOf({
  insight,
  asked: given,
  source,
  compact = false,
  selKind = "",
}: {
  insight: Insight;
  asked: ReturnType<typeof useQuestion>;
  source: Query;
  compact?: boolean;
  selKind?: string;
}) {
  const open = (text: string) => go({ sel: selKind + text });
  // An old answer stays while its successor comes, but not under the name of another kind.
  const asked = given.of !== undefined && given.of.kind !== insight.kind ? { ...given, answer: undefined } : given;
  return (
    <Answered
      asked={asked}
      height={compact ? 220 : 400}
      name={insight.kind.replace("Query", "").toLowerCase()}
      isEmpty={noRows(insight)}
      empty={<Empty insight={insight} />}
    >
      {(answer) => {
        const kind = asked.of?.kind ?? insight.kind;
        const until = answer.hogflare?.data_until ?? answer.hogflare?.as_of ?? new Date().toISOString();
        const interval = String((asked.of ?? source)["interval"] ?? "day");
        if (kind === "TrendsQuery")
          return <Trends answer={answer} query={asked.of ?? source} interval={interval} until={until} compact={compact} open={open} />;
        if (kind === "FunnelsQuery") return <Funnels answer={answer} interval={interval} until={until} open={open} compact={compact} />;
        if (kind === "RetentionQuery")
          return (
            <Retention
              rows={answer.results as Cohort[]}
              period={String((asked.of as any)?.retentionFilter?.period ?? "Day")}
              until={until}
              onPick={(row, column) => open(pointText("ret", row, column > 0 ? column : ""))}
            />
          );
        if (kind === "PathsQuery") return <Paths answer={answer} insight={insight} open={open} />;
        if (kind === "LifecycleQuery")
          return (
            <Lifecycle
              lines={answer.results as LifecycleLine[]}
              interval={interval}
              until={until}
              onPick={(day, status) => open(pointText("life", day, status))}
            />
          );
        return <Stickiness answer={answer} interval={interval} open={open} />;
      }}
    </Answered>
  );
}

const COLORED = 5;

function Trends({
  answer,
  query,
  interval,
  until,
  compact,
  open,
}: {
  answer: Answer;
  query: Query;
  interval: string;
  until: string;
  compact: boolean;
  open: (text: string) => void;
}) {
  const [hidden, hide] = useState<Set<string>>(new Set());
  const [log, setLog] = useState(false);
  const filter = (query["trendsFilter"] ?? {}) as { display?: string; formula?: string };
  const display = filter.display ?? "ActionsLineGraph";
  const series = (query["series"] ?? []) as Series[];
  const broken = (query["breakdownFilter"] as { breakdown?: string } | undefined)?.breakdown !== undefined;
  const results = answer.results as any[];
  const nameOf = (one: any) => {
    const what = filter.formula ? String(one.label) : seriesWords(series[one.order ?? 0] ?? series[0]!);
    if (one.breakdown_value === undefined) return filter.formula ? filter.formula : what;
    return series.length > 1 && !filter.formula ? `${what} · ${breakdownLabel(one.breakdown_value)}` : breakdownLabel(one.breakdown_value);
  };
  const present = results.filter((one) => one.compare_label !== "previous");
  const before = results.filter((one) => one.compare_label === "previous");
  const total = (one: any): number => Number(one.aggregated_value ?? one.count ?? 0);
  const ranked = [...present].sort(
    (a, b) =>
      Number(a.breakdown_value === BREAKDOWN_OTHER) - Number(b.breakdown_value === BREAKDOWN_OTHER) || (broken ? total(b) - total(a) : 0),
  );
  const coloured = broken ? COLORED : COLORS;
  const colorOf = (one: any) =>
    one.breakdown_value === BREAKDOWN_OTHER ? COLORS : ranked.indexOf(one) < coloured ? ranked.indexOf(one) : COLORS;
  const previousOf = (one: any) =>
    before.find((old) => old.order === one.order && JSON.stringify(old.breakdown_value) === JSON.stringify(one.breakdown_value));
  const point = (one: any, i: number | null, previous = false) =>
    pointText(
      "pt",
      i === null ? "" : bucketName(one.days, i),
      one.order ?? 0,
      one.breakdown_value === undefined ? "" : Array.isArray(one.breakdown_value) ? one.breakdown_value[0] : one.breakdown_value,
      previous ? "previous" : "",
    );
  const linked = !filter.formula;
  if (display === "BoldNumber") {
    return (
      <div class="state" style={{ minHeight: compact ? "120px" : "260px" }}>
        {present.map((one, i) => {
          const old = previousOf(one);
          return (
            <div key={i}>
              <button type="button" class="link plain big" disabled={!linked} onClick={() => open(point(one, null))}>
                <Num value={total(one)} />
              </button>
              <p class="meta">
                {nameOf(one)} {old !== undefined && `· ${exact(total(old))} before`}
              </p>
            </div>
          );
        })}
      </div>
    );
  }
  const shown = ranked.filter((one, i) => !hidden.has(nameOf(one)) && (!broken || i < 10 || one.breakdown_value === BREAKDOWN_OTHER));
  const lines: Line[] = shown.flatMap((one) => {
    const old = previousOf(one);
    const line: Line = { label: nameOf(one), data: one.data, days: one.days, color: colorOf(one) };
    return old === undefined
      ? [line]
      : [line, { label: `${nameOf(one)}, before`, data: old.data, days: old.days, color: colorOf(one), ghost: true }];
  });
  const of = shown.flatMap((one) =>
    previousOf(one) === undefined
      ? [{ one, previous: false }]
      : [
          { one, previous: false },
          { one: previousOf(one), previous: true },
        ],
  );
  const last = present[0]?.days?.at(-1);
  const isLastOpen = last !== undefined && isOpen(last, interval, until);
  const people = ["dau", "weekly_active", "monthly_active"].includes(series[0]?.math ?? "");
  const days: string[] = present[0]?.days ?? [];
  const table = (
    <Table<any>
      label="Values"
      rows={ranked}
      height={ranked.length > 12 ? 420 : 460}
      columns={[
        {
          key: "name",
          name: "Series",
          sort: (one) => nameOf(one),
          cell: (one) => (
            <label class="check" style={{ maxWidth: "100%" }}>
              {display !== "ActionsTable" && (
                <input
                  type="checkbox"
                  aria-label={`Show ${nameOf(one)}`}
                  checked={!hidden.has(nameOf(one))}
                  onChange={() => {
                    const next = new Set(hidden);
                    if (!next.delete(nameOf(one))) next.add(nameOf(one));
                    hide(next);
                  }}
                />
              )}
              <i class="swatch" style={{ background: colorVar(colorOf(one)) }} />
              <span class="cut">{nameOf(one)}</span>
            </label>
          ),
        },
        {
          key: "total",
          name: people ? "Sum of points" : "Total",
          num: true,
          sort: total,
          cell: (one) => <Num value={total(one)} of={exact} />,
        },
        ...(before.length > 0
          ? [
              {
                key: "before",
                name: "Before",
                num: true,
                sort: (one: any) => total(previousOf(one) ?? {}),
                cell: (one: any) => <span class="dim">{exact(total(previousOf(one) ?? {}))}</span>,
              },
            ]
          : []),
        ...days
          .map((_, i) => ({
            key: `b${i}`,
            name: bucketAt(days, i, interval),
            num: true,
            cell: (one: any) =>
              linked ? (
                <button type="button" class="link plain" onClick={() => open(point(one, i))}>
                  {exact(one.data[i])}
                </button>
              ) : (
                exact(one.data[i])
              ),
          }))
          .reverse(),
      ]}
    />
  );
  if (display === "ActionsTable" || days.length === 0) return table;
  return (
    <div>
      <div style={{ padding: "8px 4px 0" }}>
        <LineChart
          name="Trends"
          lines={lines}
          interval={interval}
          height={compact ? 200 : 320}
          open={isLastOpen}
          until={until}
          log={log && !compact}
          shape={display === "ActionsBar" ? "bar" : display === "ActionsAreaGraph" ? "area" : "line"}
          onPoint={(line, i) => {
            const at = of[line];
            if (at !== undefined && linked) open(point(at.one, i, at.previous));
          }}
          onZoom={(from, to) => go({ from: from.slice(0, 10), to: to.slice(0, 10), sel: "" })}
          onZoomOut={() => history.back()}
          onTable={() => document.querySelector<HTMLElement>('[aria-label="Values"]')?.focus()}
        />
      </div>
      <Legend lines={lines} />
      {!compact && (
        <>
          <div class="row wrap" style={{ padding: "0 12px 8px" }}>
            <label class="check meta">
              <input type="checkbox" checked={log} onChange={() => setLog(!log)} />
              log axis
            </label>
            {broken && people && (
              <span class="meta">Rows may share people: a person with two values counts in both, so they do not add up to all people.</span>
            )}
            {answer.hasMore && <span class="meta">More values than rows; the rest is in “Other”.</span>}
            {ranked.length > 10 && broken && <span class="meta">The chart has the ten largest, the table all.</span>}
          </div>
          {table}
        </>
      )}
    </div>
  );
}

function Funnels({
  answer,
  interval,
  until,
  open,
  compact,
}: {
  answer: Answer;
  interval: string;
  until: string;
  open: (text: string) => void;
  compact: boolean;
}) {
  const results = answer.results;
  const pick = (step: number, breakdown: string) => open(pointText("fun", step, breakdown));
  if (!Array.isArray(results))
    return (
      <div>
        <p class="meta" style={{ padding: "8px 12px" }}>
          Time from the first to the last step
        </p>
        <Histogram bins={results.bins as [number, number][]} />
      </div>
    );
  if (Array.isArray(results[0])) {
    const groups = [...(results as Step[][])].sort((a, b) => (b[0]?.count ?? 0) - (a[0]?.count ?? 0));
    return (
      <div>
        <div class="grid two">
          {groups.slice(0, 6).map((steps, i) => (
            <Funnel key={i} steps={steps} onPick={pick} />
          ))}
        </div>
        {groups.length > 6 && (
          <Table<Step[]>
            label="All values"
            rows={groups}
            columns={[
              { key: "v", name: "Value", cell: (steps) => breakdownLabel(steps[0]!.breakdown_value) },
              ...groups[0]!.map((step, i) => ({
                key: `s${i}`,
                name: step.name ?? "All events",
                num: true,
                cell: (steps: Step[]) => <Num value={steps[i]?.count} />,
                sort: (steps: Step[]) => steps[i]?.count ?? 0,
              })),
            ]}
          />
        )}
        <p class="meta" style={{ padding: "0 12px 8px" }}>
          A person counts under the value of their first step.
        </p>
      </div>
    );
  }
  if (results[0]?.data !== undefined) {
    const lines: Line[] = (results as any[]).map((one, i) => ({
      label: one.breakdown_value === undefined ? "Conversion" : breakdownLabel(one.breakdown_value),
      data: (one.data as number[]).map((value) => value / 100),
      days: one.days,
      color: i,
    }));
    return (
      <div style={{ padding: "8px 4px" }}>
        <LineChart
          name="Conversion over time"
          lines={lines}
          interval={interval}
          height={compact ? 200 : 320}
          format={percent}
          open={isOpen(lines[0]?.days.at(-1) ?? "", interval, until)}
          until={until}
        />
        <Legend lines={lines} />
        <p class="meta" style={{ padding: "0 12px" }}>
          By when people entered; the newest can still convert.
        </p>
      </div>
    );
  }
  return (
    <div style={{ paddingTop: "8px" }}>
      <Funnel steps={results as Step[]} onPick={pick} />
    </div>
  );
}

function Paths({ answer, insight, open }: { answer: Answer; insight: Insight; open: (text: string) => void }) {
  const put = (change: Record<string, unknown>) =>
    void pack({ ...insight, pathsFilter: { ...insight.pathsFilter, ...change } }).then((q) => go({ q, tab: "", sel: "" }));
  return (
    <div style={{ padding: "8px 0 0" }}>
      <Flow
        edges={answer.results as Edge[]}
        onEdge={(source, target) => open(pointText("path", source, target))}
        onStart={(place) => put({ startPoint: place })}
        onEnd={(place) => put({ endPoint: place })}
        onHide={(place) => put({ excludeEvents: [...((insight.pathsFilter?.["excludeEvents"] as string[]) ?? []), place] })}
      />
      <p class="meta" style={{ padding: "8px 12px" }}>
        Ribbons count visits. A pause of 30 minutes begins a new way; the same place twice in a row is one.
      </p>
    </div>
  );
}

function Stickiness({ answer, interval, open }: { answer: Answer; interval: string; open: (text: string) => void }) {
  const [unit, show] = useState("people");
  const one = (answer.results as any[])[0];
  const rows = (one.data as number[])
    .map((n, i) => ({ n, days: Number(one.days[i] ?? i + 1) }))
    .filter(({ n }, i, all) => n > 0 || i < all.length - [...all].reverse().findIndex((row) => row.n > 0));
  const all = rows.reduce((sum, { n }) => sum + n, 0);
  const top = Math.max(...rows.map(({ n }) => n), 1);
  return (
    <div>
      <div style={{ padding: "8px 12px" }}>
        <Select
          label="Rows show"
          value={unit}
          options={[
            ["people", "People"],
            ["percent", "Per cent"],
          ]}
          onPick={show}
        />
      </div>
      <ul class="bars" aria-label="Stickiness">
        {rows.map(({ n, days }, i) => (
          <li key={i}>
            <i style={{ width: `${(n / top) * 80}%` }} />
            <span>
              {days} {days === 1 ? interval : `${interval}s`}
            </span>
            <button type="button" class="link plain n" onClick={() => open(pointText("stick", days, one.order ?? 0))}>
              {unit === "people" ? number(n) : percent(all === 0 ? null : n / all)}
            </button>
            <span />
          </li>
        ))}
      </ul>
    </div>
  );
}

// -- Who is behind it -----------------------------------------------------------------------------

function Panel({ insight, source, answer }: { insight: Insight; source: Query; answer: Answer | undefined }) {
  const { sel } = route.value;
  return <InsightPanel insight={insight} source={source} answer={answer} sel={sel} />;
}

export function InsightPanel({
  insight,
  source,
  answer,
  sel,
}: {
  insight: Insight;
  source: Query;
  answer: Answer | undefined;
  sel: string;
}) {
  const [kind, a = "", b = "", c = "", d = ""] = pointParts(sel);
  const results = Array.isArray(answer?.results) ? (answer!.results as any[]) : [];
  let title: ComponentChildren = null;
  let expected: number | undefined;
  const interval = String(source["interval"] ?? "day");
  if (kind === "pt") {
    const series = (source["series"] as Series[])[Number(b || 0)];
    const line = results.find(
      (one) =>
        (one.order ?? 0) === Number(b || 0) &&
        (c === "" || String([one.breakdown_value].flat()[0]) === c) &&
        (d === "" || one.compare_label === "previous"),
    );
    expected =
      line === undefined ? undefined : a === "" ? Number(line.aggregated_value ?? line.count) : line.data?.[bucketPlace(line.days, a)];
    title = `${series === undefined ? "" : seriesWords(series)}${c === "" ? "" : `, ${breakdownLabel(c)}`}${a === "" ? "" : `, ${bucketWords(a, interval)}`}`;
  } else if (kind === "fun") {
    const step = Number(a);
    const group = Array.isArray(results[0]) ? results.find((one) => String([one[0].breakdown_value].flat()[0]) === b) : results;
    const name = group?.[Math.abs(step) - 1]?.name ?? `step ${Math.abs(step)}`;
    expected = step > 0 ? group?.[step - 1]?.count : (group?.[-step - 2]?.count ?? 0) - (group?.[-step - 1]?.count ?? 0);
    title = step > 0 ? `Reached ${name}` : `Left before ${name}`;
  } else if (kind === "life") {
    const line = results.find((one) => one.status === b);
    expected = Math.abs(line?.data[bucketPlace(line.days, a)] ?? 0);
    title = `${b[0]?.toUpperCase()}${b.slice(1)}, ${bucketWords(a, interval)}`;
  } else if (kind === "ret") {
    const row = results[Number(a)];
    expected = row?.values[b === "" ? 0 : Number(b)]?.count;
    title =
      b === ""
        ? `Cohort of ${bucket(String(row?.date ?? "").slice(0, 10), "day", "long")}`
        : `Cohort of ${bucket(String(row?.date ?? "").slice(0, 10), "day", "long")}, back after ${b}`;
  } else if (kind === "stick") {
    expected = results[Number(b || 0)]?.data[Number(a) - 1];
    title = `Active in ${a} intervals`;
  } else if (kind === "path") {
    title = `${a.replace(/^\d+_/, "")} → ${b.replace(/^\d+_/, "")}`;
  } else {
    return null;
  }
  void insight;
  return <PeoplePanel key={sel} source={source} point={sel} title={title as string} expected={expected} />;
}

// -- Saving ---------------------------------------------------------------------------------------

function SaveButton({ insight, saved, reload }: { insight: Insight; saved: Saved<InsightDocument> | undefined; reload: () => void }) {
  const [open, set] = useState(false);
  const [name, setName] = useState(saved?.document.name ?? "");
  const [told, tell] = useState("");
  if (!isAdmin()) return null;
  if (!can("documents"))
    return (
      <span class="meta" title="Bind a KV namespace as FLAGS to save insights">
        Kept in the address only
      </span>
    );
  const { from, to, cmp, i, f } = route.value;
  const document = (title: string): InsightDocument => ({ name: title, query: insight, state: { from, to, cmp, i, f } });
  const save = async (slug: string, title: string, etag: string | null) => {
    try {
      await saveDocument("insights", slug, document(title), etag);
      set(false);
      tell("");
      go({ id: slug, q: "", tab: "" });
      reload();
    } catch (fault) {
      tell(
        fault instanceof Refused && fault.code === "changed"
          ? "Changed elsewhere meanwhile. Reload to see theirs, or save under another name."
          : (fault as Error).message,
      );
    }
  };
  return (
    <>
      {saved !== undefined && (
        <button type="button" class="button" onClick={() => void save(saved.slug, saved.document.name, saved.etag)}>
          Save
        </button>
      )}
      <button
        type="button"
        class={saved === undefined ? "button main" : "button"}
        onClick={() => {
          setName(saved?.document.name ?? sentence(insight).slice(0, 80));
          set(true);
        }}
      >
        {saved === undefined ? "Save" : "Save as…"}
      </button>
      {told !== "" && !open && <Note tone="bad">{told}</Note>}
      {open && (
        <Dialog label="Save the insight" onClose={() => set(false)}>
          <form
            onSubmit={(submit) => {
              submit.preventDefault();
              void save(slugOf(name), name, null);
            }}
          >
            <h2>Save the insight</h2>
            <input
              class="input"
              aria-label="Name"
              required
              maxLength={120}
              autofocus
              value={name}
              onInput={(input) => setName(input.currentTarget.value)}
            />
            <p class="meta">Range and filters come along. Others see it within a minute.</p>
            {told !== "" && <Note tone="bad">{told}</Note>}
            <div class="row">
              <button type="submit" class="button main">
                Save
              </button>
              <button type="button" class="button" onClick={() => set(false)}>
                Cancel
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </>
  );
}

function SavedList() {
  if (!can("documents")) return null;
  return (
    <Pop label="Saved insights" face="Saved">
      {(close) => <SavedItems close={close} />}
    </Pop>
  );
}

function SavedItems({ close }: { close: () => void }) {
  const all = useLoad("insights list", () => listDocuments("insights"));
  if (all.state === "asking") return <span class="meta">Asking…</span>;
  if (all.state === "failed") return <span class="meta">{all.fault?.detail}</span>;
  return (
    <>
      {(all.value ?? []).map(({ slug, name }) => (
        <a key={slug} href={pageHref("insights", { id: slug, from: "-7d", to: "", cmp: "", f: [] })} onClick={close}>
          {name}
        </a>
      ))}
      {all.value?.length === 0 && (
        <span class="meta" style={{ padding: "8px" }}>
          None yet. Save keeps the question with its range and filters.
        </span>
      )}
      <hr />
      <a href={pageHref("insights")} onClick={close}>
        <Icon name="plus" />
        New insight
      </a>
    </>
  );
}
