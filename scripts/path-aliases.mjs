// Prints the posthog-js option that fits HOGFLARE_PATH_ALIASES.
//
//   npm run path-aliases -- '{"/q1": "/e", "/js": "/static"}'
//
// Without an argument the variable of that name is read.
const text = process.argv[2] ?? process.env.HOGFLARE_PATH_ALIASES ?? "";

function fail(message) {
  console.error(`error: ${message}`);
  process.exit(1);
}

let aliases;
try {
  aliases = JSON.parse(text);
} catch {
  fail(`the aliases must be JSON such as {"/q1": "/e"}, not ${text === "" ? "empty" : text}`);
}
if (aliases === null || typeof aliases !== "object" || Array.isArray(aliases)) fail('the aliases must be an object such as {"/q1": "/e"}');

const trimmed = (path) => path.replace(/\/+$/, "");
const pairs = Object.entries(aliases).map(([alias, target]) => {
  if (typeof target !== "string" || !alias.startsWith("/") || !target.startsWith("/")) fail(`"${alias}": both names must be paths`);
  return [trimmed(target), trimmed(alias)];
});
// The longest path first, so that /i/v0/e is not taken for /i.
pairs.sort(([left], [right]) => right.length - left.length);

console.log(`rewriteRequestPath: (url) => {
  for (const [path, alias] of ${JSON.stringify(pairs)}) {
    const at = url.pathname.lastIndexOf(path + "/");
    const rest = at < 0 ? "" : url.pathname.slice(at + path.length);
    if (at >= 0 && (rest === "/" || path === "/static" || path === "/array")) {
      url.pathname = url.pathname.slice(0, at) + alias + rest;
      break;
    }
  }
  return url;
},`);
