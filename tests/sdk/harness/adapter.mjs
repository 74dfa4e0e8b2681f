// posthog-node as PostHog's SDK test harness drives it: HTTP in, calls of the client out. Argument: "v0" or
// "v1", the capture mode. Prints its address.
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import { PostHog } from "posthog-node";

const mode = process.argv[2] ?? "v0";
process.env.POSTHOG_CAPTURE_MODE = mode;

/** The client of one test and what was seen of it. */
class Instance {
  constructor(testId) {
    this.testId = testId;
    this.client = undefined;
    this.captured = 0;
    this.sent = 0;
    this.lastError = null;
    this.requests = [];
    /** Attempts by the batch's uuids. */
    this.attempts = new Map();
  }

  init(given) {
    this.client = new PostHog(given.api_key, {
      host: given.host,
      flushAt: given.flush_at ?? 100,
      flushInterval: given.flush_interval_ms ?? 500,
      fetchRetryCount: given.max_retries ?? 3,
      fetchRetryDelay: 100,
      disableCompression: given.enable_compression !== true,
      disableGeoip: given.disable_geoip ?? false,
      historicalMigration: given.historical_migration ?? false,
      featureFlagsRequestTimeoutMs: 10_000,
      fetch: (url, init) => this.fetch(url, init),
    });
    this.client.on("error", (error) => (this.lastError = String(error)));
  }

  async fetch(url, init) {
    const headers = this.testId ? { ...init.headers, "X-Test-Id": this.testId } : init.headers;
    const response = await fetch(url, { ...init, headers });
    if (!/\/(batch|events)\/?(\?|$)/.test(url)) return response;
    const bytes = init.body instanceof Blob ? Buffer.from(await init.body.arrayBuffer()) : Buffer.from(init.body);
    const text = bytes[0] === 0x1f ? gunzipSync(bytes).toString() : bytes.toString();
    const { batch = [] } = JSON.parse(text);
    const uuids = batch.map(({ uuid }) => uuid);
    const attempt = this.attempts.get(uuids.join()) ?? 0;
    this.attempts.set(uuids.join(), attempt + 1);
    if (response.ok) this.sent += batch.length;
    this.requests.push({
      timestamp_ms: Date.now(),
      status_code: response.status,
      retry_attempt: attempt,
      event_count: batch.length,
      uuid_list: uuids,
    });
    return response;
  }

  async capture(given, isAi) {
    const { distinct_id, event, properties = {}, timestamp, options = {}, uuid } = given;
    const own = Object.entries(options).map(([name, value]) => [
      name === "disable_skew_correction" ? "$ignore_sent_at" : `$${name}`,
      value,
    ]);
    const message = {
      distinctId: distinct_id,
      event,
      properties: { ...properties, ...Object.fromEntries(own) },
      ...(timestamp === undefined ? {} : { timestamp: new Date(timestamp) }),
      ...(uuid === undefined ? {} : { uuid }),
    };
    let used = uuid;
    const off = this.client.on("capture", (payload) => (used = payload?.uuid ?? used));
    this.captured += 1;
    if (isAi) await this.client.captureAi(message);
    else this.client.capture(message);
    await new Promise((done) => setTimeout(done, 20));
    off?.();
    return { success: true, uuid: used ?? "00000000-0000-4000-8000-000000000000" };
  }

  async flag({ key, distinct_id, person_properties, groups, group_properties, disable_geoip }) {
    const value = await this.client.getFeatureFlag(key, distinct_id, {
      personProperties: person_properties,
      groups,
      groupProperties: group_properties,
      disableGeoip: disable_geoip,
    });
    return { success: true, value: value ?? null };
  }

  state() {
    return {
      pending_events: this.captured - this.sent,
      total_events_captured: this.captured,
      total_events_sent: this.sent,
      total_retries: this.requests.filter(({ retry_attempt }) => retry_attempt > 0).length,
      last_error: this.lastError,
      requests_made: this.requests,
    };
  }
}

const instances = new Map();
const instanceOf = (id) => {
  if (!instances.has(id)) instances.set(id, new Instance(id));
  return instances.get(id);
};

async function answer(path, id, given) {
  const instance = instanceOf(id);
  switch (path) {
    case "/health":
      return {
        sdk_name: "posthog-node",
        sdk_version: new PostHog("phc_version", { flushInterval: 0 }).getLibraryVersion(),
        adapter_version: "1.0.0",
        capabilities: [`capture_${mode}`, "encoding_gzip", ...(mode === "v0" ? ["capture_ai_v0"] : [])],
        supports_parallel: true,
      };
    case "/init":
      instance.init(given);
      return { success: true };
    case "/capture":
      return instance.capture(given, false);
    case "/capture_ai":
      return instance.capture(given, true);
    case "/flush": {
      const before = instance.sent;
      await instance.client.flush().catch((error) => (instance.lastError = String(error)));
      return { success: true, events_flushed: instance.sent - before };
    }
    case "/get_feature_flag":
      return instance.flag(given);
    case "/state":
      return instance.state();
    case "/reset":
      instances.delete(id);
      instance.client?.shutdown(1).catch(() => {});
      return { success: true };
    default:
      return undefined;
  }
}

const server = createServer(async (request, response) => {
  let text = "";
  for await (const part of request) text += part;
  const { pathname, searchParams } = new URL(request.url ?? "", "http://x");
  try {
    const found = await answer(pathname, searchParams.get("test_id") ?? "", text === "" ? {} : JSON.parse(text));
    response.writeHead(found === undefined ? 404 : 200, { "content-type": "application/json" }).end(JSON.stringify(found ?? {}));
  } catch (error) {
    response.writeHead(500, { "content-type": "application/json" }).end(JSON.stringify({ success: false, error: String(error) }));
  }
});
server.listen(0, "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`);
});
