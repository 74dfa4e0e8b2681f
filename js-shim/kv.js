// An object's storage with what it last read or wrote remembered: a get of SQLite-backed storage costs
// as much as the core's whole turn, and is billed as a row read. Nobody else writes an object's storage,
// and an object whose writes failed is ended together with what is remembered here.

/** Bytes remembered for all objects of an isolate together. */
const REMEMBERED_BYTES_MAX = 4 * 1024 * 1024;
/** A larger value is read anew each time. */
const VALUE_BYTES_MAX = 16 * 1024;
/** What an entry takes beside its name and value, roughly. */
const ENTRY_BYTES = 200;

/** Values by object and key, the least recently used first. @type {Map<string, Uint8Array>} */
const remembered = new Map();
let rememberedBytes = 0;
let objects = 0;

/** @param {string} name @param {Uint8Array} value */
function entryBytes(name, value) {
  return 2 * name.length + value.byteLength + ENTRY_BYTES;
}

/** @param {string} name */
function forget(name) {
  const value = remembered.get(name);
  if (value === undefined) return;
  remembered.delete(name);
  rememberedBytes -= entryBytes(name, value);
}

/** @param {string} name @param {Uint8Array} value */
function remember(name, value) {
  forget(name);
  if (value.byteLength > VALUE_BYTES_MAX) return;
  remembered.set(name, value);
  rememberedBytes += entryBytes(name, value);
  for (const oldest of remembered.keys()) {
    if (rememberedBytes <= REMEMBERED_BYTES_MAX) return;
    forget(oldest);
  }
}

/** The part of ctx.storage.kv that the core uses. Values must not be changed once given or taken. */
export class RememberingKv {
  /** @param {any} kv ctx.storage.kv of one object in one life */
  constructor(kv) {
    this.kv = kv;
    // Of this life: what the object's next life reads may have been written elsewhere.
    objects += 1;
    this.prefix = `${objects} `;
  }

  /** @param {string} key @returns {Uint8Array | undefined} */
  get(key) {
    const name = this.prefix + key;
    const known = remembered.get(name);
    if (known !== undefined) {
      remembered.delete(name);
      remembered.set(name, known);
      return known;
    }
    const value = this.kv.get(key);
    if (value !== undefined) remember(name, value);
    return value;
  }

  /** @param {string} key @param {Uint8Array} value */
  put(key, value) {
    this.kv.put(key, value);
    remember(this.prefix + key, value);
  }

  /** @param {string} key */
  delete(key) {
    forget(this.prefix + key);
    this.kv.delete(key);
  }

  /** @param {object} options */
  list(options) {
    return this.kv.list(options);
  }
}
