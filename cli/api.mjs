// Cloudflare's REST API by plain fetch.
//
//   const api = createApi({ token, account });
//   await api.get("r2/buckets/hogflare");                 // below /accounts/ID; throws ApiError
//   await api.find("r2/buckets/hogflare");                // undefined where there is none
//   await api.list("pipelines/v1/streams", { name });     // every page
//
// Reads are tried again; writes never are, since no endpoint takes an idempotency key: a step looks again
// before it writes a second time.
import { setTimeout as sleep } from "node:timers/promises";

export const API_URL = "https://api.cloudflare.com/client/v4";
const TRIES = 4;
const ANSWER_WITHIN_MS = 60_000;
const RETRY_AFTER_MAX_S = 60;
/** Pages of a list; no account has as many of anything that is asked for here. */
const PAGES_MAX = 1_000;
/** Codes for "there is none", of all services that are asked. */
const ABSENT = new Set([2, 1003, 1015, 1016, 7003, 10006, 10007, 10009, 10013, 10090, 10092, 40401]);

/** A refusal by Cloudflare: HTTP status and its own code. */
export class ApiError extends Error {
  constructor({ method, path, status, code, message }) {
    super(`${method} ${path}: ${message}${code === undefined ? "" : ` [code ${code}]`} (HTTP ${status})`);
    Object.assign(this, { method, path, status, code, reason: message });
  }
  get absent() {
    return this.status === 404 || ABSENT.has(this.code) || (this.code === 1000 && /pipelines\/v1\/pipelines\//.test(this.path));
  }
  /** The token lacks a right; Pipelines says it with a code of its own. */
  get forbidden() {
    return this.status === 401 || this.status === 403 || this.code === 10000 || this.code === 9109;
  }
}

async function readAnswer(method, path, response) {
  const text = await response.text();
  let body;
  try {
    body = text === "" ? { success: response.ok, result: null } : JSON.parse(text);
  } catch {
    body = { success: false, errors: [{ message: `an answer that is no JSON: ${text.slice(0, 80)}` }] };
  }
  // Taken for an empty one, it would say that nothing is there.
  if (typeof body !== "object" || body === null || Array.isArray(body))
    body = { success: false, errors: [{ message: `an answer that is none of Cloudflare's: ${text.slice(0, 80)}` }] };
  // A refusal may come inside 200, and some services know another envelope.
  if (response.ok && body.success !== false) return body;
  const error = body.errors?.[0] ?? (typeof body.error === "object" ? body.error : { message: body.error, code: body.code });
  throw new ApiError({ method, path, status: response.status, code: error?.code, message: error?.message ?? "no reason given" });
}

/**
 * @param {{token: string, account?: string, url?: string, onCall?: (call: {method: string, path: string, body?: unknown}) => void}} settings
 */
export function createApi({ token, account, url = process.env.CLOUDFLARE_API_BASE_URL ?? API_URL, onCall }) {
  const whole = (path) => (path.startsWith("/") ? path : `/accounts/${account}/${path}`);

  async function once(method, path, { body, headers = {}, raw = false } = {}) {
    const plain = body === undefined || typeof body === "string" || body instanceof Uint8Array || body instanceof FormData;
    onCall?.({ method, path, body });
    const response = await fetch(url + whole(path), {
      method,
      headers: { authorization: `Bearer ${token}`, ...(plain ? {} : { "content-type": "application/json" }), ...headers },
      body: plain ? /** @type {any} */ (body) : JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
    });
    if (raw && response.ok) return new Uint8Array(await response.arrayBuffer());
    if (response.status === 429 || response.status >= 500) {
      const seconds = Number(response.headers.get("retry-after") ?? 0);
      const error = await readAnswer(method, path, response).catch((refusal) => refusal);
      throw Object.assign(error instanceof Error ? error : new Error("no reason given"), { retryAfter: seconds, transient: true });
    }
    return readAnswer(method, path, response);
  }

  async function call(method, path, options) {
    for (let attempt = 1; ; ++attempt) {
      try {
        return await once(method, path, options);
      } catch (error) {
        const transient = error.transient || !(error instanceof ApiError);
        const again =
          transient && (method === "GET" || error.status === 429) && attempt < TRIES && (error.retryAfter ?? 0) <= RETRY_AFTER_MAX_S;
        if (!again)
          throw error instanceof ApiError
            ? error
            : new ApiError({ method, path, status: 0, message: error.cause?.message ?? error.message });
        await sleep((error.retryAfter || 0.25 * 2 ** attempt) * 1000);
      }
    }
  }

  const result = async (method, path, body, options) => (await call(method, path, { body, ...options })).result;
  const api = {
    account,
    get: (path) => result("GET", path),
    raw: (path) => call("GET", path, { raw: true }),
    post: (path, body, options) => result("POST", path, body, options),
    put: (path, body, options) => result("PUT", path, body, options),
    patch: (path, body, options) => result("PATCH", path, body, options),
    remove: (path) => result("DELETE", path),
    whole: (method, path, body) => call(method, path, { body }),
    /** What is there, or undefined. */
    find: (path) =>
      api.get(path).catch((error) => {
        if (error.absent) return undefined;
        throw error;
      }),
    /** Takes away; what is not there is away already. */
    drop: (path) =>
      api.remove(path).catch((error) => {
        if (!error.absent) throw error;
      }),
    /**
     * All pages. Services differ in what they say of the number of pages and in how long a page may be, so
     * the total ends it where there is one, else the first page with nothing new.
     */
    async list(path, filters = {}) {
      const all = new Map();
      const broken = (message) => new ApiError({ method: "GET", path, status: 200, message });
      for (let page = 1; ; ++page) {
        if (page > PAGES_MAX) throw broken(`a list that has not ended after ${PAGES_MAX} pages`);
        const query = new URLSearchParams({ ...filters, page: String(page), per_page: "50" });
        const { result: items, result_info: info } = await call("GET", `${path}?${query}`);
        if (!Array.isArray(items) || items.some((item) => item?.id === undefined))
          throw broken("an answer that is no list of things with ids");
        const before = all.size;
        for (const item of items) all.set(item.id, item);
        if (all.size === before || all.size === info?.total_count) return [...all.values()];
      }
    },
  };
  return api;
}
