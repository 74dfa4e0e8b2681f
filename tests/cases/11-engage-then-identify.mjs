// Source: PostHog/posthog#6116 (people.set before login marked the anonymous person identified; its login was never merged), PostHog/posthog#11873 case (2)
// Situation: an anonymous visitor gets $set by /engage, then by a bare $identify without $anon_distinct_id (a backend), then logs in.
// Expect: merged; property updates alone never make a person identified; the merged person keeps the anonymous uuid and the earlier properties.
import { id, TOKEN, same, send, batch, sql, parsed, done } from "./world.mjs";

const answer = await send(
  "/engage/",
  `data=${encodeURIComponent(JSON.stringify({ $token: TOKEN, $distinct_id: id("anon"), $set: { dark: true } }))}`,
  { "content-type": "application/x-www-form-urlencoded" },
);
same(answer.status, 200, "engage");
await batch([{ event: "$identify", distinct_id: id("anon"), properties: { $set: { seen: 1 } } }]);
same(
  (await sql(`SELECT bool_or(is_identified) AS i FROM persons WHERE distinct_id='${id("anon")}'`))[0]?.i,
  false,
  "identified before login",
);
await batch([
  { event: "$identify", distinct_id: id("user"), properties: { $anon_distinct_id: id("anon"), $set: { email: "a@example.com" } } },
  { event: "later", distinct_id: id("anon") },
]);
const owners = await sql(`SELECT DISTINCT person_id FROM person_distinct_ids WHERE distinct_id IN ('${id("anon")}','${id("user")}')`);
same(owners.length, 1, "people");
const person = (await sql(`SELECT properties, is_identified FROM persons_current WHERE person_id='${owners[0]?.person_id}'`))[0];
same(
  [
    parsed(person?.properties ?? "{}").dark,
    parsed(person?.properties ?? "{}").seen,
    parsed(person?.properties ?? "{}").email,
    person?.is_identified,
  ],
  [true, 1, "a@example.com", true],
  "person",
);
const events = await sql(`SELECT DISTINCT person_id FROM events_with_person WHERE distinct_id IN ('${id("anon")}','${id("user")}')`);
same(events.length, 1, "people of the events");
done();
