// The socket of what arrives now.
import { BASE } from "./router";
import { team } from "./session";

export interface LiveEvent {
  at: string;
  event: string;
  distinct_id: string;
  uuid: string;
  url?: string;
  screen?: string;
  lib?: string;
  lib_version?: string;
  state: "landed" | "waiting" | "rejected" | "quarantined";
  properties: Record<string, unknown>;
  warnings?: unknown[];
  [more: string]: unknown;
}
export interface LiveReject {
  at: string;
  reason: string;
  detail?: string;
  token_last4?: string;
  event?: string;
  [more: string]: unknown;
}

export interface LiveHandlers {
  onEvents?: (batch: { events: LiveEvent[]; rate?: number; sampled?: number }) => void;
  onReject?: (reject: LiveReject) => void;
  onWarning?: (warning: Record<string, unknown>) => void;
  onState?: (state: "open" | "lost") => void;
}

const RETRY_MS = [1_000, 2_000, 5_000, 10_000];

/** Opens the socket and opens it again whenever it closes; returns what ends it. */
export function liveSocket(handlers: LiveHandlers): () => void {
  let socket: WebSocket | null = null;
  let ended = false;
  let tries = 0;
  let timer = 0;
  const open = () => {
    const address = new URL(`${BASE}/api/live?team_id=${team()}`, location.href);
    address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(address);
    socket.onopen = () => {
      tries = 0;
      handlers.onState?.("open");
    };
    socket.onmessage = ({ data }) => {
      if (typeof data !== "string") return;
      let frame: Record<string, unknown>;
      try {
        frame = JSON.parse(data) as Record<string, unknown>;
      } catch {
        return;
      }
      if (frame["kind"] === "events") handlers.onEvents?.(frame as unknown as { events: LiveEvent[] });
      else if (frame["kind"] === "reject") handlers.onReject?.(frame as unknown as LiveReject);
      else if (frame["kind"] === "warning") handlers.onWarning?.(frame);
    };
    socket.onclose = () => {
      if (ended) return;
      handlers.onState?.("lost");
      timer = window.setTimeout(open, RETRY_MS[Math.min(tries, RETRY_MS.length - 1)]);
      tries += 1;
    };
  };
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    socket?.close();
  };
}
