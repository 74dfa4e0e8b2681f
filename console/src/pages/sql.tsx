// Free SQL over the project's tables and views.
import { useEffect, useRef, useState } from "preact/hooks";
import { bytes, exact } from "../lib/format";
import { pack, unpack } from "../lib/pack";
import { learn, SCAN_ASKED_MAX, useEstimate } from "../lib/scan";
import { goTyping, route } from "../lib/router";
import { can } from "../lib/session";
import { kept } from "../lib/store";
import { saveFile, useQuestion, type Query } from "../lib/ask";
import { Answered, Block, JsonTree, NoEngine, Note, Sheet, Table, useSettled } from "../ui/kit";
import { Editor } from "../ui/editor";

const FIRST =
  "SELECT event, count(*) AS n\nFROM events\nWHERE timestamp >= now() - INTERVAL '7 days'\nGROUP BY event\nORDER BY n DESC\nLIMIT 100";
const RECIPES: [string, string][] = [
  ["Events by name, 7 days", FIRST],
  [
    "People by day",
    "SELECT date_trunc('day', timestamp) AS day, count(DISTINCT person_id) AS people\nFROM events\nGROUP BY day\nORDER BY day DESC\nLIMIT 60",
  ],
  [
    "Top pages",
    "SELECT pathname, count(*) AS views\nFROM events\nWHERE event = '$pageview'\nGROUP BY pathname\nORDER BY views DESC\nLIMIT 100",
  ],
  [
    "Exceptions by fingerprint",
    "SELECT exception_fingerprint, max(exception_type) AS type, max(exception_message) AS message, count(*) AS n\nFROM events\nWHERE event = '$exception'\nGROUP BY exception_fingerprint\nORDER BY n DESC\nLIMIT 100",
  ],
  ["SDKs in use", "SELECT lib, lib_version, count(*) AS n\nFROM events\nGROUP BY lib, lib_version\nORDER BY n DESC\nLIMIT 100"],
];
const TABLES: [string, string][] = [
  [
    "events",
    "uuid, team_id, event, timestamp, distinct_id, person_id, properties, session_id, current_url, pathname, referring_domain, browser, os, device_type, country_code, lib …",
  ],
  ["persons", "person_id, distinct_id, distinct_ids, properties, created_at, version, is_deleted"],
  ["distinct_ids", "distinct_id, person_id, version, is_deleted"],
];
const history = kept<string[]>("sql", []);
const HISTORY_MAX = 50;

export default function Sql() {
  const { q } = route.value;
  const [text, set] = useState(() => sessionStorage.getItem("hogflare.sql") ?? FIRST);
  const [asked, ask] = useState<Query | null>(null);
  const [cell, open] = useState<{ name: string; value: unknown } | null>(null);
  // The address that a run of ours leads to: it has nothing new, and the text may have been typed on since.
  const own = useRef("");
  useEffect(() => {
    const isOwn = q === own.current;
    own.current = "";
    if (q === "" || isOwn) return;
    unpack(q).then(
      (held) => {
        const sql = (held as { sql?: unknown }).sql;
        if (typeof sql === "string") set(sql);
      },
      () => {},
    );
  }, [q]);
  const answer = useQuestion(asked);
  const [learnt, tell] = useState(0);
  useEffect(() => {
    if (answer.state !== "ready" || answer.answer === undefined || answer.of === undefined) return;
    learn(answer.of, 1, answer.answer);
    tell((n) => n + 1);
  }, [answer.state, answer.answer]);
  const settled = useSettled(text);
  const before = useEstimate(can("free_sql") ? { kind: "HogQLQuery", query: settled } : null, 1, learnt);
  if (!can("sql"))
    return (
      <Block>
        <NoEngine />
      </Block>
    );
  const free = can("free_sql");
  const run = (selection = "") => {
    const sql = selection.trim() === "" ? text : selection;
    sessionStorage.setItem("hogflare.sql", text);
    history.value = [sql, ...history.value.filter((old) => old !== sql)].slice(0, HISTORY_MAX);
    void pack({ sql: text }).then((packed) => {
      own.current = packed;
      goTyping({ q: packed });
    });
    ask({ kind: "HogQLQuery", query: sql });
    if (asked !== null && asked["query"] === sql) answer.again();
  };
  return (
    <div class="builder side">
      <div class="stack wide">
        <Block title="Tables" flush>
          {TABLES.map(([name, columns]) => (
            <details key={name} style={{ padding: "4px 12px" }}>
              <summary class="mono">{name}</summary>
              <p class="meta">{columns}</p>
            </details>
          ))}
        </Block>
        <Block title="Recipes" flush>
          <div class="stack" style={{ gap: "0", padding: "4px" }}>
            {RECIPES.map(([name, sql]) => (
              <button type="button" key={name} class="button quiet" style={{ justifyContent: "flex-start" }} onClick={() => set(sql)}>
                {name}
              </button>
            ))}
          </div>
        </Block>
        {history.value.length > 0 && (
          <Block title="Last runs" flush>
            <div class="stack" style={{ gap: "0", padding: "4px", maxHeight: "240px", overflow: "auto" }}>
              {history.value.map((sql, i) => (
                <button
                  type="button"
                  key={i}
                  class="button quiet small"
                  style={{ justifyContent: "flex-start" }}
                  title={sql}
                  onClick={() => set(sql)}
                >
                  <span class="cut">{sql.replace(/\s+/g, " ")}</span>
                </button>
              ))}
            </div>
          </Block>
        )}
      </div>
      <div class="stack">
        {!free && (
          <Note>
            A viewer runs no free SQL here unless <code>HOGFLARE_VIEWER_SQL</code> is set. Insights answer the same questions.
          </Note>
        )}
        <select class="select narrow" aria-label="Recipes" value="" onChange={(pick) => set(RECIPES[Number(pick.currentTarget.value)]![1])}>
          <option value="">Recipes…</option>
          {RECIPES.map(([name], i) => (
            <option key={name} value={i}>
              {name}
            </option>
          ))}
        </select>
        <Editor language="sql" label="SQL" value={text} onInput={set} onRun={run} />
        <div class="row wrap">
          <button type="button" class="button main" disabled={!free} onClick={() => run()}>
            Run
          </button>
          {before?.basis === "same" && settled === text && (
            <span class={`nowrap ${before.bytes > SCAN_ASKED_MAX ? "warn" : "dim"}`}>
              ≈ {bytes(before.bytes)}, as it read before (${Number(before.dollars.toPrecision(2))})
            </span>
          )}
          <span class="meta">Ctrl Enter runs; a selection runs alone. One read-only SELECT over the project's tables.</span>
        </div>
        {asked !== null && (
          <Block flush name="Result">
            <Answered
              asked={answer}
              height={240}
              name="sql"
              isEmpty={(got) => (got.results as unknown[]).length === 0}
              empty="The statement ran and gave no row."
            >
              {(got) => {
                const columns = got.columns ?? Object.keys((got.results as object[])[0] ?? {});
                const rows = got.results as unknown[][];
                return (
                  <>
                    <Table<unknown[]>
                      label="Result"
                      rows={rows}
                      first={false}
                      touch={false}
                      height={520}
                      columns={columns.map((name, i) => {
                        const figures = typeof rows[0]?.[i] === "number";
                        return {
                          key: `${i}${name}`,
                          name: <span class="mono">{name}</span>,
                          num: figures,
                          sort: (row: unknown[]) => (typeof row[i] === "number" ? (row[i] as number) : String(row[i] ?? "")),
                          cell: (row: unknown[]) => {
                            const value = row[i];
                            if (value === null || value === undefined) return <span class="faint">—</span>;
                            if (typeof value === "number") return exact(value);
                            const long = typeof value === "object" || String(value).length > 60;
                            const shown = typeof value === "object" ? JSON.stringify(value) : String(value);
                            return long ? (
                              <button
                                type="button"
                                class="link plain cut"
                                style={{ display: "block", maxWidth: "420px" }}
                                onClick={() => open({ name, value })}
                              >
                                {shown}
                              </button>
                            ) : (
                              <span dir="auto">{shown}</span>
                            );
                          },
                        };
                      })}
                    />
                    <p class="row meta" style={{ padding: "4px 12px" }}>
                      <span class="grow">
                        {exact(rows.length)} rows{got.hasMore ? ", and there are more" : ""}
                      </span>
                      <button
                        type="button"
                        class="button quiet small"
                        onClick={() =>
                          saveFile(new Blob([JSON.stringify({ columns, rows }, null, 1)], { type: "application/json" }), "answer.json")
                        }
                      >
                        JSON
                      </button>
                    </p>
                  </>
                );
              }}
            </Answered>
          </Block>
        )}
      </div>
      {cell !== null && (
        <Sheet title={cell.name} onClose={() => open(null)}>
          <JsonTree value={parsed(cell.value)} />
        </Sheet>
      )}
    </div>
  );
}

function parsed(value: unknown): unknown {
  if (typeof value !== "string") return value;
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}
