// The built module behind the real js-shim/core.js, in this process, with a host that performs
// effects at once: objects run in the same core over storage in memory, the sink takes everything.
//
//   const core = await loadCore();
//   core.configure({ POSTHOG_TEAM_ID: "1" });
//   const { status, rows, calls } = core.handle(core.head("POST", "/batch/", {}), body);
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { HEAD_CF, HEAD_HEADERS } from "../../js-shim/abi.js";

const WASM = process.env.HOGFLARE_WASM ?? new URL("../../build/wasm/core.wasm", import.meta.url);
const SINK_ANSWER = new TextEncoder().encode('{"success":true,"result":{"committed":1}}');
const CF = {
  country: "US",
  continent: "NA",
  city: "Austin",
  region: "Texas",
  regionCode: "TX",
  postalCode: "78701",
  latitude: "30.27130",
  longitude: "-97.74260",
  timezone: "America/Chicago",
  metroCode: "635",
  isEUCountry: "",
  asn: "395747",
  asOrganization: "Example",
  colo: "DFW",
};

// A module of WebAssembly is imported as workerd imports it: as the compiled module.
registerHooks({
  load(url, context, next) {
    if (!url.endsWith(".wasm")) return next(url, context);
    return { format: "module", shortCircuit: true, source: "export default globalThis.hogflareModule;" };
  },
});

class Storage {
  constructor(counts) {
    this.values = new Map();
    this.alarmAt = 0;
    this.counts = counts;
    this.kv = {
      get: (key) => this.values.get(key),
      put: (key, value) => {
        this.counts.rowsWritten += 1;
        this.values.set(key, value);
      },
      delete: (key) => {
        this.counts.rowsWritten += 1;
        this.values.delete(key);
      },
      list: ({ prefix, startAfter = "", limit }) =>
        [...this.values]
          .filter(([key]) => key.startsWith(prefix) && key > startAfter)
          .sort()
          .slice(0, limit),
    };
    this.setAlarm = (atMs) => {
      this.counts.rowsWritten += 1;
      this.alarmAt = atMs;
    };
  }
}

/** Makes instances whose exported functions add the time inside of them to `inside`. */
function timeInstances(inside) {
  const Instance = WebAssembly.Instance;
  const timed =
    (call) =>
    (...args) => {
      const start = performance.now();
      try {
        return call(...args);
      } finally {
        inside.ms += performance.now() - start;
      }
    };
  class Timed {
    constructor(module, imports) {
      const exports = Object.entries(new Instance(module, imports).exports);
      this.exports = Object.fromEntries(exports.map(([name, one]) => [name, typeof one === "function" ? timed(one) : one]));
    }
  }
  WebAssembly.Instance = /** @type {any} */ (Timed);
}

/** `isTimed`: insideMs() tells the time spent in the module so far. */
export async function loadCore({ isTimed = false } = {}) {
  const inside = { ms: 0 };
  if (isTimed) timeInstances(inside);
  const bytes = readFileSync(WASM);
  const compileStart = performance.now();
  globalThis.hogflareModule = new WebAssembly.Module(bytes);
  const compileMs = performance.now() - compileStart;
  const instantiateStart = performance.now();
  const shim = await import("../../js-shim/core.js");
  const instantiateMs = performance.now() - instantiateStart;
  const counts = { objectCalls: 0, rowsWritten: 0, rows: 0, rowBytes: 0, sends: 0 };
  const storages = new Map();

  function configure(vars = {}, flags = { flags: [] }) {
    const all = {
      CLOUDFLARE_PIPELINE_ENDPOINT: "http://sink.invalid/",
      CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT: "http://sink.invalid/persons",
      CLOUDFLARE_REJECTS_PIPELINE_ENDPOINT: "http://sink.invalid/rejects",
      ...vars,
    };
    const start = performance.now();
    shim.configure({
      vars: all,
      bindings: ["PERSONS", "GROUPS", "PERSON_ID_COUNTER", "OUTBOX", "COOKIELESS"],
      bundled_flags: JSON.stringify(flags),
    });
    return performance.now() - start;
  }

  function storageOf(objectClass, name) {
    const key = `${objectClass} ${name}`;
    let storage = storages.get(key);
    if (storage === undefined) storages.set(key, (storage = new Storage(counts)));
    return storage;
  }

  function answer(effect) {
    if (effect.kind === 0) {
      counts.objectCalls += 1;
      const storage = storageOf(effect.a, effect.name);
      const output = finish(shim.startObject(1, effect.a, effect.bytes, storage), storage);
      return { ok: output.status === 200, status: 200, retryAfterMs: 0, body: output.body };
    }
    if (effect.kind === 1) {
      counts.sends += 1;
      counts.rows += effect.b;
      counts.rowBytes += effect.bytes.byteLength;
      lastRows = effect.bytes;
      lastRowsOf.set(effect.a, effect.bytes);
    }
    const status = effect.kind === 2 ? 404 : 200;
    return { ok: true, status, retryAfterMs: 0, body: effect.kind === 1 ? SINK_ANSWER : new Uint8Array(0) };
  }
  let lastRows = new Uint8Array(0);
  /** By stream, in the order of STREAMS. */
  const lastRowsOf = new Map();

  function finish(started, storage) {
    const queue = [...started.effects];
    let output = started;
    while (!output.finished) {
      const effect = queue.shift();
      output = shim.resume(started.slot, effect.id, answer(effect), storage);
      queue.push(...output.effects);
    }
    shim.end(started.slot);
    return output;
  }

  return {
    shim,
    module: bytes,
    compileMs,
    instantiateMs,
    insideMs: () => inside.ms,
    counts,
    storages,
    configure,
    /** @param {Record<string, string>} headers */
    head(method, target, headers) {
      const [path, query = ""] = target.split("?");
      let head = `${method}\0${path}\0${query}\0\0`;
      for (const name of HEAD_HEADERS) head += `${headers[name] ?? ""}\0`;
      for (const name of HEAD_CF) head += `${CF[name]}\0`;
      return head;
    },
    handle(head, body) {
      // The shim frees a large body, so each run gives away its own.
      return finish(shim.startHttp(body.byteLength < 256 * 1024 ? body : body.slice(), head), null);
    },
    lastRows: () => lastRows,
    lastEvents: () => lastRowsOf.get(0) ?? new Uint8Array(0),
  };
}
