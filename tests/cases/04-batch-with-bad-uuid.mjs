// Source: PostHog/posthog#35684, PostHog/posthog#15575, PostHog/posthog-python#153, posthog.com#19539
// Situation: posthog-node in historical mode with uuid "50172" (a row number), numeric group keys, Date properties, beside good events, an event with no distinct_id and one with an empty name.
// Expect (the product's own promise): 200, good events land with numeric group keys kept as group column text; each bad one is a row of rejects that names the reason; nothing is lost silently.
import { id, check, same, batch, sql, parsed, rows, done } from "./world.mjs";

const good = (n) => ({
  event: "documents:processed",
  distinct_id: id("org"),
  timestamp: "2025-07-25T00:10:00.000Z",
  properties: { n, $groups: { [id("organizations")]: 3 }, currency: "EUR", startedAt: null },
});
await batch([good(1), { ...good(2), uuid: "50172" }, { event: "no id", properties: {} }, { event: "", distinct_id: id("org") }, good(3)], {
  historical_migration: true,
});
const landed = await rows(`distinct_id='${id("org")}' ORDER BY CAST(properties->>'n' AS INTEGER)`);
same(
  landed.map((row) => parsed(row.properties).n),
  [1, 3],
  "good events",
);
for (const row of landed) {
  same(row.timestamp?.slice?.(0, 16).replace(" ", "T") ?? row.timestamp, "2025-07-25T00:10", "timestamp");
  const groups = [0, 1, 2, 3, 4].map((n) => row[`group${n}`]).filter((key) => key !== null);
  check(groups.length === 0 || groups.includes("3"), `group columns ${JSON.stringify(groups)}`);
}
const refused = await sql(
  `SELECT reason, detail, event, distinct_id, payload FROM rejects WHERE kind='reject' AND received_at > now() - INTERVAL 1 MINUTE AND (distinct_id='${id("org")}' OR event='no id')`,
);
check(refused.length >= 3, `rejects ${JSON.stringify(refused).slice(0, 300)}`);
check(
  refused.some((row) => /uuid/.test(row.reason) && row.payload.includes("50172")),
  `no reject names the uuid: ${JSON.stringify(refused.map((row) => row.reason))}`,
);
done();
