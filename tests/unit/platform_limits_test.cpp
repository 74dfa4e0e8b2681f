// The native host refuses what the platform refuses, and what the core makes of it.
#include <catch2/catch.hpp>

#include "identity_support.h"
#include "object_host.h"

namespace hogflare::test {
namespace {

TEST_CASE("storage refuses a key or value above the platform's, and the turn is undone",
          "[platform]") {
  MemoryStorage storage;
  const std::string value(platform::kObjectValueBytes, 'v');
  storage.put("k", "old");
  storage.set_alarm(5);

  storage.begin_turn();
  storage.put("k", "new");
  storage.put("other", "new");
  storage.set_alarm(9);
  storage.put("v", value);
  CHECK(storage.refusal == "string or blob too big: SQLITE_TOOBIG");
  CHECK_FALSE(storage.end_turn());
  CHECK(storage.values == std::map<std::string, std::string>{{"k", "old"}});
  CHECK(storage.alarm() == 5);

  storage.begin_turn();
  storage.put(std::string(platform::kObjectKeyBytes + 1, 'k'), "");
  CHECK_FALSE(storage.end_turn());

  // Key and value together, to the byte.
  storage.begin_turn();
  storage.put("v", value.substr(1));
  CHECK(storage.end_turn());
  CHECK(storage.values.size() == 2);
}

TEST_CASE("an object whose storage refuses fails that call and nothing else", "[platform]") {
  ObjectHost host;
  IdentityCaches caches;
  Project project;
  const auto set_of = [](const char* id, size_t size) {
    return std::string(R"({"event":"$set","distinct_id":")") + id + R"(","$set":{"v":")" +
           std::string(size, 'x') + R"("}})";
  };
  EventBatch first;
  first.add(set_of("a", 10));
  RequestRun(host, caches, project, first);
  REQUIRE(host.rows_written() > 0);
  std::map<ObjectKey, std::map<std::string, std::string>> before;
  for (auto& [key, storage] : host.objects) {
    storage.value_bytes_max = 3'000;
    before[key] = storage.values;
  }
  EventBatch large;
  large.add(set_of("a", 20'000));
  RequestRun(host, caches, project, large);
  for (const auto& [key, storage] : host.objects) CHECK(storage.values == before[key]);
}

TEST_CASE("calls above an invocation's subrequests and above the RPC limit fail", "[platform]") {
  ObjectHost host;
  CallObject large{.object_class = ObjectClass::kPersonIdCounter, .name = "all", .request = {}};
  large.request.assign(platform::kRpcBytes + 1, 'r');
  CHECK_FALSE(host.try_call(large).has_value());
  CHECK(host.all_calls() == 0);

  host.subrequests_max = 2;
  IdentityCaches caches;
  Project project;
  EventBatch batch;
  for (const char* id : {"a", "b", "c", "d"}) {
    batch.add(std::string(R"({"event":"$set","distinct_id":")") + id + R"(","$set":{"v":1}})");
  }
  RequestRun(host, caches, project, batch);
  CHECK(host.calls[ObjectClass::kPerson] <= 2);
}

}  // namespace
}  // namespace hogflare::test
