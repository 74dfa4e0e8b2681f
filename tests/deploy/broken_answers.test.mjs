// Answers of Cloudflare's API, of the engine and of a Worker that are broken or made to harm: each ends the command with
// what was wrong, and none is taken for "there is nothing".
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";
import { createApi } from "../../cli/api.mjs";
import { jsonVariable } from "../../cli/config.mjs";
import { checkOrigin } from "../../cli/diagnosing.mjs";
import { createOutput } from "../../cli/output.mjs";
import { keyIn, queryTables } from "../../cli/proving.mjs";

let server;
let url;
/** What is answered: a text, or what makes one of the number of requests so far. */
let answer = "";
let asked = 0;

before(async () => {
  server = createServer((_, response) => {
    asked += 1;
    response.end(typeof answer === "function" ? answer(asked) : answer);
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  url = `http://127.0.0.1:${/** @type {import("node:net").AddressInfo} */ (server.address()).port}`;
});
after(() => {
  server.close();
  server.closeAllConnections();
});

const api = () => createApi({ token: "t", account: "a", url });
const named = (name, message) => (error) => error.name === name && error.constructor.name !== "TypeError" && message.test(error.message);

describe("Cloudflare's API", () => {
  for (const text of ["null", "5", '"x"', "[]", "<html>", ""]) {
    it(`answers ${JSON.stringify(text)}: nothing is known to be there or not`, async () => {
      answer = text;
      await assert.rejects(api().list("streams"), named("Error", /GET streams.*(none of Cloudflare's|no JSON|no list)/));
      if (text !== "")
        await assert.rejects(api().find("stream"), named("Error", /GET stream: an answer that is (none of Cloudflare's|no JSON)/));
    });
  }

  for (const result of ["null", "{}", "[null]", "[1]", '[{"name":"x"}]']) {
    it(`answers a list that is ${result}`, async () => {
      answer = `{"success":true,"result":${result}}`;
      await assert.rejects(api().list("streams"), named("Error", /GET streams: an answer that is no list of things with ids/));
    });
  }

  it("answers a list without an end", async () => {
    asked = 0;
    answer = (count) => `{"success":true,"result":[{"id":"x${count}"}]}`;
    await assert.rejects(api().list("streams"), named("Error", /a list that has not ended after 1000 pages/));
    assert.equal(asked, 1_000);
  });
});

describe("the engine", () => {
  for (const text of ["null", "{}", '{"errors":[]}', '{"errors":"no"}', '{"errors":[null]}', "<html>"]) {
    it(`answers ${text}`, async () => {
      answer = text;
      process.env.HOGFLARE_SQL_URL = url;
      try {
        await assert.rejects(
          queryTables({ account: "a", bucket: "b", token: "t" }, "SELECT 1"),
          named("Error", /the query was refused: status 200/),
        );
      } finally {
        delete process.env.HOGFLARE_SQL_URL;
      }
    });
  }
});

describe("what is printed of an answer", () => {
  it("has nothing in it that a terminal obeys", () => {
    let printed = "";
    const stderr = /** @type {any} */ ({ write: (text) => (printed += text) });
    createOutput({ stderr }).say("error: \u001b]0;owned\u0007\u001b[2Jgone\r\u009b1A\n\tnext");
    assert.equal(printed, "error: ]0;owned[2Jgone1A\n\tnext\n");
  });
});

describe("variables that hold an object", () => {
  const projects = { phc_a: { team_id: 1, origins: ["https://a.example"] }, phc_b: { team_id: 2, origins: ["https://b.example"] } };

  it("may be written as one or as its JSON, and what is neither stops no deployment", () => {
    for (const [given, key] of [
      [projects, "phc_a"],
      [JSON.stringify(projects), "phc_a"],
      [undefined, "phc_hogflare_check"],
      ["{}", "phc_hogflare_check"],
      ["not JSON", "phc_hogflare_check"],
      ["null", "phc_hogflare_check"],
      [5, "phc_hogflare_check"],
    ]) {
      assert.equal(keyIn({ vars: { HOGFLARE_PROJECTS: given } }), key);
    }
    assert.deepEqual(jsonVariable(undefined, "HOGFLARE_PATH_ALIASES"), {});
    assert.deepEqual(jsonVariable({ vars: { HOGFLARE_PATH_ALIASES: { "/q": "/e" } } }, "HOGFLARE_PATH_ALIASES"), { "/q": "/e" });
  });

  it("and doctor finds its way through projects that are none", () => {
    const found = (json) =>
      checkOrigin({ settings: { value: { bindings: [{ name: "HOGFLARE_PROJECTS", json }] } } }, "https://c.example").length;
    assert.equal(found(projects), 1);
    assert.equal(found({ phc_a: null }), 0);
    assert.equal(found({ phc_a: 5, phc_b: { origins: 7 } }), 0);
    assert.equal(found(null), 0);
  });
});
