// Documents off the hot path: what is no JSON is discarded, and what is no UTF-8 is written all the
// same.
#include "json/dom.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "hogflare/limits.h"

namespace hogflare::json {
namespace {

TEST_CASE("documents: what is no JSON is discarded") {
  CHECK(dom_of<nlohmann::json>("").is_discarded());
  CHECK(dom_of<nlohmann::json>(R"({"a":1)").is_discarded());
  CHECK(dom_of<nlohmann::ordered_json>("{} x").is_discarded());
  CHECK(dom_of<nlohmann::json>(R"({"a":1})")["a"] == 1);
}

std::string repeated(size_t count, std::string_view text) {
  std::string out;
  out.reserve(count * text.size());
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

TEST_CASE("documents: as deep as a document may be, and no level deeper") {
  const auto nested = [](size_t depth) { return repeated(depth, "[") + repeated(depth, "]"); };
  CHECK(dom_of<nlohmann::json>(nested(limits::kJsonDepthMax)).is_array());
  CHECK(dom_of<nlohmann::json>(nested(limits::kJsonDepthMax + 1)).is_discarded());
  CHECK(dom_of<nlohmann::ordered_json>(repeated(limits::kJsonDepthMax, "{\"a\":") + "1" +
                                       repeated(limits::kJsonDepthMax, "}"))
            .is_object());
  CHECK(dom_of<nlohmann::ordered_json>(repeated(2'000'000, "[")).is_discarded());
  CHECK(dom_of<nlohmann::json>(repeated(2'000'000, "{\"a\":")).is_discarded());
  // Within a text and side by side they nest nothing.
  const std::string text = '"' + repeated(1'000, "[\\\"{") + '"';
  CHECK(dom_of<nlohmann::json>(text).is_string());
  CHECK(dom_of<nlohmann::json>("[" + repeated(1'000, "[[]],") + "0]").size() == 1'001);
}

TEST_CASE("documents: as many values as one may have, and none more") {
  const auto list = [](size_t elements) { return "[" + repeated(elements - 1, "[],") + "{}]"; };
  CHECK(dom_of<nlohmann::json>(list(limits::kDomValuesMax - 1)).is_array());
  CHECK(dom_of<nlohmann::json>(list(limits::kDomValuesMax)).is_discarded());
  CHECK(dom_of<nlohmann::json>(repeated(2'000'000, "[[],")).is_discarded());
  // Each of them is paid for.
  CHECK(dom_bytes("[ ]").value() == limits::kDomValueBytes + 6);
  CHECK(dom_bytes("[1,{\"a\":[]}]").value() == 4 * limits::kDomValueBytes + 24);
  // An object with the order of its members compares all names for each.
  std::string wide = "{";
  for (size_t i = 0; i < 19'000; ++i) wide += '"' + std::to_string(i) + "\":0,";
  CHECK(dom_of<nlohmann::ordered_json>(wide + "\"\":0}").is_object());
  for (size_t i = 19'000; i < 21'000; ++i) wide += '"' + std::to_string(i) + "\":0,";
  CHECK(dom_of<nlohmann::ordered_json>(wide + "\"\":0}").is_discarded());
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
