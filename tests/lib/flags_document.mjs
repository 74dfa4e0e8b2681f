// One document of flag definitions for the tests of the flag endpoints: a flag for each line of thought.

/** A condition of PostHog's format. */
export const condition = (properties = [], rest = {}) => ({ properties, rollout_percentage: 100, ...rest });
/** A filter on a person's property. */
export const filter = (key, value, operator = "exact") => ({ key, value, operator, type: "person" });

/** A flag of PostHog's format. */
export const flag = (id, key, groups, rest = {}) => {
  const { filters, ...members } = rest;
  return { id, key, name: `the ${key} flag`, active: true, version: id, filters: { groups, ...filters }, ...members };
};

const HALVES = {
  variants: [
    { key: "left", rollout_percentage: 50 },
    { key: "right", rollout_percentage: 50 },
  ],
};

/** Flags that answer without anything stored when the request brings `plan`. */
export const FLAGS = [
  flag(1, "everyone", [condition()], { filters: { payloads: { true: '{"columns": 2}' } } }),
  flag(2, "nobody", [condition([], { rollout_percentage: 0 })]),
  flag(3, "third", [condition([], { rollout_percentage: 33.3 })]),
  flag(4, "halves", [condition()], {
    filters: { multivariate: HALVES, payloads: { left: '"l"', right: "[1,2]" } },
  }),
  flag(5, "pro", [condition([filter("plan", "pro")])]),
  flag(6, "company", [condition()], { filters: { aggregation_group_type_index: 0 } }),
  flag(7, "held", [condition()], { filters: { holdout: { id: 42, exclusion_percentage: 10 } } }),
  flag(8, "tagged", [condition()], { evaluation_contexts: ["web"] }),
  flag(9, "for-servers", [condition()], { evaluation_runtime: "server" }),
  flag(10, "for-clients", [condition()], { evaluation_runtime: "client" }),
  flag(11, "german", [condition([filter("$geoip_country_code", "DE")])]),
  flag(12, "inactive", [condition()], { active: false }),
  flag(13, "insider", [condition([{ key: "id", value: 1, operator: "in", type: "cohort" }])]),
  flag(14, "depends", [condition([{ key: "1", value: true, operator: "flag_evaluates_to", type: "flag" }])]),
];

export const DOCUMENT = {
  flags: FLAGS,
  cohorts: [
    {
      id: 1,
      is_static: false,
      filters: { properties: { type: "OR", values: [{ type: "AND", values: [filter("email", "@hog.io", "icontains")] }] } },
    },
  ],
  group_type_mapping: { 0: "company" },
};

/** The sum of a counter of /metrics over the series whose labels hold all of `labels`. */
export async function metric(system, adminToken, name, labels = []) {
  const response = await system.request("/metrics", { headers: { authorization: `Bearer ${adminToken}` } });
  if (!response.ok) throw new Error(`/metrics: ${response.status} ${await response.text()}`);
  const series = (await response.text()).split("\n").filter((line) => line.startsWith(`${name}{`));
  const wanted = series.filter((line) => labels.every((label) => line.includes(label)));
  return wanted.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}
