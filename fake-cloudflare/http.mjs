// The envelope of Cloudflare's REST API, its refusals, and a table of routes.
import { randomBytes } from "node:crypto";

/** A refusal as the API words it: `{"success":false,"errors":[{"code","message"}]}`. */
export class Refusal extends Error {
  constructor(status, code, message, { headers = {}, meta = undefined } = {}) {
    super(message);
    Object.assign(this, { status, code, headers, meta });
  }
}

/** An answer that is no envelope: a KV value, the ingest endpoint, GraphQL. */
export class Raw {
  constructor(status, body, headers = {}) {
    Object.assign(this, { status, body, headers });
  }
  static json(value, status = 200) {
    return new Raw(status, JSON.stringify(value), { "content-type": "application/json" });
  }
}

/** A list with its result_info; `items` is one page already. */
export class Page {
  constructor(items, info) {
    Object.assign(this, { items, info });
  }
}

export const hexId = () => randomBytes(16).toString("hex");

/** The page of `all` that the query asks for; pages after the last are empty. */
export function pageOf(all, query, perPageDefault = 20) {
  const page = Number(query.get("page") ?? 1);
  const perPage = Number(query.get("per_page") ?? perPageDefault);
  const items = all.slice((page - 1) * perPage, page * perPage);
  return new Page(items, { page, per_page: perPage, count: items.length, total_count: all.length });
}

export function envelope(result) {
  if (result instanceof Page) {
    return { success: true, errors: [], messages: [], result: result.items, result_info: result.info };
  }
  return { success: true, errors: [], messages: [], result: result ?? null };
}

export function refusalEnvelope({ code, message, meta }) {
  const error = meta === undefined ? { code, message } : { code, message, meta };
  return { success: false, errors: [error], messages: [], result: null };
}

/**
 * Finds the route of a request. A route is [method, path, groups, handler]; `{x}` in the path takes one
 * segment, `{x*}` the rest; `groups` are the permission groups of which a token needs one.
 */
export function router(routes) {
  const table = routes.map(([method, path, groups, handler]) => {
    const pattern = path.replace(/\{(\w+)(\*?)\}/g, (_, name, rest) => `(?<${name}>${rest ? ".+" : "[^/]+"})`);
    return { method, groups, handler, pattern: new RegExp(`^${pattern}$`) };
  });
  return (method, path) => {
    for (const route of table) {
      if (route.method !== method) continue;
      const found = route.pattern.exec(path);
      if (found === null) continue;
      const params = Object.fromEntries(Object.entries(found.groups ?? {}).map(([name, text]) => [name, decodeURIComponent(text)]));
      return { ...route, params };
    }
    return undefined;
  };
}
