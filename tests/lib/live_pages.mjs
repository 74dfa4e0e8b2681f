// A system around whose Worker an entry of the test's own stands, and pages that look at its live events by hand.
import { readdirSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { bundle } from "../../scripts/lib/worker.mjs";
import { startSystem } from "./harness.mjs";

/** @param {string} entry a module that imports "./worker.js" and exports all of it, or more */
export function startAround(entry) {
  const dist = bundle();
  const wasm = readdirSync(dist).find((name) => name.endsWith(".wasm"));
  return startSystem({
    extra: {
      modules: [
        { type: "ESModule", path: join(dist, "entry.js"), contents: entry },
        { type: "ESModule", path: join(dist, "worker.js") },
        { type: "CompiledWasm", path: join(dist, wasm) },
      ],
    },
  });
}

/**
 * A page's socket, which answers no close frame and, paused, reads nothing.
 * @param {string} url the system's
 * @param {string} path
 */
export function openSocket(url, path) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  const lines = [
    `GET ${path} HTTP/1.1`,
    `host: ${hostname}:${port}`,
    "upgrade: websocket",
    "connection: Upgrade",
    "sec-websocket-version: 13",
    `sec-websocket-key: ${Buffer.alloc(16, 7).toString("base64")}`,
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  let tail = "";
  socket.on("data", (bytes) => (tail = (tail + bytes.toString("latin1")).slice(-1_000)));
  socket.on("error", () => {});
  return { socket, tail: () => tail };
}
