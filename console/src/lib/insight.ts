// Insights as the builder edits them: defaults, sentences, templates.
import { event, type Insight, type Kind, type Series } from "./question";
import type { EventDefinition } from "../ui/filters";

export const KINDS: [Kind, string][] = [
  ["TrendsQuery", "Trends"],
  ["FunnelsQuery", "Funnel"],
  ["RetentionQuery", "Retention"],
  ["PathsQuery", "Paths"],
  ["LifecycleQuery", "Lifecycle"],
  ["StickinessQuery", "Stickiness"],
];

export const MATHS: [string, string][] = [
  ["total", "count"],
  ["dau", "people"],
  ["weekly_active", "people in 7 days"],
  ["monthly_active", "people in 30 days"],
  ["unique_session", "visits"],
  ["sum", "sum of"],
  ["avg", "mean of"],
  ["median", "median of"],
  ["p90", "p90 of"],
  ["p95", "p95 of"],
  ["min", "least"],
  ["max", "most"],
];
export const NEEDS_PROPERTY = ["sum", "avg", "median", "p90", "p95", "p99", "min", "max"];

export function defaultInsight(kind: Kind, events: EventDefinition[] = [], from?: Insight): Insight {
  const busy = events.filter(({ name }) => name === "$pageview" || !name.startsWith("$")).map(({ name }) => name);
  const first = from?.series?.[0]?.event ?? busy[0] ?? "$pageview";
  const series = from?.series?.length ? from.series : [event(first)];
  switch (kind) {
    case "FunnelsQuery": {
      const names = [...new Set([...series.map((one) => one.event ?? "$pageview"), ...busy])].slice(0, Math.max(series.length, 2));
      if (names.length < 2) names.push("$pageleave");
      return {
        kind,
        series: names.map((name) => event(name)),
        funnelsFilter: { funnelVizType: "steps", funnelOrderType: "ordered", funnelWindowInterval: 14, funnelWindowIntervalUnit: "day" },
      };
    }
    case "RetentionQuery":
      return {
        kind,
        retentionFilter: {
          period: "Day",
          retentionType: "retention_first_time",
          targetEntity: { id: first, type: "events" },
          returningEntity: { id: first, type: "events" },
        },
      };
    case "PathsQuery":
      return { kind, pathsFilter: { includeEventTypes: ["$pageview"], stepLimit: 5, edgeLimit: 50 } };
    case "LifecycleQuery":
      return { kind, series: [event(first)] };
    case "StickinessQuery":
      return { kind, series: [event(first, "dau")] };
    default:
      return { kind: "TrendsQuery", series: series.map(({ event: name, math }) => event(name, math)) };
  }
}

export function seriesWords({ event: name, math = "total", math_property }: Series): string {
  const what = name ?? "any event";
  const word = MATHS.find(([key]) => key === math)?.[1] ?? math;
  if (NEEDS_PROPERTY.includes(math)) return `${word} ${math_property ?? "…"} of ${what}`;
  return math === "total" ? what : `${word} who did ${what}`;
}

/** The question as a sentence; the phone shows it in place of the form. */
export function sentence(insight: Insight): string {
  const by = insight.breakdownFilter?.breakdown;
  const tail = by === undefined ? "" : `, by ${by}`;
  switch (insight.kind) {
    case "FunnelsQuery":
      return `${(insight.series ?? []).map(({ event: name }) => name ?? "any event").join(" → ")}${tail}`;
    case "RetentionQuery":
      return `People who did ${insight.retentionFilter?.["targetEntity"]?.id ?? "any event"} and came back for ${insight.retentionFilter?.["returningEntity"]?.id ?? "any event"}${tail}`;
    case "PathsQuery":
      return `Ways ${insight.pathsFilter?.["startPoint"] ? `from ${insight.pathsFilter["startPoint"]}` : "through the pages"}${insight.pathsFilter?.["endPoint"] ? ` to ${insight.pathsFilter["endPoint"]}` : ""}`;
    case "LifecycleQuery":
      return `New, returning and dormant people of ${insight.series?.[0]?.event ?? "any event"}`;
    case "StickinessQuery":
      return `Days people did ${insight.series?.[0]?.event ?? "any event"} on`;
    default:
      return `${(insight.series ?? []).map(seriesWords).join(", ")}${insight.trendsFilter?.formula ? ` as ${insight.trendsFilter.formula}` : ""}${tail}`;
  }
}
