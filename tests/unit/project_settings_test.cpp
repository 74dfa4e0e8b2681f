// Remote config and what else a project's document says beside flags.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "hogflare/project_settings.h"

using namespace hogflare;
using namespace hogflare::project;
using nlohmann::json;

namespace {

json parsed(const std::string& text) {
  const json value = json::parse(text, nullptr, false);
  REQUIRE(!value.is_discarded());
  return value;
}

std::string problems_of(const Settings& settings) {
  std::string all;
  for (const flags::Problem& problem : settings.problems) {
    all += problem.severity == flags::Severity::kError ? "error " : "warning ";
    all += problem.path + ": " + problem.message + "\n";
  }
  return all;
}

json config_of(const Settings& settings, std::string_view origin = "", bool recording = false) {
  return parsed(write_remote_config({.token = "phc",
                                     .has_feature_flags = true,
                                     .session_recording = recording,
                                     .settings = &settings,
                                     .origin = origin}));
}

}  // namespace

TEST_CASE("remote config tells the truth about flags, as JSON and as script", "[project]") {
  const json with = parsed(write_remote_config({"phc", true, false}));
  CHECK(with["hasFeatureFlags"] == true);
  CHECK(with["sessionRecording"] == false);
  CHECK(with["siteApps"] == json::array());
  CHECK(parsed(write_remote_config({"phc", false, false}))["hasFeatureFlags"] == false);
  const std::string script = write_remote_config_script({"phc", true, false});
  CHECK(script.find("_POSTHOG_REMOTE_CONFIG[\"phc\"]") != std::string::npos);
  CHECK(is_config_token("phc_A-1"));
  CHECK(!is_config_token(""));
  CHECK(!is_config_token("a b"));
  CHECK(!is_config_token(std::string(201, 'a')));
}

TEST_CASE("what costs a request when it is there is left out when it is off", "[project]") {
  const json config = config_of({});
  for (const char* name :
       {"surveys", "survey_config", "productTours", "conversations", "logs", "errorTracking"}) {
    CHECK(!config.contains(name));
  }
  CHECK(config_of(read_settings(R"({"surveys": [], "product_tours": []})")) == config);
}

TEST_CASE("a page whose release cannot show surveys is told of none", "[project]") {
  const Settings settings = read_settings(
      R"({"surveys": [{"id": "s", "name": "n", "type": "popover", "questions": []}]})");
  const auto has_surveys = [&settings](const char* version) {
    return parsed(write_remote_config({.settings = &settings, .sdk_version = version}))
        .contains("surveys");
  };
  CHECK(has_surveys(""));
  CHECK(has_surveys("1.449.2"));
  CHECK(has_surveys("1.131.0"));
  CHECK(!has_surveys("1.130.2"));
  CHECK(!has_surveys("1.100.0"));
  CHECK(has_surveys("2.0.0"));
}

TEST_CASE("a page's console is recorded only where the operator asks for it", "[project]") {
  CHECK(config_of({}, "", true)["sessionRecording"]["consoleLogRecordingEnabled"] == false);
  const Settings settings = read_settings(
      R"({"remote_config": {"sessionRecording": {"consoleLogRecordingEnabled": true}}})");
  CHECK(problems_of(settings).empty());
  CHECK(config_of(settings)["sessionRecording"]["consoleLogRecordingEnabled"] == true);
}

TEST_CASE("a document's recording stands over the variable, with every default filled in",
          "[project]") {
  const Settings on = read_settings(R"({"remote_config": {"sessionRecording": {
      "sampleRate": 0.5, "minimumDurationMilliseconds": 2000,
      "linkedFlag": {"flag": "rec", "variant": "a"},
      "urlTriggers": [{"url": "/checkout", "matching": "regex"}], "eventTriggers": ["paid"],
      "triggerMatchType": "all", "masking": {"maskAllInputs": true, "maskTextSelector": ".m"},
      "recordCanvas": true, "canvasFps": 4, "canvasQuality": "0.4"}}})");
  CHECK(problems_of(on).empty());
  const json recording = config_of(on)["sessionRecording"];
  CHECK(recording["endpoint"] == "/s/");
  CHECK(recording["sampleRate"] == "0.5");
  CHECK(recording["minimumDurationMilliseconds"] == 2000);
  CHECK(recording["linkedFlag"]["variant"] == "a");
  CHECK(recording["networkPayloadCapture"] == nullptr);
  CHECK(recording["masking"]["maskTextSelector"] == ".m");
  const Settings off = read_settings(R"({"remote_config": {"sessionRecording": false}})");
  CHECK(config_of(off, "", true)["sessionRecording"] == false);
  CHECK(config_of(read_settings(
            R"({"remote_config": {"sessionRecording": true}})"))["sessionRecording"]["endpoint"] ==
        "/s/");
}

TEST_CASE("a page is recorded only where its origin is named", "[project]") {
  const Settings settings = read_settings(R"({"remote_config": {"sessionRecording": {
      "domains": ["https://www.example.com", "https://*.shop.example", "localhost:3000"]}}})");
  const auto is_recorded = [&settings](std::string_view origin) {
    return config_of(settings, origin)["sessionRecording"] != false;
  };
  CHECK(is_recorded("https://www.example.com"));
  CHECK(is_recorded("https://de.shop.example"));
  CHECK(is_recorded("http://localhost:3000"));
  CHECK(!is_recorded("http://de.shop.example"));
  CHECK(!is_recorded("https://shop.example"));
  CHECK(!is_recorded("https://www.example.com.evil.example"));
  CHECK(!is_recorded("null"));
  CHECK(!is_recorded(""));
  CHECK(!config_of(settings)["sessionRecording"].is_object());
  CHECK(parsed(write_remote_config(
            {.settings = &settings,
             .referer = "https://www.example.com/shop?x=1"}))["sessionRecording"]["endpoint"] ==
        "/s/");
}

TEST_CASE("what protects somebody closes the recording when it cannot be read", "[project]") {
  for (const char* wrong :
       {R"("masking": true)", R"("masking": {"maskTextSelector": 5})", R"("sampleRate": "half")",
        R"("sampleRate": 1.5)", R"("urlBlocklist": ["/private"])", R"("domains": "example.com")",
        R"("linkedFlag": 7)", R"("eventTriggers": "paid")"}) {
    CAPTURE(wrong);
    const Settings settings = read_settings(
        std::string(R"({"remote_config": {"captureDeadClicks": true, "sessionRecording": {)") +
        wrong + "}}}");
    CHECK(problems_of(settings).find("error remote_config.sessionRecording") != std::string::npos);
    const json config = config_of(settings, "", true);
    const bool is_open_list =
        std::string_view(wrong).find("urlBlocklist") != std::string_view::npos;
    CHECK((config["sessionRecording"] == false || is_open_list));
    CHECK(config["captureDeadClicks"] == true);
  }
}

TEST_CASE("each field is checked by name and type and told with its path", "[project]") {
  const Settings settings = read_settings(R"({"remote_config": {
      "heatmaps": "yes", "captureDeadClicks": true, "newThing": {"a": 1},
      "capturePerformance": {"web_vitals": 1, "network_timing": true},
      "supportedCompression": ["zstd"]}})");
  const std::string problems = problems_of(settings);
  CHECK(problems.find("error remote_config.heatmaps: must be true or false, is a text") !=
        std::string::npos);
  CHECK(problems.find("error remote_config.capturePerformance.web_vitals: must be true or false, "
                      "is a number") != std::string::npos);
  CHECK(problems.find("warning remote_config.newThing: ") != std::string::npos);
  CHECK(problems.find("warning remote_config.supportedCompression: ") != std::string::npos);
  const json config = config_of(settings);
  CHECK(config["heatmaps"] == false);
  CHECK(config["captureDeadClicks"] == true);
  CHECK(config["newThing"]["a"] == 1);
  CHECK(config["capturePerformance"] == json{{"network_timing", true}});
  CHECK(config["supportedCompression"] == json::array({"gzip", "gzip-js"}));
}

TEST_CASE("exceptions are told in the old and in the new spelling", "[project]") {
  const json now = config_of(read_settings(
      R"({"remote_config": {"errorTracking": {"autocaptureExceptions": true, "suppressionRules":
          [{"type": "OR", "values": [{"key": "$exception_types", "operator": "exact",
            "value": ["ResizeObserver"], "type": "error_tracking_issue_property"}]}]}}})"));
  CHECK(now["autocaptureExceptions"] == true);
  CHECK(now["errorTracking"]["suppressionRules"].size() == 1);
  const json before =
      config_of(read_settings(R"({"remote_config": {"autocaptureExceptions": true}})"));
  CHECK(before["errorTracking"]["autocaptureExceptions"] == true);
}

TEST_CASE("lists are served, each wrong item left out alone", "[project]") {
  const Settings settings = read_settings(R"JSON({
      "surveys": [
        {"id": "s1", "name": "NPS", "type": "popover", "questions":
           [{"type": "rating", "question": "How likely?", "scale": 10}], "conditions": null},
        {"id": "s2", "name": "broken", "type": "popover", "questions": [{"type": "guess"}]},
        7],
      "survey_config": {"appearance": {"zIndex": "9"}},
      "early_access_features": [{"name": "Beta", "flagKey": "beta", "stage": "beta"},
                                {"name": "Bad", "flagKey": "bad", "stage": "soon"}],
      "web_experiments": [{"name": "e", "feature_flag_key": "f", "variants": {}}, {}],
      "product_tours": [{"id": "t", "name": "Tour"}],
      "site_apps": [{"id": "banner", "source": "posthog.capture('up')"}, {"id": "a/b",
                     "source": ""}]})JSON");
  CHECK(parsed(write_surveys(settings))["surveys"].size() == 1);
  CHECK(parsed(write_surveys(settings))["survey_config"]["appearance"]["zIndex"] == "9");
  CHECK(parsed(write_early_access_features(settings))["earlyAccessFeatures"].size() == 1);
  CHECK(parsed(write_web_experiments(settings))["experiments"].size() == 1);
  CHECK(parsed(write_product_tours(settings))["product_tours"][0]["id"] == "t");
  const json config = config_of(settings);
  CHECK(config["surveys"][0]["id"] == "s1");
  CHECK(config["productTours"] == true);
  REQUIRE(config["siteApps"].size() == 1);
  CHECK(config["siteApps"][0]["url"].get<std::string>().find("/site_app/banner/") == 0);
  const std::string problems = problems_of(settings);
  CHECK(problems.find("surveys[2]: must be an object, is a number") != std::string::npos);
  CHECK(problems.find("early_access_features[1].stage: must be one of draft/concept") !=
        std::string::npos);
  CHECK(problems.find("site_apps (a/b).id: ") != std::string::npos);
}

TEST_CASE("a document that is a list, or none, has no settings", "[project]") {
  CHECK(read_settings("[]").problems.empty());
  CHECK(read_settings("").problems.empty());
  CHECK(config_of(read_settings("[{\"key\":\"a\"}]")) == config_of({}));
}

TEST_CASE("minimalFlagCalledEvents is no member of remote config, whose readers do not look for it",
          "[project]") {
  const Settings on = read_settings(R"({"remote_config":{"minimalFlagCalledEvents":true}})");
  CHECK(on.minimal_flag_called_events);
  CHECK(problems_of(on).empty());
  CHECK(!config_of(on).contains("minimalFlagCalledEvents"));
  CHECK(!read_settings(R"({"remote_config":{"minimalFlagCalledEvents":false}})")
             .minimal_flag_called_events);
  const Settings wrong = read_settings(R"({"remote_config":{"minimalFlagCalledEvents":"yes"}})");
  CHECK(!wrong.minimal_flag_called_events);
  CHECK(problems_of(wrong).find("remote_config.minimalFlagCalledEvents") != std::string::npos);
}
