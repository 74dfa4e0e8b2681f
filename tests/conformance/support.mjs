// What the conformance tests share: bodies, and the checks every one of them ends with.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { startSystem, TOKEN } from "../lib/harness.mjs";

export const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
export const FORM = { "content-type": "application/x-www-form-urlencoded" };
export const PLAIN = { "content-type": "text/plain" };

/** What /metrics says of a series without labels. */
export async function gauge(url, adminToken, name) {
  const response = await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${adminToken}` } });
  return Number(new RegExp(`^${name} (\\d+)$`, "m").exec(await response.text())[1]);
}

/** One event as it stands in a batch. */
export const event = (fields = {}) => ({ event: "testing", distinct_id: "u", ...fields });
/** One event that carries its own token. */
export const single = (fields = {}) => ({ token: TOKEN, ...event(fields) });
/** A batch wrapper. */
export const batch = (events, fields = {}) => ({ api_key: TOKEN, batch: events, ...fields });

/** The rows after a request that was answered 200 {"status":"Ok"}. */
export async function stored(system, response, count) {
  assert.equal(response.status, 200, await response.clone().text());
  assert.deepEqual(await response.json(), { status: "Ok" });
  const rows = await system.rows(count);
  assert.equal(rows.length, count);
  return rows;
}

/** A refused request: its status, its words, and that it left no row. */
export async function refused(system, response, status, words = /./) {
  const text = await response.text();
  assert.equal(response.status, status, text);
  assert.match(text, words);
  assert.deepEqual(await system.rows(), []);
  return text;
}

/** Every row that was sent keeps to its stream's schema. */
export async function nothingBad(system) {
  assert.deepEqual(await system.bad(), []);
}

/** Asserts that `text` is a time within `withinMs` of `expectedMs`. */
export function isNear(text, expectedMs, withinMs = 120_000) {
  const ms = Date.parse(text);
  assert.ok(Math.abs(ms - expectedMs) <= withinMs, `${text} should be within ${withinMs} ms of ${new Date(expectedMs).toISOString()}`);
}

/** Headers of a capture v1 request. */
export function v1Headers(fields = {}) {
  const headers = {
    authorization: `Bearer ${TOKEN}`,
    "content-type": "application/json",
    "user-agent": "conformance/1.0",
    "posthog-sdk-info": "posthog-node/5.70.0",
    "posthog-attempt": "1",
    "posthog-request-id": randomUUID(),
    "posthog-request-timestamp": new Date().toISOString(),
    ...fields,
  };
  return Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined));
}

/** One event of capture v1. */
export const v1Event = (fields = {}) => ({
  event: "testing",
  uuid: randomUUID(),
  distinct_id: "u",
  timestamp: new Date().toISOString(),
  ...fields,
});
export const v1Batch = (events, fields = {}) => ({
  created_at: new Date().toISOString(),
  batch: events,
  ...fields,
});

/** How an engine answers that can: a status and a body as JSON. */
export const answerWith = (response, body, status = 200) =>
  response.writeHead(status, { "content-type": "application/json" }).end(typeof body === "string" ? body : JSON.stringify(body));

/**
 * A system whose questions go to an engine of the test's own.
 * @param {Record<string, string>} vars
 * @param {(sql: string, response: import("node:http").ServerResponse, request: import("node:http").IncomingMessage) => void} answer
 *   what the engine does when it is asked
 */
export async function startBesideEngine(vars, answer) {
  const engine = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    answer(JSON.parse(text).query, response, request);
  });
  await new Promise((done) => engine.listen(0, "127.0.0.1", done));
  const system = await startSystem({ vars: { ...vars, HOGFLARE_SQL_URL: `http://127.0.0.1:${engine.address().port}` }, hasSql: true });
  const stop = async () => {
    await system.stop();
    engine.closeAllConnections();
    engine.close();
  };
  return { system, stop };
}
