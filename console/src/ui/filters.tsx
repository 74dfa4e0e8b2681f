// Filter chips of the page and the form that makes one, with suggestions from the data.
import { useEffect, useState } from "preact/hooks";
import { number, percent } from "../lib/format";
import { go, route } from "../lib/router";
import { callJson, can, team } from "../lib/session";
import { useLoad } from "../lib/ask";
import { signal } from "@preact/signals";
import type { Filter, Op, Scope } from "../lib/state";
import { Icon } from "./icons";
import { Pop } from "./kit";

export interface Definition {
  name: string;
  property_type?: string;
  share?: number;
  values?: { value: unknown; count: number }[];
  scope: Scope;
}
export interface EventDefinition {
  name: string;
  count?: number;
  last_seen_at?: string;
}

export const OP_WORDS: Record<Op, string> = {
  is: "is",
  not: "is not",
  has: "contains",
  hasnt: "does not contain",
  re: "matches",
  gt: ">",
  gte: "≥",
  lt: "<",
  lte: "≤",
  set: "is set",
  unset: "is not set",
};
const SCOPE_WORDS: Record<Scope, string> = { e: "event", p: "person", s: "session" };

const definitions = new Map<string, Promise<Definition[]>>();
function loadDefinitions(): Promise<Definition[]> {
  const key = String(team());
  let all = definitions.get(key);
  if (all === undefined) {
    const one = (type: string, scope: Scope) =>
      callJson<{ results: Omit<Definition, "scope">[] }>(`/api/projects/${team()}/property_definitions/?type=${type}`).then(({ results }) =>
        results.map((item) => ({ ...item, scope })),
      );
    all = Promise.all([one("event", "e"), one("person", "p")]).then((lists) => lists.flat());
    all.catch(() => definitions.delete(key));
    definitions.set(key, all);
  }
  return all;
}
export const useDefinitions = () => useLoad(can("sql") ? `definitions ${team()}` : null, loadDefinitions);

const events = new Map<string, Promise<EventDefinition[]>>();
export function loadEvents(): Promise<EventDefinition[]> {
  const key = String(team());
  let all = events.get(key);
  if (all === undefined) {
    all = callJson<{ results: EventDefinition[] }>(`/api/projects/${team()}/event_definitions/`).then(({ results }) => results);
    all.catch(() => events.delete(key));
    events.set(key, all);
  }
  return all;
}
export const useEvents = () => useLoad(can("sql") ? `events ${team()}` : null, loadEvents);

const same = (a: Filter, b: Filter) => JSON.stringify(a) === JSON.stringify(b);
/** Adds a filter; the same a second time takes it off. */
export function toggleFilter(filter: Filter): void {
  const now = route.peek().f;
  const without = now.filter((one) => !same(one, filter));
  go({ f: without.length < now.length ? without : [...now, filter], sel: "" });
}
export const isFiltered = (filter: Filter) => route.value.f.some((one) => same(one, filter));

/** Opened by "/" from anywhere. */
export const openFilter = signal(false);

function ChipText({ filter }: { filter: Filter }) {
  return (
    <>
      <b class="mono">{filter.key}</b> {OP_WORDS[filter.op]}{" "}
      {filter.values.length > 0 && (
        <b class="cut" dir="auto">
          {filter.values.map((v) => (v === "" ? "(empty)" : v)).join(" or ")}
        </b>
      )}
    </>
  );
}

export function Filters() {
  const { f } = route.value;
  return (
    <div class="chips" role="group" aria-label="Filters">
      {f.map((filter, i) => (
        <span class="chip" key={i} title={`${SCOPE_WORDS[filter.scope]} property`}>
          <ChipText filter={filter} />
          <button type="button" aria-label={`Remove filter ${filter.key}`} onClick={() => go({ f: f.filter((_, at) => at !== i) })}>
            <Icon name="close" />
          </button>
        </span>
      ))}
      <FilterButton onAdd={(filter) => go({ f: [...route.peek().f, filter] })} open={openFilter} label="Filter" />
    </div>
  );
}

export function FilterButton({ onAdd, open, label }: { onAdd: (filter: Filter) => void; open?: { value: boolean }; label: string }) {
  return (
    <span class="filterbutton">
      <Pop
        label={`Add a filter${open !== undefined ? " (/)" : ""}`}
        side="left"
        class="button quiet"
        face={
          <>
            <Icon name="filter" />
            {label}
          </>
        }
        {...(open === undefined ? {} : { open })}
      >
        {(close) => (
          <FilterForm
            onDone={(filter) => {
              onAdd(filter);
              close();
            }}
          />
        )}
      </Pop>
    </span>
  );
}

export function FilterForm({ onDone }: { onDone: (filter: Filter) => void }) {
  const known = useDefinitions();
  const [search, setSearch] = useState("");
  const [chosen, choose] = useState<Definition | null>(null);
  const [op, setOp] = useState<Op>("is");
  const [values, setValues] = useState<string[]>([]);
  const [text, setText] = useState("");
  useEffect(() => setValues([]), [chosen]);
  const all = known.value ?? [];
  const word = search.toLowerCase();
  if (chosen === null) {
    const shown = all.filter(({ name }) => name.toLowerCase().includes(word)).slice(0, 60);
    const exactly = all.some(({ name }) => name === search);
    return (
      <div class="stack" style={{ gap: "4px", width: "320px", maxWidth: "100%" }}>
        <input
          class="input"
          placeholder="Property…"
          aria-label="Property"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === "Enter" && shown[0]) choose(shown[0]);
          }}
        />
        {known.state === "asking" && known.value === undefined && <span class="meta">Asking which properties there are…</span>}
        {known.state === "failed" && <span class="meta">{known.fault?.detail} Type a name.</span>}
        <ul style={{ maxHeight: "300px", overflow: "auto" }} tabIndex={-1}>
          {shown.map((one) => (
            <li key={one.scope + one.name}>
              <button
                type="button"
                class="button quiet"
                style={{ width: "100%", justifyContent: "flex-start", color: "var(--text)" }}
                onClick={() => choose(one)}
              >
                <span class="mono cut">{one.name}</span>
                <span class="meta grow" style={{ textAlign: "right" }}>
                  {one.scope === "p" ? "person" : one.share !== undefined ? percent(one.share) : ""}
                </span>
              </button>
            </li>
          ))}
          {search !== "" &&
            !exactly &&
            (["e", "p"] as Scope[]).map((scope) => (
              <li key={scope}>
                <button type="button" class="button quiet" onClick={() => choose({ name: search, scope })}>
                  “{search}” of the {SCOPE_WORDS[scope]}
                </button>
              </li>
            ))}
        </ul>
      </div>
    );
  }
  const needs = op !== "set" && op !== "unset";
  const several = op === "is" || op === "not";
  const done = () => {
    const typed = text.trim() === "" ? [] : [text.trim()];
    const list = several ? [...values, ...typed] : typed;
    if (needs && list.length === 0) return;
    onDone({ scope: chosen.scope, key: chosen.name, op, values: needs ? list : [] });
  };
  const suggestions = (chosen.values ?? []).filter(({ value }) => String(value).toLowerCase().includes(text.toLowerCase())).slice(0, 40);
  return (
    <form
      class="stack"
      style={{ gap: "6px", width: "320px", maxWidth: "100%" }}
      onSubmit={(event) => {
        event.preventDefault();
        done();
      }}
    >
      <button type="button" class="link" onClick={() => choose(null)}>
        ‹ <span class="mono">{chosen.name}</span> of the {SCOPE_WORDS[chosen.scope]}
      </button>
      <select class="select" aria-label="Operator" value={op} onChange={(event) => setOp(event.currentTarget.value as Op)}>
        {(Object.keys(OP_WORDS) as Op[]).map((key) => (
          <option key={key} value={key}>
            {OP_WORDS[key]}
          </option>
        ))}
      </select>
      {needs && (
        <input
          class="input"
          aria-label="Value"
          placeholder="Value…"
          autofocus
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
      )}
      {needs && several && suggestions.length > 0 && (
        <ul style={{ maxHeight: "240px", overflow: "auto" }}>
          {suggestions.map(({ value, count }) => {
            const item = String(value);
            return (
              <li key={item}>
                <label class="check" style={{ width: "100%", padding: "2px 4px" }}>
                  <input
                    type="checkbox"
                    checked={values.includes(item)}
                    onChange={() => setValues(values.includes(item) ? values.filter((one) => one !== item) : [...values, item])}
                  />
                  <span class="grow cut" dir="auto">
                    {item === "" ? "(empty)" : item}
                  </span>
                  <span class="meta">{number(count)}</span>
                </label>
              </li>
            );
          })}
        </ul>
      )}
      <button type="submit" class="button main">
        Add filter
      </button>
    </form>
  );
}

/** Event picker: search, volume, when last seen. */
export function EventPicker({
  value,
  onPick,
  label,
  any = true,
}: {
  value: string | null;
  onPick: (name: string | null) => void;
  label: string;
  any?: boolean;
}) {
  return (
    <Pop label={label} side="left" class="button grow" face={<span class="cut">{value ?? "All events"}</span>}>
      {(close) => (
        <EventList
          any={any}
          onPick={(name) => {
            onPick(name);
            close();
          }}
        />
      )}
    </Pop>
  );
}

function EventList({ onPick, any }: { onPick: (name: string | null) => void; any: boolean }) {
  const known = useEvents();
  const [search, set] = useState("");
  const shown = (known.value ?? []).filter(({ name }) => name.toLowerCase().includes(search.toLowerCase())).slice(0, 80);
  return (
    <div class="stack" style={{ gap: "4px", width: "300px", maxWidth: "100%" }}>
      <input
        class="input"
        placeholder="Event…"
        aria-label="Search events"
        value={search}
        onInput={(event) => set(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter" && (shown[0] || search !== "")) {
            event.preventDefault();
            onPick(shown[0]?.name ?? search);
          }
        }}
      />
      {known.state === "failed" && <span class="meta">{known.fault?.detail} Type a name and press Enter.</span>}
      <ul style={{ maxHeight: "300px", overflow: "auto" }}>
        {any && search === "" && (
          <li>
            <button type="button" class="button quiet" onClick={() => onPick(null)}>
              All events
            </button>
          </li>
        )}
        {shown.map((one) => (
          <li key={one.name}>
            <button type="button" class="button quiet" style={{ width: "100%", color: "var(--text)" }} onClick={() => onPick(one.name)}>
              <span class="cut">{one.name}</span>
              <span class="meta grow" style={{ textAlign: "right" }}>
                {number(one.count)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}
