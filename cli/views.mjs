// sql/tables.sql: one view a stream over every version of its table, oldest columns filled with NULL.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { partsOf } from "./names.mjs";
import { listOwn } from "./resources.mjs";

/** @returns {Promise<string>} what was written */
export async function viewOver(context) {
  const own = await listOwn(context.api, "streams", context.name);
  const views = context.streams.map((stream) => {
    const columns = context.schemas[stream].fields.map((field) => field.name);
    const versions = own.filter((each) => each.stream === stream).sort((left, right) => left.number - right.number);
    const selects = versions.map(({ number, part }) => {
      const there = new Set(part.schema.fields.map((field) => field.name));
      const list = columns.map((name) => (there.has(name) ? `"${name}"` : `NULL AS "${name}"`)).join(", ");
      return `SELECT ${list}\nFROM ${context.namespace}.${partsOf(context.name, stream, number).table}`;
    });
    return `CREATE OR REPLACE VIEW ${stream} AS\n${selects.join("\nUNION ALL\n")};\n`;
  });
  const folder = join(context.folder, "sql");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "tables.sql"), `-- Written by hogflare: every version of each table as one view.\n${views.join("\n")}`);
  return "sql/tables.sql";
}
