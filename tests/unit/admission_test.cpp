// What one request may cost: work that stays linear, counts that are bounded, memory that is asked
// for before it is taken.
#include <catch2/catch.hpp>

#include "hogflare/js_string.h"
#include "hogflare/limits.h"
#include "hogflare/text.h"
#include "identity_support.h"
#include "wire_support.h"

using namespace hogflare;
using namespace hogflare::test;

namespace {

std::string repeated(std::string_view text, size_t count) {
  std::string out;
  out.reserve(text.size() * count);
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

std::string batch_of(size_t count, std::string_view list_name = "batch") {
  std::string body = R"({"api_key":"phc_x",")" + std::string(list_name) + "\":[{}";
  return body + repeated(",{}", count - 1) + "]}";
}

bool has_warning(const std::vector<Warning>& warnings, std::string_view name) {
  return std::any_of(warnings.begin(), warnings.end(),
                     [&](const Warning& warning) { return warning.name == name; });
}

}  // namespace

// Before it was one pass this moved a thousand billion bytes.
TEST_CASE("A name of a million NULs is replaced and cut") {
  std::string text(1'200'000, '\0');
  text += "end";
  replace_nul(text);
  CHECK(text == repeated("\xEF\xBF\xBD", 1'200'000) + "end");
  text = "none";
  replace_nul(text);
  CHECK(text == "none");

  Fixture f;
  const auto batch = f.decode(R"({"api_key":"phc_x","distinct_id":")" + repeated("\\u0000", 300) +
                              R"(","event":")" + repeated("\\u0000", 300) + "\"}");
  REQUIRE(batch.ok());
  CHECK(batch.value()->events[0].name == repeated("\xEF\xBF\xBD", limits::kEventNameUnits));
  CHECK(batch.value()->events[0].distinct_id == repeated("\xEF\xBF\xBD", limits::kDistinctIdChars));
}

TEST_CASE("A request of more events than a request may hold is refused whole") {
  const size_t most = limits::kEventsPerRequestMax;
  Fixture f;
  CHECK(f.decode(batch_of(most)).ok());
  CHECK(code_of(f.decode(batch_of(most + 1))) == ErrorCode::kTooLarge);
  CHECK(code_of(f.decode("[{\"api_key\":\"phc_x\"}" + repeated(",{}", most) + "]")) ==
        ErrorCode::kTooLarge);
  CHECK(code_of(f.decode(batch_of(most + 1, "data"), Endpoint::kEngage)) == ErrorCode::kTooLarge);
  const std::string packed = encode_base64(gzip(batch_of(most + 1)));
  CHECK(code_of(f.decode(R"({"api_key":"phc_x","data":")" + packed + "\"}")) ==
        ErrorCode::kTooLarge);
  const auto replay = decode_replay(f.head, batch_of(most + 1), f.context());
  CHECK(code_of(replay) == ErrorCode::kTooLarge);
}

TEST_CASE("An id too long to be one is refused by its size") {
  const std::string list = repeated("[", 100) + "1" + repeated(",1", 5000) + repeated("]", 100);
  CHECK_FALSE(js_string_of(list).has_value());
  CHECK(js_string_of("[" + repeated("1,", 4000) + "1]").has_value());

  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  batch.add(R"({"event":"$create_alias","distinct_id":"a","properties":{"alias":")" +
            repeated("a", 9000) + "\"}}");
  batch.add(R"({"event":"e","distinct_id":"a","properties":{"$groups":{"company":)" + list +
            R"(,"team":"t"}}})");
  RequestRun run(host, caches, project, batch);
  CHECK(has_warning(run.people.warnings(), "cannot_merge_with_illegal_distinct_id"));
  CHECK(has_warning(run.groups.warnings(), "group_name_too_long"));
  CHECK(run.groups.take_view(1).group_properties_json == R"({"team":{}})");
}

TEST_CASE("Of 40,000 groups of an event the first hundred count") {
  std::string body = R"({"event":"e","distinct_id":"a","properties":{"$groups":{"t":"k")";
  for (int i = 0; i < 40'000; ++i) body += ",\"type" + std::to_string(i) + "\":\"k\"";
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  batch.add(body + "}}}");
  RequestRun run(host, caches, project, batch);
  CHECK(has_warning(run.groups.warnings(), "too_many_groups"));
  CHECK(run.groups.take_view(0).group_properties_json ==
        R"({"t":{},"type0":{},"type1":{},"type2":{},"type3":{}})");
}

TEST_CASE("Properties that no person can hold are left out and said so") {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  const std::string large = "\"" + std::string(limits::kPersonPropertiesBytesMax, 'x') + "\"";
  batch.add(R"({"event":"e","distinct_id":"a","properties":{"$set":{"large":)" + large +
            R"(},"$set_once":{"small":1}}})");
  batch.add(R"({"event":"$groupidentify","distinct_id":"a","properties":{"$group_type":"t",
            "$group_key":"k","$group_set":{"large":)" +
            large + "}}}");
  RequestRun run(host, caches, project, batch);
  CHECK(has_warning(run.people.warnings(), "person_properties_size_violation"));
  const std::string person(run.people.take_view(0).person_properties);
  CHECK(person.find(R"("small":1)") != std::string::npos);
  CHECK(person.find("large") == std::string::npos);
  CHECK(has_warning(run.groups.warnings(), "group_upsert_message_size_too_large"));
}

TEST_CASE("A reply of a group that changes very often stays within its bound") {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  const std::string filling(100'000, 'x');
  for (int i = 0; i < 200; ++i) {
    batch.add(R"({"event":"$groupidentify","distinct_id":"a","properties":{"$group_type":"t",
              "$group_key":"k","$group_set":{"n":)" +
              std::to_string(i) + ",\"filling\":\"" + filling + "\"}}}");
  }
  RequestRun run(host, caches, project, batch);
  const auto number_at = [&](size_t event) {
    return run.groups.take_view(event).group_properties_json.substr(0, 14);
  };
  CHECK(number_at(0) == R"({"t":{"n":0,"f)");
  CHECK(number_at(50).substr(0, 12) == R"({"t":{"n":50)");
  // Beyond the bound: how the group is in the end.
  CHECK(number_at(150).substr(0, 13) == R"({"t":{"n":199)");
  CHECK(number_at(199).substr(0, 13) == R"({"t":{"n":199)");
}
