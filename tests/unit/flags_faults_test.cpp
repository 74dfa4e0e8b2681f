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

TEST_CASE("a flag's fault is its own answer", "[flags]") {
  const Fault faults[] = {
      {"unknown operator", R"("filters":{"groups":[{"properties":[{"key":"p","operator":"wat",
          "value":1}]}]})", true, true, true},
      {"the same while inactive", R"("active":false,"filters":{"groups":[{"properties":[
          {"key":"p","operator":"wat","value":1}]}]})", false, false, false},
      {"look-around", R"("filters":{"groups":[{"properties":[{"key":"p","operator":"regex",
          "value":"(?=a)b"}]}]})", true, false, true},
      {"look-around while deleted", R"("deleted":true,"filters":{"groups":[{"properties":[
          {"key":"p","operator":"regex","value":"(?=a)b"}]}]})", false, false, false},
      {"percentage as text", R"("filters":{"groups":[{"rollout_percentage":"50"}]})", true, true,
       true},
      {"exact null", R"("filters":{"groups":[{"properties":[{"key":"p","value":null}]}]})", true,
       false, true},
      {"odd date", R"("filters":{"groups":[{"properties":[{"key":"p","operator":"is_date_after",
          "value":"soon"}]}]})", true, false, true},
      {"groups no list", R"("filters":{"groups":"x"})", true, true, true},
      {"filters a list", R"("filters":[1])", true, true, true},
      {"key of a deleted flag", R"("deleted":true},{"key":"f","filters":{"groups":[]})", true, false,
       false},
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
