// What is on and how to switch on the rest; how things look; where events come from.
import { zoneName, time } from "../lib/format";
import { go, route } from "../lib/router";
import { api, can, isAdmin, project, session, type Capabilities } from "../lib/session";
import { density, personal, singleKeys, theme } from "../lib/store";
import { useLoad } from "../lib/ask";
import { Block, Copy, Segments, Table, Tabs } from "../ui/kit";
import { Snippets } from "../ui/first-run";
import { DemoBlock } from "../ui/demo";
import type { Health } from "../lib/health";

const FEATURES: [keyof Capabilities, string, string][] = [
  ["sql", "Questions: insights, web, people lists, errors", "HOGFLARE_SQL_TOKEN, HOGFLARE_SQL_ACCOUNT_ID, HOGFLARE_SQL_BUCKET"],
  ["free_sql", "Free SQL for who is signed in", "the admin token, or HOGFLARE_VIEWER_SQL for viewers"],
  ["flags_kv", "Flags edited here", "KV namespace bound as FLAGS"],
  ["documents", "Dashboards and insights kept", "KV namespace bound as FLAGS"],
  ["live", "Live events", "Durable Object bound as LIVE"],
  ["recordings", "Session replay", "a SQL engine, or an R2 bucket bound as RECORDINGS"],
  ["demo", "Demo traffic", "scripts/dev; not on a deployed Worker"],
];

export default function Settings() {
  const here = session.value!;
  const mine = project();
  const tabs: [string, string][] = [
    ["on", "What is on"],
    ["install", "Install"],
    ["look", "Look"],
    ["project", "Project"],
    ...(isAdmin() && can("demo") ? [["demo", "Demo data"] as [string, string]] : []),
    ["about", "About"],
  ];
  const now = tabs.some(([key]) => key === route.value.tab) ? route.value.tab : "on";
  const health = useLoad(now === "on" ? "settings health" : null, () => api<Health>("health"));
  const variables = (health.value?.["variables_set"] as string[] | undefined) ?? null;
  return (
    <div class="stack" style={{ maxWidth: "960px" }}>
      <Tabs label="Settings" now={now} onPick={(tab) => go({ tab })} tabs={tabs} />
      {now === "on" && (
        <>
          <Block flush name="What is on">
            <Table
              label="What is on"
              rows={FEATURES}
              columns={[
                { key: "what", name: "Feature", cell: ([, what]) => what },
                { key: "state", name: "State", cell: ([key]) => (can(key) ? <span class="ok">✓ on</span> : <span class="dim">off</span>) },
                { key: "how", name: "By", cell: ([, , how]) => <span class="mono">{how}</span> },
              ]}
            />
          </Block>
          {variables !== null && (
            <Block title="Variables that are set">
              <p class="mono">{[...variables].sort().join(", ") || "none"}</p>
              <p class="meta">Names alone; values are never sent here.</p>
            </Block>
          )}
        </>
      )}
      {now === "install" && (
        <Block flush name="Install">
          <Snippets />
        </Block>
      )}
      {now === "look" && (
        <Block name="Look">
          <div class="stack">
            <div class="row wrap">
              <span style={{ width: "140px" }}>Theme</span>
              <Segments
                label="Theme"
                now={theme.value}
                onPick={(value) => {
                  theme.value = value as "light";
                }}
                options={[
                  ["system", "System"],
                  ["light", "Light"],
                  ["dark", "Dark"],
                ]}
              />
            </div>
            <div class="row wrap">
              <span style={{ width: "140px" }}>Rows</span>
              <Segments
                label="Rows"
                now={density.value}
                onPick={(value) => {
                  density.value = value as "dense";
                }}
                options={[
                  ["dense", "Dense"],
                  ["cosy", "Roomy"],
                ]}
              />
            </div>
            <label class="check">
              <input
                type="checkbox"
                checked={singleKeys.value}
                onChange={() => {
                  singleKeys.value = !singleKeys.value;
                }}
              />
              Single keys (g w, t, c, r, /)
            </label>
            <label class="check">
              <input
                type="checkbox"
                checked={personal.value}
                onChange={() => {
                  personal.value = !personal.value;
                }}
              />
              Show personal details on this visit
            </label>
            <p class="meta">Numbers and dates are in your browser's language, {navigator.language}.</p>
          </div>
        </Block>
      )}
      {now === "project" && (
        <Block flush name="Project">
          <dl class="pairs">
            <dt>Name</dt>
            <dd>{mine?.name}</dd>
            <dt>Team id</dt>
            <dd>{mine?.team_id}</dd>
            <dt>Project token</dt>
            <dd>
              {mine?.token !== undefined ? (
                <span class="mono">
                  {mine.token} <Copy text={mine.token} what="token" />
                </span>
              ) : (
                `ends in ${mine?.token_last4}`
              )}
            </dd>
            <dt>Time zone</dt>
            <dd>
              {zoneName()} <span class="meta">HOGFLARE_PROJECTS or the default project's</span>
            </dd>
            <dt>Signed in as</dt>
            <dd>
              {here.role}
              {here.expires_at && <>, until {time(here.expires_at)}</>}
            </dd>
          </dl>
        </Block>
      )}
      {now === "demo" && <DemoBlock />}
      {now === "about" && (
        <Block name="About">
          <div class="stack">
            <p>Hogflare {here.version}, Apache-2.0.</p>
            <p class="meta">
              The console holds Preact and its signals, uPlot and rrweb's replayer, each under the MIT licence. It asks no other host for
              anything.
            </p>
          </div>
        </Block>
      )}
    </div>
  );
}
