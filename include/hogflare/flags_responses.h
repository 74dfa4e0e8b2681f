// Bodies of the flag endpoints, as text.
//
//   Evaluation evaluation = evaluate(definitions, request, stored, now_ms);
//   ResponseContext context{request_id, now_ms, RemoteConfig{.token = request.token}};
//   std::string body = write_flags(evaluation, FlagsVersion::kV2, context);
//
// Sources: W-7.3, W-7.5, W-8.2, W-9.4, W-9.6; the OpenFeature Remote Evaluation Protocol.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/flags.h"

namespace hogflare::flags {

// --- /flags and /decide -----------------------------------------------------------------------

enum class FlagsVersion : uint8_t { kLegacy, kV2, kV3 };

struct ResponseContext {
  std::string_view request_id;  // a UUID made by the caller
  int64_t now_ms = 0;
  std::optional<std::string>
      config;  // members as project::write_remote_config_members gives them, merged at top level
  bool minimal_flag_called_events = false;  // answers from version 2 on say so
};

std::string write_flags(const Evaluation& evaluation, FlagsVersion version,
                        const ResponseContext& context);
// `version` as asked for: 1 lists enabled keys, 2 maps enabled ones, 3 is the legacy form, 4 and up
// is v2. The config is always merged; context.config must be set.
std::string write_decide(const Evaluation& evaluation, int version, const ResponseContext& context);

// GET /flags and GET /decide: config without evaluation.
std::string write_minimal_config(const ResponseContext& context);

// A version as PostHog reads it: 1 where it is no 32-bit integer ("abc", "2.0").
int read_version(std::string_view text);

// How /flags?v=..&config=.. is to be answered: neither v nor config means v=2 with config. Versions
// below 2 are the legacy form.
struct FlagsAnswer {
  FlagsVersion version = FlagsVersion::kV2;
  bool with_config = false;
};
FlagsAnswer flags_answer(std::optional<std::string_view> version,
                         std::optional<std::string_view> config);

// --- Local evaluation -------------------------------------------------------------------------

enum class Cohorts : uint8_t { kExpandInline, kSend };

// GET /flags/definitions and /api/feature_flag/local_evaluation.
enum class FlagCalledEvents : uint8_t { kFull, kMinimal };
std::string write_definitions(const Definitions& definitions, Cohorts cohorts,
                              FlagCalledEvents events = FlagCalledEvents::kFull);

// The cohorts whose members the document says, as insights.h takes them: {id: {"name", "members" |
// "properties"}}. A list that stands elsewhere, and a cohort defined by a query, is not among them.
std::string write_cohorts_for_questions(const Definitions& definitions);

// GET /api/projects/{id}/feature_flags: which of the flags, and which page of those. Empty texts
// and nullopt let all through.
struct FlagListQuery {
  int64_t limit = 100;
  int64_t offset = 0;
  std::optional<bool> active;
  std::string search;              // in key or name, in either case
  std::string type;                // boolean, multivariant, experiment
  std::string evaluation_runtime;  // server, client, all
};
struct FlagListPage {
  std::string results;  // a JSON list
  int64_t count = 0;    // flags on all pages
};
// As PostHog's API lists them: what the document says, remote configuration included.
FlagListPage write_flag_list(const Definitions& definitions, const FlagListQuery& query);
// The page with links to those beside it.
std::string write_flag_list_answer(const FlagListPage& page, const std::optional<std::string>& next,
                                   const std::optional<std::string>& previous);

// W/"<hash of the body>"
std::string etag_of(std::string_view body);
// Whether an If-None-Match header names `etag`: weak or strong, quoted or bare, in a list, or *.
bool etag_matches(std::string_view if_none_match, std::string_view etag);

// GET /api/projects/{id}/feature_flags/{key}/remote_config: the payload as a JSON value. Empty: the
// flag has no payload. nullopt: there is no such flag.
std::optional<std::string> write_remote_config_payload(const Definitions& definitions,
                                                       std::string_view key);

// --- OFREP ------------------------------------------------------------------------------------

struct OfrepResponse {
  int status = 200;
  std::string body;
};

// POST /ofrep/v1/evaluate/flags/{key}
OfrepResponse write_ofrep_flag(const Evaluation& evaluation, std::string_view key);
// POST /ofrep/v1/evaluate/flags; its ETag is etag_of(body).
OfrepResponse write_ofrep_flags(const Evaluation& evaluation);
// `key` is empty for the bulk endpoint.
OfrepResponse write_ofrep_error(OfrepError error, std::string_view detail, std::string_view key);

}  // namespace hogflare::flags
