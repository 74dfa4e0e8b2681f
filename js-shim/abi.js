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
  words: 13,
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

export const EFFECT_KIND = { callObject: 0, sendRows: 1, readKv: 2, wait: 3 };

/** Durable Object bindings by ObjectClass. */
export const OBJECT_BINDINGS = ["PERSONS", "GROUPS", "PERSON_ID_COUNTER", "OUTBOX"];

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
];

const isPreflight = (method) => method === "OPTIONS";
const isCaptureV1 = (_, path) => path.includes("/i/v1/");
const isNotCaptureV0 = (method, path) => method !== "POST" || !CAPTURE_V0.test(path) || path.includes("/flags/");
const CAPTURE_V0 = /\/(?:e|batch|capture|track|i\/v0\/e|engage|s)\/?$/;

/**
 * Request headers the core reads, in the order of the head, after method, path, query and the body's
 * state. `when` says which requests have a use for one: each look costs half a microsecond.
 * @type {{name: string, when?: (method: string, path: string) => boolean}[]}
 */
export const HEAD_HEADERS = [
  { name: "content-type" },
  { name: "content-encoding" },
  { name: "user-agent" },
  { name: "origin" },
  { name: "referer", when: isNotCaptureV0 },
  { name: "authorization", when: isNotCaptureV0 },
  { name: "x-posthog-signature" },
  { name: "x-hub-signature" },
  { name: "posthog-sdk-info", when: isCaptureV1 },
  { name: "posthog-attempt", when: isCaptureV1 },
  { name: "posthog-request-id", when: isCaptureV1 },
  { name: "posthog-request-timestamp", when: isCaptureV1 },
  { name: "cf-connecting-ip" },
  { name: "x-forwarded-for" },
  { name: "cf-ray" },
  { name: "access-control-request-headers", when: isPreflight },
  { name: "access-control-request-method", when: isPreflight },
  { name: "if-none-match", when: isNotCaptureV0 },
  { name: "sec-fetch-mode", when: isNotCaptureV0 },
];

/** Members of request.cf the core reads, in the order of the head, after the headers. */
export const HEAD_CF = [
  "country",
  "continent",
  "city",
  "region",
  "regionCode",
  "postalCode",
  "latitude",
  "longitude",
  "timezone",
  "metroCode",
  "isEUCountry",
  "asn",
  "asOrganization",
  "colo",
];

/** Bytes of a body the shim reads at all; the core's own limits by route are lower. */
export const BODY_BYTES_MAX = 25 * 1024 * 1024;
