#include "insights/engine_rows.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "insights/kinds.h"
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

bool has_escapes(std::string_view raw) { return raw.find('\\') != std::string_view::npos; }

void append_whole(std::string& out, int64_t value) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
  out.append(digits, static_cast<size_t>(end - digits));
}

void append_scalar(std::string& out, const json::Value& value) {
  const std::string_view raw = value.raw();
  int64_t whole = 0;
  if (value.is_string() && has_escapes(raw)) return append_json_text(out, value.text());
  if (!value.is_number()) {
    out.append(raw);
  } else if (read_whole(raw, whole)) {
    append_whole(out, whole);
  } else {
    append_json(out, cell_of(value));
  }
}

void append_tree(std::string& out, const json::Value& value);

struct Named {
  std::string name;
  json::Value value;
};

// Members in the order of their names; of equal ones the last.
void append_object(std::string& out, const json::Value& object) {
  std::vector<Named> members;
  std::string scratch;
  for (const json::Member member : object.members()) {
    members.push_back({std::string(member.name(scratch)), member.value});
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const Named& left, const Named& right) { return left.name < right.name; });
  out += '{';
  for (size_t i = 0; i < members.size(); ++i) {
    if (i + 1 < members.size() && members[i].name == members[i + 1].name) continue;
    if (out.back() != '{') out += ',';
    append_json_text(out, members[i].name);
    out += ':';
    append_tree(out, members[i].value);
  }
  out += '}';
}

// A value whose document is indexed down to its leaves, which bounds the recursion: kJsonDepthMax.
void append_tree(std::string& out, const json::Value& value) {
  if (value.is_object()) return append_object(out, value);
  if (!value.is_array()) return append_scalar(out, value);
  out += '[';
  for (const json::Value element : value.elements()) {
    if (out.back() != '[') out += ',';
    append_tree(out, element);
  }
  out += ']';
}

// Whether `text` is a JSON document; it is then appended in the spelling of Json::dump.
bool append_document(std::string& out, std::string_view text) {
  // Most properties are short plain texts.
  if (text.size() > 1 && text.front() == '"' && text.back() == '"' &&
      json::is_plain(text.substr(1, text.size() - 2))) {
    out.append(text);
    return true;
  }
  const size_t begin = text.find_first_not_of(" \t\n\r");
  const bool is_nested =
      begin != std::string_view::npos && (text[begin] == '{' || text[begin] == '[');
  const auto document = json::Document::parse_const(text, is_nested ? limits::kJsonDepthMax : 0);
  if (!document.ok()) return false;
  append_tree(out, document.value().root());
  return true;
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

}  // namespace

std::optional<Rows> Rows::read(const EngineRows& came, const Statement& statement) {
  if (!came.list.exists() || !came.list.is_array()) return std::nullopt;
  const bool is_free = statement.columns.empty();
  const std::span<const std::string> columns = is_free ? came.columns : statement.columns;
  Rows rows;
  rows.bytes_ = came.list.raw().size();
  for (const json::Value row : came.list.elements()) {
    if (row.is_array()) {
      const size_t before = rows.cells_.size();
      for (const json::Value cell : row.elements()) rows.cells_.push_back(cell);
      if (!is_free) rows.cells_.resize(before + columns.size());
    } else if (row.is_object() && !columns.empty()) {
      if (!append_in_order(rows.cells_, row, columns)) {
        for (const std::string& column : columns) rows.cells_.push_back(row.find(column));
      }
    } else {
      return std::nullopt;
    }
    rows.ends_.push_back(static_cast<uint32_t>(rows.cells_.size()));
  }
  return rows;
}

Json cell_of(const json::Value& value) {
  if (!value.exists()) return Json();
  const std::string_view raw = value.raw();
  if (value.is_string()) return Json(value.text());
  int64_t whole = 0;
  if (read_whole(raw, whole)) return Json(whole);
  return json::dom_of<Json>(raw);
}

double number_of(const json::Value& cell, double fallback) {
  int64_t whole = 0;
  if (cell.is_number() && read_whole(cell.raw(), whole)) return static_cast<double>(whole);
  return number_of(cell_of(cell), fallback);
}

int64_t integer_of(const json::Value& cell, int64_t fallback) {
  int64_t whole = 0;
  if (cell.is_number() && read_whole(cell.raw(), whole)) return whole;
  return integer_of(cell_of(cell), fallback);
}

std::string text_of(const json::Value& cell) { return text_of(cell_of(cell)); }

void append_json(std::string& out, const Json& value) { out += json::text_of(value); }

// A nested value may lie deeper than its document's index.
void append_json(std::string& out, const json::Value& cell) {
  if (!cell.exists()) {
    out += "null";
  } else if (!cell.is_object() && !cell.is_array()) {
    append_scalar(out, cell);
  } else if (!append_document(out, cell.raw())) {
    out += "null";
  }
}

void append_parsed(std::string& out, const json::Value& cell) {
  if (!cell.exists() || !cell.is_string()) return append_json(out, cell);
  const std::string_view raw = cell.raw();
  const bool is_read = has_escapes(raw) ? append_document(out, cell.text())
                                        : append_document(out, raw.substr(1, raw.size() - 2));
  if (!is_read) append_scalar(out, cell);
}

void append_json_text(std::string& out, std::string_view text) {
  // The two that Json::dump has a letter for and our writer has not.
  if (text.find_first_of("\b\f") != std::string_view::npos) return append_json(out, Json(text));
  json::append_string(out, text);
}

void append_plain(std::string& out, double value) {
  if (value == std::floor(value) && std::fabs(value) < 9e15) {
    return append_whole(out, static_cast<int64_t>(value));
  }
  append_json(out, Json(value));
}

void append_instant(std::string& out, int64_t epoch_us) {
  out += '"';
  append_instant_text(out, epoch_us);
  out += '"';
}

}  // namespace hogflare::insights
