// What the menu of the time range holds.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { go, route } from "../lib/router";
import type { Route } from "../lib/state";
import { PRESETS } from "./range";

export function RangeForm({ close }: { close: () => void }) {
  const state = route.value;
  const whole = (text: string) => (/^\d{4}-\d\d-\d\d$/.test(text) ? text : "");
  const [from, setFrom] = useState(whole(state.from));
  const [to, setTo] = useState(whole(state.to));
  const take = (change: Partial<Route>) => {
    go({ ...change, i: "", sel: "" });
    close();
  };
  // The menu was open before this was there.
  const first = useRef<HTMLButtonElement>(null);
  useLayoutEffect(() => first.current?.focus(), []);
  const canComplete = /^-\d+[dwm]$/.test(state.from);
  return (
    <>
      {PRESETS.map(([name, f, t], i) => (
        <button
          type="button"
          ref={i === 0 ? first : undefined}
          key={name}
          aria-current={state.from === f && state.to === t ? "true" : undefined}
          onClick={() => take({ from: f, to: t })}
        >
          <span class="grow">{name}</span>
          {state.from === f && state.to === t && "✓"}
        </button>
      ))}
      <hr />
      <label class="check" style={{ padding: "0 8px" }}>
        <input
          type="checkbox"
          checked={state.to === "-1d/d"}
          disabled={!canComplete}
          onChange={(event) => go({ to: event.currentTarget.checked ? "-1d/d" : "" })}
        />
        Only complete days
      </label>
      <form
        class="row wrap"
        style={{ padding: "4px 8px" }}
        onSubmit={(event) => {
          event.preventDefault();
          if (from !== "") take({ from, to });
        }}
      >
        <input type="date" class="input" aria-label="From" value={from} onInput={(event) => setFrom(event.currentTarget.value)} />
        <input type="date" class="input" aria-label="To" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        <button type="submit" class="button">
          Use
        </button>
      </form>
    </>
  );
}
