// Dashboards and insights that are kept: JSON in KV, with versions.
import { api, call, team } from "./session";

export interface Listed {
  slug: string;
  name: string;
  updated_at?: string;
}
export interface Saved<T> {
  slug: string;
  document: T;
  etag: string | null;
}
export type DocumentKind = "dashboards" | "insights";

/** Answers are a list, or an object that holds one. */
export function listOf<T>(answer: unknown, key = "results"): T[] {
  if (Array.isArray(answer)) return answer as T[];
  const inner = (answer as Record<string, unknown> | null)?.[key] ?? (answer as Record<string, unknown> | null)?.["results"];
  return Array.isArray(inner) ? (inner as T[]) : [];
}

export const listDocuments = async (kind: DocumentKind): Promise<Listed[]> => listOf<Listed>(await api<unknown>(`documents/${kind}`));

export async function loadDocument<T>(kind: DocumentKind, slug: string): Promise<Saved<T>> {
  const response = await call(`/app/api/documents/${kind}/${encodeURIComponent(slug)}?team_id=${team()}`);
  const body = (await response.json()) as T & { document?: T; etag?: string };
  return { slug, document: body.document ?? body, etag: response.headers.get("etag") ?? body.etag ?? null };
}

export async function saveDocument(kind: DocumentKind, slug: string, document: unknown, etag: string | null): Promise<void> {
  await call(`/app/api/documents/${kind}/${encodeURIComponent(slug)}?team_id=${team()}`, {
    method: "PUT",
    body: document,
    headers: etag === null ? { "if-none-match": "*" } : { "if-match": etag },
  });
}

export async function removeDocument(kind: DocumentKind, slug: string, etag: string | null): Promise<void> {
  await call(`/app/api/documents/${kind}/${encodeURIComponent(slug)}?team_id=${team()}`, {
    method: "DELETE",
    headers: etag === null ? {} : { "if-match": etag },
  });
}

export function slugOf(name: string): string {
  const slug = name
    .toLowerCase()
    .normalize("NFKD")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 60);
  return slug === "" ? "untitled" : slug;
}
