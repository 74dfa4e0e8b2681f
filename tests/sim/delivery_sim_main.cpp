// The simulator of delivery; scripts/sim-delivery is its front and says what the options mean.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "delivery_run.h"

namespace hogflare::sim {
namespace {

struct Break {
  const char* name;
  bool OutboxFaults::*step;
};

constexpr Break kBreaks[] = {
    {"skip_put_alarm", &OutboxFaults::skip_put_alarm},
    {"skip_put_counts", &OutboxFaults::skip_put_counts},
    {"store_nothing_when_full", &OutboxFaults::store_nothing_when_full},
    {"skip_rearm", &OutboxFaults::skip_rearm},
    {"disarm_with_work_left", &OutboxFaults::disarm_with_work_left},
    {"delete_before_success", &OutboxFaults::delete_before_success},
    {"forget_upper_half", &OutboxFaults::forget_upper_half},
    {"quarantine_whole_send", &OutboxFaults::quarantine_whole_send},
    {"drop_refused_row", &OutboxFaults::drop_refused_row},
};

uint64_t current_seed = 0;
char broken_option[80] = "";

void print_replay() {
  std::printf("replay: scripts/sim-delivery --seed %llu%s\n",
              static_cast<unsigned long long>(current_seed), broken_option);
  std::fflush(stdout);
}

void handle_abort(int) {
  std::printf("seed %llu: an assertion failed\n", static_cast<unsigned long long>(current_seed));
  print_replay();
  std::_Exit(1);
}

bool run_seed(uint64_t seed, const OutboxFaults& broken, bool shows, DeliveryCounts& sums,
              Counts& world) {
  current_seed = seed;
  SeededChoices choices(seed);
  DeliveryHistory history(choices, broken);
  const std::string wrong = history.run();
  const DeliveryCounts& counts = history.counts();
  sums.accepted += counts.accepted;
  sums.landed += counts.landed;
  sums.rejected += counts.rejected;
  sums.quarantined += counts.quarantined;
  sums.copies += counts.copies;
  sums.retried += counts.retried;
  sums.full += counts.full > 0 ? 1 : 0;
  world.messages += history.world_counts().messages;
  world.crashes += history.world_counts().crashes;
  world.lost += history.world_counts().lost;
  world.alarms += history.world_counts().alarms;
  if (wrong.empty() && !shows) return true;
  std::printf("%sseed %llu: %s\n", history.describe().c_str(),
              static_cast<unsigned long long>(seed),
              wrong.empty() ? "nothing is wrong" : wrong.c_str());
  if (!wrong.empty()) print_replay();
  return wrong.empty();
}

int run_seeds(uint64_t first, uint64_t count, const OutboxFaults& broken, bool shows) {
  DeliveryCounts sums;
  Counts world;
  uint64_t passed = 0;
  while (passed < count && run_seed(first + passed, broken, shows, sums, world)) ++passed;
  const auto number = [](uint64_t value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "accepted %llu = landed %llu + rejected %llu + quarantined %llu; %llu copies, %llu retries, "
      "%llu histories with a 503\n",
      number(sums.accepted), number(sums.landed), number(sums.rejected), number(sums.quarantined),
      number(sums.copies), number(sums.retried), number(sums.full));
  std::printf("%.1f M messages, %llu crashes, %llu lost, %llu alarms\n",
              static_cast<double>(world.messages) / 1e6, number(world.crashes), number(world.lost),
              number(world.alarms));
  std::printf("%llu passed, %d failed\n", number(passed), passed == count ? 0 : 1);
  return passed == count ? 0 : 1;
}

int main(int count, char** texts) {
  uint64_t first = 1;
  uint64_t seeds = 0;
  bool shows = false;
  OutboxFaults broken;
  for (int i = 1; i < count; i += 2) {
    const std::string name = texts[i];
    if (name == "--list-breaks") {
      for (const Break& known : kBreaks) std::printf("%s\n", known.name);
      return 0;
    }
    const char* value = i + 1 < count ? texts[i + 1] : "";
    bool known_option = true;
    if (name == "--seeds") {
      seeds = std::strtoull(value, nullptr, 10);
    } else if (name == "--first") {
      first = std::strtoull(value, nullptr, 10);
    } else if (name == "--seed") {
      first = std::strtoull(value, nullptr, 10);
      seeds = 1;
      shows = true;
    } else {
      known_option = false;
      for (const Break& known : kBreaks) {
        if (name != "--break" || std::strcmp(value, known.name) != 0) continue;
        broken.*known.step = true;
        std::snprintf(broken_option, sizeof broken_option, " --break %s", known.name);
        known_option = true;
      }
    }
    if (known_option) continue;
    std::fprintf(stderr, "delivery_sim_main: cannot read %s %s; scripts/sim-delivery --help\n",
                 name.c_str(), value);
    return 2;
  }
  std::signal(SIGABRT, handle_abort);
  return run_seeds(first, seeds, broken, shows);
}

}  // namespace
}  // namespace hogflare::sim

int main(int count, char** texts) { return hogflare::sim::main(count, texts); }
