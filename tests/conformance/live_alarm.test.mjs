// The alarm that ends a sign-in at a page that is gone without a word: its socket is closing for as long as the network
// needs to find out, and the object must not be rung again and again meanwhile.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "../lib/harness.mjs";
import { openSocket, startAround } from "../lib/live_pages.mjs";

const ENTRY = `
import worker, { LiveDurableObject as Live } from "./worker.js";
export * from "./worker.js";

let alarms = 0;
export class LiveDurableObject extends Live {
  async alarm() {
    alarms += 1;
    await super.alarm();
  }
  async fetch(request) {
    return request.url.endsWith("/alarms") ? new Response(String(alarms)) : super.fetch(request);
  }
}
export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    const live = env.LIVE.getByName("7");
    if (pathname === "/alarms") return live.fetch(request);
    if (pathname !== "/socket") return worker.fetch(request, env, context);
    const headers = new Headers(request.headers);
    headers.set("x-hogflare-live-team", "7");
    headers.set("x-hogflare-live-until", searchParams.get("until"));
    return live.fetch("http://live/", { headers });
  },
};
`;

let system;

before(async () => {
  system = await startAround(ENTRY);
});
after(() => system?.stop());

const alarms = async () => Number(await (await system.request("/alarms")).text());

test("an object whose page does not answer the end of its sign-in is rung once, not without end", async () => {
  assert.equal(await alarms(), 0);
  const gone = openSocket(system.url, `/socket?until=${Date.now() + 5_000}`);
  await eventually(() => gone.tail().includes("hello"), { what: "the page's first frame" });
  await eventually(() => gone.tail().includes("the sign-in is over"), { what: "the close frame" });
  await sleep(1_000);
  assert.equal(await alarms(), 1);
  gone.socket.destroy();
});
