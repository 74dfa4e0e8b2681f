// Request bodies from hostile text, against definitions that look at everything a request holds.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr std::string_view kOperators[] = {
    "exact",           "is_not",         "is_set",        "is_not_set",
    "icontains",       "regex",          "not_regex",     "gt",
    "between",         "is_date_before", "semver_gt",     "semver_caret",
    "semver_wildcard", "starts_with",    "not_ends_with", "semver_tilde",
    "icontains_multi"};

std::string_view operand(std::string_view op) {
  if (op == "gt") return "5";
  if (op == "between") return "[1,9]";
  if (op == "is_date_before") return "\"-7d\"";
  if (op.substr(0, 6) == "semver") return "\"1.2.3\"";
  return "\"a\"";
}

Definitions all_operators() {
  std::string flags = "[";
  for (const std::string_view op : kOperators) {
    for (const std::string_view type : {"person", "group"}) {
      if (flags.size() > 1) flags.push_back(',');
      flags.append("{\"key\":\"").append(op).append("-").append(type);
      flags.append("\",\"ensure_experience_continuity\":true,\"filters\":{\"groups\":[{");
      flags.append("\"rollout_percentage\":50,\"properties\":[{\"key\":\"a\",\"type\":\"");
      flags.append(type).append("\",\"group_type_index\":0,\"operator\":\"").append(op);
      flags.append("\",\"value\":").append(operand(op)).append("}]}]}}");
    }
  }
  flags.append(R"(,{"key":"seed","conditions":[{"properties":[{"key":"a","value":[1,"x"],)"
               R"("operator":"in"}]}]}])");
  ParseOptions options;
  options.group_types[0] = "g";
  Result<Definitions> parsed = Definitions::parse(flags, options);
  HF_ASSERT(parsed.ok());
  return std::move(parsed).value();
}

void run(const Definitions& definitions, const Request& request) {
  const Needs wanted = needs(definitions, request);
  StoredState stored;
  stored.person_properties = request.person_properties;
  for (const auto& [type, key] : wanted.groups) {
    stored.groups.push_back(StoredGroup{type, Read::kOk, Value::object()});
  }
  (void)hash_keys_to_store(definitions, request, stored);
  const Evaluation evaluation = evaluate(definitions, request, stored, 1'750'000'000'000);
  const ResponseContext context{"id", 0, {}};
  HF_ASSERT(parse_value(write_flags(evaluation, FlagsVersion::kV2, context)).ok());
  HF_ASSERT(parse_value(write_decide(evaluation, 1, context)).ok());
  HF_ASSERT(parse_value(write_ofrep_flags(evaluation).body).ok());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Definitions kDefinitions = all_operators();
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const Result<Request> request = parse_request(body, RequestHeaders{body, true});
  if (request.ok()) run(kDefinitions, request.value());
  const OfrepRequest ofrep = parse_ofrep_request(body, RequestHeaders{});
  if (ofrep.error == OfrepError::kNone) run(kDefinitions, ofrep.request);
  return 0;
}
