// Rail, header, bottom bar, keys: what stays while pages change.
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { signal } from "@preact/signals";
import { fullTime, time, zoneName } from "../lib/format";
import { go, hrefOf, pageHref, route } from "../lib/router";
import { can, project, session, signIn, signOut, signedOut, isAdmin, Refused, api } from "../lib/session";
import { going, isGoing, personal, railFolded, singleKeys, theme } from "../lib/store";
import { dataUntil, refreshes, useLoad } from "../lib/ask";
import type { Health } from "../lib/health";
import { Icon } from "./icons";
import { Dialog, Note, Pop } from "./kit";
import { later } from "./later";
import type { FoundProps } from "./palette";
import { Filters, openFilter } from "./filters";
import { COMPARES, openRange, RangePicker } from "./range";
import { newerConsole, PAGES, paletteOpen, railHealth } from "./pages";

const railOpen = signal(false);
const keysOpen = signal(false);
const closeKeys = () => {
  keysOpen.value = false;
};

function Rail() {
  const health = useLoad(`rail ${route.value.team}`, () => api<Health>("health"), 60_000);
  useEffect(() => {
    railHealth.value = health;
  }, [health.value, health.state]);
  const problems = health.value?.problems?.filter(({ severity }) => severity !== "info") ?? [];
  const worst = problems.some(({ severity }) => severity === "error" || severity === "fatal") ? "bad" : "";
  const link = ([page, name, key, icon]: [string, string, string, string]) => (
    <a
      key={page}
      href={pageHref(page)}
      aria-current={route.value.page === page ? "page" : undefined}
      title={key === "" ? name : `${name} (g ${key})`}
      onClick={() => {
        railOpen.value = false;
      }}
    >
      <Icon name={icon} />
      <span>{name}</span>
      {page === "health" && problems.length > 0 && (
        <span class={`badge ${worst}`} aria-label={`${problems.length} problems`}>
          {problems.length}
        </span>
      )}
    </a>
  );
  return (
    <nav class={`rail ${railOpen.value ? "open" : ""}`} aria-label="Pages">
      <a class="brand" href={pageHref("home")} title="Hogflare">
        <Icon name="live" />
        <span>Hogflare</span>
      </a>
      {PAGES.slice(0, 5).map(link)}
      <hr />
      {PAGES.slice(5, 8).map(link)}
      <hr />
      {PAGES.slice(8).map(link)}
      <span class="grow" />
      <button
        type="button"
        class="nav wide"
        aria-label={railFolded.value ? "Unfold the rail" : "Fold the rail"}
        title="Fold ([)"
        onClick={() => {
          railFolded.value = !railFolded.value;
        }}
      >
        <Icon name={railFolded.value ? "right" : "left"} />
        <span>Fold</span>
      </button>
      <button
        type="button"
        class="nav narrow"
        onClick={() => {
          railOpen.value = false;
        }}
      >
        <Icon name="close" />
        <span>Close</span>
      </button>
    </nav>
  );
}

function Bottom() {
  const tabs: [string, string, string][] = [
    ["home", "Home", "home"],
    ["live", "Live", "live"],
    ["web", "Web", "web"],
    ["insights", "Insights", "insights"],
  ];
  return (
    <nav class="bottom" aria-label="Main pages">
      {tabs.map(([page, name, icon]) => (
        <a
          key={page}
          href={pageHref(page)}
          aria-current={route.value.page === page ? "page" : undefined}
          onClick={() => {
            railOpen.value = false;
          }}
        >
          <Icon name={icon} />
          {name}
        </a>
      ))}
      <button
        type="button"
        aria-expanded={railOpen.value}
        onClick={() => {
          railOpen.value = !railOpen.value;
        }}
      >
        <Icon name="more" />
        More
      </button>
    </nav>
  );
}

export const PAGES_WITH_RANGE = ["home", "web", "insights", "dashboards", "sessions", "errors"];
const PAGES_WITH_COMPARE = ["home", "web", "insights", "dashboards"];

export function pageName(page: string): string {
  return PAGES.find(([key]) => key === page)?.[1] ?? "Page";
}

function Header({ title }: { title: string }) {
  const here = session.value!;
  const { page } = route.value;
  const mine = project();
  const ranged = PAGES_WITH_RANGE.includes(page);
  return (
    <header class="header">
      {here.projects.length > 1 && (
        <select
          class="select"
          aria-label="Project"
          value={String(mine?.team_id)}
          onChange={(event) => go({ team: Number(event.currentTarget.value), id: "", sel: "", f: [] })}
        >
          {here.projects.map((one) => (
            <option key={one.team_id} value={String(one.team_id)}>
              {one.token_last4 === "" ? one.name : `${one.name} · …${one.token_last4}`}
            </option>
          ))}
        </select>
      )}
      <h1 tabIndex={-1}>{title}</h1>
      {ranged ? <Filters /> : <span class="grow" />}
      {ranged && <RangePicker compare={PAGES_WITH_COMPARE.includes(page)} />}
      {dataUntil.value !== null && (
        <span
          class="meta nowrap wide"
          title={`Newest row the table holds: ${fullTime(dataUntil.value)}. The table is written every few minutes; Live shows what arrives now.`}
        >
          until {time(dataUntil.value)}
        </span>
      )}
      <span class="meta nowrap wide" title="Every figure and axis is on this clock">
        {zoneName()}
      </span>
      <button
        type="button"
        class="button quiet"
        aria-label="Commands (Ctrl K)"
        title="Commands (Ctrl K)"
        onClick={() => {
          paletteOpen.value = true;
        }}
      >
        <Icon name="search" />
      </button>
      {here.role === "viewer" && (
        <span class="tag" title="You can look. Changes need the admin token.">
          read-only
        </span>
      )}
      <Pop label="More" class="button quiet" face={<Icon name="more" />}>
        {(close) => (
          <>
            <button
              type="button"
              onClick={() => {
                personal.value = !personal.value;
                close();
              }}
            >
              <Icon name="eye" />
              {personal.value ? "Hide personal details" : "Show personal details"}
            </button>
            {(["system", "light", "dark"] as const).map((one) => (
              <button
                type="button"
                key={one}
                aria-pressed={theme.value === one}
                onClick={() => {
                  theme.value = one;
                  close();
                }}
              >
                Theme: {one}
                {theme.value === one && " ✓"}
              </button>
            ))}
            <button
              type="button"
              onClick={() => {
                keysOpen.value = true;
                close();
              }}
            >
              All keys (?)
            </button>
            <hr />
            <button type="button" onClick={() => void signOut()}>
              Sign out
            </button>
          </>
        )}
      </Pop>
    </header>
  );
}

function onKey(event: KeyboardEvent): void {
  if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    paletteOpen.value = !paletteOpen.value;
    return;
  }
  const at = event.target as HTMLElement;
  if (!singleKeys.value || event.metaKey || event.ctrlKey || event.altKey || at.isContentEditable) return;
  if (["INPUT", "TEXTAREA", "SELECT"].includes(at.tagName) || document.querySelector("dialog[open]") !== null) return;
  if (isGoing()) {
    going.since = 0;
    const page = PAGES.find(([, , key]) => key === event.key)?.[0];
    if (page !== undefined) {
      event.preventDefault();
      go({ ...route.peek(), page, id: "", q: "", sel: "", t: "", tab: "", find: "", i: "" });
    }
    return;
  }
  const ranged = PAGES_WITH_RANGE.includes(route.peek().page);
  const keys: Record<string, () => void> = {
    g: () => {
      going.since = Date.now();
    },
    "/": () => {
      openFilter.value = ranged;
    },
    t: () => {
      openRange.value = ranged;
    },
    c: () => {
      const next = (COMPARES.findIndex(([key]) => key === route.peek().cmp) + 1) % COMPARES.length;
      if (ranged) go({ cmp: COMPARES[next]![0] });
    },
    r: () => {
      refreshes.value = { count: refreshes.value.count + 1, how: "blocking" };
    },
    R: () => {
      refreshes.value = { count: refreshes.value.count + 1, how: "force_blocking" };
    },
    "[": () => {
      railFolded.value = !railFolded.value;
    },
    "?": () => {
      keysOpen.value = true;
    },
  };
  const run = keys[event.key];
  if (run === undefined || event.defaultPrevented || at.closest(".plot") !== null) return;
  event.preventDefault();
  run();
}

const Found = later(() => import("./palette").then((part) => part.Found));
const Keys = later(() => import("./keys").then((part) => part.Keys));

/** One box to go, find and do. It takes what is typed at once; what is found by it may still be on its way. */
function Palette() {
  const [text, set] = useState("");
  const [at, move] = useState(0);
  const keys = useRef<FoundProps["keys"] | null>(null);
  keys.current ??= {
    press: (key) => {
      keys.current!.early = key;
    },
    early: "",
  };
  const close = () => {
    paletteOpen.value = false;
  };
  return (
    <Dialog label="Commands" class="palette" onClose={close}>
      <input
        autofocus
        role="combobox"
        aria-expanded="true"
        aria-controls="commands"
        aria-activedescendant={`command${at}`}
        aria-label="Go, find or do"
        placeholder="Go, find or do… paste an id"
        value={text}
        onInput={(event) => {
          set(event.currentTarget.value);
          move(0);
        }}
        onKeyDown={(event) => {
          if (!["ArrowDown", "ArrowUp", "Enter"].includes(event.key)) return;
          event.preventDefault();
          keys.current!.press(event.key);
        }}
      />
      <Found text={text} at={at} move={move} close={close} keys={keys.current} />
    </Dialog>
  );
}

export function SignInForm({ again = false, onDone }: { again?: boolean; onDone: () => void }) {
  const [token, set] = useState("");
  const [told, tell] = useState("");
  const [busy, work] = useState(false);
  const submit = async (event: Event) => {
    event.preventDefault();
    work(true);
    try {
      await signIn(token.trim());
      onDone();
    } catch (fault) {
      const wait = fault instanceof Refused && fault.code === "too_many_attempts" ? Number(fault.body["retry_after_s"] ?? 60) : 0;
      tell(wait > 0 ? `Too many attempts. Wait ${wait} s, then try again.` : (fault as Error).message);
    } finally {
      work(false);
    }
  };
  return (
    <form onSubmit={submit} class="stack">
      {again && <Note tone="warn">Your sign-in ended. Sign in and go on: the page behind this is kept.</Note>}
      <input type="text" name="username" autocomplete="username" value="hogflare" hidden readOnly />
      <label class="stack" style={{ gap: "4px" }}>
        <span>Admin or viewer token</span>
        <input
          class="input"
          type="password"
          name="password"
          autocomplete="current-password"
          required
          autofocus
          value={token}
          onInput={(event) => set(event.currentTarget.value)}
        />
      </label>
      {told !== "" && <Note tone="bad">{told}</Note>}
      <button type="submit" class="button main" disabled={busy}>
        {busy ? "Signing in…" : "Sign in"}
      </button>
      <p class="meta">
        The value of <code>HOGFLARE_ADMIN_TOKEN</code> or <code>HOGFLARE_VIEWER_TOKEN</code>.
      </p>
    </form>
  );
}

export function Shell({ title, children }: { title: string; children: ComponentChildren }) {
  useLayoutEffect(() => {
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
  useEffect(() => {
    document.title = `${title} · ${project()?.name ?? "project"} · Hogflare`;
  }, [title, project()?.name]);
  const { unknown } = route.value;
  const demo = project()?.name === "Demo";
  return (
    <>
      <a class="skip" href="#content">
        Skip to the page
      </a>
      <div class={`frame ${railFolded.value ? "folded" : ""}`}>
        <Rail />
        <div class="desk">
          <Header title={title} />
          {newerConsole.value && (
            <Note>
              A newer console is there.{" "}
              <button type="button" class="button small" onClick={() => location.reload()}>
                Reload
              </button>
            </Note>
          )}
          <main class="page" id="content">
            {demo && (
              <p class="meta" style={{ marginBottom: "8px" }}>
                <span class="tag warn">Demo</span> Generated traffic.{" "}
                {isAdmin() && can("demo") && <a href={pageHref("settings", { tab: "demo" })}>About it</a>}
              </p>
            )}
            {unknown.length > 0 && (
              <p class="meta" style={{ marginBottom: "8px" }}>
                {unknown.map(([key]) => `“${key}”`).join(", ")} in the address is not understood.{" "}
                <a href={hrefOf({ unknown: [] })}>Take it off</a>
              </p>
            )}
            {children}
          </main>
        </div>
      </div>
      <Bottom />
      {paletteOpen.value && <Palette />}
      {keysOpen.value && (
        <Dialog label="Keys" onClose={closeKeys}>
          <Keys close={closeKeys} />
        </Dialog>
      )}
      {signedOut.value && (
        <Dialog label="Sign in again" onClose={() => {}}>
          <div class="in">
            <SignInForm
              again
              onDone={() => {
                refreshes.value = { count: refreshes.value.count + 1, how: "blocking" };
              }}
            />
          </div>
        </Dialog>
      )}
    </>
  );
}
