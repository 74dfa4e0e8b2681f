// Bodies at the limit: every one gets its answer, the core does not trap, and its memory stays within
// what an isolate can spare (docs/PERFORMANCE.md). The instance's memory never shrinks, so the order
// of the cases does not matter: the highest of all is looked at.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startWorker } from "../../scripts/lib/worker.mjs";
import { gauge } from "./support.mjs";

const MB = 1 << 20;
const ADMIN = "admin";
/** With the shim's copies of at most two sends this keeps the isolate below 100 MB. */
const WASM_BYTES_MAX = 92 * MB;

let sink;
let worker;
let stateDir;
const received = { rows: 0, sends: 0, largest: 0 };

before(async () => {
  sink = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      received.sends += 1;
      received.largest = Math.max(received.largest, body.byteLength);
      received.rows += JSON.parse(body.toString()).length;
      response.setHeader("content-type", "application/json");
      response.end('{"success":true,"result":{"committed":1}}');
    });
  });
  await new Promise((done) => sink.listen(0, "127.0.0.1", done));
  stateDir = mkdtempSync(join(tmpdir(), "hogflare-memory-"));
  worker = await startWorker({
    stateDir,
    vars: {
      CLOUDFLARE_PIPELINE_ENDPOINT: `http://127.0.0.1:${/** @type {any} */ (sink.address()).port}/`,
      HOGFLARE_ADMIN_TOKEN: ADMIN,
      // Rows are counted at the answer: a busy machine's must not go by the outbox.
      HOGFLARE_ANSWER_WITHIN_SECS: "60",
      CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "60",
    },
  });
});
after(async () => {
  await worker.dispose();
  sink.close();
  rmSync(stateDir, { recursive: true, force: true });
});

const metric = (name) => gauge(worker.url, ADMIN, name);

/** Sends a body; the answer's status and how many rows arrived. */
async function send(body, headers = {}) {
  const before = received.rows;
  const response = await fetch(`${worker.url}/batch/`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
  const text = await response.text();
  return { status: response.status, text, rows: received.rows - before };
}

async function expectSound() {
  assert.equal(await metric("hogflare_traps_total"), 0);
  const bytes = await metric("hogflare_wasm_memory_bytes");
  assert.ok(bytes <= WASM_BYTES_MAX, `the instance holds ${(bytes / MB).toFixed(1)} MB`);
}

const batchOf = (count, event) => `{"api_key":"phc_x","batch":[${Array(count).fill(event).join(",")}]}`;
const padded = (bytes) => `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(bytes)}"}}`;
const TINY = '{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"a":1,"b":"0123456789","c":null,"d":[1,2,3]}}';

describe("bodies at the limit", () => {
  it("19.9 MB of plain JSON becomes its rows", async () => {
    const body = batchOf(40, padded(0.495 * MB));
    assert.ok(body.length > 19.5 * MB && body.length < 20 * MB);
    const answer = await send(body);
    assert.deepEqual([answer.status, answer.rows], [200, 40], answer.text);
    assert.ok(received.largest <= 4 * MB);
    await expectSound();
  });

  it("25 MB behind gzip becomes its rows", async () => {
    const answer = await send(gzipSync(batchOf(50, padded(0.5 * MB))), { "content-encoding": "gzip" });
    assert.deepEqual([answer.status, answer.rows], [200, 50], answer.text);
    await expectSound();
  });

  it("50,000 tiny events become 50,000 rows", async () => {
    const answer = await send(batchOf(50_000, TINY));
    assert.deepEqual([answer.status, answer.rows], [200, 50_000], answer.text);
    await expectSound();
  });

  it("one giant event is refused by its size", async () => {
    const answer = await send(batchOf(1, padded(19.9 * MB)));
    assert.deepEqual([answer.status, answer.rows], [413, 0], answer.text);
    assert.match(answer.text, /the event has \d+ bytes of JSON; at most 8388608 are taken/);
    await expectSound();
  });

  it("one event of 7 MB becomes a row without its largest values", async () => {
    const answer = await send(batchOf(1, padded(7 * MB)));
    assert.deepEqual([answer.status, answer.rows], [200, 1], answer.text);
    await expectSound();
  });

  it("an event of 300,000 properties becomes a row", async () => {
    const properties = Array.from({ length: 300_000 }, (_, i) => `"name-${i}":${i}`).join(",");
    const answer = await send(batchOf(1, `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,${properties}}}`));
    assert.deepEqual([answer.status, answer.rows], [200, 1], answer.text);
    await expectSound();
  });

  it("refused events, or half a million, cost no more than others", async () => {
    const refused = await send(batchOf(500_000, '{"event":"e","distinct_id":""}'));
    assert.deepEqual([refused.status, refused.rows], [413, 0], refused.text);
    const answer = await send(batchOf(50_000, '{"event":"e","distinct_id":""}'));
    assert.deepEqual([answer.status, answer.rows], [400, 0], answer.text);
    await expectSound();
  });

  it("a gzip bomb is refused before it unfolds", async () => {
    const answer = await send(gzipSync(Buffer.alloc(120 * MB, " ")), { "content-encoding": "gzip" });
    assert.deepEqual([answer.status, answer.rows], [413, 0], answer.text);
    await expectSound();
  });

  it("a body over 20 MB is refused", async () => {
    const answer = await send(`{"api_key":"phc_x","batch":[${" ".repeat(20 * MB)}]}`);
    assert.deepEqual([answer.status, answer.rows], [413, 0], answer.text);
    await expectSound();
  });
});
