#include <algorithm>

#include "hogflare/ascii.h"
#include "hogflare/digest.h"
#include "hogflare/project_settings.h"
#include "project/fields.h"
#include "json/dom.h"

namespace hogflare::project {
namespace {

// --- The fields of remote config, as posthog-js declares them
// -------------------------------------

constexpr Field kUrlTrigger[] = {
    {.name = "url", .kinds = kText, .needed = true},
    {.name = "matching", .kinds = kText, .choices = "regex"},
};
constexpr Field kLinkedFlag[] = {
    {.name = "flag", .kinds = kText, .needed = true},
    {.name = "variant", .kinds = kText | kNull},
};
constexpr Field kPayloadCapture[] = {
    {.name = "recordBody", .kinds = kBool, .wrong = Wrong::kParent},
    {.name = "recordHeaders", .kinds = kBool, .wrong = Wrong::kParent},
};
constexpr Field kMasking[] = {
    {.name = "maskAllInputs", .kinds = kBool, .wrong = Wrong::kParent},
    {.name = "maskTextSelector", .kinds = kText | kNull, .wrong = Wrong::kParent},
    {.name = "blockSelector", .kinds = kText | kNull, .wrong = Wrong::kParent},
    {.name = "maskAllElementAttributes", .kinds = kBool, .wrong = Wrong::kParent},
};
constexpr Field kScriptConfig[] = {
    {.name = "script", .kinds = kText | kNull},
};
constexpr Field kTriggerProperty[] = {
    {.name = "key", .kinds = kText, .needed = true},
    {.name = "type", .kinds = kText, .choices = "event|person", .needed = true},
    {.name = "operator",
     .kinds = kText,
     .choices = "exact|is_not|icontains|not_icontains|regex|not_regex|gt|lt"},
    {.name = "value", .kinds = kText | kNumber | kBool | kTexts},
};
constexpr Field kTriggerEvent[] = {
    {.name = "name", .kinds = kText, .needed = true},
    {.name = "properties", .kinds = kObjects, .fields = kTriggerProperty},
};
constexpr Field kTriggerConditions[] = {
    {.name = "matchType", .kinds = kText, .choices = "any|all", .needed = true},
    {.name = "events", .kinds = kObjects, .fields = kTriggerEvent},
    {.name = "urls", .kinds = kObjects, .fields = kUrlTrigger},
    {.name = "flag", .kinds = kText | kObject, .fields = kLinkedFlag},
    {.name = "properties", .kinds = kObjects, .fields = kTriggerProperty},
};
constexpr Field kTriggerGroup[] = {
    {.name = "id", .kinds = kText, .needed = true},
    {.name = "name", .kinds = kText, .needed = true},
    {.name = "sampleRate", .kinds = kNumber, .low = 0, .high = 1, .needed = true},
    {.name = "minDurationMs", .kinds = kNumber, .low = 0, .high = 3'600'000},
    {.name = "conditions", .kinds = kObject, .fields = kTriggerConditions, .needed = true},
};
// What keeps something out of a recording closes the whole when it cannot be read: a page must not
// be recorded without the mask its operator meant.
constexpr Field kSessionRecording[] = {
    {.name = "endpoint", .kinds = kText},
    {.name = "recorderVersion", .kinds = kText},
    {.name = "consoleLogRecordingEnabled", .kinds = kBool},
    {.name = "sampleRate", .kinds = kRate | kNull, .wrong = Wrong::kParent},
    {.name = "minimumDurationMilliseconds", .kinds = kNumber | kNull, .low = 0, .high = 3'600'000},
    {.name = "linkedFlag",
     .kinds = kText | kObject | kNull,
     .fields = kLinkedFlag,
     .wrong = Wrong::kParent},
    {.name = "networkPayloadCapture", .kinds = kObject | kNull, .fields = kPayloadCapture},
    {.name = "masking", .kinds = kObject | kNull, .fields = kMasking, .wrong = Wrong::kParent},
    {.name = "recordCanvas", .kinds = kBool},
    {.name = "canvasFps", .kinds = kNumber | kNull, .low = 0, .high = 12},
    {.name = "canvasQuality", .kinds = kRate | kNull},
    {.name = "urlTriggers", .kinds = kObjects, .fields = kUrlTrigger, .wrong = Wrong::kParent},
    {.name = "urlBlocklist", .kinds = kObjects, .fields = kUrlTrigger, .wrong = Wrong::kParent},
    {.name = "eventTriggers", .kinds = kTexts, .wrong = Wrong::kParent},
    {.name = "triggerMatchType",
     .kinds = kText | kNull,
     .choices = "any|all",
     .wrong = Wrong::kParent},
    {.name = "version", .kinds = kNumber, .low = 1, .high = 2},
    {.name = "triggerGroups", .kinds = kObjects, .fields = kTriggerGroup, .wrong = Wrong::kParent},
    {.name = "scriptConfig", .kinds = kObject | kNull, .fields = kScriptConfig},
    {.name = "domains", .kinds = kTexts | kNull, .wrong = Wrong::kParent},
};

constexpr Field kPerformance[] = {
    {.name = "network_timing", .kinds = kBool},
    {.name = "web_vitals", .kinds = kBool},
    {.name = "web_vitals_allowed_metrics", .kinds = kTexts | kNull},
};
constexpr Field kSuppressionValue[] = {
    {.name = "key",
     .kinds = kText,
     .choices = "$exception_types|$exception_values",
     .needed = true},
    {.name = "operator", .kinds = kText, .needed = true},
    {.name = "value", .kinds = kText | kTexts, .needed = true},
    {.name = "type", .kinds = kText},
};
constexpr Field kSuppressionRule[] = {
    {.name = "type", .kinds = kText, .choices = "AND|OR", .needed = true},
    {.name = "values", .kinds = kObjects, .fields = kSuppressionValue, .needed = true},
};
constexpr Field kErrorTracking[] = {
    {.name = "autocaptureExceptions", .kinds = kBool},
    {.name = "captureExtensionExceptions", .kinds = kBool},
    {.name = "suppressionRules", .kinds = kObjects, .fields = kSuppressionRule},
};
constexpr Field kExceptions[] = {
    {.name = "endpoint", .kinds = kText | kNull},
};
constexpr Field kLogs[] = {
    {.name = "captureConsoleLogs", .kinds = kBool},
};
constexpr Field kConversations[] = {
    {.name = "enabled", .kinds = kBool, .needed = true},
    {.name = "token", .kinds = kText, .needed = true},
};
constexpr Field kRemoteConfig[] = {
    {.name = "sessionRecording", .kinds = kBool | kObject, .fields = kSessionRecording},
    {.name = "autocapture_opt_out", .kinds = kBool},
    {.name = "captureDeadClicks", .kinds = kBool},
    {.name = "capturePerformance", .kinds = kBool | kObject, .fields = kPerformance},
    {.name = "autocaptureExceptions", .kinds = kBool | kObject, .fields = kExceptions},
    {.name = "errorTracking", .kinds = kObject, .fields = kErrorTracking},
    {.name = "heatmaps", .kinds = kBool},
    {.name = "defaultIdentifiedOnly", .kinds = kBool},
    {.name = "logs", .kinds = kObject, .fields = kLogs},
    {.name = "conversations", .kinds = kBool | kObject, .fields = kConversations, .open = true},
    {.name = "minimalFlagCalledEvents", .kinds = kBool},
};
constexpr Field kConfig = {.name = "remote_config", .kinds = kObject, .fields = kRemoteConfig};

// What a recording is told where the document does not say otherwise. A page's console may hold
// anything, so it is recorded only where the operator asks for it.
Json recording_defaults() {
  return {{"endpoint", "/s/"},
          {"consoleLogRecordingEnabled", false},
          {"recorderVersion", "v2"},
          {"sampleRate", nullptr},
          {"minimumDurationMilliseconds", nullptr},
          {"linkedFlag", nullptr},
          {"networkPayloadCapture", nullptr},
          {"masking", nullptr},
          {"urlTriggers", Json::array()},
          {"urlBlocklist", Json::array()},
          {"eventTriggers", Json::array()},
          {"triggerMatchType", nullptr},
          {"scriptConfig", nullptr}};
}

// What this server says by itself, as it stands in an answer of PostHog's that somebody pasted.
constexpr std::string_view kOwnFields[] = {
    "token",           "supportedCompression", "hasFeatureFlags",      "analytics",
    "isAuthenticated", "toolbarParams",        "toolbarVersion",       "editorParams",
    "surveys",         "survey_config",        "productTours",         "siteApps",
    "config",          "featureFlags",         "elementsChainAsString"};

// --- The lists
// ------------------------------------------------------------------------------------

constexpr Field kQuestion[] = {
    {.name = "type",
     .kinds = kText,
     .choices = "open|link|rating|single_choice|multiple_choice",
     .needed = true},
    {.name = "question", .kinds = kText, .needed = true},
};
constexpr Field kSurvey[] = {
    {.name = "id", .kinds = kText, .needed = true},
    {.name = "name", .kinds = kText, .needed = true},
    {.name = "type", .kinds = kText, .needed = true},
    {.name = "questions", .kinds = kAny, .needed = true},
};
constexpr Field kEarlyAccess[] = {
    {.name = "name", .kinds = kText, .needed = true},
    {.name = "flagKey", .kinds = kText | kNull, .needed = true},
    {.name = "stage",
     .kinds = kText,
     .choices = "draft|concept|alpha|beta|general-availability|archived",
     .needed = true},
};
constexpr Field kExperiment[] = {
    {.name = "name", .kinds = kText, .needed = true},
    {.name = "feature_flag_key", .kinds = kText, .needed = true},
    {.name = "variants", .kinds = kObject, .needed = true},
};
constexpr Field kTour[] = {
    {.name = "id", .kinds = kText, .needed = true},
    {.name = "name", .kinds = kText, .needed = true},
};
constexpr Field kSurveys = {.name = "surveys", .kinds = kObjects, .fields = kSurvey, .open = true};
constexpr Field kQuestions = {
    .name = "questions", .kinds = kObjects, .fields = kQuestion, .open = true};
constexpr Field kSurveyConfig = {.name = "survey_config", .kinds = kObject | kNull};
constexpr Field kEarlyAccessFeatures = {
    .name = "early_access_features", .kinds = kObjects, .fields = kEarlyAccess, .open = true};
constexpr Field kExperiments = {
    .name = "web_experiments", .kinds = kObjects, .fields = kExperiment, .open = true};
constexpr Field kTours = {
    .name = "product_tours", .kinds = kObjects, .fields = kTour, .open = true};
constexpr Field kSiteApp[] = {
    {.name = "id", .kinds = kText, .needed = true},
    {.name = "source", .kinds = kText, .needed = true},
};
constexpr Field kSiteApps = {.name = "site_apps", .kinds = kObjects, .fields = kSiteApp};

// Reads one document.
class Reader {
 public:
  explicit Reader(const Json& document) : document_(document), checker_(settings_.problems) {}

  Settings read() {
    read_config();
    read_surveys();
    settings_.early_access_features = list(kEarlyAccessFeatures).text;
    settings_.web_experiments = list(kExperiments).text;
    List tours = list(kTours);
    settings_.product_tours = std::move(tours.text);
    settings_.has_product_tours = tours.size > 0;
    read_site_apps();
    return std::move(settings_);
  }

 private:
  struct List {
    std::string text = "[]";
    size_t size = 0;
  };

  const Json* member(const Field& field) const {
    const auto found = document_.find(std::string(field.name));
    return found == document_.end() || found->is_null() ? nullptr : &*found;
  }

  List list(const Field& field) {
    const Json* given = member(field);
    if (given == nullptr) return {};
    const std::optional<Json> items = checker_.value(*given, field, std::string(field.name));
    if (!items) return {};
    return {dump(*items), items->size()};
  }

  void read_config() {
    const Json* given = member(kConfig);
    if (given == nullptr) return;
    const std::string path = "remote_config";
    if (!given->is_object()) return checker_.error(path, "must be an object");
    Json ours = Json::object();
    for (const auto& [name, value] : given->items()) {
      if (std::find(std::begin(kOwnFields), std::end(kOwnFields), name) == std::end(kOwnFields)) {
        ours[name] = value;
      } else {
        checker_.warn(path + "." + name, "has no effect: this server says it by itself");
      }
    }
    const auto recording = ours.find("sessionRecording");
    const bool had_recording = recording != ours.end();
    std::optional<Json> checked = checker_.object(ours, kConfig, path);
    if (!checked) return;
    take_recording(*checked, had_recording);
    const auto minimal = checked->find("minimalFlagCalledEvents");
    if (minimal != checked->end()) {  // told with the flags, where SDKs read it
      settings_.minimal_flag_called_events = minimal->get<bool>();
      checked->erase(minimal);
    }
    for (const auto& [name, value] : checked->items()) settings_.config[name] = dump(value);
    couple_exceptions(*checked);
  }

  // A recording that the document describes wrongly is off, whatever the variable says.
  void take_recording(Json& config, bool had_recording) {
    if (!had_recording) return;
    const auto found = config.find("sessionRecording");
    if (found == config.end() || (found->is_boolean() && !found->get<bool>())) {
      settings_.session_recording = "false";
    } else {
      Json recording = found->is_object() ? *found : Json::object();
      const auto domains = recording.find("domains");
      if (domains != recording.end()) {
        for (const Json& domain : *domains) {
          settings_.recording_domains.push_back(domain.get<std::string>());
        }
        recording.erase("domains");
      }
      recording.erase("endpoint");
      Json whole = recording_defaults();
      whole.update(recording);
      settings_.session_recording = dump(whole);
    }
    config.erase("sessionRecording");
  }

  // Releases of posthog-js read one or the other.
  void couple_exceptions(const Json& config) {
    const auto old = config.find("autocaptureExceptions");
    const auto tracking = config.find("errorTracking");
    const bool has_tracking =
        tracking != config.end() && tracking->contains("autocaptureExceptions");
    if (old == config.end() && has_tracking) {
      settings_.config["autocaptureExceptions"] = dump((*tracking)["autocaptureExceptions"]);
    } else if (old != config.end() && !has_tracking) {
      Json both = tracking == config.end() ? Json::object() : *tracking;
      both["autocaptureExceptions"] = old->is_object() || old->get<bool>();
      settings_.config["errorTracking"] = dump(both);
    }
  }

  void read_surveys() {
    const Json* given = member(kSurveys);
    if (given != nullptr) {
      std::optional<Json> surveys = checker_.value(*given, kSurveys, "surveys");
      Json usable = Json::array();
      for (size_t i = 0; surveys && i < surveys->size(); ++i) {
        Json& survey = (*surveys)[i];
        const std::string path = "surveys (" + survey["id"].get<std::string>() + ").questions";
        const std::optional<Json> questions = checker_.value(survey["questions"], kQuestions, path);
        // A survey with one question fewer would mean another.
        if (!questions || questions->size() != survey["questions"].size()) continue;
        usable.push_back(std::move(survey));
      }
      settings_.has_surveys = !usable.empty();
      settings_.surveys = dump(usable);
    }
    const Json* config = member(kSurveyConfig);
    if (config == nullptr) return;
    if (checker_.value(*config, kSurveyConfig, "survey_config")) {
      settings_.survey_config = dump(*config);
    }
  }

  void read_site_apps() {
    const Json* given = member(kSiteApps);
    if (given == nullptr) return;
    const std::optional<Json> apps = checker_.value(*given, kSiteApps, "site_apps");
    for (size_t i = 0; apps && i < apps->size(); ++i) {
      SiteApp app{(*apps)[i]["id"].get<std::string>(), (*apps)[i]["source"].get<std::string>(), ""};
      if (!is_config_token(app.id)) {
        checker_.error("site_apps (" + app.id + ").id",
                       "must have letters, digits, _ and - only, at most 200");
        continue;
      }
      app.hash = to_hex(sha1(app.source));
      settings_.site_apps.push_back(std::move(app));
    }
  }

  const Json& document_;
  Settings settings_;
  Checker checker_;
};

}  // namespace

std::string default_session_recording() { return dump(recording_defaults()); }

Settings read_settings(std::string_view document) {
  const Json json = json::dom_of<Json>(document);
  if (!json.is_object()) return {};
  return Reader(json).read();
}

bool is_config_token(std::string_view token) {
  return !token.empty() && token.size() <= 200 &&
         std::all_of(token.begin(), token.end(),
                     [](char c) { return is_alphanumeric(c) || c == '_' || c == '-'; });
}

}  // namespace hogflare::project
