// Workers KV: namespaces and values.
import { hexId, pageOf, Page, Raw, Refusal } from "./http.mjs";

const SCOPE = ["Workers KV Storage Write"];

function namespaceOf(state, id) {
  if (!/^[0-9a-f]{32}$/.test(id)) throw new Refusal(400, 10011, "could not parse UUID from request's namespace_id");
  const found = state.kv.find((each) => each.id === id);
  if (found === undefined) throw new Refusal(404, 10013, "get namespace: 'namespace not found'");
  return found;
}

const shown = ({ id, title }) => ({ id, title, supports_url_encoding: true });

function create(state, { title }) {
  if (state.kv.some((each) => each.title === title)) {
    throw new Refusal(400, 10014, "create namespace: 'A namespace with this account ID and title already exists.'");
  }
  const namespace = { id: hexId(), title, values: new Map() };
  state.kv.push(namespace);
  return shown(namespace);
}

/** The bytes of a PUT: raw (wrangler) or the field `value` of a form (the SDK). */
async function valueOf({ body, headers }) {
  if (!/^multipart/.test(headers["content-type"] ?? "")) return body;
  const form = await new Response(body, { headers: { "content-type": headers["content-type"] } }).formData();
  const value = form.get("value");
  return Buffer.from(typeof value === "string" ? value : await value.arrayBuffer());
}

export function kvRoutes({ state }) {
  const K = `/accounts/${state.account.id}/storage/kv/namespaces`;
  return [
    ["GET", K, SCOPE, ({ query }) => pageOf(state.kv.map(shown), query)],
    ["POST", K, SCOPE, ({ json }) => create(state, json)],
    ["GET", `${K}/{id}`, SCOPE, ({ params }) => shown(namespaceOf(state, params.id))],
    ["PUT", `${K}/{id}`, SCOPE, ({ params, json }) => void (namespaceOf(state, params.id).title = json.title)],
    [
      "DELETE",
      `${K}/{id}`,
      SCOPE,
      ({ params }) => {
        state.kv.splice(state.kv.indexOf(namespaceOf(state, params.id)), 1);
        return {};
      },
    ],
    [
      "GET",
      `${K}/{id}/keys`,
      SCOPE,
      ({ params, query }) => {
        const names = [...namespaceOf(state, params.id).values.keys()].filter((name) => name.startsWith(query.get("prefix") ?? ""));
        return new Page(
          names.sort().map((name) => ({ name })),
          { count: names.length, cursor: "" },
        );
      },
    ],
    [
      "PUT",
      `${K}/{id}/bulk`,
      SCOPE,
      ({ params, json }) => {
        const { values } = namespaceOf(state, params.id);
        for (const { key, value, base64 } of json) values.set(key, Buffer.from(value, base64 ? "base64" : "utf8"));
        return { successful_key_count: json.length, unsuccessful_keys: [] };
      },
    ],
    [
      "PUT",
      `${K}/{id}/values/{key}`,
      SCOPE,
      async (call) => {
        namespaceOf(state, call.params.id).values.set(call.params.key, await valueOf(call));
        return null;
      },
    ],
    [
      "GET",
      `${K}/{id}/values/{key}`,
      SCOPE,
      ({ params }) => {
        const value = namespaceOf(state, params.id).values.get(params.key);
        if (value === undefined) throw new Refusal(404, 10009, "get: 'key not found'");
        return new Raw(200, value, { "content-type": "application/octet-stream" });
      },
    ],
    ["DELETE", `${K}/{id}/values/{key}`, SCOPE, ({ params }) => void namespaceOf(state, params.id).values.delete(params.key)],
  ];
}
