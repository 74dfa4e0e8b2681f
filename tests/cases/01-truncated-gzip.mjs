// Source: PostHog/posthog-js#3564 (a browser's CompressionStream made cut-off gzip bodies; every one was refused by capture and lost)
// Situation: a gzip body stops in the middle, at several places, or has rubbish behind its end; the operator must learn of it and the next request must not suffer.
// Expect: 400 with text and CORS headers, no row of a cut body (PostHog: 400 "invalid GZIP data"), never 5xx; a whole body with bytes behind it is not half stored.
import { id, TOKEN, check, same, send, rows, done } from "./world.mjs";

import { gzipSync } from "node:zlib";
const events = Array.from({ length: 40 }, (_, i) => ({
  event: "cut",
  distinct_id: id("cut"),
  properties: { token: TOKEN, i, pad: "x".repeat(i * 7) },
}));
const whole = gzipSync(JSON.stringify(events));
for (const [name, body] of [
  ["half", whole.subarray(0, whole.length >> 1)],
  ["no trailer", whole.subarray(0, -8)],
  ["no crc", whole.subarray(0, -4)],
  ["header", whole.subarray(0, 10)],
  [
    "bad crc",
    (() => {
      const b = Buffer.from(whole);
      b[b.length - 6] ^= 1;
      return b;
    })(),
  ],
]) {
  const answer = await send("/e/?compression=gzip-js&ip=0&_=1", body, { "content-type": "text/plain", origin: "https://shop.example" });
  const text = await answer.text();
  check(answer.status === 400, `${name}: ${answer.status} ${text.slice(0, 80)}`);
  check(answer.headers.get("access-control-allow-origin") === "https://shop.example", `${name}: no CORS header on the error`);
}
same((await rows(`distinct_id='${id("cut")}'`)).length, 0, "rows of cut bodies");
const good = await send("/e/?compression=gzip-js&ip=0&_=1", whole, { "content-type": "text/plain" });
same(good.status, 200, "whole body");
same((await rows(`distinct_id='${id("cut")}'`)).length, 40, "rows of the whole body");
done();
