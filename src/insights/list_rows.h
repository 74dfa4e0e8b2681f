// Rows of lists of people, of which an answer may have a thousand: what is compiled to be quick, as
// engine_rows.h is, while the questions they belong to are compiled to be small.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "insights/engine_rows.h"

namespace hogflare::insights {

// Whether both are missing, or spelled alike.
bool is_same_text(const json::Value& one, const json::Value& other);
void append_time(std::string& out, const json::Value& cell);  // of microseconds
void append_time_or_null(std::string& out, const json::Value& cell);
// What other rows of the persons stream say of the same people's ids, by the person's id as it
// came.
using OthersOf = std::unordered_map<std::string_view, std::vector<Row>>;

// What one person after another is put together with.
struct PersonScratch {
  json::Document document;  // of the ones inside of a row
  std::vector<char> text;
};

// A person out of the columns person_id, distinct_id, distinct_ids, properties, created_t, with all
// ids that any of their rows has.
void append_person(std::string& out, Row row, const OthersOf& others, PersonScratch& scratch);

}  // namespace hogflare::insights
