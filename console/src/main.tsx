import { render, type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { BASE, go, pageHref, route } from "./lib/router";
import { openSession, project, Refused } from "./lib/session";
import "./lib/store";
// Small, and of nearly every page.
import "./lib/health";
import "./lib/pack";
import "./lib/question";
import { newerConsole } from "./ui/pages";
import { pageName, Shell, SignInForm } from "./ui/shell";
import { Fault, Waiting } from "./ui/kit";

type Page = { default: ComponentType };
// Each page is a file of its own, asked for on the first visit.
const PAGES: Record<string, () => Promise<Page>> = {
  home: () => import("./pages/home"),
  web: () => import("./pages/web"),
  insights: () => import("./pages/insights"),
  dashboards: () => import("./pages/dashboards"),
  live: () => import("./pages/live"),
  people: () => import("./pages/people"),
  sessions: () => import("./pages/sessions"),
  errors: () => import("./pages/errors"),
  flags: () => import("./pages/flags"),
  sql: () => import("./pages/sql"),
  health: () => import("./pages/health"),
  settings: () => import("./pages/settings"),
};

const loaded = new Map<string, ComponentType>();

function usePage(page: string): ComponentType | null {
  const [, draw] = useState(0);
  useEffect(() => {
    const load = PAGES[page];
    if (load === undefined || loaded.has(page)) return;
    load().then(
      (module) => {
        loaded.set(page, module.default);
        sessionStorage.removeItem("hogflare.reloaded");
        draw((n) => n + 1);
      },
      () => {
        // A deployment took this build's files away: once, the page is loaded anew, its state is in the address.
        if (sessionStorage.getItem("hogflare.reloaded") === null) {
          sessionStorage.setItem("hogflare.reloaded", "1");
          location.reload();
        } else {
          newerConsole.value = true;
        }
      },
    );
  }, [page]);
  return loaded.get(page) ?? null;
}

function Unknown() {
  return (
    <div class="state">
      <strong>There is no page “{route.value.page}”.</strong>
      <a href={pageHref("home")}>Home</a>
    </div>
  );
}

function App() {
  const { page } = route.value;
  const Page = usePage(page);
  const title = pageName(page);
  return <Shell title={title}>{Page !== null ? <Page /> : PAGES[page] === undefined ? <Unknown /> : <Waiting height={320} />}</Shell>;
}

function SignIn() {
  useEffect(() => {
    document.title = "Sign in · Hogflare";
  }, []);
  return (
    <main class="sign">
      <h1>Hogflare</h1>
      <SignInForm onDone={enter} />
    </main>
  );
}

const root = document.getElementById("app")!;
function enter(): void {
  const here = project();
  if (here !== undefined && route.peek().team !== here.team_id) go({ team: here.team_id }, "replace");
  render(<App />, root);
}

openSession().then(
  (known) => (known ? enter() : render(<SignIn />, root)),
  (fault: unknown) =>
    render(
      <main class="sign">
        <h1>Hogflare</h1>
        <Fault
          fault={fault instanceof Refused ? fault : new Refused(0, "page_fault", String(fault))}
          again={() => location.assign(`${BASE}/`)}
        />
      </main>,
      root,
    ),
);
