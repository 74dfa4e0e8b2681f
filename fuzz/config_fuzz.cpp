// An operator's documents: variables with values nobody meant, and flag definitions among them.
// What cannot be used is a problem that is told, never a stop, and every path answers under it.
#include <string>
#include <vector>

#include "fuzz_host.h"
#include "hogflare/config.h"
#include "hogflare/json.h"

namespace {

using namespace hogflare;

void append_member(std::string& out, std::string_view name, std::string_view value) {
  if (out.back() != '{') out += ',';
  json::append_string(out, name);
  out += ':';
  json::append_string(out, value);
}

std::string host_description(fuzz::Input& input) {
  static const std::vector<ConfigVariable> kVariables = config_variables();
  std::string json = "{\"vars\":{";
  for (int count = input.byte() % 12; count > 0; --count) {
    const uint8_t which = input.byte();
    const std::string_view name =
        which == 255 ? input.line() : kVariables[which % kVariables.size()].name;
    append_member(json, name, input.line());
  }
  json += R"(},"bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX")";
  if (input.flip()) json += R"(,"FLAGS","ANALYTICS")";
  json += "]";
  append_member(json, "bundled_flags", input.line());
  return json + "}";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  fuzz::RunLengths decompressor;
  // Half of them by the table, half as bytes: the host's description is JSON in any case.
  const std::string description =
      input.flip() ? host_description(input) : std::string(input.rest());
  test::TableZones zones;
  Core core(description, decompressor, zones);
  for (const Config::Problem& problem : core.config().problems) HF_ASSERT(!problem.message.empty());
  fuzz::Input nothing(nullptr, 0);
  fuzz::Host host(core, nothing, fuzz::Answers::kWell);
  std::string prefix = core.config().path_prefix;
  // What ends a field of the head cannot stand in a path.
  if (prefix.find('\0') != std::string::npos) prefix.clear();
  const auto get = [&](std::string_view path) {
    return host.http("GET", prefix + std::string(path), "", "", "");
  };
  const Reply health = get("/healthz");
  HF_ASSERT(json::Document::parse_const(health.body, 2).ok());
  for (const std::string_view path : {"/array/t/config.js", "/array/t/config", "/api/surveys/",
                                      "/flags/definitions", "/metrics", "/admin/outbox"}) {
    const Reply reply = get(path);
    HF_ASSERT(reply.status >= 200 && reply.status < 600);
  }
  (void)host.http("POST", prefix + "/flags/", "v=2", "", R"({"token":"t","distinct_id":"u"})");
  (void)host.http("POST", prefix + "/e/", "", "",
                  R"({"token":"t","event":"e","distinct_id":"u","properties":{"$groups":{}}})");
  return 0;
}
