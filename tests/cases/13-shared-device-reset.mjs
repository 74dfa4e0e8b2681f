// Source: PostHog/posthog-js#512 and #524 (reset and identify surprising), PostHog/posthog#381 (shared computer), nexu-io/open-design#7822 (no reset on logout), PostHog/posthog-js#2534 (alias of itself, then identify)
// Situation: one device: anon1 -> identify(u1) -> event -> reset: anon2 -> event -> identify(u2) -> event; the same without reset (anon id u1); and React Native's alias(x) by x itself before identify.
// Expect: u1={anon1,u1}, u2={anon2,u2}; without reset u1 and u3 stay apart if u3 already exists; alias of itself does nothing and does not block the later identify.
import { run, id, same, batch, sql, done } from "./world.mjs";

const view = (user) => ({ event: "v", distinct_id: id(user) });
const identify = (user, anon) => ({ event: "$identify", distinct_id: id(user), properties: { $anon_distinct_id: id(anon) } });
await batch([view("anon1"), identify("u1", "anon1"), view("u1"), view("anon2"), identify("u2", "anon2"), view("u2")]);
await batch([view("u3")]);
await batch([identify("u3", "u1"), view("u3")]);
await batch([
  { event: "$create_alias", distinct_id: id("rn"), properties: { alias: id("rn"), distinct_id: id("rn") } },
  view("rnanon"),
  identify("rn", "rnanon"),
  view("rn"),
]);
const owner = async (name) => (await sql(`SELECT person_id FROM person_distinct_ids WHERE distinct_id='${id(name)}'`))[0]?.person_id;
const [a1, u1, a2, u2, u3, rn, rnanon] = await Promise.all(["anon1", "u1", "anon2", "u2", "u3", "rn", "rnanon"].map(owner));
same(
  [a1 === u1, a2 === u2, u1 !== u2, u3 !== u1, rn === rnanon],
  [true, true, true, true, true],
  "anon1=u1, anon2=u2, u1!=u2, u3!=u1, rn=rnanon",
);
const people = await sql(
  `SELECT distinct_id, count(DISTINCT person_id)::INT AS n FROM events_with_person WHERE distinct_id LIKE '%${run}' GROUP BY 1 HAVING n > 1`,
);
same(people, [], "distinct ids with more than one person in events_with_person");
done();
