import { useState } from "preact/hooks";
import { exact } from "../lib/format";
import { callJson } from "../lib/session";
import { useLoad } from "../lib/ask";
import { hrefOf } from "../lib/router";
import { Block, Note } from "./kit";

interface Demo {
  state: string;
  sent?: number;
  of?: number;
  detail?: string;
  [more: string]: unknown;
}

/** A month of made traffic into the project "Demo", through the real path. */
export function DemoBlock() {
  const [turn, set] = useState(0);
  const [told, tell] = useState("");
  const demo = useLoad(`demo ${turn}`, () => callJson<Demo>("/app/api/demo"), 2_000);
  const start = () => callJson("/app/api/demo", { method: "POST", body: {} }).then(() => { tell(""); set(turn + 1); }, (fault: Error) => tell(fault.message));
  const { state = "", sent, of } = demo.value ?? {};
  return (
    <Block title="Demo traffic">
      <div class="stack">
        <p class="dim">A believable month of a small shop, sent through the real path into the project “Demo”. Yours stays as it is.</p>
        {sent !== undefined && <p>{state}: {exact(sent)}{of !== undefined && ` of ${exact(of)}`} events sent. <a href={hrefOf({ team: 2, page: "home", id: "" })}>Look at Demo</a></p>}
        {told !== "" && <Note tone="bad">{told}</Note>}
        {demo.state === "failed" && <Note>{demo.fault?.detail}</Note>}
        <div><button type="button" class="button" onClick={start} disabled={state === "running"}>Send a month of demo traffic</button></div>
      </div>
    </Block>
  );
}
