// Nothing from outside takes the isolate down (docs/SECURITY.md): small requests that ask for a lot, in
// every shape, packing and route, beside a steady innocent client. It must see no answer but 200 and
// none for which the Worker makes it wait 20 times its own median of the quiet time; the core must not
// trap; and what the instance holds after it all is bounded.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startWorker } from "../../scripts/lib/worker.mjs";
import { flag } from "../lib/flags_document.mjs";
import { TOKEN } from "../lib/harness.mjs";
import { COOKIELESS_SHAPES, FLAG_SHAPES, OFREP_SHAPES, PACKINGS, SHAPES, V1_SHAPES } from "../lib/hostile_bodies.mjs";
import { startSink, startSteadyClient } from "../lib/steady_client.mjs";
import { gauge, v1Headers } from "./support.mjs";

const MB = 1 << 20;
const ADMIN = "admin";
/** kRequestMemoryBytesMax, which is admitted, what the core has besides, and gaps between blocks. */
const MEMORY_BYTES_MAX = 64 * MB;
/** No answer may take so many times the median of the quiet time, if it is the Worker that computes meanwhile. */
const SLOWDOWN_MAX = 20;
/** What the sink takes to answer, less than half of the real one's: a floor for what is usual, so that a hiccup of
 * the machine is none of the Worker's. */
const SINK_MS = 150;

const FLAGS = {
  flags: [
    flag(1, "sticky", [{ properties: [], rollout_percentage: 50 }], { ensure_experience_continuity: true }),
    flag(2, "pro", [{ properties: [{ key: "plan", value: "pro", operator: "exact", type: "person" }], rollout_percentage: 100 }]),
    flag(4, "new-version", [{ properties: [{ key: "$app_version", value: "1.2.3", operator: "semver_gte", type: "person" }] }]),
    flag(5, "words", [{ properties: [{ key: "$app_version", value: "\\ba\\b", operator: "regex", type: "person" }] }]),
    flag(3, "company", [{ properties: [], rollout_percentage: 100 }], { filters: { aggregation_group_type_index: 0 } }),
  ],
  group_type_mapping: { 0: "company" },
};

let sink;
let worker;
let client;
let stateDir;
/** The Worker's log lines that say how it fell. */
const falls = [];
/** The client's median before the first attack, when its rows went to the sink. */
let restMs = 0;

before(async () => {
  sink = await startSink({ delayMs: SINK_MS });
  stateDir = mkdtempSync(join(tmpdir(), "hogflare-hostile-"));
  worker = await startWorker({
    stateDir,
    vars: {
      CLOUDFLARE_PIPELINE_ENDPOINT: `${sink.url}/`,
      CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: `${sink.url}/streams/persons`,
      CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT: `${sink.url}/streams/rejects`,
      HOGFLARE_ADMIN_TOKEN: ADMIN,
      HOGFLARE_COOKIELESS: "stateful",
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
    },
    onLog: ({ message }) => message.includes("core_trap") && falls.push(message),
  });
  client = await startSteadyClient({ url: worker.url, token: TOKEN });
  // The first answers make objects and fill caches.
  await client.measure(() => sleep(1_000));
  restMs = await quietMs();
});
after(async () => {
  await client.stop();
  await worker.dispose();
  await sink.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

const metric = (name) => gauge(worker.url, ADMIN, name);

/** Sends one attack; its status, 0 when there was none. */
async function strike(path, packed, headers = {}) {
  const target = packed.query === undefined ? path : `${path}${path.includes("?") ? "&" : "?"}${packed.query}`;
  try {
    const response = await fetch(worker.url + target, {
      method: packed.body === null ? "GET" : "POST",
      headers: { ...packed.headers, ...headers },
      body: packed.body,
    });
    const text = await response.text();
    if (response.status === 503) assert.match(response.headers.get("retry-after") ?? "", /^\d+$/, text);
    return response.status;
  } catch (error) {
    if (error instanceof assert.AssertionError) throw error;
    return 0;
  }
}

/** The client's median while nobody attacks. */
async function quietMs() {
  const quiet = await client.measure(() => sleep(1_000));
  assert.deepEqual(
    quiet.filter((answer) => answer.status !== 200),
    [],
  );
  return median(quiet.map((answer) => answer.ms));
}

/**
 * Runs attacks beside the innocent client, each given with its name, and looks at both. What is usual is
 * measured before and after too, for a machine may have become busier meanwhile; that before the first attack
 * counts as well, for an answer is much quicker while the rows go to the outbox, as they do for a while after
 * the sink was slow.
 * @param {[string, () => Promise<number | number[]>][]} attacks
 * @param {(status: number) => boolean} isAnswer which statuses an attack may get
 */
async function besideTheInnocent(attacks, isAnswer = (status) => status >= 200 && status < 500) {
  const quietBefore = await quietMs();
  /** @type {[string, {path: string, status: number, ms: number, cpuMs: number}][]} */
  const seen = [];
  for (const [name, attack] of attacks) {
    let statuses = [];
    const answers = await client.measure(async () => {
      statuses = [await attack()].flat();
    });
    seen.push(...answers.map((answer) => /** @type {[string, any]} */ ([name, answer])));
    assert.deepEqual(
      statuses.filter((status) => !isAnswer(status)),
      [],
      `${name} is answered; ${falls}`,
    );
    assert.deepEqual(
      answers.filter((answer) => answer.status !== 200),
      [],
      `beside ${name}; ${falls}`,
    );
  }
  const usualMs = Math.max(restMs, quietBefore, await quietMs());
  const slow = seen.filter(([, answer]) => Math.min(answer.ms, answer.cpuMs) > SLOWDOWN_MAX * usualMs);
  assert.deepEqual(slow, [], `${usualMs.toFixed(1)} ms are usual`);
  assert.equal(await metric("hogflare_traps_total"), 0, falls.join("\n"));
}

/** Every shape in every packing that fits, on the path. */
function everything(path, shapes, packings, { list = "batch", headers = () => ({}) } = {}) {
  const attacks = [];
  for (const [shape, make] of Object.entries(shapes)) {
    const text = make(list);
    for (const packing of packings) {
      const packed = PACKINGS[packing](text);
      if (packed === null) continue;
      attacks.push([`${shape} as ${packing} at ${path}`, () => strike(path, packed, headers(packed))]);
    }
  }
  return attacks;
}

const ALL = Object.keys(PACKINGS);
const pick = (shapes, names) => Object.fromEntries(names.map((name) => [name, shapes[name]]));
/** One of each kind: many events, many values, blanks, one long text, and what identity makes of it. */
const ONE_OF_EACH = pick(SHAPES, [
  "a million events of nothing",
  "events of nothing and blanks",
  "two million numbers",
  "a name of NULs",
  "20,000 colliding properties",
  "levels to the limit and two million values",
]);

const asBatch = (events) => `{"api_key":"${TOKEN}","batch":[${events.join(",")}]}`;
const sent = (text) => strike("/batch/", PACKINGS.plain(text));
const many = (count, event) => asBatch(Array.from({ length: count }, (_, i) => event(i)));
/** About a megabyte each, which is no attack by itself. */
const AVERAGE = {
  "6,000 changes of forty people": many(
    6_000,
    (i) => `{"event":"$identify","distinct_id":"some${i % 40}","properties":{"$set":{"a${i % 7}":"${"x".repeat(150)}","b":${i}}}}`,
  ),
  "4,000 changes of twenty groups": many(
    4_000,
    (i) =>
      `{"event":"$groupidentify","distinct_id":"g","properties":{"$group_type":"company","$group_key":"some${i % 20}","$group_set":{"a${i}":"${"x".repeat(200)}"}}}`,
  ),
  "12,000 small events": many(12_000, (i) => `{"event":"e","distinct_id":"small","properties":{"a":${i},"b":"0123456789","d":[1,2,3]}}`),
};

describe("beside a steady client", () => {
  for (const packing of ["plain", "gzip"]) {
    it(`every shape as ${packing}`, async () => {
      await besideTheInnocent(everything("/batch/", SHAPES, [packing]));
    });
  }

  it("one of each kind in every packing", async () => {
    await besideTheInnocent(everything("/batch/", ONE_OF_EACH, ALL));
  });

  it("one of each kind at every capture route", async () => {
    const routes = {
      "/e/": "batch",
      "/engage/": "data",
      "/i/v0/e/": "batch",
      "/s/": "batch",
      "/i/v0/ai/batch/": "batch",
      "/identify": "data",
      "/alias": "data",
      "/groups": "batch",
    };
    for (const [path, list] of Object.entries(routes)) {
      await besideTheInnocent(everything(path, ONE_OF_EACH, ["gzip"], { list }));
    }
  });

  it("every shape of capture v1", async () => {
    const headers = (packed) => v1Headers({ "content-encoding": packed.headers["content-encoding"] });
    await besideTheInnocent(
      everything("/i/v1/analytics/events", V1_SHAPES, ["plain", "gzip", "deflate", "brotli", "zstd", "gzip twice"], { headers }),
    );
  });

  it("visitors without cookies", async () => {
    await besideTheInnocent(everything("/batch/", COOKIELESS_SHAPES, ["plain", "gzip"]));
  });

  it("recordings that grow when they are written", async () => {
    const recording = (data) =>
      `[{"event":"$snapshot","properties":{"token":"${TOKEN}","distinct_id":"hostile","$session_id":"s","$window_id":"w","$snapshot_data":${data}}}]`;
    const shapes = {
      "31 MB of quotes": () => recording(`["${'\\"'.repeat(15_800_000)}"]`),
      "31 MB of small items": () => recording(`[${"1,".repeat(15_800_000)}1]`),
      "a token of 30 MB": () => recording("[1]").replace(`"${TOKEN}"`, `"\\n${"a".repeat(30_000_000)}"`),
    };
    await besideTheInnocent(everything("/s/", shapes, ["gzip"]));
  });

  it("texts that stand in memory more often than in the body", async () => {
    const long = "x".repeat(18 * MB);
    const recordings = Array.from(
      { length: 50_000 },
      (_, i) => `{"properties":{"distinct_id":"hostile","$session_id":"${i % 2}","$snapshot_data":[]}}`,
    );
    // Of 200 characters, in the bytes that a header has.
    const agent = Buffer.from(`posthog${"\u{1f600}".repeat(193)}`).toString("latin1");
    const ids = Array.from(
      { length: 4 },
      (_, i) => `{"properties":{"distinct_id":"${"x".repeat(7_900_000)}","$session_id":"${i % 2}","$snapshot_data":[]}}`,
    );
    /** @type {[string, () => Promise<number>][]} */
    const attacks = [
      ["an alias of 18 MB", () => strike("/alias", PACKINGS.gzip(`{"api_key":"${TOKEN}","distinct_id":"hostile","alias":"${long}"}`))],
      ["a group's key of 18 MB", () => strike("/groups", PACKINGS.gzip(`{"api_key":"${TOKEN}","group_type":"g","group_key":"${long}"}`))],
      ["50,000 recordings of a long agent", () => strike("/s/", PACKINGS.gzip(asBatch(recordings)), { "user-agent": agent })],
      ["recordings of ids of 8 MB", () => strike("/s/", PACKINGS.gzip(asBatch(ids)))],
      [
        "escapes in an event that is refused",
        () =>
          strike(
            "/e/",
            PACKINGS.gzip(`{"api_key":"${TOKEN}","event":"e","distinct_id":"u","properties":{"a":"${"\\u00e9".repeat(5_590_000)}"}}`),
          ),
      ],
    ];
    // Some want nearly all the memory there is, of which the client has a little.
    await besideTheInnocent(attacks, (status) => status === 503 || (status >= 200 && status < 500));
  });

  it("a person whose properties are long to compare", async () => {
    const poisons = [
      `"$screen_width":0.${"0".repeat(300_000)}1,"$initial_screen_width":1`,
      `"$current_url":"\\n${"x".repeat(300_000)}","$initial_current_url":1`,
    ];
    const attacks = poisons.flatMap((poison, i) => [
      [`making it, ${i}`, () => sent(asBatch([`{"event":"$set","distinct_id":"poisoned${i}","properties":{"$set":{${poison}}}}`]))],
      [
        `4,000 events of it, ${i}`,
        () =>
          sent(
            asBatch(Array(4_000).fill(`{"event":"e","distinct_id":"poisoned${i}","properties":{"$screen_width":2,"$current_url":"u"}}`)),
          ),
      ],
    ]);
    await besideTheInnocent(/** @type {any} */ (attacks));
  });

  it("every question about flags", async () => {
    await besideTheInnocent(
      everything("/flags/?v=2", FLAG_SHAPES, ["plain", "gzip", "base64", "base64 of gzip", "a form of JSON", "a query of base64 of gzip"]),
    );
    await besideTheInnocent(everything("/decide/?v=3", FLAG_SHAPES, ["plain"]));
    const headers = () => ({ authorization: `Bearer ${TOKEN}`, "content-type": "application/json" });
    await besideTheInnocent(everything("/ofrep/v1/evaluate/flags", OFREP_SHAPES, ["plain"], { headers }));
    await besideTheInnocent(everything("/ofrep/v1/evaluate/flags/sticky", OFREP_SHAPES, ["plain"], { headers }));
  });

  it("paths and queries as long as they may be", async () => {
    const long = "a".repeat(12_000);
    const targets = [
      `/array/${long}/config.js`,
      `/array/${TOKEN}/config?${long}`,
      `/api/surveys/?token=${long}`,
      `/api/projects/${long}/feature_flags/x/remote_config`,
      `/flags/definitions?token=${long}`,
      `/e/?data=${"%2B".repeat(4_000)}`,
      `/batch/?${"&".repeat(12_000)}`,
      `/e/?${"data=a&".repeat(1_700)}`,
      `/${"/".repeat(12_000)}`,
    ];
    await besideTheInnocent(targets.map((target) => [target.slice(0, 40), () => strike(target, { body: null, headers: {} })]));
  });

  it("a large person on each of many small events, and changed by each of them", async () => {
    await besideTheInnocent([
      [
        "making the person",
        () => sent(asBatch([`{"event":"$set","distinct_id":"large","properties":{"$set":{"a":"${"x".repeat(600_000)}"}}}`])),
      ],
      ["1,500 events of it", () => sent(asBatch(Array(1_500).fill('{"event":"e","distinct_id":"large"}')))],
      [
        "3,000 changes of it",
        () =>
          sent(asBatch(Array.from({ length: 3_000 }, (_, i) => `{"event":"e","distinct_id":"large","properties":{"$set":{"n":${i}}}}`))),
      ],
      [
        "300 changes around it",
        () =>
          sent(
            asBatch(Array.from({ length: 300 }, (_, i) => `{"event":"e","distinct_id":"large","properties":{"$set":{"n":${i},"z":${i}}}}`)),
          ),
      ],
    ]);
  });

  it("a person that somebody tries to mine stays writable", async () => {
    const key = "a".repeat(2_000_000);
    await besideTheInnocent(
      [
        [
          "a hash key of 2 MB",
          () => strike("/flags/?v=2", PACKINGS.gzip(`{"token":"${TOKEN}","distinct_id":"victim","$anon_distinct_id":"${key}"}`)),
        ],
        [
          "ids of 2 MB",
          () =>
            sent(
              asBatch([
                `{"event":"$identify","distinct_id":"victim","properties":{"$anon_distinct_id":"${key}"}}`,
                `{"event":"$create_alias","distinct_id":"victim","properties":{"alias":"${key}"}}`,
              ]),
            ),
        ],
        [
          "its own $set",
          () => sent(asBatch([`{"event":"$set","distinct_id":"victim","properties":{"$set":{"a":"${"x".repeat(2_000)}"}}}`])),
        ],
      ],
      (status) => status === 200,
    );
  });

  it("many at once: what does not fit is asked for again", async () => {
    const blanks = PACKINGS.gzip(SHAPES["30 MB of blanks"]("batch"));
    const nothings = PACKINGS.gzip(SHAPES["a million events of nothing"]("data"));
    const atOnce = (count, path, packed) => () => Promise.all(Array.from({ length: count }, () => strike(path, packed)));
    await besideTheInnocent(
      [
        ["four of 30 MB", atOnce(4, "/batch/", blanks)],
        ["fourteen of a million events", atOnce(14, "/engage/", nothings)],
        ...Object.entries(AVERAGE).map(([name, text]) => [`forty of ${name}`, atOnce(40, "/batch/", PACKINGS.gzip(text))]),
      ],
      (status) => status === 503 || (status >= 200 && status < 500),
    );
  });

  it("bad events become few rows, and nothing is sent that is larger than a sink takes", async () => {
    const before = (await sink.seen())["rejects"]?.rows ?? 0;
    await besideTheInnocent([["50,000 bad events", () => sent(SHAPES["50,000 bad events"]("batch"))]]);
    const seen = await sink.seen();
    assert.ok(seen.rejects.rows - before <= 1_001, `${seen.rejects.rows - before} reject rows`);
    for (const { largest } of Object.values(seen)) assert.ok(largest <= 5_000_000);
  });

  it("after it all the instance holds at most 64 MB", async () => {
    const bytes = await metric("hogflare_wasm_memory_bytes");
    console.log(`the instance holds ${(bytes / MB).toFixed(1)} MB`);
    assert.ok(bytes <= MEMORY_BYTES_MAX, `${(bytes / MB).toFixed(1)} MB`);
  });
});
