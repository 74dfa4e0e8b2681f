// The flags that SDKs without a place in the suite are asked for, and what each must read of them.
// record.mjs gives them to the product; tests/sdk/recorded_flags.test.mjs does so again.
import { condition, filter, flag } from "../../lib/flags_document.mjs";

export const PROJECT_SECRET = "phs_golden";

export const DOCUMENT = {
  flags: [
    flag(1, "on", [condition()]),
    flag(2, "off", [condition([], { rollout_percentage: 0 })]),
    flag(3, "staff", [condition([filter("email", "@example.com", "icontains")])]),
    flag(4, "look", [condition()], {
      filters: {
        multivariate: { variants: [{ key: "a", rollout_percentage: 100 }] },
        payloads: { a: '{"columns":2}' },
      },
    }),
    flag(5, "gold", [condition([{ ...filter("tier", "gold"), type: "group", group_type_index: 0 }])], {
      filters: { aggregation_group_type_index: 0 },
    }),
  ],
  group_type_mapping: { 0: "company" },
};

/** The Worker's variables. */
export const VARIABLES = {
  HOGFLARE_FEATURE_FLAGS: JSON.stringify(DOCUMENT),
  POSTHOG_PROJECT_SECRET: PROJECT_SECRET,
  POSTHOG_GROUP_TYPE_0: "company",
};

/** What a client reads about somebody of @example.com in a company of the tier gold. */
export const VALUES = { on: true, off: false, staff: true, look: "a", payload: { columns: 2 }, gold: true };

const told = ({ enabled, variant, metadata, failed }) => ({
  value: variant ?? enabled,
  payload: metadata?.payload ?? null,
  ...(failed === undefined ? {} : { failed }),
});

/** What a client learns from an answer of the flag endpoints, without what changes from one to the next. */
export function learned(path, answer) {
  return JSON.parse(JSON.stringify(lasting(path, answer)));
}

function lasting(path, answer) {
  if (path.startsWith("/ofrep/")) {
    const { key, value, variant, reason, errorCode } = answer;
    return { key, value, variant, reason, errorCode };
  }
  if (path.includes("definitions") || path.includes("local_evaluation")) {
    const flags = answer.flags.map(({ key, ensure_experience_continuity }) => [key, !ensure_experience_continuity]);
    return { decides: Object.fromEntries(flags), groups: answer.group_type_mapping };
  }
  const { flags, featureFlags, featureFlagPayloads, errorsWhileComputingFlags } = answer;
  if (flags === undefined) return { featureFlags, featureFlagPayloads, errorsWhileComputingFlags };
  const values = Object.entries(flags).map(([key, detail]) => [key, told(detail)]);
  return { flags: Object.fromEntries(values), errorsWhileComputingFlags };
}
