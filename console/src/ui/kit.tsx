// The parts every page is made of.
import type { ComponentChildren, TargetedKeyboardEvent } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { bytes, change, clock, duration, exact, fullTime, hide, isPrivate, number, plural, shortId, time, visible } from "../lib/format";
import { isGoing, personal } from "../lib/store";
import { Icon } from "./icons";
import { downloadCsv, progress, usualSeconds, type Answer, type Asked, type Query } from "../lib/ask";
import type { Refused } from "../lib/session";

export function Num({ value, of = number }: { value: number | null | undefined; of?: (n: number | null | undefined) => string }) {
  return <span title={exact(value)}>{of(value)}</span>;
}

/** Sign, figure and, for those who listen, the word; good is "up" unless more is worse. */
export function Delta({
  now,
  before,
  moreIsWorse = false,
  word = "than before",
}: {
  now: number;
  before: number | null | undefined;
  moreIsWorse?: boolean;
  word?: string;
}) {
  if (before === null || before === undefined) return null;
  const moved = change(now, before);
  const tone = moved.sign === 0 || moved.text === "new" ? "" : moved.sign > 0 !== moreIsWorse ? "good" : "ill";
  return (
    <span class={`delta ${tone}`} title={`${exact(now)}, ${exact(before)} before`}>
      <span aria-hidden="true">{moved.text}</span>
      <span class="sr">{`${moved.word} ${word}`}</span>
    </span>
  );
}

export function Time({ at }: { at: string | number | null | undefined }) {
  if (at === null || at === undefined || at === "") return <span class="faint">—</span>;
  return (
    <time
      class="nowrap"
      dateTime={new Date(at).toString() === "Invalid Date" ? undefined : new Date(at).toISOString()}
      title={fullTime(at)}
    >
      {time(at)}
    </time>
  );
}

export function Id({ id, copy = false }: { id: string; copy?: boolean }) {
  return (
    <span class="row nowrap" style={{ display: "inline-flex", gap: "0" }}>
      <span class="mono" title={id}>
        {visible(shortId(id))}
      </span>
      {copy && <Copy text={id} what="id" />}
    </span>
  );
}

/** Data of people: hidden by key and shape unless asked for. */
export function Data({ name, value }: { name: string; value: unknown }) {
  if (value === null || value === undefined) return <span class="faint">—</span>;
  if (value === "") return <span class="faint">(empty)</span>;
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  if (!personal.value && isPrivate(name, value))
    return <span title="Hidden. Show personal details in the header's menu.">{hide(text)}</span>;
  if (/^https?:\/\/[^\s]+$/.test(text)) {
    return (
      <a href={text} rel="noreferrer noopener" target="_blank" dir="auto">
        {visible(text)}
      </a>
    );
  }
  return <span dir="auto">{visible(text.length > 400 ? `${text.slice(0, 400)}…` : text)}</span>;
}

export function Copy({ text, what }: { text: string; what: string }) {
  const [done, set] = useState(false);
  return (
    <button
      type="button"
      class="button quiet small"
      aria-label={done ? "Copied" : `Copy ${what}`}
      title={`Copy ${what}`}
      onClick={() =>
        navigator.clipboard?.writeText(text).then(() => {
          set(true);
          setTimeout(() => set(false), 1_500);
        })
      }
    >
      {done ? <span class="ok">✓</span> : <Icon name="copy" />}
    </button>
  );
}

export function Block({
  title,
  actions,
  children,
  flush = false,
  name,
  class: cls = "",
  level = 2,
}: {
  title?: ComponentChildren;
  actions?: ComponentChildren;
  children: ComponentChildren;
  flush?: boolean;
  name?: string;
  class?: string;
  level?: 2 | 3;
}) {
  const H = level === 2 ? "h2" : "h3";
  return (
    <section class={`block ${cls}`} aria-label={name ?? (typeof title === "string" ? title : undefined)}>
      {title !== undefined && (
        <header>
          <H class="grow cut">{title}</H>
          {actions}
        </header>
      )}
      <div class={flush ? "flush" : "body"}>{children}</div>
    </section>
  );
}

export function Tabs({
  tabs,
  now,
  onPick,
  label,
}: {
  tabs: [string, ComponentChildren][];
  now: string;
  onPick: (key: string) => void;
  label: string;
}) {
  const move = (event: TargetedKeyboardEvent<HTMLElement>) => {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (step === 0) return;
    event.preventDefault();
    const at = (tabs.findIndex(([key]) => key === now) + step + tabs.length) % tabs.length;
    onPick(tabs[at]![0]);
    (event.currentTarget.children[at] as HTMLElement).focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={label} onKeyDown={move}>
      {tabs.map(([key, text]) => (
        <button type="button" role="tab" key={key} aria-selected={key === now} tabIndex={key === now ? 0 : -1} onClick={() => onPick(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

export function Segments({
  options,
  now,
  onPick,
  label,
}: {
  options: [string, ComponentChildren][];
  now: string;
  onPick: (key: string) => void;
  label: string;
}) {
  return (
    <div class="segments" role="group" aria-label={label}>
      {options.map(([key, text]) => (
        <button type="button" key={key} aria-pressed={key === now} onClick={() => onPick(key)}>
          {text}
        </button>
      ))}
    </div>
  );
}

export function Select({
  value,
  options,
  onPick,
  label,
  class: cls = "",
}: {
  value: string;
  options: [string, string][];
  onPick: (value: string) => void;
  label: string;
  class?: string;
}) {
  return (
    <select class={`select ${cls}`} aria-label={label} value={value} onChange={(event) => onPick(event.currentTarget.value)}>
      {options.map(([key, text]) => (
        <option key={key} value={key}>
          {text}
        </option>
      ))}
    </select>
  );
}

/** A button with a menu or a small form below it; Esc and a click elsewhere close it. */
export function Pop({
  label,
  face,
  children,
  side = "right",
  class: cls = "button",
  open: opened,
}: {
  label: string;
  face: ComponentChildren;
  children: (close: () => void) => ComponentChildren;
  side?: "left" | "right";
  class?: string;
  open?: { value: boolean };
}) {
  const [open, set] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const close = () => {
    set(false);
    box.current?.querySelector<HTMLElement>("button")?.focus();
  };
  useLayoutEffect(() => {
    if (opened?.value) {
      set(true);
      opened.value = false;
    }
  }, [opened?.value]);
  useLayoutEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!box.current?.contains(event.target as Node)) set(false);
    };
    addEventListener("pointerdown", outside, true);
    box.current?.querySelector<HTMLElement>(".menu input, .menu button, .menu select, .menu a")?.focus();
    return () => removeEventListener("pointerdown", outside, true);
  }, [open]);
  const keys = (event: TargetedKeyboardEvent<HTMLElement>) => {
    if (!open) return;
    if (event.key === "Escape") {
      event.stopPropagation();
      close();
    }
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return;
    if ((event.target as HTMLElement).tagName === "SELECT") return;
    const items = [...box.current!.querySelectorAll<HTMLElement>(".menu > button, .menu > a, .menu > input, .menu li button")];
    const at = items.indexOf(document.activeElement as HTMLElement) + (event.key === "ArrowDown" ? 1 : -1);
    items[(at + items.length) % items.length]?.focus();
    event.preventDefault();
  };
  return (
    <div class="pop" ref={box} onKeyDown={keys}>
      <button type="button" class={cls} aria-haspopup="true" aria-expanded={open} title={label} onClick={() => set(!open)}>
        <span class="sr">{label}: </span>
        {face}
      </button>
      {open && (
        <div class={`menu ${side}`} role="group" aria-label={label}>
          {children(close)}
        </div>
      )}
    </div>
  );
}

/** The buttons of a list that comes page by page. */
export function Pages({
  offset,
  size,
  hasMore,
  go,
}: {
  offset: number;
  size: number;
  hasMore: boolean | undefined;
  go: (offset: number) => void;
}) {
  return (
    <>
      <button type="button" class="button small" disabled={offset === 0} onClick={() => go(Math.max(0, offset - size))}>
        Before
      </button>
      <button type="button" class="button small" disabled={!hasMore} onClick={() => go(offset + size)}>
        Next {size}
      </button>
    </>
  );
}

/**
 * The side panel: an address of its own, Esc closes, focus goes back to what opened it. As of all layers, what hears
 * its keys is there before it is painted: no key goes to what lies below.
 */
export function Sheet({
  title,
  onClose,
  children,
  actions,
}: {
  title: ComponentChildren;
  onClose: () => void;
  children: ComponentChildren;
  actions?: ComponentChildren;
}) {
  const box = useRef<HTMLDivElement>(null);
  const opener = useRef<Element | null>(null);
  useLayoutEffect(() => {
    opener.current = document.activeElement;
    box.current?.querySelector<HTMLElement>("h2")?.focus();
    const keys = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && document.querySelector("dialog[open]") === null) onClose();
    };
    addEventListener("keydown", keys);
    return () => {
      removeEventListener("keydown", keys);
      if (opener.current instanceof HTMLElement && opener.current.isConnected) opener.current.focus();
    };
  }, []);
  return (
    <div class="sheet" ref={box} role="dialog" aria-label={typeof title === "string" ? title : "Details"}>
      <header>
        <h2 class="grow cut" tabIndex={-1}>
          {title}
        </h2>
        {actions}
        <button type="button" class="button quiet" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="body" tabIndex={0} role="region" aria-label="Details">
        {children}
      </div>
    </div>
  );
}

export function Dialog({
  label,
  onClose,
  children,
  class: cls = "box",
}: {
  label: string;
  onClose: () => void;
  children: ComponentChildren;
  class?: string;
}) {
  const box = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    const opener = document.activeElement;
    box.current?.showModal();
    return () => {
      if (opener instanceof HTMLElement) opener.focus();
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={cls}
      aria-label={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      {children}
    </dialog>
  );
}

// -- Tables ---------------------------------------------------------------------------------------

export interface Column<T> {
  key: string;
  name: ComponentChildren;
  cell: (row: T, index: number) => ComponentChildren;
  num?: boolean;
  /** What a click on the head sorts by. */
  sort?: (row: T) => number | string;
  /** Share of the widest bar behind the figure, 0 to 1. */
  bar?: (row: T) => number;
  wide?: boolean;
}

const ROWS_DRAWN_MAX = 200;

export function Table<T>({
  columns,
  rows,
  onPick,
  onKey,
  selected,
  label,
  sum,
  first = true,
  height,
  touch = true,
  class: cls = "",
}: {
  columns: Column<T>[];
  rows: T[];
  onPick?: ((row: T) => void) | undefined;
  onKey?: (key: string, row: T) => void;
  selected?: ((row: T) => boolean) | undefined;
  label: string;
  sum?: ComponentChildren;
  first?: boolean;
  height?: number;
  touch?: boolean;
  class?: string;
}) {
  const [by, sortBy] = useState<{ key: string; down: boolean } | null>(null);
  const [top, setTop] = useState(0);
  const column = columns.find(({ key }) => key === by?.key);
  let sorted = rows;
  if (column?.sort !== undefined) {
    const value = column.sort;
    sorted = [...rows].sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0) * (by!.down ? -1 : 1));
  }
  // Long lists draw what is in sight; rows are of one height.
  const long = sorted.length > ROWS_DRAWN_MAX;
  const rowHeight = 32;
  const view = height ?? 520;
  const from = long ? Math.max(0, Math.floor(top / rowHeight) - 10) : 0;
  const to = long ? Math.min(sorted.length, from + Math.ceil(view / rowHeight) + 20) : sorted.length;
  const keys = (event: TargetedKeyboardEvent<HTMLTableRowElement>, row: T) => {
    const element = event.currentTarget;
    if (event.key === "Enter" && event.target === element) onPick?.(row);
    if (!event.ctrlKey && !event.metaKey && !event.altKey && !isGoing()) onKey?.(event.key, row);
    const to =
      event.key === "ArrowDown" || event.key === "j"
        ? element.nextElementSibling
        : event.key === "ArrowUp" || event.key === "k"
          ? element.previousElementSibling
          : null;
    if (to instanceof HTMLElement) {
      event.preventDefault();
      to.focus();
    }
  };
  return (
    <div
      class="scroller"
      tabIndex={0}
      role="region"
      aria-label={label}
      style={long || height !== undefined ? { maxHeight: `${view}px` } : {}}
      onScroll={long ? (event) => setTop(event.currentTarget.scrollTop) : undefined}
    >
      <table class={`${cls} ${touch ? "touch" : ""}`} aria-label={label} aria-rowcount={long ? sorted.length + 1 : undefined}>
        <thead>
          <tr>
            {columns.map((one, i) => (
              <th
                key={one.key}
                scope="col"
                class={`${one.num ? "num" : ""} ${first && i === 0 ? "first" : ""} ${one.wide ? "wide" : ""}`}
                aria-sort={by?.key === one.key ? (by.down ? "descending" : "ascending") : undefined}
              >
                {one.sort === undefined ? (
                  one.name
                ) : (
                  <button
                    type="button"
                    onClick={() =>
                      sortBy(by?.key === one.key ? (by.down ? { key: one.key, down: false } : null) : { key: one.key, down: true })
                    }
                  >
                    {one.name}
                    {by?.key === one.key ? (by.down ? " ↓" : " ↑") : ""}
                  </button>
                )}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {sum}
          {long && from > 0 && (
            <tr aria-hidden="true">
              <td colSpan={columns.length} style={{ height: `${from * rowHeight}px`, padding: "0" }} />
            </tr>
          )}
          {sorted.slice(from, to).map((row, i) => (
            <tr
              key={from + i}
              aria-rowindex={long ? from + i + 2 : undefined}
              class={onPick === undefined ? "" : "pick"}
              tabIndex={onPick === undefined ? undefined : 0}
              aria-selected={selected?.(row) ? true : undefined}
              onClick={
                onPick === undefined
                  ? undefined
                  : (event) => {
                      if (!(event.target as Element).closest("a,button,input")) onPick(row);
                    }
              }
              onKeyDown={onPick === undefined ? undefined : (event) => keys(event, row)}
            >
              {columns.map((one, c) => (
                <td
                  key={one.key}
                  class={`${one.num ? "num" : ""} ${first && c === 0 ? "first" : ""} ${one.wide ? "wide" : ""} ${one.bar ? "bar" : ""}`}
                >
                  {one.bar !== undefined && <i style={{ width: `${Math.max(0, Math.min(1, one.bar(row))) * 100}%` }} />}
                  {one.bar !== undefined ? <span>{one.cell(row, from + i)}</span> : one.cell(row, from + i)}
                </td>
              ))}
            </tr>
          ))}
          {long && to < sorted.length && (
            <tr aria-hidden="true">
              <td colSpan={columns.length} style={{ height: `${(sorted.length - to) * rowHeight}px`, padding: "0" }} />
            </tr>
          )}
        </tbody>
      </table>
    </div>
  );
}

// -- States ---------------------------------------------------------------------------------------

export function Note({ tone = "", children }: { tone?: "" | "ok" | "warn" | "bad"; children: ComponentChildren }) {
  return (
    <div class={`note ${tone}`} role={tone === "bad" ? "alert" : "status"}>
      {children}
    </div>
  );
}

export function Fault({ fault, again }: { fault: Refused; again?: (() => void) | undefined }) {
  if (fault.code === "no_sql_engine") return <NoEngine />;
  const where = typeof fault.body["attr"] === "string" ? fault.body["attr"] : "";
  return (
    <Note tone="bad">
      <span class="grow">
        <strong>{fault.detail}</strong>{" "}
        <span class="dim">
          {fault.code}
          {where !== "" && `, at ${where}`}
        </span>
      </span>
      {again !== undefined && (
        <button type="button" class="button small" onClick={again}>
          Ask again
        </button>
      )}
    </Note>
  );
}

export function NoEngine() {
  return (
    <div class="state">
      <strong>Questions need a SQL engine.</strong>
      <p>
        Set <code>HOGFLARE_SQL_TOKEN</code>, <code>HOGFLARE_SQL_ACCOUNT_ID</code> and <code>HOGFLARE_SQL_BUCKET</code> (docs/INSIGHTS.md).
        Until then Live, People by id, Flags and Health work.
      </p>
    </div>
  );
}

function Asking({ asked }: { asked: Asked }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 200);
    return () => clearInterval(timer);
  }, []);
  const seconds = (Date.now() - asked.since) / 1_000;
  if (seconds < 0.4) return <div class="progress" style={{ visibility: "hidden" }} />;
  const usual = asked.of === undefined ? null : usualSeconds(asked.of);
  const days = progress.value[asked.key ?? ""];
  return (
    <div role="status" aria-live="off">
      <div class="progress">
        <i />
      </div>
      {seconds > 1.5 && (
        <div class="answerline">
          <span>
            Asking the table{days !== undefined && days.done < days.of && `, ${days.done} of ${days.of} days`}… {seconds.toFixed(1)} s
            {days === undefined && usual !== null && seconds > 3 && ` · usually ${duration(usual)} for this range`}
          </span>
          {seconds > 7 && <span>A shorter range or fewer breakdowns read less of the table.</span>}
          <button type="button" class="button small" onClick={asked.cancel}>
            Cancel
          </button>
        </div>
      )}
    </div>
  );
}

/** What every result has below it: how long, how much, how fresh; the SQL, the file. */
export function AnswerLine({ asked, name = "answer", csv = true }: { asked: Asked; name?: string; csv?: boolean }) {
  const [sql, show] = useState(false);
  const [failed, fail] = useState("");
  const answer = asked.answer;
  if (answer === undefined) return null;
  const cost = answer.hogflare ?? {};
  const query = asked.of;
  return (
    <>
      <div class="answerline">
        <span class="grow">
          {[
            cost.duration_ms !== undefined ? duration(cost.duration_ms / 1_000) : null,
            cost.bytes_scanned !== undefined ? `${bytes(cost.bytes_scanned)} scanned` : null,
            answer.is_cached ? `kept${answer.cache_age_s ? ` for ${duration(answer.cache_age_s)}` : ""}` : null,
            cost.as_of ? `as of ${clock(cost.as_of)}` : null,
            cost.data_until ? `data until ${time(cost.data_until)}` : null,
          ]
            .filter((part) => part !== null)
            .join(" · ")}
          {failed !== "" && <span class="bad"> {failed}</span>}
        </span>
        {cost.sql !== undefined && cost.sql.length > 0 && (
          <button type="button" class="button quiet small" aria-expanded={sql} onClick={() => show(!sql)}>
            SQL
          </button>
        )}
        {csv && query !== undefined && (
          <button
            type="button"
            class="button quiet small"
            onClick={() =>
              downloadCsv(query, name).then(
                () => fail(""),
                (fault: Error) => fail(fault.message),
              )
            }
          >
            CSV
          </button>
        )}
        <button type="button" class="button quiet small" title="Ask again" aria-label="Ask again" onClick={() => asked.again()}>
          <Icon name="refresh" />
        </button>
      </div>
      {sql && (
        <pre class="json" tabIndex={0}>
          {(cost.sql ?? []).join("\n\n")}
        </pre>
      )}
      {(cost.warnings ?? []).map((warning) => (
        <Note key={warning} tone="warn">
          {warning}
        </Note>
      ))}
    </>
  );
}

/** The five states of a question, and its answer. */
export function Answered({
  asked,
  children,
  isEmpty,
  empty,
  height = 120,
  name,
  line = true,
  csv = true,
}: {
  asked: Asked;
  children: (answer: Answer, query: Query) => ComponentChildren;
  isEmpty?: (answer: Answer) => boolean;
  empty?: ComponentChildren;
  height?: number;
  name?: string;
  line?: boolean;
  csv?: boolean;
}) {
  const { answer, state } = asked;
  const missing = answer?.hogflare?.days_missing ?? [];
  return (
    <div aria-busy={state === "asking"}>
      {state === "asking" && <Asking asked={asked} />}
      {state === "failed" && asked.fault !== undefined && <Fault fault={asked.fault} again={() => asked.again()} />}
      {state === "cancelled" && (
        <Note>
          Stopped. Nothing was changed; the engine may still bill what it had begun.{" "}
          <button type="button" class="button small" onClick={() => asked.again()}>
            Ask again
          </button>
        </Note>
      )}
      {missing.length > 0 && (
        <Note tone="warn">
          {plural(missing.length, "day")} did not answer ({missing.slice(0, 5).join(", ")}) and {missing.length === 1 ? "is" : "are"} left
          out of the sum.
          <button type="button" class="button small" onClick={() => asked.again("force_blocking")}>
            Ask for {missing.length === 1 ? "that day" : "them"}
          </button>
        </Note>
      )}
      {answer === undefined ? (
        state !== "failed" &&
        state !== "cancelled" && (
          <div class="body">
            <div class="skeleton" style={{ height: `${height}px`, margin: "8px 12px" }} />
          </div>
        )
      ) : (
        <div class={state === "asking" ? "stale" : ""}>
          {isEmpty?.(answer) ? (
            <div class="state" style={{ minHeight: `${height}px` }}>
              {empty ?? "The answer came, and it has no rows."}
            </div>
          ) : (
            children(answer, asked.of!)
          )}
        </div>
      )}
      {line && answer !== undefined && <AnswerLine asked={asked} name={name ?? "answer"} csv={csv} />}
    </div>
  );
}

export function Waiting({ height = 120 }: { height?: number }) {
  return <div class="skeleton" aria-busy="true" style={{ height: `${height}px` }} />;
}

/** JSON as a tree of text, bounded. */
export function JsonTree({ value }: { value: unknown }) {
  const lines: ComponentChildren[] = [];
  let nodes = 0;
  const walk = (one: unknown, name: string, depth: number) => {
    nodes += 1;
    if (nodes > 2_000 || depth > 20) return;
    const indent = { paddingLeft: `${depth * 14}px` };
    const key = name === "" ? null : <span class="k">{visible(name)}: </span>;
    if (one !== null && typeof one === "object") {
      const entries = Object.entries(one);
      lines.push(
        <div key={nodes} style={indent}>
          {key}
          <span class="k">{Array.isArray(one) ? `[${entries.length}]` : entries.length === 0 ? "{}" : ""}</span>
        </div>,
      );
      for (const [inner, item] of entries) walk(item, inner, depth + 1);
    } else {
      const text = !personal.value && isPrivate(name, one) ? hide(String(one)) : JSON.stringify(one);
      lines.push(
        <div key={nodes} style={indent}>
          {key}
          <span class={typeof one === "string" ? "s" : "n"} dir="auto">
            {visible(text)}
          </span>
        </div>,
      );
    }
  };
  walk(value, "", 0);
  return (
    <div class="json" tabIndex={0} role="region" aria-label="JSON">
      {lines}
      {nodes > 2_000 && <div class="k">… more than 2,000 values</div>}
    </div>
  );
}

/** name: value pairs with data hidden where private. */
export function Pairs({ of, render }: { of: Record<string, unknown>; render?: (key: string, value: unknown) => ComponentChildren }) {
  const entries = Object.entries(of);
  if (entries.length === 0) return <div class="state">None.</div>;
  return (
    <dl class="pairs">
      {entries.map(([key, value]) => [
        <dt key={`${key}.`} class="mono">
          {visible(key)}
        </dt>,
        <dd key={key}>{render?.(key, value) ?? <Data name={key} value={value} />}</dd>,
      ])}
    </dl>
  );
}

export const debounceMs = 500;
/** The value once it has stood still. */
export function useSettled<T>(value: T, ms = debounceMs): T {
  const [settled, set] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = setTimeout(() => set(value), ms);
    return () => clearTimeout(timer);
  }, [text]);
  return settled;
}
