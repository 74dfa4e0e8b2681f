// Prints a recipe of sql/recipes/ for an engine.
//
//   npm run sql                                          the recipes, and what each answers
//   npm run sql -- active_people                         for DuckDB, over the views of sql/views/
//   npm run sql -- active_people --basin since=2026-10-01T00:00:00Z
//   npm run sql -- --basin --query "SELECT event, count(*) AS n FROM activity GROUP BY event"
//   npm run sql -- --duckdb-setup                        macros and views, to be run once in DuckDB
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { compose, describe, recipes, viewFiles } from "./lib/sql.mjs";

const SQL = resolve(dirname(fileURLToPath(import.meta.url)), "../sql");

function setup() {
  const files = [["macros", "duckdb.sql"], ...viewFiles("duckdb").map((view) => view.path)];
  return files.map((path) => readFileSync(join(SQL, ...path), "utf8")).join("\n");
}

function list() {
  return recipes()
    .map((name) => {
      const { text, parameters } = describe(name);
      return `${name}: ${text.split("\n")[0].replace(/^-- \w+: /, "")}\n    ${Object.keys(parameters).join(", ")}`;
    })
    .join("\n");
}

/** Every recipe and every view for both engines, as JSON: what the tests run. */
function everything(parameters) {
  const own = (name) => Object.fromEntries(Object.entries(parameters).filter(([key]) => key in describe(name).parameters));
  const engines = (make) => ({ duckdb: make("duckdb"), basin: make("basin") });
  return {
    recipes: Object.fromEntries(recipes().map((name) => [name, engines((dialect) => compose(name, { dialect, parameters: own(name) }))])),
    views: Object.fromEntries(
      viewFiles("basin").map(({ name }) => [
        name,
        engines((dialect) => compose("", { dialect, text: `SELECT * FROM ${name} LIMIT 10000` })),
      ]),
    ),
  };
}

try {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      basin: { type: "boolean" },
      query: { type: "string" },
      "duckdb-setup": { type: "boolean" },
      json: { type: "boolean" },
    },
  });
  const given = Object.fromEntries(
    positionals.filter((word) => word.includes("=")).map((word) => [word.slice(0, word.indexOf("=")), word.slice(word.indexOf("=") + 1)]),
  );
  const [recipe] = positionals.filter((word) => !word.includes("="));
  const dialect = values.basin ? "basin" : "duckdb";
  if (values["duckdb-setup"]) console.log(setup());
  else if (values.json) console.log(JSON.stringify(everything(given)));
  else if (values.query !== undefined) console.log(compose("", { dialect, text: values.query }));
  else if (recipe === undefined) console.log(list());
  else console.log(compose(recipe, { dialect, parameters: given }));
} catch (error) {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
}
