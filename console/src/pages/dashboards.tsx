// Dashboards: documents in KV, tiles that fail alone, asked when they come near.
import { useEffect, useRef, useState } from "preact/hooks";
import { KINDS, sentence } from "../lib/insight";
import { remembered, unpack } from "../lib/pack";
import { event, withState, type Insight } from "../lib/question";
import { go, hrefOf, pageHref, route } from "../lib/router";
import { can, isAdmin, Refused } from "../lib/session";
import { refreshes, useLoad, useQuestion } from "../lib/ask";
import { listDocuments, loadDocument, removeDocument, saveDocument, slugOf, type Saved } from "../lib/documents";
import { Block, Dialog, Fault, Note, Pop, Segments, Table, Time, Waiting } from "../ui/kit";
import { Icon } from "../ui/icons";
import { AnswerOf, InsightPanel, type InsightDocument } from "./insights";
import { useInsightHref } from "./home";

interface Tile {
  title: string;
  size: "s" | "m" | "l";
  query: Insight;
  /** A range of its own, said on its face. */
  from?: string;
}
interface Dashboard {
  name: string;
  tiles: Tile[];
  [more: string]: unknown;
}

const TILES_MAX = 40;

export default function Dashboards() {
  if (!can("documents")) {
    return (
      <Block>
        <div class="state">
          <strong>Dashboards are kept in KV.</strong>
          <p>
            Bind a KV namespace as <code>FLAGS</code>. Until then Home is the dashboard, and every insight lives in its address: copy the
            link.
          </p>
          <a href={pageHref("home")}>Home</a>
        </div>
      </Block>
    );
  }
  return route.value.id === "" ? <List /> : <One key={route.value.id} slug={route.value.id} />;
}

function List() {
  const all = useLoad("dashboards", () => listDocuments("dashboards"));
  const [open, set] = useState(false);
  const [name, setName] = useState("");
  const [told, tell] = useState("");
  const make = async (submit: Event) => {
    submit.preventDefault();
    try {
      const slug = slugOf(name);
      const tiles: Tile[] = [
        { title: "Active people", size: "m", query: { kind: "TrendsQuery", series: [event(null, "dau")] } },
        { title: "Views", size: "m", query: { kind: "TrendsQuery", series: [event("$pageview")] } },
      ];
      await saveDocument("dashboards", slug, { name, tiles }, null);
      go({ id: slug });
    } catch (fault) {
      tell(
        fault instanceof Refused && (fault.code === "changed" || fault.code === "no_if_match")
          ? "There is a dashboard by that name."
          : (fault as Error).message,
      );
    }
  };
  if (all.state === "failed") return <Fault fault={all.fault!} again={all.again} />;
  return (
    <div class="stack">
      {isAdmin() && (
        <div>
          <button type="button" class="button main" onClick={() => set(true)}>
            New dashboard
          </button>
        </div>
      )}
      <Block flush name="Dashboards">
        {all.state === "asking" ? (
          <Waiting />
        ) : all.value!.length === 0 ? (
          <div class="state">
            <strong>No dashboard yet.</strong>
            <span>Home is the default one. {isAdmin() ? "A new one begins with two tiles; saved insights become tiles." : ""}</span>
          </div>
        ) : (
          <Table
            label="Dashboards"
            rows={all.value!}
            onPick={(row) => go({ id: row.slug })}
            columns={[
              { key: "name", name: "Name", cell: (row) => <a href={pageHref("dashboards", { id: row.slug })}>{row.name}</a> },
              { key: "at", name: "Changed", cell: (row) => <Time at={row.updated_at} /> },
            ]}
          />
        )}
      </Block>
      {open && (
        <Dialog label="New dashboard" onClose={() => set(false)}>
          <form onSubmit={make}>
            <h2>New dashboard</h2>
            <input
              class="input"
              required
              maxLength={120}
              autofocus
              aria-label="Name"
              value={name}
              onInput={(input) => setName(input.currentTarget.value)}
            />
            {told !== "" && <Note tone="bad">{told}</Note>}
            <div class="row">
              <button type="submit" class="button main">
                Make
              </button>
              <button type="button" class="button" onClick={() => set(false)}>
                Cancel
              </button>
            </div>
          </form>
        </Dialog>
      )}
    </div>
  );
}

function One({ slug }: { slug: string }) {
  const loaded = useLoad(`dashboard ${slug}`, () => loadDocument<Dashboard>("dashboards", slug));
  const [local, change] = useState<Saved<Dashboard> | null>(null);
  const [told, tell] = useState("");
  const tv = route.value.tv === "1";
  useEffect(() => {
    if (!tv) return;
    document.documentElement.dataset["tv"] = "1";
    const timer = setInterval(() => {
      refreshes.value = { count: refreshes.value.count + 1, how: "blocking" };
    }, 60_000);
    return () => {
      delete document.documentElement.dataset["tv"];
      clearInterval(timer);
    };
  }, [tv]);
  const saved = local ?? loaded.value;
  if (saved === undefined || saved === null)
    return loaded.state === "failed" ? <Fault fault={loaded.fault!} again={loaded.again} /> : <Waiting height={400} />;
  const { document: board } = saved;
  const put = async (next: Dashboard) => {
    const before = saved;
    change({ ...saved, document: next });
    try {
      await saveDocument("dashboards", slug, next, before.etag);
      const fresh = await loadDocument<Dashboard>("dashboards", slug).catch(() => null);
      // KV may answer with the version before for a minute: what was saved here stays on the page.
      change({
        slug,
        document: next,
        etag: fresh !== null && JSON.stringify(fresh.document) === JSON.stringify(next) ? fresh.etag : (fresh?.etag ?? before.etag),
      });
      tell("");
    } catch (fault) {
      change(before);
      tell(
        fault instanceof Refused && fault.code === "changed"
          ? "Changed elsewhere meanwhile. Reload to see theirs."
          : (fault as Error).message,
      );
    }
  };
  const tiles = board.tiles ?? [];
  const move = (i: number, by: number) => {
    const next = [...tiles];
    const [tile] = next.splice(i, 1);
    next.splice(i + by, 0, tile!);
    void put({ ...board, tiles: next });
  };
  const edit = isAdmin() && !tv;
  return (
    <div class="stack">
      <div class="row wrap between">
        <h2>{board.name}</h2>
        <div class="row wrap">
          {edit && tiles.length < TILES_MAX && <AddTile onAdd={(tile) => void put({ ...board, tiles: [...tiles, tile] })} />}
          <Pop label="More" face={<Icon name="more" />}>
            {(close) => (
              <>
                <a href={hrefOf({ tv: tv ? "" : "1" })} onClick={close}>
                  {tv ? "Leave" : "TV mode"}
                </a>
                {edit && (
                  <button
                    type="button"
                    onClick={() => {
                      void removeDocument("dashboards", slug, saved.etag).then(
                        () => go({ id: "" }),
                        (fault: Error) => tell(fault.message),
                      );
                      close();
                    }}
                  >
                    Delete this dashboard
                  </button>
                )}
              </>
            )}
          </Pop>
          <a class="button" href={pageHref("dashboards")}>
            All dashboards
          </a>
        </div>
      </div>
      {told !== "" && (
        <Note tone="bad">
          {told}{" "}
          <button
            type="button"
            class="button small"
            onClick={() => {
              change(null);
              tell("");
              loaded.again();
            }}
          >
            Reload
          </button>
        </Note>
      )}
      <div class="grid twelve">
        {tiles.map((tile, i) => (
          <TileView
            key={`${i}${tile.title}`}
            n={i}
            tile={tile}
            actions={
              edit && (
                <Pop label={`Tile ${tile.title}`} class="button quiet small" face={<Icon name="more" />}>
                  {(close) => {
                    const act = (run: () => void) => () => {
                      close();
                      run();
                    };
                    const set = (next: Partial<Tile>) =>
                      void put({ ...board, tiles: tiles.map((old, at) => (at === i ? { ...old, ...next } : old)) });
                    return (
                      <>
                        {i > 0 && (
                          <button type="button" onClick={act(() => move(i, -1))}>
                            Move up
                          </button>
                        )}
                        {i < tiles.length - 1 && (
                          <button type="button" onClick={act(() => move(i, 1))}>
                            Move down
                          </button>
                        )}
                        {(["s", "m", "l"] as const)
                          .filter((size) => size !== tile.size)
                          .map((size) => (
                            <button type="button" key={size} onClick={act(() => set({ size }))}>
                              {{ s: "Small", m: "Half", l: "Whole row" }[size]}
                            </button>
                          ))}
                        <button type="button" onClick={act(() => void put({ ...board, tiles: tiles.filter((_, at) => at !== i) }))}>
                          Take off
                        </button>
                      </>
                    );
                  }}
                </Pop>
              )
            }
          />
        ))}
      </div>
      {tiles.length === 0 && (
        <div class="state">
          <strong>No tile yet.</strong>
        </div>
      )}
    </div>
  );
}

function TileView({ tile, n, actions }: { tile: Tile; n: number; actions: any }) {
  const box = useRef<HTMLDivElement>(null);
  const [near, come] = useState(false);
  useEffect(() => {
    const watch = new IntersectionObserver(
      (seen) => {
        if (seen.some(({ isIntersecting }) => isIntersecting)) come(true);
      },
      { rootMargin: "300px" },
    );
    if (box.current !== null) watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const state = tile.from === undefined ? route.value : { ...route.value, from: tile.from, to: "" };
  const source = withState(tile.query, state);
  const asked = useQuestion(near ? source : null);
  const href = useInsightHref(tile.query);
  const prefix = `n${n}.`;
  const mine = route.value.sel.startsWith(prefix);
  return (
    <div ref={box} class={tile.size} style={{ minHeight: "240px" }}>
      <Block
        flush
        title={
          <span>
            <a href={href}>{tile.title}</a>
            {tile.from !== undefined && <span class="meta"> own range {tile.from}</span>}
          </span>
        }
        name={tile.title}
        actions={actions}
      >
        <AnswerOf insight={tile.query} asked={asked} source={source} compact selKind={prefix} />
      </Block>
      {mine && <InsightPanel insight={tile.query} source={source} answer={asked.answer} sel={route.value.sel.slice(prefix.length)} />}
    </div>
  );
}

function AddTile({ onAdd }: { onAdd: (tile: Tile) => void }) {
  const [open, set] = useState(false);
  return (
    <>
      <button type="button" class="button main" onClick={() => set(true)}>
        <Icon name="plus" />
        Tile
      </button>
      {open && (
        <Dialog label="Add a tile" onClose={() => set(false)}>
          <AddForm
            onAdd={(tile) => {
              onAdd(tile);
              set(false);
            }}
            onClose={() => set(false)}
          />
        </Dialog>
      )}
    </>
  );
}

function AddForm({ onAdd, onClose }: { onAdd: (tile: Tile) => void; onClose: () => void }) {
  const saved = useLoad("insights list", () => listDocuments("insights"));
  const [link, paste] = useState("");
  const [size, pick] = useState("m");
  const [told, tell] = useState("");
  const fromLink = async (submit: Event) => {
    submit.preventDefault();
    try {
      const q = new URL(link, location.href).searchParams.get("q") ?? "";
      const query = (remembered(q) ?? (await unpack(q))) as Insight;
      if (!KINDS.some(([kind]) => kind === query.kind)) throw new Error("no insight");
      onAdd({ title: sentence(query), size: size as "m", query });
    } catch {
      tell("That is no link to an insight: copy one from Insights › ⋯ › Copy link.");
    }
  };
  return (
    <form onSubmit={fromLink}>
      <h2>Add a tile</h2>
      <Segments
        label="Size"
        options={[
          ["s", "Small"],
          ["m", "Half"],
          ["l", "Whole row"],
        ]}
        now={size}
        onPick={pick}
      />
      <h3>A saved insight</h3>
      <div class="stack" style={{ gap: "2px", maxHeight: "30vh", overflow: "auto" }}>
        {(saved.value ?? []).map(({ slug, name }) => (
          <button
            type="button"
            class="button quiet"
            style={{ justifyContent: "flex-start" }}
            key={slug}
            onClick={() =>
              void loadDocument<InsightDocument>("insights", slug).then(
                ({ document }) => onAdd({ title: name, size: size as "m", query: document.query }),
                (fault: Error) => tell(fault.message),
              )
            }
          >
            {name}
          </button>
        ))}
        {saved.value?.length === 0 && <span class="meta">None is saved yet.</span>}
      </div>
      <h3>Or a link to an insight</h3>
      <input
        class="input"
        aria-label="Link"
        placeholder="Paste the address…"
        value={link}
        onInput={(input) => paste(input.currentTarget.value)}
      />
      {told !== "" && <Note tone="bad">{told}</Note>}
      <div class="row">
        <button type="submit" class="button main" disabled={link === ""}>
          Add
        </button>
        <button type="button" class="button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </form>
  );
}
