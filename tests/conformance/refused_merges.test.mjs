// Merges that were refused, from the events that asked for them to the list on a person's page.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { startSystem } from "../lib/harness.mjs";
import { batch, event } from "./support.mjs";

const ADMIN = { authorization: "Bearer admin-token" };

describe("refused merges", () => {
  let system;
  before(async () => {
    system = await startSystem({
      vars: {
        HOGFLARE_PROJECTS: JSON.stringify({ phc_test: { team_id: 1 }, phc_two: { team_id: 2 } }),
        HOGFLARE_ADMIN_TOKEN: "admin-token",
      },
      hasSql: true,
    });
    const identify = (distinct_id, anonymous) => event({ event: "$identify", distinct_id, properties: { $anon_distinct_id: anonymous } });
    const alias = (distinct_id, other) => event({ event: "$create_alias", distinct_id, properties: { alias: other } });
    const send = async (events, key = "phc_test") =>
      assert.equal((await system.post("/batch/", { ...batch(events), api_key: key })).status, 200);
    await send([identify("ada", "anon-a"), identify('o"neil', "anon-b"), identify("ada-2", "anon-c")]);
    await send([identify("ada", 'o"neil')]);
    await send([alias("ada-2", "ada")]);
    await send([identify("ada", "undefined")]);
    await send([identify("ada", "anon-d")]);
    await send([identify("eve", "x"), identify("ada", "y")], "phc_two");
    await send([identify("eve", "ada")], "phc_two");
    await system.landed();
  });
  after(() => system.stop());

  async function refusals(distinctIds, { team = 1, ...more } = {}) {
    const query = { kind: "_RefusedMerges", distinctIds, ...more };
    const response = await system.post(`/api/projects/${team}/query/`, { query, refresh: true }, ADMIN);
    return { status: response.status, ...(await response.json()) };
  }
  const told = ({ results }) => results.map(({ event: name, distinct_id, other_id, reason }) => [name, distinct_id, other_id, reason]);
  const IDENTIFIED = "cannot_merge_already_identified";

  test("name when, the event, both ids and the reason as PostHog has it, the newest first, whichever of the two is asked for", async () => {
    const of = await refusals(["ada", "anon-a", "anon-d"]);
    assert.deepEqual(told(of), [
      ["$identify", "ada", "undefined", "cannot_merge_with_illegal_distinct_id"],
      ["$create_alias", "ada-2", "ada", IDENTIFIED],
      ["$identify", "ada", 'o"neil', IDENTIFIED],
    ]);
    assert.equal(of.hasMore, false);
    const [, , first] = of.results;
    assert.ok(Math.abs(Date.parse(first.at) - Date.now()) < 600_000);
    assert.match(first.event_uuid, /^[0-9a-f-]{36}$/);
    assert.match(first.detail, /belongs to an identified person; the event was stored for "ada" without a merge/);
    assert.deepEqual(told(await refusals(['o"neil'])), [["$identify", "ada", 'o"neil', IDENTIFIED]]);
    assert.deepEqual(told(await refusals(["ada-2", "anon-c"])), [["$create_alias", "ada-2", "ada", IDENTIFIED]]);
  });

  test("are those of these ids alone: not of parts of an id, of merges that were done, of other projects", async () => {
    // "neil" stands between a quote of the id and the sentence's.
    for (const id of ["neil", "anon-d", "nobody", "a"]) assert.deepEqual((await refusals([id])).results, [], id);
    assert.deepEqual(told(await refusals(["ada"], { team: 2 })), [["$identify", "eve", "ada", IDENTIFIED]]);
  });

  test("come a page at a time, of a bounded number of ids", async () => {
    const page = await refusals(["ada"], { limit: 2 });
    assert.deepEqual([page.results.length, page.hasMore], [2, true]);
    for (const distinctIds of [[], Array.from({ length: 101 }, (_, n) => `id-${n}`)]) {
      const { status, attr, detail } = await refusals(distinctIds);
      assert.deepEqual([status, attr], [400, "query.distinctIds"]);
      assert.match(detail, /1 to 100/);
    }
    assert.equal((await refusals(Array.from({ length: 100 }, (_, n) => `id-${n}'"`))).status, 200);
  });
});
