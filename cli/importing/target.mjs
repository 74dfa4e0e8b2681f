// Where an import goes: the Worker's own capture path, as an SDK's back-fill ("historical_migration").
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { EXIT, Stop } from "../output.mjs";

const ATTEMPTS = 10;
const FIRST_WAIT_MS = 500;
const WAIT_MAX_MS = 30_000;
/** Far below what the Worker takes (docs/LIMITS.md), so that one request is little to send again. */
const EVENTS_MAX = 500;
const BYTES_MAX = 2_000_000;

/** Always the same for the same thing, so that what is sent twice is one event (UUIDv8 of SHA-256). */
export function stableUuid(...parts) {
  const bytes = createHash("sha256")
    .update(JSON.stringify(["hogflare import", ...parts]))
    .digest()
    .subarray(0, 16);
  bytes[6] = (bytes[6] & 0x0f) | 0x80;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Lists of at most EVENTS_MAX events and about BYTES_MAX, as texts of JSON; what belongs together stays in order. */
function* requestsOf(events) {
  let held = [];
  let bytes = 0;
  for (const event of events) {
    const text = JSON.stringify(event);
    if (held.length > 0 && (held.length === EVENTS_MAX || bytes + text.length > BYTES_MAX)) {
      yield held;
      held = [];
      bytes = 0;
    }
    held.push(text);
    bytes += text.length;
  }
  if (held.length > 0) yield held;
}

/** @param {{to: string, token: string, dryRun: boolean, say?: (text: string) => void}} settings */
export function createTarget({ to, token, dryRun, say = () => {} }) {
  const url = `${to.replace(/\/$/, "")}/batch/`;

  async function post(body) {
    for (let n = 1; ; n++) {
      const answer = await fetch(url, {
        method: "POST",
        headers: { "content-type": "application/json", "content-encoding": "gzip" },
        body,
        signal: AbortSignal.timeout(60_000),
      }).then(
        async (response) => ({ status: response.status, text: await response.text() }),
        (error) => ({ status: 0, text: error.cause?.message ?? error.message }),
      );
      if (answer.status === 200) return;
      const said = `${answer.status === 0 ? "" : `${answer.status} `}${answer.text.slice(0, 200)}`;
      if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) {
        throw new Stop(
          EXIT.failed,
          `${url} refused events: ${said}`,
          "is --token a project's token of this Worker (HOGFLARE_PROJECTS), and does it need no signature (HOGFLARE_UNSIGNED_TOKENS)?",
        );
      }
      if (n === ATTEMPTS)
        throw new Stop(EXIT.failed, `${url} does not take events: ${said}`, "run the command again later: it goes on where it stopped");
      if (n === 3) say(`${url} answered ${said}; trying again`);
      await sleep(Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** (n - 1)));
    }
  }

  return {
    dryRun,
    /** Sends events in their order; returns when all are taken. */
    async send(events) {
      if (dryRun) return;
      for (const texts of requestsOf(events)) {
        await post(gzipSync(`{"api_key":${JSON.stringify(token)},"historical_migration":true,"batch":[${texts.join(",")}]}`));
      }
    },
  };
}
