// What arrived, a line a second, so that a terminal with scripts/dev in it does not look dead.
import { setTimeout as sleep } from "node:timers/promises";

const NAMES_MAX = 5;

/** Rows by stream so far. @param {string} pipeline address of the fake pipeline */
export async function counts(pipeline) {
  const response = await fetch(`${pipeline}/health`, { signal: AbortSignal.timeout(2000) });
  return (await response.json()).streams;
}

/** The names of the newest events: "3 $pageview, 1 signed up". */
async function namesOf(pipeline, count) {
  const query = `SELECT event, count(*) AS n FROM (SELECT event FROM events ORDER BY __ingest_ts DESC LIMIT ${count}) GROUP BY event ORDER BY n DESC`;
  const response = await fetch(`${pipeline}/sql?q=${encodeURIComponent(query)}`, { signal: AbortSignal.timeout(2000) });
  const rows = response.ok ? await response.json() : [];
  const more = rows.length > NAMES_MAX ? ", …" : "";
  return (
    rows
      .slice(0, NAMES_MAX)
      .map(({ event, n }) => `${n} ${event}`)
      .join(", ") + more
  );
}

/** Announces what comes after `before`. @param {string} pipeline @param {Awaited<ReturnType<typeof counts>>} before */
export async function announceArrivals(pipeline, before, print = console.log) {
  for (;;) {
    await sleep(1000, undefined, { ref: false });
    try {
      const now = await counts(pipeline);
      const parts = Object.entries(now).flatMap(([stream, { rows, bad }]) => {
        const more = { rows: rows - (before[stream]?.rows ?? 0), bad: bad - (before[stream]?.bad ?? 0) };
        return [
          more.rows > 0 ? `${more.rows} ${stream}` : "",
          more.bad > 0 ? `${more.bad} ${stream} refused by the schema (GET /bad)` : "",
        ].filter(Boolean);
      });
      const events = now.events.rows - (before.events?.rows ?? 0);
      before = now;
      if (parts.length === 0) continue;
      const names =
        events > 0
          ? await namesOf(pipeline, events).then(
              (text) => `: ${text}`,
              () => "",
            )
          : "";
      print(`${new Date().toISOString().slice(11, 19)} arrived ${parts.join(", ")}${names}`);
    } catch {
      // The fake pipeline is being started again.
    }
  }
}
