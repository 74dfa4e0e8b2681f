#include "insights/engine_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "hogflare/calendar.h"
#include "insights/kinds.h"
#include "insights/range.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

// False for what is no integer of 64 bits from its first byte to its last.
bool read_whole(std::string_view raw, int64_t& whole) {
  // Up to 18 digits cannot overflow, and looking whether they do takes longer than reading them.
  if (!raw.empty() && raw.size() <= 18 && raw[0] != '-') {
    int64_t value = 0;
    for (const char c : raw) {
      if (c < '0' || c > '9') return false;
      value = value * 10 + (c - '0');
    }
    whole = value;
    return true;
  }
  const auto [end, error] = std::from_chars(raw.data(), raw.data() + raw.size(), whole);
  return error == std::errc() && end == raw.data() + raw.size();
}

void append_whole(std::string& out, int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

// As Json::dump writes it.
void append_double(std::string& out, double value) {
  if (!std::isfinite(value)) {
    out += "null";
    return;
  }
  char text[64];
  const char* const end = nlohmann::detail::to_chars(text, text + sizeof text, value);
  out.append(text, static_cast<size_t>(end - text));
}

// A number of up to 15 digits with a point and without an exponent: both its digits and the power
// of ten are doubles, so that their quotient is the nearest one (Clinger 1990).
bool read_decimal(std::string_view raw, double& value) {
  static constexpr double kPowers[] = {1,   1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                       1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool is_negative = !raw.empty() && raw.front() == '-';
  if (is_negative) raw.remove_prefix(1);
  const size_t point = raw.find('.');
  if (point == std::string_view::npos || raw.size() > 16) return false;
  int64_t digits = 0;
  for (size_t i = 0; i < raw.size(); ++i) {
    if (i == point) continue;
    if (raw[i] < '0' || raw[i] > '9') return false;
    digits = digits * 10 + (raw[i] - '0');
  }
  value = static_cast<double>(digits) / kPowers[raw.size() - point - 1];
  if (is_negative) value = -value;
  return true;
}

// `digits` places of `value` and what stands behind them. 32 bits: WebAssembly divides 64 by
// dividing.
char* put(char* at, uint32_t value, int digits, char behind) {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
  at[digits] = behind;
  return at + digits + 1;
}

// The columns of an object that has them all, in order and nothing else, as engines write rows.
bool append_in_order(std::vector<json::Value>& cells, const json::Value& row,
                     std::span<const std::string> columns) {
  const size_t before = cells.size();
  size_t at = 0;
  for (const json::Member member : row.members()) {
    if (at == columns.size() || !member.key_is(columns[at])) {
      cells.resize(before);
      return false;
    }
    cells.push_back(member.value);
    ++at;
  }
  if (at == columns.size()) return true;
  cells.resize(before);
  return false;
}

// Whether an engine that names its columns has all of the statement's.
bool are_named(const Statement& statement, std::span<const std::string> names) {
  return names.empty() ||
         std::all_of(statement.columns.begin(), statement.columns.end(), [names](const auto& each) {
           return std::find(names.begin(), names.end(), each) != names.end();
         });
}

std::vector<size_t> places_of(const std::vector<std::string>& names,
                              const std::vector<std::string>& columns) {
  std::vector<size_t> out;
  for (const std::string& name : names) {
    const auto found = std::find(columns.begin(), columns.end(), name);
    HF_ASSERT(found != columns.end());
    out.push_back(static_cast<size_t>(found - columns.begin()));
  }
  return out;
}

// Engines give numbers as numbers or as texts.
bool is_number(const json::Value& cell) {
  if (!cell.exists() || cell.is_null()) return false;
  int64_t whole = 0;
  double decimal = 0;
  const std::string_view raw = cell.raw();
  if (read_whole(raw, whole) || read_decimal(raw, decimal)) return true;
  const double nothing = std::nan("");
  return !cell.is_bool() && !std::isnan(number_of(cell, nothing));
}

}  // namespace

// Where the columns of rows stand that come in another order or not all: each member of a row is
// looked for once, however many columns there are and however often one's name.
class ColumnPlaces {
 public:
  void append(std::vector<json::Value>& cells, const json::Value& row,
              std::span<const std::string> columns) {
    if (first_.empty()) {
      for (const std::string& column : columns) {
        first_.push_back(known_.emplace(column, first_.size()).first->second);
      }
    }
    const size_t begin = cells.size();
    cells.resize(begin + columns.size());
    std::string scratch;
    for (const json::Member member : row.members()) {
      const auto found = known_.find(member.name(scratch));
      if (found != known_.end()) cells[begin + found->second] = member.value;
    }
    for (size_t i = 0; i < first_.size(); ++i) cells[begin + i] = cells[begin + first_[i]];
  }

 private:
  std::map<std::string_view, size_t> known_;
  std::vector<size_t> first_;  // of each column, the first of its name
};

bool Rows::add(const json::Value& row, std::span<const std::string> columns, ColumnPlaces& places) {
  const size_t before = cells_.size();
  if (row.is_object() && !columns.empty()) {
    if (!append_in_order(cells_, row, columns)) places.append(cells_, row, columns);
  } else if (row.is_array()) {
    for (const json::Value cell : row.elements()) cells_.push_back(cell);
    if (!columns.empty() && cells_.size() - before != columns.size()) return false;
  } else {
    return false;
  }
  ends_.push_back(static_cast<uint32_t>(cells_.size()));
  return true;
}

size_t Rows::left_out_cells(const EngineRows& came, const Statement& statement) {
  const size_t columns = statement.columns.empty() ? came.columns.size() : statement.columns.size();
  size_t left_out = 0;
  for (const json::Value& list : came.lists) {
    for (const json::Value row : list.elements()) {
      if (!row.is_object()) continue;
      size_t given = 0;
      for (const json::Member member : row.members()) given += member.value.exists() ? 1 : 0;
      left_out += columns - std::min(columns, given);
    }
  }
  return left_out;
}

std::optional<Rows> Rows::read(const EngineRows& came, const Statement& statement) {
  const bool is_free = statement.columns.empty();
  const std::span<const std::string> columns = is_free ? came.columns : statement.columns;
  if (came.lists.empty() || !are_named(statement, came.columns)) return std::nullopt;
  const std::vector<size_t> numbers = places_of(statement.numbers, statement.columns);
  Rows rows;
  ColumnPlaces places;
  for (const json::Value& list : came.lists) {
    if (!list.is_array()) return std::nullopt;
    rows.bytes_ += list.raw().size();
    // No more cells than there are values inside.
    rows.cells_.reserve(rows.cells_.size() + (list.node().next - list.index()));
    for (const json::Value row : list.elements()) {
      if (!rows.add(row, columns, places)) return std::nullopt;
      const Row cells = rows[rows.size() - 1];
      // Without names of its own an engine leaves out some members of a row, but not all.
      const bool is_row = std::any_of(cells.begin(), cells.end(),
                                      [](const json::Value& cell) { return cell.exists(); });
      if (!is_row && came.columns.empty() && !is_free) return std::nullopt;
      for (const size_t at : numbers) {
        if (!is_number(cells[at])) return std::nullopt;
      }
    }
  }
  return rows;
}

Json cell_of(const json::Value& value) {
  if (!value.exists()) return Json();
  const std::string_view raw = value.raw();
  if (value.is_string()) return Json(value.text());
  int64_t whole = 0;
  if (read_whole(raw, whole)) return Json(whole);
  Json out = json::dom_of<Json>(raw);
  return out.is_discarded() ? Json(raw) : out;
}

double number_of(const json::Value& cell, double fallback) {
  int64_t whole = 0;
  double number = 0;
  if (cell.is_number() && read_whole(cell.raw(), whole)) return static_cast<double>(whole);
  if (cell.is_number() && read_decimal(cell.raw(), number)) return number;
  return number_of(cell_of(cell), fallback);
}

int64_t integer_of(const json::Value& cell, int64_t fallback) {
  int64_t whole = 0;
  if (cell.is_number() && read_whole(cell.raw(), whole)) return whole;
  return integer_of(cell_of(cell), fallback);
}

std::string text_of(const json::Value& cell) {
  return cell.is_string() ? cell.text() : text_of(cell_of(cell));
}

void append_json(std::string& out, const Json& value) { out += json::text_of(value); }

void append_json(std::string& out, const json::Value& cell) {
  out.append(cell.exists() ? cell.raw() : "null");
}

bool append_parsed(std::string& out, const json::Value& cell, json::Document& document,
                   uint32_t depth) {
  const size_t begin = out.size();
  if (!cell.is_string()) {
    append_json(out, cell);
    // An engine that has a type for JSON gives the document itself.
    if (depth == 0 || !(cell.is_object() || cell.is_array())) return false;
    return !document.renew(std::string_view(out).substr(begin), depth);
  }
  json::append_decoded(out, cell.raw());
  const std::string_view text = std::string_view(out).substr(begin);
  // Most properties are short plain texts.
  const bool is_plain_text = text.size() > 1 && text.front() == '"' && text.back() == '"' &&
                             json::is_plain(text.substr(1, text.size() - 2));
  if (is_plain_text) return false;
  if (!document.renew(text, depth)) return true;
  out.resize(begin);
  append_json(out, cell);
  return false;
}

void append_json_text(std::string& out, std::string_view text) {
  if (json::is_plain(text)) {
    out += '"';
    out.append(text) += '"';
    return;
  }
  // The two that Json::dump has a letter for and our writer has not.
  if (text.find_first_of("\b\f") != std::string_view::npos) return append_json(out, Json(text));
  json::append_string(out, text);
}

void append_plain(std::string& out, double value) {
  if (value == std::floor(value) && std::fabs(value) < 9e15) {
    return append_whole(out, static_cast<int64_t>(value));
  }
  append_double(out, value);
}

// By place: a list has one in every row.
char* put_instant(char* to, int64_t epoch_us) {
  const int64_t days = epoch_us >= 0 ? epoch_us / kDayUs : -((-epoch_us + kDayUs - 1) / kDayUs);
  const int64_t rest = epoch_us - days * kDayUs;
  const auto seconds = static_cast<uint32_t>(rest / 1'000'000);
  const auto micros = static_cast<uint32_t>(rest - int64_t{seconds} * 1'000'000);
  const Civil date = civil_from_days(days);
  if (date.year < 0 || date.year > 9'999) {
    to = fmt::format_to(to, "{:04}-", date.year);
  } else {
    to = put(to, static_cast<uint32_t>(date.year), 4, '-');
  }
  to = put(to, static_cast<uint32_t>(date.month), 2, '-');
  to = put(to, static_cast<uint32_t>(date.day), 2, 'T');
  to = put(to, seconds / 3'600, 2, ':');
  to = put(to, seconds / 60 % 60, 2, ':');
  to = put(to, seconds % 60, 2, '.');
  return put(to, micros, 6, 'Z');
}

void append_instant(std::string& out, int64_t epoch_us) {
  char text[kInstantBytesMax + 2];
  text[0] = '"';
  char* end = put_instant(text + 1, epoch_us);
  *end++ = '"';
  out.append(text, static_cast<size_t>(end - text));
}

Written write_page(size_t count, const Page& page, const WriteRow& write_row) {
  Written out{.results = "["};
  out.results.reserve(page.bytes_expected);
  const size_t end = std::min(count, static_cast<size_t>(page.offset + page.limit));
  for (size_t i = static_cast<size_t>(page.offset); i < end; ++i) {
    if (out.results.back() != '[') out.results += ',';
    write_row(out.results, i);
  }
  out.results += ']';
  out.members = Json{{"hasMore", count > end}, {"limit", page.limit}, {"offset", page.offset}};
  return out;
}

}  // namespace hogflare::insights
