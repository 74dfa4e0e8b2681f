// Source: PostHog/posthog#74742 (null first-touch values must not be written by $set_once), dust-tt/dust#23547 ("Initial UTM source" always null), PostHog/posthog-js#419 and PostHog/posthog#10662 ($initial_* sent in $set overwrites the first value)
// Situation: a first visit with $set_once of null $initial_* and event properties that are null; the second visit has real values; the third has others.
// Expect: the first real value is kept as $initial_*, never null for ever; a null written by $set_once never blocks.
import { id, check, same, batch, sql, parsed, done } from "./world.mjs";

const event = (name, properties) => ({ event: name, distinct_id: id("touch"), properties });
await batch([
  event("first", { utm_source: null, $referrer: null, $set_once: { $initial_utm_source: null, $initial_gclid: null, first_plan: null } }),
]);
await batch([
  event("second", {
    utm_source: "ads",
    $referrer: "https://a.example",
    $set_once: { $initial_utm_source: "ads", $initial_gclid: "g1", first_plan: "free" },
  }),
]);
await batch([
  event("third", {
    utm_source: "mail",
    $referrer: "https://b.example",
    $set_once: { $initial_utm_source: "mail", $initial_gclid: "g2", first_plan: "pro" },
  }),
]);
await batch([event("fourth", { utm_source: null, $current_url: "https://x.example" })]);
const p = parsed((await sql(`SELECT properties FROM persons_current WHERE distinct_id='${id("touch")}'`))[0]?.properties ?? "{}");
same(
  [p.$initial_utm_source, p.$initial_gclid, p.first_plan, p.$initial_referrer],
  ["ads", "g1", "free", "https://a.example"],
  "first values",
);
const first = parsed(
  (await sql(`SELECT person_properties FROM events WHERE distinct_id='${id("touch")}' AND event='first'`))[0].person_properties,
);
check(!("$initial_referrer" in first), `a null first touch was written to the person: ${JSON.stringify(first)}`);
done();
