// The common beginning of every statement: the project's events of a time, each once, each with the
// person it counts for now.
//
//   Scan scan(project, dialect);
//   std::string browser = scan.event_property(at, "$browser");    // a column of `e`
//   std::string sql = scan.with(from_us, to_us) + " SELECT " + browser + " FROM e";
//
// Columns of `e`: t (microseconds since 1970), uuid, event, distinct_id, person when `person()` was
// asked for, and one column a property. Copies share (team_id, uuid, event, distinct_id); the
// earliest time counts, and of other contents the smallest value.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "insights/project.h"
#include "insights/view.h"

namespace hogflare::insights {

enum class PersonProperties : uint8_t { kOfEvent, kPresent };

class Scan {
 public:
  Scan(const Project& project, Dialect dialect, PersonProperties mode = PersonProperties::kOfEvent)
      : project_(&project), dialect_(dialect), person_mode_(mode) {}

  const Project& project() const { return *project_; }
  Dialect dialect() const { return dialect_; }

  // Names of columns of `e`. `at` is refused when the dialect cannot read the property.
  std::string person();
  std::string event_property(const View& at, std::string_view key);
  std::string event_property_json(const View& at, std::string_view key);
  std::string person_property(const View& at, std::string_view key);
  std::string group_key(int index);
  // The person's at present.
  std::string person_property_now(std::string_view key);
  std::string session_id();
  std::string column(std::string_view name);  // a column of the events table as it is
  std::string person_created_us();  // the earliest created_at known of the person; may be NULL
  // A column of `sessions` joined to the event: start_t, duration_s, entry_url ...
  std::string session(std::string_view name);

  // Only events of these names are read; "all events" widens to every name.
  void add_event(const std::optional<std::string>& event);

  // Only events that belong to a visit.
  void only_of_visits() { is_of_visits_ = true; }
  // Leave early what the question's own conditions leave out, so that fewer events are made one of
  // their copies: only those of ids that may be this person's, or that were seen in these visits.
  void only_ids_of(const std::string& person_id) { only_person_ = person_id; }
  void only_visits(const std::vector<std::string>& ids) { only_visits_ = ids; }

  // "WITH ... e AS (...)". The time is inclusive at both ends.
  std::string with(int64_t from_us, int64_t to_us) const;
  // Without an earliest time.
  std::string with_until(int64_t to_us) const { return with(INT64_MIN, to_us); }

 private:
  std::string raw_column(std::string expression);
  std::string property_expression(const View& at, std::string_view key, bool as_json) const;
  std::string present_property(std::string_view key);
  std::string late_column(const std::string& expression);
  std::string raw_cte(int64_t from_us, int64_t to_us) const;
  std::string people_cte() const;
  std::string sessions_cte(int64_t from_us, int64_t to_us) const;
  std::string session_expression() const;

  const Project* project_;
  Dialect dialect_;
  PersonProperties person_mode_;
  bool needs_person_ = false;
  bool needs_people_ = false;
  bool needs_sessions_ = false;
  bool all_events_ = false;
  bool is_of_visits_ = false;
  std::optional<std::string> only_person_;
  std::vector<std::string> only_visits_;
  std::set<std::string> events_;
  std::vector<std::string> raw_;      // expressions of r0, r1 ...
  std::vector<std::string> present_;  // expressions of j0, j1 ... over persons
  std::vector<std::pair<std::string, std::string>>
      late_;  // expressions over e0, people and sessions
};

// "ids AS (...)": each distinct_id with a row of its own, and whose it is now.
std::string ids_cte(const Project& project);

// The text, of those there are, of the first ("min") or last ("max") of a group's rows, without an
// engine's arg_min: a key that sorts by `t` and then by the text, and the text in it.
std::string time_key(std::string_view function, std::string_view text, std::string_view condition);
std::string text_of_key(std::string_view key);

// The path of an address.
std::string path_of(std::string_view url);

// Whether a visit bounced, by its pageviews, autocaptures and duration_s; NULL without a page.
inline constexpr std::string_view kIsBounce =
    "CASE WHEN pageviews = 0 THEN NULL WHEN pageviews > 1 OR autocaptures > 0 OR duration_s >= 10 "
    "THEN 0.0 ELSE 1.0 END";

// A visit is read whole: an SDK ends one after 24 hours, PostHog's own margin is three days.
inline constexpr int64_t kVisitMarginUs = 3 * 86'400'000'000;

// The lifted column of a PostHog property, or empty.
std::string_view typed_column(std::string_view key);

}  // namespace hogflare::insights
