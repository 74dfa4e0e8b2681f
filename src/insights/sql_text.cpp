#include "insights/sql_text.h"

#include <fmt/format.h>

#include <cmath>

#include "hogflare/insights_limits.h"
#include "hogflare/result.h"
#include "insights/engine_rows.h"

namespace hogflare::insights {
namespace {

std::string quoted(std::string_view text, char quote) {
  std::string out(1, quote);
  for (char c : text) {
    if (c == quote) out += quote;
    // NUL ends a text in some readers; the checks refuse it, and it must not get here by another
    // way.
    HF_ASSERT(c != '\0');
    out += c;
  }
  out += quote;
  return out;
}

}  // namespace

std::string literal(std::string_view text) { return quoted(text, '\''); }

std::string literal(int64_t value) { return fmt::format("{}", value); }

std::string literal(double value) {
  HF_ASSERT(std::isfinite(value));
  if (value == std::floor(value) && std::fabs(value) < 1e15) return fmt::format("{:.1f}", value);
  return fmt::format("{:.17e}", value);
}

std::string literals(const std::vector<std::string>& texts) {
  std::string out;
  for (const std::string& text : texts) {
    if (!out.empty()) out += ", ";
    out += literal(text);
  }
  return out;
}

std::string name(std::string_view text) { return quoted(text, '"'); }

std::string table_name(std::string_view dotted) {
  std::string out;
  while (true) {
    const size_t dot = dotted.find('.');
    out += name(dotted.substr(0, dot));
    if (dot == std::string_view::npos) return out;
    out += '.';
    dotted.remove_prefix(dot + 1);
  }
}

// A JSON pointer takes any key: "/" before it, "~0" and "~1" for "~" and "/".
static std::string json_pointer(std::string_view key) {
  std::string out = "/";
  for (char c : key) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else {
      out += c;
    }
  }
  return literal(out);
}

std::string json_text(Dialect dialect, std::string_view column, std::string_view key) {
  if (dialect == Dialect::kBasin) return fmt::format("json_as_text({}, {})", column, literal(key));
  return fmt::format("json_extract_string({}, {})", column, json_pointer(key));
}

std::string json_raw(Dialect dialect, std::string_view column, std::string_view key) {
  if (dialect == Dialect::kBasin) return fmt::format("json_get_json({}, {})", column, literal(key));
  return fmt::format("CAST(json_extract({}, {}) AS VARCHAR)", column, json_pointer(key));
}

std::string number_in(std::string_view text_expression) {
  // NaN and infinities, which both engines read from texts, fail the comparison: they sort above
  // all.
  return fmt::format(
      "CASE WHEN TRY_CAST({0} AS DOUBLE) BETWEEN -1.7e308 AND 1.7e308 THEN TRY_CAST({0} AS DOUBLE) "
      "END",
      text_expression);
}

std::string epoch_us(Dialect dialect, std::string_view timestamp) {
  if (dialect == Dialect::kDuckdb) return fmt::format("epoch_us({})", timestamp);
  // Seconds as a double hold microseconds exactly enough to be rounded back until the year 2255.
  return fmt::format("CAST(round(date_part('epoch', {}) * 1000000) AS BIGINT)", timestamp);
}

std::string instant_text(int64_t epoch_us) {
  char text[kInstantBytesMax];
  return {text, put_instant(text, epoch_us)};
}

std::string instant(int64_t epoch_us) { return literal(instant_text(epoch_us)); }

std::string matches(Dialect dialect, std::string_view text_expression, std::string_view pattern) {
  return fmt::format("{}({}, {})", dialect == Dialect::kDuckdb ? "regexp_matches" : "regexp_like",
                     text_expression, literal(pattern));
}

std::string floor_div(std::string_view numerator, int64_t divisor) {
  return fmt::format("CAST(floor(CAST({} AS DOUBLE) / {}) AS BIGINT)", numerator,
                     literal(static_cast<double>(divisor)));
}

std::string quantile(std::string_view expression, double q) {
  return fmt::format("percentile_cont({}) WITHIN GROUP (ORDER BY {})", q, expression);
}

std::string one_row(std::string_view table) {
  return fmt::format("SELECT count(*) AS n FROM {} WHERE 1 = 0", table);
}

std::string numbers_table(Dialect dialect, std::string_view table, int64_t count) {
  if (dialect == Dialect::kDuckdb) return fmt::format("SELECT range AS i FROM range({})", count);
  std::string digits;
  for (int digit = 0; digit < 10; ++digit) {
    digits += fmt::format("{}SELECT {} AS d FROM ({}) AS one{}", digit == 0 ? "" : " UNION ALL ",
                          digit, one_row(table), digit);
  }
  std::string sum = "d0.d";
  std::string from = fmt::format("({}) AS d0", digits);
  int64_t size = 10;
  for (int place = 1; size < count; ++place, size *= 10) {
    sum += fmt::format(" + {} * d{}.d", size, place);
    from += fmt::format(" CROSS JOIN ({}) AS d{}", digits, place);
  }
  return fmt::format("SELECT i FROM (SELECT {} AS i FROM {}) AS numbers WHERE i < {}", sum, from,
                     count);
}

int64_t rows_max(Dialect dialect) {
  return dialect == Dialect::kBasin ? limits::kBasinRowsMax : limits::kDuckdbRowsMax;
}

}  // namespace hogflare::insights
