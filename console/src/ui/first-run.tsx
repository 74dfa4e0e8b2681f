// A project without events: one page that gets the first one here, not a set of empty ones.
import { useEffect, useState } from "preact/hooks";
import { duration } from "../lib/format";
import { can, isAdmin, project } from "../lib/session";
import { pageHref } from "../lib/router";
import { BASE } from "../lib/router";
import { liveSocket, type LiveEvent, type LiveReject } from "../lib/live";
import { Block, Copy, Note, Tabs } from "./kit";
import { DemoBlock } from "./demo";

export function snippets(host: string, token: string): [string, string, string][] {
  return [
    [
      "html",
      "HTML",
      `<script>\n  !function(t,e){var o,n,p,r;e.__SV||(window.posthog=e,e._i=[],e.init=function(i,s,a){function g(t,e){var o=e.split(".");2==o.length&&(t=t[o[0]],e=o[1]),t[e]=function(){t.push([e].concat(Array.prototype.slice.call(arguments,0)))}}(p=t.createElement("script")).type="text/javascript",p.async=!0,p.src=s.api_host+"/static/array.js",(r=t.getElementsByTagName("script")[0]).parentNode.insertBefore(p,r);var u=e;for(void 0!==a?u=e[a]=[]:a="posthog",u.people=u.people||[],u.toString=function(t){return"posthog"},o="capture identify reset register opt_out_capturing opt_in_capturing isFeatureEnabled getFeatureFlag onFeatureFlags group".split(" "),n=0;n<o.length;n++)g(u,o[n]);e._i.push([i,s,a])},e.__SV=1)}(document,window.posthog||[]);\n  posthog.init('${token}', { api_host: '${host}', person_profiles: 'identified_only' })\n</script>`,
    ],
    ["npm", "npm", `npm install posthog-js\n\nimport posthog from "posthog-js"\nposthog.init("${token}", { api_host: "${host}" })`],
    [
      "node",
      "Node",
      `npm install posthog-node\n\nimport { PostHog } from "posthog-node"\nconst posthog = new PostHog("${token}", { host: "${host}" })\nposthog.capture({ distinctId: "ada", event: "hello" })\nawait posthog.shutdown()`,
    ],
    [
      "python",
      "Python",
      `pip install posthog\n\nfrom posthog import Posthog\nposthog = Posthog("${token}", host="${host}")\nposthog.capture("hello", distinct_id="ada")\nposthog.shutdown()`,
    ],
    [
      "curl",
      "curl",
      `curl ${host}/i/v0/e/ -H 'content-type: application/json' \\\n  -d '{"api_key": "${token}", "event": "hello", "distinct_id": "ada"}'`,
    ],
  ];
}

export function Snippets() {
  const [tab, pick] = useState("html");
  const host = location.origin + BASE.slice(0, -"/app".length);
  const all = snippets(host, project()?.token ?? `YOUR_PROJECT_TOKEN_${project()?.token_last4 ?? ""}`);
  const text = all.find(([key]) => key === tab)![2];
  return (
    <>
      <Tabs tabs={all.map(([key, name]) => [key, name])} now={tab} onPick={pick} label="Where the events come from" />
      <div class="row" style={{ alignItems: "start" }}>
        <pre class="json grow" tabIndex={0} style={{ whiteSpace: "pre-wrap", maxHeight: "280px" }}>
          {text}
        </pre>
        <Copy text={text} what="snippet" />
      </div>
    </>
  );
}

export function FirstRun() {
  const [since] = useState(Date.now());
  const [, tick] = useState(0);
  const [first, arrive] = useState<LiveEvent | null>(null);
  const [rejects, reject] = useState<LiveReject[]>([]);
  useEffect(() => {
    const timer = setInterval(() => tick((n) => n + 1), 1_000);
    const close = liveSocket({
      onEvents: ({ events }) => {
        if (events[0] !== undefined) arrive((old) => old ?? events[0]!);
      },
      onReject: (one) => reject((old) => [...old.slice(-20), one]),
    });
    return () => {
      clearInterval(timer);
      close();
    };
  }, []);
  const hasPerson = first?.properties["$process_person_profile"] !== false;
  const waited = (Date.now() - since) / 1_000;
  const reasons = new Map<string, number>();
  for (const { reason } of rejects) reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return (
    <div class="stack" style={{ maxWidth: "860px" }}>
      <h2>Send the first event</h2>
      <Block flush>
        <Snippets />
      </Block>
      <Block title={first === null ? `Waiting for the first event… ${duration(Math.floor(waited))}` : "The first event is here"}>
        {first === null ? (
          <div class="stack">
            <p class="dim">This page listens. Whatever arrives for this project shows here within two seconds.</p>
            {rejects.length > 0 && (
              <Note tone="warn">
                The Worker refused: {[...reasons].map(([reason, n]) => `${reason} × ${n}`).join(", ")}.{" "}
                <a href={pageHref("live")}>See them live</a>
              </Note>
            )}
            {waited > 60 && rejects.length === 0 && (
              <Note>
                Nothing reached this Worker for this project in a minute. The three usual causes: the page still asks another host; the
                token is another project's; a blocker takes the usual paths (HOGFLARE_PATH_ALIASES gives them other names).
              </Note>
            )}
          </div>
        ) : (
          <ul class="stack" style={{ gap: "4px" }}>
            <li>
              <b>{first.event}</b> from {first.lib} {first.lib_version}, <span class="mono">{first.distinct_id}</span>
            </li>
            <li>
              <span class="ok">✓</span> arrived
            </li>
            <li>
              {hasPerson ? <span class="ok">✓</span> : <span class="dim">–</span>}{" "}
              {hasPerson ? "has a person" : "has no person: an anonymous visitor's under identified_only, until identify()"}
            </li>
            <li>
              <span class={first.state === "landed" ? "ok" : "warn"}>{first.state === "landed" ? "✓" : "◌"}</span>{" "}
              {first.state === "landed" ? "landed in the stream" : first.state}
            </li>
            <li class="dim">Questions see it in about 5 minutes: the table is written every 300 s.</li>
          </ul>
        )}
      </Block>
      {isAdmin() && can("demo") && <DemoBlock />}
    </div>
  );
}
