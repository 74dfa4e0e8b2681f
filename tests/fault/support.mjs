// What the fault tests share: a client that retries as an SDK does and knows what it was promised, a
// gate between the Worker and the fake pipeline, and the equation of delivery.
//
//   const client = new Client(system.url);
//   await client.send(client.batch(200));           // until it was answered with 200
//   await settle(system);                           // until no outbox holds anything
//   await assertAllLanded(system, client);
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { TOKEN } from "../lib/harness.mjs";

export const ADMIN_TOKEN = "admin-token-of-the-fault-tests";
export const asAdmin = { authorization: `Bearer ${ADMIN_TOKEN}` };

/** JSON of an operator's path. */
export async function admin(url, path, { method = "GET" } = {}) {
  const response = await fetch(url + path, { method, headers: asAdmin });
  const text = await response.text();
  assert.match(String(response.status), /^20[07]$/, `${path}: ${response.status} ${text}`);
  return JSON.parse(text);
}

/** Metric by its name with labels, from Prometheus text. */
export async function metrics(url) {
  const response = await fetch(`${url}/metrics`, { headers: asAdmin });
  assert.equal(response.status, 200, await response.clone().text());
  return parsePrometheus(await response.text());
}

/** Values by series; throws on a line that is not of the text format 0.0.4. */
export function parsePrometheus(text) {
  const values = new Map();
  const types = new Map();
  assert.ok(text.endsWith("\n"));
  for (const line of text.trimEnd().split("\n")) {
    const comment = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (comment !== null) {
      if (comment[1] === "TYPE") types.set(comment[2], comment[3]);
      continue;
    }
    const sample = /^([a-z_]+)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\d+)$/.exec(line);
    assert.ok(sample, `not a sample: ${line}`);
    assert.ok(types.has(sample[1]), `${sample[1]} has no TYPE before it`);
    assert.ok(!values.has(sample[1] + (sample[2] ?? "")), `${line} stands there twice`);
    values.set(sample[1] + (sample[2] ?? ""), Number(sample[3]));
  }
  return { values, types, of: (series) => values.get(series) ?? 0 };
}

/** Sends events with uuids of its own, again and again as SDKs do, and remembers what was promised. */
export class Client {
  constructor(url, { name = "client", distinctIds = 20, event = "load" } = {}) {
    this.url = url;
    this.name = name;
    this.distinctIds = distinctIds;
    this.event = event;
    this.sent = 0;
    /** @type {string[]} uuids of events that were answered with 200 */
    this.acknowledged = [];
    /** @type {string[]} ids of bad events that were answered with 200 */
    this.refused = [];
    /** @type {Map<number, number>} answers by status; 0 is none */
    this.answers = new Map();
  }

  /** `bad` of the events have no name and must become reject rows. */
  batch(size, { bad = 0, properties = {}, personless = true } = {}) {
    const events = [];
    for (let i = 0; i < size; i += 1) {
      const n = this.sent++;
      const base = {
        uuid: randomUUID(),
        distinct_id: `${this.name}-${n % this.distinctIds}`,
        timestamp: new Date().toISOString(),
        properties: { n, $lib: "posthog-node", $process_person_profile: !personless, ...properties },
      };
      events.push(i < bad ? { ...base, event: "" } : { ...base, event: this.event });
    }
    return events;
  }

  /** One attempt; its status, 0 without an answer. */
  async attempt(events, path = "/batch/") {
    let status = 0;
    try {
      const response = await fetch(this.url + path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ api_key: TOKEN, batch: events }),
        signal: AbortSignal.timeout(40_000),
      });
      const text = await response.text();
      status = response.status;
      if (status === 503) assert.match(response.headers.get("retry-after") ?? "", /^[1-5]$/);
      if (status === 200) assert.deepEqual(JSON.parse(text), { status: "Ok" });
    } catch (error) {
      if (error instanceof assert.AssertionError) throw error;
    }
    this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    if (status === 200) this.#remember(events);
    return status;
  }

  #remember(events) {
    for (const event of events) {
      (event.event === "" ? this.refused : this.acknowledged).push(event.uuid);
    }
  }

  /** Until it is taken; only answers that SDKs retry may come before. */
  async send(events, { path = "/batch/", pauseMs = 200, tries = 300 } = {}) {
    for (let i = 0; i < tries; i += 1) {
      const status = await this.attempt(events, path);
      if (status === 200) return i + 1;
      assert.ok(status === 0 || status === 503, `a batch was answered with ${status}`);
      await sleep(pauseMs);
    }
    throw new Error(`a batch was not taken in ${tries} tries`);
  }
}

/** Runs `work(i)` for i below count, so many at once. */
export async function inParallel(count, atOnce, work) {
  let next = 0;
  const runner = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: atOnce }, runner));
}

/**
 * Asks the outboxes to send now until none holds anything; the last figures. How long that takes is the machine's
 * business: it fails when nothing became less for a minute.
 */
export async function settle(system, { stalledMs = 60_000, drain = true } = {}) {
  let least = Infinity;
  let lessAt = Date.now();
  for (let asked = 0; ; asked += 1) {
    // A sink that is slow already is not met by all shards again and again.
    if (drain && asked % 3 === 0) await fetch(`${system.url}/admin/outbox/drain`, { method: "POST", headers: asAdmin });
    const stats = await admin(system.url, "/admin/outbox");
    if (stats.sends === 0 && stats.shards_failed === 0) return stats;
    if (stats.sends < least) [least, lessAt] = [stats.sends, Date.now()];
    const stalled = Date.now() - lessAt;
    if (stalled > stalledMs) throw new Error(`the outboxes hold ${stats.sends} sends, no less for ${stalled} ms: ${JSON.stringify(stats)}`);
    // Asking again and again would have all shards send at once to a sink that is slow already.
    await sleep(drain ? 1_000 : 200);
  }
}

/**
 * The promise: every event that was answered with 200 is in the deduplicated view exactly once, every
 * bad one is a reject row, and nothing else is missing. `quarantined`: uuids that are expected there.
 * @returns the figures
 */
export async function assertAllLanded(system, clients, { quarantined = [] } = {}) {
  const all = [clients].flat();
  const acknowledged = new Set(all.flatMap((client) => client.acknowledged));
  const refused = new Set(all.flatMap((client) => client.refused));
  const held = new Set(quarantined);
  const landed = await system.sql("SELECT uuid, count(*) AS copies FROM events_deduplicated GROUP BY uuid");
  const landedIds = new Set(landed.map((row) => row.uuid));
  const twice = landed.filter((row) => Number(row.copies) !== 1).map((row) => row.uuid);
  assert.deepEqual(twice, [], "in the view more than once");
  const lost = [...acknowledged].filter((uuid) => !landedIds.has(uuid) && !held.has(uuid));
  assert.deepEqual(lost.slice(0, 5), [], `${lost.length} acknowledged events are lost`);
  const rejects = await system.sql("SELECT DISTINCT event_uuid FROM rejects WHERE kind = 'reject'");
  const rejected = new Set(rejects.map((row) => row.event_uuid));
  const forgotten = [...refused].filter((uuid) => !rejected.has(uuid));
  assert.deepEqual(forgotten.slice(0, 5), [], `${forgotten.length} refused events have no reject row`);
  const landedOfThese = [...acknowledged].filter((uuid) => landedIds.has(uuid)).length;
  const heldOfThese = [...acknowledged].filter((uuid) => held.has(uuid)).length;
  assert.equal(acknowledged.size + refused.size, landedOfThese + refused.size + heldOfThese);
  assert.deepEqual(await system.bad(), [], "rows that break the schema");
  const [{ n: copies }] = await system.sql("SELECT count(*) AS n FROM events");
  return {
    accepted: acknowledged.size + refused.size,
    landed: landedOfThese,
    rejected: refused.size,
    quarantined: heldOfThese,
    copies: Number(copies) - landedIds.size,
  };
}

/** A request's body; null when its sender went away. */
async function readAll(request) {
  const chunks = [];
  try {
    for await (const chunk of request) chunks.push(chunk);
  } catch {
    return null;
  }
  return Buffer.concat(chunks);
}

/** The gate's decision to let a send pass. */
export const PASS = null;

/**
 * A sink in front of the fake pipeline whose answers a test decides by the rows. `decide` gets
 * `{stream, rows, authorization}` and returns PASS or `{status, body?, headers?}`; it may be replaced.
 * `target` is the fake pipeline's URL, known once the system has started, `token` its token.
 */
export async function startGate() {
  /** @type {{url: string, target: string, token: string, sends: any[], decide: (send: any) => any, stop: () => void}} */
  const gate = { url: "", target: "", token: "", sends: [], decide: () => PASS, stop: () => {} };
  const server = createServer(async (request, response) => {
    const body = await readAll(request);
    if (body === null) return;
    const stream = /^\/streams\/(.+)$/.exec(request.url)?.[1] ?? "events";
    const send = { stream, rows: JSON.parse(body.toString()), authorization: request.headers.authorization };
    gate.sends.push({ stream, rows: send.rows.length, bytes: body.length });
    const answer = await gate.decide(send);
    if (answer !== PASS) {
      response.writeHead(answer.status, answer.headers ?? {}).end(answer.body ?? "");
      return;
    }
    // Whatever becomes of the connection on one side becomes of it on the other.
    const sender = new AbortController();
    response.once("close", () => sender.abort());
    try {
      const passed = await fetch(gate.target + request.url, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${gate.token}` },
        body,
        signal: sender.signal,
      });
      response.writeHead(passed.status, { "content-type": "application/json" });
      response.end(Buffer.from(await passed.arrayBuffer()));
    } catch {
      response.destroy();
    }
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  gate.url = `http://127.0.0.1:${port}`;
  gate.stop = () => {
    server.close();
    server.closeAllConnections();
  };
  return gate;
}

/** The endpoints of a gate. */
export function gateVariables(gate) {
  return {
    CLOUDFLARE_PIPELINE_ENDPOINT: `${gate.url}/`,
    CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: `${gate.url}/streams/persons`,
    CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT: `${gate.url}/streams/distinct_ids`,
    CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT: `${gate.url}/streams/rejects`,
  };
}
