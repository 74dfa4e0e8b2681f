// One box to go, find and do. What is pasted is known by its shape.
import { useEffect, useLayoutEffect, useState } from "preact/hooks";
import { go, pageRoute } from "../lib/router";
import { api, can, isAdmin, signOut } from "../lib/session";
import { theme, personal } from "../lib/store";
import { refreshes } from "../lib/ask";
import { PAGES } from "./pages";

interface Item {
  title: string;
  hint: string;
  run: () => void;
}

const open =
  (page: string, change: Parameters<typeof pageRoute>[1] = {}) =>
  () =>
    go(pageRoute(page, change));
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function fixedItems(): Item[] {
  return [
    ...PAGES.map(([page, name, key]) => ({ title: name, hint: key === "" ? "go" : `go · g ${key}`, run: open(page) })),
    ...[
      ["Trends", "TrendsQuery"],
      ["Funnel", "FunnelsQuery"],
      ["Retention", "RetentionQuery"],
      ["Paths", "PathsQuery"],
      ["Lifecycle", "LifecycleQuery"],
      ["Stickiness", "StickinessQuery"],
    ].map(([name, kind]) => ({ title: `New ${name!.toLowerCase()}`, hint: "do", run: open("insights", { tab: kind! }) })),
    ...[
      ["Today", "0d/d"],
      ["7 days", "-7d"],
      ["30 days", "-30d"],
      ["90 days", "-90d"],
    ].map(([name, from]) => ({ title: `Range: ${name}`, hint: "do", run: () => go({ from: from!, to: "" }) })),
    { title: "Compare with the time before", hint: "do · c", run: () => go({ cmp: "prev" }) },
    { title: "Copy link to this page", hint: "do", run: () => void navigator.clipboard?.writeText(location.href) },
    {
      title: "Ask everything again",
      hint: "do · r",
      run: () => {
        refreshes.value = { count: refreshes.value.count + 1, how: "blocking" };
      },
    },
    ...(["light", "dark", "system"] as const).map((one) => ({
      title: `Theme: ${one}`,
      hint: "do",
      run: () => {
        theme.value = one;
      },
    })),
    {
      title: personal.value ? "Hide personal details" : "Show personal details",
      hint: "do",
      run: () => {
        personal.value = !personal.value;
      },
    },
    ...(isAdmin() && can("demo") ? [{ title: "Send a month of demo traffic", hint: "do", run: open("settings", { tab: "demo" }) }] : []),
    { title: "Sign out", hint: "do", run: () => void signOut() },
  ];
}

function found(text: string): Item[] {
  const items: Item[] = [];
  if (UUID.test(text)) {
    items.push({ title: `Person or event ${text}`, hint: "find in the table", run: open("people", { find: text }) });
    items.push({ title: `Session ${text}`, hint: "find", run: open("sessions", { id: text }) });
    items.push({ title: `Distinct id ${text}`, hint: "find", run: open("people", { id: text }) });
  } else if (/^[0-9a-f]{32,128}$/i.test(text)) {
    items.push({ title: `Error with fingerprint ${text.slice(0, 16)}…`, hint: "find", run: open("errors", { id: text }) });
  }
  if (text.length >= 3 && !UUID.test(text)) {
    items.push({ title: `Person with distinct id “${text}”`, hint: "find · asks the object", run: open("people", { id: text }) });
    items.push({ title: `Search people for “${text}”`, hint: "find · scans the table", run: open("people", { find: text }) });
  }
  return items;
}

interface Flagged {
  flags: { key: string; name?: string }[];
}
interface Listed {
  results?: { slug: string; name: string }[];
}

export interface FoundProps {
  text: string;
  at: number;
  move: (at: number) => void;
  close: () => void;
  /** What the box does with its arrows and Enter; which of them was pressed before the list was there. */
  keys: { press: (key: string) => void; early: string };
}

/** What there is by the text of the palette's box. */
export function Found({ text, at, move, close, keys }: FoundProps) {
  const [saved, load] = useState<Item[]>([]);
  useEffect(() => {
    void Promise.allSettled([
      api<Flagged>("flags").then(({ flags }) => flags.map(({ key }) => ({ title: key, hint: "flag", run: open("flags", { id: key }) }))),
      ...(["insights", "dashboards"] as const).map((kind) =>
        can("documents")
          ? api<Listed | { slug: string; name: string }[]>(`documents/${kind}`).then((answer) =>
              (Array.isArray(answer) ? answer : (answer.results ?? [])).map(({ slug, name }) => ({
                title: name,
                hint: kind.slice(0, -1),
                run: open(kind, { id: slug }),
              })),
            )
          : Promise.resolve([]),
      ),
    ]).then((lists) => load(lists.flatMap((one) => (one.status === "fulfilled" ? one.value : []))));
  }, []);
  const words = text
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "");
  const matching = [...fixedItems(), ...saved].filter(({ title }) => words.every((word) => title.toLowerCase().includes(word)));
  const items = [
    ...(UUID.test(text.trim()) ? found(text.trim()) : []),
    ...matching.slice(0, 40),
    ...(UUID.test(text.trim()) ? [] : found(text.trim())),
  ];
  const run = (item: Item | undefined) => {
    close();
    if (item !== undefined) setTimeout(item.run, 0);
  };
  keys.press = (key) => {
    if (key === "Enter") return run(items[at]);
    const next = (at + (key === "ArrowDown" ? 1 : -1) + items.length) % Math.max(items.length, 1);
    move(next);
    document.getElementById(`command${next}`)?.scrollIntoView({ block: "nearest" });
  };
  useLayoutEffect(() => {
    if (keys.early !== "") keys.press(keys.early);
  }, []);
  return (
    <ul role="listbox" id="commands" aria-label="Commands">
      {items.map((item, i) => (
        <li
          key={`${item.title}${i}`}
          id={`command${i}`}
          role="option"
          aria-selected={i === at}
          onPointerMove={() => move(i)}
          onClick={() => run(item)}
        >
          <span class="cut">{item.title}</span>
          <span class="meta nowrap">{item.hint}</span>
        </li>
      ))}
      {items.length === 0 && (
        <li class="dim" role="option" aria-selected="false">
          Nothing by that name. Three characters or more look for a person.
        </li>
      )}
    </ul>
  );
}
