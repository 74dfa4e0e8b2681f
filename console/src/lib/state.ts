// The address is the page: everything unsaved stands in it, short and readable.
//
//   /app/1/web?from=-30d&f=e.$browser~is~Safari&cmp=prev
//
// Pure functions; tests/console/state.test.mjs has the table of cases.

export type Scope = "e" | "p" | "s";
export type Op = "is" | "not" | "has" | "hasnt" | "re" | "gt" | "gte" | "lt" | "lte" | "set" | "unset";

/** One chip: property, operator, values (none for set and unset). */
export interface Filter {
  scope: Scope;
  key: string;
  op: Op;
  values: string[];
}

export interface Route {
  team: number;
  page: string;
  id: string;
  from: string;
  to: string;
  /** "" none, "prev" the span before, "year", "weekday" the same hours a week ago. */
  cmp: string;
  /** Interval, "" for the one that fits the range. */
  i: string;
  f: Filter[];
  /** The packed question (lib/pack.ts). */
  q: string;
  /** What is open in the side panel. */
  sel: string;
  /** Seconds into a recording. */
  t: string;
  tab: string;
  find: string;
  tv: string;
  /** What the address holds beside that; kept and told. */
  unknown: [string, string][];
}

const DEFAULT_FROM = "-7d";
const TEXT_KEYS = ["from", "to", "cmp", "i", "q", "sel", "t", "tab", "find", "tv"] as const;
const OPS: readonly string[] = ["is", "not", "has", "hasnt", "re", "gt", "gte", "lt", "lte", "set", "unset"];
export const FILTERS_MAX = 30;

const escape = (text: string) => text.replace(/[%~|]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
const unescape = (text: string) => text.replace(/%(25|7E|7C)/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));

export function formatFilter({ scope, key, op, values }: Filter): string {
  const head = `${scope}.${escape(key)}~${op}`;
  return values.length === 0 ? head : `${head}~${values.map(escape).join("|")}`;
}

/** Null for what is no filter. */
export function parseFilter(text: string): Filter | null {
  const [head = "", op = "", list] = text.split("~");
  const scope = head.slice(0, 1);
  if (!["e", "p", "s"].includes(scope) || head[1] !== "." || head.length < 3 || !OPS.includes(op)) return null;
  const values = list === undefined ? [] : list.split("|").map(unescape);
  if ((op === "set" || op === "unset") !== (values.length === 0)) return null;
  return { scope: scope as Scope, key: unescape(head.slice(2)), op: op as Op, values };
}

export function emptyRoute(): Route {
  return {
    team: 0,
    page: "home",
    id: "",
    from: DEFAULT_FROM,
    to: "",
    cmp: "",
    i: "",
    f: [],
    q: "",
    sel: "",
    t: "",
    tab: "",
    find: "",
    tv: "",
    unknown: [],
  };
}

/** @param base where the application stands, "/app" */
export function parseAddress(path: string, search: string, base: string): Route {
  const route = emptyRoute();
  const parts = path.startsWith(base)
    ? path
        .slice(base.length)
        .split("/")
        .filter((part) => part !== "")
    : [];
  let at = 0;
  if (/^\d{1,15}$/.test(parts[0] ?? "")) {
    route.team = Number(parts[0]);
    at = 1;
  }
  const decoded = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part;
    }
  };
  route.page = parts[at] === undefined ? "home" : decoded(parts[at]!);
  // A distinct id may hold anything, slashes too.
  route.id = parts
    .slice(at + 1)
    .map(decoded)
    .join("/");
  for (const [key, value] of new URLSearchParams(search)) {
    if (key === "f") {
      const filter = parseFilter(value);
      if (filter !== null && route.f.length < FILTERS_MAX) route.f.push(filter);
      else route.unknown.push([key, value]);
    } else if ((TEXT_KEYS as readonly string[]).includes(key)) {
      route[key as (typeof TEXT_KEYS)[number]] = value;
    } else {
      route.unknown.push([key, value]);
    }
  }
  if (route.from === "") route.from = DEFAULT_FROM;
  return route;
}

// What URLSearchParams escapes without need; addresses are read by people.
const readable = (text: string) => encodeURIComponent(text).replace(/%(24|2C|2F|3A|40|7C|3B)/g, (all) => decodeURIComponent(all));

export function formatAddress(route: Route, base: string): string {
  const id = route.id === "" ? "" : `/${encodeURIComponent(route.id).replace(/%(24|40|3A)/g, decodeURIComponent)}`;
  const path = `${base}/${route.team}/${encodeURIComponent(route.page)}${id}`;
  const pairs: [string, string][] = [];
  for (const key of TEXT_KEYS) {
    const value = route[key];
    if (value !== "" && !(key === "from" && value === DEFAULT_FROM)) pairs.push([key, value]);
  }
  for (const filter of route.f) pairs.push(["f", formatFilter(filter)]);
  pairs.push(...route.unknown);
  const search = pairs.map(([key, value]) => `${readable(key)}=${readable(value)}`).join("&");
  return search === "" ? path : `${path}?${search}`;
}

// -- Ranges ---------------------------------------------------------------------------------------

const UNITS = "hdwmqy";
/** `-1d/d` and the like: an amount back, cut to the start of a unit. */
const ROUNDED = /^(-?\d+)([hdwmqy])\/([hdwmqy])$/;

/** A question's date text for one end of the range. */
export function questionDate(text: string, end: "from" | "to"): string | null {
  if (text === "") return null;
  const rounded = ROUNDED.exec(text);
  if (rounded === null) return text;
  const amount = Number(rounded[1]);
  if (rounded[2] !== rounded[3]) return `${amount}${rounded[2]}`;
  const edge = end === "from" ? "Start" : "End";
  return amount === 0 ? `${rounded[2]}${edge}` : `${amount}${rounded[2]}${edge}`;
}

export function dateRange(route: { from: string; to: string }): { date_from: string; date_to?: string } {
  const to = questionDate(route.to, "to");
  const from = questionDate(route.from, "from") ?? DEFAULT_FROM;
  return to === null ? { date_from: from } : { date_from: from, date_to: to };
}

/** About how many days a range spans; for choosing an interval, never for numbers. */
export function spanDays(route: { from: string; to: string }): number {
  const days: Record<string, number> = { h: 1 / 24, d: 1, w: 7, m: 30, q: 91, y: 365 };
  const back = (text: string, whenEmpty: number): number => {
    if (text === "") return whenEmpty;
    if (text === "all") return 4000;
    const relative = /^-?(\d+)([hdwmqy])(\/[hdwmqy])?$/.exec(text);
    if (relative !== null) {
      const unit = days[relative[2]!]!;
      return Number(relative[1]) * unit + (relative[3] === undefined ? 0 : unit);
    }
    const at = Date.parse(text);
    return Number.isNaN(at) ? 7 : (Date.now() - at) / 86_400_000;
  };
  const rounded = ROUNDED.exec(route.to);
  const to = rounded === null ? back(route.to, 0) : back(route.to, 0) - days[rounded[2]!]!;
  return Math.max(back(route.from, 7) - to, 1 / 24);
}

/** The interval that fits: hours to 2 days, days to 90, weeks to a year, else months. */
export function intervalOf(route: { from: string; to: string; i: string }): string {
  if (["hour", "day", "week", "month"].includes(route.i)) return route.i;
  const days = spanDays(route);
  return days <= 2 ? "hour" : days <= 92 ? "day" : days <= 370 ? "week" : "month";
}

/** Steps the range by its own length; null where it has none ("all"). */
export function stepRange(route: { from: string; to: string }, by: -1 | 1): { from: string; to: string } | null {
  const whole = (text: string) => /^\d{4}-\d\d-\d\d$/.test(text);
  const add = (day: string, days: number) => new Date(Date.parse(day) + days * 86_400_000).toISOString().slice(0, 10);
  if (route.from === "all") return null;
  if (whole(route.from) && whole(route.to)) {
    const length = Math.round((Date.parse(route.to) - Date.parse(route.from)) / 86_400_000) + 1;
    return { from: add(route.from, by * length), to: add(route.to, by * length) };
  }
  const shift = (text: string, amount: number, unit: string): string => {
    const [, count = "0", own = unit, round = ""] = /^(-?\d+)([hdwmqy])(\/[hdwmqy])?$/.exec(text) ?? [];
    const moved = Number(count) + by * amount;
    return moved >= 0 && round === "" ? "" : `${moved}${own}${round}`;
  };
  const rounded = ROUNDED.exec(route.from);
  if (rounded !== null && (route.to === "" || ROUNDED.test(route.to))) {
    const to = route.to === "" ? route.from : route.to;
    return { from: shift(route.from, 1, rounded[2]!), to: shift(to, 1, rounded[2]!) };
  }
  const relative = /^-(\d+)([hdwmqy])$/.exec(route.from);
  if (relative === null || !UNITS.includes(relative[2]!)) return null;
  const end = /^-(\d+)([hdwmqy])$/.exec(route.to);
  if (route.to !== "" && (end === null || end[2] !== relative[2])) return null;
  const length = Number(relative[1]) - (end === null ? 0 : Number(end[1]));
  const from = shift(route.from, length, relative[2]!);
  if (from === "") return null;
  return { from, to: shift(route.to === "" ? `0${relative[2]}` : route.to, length, relative[2]!) };
}

// -- Questions' filters ---------------------------------------------------------------------------

const OPERATORS: Record<Op, string> = {
  is: "exact",
  not: "is_not",
  has: "icontains",
  hasnt: "not_icontains",
  re: "regex",
  gt: "gt",
  gte: "gte",
  lt: "lt",
  lte: "lte",
  set: "is_set",
  unset: "is_not_set",
};
const TYPES: Record<Scope, string> = { e: "event", p: "person", s: "session" };

export interface PropertyFilter {
  type: string;
  key: string;
  operator: string;
  value?: string | string[];
}

export function propertyFilter({ scope, key, op, values }: Filter): PropertyFilter {
  const filter: PropertyFilter = { type: TYPES[scope], key, operator: OPERATORS[op] };
  if (values.length > 0) filter.value = op === "is" || op === "not" ? values : values[0]!;
  return filter;
}
