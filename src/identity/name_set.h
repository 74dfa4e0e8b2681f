// A fixed set of names that is asked about every property of every event: names are grouped by
// length when the program is built, so that a name outside the set is compared with very few.
//
//   constexpr NameSet kNames(std::to_array<std::string_view>({"$browser", "$os"}));
//   kNames.find("$os")   // 1, its place in the list; NameSet::kNone for a name that is not in it
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace hogflare {

template <size_t N>
class NameSet {
 public:
  static constexpr size_t kNone = SIZE_MAX;

  constexpr explicit NameSet(const std::array<std::string_view, N>& names) {
    size_t count = 0;
    for (size_t size = 0; size <= kBytesMax; ++size) {
      begin_[size] = static_cast<uint8_t>(count);
      for (size_t i = 0; i < N; ++i) {
        if (names[i].size() != size) continue;
        entries_[count++] = {names[i], i};
        known_[slot_of(names[i])] = true;
      }
    }
    begin_[kBytesMax + 1] = static_cast<uint8_t>(count);
    complete_ = count == N;
  }

  // False when a name is too long for the set: look at it in a static_assert.
  constexpr bool complete() const { return complete_; }

  constexpr size_t find(std::string_view name) const {
    if (name.empty() || name.size() > kBytesMax || !known_[slot_of(name)]) return kNone;
    for (size_t at = begin_[name.size()]; at < begin_[name.size() + 1]; ++at) {
      const Entry& entry = entries_[at];
      // Names of one length often begin alike: $browser and $referrer, utm_term and utm_name.
      if (entry.name.back() == name.back() && entry.name == name) return entry.place;
    }
    return kNone;
  }
  constexpr bool contains(std::string_view name) const { return find(name) != kNone; }

 private:
  static constexpr size_t kBytesMax = 40;
  static_assert(N < UINT8_MAX);
  struct Entry {
    std::string_view name;
    size_t place = 0;
  };

  // Most other names fall into slots that nobody of the set has. Of a name that is not empty.
  static constexpr size_t kSlots = 512;
  static constexpr size_t slot_of(std::string_view name) {
    return (name.size() + static_cast<unsigned char>(name.back()) * 47u +
            static_cast<unsigned char>(name[name.size() / 2]) * 13u) %
           kSlots;
  }

  std::array<bool, kSlots> known_{};
  std::array<Entry, N> entries_{};
  std::array<uint8_t, kBytesMax + 2> begin_{};
  bool complete_ = false;
};

}  // namespace hogflare
