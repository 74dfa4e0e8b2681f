// Before the Worker in scripts/dev, and never in a deployed one: the console's button for demo traffic.
// The Worker says who may press it; the traffic itself is made and sent outside of it (scripts/lib/demo.mjs).

/** @param {Request} request */
const jsonOf = (body, status) => Response.json(body, { status, headers: { "cache-control": "private, no-store" } });

/** The Worker's answer with what only scripts/dev knows. */
async function withDemo(response, env) {
  if (response.status !== 200) return response;
  const session = await response.json();
  session.capabilities.demo = true;
  for (const project of session.projects) if (project.team_id === env.DEMO_PROJECT.team_id) project.name = env.DEMO_PROJECT.name;
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return new Response(JSON.stringify(session), { status: 200, headers });
}

async function demo(worker, request, env, context, sessionUrl) {
  if (request.method !== "GET" && request.method !== "POST") return jsonOf({ code: "wrong_method", detail: "GET tells, POST begins" }, 405);
  const asked = await worker.fetch(new Request(sessionUrl, { headers: request.headers }), env, context);
  if (asked.status !== 200) return asked;
  const session = await asked.json();
  if (session.role !== "admin") return jsonOf({ code: "admin_only", detail: "demo traffic needs the admin's token" }, 403);
  const isOfAnotherPage = !["same-origin", "none", null].includes(request.headers.get("sec-fetch-site"));
  const hasProof = request.headers.has("authorization") || request.headers.get("x-hogflare-csrf") === session.csrf;
  if (request.method === "POST" && (isOfAnotherPage || !hasProof)) {
    return jsonOf({ code: "forged", detail: "the header x-hogflare-csrf must carry the session's csrf" }, 403);
  }
  return env.DEMO.fetch("http://demo/", { method: request.method });
}

export function withDevFront(worker) {
  return {
    ...worker,
    async fetch(request, env, context) {
      const url = new URL(request.url);
      const api = `${env.HOGFLARE_PATH_PREFIX ?? ""}/app/api`;
      const sessionUrl = new URL(`${api}/session`, url);
      if (url.pathname === `${api}/demo`) return demo(worker, request, env, context, sessionUrl);
      const response = await worker.fetch(request, env, context);
      return url.pathname === sessionUrl.pathname && request.method !== "DELETE" ? withDemo(response, env) : response;
    },
  };
}
