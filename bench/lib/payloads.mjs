// The benchmarks' requests: what posthog-js sent in a browser (bench/requests) and what posthog-node
// sends, cut or padded to a size with properties as real events have them.
//
//   const { body, headers, path } = request({ shape: "browser", bytes: 1500, events: 50, gzip: true });
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

export const TOKEN = "phc_bench0000000000000000000000000000000000000000";
/** Requests recorded from posthog-js 1.449.2: name, path, headers, body. */
export const RECORDED = JSON.parse(readFileSync(new URL("../requests/posthog-js.json", import.meta.url), "utf8"));
const recorded = (name) => RECORDED.find((each) => each.name === name);
const BROWSER = JSON.parse(recorded("purchase").body);

const uuidOf = (index) => `01a20328-b8f6-7130-a602-${index.toString(16).padStart(12, "0")}`;

function serverEvent(index, personless) {
  return {
    distinct_id: `user-${index % 7}`,
    event: "order shipped",
    properties: {
      order: index,
      ...(personless ? { $process_person_profile: false } : {}),
      $lib: "posthog-node",
      $lib_version: "5.70.0",
      $geoip_disable: true,
    },
    uuid: uuidOf(index),
    timestamp: "2026-11-22T12:08:50.166Z",
    library: "posthog-node",
    library_version: "5.70.0",
  };
}

function browserEvent(index, personless) {
  const event = structuredClone(BROWSER.batch[0]);
  event.uuid = uuidOf(index);
  event.properties.distinct_id = `user-${index % 7}`;
  event.properties.$insert_id = `i${index}`;
  event.properties.$process_person_profile = !personless;
  return event;
}

const KEPT = new Set(["distinct_id", "token", "$process_person_profile", "$lib", "$current_url", "$session_id"]);
const TEXT = 'an error was thrown at "checkout" (https://shop.example.com/static/app.js:1:34567) in Zürich\n';

/** Brings an event to about `bytes` of JSON: leaves properties out, or adds some. */
function fit(event, bytes) {
  const size = () => Buffer.byteLength(JSON.stringify(event));
  for (const name of Object.keys(event.properties)) {
    if (size() <= bytes) break;
    if (!KEPT.has(name)) delete event.properties[name];
  }
  for (let i = 0; size() + 60 < bytes; i += 1) {
    const left = bytes - size();
    event.properties[`detail_${i}`] =
      left > 300
        ? { line: i, text: TEXT.slice(0, 96), ratio: i / 7, ok: i % 2 === 0, tags: ["a", "b", null] }
        : "x".repeat(Math.max(1, left - 20));
  }
  return event;
}

/**
 * @param {{shape: "browser" | "server", bytes: number, events: number, gzip?: boolean, personless?: boolean,
 *   distinctId?: (index: number) => string, first?: number}} what
 */
export function request({ shape, bytes, events, gzip = false, personless = true, distinctId, first = 0 }) {
  const make = shape === "browser" ? browserEvent : serverEvent;
  const batch = [];
  for (let i = 0; i < events; i += 1) {
    const event = fit(make(first + i, personless), bytes);
    if (distinctId !== undefined) {
      if (shape === "browser") event.properties.distinct_id = distinctId(first + i);
      else event.distinct_id = distinctId(first + i);
    }
    batch.push(event);
  }
  const text = JSON.stringify({ api_key: TOKEN, batch, sent_at: "2026-11-22T12:08:50.900Z" });
  const plain = new TextEncoder().encode(text);
  const headers = { "content-type": "application/json" };
  if (shape === "browser") Object.assign(headers, recorded("purchase").headers);
  else headers["user-agent"] = "posthog-node/5.70.0";
  let path = shape === "browser" ? "/e/" : "/batch/";
  if (gzip && shape === "browser") {
    path += "?compression=gzip-js";
    headers["content-type"] = "text/plain";
  } else if (gzip) {
    headers["content-encoding"] = "gzip";
  }
  return {
    name: `${shape} ${events === 1 ? "single" : `batch of ${events}`} ${bytes / 1000} KB${gzip ? " gzip" : ""}${personless ? "" : " with people"}`,
    path,
    headers,
    plain,
    body: gzip ? new Uint8Array(gzipSync(plain)) : plain,
    events,
  };
}

/** What a shop's server tells of an order, beside what its SDK adds. */
const ORDER = {
  order_id: "ord_01JD7Q2M8ZK4V9T3C5XW6B1N0P",
  plan: "team",
  amount: 149.5,
  currency: "EUR",
  items: 3,
  coupon: "AUTUMN-2026",
  payment_method: "sepa_debit",
  shipping: "express",
  warehouse: "hamburg-2",
  is_first_order: false,
  tags: ["returning", "newsletter"],
  path: "/v1/orders",
  status: 201,
  duration_ms: 48.2,
  release: "2026.11.3+4f1c2a9",
};

/** A batch of the event that a server's SDK sent (tests/golden), with an order's properties instead of the recording's own.
 * @param {{sdk: string, events: number, distinctId: (index: number) => string, first: number}} what */
export function recordedServer({ sdk, events, distinctId, first }) {
  const { requests } = JSON.parse(readFileSync(new URL(`../../tests/golden/${sdk}.json`, import.meta.url), "utf8"));
  const sent = requests
    .filter((each) => each.path.startsWith("/batch") && !each.headers.some(([name]) => name.toLowerCase() === "content-encoding"))
    .map((each) => ({ headers: each.headers, body: JSON.parse(Buffer.from(each.body, "base64").toString()) }))
    .find((each) => each.body.batch.some((event) => event.event === "purchase"));
  const original = sent.body.batch.find((event) => event.event === "purchase");
  const { amount, count, text, nested, ...added } = original.properties;
  const batch = Array.from({ length: events }, (_, i) => ({
    ...original,
    uuid: uuidOf(first + i),
    distinct_id: distinctId(first + i),
    properties: { ...ORDER, order_id: `${ORDER.order_id.slice(0, -6)}${String(first + i).padStart(6, "0")}`, ...added },
  }));
  const agent = sent.headers.find(([name]) => name.toLowerCase() === "user-agent");
  return {
    path: "/batch/",
    headers: { "content-type": "application/json", ...(agent ? { "user-agent": agent[1] } : {}) },
    body: new TextEncoder().encode(JSON.stringify({ ...sent.body, api_key: TOKEN, batch })),
    eventBytes: Buffer.byteLength(JSON.stringify(batch[0])),
  };
}

/** Flag definitions: two conditions that miss on their filters, one that hashes and picks a variant. */
export function flagDefinitions(count) {
  const property = (key, operator, value) => ({ key, type: "person", operator, value });
  const flags = [];
  for (let i = 0; i < count; i += 1) {
    flags.push({
      id: i,
      key: `flag-${i}`,
      active: true,
      filters: {
        groups: [
          { properties: [property("plan", "exact", ["enterprise", "scale"])], rollout_percentage: 100 },
          {
            properties: [property("email", "regex", "@posthog\\.com$"), property("age", "gt", 18)],
            rollout_percentage: 100,
          },
          { properties: [property("country", "icontains", "d")], rollout_percentage: 80 },
        ],
        multivariate: {
          variants: [
            { key: "control", rollout_percentage: 50 },
            { key: "test", rollout_percentage: 50 },
          ],
        },
        payloads: { test: '{"a":1}' },
      },
    });
  }
  return { flags };
}

export const FLAGS_BODY = new TextEncoder().encode(
  JSON.stringify({
    token: TOKEN,
    distinct_id: "user-12345",
    groups: { company: "acme" },
    person_properties: {
      email: "someone@example.com",
      plan: "pro",
      age: 34,
      country: "DE",
      $app_version: "2.3.1",
      signed_up: "2025-01-15T10:00:00Z",
    },
    geoip_disable: true,
  }),
);
