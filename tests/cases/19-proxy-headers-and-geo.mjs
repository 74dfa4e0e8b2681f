// Source: bluedotimpact/bluedot#2098, kgoedecke/doop#10, n8n-io/n8n#33199 (a proxy in front: everybody seems to live where the proxy is), PostHog/posthog#41602 (server events get the server's city; $geoip_disable), boardsesh/boardsesh#2059 (preflight with Content-Encoding)
// Situation: a customer's own proxy forwards browser events with X-Forwarded-For "client, proxy"; server SDK events with $geoip_disable or their own $ip; preflight asking for content-encoding.
// Expect: with $geoip_disable true no $geoip_* and no cf_* place of the server; a $ip the client gave is kept and the connection's place is not put beside it; the preflight allows what was asked. PostHog takes the first address of X-Forwarded-For as $ip.
import { BASE, id, TOKEN, check, same, send, json, sql, parsed, done } from "./world.mjs";

const row = async (event) =>
  parsed((await sql(`SELECT properties FROM events WHERE distinct_id='${id("geo")}' AND event='${event}'`))[0]?.properties ?? "{}");
const post = (event, properties, headers = {}) =>
  send("/batch/", { api_key: TOKEN, batch: [{ event, distinct_id: id("geo"), properties }] }, { ...json, ...headers });
await post("disabled", { $geoip_disable: true, $lib: "posthog-node" }, { "user-agent": "posthog-node/5" });
await post("own ip", { $ip: "203.0.113.99" });
await post("own place", { $geoip_country_code: "NO" });
await post("forwarded", {}, { "x-forwarded-for": "203.0.113.5, 10.0.0.1" });
const disabled = await row("disabled");
check(
  !Object.keys(disabled).some((key) => key.startsWith("$geoip_") && key !== "$geoip_disable"),
  `$geoip_disable: ${Object.keys(disabled)}`,
);
same((await row("own ip")).$ip, "203.0.113.99", "own $ip");
const place = await row("own ip");
check(
  place.$geoip_city_name === undefined,
  `the connection's city ${place.$geoip_city_name} stands beside a $ip that is not the connection's`,
);
const own = await row("own place");
check(own.$geoip_country_code === "NO" && own.$geoip_city_name === undefined, `country NO beside city ${own.$geoip_city_name}`);
const forwarded = (await row("forwarded")).$ip;
if (forwarded !== "203.0.113.5") console.log(`note: X-Forwarded-For is not used, $ip is ${forwarded}`);
const preflight = await fetch(BASE + "/batch/", {
  method: "OPTIONS",
  headers: {
    origin: "https://app.example",
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-encoding,content-type,x-custom",
  },
});
same(
  [preflight.status, preflight.headers.get("access-control-allow-origin"), preflight.headers.get("access-control-allow-credentials")],
  [200, "https://app.example", "true"],
  "preflight",
);
check(
  ["content-encoding", "content-type", "x-custom"].every((name) =>
    preflight.headers.get("access-control-allow-headers")?.toLowerCase().includes(name),
  ),
  `allowed headers ${preflight.headers.get("access-control-allow-headers")}`,
);
done();
