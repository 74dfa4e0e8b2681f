// Issues by fingerprint; an issue opens at its first own frame.
import { useEffect, useState } from "preact/hooks";
import { exact, number, percent, plural, visible } from "../lib/format";
import { event, pointText, withState } from "../lib/question";
import { go, pageHref, route } from "../lib/router";
import { boundsText, decide, hasReturned, standing, STATUSES, type Bounds, type Decided, type Status } from "../lib/issues";
import { can, isAdmin } from "../lib/session";
import { dateRange, propertyFilter } from "../lib/state";
import { useQuestion } from "../lib/ask";
import { Answered, Block, Copy, Data, NoEngine, Num, Pop, Table, Tabs, Time, useSettled } from "../ui/kit";
import { Spark } from "../chart/line";
import { EventList } from "./people";
import { PeoplePanel } from "../ui/people";
import type { EventLike } from "../ui/event-panel";

interface Issue extends Decided {
  name: string | null;
  description: string | null;
  first_seen: string;
  last_seen: string;
  aggregations: { occurrences: number; sessions: number; users: number; volumeRange?: number[] };
}

export default function Errors() {
  if (!can("sql"))
    return (
      <Block>
        <NoEngine />
      </Block>
    );
  return route.value.id === "" ? <List /> : <One key={route.value.id} id={route.value.id} />;
}

/** The kind's own dates: UTC, a relative start and a fixed end. */
function range() {
  const { date_from, date_to } = dateRange(route.value);
  const from = /^-\d+[hdwmqy]$|^\d{4}/.test(date_from) || date_from === "all" ? date_from : "-7d";
  return date_to !== undefined && /^\d{4}/.test(date_to)
    ? { date_from: from, date_to: date_to.length === 10 ? `${date_to}T23:59:59` : date_to }
    : { date_from: from };
}

function StatusTag({ id, told }: { id: string; told: Issue | undefined }) {
  const now = standing(id, told);
  if (now.status === undefined) return null;
  if (hasReturned(now))
    return (
      <span class="tag bad" title={`${now.decision!.status} ${now.decision!.at}, met again since`}>
        returned
      </span>
    );
  return (
    <span
      class={`tag ${now.status === "resolved" ? "ok" : now.status === "active" ? "warn" : ""}`}
      title={now.decision === null ? undefined : `${now.status} ${boundsText(now.decision)}`}
    >
      {now.status}
    </span>
  );
}

function List() {
  const { find } = route.value;
  const [order, sort] = useState("users");
  const [shown, show] = useState<"open" | Status | "all">("open");
  const [told, tell] = useState("");
  const wanted = (row: Issue) => shown === "all" || standing(row.id, row).status === (shown === "open" ? "active" : shown);
  const keys = (key: string, row: Issue) => {
    const status = key === "e" ? "resolved" : key === "i" ? "ignored" : undefined;
    if (status !== undefined && isAdmin())
      decide(row.id, status).then(
        () => tell(`${row.name ?? "Issue"} is ${status}.`),
        (fault: Error) => tell(fault.message),
      );
  };
  const search = useSettled(find, 400);
  const asked = useQuestion({
    kind: "ErrorTrackingQuery",
    dateRange: range(),
    orderBy: order,
    orderDirection: "DESC",
    limit: 100,
    volumeResolution: 24,
    ...(search === "" ? {} : { searchQuery: search }),
    ...(route.value.f.length === 0 ? {} : { properties: route.value.f.map(propertyFilter) }),
  });
  return (
    <div class="stack">
      <div class="row wrap">
        <input
          class="input grow"
          style={{ maxWidth: "360px" }}
          placeholder="Type or message…"
          aria-label="Search errors"
          value={find}
          onInput={(input) => go({ find: input.currentTarget.value }, "replace")}
        />
        <select class="select" aria-label="Order" value={order} onChange={(pick) => sort(pick.currentTarget.value)}>
          <option value="users">most people</option>
          <option value="occurrences">most events</option>
          <option value="last_seen">last seen</option>
          <option value="first_seen">newest</option>
        </select>
        <select class="select" aria-label="Status" value={shown} onChange={(pick) => show(pick.currentTarget.value as Status)}>
          <option value="open">open</option>
          <option value="all">all</option>
          {STATUSES.map(([key, name]) => (
            <option key={key} value={key}>
              {name.toLowerCase()}
            </option>
          ))}
        </select>
      </div>
      <p class="meta" role="status" hidden={told === ""}>
        {told}
      </p>
      <Block flush name="Errors">
        <Answered
          asked={asked}
          height={400}
          name="errors"
          isEmpty={(answer) => answer.results.length === 0}
          empty={
            find === ""
              ? "No exception in this range. Nothing is caught where the SDK's exception capture is off."
              : `No exception with “${find}” in this range.`
          }
        >
          {(answer) => {
            const all = answer.results as Issue[];
            const rows = all.filter(wanted);
            return (
              <>
                {rows.length === 0 && (
                  <div class="state">
                    No issue here is {shown}. {plural(all.length, "issue")} in this range.{" "}
                    <button type="button" class="link" onClick={() => show("all")}>
                      Show all
                    </button>
                  </div>
                )}
                {rows.length > 0 && (
                  <Table<Issue>
                    label="Errors"
                    rows={rows}
                    onKey={keys}
                    onPick={(row) => go({ id: row.id, sel: "", find: "" })}
                    columns={[
                      {
                        key: "name",
                        name: "Issue",
                        cell: (row) => (
                          <span style={{ display: "block", padding: "4px 0", minWidth: "160px" }}>
                            <a href={pageHref("errors", { id: row.id })}>
                              <b>{visible(row.name ?? "Error")}</b>
                            </a>
                            <br />
                            <span class="dim cut">{visible(row.description ?? "")}</span>
                          </span>
                        ),
                      },
                      {
                        key: "spark",
                        name: "In the range",
                        wide: true,
                        cell: (row) => (
                          <Spark data={row.aggregations.volumeRange ?? []} label={`${exact(row.aggregations.occurrences)} events`} />
                        ),
                      },
                      {
                        key: "people",
                        name: "People",
                        num: true,
                        cell: (row) => (
                          <b>
                            <Num value={row.aggregations.users} />
                          </b>
                        ),
                        sort: (row) => row.aggregations.users,
                      },
                      {
                        key: "events",
                        name: "Events",
                        num: true,
                        wide: true,
                        cell: (row) => <Num value={row.aggregations.occurrences} />,
                        sort: (row) => row.aggregations.occurrences,
                      },
                      {
                        key: "visits",
                        name: "Visits",
                        num: true,
                        wide: true,
                        cell: (row) => <Num value={row.aggregations.sessions} />,
                        sort: (row) => row.aggregations.sessions,
                      },
                      { key: "last", name: "Last seen", cell: (row) => <Time at={row.last_seen} />, sort: (row) => row.last_seen },
                      {
                        key: "first",
                        name: "First in range",
                        wide: true,
                        cell: (row) => <Time at={row.first_seen} />,
                        sort: (row) => row.first_seen,
                      },
                      {
                        key: "status",
                        name: "Status",
                        wide: true,
                        cell: (row) => <StatusTag id={row.id} told={row} />,
                        sort: (row) => standing(row.id, row).status ?? "",
                      },
                    ]}
                  />
                )}
                {rows.length > 0 && isAdmin() && (
                  <p class="meta pad only-keys">
                    In a row: <kbd>e</kbd> resolves, <kbd>i</kbd> ignores.
                  </p>
                )}
                {rows.length > 0 && rows.length < all.length && (
                  <p class="meta pad">{plural(all.length - rows.length, "issue")} more in this range with another status.</p>
                )}
              </>
            );
          }}
        </Answered>
      </Block>
    </div>
  );
}

interface Frame {
  chunk_id?: string;
  filename?: string;
  source?: string;
  function?: string;
  resolved_name?: string;
  mangled_name?: string;
  lineno?: number;
  line?: number;
  colno?: number;
  column?: number;
  in_app?: boolean;
  context_line?: string;
  pre_context?: string[];
  post_context?: string[];
}
interface Exception {
  type?: string;
  value?: string;
  mechanism?: { handled?: boolean };
  stacktrace?: { frames?: Frame[] };
}

const nameOf = (frame: Frame) => frame.resolved_name ?? frame.function ?? "anonymous";
const placeOf = (frame: Frame) =>
  `${frame.source ?? frame.filename ?? "?"}${(frame.lineno ?? frame.line) ? `:${frame.lineno ?? frame.line}${(frame.colno ?? frame.column) ? `:${frame.colno ?? frame.column}` : ""}` : ""}`;
/** A frame whose script had its chunk's id written into it, or that looks like one, and no map has been found for. */
const isMinified = (frame: Frame) =>
  frame.mangled_name === undefined &&
  (frame.chunk_id !== undefined || ((frame.lineno ?? frame.line) === 1 && (frame.colno ?? frame.column ?? 0) > 300));

/** The same frames once their maps are there, in terms of the source. */
function useSource(frames: Frame[]): { frames: Frame[]; isResolving: boolean } {
  const withMaps = frames.some(({ chunk_id }) => typeof chunk_id === "string");
  const key = withMaps
    ? JSON.stringify(
        frames.map(({ chunk_id, function: name, lineno, line, colno, column }) => [chunk_id, name, lineno ?? line, colno ?? column]),
      )
    : "";
  const [found, set] = useState<{ key: string; places: (Partial<Frame> | undefined)[] }>({ key: "", places: [] });
  useEffect(() => {
    if (key === "") return undefined;
    let isShown = true;
    import("../lib/symbols")
      .then(({ resolveFrames }) => resolveFrames(frames))
      .then(
        (places) => isShown && set({ key, places }),
        () => isShown && set({ key, places: [] }),
      );
    return () => void (isShown = false);
  }, [key]);
  if (found.key !== key) return { frames, isResolving: withMaps };
  return {
    frames: frames.map((frame, i) =>
      found.places[i] === undefined ? frame : { ...frame, mangled_name: frame.function ?? "", ...found.places[i] },
    ),
    isResolving: false,
  };
}

/** Frames with the newest call first, as they are read; the first own one is open. */
function Stack({ exception }: { exception: Exception }) {
  const { frames, isResolving } = useSource([...(exception.stacktrace?.frames ?? [])].reverse());
  const firstOwn = Math.max(
    frames.findIndex(({ in_app }) => in_app === true),
    0,
  );
  const [others, show] = useState(false);
  const own = frames.filter((frame, i) => frame.in_app || i === firstOwn);
  const list = others ? frames : own;
  const minified = own.filter(isMinified);
  return (
    <div class="stack" style={{ gap: "6px" }}>
      <p>
        <b>{visible(exception.type ?? "Error")}</b>: {visible(exception.value ?? "")}{" "}
        {exception.mechanism?.handled === false && <span class="tag bad">unhandled</span>}
      </p>
      {frames.length === 0 ? (
        <p class="dim">No stack came with it.</p>
      ) : (
        <div class="scroller" tabIndex={0} role="region" aria-label="Stack">
          <ol class="mono">
            {list.map((frame, i) => (
              <li
                key={i}
                style={{
                  padding: "3px 8px",
                  borderLeft: `2px solid ${frame.in_app ? "var(--accent)" : "var(--line)"}`,
                  whiteSpace: "nowrap",
                }}
              >
                <b
                  title={
                    frame.resolved_name !== undefined && frame.mangled_name ? `${frame.mangled_name} in the minified script` : undefined
                  }
                >
                  {visible(nameOf(frame))}
                </b>{" "}
                <span class={frame.in_app ? "" : "dim"}>{visible(placeOf(frame))}</span>
                {frame.context_line !== undefined && frame === frames[firstOwn] && (
                  <pre style={{ margin: "4px 0", padding: "4px 8px", background: "var(--sunken)" }}>
                    {visible([...(frame.pre_context ?? []), `▸ ${frame.context_line}`, ...(frame.post_context ?? [])].join("\n"))}
                  </pre>
                )}
              </li>
            ))}
          </ol>
        </div>
      )}
      <p class="row wrap meta">
        {frames.length > own.length && (
          <button type="button" class="link" onClick={() => show(!others)}>
            {others ? "Own frames only" : `${plural(frames.length - own.length, "frame")} of libraries`}
          </button>
        )}
        {isResolving && <span>Looking for source maps …</span>}
        {!isResolving && minified.length > 0 && (
          <span class="warn">Minified: no map for {(minified[0]!.filename ?? "").split("/").at(-1)}; grouping may be coarse.</span>
        )}
        {frames.length > 0 && (
          <Copy
            what="stack"
            text={`${exception.type}: ${exception.value}\n${frames.map((frame) => `  at ${nameOf(frame)} (${placeOf(frame)})`).join("\n")}`}
          />
        )}
      </p>
    </div>
  );
}

function One({ id }: { id: string }) {
  const state = route.value;
  const filter = [{ type: "event", key: "$exception_fingerprint", operator: "exact", value: [id] }];
  const summary = useQuestion({
    kind: "ErrorTrackingQuery",
    dateRange: range(),
    issueId: id,
    orderBy: "users",
    orderDirection: "DESC",
    volumeResolution: 24,
  });
  const exceptions = useQuestion({
    kind: "EventsQuery",
    select: ["*"],
    events: ["$exception"],
    properties: filter,
    after: "-30d",
    limit: 20,
  });
  const [at, move] = useState(0);
  const issue = (summary.answer?.results as Issue[] | undefined)?.[0];
  const list = ((exceptions.answer?.results ?? []) as [EventLike][]).map(([one]) => one);
  const one = list[at];
  const chain = (one?.properties["$exception_list"] as Exception[] | undefined) ?? [];
  const tab = ["before", "by"].includes(state.tab) ? state.tab : "stack";
  const people = withState(
    { kind: "TrendsQuery", series: [{ ...event("$exception", "dau"), properties: filter }], trendsFilter: { display: "BoldNumber" } },
    state,
  );
  const session = one?.properties["$session_id"];
  const own = chain[0]?.stacktrace?.frames?.filter(({ in_app }) => in_app).at(-1);
  const now = standing(id, issue);
  const [told, tell] = useState("");
  const put = (status: Status, bounds: Bounds = {}) =>
    decide(id, status, bounds).then(
      () => tell(""),
      (fault: Error) => tell(fault.message),
    );
  return (
    <div class="stack">
      <div class="row between wrap">
        <h2 class="grow" style={{ minWidth: "min(100%, 280px)" }}>
          {visible(issue?.name ?? chain[0]?.type ?? "Issue")} <StatusTag id={id} told={issue} />
        </h2>
        {isAdmin() && <Decide status={now.status} put={put} />}
        <a class="button" href={pageHref("errors")}>
          All errors
        </a>
      </div>
      <p>{visible(issue?.description ?? chain[0]?.value ?? "")}</p>
      {told !== "" && (
        <p class="bad" role="alert">
          {told}
        </p>
      )}
      {now.decision !== null && (
        <p class="meta">
          {now.decision.status} since <Time at={now.decision.at} /> {boundsText(now.decision)}
          {hasReturned(now) && (now.decision.status === "resolved" ? ", and met again since" : ": reached, so it is active again")}. Every
          decision is an event, <code>issue_status_changed</code>, that the table has about five minutes later.
        </p>
      )}
      <Answered
        asked={summary}
        height={40}
        line={false}
        isEmpty={(answer) => answer.results.length === 0}
        empty="No event of this fingerprint in this range."
      >
        {() =>
          issue !== undefined && (
            <p class="row wrap">
              <button type="button" class="link" onClick={() => go({ sel: pointText("pt", "", 0) })}>
                <b>{plural(issue.aggregations.users, "person", "people")}</b>
              </button>
              <span>{plural(issue.aggregations.occurrences, "event")}</span>
              <span>{plural(issue.aggregations.sessions, "visit")}</span>
              {own !== undefined && (
                <span>
                  in <span class="mono">{placeOf(own)}</span>
                </span>
              )}
              <span class="dim">
                first <Time at={issue.first_seen} />, last <Time at={issue.last_seen} />
              </span>
              <Spark data={issue.aggregations.volumeRange ?? []} label="Events in the range" />
            </p>
          )
        }
      </Answered>
      <Block flush name="Issue">
        <Tabs
          label="Issue"
          now={tab}
          onPick={(key) => go({ tab: key })}
          tabs={[
            ["stack", "Stack"],
            ["before", "What happened before"],
            ["by", "Where"],
          ]}
        />
        <Answered
          asked={exceptions}
          height={300}
          isEmpty={(answer) => answer.results.length === 0}
          empty="The table has no event of this fingerprint in 30 days."
        >
          {() => (
            <div class="stack" style={{ padding: "12px" }}>
              {tab !== "by" && list.length > 1 && (
                <p class="row wrap">
                  <button type="button" class="button small" disabled={at >= list.length - 1} onClick={() => move(at + 1)}>
                    ‹ Older
                  </button>
                  <button type="button" class="button small" disabled={at === 0} onClick={() => move(at - 1)}>
                    Newer ›
                  </button>
                  <span class="meta">
                    {at + 1} of the newest {list.length} · <Time at={one?.timestamp} /> ·{" "}
                    <Data name="distinct_id" value={one?.distinct_id} />
                  </span>
                  {typeof session === "string" && <a href={pageHref("sessions", { id: session })}>Watch the visit</a>}
                </p>
              )}
              {tab === "stack" &&
                (chain.length === 0 ? (
                  <p class="dim">The event holds no exception list.</p>
                ) : (
                  chain.map((exception, i) => <Stack key={`${at}${i}`} exception={exception} />)
                ))}
              {tab === "before" && one !== undefined && <Before one={one} />}
              {tab === "by" && <Where id={id} />}
              <p class="row meta">
                Grouped by fingerprint <span class="mono">{id.length > 16 ? `${id.slice(0, 16)}…` : id}</span>
                <Copy text={id} what="fingerprint" />
              </p>
            </div>
          )}
        </Answered>
      </Block>
      {state.sel.startsWith("pt") && (
        <PeoplePanel source={people} point={state.sel} title="People who met it" expected={issue?.aggregations.users} />
      )}
    </div>
  );
}

/** The status that holds, and what it shall be; how long an ignored one stays so is asked first. */
function Decide({ status, put }: { status: Status | undefined; put: (status: Status, bounds?: Bounds) => void }) {
  const [n, count] = useState("10");
  const [what, pick] = useState<"" | keyof Bounds>("");
  const most = Number(n);
  const isNumber = Number.isSafeInteger(most) && most >= 1;
  return (
    <div class="row wrap">
      <div class="segments" role="group" aria-label="Status">
        {STATUSES.filter(([key]) => key !== "ignored").map(([key, name]) => (
          <button type="button" key={key} aria-pressed={status === key} onClick={() => put(key)}>
            {name}
          </button>
        ))}
      </div>
      <Pop label="Ignore" class={`button ${status === "ignored" ? "on" : ""}`} face={status === "ignored" ? "Ignored ▾" : "Ignore ▾"}>
        {(close) => (
          <form
            class="stack"
            style={{ padding: "8px", gap: "8px", minWidth: "250px" }}
            onSubmit={(event) => {
              event.preventDefault();
              if (what !== "" && !isNumber) return;
              close();
              put("ignored", what === "" ? {} : { [what]: most });
            }}
          >
            <select
              class="select"
              aria-label="Ignore until"
              value={what}
              onChange={(event) => pick(event.currentTarget.value as "" | keyof Bounds)}
            >
              <option value="">until it is made active again</option>
              <option value="until_people">until more people have met it</option>
              <option value="until_occurrences">until it has happened more times</option>
            </select>
            {what !== "" && (
              <label class="row">
                How many{" "}
                <input
                  class="input"
                  type="number"
                  min="1"
                  step="1"
                  required
                  style={{ width: "96px" }}
                  value={n}
                  onInput={(event) => count(event.currentTarget.value)}
                />
              </label>
            )}
            <span>
              <button type="submit" class="button main">
                Ignore it
              </button>
            </span>
          </form>
        )}
      </Pop>
    </div>
  );
}

function Before({ one }: { one: EventLike }) {
  const asked = useQuestion({
    kind: "EventsQuery",
    select: ["*"],
    personId: one.person_id,
    after: new Date(Date.parse(one.timestamp) - 3_600_000).toISOString(),
    before: new Date(Date.parse(one.timestamp) + 1).toISOString(),
    limit: 20,
  });
  return (
    <Answered
      asked={asked}
      height={200}
      isEmpty={(answer) => answer.results.length === 0}
      empty="Nothing of this person in the hour before."
    >
      {(answer) => <EventList events={(answer.results as [EventLike][]).map(([event]) => event)} />}
    </Answered>
  );
}

/** Where it is met more often than elsewhere: its share beside everything's. */
function Where({ id }: { id: string }) {
  const [by, pick] = useState("$browser");
  const make = (mine: boolean) =>
    withState(
      {
        kind: "TrendsQuery",
        trendsFilter: { display: "ActionsBarValue" },
        breakdownFilter: { breakdown: by, breakdown_type: "event", breakdown_limit: 10 },
        series: [
          mine
            ? { ...event("$exception"), properties: [{ type: "event", key: "$exception_fingerprint", operator: "exact", value: [id] }] }
            : event("$pageview"),
        ],
      },
      route.value,
    );
  const mine = useQuestion(make(true));
  const all = useQuestion(make(false));
  const share = (answer: any): Map<string, { n: number; share: number }> => {
    const rows = (answer?.results ?? []) as any[];
    const sum = rows.reduce((total, one) => total + Number(one.aggregated_value ?? 0), 0);
    return new Map(
      rows.map((one) => [
        String(one.breakdown_value),
        { n: Number(one.aggregated_value), share: sum === 0 ? 0 : Number(one.aggregated_value) / sum },
      ]),
    );
  };
  const other = share(all.answer);
  return (
    <div class="stack">
      <div>
        <select class="select" aria-label="By" value={by} onChange={(event) => pick(event.currentTarget.value)}>
          {[
            ["$browser", "Browser"],
            ["$os", "System"],
            ["$device_type", "Device"],
            ["$pathname", "Page"],
            ["$lib_version", "SDK version"],
          ].map(([key, name]) => (
            <option key={key} value={key}>
              {name}
            </option>
          ))}
        </select>
      </div>
      <Answered asked={mine} height={200} csv={false}>
        {(answer) => (
          <Table
            label="Where"
            rows={[...share(answer)].sort((a, b) => b[1].n - a[1].n)}
            columns={[
              {
                key: "v",
                name: "Value",
                cell: ([value]) => (value.includes("null_$$") ? "(not set)" : value.includes("other_$$") ? "Other" : value),
                bar: ([, row]) => row.share,
              },
              { key: "n", name: "Events", num: true, cell: ([, row]) => number(row.n) },
              { key: "s", name: "Here", num: true, cell: ([, row]) => percent(row.share) },
              {
                key: "o",
                name: "Of all views",
                num: true,
                cell: ([value]) => <span class="dim">{percent(other.get(value)?.share ?? (all.state === "ready" ? 0 : null))}</span>,
              },
            ]}
          />
        )}
      </Answered>
    </div>
  );
}
