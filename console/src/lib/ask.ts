// Questions: those that come together go in one request, whose answers come one by one; one question asked
// twice is asked once; what nobody looks at any more is aborted; the last fifty answers stay.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { call, Refused, team } from "./session";
import { signal } from "@preact/signals";

export interface Cost {
  bytes_scanned?: number;
  duration_ms?: number;
  as_of?: string;
  data_until?: string | null;
  sql?: string[];
  warnings?: string[];
  days_missing?: string[];
}
export interface Answer {
  results: any;
  columns?: string[];
  types?: string[];
  hasMore?: boolean;
  is_cached?: boolean;
  cache_age_s?: number;
  timezone?: string;
  hogflare?: Cost;
  [more: string]: unknown;
}
export type Query = { kind: string } & Record<string, unknown>;

/** The newest moment the table is known to hold; the header shows it. */
export const dataUntil = signal<string | null>(null);

/** Requests under way. */
const UNDER_WAY_MAX = 2;
/** As limits::kBatchQuestionsMax. */
const BATCH_MAX = 20;
/** What the engine says of a question that a shorter one might not be. */
const TOO_LONG = ["engine_timeout", "scan_budget"];
const KEPT_MAX = 50;

interface Job {
  key: string;
  query: Query;
  refresh: Refresh;
  /** Of the request that it is a part of. */
  batch?: Batch;
  users: number;
  promise: Promise<Answer>;
  resolve: (answer: Answer) => void;
  reject: (fault: unknown) => void;
}
interface Batch {
  jobs: Set<Job>;
  stop: AbortController;
}
type Refresh = "blocking" | "force_blocking" | undefined;

const kept = new Map<string, Answer>();
const jobs = new Map<string, Job>();
const waiting: Job[] = [];
let underWay = 0;

function keep(key: string, answer: Answer): void {
  kept.delete(key);
  kept.set(key, answer);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
}

/** What comes in one turn of the page goes in one request. */
let isDue = false;
function pumpSoon(): void {
  if (isDue) return;
  isDue = true;
  setTimeout(() => {
    isDue = false;
    pump();
  });
}

function pump(): void {
  while (underWay < UNDER_WAY_MAX && waiting.length > 0) {
    const batch: Batch = { jobs: new Set(waiting.splice(0, BATCH_MAX)), stop: new AbortController() };
    for (const job of batch.jobs) job.batch = batch;
    underWay += 1;
    askTogether([...batch.jobs], batch.stop.signal).finally(() => {
      underWay -= 1;
      pump();
    });
  }
}

function done(job: Job, answer: Answer | undefined, fault?: unknown): void {
  if (jobs.get(job.key) === job) jobs.delete(job.key);
  job.batch?.jobs.delete(job);
  if (answer === undefined) {
    job.reject(fault);
    return;
  }
  keep(job.key, answer);
  const until = answer.hogflare?.data_until;
  if (until && (dataUntil.value === null || until > dataUntil.value)) dataUntil.value = until;
  job.resolve(answer);
}

/** A question whose answer was refused, perhaps for being too long: some are the sum of their days. */
async function refusedOf(job: Job, fault: unknown, stop: AbortSignal): Promise<void> {
  const { query, key } = job;
  if (query.kind === "TrendsQuery" && fault instanceof Refused && TOO_LONG.includes(fault.code)) {
    try {
      const { askByDay, daysOf } = await import("./by-day");
      const days = daysOf(query, Date.now());
      if (days !== null) {
        const tell = (count: number) => {
          progress.value = { ...progress.peek(), [key]: { done: count, of: days.length } };
        };
        tell(0);
        // Days that have answered before are kept by the Worker: only those that did not are asked anew.
        done(job, await askByDay(query, days, fault, (part) => askOne(part, stop), tell));
        return;
      }
    } catch (failed) {
      done(job, undefined, failed);
      return;
    }
  }
  done(job, undefined, fault);
}

/** Asks in one request, which ends when whoever asks goes away; hands each answer on as it comes. */
async function askAll(
  all: Pick<Job, "query" | "refresh">[],
  signal: AbortSignal,
  on: (index: number, answer: Answer | undefined, fault: Refused) => void,
): Promise<void> {
  const path = `/api/projects/${team()}/query/batch/`;
  // All or nothing: what is asked by days here is told as they come.
  const queries = all.map(({ query, refresh }) => ({ query, refresh, partial: false }));
  const response = await call(path, { method: "POST", body: { queries }, signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const lines = (text + part.value).split("\n");
    text = lines.pop()!;
    // An empty line says that the Worker is there.
    for (const line of lines.filter(Boolean)) {
      const { index, answer, status, error = {} } = JSON.parse(line);
      on(index, answer, new Refused(status, error.code, error.detail, error));
    }
  }
}

const brokenOff = () => new Refused(0, "no_answer", "The Worker's answer broke off.");

async function askOne(query: Query, signal: AbortSignal): Promise<Answer> {
  let told: Answer | undefined;
  let fault = brokenOff();
  await askAll([{ query, refresh: undefined }], signal, (_, answer, refused) => {
    told = answer;
    fault = refused;
  });
  if (told === undefined) throw fault;
  return told;
}

/** Gives each question its answer as it comes. Never rejects. */
async function askTogether(all: Job[], stop: AbortSignal): Promise<void> {
  const left = new Set(all);
  const refused: Promise<void>[] = [];
  let broken: unknown = brokenOff();
  try {
    await askAll(all, stop, (index, answer, fault) => {
      const job = all[index]!;
      left.delete(job);
      if (answer !== undefined) done(job, answer);
      else refused.push(refusedOf(job, fault, stop));
    });
  } catch (fault) {
    broken = fault;
  }
  for (const job of left) refused.push(refusedOf(job, broken, stop));
  await Promise.all(refused);
}

/** Of questions that are asked day by day: how many days have answered. */
export const progress = signal<Record<string, { done: number; of: number }>>({});

const keyOf = (query: Query) => `${team()} ${JSON.stringify(query)}`;
export const remembered = (query: Query | null) => (query === null ? undefined : kept.get(keyOf(query)));

/** Beside the answer a function that says this asker no longer needs it. */
export function ask(query: Query, refresh?: Refresh): { answer: Promise<Answer>; leave: () => void } {
  const key = keyOf(query);
  let job = jobs.get(key);
  if (job === undefined) {
    let resolve!: (answer: Answer) => void;
    let reject!: (fault: unknown) => void;
    const promise = new Promise<Answer>((yes, no) => {
      resolve = yes;
      reject = no;
    });
    promise.catch(() => {});
    job = { key, query, refresh, promise, resolve, reject, users: 0 };
    jobs.set(key, job);
    waiting.push(job);
    pumpSoon();
  }
  const mine = job;
  mine.users += 1;
  let left = false;
  return {
    answer: mine.promise,
    leave: () => {
      if (left) return;
      left = true;
      mine.users -= 1;
      if (mine.users > 0) return;
      if (jobs.get(key) === mine) jobs.delete(key);
      const at = waiting.indexOf(mine);
      if (at >= 0) waiting.splice(at, 1);
      mine.batch?.jobs.delete(mine);
      if (mine.batch?.jobs.size === 0) mine.batch.stop.abort();
      mine.reject(new DOMException("left", "AbortError"));
    },
  };
}

export interface Asked {
  /** asking: an old answer may still stand beside it. */
  state: "idle" | "asking" | "ready" | "failed" | "cancelled";
  answer?: Answer | undefined;
  /** The question that `answer` belongs to. */
  of?: Query | undefined;
  fault?: Refused | undefined;
  since: number;
  /** What is being asked, as `progress` names it. */
  key?: string;
  cancel: () => void;
  again: (how?: "blocking" | "force_blocking") => void;
}

// How long questions of a kind took, newest last: for "usually 4 s".
const took = new Map<string, number[]>();
const shape = (query: Query) => `${query.kind} ${JSON.stringify(query["dateRange"] ?? "")}`;
export function usualSeconds(query: Query): number | null {
  const times = [...(took.get(shape(query)) ?? [])].sort((a, b) => a - b);
  return times.length === 0 ? null : times[Math.floor(times.length / 2)]! / 1_000;
}

export const refreshes = signal<{ count: number; how: "blocking" | "force_blocking" }>({ count: 0, how: "blocking" });

/** The answer to a question while a component shows it. */
export function useQuestion(query: Query | null): Asked {
  const key = query === null ? "" : keyOf(query);
  const [, draw] = useState(0);
  const [turn, setTurn] = useState<{ n: number; how?: "blocking" | "force_blocking" | undefined }>({ n: 0 });
  const box = useRef<Asked>({ state: "idle", since: 0, cancel: () => {}, again: () => {} });
  const refresh = refreshes.value;
  const lastRefresh = useRef(refresh.count);

  // Before the page is painted: an old answer is never shown as if it were the new question's.
  useLayoutEffect(() => {
    const asked = box.current;
    if (query === null) return;
    const forced = turn.how ?? (refresh.count !== lastRefresh.current ? refresh.how : undefined);
    lastRefresh.current = refresh.count;
    const known = forced === undefined ? kept.get(key) : undefined;
    if (known !== undefined) {
      box.current = { ...asked, state: "ready", answer: known, of: query, fault: undefined };
      draw((n) => n + 1);
      return;
    }
    const since = Date.now();
    const { answer, leave } = ask(query, forced);
    let live = true;
    const set = (next: Partial<Asked>) => {
      if (!live) return;
      box.current = { ...box.current, ...next };
      draw((n) => n + 1);
    };
    const before = { state: asked.state, answer: asked.answer, of: asked.of };
    set({
      state: "asking",
      since,
      fault: undefined,
      key,
      cancel: () => {
        leave();
        set({ state: "cancelled", answer: before.answer, of: before.of });
        live = false;
      },
    });
    answer.then(
      (got) => {
        took.set(shape(query), [...(took.get(shape(query)) ?? []).slice(-9), Date.now() - since]);
        set({ state: "ready", answer: got, of: query });
      },
      (fault: unknown) => {
        if (fault instanceof DOMException && fault.name === "AbortError") return;
        const told = fault instanceof Refused ? fault : new Refused(0, "page_fault", String(fault));
        set({ state: "failed", fault: told });
      },
    );
    return () => {
      live = false;
      leave();
    };
  }, [key, turn, refresh]);

  box.current.again = (how = "blocking") => setTurn((old) => ({ n: old.n + 1, how }));
  // Until the effect has run, the answer at hand belongs to the question before, or is known.
  if (query !== null && box.current.of !== query) {
    const known = kept.get(key);
    if (known !== undefined && box.current.state !== "asking") return { ...box.current, state: "ready", answer: known, of: query };
  }
  return box.current;
}

export interface Loaded<T> {
  state: "asking" | "ready" | "failed";
  value?: T | undefined;
  fault?: Refused | undefined;
  again: () => void;
}

/** Any other answer of the Worker, asked again when `key` changes, and every few seconds if asked to. */
export function useLoad<T>(key: string | null, load: (stop: AbortSignal) => Promise<T>, everyMs = 0): Loaded<T> {
  const [state, set] = useState<{ key: string | null; state: "asking" | "ready" | "failed"; value?: T; fault?: Refused }>({
    key: null,
    state: "asking",
  });
  const [turn, again] = useState(0);
  const refresh = refreshes.value;
  useLayoutEffect(() => {
    if (key === null) return;
    const stop = new AbortController();
    let timer = 0;
    if (state.key !== key) set({ key, state: "asking" });
    const once = () => {
      load(stop.signal)
        .then(
          (value) => set({ key, state: "ready", value }),
          (fault: unknown) => {
            if (stop.signal.aborted) return;
            const told = fault instanceof Refused ? fault : new Refused(0, "page_fault", String(fault));
            set((old) => ({ ...old, key, state: "failed", fault: told }));
          },
        )
        .finally(() => {
          if (everyMs > 0 && !stop.signal.aborted) {
            timer = window.setTimeout(() => (document.hidden ? (timer = window.setTimeout(once, everyMs)) : once()), everyMs);
          }
        });
    };
    once();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [key, turn, refresh]);
  return { state: state.key === key ? state.state : "asking", value: state.value, fault: state.fault, again: () => again((n) => n + 1) };
}

/** CSV of a question, made by the Worker, into a file. */
export async function downloadCsv(query: Query, name: string): Promise<void> {
  const response = await call(`/api/projects/${team()}/query/?format=csv`, {
    method: "POST",
    body: { query },
    headers: { accept: "text/csv" },
  });
  saveFile(await response.blob(), `${name}.csv`);
}

export function saveFile(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
