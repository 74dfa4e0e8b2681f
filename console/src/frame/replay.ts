// The document of a recording: its own policy, no sign-in, no network. It gets events by postMessage
// and plays them in a frame where no script runs.
import { Replayer } from "@rrweb/replay";
import "@rrweb/replay/dist/style.css";
import "./replay.css";

type Command =
  | { kind: "load"; events: RrwebEvent[]; more: boolean; speed: number; skip: boolean; at: number }
  | { kind: "add"; events: RrwebEvent[] }
  | { kind: "play"; at: number }
  | { kind: "pause"; at?: number }
  | { kind: "speed"; speed: number }
  | { kind: "skip"; skip: boolean };

interface RrwebEvent {
  type: number;
  timestamp: number;
  data: any;
}

let replayer: Replayer | null = null;
let playing = false;
let ended = false;
const root = document.getElementById("player")!;
// Only the console that framed this document is listened to and told.
const tell = (message: Record<string, unknown>) => parent.postMessage({ from: "hogflare-replay", ...message }, location.origin);

function fit(): void {
  const wrapper = root.querySelector<HTMLElement>(".replayer-wrapper");
  const frame = root.querySelector("iframe");
  if (wrapper === null || frame === null) return;
  const [width, height] = [Number(frame.getAttribute("width")) || 1_024, Number(frame.getAttribute("height")) || 640];
  const scale = Math.min(innerWidth / width, innerHeight / height, 1);
  wrapper.style.transform = `translate(${(innerWidth - width * scale) / 2}px, ${(innerHeight - height * scale) / 2}px) scale(${scale})`;
}

/** Nothing of the recorded site is asked for: the policy refuses it, and its addresses are taken away. */
function withoutRequests(event: RrwebEvent): RrwebEvent {
  const strip = (node: any): void => {
    if (node?.attributes !== undefined) {
      for (const name of ["src", "srcset", "poster", "data", "background", "xlink:href"]) {
        const value = node.attributes[name];
        if (typeof value === "string" && !/^(data:|blob:|#)/.test(value) && node.tagName !== "a") {
          delete node.attributes[name];
          if (name === "src") node.attributes["data-was"] = value;
        }
      }
      if (node.tagName === "link" || node.tagName === "base" || node.tagName === "meta") delete node.attributes.href;
    }
    for (const child of node?.childNodes ?? []) strip(child);
  };
  if (event.type === 2) strip(event.data?.node);
  if (event.type === 3 && event.data?.source === 0) {
    for (const { node } of event.data.adds ?? []) strip(node);
    for (const change of event.data.attributes ?? []) {
      for (const name of ["src", "srcset", "poster", "data", "href"]) {
        const value = change.attributes?.[name];
        if (typeof value === "string" && !/^(data:|blob:|#)/.test(value)) delete change.attributes[name];
      }
    }
  }
  return event;
}

/** rrweb shows what was before a place: the end is behind the last event. */
function placeOf(at: number | undefined): number | undefined {
  const total = replayer?.getMetaData().totalTime ?? 0;
  return at !== undefined && at >= total ? total + 1 : at;
}

addEventListener("message", ({ data, origin, source }: MessageEvent<Command>) => {
  if (origin !== location.origin || source !== parent) return;
  if (data.kind === "load") {
    replayer?.destroy();
    root.replaceChildren();
    const events = data.events.map(withoutRequests);
    replayer = new Replayer(events as never, {
      root,
      speed: data.speed,
      skipInactive: data.skip,
      mouseTail: false,
      showWarning: false,
      showDebug: false,
      liveMode: false,
      triggerFocus: false,
      UNSAFE_replayCanvas: false,
      loadTimeout: 0,
    });
    replayer.on("resize", fit);
    replayer.on("finish", () => {
      playing = false;
      ended = true;
      tell({ kind: "finished" });
    });
    const meta = replayer.getMetaData();
    replayer.pause(data.at);
    fit();
    tell({
      kind: "ready",
      start: meta.startTime,
      length: meta.totalTime,
      sandbox: root.querySelector("iframe")?.getAttribute("sandbox") ?? null,
    });
  } else if (replayer !== null) {
    if (data.kind === "add") for (const event of data.events) replayer.addEvent(withoutRequests(event) as never);
    else if (data.kind === "play") {
      playing = true;
      ended = false;
      replayer.play(data.at);
    } else if (data.kind === "pause") {
      playing = false;
      replayer.pause(placeOf(data.at));
      fit();
    } else if (data.kind === "speed") replayer.setConfig({ speed: data.speed });
    else if (data.kind === "skip") replayer.setConfig({ skipInactive: data.skip });
    // rrweb takes each added event in a turn of its own.
    if (data.kind === "add") setTimeout(() => replayer !== null && tell({ kind: "length", length: replayer.getMetaData().totalTime }));
  }
});

addEventListener("resize", fit);
setInterval(() => {
  if (replayer !== null && playing && !ended) tell({ kind: "time", at: replayer.getCurrentTime() });
}, 200);
tell({ kind: "hello" });
