// The Worker's static assets: posthog-js's scripts as its npm package ships them, byte for byte.
//
// and the console (docs/CONSOLE.md), from build/console where it has been built.
//
//   node scripts/lib/assets.mjs FOLDER [--prefix /ingest] [--aliases '{"/js": "/static"}']
//
// FOLDER gets static/NAME.js, static/VERSION/NAME.js and static/MAJOR/NAME.js, the same below the
// prefix and below each alias of /static or of one of its files, and _headers. posthog-js's own
// integrity.json says which files are scripts and what their bytes must be.
import { createHash, randomUUID } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const DIST = join(dirname(createRequire(import.meta.url).resolve("posthog-js/package.json")), "dist");

/** The built console below the root of the tree: index.html, frame/replay.html, and assets/ with names that change with what is in them. */
export const CONSOLE = resolve(dirname(fileURLToPath(import.meta.url)), "../../build/console");

/** posthog-js's version and its scripts' integrity by name. */
export function scripts() {
  /** @type {{version: string, files: Record<string, string>}} */
  const { version, files } = JSON.parse(readFileSync(join(DIST, "integrity.json"), "utf8"));
  return { version, files };
}

/** @param {string} name @param {string} integrity "sha384-…" */
function requireIntact(name, integrity) {
  const digest = createHash("sha384")
    .update(readFileSync(join(DIST, name)))
    .digest("base64");
  if (`sha384-${digest}` !== integrity) {
    throw new Error(`${name} of posthog-js is not what its integrity.json says: install it again`);
  }
}

/** Headers of every script; a version in the address makes it last. */
function headersFile(folders, version) {
  const major = version.split(".")[0];
  const common = [
    "  Access-Control-Allow-Origin: *",
    "  Cross-Origin-Resource-Policy: cross-origin",
    "  X-Content-Type-Options: nosniff",
    `  X-Hogflare-Script-Version: ${version}`,
  ];
  const rules = [];
  for (const folder of folders) {
    rules.push([`${folder}/:file`, ...common, "  Cache-Control: public, max-age=3600"]);
    rules.push([`${folder}/${version}/:file`, ...common, "  Cache-Control: public, max-age=31536000, immutable"]);
    rules.push([`${folder}/${major}/:file`, ...common, "  Cache-Control: public, max-age=3600"]);
  }
  return `${rules.map((rule) => rule.join("\n")).join("\n\n")}\n`;
}

/** What a page of the console's is served with; the core says the same of its own answers (src/console/pages.cpp). */
const CONSOLE_PAGE = [
  "  Cache-Control: no-cache",
  "  X-Content-Type-Options: nosniff",
  "  Referrer-Policy: no-referrer",
  "  Cross-Origin-Opener-Policy: same-origin",
  "  X-Robots-Tag: noindex",
];
const APPLICATION_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";
const REPLAY_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data: blob:; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";

const CONSOLE_HEADERS = `
/app/index.html
${CONSOLE_PAGE.join("\n")}
  Content-Security-Policy: ${APPLICATION_POLICY}

/app/frame/replay.html
${CONSOLE_PAGE.join("\n")}
  Content-Security-Policy: ${REPLAY_POLICY}

/app/assets/*
  Cache-Control: public, max-age=31536000, immutable
  X-Content-Type-Options: nosniff
  Referrer-Policy: no-referrer
`;

/**
 * Where the scripts stand: /static, and what else the configuration calls it.
 * @param {string} prefix @param {Record<string, string>} aliases
 */
function foldersOf(prefix, aliases) {
  const tidy = (path) => (path === "" ? "" : `/${path.replace(/^\/+|\/+$/g, "")}`);
  const folders = ["/static"];
  for (const [alias, target] of Object.entries(aliases)) {
    if (tidy(target) === "/static") folders.push(tidy(alias));
  }
  return prefix === "" ? folders : [...folders, ...folders.map((folder) => tidy(prefix) + folder)];
}

/**
 * Puts a folder in the place of another, whole. Of several who do so at once one's folder stays, which is as good as any.
 * @param {string} made @param {string} folder beside it
 */
export function replaceFolder(made, folder) {
  const old = `${made}-old`;
  try {
    renameSync(folder, old);
  } catch (error) {
    if (error.code !== "ENOENT") rmSync(folder, { recursive: true, force: true });
  }
  try {
    renameSync(made, folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
  for (const each of [old, made]) rmSync(each, { recursive: true, force: true });
}

/**
 * Writes the folder; what it held before is gone. It is never seen half written, for several may write it at once.
 * @param {string} folder
 * @param {{prefix?: string, aliases?: Record<string, string>, console?: string}} names
 * @returns {{version: string, files: number, bytes: number}} what one copy of the scripts holds
 */
export function writeAssets(folder, { prefix = "", aliases = {}, console = CONSOLE } = {}) {
  const { version, files } = scripts();
  const major = version.split(".")[0];
  const made = `${resolve(folder)}.${randomUUID()}`;
  let bytes = 0;
  for (const [name, integrity] of Object.entries(files)) {
    requireIntact(name, integrity);
    bytes += readFileSync(join(DIST, name)).byteLength;
    for (const base of foldersOf(prefix, aliases)) {
      for (const place of [base, `${base}/${version}`, `${base}/${major}`]) {
        mkdirSync(join(made, place), { recursive: true });
        copyFileSync(join(DIST, name), join(made, place, name));
      }
    }
  }
  if (existsSync(console)) cpSync(console, join(made, "app"), { recursive: true });
  writeFileSync(join(made, "_headers"), headersFile(foldersOf(prefix, aliases), version) + CONSOLE_HEADERS);
  replaceFolder(made, folder);
  return { version, files: Object.keys(files).length, bytes };
}

// By its real path: pnpm and workspaces install packages as links.
if (process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { prefix: { type: "string", default: "" }, aliases: { type: "string", default: "{}" } },
  });
  if (positionals.length !== 1) {
    console.error("usage: assets.mjs FOLDER [--prefix /ingest] [--aliases JSON]");
    process.exit(2);
  }
  const { version, files, bytes } = writeAssets(positionals[0], {
    prefix: values.prefix,
    aliases: JSON.parse(values.aliases),
  });
  console.log(`posthog-js ${version}: ${files} scripts, ${(bytes / 1e6).toFixed(1)} MB, in ${positionals[0]}`);
}
