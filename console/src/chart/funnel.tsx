// Funnel: horizontal bars, done solid, left striped; both are links to their people.
import { duration, exact, number, percent } from "../lib/format";
import { breakdownLabel } from "../lib/question";

export interface Step {
  name: string | null;
  custom_name?: string | null;
  order: number;
  count: number;
  average_conversion_time: number | null;
  median_conversion_time: number | null;
  breakdown_value?: unknown;
}

const FEW = 30;

export function Funnel({ steps, onPick }: { steps: Step[]; onPick: (step: number, breakdown: string) => void }) {
  const first = steps[0]?.count ?? 0;
  const value = steps[0]?.breakdown_value;
  const breakdown = value === undefined ? "" : Array.isArray(value) ? String(value[0]) : String(value);
  return (
    <div class="steps">
      {value !== undefined && <h3>{breakdownLabel(value)}</h3>}
      {steps.map((step, i) => {
        const before = i === 0 ? step.count : steps[i - 1]!.count;
        const left = before - step.count;
        const share = before === 0 ? null : step.count / before;
        const width = (n: number) => (first === 0 ? "0" : `${Math.max((n / first) * 100, n > 0 ? 0.4 : 0)}%`);
        const title = step.custom_name ?? step.name ?? "All events";
        return (
          <div class="step stack" style={{ gap: "4px" }} key={i}>
            <div class="row between">
              <span class="row grow">
                <span class="letter">{i + 1}</span>
                <b class="cut">{title}</b>
              </span>
              <span class="row" style={{ gap: "12px" }}>
                <button type="button" class="link plain" onClick={() => onPick(i + 1, breakdown)} title={exact(step.count)}>
                  <b>{number(step.count)}</b>
                  <span class="sr"> people did {title}</span>
                </button>
                {i > 0 && (
                  <span class={before < FEW ? "faint" : ""} title={before < FEW ? `n = ${before}` : undefined}>
                    {percent(share)}
                    {before < FEW && before > 0 ? ` of n = ${before}` : ""}
                  </span>
                )}
                {i > 1 && <span class="faint wide">{percent(first === 0 ? null : step.count / first)} of all</span>}
              </span>
            </div>
            <div class="bar2">
              <button
                type="button"
                class="did"
                style={{ width: width(step.count) }}
                aria-label={`${exact(step.count)} people did ${title}`}
                onClick={() => onPick(i + 1, breakdown)}
              />
              {i > 0 && left > 0 && (
                <button
                  type="button"
                  class="left"
                  style={{ flex: "none", width: width(left) }}
                  aria-label={`${exact(left)} people left before ${title}`}
                  onClick={() => onPick(-(i + 1), breakdown)}
                />
              )}
            </div>
            {i > 0 && (
              <p class="meta row wrap">
                {left > 0 && (
                  <button type="button" class="link" onClick={() => onPick(-(i + 1), breakdown)}>
                    {number(left)} left
                  </button>
                )}
                {left > 0 && <span>after {steps[i - 1]!.custom_name ?? steps[i - 1]!.name ?? "the step before"}</span>}
                {step.median_conversion_time !== null && (
                  <span title={`mean ${duration(step.average_conversion_time)}`}>
                    · median {duration(step.median_conversion_time)} from step {i}
                  </span>
                )}
              </p>
            )}
          </div>
        );
      })}
    </div>
  );
}

export function Histogram({ bins }: { bins: [number, number][] }) {
  const top = Math.max(...bins.map(([, n]) => n), 1);
  return (
    <ul class="bars" aria-label="Time to convert">
      {bins.map(([from, n], i) => (
        <li key={i}>
          <i style={{ width: `${(n / top) * 92}%` }} />
          <span>
            {duration(from)}
            {bins[i + 1] !== undefined && ` to ${duration(bins[i + 1]![0])}`}
          </span>
          <span class="n">{number(n)}</span>
          <span class="p" />
        </li>
      ))}
    </ul>
  );
}
