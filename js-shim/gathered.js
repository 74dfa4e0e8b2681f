// A request's body as it comes, in memory that goes by its bytes and not by how many parts they come in.

const NO_BLOCK = new Uint8Array(0);

/** Bytes that one look at a body brings at most. */
const PART_BYTES = 64 * 1024;
/** And at first: many may wait for a body that does not come. */
const FIRST_PART_BYTES = 4 * 1024;

/** @param {number} size bytes that have come @returns {number} for how many more there is room made at once */
export const roomAfter = (size) => Math.min(Math.max(size, FIRST_PART_BYTES), PART_BYTES);

/**
 * A body's bytes as they come, in full blocks: a part keeps all the room that was offered for it, however
 * little it brought.
 */
export class Gathered {
  size = 0;
  /** @type {Uint8Array[]} */
  blocks = [];
  /** Room in the last block. */
  left = 0;

  /** @param {Uint8Array} part */
  add(part) {
    for (let at = 0; at < part.byteLength; ) {
      if (this.left === 0) {
        this.left = roomAfter(this.size);
        this.blocks.push(new Uint8Array(this.left));
      }
      const block = this.blocks[this.blocks.length - 1];
      const taken = part.subarray(at, at + this.left);
      block.set(taken, block.byteLength - this.left);
      this.left -= taken.byteLength;
      this.size += taken.byteLength;
      at += taken.byteLength;
    }
  }

  /** The body; gives the blocks away. */
  take() {
    const body = new Uint8Array(this.size);
    let at = 0;
    for (let i = 0; i < this.blocks.length; i += 1) {
      const block = this.blocks[i];
      body.set(block.subarray(0, this.size - at), at);
      at += block.byteLength;
      this.blocks[i] = NO_BLOCK;
    }
    return body;
  }
}
