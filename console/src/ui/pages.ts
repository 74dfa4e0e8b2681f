import { signal } from "@preact/signals";
import type { Loaded } from "../lib/ask";
import type { Health } from "../lib/health";

/** A file of this build is not there any more. */
export const newerConsole = signal(false);
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

/** What the Worker last said of itself; the rail asks. */
export const railHealth = signal<Pick<Loaded<Health>, "state" | "value" | "fault">>({ state: "asking" });
