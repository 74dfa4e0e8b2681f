// A question in an address: version digit, then base64url of the deflated JSON.

const memory = new Map<string, unknown>();
export const PACKED_BYTES_MAX = 6_144;

async function through(bytes: Uint8Array<ArrayBuffer>, stream: GenericTransformStream): Promise<Uint8Array> {
  const piped = new Blob([bytes]).stream().pipeThrough(stream as ReadableWritablePair<Uint8Array, Uint8Array>);
  return new Uint8Array(await new Response(piped).arrayBuffer());
}

export async function pack(value: unknown): Promise<string> {
  const bytes = await through(new TextEncoder().encode(JSON.stringify(value)), new CompressionStream("deflate-raw"));
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  const packed = `1.${btoa(text).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "")}`;
  memory.set(packed, value);
  return packed;
}

/** What was packed or unpacked before, at once. */
export function remembered(packed: string): unknown {
  return memory.get(packed);
}

/** Throws on what is no packed JSON. */
export async function unpack(packed: string): Promise<unknown> {
  if (memory.has(packed)) return memory.get(packed);
  if (!packed.startsWith("1.") || packed.length > 4 * PACKED_BYTES_MAX) throw new Error("unknown version");
  const text = atob(packed.slice(2).replace(/-/g, "+").replace(/_/g, "/"));
  const bytes = Uint8Array.from(text, (c) => c.charCodeAt(0));
  const plain = await through(bytes, new DecompressionStream("deflate-raw"));
  const value: unknown = JSON.parse(new TextDecoder().decode(plain));
  memory.set(packed, value);
  return value;
}
