// What one request may cost the isolate and the sink: memory is admitted before it is used, and a few
// bytes do not become a flood of rows (docs/GUARANTEES.md).
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, beforeEach, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { startSystem, TOKEN } from "../lib/harness.mjs";

const MB = 1 << 20;

let system;
before(async () => {
  // Tens of megabytes of rows take a busy machine's sink longer than an answer may wait.
  const vars = { HOGFLARE_ADMIN_TOKEN: "admin", HOGFLARE_ANSWER_WITHIN_SECS: "60", CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "60" };
  system = await startSystem({ vars });
});
after(() => system.stop());
beforeEach(() => system.reset());

const post = (path, body, headers = {}) =>
  fetch(`${system.url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body,
  });
const packed = (path, text) => post(path, gzipSync(text), { "content-encoding": "gzip" });
const copies = (count, event, list = "batch") => `{"api_key":"${TOKEN}","${list}":[${Array(count).fill(event).join(",")}]}`;

async function expectNoTrap() {
  const answer = await fetch(`${system.url}/metrics`, { headers: { authorization: "Bearer admin" } });
  assert.match(await answer.text(), /^hogflare_traps_total 0$/m);
}

describe("what a request may cost", () => {
  it("refuses a million events of 3 KB, whatever their shape", async () => {
    for (const [path, list] of [
      ["/engage/", "data"],
      ["/batch/", "batch"],
      ["/s/", "batch"],
    ]) {
      const answer = await packed(path, copies(1_000_000, "{}", list));
      assert.equal(answer.status, 413, path);
      assert.match(await answer.text(), /more than 50000 events; nothing was stored/);
    }
    await expectNoTrap();
  });

  it("takes what fits of many large bodies at once, and asks for the rest again", async () => {
    const event = `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(1000)}"}}`;
    const plain = copies(18_000, event);
    const body = gzipSync(`${copies(10, event)}${" ".repeat(28 * MB)}`);
    const answers = await Promise.all([
      ...Array.from({ length: 3 }, () => post("/batch/", plain)),
      ...Array.from({ length: 4 }, () => post("/batch/", body, { "content-encoding": "gzip" })),
    ]);
    const statuses = answers.map((answer) => answer.status);
    assert.ok(statuses.includes(200), statuses.join());
    for (const answer of answers) {
      assert.ok([200, 503].includes(answer.status), statuses.join());
      if (answer.status === 503) assert.equal(answer.headers.get("retry-after"), "1");
    }
    await expectNoTrap();
    assert.equal((await post("/batch/", copies(1, event))).status, 200);
  });

  it("has room for one large body on its way in, and for every small one", async () => {
    const event = `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(1000)}"}}`;
    const large = Buffer.from(copies(16_000, event));
    const slow = connect(Number(new URL(system.url).port), "127.0.0.1");
    let answer = "";
    slow.setEncoding("utf8").on("data", (text) => (answer += text));
    await once(slow, "connect");
    slow.write(
      `POST /batch/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${large.length}\r\n\r\n`,
    );
    await new Promise((done) => slow.write(large.subarray(0, -1), done));
    // Announced or not, a second one of its size finds no room until the first is there.
    for (const body of [large, new Blob([large]).stream()]) {
      let refused;
      do {
        refused = await fetch(
          `${system.url}/batch/`,
          /** @type {any} */ ({ method: "POST", headers: { "content-type": "application/json" }, body, duplex: "half" }),
        );
        await refused.text();
        // The first may not have been looked at yet.
      } while (refused.status === 200 && body === large);
      assert.deepEqual([refused.status, refused.headers.get("retry-after")], [503, "1"]);
    }
    assert.equal((await post("/batch/", copies(1, event))).status, 200);
    slow.end(large.subarray(-1));
    await once(slow, "close");
    assert.match(answer, /^HTTP\/1.1 200 /);
    assert.equal((await post("/batch/", large)).status, 200);
    await expectNoTrap();
  });

  it("takes the recordings of twenty-four browsers that reload at once", async () => {
    // A page's first snapshot: a value in ten bytes, of which nobody looks into one.
    const node = '{"type":2,"tagName":"div","attributes":{"class":"a b"},"childNodes":[],"id":1}';
    const data = `[{"type":2,"data":{"node":{"childNodes":[${Array(10_500).fill(node).join(",")}]}},"timestamp":1}]`;
    const properties = `{"token":"${TOKEN}","distinct_id":"u","$session_id":"s","$window_id":"w","$snapshot_data":${data}}`;
    const body = gzipSync(copies(1, `{"event":"$snapshot","properties":${properties}}`));
    await system.pipeline.fault({ count: 24, delay_ms: 8_000 });
    const answers = await Promise.all(Array.from({ length: 24 }, () => post("/s/", body, { "content-type": "text/plain" })));
    assert.deepEqual(
      answers.map((answer) => answer.status),
      Array(24).fill(200),
    );
    assert.equal((await system.rows(24)).length, 24);
    await expectNoTrap();
  });

  it("a body takes room as it comes: who only says how large it will be takes none", async () => {
    const event = `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(1000)}"}}`;
    const port = Number(new URL(system.url).port);
    const waiting = [];
    for (const size of [25 * MB, 20 * MB, 20 * MB]) {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      socket.write(`POST /batch/ HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: ${size}\r\n\r\n{`);
      waiting.push(socket);
    }
    // The Worker has seen their heads when it has answered behind them.
    for (let i = 0; i < 5; i += 1) assert.equal((await post("/batch/", copies(1, event))).status, 200);
    assert.equal((await post("/batch/", Buffer.from(copies(16_000, event)))).status, 200);
    for (const socket of waiting) socket.destroy();
    await expectNoTrap();
  });

  it("many small bodies that do not come on take no more than their room, and the smallest are taken beside them", async () => {
    const event = `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(1000)}"}}`;
    const small = Buffer.from(copies(200, event));
    const port = Number(new URL(system.url).port);
    const waiting = [];
    const wait = async (i) => {
      const socket = connect(port, "127.0.0.1");
      await once(socket, "connect");
      const length = i % 2 === 0 ? `content-length: ${small.length}` : "transfer-encoding: chunked";
      socket.write(`POST /batch/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n${length}\r\n\r\n`);
      if (i % 2 === 1) socket.write(`${small.length.toString(16)}\r\n`);
      socket.write(small.subarray(0, -1));
      const closed = once(socket, "close");
      let answer = "";
      socket.setEncoding("utf8").on("data", (text) => (answer += text));
      const finish = async () => {
        socket.write(small.subarray(-1));
        if (i % 2 === 1) socket.write("\r\n0\r\n\r\n");
        await closed;
        return answer.slice(9, 12);
      };
      waiting.push(finish);
    };
    for (let i = 0; i < 120; i += 1) await wait(i);
    // One that is taken may have had the place of one that waits and was seen later: another one waits for it now.
    while ((await post("/batch/", small)).status !== 503) {
      assert.ok(waiting.length < 200, "a small body finds no room");
      await wait(waiting.length);
    }
    assert.equal((await post("/batch/", copies(10, event))).status, 200);
    const statuses = [];
    for (const finish of waiting) statuses.push(await finish());
    const taken = statuses.filter((status) => status === "200").length;
    assert.equal(statuses.filter((status) => status === "503").length, statuses.length - taken, statuses.join());
    assert.ok(taken * small.length > 8 * MB && taken * small.length <= 16 * MB, `${taken} of ${statuses.length}`);
    assert.equal((await post("/batch/", small)).status, 200);
    await expectNoTrap();
  });

  it("takes a body that comes byte by byte", async () => {
    const body = copies(1, '{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false}}');
    const socket = connect(Number(new URL(system.url).port), "127.0.0.1");
    socket.setNoDelay(true);
    let answer = "";
    socket.setEncoding("utf8").on("data", (text) => (answer += text));
    await once(socket, "connect");
    socket.write(
      "POST /batch/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    );
    for (const char of body) {
      socket.write(`1\r\n${char}\r\n`);
      await sleep(1);
    }
    socket.write("0\r\n\r\n");
    await once(socket, "close");
    assert.match(answer, /^HTTP\/1.1 200 /);
    assert.equal((await system.rows(1)).length, 1);
  });

  it("a large body that does not come on is given up with 408 after half a minute, and gives its room back", async () => {
    const event = `{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(1000)}"}}`;
    const slow = connect(Number(new URL(system.url).port), "127.0.0.1");
    let answer = "";
    slow.setEncoding("utf8").on("data", (text) => (answer += text));
    await once(slow, "connect");
    const large = Buffer.from(copies(16_000, event));
    slow.write(
      `POST /batch/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${large.length}\r\n\r\n`,
    );
    // What has come buys five seconds more.
    slow.write(large.subarray(0, 300_000));
    await once(slow, "close");
    assert.match(answer, /^HTTP\/1.1 408 [^]*the request's body came too slowly$/);
    assert.equal((await post("/batch/", large)).status, 200);
    await expectNoTrap();
  });

  it("writes so many reject rows and counts the rest", async () => {
    const answer = await packed("/batch/", copies(5_000, "{}"));
    assert.equal(answer.status, 400);
    const rows = await system.stream("rejects", 1_001);
    assert.equal(rows.length, 1_001);
    assert.equal(rows.filter((row) => row.reason === "hydrate_failed").length, 1_000);
    const [rest] = rows.filter((row) => row.reason === "rejects_left_out");
    assert.match(rest.detail, /^4000 more/);
  });

  it("leaves a large person out of the rows of a small request, and says so", async () => {
    const large = "x".repeat(300_000);
    const set = `{"event":"$set","distinct_id":"big","properties":{"$set":{"a":"${large}"}}}`;
    assert.equal((await post("/batch/", copies(1, set))).status, 200);
    await system.reset();
    const answer = await packed("/batch/", copies(300, '{"event":"e","distinct_id":"big"}'));
    assert.equal(answer.status, 200);
    const rows = await system.rows(300);
    assert.equal(rows.length, 300);
    const full = rows.filter((row) => JSON.stringify(row.person_properties).length > 1000).length;
    assert.ok(full > 50 && full < 150, `${full} rows carry the person`);
    const [said] = (await system.stream("rejects")).filter((row) => row.reason === "properties_left_out");
    assert.match(said.detail, new RegExp(`^${300 - full} events`));
  });

  it("bodies that unpack large, however they are packed, are taken, refused or asked for again", async () => {
    const bomb = gzipSync(`${copies(10, "{}")}${" ".repeat(31 * MB)}`);
    const base64 = bomb.toString("base64");
    // Says in its last bytes that it is small (RFC 1952, ISIZE).
    const lying = Buffer.from(bomb);
    lying.writeUInt32LE(16, lying.length - 4);
    const values = `{"token":"${TOKEN}","distinct_id":"a","person_properties":{"a":[${Array(3_000_000).fill(1)}]}}`;
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const sends = [
      () => post("/batch/", lying, { "content-encoding": "gzip" }),
      () => post("/batch/", Buffer.concat([bomb, gzipSync(" ")]), { "content-encoding": "gzip" }),
      () => post("/e/", base64),
      () => post("/e/", `data=${encodeURIComponent(base64)}`, form),
      () => post("/batch/", JSON.stringify({ api_key: TOKEN, data: base64 })),
      () => post(`/e/?data=${encodeURIComponent(base64)}`, ""),
      () => post("/e/?compression=lz64", "A".repeat(19 * MB)),
      () => packed("/flags/?v=2", values),
      () =>
        post("/ofrep/v1/evaluate/flags", `{"context":{"a":[${Array(900_000).fill(1)}]}}`, {
          authorization: `Bearer ${TOKEN}`,
        }),
    ];
    // Each three times at once: what one of them may take, three may not.
    const answers = await Promise.all(sends.flatMap((send) => [send(), send(), send()]));
    // 414: of the platform itself, for an address of more than 16 KB.
    for (const answer of answers) assert.ok([200, 400, 413, 414, 503].includes(answer.status), String(answer.status));
    await expectNoTrap();
    assert.equal((await post("/batch/", copies(1, '{"event":"e","distinct_id":"u"}'))).status, 200);
  });

  it("replies of large people and groups take no more than there is", async () => {
    const large = "x".repeat(600_000);
    const first = [
      `{"event":"$set","distinct_id":"large","properties":{"$set":{"f":"${large}"}}}`,
      `{"event":"$groupidentify","distinct_id":"large","properties":{"$group_type":"t","$group_key":"k","$group_set":{"f":"${large}"}}}`,
    ];
    for (const event of first) assert.equal((await post("/batch/", copies(1, event))).status, 200);
    const sets = Array.from({ length: 300 }, (_, i) => `{"event":"$set","distinct_id":"large","properties":{"$set":{"n":${i}}}}`);
    const groups = Array.from(
      { length: 2_000 },
      (_, i) =>
        `{"event":"$groupidentify","distinct_id":"large","properties":{"$process_person_profile":true,"$group_type":"t","$group_key":"k","$group_set":{"n":${i}}}}`,
    );
    for (const events of [sets, groups]) {
      const answer = await packed("/batch/", `{"api_key":"${TOKEN}","batch":[${events}]}`);
      assert.equal(answer.status, 200);
    }
    await expectNoTrap();
    const reasons = new Set((await system.stream("rejects")).map((row) => row.reason));
    assert.ok(reasons.has("properties_left_out"), [...reasons].join());
  });
});
