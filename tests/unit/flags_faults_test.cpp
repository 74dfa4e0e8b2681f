// A definition's fault is its own: what one flag answers, and that its siblings do.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>

#include "hogflare/flags.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

struct Fault {
  const char* what;
  const char* flag;  // the members after the key
  bool in_answer;
  bool failed;
  bool is_error;  // what flags:check calls it
};

}  // namespace

TEST_CASE("a pattern that only the service can run fails the flag where it decides", "[flags]") {
  const auto answer = [](const std::string& groups, const std::string& more = "") {
    const Result<Definitions> parsed = Definitions::parse(
        R"({"flags":[{"id":1,"key":"f","filters":{"groups":[)" + groups + "]}}" + more +
            R"(],"cohorts":[{"id":7,"filters":{"properties":{"type":"OR","values":[{"type":"AND","values":[
            {"key":"p","type":"person","operator":"regex","value":"(a)\\1"}]}]}}}]})",
        ParseOptions{});
    REQUIRE(parsed.ok());
    const Result<Request> request =
        parse_request(R"({"token":"t","distinct_id":"u","person_properties":{"p":"ab","q":"x"}})",
                      RequestHeaders{});
    const Evaluation evaluation = evaluate(parsed.value(), request.value(), StoredState{}, 0);
    CHECK(evaluation.errors_while_computing == evaluation.find("f")->failed);
    std::string told = evaluation.find("f")->failed    ? "failed "
                       : evaluation.find("f")->enabled ? "true "
                                                       : "false ";
    if (const FlagResult* other = evaluation.find("g"))
      told += other->failed ? "failed " : "settled ";
    return told + std::string(reason_code(evaluation.find("f")->reason));
  };
  const std::string look = R"({"key":"p","operator":"regex","value":"(?=a)a"})";
  const std::string not_look = R"({"key":"p","operator":"not_regex","value":"(?!b)a"})";
  const std::string other = R"({"key":"q","value":"y"})";
  const auto group = [](const std::string& filters) {
    return R"({"properties":[)" + filters + "]}";
  };
  CHECK(answer(group(look)) == "failed invalid_regex");
  CHECK(answer(group(not_look)) == "failed invalid_regex");
  CHECK(answer(group(look + "," + other)) == "false no_condition_match");
  CHECK(answer(group(look) + "," + group("")) == "true condition_match");
  CHECK(answer(group("") + "," + group(look)) == "true condition_match");
  CHECK(answer(group(R"({"key":"absent","operator":"regex","value":"(?=a)a"})")) ==
        "false no_condition_match");
  CHECK(answer(group(R"({"key":"p","operator":"regex","value":"(a"})")) ==
        "false no_condition_match");
  for (const char* op : {"in", "not_in"}) {
    INFO(op);
    CHECK(answer(group(R"({"key":"id","type":"cohort","value":7,"operator":")" + std::string(op) +
                       "\"}")) == "failed cohort_membership_unknown");
  }
  CHECK(answer(group(look), R"(,{"id":2,"key":"g","filters":{"groups":[{"properties":[{"key":"1",
      "type":"flag","operator":"flag_evaluates_to","value":true}]}]}})") ==
        "failed failed invalid_regex");
}

TEST_CASE("a flag's fault is its own answer", "[flags]") {
  const Fault faults[] = {
      {"unknown operator", R"("filters":{"groups":[{"properties":[{"key":"p","operator":"wat",
          "value":1}]}]})",
       true, true, true},
      {"the same while inactive", R"("active":false,"filters":{"groups":[{"properties":[
          {"key":"p","operator":"wat","value":1}]}]})",
       false, false, false},
      {"look-around", R"("filters":{"groups":[{"properties":[{"key":"p","operator":"regex",
          "value":"(?=a)b"}]}]})",
       true, false, true},
      {"look-around while deleted", R"("deleted":true,"filters":{"groups":[{"properties":[
          {"key":"p","operator":"regex","value":"(?=a)b"}]}]})",
       false, false, false},
      {"percentage as text", R"("filters":{"groups":[{"rollout_percentage":"50"}]})", true, true,
       true},
      {"exact null", R"("filters":{"groups":[{"properties":[{"key":"p","value":null}]}]})", true,
       false, true},
      {"odd date", R"("filters":{"groups":[{"properties":[{"key":"p","operator":"is_date_after",
          "value":"soon"}]}]})",
       true, false, true},
      {"groups no list", R"("filters":{"groups":"x"})", true, true, true},
      {"groups null", R"("filters":{"groups":null})", true, true, true},
      {"property without key",
       R"("filters":{"groups":[{"properties":[{"operator":"is_not_set"}]}]})", true, true, true},
      {"variants null", R"("filters":{"groups":[{}],"multivariate":{"variants":null}})", true, true,
       true},
      {"variant without key", R"("filters":{"groups":[{}],"multivariate":{"variants":[
          {"rollout_percentage":100}]}})",
       true, true, true},
      {"variant without weight", R"("filters":{"groups":[{}],"multivariate":{"variants":[
          {"key":"a"}]}})",
       true, true, true},
      {"filters a list", R"("filters":[1])", true, true, true},
      {"key of a deleted flag", R"("deleted":true},{"key":"f","filters":{"groups":[]})", true,
       false, false},
  };
  for (const Fault& fault : faults) {
    DYNAMIC_SECTION(fault.what) {
      const std::string document = R"([{"key":"plain","filters":{"groups":[{}]}},{"key":"f",)" +
                                   std::string(fault.flag) + "}]";
      const Result<Definitions> parsed = Definitions::parse(document, ParseOptions{});
      REQUIRE(parsed.ok());
      const Result<Request> request =
          parse_request(R"({"token":"t","distinct_id":"u"})", RequestHeaders{});
      const Evaluation evaluation = evaluate(parsed.value(), request.value(), StoredState{}, 0);
      CHECK(evaluation.find("plain")->enabled);
      const FlagResult* result = evaluation.find("f");
      REQUIRE((result != nullptr) == fault.in_answer);
      if (result != nullptr) CHECK(result->failed == fault.failed);
      if (result != nullptr) CHECK(!result->enabled);
      CHECK(evaluation.errors_while_computing == fault.failed);
      const auto& problems = parsed.value().problems();
      CHECK(fault.is_error == std::any_of(problems.begin(), problems.end(), [](const Problem& p) {
              return p.severity == Severity::kError;
            }));
    }
  }
}
