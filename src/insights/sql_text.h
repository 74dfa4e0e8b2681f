// The only functions that turn outside text into SQL.
//
// Both engines take '…' with doubled quotes and no escapes, so a literal cannot end early; names
// come from this source or are quoted by `name`; JSON keys are literals of their own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/insights.h"

namespace hogflare::insights {

std::string literal(std::string_view text);
std::string literal(int64_t value);
std::string literal(double value);                            // needs a finite value
std::string literals(const std::vector<std::string>& texts);  // 'a', 'b'
// "name" with quotes doubled; a dotted table name quotes each part.
std::string name(std::string_view text);
std::string table_name(std::string_view dotted);

// The text of a member of a JSON column, NULL when it is missing or null. Numbers and booleans as
// written.
std::string json_text(Dialect dialect, std::string_view column, std::string_view key);
// The member as JSON text.
std::string json_raw(Dialect dialect, std::string_view column, std::string_view key);
// The finite number that a text holds, else NULL.
std::string number_in(std::string_view text_expression);
// Microseconds since 1970 of a timestamp column.
std::string epoch_us(Dialect dialect, std::string_view timestamp);
// An instant to compare a timestamp column with, from microseconds since 1970.
std::string instant(int64_t epoch_us);
std::string instant_text(int64_t epoch_us);  // 2020-01-31T00:00:00.000000Z
// Whether a text matches an RE2 pattern; NULL for NULL.
std::string matches(Dialect dialect, std::string_view text_expression, std::string_view pattern);
// floor(a / b) of integers, exact below 2^53.
std::string floor_div(std::string_view numerator, int64_t divisor);
// Continuous quantile, by linear interpolation.
std::string quantile(std::string_view expression, double q);
// A SELECT of one row, for engines that take no SELECT without FROM. `table` is any table.
std::string one_row(std::string_view table);
// A SELECT of i from 0 to count - 1; in Basin SQL digits side by side, which has neither UNNEST nor
// VALUES.
std::string numbers_table(Dialect dialect, std::string_view table, int64_t count);

int64_t rows_max(Dialect dialect);

}  // namespace hogflare::insights
