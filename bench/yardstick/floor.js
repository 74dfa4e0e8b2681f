// The I/O of a capture request and nothing else: the body is read, as many objects are called as the
// request has people (x-people), the body goes to the sink as it came. What workerd and Miniflare take
// for that is in every Worker's figure.
import { DurableObject } from "cloudflare:workers";

const CALL = new Uint8Array(300);
const REPLY = new Uint8Array(300);
const HEADERS = { "content-type": "application/json" };

export default {
  async fetch(request, env) {
    const body = await request.arrayBuffer();
    const calls = [];
    for (let i = Number(request.headers.get("x-people")); i > 0; i -= 1) {
      calls.push(env.PERSONS.getByName(`1:user-${i}`).call(CALL));
    }
    await Promise.all(calls);
    const response = await fetch(env.CLOUDFLARE_PIPELINE_ENDPOINT, { method: "POST", headers: HEADERS, body });
    await response.arrayBuffer();
    return Response.json({ status: "Ok" });
  },
};

export class PersonDurableObject extends DurableObject {
  call() {
    return REPLY;
  }
}
