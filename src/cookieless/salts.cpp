// The salts as the Worker has them: remembered in the isolate, asked of the project's object.
#include <algorithm>

#include "days.h"
#include "hogflare/bytes.h"
#include "hogflare/cookieless.h"
#include "object_format.h"

namespace hogflare {

const std::string* CookielessSalts::find(int64_t team_id, int64_t day) const {
  const auto found = salts_.find({team_id, day});
  return found == salts_.end() ? nullptr : &found->second;
}

void CookielessSalts::remember(int64_t team_id, int64_t day, std::string salt, int64_t now_ms) {
  forget(now_ms);
  if (salts_.size() >= limits::kCookielessSaltsCachedMax) salts_.erase(salts_.begin());
  salts_[{team_id, day}] = std::move(salt);
}

void CookielessSalts::forget(int64_t now_ms) {
  std::erase_if(salts_, [now_ms](const auto& entry) {
    return !may_have_cookieless_salt(entry.first.second, now_ms);
  });
}

void CookielessSaltRun::start(const Turn& turn, std::vector<int64_t> days, uint32_t timeout_ms,
                              Effects& effects) {
  salts_.forget(turn.now_ms);
  timeout_ms_ = timeout_ms;
  std::sort(days.begin(), days.end());
  days.erase(std::unique(days.begin(), days.end()), days.end());
  for (const int64_t day : days) {
    if (salts_.find(team_id_, day) == nullptr) wanted_.push_back(day);
  }
  if (!wanted_.empty()) ask(effects);
}

void CookielessSaltRun::ask(Effects& effects) {
  ++attempts_;
  waits_ = false;
  effect_ = effects.add(CallObject{ObjectClass::kCookieless, cookieless_salt_object_name(team_id_),
                                   write_salt_request(wanted_), timeout_ms_});
}

void CookielessSaltRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  HF_ASSERT(owns(result.id));
  if (waits_) return ask(effects);
  std::optional<std::vector<std::string>> salts;
  if (result.ok) salts = read_salt_reply(result.body);
  if (salts && salts->size() == wanted_.size()) {
    for (size_t i = 0; i < wanted_.size(); ++i) {
      // Empty: the object's clock is past the window already. Whoever needs that day sees it
      // missing.
      if ((*salts)[i].empty()) continue;
      salts_.remember(team_id_, wanted_[i], std::move((*salts)[i]), turn.now_ms);
    }
    effect_ = 0;
    return;
  }
  failed_ = attempts_ >= limits::kCookielessAttemptsMax;
  waits_ = !failed_;
  effect_ = failed_ ? 0 : effects.add(Wait{limits::kCookielessRetryMs});
}

}  // namespace hogflare
