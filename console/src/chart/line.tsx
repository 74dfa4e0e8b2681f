// Time series by uPlot: x is the bucket's index, so that a day of 25 hours has 25 buckets.
import uPlot from "uplot";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { bucket, exact, minute, number, wallClock } from "../lib/format";
import { theme } from "../lib/store";
import { Delta } from "../ui/kit";

export interface Line {
  label: string;
  data: (number | null)[];
  /** 0 to 5 are the data colours; beyond is grey. */
  color: number;
  /** The compared period: same hue, thin, dashed, never open. */
  ghost?: boolean;
  /** Which days the points stand for; a compared line has its own. */
  days: string[];
}

export const COLORS = 6;
export const colorVar = (n: number) => (n < COLORS && n >= 0 ? `var(--d${n})` : "var(--other)");

export interface LineChartProps {
  lines: Line[];
  interval: string;
  height?: number;
  /** The last bucket is not over. */
  open?: boolean;
  until?: string | null | undefined;
  name: string;
  shape?: "line" | "bar" | "area";
  format?: (value: number | null | undefined) => string;
  onPoint?: ((line: number, point: number) => void) | undefined;
  onZoom?: ((first: string, last: string) => void) | undefined;
  onZoomOut?: (() => void) | undefined;
  onTable?: (() => void) | undefined;
  log?: boolean;
}

/** One sentence made from the data, for those who listen. */
export function summary(line: Line | undefined, interval: string): string {
  if (line === undefined) return "no data";
  const values = line.data.map((value) => value ?? 0);
  const sum = values.reduce((a, b) => a + b, 0);
  const top = values.indexOf(Math.max(...values));
  return `${line.label}: ${exact(sum)} in ${values.length} points; highest ${bucketAt(line.days, top, interval, "long")}, ${exact(values[top])}`;
}

/** A bucket's label; the hour that a clock has twice is told the second time. */
export function bucketAt(days: string[], at: number, interval: string, length: "short" | "long" = "short"): string {
  const day = days[at] ?? "";
  return `${bucket(day, interval, length)}${at > 0 && day === days[at - 1] ? " again" : ""}`;
}

/** What the API calls a bucket: its text, and the hour that a clock has twice, the second time, by the instant. */
export function bucketName(days: string[], at: number): string {
  const day = days[at] ?? "";
  if (at === 0 || day !== days[at - 1]) return day;
  // The last instant at which the clock shows this; zones lie quarters of an hour apart.
  const shown = Date.parse(`${day.replace(" ", "T")}Z`);
  for (let quarters = 14 * 4; quarters >= -14 * 4; quarters -= 1) {
    const instant = shown + quarters * 900_000;
    if (wallClock(instant) === day.slice(0, 16)) return new Date(instant).toISOString();
  }
  return day;
}
/** Where the bucket of that name stands. */
export const bucketPlace = (days: string[], name: string) =>
  name.endsWith("Z") ? days.lastIndexOf(`${wallClock(name)}:00`) : days.indexOf(name);
/** The bucket of that name in words. */
export const bucketWords = (name: string, interval: string) =>
  name.endsWith("Z") ? `${bucket(wallClock(name), interval, "long")} again` : bucket(name, interval, "long");

const css = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

export function LineChart(props: LineChartProps) {
  const { lines, interval, height = 280, open = false, until, name, shape = "line", format = number } = props;
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  const [at, setAt] = useState<number | null>(null);
  const [series, setSeries] = useState(0);
  const count = Math.max(...lines.map(({ data }) => data.length), 0);
  const dark = theme.value;
  const key = JSON.stringify([lines, interval, height, open, shape, dark, props.log]);

  useLayoutEffect(() => {
    const element = box.current;
    if (element === null || count === 0) return;
    const draw = () => {
      plot.current?.destroy();
      const width = Math.max(element.clientWidth, 120);
      const xs = Array.from({ length: count }, (_, i) => i);
      const data: (number | null)[][] = [xs];
      const options: uPlot.Series[] = [{}];
      const single = count === 1;
      for (const line of lines) {
        const color = line.color < COLORS ? css(`--d${line.color}`) : css("--other");
        const values = Array.from({ length: count }, (_, i) => line.data[i] ?? null);
        const partial = open && line.ghost !== true && shape !== "bar" && count > 1;
        const common: uPlot.Series = {
          stroke: line.ghost === true ? `color-mix(in srgb, ${color} 45%, transparent)` : color,
          width: line.ghost === true ? 1 : 2,
          spanGaps: false,
          points: { show: single, size: 8, fill: color },
        };
        if (line.ghost === true) common.dash = [2, 3];
        if (shape === "bar" && line.ghost !== true) {
          const alone = lines.filter((one) => one.ghost !== true);
          const index = alone.indexOf(line);
          common.paths = uPlot.paths.bars!({
            size: [0.7 / alone.length, 48],
            align: alone.length === 1 ? 0 : index < alone.length / 2 ? -1 : 1,
            gap: 1,
          });
          common.fill = color;
          common.width = 0;
        }
        if (shape === "area" && line.ghost !== true) common.fill = `color-mix(in srgb, ${color} 16%, transparent)`;
        data.push(partial ? [...values.slice(0, -1), null] : values);
        options.push(common);
        if (partial) {
          // The open bucket is a second series of two points: one segment cannot be styled alone.
          data.push(values.map((value, i) => (i >= count - 2 ? value : null)));
          options.push({ ...common, dash: [4, 4], points: { show: false } });
        }
      }
      const text2 = css("--text2");
      const grid = { stroke: css("--line"), width: 1 };
      const font = `12px ${css("--sans")}`;
      const step = Math.max(1, Math.ceil(count / Math.max(2, Math.floor(width / (interval === "hour" ? 90 : 76)))));
      plot.current = new uPlot(
        {
          width,
          height,
          legend: { show: false },
          padding: [8, 28, 0, 0],
          cursor: { x: true, y: false, points: { size: 6 }, drag: { x: props.onZoom !== undefined, y: false, setScale: false } },
          scales: {
            x: { time: false, range: () => (single ? [-1, 1] : shape === "bar" ? [-0.6, count - 0.4] : [0, count - 1]) },
            y: props.log ? { distr: 3, log: 10 } : { range: (_, min, max) => [Math.min(0, min), max <= 0 && min >= 0 ? 1 : max * 1.08] },
          },
          axes: [
            {
              stroke: text2,
              font,
              size: 30,
              gap: 8,
              grid: { show: false },
              ticks: { show: false },
              splits: () => xs.filter((i) => (count - 1 - i) % step === 0),
              values: (_, splits) => splits.map((i) => bucketAt(lines[0]?.days ?? [], i, interval)),
            },
            {
              stroke: text2,
              font,
              size: 46,
              gap: 6,
              grid,
              ticks: { show: false },
              space: 48,
              values: (_, splits) => splits.map((v) => (Number.isInteger(v) || Math.max(...splits) < 5 ? format(v) : "")),
            },
          ],
          series: options,
          hooks: {
            setCursor: [
              (u) => {
                const i = u.cursor.idx;
                setAt(i === null || i === undefined || (u.cursor.left ?? -1) < 0 ? null : i);
              },
            ],
            setSelect: [
              (u) => {
                if (u.select.width < 8) return;
                const first = Math.max(0, Math.round(u.posToVal(u.select.left, "x")));
                const last = Math.min(count - 1, Math.round(u.posToVal(u.select.left + u.select.width, "x")));
                u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                const days = latest.current.lines[0]?.days ?? [];
                if (days[first] !== undefined && days[last] !== undefined && first !== last)
                  latest.current.onZoom?.(days[first]!, days[last]!);
              },
            ],
          },
        },
        data as uPlot.AlignedData,
        element,
      );
      let down = 0;
      plot.current.over.addEventListener("pointerdown", (event) => {
        down = event.clientX;
      });
      plot.current.over.addEventListener("click", (event) => {
        const u = plot.current;
        const i = u?.cursor.idx;
        if (u === null || u === undefined || i === null || i === undefined || Math.abs(event.clientX - down) > 6) return;
        // The line nearest to the pointer's height.
        let best = 0;
        let distance = Infinity;
        latest.current.lines.forEach((line, n) => {
          const value = line.data[i];
          if (value === null || value === undefined) return;
          const away = Math.abs(u.valToPos(value, "y") - (u.cursor.top ?? 0));
          if (away < distance) {
            distance = away;
            best = n;
          }
        });
        latest.current.onPoint?.(best, i);
      });
      plot.current.over.addEventListener("dblclick", () => latest.current.onZoomOut?.());
    };
    draw();
    let width = element.clientWidth;
    const watch = new ResizeObserver(() => {
      if (Math.abs(element.clientWidth - width) < 2) return;
      width = element.clientWidth;
      plot.current?.setSize({ width, height });
    });
    watch.observe(element);
    const media = matchMedia("(prefers-color-scheme: dark)");
    media.addEventListener("change", draw);
    return () => {
      watch.disconnect();
      media.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [key]);

  const moveTo = (i: number) => {
    const next = Math.max(0, Math.min(count - 1, i));
    setAt(next);
    const u = plot.current;
    if (u !== null) u.setCursor({ left: u.valToPos(next, "x"), top: u.valToPos(lines[series]?.data[next] ?? 0, "y") }, false);
  };
  const keys = (event: KeyboardEvent) => {
    const run: Record<string, () => void> = {
      ArrowLeft: () => moveTo((at ?? count) - 1),
      ArrowRight: () => moveTo((at ?? -1) + 1),
      Home: () => moveTo(0),
      End: () => moveTo(count - 1),
      ArrowUp: () => setSeries((series + lines.length - 1) % lines.length),
      ArrowDown: () => setSeries((series + 1) % lines.length),
      Enter: () => {
        if (at !== null) props.onPoint?.(series, at);
      },
      t: () => props.onTable?.(),
      T: () => props.onTable?.(),
      Escape: () => setAt(null),
    };
    if (run[event.key] === undefined || event.ctrlKey || event.metaKey) return;
    // With nothing to undo here it is for the layer around.
    if (event.key === "Escape" && at === null) return;
    event.preventDefault();
    event.stopPropagation();
    run[event.key]!();
  };

  const shown =
    at === null
      ? []
      : lines
          .map((line, n) => ({ line, n, value: line.data[at] ?? null }))
          .filter(({ value }) => value !== null)
          .sort((a, b) => b.value! - a.value!);
  const right = at !== null && at < count / 2;
  return (
    <figure class="chart" aria-label={name}>
      <figcaption class="sr">
        {lines
          .slice(0, 3)
          .map((line) => summary(line, interval))
          .join(". ")}
      </figcaption>
      <div
        class="plot"
        ref={box}
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        style={{ minHeight: `${height}px` }}
        aria-label={`${name}. Arrow keys move, Enter opens the people, T shows the table.`}
        onKeyDown={keys}
        onBlur={() => setAt(null)}
      />
      {open && until && at === null && <span class="until">until {minute(until)}</span>}
      {at !== null && (
        <div class="tip" style={right ? { right: "12px" } : { left: "54px" }} aria-hidden="true">
          <strong>{bucketAt(lines[0]?.days ?? [], at, interval, "long")}</strong>
          {open && at === count - 1 && until ? <span class="dim"> until {minute(until)}</span> : null}
          {shown.slice(0, 8).map(({ line, n, value }) => (
            <div key={n}>
              <i class="swatch" style={{ background: colorVar(line.color), opacity: line.ghost ? 0.45 : 1 }} />
              <span class="cut">
                {n === series && lines.length > 1 && document.activeElement === box.current ? "› " : ""}
                {line.ghost ? `${bucket(line.days[at] ?? "", interval)} before` : line.label}
              </span>
              <b>{exact(value)}</b>
            </div>
          ))}
          {shown.length > 8 && <span class="dim">{shown.length - 8} more in the table</span>}
          {shown.length === 2 && lines[1]?.ghost && lines[0]?.data[at] != null && (
            <Delta now={lines[0].data[at]!} before={lines[1].data[at]} />
          )}
        </div>
      )}
      <div class="sr" aria-live="polite">
        {at === null
          ? ""
          : `${bucketAt(lines[series]?.days ?? [], at, interval, "long")}: ${lines[series]?.label} ${exact(lines[series]?.data[at])}`}
      </div>
    </figure>
  );
}

export function Legend({ lines, hidden, onToggle }: { lines: Line[]; hidden?: Set<string>; onToggle?: (label: string) => void }) {
  const shown = lines.filter(({ ghost }) => !ghost);
  if (shown.length < 2) return null;
  return (
    <ul class="legend">
      {shown.slice(0, 12).map((line) => (
        <li key={line.label}>
          {onToggle === undefined ? (
            <>
              <i class="swatch" style={{ background: colorVar(line.color) }} />
              <span class="cut">{line.label}</span>
            </>
          ) : (
            <button
              type="button"
              class="link plain"
              aria-pressed={!hidden?.has(line.label)}
              style={{ opacity: hidden?.has(line.label) ? 0.5 : 1 }}
              onClick={() => onToggle(line.label)}
            >
              <i class="swatch" style={{ background: colorVar(line.color) }} />
              <span class="cut">{line.label}</span>
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

/** A line without axes, for a row of a table. */
export function Spark({ data, label }: { data: number[]; label: string }) {
  const top = Math.max(...data, 1);
  const step = 96 / Math.max(data.length, 1);
  return (
    <svg class="spark" viewBox="0 0 96 22" preserveAspectRatio="none" role="img" aria-label={label}>
      {data.map(
        (value, i) =>
          value > 0 && (
            <rect
              key={i}
              x={i * step}
              width={Math.max(step - 1, 1)}
              y={22 - Math.max(2, (value / top) * 22)}
              height={Math.max(2, (value / top) * 22)}
              fill="var(--d0)"
            />
          ),
      )}
    </svg>
  );
}
