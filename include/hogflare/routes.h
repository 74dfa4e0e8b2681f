// Which endpoint a path means. Sources: W-1; the seed's /identify, /alias, /groups.
//
//   const Route route = find_route("/i/v0/e/");   // {RouteKind::kCapture, …}
#pragma once

#include <cstdint>
#include <string_view>

#include "hogflare/metrics.h"

namespace hogflare {

enum class RouteKind : uint8_t {
  kNone,
  kCapture,       // /capture /e /i/v0/e /batch /track, AI batch
  kEngage,        // /engage: an event without a name is $identify
  kSeedIdentify,  // the seed's three
  kSeedAlias,
  kSeedGroups,
  kReplay,            // /s
  kCaptureV1,         // /i/v1/analytics/events
  kFlags,             // /flags
  kDecide,            // /decide
  kFlagDefinitions,   // /flags/definitions, /api/feature_flag/local_evaluation
  kFlagList,          // /api/projects/{id}/feature_flags, /api/feature_flag
  kRemoteConfigFlag,  // /api/projects/{id}/feature_flags/{key}/remote_config
  kRemoteConfig,      // /array/{token}/config
  kRemoteConfigJs,    // /array/{token}/config.js
  kSurveys,
  kWebExperiments,
  kEarlyAccess,
  kProductTours,
  kArrayJs,              // /array/{token}/array.js: array.js and the token's config in one
  kScript,               // /static/…: scripts of posthog-js that are not served as assets
  kSiteApp,              // /site_app/{id}/{hash}
  kOfrepFlags,           // /ofrep/v1/evaluate/flags
  kOfrepFlag,            // /ofrep/v1/evaluate/flags/{key}
  kQuery,                // /api/projects/{id}/query: questions (docs/API.md)
  kQueryBatch,           // /api/projects/{id}/query/batch: several of them
  kQueryEstimate,        // /api/projects/{id}/query/estimate: what one would have the engine read
  kPropertyDefinitions,  // /api/projects/{id}/property_definitions
  kEventDefinitions,     // /api/projects/{id}/event_definitions
  kPersonList,           // /api/projects/{id}/persons
  kEventList,            // /api/projects/{id}/events
  kConsole,              // /app and below: the console and its API (docs/CONSOLE.md)
  kHealth,
  kFront,     // /: a page for browsers
  kLiveness,  // /_liveness, /_readiness
  kMetrics,
  kAdminOutbox,
  kAdminDrain,
  kAdminQuarantine,
  kAdminRedrive,
  kRecordingSnapshots,  // /api/projects/{id}/session_recordings/…; argument: from the id on
  kRecordingRemoval,
  kRecordingsRemoval,
  kSymbolsStart,  // /api/projects/{id}/error_tracking/…; argument: from the id on
  kSymbolsFinish,
  kSymbolsUpload,
  kSymbolSets,      // a list by ?ref=
  kSymbolSet,       // symbol_sets/{id}
  kSymbolDownload,  // symbol_sets/{id}/download: where its content is
  kSymbolContent,   // symbol_sets/{id}/content
  kReleases,
  kReleaseByHash,
};

// HTTP methods as bits.
enum Method : uint8_t {
  kGet = 1,
  kPost = 2,
  kHead = 4,
  kPut = 8,
  kDelete = 16,
};

struct Route {
  RouteKind endpoint = RouteKind::kNone;
  uint8_t methods = 0;
  MetricRoute metric = MetricRoute::kOther;
  bool legacy_base64 = false;  // an undecoded body may be base64 once more (W-2.3.6)
  std::string_view argument;  // the path's variable segment: a token, a flag key, a project's id, a
                              // rest, what is behind /app
};

struct FixedRoute {
  std::string_view path;
  Route route;
};

inline constexpr uint8_t kGetPost = kGet | kPost;
inline constexpr uint8_t kGetHead = kGet | kHead;
inline constexpr uint8_t kGetPostHead = kGet | kPost | kHead;
inline constexpr uint8_t kEveryMethod = kGetPostHead | kPut | kDelete;

// Paths without a variable part.
inline constexpr FixedRoute kFixedRoutes[] = {
    {"/e", {RouteKind::kCapture, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/i/v0/e", {RouteKind::kCapture, kGetPost, MetricRoute::kCapture, false, {}}},
    {"/batch", {RouteKind::kCapture, kGetPost, MetricRoute::kCapture, false, {}}},
    {"/capture", {RouteKind::kCapture, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/track", {RouteKind::kCapture, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/engage", {RouteKind::kEngage, kGetPost, MetricRoute::kCapture, true, {}}},
    {"/identify", {RouteKind::kSeedIdentify, kPost, MetricRoute::kCapture, true, {}}},
    {"/alias", {RouteKind::kSeedAlias, kPost, MetricRoute::kCapture, true, {}}},
    {"/groups", {RouteKind::kSeedGroups, kPost, MetricRoute::kCapture, true, {}}},
    {"/i/v0/ai/batch", {RouteKind::kCapture, kPost, MetricRoute::kAiCapture, false, {}}},
    {"/s", {RouteKind::kReplay, kPost, MetricRoute::kReplay, false, {}}},
    {"/i/v1/analytics/events", {RouteKind::kCaptureV1, kPost, MetricRoute::kCaptureV1, false, {}}},
    {"/i/v1/ai/events", {RouteKind::kCaptureV1, kPost, MetricRoute::kCaptureV1, false, {}}},
    {"/flags", {RouteKind::kFlags, kGetPostHead, MetricRoute::kFlags, false, {}}},
    {"/decide", {RouteKind::kDecide, kGetPostHead, MetricRoute::kFlags, false, {}}},
    {"/flags/definitions",
     {RouteKind::kFlagDefinitions, kGetHead, MetricRoute::kFlagDefinitions, false, {}}},
    {"/api/feature_flag/local_evaluation",
     {RouteKind::kFlagDefinitions, kGetHead, MetricRoute::kFlagDefinitions, false, {}}},
    {"/api/feature_flag",
     {RouteKind::kFlagList, kGetHead, MetricRoute::kFlagDefinitions, false, {}}},
    {"/api/surveys", {RouteKind::kSurveys, kGetPostHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/surveys", {RouteKind::kSurveys, kGetPostHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/api/web_experiments",
     {RouteKind::kWebExperiments, kGetHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/api/early_access_features",
     {RouteKind::kEarlyAccess, kGetHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/api/product_tours",
     {RouteKind::kProductTours, kGetHead, MetricRoute::kRemoteConfig, false, {}}},
    {"/ofrep/v1/evaluate/flags", {RouteKind::kOfrepFlags, kPost, MetricRoute::kFlags, false, {}}},
    {"/healthz", {RouteKind::kHealth, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/", {RouteKind::kFront, kGetHead, MetricRoute::kHealth, false, {}}},
    // A question without a project: the tools of docs/API.md name theirs.
    {"/mcp", {RouteKind::kQuery, kPost, MetricRoute::kQuery, false, {}}},
    {"/app", {RouteKind::kConsole, kEveryMethod, MetricRoute::kAdmin, false, {}}},
    {"/_liveness", {RouteKind::kLiveness, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/_readiness", {RouteKind::kLiveness, kGetHead, MetricRoute::kHealth, false, {}}},
    {"/metrics", {RouteKind::kMetrics, kGetHead, MetricRoute::kAdmin, false, {}}},
    {"/admin/outbox", {RouteKind::kAdminOutbox, kGet, MetricRoute::kAdmin, false, {}}},
    {"/admin/outbox/drain", {RouteKind::kAdminDrain, kPost, MetricRoute::kAdmin, false, {}}},
    {"/admin/quarantine", {RouteKind::kAdminQuarantine, kGet, MetricRoute::kAdmin, false, {}}},
    {"/admin/quarantine/redrive",
     {RouteKind::kAdminRedrive, kPost, MetricRoute::kAdmin, false, {}}},
};

// A host that was configured with a slash at its end makes clients ask for "//batch/": one is
// enough.
std::string_view without_double_slash(std::string_view path);

// `path` without query and prefix. Trailing slashes make no difference.
Route find_route(std::string_view path);

// A known path that a path prefix would make unreachable, since requests for it would lose their
// first segments; empty: none. `prefix` begins with '/' and does not end with one.
std::string_view path_swallowed_by(std::string_view prefix);

}  // namespace hogflare
