#include "insights/issue_status.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "hogflare/insights_limits.h"
#include "insights/range.h"
#include "insights/scan.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

// Digits of microseconds since 1970, so that texts sort as times do.
constexpr size_t kTimeDigits = 17;
constexpr char kBetween = '|';

// A property of the event, NULL where the engine cannot look into its text.
std::string said(const Context& context, std::string_view key) {
  if (context.dialect == Dialect::kBasin) {
    return fmt::format("CASE WHEN bit_length(custom_properties) < {} THEN {} END",
                       8 * limits::kBasinJsonBytesMax,
                       json_text(context.dialect, "custom_properties", key));
  }
  const std::string whole = json_text(context.dialect, "properties", key);
  if (!context.project.typed_columns) return whole;
  return fmt::format("coalesce({}, {})", json_text(context.dialect, "custom_properties", key),
                     whole);
}

std::optional<int64_t> bound_in(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end == text.data() || value < 1) return std::nullopt;
  return value;
}

std::string_view until_next(std::string_view& rest) {
  const size_t end = std::min(rest.find(kBetween), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

std::string_view Decision::status_now() const {
  const bool is_over =
      (status == "resolved" && occurrences > 0) ||
      (status == "ignored" && until_people && people >= *until_people) ||
      (status == "ignored" && until_occurrences && occurrences >= *until_occurrences);
  return is_over ? "active" : std::string_view(status);
}

std::string_view Decisions::status_of(const std::string& fingerprint) const {
  const auto found = of_.find(fingerprint);
  return found == of_.end() ? "active" : found->second.status_now();
}

Json Decisions::json_of(const std::string& fingerprint) const {
  const auto found = of_.find(fingerprint);
  if (found == of_.end()) return nullptr;
  const Decision& one = found->second;
  Json out{{"status", one.status},
           {"at", instant_text(one.at_us)},
           {"people", one.people},
           {"occurrences", one.occurrences}};
  if (one.until_people) out["until_people"] = *one.until_people;
  if (one.until_occurrences) out["until_occurrences"] = *one.until_occurrences;
  return out;
}

Statement decisions_statement(const Context& context) {
  const int64_t now_us = context.project.clock.now_us;
  const int64_t from_us = now_us - limits::kDecisionDays * kDayUs;
  const View nowhere(nullptr, "", &context.refusals);
  Scan scan(context.project, context.dialect);
  scan.add_event("$exception");
  const std::string person = scan.person();
  const std::string fingerprint = scan.event_property(nowhere, "$exception_fingerprint");
  // Copies of an event change nothing here: the newest of all is taken.
  const std::string newest = fmt::format(
      "max(concat(lpad(CAST({} AS VARCHAR), {}, '0'), {}, '|', coalesce({}, ''), '|', coalesce({}, "
      "'')))",
      epoch_us(context.dialect, "\"timestamp\""), kTimeDigits, said(context, "status"),
      said(context, "until_people"), said(context, "until_occurrences"));
  return {
      .sql = fmt::format(
          "{with}, said AS (SELECT {issue} AS id, {newest} AS newest FROM {events} WHERE team_id = "
          "{team} AND event = 'issue_status_changed' AND \"timestamp\" >= {from} AND \"timestamp\" "
          "<= {to} AND {status} IN ('active', 'resolved', 'ignored') GROUP BY {issue}), "
          "met AS (SELECT said.id AS id, e.{person} AS person FROM e JOIN said ON said.id = "
          "e.{fingerprint} WHERE e.t > CAST(substr(said.newest, 1, {digits}) AS BIGINT)), "
          "times AS (SELECT id, count(*) AS n FROM met GROUP BY id), "
          "people_of AS (SELECT id, count(*) AS n FROM (SELECT DISTINCT id, person FROM met) AS p "
          "GROUP BY id) "
          "SELECT said.id, newest, coalesce(times.n, 0) AS occurrences, coalesce(people_of.n, 0) "
          "AS users FROM said LEFT JOIN times ON times.id = said.id LEFT JOIN people_of ON "
          "people_of.id = said.id WHERE said.id <> '' ORDER BY said.id LIMIT {rows}",
          fmt::arg("with", scan.with(from_us, now_us)), fmt::arg("issue", said(context, "issue")),
          fmt::arg("newest", newest), fmt::arg("events", table_name(context.project.events)),
          fmt::arg("team", context.project.team_id), fmt::arg("from", instant(from_us)),
          fmt::arg("to", instant(now_us)), fmt::arg("status", said(context, "status")),
          fmt::arg("person", person), fmt::arg("fingerprint", fingerprint),
          fmt::arg("digits", kTimeDigits), fmt::arg("rows", rows_max(context.dialect))),
      .columns = {"id", "newest", "occurrences", "users"}};
}

Decisions read_decisions(const Rows& table) {
  Decisions out;
  for (const Row row : table) {
    const std::string newest = text_of(row[1]);
    if (newest.size() < kTimeDigits) continue;
    Decision one;
    const auto at = bound_in(std::string_view(newest).substr(0, kTimeDigits));
    one.at_us = at.value_or(0);
    std::string_view rest = std::string_view(newest).substr(kTimeDigits);
    one.status = until_next(rest);
    one.until_people = bound_in(until_next(rest));
    one.until_occurrences = bound_in(until_next(rest));
    one.occurrences = integer_of(row[2]);
    one.people = integer_of(row[3]);
    out.add(text_of(row[0]), std::move(one));
  }
  return out;
}

}  // namespace hogflare::insights
