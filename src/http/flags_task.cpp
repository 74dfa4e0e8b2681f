// Flag endpoints: /flags, /decide, definitions, a flag's payload, OFREP. Evaluation itself is
// src/flags; here is where its inputs come from.
#include <optional>

#include "flag_pages.h"
#include "http_task.h"
#include "hogflare/capture.h"
#include "hogflare/cookieless.h"
#include "hogflare/digest.h"
#include "hogflare/project_settings.h"
#include "hogflare/project_token.h"
#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"
#include "hogflare/flags_responses.h"
#include "hogflare/flags_value.h"
#include "hogflare/memory_share.h"
#include "hogflare/person_state.h"
#include "hogflare/signature.h"
#include "hogflare/text.h"
#include "hogflare/url.h"
#include "hogflare/uuid.h"
#include "hogflare/wire.h"

namespace hogflare {
namespace {

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kNoFlags =
    "The flag definitions could not be read so far; /healthz says why.";

// How many times longer than its document the definitions feed is at most, but for short ones.
constexpr size_t kFeedGrowthMax = 4;

Reply json_reply(std::string body, uint16_t status = 200) {
  return {status, {{"Content-Type", std::string(kJsonType)}}, std::move(body)};
}

class FlagsTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (std::optional<Error> refused = refuse_unusable()) {
      return respond(error_reply(head(), *refused));
    }
    if (state().flags.kv_is_due(turn.now_ms)) {
      kv_effect_ = effects.add(ReadKv{turn.config.flags_kv_key});
      return;
    }
    begin(turn, effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (result.id == kv_effect_) {
      kv_effect_ = 0;
      state().flags.take_kv(result, turn.now_ms);
      return begin(turn, effects);
    }
    if (visitor_ && visitor_->owns(result.id)) {
      visitor_->resume(turn, std::move(result), effects);
      return visitor_known(turn, effects);
    }
    if (lists_.owns(result.id)) {
      lists_.take(turn, result);
      return read_lists(turn, effects);
    }
    if (stored_ && stored_->owns(result.id)) {
      stored_->resume(turn, std::move(result), effects);
      if (stored_->finished()) read_lists(turn, effects);
    }
  }

 private:
  const flags::Definitions& definitions() const { return flags_.definitions(); }

  void begin(const Turn& turn, Effects& effects) {
    flags_ = state().flags.lease();
    has_flags_ = state().flags.has_good_set();
    switch (route().endpoint) {
      case RouteKind::kFlags:
      case RouteKind::kDecide:
        return begin_flags(turn, effects);
      case RouteKind::kOfrepFlags:
      case RouteKind::kOfrepFlag:
        return begin_ofrep(turn, effects);
      case RouteKind::kFlagDefinitions:
        return respond(answer_definitions());
      case RouteKind::kFlagList:
        return respond(answer_list());
      default:
        return respond(answer_payload());
    }
  }

  // --- /flags, /decide ---

  void begin_flags(const Turn& turn, Effects& effects) {
    if (head().method == "HEAD") return respond({200, {}, ""});
    if (head().method == "GET" && !form_value(head().query, "data")) {
      return respond(json_reply(flags::write_minimal_config(response_context(turn, ""))));
    }
    if (auto missing = missing_body()) return respond(error_reply(head(), *missing));
    const Result<Ok> signed_ok = check_given_signature(turn.config);
    if (!signed_ok.ok()) return respond(error_reply(head(), signed_ok.error()));
    Result<std::string> json = decode_flags_body(head(), std::move(body()), memory_);
    if (!json.ok()) return respond(error_reply(head(), json.error()));
    if (auto refused = reserve_request(json.value())) return respond(error_reply(head(), *refused));
    Result<flags::Request> parsed = flags::parse_request(json.value(), request_headers());
    if (!parsed.ok()) return respond(error_reply(head(), parsed.error()));
    request_ = std::move(parsed).value();
    if (std::optional<Error> refused = resolve_project(turn)) {
      return respond(error_reply(head(), *refused));
    }
    request_->only_survey_flags |= query_is_true("only_evaluate_survey_feature_flags");
    request_->only_request_properties |= query_is_true("only_use_override_person_properties");
    fill_geoip();
    find_visitor(turn, effects);
  }

  // Asking needs no signature; one that is given must be right.
  Result<Ok> check_given_signature(const Config& config) {
    return check_signature(head(), body(),
                           {config.signing_secret, true, !config.unsigned_tokens.empty()});
  }

  // The key of a flag with continuity is kept with the person for good, which is writing.
  bool may_write(const Config& config) const {
    return config.signing_secret.empty() || is_signed(head()) ||
           config.unsigned_tokens.contains(request_->token);
  }

  // The body's values, what the request keeps of them, and the properties' texts in small letters,
  // of the two kinds that there are.
  std::optional<Error> reserve_request(std::string_view json) {
    return memory_.hold_more(flag_values_bytes(json, limits::kFlagsRequestNodesMax) +
                             2 * json.size());
  }

  bool query_is_true(std::string_view name) {
    const std::string value = form_value(head().query, name).value_or("");
    return value == "true" || value == "1";
  }

  flags::RequestHeaders request_headers() const {
    return {head().user_agent,
            !head().origin.empty() || !head().referer.empty() || !head().sec_fetch_mode.empty()};
  }

  // The token's project, or why the request is refused.
  std::optional<Error> resolve_project(const Turn& turn) {
    if (std::optional<Error> invalid = check_token(request_->token)) return invalid;
    const bool in_query = !turn.config.signing_secret.empty() && has_query_payload(head());
    if (in_query && turn.config.unsigned_tokens.count(request_->token) == 0) {
      return Error(ErrorCode::kInvalidSignature,
                   "a payload in ?data= is not covered by the signature; send it as the body");
    }
    project_ = turn.config.project_of(request_->token);
    if (project_ == nullptr) return Error(ErrorCode::kUnknownToken);
    return check_origin(*project_, head().origin);
  }

  void fill_geoip() {
    if (request_->geoip_disable) return;
    const EdgeInfo& edge = head().edge;
    const std::pair<std::string_view, std::string_view> known[] = {
        {"$geoip_country_code", edge.country},
        {"$geoip_continent_code", edge.continent},
        {"$geoip_city_name", edge.city},
        {"$geoip_subdivision_1_name", edge.region},
        {"$geoip_subdivision_1_code", edge.region_code},
        {"$geoip_postal_code", edge.postal_code},
        {"$geoip_time_zone", edge.timezone},
    };
    for (const auto& [key, value] : known) {
      if (!value.empty()) request_->fill_person_property(key, value);
    }
  }

  // The placeholder of all cookieless visitors stands for the one who asks.
  void find_visitor(const Turn& turn, Effects& effects) {
    const bool wanted = is_cookieless_placeholder(request_->distinct_id) &&
                        project_->cookieless != CookielessMode::kDisabled;
    if (!wanted) return gather(turn, effects);
    visitor_.emplace(*request_, head(), *project_, state().cookieless_salts);
    visitor_->start(turn, effects);
    visitor_known(turn, effects);
  }

  void visitor_known(const Turn& turn, Effects& effects) {
    if (!visitor_->finished()) return;
    if (!visitor_->error()) return gather(turn, effects);
    const bool is_ofrep =
        route().endpoint == RouteKind::kOfrepFlags || route().endpoint == RouteKind::kOfrepFlag;
    if (visitor_->error()->code != ErrorCode::kCookielessFlags) {
      // Clients of flags repeat a 502, not a 503.
      Reply reply = error_reply(head(), *visitor_->error());
      reply.status = 502;
      return respond(std::move(reply));
    }
    if (!is_ofrep) return respond(error_reply(head(), *visitor_->error()));
    respond(ofrep(flags::write_ofrep_error(flags::OfrepError::kInvalidContext,
                                           visitor_->error()->detail, path_key())));
  }

  // Reads what some evaluated flag needs and the request does not bring.
  void gather(const Turn& turn, Effects& effects) {
    request_->sort();
    flags::Needs wanted = flags::needs(definitions(), *request_);
    // Nobody is the placeholder's person, not even one that an older version made.
    if (is_cookieless_placeholder(request_->distinct_id)) wanted.person = wanted.hash_keys = false;
    if (wanted.nothing() || request_->disable_flags) return evaluate(turn);
    stored_.emplace(project_->team_id, *request_, wanted, definitions(), state().identity, memory_);
    if (!may_write(turn.config)) stored_->only_read();
    lists_.start(std::move(wanted.cohorts), request_->distinct_id, *stored_);
    stored_->start(turn, effects);
    if (stored_->finished()) read_lists(turn, effects);
  }

  void read_lists(const Turn& turn, Effects& effects) {
    if (lists_.advance(turn, effects)) evaluate(turn);
  }

  void evaluate(const Turn& turn) {
    static const flags::StoredState kNothingStored;
    const flags::StoredState& stored = stored_ ? stored_->state() : kNothingStored;
    flags::Evaluation evaluation = flags::evaluate(definitions(), *request_, stored, turn.now_ms);
    // Without a set there are no values; with this mark clients keep those they have.
    if (!has_flags_ && !request_->disable_flags) evaluation.errors_while_computing = true;
    turn.metrics.flag_evaluations += evaluation.results.size();
    for (const flags::FlagResult& result : evaluation.results) {
      turn.metrics.flag_evaluation_errors += result.failed ? 1 : 0;
    }
    switch (route().endpoint) {
      case RouteKind::kOfrepFlags:
        return respond(ofrep_bulk(flags::write_ofrep_flags(evaluation)));
      case RouteKind::kOfrepFlag:
        return respond(ofrep(flags::write_ofrep_flag(evaluation, path_key())));
      case RouteKind::kDecide:
        return respond(answer_decide(turn, evaluation));
      default:
        return respond(answer_flags(turn, evaluation));
    }
  }

  flags::ResponseContext response_context(const Turn& turn, std::string_view token,
                                          bool with_config = true) {
    request_id_ = Uuid::version_7(turn.now_ms, turn.entropy).text();
    flags::ResponseContext context;
    context.request_id = request_id_;
    context.now_ms = turn.now_ms;
    if (with_config) context.config = remote_config(token);
    context.minimal_flag_called_events = flags_.settings().minimal_flag_called_events;
    return context;
  }

  std::string remote_config(std::string_view token) {
    return project::write_remote_config_members(
        {.token = std::string(token),
         .has_feature_flags = !has_flags_ || !definitions().empty(),
         .session_recording = state().config.session_recording,
         .settings = &flags_.settings(),
         .origin = head().origin,
         .referer = head().referer,
         .sdk_version = form_value(head().query, "ver").value_or("")});
  }

  Reply answer_flags(const Turn& turn, const flags::Evaluation& evaluation) {
    const std::optional<std::string> version = query_version();
    const std::optional<std::string> config = form_value(head().query, "config");
    const flags::FlagsAnswer answer = flags::flags_answer(version, config);
    const flags::ResponseContext context =
        response_context(turn, request_->token, answer.with_config);
    return json_reply(flags::write_flags(evaluation, answer.version, context));
  }

  Reply answer_decide(const Turn& turn, const flags::Evaluation& evaluation) {
    const int number = flags::read_version(query_version().value_or("1"));
    return json_reply(
        flags::write_decide(evaluation, number, response_context(turn, request_->token)));
  }

  std::optional<std::string> query_version() const {
    std::optional<std::string> version = form_value(head().query, "v");
    return version ? version : form_value(head().query, "version");
  }

  // --- OFREP ---

  void begin_ofrep(const Turn& turn, Effects& effects) {
    if (auto missing = missing_body()) return respond(error_reply(head(), *missing));
    const Result<Ok> signed_ok = check_given_signature(turn.config);
    if (!signed_ok.ok()) return respond(error_reply(head(), signed_ok.error()));
    if (body().size() > limits::kFlagsWireBytesMax) {
      return respond(error_reply(head(), {ErrorCode::kTooLarge, ""}));
    }
    if (auto refused = memory_.hold(body().size())) return respond(error_reply(head(), *refused));
    if (auto refused = reserve_request(body())) return respond(error_reply(head(), *refused));
    flags::OfrepRequest parsed = flags::parse_ofrep_request(body(), request_headers());
    if (parsed.error != flags::OfrepError::kNone) {
      return respond(ofrep(flags::write_ofrep_error(parsed.error, parsed.detail, path_key())));
    }
    request_ = std::move(parsed.request);
    request_->token = bearer_token();
    if (std::optional<Error> refused = resolve_ofrep_project(turn)) {
      return respond(error_reply(head(), *refused));
    }
    if (!has_flags_) {
      return respond(
          ofrep(flags::write_ofrep_error(flags::OfrepError::kGeneral, kNoFlags, path_key())));
    }
    fill_geoip();
    find_visitor(turn, effects);
  }

  // The flag in the path, where '+' is no space; empty: none is named.
  std::string path_key() const {
    std::string escaped;
    for (const char c : route().argument) escaped.append(c == '+' ? "%2B" : std::string(1, c));
    return decode_form_text(escaped);
  }

  std::string bearer_token() const {
    constexpr std::string_view kBearer = "Bearer ";
    if (head().authorization.substr(0, kBearer.size()) != kBearer) return "";
    return std::string(head().authorization.substr(kBearer.size()));
  }

  // OFREP carries the project's token as Bearer; without configured projects it may be left out.
  std::optional<Error> resolve_ofrep_project(const Turn& turn) {
    project_ = turn.config.project_of("");
    if (project_ == nullptr || !request_->token.empty()) return resolve_project(turn);
    return check_origin(*project_, head().origin);
  }

  Reply ofrep(flags::OfrepResponse response) {
    return json_reply(std::move(response.body), static_cast<uint16_t>(response.status));
  }

  Reply ofrep_bulk(flags::OfrepResponse response) {
    const std::string etag = flags::etag_of(response.body);
    if (response.status == 200 && flags::etag_matches(head().if_none_match, etag)) {
      return {304, {{"ETag", etag}}, ""};
    }
    Reply reply = ofrep(std::move(response));
    reply.headers.push_back({"ETag", etag});
    // Clients in browsers send it back, and may not read it otherwise.
    reply.headers.push_back({"Access-Control-Expose-Headers", "ETag"});
    return reply;
  }

  // --- Definitions ---

  // Django REST framework's error form, which SDKs read.
  static Reply api_error(uint16_t status, std::string_view type, std::string_view code,
                         std::string_view detail) {
    std::string body = "{\"type\":\"";
    body.append(type).append("\",\"code\":\"").append(code).append("\",\"detail\":\"");
    body.append(detail).append("\",\"attr\":null}");
    return json_reply(std::move(body), status);
  }

  static Reply authentication_error(std::string_view code, std::string_view detail) {
    return api_error(401, "authentication_error", code, detail);
  }

  // The project is looked at before the credential. `needed`: whether a token must be there.
  std::optional<Reply> refuse_project(bool needed) {
    std::string token = form_value(head().query, "token").value_or("");
    if (token.empty()) token = std::string(trim_ascii(head().x_posthog_project_api_key));
    if (token.empty() && !needed) return std::nullopt;
    if (token.empty()) {
      return authentication_error("not_authenticated",
                                  "No API token provided; send the project API key as ?token= or "
                                  "in X-PostHog-Project-Api-Key.");
    }
    std::optional<Error> refused = check_token(token);
    if (!refused && state().config.project_of(token) == nullptr) {
      refused = Error(ErrorCode::kUnknownToken);
    }
    if (!refused) return std::nullopt;
    return authentication_error("authentication_failed", error_info(refused->code).meaning);
  }

  // No answer is better than an empty one: clients keep what they have.
  std::optional<Reply> refuse_without_flags() {
    if (has_flags_) return std::nullopt;
    Reply reply = api_error(503, "server_error", "service_unavailable", kNoFlags);
    reply.headers.push_back({"Retry-After", "1"});
    return reply;
  }

  std::optional<Reply> refuse_credential() {
    const std::string given = bearer_token();
    if (given.empty()) {
      return authentication_error("not_authenticated",
                                  "Authentication credentials were not provided.");
    }
    const Config& config = state().config;
    const bool personal =
        !config.personal_api_key.empty() && constant_time_equal(given, config.personal_api_key);
    const bool secret =
        !config.project_secret_key.empty() && constant_time_equal(given, config.project_secret_key);
    if (personal || secret) return std::nullopt;
    return authentication_error(
        "authentication_failed",
        "The key in the Authorization header is neither POSTHOG_PERSONAL_API_KEY nor "
        "POSTHOG_PROJECT_SECRET of this deployment.");
  }

  Reply answer_definitions() {
    // The key is the deployment's, so without several projects it says enough.
    const bool needs_token = state().config.project_of("") == nullptr;
    if (std::optional<Reply> refused = refuse_project(needs_token)) return std::move(*refused);
    if (std::optional<Reply> refused = refuse_credential()) return std::move(*refused);
    if (std::optional<Reply> refused = refuse_without_flags()) return std::move(*refused);
    if (auto refused = memory_.hold(kFeedGrowthMax * definitions().document_bytes())) {
      return error_reply(head(), *refused);
    }
    const std::optional<std::string> send = form_value(head().query, "send_cohorts");
    const bool send_cohorts = send.has_value() && *send != "false" && *send != "0";
    std::string body = flags::write_definitions(
        definitions(), send_cohorts ? flags::Cohorts::kSend : flags::Cohorts::kExpandInline,
        flags_.settings().minimal_flag_called_events ? flags::FlagCalledEvents::kMinimal
                                                     : flags::FlagCalledEvents::kFull);
    const std::string etag = flags::etag_of(body);
    const std::vector<Header> headers = {{"ETag", etag},
                                         {"Cache-Control", "private, must-revalidate"}};
    if (flags::etag_matches(head().if_none_match, etag)) return {304, headers, ""};
    Reply reply = json_reply(std::move(body));
    reply.headers.insert(reply.headers.end(), headers.begin(), headers.end());
    return reply;
  }

  Reply answer_list() {
    if (std::optional<Reply> refused = refuse_project(false)) return std::move(*refused);
    if (std::optional<Reply> refused = refuse_credential()) return std::move(*refused);
    if (std::optional<Reply> refused = refuse_without_flags()) return std::move(*refused);
    const flags::FlagListQuery query = read_flag_list_query(head().query);
    const flags::FlagListPage page = flags::write_flag_list(definitions(), query);
    std::string url = std::string(head().own_origin).append(request().url_path);
    if (!head().query.empty()) url.append("?").append(head().query);
    return json_reply(flags::write_flag_list_answer(page, next_page(url, query, page.count),
                                                    previous_page(url, query)));
  }

  Reply answer_payload() {
    if (std::optional<Reply> refused = refuse_project(false)) return std::move(*refused);
    if (std::optional<Reply> refused = refuse_credential()) return std::move(*refused);
    if (std::optional<Reply> refused = refuse_without_flags()) return std::move(*refused);
    std::optional<std::string> payload =
        flags::write_remote_config_payload(definitions(), path_key());
    if (!payload) {
      return api_error(404, "invalid_request", "not_found", "There is no such flag.");
    }
    return json_reply(std::move(*payload));
  }

  MemoryShare memory_{state().request_memory_bytes};
  CohortListsRun lists_{state().cohort_lists, memory_};
  uint32_t kv_effect_ = 0;
  FlagsLease flags_;
  bool has_flags_ = true;
  std::optional<flags::Request> request_;
  const Project* project_ = nullptr;
  std::optional<CookielessFlagsRun> visitor_;
  std::optional<StoredStateRun> stored_;
  std::string request_id_;
};

}  // namespace

std::unique_ptr<Task> make_flags_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<FlagsTask>(state, std::move(request));
}

}  // namespace hogflare
