// Source: PostHog/posthog#17297 (a NUL in $set made PostHog lose the event after 200), PostHog/posthog#59868 (NUL in a group key), PostHog/posthog#36488 (NUL in event names)
// Situation: one batch with NUL in a person property, in a distinct_id, in an event name, in a group key and in a property name.
// Expect: every event lands; JSON columns stay readable by the SQL engine; person properties hold U+FFFD (PostHog sanitises); one group key whether it came by $groups or $groupidentify.
import { run, id, check, same, batch, sql, parsed, done } from "./world.mjs";

await batch([
  { event: "logout", distinct_id: id("nul"), $set: { email: "\u0000", name: "Te\u0000st" }, properties: { ["k\u0000ey"]: "v\u0000" } },
  { event: "na\u0000me", distinct_id: id("nul") },
  { event: "by id", distinct_id: "\u0000" + id("nul2") },
  {
    event: "$groupidentify",
    distinct_id: id("nul"),
    properties: { $group_type: "company", $group_key: "a\u0000" + run, $group_set: { tier: "x" } },
  },
  { event: "with group", distinct_id: id("nul"), properties: { $groups: { company: "a\u0000" + run } } },
]);
const landed = await sql(
  `SELECT event, distinct_id, person_properties->>'name' AS name, group0, group1, group2, group3, group4, json_valid(CAST(properties AS VARCHAR)) AS valid, group_properties FROM events WHERE distinct_id='${id("nul")}' OR distinct_id LIKE '%${id("nul2")}'`,
);
same(landed.length, 5, "rows");
check(
  landed.every((row) => row.valid),
  "properties that are no JSON",
);
check(
  landed.every((row) => !row.event.includes("\u0000") && !row.distinct_id.includes("\u0000")),
  "a NUL in a text column",
);
same(landed.find((row) => row.event === "logout")?.name, "Te\ufffdst", "person property");
const person = await sql(
  `SELECT properties->>'name' AS name, properties->>'email' AS email FROM persons_current WHERE distinct_id='${id("nul")}'`,
);
same(person[0], { name: "Te\ufffdst", email: "\ufffd" }, "person row");
const grouped = landed.find((row) => row.event === "with group");
check(
  JSON.stringify(parsed(grouped?.group_properties ?? "{}")).includes('"tier"'),
  `group properties not found by the key: ${JSON.stringify(grouped)}`,
);
done();
