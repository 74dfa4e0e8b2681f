// What a function of minified code was called by its author. A frame names the function it stands in by the
// minified name; a map names tokens. So the function's own token is looked for in the minified text, around the
// frame's place, and traced: the map's `names` say what it was, or the source does at the place it leads to.
import { originalPositionFor, sourceContentFor, type TraceMap } from "@jridgewell/trace-mapping";

/** Characters looked through for one frame: a bundle may have many megabytes. */
const LOOKED_THROUGH_MAX = 2_000_000;
const WORDS_BEFORE_REGEX = /(?:^|[(,=:[!&|?{};+\-*%~^<>\n]|\b(?:return|typeof|case|in|of|delete|void|throw|new|do|else))$/;

/** The place right after a quoted text, template, comment or pattern that begins at `at`; `at` where none does. */
function past(text: string, at: number): number {
  const first = text[at]!;
  if (first === '"' || first === "'") {
    let end = at + 1;
    while (end < text.length && text[end] !== first) end += text[end] === "\\" ? 2 : 1;
    return end + 1;
  }
  if (first === "`") {
    let end = at + 1;
    while (end < text.length && text[end] !== "`") {
      if (text[end] === "\\") end += 2;
      else if (text.startsWith("${", end)) end = closing(text, end + 1, text.length) + 1;
      else end += 1;
    }
    return end + 1;
  }
  if (first !== "/") return at;
  if (text[at + 1] === "/" || text[at + 1] === "*") {
    const end = text[at + 1] === "/" ? text.indexOf("\n", at) : text.indexOf("*/", at + 2) + 1;
    return end <= at ? text.length : end + 1;
  }
  if (!WORDS_BEFORE_REGEX.test(text.slice(Math.max(0, at - 12), at).trimEnd())) return at;
  let end = at + 1;
  let isClass = false;
  while (end < text.length && text[end] !== "\n" && (isClass || text[end] !== "/")) {
    if (text[end] === "[") isClass = true;
    if (text[end] === "]") isClass = false;
    end += text[end] === "\\" ? 2 : 1;
  }
  return end + 1;
}

/** Where the bracket that opens at `at` closes; `until` when it does not before. */
function closing(text: string, at: number, until: number): number {
  let depth = 0;
  for (let i = at; i < until; ) {
    const next = past(text, i);
    if (next > i) {
      i = next;
      continue;
    }
    if ("([{".includes(text[i]!)) depth += 1;
    if (")]}".includes(text[i]!) && --depth === 0) return i;
    i += 1;
  }
  return until;
}

/** Whether the function whose parameters or body begin at `from` goes on at `place`. */
function reaches(text: string, from: number, place: number): boolean {
  for (let i = from; i < place; ) {
    const next = past(text, i);
    if (next > i) {
      if (next > place) return true;
      i = next;
      continue;
    }
    if ("([{".includes(text[i]!)) {
      const end = closing(text, i, place);
      if (end >= place) return true;
      // The body's end; parameters are followed by it.
      if (text[i] === "{") return false;
      i = end + 1;
      continue;
    }
    // An arrow without a body in braces ends with its expression.
    if (",;)]}".includes(text[i]!)) return false;
    i += 1;
  }
  return true;
}

const offsetOf = (text: string, line: number, column: number): number => {
  let start = 0;
  for (let i = 1; i < line; i += 1) {
    start = text.indexOf("\n", start) + 1;
    if (start === 0) return -1;
  }
  return start + column;
};

/** The name that the token at an offset had; undefined where the map does not lead to one. */
function tracedName(map: TraceMap, text: string, offset: number): string | undefined {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  let line = 1;
  for (let at = text.indexOf("\n"); at >= 0 && at < start; at = text.indexOf("\n", at + 1)) line += 1;
  const place = originalPositionFor(map, { line, column: offset - start });
  if (place.source === null) return undefined;
  if (place.name !== null) return place.name;
  const written = sourceContentFor(map, place.source)?.split("\n")[place.line - 1]?.slice(place.column);
  return /^(?:(?:export|default|async|function|const|let|var)\b[\s*]*)*([\p{L}\p{N}_$]+)/u.exec(written ?? "")?.[1];
}

/**
 * @param name as the stack has it, with what its object or kind is called: "async r", "Object.pay", "new e"
 * @param line, column the frame's place in the minified text: from 1, from 0
 */
export function sourceName(map: TraceMap, text: string, name: string, line: number, column: number): string | undefined {
  const short = /([\p{L}\p{N}_$]+)(?: \[as [^\]]+\])?$/u.exec(name)?.[1];
  const place = offsetOf(text, line, column);
  if (short === undefined || place < 0) return undefined;
  const begin = Math.max(0, place - LOOKED_THROUGH_MAX);
  const id = short.replaceAll("$", "\\$");
  const declared = new RegExp(
    `\\bfunction\\s*\\*?\\s*(${id})(?=\\s*\\()|(?<![\\w$.])(${id})\\s*[=:]\\s*(?=(?:async\\b\\s*)?(?:function\\b|\\(|[\\w$]+\\s*=>))`,
    "gd",
  );
  const found = [...text.slice(begin, place).matchAll(declared)].reverse();
  let left = LOOKED_THROUGH_MAX;
  for (const match of found) {
    const [at] = (match as RegExpExecArray & { indices: [number, number][] }).indices[match[1] === undefined ? 2 : 1]!;
    const from = begin + match.index + match[0].length;
    left -= place - from;
    if (left < 0) return undefined;
    if (reaches(text, from, place)) return tracedName(map, text, begin + at);
  }
  return undefined;
}
