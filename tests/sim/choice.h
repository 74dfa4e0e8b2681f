// Where a simulation's decisions come from: drawn from a seed, or led through all of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace hogflare::sim {

class Choices {
 public:
  virtual ~Choices() = default;
  // Uniform in [0, bound); bound > 0.
  virtual uint32_t below(uint32_t bound) = 0;
  // True this many times in a thousand; on the first branch it is not.
  bool permille(uint32_t share) { return share > 0 && below(kThousand) >= kThousand - share; }
  static constexpr uint32_t kThousand = 1000;
};

// SplitMix64 (Steele, Lea, Flood 2014): small, and every seed is a good one.
class SeededChoices final : public Choices {
 public:
  explicit SeededChoices(uint64_t seed) : state_(seed) {}
  uint32_t below(uint32_t bound) override { return static_cast<uint32_t>(next() % bound); }
  uint64_t next() {
    uint64_t z = state_ += 0x9E3779B97F4A7C15;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// Takes the first branch everywhere but at a few numbered decisions. Running a world again and
// again with every set of at most N deviations visits every schedule that differs from plain order
// in at most N places.
class DeviatingChoices final : public Choices {
 public:
  struct Deviation {
    size_t at;       // number of the decision
    uint32_t taken;  // the branch, not 0
  };
  explicit DeviatingChoices(std::vector<Deviation> deviations)
      : deviations_(std::move(deviations)) {}

  uint32_t below(uint32_t bound) override {
    const size_t at = bounds_.size();
    bounds_.push_back(bound);
    for (const Deviation& deviation : deviations_) {
      if (deviation.at == at) return deviation.taken % bound;
    }
    return 0;
  }
  // How many branches each decision had.
  const std::vector<uint32_t>& bounds() const { return bounds_; }

 private:
  std::vector<Deviation> deviations_;
  std::vector<uint32_t> bounds_;
};

}  // namespace hogflare::sim
