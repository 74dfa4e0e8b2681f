// Every case of tests/vectors/flag-*.json, through the public interface.
#include <catch2/catch.hpp>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"
#include "hogflare/text.h"
#include "flags/dates.h"
#include "flags/hash.h"
#include "flags/operators.h"
#include "flags/text.h"
#include "tests/table_zones.h"

using nlohmann::json;
using namespace hogflare;
using namespace hogflare::flags;

namespace {

json load_vectors(const char* name) {
  std::ifstream file(std::string(HOGFLARE_TEST_DATA_DIR "/vectors/") + name);
  std::stringstream text;
  text << file.rdbuf();
  json parsed = json::parse(text.str(), nullptr, false);
  REQUIRE(parsed.is_object());
  return parsed;
}

Value to_value(const json& source) {
  Result<Value> value = parse_value(source.dump());
  REQUIRE(value.ok());
  return std::move(value).value();
}

int64_t instant_ms(const std::string& text) {
  return *parse_date_property(text, TimeZone(), 0) / 1000;
}

constexpr int64_t kNow = 1'750'000'000'000;

// What the vectors' zones are looked up in.
struct KnownZones {
  hogflare::test::TableZones host;
  Zones zones{host};

  ParseOptions options() {
    ParseOptions options;
    options.zones = &zones;
    return options;
  }
};

Definitions parse_leniently(const json& document, KnownZones& known) {
  Result<Definitions> parsed = Definitions::parse(document.dump(), known.options());
  INFO((parsed.ok() ? "" : parsed.error().detail));
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

Request request_from(json context) {
  context["token"] = "phc_test";
  Result<Request> request = parse_request(context.dump(), RequestHeaders{});
  REQUIRE(request.ok());
  return std::move(request).value();
}

// Lists of members are all to be had unless the context says otherwise.
void add_memberships(const json& document, const json& context, StoredState& stored) {
  const json person = context.value("person", json::object());
  const json lists = person.value("static_cohort_ids", json::array());
  const json rows = person.value("stored_memberships", json::object());
  const std::string static_lists = context.value("static_lists", std::string());
  using Answer = StoredCohort::Answer;
  for (const json& cohort : document.value("cohorts", json::array())) {
    const int64_t id = cohort["id"].get<int64_t>();
    Answer answer = Answer::kOut;
    if (cohort.value("is_static", false)) {
      if (std::find(lists.begin(), lists.end(), json(id)) != lists.end()) answer = Answer::kIn;
      if (static_lists == "unavailable") answer = Answer::kFailed;
      if (static_lists == "none stored") answer = Answer::kNoList;
    } else {
      if (rows.value(std::to_string(id), false)) answer = Answer::kIn;
      if (!context.value("stored_memberships_configured", true)) answer = Answer::kNoList;
    }
    stored.cohorts.push_back({id, answer});
  }
}

StoredState stored_from(const json& document, const json& context) {
  StoredState stored;
  add_memberships(document, context, stored);
  if (context.contains("person")) {
    stored.person_exists = true;
    stored.person_properties = to_value(context["person"].value("properties", json::object()));
  }
  const json hash_keys = context.value("hash_key_overrides", json::object());
  for (const auto& [flag, key] : hash_keys.items()) {
    stored.hash_keys.emplace_back(flag, key.get<std::string>());
  }
  const json groups = context.value("stored_group_properties", json::object());
  for (const auto& [type, properties] : groups.items()) {
    stored.groups.push_back(StoredGroup{type, Read::kOk, to_value(properties)});
  }
  return stored;
}

json answer(const Definitions& definitions, const Request& request, const StoredState& stored) {
  const Evaluation evaluation = evaluate(definitions, request, stored, kNow);
  const ResponseContext context{"00000000-0000-4000-8000-000000000000", kNow, {}};
  json body = json::parse(write_flags(evaluation, FlagsVersion::kV2, context), nullptr, false);
  REQUIRE(body.is_object());
  return body;
}

bool backtracks(const std::string& pattern) {
  for (const char* part : {"(?=", "(?!", "(?<=", "(?<!", "\\1"}) {
    if (pattern.find(part) != std::string::npos) return true;
  }
  return false;
}

// Compares one flag of the answer with what the vector expects of it.
void check_flag(const json& detail, const json& expected) {
  CHECK(detail["enabled"] == expected["enabled"]);
  CHECK(detail["variant"] == expected["variant"]);
  CHECK(detail["metadata"]["payload"] == expected["payload"]);
  for (const auto& [name, value] : expected["reason"].items()) {
    INFO("reason." << name);
    CHECK(detail["reason"][name] == value);
  }
  CHECK(detail.value("failed", false) == expected.value("failed", false));
  const json value = detail["variant"].is_null() ? detail["enabled"] : detail["variant"];
  CHECK(value == expected["value"]);
}

void check_whole_flags(const char* file) {
  const json vectors = load_vectors(file);
  REQUIRE(!vectors["cases"].empty());
  for (const json& test : vectors["cases"]) {
    DYNAMIC_SECTION(test["name"].get<std::string>()) {
      json document = test["definitions"];
      for (const char* option : {"property_matching_version", "timezone"}) {
        if (test["context"].contains(option)) document[option] = test["context"][option];
      }
      KnownZones known;
      const Definitions definitions = parse_leniently(document, known);
      const Request request = request_from(test["context"]);
      const json body = answer(definitions, request, stored_from(document, test["context"]));
      CHECK(body["errorsWhileComputingFlags"] == test["expected"]["errorsWhileComputingFlags"]);
      for (const auto& [key, expected] : test["expected"]["flags"].items()) {
        INFO("flag " << key << " in " << body["flags"].dump());
        if (expected.value("omitted", false)) {
          CHECK(!body["flags"].contains(key));
          continue;
        }
        REQUIRE(body["flags"].contains(key));
        check_flag(body["flags"][key], expected);
      }
      CHECK(body["flags"].size() <= test["expected"]["flags"].size());
    }
  }
}

}  // namespace

TEST_CASE("hashes equal the published vectors bit by bit", "[flags]") {
  const json vectors = load_vectors("flag-hash.json");
  for (const json& test : vectors["vectors"]) {
    const std::string identifier = test["identifier"].get<std::string>();
    const double hash = hash01(test["prefix"].get<std::string>(),
                               first_code_points(identifier, limits::kDistinctIdChars),
                               test["salt"].get<std::string>());
    uint64_t bits = 0;
    std::memcpy(&bits, &hash, sizeof bits);
    char hex[17];
    std::snprintf(hex, sizeof hex, "%016llx", static_cast<unsigned long long>(bits));
    CHECK(hex == test["hash01_binary64"].get<std::string>());
  }
  for (const json& test : vectors["thresholds"]) {
    const double percentage = test["rollout_percentage"].get<double>();
    const bool included = percentage >= 100 || test["hash01"].get<double>() <= percentage / 100;
    CHECK(included == test["included"].get<bool>());
  }
}

namespace {

void check_operators(const char* file) {
  const json vectors = load_vectors(file);
  KnownZones known;
  for (const json& test : vectors["cases"]) {
    DYNAMIC_SECTION(test["id"].get<std::string>()) {
      const std::string name = test["operator"].is_null() ? "exact" : test["operator"];
      const std::optional<Operator> op = operator_from_name(name);
      REQUIRE(op);
      const TimeZone zone =
          TimeZone::parse(test.value("timezone", std::string("UTC")), &known.zones)
              .value_or(TimeZone());
      const Value operand = to_value(test["filter_value"]);
      std::string problem;
      Patterns patterns;
      const Matcher matcher =
          Matcher::compile(*op, test.value("filter_value_absent", false) ? nullptr : &operand, zone,
                           patterns, problem);
      const bool absent = test["property"].value("absent", false);
      const Value property_value = absent ? Value::null() : to_value(test["property"]["value"]);
      Property property(absent ? nullptr : &property_value);
      const MatchContext context{test.contains("now") ? instant_ms(test["now"]) : kNow,
                                 test.value("property_matching_version", 1), zone};
      const Match match = matcher.match(property, context);
      INFO(test.dump());
      if (problem.find("linear-time engine cannot run") != std::string::npos) {
        // The service backtracks; here such a pattern fails its flag instead.
        CHECK(backtracks(test["filter_value"]));
        CHECK(match == (absent ? Match::kNo : Match::kUnknown));
        continue;
      }
      CHECK((match == Match::kYes) == test["expected_condition"].get<bool>());
      CHECK((match == Match::kError) == test["expected"].is_string());
    }
  }
}

}  // namespace

TEST_CASE("property operators equal the service's on every vector", "[flags]") {
  check_operators("flag-property-operators.json");
}

TEST_CASE("dates and patterns equal the service's on every vector", "[flags]") {
  check_operators("flag-operators-dates-regex.json");
}

TEST_CASE("versions equal the service's on every vector", "[flags]") {
  check_operators("flag-versions.json");
}

TEST_CASE("whole flags answer as the service on every vector", "[flags]") {
  check_whole_flags("flag-whole.json");
}

TEST_CASE("cohorts and dependencies answer as the service on every vector", "[flags]") {
  check_whole_flags("flag-cohorts-dependencies.json");
}

TEST_CASE("random whole flags answer as the service on every vector", "[flags]") {
  check_whole_flags("flag-whole-random.json");
}

namespace {

// Every member that `expected` names, at any depth.
void check_named(const json& expected, const json& found) {
  INFO(found.dump());
  if (!expected.is_object()) {
    CHECK(found == expected);
    return;
  }
  REQUIRE(found.is_object());
  for (const auto& [name, value] : expected.items()) {
    INFO(name);
    REQUIRE(found.contains(name));
    check_named(value, found[name]);
  }
}

FlagsVersion version_of(const json& context) {
  const int version = context.value("v", 2);
  return version == 1   ? FlagsVersion::kLegacy
         : version == 3 ? FlagsVersion::kV3
                        : FlagsVersion::kV2;
}

}  // namespace

TEST_CASE("cohorts in exports and errors answer as they should on every vector", "[flags]") {
  const json vectors = load_vectors("flag-cohorts-and-errors.json");
  REQUIRE(!vectors["cases"].empty());
  for (const json& test : vectors["cases"]) {
    DYNAMIC_SECTION(test["name"].get<std::string>()) {
      const json& document = test["definitions"];
      KnownZones known;
      const Definitions definitions = parse_leniently(document, known);
      const Evaluation evaluation = evaluate(definitions, request_from(test["context"]),
                                             stored_from(document, test["context"]), kNow);
      const ResponseContext context{"id", kNow, {}};
      const json body = json::parse(write_flags(evaluation, version_of(test["context"]), context),
                                    nullptr, false);
      json expected = test["expected"];
      for (const json& key : expected.value("absent", json::array())) {
        CHECK(!body["flags"].contains(key.get<std::string>()));
      }
      expected.erase("absent");
      check_named(expected, body);
    }
  }
}

TEST_CASE("the seed's dialect answers as the seed on every vector", "[flags]") {
  const json vectors = load_vectors("flag-seed-dialect.json");
  for (const json& test : vectors["cases"]) {
    DYNAMIC_SECTION(test["name"].get<std::string>()) {
      KnownZones known;
      const Definitions definitions = parse_leniently(json{{"flags", test["flags"]}}, known);
      json context = test["context"];
      for (const char* name : {"evaluation_environments", "flag_keys"}) {
        if (test.contains(name)) context[name] = test[name];
      }
      const Request request = request_from(context);
      const Evaluation evaluation = evaluate(definitions, request, StoredState{}, kNow);
      const ResponseContext response{"id", kNow, {}};
      const json v2 = json::parse(write_flags(evaluation, FlagsVersion::kV2, response));
      const json v1 = json::parse(write_flags(evaluation, FlagsVersion::kLegacy, response));
      CHECK(v2["flags"] == test["expected"]["flags"]);
      CHECK(v2["featureFlags"] == test["expected"]["featureFlags_v2"]);
      CHECK(v2["featureFlagPayloads"] == test["expected"]["featureFlagPayloads_v2"]);
      CHECK(v1["featureFlags"] == test["expected"]["featureFlags_other_versions"]);
      for (const auto& [hashed, bucket] : test["buckets"].items()) {
        const size_t colon = hashed.find(':');
        CHECK(seed_bucket(hashed.substr(0, colon), hashed.substr(colon + 1)) == bucket);
      }
    }
  }
}

// --- The rules format

namespace {

constexpr const char* kRulesVectors = "flag-rules-v2.json";

// The text of a document with one flag; `filters_text` is kept byte by byte.
std::string rules_document(const std::string& filters_text, const json& context) {
  const std::string zone = context.value("timezone", std::string("UTC"));
  return R"({"flags":[{"id":1,"key":"f","active":true,"filters":)" + filters_text +
         R"(}],"property_matching_version":)" +
         std::to_string(context.value("property_matching_version", 1)) + R"(,"timezone":")" + zone +
         "\"}";
}

// Every member of `expected` stands in `actual`; {"json_text_of": x} is a text that holds x.
void check_contains(const json& actual, const json& expected, const std::string& path) {
  INFO(path << ": " << actual.dump());
  if (!expected.is_object()) {
    CHECK(actual == expected);
    return;
  }
  if (expected.contains("json_text_of")) {
    REQUIRE(actual.is_string());
    CHECK(json::parse(actual.get<std::string>(), nullptr, false) == expected["json_text_of"]);
    return;
  }
  REQUIRE(actual.is_object());
  for (const auto& [name, value] : expected.items()) {
    REQUIRE(actual.contains(name));
    check_contains(actual[name], value, path + "." + name);
  }
}

struct Bodies {
  json v2;
  json v3;
  json legacy;
};

Bodies bodies_of(const Definitions& definitions, const json& request, const StoredState& stored,
                 int64_t now_ms) {
  const Evaluation evaluation = evaluate(definitions, request_from(request), stored, now_ms);
  const ResponseContext context{"id", now_ms, {}};
  return {json::parse(write_flags(evaluation, FlagsVersion::kV2, context)),
          json::parse(write_flags(evaluation, FlagsVersion::kV3, context)),
          json::parse(write_flags(evaluation, FlagsVersion::kLegacy, context))};
}

void check_rules_answers(const json& test) {
  const json& context = test["context"];
  json document = {{"flags", json::array({test["flag"]})}};
  document["property_matching_version"] = context["property_matching_version"];
  document["timezone"] = context["timezone"];
  KnownZones known;
  const Definitions definitions = parse_leniently(document, known);
  CHECK(definitions.problems().size() == (test["expected"].value("error", "") == "invalid_regex" ||
                                          test["flag"].dump().find("\"[\"") != std::string::npos));
  StoredState stored;
  json request = {{"distinct_id", context["identifier"]}};
  const bool unknown = context["properties"].is_null() || !context["properties_complete"];
  if (unknown) stored.person_read = Read::kFailed;
  if (unknown && context["properties"].is_object()) {
    request["person_properties"] = context["properties"];
  } else if (context["properties"].is_object()) {
    stored.person_exists = true;
    stored.person_properties = to_value(context["properties"]);
  }
  const std::string key = test["flag"]["key"];
  const Bodies bodies = bodies_of(definitions, request, stored, instant_ms(context["now"]));
  const json& answers = test["answers"];
  CHECK(bodies.v3["errorsWhileComputingFlags"] == answers["errorsWhileComputingFlags"]);
  check_contains(bodies.v2["flags"][key], answers["v2"], "v2");
  check_contains(bodies.v3["flags"][key], answers["v3"], "v3");
  CHECK(bodies.v3["flags"][key].size() == answers["v3"].size());
  CHECK(bodies.v3["flags"][key]["metadata"].size() == answers["v3"]["metadata"].size() + 1);
  CHECK(bodies.legacy["featureFlags"][key] == answers["v1"]["value"]);
  const json& payloads = bodies.legacy["featureFlagPayloads"];
  if (answers["v1"]["payload"] == "absent") {
    CHECK(!payloads.contains(key));
  } else {
    check_contains(payloads[key], answers["v1"]["payload"], "v1.payload");
  }
}

void check_rules_parsing(const json& test) {
  const std::string text = test.contains("filters_text") ? test["filters_text"].get<std::string>()
                                                         : test["filters"].dump();
  const std::vector<Problem> problems =
      Definitions::check(rules_document(text, json::object()), ParseOptions{});
  if (test["expected"]["ok"]) {
    // A pattern that cannot run is told, but the flag is read.
    for (const Problem& problem : problems) CHECK(problem.message.rfind("pattern", 0) == 0);
    return;
  }
  REQUIRE(problems.size() == 1);
  const std::string wanted = test["expected"]["error"].get<std::string>() + " " +
                             test["expected"]["field"].get<std::string>() + ": ";
  INFO(problems[0].path << ": " << problems[0].message);
  CHECK(problems[0].message.rfind(wanted, 0) == 0);
  CHECK(problems[0].path.rfind("flags[0].filters", 0) == 0);
}

void check_rules_population(const json& test) {
  KnownZones known;
  const Definitions definitions = parse_leniently(
      json{{"flags", json::array({{{"id", 1}, {"key", "f"}, {"filters", test["filters"]}}})}},
      known);
  std::map<std::string, int> counts;
  std::vector<std::string> on;
  std::map<std::string, std::string> names;
  for (const json& variant : test["filters"]["rules"][0].value("variants", json::array())) {
    names[variant["value"].dump()] = variant["key"];
  }
  for (int i = 0; i < 1000; ++i) {
    const std::string id = "rider-" + std::to_string(i);
    const Bodies bodies = bodies_of(definitions, {{"distinct_id", id}}, StoredState{}, kNow);
    const json value = bodies.v3["flags"]["f"]["value"];
    ++counts[names.empty() ? value.dump() : names[value.dump()]];
    if (value == true) on.push_back(id);
  }
  if (!names.empty()) {
    CHECK(json(counts) == test["expected"]["variants"]);
    return;
  }
  CHECK(counts["true"] == test["expected"]["true"]);
  on.resize(10);
  CHECK(json(on) == test["expected"]["first_ten_true"]);
}

void check_rules_request(const json& test) {
  KnownZones known;
  const Definitions definitions = parse_leniently(test["definitions"], known);
  const Bodies bodies = bodies_of(definitions, test["context"], StoredState{}, kNow);
  const int version = test["context"]["v"];
  const json& body = version == 1 ? bodies.legacy : version == 2 ? bodies.v2 : bodies.v3;
  for (const auto& [name, value] : test["expected"].items()) {
    if (name == "absent") {
      for (const json& key : value) CHECK(!body["flags"].contains(key.get<std::string>()));
    } else if (name == "no_member_named") {
      CHECK(body.dump().find("\"" + value.get<std::string>() + "\"") == std::string::npos);
    } else {
      check_contains(body[name], value, name);
    }
  }
}

}  // namespace

TEST_CASE("the rules format answers as the service on every vector", "[flags][rules]") {
  const json vectors = load_vectors(kRulesVectors);
  REQUIRE(vectors["cases"].size() > 100);
  for (const json& test : vectors["cases"]) {
    DYNAMIC_SECTION(test["name"].get<std::string>()) {
      const std::string kind = test["kind"];
      if (kind == "evaluate")
        check_rules_answers(test);
      else if (kind == "parse")
        check_rules_parsing(test);
      else if (kind == "population")
        check_rules_population(test);
      else
        check_rules_request(test);
    }
  }
}
