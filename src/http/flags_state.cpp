#include "http/flags_state.h"

#include <algorithm>

#include "hogflare/json.h"
#include "hogflare/memory_share.h"
#include "hogflare/must_wait.h"

namespace hogflare {
namespace {

// A key that could not be read, or not be taken, is asked for this often; so is one that is not
// there, until a first good set is.
constexpr int64_t kRetryMs = 1'000;

// Faults of single flags that the health report names; flags:check lists all of them.
constexpr size_t kProblemsNamed = 20;

FlagsTaking taking;

}  // namespace

const FlagsTaking& flags_taking() { return taking; }

FlagsState::FlagsState(const Config& config, size_t& request_memory_bytes)
    : config_(config), request_memory_bytes_(request_memory_bytes) {
  sets_.push_back(std::make_unique<FlagSet>());
  if (!config.former_flags.empty()) take_former();
  if (source_ != "none") return;
  const bool has_variable = !config.feature_flags.empty();
  const std::string& text = has_variable ? config.feature_flags : config.bundled_flags;
  if (!text.empty()) take(text, has_variable ? "HOGFLARE_FEATURE_FLAGS" : "flags.json");
  // The flags.json that comes with the Worker is empty, which says nothing beside a KV key.
  const bool is_empty = sets_.back()->definitions.empty();
  if (!config.flags_kv_key.empty() && is_empty) has_good_set_ = false;
}

// What was in force before the document that stopped the server.
void FlagsState::take_former() {
  kv_digest_ = sha1(config_.former_flags);
  take(config_.former_flags, "KV");
  kv_problems_ = problems_;
}

void FlagsState::refuse(std::string_view source, std::string_view why) {
  if (source_ == "none") has_good_set_ = false;
  problems_ = {"flags of " + std::string(source) + " are refused, " +
               (has_good_set_ ? "the last good set stays: " : "there is no other set: ") +
               std::string(why)};
}

void FlagsState::take(std::string_view json, std::string_view source) {
  problems_.clear();
  const std::string digest = to_hex(sha1(json));
  const std::vector<std::string>& refused = config_.refused_flags;
  if (std::find(refused.begin(), refused.end(), digest) != refused.end()) {
    return refuse(source, "taking this document (SHA-1 " + digest +
                              ") stopped the server; another one is taken as usual");
  }
  digest.copy(taking.sha1, sizeof taking.sha1);
  parse(json, source);
  std::fill(std::begin(taking.sha1), std::end(taking.sha1), '\0');
}

void FlagsState::parse(std::string_view json, std::string_view source) {
  flags::ParseOptions options;
  options.group_types = config_.group_types;
  options.zones = config_.zones;
  Result<flags::Definitions> parsed = flags::Definitions::parse(json, options);
  if (!parsed.ok()) {
    return refuse(source, parsed.error().detail);
  }
  project::Settings settings =
      project::read_settings(parsed.value().members(project::kSettingsMembers));
  sets_.push_back(
      std::make_unique<FlagSet>(FlagSet{std::move(parsed).value(), std::move(settings)}));
  name_problems(source);
  drop_unused();
  has_good_set_ = true;
  source_ = source;
  ++taking.sets_taken;
}

void FlagsState::name_problems(std::string_view source) {
  size_t errors = 0;
  const FlagSet& set = *sets_.back();
  const std::vector<flags::Problem>* const lists[] = {&set.definitions.problems(),
                                                      &set.settings.problems};
  for (const std::vector<flags::Problem>* problems : lists) {
    for (const flags::Problem& problem : *problems) {
      if (problem.severity != flags::Severity::kError || ++errors > kProblemsNamed) continue;
      problems_.push_back("flags of " + std::string(source) + ": " + problem.path + ": " +
                          problem.message);
    }
  }
  if (errors <= kProblemsNamed) return;
  problems_.push_back("flags of " + std::string(source) + ": " +
                      std::to_string(errors - kProblemsNamed) + " more; run flags:check");
}

void FlagsState::drop_unused() {
  const FlagSet* current = sets_.back().get();
  const auto is_unused = [current](const std::unique_ptr<FlagSet>& set) {
    return set->users == 0 && set.get() != current;
  };
  sets_.erase(std::remove_if(sets_.begin(), sets_.end(), is_unused), sets_.end());
}

bool FlagsState::kv_is_due(int64_t now_ms) {
  if (config_.flags_kv_key.empty()) return false;
  if (kv_answered_ && must_wait(due_at_ms_, now_ms, config_.flags_ttl_ms)) return false;
  due_at_ms_ = now_ms + config_.flags_ttl_ms;
  return true;
}

void FlagsState::take_kv(const EffectResult& result, int64_t now_ms) {
  kv_answered_ = true;
  if (!result.ok && result.http_status == 413) {
    kv_digest_.reset();
    return refuse("KV", "the document has more than the " +
                            std::to_string(limits::kFlagDefinitionsBytesMax) +
                            " bytes that are taken");
  }
  if (!result.ok) {
    return try_again(now_ms, "the flags namespace could not be read: " + result.body);
  }
  if (result.http_status == 404) {
    problems_ = {"the flags namespace has no key \"" + config_.flags_kv_key + "\""};
    if (!has_good_set_) due_at_ms_ = std::min(due_at_ms_, now_ms + kRetryMs);
    return;
  }
  read_at_ms_ = now_ms;
  const Sha1Digest digest = sha1(result.body);
  if (digest == kv_digest_) {
    problems_ = kv_problems_;
    return;
  }
  MemoryShare memory(request_memory_bytes_);
  if (memory.hold_more(flags::document_memory_bytes(result.body))) {
    return try_again(now_ms,
                     "flags of KV: requests take the memory that a new document needs; until it is "
                     "there the last set stays");
  }
  kv_digest_ = digest;
  take(result.body, "KV");
  kv_problems_ = problems_;
}

void FlagsState::try_again(int64_t now_ms, std::string problem) {
  problems_ = {std::move(problem)};
  due_at_ms_ = std::min(due_at_ms_, now_ms + kRetryMs);
}

std::string FlagsState::describe_warnings() const {
  std::string list = "[";
  size_t named = 0;
  for (const flags::Problem& problem : sets_.back()->definitions.problems()) {
    if (problem.severity != flags::Severity::kWarning || ++named > kProblemsNamed) continue;
    if (list.size() > 1) list += ',';
    json::append_string(list, problem.path + ": " + problem.message);
  }
  return list + "]";
}

std::string FlagsState::describe() const {
  return "{\"source\":\"" + std::string(source_) +
         "\",\"count\":" + std::to_string(sets_.back()->definitions.size()) +
         ",\"usable\":" + (has_good_set_ ? "true" : "false") +
         ",\"warnings\":" + describe_warnings() +
         ",\"kv_read_at_ms\":" + std::to_string(read_at_ms_) + "}";
}

}  // namespace hogflare
