// What an isolate holds for pages that look at events as they arrive and do not read, and for an object that does not
// answer.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, TOKEN } from "../lib/harness.mjs";
import { openSocket, startAround } from "../lib/live_pages.mjs";
import { batch, event } from "./support.mjs";

const ENTRY = `
import worker, { LiveDurableObject as Live } from "./worker.js";
export * from "./worker.js";

const YES = new TextEncoder().encode("1");
let hangs = false;
let hangingBytes = 0;
export class LiveDurableObject extends Live {
  call(bytes) {
    if (!hangs) return super.call(bytes);
    hangingBytes += bytes.byteLength;
    return bytes.byteLength === 0 ? YES : new Promise(() => setInterval(() => {}, 1000));
  }
  async fetch(request) {
    if (!request.url.endsWith("/unread")) return super.fetch(request);
    return Response.json(this.ctx.getWebSockets().map((socket) => socket.bufferedAmount));
  }
}
export default {
  async fetch(request, env, context) {
    const { pathname } = new URL(request.url);
    const live = env.LIVE.getByName("7");
    if (pathname === "/unread") return live.fetch(request);
    if (pathname === "/feed") return new Response(await live.call(new Uint8Array(await request.arrayBuffer())));
    if (pathname === "/hang") hangs = true;
    if (pathname === "/hang" || pathname === "/hanging") return new Response(String(hangingBytes));
    if (pathname !== "/socket") return worker.fetch(request, env, context);
    const headers = new Headers(request.headers);
    headers.set("x-hogflare-live-team", "7");
    headers.set("x-hogflare-live-until", String(Date.now() + 3_600_000));
    return live.fetch("http://live/", { headers });
  },
};
`;
const KB = 1024;

let system;

before(async () => {
  system = await startAround(ENTRY);
});
after(() => system?.stop());

async function openPage() {
  const page = openSocket(system.url, "/socket");
  await eventually(() => page.tail().includes("hello"), { what: "the page's first frame" });
  return page;
}

const feed = async (rejects) => {
  const response = await system.request("/feed", { method: "POST", body: JSON.stringify({ rejects }) });
  assert.equal(await response.text(), "1");
};
const unread = async () => (await system.request("/unread")).json();

test("a page that does not read misses what comes, and sees again what comes once it does", async () => {
  const asleep = await openPage();
  const awake = await openPage();
  asleep.socket.pause();
  const detail = "x".repeat(64 * KB);
  for (let i = 0; i < 64; i += 1) await feed(Array.from({ length: 16 }, () => ({ detail })));
  const seesNext = (page, what) =>
    eventually(
      async () => {
        await feed([{ detail: what }]);
        return page.tail().includes(what);
      },
      { what },
    );
  await seesNext(awake, "a frame at the page that reads");
  const waiting = await unread();
  assert.equal(waiting.length, 2);
  assert.ok(Math.max(...waiting) <= 512 * KB, `${waiting} bytes wait for the pages`);
  asleep.socket.resume();
  await seesNext(asleep, "a frame at the page that reads again");
  asleep.socket.destroy();
  awake.socket.destroy();
});

test("an object that does not answer is told no more than four megabytes at once", async () => {
  await system.request("/hang");
  const hanging = async () => Number(await (await system.request("/hanging")).text());
  const body = {
    ...batch(Array.from({ length: 50 }, () => event({ properties: { $process_person_profile: false, text: "x".repeat(15_000) } }))),
    api_key: TOKEN,
  };
  const post = async () => (await system.post("/batch/", body)).text();
  await eventually(
    async () => {
      await post();
      return (await hanging()) > 0;
    },
    { what: "a feed", timeoutMs: 60_000 },
  );
  for (let i = 0; i < 12; i += 1) await post();
  const bytes = await hanging();
  assert.ok(bytes <= 4 * KB * KB, `${bytes} bytes are on their way to the object`);
});
