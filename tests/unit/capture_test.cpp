// The conformance cases of capture v0 that need no network (numbers in parentheses: the case of the
// wire protocol's list).
#include "hogflare/capture.h"

#include <catch2/catch.hpp>
#include <set>

#include "hogflare/limits.h"
#include "hogflare/project_token.h"
#include "hogflare/uuid.h"
#include "capture/fields.h"
#include "wire_support.h"

using namespace hogflare;
using test::at;
using test::code_of;
using test::Fixture;
using test::kNowMs;

namespace {

// A single event of token T with `members` added.
std::string event(std::string_view members) {
  return R"({"token":"T","event":"e","distinct_id":"u")" +
         (members.empty() ? std::string() : "," + std::string(members)) + "}";
}

ErrorCode reject_code(Fixture& f, std::string body, Endpoint endpoint = Endpoint::kLegacy) {
  const auto batch = f.decode(std::move(body), endpoint);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.empty());
  REQUIRE(batch.value()->rejects.size() == 1);
  REQUIRE(batch.value()->refusal().has_value());
  return batch.value()->rejects[0].error.code;
}

std::string distinct_id(std::string body) {
  Fixture f;
  const auto batch = f.decode(std::move(body));
  REQUIRE(batch.ok());
  return batch.value()->events.empty() ? "(none)" : batch.value()->events[0].distinct_id;
}

int64_t time_of(Fixture& f, std::string body) {
  const auto batch = f.decode(std::move(body), Endpoint::kBatch);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 1);
  return batch.value()->events[0].timestamp_ms;
}

}  // namespace

TEST_CASE("A single event gets its token, name, distinct_id and a version 7 uuid (1)") {
  Fixture f;
  auto batch = f.decode(R"({"token":"T","event":"testing","distinct_id":"u"})");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 1);
  const Event& one = batch.value()->events[0];
  CHECK(one.token == "T");
  CHECK(one.name == "testing");
  CHECK(one.distinct_id == "u");
  CHECK(one.timestamp_ms == kNowMs);
  CHECK(one.uuid.substr(14, 1) == "7");
  CHECK_FALSE(one.historical);
}

TEST_CASE("An array of events keeps their order (2)") {
  Fixture f;
  auto batch = f.decode(
      R"([{"token":"T","event":"a","distinct_id":"u"},{"token":"T","event":"b","distinct_id":"u"}])");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 2);
  CHECK(batch.value()->events[0].name == "a");
  CHECK(batch.value()->events[1].name == "b");
}

TEST_CASE("A batch takes its token from the wrapper, under either name (3, 4, 5)") {
  for (const std::string_view name : {"api_key", "token"}) {
    for (const Endpoint endpoint : {Endpoint::kBatch, Endpoint::kLegacy, Endpoint::kEngage}) {
      Fixture f;
      auto batch = f.decode("{\"" + std::string(name) +
                                R"(":" T ","historical_migration":true,"batch":[
             {"event":"a","distinct_id":"u","token":"other"},{"event":"b","distinct_id":"u"}]})",
                            endpoint);
      REQUIRE(batch.ok());
      CHECK(batch.value()->token == "T");
      REQUIRE(batch.value()->events.size() == 2);
      CHECK(batch.value()->events[0].token == "T");
      CHECK(batch.value()->events[1].historical);
    }
  }
}

TEST_CASE("A batch of one bad and two good events keeps the good ones and names the bad one") {
  Fixture f;
  auto batch = f.decode(R"({"api_key":"T","sent_at":"2026-01-01T12:00:05Z","batch":[
      {"event":"a","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z"},
      {"event":"b"},
      {"event":"c","distinct_id":"u","offset":5000,"timestamp":"2026-01-01T00:00:00Z"}]})",
                        Endpoint::kBatch);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 2);
  CHECK(batch.value()->events[0].timestamp_ms == at("2026-01-01T11:59:50Z"));
  CHECK(batch.value()->events[1].timestamp_ms == at("2026-01-01T11:59:55Z"));
  REQUIRE(batch.value()->rejects.size() == 1);
  CHECK(batch.value()->rejects[0].event_index == 1);
  CHECK(batch.value()->rejects[0].error.code == ErrorCode::kMissingDistinctId);
  CHECK(batch.value()->rejects[0].raw == R"({"event":"b"})");
  CHECK(batch.value()->rejects[0].event == "b");
  CHECK_FALSE(batch.value()->refusal());
}

TEST_CASE("posthog-js names token and distinct_id in the properties only (18)") {
  Fixture f;
  auto batch = f.decode(R"({"api_key":"T","sent_at":"2026-01-01T12:00:00Z","batch":[{"event":"e",
      "uuid":"0190a000-0000-7000-8000-000000000001","offset":10,
      "properties":{"token":"T","distinct_id":"from-properties"}}]})");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 1);
  CHECK(batch.value()->events[0].distinct_id == "from-properties");
  CHECK(batch.value()->events[0].timestamp_ms == kNowMs - 10);

  auto single = f.decode(R"({"event":"e","properties":{"token":"T2","distinct_id":"u"}})");
  REQUIRE(single.ok());
  CHECK(single.value()->token == "T2");
}

TEST_CASE("The root's distinct_id wins over the properties' one (19)") {
  CHECK(distinct_id(event(R"("properties":{"distinct_id":"p"})")) == "u");
  CHECK(distinct_id(
            R"({"token":"T","event":"e","distinct_id":null,"properties":{"distinct_id":"p"}})") ==
        "p");
  CHECK(distinct_id(
            R"({"token":"T","event":"e","$distinct_id":"d","properties":{"distinct_id":"p"}})") ==
        "d");
}

TEST_CASE("A distinct_id that is no string becomes its JSON text, a long one is cut (20)") {
  const auto of = [](std::string_view raw) {
    return distinct_id(R"({"token":"T","event":"e","distinct_id":)" + std::string(raw) + "}");
  };
  CHECK(of("42") == "42");
  CHECK(of("1.50") == "1.50");
  CHECK(of("true") == "true");
  CHECK(of(R"({ "a" : [1, "x y"] })") == R"({"a":[1,"x y"]})");
  // One too long to be looked into keeps its beginning.
  const std::string begin = R"({"b c":"d \" e","a":")";
  CHECK(of(R"({ "b c" :)"
           "\n\t"
           R"("d \" e" ,)"
           "\r\n"
           R"("a" : ")" +
           std::string(100'000, 'x') + "\" }") == begin + std::string(200 - begin.size(), 'x'));
  CHECK(of("\"" + std::string(222, 'x') + "\"") == std::string(200, 'x'));
  std::string accents;
  for (int i = 0; i < 222; ++i) accents += "é";
  CHECK(of("\"" + accents + "\"") == accents.substr(0, 400));
  CHECK(of(R"("a\u0000b")") ==
        "a\xEF\xBF\xBD"
        "b");
  CHECK(of(R"("  padded ")") == "  padded ");
}

TEST_CASE("An event without a usable distinct_id is refused (21)") {
  for (const std::string_view raw : {"null", R"("")", R"("  \t")", "\"\u3000\""}) {
    Fixture f;
    INFO(raw);
    CHECK(reject_code(f, R"({"token":"T","event":"e","distinct_id":)" + std::string(raw) + "}") ==
          ErrorCode::kMissingDistinctId);
  }
  Fixture f;
  CHECK(reject_code(f, R"({"token":"T","event":"e"})") == ErrorCode::kMissingDistinctId);
}

TEST_CASE("A uuid is kept, an empty one replaced, another text refused (22)") {
  const auto uuid = [](std::string_view raw) {
    Fixture f;
    const auto batch = f.decode(event("\"uuid\":" + std::string(raw)));
    REQUIRE(batch.ok());
    if (batch.value()->events.empty()) {
      return std::string(batch.value()->rejects[0].error.tag());
    }
    return batch.value()->events[0].uuid;
  };
  CHECK(uuid(R"("0190a000-0000-7000-8000-00000000000f")") ==
        "0190a000-0000-7000-8000-00000000000f");
  CHECK(uuid(R"("0190A000-0000-7000-8000-00000000000F")") ==
        "0190a000-0000-7000-8000-00000000000f");
  CHECK(uuid(R"("0190a0000000700080000000 0000000f")") == "invalid_uuid");
  CHECK(uuid(R"("0190a00000007000800000000000000f")") == "0190a000-0000-7000-8000-00000000000f");
  CHECK(uuid(R"("")").substr(14, 1) == "7");
  CHECK(uuid("null").substr(14, 1) == "7");
  CHECK(uuid(R"("x")") == "invalid_uuid");
  CHECK(uuid("7") == "invalid_uuid");
}

TEST_CASE("Top-level $set and $set_once are seen (25)") {
  Fixture f;
  auto batch = f.decode(event(R"("$set":{"a":1},"$set_once":{"b":2})"));
  REQUIRE(batch.ok());
  CHECK(test::text(batch.value()->events[0].set) == R"({"a":1})");
  CHECK(test::text(batch.value()->events[0].set_once) == R"({"b":2})");
}

TEST_CASE("Two tokens in one array are an error (26)") {
  Fixture f;
  CHECK(code_of(f.decode(R"([{"token":"A","event":"e","distinct_id":"u"},
                             {"token":"B","event":"e","distinct_id":"u"}])")) ==
        ErrorCode::kMultipleTokens);
  CHECK(f.decode(R"([{"token":"A","event":"e","distinct_id":"u"},
                     {"api_key":" A ","event":"e","distinct_id":"u"},
                     {"event":"e","distinct_id":"u"}])")
            .ok());
}

TEST_CASE("A token that cannot be one is refused with PostHog's reason (27)") {
  const auto reason = [](std::string_view raw) {
    Fixture f;
    const auto batch =
        f.decode(R"({"event":"e","distinct_id":"u","token":)" + std::string(raw) + "}");
    return batch.ok() ? "accepted as " + batch.value()->token : batch.error().detail;
  };
  CHECK(reason(R"("")") == "empty");
  CHECK(reason("\"" + std::string(65, 'a') + "\"") == "too_long");
  CHECK(reason("\"" + std::string(64, 'a') + "\"") == "accepted as " + std::string(64, 'a'));
  CHECK(reason(R"("phx_abc")") == "personal_api_key");
  CHECK(reason(R"("a\u0000b")") == "null_byte");
  CHECK(reason("\"🦔\"") == "not_ascii");
  CHECK(reason(R"("  phc_x ")") == "accepted as phc_x");
  Fixture f;
  CHECK(code_of(f.decode(R"({"event":"e","distinct_id":"u"})")) == ErrorCode::kMissingToken);
  CHECK(code_of(f.decode(R"({"event":"e","distinct_id":"u","token":null})")) ==
        ErrorCode::kMissingToken);
}

TEST_CASE("With projects configured only their tokens and origins are accepted (28)") {
  Fixture f;
  f.config.projects["phc_a"] = Project{.team_id = 7, .origins = {"https://a.example"}};
  f.config.projects["phc_b"] = Project{.team_id = 8};
  const std::string body_a = R"({"event":"e","distinct_id":"u","token":"phc_a"})";
  auto from_server = f.decode(body_a);
  REQUIRE(from_server.ok());
  CHECK(from_server.value()->events[0].team_id == 7);
  f.head.origin = "https://a.example";
  CHECK(f.decode(body_a).ok());
  f.head.origin = "https://evil.example";
  CHECK(code_of(f.decode(body_a)) == ErrorCode::kOriginNotAllowed);
  CHECK(f.decode(R"({"event":"e","distinct_id":"u","token":"phc_b"})").ok());
  CHECK(code_of(f.decode(R"({"event":"e","distinct_id":"u","token":"phc_c"})")) ==
        ErrorCode::kUnknownToken);
}

TEST_CASE("Where requests must be signed, those of some tokens need no signature") {
  Fixture f;
  f.config.signing_secret = "secret";
  f.config.unsigned_tokens = {"phc_open"};
  const auto body = [](const std::string& token) {
    return R"({"event":"e","distinct_id":"u","token":")" + token + "\"}";
  };
  CHECK(f.decode(body("phc_open")).ok());
  CHECK(code_of(f.decode(body("phc_x"))) == ErrorCode::kInvalidSignature);
  const auto batch = [](const std::string& member) {
    return R"({"api_key":"phc_open","batch":[{"event":"e","distinct_id":"u")" + member + "}]}";
  };
  CHECK(f.decode(batch("")).ok());
  CHECK(f.decode(batch(R"(,"token":"phc_open")")).ok());
  // Who does not sign speaks for nobody else.
  CHECK(code_of(f.decode(batch(R"(,"token":"phc_x")"))) == ErrorCode::kInvalidSignature);
  // Whoever checked the signature did so before.
  f.head.x_posthog_signature = "sha256=00";
  CHECK(f.decode(body("phc_x")).ok());
  // A payload in the query has none.
  f.head.query = "data=x";
  CHECK(capture::authorize("phc_open", f.head, f.config).ok());
  CHECK(code_of(capture::authorize("phc_x", f.head, f.config)) == ErrorCode::kInvalidSignature);
}

TEST_CASE("Token and origin checks stand alone for other routes") {
  CHECK_FALSE(check_token("phc_x").has_value());
  CHECK(check_token("phx_x")->detail == "personal_api_key");
  Project project;
  CHECK_FALSE(check_origin(project, "https://any.example").has_value());
  project.origins = {"https://a.example"};
  CHECK_FALSE(check_origin(project, "").has_value());
  CHECK_FALSE(check_origin(project, "https://a.example").has_value());
  CHECK(check_origin(project, "https://a.example.evil")->code == ErrorCode::kOriginNotAllowed);
  CHECK(check_origin(project, "null")->code == ErrorCode::kOriginNotAllowed);
}

TEST_CASE("An empty batch is refused, one of performance events only is not (29)") {
  Fixture f;
  CHECK(code_of(f.decode(R"({"api_key":"T","batch":[]})")) == ErrorCode::kEmptyBatch);
  CHECK(code_of(f.decode("[]")) == ErrorCode::kEmptyBatch);
  auto batch =
      f.decode(R"({"api_key":"T","batch":[{"event":"$performance_event","distinct_id":"u"}]})");
  REQUIRE(batch.ok());
  CHECK(batch.value()->events.empty());
  CHECK(batch.value()->filtered == 1);
  CHECK_FALSE(batch.value()->refusal());
}

TEST_CASE("On /engage an event without a name is an $identify, elsewhere it is refused (30)") {
  Fixture f;
  const std::string body = R"({"$token":"T","$distinct_id":"u","$set":{"a":1},"$unset":["b"]})";
  auto batch = f.decode(body, Endpoint::kEngage);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 1);
  const Event& one = batch.value()->events[0];
  CHECK(one.name == "$identify");
  CHECK(one.distinct_id == "u");
  CHECK(test::text(one.set) == R"({"a":1})");
  CHECK(test::text(one.properties.find("$unset")) == R"(["b"])");
  CHECK(reject_code(f, body, Endpoint::kLegacy) == ErrorCode::kHydrateFailed);
}

TEST_CASE("A lone surrogate in a property costs nothing but itself (31)") {
  Fixture f;
  auto batch = f.decode(event(R"("properties":{"a":"x\ud83dy","b":"\ud83d\ude00"})"));
  REQUIRE(batch.ok());
  CHECK(test::text(batch.value()->events[0].properties) ==
        R"({"a":"x\ufffdy","b":"\ud83d\ude00"})");
}

TEST_CASE("Times follow wrapper, query and $ignore_sent_at (34 to 40)") {
  Fixture f;
  const auto batch = [](std::string_view wrapper, std::string_view members) {
    return R"({"api_key":"T",)" + std::string(wrapper) +
           R"("batch":[{"event":"e","distinct_id":"u",)" + std::string(members) + "}]}";
  };
  const std::string_view skewed = R"("sent_at":"2026-01-01T12:00:05Z",)";
  const std::string_view told = R"("timestamp":"2026-01-01T11:59:55Z")";
  CHECK(time_of(f, batch(skewed, told)) == at("2026-01-01T11:59:50Z"));
  CHECK(time_of(f, batch("", R"("offset":5000)")) == at("2026-01-01T11:59:55Z"));
  CHECK(time_of(f, batch(skewed, R"("offset":5000,"timestamp":"2020-01-01T00:00:00Z")")) ==
        at("2026-01-01T11:59:55Z"));
  CHECK(time_of(f, batch("", R"("x":1)")) == kNowMs);
  CHECK(time_of(f, batch("", R"("timestamp":"garbage")")) == kNowMs);
  CHECK(time_of(f, batch("", R"("timestamp":{"a":1})")) == kNowMs);
  CHECK(time_of(f, batch("", R"("timestamp":"2026-01-02T12:00:00Z")")) == kNowMs);
  CHECK(time_of(f, batch("", R"("timestamp":"2026-01-02T10:00:00Z")")) ==
        at("2026-01-02T10:00:00Z"));
  CHECK(time_of(
            f,
            batch(skewed,
                  R"("timestamp":"2026-01-01T11:59:55Z","properties":{"$ignore_sent_at":true})")) ==
        at("2026-01-01T11:59:55Z"));
  CHECK(time_of(f, batch("", R"("timestamp":"2025-01-02T08:34:05+05:30")")) ==
        at("2025-01-02T03:04:05Z"));
  CHECK(time_of(f, batch("", R"("timestamp":1767268795000)")) == at("2026-01-01T11:59:55Z"));

  f.head.query = "_=1767268805000";
  CHECK(time_of(f, batch("", told)) == at("2026-01-01T11:59:50Z"));
  CHECK(time_of(f, batch(R"("sent_at":"2026-01-01T12:00:00Z",)", told)) ==
        at("2026-01-01T11:59:55Z"));
  f.head.query = "_=0";
  CHECK(time_of(f, batch("", told)) == at("2026-01-01T11:59:55Z"));
  f.head.query = "_=abc";
  CHECK(time_of(f, batch("", told)) == at("2026-01-01T11:59:55Z"));
  f.head.query = "sent_at=1767268805000";
  CHECK(time_of(f, batch("", told)) == at("2026-01-01T11:59:50Z"));

  // A signature covers the body alone: the query's time would be anybody's.
  f.config.signing_secret = "s";
  f.head.x_posthog_signature = "sha256=checked before";
  CHECK(time_of(f, batch("", told)) == at("2026-01-01T11:59:55Z"));
  CHECK(time_of(f, batch(skewed, told)) == at("2026-01-01T11:59:50Z"));
}

TEST_CASE("An event's name is cut at 200 UTF-16 units and must be a string") {
  Fixture f;
  auto batch =
      f.decode(R"({"token":"T","distinct_id":"u","event":")" + std::string(300, 'n') + "\"}");
  REQUIRE(batch.ok());
  CHECK(batch.value()->events[0].name == std::string(200, 'n'));
  CHECK(reject_code(f, R"({"token":"T","distinct_id":"u","event":""})") ==
        ErrorCode::kMissingEventName);
  CHECK(reject_code(f, R"({"token":"T","distinct_id":"u","event":5})") ==
        ErrorCode::kMissingEventName);
}

TEST_CASE("Other shapes are taken too: a data list, and data as text") {
  Fixture f;
  auto list = f.decode(R"({"api_key":"T","data":[{"event":"a","distinct_id":"u"}]})");
  REQUIRE(list.ok());
  CHECK(list.value()->events.size() == 1);
  const std::string inner = R"([{"event":"a","distinct_id":"u"}])";
  auto text = f.decode(R"({"api_key":"T","data":")" + test::encode_base64(inner) + "\"}");
  REQUIRE(text.ok());
  CHECK(text.value()->events.size() == 1);
  CHECK(text.value()->token == "T");
  auto packed =
      f.decode(R"({"api_key":"T","data":")" + test::encode_base64(test::gzip(inner)) + "\"}");
  REQUIRE(packed.ok());
  CHECK(packed.value()->events.size() == 1);
}

TEST_CASE("An event that stands alone where a list should has the wrapper's token and time") {
  for (const char* name : {"batch", "data"}) {
    Fixture f;
    INFO(name);
    const auto batch =
        f.decode(R"({"api_key":"T","sent_at":"2026-01-01T00:00:10Z",")" + std::string(name) +
                 R"(":{"event":"e","distinct_id":"u","timestamp":"2026-01-01T00:00:00Z"}})");
    REQUIRE(batch.ok());
    CHECK(batch.value()->token == "T");
    REQUIRE(batch.value()->events.size() == 1);
    CHECK(batch.value()->events[0].timestamp_ms == kNowMs - 10'000);
  }
}

TEST_CASE("What an event of the seed's would repeat is counted before it is written") {
  Fixture f;
  const auto alias = [&f](size_t bytes) {
    return f.decode(
        R"({"api_key":"T","distinct_id":"u","alias":")" + std::string(bytes, 'x') + R"("})",
        Endpoint::kAlias);
  };
  CHECK(alias(1 << 20).ok());
  CHECK(code_of(alias(limits::kDecompressedBytesMax / 2)) == ErrorCode::kTooLarge);
  const auto groups = [&f](size_t bytes, std::string_view list) {
    const std::string_view open = list.empty() ? "{" : list;
    return f.decode(std::string(open) + R"("api_key":"T","group_type":"t","group_key":")" +
                        std::string(bytes, 'x') + "\"}" + (list.empty() ? "" : "]}"),
                    Endpoint::kGroups);
  };
  for (const std::string_view list : {"", R"({"api_key":"T","batch":[{)"}) {
    CHECK(groups(1 << 20, list).ok());
    CHECK(code_of(groups(limits::kDecompressedBytesMax / 3, list)) == ErrorCode::kTooLarge);
  }
}

TEST_CASE("The seed's /identify, /alias and /groups become PostHog's events") {
  Fixture f;
  auto identify = f.decode(
      R"({"api_key":"T","distinct_id":"u","$anon_distinct_id":"anon","properties":{"plan":"pro"}})",
      Endpoint::kIdentify);
  REQUIRE(identify.ok());
  CHECK(identify.value()->events[0].name == "$identify");
  CHECK(test::text(identify.value()->events[0].properties) ==
        R"({"$set":{"plan":"pro"},"$anon_distinct_id":"anon"})");
  auto alias = f.decode(R"({"api_key":"T","distinct_id":"u","alias":"old"})", Endpoint::kAlias);
  REQUIRE(alias.ok());
  CHECK(alias.value()->events[0].name == "$create_alias");
  CHECK(test::text(alias.value()->events[0].properties) == R"({"alias":"old"})");
  auto groups = f.decode(
      R"({"api_key":"T","group_type":"company","group_key":"acme","properties":{"size":5}})",
      Endpoint::kGroups);
  REQUIRE(groups.ok());
  CHECK(groups.value()->events[0].name == "$groupidentify");
  CHECK(groups.value()->events[0].distinct_id == "acme");
  CHECK(test::text(groups.value()->events[0].properties) ==
        R"({"$group_type":"company","$group_key":"acme","$group_set":{"size":5}})");
  // In a batch too, whose wrapper keeps what it says for all.
  auto batch = f.decode(
      R"({"api_key":"T","historical_migration":true,"batch":[{"distinct_id":"u"},
          {"distinct_id":"v"}]})",
      Endpoint::kIdentify);
  REQUIRE(batch.ok());
  CHECK(batch.value()->token == "T");
  CHECK(batch.value()->historical);
  REQUIRE(batch.value()->events.size() == 2);
  CHECK(batch.value()->events[1].distinct_id == "v");
}

TEST_CASE("A form may carry the token beside the data") {
  Fixture f;
  f.head.content_type = "application/x-www-form-urlencoded";
  auto batch = f.decode("api_key=T&data=" + test::encode_url(R"({"event":"e","distinct_id":"u"})"));
  REQUIRE(batch.ok());
  CHECK(batch.value()->token == "T");
}

TEST_CASE("Every reason to refuse a request or an event can be reached") {
  std::set<std::string> reached;
  Fixture f;
  f.config.projects["T"] = Project{.origins = {"https://a.example"}};
  const auto note = [&](std::string body, Endpoint endpoint = Endpoint::kLegacy) {
    const auto batch = f.decode(std::move(body), endpoint);
    if (!batch.ok()) {
      reached.emplace(batch.error().tag());
      return;
    }
    for (const Reject& reject : batch.value()->rejects) reached.emplace(reject.error.tag());
  };
  note("");
  note(test::gzip("{}").substr(0, 12));
  note("{");
  note("1");
  note(R"({"api_key":"T","batch":5})");
  note("[]");
  note(std::string(limits::kCaptureWireBytesMax + 1, ' '));
  note(R"({"event":"e"})");
  note(R"([{"event":"e","token":"T"},{"event":"e","token":"U"}])");
  note(R"({"event":"e","token":"phx_1"})");
  note(R"({"event":"e","token":"U"})");
  f.head.origin = "https://b.example";
  note(R"({"event":"e","token":"T"})");
  f.head.origin = "";
  note(R"({"event":"","token":"T","distinct_id":"u"})");
  note(R"({"event":"e","token":"T"})");
  note(R"({"event":"e","token":"T","distinct_id":"u","uuid":"x"})");
  note(R"({"event":"e","token":"T","distinct_id":"u","properties":[1]})");
  note(R"({"event":"e","token":"T","distinct_id":"u","properties":{"$cookieless_mode":1}})");
  CHECK(reached ==
        std::set<std::string>{"empty_payload", "decode_failed", "parse_failed", "hydrate_failed",
                              "empty_batch", "too_large", "missing_token", "multiple_tokens",
                              "invalid_token", "unknown_token", "origin_not_allowed",
                              "missing_event_name", "missing_distinct_id", "invalid_uuid",
                              "invalid_properties", "invalid_cookieless_mode"});
}

TEST_CASE("What is no object in a list of events is refused by itself, at its place") {
  Fixture f;
  const auto batch = f.decode(R"({"api_key":"T","batch":[{"event":"a","distinct_id":"u"},5,null,
      "text",[],true,{"event":"b","distinct_id":"u"}]})",
                              Endpoint::kBatch);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 2);
  CHECK(batch.value()->events[1].name == "b");
  REQUIRE(batch.value()->rejects.size() == 5);
  const std::string_view raws[] = {"5", "null", "\"text\"", "[]", "true"};
  for (size_t i = 0; i < 5; ++i) {
    const Reject& reject = batch.value()->rejects[i];
    CHECK(reject.event_index == i + 1);
    CHECK(reject.raw == raws[i]);
    CHECK(reject.error.code == ErrorCode::kHydrateFailed);
    CHECK(reject.error.detail == "an event must be a JSON object");
  }
  CHECK(batch.value()->filtered == 0);
}

TEST_CASE("An event's JSON has so many bytes, and one over its limit is refused alone") {
  const auto sized = [](size_t bytes) {
    std::string text = R"({"event":"e","distinct_id":"u","properties":{"f":""}})";
    text.insert(text.size() - 3, bytes - text.size(), 'x');
    REQUIRE(text.size() == bytes);
    return text;
  };
  for (const size_t over : {0, 1}) {
    Fixture f;
    const auto batch =
        f.decode(R"({"api_key":"T","batch":[)" + sized(limits::kEventBytesMax + over) + "," +
                     R"({"event":"small","distinct_id":"u"}]})",
                 Endpoint::kBatch);
    REQUIRE(batch.ok());
    std::vector<ErrorCode> refused;
    size_t events = 0;
    do {
      events += batch.value()->events.size();
      for (const Reject& reject : batch.value()->rejects) refused.push_back(reject.error.code);
    } while (decode_next_window(*batch.value(), f.context()));
    CHECK(events == 2 - over);
    CHECK(refused == std::vector<ErrorCode>(over, ErrorCode::kEventTooLarge));
  }
}

TEST_CASE("An event has so many values, and one over that is refused alone") {
  for (const size_t over : {0, 1}) {
    Fixture f;
    // The event, its name, its id, its properties, the list.
    std::string list = "0";
    for (size_t i = 6; i < limits::kEventValuesMax + over; ++i) list += ",0";
    const auto batch =
        f.decode(R"({"api_key":"T","batch":[{"event":"e","distinct_id":"u","properties":{"f":[)" +
                     list + R"(]}},{"event":"small","distinct_id":"u"}]})",
                 Endpoint::kBatch);
    REQUIRE(batch.ok());
    CHECK(batch.value()->events.size() == 2 - over);
    REQUIRE(batch.value()->rejects.size() == over);
    for (const Reject& reject : batch.value()->rejects) {
      CHECK(reject.error.code == ErrorCode::kEventTooLarge);
      CHECK(reject.error.detail == "the event has 320001 values; at most 320000 are taken");
    }
  }
}

TEST_CASE("A field that is longer than any is not decoded to find out what it is") {
  // Each by the body of one event.
  const auto sent = [](const std::string& body) {
    Fixture f;
    return f.decode(body, Endpoint::kBatch);
  };
  const std::string event = R"("batch":[{"event":"e","distinct_id":"u"}])";
  for (const std::string& filling : {std::string(20'000, 'T'), "\\n" + std::string(20'000, 'T')}) {
    CHECK(code_of(sent(R"({"api_key":")" + filling + "\"," + event + "}")) ==
          ErrorCode::kInvalidToken);
    const auto timed = sent(R"({"api_key":"T","sent_at":")" + filling + "\"," + event + "}");
    REQUIRE(timed.ok());
    CHECK(!timed.value()->sent_at_ms);
  }
  // Blanks around a token are none of it, as far as one looks.
  CHECK(sent(R"({"api_key":"  T  ",)" + event + "}").ok());
  CHECK(code_of(sent(R"({"api_key":")" + std::string(2'000, ' ') + R"(T",)" + event + "}")) ==
        ErrorCode::kInvalidToken);
  CHECK(code_of(sent(R"({"api_key":[)" + std::string(2'000, ' ') + R"("T"],)" + event + "}")) ==
        ErrorCode::kInvalidToken);
}

TEST_CASE("Each window of a large batch holds its own events and rejects alone") {
  Fixture f;
  const size_t count = 2 * limits::kWindowEventsMax + 1;
  std::string body = R"({"api_key":"T","batch":[)";
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) body += ',';
    body += i % 100 == 7 ? "5" : R"({"event":"e)" + std::to_string(i) + R"(","distinct_id":"u"})";
  }
  const auto batch = f.decode(body + "]}", Endpoint::kBatch);
  REQUIRE(batch.ok());
  size_t next = 0;
  size_t windows = 0;
  do {
    ++windows;
    CHECK(batch.value()->events.size() + batch.value()->rejects.size() <= limits::kWindowEventsMax);
    size_t event = 0;
    size_t reject = 0;
    while (event < batch.value()->events.size() || reject < batch.value()->rejects.size()) {
      if (next % 100 == 7) {
        REQUIRE(reject < batch.value()->rejects.size());
        CHECK(batch.value()->rejects[reject++].event_index == next);
      } else {
        REQUIRE(event < batch.value()->events.size());
        CHECK(batch.value()->events[event++].name == "e" + std::to_string(next));
      }
      ++next;
    }
  } while (decode_next_window(*batch.value(), f.context()));
  CHECK(windows == 3);
  CHECK(next == count);
  CHECK_FALSE(batch.value()->has_more());
}

TEST_CASE("A window of a large batch has so many bytes of events, to the byte, or one event") {
  constexpr size_t kEventBytes = 4'096;
  constexpr size_t kFit = limits::kWindowBytesMax / kEventBytes;
  const std::string begin = R"({"event":"e","distinct_id":"u","properties":{"a":")";
  const auto event_of = [&](size_t bytes) {
    return begin + std::string(bytes - begin.size() - 3, 'x') + "\"}}";
  };
  const auto windows = [&](const std::vector<std::string>& events) {
    Fixture f;
    std::string body;
    for (const std::string& event : events) body += (body.empty() ? "" : ",") + event;
    const auto batch = f.decode(R"({"api_key":"T","batch":[)" + body + "]}", Endpoint::kBatch);
    REQUIRE(batch.ok());
    std::vector<size_t> sizes;
    do {
      sizes.push_back(batch.value()->events.size());
    } while (decode_next_window(*batch.value(), f.context()));
    return sizes;
  };
  std::vector<std::string> events(2 * kFit + 1, event_of(kEventBytes));
  CHECK(windows(events) == std::vector<size_t>{kFit, kFit, 1});
  events[0] = event_of(kEventBytes + 1);
  CHECK(windows(events) == std::vector<size_t>{kFit - 1, kFit, 2});
  // One over the bound is a window of its own.
  const std::string large = event_of(limits::kWindowBytesMax + 1);
  CHECK(windows({event_of(kEventBytes), large, large, event_of(kEventBytes)}) ==
        std::vector<size_t>{1, 1, 1, 1});
}

TEST_CASE("Of two names beside data as text the first that is a text is the token") {
  const auto token_of = [](const std::string& members) {
    Fixture f;
    const auto batch =
        f.decode("{" + members + R"("data":"[{\"event\":\"a\",\"distinct_id\":\"u\"}]"})");
    return batch.ok() ? batch.value()->token : std::string(batch.error().tag());
  };
  CHECK(token_of(R"("api_key":"T",)") == "T");
  CHECK(token_of(R"("token":"T",)") == "T");
  CHECK(token_of(R"("api_key":"T","token":"U",)") == "T");
  CHECK(token_of(R"("token":"U","api_key":"T",)") == "T");
  CHECK(token_of(R"("api_key":5,"token":"T",)") == "T");
  CHECK(token_of(R"("api_key":"","token":"T",)") == "T");
  CHECK(token_of(R"("api_key":5,)") == "missing_token");
  CHECK(token_of("") == "missing_token");
}

TEST_CASE("On the paths of one kind an event stays as it is beside what becomes one") {
  Fixture f;
  const auto batch = f.decode(R"([{"token":"T","distinct_id":"u","properties":{"plan":"pro"}},
      {"token":"T","event":"named","distinct_id":"u","properties":{"plan":"pro"}},5])",
                              Endpoint::kIdentify);
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->events.size() == 2);
  CHECK(batch.value()->events[0].name == "$identify");
  CHECK(test::text(batch.value()->events[0].properties) == R"({"$set":{"plan":"pro"}})");
  CHECK(batch.value()->events[1].name == "named");
  CHECK(test::text(batch.value()->events[1].properties) == R"({"plan":"pro"})");
  REQUIRE(batch.value()->rejects.size() == 1);
  CHECK(batch.value()->rejects[0].raw == "5");
  CHECK(batch.value()->rejects[0].event_index == 2);
}
