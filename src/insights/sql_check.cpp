#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "hogflare/insights_limits.h"
#include "hogflare/insights_sql.h"
#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

struct Token {
  enum class Kind : uint8_t { kWord, kQuotedName, kText, kNumber, kSign } kind;
  std::string text;  // words in lower case
};

constexpr std::string_view kFunctions[] = {"count",
                                           "sum",
                                           "avg",
                                           "min",
                                           "max",
                                           "median",
                                           "percentile_cont",
                                           "quantile_cont",
                                           "approx_distinct",
                                           "approx_count_distinct",
                                           "stddev",
                                           "variance",
                                           "coalesce",
                                           "nullif",
                                           "greatest",
                                           "least",
                                           "abs",
                                           "round",
                                           "floor",
                                           "ceil",
                                           "ceiling",
                                           "sqrt",
                                           "ln",
                                           "log",
                                           "exp",
                                           "power",
                                           "pow",
                                           "mod",
                                           "lower",
                                           "upper",
                                           "trim",
                                           "ltrim",
                                           "rtrim",
                                           "substr",
                                           "substring",
                                           "length",
                                           "octet_length",
                                           "strpos",
                                           "replace",
                                           "concat",
                                           "split_part",
                                           "starts_with",
                                           "regexp_matches",
                                           "regexp_like",
                                           "regexp_replace",
                                           "lpad",
                                           "rpad",
                                           "left",
                                           "right",
                                           "date_trunc",
                                           "date_part",
                                           "date_diff",
                                           "epoch",
                                           "epoch_ms",
                                           "epoch_us",
                                           "to_timestamp",
                                           "date_bin",
                                           "to_char",
                                           "strftime",
                                           "now",
                                           "json_extract",
                                           "json_extract_string",
                                           "json_as_text",
                                           "json_get_str",
                                           "json_get_int",
                                           "json_get_float",
                                           "json_get_bool",
                                           "json_get_json",
                                           "json_length",
                                           "row_number",
                                           "rank",
                                           "dense_rank",
                                           "lag",
                                           "lead",
                                           "first_value",
                                           "last_value",
                                           "ntile",
                                           "cast",
                                           "try_cast",
                                           "extract",
                                           "exists",
                                           "in",
                                           "over",
                                           "filter",
                                           "values",
                                           "any",
                                           "all",
                                           "as",
                                           "and",
                                           "or",
                                           "not",
                                           "on",
                                           "when",
                                           "then",
                                           "else",
                                           "case",
                                           "where",
                                           "select",
                                           "from",
                                           "join",
                                           "by",
                                           "using",
                                           "distinct",
                                           "having",
                                           "between",
                                           "like",
                                           "ilike",
                                           "union",
                                           "except",
                                           "intersect",
                                           "interval",
                                           "is",
                                           "decimal",
                                           "numeric",
                                           "varchar",
                                           "within",
                                           "group",
                                           "limit"};

// HogQL's words and what to write instead.
constexpr std::pair<std::string_view, std::string_view> kHogql[] = {
    {"countif", "count(*) FILTER (WHERE ...)"},
    {"uniq", "count(DISTINCT ...)"},
    {"tostartofday", "date_trunc('day', ...)"},
    {"tostartofhour", "date_trunc('hour', ...)"},
    {"tostartofweek", "date_trunc('week', ...)"},
    {"tostartofmonth", "date_trunc('month', ...)"},
    {"todate", "CAST(... AS DATE)"},
    {"tostring", "CAST(... AS VARCHAR)"},
    {"tofloat", "TRY_CAST(... AS DOUBLE)"},
    {"toint", "TRY_CAST(... AS BIGINT)"}};

// Words that end the list of tables behind FROM.
constexpr std::string_view kAfterTables[] = {"where",  "group",   "order",  "having",
                                             "limit",  "union",   "except", "intersect",
                                             "window", "qualify", "select"};

// Schemas that engines have by themselves.
constexpr std::string_view kSystemNames[] = {"information_schema", "pg_catalog", "main", "temp",
                                             "system"};

// What EXTRACT(x FROM t) takes out of a time.
constexpr std::string_view kTimeParts[] = {
    "year", "quarter", "month",        "week",        "day",         "dow",         "isodow",
    "doy",  "hour",    "minute",       "second",      "millisecond", "microsecond", "epoch",
    "date", "isoyear", "millennium",   "century",     "decade",      "timezone",    "nanosecond",
    "days", "hours",   "minutes",      "seconds",     "weeks",       "months",      "years",
    "time", "weekday", "milliseconds", "microseconds"};

// Words that may stand where a table's alias does and are none.
constexpr std::string_view kBehindTables[] = {
    "on",    "using",   "join",      "inner",  "left",    "right",  "full",   "outer",
    "cross", "natural", "asof",      "where",  "group",   "order",  "having", "limit",
    "union", "except",  "intersect", "window", "qualify", "select", "fetch",  "as"};

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string lower_case(std::string text) {
  for (char& one : text) one = one >= 'A' && one <= 'Z' ? static_cast<char>(one + 32) : one;
  return text;
}

template <size_t N>
bool is_one_of(std::string_view word, const std::string_view (&list)[N]) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

// Reads a quoted text or name with doubled quotes; nullopt when it does not end.
std::optional<std::string> take_quoted(std::string_view sql, size_t& at) {
  const char quote = sql[at++];
  std::string out;
  while (at < sql.size()) {
    if (sql[at] != quote) {
      out += sql[at++];
    } else if (at + 1 < sql.size() && sql[at + 1] == quote) {
      out += quote;
      at += 2;
    } else {
      ++at;
      return out;
    }
  }
  return std::nullopt;
}

// Behind digits, a point with more of them, and an exponent.
size_t end_of_number(std::string_view sql, size_t at) {
  const auto skip_digits = [&](size_t from) {
    while (from < sql.size() && (is_digit(sql[from]) || sql[from] == '_')) ++from;
    return from;
  };
  at = skip_digits(at);
  if (at < sql.size() && sql[at] == '.') at = skip_digits(at + 1);
  if (at == sql.size() || (sql[at] != 'e' && sql[at] != 'E')) return at;
  size_t exponent = at + 1;
  if (exponent < sql.size() && (sql[exponent] == '+' || sql[exponent] == '-')) ++exponent;
  return exponent < sql.size() && is_digit(sql[exponent]) ? skip_digits(exponent) : at;
}

std::optional<std::string> read_tokens(std::string_view sql, std::vector<Token>& tokens) {
  size_t at = 0;
  while (at < sql.size()) {
    const char c = sql[at];
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
      ++at;
    } else if (sql.substr(at, 2) == "--" || sql.substr(at, 2) == "/*") {
      return "comments are not taken";
    } else if (c == '\'' || c == '"') {
      const auto text = take_quoted(sql, at);
      if (!text) return "a quoted text does not end";
      tokens.push_back({c == '"' ? Token::Kind::kQuotedName : Token::Kind::kText, *text});
    } else if (is_digit(c)) {
      const size_t begin = at;
      at = end_of_number(sql, at);
      // Engines let the next word begin right there: "1from x", "1.e5from x".
      if (at < sql.size() && is_word(sql[at])) return "a number ends in letters";
      tokens.push_back({Token::Kind::kNumber, std::string(sql.substr(begin, at - begin))});
    } else if (is_word(c)) {
      const size_t begin = at;
      while (at < sql.size() && is_word(sql[at])) ++at;
      std::string word = lower_case(std::string(sql.substr(begin, at - begin)));
      // E'...' and the like give texts another grammar.
      if (at < sql.size() && sql[at] == '\'' && word.size() <= 2) return "texts take no prefix";
      tokens.push_back({Token::Kind::kWord, std::move(word)});
    } else if (std::string_view("(),.*+-/%<>=!|:[]").find(c) != std::string_view::npos) {
      tokens.push_back({Token::Kind::kSign, std::string(1, c)});
      ++at;
    } else if ((c & 0x80) != 0) {
      // Blanks are among them that engines take for letters, or the other way about.
      return "characters beyond ASCII stand in quotes only";
    } else {
      return fmt::format("the character '{}' is not taken", c == ';' ? ";" : std::string(1, c));
    }
  }
  return std::nullopt;
}

class Check {
 public:
  Check(const std::vector<Token>& tokens, const std::vector<std::string>& tables,
        const std::vector<std::string>& hidden)
      : tokens_(tokens), tables_(tables.begin(), tables.end()) {
    for (const std::string& name : hidden) hide(lower_case(name));
    for (const std::string& name : tables) aliases_.insert(last_part(lower_case(name)));
  }

  std::optional<std::string> run() {
    if (tokens_.empty() || (tokens_[0].text != "select" && tokens_[0].text != "with") ||
        tokens_[0].kind != Token::Kind::kWord) {
      return "must begin with SELECT or WITH";
    }
    if (const auto why = name_ctes()) return why;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      const auto why = look_at(i);
      if (why) return why;
    }
    if (places_.size() > 1) return "the parentheses do not match";
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (const auto why = refuse_name(i)) return why;
    }
    return std::nullopt;
  }

 private:
  bool sign(size_t i, char c) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::kSign && tokens_[i].text[0] == c;
  }
  bool word(size_t i, std::string_view text) const {
    return i < tokens_.size() && tokens_[i].kind == Token::Kind::kWord && tokens_[i].text == text;
  }

  bool is_name(size_t i) const {
    return i < tokens_.size() &&
           (tokens_[i].kind == Token::Kind::kWord || tokens_[i].kind == Token::Kind::kQuotedName);
  }
  std::string name_at(size_t i) const { return lower_case(tokens_[i].text); }

  static std::string last_part(const std::string& name) {
    const size_t dot = name.rfind('.');
    return dot == std::string::npos ? name : name.substr(dot + 1);
  }

  // A name of the lake's, and each of its parts.
  void hide(const std::string& name) {
    size_t begin = 0;
    while (begin <= name.size()) {
      const size_t end = std::min(name.find('.', begin), name.size());
      const std::string part = name.substr(begin, end - begin);
      if (!part.empty() && tables_.find(part) == tables_.end()) hidden_.insert(part);
      begin = end + 1;
    }
    if (tables_.find(name) == tables_.end()) hidden_.insert(name);
  }

  // Whatever a name stands for and wherever: those of the lake's tables stand nowhere, and one with
  // a dot behind it is an alias of this statement.
  std::optional<std::string> refuse_name(size_t i) const {
    if (!is_name(i)) return std::nullopt;
    const std::string name = name_at(i);
    if (hidden_.find(name) != hidden_.end()) {
      return fmt::format("'{}' is no table that can be asked", tokens_[i].text);
    }
    if (!sign(i + 1, '.') || (i > 0 && sign(i - 1, '.'))) return std::nullopt;
    if (is_table_of_dots(i)) return std::nullopt;
    if (aliases_.find(name) == aliases_.end()) {
      return fmt::format("'{}' before a dot is no table or alias of this statement",
                         tokens_[i].text);
    }
    if (sign(i + 3, '.')) {
      return fmt::format("'{}' has two dots: alias.column has one", tokens_[i].text);
    }
    return std::nullopt;
  }

  // "a.b" where a table is given by such a name.
  bool is_table_of_dots(size_t i) const {
    std::string name = tokens_[i].text;
    for (size_t next = i + 1; sign(next, '.') && next + 1 < tokens_.size(); next += 2) {
      name += "." + tokens_[next + 1].text;
      if (tables_.find(name) != tables_.end()) return true;
    }
    return false;
  }

  // The alias behind a table or a subquery that ends before token `i`.
  std::optional<std::string> take_alias(size_t i) {
    const bool is_said = word(i, "as");
    if (is_said) ++i;
    if (!is_name(i)) return std::nullopt;
    const std::string name = name_at(i);
    const bool is_plain_word = tokens_[i].kind == Token::Kind::kWord;
    if (!is_said && is_plain_word && is_one_of(name, kBehindTables)) return std::nullopt;
    // As an alias it would look like the end of the list of tables.
    if (is_plain_word && is_one_of(name, kAfterTables))
      return fmt::format("'{}' is no alias: write it in quotes", name);
    if (is_one_of(name, kSystemNames) || hidden_.find(name) != hidden_.end())
      return fmt::format("'{}' is no alias that is taken", tokens_[i].text);
    aliases_.insert(name);
    return std::nullopt;
  }

  // "WITH a AS (SELECT ...), b AS (SELECT ...)" at the beginning: each name counts from where its
  // definition ends.
  std::optional<std::string> name_ctes() {
    size_t at = 1;
    while (word(0, "with")) {
      const bool is_definition = at + 3 < tokens_.size() &&
                                 tokens_[at].kind == Token::Kind::kWord && word(at + 1, "as") &&
                                 sign(at + 2, '(') && word(at + 3, "select");
      if (!is_definition) return "behind WITH only name AS (SELECT ...) is taken";
      const size_t end = end_of_parenthesis(at + 2);
      if (is_one_of(tokens_[at].text, kSystemNames))
        return fmt::format("'{}' is no alias that is taken", tokens_[at].text);
      ctes_.push_back({tokens_[at].text, end});
      aliases_.insert(tokens_[at].text);
      if (!sign(end, ',')) return std::nullopt;
      at = end + 1;
    }
    return std::nullopt;
  }

  // The token behind the parenthesis that opens at `open`.
  size_t end_of_parenthesis(size_t open) const {
    int depth = 0;
    for (size_t i = open; i < tokens_.size(); ++i) {
      if (sign(i, '(')) ++depth;
      if (sign(i, ')') && --depth == 0) return i + 1;
    }
    return tokens_.size();
  }

  // Whether a table's name at token `at` stands for what may be read.
  bool is_table(const std::string& name, size_t at) const {
    if (tables_.find(name) != tables_.end()) return true;
    return std::any_of(ctes_.begin(), ctes_.end(),
                       [&](const Cte& cte) { return cte.name == name && at >= cte.known_from; });
  }

  std::optional<std::string> look_at(size_t i) {
    const Token& token = tokens_[i];
    if (token.kind == Token::Kind::kSign) {
      if (token.text == "(") places_.push_back(Place::kElsewhere);
      if (token.text == ")") {
        // An unmatched one would end the SELECT that this text is put into.
        if (places_.size() == 1) return "the parentheses do not match";
        places_.pop_back();
      }
      if (token.text != ",") return std::nullopt;
      if (places_.back() == Place::kTables) return table_at(i + 1);
      if (places_.back() == Place::kCondition)
        return "no comma is taken behind WHERE, HAVING, QUALIFY, LIMIT or UNION but in parentheses";
      return std::nullopt;
    }
    if (token.kind == Token::Kind::kQuotedName && sign(i + 1, '('))
      return fmt::format("the function \"{}\" is not taken", token.text);
    if (token.kind != Token::Kind::kWord) return std::nullopt;
    if (token.text == "with" && i > 0 && !word(i + 1, "time"))
      return "WITH stands at the beginning only";
    if (sign(i + 1, '(') && !is_one_of(token.text, kFunctions)) return function_refusal(token.text);
    static constexpr std::string_view kForbidden[] = {
        "into",      "attach", "copy",   "pragma",  "install",  "load",  "call",   "set",
        "create",    "insert", "update", "delete",  "drop",     "alter", "export", "import",
        "recursive", "table",  "pivot",  "unpivot", "describe", "show",  "lateral"};
    if (is_one_of(token.text, kForbidden) && !sign(i + 1, '.') && !(i > 0 && sign(i - 1, '.')))
      return fmt::format("'{}' is not taken", token.text);
    // EXTRACT(x FROM t) and substring(x FROM n) list no tables; the words before tell.
    const bool lists =
        (token.text == "from" && !is_extract(i) && !is_comparison(i)) || token.text == "join";
    if (lists) {
      places_.back() = Place::kTables;
      return table_at(i + 1);
    }
    // Behind a dot or AS it is the name of a column.
    const bool is_column = i > 0 && (sign(i - 1, '.') || word(i - 1, "as"));
    if (!is_column) end_tables(i);
    return std::nullopt;
  }

  // Engines take the words of clauses for columns too, as in "ON where = 1, other.table": a list
  // of tables ends where the words beside one say that a clause begins. Behind those of which they
  // do not, no comma can stand.
  void end_tables(size_t i) {
    const std::string& text = tokens_[i].text;
    if (!is_one_of(text, kAfterTables)) return;
    Place& place = places_.back();
    if (text == "select") {
      if (begins_select(i)) place = Place::kElsewhere;
    } else if (text == "group" || text == "order") {
      if (word(i + 1, "by")) place = Place::kElsewhere;
    } else if (text == "window") {
      if (is_name(i + 1) && word(i + 2, "as") && sign(i + 3, '(')) place = Place::kElsewhere;
    } else if (place == Place::kTables) {
      place = Place::kCondition;
    }
  }

  bool begins_select(size_t i) const {
    static constexpr std::string_view kBefore[] = {"union", "except",   "intersect",
                                                   "all",   "distinct", "name"};
    if (i == 0 || sign(i - 1, '(') || sign(i - 1, ')')) return true;
    return tokens_[i - 1].kind == Token::Kind::kWord && is_one_of(tokens_[i - 1].text, kBefore);
  }

  // "extract ( epoch from": the second word before FROM is a parenthesis behind extract.
  bool is_extract(size_t i) const {
    return i >= 3 && sign(i - 2, '(') && word(i - 3, "extract") && !(i >= 4 && sign(i - 4, '.')) &&
           tokens_[i - 1].kind == Token::Kind::kWord && is_one_of(tokens_[i - 1].text, kTimeParts);
  }

  // "a.b IS [NOT] DISTINCT FROM": only behind a name with its table's or a call, for elsewhere "is"
  // may be a column's name and FROM what it always is.
  bool is_comparison(size_t i) const {
    if (i < 4 || !word(i - 1, "distinct")) return false;
    const size_t is = word(i - 2, "not") ? i - 3 : i - 2;
    if (!word(is, "is") || is < 2) return false;
    if (sign(is - 1, ')')) return is_call_before(is - 1);
    return tokens_[is - 1].kind != Token::Kind::kSign && sign(is - 2, '.');
  }

  // Whether the parenthesis that closes at `i` is that of a call, as in "lower(x) IS DISTINCT
  // FROM", and not that of DISTINCT ON (x).
  bool is_call_before(size_t i) const {
    static constexpr std::string_view kCalls[] = {
        "cast",   "coalesce", "date_trunc", "json_get_str", "lower",
        "nullif", "substr",   "trim",       "try_cast",     "upper"};
    int depth = 0;
    for (size_t at = i + 1; at-- > 0;) {
      if (sign(at, ')')) ++depth;
      if (!sign(at, '(') || --depth > 0) continue;
      return at > 0 && tokens_[at - 1].kind == Token::Kind::kWord &&
             is_one_of(tokens_[at - 1].text, kCalls) && !(at > 1 && sign(at - 2, '.'));
    }
    return false;
  }

  std::optional<std::string> table_at(size_t i) {
    if (i >= tokens_.size()) return "a table is missing behind FROM";
    if (sign(i, '(')) {
      if (word(i + 1, "select")) return take_alias(end_of_parenthesis(i));
      return "behind FROM only a table or a (SELECT ...) is taken";
    }
    std::string name = tokens_[i].text;
    size_t next = i + 1;
    while (sign(next, '.') && next + 1 < tokens_.size()) {
      name += "." + tokens_[next + 1].text;
      next += 2;
    }
    if (sign(next, '(')) return fmt::format("'{}' is no table here", name);
    // Engines read a quoted text in a table's place as a file.
    const bool plain =
        tokens_[i].kind == Token::Kind::kWord || tokens_[i].kind == Token::Kind::kQuotedName;
    if (!plain || !is_table(name, i))
      return fmt::format("'{}' is no table that can be asked", name);
    return take_alias(next);
  }

  static std::optional<std::string> function_refusal(const std::string& name) {
    for (const auto& [word, instead] : kHogql) {
      if (word == name) return fmt::format("'{}' is HogQL: write {}", name, instead);
    }
    return fmt::format("the function '{}' is not taken", name);
  }

  const std::vector<Token>& tokens_;
  struct Cte {
    std::string name;
    size_t known_from;  // token behind its definition
  };
  std::set<std::string> tables_;
  std::set<std::string> hidden_;   // in lower case
  std::set<std::string> aliases_;  // likewise: what may stand before a dot
  std::vector<Cte> ctes_;
  // Where the token stands within each open parenthesis, the statement first: between FROM and what
  // ends its tables, behind a word that ends them, or elsewhere.
  enum class Place : uint8_t { kElsewhere, kTables, kCondition };
  std::vector<Place> places_ = {Place::kElsewhere};
};

}  // namespace

std::optional<std::string> refuse_sql(std::string_view sql, const std::vector<std::string>& tables,
                                      const std::vector<std::string>& hidden) {
  if (sql.size() > limits::kStatementBytesMax) return "is too long";
  std::vector<Token> tokens;
  if (const auto why = read_tokens(sql, tokens)) return why;
  return Check(tokens, tables, hidden).run();
}

namespace {

// The streams as this team sees them, by the names that free SQL knows.
std::string team_ctes(const Project& project) {
  const std::pair<std::string_view, std::string_view> tables[] = {
      {"events", project.events},
      {"persons", project.persons},
      {"distinct_ids", project.distinct_ids},
      {"rejects", project.rejects}};
  std::string out;
  for (const auto& [name, table] : tables) {
    out += fmt::format("{}{} AS (SELECT * FROM {} WHERE team_id = {})",
                       out.empty() ? "WITH " : ", ", name, table_name(table), project.team_id);
  }
  return out + " ";
}

}  // namespace

Built build_sql(const View& question, const Context& context) {
  question.only({"query", "modifiers"});
  check_modifiers(question["modifiers"]);
  const std::string sql = question["query"].text();
  Built built;
  const std::vector<std::string> tables = {context.project.events,
                                           context.project.persons,
                                           context.project.distinct_ids,
                                           "events",
                                           "persons",
                                           "distinct_ids",
                                           "rejects",
                                           "events_deduplicated",
                                           "persons_current",
                                           "person_distinct_ids",
                                           "events_with_person"};
  const bool one_team = context.project.one_team_only;
  const std::vector<std::string> own = {"events", "persons", "distinct_ids", "rejects"};
  const std::vector<std::string> hidden = {context.project.events, context.project.persons,
                                           context.project.distinct_ids, context.project.rejects};
  const auto why = one_team ? refuse_sql(sql, own, hidden) : refuse_sql(sql, tables);
  if (why) {
    question["query"].refuse(*why);
    return built;
  }
  // The engine names the columns; rows come as they are. LIMIT stands outside, so a missing one
  // does no harm; who gets as many rows as it allows is told that there may be more.
  const int64_t most = std::min<int64_t>(rows_max(context.dialect) - 1, 9'999);
  built.statements.push_back(
      {.sql = fmt::format("{}SELECT * FROM ({}) AS q LIMIT {}",
                          one_team ? team_ctes(context.project) : "", sql, most),
       .columns = {}});
  built.write = [most](const std::vector<Rows>& rows) {
    Written out{.results = "[",
                .members = Json{{"hasMore", static_cast<int64_t>(rows[0].size()) >= most}}};
    out.results.reserve(rows[0].bytes());
    for (size_t i = 0; i < rows[0].size(); ++i) {
      out.results += i == 0 ? "[" : ",[";
      for (const json::Value& cell : rows[0][i]) {
        if (out.results.back() != '[') out.results += ',';
        append_json(out.results, cell);
      }
      out.results += ']';
    }
    out.results += ']';
    return out;
  };
  return built;
}

}  // namespace hogflare::insights
