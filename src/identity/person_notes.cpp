#include "identity/person_notes.h"

#include <algorithm>
#include <cstdio>

#include "hogflare/limits.h"
#include "base/stored_value.h"

namespace hogflare {
namespace {

constexpr std::string_view kDismissalPrefix = "dismiss/";
constexpr std::string_view kReportPrefix = "report/";
constexpr std::string_view kMovedIdsKey = "report-ids";
constexpr std::string_view kTriesKey = "tries";

std::string numbered(std::string_view prefix, uint64_t number) {
  char digits[24];
  std::snprintf(digits, sizeof digits, "%012llu", static_cast<unsigned long long>(number));
  return std::string(prefix) + digits;
}

bool read_unreported(std::string_view body, UnreportedMerge& merge) {
  ByteReader in(body);
  merge.event_uuid = in.text();
  merge.distinct_id = in.text();
  merge.merged_uuid = in.text();
  merge.merged_version = in.number();
  merge.merged_created_at_ms = in.signed_number();
  merge.team_id = in.signed_number();
  return in.done();
}

}  // namespace

void note_dismissal(Storage& storage, PersonRecord& record, std::string_view object) {
  storage.put(numbered(kDismissalPrefix, record.next_dismissal++),
              seal(kPersonStoredVersion, object));
}

bool has_dismissals(Storage& storage) { return !storage.list(kDismissalPrefix, {}, 1).empty(); }

std::vector<std::pair<std::string, std::string>> load_dismissals(
    Storage& storage, std::string_view after, size_t count_max, std::optional<StoredFault>& fault) {
  std::vector<std::pair<std::string, std::string>> found;
  std::string last(after);
  while (found.size() < count_max) {
    const auto more = static_cast<uint32_t>(count_max - found.size());
    const std::vector<std::string> keys = storage.list(kDismissalPrefix, last, more);
    for (const std::string& key : keys) {
      std::string value;
      if (!storage.get(key, value)) continue;
      const std::optional<std::string_view> object = unseal(value, kPersonStoredVersion);
      if (object.has_value()) {
        found.emplace_back(key, *object);
      } else if (!fault.has_value()) {
        fault = unreadable(key, value);
      }
    }
    if (keys.size() < more) break;
    last = keys.back();
  }
  return found;
}

void write_unreported(ByteWriter& out, const UnreportedMerge& merge) {
  out.text(merge.event_uuid);
  out.text(merge.distinct_id);
  out.text(merge.merged_uuid);
  out.number(merge.merged_version);
  out.signed_number(merge.merged_created_at_ms);
  out.signed_number(merge.team_id);
}

void note_report(Storage& storage, PersonRecord& record, const UnreportedMerge& merge) {
  ByteWriter out;
  write_unreported(out, merge);
  storage.put(numbered(kReportPrefix, record.next_report++),
              seal(kPersonStoredVersion, out.bytes()));
  if (record.next_report - record.first_report > limits::kUnreportedMergesMax) {
    erase_reports(storage, record, record.first_report + 1);
  }
}

std::vector<UnreportedMerge> load_reports(Storage& storage, const PersonRecord& record,
                                          std::optional<StoredFault>& fault) {
  ReadReports read = read_reports(storage, record);
  if (!read.fault.has_value()) return std::move(read.reports);
  fault = std::move(read.fault);
  return {};
}

ReadReports read_reports(Storage& storage, const PersonRecord& record) {
  ReadReports read;
  for (uint64_t number = record.first_report; number < record.next_report; ++number) {
    const std::string key = numbered(kReportPrefix, number);
    std::string value;
    if (!storage.get(key, value)) {
      if (!read.fault.has_value()) read.fault = missing(key);
      continue;
    }
    const std::optional<std::string_view> body = unseal(value, kPersonStoredVersion);
    UnreportedMerge merge;
    if (body.has_value() && read_unreported(*body, merge)) {
      read.reports.push_back(std::move(merge));
      continue;
    }
    read.unread.push_back(number);
    if (!read.fault.has_value()) read.fault = unreadable(key, value);
  }
  return read;
}

void note_moved_ids(Storage& storage, const PersonRecord& record, uint32_t first_page,
                    std::optional<StoredFault>& fault) {
  uint32_t first = first_page;
  if (record.first_report < record.next_report) {
    first = std::min(first, first_moved_page(storage, fault));
    if (fault.has_value()) return;
  }
  // What is not there says the same, and most people have no pages.
  if (first == 0) return forget_moved_ids(storage);
  ByteWriter out;
  out.number(first);
  storage.put(kMovedIdsKey, seal(kPersonStoredVersion, out.bytes()));
}

uint32_t first_moved_page(Storage& storage, std::optional<StoredFault>& fault) {
  std::string value;
  if (!storage.get(kMovedIdsKey, value)) return 0;
  const std::optional<std::string_view> body = unseal(value, kPersonStoredVersion);
  ByteReader in(body.value_or(std::string_view()));
  const uint64_t first = in.number();
  if (!body.has_value() || !in.done() || first > UINT32_MAX) {
    fault = unreadable(kMovedIdsKey, value);
    return 0;
  }
  return static_cast<uint32_t>(first);
}

void forget_moved_ids(Storage& storage) {
  std::string value;
  if (storage.get(kMovedIdsKey, value)) storage.erase(kMovedIdsKey);
}

void erase_reports(Storage& storage, PersonRecord& record, uint64_t end,
                   const std::vector<uint64_t>& kept) {
  end = std::min(end, record.next_report);
  uint64_t first = record.first_report;
  for (uint64_t number = first; number < end; ++number) {
    if (!std::binary_search(kept.begin(), kept.end(), number)) {
      storage.erase(numbered(kReportPrefix, number));
    }
  }
  first = kept.empty() ? end : std::min(kept.front(), end);
  record.first_report = std::max(record.first_report, first);
}

uint64_t load_tries(Storage& storage) {
  std::string value;
  if (!storage.get(kTriesKey, value)) return 0;
  // One that cannot be read says nothing, and is written anew.
  ByteReader in(unseal(value, kPersonStoredVersion).value_or(std::string_view()));
  const uint64_t tries = in.number();
  return in.done() ? tries : 0;
}

void store_tries(Storage& storage, uint64_t tries) {
  if (tries == 0) return storage.erase(kTriesKey);
  ByteWriter out;
  out.number(tries);
  storage.put(kTriesKey, seal(kPersonStoredVersion, out.bytes()));
}

}  // namespace hogflare
