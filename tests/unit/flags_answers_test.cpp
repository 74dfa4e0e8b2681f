// Requests, what must be read for them, and the bodies that answer them.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <string>

#include "hogflare/project_settings.h"
#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"
#include "hogflare/flags_tools.h"
#include "hogflare/limits.h"
#include "flags/hash.h"
#include "tests/table_zones.h"

using nlohmann::json;
using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr int64_t kNow = 1'750'000'000'000;
const ResponseContext kContext{"request-1", kNow, {}};

Definitions definitions_from(const std::string& document) {
  ParseOptions options;
  options.group_types = {"company", "project"};
  Result<Definitions> parsed = Definitions::parse(document, options);
  INFO((parsed.ok() ? "" : parsed.error().detail));
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

Request request_from(const std::string& members, RequestHeaders headers = {}) {
  Result<Request> request = parse_request("{\"token\":\"phc\"," + members + "}", headers);
  INFO((request.ok() ? "" : request.error().detail));
  REQUIRE(request.ok());
  return std::move(request).value();
}

json parsed(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  REQUIRE(!value.is_discarded());
  return value;
}

// One flag per line of thought: on for all, by plan, by group, sticky, off, and one of the seed's.
constexpr const char* kDocument = R"({"flags":[
  {"id":1,"key":"all","version":3,"filters":{"groups":[{}],"payloads":{"true":"{\"a\":1}"}}},
  {"id":2,"key":"plan","filters":{"groups":[{"properties":[{"key":"plan","value":"pro"}]}]}},
  {"id":3,"key":"org","filters":{"aggregation_group_type_index":0,"groups":[{"properties":[
    {"key":"tier","type":"group","group_type_index":0,"value":"gold"}]}]}},
  {"id":4,"key":"sticky","ensure_experience_continuity":true,
   "filters":{"groups":[{"rollout_percentage":50}]}},
  {"id":5,"key":"off","active":false,"filters":{"groups":[{}]}},
  {"id":6,"key":"split","filters":{"groups":[{}],"multivariate":{"variants":[
    {"key":"x","rollout_percentage":50},{"key":"y","rollout_percentage":50}]}}}]})";

}  // namespace

TEST_CASE("a request is read under all its aliases", "[flags]") {
  const Request request = request_from(
      R"("$distinct_id":123.45,"$properties":{"$device_id":"d1","x":NaN},"$groups":{"company":42,)"
      R"("project":true},"$anon_distinct_id":"anon","flag_keys_to_evaluate":["a",3],)"
      R"("evaluation_environments":["web"],"evaluation_runtime":"SERVER","geoip_disable":true)");
  CHECK(request.token == "phc");
  CHECK(request.distinct_id == "123.45");
  CHECK(request.person_properties.find("x")->is_null());
  CHECK(request.device_id == "d1");
  CHECK(request.group("company")->key == "42");
  CHECK(request.group("company")->usable);
  CHECK(!request.group("project")->usable);
  CHECK(request.anon_distinct_id == "anon");
  CHECK(request.flag_keys == std::vector<std::string>{"a"});
  CHECK(request.evaluation_contexts == std::vector<std::string>{"web"});
  CHECK(request.runtime == Runtime::kServer);
  CHECK(request.geoip_disable);
}

TEST_CASE("a device's id is the field's, or the properties' where the field says none", "[flags]") {
  const auto device = [](const std::string& members) {
    return request_from(R"("distinct_id":"u")" + members).device_id.value_or("(none)");
  };
  const std::string property = R"(,"person_properties":{"$device_id":"p"})";
  CHECK(device("") == "(none)");
  CHECK(device(R"(,"device_id":"d")") == "d");
  CHECK(device(R"(,"$device_id":"d")") == "d");
  CHECK(device(R"(,"device_id":"d")" + property) == "d");
  CHECK(device(property) == "p");
  CHECK(device(R"(,"device_id":"")" + property) == "p");
  CHECK(device(R"(,"device_id":null)" + property) == "p");
  CHECK(device(R"(,"device_id":"")") == "(none)");
  CHECK(device(R"(,"device_id":"","person_properties":{"$device_id":""})") == "(none)");
  CHECK(device(R"(,"device_id":"","person_properties":{"$device_id":5})") == "(none)");
}

TEST_CASE("a request that cannot be answered says why", "[flags]") {
  const std::pair<const char*, ErrorCode> cases[] = {
      {"", ErrorCode::kParseFailed},
      {"[]", ErrorCode::kParseFailed},
      {"{\"distinct_id\":\"u\"}", ErrorCode::kMissingToken},
      {"{\"token\":\"\",\"distinct_id\":\"u\"}", ErrorCode::kMissingToken},
      {"{\"token\":\"t\"}", ErrorCode::kMissingDistinctId},
      {"{\"token\":\"t\",\"distinct_id\":null}", ErrorCode::kMissingDistinctId},
      {"{\"token\":\"t\",\"distinct_id\":true}", ErrorCode::kParseFailed},
      {"{\"token\":\"t\",\"distinct_id\":\"u\",\"groups\":[]}", ErrorCode::kParseFailed},
      {"{\"token\":\"t\",\"distinct_id\":\"u\",\"person_properties\":1}", ErrorCode::kParseFailed},
  };
  for (const auto& [body, code] : cases) {
    INFO(body);
    const Result<Request> request = parse_request(body, RequestHeaders{});
    REQUIRE(!request.ok());
    CHECK(request.error().code == code);
    CHECK(!request.error().detail.empty());
  }
  // As long as a distinct_id, for it is stored with the person.
  const Result<Request> long_id =
      parse_request(R"({"token":"t","distinct_id":"u","$anon_distinct_id":")" +
                        std::string(3'000'000, 'a') + "\"}",
                    RequestHeaders{});
  REQUIRE(long_id.ok());
  CHECK(long_id.value().anon_distinct_id == std::string(limits::kDistinctIdChars, 'a'));
  std::string many = R"({"token":"t","distinct_id":"u","person_properties":{"a":[1)";
  for (size_t i = 0; i < limits::kFlagsRequestNodesMax; ++i) many += ",1";
  const Result<Request> too_many = parse_request(many + "]}}", RequestHeaders{});
  REQUIRE(!too_many.ok());
  CHECK(too_many.error().code == ErrorCode::kTooLarge);
  CHECK(too_many.error().detail.find("100000 values") != std::string::npos);
  CHECK(parse_request(R"({"api_key":"t","distinct_id":""})", RequestHeaders{}).ok());
  CHECK(parse_request(R"({"$token":"t","disable_flags":true})", RequestHeaders{}).ok());
}

TEST_CASE("the runtime is guessed from the headers", "[flags]") {
  CHECK(detect_runtime({"posthog-python/3.0.0"}) == Runtime::kServer);
  CHECK(detect_runtime({"curl/8.0"}) == Runtime::kServer);
  CHECK(detect_runtime({"Mozilla/5.0 (X11)"}) == Runtime::kClient);
  CHECK(detect_runtime({"posthog-android/3.0"}) == Runtime::kClient);
  CHECK(detect_runtime({"something", true}) == Runtime::kClient);
  CHECK(detect_runtime({"something"}) == Runtime::kUnknown);
}

TEST_CASE("only the state that some asked flag lacks is to be read", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  const auto wanted = [&](const std::string& members) {
    return needs(definitions, request_from("\"distinct_id\":\"u\"," + members));
  };
  CHECK(wanted(R"("flag_keys":["all","split","off"])").nothing());
  CHECK(wanted(R"("disable_flags":true)").nothing());
  CHECK(wanted(R"("flag_keys":["plan"])").person);
  CHECK(wanted(R"("flag_keys":["plan"],"person_properties":{"plan":"pro"})").nothing());
  CHECK(wanted(R"("flag_keys":["sticky"])").hash_keys);
  CHECK(wanted(R"("flag_keys":["org"])").nothing());
  CHECK(wanted(R"("flag_keys":["org"],"groups":{"company":""})").nothing());
  const Needs group = wanted(R"("flag_keys":["org"],"groups":{"company":"acme"})");
  CHECK(!group.person);
  REQUIRE(group.groups.size() == 1);
  CHECK(group.groups[0] == std::pair<std::string, std::string>("company", "acme"));
  CHECK(wanted(R"("flag_keys":["org"],"groups":{"company":"acme"},)"
               R"("group_properties":{"company":{"tier":"gold"}})")
            .nothing());
}

TEST_CASE("a failed read fails the flags that need it and no others", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  const Request request = request_from(R"("distinct_id":"u","groups":{"company":"acme"})");
  StoredState stored;
  stored.person_read = Read::kFailed;
  stored.hash_keys_read = Read::kFailed;
  stored.groups.push_back(StoredGroup{"company", Read::kFailed, Value::object()});
  const Evaluation evaluation = evaluate(definitions, request, stored, kNow);
  const json body = parsed(write_flags(evaluation, FlagsVersion::kV2, kContext));
  CHECK(body["errorsWhileComputingFlags"] == true);
  CHECK(body["flags"]["all"]["enabled"] == true);
  CHECK(!body["flags"]["all"].contains("failed"));
  CHECK(body["flags"]["plan"]["failed"] == true);
  CHECK(body["flags"]["plan"]["reason"]["code"] == "database_error");
  CHECK(body["flags"]["org"]["failed"] == true);
  CHECK(body["flags"]["sticky"]["reason"]["code"] == "hash_key_override_error");
}

TEST_CASE("hash keys are stored for sticky flags without one", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  StoredState stored;
  const Request known = request_from(R"("distinct_id":"u")");
  CHECK(hash_keys_to_store(definitions, known, stored).empty());
  const Request anonymous = request_from(R"("distinct_id":"u","$anon_distinct_id":"anon")");
  CHECK(hash_keys_to_store(definitions, anonymous, stored) == std::vector<std::string>{"sticky"});
  stored.hash_keys.emplace_back("sticky", "older");
  CHECK(hash_keys_to_store(definitions, anonymous, stored).empty());
}

TEST_CASE("every version of /flags and /decide has its own shape", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  const Request request = request_from(R"("distinct_id":"u","flag_keys":["all","plan","split"])");
  const Evaluation evaluation = evaluate(definitions, request, StoredState{}, kNow);
  const json v2 = parsed(write_flags(evaluation, FlagsVersion::kV2, kContext));
  CHECK(v2["flags"]["all"] == parsed(R"({"key":"all","enabled":true,"variant":null,
    "reason":{"code":"condition_match","condition_index":0,"description":"Matched condition set 1"},
    "metadata":{"id":1,"version":3,"description":null,"payload":"{\"a\":1}",
        "has_experiment":false}})"));
  CHECK(v2["requestId"] == "request-1");
  CHECK(v2["evaluatedAt"] == kNow);
  CHECK(!v2.contains("featureFlags"));
  CHECK(!v2.contains("supportedCompression"));
  const json v3 = parsed(write_flags(evaluation, FlagsVersion::kV3, kContext));
  CHECK(v3["flags"]["all"]["value"] == true);
  CHECK(v3["flags"]["split"]["value"].is_string());
  CHECK(!v3["flags"]["all"].contains("enabled"));
  const json legacy = parsed(write_flags(evaluation, FlagsVersion::kLegacy, kContext));
  CHECK(legacy["featureFlags"]["plan"] == false);
  CHECK(legacy["featureFlags"]["split"] == v3["flags"]["split"]["value"]);
  CHECK(legacy["featureFlagPayloads"] == json{{"all", "{\"a\":1}"}});

  ResponseContext with_config = kContext;
  with_config.config = project::write_remote_config_members({"phc", true, true});
  CHECK(parsed(write_decide(evaluation, 1, with_config))["featureFlags"] ==
        json::array({"all", "split"}));
  const json decide2 = parsed(write_decide(evaluation, 2, with_config));
  CHECK(!decide2["featureFlags"].contains("plan"));
  CHECK(decide2["supportedCompression"] == json::array({"gzip", "gzip-js"}));
  CHECK(decide2["sessionRecording"]["endpoint"] == "/s/");
  CHECK(parsed(write_decide(evaluation, 3, with_config))["featureFlags"]["plan"] == false);
  CHECK(parsed(write_decide(evaluation, 4, with_config))["flags"].contains("plan"));
  const json minimal = parsed(write_minimal_config(with_config));
  CHECK(minimal["flags"] == json::object());
  CHECK(minimal["featureFlags"] == json::object());
  CHECK(minimal["hasFeatureFlags"] == true);
}

TEST_CASE("the version and config of an answer follow the query", "[flags]") {
  CHECK(flags_answer({}, {}).version == FlagsVersion::kV2);
  CHECK(flags_answer({}, {}).with_config);
  CHECK(flags_answer({}, "true").version == FlagsVersion::kLegacy);
  CHECK(flags_answer("1", {}).version == FlagsVersion::kLegacy);
  CHECK(flags_answer("2", {}).version == FlagsVersion::kV2);
  CHECK(!flags_answer("2", {}).with_config);
  CHECK(!flags_answer("2", "false").with_config);
  CHECK(flags_answer("3", "true").version == FlagsVersion::kV3);
  for (const char* old : {"abc", "0", "-1", "2.0", "", " 2", "99999999999"}) {
    INFO(old);
    CHECK(flags_answer(old, {}).version == FlagsVersion::kLegacy);
  }
  CHECK(flags_answer("+2", {}).version == FlagsVersion::kV2);
  CHECK(flags_answer("4", {}).version == FlagsVersion::kV2);
  for (const char* whole : {"13", "03", "+3"}) {
    INFO(whole);
    CHECK(flags_answer(whole, {}).version ==
          (whole[0] == '1' ? FlagsVersion::kV2 : FlagsVersion::kV3));
  }
  CHECK(flags_answer("++3", {}).version == FlagsVersion::kLegacy);
}

TEST_CASE("over quota no flag is answered", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  Evaluation evaluation =
      evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
  evaluation.quota_limited = true;
  const json body = parsed(write_flags(evaluation, FlagsVersion::kV2, kContext));
  CHECK(body["flags"] == json::object());
  CHECK(body["quotaLimited"] == json::array({"feature_flags"}));
}

TEST_CASE("derived person properties fill what is absent", "[flags]") {
  const Definitions definitions = definitions_from(R"([
    {"key":"os","filters":{"groups":[{"properties":[{"key":"$os","value":"iOS"}]}]}},
    {"key":"initial","filters":{"groups":[{"properties":[{"key":"$initial_utm_source",
        "value":"ads"}]}]}},
    {"key":"born","filters":{"groups":[{"properties":[{"key":"created_at","type":"person_metadata",
      "operator":"is_date_before","value":"2025-01-01"}]}]}}])");
  const Request request = request_from(
      R"("distinct_id":"u","person_properties":{"$os_name":"iOS","utm_source":"ads"})");
  CHECK(needs(definitions, request).person);
  StoredState stored;
  stored.person_created_at = "2024-06-01T00:00:00Z";
  const Evaluation fresh = evaluate(definitions, request, stored, kNow);
  CHECK(fresh.find("os")->enabled);
  CHECK(fresh.find("initial")->enabled);
  CHECK(fresh.find("born")->enabled);
  stored.person_properties.set("$initial_utm_source", Value::of(std::string_view("mail")));
  CHECK(!evaluate(definitions, request, stored, kNow).find("initial")->enabled);
}

TEST_CASE("OFREP answers typed values with reasons", "[flags]") {
  const Definitions definitions = definitions_from(R"([
    {"id":1,"key":"all","filters":{"groups":[{}],"payloads":{"true":{"a":1}}}},
    {"key":"plan","filters":{"groups":[{"properties":[{"key":"plan","value":"pro"}]}]}},
    {"key":"split","filters":{"groups":[{}],"multivariate":{"variants":[{"key":"x",
        "rollout_percentage":100}]}}},
    {"key":"off","active":false,"filters":{"groups":[{}]}},
    {"key":"seed","conditions":[{"properties":[{"key":"plan","value":"pro"}]}]}])");
  const OfrepRequest request = parse_ofrep_request(
      R"({"context":{"targetingKey":"u","plan":"pro","groups":{"company":"acme"}}})", {});
  REQUIRE(request.error == OfrepError::kNone);
  CHECK(request.request.distinct_id == "u");
  CHECK(request.request.group("company")->key == "acme");
  const Evaluation evaluation = evaluate(definitions, request.request, StoredState{}, kNow);
  const auto answer = [&](const char* key) {
    return parsed(write_ofrep_flag(evaluation, key).body);
  };
  CHECK(answer("all")["reason"] == "STATIC");
  CHECK(answer("all")["value"] == true);
  CHECK(answer("plan")["value"] == true);
  CHECK(answer("off")["value"] == false);
  CHECK(answer("all")["metadata"]["payload"] == R"({"a":1})");
  CHECK(answer("plan")["reason"] == "TARGETING_MATCH");
  CHECK(answer("split")["reason"] == "SPLIT");
  CHECK(answer("split")["value"] == "x");
  CHECK(answer("split")["variant"] == "x");
  CHECK(answer("off")["reason"] == "DISABLED");
  CHECK(answer("seed")["reason"] == "TARGETING_MATCH");
  CHECK(write_ofrep_flag(evaluation, "nope").status == 404);
  CHECK(answer("nope")["errorCode"] == "FLAG_NOT_FOUND");
  CHECK(!answer("nope")["errorDetails"].get<std::string>().empty());
  const json bulk = parsed(write_ofrep_flags(evaluation).body);
  CHECK(bulk["flags"].size() == 4);

  RequestHeaders server;
  server.user_agent = "posthog-python/3.0";
  REQUIRE(detect_runtime(server) == Runtime::kServer);
  CHECK(parse_ofrep_request(R"({"context":{"targetingKey":"u"}})", server).request.runtime ==
        Runtime::kServer);

  // The placeholder of cookieless SDKs, which everybody sends, is nobody's device.
  const std::string placeholder = "$posthog_cookieless";
  for (const std::string& id : {std::string("phone"), placeholder}) {
    const Request from = parse_ofrep_request(R"({"context":{"targetingKey":"u","$device_id":")" +
                                                 id + R"(","$anon_distinct_id":")" + id + "\"}}",
                                             {})
                             .request;
    CHECK(from.device_id.has_value() == (id != placeholder));
    CHECK(from.anon_distinct_id.has_value() == (id != placeholder));
  }

  const std::pair<const char*, OfrepError> broken[] = {
      {"x", OfrepError::kParseError},
      {"{}", OfrepError::kTargetingKeyMissing},
      {R"({"context":{"targetingKey":""}})", OfrepError::kTargetingKeyMissing},
      {R"({"context":[]})", OfrepError::kInvalidContext},
      {R"({"context":{"targetingKey":5}})", OfrepError::kInvalidContext},
      {R"({"context":{"targetingKey":"u","groups":1}})", OfrepError::kInvalidContext},
  };
  for (const auto& [body, error] : broken) {
    INFO(body);
    const OfrepRequest bad = parse_ofrep_request(body, {});
    CHECK(bad.error == error);
    CHECK(write_ofrep_error(bad.error, bad.detail, "k").status == 400);
  }
}

TEST_CASE("the feed marks what SDKs would answer differently", "[flags]") {
  const std::string document = R"({"flags":[
    {"id":1,"key":"plain","filters":{"groups":[{"properties":[{"key":"plan","value":"pro"}],
        "rollout_percentage":40}]}},
    {"id":2,"key":"holdout","filters":{"groups":[{}],"holdout":{"id":1,"exclusion_percentage":10}}},
    {"id":3,"key":"enrolment","filters":{"groups":[{}],"feature_enrollment":true}},
    {"id":4,"key":"between","filters":{"groups":[{"properties":[{"key":"a","operator":"between",
        "value":[1,2]}]}]}},
    {"id":5,"key":"boolean","filters":{"groups":[{"properties":[{"key":"a","value":"false"}]}]}},
    {"id":6,"key":"pattern","filters":{"groups":[{"properties":[{"key":"a","operator":"regex",
        "value":"(?i)x"}]}]}},
    {"id":7,"key":"mixed","filters":{"aggregation_group_type_index":0,"groups":[{"properties":[
        {"key":"a","type":"person","value":1}]}]}},
    {"id":8,"key":"static","filters":{"groups":[{"properties":[{"key":"id","type":"cohort",
        "value":1}]}]}},
    {"id":9,"key":"dynamic","filters":{"groups":[{"properties":[{"key":"id","type":"cohort",
        "value":2},{"key":"b","value":"c"}]}]}},
    {"id":10,"key":"child","filters":{"groups":[{"properties":[{"key":"1","type":"flag",
        "operator":"flag_evaluates_to","value":true}]}]}},
    {"id":11,"key":"grandchild","filters":{"groups":[{"properties":[{"key":"child","type":"flag",
        "operator":"flag_evaluates_to","value":true}]}]}},
    {"id":12,"key":"held-child","filters":{"groups":[{"properties":[{"key":"holdout",
        "type":"flag","operator":"flag_evaluates_to","value":true}]}]}},
    {"id":13,"key":"off","active":false,"filters":{"groups":[{}]}},
    {"id":14,"key":"gone","deleted":true,"filters":{"groups":[{}]}},
    {"key":"seed-all","payload":{"x":1}},
    {"key":"seed-half","rollout_percentage":50},
    {"id":15,"key":"least","filters":{"groups":[{"properties":[{"key":"a","operator":"min",
        "value":1}]}]}},
    {"id":16,"key":"no-index","filters":{"groups":[{"properties":[{"key":"a","type":"group",
        "value":1}]}]}},
    {"id":17,"key":"of-gone","filters":{"groups":[{"properties":[{"key":"14","type":"flag",
        "operator":"flag_evaluates_to","value":false}]}]}},
    {"id":18,"key":"no-cohort","filters":{"groups":[{"properties":[{"key":"id",
        "type":"cohort"}]}]}},
    {"id":19,"key":"listed","filters":{"groups":[{"properties":[{"key":"id","type":"cohort",
        "value":3}]}]}}],
    "cohorts":[{"id":1,"is_static":true},{"id":2,"filters":{"properties":{"type":"OR","values":[
      {"type":"AND","values":[{"key":"a","value":"x"}]},{"type":"AND","values":[{"key":"a",
          "value":"y"}]}]}}},{"id":3,"is_static":true,"filters":{"properties":{"type":"OR",
      "values":[{"key":"a","value":"x"}]}}}]})";
  const Definitions definitions = definitions_from(document);
  const json feed = parsed(write_definitions(definitions, Cohorts::kSend));
  json flags = json::object();
  for (const json& flag : feed["flags"]) flags[flag["key"].get<std::string>()] = flag;
  for (const char* key : {"plain", "dynamic", "child", "grandchild", "off", "seed-all"}) {
    INFO(key);
    CHECK(flags[key]["ensure_experience_continuity"] == false);
  }
  for (const char* key : {"holdout", "enrolment", "between", "boolean", "pattern", "mixed",
                          "static", "held-child", "seed-half", "least", "no-index"}) {
    INFO(key);
    CHECK(flags[key]["ensure_experience_continuity"] == true);
  }
  CHECK(flags["off"]["active"] == false);
  CHECK(flags["plain"]["name"] == "");
  CHECK(!flags.contains("gone"));
  CHECK(flags["seed-all"]["filters"]["payloads"]["true"] == R"({"x":1})");
  CHECK(flags["seed-all"]["filters"]["groups"] ==
        parsed(R"([{"properties":[],"rollout_percentage":100}])"));
  CHECK(flags["of-gone"]["filters"]["groups"][0]["properties"][0]["key"] == "gone");
  const json dependency = flags["grandchild"]["filters"]["groups"][0]["properties"][0];
  CHECK(dependency["dependency_chain"] == json::array({"plain", "child"}));
  CHECK(flags["child"]["filters"]["groups"][0]["properties"][0]["key"] == "plain");
  CHECK(feed["cohorts"].size() == 1);
  CHECK(feed["cohorts"]["2"]["type"] == "OR");
  CHECK(feed["group_type_mapping"] == json{{"0", "company"}, {"1", "project"}});

  const json inline_feed = parsed(write_definitions(definitions, Cohorts::kExpandInline));
  CHECK(inline_feed["cohorts"] == json::object());
  // Whose members the document's rules do not say stays as it is.
  for (const json& flag : inline_feed["flags"]) {
    if (flag["key"] == "static" || flag["key"] == "listed" || flag["key"] == "no-cohort") {
      CHECK(flag["filters"]["groups"] == flags[flag["key"]]["filters"]["groups"]);
    }
  }
  const json alone = parsed(write_definitions(
      definitions_from(R"([{"key":"f","filters":{"groups":[{"properties":[{"key":"id",
          "type":"cohort","value":2}]},{"properties":[{"key":"id","type":"cohort"}]}]}}])"),
      Cohorts::kExpandInline));
  CHECK(alone["flags"][0]["filters"]["groups"][0]["properties"][0]["value"] == 2);
  const json groups = inline_feed["flags"][8]["filters"]["groups"];
  REQUIRE(groups.size() == 2);
  CHECK(groups[1]["properties"] == parsed(R"([{"key":"a","value":"y"},{"key":"b","value":"c"}])"));
}

TEST_CASE("a document's own group types stand alone", "[flags]") {
  const Definitions definitions =
      definitions_from(R"({"flags":[],"group_type_mapping":{"0":"org"}})");
  CHECK(parsed(write_definitions(definitions, Cohorts::kSend))["group_type_mapping"] ==
        json{{"0", "org"}});
}

TEST_CASE("the feed says that events of called flags are minimal where they are", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  const json minimal =
      parsed(write_definitions(definitions, Cohorts::kSend, FlagCalledEvents::kMinimal));
  CHECK(minimal["minimal_flag_called_events"] == true);
  CHECK_FALSE(parsed(write_definitions(definitions, Cohorts::kSend, FlagCalledEvents::kFull))
                  .contains("minimal_flag_called_events"));
  CHECK_FALSE(parsed(write_definitions(definitions, Cohorts::kSend))
                  .contains("minimal_flag_called_events"));
}

TEST_CASE("the list of flags has those that are asked for", "[flags]") {
  const Definitions definitions = definitions_from(R"([
    {"key":"plain","name":"Äpfel","filters":{"groups":[{}]}},
    {"key":"tried","experiment_set":[4],"evaluation_runtime":"server","filters":{"groups":[{}]}},
    {"key":"split","active":false,"filters":{"groups":[{}],"multivariate":{"variants":[{"key":"x",
        "rollout_percentage":100}]}}}])");
  const auto keys = [&](const FlagListQuery& query) {
    const FlagListPage page = write_flag_list(definitions, query);
    std::string text;
    for (const json& flag : parsed(page.results)) text += flag["key"].get<std::string>() + " ";
    return text + std::to_string(page.count);
  };
  const auto with = [&](auto change) {
    FlagListQuery query;
    change(query);
    return keys(query);
  };
  CHECK(keys({}) == "plain tried split 3");
  CHECK(with([](FlagListQuery& query) { query.type = "experiment"; }) == "tried 1");
  CHECK(with([](FlagListQuery& query) { query.type = "boolean"; }) == "plain tried 2");
  CHECK(with([](FlagListQuery& query) { query.type = "multivariant"; }) == "split 1");
  CHECK(with([](FlagListQuery& query) { query.active = false; }) == "split 1");
  CHECK(with([](FlagListQuery& query) { query.evaluation_runtime = "server"; }) == "tried 1");
  CHECK(with([](FlagListQuery& query) { query.search = "LIT"; }) == "split 1");
  CHECK(with([](FlagListQuery& query) { query.search = "äPF"; }) == "plain 1");
  CHECK(with([](FlagListQuery& query) { query.search = "nothing"; }) == "0");
  CHECK(with([](FlagListQuery& query) { query.limit = 1, query.offset = 1; }) == "tried 3");
}

TEST_CASE("a flag in the list or the feed has every member that SDKs read, said or not",
          "[flags]") {
  const Definitions definitions = definitions_from(R"([
    {"key":"bare","filters":{"groups":[{}]}},
    {"id":7,"key":"full","name":"N","active":false,"deleted":false,"version":3,
     "ensure_experience_continuity":true,"is_simple_flag":true,"rollout_percentage":5,
     "filters":{"groups":[{}]}},
    {"key":"seed","conditions":[]}])");
  const json list = parsed(write_flag_list(definitions, {}).results);
  const json bare = {{"id", 0},
                     {"name", ""},
                     {"active", true},
                     {"deleted", false},
                     {"ensure_experience_continuity", false},
                     {"is_simple_flag", false},
                     {"rollout_percentage", nullptr}};
  const json full = {{"id", 7},
                     {"name", "N"},
                     {"active", false},
                     {"deleted", false},
                     {"ensure_experience_continuity", true},
                     {"is_simple_flag", true},
                     {"rollout_percentage", 5}};
  REQUIRE(list.size() == 3);
  for (const auto& [index, members] :
       {std::pair(0, bare), std::pair(1, full), std::pair(2, bare)}) {
    for (const auto& [name, value] : members.items()) {
      INFO(index << " " << name);
      REQUIRE(list[index].contains(name));
      CHECK(list[index][name] == value);
    }
  }
  const json feed = parsed(write_definitions(definitions, Cohorts::kSend))["flags"];
  for (const char* name : {"id", "name", "active", "deleted", "version"}) {
    INFO(name);
    REQUIRE(feed[0].contains(name));
    CHECK(feed[0][name] == (std::string(name) == "version" ? json(nullptr) : bare[name]));
  }
  CHECK(feed[1]["version"] == 3);
  CHECK(feed[2]["key"] == "seed");
  for (const char* name : {"id", "name", "active", "deleted"}) CHECK(feed[2][name] == bare[name]);
  CHECK(feed[2]["version"].is_null());
}

TEST_CASE("a super condition decides where the person has what it asks", "[flags]") {
  const Definitions definitions = definitions_from(R"([{"key":"early","filters":{"groups":[{}],
      "super_groups":[{"properties":[{"key":"beta","operator":"exact","value":"yes"}],
          "rollout_percentage":100}]}}])");
  CHECK(needs(definitions, request_from(R"("distinct_id":"u")")).person);
  const auto answer = [&](const std::string& properties) {
    const Request request = request_from(R"("distinct_id":"u","person_properties":)" + properties);
    const Evaluation evaluation = evaluate(definitions, request, StoredState{}, kNow);
    return parsed(write_flags(evaluation, FlagsVersion::kV2, kContext))["flags"]["early"];
  };
  CHECK(answer("{}")["enabled"] == true);
  CHECK(answer("{}")["reason"]["code"] == "condition_match");
  CHECK(answer(R"({"beta":"yes"})")["enabled"] == true);
  CHECK(answer(R"({"beta":"yes"})")["reason"]["code"] == "super_condition_value");
  CHECK(answer(R"({"beta":"no"})")["enabled"] == false);
}

TEST_CASE("a seed flag's detail has what the document says of it", "[flags]") {
  const auto detail = [](const std::string& members) {
    const Definitions definitions = definitions_from(R"([{"key":"s")" + members + "}]");
    const Evaluation evaluation =
        evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
    return parsed(write_flags(evaluation, FlagsVersion::kV2, kContext))["flags"]["s"];
  };
  CHECK(!detail("").contains("metadata"));
  CHECK(detail(R"(,"id":5)")["metadata"] == json{{"id", 5}});
  CHECK(detail(R"(,"version":2)")["metadata"] == json{{"version", 2}});
  CHECK(detail(R"(,"description":"d")")["metadata"] == json{{"description", "d"}});
  CHECK(detail(R"(,"payload":{"x":1})")["metadata"] == json{{"payload", R"({"x":1})"}});
}

TEST_CASE("a seed flag of a group answers the same for all of the group", "[flags]") {
  const Definitions definitions =
      definitions_from(R"([{"key":"s","group_type":"company","rollout_percentage":50}])");
  const auto is_on = [&](const std::string& user, const std::string& company) {
    const Request request = request_from(R"("distinct_id":")" + user +
                                         R"(","groups":{"company":")" + company + R"("})");
    return evaluate(definitions, request, StoredState{}, kNow).find("s")->enabled;
  };
  int on = 0;
  for (int i = 0; i < 40; ++i) {
    const std::string company = "company-" + std::to_string(i);
    on += is_on("ann", company) ? 1 : 0;
    CHECK(is_on("ann", company) == is_on("bob", company));
  }
  CHECK(on > 0);
  CHECK(on < 40);
}

TEST_CASE("an ETag matches however a client writes it", "[flags]") {
  CHECK(sha1_hex("abc") == "a9993e364706816aba3e25717850c26c9cd0d89d");
  const std::string etag = etag_of("body");
  CHECK(etag.substr(0, 3) == "W/\"");
  const std::string bare = etag.substr(3, etag.size() - 4);
  for (const std::string& header :
       {etag, "\"" + bare + "\"", bare, "\"x\", " + etag, std::string("*")}) {
    INFO(header);
    CHECK(etag_matches(header, etag));
  }
  CHECK(!etag_matches("", etag));
  CHECK(!etag_matches(etag_of("other"), etag));
}

TEST_CASE("a remote config payload is a JSON text, empty without one", "[flags]") {
  const Definitions definitions = definitions_from(kDocument);
  CHECK(write_remote_config_payload(definitions, "all") == R"("{\"a\":1}")");
  CHECK(write_remote_config_payload(definitions, "plan") == "");
  CHECK(!write_remote_config_payload(definitions, "nope").has_value());
}

TEST_CASE("the tools report problems and explain answers", "[flags]") {
  test::TableZones host;
  Zones zones(host);
  const json bad = parsed(tool_check(R"({"document":"[{\"key\":\"\"}]"})", zones));
  CHECK(bad["ok"] == false);
  CHECK(bad["problems"][0]["path"] == "flags[0].key");
  const json good = parsed(tool_check(json{{"document", kDocument}}.dump(), zones));
  CHECK(good["ok"] == true);
  CHECK(good["flags"] == 6);
  CHECK(parsed(tool_check("nonsense", zones))["ok"] == false);
  const json answer = parsed(tool_eval(json{{"document", kDocument},
                                            {"group_types", {"company"}},
                                            {"request", {{"distinct_id", "u"}}},
                                            {"person", {{"plan", "pro"}}},
                                            {"now_ms", kNow}}
                                           .dump(),
                                       zones));
  CHECK(answer["ok"] == true);
  CHECK(answer["flags"][1]["value"] == true);
  CHECK(answer["flags"][1]["reason"] == "condition_match");
  CHECK(answer["flags"][1]["bucket"].is_number_float());
  const json nobody{{"document", kDocument}, {"request", json::object()}};
  CHECK(parsed(tool_eval(nobody.dump(), zones))["ok"] == false);
}

TEST_CASE("a super condition that is no object is none", "[flags]") {
  for (const char* super : {"null", "[]", "[null]", "[5]", "[[{}]]", "[\"x\"]"}) {
    INFO(super);
    const Definitions definitions =
        definitions_from(R"([{"key":"f","filters":{"groups":[{"rollout_percentage":0}],
            "super_groups":)" +
                         std::string(super) + "}}]");
    const Evaluation evaluation =
        evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
    CHECK_FALSE(evaluation.find("f")->enabled);
    CHECK(reason_code(evaluation.find("f")->reason) == "out_of_rollout_bound");
  }
}

TEST_CASE("a holdout's list holds everybody back where it says no percentage", "[flags]") {
  const auto answer = [](const std::string& holdout) {
    const Definitions definitions = definitions_from(
        R"([{"key":"f","filters":{"groups":[{}],"payloads":{"holdout-7":"\"kept\""},)" + holdout +
        "}}]");
    const Evaluation evaluation =
        evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
    const FlagResult& result = *evaluation.find("f");
    return std::string(reason_code(result.reason)) + " " + std::string(result.variant) +
           (result.payload != nullptr ? " " + to_json(*result.payload) : "");
  };
  const std::string held = R"(holdout_condition_value holdout-7 "\"kept\"")";
  const std::string free = "condition_match ";
  CHECK(answer(R"("holdout_groups":[{"variant":"holdout-7"}])") == held);
  CHECK(answer(R"("holdout_groups":[{"variant":"holdout-7","rollout_percentage":100}])") == held);
  CHECK(answer(R"("holdout_groups":[{"variant":"holdout-7","rollout_percentage":0}])") == free);
  CHECK(answer(R"("holdout_groups":[])") == free);
  CHECK(answer(R"("holdout":{"id":7,"exclusion_percentage":100})") == held);
  CHECK(answer(R"("holdout":{"id":7,"exclusion_percentage":0})") == free);
  CHECK(answer(R"("holdout":{"id":7})") == free);
  // A percentage that is none is told of, and is the nearer end.
  CHECK(answer(R"("holdout":{"id":7,"exclusion_percentage":250})") == held);
  CHECK(answer(R"("holdout":{"id":7,"exclusion_percentage":-1})") == free);
}

TEST_CASE("a sticky flag's stored key is asked for only where somebody's bucket decides",
          "[flags]") {
  const auto asks = [](const std::string& filters) {
    const Definitions definitions = definitions_from(
        R"([{"key":"f","ensure_experience_continuity":true,"filters":{)" + filters + "}}]");
    StoredState stored;
    stored.hash_keys_read = Read::kFailed;
    const Request request = request_from(R"("distinct_id":"u")");
    const bool wanted = needs(definitions, request).hash_keys;
    // And where it is, a read that failed fails the flag.
    CHECK(evaluate(definitions, request, stored, kNow).find("f")->failed == wanted);
    return wanted;
  };
  CHECK_FALSE(asks(R"("groups":[{}])"));
  CHECK_FALSE(asks(R"("groups":[{"rollout_percentage":100}])"));
  CHECK(asks(R"("groups":[{"rollout_percentage":99.99}])"));
  CHECK(asks(R"("groups":[{},{"rollout_percentage":50}])"));
  CHECK(asks(R"("groups":[{}],"super_groups":[{"rollout_percentage":50}])"));
  CHECK(
      asks(R"("groups":[{}],"multivariate":{"variants":[{"key":"x","rollout_percentage":100}]})"));
}

TEST_CASE("a seed flag compares numbers, their bounds included or not, and asks for its person",
          "[flags]") {
  const auto is_on = [](const std::string& op, const std::string& actual) {
    const Definitions definitions = definitions_from(
        R"([{"key":"s","conditions":[{"properties":[{"key":"n","value":5,"operator":")" + op +
        R"("}]}]}])");
    const Request nothing = request_from(R"("distinct_id":"u")");
    CHECK(needs(definitions, nothing).person);
    const Request request =
        request_from(R"("distinct_id":"u","person_properties":{"n":)" + actual + "}");
    return evaluate(definitions, request, StoredState{}, kNow).find("s")->enabled;
  };
  struct Row {
    const char* op;
    bool below, at, above;
  };
  for (const Row& row : {Row{"gt", false, false, true}, Row{"gte", false, true, true},
                         Row{"lt", true, false, false}, Row{"lte", true, true, false}}) {
    INFO(row.op);
    CHECK(is_on(row.op, "4.9") == row.below);
    CHECK(is_on(row.op, "5") == row.at);
    CHECK(is_on(row.op, "\"5\"") == row.at);
    CHECK(is_on(row.op, "5.1") == row.above);
    CHECK_FALSE(is_on(row.op, "\"x\""));
  }
}

TEST_CASE("a seed flag's yes and no are read in each spelling, and others are none", "[flags]") {
  const auto is_on = [](const std::string& expected, const std::string& actual) {
    const Definitions definitions = definitions_from(
        R"([{"key":"s","conditions":[{"properties":[{"key":"n","operator":"exact","value":)" +
        expected + R"(}]}]}])");
    const Request request =
        request_from(R"("distinct_id":"u","person_properties":{"n":)" + actual + "}");
    return evaluate(definitions, request, StoredState{}, kNow).find("s")->enabled;
  };
  for (const char* no :
       {"false", R"("false")", R"("FALSE")", R"(" no ")", R"("no")", R"("0")", "0"}) {
    INFO(no);
    CHECK(is_on("false", no));
    CHECK_FALSE(is_on("true", no));
  }
  for (const char* yes : {"true", R"("true")", R"("True")", R"("yes")", R"("1")", "1"}) {
    INFO(yes);
    CHECK(is_on("true", yes));
    CHECK_FALSE(is_on("false", yes));
  }
  for (const char* other : {R"("off")", R"("")", "null", "[]"}) {
    INFO(other);
    CHECK_FALSE(is_on("true", other));
    CHECK_FALSE(is_on("false", other));
  }
}

TEST_CASE("a seed flag's bucket at a bound is beyond it, of the rollout and of a variant",
          "[flags]") {
  std::string user;
  for (int i = 0; user.empty(); ++i) {
    const std::string candidate = "user-" + std::to_string(i);
    if (seed_bucket("s", candidate) == 50) user = candidate;
  }
  const auto answer = [&](const std::string& members) {
    const Definitions definitions = definitions_from(R"([{"key":"s",)" + members + "}]");
    const Evaluation evaluation = evaluate(
        definitions, request_from(R"("distinct_id":")" + user + "\""), StoredState{}, kNow);
    const FlagResult* result = evaluation.find("s");
    return result->enabled ? "on " + std::string(result->variant) : std::string("off");
  };
  CHECK(answer(R"("rollout_percentage":50)") == "off");
  CHECK(answer(R"("rollout_percentage":50.5)") == "on ");
  const auto variants = [](const std::string& first) {
    return R"("variants":[{"key":"x","rollout_percentage":)" + first +
           R"(},{"key":"y","rollout_percentage":40}])";
  };
  CHECK(answer(variants("50")) == "on y");
  CHECK(answer(variants("51")) == "on x");
}

TEST_CASE("a seed flag of several values takes its condition's, without variants of its own",
          "[flags]") {
  for (const auto& [type, variant] : std::initializer_list<std::pair<const char*, const char*>>{
           {"multivariate", "x"}, {"boolean", ""}}) {
    const Definitions definitions = definitions_from(R"([{"key":"s","type":")" + std::string(type) +
                                                     R"(","conditions":[{"variant":"x"}]}])");
    const Evaluation evaluation =
        evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
    CHECK(evaluation.find("s")->enabled);
    CHECK(evaluation.find("s")->variant == variant);
  }
}

TEST_CASE("a seed flag looks into a list alone, and in none for what is no list", "[flags]") {
  const auto is_on = [](const std::string& op, const std::string& value) {
    const Definitions definitions =
        definitions_from(R"([{"key":"s","conditions":[{"properties":[{"key":"n","value":)" + value +
                         R"(,"operator":")" + op + R"("}]}]}])");
    const Request request = request_from(R"("distinct_id":"u","person_properties":{"n":5})");
    return evaluate(definitions, request, StoredState{}, kNow).find("s")->enabled;
  };
  CHECK(is_on("in", "[4,5]"));
  CHECK_FALSE(is_on("in", "[4]"));
  CHECK_FALSE(is_on("in", "5"));
  CHECK(is_on("not_in", "[4]"));
  CHECK_FALSE(is_on("not_in", "[4,5]"));
  CHECK_FALSE(is_on("not_in", "4"));
}

TEST_CASE("a seed variant's own payload goes over the one in variant_payloads", "[flags]") {
  const Definitions definitions = definitions_from(R"([{"key":"s","variant_payloads":{"x":1,"y":2},
      "variants":[{"key":"x","rollout_percentage":100,"payload":3},{"key":"y"}]}])");
  const Evaluation evaluation =
      evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
  CHECK(evaluation.find("s")->variant == "x");
  REQUIRE(evaluation.find("s")->payload != nullptr);
  CHECK(*evaluation.find("s")->payload == Value::of(int64_t{3}));
  const json feed = parsed(write_definitions(definitions, Cohorts::kSend))["flags"][0];
  CHECK(feed["filters"]["payloads"] == json{{"x", "3"}, {"y", "2"}});
}

TEST_CASE("what the server knows of a person fills what the request does not say", "[flags]") {
  Request request = request_from(
      R"("distinct_id":"u","person_properties":{"said":"a","empty":"","nothing":null})");
  for (const char* key : {"said", "empty", "nothing", "absent"}) {
    request.fill_person_property(key, "known");
  }
  const auto value = [&](const char* key) { return request.person_properties.find(key)->text; };
  CHECK(value("said") == "a");
  CHECK(value("empty") == "");
  CHECK(value("nothing") == "known");
  CHECK(value("absent") == "known");
}

TEST_CASE("the feed marks a flag that hangs on one that is not there, or by an odd operator",
          "[flags]") {
  const auto marked = [](const std::string& filter) {
    const Definitions definitions = definitions_from(
        R"([{"id":1,"key":"f","filters":{"groups":[{"properties":[{"type":"flag",)" + filter +
        R"(}]}]}},{"id":2,"key":"g","filters":{"groups":[{}]}}])");
    const json feed = parsed(write_definitions(definitions, Cohorts::kSend));
    return feed["flags"][0]["ensure_experience_continuity"].get<bool>();
  };
  CHECK_FALSE(marked(R"("key":"2","operator":"flag_evaluates_to","value":true)"));
  CHECK(marked(R"("key":"9","operator":"flag_evaluates_to","value":true)"));
  CHECK(marked(R"("key":"2","operator":"exact","value":true)"));
}

TEST_CASE("the feed looks at each flag that others hang on once, in a circle as well", "[flags]") {
  const auto on = [](int target) {
    return R"({"type":"flag","operator":"flag_evaluates_to","value":true,"key":")" +
           std::to_string(target) + "\"}";
  };
  // Forty times two flags that both hang on both of the next two: 2^40 ways to the last ones.
  std::string flags;
  for (int id = 1; id <= 80; ++id) {
    const int next = id + (id % 2 == 1 ? 2 : 1);
    const std::string filters = next > 80 ? "" : on(next) + "," + on(next + 1);
    flags += (id == 1 ? "" : ",") + std::string(R"({"id":)") + std::to_string(id) + R"(,"key":"f)" +
             std::to_string(id) + R"(","filters":{"groups":[{"properties":[)" + filters + "]}]}}";
  }
  flags += R"(,{"id":81,"key":"a","filters":{"groups":[{"properties":[)" + on(82) +
           R"(]}]}},{"id":82,"key":"b","filters":{"groups":[{"properties":[)" + on(81) + "]}]}}";
  const json feed =
      parsed(write_definitions(definitions_from("[" + flags + "]"), Cohorts::kSend))["flags"];
  REQUIRE(feed.size() == 82);
  CHECK(feed[0]["ensure_experience_continuity"] == false);
}

TEST_CASE("a deleted flag answers in no format", "[flags]") {
  const Definitions definitions = definitions_from(
      R"([{"key":"short","deleted":true},{"key":"long","deleted":true,"filters":{"groups":[{}]}},
          {"key":"hangs","filters":{"groups":[{"properties":[
            {"key":"short","type":"flag","value":false,"operator":"flag_evaluates_to"}]}]}}])");
  const Evaluation evaluation =
      evaluate(definitions, request_from(R"("distinct_id":"u")"), {}, kNow);
  CHECK(evaluation.find("short") == nullptr);
  CHECK(evaluation.find("long") == nullptr);
  REQUIRE(evaluation.find("hangs") != nullptr);
  CHECK(evaluation.find("hangs")->enabled);
  CHECK(write_ofrep_flag(evaluation, "short").status == 404);
}

TEST_CASE("contexts that are null do not stand for those under an older name", "[flags]") {
  const Definitions definitions = definitions_from(
      R"([{"key":"f","evaluation_contexts":null,"evaluation_tags":["app"],
           "filters":{"groups":[{}]}}])");
  const auto answers = [&](const char* context) {
    const Request request = request_from(R"("distinct_id":"u","evaluation_contexts":[")" +
                                         std::string(context) + "\"]");
    return evaluate(definitions, request, {}, kNow).find("f") != nullptr;
  };
  CHECK(answers("app"));
  CHECK_FALSE(answers("web"));
}

TEST_CASE("why a seed flag answers as it does is told in its detail", "[flags]") {
  const auto reason = [](const std::string& members, const std::string& request = "") {
    const Definitions definitions = definitions_from(R"([{"key":"s")" + members + "}]");
    const Evaluation evaluation =
        evaluate(definitions, request_from(R"("distinct_id":"u")" + request), StoredState{}, kNow);
    return parsed(
               write_flags(evaluation, FlagsVersion::kV2, kContext))["flags"]["s"]["reason"]["code"]
        .get<std::string>();
  };
  const std::string pro = R"(,"conditions":[{"properties":[{"key":"plan","value":"pro"}]}])";
  CHECK(reason("") == "match");
  CHECK(reason(R"(,"rollout_percentage":0)") == "out_of_rollout");
  CHECK(reason(pro) == "no_match");
  CHECK(reason(pro, R"(,"person_properties":{"plan":"pro"})") == "match");
  CHECK(reason(R"(,"group_type":"company")") == "no_match");
  CHECK(reason(R"(,"group_type":"company")", R"(,"groups":{"company":"acme"})") == "match");
  // Off comes before all else.
  CHECK(reason(R"(,"active":false)") == "disabled");
  CHECK(reason(R"(,"active":false)" + pro) == "disabled");
}

TEST_CASE("the feed marks what SDKs read otherwise, value by value", "[flags]") {
  const auto marked_flag = [](const std::string& members, const std::string& more = "") {
    const Definitions definitions =
        definitions_from(R"({"flags":[{"key":"f",)" + members + "}]" + more + "}");
    const json feed = parsed(write_definitions(definitions, Cohorts::kSend));
    return feed["flags"][0]["ensure_experience_continuity"].get<bool>();
  };
  const auto marked = [&](const std::string& op, const std::string& value,
                          const std::string& more = "") {
    return marked_flag(R"("filters":{"groups":[{"properties":[{"key":"p","operator":")" + op +
                           R"(","value":)" + value + "}]}]}",
                       more);
  };
  struct Row {
    const char* op;
    std::vector<const char*> alike;
    std::vector<const char*> otherwise;
  };
  const Row rows[] = {
      {"exact",
       {R"("a")", "1", R"(["a","b"])", R"(["a",1])", "true", R"("TRUE")", R"([true,"true"])"},
       {R"("é")", "1.5", R"(["a","é"])", R"(["a",1.5])", "{}", "[]", "false", R"("False")",
        R"([true,"false"])"}},
      {"is_not", {R"("a")", R"(["a",true])"}, {R"("é")", "[]", "false"}},
      {"icontains",
       {R"("a")", "1", "true"},
       {R"("é")", "1.0", "1.5", R"(["a"])", R"({"a":1})", "[]"}},
      {"not_icontains", {R"("a")"}, {"1.0", R"(["a"])"}},
      {"starts_with", {R"("a")"}, {"1.0", R"(["a"])"}},
      {"ends_with", {R"("a")"}, {"1.0", R"({"a":1})"}},
      {"icontains_multi", {}, {R"(["a"])"}},
      {"not_icontains_multi", {}, {R"(["a"])"}},
      {"gt", {"1", R"("1.5")"}, {R"("x")"}},
      {"between", {}, {"[1,2]"}},
      {"not_between", {}, {"[1,2]"}},
      {"is_set", {"1"}, {}},
      {"is_not_set", {}, {"1"}},
      {"is_date_exact", {}, {R"("2025-01-01")"}},
      {"is_date_before",
       {R"("2025-01-01")", R"("2025-01-01T00:00:00")", R"("2025-01-01T00:00:00+02:00")", R"("-7d")",
        R"("-1m")", R"("-1y")"},
       {R"("soon")", "5", R"("-2m")", R"("-2y")", R"("1 Jan 2025")"}},
      {"semver_eq",
       {R"("1.2.3")", R"("0.0.10")"},
       {R"("1.2")", R"("1.2.3.4")", R"("01.2.3")", R"("1.02.3")", R"("v1.2.3")", R"("1.2.3-a")"}},
      {"semver_tilde", {R"("1.2.3")"}, {R"("1.2")", R"("1.2.3, <1.2.9")"}},
      {"semver_caret", {R"("1.2.3")"}, {R"("1")"}},
      {"semver_wildcard",
       {R"("1.*")", R"("1.2.*")"},
       {R"("*")", R"("1.2.3")", R"("01.*")", R"("1.x")", R"("1.2.3.*")"}},
      {"regex",
       {R"("^a[0-9]{2}$")", R"("a\\.b")", R"("(?:a|b)c")", R"("\\n\\t")"},
       {R"("\\d")", R"("(?i)a")", R"("é")", R"("[[:alpha:]]")", R"("a{,3}")", R"("a\\")"}},
      {"not_regex", {R"("a+")"}, {R"("a++")", R"("[]a]")"}},
  };
  for (const Row& row : rows) {
    for (const char* value : row.alike) {
      INFO(row.op << " " << value);
      CHECK_FALSE(marked(row.op, value));
    }
    for (const char* value : row.otherwise) {
      INFO(row.op << " " << value);
      CHECK(marked(row.op, value));
    }
  }
  // Truth is compared by the first version of matching alone.
  const std::string second = R"(,"property_matching_version":2)";
  CHECK_FALSE(marked("exact", "false", second));
  CHECK(marked("exact", "[]", second));

  const std::string all = R"("filters":{"groups":[{}]})";
  CHECK_FALSE(marked_flag(all));
  CHECK(marked_flag(all + R"(,"ensure_experience_continuity":true)"));
  CHECK(marked_flag(all + R"(,"evaluation_runtime":"client")"));
  CHECK_FALSE(marked_flag(all + R"(,"evaluation_runtime":"server")"));
  CHECK_FALSE(marked_flag(all + R"(,"evaluation_runtime":"all")"));
  CHECK(marked_flag(all + R"(,"bucketing_identifier":"device_id")"));
  CHECK_FALSE(marked_flag(all + R"(,"bucketing_identifier":"distinct_id")"));
  CHECK_FALSE(marked_flag(R"("filters":{"groups":[{}],"early_exit":true})"));
  CHECK(marked_flag(R"("filters":{"groups":[{},{}],"early_exit":true})"));
  CHECK(marked_flag(R"("filters":{"groups":[{}],"super_groups":[{}]})"));
  CHECK_FALSE(marked_flag(R"("filters":{"aggregation_group_type_index":0,"groups":[{}]})"));
  CHECK(marked_flag(
      R"("filters":{"groups":[{"aggregation_group_type_index":0,"rollout_percentage":5}]})"));
  CHECK_FALSE(marked_flag(R"("rollout_percentage":100)"));
  CHECK(marked_flag(R"("rollout_percentage":99)"));
  CHECK(marked_flag(R"("variants":[{"key":"x","rollout_percentage":100}])"));
  CHECK(marked_flag(R"("group_type":"company")"));
  CHECK(marked_flag(R"("conditions":[{}])"));
  CHECK_FALSE(marked_flag(R"("conditions":[{}],"active":false)"));
}

TEST_CASE("the feed marks flags whose cohorts SDKs read otherwise", "[flags]") {
  const auto marked = [](const std::string& cohort, const std::string& filter = "") {
    const Definitions definitions = definitions_from(
        R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[{"key":"id","type":"cohort",
            "value":1)" +
        filter + R"(}]}]}}],"cohorts":[{"id":1,)" + cohort +
        R"(},{"id":2,"filters":{"properties":{"type":"OR","values":[{"type":"OR","values":[
            {"key":"q","value":"x"}]}]}}}]})");
    const json feed = parsed(write_definitions(definitions, Cohorts::kSend));
    return feed["flags"][0]["ensure_experience_continuity"].get<bool>();
  };
  const auto of_values = [](const std::string& values) {
    return R"("filters":{"properties":{"type":"OR","values":[)" + values + "]}}";
  };
  const std::string leaf = R"({"key":"p","value":"x"})";
  const std::string group = R"({"type":"AND","values":[)" + leaf + "]}";
  CHECK_FALSE(marked(of_values(leaf)));
  CHECK_FALSE(marked(of_values(group + "," + group)));
  CHECK_FALSE(marked(of_values(leaf), R"(,"operator":"not_in")"));
  CHECK_FALSE(marked(of_values(R"({"type":"cohort","key":"id","value":2})")));
  CHECK(marked(of_values(R"({"type":"cohort","key":"id","value":2,"operator":"not_in"})")));
  CHECK(marked(of_values(R"({"type":"cohort","key":"id","value":2,"negation":true})")));
  // Leaves and groups side by side, in either order.
  CHECK(marked(of_values(leaf + "," + group)));
  CHECK(marked(of_values(group + "," + leaf)));
  CHECK(marked(of_values("")));
  CHECK(marked(of_values(R"({"type":"AND","values":[]})")));
  CHECK(marked(of_values(R"({"key":"p","value":"é"})")));
  CHECK(marked(of_values(R"({"type":"behavioral","key":"p","value":"x"})")));
  CHECK(marked(R"("is_static":true,"members":["u"])"));
  CHECK(marked(R"("cohort_type":"realtime",)" + of_values(leaf)));
  CHECK(marked(R"("groups":[{"properties":[{"key":"p","value":"x"}]}])"));
  CHECK(marked(of_values(leaf), R"(,"operator":"exact")"));
}

TEST_CASE("OFREP's metadata has a payload that is no list or object as it is", "[flags]") {
  const auto payload = [](const std::string& raw) {
    const Definitions definitions = definitions_from(
        R"([{"key":"f","filters":{"groups":[{}],"payloads":{"true":)" + raw + "}}}]");
    const Evaluation evaluation =
        evaluate(definitions, request_from(R"("distinct_id":"u")"), StoredState{}, kNow);
    const json metadata = parsed(write_ofrep_flag(evaluation, "f").body)["metadata"];
    return metadata.contains("payload") ? metadata["payload"].dump() : "";
  };
  for (const char* raw : {"5", "1.5", "true", "false", R"("text")"}) CHECK(payload(raw) == raw);
  CHECK(payload("[1]") == R"("[1]")");
  CHECK(payload(R"({"a":1})") == R"("{\"a\":1}")");
  CHECK(payload("null") == "");
}

TEST_CASE("a group's stored properties are those of its type", "[flags]") {
  const Definitions definitions = definitions_from(R"([
    {"key":"zero","filters":{"aggregation_group_type_index":0,"groups":[{"properties":[
      {"key":"tier","type":"group","group_type_index":0,"value":"gold"}]}]}},
    {"key":"one","filters":{"aggregation_group_type_index":1,"groups":[{"properties":[
      {"key":"tier","type":"group","group_type_index":1,"value":"gold"}]}]}},
    {"key":"seed","conditions":[{"properties":[{"key":"tier","type":"group","group_type":"project",
      "value":"gold"}]}]}])");
  const Request request =
      request_from(R"("distinct_id":"u","groups":{"company":"c","project":"p"})");
  const auto answers = [&](const char* company, const char* project) {
    StoredState stored;
    for (const auto& [type, tier] :
         {std::pair("company", company), std::pair("project", project)}) {
      Value properties = Value::object();
      properties.set("tier", Value::of(std::string_view(tier)));
      stored.groups.push_back(StoredGroup{type, Read::kOk, std::move(properties)});
    }
    const Evaluation evaluation = evaluate(definitions, request, stored, kNow);
    std::string text;
    for (const char* key : {"zero", "one", "seed"}) {
      text += evaluation.find(key)->enabled ? '1' : '0';
    }
    return text;
  };
  CHECK(answers("gold", "tin") == "100");
  CHECK(answers("tin", "gold") == "011");
  CHECK(answers("gold", "gold") == "111");
}
