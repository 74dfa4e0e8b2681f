// The simulator of people and merges; scripts/sim is its front and says what the options mean.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "exhaustive.h"
#include "identity_run.h"

namespace hogflare::sim {
namespace {

struct Break {
  const char* name;
  bool ProtocolFaults::*step;
};

constexpr Break kBreaks[] = {
    {"skip_intent", &ProtocolFaults::skip_intent},
    {"skip_intent_help", &ProtocolFaults::skip_intent_help},
    {"skip_alarm", &ProtocolFaults::skip_alarm},
    {"surrender_while_locked", &ProtocolFaults::surrender_while_locked},
    {"drop_record_on_surrender", &ProtocolFaults::drop_record_on_surrender},
    {"forget_surrender_sequence", &ProtocolFaults::forget_surrender_sequence},
    {"fold_twice", &ProtocolFaults::fold_twice},
    {"acknowledge_before_fold", &ProtocolFaults::acknowledge_before_fold},
    {"skip_cancel_note", &ProtocolFaults::skip_cancel_note},
    {"forget_next_target", &ProtocolFaults::forget_next_target},
    {"redirect_backwards", &ProtocolFaults::redirect_backwards},
    {"skip_report", &ProtocolFaults::skip_report},
    {"skip_paged_ids", &ProtocolFaults::skip_paged_ids},
};

struct Arguments {
  uint64_t first = 1;
  uint64_t seeds = 0;
  bool replays = false;
  bool sequences = false;
  bool schedules = false;
  std::string broken;
  ProtocolFaults protocol;
};

// For an assertion of the core that ends the process in the middle of a seed.
uint64_t current_seed = 0;
char broken_option[80] = "";

void print_replay() {
  std::printf("replay: scripts/sim --seed %llu%s\n", static_cast<unsigned long long>(current_seed),
              broken_option);
  std::fflush(stdout);
}

void handle_abort(int) {
  std::printf("seed %llu: an assertion failed\n", static_cast<unsigned long long>(current_seed));
  print_replay();
  std::_Exit(1);
}

bool run_seed(uint64_t seed, const Arguments& arguments, Counts& sums) {
  current_seed = seed;
  SeededChoices choices(seed);
  Plan plan = draw_plan(choices);
  WorldOptions options;
  options.faults = draw_faults(choices);
  options.protocol = arguments.protocol;
  ReliableSink sink;
  IdentityRun run(std::move(plan), choices, std::move(options), sink, sink.sends);
  if (arguments.replays) run.keep_trace();
  const std::string wrong = run.run();
  const Counts& counts = run.counts();
  sums.messages += counts.messages;
  sums.crashes += counts.crashes;
  sums.evictions += counts.evictions;
  sums.lost += counts.lost;
  sums.duplicated += counts.duplicated;
  sums.alarms += counts.alarms;
  sums.silent += counts.silent;
  sums.stalls += counts.stalls;
  sums.failed_turns += counts.failed_turns;
  for (const auto& [object_class, calls] : counts.calls) sums.calls[object_class] += calls;
  if (wrong.empty() && !arguments.replays) return true;
  std::printf("%s\n", run.history().c_str());
  std::printf("seed %llu: %s\n", static_cast<unsigned long long>(seed),
              wrong.empty() ? "nothing is wrong" : wrong.c_str());
  if (!wrong.empty()) print_replay();
  return wrong.empty();
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// Stops at the first failure: the rest would mostly say the same.
int run_seeds(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  Counts sums;
  uint64_t passed = 0;
  uint64_t failed = 0;
  for (uint64_t i = 0; i < arguments.seeds && failed == 0; ++i) {
    if (run_seed(arguments.first + i, arguments, sums)) {
      ++passed;
    } else {
      ++failed;
    }
    if ((i + 1) % 2500 == 0) {
      std::printf("%llu of %llu seeds, %.0f s\n", static_cast<unsigned long long>(i + 1),
                  static_cast<unsigned long long>(arguments.seeds), seconds_since(begin));
      std::fflush(stdout);
    }
  }
  std::printf(
      "seeds from %llu: %.1f s, %.1f M messages, %llu object calls, %llu crashes, %llu evictions, "
      "%llu "
      "lost, %llu duplicated, %llu unanswered, %llu stalls, %llu failed turns, %llu alarms\n",
      static_cast<unsigned long long>(arguments.first), seconds_since(begin),
      static_cast<double>(sums.messages) / 1e6,
      static_cast<unsigned long long>(sums.calls[ObjectClass::kPerson]),
      static_cast<unsigned long long>(sums.crashes),
      static_cast<unsigned long long>(sums.evictions), static_cast<unsigned long long>(sums.lost),
      static_cast<unsigned long long>(sums.duplicated),
      static_cast<unsigned long long>(sums.silent), static_cast<unsigned long long>(sums.stalls),
      static_cast<unsigned long long>(sums.failed_turns),
      static_cast<unsigned long long>(sums.alarms));
  std::printf("%llu passed, %llu failed\n", static_cast<unsigned long long>(passed),
              static_cast<unsigned long long>(failed));
  return failed == 0 ? 0 : 1;
}

int report(const char* what, const ExhaustiveResult& result,
           std::chrono::steady_clock::time_point begin) {
  std::printf("%s: %llu histories, %llu runs, %.1f s\n", what,
              static_cast<unsigned long long>(result.histories),
              static_cast<unsigned long long>(result.runs), seconds_since(begin));
  if (!result.wrong.empty()) std::printf("%s\n", result.wrong.c_str());
  std::fflush(stdout);
  return result.wrong.empty() ? 0 : 1;
}

constexpr size_t kDeviations = 2;

int enumerate(const Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  const int failed =
      arguments.sequences
          ? report("sequences", enumerate_sequences(), begin)
          : report("schedules", enumerate_schedules(kDeviations, arguments.protocol), begin);
  std::printf("%d passed, %d failed\n", 1 - failed, failed);
  return failed;
}

bool parse(int count, char** texts, Arguments& arguments) {
  for (int i = 1; i < count; ++i) {
    const std::string name = texts[i];
    const char* value = i + 1 < count ? texts[i + 1] : "";
    if (name == "--seeds") {
      arguments.seeds = std::strtoull(value, nullptr, 10);
    } else if (name == "--first") {
      arguments.first = std::strtoull(value, nullptr, 10);
    } else if (name == "--seed") {
      arguments.first = std::strtoull(value, nullptr, 10);
      arguments.seeds = 1;
      arguments.replays = true;
    } else if (name == "--break") {
      arguments.broken = value;
    } else {
      arguments.sequences |= name == "--sequences";
      arguments.schedules |= name == "--schedules";
      if (name != "--sequences" && name != "--schedules") return false;
      continue;
    }
    ++i;
  }
  if (arguments.broken.empty()) return true;
  for (const Break& known : kBreaks) {
    if (arguments.broken != known.name) continue;
    arguments.protocol.*known.step = true;
    std::snprintf(broken_option, sizeof broken_option, " --break %s", known.name);
    return true;
  }
  return false;
}

int main(int count, char** texts) {
  if (count == 2 && std::strcmp(texts[1], "--list-breaks") == 0) {
    for (const Break& known : kBreaks) std::printf("%s\n", known.name);
    return 0;
  }
  Arguments arguments;
  if (!parse(count, texts, arguments)) {
    std::fprintf(stderr, "sim_main: cannot read its options; scripts/sim --help names them\n");
    return 2;
  }
  std::signal(SIGABRT, handle_abort);
  if (arguments.sequences || arguments.schedules) return enumerate(arguments);
  return run_seeds(arguments);
}

}  // namespace
}  // namespace hogflare::sim

int main(int count, char** texts) { return hogflare::sim::main(count, texts); }
