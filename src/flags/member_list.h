// The list of ids that belong to a cohort: a static cohort's people, or a realtime cohort's.
//
//   std::string problem;
//   std::optional<MemberList> list = MemberList::read(value, problem);
//   if (list && list->contains(distinct_id)) …
//
// Ids are persons' uuids or distinct ids. They lie sorted in one text, which costs four bytes an id
// beside its own; a look-up compares about 17 of 100,000.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/flags_value.h"

namespace hogflare::flags {

class MemberList {
 public:
  // Reads a list of ids as text or number, or of persons as PostHog's API lists them ({"uuid" or
  // "id", "distinct_ids": [...]}), bare or as "results" or "members" of an object. Nullopt and the
  // reason in `problem` when the value is none or holds over limits::kCohortMembersMax ids.
  static std::optional<MemberList> read(const Value& value, std::string& problem);

  bool contains(std::string_view id) const;
  size_t size() const { return starts_.size(); }
  size_t bytes() const { return text_.capacity() + starts_.capacity() * sizeof(uint32_t); }

 private:
  std::string_view at(uint32_t start) const;

  std::string text_;              // each id and a NUL
  std::vector<uint32_t> starts_;  // in the order of the ids they start
};

}  // namespace hogflare::flags
