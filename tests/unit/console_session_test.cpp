// The console's cookie, its token against forgery, how often an address may try, and Access's
// token.
#include <catch2/catch.hpp>
#include <string>

#include "console/access.h"
#include "console/session.h"
#include "hogflare/metrics.h"
#include "tests/access_sample.h"

namespace hogflare {
namespace {

using console::Caller;
using console::Role;

constexpr int64_t kNowMs = 1'800'000'000'000;
constexpr uint8_t kSeed[32] = {7};

Config config_with(std::string admin, std::string viewer) {
  Config config;
  config.admin_token = std::move(admin);
  config.viewer_token = std::move(viewer);
  return config;
}

ConsoleHead head_on(std::string_view origin) {
  ConsoleHead head;
  head.own_origin = origin;
  return head;
}

struct World {
  Config config = config_with("admin-token", "viewer-token");
  ConsoleHead head = head_on("https://h.example");
  Entropy entropy{kSeed};
  Metrics metrics;

  Turn turn(int64_t now_ms = kNowMs) { return {now_ms, entropy, config, metrics, nullptr}; }
  std::string cookie(Role role) {
    const std::string set = console::begin_session(config, role, head, turn()).set_cookie;
    return set.substr(0, set.find(';'));
  }
  Caller caller(std::string_view cookie, int64_t now_ms = kNowMs) {
    head.cookie = cookie;
    return console::caller_of(config, RequestHead{}, head, now_ms);
  }
};

TEST_CASE("A session's cookie says its role until it ends") {
  World world;
  for (const Role role : {Role::kAdmin, Role::kViewer}) {
    const std::string cookie = world.cookie(role);
    CHECK(cookie.rfind("__Host-hf=", 0) == 0);
    CHECK(world.caller(cookie).role == role);
    CHECK(world.caller("a=b; " + cookie + "; c=d").role == role);
    const int64_t end_ms = kNowMs + limits::kConsoleSessionS * 1000;
    CHECK(world.caller(cookie, end_ms - 1).role == role);
    CHECK(world.caller(cookie, end_ms).role == Role::kNobody);
  }
  CHECK(world.cookie(Role::kAdmin) != world.cookie(Role::kAdmin));
}

TEST_CASE("A cookie of which any byte is another is nobody's") {
  World world;
  const std::string cookie = world.cookie(Role::kViewer);
  for (size_t i = cookie.find('=') + 1; i < cookie.size(); ++i) {
    for (const char other : {'0', 'a', '.', '\xff'}) {
      std::string changed = cookie;
      if (changed[i] == other) continue;
      changed[i] = other;
      INFO(changed);
      CHECK(world.caller(changed).role == Role::kNobody);
    }
    CHECK(world.caller(cookie.substr(0, i)).role == Role::kNobody);
  }
  CHECK(world.caller(cookie + "0").role == Role::kNobody);
  CHECK(world.caller("").role == Role::kNobody);
}

TEST_CASE("A new token ends the sessions of the old one, and no other role's") {
  World world;
  const std::string admins = world.cookie(Role::kAdmin);
  const std::string viewers = world.cookie(Role::kViewer);
  world.config.admin_token = "another";
  CHECK(world.caller(admins).role == Role::kNobody);
  CHECK(world.caller(viewers).role == Role::kViewer);
  world.config.viewer_token.clear();
  CHECK(world.caller(viewers).role == Role::kNobody);
}

TEST_CASE("An empty token is nobody's, whatever is configured") {
  CHECK(console::role_of_token(config_with("", ""), "") == Role::kNobody);
  CHECK(console::role_of_token(config_with("a", ""), "") == Role::kNobody);
  CHECK(console::role_of_token(config_with("a", "b"), "b") == Role::kViewer);
  CHECK(console::role_of_token(config_with("a", "a"), "a") == Role::kAdmin);
}

TEST_CASE("A change by cookie needs the session's token and this page") {
  World world;
  const std::string cookie = world.cookie(Role::kAdmin);
  const Caller caller = world.caller(cookie);
  const auto is_refused = [&](std::string_view origin, std::string_view site,
                              std::string_view csrf) {
    ConsoleHead head = world.head;
    head.origin = origin;
    head.sec_fetch_site = site;
    head.csrf = csrf;
    return console::refuse_forged(caller, head).has_value();
  };
  CHECK(!is_refused("https://h.example", "same-origin", caller.csrf));
  CHECK(!is_refused("", "", caller.csrf));
  CHECK(!is_refused("", "none", caller.csrf));
  CHECK(is_refused("https://evil.example", "", caller.csrf));
  CHECK(is_refused("null", "", caller.csrf));
  CHECK(is_refused("", "same-site", caller.csrf));
  CHECK(is_refused("", "cross-site", caller.csrf));
  CHECK(is_refused("https://h.example", "same-origin", ""));
  CHECK(is_refused("https://h.example", "same-origin",
                   world.caller(world.cookie(Role::kAdmin)).csrf));
  Caller bearer;
  bearer.role = Role::kAdmin;
  CHECK(!console::refuse_forged(bearer, world.head));
}

TEST_CASE("No number of networks keeps another one from signing in") {
  World world;
  console::Attempts attempts;
  for (int network = 0; network < 3'000; ++network) {
    const std::string address = "2001:db8:" + std::to_string(network) + "::1";
    CHECK(attempts.seconds_until_free(address, kNowMs) == 0);
    for (int i = 0; i < 5; ++i) attempts.count_failure(address, world.turn());
    CHECK(attempts.seconds_until_free(address, kNowMs) == 60);
  }
  CHECK(attempts.seconds_until_free("203.0.113.9", kNowMs) == 0);
}

TEST_CASE("An address has five attempts a minute, then one, until ten minutes were quiet") {
  World world;
  console::Attempts attempts;
  for (int i = 0; i < 5; ++i) {
    CHECK(attempts.seconds_until_free("2001:db8:1:2::1", kNowMs) == 0);
    attempts.count_failure("2001:db8:1:2::1", world.turn());
  }
  CHECK(attempts.seconds_until_free("2001:db8:1:2::1", kNowMs) == 60);
  CHECK(attempts.seconds_until_free("2001:db8:1:2:ffff::9", kNowMs) == 60);
  CHECK(attempts.seconds_until_free("203.0.113.9", kNowMs) == 0);
  const int64_t minute = kNowMs + 60'000;
  CHECK(attempts.seconds_until_free("2001:db8:1:2::1", minute) == 0);
  attempts.count_failure("2001:db8:1:2::1", world.turn(minute));
  CHECK(attempts.seconds_until_free("2001:db8:1:2::1", minute) == 60);
  const int64_t quiet = minute + 600'000;
  for (int i = 0; i < 5; ++i) {
    CHECK(attempts.seconds_until_free("2001:db8:1:2::1", quiet) == 0);
    attempts.count_failure("2001:db8:1:2::1", world.turn(quiet));
  }
  CHECK(attempts.seconds_until_free("2001:db8:1:2::1", quiet) == 60);
}

TEST_CASE("A network of IPv6 is one however its addresses leave zeros out") {
  World world;
  const std::vector<std::vector<std::string>> networks = {
      {"2001:db8::1", "2001:db8::2:3:4:5", "2001:db8:0:0:1::", "2001:db8:0:0:9:9:9:9"},
      {"2001:db8:0:1::7", "2001:db8:0:1:5:6:7:8"},
      {"2001::5", "2001::5:6:7:8"},
      {"::1", "::5:6:7:8"},
  };
  for (const std::vector<std::string>& addresses : networks) {
    console::Attempts attempts;
    for (int i = 0; i < 5; ++i) attempts.count_failure(addresses[0], world.turn());
    for (const std::string& address : addresses) {
      INFO(address);
      CHECK(attempts.seconds_until_free(address, kNowMs) == 60);
    }
    CHECK(attempts.seconds_until_free("2001:db8:0:2::7", kNowMs) == 0);
    CHECK(attempts.seconds_until_free("203.0.113.9", kNowMs) == 0);
  }
}

Config with_access() {
  Config config;
  config.access_issuer = std::string(test::kAccessIssuer);
  config.access_audience = std::string(test::kAccessAudience);
  return config;
}

TEST_CASE("Access's token holds as it was signed, for its application and its time") {
  using Verdict = console::AccessAnswer::Verdict;
  console::AccessKeys keys;
  CHECK(keys.verify(with_access(), test::kAccessToken, test::kAccessNowMs).verdict ==
        Verdict::kUnknownKey);
  REQUIRE(keys.take(test::kAccessKeys, kNowMs));
  const console::AccessAnswer good =
      keys.verify(with_access(), test::kAccessToken, test::kAccessNowMs);
  CHECK(good.verdict == Verdict::kGood);
  CHECK(good.who == "ada@example.com");
  for (const int64_t now_ms : {int64_t{1'600'000'000'000}, int64_t{4'102'444'800'000}}) {
    CHECK(keys.verify(with_access(), test::kAccessToken, now_ms).verdict == Verdict::kBad);
  }
  Config other = with_access();
  other.access_audience = "another";
  CHECK(keys.verify(other, test::kAccessToken, test::kAccessNowMs).verdict == Verdict::kBad);
  other = with_access();
  other.access_issuer = "https://other.cloudflareaccess.com";
  CHECK(keys.verify(other, test::kAccessToken, test::kAccessNowMs).verdict == Verdict::kBad);
  CHECK(!keys.take("{}", kNowMs));
  CHECK(keys.verify(with_access(), test::kAccessToken, test::kAccessNowMs).verdict ==
        Verdict::kGood);
}

TEST_CASE("Access's keys that a clock that was ahead has read or asked for are read again") {
  constexpr int64_t kYearMs = 365 * int64_t{86'400'000};
  console::AccessKeys keys;
  keys.note_asked(kNowMs + kYearMs);
  CHECK_FALSE(keys.are_due(kNowMs + kYearMs + 1, true));
  CHECK(keys.are_due(kNowMs, false));  // nothing has come
  keys.note_asked(kNowMs + kYearMs);
  REQUIRE(keys.take(test::kAccessKeys, kNowMs + kYearMs));
  CHECK_FALSE(keys.are_due(kNowMs + kYearMs + 120'000, false));
  CHECK(keys.are_due(kNowMs, false));
  CHECK(keys.are_due(kNowMs, true));
  keys.note_asked(kNowMs);
  REQUIRE(keys.take(test::kAccessKeys, kNowMs));
  // As often as ever from now on.
  CHECK_FALSE(keys.are_due(kNowMs + 59'999, true));
  CHECK(keys.are_due(kNowMs + 60'000, true));
  CHECK_FALSE(keys.are_due(kNowMs + 3'599'999, false));
  CHECK(keys.are_due(kNowMs + 3'600'000, false));
  CHECK(keys.are_due(kNowMs + kYearMs, false));
}

TEST_CASE("Access's token of which a byte is another does not hold") {
  console::AccessKeys keys;
  REQUIRE(keys.take(test::kAccessKeys, kNowMs));
  const std::string token(test::kAccessToken);
  // The last character holds bits that are no byte's.
  for (size_t i = 0; i + 1 < token.size(); i += 7) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    INFO(i);
    CHECK(keys.verify(with_access(), changed, test::kAccessNowMs).verdict !=
          console::AccessAnswer::Verdict::kGood);
  }
}

}  // namespace
}  // namespace hogflare
