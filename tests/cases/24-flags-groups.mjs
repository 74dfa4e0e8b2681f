// Source: PostHog/posthog-js#392 (flag by group property is false after posthog.group with properties), PostHog/posthog#98451 and #11393 ($group_key), PostHog/posthog#7746 (group without properties), PostHog/posthog#13176
// Needs the product started with HOGFLARE_FEATURE_FLAGS = flags.json
// Situation: $groupidentify, then flags with that group; the key as a number here and as text there; no group; unknown group type; group null or object.
// Expect: stored group properties count at once; number and text keys are one group; no usable group is false with no_group_type and no errors.
import { id, TOKEN, check, same, send, json, batch, sql, parsed, done } from "./world.mjs";

const ask = async (groups, extra = {}) => {
  const answer = await send("/flags/?v=2", { token: TOKEN, distinct_id: id("g"), groups, ...extra }, json);
  const body = await answer.json();
  check(answer.status === 200 && body.errorsWhileComputingFlags === false, `errors for ${JSON.stringify(groups)}`);
  return body.flags;
};
const number = Math.floor(Math.random() * 1e12);
await batch([
  {
    event: "$groupidentify",
    distinct_id: id("g"),
    properties: { $group_type: "company", $group_key: number, $group_set: { tier: "gold" } },
  },
]);
same((await ask({ company: String(number) }))["org-tier"]?.enabled, true, "stored by number, asked by text");
same((await ask({ company: number }))["org-tier"]?.enabled, true, "asked by number");
same(
  (await ask({ company: number }, { group_properties: { company: { tier: "silver" } } }))["org-tier"]?.enabled,
  false,
  "request's properties win",
);
same(
  [
    (await ask({ company: 7 }))["org-key"]?.enabled,
    (await ask({ company: "7" }))["org-key"]?.enabled,
    (await ask({ company: "8" }))["org-key"]?.enabled,
  ],
  [true, true, false],
  "$group_key",
);
for (const groups of [{}, { unknown: "x" }, { company: null }, { company: {} }, { company: "" }, { company: true }]) {
  const flag = (await ask(groups))["org-tier"];
  same([flag?.enabled, flag?.reason?.code], [false, "no_group_type"], `groups ${JSON.stringify(groups)}`);
}
await batch([{ event: "plain", distinct_id: id("g"), properties: { $groups: { company: number } } }]);
const row = (await sql(`SELECT properties, group0, group_properties FROM events WHERE distinct_id='${id("g")}' AND event='plain'`))[0];
same(
  [row?.group0, parsed(row?.properties ?? "{}").$group_0, parsed(row?.group_properties ?? "{}").company?.tier],
  [String(number), number, "gold"],
  "row",
);
done();
