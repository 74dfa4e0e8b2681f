// What PostHog keeps as a project's settings beside its flags, and tells browsers and apps: remote
// config, surveys, early access features, web experiments, product tours and site apps. They are
// members of the document that holds the flags (flags.h), so one KV key, variable or file has all.
//
//   {"flags": […],
//    "remote_config": {"sessionRecording": {"sampleRate": "0.50"}, "captureDeadClicks": true},
//    "surveys": […], "survey_config": {…}, "early_access_features": […], "web_experiments": […],
//    "product_tours": […], "site_apps": [{"id": "banner", "source": "…"}]}
//
//   const Settings settings = read_settings(document);
//   std::string body = write_remote_config({.settings = &settings, .token = "phc_…"});
//
// Names and types are those of posthog-js's own declarations (@posthog/browser-common,
// types/remote-config.d.ts). A wrong part is left out and named in `problems`; the rest stays.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/flags.h"

namespace hogflare::project {

// A script of the operator's own that posthog-js loads when the site opted in to site apps.
struct SiteApp {
  std::string id;      // [A-Za-z0-9_-]
  std::string source;  // JavaScript: `({init}) => …` as PostHog's site apps are
  std::string hash;    // of the source, in the app's address
};

struct Settings {
  // Members of remote_config as checked JSON texts by name, without sessionRecording.
  std::map<std::string, std::string, std::less<>> config;
  // remote_config.sessionRecording as it is told: "false" or an object with every default filled
  // in; nullopt: the document has none.
  std::optional<std::string> session_recording;
  // Origins whose pages are recorded (sessionRecording.domains); empty: any.
  std::vector<std::string> recording_domains;
  // JSON texts: lists, and survey_config's object or "null".
  std::string surveys = "[]";
  std::string survey_config = "null";
  std::string early_access_features = "[]";
  std::string web_experiments = "[]";
  std::string product_tours = "[]";
  // remote_config.minimalFlagCalledEvents: SDKs send $feature_flag_called with little beside the
  // flag.
  bool minimal_flag_called_events = false;
  bool has_surveys = false;
  bool has_product_tours = false;
  std::vector<SiteApp> site_apps;
  // What is wrong with single parts, in document order; an error is a part that was left out.
  std::vector<flags::Problem> problems;
};

// Names of the members above.
inline constexpr std::string_view kSettingsMembers[] = {
    "remote_config",   "surveys",       "survey_config", "early_access_features",
    "web_experiments", "product_tours", "site_apps"};
// Reads them of a document that flags::Definitions::parse took. A document that is a list has none.
Settings read_settings(std::string_view document);
// What HOGFLARE_SESSION_RECORDING alone means: everything at its default.
std::string default_session_recording();

// --- What clients are told ----------------------------------------------------------------------

// One answer's circumstances.
struct RemoteConfig {
  std::string token;
  bool has_feature_flags = false;
  bool session_recording = false;  // HOGFLARE_SESSION_RECORDING: on where the document says nothing
  const Settings* settings = nullptr;  // null: no document
  // The asking page, for sessionRecording.domains.
  std::string_view origin = {};
  std::string_view referer = {};
  // posthog-js's own, where the request says it (?ver=); empty: not known.
  std::string sdk_version = {};
};

// GET /array/{token}/config
std::string write_remote_config(const RemoteConfig& config);
// GET /array/{token}/config.js
std::string write_remote_config_script(const RemoteConfig& config);
// The members alone, without braces, as they are merged into /flags and /decide.
std::string write_remote_config_members(const RemoteConfig& config);
// Whether `token` may stand in the path: [A-Za-z0-9_-], at most 200 bytes, not empty.
bool is_config_token(std::string_view token);

// GET /api/surveys, /api/web_experiments, /api/early_access_features, /api/product_tours
std::string write_surveys(const Settings& settings);
std::string write_web_experiments(const Settings& settings);
std::string write_early_access_features(const Settings& settings);
std::string write_product_tours(const Settings& settings);

}  // namespace hogflare::project
