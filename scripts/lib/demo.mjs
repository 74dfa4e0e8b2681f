// Sends the month of demo traffic into the project "Demo" of scripts/dev and tells how far it is.
import { createHmac } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { demoRecordings } from "./demo-recordings.mjs";
import { DEMO_FLAGS, demoEvents, monthBefore } from "./demo-traffic.mjs";

export const DEMO_TOKEN = "phc_demo";
export const DEMO_TEAM = 2;
export const DEMO_NAME = "Demo";
const LANES = 4;
const BATCH = 100;
/** Parts of recordings in a request: some kilobytes each. */
const RECORDED_BATCH = 20;
const TRIES = 20;
/** After that long a month begins anew, or the growth of years would be sent. */
const MONTH_LASTS_MS = 60 * 86_400_000;

/**
 * @param {{url: string, token?: string, signingSecret?: string, began: number, until: number, scale?: number,
 *   onProgress?: (sent: number, of: number) => void, signal?: AbortSignal}} options
 * @returns {Promise<{sent: number, recordings: number}>} events sent, and visits of them that were recorded
 */
export async function sendDemo({ url, token = DEMO_TOKEN, signingSecret = "", began, until, scale = 1, onProgress = () => {}, signal }) {
  const all = demoEvents({ began, until, scale, lanes: LANES });
  const parts = demoRecordings(all, { until, token });
  let sent = 0;
  const post = async (path, content) => {
    const body = JSON.stringify(content);
    const headers = { "content-type": "application/json" };
    if (signingSecret !== "") headers["x-posthog-signature"] = `sha256=${createHmac("sha256", signingSecret).update(body).digest("hex")}`;
    for (let turn = 1; ; turn += 1) {
      signal?.throwIfAborted();
      const response = await fetch(`${url}${path}`, { method: "POST", headers, body }).catch(() => undefined);
      if (response?.ok) break;
      const told = response === undefined ? "no answer" : `${response.status} ${await response.text()}`;
      const isPassing = response === undefined || response.status === 429 || response.status >= 500;
      if (!isPassing || turn === TRIES) throw new Error(`the Worker took no demo traffic: ${told}`);
      await sleep(250 * turn);
    }
  };
  onProgress(0, all.length);
  await Promise.all(
    Array.from({ length: LANES }, async (_, lane) => {
      const ofLane = (list) => list.filter((each) => each.lane === lane).map(({ event }) => event);
      const mine = ofLane(all);
      for (let at = 0; at < mine.length; at += BATCH) {
        const batch = mine.slice(at, at + BATCH);
        await post("/batch/", { api_key: token, batch });
        sent += batch.length;
        onProgress(sent, all.length);
      }
      const recorded = ofLane(parts);
      for (let at = 0; at < recorded.length; at += RECORDED_BATCH) await post("/s/", recorded.slice(at, at + RECORDED_BATCH));
    }),
  );
  return { sent, recordings: new Set(parts.map(({ event }) => event.properties.$session_id)).size };
}

/**
 * Puts the flags that the month's people met where flags are edited and none are; others stay as they are.
 * @returns {Promise<boolean>} whether they are there now
 */
async function putFlags(url, adminToken) {
  const headers = { authorization: `Bearer ${adminToken}`, "content-type": "application/json" };
  const answer = await fetch(`${url}/app/api/flags`, { headers });
  if (!answer.ok) return false;
  const { document, etag, writable, flags } = await answer.json();
  if (!writable || flags.length > 0) return false;
  const next = JSON.stringify({ ...JSON.parse(document || "{}"), flags: DEMO_FLAGS }, null, 2);
  const put = await fetch(`${url}/app/api/flags`, {
    method: "PUT",
    headers: { ...headers, "if-match": etag },
    body: JSON.stringify({ document: next }),
  });
  return put.ok;
}

/** When the month of this state folder began: sending on another day goes on with it. */
function beginningOf(path, now) {
  if (existsSync(path)) {
    const { began } = JSON.parse(readFileSync(path, "utf8"));
    if (Number.isSafeInteger(began) && began <= now && now - began < MONTH_LASTS_MS) return began;
  }
  const began = monthBefore(now);
  writeFileSync(path, JSON.stringify({ began }));
  return began;
}

/**
 * What /app/api/demo of scripts/dev answers: GET tells, POST begins.
 * @param {{url: string, adminToken: string, signingSecret: string, noteFile: string, scale?: number, log?: (line: string) => void}} options
 */
export function demoService({ url, adminToken, signingSecret, noteFile, scale = 1, log = () => {} }) {
  let now = { state: "idle", team_id: DEMO_TEAM };
  const run = async () => {
    const until = Date.now();
    const began = beginningOf(noteFile, until);
    now = { ...now, began, until };
    const onProgress = (sent, of) => (now = { ...now, state: "running", sent, of });
    try {
      await putFlags(url, adminToken);
      const { sent, recordings } = await sendDemo({ url, signingSecret, began, until, scale, onProgress });
      now = { ...now, state: "done", sent, of: sent, recordings, took_s: Math.round((Date.now() - until) / 100) / 10 };
      log(`demo traffic: ${sent} events and ${recordings} recordings in ${now.took_s} s`);
    } catch (error) {
      now = { ...now, state: "failed", code: "demo_failed", detail: error.message };
      log(`demo traffic: ${error.message}`);
    }
  };
  return async (request) => {
    if (request.method === "POST" && now.state !== "running") {
      now = { state: "running", team_id: DEMO_TEAM };
      run();
    }
    return Response.json(now, { headers: { "cache-control": "private, no-store" } });
  };
}
