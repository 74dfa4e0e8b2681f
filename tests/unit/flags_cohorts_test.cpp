// Cohorts beside the vectors: lists of members, what cannot be known, and bounded work.
#include <catch2/catch.hpp>
#include <re2/re2.h>

#include <string>

#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"
#include "hogflare/flags_responses.h"
#include "flags/cohorts.h"
#include "flags/compiler.h"
#include "flags/member_list.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr const char* kInAndNot =
    R"("flags":[{"key":"in","filters":{"groups":[{"properties":[{"key":"id","type":"cohort",
        "value":1}]}]}},{"key":"not","filters":{"groups":[{"properties":[{"key":"id",
        "type":"cohort","value":"1","operator":"not_in"}]}]}}])";

Definitions definitions_of(const std::string& cohorts) {
  Result<Definitions> parsed =
      Definitions::parse("{" + std::string(kInAndNot) + ",\"cohorts\":" + cohorts + "}", {});
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

Request request_of(const std::string& id) {
  Result<Request> request =
      parse_request(R"({"token":"t","distinct_id":")" + id + R"(","person_properties":{"p":"1"}})",
                    RequestHeaders{});
  REQUIRE(request.ok());
  return std::move(request).value();
}

// "in, not": 1, 0 or F for failed.
std::string answers(const Definitions& definitions, const std::string& id,
                    const StoredState& stored = {}) {
  const Evaluation evaluation = evaluate(definitions, request_of(id), stored, 0);
  std::string text;
  for (const char* key : {"in", "not"}) {
    const FlagResult& result = *evaluation.find(key);
    text += result.failed ? "F" : result.enabled ? "1" : "0";
    if (result.failed) CHECK(evaluation.errors_while_computing);
  }
  return text;
}

}  // namespace

TEST_CASE("a cohort's members stand in the document", "[flags]") {
  const char* forms[] = {
      R"([{"id":1,"is_static":true,"members":["u1","p-2",3]}])",
      R"([{"id":"1","is_static":true,"filters":{},"members":[{"uuid":"x","distinct_ids":["u1","3"]},
          {"id":"p-2"}]}])",
      R"([{"id":1,"cohort_type":"realtime","filters":null,"members":["u1","p-2","3"]}])",
  };
  for (const char* form : forms) {
    DYNAMIC_SECTION(form) {
      const Definitions definitions = definitions_of(form);
      CHECK(answers(definitions, "u1") == "10");
      CHECK(answers(definitions, "3") == "10");
      CHECK(answers(definitions, "u") == "01");
      CHECK(answers(definitions, "u10") == "01");
      StoredState stored;
      stored.person_exists = true;
      stored.person_ids = {"p-1", "other"};
      CHECK(answers(definitions, "u5", stored) == "01");
      stored.person_ids = {"p-2", "other"};
      CHECK(answers(definitions, "u5", stored) == "10");
      stored.person_read = Read::kFailed;
      CHECK(answers(definitions, "u5", stored) == "FF");
      const Needs wanted = needs(definitions, request_of("u5"));
      CHECK(wanted.person_ids);
      CHECK(wanted.cohorts.empty());
      // A list of people is in no feed.
      CHECK(write_definitions(definitions, Cohorts::kSend).find("p-2") == std::string::npos);
    }
  }
}

TEST_CASE("membership that cannot be known fails the flag", "[flags]") {
  const Definitions definitions = definitions_of(R"([{"id":1,"is_static":true}])");
  const Needs wanted = needs(definitions, request_of("u"));
  REQUIRE(wanted.cohorts.size() == 1);
  CHECK(wanted.cohorts[0].id == 1);
  CHECK_FALSE(wanted.cohorts[0].has_rules);
  CHECK(answers(definitions, "u") == "FF");
  StoredState stored;
  stored.cohorts = {{1, StoredCohort::Answer::kFailed}};
  CHECK(answers(definitions, "u", stored) == "FF");
  stored.cohorts = {{1, StoredCohort::Answer::kIn}};
  CHECK(answers(definitions, "u", stored) == "10");
  stored.cohorts = {{1, StoredCohort::Answer::kOut}};
  CHECK(answers(definitions, "u", stored) == "01");
  CHECK(answers(definitions_of(R"([{"id":1,"query":{"kind":"HogQLQuery"}}])"), "u") == "FF");
  CHECK(answers(definitions_of(R"([{"id":1,"is_static":true,"members":{"a":1}}])"), "u") == "FF");
}

TEST_CASE("a rule that cannot be evaluated makes nobody a member", "[flags]") {
  const auto with = [](const std::string& values) {
    return definitions_of(R"([{"id":1,"filters":{"properties":{"type":"OR","values":[)" + values +
                          R"(]}}},{"id":2,"filters":{"properties":{"type":"OR","values":[
                          {"type":"lifecycle","key":"a"}]}}}])");
  };
  const std::string rule = R"({"type":"behavioral","key":"a","value":"performed_event"})";
  const std::string negated = R"({"type":"behavioral","key":"a","negation":true})";
  CHECK(answers(with(rule), "u") == "0F");
  CHECK(answers(with(negated), "u") == "0F");
  CHECK(answers(with(rule + R"(,{"key":"p","value":"1"})"), "u") == "10");
  CHECK(answers(with(R"({"type":"AND","values":[)" + rule + R"(,{"key":"p","value":"2"}]})"),
                "u") == "01");
  CHECK(answers(with(R"({"type":"cohort","key":"id","value":2})"), "u") == "0F");
  CHECK(answers(with(R"({"type":"cohort","key":"id","value":2,"operator":"not_in"})"), "u") ==
        "FF");
  CHECK(answers(with(R"({"type":"cohort","key":"id","value":2,"negation":true})"), "u") == "FF");
}

TEST_CASE("a flag says that its cohort has rules that were not evaluated", "[flags]") {
  const auto reason = [](const std::string& values, const char* key) {
    const Definitions definitions = definitions_of(
        R"([{"id":1,"filters":{"properties":{"type":"OR","values":[)" + values + "]}}}]");
    return evaluate(definitions, request_of("u"), {}, 0).find(key)->reason;
  };
  const std::string rule = R"({"type":"behavioral","key":"a","value":"performed_event"})";
  const std::string is_one = R"({"key":"p","value":"1"})";
  const std::string is_two = R"({"key":"p","value":"2"})";
  const auto both = [](const std::string& a, const std::string& b) {
    return R"({"type":"AND","values":[)" + a + "," + b + "]}";
  };
  // It decides, it would not have, and there is none.
  CHECK(reason(rule, "in") == Reason::kNoConditionMatchBehavioural);
  CHECK(reason(both(rule, is_two), "in") == Reason::kNoConditionMatchBehavioural);
  CHECK(reason(is_two, "in") == Reason::kNoConditionMatch);
  // Somebody who is in it, as is known, for whom it must not be.
  CHECK(reason(rule + "," + is_one, "not") == Reason::kNoConditionMatchBehavioural);
  CHECK(reason(is_one, "not") == Reason::kNoConditionMatch);
}

TEST_CASE("cohorts that refer to one another ten thousand deep cost no stack", "[flags]") {
  std::string chain = "[";
  for (size_t i = 1; i < limits::kCohortsMax; ++i) {
    // Twice, so that evaluating a cohort anew for each reference would never end.
    const std::string next =
        R"({"type":"cohort","key":"id","value":)" + std::to_string(i + 1) + "}";
    chain += R"({"id":)" + std::to_string(i) +
             R"(,"filters":{"properties":{"type":"AND","values":[)" + next + "," + next + "]}}},";
  }
  chain += R"({"id":)" + std::to_string(limits::kCohortsMax) +
           R"(,"filters":{"properties":{"type":"OR","values":[{"key":"p","value":"1"}]}}}])";
  const Definitions definitions = definitions_of(chain);
  CHECK(answers(definitions, "u") == "10");
  CHECK_FALSE(needs(definitions, request_of("u")).person);
  CHECK(definitions.problems().empty());
  StoredState stored;
  stored.person_read = Read::kFailed;
  CHECK(answers(definitions, "u", stored) == "10");
}

TEST_CASE("groups of a cohort nest as deep as PostHog's", "[flags]") {
  const auto nested = [](int depth) {
    std::string group = R"({"key":"p","value":"1"})";
    for (int i = 0; i < depth; ++i) group = R"({"type":"AND","values":[)" + group + "]}";
    return definitions_of(R"({"1":)" + group + "}");
  };
  CHECK(answers(nested(1), "u") == "10");
  CHECK(answers(nested(58), "u") == "10");
}

TEST_CASE("a list of members is bounded", "[flags]") {
  Value list = Value::array();
  for (size_t i = 0; i <= limits::kCohortMembersMax; ++i) {
    list.items.push_back(Value::of(static_cast<int64_t>(i)));
  }
  std::string problem;
  CHECK_FALSE(MemberList::read(list, problem));
  CHECK(problem.find("at most 100000") != std::string::npos);
  list.items.pop_back();
  const std::optional<MemberList> members = MemberList::read(list, problem);
  REQUIRE(members);
  CHECK(members->size() == limits::kCohortMembersMax);
  CHECK(members->contains("0"));
  CHECK(members->contains("99999"));
  CHECK_FALSE(members->contains("100000"));
  CHECK_FALSE(members->contains(""));
}

TEST_CASE("a list of members that cannot be read says which element is at fault", "[flags]") {
  const auto problem_of = [](const char* list) {
    std::string problem;
    const Result<Value> value = parse_value(list);
    REQUIRE(value.ok());
    CHECK(MemberList::read(value.value(), problem).has_value() == problem.empty());
    return problem;
  };
  CHECK(problem_of(R"(["u1",3,{"id":"p-2"},{"uuid":"x","distinct_ids":["u1"]}])") == "");
  CHECK(problem_of("[]") == "");
  CHECK(problem_of("[true]") == "element 0 is not a person or distinct id");
  CHECK(problem_of(R"(["u1",null,{}])") == "element 1 is not a person or distinct id");
  CHECK(problem_of(R"({"members":["u1",["u2"]]})") == "element 1 is not a person or distinct id");
  CHECK(problem_of(R"({"a":1})") == "must be a list of person or distinct ids");
}

TEST_CASE("a flag asks for what a cohort behind its cohort needs", "[flags]") {
  const auto of = [](const std::string& id) {
    return R"({"type":"cohort","key":"id","value":)" + id + "}";
  };
  const auto with = [](const std::string& id, const std::string& values) {
    return R"({"id":)" + id + R"(,"filters":{"properties":{"type":"OR","values":[)" + values +
           "]}}}";
  };
  // A list that stands elsewhere, two cohorts away, and met twice.
  const Definitions definitions =
      definitions_of("[" + with("1", of("2") + "," + of("3")) + "," + with("2", of("3")) +
                     R"(,{"id":3,"is_static":true}])");
  const Needs wanted = needs(definitions, request_of("u"));
  REQUIRE(wanted.cohorts.size() == 1);
  CHECK(wanted.cohorts[0].id == 3);
  CHECK(wanted.person_ids);
  // What a rule there reads of the person.
  const Needs reads = needs(definitions_of("[" + with("1", of("2")) + "," +
                                           with("2", R"({"key":"q","value":"1"})") + "]"),
                            request_of("u"));
  CHECK(reads.person);
  CHECK(reads.cohorts.empty());
}

TEST_CASE("a flag that names no cohort's id says so, and one that names an unknown one",
          "[flags]") {
  const auto reason = [](const std::string& value) {
    const Result<Definitions> parsed = Definitions::parse(
        R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[{"key":"id","type":"cohort")" +
            value + R"(}]}]}}],"cohorts":[{"id":1,"is_static":true,"members":["u"]}]})",
        {});
    REQUIRE(parsed.ok());
    const Evaluation evaluation = evaluate(parsed.value(), request_of("u"), StoredState{}, 0);
    return evaluation.find("f")->reason;
  };
  CHECK(reason(R"(,"value":1)") == Reason::kConditionMatch);
  CHECK(reason(R"(,"value":2)") == Reason::kCohortNotFound);
  CHECK(reason(R"(,"value":"2")") == Reason::kCohortNotFound);
  for (const char* none :
       {R"(,"value":"abc")", R"(,"value":1.5)", R"(,"value":[1])", R"(,"value":null)", ""}) {
    INFO(none);
    CHECK(reason(none) == Reason::kCohortUnreadable);
  }
}

TEST_CASE("filters on one failed flag that no value of it satisfies are not met", "[flags]") {
  const auto reason = [](const std::vector<std::string>& values) {
    std::string filters;
    for (const std::string& value : values) {
      filters += std::string(filters.empty() ? "" : ",") +
                 R"({"type":"flag","key":"1","operator":"flag_evaluates_to","value":)" + value +
                 "}";
    }
    const Result<Definitions> parsed = Definitions::parse(
        R"([{"key":"bad","id":1,"filters":{"groups":[{"properties":[{"key":"id","type":"cohort",)"
        R"("value":9}]}],"multivariate":{"variants":[{"key":"a","rollout_percentage":50},)"
        R"({"key":"b","rollout_percentage":50}]}}},{"key":"f","filters":{"groups":[{"properties":[)" +
            filters + "]}]}}]",
        {});
    REQUIRE(parsed.ok());
    const Evaluation evaluation = evaluate(parsed.value(), request_of("u"), StoredState{}, 0);
    REQUIRE(evaluation.find("bad")->failed);
    return evaluation.find("f")->reason;
  };
  const std::string a = R"("a")";
  const std::string b = R"("b")";
  using Values = std::vector<std::string>;
  for (const Values& may_be : {Values{"true"}, Values{"false"}, Values{a}, Values{a, a},
                               Values{a, "true"}, Values{"true", a}, Values{"true", "true"},
                               Values{"false", "false"}, Values{"true", a, "true", a}}) {
    CAPTURE(may_be);
    CHECK(reason(may_be) == Reason::kDependencyFailed);
  }
  for (const Values& never : {Values{a, b}, Values{a, "false"}, Values{"false", "true"},
                              Values{"true", a, b}, Values{a, "true", b}}) {
    CAPTURE(never);
    CHECK(reason(never) == Reason::kNoConditionMatch);
  }
}

TEST_CASE("what hangs on a failed flag fails", "[flags]") {
  const char* document =
      R"([{"key":"bad","filters":{"groups":"x"},"id":1},
          {"key":"wants-false","filters":{"groups":[{"properties":[{"type":"flag","key":"1",
              "operator":"flag_evaluates_to","value":false}]}]}},
          {"key":"settled","filters":{"groups":[{"properties":[{"type":"flag","key":"1",
              "operator":"flag_evaluates_to","value":true}]},{"properties":[]}]}},
          {"key":"second","filters":{"groups":[{"properties":[{"type":"flag","key":"wants-false",
              "operator":"flag_evaluates_to","value":true}]}]}},
          {"key":"early","filters":{"early_exit":true,"groups":[{"rollout_percentage":0,
              "properties":[{"type":"flag","key":"1","operator":"flag_evaluates_to","value":true}]},
              {"properties":[]}]}}])";
  const Result<Definitions> parsed = Definitions::parse(document, ParseOptions{});
  REQUIRE(parsed.ok());
  const Evaluation evaluation = evaluate(parsed.value(), request_of("u"), StoredState{}, 0);
  CHECK(evaluation.find("wants-false")->reason == Reason::kDependencyFailed);
  CHECK(evaluation.find("second")->failed);
  CHECK(evaluation.find("settled")->enabled);
  CHECK(evaluation.find("early")->failed);
  for (const char* key : {"wants-false", "second", "early"}) {
    INFO(key);
    CHECK_FALSE(evaluation.find(key)->enabled);
    CHECK(evaluation.find(key)->condition_index == FlagResult{}.condition_index);
  }
}

TEST_CASE("a cohort's id is a whole number, as a number or as its text", "[flags]") {
  const auto id_of = [](const std::string& json) {
    const Result<Value> value = parse_value(json);
    REQUIRE(value.ok());
    return cohort_id_of(value.value());
  };
  CHECK(id_of("7") == 7);
  CHECK(id_of("\"7\"") == 7);
  CHECK(id_of("7.0") == 7);
  CHECK(id_of("-7") == -7);
  CHECK(id_of("9000000000000000") == 9'000'000'000'000'000);
  CHECK(id_of("-9e15") == -9'000'000'000'000'000);
  for (const char* bad :
       {"1.5", "\"1.5\"", "9000000000000001", "-9000000000000001", "1e300", "\"inf\"", "\"-inf\"",
        "\"NaN\"", "\"x\"", "\"\"", "true", "null", "[7]", "{\"id\":7}"}) {
    INFO(bad);
    CHECK_FALSE(id_of(bad).has_value());
  }
}

TEST_CASE("an id that stands twice in a list of members counts once", "[flags]") {
  const Result<Value> value = parse_value(R"(["b","a","b",{"uuid":"a","distinct_ids":["c","b"]}])");
  REQUIRE(value.ok());
  std::string problem;
  const std::optional<MemberList> members = MemberList::read(value.value(), problem);
  REQUIRE(members.has_value());
  CHECK(members->size() == 3);
  for (const char* id : {"a", "b", "c"}) CHECK(members->contains(id));
  for (const char* id : {"", "ab", "d"}) CHECK_FALSE(members->contains(id));
}

TEST_CASE("groups of a cohort nest as deep as JSON may, and no deeper", "[flags]") {
  const auto problems_of = [](int levels) {
    std::string group = R"({"type":"AND","values":[{"key":"p","value":"1"}]})";
    for (int i = 1; i < levels; ++i) group = R"({"type":"AND","values":[)" + group + "]}";
    return Definitions::check("{" + std::string(kInAndNot) + R"(,"cohorts":{"1":)" + group + "}}",
                              ParseOptions{});
  };
  CHECK(problems_of(62).empty());
  const std::vector<Problem> more = problems_of(63);
  REQUIRE(more.size() == 1);
  CHECK(more[0].severity == Severity::kError);
  CHECK(more[0].path == "$");
  CHECK(more[0].message.find("nests deeper") != std::string::npos);
}

TEST_CASE("a group of type property is the old form's AND, inside another group alone", "[flags]") {
  const std::string inner = R"({"type":"property","values":[{"key":"p","value":"1"},
      {"key":"p","value":"2"}]})";
  CHECK(answers(definitions_of(R"({"1":{"type":"OR","values":[)" + inner + "]}}"), "u") == "01");
  // At the top it is no group at all: the flags that use the cohort fail.
  CHECK(answers(definitions_of(R"({"1":)" + inner + "}"), "u") == "FF");
  // Neither AND nor OR inside a group says nothing, unless what stands before it decides.
  const std::string odd = R"({"type":"XOR","values":[]})";
  const std::string known = R"({"key":"p","value":"1"})";
  const auto either = [](const std::string& values) {
    return definitions_of(R"({"1":{"type":"OR","values":[)" + values + "]}}");
  };
  CHECK(answers(either(odd + "," + known), "u") == "FF");
  CHECK(answers(either(known + "," + odd), "u") == "10");
}

TEST_CASE("rules of the old form are of the person where they name no other type", "[flags]") {
  const auto old = [](const std::string& rule) {
    return definitions_of(R"([{"id":1,"groups":[{"properties":[)" + rule + R"(]}]},
        {"id":2,"is_static":true,"members":["u"]}])");
  };
  for (const char* type : {"", R"("type":null,)", R"("type":"event",)", R"("type":"person",)"}) {
    INFO(type);
    CHECK(answers(old("{" + std::string(type) + R"("key":"p","value":"1"})"), "u") == "10");
    CHECK(answers(old("{" + std::string(type) + R"("key":"p","value":"2"})"), "u") == "01");
  }
  CHECK(answers(old(R"({"type":"cohort","key":"id","value":2})"), "u") == "10");
  CHECK(answers(old(R"({"type":"cohort","key":"id","value":2})"), "v") == "01");
  // One that cannot be known is a miss.
  CHECK(answers(old(R"({"type":"behavioral","key":"p","value":"1"})"), "u") == "0F");
}
