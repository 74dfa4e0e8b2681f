// Definitions at their limits, one set replacing another beside a body at its limit: the core does not trap,
// and the instance holds what an isolate can spare (memory.test.mjs).
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { startWorker } from "../../scripts/lib/worker.mjs";
import { TOKEN } from "../lib/harness.mjs";
import { startSink } from "../lib/steady_client.mjs";
import { gauge } from "./support.mjs";

const MB = 1 << 20;
const ADMIN = "admin";
const KEY = "flags";
const WASM_BYTES_MAX = 92 * MB;
/** kFlagsNodesMax, kFlagsMax and kFlagDefinitionsBytesMax. */
const NODES_MAX = 150_000;
const FLAGS_MAX = 10_000;
const BYTES_MAX = 4 * MB;

let sink;
let worker;
let stateDir;
before(async () => {
  sink = await startSink({ delayMs: 0 });
  stateDir = mkdtempSync(join(tmpdir(), "hogflare-flags-memory-"));
  worker = await startWorker({
    stateDir,
    vars: {
      CLOUDFLARE_PIPELINE_ENDPOINT: `${sink.url}/`,
      HOGFLARE_ADMIN_TOKEN: ADMIN,
      HOGFLARE_ANSWER_WITHIN_SECS: "60",
      CLOUDFLARE_PIPELINE_TIMEOUT_SECS: "60",
      HOGFLARE_FLAGS_KV_KEY: KEY,
      HOGFLARE_FLAGS_TTL_SECS: "1",
    },
  });
});
after(async () => {
  await worker.dispose();
  await sink.stop();
  rmSync(stateDir, { recursive: true, force: true });
});

const metric = (name) => gauge(worker.url, ADMIN, name);

async function post(path, body) {
  const response = await fetch(worker.url + path, { method: "POST", headers: { "content-type": "application/json" }, body });
  return { status: response.status, text: await response.text() };
}

/** The keys of all flags that are on for somebody. */
async function keys() {
  const { status, text } = await post(
    "/flags/?v=2",
    JSON.stringify({ token: TOKEN, distinct_id: "u", flag_keys: ["first", "second", "third"] }),
  );
  assert.equal(status, 200, text);
  return Object.keys(JSON.parse(text).flags);
}

const nodesOf = (value) =>
  1 + (typeof value === "object" && value !== null ? Object.values(value).reduce((sum, item) => sum + nodesOf(item), 0) : 0);

/** A document of one flag named `name` and as many of `make`'s as may be. */
function documentOf(name, make) {
  const flags = [{ key: name, filters: { groups: [{}] } }];
  // Its list, its object and the first flag.
  let nodes = 2 + nodesOf(flags[0]);
  let bytes = 100;
  for (let i = 0; flags.length < FLAGS_MAX; i += 1) {
    const flag = make(i);
    nodes += nodesOf(flag);
    bytes += JSON.stringify(flag).length + 1;
    if (nodes > NODES_MAX || bytes > BYTES_MAX) break;
    flags.push(flag);
  }
  return JSON.stringify({ flags });
}

const filter = (key, value) => ({ key, value, operator: "icontains", type: "person" });
const SHAPES = {
  "flags as people write them": (i) => ({
    id: i,
    key: `a-flag-of-the-usual-length-${i}`,
    name: `What flag ${i} is for, in a sentence`,
    active: true,
    version: 3,
    ensure_experience_continuity: false,
    filters: {
      groups: [0, 1, 2].map((n) => ({
        properties: [filter("email", "@example.com"), filter(`property-${n}`, "a value")],
        rollout_percentage: 50,
        variant: null,
      })),
      multivariate: {
        variants: [
          { key: "control", rollout_percentage: 50 },
          { key: "test", rollout_percentage: 50 },
        ],
      },
      payloads: { control: '{"columns":2}' },
    },
  }),
  "long texts": (i) => ({ key: `f${i}`, name: "x".repeat(4_000), filters: { groups: [{}], payloads: { true: "y".repeat(4_000) } } }),
  "filters of little text": (i) => ({
    key: `f${i}`,
    filters: { groups: [{ properties: Array.from({ length: 1_000 }, (_, n) => ({ key: `p${(i * 1_000 + n).toString(36)}`, value: n })) }] },
  }),
  "conditions of nothing": (i) => ({ key: `f${i}`, filters: { groups: Array(5_000).fill({}) } }),
  "flags of nothing": (i) => ({ key: `f${i}` }),
  "filters at fault": (i) => ({
    key: `f${i}`,
    filters: { groups: [{ properties: Array.from({ length: 1_000 }, (_, n) => ({ key: `p${n}`, operator: "no such operator" })) }] },
  }),
};

const LARGE_BATCH = `{"api_key":"${TOKEN}","batch":[${Array(39)
  .fill(`{"event":"e","distinct_id":"u","properties":{"$process_person_profile":false,"text":"${"x".repeat(0.5 * MB)}"}}`)
  .join(",")}]}`;

describe("definitions at their limits", () => {
  for (const [name, make] of Object.entries(SHAPES)) {
    it(`${name} replace one another beside a body of 20 MB`, async () => {
      const namespace = await worker.getKVNamespace("FLAGS");
      for (const first of ["first", "second", "third"]) {
        const text = documentOf(first, make);
        await namespace.put(KEY, text);
        const sent = post("/batch/", LARGE_BATCH);
        for (let i = 0; (await keys().catch(() => [])).join() !== first; i += 1) {
          assert.ok(i < 100, `${first} is not taken (${text.length} bytes): ${await metric("hogflare_traps_total")} traps`);
          await sleep(100);
        }
        assert.equal((await sent).status, 200);
      }
      assert.equal(await metric("hogflare_traps_total"), 0);
      const bytes = await metric("hogflare_wasm_memory_bytes");
      console.log(`${name}: the instance holds ${(bytes / MB).toFixed(1)} MB`);
      assert.ok(bytes <= WASM_BYTES_MAX, `the instance holds ${(bytes / MB).toFixed(1)} MB`);
    });
  }
});

describe("people and groups at their limits", () => {
  it("are read by many requests at once: what finds no room fails its flags, and nothing traps", async () => {
    const types = ["a", "b", "c", "d", "e"];
    const properties = (type) => [{ key: "plan", value: "pro", ...type }];
    const conditions = [
      { properties: properties({ type: "person" }) },
      ...types.map((_, index) => ({ properties: properties({ type: "group", group_type_index: index }) })),
    ];
    const flags = conditions.map((one, i) => ({ id: i + 1, key: `reads-${i}`, filters: { groups: [one] } }));
    const namespace = await worker.getKVNamespace("FLAGS");
    await namespace.put(KEY, JSON.stringify({ flags, group_type_mapping: Object.fromEntries(types.entries()) }));
    // Which is some 12 MB when it is read, and three times that for a moment.
    const large = { plan: "pro", list: Array(200_000).fill(1) };
    const events = [
      { event: "$set", distinct_id: "large", properties: { $set: large } },
      ...types.map((type) => ({
        event: "$groupidentify",
        distinct_id: "large",
        properties: { $group_type: type, $group_key: "g", $group_set: large },
      })),
      { event: "$set", distinct_id: "usual", properties: { $set: { plan: "pro" } } },
    ];
    for (const event of events) assert.equal((await post("/e/", JSON.stringify({ api_key: TOKEN, ...event }))).status, 200);
    const ask = async (distinct_id, groups) => {
      const { status, text } = await post("/flags/?v=2", JSON.stringify({ token: TOKEN, distinct_id, groups }));
      return { status, answer: status === 200 ? JSON.parse(text) : {} };
    };
    const isOn = async () => (await ask("usual", {})).answer.flags?.["reads-0"]?.enabled === true;
    for (let i = 0; !(await isOn()); i += 1) {
      assert.ok(i < 100, "the flags are not taken");
      await sleep(100);
    }
    assert.equal((await ask("large", {})).answer.flags["reads-0"].enabled, true, "one alone has room");
    const groups = Object.fromEntries(types.map((type) => [type, "g"]));
    const answers = await Promise.all(Array.from({ length: 12 }, () => ask("large", groups)));
    for (const { status, answer } of answers) {
      assert.equal(status, 200);
      const failed = Object.values(answer.flags).some((flag) => flag.failed);
      assert.equal(answer.errorsWhileComputingFlags, failed);
    }
    assert.ok(await isOn());
    assert.equal(await metric("hogflare_traps_total"), 0);
    assert.ok((await metric("hogflare_wasm_memory_bytes")) <= WASM_BYTES_MAX);
  });
});
