// PostHog's private API, read alone: pages, limits and errors (posthog.com/docs/api).
import { setTimeout as sleep } from "node:timers/promises";
import { EXIT, Stop } from "../output.mjs";
import { parseExactly } from "./json.mjs";

/** An answer of 429 or 5xx, or none, is asked again so often; PostHog's limits are by the minute and by the hour. */
const ATTEMPTS = 8;
const FIRST_WAIT_MS = 1000;
const WAIT_MAX_MS = 60_000;
/** A Retry-After beyond this ends the command: it goes on later from its state file. */
const RETRY_AFTER_MAX_MS = 3_600_000;
const ANSWER_WITHIN_MS = 120_000;

/** Seconds or a date, in milliseconds from now; undefined where there is none. */
export function retryAfterMs(header, now = Date.now()) {
  if (header === null || header === undefined || header.trim() === "") return undefined;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

const ADVICE = {
  401: "POSTHOG_IMPORT_API_KEY is a personal API key (phx_…) of that PostHog; make one under Settings, Personal API keys",
  403: "the key needs the scopes person:read, group:read, feature_flag:read, cohort:read and query:read, and access to the project",
  404: "is --project the number in the project's address, and --from the right region (https://us.posthog.com, https://eu.posthog.com)?",
};

/** What an error of PostHog's says: {"type", "code", "detail", "attr"}. */
function detailOf(text) {
  try {
    const { detail, error } = JSON.parse(text);
    return detail ?? error ?? text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
}

/**
 * @param {{from: string, project: string, key: string, say?: (text: string) => void, waitScale?: number}} settings
 */
export function createPostHogApi({ from, project, key, say = () => {}, waitScale = 1 }) {
  const origin = new URL(from).origin;
  const base = `${from.replace(/\/$/, "")}/api/projects/${encodeURIComponent(project)}/`;

  async function attempt(url, init) {
    try {
      const response = await fetch(url, {
        ...init,
        redirect: "error",
        signal: AbortSignal.timeout(ANSWER_WITHIN_MS),
        headers: { authorization: `Bearer ${key}`, accept: "application/json", ...init.headers },
      });
      return { status: response.status, after: retryAfterMs(response.headers.get("retry-after")), text: await response.text() };
    } catch (error) {
      return { status: 0, after: undefined, text: error.cause?.message ?? error.message };
    }
  }

  async function ask(url, init = {}) {
    for (let n = 1; ; n++) {
      const { status, after, text } = await attempt(url, init);
      if (status >= 200 && status < 300) {
        try {
          return parseExactly(text);
        } catch {
          throw new Stop(EXIT.failed, `${url} answered with something that is no JSON`, "is --from PostHog's address, without a path?");
        }
      }
      const passes = status === 0 || status === 429 || status >= 500;
      const said = status === 0 ? text : `${status} ${detailOf(text)}`;
      if (!passes)
        throw new Stop(
          status === 401 || status === 403 ? EXIT.needed : EXIT.failed,
          `PostHog refused ${url}: ${said}`,
          ADVICE[status] ?? "",
        );
      if (n === ATTEMPTS || (after ?? 0) > RETRY_AFTER_MAX_MS) {
        throw new Stop(EXIT.failed, `PostHog does not answer ${url}: ${said}`, "run the command again later: it goes on where it stopped");
      }
      const wait = after ?? Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** (n - 1));
      if (wait >= 5000) say(`PostHog answered ${status}; going on in ${Math.round(wait / 1000)} s`);
      await sleep(wait * waitScale);
    }
  }

  /** The key goes to no other host, wherever a page says the next one is. */
  function checked(next) {
    if (next === null || next === undefined) return null;
    const url = new URL(next, from);
    if (url.host === new URL(from).host) return `${origin}${url.pathname}${url.search}`;
    throw new Stop(
      EXIT.refused,
      `PostHog says that the next page is at ${url.host}`,
      `it would get the key; give --from ${url.origin} if that is right`,
    );
  }

  return {
    get: (path) => ask(base + path),
    /**
     * Pages of a list from `start` (the address of a page, or null: the first): {results, next}.
     * @param {string} path @param {string | null} [start]
     */
    async *pages(path, start = null) {
      for (let url = start ?? base + path; url !== null; ) {
        const page = await ask(url);
        const next = checked(page.next);
        yield { results: page.results ?? [], next };
        url = next;
      }
    },
    /** Rows of a HogQL query, as lists. */
    async query(text) {
      const answer = await ask(`${base}query/`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ query: { kind: "HogQLQuery", query: text }, refresh: "force_blocking" }),
      });
      if (answer.error) throw new Stop(EXIT.failed, `PostHog could not answer the query: ${answer.error}`, "");
      return answer.results ?? [];
    },
  };
}

/** A text in HogQL. */
export const quoted = (text) => `'${String(text).replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
