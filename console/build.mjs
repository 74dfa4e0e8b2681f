// Builds the console: hashed files and the two documents, for scripts/lib/assets.mjs.
//
//   node console/build.mjs [FOLDER]    build/console; prints every file with its size against its budget
import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { replaceFolder } from "../scripts/lib/assets.mjs";

const HERE = dirname(fileURLToPath(import.meta.url));

/** Bytes gzipped that each part may have: the budget of docs/CONSOLE.md. */
export const BUDGETS = {
  all: 250_000, // without the replayer
  shell: 35_000,
  page: 40_000,
  replay: 70_000,
};

/** The npm packages that bundles were made of: their folders below the tree's root, in order. */
export function packagesIn(metafiles) {
  const folderOf = (path) => /^.*?(node_modules\/.*node_modules\/(?:@[^/]+\/)?[^/]+|node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
  const folders = metafiles
    .flatMap(({ inputs }) => Object.keys(inputs))
    .map(folderOf)
    .filter((folder) => folder !== undefined);
  return [...new Set(folders)].sort();
}

/**
 * What several files share would be cut into a file for each set of them that shares it. So whatever is asked for later
 * counts the whole shell as its own, and the pages of numbers the first of them: two files in all, each asked for once.
 */
const SHARED = [
  { asked: /\/src\/(pages\/\w+|ui\/(palette|keys|range-form|people-panel|first-run)|lib\/(by-day|symbols))\.tsx?$/, has: "main" },
  { asked: /\/src\/pages\/(web|insights|dashboards|errors)\.tsx$/, has: "pages/home" },
];

/** @type {import("esbuild").Plugin} */
const inFewFiles = {
  name: "in-few-files",
  setup({ onLoad }) {
    onLoad({ filter: SHARED[0].asked }, ({ path }) => {
      const own = SHARED.filter(({ asked }) => asked.test(path)).map(({ has }) => `import "../${has}";`);
      return { contents: `${readFileSync(path, "utf8")}\n${own.join("\n")}\n`, loader: path.endsWith("x") ? "tsx" : "ts" };
    });
  },
};

/**
 * An entry whose parts others share as well is left as a file that only hands on names of the shared one: whoever
 * asks for it asks for that one instead, a request less each. What a stub says is in its name's hash, and its name in
 * its askers', so that names still tell contents.
 * @param {import("esbuild").BuildResult & {outputFiles: import("esbuild").OutputFile[], metafile: import("esbuild").Metafile}} app
 * @returns {{name: string, text: string}[]} the files that are left
 */
function withoutStubs(app) {
  const files = app.outputFiles.map(({ path, text }) => ({ name: path.split("/").at(-1), text }));
  const stubs = new Map();
  for (const { name, text } of files) {
    const [, imported, from, exported] = /^import\{([^}]*)\}from"(\.\/[^"]+)";(?:import"[^"]+";)*export\{([^}]*)\};\s*$/.exec(text) ?? [];
    if (exported === undefined) continue;
    const pairs = (list) => list.split(",").map((one) => /^(\w+)(?: as (\w+))?$/.exec(one).slice(1));
    const theirs = Object.fromEntries(pairs(imported).map(([name, local = name]) => [local, name]));
    const names = pairs(exported).map(([local, name = local]) => `${name}:m.${theirs[local]}`);
    stubs.set(name, `import("${from}").then(m=>({${names.join()}}))`);
  }
  return files
    .filter(({ name }) => !stubs.has(name))
    .map(({ name, text }) => ({ name, text: text.replace(/import\("\.\/([\w.-]+)"\)/g, (all, of) => stubs.get(of) ?? all) }));
}

/**
 * @returns {Promise<{files: {name: string, text: Uint8Array, gzip: number, entry: string}[], packages: string[], first: string[], style: string, main: string, frame: string, frameStyle: string | null}>}
 */
export async function bundle() {
  const shared = /** @type {const} */ ({
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    outdir: "/assets",
    legalComments: "none",
    jsx: "automatic",
    jsxImportSource: "preact",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    charset: "utf8",
    absWorkingDir: HERE,
    tsconfig: join(HERE, "tsconfig.json"),
    logLevel: "warning",
  });
  const app = await build({ ...shared, splitting: true, plugins: [inFewFiles], entryPoints: { main: "src/main.tsx", app: "src/app.css" } });
  const frame = await build({ ...shared, entryPoints: { replay: "src/frame/replay.ts" } });
  const files = [];
  let main = "",
    style = "",
    frameMain = "",
    frameStyle = null,
    first = [];
  for (const [result, kind] of [
    [app, "app"],
    [frame, "replay"],
  ]) {
    for (const { name, text } of withoutStubs(result)) {
      const contents = Buffer.from(text);
      const meta = Object.entries(result.metafile.outputs).find(([path]) => path.endsWith(`/${name}`))?.[1];
      const entry = meta?.entryPoint ?? "";
      if (entry === "src/main.tsx") continue;
      files.push({
        name,
        text: contents,
        gzip: gzipSync(contents, { level: 9 }).length,
        entry: kind === "replay" ? "replay" : entry,
      });
      // Its entry only imports the file that has it.
      if (Object.keys(meta?.inputs ?? {}).includes("src/main.tsx")) {
        main = name;
        first = meta.imports.filter(({ kind: how }) => how === "import-statement").map(({ path }) => path.split("/").at(-1));
      }
      if (entry === "src/app.css") style = name;
      if (kind === "replay" && name.endsWith(".js")) frameMain = name;
      if (kind === "replay" && name.endsWith(".css")) frameStyle = name;
    }
  }
  return { files, packages: packagesIn([app.metafile, frame.metafile]), first, style, main, frame: frameMain, frameStyle };
}

/** The documents. Files are the host's own, whatever prefix the Worker's routes have. */
export function documents(built) {
  const at = (name) => `/app/assets/${name}`;
  const index = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>Hogflare</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(ICON)}" type="image/svg+xml">
<link rel="stylesheet" href="${at(built.style)}">
${built.first.map((name) => `<link rel="modulepreload" href="${at(name)}">`).join("\n")}
<script type="module" src="${at(built.main)}"></script>
</head>
<body><div id="app"></div><noscript>The console is a JavaScript application.</noscript></body>
</html>
`;
  const frame = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Recording</title>
${built.frameStyle === null ? "" : `<link rel="stylesheet" href="${at(built.frameStyle)}">`}
<script type="module" src="${at(built.frame)}"></script>
</head>
<body><div id="player"></div></body>
</html>
`;
  return { index, frame };
}

const ICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0B57B8"/><path d="M4 12V8M8 12V4M12 12V6" stroke="#fff" stroke-width="2" stroke-linecap="round"/></svg>`;

/**
 * Writes the folder; what it held before is gone. scripts/lib/assets.mjs puts it below /app.
 * @param {string} folder
 */
export async function writeConsole(folder) {
  const built = await bundle();
  const made = `${folder}.${randomUUID()}`;
  mkdirSync(join(made, "assets"), { recursive: true });
  mkdirSync(join(made, "frame"), { recursive: true });
  for (const { name, text } of built.files) writeFileSync(join(made, "assets", name), text);
  const { index, frame } = documents(built);
  writeFileSync(join(made, "index.html"), index);
  writeFileSync(join(made, "frame", "replay.html"), frame);
  replaceFolder(made, folder);
  return built;
}

/** @returns {{name: string, gzip: number, budget: number}[]} every file and the sums, against their budgets */
export function sizes(built) {
  const rows = [];
  const app = built.files.filter(({ entry }) => entry !== "replay");
  for (const { name, gzip, entry } of app) {
    const budget = name === built.main ? BUDGETS.shell : BUDGETS.page;
    rows.push({ name: entry.startsWith("src/pages/") ? `${entry.slice(10)} ${name}` : name, gzip, budget });
  }
  const sum = (list) => list.reduce((all, { gzip }) => all + gzip, 0);
  const shell = app.filter(({ name }) => name === built.main || name === built.style || built.first.includes(name));
  rows.push({ name: "shell: what the first page loads before its own", gzip: sum(shell), budget: BUDGETS.shell });
  rows.push({ name: "application without the replayer", gzip: sum(app), budget: BUDGETS.all });
  rows.push({ name: "replayer", gzip: sum(built.files.filter(({ entry }) => entry === "replay")), budget: BUDGETS.replay });
  return rows;
}

if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const built = await writeConsole(process.argv[2] ?? join(HERE, "..", "build", "console"));
  for (const { name, gzip, budget } of sizes(built)) {
    console.log(`${String(gzip).padStart(7)} of ${String(budget).padStart(7)}  ${gzip > budget ? "OVER " : ""}${name}`);
  }
}
