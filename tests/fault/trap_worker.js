// The Worker with ways to break its core, for tests only: the same shim and the same module.
//
//   POST /trap            hands the core an input that is too short: an assertion, a trap
//   x-trap: 1             this request's object call is answered with what no memory can hold: a trap
//   x-clock: MS           the core's clock stands that much later while this request waits
//   POST /trap-in-object     the next object turn that has written dies when it asks for its alarm: a trap
//   POST /refuse-in-object   the storage refuses the second write of the next object turn that has two
//   POST /refuse-alarm       the platform refuses the next alarm, after the turn that has set it
//   POST /trap-in-person     the next turn of a person that asks for its alarm, in a merge, dies: a trap
//   a document of flags whose time zone is "Trap/Zone" traps the core while it is taken
import worker, {
  CookielessDurableObject,
  GroupDurableObject,
  LiveDurableObject,
  OutboxDurableObject as Outbox,
  PersonDurableObject as Person,
  PersonIdCounterDurableObject,
} from "../../js-shim/worker.js";
import { startHttp } from "../../js-shim/core.js";

export { CookielessDurableObject, GroupDurableObject, LiveDurableObject, PersonIdCounterDurableObject };

const { decode } = TextDecoder.prototype;
// A name that the core asks its host for is decoded outside of what catches errors.
TextDecoder.prototype.decode = function (...args) {
  const text = decode.apply(this, args);
  if (text === "Trap/Zone") throw new Error("the host broke");
  return text;
};

/** What the next object turn meets: "", "trap", "refuse", "alarm" or "person". */
let armed = "";
/** Counts the armings: an object counts its writes since the last one. */
let arming = 0;

export class PersonDurableObject extends Person {
  constructor(ctx, env) {
    super(ctx, env);
    let alarmAt = 0;
    Object.defineProperty(this.storage, "alarmAt", {
      get: () => {
        if (armed !== "person") return alarmAt;
        armed = "";
        throw new Error("the host broke");
      },
      set: (atMs) => (alarmAt = atMs),
    });
  }
}

export class OutboxDurableObject extends Outbox {
  constructor(ctx, env) {
    super(ctx, env);
    const setAlarm = ctx.storage.setAlarm.bind(ctx.storage);
    ctx.storage.setAlarm = (atMs) => {
      if (armed !== "alarm") return setAlarm(atMs);
      armed = "";
      return Promise.reject(new Error("the alarm broke"));
    };
    const { kv } = this.storage;
    let writes = 0;
    let counted = arming;
    let alarmAt = 0;
    // An exception of the host that is not the storage's passes through the core's frames as a trap does.
    Object.defineProperty(this.storage, "alarmAt", {
      get: () => {
        if (armed === "trap" && counted === arming && writes > 0) {
          armed = "";
          throw new Error("the host broke");
        }
        return alarmAt;
      },
      set: (atMs) => (alarmAt = atMs),
    });
    this.storage.kv = {
      get: (key) => kv.get(key),
      list: (options) => kv.list(options),
      delete: (key) => kv.delete(key),
      put: (key, value) => {
        if (counted !== arming) writes = 0;
        counted = arming;
        writes += 1;
        if (armed === "refuse" && writes === 2) {
          armed = "";
          throw new Error("the storage broke");
        }
        kv.put(key, value);
      },
    };
  }
}

/** The request waits for its person while another one comes in with the clock ahead. */
async function withClock(jumpMs, request, env, ctx) {
  const { now } = Date;
  const namespace = {
    getByName: (name) => ({
      call: async (bytes) => {
        const body = await env.PERSONS.getByName(name).call(bytes);
        Date.now = () => now() + jumpMs;
        try {
          await worker.fetch(
            new Request("https://hogflare.test/flags?v=2", {
              method: "POST",
              body: JSON.stringify({ token: "phc_clock", distinct_id: "u" }),
            }),
            env,
            ctx,
          );
        } finally {
          Date.now = now;
        }
        return body;
      },
    }),
  };
  return worker.fetch(request, { ...env, PERSONS: namespace }, ctx);
}

export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    if (pathname === "/trap") {
      try {
        // A body that says it has fewer bytes than none leaves no room for what follows it.
        startHttp({ byteLength: -64, length: 0 }, "GET\0/_liveness".padEnd(33, "\0"));
      } catch (error) {
        return new Response(String(error), { status: 500 });
      }
      return new Response("no trap", { status: 200 });
    }
    const what = { "/trap-in-object": "trap", "/refuse-in-object": "refuse", "/refuse-alarm": "alarm", "/trap-in-person": "person" }[
      pathname
    ];
    if (what !== undefined) {
      armed = what;
      arming += 1;
      return new Response("armed");
    }
    const lying = { byteLength: -64, length: 0 };
    if (request.headers.get("x-trap") === "1") {
      const namespace = { getByName: () => ({ call: async () => lying }) };
      return worker.fetch(request, { ...env, PERSONS: namespace, GROUPS: namespace }, ctx);
    }
    const jumpMs = Number(request.headers.get("x-clock") ?? 0);
    if (jumpMs !== 0) return withClock(jumpMs, request, env, ctx);
    return worker.fetch(request, env, ctx);
  },
};
