// Source: PostHog/posthog#100926 and posthog.com "cohort-expansion" (static cohorts make SDKs ask the server, which knows the members), PostHog/posthog#65303
// Needs the product started with HOGFLARE_FEATURE_FLAGS = 29-static-cohort.flags.json
// Situation: the export holds a flag for a static cohort "Beta testers" of 120 people; nothing in the export or in the product says who they are.
// Expect: not a silent false for members and true for not_in: the answer says that it could not be computed (failed / errorsWhileComputingFlags, so SDKs keep what they knew), or /healthz warns. docs/FLAGS.md says membership "comes from what is stored with the person", but nothing can store it.
import { BASE, id, TOKEN, check, send, json, done } from "./world.mjs";

const answer = await send("/flags/?v=2", { token: TOKEN, distinct_id: id("tester"), groups: {} }, json);
const body = await answer.json();
const health = await (await fetch(BASE + "/healthz")).text();
const said = body.errorsWhileComputingFlags === true || body.flags?.beta?.failed === true || /cohort/i.test(health);
check(
  said,
  `beta ${body.flags?.beta?.enabled}, not-beta ${body.flags?.["not-beta"]?.enabled}, errors ${body.errorsWhileComputingFlags}, nothing on /healthz about the cohort`,
);
done();
