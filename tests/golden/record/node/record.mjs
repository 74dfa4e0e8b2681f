// Sends one of everything posthog-node can send; argument: the package's name as it is installed.
const { PostHog } = await import(process.argv[2]);

async function run(options) {
  const client = new PostHog("phc_golden", {
    host: process.env.HOGFLARE_RECORD_URL,
    flushInterval: 0,
    ...options,
  });
  client.capture({
    distinctId: "node-user",
    event: "purchase",
    properties: { amount: 29.99, count: 9007199254740991, text: "grüße 🦔", nested: { a: [1, 2], b: null } },
  });
  client.capture({
    distinctId: "node-user",
    event: "in the past",
    timestamp: new Date("2026-01-02T03:04:05.678+05:30"),
    groups: { company: "acme" },
  });
  client.identify({ distinctId: "node-user", properties: { email: "n@example.com", $set_once: { first: "node" } } });
  client.alias({ distinctId: "node-user", alias: "node-alias" });
  client.groupIdentify({ groupType: "company", groupKey: "acme", properties: { size: 12 }, distinctId: "node-user" });
  client.capture({ distinctId: "node-anonymous", event: "personless", properties: { $process_person_profile: false } });
  await (client.shutdownAsync ?? client.shutdown).call(client);
}

await run({});
await run({ disableCompression: true, historicalMigration: true, flushAt: 1 });
// Releases that know capture v1 read this when a client is made; the others send v0 once more.
process.env.POSTHOG_CAPTURE_MODE = "v1";
await run({});
process.exit(0);
