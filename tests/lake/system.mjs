// The real path for the lake's tests: the Worker in workerd and a fake pipeline behind it.
// An argument, if given, is an object of further variables of the Worker.
// Prints one line of JSON, {"worker": "http://…", "pipeline": "http://…", "state": "…"}, and ends with its input.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startWorker } from "../../scripts/lib/worker.mjs";
import { sinkVariables, startPipeline } from "../lib/harness.mjs";

const stateDir = mkdtempSync(join(tmpdir(), "hogflare-lake-"));
const pipeline = await startPipeline(join(stateDir, "pipeline"));
const end = async () => {
  await pipeline.stop();
  rmSync(stateDir, { recursive: true, force: true });
};
const worker = await startWorker({
  stateDir,
  vars: {
    ...sinkVariables(pipeline.url),
    CLOUDFLARE_DISTINCT_IDS_PIPELINE_ENDPOINT: `${pipeline.url}/streams/distinct_ids`,
    HOGFLARE_PROJECTS: JSON.stringify({ phc_one: { team_id: 1 }, phc_two: { team_id: 2 } }),
    POSTHOG_GROUP_TYPE_0: "company",
    ...JSON.parse(process.argv[2] ?? "{}"),
  },
}).catch(async (error) => {
  await end();
  throw error;
});
console.log(JSON.stringify({ worker: worker.url, pipeline: pipeline.url, state: join(stateDir, "pipeline") }));
process.stdin.resume();
process.stdin.once("end", async () => {
  await worker.dispose();
  await end();
  process.exit(0);
});
