#include "hogflare/routes.h"

#include <iterator>

namespace hogflare {
namespace {

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

Route with_argument(RouteKind endpoint, uint8_t methods, MetricRoute metric,
                    std::string_view argument) {
  return {endpoint, methods, metric, false, argument};
}

// What is asked about a project's data; `path` without the project.
Route find_question(std::string_view path, std::string_view project) {
  struct Question {
    std::string_view path;
    RouteKind endpoint;
    uint8_t methods;
  };
  static constexpr Question kQuestions[] = {
      {"query", RouteKind::kQuery, kPost},
      {"query/batch", RouteKind::kQueryBatch, kPost},
      {"query/estimate", RouteKind::kQueryEstimate, kPost},
      {"property_definitions", RouteKind::kPropertyDefinitions, kGet},
      {"event_definitions", RouteKind::kEventDefinitions, kGet},
      {"persons", RouteKind::kPersonList, kGet},
      {"events", RouteKind::kEventList, kGet},
  };
  for (const Question& question : kQuestions) {
    if (question.path == path && !project.empty()) {
      return with_argument(question.endpoint, question.methods, MetricRoute::kQuery, project);
    }
  }
  return {};
}

// `rest` is what stands behind session_recordings/.
Route find_recordings(std::string_view project, std::string_view rest) {
  if (rest == "bulk_delete") {
    return with_argument(RouteKind::kRecordingsRemoval, kPost, MetricRoute::kAdmin, project);
  }
  const std::string_view session = take_segment(rest);
  if (session.empty()) return {};
  if (rest.empty()) {
    return with_argument(RouteKind::kRecordingRemoval, kDelete, MetricRoute::kAdmin, project);
  }
  if (rest != "snapshots") return {};
  return with_argument(RouteKind::kRecordingSnapshots, kGet, MetricRoute::kAdmin, project);
}

// `rest` is what stands behind error_tracking/.
Route find_symbols(std::string_view project, std::string_view rest) {
  const auto found = [project](RouteKind kind, uint8_t methods) {
    return with_argument(kind, methods, MetricRoute::kAdmin, project);
  };
  if (rest == "releases") return found(RouteKind::kReleases, kPost);
  if (take_prefix(rest, "releases/hash/")) {
    return rest.empty() ? Route{} : found(RouteKind::kReleaseByHash, kGet);
  }
  if (rest == "symbol_sets") return found(RouteKind::kSymbolSets, kGet);
  if (!take_prefix(rest, "symbol_sets/")) return {};
  if (rest == "bulk_start_upload") return found(RouteKind::kSymbolsStart, kPost);
  if (rest == "bulk_finish_upload") return found(RouteKind::kSymbolsFinish, kPost);
  if (rest == "upload") return found(RouteKind::kSymbolsUpload, kPost);
  const std::string_view id = take_segment(rest);
  if (id.empty()) return {};
  if (rest.empty()) return found(RouteKind::kSymbolSet, kGet | kDelete);
  if (rest == "download") return found(RouteKind::kSymbolDownload, kGet);
  return rest == "content" ? found(RouteKind::kSymbolContent, kGet) : Route{};
}

// Paths with a variable segment.
Route find_variable(std::string_view path) {
  if (take_prefix(path, "/array/")) {
    const std::string_view token = take_segment(path);
    if (path == "config") {
      return with_argument(RouteKind::kRemoteConfig, kGetHead, MetricRoute::kRemoteConfig, token);
    }
    if (path == "config.js") {
      return with_argument(RouteKind::kRemoteConfigJs, kGetHead, MetricRoute::kRemoteConfig, token);
    }
    if (path == "array.js") {
      return with_argument(RouteKind::kArrayJs, kGetHead, MetricRoute::kRemoteConfig, token);
    }
  } else if (take_prefix(path, "/static/")) {
    return with_argument(RouteKind::kScript, kGetHead, MetricRoute::kRemoteConfig, path);
  } else if (take_prefix(path, "/app/")) {
    return with_argument(RouteKind::kConsole, kEveryMethod, MetricRoute::kAdmin, path);
  } else if (take_prefix(path, "/site_app/")) {
    return with_argument(RouteKind::kSiteApp, kGetHead, MetricRoute::kRemoteConfig, path);
  } else if (take_prefix(path, "/api/projects/") || take_prefix(path, "/api/environments/")) {
    const std::string_view behind = path;
    const std::string_view project = take_segment(path);
    if (const Route question = find_question(path, project);
        question.endpoint != RouteKind::kNone) {
      return question;
    }
    if (path == "session_recordings") {
      return with_argument(RouteKind::kRecordingSnapshots, kGet, MetricRoute::kAdmin, behind);
    }
    if (take_prefix(path, "session_recordings/")) return find_recordings(behind, path);
    if (take_prefix(path, "error_tracking/")) return find_symbols(behind, path);
    if (path == "feature_flags") {
      return with_argument(RouteKind::kFlagList, kGetHead, MetricRoute::kFlagDefinitions, {});
    }
    if (take_prefix(path, "feature_flags/")) {
      const std::string_view key = take_segment(path);
      if (path == "remote_config") {
        return with_argument(RouteKind::kRemoteConfigFlag, kGetHead, MetricRoute::kFlagDefinitions,
                             key);
      }
    }
  } else if (take_prefix(path, "/ofrep/v1/evaluate/flags/")) {
    const std::string_view key = take_segment(path);
    if (path.empty() && !key.empty()) {
      return with_argument(RouteKind::kOfrepFlag, kPost, MetricRoute::kFlags, key);
    }
  }
  return {};
}

}  // namespace

std::string_view without_double_slash(std::string_view path) {
  while (path.substr(0, 2) == "//") path.remove_prefix(1);
  return path;
}

Route find_route(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  for (const FixedRoute& fixed : kFixedRoutes) {
    if (fixed.path == path) return fixed.route;
  }
  return find_variable(path);
}

std::string_view path_swallowed_by(std::string_view prefix) {
  const auto is_at_or_under = [](std::string_view path, std::string_view folder) {
    return path.substr(0, folder.size()) == folder &&
           (path.size() == folder.size() || path[folder.size()] == '/');
  };
  for (const FixedRoute& fixed : kFixedRoutes) {
    if (is_at_or_under(fixed.path, prefix)) return fixed.path;
  }
  for (const std::string_view folder :
       {"/array", "/api/projects", "/api/environments", "/ofrep/v1/evaluate/flags", "/static",
        "/site_app", "/app"}) {
    if (is_at_or_under(folder, prefix) || is_at_or_under(prefix, folder)) return folder;
  }
  return {};
}

}  // namespace hogflare
