// The time range: one menu, the same on every page.
import { bucket } from "../lib/format";
import { go, route } from "../lib/router";
import { stepRange, type Route } from "../lib/state";
import { signal } from "@preact/signals";
import { Icon } from "./icons";
import { Pop } from "./kit";
import { later } from "./later";

export const PRESETS: [string, string, string][] = [
  ["Today", "0d/d", ""],
  ["Yesterday", "-1d/d", "-1d/d"],
  ["24 hours", "-24h", ""],
  ["7 days", "-7d", ""],
  ["14 days", "-14d", ""],
  ["30 days", "-30d", ""],
  ["90 days", "-90d", ""],
  ["This month", "0m/m", ""],
  ["Last month", "-1m/m", "-1m/m"],
  ["This year", "0y/y", ""],
  ["All time", "all", ""],
];
export const COMPARES: [string, string][] = [
  ["", "No comparison"],
  ["prev", "vs previous"],
  ["weekday", "vs a week before"],
  ["year", "vs a year before"],
];

export function rangeWords({ from, to }: Pick<Route, "from" | "to">): string {
  const preset = PRESETS.find(([, f, t]) => f === from && t === to);
  if (preset !== undefined) return preset[0];
  const complete = PRESETS.find(([, f, t]) => f === from && t === "" && to === "-1d/d");
  if (complete !== undefined) return `${complete[0]}, complete`;
  const day = (text: string) => (/^\d{4}-\d\d-\d\d/.test(text) ? bucket(text, "day") : text);
  return to === "" ? `since ${day(from)}` : `${day(from)} – ${day(to)}`;
}

const RangeForm = later(() => import("./range-form").then((part) => part.RangeForm));
export const openRange = signal(false);

export function RangePicker({ compare = true }: { compare?: boolean }) {
  const state = route.value;
  const back = stepRange(state, -1);
  const forward = state.to === "" ? null : stepRange(state, 1);
  return (
    <div class="row" style={{ gap: "4px" }}>
      <button
        type="button"
        class="button quiet wide"
        aria-label="One range back"
        disabled={back === null}
        onClick={() => back && go({ ...back, sel: "" })}
      >
        <Icon name="left" />
      </button>
      <Pop
        label="Time range (t)"
        face={
          <>
            <Icon name="calendar" />
            {rangeWords(state)}
          </>
        }
        open={openRange}
      >
        {(close) => <RangeForm close={close} />}
      </Pop>
      <button
        type="button"
        class="button quiet wide"
        aria-label="One range forward"
        disabled={forward === null}
        onClick={() => forward && go({ ...forward, sel: "" })}
      >
        <Icon name="right" />
      </button>
      {compare && (
        <select class="select" aria-label="Compare (c)" value={state.cmp} onChange={(event) => go({ cmp: event.currentTarget.value })}>
          {COMPARES.map(([key, text]) => (
            <option key={key} value={key}>
              {text}
            </option>
          ))}
        </select>
      )}
    </div>
  );
}
