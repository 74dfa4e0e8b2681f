// Source: PostHog/posthog#30692 (0.7 % of event uuids shared by other events; posthog-react-native 3.1.1 gave different events one uuid), PostHog/posthog#17211 (uuids derived from an order)
// Situation: two different events (other name, other person) carry the same uuid, in one batch and in two requests.
// Expect (PostHog): duplicates are events equal in uuid, event name, distinct_id (and time); different events that share a uuid are all kept. So the deduplicated view holds both.
import { id, same, batch, sql, rows, done } from "./world.mjs";

const uuid = crypto.randomUUID(),
  other = crypto.randomUUID();
await batch([
  { uuid, event: "order placed", distinct_id: id("a"), properties: { n: 1 } },
  { uuid, event: "order shipped", distinct_id: id("a"), properties: { n: 2 } },
]);
await batch([{ uuid: other, event: "screen", distinct_id: id("a") }]);
await batch([{ uuid: other, event: "screen", distinct_id: id("b") }]);
same((await rows(`uuid IN ('${uuid}','${other}')`)).length, 4, "rows stored");
same(
  (await sql(`SELECT event FROM events_deduplicated WHERE uuid='${uuid}' ORDER BY event`)).map((row) => row.event),
  ["order placed", "order shipped"],
  "different names, one uuid",
);
same(
  (await sql(`SELECT distinct_id FROM events_deduplicated WHERE uuid='${other}' ORDER BY distinct_id`)).map((row) => row.distinct_id),
  [id("a"), id("b")],
  "different people, one uuid",
);
done();
