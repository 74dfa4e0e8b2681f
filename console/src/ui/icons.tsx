// Our own glyphs: 16 px, strokes of 1.5, always beside a word or with a label.
const PATHS: Record<string, string> = {
  home: "M2.5 7.5 8 3l5.5 4.5V13h-4V9.5h-3V13h-4z",
  live: "M8 8h.01M5.2 10.8a4 4 0 0 1 0-5.6M10.8 5.2a4 4 0 0 1 0 5.6M3 13a7 7 0 0 1 0-10M13 3a7 7 0 0 1 0 10",
  web: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM2 8h12M8 2c2 2 2.5 4 2.5 6S10 12 8 14c-2-2-2.5-4-2.5-6S6 4 8 2z",
  insights: "M2.5 13.5h11M4.5 13V9M8 13V4M11.5 13V7",
  dashboards: "M2.5 2.5h4.5V8H2.5zM9 2.5h4.5v3H9zM2.5 10H7v3.5H2.5zM9 7.5h4.5v6H9z",
  people:
    "M6 7.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM1.5 13.5c0-3 2-4 4.5-4s4.5 1 4.5 4M11 2.8a2.4 2.4 0 0 1 0 4.5M12.5 9.8c1.4.6 2 1.8 2 3.7",
  sessions: "M2.5 3h11v8h-11zM6.8 5.2v3.6L10 7zM5.5 13.5h5",
  errors: "M8 2.5 14 13H2zM8 6.5v3M8 11.3h.01",
  flags: "M3.5 14V2.5M3.5 3h8l-1.6 2.8L11.5 9h-8",
  sql: "M3 4c0-1.9 10-1.9 10 0v8c0 1.9-10 1.9-10 0zM3 4c0 1.9 10 1.9 10 0M3 8c0 1.9 10 1.9 10 0",
  health: "M1.5 8.5h3l1.5-5 3 9 2-6 .8 2h2.7",
  settings: "M2.5 4.5h6M11.5 4.5h2M2.5 11.5h2M7.5 11.5h6M10 3v3M6 10v3",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  close: "M4 4l8 8M12 4l-8 8",
  search: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.5 10.5l3 3",
  left: "M10 3.5 5.5 8l4.5 4.5",
  right: "M6 3.5 10.5 8 6 12.5",
  down: "M3.5 6 8 10.5 12.5 6",
  up: "M3.5 10 8 5.5l4.5 4.5",
  plus: "M8 3v10M3 8h10",
  copy: "M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  play: "M5 3l8 5-8 5z",
  calendar: "M2.5 3.5h11v10h-11zM2.5 6.5h11M5.5 2v3M10.5 2v3",
  eye: "M1.5 8C4 3.5 12 3.5 14.5 8 12 12.5 4 12.5 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  refresh: "M13 8a5 5 0 1 1-1.5-3.6M13 2.5v3h-3",
  filter: "M2 3.5h12L9.5 8.5v4l-3-1.5V8.5z",
  link: "M6.5 9.5l3-3M7 4.5l1-1a3 3 0 0 1 4.5 4.5l-1 1M9 11.5l-1 1A3 3 0 0 1 3.5 8l1-1",
};

export function Icon({ name, label }: { name: keyof typeof PATHS & string; label?: string }) {
  return (
    <svg
      width="16"
      height="16"
      viewBox="0 0 16 16"
      fill="none"
      stroke="currentColor"
      stroke-width="1.5"
      stroke-linecap="round"
      stroke-linejoin="round"
      role={label === undefined ? undefined : "img"}
      class="mark"
      aria-label={label}
      aria-hidden={label === undefined ? "true" : undefined}
    >
      <path d={PATHS[name] ?? ""} />
    </svg>
  );
}
