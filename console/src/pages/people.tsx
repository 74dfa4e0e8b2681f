// Who: find by id (the object answers, no table needed) or search the table; the profile explains who is who.
import { useState } from "preact/hooks";
import { bucket, clock, exact, number, plural, shortId, time, wallClock } from "../lib/format";
import { go, pageHref, route } from "../lib/router";
import { api, callJson, can, Refused, team } from "../lib/session";
import { useLoad, useQuestion, type Query } from "../lib/ask";
import {
  Answered,
  Block,
  Copy,
  Data,
  Fault,
  Id,
  JsonTree,
  Note,
  Num,
  Pages,
  Pairs,
  Table,
  Tabs,
  Time,
  useSettled,
  Waiting,
} from "../ui/kit";
import { EventPanel, type EventLike } from "../ui/event-panel";
import { PersonLink, personTitle, type Actor } from "../ui/people-panel";

interface Merge {
  kind?: string;
  at?: string;
  from?: string;
  to?: string;
  into?: string;
  event_uuid?: string;
  merged_uuid?: string;
  sentence?: string;
}
export interface Person {
  uuid: string;
  id?: number | string | null;
  asked?: string;
  distinct_ids: string[];
  distinct_ids_count?: number;
  ids?: { distinct_id: string; version: number; why?: string }[];
  properties: Record<string, unknown>;
  created_at: string;
  is_identified: boolean;
  version: number;
  merges: Merge[];
  last_changes?: Record<string, unknown>[];
  [more: string]: unknown;
}

export const loadPerson = (id: string) => api<Person>(`person?distinct_id=${encodeURIComponent(id)}`);

export default function People() {
  return route.value.id === "" ? <List /> : <Profile key={route.value.id} id={route.value.id} />;
}

const PAGE = 100;

function List() {
  const { find } = route.value;
  const [text, set] = useState(find);
  const [offset, page] = useState(0);
  const search = useSettled(find, 300);
  const query: Query = {
    kind: "PersonsQuery",
    select: ["person", "id", "created_at"],
    limit: PAGE,
    ...(search === "" ? {} : { search }),
    ...(offset > 0 ? { offset } : {}),
  };
  const asked = useQuestion(can("sql") ? query : null);
  return (
    <div class="stack">
      <form
        class="row wrap"
        onSubmit={(event) => {
          event.preventDefault();
          const id = text.trim();
          if (id !== "") go({ id, find: "" });
        }}
      >
        <input
          class="input grow"
          style={{ maxWidth: "480px" }}
          autofocus
          aria-label="Distinct id, mail or a property's value"
          placeholder="Distinct id, mail or a property's value…"
          value={text}
          onInput={(event) => set(event.currentTarget.value)}
        />
        <button type="submit" class="button main">
          Open this id
        </button>
        <button
          type="button"
          class="button"
          disabled={!can("sql")}
          onClick={() => {
            page(0);
            go({ find: text.trim() });
          }}
        >
          Search the table
        </button>
        {find !== "" && (
          <button
            type="button"
            class="button quiet"
            onClick={() => {
              set("");
              go({ find: "" });
            }}
          >
            All people
          </button>
        )}
      </form>
      {!can("sql") ? (
        <Note>The list needs a SQL engine. An exact distinct id opens without one: its object is asked.</Note>
      ) : (
        <Block flush name="People">
          <Answered
            asked={asked}
            height={480}
            name="people"
            isEmpty={(answer) => answer.results.length === 0 && offset === 0}
            empty={
              search === ""
                ? "The table knows no person yet. People come with identified events."
                : `Nobody with “${search}” in a property or an id.`
            }
          >
            {(answer) => {
              const people = (answer.results as unknown[][]).map((row) => row[0] as Actor);
              return (
                <>
                  <Table<Actor>
                    label="People"
                    rows={people}
                    onPick={(person) => person.distinct_ids?.[0] !== undefined && go({ id: person.distinct_ids[0], find: "", sel: "" })}
                    columns={[
                      { key: "name", name: "Person", cell: (person) => <PersonLink actor={person} /> },
                      {
                        key: "ids",
                        name: "Ids",
                        num: true,
                        cell: (person) => <Num value={person.distinct_ids?.length ?? 0} />,
                        sort: (person) => person.distinct_ids?.length ?? 0,
                      },
                      {
                        key: "first",
                        name: "First seen",
                        cell: (person) => <Time at={person.created_at} />,
                        sort: (person) => person.created_at ?? "",
                      },
                      {
                        key: "plan",
                        name: "Own properties",
                        wide: true,
                        cell: (person) => (
                          <span class="cut dim">
                            {Object.entries(person.properties ?? {})
                              .filter(([key]) => !key.startsWith("$") && !/mail|name/i.test(key))
                              .slice(0, 3)
                              .map(([key, value]) => `${key}: ${String(value)}`)
                              .join(" · ")}
                          </span>
                        ),
                      },
                      {
                        key: "country",
                        name: "Country",
                        wide: true,
                        cell: (person) => <Data name="country" value={person.properties?.["$geoip_country_code"]} />,
                      },
                    ]}
                  />
                  <p class="row" style={{ padding: "8px 12px" }}>
                    <Pages offset={offset} size={PAGE} hasMore={answer.hasMore} go={page} />
                    <span class="meta">
                      {exact(offset + 1)} to {exact(offset + people.length)}, newest first
                    </span>
                  </p>
                </>
              );
            }}
          </Answered>
        </Block>
      )}
    </div>
  );
}

function Profile({ id }: { id: string }) {
  const person = useLoad(`person ${id}`, () => loadPerson(id));
  const { tab } = route.value;
  if (person.state === "asking" && person.value === undefined) return <Waiting height={300} />;
  if (person.state === "failed") {
    const fault = person.fault!;
    if (fault.code === "no_person") return <WithoutPerson id={id} />;
    return <Fault fault={fault} again={person.again} />;
  }
  const me = person.value!;
  const actor: Actor = {
    id: me.uuid,
    distinct_ids: me.distinct_ids,
    properties: me.properties,
    ...(typeof me.properties["email"] === "string" ? { name: me.properties["email"] as string } : {}),
  };
  const now = ["timeline", "identity", "properties", "sessions", "flags", "raw"].includes(tab) ? tab : can("sql") ? "timeline" : "identity";
  return (
    <div class="stack">
      <div class="row wrap between">
        <div>
          <p class="row wrap">
            <b style={{ fontSize: "20px", lineHeight: "26px" }} dir="auto">
              {personTitle(actor)}
            </b>
            {typeof me.properties["name"] === "string" && <Data name="name" value={me.properties["name"]} />}
            <span class={`tag ${me.is_identified ? "ok" : ""}`}>{me.is_identified ? "identified" : "anonymous"}</span>
          </p>
          <p class="meta row wrap">
            <span class="row">
              person <Id id={me.uuid} copy />
            </span>
            {me.id != null && me.id !== me.uuid && <span>#{me.id}</span>}
            <span>
              since <Time at={me.created_at} />
            </span>
            <span>{plural(me.distinct_ids_count ?? me.distinct_ids.length, "id")}</span>
            <span>version {me.version}</span>
          </p>
        </div>
        <a class="button" href={pageHref("people")}>
          All people
        </a>
      </div>
      <Block flush name="Profile">
        <Tabs
          label="Profile"
          now={now}
          onPick={(key) => go({ tab: key, sel: "" })}
          tabs={[
            ["timeline", "Timeline"],
            ["identity", "Identity"],
            ["properties", `Properties (${Object.keys(me.properties).length})`],
            ["sessions", "Visits"],
            ["flags", "Flags"],
            ["raw", "Raw"],
          ]}
        />
        {now === "timeline" && <Timeline personId={me.uuid} />}
        {now === "identity" && <Identity me={me} id={id} />}
        {now === "properties" && <Pairs of={me.properties} />}
        {now === "sessions" && <Visits personId={me.uuid} />}
        {now === "flags" && <FlagsOf id={me.distinct_ids[0] ?? id} />}
        {now === "raw" && (
          <>
            <div class="row" style={{ padding: "4px 12px" }}>
              <span class="grow" />
              <Copy text={JSON.stringify(me, null, 2)} what="JSON" />
            </div>
            <JsonTree value={me} />
          </>
        )}
      </Block>
    </div>
  );
}

/** Not "not found": the id may have events without a person. */
function WithoutPerson({ id }: { id: string }) {
  const asked = useQuestion(
    can("sql")
      ? {
          kind: "EventsQuery",
          select: ["*"],
          after: "-90d",
          limit: 100,
          properties: [{ type: "event_metadata", key: "distinct_id", operator: "exact", value: [id] }],
        }
      : null,
  );
  return (
    <div class="stack">
      <Note>
        <span>
          <strong>
            No person has the id <span class="mono">{id}</span>.
          </strong>{" "}
          An id gets a person with its first identified event; events of anonymous visitors under <code>identified_only</code> have none.
        </span>{" "}
        <a href={pageHref("people", { find: id })}>Search people for it</a>
      </Note>
      {can("sql") && (
        <Block title="Events of this id, 90 days" flush>
          <Answered
            asked={asked}
            height={240}
            isEmpty={(answer) => answer.results.length === 0}
            empty="The table has no event of this id in 90 days."
          >
            {(answer) => <EventList events={(answer.results as [EventLike][]).map(([event]) => event)} />}
          </Answered>
        </Block>
      )}
    </div>
  );
}

const PAUSE_S = 30 * 60;

export function EventList({ events, marks }: { events: EventLike[]; marks?: (event: EventLike) => string }) {
  const [chosen, choose] = useState<EventLike | null>(null);
  const rows: ({ gap: string } | { day: string } | { event: EventLike; times: number })[] = [];
  let before: EventLike | null = null;
  for (const event of events) {
    const day = wallClock(event.timestamp).slice(0, 10);
    if (before === null || wallClock(before.timestamp).slice(0, 10) !== day) rows.push({ day });
    else {
      const pause = (Date.parse(before.timestamp) - Date.parse(event.timestamp)) / 1_000;
      if (Math.abs(pause) > PAUSE_S) rows.push({ gap: `${Math.round(Math.abs(pause) / 60)} min without events` });
    }
    const last = rows.at(-1);
    if (last !== undefined && "event" in last && last.event.event === event.event && event.event === "$autocapture") last.times += 1;
    else rows.push({ event, times: 1 });
    before = event;
  }
  return (
    <>
      <ol class="timeline">
        {rows.map((row, i) =>
          "day" in row ? (
            <li class="day" key={i}>
              {bucket(row.day, "day", "long")}
            </li>
          ) : "gap" in row ? (
            <li class="gap" key={i}>
              {row.gap}
            </li>
          ) : (
            <li key={i}>
              <span class="mono dim">{clock(row.event.timestamp)}</span>
              <span class="row">
                <button
                  type="button"
                  class={`link cut ${row.event.event === "$exception" ? "bad" : "plain"}`}
                  onClick={() => choose(row.event)}
                >
                  <b>
                    {row.times > 1 ? `${row.times} × ` : ""}
                    {row.event.event}
                  </b>
                </button>
                <span class="cut dim grow" dir="auto">
                  {row.event.event === "$exception"
                    ? String(
                        (row.event.properties["$exception_values"] as unknown[] | undefined)?.[0] ??
                          row.event.properties["$exception_message"] ??
                          "",
                      )
                    : String(
                        row.event.properties["$pathname"] ??
                          row.event.properties["$screen_name"] ??
                          row.event.properties["$current_url"] ??
                          "",
                      )}
                </span>
                {marks !== undefined && <span class="meta">{marks(row.event)}</span>}
              </span>
            </li>
          ),
        )}
      </ol>
      {chosen !== null && <EventPanel event={chosen} onClose={() => choose(null)} />}
    </>
  );
}

const EVENTS_PAGE = 100;

function Timeline({ personId }: { personId: string }) {
  const [limit, more] = useState(EVENTS_PAGE);
  const [name, find] = useState("");
  const asked = useQuestion({
    kind: "EventsQuery",
    select: ["*"],
    personId,
    after: "-90d",
    limit,
    ...(name === "" ? {} : { events: [name] }),
  });
  const names = [...new Set(((asked.answer?.results ?? []) as [EventLike][]).map(([event]) => event.event))];
  return (
    <>
      <div class="row" style={{ padding: "6px 12px" }}>
        <select class="select" aria-label="Event" value={name} onChange={(event) => find(event.currentTarget.value)}>
          <option value="">All events</option>
          {[...new Set([...names, ...(name === "" ? [] : [name])])].map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
        <span class="meta">The last 90 days, newest first</span>
      </div>
      <Answered
        asked={asked}
        height={360}
        name="timeline"
        isEmpty={(answer) => answer.results.length === 0}
        empty="The table has no event of this person in 90 days. New events take about 5 minutes to be there; Live shows them at once."
      >
        {(answer) => (
          <>
            <EventList events={(answer.results as [EventLike][]).map(([event]) => event)} />
            {answer.hasMore && (
              <p style={{ padding: "8px 12px" }}>
                <button type="button" class="button small" onClick={() => more(limit + EVENTS_PAGE)}>
                  {EVENTS_PAGE} more
                </button>
              </p>
            )}
          </>
        )}
      </Answered>
    </>
  );
}

function mergeSentence(merge: Merge): string {
  if (merge.sentence !== undefined) return merge.sentence;
  const at = merge.at === undefined ? "" : ` on ${time(merge.at)}`;
  return `${merge.kind ?? "A merge"}${at}: ${merge.into ?? "this person"} took over ${merge.from ?? merge.merged_uuid ?? "another"}.`;
}

/** As limits::kRefusedMergesIdsMax. */
const REFUSED_IDS_MAX = 100;
const REFUSALS: Record<string, string> = {
  cannot_merge_already_identified:
    "The other id's person was identified already: two people with logins of their own stay two. Call identify() while the other id is still anonymous.",
  cannot_merge_with_illegal_distinct_id: "An id that many people may share takes part in no merge.",
  person_merge_move_limit_hit: "The person would have had too many distinct ids.",
};
interface Refusal {
  at: string;
  distinct_id: string;
  other_id: string | null;
  event: string;
  event_uuid: string | null;
  reason: string;
  detail: string;
}

function ByEvent({ uuid }: { uuid: string | null | undefined }) {
  return uuid == null ? null : (
    <span class="meta row">
      event <Id id={uuid} copy />
    </span>
  );
}

/** What the Worker noted when it refused a merge: warnings in the rejects table. */
function RefusedMerges({ ids }: { ids: string[] }) {
  const asked = useQuestion({ kind: "_RefusedMerges", distinctIds: ids.slice(0, REFUSED_IDS_MAX) });
  return (
    <>
      <h3>Refused merges, 90 days</h3>
      <Answered
        asked={asked}
        height={60}
        name="refused-merges"
        csv={false}
        isEmpty={(answer) => answer.results.length === 0}
        empty={`No merge with ${ids.length > REFUSED_IDS_MAX ? `the first ${REFUSED_IDS_MAX} of these ids` : "these ids"} was refused, as far as the table knows.`}
      >
        {(answer) => {
          const all = answer.results as Refusal[];
          return (
            <>
              <ul class="stack" style={{ gap: "4px" }}>
                {all.map((one, i) => (
                  <li key={i} class="row wrap">
                    <span class="bad">✕</span>
                    <span class="grow">
                      <Time at={one.at} />: <b>{one.event}</b> of <span class="mono">{one.distinct_id}</span>
                      {one.other_id === null ? (
                        ""
                      ) : (
                        <>
                          {" "}
                          with{" "}
                          <a class="mono" href={pageHref("people", { id: one.other_id })}>
                            {one.other_id}
                          </a>
                        </>
                      )}{" "}
                      <code title={one.detail}>{one.reason}</code>
                    </span>
                    <ByEvent uuid={one.event_uuid} />
                  </li>
                ))}
              </ul>
              {[...new Set(all.map(({ reason }) => reason))].map((reason) => (
                <Note key={reason}>{REFUSALS[reason] ?? reason}</Note>
              ))}
              {answer.hasMore && <p class="meta">The newest {number(all.length)}; there are more.</p>}
            </>
          );
        }}
      </Answered>
    </>
  );
}

const ILLEGAL = [
  "undefined",
  "null",
  "nan",
  "none",
  "anonymous",
  "guest",
  "0",
  "[object object]",
  "true",
  "false",
  "not_authenticated",
  "distinct_id",
  "id",
  "email",
];

function Identity({ me, id }: { me: Person; id: string }) {
  const [search, find] = useState("");
  const [other, setOther] = useState("");
  const ids = me.ids ?? me.distinct_ids.map((distinct_id) => ({ distinct_id, version: 0 }));
  const shown = ids.filter(({ distinct_id }) => distinct_id.includes(search)).slice(0, 100);
  const illegal = ids.filter(({ distinct_id }) => ILLEGAL.includes(distinct_id.toLowerCase()));
  return (
    <div class="stack" style={{ padding: "12px" }}>
      <p>
        <b>
          {plural(me.distinct_ids_count ?? ids.length, "id")} {ids.length === 1 ? "is" : "are"} one person
        </b>
        {me.is_identified ? ", identified" : ", not identified: no $identify or $create_alias has named it yet"}.
      </p>
      {illegal.length > 0 && (
        <Note tone="warn">
          <b>{illegal.map(({ distinct_id }) => `“${distinct_id}”`).join(", ")}</b> names nobody: many people may share it. Identify with an
          id of your own and call reset() on sign-out.
        </Note>
      )}
      {ids.length > 12 && (
        <input
          class="input"
          placeholder="Search in the ids…"
          aria-label="Search in the ids"
          value={search}
          onInput={(event) => find(event.currentTarget.value)}
        />
      )}
      <ol class="stack" style={{ gap: "2px" }}>
        {shown.map((one) => (
          <li
            key={one.distinct_id}
            class="row wrap"
            style={{ borderLeft: "2px solid var(--accent)", paddingLeft: "10px", minHeight: "30px" }}
          >
            <span class="mono">{one.distinct_id.length > 60 ? shortId(one.distinct_id) : one.distinct_id}</span>
            {one.distinct_id === id && <span class="tag">asked for</span>}
            <Copy text={one.distinct_id} what="id" />
            {"why" in one && one.why !== undefined && <span class="meta">{one.why}</span>}
          </li>
        ))}
      </ol>
      {(me.distinct_ids_count ?? ids.length) > shown.length && search === "" && (
        <p class="meta">
          {number(shown.length)} of {number(me.distinct_ids_count ?? ids.length)} shown.
        </p>
      )}
      <h3>How they came together</h3>
      {me.merges.length === 0 ? (
        <p class="dim">
          {ids.some(({ version = 0 }) => version > 0)
            ? "By no merge of two people that is still kept: the ids that came later were given to this person by identify() or an alias, or by an older merge, of which the object knows the ids alone."
            : ids.length > 1
              ? "By no merge of two people: an id that nobody had before was given to this person, by identify() or an alias."
              : "By no merge: this person has had one id from the start."}
        </p>
      ) : (
        <ul class="stack" style={{ gap: "4px" }}>
          {me.merges.map((merge, i) => (
            <li key={i} class="row wrap">
              <span class="ok">●</span>
              <span class="grow">{mergeSentence(merge)}</span>
              <ByEvent uuid={merge.event_uuid} />
            </li>
          ))}
        </ul>
      )}
      {can("sql") && <RefusedMerges ids={ids.map(({ distinct_id }) => distinct_id)} />}
      <h3>Compare with another id</h3>
      <form
        class="row wrap"
        onSubmit={(event) => {
          event.preventDefault();
          setOther(String(new FormData(event.currentTarget).get("other") ?? "").trim());
        }}
      >
        <input class="input grow" name="other" style={{ maxWidth: "360px" }} aria-label="Another id" placeholder="Another distinct id…" />
        <button type="submit" class="button">
          Compare
        </button>
      </form>
      {other !== "" && <Compare me={me} other={other} id={id} />}
    </div>
  );
}

function Compare({ me, other, id }: { me: Person; other: string; id: string }) {
  const they = useLoad(`person ${other}`, () => loadPerson(other));
  if (they.state === "asking") return <span class="dim">Asking the object of {other}…</span>;
  if (they.state === "failed")
    return they.fault?.code === "no_person" ? (
      <Note>
        “{other}” has no person. It would belong to this one if <code>identify("{id}")</code> were called while “{other}” is the anonymous
        id.
      </Note>
    ) : (
      <Fault fault={they.fault ?? new Refused(0, "", "")} />
    );
  if (ILLEGAL.includes(other.toLowerCase()))
    return (
      <Note tone="warn">
        “{other}” names nobody, so it is never joined with anybody: identify with an id of your own, and call reset() on sign-out.
      </Note>
    );
  if (they.value!.uuid === me.uuid)
    return (
      <Note tone="ok">
        <strong>Same person.</strong> “{other}” is one of the {number(me.distinct_ids_count ?? me.distinct_ids.length)} ids.
      </Note>
    );
  return (
    <Note tone="warn">
      <span>
        <strong>Two people.</strong> “{id}” is {shortId(me.uuid)}, “{other}” is {shortId(they.value!.uuid)}.{" "}
        {me.is_identified && they.value!.is_identified
          ? `Both are identified, and people with logins of their own stay two: identify() and alias() are refused between them. They would be one if identify() had been called while one of the ids was still anonymous. If they are the same: posthog.capture("$merge_dangerously", {alias: "${other}"}) as “${id}” joins them, and cannot be undone.`
          : `They would be one if identify("${me.is_identified ? id : other}") were called while “${me.is_identified ? other : id}” is the anonymous id.`}
      </span>
      <a href={pageHref("people", { id: other })}>Open the other</a>
    </Note>
  );
}

function Visits({ personId }: { personId: string }) {
  const asked = useQuestion({
    kind: "EventsQuery",
    select: ["properties.$session_id", "timestamp", "event", "properties.$current_url"],
    personId,
    after: "-90d",
    limit: 1_000,
  });
  return (
    <Answered asked={asked} height={240} isEmpty={(answer) => answer.results.length === 0} empty="No visit of this person in 90 days.">
      {(answer) => {
        const visits = new Map<string, { id: string; first: string; last: string; events: number; url: string }>();
        for (const [session, at, , url] of answer.results as [string | null, string, string, string | null][]) {
          if (!session) continue;
          const visit = visits.get(session) ?? { id: session, first: at, last: at, events: 0, url: url ?? "" };
          visit.events += 1;
          if (at < visit.first) {
            visit.first = at;
            visit.url = url ?? visit.url;
          }
          if (at > visit.last) visit.last = at;
          visits.set(session, visit);
        }
        const rows = [...visits.values()];
        return rows.length === 0 ? (
          <div class="state">These events carry no session id.</div>
        ) : (
          <Table
            label="Visits"
            rows={rows}
            onPick={(row) => go({ page: "sessions", id: row.id, tab: "", sel: "" })}
            columns={[
              { key: "start", name: "Start", cell: (row) => <Time at={row.first} />, sort: (row) => row.first },
              { key: "events", name: "Events", num: true, cell: (row) => number(row.events), sort: (row) => row.events },
              {
                key: "url",
                name: "First page",
                cell: (row) => (
                  <span class="cut">
                    <Data name="url" value={row.url} />
                  </span>
                ),
              },
              {
                key: "id",
                name: "Visit",
                wide: true,
                cell: (row) => (
                  <a href={pageHref("sessions", { id: row.id })}>
                    <Id id={row.id} />
                  </a>
                ),
              },
            ]}
          />
        );
      }}
    </Answered>
  );
}

function FlagsOf({ id }: { id: string }) {
  const flags = useLoad(`flags of ${id}`, () => evaluate(id));
  if (flags.state === "asking") return <Waiting height={160} />;
  if (flags.state === "failed") return <Fault fault={flags.fault!} again={flags.again} />;
  return <FlagAnswers flags={flags.value!} />;
}

export interface Condition {
  index: number;
  matches: boolean;
  rollout_percentage: number;
  variant: string | null;
  filters: { key: string | null; type: string; operator: string; wanted: unknown; actual: unknown; matches: boolean }[];
}
export interface FlagAnswer {
  key: string;
  enabled: boolean;
  variant?: string;
  reason?: { code?: string; condition_index?: number | null; description?: string };
  /** Where one flag was asked for by its key. */
  conditions?: Condition[] | null;
  [more: string]: unknown;
}
export async function evaluate(distinctId: string, properties?: Record<string, unknown>, key?: string): Promise<FlagAnswer[]> {
  const answer = await callJson<{ flags: Record<string, FlagAnswer> }>("/app/api/flags/evaluate", {
    method: "POST",
    body: {
      team_id: team(),
      distinct_id: distinctId,
      ...(properties === undefined ? {} : { person_properties: properties }),
      ...(key === undefined ? {} : { key }),
    },
  });
  return Object.entries(answer.flags).map(([key, one]) => ({ ...one, key: one.key ?? key }));
}

export function FlagAnswers({ flags }: { flags: FlagAnswer[] }) {
  if (flags.length === 0) return <div class="state">No flag is defined.</div>;
  return (
    <Table<FlagAnswer>
      label="Flags as evaluated"
      rows={flags}
      onPick={(row) => go({ page: "flags", id: row.key, tab: "", sel: "" })}
      columns={[
        { key: "key", name: "Flag", cell: (row) => <span class="mono">{row.key}</span>, sort: (row) => row.key },
        {
          key: "value",
          name: "Answer",
          cell: (row) => <span class={`tag ${row.enabled ? "ok" : ""}`}>{row.enabled ? (row.variant ?? "true") : "false"}</span>,
          sort: (row) => Number(row.enabled),
        },
        {
          key: "why",
          name: "Why",
          cell: (row) => (
            <span>
              {row.reason?.description ?? row.reason?.code?.replace(/_/g, " ")}
              {row.reason?.condition_index != null &&
                row.reason.code === "condition_match" &&
                ` (condition ${row.reason.condition_index + 1})`}
            </span>
          ),
        },
      ]}
    />
  );
}
