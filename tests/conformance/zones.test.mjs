// Dates of a document's zone through local workerd: its Intl has the zones, with their history.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startSystem, TOKEN } from "../lib/harness.mjs";

const ADMIN = "admin-token-of-zones";
const flag = (key, value, operator = "is_date_before") => ({
  key,
  filters: { groups: [{ properties: [{ key: "when", type: "person", operator, value }] }] },
});

/** @type {[string, Record<string, string>][]} zone, and what its wall clock readings are in UTC */
const zones = [
  [
    "Europe/Berlin",
    {
      "1975-07-01 12:00": "1975-07-01T11:00:00Z", // no summer time then
      "1985-07-01 12:00": "1985-07-01T10:00:00Z",
      "1985-10-15 12:00": "1985-10-15T11:00:00Z", // summer ended in September
      "2025-10-15 12:00": "2025-10-15T10:00:00Z",
    },
  ],
  [
    "Europe/London",
    { "1970-01-15 12:00": "1970-01-15T11:00:00Z", "1972-01-15 12:00": "1972-01-15T12:00:00Z" }, // summer all year
  ],
  ["America/New_York", { "2006-03-20": "2006-03-20T05:00:00Z", "2007-03-20": "2007-03-20T04:00:00Z" }],
  ["Asia/Kolkata", { "2025-06-08": "2025-06-07T18:30:00Z", "1985-06-08": "1985-06-07T18:30:00Z" }],
  ["Mars/Olympus", { "2025-06-08": "2025-06-08T00:00:00Z" }], // nobody's: UTC, and told
];

for (const [zone, readings] of zones) {
  describe(zone, () => {
    const texts = Object.keys(readings);
    let system;
    before(async () => {
      const flags = texts.map((text, index) => flag(`f${index}`, text));
      system = await startSystem({
        vars: { HOGFLARE_FEATURE_FLAGS: JSON.stringify({ flags, timezone: zone }), HOGFLARE_ADMIN_TOKEN: ADMIN },
      });
    });
    after(() => system.stop());

    /** Which flags are on for a person of that date. */
    async function on(when) {
      const answer = await system.post("/flags/?v=2", { token: TOKEN, distinct_id: "u", person_properties: { when } });
      assert.equal(answer.status, 200);
      const { flags } = await answer.json();
      return texts.map((_, index) => flags[`f${index}`].enabled);
    }

    for (const [index, [text, instant]] of Object.entries(readings).entries()) {
      it(`${text} is ${instant}`, async () => {
        const second = (offset) => new Date(Date.parse(instant) + offset * 1000).toISOString();
        assert.equal((await on(second(-1)))[index], true);
        assert.equal((await on(second(0)))[index], false);
        // The same reading as a person's property is the same instant.
        assert.equal((await on(text))[index], false);
      });
    }

    it(zone === "Mars/Olympus" ? "/healthz says that it is no zone" : "/healthz has nothing to say about it", async () => {
      const health = await (await system.request("/healthz", { headers: { authorization: `Bearer ${ADMIN}` } })).json();
      const told = health.problems.some(({ message }) => message.includes("not a known time zone"));
      assert.equal(told, zone === "Mars/Olympus");
    });
  });
}
