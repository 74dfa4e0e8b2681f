// Capture v1: cases 50 to 58 of the wire protocol's list.
#include "hogflare/capture_v1.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "capture/v1_request.h"
#include "hogflare/limits.h"
#include "wire_support.h"

using namespace hogflare;
using test::at;
using test::code_of;
using test::kNowMs;

namespace {

constexpr std::string_view kRequestId = "0190a000-0000-7000-8000-0000000000aa";

// Stands for the host's brotli and zstd: packed text is the text behind "br:" or "zstd:".
class FakeDecompressor final : public Decompressor {
 public:
  Result<std::string> run(Encoding encoding, std::string_view bytes, size_t) override {
    const std::string_view mark = encoding == Encoding::kBrotli ? "br:" : "zstd:";
    if (bytes.substr(0, mark.size()) != mark) return Error{ErrorCode::kDecodeFailed};
    return std::string(bytes.substr(mark.size()));
  }
};

struct V1Fixture : test::Fixture {
  FakeDecompressor decompressor;

  V1Fixture() {
    head.authorization = "Bearer phc_x";
    head.content_type = "application/json";
    head.user_agent = "posthog-node/5.50.0";
    head.posthog_sdk_info = "posthog-node/5.50.0";
    head.posthog_attempt = "1";
    head.posthog_request_id = kRequestId;
    head.posthog_request_timestamp = "2026-01-01T12:00:00Z";
  }
  Result<std::unique_ptr<CaptureBatch>> decode_v1(std::string body) {
    CaptureContext given = context();
    given.decompressor = &decompressor;
    return decode_capture_v1(head, std::move(body), given);
  }
};

std::string uuid_of(int n) { return "0190a000-0000-7000-8000-00000000000" + std::to_string(n); }

std::string event(int n, std::string_view members = {}) {
  return R"({"event":"e","uuid":")" + uuid_of(n) +
         R"(","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z")" +
         (members.empty() ? std::string() : "," + std::string(members)) + "}";
}

std::string batch(std::string_view events, std::string_view members = {}) {
  return R"({"created_at":"2026-01-01T12:00:00Z",)" + std::string(members) + R"("batch":[)" +
         std::string(events) + "]}";
}

std::string header_of(const Reply& reply, std::string_view name) {
  for (const Header& header : reply.headers) {
    if (header.name == name) return header.value;
  }
  return "(absent)";
}

std::string properties_of(V1Fixture& f, std::string_view members) {
  const auto decoded = f.decode_v1(batch(event(1, members)));
  REQUIRE(decoded.ok());
  REQUIRE(decoded.value()->events.size() == 1);
  return test::text(decoded.value()->events[0].properties);
}

std::string drop_of(std::string_view event_json) {
  V1Fixture f;
  const auto decoded = f.decode_v1(batch(event_json));
  REQUIRE(decoded.ok());
  REQUIRE(decoded.value()->v1_lines.size() == 1);
  const V1Line& line = decoded.value()->v1_lines[0];
  if (line.event) return "ok";
  CHECK(line.outcome.result == V1Result::kDrop);
  return std::string(line.outcome.details);
}

}  // namespace

TEST_CASE("One event gets its result, the request id and a date back (50)") {
  V1Fixture f;
  const auto decoded = f.decode_v1(batch(event(1)));
  REQUIRE(decoded.ok());
  REQUIRE(decoded.value()->events.size() == 1);
  const Event& one = decoded.value()->events[0];
  CHECK(one.uuid == uuid_of(1));
  CHECK(one.token == "phc_x");
  const std::vector<V1Outcome> fates(1);
  const Reply reply = write_v1_reply(f.head, *decoded.value(), fates, kNowMs);
  CHECK(reply.status == 200);
  CHECK(reply.body == "{\"results\":{\"" + uuid_of(1) + "\":{\"result\":\"ok\"}}}");
  CHECK(header_of(reply, "PostHog-Request-Id") == kRequestId);
  CHECK(header_of(reply, "Date") == "Thu, 01 Jan 2026 12:00:00 GMT");
  CHECK(header_of(reply, "Content-Type") == "application/json");
  CHECK(header_of(reply, "Retry-After") == "(absent)");
}

TEST_CASE("Headers that are missing or malformed refuse the request (51)") {
  const auto code = [](auto change) {
    V1Fixture f;
    change(f.head);
    return code_of(f.decode_v1(batch(event(1))));
  };
  CHECK(code([](RequestHead&) {}) == ErrorCode::kInternal);  // a success
  CHECK(code([](RequestHead& h) { h.authorization = ""; }) == ErrorCode::kMissingAuthorization);
  CHECK(code([](RequestHead& h) { h.authorization = "Basic x"; }) == ErrorCode::kInvalidHeader);
  CHECK(code([](RequestHead& h) { h.authorization = "bearer  phc_x "; }) == ErrorCode::kInternal);
  CHECK(code([](RequestHead& h) { h.authorization = "Bearer phx_x"; }) == ErrorCode::kInvalidToken);
  CHECK(code([](RequestHead& h) { h.authorization = "Bearer "; }) == ErrorCode::kInvalidHeader);
  CHECK(code([](RequestHead& h) { h.content_type = "text/plain"; }) ==
        ErrorCode::kUnsupportedMediaType);
  CHECK(code([](RequestHead& h) { h.content_type = "Application/JSON; charset=utf-8"; }) ==
        ErrorCode::kInternal);
  CHECK(code([](RequestHead& h) { h.content_encoding = "lz4"; }) ==
        ErrorCode::kUnsupportedEncoding);
  for (auto member : {&RequestHead::content_type, &RequestHead::user_agent,
                      &RequestHead::posthog_sdk_info, &RequestHead::posthog_attempt,
                      &RequestHead::posthog_request_id, &RequestHead::posthog_request_timestamp}) {
    CHECK(code([&](RequestHead& h) { h.*member = ""; }) == ErrorCode::kMissingHeader);
  }
  for (const char* attempt : {"0", "-1", "x", "1.5", "4294967296"}) {
    CHECK(code([&](RequestHead& h) { h.posthog_attempt = attempt; }) == ErrorCode::kInvalidHeader);
  }
  CHECK(code([](RequestHead& h) { h.posthog_request_id = "x"; }) == ErrorCode::kInvalidHeader);
  CHECK(code([](RequestHead& h) { h.posthog_request_timestamp = "2026-01-01"; }) ==
        ErrorCode::kInvalidHeader);
}

TEST_CASE("All missing headers are named together") {
  V1Fixture f;
  f.head.user_agent = "";
  f.head.posthog_attempt = "";
  const auto decoded = f.decode_v1(batch(event(1)));
  REQUIRE_FALSE(decoded.ok());
  CHECK(decoded.error().detail == "user-agent, posthog-attempt");
}

TEST_CASE("Every encoding of v1 is unpacked, garbage is 400 (52)") {
  const std::string body = batch(event(1));
  const std::pair<std::string_view, std::string> cases[] = {
      {"", body},
      {"gzip", test::gzip(body)},
      {"GZIP", test::gzip(body)},
      {"deflate", test::deflate_text(body, test::Wrapper::kZlib)},
      {"deflate", test::deflate_text(body, test::Wrapper::kRaw)},
      {"br", "br:" + body},
      {"zstd", "zstd:" + body}};
  for (const auto& [encoding, packed] : cases) {
    INFO(encoding);
    V1Fixture f;
    f.head.content_encoding = encoding;
    CHECK(f.decode_v1(packed).ok());
  }
  for (const std::string_view encoding : {"gzip", "deflate", "br", "zstd"}) {
    INFO(encoding);
    V1Fixture f;
    f.head.content_encoding = encoding;
    CHECK(code_of(f.decode_v1("\x02garbage")) == ErrorCode::kDecodeFailed);
  }
  V1Fixture bare;
  bare.head.content_encoding = "br";
  CHECK(code_of(decode_capture_v1(bare.head, "br:" + body, bare.context())) ==
        ErrorCode::kUnsupportedEncoding);
}

TEST_CASE("A batch that is broken as a whole is refused as a whole (53)") {
  const auto code = [](std::string body) {
    V1Fixture f;
    return code_of(f.decode_v1(std::move(body)));
  };
  CHECK(code("") == ErrorCode::kEmptyPayload);
  CHECK(code("{") == ErrorCode::kParseFailed);
  CHECK(code("[]") == ErrorCode::kParseFailed);
  CHECK(code(R"({"created_at":"2026-01-01T12:00:00Z"})") == ErrorCode::kParseFailed);
  CHECK(code(batch("")) == ErrorCode::kEmptyBatch);
  CHECK(code(batch("5")) == ErrorCode::kParseFailed);
  CHECK(code(R"({"batch":[)" + event(1) + "]}") == ErrorCode::kInvalidBatch);
  CHECK(code(R"({"created_at":"today","batch":[)" + event(1) + "]}") == ErrorCode::kInvalidBatch);
  CHECK(code(R"({"created_at":5,"batch":[)" + event(1) + "]}") == ErrorCode::kInvalidBatch);
  CHECK(code(batch(event(1) + "," + event(1))) == ErrorCode::kDuplicateUuid);
  CHECK(code(batch(R"({"event":"e","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z"})")) ==
        ErrorCode::kMissingUuid);
  CHECK(code(batch(R"({"event":"e","uuid":"  "})")) == ErrorCode::kMissingUuid);
  CHECK(code(batch(R"({"event":"e","uuid":"x"})")) == ErrorCode::kInvalidUuid);
  CHECK(code(batch(R"({"event":"e","uuid":5})")) == ErrorCode::kInvalidUuid);
  CHECK(code(std::string(limits::kCaptureV1WireBytesMax + 1, ' ')) == ErrorCode::kTooLarge);
}

TEST_CASE("Each bad event is dropped by name, the good one is kept (54)") {
  V1Fixture f;
  const std::string long_id(201, 'x');
  const auto decoded = f.decode_v1(
      batch(event(1) + R"(,{"event":"","uuid":")" + uuid_of(2) +
            R"(","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z"},{"event":"e","uuid":")" +
            uuid_of(3) + R"(","distinct_id":")" + long_id +
            R"(","timestamp":"2026-01-01T11:59:55Z"},{"event":"e","uuid":")" + uuid_of(4) +
            R"(","distinct_id":"u","timestamp":"2026-01-01"})"));
  REQUIRE(decoded.ok());
  CHECK(decoded.value()->events.size() == 1);
  CHECK(decoded.value()->rejects.size() == 3);
  const std::vector<V1Outcome> fates(1);
  const auto reply =
      nlohmann::json::parse(write_v1_reply(f.head, *decoded.value(), fates, kNowMs).body);
  CHECK(reply["results"][uuid_of(1)]["result"] == "ok");
  CHECK(reply["results"][uuid_of(2)] ==
        nlohmann::json::parse(R"({"result":"drop","details":"missing_event_name"})"));
  CHECK(reply["results"][uuid_of(3)]["details"] == "distinct_id_too_large");
  CHECK(reply["results"][uuid_of(4)]["details"] == "invalid_event_timestamp");
}

TEST_CASE("Every reason to drop an event can be reached") {
  const auto with = [](std::string_view name, std::string_view raw) {
    auto one = nlohmann::json::parse(event(1));
    one[std::string(name)] = nlohmann::json::parse(raw);
    return drop_of(one.dump());
  };
  CHECK(drop_of(event(1)) == "ok");
  CHECK(with("event", R"("")") == "missing_event_name");
  CHECK(with("event", "5") == "missing_event_name");
  CHECK(with("event", "\"" + std::string(200, 'x') + "\"") == "ok");
  CHECK(with("event", "\"" + std::string(201, 'x') + "\"") == "event_name_too_long");
  CHECK(with("event", R"("$performance_event")") == "dropped_performance_event");
  CHECK(with("distinct_id", R"(" ")") == "missing_distinct_id");
  CHECK(with("distinct_id", "null") == "missing_distinct_id");
  CHECK(with("distinct_id", "\"" + std::string(200, 'x') + "\"") == "ok");
  CHECK(with("distinct_id", "\"" + std::string(201, 'x') + "\"") == "distinct_id_too_large");
  CHECK(with("timestamp", R"("garbage")") == "invalid_event_timestamp");
  CHECK(with("timestamp", "1767268795000") == "invalid_event_timestamp");
  CHECK(with("properties", "[]") == "malformed_event_properties");
  CHECK(with("options", "[]") == "invalid_options");
  CHECK(with("options", R"({"cookieless_mode":"maybe"})") == "invalid_options");
  CHECK(with("options", R"({"process_person_profile":[]})") == "invalid_options");
  CHECK(with("options", R"({"product_tour_id":1.5})") == "invalid_options");
  CHECK(with("session_id", "5") == "invalid_options");
  CHECK(with("options", R"({"unknown":[1]})") == "ok");
}

TEST_CASE("What the sink could not take is to be sent again, and only then Retry-After (55)") {
  V1Fixture f;
  const auto decoded = f.decode_v1(batch(event(1) + "," + event(2) + "," + event(3)));
  REQUIRE(decoded.ok());
  const std::vector<V1Outcome> fates = {{}, kV1NotPersisted, kV1Rejected};
  const Reply reply = write_v1_reply(f.head, *decoded.value(), fates, kNowMs);
  CHECK(reply.status == 200);
  CHECK(header_of(reply, "Retry-After") == "1");
  const auto results = nlohmann::json::parse(reply.body)["results"];
  CHECK(results[uuid_of(1)] == nlohmann::json::parse(R"({"result":"ok"})"));
  CHECK(results[uuid_of(2)] ==
        nlohmann::json::parse(R"({"result":"retry","details":"not_persisted"})"));
  CHECK(results[uuid_of(3)] == nlohmann::json::parse(R"({"result":"drop","details":"rejected"})"));
}

TEST_CASE("A distinct_id that broken clients share switches person processing off (56)") {
  for (const std::string_view id : {"undefined", "UNDEFINED", " null ", "0", "[object Object]",
                                    "anonymous-user", "00000000-0000-0000-0000-000000000000"}) {
    INFO(id);
    V1Fixture f;
    auto one = nlohmann::json::parse(event(1));
    one["distinct_id"] = std::string(id);
    const auto decoded = f.decode_v1(batch(one.dump()));
    REQUIRE(decoded.ok());
    REQUIRE(decoded.value()->events.size() == 1);
    CHECK(decoded.value()->events[0].person_processing_off);
    const std::vector<V1Outcome> fates(1);
    CHECK(write_v1_reply(f.head, *decoded.value(), fates, kNowMs)
              .body.find(R"("result":"ok","details":"person_processing_disabled")") !=
          std::string::npos);
  }
  V1Fixture f;
  const auto decoded = f.decode_v1(batch(event(1)));
  CHECK_FALSE(decoded.value()->events[0].person_processing_off);
}

TEST_CASE("Options, session and window become properties (57)") {
  V1Fixture f;
  f.head.posthog_sdk_info = "no-slash";
  CHECK(properties_of(f, "") == "(absent)");
  CHECK(properties_of(f, R"("session_id":"s","window_id":"w","properties":{"a":1.10})") ==
        R"({"a":1.10,"$session_id":"s","$window_id":"w"})");
  CHECK(properties_of(f, R"("session_id":null,"options":null)") == "(absent)");
  // Each event has its own.
  f.head.posthog_request_timestamp = "2026-01-01T11:00:00Z";
  const auto two = f.decode_v1(
      batch(event(1, R"("options":{"disable_skew_correction":true})") + "," + event(2)));
  f.head.posthog_request_timestamp = "2026-01-01T12:00:00Z";
  REQUIRE(two.ok());
  REQUIRE(two.value()->events.size() == 2);
  CHECK(two.value()->events[0].timestamp_ms == test::at("2026-01-01T11:59:55Z"));
  CHECK(two.value()->events[1].timestamp_ms == test::at("2026-01-01T12:59:55Z"));
  CHECK(
      properties_of(
          f,
          R"("options":{"process_person_profile":false,"cookieless_mode":"TRUE","product_tour_id":7,"disable_skew_correction":0})") ==
      R"({"$cookieless_mode":true,"$ignore_sent_at":false,"$product_tour_id":"7","$process_person_profile":false})");
  for (const auto& [number, truth] :
       std::initializer_list<std::pair<const char*, const char*>>{{"1", "true"},
                                                                  {"9", "true"},
                                                                  {"-0.09e0", "true"},
                                                                  {"0", "false"},
                                                                  {"-0.0e9", "false"}}) {
    CHECK(properties_of(f, R"("options":{"cookieless_mode":)" + std::string(number) + "}") ==
          R"({"$cookieless_mode":)" + std::string(truth) + "}");
  }
  CHECK(
      properties_of(
          f,
          R"("options":{"process_person_profile":false},"properties":{"$process_person_profile":true,"z":1})") ==
      R"({"z":1,"$process_person_profile":false})");
}

TEST_CASE("Options that cannot be read are told, each with what it must be") {
  const auto told = [](std::string_view members) {
    V1Fixture f;
    const auto decoded = f.decode_v1(batch(event(1, members)));
    REQUIRE(decoded.ok());
    REQUIRE(decoded.value()->rejects.size() == 1);
    CHECK(decoded.value()->rejects[0].error.code == ErrorCode::kInvalidOptions);
    return decoded.value()->rejects[0].error.detail;
  };
  CHECK(told(R"("options":[])") == "options must be an object");
  CHECK(told(R"("session_id":5)") == "session_id must be a string");
  CHECK(told(R"("window_id":{})") == "window_id must be a string");
  CHECK(told(R"("options":{"cookieless_mode":"maybe"})") ==
        "cookieless_mode must be true or false");
  CHECK(told(R"("options":{"product_tour_id":1.5})") ==
        "product_tour_id must be a string or an integer");
  CHECK(told(R"("session_id":5,"options":{"product_tour_id":[],"cookieless_mode":"x"})") ==
        "session_id must be a string; cookieless_mode must be true or false; "
        "product_tour_id must be a string or an integer");
}

TEST_CASE("Memory is held for all that is added to a request's events") {
  V1Fixture f;
  const std::string sdk_info = std::string(60, 'l') + "/1.0.0";
  f.head.posthog_sdk_info = sdk_info;
  const auto headers = v1::read_headers(f.head);
  REQUIRE(headers.ok());
  for (const char* members :
       {"", R"("properties":{})", R"("properties":null)", R"("session_id":"s","window_id":"w")",
        R"("options":{"product_tour_id":7},"properties":{"$product_tour_id":1})"}) {
    INFO(members);
    std::string events = event(1, members);
    for (int n = 0; n < 200; ++n) events += "," + event(1, members);
    const std::string text = batch(events);
    const auto document = json::Document::parse_const(text, v1::kIndexDepth);
    REQUIRE(document.ok());
    const json::Value root = document.value().root();
    const std::vector<v1::Options> options = v1::read_options(root.find("batch"));
    CHECK(v1::with_injected_properties(root, options, headers.value()).size() <=
          v1::injected_bytes(root, options, headers.value()));
  }
}

TEST_CASE("PostHog-Sdk-Info names the library, split at the last slash") {
  V1Fixture f;
  CHECK(properties_of(f, R"("properties":{"$lib":"mine","a":1})") ==
        R"({"a":1,"$lib":"posthog-node","$lib_version":"5.50.0"})");
  f.head.posthog_sdk_info = "posthog/sub / 2.3 ";
  CHECK(properties_of(f, "") == R"({"$lib":"posthog/sub","$lib_version":"2.3"})");
  const std::string oversized = "x/" + std::string(200, '9');
  f.head.posthog_sdk_info = oversized;
  CHECK(properties_of(f, "") == "(absent)");
}

TEST_CASE("The request's own timestamp corrects skew, unless the event says no") {
  V1Fixture f;
  f.head.posthog_request_timestamp = "2026-01-01T12:00:05Z";
  const auto time = [&](std::string_view members) {
    const auto decoded = f.decode_v1(batch(event(1, members)));
    REQUIRE(decoded.ok());
    REQUIRE(decoded.value()->events.size() == 1);
    return decoded.value()->events[0].timestamp_ms;
  };
  CHECK(time("") == at("2026-01-01T11:59:50Z"));
  CHECK(time(R"("options":{"disable_skew_correction":true})") == at("2026-01-01T11:59:55Z"));
  CHECK(time(R"("timestamp":"2026-01-02T11:59:55Z")") == kNowMs);
  CHECK(time(R"("timestamp":"2027-01-01T00:00:00Z","options":{"disable_skew_correction":true})") ==
        at("2027-01-01T00:00:00Z"));
  CHECK(
      time(
          R"("timestamp":"0000-01-01T00:00:00+05:00","options":{"disable_skew_correction":true})") ==
      0);
}

TEST_CASE("Batch members reach every event") {
  V1Fixture f;
  const auto decoded =
      f.decode_v1(batch(event(1), R"("historical_migration":true,"capture_internal":true,)"));
  REQUIRE(decoded.ok());
  CHECK(decoded.value()->historical);
  CHECK(decoded.value()->events[0].historical);
  CHECK(decoded.value()->events[0].is_internal);
}

TEST_CASE("A refused request is answered with PostHog's three members") {
  V1Fixture f;
  const Reply reply = write_v1_error(f.head, {ErrorCode::kDuplicateUuid, "x"}, kNowMs);
  CHECK(reply.status == 400);
  CHECK(nlohmann::json::parse(reply.body) == nlohmann::json::parse(
                                                 R"({"error":"duplicate_event_uuid",
                "error_description":"two events of the batch have the same uuid: x",
                "error_uri":"https://posthog.com/docs/api"})"));
  CHECK(header_of(reply, "Retry-After") == "(absent)");
  const Reply busy = write_v1_error(f.head, {ErrorCode::kSinkUnavailable}, kNowMs);
  CHECK(busy.status == 503);
  CHECK(header_of(busy, "Retry-After") == "1");
  CHECK(nlohmann::json::parse(busy.body)["error"] == "service_unavailable");
  CHECK(write_v1_error(f.head, {ErrorCode::kMissingAuthorization}, kNowMs).status == 401);
  CHECK(write_v1_error(f.head, {ErrorCode::kUnsupportedEncoding}, kNowMs).status == 415);
}

TEST_CASE("Events about performance are counted as filtered, and are no rejects") {
  V1Fixture f;
  const auto named = [](int n, std::string_view name) {
    auto one = nlohmann::json::parse(event(n));
    one["event"] = name;
    return one.dump();
  };
  const auto decoded =
      f.decode_v1(batch(named(1, "$performance_event") + "," + named(2, "e") + "," +
                        named(3, "$performance_event") + "," + named(4, "")));
  REQUIRE(decoded.ok());
  CHECK(decoded.value()->filtered == 2);
  CHECK(decoded.value()->events.size() == 1);
  REQUIRE(decoded.value()->rejects.size() == 1);
  CHECK(decoded.value()->rejects[0].event_index == 3);
  REQUIRE(decoded.value()->v1_lines.size() == 4);
  CHECK(decoded.value()->v1_lines[1].event == 0u);
}

TEST_CASE("What is longer than any of its kind is not decoded, nor are options taken over") {
  const std::string filling = "\\n" + std::string(20'000, 'x');
  V1Fixture f;
  CHECK(code_of(f.decode_v1(R"({"created_at":")" + filling + R"(","batch":[)" + event(1) + "]}")) ==
        ErrorCode::kInvalidBatch);
  const auto with_uuid = f.decode_v1(batch(R"({"event":"e","uuid":")" + filling + "\"}"));
  CHECK(code_of(with_uuid) == ErrorCode::kInvalidUuid);
  // A uuid with blanks up to the bound is one.
  const std::string blanks(limits::kUuidRawBytesMax - 38, ' ');
  const auto padded = [&](std::string_view more) {
    return f.decode_v1(
        batch(R"({"event":"e","distinct_id":"u","timestamp":"2026-01-01T11:59:55Z","uuid":")" +
              uuid_of(1) + blanks + std::string(more) + "\"}"));
  };
  CHECK(padded("").ok());
  CHECK(code_of(padded(" ")) == ErrorCode::kInvalidUuid);
  for (const char* member : {"session_id", "window_id"}) {
    CHECK(drop_of(event(1, "\"" + std::string(member) + "\":\"" + filling + "\"")) ==
          "invalid_options");
  }
  CHECK(drop_of(event(1, R"("options":{"product_tour_id":")" + filling + "\"}")) ==
        "invalid_options");
  CHECK(drop_of(event(1, R"("options":{"cookieless_mode":")" + filling + "\"}")) ==
        "invalid_options");
  std::string named = event(1);
  named.replace(named.find("\"e\""), 3, "\"" + filling + "\"");
  CHECK(drop_of(named) == "event_name_too_long");
}

TEST_CASE("An event of capture v1 is as large as any, and more is dropped by name") {
  const std::string members = R"("properties":{"f":""})";
  const auto sized = [&](size_t bytes) {
    std::string text = event(1, members);
    return text.insert(text.size() - 3, bytes - text.size(), 'x');
  };
  CHECK(drop_of(sized(limits::kEventBytesMax - 200)) == "ok");
  CHECK(drop_of(sized(limits::kEventBytesMax + 1)) == "event_too_big");
}

TEST_CASE("An injected property takes the place of the client's, however its name is spelled") {
  V1Fixture f;
  CHECK(
      properties_of(
          f, R"("session_id":"s","properties":{"$session\u005fid":1,"$session_idx":2,"a":3})") ==
      R"({"$session_idx":2,"a":3,"$session_id":"s","$lib":"posthog-node","$lib_version":"5.50.0"})");
}
