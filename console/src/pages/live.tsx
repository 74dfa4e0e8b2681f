// Events as they arrive, rejects beside them. Rows never move under the pointer.
import { useEffect, useRef, useState } from "preact/hooks";
import { clock, number, plural } from "../lib/format";
import { liveSocket, type LiveEvent, type LiveReject } from "../lib/live";
import { pageHref } from "../lib/router";
import { can, team } from "../lib/session";
import { personal } from "../lib/store";
import { Block, Data, Id, Note, Sheet, Pairs } from "../ui/kit";
import { Icon } from "../ui/icons";
import { EventPanel } from "../ui/event-panel";

const RING_MAX = 1_000;
const DRAWN_MAX = 200;
const SKEW_S = 60;

type Row = { id: number } & (
  | { kind: "event"; event: LiveEvent }
  | { kind: "reject"; reject: LiveReject }
  | { kind: "warning"; warning: Record<string, unknown> }
);

const STATE: Record<string, [string, string]> = {
  landed: ["ok", "✓ landed"],
  waiting: ["warn", "◌ waiting"],
  rejected: ["bad", "⚠ rejected"],
  quarantined: ["bad", "⛔ quarantined"],
};

function pageOf({ url, screen, properties }: LiveEvent): string {
  if (screen) return screen;
  const address = url ?? String(properties["$current_url"] ?? "");
  try {
    return new URL(address).pathname;
  } catch {
    return address;
  }
}

export default function Live() {
  const ring = useRef<Row[]>([]);
  const [frozen, freeze] = useState<Row[] | null>(null);
  const [, draw] = useState(0);
  const [told, tell] = useState<{ rate: number; sampled: number }>({ rate: 0, sampled: 1 });
  const [lost, lose] = useState<number | null>(null);
  const [paused, pause] = useState(false);
  const [word, find] = useState("");
  const [kinds, setKinds] = useState({ event: true, reject: true, warning: true });
  const [chosen, choose] = useState<Row | null>(null);
  const [announced, announce] = useState("");
  const next = useRef(1);
  const fresh = useRef(0);
  const here = team();

  useEffect(() => {
    ring.current = [];
    const add = (rows: Row[]) => {
      ring.current = [...rows.reverse(), ...ring.current].slice(0, RING_MAX);
      fresh.current += rows.length;
      draw((n) => n + 1);
    };
    const close = can("live")
      ? liveSocket({
          onEvents: ({ events, rate, sampled }) => {
            tell((old) => ({ rate: rate ?? old.rate, sampled: sampled ?? old.sampled }));
            if (events.length > 0) add(events.map((event) => ({ id: next.current++, kind: "event", event })));
          },
          onReject: (reject) => add([{ id: next.current++, kind: "reject", reject }]),
          onWarning: (warning) => add([{ id: next.current++, kind: "warning", warning }]),
          onState: (state) => lose((old) => (state === "open" ? null : (old ?? Date.now()))),
        })
      : () => {};
    const timer = setInterval(() => {
      if (fresh.current > 0) announce(plural(fresh.current, "new event"));
      fresh.current = 0;
    }, 10_000);
    return () => {
      close();
      clearInterval(timer);
    };
  }, [here]);

  const match = (row: Row) => kinds[row.kind] && (word === "" || JSON.stringify(row).toLowerCase().includes(word.toLowerCase()));
  const held = paused || frozen !== null || chosen !== null;
  const shown = (held ? (frozen ?? ring.current) : ring.current).filter(match);
  const newer = frozen === null ? 0 : ring.current.filter((row) => row.id > (frozen[0]?.id ?? 0) && match(row)).length;
  const hold = () => freeze((old) => old ?? (ring.current.length === 0 ? null : ring.current));
  const release = () => {
    if (!paused && chosen === null) freeze(null);
  };
  const open = (row: Row) => {
    hold();
    choose(row);
  };
  const close = () => {
    choose(null);
    if (!paused) freeze(null);
  };
  if (!can("live")) {
    return (
      <Block>
        <div class="state">
          <strong>Live needs the Durable Object LIVE.</strong>
          <p>
            Bind the class as <code>LIVE</code> (wrangler.toml.example has it), deploy, and this page shows events as they arrive.
          </p>
        </div>
      </Block>
    );
  }
  return (
    <div class="stack">
      <div class="row wrap">
        <button
          type="button"
          class={`button ${paused ? "on" : ""}`}
          aria-pressed={paused}
          onClick={() => {
            pause(!paused);
            freeze(paused ? null : ring.current);
          }}
        >
          <Icon name={paused ? "play" : "pause"} />
          {paused ? "Go on" : "Pause"}
        </button>
        <span class="dim nowrap">
          {number(Math.round(told.rate * 10) / 10)} events/s{told.sampled > 1 && <b> · sampled 1:{told.sampled}</b>}
        </span>
        <input
          class="input grow"
          style={{ maxWidth: "320px", minWidth: "140px" }}
          aria-label="Filter rows"
          placeholder="Filter rows…"
          value={word}
          onInput={(event) => find(event.currentTarget.value)}
        />
        {(["event", "reject", "warning"] as const).map((kind) => (
          <label class="check" key={kind}>
            <input type="checkbox" checked={kinds[kind]} onChange={() => setKinds({ ...kinds, [kind]: !kinds[kind] })} />
            {kind}s
          </label>
        ))}
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            personal.value = !personal.value;
          }}
        >
          <Icon name="eye" />
          {personal.value ? "Hide" : "Show"} personal details
        </button>
      </div>
      {word !== "" && <p class="meta">Filtering {number(ring.current.length)} kept and all new.</p>}
      {lost !== null && <Note tone="warn">Connection lost {clock(lost)}, trying again; events in between are in the table, not here.</Note>}
      <Block flush name="Events">
        <div style={{ position: "relative" }} onPointerEnter={hold} onPointerMove={hold} onPointerLeave={release}>
          {newer > 0 && (
            // Over the table's head: what comes in must not push the row away that is pointed at.
            <button
              type="button"
              class="button small"
              style={{ position: "absolute", top: "4px", right: "12px", zIndex: "3" }}
              onClick={() => freeze(ring.current)}
            >
              {plural(newer, "new row")} ↑
            </button>
          )}
          {shown.length === 0 ? (
            <div class="state" style={{ minHeight: "260px" }}>
              <strong>{ring.current.length === 0 ? "Nothing has arrived since this page opened." : "No row matches."}</strong>
              {ring.current.length === 0 && (
                <span>
                  Send an event and it stands here within two seconds. <a href={pageHref("settings", { tab: "install" })}>Snippets</a>
                </span>
              )}
            </div>
          ) : (
            <div class="scroller" tabIndex={0} role="region" aria-label="Live events" aria-live="off">
              <table class="live touch" aria-label="Live events">
                <thead>
                  <tr>
                    <th scope="col">Time</th>
                    <th scope="col">Event</th>
                    <th scope="col">Who</th>
                    <th scope="col" class="wide">
                      Page or screen
                    </th>
                    <th scope="col" class="wide">
                      SDK
                    </th>
                    <th scope="col">State</th>
                  </tr>
                </thead>
                <tbody>
                  {shown.slice(0, DRAWN_MAX).map((row) => (
                    <tr
                      key={row.id}
                      class="pick"
                      tabIndex={0}
                      aria-selected={chosen?.id === row.id ? true : undefined}
                      onClick={() => open(row)}
                      onKeyDown={(event) => {
                        if (event.key === "Enter") open(row);
                        const to =
                          event.key === "ArrowDown" || event.key === "j"
                            ? event.currentTarget.nextElementSibling
                            : event.key === "ArrowUp" || event.key === "k"
                              ? event.currentTarget.previousElementSibling
                              : null;
                        if (to instanceof HTMLElement) {
                          event.preventDefault();
                          to.focus();
                        }
                      }}
                      onFocus={hold}
                    >
                      {row.kind === "event" ? (
                        <EventCells event={row.event} />
                      ) : row.kind === "reject" ? (
                        <>
                          <td class="mono nowrap">{clock(row.reject.at)}</td>
                          <td colSpan={2}>
                            <span class="bad">⚠ {row.reject.reason}</span>{" "}
                            <span class="dim">
                              {row.reject.event} {row.reject.token_last4 && `token …${row.reject.token_last4}`}
                            </span>
                          </td>
                          <td class="wide" colSpan={2}>
                            <span class="cut dim">{row.reject.detail}</span>
                          </td>
                          <td class="bad nowrap">
                            <span class="wide">rejected</span>
                          </td>
                        </>
                      ) : (
                        <>
                          <td class="mono nowrap">{clock(String(row.warning["at"]))}</td>
                          <td colSpan={4}>
                            <span class="warn">{String(row.warning["type"] ?? row.warning["reason"] ?? "warning")}</span>{" "}
                            <span class="dim">{String(row.warning["detail"] ?? "")}</span>
                          </td>
                          <td class="warn">
                            <span class="wide">warning</span>
                          </td>
                        </>
                      )}
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </div>
        <p class="answerline">
          {number(Math.min(shown.length, DRAWN_MAX))} of {number(shown.length)} rows drawn, the newest {number(RING_MAX)} kept. At most 50
          events a second come here, sampled above. While nobody looks nothing is sent.
        </p>
      </Block>
      <div class="sr" aria-live="polite">
        {announced}
      </div>
      {chosen?.kind === "event" && (
        <EventPanel event={{ ...chosen.event, timestamp: String(chosen.event["timestamp"] ?? chosen.event.at) }} onClose={close} />
      )}
      {chosen !== null && chosen.kind !== "event" && (
        <Sheet title={chosen.kind === "reject" ? chosen.reject.reason : "Warning"} onClose={close}>
          <p class="pad">{chosen.kind === "reject" ? chosen.reject.detail : String(chosen.warning["detail"] ?? "")}</p>
          <Pairs of={(chosen.kind === "reject" ? chosen.reject : chosen.warning) as Record<string, unknown>} />
        </Sheet>
      )}
    </div>
  );
}

function EventCells({ event }: { event: LiveEvent }) {
  const sent = event["timestamp"];
  const skew = typeof sent === "string" ? (Date.parse(event.at) - Date.parse(sent)) / 1_000 : 0;
  const merged = event.event === "$identify" ? event.properties["$anon_distinct_id"] : undefined;
  const [tone, word] = STATE[event.state] ?? ["dim", event.state];
  return (
    <>
      <td class="mono nowrap">
        {clock(event.at)}
        {Math.abs(skew) > SKEW_S && (
          <span class="tag warn" title={`The event says ${sent}`}>
            clock
          </span>
        )}
      </td>
      <td>
        <span class="cut">
          <b>{event.event}</b>
        </span>
      </td>
      <td>
        <span class="cut">
          {/^[0-9a-f-]{32,36}$/i.test(event.distinct_id) ? (
            <Id id={event.distinct_id} />
          ) : (
            <Data name="distinct_id" value={event.distinct_id} />
          )}
          {typeof merged === "string" && <span class="dim"> ⇠ {merged.slice(0, 8)}…</span>}
        </span>
      </td>
      <td class="wide">
        <span class="cut dim" dir="auto">
          {pageOf(event)}
        </span>
      </td>
      <td class="wide dim nowrap">
        {event.lib} {event.lib_version}
      </td>
      <td class={`${tone} nowrap`} title={word}>
        {word.slice(0, 1)}
        <span class="wide">{word.slice(1)}</span>
        <span class="sr">{event.state}</span>
      </td>
    </>
  );
}
