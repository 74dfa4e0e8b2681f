// Small bodies that ask for a lot: what they say (SHAPES) and how they are packed (PACKINGS).
//
//   const text = SHAPES.nothings("batch");
//   const { body, headers, query } = PACKINGS.gzip(text);
import { randomUUID } from "node:crypto";
import { brotliCompressSync, constants, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import lzString from "lz-string";
import { TOKEN } from "./harness.mjs";

const MIB = 1 << 20;

/** One element, so many times. */
const times = (count, element) => `${`${element},`.repeat(count - 1)}${element}`;
/** A body of one list of events. */
const listed = (events, list = "batch") => `{"api_key":"${TOKEN}","${list}":[${events}]}`;
/** One event with these properties, in JSON. */
const one = (properties, list = "batch", event = '"e"', distinctId = '"hostile"') =>
  listed(`{"event":${event},"distinct_id":${distinctId},"properties":{${properties}}}`, list);

/** Bytes of a key that may stand in JSON as they are. */
const isPlain = (byte) => byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;

const M = 0x5bd1e995;
/** The inverse of M modulo 2^32. */
const M_INVERSE = 0xe59b19bd;

/** One step of MurmurHash2 over four bytes. */
function mixed(word) {
  const k = Math.imul(word, M);
  return Math.imul(k ^ (k >>> 24), M);
}

/** The four bytes that `mixed` makes `value` of. */
function unmixed(value) {
  const k = Math.imul(value, M_INVERSE);
  return Math.imul(k ^ (k >>> 24), M_INVERSE);
}

/** Keys of eight bytes with one and the same MurmurHash2 of 32 bits, libc++'s std::hash in wasm. */
export function collidingKeys(count) {
  const keys = [];
  const bytes = Buffer.alloc(8);
  const target = 0x12345678;
  for (let n = 0; keys.length < count; n += 1) {
    for (let i = 0, rest = n; i < 4; i += 1, rest = Math.floor(rest / 64)) bytes[i] = 0x23 + (rest % 64 === 57 ? 64 : rest % 64);
    const first = Math.imul(8, M) ^ mixed(bytes.readInt32LE(0));
    bytes.writeInt32LE(unmixed(Math.imul(first, M) ^ target) | 0, 4);
    if (bytes.subarray(4).every(isPlain)) keys.push(bytes.toString("latin1"));
  }
  return keys;
}

const members = (keys) => keys.map((key, i) => `"${key}":${i}`).join(",");
const numbered = (count, name) => Array.from({ length: count }, (_, i) => `${name}${i}`);

/** A text of so many megabytes, with an escape at its beginning, so that whoever wants it decodes it. */
const escaped = (megabytes) => `"\\n${"a".repeat(megabytes * MIB)}"`;
/** So many of the smallest fit in an event of 8 MB. */
const MANY = 1_300_000;

/** Texts by what they ask for; `list` is the name under which the route looks for its events. */
export const SHAPES = {
  "a million events of nothing": (list) => listed(times(1_000_000, "{}"), list),
  "events of nothing and blanks": (list) => listed(`${times(1_900_000, "{}")}${" ".repeat(25 * MIB)}`, list),
  "two million numbers": (list) => one(`"a":[${times(2_100_000, "1")}]`, list),
  "30 MB of blanks": (list) => listed(`{"event":"e","distinct_id":"hostile"}${" ".repeat(30 * MIB)}`, list),
  "a name of NULs": (list) => one("", list, `"${"\\u0000".repeat(1_200_000)}"`),
  "an id of NULs": (list) => one("", list, '"e"', `"${"\\u0000".repeat(1_200_000)}"`),
  "a property of NULs": (list) => one(`"$set":{"a":"${"\\u0000".repeat(1_000_000)}"}`, list),
  "lone surrogates": (list) => one(`"a":"${"\\ud800".repeat(1_000_000)}"`, list),
  "40,000 group types": (list) =>
    one(
      `"$groups":{${numbered(40_000, "t")
        .map((name) => `"${name}":"k"`)
        .join(",")}}`,
      list,
    ),
  "20,000 colliding properties": (list) => one(`"$set":{${members(collidingKeys(20_000))}}`, list),
  "20,000 colliding ids": (list) =>
    listed(
      collidingKeys(20_000)
        .map((id) => `{"event":"e","distinct_id":"${id}","properties":{"$process_person_profile":false}}`)
        .join(","),
      list,
    ),
  "300,000 properties": (list) => one(members(numbered(300_000, "p")), list),
  "one property half a million times": (list) => one(times(500_000, '"a":1'), list),
  "200,000 properties to unset": (list) =>
    one(
      `"$unset":[${numbered(200_000, "p")
        .map((name) => `"${name}"`)
        .join(",")}]`,
      list,
    ),
  "a million members": (list) => one(times(MANY, '"":1'), list),
  "a million members beside the properties": (list) => listed(`{"event":"e","distinct_id":"hostile",${times(MANY, '"":1')}}`, list),
  "a million names to unset": (list) => one(`"$unset":[${times(MANY, "1")}]`, list),
  "a million empty names to unset": (list) => one(`"$unset":{${times(MANY, '"":1')}}`, list),
  "two million values to unset, deep": (list) => one(`"$unset":[[[[[[${times(1_940_000, "1")}]]]]]]`, list),
  "600,000 empty frames": (list) => one(`"$exception_list":[{"stacktrace":{"frames":[${times(600_000, "{}")}]}}]`, list, '"$exception"'),
  "400,000 exceptions": (list) => one(`"$exception_list":[${times(400_000, "{}")}]`, list, '"$exception"'),
  "elements of 5,000 attributes": (list) => {
    const names = numbered(5_000, `attr__${"z".repeat(60)}`);
    const element = `{"event":"$autocapture","distinct_id":"hostile","properties":{"$elements":[{${members(names)}}]}}`;
    return listed(times(40, element), list);
  },
  "a token of 31 MB": (list) => `{"api_key":${escaped(30)},"${list}":[{"event":"e","distinct_id":"hostile"}]}`,
  "a send time of 25 MB": (list) => `{"api_key":"${TOKEN}","sent_at":${escaped(25)},"${list}":[{"event":"e","distinct_id":"hostile"}]}`,
  "a million levels": (list) => one(`"a":${"[".repeat(1_000_000)}`, list),
  "levels to the limit and two million values": (list) =>
    one(`"alias":${"[".repeat(100)}${times(2_100_000, "1")}${"]".repeat(100)}`, list, '"$create_alias"'),
  "a number of 4 million digits": (list) => one(`"a":${"9".repeat(4_000_000)},"$set":{"n":${"9".repeat(1_000_000)}}`, list),
  "a time of 4 million characters": (list) =>
    listed(`{"event":"e","distinct_id":"hostile","timestamp":"${"2026-01-01T".repeat(400_000)}"}`, list),
  "50,000 bad events": (list) => listed(times(50_000, '{"event":"e","distinct_id":""}'), list),
  "half a million bad events": (list) => listed(times(500_000, '{"event":"e","distinct_id":""}'), list),
  "50,000 times one person": (list) => listed(times(50_000, '{"event":"e","distinct_id":"small"}'), list),
  "a $set of 3 MB": (list) => one(`"$set":{"a":"${"x".repeat(3_000_000)}"}`, list, '"$set"'),
  "a merge with a $set of 3 MB": (list) => one(`"$anon_distinct_id":"anon","$set":{"a":"${"x".repeat(3_000_000)}"}`, list, '"$identify"'),
  "a merge with an id of 3 MB": (list) => one(`"$anon_distinct_id":"${"x".repeat(3_000_000)}"`, list, '"$identify"'),
  "an alias of 3 MB": (list) => one(`"alias":"${"x".repeat(3_000_000)}"`, list, '"$create_alias"'),
  "a group key of 3 MB": (list) =>
    one(`"$group_type":"company","$group_key":"${"x".repeat(3_000_000)}","$group_set":{"a":1}`, list, '"$groupidentify"'),
  "a group of growing properties": (list) => {
    const event = (i) =>
      `{"event":"$groupidentify","distinct_id":"hostile","properties":{"$group_type":"company","$group_key":"g","$group_set":{"p${i % 500}":${i}}}}`;
    return listed(Array.from({ length: 10_000 }, (_, i) => event(i)).join(","), list);
  },
  "year 0 and the end of time": (list) =>
    listed(
      ["0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "-62135596800001", "1e300", "292278994-08-17T07:12:55Z"]
        .map((at) => `{"event":"e","distinct_id":"hostile","timestamp":"${at}","properties":{"$set":{"a":1}}}`)
        .join(","),
      list,
    ),
};

/** Events without cookies, as many as a request's object calls allow: what their visitors are told apart by. */
const visits = (count, properties) => {
  const of = (i) => ({ $cookieless_mode: true, $raw_user_agent: "hostile", $ip: "192.0.2.1", $host: "example.com", ...properties(i) });
  const event = (i) => ({ event: "e", distinct_id: "$posthog_cookieless", properties: of(i) });
  return listed(Array.from({ length: count }, (_, i) => JSON.stringify(event(i))).join(","));
};
const ZONE = "america/argentina/buenos_aires";
/** ZONE with its letters' case after the bits of a number: the same zone in another spelling. */
const spelled = (bits) => Array.from(ZONE, (char, at) => ((bits >> at) & 1 ? char.toUpperCase() : char)).join("");
export const COOKIELESS_SHAPES = {
  "400 zones that are none": () => visits(400, (i) => ({ $timezone: `Nowhere/Town${i}` })),
  "400 spellings of a zone": () => visits(400, (i) => ({ $timezone: spelled(i) })),
  "zones of 200 KB": () => visits(20, (i) => ({ $timezone: `${"Europe/".repeat(30_000)}${i}` })),
  "hosts of 100,000 labels": () => visits(20, () => ({ $host: `${"a.".repeat(100_000)}com` })),
  "addresses of colons": () => visits(20, () => ({ $ip: ":".repeat(200_000) })),
  "agents of 200 KB": () => visits(20, () => ({ $raw_user_agent: "x".repeat(200_000) })),
  "50,000 visits": () => visits(50_000, () => ({})),
  "two million values to unset": () => visits(1, () => ({ $unset: [] })).replace("[]", `[[[[[[${times(1_940_000, "1")}]]]]]]`),
  "two million values of an exception": () => visits(1, () => ({ $exception_list: [] })).replace("[]", `[${times(1_940_000, "1")}]`),
  "a million members": () => visits(1, () => ({ x: 0 })).replace('"x":0', times(1_200_000, '"":1')),
};

/** Texts of capture v1, whose events must have these members. */
const v1Event = (rest = "") => `{"event":"e","uuid":"${randomUUID()}","distinct_id":"hostile","timestamp":"2026-11-22T12:00:00Z"${rest}}`;
const v1 = (events) => `{"created_at":"2026-11-22T12:00:00Z","batch":[${events}]}`;
export const V1_SHAPES = {
  "half a million minimal events": () => v1(times(500_000, `{"uuid":"${randomUUID()}"}`)),
  "a million events of nothing": () => v1(times(1_000_000, "{}")),
  "50,000 minimal events": () => v1(Array.from({ length: 50_000 }, () => `{"uuid":"${randomUUID()}"}`).join(",")),
  "50,000 events of one uuid": () => v1(times(50_000, v1Event())),
  "events of nothing and blanks": () => v1(`${times(1_900_000, "{}")}${" ".repeat(25 * MIB)}`),
  "options without end": () => v1(v1Event(`,"options":{${members(numbered(300_000, "o"))}}`)),
  "two million numbers": () => v1(v1Event(`,"properties":{"a":[${times(2_100_000, "1")}]}`)),
  "a million members": () => v1(v1Event(`,"properties":{${times(MANY, '"":1')}}`)),
  "a session of 1.6 MB and 160,000 properties": () =>
    v1(v1Event(`,"session_id":"${"a".repeat(1_600_000)}","properties":{${times(160_000, '"a":1')}}`)),
  "an option of 30 MB": () => v1(v1Event(`,"options":{"product_tour_id":${escaped(30)}}`)),
  "a uuid of 24 MB": () => v1(v1Event().replace(/"uuid":"[^"]*"/, `"uuid":${escaped(24)}`)),
  "an id of 24 MB": () => v1(v1Event().replace('"hostile"', escaped(24))),
  "a time of 24 MB": () => v1(v1Event().replace('"2026-11-22T12:00:00Z"', escaped(24))),
  "a batch made at a time of 30 MB": () => v1(v1Event()).replace('"2026-11-22T12:00:00Z"', escaped(30)),
  "a name of NULs": () => v1(v1Event().replace('"e"', `"${"\\u0000".repeat(1_200_000)}"`)),
};

/** Texts of /flags, /decide and OFREP. */
const question = (rest) => `{"token":"${TOKEN}","distinct_id":"hostile"${rest}}`;
export const FLAG_SHAPES = {
  "an anonymous id of 2 MB": () => question(`,"$anon_distinct_id":"${"a".repeat(2_000_000)}"`),
  "an id of NULs": () => `{"token":"${TOKEN}","distinct_id":"${"\\u0000".repeat(300_000)}"}`,
  "300,000 person properties": () => question(`,"person_properties":{${members(numbered(100_000, "p"))}}`),
  "20,000 colliding person properties": () => question(`,"person_properties":{${members(collidingKeys(20_000))}}`),
  "100,000 groups": () =>
    question(
      `,"groups":{${numbered(100_000, "t")
        .map((name) => `"${name}":"k"`)
        .join(",")}}`,
    ),
  "100,000 flag keys": () =>
    question(
      `,"flag_keys":[${numbered(100_000, "f")
        .map((name) => `"${name}"`)
        .join(",")}]`,
    ),
  "a million numbers": () => question(`,"person_properties":{"a":[${times(1_000_000, "1")}]}`),
  "a million levels": () => question(`,"person_properties":{"a":${"[".repeat(1_000_000)}`),
  "a number of a million digits": () => question(`,"person_properties":{"age":${"9".repeat(1_000_000)}}`),
  "a version of dots": () => question(`,"person_properties":{"$app_version":"${".".repeat(5_000_000)}"}`),
  "a version of many identifiers": () => question(`,"person_properties":{"$app_version":"1.2.3-${"a.".repeat(2_500_000)}a"}`),
  "a text of words": () => question(`,"person_properties":{"$app_version":"${"a ".repeat(3_500_000)}"}`),
  "7 MB of blanks": () => `${question("")}${" ".repeat(7 * MIB)}`,
};
export const OFREP_SHAPES = {
  "a targeting key of 2 MB": () => `{"context":{"targetingKey":"${"a".repeat(1_900_000)}"}}`,
  "100,000 attributes": () => `{"context":{"targetingKey":"hostile",${members(numbered(100_000, "p"))}}}`,
  "colliding attributes": () => `{"context":{"targetingKey":"hostile",${members(collidingKeys(20_000))}}}`,
  "a million levels": () => `{"context":{"targetingKey":"hostile","a":${"[".repeat(900_000)}`,
};

const JSON_TYPE = { "content-type": "application/json" };
const FORM_TYPE = { "content-type": "application/x-www-form-urlencoded" };
const encoded = (encoding) => ({ ...JSON_TYPE, "content-encoding": encoding });
const brotli = (bytes) => brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 4 } });

/**
 * How a text may be packed; null where it does not fit (a query, a body over 20 MiB, LZ's slow packer).
 * @type {Record<string, (text: string) => {body: Buffer | null, headers: Record<string, string>, query?: string} | null>}
 */
export const PACKINGS = {
  plain: (text) => (text.length > 20 * MIB ? null : { body: Buffer.from(text), headers: JSON_TYPE }),
  gzip: (text) => ({ body: gzipSync(text), headers: encoded("gzip") }),
  "gzip in two members, the last of which tells its length": (text) => ({
    body: Buffer.concat([gzipSync(text), gzipSync(" ")]),
    headers: encoded("gzip"),
  }),
  "gzip twice": (text) => ({ body: gzipSync(gzipSync(text)), headers: encoded("gzip") }),
  deflate: (text) => ({ body: deflateSync(text), headers: encoded("deflate") }),
  brotli: (text) => ({ body: brotli(text), headers: encoded("br") }),
  zstd: (text) => ({ body: zstdCompressSync(text), headers: encoded("zstd") }),
  "base64 of gzip": (text) => ({ body: Buffer.from(gzipSync(text).toString("base64")), headers: { "content-type": "text/plain" } }),
  base64: (text) =>
    text.length > 15 * MIB
      ? null
      : { body: Buffer.from(Buffer.from(text).toString("base64")), headers: { "content-type": "text/plain" }, query: "compression=base64" },
  "LZ-string": (text) =>
    text.length > 8 * MIB
      ? null
      : { body: Buffer.from(lzString.compressToBase64(text)), headers: { "content-type": "text/plain" }, query: "compression=lz64" },
  "a form of base64 of gzip": (text) => ({
    body: Buffer.from(`data=${encodeURIComponent(gzipSync(text).toString("base64"))}&compression=gzip-js`),
    headers: FORM_TYPE,
  }),
  "a form of JSON": (text) =>
    text.length > 6 * MIB ? null : { body: Buffer.from(`data=${encodeURIComponent(text)}`), headers: FORM_TYPE },
  "a query of base64 of gzip": (text) => {
    const packed = encodeURIComponent(gzipSync(text, { level: 9 }).toString("base64"));
    return packed.length > 12_000 ? null : { body: null, headers: {}, query: `compression=gzip-js&data=${packed}` };
  },
  "base64 of gzip in JSON": (text) => ({
    body: Buffer.from(`{"api_key":"${TOKEN}","data":"${gzipSync(text).toString("base64")}"}`),
    headers: JSON_TYPE,
  }),
  "the same in gzip": (text) => ({
    body: gzipSync(`{"api_key":"${TOKEN}","data":"${gzipSync(text).toString("base64")}"}`),
    headers: encoded("gzip"),
  }),
};
