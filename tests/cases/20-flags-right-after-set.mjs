// Source: PostHog/posthog#21591 (backend sets a property, the client's flags right after do not see it), PostHog/posthog-ios#358 (flags asked before $identify arrived), PostHog/posthog#33958
// Needs the product started with HOGFLARE_FEATURE_FLAGS = flags.json
// Situation: capture with $set, then /flags at once, for the id, for an id just identified with it, by the request's own properties, and by distinct_id as a property.
// Expect: flags see what was acknowledged before they were asked.
import { id, TOKEN, check, same, send, json, batch, done } from "./world.mjs";

const flags = async (body, path = "/flags/?v=2") => {
  const answer = await send(path, { token: TOKEN, groups: {}, ...body }, json);
  check(answer.status === 200, `flags ${answer.status}`);
  return answer.json();
};
await batch([{ event: "User Signed Up", distinct_id: id("usr"), properties: { $set: { plan: "pro" } } }]);
const first = await flags({ distinct_id: id("usr") });
same(first.flags["plan-pro"]?.enabled, true, "after $set");
same(first.flags["plan-pro"]?.metadata?.payload, '"7"', "payload is text as stored");
same(first.flags.everyone?.metadata?.payload, "[1]", "payload [1]");
same(first.errorsWhileComputingFlags, false, "errors");
await batch([{ event: "$identify", distinct_id: id("usr"), properties: { $anon_distinct_id: id("anon") } }]);
same((await flags({ distinct_id: id("anon") })).flags["plan-pro"]?.enabled, true, "by the anonymous id");
same(
  (await flags({ distinct_id: id("other"), person_properties: { plan: "pro" } })).flags["plan-pro"]?.enabled,
  true,
  "by the request's properties",
);
same(
  (await flags({ distinct_id: id("usr"), person_properties: { plan: "free" } })).flags["plan-pro"]?.enabled,
  false,
  "the request's properties win",
);
same((await flags({ distinct_id: "the-one" })).flags["by-id"]?.enabled, true, "distinct_id as a property");
await batch([
  { event: "x", distinct_id: id("utm"), properties: { utm_source: "ads" } },
  { event: "y", distinct_id: id("utm"), properties: { utm_source: "mail" } },
]);
same((await flags({ distinct_id: id("utm") })).flags.initial?.enabled, true, "lifted $initial_utm_source");
await batch([{ event: "un", distinct_id: id("usr"), properties: { $unset: ["plan"] } }]);
same((await flags({ distinct_id: id("usr") })).flags["plan-pro"]?.enabled, false, "after $unset");
done();
