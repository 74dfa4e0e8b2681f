#include "console/session.h"

#include <algorithm>

#include "hogflare/digest.h"
#include "hogflare/whole_number.h"

namespace hogflare::console {
namespace {

constexpr std::string_view kBearer = "Bearer ";

const std::string& token_of(const Config& config, Role role) {
  const bool is_admins = role == Role::kAdmin;
  return is_admins ? config.admin_token : config.viewer_token;
}

std::string_view view_of(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// A key for one purpose out of a token.
std::string mac_with(const std::string& token, std::string_view purpose, std::string_view message) {
  return to_hex(hmac_sha256(view_of(hmac_sha256(token, purpose)), message));
}

constexpr std::string_view kCookiePurpose = "hogflare console cookie v1";
constexpr std::string_view kCsrfPurpose = "hogflare console csrf v1";

bool is_https(const ConsoleHead& console) { return console.own_origin.substr(0, 8) == "https://"; }

// A prefix of "__Host-" makes browsers refuse the cookie of another host or path; they refuse it of
// plain http, too, which a local run has.
std::string_view cookie_name(const ConsoleHead& console) {
  return is_https(console) ? "__Host-hf" : "hf";
}

std::string_view cookie_value(std::string_view cookies, std::string_view name) {
  while (!cookies.empty()) {
    const size_t end = cookies.find(';');
    std::string_view pair = cookies.substr(0, end);
    while (!pair.empty() && pair.front() == ' ') pair.remove_prefix(1);
    if (pair.substr(0, name.size()) == name && pair.substr(name.size(), 1) == "=") {
      return pair.substr(name.size() + 1);
    }
    cookies.remove_prefix(end == std::string_view::npos ? cookies.size() : end + 1);
  }
  return {};
}

// The text up to the next point, which is taken away too.
std::string_view take_field(std::string_view& text) {
  const size_t end = text.find('.');
  const std::string_view field = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return field;
}

int64_t number_of(std::string_view text) { return whole_number<int64_t>(text).value_or(-1); }

Caller caller_of_cookie(const Config& config, std::string_view value, int64_t now_ms) {
  const size_t mac_at = value.rfind('.');
  if (mac_at == std::string_view::npos) return {};
  const std::string_view said = value.substr(0, mac_at);
  std::string_view rest = said;
  const bool is_known_version = take_field(rest) == "v1";
  const std::string_view role_text = take_field(rest);
  const int64_t issued_s = number_of(take_field(rest));
  const int64_t expires_s = number_of(take_field(rest));
  const Role role = role_text == "admin"    ? Role::kAdmin
                    : role_text == "viewer" ? Role::kViewer
                                            : Role::kNobody;
  if (!is_known_version || role == Role::kNobody || token_of(config, role).empty()) return {};
  const std::string& token = token_of(config, role);
  if (!constant_time_equal(mac_with(token, kCookiePurpose, said), value.substr(mac_at + 1))) {
    return {};
  }
  const int64_t now_s = now_ms / 1000;
  if (issued_s < 0 || now_s >= expires_s) return {};
  return {role, mac_with(token, kCsrfPurpose, said), expires_s};
}

}  // namespace

std::string_view name_of(Role role) {
  return role == Role::kAdmin ? "admin" : role == Role::kViewer ? "viewer" : "nobody";
}

bool has_tokens(const Config& config) {
  return !config.admin_token.empty() || !config.viewer_token.empty();
}

Role role_of_token(const Config& config, std::string_view token) {
  const bool is_admin = constant_time_equal(token, config.admin_token);
  const bool is_viewer = constant_time_equal(token, config.viewer_token);
  if (token.empty()) return Role::kNobody;
  return is_admin ? Role::kAdmin : is_viewer ? Role::kViewer : Role::kNobody;
}

Caller caller_of(const Config& config, const RequestHead& head, const ConsoleHead& console,
                 int64_t now_ms) {
  if (head.authorization.substr(0, kBearer.size()) == kBearer) {
    return {role_of_token(config, head.authorization.substr(kBearer.size())), "", 0};
  }
  return caller_of_cookie(config, cookie_value(console.cookie, cookie_name(console)), now_ms);
}

std::optional<std::string_view> refuse_foreign(const ConsoleHead& console) {
  if (!console.origin.empty() && console.origin != console.own_origin) {
    return "the request's Origin is another page's";
  }
  if (!console.sec_fetch_site.empty() && console.sec_fetch_site != "same-origin" &&
      console.sec_fetch_site != "none") {
    return "the request's Sec-Fetch-Site is another page's";
  }
  return std::nullopt;
}

std::optional<std::string_view> refuse_forged(const Caller& caller, const ConsoleHead& console) {
  if (!caller.has_cookie()) return std::nullopt;
  if (const auto why = refuse_foreign(console)) return why;
  if (!constant_time_equal(caller.csrf, console.csrf)) {
    return "send the header x-hogflare-csrf with the csrf of GET /app/api/session";
  }
  return std::nullopt;
}

NewSession begin_session(const Config& config, Role role, const ConsoleHead& console, Turn turn) {
  static constexpr char kHex[] = "0123456789abcdef";
  const int64_t now_s = turn.now_ms / 1000;
  const int64_t expires_s = now_s + limits::kConsoleSessionS;
  std::string said = "v1." + std::string(name_of(role)) + '.' + std::to_string(now_s) + '.' +
                     std::to_string(expires_s) + '.';
  for (int i = 0; i < 32; ++i) said += kHex[turn.entropy.below(16)];
  const std::string& token = token_of(config, role);
  NewSession session;
  session.caller = {role, mac_with(token, kCsrfPurpose, said), expires_s};
  session.set_cookie =
      std::string(cookie_name(console)) + '=' + said + '.' + mac_with(token, kCookiePurpose, said) +
      "; Path=/; HttpOnly; SameSite=Strict; Max-Age=" + std::to_string(limits::kConsoleSessionS);
  if (is_https(console)) session.set_cookie += "; Secure";
  return session;
}

std::string end_session(const ConsoleHead& console) {
  std::string cookie =
      std::string(cookie_name(console)) + "=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0";
  if (is_https(console)) cookie += "; Secure";
  return cookie;
}

// --- Attempts ---

namespace {

// Who has one address of IPv6 has its whole /64 (RFC 4291 §2.5.1): the first four groups count,
// with the zeros that "::" stands for.
std::string network_of(std::string_view address) {
  std::string network(address);
  if (address.find('.') != std::string_view::npos) return network;
  if (const size_t gap = network.find("::"); gap != std::string::npos) {
    // There are as many groups as colons; beside a gap at an end one less, whose zero is the first
    // or the last.
    const auto colons = std::count(network.begin(), network.end(), ':');
    std::string zeros = gap == 0 ? "0:" : ":";
    for (auto groups = colons; groups < 8; ++groups) zeros += "0:";
    network.replace(gap, 2, zeros);
  }
  size_t end = network.find(':');
  for (int groups = 1; groups < 4 && end != std::string::npos; ++groups) {
    end = network.find(':', end + 1);
  }
  return network.substr(0, end);
}

}  // namespace

uint64_t Attempts::hash_of(std::string_view address) const {
  const Sha256Digest digest = hmac_sha256(seed_, network_of(address));
  uint64_t hash = 0;
  for (size_t i = 0; i < sizeof(hash); ++i) hash = hash << 8 | digest[i];
  return hash;
}

uint32_t Attempts::seconds_until_free(std::string_view address, int64_t now_ms) const {
  if (seed_.empty()) return 0;
  const uint64_t network = hash_of(address);
  const auto* first = &slots_[first_slot(network)];
  const auto* slot =
      std::find_if(first, first + kWays, [=](const Slot& one) { return one.network == network; });
  if (slot == first + kWays) return 0;
  const bool is_over = slot->failures < limits::kSignInAttemptsMax ||
                       now_ms - slot->last_ms >= limits::kSignInWindowMs || now_ms < slot->last_ms;
  if (is_over) return 0;
  const int64_t left_ms = slot->last_ms + limits::kSignInWindowMs - now_ms;
  return static_cast<uint32_t>((left_ms + 999) / 1000);
}

// Five within a minute are free. Who used them up has one a minute, until ten minutes have passed
// without any.
void Attempts::count_failure(std::string_view address, const Turn& turn) {
  while (seed_.size() < 32) seed_ += static_cast<char>(turn.entropy.below(256));
  const uint64_t network = hash_of(address);
  Slot* first = &slots_[first_slot(network)];
  Slot* found =
      std::find_if(first, first + kWays, [=](const Slot& one) { return one.network == network; });
  if (found == first + kWays) {
    found = std::min_element(first, first + kWays, [](const Slot& left, const Slot& right) {
      return left.last_ms < right.last_ms;
    });
    *found = {network, turn.now_ms, turn.now_ms, 0};
  }
  Slot& slot = *found;
  const bool is_limited = slot.failures >= limits::kSignInAttemptsMax;
  const int64_t forgiven_ms = is_limited ? limits::kSignInForgivenMs : limits::kSignInWindowMs;
  const int64_t since_ms = is_limited ? slot.last_ms : slot.since_ms;
  if (turn.now_ms - since_ms >= forgiven_ms || turn.now_ms < since_ms) {
    slot = {network, turn.now_ms, turn.now_ms, 0};
  }
  slot.last_ms = turn.now_ms;
  slot.failures += 1;
}

}  // namespace hogflare::console
