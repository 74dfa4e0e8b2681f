// Cohorts by period: one hue in five steps, the number always, open cells hatched and without colour.
import { useState } from "preact/hooks";
import { bucket, exact, isOpen, number, percent } from "../lib/format";
import { Select } from "../ui/kit";
import { LineChart } from "./line";

export interface Cohort {
  label: string;
  date: string;
  values: { count: number }[];
  breakdown_value?: unknown;
}

const shade = (share: number) =>
  share <= 0 ? "" : share < 0.1 ? "h1" : share < 0.25 ? "h2" : share < 0.45 ? "h3" : share < 0.7 ? "h4" : "h5";

/** Cells that are over, still open, or not begun. */
function cellState(rows: Cohort[], row: number, column: number, interval: string, until: string): "whole" | "open" | "none" {
  const last = rows[row + column];
  if (last === undefined) return "none";
  return row + column === rows.length - 1 && isOpen(last.date.slice(0, 19).replace("T", " "), interval, until) ? "open" : "whole";
}

export function Retention({
  rows,
  period,
  until,
  onPick,
}: {
  rows: Cohort[];
  period: string;
  until: string;
  onPick: (row: number, column: number) => void;
}) {
  const [shown, show] = useState("percent");
  const [phoneRow, pickRow] = useState(-1);
  const interval = period.toLowerCase();
  const columns = Math.max(...rows.map(({ values }) => values.length), 0);
  const mean = Array.from({ length: columns }, (_, k) => {
    let size = 0;
    let back = 0;
    rows.forEach((cohort, r) => {
      if (cellState(rows, r, k, interval, until) !== "whole" || cohort.values[k] === undefined) return;
      size += cohort.values[0]!.count;
      back += cohort.values[k]!.count;
    });
    return size === 0 ? null : back / size;
  });
  const name = (cohort: Cohort) => bucket(cohort.date.slice(0, 19).replace("T", " "), interval);
  const text = (cohort: Cohort, k: number) =>
    shown === "percent"
      ? percent(cohort.values[0]!.count === 0 ? null : cohort.values[k]!.count / cohort.values[0]!.count)
      : number(cohort.values[k]!.count);
  const curve =
    phoneRow < 0
      ? mean
      : rows[phoneRow]!.values.map(({ count }, k) =>
          cellState(rows, phoneRow, k, interval, until) === "whole" ? count / Math.max(rows[phoneRow]!.values[0]!.count, 1) : null,
        );
  return (
    <div>
      <div class="row wrap" style={{ padding: "4px 12px" }}>
        <Select
          label="Cells show"
          value={shown}
          options={[
            ["percent", "Per cent"],
            ["people", "People"],
          ]}
          onPick={show}
        />
        <span class="meta">Mean of complete cells; hatched cells are not over yet.</span>
      </div>
      <div class="narrow" style={{ padding: "0 8px" }}>
        <Select
          label="Cohort"
          value={String(phoneRow)}
          options={[
            ["-1", "Mean of all cohorts"],
            ...rows.map((cohort, i): [string, string] => [String(i), `${name(cohort)} · ${number(cohort.values[0]?.count)}`]),
          ]}
          onPick={(value) => pickRow(Number(value))}
        />
        <LineChart
          name="Share that came back"
          interval=""
          height={180}
          format={percent}
          lines={[{ label: "came back", color: 0, data: curve, days: curve.map((_, k) => `${period} ${k}`) }]}
        />
      </div>
      <div class="scroller" tabIndex={0} role="region" aria-label="Retention">
        <table class="cohorts" aria-label="Retention by cohort">
          <thead>
            <tr>
              <th class="first" scope="col">
                Cohort
              </th>
              <th scope="col">People</th>
              {Array.from({ length: columns }, (_, k) => (
                <th key={k} scope="col">
                  {period} {k}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            <tr class="sum">
              <td class="first">Mean</td>
              <td />
              {mean.map((share, k) => (
                <td key={k}>{percent(share)}</td>
              ))}
            </tr>
            {rows.map((cohort, r) => (
              <tr key={r}>
                <td class="first">{name(cohort)}</td>
                <td>
                  <button type="button" onClick={() => onPick(r, 0)} title={exact(cohort.values[0]?.count)}>
                    {number(cohort.values[0]?.count)}
                  </button>
                </td>
                {Array.from({ length: columns }, (_, k) => {
                  const state = cellState(rows, r, k, interval, until);
                  const cell = cohort.values[k];
                  if (state === "none" || cell === undefined) return <td key={k} />;
                  const size = cohort.values[0]!.count;
                  return (
                    <td key={k} class={state === "open" ? "open" : size === 0 ? "" : shade(cell.count / size)}>
                      <button
                        type="button"
                        onClick={() => onPick(r, k)}
                        title={`${exact(cell.count)} of ${exact(size)}${state === "open" ? ", not over yet" : ""}`}
                      >
                        {text(cohort, k)}
                        <span class="sr">{state === "open" ? " so far" : ""}</span>
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
