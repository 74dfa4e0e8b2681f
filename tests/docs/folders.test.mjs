// The folders of src: includes point one way, the diagram of docs/TOUR.md is the folders' own, and the
// functions that its tour names are where it says.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { DOCUMENT, folders, headerFolders, includes, isUpward, ORDER, render, written } from "../../scripts/folders.mjs";
import { read, tableUnder } from "./tree.mjs";

describe("folders of src", () => {
  it("all stand in the order, and each public header belongs to one", () => {
    assert.deepEqual([...ORDER].sort(), folders().sort());
    const homeless = [...headerFolders()].filter(([, folder]) => !ORDER.includes(folder)).map(([name]) => name);
    assert.deepEqual(homeless, [], "FOLDER_OF of scripts/folders.mjs says where");
  });

  it("include what stands below them, and nothing else", () => {
    const all = includes();
    assert.ok(all.length > 300, `${all.length}`);
    const upward = all.filter(isUpward).map(({ file, header }) => `${file} includes ${header}`);
    assert.deepEqual(upward, [], "points up");
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
