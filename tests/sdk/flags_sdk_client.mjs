// What clients.test.mjs has @flags-sdk/posthog decide: URL TOKEN PERSONAL_KEY, the last may be empty. A process
// of its own, since the adapter gives nobody its client to shut down.
import { createPostHogAdapter } from "@flags-sdk/posthog";

const [host, postHogKey, personal] = process.argv.slice(2);
const adapter = createPostHogAdapter({
  postHogKey,
  postHogOptions: { host, featureFlagsRequestTimeoutMs: 60_000, ...(personal ? { personalApiKey: personal } : {}) },
});
const options = { sendFeatureFlagEvents: false };
const asked = (key) => ({ key, entities: { distinctId: "vercel" } });
const on = await adapter.isFeatureEnabled(options).decide(asked("on"));
const off = await adapter.isFeatureEnabled(options).decide(asked("off"));
const look = await adapter.featureFlagValue(options).decide(asked("look"));
const columns = await adapter.featureFlagPayload((payload) => payload.columns, options).decide(asked("look"));
process.stdout.write(JSON.stringify({ on, off, look, columns }), () => process.exit(0));
