// The statistics of experiments.
//
//   Comparison c = compare_arms(control, test, {.proportion = true});
//   c.chance_to_win, c.credible_low, c.credible_high, c.sequential_low, c.sequential_high
//
// The Bayesian numbers are PostHog's present ones: a Gaussian on the relative difference with a
// flat prior (PostHog products/experiments/stats). The sequential interval holds at every look at
// once: a normal mixture (Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric,
// nonasymptotic confidence sequences", 2021).
#pragma once

#include <cstdint>

namespace hogflare::insights {

// What an arm's people gave: their number, the sum of their values and of the values' squares.
struct Arm {
  double people = 0;
  double sum = 0;
  double sum_squares = 0;
};

struct CompareOptions {
  bool proportion = false;     // values are 0 or 1
  bool decrease_wins = false;  // the experiment wants less
};

struct Comparison {
  bool valid = false;  // false: the baseline's mean is zero, or an arm holds nobody
  double lift = 0;     // (test − control) / control
  double standard_error = 0;
  double chance_to_win = 0;
  double credible_low = 0;  // 95 %
  double credible_high = 0;
  bool significant = false;   // chance above 95 % or below 5 %
  double sequential_low = 0;  // 95 % at every look
  double sequential_high = 0;
  bool sequential_significant = false;
};

Comparison compare_arms(const Arm& control, const Arm& test, CompareOptions options);
// The standard normal distribution's Φ.
double normal_cdf(double z);

}  // namespace hogflare::insights
