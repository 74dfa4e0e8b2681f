// A brake on one client: requests of an address over the bound limit are answered before the core sees them.
// Without the binding nothing is limited (docs/adr/0006-rate-limit.md).

/** An operator's paths ask for a key, and answer themselves: below the prefix, and the whole of it, for a flag or a project may be
 * called "metrics" or "app". */
const OPERATORS_PATH =
  /^\/+(?:(?:healthz|metrics|mcp)\/*|(?:admin|app)\/.*|api\/(?:projects|environments)\/[^/]+\/(?:session_recordings|error_tracking)(?:\/.*)?)$/;

/** @param {string} url @param {unknown} variable HOGFLARE_PATH_PREFIX, as the core reads it */
function isOperators(url, variable) {
  const path = new URL(url).pathname.replace(/^\/+/, "/");
  const prefix = `/${String(variable ?? "").replace(/^\/|\/+$/g, "")}`;
  const isBelow = prefix !== "/" && path.startsWith(`${prefix}/`);
  return OPERATORS_PATH.test(isBelow ? path.slice(prefix.length) : path);
}

const METRIC = "hogflare_rate_limited_total";
const METRICS_PATH = /\/metrics\/?$/;

/** The limit's period is 10 s, so that a client waits half of one on average. */
const RETRY_AFTER_SECONDS = "5";

/** As PostHog's API says it, which its server SDKs read. */
const BODY = JSON.stringify({ type: "validation_error", code: "rate_limit_exceeded", detail: "Rate limit exceeded", attr: null });

/** Requests this isolate has sent away. */
let limitedCount = 0;

/** An address as it is limited: of IPv6 the network of 64 bits, which one client has as a whole. @param {string} address */
export function clientOf(address) {
  if (!address.includes(":")) return address;
  const [head, tail] = address.split("::");
  const groups = head === "" ? [] : head.split(":");
  if (tail !== undefined) while (groups.length + (tail === "" ? 0 : tail.split(":").length) < 8) groups.push("0");
  return [...groups, ...(tail ?? "").split(":")]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":");
}

/**
 * The answer of a client that is over its limit, or undefined.
 * @param {Request} request
 * @param {any} env
 * @param {() => Headers} headersFor what lets a page read the answer
 * @returns {Promise<Response | undefined>}
 */
export async function overLimit(request, env, headersFor) {
  const address = request.headers.get("cf-connecting-ip");
  if (address === null || request.method === "OPTIONS" || isOperators(request.url, env.HOGFLARE_PATH_PREFIX)) return undefined;
  try {
    if ((await env.CLIENT_RATE_LIMIT.limit({ key: clientOf(address) })).success) return undefined;
  } catch (error) {
    // Events are worth more than the limit.
    console.error(JSON.stringify({ level: "error", event: "rate_limit_failed", message: String(error) }));
    return undefined;
  }
  limitedCount += 1;
  env.ANALYTICS?.writeDataPoint({ indexes: [METRIC], blobs: [METRIC], doubles: [1] });
  // Without an address: it would be a person's.
  if ((limitedCount & (limitedCount - 1)) === 0)
    console.warn(JSON.stringify({ level: "warn", event: "rate_limited", requests: limitedCount }));
  // A client that is still sending would see a broken connection instead of the answer.
  await request.body?.pipeTo(new WritableStream());
  const headers = headersFor();
  headers.set("content-type", "application/json");
  headers.set("retry-after", RETRY_AFTER_SECONDS);
  return new Response(BODY, { status: 429, headers });
}

/**
 * Adds what /metrics says of it, in Prometheus' text format, to the core's answer.
 * @param {import("./core.js").Output} output
 * @param {Request} request
 */
export function withLimitsMetrics(output, request) {
  if (output.status !== 200 || output.body.byteLength === 0 || !METRICS_PATH.test(new URL(request.url).pathname)) return;
  const more = new TextEncoder().encode(
    `# HELP ${METRIC} Requests sent away with 429 by CLIENT_RATE_LIMIT.\n# TYPE ${METRIC} counter\n${METRIC} ${limitedCount}\n`,
  );
  const body = new Uint8Array(output.body.byteLength + more.byteLength);
  body.set(output.body);
  body.set(more, output.body.byteLength);
  output.body = body;
}
