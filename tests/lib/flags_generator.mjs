// Generated flags, cohorts and people: the same ones for the same seed everywhere.
//
//   const { flag, cohort, person, times } = flagsGenerator(7);
//   const document = { flags: times(6, flag), cohorts: [cohort(1), cohort(2)] };

/** @param {number} seed */
export function flagsGenerator(seed) {
  // xorshift32
  let state = (seed * 2 + 1) | 0;
  const random = () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
  const pick = (list) => list[Math.floor(random() * list.length)];
  const times = (count, make) => Array.from({ length: count }, (_, i) => make(i));
  const between = (low, high) => low + Math.floor(random() * (high - low + 1));

  const TEXTS = ["pro", "free", "Enterprise", "a@hog.io", "x", "DE", "1", "2.5", "10", "a.com"];
  const DATES = ["2024-12-31", "2025-06-01T10:00:00Z", "2020-01-01", "2026-11-20T00:00:00Z"];
  const VERSIONS = ["1.2.3", "1.2.4", "0.2.9", "2.0.1", "1.9.0", "0.3.0"];

  const OPERATORS = {
    exact: () => pick([pick(TEXTS), times(between(1, 3), () => pick(TEXTS))]),
    is_not: () => pick([pick(TEXTS), times(between(1, 3), () => pick(TEXTS))]),
    icontains: () => pick(TEXTS),
    not_icontains: () => pick(TEXTS),
    starts_with: () => pick(TEXTS),
    not_starts_with: () => pick(TEXTS),
    ends_with: () => pick(TEXTS),
    not_ends_with: () => pick(TEXTS),
    regex: () => pick(["^a", "o$", "\\.com$", "[0-9]+", "(pro|free)", "\\d{2}", "a.c"]),
    not_regex: () => pick(["^a", "o$", "\\.com$", "[0-9]+"]),
    is_set: () => "is_set",
    between: () => [1, 9],
    icontains_multi: () => ["a", "e"],
    gt: () => pick([1, 2, 10, "5", 2.5]),
    gte: () => pick([1, 2, 10, "5", 2.5]),
    lt: () => pick([1, 2, 10, "5", 2.5]),
    lte: () => pick([1, 2, 10, "5", 2.5]),
    semver_gt: () => pick(VERSIONS),
    semver_eq: () => pick(VERSIONS),
    semver_caret: () => pick([...VERSIONS, "1.2.*", "1.2.3, <1.5"]),
    semver_tilde: () => pick([...VERSIONS, "1.2.x"]),
    semver_wildcard: () => pick(["1.*", "1.2.*", "0.*", "*", "x", "1.x", "1.2", ">1.0, <2.0", ">=1.2.4"]),
    is_date_before: () => pick(["2025-01-01", "-30d", "2024-06-01T00:00:00Z", "-2m", "-1y"]),
    is_date_after: () => pick(["2025-01-01", "-30d", "2024-06-01T00:00:00Z", "-2m", "-1y"]),
  };

  function filter() {
    const operator = pick(Object.keys(OPERATORS));
    let key = pick(["a", "b", "c"]);
    if (/^(gt|lt|between)/.test(operator)) key = pick(["n1", "n2"]);
    if (operator.startsWith("semver")) key = pick(["v1", "v2"]);
    if (operator.startsWith("is_date")) key = "t";
    return { key, type: "person", operator, value: OPERATORS[operator]() };
  }

  function flag(index) {
    const groups = times(between(1, 3), () => ({
      properties: times(between(0, 2), filter),
      rollout_percentage: pick([100, null, 0, 50, 33.3, 25.5, 80]),
    }));
    const active = random() > 0.05;
    const made = { id: index + 1, key: `flag-${index}`, active, filters: { groups } };
    if (random() < 0.4) {
      const weights = pick([[50, 50], [33.33, 33.33, 33.34], [10, 20], [100]]);
      made.filters.multivariate = {
        variants: weights.map((weight, i) => ({ key: `v${i}`, rollout_percentage: weight })),
      };
      if (random() < 0.3) groups[0].variant = pick(["v0", "v1", "nope"]);
    }
    if (random() < 0.1) made.filters.early_exit = true;
    if (random() < 0.05) made.filters.holdout = { id: 1, exclusion_percentage: 30 };
    if (index > 0 && random() < 0.2) {
      groups[0].properties.push({
        key: String(between(1, index)),
        type: "flag",
        operator: "flag_evaluates_to",
        value: pick([true, false, "v0"]),
      });
    }
    if (random() < 0.2) {
      const operator = pick(["in", "not_in"]);
      groups[0].properties.push({ key: "id", type: "cohort", value: between(1, 2), operator });
    }
    return made;
  }

  const cohort = (id) => ({
    id,
    is_static: false,
    filters: {
      properties: {
        type: pick(["AND", "OR"]),
        values: times(between(1, 2), () => ({
          type: pick(["AND", "OR"]),
          values: times(between(1, 2), filter),
        })),
      },
    },
  });

  const person = () => ({
    distinct_id: `user-${between(0, 99999)}`,
    person_properties: {
      a: pick(TEXTS),
      b: pick(TEXTS),
      c: pick(TEXTS),
      n1: pick([0, 1, 2, 2.5, 5, 10, 30, -4]),
      n2: pick([0, 1, 2, 2.5, 5, 10, 30, -4]),
      v1: pick(VERSIONS),
      v2: pick(VERSIONS),
      t: pick(DATES),
    },
  });

  return { random, pick, times, between, flag, cohort, person };
}
