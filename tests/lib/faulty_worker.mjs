// The deployed bundle behind an entry that breaks on demand: objects, the flags namespace, the bucket, the core.
//
//   const system = await startSystem({ vars, extra: faultyWorker() });
//   await setFault(system, "person", "throw");   // or "hang"; "" mends it
//   await system.post("/flags/", body, { "x-test-lose-core": "1" });
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { bundle } from "../../scripts/lib/worker.mjs";

const ENTRY = `
import worker, {
  CookielessDurableObject as Cookieless,
  GroupDurableObject as Group,
  LiveDurableObject,
  OutboxDurableObject,
  PersonDurableObject as Person,
  PersonIdCounterDurableObject,
} from "./worker.js";

async function stumble(env, part) {
  const fault = await env.FAULTS.get(part);
  if (fault === "throw") throw new Error(part + " is broken on purpose");
  if (fault === "hang") await new Promise((done) => setTimeout(done, 30_000));
}

export class PersonDurableObject extends Person {
  async call(...args) {
    await stumble(this.env, "person");
    return super.call(...args);
  }
}
export class GroupDurableObject extends Group {
  async call(...args) {
    await stumble(this.env, "group");
    return super.call(...args);
  }
}
export class CookielessDurableObject extends Cookieless {
  async call(...args) {
    await stumble(this.env, "cookieless");
    return super.call(...args);
  }
}
export { LiveDurableObject, OutboxDurableObject, PersonIdCounterDurableObject };

/** A request whose body breaks off: what reaches the core then is nothing at all. */
function broken(request) {
  return new Proxy(request, {
    get(target, name) {
      if (["body", "arrayBuffer", "bytes"].includes(name)) throw new Error("the core is lost on purpose");
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

export default {
  async fetch(request, env, context) {
    const FLAGS = {
      get: async (...args) => {
        await stumble(env, "flags");
        return env.FLAGS.get(...args);
      },
    };
    const { RECORDINGS } = env;
    const buckets = RECORDINGS === undefined ? {} : {
      RECORDINGS: {
        get: (...args) => RECORDINGS.get(...args),
        list: (...args) => RECORDINGS.list(...args),
        delete: (...args) => RECORDINGS.delete(...args),
        put: async (...args) => {
          await stumble(env, "recordings");
          return RECORDINGS.put(...args);
        },
      },
    };
    let lost = request.headers.has("x-test-lose-core");
    if ((await env.FAULTS.get("core")) === "once") {
      lost = true;
      await env.FAULTS.delete("core");
    }
    const given = lost ? broken(request) : request;
    return worker.fetch(given, { ...env, FLAGS, ...buckets }, context);
  },
};
`;

/** Miniflare options on top of the harness's. */
export function faultyWorker() {
  const dist = bundle();
  const wasm = readdirSync(dist).find((name) => name.endsWith(".wasm"));
  return {
    modules: [
      { type: "ESModule", path: join(dist, "entry.js"), contents: ENTRY },
      { type: "ESModule", path: join(dist, "worker.js") },
      { type: "CompiledWasm", path: join(dist, wasm) },
    ],
    kvNamespaces: ["FLAGS", "FAULTS"],
  };
}

/** Breaks or mends "person", "group", "cookieless", "flags" or "recordings"; "core" with "once" loses it under the next request. */
export async function setFault(system, part, fault) {
  const faults = await system.worker.getKVNamespace("FAULTS");
  await faults.put(part, fault);
}
