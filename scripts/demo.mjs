// A month of demo traffic for the project "Demo" of a running scripts/dev.
//
//   npm run demo             the Worker at HOGFLARE_URL, or at HOGFLARE_PORT (8787) of this machine
//
// Sending again adds what has happened since and changes nothing else. It asks the same route as the
// console's button, as the admin: HOGFLARE_ADMIN_TOKEN, or scripts/dev's own.
import { setTimeout as sleep } from "node:timers/promises";

const url = (process.env.HOGFLARE_URL ?? `http://127.0.0.1:${process.env.HOGFLARE_PORT || 8787}`).replace(/\/$/, "");
const headers = { authorization: `Bearer ${process.env.HOGFLARE_ADMIN_TOKEN || "local"}`, "content-type": "application/json" };

async function ask(method) {
  const response = await fetch(`${url}/app/api/demo`, { method, headers, ...(method === "POST" ? { body: "{}" } : {}) }).catch(() => {
    throw new Error(`nothing answers at ${url}: start scripts/dev first`);
  });
  const told = await response.json().catch(() => ({}));
  if (response.ok) return told;
  throw new Error(
    response.status === 404
      ? `${url} offers no demo traffic: only scripts/dev does`
      : `${url} answered ${response.status}: ${told.detail ?? ""}`,
  );
}

try {
  let told = await ask("POST");
  let shown = -1;
  while (told.state === "running") {
    const part = told.of > 0 ? Math.floor((told.sent / told.of) * 10) : 0;
    if (part !== shown) console.log(`${told.sent ?? 0} of ${told.of ?? "?"} events`);
    shown = part;
    await sleep(500);
    told = await ask("GET");
  }
  if (told.state !== "done") throw new Error(told.detail ?? `it ended as "${told.state}"`);
  console.log(`${told.sent} events and ${told.recordings} recordings in ${told.took_s} s. Look: ${url}/app/${told.team_id}/home?from=-30d`);
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
