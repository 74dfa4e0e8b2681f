// Stages the package's files in build/package and packs them with npm; scripts/package is its front.
//
// The folder is laid out as the tree is, so that no import inside has to be rewritten. npm packs
// deterministically: sorted, with fixed times and owners.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundle, packagesIn } from "../../console/build.mjs";

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
const STAGE = join(ROOT, "build/package");
const OUT = join(ROOT, "dist");
const CACHE = process.env.HOGFLARE_CACHE ?? join(process.env.HOME ?? "/root", ".cache/hogflare");

/** What an operator needs, from the root of the tree. */
const FILES = [
  "bin",
  "cli",
  "js-shim",
  "schemas",
  "sql",
  "replay",
  "flags.json",
  "LICENSE",
  "NOTICE",
  "build/wasm/core.wasm",
  "build/console",
  "scripts/lib/assets.mjs",
  "scripts/lib/core-tool.mjs",
  "scripts/flags-check.mjs",
  "scripts/flags-eval.mjs",
  "scripts/path-aliases.mjs",
  "scripts/replay.mjs",
  "scripts/lib/sql.mjs",
  "scripts/sql.mjs",
];

/** C++ libraries inside core.wasm: manifest name, licence (SPDX) and where its text is. */
const LIBRARIES = [
  { name: "json", title: "nlohmann/json", license: "MIT", purl: "pkg:github/nlohmann/json", text: "*/LICENSE.MIT" },
  { name: "fmt", title: "{fmt}", license: "MIT", purl: "pkg:github/fmtlib/fmt", text: "*/LICENSE.rst" },
  { name: "re2", title: "RE2", license: "BSD-3-Clause", purl: "pkg:npm/re2", text: "package/vendor/LICENSE" },
  { name: "zlib", title: "zlib", license: "Zlib", purl: "pkg:github/madler/zlib", text: "*/LICENSE" },
  { name: "openssl", title: "OpenSSL libcrypto", license: "Apache-2.0", purl: "pkg:github/openssl/openssl", text: "openssl-*/LICENSE.txt" },
];

/** Parts of the toolchain that end up in the module, with Debian's copyright files. */
const RUNTIME = [
  { title: "musl (Emscripten's C library)", license: "MIT", file: "/usr/share/emscripten/system/lib/libc/musl/COPYRIGHT" },
  {
    title: "Emscripten, libc++ and compiler-rt",
    license: "MIT OR Apache-2.0 WITH LLVM-exception",
    file: "/usr/share/doc/emscripten/copyright",
  },
];

const read = (path) => readFileSync(join(ROOT, path), "utf8");
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("hex");
const write = (path, text) => writeFileSync(join(STAGE, path), text);
const json = (value) => `${JSON.stringify(value, null, 2)}\n`;

/** The manifest's first line for a library whose archive is in the cache. */
function archiveOf(name) {
  for (const line of read("third_party/manifest").split("\n")) {
    const [library, version, , , sum] = line.trim().split(/\s+/);
    if (library === name && existsSync(join(CACHE, "archives", sum))) return { version, sum, path: join(CACHE, "archives", sum) };
  }
  throw new Error(`no archive of ${name} in the cache: run scripts/setup wasm`);
}

function licenceText(archive, pattern) {
  return execFileSync("tar", ["-xOf", archive, "--wildcards", "--no-wildcards-match-slash", pattern], {
    encoding: "utf8",
    maxBuffer: 1 << 24,
  });
}

/** What esbuild put into the console and the player: name, version, terms and their text. @param {string[]} folders */
function bundledPackages(folders) {
  return folders.map((folder) => {
    const { name, version, license, repository, author } = JSON.parse(read(`${folder}/package.json`));
    if (license === undefined) throw new Error(`${folder} does not say under which terms it is`);
    const file = readdirSync(join(ROOT, folder)).find((each) => /^(licen[cs]e|copying)/i.test(each));
    // Some packages name their terms and leave the text to their repository.
    const whose = [author?.name ?? author, repository?.url ?? repository].filter(Boolean).join(", ");
    return { folder, name, version, license, text: file === undefined ? `${license}; ${whose}` : read(`${folder}/${file}`).trim() };
  });
}

function thirdPartyLicences(bundled) {
  const parts = ["What is inside core.wasm, the console and the player of recordings, and under which terms."];
  for (const library of LIBRARIES) {
    const { version, path } = archiveOf(library.name);
    parts.push(`${library.title} ${version} (${library.license})\n\n${licenceText(path, library.text).trim()}`);
  }
  for (const { title, license, file } of RUNTIME) {
    if (existsSync(file)) parts.push(`${title} (${license})\n\n${readFileSync(file, "utf8").trim()}`);
  }
  for (const { name, version, license, text } of bundled) parts.push(`${name} ${version} (${license})\n\n${text}`);
  return `${parts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`;
}

/** npm packages that come with the package, from the lock file: its dependencies and theirs, and what is bundled. */
function npmPackages(bundled) {
  const { packages } = JSON.parse(read("package-lock.json"));
  const inside = new Set(bundled.map(({ folder }) => folder));
  return (
    Object.entries(packages)
      .filter(([path, entry]) => path !== "" && ((!entry.dev && !entry.devOptional) || inside.has(path)))
      .map(([path, entry]) => ({ name: path.slice(path.lastIndexOf("node_modules/") + 13), ...entry }))
      .sort((left, right) => (left.name < right.name ? -1 : 1))
      // One release may lie in several places.
      .filter(({ name, version }, i, all) => all.findIndex((each) => each.name === name && each.version === version) === i)
  );
}

/** CycloneDX 1.5, without a time or a serial number: the same commit has the same list. */
function sbom(version, wasm, bundled) {
  const components = [
    ...LIBRARIES.map(({ name, title, license, purl }) => {
      const { version: of, sum } = archiveOf(name);
      return {
        type: "library",
        "bom-ref": `${purl}@${of}`,
        name: title,
        version: of,
        purl: `${purl}@${of}`,
        licenses: [{ license: { id: license } }],
        hashes: [{ alg: "SHA-256", content: sum }],
      };
    }),
    ...npmPackages(bundled).map(({ name, version: of, license, integrity }) => ({
      type: "library",
      "bom-ref": `pkg:npm/${name.replace("@", "%40")}@${of}`,
      name,
      version: of,
      purl: `pkg:npm/${name.replace("@", "%40")}@${of}`,
      ...(license === undefined ? {} : { licenses: [{ expression: license }] }),
      ...(integrity === undefined
        ? {}
        : { hashes: [{ alg: "SHA-512", content: Buffer.from(integrity.replace("sha512-", ""), "base64").toString("hex") }] }),
    })),
  ];
  return {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: {
      component: {
        type: "application",
        "bom-ref": `pkg:npm/hogflare@${version}`,
        name: "hogflare",
        version,
        purl: `pkg:npm/hogflare@${version}`,
        licenses: [{ license: { id: "Apache-2.0" } }],
        hashes: [{ alg: "SHA-256", content: wasm }],
      },
    },
    components,
    dependencies: [{ ref: `pkg:npm/hogflare@${version}`, dependsOn: components.map((each) => each["bom-ref"]) }],
  };
}

function packageJson(source) {
  return {
    name: source.name,
    version: source.version,
    description: "PostHog-compatible ingestion, feature flags and analytics on Cloudflare Workers",
    license: source.license,
    type: "module",
    engines: source.engines,
    bin: { hogflare: "bin/hogflare" },
    exports: {
      ".": "./js-shim/worker.js",
      "./core.wasm": "./build/wasm/core.wasm",
      "./core.wasm.sha256": "./build/wasm/core.wasm.sha256",
      "./schemas/*": "./schemas/*",
      "./sql/*": "./sql/*",
      "./assets": "./scripts/lib/assets.mjs",
      "./package.json": "./package.json",
    },
    scripts: Object.fromEntries(Object.entries(source.scripts).filter(([, command]) => FILES.some((file) => command.includes(file)))),
    dependencies: source.dependencies,
  };
}

/** wrangler.toml.example for a project that has the package installed: nothing is built there. */
function wranglerExample() {
  return read("wrangler.toml.example")
    .replace('main = "js-shim/worker.js"', 'main = "node_modules/hogflare/js-shim/worker.js"')
    .replace(
      "fill in the endpoint or the\n# stream binding, `scripts/build worker`, then",
      "fill in the endpoint or the\n# stream binding, `node node_modules/hogflare/scripts/lib/assets.mjs assets`, then",
    )
    .replace('directory = "build/assets"', 'directory = "assets"');
}

const source = JSON.parse(read("package.json"));
rmSync(STAGE, { recursive: true, force: true });
mkdirSync(STAGE, { recursive: true });
for (const file of FILES) {
  if (existsSync(join(ROOT, file))) cpSync(join(ROOT, file), join(STAGE, file), { recursive: true });
}
const wasm = sha256(readFileSync(join(STAGE, "build/wasm/core.wasm")));
// esbuild is the tree's, not the package's: the player comes made.
const player = await build({
  entryPoints: [join(ROOT, "replay/player.js")],
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  metafile: true,
  absWorkingDir: ROOT,
  logLevel: "error",
});
const bundled = bundledPackages([...new Set([...(await bundle()).packages, ...packagesIn([player.metafile])])].sort());
write("replay/player.bundle.js", player.outputFiles[0].text.replaceAll("</script", "<\\/script"));
write("build/wasm/core.wasm.sha256", `${wasm}  core.wasm\n`);
write("package.json", json(packageJson(source)));
write("THIRD_PARTY_LICENSES", thirdPartyLicences(bundled));
write("sbom.cdx.json", json(sbom(source.version, wasm, bundled)));
write("wrangler.toml.example", wranglerExample());
write("README.md", read("package/README.md"));
mkdirSync(OUT, { recursive: true });
for (const old of readdirSync(OUT)) if (/^hogflare-.*\.tgz$/.test(old)) rmSync(join(OUT, old));
execFileSync("npm", ["pack", "--silent", "--pack-destination", OUT], { cwd: STAGE, stdio: ["ignore", "ignore", "inherit"] });
const tarball = join(OUT, `hogflare-${source.version}.tgz`);
const bytes = readFileSync(tarball);
console.log(`${tarball.slice(ROOT.length + 1)}: ${(bytes.length / 1e6).toFixed(2)} MB, SHA-256 ${sha256(bytes)}`);
