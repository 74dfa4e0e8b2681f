// What the console's numbers must be: computed from the events that were sent, one by one, without tables.
const DAY_MS = 86_400_000;
const dayOf = (event) => event.timestamp.slice(0, 10);
const msOf = (event) => Date.parse(event.timestamp);
const isView = ({ event }) => event === "$pageview" || event === "$screen";

/**
 * @param {import("../../scripts/lib/demo-traffic.mjs").DemoEvent[]} events in order of time
 * @param {number} until when they were sent: the day it is has a bucket before anything happened in it
 */
export function plainOf(events, until) {
  // $identify makes one person of two ids, also for what was before.
  const userOf = new Map();
  for (const { event, distinct_id, properties } of events) {
    if (event === "$identify") userOf.set(properties.$anon_distinct_id, distinct_id);
  }
  const personOf = ({ distinct_id }) => userOf.get(distinct_id) ?? distinct_id;
  const named = (name) => events.filter(({ event }) => event === name);
  const distinct = (list, of) => new Set(list.map(of)).size;
  const first = Date.parse(dayOf(events[0]));
  const days = Array.from({ length: Math.floor((until - first) / DAY_MS) + 1 }, (_, n) =>
    new Date(first + n * DAY_MS).toISOString().slice(0, 10),
  );

  function visits() {
    const all = new Map();
    for (const event of events) {
      const id = event.properties.$session_id;
      if (id !== undefined) all.set(id, [...(all.get(id) ?? []), event]);
    }
    return [...all.values()].map((list) => {
      const length = Math.floor((msOf(list.at(-1)) - msOf(list[0])) / 1_000);
      const pages = list.filter(({ event }) => event === "$pageview").length;
      const isBounce = pages === 0 ? null : pages === 1 && length < 10 && !list.some(({ event }) => event === "$autocapture");
      return { list, length, isBounce, person: personOf(list[0]), views: list.filter(isView).length };
    });
  }

  const mean = (numbers) => numbers.reduce((sum, each) => sum + each, 0) / numbers.length;

  return {
    days,
    /** Events of a name for each day. */
    trend: (name) => Object.fromEntries(days.map((day) => [day, named(name).filter((event) => dayOf(event) === day).length])),
    active: () =>
      Object.fromEntries(
        days.map((day) => [
          day,
          distinct(
            events.filter((event) => dayOf(event) === day),
            personOf,
          ),
        ]),
      ),
    /** People who came to each step, one after another, within two weeks of the first. */
    funnel(steps) {
      const people = new Map();
      for (const event of events) people.set(personOf(event), [...(people.get(personOf(event)) ?? []), event]);
      const reached = [...people.values()].map((list) =>
        Math.max(
          0,
          ...list.map((first, at) => {
            if (first.event !== steps[0]) return 0;
            let step = 1;
            for (const event of list.slice(at + 1)) {
              if (msOf(event) - msOf(first) > 14 * DAY_MS) break;
              if (event.event === steps[step]) step += 1;
            }
            return step;
          }),
        ),
      );
      return steps.map((_, i) => reached.filter((step) => step > i).length);
    },
    /** Of those whose first `target` was on a day: how many did `returning` on each day after. */
    retention(target, returning) {
      const first = new Map();
      for (const event of named(target)) if (!first.has(personOf(event))) first.set(personOf(event), dayOf(event));
      const back = new Map();
      for (const event of named(returning)) back.set(personOf(event), (back.get(personOf(event)) ?? new Set()).add(dayOf(event)));
      return days.map((day, i) => {
        const cohort = [...first].filter(([, on]) => on === day).map(([person]) => person);
        return days.slice(i).map((later, k) => (k === 0 ? cohort.length : cohort.filter((person) => back.get(person)?.has(later)).length));
      });
    },
    web() {
      const all = visits().filter(({ views }) => views > 0);
      const bounces = all.map(({ isBounce }) => isBounce).filter((each) => each !== null);
      return {
        visitors: distinct(all, ({ person }) => person),
        views: events.filter(isView).length,
        visits: all.length,
        bounce: (100 * bounces.filter(Boolean).length) / bounces.length,
        length: mean(all.map(({ length }) => length)),
      };
    },
    visits: () => visits().length,
    revenue: () => named("purchase").reduce((sum, { properties }) => sum + properties.revenue, 0),
    /** Those of whom the product keeps a person. */
    people: () => new Set(events.filter(({ properties }) => properties.$process_person_profile !== false).map(personOf)),
    errors() {
      const kinds = new Map();
      for (const event of named("$exception")) {
        const { type } = event.properties.$exception_list[0];
        kinds.set(type, [...(kinds.get(type) ?? []), event]);
      }
      return Object.fromEntries([...kinds].map(([type, list]) => [type, { events: list.length, people: distinct(list, personOf) }]));
    },
  };
}
