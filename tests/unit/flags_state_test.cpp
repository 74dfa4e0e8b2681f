// Which definitions are in force, whatever their sources do.
#include <catch2/catch.hpp>

#include "http/flags_state.h"
#include "hogflare/digest.h"
#include "hogflare/flags.h"
#include "hogflare/limits.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr int64_t kNow = 1'750'000'000'000;

Config config_with(std::string variable, std::string bundled, std::string kv_key) {
  Config config;
  config.feature_flags = std::move(variable);
  config.bundled_flags = std::move(bundled);
  config.flags_kv_key = std::move(kv_key);
  config.flags_ttl_ms = 60'000;
  return config;
}

// Bytes that requests in flight hold.
size_t no_requests = 0;

std::string flag_named(const std::string& key) { return R"([{"key":")" + key + R"("}])"; }

EffectResult kv_value(std::string text) {
  EffectResult result;
  result.ok = true;
  result.http_status = 200;
  result.body = std::move(text);
  return result;
}

EffectResult kv_missing() {
  EffectResult result;
  result.ok = true;
  result.http_status = 404;
  return result;
}

EffectResult kv_failed() {
  EffectResult result;
  result.body = "no answer";
  return result;
}

bool has_flag(FlagsState& state, std::string_view key) {
  flags::Request request;
  request.distinct_id = "user";
  const FlagsLease lease = state.lease();
  return flags::evaluate(lease.definitions(), request, {}, kNow).find(key) != nullptr;
}

}  // namespace

TEST_CASE("the variable goes before flags.json", "[flags]") {
  const Config both = config_with(flag_named("variable"), flag_named("file"), "");
  FlagsState from_variable(both, no_requests);
  CHECK(has_flag(from_variable, "variable"));
  CHECK(!has_flag(from_variable, "file"));
  const Config one = config_with("", flag_named("file"), "");
  FlagsState from_file(one, no_requests);
  CHECK(has_flag(from_file, "file"));
  CHECK(from_file.has_good_set());
  CHECK(!from_file.kv_is_due(kNow));
}

TEST_CASE("a refused variable is a missing set, not an empty one", "[flags]") {
  const Config config = config_with("{", flag_named("file"), "");
  FlagsState state(config, no_requests);
  CHECK(!state.has_good_set());
  CHECK(!has_flag(state, "file"));
  REQUIRE(state.problems().size() == 1);
  CHECK(state.problems()[0].find("there is no other set") != std::string::npos);
}

TEST_CASE("an empty flags.json is a good set unless a key should give one", "[flags]") {
  const Config alone = config_with("", R"({"flags":[]})", "");
  CHECK(FlagsState(alone, no_requests).has_good_set());
  const Config with_key = config_with("", R"({"flags":[]})", "key");
  FlagsState state(with_key, no_requests);
  CHECK(!state.has_good_set());
  state.take_kv(kv_value("[]"), kNow);
  CHECK(state.has_good_set());
}

TEST_CASE("before its first answer everybody reads the key, then one request a while", "[flags]") {
  const Config config = config_with("", "", "key");
  FlagsState state(config, no_requests);
  CHECK(state.kv_is_due(kNow));
  CHECK(state.kv_is_due(kNow));
  state.take_kv(kv_value(flag_named("a")), kNow);
  CHECK(!state.kv_is_due(kNow + 59'999));
  CHECK(state.kv_is_due(kNow + 60'000));
  CHECK(!state.kv_is_due(kNow + 60'001));
  // The clock was ahead.
  CHECK(state.kv_is_due(kNow));
  CHECK(!state.kv_is_due(kNow));
}

TEST_CASE("a key that cannot be read is asked again soon while there is no set", "[flags]") {
  const Config config = config_with("", "", "key");
  for (const EffectResult& bad : {kv_failed(), kv_missing()}) {
    FlagsState state(config, no_requests);
    CHECK(state.kv_is_due(kNow));
    state.take_kv(bad, kNow);
    CHECK(!state.has_good_set());
    CHECK(state.problems().size() == 1);
    CHECK(!state.kv_is_due(kNow + 999));
    CHECK(state.kv_is_due(kNow + 1'000));
    state.take_kv(kv_value(flag_named("a")), kNow + 1'000);
    CHECK(state.has_good_set());
    CHECK(state.problems().empty());
    // With a good set a key that is gone waits as long as any, one that cannot be read does not.
    CHECK(state.kv_is_due(kNow + 61'000));
    state.take_kv(bad, kNow + 61'000);
    CHECK(has_flag(state, "a"));
    CHECK(state.has_good_set());
    CHECK(!state.kv_is_due(kNow + 61'999));
    CHECK(state.kv_is_due(kNow + 62'000) == !bad.ok);
    // The same text again is parsed no second time and clears the problem.
    state.take_kv(kv_value(flag_named("a")), kNow + 121'000);
    CHECK(state.problems().empty());
  }
}

TEST_CASE("a flag at fault is named and its siblings answer", "[flags]") {
  const Config config = config_with(flag_named("variable"), "", "key");
  FlagsState state(config, no_requests);
  state.take_kv(kv_value(R"([{"key":"a"},{"key":"a"},{"key":"b"}])"), kNow);
  CHECK(has_flag(state, "b"));
  CHECK(state.has_good_set());
  REQUIRE(state.problems().size() == 1);
  CHECK(state.problems()[0].find("flags[1].key") != std::string::npos);
  state.take_kv(kv_value(R"([{"key":"a"},{"key":"a"},{"key":"b"}])"), kNow + 1);
  CHECK(state.problems().size() == 1);
}

TEST_CASE("a refused document stays named until a good one comes", "[flags]") {
  const Config config = config_with(flag_named("variable"), "", "key");
  FlagsState state(config, no_requests);
  const std::string bad = R"([{"key":"a"},)";
  state.take_kv(kv_value(bad), kNow);
  CHECK(has_flag(state, "variable"));
  REQUIRE(state.problems().size() == 1);
  CHECK(state.problems()[0].find("the last good set stays") != std::string::npos);
  state.take_kv(kv_value(bad), kNow + 1);
  CHECK(state.problems().size() == 1);
  state.take_kv(kv_failed(), kNow + 2);
  CHECK(state.problems()[0].find("could not be read") != std::string::npos);
  state.take_kv(kv_value(flag_named("good")), kNow + 3);
  CHECK(state.problems().empty());
  CHECK(has_flag(state, "good"));
  CHECK(state.describe().find(R"("source":"KV")") != std::string::npos);
}

TEST_CASE("a document for which requests leave no memory is taken a second later", "[flags]") {
  const Config config = config_with("", "", "key");
  size_t held = 0;
  FlagsState state(config, held);
  state.take_kv(kv_value(flag_named("old")), kNow);
  std::string large = flag_named("new");
  large.insert(large.size() - 1, std::string(1 << 20, ' '));
  held = limits::kRequestMemoryBytesMax - (1 << 20);
  CHECK(state.kv_is_due(kNow + 60'000));
  state.take_kv(kv_value(large), kNow + 60'000);
  CHECK(has_flag(state, "old"));
  CHECK(state.has_good_set());
  REQUIRE(state.problems().size() == 1);
  CHECK(state.problems()[0].find("requests take the memory") != std::string::npos);
  CHECK(held == limits::kRequestMemoryBytesMax - (1 << 20));
  CHECK(!state.kv_is_due(kNow + 60'999));
  CHECK(state.kv_is_due(kNow + 61'000));
  held = 0;
  state.take_kv(kv_value(large), kNow + 61'000);
  CHECK(has_flag(state, "new"));
  CHECK(state.problems().empty());
  CHECK(held == 0);  // a set that stands is no request's
}

TEST_CASE("a document that is too large is refused without being read again soon", "[flags]") {
  const Config config = config_with("", "", "key");
  FlagsState state(config, no_requests);
  state.take_kv(kv_value(flag_named("old")), kNow);
  CHECK(state.kv_is_due(kNow + 60'000));
  EffectResult large;
  large.http_status = 413;
  state.take_kv(large, kNow + 60'000);
  CHECK(has_flag(state, "old"));
  REQUIRE(state.problems().size() == 1);
  CHECK(state.problems()[0] ==
        "flags of KV are refused, the last good set stays: the document has more than the 4194304 "
        "bytes that are taken");
  CHECK(!state.kv_is_due(kNow + 119'999));
  state.take_kv(kv_value(flag_named("old")), kNow + 120'000);
  CHECK(state.problems().empty());
}

TEST_CASE("a document that trapped the core is refused by name, and the one before it stays",
          "[flags]") {
  const std::string bad = flag_named("bad");
  const std::string name = to_hex(sha1(bad));
  Config config = config_with("", "", "key");
  config.refused_flags = {name};
  config.former_flags = flag_named("good");
  FlagsState state(config, no_requests);
  CHECK(has_flag(state, "good"));
  CHECK(state.kv_is_due(kNow));
  const uint32_t before = flags_taking().sets_taken;
  for (const int64_t at : {kNow, kNow + 60'000}) {
    state.take_kv(kv_value(bad), at);
    CHECK(has_flag(state, "good"));
    CHECK(!has_flag(state, "bad"));
    REQUIRE(state.problems().size() == 1);
    CHECK(state.problems()[0].find(
              "flags of KV are refused, the last good set stays: taking this document (SHA-1 " +
              name) == 0);
  }
  CHECK(flags_taking().sets_taken == before);
  CHECK(flags_taking().sha1[0] == '\0');
  state.take_kv(kv_value(flag_named("mended")), kNow + 120'000);
  CHECK(has_flag(state, "mended"));
  CHECK(state.problems().empty());
  CHECK(flags_taking().sets_taken == before + 1);

  config.feature_flags = bad;
  config.former_flags = "";
  FlagsState of_variable(config, no_requests);
  CHECK(!of_variable.has_good_set());
  REQUIRE(of_variable.problems().size() == 1);
  CHECK(of_variable.problems()[0].find("flags of HOGFLARE_FEATURE_FLAGS are refused") == 0);
}

TEST_CASE("settings are those of the document that gave the flags", "[flags]") {
  const Config config = config_with("", "", "key");
  FlagsState state(config, no_requests);
  state.take_kv(kv_value(R"({"flags":[{"key":"a"}],"remote_config":{"captureDeadClicks":true,
                             "minimalFlagCalledEvents":true},"surveys":[{"id":"s","name":"n",
                             "type":"popover","questions":[]}],"survey_config":null})"),
                kNow);
  const FlagsLease lease = state.lease();
  CHECK(lease.settings().minimal_flag_called_events);
  CHECK(lease.settings().config.at("captureDeadClicks") == "true");
  CHECK(lease.settings().has_surveys);
  CHECK(lease.settings().problems.empty());
}

TEST_CASE("a set in use outlives the one that takes over", "[flags]") {
  const Config config = config_with(flag_named("old"), "", "key");
  FlagsState state(config, no_requests);
  FlagsLease first = state.lease();
  FlagsLease second = state.lease();
  state.take_kv(kv_value(flag_named("new")), kNow);
  CHECK(first.definitions().size() == 1);
  CHECK(&first.definitions() == &second.definitions());
  FlagsLease moved = std::move(first);
  second = state.lease();
  CHECK(&moved.definitions() != &second.definitions());
  flags::Request request;
  request.distinct_id = "user";
  CHECK(flags::evaluate(moved.definitions(), request, {}, kNow).find("old") != nullptr);
  CHECK(flags::evaluate(second.definitions(), request, {}, kNow).find("new") != nullptr);
  // Also when yet another one comes, and when nobody uses the old one any more.
  state.take_kv(kv_value(flag_named("newer")), kNow + 1);
  CHECK(moved.definitions().size() == 1);
  moved = FlagsLease();
  state.take_kv(kv_value(flag_named("newest")), kNow + 2);
  CHECK(second.definitions().size() == 1);
  CHECK(has_flag(state, "newest"));
}

TEST_CASE("the anonymous id counts inside person_properties too", "[flags]") {
  const auto read = [](const std::string& rest) {
    const Result<Request> request =
        parse_request(R"({"token":"t","distinct_id":"u",)" + rest + "}", RequestHeaders{});
    REQUIRE(request.ok());
    return request.value().anon_distinct_id.value_or("none");
  };
  CHECK(read(R"("person_properties":{"$anon_distinct_id":"a"})") == "a");
  CHECK(read(R"("$anon_distinct_id":"b","person_properties":{"$anon_distinct_id":"a"})") == "b");
  CHECK(read(R"("person_properties":{"$anon_distinct_id":""})") == "none");
  CHECK(read(R"("person_properties":{"$anon_distinct_id":{}})") == "none");
}

TEST_CASE("an empty anonymous id is nobody's key, given or stored", "[flags]") {
  const Result<Definitions> definitions = Definitions::parse(
      R"([{"key":"f","ensure_experience_continuity":true,
           "filters":{"groups":[{"rollout_percentage":0}]}}])",
      ParseOptions{});
  REQUIRE(definitions.ok());
  Request request;
  request.distinct_id = "u";
  request.anon_distinct_id = "";
  StoredState stored;
  CHECK(hash_keys_to_store(definitions.value(), request, stored).empty());
  // An older version stored it: it is as if it were not there.
  stored.hash_keys = {{"f", ""}};
  request.anon_distinct_id = "a";
  CHECK(!evaluate(definitions.value(), request, stored, kNow).find("f")->enabled);
  CHECK(hash_keys_to_store(definitions.value(), request, stored) == std::vector<std::string>{"f"});
}

TEST_CASE("early_exit goes past conditions that were skipped", "[flags]") {
  const Result<Definitions> definitions = Definitions::parse(
      R"({"flags":[{"key":"f","bucketing_identifier":"device_id","filters":{"early_exit":true,
          "groups":[{"properties":[],"rollout_percentage":50},{"properties":[],
          "aggregation_group_type_index":0,"rollout_percentage":100}]}}],
          "group_type_mapping":{"0":"company"}})",
      ParseOptions{});
  REQUIRE(definitions.ok());
  const auto result = [&](const std::string& rest) {
    const Result<Request> request =
        parse_request(R"({"token":"t","distinct_id":"u")" + rest + "}", RequestHeaders{});
    REQUIRE(request.ok());
    return *evaluate(definitions.value(), request.value(), StoredState{}, 0).find("f");
  };
  CHECK(result(R"(,"groups":{"company":"acme"})").enabled);
  CHECK(result("").reason == Reason::kOutOfRolloutBound);
  CHECK(result("").condition_index == 0);
}
