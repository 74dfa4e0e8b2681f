// Visits, and what was recorded of them.
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { duration, exact, number, shortId } from "../lib/format";
import { withState } from "../lib/question";
import { BASE, go, pageHref, route } from "../lib/router";
import { callJson, can, Refused, team } from "../lib/session";
import { useLoad, useQuestion } from "../lib/ask";
import { readRecording, Recording } from "../lib/recording";
import { Answered, Block, Data, Fault, Id, NoEngine, Note, Num, Pages, Segments, Table, Time, Waiting } from "../ui/kit";
import { Icon } from "../ui/icons";
import { EventList } from "./people";
import type { EventLike } from "../ui/event-panel";

interface Visit {
  session_id: string;
  person_id: string;
  start: string;
  end: string;
  duration_s: number;
  pageviews: number;
  entry_url: string | null;
  exit_url: string | null;
  is_bounce: boolean | null;
}
/** A session of GET /api/projects/{team}/session_recordings. */
interface Recorded {
  id: string;
  start_time: string;
  end_time: string;
  recording_duration: number;
  parts: number;
  pageviews: number | null;
  exceptions: number | null;
}

export default function Sessions() {
  return route.value.id === "" ? <List /> : <One key={route.value.id} id={route.value.id} />;
}

/** Which of these sessions were recorded; null: the newest recordings there are. */
function useRecordings(ids: string[] | null) {
  const query = ids === null ? "limit=200" : `session_ids=${encodeURIComponent(JSON.stringify(ids))}&limit=100`;
  const key = !can("recordings") || ids?.length === 0 ? null : `recordings ${team()} ${query}`;
  return useLoad(
    key,
    async (stop) =>
      (await callJson<{ results: Recorded[] }>(`/api/projects/${team()}/session_recordings/?${query}`, { signal: stop })).results,
  );
}

const PAGE = 100;

function List() {
  const [offset, page] = useState(0);
  const [only, setOnly] = useState(false);
  const asked = useQuestion(
    can("sql") ? { ...withState({ kind: "SessionsQuery" }, route.value), limit: PAGE, ...(offset > 0 ? { offset } : {}) } : null,
  );
  const visits = (asked.answer?.results ?? []) as Visit[];
  const recordings = useRecordings(can("sql") ? visits.map(({ session_id }) => session_id) : null);
  const recorded = useMemo(() => new Map((recordings.value ?? []).map((one) => [one.id, one])), [recordings.value]);
  return (
    <div class="stack">
      {!can("recordings") && (
        <p class="meta">
          Recordings need a SQL engine, or an R2 bucket bound as <code>RECORDINGS</code>. Visits are listed without them.
        </p>
      )}
      {recordings.fault !== undefined && <Fault fault={recordings.fault} />}
      <Block flush name="Visits">
        {!can("sql") ? (
          recorded.size > 0 ? (
            <RecordedList rows={[...recorded.values()]} />
          ) : (
            <NoEngine />
          )
        ) : (
          <Answered
            asked={asked}
            height={480}
            name="visits"
            isEmpty={(answer) => answer.results.length === 0 && offset === 0}
            empty="No visit in this range. A visit needs events with $session_id, which posthog-js and the mobile SDKs send."
          >
            {(answer) => {
              const rows = (answer.results as Visit[]).filter(({ session_id }) => !only || recorded.has(session_id));
              return (
                <>
                  {can("recordings") && (
                    <div style={{ padding: "6px 12px" }}>
                      <label class="check">
                        <input type="checkbox" checked={only} onChange={() => setOnly(!only)} />
                        only recorded
                      </label>
                    </div>
                  )}
                  <Table<Visit>
                    label="Visits"
                    rows={rows}
                    onPick={(row) => go({ id: row.session_id, sel: "" })}
                    columns={[
                      {
                        key: "start",
                        name: "Start",
                        cell: (row) => (
                          <a href={pageHref("sessions", { id: row.session_id })}>
                            <Time at={row.start} />
                          </a>
                        ),
                        sort: (row) => row.start,
                      },
                      { key: "who", name: "Who", cell: (row) => <span class="mono nowrap">{shortId(row.person_id)}</span> },
                      { key: "length", name: "Length", num: true, cell: (row) => duration(row.duration_s), sort: (row) => row.duration_s },
                      {
                        key: "pages",
                        name: "Views",
                        num: true,
                        cell: (row) => <Num value={row.pageviews} />,
                        sort: (row) => row.pageviews,
                      },
                      {
                        key: "entry",
                        name: "First page",
                        wide: true,
                        cell: (row) => (
                          <span class="cut">
                            <Data name="url" value={row.entry_url} />
                          </span>
                        ),
                      },
                      { key: "bounce", name: "", wide: true, cell: (row) => (row.is_bounce ? <span class="tag">bounce</span> : null) },
                      {
                        key: "rec",
                        name: "Recording",
                        cell: (row) => {
                          const one = recorded.get(row.session_id);
                          return one === undefined ? (
                            <span class="faint">—</span>
                          ) : (
                            <span class="row nowrap">
                              <Icon name="play" />
                              <span>{duration(one.recording_duration)}</span>
                              {(one.exceptions ?? 0) > 0 && <span class="bad">⛔ {one.exceptions}</span>}
                            </span>
                          );
                        },
                      },
                    ]}
                  />
                  <p class="row" style={{ padding: "8px 12px" }}>
                    <Pages offset={offset} size={PAGE} hasMore={answer.hasMore} go={page} />
                    <span class="meta">
                      {exact(offset + 1)} to {exact(offset + (answer.results as unknown[]).length)}, newest first
                    </span>
                  </p>
                </>
              );
            }}
          </Answered>
        )}
      </Block>
    </div>
  );
}

function RecordedList({ rows }: { rows: Recorded[] }) {
  return (
    <Table<Recorded>
      label="Recordings"
      rows={rows}
      onPick={(row) => go({ id: row.id, sel: "" })}
      columns={[
        {
          key: "start",
          name: "Start",
          cell: (row) => (
            <a href={pageHref("sessions", { id: row.id })}>
              <Time at={row.start_time} />
            </a>
          ),
        },
        { key: "id", name: "Visit", cell: (row) => <Id id={row.id} /> },
        { key: "length", name: "Length", num: true, cell: (row) => duration(row.recording_duration) },
        { key: "parts", name: "Parts", num: true, cell: (row) => <Num value={row.parts} /> },
      ]}
    />
  );
}

function One({ id }: { id: string }) {
  const events = useQuestion(
    can("sql")
      ? {
          kind: "EventsQuery",
          select: ["*"],
          after: "-90d",
          limit: 500,
          orderBy: ["timestamp ASC"],
          properties: [{ type: "event", key: "$session_id", operator: "exact", value: [id] }],
        }
      : null,
  );
  const list = ((events.answer?.results ?? []) as [EventLike][]).map(([event]) => event);
  const [start, began] = useState<number | null>(null);
  const who = list[0]?.distinct_id;
  return (
    <div class="stack">
      <div class="row wrap between">
        <p class="row wrap">
          <b>Visit</b> <Id id={id} copy />
          {who !== undefined && (
            <a href={pageHref("people", { id: who })}>
              <Data name="distinct_id" value={who} />
            </a>
          )}
        </p>
        <a class="button" href={pageHref("sessions")}>
          All visits
        </a>
      </div>
      <div class="player">
        <Player id={id} events={list} onStart={began} />
        <Block title="Events" flush>
          {!can("sql") ? (
            <NoEngine />
          ) : (
            <Answered
              asked={events}
              height={300}
              isEmpty={(answer) => answer.results.length === 0}
              empty="The table has no event of this visit in 90 days."
            >
              {() => (
                <div style={{ maxHeight: "520px", overflow: "auto" }} tabIndex={0} role="region" aria-label="Events of the visit">
                  <EventList
                    events={list}
                    marks={(event) => (start === null ? "" : clockOf((Date.parse(event.timestamp) - start) / 1_000))}
                  />
                </div>
              )}
            </Answered>
          )}
        </Block>
      </div>
    </div>
  );
}

const clockOf = (seconds: number) =>
  seconds < 0 ? "" : `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;

const STEP_MS = 100;
const SPEEDS: [string, string][] = [
  ["1", "1×"],
  ["2", "2×"],
  ["4", "4×"],
  ["8", "8×"],
];

function Player({ id, events: marks, onStart }: { id: string; events: EventLike[]; onStart: (at: number) => void }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [state, set] = useState<"asking" | "none" | "index" | "ready">("asking");
  const [fault, fail] = useState<Refused | null>(null);
  const [length, setLength] = useState(0);
  const [at, setAt] = useState(Number(route.value.t || 0) * 1_000);
  const [playing, play] = useState(false);
  const [speed, setSpeed] = useState("1");
  const [skip, setSkip] = useState(true);
  const [parts, setParts] = useState(0);
  const [whole, finish] = useState(false);
  const recording = useRef(new Recording());
  const [shown, show] = useState<string | null>(null);
  const [start, setStart] = useState(0);
  const hello = useRef(false);
  const touched = useRef(false);
  // The window that the frame has, if any.
  const loaded = useRef<string | null>(null);
  const send = (message: Record<string, unknown>) => frame.current?.contentWindow?.postMessage(message, location.origin);

  const begin = (window: string | undefined) => {
    const events = window === undefined ? undefined : recording.current.windows.get(window);
    if (!hello.current || events === undefined || events.length < 2) return;
    loaded.current = window!;
    show(window!);
    send({ kind: "load", events, more: true, speed: Number(speed), skip, at });
  };

  useEffect(() => {
    const hear = ({ data, origin, source }: MessageEvent) => {
      if (origin !== location.origin || source !== frame.current?.contentWindow || data?.from !== "hogflare-replay") return;
      if (data.kind === "hello") {
        hello.current = true;
        if (loaded.current === null) begin(recording.current.main);
      } else if (data.kind === "ready") {
        set("ready");
        setLength(data.length);
        setStart(data.start);
        onStart(data.start);
        document.documentElement.dataset["replaySandbox"] = String(data.sandbox);
      } else if (data.kind === "length") setLength(data.length);
      else if (data.kind === "time") setAt(data.at);
      else if (data.kind === "finished") play(false);
    };
    addEventListener("message", hear);
    return () => removeEventListener("message", hear);
  }, []);

  useEffect(() => {
    if (!can("recordings")) return set("none");
    const stop = new AbortController();
    void (async () => {
      try {
        for await (const line of readRecording(id, stop.signal)) {
          const added = await recording.current.add(line);
          setParts((n) => n + 1);
          if (loaded.current === null) begin(recording.current.main);
          else if (added.has(loaded.current)) send({ kind: "add", events: added.get(loaded.current) });
        }
      } catch (told) {
        if (stop.signal.aborted) return;
        const isNone = told instanceof Refused && told.status === 404;
        if (!isNone) fail(told instanceof Refused ? told : new Refused(0, "page_fault", String(told)));
      }
      finish(true);
      // A linked place may be in a part that came later than the first.
      if (at > 0 && !touched.current) send({ kind: "pause", at });
      if (recording.current.size === 0) set("none");
      else if (recording.current.main === undefined) set("index");
    })();
    return () => stop.abort();
  }, [id]);

  const seek = (ms: number) => {
    touched.current = true;
    // The slider's last step may be a shorter one.
    const to = ms > length - STEP_MS ? length : Math.max(0, ms);
    setAt(to);
    if (playing) send({ kind: "play", at: to });
    else send({ kind: "pause", at: to });
    go({ t: to === 0 ? "" : String(Math.round(to / 1_000)) }, "replace");
  };
  const toggle = () => {
    touched.current = true;
    if (playing) send({ kind: "pause" });
    else send({ kind: "play", at: at >= length ? 0 : at });
    play(!playing);
  };
  if (state === "none") {
    return (
      <Block>
        <div class="state">
          <strong>{can("recordings") ? "This visit was not recorded." : "Recordings are off."}</strong>
          <span>
            {can("recordings")
              ? "Either recording was off for this visitor, or it has not arrived yet: rows take a minute."
              : "They are read by a SQL engine, or from an R2 bucket bound as RECORDINGS; docs/RECORDINGS.md."}
          </span>
          {fault !== null && <Fault fault={fault} />}
        </div>
      </Block>
    );
  }
  const errors = marks.filter(({ event }) => event === "$exception");
  const windows = [...recording.current.windows].filter(([, list]) => list.some(({ type }) => type === 2)).map(([window]) => window);
  return (
    <div class="stack">
      {fault !== null && <Fault fault={fault} />}
      {state === "index" && (
        <Note tone="warn">
          Only parts arrived: the first full snapshot is missing, so there is nothing to draw on. Was the recorder blocked at the start?
        </Note>
      )}
      {whole && recording.current.unreadable + recording.current.incomplete > 0 && (
        <Note tone="warn">
          {number(recording.current.unreadable)} events of this recording could not be read, {number(recording.current.incomplete)} parts
          have not arrived whole.
        </Note>
      )}
      {windows.length > 1 && (
        <div class="row">
          <Segments
            label="Window"
            options={windows.map((window, i) => [window, `Window ${i + 1}`] as [string, string])}
            now={shown ?? windows[0]!}
            onPick={(window) => {
              play(false);
              setAt(0);
              set("asking");
              loaded.current = window;
              show(window);
              send({ kind: "load", events: recording.current.windows.get(window), more: true, speed: Number(speed), skip, at: 0 });
            }}
          />
        </div>
      )}
      <iframe ref={frame} src={`${BASE}/frame/replay`} title="The recording" tabIndex={-1} />
      {state === "asking" && <Waiting height={28} />}
      <div class="seek">
        {errors.map((event, i) => {
          const share = length === 0 ? -1 : (Date.parse(event.timestamp) - start) / length;
          return share >= 0 && share <= 1 ? (
            <i
              key={i}
              title="Exception"
              style={{ position: "absolute", left: `${share * 100}%`, top: "2px", width: "2px", height: "24px", background: "var(--bad)" }}
            />
          ) : null;
        })}
        <input
          type="range"
          min="0"
          max={String(Math.max(length, 1))}
          step={STEP_MS}
          value={String(at)}
          disabled={state !== "ready"}
          aria-label="Place in the recording"
          aria-valuetext={`${clockOf(at / 1_000)} of ${clockOf(length / 1_000)}`}
          onInput={(event) => seek(Number(event.currentTarget.value))}
        />
      </div>
      <div class="row wrap">
        <button type="button" class="button main" disabled={state !== "ready"} onClick={toggle}>
          <Icon name={playing ? "pause" : "play"} />
          {playing ? "Pause" : "Play"}
        </button>
        <button type="button" class="button" disabled={state !== "ready"} onClick={() => seek(at - 5_000)} aria-label="5 seconds back">
          −5 s
        </button>
        <button type="button" class="button" disabled={state !== "ready"} onClick={() => seek(at + 5_000)} aria-label="5 seconds forward">
          +5 s
        </button>
        <Segments
          label="Speed"
          options={SPEEDS}
          now={speed}
          onPick={(value) => {
            setSpeed(value);
            send({ kind: "speed", speed: Number(value) });
          }}
        />
        <label class="check">
          <input
            type="checkbox"
            checked={skip}
            onChange={() => {
              setSkip(!skip);
              send({ kind: "skip", skip: !skip });
            }}
          />
          skip idle
        </label>
        <span class="dim nowrap">
          {clockOf(at / 1_000)} / {clockOf(length / 1_000)}
        </span>
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            go({ t: String(Math.round(at / 1_000)) }, "replace");
            void navigator.clipboard?.writeText(location.href);
          }}
        >
          <Icon name="link" />
          Link here
        </button>
      </div>
      <p class="meta">
        {number(recording.current.size)} events in {number(parts)} {parts === 1 ? "part" : "parts"}
        {whole ? "" : ", more is coming"}. Pictures and fonts of the recorded site are not fetched; canvas is not replayed.
      </p>
    </div>
  );
}
