import { signal } from "@preact/signals";
import { formatAddress, parseAddress, type Route } from "./state";

/** Where the application stands, with a path prefix where one is set: "/app". */
export const BASE = /^(.*?\/app)(\/|$)/.exec(location.pathname)?.[1] ?? "/app";

export const route = signal<Route>(parseAddress(location.pathname, location.search, BASE));

let lastWrite = 0;

/** push is a step that back undoes; replace is for what is being typed or dragged. */
export function go(change: Partial<Route>, how: "push" | "replace" = "push"): void {
  const next: Route = { ...route.peek(), ...change };
  const moved =
    (change.page !== undefined && change.page !== route.peek().page) || (change.id !== undefined && change.id !== route.peek().id);
  const address = formatAddress(next, BASE);
  if (address === location.pathname + location.search) {
    route.value = next;
    return;
  }
  if (how === "push") history.pushState(null, "", address);
  else history.replaceState(history.state, "", address);
  lastWrite = Date.now();
  route.value = next;
  if (moved) {
    window.scrollTo(0, 0);
    focusTitle();
  }
}

/** Within 300 ms of the last change the same step of history is written again. */
export function goTyping(change: Partial<Route>): void {
  go(change, Date.now() - lastWrite < 300 ? "replace" : "push");
}

/** To another page: what belongs to the page stays behind, range and filters come along. */
export function pageRoute(page: string, change: Partial<Route> = {}): Route {
  return { ...route.peek(), page, id: "", q: "", sel: "", t: "", tab: "", find: "", i: "", tv: "", unknown: [], ...change };
}
export const hrefOf = (change: Partial<Route>) => formatAddress({ ...route.value, ...change }, BASE);
export const pageHref = (page: string, change: Partial<Route> = {}) => {
  void route.value;
  return formatAddress(pageRoute(page, change), BASE);
};

function focusTitle(): void {
  requestAnimationFrame(() => document.querySelector<HTMLElement>("h1")?.focus({ preventScroll: true }));
}

addEventListener("popstate", () => {
  route.value = parseAddress(location.pathname, location.search, BASE);
});

// Links of our own are walked without loading the document anew.
addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a[href]") as HTMLAnchorElement | null;
  if (link === null || link.target !== "" || link.hasAttribute("download") || link.origin !== location.origin) return;
  if (!link.pathname.startsWith(`${BASE}/`) || link.hash !== "") return;
  event.preventDefault();
  const next = parseAddress(link.pathname, link.search, BASE);
  go({ ...next });
});
