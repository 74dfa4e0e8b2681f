// Source: PostHog/posthog#73399 (cohorts carry the legacy operators min and max, aliases of gte and lte; flags with such a cohort failed)
// Needs the product started with HOGFLARE_FEATURE_FLAGS = 27-legacy-cohort-operator.flags.json
// Situation: an export of a project in which one cohort was made years ago: min 70000, max 80000.
// Expect (PostHog since July 2026): min and max mean gte and lte; in any case flags that do not touch the cohort answer.
import { id, TOKEN, same, send, json, done } from "./world.mjs";

const on = async (person_properties) => {
  const answer = await send("/flags/?v=2", { token: TOKEN, distinct_id: id("c"), groups: {}, person_properties }, json);
  const body = await answer.json();
  return Object.fromEntries(Object.entries(body.flags ?? {}).map(([key, flag]) => [key, flag.enabled]));
};
same((await on({})).good, true, "a flag that has nothing to do with it");
same(
  [(await on({ tenant_id: 70000 })).tenants, (await on({ tenant_id: 80000 })).tenants, (await on({ tenant_id: 80001 })).tenants],
  [true, true, false],
  "min and max",
);
done();
