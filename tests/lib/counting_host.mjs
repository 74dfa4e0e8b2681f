// A host before a Worker that notes every request a browser sends to it: preflights and beacons of a page
// that is being left too, which the browser's own tools do not tell.
//
//   const host = await startCountingHost(system.url);
//   await page.goto(…);                  // with host.url for api_host
//   host.requests;                       // [{method, path, body}] in order of arrival
import { createServer, request as forward } from "node:http";

/** @param {string} target the Worker's address */
export async function startCountingHost(target) {
  /** @type {{method: string, path: string, body: Buffer}[]} */
  const requests = [];
  const { hostname, port } = new URL(target);
  const server = createServer((incoming, outgoing) => {
    const chunks = [];
    incoming.on("data", (chunk) => chunks.push(chunk));
    // A client that goes away while it sends has asked nothing.
    incoming.on("error", () => outgoing.destroy());
    incoming.on("end", () => {
      const body = Buffer.concat(chunks);
      requests.push({ method: incoming.method ?? "", path: incoming.url ?? "", body });
      const onward = forward({ hostname, port, method: incoming.method, path: incoming.url, headers: incoming.headers }, (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(outgoing);
      });
      onward.on("error", () => outgoing.destroy());
      onward.end(body);
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const address = /** @type {import("node:net").AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    stop: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(done));
    },
  };
}
