// Filters: PostHog's property filters as conditions over `e`.
//
// A missing property is NULL. Negative operators match it, positive ones do not: docs/INSIGHTS.md
// "Filters".
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>

#include "hogflare/flags_limits.h"
#include "hogflare/insights_limits.h"
#include "hogflare/text.h"
#include "insights/question.h"
#include "insights/sql_text.h"
#include "json/dom.h"

namespace hogflare::insights {
namespace {

constexpr std::string_view kOperators[] = {"exact",
                                           "is_not",
                                           "icontains",
                                           "not_icontains",
                                           "regex",
                                           "not_regex",
                                           "gt",
                                           "gte",
                                           "lt",
                                           "lte",
                                           "min",
                                           "max",
                                           "between",
                                           "not_between",
                                           "is_set",
                                           "is_not_set",
                                           "in",
                                           "not_in",
                                           "is_date_exact",
                                           "is_date_before",
                                           "is_date_after",
                                           "icontains_multi",
                                           "not_icontains_multi",
                                           "contains_exactly"};

constexpr const char* kTooLong =
    "makes too long a statement: ask with fewer filters, values or people of cohorts";

bool is_negative(std::string_view op) { return op.substr(0, 4) == "not_" || op == "is_not"; }

std::optional<double> number_of(const Json& value) {
  if (value.is_number()) return value.get<double>();
  if (!value.is_string()) return std::nullopt;
  return number_in_text(value.get_ref<const std::string&>());
}

// A property is compared with what its column may hold: lifted texts are cut.
std::string text_of(const Json& value) {
  std::string text = value.is_string() ? value.get<std::string>() : json::text_of(value);
  text.resize(first_bytes(text, limits::kLiftedTextBytesMax).size());
  return text;
}

void read_values(Filter& filter, const View& value) {
  if (value.is_array()) {
    for (const View& item : value.items()) {
      if (item.is_object() || item.is_array())
        item.refuse("must be a text, a number or true or false");
      filter.values.push_back(item.json());
    }
  } else if (value.is_object()) {
    value.refuse("must be a text, a number or a list of these");
  } else if (value.given()) {
    filter.values.push_back(value.json());
  }
  if (filter.values.size() > limits::kFilterValuesMax) value.refuse("holds too many values");
  for (const Json& one : filter.values) {
    if (one.is_string() && one.get_ref<const std::string&>().find('\0') != std::string::npos) {
      value.refuse("holds a NUL character, which no engine can compare with");
    }
  }
}

std::string cohort_id(const View& view) {
  const Json& id = view.json();
  return id.is_string() ? id.get<std::string>() : json::text_of(id);
}

Filter negated(Filter filter) {
  Filter out{.kind = Filter::Kind::kNot, .path = filter.path};
  out.parts.push_back(std::move(filter));
  return out;
}

Filter read_cohort(const View& view, const Project& project, int depth) {
  view.only({"key", "value", "type", "operator", "negation", "label", "cohort_name"});
  const std::string op = view["operator"].one_of({"in", "not_in", "exact", "is_not"});
  Filter members = read_members(cohort_id(view["value"]), view["value"], project, depth);
  const bool is_out = op == "not_in" || op == "is_not";
  return is_out != view["negation"].flag() ? negated(std::move(members)) : members;
}

// Another filter of the question, or another rule of a cohort that it names; false: refused.
bool is_one_more(const View& view, int depth) {
  Refusals& all = *view.refusals();
  size_t& count = depth == 0 ? all.filters : all.rules;
  const size_t most = depth == 0 ? limits::kQuestionFiltersMax : limits::kQuestionRulesMax;
  if (++count > most) {
    view.refuse(fmt::format("{} than the {} that a question may have",
                            depth == 0 ? "is one filter more" : "names cohorts with more rules",
                            most));
  }
  return !all.first;
}

Filter read_test(const View& view, const Project& project, int depth);

// A leaf or a group of a cohort's rules. What of them cannot be decided over the lake is refused,
// for a member that is left out is a wrong number.
Filter read_rule(const View& view, const Project& project, int depth) {
  if (depth > limits::kFilterDepthMax) view.refuse("nests cohorts or their rules too deeply");
  if (view.refusals()->first) return {};
  if (!view["values"].given()) {
    const std::string type = view["type"].one_of({"person", "cohort"});
    Filter leaf = read_test(view, project, depth + 1);
    if (type == "cohort") return leaf;
    leaf.is_present = true;
    return view["negation"].flag() ? negated(std::move(leaf)) : leaf;
  }
  Filter out;
  out.kind = view["type"].one_of({"AND", "OR", "property"}) == "OR" ? Filter::Kind::kOr
                                                                    : Filter::Kind::kAnd;
  for (const View& part : view["values"].items()) {
    out.parts.push_back(read_rule(part, project, depth + 1));
  }
  if (out.parts.empty()) view["values"].refuse("of a cohort's rules is empty");
  return out;
}

Filter read_test(const View& view, const Project& project, int depth) {
  Filter filter{.kind = Filter::Kind::kTest, .path = view.path()};
  if (!is_one_more(view, depth)) return filter;
  filter.type = view["type"].one_of(
      {"event", "person", "cohort", "session", "event_metadata", "feature", "group"});
  if (filter.type == "group")
    view["type"].refuse("group properties cannot be asked for: group's keys can");
  filter.key = view["key"].text();
  if (filter.key.empty()) {
    view["key"].refuse("must name a property");
    return filter;
  }
  if (filter.type == "cohort") return read_cohort(view, project, depth);
  view.only({"key", "value", "type", "operator", "label", "group_type_index", "negation"});
  // Only the rules of cohorts have a negation that means something; there `depth` is more.
  if (depth == 0) view["negation"].refuse_if_given("has a meaning in cohorts only");
  filter.op = view["operator"].text("exact");
  if (std::find(std::begin(kOperators), std::end(kOperators), filter.op) == std::end(kOperators)) {
    view["operator"].refuse(fmt::format("'{}' is not done here", filter.op));
  }
  read_values(filter, view["value"]);
  if (filter.op == "is_set" || filter.op == "is_not_set") return filter;
  if (!view["value"].given()) view["value"].refuse("is missing");
  if (filter.values.empty()) filter.kind = Filter::Kind::kTrue;  // an empty list is no filter
  return filter;
}

std::string compare_number(const Filter& filter, const std::string& x, std::string_view sql_op,
                           const Json& value) {
  const std::optional<double> number = number_of(value);
  if (!number) return fmt::format("{} {} {}", x, sql_op, literal(text_of(value)));
  return fmt::format("{} {} {}", filter.key == "$session_duration" ? x : number_in(x), sql_op,
                     literal(*number));
}

// Letters without case; a lone % or _ is a wildcard, as in PostHog's ILIKE.
std::string contains(Dialect dialect, const std::string& x, const std::string& value,
                     bool wildcards) {
  if (!wildcards || value.find_first_of("%_") == std::string::npos) {
    return fmt::format("strpos(lower({}), lower({})) > 0", x, literal(value));
  }
  std::string pattern;
  for (char c : value) {
    pattern += c == '%' ? ".*" : c == '_' ? "." : RE2::QuoteMeta(std::string(1, c));
  }
  return matches(dialect, x, "(?is)" + pattern);
}

std::string regex(const Filter& filter, const std::string& x, const Json& value, Scan& scan,
                  Refusals& refusals) {
  const std::string pattern = text_of(value);
  check_pattern(pattern, filter.path + ".value", refusals);
  return matches(scan.dialect(), x, pattern);
}

std::string date(const Filter& filter, const std::string& x, const Json& value, Scan& scan,
                 Refusals& refusals) {
  const Clock& clock = scan.project().clock;
  const auto moment = read_moment(value.is_string() ? value.get<std::string>() : "", clock);
  if (!moment) {
    refusals.add(filter.path + ".value", "is neither a date nor a relative time such as -7d");
    return "TRUE";
  }
  const int64_t second = clock.to_utc(moment->local_us) / kSecondUs * kSecondUs;
  const std::string_view op = filter.op == "is_date_before"  ? "<"
                              : filter.op == "is_date_after" ? ">"
                                                             : "=";
  return fmt::format("{} {} {}",
                     epoch_us(scan.dialect(), fmt::format("TRY_CAST({} AS TIMESTAMP)", x)), op,
                     second);
}

// One value's test without its negation; NULL for a missing property.
std::string one_test(const Filter& filter, std::string_view op, const std::string& x,
                     const Json& value, Scan& scan, Refusals& refusals) {
  if (op == "exact" || op == "in") {
    if (value.is_number()) return compare_number(filter, x, "=", value);
    return fmt::format("{} = {}", x, literal(text_of(value)));
  }
  if (op == "icontains")
    return contains(scan.dialect(), x, text_of(value), filter.values.size() == 1);
  if (op == "icontains_multi") return contains(scan.dialect(), x, text_of(value), false);
  if (op == "contains_exactly")
    return fmt::format("strpos({}, {}) > 0", x, literal(text_of(value)));
  if (op == "regex") return regex(filter, x, value, scan, refusals);
  if (op == "gt") return compare_number(filter, x, ">", value);
  if (op == "gte" || op == "min") return compare_number(filter, x, ">=", value);
  if (op == "lt") return compare_number(filter, x, "<", value);
  if (op == "lte" || op == "max") return compare_number(filter, x, "<=", value);
  return date(filter, x, value, scan, refusals);
}

bool is_too_long(std::string_view sql, const Filter& filter, Refusals& refusals) {
  if (sql.size() <= limits::kStatementBytesMax) return false;
  refusals.add(filter.path, kTooLong);
  return true;
}

std::string between(const Filter& filter, const std::string& x, Refusals& refusals) {
  if (filter.values.size() != 2 || !number_of(filter.values[0]) || !number_of(filter.values[1])) {
    refusals.add(filter.path + ".value", "must be a list of two numbers");
    return "TRUE";
  }
  return fmt::format("({} AND {})", compare_number(filter, x, ">=", filter.values[0]),
                     compare_number(filter, x, "<=", filter.values[1]));
}

std::string text_test(const Filter& filter, const std::string& x, Scan& scan, Refusals& refusals) {
  if (filter.op == "is_set") return fmt::format("{} IS NOT NULL", x);
  if (filter.op == "is_not_set") return fmt::format("{} IS NULL", x);
  const bool negative = is_negative(filter.op);
  std::string_view op = filter.op;
  if (op == "is_not")
    op = "exact";
  else if (negative)
    op.remove_prefix(4);
  std::string any;
  if (op == "between") {
    any = between(filter, x, refusals);
  } else {
    // Plain texts are one list, whatever its length.
    std::vector<std::string> texts;
    for (const Json& value : filter.values) {
      if ((op == "exact" || op == "in") && !value.is_number() &&
          filter.key != "$session_duration") {
        texts.push_back(text_of(value));
        continue;
      }
      any += (any.empty() ? "" : " OR ") + one_test(filter, op, x, value, scan, refusals);
      if (refusals.first || is_too_long(any, filter, refusals)) return "TRUE";
    }
    if (!texts.empty())
      any += fmt::format("{}{} IN ({})", any.empty() ? "" : " OR ", x, literals(texts));
  }
  return negative ? fmt::format("NOT coalesce({}, FALSE)", any)
                  : fmt::format("coalesce({}, FALSE)", any);
}

std::string session_column(const Filter& filter, Scan& scan, Refusals& refusals) {
  static constexpr std::pair<std::string_view, std::string_view> kColumns[] = {
      {"$session_duration", "duration_s"},
      {"$is_bounce", "is_bounce"},
      {"$pageview_count", "pageviews"},
      {"$autocapture_count", "autocaptures"},
      {"$entry_current_url", "entry_url"},
      {"$entry_pathname", "entry_path"},
      {"$end_current_url", "exit_url"},
      {"$end_pathname", "exit_path"},
      {"$entry_utm_source", "entry_utm_source"},
      {"$entry_utm_medium", "entry_utm_medium"},
      {"$entry_utm_campaign", "entry_utm_campaign"},
      {"$entry_utm_term", "entry_utm_term"},
      {"$entry_utm_content", "entry_utm_content"},
      {"$entry_referring_domain", "entry_referring_domain"}};
  for (const auto& [key, column] : kColumns) {
    if (key != filter.key) continue;
    const std::string alias = scan.session(column);
    return column == "duration_s" ? alias : fmt::format("CAST({} AS VARCHAR)", alias);
  }
  refusals.add(filter.path + ".key",
               fmt::format("'{}' is no property of a visit that is known here", filter.key));
  return "NULL";
}

std::string metadata_column(const Filter& filter, Scan& scan, Refusals& refusals) {
  if (filter.key == "event" || filter.key == "distinct_id" || filter.key == "uuid")
    return filter.key;
  if (filter.key == "$session_id" || filter.key == "session_id") return scan.session_id();
  if (filter.key.size() == 8 && filter.key.substr(0, 7) == "$group_" && filter.key[7] >= '0' &&
      filter.key[7] <= '4') {
    return scan.group_key(filter.key[7] - '0');
  }
  if (filter.key == "person_id") return scan.person();
  refusals.add(filter.path + ".key",
               fmt::format("'{}' is no column that can be asked for", filter.key));
  return "NULL";
}

// `key` says whether the list has persons' ids only. A distinct id's person is that of its row, of
// the stream of persons, or, where neither knows it, of the event itself.
std::string listed(const Filter& filter, Scan& scan) {
  std::vector<std::string> ids;
  for (const Json& id : filter.values) ids.push_back(id.get_ref<const std::string&>());
  if (ids.empty()) return "FALSE";
  const std::string list = literals(ids);
  const std::string person = scan.person();
  if (filter.key == "person_ids") return fmt::format("coalesce({} IN ({}), FALSE)", person, list);
  return fmt::format(
      "coalesce({0} IN ({1}) OR distinct_id IN ({1}) OR {0} IN (SELECT person_id FROM ids WHERE "
      "distinct_id IN ({1})) OR {0} IN (SELECT person_id FROM {2} WHERE team_id = {3} AND "
      "distinct_id IN ({1})), FALSE)",
      person, list, table_name(scan.project().persons), scan.project().team_id);
}

std::string test(const Filter& filter, Scan& scan, Refusals& refusals) {
  if (filter.type == "cohort") return listed(filter, scan);
  const View at(nullptr, filter.path + ".key", &refusals);
  std::string x;
  if (filter.type == "person") {
    x = filter.is_present ? scan.person_property_now(filter.key)
                          : scan.person_property(at, filter.key);
  } else if (filter.type == "session") {
    x = session_column(filter, scan, refusals);
  } else if (filter.type == "event_metadata") {
    x = metadata_column(filter, scan, refusals);
  } else {
    x = scan.event_property(at, filter.key);
  }
  return text_test(filter, x, scan, refusals);
}

}  // namespace

void check_pattern(std::string_view pattern, std::string_view path, Refusals& refusals) {
  if (refusals.first || refusals.patterns.find(pattern) != refusals.patterns.end()) return;
  if (refusals.patterns.size() == limits::kQuestionPatternsMax) {
    return refusals.add(path, fmt::format("is one regular expression more than the {} that a "
                                          "question may have",
                                          limits::kQuestionPatternsMax));
  }
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(limits::kQuestionRegexBytesMax);
  if (pattern.size() > limits::kRegexPatternBytesMax || !RE2(pattern, options).ok()) {
    return refusals.add(path, "is no regular expression, or takes too much memory");
  }
  refusals.patterns.emplace(pattern);
}

Filter read_members(const std::string& id, const View& at, const Project& project, int depth) {
  Filter out{.kind = Filter::Kind::kTest, .type = "cohort", .path = at.path()};
  if (at.refusals()->first) return out;
  const auto found = project.cohorts.find(id);
  if (found == project.cohorts.end()) {
    at.refuse("is no cohort whose members are known here");
    return out;
  }
  const Cohort& cohort = found->second;
  if (!cohort.rules.is_null()) {
    return read_rule(View(&cohort.rules, at.path(), at.refusals()), project, depth + 1);
  }
  const bool has_ids = !cohort.ids.empty();
  out.key = has_ids ? "ids" : "person_ids";
  const std::vector<std::string>& members = has_ids ? cohort.ids : cohort.person_ids;
  at.refusals()->members += members.size();
  if (members.size() > limits::kFilterValuesMax) {
    at.refuse("has more members than a statement can name");
  } else if (at.refusals()->members > limits::kQuestionMembersMax) {
    at.refuse(
        fmt::format("names cohorts with more people than the {} that a question may name, "
                    "counted for each place that names one",
                    limits::kQuestionMembersMax));
  } else {
    out.values.assign(members.begin(), members.end());
  }
  return out;
}

Filter read_filters(const View& view, const Project& project, int depth) {
  Filter out;
  if (!view.given()) return out;
  if (depth > limits::kFilterDepthMax) {
    view.refuse("nests filters too deeply");
    return out;
  }
  std::vector<View> parts;
  out.kind = Filter::Kind::kAnd;
  if (view.is_array()) {
    parts = view.items();
  } else {
    const std::string type = view["type"].text();
    if (view.is_object() && view.json().empty()) return Filter{};
    if (type == "AND" || type == "OR") {
      view.only({"type", "values"});
      if (type == "OR") out.kind = Filter::Kind::kOr;
      parts = view["values"].items();
    } else {
      return read_test(view, project, 0);
    }
  }
  for (const View& part : parts) {
    if (view.refusals()->first) return Filter{};
    const bool is_group = part.is_array() || (part.is_object() && part["values"].given());
    out.parts.push_back(is_group ? read_filters(part, project, depth + 1)
                                 : read_test(part, project, 0));
  }
  if (out.parts.empty()) out.kind = Filter::Kind::kTrue;
  return out;
}

Filter both(Filter left, Filter right) {
  if (left.kind == Filter::Kind::kTrue) return right;
  if (right.kind == Filter::Kind::kTrue) return left;
  Filter out{.kind = Filter::Kind::kAnd};
  out.parts.push_back(std::move(left));
  out.parts.push_back(std::move(right));
  return out;
}

std::string condition(const Filter& filter, Scan& scan, Refusals& refusals) {
  // Whatever it were, it would be asked by nobody.
  if (refusals.first) return "TRUE";
  if (filter.kind == Filter::Kind::kTrue) return "TRUE";
  if (filter.kind == Filter::Kind::kTest) {
    std::string sql = test(filter, scan, refusals);
    refusals.condition_bytes += sql.size();
    const bool is_over = refusals.condition_bytes > limits::kStatementsBytesMax;
    if (is_over) refusals.add(filter.path, kTooLong);
    return is_over ? "TRUE" : sql;
  }
  if (filter.kind == Filter::Kind::kNot) {
    return fmt::format("NOT {}", condition(filter.parts[0], scan, refusals));
  }
  std::string out;
  const std::string_view between_parts = filter.kind == Filter::Kind::kAnd ? " AND " : " OR ";
  for (const Filter& part : filter.parts) {
    if (!out.empty()) out += between_parts;
    out += condition(part, scan, refusals);
    if (is_too_long(out, part, refusals)) return "TRUE";
  }
  return fmt::format("({})", out);
}

}  // namespace hogflare::insights
