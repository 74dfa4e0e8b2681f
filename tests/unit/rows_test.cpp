#include "hogflare/rows.h"

#include <catch2/catch.hpp>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "hogflare/limits.h"
#include "wire_support.h"

using namespace hogflare;
using test::Fixture;
using test::kNowMs;

namespace {

std::string text_of_row(Fixture& f, std::string body, const PersonView& person = {},
                        const GroupView& groups = {}) {
  auto decoded = f.decode(std::move(body), Endpoint::kBatch);
  REQUIRE(decoded.ok());
  const CaptureBatch& batch = *decoded.value();
  REQUIRE(batch.events.size() == 1);
  RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_event(batch.events[0], person, groups, rows);
  REQUIRE(rows.size() == 1);
  CHECK(check_row(rows.row(0)) == std::nullopt);
  return std::string(rows.row(0));
}

std::string event(std::string_view members) {
  return R"({"api_key":"phc_x","event":"e","distinct_id":"u")" +
         (members.empty() ? std::string() : "," + std::string(members)) + "}";
}

nlohmann::json row_of(Fixture& f, std::string body, const PersonView& person = {},
                      const GroupView& groups = {}) {
  return nlohmann::json::parse(text_of_row(f, std::move(body), person, groups));
}

// The raw text of the properties column.
std::string properties_text(Fixture& f, std::string_view properties, const PersonView& person = {},
                            const GroupView& groups = {}) {
  const std::string row =
      text_of_row(f, event("\"properties\":" + std::string(properties)), person, groups);
  const auto document = json::Document::parse_const(row, 1);
  REQUIRE(document.ok());
  return std::string(document.value().root().find("properties").raw());
}

constexpr std::string_view kRow =
    R"({"uuid":"a","team_id":1,"source":"s","event":"e","distinct_id":"d",)"
    R"("timestamp":"2026-01-01T11:00:00.000Z","created_at":"2026-01-01T12:00:00.000Z",)"
    R"("properties":{},"person_id":"p"})";

std::string replaced(std::string_view from, std::string_view to) {
  std::string row(kRow);
  const size_t at = row.find(from);
  HF_ASSERT(at != std::string::npos);
  return row.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("A row holds the seed's columns in the schema's order") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.head.edge.country = "DE";
  PersonView person;
  person.person_id = "246f7a43-5507-564f-b687-793ee3c2dd79";
  person.person_created_at_ms = kNowMs;
  person.person_properties = R"({"plan":"pro"})";
  person.row_set = R"({"a":1})";
  const std::string row = text_of_row(
      f,
      R"({"api_key":"phc_x","sent_at":"2026-01-01T12:00:00Z","batch":[{"event":"e","distinct_id":"u","type":"capture",
         "uuid":"0190A000-0000-7000-8000-000000000001","timestamp":"2026-01-01T11:00:00Z",
         "properties":{"big":12345678901234567890,"$set":{"x":1},"f":1.50}}]})",
      person);
  CHECK(
      row ==
      R"({"uuid":"0190a000-0000-7000-8000-000000000001","team_id":1,"source":"posthog","event":"e",)"
      R"("distinct_id":"u","timestamp":"2026-01-01T11:00:00.000Z","created_at":"2026-01-01T12:00:00.000Z",)"
      R"("properties":{"big":12345678901234567890,"f":1.50,"$set":{"a":1},"$ip":"203.0.113.9","$geoip_country_code":"DE"},)"
      R"("person_id":"246f7a43-5507-564f-b687-793ee3c2dd79","person_created_at":"2026-01-01T12:00:00.000Z",)"
      R"("person_properties":{"plan":"pro"},"api_key":"phc_x",)"
      R"("extra":{"type":"capture","$sent_at":"2026-01-01T12:00:00.000Z","$client_timestamp":"2026-01-01T11:00:00Z"},)"
      R"("country_code":"DE","properties_bytes":99,"custom_properties":{"big":12345678901234567890,"f":1.50}})");
}

TEST_CASE("Every column can be filled, groups and context included") {
  Fixture f;
  f.head.edge.country = "DE";
  f.head.edge.city = "Munich";
  f.head.edge.region = "Bavaria";
  PersonView person;
  person.person_id = "246f7a43-5507-564f-b687-793ee3c2dd79";
  person.person_created_at_ms = kNowMs;
  GroupView groups;
  for (size_t i = 0; i < groups.keys.size(); ++i) {
    groups.keys[i] = "key \"" + std::to_string(i) + "\"";
    groups.raw_values[i] = R"("raw")";
  }
  groups.group_properties_json = R"({"company":{"size":5}})";
  person.mode = "full";
  person.is_identified = true;
  const auto row = row_of(
      f,
      event(R"("context":{"page":1},"properties":{"$group_0":"stale","plan":"pro","$session_id":"s",
          "$window_id":"w","$current_url":"https://a.example/p?q","$host":"a.example","$pathname":"/p",
          "$screen_name":"Home","$referrer":"https://b.example/","$referring_domain":"b.example",
          "utm_source":"1","utm_medium":"2","utm_campaign":"3","utm_term":"4","utm_content":"5",
          "$browser":"Chrome","$browser_version":156,"$os":"Linux","$os_version":"6.1",
          "$device_type":"Desktop","$lib":"web","$lib_version":"1.449.2","$feature_flag":"f",
          "$feature_flag_response":true,"$exception_list":[{"type":"TypeError","value":"x is null"}]})"),
      person, groups);
  CHECK(row["browser_version"] == "156");
  CHECK(row["feature_flag_variant"] == "true");
  CHECK(row["is_identified"] == true);
  CHECK(row["region"] == "Bavaria");
  CHECK(row["custom_properties"] == nlohmann::json::parse(R"({"plan":"pro"})"));
  const auto schema = nlohmann::json::parse(test::read_data_file("../schemas/events.json"));
  for (const auto& field : schema["fields"]) {
    const std::string name = field["name"];
    INFO(name);
    CHECK((name == "extra" || row.contains(name)));
  }
  CHECK(row["group3"] == "key \"3\"");
  CHECK(row["properties"]["$group_0"] == "raw");
  CHECK(row["properties"]["$group_4"] == "raw");
  CHECK(row["context"]["page"] == 1);
  CHECK(row["group_properties"]["company"]["size"] == 5);
}

TEST_CASE("Values that nobody looks into leave byte for byte as they came") {
  Fixture f;
  for (const std::string_view properties :
       {R"({"a":12345678901234567890,"b":1.10,"c":-0,"d":1E+2,"e":0.000001})",
        R"({"esc":"\u00e9\/\"\\\n","raw":"é😀","\u006bey":1})", R"({"o":{ "x" : [ 1 , 2 ] }})",
        R"({"a":{"b":{"c":{"d":{"e":{"f":{"g":1.0}}}}}}})", "{}"}) {
    CHECK(properties_text(f, properties) == properties);
  }
}

TEST_CASE("Unknown root members go to extra, known ones do not") {
  Fixture f;
  const auto row = row_of(
      f, event(R"("type":"capture","library":"x","n":1.10,"$set":{"a":1},"uuid":"","offset":5)"));
  CHECK(row["extra"] ==
        nlohmann::json::parse(R"({"type":"capture","library":"x","n":1.10,"$client_offset":5})"));
  CHECK_FALSE(row_of(f, event("")).contains("extra"));
}

TEST_CASE("Extra keeps what the client said about time and migration") {
  Fixture f;
  const auto row = row_of(
      f,
      R"({"api_key":"T","sent_at":"2026-01-01T12:00:05Z","historical_migration":true,"batch":[{"event":"e","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z"}]})");
  CHECK(row["timestamp"] == "2026-01-01T11:59:50.000Z");
  CHECK(row["extra"] == nlohmann::json::parse(R"({"$sent_at":"2026-01-01T12:00:05.000Z",
      "$client_timestamp":"2026-01-01T11:59:55Z","$historical_migration":true})"));
}

TEST_CASE("History that is sent again takes nothing from the connection") {
  Fixture f;
  f.head.x_forwarded_for = "198.51.100.7";
  f.head.cf_ray = "8c1-FRA";
  f.head.edge.country = "DE";
  f.head.edge.city = "Berlin";
  const std::string event =
      R"("batch":[{"event":"e","distinct_id":"u","properties":{"$geoip_city_name":"Graz","a":1}}]})";
  const auto again = row_of(f, R"({"api_key":"T","historical_migration":true,)" + event);
  CHECK(again["properties"] == nlohmann::json::parse(R"({"$geoip_city_name":"Graz","a":1})"));
  CHECK(again["city"] == "Graz");
  CHECK_FALSE(again.contains("country_code"));
  const auto live = row_of(f, R"({"api_key":"T",)" + event);
  CHECK(live["properties"]["$ip"] == "198.51.100.7");
  CHECK(live["properties"]["cf_ray"] == "8c1-FRA");
}

TEST_CASE("The edge's knowledge is added, never over what the client sent") {
  Fixture f;
  f.head.x_forwarded_for = "198.51.100.7, 10.0.0.1";
  f.head.cf_ray = "8c1-FRA";
  f.head.edge.country = "DE";
  f.head.edge.city = "Berlin";
  f.head.edge.continent = "EU";
  f.head.edge.latitude = "52.52";
  f.head.edge.longitude = "13.40500";
  f.head.edge.timezone = "Europe/Berlin";
  f.head.edge.asn = "3320";
  f.head.edge.as_organization = "Org \"X\"";
  CHECK(
      properties_text(f, "{}") ==
      R"({"$ip":"198.51.100.7","$geoip_country_code":"DE","$geoip_city_name":"Berlin",)"
      R"("$geoip_continent_code":"EU","$geoip_latitude":52.52,"$geoip_longitude":13.40500,)"
      R"("$geoip_time_zone":"Europe/Berlin","cf_asn":3320,"cf_as_organization":"Org \"X\"","cf_ray":"8c1-FRA"})");
  f.head.cf_connecting_ip = "203.0.113.9";
  const auto row = row_of(f, event(R"("properties":{"$ip":"1.2.3.4","$geoip_city_name":"Paris"})"));
  CHECK(row["properties"]["$ip"] == "1.2.3.4");
  CHECK(row["properties"]["$geoip_city_name"] == "Paris");
  CHECK_FALSE(row["properties"].contains("$geoip_country_code"));
  CHECK(row_of(f, event(R"("properties":{"$ip":null})"))["properties"]["$ip"] == "203.0.113.9");
  CHECK(row_of(f, event(R"("properties":{"\u0024ip":"9.9.9.9"})"))["properties"]["$ip"] ==
        "9.9.9.9");
}

TEST_CASE("$geoip_disable keeps places away, not the network's names") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.head.edge.country = "DE";
  f.head.edge.colo = "FRA";
  const auto with = [&](std::string_view raw) {
    return row_of(
        f, event(R"("properties":{"$geoip_disable":)" + std::string(raw) + "}"))["properties"];
  };
  CHECK_FALSE(with("true").contains("$geoip_country_code"));
  CHECK(with("true")["cf_colo"] == "FRA");
  CHECK(with("true")["$ip"] == "203.0.113.9");
  CHECK(with("false")["$geoip_country_code"] == "DE");
}

TEST_CASE("$geoip_disable has JavaScript's truth") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.head.edge.country = "DE";
  const auto keeps_away = [&](std::string_view raw) {
    const auto row =
        row_of(f, event(R"("properties":{"$geoip_disable":)" + std::string(raw) + "}"));
    CHECK(row["properties"].contains("$geoip_country_code") == row.contains("country_code"));
    return !row.contains("country_code");
  };
  for (const char* raw : {"true", "1", "-1", "0.5", "\"x\"", "\"0\"", "\"false\"", "[]", "{}"}) {
    INFO(raw);
    CHECK(keeps_away(raw));
  }
  for (const char* raw : {"false", "null", "0", "\"\""}) {
    INFO(raw);
    CHECK_FALSE(keeps_away(raw));
  }
}

TEST_CASE("With anonymised addresses no row holds $ip, not even the client's own") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.config.anonymize_ip = true;
  CHECK(properties_text(f, R"({"a":1,"$ip":"1.2.3.4","b":2})") == R"({"a":1,"b":2})");
  f.config.anonymize_ip = false;
  f.config.default_project.anonymize_ips = true;
  CHECK(properties_text(f, "{}") == "{}");
}

TEST_CASE(
    "A property whose name only resembles one of the row's own stays, an escaped one does not") {
  Fixture f;
  const std::string_view own[] = {"$set",
                                  "$set_once",
                                  "$process_person_profile",
                                  "$group_3",
                                  "ph_product_tours",
                                  "$product_tours_activated",
                                  "$override_feature_flag_payloads"};
  PersonView person;
  person.personless = true;
  for (const std::string_view name : own) {
    INFO(name);
    const std::string quoted = "\"" + std::string(name) + "\"";
    const std::string off = R"("$process_person_profile":false)";
    CHECK(properties_text(f, "{" + quoted + ":1}", person) == "{" + off + "}");
    CHECK(properties_text(f, "{\"a\":1 , " + quoted + ":1,\"b\": 2 ,\"c\":3}", person) ==
          R"({"a":1,"b": 2 ,"c":3,)" + off + "}");
    // The same name with its last character escaped.
    char escape[7];
    std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(name.back()));
    const std::string escaped = std::string(name.substr(0, name.size() - 1)) + escape;
    CHECK(properties_text(f, "{\"" + escaped + "\":1}", person) == "{" + off + "}");
    for (size_t i = 0; i < name.size(); ++i) {
      std::string other(name);
      other[i] = '~';
      CHECK(properties_text(f, "{\"" + other + "\":1}", person) ==
            "{\"" + other + "\":1," + off + "}");
    }
    const std::string shorter(name.substr(1));
    CHECK(properties_text(f, "{\"" + shorter + "\":1}", person) ==
          "{\"" + shorter + "\":1," + off + "}");
  }
  CHECK(properties_text(f, R"({"":1,"a":2,"ab":3,"$ip":""})") == R"({"":1,"a":2,"ab":3})");
}

TEST_CASE("A row's texts may be of any length and hold anything") {
  Fixture f;
  for (const size_t length : {1, 15, 16, 17, 190, 199}) {
    for (const std::string_view piece : {"n", "\\\"", "\\u00e9"}) {
      std::string name(length - 1, 'x');
      name += piece;
      const auto row = row_of(
          f, R"({"api_key":"phc_x","event":")" + name + R"(","distinct_id":")" + name + "\"}");
      const std::string text = nlohmann::json::parse("\"" + name + "\"");
      CHECK(row["event"] == text);
      CHECK(row["distinct_id"] == text);
    }
  }
  PersonView person;
  const std::string id(300, 'p');
  person.person_id = id;
  const std::string large = "{\"p\":\"" + std::string(700, 'q') + "\"}";
  person.person_properties = large;
  const auto row = row_of(f, event(""), person);
  CHECK(row["person_id"] == id);
  CHECK(row["person_properties"]["p"] == std::string(700, 'q'));
}

TEST_CASE("What is left out of the edge's knowledge is left out, neighbours or not") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  f.head.edge.country = "DE";
  f.head.edge.continent = "EU";
  f.head.edge.latitude = "52.5";
  f.head.edge.colo = "TXL";
  CHECK(properties_text(f, "{}") ==
        R"({"$ip":"203.0.113.9","$geoip_country_code":"DE","$geoip_continent_code":"EU",)"
        R"("$geoip_latitude":52.5,"cf_colo":"TXL"})");
  CHECK(properties_text(f, R"({"$geoip_city_name":1,"cf_colo":2})") ==
        R"({"$geoip_city_name":1,"cf_colo":2,"$ip":"203.0.113.9"})");
  CHECK(properties_text(f, R"({"$ip":"::1","$geoip_continent_code":1,"cf_ray":2})") ==
        R"({"$ip":"::1","$geoip_continent_code":1,"cf_ray":2,"cf_colo":"TXL"})");
}

TEST_CASE("An internal capture has the local address") {
  Fixture f;
  f.head.cf_connecting_ip = "203.0.113.9";
  CHECK(row_of(f, event(R"("properties":{"capture_internal":true})"))["properties"]["$ip"] ==
        "127.0.0.1");
  // Said by a batch for all of its events.
  auto decoded = f.decode(event(""));
  REQUIRE(decoded.ok());
  decoded.value()->events[0].is_internal = true;
  const CaptureBatch& batch = *decoded.value();
  RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_event(batch.events[0], {}, {}, rows);
  CHECK(nlohmann::json::parse(rows.row(0))["properties"]["$ip"] == "127.0.0.1");
}

TEST_CASE("A row names its person's mode") {
  Fixture f;
  for (const char* mode : {"full", "propertyless", "force_upgrade"}) {
    PersonView person;
    person.mode = mode;
    CHECK(row_of(f, event(""), person)["person_mode"] == mode);
  }
  CHECK_FALSE(row_of(f, event("")).contains("person_mode"));
}

TEST_CASE("Coordinates are taken only as plain numbers") {
  Fixture f;
  for (const char* good : {"0", "-33.9", "0.5", "52", "-0.25"}) {
    INFO(good);
    f.head.edge.latitude = good;
    CHECK(properties_text(f, "{}") == R"({"$geoip_latitude":)" + std::string(good) + "}");
  }
  for (const char* bad :
       {"", "-", "+1", "01", "1.2.3", "5.", ".5", "1a", "1:", "1-2", "5/2", "--1"}) {
    INFO(bad);
    f.head.edge.latitude = bad;
    CHECK(properties_text(f, "{}") == "{}");
  }
}

TEST_CASE("A personless row has no person properties and says so") {
  Fixture f;
  PersonView person;
  person.personless = true;
  person.person_id = "246f7a43-5507-564f-b687-793ee3c2dd79";
  person.mode = "propertyless";
  const auto row = row_of(
      f,
      event(
          R"("properties":{"$set":{"a":1},"$set_once":{"a":1},"$unset":["b"],"$process_person_profile":false,"$group_0":"g","x":1})"),
      person);
  CHECK(row["properties"] == nlohmann::json::parse(R"({"x":1,"$process_person_profile":false})"));
  CHECK_FALSE(row.contains("person_created_at"));
  CHECK(row["extra"]["$person_mode"] == "propertyless");
}

TEST_CASE("A row over the sink's limit keeps the beginning of its largest values and names them") {
  Fixture f;
  const std::string body =
      event(R"("properties":{"small":1,"huge":")" + std::string(1'500'000, 'x') +
            R"(","medium":")" + std::string(200'000, 'y') + R"("})");
  auto decoded = f.decode(body, Endpoint::kBatch);
  REQUIRE(decoded.ok());
  const CaptureBatch& batch = *decoded.value();
  RowWriter writer(f.head, {batch.token, batch.project, {}}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  CHECK_FALSE(writer.append_event(batch.events[0], {}, {}, rows));
  CHECK(check_row(rows.row(0)) == std::nullopt);
  const auto row = nlohmann::json::parse(rows.row(0));
  CHECK(row["properties"]["small"] == 1);
  CHECK(row["properties"]["huge"].get<std::string>().size() > 700'000);
  CHECK(row["properties"]["medium"].get<std::string>().size() == 200'000);
  CHECK(row["properties"]["$hogflare_truncated"] == nlohmann::json::parse(R"(["huge"])"));
}

TEST_CASE("A row that is cut has the members it would have had otherwise") {
  const auto row_of = [](size_t bytes) {
    Fixture f;
    auto decoded = f.decode(event(R"("my_member":{"a":1},"offset":5,"properties":{"large":")" +
                                  std::string(bytes, 'x') + R"("})"),
                            Endpoint::kBatch);
    REQUIRE(decoded.ok());
    const CaptureBatch& batch = *decoded.value();
    RowWriter writer(f.head, {batch.token, batch.project, {}}, f.config, kNowMs);
    RowBatch rows(Stream::kEvents);
    CHECK(writer.append_event(batch.events[0], {}, {}, rows) == (bytes < 1'000));
    return nlohmann::json::parse(rows.row(0));
  };
  const auto whole = row_of(1);
  const auto cut = row_of(2'000'000);
  CHECK(cut["extra"]["my_member"]["a"] == 1);
  CHECK(cut["extra"]["$client_offset"] == 5);
  CHECK(cut["properties"].contains("$hogflare_truncated"));
  // Those beside what was cut.
  const std::set<std::string> of_properties = {"properties", "properties_bytes",
                                               "custom_properties", "uuid"};
  for (const auto& [name, value] : whole.items()) {
    INFO(name);
    REQUIRE(cut.contains(name));
    if (!of_properties.contains(name)) CHECK(cut[name].dump() == value.dump());
  }
}

TEST_CASE("Whatever is too large in a row, the row fits") {
  const std::string big(700'000, 'z');
  Fixture f;
  const std::string properties = R"({"p":")" + big + "\"}";
  PersonView person;
  person.person_properties = properties;
  GroupView groups;
  groups.keys[0] = big;
  groups.group_properties_json = R"({"company":{"g":")" + big + "\"}}";
  const std::string row = text_of_row(f,
                                      event(R"("context":{"c":")" + big + R"("},"other":")" + big +
                                            R"(","properties":{"x":")" + big + R"("})"),
                                      person, groups);
  CHECK(row.size() <= limits::kRowBytesMax);
}

TEST_CASE("check_row knows exactly the columns of schemas/events.json") {
  const auto schema = nlohmann::json::parse(test::read_data_file("../schemas/events.json"));
  REQUIRE(schema["fields"].size() == 52);
  const auto good = [](const std::string& type) {
    if (type == "int64") return "1";
    if (type == "bool") return "true";
    if (type == "timestamp") return "\"2026-01-01T12:00:00.000Z\"";
    return type == "json" ? "{}" : "\"x\"";
  };
  const auto row_with = [&](const std::string& name, const std::string& value) {
    std::string row = "{";
    for (const auto& field : schema["fields"]) {
      const bool is_it = field["name"] == name;
      if (is_it && value.empty()) continue;
      if (row.size() > 1) row += ',';
      row += field["name"].dump() + ":" + (is_it ? value : good(field["type"]));
    }
    return row + "}";
  };
  CHECK(check_row(row_with("", "")) == std::nullopt);
  for (const auto& field : schema["fields"]) {
    const std::string name = field["name"];
    const std::string type = field["type"];
    INFO(name);
    const bool required = field["required"];
    CHECK(check_row(row_with(name, "")).has_value() == required);
    const std::string wrong = type == "int64" || type == "bool" ? "\"1\"" : "1";
    CHECK(check_row(row_with(name, wrong)).has_value() == (type != "json"));
    CHECK(check_row(row_with(name, "null")).has_value() == (type != "json"));
  }
}

TEST_CASE("A row that nearly fits the schema is refused with what is wrong") {
  CHECK(check_row(kRow) == std::nullopt);
  CHECK(check_row(replaced(R"("uuid":"a",)", "")).value_or("") == "column uuid is missing");
  CHECK(check_row(replaced(R"("team_id":1)", R"("team_id":1.5)")).has_value());
  CHECK(check_row(replaced(R"("team_id":1)", R"("team_id":"1")")).has_value());
  CHECK(check_row(replaced("2026-01-01T11:00:00.000Z", "2026-01-01T11:00:00Z")).has_value());
  CHECK(check_row(replaced("2026-01-01T11:00:00.000Z", "2026-01-01 11:00:00.000Z")).has_value());
  CHECK(check_row(replaced(R"("person_id":"p")", R"("person_id":null)")).has_value());
  CHECK(check_row(replaced(R"("person_id":"p")", R"("unknown":"p")")).has_value());
  CHECK(check_row(replaced(R"("event":"e")", R"("event":"e","event":"f")")).has_value());
  CHECK(check_row(replaced(R"("properties":{})", R"("properties":{]})")).has_value());
  CHECK(check_row(replaced(R"("properties":{})", R"("properties":{"a":"\ud800"})")).has_value());
  // Just so many bytes, with blanks before its end.
  const std::string most =
      replaced(R"("person_id":"p")",
               R"("person_id":"p")" + std::string(limits::kRowBytesMax - kRow.size(), ' '));
  CHECK(most.size() == limits::kRowBytesMax);
  CHECK(check_row(most) == std::nullopt);
  CHECK(check_row(most + " ").has_value());
  CHECK(check_row("[]").has_value());
  CHECK(check_row("").has_value());
  CHECK(check_row(replaced(R"("person_id":"p")",
                           R"("person_id":")" + std::string(limits::kRowBytesMax, 'p') + "\""))
            .has_value());
}

TEST_CASE("A reject row keeps what is known and cuts what is long") {
  RowBatch rows(Stream::kRejects);
  std::string payload;
  while (payload.size() < 100'000) payload += "é";
  append_reject_row(rows, {.uuid = "0190a000-0000-7000-8000-000000000001",
                           .team_id = 3,
                           .kind = RejectKind::kWarning,
                           .reason = "missing_distinct_id",
                           .event = "e",
                           .payload = payload,
                           .received_at_ms = kNowMs,
                           .api_key = "T"});
  REQUIRE(rows.size() == 1);
  const auto row = nlohmann::json::parse(rows.row(0));
  CHECK(row["kind"] == "warning");
  CHECK(row["reason"] == "missing_distinct_id");
  CHECK(row["team_id"] == 3);
  CHECK_FALSE(row.contains("distinct_id"));
  CHECK_FALSE(row.contains("detail"));
  const std::string kept = row["payload"];
  CHECK(kept.size() <= limits::kRejectPayloadBytesMax);
  CHECK(kept.size() > limits::kRejectPayloadBytesMax - 4);
  CHECK(json::is_utf8(kept));
}

TEST_CASE("A reject row holds only columns of schemas/rejects.json") {
  const auto schema = nlohmann::json::parse(test::read_data_file("../schemas/rejects.json"));
  RowBatch rows(Stream::kRejects);
  append_reject_row(rows, {.uuid = "u",
                           .reason = "r",
                           .detail = "d",
                           .distinct_id = "i",
                           .event = "e",
                           .event_uuid = "v",
                           .payload = "p",
                           .api_key = "k"});
  const auto row = nlohmann::json::parse(rows.row(0));
  CHECK(row.size() == schema["fields"].size());
  for (const auto& field : schema["fields"]) CHECK(row.contains(field["name"].get<std::string>()));
}

TEST_CASE("Texts of a reject row are cut at their bytes, between characters") {
  const auto kept = [](std::string_view member, const std::string& text) {
    RejectRow reject{.uuid = "u", .reason = "r"};
    (member == "detail" ? reject.detail : reject.payload) = text;
    RowBatch rows(Stream::kRejects);
    append_reject_row(rows, reject);
    return nlohmann::json::parse(rows.row(0))[std::string(member)].get<std::string>();
  };
  for (const auto& [member, most] :
       {std::pair<std::string_view, size_t>{"detail", limits::kRejectDetailBytesMax},
        std::pair<std::string_view, size_t>{"payload", limits::kRejectPayloadBytesMax}}) {
    INFO(member);
    const std::string full(most, 'x');
    CHECK(kept(member, full) == full);
    CHECK(kept(member, full + "y") == full);
    for (const std::string_view character : {"é", "€", "😀"}) {
      // One byte of it is inside the limit, then all of it.
      const std::string begun = full.substr(0, most - 1) + std::string(character);
      CHECK(kept(member, begun) == full.substr(0, most - 1));
      const std::string whole = full.substr(0, most - character.size()) + std::string(character);
      CHECK(kept(member, whole) == whole);
      CHECK(kept(member, whole + "y") == whole);
    }
  }
}
