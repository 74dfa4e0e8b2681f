// Which flag definitions are in force: the last set that was fit to use.
//
//   if (flags.kv_is_due(now_ms)) … effects.add(ReadKv{config.flags_kv_key}) … flags.take_kv(result)
//   FlagsLease lease = flags.lease();
//   evaluate(lease.definitions(), …);
//
// Sources: the KV key (re-read at most every HOGFLARE_FLAGS_TTL_SECS), until it gave a good set
// HOGFLARE_FEATURE_FLAGS, and when that is not set the deployed flags.json. A set with an error is
// refused whole; the last good one stays and /healthz says so. So is a set that trapped the core
// when it was taken: the host knows it by its SHA-1, and gives the last good one back.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/digest.h"
#include "hogflare/flags.h"
#include "hogflare/project_settings.h"
#include "hogflare/task.h"

namespace hogflare {

// Which document of flags is at fault when the core traps, and which was good: a host that starts
// the core anew gives both back (config.h). Words of the ABI (js-shim/core.js).
struct FlagsTaking {
  uint32_t sets_taken = 0;  // so far
  char sha1[40] = {};       // hexadecimal, of the document that is being taken; NULs: none is
};
const FlagsTaking& flags_taking();

// A set, the settings of the same document, and how many requests are using them.
struct FlagSet {
  flags::Definitions definitions;
  project::Settings settings;
  uint32_t users = 0;
};

// Keeps a set where it is, also when a newer one takes over while its request waits for objects.
class FlagsLease {
 public:
  FlagsLease() = default;
  explicit FlagsLease(FlagSet& set) : set_(&set) { ++set_->users; }
  FlagsLease(FlagsLease&& other) noexcept : set_(std::exchange(other.set_, nullptr)) {}
  FlagsLease& operator=(FlagsLease&& other) noexcept {
    std::swap(set_, other.set_);
    return *this;
  }
  ~FlagsLease() {
    if (set_ != nullptr) --set_->users;
  }

  // Needs a lease that was given out by FlagsState.
  const flags::Definitions& definitions() const { return set_->definitions; }
  const project::Settings& settings() const { return set_->settings; }

 private:
  FlagSet* set_ = nullptr;
};

class FlagsState {
 public:
  // `request_memory_bytes`: what the requests in flight hold (memory_share.h); outlives the state.
  FlagsState(const Config& config, size_t& request_memory_bytes);

  // The set in force; empty while there is no good one.
  FlagsLease lease() { return FlagsLease(*sets_.back()); }
  // False when definitions are meant to be there and none could be used so far: answers must not
  // tell clients that their flags are gone.
  bool has_good_set() const { return has_good_set_; }

  // True when the KV key is due. Requests share a good set while one of them reads; before the
  // first answer everybody reads.
  bool kv_is_due(int64_t now_ms);
  // What the KV read gave. A failed read keeps what there is, and so does a document for which the
  // requests in flight leave no memory; both are tried again soon.
  void take_kv(const EffectResult& result, int64_t now_ms);

  // What keeps the sources from being used as they are; empty when all is well.
  const std::vector<std::string>& problems() const { return problems_; }
  // JSON for /healthz: {"source", "count", "usable", "warnings", "kv_read_at_ms"}.
  std::string describe() const;

 private:
  void take(std::string_view json, std::string_view source);
  void take_former();
  void parse(std::string_view json, std::string_view source);
  void refuse(std::string_view source, std::string_view why);
  void try_again(int64_t now_ms, std::string problem);
  void drop_unused();
  void name_problems(std::string_view source);
  // Warnings of the set in force, the first of them: a JSON array of "path: sentence".
  std::string describe_warnings() const;

  const Config& config_;
  size_t& request_memory_bytes_;
  // The last is in force; the others have users still.
  std::vector<std::unique_ptr<FlagSet>> sets_;
  bool has_good_set_ = true;
  bool kv_answered_ = false;
  // Of the text that was parsed last, so that an unchanged value costs no parse.
  std::optional<Sha1Digest> kv_digest_;
  std::vector<std::string> kv_problems_;  // of that text
  std::string_view source_ = "none";
  int64_t read_at_ms_ = 0;
  int64_t due_at_ms_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace hogflare
