// The Worker one would write by hand for the same visible work, in plain JavaScript and without a
// thought for what is rare: decode, enrich, one object call a person, rows to the sink.
// bench/end_to_end.mjs compares Hogflare with it. It is written to be fast, too: synchronous zlib and
// SHA-1, one pass over the events, one JSON.stringify for all rows.
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { DurableObject } from "cloudflare:workers";

const MAX_BODY = 20 * 1024 * 1024;
const MAX_SEND = 4 * 1024 * 1024;
const NAMESPACE = Buffer.from("932979b465c3442484670b66ec27bc22", "hex");
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const decoder = new TextDecoder();

function personUuid(distinctId) {
  const hash = createHash("sha1").update(NAMESPACE).update(`1:${distinctId}`).digest();
  hash[6] = (hash[6] & 0x0f) | 0x50;
  hash[8] = (hash[8] & 0x3f) | 0x80;
  const hex = hash.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}

function decodeBody(request, url, bytes) {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return decoder.decode(gunzipSync(bytes, { maxOutputLength: 2 * MAX_BODY }));
  let text = decoder.decode(bytes);
  const type = request.headers.get("content-type") ?? "";
  if (type.startsWith("application/x-www-form-urlencoded") || text.startsWith("data=")) {
    text = new URLSearchParams(text).get("data") ?? "";
  }
  if (url.searchParams.get("compression") === "base64" || /^[A-Za-z0-9+/=\s]+$/.test(text.slice(0, 200))) {
    text = decoder.decode(Buffer.from(text, "base64"));
  }
  return text;
}

function timeOf(event, sentAt, now) {
  const at = Date.parse(event.timestamp);
  if (Number.isNaN(at)) return now;
  return Number.isNaN(sentAt) ? at : now - (sentAt - at);
}

function enrichment(request) {
  const cf = request.cf ?? {};
  const found = {};
  const set = (name, value) => {
    if (value !== undefined && value !== null && value !== "") found[name] = value;
  };
  set("$ip", request.headers.get("cf-connecting-ip"));
  set("$geoip_country_code", cf.country);
  set("$geoip_city_name", cf.city);
  set("$geoip_continent_code", cf.continent);
  set("$geoip_latitude", cf.latitude && Number(cf.latitude));
  set("$geoip_longitude", cf.longitude && Number(cf.longitude));
  set("$geoip_postal_code", cf.postalCode);
  set("$geoip_subdivision_1_code", cf.regionCode);
  set("$geoip_subdivision_1_name", cf.region);
  set("$geoip_time_zone", cf.timezone);
  set("cf_asn", cf.asn);
  set("cf_as_organization", cf.asOrganization);
  set("cf_colo", cf.colo);
  set("cf_metro_code", cf.metroCode);
  set("cf_ray", request.headers.get("cf-ray"));
  return found;
}

/** One call a person, all at once. */
async function people(env, events) {
  const byPerson = new Map();
  for (const event of events) {
    if (event.personless) continue;
    const ops = byPerson.get(event.distinctId) ?? [];
    byPerson.set(event.distinctId, ops);
    const { $set, $set_once, $unset, $anon_distinct_id, alias } = event.properties;
    ops.push({
      set: { ...event.raw.$set, ...$set },
      setOnce: { ...event.raw.$set_once, ...$set_once },
      unset: $unset ?? [],
      merge: event.raw.event === "$identify" ? $anon_distinct_id : event.raw.event === "$create_alias" ? alias : undefined,
      time: event.time,
    });
  }
  const found = new Map();
  await Promise.all(
    [...byPerson].map(async ([distinctId, ops]) => {
      found.set(distinctId, await env.PERSONS.getByName(`1:${distinctId}`).apply(distinctId, ops));
    }),
  );
  return found;
}

async function send(env, rows) {
  let part = [];
  let size = 2;
  const flush = async () => {
    const response = await fetch(env.CLOUDFLARE_PIPELINE_ENDPOINT, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: `[${part.join(",")}]`,
      signal: AbortSignal.timeout(10_000),
    });
    await response.arrayBuffer();
    if (!response.ok) throw new Error(`the sink answered ${response.status}`);
    part = [];
    size = 2;
  };
  for (const row of rows) {
    const text = JSON.stringify(row);
    if (size + text.length > MAX_SEND) await flush();
    part.push(text);
    size += text.length + 1;
  }
  if (part.length > 0) await flush();
}

function cors(request) {
  const origin = request.headers.get("origin");
  if (origin === null) return {};
  return { "access-control-allow-origin": origin, "access-control-allow-credentials": "true", vary: "Origin" };
}

async function capture(request, env) {
  const url = new URL(request.url);
  const bytes = new Uint8Array(await request.arrayBuffer());
  if (bytes.byteLength > MAX_BODY) return new Response("too large", { status: 413 });
  const body = JSON.parse(decodeBody(request, url, bytes));
  const list = Array.isArray(body) ? body : (body.batch ?? [body]);
  const token = body.api_key ?? list[0]?.token ?? list[0]?.properties?.token;
  if (typeof token !== "string" || token === "") return new Response("no token", { status: 401, headers: cors(request) });
  const now = Date.now();
  const sentAt = Date.parse(body.sent_at);
  const events = [];
  for (const raw of list) {
    const properties = raw.properties ?? {};
    const distinctId = String(raw.distinct_id ?? properties.distinct_id ?? "").slice(0, 200);
    if (typeof raw.event !== "string" || raw.event === "" || distinctId === "") continue;
    if (raw.uuid !== undefined && !UUID.test(raw.uuid)) continue;
    const personless = properties.$process_person_profile === false;
    events.push({ raw, properties, distinctId, personless, time: timeOf(raw, sentAt, now) });
  }
  const persons = await people(env, events);
  const added = enrichment(request);
  const createdAt = new Date(now).toISOString();
  const rows = events.map((event) => {
    const { $set, $set_once, $unset, ...properties } = event.properties;
    const { event: name, uuid, distinct_id, properties: _, timestamp, ...extra } = event.raw;
    const person = persons.get(event.distinctId);
    return {
      uuid: uuid ?? crypto.randomUUID(),
      team_id: 1,
      source: "posthog",
      event: name,
      distinct_id: event.distinctId,
      timestamp: new Date(event.time).toISOString(),
      created_at: createdAt,
      properties: { ...added, ...properties },
      person_id: person === undefined ? personUuid(event.distinctId) : person.uuid,
      ...(person === undefined ? {} : { person_created_at: person.createdAt }),
      person_properties: person === undefined ? {} : person.properties,
      api_key: token,
      extra: { ...extra, $sent_at: body.sent_at, $client_timestamp: timestamp },
    };
  });
  await send(env, rows);
  return Response.json({ status: "Ok" }, { headers: cors(request) });
}

export default {
  async fetch(request, env) {
    try {
      return await capture(request, env);
    } catch (error) {
      return new Response(String(error), { status: error instanceof SyntaxError ? 400 : 503, headers: cors(request) });
    }
  },
};

export class PersonDurableObject extends DurableObject {
  async apply(distinctId, ops) {
    const stored = this.ctx.storage.kv.get("person");
    const person = stored ? JSON.parse(stored) : { uuid: personUuid(distinctId), properties: {} };
    for (const { set, setOnce, unset, merge, time } of ops) {
      person.createdAt ??= new Date(time).toISOString();
      if (merge) {
        const other = await this.env.PERSONS.getByName(`1:${merge}`).surrender(distinctId);
        person.properties = { ...other, ...person.properties };
      }
      for (const [name, value] of Object.entries(setOnce)) person.properties[name] ??= value;
      Object.assign(person.properties, set);
      for (const name of unset) delete person.properties[name];
    }
    const text = JSON.stringify(person);
    if (text !== stored) this.ctx.storage.kv.put("person", text);
    return person;
  }

  surrender(to) {
    const stored = this.ctx.storage.kv.get("person");
    this.ctx.storage.kv.put("moved", to);
    return stored ? JSON.parse(stored).properties : {};
  }
}
