#!/usr/bin/env node
// Checks a file of flag definitions with the core that refuses them at the edge.
//
//   npm run flags:check flags.json
//
// Prints one line a problem, `error` or `warning`, with its path; exits with 1 when there is an error.
import { readFileSync } from "node:fs";
import { groupTypes, loadCoreTool } from "./lib/core-tool.mjs";

const file = process.argv[2];
if (file === undefined) {
  console.error("usage: npm run flags:check FILE");
  process.exit(2);
}
let text;
try {
  text = readFileSync(file, "utf8");
} catch (error) {
  console.error(`${file}: cannot be read: ${error.message}`);
  process.exit(2);
}
const report = loadCoreTool()("flags_check", { document: text, group_types: groupTypes() });
for (const { severity, path, message } of report.problems) {
  console.log(`${severity}: ${path}: ${message}`);
}
const errors = report.problems.filter((problem) => problem.severity === "error").length;
console.log(report.ok ? `${file}: ${report.flags} flags, fit to use` : `${file}: ${errors} ${errors === 1 ? "error" : "errors"}`);
// What is still on its way into a pipe must arrive.
process.exitCode = report.ok ? 0 : 1;
