// Answers as the public interfaces of OpenAI and Anthropic do, always the same; for the wrappers of their
// clients. Run by itself it prints its address and serves until it is ended.
import { createServer } from "node:http";

const USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
const TEXT = "Ein Tier.";

/** One chunk of a streamed chat. */
const chunk = (delta, more = {}) => ({
  id: "chat-1",
  object: "chat.completion.chunk",
  created: 1,
  model: "gpt-5",
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
});

/** @type {Record<string, object>} */
const ANSWERS = {
  "/v1/chat/completions": {
    id: "chat-1",
    object: "chat.completion",
    created: 1,
    model: "gpt-5",
    choices: [{ index: 0, message: { role: "assistant", content: TEXT }, finish_reason: "stop" }],
    usage: USAGE,
  },
  "/v1/responses": {
    id: "resp-1",
    object: "response",
    created_at: 1,
    status: "completed",
    model: "gpt-5",
    output: [
      {
        type: "message",
        id: "msg-1",
        role: "assistant",
        status: "completed",
        content: [{ type: "output_text", text: TEXT, annotations: [] }],
      },
    ],
    usage: { input_tokens: 9, output_tokens: 3, total_tokens: 12 },
  },
  "/v1/embeddings": {
    object: "list",
    model: "embed",
    data: [{ object: "embedding", index: 0, embedding: [0.5, 0.25] }],
    usage: { prompt_tokens: 2, total_tokens: 2 },
  },
  "/v1/messages": {
    id: "msg-1",
    type: "message",
    role: "assistant",
    model: "claude",
    content: [{ type: "text", text: TEXT }],
    stop_reason: "end_turn",
    stop_sequence: null,
    usage: { input_tokens: 9, output_tokens: 3 },
  },
};

/** Starts on a free port of the loopback interface. */
export async function startModels() {
  const server = createServer(async (request, response) => {
    let text = "";
    for await (const part of request) text += part;
    const { pathname } = new URL(request.url ?? "", "http://x");
    const answer = ANSWERS[pathname];
    if (answer === undefined) return response.writeHead(404).end();
    if (pathname === "/v1/chat/completions" && JSON.parse(text).stream) {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const parts = [chunk({ role: "assistant", content: "Ein " }), chunk({ content: "Tier." })];
      for (const part of [...parts, chunk({}, { choices: [], usage: USAGE })]) response.write(`data: ${JSON.stringify(part)}\n\n`);
      return response.end("data: [DONE]\n\n");
    }
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", () => done(undefined)));
  const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
  return { url: `http://127.0.0.1:${port}`, stop: () => server.close() };
}
