// What a deployment costs a month at a given traffic, by Cloudflare's price lists of November 2026.

const GB = 1e9;
const PRICES = {
  workersPaid: { title: "Workers Paid", fixed: 5 },
  requests: { title: "Worker requests", included: 10e6, each: 0.3 / 1e6 },
  cpu: { title: "Worker CPU (ms)", included: 30e6, each: 0.02 / 1e6 },
  objectRequests: { title: "Durable Object requests", included: 1e6, each: 0.15 / 1e6 },
  transform: { title: "Basin Pipelines SQL (GB in)", included: 50, each: 0.04 },
  sink: { title: "Basin Pipelines sinks (GB uncompressed)", included: 50, each: 0.06 },
  storage: { title: "R2 storage (GB)", included: 10, each: 0.015 },
  catalog: { title: "Basin Catalog operations", included: 1e6, each: 9 / 1e6 },
  compaction: { title: "Basin compaction (GB)", included: 10, each: 0.005 },
};

/** Assumed, for a site with PostHog's SDKs: events of a request, bytes of a row, and how far zstd takes it. */
const EVENTS_PER_REQUEST = 4;
const ROW_BYTES = 1500;
const COMPRESSED = 0.15;
const CPU_MS_PER_REQUEST = 2;
/** Of the events, those that reach a person's object. */
const IDENTIFIED = 0.3;
const COMMITS_PER_TABLE = 30 * 24 * 60;

/** @param {number} events a month @param {{tables: number}} shape */
export function estimate(events, { tables }) {
  const requests = events / EVENTS_PER_REQUEST;
  const gigabytes = (events * ROW_BYTES) / GB;
  const amounts = {
    requests,
    cpu: requests * CPU_MS_PER_REQUEST,
    objectRequests: events * IDENTIFIED,
    transform: gigabytes,
    sink: gigabytes,
    storage: gigabytes * COMPRESSED,
    catalog: Math.min(events, COMMITS_PER_TABLE * tables) * 4,
    compaction: gigabytes * COMPRESSED,
  };
  const lines = Object.entries(PRICES).map(([name, { title, fixed, included = 0, each = 0 }]) => {
    const amount = amounts[name];
    return {
      what: title,
      amount: amount === undefined ? null : Math.round(amount),
      included,
      usd: fixed ?? Math.round(Math.max(0, amount - included) * each * 100) / 100,
    };
  });
  return { events, lines, usd: Math.round(lines.reduce((sum, line) => sum + line.usd, 0) * 100) / 100 };
}
