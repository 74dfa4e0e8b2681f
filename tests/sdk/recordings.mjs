// What the recordings of tests/golden hold, in the words of the matrix.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import * as zlib from "node:zlib";

const FOLDER = join(import.meta.dirname, "../golden");

/** The events' names in a recorded request; empty for what carries none. */
export function eventsOf({ path, headers, body }) {
  const { searchParams } = new URL(path, "http://x");
  const encoding = headers.find(([name]) => name === "content-encoding")?.[1];
  let bytes = Buffer.from(body, "base64");
  if (encoding === "br") bytes = zlib.brotliDecompressSync(bytes);
  else if (encoding === "zstd") bytes = zlib.zstdDecompressSync(bytes);
  else if (encoding === "deflate") bytes = zlib.inflateSync(bytes);
  else if (bytes[0] === 0x1f && bytes[1] === 0x8b) bytes = zlib.gunzipSync(bytes);
  let text = bytes.toString("utf8");
  if (text.startsWith("data=")) text = new URLSearchParams(text).get("data") ?? "";
  if (searchParams.get("compression") === "base64") text = Buffer.from(text, "base64").toString("utf8");
  if (text === "") return [];
  const found = JSON.parse(text);
  const events = Array.isArray(found) ? found : (found.batch ?? [found]);
  return events.map(({ event }) => event).filter((event) => event !== undefined);
}

const CAPABILITY_OF_EVENT = {
  $identify: "people",
  $create_alias: "people",
  $set: "people",
  $groupidentify: "groups",
  $exception: "exceptions",
};

/** "posthog-go-1.23.1-capture-v1" is the release 1.23.1 of posthog-go. */
function sdkOf(name) {
  const [, sdk, release] = /^(.*?)-(\d+\.\d+\.\d+)/.exec(name) ?? [];
  return `${sdk} ${release}`;
}

/** Every recording as {sdk, capabilities}. */
export function recordings() {
  return [...recordedCapture(), ...recordedFlags()];
}

function recordedFlags() {
  const folder = join(FOLDER, "flags");
  return readdirSync(folder)
    .sort()
    .map((name) => {
      const { isLocal } = JSON.parse(readFileSync(join(folder, name), "utf8"));
      return { sdk: sdkOf(name), capabilities: isLocal ? ["flags", "local flags"] : ["flags"] };
    });
}

function recordedCapture() {
  const names = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => {
    const { requests } = JSON.parse(readFileSync(join(FOLDER, name), "utf8"));
    const capabilities = new Set();
    for (const request of requests) {
      const events = eventsOf(request);
      if (events.length > 0) capabilities.add("capture");
      if (request.path.startsWith("/i/v1/")) capabilities.add("v1");
      for (const event of events) if (event in CAPABILITY_OF_EVENT) capabilities.add(CAPABILITY_OF_EVENT[event]);
    }
    return { sdk: sdkOf(name), capabilities: [...capabilities] };
  });
}
