// Source: PostHog/posthog.com#5174 (PHP sends "groups": [] beside $groups), posthog-php lib/Client.php (alias with root distinct_id null; times as date("c")), PostHog/posthog-php#29
// Situation: what PHP's json_encode makes of empty arrays: $set [], $set_once [], $groups [], root groups []; alias by properties only; a time with an offset; Expect: 100-continue.
// Expect: all land, empty lists mean nothing set, the alias merges.
import { BASE, id, TOKEN, same, json, sql, done } from "./world.mjs";

import { request } from "node:http";
const body = JSON.stringify({
  api_key: TOKEN,
  batch: [
    {
      event: "php",
      distinct_id: id("php"),
      groups: [],
      library: "posthog-php",
      library_version: "3.0.3",
      library_consumer: "LibCurl",
      timestamp: "2026-11-01T10:00:00+02:00",
      properties: { $lib: "posthog-php", $set: [], $set_once: [], $groups: [] },
    },
    {
      event: "$create_alias",
      type: "alias",
      distinct_id: null,
      groups: [],
      timestamp: "2026-11-01T10:00:01+02:00",
      properties: { $lib: "posthog-php", distinct_id: id("php"), alias: id("phpalias") },
    },
    { event: "later", distinct_id: id("phpalias"), groups: [], properties: { $lib: "posthog-php" } },
  ],
});
const status = await new Promise((done, fail) => {
  const r = request(
    BASE + "/batch/",
    { method: "POST", headers: { ...json, expect: "100-continue", "content-length": Buffer.byteLength(body) } },
    (answer) => {
      answer.resume();
      answer.on("end", () => done(answer.statusCode));
    },
  );
  r.on("continue", () => r.end(body));
  setTimeout(() => r.end(body), 1500);
  r.on("error", fail);
});
same(status, 200, "status");
const landed = await sql(
  `SELECT event, person_id, epoch_ms("timestamp") AS t FROM events_with_person WHERE distinct_id IN ('${id("php")}','${id("phpalias")}') ORDER BY event`,
);
same(
  landed.map((row) => row.event),
  ["$create_alias", "later", "php"],
  "events",
);
same(new Set(landed.map((row) => row.person_id)).size, 1, "people");
same(Number(landed[2]?.t), Date.parse("2026-11-01T08:00:00Z"), "time");
done();
