// What a question would have the engine read. The Worker judges it by what its like has read before (docs/API.md,
// "query/estimate"); where the Worker remembers nothing, by what this browser has seen.
import { useEffect, useState } from "preact/hooks";
import type { Answer, Query } from "./ask";
import { callJson, team } from "./session";
import { spanDays, type Route } from "./state";

/** Larger ones wait for a click. */
export const SCAN_ASKED_MAX = 1e9;
/** Basin SQL's price of a compressed byte, in dollars. */
const DOLLARS_A_BYTE = 2.5e-12;
const KEY = "hogflare.scan";
const KNOWN_MAX = 100;

/** Days that a question reads on a page of this state, those it is compared with too; NaN for all time. */
export function daysOf(query: Query, state: Route): number {
  if (state.from === "all") return Number.NaN;
  // Both ends' days are in.
  const days = spanDays(state) + 1;
  return query["compareFilter"] === undefined ? days : days * 2;
}

/** What makes one question read more a day than another: its columns, so its kind and the properties it names. */
function shapeOf(query: Query): string {
  const { dateRange, interval, compareFilter, ...rest } = query as Record<string, unknown>;
  let hash = 0x811c9dc5;
  for (const unit of JSON.stringify(rest)) hash = Math.imul(hash ^ unit.charCodeAt(0), 0x01000193) >>> 0;
  return `${team()} ${query.kind} ${hash.toString(36)}`;
}

type Known = Record<string, number>;
function known(): Known {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") as Known;
  } catch {
    return {};
  }
}

/** Keeps the bytes a day that an answer took. */
export function learn(query: Query, days: number, answer: Answer): void {
  const scanned = answer.hogflare?.bytes_scanned;
  if (scanned === undefined || !(days > 0)) return;
  const all = known();
  const shape = shapeOf(query);
  delete all[shape];
  const entries = Object.entries({ ...all, [shape]: Math.round(scanned / days) });
  try {
    localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(entries.slice(-KNOWN_MAX))));
  } catch {
    // Without storage nothing is foretold.
  }
}

export interface Estimate {
  bytes: number;
  dollars: number;
  /** Null: the question has no time of its own. */
  days: number | null;
  /** The very question was asked for other days; else the costliest of its kind is taken. */
  basis: "same" | "kind";
}

/** By what this browser has seen. Null: nothing. */
function seen(query: Query, days: number): Estimate | null {
  const all = known();
  const same = all[shapeOf(query)];
  const kin = Object.entries(all)
    .filter(([shape]) => shape.startsWith(`${team()} ${query.kind} `))
    .map(([, bytes]) => bytes);
  const aDay = same ?? (kin.length === 0 ? undefined : Math.max(...kin));
  if (aDay === undefined || !(days > 0)) return null;
  const bytes = aDay * days;
  return { bytes, dollars: bytes * DOLLARS_A_BYTE, days, basis: same === undefined ? "kind" : "same" };
}

async function estimate(query: Query, days: number, signal: AbortSignal): Promise<Estimate | null> {
  try {
    const path = `/api/projects/${team()}/query/estimate/`;
    const told = await callJson<Estimate | { basis: null }>(path, { method: "POST", body: { query }, signal });
    if (told.basis !== null) return told;
  } catch {
    // Asking the question itself tells what is wrong.
  }
  return seen(query, days);
}

/** Null: nothing is known to judge by; undefined: not yet. `turn` changes when more may be known. */
export function useEstimate(query: Query | null, days: number, turn?: unknown): Estimate | null | undefined {
  const key = query === null ? "" : `${team()} ${JSON.stringify(query)}`;
  const [told, tell] = useState<{ key: string; scan: Estimate | null }>();
  useEffect(() => {
    if (query === null) return;
    const stop = new AbortController();
    void estimate(query, days, stop.signal).then((scan) => {
      if (!stop.signal.aborted) tell({ key, scan });
    });
    return () => stop.abort();
  }, [key, turn]);
  return told?.key === key ? told.scan : undefined;
}
