// Source: PostHog/posthog#13773 (overrides must be transitive), PostHog/posthog#42937 (after $merge_dangerously the old user still shows up), PostHog/posthog#14051
// Situation: four people merged in a chain in the worst order (c<-d, b<-c, a<-b), events before and after, one personless id and one merge back to front; an event of each id afterwards.
// Expect: one person for all ids in every view, no leftover in persons_current, old rows re-attributed, created_at the earliest, properties of the survivor win.
import { id, check, same, batch, sql, parsed, done } from "./world.mjs";

const at = (hours) => new Date(Date.now() - hours * 3_600_000).toISOString();
const view = (who, hours, set) => ({ event: "v", distinct_id: id(who), timestamp: at(hours), properties: { $set: { ...set } } });
await batch([
  view("a", 1, { name: "a" }),
  view("b", 5, { name: "b", only: "b" }),
  view("c", 3, { name: "c" }),
  view("d", 9, { name: "d", deep: "d" }),
]);
await batch([{ event: "personless", distinct_id: id("e"), properties: { $process_person_profile: false } }]);
const merge = (into, other) =>
  batch([{ event: "$merge_dangerously", distinct_id: id(into), timestamp: at(0), properties: { alias: id(other) } }]);
await merge("c", "d");
await merge("b", "c");
await merge("a", "b");
await merge("a", "e");
await merge("d", "a");
await batch(["a", "b", "c", "d", "e"].map((who) => view(who, 0)));
const ids = ["a", "b", "c", "d", "e"].map((who) => `'${id(who)}'`).join(",");
same(
  (await sql(`SELECT count(DISTINCT person_id)::INT AS n FROM events_with_person WHERE distinct_id IN (${ids})`))[0].n,
  1,
  "people of the events",
);
same(
  (await sql(`SELECT count(DISTINCT person_id)::INT AS n, count(*)::INT AS ids FROM person_distinct_ids WHERE distinct_id IN (${ids})`))[0],
  { n: 1, ids: 5 },
  "people of the ids",
);
const left = await sql(
  `SELECT person_id, properties, epoch_ms(created_at) AS c FROM persons_current WHERE person_id IN (SELECT person_id FROM persons WHERE distinct_id IN (${ids}))`,
);
same(left.length, 1, "people in persons_current");
const p = parsed(left[0]?.properties ?? "{}");
same([p.name, p.only, p.deep], ["a", "b", "d"], "properties");
check(Math.abs(Number(left[0]?.c) - Date.parse(at(9))) < 20_000, `created_at ${new Date(Number(left[0]?.c)).toISOString()}`);
done();
