#include "flags/member_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

// The ids that one element of a list stands for; false: it is none.
bool collect_ids(const Value& item, std::vector<std::string_view>& ids) {
  if (item.is_string() || item.is_number()) {
    ids.push_back(item.text);
    return true;
  }
  bool found = false;
  for (const std::string_view name : {"uuid", "id", "distinct_id"}) {
    const Value* id = item.find(name);
    if (id == nullptr || !id->is_string()) continue;
    ids.push_back(id->text);
    found = true;
  }
  const Value* distinct_ids = item.find("distinct_ids");
  for (size_t i = 0; distinct_ids != nullptr && i < distinct_ids->items.size(); ++i) {
    if (distinct_ids->items[i].is_string()) ids.push_back(distinct_ids->items[i].text);
    found = true;
  }
  return found;
}

}  // namespace

std::optional<MemberList> MemberList::read(const Value& value, std::string& problem) {
  const Value* list = &value;
  for (const std::string_view name : {"members", "results"}) {
    if (const Value* inner = value.find(name)) list = inner;
  }
  if (!list->is_array()) {
    problem = "must be a list of person or distinct ids";
    return std::nullopt;
  }
  std::vector<std::string_view> ids;
  for (size_t i = 0; i < list->items.size(); ++i) {
    if (!collect_ids(list->items[i], ids)) {
      problem = fmt::format("element {} is not a person or distinct id", i);
      return std::nullopt;
    }
  }
  if (ids.size() > limits::kCohortMembersMax) {
    problem =
        fmt::format("holds {} ids; at most {} are taken", ids.size(), limits::kCohortMembersMax);
    return std::nullopt;
  }
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  size_t bytes = 0;
  for (const std::string_view id : ids) bytes += id.size() + 1;
  MemberList members;
  members.text_.reserve(bytes);
  members.starts_.reserve(ids.size());
  for (const std::string_view id : ids) {
    if (id.find('\0') != std::string_view::npos) continue;  // no stored id has one
    members.starts_.push_back(static_cast<uint32_t>(members.text_.size()));
    members.text_.append(id).push_back('\0');
  }
  return members;
}

std::string_view MemberList::at(uint32_t start) const {
  return std::string_view(text_.data() + start);  // up to the NUL
}

bool MemberList::contains(std::string_view id) const {
  const auto found = std::lower_bound(
      starts_.begin(), starts_.end(), id,
      [this](uint32_t start, std::string_view wanted) { return at(start) < wanted; });
  return found != starts_.end() && at(*found) == id;
}

}  // namespace hogflare::flags
