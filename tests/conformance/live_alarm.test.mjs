// The alarm that ends a sign-in at a page that is gone without a word: its socket is closing for as long as the network
// needs to find out, and the object must not be rung again and again meanwhile.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { bundle } from "../../scripts/lib/worker.mjs";
import { eventually, startSystem } from "../lib/harness.mjs";

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
  const dist = bundle();
  const wasm = readdirSync(dist).find((name) => name.endsWith(".wasm"));
  system = await startSystem({
    extra: {
      modules: [
        { type: "ESModule", path: join(dist, "entry.js"), contents: ENTRY },
        { type: "ESModule", path: join(dist, "worker.js") },
        { type: "CompiledWasm", path: join(dist, wasm) },
      ],
    },
  });
});
after(() => system?.stop());

/** A page's socket by hand, which answers no close frame. */
function openSocket(until) {
  const { hostname, port } = new URL(system.url);
  const socket = connect(Number(port), hostname);
  const lines = [
    `GET /socket?until=${until} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    "upgrade: websocket",
    "connection: Upgrade",
    "sec-websocket-version: 13",
    `sec-websocket-key: ${Buffer.alloc(16, 7).toString("base64")}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  let text = "";
  socket.on("data", (bytes) => (text += bytes.toString("latin1")));
  socket.on("error", () => {});
  return { socket, read: () => text };
}

const alarms = async () => Number(await (await system.request("/alarms")).text());

test("an object whose page does not answer the end of its sign-in is rung once, not without end", async () => {
  const gone = openSocket(Date.now() + 1_000);
  await eventually(() => gone.read().includes("hello"), { what: "the page's first frame" });
  await eventually(() => gone.read().includes("the sign-in is over"), { what: "the close frame" });
  await sleep(1_000);
  assert.equal(await alarms(), 1);
  gone.socket.destroy();
});
