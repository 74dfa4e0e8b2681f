// Paths: columns of places, ribbons as wide as the visits; the list beside is the same for those who read.
import { useState } from "preact/hooks";
import { duration, exact, number } from "../lib/format";

export interface Edge {
  source: string;
  target: string;
  value: number;
  average_conversion_time: number;
}
interface Node {
  key: string;
  name: string;
  step: number;
  value: number;
  y: number;
  height: number;
  in: number;
  out: number;
}

const COLUMNS_MAX = 5;
const NODES_MAX = 8;
const OTHER = "other";

const stepOf = (key: string) => Number(/^(\d+)_/.exec(key)?.[1] ?? 1);
export const placeOf = (key: string) => key.replace(/^\d+_/, "");

/** What all places that are addresses begin with, scheme and host, is in no label; "" when they differ. */
export function commonOrigin(edges: Edge[]): string {
  const origins = new Set(
    edges.flatMap(({ source, target }) => [source, target]).map((key) => /^https?:\/\/[^/]+/.exec(placeOf(key))?.[0] ?? ""),
  );
  origins.delete("");
  return origins.size === 1 ? [...origins][0]! : "";
}
const short = (name: string, origin: string) => (origin !== "" && name.startsWith(origin) ? name.slice(origin.length) || "/" : name);

/** At most eight places a column; the rest is one, "other". */
export function layout(
  edges: Edge[],
  height: number,
): { nodes: Node[]; links: (Edge & { a: Node; b: Node; ya: number; yb: number; width: number })[]; columns: number } {
  const near = edges.filter(({ source }) => stepOf(source) < COLUMNS_MAX);
  const sums = new Map<string, number>();
  for (const { source, target, value } of near) {
    if (stepOf(source) === 1) sums.set(source, (sums.get(source) ?? 0) + value);
    sums.set(target, (sums.get(target) ?? 0) + value);
  }
  const kept = new Set<string>();
  const columns = Math.max(...near.map(({ target }) => stepOf(target)), 1);
  for (let step = 1; step <= columns; step += 1) {
    const ranked = [...sums].filter(([key]) => stepOf(key) === step).sort((a, b) => b[1] - a[1]);
    for (const [key] of ranked.slice(0, ranked.length > NODES_MAX ? NODES_MAX - 1 : NODES_MAX)) kept.add(key);
  }
  const folded = new Map<string, Edge>();
  for (const edge of near) {
    const source = kept.has(edge.source) ? edge.source : `${stepOf(edge.source)}_${OTHER}`;
    const target = kept.has(edge.target) ? edge.target : `${stepOf(edge.target)}_${OTHER}`;
    const key = `${source}>${target}`;
    const old = folded.get(key);
    folded.set(key, { ...edge, source, target, value: (old?.value ?? 0) + edge.value });
  }
  const nodes = new Map<string, Node>();
  const node = (key: string) => {
    let one = nodes.get(key);
    if (one === undefined) nodes.set(key, (one = { key, name: placeOf(key), step: stepOf(key), value: 0, y: 0, height: 0, in: 0, out: 0 }));
    return one;
  };
  const into = new Map<string, number>();
  const outOf = new Map<string, number>();
  for (const { source, target, value } of folded.values()) {
    outOf.set(source, (outOf.get(source) ?? 0) + value);
    into.set(target, (into.get(target) ?? 0) + value);
    node(source);
    node(target);
  }
  for (const one of nodes.values()) one.value = Math.max(into.get(one.key) ?? 0, outOf.get(one.key) ?? 0);
  const gap = 22;
  let scale = Infinity;
  for (let step = 1; step <= columns; step += 1) {
    const here = [...nodes.values()].filter((one) => one.step === step);
    const total = here.reduce((sum, one) => sum + one.value, 0);
    if (total > 0) scale = Math.min(scale, (height - gap * here.length - 8) / total);
  }
  for (let step = 1; step <= columns; step += 1) {
    let y = 18;
    for (const one of [...nodes.values()]
      .filter((n) => n.step === step)
      .sort((a, b) => Number(a.name === OTHER) - Number(b.name === OTHER) || b.value - a.value)) {
      one.height = Math.max(one.value * scale, 2);
      one.y = y;
      y += one.height + gap;
    }
  }
  const links = [...folded.values()]
    .sort((a, b) => node(a.target).y - node(b.target).y || node(a.source).y - node(b.source).y)
    .map((edge) => {
      const [a, b] = [node(edge.source), node(edge.target)];
      const width = Math.max(edge.value * scale, 1);
      const link = { ...edge, a, b, width, ya: a.y + a.out + width / 2, yb: 0 };
      a.out += width;
      return link;
    });
  for (const link of [...links].sort((x, y) => x.a.y - y.a.y)) {
    link.yb = link.b.y + link.b.in + link.width / 2;
    link.b.in += link.width;
  }
  return { nodes: [...nodes.values()], links, columns };
}

const cut = (text: string) => (text.length > 22 ? `${text.slice(0, 21)}…` : text);

export function Flow({
  edges,
  onEdge,
  onStart,
  onEnd,
  onHide,
}: {
  edges: Edge[];
  onEdge: (source: string, target: string) => void;
  onStart: (place: string) => void;
  onEnd: (place: string) => void;
  onHide: (place: string) => void;
}) {
  const [lit, light] = useState<string | null>(null);
  const width = 1_000;
  const height = 460;
  const { nodes, links, columns } = layout(edges, height);
  const origin = commonOrigin(edges);
  const at = (step: number) => ((step - 1) * (width - 180)) / Math.max(columns - 1, 1);
  // The whole way through a place: everything before and after it that connects.
  const way = new Set<string>();
  if (lit !== null) {
    const walk = (key: string, forward: boolean) => {
      for (const link of links) {
        const id = `${link.source}>${link.target}`;
        if ((forward ? link.source : link.target) !== key || way.has(id)) continue;
        way.add(id);
        walk(forward ? link.target : link.source, forward);
      }
    };
    walk(lit, true);
    walk(lit, false);
  }
  return (
    <div class="stack">
      <svg
        class="flow wide"
        viewBox={`0 0 ${width} ${height}`}
        role="img"
        aria-label={`Paths of ${columns} steps; the list below has the same numbers`}
        onMouseLeave={() => light(null)}
      >
        {links.map((link) => {
          const x1 = at(link.a.step) + 10;
          const x2 = at(link.b.step);
          const m = (x1 + x2) / 2;
          return (
            <path
              key={`${link.source}>${link.target}`}
              class={`edge ${way.has(`${link.source}>${link.target}`) ? "lit" : ""}`}
              stroke-width={link.width}
              d={`M${x1} ${link.ya}C${m} ${link.ya} ${m} ${link.yb} ${x2} ${link.yb}`}
              onClick={() => onEdge(link.source, link.target)}
            >
              <title>{`${link.a.name} → ${link.b.name}: ${exact(link.value)}`}</title>
            </path>
          );
        })}
        {nodes.map((one) => (
          <g key={one.key} onMouseEnter={() => light(one.key)}>
            <rect class={`node ${lit === one.key ? "lit" : ""}`} x={at(one.step)} y={one.y} width="10" height={one.height} rx="2" />
            <rect x={at(one.step)} y={one.y - 16} width="170" height={one.height + 16} fill="transparent" />
            <text x={at(one.step)} y={one.y - 5}>
              {cut(short(one.name, origin))}
              <tspan class="n" dx="6" fill-opacity="0.7">
                {number(one.value)}
              </tspan>
            </text>
          </g>
        ))}
      </svg>
      {origin !== "" && <p class="meta pad">Pages of {origin}</p>}
      <div class="scroller" tabIndex={0} role="region" aria-label="Paths as a list" style={{ maxHeight: "420px" }}>
        <table aria-label="Paths as a list">
          <thead>
            <tr>
              <th scope="col">Step</th>
              <th scope="col">From</th>
              <th scope="col">To</th>
              <th class="num" scope="col">
                Visits
              </th>
              <th class="num wide" scope="col">
                Mean time
              </th>
              <th scope="col">
                <span class="sr">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {[...edges]
              .sort((a, b) => stepOf(a.source) - stepOf(b.source) || b.value - a.value)
              .map((edge) => (
                <tr key={`${edge.source}>${edge.target}`} onMouseEnter={() => light(edge.source)}>
                  <td>{stepOf(edge.source)}</td>
                  <td>
                    <button type="button" class="link plain" title="Start here" onClick={() => onStart(placeOf(edge.source))}>
                      {short(placeOf(edge.source), origin)}
                    </button>
                  </td>
                  <td>
                    <button type="button" class="link plain" title="Start here" onClick={() => onStart(placeOf(edge.target))}>
                      {short(placeOf(edge.target), origin)}
                    </button>
                  </td>
                  <td class="num">
                    <button type="button" class="link" onClick={() => onEdge(edge.source, edge.target)}>
                      {number(edge.value)}
                    </button>
                  </td>
                  <td class="num wide">{duration(edge.average_conversion_time / 1_000)}</td>
                  <td class="num nowrap">
                    <button type="button" class="button quiet small" onClick={() => onEnd(placeOf(edge.target))}>
                      End here
                    </button>
                    <button type="button" class="button quiet small wide" onClick={() => onHide(placeOf(edge.target))}>
                      Hide
                    </button>
                  </td>
                </tr>
              ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
