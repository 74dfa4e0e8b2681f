// Which cohorts of the flags' document questions are told, and in which form.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"

namespace hogflare::flags {
namespace {

using nlohmann::json;

TEST_CASE("cohorts for questions: those whose members the document says, and no others") {
  const json rules = {{"type", "AND"},
                      {"values", {{{"key", "plan"}, {"type", "person"}, {"value", "pro"}}}}};
  json most = json::array();
  for (int i = 0; i < 1'000; ++i) most.push_back("id-" + std::to_string(i));
  json many = json::array();
  for (int i = 0; i < 1'001; ++i) many.push_back("id-" + std::to_string(i));
  const json document = {
      {"flags", json::array()},
      {"cohorts",
       {{{"id", 1}, {"name", "pro"}, {"filters", {{"properties", rules}}}},
        {{"id", 2}, {"name", "listed"}, {"is_static", true}, {"members", {"bob"}}},
        {{"id", 3}, {"is_static", true}},
        {{"id", 4}, {"is_static", true}, {"members", many}},
        {{"id", 5}, {"deleted", true}, {"filters", {{"properties", rules}}}},
        {{"id", 6}, {"is_static", true}, {"members", json::array()}},
        {{"id", 7}, {"is_static", true}, {"members", most}}}}};
  const auto definitions = Definitions::parse(document.dump(), {});
  REQUIRE(definitions.ok());
  CHECK(json::parse(write_cohorts_for_questions(definitions.value())) ==
        json{{"1", {{"name", "pro"}, {"properties", rules}}},
             {"2", {{"name", "listed"}, {"members", {"bob"}}}},
             {"6", {{"name", "6"}, {"members", json::array()}}},
             {"7", {{"name", "7"}, {"members", most}}}});
}

}  // namespace
}  // namespace hogflare::flags
