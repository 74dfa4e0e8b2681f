// The rules format beside its vectors: what the text hides, the feed, OpenFeature, the check.
#include <catch2/catch.hpp>

#include <nlohmann/json.hpp>
#include <string>

#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"
#include "hogflare/flags_responses.h"
#include "flags/rules.h"

using nlohmann::json;
using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr int64_t kNow = 1'750'000'000'000;

std::string rule(const std::string& members) {
  return R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[]},)" +
         members + "}";
}

std::string flag(const std::string& key, const std::string& type, const std::string& fallback,
                 const std::string& rules) {
  return R"({"id":7,"key":")" + key + R"(","filters":{"version":2,"return_type":")" + type +
         R"(","default_value":)" + fallback + R"(,"rules":[)" + rules + "]}}";
}

std::string release(const std::string& value) {
  return rule(R"("rule_type":"targeted_release","value":)" + value);
}

std::string rollout(const std::string& percentage, const std::string& more = "") {
  return rule(
      R"("rule_type":"percentage_rollout","value":true,"rollout_percentage":)" + percentage +
      R"(,"on_rollout_miss":"continue","assignment_algorithm":"sha1_60_v1","seed":"s")" + more);
}

Definitions parsed(const std::string& document) {
  Result<Definitions> result = Definitions::parse(document, ParseOptions{});
  REQUIRE(result.ok());
  return std::move(result).value();
}

Evaluation evaluated(const Definitions& definitions) {
  Result<Request> request = parse_request(R"({"token":"phc","distinct_id":"u"})", RequestHeaders{});
  REQUIRE(request.ok());
  return evaluate(definitions, request.value(), StoredState{}, kNow);
}

std::string first_problem(const std::string& filters_flag) {
  const std::vector<Problem> problems = Definitions::check("[" + filters_flag + "]", {});
  return problems.empty() ? "" : problems[0].path + " " + problems[0].message;
}

}  // namespace

TEST_CASE("what a JSON reader hides of a rules flag is looked at in the text", "[flags][rules]") {
  const auto with = [](const std::string& rules) { return flag("f", "boolean", "false", rules); };
  for (const char* good : {"33.33", "33.3300", "3333e-2", "0.5e2", "100", "0", "1E1", "99.99",
                           "0.09", "9.9e1", "900e-1", "9e-2"}) {
    INFO(good);
    CHECK(first_problem(with(rollout(good))) == "");
  }
  for (const char* bad : {"33.333", "33.330000000000000001", "3333.3e-3", "100.01", "-1", "1e3",
                          "33.339", "0.009", "9e-3", "1e-9", "0.001"}) {
    INFO(bad);
    CHECK(first_problem(with(rollout(bad)))
              .find("flags[0].filters.rules[0].rollout_percentage malformed rollout_percentage") ==
          0);
  }
  CHECK(first_problem(with(rollout("50", R"(,"metadata":{"rollout_percentage":0.001})"))) == "");
  CHECK(first_problem(with(rollout("50", R"(,"metadata":{"a":{"x":1,"x":1}})")))
            .find("malformed json_keys_unique") != std::string::npos);
  CHECK(first_problem(with(rollout("50", R"(,"metadata":{"a":1e-400})")))
            .find("malformed number_is_binary64") != std::string::npos);
  CHECK(first_problem(with(rollout("50", R"(,"metadata":{"a":0e-400})"))) == "");
}

TEST_CASE("the text's faults are found in both forms of a document, flag by flag",
          "[flags][rules]") {
  const std::string flags = "[" + flag("a", "boolean", "false", rollout("1")) + "," +
                            flag("b", "boolean", "false", rollout("1.234")) + "]";
  for (const std::string& document :
       {flags, R"({"cohorts":[],"flags":)" + flags + "}", R"({"x":NaN,"flags":)" + flags + "}"}) {
    const std::map<std::string, TextFaults> faults = scan_filters(document);
    REQUIRE(faults.size() == 2);
    CHECK(faults.at("flags[0].filters").decimals.empty());
    CHECK(faults.at("flags[1].filters").decimals.count("rules[0].rollout_percentage") == 1);
  }
  // A list among the flags is one of them.
  CHECK(scan_filters("[[]," + flags.substr(1)).count("flags[2].filters") == 1);
}

TEST_CASE("the feed gives rules as they are and marks them for the SDKs of today",
          "[flags][rules]") {
  const std::string child =
      R"({"id":8,"key":"child","filters":{"groups":[{"properties":[{"type":"flag","key":"7",)"
      R"("operator":"flag_evaluates_to","value":true}]}]}})";
  const std::string plain = R"({"id":9,"key":"plain","filters":{"groups":[{}]}})";
  const std::string odd = R"({"id":10,"key":"odd","filters":{"version":3}})";
  const std::string rules = flag("f", "boolean", "false", rollout("33.33"));
  const Definitions definitions = parsed("[" + rules + "," + child + "," + plain + "," + odd + "]");
  const json feed = json::parse(write_definitions(definitions, Cohorts::kSend));
  CHECK(feed["flags"][0]["filters"] == json::parse(rules)["filters"]);
  const bool marked[] = {true, true, false, true};
  for (size_t i = 0; i < 4; ++i) {
    INFO(feed["flags"][i]["key"].dump());
    CHECK(feed["flags"][i]["ensure_experience_continuity"] == marked[i]);
  }
}

TEST_CASE("OpenFeature gets rules as typed values, and null as the code's default",
          "[flags][rules]") {
  const Definitions definitions =
      parsed("[" + flag("number", "number", "1", release("2.5")) + "," +
             flag("object", "object", "{}", release(R"({"a":[1]})")) + "," +
             flag("text", "string", "\"x\"", release("\"gold\"")) + "," +
             flag("none", "string", "null", "") + "," + flag("bad", "string", "1", "") + "]");
  const Evaluation evaluation = evaluated(definitions);
  const auto answer = [&](const char* key) {
    return json::parse(write_ofrep_flag(evaluation, key).body);
  };
  CHECK(answer("number")["value"] == 2.5);
  CHECK(answer("number")["variant"] == "2.5");
  CHECK(answer("number")["reason"] == "TARGETING_MATCH");
  CHECK(answer("number")["metadata"]["reasonCode"] == "targeting_match");
  CHECK(answer("object")["value"] == json::parse(R"({"a":[1]})"));
  CHECK(answer("object")["variant"] == "00000001-0000-4000-8000-000000000001");
  CHECK(answer("text")["value"] == "gold");
  CHECK(answer("text")["variant"] == "gold");
  CHECK(!answer("none").contains("value"));
  CHECK(answer("none")["reason"] == "DEFAULT");
  CHECK(answer("none").contains("variant"));
  CHECK(answer("bad")["errorCode"] == "GENERAL");
}

TEST_CASE("rules without a version are told, and read as conditions", "[flags][rules]") {
  for (const char* members :
       {R"("config_version":2,"rules":[])", R"("rules":[])", R"("config_version":2)"}) {
    INFO(members);
    const std::string document = R"([{"key":"f","filters":{)" + std::string(members) + "}}]";
    const std::vector<Problem> problems = Definitions::check(document, {});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].severity == Severity::kWarning);
    CHECK(problems[0].message.find("\"version\": 2") != std::string::npos);
    const Definitions definitions = parsed(document);
    CHECK(!evaluated(definitions).results[0].failed);
  }
}

TEST_CASE("a rules flag asks for its person where the request lacks what a rule looks at",
          "[flags][rules]") {
  const Definitions definitions =
      parsed("[" +
             flag("f", "boolean", "false",
                  R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[)"
                  R"({"key":"plan","type":"person","operator":"exact","value":"pro"}]},)"
                  R"("rule_type":"targeted_release","value":true})") +
             "]");
  const auto wanted = [&](const std::string& members) {
    const Result<Request> request =
        parse_request(R"({"token":"phc","distinct_id":"u")" + members + "}", RequestHeaders{});
    REQUIRE(request.ok());
    return needs(definitions, request.value());
  };
  CHECK(wanted("").person);
  CHECK(wanted(R"(,"person_properties":{"other":1})").person);
  CHECK(wanted(R"(,"person_properties":{"plan":"pro"})").nothing());
}

TEST_CASE("a rule's id is a UUID, and its versions are whole ones but for a wildcard",
          "[flags][rules]") {
  const auto with_id = [](const std::string& id) {
    return first_problem(flag("f", "boolean", "false",
                              R"({"id":")" + id + R"(","targeting":{"properties":[]},)" +
                                  R"("rule_type":"targeted_release","value":true})"));
  };
  CHECK(with_id("09afAF01-0000-4000-8000-000000000001") == "");
  for (const char* id :
       {"0000000g-0000-4000-8000-000000000001", "0000000G-0000-4000-8000-000000000001",
        "0000000:-0000-4000-8000-000000000001"}) {
    INFO(id);
    CHECK(!with_id(id).empty());
  }
  const auto with_version = [](const std::string& op, const std::string& value) {
    return first_problem(
        flag("f", "boolean", "false",
             R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[)"
             R"({"key":"v","type":"person","operator":")" +
                 op + R"(","value":")" + value +
                 R"("}]},"rule_type":"targeted_release","value":true})"));
  };
  CHECK(with_version("semver_wildcard", "1.2.*") == "");
  CHECK(with_version("semver_gt", "1.2.3") == "");
  CHECK(!with_version("semver_gt", "1.2.*").empty());
}

TEST_CASE("an object as a value nests so deep, and its numbers are whole where doubles are",
          "[flags][rules]") {
  const auto with_value = [](const std::string& value) {
    return first_problem(flag("f", "object", value, ""));
  };
  const auto nested = [](int levels) {
    std::string text = "1";
    for (int level = levels; level > 1; --level) {
      text = level % 2 == 0 ? "[" + text + "]" : R"({"a":)" + text + "}";
    }
    return R"({"a":)" + text + "}";
  };
  CHECK(with_value(nested(limits::kRuleValueDepthMax)) == "");
  CHECK(with_value(nested(limits::kRuleValueDepthMax + 1)) != "");
  for (const auto& [number, is_good] : std::initializer_list<std::pair<std::string, bool>>{
           {"9007199254740991", true}, {"9007199254740992", false}, {"-9007199254740992", false}}) {
    INFO(number);
    CHECK((with_value(R"({"a":)" + number + "}") == "") == is_good);
    CHECK((with_value(R"({"a":[1,)" + number + "]}") == "") == is_good);
    CHECK((with_value(R"({"a":[{"b":)" + number + "}]}") == "") == is_good);
  }
}

TEST_CASE("a rule that looks at something else than the person says at what", "[flags][rules]") {
  const auto problem = [](const std::string& type) {
    return first_problem(
        flag("f", "boolean", "false",
             R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[)"
             R"({"key":"v","type":)" +
                 type + R"(,"operator":"exact","value":1}]},"rule_type":"targeted_release",)" +
                 R"("value":true})"));
  };
  CHECK(problem(R"("person")") == "");
  for (const std::string type : {"cohort", "group", "flag"}) {
    CHECK(problem('"' + type + '"').find("rules that look at a " + type + " are not evaluated") !=
          std::string::npos);
  }
  for (const char* other : {R"("event")", R"("")", "1", "null"}) {
    INFO(other);
    CHECK(problem(other).find("give person") != std::string::npos);
  }
}

TEST_CASE("a fault of an inactive rules flag is a warning", "[flags][rules]") {
  std::string off = flag("f", "boolean", "\"text\"", "");
  off.insert(1, R"("active":false,)");
  const std::vector<Problem> problems = Definitions::check("[" + off + "]", {});
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].severity == Severity::kWarning);
  CHECK(evaluated(parsed("[" + off + "]")).results.empty());
}

TEST_CASE("an operator of the rules format takes its own kind of operand", "[flags][rules]") {
  const auto problem = [](const std::string& op, const std::string& members) {
    return first_problem(
        flag("f", "boolean", "false",
             R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[)"
             R"({"key":"v","type":"person","operator":")" +
                 op + "\"" + members + R"(}]},"rule_type":"targeted_release","value":true})"));
  };
  struct Row {
    const char* op;
    std::vector<const char*> good;
    std::vector<const char*> bad;
  };
  const Row rows[] = {
      {"icontains_multi", {R"(["a"])", "[]"}, {R"("a")", "1", "{}", "null"}},
      {"not_icontains_multi", {R"(["a","b"])"}, {R"("a")", "true"}},
      {"gt", {"1", R"("1")", R"("x")"}, {"[1]", "true", "null", "{}"}},
      {"gte", {"1.5"}, {"[1]", "false"}},
      {"lt", {"-1"}, {"{}"}},
      {"lte", {"0"}, {"null"}},
      {"icontains", {R"("a")"}, {"1", R"(["a"])", "null"}},
      {"is_date_before", {R"("2025-01-01")", R"("-1d")"}, {R"("soon")", "5", R"(["-1d"])"}},
      {"is_date_after", {R"("2025-01-01")"}, {R"("")", "null"}},
      {"semver_eq", {R"("1.2.3")"}, {"1", R"("x")", R"(["1.2.3"])"}},
      {"exact", {"1", R"("a")", R"(["a"])", "true"}, {}},
  };
  for (const Row& row : rows) {
    INFO(row.op);
    for (const char* value : row.good) {
      INFO(value);
      CHECK(problem(row.op, ",\"value\":" + std::string(value)) == "");
    }
    for (const char* value : row.bad) {
      INFO(value);
      CHECK(problem(row.op, ",\"value\":" + std::string(value))
                .find("targeting.properties[0].value malformed property.value") !=
            std::string::npos);
    }
  }
  for (const char* op : {"icontains_multi", "gt", "icontains", "is_date_before", "semver_eq"}) {
    INFO(op << " without a value");
    CHECK(!problem(op, "").empty());
  }
  for (const char* op : {"is_set", "is_not_set"}) CHECK(problem(op, "") == "");
  for (const char* op : {"between", "not_between", "in", "not_in", "flag_evaluates_to", "like"}) {
    INFO(op);
    CHECK(problem(op, R"(,"value":"a")").find("property.operator") != std::string::npos);
  }
}

TEST_CASE("an experiment has two to twenty variants", "[flags][rules]") {
  const auto problem = [](size_t count) {
    std::string variants;
    for (size_t i = 0; i < count; ++i) {
      variants += std::string(i == 0 ? "" : ",") + R"({"key":"v)" + std::to_string(i) +
                  R"(","value":true,"weight":)" + (i == 0 ? std::to_string(101 - count) : "1") +
                  "}";
    }
    return first_problem(flag(
        "f", "boolean", "false",
        rule(
            R"("rule_type":"experiment","experiment_id":null,"paused":false,"rollout_percentage":100,)"
            R"("on_rollout_miss":"continue","assignment_algorithm":"sha1_60_v1","seed":"s",)"
            R"("variants":[)" +
            variants + "]")));
  };
  CHECK(problem(1).find("must be a list of two or more") != std::string::npos);
  CHECK(problem(2) == "");
  CHECK(problem(limits::kRuleVariantsMax) == "");
  CHECK(problem(limits::kRuleVariantsMax + 1).find("at most 20 are taken") != std::string::npos);
}

TEST_CASE("a flag has a hundred rules at most, and a rule a hundred filters", "[flags][rules]") {
  const auto of_rules = [](size_t count) {
    std::string rules;
    for (size_t i = 0; i < count; ++i) {
      const std::string number = std::to_string(100 + i);
      rules += std::string(i == 0 ? "" : ",") + R"({"id":"00000)" + number +
               R"(-0000-4000-8000-000000000001","targeting":{"properties":[]},)" +
               R"("rule_type":"targeted_release","value":true})";
    }
    return first_problem(flag("f", "boolean", "false", rules));
  };
  CHECK(of_rules(limits::kRulesMax) == "");
  CHECK(of_rules(limits::kRulesMax + 1).find("limit_exceeded rules") != std::string::npos);
  const auto of_filters = [](size_t count) {
    std::string filters;
    for (size_t i = 0; i < count; ++i) {
      filters += std::string(i == 0 ? "" : ",") +
                 R"({"key":"v","type":"person","operator":"exact","value":1})";
    }
    return first_problem(
        flag("f", "boolean", "false",
             R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[)" +
                 filters + R"(]},"rule_type":"targeted_release","value":true})"));
  };
  CHECK(of_filters(limits::kRulePredicatesMax) == "");
  CHECK(of_filters(limits::kRulePredicatesMax + 1).find("limit_exceeded properties") !=
        std::string::npos);
}

TEST_CASE("a filter on the person names no group type, and may say so", "[flags][rules]") {
  const auto problem = [](const std::string& member) {
    return first_problem(
        flag("f", "boolean", "false",
             R"({"id":"00000001-0000-4000-8000-000000000001","targeting":{"properties":[)"
             R"({"key":"v","type":"person","operator":"exact","value":1)" +
                 member + R"(}]},"rule_type":"targeted_release","value":true})"));
  };
  CHECK(problem("") == "");
  CHECK(problem(R"(,"group_type_index":null)") == "");
  for (const char* index : {"0", "1", "-1", R"("0")", "false", "{}"}) {
    INFO(index);
    CHECK(problem(R"(,"group_type_index":)" + std::string(index))
              .find("a filter on the person has none") != std::string::npos);
  }
}
