// The page of one recorded session: a player a window, one bar to control it.
// Bundled with rrweb's replayer into the HTML that scripts/replay.mjs writes; the events stand in
// <script type="application/json" data-window="ID"> elements, one a part as it came.
import { Replayer, ReplayerEvents } from "posthog-js/rrweb";

const SPEEDS = [1, 2, 4, 8];
const TICK_MS = 100;

/** @param {number} ms */
function clock(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Events by window, in the order of their times; windows by when they begin. */
function readWindows() {
  const byId = new Map();
  for (const part of document.querySelectorAll("script[data-window]")) {
    const { window: id } = part.dataset;
    if (!byId.has(id)) byId.set(id, []);
    for (const event of JSON.parse(part.textContent)) byId.get(id).push(event);
    part.remove();
  }
  const list = [...byId].map(([id, events]) => ({ id, events: events.sort((left, right) => left.timestamp - right.timestamp) }));
  return list.sort((left, right) => left.events[0].timestamp - right.events[0].timestamp);
}

const windows = readWindows();
document.getElementById("facts").textContent = JSON.parse(document.querySelector("script[data-facts]").textContent);
const stage = document.getElementById("stage");
const tabs = document.getElementById("tabs");
const play = document.getElementById("play");
const seek = document.getElementById("seek");
const time = document.getElementById("time");
const speed = document.getElementById("speed");
const idle = document.getElementById("idle");
let shown = null;

/** The recorded page's size changes; the player keeps it within the screen. */
function fit(player, size) {
  const frame = player.wrapper;
  const scale = Math.min(1, stage.clientWidth / size.width, stage.clientHeight / size.height);
  frame.style.transform = `scale(${scale})`;
  frame.style.width = `${size.width}px`;
  frame.style.height = `${size.height}px`;
}

/** @param {number} index */
function show(index) {
  shown?.replayer.destroy();
  stage.replaceChildren();
  const { events } = windows[index];
  // rrweb needs two events to have a beginning and an end.
  const playable = events.length > 1 ? events : [...events, { ...events[0], timestamp: events[0].timestamp + 1 }];
  const replayer = new Replayer(playable, {
    root: stage,
    skipInactive: idle.checked,
    speed: Number(speed.value),
    showWarning: false,
    mouseTail: false,
    UNSAFE_replayCanvas: false,
  });
  const player = { replayer, wrapper: replayer.wrapper, isPlaying: false, total: replayer.getMetaData().totalTime };
  shown = player;
  window.player = replayer;
  replayer.on(ReplayerEvents.Resize, (size) => fit(player, size));
  replayer.on(ReplayerEvents.Finish, () => setPlaying(false));
  const meta = events.find((event) => event.type === 4);
  if (meta) fit(player, meta.data);
  seek.max = String(player.total);
  replayer.pause(0);
  for (const [at, tab] of [...tabs.children].entries()) tab.setAttribute("aria-selected", String(at === index));
  setPlaying(false);
  tick();
}

/** @param {boolean} isPlaying */
function setPlaying(isPlaying) {
  shown.isPlaying = isPlaying;
  play.textContent = isPlaying ? "Pause" : "Play";
}

function tick() {
  const at = Math.min(shown.total, Math.max(0, shown.replayer.getCurrentTime()));
  if (document.activeElement !== seek || shown.isPlaying) seek.value = String(at);
  time.textContent = `${clock(at)} / ${clock(shown.total)}`;
}

play.addEventListener("click", () => {
  if (shown.isPlaying) {
    shown.replayer.pause();
    setPlaying(false);
  } else {
    const at = shown.replayer.getCurrentTime();
    shown.replayer.play(at >= shown.total ? 0 : at);
    setPlaying(true);
  }
});
seek.addEventListener("input", () => {
  const at = Number(seek.value);
  if (shown.isPlaying) shown.replayer.play(at);
  else shown.replayer.pause(at);
  tick();
});
speed.addEventListener("change", () => shown.replayer.setConfig({ speed: Number(speed.value) }));
idle.addEventListener("change", () => shown.replayer.setConfig({ skipInactive: idle.checked }));
document.addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLSelectElement) return;
  if (event.key === " " && event.target !== play) {
    event.preventDefault();
    play.click();
  }
});

for (const each of SPEEDS) speed.add(new Option(`${each}×`, String(each)));
for (const [index, each] of windows.entries()) {
  const tab = document.createElement("button");
  tab.setAttribute("role", "tab");
  const page = each.events.find((event) => event.type === 4)?.data.href ?? each.id;
  tab.textContent = `Window ${index + 1}`;
  tab.title = page;
  tab.addEventListener("click", () => show(index));
  tabs.append(tab);
}
setInterval(() => shown && tick(), TICK_MS);
if (windows.length > 0) show(0);
