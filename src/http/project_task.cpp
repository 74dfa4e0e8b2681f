// What browsers and apps ask about a project beside flags: remote config, scripts, the small lists.
#include <optional>

#include "http_task.h"
#include "hogflare/capture.h"
#include "hogflare/flags_responses.h"
#include "hogflare/project_settings.h"
#include "hogflare/url.h"
#include "hogflare/wire.h"
#include "hogflare/memory_limits.h"

namespace hogflare {
namespace {

constexpr std::string_view kJsonType = "application/json";
constexpr std::string_view kScriptType = "application/javascript; charset=utf-8";
// Remote config changes without a deploy; a script without a version in its address with one.
constexpr std::string_view kConfigAge = "public, max-age=300";
constexpr std::string_view kScriptAge = "public, max-age=3600";
constexpr std::string_view kVersionedAge = "public, max-age=31536000, immutable";

class ProjectTask final : public HttpTask {
 public:
  using HttpTask::HttpTask;

  void start(const Turn& turn, Effects& effects) override {
    if (body().size() > limits::kTokenFormBytesMax) {
      return respond(error_reply(
          head(), {ErrorCode::kTooLarge, "the body is a form with the token, of " +
                                             std::to_string(limits::kTokenFormBytesMax) +
                                             " bytes at most"}));
    }
    // A script is the same for every project, and a page may have it from a cache anyway.
    if (route().endpoint == RouteKind::kScript) return start_script(effects);
    if (std::optional<Error> refused = refuse_unusable()) {
      return respond(error_reply(head(), *refused));
    }
    if (state().flags.kv_is_due(turn.now_ms)) {
      kv_effect_ = effects.add(ReadKv{turn.config.flags_kv_key});
      return;
    }
    begin(effects);
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    if (result.id == kv_effect_) {
      kv_effect_ = 0;
      state().flags.take_kv(result, turn.now_ms);
      return begin(effects);
    }
    if (result.id == asset_effect_) respond(answer_asset(std::move(result)));
  }

 private:
  void begin(Effects& effects) {
    const FlagsLease flags = state().flags.lease();
    const project::Settings& settings = flags.settings();
    switch (route().endpoint) {
      case RouteKind::kRemoteConfig:
        return respond(answer_config(flags, kJsonType));
      case RouteKind::kRemoteConfigJs:
        return respond(answer_config(flags, kScriptType));
      case RouteKind::kArrayJs:
        if (std::optional<Reply> refused = refuse_token()) return respond(std::move(*refused));
        config_script_ = project::write_remote_config_script(remote_config(flags));
        asset_effect_ = effects.add(ReadAsset{"/static/array.js"});
        return;
      case RouteKind::kSurveys:
        return respond(answer_surveys(settings));
      case RouteKind::kSiteApp:
        return respond(answer_site_app(settings));
      case RouteKind::kWebExperiments:
        return respond(json_reply(project::write_web_experiments(settings)));
      case RouteKind::kProductTours:
        return respond(json_reply(project::write_product_tours(settings)));
      default:
        return respond(json_reply(project::write_early_access_features(settings)));
    }
  }

  static Reply json_reply(std::string body) {
    return {200, {{"Content-Type", std::string(kJsonType)}}, std::move(body)};
  }

  // --- Remote config ---

  project::RemoteConfig remote_config(const FlagsLease& flags) {
    const bool has_flags = state().flags.has_good_set();
    return {.token = std::string(route().argument),
            .has_feature_flags = !has_flags || !flags.definitions().empty(),
            .session_recording = state().config.session_recording,
            .settings = &flags.settings(),
            .origin = head().origin,
            .referer = head().referer,
            .sdk_version = form_value(head().query, "ver").value_or("")};
  }

  std::optional<Reply> refuse_token() {
    const std::string_view token = route().argument;
    if (token.empty()) return error_reply(head(), ErrorCode::kMissingToken);
    if (!project::is_config_token(token)) {
      return error_reply(head(), {ErrorCode::kParseFailed,
                                  "a token in the path has letters, digits, _ and - only"});
    }
    if (state().config.project_of(token) == nullptr) {
      return error_reply(head(), {ErrorCode::kNotFound, "no project has this token"});
    }
    return std::nullopt;
  }

  Reply answer_config(const FlagsLease& flags, std::string_view type) {
    if (std::optional<Reply> refused = refuse_token()) return std::move(*refused);
    const project::RemoteConfig config = remote_config(flags);
    return of_page(type == kScriptType ? project::write_remote_config_script(config)
                                       : project::write_remote_config(config),
                   type);
  }

  // An answer that may differ by the page that asks.
  Reply of_page(std::string body, std::string_view type) {
    Reply reply{200, {{"Content-Type", std::string(type)}}, std::move(body)};
    reply.headers.push_back({"Cache-Control", std::string(kConfigAge)});
    reply.headers.push_back({"X-Content-Type-Options", "nosniff"});
    reply.headers.push_back({"Cross-Origin-Resource-Policy", "cross-origin"});
    for (Header& header : cors_headers(head())) {
      if (header.name != "Vary") reply.headers.push_back(std::move(header));
    }
    reply.headers.push_back({"Vary", "Origin, Referer"});
    return reply;
  }

  // --- Scripts ---

  // "1.200.0/recorder.js" asks for a release's file; the pinned release answers for all.
  void start_script(Effects& effects) {
    std::string_view file = route().argument;
    const size_t slash = file.find('/');
    if (slash != std::string_view::npos) {
      asked_version_ = file.substr(0, slash);
      file.remove_prefix(slash + 1);
    }
    const bool is_file = file.size() > 3 && file.substr(file.size() - 3) == ".js" &&
                         file.find('/') == std::string_view::npos;
    if (!is_file) {
      return respond(error_reply(
          head(),
          {ErrorCode::kNotFound, "/static/NAME.js and /static/VERSION/NAME.js have scripts"}));
    }
    asset_effect_ = effects.add(ReadAsset{"/static/" + std::string(file)});
  }

  Reply answer_asset(EffectResult result) {
    const std::string& version = state().config.script_version;
    if (!result.ok) {
      return error_reply(head(), {ErrorCode::kObjectUnavailable, "the assets do not answer"});
    }
    if (result.http_status != 200) {
      return error_reply(head(), {ErrorCode::kNotFound, "posthog-js " + version +
                                                            " has no such script, or no assets "
                                                            "are bound as ASSETS"});
    }
    if (route().endpoint == RouteKind::kArrayJs) {
      return array_reply(std::move(config_script_) + result.body);
    }
    return script_reply(std::move(result.body),
                        asked_version_ == version ? kVersionedAge : kScriptAge);
  }

  // The SDK with the project's config before it.
  Reply array_reply(std::string body) {
    std::string etag = flags::etag_of(body);
    const bool is_known = flags::etag_matches(head().if_none_match, etag);
    Reply reply = of_page(is_known ? std::string() : std::move(body), kScriptType);
    if (is_known) reply.status = 304;
    reply.headers.push_back({"ETag", std::move(etag)});
    reply.headers.push_back({"X-Hogflare-Script-Version", state().config.script_version});
    return reply;
  }

  Reply script_reply(std::string body, std::string_view age) {
    const std::string etag = flags::etag_of(body);
    std::vector<Header> headers = {{"ETag", etag},
                                   {"Cache-Control", std::string(age)},
                                   {"Access-Control-Allow-Origin", "*"},
                                   {"Cross-Origin-Resource-Policy", "cross-origin"},
                                   {"X-Content-Type-Options", "nosniff"},
                                   {"X-Hogflare-Script-Version", state().config.script_version}};
    if (flags::etag_matches(head().if_none_match, etag)) return {304, std::move(headers), ""};
    headers.push_back({"Content-Type", std::string(kScriptType)});
    return {200, std::move(headers), std::move(body)};
  }

  // A site app's source finds its posthog instance where posthog-js leaves it.
  Reply answer_site_app(const project::Settings& settings) {
    const std::string_view path = route().argument;
    const std::string_view id = path.substr(0, path.find('/'));
    for (const project::SiteApp& app : settings.site_apps) {
      if (app.id != id) continue;
      return script_reply("(function(posthog){\n" + app.source + "\n})(window[\"__$$ph_site_app_" +
                              app.id + "\"]);\n",
                          kScriptAge);
    }
    return error_reply(head(), {ErrorCode::kNotFound,
                                "no such site app; the document's site_apps "
                                "lists them"});
  }

  // --- Lists ---

  Reply answer_surveys(const project::Settings& settings) {
    std::string token = form_value(head().query, "token").value_or("");
    if (token.empty() && head().method == "POST") token = form_value(body(), "token").value_or("");
    if (token.empty()) return error_reply(head(), ErrorCode::kMissingToken);
    if (!project::is_config_token(token)) {
      return error_reply(head(), {ErrorCode::kParseFailed,
                                  "token has letters, digits, _ and - only, at most 200"});
    }
    return json_reply(project::write_surveys(settings));
  }

  uint32_t kv_effect_ = 0;  // 0: none under way
  uint32_t asset_effect_ = 0;
  std::string config_script_;
  std::string_view asked_version_;
};

}  // namespace

std::unique_ptr<Task> make_project_task(CoreState& state, std::unique_ptr<HttpRequest> request) {
  return std::make_unique<ProjectTask>(state, std::move(request));
}

}  // namespace hogflare
