// POST /mcp: the Model Context Protocol over streamable HTTP, every answer one JSON text
// (modelcontextprotocol.io/specification/2025-11-25/basic/transports). There are no sessions and no
// streams: nothing is remembered between two messages. A tool is a request of this Worker's own.
#include <fmt/format.h>

#include <algorithm>

#include "asking.h"
#include "hogflare/insights_limits.h"
#include "hogflare/limits.h"
#include "hogflare/memory_share.h"
#include "hogflare/version.h"
#include "http/mcp_limits.h"
#include "http/mcp_resources.h"
#include "http/mcp_tools.h"
#include "http_task.h"
#include "json/dom.h"

namespace hogflare {
namespace {

using mcp::Json;

// Newest first: a client that names none of them is offered the first.
constexpr std::string_view kVersions[] = {"2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"};
// The one version with batches, and the one a client means that names none (2025-11-25,
// basic/transports, "Protocol Version Header").
constexpr std::string_view kVersionOfBatches = "2025-03-26";
// From here on a tool's wrong arguments are its answer, so that a model can mend them (SEP-1303).
constexpr std::string_view kVersionOfMending = "2025-11-25";

constexpr std::string_view kInstructions =
    "Product analytics of one project. Ask events and properties for the names that exist, then "
    "query with "
    "PostHog's query JSON (hogflare://recipes has examples) or sql (hogflare://schema has the "
    "tables). Data "
    "arrives some minutes after the events. Refusals say what to change.";

// JSON-RPC 2.0, section 5.1.
constexpr int kParseError = -32700;
constexpr int kInvalidRequest = -32600;
constexpr int kMethodNotFound = -32601;
constexpr int kInvalidParams = -32602;
// The protocol's own: server/resources, "Error Handling".
constexpr int kResourceNotFound = -32002;

Json error_of(const Json& id, int code, std::string_view sentence, Json data = nullptr) {
  Json error = {{"code", code}, {"message", sentence}};
  if (!data.is_null()) error["data"] = std::move(data);
  return {{"jsonrpc", "2.0"}, {"id", id}, {"error", std::move(error)}};
}

Json result_of(const Json& id, Json result) {
  return {{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(result)}};
}

Json tool_answer(std::string text, bool is_error) {
  return {{"content", Json::array({{{"type", "text"}, {"text", std::move(text)}}})},
          {"isError", is_error}};
}

bool is_known_version(std::string_view version) {
  return std::find(std::begin(kVersions), std::end(kVersions), version) != std::end(kVersions);
}

bool accepts_json(std::string_view accept) {
  return accept.empty() || accept.find("application/json") != std::string_view::npos ||
         accept.find("application/*") != std::string_view::npos ||
         accept.find("*/*") != std::string_view::npos;
}

// Whether the page that sent the request, if one did, is this Worker's own. Over plain http a name
// may be somebody else's that leads here (DNS rebinding), so that there only this machine's own
// names count.
bool is_own_page(const ConsoleHead& head) {
  if (head.origin.empty()) return true;
  if (head.origin != head.own_origin) return false;
  constexpr std::string_view kHttp = "http://";
  if (head.origin.substr(0, kHttp.size()) != kHttp) return true;
  std::string_view host = head.origin.substr(kHttp.size());
  if (const size_t port = host.rfind(':'); port != std::string_view::npos && host.back() != ']') {
    host = host.substr(0, port);
  }
  return host == "localhost" || host == "127.0.0.1" || host == "[::1]";
}

// What a request of this Worker's own was refused with: its sentence, and what its checker says.
std::string sentence_of(const Reply& reply) {
  const Json body = json::dom_of<Json>(reply.body);
  if (!body.is_object() || !body.contains("detail") || !body["detail"].is_string()) {
    return fmt::format("refused with {}: {}", reply.status, reply.body.substr(0, 1000));
  }
  std::string sentence = body["detail"].get<std::string>();
  if (body.contains("problems")) sentence += ": " + json::text_of(body["problems"]);
  return sentence;
}

class McpTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (std::optional<Reply> refused = admit()) return respond(std::move(*refused));
    if (std::optional<Reply> refused = read_messages()) return respond(std::move(*refused));
    go_on(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (finished() || inner_ == nullptr) return;
    inner_->resume(turn, std::move(result), effects);
    if (!inner_->finished()) return;
    take_inner();
    go_on(turn, effects);
  }

 private:
  // --- The request ---

  Reply refusal(uint16_t status, int code, std::string_view sentence, Json data = nullptr) const {
    Reply reply = json_answer(json::text_of(error_of(nullptr, code, sentence, std::move(data))));
    reply.status = status;
    if (status == 401) reply.headers.push_back({"WWW-Authenticate", "Bearer"});
    return reply;
  }

  std::optional<Reply> admit() {
    const ConsoleHead& more = request().console;
    if (!is_own_page(more)) {
      return refusal(403, kInvalidRequest,
                     "another site's page may not ask: its Origin is not this host's");
    }
    // A cookie is no credential here: clients of this protocol are no pages.
    const bool is_admin = bears(head(), config_.admin_token);
    const bool is_reader = bears(head(), config_.personal_api_key);
    const bool is_viewer = bears(head(), config_.viewer_token);
    if (!is_admin && !is_reader && !is_viewer) {
      return refusal(
          401, kInvalidRequest,
          "send Authorization: Bearer with a personal API key, the admin's or a viewer's token");
    }
    role_ = is_admin ? console::Role::kAdmin : console::Role::kViewer;
    if (std::optional<Error> unusable = refuse_unusable()) {
      return refusal(503, kInvalidRequest, unusable->detail);
    }
    if (!accepts_json(more.accept)) {
      return refusal(
          406, kInvalidRequest,
          "answers are application/json: send Accept: application/json, text/event-stream");
    }
    if (head().content_type.substr(0, 16) != "application/json") {
      return refusal(415, kInvalidRequest, "send Content-Type: application/json");
    }
    return admit_body();
  }

  std::optional<Reply> admit_body() {
    if (std::optional<Error> missing = missing_body();
        missing && missing->code == ErrorCode::kMemoryBusy) {
      return refusal(503, kInvalidRequest, missing->detail);
    }
    if (missing_body() || body().size() > limits::kMcpBodyBytesMax) {
      return refusal(413, kInvalidRequest,
                     fmt::format("a message may have {} bytes", limits::kMcpBodyBytesMax));
    }
    if (!head().content_encoding.empty() && head().content_encoding != "identity") {
      return refusal(415, kInvalidRequest, "send the message as it is, without Content-Encoding");
    }
    const std::optional<size_t> bytes = json::dom_bytes(body());
    if (!bytes) {
      return refusal(400, kParseError,
                     fmt::format("a message may nest {} levels and hold {} values, with some "
                                 "20,000 members in one object",
                                 limits::kJsonDepthMax, limits::kDomValuesMax));
    }
    // The message as a tree, and what a tool makes of it.
    if (auto refused = memory_.hold(*bytes + 2 * body().size())) {
      if (refused->code != ErrorCode::kMemoryBusy) {
        return refusal(413, kInvalidRequest, "the message holds more than there is memory for");
      }
      return refusal(503, kInvalidRequest,
                     "other requests take the memory that this one needs: ask again");
    }
    return std::nullopt;
  }

  // The message, or those of a batch, into messages_.
  std::optional<Reply> read_messages() {
    Json parsed = json::dom_of<Json>(body());
    body() = std::string();
    if (parsed.is_discarded()) return refusal(400, kParseError, "the body is not JSON");
    const std::string_view named = request().mcp_protocol_version;
    version_ = named.empty() ? kVersionOfBatches : named;
    const bool begins = parsed.is_object() && parsed.value("method", Json()) == "initialize";
    if (!begins && !is_known_version(version_)) {
      return refusal(400, kInvalidRequest,
                     "MCP-Protocol-Version names a version that is not spoken here",
                     {{"supported", kVersions}});
    }
    if (!parsed.is_array()) {
      messages_.push_back(std::move(parsed));
      return std::nullopt;
    }
    is_batch_ = true;
    if (version_ != kVersionOfBatches) {
      return refusal(400, kInvalidRequest,
                     "this version of the protocol has no batches: send one message");
    }
    if (parsed.empty() || parsed.size() > limits::kMcpBatchMax) {
      return refusal(400, kInvalidRequest,
                     fmt::format("a batch holds 1 to {} messages", limits::kMcpBatchMax));
    }
    for (Json& message : parsed) messages_.push_back(std::move(message));
    return std::nullopt;
  }

  // --- Messages, one after another ---

  void go_on(const Turn& turn, Effects& effects) {
    while (inner_ == nullptr && next_ < messages_.size()) {
      handle(messages_[next_++], turn, effects);
    }
    if (inner_ == nullptr) conclude();
  }

  void conclude() {
    if (is_invalid_ && !is_batch_) {
      Reply reply = json_answer(json::text_of(answers_[0]));
      reply.status = 400;
      return respond(std::move(reply));
    }
    // Notifications and answers to what was never asked have no answer.
    if (answers_.empty()) return respond({202, {{"Cache-Control", "no-store"}}, ""});
    respond(json_answer(json::text_of(is_batch_ ? Json(std::move(answers_)) : answers_[0])));
  }

  void refuse(const Json& id, int code, std::string_view sentence, Json data = nullptr) {
    answers_.push_back(error_of(id, code, sentence, std::move(data)));
  }

  void handle(const Json& message, const Turn& turn, Effects& effects) {
    const bool is_message = message.is_object() && message.value("jsonrpc", Json()) == "2.0";
    const bool is_answer = is_message && !message.contains("method") &&
                           (message.contains("result") || message.contains("error"));
    if (is_answer) return;
    if (!is_message || !message.contains("method") || !message["method"].is_string()) {
      is_invalid_ = true;
      return refuse(nullptr, kInvalidRequest,
                    "a message is {\"jsonrpc\": \"2.0\", \"id\": 1, \"method\": \"tools/list\"}");
    }
    if (!message.contains("id")) return;
    const Json& id = message["id"];
    if (!id.is_string() && !id.is_number_integer()) {
      is_invalid_ = true;
      return refuse(nullptr, kInvalidRequest, "id must be a text or a whole number");
    }
    const auto params = message.find("params");
    if (params != message.end() && !params->is_object()) {
      return refuse(id, kInvalidParams, "params must be an object");
    }
    answer(id, message["method"].get_ref<const std::string&>(),
           params == message.end() ? none_ : *params, turn, effects);
  }

  void answer(const Json& id, const std::string& method, const Json& params, const Turn& turn,
              Effects& effects) {
    const auto give = [&](Json result) { answers_.push_back(result_of(id, std::move(result))); };
    if (method == "tools/call") return call(id, params, turn, effects);
    if (method == "initialize") return initialize(id, params);
    if (method == "ping") return give(Json::object());
    if (method == "resources/read") return read_resource(id, params);
    const bool is_list = method == "tools/list" || method == "resources/list" ||
                         method == "resources/templates/list";
    if (!is_list) {
      return refuse(id, kMethodNotFound,
                    fmt::format("there is no method '{}' here", method.substr(0, 100)));
    }
    if (params.contains("cursor")) {
      return refuse(id, kInvalidParams, "cursor is none that was given out: lists are whole");
    }
    if (method == "tools/list") return give({{"tools", mcp::list_tools(may_write())}});
    if (method == "resources/list") return give({{"resources", mcp::list_resources()}});
    give({{"resourceTemplates", Json::array()}});
  }

  void initialize(const Json& id, const Json& params) {
    if (is_batch_) return refuse(id, kInvalidRequest, "initialize must not be part of a batch");
    const auto asked = params.find("protocolVersion");
    if (asked == params.end() || !asked->is_string()) {
      return refuse(id, kInvalidParams, "protocolVersion must be a text such as \"2025-11-25\"",
                    {{"supported", kVersions}});
    }
    const std::string& version = asked->get_ref<const std::string&>();
    const Json capabilities = {{"tools", {{"listChanged", false}}},
                               {"resources", {{"subscribe", false}, {"listChanged", false}}}};
    answers_.push_back(result_of(
        id,
        {{"protocolVersion", is_known_version(version) ? std::string_view(version) : kVersions[0]},
         {"capabilities", capabilities},
         {"serverInfo", {{"name", "hogflare"}, {"title", "Hogflare"}, {"version", kVersion}}},
         {"instructions", kInstructions}}));
  }

  void read_resource(const Json& id, const Json& params) {
    const auto uri = params.find("uri");
    if (uri == params.end() || !uri->is_string()) {
      return refuse(id, kInvalidParams, "uri must name a resource, such as hogflare://schema");
    }
    if (std::optional<Json> found = mcp::read_resource(uri->get_ref<const std::string&>())) {
      answers_.push_back(result_of(id, std::move(*found)));
      return;
    }
    refuse(id, kResourceNotFound, "there is no such resource: resources/list names them",
           {{"uri", uri->get_ref<const std::string&>().substr(0, 200)}});
  }

  // --- Tools ---

  bool may_write() const {
    const auto& bindings = config_.bindings;
    return role_ == console::Role::kAdmin && !config_.flags_kv_key.empty() &&
           std::find(bindings.begin(), bindings.end(), "FLAGS") != bindings.end();
  }

  void refuse_arguments(const Json& id, std::string_view sentence) {
    if (version_ < kVersionOfMending) return refuse(id, kInvalidParams, sentence);
    answers_.push_back(result_of(id, tool_answer(std::string(sentence), true)));
  }

  void call(const Json& id, const Json& params, const Turn& turn, Effects& effects) {
    const auto name = params.find("name");
    if (name == params.end() || !name->is_string()) {
      return refuse(id, kInvalidParams, "name must be a tool's: tools/list names them");
    }
    const auto given = params.find("arguments");
    const Json& arguments = given == params.end() || given->is_null() ? none_ : *given;
    const Project* project = project_of(arguments);
    auto made = mcp::make_call(name->get_ref<const std::string&>(), arguments,
                               project == nullptr ? 0 : project->team_id);
    if (const auto* wrong = std::get_if<mcp::WrongArguments>(&made)) {
      if (wrong->is_unknown_tool) return refuse(id, kInvalidParams, wrong->sentence);
      return refuse_arguments(id, wrong->sentence);
    }
    if (project == nullptr) {
      return refuse_arguments(
          id, "team_id must name a project of this deployment, which has several or another");
    }
    id_ = id;
    inner_ = make_inner(std::move(std::get<mcp::Call>(made)));
    inner_->start(turn, effects);
    if (inner_->finished()) take_inner();
  }

  // The arguments' project, or the only one there is.
  const Project* project_of(const Json& arguments) {
    const bool is_named = arguments.is_object() && arguments.contains("team_id") &&
                          arguments["team_id"].is_number_integer();
    return asked_project(config_,
                         is_named ? json::text_of(arguments["team_id"]) : std::string("@current"));
  }

  // The request a tool stands for, with the caller's own credential: its task decides as it always
  // does.
  std::unique_ptr<Task> make_inner(mcp::Call call) {
    auto inner = std::make_unique<HttpRequest>();
    std::string& text = inner->input.head;
    text = call.path + '\0' + call.query + '\0' + call.if_match + '\0' +
           std::string(head().authorization);
    const std::string_view all = text;
    RequestHead& into = inner->head;
    size_t at = 0;
    const auto take = [&all, &at](size_t size) {
      const std::string_view field = all.substr(at, size);
      at += size + 1;
      return field;
    };
    into.path = take(call.path.size());
    into.query = take(call.query.size());
    inner->console.if_match = take(call.if_match.size());
    into.authorization = take(head().authorization.size());
    into.method = call.method;
    into.content_type = "application/json";
    inner->url_path = into.path;
    inner->input.body = std::move(call.body);
    inner->vouched_for = role_;
    inner->who = "by /mcp";
    inner->route = find_route(into.path);
    return inner->route.endpoint == RouteKind::kConsole
               ? make_console_task(state(), std::move(inner))
               : make_query_task(state(), std::move(inner));
  }

  void take_inner() {
    const Reply& reply = inner_->reply();
    const bool is_good = reply.status == 200;
    std::string text = is_good ? reply.body : sentence_of(reply);
    inner_.reset();
    if (text.size() > limits::kMcpAnswerBytesMax) {
      return answers_.push_back(result_of(
          id_, tool_answer(
                   fmt::format("the answer has {} bytes, and a tool gives at most {}: ask for less "
                               "by limit, a shorter time, or fewer values",
                               text.size(), limits::kMcpAnswerBytesMax),
                   true)));
    }
    if (memory_.hold_more(text.size() * limits::kQueryReplyMemoryShare)) {
      return answers_.push_back(result_of(
          id_,
          tool_answer("other requests take the memory that this answer needs: ask again", true)));
    }
    answers_.push_back(result_of(id_, tool_answer(std::move(text), !is_good)));
  }

  const Config& config_ = state().config;
  const Json none_ = Json::object();
  MemoryShare memory_{state().request_memory_bytes};
  console::Role role_ = console::Role::kNobody;
  std::string_view version_;
  std::vector<Json> messages_;
  size_t next_ = 0;
  bool is_batch_ = false;
  bool is_invalid_ = false;
  std::vector<Json> answers_;
  Json id_;  // of the call under way
  std::unique_ptr<Task> inner_;
};

}  // namespace

std::unique_ptr<Task> make_mcp_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<McpTask>(state, std::move(request));
}

}  // namespace hogflare
