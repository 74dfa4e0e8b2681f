import { useState } from "preact/hooks";
import { duration, exact } from "../lib/format";
import { callJson } from "../lib/session";
import { useLoad } from "../lib/ask";
import { hrefOf } from "../lib/router";
import { Block, Note } from "./kit";

interface Demo {
  state: string;
  sent?: number;
  of?: number;
  took_s?: number;
  recordings?: number;
  team_id?: number;
  detail?: string;
  [more: string]: unknown;
}

/** A month of made traffic into the project "Demo", through the real path. */
export function DemoBlock() {
  const [turn, set] = useState(0);
  const [told, tell] = useState("");
  const demo = useLoad(`demo ${turn}`, () => callJson<Demo>("/app/api/demo"), 2_000);
  const start = () =>
    callJson("/app/api/demo", { method: "POST", body: {} }).then(
      () => {
        tell("");
        set(turn + 1);
      },
      (fault: Error) => tell(fault.message),
    );
  const { state = "", sent, of, took_s, recordings, team_id = 2 } = demo.value ?? {};
  return (
    <Block title="Demo traffic">
      <div class="stack">
        <p class="dim">
          A believable month of a small shop, sent through the real path into the project “Demo”: yours stays as it is. Its two flags are
          put where there are none yet.
        </p>
        {sent !== undefined && (
          <div class="stack" style={{ gap: "4px" }}>
            {state === "running" && <progress max={of ?? 1} value={sent} aria-label="Events sent" style={{ width: "100%" }} />}
            <p>
              {exact(sent)}
              {of !== undefined && of !== sent && ` of ${exact(of)}`} events sent
              {state === "done" && took_s !== undefined && ` in ${duration(took_s)}`}
              {recordings !== undefined && `, ${exact(recordings)} visits of them recorded`}.{" "}
              <a href={hrefOf({ team: team_id, page: "home", id: "", from: "-30d" })}>Look at Demo</a>
            </p>
          </div>
        )}
        {told !== "" && <Note tone="bad">{told}</Note>}
        {(demo.state === "failed" || state === "failed") && <Note tone="bad">{demo.value?.detail ?? demo.fault?.detail}</Note>}
        <div>
          <button type="button" class="button" onClick={start} disabled={state === "running"}>
            Send a month of demo traffic
          </button>
        </div>
      </div>
    </Block>
  );
}
