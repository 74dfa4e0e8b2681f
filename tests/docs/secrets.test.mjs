// Secrets are compared in constant time, which no answer shows: held by the code's form. Each secret of
// the configuration is read in few places, and where one is compared it goes through one function.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const sources = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => /\.(cpp|h)$/.test(name))
  .map((name) => ({ name, code: readFileSync(join(root, "src", name), "utf8").replace(/\/\/.*$/gm, "") }));
const statements = sources.flatMap(({ name, code }) => code.split(/[;{}]/).map((text) => ({ name, text })));
const SECRET = /\b(?:signing_secret|personal_api_key|project_secret_key|admin_token|viewer_token|secret)\b/;

describe("secrets in the core", () => {
  it("are never operands of a comparison", () => {
    const compared = statements.filter(
      ({ text }) =>
        SECRET.test(text.replace(/"(?:[^"\\\n]|\\.)*"/g, '""')) &&
        /[!=]=|\bmemcmp\b|\bstrn?cmp\b|\.(?:compare|find|rfind|starts_with|substr)\(|std::equal/.test(text),
    );
    const known = compared.filter(
      ({ name, text }) =>
        // What is shown of a mis-set variable is searched for secrets when the configuration is read.
        !(name === "config/config.cpp" && /is_secret \|=/.test(text)),
    );
    assert.deepEqual(known, []);
  });

  it("are compared by the one function: keys and signatures", () => {
    const calls = statements.filter(({ name, text }) => name !== "wire/digest.cpp" && text.includes("constant_time_equal("));
    assert.equal(
      calls.reduce((sum, { text }) => sum + text.split("constant_time_equal(").length - 1, 0),
      11,
    );
    const digest = sources.find(({ name }) => name === "wire/digest.cpp")?.code ?? "";
    const body = /bool constant_time_equal\([^)]*\) \{([^}]*)\}/.exec(digest)?.[1].trim();
    assert.equal(body, "return left.size() == right.size() && CRYPTO_memcmp(left.data(), right.data(), left.size()) == 0;");
  });
});
