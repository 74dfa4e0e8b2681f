// The Worker's configuration: parsed and checked once per isolate, never per request.
//
// Every variable stands in one table (src/config/config.cpp), in the README and in
// wrangler.toml.example; tests/unit/config_test.cpp and a script compare the three.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/limits.h"
#include "hogflare/result.h"
#include "hogflare/task.h"
#include "hogflare/zones.h"

namespace hogflare {

// What becomes of events with $cookieless_mode (docs/COOKIELESS.md). PostHog's team setting
// cookieless_server_hash_mode.
enum class CookielessMode : uint8_t { kDisabled, kStateless, kStateful };

// One project: what its token stands for. Without HOGFLARE_PROJECTS every token is this default
// with POSTHOG_TEAM_ID.
struct Project {
  int64_t team_id = 1;
  std::vector<std::string> origins;        // empty: any origin
  bool person_processing_opt_out = false;  // PostHog's team setting of that name
  bool anonymize_ips = false;              // PostHog's team setting of that name
  bool flag_called_personless = true;      // $feature_flag_called creates no person
  CookielessMode cookieless = CookielessMode::kDisabled;
  std::string timezone = "UTC";  // whose days count where a visitor names no zone
};

// What a personless event does (docs/COMPATIBILITY.md).
enum class PersonlessMode : uint8_t { kStateless, kExact };

enum class SinkKind : uint8_t { kNone, kHttp, kBinding };

// What `person_properties` of an event's row shows: the person as of the event, only where the
// event changed it, or nothing (docs/PERFORMANCE.md, "Cost").
enum class PersonPropertiesMode : uint8_t { kRow, kChanged, kOff };

// Whether rows repeat what stands elsewhere in the tables.
enum class RowsMode : uint8_t { kFull, kLean };

struct Config {
  // Where names of time zones are looked up; null: no IANA name is known.
  Zones* zones = nullptr;
  int64_t team_id = 1;
  // Token to project; empty: any token is accepted.
  std::map<std::string, Project, std::less<>> projects;
  Project default_project;
  std::array<std::string, limits::kGroupTypes> group_types;  // empty string: slot not configured
  bool has_group_types = false;                              // any of the above is set

  std::string signing_secret;  // POSTHOG_SIGNING_SECRET; empty: no signature needed
  // HOGFLARE_UNSIGNED_TOKENS: projects whose clients hold no secret and need not sign.
  std::set<std::string, std::less<>> unsigned_tokens;
  std::string personal_api_key;    // POSTHOG_PERSONAL_API_KEY
  std::string project_secret_key;  // POSTHOG_PROJECT_SECRET
  std::string admin_token;         // HOGFLARE_ADMIN_TOKEN; empty: admin routes answer 404
  std::string viewer_token;        // HOGFLARE_VIEWER_TOKEN: may ask questions and change nothing
  bool viewer_sql = false;         // HOGFLARE_VIEWER_SQL: viewers may ask free SQL too
  // HOGFLARE_SQL_ACCOUNT_ID, _BUCKET and _TOKEN are all set: there is an engine to ask.
  bool has_sql_engine = false;
  std::string sql_bucket;  // HOGFLARE_SQL_BUCKET, for sentences
  // Tables by stream, with their namespace: HOGFLARE_SQL_NAMESPACE, HOGFLARE_SQL_TABLES.
  std::array<std::string, kStreamCount> sql_tables{};
  // What keys of kept answers begin with: which lake they are of. Workers of one zone share a
  // cache, and two deployments may have the same tables' names and teams.
  std::string sql_lake_key;
  // HOGFLARE_ACCESS_TEAM as an address, "https://acme.cloudflareaccess.com", and
  // HOGFLARE_ACCESS_AUD: both empty unless Cloudflare Access says who somebody is.
  std::string access_issuer;
  std::string access_audience;
  std::string path_prefix;  // HOGFLARE_PATH_PREFIX: "" or "/ingest"
  // HOGFLARE_PATH_ALIASES: other names of paths, {"/q1", "/e"}; longest name first.
  std::vector<std::pair<std::string, std::string>> path_aliases;
  std::string script_version;      // of the posthog-js whose scripts are served
  bool anonymize_ip = false;       // HOGFLARE_ANONYMIZE_IP
  bool session_recording = false;  // HOGFLARE_SESSION_RECORDING
  PersonlessMode personless = PersonlessMode::kStateless;
  PersonPropertiesMode person_properties =
      PersonPropertiesMode::kRow;              // HOGFLARE_PERSON_PROPERTIES
  RowsMode rows = RowsMode::kFull;             // HOGFLARE_ROWS
  std::array<SinkKind, kStreamCount> sinks{};  // by Stream
  uint32_t pipeline_timeout_ms = 10'000;
  uint32_t answer_within_ms = 4'000;  // HOGFLARE_ANSWER_WITHIN_SECS
  uint64_t outbox_bytes_max = 1u << 30;
  // Of one capture request; docs/LIMITS.md.
  uint32_t object_calls_max = limits::kObjectCallsMax;    // HOGFLARE_OBJECT_CALLS_MAX
  size_t events_max = limits::kEventsPerRequestMax;       // HOGFLARE_EVENTS_PER_REQUEST_MAX
  size_t body_bytes_max = limits::kDecompressedBytesMax;  // HOGFLARE_BODY_BYTES_MAX, unpacked
  size_t reject_rows_max = limits::kRejectRowsMax;        // HOGFLARE_REJECT_ROWS_MAX

  std::string flags_kv_key;        // HOGFLARE_FLAGS_KV_KEY
  uint32_t flags_ttl_ms = 60'000;  // HOGFLARE_FLAGS_TTL_SECS
  std::string feature_flags;       // HOGFLARE_FEATURE_FLAGS, unparsed
  std::string bundled_flags;       // the deployed flags.json, unparsed
  // Documents of flags that trapped the core while they were taken, by their SHA-1 in hexadecimal,
  // and the KV key's last good one, unparsed, where there are such.
  std::vector<std::string> refused_flags;
  std::string former_flags;
  std::vector<std::string> bindings;   // the names the host found bound
  std::vector<std::string> variables;  // the names of config_variables() that are set

  // What is wrong, one sentence each; shown by /healthz. A fatal one makes capture answer 500/503
  // rather than lose events.
  struct Problem {
    bool fatal;
    std::string message;
  };
  std::vector<Problem> problems;

  // Null when the token belongs to no project of this deployment.
  const Project* project_of(std::string_view token) const;
  // The project of that team; null when no project of this deployment has it.
  const Project* project_of_team(int64_t team_id) const;
  // True when some project's cookieless mode is on.
  bool uses_cookieless() const;
  // True when capture must be refused because events could not be kept.
  bool has_fatal_problem() const;
  // Whether the host found this binding.
  bool is_bound(std::string_view binding) const;
  SinkKind sink(int stream) const { return sinks[static_cast<size_t>(stream)]; }
};

// One variable as the README documents it.
struct ConfigVariable {
  std::string_view name;
  bool secret;  // never shown, set by `wrangler secret put`
};

// Every variable the Worker reads, in the README's order.
std::vector<ConfigVariable> config_variables();
// Every binding the Worker looks for.
std::vector<std::string_view> config_bindings();

// Reads the host's description: {"vars": {NAME: "value", …}, "bindings": ["PERSONS", …]}. Never
// fails: what cannot be used is left at its default and named in `problems`. `zones` becomes
// Config::zones and must outlive it.
Config parse_config(std::string_view host_json, Zones* zones = nullptr);

}  // namespace hogflare
