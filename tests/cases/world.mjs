// What all cases use: a started product at BASE with the sink behind it at SINK, and what went wrong.
export const BASE = process.env.BASE ?? "http://127.0.0.1:8787";
export const SINK = process.env.SINK ?? "http://127.0.0.1:8088";
export const run = Math.random().toString(36).slice(2, 10);
export const id = (name) => `${name}-${run}`;
export const TOKEN = "phc_case";
export const problems = [];
export const check = (ok, words) => {
  if (!ok) problems.push(words);
};
export const same = (got, want, what) =>
  check(JSON.stringify(got) === JSON.stringify(want), `${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
export const send = (path, body, headers = {}, method = "POST") =>
  fetch(BASE + path, {
    method,
    headers,
    body: body === undefined || typeof body === "string" || ArrayBuffer.isView(body) ? body : JSON.stringify(body),
  });
export const json = { "content-type": "application/json" };
export const batch = async (events, extra = {}) => {
  const answer = await send("/batch/", { api_key: TOKEN, batch: events, ...extra }, json);
  check(answer.status === 200, `batch answered ${answer.status} ${await answer.text()}`);
};
/** Until nothing waits in an outbox: what a slow machine answered in time may land a little later. */
async function landed() {
  for (;;) {
    const answer = await fetch(`${BASE}/admin/outbox`, { headers: { authorization: `Bearer ${process.env.ADMIN ?? "local"}` } });
    if (!answer.ok) throw new Error(`/admin/outbox: ${answer.status} ${await answer.text()}`);
    const { sends, shards_failed: failed } = await answer.json();
    if (sends === 0 && failed === 0) return;
    await new Promise((done) => setTimeout(done, 200));
  }
}
export const sql = async (q) => {
  await landed();
  const answer = await fetch(`${SINK}/sql?q=${encodeURIComponent(q)}`);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`sql ${answer.status}: ${text}`);
  return JSON.parse(text);
};
export const parsed = (value) => (typeof value === "string" ? JSON.parse(value) : value);
export const rows = (where, from = "events") => sql(`SELECT * FROM ${from} WHERE ${where}`);
export const done = () => {
  console.log(problems.length ? `FAIL ${problems.join(" | ")}` : "pass");
  process.exit(problems.length ? 1 : 0);
};
