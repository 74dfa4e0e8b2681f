// Whom /flags is asked about when the browser knows no id (PostHog
// rust/feature-flags/src/handler/cookieless.rs): the visitor's id of this moment, made from the
// request's own address, Origin and User-Agent.
#include "days.h"
#include "hogflare/cookieless.h"
#include "hogflare/text.h"
#include "hogflare/url.h"

namespace hogflare {
namespace {

// Of the visitor's object: flags do not wait long.
constexpr int kAttemptsMax = 2;
constexpr int64_t kDayMs = 86'400'000;

}  // namespace

CookielessFlagsRun::CookielessFlagsRun(flags::Request& request, const RequestHead& head,
                                       const Project& project, CookielessSalts& salts)
    : request_(request),
      head_(head),
      project_(project),
      salts_(salts),
      salt_run_(project.team_id, salts) {}

void CookielessFlagsRun::end(std::optional<Error> error) {
  error_ = std::move(error);
  finished_ = true;
}

void CookielessFlagsRun::start(const Turn& turn, Effects& effects) {
  visitor_.team_id = project_.team_id;
  visitor_.ip = connection_ip(head_);
  visitor_.site = cookieless_root_domain(head_.origin);
  visitor_.user_agent = head_.user_agent;
  visitor_.extra = first_utf16_units(request_.cookieless_hash_extra, limits::kCookielessExtraUnits);
  const std::string_view missing = visitor_.ip.empty()           ? "the address of the connection"
                                   : visitor_.site.empty()       ? "the Origin header"
                                   : visitor_.user_agent.empty() ? "the User-Agent header"
                                                                 : "";
  if (!missing.empty()) {
    return end(Error{ErrorCode::kCookielessFlags, std::string(missing) + " is missing"});
  }
  const std::optional<std::string> sent = form_value(head_.query, "_");
  const int64_t at_ms = sent ? parse_int64(*sent).value_or(turn.now_ms) : turn.now_ms;
  // A clock that is days off must not make an id that none of the events has.
  const bool is_near = at_ms > turn.now_ms - 5 * kDayMs && at_ms < turn.now_ms + 2 * kDayMs;
  const VisitorZone zone{request_.timezone, project_.timezone, turn.config.zones};
  day_ = cookieless_day(is_near ? at_ms : turn.now_ms, zone);
  if (!takes_cookieless_day(day_, turn.now_ms, zone)) day_ = cookieless_day(turn.now_ms, zone);
  salt_run_.start(turn, {day_}, limits::kFlagsReadTimeoutMs, effects);
  if (salt_run_.finished()) salt_known(effects);
}

void CookielessFlagsRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  if (salt_run_.owns(result.id)) {
    salt_run_.resume(turn, std::move(result), effects);
    if (salt_run_.finished()) salt_known(effects);
    return;
  }
  HF_ASSERT(effect_ != 0 && effect_ == result.id);
  effect_ = 0;
  std::optional<int64_t> n;
  if (result.ok) n = read_cookieless_answer(result.body);
  if (n) return become(*n);
  salt_known(effects);
}

void CookielessFlagsRun::salt_known(Effects& effects) {
  if (salt_.empty()) {
    const std::string* salt = salts_.find(project_.team_id, day_);
    if (salt != nullptr) salt_ = *salt;
  }
  if (salt_.empty() || attempts_ == kAttemptsMax) {
    return end(Error{ErrorCode::kObjectUnavailable, "the visitor's id could not be made"});
  }
  if (project_.cookieless == CookielessMode::kStateless) return become(0);
  ++attempts_;
  const CookielessHash key = cookieless_visitor_key(salt_, visitor_);
  effect_ = effects.add(CallObject{ObjectClass::kCookieless,
                                   cookieless_visitor_object_name(project_.team_id, key),
                                   write_cookieless_question(day_), limits::kFlagsReadTimeoutMs});
}

void CookielessFlagsRun::become(int64_t n) {
  request_.distinct_id = cookieless_id(salt_, visitor_, n);
  end(std::nullopt);
}

}  // namespace hogflare
