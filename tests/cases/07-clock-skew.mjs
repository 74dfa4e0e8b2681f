// Source: PostHog/posthog#533 (events from the future), PostHog/posthog#98250 (skew correction counts transit time), PostHog/posthog#13579, PostHog/posthog-android#223
// Situation: devices whose clocks are three days ahead, ten years behind, and right but slow to arrive; $ignore_sent_at; offset beside timestamp.
// Expect (PostHog): timestamp + (now - sent_at); $ignore_sent_at keeps timestamp; over 23 h ahead without sent_at becomes now; offset wins. The choice can be recomputed from the row (extra).
import { id, check, batch, sql, parsed, done } from "./world.mjs";

const now = Date.now(),
  iso = (ms) => new Date(ms).toISOString(),
  DAY = 86_400_000;
const event = (name, timestamp, extra = {}) => ({ event: name, distinct_id: id("clock"), timestamp: iso(timestamp), ...extra });
await batch(
  [event("ahead", now + 3 * DAY - 60_000), event("ahead ignored", now + 3 * DAY - 60_000, { properties: { $ignore_sent_at: true } })],
  { sent_at: iso(now + 3 * DAY) },
);
await batch([event("behind", now - 3650 * DAY - 60_000)], { sent_at: iso(now - 3650 * DAY) });
await batch([event("slow", now - 90_000)], { sent_at: iso(now - 30_000) });
await batch([event("future", now + 3 * DAY), event("near future", now + 22 * 3_600_000)]);
await batch([event("offset", now - 5 * DAY, { offset: 5000 })], { sent_at: iso(now) });
const landed = Object.fromEntries(
  (await sql(`SELECT event, epoch_ms("timestamp") AS t, extra FROM events WHERE distinct_id='${id("clock")}'`)).map((row) => [
    row.event,
    row,
  ]),
);
const near = (name, want) =>
  check(Math.abs(Number(landed[name]?.t) - want) < 15_000, `${name}: ${landed[name] && iso(Number(landed[name].t))}, want ${iso(want)}`);
near("ahead", now - 60_000);
near("ahead ignored", now);
near("behind", now - 60_000);
near("slow", now - 60_000);
near("future", now);
near("near future", now + 22 * 3_600_000);
near("offset", now - 5000);
check(
  parsed(landed.slow.extra ?? "{}").$sent_at !== undefined && parsed(landed.slow.extra).$client_timestamp !== undefined,
  "the client's own times are not on the row",
);
done();
