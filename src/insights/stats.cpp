#include <algorithm>
#include <cmath>

#include "hogflare/insights_stats.h"

namespace hogflare::insights {
namespace {

constexpr double kZ95 = 1.959963984540054;
constexpr double kAlpha = 0.05;
// People at which the sequential interval is tightest; it holds at any number.
constexpr double kTunedPeople = 5'000;

struct Moments {
  double mean = 0;
  double variance = 0;
};

Moments moments_of(const Arm& arm, bool proportion) {
  Moments out{.mean = arm.sum / arm.people};
  if (proportion) {
    out.variance = out.mean * (1 - out.mean);
  } else if (arm.people > 1) {
    out.variance =
        std::max(0.0, (arm.sum_squares - arm.sum * arm.sum / arm.people) / (arm.people - 1));
  }
  return out;
}

}  // namespace

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

Comparison compare_arms(const Arm& control, const Arm& test, CompareOptions options) {
  Comparison out;
  if (control.people < 1 || test.people < 1) return out;
  const Moments c = moments_of(control, options.proportion);
  const Moments t = moments_of(test, options.proportion);
  if (c.mean == 0) return out;
  out.valid = true;
  out.lift = (t.mean - c.mean) / c.mean;
  // The delta method for the ratio of two independent means.
  const double variance = t.variance / (test.people * c.mean * c.mean) +
                          c.variance * t.mean * t.mean / (control.people * std::pow(c.mean, 4));
  out.standard_error = std::sqrt(variance);
  if (out.standard_error == 0) {
    out.chance_to_win = out.lift > 0 ? 1 : out.lift < 0 ? 0 : 0.5;
  } else {
    out.chance_to_win = normal_cdf(out.lift / out.standard_error);
  }
  if (options.decrease_wins) out.chance_to_win = 1 - out.chance_to_win;
  out.significant = out.chance_to_win > 1 - kAlpha || out.chance_to_win < kAlpha;
  out.credible_low = out.lift - kZ95 * out.standard_error;
  out.credible_high = out.lift + kZ95 * out.standard_error;
  const double people = control.people + test.people;
  const double log_alpha = -2 * std::log(kAlpha);
  const double rho2 = (log_alpha + std::log(log_alpha + 1)) / kTunedPeople;
  const double scale = people * rho2;
  const double half = out.standard_error *
                      std::sqrt(2 * (scale + 1) / scale * std::log(std::sqrt(scale + 1) / kAlpha));
  out.sequential_low = out.lift - half;
  out.sequential_high = out.lift + half;
  out.sequential_significant = out.sequential_low > 0 || out.sequential_high < 0;
  return out;
}

}  // namespace hogflare::insights
