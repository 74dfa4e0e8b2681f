// Who asks the console: the signed cookie, its token against forgery, and how often an address may
// try.
//
//   const Caller caller = caller_of(config, head, console_head, now_ms);
//   if (!caller.is_known()) return signed_out();
//
// The cookie is "v1.ROLE.ISSUED.EXPIRES.ID.MAC": times in Unix seconds, ID and MAC in hexadecimal.
// The key of the MAC is made from the role's token, so a new token ends every session of the old
// one. Nothing is stored.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "console/limits.h"
#include "hogflare/config.h"
#include "hogflare/request.h"
#include "hogflare/task.h"

namespace hogflare::console {

enum class Role : uint8_t { kNobody, kViewer, kAdmin };

std::string_view name_of(Role role);

// Who asks. `csrf` and `expires_at_s` are of a cookie; a bearer token has neither.
struct Caller {
  Role role = Role::kNobody;
  std::string csrf;
  int64_t expires_at_s = 0;

  bool is_known() const { return role != Role::kNobody; }
  bool has_cookie() const { return !csrf.empty(); }
};

// Whether somebody can sign in at all.
bool has_tokens(const Config& config);
// Compares with both tokens, however soon one fits.
Role role_of_token(const Config& config, std::string_view token);

// By "Authorization: Bearer TOKEN", else by the cookie. Does not look at the token against forgery.
Caller caller_of(const Config& config, const RequestHead& head, const ConsoleHead& console,
                 int64_t now_ms);

// Why a request that changes something is not the page's own; nullopt: it is. A bearer token is
// proof enough, for no browser adds one by itself.
std::optional<std::string_view> refuse_forged(const Caller& caller, const ConsoleHead& console);
// The same without the token against forgery, which nobody has before having signed in.
std::optional<std::string_view> refuse_foreign(const ConsoleHead& console);

// A new session of limits::kConsoleSessionS: the Set-Cookie header's value, and who holds it.
struct NewSession {
  std::string set_cookie;
  Caller caller;
};
NewSession begin_session(const Config& config, Role role, const ConsoleHead& console, Turn turn);
// The Set-Cookie header's value that ends one.
std::string end_session(const ConsoleHead& console);

// Failed attempts to sign in, by network. A fixed table under a seed of the isolate's own: where a
// network finds no place, the one that has not come for longest loses its own, so that no number of
// networks takes more memory, and none keeps another out.
class Attempts {
 public:
  // Seconds until this address may try again; 0: now.
  uint32_t seconds_until_free(std::string_view address, int64_t now_ms) const;
  void count_failure(std::string_view address, const Turn& turn);

 private:
  struct Slot {
    uint64_t network = 0;  // a hash
    int64_t since_ms = 0;  // of the first failure counted
    int64_t last_ms = 0;
    uint32_t failures = 0;
  };
  static constexpr size_t kSlots = 512;
  static constexpr size_t kWays = 8;  // slots that a network may have
  uint64_t hash_of(std::string_view address) const;
  static size_t first_slot(uint64_t network) { return network % (kSlots / kWays) * kWays; }

  std::array<Slot, kSlots> slots_{};
  std::string seed_;  // drawn with the first failure
};

}  // namespace hogflare::console
