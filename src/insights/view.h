// Reads a question: each value knows its path, and the first thing that cannot be done is kept.
//
//   View filter = question["trendsFilter"];
//   filter.only({"display", "smoothingIntervals"});
//   std::string display = filter["display"].one_of({"ActionsLineGraph", "BoldNumber"});
//
// Reading goes on with a fallback after a refusal, so callers ask `Refusals::first` once at the
// end.
#pragma once

#include <initializer_list>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/insights.h"

namespace hogflare::insights {

using Json = nlohmann::json;

struct Refusals {
  std::optional<Refusal> first;
  void add(std::string_view path, std::string sentence) {
    if (!first) first = Refusal{std::string(path), std::move(sentence)};
  }

  // What is bounded over a whole question: its filters, the rules of cohorts that it names, the
  // people of their lists, its regular expressions, and the bytes of its statements.
  size_t filters = 0;
  size_t rules = 0;
  size_t members = 0;
  std::set<std::string, std::less<>> patterns;
  size_t statement_bytes = 0;
  size_t condition_bytes = 0;  // of filters in them, while they are written
};

// The finite number that a text is, in JSON's spelling.
std::optional<double> number_in_text(std::string_view text);

class View {
 public:
  View(const Json* value, std::string path, Refusals* refusals)
      : value_(value), path_(std::move(path)), refusals_(refusals) {}

  // False when missing or null.
  bool given() const { return value_ != nullptr && !value_->is_null(); }
  bool is_text() const { return given() && value_->is_string(); }
  bool is_object() const { return given() && value_->is_object(); }
  bool is_array() const { return given() && value_->is_array(); }
  const Json& json() const;  // null when missing
  const std::string& path() const { return path_; }
  Refusals* refusals() const { return refusals_; }

  View operator[](std::string_view key) const;
  std::vector<View> items() const;  // of an array; anything else that is given is refused

  std::string text(std::string_view fallback = {}) const;
  std::optional<std::string> optional_text() const;
  bool flag(bool fallback = false) const;
  struct Bounds {
    int64_t low;
    int64_t high;
  };
  int64_t integer(int64_t fallback, Bounds bounds) const;
  std::optional<double> number() const;
  // The text when it is one of `allowed`; missing gives the first.
  std::string one_of(std::initializer_list<std::string_view> allowed) const;

  // Refuses members that are neither in `done` nor display only.
  void only(std::initializer_list<std::string_view> done) const;
  // Refuses the member when it is given with anything that would change the answer.
  void refuse(std::string sentence) const { refusals_->add(path_, std::move(sentence)); }
  void refuse_if_given(std::string sentence) const;

 private:
  const Json* value_;
  std::string path_;
  Refusals* refusals_;
};

}  // namespace hogflare::insights
