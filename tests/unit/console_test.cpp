// What the console's core writes: the live feed, documents' versions, why a flag answers so, and
// its own pages.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "console/flag_reasons.h"
#include "console/limits.h"
#include "console/live_feed.h"
#include "console/pages.h"
#include "console/versions.h"
#include "hogflare/json.h"

// Catch would take a JSON value for a range of JSON values, without an end.
template <>
struct Catch::StringMaker<nlohmann::ordered_json> {
  static std::string convert(const nlohmann::ordered_json& value) { return value.dump(); }
};

namespace hogflare {
namespace {

using Json = nlohmann::ordered_json;
using console::LiveFeed;

constexpr int64_t kNowMs = 1'795'723'200'000;  // 2026-11-26T20:00:00Z

json::Document parsed(std::string_view text) {
  auto document = json::Document::parse_const(text, 4);
  REQUIRE(document.ok());
  return std::move(document).value();
}

Event event_of(std::string name, const json::Document& properties) {
  Event event;
  event.name = std::move(name);
  event.distinct_id = "ada \"the\" first";
  event.uuid = "0197e6db-9a73-7b91-9e80-4e1b7158db5c";
  event.timestamp_ms = kNowMs;
  event.properties = properties.root();
  return event;
}

Json frame_of(LiveFeed& feed, size_t more = 0) {
  const CallObject call = feed.take(7, more);
  CHECK(call.object_class == ObjectClass::kLive);
  CHECK(call.name == "7");
  Json frame = Json::parse(call.request, nullptr, false);
  REQUIRE(frame.is_object());
  return frame;
}

TEST_CASE("live feed: of a text that is longer than a page shows nothing is kept") {
  const std::string text = R"({"$lib":"web","$current_url":")" + std::string(8u << 20, 'x') + "\"}";
  const json::Document document = parsed(text);
  LiveFeed feed("t");
  for (size_t i = 0; i < 3; ++i) feed.add(event_of("e", document), i);
  const CallObject call = feed.take(7, 0);
  CHECK(call.request.size() < 4'096);
  CHECK(call.request.find("web") != std::string::npos);
}

TEST_CASE("live feed: an event has its own fields, what became of its row, and its warnings") {
  const json::Document document = parsed(
      R"({"$current_url":"https://a.example/\"x\"","$lib":"web","$lib_version":1.5,"n":[1,2]})");
  const Event event = event_of("$pageview", document);
  LiveFeed feed("phc_secret_cafe");
  CHECK(feed.empty());
  feed.add(event, 3);
  feed.warn(3, "clock", "three hours behind", event);
  feed.settle(3, "landed");
  feed.settle(4, "rejected");  // no event of this feed
  CHECK_FALSE(feed.empty());
  const Json frame = frame_of(feed, 5);
  CHECK(frame["seen"] == 6);
  REQUIRE(frame["events"].size() == 1);
  const Json& shown = frame["events"][0];
  CHECK(shown["at"] == "2026-11-26T20:00:00.000Z");
  CHECK(shown["distinct_id"] == "ada \"the\" first");
  CHECK(shown["url"] == "https://a.example/\"x\"");
  CHECK(shown["lib"] == "web");
  CHECK_FALSE(shown.contains("lib_version"));  // a number is none that an SDK sends
  CHECK(shown["properties"]["n"] == Json::array({1, 2}));
  CHECK(shown["state"] == "landed");
  REQUIRE(shown["warnings"].size() == 1);
  CHECK(shown["warnings"][0]["name"] == "clock");
  REQUIRE(frame["warnings"].size() == 1);
  CHECK(frame["warnings"][0]["event_uuid"] == event.uuid);
  CHECK(frame["warnings"][0]["token_last4"] == "cafe");
  CHECK(frame.dump().find("phc_secret") == std::string::npos);
}

TEST_CASE("live feed: keys of one window do not settle the events of the window before") {
  const json::Document document = parsed("{}");
  LiveFeed feed("t");
  feed.add(event_of("first", document), 0);
  feed.settle(0, "landed");
  feed.end_window();
  feed.add(event_of("second", document), 0);
  feed.settle(0, "rejected");
  const Json frame = frame_of(feed);
  CHECK(frame["events"][0]["state"] == "landed");
  CHECK(frame["events"][1]["state"] == "rejected");
}

TEST_CASE(
    "live feed: fifty events, twenty notes and sixteen kilobytes of properties, the rest is "
    "counted") {
  const json::Document small = parsed("{}");
  const std::string text =
      "{\"x\":\"" + std::string(limits::kLivePropertiesBytesMax - 8, 'x') + "\"}";
  const json::Document whole = parsed(text);
  const std::string over =
      "{\"x\":\"" + std::string(limits::kLivePropertiesBytesMax - 7, 'x') + "\"}";
  const json::Document large = parsed(over);
  LiveFeed feed("t");
  feed.add(event_of("whole", whole), 0);
  feed.add(event_of("large", large), 1);
  for (size_t i = 2; i < limits::kLiveEventsMax + 10; ++i) feed.add(event_of("small", small), i);
  for (size_t i = 0; i < limits::kLiveNotesMax + 10; ++i)
    feed.reject("empty_body", "", "", "", kNowMs);
  const Json frame = frame_of(feed);
  CHECK(frame["seen"] == limits::kLiveEventsMax + 10);
  REQUIRE(frame["events"].size() == limits::kLiveEventsMax);
  CHECK(frame["events"][0]["properties"]["x"].get<std::string>().size() == text.size() - 8);
  CHECK(frame["events"][1]["properties"] == Json{{"$left_out_bytes", over.size()}});
  CHECK(frame["events"][2]["state"] == "waiting");
  CHECK(frame["rejects"].size() == limits::kLiveNotesMax);
  CHECK_FALSE(frame["rejects"][0].contains("distinct_id"));
}

TEST_CASE(
    "live watch: a project is asked for once in ten seconds, also after the clock went back") {
  Config config;
  CHECK_FALSE(console::LiveWatch(config).is_bound());
  config.bindings.push_back("LIVE");
  console::LiveWatch watch(config);
  CHECK(watch.is_bound());
  CHECK(watch.is_due(1, kNowMs));
  CHECK_FALSE(watch.is_due(1, kNowMs + limits::kLiveAskMs - 1));
  CHECK(watch.is_due(2, kNowMs + 1));
  CHECK(watch.is_due(1, kNowMs + limits::kLiveAskMs));
  CHECK(watch.is_due(1, kNowMs - 1));
}

TEST_CASE(
    "live watch: fifty requests a second are shown, the events of the others are counted once") {
  console::LiveWatch watch{Config{}};
  for (uint32_t i = 0; i < limits::kLiveFeedsPerSecond; ++i) REQUIRE(watch.may_show(1, 9, kNowMs));
  CHECK_FALSE(watch.may_show(1, 3, kNowMs + 999));
  CHECK_FALSE(watch.may_show(1, 4, kNowMs + 999));
  CHECK_FALSE(watch.may_show(2, 50, kNowMs + 999));
  CHECK(watch.may_show(1, 9, kNowMs + 1'000));
  // Each project's page is told of its own.
  CHECK(watch.take_unshown(1) == 7);
  CHECK(watch.take_unshown(1) == 0);
  CHECK(watch.take_unshown(2) == 50);
}

TEST_CASE("versions: an ETag is the bytes' own, and If-Match names it, a list with it, or any") {
  const std::string etag = console::etag_of("{}");
  CHECK(etag.front() == '"');
  CHECK(etag.back() == '"');
  CHECK(etag == console::etag_of("{}"));
  CHECK(etag != console::etag_of("{} "));
  for (const std::string& named :
       {etag, "*" + std::string(), "\"other\", " + etag, "  " + etag + "  "})
    CHECK(console::matches(named, etag));
  // Weak tags do not count, nor parts of one.
  for (const std::string& other :
       {std::string(), std::string("\"other\""), "W/" + etag, etag.substr(0, etag.size() - 1),
        etag + etag, std::string(", ,")})
    CHECK_FALSE(console::matches(other, etag));
}

TEST_CASE("versions: those that a list gave, newest first, with what was kept beside them") {
  CHECK(console::version_key("flags", kNowMs) == "flags@2026-11-26T20:00:00.000Z");
  const std::string list = R"([
    {"name": "flags@2026-11-02T00:00:00.000Z", "metadata": {"who": "ada", "bytes": 3}},
    {"name": "flags@2026-11-03T00:00:00.000Z"},
    {"name": "flags"}, {"name": 5}, "no object",
    {"name": "flags@2026-11-01T00:00:00.000Z", "metadata": "no object"}])";
  const Json versions = console::versions_of(list, "flags");
  REQUIRE(versions.size() == 3);
  CHECK(versions[0] == Json{{"at", "2026-11-03T00:00:00.000Z"}});
  CHECK(versions[1] == Json{{"at", "2026-11-02T00:00:00.000Z"}, {"who", "ada"}, {"bytes", 3}});
  CHECK(versions[2]["at"] == "2026-11-01T00:00:00.000Z");
  CHECK(console::versions_of("{}", "flags").empty());
  CHECK(console::versions_of("no json", "flags").empty());
}

TEST_CASE("versions: above the number that is kept the oldest go") {
  const std::string list = R"([{"name": "k@3"}, {"name": "k@1"}, {"name": "k@2"}])";
  CHECK(console::outdated_versions(list, 2) == std::vector<std::string>{"k@1"});
  CHECK(console::outdated_versions(list, 3).empty());
  CHECK(console::outdated_versions(list, 0).size() == 3);
  CHECK(console::outdated_versions("[]", 0).empty());
}

TEST_CASE("versions: what is put is the metadata and then the value") {
  const ChangeKv put = console::put_kv("k", Json{{"who", "ada"}}, "{\"flags\":[]}");
  CHECK(put.key == "k");
  CHECK(put.value.substr(0, put.metadata_size) == "{\"who\":\"ada\"}");
  CHECK(put.value.substr(put.metadata_size) == "{\"flags\":[]}");
}

const char* const kFlags = R"({"flags": [
  {"key": "other", "active": true, "filters": {"groups": []}},
  {"key": "beta", "active": false, "filters": {"aggregation_group_type_index": 1, "groups": [
    {"properties": [{"key": "plan", "value": ["pro"], "operator": "exact", "type": "person"},
                    {"key": "seats", "value": 5, "operator": "gt", "type": "group"}],
     "rollout_percentage": 10, "variant": "test"},
    {"properties": [], "rollout_percentage": null}, "no object"]}}]})";

TEST_CASE("flag reasons: each condition and each filter in it is asked for as a flag of its own") {
  const Json document = Json::parse(kFlags);
  const Json probed = Json::parse(console::with_probes(document, "beta"));
  Json probes = Json::array();
  for (const Json& flag : probed["flags"]) {
    if (console::is_probe(flag["key"].get<std::string>())) probes.push_back(flag);
  }
  CHECK(probed["flags"].size() == 2 + 4);
  REQUIRE(probes.size() == 4);  // a condition with its two filters, and one without
  for (const Json& probe : probes) {
    CHECK(probe["active"] == true);
    CHECK(probe["filters"]["aggregation_group_type_index"] == 1);
    REQUIRE(probe["filters"]["groups"].size() == 1);
    // Whether it is met is asked, not who is chosen among those who meet it.
    CHECK(probe["filters"]["groups"][0]["rollout_percentage"] == 100);
    CHECK_FALSE(probe["filters"]["groups"][0].contains("variant"));
  }
  CHECK(probes[0]["filters"]["groups"][0]["properties"].size() == 2);
  CHECK(probes[2]["filters"]["groups"][0]["properties"][0]["key"] == "seats");
  CHECK_FALSE(console::is_probe("beta"));
}

TEST_CASE("flag reasons: a flag in another format, or none, adds nothing") {
  const Json document = Json::parse(R"({"flags": [{"key": "a", "rollout_percentage": 5},
    {"key": "r", "filters": {"rules": []}}, {"key": "g", "filters": {"groups": 5}}, 7]})");
  for (const char* key : {"a", "r", "g", "nobody's"}) {
    CHECK(Json::parse(console::with_probes(document, key)) == document);
    CHECK(console::conditions_of(document, key, {}).is_null());
  }
  CHECK(Json::parse(console::with_probes(Json::parse("[]"), "a")).empty());
  CHECK(console::flags_of(Json::parse("{\"flags\": 5}")) == nullptr);
}

TEST_CASE("flag reasons: conditions say what was wanted, found and met") {
  const Json document = Json::parse(kFlags);
  const Json conditions = console::conditions_of(
      document, "beta",
      {.is_on = [](std::string_view key) { return key.substr(key.size() - 4) == "/0/1"; },
       .actual = [](const Json& filter) { return filter["key"] == "seats" ? Json(9) : Json(); }});
  REQUIRE(conditions.size() == 2);
  CHECK(conditions[0]["matches"] == false);
  CHECK(conditions[0]["rollout_percentage"] == 10);
  CHECK(conditions[0]["variant"] == "test");
  const Json& filters = conditions[0]["filters"];
  REQUIRE(filters.size() == 2);
  CHECK(filters[0]["wanted"] == Json::array({"pro"}));
  CHECK(filters[0]["actual"].is_null());
  CHECK(filters[0]["matches"] == false);
  CHECK(filters[1] == Json{{"key", "seats"},
                           {"type", "group"},
                           {"operator", "gt"},
                           {"wanted", 5},
                           {"actual", 9},
                           {"matches", true}});
  CHECK(conditions[1]["rollout_percentage"] == 100);  // null is everybody
  CHECK(conditions[1]["filters"].empty());
}

TEST_CASE("flag reasons: a line for the list says the kind and the widest roll-out") {
  const auto summary = [](const char* text) { return console::summary_of(Json::parse(text)); };
  CHECK(summary(R"({"key": "a", "name": "A", "active": false, "rollout_percentage": 7})") ==
        Json{{"key", "a"}, {"name", "A"}, {"active", false}, {"kind", "simple"}, {"rollout", 7}});
  CHECK(summary(R"({"key": "a", "filters": {"groups": [{"rollout_percentage": 5},
    {"rollout_percentage": 60}]}})")["rollout"] == 60);
  CHECK(summary(
            R"({"key": "a", "filters": {"groups": [{"rollout_percentage": 5}, {}]}})")["rollout"] ==
        100);
  CHECK(summary(R"({"key": "a", "filters": {"groups": [], "multivariate": {}}})")["kind"] ==
        "multivariate");
  CHECK(summary(R"({"key": "a", "filters": {"rules": []}})")["kind"] == "rules");
  CHECK(summary(R"({"key": "a", "filters": {"groups": []}})")["kind"] == "boolean");
  CHECK(summary(R"({"key": 5})")["key"] == "");
}

std::string header_of(const Reply& reply, std::string_view name) {
  for (const Header& header : reply.headers) {
    if (header.name == name) return header.value;
  }
  return "";
}

TEST_CASE("pages: no script, the one style by its digest, and nobody frames them") {
  for (const Reply& reply :
       {console::no_token_page(), console::message_page(503, "Not now", "Later."),
        console::front_page({"https://a.example", true, "ok", "1.0"})}) {
    const std::string policy = header_of(reply, "Content-Security-Policy");
    CHECK(policy.find("default-src 'none'") == 0);
    CHECK(policy.find("script-src") == std::string::npos);
    CHECK(policy.find("unsafe") == std::string::npos);
    CHECK(policy.find("frame-ancestors 'none'") != std::string::npos);
    // SHA-256 in base64: 43 characters and the filling.
    const size_t at = policy.find("'sha256-");
    REQUIRE(at != std::string::npos);
    CHECK(policy.find("='", at) == at + 8 + 43);
    CHECK(header_of(reply, "X-Content-Type-Options") == "nosniff");
    CHECK(header_of(reply, "Referrer-Policy") == "no-referrer");
  }
  CHECK(std::string(console::kApplicationPolicy).find("unsafe") == std::string::npos);
  CHECK(std::string(console::kReplayPolicy).find("connect-src") == std::string::npos);
}

TEST_CASE("pages: without a token how to set one is all that is said") {
  const Reply reply = console::no_token_page();
  CHECK(reply.body.find("wrangler secret put HOGFLARE_ADMIN_TOKEN") != std::string::npos);
  CHECK(reply.body.find("wrangler secret put HOGFLARE_VIEWER_TOKEN") != std::string::npos);
  for (const char* none : {"<a ", "<form", "<script", "<input"})
    CHECK(reply.body.find(none) == std::string::npos);
}

TEST_CASE("pages: the front page says whether it works, and its host's name is text") {
  const auto said = [](std::string_view status, bool any = true) {
    return console::front_page({"https://a.example/p\"><b>", any, status, "1.0"}).body;
  };
  CHECK(said("ok").find("It works.") != std::string::npos);
  CHECK(said("degraded").find("something needs a look") != std::string::npos);
  CHECK(said("error").find("It takes no events") != std::string::npos);
  CHECK(said("ok").find("phc_hogflare") != std::string::npos);
  CHECK(said("ok", false).find("phc_hogflare") == std::string::npos);
  CHECK(said("ok").find("p\"><b>") == std::string::npos);
  CHECK(said("ok").find("https://a.example/p&quot;&gt;&lt;b&gt;/static/array.js") !=
        std::string::npos);
  CHECK(console::escape_html("a&b<c>\"d\"'") == "a&amp;b&lt;c&gt;&quot;d&quot;'");
  CHECK(console::message_page(404, "No <page>", "a & b").body.find("No &lt;page&gt;") !=
        std::string::npos);
}

}  // namespace
}  // namespace hogflare
