// How long the definitions feed gets, whatever the document.
#include <catch2/catch.hpp>

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <string>

#include "hogflare/flags.h"
#include "hogflare/flags_limits.h"
#include "hogflare/flags_responses.h"

using nlohmann::json;
using namespace hogflare;
using namespace hogflare::flags;

namespace {

Definitions definitions_from(const std::string& document) {
  Result<Definitions> parsed = Definitions::parse(document, {});
  INFO((parsed.ok() ? "" : parsed.error().detail));
  REQUIRE(parsed.ok());
  return std::move(parsed).value();
}

std::string feed_of(const Definitions& definitions) {
  return write_definitions(definitions, Cohorts::kExpandInline);
}

json parsed(const std::string& text) {
  json value = json::parse(text, nullptr, false);
  REQUIRE(!value.is_discarded());
  return value;
}

// A flag that is on for cohort 1 among whoever matches `filters` more.
std::string flag_on_cohort(int id, int filters) {
  std::string list = R"({"key":"id","type":"cohort","value":1})";
  for (int i = 0; i < filters; ++i) {
    list += fmt::format(R"(,{{"key":"p{}","value":"v","operator":"exact","type":"person"}})", i);
  }
  return fmt::format(R"({{"id":{},"key":"f{}","filters":{{"groups":[{{"properties":[{}]}}]}}}})",
                     id, id, list);
}

std::string cohort_of_any(int leaves) {
  std::string list;
  for (int i = 0; i < leaves; ++i) {
    list += fmt::format(R"({}{{"key":"q{}","value":"v","operator":"exact","type":"person"}})",
                        i == 0 ? "" : ",", i);
  }
  return R"({"id":1,"filters":{"properties":{"type":"OR","values":[)" + list + "]}}}";
}

// A chain of flags, each of which depends on the one before.
std::string chain_of(int flags) {
  std::string list;
  for (int i = 0; i < flags; ++i) {
    const std::string filter = i == 0 ? std::string()
                                      : fmt::format(R"({{"key":"f{}","type":"flag","value":true,)"
                                                    R"("operator":"flag_evaluates_to"}})",
                                                    i - 1);
    list +=
        fmt::format(R"({}{{"id":{},"key":"f{}","filters":{{"groups":[{{"properties":[{}]}}]}}}})",
                    i == 0 ? "" : ",", i + 1, i, filter);
  }
  return R"({"flags":[)" + list + "]}";
}

const json& chain(const json& feed, size_t flag) {
  return feed["flags"][flag]["filters"]["groups"][0]["properties"][0]["dependency_chain"];
}

}  // namespace

TEST_CASE("a cohort is written into a condition as long as that is no longer than the document",
          "[flags]") {
  const std::string document =
      R"({"flags":[)" + flag_on_cohort(1, 400) + R"(],"cohorts":[)" + cohort_of_any(800) + "]}";
  const Definitions definitions = definitions_from(document);
  CHECK(definitions.document_bytes() == document.size());
  const std::string feed = feed_of(definitions);
  CHECK(feed.size() <= 4 * document.size());
  // The filter stays, and no cohort is given: SDKs ask.
  const json groups = parsed(feed)["flags"][0]["filters"]["groups"];
  REQUIRE(groups.size() == 1);
  CHECK(groups[0]["properties"][0]["type"] == "cohort");
  CHECK(parsed(feed)["cohorts"].empty());
}

TEST_CASE("many conditions on one cohort share what there is, and the first get it", "[flags]") {
  std::string flags = flag_on_cohort(1, 0);
  for (int i = 2; i <= 300; ++i) flags += "," + flag_on_cohort(i, 0);
  const std::string document =
      R"({"flags":[)" + flags + R"(],"cohorts":[)" + cohort_of_any(40) + "]}";
  const std::string feed = feed_of(definitions_from(document));
  CHECK(feed.size() <= 4 * document.size());
  const json list = parsed(feed)["flags"];
  CHECK(list[0]["filters"]["groups"].size() == 40);
  CHECK(list[299]["filters"]["groups"].size() == 1);
  CHECK(list[299]["filters"]["groups"][0]["properties"][0]["type"] == "cohort");
}

TEST_CASE("a chain of dependencies that is too long is left out, so that SDKs ask", "[flags]") {
  const int count = 3'000;
  const std::string document = chain_of(count);
  const std::string feed = feed_of(definitions_from(document));
  CHECK(feed.size() <= 4 * document.size());
  const json list = parsed(feed);
  CHECK(chain(list, 1) == json({"f0"}));
  CHECK(chain(list, 3) == json({"f0", "f1", "f2"}));
  CHECK(chain(list, limits::kDependencyChainMax).size() == limits::kDependencyChainMax);
  CHECK(chain(list, limits::kDependencyChainMax + 1).empty());
  CHECK(chain(list, count - 1).empty());
}

TEST_CASE("a deleted cohort's rules are not those of the living one of its id", "[flags]") {
  const std::string group =
      R"({{"type":"OR","values":[{{"key":"{}","value":"v","operator":"exact","type":"person"}}]}})";
  const std::string document = R"({"flags":[)" + flag_on_cohort(1, 0) +
                               R"(],"cohorts":[{"id":1,"deleted":true,"filters":{"properties":)" +
                               fmt::format(fmt::runtime(group), "dead") +
                               R"(}},{"id":"1","filters":{"properties":)" +
                               fmt::format(fmt::runtime(group), "alive") + "}}]}";
  const Definitions definitions = definitions_from(document);
  const json groups = parsed(feed_of(definitions))["flags"][0]["filters"]["groups"];
  CHECK(groups[0]["properties"][0]["key"] == "alive");
  const json sent = parsed(write_definitions(definitions, Cohorts::kSend))["cohorts"];
  CHECK(sent["1"]["values"][0]["key"] == "alive");
}

TEST_CASE("a dependency may be named by the flag's id", "[flags]") {
  const json feed = parsed(feed_of(definitions_from(
      R"([{"id":7,"key":"base","filters":{"groups":[{}]}},
          {"id":8,"key":"f","filters":{"groups":[{"properties":[
            {"key":"7","type":"flag","value":true,"operator":"flag_evaluates_to"}]}]}}])")));
  const json filter = feed["flags"][1]["filters"]["groups"][0]["properties"][0];
  CHECK(filter["key"] == "base");
  CHECK(filter["dependency_chain"] == json({"base"}));
}
