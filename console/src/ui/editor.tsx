// An editor by hand: a textarea over the same text in colours, so that the platform edits.
import { useEffect, useRef } from "preact/hooks";

type Token = [string, string];
const RULES: Record<"sql" | "json", RegExp> = {
  sql: /(--[^\n]*|\/\*[\s\S]*?\*\/)|('(?:[^']|'')*'?)|(\b\d+(?:\.\d+)?\b)|(\b(?:select|from|where|group|by|order|limit|join|left|right|inner|outer|full|cross|on|as|and|or|not|in|is|null|case|when|then|else|end|with|having|union|all|distinct|between|like|ilike|asc|desc|cast|over|partition|interval|true|false|count|sum|avg|min|max)\b)/gi,
  json: /(\/\/[^\n]*)|("(?:[^"\\]|\\.)*"?)|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|(\b(?:true|false|null)\b)/g,
};
const CLASSES = ["c", "s", "n", "k"];

export function tokens(text: string, language: "sql" | "json"): Token[] {
  const out: Token[] = [];
  let at = 0;
  for (const match of text.matchAll(RULES[language])) {
    if (match.index > at) out.push(["", text.slice(at, match.index)]);
    const kind = match.slice(1).findIndex((part) => part !== undefined);
    let cls = CLASSES[kind] ?? "";
    // A key of an object is no value.
    if (language === "json" && cls === "s" && /^\s*:/.test(text.slice(match.index + match[0].length, match.index + match[0].length + 8)))
      cls = "k";
    out.push([cls, match[0]]);
    at = match.index + match[0].length;
  }
  if (at < text.length) out.push(["", text.slice(at)]);
  return out;
}

const COLOURED_BYTES_MAX = 200_000;

export function Editor({
  value,
  onInput,
  language,
  label,
  onRun,
  readOnly = false,
  area,
}: {
  value: string;
  onInput: (text: string) => void;
  language: "sql" | "json";
  label: string;
  onRun?: (selection: string) => void;
  readOnly?: boolean;
  area?: { current: HTMLTextAreaElement | null };
}) {
  const own = useRef<HTMLTextAreaElement>(null);
  useEffect(() => {
    if (area !== undefined) area.current = own.current;
  }, []);
  return (
    <div class="editor">
      <pre aria-hidden="true">
        {value.length > COLOURED_BYTES_MAX
          ? value
          : tokens(value, language).map(([cls, text], i) =>
              cls === "" ? (
                text
              ) : (
                <span key={i} class={cls}>
                  {text}
                </span>
              ),
            )}
        {"\n"}
      </pre>
      <textarea
        ref={own}
        aria-label={label}
        spellcheck={false}
        autocapitalize="off"
        autocomplete="off"
        readOnly={readOnly}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
        onKeyDown={(event) => {
          if ((event.ctrlKey || event.metaKey) && event.key === "Enter" && onRun !== undefined) {
            event.preventDefault();
            const at = event.currentTarget;
            onRun(at.value.slice(at.selectionStart, at.selectionEnd));
          }
        }}
      />
    </div>
  );
}
