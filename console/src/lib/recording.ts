// A recording as it is read from the Worker: lines of parts, from the bucket and from the tables, turned
// into rrweb's events by window. docs/RECORDINGS.md, "Reading and removing".
import { call, team } from "./session";

export interface RrwebEvent {
  type: number;
  timestamp: number;
  data: any;
}

/** What a line may be: a part whole, or a piece of one that was cut into rows. */
interface Line {
  window_id: string | null;
  uuid: string;
  data?: unknown;
  chunk_index?: number;
  chunk_count?: number;
  text?: string;
}

type PackedEvent = RrwebEvent & { cv?: string; windowId?: string };

async function inflated(text: string): Promise<unknown> {
  const stream = new Blob([Uint8Array.from(text, (c) => c.charCodeAt(0))]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

/** posthog-js packs the large parts of an event by gzip into a text of bytes. */
async function unpacked(event: PackedEvent): Promise<RrwebEvent> {
  if (event.cv === undefined) return event;
  const data: any = typeof event.data === "string" ? await inflated(event.data) : { ...event.data };
  for (const key of ["texts", "attributes", "removes", "adds", "styles"])
    if (typeof data[key] === "string") data[key] = await inflated(data[key]);
  return { type: event.type, timestamp: event.timestamp, data };
}

export class Recording {
  /** Events by window, each list in the order of time. */
  readonly windows = new Map<string, RrwebEvent[]>();
  unreadable = 0;
  private readonly seen = new Set<string>();
  private readonly pieces = new Map<string, string[]>();

  /** Parts whose pieces have not all come. */
  get incomplete(): number {
    return this.pieces.size;
  }
  get size(): number {
    return [...this.windows.values()].reduce((sum, events) => sum + events.length, 0);
  }
  /** The window with the most to see, of those that can be drawn. */
  get main(): string | undefined {
    const drawable = [...this.windows].filter(([, events]) => events.some(({ type }) => type === 2));
    return drawable.sort((a, b) => b[1].length - a[1].length)[0]?.[0];
  }

  /** Adds what a line says; its events by window. */
  async add(text: string): Promise<Map<string, RrwebEvent[]>> {
    const added = new Map<string, RrwebEvent[]>();
    try {
      const line = JSON.parse(text) as Line;
      const items = this.itemsOf(line);
      for (const item of items) await this.take(item as PackedEvent, line.window_id ?? "", added);
    } catch {
      this.unreadable += 1;
    }
    for (const [id, events] of added) {
      const all = this.windows.get(id) ?? [];
      const isBehind = (all.at(-1)?.timestamp ?? 0) <= events[0]!.timestamp;
      all.push(...events);
      if (!isBehind || events.length > 1) all.sort((a, b) => a.timestamp - b.timestamp);
      this.windows.set(id, all);
    }
    return added;
  }

  private async take(item: PackedEvent, window: string, added: Map<string, RrwebEvent[]>): Promise<void> {
    try {
      const event = await unpacked(item);
      if (typeof event.type !== "number" || typeof event.timestamp !== "number") throw new TypeError("no event of rrweb's");
      const id = item.windowId ?? window;
      added.set(id, [...(added.get(id) ?? []), event]);
    } catch {
      this.unreadable += 1;
    }
  }

  private itemsOf(line: Line): unknown[] {
    if (this.seen.has(line.uuid)) return [];
    let { data } = line;
    if (line.text !== undefined) {
      const count = line.chunk_count ?? 1;
      const key = `${line.uuid}/${count}`;
      const pieces = this.pieces.get(key) ?? [];
      pieces[line.chunk_index ?? 0] = line.text;
      this.pieces.set(key, pieces);
      if (pieces.length !== count || Object.keys(pieces).length !== count) return [];
      this.pieces.delete(key);
      data = JSON.parse(pieces.join(""));
    }
    this.seen.add(line.uuid);
    return Array.isArray(data) ? data : [data];
  }
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest: string[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    const [first = "", ...others] = (value ?? "").split("\n");
    rest.push(first);
    for (const next of others) {
      const line = rest.join("");
      rest = [next];
      if (line !== "") yield line;
    }
    if (!done) continue;
    if (rest.join("").trim() !== "") yield rest.join("");
    return;
  }
}

/** The lines of a session's recording, part after part; neither end has all of it in memory. */
export async function* readRecording(session: string, stop: AbortSignal): AsyncGenerator<string> {
  const address = `/api/projects/${team()}/session_recordings/${encodeURIComponent(session)}/snapshots`;
  for (let next: string | null = ""; next !== null; ) {
    const query: string = next === "" ? "" : `?after=${encodeURIComponent(next)}`;
    const response: Response = await call(address + query, { signal: stop, headers: { accept: "application/jsonl" } });
    if (response.body !== null) yield* linesOf(response.body);
    next = response.headers.get("x-hogflare-next");
  }
}
