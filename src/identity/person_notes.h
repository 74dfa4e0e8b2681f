// What a person's object has to do after merges, a row for each: tombstones that its alarm lets
// other objects drop, and merges that the persons stream may not have heard of. In rows, because
// either list grows with every merge and shrinks later.
//
//   dismiss/000000000000 …   sealed name of an object
//   report/000000000000 …    sealed UnreportedMerge; numbered first_report to next_report - 1
//   report-ids               sealed number: of the pages of ids, the first that has ids which came
//                            with a merge to be reported; kNoIdsMoved: none came, not even to the
//                            record; not there: the first of all
//   tries                    sealed number: alarms in a row that got nothing done; not there: none
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "identity/person_record.h"

namespace hogflare {

// The record must be stored in the same turn.
void note_dismissal(Storage& storage, PersonRecord& record, std::string_view object);
bool has_dismissals(Storage& storage);
// The first `count_max` behind the key `after`, as (key, object). Steps over those that cannot be
// read and sets `fault` to the first of them.
std::vector<std::pair<std::string, std::string>> load_dismissals(Storage& storage,
                                                                 std::string_view after,
                                                                 size_t count_max,
                                                                 std::optional<StoredFault>& fault);

// The same of reports. Over kUnreportedMergesMax the oldest one goes.
void note_report(Storage& storage, PersonRecord& record, const UnreportedMerge& merge);
std::vector<UnreportedMerge> load_reports(Storage& storage, const PersonRecord& record,
                                          std::optional<StoredFault>& fault);
// The same as far as it can be read.
struct ReadReports {
  std::vector<UnreportedMerge> reports;
  std::vector<uint64_t> unread;      // numbers of those that are there and cannot be read
  std::optional<StoredFault> fault;  // the first one
};
ReadReports read_reports(Storage& storage, const PersonRecord& record);
// Those before the number `end` are done, but for those in `kept`, in order: from the first of
// these on the record counts them as owed still.
void erase_reports(Storage& storage, PersonRecord& record, uint64_t end,
                   const std::vector<uint64_t>& kept = {});

// For first_page: the merge brought no ids, for it was refused.
inline constexpr uint32_t kNoIdsMoved = UINT32_MAX;

// A merge is about to be noted as a report: its ids stand in the record, or on pages from
// `first_page` on. Before note_report().
void note_moved_ids(Storage& storage, const PersonRecord& record, uint32_t first_page,
                    std::optional<StoredFault>& fault);
uint32_t first_moved_page(Storage& storage, std::optional<StoredFault>& fault);
// Everything is reported.
void forget_moved_ids(Storage& storage);

uint64_t load_tries(Storage& storage);
void store_tries(Storage& storage, uint64_t tries);

void write_unreported(ByteWriter& out, const UnreportedMerge& merge);

}  // namespace hogflare
