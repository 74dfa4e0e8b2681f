// Sends a few events with posthog-node to a running Worker.
//
//   scripts/dev                        # in one terminal
//   node examples/node-capture.mjs     # in another; HOGFLARE_URL and POSTHOG_TOKEN may be set
import { PostHog } from "posthog-node";

const client = new PostHog(process.env.POSTHOG_TOKEN ?? "phc_example", {
  host: process.env.HOGFLARE_URL ?? "http://127.0.0.1:8787",
});

client.capture({
  distinctId: "node-user",
  event: "purchase",
  properties: { amount: 29.99, product_id: "widget-001" },
});
client.identify({ distinctId: "node-user", properties: { email: "node-user@example.com" } });
client.capture({ distinctId: "node-user", event: "upgraded", properties: { plan: "pro" } });

await client.shutdown();
console.log("sent 3 events as node-user");
