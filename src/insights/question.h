// The parts that questions share: series, filters, breakdowns. Checked when read.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "insights/project.h"
#include "insights/scan.h"
#include "insights/view.h"

namespace hogflare::insights {

struct Filter {
  enum class Kind : uint8_t { kTrue, kAnd, kOr, kNot, kTest };
  Kind kind = Kind::kTrue;
  std::vector<Filter> parts;
  std::string type;
  std::string key;
  std::string op;
  std::vector<Json> values;
  int group_index = 0;
  bool is_present = false;  // of a person's property: as it is now, whatever the question's mode
  std::string path;
};

// Who is in a cohort; `at` is the place that names it. Of unknown ones it is refused there.
Filter read_members(const std::string& cohort, const View& at, const Project& project,
                    int depth = 0);
// A list (AND), or {"type": "AND"|"OR", "values": [...]}.
Filter read_filters(const View& view, const Project& project, int depth = 0);
Filter both(Filter left, Filter right);
// Refuses what is no regular expression, at `path`, and more of them than a question may have.
void check_pattern(std::string_view pattern, std::string_view path, Refusals& refusals);
// A condition over `e`; never NULL. Anything after a refusal, or once it is longer than a statement
// may be, which is refused.
std::string condition(const Filter& filter, Scan& scan, Refusals& refusals);

struct Alternative {
  std::optional<std::string> event;  // nullopt: every event
  Filter filter;
};

// One node of `series`: the events it stands for, and the mathematics.
struct Series {
  std::vector<Alternative> any_of;
  std::string label;
  Json id;  // the event's name, null for all events, or the action's id
  std::string type = "events";
  std::optional<std::string> custom_name;
  std::string math;
  std::string math_property;
  std::string math_property_type;
  int group_index = -1;
  double multiplier = 1;
  bool optional_step = false;
  Filter filter;  // the node's own properties
  std::string path;
  Json action(size_t order) const;
};

Series read_series(const View& view, const Project& project);
// {"id", "type", "properties"} as retention's entities are written.
Series read_entity(const View& view, const Project& project);
std::string condition(const Series& series, Scan& scan, Refusals& refusals);
void add_events(const Series& series, Scan& scan);

struct Breakdown {
  std::string property;
  std::string type;
  int group_index = 0;
  bool normalize_url = false;
  std::string path;
};

inline constexpr std::string_view kNullLabel = "$$_posthog_breakdown_null_$$";
inline constexpr std::string_view kOtherLabel = "$$_posthog_breakdown_other_$$";

struct Breakdowns {
  std::vector<Breakdown> by;         // up to three
  std::vector<std::string> cohorts;  // ids, or "all": instead of `by`
  std::vector<Filter> members;       // of each of them
  int64_t limit = 25;
  bool hide_other = false;
  bool is_list = false;  // the answer's values are lists
};

Breakdowns read_breakdowns(const View& filter, const Project& project);
// The value as text, NULL when there is none.
std::string breakdown_text(const Breakdown& breakdown, Scan& scan, Refusals& refusals);

// Members of every insight: properties, filterTestAccounts, samplingFactor, modifiers, group
// aggregation.
struct Common {
  Filter filter;
  int group_index = -1;
  PersonProperties person_properties = PersonProperties::kOfEvent;
};
Common read_common(const View& question, const Project& project);
// Refuses what is not done of them, where there is nothing else that they could change.
void check_modifiers(const View& modifiers);
// "person", or the group's key.
std::string unit_of(const Common& common, Scan& scan);

}  // namespace hogflare::insights
