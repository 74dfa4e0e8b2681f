// The Worker with ways to break its core, for tests only: the same shim and the same module.
//
//   POST /trap            asks the core for a task that does not exist: an assertion, a trap
//   POST /trap-in-object  the next object turn that writes twice dies at its second write
import worker, {
  GroupDurableObject,
  OutboxDurableObject as Outbox,
  PersonDurableObject,
  PersonIdCounterDurableObject,
} from "../../js-shim/worker.js";
import { end } from "../../js-shim/core.js";

export { GroupDurableObject, PersonDurableObject, PersonIdCounterDurableObject };

let brittle = false;

export class OutboxDurableObject extends Outbox {
  constructor(ctx, env) {
    super(ctx, env);
    const { kv } = this.storage;
    let writes = 0;
    // An exception of the host passes through the core's frames as a trap does.
    this.storage.kv = {
      get: (key) => kv.get(key),
      list: (options) => kv.list(options),
      delete: (key) => kv.delete(key),
      put: (key, value) => {
        writes += 1;
        if (brittle && writes === 2) {
          brittle = false;
          throw new Error("the storage broke");
        }
        kv.put(key, value);
      },
    };
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/trap") {
      try {
        end(4_000_000);
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
      return new Response("no trap", { status: 200 });
    }
    if (pathname === "/trap-in-object") {
      brittle = true;
      return new Response("armed");
    }
    return worker.fetch(request, env, ctx);
  },
};
