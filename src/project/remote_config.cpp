// What clients are told about a project. Sources: posthog-js, types/remote-config.d.ts of
// @posthog/browser-common, and what it asks for when a field is there (`surveys: false` makes it
// load the surveys script, so a field that is off is left out).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "flags/json_writer.h"
#include "hogflare/project_settings.h"

namespace hogflare::project {
namespace {

using flags::JsonWriter;

struct Default {
  std::string_view name;
  std::string_view json;
};
constexpr Default kConfigDefaults[] = {
    {"autocapture_opt_out", "false"},
    {"captureDeadClicks", "false"},
    {"capturePerformance", "false"},
    {"autocaptureExceptions", "false"},
    {"heatmaps", "false"},
    {"defaultIdentifiedOnly", "true"},
};

// "https://www.example.com/shop?x" as "https://www.example.com".
std::string_view origin_of(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  return url.substr(0, url.find_first_of("/?#", scheme + 3));
}

// Whether a page of this origin is named: as an origin, or as a host, which may begin with "*."
// (PostHog's recording domains, on_permitted_recording_domain).
bool names(std::string_view domain, std::string_view origin) {
  while (!domain.empty() && domain.back() == '/') domain.remove_suffix(1);
  if (domain == origin) return true;
  std::string_view host = origin.substr(origin.find("://") + 3);
  const size_t scheme = domain.find("://");
  if (scheme != std::string_view::npos) {
    if (origin.substr(0, scheme + 3) != domain.substr(0, scheme + 3)) return false;
    domain.remove_prefix(scheme + 3);
  }
  if (domain == host) return true;
  host = host.substr(0, host.rfind(':'));
  if (domain == host) return true;
  if (domain.substr(0, 2) != "*.") return false;
  domain.remove_prefix(1);
  return host.size() > domain.size() && host.substr(host.size() - domain.size()) == domain;
}

bool is_recorded_here(const RemoteConfig& config) {
  const std::vector<std::string>& domains = config.settings->recording_domains;
  if (domains.empty()) return true;
  const std::string_view page =
      config.origin.empty() ? origin_of(config.referer) : origin_of(config.origin);
  return !page.empty() && std::any_of(domains.begin(), domains.end(),
                                      [page](const auto& domain) { return names(domain, page); });
}

std::string session_recording(const RemoteConfig& config) {
  const bool has_own = config.settings != nullptr && config.settings->session_recording.has_value();
  if (has_own) return is_recorded_here(config) ? *config.settings->session_recording : "false";
  static const std::string kByDefault = default_session_recording();
  return config.session_recording ? kByDefault : "false";
}

// The pinned surveys script needs PostHogPersistence.get_property, which posthog-js has
// since 1.131; in an older page it would only fill the console.
bool can_show_surveys(std::string_view sdk_version) {
  constexpr std::string_view kMajor = "1.";
  constexpr int kFirstMinor = 131;
  if (sdk_version.substr(0, kMajor.size()) != kMajor) return true;
  sdk_version.remove_prefix(kMajor.size());
  int minor = 0;
  const auto [end, error] =
      std::from_chars(sdk_version.data(), sdk_version.data() + sdk_version.size(), minor);
  return error != std::errc() || minor >= kFirstMinor;
}

void write_site_apps(JsonWriter& json, const RemoteConfig& config) {
  json.key("siteApps").open_array();
  if (config.settings != nullptr) {
    for (const SiteApp& app : config.settings->site_apps) {
      json.open_object().key("id").text(app.id);
      json.key("url").text("/site_app/" + app.id + "/" + app.hash + "/").close_object();
    }
  }
  json.close_array();
}

void write_members(JsonWriter& json, const RemoteConfig& config) {
  json.key("token").text(config.token);
  json.key("supportedCompression").open_array().text("gzip").text("gzip-js").close_array();
  json.key("hasFeatureFlags").boolean(config.has_feature_flags);
  json.key("analytics").open_object().key("endpoint").text("/i/v0/e/").close_object();
  json.key("elementsChainAsString").boolean(true);
  for (const Default& each : kConfigDefaults) {
    const bool is_set = config.settings != nullptr && config.settings->config.count(each.name) > 0;
    if (!is_set) json.key(each.name).raw(each.json);
  }
  if (config.settings != nullptr) {
    for (const auto& [name, value] : config.settings->config) json.key(name).raw(value);
    if (config.settings->has_surveys && can_show_surveys(config.sdk_version)) {
      json.key("surveys").raw(config.settings->surveys);
      if (config.settings->survey_config != "null") {
        json.key("survey_config").raw(config.settings->survey_config);
      }
    }
    if (config.settings->has_product_tours) json.key("productTours").boolean(true);
  }
  json.key("sessionRecording").raw(session_recording(config));
  write_site_apps(json, config);
  json.key("isAuthenticated").boolean(false);
  json.key("toolbarParams").open_object().close_object();
}

}  // namespace

std::string write_remote_config_members(const RemoteConfig& config) {
  const std::string object = write_remote_config(config);
  return object.substr(1, object.size() - 2);
}

std::string write_remote_config(const RemoteConfig& config) {
  JsonWriter json;
  json.open_object();
  write_members(json, config);
  return json.close_object().take();
}

std::string write_remote_config_script(const RemoteConfig& config) {
  std::string token;
  flags::append_json_string(config.token, token);
  return fmt::format(
      "(function() {{\n"
      "  window._POSTHOG_REMOTE_CONFIG = window._POSTHOG_REMOTE_CONFIG || {{}};\n"
      "  window._POSTHOG_REMOTE_CONFIG[{}] = {{\n"
      "    config: {},\n"
      "    siteApps: []\n"
      "  }};\n"
      "}})();\n",
      token, write_remote_config(config));
}

std::string write_surveys(const Settings& settings) {
  return "{\"surveys\":" + settings.surveys + ",\"survey_config\":" + settings.survey_config + "}";
}

std::string write_web_experiments(const Settings& settings) {
  return "{\"experiments\":" + settings.web_experiments + "}";
}

std::string write_early_access_features(const Settings& settings) {
  return "{\"earlyAccessFeatures\":" + settings.early_access_features + "}";
}

std::string write_product_tours(const Settings& settings) {
  return "{\"product_tours\":" + settings.product_tours + "}";
}

}  // namespace hogflare::project
