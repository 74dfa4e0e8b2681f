// The default dashboard: useful on day one, from $pageview alone.
import { useState, useEffect } from "preact/hooks";
import { exact, isOpen, number, plural } from "../lib/format";
import { pack } from "../lib/pack";
import { event, pointText, pointParts, withState, type Insight } from "../lib/question";
import { go, pageHref, route } from "../lib/router";
import { can, isAdmin, team } from "../lib/session";
import { intervalOf } from "../lib/state";
import { useLoad, useQuestion, type Answer, type Asked } from "../lib/ask";
import { Answered, Block, Delta, NoEngine, Num, Table } from "../ui/kit";
import { bucketName, bucketWords, LineChart } from "../chart/line";
import { Lifecycle, type LifecycleLine } from "../chart/lifecycle";
import { loadEvents } from "../ui/filters";
import { PeoplePanel } from "../ui/people";
import { linesOf, Stats } from "./web";
import { later } from "../ui/later";
import { railHealth } from "../ui/pages";
import { equationOf, healthSentence } from "../lib/health";

const FirstRun = later(() => import("../ui/first-run").then((part) => part.FirstRun));

/** A link to the builder with this question in it. */
export function useInsightHref(insight: Insight): string {
  const [q, set] = useState("");
  useEffect(() => {
    void pack(insight).then(set);
  }, [JSON.stringify(insight)]);
  return pageHref("insights", { q, f: route.value.f, i: route.value.i });
}

/** What the tile of the deploy is made of: the first of these that the project sends. */
const SIGN_UPS = [/sign.?up|register/i, /purchase|checkout/i, /order/i];

export function TrendTile({
  title,
  insight,
  n,
  class: cls = "m",
  height = 180,
  cmp,
}: {
  title: string;
  insight: Insight;
  n: number;
  class?: string;
  height?: number;
  cmp?: string;
}) {
  const state = cmp !== undefined && route.value.cmp === "" ? { ...route.value, cmp } : route.value;
  const source = withState(insight, state);
  const asked = useQuestion(source);
  const href = useInsightHref(insight);
  const interval = intervalOf(state);
  const parts = pointParts(route.value.sel);
  const mine = parts[0] === `t${n}`;
  return (
    <Block title={<a href={href}>{title}</a>} name={title} class={cls} flush>
      <Answered
        asked={asked}
        height={height + 60}
        name="trend"
        isEmpty={(answer) => (answer.results as any[]).every((one) => one.count === 0)}
        empty={`No ${insight.series?.[0]?.event ?? "events"} in this range.`}
      >
        {(answer) => {
          const lines = linesOf(answer);
          const until = answer.hogflare?.data_until ?? answer.hogflare?.as_of;
          const last = lines[0]?.days.at(-1);
          const open = last !== undefined && until != null && isOpen(last, interval, until);
          // A bucket that goes on is in the sum, and in no comparison and no mean.
          const whole = (lines[0]?.data.length ?? 0) - (open ? 1 : 0);
          const sum = (k: number, to?: number) => (lines[k]?.data ?? []).slice(0, to).reduce<number>((a, b) => a + (b ?? 0), 0);
          const people = insight.series?.[0]?.math === "dau";
          const mean = whole > 0 ? sum(0, whole) / whole : sum(0);
          return (
            <div style={{ padding: "0 4px" }}>
              <p class="row" style={{ padding: "0 12px", alignItems: "baseline" }}>
                <span class="big">
                  <Num value={people ? Math.round(mean) : sum(0)} />
                </span>
                {lines[1]?.ghost && sum(1, whole) > 0 && <Delta now={sum(0, whole)} before={sum(1, whole)} />}
                <span class="meta">
                  {people ? `people ${interval === "hour" ? "an hour" : `a ${interval}`}, mean of whole ${interval}s` : "in the range"}
                  {lines[1]?.ghost && sum(1, whole) === 0
                    ? "; nothing in the span before"
                    : lines[1]?.ghost && open && !people
                      ? `; compared without the open ${interval}`
                      : ""}
                </span>
              </p>
              <LineChart
                lines={lines}
                interval={interval}
                name={title}
                height={height}
                open={open}
                until={until}
                onPoint={(line, point) =>
                  go({ sel: pointText(`t${n}`, bucketName(lines[line]!.days, point), 0, "", lines[line]!.ghost ? "previous" : "") })
                }
                onZoom={(from, to) => go({ from: from.slice(0, 10), to: to.slice(0, 10) })}
                onZoomOut={() => history.back()}
              />
            </div>
          );
        }}
      </Answered>
      {mine && (
        <PeoplePanel
          source={source}
          point={`pt:${route.value.sel.split(":").slice(1).join(":")}`}
          title={`${title}, ${bucketWords(parts[1] ?? "", interval)}`}
        />
      )}
    </Block>
  );
}

/** Who is new and who came back, of the people the project knows. */
function LifecycleTile() {
  const insight: Insight = { kind: "LifecycleQuery", series: [event("$pageview")] };
  const source = withState(insight, route.value);
  const asked = useQuestion(source);
  const href = useInsightHref(insight);
  const { sel } = route.value;
  const [, day, status] = pointParts(sel);
  return (
    <Block title={<a href={href}>New and returning people</a>} name="New and returning people" class="m" flush>
      <Answered
        asked={asked}
        height={340}
        name="lifecycle"
        isEmpty={(answer) => (answer.results as LifecycleLine[]).every(({ data }) => data.every((n) => n === 0))}
        empty="No $pageview of a person in this range."
      >
        {(answer) => (
          <Lifecycle
            lines={answer.results as LifecycleLine[]}
            interval={intervalOf(route.value)}
            until={answer.hogflare?.data_until ?? answer.hogflare?.as_of ?? ""}
            withTable={false}
            onPick={(on, which) => go({ sel: pointText("life", on, which) })}
          />
        )}
      </Answered>
      {sel.startsWith("life:") && (
        <PeoplePanel source={source} point={sel} title={`${status ?? ""}, ${bucketWords(day ?? "", intervalOf(route.value))}`} />
      )}
    </Block>
  );
}

const EVENTS_DRAWN_MAX = 10;
/** Names that are asked for: one among them is to be the sign-ups'. */
const EVENTS_ASKED_MAX = 100;
const EVENTS: Insight = {
  kind: "TrendsQuery",
  series: [event(null)],
  trendsFilter: { display: "ActionsBarValue" },
  breakdownFilter: { breakdown: "event", breakdown_type: "event_metadata", breakdown_limit: EVENTS_ASKED_MAX },
};

interface EventCount {
  name: string;
  count: number;
}
function countsOf(answer: Answer): EventCount[] {
  return (answer.results as any[])
    .map((one) => ({ name: String(one.label), count: Number(one.aggregated_value) }))
    .filter(({ count }) => count > 0);
}
const isOther = ({ name }: EventCount) => name.includes("other_$$");

function EventsTile({ asked }: { asked: Asked }) {
  return (
    <Block title={<a href={pageHref("live")}>Events by name</a>} name="Events by name" class="t" flush>
      <Answered asked={asked} height={300} name="events" isEmpty={(answer) => answer.results.length === 0}>
        {(answer) => {
          const all = countsOf(answer);
          const rows = all.filter((row) => !isOther(row)).slice(0, EVENTS_DRAWN_MAX);
          const rest = all.filter((row) => !rows.includes(row)).reduce((sum, { count }) => sum + count, 0);
          if (rest > 0) rows.push({ name: "Other", count: rest });
          const top = Math.max(...rows.map(({ count }) => count), 1);
          return (
            <Table
              label="Events by name"
              rows={rows}
              first={false}
              touch={false}
              columns={[
                { key: "name", name: "Event", cell: (row) => <span class="cut">{row.name}</span>, bar: (row) => row.count / top },
                { key: "count", name: "Events", num: true, cell: (row) => <Num value={row.count} />, sort: (row) => row.count },
              ]}
            />
          );
        }}
      </Answered>
    </Block>
  );
}

function ErrorsTile() {
  const asked = useQuestion({
    kind: "ErrorTrackingQuery",
    dateRange: { date_from: "-7d" },
    orderBy: "users",
    orderDirection: "DESC",
    limit: 6,
  });
  return (
    <Block title={<a href={pageHref("errors")}>Errors, 7 days</a>} name="Errors" class="m" flush>
      <Answered
        asked={asked}
        height={300}
        name="errors"
        isEmpty={(answer) => answer.results.length === 0}
        empty="No exception in 7 days. Nothing is caught where the SDK's exception capture is off."
      >
        {(answer) => (
          <Table<any>
            label="Errors"
            rows={answer.results as any[]}
            first={false}
            touch={false}
            onPick={(row) => go({ page: "errors", id: row.id, sel: "" })}
            columns={[
              {
                key: "name",
                name: "Issue",
                cell: (row) => (
                  <span class="cut" title={row.description}>
                    <b>{row.name}</b> <span class="dim">{row.description}</span>
                  </span>
                ),
              },
              { key: "users", name: "People", num: true, cell: (row) => <Num value={row.aggregations.users} /> },
            ]}
          />
        )}
      </Answered>
    </Block>
  );
}

function IngestionTile() {
  const health = railHealth.value;
  const told = health.value === undefined ? null : healthSentence(health.value);
  const equation = health.value === undefined ? undefined : equationOf(health.value);
  return (
    <Block title={<a href={pageHref("health")}>Ingestion</a>} name="Ingestion" class="l">
      {told === null ? (
        <span class="dim">{health.state === "failed" ? health.fault?.detail : "Asking the Worker…"}</span>
      ) : (
        <p>
          <span class={told.tone}>●</span> {told.text}{" "}
          {equation !== undefined && (
            <span class="meta">
              accepted {exact(equation.accepted)} · landed {exact(equation.landed)} · waiting {number(equation.waiting)} · rejected{" "}
              {number(equation.rejected)} · quarantined {number(equation.quarantined)}
            </span>
          )}
        </p>
      )}
    </Block>
  );
}

export default function Home() {
  const counts = useQuestion(can("sql") ? withState(EVENTS, route.value) : null);
  const names = counts.answer === undefined ? [] : countsOf(counts.answer).filter((row) => !isOther(row));
  // Only where nothing is in the range the project's names are asked for: there may be none at all.
  const isBare = counts.answer !== undefined && names.length === 0 && route.value.f.length === 0;
  const known = useLoad(isBare ? `events ${team()}` : null, loadEvents);
  if (!can("sql"))
    return (
      <div class="stack">
        <Block>
          <NoEngine />
        </Block>
        <IngestionTile />
      </div>
    );
  if (isBare && known.value?.length === 0) return <FirstRun />;
  const own = names.map(({ name }) => name).filter((name) => !name.startsWith("$"));
  const sign = SIGN_UPS.map((pattern) => own.find((name) => pattern.test(name))).find((name) => name !== undefined);
  return (
    <div class="stack">
      <div class="grid twelve">
        <TrendTile n={1} title="Active people" cmp="prev" insight={{ kind: "TrendsQuery", series: [event(null, "dau")] }} />
        <TrendTile n={2} title="Page views" insight={{ kind: "TrendsQuery", series: [event("$pageview")] }} />
        {sign !== undefined && (
          <TrendTile
            n={3}
            title={`${sign}, against the same hours a week before`}
            cmp="weekday"
            insight={{ kind: "TrendsQuery", series: [event(sign)] }}
            class="l"
            height={150}
          />
        )}
        <div class="t">
          <Stats title="Pages" tabs={[["Page", "Pages", "e", "$pathname"]]} limit={8} />
        </div>
        <div class="t">
          <Stats title="Sources" tabs={[["InitialReferringDomain", "Sources", "s", "$entry_referring_domain"]]} limit={8} />
        </div>
        <EventsTile asked={counts} />
        <LifecycleTile />
        <ErrorsTile />
        <IngestionTile />
      </div>
      {sign !== undefined && (
        <p class="meta">
          {plural(1, "tile")} made because an event is named {sign}.{" "}
          {isAdmin() && <a href={pageHref("dashboards")}>Make a dashboard of your own</a>}
        </p>
      )}
    </div>
  );
}
