// The two switches that make rows shorter: what they leave out, and that nothing is lost by it.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "hogflare/config.h"
#include "hogflare/rows.h"
#include "wire_support.h"

using namespace hogflare;
using test::Fixture;
using test::kNowMs;
using Json = nlohmann::json;

namespace {

Json row_of(Fixture& f, std::string_view properties, const PersonView& person = {}) {
  auto decoded = f.decode(R"({"api_key":"phc_x","event":"e","distinct_id":"u","properties":)" +
                              std::string(properties) + "}",
                          Endpoint::kBatch);
  REQUIRE(decoded.ok());
  const CaptureBatch& batch = *decoded.value();
  RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  CHECK(writer.append_event(batch.events.at(0), person, {}, rows));
  CHECK(check_row(rows.row(0)) == std::nullopt);
  return Json::parse(rows.row(0));
}

Config config_with(const char* name, const char* value) {
  return parse_config(R"({"vars":{")" + std::string(name) + R"(":")" + value +
                      R"("},"bindings":[]})");
}

bool tells_of(const Config& config, std::string_view name) {
  for (const Config::Problem& problem : config.problems) {
    if (problem.message.find(name) != std::string::npos) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("HOGFLARE_PERSON_PROPERTIES and HOGFLARE_ROWS take their words and tell of others") {
  CHECK(config_with("HOGFLARE_PERSON_PROPERTIES", "").person_properties ==
        PersonPropertiesMode::kRow);
  CHECK(config_with("HOGFLARE_PERSON_PROPERTIES", "row").person_properties ==
        PersonPropertiesMode::kRow);
  CHECK(config_with("HOGFLARE_PERSON_PROPERTIES", "changed").person_properties ==
        PersonPropertiesMode::kChanged);
  CHECK(config_with("HOGFLARE_PERSON_PROPERTIES", "off").person_properties ==
        PersonPropertiesMode::kOff);
  CHECK(config_with("HOGFLARE_ROWS", "full").rows == RowsMode::kFull);
  CHECK(config_with("HOGFLARE_ROWS", "lean").rows == RowsMode::kLean);
  for (const char* name : {"HOGFLARE_PERSON_PROPERTIES", "HOGFLARE_ROWS"}) {
    INFO(name);
    const Config config = config_with(name, "Lean");
    CHECK(tells_of(config, name));
    CHECK(config.person_properties == PersonPropertiesMode::kRow);
    CHECK(config.rows == RowsMode::kFull);
  }
}

TEST_CASE("Rows that leave out what only the persons stream has are told of where there is none") {
  const char* const advice = "bind PERSONS_STREAM";
  CHECK(tells_of(config_with("HOGFLARE_PERSON_PROPERTIES", "off"), advice));
  CHECK(tells_of(config_with("HOGFLARE_PERSON_PROPERTIES", "changed"), advice));
  CHECK(tells_of(config_with("HOGFLARE_ROWS", "lean"), advice));
  CHECK_FALSE(tells_of(config_with("HOGFLARE_ROWS", "full"), advice));
  const Config bound = parse_config(
      R"({"vars":{"HOGFLARE_ROWS":"lean"},"bindings":["EVENTS_STREAM","PERSONS_STREAM"]})");
  CHECK_FALSE(tells_of(bound, advice));
}

TEST_CASE("person_properties stand on all rows, on those of a change, or on none") {
  Fixture f;
  PersonView person;
  person.person_id = "246f7a43-5507-564f-b687-793ee3c2dd79";
  person.person_properties = R"({"plan":"pro"})";
  for (const bool is_changed : {false, true}) {
    person.is_changed = is_changed;
    f.config.person_properties = PersonPropertiesMode::kRow;
    CHECK(row_of(f, "{}", person)["person_properties"]["plan"] == "pro");
    f.config.person_properties = PersonPropertiesMode::kChanged;
    CHECK(row_of(f, "{}", person).contains("person_properties") == is_changed);
    f.config.person_properties = PersonPropertiesMode::kOff;
    CHECK_FALSE(row_of(f, "{}", person).contains("person_properties"));
  }
}

TEST_CASE("A lean row says everything once") {
  Fixture f;
  f.config.rows = RowsMode::kLean;
  PersonView person;
  person.row_set = R"({"plan":"pro"})";
  person.row_set_once = R"({"$initial_os":"Linux"})";
  const Json row = row_of(
      f,
      R"({"plan":"pro","gclid":null,"token":"phc_x","distinct_id":"u","$host":"h","utm_source":"news",
          "$os":null,"count":12345678901234567890})",
      person);
  CHECK(row["properties"] == Json::parse("{}"));
  CHECK(row["custom_properties"] == Json::parse(R"({"plan":"pro","count":12345678901234567890})"));
  CHECK(row["host"] == "h");
  CHECK(row["utm_source"] == "news");
  CHECK_FALSE(row.contains("person_properties"));
  person.person_properties = R"({"plan":"pro"})";
  CHECK(row_of(f, "{}", person)["person_properties"]["plan"] == "pro");
}

TEST_CASE("A lean row whose own properties do not fit has all of them in properties") {
  Fixture f;
  f.config.rows = RowsMode::kLean;
  const std::string big(3'000, 'x');
  const Json row = row_of(f, R"({"$lib":"web","a":1,"none":null,"big":")" + big + R"(","b":2})");
  CHECK(row["properties"] == Json::parse(R"({"a":1,"big":")" + big + R"(","b":2})"));
  CHECK(row["lib"] == "web");
  CHECK(row["custom_properties"] == Json::parse(R"({"a":1,"b":2})"));
  // Many small ones that fit together are not there twice.
  std::string many = "{";
  for (int i = 0; i < 60; ++i)
    many += "\"p" + std::to_string(i) + "\":" + std::to_string(i) + ",\"$q" + std::to_string(i) +
            "\":0,";
  const Json short_one = row_of(f, many + "\"z\":1}");
  CHECK(short_one["custom_properties"].size() == 61);
  CHECK(short_one["properties"].size() == 60);
}

TEST_CASE("A lean row keeps a property that its column has not got whole") {
  Fixture f;
  f.config.rows = RowsMode::kLean;
  f.head.edge.country = "DE";
  f.head.edge.city = "Berlin";
  const std::string url = "https://shop.example/" + std::string(2'000, 'x');
  const Json row = row_of(
      f,
      R"({"$browser_version":156,"$os":"","$is_identified":"yes","$exception_type":"E","$lib":["a"],"$session_id":"01A20328-AC57-7726-998A-5E930F917B46",
          "$os_name":"Linux","$host":"h\u0000\"","$current_url":")" +
          url + R"("})");
  CHECK(row["properties"]["$current_url"] == url);
  CHECK(row["properties"]["$browser_version"] == 156);
  CHECK(row["properties"]["$os"] == "");
  CHECK(row["properties"]["$is_identified"] == "yes");
  CHECK(row["properties"]["$exception_type"] == "E");
  CHECK(row["properties"]["$lib"] == Json::parse(R"(["a"])"));
  CHECK(row["properties"]["$session_id"] == "01a20328-ac57-7726-998a-5e930f917b46");
  CHECK(row["session_id"] == "01a20328-ac57-7726-998a-5e930f917b46");
  CHECK_FALSE(row["properties"].contains("$host"));
  CHECK_FALSE(row["properties"].contains("$geoip_country_code"));
  CHECK(row["country_code"] == "DE");
  CHECK(row["city"] == "Berlin");
  CHECK(row["properties"].contains("$geoip_continent_code") == false);
}

TEST_CASE("Values the edge would add stay away from a lean row where the client said null") {
  Fixture f;
  f.head.edge.country = "DE";
  f.config.rows = RowsMode::kLean;
  const Json row = row_of(f, R"({"$geoip_country_code":null,"$x":1})");
  CHECK(row["properties"] == Json::parse(R"({"$x":1})"));
  CHECK_FALSE(row.contains("country_code"));
}
