// Source: PostHog/posthog#38821 (merged 2025-09: backend SDKs pass $anon_distinct_id inside person_properties so that a persistent flag keeps its variant), PostHog/posthog#38320
// Needs the product started with HOGFLARE_FEATURE_FLAGS = flags.json
// Situation: anonymous flags in the browser, then the backend identifies the user and asks with person_properties.$anon_distinct_id, as posthog-node and posthog-python can.
// Expect (PostHog): as if $anon_distinct_id were a top-level field, which wins when both are there.
import { id, TOKEN, check, same, send, json, done } from "./world.mjs";

const variant = async (body) => {
  const answer = await send("/flags/?v=2", { token: TOKEN, groups: {}, ...body }, json);
  return (await answer.json()).flags.sticky?.variant;
};
const bad = [];
for (let n = 0; n < 12; n++) {
  const anon = id(`anon${n}`),
    user = id(`user${n}`);
  const want = await variant({ distinct_id: user, $anon_distinct_id: anon });
  const got = await variant({ distinct_id: user, person_properties: { $anon_distinct_id: anon } });
  if (got !== want) bad.push(`${n}: ${got}, want ${want}`);
  same(
    await variant({ distinct_id: user, $anon_distinct_id: anon, person_properties: { $anon_distinct_id: id("else") } }),
    want,
    "top level wins",
  );
}
check(bad.length === 0, `${bad.length} of 12 flip: ${bad.slice(0, 3)}`);
done();
