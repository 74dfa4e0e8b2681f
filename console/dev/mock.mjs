// A Worker that is not there: the console's contract with made-up data, for looking at pages and for
// the tests of states. Numbers are a function of the question, so that a list's length equals its number.
//
//   node console/dev/mock.mjs [PORT]       http://127.0.0.1:PORT/app  token "admin" or "viewer"
//
// POST /mock {"faults": [{"kind": "TrendsQuery", "delay_ms", "status", "body", "count"}], "empty": bool, "sql": bool, "token": bool}
import { createServer } from "node:http";
import { createHash, randomUUID } from "node:crypto";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { dirname, extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HERE = dirname(fileURLToPath(import.meta.url));
export const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; " +
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";
export const FRAME_CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: blob:; font-src data:; frame-ancestors 'self'";

const hash = (text) => createHash("md5").update(text).digest().readUInt32BE(0);
const unit = (text) => hash(text) / 2 ** 32;
const DAY = 86_400_000;
const dayText = (at) => new Date(at).toISOString().slice(0, 10);

// -- People and events ----------------------------------------------------------------------------

const FIRST =
  "Ada Grace Alan Edsger Barbara Donald Margaret Dennis Radia Ken Frances Linus Jean Guido Hedy Tim Sophie Niklaus Annie Bjarne".split(" ");
const LAST =
  "Lovelace Hopper Turing Dijkstra Liskov Knuth Hamilton Ritchie Perlman Thompson Allen Torvalds Bartik Rossum Lamarr Lee Wilson Wirth Easley Stroustrup".split(
    " ",
  );
const PLANS = ["free", "free", "free", "pro", "pro", "team"];
const COUNTRIES = ["DE", "US", "FR", "GB", "NL", "IN", "BR", "JP"];
export const uuidOf = (text) => {
  const h = createHash("sha1").update(text).digest("hex");
  return `${h.slice(0, 8)}-${h.slice(8, 12)}-5${h.slice(13, 16)}-8${h.slice(17, 20)}-${h.slice(20, 32)}`;
};
export const PEOPLE = Array.from({ length: 1180 }, (_, n) => {
  const name = `${FIRST[n % 20]} ${LAST[Math.floor(n / 20) % 20]}`;
  const id = `${name.toLowerCase().replace(" ", ".")}${n >= 400 ? n : ""}`;
  const identified = n % 4 !== 3;
  return {
    id: uuidOf(`person ${n}`),
    uuid: uuidOf(`person ${n}`),
    name: identified ? `${id}@example.test` : uuidOf(`anon ${n}`),
    distinct_ids: identified ? [id, uuidOf(`anon ${n}`)] : [uuidOf(`anon ${n}`)],
    is_identified: identified,
    properties: identified
      ? { email: `${id}@example.test`, name, plan: PLANS[n % 6], $geoip_country_code: COUNTRIES[n % 8] }
      : { $geoip_country_code: COUNTRIES[n % 8] },
    created_at: new Date(Date.now() - ((n * 7919) % 30) * DAY - n * 60_000).toISOString(),
  };
});

const EVENTS = {
  $pageview: 31_204,
  $autocapture: 18_922,
  $pageleave: 12_031,
  sign_up: 2_104,
  $identify: 1_988,
  purchase: 412,
  $exception: 231,
  "report exported": 188,
  "invite sent": 97,
};
const PAGES = ["/", "/pricing", "/docs", "/blog/launch", "/sign-up", "/welcome", "/settings", "/order/7", "/checkout", "/about"];

function eventRow(n, person = PEOPLE[n % PEOPLE.length]) {
  const at = new Date(Date.now() - n * 97_000).toISOString();
  const names = Object.keys(EVENTS);
  const event = names[hash(`event ${n}`) % (n % 3 === 0 ? names.length : 3)];
  const session = uuidOf(`session ${Math.floor(n / 9)} ${person.id}`);
  return {
    uuid: uuidOf(`row ${n}`),
    event,
    timestamp: at,
    distinct_id: person.distinct_ids[0],
    person_id: person.id,
    elements_chain: "",
    properties: {
      $current_url: `https://shop.example${PAGES[hash(`page ${n}`) % PAGES.length]}`,
      $pathname: PAGES[hash(`page ${n}`) % PAGES.length],
      $browser: ["Chrome", "Safari", "Firefox"][n % 3],
      $os: ["Mac OS X", "Windows", "iOS"][n % 3],
      $lib: "web",
      $lib_version: "1.449.2",
      $session_id: session,
      $ip: "203.0.113.9",
      plan: PLANS[n % 6],
      ...(event === "$exception" ? exceptionProperties(n % 4) : {}),
    },
  };
}

const ISSUES = [
  ["TypeError", "Cannot read properties of undefined (reading 'total')", "checkout.ts"],
  ["NetworkError", "Failed to fetch /api/cart", "cart.ts"],
  ["RangeError", "Invalid time value", "dates.ts"],
  ["ChunkLoadError", "Loading chunk 7 failed", "app.9f.js"],
];
function exceptionProperties(n) {
  const [type, value, file] = ISSUES[n];
  return {
    $exception_fingerprint: createHash("sha512").update(type).digest("hex"),
    $exception_types: [type],
    $exception_values: [value],
    $exception_list: [
      {
        type,
        value,
        mechanism: { handled: false, synthetic: false },
        stacktrace: {
          type: "raw",
          frames: [
            {
              platform: "web:javascript",
              filename: "https://shop.example/assets/vendor.js",
              function: "dispatch",
              lineno: 1,
              colno: 48211,
              in_app: false,
            },
            { platform: "web:javascript", filename: `src/${file}`, function: "sumOf", lineno: 88, colno: 17, in_app: true },
            { platform: "web:javascript", filename: "src/pay.tsx", function: "onPay", lineno: 41, colno: 5, in_app: true },
          ],
        },
      },
    ],
  };
}

// -- Answers --------------------------------------------------------------------------------------

/** The moment that numbers are made for: they stand still while pages are looked at. */
let moment = Date.now();

/** A question's days: enough of the rules for what the pages send. */
function axisOf(query) {
  const { date_from: from = "-7d", date_to: to } = query.dateRange ?? {};
  const now = moment;
  const momentOf = (text, fallback) => {
    if (!text) return fallback;
    const relative = /^-(\d+)([hdwmqy])(Start|End)?$/.exec(text);
    if (relative)
      return now - Number(relative[1]) * { h: 3_600_000, d: DAY, w: 7 * DAY, m: 30 * DAY, q: 91 * DAY, y: 365 * DAY }[relative[2]];
    if (/^[dmyw]Start$/.test(text))
      return text[0] === "d"
        ? now
        : text[0] === "m"
          ? Date.parse(`${dayText(now).slice(0, 8)}01`)
          : Date.parse(`${dayText(now).slice(0, 4)}-01-01`);
    if (text === "all") return now - 120 * DAY;
    return Number.isNaN(Date.parse(text)) ? fallback : Date.parse(text);
  };
  const first = momentOf(from, now - 7 * DAY);
  const last = momentOf(to, now);
  const step = { hour: 3_600_000, day: DAY, week: 7 * DAY, month: 30 * DAY }[query.interval ?? "day"] ?? DAY;
  const days = [];
  for (let at = Math.floor(first / step) * step; at <= last && days.length < 400; at += step) {
    const iso = new Date(at).toISOString();
    days.push(
      query.interval === "hour"
        ? `${iso.slice(0, 10)} ${iso.slice(11, 13)}:00:00`
        : query.interval === "month"
          ? `${iso.slice(0, 8)}01`
          : iso.slice(0, 10),
    );
  }
  return { days: [...new Set(days)], step };
}

function level(day, step, seed) {
  const at = Date.parse(`${day.slice(0, 10)}T${day.slice(11) || "00:00:00"}Z`);
  const weekday = new Date(at).getUTCDay();
  const daily = 1 + at / DAY / 20_000 - (weekday === 0 || weekday === 6 ? 0.35 : 0) + (unit(day + seed) - 0.5) * 0.25;
  // Somebody is there at every hour.
  const hourly = step < DAY ? (1.2 + Math.sin(((new Date(at).getUTCHours() - 8) / 24) * 2 * Math.PI)) / 24 : step / DAY;
  const done = Math.min(1, Math.max(0, (moment - at) / step));
  return Math.max(0, daily * hourly * done);
}
const filtered = (query) => (query.properties?.length ? 0.3 + 0.4 * unit(JSON.stringify(query.properties)) : 1);

function baseOf(node) {
  const month = node.event === null || node.event === undefined ? 65_000 : (EVENTS[node.event] ?? 0);
  const people = ["dau", "weekly_active", "monthly_active", "unique_session"].includes(node.math);
  return (month / 30) * (people ? 0.31 : 1);
}

function trends(query) {
  const { days, step } = axisOf(query);
  const total = ["BoldNumber", "ActionsBarValue", "ActionsTable", "ActionsPie"].includes(query.trendsFilter?.display);
  const breakdown = query.breakdownFilter?.breakdown;
  const values =
    breakdown === undefined
      ? [null]
      : breakdown === "event"
        ? Object.keys(EVENTS)
        : breakdown === "many"
          ? [...Array.from({ length: 25 }, (_, n) => `value ${n + 1}`), "$$_posthog_breakdown_other_$$"]
          : [
              ...(DEFINITIONS.find(({ name }) => name === breakdown)?.values ?? []).map(({ value }) => value).slice(0, 5),
              "$$_posthog_breakdown_null_$$",
            ];
  const results = [];
  for (const period of query.compareFilter?.compare ? ["current", "previous"] : [""]) {
    query.series.forEach((node, order) => {
      values.forEach((value, v) => {
        const share = value === null ? 1 : 0.55 ** (v + 1) + 0.01;
        const data = days.map((day) =>
          Math.round(
            baseOf(node) *
              share *
              filtered(query) *
              level(
                period === "previous" ? dayText(Date.parse(day.slice(0, 10)) - 7 * DAY) + day.slice(10) : day,
                step,
                `${node.event}${v}`,
              ),
          ),
        );
        const one = {
          label: value ?? node.event ?? "All events",
          data: total ? [] : data,
          days: total ? [] : days,
          labels: days,
          count: total ? 0 : data.reduce((a, b) => a + b, 0),
          order,
          action: { id: node.event, order },
          ...(value === null ? {} : { breakdown_value: value }),
          ...(period === "" ? {} : { compare: true, compare_label: period }),
          ...(total ? { aggregated_value: data.reduce((a, b) => a + b, 0) } : {}),
        };
        results.push(one);
      });
    });
  }
  return { results, hasMore: values.length > 25 };
}

function funnel(query) {
  const names = query.series.map(({ event }) => event);
  const share = filtered(query) * Math.min(1, axisOf(query).days.length / 30);
  if (query.funnelsFilter?.funnelVizType === "time_to_convert")
    return {
      results: {
        bins: Array.from({ length: 12 }, (_, n) => [n * 3_600, Math.round(400 * 0.7 ** n)]),
        average_conversion_time: 5_400,
        median_conversion_time: 130,
      },
    };
  if (query.funnelsFilter?.funnelVizType === "trends") {
    const { days } = axisOf(query);
    const data = days.map((day) => Math.round(200 + 100 * unit(day)) / 10);
    return {
      results: [
        {
          count: data.length,
          data,
          days,
          labels: days,
          raw: days.map((day, i) => ({
            day,
            reached_from_step_count: 300,
            reached_to_step_count: Math.round(3 * data[i]),
            conversion_rate: data[i],
          })),
        },
      ],
    };
  }
  const group = (value, part) =>
    names.map((name, order) => ({
      name,
      order,
      action_id: name,
      type: "events",
      custom_name: null,
      count: Math.round([8_412, 2_104, 412, 97, 30][order] * share * part),
      average_conversion_time: order === 0 ? null : 5_400 * order,
      median_conversion_time: order === 0 ? null : 130 * order,
      ...(value === undefined ? {} : { breakdown: [value], breakdown_value: [value] }),
    }));
  if (query.breakdownFilter?.breakdown === undefined) return { results: group(undefined, 1) };
  return {
    results: [
      ["Chrome", 0.6],
      ["Safari", 0.3],
      ["Firefox", 0.1],
    ].map(([value, part]) => group(value, part)),
  };
}

function retention(query) {
  const { totalIntervals: columns = 8, period = "Day" } = query.retentionFilter ?? {};
  const step = { Hour: 3_600_000, Day: DAY, Week: 7 * DAY, Month: 30 * DAY }[period];
  return {
    results: Array.from({ length: columns }, (_, row) => {
      const at = Math.floor(moment / step) * step - (columns - 1 - row) * step;
      const size = Math.round(180 + 80 * unit(`cohort ${at}`));
      return {
        label: `${period} ${row}`,
        date: new Date(at).toISOString(),
        breakdown_value: null,
        values: Array.from({ length: columns - row }, (_, k) => ({
          label: `${period} ${k}`,
          count:
            k === 0 ? size : Math.round(size * (0.42 / k ** 0.6) * (0.85 + 0.3 * unit(`${at} ${k}`)) * (row + k === columns - 1 ? 0.5 : 1)),
        })),
      };
    }),
  };
}

function paths(query) {
  const edges = [];
  const start = query.pathsFilter?.startPoint || "/";
  let layer = [[start, 4_200]];
  for (let step = 1; step < (query.pathsFilter?.stepLimit ?? 5); step += 1) {
    const next = new Map();
    for (const [name, people] of layer) {
      const options = PAGES.filter((page) => page !== name)
        .sort((a, b) => unit(name + a + step) - unit(name + b + step))
        .slice(0, 3);
      options.forEach((target, n) => {
        const value = Math.round(people * [0.38, 0.2, 0.09][n]);
        if (value < 5) return;
        edges.push({ source: `${step}_${name}`, target: `${step + 1}_${target}`, value, average_conversion_time: 42_000 * (n + 1) });
        next.set(target, (next.get(target) ?? 0) + value);
      });
    }
    layer = [...next].sort((a, b) => b[1] - a[1]).slice(0, 7);
  }
  return { results: edges };
}

function lifecycle(query) {
  const { days, step } = axisOf(query);
  return {
    results: ["new", "returning", "resurrecting", "dormant"].map((status, n) => {
      const data = days.map((day) => Math.round([70, 160, 40, -90][n] * filtered(query) * level(day, step, status)));
      return { status, label: `${query.series?.[0]?.event} - ${status}`, data, days, labels: days, count: data.reduce((a, b) => a + b, 0) };
    }),
  };
}

function stickiness(query) {
  const count = axisOf(query).days.length;
  return {
    results: query.series.map((node, order) => ({
      label: node.event ?? "All events",
      order,
      count: 900,
      data: Array.from({ length: count }, (_, n) => Math.round(420 * 0.72 ** n)),
      days: Array.from({ length: count }, (_, n) => n + 1),
      labels: Array.from({ length: count }, (_, n) => `${n + 1} day${n ? "s" : ""}`),
    })),
  };
}

function overview(query) {
  const share = filtered(query) * Math.min(1.2, axisOf(query).days.length / 30);
  const compare = query.compareFilter?.compare;
  return {
    results: [
      ["visitors", "unit", 8_412, 0.06],
      ["views", "unit", 31_204, 0.11],
      ["sessions", "unit", 10_911, 0.04],
      ["session duration", "duration_s", 130, -0.03],
      ["bounce rate", "percentage", 41.3, 0.02],
    ].map(([key, kind, value, up]) => {
      const now = kind === "unit" ? Math.round(value * share) : value;
      return {
        key,
        kind,
        isIncreaseBad: key === "bounce rate" || null,
        value: now,
        previous: compare ? (kind === "unit" ? Math.round(now / (1 + up)) : now / (1 + up)) : null,
        changeFromPreviousPct: compare ? Math.round(up * 100) : null,
      };
    }),
  };
}

const STATS = {
  Page: PAGES,
  InitialPage: PAGES.slice(0, 6),
  ExitPage: PAGES.slice(2),
  InitialReferringDomain: [
    "google.com",
    "$direct",
    "news.ycombinator.com",
    "github.com",
    "duckduckgo.com",
    "t.co",
    ...Array.from({ length: 506 }, (_, n) => `blog${n}.example`),
  ],
  InitialChannelType: ["Direct", "Organic Search", "Referral", "Organic Social", "Paid Search", "Email"],
  InitialUTMSource: ["newsletter", "google", null],
  InitialUTMMedium: ["email", "cpc", null],
  InitialUTMCampaign: ["launch", null],
  Browser: ["Chrome", "Safari", "Firefox", "Edge"],
  OS: ["Mac OS X", "Windows", "iOS", "Android", "Linux"],
  DeviceType: ["Desktop", "Mobile", "Tablet"],
  Country: COUNTRIES,
  Region: ["BE", "CA", "IDF"],
  City: ["Berlin", "Paris", "London", "Austin"],
};
function stats(query) {
  const names = STATS[query.breakdownBy] ?? [null];
  const share = filtered(query) * Math.min(1.2, axisOf(query).days.length / 30);
  const limit = query.limit ?? 10;
  const rows = names.map((name, n) => {
    const visitors = Math.max(1, Math.round(3_100 * share * 0.72 ** Math.min(n, 20) + (n < 40 ? 6 : 0)));
    const before = query.compareFilter?.compare ? Math.round(visitors * (0.8 + 0.4 * unit(`${name}`))) : null;
    return [
      name,
      [visitors, before],
      [Math.round(visitors * 2.6), before === null ? null : before * 2],
      ...(query.includeBounceRate ? [[30 + 30 * unit(`b${name}`), null]] : []),
    ];
  });
  return {
    results: rows.slice(query.offset ?? 0, (query.offset ?? 0) + limit),
    columns: ["context.columns.breakdown_value", "context.columns.visitors", "context.columns.views"],
    hasMore: rows.length > limit,
  };
}

/** How many people a point counts; the number that the page shows. */
function countBehind(query) {
  const source = query.source?.source ?? {};
  if (query.source?.kind === "FunnelsActorsQuery") {
    const steps = funnel(source).results;
    const step = query.source.funnelStep;
    const list = Array.isArray(steps[0])
      ? (steps.find((one) => one[0].breakdown_value[0] === query.source.funnelStepBreakdown) ?? steps[0])
      : steps;
    return step > 0 ? list[step - 1].count : list[-step - 2].count - list[-step - 1].count;
  }
  if (source.kind === "TrendsQuery") {
    const lines = trends(source).results.filter(
      (one) =>
        one.order === (query.source.series ?? 0) &&
        (query.source.breakdown === undefined || one.breakdown_value === query.source.breakdown) &&
        (one.compare_label ?? "current") === (query.source.compare ?? "current"),
    );
    const line = lines[0];
    return line === undefined ? 0 : query.source.day === undefined ? line.count : (line.data[line.days.indexOf(query.source.day)] ?? 0);
  }
  if (source.kind === "LifecycleQuery") {
    const line = lifecycle(source).results.find(({ status }) => status === query.source.status);
    return Math.abs(line?.data[line.days.indexOf(query.source.day)] ?? 0);
  }
  if (source.kind === "StickinessQuery") return stickiness(source).results[query.source.series ?? 0].data[query.source.day - 1] ?? 0;
  if (source.kind === "RetentionQuery") return retention(source).results[query.source.interval]?.values[query.source.day ?? 0].count ?? 0;
  return 12;
}

function list(query, rows, make) {
  const { limit = 100, offset = 0 } = query;
  return { results: rows.slice(offset, offset + limit).map(make), hasMore: rows.length > offset + limit, limit, offset };
}

function peopleList(query) {
  const count = query.kind === "ActorsQuery" ? countBehind(query) : PEOPLE.length;
  let rows = Array.from({ length: count }, (_, n) => PEOPLE[n % PEOPLE.length]);
  if (query.search) rows = rows.filter((person) => JSON.stringify(person).toLowerCase().includes(query.search.toLowerCase()));
  const select = query.select ?? ["person", "id", "created_at", "person.$delete"];
  return {
    columns: select,
    missing_actors_count: 0,
    ...list(query, rows, (person) =>
      select.map((name) =>
        name === "created_at" ? person.created_at : name === "id" ? person.id : name === "person.$delete" ? null : person,
      ),
    ),
  };
}

function events(query) {
  const person = query.personId ? PEOPLE.find(({ id }) => id === query.personId) : undefined;
  if (query.personId && person === undefined) return { columns: query.select, results: [], hasMore: false };
  let rows = Array.from({ length: 400 }, (_, n) => eventRow(person ? n * 31 : n, person ?? PEOPLE[n % 40]));
  const names = query.events ?? (query.event ? [query.event] : null);
  if (names !== null)
    rows = rows.map((row, n) => ({
      ...row,
      event: names[0],
      properties: { ...row.properties, ...(names[0] === "$exception" ? exceptionProperties(n % 4) : {}) },
    }));
  const cell = (row, name) =>
    name === "*"
      ? row
      : name.startsWith("properties.")
        ? (row.properties[name.slice(11)] ?? null)
        : name === "person"
          ? { id: row.person_id, uuid: row.person_id, distinct_id: row.distinct_id, properties: {} }
          : (row[name] ?? null);
  return {
    columns: query.select,
    types: query.select.map(() => "String"),
    ...list(query, rows, (row) => query.select.map((name) => cell(row, name))),
  };
}

function sessions(query) {
  const rows = Array.from({ length: 260 }, (_, n) => {
    const start = Date.now() - n * 1_900_000;
    const length = Math.round(600 * unit(`length ${n}`));
    return {
      session_id: uuidOf(`visit ${n}`),
      person_id: PEOPLE[n % 50].id,
      start: new Date(start).toISOString(),
      end: new Date(start + length * 1_000).toISOString(),
      duration_s: length,
      pageviews: 1 + (n % 7),
      entry_url: `https://shop.example${PAGES[n % 10]}`,
      exit_url: `https://shop.example${PAGES[(n * 3) % 10]}`,
      is_bounce: n % 7 === 0,
    };
  });
  return list(query, rows, (row) => row);
}

function errors(query) {
  const bins = query.volumeResolution ?? 20;
  const rows = ISSUES.map(([type, value], n) => {
    const range = Array.from({ length: bins }, (_, b) => Math.round(12 * unit(`${type} ${b}`) ** 3));
    return {
      id: createHash("sha512").update(type).digest("hex"),
      name: type,
      description: value,
      status: "active",
      decision: null,
      assignee: null,
      first_seen: new Date(Date.now() - (n + 2) * DAY).toISOString(),
      last_seen: new Date(Date.now() - n * 3_600_000).toISOString(),
      aggregations: {
        occurrences: 214 - 60 * n,
        sessions: 60 - 12 * n,
        users: 41 - 9 * n,
        volumeRange: range,
        volume_buckets: range.map((value, b) => ({ label: `${b}`, value })),
      },
    };
  }).filter(({ id }) => !query.issueId || id === query.issueId);
  return list(query, rows, (row) => row);
}

function hogql(query) {
  if (/offset/i.test(query.query))
    throw {
      status: 400,
      body: {
        type: "validation_error",
        code: "sql_refused",
        detail: "OFFSET is not in this engine. Page by a key: WHERE timestamp < …",
        attr: "query.query",
      },
    };
  const rows = Object.entries(EVENTS);
  return { columns: ["event", "n"], types: ["String", "UInt64"], results: rows, hasMore: false };
}

/** Of an identified person one merge with another one was refused. */
function refusedMerges({ distinctIds }) {
  const person = PEOPLE.find(({ distinct_ids, is_identified }) => is_identified && distinct_ids[0] === distinctIds[0]);
  if (person === undefined) return { results: [], hasMore: false };
  const [id] = person.distinct_ids;
  const [other] = PEOPLE.find((one) => one !== person && one.is_identified).distinct_ids;
  const refusal = {
    at: new Date(Date.now() - 2 * DAY).toISOString(),
    detail: `"${other}" belongs to an identified person; the event was stored for "${id}" without a merge`,
    distinct_id: id,
    event: "$identify",
    event_uuid: uuidOf(`refused ${id}`),
    other_id: other,
    reason: "cannot_merge_already_identified",
  };
  return { results: [refusal], hasMore: false };
}

const ANSWERS = {
  TrendsQuery: trends,
  FunnelsQuery: funnel,
  RetentionQuery: retention,
  PathsQuery: paths,
  LifecycleQuery: lifecycle,
  StickinessQuery: stickiness,
  WebOverviewQuery: overview,
  WebStatsTableQuery: stats,
  _RefusedMerges: refusedMerges,
  ActorsQuery: peopleList,
  PersonsQuery: peopleList,
  EventsQuery: events,
  SessionsQuery: sessions,
  ErrorTrackingQuery: errors,
  HogQLQuery: hogql,
};

const DEFINITIONS = [
  ["$browser", "event", ["Chrome", "Safari", "Firefox", "Edge"]],
  ["$os", "event", ["Mac OS X", "Windows", "iOS", "Android"]],
  ["$current_url", "event", PAGES.map((page) => `https://shop.example${page}`)],
  ["$pathname", "event", PAGES],
  ["$referring_domain", "event", ["google.com", "$direct", "github.com"]],
  ["plan", "person", ["free", "pro", "team"]],
  ["email", "person", []],
  ["amount", "event", ["9", "29", "99"]],
  ["many", "event", Array.from({ length: 500 }, (_, n) => `value ${n + 1}`)],
].map(([name, type, values], n) => ({
  name,
  type,
  property_type: name === "amount" ? "Numeric" : "String",
  share: 0.9 - n * 0.08,
  values: values.slice(0, 20).map((value, v) => ({ value, count: Math.round(9_000 * 0.6 ** v) })),
}));

// -- Flags ----------------------------------------------------------------------------------------

const FLAGS = {
  flags: [
    {
      id: 1,
      key: "new-checkout",
      name: "The new checkout",
      active: true,
      filters: {
        groups: [
          { properties: [{ key: "plan", value: ["pro"], operator: "exact", type: "person" }], rollout_percentage: 50 },
          { properties: [{ key: "email", value: "@example.test", operator: "icontains", type: "person" }], rollout_percentage: 100 },
        ],
      },
    },
    {
      id: 2,
      key: "beta-banner",
      name: "",
      active: true,
      filters: {
        groups: [{ properties: [], rollout_percentage: 100 }],
        multivariate: {
          variants: [
            { key: "control", rollout_percentage: 50 },
            { key: "bold", rollout_percentage: 50 },
          ],
        },
      },
    },
    {
      id: 3,
      key: "old-export",
      name: "Until the migration is through",
      active: false,
      filters: { groups: [{ properties: [], rollout_percentage: 0 }] },
    },
  ],
};
function checkFlags(text) {
  let document;
  try {
    document = JSON.parse(text);
  } catch (fault) {
    return [{ flag: "", path: "", severity: "error", message: `This is no JSON: ${fault.message}` }];
  }
  const problems = [];
  (document.flags ?? []).forEach((flag, f) =>
    (flag.filters?.groups ?? []).forEach((group, g) =>
      (group.properties ?? []).forEach((property, p) => {
        if (property.value === "" || (Array.isArray(property.value) && property.value.length === 0))
          problems.push({
            flag: flag.key,
            path: `flags.${f}.filters.groups.${g}.properties.${p}.value`,
            severity: "error",
            message: "An empty value matches nobody and is refused: name a value, or use is_not_set.",
          });
      }),
    ),
  );
  return problems;
}

// -- The server -----------------------------------------------------------------------------------

const TYPES = { ".js": "text/javascript", ".css": "text/css", ".html": "text/html; charset=utf-8", ".svg": "image/svg+xml" };

/** @returns {Promise<{url: string, close: () => Promise<void>, state: any, asked: any[]}>} */
export function startMock(port = 0, assets = join(HERE, "..", "..", "build", "console")) {
  moment = Date.now();
  const state = {
    faults: [],
    empty: false,
    sql: true,
    token: true,
    kv: true,
    attempts: 0,
    sessions: new Map(),
    documents: new Map(),
    flags: JSON.stringify(FLAGS, null, 2),
    history: [],
    sockets: new Set(),
  };
  const asked = [];
  const etag = (text) => `"${createHash("sha1").update(text).digest("hex").slice(0, 16)}"`;
  const sessionOf = (request) => state.sessions.get(/(?:^|; )hf=([^;]+)/.exec(request.headers.cookie ?? "")?.[1] ?? "");
  const sessionBody = ({ role, csrf }) => ({
    role,
    csrf,
    expires_at: new Date(Date.now() + 12 * 3_600_000).toISOString(),
    time_zone: "UTC",
    version: "0.1.0",
    projects: [
      { team_id: 1, time_zone: "UTC", name: "Shop", token_last4: "cafe", token: "phc_demo_project_token_cafe" },
      { team_id: 2, name: "Demo", token_last4: "d3m0", token: "phc_demo_d3m0" },
    ],
    capabilities: {
      sql: state.sql,
      free_sql: role === "admin",
      flags_kv: state.kv,
      documents: state.kv,
      recordings: true,
      live: true,
      demo: true,
    },
  });

  function file(response, path, csp) {
    if (!existsSync(path)) return false;
    const name = path.split("/").at(-1);
    response.writeHead(200, {
      "content-type": TYPES[extname(name)] ?? "application/octet-stream",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": csp,
      "cache-control": path.includes("/console/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
    });
    response.end(readFileSync(path));
    return true;
  }

  async function question(body, response) {
    const { query } = body;
    asked.push(query);
    const fault = state.faults.find(
      ({ kind, count = 1, when }) => (kind === undefined || kind === query.kind) && count > 0 && (when === undefined || when(query)),
    );
    if (fault !== undefined) {
      fault.count = (fault.count ?? 1) - 1;
      if (fault.delay_ms) await new Promise((done) => setTimeout(done, fault.delay_ms).unref());
      if (fault.status) return json(response, fault.status, fault.body);
    }
    if (!state.sql) return json(response, 503, { type: "server_error", code: "no_sql_engine", detail: "Questions need a SQL engine." });
    const answer = ANSWERS[query.kind];
    if (answer === undefined)
      return json(response, 400, {
        type: "validation_error",
        code: "not_done",
        detail: `${query.kind} is not done here`,
        attr: "query.kind",
      });
    try {
      let result = answer(query);
      if (state.empty) result = { ...result, results: Array.isArray(result.results) ? [] : result.results };
      json(response, 200, {
        ...result,
        is_cached: false,
        query_status: { complete: true },
        timezone: "UTC",
        hogflare: {
          bytes_scanned: state.scanned ?? 34_102_231,
          duration_ms: 812,
          as_of: new Date().toISOString(),
          data_until: new Date(Date.now() - 240_000).toISOString(),
          sql: [`SELECT count(*) AS n FROM e -- ${query.kind}`],
          warnings: [],
          ...(fault?.days_missing ? { days_missing: fault.days_missing } : {}),
        },
      });
    } catch (refused) {
      if (refused.status === undefined) throw refused;
      json(response, refused.status, refused.body);
    }
  }

  /** Two at a time, as the Worker does; a reader who left is asked for nothing more. */
  async function batch({ queries }, response) {
    const head = { "content-type": "application/x-ndjson", "cache-control": "no-store" };
    if (!state.sql) return json(response, 503, { type: "server_error", code: "no_sql_engine", detail: "Questions need a SQL engine." });
    response.writeHead(200, head);
    response.flushHeaders();
    response.on("close", () => {
      if (!response.writableEnded) state.left = (state.left ?? 0) + 1;
    });
    const rest = queries.map((body, index) => ({ body, index }));
    const work = async () => {
      for (let one = rest.shift(); one !== undefined && !response.destroyed; one = rest.shift()) {
        let status;
        const { index } = one;
        const line = (text) => response.write(`{"index":${index},"status":${status},"${status === 200 ? "answer" : "error"}":${text}}\n`);
        await question(one.body, { writeHead: (told) => (status = told), end: line });
      }
    };
    await Promise.all([work(), work()]);
    response.end();
  }

  function json(response, status, body, headers = {}) {
    response.writeHead(status, { "content-type": "application/json", "cache-control": "private, no-store", ...headers });
    response.end(JSON.stringify(body));
  }

  const health = () => ({
    status: "ok",
    version: "0.1.0",
    traps: 0,
    variables_set: ["HOGFLARE_ADMIN_TOKEN", "HOGFLARE_SQL_TOKEN"],
    bindings: ["PERSONS", "OUTBOX"],
    sinks: ["events", "persons", "rejects", "distinct_ids"].map((stream) => ({
      stream,
      kind: stream === "distinct_ids" ? "none" : "binding",
      waiting_rows: stream === "events" ? (state.outbox ?? 0) : 0,
      failures: stream === "events" && state.outbox ? 3 : 0,
      last_status: state.outbox ? 503 : 0,
      last_reason: "",
      retry_in_s: stream === "events" && state.outbox ? 12 : null,
    })),
    outbox: {
      rows: state.outbox ?? 0,
      bytes: (state.outbox ?? 0) * 2_180,
      bytes_max: 1_073_741_824,
      oldest_s: state.outbox ? 34 : 0,
      shards_failed: 0,
    },
    quarantine: { rows: 0, bytes: 0 },
    problems: [
      {
        severity: "warning",
        code: "configuration",
        sentence: "The stream distinct_ids is not bound: merged people count as two in the tables. Bind DISTINCT_IDS_STREAM.",
      },
    ],
    counts: {
      of: "this_isolate",
      accepted: 1_204_331,
      landed: 1_204_314 - (state.outbox ?? 0),
      to_outbox: state.outbox ?? 0,
      waiting: state.outbox ?? 0,
      rejected: 17,
      quarantined: 0,
      failed: 0,
      rejected_by_reason: { missing_distinct_id: 12, event_too_large: 5 },
    },
  });

  async function api(request, response, url, body) {
    const path = url.pathname.slice("/app/api/".length);
    const mine = sessionOf(request);
    if (path === "session") {
      if (request.method === "POST") {
        state.attempts += 1;
        if (!["admin", "viewer"].includes(body.token))
          return state.attempts > 5
            ? json(response, 429, { code: "too_many_attempts", detail: "Too many attempts.", retry_after_s: 60 })
            : json(response, 401, { code: "wrong_token", detail: "That is neither the admin nor the viewer token." });
        const id = randomUUID();
        state.sessions.set(id, { role: body.token, csrf: randomUUID() });
        return json(response, 200, sessionBody(state.sessions.get(id)), { "set-cookie": `hf=${id}; Path=/; HttpOnly; SameSite=Strict` });
      }
      if (request.method === "DELETE") state.sessions.clear();
      return mine ? json(response, 200, sessionBody(mine)) : json(response, 401, { code: "signed_out" });
    }
    if (!mine) return json(response, 401, { code: "signed_out", detail: "Sign in." });
    if (request.method !== "GET" && request.headers["x-hogflare-csrf"] !== mine.csrf)
      return json(response, 403, { code: "no_csrf", detail: "The request lacks its token." });
    if (path === "health") return json(response, 200, health());
    if (path === "health/drain" || path === "health/redrive") {
      const sent = state.outbox ?? 0;
      state.outbox = 0;
      return json(response, 200, { sent, refused: 0 });
    }
    if (path === "person") {
      const id = url.searchParams.get("distinct_id");
      const person = PEOPLE.find(({ distinct_ids }) => distinct_ids.includes(id));
      if (person === undefined) return json(response, 404, { code: "no_person", detail: "No person has this distinct id." });
      return json(response, 200, {
        ...person,
        version: 7,
        merges: person.is_identified
          ? [
              {
                at: person.created_at,
                kind: "$identify",
                from: person.distinct_ids[1],
                into: person.distinct_ids[0],
                event_uuid: uuidOf(`merge ${id}`),
              },
            ]
          : [],
      });
    }
    if (path === "flags" && request.method === "GET") {
      const document = JSON.parse(state.flags);
      return json(response, 200, {
        document: state.flags,
        etag: etag(state.flags),
        source: state.kv ? "kv" : "variable",
        writable: state.kv && mine.role === "admin",
        problems: checkFlags(state.flags),
        flags: document.flags.map(({ key, name, active, filters }) => ({
          key,
          name,
          active,
          kind: filters.multivariate ? "multivariate" : "boolean",
          rollout: filters.groups.map((g) => `${g.rollout_percentage} %`).join(", "),
        })),
      });
    }
    if (path === "flags/check") return json(response, 200, { problems: checkFlags(body.document) });
    if (path === "flags/history") {
      const at = url.searchParams.get("at");
      if (at !== null) return json(response, 200, { at, document: state.history.find((one) => one.at === at)?.document });
      return json(response, 200, { versions: state.history.map(({ document, ...one }) => ({ ...one, bytes: document.length })) });
    }
    if (path === "flags/evaluate") {
      const person = PEOPLE.find(({ distinct_ids }) => distinct_ids.includes(body.distinct_id));
      const plan = body.person_properties?.plan ?? person?.properties.plan;
      return json(response, 200, {
        flags: Object.fromEntries(
          JSON.parse(state.flags).flags.map(({ key, active }) => [
            key,
            {
              key,
              enabled: active && (key !== "new-checkout" || plan === "pro"),
              variant: key === "beta-banner" ? "bold" : undefined,
              reason: {
                code: active ? (key !== "new-checkout" || plan === "pro" ? "condition_match" : "no_condition_match") : "disabled",
                condition_index: 0,
                description: active ? `Condition set 1: plan is ${plan}` : "The flag is off",
              },
              metadata: { id: 1, version: 3 },
            },
          ]),
        ),
      });
    }
    if (path === "flags" && request.method === "PUT") {
      if (mine.role !== "admin") return json(response, 403, { code: "read_only", detail: "Changes need the admin token." });
      if (request.headers["if-match"] !== etag(state.flags))
        return json(response, 409, { code: "changed", detail: "The flags were changed meanwhile.", etag: etag(state.flags) });
      const problems = checkFlags(body.document);
      if (problems.some(({ severity }) => severity === "error"))
        return json(response, 422, { code: "refused", detail: "The checker refuses this.", problems });
      state.history.unshift({ at: new Date().toISOString(), replaced_by: mine.role, etag: etag(state.flags), document: state.flags });
      state.flags = body.document;
      return json(response, 200, { etag: etag(state.flags) });
    }
    const document = /^documents\/(dashboards|insights)(?:\/([^/]+))?(\/history)?$/.exec(path);
    if (document) return documents(request, response, document, body);
    if (path === "demo")
      return json(response, 200, request.method === "POST" ? { state: "running", sent: 0, of: 40_000 } : { state: "idle" });
    return json(response, 404, { code: "no_route", detail: `There is no ${path}.` });
  }

  function recordings(response, url, rest) {
    if (rest === "") {
      const all = Array.from({ length: 12 }, (_, n) => ({
        id: uuidOf(`visit ${n}`),
        parts: 1,
        start_time: new Date(Date.now() - n * 1_900_000).toISOString(),
        end_time: new Date(Date.now() - n * 1_900_000 + 40_000).toISOString(),
        recording_duration: 40,
        pageviews: 2,
        exceptions: n % 3 === 0 ? 1 : 0,
      }));
      const named = url.searchParams.get("session_ids");
      return json(response, 200, {
        results: named === null ? all : all.filter(({ id }) => JSON.parse(named).includes(id)),
        has_next: false,
      });
    }
    if (!rest.endsWith("/snapshots")) return json(response, 404, { code: "not_found", detail: "There is no such recording." });
    const lines = recording();
    const isFirst = url.searchParams.get("after") === null;
    response.writeHead(200, {
      "content-type": "application/jsonl",
      "content-encoding": "gzip",
      ...(isFirst ? { "x-hogflare-next": "rows" } : {}),
    });
    return response.end(gzipSync((isFirst ? lines.slice(0, 2) : lines.slice(2)).join("")));
  }

  function documents(request, response, [, kind, slug, history], body) {
    if (!state.kv) return json(response, 503, { code: "no_kv", detail: "Bind a KV namespace to keep documents." });
    const key = `${kind}/${slug}`;
    if (slug === undefined)
      return json(response, 200, {
        results: [...state.documents]
          .filter(([name]) => name.startsWith(`${kind}/`))
          .map(([name, { document, updated_at }]) => ({ slug: name.slice(kind.length + 1), name: document.name, updated_at })),
      });
    const kept = state.documents.get(key);
    if (history) return json(response, 200, { versions: kept?.history ?? [] });
    if (request.method === "PUT") {
      const match = request.headers["if-match"];
      if (kept !== undefined && match !== kept.etag)
        return json(response, 409, { code: "changed", detail: "Changed elsewhere.", etag: kept.etag });
      const next = {
        document: body,
        etag: etag(JSON.stringify(body)),
        updated_at: new Date().toISOString(),
        history: kept === undefined ? [] : [{ at: kept.updated_at, document: kept.document }, ...kept.history],
      };
      state.documents.set(key, next);
      return json(response, 200, { etag: next.etag }, { etag: next.etag });
    }
    if (kept === undefined) return json(response, 404, { code: "no_document", detail: "There is no such document." });
    if (request.method === "DELETE") {
      state.documents.delete(key);
      return json(response, 200, {});
    }
    return json(response, 200, kept.document, { etag: kept.etag });
  }

  const server = createServer(async (request, response) => {
    try {
      const url = new URL(request.url, "http://mock");
      let text = "";
      for await (const part of request) text += part;
      const body = text === "" ? {} : JSON.parse(text);
      if (url.pathname === "/mock") {
        Object.assign(state, body);
        return json(response, 200, {});
      }
      if (url.pathname.startsWith("/app/api/")) return await api(request, response, url, body);
      const [, project, rest] = /^\/api\/projects\/\d+\/(\w+)\/(.*)$/.exec(url.pathname) ?? [];
      if (project !== undefined) {
        if (!sessionOf(request)) return json(response, 401, { code: "signed_out", detail: "Sign in." });
        if (project === "session_recordings") return recordings(response, url, rest);
        if (project === "query" && url.searchParams.get("format") === "csv") {
          response.writeHead(200, { "content-type": "text/csv" });
          return response.end("event,n\n'=1+1,2\n");
        }
        if (project === "query" && rest === "batch/") return await batch(body, response);
        if (project === "query" && rest === "estimate/") {
          const told = state.estimate?.(body.query) ?? { basis: null, bytes: null, days: null, dollars: null };
          return json(response, 200, told);
        }
        if (project === "query") return await question(body, response);
        if (!state.sql) return json(response, 503, { code: "no_sql_engine", detail: "Questions need a SQL engine." });
        if (project === "event_definitions")
          return json(response, 200, {
            count: 9,
            results: state.empty
              ? []
              : Object.entries(EVENTS).map(([name, count]) => ({ name, count, last_seen_at: new Date().toISOString() })),
          });
        if (project === "property_definitions")
          return json(response, 200, {
            count: 9,
            results: DEFINITIONS.filter(({ type }) => type === (url.searchParams.get("type") ?? "event")),
          });
      }
      if (url.pathname === "/app" || url.pathname.startsWith("/app/")) {
        const path = normalize(join(assets, url.pathname.slice("/app".length)));
        if (url.pathname === "/app/frame/replay") return file(response, join(assets, "frame/replay.html"), FRAME_CSP);
        if (path.startsWith(assets) && extname(path) !== "" && file(response, path, CSP)) return;
        if (url.pathname.startsWith("/app/assets/")) return json(response, 404, { code: "no_file" });
        return file(response, join(assets, "index.html"), CSP);
      }
      json(response, 404, { code: "no_route" });
    } catch (fault) {
      json(response, 500, { code: "mock_fault", detail: String(fault?.stack ?? fault) });
    }
  });

  // The live socket, unmasked text frames one way.
  server.on("upgrade", (request, socket) => {
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    const send = (value) => {
      const payload = Buffer.from(JSON.stringify(value));
      const head =
        payload.length < 126 ? Buffer.from([0x81, payload.length]) : Buffer.from([0x81, 126, payload.length >> 8, payload.length & 255]);
      socket.write(Buffer.concat([head, payload]));
    };
    let n = 0;
    const make = () => {
      const row = eventRow(n * 7, PEOPLE[n % 30]);
      const waiting = n % 9 === 4;
      n += 1;
      return {
        at: new Date().toISOString(),
        event: row.event,
        distinct_id: row.distinct_id,
        uuid: randomUUID(),
        url: row.properties.$current_url,
        lib: "web",
        lib_version: "1.449.2",
        state: waiting ? "waiting" : "landed",
        properties: { ...row.properties, email: "ada@example.test" },
        warnings: [],
      };
    };
    send({ kind: "hello", project: 1 });
    send({ kind: "events", events: Array.from({ length: 12 }, make), rate: 12, sampled: 1 });
    send({
      kind: "reject",
      at: new Date().toISOString(),
      reason: "missing_distinct_id",
      detail: "The event has no distinct_id.",
      token_last4: "cafe",
      event: "sign_up",
    });
    state.sockets.add(send);
    const timer = setInterval(() => {
      const events = Array.from({ length: state.burst ?? 1 }, make);
      send({ kind: "events", events, rate: state.rate ?? 2, sampled: state.sampled ?? 1 });
    }, 900);
    const end = () => {
      clearInterval(timer);
      state.sockets.delete(send);
    };
    socket.on("close", end).on("error", end);
  });

  return new Promise((resolve) => {
    server.listen(port, "127.0.0.1", () =>
      resolve({
        url: `http://127.0.0.1:${server.address().port}`,
        state,
        asked,
        close: () =>
          new Promise((done) => {
            server.closeAllConnections();
            server.close(done);
          }),
      }),
    );
  });
}

/** A small page, a click and a pause, as rrweb writes them; one event a line. */
function recording() {
  const at = Date.now() - 600_000;
  const text = (id, value) => ({ type: 3, textContent: value, id });
  const node = (id, tagName, attributes, childNodes) => ({ type: 2, tagName, attributes, childNodes, id });
  const events = [
    { type: 4, timestamp: at, data: { href: "https://shop.example/pricing", width: 1_024, height: 640 } },
    {
      type: 2,
      timestamp: at + 10,
      data: {
        initialOffset: { top: 0, left: 0 },
        node: {
          type: 0,
          id: 1,
          childNodes: [
            { type: 1, name: "html", publicId: "", systemId: "", id: 2 },
            node(3, "html", {}, [
              node(4, "head", {}, [
                node(5, "style", {}, [
                  text(
                    6,
                    "body{font:18px sans-serif;background:rgb(230,240,255);padding:40px} button{background:#0a7;color:#fff;border:0;padding:12px 20px;border-radius:6px}",
                  ),
                ]),
              ]),
              node(7, "body", {}, [
                node(8, "h1", { style: "color: rgb(10, 80, 40)" }, [text(9, "Pricing")]),
                node(10, "p", {}, [text(11, "One plan for everybody.")]),
                node(12, "button", { onclick: "alert(1)" }, [text(13, "Buy")]),
                node(14, "img", { src: "https://shop.example/logo.png" }, []),
              ]),
            ]),
          ],
        },
      },
    },
    { type: 3, timestamp: at + 2_000, data: { source: 1, positions: [{ x: 120, y: 190, id: 12, timeOffset: 0 }] } },
    { type: 3, timestamp: at + 2_400, data: { source: 2, type: 2, id: 12, x: 120, y: 190 } },
    {
      type: 3,
      timestamp: at + 3_000,
      data: { source: 0, texts: [{ id: 11, value: "Thank you." }], attributes: [], removes: [], adds: [] },
    },
    { type: 3, timestamp: at + 40_000, data: { source: 0, texts: [{ id: 9, value: "Done" }], attributes: [], removes: [], adds: [] } },
  ];
  // Two windows, and a part of the first that was cut in two.
  const cut = JSON.stringify(events.slice(4));
  const piece = (index, text) => ({ window_id: "one", uuid: "c", chunk_index: index, chunk_count: 2, text });
  const lines = [
    { window_id: "one", uuid: "a", data: events.slice(0, 4) },
    piece(1, cut.slice(90)),
    piece(0, cut.slice(0, 90)),
    {
      window_id: "two",
      uuid: "b",
      data: [
        { ...events[0], timestamp: at + 5_000 },
        { ...events[1], timestamp: at + 5_010 },
      ],
    },
  ];
  return lines.map((line) => `${JSON.stringify(line)}\n`);
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { url } = await startMock(Number(process.argv[2] ?? 8_799));
  console.log(`${url}/app`);
}
