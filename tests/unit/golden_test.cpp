// Requests as real SDK releases sent them (tests/golden/*.json, made by scripts/record-golden),
// decoded and written as rows, compared with tests/golden/*.rows.txt byte for byte. Clock and
// entropy are fixed, so even the times and ids that the server gives are always the same.
#include <dirent.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>

#include "hogflare/base64.h"
#include "hogflare/capture_v1.h"
#include "hogflare/rows.h"
#include "wire_support.h"

using namespace hogflare;

namespace {

using Json = nlohmann::json;

// Later than every recording, so that no timestamp is one of the future.
constexpr int64_t kReplayMs = 1'798'761'600'000;  // 2027-01-01T00:00:00Z

std::string golden_path(const std::string& name) {
  return std::string(HOGFLARE_TEST_DATA_DIR) + "/golden/" + name;
}

// The recordings, without ".json".
std::vector<std::string> recordings() {
  std::vector<std::string> names;
  DIR* directory = opendir(golden_path("").c_str());
  REQUIRE(directory != nullptr);
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    const size_t dot = name.rfind(".json");
    if (dot != std::string::npos && dot + 5 == name.size()) names.push_back(name.substr(0, dot));
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

std::string header_of(const Json& request, std::string_view name) {
  for (const Json& header : request["headers"]) {
    if (header[0].get<std::string>() == name) return header[1].get<std::string>();
  }
  return {};
}

// A recorded request with the texts its head looks into.
struct Recorded {
  explicit Recorded(const Json& request)
      : method(request["method"].get<std::string>()),
        target(request["path"].get<std::string>()),
        body(decode_base64(request["body"].get<std::string>()).value_or("")) {
    static constexpr std::pair<const char*, std::string_view RequestHead::*> kHeaders[] = {
        {"content-type", &RequestHead::content_type},
        {"content-encoding", &RequestHead::content_encoding},
        {"user-agent", &RequestHead::user_agent},
        {"origin", &RequestHead::origin},
        {"authorization", &RequestHead::authorization},
        {"posthog-sdk-info", &RequestHead::posthog_sdk_info},
        {"posthog-attempt", &RequestHead::posthog_attempt},
        {"posthog-request-id", &RequestHead::posthog_request_id},
        {"posthog-request-timestamp", &RequestHead::posthog_request_timestamp}};
    texts.reserve(std::size(kHeaders));
    for (const auto& [name, member] : kHeaders) {
      texts.push_back(header_of(request, name));
      head.*member = texts.back();
    }
    head.method = method;
    const std::string_view whole = target;
    const size_t question = whole.find('?');
    head.path = whole.substr(0, question);
    if (question != std::string_view::npos) head.query = whole.substr(question + 1);
  }

  std::string method;
  std::string target;
  std::string body;
  std::vector<std::string> texts;
  RequestHead head;
};

Result<std::unique_ptr<CaptureBatch>> decode(const RequestHead& head, std::string body,
                                             const CaptureContext& context) {
  const Route route = find_route(head.path);
  if (route.endpoint == RouteKind::kCaptureV1) {
    return decode_capture_v1(head, std::move(body), context);
  }
  if (route.endpoint == RouteKind::kReplay) return decode_replay(head, std::move(body), context);
  return decode_capture(head, capture_endpoint(route), std::move(body), context);
}

bool takes_events(const RequestHead& head) {
  const MetricRoute metric = find_route(head.path).metric;
  return metric == MetricRoute::kCapture || metric == MetricRoute::kCaptureV1 ||
         metric == MetricRoute::kReplay || metric == MetricRoute::kAiCapture;
}

// One line for the request, one for each row.
std::string replay(const Recorded& request, Entropy& entropy) {
  std::string lines = request.method + " " + request.target + "\n";
  Config config;
  const CaptureContext context{kReplayMs, config, entropy};
  const auto batch = decode(request.head, request.body, context);
  if (!batch.ok()) return lines + "refused: " + std::string(batch.error().tag()) + "\n";
  for (const Reject& reject : batch.value()->rejects) {
    lines += "rejected: " + std::string(reject.error.tag()) + "\n";
  }
  const CaptureBatch& decoded = *batch.value();
  const RowWriter writer(request.head, {decoded.token, decoded.project, decoded.sent_at_ms}, config,
                         kReplayMs);
  RowBatch rows(Stream::kEvents);
  for (const Event& event : decoded.events) writer.append_event(event, {}, {}, rows);
  for (const Recording& recording : decoded.recordings) writer.append_recording(recording, rows);
  for (uint32_t i = 0; i < rows.size(); ++i) {
    CHECK_FALSE(check_row(rows.row(i)).has_value());
    lines += std::string(rows.row(i)) + "\n";
  }
  return lines;
}

std::string replay_all(const std::string& name) {
  const Json recording = Json::parse(test::read_data_file("golden/" + name + ".json"));
  const uint8_t seed[32] = {7, 7, 7};
  Entropy entropy(seed);
  std::string lines;
  for (const Json& item : recording["requests"]) {
    const Recorded request(item);
    if (takes_events(request.head)) lines += replay(request, entropy);
  }
  return lines;
}

}  // namespace

TEST_CASE("Every recorded request becomes the rows it became before", "[golden]") {
  const std::vector<std::string> names = recordings();
  REQUIRE(names.size() >= 8);
  for (const std::string& name : names) {
    const std::string lines = replay_all(name);
    if (std::getenv("HOGFLARE_WRITE_GOLDEN") != nullptr) {
      std::ofstream(golden_path(name + ".rows.txt"), std::ios::binary) << lines;
    }
    INFO(name);
    CHECK(lines == test::read_data_file("golden/" + name + ".rows.txt"));
  }
}

// The native build has no brotli and no zstd; those requests are replayed through workerd.
TEST_CASE("No recorded request is refused, except for an encoding only the host unfolds",
          "[golden]") {
  for (const std::string& name : recordings()) {
    INFO(name);
    const std::string lines = test::read_data_file("golden/" + name + ".rows.txt");
    CHECK(lines.find("rejected: ") == std::string::npos);
    size_t at = 0;
    while ((at = lines.find("refused: ", at)) != std::string::npos) {
      CHECK(lines.compare(at, 29, "refused: unsupported_encoding") == 0);
      ++at;
    }
  }
}
