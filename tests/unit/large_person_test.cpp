// A large person that many events of one request change: what the request costs, and what its rows
// show.
#include <catch2/catch.hpp>

#include <string>

#include "hogflare/limits.h"
#include "identity_support.h"

namespace hogflare::test {
namespace {

constexpr size_t kLarge = 600'000;
// As ApplyReplyWriter::is_full() has it.
constexpr size_t kFreeTextBytes = limits::kPersonReplyBytesMax / 2;

struct LargePerson {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;

  LargePerson() {
    EventBatch batch;
    batch.add(R"({"event":"$set","distinct_id":"a","properties":{"$set":{"front":0,"large":")" +
              std::string(kLarge, 'x') + R"(","back":0}}})");
    RequestRun run(host, caches, project, batch);
  }

  // Events that each set what `properties` makes of their number.
  template <typename Properties>
  static void add_changes(EventBatch& batch, int count, Properties properties) {
    for (int i = 0; i < count; ++i) {
      batch.add(R"({"event":"e","distinct_id":"a","properties":{"$set":{)" + properties(i) + "}}}");
    }
  }

  std::string stored() {
    return read_stored_person(host.objects.at({ObjectClass::kPerson, person_object_name(1, "a")}))
        .properties;
  }
};

size_t shown(RequestRun& run, size_t count) {
  size_t shown = 0;
  for (size_t i = 0; i < count; ++i) {
    const PersonView view = run.people.take_view(i);
    CHECK(view.properties_left_out == (view.person_properties == "{}"));
    CHECK(view.person_id == run.people.take_view(0).person_id);
    shown += view.properties_left_out ? 0 : 1;
  }
  return shown;
}

TEST_CASE("Events that change a large person show it while there is room, and then say so") {
  LargePerson f;
  EventBatch batch;
  f.add_changes(batch, 3'000, [](int i) { return "\"back\":" + std::to_string(i + 1); });
  f.host.calls.clear();
  RequestRun run(f.host, f.caches, f.project, batch);
  CHECK(f.host.calls[ObjectClass::kPerson] == 1);
  CHECK(run.people.take_view(0).person_properties.find("\"back\":1") != std::string_view::npos);
  // Free ones, and those that the operations' own bytes pay for.
  const size_t shown_count = shown(run, 3'000);
  CHECK(shown_count >= kFreeTextBytes / kLarge);
  CHECK(shown_count <= 3 * kFreeTextBytes / kLarge);
  // What is stored is the last change all the same.
  CHECK(f.stored().find("\"back\":3000") != std::string::npos);
}

TEST_CASE("Texts that differ at both ends take no call for every few of them") {
  LargePerson f;
  EventBatch batch;
  f.add_changes(batch, 3'000, [](int i) {
    return "\"front\":" + std::to_string(i + 1) + ",\"back\":" + std::to_string(i + 1);
  });
  f.host.calls.clear();
  RequestRun run(f.host, f.caches, f.project, batch);
  CHECK(f.host.calls[ObjectClass::kPerson] <= 3);
  CHECK(shown(run, 3'000) >= kFreeTextBytes / kLarge);
  CHECK(f.stored().find("\"front\":3000") != std::string::npos);
}

TEST_CASE("What operations bring themselves their rows show, however many they are") {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  EventBatch batch;
  LargePerson::add_changes(batch, 3'000, [](int i) {
    return "\"text\":\"" + std::string(800, static_cast<char>('a' + i % 26)) + "\"";
  });
  RequestRun run(host, caches, project, batch);
  CHECK(shown(run, 3'000) == 3'000);
}

TEST_CASE("A text that comes after texts left out is whole again") {
  ApplyReplyWriter writer;
  OpResult result;
  result.exists = true;
  result.uuid = "018f0000-0000-7000-8000-000000000000";
  PersonOp op;
  const auto add = [&](std::string_view text, bool wants_text) {
    op.wants_text = wants_text;
    writer.add(result, {text, 0}, op);
  };
  add(R"({"a":1,"b":1})", true);
  add("", false);
  add("", false);
  add(R"({"a":1,"b":2})", true);
  add(R"({"a":1,"b":2})", true);
  const std::optional<ApplyReply> reply =
      read_apply_reply(writer.finish(ApplyStatus::kDone, {}, false, false, {}));
  REQUIRE(reply.has_value());
  REQUIRE(reply->results.size() == 5);
  CHECK(reply->property_texts.size() == 3);  // those left out share one
  const auto text = [&](size_t i) { return reply->property_texts[reply->results[i].properties]; };
  CHECK(text(0) == R"({"a":1,"b":1})");
  CHECK(reply->results[1].properties_left_out);
  CHECK(reply->results[2].properties_left_out);
  CHECK_FALSE(reply->results[3].properties_left_out);
  CHECK(text(3) == R"({"a":1,"b":2})");
  CHECK(text(4) == text(3));
}

TEST_CASE("A group's properties are left out where there is no room for them") {
  ObjectHost host;
  IdentityCaches caches;
  const Project project;
  host.config.has_group_types = true;
  EventBatch batch;
  batch.add(R"({"event":"$groupidentify","distinct_id":"a","properties":{"$group_type":"company",)"
            R"("$group_key":"g","$group_set":{"text":"0123456789"}}})");
  RequestRun run(host, caches, project, batch);
  const GroupView whole = run.groups.take_view(0);
  CHECK_FALSE(whole.properties_left_out);
  const GroupView cut = run.groups.take_view(0, whole.group_properties_json.size() / 2);
  CHECK(cut.properties_left_out);
  CHECK(cut.group_properties_json.empty());
}

}  // namespace
}  // namespace hogflare::test
