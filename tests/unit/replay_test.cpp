// Session replay: cases 45 to 49 of the wire protocol's list, chunk rows, and what differs.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "hogflare/capture.h"
#include "hogflare/limits.h"
#include "hogflare/memory_share.h"
#include "hogflare/rows.h"
#include "hogflare/uuid.h"
#include "wire_support.h"

using namespace hogflare;
using test::code_of;
using test::Fixture;
using test::kNowMs;

namespace {

constexpr std::string_view kUuid = "0190a000-0000-7000-8000-000000000001";

// A $snapshot event of token T; `properties` beside token and distinct_id.
std::string snapshot(std::string_view properties, std::string_view root = {}) {
  return R"({"event":"$snapshot",)" + std::string(root) +
         R"("properties":{"token":"T","distinct_id":"u",)" + std::string(properties) + "}}";
}

Result<std::unique_ptr<CaptureBatch>> decode(Fixture& f, std::string body) {
  return decode_replay(f.head, std::move(body), f.context());
}

std::string reject_detail(std::string_view properties) {
  Fixture f;
  const auto batch = decode(f, snapshot(properties));
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->recordings.empty());
  REQUIRE(batch.value()->rejects.size() == 1);
  REQUIRE(batch.value()->refusal().has_value());
  return batch.value()->rejects[0].error.detail;
}

RowBatch rows_of(Fixture& f, const CaptureBatch& batch) {
  const RowWriter writer(f.head, {batch.token, batch.project, batch.sent_at_ms}, f.config, kNowMs);
  RowBatch rows(Stream::kEvents);
  for (const Recording& recording : batch.recordings) writer.append_recording(recording, rows);
  for (uint32_t i = 0; i < rows.size(); ++i) CHECK(check_row(rows.row(i)) == std::nullopt);
  return rows;
}

// The chunks' data in order, decoded and joined.
std::string joined(const RowBatch& rows) {
  std::string text;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    const auto row = nlohmann::json::parse(rows.row(i));
    const auto& properties = row["properties"];
    CHECK(properties["$hogflare_chunk_index"] == i);
    CHECK(properties["$hogflare_chunk_count"] == rows.size());
    CHECK(properties["$hogflare_chunk_of"] == kUuid);
    CHECK(properties["$session_id"] == "s");
    CHECK(properties["$window_id"] == "w");
    CHECK(properties["$snapshot_source"] == "web");
    CHECK(properties["$lib"] == "web");
    CHECK(properties["distinct_id"] == "u");
    CHECK(row["distinct_id"] == "u");
    CHECK(row["event"] == "$snapshot_items");
    text += properties["$hogflare_chunk_data"].get<std::string>();
  }
  return text;
}

}  // namespace

TEST_CASE("One recording becomes $snapshot_items with source web (45)") {
  Fixture f;
  const auto batch = decode(
      f, snapshot(R"("$session_id":"s-1","$window_id":"w-1","$snapshot_data":[],"$lib":"web")"));
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->recordings.size() == 1);
  CHECK(batch.value()->token == "T");
  CHECK(batch.value()->recordings[0].uuid.substr(14, 1) == "7");
  const RowBatch rows = rows_of(f, *batch.value());
  REQUIRE(rows.size() == 1);
  const auto row = nlohmann::json::parse(rows.row(0));
  CHECK(row["event"] == "$snapshot_items");
  CHECK(row["properties"] == nlohmann::json::parse(
                                 R"({"distinct_id":"u","$session_id":"s-1","$window_id":"w-1",
                                     "$snapshot_source":"web","$lib":"web","$snapshot_items":[]})"));
  CHECK(row["api_key"] == "T");
  CHECK_FALSE(row.contains("person_id"));
}

TEST_CASE("The library comes from the User-Agent when the event does not say (46)") {
  const auto library = [](std::string_view user_agent) {
    Fixture f;
    f.head.user_agent = user_agent;
    const auto batch = decode(f, snapshot(R"("$session_id":"s","$snapshot_data":[])"));
    REQUIRE(batch.ok());
    return batch.value()->recordings[0].library;
  };
  CHECK(library("posthog-android/1.0.4") == "posthog-android");
  CHECK(library("Mozilla/5.0 (X11)") == "web");
  CHECK(library("") == "unknown");
}

TEST_CASE("A recording without a usable session id is refused (47)") {
  CHECK(reject_detail(R"("$snapshot_data":[])") == "replay event submitted without session id");
  for (const std::string& id :
       {std::string("{}"), std::string("5"), std::string(R"("")"), std::string(R"("a b")"),
        std::string(R"("é")"), "\"" + std::string(71, 'a') + "\"",
        "\"" + std::string(170, 'a') + "\""}) {
    INFO(id);
    CHECK(reject_detail("\"$session_id\":" + id + R"(,"$snapshot_data":[])")
              .find("invalid session id") != std::string::npos);
  }
  Fixture f;
  CHECK(
      decode(f, snapshot("\"$session_id\":\"" + std::string(70, 'a') + R"(","$snapshot_data":[])"))
          .value()
          ->recordings.size() == 1);
}

TEST_CASE("A recording without data, or with data of the wrong type, is refused") {
  CHECK(reject_detail(R"("$session_id":"s")") == "replay event submitted without snapshot data");
  CHECK(reject_detail(R"("$session_id":"s","$snapshot_data":"x")") ==
        "replay event submitted without snapshot data");
  CHECK(reject_detail(R"("$session_id":"s","$snapshot_data":null)") ==
        "replay event submitted without snapshot data");
}

TEST_CASE("The window is the session when there is none (48)") {
  Fixture f;
  const auto batch = decode(f, snapshot(R"("$session_id":"s","$snapshot_data":{"type":2})"));
  REQUIRE(batch.ok());
  CHECK(batch.value()->recordings[0].window_id == "\"s\"");
  REQUIRE(batch.value()->recordings[0].items.size() == 1);
  CHECK(batch.value()->recordings[0].items[0] == R"({"type":2})");
}

TEST_CASE("An array is folded into one recording, its data byte for byte (49)") {
  Fixture f;
  f.head.content_type = "text/plain";
  const std::string data_1 =
      R"({"type":3,"cv":"2024-10","data":"\u001f\u008b\b\u0000ÿ\u00e9","big":12345678901234567890,"f":1.10})";
  const std::string data_2 = R"( {"type": 2 } , {"a":[ ]} )";
  const std::string root =
      R"("uuid":")" + std::string(kUuid) + R"(","offset":1000,"sent_at":"2026-01-01T12:00:05Z",)";
  const std::string body =
      "[" +
      snapshot(R"("$session_id":"s","$window_id":"w","$snapshot_data":[)" + data_1 + "]", root) +
      "," + snapshot(R"("$session_id":"s","$window_id":"w","$snapshot_data":[)" + data_2 + "]") +
      "," + snapshot(R"("$snapshot_data":[ ])") + "]";
  const auto batch = decode(f, test::gzip(body));
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->recordings.size() == 1);
  const Recording& one = batch.value()->recordings[0];
  CHECK(one.uuid == kUuid);
  CHECK(one.timestamp_ms == kNowMs - 1000);
  CHECK(batch.value()->sent_at_ms == test::at("2026-01-01T12:00:05Z"));
  const RowBatch rows = rows_of(f, *batch.value());
  const std::string expected = R"("$snapshot_items":[)" + data_1 + "," + data_2 + "]}";
  CHECK(std::string(rows.row(0)).find(expected) != std::string::npos);
}

TEST_CASE("Events of another session, window or person begin a recording of their own") {
  Fixture f;
  const auto part = [](std::string_view session, std::string_view window) {
    return snapshot(R"("$session_id":")" + std::string(session) + R"(","$window_id":")" +
                    std::string(window) + R"(","$snapshot_data":[1])");
  };
  const auto batch = decode(f, "[" + part("s1", "w1") + "," + part("s1", "w1") + "," +
                                   part("s1", "w2") + "," + part("s2", "w2") + "]");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->recordings.size() == 3);
  CHECK(batch.value()->recordings[0].items.size() == 2);
  CHECK(batch.value()->recordings[2].session_id == "\"s2\"");
}

TEST_CASE("One bad replay event does not cost the others") {
  Fixture f;
  const auto batch = decode(
      f, "[" + snapshot(R"("$session_id":"s","$snapshot_data":[1])") + "," +
             snapshot(R"("$session_id":"s")") + ",5," +
             snapshot(R"("$session_id":"s","$snapshot_data":[2],"$cookieless_mode":1)") + "," +
             snapshot(R"("$session_id":"s","$snapshot_data":[3])", R"("uuid":"x",)") + "," +
             R"({"properties":{"token":"T","$session_id":"s","$snapshot_data":[4]}},)" +
             R"({"properties":[]},)" + snapshot(R"("$session_id":"s","$snapshot_data":[5])") + "]");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->recordings.size() == 1);
  CHECK(batch.value()->recordings[0].items == std::vector<std::string_view>{"1", "5"});
  std::set<std::string> tags;
  for (const Reject& reject : batch.value()->rejects) tags.emplace(reject.error.tag());
  CHECK(tags == std::set<std::string>{"invalid_replay", "hydrate_failed", "invalid_cookieless_mode",
                                      "invalid_uuid", "missing_distinct_id", "invalid_properties"});
  CHECK_FALSE(batch.value()->refusal());
}

TEST_CASE("A session id has letters, digits and hyphens; a window and a source have 200 bytes") {
  for (const char good : {'0', '9', 'a', 'z', 'A', 'Z', '-'}) {
    Fixture f;
    const auto batch = decode(
        f, snapshot("\"$session_id\":\"" + std::string(1, good) + R"(","$snapshot_data":[])"));
    REQUIRE(batch.ok());
    CHECK(batch.value()->recordings.size() == 1);
  }
  // The neighbours of those ranges in ASCII.
  for (const char bad : {'/', ':', '`', '{', '@', '[', '_', '.'}) {
    CHECK(reject_detail("\"$session_id\":\"s" + std::string(1, bad) + R"(","$snapshot_data":[])")
              .find("invalid session id") != std::string::npos);
  }
  for (const std::string name : {"$window_id", "$snapshot_source"}) {
    const auto named = [&](size_t bytes) {
      return R"("$session_id":"s","$snapshot_data":[],")" + name + "\":\"" +
             std::string(bytes - 2, 'x') + "\"";
    };
    Fixture f;
    const auto batch = decode(f, snapshot(named(200)));
    REQUIRE(batch.ok());
    REQUIRE(batch.value()->recordings.size() == 1);
    const Recording& one = batch.value()->recordings[0];
    CHECK((name == "$window_id" ? one.window_id : one.snapshot_source).size() == 200);
    CHECK(reject_detail(named(201)).find("longer than 200 bytes") != std::string::npos);
  }
}

TEST_CASE("An event without a session goes on with the one before it, its window too") {
  Fixture f;
  const auto batch =
      decode(f, "[" + snapshot(R"("$session_id":"s","$window_id":"w","$snapshot_data":[1])") + "," +
                    snapshot(R"("$snapshot_data":[2])") + "," +
                    snapshot(R"("$session_id":null,"$window_id":null,"$snapshot_data":[3])") + "," +
                    snapshot(R"("$window_id":"v","$snapshot_data":[4])") + "," +
                    snapshot(R"("$snapshot_data":[5])") + "," +
                    snapshot(R"("$session_id":"s","$snapshot_data":[6])") + "]");
  REQUIRE(batch.ok());
  CHECK(batch.value()->rejects.empty());
  const std::vector<Recording>& all = batch.value()->recordings;
  REQUIRE(all.size() == 3);
  for (const Recording& one : all) CHECK(one.session_id == "\"s\"");
  CHECK(all[0].window_id == "\"w\"");
  CHECK(all[0].items == std::vector<std::string_view>{"1", "2", "3"});
  CHECK(all[1].window_id == "\"v\"");
  CHECK(all[1].items == std::vector<std::string_view>{"4", "5"});
  CHECK(all[2].window_id == "\"s\"");
  // Nothing stands before the first.
  CHECK(reject_detail(R"("$window_id":"w","$snapshot_data":[])") ==
        "replay event submitted without session id");
}

TEST_CASE("A recording's library is a name of 200 characters at most, from wherever it comes") {
  const auto library = [](std::string_view given, std::string_view user_agent) {
    Fixture f;
    f.head.user_agent = user_agent;
    const auto batch = decode(
        f, snapshot(R"("$session_id":"s","$snapshot_data":[],"$lib":)" + std::string(given)));
    REQUIRE(batch.ok());
    return batch.value()->recordings[0].library;
  };
  const std::string full(200, 'x');
  CHECK(library("\"" + full + "\"", "a/1") == full);
  CHECK(library("\"" + full + "y\"", "a/1") == full);
  CHECK(library("5", "my-posthog-thing/1") == "my-posthog-thing");
  CHECK(library("null", "posthog" + full + "/1") == ("posthog" + full).substr(0, 200));
  CHECK(library("null", "posthog-ios") == "posthog-ios");
}

TEST_CASE(
    "What recordings take beside their body is held, and asked for in parts where it is much") {
  Fixture f;
  std::string agent = "posthog";
  for (int i = 0; i < 193; ++i) agent += "\xF0\x9F\x98\x80";
  f.head.user_agent = agent;
  const auto held_by = [&f](size_t count, std::string_view properties) {
    std::string body = R"({"api_key":"T","batch":[)";
    for (size_t i = 0; i < count; ++i) {
      body += (i > 0 ? "," : "") + snapshot(R"("$session_id":")" + std::to_string(i % 2) + "\"," +
                                            std::string(properties));
    }
    size_t sum = 0;
    MemoryShare memory(sum);
    CaptureContext context = f.context();
    context.memory = &memory;
    const auto batch = decode_replay(f.head, body + "]}", context);
    return batch.ok() ? std::optional<size_t>(sum) : std::nullopt;
  };
  const auto per_item = [&](std::string_view properties) {
    return (held_by(9'000, properties).value() - held_by(1'000, properties).value()) / 8'000;
  };
  const size_t text = snapshot(R"("$session_id":"1","$snapshot_data":[])").size();
  CHECK(per_item(R"("$snapshot_data":[])") > text + agent.size() + sizeof(Recording));
  CHECK(per_item(R"("$snapshot_data":{} )") > text + agent.size() + sizeof(Recording));
  // Refused ones have their reasons.
  CHECK(per_item(R"("$snapshot_data":1 )") > text + sizeof(Reject));
  CHECK_FALSE(held_by(limits::kEventsPerRequestMax, R"("$snapshot_data":[])").has_value());
}

TEST_CASE(
    "Recordings of many browsers at once hold their texts, not places of what nobody looks into") {
  Fixture f;
  // A page's first snapshot as rrweb writes it: a value in ten bytes.
  std::string nodes = R"({"type":2,"data":{"node":{"childNodes":[)";
  while (nodes.size() < 1'000'000) {
    nodes += R"({"type":2,"tagName":"div","attributes":{"class":"a b"},"childNodes":[],"id":)" +
             std::to_string(nodes.size()) + "},";
  }
  nodes.back() = ']';
  const std::string body = R"({"api_key":"T","batch":[)" +
                           snapshot(R"("$session_id":"s","$snapshot_data":[)" + nodes + "}}}]") +
                           "]}";
  size_t sum = 0;
  std::vector<std::unique_ptr<MemoryShare>> shares;
  std::vector<std::unique_ptr<CaptureBatch>> batches;
  size_t index_bytes = 0;
  for (;;) {
    shares.push_back(std::make_unique<MemoryShare>(sum));
    CaptureContext context = f.context();
    context.memory = shares.back().get();
    auto batch = decode_replay(f.head, body, context);
    if (!batch.ok()) {
      CHECK(batch.error().code == ErrorCode::kMemoryBusy);
      break;
    }
    index_bytes += batch.value()->document->index_bytes();
    batches.push_back(std::move(batch).value());
  }
  // 46 of 1 MB; with room for an index of each they would be 18.
  CHECK(batches.size() >= 40);
  CHECK(index_bytes < batches.size() * 10'000);
}

TEST_CASE("An id that is cut leaves its room") {
  Fixture f;
  const std::string id(1 << 20, 'x');
  const auto batch = decode(f, R"({"properties":{"token":"T","distinct_id":")" + id +
                                   R"(","$session_id":"s","$snapshot_data":[]}})");
  REQUIRE(batch.ok());
  REQUIRE(batch.value()->recordings.size() == 1);
  CHECK(batch.value()->recordings[0].distinct_id == id.substr(0, limits::kDistinctIdChars));
  CHECK(batch.value()->recordings[0].distinct_id.capacity() < 2 * limits::kDistinctIdChars);
}

TEST_CASE("The first event's token counts, and a request without one is refused") {
  Fixture f;
  const auto two = decode(
      f, R"([{"token":"A","properties":{"distinct_id":"u","$session_id":"s","$snapshot_data":[]}},
                                 {"token":"B","properties":{"distinct_id":"u","$session_id":"s","$snapshot_data":[]}}])");
  REQUIRE(two.ok());
  CHECK(two.value()->token == "A");
  CHECK(code_of(decode(f, R"({"properties":{"distinct_id":"u","$session_id":"s"}})")) ==
        ErrorCode::kMissingToken);
  CHECK(code_of(decode(f, "")) == ErrorCode::kEmptyPayload);
  CHECK(code_of(decode(f, "[]")) == ErrorCode::kEmptyBatch);
  CHECK(code_of(decode(f, "{")) == ErrorCode::kParseFailed);
}

TEST_CASE("A recording over the row limit is cut into rows that give its text again") {
  // Quotes and backslashes double, characters of two to four bytes must not be split.
  const std::string unit = R"({"t":"é€😀\"\\\u00e9 plain text","n":1.10},)";
  std::string data;
  while (data.size() < 3'300'000) data += unit;
  data.back() = ' ';
  Fixture f;
  const std::string root = R"("uuid":")" + std::string(kUuid) + "\",";
  const std::string body = snapshot(
      R"("$session_id":"s","$window_id":"w","$lib":"web","$snapshot_data":[)" + data + "]", root);
  const auto batch = decode(f, body);
  REQUIRE(batch.ok());
  const RowBatch rows = rows_of(f, *batch.value());
  CHECK(rows.size() >= 4);
  CHECK(rows.size() <= 6);
  CHECK(joined(rows) == "[" + data + "]");
  std::set<std::string> uuids;
  for (uint32_t i = 0; i < rows.size(); ++i) {
    uuids.insert(nlohmann::json::parse(rows.row(i))["uuid"].get<std::string>());
    CHECK(rows.row(i).size() <= limits::kRowBytesMax);
  }
  CHECK(uuids.size() == rows.size());
  CHECK(uuids.count(std::string(kUuid)) == 0);

  // The same request again gives the same rows.
  const auto again = decode(f, body);
  REQUIRE(again.ok());
  const RowBatch rows_again = rows_of(f, *again.value());
  CHECK(rows_again.array(0, rows_again.size()) == rows.array(0, rows.size()));
}

TEST_CASE("The rows of a recording can be had in parts, and are those of one go") {
  Fixture f;
  std::string data = "\"";
  while (data.size() < 5'000'000) data += "\\\" ";  // nearly twice as long once it is escaped
  data += '"';
  const auto batch = decode(
      f,
      snapshot(R"("$session_id":"s","$window_id":"w","$lib":"web","$snapshot_data":[)" + data + "]",
               R"("uuid":")" + std::string(kUuid) + "\","));
  REQUIRE(batch.ok());
  const Recording& recording = batch.value()->recordings[0];
  const RowWriter writer(f.head, {batch.value()->token, batch.value()->project, {}}, f.config,
                         kNowMs);
  RowBatch all(Stream::kEvents);
  CHECK(writer.append_recording(recording, all) == 0);
  CHECK(all.size() > 6);
  for (const size_t bytes_max : {size_t{1}, size_t{1'500'000}, size_t{3'000'000}}) {
    uint32_t row = 0;
    size_t from = 0;
    do {
      RowBatch part(Stream::kEvents);
      from = writer.append_recording(recording, part, from, bytes_max);
      CHECK(part.bytes() <= bytes_max + limits::kRowBytesMax + 1);
      for (uint32_t i = 0; i < part.size(); ++i) CHECK(part.row(i) == all.row(row++));
      CHECK((from == 0 || from == row));
    } while (from != 0);
    CHECK(row == all.size());
  }
}

TEST_CASE("An event of a recording may be as large as any beside its data") {
  Fixture f;
  const auto sent = [&](size_t bytes) {
    return decode(f, "[" +
                         snapshot(R"("$session_id":"s","$snapshot_data":[],"$lib":")" +
                                  std::string(bytes, 'x') + "\"") +
                         "," + snapshot(R"("$session_id":"s","$snapshot_data":[1])") + "]");
  };
  CHECK(sent(limits::kEventBytesMax - 1'000).value()->rejects.empty());
  const auto over = sent(limits::kEventBytesMax);
  REQUIRE(over.ok());
  REQUIRE(over.value()->rejects.size() == 1);
  CHECK(over.value()->rejects[0].error.code == ErrorCode::kEventTooLarge);
  CHECK(over.value()->recordings.size() == 1);
}

TEST_CASE("The first chunked size and the last whole one both give the text, at every alignment") {
  for (size_t filler = 999'500; filler < 999'900; filler += 3) {
    Fixture f;
    const std::string data = "\"" + std::string(filler, 'x') + "é€😀é\"";
    const std::string root = R"("uuid":")" + std::string(kUuid) + "\",";
    const auto batch =
        decode(f, snapshot(R"("$session_id":"s","$window_id":"w","$lib":"web","$snapshot_data":[)" +
                               data + "]",
                           root));
    REQUIRE(batch.ok());
    const RowWriter writer(f.head, {batch.value()->token, batch.value()->project, {}}, f.config,
                           kNowMs);
    RowBatch rows(Stream::kEvents);
    CHECK(writer.append_recording(batch.value()->recordings[0], rows) == 0);
    if (rows.size() == 1) {
      CHECK(rows.row(0).find("$snapshot_items\":[" + data + "]") != std::string_view::npos);
    } else {
      CHECK(joined(rows) == "[" + data + "]");
    }
  }
}
