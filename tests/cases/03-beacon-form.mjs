// Source: PostHog/posthog-js#4139 (unload events go as an uncompressed beacon: form data=<base64>), PostHog/posthog#31422 (base64 in a form broken for flags), PostHog/posthog#855
// Situation: sendBeacon of the last events, with emoji and CJK text, percent-encoded or with raw plus signs, padding or none, with a charset in the content type.
// Expect: 204 for beacon=1, 200 else; rows with the text unchanged. The same encodings reach /flags.
import { id, TOKEN, check, same, send, parsed, rows, done } from "./world.mjs";

const text = "🦔 日本語 ü+/= ~~~???>>>";
const make = (event) =>
  Buffer.from(JSON.stringify({ event, properties: { distinct_id: id("beacon"), token: TOKEN, text } })).toString("base64");
const b1 = make("encoded"),
  b2 = make("raw-plus"),
  b3 = make("no-padding").replace(/=+$/, ""),
  b4 = make("charset");
for (const [name, body, type, query, status] of [
  ["encoded", `data=${encodeURIComponent(b1)}`, "application/x-www-form-urlencoded", "?compression=base64&beacon=1", 204],
  ["raw-plus", `data=${b2}`, "application/x-www-form-urlencoded", "?compression=base64", 200],
  ["no-padding", `data=${encodeURIComponent(b3)}`, "application/x-www-form-urlencoded", "?compression=base64", 200],
  ["charset", `data=${encodeURIComponent(b4)}`, "application/x-www-form-urlencoded; charset=UTF-8", "?compression=base64&beacon=1", 204],
]) {
  const answer = await send("/e/" + query, body, { "content-type": type });
  same(answer.status, status, `${name} status`);
}
const landed = await rows(`distinct_id='${id("beacon")}' ORDER BY event`);
same(
  landed.map((row) => row.event),
  ["charset", "encoded", "no-padding", "raw-plus"],
  "events",
);
for (const row of landed) same(parsed(row.properties).text, text, row.event);
const ask = Buffer.from(
  JSON.stringify({ token: TOKEN, distinct_id: "$posthog_cookieless", groups: {}, person_properties: { note: text } }),
).toString("base64");
for (const body of [`data=${encodeURIComponent(ask)}`, `data=${ask}`, `data=${encodeURIComponent(ask.replace(/=+$/, ""))}`]) {
  const answer = await send("/flags/?v=2&compression=base64", body, { "content-type": "application/x-www-form-urlencoded" });
  check(answer.status === 200, `flags: ${answer.status} ${(await answer.text()).slice(0, 80)}`);
}
done();
