// A server that takes what any PostHog SDK sends, answers so that the SDK is content, and keeps every
// request's head and bytes. For recording golden requests; a browser may use it too: CORS is open.
//
//   const recorder = await startRecorder();
//   … point an SDK at recorder.url and let it send …
//   const { requests } = await recorder.stop();   // [{ method, path, headers, body }], body in base64
import { createServer } from "node:http";

/** Headers that a connection sets itself. */
export const OF_THE_CONNECTION = new Set([
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "expect",
  "accept-encoding",
  "keep-alive",
  "upgrade",
  "http2-settings",
]);

/** What a request is answered, by the start of its path. @param {string} path */
function answerOf(path) {
  if (path.startsWith("/i/v1/analytics/events")) return { results: {} };
  if (path.startsWith("/flags/definitions") || path.startsWith("/api/feature_flag/")) {
    return { flags: [], group_type_mapping: {}, cohorts: {} };
  }
  if (path.startsWith("/flags") || path.startsWith("/decide")) {
    return { flags: {}, featureFlags: {}, featureFlagPayloads: {}, errorsWhileComputingFlags: false };
  }
  if (path.startsWith("/array/")) {
    return {
      hasFeatureFlags: false,
      supportedCompression: ["gzip", "gzip-js"],
      sessionRecording: false,
      surveys: false,
      heatmaps: false,
      capturePerformance: false,
      autocaptureExceptions: false,
      siteApps: [],
    };
  }
  return { status: 1 };
}

/** @param {import("node:http").IncomingMessage} request */
function corsHeaders(request) {
  const { origin } = request.headers;
  if (origin === undefined) return {};
  return {
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-allow-methods": "GET, POST, OPTIONS",
    "access-control-allow-headers": request.headers["access-control-request-headers"] ?? "*",
  };
}

/** Header names and values as they came, in their order. @param {string[]} raw */
function pairs(raw) {
  const list = [];
  for (let i = 0; i + 1 < raw.length; i += 2) list.push([raw[i].toLowerCase(), raw[i + 1]]);
  return list;
}

/**
 * A server that hands every request on to `target` and keeps it, with the path, status and body of what was
 * answered.
 * @param {string} target
 */
export async function startRelay(target) {
  const exchanges = [];
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    const path = request.url ?? "/";
    const headers = pairs(request.rawHeaders);
    const sent = headers.filter(([name]) => !OF_THE_CONNECTION.has(name));
    const answer = await fetch(target + path, {
      method: request.method,
      headers: /** @type {[string, string][]} */ (sent),
      body: body.length > 0 ? body : undefined,
    });
    const text = await answer.text();
    exchanges.push({
      request: { method: request.method, path, headers, body: body.toString("base64") },
      status: answer.status,
      text,
    });
    const type = answer.headers.get("content-type");
    const etag = answer.headers.get("etag");
    response.writeHead(answer.status, { ...(type && { "content-type": type }), ...(etag && { etag }) });
    response.end(text);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${port}`,
    exchanges,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Starts on a free port of the loopback interface, or on `port`. */
export async function startRecorder({ port = 0 } = {}) {
  const requests = [];
  const server = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const path = request.url ?? "/";
      if (request.method !== "OPTIONS") {
        requests.push({
          method: request.method,
          path,
          headers: pairs(request.rawHeaders),
          body: Buffer.concat(chunks).toString("base64"),
        });
      }
      // posthog-js asks for the config itself when there is no script of it.
      const isScript = /\.js(\?|$)/.test(path);
      response.writeHead(isScript ? 404 : 200, { "content-type": "application/json", ...corsHeaders(request) });
      response.end(JSON.stringify(answerOf(path)));
    });
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", () => done(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    stop: () =>
      new Promise((done) => {
        server.close(() => done({ requests }));
        server.closeAllConnections();
      }),
  };
}
