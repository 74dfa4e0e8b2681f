// Signatures and the flags' hash: microseconds by message size, medians of 15 rounds.
// Prints a table, and with --json one JSON object a line.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <string>
#include <vector>

#include "hogflare/digest.h"
#include "hogflare/result.h"

namespace {

using namespace hogflare;

constexpr int kRounds = 15;

double cpu_us() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

template <typename Work>
double median_us(size_t bytes, const Work& work) {
  const int repeat = std::max<int>(1, static_cast<int>(4'000'000 / (bytes + 2'000)));
  std::vector<double> rounds;
  for (int round = 0; round < kRounds; ++round) {
    const double start = cpu_us();
    for (int i = 0; i < repeat; ++i) work();
    rounds.push_back((cpu_us() - start) / repeat);
  }
  std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
  return rounds[kRounds / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const bool as_json = argc > 1 && std::strcmp(argv[1], "--json") == 0;
  if (!as_json) std::printf("%12s %12s %14s %12s\n", "bytes", "sha1 us", "hmac-sha256 us", "MB/s");
  for (const size_t bytes : {size_t{40}, size_t{1'500}, size_t{75'000}, size_t{1'000'000}}) {
    const std::string message(bytes, 'x');
    unsigned sink = 0;
    const double sha1_us = median_us(bytes, [&] { sink += sha1(message)[0]; });
    const double hmac_us = median_us(bytes, [&] { sink += hmac_sha256("secret", message)[0]; });
    HF_ASSERT(sink > 0);
    const double megabytes = static_cast<double>(bytes) / hmac_us;
    if (as_json) {
      std::printf("{\"name\":\"digest/%zu\",\"sha1_us\":%.3f,\"hmac_sha256_us\":%.3f}\n", bytes,
                  sha1_us, hmac_us);
    } else {
      std::printf("%12zu %12.2f %14.2f %12.0f\n", bytes, sha1_us, hmac_us, megabytes);
    }
  }
  return 0;
}
