// Events as they arrive, for whoever looks: one object a project holds the sockets. Nothing is stored, and while
// nobody looks nothing is sent: an isolate asks at most every ten seconds whether somebody does.
import { DurableObject, waitUntil } from "cloudflare:workers";
import { Room } from "./room.js";

/** Sockets of one project at a time. */
const SOCKETS_MAX = 32;
/** Events a second that a page is shown; above, one of n. */
const SHOWN_PER_SECOND = 50;
/** How long an isolate takes somebody to be looking, after it was told. It asks again before. */
const WATCHED_MS = 15_000;
/** Bytes an isolate has on their way to objects at once; what comes while they do not answer is not shown. */
const TELLING_BYTES_MAX = 4 * 1024 * 1024;
/** How long they are on their way at most: as long as a request may go on after its answer. */
const TELLING_MS = 30_000;
/** Bytes that wait for a page to read them, above which it misses what comes: it may be asleep for hours. */
const UNREAD_BYTES_MAX = 256 * 1024;
/** Close codes of ours: the sign-in is over. */
const SIGNED_OUT = 4401;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const YES = encoder.encode("1");
const NO = encoder.encode("0");
const telling = new Room(TELLING_BYTES_MAX);

/** Projects that somebody looks at, until when, as far as this isolate knows. @type {Map<string, number>} */
const watched = new Map();

/** Their team ids with commas between; "" nearly always. @param {number} now */
export function watchedTeams(now) {
  if (watched.size === 0) return "";
  for (const [team, until] of watched) if (until <= now) watched.delete(team);
  return [...watched.keys()].join(",");
}

/**
 * Feeds a project's object, or asks it with no bytes whether somebody looks. Nobody waits for it.
 * @param {{name: string, bytes: Uint8Array}} effect
 * @param {any} env
 */
export function tellLive({ name, bytes }, env) {
  if (!telling.has(bytes.byteLength)) return;
  const place = telling.place();
  place.hold(bytes.byteLength, TELLING_MS);
  const told = env.LIVE.getByName(name)
    .call(bytes)
    .then(
      (reply) => {
        if (reply[0] === YES[0]) watched.set(name, Date.now() + WATCHED_MS);
        else watched.delete(name);
      },
      // A page that misses events is told by its own connection; capture is not at fault.
      () => watched.delete(name),
    )
    .finally(() => place.end());
  waitUntil(told);
}

/**
 * Connects a page's socket that the core has admitted.
 * @param {Request} request
 * @param {import("./core.js").Output} output status 101; its headers name the project and the sign-in's end
 * @param {any} env
 */
export function connect(request, output, env) {
  const headers = new Headers();
  for (let i = 0; i + 1 < output.headers.length; i += 2) headers.set(output.headers[i], output.headers[i + 1]);
  headers.set("upgrade", "websocket");
  const team = headers.get("x-hogflare-live-team") ?? "";
  return env.LIVE.getByName(team).fetch(request.url, { headers });
}

/** @typedef {{seen?: number, events?: any[], rejects?: any[], warnings?: any[]}} Feed */

export class LiveDurableObject extends DurableObject {
  /** @param {any} ctx @param {any} env */
  constructor(ctx, env) {
    super(ctx, env);
    /** The second at hand, what came and what was shown in it; and the rate of the one before. */
    this.second = { at: 0, seen: 0, shown: 0 };
    this.rate = 0;
    // A page may see whether its connection is alive without waking this object.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  /** The upgrade. @param {Request} request */
  async fetch(request) {
    if (this.ctx.getWebSockets().length >= SOCKETS_MAX) return new Response("too many look at once", { status: 429 });
    const team = Number(request.headers.get("x-hogflare-live-team"));
    const until = Number(request.headers.get("x-hogflare-live-until"));
    const { 0: page, 1: socket } = new WebSocketPair();
    this.ctx.acceptWebSocket(socket);
    socket.serializeAttachment({ until });
    socket.send(JSON.stringify({ kind: "hello", project: team, shown_per_second: SHOWN_PER_SECOND, until: new Date(until).toISOString() }));
    await this.setAlarm();
    return new Response(null, { status: 101, webSocket: page });
  }

  /**
   * What an isolate has, or a question with no bytes; "1" while somebody looks.
   * @param {Uint8Array} bytes
   */
  call(bytes) {
    const sockets = this.open();
    if (sockets.length === 0) return NO;
    if (bytes.byteLength > 0) for (const frame of this.framesOf(JSON.parse(decoder.decode(bytes)))) send(sockets, frame);
    return YES;
  }

  /** Sockets whose sign-in holds; the others are closed. */
  open() {
    const now = Date.now();
    return this.ctx.getWebSockets().filter((socket) => {
      const isOver = (socket.deserializeAttachment()?.until ?? 0) <= now;
      if (isOver) close(socket);
      return !isOver && socket.readyState === WebSocket.OPEN;
    });
  }

  /** @param {Feed} feed @returns {string[]} */
  framesOf({ seen = 0, events = [], rejects = [], warnings = [] }) {
    const second = Math.floor(Date.now() / 1000);
    if (second !== this.second.at) {
      this.rate = second === this.second.at + 1 ? this.second.seen : 0;
      this.second = { at: second, seen: 0, shown: 0 };
    }
    // So many that the rate of the second before would just fit, and never more than a second may have.
    const every = Math.max(1, Math.ceil(Math.max(this.rate, this.second.seen) / SHOWN_PER_SECOND));
    const shown = [];
    for (const event of events) {
      this.second.seen += 1;
      if (this.second.seen % every !== 0 || this.second.shown >= SHOWN_PER_SECOND) continue;
      this.second.shown += 1;
      shown.push(event);
    }
    // Those that the isolate did not even bring.
    this.second.seen += Math.max(0, seen - events.length);
    const rate = Math.max(this.rate, this.second.seen);
    const frames = [];
    if (shown.length > 0) {
      const sampled = Math.max(every, Math.ceil(rate / SHOWN_PER_SECOND), 1);
      frames.push(JSON.stringify({ kind: "events", events: shown, rate, sampled }));
    }
    for (const reject of rejects) frames.push(JSON.stringify({ kind: "reject", ...reject }));
    for (const warning of warnings) frames.push(JSON.stringify({ kind: "warning", ...warning }));
    return frames;
  }

  /** Rings when the next sign-in ends. One that has ended may be closing for long: its page is gone without a word. */
  async setAlarm() {
    const ends = this.open().map((socket) => socket.deserializeAttachment().until);
    if (ends.length > 0) await this.ctx.storage.setAlarm(Math.min(...ends));
  }

  async alarm() {
    await this.setAlarm();
  }

  /** A page says nothing but ping, which the platform answers. */
  webSocketMessage() {}

  /** @param {WebSocket} socket @param {number} code */
  webSocketClose(socket, code) {
    // 1005 and 1006 tell of a close without a code and may not be sent.
    try {
      socket.close(code === 1005 || code === 1006 ? 1000 : code);
    } catch {
      // It is closed.
    }
  }

  webSocketError() {}
}

/** @param {WebSocket} socket */
function close(socket) {
  try {
    socket.close(SIGNED_OUT, "the sign-in is over");
  } catch {
    // It is closed.
  }
}

/** @param {WebSocket[]} sockets @param {string} frame */
function send(sockets, frame) {
  for (const socket of sockets) {
    try {
      if (socket.bufferedAmount <= UNREAD_BYTES_MAX) socket.send(frame);
    } catch {
      // It went away; the platform tells webSocketClose.
    }
  }
}
