#!/usr/bin/env node
// Shows value, reason and bucket of every flag in a file for one person.
//
//   npm run flags:eval flags.json -- --distinct-id user-1 --person plan=pro --person age=30
//     [--group company=acme] [--group-property company.tier=gold] [--anon-distinct-id ID]
//     [--device-id ID] [--flag KEY]... [--context TAG]... [--runtime all|client|server]
//     [--now 2025-06-15T12:00:00Z] [--json]
//
// A value that reads as JSON is taken as JSON: --person age=30 is a number, --person 'age="30"' a text.
import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { groupTypes, loadCoreTool } from "./lib/core-tool.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    "distinct-id": { type: "string" },
    person: { type: "string", multiple: true, default: [] },
    group: { type: "string", multiple: true, default: [] },
    "group-property": { type: "string", multiple: true, default: [] },
    "anon-distinct-id": { type: "string" },
    "device-id": { type: "string" },
    flag: { type: "string", multiple: true },
    context: { type: "string", multiple: true },
    runtime: { type: "string", default: "all" },
    now: { type: "string" },
    json: { type: "boolean", default: false },
  },
});
const [file] = positionals;
if (file === undefined || values["distinct-id"] === undefined) {
  fail("usage: npm run flags:eval FILE -- --distinct-id ID [--person key=value]...");
}

function fail(message) {
  console.error(message);
  process.exit(2);
}

/** "key=value" → [key, value], the value as JSON where it is some. */
function pair(argument) {
  const at = argument.indexOf("=");
  if (at < 1) fail(`'${argument}' must be key=value`);
  const text = argument.slice(at + 1);
  try {
    return [argument.slice(0, at), JSON.parse(text)];
  } catch {
    return [argument.slice(0, at), text];
  }
}

const groupProperties = {};
for (const argument of values["group-property"]) {
  const [path, value] = pair(argument);
  const dot = path.indexOf(".");
  if (dot < 1) fail(`'${argument}' must be type.key=value`);
  (groupProperties[path.slice(0, dot)] ??= {})[path.slice(dot + 1)] = value;
}
const now = values.now === undefined ? Date.now() : Date.parse(values.now);
if (Number.isNaN(now)) fail(`--now '${values.now}' is not a date`);
let text;
try {
  text = readFileSync(file, "utf8");
} catch (error) {
  fail(`${file}: cannot be read: ${error.message}`);
}
const report = loadCoreTool()("flags_eval", {
  document: text,
  group_types: groupTypes(),
  now_ms: now,
  request: {
    distinct_id: values["distinct-id"],
    person_properties: Object.fromEntries(values.person.map(pair)),
    groups: Object.fromEntries(values.group.map(pair)),
    group_properties: groupProperties,
    $anon_distinct_id: values["anon-distinct-id"],
    device_id: values["device-id"],
    flag_keys: values.flag,
    evaluation_contexts: values.context,
    evaluation_runtime: values.runtime,
  },
});
if (values.json) {
  console.log(JSON.stringify(report, null, 2));
} else if (!report.ok) {
  console.error(report.error);
  for (const { severity, path, message } of report.problems) {
    console.error(`${severity}: ${path}: ${message}`);
  }
} else {
  const rows = report.flags.map((flag) => [
    flag.key,
    JSON.stringify(flag.value),
    flag.condition_index === null ? flag.reason : `${flag.reason} (${flag.condition_index})`,
    flag.bucket === null ? "-" : Number(flag.bucket).toFixed(flag.dialect === "seed" ? 0 : 4),
    flag.payload === null ? "" : JSON.stringify(flag.payload),
  ]);
  const head = ["flag", "value", "reason (condition)", "bucket", "payload"];
  const widths = head.map((name, i) => Math.max(name.length, ...rows.map((row) => row[i].length)));
  for (const row of [head, ...rows]) {
    console.log(
      row
        .map((cell, i) => cell.padEnd(widths[i]))
        .join("  ")
        .trimEnd(),
    );
  }
}
// What is still on its way into a pipe must arrive.
process.exitCode = report.ok ? 0 : 1;
