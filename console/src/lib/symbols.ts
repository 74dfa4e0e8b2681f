// Frames of minified code in terms of the source, by the maps that posthog-cli uploaded. Loaded when a
// stack has such a frame. The file's form is that of PostHog's rust/common/symbol_data; docs/RECORDINGS.md.
import { originalPositionFor, sourceContentFor, TraceMap } from "@jridgewell/trace-mapping";
import { call, team } from "./session";

/** What a frame holds of its place; lines and columns count from 1. */
export interface Placed {
  chunk_id?: string;
  lineno?: number;
  line?: number;
  colno?: number;
  column?: number;
}
export interface Resolved {
  source: string;
  lineno: number;
  colno: number;
  pre_context: string[];
  context_line?: string;
  post_context: string[];
}

const MAGIC = "posthog_error_tracking";
const VERSION = 1;
const SOURCE_AND_MAP = 2;
/** Maps that stay in memory: each may have many megabytes. */
const KEPT_MAX = 8;
/** Different scripts that one stack is resolved with. */
const CHUNKS_MAX = 20;
const CONTEXT_LINES = 3;
const LINE_MAX = 300;

/** The JSON of the map in a symbol set's file; undefined when it holds none that is known. */
export function mapIn(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (from: number, size: number) => new TextDecoder().decode(bytes.subarray(from, from + size));
  let at = MAGIC.length;
  if (bytes.byteLength < at + 16 || text(0, at) !== MAGIC) return undefined;
  if (view.getUint32(at, true) !== VERSION || view.getUint32(at + 4, true) !== SOURCE_AND_MAP) return undefined;
  at += 8;
  const sourceBytes = Number(view.getBigUint64(at, true));
  at += 8 + sourceBytes;
  if (at + 8 > bytes.byteLength) return undefined;
  const mapBytes = Number(view.getBigUint64(at, true));
  if (at + 8 + mapBytes > bytes.byteLength) return undefined;
  return text(at + 8, mapBytes);
}

const kept = new Map<string, Promise<TraceMap | undefined>>();

async function load(chunk: string): Promise<TraceMap | undefined> {
  const response = await call(`/api/projects/${team()}/error_tracking/symbol_sets/${encodeURIComponent(chunk)}/content`);
  const map = mapIn(new Uint8Array(await response.arrayBuffer()));
  return map === undefined ? undefined : new TraceMap(map);
}

/** The chunk's map; undefined where there is none, or none that can be read. */
function mapOf(chunk: string): Promise<TraceMap | undefined> {
  const key = `${team()} ${chunk}`;
  const found = kept.get(key) ?? load(chunk).catch(() => undefined);
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
  return found;
}

function resolve(map: TraceMap, frame: Placed): Resolved | undefined {
  const [line, column] = [frame.lineno ?? frame.line, frame.colno ?? frame.column];
  if (!Number.isInteger(line) || !Number.isInteger(column) || line! < 1 || column! < 1) return undefined;
  const place = originalPositionFor(map, { line: line!, column: column! - 1 });
  if (place.source === null) return undefined;
  const lines = sourceContentFor(map, place.source)?.split("\n") ?? [];
  const some = (from: number, to: number) => lines.slice(Math.max(from, 0), Math.max(to, 0)).map((text) => text.slice(0, LINE_MAX));
  const at = place.line - 1;
  return {
    source: place.source,
    lineno: place.line,
    colno: place.column + 1,
    pre_context: some(at - CONTEXT_LINES, at),
    ...(lines[at] === undefined ? {} : { context_line: lines[at].slice(0, LINE_MAX) }),
    post_context: some(at + 1, at + 1 + CONTEXT_LINES),
  };
}

/** For each frame its place in the source, or undefined. */
export async function resolveFrames(frames: readonly Placed[]): Promise<(Resolved | undefined)[]> {
  const chunks = [...new Set(frames.map(({ chunk_id }) => chunk_id).filter((chunk) => typeof chunk === "string"))].slice(0, CHUNKS_MAX);
  const maps = new Map(await Promise.all(chunks.map(async (chunk) => [chunk, await mapOf(chunk)] as const)));
  return frames.map((frame) => {
    const map = frame.chunk_id === undefined ? undefined : maps.get(frame.chunk_id);
    return map === undefined ? undefined : resolve(map, frame);
  });
}
