// Definitions from hostile text: parse, evaluate, write every body made from them.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "hogflare/project_settings.h"
#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"

using namespace hogflare;
using namespace hogflare::flags;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  ParseOptions options;
  options.group_types[0] = "company";
  const std::vector<Problem> problems = Definitions::check(json, options);
  const Result<Definitions> lenient = Definitions::parse(json, options);
  if (!lenient.ok()) {
    HF_ASSERT(!problems.empty() && problems[0].severity == Severity::kError);
    return 0;
  }
  HF_ASSERT(lenient.value().problems().size() == problems.size());
  const Result<Request> request = parse_request(
      R"({"token":"t","distinct_id":"u1","$anon_distinct_id":"a","person_properties":{"plan":"pro",
      "age":30,"v":"1.2.3","email":"a@b.io","d":"2025-01-01","x":null},"groups":{"company":"acme"},
      "group_properties":{"company":{"tier":"gold"}},"evaluation_runtime":"all"})",
      RequestHeaders{});
  HF_ASSERT(request.ok());
  const Needs wanted = needs(lenient.value(), request.value());
  StoredState stored;
  stored.person_ids = {"u1", "u2"};
  stored.cohorts = {{1, StoredCohort::Answer::kIn}, {2, StoredCohort::Answer::kFailed}};
  if (wanted.person) stored.person_read = Read::kFailed;
  const Evaluation evaluation =
      evaluate(lenient.value(), request.value(), stored, 1'750'000'000'000);
  const ResponseContext context{"id", 0, project::write_remote_config_members({"t", true, true})};
  for (const FlagsVersion version : {FlagsVersion::kLegacy, FlagsVersion::kV2, FlagsVersion::kV3}) {
    HF_ASSERT(parse_value(write_flags(evaluation, version, context)).ok());
  }
  HF_ASSERT(parse_value(write_definitions(lenient.value(), Cohorts::kSend)).ok());
  HF_ASSERT(parse_value(write_definitions(lenient.value(), Cohorts::kExpandInline)).ok());
  HF_ASSERT(parse_value(write_ofrep_flags(evaluation).body).ok());
  return 0;
}
