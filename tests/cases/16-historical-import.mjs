// Source: PostHog/posthog#37000 (an import of old events overwrites newer person properties), #7454 (person created_at), #6834 (backwards ingestion), sidequery/hogflare#11
// Situation: a known person; then historical_migration of three-year-old events with $set, another id first seen through the import out of order, and the same import again.
// Expect: PostHog: rows keep their old times, $set overwrites in order of arrival (documented there), created_at is the first event to arrive; a second import of equal uuids adds no row to the deduplicated view. Newest-wins for the deduplicated person is a wish.
import { id, check, same, batch, sql, done } from "./world.mjs";

const old = (name, who, at, plan) => ({
  uuid: crypto.randomUUID(),
  event: name,
  distinct_id: id(who),
  timestamp: at,
  properties: { $set: { plan } },
});
await batch([{ event: "now", distinct_id: id("known"), properties: { $set: { plan: "current" } } }]);
const history = [
  old("h2", "known", "2023-05-02T00:00:00Z", "older"),
  old("n2", "new", "2023-05-02T00:00:00Z", "b"),
  old("n1", "new", "2023-05-01T00:00:00Z", "a"),
];
await batch(history, { historical_migration: true });
await batch(history, { historical_migration: true });
const views = await sql(
  `SELECT event, "timestamp" FROM events_deduplicated WHERE distinct_id IN ('${id("known")}','${id("new")}') ORDER BY "timestamp", event`,
);
same(
  views.map((row) => row.event),
  ["n1", "h2", "n2", "now"],
  "rows in order of time",
);
same(views.length, 4, "rows in the view");
check(views.filter((row) => row.timestamp.startsWith("2023-05")).length === 3, "old times");
const people = Object.fromEntries(
  (
    await sql(
      `SELECT p.properties->>'plan' AS plan, d.distinct_id, p.created_at FROM persons_current p JOIN person_distinct_ids d ON d.person_id=p.person_id WHERE d.distinct_id IN ('${id("known")}','${id("new")}')`,
    )
  ).map((row) => [row.distinct_id, row]),
);
same([people[id("known")]?.plan, people[id("new")]?.plan], ["older", "a"], "PostHog: the last to arrive wins");
check(people[id("new")]?.created_at.startsWith("2023-05-0"), `created_at ${people[id("new")]?.created_at}`);
done();
