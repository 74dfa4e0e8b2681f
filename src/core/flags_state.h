// Which flag definitions are in force: the last set that was fit to use.
//
// Sources, the first that is there: the KV key (re-read at most every HOGFLARE_FLAGS_TTL_SECS),
// HOGFLARE_FEATURE_FLAGS, the deployed flags.json. A set with an error is refused whole; the last
// good one stays and /healthz says so.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/flags.h"
#include "hogflare/task.h"

namespace hogflare {

class FlagsState {
 public:
  explicit FlagsState(const Config& config);

  // Shared with the requests that evaluate it: a new set does not pull the old one away from them.
  const flags::Definitions& definitions() const { return *definitions_; }

  // True when the KV key is due; at most one request at a time is told so.
  bool kv_is_due(int64_t now_ms);
  // What the KV read gave. A failed read keeps what there is and is tried again after the TTL.
  void take_kv(const EffectResult& result, int64_t now_ms);

  const std::vector<std::string>& problems() const { return problems_; }
  // JSON for /healthz: {"source", "count", "read_at"}.
  std::string describe() const;

 private:
  void take(std::string_view json, std::string_view source);

  const Config& config_;
  std::unique_ptr<const flags::Definitions> definitions_;
  std::string kv_text_;  // what was parsed last, so that an unchanged value costs no parse
  std::string_view source_ = "none";
  int64_t read_at_ms_ = 0;
  int64_t due_at_ms_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace hogflare
