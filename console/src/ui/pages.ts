import { signal } from "@preact/signals";

export const paletteOpen = signal(false);

export const PAGES: [string, string, string, string][] = [
  // page, name, key after g, icon
  ["home", "Home", "", "home"],
  ["live", "Live", "l", "live"],
  ["web", "Web", "w", "web"],
  ["insights", "Insights", "i", "insights"],
  ["dashboards", "Dashboards", "", "dashboards"],
  ["people", "People", "p", "people"],
  ["sessions", "Sessions", "s", "sessions"],
  ["errors", "Errors", "e", "errors"],
  ["flags", "Flags", "f", "flags"],
  ["sql", "SQL", "q", "sql"],
  ["health", "Health", "h", "health"],
  ["settings", "Settings", "", "settings"],
];
