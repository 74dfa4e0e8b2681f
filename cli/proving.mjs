// One event through everything: sent as an SDK sends it, waited for as a row of the table.
import { createHmac, randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { jsonVariable } from "./config.mjs";
import { partsOf } from "./names.mjs";
import { EXIT, Stop } from "./output.mjs";
import { ask, workerUrl } from "./worker.mjs";

const SQL_URL = "https://api.sql.cloudflarestorage.com";
/** A new workers.dev name takes a minute or two until it is known everywhere. */
const WORKER_WITHIN_MS = 180_000;

/** A query over a bucket's tables; rows. The renamed path first, the old one where it is not known. */
export async function queryTables({ account, bucket, token }, query) {
  const base = process.env.HOGFLARE_SQL_URL ?? SQL_URL;
  for (const path of ["basin-sql", "r2-sql"]) {
    const response = await fetch(`${base}/api/v1/accounts/${account}/${path}/query/${bucket}`, {
      method: "POST",
      headers: { authorization: `Bearer ${process.env.HOGFLARE_READER_TOKEN ?? token}`, "content-type": "application/json" },
      body: JSON.stringify({ query, warehouse: `${account}_${bucket}` }),
      signal: AbortSignal.timeout(60_000),
    });
    const text = await response.text();
    if (response.status === 404 && path === "basin-sql") continue;
    let body;
    try {
      body = JSON.parse(text);
    } catch {
      body = { success: false, errors: [{ message: `status ${response.status}` }] };
    }
    if (body?.success) return body.result;
    const { code, message = `status ${response.status}` } = body?.errors?.[0] ?? {};
    throw Object.assign(
      new Stop(
        EXIT.failed,
        `the query was refused: ${message}${code ? ` [code ${code}]` : ""}`,
        response.status === 403 ? "the token needs Basin SQL: Read; HOGFLARE_READER_TOKEN may hold another one" : "",
      ),
      { status: response.status, code },
    );
  }
  throw new Stop(EXIT.failed, "Basin SQL knows neither of its names", "");
}

export const tableOf = (context, stream) => `${context.namespace}.${partsOf(context.name, stream, context.tables[stream]).table}`;

async function waitForWorker(url, note) {
  const end = Date.now() + WORKER_WITHIN_MS;
  for (let waited = 0; ; ++waited) {
    const answer = await ask(url, "/healthz");
    if (answer.body?.version !== undefined) return answer.body;
    if (Date.now() > end)
      throw new Stop(
        EXIT.unproved,
        `${url} does not answer as Hogflare (${answer.error ?? `status ${answer.status}`})`,
        'run "hogflare doctor"',
      );
    if (waited === 2) note(`waiting for ${url}`);
    await sleep(1000);
  }
}

/** A key that the Worker takes. */
export const keyIn = (config) => Object.keys(jsonVariable(config, "HOGFLARE_PROJECTS"))[0] ?? "phc_hogflare_check";

/** Sends the event; its uuid. */
export async function sendEvent(context, url) {
  const uuid = randomUUID();
  const key = keyIn(context.config);
  const event = { uuid, event: "hogflare deployment check", distinct_id: "hogflare-check", properties: { $process_person_profile: false } };
  const body = { api_key: key, batch: [event] };
  const secret = process.env.POSTHOG_SIGNING_SECRET;
  const headers = secret
    ? { "x-posthog-signature": `sha256=${createHmac("sha256", secret).update(JSON.stringify(body)).digest("hex")}` }
    : {};
  const answer = await ask(url, "/batch/", { method: "POST", body, headers });
  if (answer.status !== 200) {
    const why = answer.error ?? `status ${answer.status}`;
    throw new Stop(
      EXIT.unproved,
      `the Worker did not take an event: ${why}`,
      answer.status === 401 && !secret ? "where requests must be signed, export POSTHOG_SIGNING_SECRET" : 'run "hogflare doctor"',
    );
  }
  return uuid;
}

/** Waits until the row is there; seconds it took, or undefined when the time was over. */
export async function waitForRow(context, uuid, { withinSeconds, note }) {
  const began = Date.now();
  for (;;) {
    const seconds = Math.round((Date.now() - began) / 1000);
    try {
      const { rows } = await queryTables(context, `SELECT count(*) AS n FROM ${tableOf(context, "events")} WHERE uuid = '${uuid}'`);
      if (Number(rows[0]?.n) > 0) return seconds;
    } catch (error) {
      // The table is there only once the sink has written its first file.
      if (error.status === 403) throw error;
    }
    if (seconds >= withinSeconds) return undefined;
    note(`sent; the row is not there yet after ${seconds} s (the first takes minutes)`);
    await sleep(Math.min(15_000, 500 + seconds * 200));
  }
}

export async function prove(context, note, withinSeconds) {
  const url = await workerUrl(context);
  const { version, status } = await waitForWorker(url, note);
  const uuid = await sendEvent(context, url);
  if (withinSeconds === 0) return `${url} (version ${version}, ${status}) took an event; not waited for its row`;
  const seconds = await waitForRow(context, uuid, { withinSeconds, note });
  if (seconds === undefined) {
    throw new Stop(
      EXIT.unproved,
      `the event ${uuid} is no row after ${withinSeconds} s`,
      'everything stands; "hogflare doctor" says where it got stuck',
    );
  }
  return `${url} took an event, and it was a row of ${tableOf(context, "events")} after ${seconds} s`;
}
