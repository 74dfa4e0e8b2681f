// What documents, comments and messages point to is there: links and their anchors, paths, npm scripts,
// commands of hogflare, variables, and headings that are named.
import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, it } from "node:test";
import { anchors, at, comments, documents, files, prose, read, ROOT, sources } from "./tree.mjs";

const all = files("", { data: true });
const exists = (path) => existsSync(join(ROOT, path));

/** Comments as one text each, with their places; lines joined by blanks. */
const remarks = sources().flatMap((path) =>
  comments(path).map(({ line, text }) => ({ place: `${path}:${line}`, folder: dirname(path), text: text.replaceAll("\n", " ") })),
);
/** Lines of documents, code blocks included. */
const lines = documents().flatMap((path) =>
  read(path)
    .split("\n")
    .map((text, index) => ({ place: `${path}:${index + 1}`, folder: dirname(path), text })),
);
/** Literals of the code that people read: messages of the core, the command, the console and scripts. */
const messages = sources()
  .filter((path) => /^(src|include|cli|console|js-shim|scripts|bin)\//.test(path))
  .flatMap((path) =>
    read(path)
      .split("\n")
      .flatMap((line, index) =>
        [...line.matchAll(/"((?:[^"\\]|\\.)*)"|`([^`]*)`|>([^<>{}]+)</g)].map(([, double, back, text]) => ({
          place: `${path}:${index + 1}`,
          folder: dirname(path),
          text: double ?? back ?? text,
        })),
      ),
  );

describe("links of documents", () => {
  const links = documents().flatMap((path) =>
    [...prose(path).matchAll(/\[[^\]]*\]\(([^)\s]+)\)/g)].map(({ 1: target, index }) => ({
      path,
      target,
      place: at(path, prose(path), index),
    })),
  );

  it("lead to files that are there", () => {
    assert.ok(links.length > 100, `${links.length}`);
    const broken = links
      .filter(({ target }) => !/^[a-z]+:/.test(target) && !target.startsWith("#"))
      .filter(({ path, target }) => !exists(normalize(join(dirname(path), decodeURI(target.split("#")[0])))));
    assert.deepEqual(
      broken.map(({ place, target }) => `${place}: ${target}`),
      [],
    );
  });

  it("lead to headings that are there", () => {
    const headings = new Map();
    const broken = links
      .filter(({ target }) => /^[^:]*#/.test(target))
      .filter(({ path, target }) => {
        const [file, anchor] = target.split("#");
        const page = file === "" ? path : normalize(join(dirname(path), file));
        if (!page.endsWith(".md") || !exists(page)) return false;
        if (!headings.has(page)) headings.set(page, new Set(anchors(page)));
        return !headings.get(page).has(anchor);
      });
    assert.deepEqual(
      broken.map(({ place, target }) => `${place}: ${target}`),
      [],
    );
  });

  it("reach every document from README.md", () => {
    const reached = new Set(["README.md"]);
    for (const page of reached) {
      for (const { path, target } of links) {
        if (path !== page || /^[a-z]+:/.test(target)) continue;
        const next = normalize(join(dirname(path), target.split("#")[0]));
        if (next.endsWith(".md") && exists(next)) reached.add(next);
      }
    }
    // Those beside what they describe; and those that GitHub shows by their names.
    const apart = (path) => !path.startsWith("docs/") || path === "docs/adr";
    assert.deepEqual(
      documents().filter((path) => !apart(path) && !reached.has(path)),
      [],
    );
  });
});

describe("paths", () => {
  const TOP = [...new Set(all.map((path) => path.split("/")[0]))].filter((name) => statSync(join(ROOT, name)).isDirectory());
  const PATH = new RegExp(`(?<![\\w./@-])(?:${TOP.map((name) => name.replaceAll(".", "\\.")).join("|")})/[\\w./{},*-]*[\\w/}*]`, "g");
  /** What commands write, keys of documents, and paths of other repositories. */
  const NOT_OURS = [/^sql\/tables\.sql$/, /^console\/TEAM\//, /^(?:src|cli)\/.*\.(?:rs|go)$/];
  const spread = (path) => {
    const braces = /^(.*)\{([^}]*)\}(.*)$/.exec(path);
    return braces === null ? [path] : braces[2].split(",").flatMap((each) => spread(braces[1] + each + braces[3]));
  };
  const resolves = (path) => {
    const plain = path.replace(/[.,]$/, "");
    if (plain.includes("*")) {
      const pattern = new RegExp(
        `^${plain.replaceAll(/[.+]/g, "\\$&").replaceAll("**", "\0").replaceAll("*", "[^/]*").replaceAll("\0", ".*")}`,
      );
      return all.some((file) => pattern.test(file));
    }
    // A module by its name, as in src/flags/compile_{rules,posthog}.
    return exists(plain) || exists(plain.replace(/\/$/, "")) || all.some((file) => file.startsWith(`${plain}.`));
  };
  /** Source paths of PostHog stand behind its name. */
  const isForeign = (text, index) =>
    /(?:PostHog(?:'s)?|posthog-\w+|cloudflare\/[\w-]+|sidequery\/hogflare|PostHog\/\w[\w-]*|re2|rust\/[\w/{},.-]*)[:\s(`]*[^.;]{0,60}$/.test(
      text.slice(0, index),
    );

  const check = (things) =>
    things.flatMap(({ place, text }) =>
      [...text.matchAll(PATH)]
        .filter(({ 0: path, index }) => !isForeign(text, index) && !NOT_OURS.some((pattern) => pattern.test(path)))
        .flatMap(({ 0: path }) =>
          spread(path)
            .filter((each) => !resolves(each))
            .map((each) => `${place}: ${each}`),
        ),
    );

  it("in documents are there", () => {
    assert.deepEqual(check(lines.filter(({ place }) => !place.startsWith("docs/rules/"))), []);
  });

  it("in comments are there", () => {
    assert.ok(remarks.length > 3000, `${remarks.length}`);
    assert.deepEqual(check(remarks), []);
  });

  it("in messages are there", () => {
    assert.deepEqual(check(messages.filter(({ text }) => /\s|\.md/.test(text))), []);
  });

  it("of headers in comments are there, from where the compiler looks", () => {
    const broken = remarks.flatMap(({ place, folder, text }) =>
      [...text.matchAll(/(?<![\w/.@:<-])((?:[a-z]\w*\/)+\w+\.(?:h|cpp))\b/g)]
        .filter(
          ({ 1: path, index }) =>
            !isForeign(text, index) && !["", "include/", "src/", "tests/", `${folder}/`].some((start) => exists(start + path)),
        )
        .map(({ 1: path }) => `${place}: ${path}`),
    );
    assert.deepEqual(broken, []);
  });

  it("of documents that are named without a folder are documents", () => {
    const names = new Set(documents().map((path) => path.split("/").at(-1)));
    const broken = [...remarks, ...lines, ...messages].flatMap(({ place, text }) =>
      [...text.matchAll(/(?<![\w/.-])([A-Z][A-Za-z_-]*\.md)\b/g)]
        .filter(({ 1: name }) => !names.has(name))
        .map(({ 1: name }) => `${place}: ${name}`),
    );
    assert.deepEqual(broken, []);
  });

  it("of sources that are named without a folder are sources", () => {
    const names = new Set([...all.map((path) => path.split("/").at(-1)), "platform_limits.h", "zlib.h"]);
    const broken = remarks
      .filter(({ place }) => !/^tests\/(vectors|docs)/.test(place))
      .flatMap(({ place, text }) =>
        [...text.matchAll(/(?<![\w/.<-])([a-z]\w+\.(?:h|cpp|mjs))\b/g)]
          .filter(({ 1: name }) => !names.has(name))
          .map(({ 1: name }) => `${place}: ${name}`),
      );
    assert.deepEqual(broken, []);
  });
});

describe("headings", () => {
  it("that are named in quotes behind a document are there", () => {
    let seen = 0;
    const broken = [...remarks, ...lines, ...messages].flatMap(({ place, text }) =>
      [...text.matchAll(/\b((?:docs\/)?[A-Z]+[A-Za-z-]*(?:\.md)?)(?:'s|,) \\?["“]([A-Z][^"”\\]+)/g)].flatMap(([, name, heading]) => {
        const page = documents().find(
          (path) => path === name || path.split("/").at(-1).replace(".md", "") === name.replace(/^docs\//, "").replace(".md", ""),
        );
        if (page === undefined) return [];
        ++seen;
        return prose(page)
          .split("\n")
          .some((line) => /^#/.test(line) && line.replace(/^#+ /, "") === heading.replace(/[.,]$/, ""))
          ? []
          : [`${place}: ${name} has no "${heading}"`];
      }),
    );
    assert.deepEqual(broken, []);
    assert.ok(seen > 0);
  });
});

describe("commands", () => {
  const everything = [...lines, ...remarks, ...messages];

  it("of npm are scripts of package.json", () => {
    const { scripts } = JSON.parse(read("package.json"));
    const told = everything.flatMap(({ place, text }) =>
      [...text.matchAll(/\bnpm run (?:-s )?(?!the )([a-z][a-z:-]*)/g)].map(([, name]) => ({ place, name })),
    );
    assert.ok(told.length > 10);
    assert.deepEqual(
      told.filter(({ name }) => !Object.hasOwn(scripts, name)).map(({ place, name }) => `${place}: npm run ${name}`),
      [],
    );
    for (const [name, command] of Object.entries(scripts)) {
      for (const path of command.match(/\b(?:scripts|bin)\/[\w.-]+/g) ?? []) assert.ok(exists(path), `${name}: ${path}`);
    }
  });

  it("of hogflare are those it has", () => {
    const registered = readdirSync(join(ROOT, "cli/commands")).flatMap((file) => [
      ...read(`cli/commands/${file}`).matchAll(/\b(program|flags)\s*\.command\("(\w+)"\)/g),
    ]);
    const verbs = new Set(registered.filter(([, parent]) => parent === "program").map(([, , name]) => name));
    const ofFlags = new Set(registered.filter(([, parent]) => parent === "flags").map(([, , name]) => name));
    assert.ok(verbs.size > 8 && ofFlags.size > 3);
    const COMMAND = /(?:npx |bin\/|`|"|\$ )hogflare ((?!<)[a-z]\w*)(?: ([a-z]\w*))?/g;
    const told = everything.flatMap(({ place, text }) => [...text.matchAll(COMMAND)].map(([, verb, second]) => ({ place, verb, second })));
    assert.ok(told.length > 40, `${told.length}`);
    const broken = told.filter(
      ({ verb, second }) => !verbs.has(verb) || (verb === "flags" && second !== undefined && !ofFlags.has(second)),
    );
    assert.deepEqual(
      broken.map(({ place, verb, second = "" }) => `${place}: hogflare ${verb} ${second}`),
      [],
    );
    const manual = new Set(told.filter(({ place }) => place.includes(".md")).map(({ verb }) => verb));
    assert.deepEqual(
      [...verbs].filter((verb) => !manual.has(verb)),
      [],
      "in no document",
    );
  });

  it("of scripts/test are its suites", () => {
    const suites = new Set(/^SUITES=\(([^)]*)\)/m.exec(read("scripts/test"))[1].split(" "));
    const broken = [...lines, ...remarks].flatMap(({ place, text }) =>
      [...text.matchAll(/`scripts\/test ([^`]*)`/g)].flatMap(([, names]) =>
        names
          .split(" ")
          .filter((name) => /^\w/.test(name) && !suites.has(name))
          .map((name) => `${place}: ${name}`),
      ),
    );
    assert.deepEqual(broken, []);
  });
});

describe("variables", () => {
  it("that anybody names are read somewhere", () => {
    const code = sources().map(read);
    const NAME = /\b(?:HOGFLARE|POSTHOG|CLOUDFLARE|FAKE)_[A-Z][A-Z0-9_]*[A-Z0-9]\b(?!_)/g;
    const quoted = new Set(
      code.flatMap((text) => [...text.matchAll(/["'`.${]((?:HOGFLARE|POSTHOG|CLOUDFLARE|FAKE)_[A-Z0-9_]+)/g)].map(([, name]) => name)),
    );
    // POSTHOG_CLI_… are posthog-cli's own.
    const broken = [...lines, ...remarks, ...messages].flatMap(({ place, text }) =>
      [...text.matchAll(NAME)]
        .filter(([name]) => !quoted.has(name) && !name.startsWith("POSTHOG_CLI_"))
        .map(([name]) => `${place}: ${name}`),
    );
    assert.deepEqual(broken, []);
    assert.ok(quoted.size > 50);
  });
});

describe("what an operator sees", () => {
  const docs = lines.filter(({ place }) => place.startsWith("docs/") || place.startsWith("README.md"));

  it("metrics that documents name are metrics", () => {
    // The shim adds one of its own.
    const families = new Set(
      [...(read("src/metrics/metrics.cpp") + read("js-shim/rate_limit.js")).matchAll(/"(hogflare_\w+)"/g)].map(([, name]) => name),
    );
    assert.ok(families.size > 30);
    // hogflare_events_v1 and its kind are tables.
    const told = docs.flatMap(({ place, text }) => [...text.matchAll(/`(hogflare_[a-z_]+)(?=[`{])/g)].map(([, name]) => ({ place, name })));
    assert.ok(told.length > 10);
    assert.deepEqual(
      told.filter(({ name }) => !families.has(name)).map(({ place, name }) => `${place}: ${name}`),
      [],
    );
  });

  it("lines of the log that documents name are written", () => {
    const code = sources()
      .filter((path) => /^(src|js-shim)\//.test(path))
      .map(read)
      .join("\n");
    const told = docs.flatMap(({ place, text }) => [...text.matchAll(/\blog(?: line)? `([a-z_]+)`/g)].map(([, name]) => ({ place, name })));
    assert.ok(told.length > 4);
    assert.deepEqual(
      told.filter(({ name }) => !code.includes(`"${name}"`)).map(({ place, name }) => `${place}: ${name}`),
      [],
    );
  });
});
