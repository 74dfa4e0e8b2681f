// A believable month of a small shop for teams, made from a seed: who comes, when they come back, what they
// do there. No luck: the same day of the same month gives the same events with the same uuids, so that
// sending twice changes nothing, and sending tomorrow adds a day.
//
//   for (const { lane, event } of demoEvents({ began, until: Date.now() })) …
import { createHash } from "node:crypto";

export const DEMO_DAYS = 30;
/** People who came in the weeks before still come back. */
const DAYS_BEFORE = 40;
const DAY_MS = 86_400_000;
const HOST = "shop.example";

/** @typedef {{event: string, distinct_id: string, uuid: string, timestamp: string, properties: Record<string, any>}} DemoEvent */

/** Numbers in [0, 1) that a text decides (mulberry32). */
export function dice(text) {
  let state = createHash("sha256").update(text).digest().readUInt32LE(0);
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    next,
    is: (share) => next() < share,
    between: (low, high) => low + Math.floor(next() * (high - low + 1)),
    /** One of `[[value, weight], …]`. */
    of: (choices) => {
      let at = next() * choices.reduce((sum, [, weight]) => sum + weight, 0);
      return (choices.find(([, weight]) => (at -= weight) < 0) ?? choices.at(-1))[0];
    },
  };
}

/** A version 7 uuid of this time whose rest a text decides. */
export function uuid7(ms, text) {
  const time = ms.toString(16).padStart(12, "0");
  const rest = createHash("sha256").update(text).digest("hex");
  const variant = "89ab"[Number.parseInt(rest[3], 16) % 4];
  return `${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-${variant}${rest.slice(4, 7)}-${rest.slice(7, 19)}`;
}

/** Where an id lies between 0 and 1 for a flag, as flags are evaluated (docs/FLAGS.md). */
export function shareOf(flag, id, salt = "") {
  const hash = createHash("sha1").update(`${flag}.${id}${salt}`).digest("hex");
  return Number.parseInt(hash.slice(0, 15), 16) / 2 ** 60;
}

/** The flags that the month's people met. */
export const DEMO_FLAGS = [
  {
    id: 1,
    key: "signup-copy",
    name: "Two texts of the sign-up page",
    active: true,
    filters: {
      groups: [{ properties: [], rollout_percentage: 100 }],
      multivariate: {
        variants: [
          { key: "control", rollout_percentage: 50 },
          { key: "test", rollout_percentage: 50 },
        ],
      },
    },
  },
  {
    id: 2,
    key: "new-reports",
    name: "The new reports, for half of those who pay",
    active: true,
    filters: {
      groups: [{ properties: [{ key: "plan", type: "person", operator: "exact", value: ["team", "enterprise"] }], rollout_percentage: 50 }],
    },
  },
];

const SOURCES = [
  [{ domain: "www.google.com", url: "https://www.google.com/" }, 34],
  [{ domain: "$direct", url: "$direct" }, 27],
  [{ domain: "news.ycombinator.com", url: "https://news.ycombinator.com/" }, 8],
  [{ domain: "github.com", url: "https://github.com/" }, 8],
  [{ domain: "www.bing.com", url: "https://www.bing.com/" }, 5],
  [{ domain: "t.co", url: "https://t.co/" }, 5],
  [
    { domain: "www.google.com", url: "https://www.google.com/", utm: { utm_source: "google", utm_medium: "cpc", utm_campaign: "autumn" } },
    7,
  ],
  [{ domain: "$direct", url: "$direct", utm: { utm_source: "newsletter", utm_medium: "email", utm_campaign: "november" } }, 6],
];
const PLACES = [
  [["US", "California", "San Francisco"], 16],
  [["US", "New York", "New York"], 13],
  [["DE", "Bavaria", "Munich"], 11],
  [["DE", "Berlin", "Berlin"], 8],
  [["GB", "England", "London"], 12],
  [["FR", "Île-de-France", "Paris"], 8],
  [["IN", "Karnataka", "Bengaluru"], 9],
  [["BR", "São Paulo", "São Paulo"], 6],
  [["CA", "Ontario", "Toronto"], 5],
  [["NL", "North Holland", "Amsterdam"], 5],
  [["JP", "Tokyo", "Tokyo"], 4],
];
const DEVICES = [
  [{ $device_type: "Desktop", $os: "Mac OS X", $os_version: "15.1.0", $browser: "Chrome", $browser_version: 142 }, 24],
  [{ $device_type: "Desktop", $os: "Windows", $os_version: "11", $browser: "Chrome", $browser_version: 142 }, 20],
  [{ $device_type: "Desktop", $os: "Mac OS X", $os_version: "15.1.0", $browser: "Safari", $browser_version: 18.1 }, 10],
  [{ $device_type: "Desktop", $os: "Windows", $os_version: "11", $browser: "Microsoft Edge", $browser_version: 141 }, 6],
  [{ $device_type: "Desktop", $os: "Linux", $os_version: "", $browser: "Firefox", $browser_version: 144 }, 7],
  [{ $device_type: "Mobile", $os: "iOS", $os_version: "18.1", $browser: "Mobile Safari", $browser_version: 18.1 }, 20],
  [{ $device_type: "Mobile", $os: "Android", $os_version: "15", $browser: "Chrome", $browser_version: 142 }, 13],
];
const LANDINGS = [
  ["/", 52],
  ["/pricing", 12],
  ["/blog/faster-checkouts", 14],
  ["/blog/what-a-cart-costs", 8],
  ["/docs", 8],
  ["/features", 6],
];
const BROWSED = [
  ["/", 10],
  ["/features", 24],
  ["/pricing", 26],
  ["/docs", 16],
  ["/docs/install", 8],
  ["/customers", 8],
  ["/blog/faster-checkouts", 8],
];
const AT_WORK = [
  ["/app", 40],
  ["/app/orders", 26],
  ["/app/products", 16],
  ["/app/reports", 12],
  ["/app/settings", 6],
];
const FIRST_NAMES =
  "Ada Ben Carla Dev Elif Finn Grace Hugo Ines Jon Kaya Lena Marc Nora Omar Petra Quinn Rosa Sam Tara Uli Vera Wim Xenia Yara Zoe".split(
    " ",
  );
const LAST_NAMES =
  "Abel Berger Costa Dietz Evans Fuchs Gupta Hansen Ito Jansen Klein Lopez Meyer Nowak Okafor Park Quist Rossi Silva Tanaka".split(" ");
const COMPANY_NAMES =
  "Acorn Birch Cedar Dune Ember Fjord Grove Harbor Iris Juniper Kite Larch Maple Nimbus Onyx Pine Quartz Reed Summit Tide".split(" ");
/** Of a company: its plan decides what it pays. */
const PLANS = [
  ["free", 50],
  ["team", 35],
  ["enterprise", 15],
];
const PRICES = { free: 0, team: 49, enterprise: 249 };

/** Kinds of failure, what carries them and from which day of the month on. */
const FAILURES = [
  {
    type: "TypeError",
    value: "Cannot read properties of undefined (reading 'items')",
    from: 21,
    share: 0.05,
    where: "/app/orders",
    frames: [
      ["/assets/vendor.js", "commit", 2, 18_233, false],
      ["/assets/app.js", "renderCart", 88, 17, true],
      ["/assets/app.js", "totalOf", 41, 9, true],
    ],
  },
  {
    type: "ChunkLoadError",
    value: "Loading chunk 14 failed",
    from: 0,
    share: 0.008,
    where: "",
    frames: [
      ["/assets/runtime.js", "load", 1, 2_118, false],
      ["/assets/app.js", "openPage", 12, 5, true],
    ],
  },
  {
    type: "NetworkError",
    value: "A network error occurred.",
    from: 0,
    share: 0.012,
    where: "/app/reports",
    frames: [
      ["/assets/app.js", "fetchReport", 207, 11, true],
      ["/assets/app.js", "retry", 31, 3, true],
    ],
  },
  {
    type: "RangeError",
    value: "Invalid time value",
    from: 8,
    share: 0.01,
    where: "/app/reports",
    frames: [["/assets/app.js", "formatDay", 19, 24, true]],
  },
];

const companyOf = (n) => ({
  key: `company-${n}`,
  name: `${COMPANY_NAMES[n % COMPANY_NAMES.length]} ${["GmbH", "Ltd", "Inc", "Labs"][Math.floor(n / COMPANY_NAMES.length) % 4]}`,
  plan: dice(`company ${n}`).of(PLANS),
});

function exceptionOf({ type, value, frames }, url) {
  return {
    $exception_list: [
      {
        type,
        value,
        mechanism: { type: "onerror", handled: false, synthetic: false },
        stacktrace: {
          type: "raw",
          frames: frames.map(([file, name, lineno, colno, in_app]) => ({
            platform: "web:javascript",
            filename: `https://${HOST}${file}`,
            function: name,
            lineno,
            colno,
            in_app,
          })),
        },
      },
    ],
    $exception_level: "error",
    $current_url: url,
  };
}

/** One person of the month: what is known of them, and a way to note what they do. */
class Visitor {
  constructor(seed, born, number) {
    this.name = `${seed} ${born} ${number}`;
    this.dice = dice(this.name);
    this.born = born;
    this.source = this.dice.of(SOURCES);
    this.place = this.dice.of(PLACES);
    this.device = this.dice.of(DEVICES);
    this.hour = this.dice.of([
      [8, 6],
      [9, 12],
      [10, 14],
      [11, 13],
      [13, 10],
      [14, 13],
      [15, 12],
      [16, 10],
      [18, 5],
      [20, 6],
      [21, 5],
      [22, 3],
    ]);
    this.first = FIRST_NAMES[this.dice.between(0, FIRST_NAMES.length - 1)];
    this.last = LAST_NAMES[this.dice.between(0, LAST_NAMES.length - 1)];
    this.company = this.dice.is(0.6) ? companyOf(this.dice.between(0, 39)) : null;
    this.isPersonless = this.dice.is(0.25);
    /** @type {string | null} set once they signed up */
    this.userId = null;
    this.signedUpMs = 0;
    this.cameMs = 0;
    this.count = 0;
    /** @type {DemoEvent[]} */
    this.events = [];
  }

  /** As the flag gives it to this browser. */
  get variant() {
    return shareOf("signup-copy", this.anonId, "variant") < 0.5 ? "control" : "test";
  }

  get anonId() {
    return uuid7(this.cameMs, `device of ${this.name}`);
  }
}

/** A visit in a browser; `note` adds an event a few seconds later. */
class Visit {
  constructor(visitor, startMs, label, { device = visitor.device, distinctId, source = visitor.source } = {}) {
    this.visitor = visitor;
    this.at = startMs;
    this.session = uuid7(startMs, `visit ${label} of ${visitor.name}`);
    this.device = device;
    this.distinctId = distinctId ?? visitor.userId ?? visitor.anonId;
    this.source = source;
    this.path = "/";
    this.label = label;
  }

  note(event, properties = {}, afterS = this.visitor.dice.between(2, 9)) {
    const { visitor } = this;
    this.at += afterS * 1_000 + visitor.dice.between(0, 999);
    const [country, region, city] = visitor.place;
    visitor.count += 1;
    visitor.events.push({
      event,
      distinct_id: this.distinctId,
      timestamp: new Date(this.at).toISOString(),
      uuid: uuid7(this.at, `event ${this.label} ${visitor.count} of ${visitor.name}`),
      properties: {
        $current_url: `https://${HOST}${this.path}`,
        $pathname: this.path,
        $host: HOST,
        $session_id: this.session,
        $lib: "web",
        $lib_version: "1.449.2",
        $referrer: this.source.url,
        $referring_domain: this.source.domain,
        ...this.source.utm,
        ...this.device,
        $geoip_country_code: country,
        $geoip_subdivision_1_name: region,
        $geoip_city_name: city,
        ...(visitor.userId === null && visitor.isPersonless ? { $process_person_profile: false } : {}),
        ...(visitor.userId !== null && visitor.company !== null ? { $groups: { company: visitor.company.key } } : {}),
        ...properties,
      },
    });
  }

  see(path, afterS = this.visitor.dice.between(6, 70)) {
    this.path = path;
    this.note("$pageview", { title: path }, afterS);
    if (this.visitor.dice.is(0.12)) {
      const slow = this.device.$device_type === "Mobile" ? 1.7 : 1;
      const lcp = Math.round((900 + this.visitor.dice.next() * 1_900) * slow);
      this.note(
        "$web_vitals",
        {
          $web_vitals_LCP_value: lcp,
          $web_vitals_CLS_value: Math.round(this.visitor.dice.next() * 150) / 1_000,
          $web_vitals_INP_value: Math.round(60 + this.visitor.dice.next() * 160 * slow),
        },
        1,
      );
    }
  }

  click(text) {
    this.note("$autocapture", {
      $event_type: "click",
      $el_text: text,
      $elements: [{ tag_name: "button", $el_text: text, nth_child: 1, nth_of_type: 1, order: 0 }],
    });
  }

  callFlag(key, answer) {
    this.note("$feature_flag_called", { $feature_flag: key, $feature_flag_response: answer, [`$feature/${key}`]: answer }, 1);
  }

  fail(day) {
    for (const failure of FAILURES) {
      const isHere = failure.where === "" || failure.where === this.path;
      if (day >= failure.from && isHere && this.visitor.dice.is(failure.share * (this.device.$browser.includes("Safari") ? 3 : 1))) {
        this.note("$exception", exceptionOf(failure, `https://${HOST}${this.path}`), 1);
      }
    }
  }

  leave() {
    this.note("$pageleave", {}, this.visitor.dice.between(5, 60));
  }
}

const setOf = (visitor) => ({
  $set: {
    email: `${visitor.first}.${visitor.last}.${visitor.userId.slice(-4)}@mail.example`.toLowerCase(),
    name: `${visitor.first} ${visitor.last}`,
    plan: visitor.company?.plan ?? "free",
    $geoip_country_code: visitor.place[0],
  },
  $set_once: { signed_up_at: new Date(visitor.signedUpMs).toISOString(), first_source: visitor.source.domain },
});

/** The first visit: most look and leave, some sign up. */
function firstVisit(visitor, startMs, day) {
  const { dice: luck, device } = visitor;
  const visit = new Visit(visitor, startMs, "first");
  visit.see(luck.of(LANDINGS), 0);
  if (luck.is(device.$device_type === "Mobile" ? 0.5 : 0.4)) return luck.is(0.15) ? visit.leave() : undefined;
  for (let n = luck.between(1, 4); n > 0; n -= 1) {
    visit.see(luck.of(BROWSED));
    if (luck.is(0.3))
      visit.click(
        luck.of([
          ["Compare plans", 2],
          ["Read more", 3],
          ["Try it", 4],
        ]),
      );
    visit.fail(day);
  }
  if (!luck.is(visitor.isPersonless ? 0 : 0.62)) return visit.leave();
  visit.see("/signup");
  visit.callFlag("signup-copy", visitor.variant);
  if (!luck.is(visitor.variant === "test" ? 0.72 : 0.56)) return visit.leave();
  signUp(visitor, visit);
  return visit.leave();
}

function signUp(visitor, visit) {
  visitor.userId = `user-${createHash("sha256").update(visitor.name).digest("hex").slice(0, 10)}`;
  visitor.signedUpMs = visit.at;
  const anon = visit.distinctId;
  visit.distinctId = visitor.userId;
  visit.note("$identify", { $anon_distinct_id: anon, ...setOf(visitor) }, 24);
  visit.note(
    "sign_up",
    {
      method: visitor.dice.of([
        ["email", 5],
        ["google", 4],
        ["github", 3],
      ]),
      "$feature/signup-copy": visitor.variant,
    },
    1,
  );
  if (visitor.company !== null) {
    const { key, name, plan } = visitor.company;
    visit.note("$groupidentify", { $group_type: "company", $group_key: key, $group_set: { name, plan } }, 1);
  }
  visit.see("/app/welcome", 2);
  if (visitor.dice.is(0.66))
    visit.note(
      "project_created",
      {
        template: visitor.dice.of([
          ["blank", 3],
          ["shop", 5],
          ["import", 2],
        ]),
      },
      41,
    );
}

/** A visit of somebody who has been here; who has an account works in it. */
function laterVisit(visitor, startMs, day, age) {
  const { dice: luck } = visitor;
  const direct = { domain: "$direct", url: "$direct" };
  const source = luck.is(0.7) ? direct : visitor.source;
  if (visitor.userId === null) {
    const visit = new Visit(visitor, startMs, `day ${age}`, { source });
    visit.see("/", 0);
    visit.see("/pricing");
    if (!visitor.isPersonless && luck.is(0.3)) {
      visit.see("/signup");
      signUp(visitor, visit);
    }
    return visit.leave();
  }
  if (luck.is(0.16)) return mobileVisit(visitor, startMs, age);
  // A second browser is a stranger until it signs in, and then the same person.
  const isNewDevice = luck.is(0.05);
  const phone = DEVICES[5][0];
  const visit = new Visit(visitor, startMs, `day ${age}`, {
    source,
    ...(isNewDevice ? { device: phone, distinctId: uuid7(startMs, `phone of ${visitor.name}`) } : {}),
  });
  if (isNewDevice) {
    const anon = visit.distinctId;
    visit.see("/login", 0);
    visit.distinctId = visitor.userId;
    visit.note("$identify", { $anon_distinct_id: anon }, 15);
  }
  for (let n = luck.between(2, 6); n > 0; n -= 1) {
    visit.see(luck.of(AT_WORK));
    if (visit.path === "/app/reports") {
      const plan = visitor.company?.plan ?? "free";
      visit.callFlag("new-reports", plan !== "free" && shareOf("new-reports", visitor.userId) <= 0.5);
    }
    visit.fail(day);
    if (luck.is(0.25))
      visit.click(
        luck.of([
          ["Export", 2],
          ["New order", 5],
          ["Filter", 3],
        ]),
      );
  }
  if (luck.is(0.4))
    visit.note("order_created", {
      items: luck.between(1, 6),
      channel: luck.of([
        ["web", 6],
        ["phone", 2],
      ]),
    });
  const price = PRICES[visitor.company?.plan ?? "team"];
  if (price > 0 && luck.is(age < 14 ? 0.16 : 0.06)) {
    visit.see("/app/billing");
    visit.note("purchase", { revenue: price, currency: "USD", plan: visitor.company?.plan ?? "team" }, 32);
    serverEvent(visitor, visit.at + 4_000, price);
  }
  return visit.leave();
}

function mobileVisit(visitor, startMs, age) {
  const visit = new Visit(visitor, startMs, `app ${age}`);
  const isApple = visitor.device.$os !== "Android";
  const of = {
    $lib: isApple ? "posthog-ios" : "posthog-android",
    $lib_version: "3.34.0",
    $os: isApple ? "iOS" : "Android",
    $os_version: isApple ? "18.1" : "15",
    $device_type: "Mobile",
    $app_version: "1.8.2",
  };
  const none = {
    $current_url: undefined,
    $pathname: undefined,
    $host: undefined,
    $browser: undefined,
    $browser_version: undefined,
    $referrer: undefined,
    $referring_domain: undefined,
  };
  visit.note("Application Opened", { ...none, ...of }, 0);
  for (let n = visitor.dice.between(1, 4); n > 0; n -= 1)
    visit.note(
      "$screen",
      {
        ...none,
        ...of,
        $screen_name: visitor.dice.of([
          ["Orders", 5],
          ["Scan", 3],
          ["Stock", 3],
        ]),
      },
      visitor.dice.between(4, 40),
    );
}

function serverEvent(visitor, atMs, amount) {
  visitor.events.push({
    event: "invoice_paid",
    distinct_id: visitor.userId,
    timestamp: new Date(atMs).toISOString(),
    uuid: uuid7(atMs, `invoice of ${visitor.name}`),
    properties: {
      amount,
      currency: "USD",
      $lib: "posthog-node",
      $lib_version: "5.70.0",
      $geoip_disable: true,
      ...(visitor.company === null ? {} : { $groups: { company: visitor.company.key } }),
    },
  });
}

const isWeekend = (ms) => [0, 6].includes(new Date(ms).getUTCDay());

/** How many come for the first time on a day of the month: it grows, and rests on weekends. */
function newcomers(day, dayMs, scale) {
  const growth = 1 + 0.8 * Math.min(Math.max(day, 0) / DEMO_DAYS, 1);
  return Math.round(16 * scale * growth * (isWeekend(dayMs) ? 0.5 : 1));
}

/** How likely somebody comes `age` days after the first time: less and less. */
const comesBack = (visitor, age, dayMs) =>
  (visitor.userId === null ? 0.08 * age ** -0.8 : 0.52 * age ** -0.42) * (isWeekend(dayMs) ? 0.45 : 1);

function lifeOf(visitor, began, days) {
  const { dice: luck, born } = visitor;
  const startOf = (day) => began + day * DAY_MS + (visitor.hour * 60 + luck.between(0, 59)) * 60_000 + luck.between(0, 59) * 1_000;
  visitor.cameMs = startOf(born);
  firstVisit(visitor, visitor.cameMs, born);
  for (let day = born + 1; day < days; day += 1) {
    if (!luck.is(comesBack(visitor, day - born, began + day * DAY_MS))) continue;
    const wasKnown = visitor.userId !== null;
    const first = visitor.events.length;
    laterVisit(visitor, startOf(day), day, day - born);
    // As an application that tells at each start who is signed in.
    const isOwn = wasKnown && visitor.events[first].distinct_id === visitor.userId;
    if (isOwn) Object.assign(visitor.events[first].properties, setOf(visitor));
  }
  return visitor.events;
}

/** The shop's own server says when a new version is out. */
function deploys(seed, began, days) {
  const versions = [
    [3, "1.8.0"],
    [12, "1.8.1"],
    [21, "1.8.2"],
    [27, "1.8.3"],
  ].filter(([day]) => day < days);
  return versions.map(([day, version]) => {
    const at = began + Number(day) * DAY_MS + 9.5 * 3_600_000;
    return {
      event: "$deploy",
      distinct_id: "ci",
      timestamp: new Date(at).toISOString(),
      uuid: uuid7(at, `${seed} deploy ${version}`),
      properties: { version, $lib: "posthog-node", $lib_version: "5.70.0", $process_person_profile: false, $geoip_disable: true },
    };
  });
}

/** The UTC day on which a month that ends at `now` begins. */
export const monthBefore = (now) => Math.floor(now / DAY_MS) * DAY_MS - (DEMO_DAYS - 1) * DAY_MS;

/**
 * The month's events from `began` (a UTC midnight) to `until`, in order of time; those of one lane belong to
 * people of their own, so that lanes may be sent beside each other.
 * @param {{began: number, until: number, scale?: number, seed?: string, lanes?: number}} options
 * @returns {{lane: number, event: DemoEvent}[]}
 */
export function demoEvents({ began, until, scale = 1, seed = "hogflare demo", lanes = 4 }) {
  const days = Math.floor((until - began) / DAY_MS) + 1;
  const all = deploys(seed, began, days).map((event) => ({ lane: 0, event }));
  for (let born = -DAYS_BEFORE; born < days; born += 1) {
    for (let n = newcomers(born, began + born * DAY_MS, scale); n > 0; n -= 1) {
      const lane = n % lanes;
      for (const event of lifeOf(new Visitor(seed, born, n), began, days)) {
        const at = Date.parse(event.timestamp);
        if (at >= began && at <= until) all.push({ lane, event });
      }
    }
  }
  return all.sort((a, b) => (a.event.timestamp < b.event.timestamp ? -1 : a.event.timestamp > b.event.timestamp ? 1 : 0));
}
