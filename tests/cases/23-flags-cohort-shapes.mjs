// Source: PostHog/posthog#72076 (behavioural leaf spoils a cohort), #63366 (flat cohort made by the API), #73399 (between in a cohort), #31536 (is_set without value), #14497 (lt on numbers)
// Needs the product started with HOGFLARE_FEATURE_FLAGS = flags.json
// Situation: the cohort shapes that PostHog's API really exports.
// Expect (PostHog today): person leaves decide although a behavioural leaf cannot; flat = nested; between is inclusive; is_set needs no value; lt compares numbers whether stored as number or text.
import { id, TOKEN, check, same, send, json, done } from "./world.mjs";

const on = async (person_properties) => {
  const answer = await send("/flags/?v=2", { token: TOKEN, distinct_id: id("c"), groups: {}, person_properties }, json);
  const body = await answer.json();
  check(body.errorsWhileComputingFlags === false, `errors for ${JSON.stringify(person_properties)}`);
  return Object.fromEntries(Object.entries(body.flags).map(([key, flag]) => [key, flag.enabled]));
};
same((await on({ plan: "pro" })).behav, true, "behavioural OR person leaf, person matches");
same((await on({ plan: "free" })).behav, false, "behavioural OR person leaf, person does not match");
same([(await on({ tenantId: "B" })).flat, (await on({ tenantId: "C" })).flat], [true, false], "flat cohort");
same(
  [
    (await on({ tenant_id: 70000 })).between,
    (await on({ tenant_id: "80000" })).between,
    (await on({ tenant_id: 80000.5 })).between,
    (await on({})).between,
  ],
  [true, true, false, false],
  "between",
);
const some = await on({ email: "x" }),
  none = await on({});
same([some.set, some.notset, none.set, none.notset], [true, false, false, true], "is_set");
same(
  [
    (await on({ tenant_id: 3426 }))["tenant-lt"],
    (await on({ tenant_id: "3426" }))["tenant-lt"],
    (await on({ tenant_id: 100000000 }))["tenant-lt"],
    (await on({ tenant_id: "abc" }))["tenant-lt"],
  ],
  [true, true, false, false],
  "lt",
);
same(
  [
    (await on({ joined: "2024-03-15T19:17:07.083Z" }))["after-date"],
    (await on({ joined: "2024-03-15T20:17:07+00:00" }))["after-date"],
    (await on({ joined: "2024-03-15T20:17:07+02:00" }))["after-date"],
  ],
  [false, true, false],
  "PostHog/posthog#37912: ISO against a space form",
);
done();
