// The folders of src as they include each other: the diagram of docs/TOUR.md, and what goes against the
// order. tests/docs/folders.test.mjs holds both.
//
//   node scripts/folders.mjs           writes the diagram into the document
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const root = join(fileURLToPath(import.meta.url), "../..");
export const DOCUMENT = join(root, "docs/TOUR.md");
const read = (path) => readFileSync(join(root, path), "utf8");

/** From the ground up: a folder may include those of its own line and of lines before it, in the order within a line. */
export const FLOORS = [
  { title: "ground", folders: ["base", "json", "metrics", "wire"] },
  { title: "rules, without effects", folders: ["flags", "project", "config", "cookieless", "capture", "recordings"] },
  { title: "parts of a request, and objects", folders: ["delivery", "rows", "identity", "groups", "insights"] },
  { title: "requests", folders: ["console", "http", "core"] },
  { title: "programs", folders: ["tools", "wasm"] },
];
export const ORDER = FLOORS.flatMap(({ folders }) => folders);

/** Headers of include/hogflare that no source of the same name gives a folder. */
const FOLDER_OF = {
  base: [
    "ascii",
    "bytes",
    "calendar",
    "short_bytes",
    "text",
    "task",
    "version",
    "whole_number",
    "limits",
    "flags_limits",
    "memory_limits",
    "capitals",
    "must_wait",
  ],
  metrics: ["outbox_stats"],
  wire: ["edge_info", "request", "event", "request_budget", "reply_room"],
  flags: ["flags", "flags_responses", "flags_tools", "flags_value"],
  insights: ["insights", "insights_limits", "insights_sql", "insights_stats"],
  recordings: ["recordings", "recordings_limits"],
  cookieless: ["cookieless"],
  delivery: ["delivery"],
  rows: ["group_view"],
  project: ["project_settings"],
};
const told = new Map(Object.entries(FOLDER_OF).flatMap(([folder, names]) => names.map((name) => [name, folder])));

export const folders = () =>
  readdirSync(join(root, "src"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
const filesOf = (folder) =>
  readdirSync(join(root, "src", folder))
    .filter((name) => /\.(h|cpp)$/.test(name))
    .map((name) => `src/${folder}/${name}`);

/** The folder of each header of include/hogflare, by its name without ending; undefined where nobody says. */
export function headerFolders() {
  const byName = new Map();
  for (const folder of folders()) {
    for (const path of filesOf(folder).filter((each) => each.endsWith(".cpp"))) {
      const name = basename(path, ".cpp");
      byName.set(name, byName.has(name) ? undefined : folder);
    }
  }
  const headers = readdirSync(join(root, "include/hogflare"))
    .filter((name) => name.endsWith(".h"))
    .map((name) => basename(name, ".h"));
  return new Map(headers.map((name) => [name, told.get(name) ?? byName.get(name)]));
}

/** Every include that leaves its folder: {from, to, file, header}. */
export function includes() {
  const folderOf = headerFolders();
  const all = [
    ...folders().flatMap((folder) => filesOf(folder).map((file) => ({ folder, file }))),
    ...[...folderOf].map(([name, folder]) => ({ folder, file: `include/hogflare/${name}.h` })),
  ];
  return all.flatMap(({ folder, file }) =>
    [...read(file).matchAll(/^#include "([^"]+)"/gm)].flatMap(([, header]) => {
      const [first, ...rest] = header.split("/");
      const to = rest.length === 0 ? folder : first === "hogflare" ? folderOf.get(basename(header, ".h")) : first;
      return to === folder ? [] : [{ from: folder, to, file, header }];
    }),
  );
}

const height = (folder) => ORDER.indexOf(folder);
export const isUpward = ({ from, to }) => height(to) > height(from);

/** The arrows down that no longer way says already, as "from to". */
export function arrows(edges) {
  const down = new Map(
    ORDER.map((folder) => [folder, new Set(edges.filter((edge) => edge.from === folder && !isUpward(edge)).map(({ to }) => to))]),
  );
  const reaches = (from, to, direct) => [...down.get(from)].some((next) => (next === to ? !direct : reaches(next, to, false)));
  return ORDER.flatMap((from) => [...down.get(from)].filter((to) => !reaches(from, to, true)).map((to) => `${from} ${to}`)).sort();
}

/** @returns {string} the Mermaid text */
export function render() {
  const edges = includes();
  const lines = ["flowchart TB"];
  for (const { title, folders: names } of [...FLOORS].reverse()) {
    lines.push(
      `    subgraph ${title.replaceAll(/\W+/g, "_")}["${title}"]`,
      ...[...names].reverse().map((name) => `        ${name}`),
      "    end",
    );
  }
  for (const arrow of arrows(edges)) lines.push(`    ${arrow.replace(" ", " --> ")}`);
  const against = new Set(edges.filter(isUpward).map(({ from, to }) => `${from} -.-> ${to}`));
  for (const arrow of [...against].sort()) lines.push(`    ${arrow}`);
  return lines.join("\n");
}

const BLOCK = /(<!-- written by scripts\/folders\.mjs -->\n```mermaid\n)[^`]*(\n```)/;
export const written = (text) => BLOCK.exec(text)?.[0].replace(BLOCK, (_, head) => _.slice(head.length, -4));

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const text = readFileSync(DOCUMENT, "utf8");
  if (!BLOCK.test(text)) throw new Error("docs/TOUR.md has no block of scripts/folders.mjs");
  writeFileSync(
    DOCUMENT,
    text.replace(BLOCK, (_, head, tail) => `${head}${render()}${tail}`),
  );
}
