// Visitors, views, visits; where they come from and what they see. A click on a row filters the page.
import { useMemo, useState } from "preact/hooks";
import { duration, exact, isOpen, number, percent } from "../lib/format";
import { event, pointText, pointParts, withState } from "../lib/question";
import { go, pageHref, route } from "../lib/router";
import { intervalOf, type Filter } from "../lib/state";
import { useQuestion, type Answer, type Query } from "../lib/ask";
import { Answered, Block, Delta, Num, Table, Tabs } from "../ui/kit";
import { bucketName, bucketWords, LineChart, type Line } from "../chart/line";
import { isFiltered, toggleFilter } from "../ui/filters";
import { PeoplePanel } from "../ui/people";

interface Figure {
  key: string;
  name: string;
  of: (value: number | null) => string;
  moreIsWorse?: boolean;
  /** The chart's question when this figure is picked. */
  math: string;
  event: string | null;
  property?: string;
  hint: string;
}
const FIGURES: Figure[] = [
  { key: "visitors", name: "Visitors", of: number, math: "dau", event: "$pageview", hint: "Distinct people with a view in the range" },
  { key: "views", name: "Views", of: number, math: "total", event: "$pageview", hint: "Events $pageview and $screen" },
  {
    key: "sessions",
    name: "Visits",
    of: number,
    math: "unique_session",
    event: "$pageview",
    hint: "By $session_id: a pause of 30 minutes begins a new one",
  },
  {
    key: "bounce rate",
    name: "Bounce",
    of: (value) => percent(value === null ? null : value / 100),
    moreIsWorse: true,
    math: "unique_session",
    event: "$pageview",
    hint: "Visits of one view, no autocapture, under 10 seconds",
  },
  {
    key: "session duration",
    name: "Visit length",
    of: (value) => duration(value),
    math: "avg",
    event: "$pageview",
    property: "$session_duration",
    hint: "Mean of the visits",
  },
];

interface OverviewItem {
  key: string;
  value: number | null;
  previous: number | null;
}

export function useOverview() {
  return useQuestion(withState({ kind: "WebOverviewQuery" }, route.value));
}

function trendOf(figure: Figure): Query {
  const series = { ...event(figure.event, figure.math), ...(figure.property === undefined ? {} : { math_property: figure.property }) };
  return withState({ kind: "TrendsQuery", series: [series] }, route.value);
}

export function linesOf(answer: Answer): Line[] {
  return (answer.results as any[]).map((one, n) => ({
    label: String(one.label),
    data: one.data as number[],
    days: one.days as string[],
    color: one.compare_label === "previous" ? 0 : n,
    ghost: one.compare_label === "previous",
  }));
}

export default function Web() {
  const state = route.value;
  const [picked, pick] = useState("visitors");
  const overview = useOverview();
  const figure = FIGURES.find(({ key }) => key === picked)!;
  const source = useMemo(() => trendOf(figure), [picked, JSON.stringify([state.f, state.from, state.to, state.cmp, state.i])]);
  const trend = useQuestion(source);
  const interval = intervalOf(state);
  const [kind, day = ""] = pointParts(state.sel);
  return (
    <div class="stack">
      <Block flush name="Web figures">
        <Answered asked={overview} height={62} line={false}>
          {(answer) => (
            <div class="figures">
              {FIGURES.map((one) => {
                const item = (answer.results as OverviewItem[]).find(({ key }) => key === one.key);
                return (
                  <button
                    type="button"
                    class="figure"
                    key={one.key}
                    aria-pressed={picked === one.key}
                    title={one.hint}
                    onClick={() => pick(one.key)}
                  >
                    <span class="name">{one.name}</span>
                    <span class="row" style={{ alignItems: "baseline" }}>
                      <span class="big" title={exact(item?.value)}>
                        {one.of(item?.value ?? null)}
                      </span>
                    </span>
                    <span class="delta">
                      {item !== undefined && item.value !== null && item.previous !== null ? (
                        <Delta now={item.value} before={item.previous} moreIsWorse={one.moreIsWorse ?? false} />
                      ) : (
                        "\u00a0"
                      )}
                    </span>
                  </button>
                );
              })}
            </div>
          )}
        </Answered>
        <Answered asked={trend} height={240} name="web" isEmpty={(answer) => answer.results.length === 0}>
          {(answer) => {
            const lines = linesOf(answer);
            const until = answer.hogflare?.data_until ?? answer.hogflare?.as_of;
            const last = lines[0]?.days.at(-1);
            return (
              <div style={{ padding: "8px 4px 0" }}>
                {picked === "bounce rate" && (
                  <p class="meta" style={{ padding: "0 12px" }}>
                    The line shows visits; the rate is of the whole range.
                  </p>
                )}
                <LineChart
                  lines={lines}
                  interval={interval}
                  name={`${figure.name} by ${interval}`}
                  height={240}
                  open={last !== undefined && until != null && isOpen(last, interval, until)}
                  until={until}
                  format={figure.key === "session duration" ? duration : number}
                  onPoint={(line, point) =>
                    go({ sel: pointText("pt", bucketName(lines[line]!.days, point), 0, "", lines[line]!.ghost ? "previous" : "") })
                  }
                  onZoom={(from, to) => go({ from: from.slice(0, 10), to: to.slice(0, 10) })}
                  onZoomOut={() => history.back()}
                />
              </div>
            );
          }}
        </Answered>
      </Block>
      <div class="grid two">
        <Stats
          title="Sources"
          tabs={[
            ["InitialReferringDomain", "Referrer", "s", "$entry_referring_domain"],
            ["InitialChannelType", "Channel", "", ""],
            ["InitialUTMSource", "UTM source", "s", "$entry_utm_source"],
            ["InitialUTMMedium", "Medium", "s", "$entry_utm_medium"],
            ["InitialUTMCampaign", "Campaign", "s", "$entry_utm_campaign"],
          ]}
        />
        <Stats
          title="Pages"
          tabs={[
            ["Page", "Page", "e", "$pathname"],
            ["InitialPage", "Entry", "s", "$entry_pathname"],
            ["ExitPage", "Exit", "s", "$end_pathname"],
          ]}
        />
        <Stats
          title="Places"
          tabs={[
            ["Country", "Country", "e", "$geoip_country_code"],
            ["Region", "Region", "", ""],
            ["City", "City", "e", "$geoip_city_name"],
          ]}
        />
        <Stats
          title="Devices"
          tabs={[
            ["DeviceType", "Device", "e", "$device_type"],
            ["Browser", "Browser", "e", "$browser"],
            ["OS", "System", "e", "$os"],
          ]}
        />
      </div>
      <p class="meta">
        Visitors without a person are counted by a number that lasts a day: their coming back on another day cannot be seen.
      </p>
      {kind === "pt" && <PeoplePanel source={source} point={state.sel} title={`${figure.name}, ${bucketWords(day, interval)}`} />}
    </div>
  );
}

type StatRow = [string | null, [number, number | null], [number, number | null]];
const regions = typeof Intl.DisplayNames === "function" ? new Intl.DisplayNames(undefined, { type: "region" }) : null;
function nameOf(by: string, value: string | null): string {
  if (value === null || value === "") return "(not set)";
  if (value === "$direct") return "Direct / none";
  if (by === "Country" && /^[A-Z]{2}$/.test(value)) return regions?.of(value) ?? value;
  return value;
}

export function Stats({ title, tabs, limit = 10 }: { title: string; tabs: [string, string, string, string][]; limit?: number }) {
  const [by, pick] = useState(tabs[0]![0]);
  const [all, showAll] = useState(false);
  const [search, find] = useState("");
  const [, , scope, property] = tabs.find(([key]) => key === by)!;
  const asked = useQuestion(withState({ kind: "WebStatsTableQuery", breakdownBy: by, limit: all ? 1_000 : limit }, route.value));
  const filterOf = (row: StatRow): Filter | null =>
    scope === ""
      ? null
      : row[0] === null
        ? { scope: scope as "e", key: property!, op: "unset", values: [] }
        : { scope: scope as "e", key: property!, op: "is", values: [row[0]] };
  return (
    <Block flush name={title} title={tabs.length === 1 ? <a href={pageHref("web")}>{title}</a> : undefined}>
      {tabs.length > 1 && (
        <Tabs
          tabs={tabs.map(([key, name]) => [key, name])}
          now={by}
          label={title}
          onPick={(key) => {
            pick(key);
            showAll(false);
          }}
        />
      )}
      <Answered
        asked={asked}
        height={340}
        name={title.toLowerCase()}
        isEmpty={(answer) => answer.results.length === 0}
        empty={`No visits with ${title.toLowerCase()} in this range.`}
      >
        {(answer) => {
          const rows = (answer.results as StatRow[]).filter(
            ([value]) => search === "" || nameOf(by, value).toLowerCase().includes(search.toLowerCase()),
          );
          const top = Math.max(...rows.map((row) => row[1][0]), 1);
          const compared = rows.some((row) => row[1][1] !== null);
          return (
            <>
              {all && (
                <div style={{ padding: "6px 12px" }}>
                  <input
                    class="input"
                    placeholder="Search…"
                    aria-label={`Search ${title.toLowerCase()}`}
                    value={search}
                    onInput={(event) => find(event.currentTarget.value)}
                  />
                </div>
              )}
              <Table<StatRow>
                label={title}
                rows={rows}
                height={all ? 420 : 352}
                first={false}
                touch={false}
                columns={[
                  {
                    key: "name",
                    name: tabs.find(([key]) => key === by)![1],
                    bar: (row) => row[1][0] / top,
                    cell: (row) => {
                      const filter = filterOf(row);
                      const text = (
                        <span class="cut" dir="auto" title={row[0] ?? ""}>
                          {filter !== null && isFiltered(filter) ? "✓ " : ""}
                          {nameOf(by, row[0])}
                        </span>
                      );
                      return filter === null ? (
                        text
                      ) : (
                        <button
                          type="button"
                          class="link plain"
                          style={{ maxWidth: "100%" }}
                          title="Filter the page by this"
                          onClick={() => toggleFilter(filter)}
                        >
                          {text}
                        </button>
                      );
                    },
                  },
                  { key: "visitors", name: "Visitors", num: true, cell: (row) => <Num value={row[1][0]} />, sort: (row) => row[1][0] },
                  ...(compared
                    ? [{ key: "delta", name: "", num: true, cell: (row: StatRow) => <Delta now={row[1][0]} before={row[1][1]} /> }]
                    : []),
                  { key: "views", name: "Views", num: true, cell: (row) => <Num value={row[2][0]} />, sort: (row) => row[2][0] },
                ]}
              />
              {(answer.hasMore || all) && (
                <p style={{ padding: "4px 12px" }}>
                  <button type="button" class="link" onClick={() => showAll(!all)}>
                    {all ? `Top ${limit}` : "Show all"}
                  </button>
                  {all && answer.hasMore && <span class="meta"> the first 1,000</span>}
                </p>
              )}
            </>
          );
        }}
      </Answered>
    </Block>
  );
}
