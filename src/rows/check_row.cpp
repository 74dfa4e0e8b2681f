#include <array>

#include "hogflare/limits.h"
#include "hogflare/rows.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

enum class ColumnType { kString, kInt64, kBool, kTimestamp, kJson };

struct Column {
  std::string_view name;
  ColumnType type;
  bool required;
};

// schemas/events.json; tests/unit/rows_test.cpp compares the two.
constexpr auto kColumns = std::to_array<Column>({
    {"uuid", ColumnType::kString, true},
    {"team_id", ColumnType::kInt64, false},
    {"source", ColumnType::kString, true},
    {"event", ColumnType::kString, true},
    {"distinct_id", ColumnType::kString, true},
    {"timestamp", ColumnType::kTimestamp, false},
    {"created_at", ColumnType::kTimestamp, true},
    {"properties", ColumnType::kJson, false},
    {"context", ColumnType::kJson, false},
    {"person_id", ColumnType::kString, false},
    {"person_created_at", ColumnType::kTimestamp, false},
    {"person_properties", ColumnType::kJson, false},
    {"group0", ColumnType::kString, false},
    {"group1", ColumnType::kString, false},
    {"group2", ColumnType::kString, false},
    {"group3", ColumnType::kString, false},
    {"group4", ColumnType::kString, false},
    {"group_properties", ColumnType::kJson, false},
    {"api_key", ColumnType::kString, false},
    {"extra", ColumnType::kJson, false},
    {"session_id", ColumnType::kString, false},
    {"window_id", ColumnType::kString, false},
    {"current_url", ColumnType::kString, false},
    {"host", ColumnType::kString, false},
    {"pathname", ColumnType::kString, false},
    {"screen_name", ColumnType::kString, false},
    {"referrer", ColumnType::kString, false},
    {"referring_domain", ColumnType::kString, false},
    {"utm_source", ColumnType::kString, false},
    {"utm_medium", ColumnType::kString, false},
    {"utm_campaign", ColumnType::kString, false},
    {"utm_term", ColumnType::kString, false},
    {"utm_content", ColumnType::kString, false},
    {"browser", ColumnType::kString, false},
    {"browser_version", ColumnType::kString, false},
    {"os", ColumnType::kString, false},
    {"os_version", ColumnType::kString, false},
    {"device_type", ColumnType::kString, false},
    {"country_code", ColumnType::kString, false},
    {"region", ColumnType::kString, false},
    {"city", ColumnType::kString, false},
    {"lib", ColumnType::kString, false},
    {"lib_version", ColumnType::kString, false},
    {"is_identified", ColumnType::kBool, false},
    {"person_mode", ColumnType::kString, false},
    {"feature_flag", ColumnType::kString, false},
    {"feature_flag_variant", ColumnType::kString, false},
    {"exception_type", ColumnType::kString, false},
    {"exception_message", ColumnType::kString, false},
    {"exception_fingerprint", ColumnType::kString, false},
    {"properties_bytes", ColumnType::kInt64, false},
    {"custom_properties", ColumnType::kJson, false},
});

// "2026-01-02T03:04:05.678Z" with its quotes; the sink has no year 0.
bool is_timestamp(std::string_view raw) {
  constexpr std::string_view kForm = "\"0000-00-00T00:00:00.000Z\"";
  if (raw.size() != kForm.size()) return false;
  for (size_t i = 0; i < raw.size(); ++i) {
    const bool digit = raw[i] >= '0' && raw[i] <= '9';
    if (kForm[i] == '0' ? !digit : raw[i] != kForm[i]) return false;
  }
  return raw.substr(1, 4) != "0000";
}

bool fits(const json::Value& value, ColumnType type) {
  switch (type) {
    case ColumnType::kString:
      return value.is_string();
    case ColumnType::kInt64:
      return value.is_number() && parse_int64(value.raw()).has_value();
    case ColumnType::kBool:
      return value.is_bool();
    case ColumnType::kTimestamp:
      return value.is_string() && is_timestamp(value.raw());
    case ColumnType::kJson:
      return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> check_row(std::string_view row) {
  if (row.size() > limits::kRowBytesMax) {
    return "the row has " + std::to_string(row.size()) + " bytes";
  }
  const Result<json::Document> document = json::Document::parse_const(row, 1);
  if (!document.ok()) return document.error().detail;
  if (!document.value().root().is_object()) return "the row is no object";
  // Columns come in the schema's order, so one walk sees what is missing, doubled or unknown.
  size_t next = 0;
  for (const json::Member member : document.value().root().members()) {
    while (next < kColumns.size() && !member.key_is(kColumns[next].name)) {
      if (kColumns[next].required)
        return "column " + std::string(kColumns[next].name) + " is missing";
      ++next;
    }
    if (next == kColumns.size()) return "column " + member.key() + " is unknown or out of order";
    if (!fits(member.value, kColumns[next].type)) {
      return "column " + std::string(kColumns[next].name) + " has the wrong type";
    }
    ++next;
  }
  for (; next < kColumns.size(); ++next) {
    if (kColumns[next].required)
      return "column " + std::string(kColumns[next].name) + " is missing";
  }
  return std::nullopt;
}

}  // namespace hogflare
