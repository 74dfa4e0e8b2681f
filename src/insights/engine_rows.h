// The engine's rows read where they lie, and answers written as text: what questions with many rows
// are answered by. A tree of a thousand rows takes more time than all the rest of their answer.
//
//   std::optional<Rows> rows = Rows::read({.lists = {value}}, statement);
//   for (size_t i = 0; i < rows->size(); ++i) append_json(out, (*rows)[i][0]);
//
// What the engine gave is given as it came: order of names, spelling of numbers and of escapes.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/insights.h"
#include "hogflare/json.h"
#include "insights/view.h"

namespace hogflare::insights {

// Cells of one row, in the order of the statement's columns.
using Row = std::span<const json::Value>;

class ColumnPlaces;

// One statement's rows. Borrows the text they came as, and its index.
class Rows {
 public:
  class Iterator {
   public:
    Iterator(const Rows& rows, size_t at) : rows_(&rows), at_(at) {}
    Row operator*() const { return (*rows_)[at_]; }
    Iterator& operator++() {
      ++at_;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return at_ != other.at_; }

   private:
    const Rows* rows_;
    size_t at_;
  };

  // Nothing where a row is neither an array of the columns nor, with columns, an object that has
  // them but for nulls, and where one of the statement's numbers is none.
  static std::optional<Rows> read(const EngineRows& came, const Statement& statement);
  // Cells that read() would make without a byte of the engine's behind them: of columns that rows
  // leave out.
  static size_t left_out_cells(const EngineRows& came, const Statement& statement);

  size_t size() const { return ends_.size(); }
  bool empty() const { return ends_.empty(); }
  Iterator begin() const { return {*this, 0}; }
  Iterator end() const { return {*this, size()}; }
  size_t bytes() const { return bytes_; }  // of the text they came as
  // Buckets that nothing is known of, as opposed to those without rows.
  std::span<const size_t> missing() const { return missing_; }
  void leave_out(std::span<const size_t> buckets) {
    missing_.assign(buckets.begin(), buckets.end());
  }
  // Cells in the order of the statement's columns, as many as those; of free SQL without names as
  // many as came. A cell that is missing does not exist().
  Row operator[](size_t row) const {
    const uint32_t begin = row == 0 ? 0 : ends_[row - 1];
    return {cells_.data() + begin, ends_[row] - begin};
  }

 private:
  bool add(const json::Value& row, std::span<const std::string> columns, ColumnPlaces& places);

  std::vector<json::Value> cells_;
  std::vector<uint32_t> ends_;  // of each row in `cells_`
  size_t bytes_ = 0;
  std::vector<size_t> missing_;
};

// A cell as a tree; null when it is missing.
Json cell_of(const json::Value& cell);

double number_of(const json::Value& cell, double fallback = 0);
int64_t integer_of(const json::Value& cell, int64_t fallback = 0);
std::string text_of(const json::Value& cell);
inline bool is_null(const json::Value& cell) { return !cell.exists() || cell.is_null(); }

// What stands in `cell`: null when it is missing.
void append_json(std::string& out, const json::Value& cell);
// The document that the text in `cell` is; the text itself where it is none. It is read into
// `document`, to be looked into down to `depth` until `out` changes; false where it is a mere text,
// or none.
bool append_parsed(std::string& out, const json::Value& cell, json::Document& document,
                   uint32_t depth = 0);
void append_json(std::string& out, const Json& value);
void append_json_text(std::string& out, std::string_view text);
// `value` as plain() makes it.
void append_plain(std::string& out, double value);
// Of put_instant: a year of up to seven digits and its sign.
inline constexpr size_t kInstantBytesMax = 40;
// Writes 2020-01-31T00:00:00.000000Z and returns the end.
char* put_instant(char* to, int64_t epoch_us);
// The same, with quotes.
void append_instant(std::string& out, int64_t epoch_us);

}  // namespace hogflare::insights
