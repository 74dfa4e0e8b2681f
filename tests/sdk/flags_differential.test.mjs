// Thousands of generated flags and people: the SDKs' own local evaluators, fed by Hogflare's
// definitions feed, must answer as Hogflare does, or decline and ask the server.
//
//   HOGFLARE_SEED=7 HOGFLARE_DEFINITIONS=10000 node --test tests/sdk/flags_differential.test.mjs
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { PostHog } from "posthog-node";
import { flagsGenerator } from "../lib/flags_generator.mjs";

const ROOT = join(import.meta.dirname, "../..");
const TOOL = join(ROOT, "build/native/flags_answers");
const FOLDER = join(ROOT, "build/differential");
const PYTHON = join(ROOT, ".venv/bin/python");
const SEED = Number(process.env.HOGFLARE_SEED ?? 20261122);
const FLAGS = 6;
const PEOPLE = 5;
/** A slice in every run of the suite; HOGFLARE_DEFINITIONS=10000 for all. */
const DEFINITIONS = Number(process.env.HOGFLARE_DEFINITIONS ?? 1800);
const DOCUMENTS = Math.ceil(DEFINITIONS / FLAGS);
/** Documents that the tool is given at once. */
const AT_ONCE = 100;

const { times, flag, cohort, person } = flagsGenerator(SEED);

function generate() {
  const now = Date.now();
  return times(DOCUMENTS, () => {
    const document = JSON.stringify({ flags: times(FLAGS, flag), cohorts: [cohort(1), cohort(2)] });
    return { document, now_ms: now, people: times(PEOPLE, person) };
  });
}

/** Hogflare's answers: per case the feed, and per person the values. */
function answers(cases) {
  const slices = Array.from({ length: Math.ceil(cases.length / AT_ONCE) }, (_, i) => cases.slice(i * AT_ONCE, (i + 1) * AT_ONCE));
  return slices.flatMap(answersTo);
}

/** @param {any[]} cases of one call */
function answersTo(cases) {
  const lines = cases.flatMap(({ document, now_ms, people }) => people.map((request) => JSON.stringify({ document, now_ms, request })));
  const output = execFileSync(TOOL, { input: lines.join("\n") + "\n", maxBuffer: 1 << 28 });
  const reports = output.toString().trim().split("\n").map(JSON.parse);
  return cases.map((_, i) => {
    const own = reports.slice(i * PEOPLE, (i + 1) * PEOPLE);
    for (const report of own) assert.equal(report.ok, true, report.error);
    return { feed: own[0].feed, values: own.map((report) => report.legacy.featureFlags) };
  });
}

assert.ok(existsSync(TOOL), "build/native/flags_answers is missing; run scripts/build native");
const cases = generate();
const expected = answers(cases);

test(`posthog-node answers as Hogflare does (${DOCUMENTS * FLAGS} definitions, seed ${SEED})`, async () => {
  let compared = 0;
  let declined = 0;
  const warn = console.warn;
  console.warn = () => {}; // the SDK names every flag it will ask the server for
  for (const [i, { feed, values }] of expected.entries()) {
    const client = new PostHog("phc_test", {
      host: "http://127.0.0.1:9",
      personalApiKey: "phx_test",
      fetch: async () => ({
        status: 200,
        headers: new Headers(),
        json: async () => feed,
        text: async () => JSON.stringify(feed),
      }),
    });
    for (const [j, { distinct_id, person_properties }] of cases[i].people.entries()) {
      const local = await client.getAllFlags(distinct_id, {
        personProperties: person_properties,
        onlyEvaluateLocally: true,
      });
      for (const { key, filters } of feed.flags) {
        if (!(key in local)) {
          declined += 1;
          continue;
        }
        compared += 1;
        const detail = JSON.stringify({ key, filters, person: cases[i].people[j] });
        assert.equal(local[key], values[j][key] ?? false, detail);
      }
    }
    await client.shutdown();
  }
  console.warn = warn;
  console.log(`posthog-node: ${compared} values equal, ${declined} left to the server`);
  assert.ok(compared > DOCUMENTS * FLAGS * PEOPLE * 0.4, "too few flags were evaluated locally");
});

test(`posthog-python answers as Hogflare does (${DOCUMENTS * FLAGS} definitions, seed ${SEED})`, () => {
  assert.ok(existsSync(PYTHON), ".venv is missing; run scripts/setup");
  mkdirSync(FOLDER, { recursive: true });
  const file = join(FOLDER, "flags.json");
  const joined = cases.map(({ people }, i) => ({ people, ...expected[i] }));
  writeFileSync(file, JSON.stringify(joined));
  const output = execFileSync(PYTHON, [join(import.meta.dirname, "flags_differential.py"), file], { maxBuffer: 1 << 28 });
  const { compared, declined, different } = JSON.parse(output.toString());
  console.log(`posthog-python: ${compared} values equal, ${declined} left to the server`);
  assert.deepEqual(different, []);
  assert.ok(compared > DOCUMENTS * FLAGS * PEOPLE * 0.4, "too few flags were evaluated locally");
});
