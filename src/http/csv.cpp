#include "csv.h"

#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "json/dom.h"

namespace hogflare {
namespace {

using Json = nlohmann::json;

void append_cell(std::string& out, const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>()
                     : value.is_null() ? std::string()
                                       : json::text_of(value);
  const bool is_formula = value.is_string() && !text.empty() &&
                          std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos;
  if (is_formula) text.insert(text.begin(), '\'');
  if (text.find_first_of("\",\n\r") == std::string::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

template <typename Cells>
void append_line(std::string& out, const Cells& cells) {
  bool is_first = true;
  for (const Json& cell : cells) {
    if (!is_first) out += ',';
    append_cell(out, cell);
    is_first = false;
  }
  out += "\r\n";
}

const Json& member(const Json& object, const char* name) {
  static const Json kNull;
  const auto found = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && found != object.end() ? *found : kNull;
}

// Trends: a line a bucket, a column a series.
bool write_series(const Json& results, std::string& out) {
  if (results.empty()) return false;
  for (const Json& series : results) {
    if (!member(series, "days").is_array() || !member(series, "data").is_array()) return false;
  }
  std::vector<Json> line = {"date"};
  for (const Json& series : results) line.push_back(member(series, "label"));
  append_line(out, line);
  const Json& days = member(results[0], "days");
  for (size_t i = 0; i < days.size(); ++i) {
    line = {days[i]};
    for (const Json& series : results) {
      const Json& data = member(series, "data");
      line.push_back(i < data.size() ? data[i] : Json());
    }
    append_line(out, line);
  }
  return true;
}

void write_objects(const Json& results, std::string& out) {
  std::set<std::string> names;
  for (const Json& row : results) {
    for (auto it = row.begin(); row.is_object() && it != row.end(); ++it) names.insert(it.key());
  }
  std::vector<Json> line(names.begin(), names.end());
  append_line(out, line);
  for (const Json& row : results) {
    line.clear();
    for (const std::string& name : names) line.push_back(member(row, name.c_str()));
    append_line(out, line);
  }
}

}  // namespace

std::string write_csv(std::string_view answer) {
  const Json envelope = json::dom_of<Json>(answer);
  const Json& given = member(envelope, "results");
  const Json results = given.is_array() ? given : Json::array({given});
  std::string out;
  if (write_series(results, out)) return out;
  const bool has_rows = !results.empty() && results[0].is_array();
  const Json& columns = member(envelope, "columns");
  if (columns.is_array() && (has_rows || results.empty())) append_line(out, columns);
  if (!has_rows) {
    if (!results.empty()) write_objects(results, out);
    return out;
  }
  for (const Json& row : results) {
    if (!row.empty() && row[0].is_object() && !columns.is_array())
      write_objects(row, out);
    else
      append_line(out, row);
  }
  return out;
}

}  // namespace hogflare
