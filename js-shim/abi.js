// What js-shim and the core agree on. The C++ side is src/wasm/module.cpp (records) and
// include/hogflare/request.h (fields); tests/unit and tests/conformance hold both to it.

/** 32-bit words of an output record, by index. */
export const OUTPUT = {
  slot: 0,
  finished: 1,
  effects: 2,
  effectCount: 3,
  status: 4,
  headers: 5,
  headersSize: 6,
  body: 7,
  bodySize: 8,
  log: 9,
  logSize: 10,
  points: 11,
  pointsSize: 12,
  objects: 13,
  objectsSize: 14,
  objectsOf: 15,
  words: 16,
};

/** 32-bit words of an effect record, by index. */
export const EFFECT = {
  id: 0,
  kind: 1,
  a: 2,
  b: 3,
  c: 4,
  name: 5,
  nameSize: 6,
  bytes: 7,
  bytesSize: 8,
  words: 9,
};

export const EFFECT_KIND = {
  callObject: 0,
  sendRows: 1,
  readKv: 2,
  wait: 3,
  readAsset: 4,
  runQuery: 5,
  readCache: 6,
  writeCache: 7,
  putObject: 8,
  getObject: 9,
  listObjects: 10,
  deleteObjects: 11,
  changeKv: 12,
  fetchDocument: 13,
};

/** What changeKv does. */
export const KV_CHANGE = { put: 0, delete: 1, list: 2 };

/** Bits of hf_resume's outcome. */
export const OUTCOME = { ok: 1, shared: 2 };

/** Durable Object bindings by ObjectClass. */
export const OBJECT_BINDINGS = ["PERSONS", "GROUPS", "PERSON_ID_COUNTER", "OUTBOX", "COOKIELESS", "LIVE"];

/** Sinks by Stream: a binding wins over an endpoint. */
export const STREAMS = [
  {
    binding: "EVENTS_STREAM",
    endpoint: "CLOUDFLARE_PIPELINE_ENDPOINT",
    tokens: ["CLOUDFLARE_PIPELINE_AUTH_TOKEN"],
  },
  {
    binding: "PERSONS_STREAM",
    endpoint: "CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT",
    tokens: ["CLOUDFLARE_PERSONS_PIPELINE_AUTH_TOKEN", "CLOUDFLARE_PIPELINE_AUTH_TOKEN"],
  },
  {
    binding: "REJECTS_STREAM",
    endpoint: "CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT",
    tokens: ["CLOUDFLARE_REJECTS_PIPELINE_AUTH_TOKEN", "CLOUDFLARE_PIPELINE_AUTH_TOKEN"],
  },
  {
    binding: "DISTINCT_IDS_STREAM",
    endpoint: "CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT",
    tokens: ["CLOUDFLARE_DISTINCT_IDS_PIPELINE_AUTH_TOKEN", "CLOUDFLARE_PIPELINE_AUTH_TOKEN"],
  },
];

/** Request headers the core reads, in the order of the head, after method, path, query and the
 * body's state. */
export const HEAD_HEADERS = [
  "content-type",
  "content-encoding",
  "user-agent",
  "origin",
  "referer",
  "authorization",
  "x-posthog-signature",
  "x-hub-signature",
  "posthog-sdk-info",
  "posthog-attempt",
  "posthog-request-id",
  "posthog-request-timestamp",
  "cf-connecting-ip",
  "x-forwarded-for",
  "cf-ray",
  "access-control-request-headers",
  "access-control-request-method",
  "if-none-match",
  "sec-fetch-mode",
  "x-posthog-project-api-key",
];

/** Those of them that count where nearly all requests go; each look at a header has its price. */
const CAPTURE_HEADERS = ["content-type", "content-encoding", "origin", "cf-connecting-ip", "x-forwarded-for", "cf-ray"];
const SIGNATURE_HEADERS = ["x-posthog-signature", "x-hub-signature"];
const CAPTURE_PATH = /\/(?:e|batch|capture|track|engage)\/?$/;
/** What ends like one and is none. */
const OTHER_BATCH_PATH = /\/(?:flags|query)\//;
const only = (names) => HEAD_HEADERS.map((name) => (names.includes(name) ? name : null));
const HEAD_OF_CAPTURE = only(CAPTURE_HEADERS);
const HEAD_OF_SIGNED_CAPTURE = only([...CAPTURE_HEADERS, ...SIGNATURE_HEADERS]);

/**
 * The headers to look up for a request, in the order of the head; null: nobody asks for that one.
 * @param {string} method
 * @param {string} path
 * @param {boolean} isSigned whether signatures are checked
 * @returns {(string | null)[]}
 */
export function headersOf(method, path, isSigned) {
  const isCapture = method === "POST" && CAPTURE_PATH.test(path) && !OTHER_BATCH_PATH.test(path);
  if (!isCapture) return HEAD_HEADERS;
  return isSigned ? HEAD_OF_SIGNED_CAPTURE : HEAD_OF_CAPTURE;
}

/** Members of request.cf the core reads, in the order of the head, after the headers; the URL's scheme and
 * authority come last. The rows of include/hogflare/edge_info.h, in their order. */
export const HEAD_CF = [
  "country",
  "city",
  "continent",
  "latitude",
  "longitude",
  "postalCode",
  "regionCode",
  "region",
  "timezone",
  "asn",
  "asOrganization",
  "colo",
  "metroCode",
];

/** Paths of the console, below a prefix too. Their heads, and those of what may be the front page, have the address that was asked and these headers behind all
 * the rest. */
const CONSOLE_PATH = /\/app(?:\/|$)|\/api\/(?:projects|environments)\/|\/mcp\/?$/;
const CONSOLE_HEADERS = [
  "origin",
  "cookie",
  "x-hogflare-csrf",
  "sec-fetch-site",
  "if-match",
  "accept",
  "cf-access-jwt-assertion",
  "upgrade",
  "mcp-protocol-version",
];

/**
 * What the head of a console's request has besides; "" of any other.
 * @param {string} path
 * @param {Request} request
 */
export function consoleHeadOf(path, request) {
  // The front page is there below a prefix, too.
  const mayBeFront = request.method === "GET" && path.endsWith("/");
  if (!mayBeFront && !CONSOLE_PATH.test(path)) return "";
  let head = `${new URL(request.url).origin}\0`;
  for (const name of CONSOLE_HEADERS) head += `${request.headers.get(name) ?? ""}\0`;
  return head;
}

/** Bytes of a body the shim reads at all; the core's own limits by route are lower. */
export const BODY_BYTES_MAX = 25 * 1024 * 1024;
/** Bytes of large bodies that may be on their way into an isolate at once: one as large as any, and some. They
 * stand in its 128 MB beside the core's memory until the core has taken them over. */
export const READING_BYTES_MAX = 32 * 1024 * 1024;
