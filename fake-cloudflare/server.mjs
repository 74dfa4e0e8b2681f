// A stand-in for Cloudflare's API, for tests and for trying the command without an account.
//
//   const cloud = await startCloudflare();
//   … CLOUDFLARE_API_BASE_URL: cloud.api, CLOUDFLARE_ACCOUNT_ID: cloud.account, CLOUDFLARE_API_TOKEN: cloud.token
//   cloud.state.streams; cloud.requests; cloud.faults.push({ method: "PUT", path: /scripts/, status: 500, times: 1 });
//   await cloud.stop();
//
// What is refused, and how, is in docs of the routes' files; README.md lists what there is.
import { createServer } from "node:http";
import { accountRoutes, addToken } from "./accounts.mjs";
import { analyticsRoutes } from "./analytics.mjs";
import { bucketRoutes } from "./buckets.mjs";
import { createEdge } from "./edge.mjs";
import { envelope, hexId, Raw, Refusal, refusalEnvelope, router } from "./http.mjs";
import { kvRoutes } from "./kv.mjs";
import { pipelineRoutes } from "./pipelines.mjs";
import { createTails } from "./tail.mjs";
import { workerRoutes } from "./workers.mjs";

const API = "/client/v4";

function newState(account) {
  return {
    account: {
      id: hexId(),
      name: "Stand-in",
      paid: true,
      r2: true,
      subdomain: "operator",
      zone: hexId(),
      keyValueObjects: false,
      ...account,
    },
    tokens: [],
    buckets: [],
    catalogs: [],
    objects: {},
    burntTables: [],
    streams: [],
    sinks: [],
    pipelines: [],
    kv: [],
    scripts: [],
    domains: [],
    zones: [],
    dns: [],
    assetJwts: new Map(),
    assetFiles: new Map(),
    takenSubdomains: [],
    // Not documented whether names are unique: tests run with both.
    uniqueNames: true,
  };
}

/** The token of a request; the refusals are those of P-5.1. */
function authenticate(state, groups, { headers, path }) {
  const value = /^Bearer (.+)$/.exec(headers.authorization ?? "")?.[1];
  if (groups === null) return undefined;
  if (value === undefined) throw new Refusal(400, 9106, "Missing X-Auth-Key, X-Auth-Email or Authorization headers");
  const token = state.tokens.find((each) => each.value === value && each.status === "active");
  if (token === undefined) {
    if (path.endsWith("/tokens/verify")) throw new Refusal(401, 1000, "Invalid API Token");
    throw new Refusal(403, 9109, "Unauthorized to access requested resource");
  }
  const pipelines = groups.includes("Pipelines Write");
  const allowed = groups.length === 0 || groups.some((group) => token.groups.includes(group));
  if (pipelines && !(allowed && token.groups.includes("Workers Scripts Write"))) throw new Refusal(403, 100, "Forbidden");
  if (!allowed) throw new Refusal(403, 10000, "Authentication error");
  return token;
}

async function readBody(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

const isJson = (body) => body.length > 0 && (body[0] === 0x7b || body[0] === 0x5b);

/**
 * @param {{port?: number, account?: object, edge?: boolean, forward?: (stream: string, rows: object[]) => Promise<void>,
 *   query?: (sql: string) => Promise<object[]>}} options `forward` and `query` reach an engine for the rows
 */
export async function startCloudflare({ port = 0, account = {}, edge = true, forward, query } = {}) {
  const state = newState(account);
  const cloud = { state, forward, query, requests: [], faults: [], before: undefined, after: undefined, url: "" };
  const server = createServer((request, response) =>
    answer(request, response).catch((error) => {
      console.error(error);
      response.writeHead(500).end();
    }),
  );
  await new Promise((done) => server.listen(port, "127.0.0.1", done));
  cloud.url = `http://127.0.0.1:${server.address().port}`;
  const find = router([
    ...accountRoutes(cloud),
    ...bucketRoutes(cloud),
    ...pipelineRoutes(cloud),
    ...kvRoutes(cloud),
    ...workerRoutes(cloud),
    ...analyticsRoutes(cloud),
  ]);
  const workers = edge ? createEdge(cloud) : undefined;
  const tails = createTails(server);

  async function atEdge(name, path, call, response) {
    const reply = await workers.fetch(name, path, call);
    const headers = Object.fromEntries(reply.headers);
    delete headers["content-encoding"];
    delete headers["transfer-encoding"];
    delete headers["content-length"];
    response.writeHead(reply.status, headers).end(Buffer.from(await reply.arrayBuffer()));
  }

  async function run(call) {
    const fault = cloud.faults.find(
      (each) => (each.times ?? 1) > 0 && (each.method ?? call.method) === call.method && each.path.test(call.path),
    );
    if (fault !== undefined) {
      fault.times = (fault.times ?? 1) - 1;
      if (!fault.after)
        throw new Refusal(fault.status ?? 500, fault.code ?? 10013, fault.message ?? "unknown error", { headers: fault.headers });
    }
    const route = find(call.method, call.path);
    if (route === undefined) throw new Refusal(404, 7003, `Could not route to ${call.path}, perhaps your object identifier is invalid?`);
    const token = authenticate(state, route.groups, call);
    const result = await route.handler({ ...call, token, params: route.params });
    const put = /\/namespaces\/([0-9a-f]{32})\/values\/([^/]+)$/.exec(call.path);
    if (put !== null && call.method === "PUT") await workers?.putKv(put[1], decodeURIComponent(put[2]), call.body);
    if (fault?.after) throw new Refusal(fault.status ?? 500, fault.code ?? 10013, "the answer was lost");
    return result;
  }

  async function answer(request, response) {
    const url = new URL(request.url, cloud.url);
    const body = await readBody(request);
    const shared = { method: request.method, headers: request.headers, body, query: url.searchParams };
    const onEdge = /^\/edge\/([\w-]+)(\/.*)$/.exec(url.pathname);
    if (onEdge !== null) return atEdge(onEdge[1], onEdge[2] + url.search, shared, response);
    const path = url.pathname.startsWith(API) ? url.pathname.slice(API.length) : url.pathname;
    const call = {
      ...shared,
      path,
      json: isJson(body) && !/^multipart/.test(request.headers["content-type"] ?? "") ? JSON.parse(body.toString()) : {},
    };
    cloud.requests.push({ method: call.method, path, query: url.search });
    if ((await cloud.before?.(call)) === "hang") return request.socket.destroy();
    let status = 200;
    let reply;
    let headers = { "content-type": "application/json" };
    try {
      const result = await run(call);
      if (result instanceof Raw) ({ status, body: reply, headers } = { headers: {}, ...result });
      else reply = JSON.stringify(envelope(result));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      status = error.status;
      headers = { ...headers, ...error.headers };
      reply = JSON.stringify(refusalEnvelope(error));
    }
    if ((await cloud.after?.(call, status)) === "hang") return request.socket.destroy();
    response.writeHead(status, headers).end(status === 204 ? undefined : reply);
  }

  const operator = addToken(state, { name: "bootstrap" });
  return Object.assign(cloud, {
    api: cloud.url + API,
    account: state.account.id,
    token: operator.value,
    tails,
    addToken: (options) => addToken(state, options),
    /** Where the Worker NAME answers, as its workers.dev address would. */
    workerUrl: (name) => `${cloud.url}/edge/${name}`,
    table: (bucket, name) => state.catalogs.find((each) => each.bucket === bucket)?.tables.find((each) => each.name === name),
    stop: async () => {
      if (!server.listening) return;
      await workers?.stop();
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  });
}
