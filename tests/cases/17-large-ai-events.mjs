// Source: PostHog/posthog-js#2134, mastra-ai/mastra#23845 (one 1.1 MB $ai_span fails its whole batch with 413), PostHog/posthog#66092
// Situation: posthog-node batch of small events and $ai_generation events of 1.1 MB and 6 MB (inline image), on /batch/ and on the AI route.
// Expect (the product's promise): 200, neighbours land, the large ones land cut with $hogflare_truncated naming what was cut; small properties of theirs (tokens, latency) survive; nothing in /bad.
import { SINK, run, id, TOKEN, check, same, send, json, sql, done } from "./world.mjs";

const big = (name, size) => ({
  event: "$ai_generation",
  distinct_id: id("ai"),
  properties: {
    name,
    $ai_model: "m",
    $ai_latency: 1.5,
    $ai_input_tokens: 12,
    $ai_input: [
      {
        role: "user",
        content: [
          { type: "image", data: "A".repeat(size) },
          { type: "text", text: "what is this? 🦔" },
        ],
      },
    ],
    $ai_output_choices: [{ content: "a hedgehog" }],
  },
});
for (const path of ["/batch/", "/i/v0/ai/batch/"]) {
  const who = path.includes("ai") ? "dedicated" : "plain";
  const answer = await send(
    path,
    {
      api_key: TOKEN,
      batch: [
        { event: "before", distinct_id: id("ai"), properties: { name: who } },
        big(`${who}1`, 1_100_000),
        big(`${who}6`, 6_000_000),
        { event: "after", distinct_id: id("ai"), properties: { name: who } },
      ],
    },
    json,
  );
  same(answer.status, 200, path);
}
const landed = await sql(
  `SELECT event, properties->>'name' AS name, properties->>'$."$ai_latency"' AS latency, CAST(properties->'$."$hogflare_truncated"' AS VARCHAR) AS cut, properties->'$."$ai_output_choices"' AS output, length(CAST(properties AS VARCHAR)) AS size FROM events WHERE distinct_id='${id("ai")}'`,
);
same(landed.length, 8, "rows");
for (const row of landed.filter((one) => one.event === "$ai_generation")) {
  check(row.latency === "1.5" && row.cut?.includes("$ai_input"), `${row.name}: ${JSON.stringify({ ...row, output: undefined })}`);
  check(JSON.stringify(row.output)?.includes("hedgehog"), `${row.name}: output lost`);
  check(row.size < 1_000_000, `${row.name}: ${row.size} bytes`);
}
const badRows = await (await fetch(SINK + "/bad")).json();
check(Array.isArray(badRows) && badRows.every((row) => !JSON.stringify(row).includes(run)), "bad rows");
done();
