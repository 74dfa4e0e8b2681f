// Source: PostHog/posthog-js#4662 and PostHog/posthog.com#19841 (disable_persistence: each page load makes an anonymous id and identifies the same user), PostHog/posthog#21049 (people with thousands of distinct ids)
// Situation: 600 page loads of one user: anonymous pageview, $identify; in batches and five at a time.
// Expect: every request 200; one person with 601 ids in the views, each event attributed to it; later events of the very first anonymous id too.
import { run, id, same, batch, sql, done } from "./world.mjs";

const load = (n) => [
  { event: "$pageview", distinct_id: id(`load${n}`), properties: { n } },
  { event: "$identify", distinct_id: id("loaduser"), properties: { $anon_distinct_id: id(`load${n}`), $set: { loads: n } } },
];
await batch(Array.from({ length: 200 }, (_, n) => load(n)).flat());
for (let from = 200; from < 600; from += 100)
  await Promise.all(Array.from({ length: 5 }, (_, k) => batch(Array.from({ length: 20 }, (_, n) => load(from + k * 20 + n)).flat())));
await batch([{ event: "late", distinct_id: id("load0") }]);
const owners = await sql(
  `SELECT person_id, count(*)::INT AS n FROM person_distinct_ids WHERE distinct_id LIKE 'load%-${run}' OR distinct_id='${id("loaduser")}' GROUP BY 1`,
);
same(
  owners.map((row) => row.n),
  [601],
  "distinct ids of one person",
);
const events = await sql(
  `SELECT count(DISTINCT person_id)::INT AS people, count(*)::INT AS n FROM events_with_person WHERE distinct_id LIKE 'load%-${run}' OR distinct_id='${id("loaduser")}'`,
);
same(events[0], { people: 1, n: 1201 }, "events");
done();
