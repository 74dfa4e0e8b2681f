// Feature flags: definitions compiled once, evaluated purely.
//
//   Result<Definitions> definitions = Definitions::parse(json, {.group_types = {"company"}});
//   Result<Request> request = parse_request(body, {.user_agent = "posthog-node/5.0.0"});
//   Needs wanted = needs(definitions.value(), request.value());
//   StoredState stored = ...;                       // what `wanted` asks for, read by the caller
//   Evaluation evaluation = evaluate(definitions.value(), request.value(), stored, now_ms);
//
// Two formats of definition live in one document and each keeps its own hash: an object with
// `filters` is PostHog's, anything else the seed's dialect (F-1 and F-12). The
// document is `[flag, ...]` or
// `{"flags": [...], "cohorts": ..., "group_type_mapping": {"0": "company"}, "timezone": "UTC",
//   "property_matching_version": 1}`; cohorts as PostHog's API lists them or as its feed maps them.
//
// Rules: docs/rules/flags.md; W-7 to W-9.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/flags_limits.h"
#include "hogflare/flags_value.h"
#include "hogflare/limits.h"
#include "hogflare/result.h"
#include "hogflare/zones.h"

namespace hogflare::flags {

// --- Definitions ------------------------------------------------------------------------------

struct ParseOptions {
  // Group type names by index, used when the document has no group_type_mapping.
  std::array<std::string, limits::kGroupTypes> group_types;
  // Where the document's timezone is looked up; must outlive the definitions. Null: no IANA name is
  // known.
  Zones* zones = nullptr;
};

// An error is a fault of what answers now; a fault of what is inactive or deleted is a warning.
enum class Severity : uint8_t { kError, kWarning };

// One thing wrong with a document.
struct Problem {
  Severity severity;
  std::string path;     // flags[3].filters.groups[0].properties[1].operator
  std::string message;  // what is wrong and what would be right
};

struct Catalog;  // the compiled form; private to src/flags

class Definitions {
 public:
  // No flags at all.
  Definitions();
  ~Definitions();
  Definitions(Definitions&&) noexcept;
  Definitions& operator=(Definitions&&) noexcept;

  // Refuses only a text that is no document; a flag's own fault is that flag's answer and stands in
  // problems(). Errors: kInvalidFlags, the detail listing every error with its path, one per line.
  static Result<Definitions> parse(std::string_view json, const ParseOptions& options);
  // Every problem of a document, errors first; empty for a clean one.
  static std::vector<Problem> check(std::string_view json, const ParseOptions& options);

  size_t size() const;
  bool empty() const { return size() == 0; }
  // What is wrong with single flags and cohorts, in document order.
  const std::vector<Problem>& problems() const;
  // Group type names by index; empty where there is none.
  const std::array<std::string, limits::kGroupTypes>& group_types() const;
  const Catalog& catalog() const { return *catalog_; }
  // The document's members of these names, as a JSON object.
  std::string members(std::span<const std::string_view> names) const;
  // Bytes of the text they were read from.
  size_t document_bytes() const;

 private:
  explicit Definitions(std::unique_ptr<const Catalog> catalog);
  std::unique_ptr<const Catalog> catalog_;
};

// About what parsing a document takes, and then its set.
size_t document_memory_bytes(std::string_view json);

// --- Request ----------------------------------------------------------------------------------

enum class Runtime : uint8_t { kAll, kClient, kServer, kUnknown };

// What the HTTP request says beside its body.
struct RequestHeaders {
  std::string_view user_agent;
  bool has_browser_headers = false;  // Origin, Referer or a Sec-Fetch-* header is present
};

struct GroupKey {
  std::string type;
  std::string key;      // numbers as decimal text
  bool usable = false;  // a non-empty text or a number
};

struct Request {
  std::string token;
  std::string distinct_id;  // cut to limits::kDistinctIdChars code points
  Value person_properties = Value::object();
  std::vector<GroupKey> groups;
  Value group_properties = Value::object();  // type -> properties
  std::optional<std::string> anon_distinct_id;
  std::optional<std::string> device_id;
  std::optional<std::vector<std::string>> flag_keys;
  std::vector<std::string> evaluation_contexts;
  Runtime runtime = Runtime::kUnknown;
  bool geoip_disable = false;
  bool disable_flags = false;
  bool only_survey_flags = false;
  std::string timezone;                  // of the visitor, where its id is made here (cookieless.h)
  std::string cookieless_hash_extra;     // the same
  bool only_request_properties = false;  // only_use_override_person_properties

  // Adds what the person does not bring, or brings as null ($geoip_* of the caller's address).
  void fill_person_property(std::string_view key, std::string_view text);
  // Once nothing is added any more: looking a property or a group up takes no longer for many.
  void sort();
  const GroupKey* group(std::string_view type) const;

 private:
  bool groups_are_sorted_ = false;
};

// Parses a /flags or /decide body (already decompressed and decoded). Errors: kParseFailed,
// kTooLarge, kMissingToken, kMissingDistinctId.
Result<Request> parse_request(std::string_view json, const RequestHeaders& headers);

// Parses an OFREP body: context.targetingKey is the distinct_id, context.groups the groups, the
// rest of the context person properties. Errors: see flags_responses.h, write_ofrep_error.
enum class OfrepError : uint8_t {
  kNone,
  kParseError,
  kTargetingKeyMissing,
  kInvalidContext,
  kFlagNotFound,
  kGeneral,
};
struct OfrepRequest {
  OfrepError error = OfrepError::kNone;
  std::string detail;
  Request request;
};
OfrepRequest parse_ofrep_request(std::string_view json, const RequestHeaders& headers);

// The runtime a request comes from, by its headers (F-9.2).
Runtime detect_runtime(const RequestHeaders& headers);

// --- Stored state -----------------------------------------------------------------------------

// A cohort whose list of members is not in the document.
struct ListedCohort {
  int64_t id = 0;
  bool has_rules = false;  // which serve when there is no list
};

// What must be read before `evaluate`, and only that.
struct Needs {
  bool person = false;      // the person of distinct_id: properties, created_at, ids for cohorts
  bool person_ids = false;  // with person: its ids too, which cohorts list
  bool hash_keys = false;   // stored continuity keys of distinct_id's and anon_distinct_id's person
  std::vector<std::pair<std::string, std::string>> groups;  // (type, key)
  std::vector<ListedCohort> cohorts;

  bool nothing() const { return !person && !hash_keys && groups.empty() && cohorts.empty(); }
};

Needs needs(const Definitions& definitions, const Request& request);

enum class Read : uint8_t { kOk, kFailed };

struct StoredGroup {
  std::string type;
  Read read = Read::kOk;
  Value properties = Value::object();
};

// What the list of a cohort's members says that is not in the document.
struct StoredCohort {
  enum class Answer : uint8_t {
    kOut,
    kIn,
    kNoList,  // there is none
    kFailed,  // it could not be read, or is no list
  };
  int64_t id = 0;
  Answer answer = Answer::kNoList;
};

struct StoredState {
  Read person_read = Read::kOk;
  bool person_exists = false;
  Value person_properties = Value::object();
  std::string person_created_at;        // ISO 8601
  std::vector<std::string> person_ids;  // the person's uuid and distinct ids
  bool has_all_person_ids = true;       // false: the person has more of them
  std::vector<StoredCohort> cohorts;    // one that is not here has no list
  Read hash_keys_read = Read::kOk;
  std::vector<std::pair<std::string, std::string>> hash_keys;  // flag key -> stored key
  std::vector<StoredGroup> groups;
};

// Continuity flags that have no stored key yet, when the request brings $anon_distinct_id: for each
// the person should store anon_distinct_id, never overwriting. Empty: nothing is to be written.
std::vector<std::string> hash_keys_to_store(const Definitions& definitions, const Request& request,
                                            const StoredState& stored);

// --- Evaluation -------------------------------------------------------------------------------

enum class Reason : uint8_t {
  kConditionMatch,
  kNoConditionMatch,
  kNoConditionMatchGroupsSkipped,
  kNoConditionMatchBehavioural,
  kOutOfRolloutBound,
  kNoGroupType,
  kSuperConditionValue,
  kHoldoutConditionValue,
  kMissingDependency,
  kCohortNotFound,  // the rest of these are error entries: failed is true
  kCohortCycle,
  kCohortUnreadable,   // a cohort whose filters do not parse
  kFlagUnreadable,     // a definition that does not parse
  kMembershipUnknown,  // of a cohort without a list, or with rules that cannot be evaluated
  kDependencyFailed,   // what the flag answers hangs on a flag that failed
  kHashKeyError,
  kDatabaseError,
  kInvalidRegex,     // a rule's pattern that cannot run
  kInvalidProperty,  // a rule compares what is no number or version
  kMissingContext,   // a rule looks at what could not be read
  kTargetingMatch,   // the rules format
  kRolloutMiss,
  kExperimentPaused,
  kRuleHoldout,
  kNoRuleMatch,
  kSeedMatch,  // the seed's dialect
  kSeedNoMatch,
  kSeedOutOfRollout,
  kSeedDisabled,
};

// In the words of answers up to version 2.
std::string_view reason_code(Reason reason);
// In those of version 3: the rules format has its own.
std::string_view typed_reason_code(Reason reason);

// Points into the Definitions it came from, which must outlive it.
struct FlagResult {
  int flag = 0;  // index in the document
  bool enabled = false;
  bool failed = false;
  std::string_view variant;  // empty: none
  const Value* payload = nullptr;
  const Value* value = nullptr;  // the rules format: of the flag's return type; nullptr is null
  Reason reason = Reason::kNoConditionMatch;
  int condition_index = -1;  // of the rule in the rules format; -1: none
};

struct Evaluation {
  const Catalog* catalog = nullptr;
  std::vector<FlagResult> results;  // in document order
  bool errors_while_computing = false;
  bool quota_limited = false;  // set by the caller: answers carry quotaLimited and no flags

  std::string_view key(const FlagResult& result) const;
  // nullptr when the flag is not in the answer.
  const FlagResult* find(std::string_view key) const;
};

Evaluation evaluate(const Definitions& definitions, const Request& request,
                    const StoredState& stored, int64_t now_ms);

}  // namespace hogflare::flags
