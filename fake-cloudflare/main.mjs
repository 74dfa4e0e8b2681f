// Runs the stand-in by itself: node fake-cloudflare/main.mjs [--port 8090] [--pipeline http://127.0.0.1:8088]
//
// Prints what to export, so that `hogflare` and wrangler talk to it. With --pipeline, rows are also
// tables of that fake pipeline, and Basin SQL is answered by it.
import { parseArgs } from "node:util";
import { throughPipeline } from "./pipeline.mjs";
import { startCloudflare } from "./server.mjs";

const { values } = parseArgs({ options: { port: { type: "string", default: "8090" }, pipeline: { type: "string" } } });
const cloud = await startCloudflare({
  port: Number(values.port),
  ...(values.pipeline === undefined ? {} : throughPipeline(values.pipeline)),
});
console.log(`export CLOUDFLARE_API_BASE_URL=${cloud.api}
export CLOUDFLARE_ACCOUNT_ID=${cloud.account}
export CLOUDFLARE_API_TOKEN=${cloud.token}
export HOGFLARE_SQL_URL=${cloud.url}
export HOGFLARE_CATALOG_URL=${cloud.url}/catalog
export HOGFLARE_WORKER_URL=${cloud.workerUrl("hogflare")}`);
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => cloud.stop().then(() => process.exit(0)));
