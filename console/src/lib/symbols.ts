// Frames of minified code in terms of the source, by the maps that posthog-cli uploaded. Loaded when a
// stack has such a frame. The file's form is that of PostHog's rust/common/symbol_data; docs/RECORDINGS.md.
import { originalPositionFor, sourceContentFor, TraceMap } from "@jridgewell/trace-mapping";
import { sourceName } from "./names";
import { call, team } from "./session";

/** What a frame holds of its place; lines and columns count from 1. */
export interface Placed {
  chunk_id?: string;
  function?: string;
  lineno?: number;
  line?: number;
  colno?: number;
  column?: number;
}
export interface Resolved {
  /** What the function was called; absent where the map does not lead to it, or it was called so. */
  resolved_name?: string;
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

/** The minified text and the JSON of its map in a symbol set's file; undefined when it holds none that is known. */
export function setIn(bytes: Uint8Array): { text: string; map: string } | undefined {
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
  return { text: text(at - sourceBytes, sourceBytes), map: text(at + 8, mapBytes) };
}

interface Symbols {
  map: TraceMap;
  text: string;
}
const kept = new Map<string, Promise<Symbols | undefined>>();

async function load(chunk: string): Promise<Symbols | undefined> {
  const response = await call(`/api/projects/${team()}/error_tracking/symbol_sets/${encodeURIComponent(chunk)}/content`);
  const set = setIn(new Uint8Array(await response.arrayBuffer()));
  return set === undefined ? undefined : { map: new TraceMap(set.map), text: set.text };
}

/** The chunk's map; undefined where there is none, or none that can be read. */
function mapOf(chunk: string): Promise<Symbols | undefined> {
  const key = `${team()} ${chunk}`;
  const found = kept.get(key) ?? load(chunk).catch(() => undefined);
  kept.delete(key);
  kept.set(key, found);
  if (kept.size > KEPT_MAX) kept.delete(kept.keys().next().value!);
  return found;
}

function resolve({ map, text }: Symbols, frame: Placed): Resolved | undefined {
  const [line, column] = [frame.lineno ?? frame.line, frame.colno ?? frame.column];
  if (!Number.isInteger(line) || !Number.isInteger(column) || line! < 1 || column! < 1) return undefined;
  const place = originalPositionFor(map, { line: line!, column: column! - 1 });
  if (place.source === null) return undefined;
  const lines = sourceContentFor(map, place.source)?.split("\n") ?? [];
  const some = (from: number, to: number) => lines.slice(Math.max(from, 0), Math.max(to, 0)).map((one) => one.slice(0, LINE_MAX));
  const at = place.line - 1;
  const name = frame.function === undefined ? undefined : sourceName(map, text, frame.function, line!, column! - 1);
  return {
    ...(name === undefined ? {} : { resolved_name: name }),
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
    const symbols = frame.chunk_id === undefined ? undefined : maps.get(frame.chunk_id);
    return symbols === undefined ? undefined : resolve(symbols, frame);
  });
}
