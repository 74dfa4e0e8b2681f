// Microseconds to evaluate 1, 100 and 1,000 flags of three conditions each for one request, and to
// do the whole of /flags: parse the body, evaluate, write the answer. Medians of 31 rounds.
// Prints a table, and with --json one JSON line. Target: 150 us for 100 flags in wasm.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "hogflare/flags.h"
#include "hogflare/flags_responses.h"

using namespace hogflare;
using namespace hogflare::flags;

namespace {

constexpr int kRounds = 31;
constexpr const char* kBody =
    R"({"token":"phc_bench","distinct_id":"user-12345","groups":{"company":"acme"},)"
    R"("person_properties":{"email":"someone@example.com","plan":"pro","age":34,"country":"DE",)"
    R"("$app_version":"2.3.1","signed_up":"2025-01-15T10:00:00Z"},"geoip_disable":true})";

// Three conditions: two that miss on their filters, one that hashes and picks a variant.
std::string definitions(int count) {
  std::string json = "{\"flags\":[";
  for (int i = 0; i < count; ++i) {
    if (i > 0) json.push_back(',');
    json.append("{\"id\":").append(std::to_string(i));
    json.append(",\"key\":\"flag-").append(std::to_string(i));
    json.append(R"(","active":true,"filters":{"groups":[)"
                R"({"properties":[{"key":"plan","type":"person","operator":"exact",)"
                R"("value":["enterprise","scale"]}],"rollout_percentage":100},)"
                R"({"properties":[{"key":"email","type":"person","operator":"regex",)"
                R"("value":"@posthog\\.com$"},{"key":"age","type":"person","operator":"gt",)"
                R"("value":18}],"rollout_percentage":100},)"
                R"({"properties":[{"key":"country","type":"person","operator":"icontains",)"
                R"("value":"d"}],"rollout_percentage":80}],)"
                R"("multivariate":{"variants":[{"key":"control","rollout_percentage":50},)"
                R"({"key":"test","rollout_percentage":50}]},"payloads":{"test":"{\"a\":1}"}}})");
  }
  return json + "]}";
}

template <typename Work>
double median_us(int repeat, const Work& work) {
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < repeat; ++i) work();
    const auto took = std::chrono::steady_clock::now() - start;
    rounds.push_back(std::chrono::duration<double, std::micro>(took).count() / repeat);
  }
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  return rounds[kRounds / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const bool as_json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  if (!as_json) {
    std::printf("%8s %12s %12s %12s\n", "flags", "evaluate us", "request us", "parse us");
  }
  for (const int count : {1, 100, 1000}) {
    const std::string json = definitions(count);
    const Result<Definitions> parsed = Definitions::parse(json, ParseOptions{});
    HF_ASSERT(parsed.ok());
    const Result<Request> request = parse_request(kBody, RequestHeaders{});
    HF_ASSERT(request.ok());
    const StoredState stored;
    size_t sink = 0;
    const int repeat = std::max(1, 2000 / count);
    const double evaluate_us = median_us(repeat, [&] {
      sink += evaluate(parsed.value(), request.value(), stored, 1'750'000'000'000).results.size();
    });
    const double request_us = median_us(repeat, [&] {
      const Result<Request> fresh = parse_request(kBody, RequestHeaders{});
      sink += needs(parsed.value(), fresh.value()).groups.size();
      const Evaluation evaluation =
          evaluate(parsed.value(), fresh.value(), stored, 1'750'000'000'000);
      sink += write_flags(evaluation, FlagsVersion::kV2, ResponseContext{"id", 0, {}}).size();
    });
    const double parse_us =
        median_us(1, [&] { sink += Definitions::parse(json, ParseOptions{}).value().size(); });
    HF_ASSERT(sink > 0);
    if (as_json) {
      std::printf(
          "{\"name\":\"flags/%d\",\"evaluate_us\":%.2f,\"request_us\":%.2f,"
          "\"parse_definitions_us\":%.1f}\n",
          count, evaluate_us, request_us, parse_us);
    } else {
      std::printf("%8d %12.2f %12.2f %12.1f\n", count, evaluate_us, request_us, parse_us);
    }
  }
  return 0;
}
