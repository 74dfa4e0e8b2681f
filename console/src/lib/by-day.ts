// A question that was too long for the engine, asked again a day at a time where its days add up to it: trends
// by day without a breakdown. What does not answer then is left out and named. Loaded when it is needed.
import { wallClock } from "./format";
import type { Answer, Query } from "./ask";
import { Refused } from "./session";

const DAY_MS = 86_400_000;
const DAYS_MAX = 92;
const AT_ONCE = 2;
/** The newest days that fail in a row before it is no day's fault. */
const GIVEN_UP_AFTER = 2;
/** Kinds of sums whose bucket is made from its own day's events alone. */
const MATHS = [
  undefined,
  "total",
  "dau",
  "unique_session",
  "unique_group",
  "sum",
  "avg",
  "min",
  "max",
  "median",
  "p75",
  "p90",
  "p95",
  "p99",
];
const DISPLAYS = [undefined, "ActionsLineGraph", "ActionsBar", "ActionsAreaGraph"];

const dayText = (ms: number) => new Date(ms).toISOString().slice(0, 10);

/** The days that a question is about, oldest first; null when it is not the sum of them. */
export function daysOf(query: Query, now: number): string[] | null {
  const { dateRange, trendsFilter, series, breakdownFilter, compareFilter } = query as Record<string, any>;
  if (query.kind !== "TrendsQuery" || query["interval"] !== "day" || breakdownFilter !== undefined || compareFilter !== undefined)
    return null;
  if (!DISPLAYS.includes(trendsFilter?.display) || (trendsFilter?.smoothingIntervals ?? 1) !== 1) return null;
  if (!Array.isArray(series) || !series.every(({ math }) => MATHS.includes(math))) return null;
  const today = Date.parse(`${wallClock(now).slice(0, 10)}T00:00:00Z`);
  const { date_from, date_to } = dateRange ?? {};
  const back = /^-(\d{1,3})d$/.exec(date_from ?? "")?.[1];
  const isDay = (text: unknown) => typeof text === "string" && /^\d{4}-\d\d-\d\d$/.test(text);
  const from = back !== undefined ? today - Number(back) * DAY_MS : isDay(date_from) ? Date.parse(`${date_from}T00:00:00Z`) : Number.NaN;
  const to = date_to === undefined || date_to === null ? today : isDay(date_to) ? Date.parse(`${date_to}T00:00:00Z`) : Number.NaN;
  const count = (to - from) / DAY_MS + 1;
  return count >= 2 && count <= DAYS_MAX ? Array.from({ length: count }, (_, i) => dayText(from + i * DAY_MS)) : null;
}

/** One answer made of the days'; days without an answer are gaps in it. */
export function joined(days: string[], parts: Map<string, Answer>): Answer {
  const first = days.map((day) => parts.get(day)).find((part) => part !== undefined)!;
  const sum = (of: (part: Answer) => number | undefined) => [...parts.values()].reduce((all, part) => all + (of(part) ?? 0), 0);
  const results = (first.results as any[]).map((line, k) => {
    const lines = days.map((day) => parts.get(day)?.results[k]);
    const each = (name: string, none: (day: string) => unknown) => lines.map((one, i) => one?.[name]?.[0] ?? none(days[i]!));
    return {
      ...line,
      data: each("data", () => null),
      labels: each("labels", (day) => day),
      days: each("days", (day) => day),
      count: lines.reduce((all, one) => all + (one?.count ?? 0), 0),
    };
  });
  const newest = parts.get([...days].reverse().find((day) => parts.has(day))!)!;
  return {
    ...newest,
    results,
    hogflare: {
      ...newest.hogflare,
      bytes_scanned: sum((part) => part.hogflare?.bytes_scanned),
      duration_ms: sum((part) => part.hogflare?.duration_ms),
      days_missing: days.filter((day) => !parts.has(day)),
    },
  };
}

/**
 * Asks for the days, the newest first, two at a time.
 * @param fault why the whole was refused; thrown when the days fail as well
 */
export async function askByDay(
  query: Query,
  days: string[],
  fault: unknown,
  askOne: (query: Query) => Promise<Answer>,
  onDay: (done: number) => void,
): Promise<Answer> {
  const parts = new Map<string, Answer>();
  const left = [...days].reverse();
  let done = 0;
  const work = async () => {
    for (let day = left.shift(); day !== undefined; day = left.shift()) {
      try {
        parts.set(day, await askOne({ ...query, dateRange: { date_from: day, date_to: day } }));
      } catch (refused) {
        if (!(refused instanceof Refused) || refused.status === 401) throw refused;
      }
      onDay(++done);
      if (parts.size === 0 && done >= GIVEN_UP_AFTER) throw fault;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return joined(days, parts);
}
