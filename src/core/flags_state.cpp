#include "core/flags_state.h"

namespace hogflare {

FlagsState::FlagsState(const Config& config)
    : config_(config), definitions_(std::make_unique<flags::Definitions>()) {
  if (!config.feature_flags.empty()) {
    take(config.feature_flags, "HOGFLARE_FEATURE_FLAGS");
  } else if (!config.bundled_flags.empty()) {
    take(config.bundled_flags, "flags.json");
  }
}

void FlagsState::take(std::string_view json, std::string_view source) {
  problems_.clear();
  flags::ParseOptions options;
  options.group_types = config_.group_types;
  Result<flags::Definitions> parsed = flags::Definitions::parse(json, options);
  if (!parsed.ok()) {
    problems_.push_back("flags of " + std::string(source) +
                        " are refused, the last good set stays: " + parsed.error().detail);
    return;
  }
  definitions_ = std::make_unique<const flags::Definitions>(std::move(parsed).value());
  source_ = source;
}

bool FlagsState::kv_is_due(int64_t now_ms) {
  if (config_.flags_kv_key.empty() || now_ms < due_at_ms_) return false;
  due_at_ms_ = now_ms + config_.flags_ttl_ms;
  return true;
}

void FlagsState::take_kv(const EffectResult& result, int64_t now_ms) {
  if (!result.ok) {
    problems_ = {"the flags namespace could not be read: " + result.body};
    return;
  }
  if (result.http_status == 404) {
    problems_ = {"the flags namespace has no key \"" + config_.flags_kv_key + "\""};
    return;
  }
  read_at_ms_ = now_ms;
  if (result.body == kv_text_) return;
  kv_text_ = result.body;
  take(kv_text_, "KV");
}

std::string FlagsState::describe() const {
  return "{\"source\":\"" + std::string(source_) +
         "\",\"count\":" + std::to_string(definitions_->size()) +
         ",\"kv_read_at_ms\":" + std::to_string(read_at_ms_) + "}";
}

}  // namespace hogflare
