// The folders of src: includes point one way, the diagram of docs/TOUR.md is the folders' own, and the
// functions that its tour names are where it says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { DOCUMENT, folders, headerFolders, includes, isUpward, ORDER, render, written } from "../../scripts/folders.mjs";
import { read, tableUnder } from "./tree.mjs";

/** Includes that point up, as they were when the order was written down. This list only gets shorter: a line whose include is gone
 * goes, and none comes. */
const UPWARD = [
  "base hogflare/decompress.h",
  "base hogflare/json.h",
  "base hogflare/lz_string.h",
  "base hogflare/metrics.h",
  "config hogflare/routes.h",
  "delivery identity/stored_value.h",
  "flags hogflare/cookieless.h",
  "flags hogflare/project_settings.h",
  "http core/state.h",
  "http hogflare/core.h",
  "identity hogflare/enrich.h",
  "identity hogflare/group_calls.h",
  "identity rows/columns.h",
  "metrics hogflare/outbox.h",
  "wire hogflare/routes.h",
];

describe("folders of src", () => {
  it("all stand in the order, and each public header belongs to one", () => {
    assert.deepEqual([...ORDER].sort(), folders().sort());
    const homeless = [...headerFolders()].filter(([, folder]) => !ORDER.includes(folder)).map(([name]) => name);
    assert.deepEqual(homeless, [], "FOLDER_OF of scripts/folders.mjs says where");
  });

  it("include what stands below them, but for a list that only gets shorter", () => {
    const all = includes();
    assert.ok(all.length > 300, `${all.length}`);
    const upward = all.filter(isUpward);
    const fresh = upward
      .filter(({ from, header }) => !UPWARD.includes(`${from} ${header}`))
      .map(({ file, header }) => `${file} includes ${header}`);
    assert.deepEqual(fresh, [], "points up");
    const found = new Set(upward.map(({ from, header }) => `${from} ${header}`));
    assert.deepEqual(
      UPWARD.filter((line) => !found.has(line)),
      [],
      "is gone: take it off the list",
    );
  });
});

describe("docs/TOUR.md", () => {
  it("has the diagram that the includes make; node scripts/folders.mjs writes it anew", () => {
    assert.equal(written(readFileSync(DOCUMENT, "utf8")), render());
  });

  it("names functions that are where it says", () => {
    const rows = tableUnder("docs/TOUR.md", "One event's way");
    assert.ok(rows.length > 20);
    for (const [where, what] of rows) {
      const path = where.replaceAll("`", "");
      const text = read(path);
      for (const [, name] of what.matchAll(/`([^`]+)`/g)) {
        assert.match(text, new RegExp(`\\b${name.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")}\\(`), `${path}: ${name}`);
      }
    }
  });
});
