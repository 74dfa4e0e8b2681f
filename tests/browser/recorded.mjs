// A page with what recordings are asked about, and a session on it in two windows, by real posthog-js.
import assert from "node:assert/strict";
import { eventually, TOKEN } from "../lib/harness.mjs";

/** Remote config that records, masking what stands in .mask. */
export const RECORDING = {
  flags: [],
  remote_config: { sessionRecording: { masking: { maskAllInputs: false, maskTextSelector: ".mask" } } },
};

const PAGE = (host) => `<!doctype html><html><head><meta charset="utf-8"><title>Shop</title>
<style>h1 { color: rgb(10, 120, 60); }</style>
<script>
  window.posthog = [];
  posthog._i = [];
  posthog.init = function (token, config) { posthog._i.push([token, config]); };
  posthog.__SV = 1;
  posthog.init("${TOKEN}", { api_host: "${host}", person_profiles: "always", session_recording: { maskTextSelector: ".mask" },
    loaded: function () { window.isLoaded = true; } });
</script>
<script async crossorigin="anonymous" src="${host}/static/array.js"></script></head><body>
<h1 id="title">Größe 漢字 🛒</h1>
<input id="name"><input id="secret" type="password">
<p class="mask" id="masked">account 4711</p>
<p class="ph-no-capture" id="hidden">never seen</p>
<ul id="list">${Array.from({ length: 30 }, (_, at) => `<li>item ${at}</li>`).join("")}</ul>
<button id="grow">grow</button>
<script>
  document.getElementById("grow").addEventListener("click", function () {
    document.querySelector("#list li").remove();
    var big = document.createElement("pre");
    big.id = "big";
    // Text that does not compress away.
    var text = "", seed = 7;
    while (text.length < 2400000) { seed = (seed * 1103515245 + 12345) % 2147483648; text += seed.toString(36); }
    big.textContent = text;
    document.body.appendChild(big);
    window.bigLength = text.length;
  });
</script></body></html>`;

/**
 * Records a session in two windows, with a mutation of more than a row has room for.
 * @returns {Promise<{session: string, bigLength: number}>}
 */
export async function record(browser, system) {
  const sessionOf = (page) => page.evaluate(() => window.posthog.get_session_id());
  browser.pages.set("/recorded", PAGE(system.url));
  const page = await browser.visit("/recorded");
  await eventually(() => page.evaluate(() => window.isLoaded === true && window.posthog.sessionRecordingStarted()), {
    what: "the recorder",
    timeoutMs: 60_000,
  });
  await eventually(() => page.evaluate(() => window.posthog.sessionRecording.status === "active"), {
    what: "an active recording",
    timeoutMs: 60_000,
  });
  await page.fill("#name", "Ada");
  await page.fill("#secret", "hunter2");
  await page.click("#grow");
  const bigLength = await page.evaluate(() => window.bigLength);
  // A second window of the same session.
  const second = await page.context().newPage();
  await second.goto(page.url());
  await eventually(() => second.evaluate(() => window.isLoaded === true && window.posthog.sessionRecording.status === "active"), {
    what: "the second window",
    timeoutMs: 60_000,
  });
  assert.equal(await sessionOf(second), await sessionOf(page));
  await second.fill("#name", "Grace");
  const session = await sessionOf(page);
  const written = async () => {
    const rows = await system.sql(`SELECT window_id, bytes FROM sessions_replay WHERE session_id = '${session}' AND is_complete`);
    const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
    return new Set(rows.map((row) => row.window_id)).size === 2 && bytes > 1_000_000;
  };
  await eventually(written, { what: "both windows in the table", timeoutMs: 120_000, everyMs: 500 });
  await page.context().close();
  return { session, bigLength };
}
