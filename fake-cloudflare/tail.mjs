// Live tail: a WebSocket server of its own, since wrangler sends its first frame unmasked, which RFC 6455
// forbids and libraries refuse.
import { createHash } from "node:crypto";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

function frame(opcode, payload) {
  const size = payload.length;
  const head = size < 126 ? Buffer.from([0x80 | opcode, size]) : Buffer.from([0x80 | opcode, 126, size >> 8, size & 255]);
  return Buffer.concat([head, payload]);
}

/** The first whole frame of `bytes`, masked or not, or undefined. */
function readFrame(bytes) {
  if (bytes.length < 2) return undefined;
  let size = bytes[1] & 127;
  let at = 2;
  if (size === 126) {
    if (bytes.length < 4) return undefined;
    size = bytes.readUInt16BE(2);
    at = 4;
  }
  const masked = (bytes[1] & 128) !== 0;
  const mask = bytes.subarray(at, at + 4);
  if (masked) at += 4;
  if (bytes.length < at + size) return undefined;
  const payload = Buffer.from(bytes.subarray(at, at + size));
  if (masked) payload.forEach((byte, index) => (payload[index] = byte ^ mask[index % 4]));
  return { opcode: bytes[0] & 15, payload, rest: bytes.subarray(at + size) };
}

/** Takes upgrades of /tail/NAME/ID; `send(name, message)` reaches everybody who listens to NAME. */
export function createTails(server) {
  const listeners = new Set();
  server.on("upgrade", (request, socket) => {
    const [, kind, name] = request.url.split("/");
    if (kind !== "tail") return socket.destroy();
    const accept = createHash("sha1")
      .update(request.headers["sec-websocket-key"] + GUID)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\nSec-WebSocket-Protocol: trace-v1\r\n\r\n`,
    );
    const listener = { name, socket };
    listeners.add(listener);
    let held = Buffer.alloc(0);
    socket.on("data", (bytes) => {
      held = Buffer.concat([held, bytes]);
      for (let next = readFrame(held); next !== undefined; next = readFrame(held)) {
        held = next.rest;
        if (next.opcode === 9) socket.write(frame(10, next.payload));
        if (next.opcode === 8) socket.end(frame(8, next.payload));
      }
    });
    socket.on("error", () => {});
    socket.on("close", () => listeners.delete(listener));
  });
  return {
    listening: (name) => [...listeners].some((each) => each.name === name),
    send(name, message) {
      for (const each of listeners) if (each.name === name) each.socket.write(frame(1, Buffer.from(JSON.stringify(message))));
    },
    /** Ends them as Cloudflare does when a tail is over. */
    stop: () => listeners.forEach((each) => each.socket.end(frame(8, Buffer.from([3, 232])))),
  };
}
