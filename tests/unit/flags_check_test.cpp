// What refuses a definitions document, and in which words.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "hogflare/flags.h"
#include "hogflare/limits.h"
#include "tests/table_zones.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

std::string condition(const std::string& filter) {
  return R"([{"key":"a","filters":{"groups":[{"properties":[)" + filter + "]}]}}]";
}

struct Case {
  const char* what;
  std::string document;
  std::string path;
  const char* message;  // a part of it
};

const Problem* find_problem(const std::vector<Problem>& problems, const std::string& path,
                            const std::string& message) {
  for (const Problem& problem : problems) {
    if (problem.path == path && problem.message.find(message) != std::string::npos) return &problem;
  }
  return nullptr;
}

std::string text_of(const std::vector<Problem>& problems) {
  std::string all;
  for (const Problem& problem : problems) all += problem.path + ": " + problem.message + "\n";
  return all;
}

}  // namespace

TEST_CASE("every error is told with its path, and only what is no document is refused", "[flags]") {
  const std::string filter = "flags[0].filters.groups[0].properties[0]";
  std::string many_variants;
  for (int i = 0; i <= 1'000; ++i) {
    many_variants += (i == 0 ? "{\"key\":\"v" : ",{\"key\":\"v") + std::to_string(i) +
                     "\",\"rollout_percentage\":0}";
  }
  const Case cases[] = {
      {"no JSON", "[{", "$", "not valid JSON"},
      {"no document", "3", "$", "must be a list of flags"},
      {"no flags", "{}", "$", "has no \"flags\" list"},
      {"flag is no object", "[1]", "flags[0]", "must be an object"},
      {"no key", "[{}]", "flags[0].key", "not empty"},
      {"a key that is no text", R"([{"key":5}])", "flags[0].key", "not empty"},
      {"an empty key", R"([{"key":""}])", "flags[0].key", "not empty"},
      {"duplicate key", R"([{"key":"a"},
          {"key":"a"}])",
       "flags[1].key", "already the key of flags[0]"},
      {"wrong type", R"([{"key":"a","active":"yes"}])", "flags[0].active", "must be true or false"},
      {"a percentage that is no number",
       R"([{"key":"a","filters":{"groups":[{"rollout_percentage":NaN}]}}])",
       "flags[0].filters.groups[0].rollout_percentage", "NaN and Infinity are none"},
      {"an operand that is no number",
       condition(R"({"key":"p","operator":"gt","value":-Infinity})"), filter + ".value",
       "must be a number"},
      {"variants without end",
       R"([{"key":"a","filters":{"multivariate":{"variants":[)" + many_variants + "]}}}]",
       "flags[0].filters.multivariate.variants", "holds 1001 variants; at most 1000"},
      {"variants without end in the short dialect",
       R"([{"key":"a","variants":[)" + many_variants + "]}]", "flags[0].variants",
       "holds 1001 variants; at most 1000"},
      {"unknown operator", condition(R"({"key":"p","operator":"like","value":"x"})"),
       filter + ".operator", "unknown operator 'like'"},
      {"bad regex", condition(R"({"key":"p","operator":"regex","value":"("})"), filter + ".value",
       "not a valid regular expression"},
      {"look-around", condition(R"({"key":"p","operator":"regex","value":"^(?!a).*"})"),
       filter + ".value", "look-around"},
      {"back-reference", condition(R"({"key":"p","operator":"not_regex","value":"(a)\\1"})"),
       filter + ".value", "back-references"},
      {"huge repetition", condition(R"({"key":"p","operator":"regex",
          "value":"((a{100}){100}){100}"})"),
       filter + ".value", "repetition"},
      {"no value", condition(R"({"key":"p","operator":"exact"})"), filter + ".value",
       "missing or null"},
      {"gt without number", condition(R"({"key":"p","operator":"gt","value":"x"})"),
       filter + ".value", "must be a number"},
      {"bad between", condition(R"({"key":"p","operator":"between","value":[9,1]})"),
       filter + ".value", "[min, max]"},
      {"bad date", condition(R"({"key":"p","operator":"is_date_before","value":"soon"})"),
       filter + ".value", "date text"},
      {"bad version", condition(R"({"key":"p","operator":"semver_gt","value":"1.2.3.4"})"),
       filter + ".value", "not a version"},
      {"in on a property", condition(R"({"key":"p","operator":"in","value":[1]})"),
       filter + ".value", "needs a filter of type cohort"},
      {"unknown filter type", condition(R"({"key":"p","type":"event","value":1})"),
       filter + ".type", "unknown type 'event'"},
      {"unknown cohort", condition(R"({"key":"id","type":"cohort","value":9})"), filter + ".value",
       "unknown cohort 9"},
      {"cohort operator", condition(R"({"key":"id","type":"cohort","value":9,"operator":"exact"})"),
       filter + ".operator", "in or not_in"},
      {"dependency operator", condition(R"({"key":"a","type":"flag","operator":"exact",
          "value":true})"),
       filter + ".operator", "takes flag_evaluates_to, not 'exact'"},
      {"dependency value", condition(R"({"key":"a","type":"flag","operator":"flag_evaluates_to",
          "value":3})"),
       filter + ".value", "variant's key"},
      {"dependency cycle",
       R"([{"key":"a","filters":{"groups":[{"properties":[{"key":"b","type":"flag",)"
       R"("operator":"flag_evaluates_to","value":true}]}]}},{"key":"b","filters":{"groups":[)"
       R"({"properties":[{"key":"a","type":"flag","operator":"flag_evaluates_to",
           "value":true}]}]}}])",
       "flags[1]", "break the cycle"},
      {"weights",
       R"([{"key":"a","filters":{"multivariate":{"variants":[)"
       R"({"key":"x","rollout_percentage":60},{"key":"y","rollout_percentage":60}]}}}])",
       "flags[0].filters.multivariate.variants", "must not exceed 100"},
      {"rollout", R"([{"key":"a","filters":{"groups":[{"rollout_percentage":101}]}}])",
       "flags[0].filters.groups[0].rollout_percentage", "from 0 to 100"},
      {"time zone", R"({"flags":[],
          "timezone":"Mars/Olympus"})",
       "timezone", "not a known time zone"},
      {"matching version", R"({"flags":[],"property_matching_version":3})",
       "property_matching_version", "must be 1 or 2"},
      {"a flag's group index below 0",
       R"([{"key":"a","filters":{"aggregation_group_type_index":-1}}])",
       "flags[0].filters.aggregation_group_type_index", "must be a group type index"},
      {"a flag's group index of a million and one",
       R"([{"key":"a","filters":{"aggregation_group_type_index":1000001}}])",
       "flags[0].filters.aggregation_group_type_index", "must be a group type index"},
      {"group index", R"({"flags":[],"group_type_mapping":{"7":"x"}})", "group_type_mapping",
       "not a group type index"},
      {"group index behind the last", R"({"flags":[],"group_type_mapping":{"5":"x"}})",
       "group_type_mapping", "not a group type index"},
      {"group index below 0", R"({"flags":[],"group_type_mapping":{"-1":"x"}})",
       "group_type_mapping", "not a group type index"},
      {"half a group index", R"({"flags":[],"group_type_mapping":{"0.5":"x"}})",
       "group_type_mapping", "not a group type index"},
      {"a group type's name is no text", R"({"flags":[],"group_type_mapping":{"0":["x"]}})",
       "group_type_mapping", "must be a text"},
      {"a group type's name is empty", R"({"flags":[],"group_type_mapping":{"0":""}})",
       "group_type_mapping", "must be a text"},
      {"a group type without a name",
       R"({"flags":[],"group_type_mapping":[{"group_type_index":0}]})", "group_type_mapping[0]",
       "must be a text"},
      {"a group type without an index", R"({"flags":[],"group_type_mapping":[{"group_type":"x"}]})",
       "group_type_mapping[0]", "not a group type index"},
      {"group types that are neither", R"({"flags":[],"group_type_mapping":"x"})",
       "group_type_mapping", "must be an object from index to name"},
      {"cohort cycle",
       R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[
          {"key":"id","type":"cohort","value":1}]}]}}],)"
       R"("cohorts":{"1":{"type":"AND","values":[{"key":"id","type":"cohort","value":2}]},)"
       R"("2":{"type":"AND","values":[{"key":"id","type":"cohort","value":1}]}}})",
       "cohorts.2", "break the cycle"},
      {"cohort twice", R"({"flags":[],"cohorts":[{"id":1},
          {"id":1}]})",
       "cohorts[1]", "defined twice"},
      {"a cohort's group type",
       R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[
          {"key":"id","type":"cohort","value":1}]}]}}],)"
       R"("cohorts":{"1":{"type":"AND","values":[{"type":"XOR","values":[]}]}}})",
       "cohorts.1.values[0].type", "neither AND nor OR"},
      {"members that are no list",
       R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[
          {"key":"id","type":"cohort","value":1}]}]}}],)"
       R"("cohorts":[{"id":1,"is_static":true,"members":"all"}]})",
       "cohorts[0].members", "must be a list"},
      {"seed: unknown operator",
       R"([{"key":"a","conditions":[{"properties":[{"key":"p","value":1,"operator":"like"}]}]}])",
       "flags[0].conditions[0].properties[0].operator", "no operator of this dialect"},
      {"a holdout of the older list without a variant",
       R"([{"key":"a","filters":{"groups":[{}],"holdout_groups":[{"rollout_percentage":10}]}}])",
       "flags[0].filters.holdout_groups[0]", "must have a variant"},
      {"seed: no value", R"([{"key":"a","conditions":[{"properties":[{"key":"p"}]}]}])",
       "flags[0].conditions[0].properties[0].value", "is missing"},
      {"seed: a filter without a key",
       R"([{"key":"a","conditions":[{"properties":[{"value":1}]}]}])",
       "flags[0].conditions[0].properties[0].key", "must be a text that is not empty"},
      {"seed: a filter that is no object", R"([{"key":"a","conditions":[{"properties":[1]}]}])",
       "flags[0].conditions[0].properties[0]", "must be an object"},
      {"seed: a condition that is no object", R"([{"key":"a","conditions":[1]}])",
       "flags[0].conditions[0]", "must be an object"},
      {"seed: a variant without a key", R"([{"key":"a","variants":[{"rollout_percentage":1}]}])",
       "flags[0].variants[0]", "a key that is not empty"},
      {"seed: bad regex",
       R"([{"key":"a","conditions":[{"properties":[{"key":"p","value":"?*",
           "operator":"regex"}]}]}])",
       "flags[0].conditions[0].properties[0].value", "not a valid regular expression"},
      {"seed: weights", R"([{"key":"a","variants":[{"key":"x","rollout_percentage":101}]}])",
       "flags[0].variants", "must not exceed 100"},
      {"seed: a pattern too large once compiled",
       R"([{"key":"a","conditions":[{"properties":[{"key":"p","operator":"regex","value":")"
       R"(.{999}.{999}.{999}.{999}.{999}.{999}.{999}.{999}.{999}.{999}"}]}]}])",
       "flags[0].conditions[0].properties[0].value", "compiles to more than"},
      {"seed: type", R"([{"key":"a",
          "type":"number"}])",
       "flags[0].type", "boolean or multivariate"},
  };
  for (const Case& test : cases) {
    DYNAMIC_SECTION(test.what) {
      const std::vector<Problem> problems = Definitions::check(test.document, ParseOptions{});
      INFO(text_of(problems));
      const Problem* found = find_problem(problems, test.path, test.message);
      REQUIRE(found != nullptr);
      CHECK(found->severity == Severity::kError);
      const Result<Definitions> parsed = Definitions::parse(test.document, ParseOptions{});
      if (parsed.ok()) {
        CHECK(find_problem(parsed.value().problems(), test.path, test.message) != nullptr);
        CHECK(test.path != "$");
        continue;
      }
      CHECK(test.path == "$");
      CHECK(parsed.error().code == ErrorCode::kInvalidFlags);
      CHECK(parsed.error().detail.find(test.message) != std::string::npos);
    }
  }
}

TEST_CASE("every problem of a document is listed, not only the first", "[flags]") {
  const std::string document =
      R"([{"key":"a","filters":{"groups":[{"rollout_percentage":-1,"properties":[)"
      R"({"key":"p","operator":"like","value":1},{"key":"q","operator":"regex","value":"["}]}]}},)"
      R"({"key":"a"}])";
  CHECK(Definitions::check(document, ParseOptions{}).size() == 4);
}

TEST_CASE("what the service or the seed defines is only a warning", "[flags]") {
  const std::string documents[] = {
      condition(R"({"key":"nope","type":"flag","operator":"flag_evaluates_to","value":true})"),
      R"([{"key":"a","filters":{"groups":[{"variant":"nope"}]}}])",
      R"([{"key":"a","filters":{"aggregation_group_type_index":3,"groups":[{}]}}])",
      R"([{"key":"a","rollout_percentage":150}])",
      R"([{"key":"a","conditions":[{"properties":[{"key":"p","value":1,
          "operator":"icontains"}]}]}])",
  };
  for (const std::string& document : documents) {
    INFO(document);
    const Result<Definitions> parsed = Definitions::parse(document, ParseOptions{});
    REQUIRE(parsed.ok());
    CHECK(parsed.value().problems().size() == 1);
  }
}

TEST_CASE("a clean document of both formats has no problems", "[flags]") {
  const char* document =
      R"({"flags":[{"key":"seed","rollout_percentage":50},{"id":2,"key":"posthog","filters":)"
      R"({"groups":[{"properties":[{"key":"id","type":"cohort","value":1},{"key":"seed",)"
      R"("type":"flag","operator":"flag_evaluates_to","value":true}]}]}}],)"
      R"("cohorts":[{"id":1,"is_static":true,"members":["u1"]}],"group_type_mapping":{"0":"company"},)"
      R"("timezone":"Europe/Berlin"})";
  test::TableZones host;
  Zones zones(host);
  ParseOptions options;
  options.zones = &zones;
  CHECK(Definitions::check(document, options).empty());
}

TEST_CASE("the ends of a range are in it", "[flags]") {
  for (const std::string& document :
       {std::string(R"([{"key":"a","filters":{"groups":[{"rollout_percentage":100},
            {"rollout_percentage":0}]}}])"),
        condition(R"({"key":"p","operator":"between","value":[5,5]})"),
        std::string(R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[{"key":"id",
            "type":"cohort","value":9000000000000000}]}]}}],"cohorts":[{"id":9000000000000000,
            "is_static":true,"members":["u"]}]})")}) {
    INFO(document);
    CHECK(Definitions::check(document, ParseOptions{}).empty());
  }
}

TEST_CASE("a cohort that cannot be read is no fault of a flag beside it", "[flags]") {
  const Result<Definitions> parsed =
      Definitions::parse(R"({"flags":[{"key":"a"},{"key":"b","filters":{"groups":[{}]}}],
          "cohorts":[{"id":1,"filters":{"properties":"x"}}]})",
                         ParseOptions{});
  REQUIRE(parsed.ok());
  const Result<Request> request =
      parse_request(R"({"token":"t","distinct_id":"u"})", RequestHeaders{});
  const Evaluation evaluation = evaluate(parsed.value(), request.value(), StoredState{}, 0);
  CHECK(!evaluation.find("a")->failed);
  CHECK(evaluation.find("b")->enabled);
}

TEST_CASE("what is wrong with a flag without a key is a warning where it is off or deleted",
          "[flags]") {
  for (const auto& [members, severity] : std::initializer_list<std::pair<const char*, Severity>>{
           {"", Severity::kError},
           {R"(,"active":true,"deleted":false)", Severity::kError},
           {R"(,"active":false)", Severity::kWarning},
           {R"(,"deleted":true)", Severity::kWarning}}) {
    const std::vector<Problem> problems = Definitions::check(
        R"([{"filters":{"groups":[{"rollout_percentage":101}]})" + std::string(members) + "}]",
        ParseOptions{});
    INFO(members << "\n" << text_of(problems));
    const Problem* found =
        find_problem(problems, "flags[0].filters.groups[0].rollout_percentage", "from 0 to 100");
    REQUIRE(found != nullptr);
    CHECK(found->severity == severity);
  }
  // The seed's is_set needs no value.
  CHECK(Definitions::check(
            R"([{"key":"a","conditions":[{"properties":[{"key":"p","operator":"is_set"}]}]}])",
            ParseOptions{})
            .empty());
  CHECK(Definitions::check(
            R"([{"key":"a","filters":{"groups":[{}],"holdout_groups":[{"variant":"holdout-7"}]}}])",
            ParseOptions{})
            .empty());
}

TEST_CASE("a flag that is off reads as false whatever it depends on, and closes no circle",
          "[flags]") {
  const auto on = [](const char* key, const char* value) {
    return R"({"key":")" + std::string(key) +
           R"(","type":"flag","operator":"flag_evaluates_to","value":)" + value + "}";
  };
  const Result<Definitions> parsed = Definitions::parse(
      R"([{"id":1,"key":"off","active":false,"filters":{"groups":[{"properties":[)" +
          on("2", "true") + "," + on("99", "true") +
          R"(]}]}},{"id":2,"key":"on","filters":{"groups":[{"properties":[)" + on("1", "false") +
          "]}]}}]",
      ParseOptions{});
  REQUIRE(parsed.ok());
  const Result<Request> request =
      parse_request(R"({"token":"t","distinct_id":"u"})", RequestHeaders{});
  const Evaluation evaluation = evaluate(parsed.value(), request.value(), StoredState{}, 0);
  REQUIRE(evaluation.find("on") != nullptr);
  CHECK(evaluation.find("on")->enabled);
  CHECK_FALSE(evaluation.errors_while_computing);
}

TEST_CASE("a condition of a group type without a name is told, the last index and one behind it",
          "[flags]") {
  for (const int index : {0, limits::kGroupTypes - 1, limits::kGroupTypes}) {
    const std::vector<Problem> problems = Definitions::check(
        R"([{"key":"a","filters":{"aggregation_group_type_index":)" + std::to_string(index) + "}}]",
        ParseOptions{});
    INFO(text_of(problems));
    const Problem* found = find_problem(problems, "flags[0].filters.aggregation_group_type_index",
                                        "group type " + std::to_string(index) + " has no name");
    REQUIRE(found != nullptr);
    CHECK(found->severity == Severity::kWarning);
  }
}

TEST_CASE("a group type's index beyond all bounds is an error, a large one a warning", "[flags]") {
  for (const auto& [index, is_error] : std::initializer_list<std::pair<const char*, bool>>{
           {"-1", true}, {"1000000", false}, {"1000001", true}}) {
    const std::vector<Problem> problems = Definitions::check(
        R"([{"key":"a","filters":{"aggregation_group_type_index":)" + std::string(index) + "}}]",
        ParseOptions{});
    INFO(text_of(problems));
    const Problem* found =
        find_problem(problems, "flags[0].filters.aggregation_group_type_index",
                     is_error ? "must be a group type index from 0 to 4" : "has no name");
    REQUIRE(found != nullptr);
    CHECK(found->severity == (is_error ? Severity::kError : Severity::kWarning));
  }
}

TEST_CASE("hostile nesting is refused, not followed", "[flags]") {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  CHECK(Definitions::check(deep, ParseOptions{})[0].message.find("nests deeper") !=
        std::string::npos);
}

TEST_CASE("faults of cohorts that no living flag uses are warnings", "[flags]") {
  const char* cohorts =
      R"("cohorts":[{"id":1,"filters":{"properties":{"type":"OR","values":[{"key":"id",
          "type":"cohort","value":2}]}}},{"id":2,"filters":{"properties":{}}},
          {"id":3,"deleted":true,"filters":[]},{"id":3,"is_static":true,"members":[]}])";
  const auto check = [&](const std::string& active) {
    return Definitions::check(R"({"flags":[{"key":"f","active":)" + active +
                                  R"(,"filters":{"groups":[{"properties":[
            {"key":"id","type":"cohort","value":1}]}]}}],)" +
                                  cohorts + "}",
                              ParseOptions{});
  };
  const std::vector<Problem> used = check("true");
  REQUIRE(used.size() == 1);
  CHECK(used[0].severity == Severity::kError);
  CHECK(used[0].path == "cohorts[1].filters.properties");
  const std::vector<Problem> unused = check("false");
  REQUIRE(unused.size() == 1);
  CHECK(unused[0].severity == Severity::kWarning);
  const std::vector<Problem> cycle = Definitions::check(
      R"({"flags":[{"key":"f"}],"cohorts":{"1":{"type":"AND","values":[{"key":"id",
          "type":"cohort","value":1}]}}})",
      ParseOptions{});
  REQUIRE(cycle.size() == 1);
  CHECK(cycle[0].severity == Severity::kWarning);
  CHECK(cycle[0].message.find("break the cycle") != std::string::npos);
}

TEST_CASE("what is no flag at all is left out even when problems are let pass", "[flags]") {
  ParseOptions options;
  const Result<Definitions> parsed =
      Definitions::parse(R"(["x",{"key":""},{"key":"a"},{"key":"a","active":false}])", options);
  REQUIRE(parsed.ok());
  const Result<Request> request =
      parse_request(R"({"token":"t","distinct_id":"u"})", RequestHeaders{});
  const Evaluation evaluation = evaluate(parsed.value(), request.value(), StoredState{}, 0);
  REQUIRE(evaluation.results.size() == 1);
  CHECK(evaluation.find("a")->enabled);
}

TEST_CASE("a key is the active flag's, whichever comes first, and the other's fault no error",
          "[flags]") {
  for (const char* document : {R"([{"key":"a","active":false},{"key":"a"}])",
                               R"([{"key":"a"},{"key":"a","active":false}])"}) {
    const Result<Definitions> parsed = Definitions::parse(document, ParseOptions{});
    REQUIRE(parsed.ok());
    REQUIRE(parsed.value().problems().size() == 1);
    CHECK(parsed.value().problems()[0].severity == Severity::kWarning);
    const Result<Request> request =
        parse_request(R"({"token":"t","distinct_id":"u"})", RequestHeaders{});
    const Evaluation evaluation = evaluate(parsed.value(), request.value(), StoredState{}, 0);
    CHECK(evaluation.find("a")->enabled);
  }
  for (const Problem& problem :
       Definitions::check(R"([{"key":5,"active":false},{"key":"b"}])", ParseOptions{})) {
    CHECK(problem.severity == Severity::kWarning);
  }
  CHECK(find_problem(Definitions::check(R"({"flags":null})", ParseOptions{}), "$",
                     "no \"flags\"") != nullptr);
}

TEST_CASE("odd spellings of patterns are warnings at the pattern's place", "[flags]") {
  const char* const filter = R"([{"key":"p","type":"person","operator":"regex","value":"x{,2}"}])";
  const std::string conditions =
      R"([{"key":"a","filters":{"groups":[{"properties":)" + std::string(filter) + "}]}}]";
  const std::string rules =
      R"([{"id":1,"key":"a","filters":{"version":2,"return_type":"boolean","default_value":false,"rules":[{"id":)"
      R"("0190a1b2-0000-4000-8000-000000000001","rule_type":"targeted_release","value":true,"targeting":)"
      R"({"properties":)" +
      std::string(filter) + "}}]}}]";
  const std::string cohort =
      R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[{"key":"id","type":"cohort","value":1}]}]}}],)"
      R"("cohorts":[{"id":1,"filters":{"properties":{"type":"OR","values":)" +
      std::string(filter) + "}}}]}";
  const std::pair<std::string, std::string> cases[] = {
      {conditions, "flags[0].filters.groups[0].properties[0].value"},
      {rules, "flags[0].filters.rules[0].targeting.properties[0].value"},
      {cohort, "cohorts[0].filters.properties.values[0].value"}};
  for (const auto& [document, path] : cases) {
    CAPTURE(document);
    const std::vector<Problem> problems = Definitions::check(document, ParseOptions{});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].severity == Severity::kWarning);
    CHECK(problems[0].path == path);
    CHECK(problems[0].message.find("a repeat from none on") != std::string::npos);
  }
}

TEST_CASE("a flag that repeats a key is still looked through", "[flags]") {
  const std::vector<Problem> problems = Definitions::check(
      R"([{"key":"a"},{"key":"a","filters":{"groups":[{"properties":[
          {"key":"e","value":1,"operator":"wat"}]}]}}])",
      ParseOptions{});
  CHECK(find_problem(problems, "flags[1].key", "already the key") != nullptr);
  CHECK(find_problem(problems, "flags[1].filters.groups[0].properties[0].operator",
                     "unknown operator 'wat'") != nullptr);
}

TEST_CASE("what a document says that can never count is a warning at its place", "[flags]") {
  const Case cases[] = {
      {"a seed's group filter without its group",
       R"([{"key":"a","conditions":[{"properties":[{"key":"p","type":"group","value":1}]}]}])",
       "flags[0].conditions[0].properties[0]", "without group_type never matches"},
      {"a group filter without its group", condition(R"({"key":"p","type":"group","value":1})"),
       "flags[0].filters.groups[0].properties[0]", "without group_type_index"},
      {"weights that round to a little over 100",
       R"([{"key":"a","filters":{"groups":[{}],"multivariate":{"variants":[
          {"key":"x","rollout_percentage":33.34},{"key":"y","rollout_percentage":33.34},
          {"key":"z","rollout_percentage":33.34}]}}}])",
       "flags[0].filters.multivariate.variants", "must not exceed 100"},
      {"an empty AND", R"({"flags":[],"cohorts":{"1":{"type":"AND","values":[]}}})", "cohorts.1",
       "is everybody"},
      {"an empty OR", R"({"flags":[],"cohorts":{"1":{"type":"OR","values":[]}}})", "cohorts.1",
       "is nobody"},
      {"half a group of the old form",
       R"({"flags":[],"cohorts":[{"id":1,"groups":[{"properties":{"type":"AND"}}]}]})",
       "cohorts[0].groups[0].properties", "only one of type and values"},
      {"a group of an action", R"({"flags":[],"cohorts":[{"id":1,"groups":[{"action_id":3}]}]})",
       "cohorts[0].groups[0].properties", "action or event"},
      {"a cohort that is no object", R"({"flags":[],"cohorts":[5]})", "cohorts[0]", "numeric id"},
      {"a cohort without an id", R"({"flags":[],"cohorts":[{"name":"x"}]})", "cohorts[0]",
       "numeric id"},
      {"a cohort whose id is no number", R"({"flags":[],"cohorts":[{"id":"x"}]})", "cohorts[0]",
       "numeric id"},
      {"a cohort by its id that is no object", R"({"flags":[],"cohorts":{"1":5}})", "cohorts.1",
       "numeric id"},
      {"a group of nothing", R"({"flags":[],"cohorts":[{"id":1,"groups":[{"days":3}]}]})",
       "cohorts[0].groups[0].properties", "names nothing"},
  };
  for (const Case& test : cases) {
    DYNAMIC_SECTION(test.what) {
      const std::vector<Problem> problems = Definitions::check(test.document, ParseOptions{});
      INFO(text_of(problems));
      const Problem* found = find_problem(problems, test.path, test.message);
      REQUIRE(found != nullptr);
      CHECK(found->severity == Severity::kWarning);
      CHECK(problems.size() == 1);
    }
  }
  // With its group the filter is a good one.
  CHECK(Definitions::check(R"([{"key":"a","conditions":[{"properties":[{"key":"p","type":"group",
            "group_type":"company","value":1}]}]}])",
                           ParseOptions{})
            .empty());
}
