// Numbers, durations, sizes and times as every page writes them.

const locale = typeof navigator === "undefined" ? "en" : navigator.language;
const whole = new Intl.NumberFormat(locale);
const precise = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const compact = new Intl.NumberFormat(locale, { notation: "compact", maximumSignificantDigits: 3 });
const one = new Intl.NumberFormat(locale, { maximumFractionDigits: 1 });

export const NONE = "—";

/** In full to 9,999, then compact with three digits; exact() is for titles and tables. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (Math.abs(value) <= 9_999) return Number.isInteger(value) ? whole.format(value) : precise.format(value);
  return compact.format(value);
}

export function exact(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  return precise.format(value);
}

/** A share from 0 to 1. Rounding never makes 0 % of something or 100 % of less than all. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined || !Number.isFinite(share)) return NONE;
  const value = share * 100;
  if (value === 0 || value === 100) return `${whole.format(value)} %`;
  if (value > 0 && value < 0.1) return `< ${one.format(0.1)} %`;
  if (value < 100 && value > 99.9) return `> ${one.format(99.9)} %`;
  if (value > 99.4 && value < 100) return `${one.format(value)} %`;
  return `${Math.abs(value) < 10 ? one.format(value) : whole.format(Math.round(value))} %`;
}

/** The change against a value before: "▲ 6 %", "new" from nothing. Word is for screen readers. */
export function change(now: number, before: number): { text: string; word: string; sign: -1 | 0 | 1 } {
  if (before === 0) return now === 0 ? { text: "0 %", word: "unchanged", sign: 0 } : { text: "new", word: "new", sign: 1 };
  const share = (now - before) / Math.abs(before);
  if (share === 0) return { text: "0 %", word: "unchanged", sign: 0 };
  const text = share > 99 ? `${number(now / before)} ×` : percent(Math.abs(share));
  return share > 0 ? { text: `▲ ${text}`, word: `up ${text}`, sign: 1 } : { text: `▼ ${text}`, word: `down ${text}`, sign: -1 };
}

/** 340 ms · 4.2 s · 3 min 12 s · 2 h 5 min · 2 d 4 h */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) return NONE;
  if (seconds < 0) return `-${duration(-seconds)}`;
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${Math.max(1, Math.round(seconds * 1_000))} ms`;
  if (seconds < 10) return `${one.format(seconds)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  const parts = (big: number, bigName: string, small: number, smallName: string) =>
    small === 0 ? `${big} ${bigName}` : `${big} ${bigName} ${small} ${smallName}`;
  if (s < 3_600) return parts(Math.floor(s / 60), "min", s % 60, "s");
  const minutes = Math.round(s / 60);
  if (minutes < 1_440) return parts(Math.floor(minutes / 60), "h", minutes % 60, "min");
  const hours = Math.round(s / 3_600);
  return parts(Math.floor(hours / 24), "d", hours % 24, "h");
}

/** Decimal: 34 MB. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "KB", "MB", "GB", "TB"];
  let at = 0;
  let rest = value;
  while (rest >= 999.5 && at < units.length - 1) {
    rest /= 1_000;
    at += 1;
  }
  return `${rest < 10 && at > 0 ? one.format(rest) : whole.format(Math.round(rest))} ${units[at]}`;
}

/** First 8 … last 4. */
export function shortId(id: string): string {
  return id.length <= 16 ? id : `${id.slice(0, 8)}…${id.slice(-4)}`;
}

/** Bidirectional control characters are shown, not obeyed. */
export function visible(text: string): string {
  return text.replace(/[\u202a-\u202e\u2066-\u2069\u200e\u200f]/g, (c) => `␦${c.charCodeAt(0).toString(16)}`);
}

let zone = "UTC";
let formats = makeFormats();
function makeFormats() {
  const make = (options: Intl.DateTimeFormatOptions) => new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
  return {
    time: make({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }),
    minute: make({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    dayTime: make({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23" }),
    full: make({ dateStyle: "full", timeStyle: "long" }),
    day: make({ day: "numeric", month: "short", year: "numeric" }),
    key: new Intl.DateTimeFormat("sv-SE", {
      timeZone: zone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      hourCycle: "h23",
    }),
  };
}

/** One clock: the project's zone, for every page. */
export function setZone(name: string): void {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    zone = name;
  } catch {
    zone = "UTC";
  }
  formats = makeFormats();
}
export const zoneName = () => zone;

const moment = (at: string | number | Date) => {
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? null : date;
};

/** "2026-11-26 14:02" on the project's clock. */
export const wallClock = (at: string | number | Date) => formats.key.format(moment(at) ?? new Date(0));

/** 14:02:09 today, else 12 Nov 14:02. */
export function time(at: string | number | null | undefined): string {
  const date = at === null || at === undefined || at === "" ? null : moment(at);
  if (date === null) return NONE;
  const today = wallClock(Date.now()).slice(0, 10) === wallClock(date).slice(0, 10);
  return today ? formats.time.format(date) : formats.dayTime.format(date);
}
export const minute = (at: string | number) => (moment(at) === null ? NONE : formats.minute.format(moment(at)!));
export const clock = (at: string | number) => (moment(at) === null ? NONE : formats.time.format(moment(at)!));
export const fullTime = (at: string | number) => (moment(at) === null ? "" : `${formats.full.format(moment(at)!)} (${zone})`);
export const dayOf = (at: string | number) => (moment(at) === null ? NONE : formats.day.format(moment(at)!));

const bucketDay = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", timeZone: "UTC" });
const bucketMonth = new Intl.DateTimeFormat(locale, { month: "short", year: "numeric", timeZone: "UTC" });
const bucketLong = new Intl.DateTimeFormat(locale, { weekday: "short", day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });

/** A bucket of an answer ("2026-11-12" or "2026-11-12 10:00:00", project's wall clock) as a label. */
export function bucket(day: string, interval: string, length: "short" | "long" = "short"): string {
  const at = new Date(`${day.slice(0, 10)}T00:00:00Z`);
  if (Number.isNaN(at.getTime())) return day;
  if (interval === "month") return bucketMonth.format(at);
  if (interval === "hour") {
    const hour = day.slice(11, 16);
    return length === "long" || hour === "00:00" ? `${bucketDay.format(at)} ${hour}` : hour;
  }
  const text = length === "long" ? bucketLong.format(at) : bucketDay.format(at);
  return interval === "week" && length === "long" ? `week of ${text}` : text;
}

/** Whether the bucket that begins at day (wall clock) still goes on at a moment. */
export function isOpen(day: string, interval: string, until: string | number): boolean {
  const now = wallClock(until);
  if (interval === "hour") return day.slice(0, 13) >= now.slice(0, 13);
  if (interval === "month") return day.slice(0, 7) >= now.slice(0, 7);
  const days = interval === "week" ? 7 : 1;
  const end = Date.parse(`${day.slice(0, 10)}T00:00:00Z`) + days * 86_400_000;
  return end > Date.parse(`${now.slice(0, 10)}T00:00:00Z`);
}

const rules = new Intl.PluralRules("en");
/** plural(1, "event") → "1 event" */
export function plural(count: number, word: string, many = `${word}s`): string {
  return `${number(count)} ${rules.select(count) === "one" ? word : many}`;
}
export const list = (items: string[]) => new Intl.ListFormat("en", { type: "conjunction" }).format(items);

// -- What is private ------------------------------------------------------------------------------

const PRIVATE_KEY = /mail|phone|(^|[_$.])ip$|first_?name|last_?name|full_?name|^\$?name$|password|token|secret|address|birth/i;
const PRIVATE_SHAPE = /[^\s@]+@[^\s@]+\.[^\s@]{2,}|^\+?\d[\d ().-]{8,}$|^\d{1,3}(\.\d{1,3}){3}$|^ph[cx]_\w{10,}/;
export const isPrivate = (key: string, value: unknown) =>
  (typeof value === "string" || typeof value === "number") && (PRIVATE_KEY.test(key) || PRIVATE_SHAPE.test(String(value)));

/** ad…@ex… for a mail, the first letters and dots for the rest. */
export function hide(text: string): string {
  const at = text.indexOf("@");
  if (at > 0) return `${text.slice(0, Math.min(2, at))}…@${text.slice(at + 1, at + 3)}…`;
  return text.length === 0 ? text : `${text.slice(0, text.length > 6 ? 2 : 1)}•••`;
}
