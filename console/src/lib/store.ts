// What this browser keeps: how things look, never what people did.
import { signal, type Signal } from "@preact/signals";

export function kept<T>(key: string, fallback: T): Signal<T> {
  let first = fallback;
  try {
    const text = localStorage.getItem(`hogflare.${key}`);
    if (text !== null) first = JSON.parse(text) as T;
  } catch {
    // Storage that is closed or damaged is as if it were empty.
  }
  const state = signal(first);
  let started = false;
  state.subscribe((value) => {
    if (!started) {
      started = true;
      return;
    }
    try {
      localStorage.setItem(`hogflare.${key}`, JSON.stringify(value));
    } catch {
      // The choice holds for this visit.
    }
  });
  return state;
}

export const theme = kept<"system" | "light" | "dark">("theme", "system");
export const density = kept<"dense" | "cosy">("density", "dense");
export const singleKeys = kept<boolean>("keys", true);
export const railFolded = kept<boolean>("rail", false);
/** Mails, addresses and names are hidden until asked for; one visit of the console long. */
export const personal = signal(false);
/** Since when a key is awaited that says which page to go to, after `g`. */
export const going = { since: 0 };
export const isGoing = () => Date.now() - going.since < 1_500;

theme.subscribe((value) => {
  if (value === "system") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = value;
});
density.subscribe((value) => {
  document.documentElement.dataset["density"] = value;
});
