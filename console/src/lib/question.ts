// Questions in the shapes that the core compiles (docs/INSIGHTS.md), and what a page's address adds.
import { dateRange, intervalOf, propertyFilter, spanDays, type Route } from "./state";
import type { Query } from "./ask";

export type Kind = "TrendsQuery" | "FunnelsQuery" | "RetentionQuery" | "PathsQuery" | "LifecycleQuery" | "StickinessQuery";

export interface Series {
  kind: "EventsNode";
  event: string | null;
  math?: string;
  math_property?: string;
  properties?: unknown[];
  [more: string]: unknown;
}

/** An insight without its range and filters: those stand in the address. */
export interface Insight {
  kind: Kind;
  series?: Series[];
  trendsFilter?: { display?: string; formula?: string };
  breakdownFilter?: { breakdown?: string; breakdown_type?: string; breakdown_limit?: number };
  funnelsFilter?: Record<string, unknown>;
  retentionFilter?: Record<string, any>;
  pathsFilter?: Record<string, any>;
  [more: string]: unknown;
}

const INTERVALS: Partial<Record<string, boolean>> = {
  TrendsQuery: true,
  FunnelsQuery: true,
  LifecycleQuery: true,
  StickinessQuery: true,
};
const COMPARES = ["TrendsQuery", "StickinessQuery", "WebOverviewQuery", "WebStatsTableQuery"];

export function compareFilter(cmp: string): { compare: true; compare_to?: string } | null {
  if (cmp === "prev") return { compare: true };
  if (cmp === "weekday") return { compare: true, compare_to: "-1w" };
  if (cmp === "year") return { compare: true, compare_to: "-1y" };
  return null;
}

/** The question as it is asked. */
export function withState(insight: { kind: string } & Record<string, unknown>, state: Route): Query {
  const query: Query = { ...insight };
  if (insight.kind === "RetentionQuery") {
    const filter = (insight as unknown as Insight).retentionFilter ?? {};
    const period = String(filter["period"] ?? "Day");
    const days = { Hour: 1 / 24, Day: 1, Week: 7, Month: 30 }[period] ?? 1;
    const total = Math.min(Math.max(Math.round(spanDays(state) / days) + 1, 3), 31);
    query["retentionFilter"] = { totalIntervals: total, ...filter };
    const { date_to } = dateRange(state);
    if (date_to !== undefined) query["dateRange"] = { date_to };
  } else if (query["dateRange"] === undefined) {
    query["dateRange"] = dateRange(state);
  }
  if (INTERVALS[insight.kind]) query["interval"] ??= intervalOf(state);
  // By hours, a last day that is a date alone ends where it begins, as in PostHog.
  const range = query["dateRange"] as { date_to?: string } | undefined;
  if (query["interval"] === "hour" && /^\d{4}-\d\d-\d\d$/.test(range?.date_to ?? ""))
    query["dateRange"] = { ...range, date_to: `${range!.date_to}T23:59:59` };
  const own = (insight["properties"] as unknown[] | undefined) ?? [];
  const properties = [...own, ...state.f.map(propertyFilter)];
  if (properties.length > 0) query["properties"] = properties;
  else delete query["properties"];
  const compare = compareFilter(state.cmp);
  if (compare !== null && COMPARES.includes(insight.kind)) query["compareFilter"] ??= compare;
  return query;
}

export const event = (name: string | null, math?: string): Series =>
  math === undefined || math === "total" ? { kind: "EventsNode", event: name } : { kind: "EventsNode", event: name, math };

// -- Who is behind a number -----------------------------------------------------------------------

/**
 * A point as the address keeps it: kind, then its parts, separated by ":" and escaped.
 *   pt:DAY:SERIES[:BREAKDOWN[:previous]]   trends    life:DAY:STATUS   stick:DAYS:SERIES
 *   fun:STEP[:BREAKDOWN]  (negative: left before that step)     ret:ROW:COLUMN     path:SOURCE>TARGET
 */
export const pointText = (kind: string, ...parts: (string | number | undefined)[]) =>
  [kind, ...parts.map((part) => encodeURIComponent(String(part ?? "")))].join(":").replace(/:+$/, "");
export function pointParts(text: string): string[] {
  return text.split(":").map((part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  });
}

/** One question makes the number and the list: the same document is the list's source. */
export function actorsOf(source: Query, point: string, extra: Record<string, unknown> = {}): Query | null {
  const [kind, a = "", b = "", c = ""] = pointParts(point);
  const wrap = (inner: Record<string, unknown>): Query => ({
    kind: "ActorsQuery",
    source: inner,
    select: ["actor", "created_at"],
    limit: 100,
    ...extra,
  });
  const insight = (more: Record<string, unknown>) => ({ kind: "InsightActorsQuery", source, ...more });
  switch (kind) {
    case "pt": {
      const more: Record<string, unknown> = { series: Number(b || 0) };
      if (a !== "") more["day"] = a;
      const [value = "", period = ""] = [c, pointParts(point)[4]];
      if (value !== "") more["breakdown"] = value;
      if (period === "previous") more["compare"] = "previous";
      return wrap(insight(more));
    }
    case "life":
      return wrap(insight({ day: a, status: b }));
    case "stick":
      return wrap(insight({ day: Number(a), series: Number(b || 0) }));
    case "ret":
      // Who came back so many periods later stands on the row; 0 is the cohort itself.
      return wrap(insight({ interval: Number(a), ...(b === "" ? {} : { day: Number(b) }) }));
    case "fun": {
      const inner: Record<string, unknown> = { kind: "FunnelsActorsQuery", source, funnelStep: Number(a) };
      if (b !== "") inner["funnelStepBreakdown"] = b;
      return wrap(inner);
    }
    case "path": {
      const inner: Record<string, unknown> = { ...((source["pathsFilter"] as object) ?? {}) };
      if (a !== "") inner["pathStartKey"] = a;
      if (b !== "") inner["pathEndKey"] = b;
      return wrap({ kind: "InsightActorsQuery", source: { ...source, pathsFilter: inner } });
    }
    default:
      return null;
  }
}

export const BREAKDOWN_NULL = "$$_posthog_breakdown_null_$$";
export const BREAKDOWN_OTHER = "$$_posthog_breakdown_other_$$";
export function breakdownLabel(value: unknown): string {
  if (Array.isArray(value)) return value.map(breakdownLabel).join(" · ");
  if (value === BREAKDOWN_NULL || value === "" || value === null || value === undefined) return "(not set)";
  if (value === BREAKDOWN_OTHER) return "Other";
  return String(value);
}
