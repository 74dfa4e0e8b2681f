import { effect, signal } from "@preact/signals";
import { setZone } from "./format";
import { BASE, route } from "./router";

export interface Project {
  team_id: number;
  name: string;
  token_last4: string;
  token?: string;
  time_zone?: string;
}
export interface Capabilities {
  sql: boolean;
  free_sql: boolean;
  flags_kv: boolean;
  documents: boolean;
  recordings: boolean;
  live: boolean;
  demo: boolean;
}
export interface Session {
  role: "admin" | "viewer";
  expires_at: string;
  /** Who Cloudflare Access says it is. */
  who?: string | null;
  csrf: string;
  projects: Project[];
  time_zone: string;
  version: string;
  capabilities: Capabilities;
}

export const session = signal<Session | null>(null);
/** The sign-in ended while a page was open; the page stays. */
export const signedOut = signal(false);

/** The Worker's own addresses stand beside the application, below the same prefix. */
const ROOT = BASE.slice(0, -"/app".length);

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly body: Record<string, unknown> = {},
    readonly etag: string | null = null,
  ) {
    super(detail);
  }
}

interface Call {
  method?: string;
  body?: unknown;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** Throws Refused for every answer that is not 2xx, and for none at all (status 0). */
export async function call(path: string, { method = "GET", body, signal: stop, headers = {} }: Call = {}): Promise<Response> {
  const sent: Record<string, string> = { accept: "application/json", ...headers };
  if (body !== undefined) sent["content-type"] = "application/json";
  const csrf = session.peek()?.csrf;
  if (csrf !== undefined && method !== "GET") sent["x-hogflare-csrf"] = csrf;
  let response: Response;
  try {
    response = await fetch(ROOT + path, {
      method,
      headers: sent,
      body: body === undefined ? null : JSON.stringify(body),
      signal: stop ?? null,
      credentials: "same-origin",
      cache: "no-store",
    });
  } catch (fault) {
    if (stop?.aborted) throw fault;
    throw new Refused(0, "no_answer", "The Worker did not answer. Is this machine connected?");
  }
  if (response.ok) return response;
  let told: Record<string, unknown> = {};
  try {
    told = (await response.json()) as Record<string, unknown>;
  } catch {
    // What answered was no Worker of ours, or it had no words.
  }
  const code = String(told["code"] ?? `http_${response.status}`);
  if (response.status === 401 && code !== "wrong_token" && session.peek() !== null) signedOut.value = true;
  const detail = String(told["detail"] ?? told["error"] ?? `The Worker answered ${response.status} without saying why.`);
  throw new Refused(response.status, code, detail, told, response.headers.get("etag"));
}

export async function callJson<T>(path: string, options: Call = {}): Promise<T> {
  return (await (await call(path, options)).json()) as T;
}

/** A GET of /app/api for the project that is looked at. */
export function api<T>(path: string, options: Call = {}): Promise<T> {
  const join = path.includes("?") ? "&" : "?";
  return callJson<T>(`/app/api/${path}${join}team_id=${team()}`, options);
}

export const team = () => project()?.team_id ?? 1;
export function project(): Project | undefined {
  const all = session.value?.projects ?? [];
  return all.find((one) => one.team_id === route.value.team) ?? all[0];
}
export const isAdmin = () => session.value?.role === "admin";
export const can = (what: keyof Capabilities) => session.value?.capabilities[what] === true;

function take(next: Session): void {
  session.value = next;
  signedOut.value = false;
}

effect(() => {
  const zone = project()?.time_zone ?? session.value?.time_zone;
  if (zone !== undefined) setZone(zone);
});

/** False when nobody is signed in. */
export async function openSession(): Promise<boolean> {
  try {
    take(await callJson<Session>("/app/api/session"));
    return true;
  } catch (fault) {
    if (fault instanceof Refused && fault.status === 401) return false;
    throw fault;
  }
}

export async function signIn(token: string): Promise<void> {
  take(await callJson<Session>("/app/api/session", { method: "POST", body: { token } }));
}

export async function signOut(): Promise<void> {
  await call("/app/api/session", { method: "DELETE" });
  session.value = null;
  location.assign(`${BASE}/`);
}
