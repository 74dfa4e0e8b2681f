// Tables of the documents are complete against the code: routes, reasons, warnings, operators, what the
// edge adds.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { HEAD_CF } from "../../js-shim/abi.js";
import { files, read, tableUnder } from "./tree.mjs";

/** The code spans of a cell. */
const spans = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text);
const sorted = (list) => [...new Set(list)].sort();

describe("routes", () => {
  const code = read("src/wire/routes.cpp");
  const header = read("include/hogflare/routes.h");
  const METHODS = { kGet: ["GET"], kPost: ["POST"], kHead: ["HEAD"], kPut: ["PUT"], kDelete: ["DELETE"] };
  for (const [, name, value] of header.matchAll(/constexpr uint8_t (k\w+) = ([^;]+);/g)) {
    METHODS[name] = value.split("|").flatMap((part) => METHODS[part.trim()]);
  }
  // "…/x" stands for the last whole path of its cell with x as last segment. A hyphen: nothing is served.
  const told = tableUnder("docs/COMPATIBILITY.md", "Endpoints")
    .filter(([, methods]) => methods !== "—")
    .flatMap(([paths, methods]) => {
      let whole = "";
      return spans(paths).flatMap((path) => {
        whole = path.startsWith("…") ? whole.replace(/\/[^/]*$/, path.slice(1)) : path;
        const optional = /^(.*)\[(.*)\]$/.exec(whole);
        return (optional === null ? [whole] : [optional[1], optional[1] + optional[2]]).map((each) => ({
          path: each,
          methods: sorted(methods.split(", ")),
        }));
      });
    });
  const methodsOf = (path) => told.find((route) => route.path === path)?.methods;

  it("without a variable segment are in the table of endpoints with their methods, and no other is", () => {
    const from = header.indexOf("kFixedRoutes[]");
    const fixed = [...header.slice(from, header.indexOf("\n};", from)).matchAll(/\{"([^"]+)",\s*\{RouteKind::\w+, (\w+),/g)];
    assert.ok(fixed.length > 30);
    for (const [, path, methods] of fixed) {
      // GET of a list of surveys is what is told; POST stands in words.
      const want = sorted(METHODS[methods].filter((method) => !(path.endsWith("surveys") && method === "POST")));
      assert.deepEqual(methodsOf(path), want, path);
    }
    const known = new Set(fixed.map(([, path]) => path));
    const plain = told.map(({ path }) => path).filter((path) => !/[{…]/.test(path));
    assert.deepEqual(
      plain.filter((path) => !known.has(path)),
      [],
    );
  });

  it("with one are there too, segment by segment", () => {
    const variable = code.slice(code.indexOf("Route find_question"), code.indexOf("}  // namespace"));
    const words = new Set(
      [...variable.matchAll(/"([^"]*[a-z][^"]*)"/g)].flatMap(([, text]) => text.split("/")).filter((word) => word !== ""),
    );
    assert.ok(words.size > 20, [...words].join(" "));
    const segments = new Set(
      told
        .filter(({ path }) => /[{…]/.test(path))
        .flatMap(({ path }) => path.split("/"))
        .filter((part) => part !== "" && part !== "…" && !part.startsWith("{")),
    );
    assert.deepEqual(
      [...words].filter((word) => !segments.has(word)),
      [],
      "in routes.cpp, not in the table",
    );
    assert.deepEqual(
      [...segments].filter((part) => !words.has(part)),
      [],
      "in the table, not in routes.cpp",
    );
  });
});

describe("reasons", () => {
  it("of rejects are those of result.cpp, in its order, with their statuses", () => {
    const code = read("src/base/result.cpp");
    const inCode = [...code.slice(code.indexOf("kErrors = {{"), code.indexOf("}};")).matchAll(/\{"(\w+)", (\d+), (?:true|false),/g)].map(
      ([, tag, status]) => [tag, status],
    );
    assert.ok(inCode.length > 45);
    const told = tableUnder("docs/SCHEMAS.md", "Reasons")
      .filter((row) => row.length === 3)
      .map(([reason, status]) => [spans(reason)[0], status]);
    assert.deepEqual(told, inCode);
  });

  it("of warnings are all that the code gives", () => {
    const GIVEN =
      /(?:push_back\(\s*\{[^"{}]*|\bwarn\(|NamedWarning\{|return \{|\bappend\(|\brefuse\(index, \{[^{}]*\},\s*|\{"(?:\$anon_distinct_id|alias)", )"([a-z_0-9]+)"/g;
    const given = files("src")
      .filter((path) => /src\/(identity|groups|cookieless)\/|capture_task/.test(path))
      .flatMap((path) => [...read(path).matchAll(GIVEN)].map(([, name]) => name));
    // The one that takes its name from the table of errors.
    assert.match(read("src/cookieless/cookieless_run.cpp"), /error_info\(ErrorCode::kCookielessNoIdentify\)\.tag/);
    given.push("cookieless_stateless_no_identify");
    const told = tableUnder("docs/SCHEMAS.md", "Reasons")
      .filter((row) => row.length === 2)
      .map(([name]) => spans(name)[0]);
    assert.deepEqual(told, sorted(told), "in the order of the alphabet");
    assert.deepEqual(told, sorted(given));
  });
});

describe("operators", () => {
  const names = (path, table) => {
    const code = read(path);
    const from = code.indexOf(`${table} = {{`);
    assert.ok(from > 0, `${table} in ${path}`);
    return [...code.slice(from, code.indexOf("}};", from)).matchAll(/"(\w+)"/g)].map(([, name]) => name);
  };

  it("of PostHog's filters are in docs/FLAGS.md, in the code's order", () => {
    const told = tableUnder("docs/FLAGS.md", "Operators").map(([name]) => spans(name)[0]);
    assert.deepEqual(told, names("src/flags/operators.cpp", "kOperators"));
  });

  it("that match an absent property are the negative ones, and a cohort's", () => {
    const code = read("src/flags/operators.cpp");
    const negative = [...code.slice(code.indexOf("bool is_negative"), code.indexOf("return true;")).matchAll(/Operator::k(\w+):/g)].map(
      ([, name]) => name,
    );
    const byName = Object.fromEntries([...code.matchAll(/\{Operator::k(\w+), "(\w+)"\}/g)].map(([, value, name]) => [value, name]));
    const told = tableUnder("docs/FLAGS.md", "Operators")
      .filter((row) => row[2] === "yes")
      .map(([name]) => spans(name)[0]);
    assert.deepEqual(sorted(told), sorted([...negative.map((value) => byName[value]), "not_in"]));
  });

  it("of the short dialect too", () => {
    const told = tableUnder("docs/FLAGS.md", "The short dialect").map(([name]) => spans(name)[0]);
    const known = names("src/flags/compile_seed.cpp", "kSeedOperators");
    assert.deepEqual(sorted(told.slice(-known.length)), sorted(known));
  });
});

describe("fields of flags", () => {
  it("of the short dialect are those that the compiler reads, and those of PostHog's format exist there", () => {
    const reads = (paths) => new Set(paths.flatMap((path) => [...read(path).matchAll(/"(\w+)"/g)].map(([, name]) => name)));
    const seed = reads(["src/flags/compile_seed.cpp", "src/flags/compiler.cpp"]);
    const posthog = reads(["src/flags/compile_posthog.cpp", "src/flags/compiler.cpp"]);
    const last = (span) => span.split(".").at(-1).replace("[]", "");
    for (const [field] of tableUnder("docs/FLAGS.md", "The short dialect").slice(0, -12)) {
      for (const span of spans(field)) assert.ok(seed.has(last(span)), `short dialect: ${span}`);
    }
    for (const [field] of tableUnder("docs/FLAGS.md", "Fields")) {
      for (const span of spans(field)) assert.ok(posthog.has(last(span)), `PostHog's: ${span}`);
    }
  });
});

describe("what the edge adds", () => {
  it("is in docs/SCHEMAS.md, in the order of rows", () => {
    const code = read("include/hogflare/edge_info.h");
    const fields = [...code.slice(code.indexOf("kEdgeFields = {{")).matchAll(/\{&EdgeInfo::(\w+), "([^"]+)"/g)];
    const names = ["$ip", ...fields.map(([, , name]) => name), "cf_ray"];
    assert.ok(names.length >= 15);
    const told = tableUnder("docs/SCHEMAS.md", "events")
      .filter((row) => row.length === 2)
      .map(([name]) => spans(name)[0]);
    assert.deepEqual(told, names);
    const asked = fields.map(([, member]) => member.replaceAll(/_(.)/g, (_, letter) => letter.toUpperCase()));
    assert.deepEqual(HEAD_CF, asked, "HEAD_CF of js-shim/abi.js and the rows of edge_info.h");
  });
});

describe("the console's API", () => {
  const page = read("docs/CONSOLE.md");

  it("has the routes and methods that docs/CONSOLE.md tells", () => {
    const code = read("src/http/console_task.cpp");
    const inCode = [...code.matchAll(/^ {4}\{"([a-z/]+)", ((?:kGet|kPost|kPut|kDelete)[^,]*), make_/gm)].flatMap(([, path, methods]) =>
      methods.split(" | ").map((method) => `${method.slice(1).toUpperCase()} ${path.replace(/\/$/, "")}`),
    );
    assert.ok(inCode.length > 12);
    const told = [...page.matchAll(/`((?:GET|POST|PUT|DELETE)(?:\|(?:GET|POST|PUT|DELETE))*) \/app\/api\/([a-z/]+)/g)].flatMap(
      ([, methods, path]) => methods.split("|").map((method) => `${method} ${path.replace(/\/$/, "")}`),
    );
    assert.deepEqual(sorted(told), sorted(inCode));
  });

  it("gives codes that docs/CONSOLE.md tells", () => {
    const given = files("src/http")
      .filter((path) => path.includes("/console_"))
      .flatMap((path) => [...read(path).matchAll(/(?:refuse\(|\{)(\d{3}), "([a-z_]+)"/g)].map(([, , code]) => code));
    assert.ok(given.length > 30);
    assert.deepEqual(
      sorted(given).filter((code) => !page.includes(`\`${code}\``)),
      [],
    );
  });
});

describe("the API for questions", () => {
  it("has the error codes of docs/API.md and no others", () => {
    const given = ["asking", "asking_task", "question_run", "query_task", "list_task"].flatMap((name) =>
      [
        ...read(`src/http/${name}.cpp`).matchAll(/\.code = (?:[\w.()]+ \? "([a-z_]+)" : )?"([a-z_]+)"|return \{\.code = "([a-z_]+)"/g),
      ].flatMap((match) => match.slice(1).filter(Boolean)),
    );
    const told = tableUnder("docs/API.md", "Errors").flatMap(([, codes]) => spans(codes));
    assert.deepEqual(sorted(told), sorted(given));
  });
});
