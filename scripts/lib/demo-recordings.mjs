// Recordings of some of the demo's visits, as rrweb writes them: each page that was seen, the pointer on its
// way to what was clicked, what was typed, the fault that came. Made from the visit's events alone, so that the
// same month has the same recordings.
import { dice, uuid7 } from "./demo-traffic.mjs";

/** Visits before that are not recorded: a site keeps recordings for some days. */
const RECORDED_MS = 7 * 86_400_000;
const SHARE = 0.12;
const SHARE_OF_FAILED = 0.6;
const WINDOWS = { Desktop: { width: 1_280, height: 800 }, Mobile: { width: 390, height: 844 } };
const BANNER = "Something went wrong. Please try again.";

const STYLE = `
  * { box-sizing: border-box; } body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1d2733; background: #f6f8fa; }
  header { height: 60px; padding: 0 24px; background: #fff; border-bottom: 1px solid #dde3ea; display: flex; align-items: center; gap: 24px; }
  header b { font-size: 18px; color: #0a6b52; } header a { color: #51606f; } main { padding: 96px 24px 24px; max-width: 1040px; position: relative; }
  h1 { position: absolute; top: 16px; margin: 0; font-size: 28px; } .cards { display: flex; flex-wrap: wrap; gap: 16px; margin-top: 72px; }
  .card { background: #fff; border: 1px solid #dde3ea; border-radius: 8px; padding: 16px; width: 300px; min-height: 110px; }
  .card b { display: block; } .bar { height: 10px; border-radius: 5px; background: #0a6b52; margin-top: 12px; }
  button { position: absolute; top: 84px; width: 150px; height: 40px; border: 0; border-radius: 6px; background: #0a6b52; color: #fff; font: inherit; }
  input { display: block; width: 320px; height: 40px; margin: 8px 0; padding: 0 10px; border: 1px solid #b9c4cf; border-radius: 6px; font: inherit; }
  .banner { background: #fdecea; color: #8f1d14; padding: 12px 16px; border-radius: 6px; }`;

const PAGES = {
  "/": [
    "Sell together",
    [
      ["Carts that last", "Shared by a team"],
      ["Orders in one place", "From web and phone"],
      ["Stock you can trust", "Counted as it moves"],
    ],
  ],
  "/pricing": [
    "Plans",
    [
      ["Free", "For one person"],
      ["Team", "$49 a month"],
      ["Enterprise", "$249 a month"],
    ],
  ],
  "/features": [
    "What it does",
    [
      ["Import", "From any table"],
      ["Reports", "By day and by product"],
      ["Phones", "Scan and count"],
    ],
  ],
  "/signup": ["Make an account", []],
  "/login": ["Sign in", []],
  "/app": [
    "Today",
    [
      ["Orders", "12 open"],
      ["Stock", "3 run low"],
      ["Revenue", "$1,204"],
    ],
  ],
  "/app/orders": [
    "Orders",
    [
      ["#1042", "2 items, paid"],
      ["#1041", "1 item, sent"],
      ["#1040", "5 items, paid"],
    ],
  ],
  "/app/products": [
    "Products",
    [
      ["Mug", "48 in stock"],
      ["Shirt", "7 in stock"],
      ["Poster", "120 in stock"],
    ],
  ],
  "/app/reports": [
    "Reports",
    [
      ["This week", "up 6 %"],
      ["Last week", "up 2 %"],
    ],
  ],
};
const titleOf = (path) =>
  path
    .split("/")
    .at(-1)
    .replaceAll("-", " ")
    .replace(/^./, (first) => first.toUpperCase());

/** A page as rrweb's full snapshot, with the ids of what happens on it. */
function pageOf(path, buttons) {
  let last = 0;
  const id = () => (last += 1);
  const text = (value, more = {}) => ({ type: 3, textContent: value, id: id(), ...more });
  const node = (tagName, attributes, childNodes) => ({ type: 2, tagName, attributes, childNodes, id: id() });
  const [title, cards] = PAGES[path] ?? [
    titleOf(path),
    [
      ["In short", "What a team has to know"],
      ["In detail", "Step by step"],
    ],
  ];
  const places = new Map();
  const button = (label, at) => {
    const made = node("button", { style: `left: ${24 + at * 166}px` }, [text(label)]);
    places.set(label, { id: made.id, x: 24 + at * 166 + 75, y: 60 + 84 + 20 });
    return made;
  };
  const bannerText = text("");
  const banner = node("div", { class: "banner", style: "display: none" }, [bannerText]);
  const inputs =
    path === "/signup" || path === "/login"
      ? [node("input", { placeholder: "Mail" }, []), node("input", { placeholder: "Password", type: "password" }, [])]
      : [];
  const shown = cards.map(([head, body], at) =>
    node("div", { class: "card" }, [
      node("b", {}, [text(head)]),
      text(body),
      node("div", { class: "bar", style: `width: ${40 + ((at * 67 + path.length * 31) % 200)}px` }, []),
    ]),
  );
  const links = ["Features", "Pricing", "Docs"].map((name) =>
    node("a", { href: `https://shop.example/${name.toLowerCase()}` }, [text(name)]),
  );
  const body = node("body", {}, [
    node("header", {}, [node("b", {}, [text("Shop")]), ...links]),
    node("main", {}, [
      node("h1", {}, [text(title)]),
      ...buttons.map(button),
      node("div", { class: "cards" }, [banner, ...inputs, ...shown]),
    ]),
  ]);
  const head = node("head", {}, [node("title", {}, [text(title)]), node("style", {}, [text(STYLE, { isStyle: true })])]);
  const html = node("html", { lang: "en" }, [head, body]);
  const document = { type: 0, childNodes: [{ type: 1, name: "html", publicId: "", systemId: "", id: id() }, html], id: id() };
  return { document, places, inputs: inputs.map((one) => one.id), banner: banner.id, bannerText: bannerText.id, body: body.id };
}

/** The pointer's way, told as the recorder does: some places at once, each with its time before now. */
function way(luck, at, from, to, id) {
  const steps = 10;
  const positions = Array.from({ length: steps }, (_, n) => {
    const part = (n + 1) / steps;
    const bend = Math.sin(part * Math.PI) * (luck.next() * 30 - 15);
    return {
      x: Math.round(from.x + (to.x - from.x) * part + bend),
      y: Math.round(from.y + (to.y - from.y) * part + bend),
      id,
      timeOffset: -50 * (steps - 1 - n),
    };
  });
  return { type: 3, timestamp: at, data: { source: 1, positions } };
}

/** What was recorded of a page: from its view to the next one. */
function pageItems(luck, events, untilMs, window) {
  const atOf = (event) => Date.parse(event.timestamp);
  const [view] = events;
  const began = atOf(view);
  const path = view.properties.$pathname;
  const labels = [...new Set(events.map(({ properties }) => properties.$el_text).filter((label) => label !== undefined))];
  const page = pageOf(path, [...labels, ...(path === "/signup" ? ["Go on"] : [])].slice(0, 4));
  let pointer = { x: luck.between(60, window.width - 60), y: luck.between(200, window.height - 60) };
  const items = [
    { type: 4, timestamp: began, data: { href: view.properties.$current_url, ...window } },
    { type: 2, timestamp: began + 15, data: { node: page.document, initialOffset: { top: 0, left: 0 } } },
  ];
  const goTo = (at, to, id = page.body) => {
    items.push(way(luck, at, pointer, to, id));
    pointer = to;
  };
  // Looking around, as long as the page stands there and somebody does.
  for (let at = began + 900; at < Math.min(untilMs - 700, began + 12_000); at += luck.between(1_200, 2_600)) {
    goTo(at, { x: luck.between(40, window.width - 40), y: luck.between(90, window.height - 60) });
  }
  if (page.inputs.length > 0) {
    let at = began + 2_500;
    for (const [n, word] of ["somebody@mail.example", "********"].entries()) {
      for (let to = 3; to <= word.length && at < untilMs - 500; to += 3, at += 180)
        items.push({ type: 3, timestamp: at, data: { source: 5, text: word.slice(0, to), isChecked: false, id: page.inputs[n] } });
      at += 600;
    }
  }
  for (const event of events) {
    const at = atOf(event);
    const target = page.places.get(event.properties.$el_text);
    if (event.event === "$autocapture" && target !== undefined) {
      goTo(at - 120, { x: target.x, y: target.y }, target.id);
      for (const [n, type] of [1, 0, 2].entries())
        items.push({ type: 3, timestamp: at - 60 + n * 30, data: { source: 2, type, id: target.id, x: target.x, y: target.y } });
    }
    if (event.event === "$exception")
      items.push({
        type: 3,
        timestamp: at + 40,
        data: {
          source: 0,
          texts: [{ id: page.bannerText, value: BANNER }],
          attributes: [{ id: page.banner, attributes: { style: "display: block" } }],
          removes: [],
          adds: [],
        },
      });
  }
  return items.sort((a, b) => a.timestamp - b.timestamp);
}

/**
 * The parts of the recordings, one a page that was seen.
 * @param {{lane: number, event: import("./demo-traffic.mjs").DemoEvent}[]} all the month's events
 * @param {{until: number, token: string}} options
 */
export function demoRecordings(all, { until, token }) {
  /** @type {Map<string, {lane: number, events: import("./demo-traffic.mjs").DemoEvent[]}>} */
  const visits = new Map();
  for (const { lane, event } of all) {
    const { $session_id: session, $lib: lib } = event.properties;
    if (session === undefined || lib !== "web" || Date.parse(event.timestamp) < until - RECORDED_MS) continue;
    const visit = visits.get(session) ?? { lane, events: [] };
    visit.events.push(event);
    visits.set(session, visit);
  }
  const parts = [];
  for (const [session, { lane, events }] of visits) {
    const luck = dice(`recording of ${session}`);
    const hasFailed = events.some(({ event }) => event === "$exception");
    if (!luck.is(hasFailed ? SHARE_OF_FAILED : SHARE) || events[0].event !== "$pageview") continue;
    const window = WINDOWS[events[0].properties.$device_type];
    const starts = events.flatMap(({ event }, at) => (event === "$pageview" ? [at] : []));
    for (const [n, start] of starts.entries()) {
      const own = events.slice(start, starts[n + 1]);
      const end = Date.parse((events[starts[n + 1]] ?? own.at(-1)).timestamp);
      const began = Date.parse(own[0].timestamp);
      parts.push({
        lane,
        event: {
          event: "$snapshot",
          uuid: uuid7(began, `part ${n} of ${session}`),
          timestamp: new Date(Math.min(end, until)).toISOString(),
          properties: {
            token,
            distinct_id: own[0].distinct_id,
            $session_id: session,
            $window_id: session.replace(/.{4}$/, "aaaa"),
            $snapshot_source: "web",
            $lib: "web",
            $lib_version: own[0].properties.$lib_version,
            ...(own[0].properties.$process_person_profile === false ? { $process_person_profile: false } : {}),
            $snapshot_data: pageItems(luck, own, end, window),
          },
        },
      });
    }
  }
  return parts;
}
