// Cloudflare's limits around a Worker in local workerd, which has few of them itself. The first module
// of the local entry (entryOf in scripts/lib/worker.mjs); none of it is deployed. Every refusal has
// Cloudflare's words as far as they are known.
import { AsyncLocalStorage } from "node:async_hooks";

/** @typedef {{subrequests: number, external: number, connections: number, [name: string]: number}} Limits */

const encoder = new TextEncoder();
const bytesOf = (text) => encoder.encode(text).byteLength;
const headerBytes = (headers) => [...headers].reduce((sum, [name, value]) => sum + bytesOf(name) + bytesOf(value), 0);

/** @type {AsyncLocalStorage<Invocation>} */
const running = new AsyncLocalStorage();

/** One request, object call or alarm: what it has used of its budget. */
class Invocation {
  /** @param {Limits} limits */
  constructor(limits) {
    this.limits = limits;
    this.subrequests = 0;
    this.external = 0;
    this.connections = 0;
    /** @type {(() => void)[]} those that wait for a connection */
    this.queue = [];
  }

  charge(isExternal = false) {
    this.subrequests += 1;
    if (isExternal) this.external += 1;
    if (this.subrequests > this.limits.subrequests || (isExternal && this.external > this.limits.external)) {
      throw new Error("Too many subrequests by single Worker invocation.");
    }
  }

  /** Runs what holds a connection until its promise settles; above the limit it waits its turn. */
  async connected(open) {
    if (this.connections >= this.limits.connections) await new Promise((done) => this.queue.push(() => done(undefined)));
    else this.connections += 1;
    try {
      return await open();
    } finally {
      // The connection is the next one's, if one waits.
      const next = this.queue.shift();
      if (next === undefined) this.connections -= 1;
      else next();
    }
  }
}

const outside = globalThis.fetch;
globalThis.fetch = /** @type {typeof fetch} */ (
  async (...args) => {
    const invocation = running.getStore();
    if (invocation === undefined) return outside(...args);
    invocation.charge(true);
    return invocation.connected(() => outside(...args));
  }
);

/** A binding that costs a subrequest for each call of its methods. */
function charged(binding, names, check) {
  return new Proxy(binding, {
    get(target, name) {
      if (typeof target[name] !== "function") return target[name];
      // Called where it stands: what another Worker's method has, bind and apply too, is that Worker's.
      if (!names.includes(name)) return (...args) => target[name](...args);
      return async (...args) => {
        const invocation = running.getStore();
        invocation?.charge();
        check(args);
        const call = () => target[name](...args);
        return invocation === undefined ? call() : invocation.connected(call);
      };
    },
  });
}

/** @param {Limits} limits */
function kvNamespace(namespace, limits) {
  return charged(namespace, ["get", "getWithMetadata", "put", "delete", "list"], ([key]) => {
    const size = typeof key === "string" ? bytesOf(key) : 0;
    if (size <= limits.kv_key_bytes) return;
    throw new Error(`KV GET failed: 414 UTF-8 encoded length of ${size} exceeds key length limit of ${limits.kv_key_bytes}.`);
  });
}

/** Every operation on a bucket is a subrequest. */
function bucket(binding) {
  return charged(binding, ["head", "get", "put", "delete", "list"], () => {});
}

/** A stream's binding, which takes what the stream's endpoint takes. @param {Limits} limits */
function stream(binding, limits) {
  return charged(binding, ["send"], ([rows]) => {
    const size = bytesOf(JSON.stringify(rows));
    if (size > limits.sink_send_bytes) throw new Error(`payload of ${size} bytes exceeds the limit of ${limits.sink_send_bytes}`);
  });
}

/** Calls of objects are subrequests without a connection of the six. @param {Limits} limits */
function objectNamespace(namespace, limits) {
  const call = (stub, args) => {
    running.getStore()?.charge();
    const size = args.reduce((sum, value) => sum + (value?.byteLength ?? 0), 0);
    if (size > limits.rpc_bytes) {
      throw new TypeError(`Serialized RPC arguments or return values are limited to 32MiB, but the size of this value was: ${size} bytes.`);
    }
    return stub.call(...args);
  };
  return new Proxy(namespace, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (name !== "getByName" && name !== "get") return value.bind(target);
      return (...names) => {
        const stub = value.apply(target, names);
        const fetch = async (...args) => {
          running.getStore()?.charge();
          return stub.fetch(...args);
        };
        return { call: async (...args) => call(stub, args), fetch };
      };
    },
  });
}

/** Whether a binding is another Worker's entry, which has a method of any name. */
const isService = (binding) => typeof binding.noBindingHasThis === "function";

/** @param {any} env @param {Limits} limits */
function confinedEnv(env, limits) {
  const confined = { ...env };
  for (const [name, binding] of Object.entries(env)) {
    if (binding === null || typeof binding !== "object") continue;
    if (name.endsWith("_STREAM")) confined[name] = stream(binding, limits);
    else if (isService(binding)) continue;
    else if (typeof binding.idFromName === "function") confined[name] = objectNamespace(binding, limits);
    else if (typeof binding.getWithMetadata === "function") confined[name] = kvNamespace(binding, limits);
    else if (typeof binding.createMultipartUpload === "function") confined[name] = bucket(binding);
  }
  return confined;
}

/** The synchronous storage of an object, which refuses what SQLite-backed storage refuses. */
function confineStorage(storage, limits) {
  let kv;
  try {
    kv = storage.kv;
  } catch {
    return; // not SQLite-backed: what that means is the Worker's to say
  }
  if (kv === undefined) return;
  const put = kv.put.bind(kv);
  const refusing = new Proxy(kv, {
    get(target, name) {
      if (name === "put") {
        return (key, value) => {
          const keySize = bytesOf(key);
          if (keySize > limits.object_key_bytes) {
            throw new RangeError(`Keys cannot be larger than ${limits.object_key_bytes} bytes. A key of size ${keySize} was provided.`);
          }
          const valueSize = typeof value === "string" ? bytesOf(value) : value.byteLength;
          if (keySize + valueSize > limits.object_value_bytes) throw new Error("string or blob too big: SQLITE_TOOBIG");
          put(key, value);
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  Object.defineProperty(storage, "kv", { value: refusing, configurable: true });
}

/**
 * An object class within the limits.
 * @param {any} Class
 * @param {Limits} limits
 */
export function confinedClass(Class, limits) {
  return class extends Class {
    constructor(ctx, env) {
      confineStorage(ctx.storage, limits);
      super(ctx, confinedEnv(env, limits));
    }
    call(...args) {
      return running.run(new Invocation(limits), () => super.call(...args));
    }
    alarm(...args) {
      return running.run(new Invocation(limits), () => super.alarm(...args));
    }
  };
}

/** What Cloudflare's edge answers by itself. @param {Request} request @param {Limits} limits */
function edgeRefusal(request, limits) {
  if (bytesOf(request.url) > limits.url_bytes) return new Response("URI Too Long", { status: 414 });
  if (headerBytes(request.headers) > limits.request_headers_bytes) {
    return new Response("Request Header Fields Too Large", { status: 431 });
  }
  if (Number(request.headers.get("content-length") ?? 0) > limits.request_body_bytes) {
    return new Response("Payload Too Large", { status: 413 });
  }
  return null;
}

/**
 * A Worker within the limits.
 * @param {any} worker
 * @param {Limits} limits
 */
export function confinedWorker(worker, limits) {
  return {
    ...worker,
    fetch(request, env, ctx) {
      const refusal = edgeRefusal(request, limits);
      if (refusal !== null) return refusal;
      return running.run(new Invocation(limits), async () => {
        const response = await worker.fetch(request, confinedEnv(env, limits), ctx);
        const size = headerBytes(response.headers);
        if (size <= limits.response_headers_bytes) return response;
        throw new Error(`response headers of ${size} bytes exceed the limit of ${limits.response_headers_bytes}`);
      });
    },
  };
}
