// Who asks the console: no cookie is somebody's but one that was given out, and no token of
// Cloudflare Access holds but one that the team's key has signed.
#include <string>

#include "console/access.h"
#include "console/session.h"
#include "fuzz_input.h"
#include "hogflare/metrics.h"
#include "hogflare/result.h"
#include "tests/access_sample.h"

namespace {

using namespace hogflare;

constexpr uint8_t kSeed[32] = {1};

// The text with up to four bytes changed, taken out or put in, as the input says.
std::string changed(std::string text, fuzz::Input& input) {
  for (int count = input.byte() % 4; count >= 0; --count) {
    const size_t at = (size_t{input.byte()} << 8 | input.byte()) % (text.size() + 1);
    const uint8_t how = input.byte() % 3;
    if (how == 0)
      text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), static_cast<char>(input.byte()));
    if (at == text.size()) continue;
    if (how == 1) text.erase(at, 1 + input.byte() % 8);
    if (how == 2) text[at] = static_cast<char>(input.byte());
  }
  return text;
}

void check_cookie(fuzz::Input& input) {
  Config config;
  config.admin_token = "admin";
  config.viewer_token = input.flip() ? "viewer" : "";
  ConsoleHead head;
  head.own_origin = input.flip() ? "https://h.example" : "http://127.0.0.1";
  Entropy entropy(kSeed);
  Metrics metrics;
  const Turn turn{fuzz::kNowMs, entropy, config, metrics, nullptr};
  const console::NewSession session =
      console::begin_session(config, console::Role::kAdmin, head, turn);
  const std::string given = session.set_cookie.substr(0, session.set_cookie.find(';'));
  const std::string cookie = input.flip() ? changed(given, input) : std::string(input.rest());
  head.cookie = cookie;
  const console::Caller caller = console::caller_of(config, RequestHead{}, head, fuzz::kNowMs);
  // Other cookies may stand before and behind it.
  const bool is_there = cookie.find(given.substr(given.find('='))) != std::string::npos;
  HF_ASSERT(caller.is_known() == false || is_there);
  if (caller.is_known())
    HF_ASSERT(caller.role == console::Role::kAdmin && caller.csrf == session.caller.csrf);
  (void)console::refuse_forged(caller, head);
}

void check_access(fuzz::Input& input) {
  Config config;
  config.access_issuer = std::string(test::kAccessIssuer);
  config.access_audience = std::string(test::kAccessAudience);
  console::AccessKeys keys;
  HF_ASSERT(keys.take(test::kAccessKeys, test::kAccessNowMs));
  const std::string good(test::kAccessToken);
  const std::string token = input.flip() ? changed(good, input) : std::string(input.rest());
  const console::AccessAnswer answer = keys.verify(config, token, test::kAccessNowMs);
  // What is signed is all before the last point; of the signature the last character has idle bits.
  const size_t signed_size = good.rfind('.') + 1;
  const bool is_same = token.substr(0, signed_size) == good.substr(0, signed_size);
  if (answer.verdict == console::AccessAnswer::Verdict::kGood) HF_ASSERT(is_same);
  if (token == good) HF_ASSERT(answer.verdict == console::AccessAnswer::Verdict::kGood);
}

// Keys that anybody made up let nobody in with a token of the real one.
void check_keys(fuzz::Input& input) {
  Config config;
  config.access_issuer = std::string(test::kAccessIssuer);
  config.access_audience = std::string(test::kAccessAudience);
  console::AccessKeys keys;
  const std::string set =
      input.flip() ? changed(std::string(test::kAccessKeys), input) : std::string(input.rest());
  (void)keys.take(set, test::kAccessNowMs);
  (void)keys.verify(config, test::kAccessToken, test::kAccessNowMs);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  switch (input.byte() % 3) {
    case 0:
      check_cookie(input);
      break;
    case 1:
      check_access(input);
      break;
    default:
      check_keys(input);
      break;
  }
  return 0;
}
