// Static assets that the core answers with: posthog-js's scripts, and the console's files below a prefix. Anybody asks
// for them, some have 800 KB, and a reader may take minutes: what is sent is read again as it is taken, so that no
// answer stands in memory, and of those that the core looks at there are a few at a time.
import { KV_TIMEOUT_MS, noAnswerWithin, withTimeout } from "./results.js";
import { Room } from "./room.js";

/** What an asset has at most, roughly. */
const ASSET_BYTES = 1024 * 1024;
/** Bytes of assets on their way to the core at once. */
const READING_BYTES_MAX = 8 * ASSET_BYTES;
/** How long one waits for its room. */
const WAIT_MS = 10_000;
/** How often one looks for its room: what another request waits for wakes nobody here. */
const LOOK_MS = 10;
/** Smaller ones are answered as they were read. */
const LARGE_FROM = 16 * 1024;
/** Bytes that show where in an answer an asset stands. */
const MARK_BYTES = 64;

const NOTHING = new Uint8Array(0);
const reading = new Room(READING_BYTES_MAX);

/** @typedef {{name: string, size: number, mark: Uint8Array}} Asset what is remembered of one that was read */

/** @param {string} name @param {any} env @returns {Promise<Response>} */
function fetched(name, env) {
  return withTimeout(env.ASSETS.fetch(new URL(name, "https://assets.local")), KV_TIMEOUT_MS);
}

/**
 * @param {import("./core.js").Effect} effect
 * @param {any} env
 * @param {(asset: Asset) => void} note
 * @returns {Promise<import("./results.js").Result>}
 */
export async function readAsset({ name }, env, note) {
  if (env.ASSETS === undefined) return { ok: true, status: 404, retryAfterMs: 0, body: NOTHING };
  const until = Date.now() + WAIT_MS;
  while (!reading.has(ASSET_BYTES)) {
    if (Date.now() >= until) throw noAnswerWithin(WAIT_MS);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
  const place = reading.place();
  place.hold(ASSET_BYTES, 2 * KV_TIMEOUT_MS);
  try {
    const response = await fetched(name, env);
    const body = new Uint8Array(await withTimeout(response.arrayBuffer(), KV_TIMEOUT_MS));
    if (response.ok) note({ name, size: body.byteLength, mark: body.slice(0, MARK_BYTES) });
    return { ok: true, status: response.status, retryAfterMs: 0, body: response.ok ? body : NOTHING };
  } finally {
    place.end();
  }
}

/**
 * Whether an answer ends in an asset as it is, and that is large.
 * @param {import("./core.js").Output} output
 */
export function endsInAsset({ asset, body }) {
  if (asset === undefined || asset.size < LARGE_FROM) return false;
  const at = body.byteLength - asset.size;
  return at >= 0 && asset.mark.every((byte, i) => body[at + i] === byte);
}

/**
 * Such an answer's bytes, the asset's as they are taken; gives the body away.
 * @param {import("./core.js").Output} output
 * @param {any} env
 * @returns {Promise<ReadableStream>}
 */
export async function streamed(output, env) {
  const { name, size } = /** @type {Asset} */ (output.asset);
  const { readable, writable } = new FixedLengthStream(output.body.byteLength);
  const first = output.body.slice(0, output.body.byteLength - size);
  /** @type {ArrayBuffer} */ (output.body.buffer).transfer(0);
  const response = await fetched(name, env);
  if (!response.ok || response.body === null) throw new Error(`${name} is not there any more`);
  const write = async () => {
    if (first.byteLength > 0) {
      const writer = writable.getWriter();
      await writer.write(first);
      writer.releaseLock();
    }
    await response.body?.pipeTo(writable);
  };
  // A reader who has only a part must not take it for the whole: the connection breaks.
  write().catch((error) => writable.abort(error).catch(() => {}));
  return readable;
}
