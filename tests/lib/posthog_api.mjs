// A stand-in for PostHog's private API: the lists and queries that an import reads, with its paging, its
// limits (429 with Retry-After) and its errors ({"type", "code", "detail", "attr"}).
//
//   const posthog = await startPostHogApi({ people, groupTypes, groups, flags, cohorts, members, events });
//   posthog.fail.push({ status: 429, headers: { "retry-after": "1" } });   // what the next requests get
//   posthog.asked                                                          // ["GET /api/projects/7/persons/?limit=100", …]
import { createServer } from "node:http";

export const KEY = "phx_stand_in_key";
export const PROJECT = "7";
const PAGE_MAX = 100;

const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const momentIn = (text) => text.match(/toDateTime64\('([^']+)'/g)?.map((each) => each.slice(14, -1)) ?? [];
const plainMoment = (text) => text.replace("T", " ").replace(/Z$/, "").padEnd(19);

/** Rows of the two queries there are. */
function answerQuery(world, query) {
  const limit = Number(/LIMIT (\d+)$/.exec(query)?.[1] ?? 100);
  const texts = [...query.matchAll(/'((?:[^'\\]|\\.)*)'/g)].map(([, text]) => text.replace(/\\(.)/g, "$1"));
  if (/FROM person_distinct_ids/.test(query)) {
    const [person, after] = texts;
    const ids = world.people.find((each) => each.uuid === person)?.distinct_ids ?? [];
    return [...ids]
      .sort(byName)
      .filter((id) => id > after)
      .slice(0, limit)
      .map((id) => [id]);
  }
  const [since, until, after] = momentIn(query);
  const behind = /toString\(uuid\) > '([^']+)'/.exec(query)?.[1];
  return world.events
    .map((each) => ({ ...each, at: plainMoment(each.timestamp) }))
    .filter(({ at }) => at >= since && at < until)
    .filter(({ at, uuid }) => after === undefined || at > after || (at === after && uuid > behind))
    .sort((a, b) => byName(a.at, b.at) || byName(a.uuid, b.uuid))
    .slice(0, limit)
    .map(({ uuid, event, distinct_id, at, properties, elements_chain = "" }) => [
      uuid,
      event,
      distinct_id,
      at,
      JSON.stringify(properties),
      elements_chain,
    ]);
}

/** @param {Record<string, any>} world */
export async function startPostHogApi(world) {
  const state = { asked: [], fail: [], listedIdsMax: 2500, pageMax: PAGE_MAX, url: "" };
  const error = (response, status, code, detail, headers = {}) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(JSON.stringify({ type: "error", code, detail, attr: null }));
  };
  const lists = {
    persons: () => world.people.map((each) => ({ ...each, distinct_ids: each.distinct_ids.slice(0, state.listedIdsMax) })),
    groups: (at) => world.groups.filter((each) => String(each.group_type_index) === at.searchParams.get("group_type_index")),
    feature_flags: () => world.flags,
    cohorts: () => world.cohorts,
  };

  const server = createServer(async (request, response) => {
    const at = new URL(request.url, "http://posthog");
    let body = "";
    for await (const chunk of request) body += chunk;
    state.asked.push(`${request.method} ${request.url}`);
    const fault = state.fail.shift();
    if (fault) return error(response, fault.status, fault.code ?? "throttled", fault.detail ?? "Request was throttled.", fault.headers);
    if (request.headers.authorization !== `Bearer ${KEY}`)
      return error(response, 401, "authentication_failed", "Personal API key found in request Authorization header is invalid.");
    const [, api, projects, project, name, id, below] = at.pathname.split("/");
    if (api !== "api" || projects !== "projects" || project !== PROJECT) return error(response, 404, "not_found", "Project not found.");
    const send = (value) => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (name === "query" && request.method === "POST") {
      const { query } = JSON.parse(body);
      return send({ columns: [], results: answerQuery(world, query.query), hasMore: false });
    }
    if (name === "groups_types") return send(world.groupTypes);
    const members = name === "cohorts" && below === "persons";
    const all = members ? (world.members[id] ?? []) : lists[name]?.(at);
    if (all === undefined) return error(response, 404, "not_found", "Endpoint not found.");
    const limit = Math.min(Number(at.searchParams.get("limit") ?? PAGE_MAX) || PAGE_MAX, state.pageMax);
    const from = Number(Buffer.from(at.searchParams.get("cursor") ?? "", "base64url").toString() || 0);
    const next = new URL(at);
    next.searchParams.set("cursor", Buffer.from(String(from + limit)).toString("base64url"));
    return send({
      next: from + limit < all.length ? `${state.url}${next.pathname}${next.search}` : null,
      previous: null,
      results: all.slice(from, from + limit),
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  state.url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
  return Object.assign(state, {
    stop: () =>
      new Promise((done) => {
        server.close(done);
        server.closeAllConnections();
      }),
  });
}
