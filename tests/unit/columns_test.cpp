// The typed columns of events: what is lifted, cut and left out.
#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "hogflare/digest.h"
#include "hogflare/limits.h"
#include "hogflare/rows.h"
#include "wire_support.h"

using namespace hogflare;
using test::Fixture;
using test::kNowMs;
using Json = nlohmann::json;

namespace {

Json row_of(std::string_view properties, Endpoint endpoint = Endpoint::kBatch) {
  Fixture f;
  auto decoded = f.decode(R"({"api_key":"phc_x","event":"e","distinct_id":"u","properties":)" +
                              std::string(properties) + "}",
                          endpoint);
  REQUIRE(decoded.ok());
  const CaptureBatch& batch = *decoded.value();
  RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_event(batch.events.at(0), {}, {}, rows);
  CHECK(check_row(rows.row(0)) == std::nullopt);
  return Json::parse(rows.row(0));
}

std::string fingerprint_of(std::string_view properties) {
  const Json row = row_of(properties);
  return row.contains("exception_fingerprint") ? row["exception_fingerprint"].get<std::string>()
                                               : "";
}

std::string hashed(std::string_view text) { return to_hex(sha512(text)); }

}  // namespace

TEST_CASE("SHA-512 is the published one") {
  CHECK(hashed("abc") ==
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST_CASE("A value that says nothing leaves its column out") {
  for (const char* value : {"null", "\"\"", "[]", "{}", "[\"a\"]", "{\"a\":1}"}) {
    INFO(value);
    CHECK_FALSE(row_of("{\"$browser\":" + std::string(value) + "}").contains("browser"));
  }
  CHECK(row_of(R"({"$browser":0})")["browser"] == "0");
  CHECK(row_of(R"({"$browser":false})")["browser"] == "false");
  CHECK(row_of(R"({"$browser":"a","$browser":null})")["browser"] == "a");
  CHECK(row_of(R"({"$is_identified":true})")["is_identified"] == true);
  CHECK_FALSE(row_of(R"({"$is_identified":"true"})").contains("is_identified"));
}

TEST_CASE("A column's text is cut at 1,024 bytes, on a character") {
  const auto url_of = [](const std::string& text) {
    return row_of("{\"$current_url\":\"" + text + "\"}")["current_url"].get<std::string>();
  };
  const std::string fits(limits::kColumnTextBytesMax, 'x');
  CHECK(url_of(fits) == fits);
  CHECK(url_of(fits + "y") == fits);
  const std::string almost(limits::kColumnTextBytesMax - 1, 'x');
  CHECK(url_of(almost + "é") == almost);
  CHECK(url_of(almost.substr(1) + "é") == almost.substr(1) + "é");
  CHECK(url_of(almost + "🦔") == almost);
  // What is escaped counts as what it stands for.
  CHECK(url_of(almost + "\\u0041") == almost + "A");
  CHECK(url_of(almost + "\\u0041\\u0041") == almost + "A");
}

TEST_CASE("Mobile, server and flag events fill what they have") {
  const Json screen = row_of(
      R"({"$screen_name":"Home","$os_name":"iOS","$os_version":"18.1","$lib":"posthog-ios"})");
  CHECK(screen["screen_name"] == "Home");
  CHECK(screen["os"] == "iOS");
  CHECK(screen["os_version"] == "18.1");
  CHECK(screen["lib"] == "posthog-ios");
  CHECK_FALSE(row_of(R"({"$os_name":"Linux","$is_server":true})").contains("os"));
  const Json called = row_of(R"({"$feature_flag":"checkout","$feature_flag_response":"test"})");
  CHECK(called["feature_flag"] == "checkout");
  CHECK(called["feature_flag_variant"] == "test");
  CHECK(row_of(R"({"$session_id":"01A20350-E9FF-7957-A875-012F6B515015"})")["session_id"] ==
        "01a20350-e9ff-7957-a875-012f6b515015");
}

TEST_CASE("properties_bytes is the length of the column's text") {
  Fixture f;
  auto decoded =
      f.decode(R"({"api_key":"phc_x","event":"e","distinct_id":"u","properties":{"a":"é"}})",
               Endpoint::kBatch);
  RowWriter writer(f.head, {decoded.value()->token, decoded.value()->project, {}}, f.config,
                   kNowMs);
  RowBatch rows(Stream::kEvents);
  writer.append_event(decoded.value()->events.at(0), {}, {}, rows);
  CHECK(rows.row(0).find(R"("properties":{"a":"é"},)") != std::string_view::npos);
  CHECK(rows.row(0).find(R"("properties_bytes":10,)") != std::string_view::npos);
}

TEST_CASE(
    "custom_properties has the event's own properties, without null and without what has a "
    "column") {
  const Json row =
      row_of(R"({"$a":1,"plan":"pro","gclid":null,"utm_source":"x","token":"t","distinct_id":"d",
      "cf_ray":"r","$$b":2,"":3,"nested":{"a":[1,{"b":null}]},"empty":""})");
  CHECK(row["custom_properties"] ==
        Json::parse(R"({"plan":"pro","":3,"nested":{"a":[1,{"b":null}]},"empty":""})"));
  CHECK_FALSE(row_of(R"({"$a":1,"gclid":null})").contains("custom_properties"));
  CHECK_FALSE(row_of("{}").contains("custom_properties"));
}

TEST_CASE("Of own properties that do not fit the smallest are taken, in their order") {
  for (const size_t count : {20, 127, 128, 129, 400}) {
    INFO(count);
    Json all = Json::object();
    std::string text = "{\"huge\":\"" + std::string(3000, 'x') + "\"";
    for (size_t i = 0; i < count; ++i) {
      const std::string name = "p" + std::to_string(i);
      const std::string value(i % 40, 'v');
      text += ",\"" + name + "\":\"" + value + "\"";
      all[name] = value;
    }
    const Json row = row_of(text + "}");
    const Json& custom = row["custom_properties"];
    const auto bytes_of = [](const std::string& name, const Json& value) {
      return name.size() + 3 + value.dump().size();
    };
    size_t bytes = 1;
    size_t largest = 0;
    for (const auto& [name, value] : custom.items()) {
      CHECK(all.at(name) == value);
      bytes += bytes_of(name, value) + 1;
      largest = std::max(largest, bytes_of(name, value));
    }
    CHECK(bytes <= limits::kCustomPropertiesBytesMax);
    size_t next = SIZE_MAX;
    for (const auto& [name, value] : all.items()) {
      if (custom.contains(name)) continue;
      CHECK(bytes_of(name, value) >= largest);
      next = std::min(next, bytes_of(name, value));
    }
    // No further one had fitted.
    if (next != SIZE_MAX) CHECK(bytes + next + 1 > limits::kCustomPropertiesBytesMax);
    CHECK_FALSE(custom.contains("huge"));
  }
}

TEST_CASE("custom_properties may have exactly its limit") {
  const auto custom_of = [](size_t bytes) {
    // {"a":"…","b":1}
    const std::string value(bytes - std::string_view(R"({"a":"","b":1})").size(), 'x');
    return row_of("{\"a\":\"" + value + "\",\"b\":1}")["custom_properties"].dump().size();
  };
  CHECK(custom_of(limits::kCustomPropertiesBytesMax) == limits::kCustomPropertiesBytesMax);
  CHECK(custom_of(limits::kCustomPropertiesBytesMax + 1) == std::string_view(R"({"b":1})").size());
}

TEST_CASE("An exception's columns are those of the first one in its list") {
  const Json row = row_of(R"({"$exception_list":[{"type":"TypeError","value":"x is null"},
      {"type":"Error","value":"cause"}]})");
  CHECK(row["exception_type"] == "TypeError");
  CHECK(row["exception_message"] == "x is null");
  CHECK(row["exception_fingerprint"] == hashed("TypeErrorx is nullErrorcause"));
  const Json old = row_of(R"({"$exception_type":"TypeError","$exception_message":"m"})");
  CHECK(old["exception_type"] == "TypeError");
  CHECK(old["exception_message"] == "m");
  CHECK_FALSE(old.contains("exception_fingerprint"));
  for (const char* list : {"[]", "null", "\"x\"", "[1,null]", "{}"}) {
    INFO(list);
    CHECK(fingerprint_of("{\"$exception_list\":" + std::string(list) + "}").empty());
  }
}

TEST_CASE("A client's fingerprint wins, a long one as its hash") {
  const auto given = [](const std::string& text) {
    return fingerprint_of(R"({"$exception_list":[{"type":"E"}],"$exception_fingerprint":")" + text +
                          "\"}");
  };
  CHECK(given("mine") == "mine");
  CHECK(given(std::string(64, 'f')) == std::string(64, 'f'));
  CHECK(given(std::string(65, 'f')) == hashed(std::string(65, 'f')));
  CHECK(given("") == hashed("E"));
}

TEST_CASE("A fingerprint is of the frames in the application, as PostHog groups") {
  const auto of_frames = [](const std::string& frames) {
    return fingerprint_of(
        R"({"$exception_list":[{"type":"E","value":"message","stacktrace":{"type":"raw","frames":[)" +
        frames + "]}}]}");
  };
  CHECK(of_frames("") == hashed("E"));
  const std::string python =
      R"({"platform":"python","filename":"shop/views.py","module":"shop.views","function":"pay","lineno":7,"in_app":true})";
  const std::string library =
      R"({"platform":"python","filename":"redis/client.py","abs_path":"/usr/lib/python3.11/site-packages/redis/client.py","function":"get","in_app":true})";
  CHECK(of_frames(library + "," + python) == hashed("Eshop/views.pyshop.viewspay"));
  // None is in the application: the first.
  CHECK(of_frames(library) == hashed("Eredis/client.pyget"));

  const auto browser = [](const std::string& file, const std::string& name, int line, int column) {
    return R"({"platform":"web:javascript","filename":")" + file + R"(","function":")" + name +
           R"(","lineno":)" + std::to_string(line) + R"(,"colno":)" + std::to_string(column) +
           R"(,"in_app":true})";
  };
  const std::string minified = browser("https://a.example/static/app.js:1:34567", "n.x", 1, 34567);
  const std::string readable = browser("https://a.example/static/lib.js?v=2", "run", 10, 300);
  CHECK(of_frames(minified) == hashed("E/static/app.jsn.x134567javascript"));
  CHECK(of_frames(readable) == hashed("E/static/lib.jsrun"));
  // Those that are resolved count alone.
  CHECK(of_frames(minified + "," + readable) == hashed("E/static/lib.jsrun"));
  CHECK(of_frames(R"({"platform":"web:javascript","filename":"<anonymous>","function":"f"})") ==
        hashed("Ef"));

  // An address that is none of the web's says nothing of the script.
  for (const char* other : {"chrome-extension://abc/lib.js", "file:///lib.js", "httpd/lib.js"}) {
    CHECK(of_frames(browser(other, "run", 10, 300)) == hashed("Erun"));
  }

  // However a browser's frames are called; another platform's are no scripts.
  const auto of_platform = [&](const std::string& name) {
    std::string frame = minified;
    return of_frames(frame.replace(frame.find("web:javascript"), 14, name));
  };
  CHECK(of_platform("javascript") == of_frames(minified));
  CHECK(of_platform("hermes") == of_frames(minified));
  CHECK(of_platform("ruby") == hashed("Ehttps://a.example/static/app.js:1:34567n.x"));

  const std::string node =
      R"({"platform":"node:javascript","filename":"/app/src/pay.js","module":"pay","function":"pay","lineno":3,"colno":9,"in_app":true})";
  const std::string express =
      R"({"platform":"node:javascript","filename":"/app/node_modules/express/router.js","function":"handle","in_app":true})";
  CHECK(of_frames(express + "," + node) == hashed("E/app/src/pay.jspaypay"));
  CHECK(of_frames("1,null," + node) == hashed("E/app/src/pay.jspaypay"));
}

TEST_CASE("A list of exceptions of any length takes no more than its beginning") {
  const auto list = [](size_t frames) {
    std::string text = R"({"$exception_list":[{"type":"E","stacktrace":{"frames":[)";
    for (size_t i = 0; i < frames; ++i) {
      text += (i > 0 ? R"(,{"function":")" : R"({"function":")") + std::to_string(i) + "\"}";
    }
    return text + "]}}]}";
  };
  const std::string all = fingerprint_of(list(limits::kExceptionFramesMax));
  CHECK(fingerprint_of(list(limits::kExceptionFramesMax - 1)) != all);
  CHECK(fingerprint_of(list(limits::kExceptionFramesMax + 1)) == all);

  const auto exceptions = [](size_t count) {
    std::string text = R"({"$exception_list":[{"type":"0"})";
    for (size_t i = 1; i < count; ++i) text += R"(,{"type":")" + std::to_string(i) + "\"}";
    return text + "]}";
  };
  const std::string whole = fingerprint_of(exceptions(limits::kExceptionsMax));
  CHECK(fingerprint_of(exceptions(limits::kExceptionsMax - 1)) != whole);
  CHECK(fingerprint_of(exceptions(limits::kExceptionsMax + 1)) == whole);

  const auto of_bytes = [](size_t bytes) {
    const std::string head = R"([{"type":"E","value":")";
    const std::string text = head + std::string(bytes - head.size() - 3, 'x') + "\"}]";
    Json row = row_of(R"({"$exception_list":)" + text + "}");
    return row["exception_type"];
  };
  CHECK(of_bytes(limits::kExceptionListBytesMax) == "E");
  CHECK(of_bytes(limits::kExceptionListBytesMax + 1).is_null());
}

TEST_CASE("A recording's rows have session, window and library") {
  Fixture f;
  RowWriter writer(f.head, {"phc_x", nullptr, {}}, f.config, kNowMs);
  const std::string big = "\"" + std::string(1'500'000, 'x') + "\"";
  for (const std::string& item : {std::string("{}"), big}) {
    Recording recording;
    recording.uuid = "0190a000-0000-7000-8000-000000000001";
    recording.distinct_id = "u";
    recording.timestamp_ms = kNowMs;
    recording.session_id = "\"01A20350-E9FF-7957-A875-012F6B515015\"";
    recording.window_id = "\"w\"";
    recording.snapshot_source = "\"web\"";
    recording.library = "web";
    recording.items = {item};
    RowBatch rows(Stream::kEvents);
    CHECK(writer.append_recording(recording, rows) == 0);
    const uint32_t count = rows.size();
    CHECK(count == (item == big ? 2 : 1));
    for (uint32_t i = 0; i < count; ++i) {
      CHECK(check_row(rows.row(i)) == std::nullopt);
      const Json row = Json::parse(rows.row(i));
      CHECK(row["session_id"] == "01a20350-e9ff-7957-a875-012f6b515015");
      CHECK(row["window_id"] == "w");
      CHECK(row["lib"] == "web");
      CHECK(row["properties_bytes"] == row["properties"].dump().size());
    }
  }
}

TEST_CASE("A cut row has its columns and the bytes of what is left") {
  Fixture f;
  auto decoded = f.decode(
      R"({"api_key":"phc_x","event":"e","distinct_id":"u","properties":{"plan":"pro","$host":"h","big":")" +
          std::string(1'500'000, 'x') + "\"}}",
      Endpoint::kBatch);
  RowWriter writer(f.head, {decoded.value()->token, decoded.value()->project, {}}, f.config,
                   kNowMs);
  RowBatch rows(Stream::kEvents);
  CHECK_FALSE(writer.append_event(decoded.value()->events.at(0), {}, {}, rows));
  CHECK(check_row(rows.row(0)) == std::nullopt);
  const Json row = Json::parse(rows.row(0));
  CHECK(row["host"] == "h");
  CHECK(row["properties_bytes"] == row["properties"].dump().size());
  CHECK(row["custom_properties"] == Json::parse(R"({"plan":"pro"})"));
}
