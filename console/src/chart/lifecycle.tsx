// New, returning and resurrecting above zero, dormant below; each piece is a link to its people.
import { exact, isOpen, number } from "../lib/format";
import { bucketAt, bucketName, colorVar } from "./line";

export const STATUSES: [string, string, number][] = [
  ["new", "New", 0],
  ["returning", "Returning", 3],
  ["resurrecting", "Resurrecting", 1],
  ["dormant", "Dormant", 2],
];

export interface LifecycleLine {
  status: string;
  data: number[];
  days: string[];
}

/** Three to six round steps through both sides of zero. */
function ticksOf(top: number, bottom: number): number[] {
  const rough = (top + bottom) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 5, 10].map((times) => times * unit).find((one) => one >= rough)!);
  const ticks: number[] = [];
  for (let tick = -Math.floor(bottom / step); tick <= Math.floor(top / step); tick += 1) ticks.push(tick * step);
  return ticks;
}

export function Lifecycle({
  lines,
  interval,
  until,
  onPick,
  withTable = true,
}: {
  lines: LifecycleLine[];
  interval: string;
  until: string;
  withTable?: boolean;
  onPick: (day: string, status: string) => void;
}) {
  const days = lines[0]?.days ?? [];
  const of = (status: string) => lines.find((line) => line.status === status);
  const above = days.map((_, i) => STATUSES.slice(0, 3).reduce((sum, [status]) => sum + (of(status)?.data[i] ?? 0), 0));
  const below = days.map((_, i) => Math.abs(of("dormant")?.data[i] ?? 0));
  const top = Math.max(...above, 1);
  const bottom = Math.max(...below, 0);
  const height = 280;
  const scale = (height - 8) / (top + bottom);
  const zero = 4 + top * scale;
  const width = 1_000;
  const ticks = ticksOf(top, bottom);
  const slot = width / Math.max(days.length, 1);
  const bar = Math.min(slot * 0.72, 60);
  const every = Math.max(1, Math.ceil(days.length / 12));
  const last = days.at(-1);
  const open = last !== undefined && isOpen(last, interval, until);
  return (
    <div class="stack">
      <figure class="chart" aria-label="Lifecycle">
        <div style={{ padding: "12px 28px 0 52px", position: "relative" }}>
          {ticks.map((tick) => (
            <span
              key={tick}
              class="meta"
              aria-hidden="true"
              style={{
                position: "absolute",
                left: "0",
                width: "44px",
                textAlign: "right",
                top: `${12 + (zero - tick * scale) * (height / (height + 4)) - 8}px`,
              }}
            >
              {number(Math.abs(tick))}
            </span>
          ))}
          <svg
            viewBox={`0 0 ${width} ${height + 4}`}
            preserveAspectRatio="none"
            style={{ width: "100%", height: `${height}px`, display: "block" }}
            role="img"
            aria-label={STATUSES.map(
              ([status, name]) => `${name} ${exact(Math.abs((of(status)?.data ?? []).reduce((a, b) => a + b, 0)))}`,
            ).join(", ")}
          >
            {ticks.map((tick) => (
              <line
                key={tick}
                x1="0"
                x2={width}
                y1={zero - tick * scale}
                y2={zero - tick * scale}
                stroke="var(--line)"
                vector-effect="non-scaling-stroke"
              />
            ))}
            {days.map((_, i) => {
              let y = zero;
              const x = i * slot + (slot - bar) / 2;
              return (
                <g key={i} opacity={open && i === days.length - 1 ? 0.55 : 1}>
                  {STATUSES.slice(0, 3).map(([status, name, color]) => {
                    const value = of(status)?.data[i] ?? 0;
                    const h = value > 0 ? Math.max(value * scale, 2) : 0;
                    y -= h;
                    return (
                      h > 0 && (
                        <rect
                          key={status}
                          x={x}
                          y={y}
                          width={bar}
                          height={h}
                          fill={colorVar(color)}
                          cursor="pointer"
                          onClick={() => onPick(bucketName(days, i), status)}
                        >
                          <title>{`${bucketAt(days, i, interval, "long")}: ${name} ${exact(value)}`}</title>
                        </rect>
                      )
                    );
                  })}
                  {below[i]! > 0 && (
                    <rect
                      x={x}
                      y={zero}
                      width={bar}
                      height={Math.max(below[i]! * scale, 2)}
                      fill={colorVar(2)}
                      cursor="pointer"
                      onClick={() => onPick(bucketName(days, i), "dormant")}
                    >
                      <title>{`${bucketAt(days, i, interval, "long")}: Dormant ${exact(below[i])}`}</title>
                    </rect>
                  )}
                </g>
              );
            })}
            <line x1="0" x2={width} y1={zero} y2={zero} stroke="var(--control)" vector-effect="non-scaling-stroke" />
          </svg>
          <div class="row meta" style={{ gap: "0" }} aria-hidden="true">
            {days.map((_, i) => (
              <span key={i} style={{ flex: "1", textAlign: "center", whiteSpace: "nowrap", overflow: "visible", width: "0" }}>
                {(days.length - 1 - i) % every === 0 ? (
                  <span class={((days.length - 1 - i) / every) % 3 === 0 ? "" : "wide"}>{bucketAt(days, i, interval)}</span>
                ) : (
                  ""
                )}
              </span>
            ))}
          </div>
        </div>
      </figure>
      <ul class="legend">
        {open && <li>The last bar is not over yet.</li>}
        {STATUSES.map(([status, name, color]) => (
          <li key={status}>
            <i class="swatch" style={{ background: colorVar(color) }} />
            {name}
          </li>
        ))}
      </ul>
      {withTable && (
        <div class="scroller" tabIndex={0} role="region" aria-label="Lifecycle as a table" style={{ maxHeight: "320px" }}>
          <table aria-label="Lifecycle as a table">
            <thead>
              <tr>
                <th scope="col">Bucket</th>
                {STATUSES.map(([status, name]) => (
                  <th key={status} class="num" scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {days
                .map((_, i) => (
                  <tr key={i}>
                    <td>{bucketAt(days, i, interval, "long")}</td>
                    {STATUSES.map(([status]) => (
                      <td key={status} class="num">
                        <button type="button" class="link plain" onClick={() => onPick(bucketName(days, i), status)}>
                          {number(of(status)?.data[i] ?? 0)}
                        </button>
                      </td>
                    ))}
                  </tr>
                ))
                .reverse()}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
