// Documents off the hot path: what is no JSON is discarded, and what is no UTF-8 is written all the
// same.
#include "json/dom.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

namespace hogflare::json {
namespace {

TEST_CASE("documents: what is no JSON is discarded") {
  CHECK(dom_of<nlohmann::json>("").is_discarded());
  CHECK(dom_of<nlohmann::json>(R"({"a":1)").is_discarded());
  CHECK(dom_of<nlohmann::ordered_json>("{} x").is_discarded());
  CHECK(dom_of<nlohmann::json>(R"({"a":1})")["a"] == 1);
}

TEST_CASE("documents: members stay in their order, or are put into that of their names") {
  CHECK(text_of(dom_of<nlohmann::ordered_json>(R"({"b":1, "a":[2]})")) == R"({"b":1,"a":[2]})");
  CHECK(text_of(dom_of<nlohmann::json>(R"({"b":1, "a":[2]})")) == R"({"a":[2],"b":1})");
  CHECK(indented_text_of(dom_of<nlohmann::ordered_json>(R"({"b":1})")) == "{\n  \"b\": 1\n}");
}

TEST_CASE("documents: broken UTF-8 in a text is no fault") {
  const std::string broken = "a\xff\xc3";
  const std::string written = "{\"t\":\"a\xef\xbf\xbd\xef\xbf\xbd\"}";
  CHECK(text_of(nlohmann::json{{"t", broken}}) == written);
  CHECK(text_of(nlohmann::ordered_json{{"t", broken}}) == written);
}

}  // namespace
}  // namespace hogflare::json
