// Stands where PostHog's SDK test harness has its mock server, between an SDK and that server: the mock
// server sees every request and keeps it for the harness's assertions; what it would answer as a matter of
// course is answered by the product instead. Answers that a scenario ordered stay the mock server's.
//
//   const forwarder = await startForwarder({ mock: "http://127.0.0.1:8081", product: system.url });
//   forwarder.counts   // { product, ordered, refused }
import { createServer, request as send } from "node:http";

const CAPTURE = /^\/(batch|e|i\/v0\/e|i\/v0\/ai\/batch|i\/v1\/analytics\/events|capture|track)\/?$/;
const FLAGS = /^\/flags\/?$/;
// What a connection sets itself; the product's answers may come packed.
const OF_THE_CONNECTION = new Set(["host", "connection", "content-length", "transfer-encoding", "accept-encoding", "keep-alive"]);

/** Whether the mock server says no more than that all is well. */
function isMatterOfCourse(path, status, text) {
  if (status !== 200 && status !== 204) return false;
  if (FLAGS.test(path)) return Object.keys(JSON.parse(text).featureFlags ?? {}).length === 0;
  const { results } = text === "" ? {} : JSON.parse(text);
  return Object.values(results ?? {}).every(({ result }) => result === "ok");
}

/**
 * The same request to another server, on a connection of its own: the mock server closes those it has answered.
 * @returns {Promise<{status: number, headers: [string, string][], bytes: Buffer}>}
 */
function pass(origin, request, body) {
  const kept = Object.entries(request.headers).filter(([name]) => !OF_THE_CONNECTION.has(name));
  const { hostname, port } = new URL(origin);
  return new Promise((done, fail) => {
    const onward = send(
      { hostname, port, agent: false, method: request.method, path: request.url, headers: Object.fromEntries(kept) },
      async (response) => {
        const parts = [];
        for await (const part of response) parts.push(part);
        const headers = /** @type {[string, string][]} */ (Object.entries(response.headers));
        done({ status: response.statusCode ?? 500, headers, bytes: Buffer.concat(parts) });
      },
    );
    onward.once("error", fail);
    onward.end(body);
  });
}

/** @param {{mock: string, product: string, port?: number}} settings */
export async function startForwarder({ mock, product, port = 0 }) {
  const counts = { product: 0, ordered: 0, refused: 0 };
  const server = createServer(async (request, response) => {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = Buffer.concat(parts);
    let answer = await pass(mock, request, body);
    const { pathname } = new URL(request.url ?? "", "http://x");
    if ((CAPTURE.test(pathname) || FLAGS.test(pathname)) && request.method === "POST") {
      const own = await pass(product, request, body);
      const isGood = own.status === 200 || own.status === 204;
      const text = answer.bytes.toString();
      if (!isGood) {
        counts.refused += 1;
        console.error(`refused: ${request.url}: ${own.status} ${own.bytes} for ${body}`);
      }
      // A refusal is shown to the SDK even where the mock server would not: the scenario then fails.
      if (isMatterOfCourse(pathname, answer.status, text) || (answer.status === 200 && !isGood)) {
        counts.product += 1;
        answer = own;
      } else {
        counts.ordered += 1;
      }
    }
    const headers = {};
    for (const [name, value] of answer.headers) {
      if (!OF_THE_CONNECTION.has(name)) headers[name] = value;
    }
    response.writeHead(answer.status, headers).end(answer.status === 204 ? undefined : answer.bytes);
  });
  await new Promise((done) => server.listen(port, "127.0.0.1", () => done(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${address.port}`, counts, stop: () => server.close() };
}
