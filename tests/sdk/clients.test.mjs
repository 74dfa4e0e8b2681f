// Unmodified clients on Node.js against local workerd: older and newer posthog-node, what is built on it, and
// the SDKs of browsers and phones that run without one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { promisify } from "node:util";
import { OpenFeature as OpenFeatureWeb } from "@openfeature/web-sdk";
import { OFREPWebProvider } from "@openfeature/ofrep-web-provider";
import { PostHog } from "posthog-node";
import { PostHog as PostHog4 } from "posthog-node-4";
import { PostHog as PostHogLite } from "posthog-js-lite";
import { condition, filter, flag } from "../lib/flags_document.mjs";
import { persistently, startSystem, TOKEN } from "../lib/harness.mjs";
import { proofs } from "./proofs.mjs";
import { loadReactNative } from "./react_native.mjs";

const { proves } = proofs(import.meta.url);
const PERSONAL = "phx_personal";
const SECRET = "phs_secret";
const FLAGS = {
  flags: [
    flag(1, "on", [condition()]),
    flag(2, "off", [condition([], { rollout_percentage: 0 })]),
    flag(3, "staff", [condition([{ ...filter("email", "@example.com"), operator: "icontains" }])]),
    flag(4, "look", [condition()], {
      filters: {
        multivariate: { variants: [{ key: "a", rollout_percentage: 100 }] },
        payloads: { a: '{"columns":2}' },
      },
    }),
    flag(5, "gold", [condition([{ ...filter("tier", "gold"), type: "group", group_type_index: 0 }])], {
      filters: { aggregation_group_type_index: 0 },
    }),
    // Only the server knows who is in it.
    flag(6, "sticky", [condition([], { rollout_percentage: 100 })], { ensure_experience_continuity: true }),
  ],
  group_type_mapping: { 0: "company" },
};
const PATIENCE = { featureFlagsRequestTimeoutMs: 60_000 };

let system;
before(async () => {
  system = await startSystem({
    vars: {
      HOGFLARE_FEATURE_FLAGS: JSON.stringify(FLAGS),
      POSTHOG_PERSONAL_API_KEY: PERSONAL,
      POSTHOG_PROJECT_SECRET: SECRET,
      POSTHOG_GROUP_TYPE_0: "company",
    },
  });
});
after(async () => {
  assert.deepEqual(await system.bad(), [], "the sink refused nothing");
  assert.deepEqual(await system.stream("rejects"), [], "the Worker refused nothing");
  await system.stop();
});

const rowsOf = async (distinctId) => (await system.rows()).filter((row) => row.distinct_id === distinctId);
const eventsOf = (rows) => rows.map((row) => row.event);
const onePerson = (rows) => assert.equal(new Set(rows.map((row) => row.person_id)).size, 1, "one person");

describe("posthog-node 4.18.0", () => {
  const SDK = "posthog-node 4.18.0";
  it(
    "captures; identify, alias and groups reach their person",
    proves(SDK, ["capture", "people", "groups", "exceptions"], async () => {
      const client = new PostHog4(TOKEN, { host: system.url });
      client.capture({ distinctId: "four", event: "purchase", properties: { text: "grüße 🦔", amount: 29.99 } });
      await client.flush();
      client.identify({ distinctId: "four", properties: { email: "4@example.com" } });
      client.alias({ distinctId: "four", alias: "four-too" });
      client.groupIdentify({ groupType: "company", groupKey: "four-acme", properties: { size: 4 }, distinctId: "four" });
      await client.flush();
      client.capture({ distinctId: "four-too", event: "after", groups: { company: "four-acme" } });
      client.captureException(new TypeError("four"), "four");
      await client.shutdown();
      const rows = await rowsOf("four");
      assert.equal(rows[0].properties.text, "grüße 🦔");
      assert.ok(eventsOf(rows).includes("$exception"));
      const [later] = await rowsOf("four-too");
      onePerson([...rows, later]);
      assert.equal(later.person_properties.email, "4@example.com");
      assert.equal(later.group_properties.company.size, 4);
    }),
  );

  it(
    "reads flags from the server, and by definitions",
    proves(SDK, ["flags", "local flags"], async () => {
      const asking = new PostHog4(TOKEN, { host: system.url, ...PATIENCE });
      const given = { personProperties: { email: "x@example.com" } };
      await persistently(async () => assert.equal((await asking.getAllFlags("four", given)).staff, true));
      assert.equal(await asking.getFeatureFlag("look", "four"), "a");
      assert.deepEqual(await asking.getFeatureFlagPayload("look", "four"), { columns: 2 });
      await asking.shutdown();
      const local = new PostHog4(TOKEN, { host: system.url, personalApiKey: PERSONAL, ...PATIENCE });
      await local.reloadFeatureFlags();
      const own = { ...given, onlyEvaluateLocally: true, sendFeatureFlagEvents: false };
      assert.equal(await local.getFeatureFlag("staff", "four", own), true);
      assert.equal(await local.getFeatureFlag("staff", "guest", { ...own, personProperties: { email: "x" } }), false);
      assert.equal(await local.getFeatureFlag("look", "four", own), "a");
      await local.shutdown();
    }),
  );
});

describe("posthog-node 5.70.0", () => {
  const SDK = "posthog-node 5.70.0";
  it(
    "captures, aliases, groups and reports exceptions",
    proves(SDK, ["capture", "people", "groups", "exceptions"], async () => {
      const client = new PostHog(TOKEN, { host: system.url });
      client.capture({ distinctId: "five", event: "purchase" });
      await client.flush();
      client.identify({ distinctId: "five", properties: { email: "5@example.com" } });
      client.alias({ distinctId: "five", alias: "five-too" });
      client.groupIdentify({ groupType: "company", groupKey: "five-acme", properties: { size: 5 }, distinctId: "five" });
      await client.flush();
      client.capture({ distinctId: "five-too", event: "after", groups: { company: "five-acme" } });
      client.captureException(new TypeError("five"), "five");
      await client.shutdown();
      const rows = await rowsOf("five");
      const exception = rows.find((row) => row.event === "$exception");
      assert.equal(exception.properties.$exception_list[0].type, "TypeError");
      const [later] = await rowsOf("five-too");
      onePerson([...rows, later]);
      assert.equal(later.group_properties.company.size, 5);
    }),
  );

  it(
    "reads definitions with the project's secret key, and stays strict",
    proves(SDK, ["flags", "local flags"], async () => {
      const asked = [];
      const counting = (url, init) => {
        asked.push(new URL(url).pathname);
        return fetch(url, init);
      };
      const strict = new PostHog(TOKEN, {
        host: system.url,
        secretKey: SECRET,
        strictLocalEvaluation: true,
        fetch: counting,
        ...PATIENCE,
      });
      assert.equal(await strict.waitForLocalEvaluationReady(60_000), true);
      const given = { personProperties: { email: "x@example.com" }, sendFeatureFlagEvents: false };
      const flags = await strict.getAllFlags("strict", given);
      assert.deepEqual([flags.on, flags.staff, flags.look], [true, true, "a"]);
      assert.equal(await strict.getFeatureFlag("sticky", "strict", given), undefined, "only the server knows");
      assert.ok(asked.length > 0 && asked.every((path) => path.includes("definitions")), asked.join(" "));
      await strict.shutdown();

      const lenient = new PostHog(TOKEN, { host: system.url, secretKey: SECRET, ...PATIENCE });
      await persistently(async () => assert.equal(await lenient.getFeatureFlag("sticky", "strict", given), true));
      await lenient.shutdown();
    }),
  );
});

describe("SDKs of browsers and phones", () => {
  it(
    "posthog-js-lite captures, identifies, groups and reads flags",
    proves("posthog-js-lite 4.12.1", ["capture", "people", "groups", "flags"], async () => {
      const client = new PostHogLite(TOKEN, { host: system.url, persistence: "memory", flushAt: 100, ...PATIENCE });
      client.capture("seen", { text: "grüße" });
      await client.flush();
      const anonymous = client.getDistinctId();
      client.identify("lite", { email: "lite@example.com" });
      client.group("company", "lite-acme", { size: 3 });
      client.capture("after");
      client.setPersonPropertiesForFlags({ email: "lite@example.com" });
      await persistently(async () => assert.equal((await client.reloadFeatureFlagsAsync()).staff, true));
      assert.equal(client.getFeatureFlag("look"), "a");
      assert.deepEqual(client.getFeatureFlagPayload("look"), { columns: 2 });
      await client.shutdown();
      const rows = await rowsOf("lite");
      onePerson([...(await rowsOf(anonymous)), ...rows]);
      const later = rows.find((row) => row.event === "after");
      assert.equal(later.person_properties.email, "lite@example.com");
      assert.equal(later.group_properties.company.size, 3);
    }),
  );

  it(
    "posthog-react-native captures, identifies, resets, groups and reads flags",
    proves("posthog-react-native 4.78.0, React Native mocked", ["capture", "people", "groups", "flags"], async () => {
      const ReactNative = loadReactNative();
      const client = new ReactNative(TOKEN, { host: system.url, persistence: "memory", flushAt: 100, ...PATIENCE });
      await client.ready();
      client.capture("seen");
      await client.flush();
      const anonymous = client.getDistinctId();
      client.identify("native", { email: "rn@example.com" });
      client.group("company", "rn-acme", { size: 7 });
      client.screen("Checkout", { step: 2 });
      client.setPersonPropertiesForFlags({ email: "rn@example.com" }, false);
      await persistently(async () => assert.equal((await client.reloadFeatureFlagsAsync())?.staff, true));
      assert.equal(client.getFeatureFlag("look"), "a");
      assert.deepEqual(client.getFeatureFlagPayload("look"), { columns: 2 });
      client.reset();
      client.capture("after the reset");
      const next = client.getDistinctId();
      await client.shutdown();
      const rows = await rowsOf("native");
      onePerson([...(await rowsOf(anonymous)), ...rows]);
      const screen = rows.find((row) => row.event === "$screen");
      assert.equal(screen.properties.$screen_name, "Checkout");
      assert.equal(screen.group_properties.company.size, 7);
      const [other] = (await rowsOf(next)).filter((row) => row.event === "after the reset");
      assert.notEqual(other.person_id, screen.person_id);
    }),
  );

  it(
    "OpenFeature in a page reads all flags at once and asks again with an ETag",
    proves("OFREP web provider 0.4.3", ["flags"], async () => {
      const answers = [];
      const provider = new OFREPWebProvider({
        baseUrl: system.url,
        headers: [["Authorization", `Bearer ${TOKEN}`]],
        pollInterval: 0,
        timeoutMs: 60_000,
        fetchImplementation: async (url, init) => {
          const response = await fetch(url, init);
          answers.push(response.status);
          return response;
        },
      });
      await OpenFeatureWeb.setContext({ targetingKey: "web", email: "w@example.com" });
      await OpenFeatureWeb.setProviderAndWait(provider);
      const client = OpenFeatureWeb.getClient();
      assert.equal(client.getBooleanValue("staff", false), true);
      assert.equal(client.getBooleanValue("off", true), false);
      const look = client.getStringDetails("look", "default");
      assert.deepEqual([look.value, look.variant], ["a", "a"]);
      assert.equal(client.getBooleanDetails("no-such-flag", true).errorCode, "FLAG_NOT_FOUND");
      await OpenFeatureWeb.setContext({ targetingKey: "web", email: "w@elsewhere.org" });
      assert.equal(client.getBooleanValue("staff", true), false);
      await OpenFeatureWeb.setContext({ targetingKey: "web", email: "w@elsewhere.org" });
      assert.deepEqual(answers, [200, 200, 304]);
      await OpenFeatureWeb.close();
    }),
  );
});

describe("@flags-sdk/posthog 0.2.2", () => {
  it(
    "decides for Vercel's flags, by the server and by definitions",
    proves("@flags-sdk/posthog 0.2.2", ["flags", "local flags"], async () => {
      for (const personal of ["", PERSONAL]) {
        const words = [join(import.meta.dirname, "flags_sdk_client.mjs"), system.url, TOKEN, personal];
        const { stdout } = await promisify(execFile)(process.execPath, words, { timeout: 120_000 });
        assert.deepEqual(JSON.parse(stdout), { on: true, off: false, look: "a", columns: 2 });
      }
    }),
  );
});
