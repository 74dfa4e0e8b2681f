// Source: PostHog/posthog#25915 and #25117 (cookieless mode: the server turns the placeholder id into a daily hash per visitor), ofri-peretz/eslint#621 (placeholder events are dropped, never stored, while the mode is off)
// Situation: posthog-js with cookieless_mode sends every visitor as distinct_id "$posthog_cookieless", $cookieless_mode true; two visitors (other address and browser) look around, one logs in, the other goes on.
// Expect: two visitors never become one person, and a visitor's events are never attributed to somebody who logged in elsewhere. PostHog: hash per (day, team, address, host, user agent), or the events are dropped (with a warning) while the mode is off.
import { run, id, TOKEN, check, send, json, sql, done } from "./world.mjs";

const visitor = (name, _ip, ua, extra = {}) => ({
  event: name,
  properties: {
    token: TOKEN,
    distinct_id: "$posthog_cookieless",
    $cookieless_mode: true,
    $device_id: null,
    $session_id: null,
    $window_id: null,
    $host: "shop.example",
    $raw_user_agent: ua,
    run,
    ...extra,
  },
});
const from = (ip, ua, events) => send("/e/", events, { ...json, "x-forwarded-for": ip, "cf-connecting-ip": ip, "user-agent": ua });
const A = ["203.0.113.7", "Mozilla/5.0 (A)"],
  B = ["198.51.100.9", "Mozilla/5.0 (B)"];
await from(...A, [visitor("a1", ...A)]);
await from(...B, [visitor("b1", ...B)]);
await from(...A, [
  {
    event: "$identify",
    $set: { email: "ann@example.com" },
    properties: {
      token: TOKEN,
      distinct_id: id("ann"),
      $anon_distinct_id: "$posthog_cookieless",
      $cookieless_mode: true,
      $host: "shop.example",
      $raw_user_agent: A[1],
      run,
    },
  },
]);
await from(...B, [visitor("b2", ...B)]);
const landed = await sql(
  `SELECT event, distinct_id, person_id, CAST(person_properties AS VARCHAR) AS pp FROM events_with_person WHERE properties->>'run'='${run}' ORDER BY event`,
);
const of = (name) => landed.find((row) => row.event === name);
const ann = of("$identify")?.person_id;
if (of("a1") && of("b1")) check(of("a1").person_id !== of("b1").person_id, `two visitors are one person ${of("a1").person_id}`);
if (of("b1")) check(of("b1").person_id !== ann, "the other visitor's earlier events now belong to the one who logged in");
if (of("b2"))
  check(
    of("b2").person_id !== ann && !of("b2").pp.includes("ann@example.com"),
    "the other visitor's later events belong to the one who logged in, with that email on the row",
  );
done();
