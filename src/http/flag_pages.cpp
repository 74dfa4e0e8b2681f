#include "flag_pages.h"

#include <algorithm>
#include <vector>

#include "hogflare/ascii.h"
#include "hogflare/text.h"
#include "hogflare/url.h"

namespace hogflare {
namespace {

// A whole number of at least `least`. Far above any count all are alike.
std::optional<int64_t> read_count(std::string_view form, std::string_view name, int64_t least) {
  constexpr int64_t kFar = 1'000'000'000;
  const std::optional<std::string> text = form_value(form, name);
  if (!text) return std::nullopt;
  std::string_view digits = trim_ascii(*text);
  if (!digits.empty() && digits.front() == '+') digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;
  int64_t number = 0;
  for (const char c : digits) {
    if (!is_digit(c)) return std::nullopt;
    number = std::min(number * 10 + (c - '0'), kFar);
  }
  if (number < least) return std::nullopt;
  return number;
}

struct Field {
  std::string name;
  std::string value;
};

// `url` with its fields in the order of their names, those of the page replaced.
std::string page_url(std::string_view url, int64_t limit, std::optional<int64_t> offset) {
  const size_t mark = url.find('?');
  std::string_view form;
  if (mark != std::string_view::npos) form = url.substr(mark + 1);
  std::vector<Field> fields = {{"limit", std::to_string(limit)}};
  if (offset) fields.push_back({"offset", std::to_string(*offset)});
  while (!form.empty()) {
    const std::string_view field = form.substr(0, form.find('&'));
    form.remove_prefix(std::min(form.size(), field.size() + 1));
    const size_t equals = std::min(field.find('='), field.size());
    std::string name = decode_form_text(field.substr(0, equals));
    if (field.empty() || name == "limit" || name == "offset") continue;
    const std::string_view value = field.substr(std::min(equals + 1, field.size()));
    fields.push_back({std::move(name), decode_form_text(value)});
  }
  std::stable_sort(fields.begin(), fields.end(),
                   [](const Field& a, const Field& b) { return a.name < b.name; });
  std::string out(url.substr(0, mark));
  char separator = '?';
  for (const Field& field : fields) {
    out += separator;
    out += encode_form_text(field.name) + "=" + encode_form_text(field.value);
    separator = '&';
  }
  return out;
}

}  // namespace

flags::FlagListQuery read_flag_list_query(std::string_view query) {
  flags::FlagListQuery wanted;
  wanted.limit = read_count(query, "limit", 1).value_or(wanted.limit);
  wanted.offset = read_count(query, "offset", 0).value_or(0);
  const std::string active = form_value(query, "active").value_or("");
  // STALE is about calls, of which definitions know nothing.
  if (active == "true" || active == "false") wanted.active = active == "true";
  wanted.search = form_value(query, "search").value_or("");
  wanted.type = form_value(query, "type").value_or("");
  wanted.evaluation_runtime = form_value(query, "evaluation_runtime").value_or("");
  return wanted;
}

std::optional<std::string> next_page(std::string_view url, const flags::FlagListQuery& query,
                                     int64_t count) {
  const int64_t offset = query.offset + query.limit;
  if (offset >= count) return std::nullopt;
  return page_url(url, query.limit, offset);
}

std::optional<std::string> previous_page(std::string_view url, const flags::FlagListQuery& query) {
  if (query.offset <= 0) return std::nullopt;
  const int64_t offset = query.offset - query.limit;
  if (offset <= 0) return page_url(url, query.limit, std::nullopt);
  return page_url(url, query.limit, offset);
}

}  // namespace hogflare
