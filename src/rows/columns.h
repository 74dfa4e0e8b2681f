// The typed columns behind `extra`: values that questions group and filter by, lifted from what the
// row holds already. Where each comes from: docs/SCHEMAS.md.
//
//   ColumnValues columns;
//   columns.lift(Column::kOs, member.value);      // while the properties are written
//   columns.append(out, properties_bytes);
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "hogflare/json.h"
#include "hogflare/limits.h"

namespace hogflare::rows {

// In the order of schemas/events.json.
enum class Column : uint8_t {
  kSessionId,
  kWindowId,
  kCurrentUrl,
  kHost,
  kPathname,
  kScreenName,
  kReferrer,
  kReferringDomain,
  kUtmSource,
  kUtmMedium,
  kUtmCampaign,
  kUtmTerm,
  kUtmContent,
  kBrowser,
  kBrowserVersion,
  kOs,
  kOsVersion,
  kDeviceType,
  kCountryCode,
  kRegion,
  kCity,
  kLib,
  kLibVersion,
  kIsIdentified,
  kPersonMode,
  kFeatureFlag,
  kFeatureFlagVariant,
  kExceptionType,
  kExceptionMessage,
  kExceptionFingerprint,
};
inline constexpr size_t kLiftedColumns = static_cast<size_t>(Column::kExceptionFingerprint) + 1;

class ColumnValues {
 public:
  // Notes a property's value; what says nothing (null, empty text, list, object) leaves the column
  // as it is. The value must live until append().
  void lift(Column column, const json::Value& value) {
    if (column == Column::kIsIdentified && !value.is_bool()) return;
    lift(column, value.raw());
  }
  void lift(Column column, std::string_view raw) {
    const char first = raw.front();
    if (first == 'n' || first == '{' || first == '[' || (first == '"' && raw.size() == 2)) return;
    set(column, raw);
  }
  // JSON of a text, a number or a truth value, not empty.
  void set(Column column, std::string_view raw) {
    values_[static_cast<size_t>(column)] = {raw.data(), raw.size()};
    filled_ |= 1u << static_cast<unsigned>(column);
  }
  bool has(Column column) const { return (filled_ >> static_cast<unsigned>(column) & 1u) != 0; }

  // Appends the columns that are filled, each behind a comma, and `properties_bytes`.
  void append(std::string& out, size_t properties_bytes) const;

 private:
  struct Raw {
    const char* begin;
    size_t size;
  };
  std::array<Raw, kLiftedColumns> values_;  // only those of filled_ are set
  uint32_t filled_ = 0;
};

// A JSON text or number as a text of at most limits::kColumnTextBytesMax, cut on a character.
std::string column_text(std::string_view raw);

// Whether a property of an event is the site's own: its name has no `$` and it has no column.
bool is_events_own(std::string_view name);
// The same of a person.
inline bool is_persons_own(std::string_view name) { return name.empty() || name.front() != '$'; }

// The own properties of an event or a person, but null. Of those that have more than
// limits::kCustomPropertiesBytesMax the smallest are taken, in the order they came in. Views must
// live until append().
class CustomProperties {
 public:
  void add(const json::Member& member) {
    if (member.value.is_null()) return;
    const std::string_view value = member.value.raw();
    const char* const begin = member.raw_key().data();
    const auto size = static_cast<uint32_t>(value.data() + value.size() - begin);
    bytes_ += size + 1;
    // Then `all` is walked again.
    if (!fits()) return;
    if (end_ != nullptr && begin == end_ + 1) {
      held_[count_ - 1].size += size + 1;
    } else if (count_++ < kHeld) {
      held_[count_ - 1] = {begin, size};
    }
    end_ = count_ <= kHeld ? begin + size : nullptr;
  }
  bool empty() const { return bytes_ == kEmptyBytes; }
  // Whether none has to be left out.
  bool fits() const { return bytes_ <= limits::kCustomPropertiesBytesMax; }
  using IsOwn = bool (*)(std::string_view name);
  // The object. `all` is whose members were added, those for which `is_own` says so.
  void append(std::string& out, const json::Value& all, IsOwn is_own) const;

 private:
  // Members between which stands nothing but a comma are one run. Events have a few; where there
  // are more `all` is walked again.
  static constexpr size_t kHeld = 24;
  struct Run {
    const char* begin;
    uint32_t size;
  };
  static void append_smallest(std::string& out, const json::Value& all, IsOwn is_own);

  std::array<Run, kHeld> held_;
  size_t count_ = 0;
  const char* end_ = nullptr;  // of the last run
  static constexpr size_t kEmptyBytes = 1;
  size_t bytes_ = kEmptyBytes;  // of the object
};

}  // namespace hogflare::rows
