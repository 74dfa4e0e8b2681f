// A request's head: method, path, query and headers, with and without signatures, on every route.
#include <string>

#include "fuzz_host.h"
#include "hogflare/url.h"

namespace {

using namespace hogflare;

constexpr std::string_view kOpen =
    R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://s.invalid/"},)"
    R"("bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX"],"bundled_flags":"[]"})";
constexpr std::string_view kSigned =
    R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://s.invalid/","POSTHOG_SIGNING_SECRET":"s",)"
    R"("HOGFLARE_ADMIN_TOKEN":"a","POSTHOG_PERSONAL_API_KEY":"k",)"
    R"("HOGFLARE_PATH_PREFIX":"/ingest"},)"
    R"("bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX"],"bundled_flags":"[]"})";

// As many header fields as the head has.
constexpr size_t kHeaderFields = 20;

// A line as the host gives it: its URL and Headers hold no CR, LF or NUL, which end a head's fields
// (url.spec.whatwg.org, "C0 control percent-encode set"; fetch.spec.whatwg.org, "header value").
std::string without_controls(std::string_view line) {
  std::string out;
  for (const char c : line) {
    if (c != '\r' && c != '\0') out += c;
  }
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  fuzz::RunLengths decompressor;
  const bool is_signed = input.flip();
  test::TableZones zones;
  Core core(is_signed ? kSigned : kOpen, decompressor, zones);
  fuzz::Host host(core, input, fuzz::Answers::kWell);
  const std::string method = input.choose({"GET", "POST", "HEAD", "OPTIONS", "PUT", ""});
  std::string path = input.choose({"/e/", "/batch", "/engage/", "/s/", "/flags/", "/decide/",
                                   "/i/v1/analytics/events", "/ofrep/v1/evaluate/flags/", "/array/",
                                   "/api/projects/", "/admin/", "/ingest/", ""});
  path += without_controls(input.line());
  const std::string query = without_controls(input.line());
  std::string headers;
  for (size_t i = 0; i < kHeaderFields + kEdgeFields.size(); ++i) {
    if (input.rest().empty()) break;
    if (input.byte() > 60) {
      headers += '\0';
      continue;
    }
    headers += without_controls(input.line());
    headers += '\0';
  }
  const Reply reply = host.http(method, path, query, headers, std::string(input.rest()));
  HF_ASSERT(reply.status >= 200 && reply.status < 600);
  for (const Header& header : reply.headers) {
    // What a client sent may stand in a header, but ends no line.
    HF_ASSERT(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
  for (const std::string_view name : {"data", "compression", "_", "sent_at", "v"}) {
    (void)form_value(query, name);
  }
  return 0;
}
