// What the properties of one request may make operators do.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <string>

#include "counting_new.h"
#include "flags/operators.h"
#include "flags/patterns.h"
#include "flags/semver.h"
#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr size_t kLongest = limits::kFlagPropertyTextBytesMax;

Definitions definitions_from(const std::string& document) {
  Result<Definitions> parsed = Definitions::parse(document, {});
  INFO((parsed.ok() ? "" : parsed.error().detail));
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

// A flag with one filter on `p`; `filter` is its operator and value.
Definitions flag_of(const std::string& filter) {
  return definitions_from(R"([{"key":"f","filters":{"groups":[{"properties":[{"key":"p",)" +
                          filter + "}]}]}}]");
}

Definitions seed_flag_of(const std::string& filter) {
  return definitions_from(R"([{"key":"f","conditions":[{"properties":[{"key":"p",)" + filter +
                          "}]}]}]");
}

FlagResult answer(const Definitions& definitions, const Value& property) {
  Request request;
  request.distinct_id = "u";
  request.person_properties.set("p", property);
  return *evaluate(definitions, request, {}, 0).find("f");
}

Value text(std::string content) { return Value::of(std::string_view(content)); }

}  // namespace

TEST_CASE("a text that is longer than a version is none, whatever it holds", "[flags]") {
  const std::string longest = "1.2.3-" + std::string(limits::kVersionBytesMax - 6, 'a');
  CHECK(parse_version(longest).has_value());
  CHECK_FALSE(parse_version(longest + "a").has_value());
  CHECK_FALSE(parse_version(std::string(5'000'000, '.')).has_value());
  CHECK_FALSE(parse_version("1.2.3.4").has_value());
  CHECK_FALSE(parse_version("1..3").has_value());
  CHECK_FALSE(parse_version("").has_value());
  CHECK_FALSE(VersionRequirement::tilde(std::string(5'000'000, '.')).has_value());
  CHECK_FALSE(VersionRequirement::caret(std::string(5'000'000, '.')).has_value());
  CHECK_FALSE(
      VersionRequirement::wildcard(">" + std::string(limits::kVersionRequirementBytesMax, '1'))
          .has_value());
}

TEST_CASE("identifiers are compared part by part to the end of the shorter", "[flags]") {
  const auto order = [](const char* left, const char* right) {
    return compare(*parse_version(left), *parse_version(right));
  };
  CHECK(order("1.2.3-a.b", "1.2.3-a.b") == 0);
  CHECK(order("1.2.3-a", "1.2.3-a.0") < 0);
  CHECK(order("1.2.3-a.0.0", "1.2.3-a.0") > 0);
  CHECK(order("1.2.3-a.9", "1.2.3-a.10") < 0);
  CHECK(order("1.2.3-a.b", "1.2.3-a.10.z") > 0);
}

TEST_CASE("a version that is too long in a document is told by its length", "[flags]") {
  for (const char* op : {"semver_eq", "semver_tilde", "semver_wildcard"}) {
    const std::string document = fmt::format(
        R"([{{"key":"f","filters":{{"groups":[{{"properties":[{{"key":"p","operator":"{}",)"
        R"("value":"{}"}}]}}]}}}}])",
        op, std::string(5'000, '.'));
    const std::vector<Problem> problems = Definitions::check(document, {});
    REQUIRE(problems.size() == 1);
    CHECK(problems[0].path == "flags[0].filters.groups[0].properties[0].value");
    CHECK(problems[0].message.find("a version of 5000 bytes is none") == 0);
  }
}

TEST_CASE("what would look into a text that is too long fails its flag", "[flags]") {
  const std::string within = "x" + std::string(kLongest - 1, 'a');
  for (const char* filter :
       {R"("operator":"regex","value":"x\\b|a")", R"("operator":"icontains","value":"X")",
        R"("operator":"starts_with","value":"X")", R"("operator":"ends_with","value":"A")",
        R"("operator":"icontains_multi","value":["x"])"}) {
    CAPTURE(filter);
    const Definitions definitions = flag_of(filter);
    CHECK(answer(definitions, text(within)).enabled);
    const FlagResult result = answer(definitions, text(within + "a"));
    CHECK(result.failed);
    CHECK(result.reason == Reason::kInvalidProperty);
    CHECK_FALSE(result.enabled);
  }
  for (const char* filter :
       {R"("operator":"not_regex","value":"\\by")", R"("operator":"not_icontains","value":"y")"}) {
    CAPTURE(filter);
    const Definitions definitions = flag_of(filter);
    CHECK(answer(definitions, text(within)).enabled);
    CHECK(answer(definitions, text(within + "a")).failed);
  }
}

TEST_CASE("a text that is too long is equal to nothing and no number, version or date", "[flags]") {
  const Value digits = text(std::string(kLongest + 1, '9'));
  const auto is_on = [](const char* filter, const Value& property) {
    const FlagResult result = answer(flag_of(filter), property);
    CHECK_FALSE(result.failed);
    return result.enabled;
  };
  CHECK(is_on(R"("operator":"is_set")", digits));
  CHECK(is_on(R"("operator":"is_not","value":"9")", digits));
  CHECK_FALSE(is_on(R"("operator":"exact","value":"9")", digits));
  CHECK_FALSE(is_on(R"("operator":"gt","value":1)", digits));
  CHECK_FALSE(is_on(R"("operator":"lt","value":1)", digits));
  CHECK_FALSE(is_on(R"("operator":"is_date_after","value":"2020-01-01")", digits));
  CHECK_FALSE(is_on(R"("operator":"semver_neq","value":"1.2.3")", digits));
  CHECK(is_on(R"("operator":"gt","value":1)", text(std::string(kLongest, '9'))));
}

TEST_CASE("a list counts by the texts in it", "[flags]") {
  const Definitions definitions = flag_of(R"("operator":"icontains","value":"needle")");
  Value list = Value::array();
  for (size_t i = 0; i < 10; ++i) list.items.push_back(text(std::string(kLongest / 10 - 10, 'a')));
  list.items.push_back(text("needle"));
  CHECK(answer(definitions, list).enabled);
  for (size_t i = 0; i < 100; ++i) list.items.push_back(text("more"));
  CHECK(answer(definitions, list).failed);
}

TEST_CASE("a text that is too long fails the flag only where the answer hangs on it", "[flags]") {
  const Value property = text(std::string(kLongest + 1, 'a'));
  const Definitions either = definitions_from(
      R"([{"key":"f","filters":{"groups":[
           {"properties":[{"key":"p","operator":"icontains","value":"x"}]},
           {"properties":[]}]}}])");
  CHECK(answer(either, property).enabled);
  const Definitions neither = definitions_from(
      R"([{"key":"f","filters":{"groups":[{"properties":[
           {"key":"p","operator":"icontains","value":"x"},
           {"key":"q","operator":"exact","value":"y"}]}]}}])");
  CHECK_FALSE(answer(neither, property).failed);
  const Definitions in_cohort = definitions_from(
      R"({"flags":[{"key":"f","filters":{"groups":[{"properties":[
            {"key":"id","type":"cohort","value":1}]}]}}],
          "cohorts":[{"id":1,"filters":{"properties":{"type":"AND","values":[
            {"key":"p","operator":"icontains","value":"x"}]}}}]})");
  CHECK(answer(in_cohort, property).reason == Reason::kMembershipUnknown);
  const Definitions rules = definitions_from(
      R"([{"key":"f","filters":{"version":2,"return_type":"boolean","default_value":false,"rules":[
           {"id":"0190a1b2-0000-4000-8000-000000000001","rule_type":"targeted_release",
            "value":true,"targeting":{"properties":[
              {"key":"p","type":"person","operator":"icontains","value":"x"}]}}]}}])");
  CHECK(answer(rules, property).failed);
  CHECK(answer(rules, property).reason == Reason::kInvalidProperty);
}

TEST_CASE("the short dialect does not look into a text that is too long either", "[flags]") {
  const Value property = text(std::string(kLongest, ' ') + "1");
  const auto is_on = [&](const char* filter) {
    const FlagResult result = answer(seed_flag_of(filter), property);
    CHECK_FALSE(result.failed);
    return result.enabled;
  };
  CHECK_FALSE(is_on(R"("operator":"eq","value":1)"));
  CHECK_FALSE(is_on(R"("operator":"eq","value":true)"));
  CHECK(is_on(R"("operator":"not_in","value":[1,true])"));
  CHECK_FALSE(is_on(R"("operator":"gt","value":0)"));
  for (const char* filter :
       {R"("operator":"contains","value":"1")", R"("operator":"regex","value":"1")"}) {
    CAPTURE(filter);
    const FlagResult result = answer(seed_flag_of(filter), property);
    CHECK(result.failed);
    CHECK(result.reason == Reason::kInvalidProperty);
    CHECK(answer(seed_flag_of(filter), text("1")).enabled);
  }
}

TEST_CASE("a list of the short dialect reads the property once", "[flags]") {
  const auto cost = [](int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += fmt::format("{}\"t{}\"", i == 0 ? "" : ",", i);
    const Definitions definitions = seed_flag_of("\"operator\":\"in\",\"value\":[" + list + "]");
    Request request;
    request.distinct_id = "u";
    request.person_properties.set("p", text(std::string(60'000, 'x')));
    const uint64_t before = test::allocations();
    CHECK_FALSE(evaluate(definitions, request, {}, 0).find("f")->enabled);
    return test::allocations() - before;
  };
  CHECK(cost(1'000) == cost(10));
}

TEST_CASE("what filters look at is made of a property once, however many they are", "[flags]") {
  const TimeZone zone;
  const MatchContext context{1'750'000'000'000, 1, zone};
  Value list = Value::array();
  list.items = {Value::of(true), Value::of(std::string_view("true"))};
  Property truth(&list);
  CHECK(truth.is_truthy());
  Value date = text("2025-06-15T12:00:00Z");
  Property instant(&date);
  CHECK(instant.instant_us(context) == 1'749'988'800'000'000);
  // Nothing looks there again.
  list.items[0] = Value::of(false);
  date.text = "no date";
  CHECK(truth.is_truthy());
  CHECK(instant.instant_us(context) == 1'749'988'800'000'000);
  Value absent = text("soon");
  Property none(&absent);
  CHECK(!none.instant_us(context));
  absent.text = "2025-06-15";
  CHECK(!none.instant_us(context));
}

TEST_CASE("the short dialect does not look into a list that is too long either", "[flags]") {
  const Definitions definitions = seed_flag_of(R"("operator":"contains","value":"a")");
  Value list = Value::array();
  list.items.assign(kLongest - 1, Value::null());
  list.items.push_back(text("a"));
  CHECK_FALSE(answer(definitions, list).enabled);
  CHECK(answer(definitions, list).failed);
  list.items.erase(list.items.begin());
  CHECK(answer(definitions, list).enabled);
  list.items.assign(kLongest, text(""));
  CHECK(answer(definitions, list).failed);
}

TEST_CASE("objects are equal whatever the order of their keys, and comparing many ends",
          "[flags]") {
  // Every key looked for from the front would be 45,000,000,000 looks.
  constexpr int kKeys = 300'000;
  Value up = Value::object();
  Value down = Value::object();
  for (int i = 0; i < kKeys; ++i) {
    up.keys.push_back(fmt::format("{}", i));
    up.items.push_back(Value::of(int64_t{i}));
    down.keys.push_back(fmt::format("{}", kKeys - 1 - i));
    down.items.push_back(Value::of(int64_t{kKeys - 1 - i}));
  }
  CHECK(up == down);
  down.items[0] = Value::null();
  CHECK_FALSE(up == down);
  down.items[0] = Value::of(int64_t{kKeys - 1});
  down.keys[0] = "other";
  CHECK_FALSE(up == down);
}

TEST_CASE("an object with many keys in order is looked up and changed like any other", "[flags]") {
  Value object = Value::object();
  for (int64_t i = 0; i < 1'000; ++i) {
    object.set(fmt::format("key{}", (i * 7919) % 1'000), Value::of(i));
  }
  const Value as_it_came = object;
  object.sort_keys();
  CHECK(object.is_sorted);
  CHECK(object == as_it_came);
  for (const std::string& key : as_it_came.keys) {
    REQUIRE(object.find(key) != nullptr);
    CHECK(*object.find(key) == *as_it_came.find(key));
  }
  for (const char* key : {"", "a", "key", "key1000", "zzz"}) CHECK(object.find(key) == nullptr);
  object.set("key5", Value::of(true));
  CHECK(object.find("key5")->boolean);
  object.erase("key7");
  CHECK(object.find("key7") == nullptr);
  object.set("another", Value::of(true));
  CHECK(object.find("another") != nullptr);
  CHECK(object.find("key999") != nullptr);
}

TEST_CASE("a request answers the same before and after it is sorted", "[flags]") {
  const Definitions definitions = definitions_from(
      R"({"group_type_mapping":{"0":"company"},"flags":[
           {"key":"f","filters":{"groups":[{"properties":[{"key":"p77","value":"v77"}]}]}},
           {"key":"g","filters":{"aggregation_group_type_index":0,"groups":[{"properties":[
             {"key":"tier","type":"group","group_type_index":0,"value":"gold"}]}]}}]})");
  Request request;
  request.distinct_id = "u";
  request.group_properties.set("company", Value::object());
  request.group_properties.items[0].set("tier", text("gold"));
  for (const char* type : {"team", "company", "area"}) {
    request.groups.push_back({.type = type, .key = "k", .usable = true});
  }
  for (int i = 0; i < 200; ++i) {
    request.person_properties.set(fmt::format("p{}", i), text(fmt::format("v{}", i)));
  }
  for (const bool is_sorted : {false, true}) {
    CAPTURE(is_sorted);
    if (is_sorted) request.sort();
    const Evaluation evaluation = evaluate(definitions, request, {}, 0);
    CHECK(evaluation.find("f")->enabled);
    CHECK(evaluation.find("g")->enabled);
    CHECK(request.group("company") != nullptr);
    CHECK(request.group("nobody") == nullptr);
    CHECK(needs(definitions, request).nothing());
  }
}

TEST_CASE("patterns of one document stay within a sum, and those beyond it cannot run here",
          "[flags][pattern]") {
  // Some hundred KB each, all different.
  constexpr int kPatterns = 400;
  std::string flags;
  for (int i = 0; i < kPatterns; ++i) {
    flags += fmt::format(
        R"({}{{"key":"f{}","filters":{{"groups":[{{"properties":[{{"key":"p","operator":"regex",)"
        R"("value":"^\\p{{L}}{{1,30}}x{}"}}]}}]}}}})",
        i == 0 ? "" : ",", i, i);
  }
  const Definitions definitions = definitions_from("[" + flags + "]");
  size_t beyond = 0;
  for (const Problem& problem : definitions.problems()) {
    beyond += problem.severity == Severity::kError &&
              problem.message.find("the document's other patterns take all") != std::string::npos;
  }
  CHECK(beyond > 0);
  CHECK(kPatterns - beyond <= limits::kRegexesBytesMax / (limits::kRegexBytesMax / 4));
  CHECK(definitions.problems()[0].path.find("properties[0].value") != std::string::npos);
  Request request;
  request.distinct_id = "u";
  request.person_properties.set("p", text("éax0"));
  const Evaluation evaluation = evaluate(definitions, request, {}, 0);
  CHECK_FALSE(evaluation.find("f0")->failed);
  CHECK(evaluation.find("f399")->failed);
  CHECK(evaluation.find("f399")->reason == Reason::kInvalidRegex);
}

TEST_CASE("equal patterns are compiled once, and usual ones fit by the hundred",
          "[flags][pattern]") {
  Patterns patterns;
  const Patterns::Compiled& first = patterns.of("^\\w+@example\\.com$");
  CHECK(&patterns.of("^\\w+@example\\.com$") == &first);
  for (int i = 0; i < 300; ++i) {
    const Patterns::Compiled& usual = patterns.of(fmt::format("(?i)^.+@example{}\\.(com|org)$", i));
    REQUIRE(usual.pattern.has_value());
    CHECK(usual.pattern->found_in(fmt::format("Anna@Example{}.org", i)));
  }
  CHECK(&patterns.of("^\\w+@example\\.com$") == &first);
  CHECK(first.pattern->found_in("müller@example.com"));
  const Patterns::Plain& plain = patterns.plain("^a+$");
  CHECK(&patterns.plain("^a+$") == &plain);
  CHECK(plain.regex != nullptr);
  CHECK(patterns.plain("(").regex == nullptr);
  CHECK_FALSE(patterns.plain("(").problem.empty());
}

TEST_CASE("a pattern that needs the whole of its memory still runs", "[flags][pattern]") {
  Patterns patterns;
  const Patterns::Compiled& large = patterns.of("^\\p{L}{1,30}[0-9]$");
  INFO(large.problem);
  REQUIRE(large.pattern.has_value());
  CHECK(large.pattern->found_in("größe4"));
  CHECK_FALSE(large.pattern->found_in("größe"));
  const Patterns::Compiled& too_large = patterns.of("^\\p{L}{1,60}[0-9]$");
  CHECK_FALSE(too_large.pattern.has_value());
  CHECK(too_large.is_beyond);
}
