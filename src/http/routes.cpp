#include "hogflare/routes.h"

#include <iterator>

namespace hogflare {
namespace {

struct Fixed {
  std::string_view path;
  Route route;
};

constexpr uint8_t kGetPost = kGet | kPost;
constexpr uint8_t kGetHead = kGet | kHead;
constexpr uint8_t kAny = kGet | kPost | kHead;

constexpr Fixed kFixed[] = {
    {"/e", {Endpoint::kCapture, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/i/v0/e", {Endpoint::kCapture, kGetPost, MetricRoute::kCapture, false, {}}},
    {"/batch", {Endpoint::kCapture, kGetPost, MetricRoute::kCapture, false, {}}},
    {"/capture", {Endpoint::kCapture, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/track", {Endpoint::kCapture, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/engage", {Endpoint::kEngage, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/identify", {Endpoint::kSeedIdentify, kPost, MetricRoute::kCapture, true, {}}},
    {"/alias", {Endpoint::kSeedAlias, kPost, MetricRoute::kCapture, true, {}}},
    {"/groups", {Endpoint::kSeedGroups, kPost, MetricRoute::kCapture, true, {}}},
    {"/i/v0/ai/batch", {Endpoint::kCapture, kPost, MetricRoute::kAiCapture, false, {}}},
    {"/s", {Endpoint::kReplay, kPost, MetricRoute::kReplay, false, {}}},
    {"/i/v1/analytics/events", {Endpoint::kCaptureV1, kPost, MetricRoute::kCaptureV1, false, {}}},
    {"/flags", {Endpoint::kFlags, kAny, MetricRoute::kFlags, false, {}}},
    {"/decide", {Endpoint::kDecide, kAny, MetricRoute::kFlags, false, {}}},
    {"/flags/definitions",
     {Endpoint::kFlagDefinitions, kGetHead, MetricRoute::kFlagDefinitions, false, {}}},
    {"/api/feature_flag/local_evaluation",
     {Endpoint::kFlagDefinitions, kGetHead, MetricRoute::kFlagDefinitions, false, {}}},
    {"/api/surveys", {Endpoint::kSurveys, kAny, MetricRoute::kRemoteConfig, false, {}}},
    {"/surveys", {Endpoint::kSurveys, kAny, MetricRoute::kRemoteConfig, false, {}}},
    {"/api/web_experiments",
     {Endpoint::kWebExperiments, kGetHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/api/early_access_features",
     {Endpoint::kEarlyAccess, kGetHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/ofrep/v1/evaluate/flags", {Endpoint::kOfrepFlags, kPost, MetricRoute::kFlags, false, {}}},
    {"/healthz", {Endpoint::kHealth, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/", {Endpoint::kLiveness, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/_liveness", {Endpoint::kLiveness, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/_readiness", {Endpoint::kLiveness, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/metrics", {Endpoint::kMetrics, kGetHead, MetricRoute::kAdmin, false, {}}},
    {"/admin/outbox", {Endpoint::kAdminOutbox, kGet, MetricRoute::kAdmin, false, {}}},
    {"/admin/outbox/drain", {Endpoint::kAdminDrain, kPost, MetricRoute::kAdmin, false, {}}},
    {"/admin/quarantine", {Endpoint::kAdminQuarantine, kGet, MetricRoute::kAdmin, false, {}}},
    {"/admin/quarantine/redrive",
     {Endpoint::kAdminRedrive, kPost, MetricRoute::kAdmin, false, {}}},
};

// Splits off what stands before `separator`; the whole text when it does not occur.
std::string_view take_segment(std::string_view& path) {
  const size_t end = path.find('/');
  const std::string_view segment = path.substr(0, end);
  path.remove_prefix(end == std::string_view::npos ? path.size() : end + 1);
  return segment;
}

bool take_prefix(std::string_view& path, std::string_view prefix) {
  if (path.substr(0, prefix.size()) != prefix) return false;
  path.remove_prefix(prefix.size());
  return true;
}

Route with_argument(Endpoint endpoint, uint8_t methods, MetricRoute metric,
                    std::string_view argument) {
  return {endpoint, methods, metric, false, argument};
}

// Paths with a variable segment.
Route find_variable(std::string_view path) {
  if (take_prefix(path, "/array/")) {
    const std::string_view token = take_segment(path);
    if (path == "config") {
      return with_argument(Endpoint::kRemoteConfig, kGetHead, MetricRoute::kRemoteConfig, token);
    }
    if (path == "config.js") {
      return with_argument(Endpoint::kRemoteConfigJs, kGetHead, MetricRoute::kRemoteConfig, token);
    }
  } else if (take_prefix(path, "/api/projects/")) {
    take_segment(path);
    if (take_prefix(path, "feature_flags/")) {
      const std::string_view key = take_segment(path);
      if (path == "remote_config") {
        return with_argument(Endpoint::kRemoteConfigFlag, kGetHead, MetricRoute::kFlagDefinitions,
                             key);
      }
    }
  } else if (take_prefix(path, "/ofrep/v1/evaluate/flags/")) {
    const std::string_view key = take_segment(path);
    if (path.empty() && !key.empty()) {
      return with_argument(Endpoint::kOfrepFlag, kPost, MetricRoute::kFlags, key);
    }
  }
  return {};
}

}  // namespace

Route find_route(std::string_view path) {
  if (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  for (const Fixed& fixed : kFixed) {
    if (fixed.path == path) return fixed.route;
  }
  return find_variable(path);
}

}  // namespace hogflare
