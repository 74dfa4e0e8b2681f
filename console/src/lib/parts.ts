import type { Refused } from "./session";

/**
 * Asks about all of them in parts of `most`, and of half as many where the Worker calls a part too much work;
 * with `least` that is the answer.
 */
export async function inParts<T, Answer>(
  all: T[],
  [least, most]: [number, number],
  ask: (part: T[]) => Promise<Answer>,
  take: (answer: Answer) => void,
): Promise<void> {
  for (let at = 0, size = most; at < all.length; ) {
    const part = all.slice(at, at + size);
    try {
      take(await ask(part));
      at += part.length;
    } catch (fault) {
      if ((fault as Refused).code !== "too_much_work" || part.length <= least) throw fault;
      size = Math.max(least, part.length >> 1);
    }
  }
}
