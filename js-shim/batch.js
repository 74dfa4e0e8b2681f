// Several questions in one request: each is a request of its own to the core; their answers are lines of
// JSON, in the order they come.

/** Questions under way at once, of the six connections that a request may wait for. */
const AT_ONCE = 2;
/** So often an empty line says that the Worker is there, and finds out whether somebody still reads. */
const PULSE_MS = 1_000;
const LINE_FEED = 0x0a;
const SPACE = 0x20;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

const PULSE = { index: -1, line: encoder.encode("\n") };

/** The requests' bodies that the core's answer to a batch holds. @param {Uint8Array} body */
export function requestsIn(body) {
  return decoder.decode(body).split("\0").slice(0, -1);
}

/**
 * {"index", "status", "answer" or "error"}; JSON has line feeds between its parts only.
 * @param {number} index
 * @param {{status: number, body: Uint8Array}} output
 */
function lineOf(index, { status, body }) {
  const head = encoder.encode(`{"index":${index},"status":${status},"${status === 200 ? "answer" : "error"}":`);
  const line = new Uint8Array(head.byteLength + body.byteLength + 2);
  line.set(head);
  line.set(body, head.byteLength);
  for (let at = line.indexOf(LINE_FEED); at >= 0; at = line.indexOf(LINE_FEED, at)) line[at] = SPACE;
  line.set([0x7d, LINE_FEED], line.byteLength - 2);
  return line;
}

/**
 * Answers requests as lines; nothing further is begun than is read, and nothing at all once nobody reads.
 * @param {string[]} requests
 * @param {(body: string) => Promise<{status: number, body: Uint8Array}>} answer
 * @param {() => void} onLeft the reader is gone
 */
export function linesOf(requests, answer, onLeft) {
  /** @type {Map<number, Promise<{index: number, line: Uint8Array}>>} */
  const open = new Map();
  let next = 0;
  let isLeft = false;
  const begin = (index) =>
    open.set(
      index,
      answer(requests[index]).then((output) => ({ index, line: lineOf(index, output) })),
    );
  return new ReadableStream({
    async pull(controller) {
      while (open.size < AT_ONCE && next < requests.length) begin(next++);
      let timer;
      const pulse = new Promise((resolve) => (timer = setTimeout(() => resolve(PULSE), PULSE_MS)));
      const { index, line } = await Promise.race([...open.values(), pulse]);
      clearTimeout(timer);
      open.delete(index);
      if (isLeft) return;
      controller.enqueue(line);
      if (open.size === 0 && next === requests.length) controller.close();
    },
    cancel() {
      isLeft = true;
      onLeft();
    },
  });
}
