// Cohorts: what they are made of, who refers to whom, and whose fault a fault is.
// Source: F-5.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "flags/compiler.h"
#include "flags/text.h"
#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

bool is_true(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value != nullptr && value->is_bool() && value->boolean;
}

bool is_filled_list(const Value* value) {
  return value != nullptr && value->is_array() && !value->items.empty();
}

void sort_unique(std::vector<int>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

CohortNode nobody() { return CohortNode{}; }

CohortNode unknowable(Cohort& cohort) {
  cohort.has_unknowable = true;
  CohortNode node;
  node.kind = CohortNode::Kind::kLeaf;
  node.leaf.kind = Filter::Kind::kUnknowable;
  return node;
}

// A long list stands in the catalog alone; one that a question may name stays in the document too.
void drop_members(Value& definition) {
  const Value* members = definition.find("members");
  if (members == nullptr) return;
  if (members->is_array() && members->items.size() <= limits::kCohortMembersKeptMax) return;
  definition.set("members", Value::array());
}

}  // namespace

std::optional<int64_t> cohort_id_of(const Value& value) {
  if (!value.is_number() && !value.is_string()) return std::nullopt;
  const std::optional<double> number = parse_number(value.text);
  if (!number || *number != std::floor(*number) || std::fabs(*number) > 9e15) return std::nullopt;
  return static_cast<int64_t>(*number);
}

void Compiler::collect_cohorts(Value* cohorts) {
  if (cohorts == nullptr || cohorts->is_null()) return;
  Scope scope(*this, "cohorts");
  if (!cohorts->is_array() && !cohorts->is_object()) {
    error("must be a list of cohorts or an object from id to property group");
    return;
  }
  if (cohorts->items.size() > limits::kCohortsMax) {
    error(fmt::format("holds {} cohorts; at most {} are taken", cohorts->items.size(),
                      limits::kCohortsMax));
    return;
  }
  for (size_t i = 0; i < cohorts->items.size(); ++i) {
    const Value& definition = cohorts->items[i];
    // A deleted one is not there, and gives its id up to a living one.
    if (is_true(definition, "deleted")) continue;
    if (cohorts->is_array()) {
      Scope item(*this, i);
      const Value* id = definition.find("id");
      collect_cohort(definition, id == nullptr ? std::nullopt : cohort_id_of(*id));
    } else {
      Scope item(*this, cohorts->keys[i]);
      collect_cohort(definition, cohort_id_of(Value::of(std::string_view(cohorts->keys[i]))));
    }
  }
  for (size_t i = 0; i < cohort_definitions_.size(); ++i) {
    const size_t first = problems_.size();
    std::swap(path_, cohort_paths_[i]);
    unreadable_ = false;
    compile_cohort(i, *cohort_definitions_[i]);
    if (std::exchange(unreadable_, false)) {
      catalog_->cohorts[i].state = Cohort::State::kUnreadable;
    }
    std::swap(path_, cohort_paths_[i]);
    blame_cohort(static_cast<int>(i), first);
  }
  for (Value& definition : cohorts->items) drop_members(definition);
  resolve_cohorts();
}

void Compiler::collect_cohort(const Value& definition, std::optional<int64_t> id) {
  if (!definition.is_object() || !id) {
    warn("must be an object with a numeric id; nothing can refer to it");
    return;
  }
  if (!cohort_index_.emplace(*id, static_cast<int>(catalog_->cohorts.size())).second) {
    error(fmt::format("cohort {} is defined twice; the first counts", *id));
    return;
  }
  Cohort cohort;
  cohort.id = *id;
  catalog_->cohorts.push_back(std::move(cohort));
  cohort_definitions_.push_back(&definition);
  cohort_paths_.push_back(path_);
}

// Problems from `first` on are this cohort's, and none where no flag that answers uses it.
void Compiler::blame_cohort(int cohort, size_t first) {
  for (size_t i = first; i < problems_.size(); ++i) cohort_problems_.emplace_back(i, cohort);
}

// A cohort of the API ({id, is_static, filters: {properties: group}}) or of the feed (the group).
void Compiler::compile_cohort(size_t index, const Value& definition) {
  Cohort& cohort = catalog_->cohorts[index];
  if (definition.find("values") != nullptr) {
    cohort.tree = compile_cohort_group(definition, cohort, 0);
    return;
  }
  cohort.is_static = read_bool(definition, "is_static", false);
  const Value* type = definition.find("cohort_type");
  cohort.is_stored = !cohort.is_static && type != nullptr && type->is_string() &&
                     (type->text == "realtime" || type->text == "behavioral");
  compile_members(definition, cohort);
  if (cohort.is_static) return;
  const Value* filters = member(definition, "filters", Value::Kind::kObject);
  const Value* group = filters == nullptr ? nullptr : filters->find("properties");
  const Value* groups = definition.find("groups");
  const bool has_old_form = is_filled_list(groups);
  if (group != nullptr && !group->is_null() && !(has_old_form && group->items.empty())) {
    Scope outer(*this, "filters");
    Scope inner(*this, "properties");
    cohort.tree = compile_cohort_group(*group, cohort, 0);
  } else if (has_old_form) {
    Scope list(*this, "groups");
    cohort.is_old_form = true;
    cohort.tree = compile_old_groups(*groups, cohort);
  } else if (const Value* query = definition.find("query");
             query != nullptr && query->is_object()) {
    cohort.is_query = true;
    cohort.is_stored = true;
    error(
        "is defined by a query, which is not run here: flags that use it fail unless its members "
        "are listed");
  } else {
    warn("has no filters: nobody is a member");
  }
}

void Compiler::compile_members(const Value& definition, Cohort& cohort) {
  const Value* members = definition.find("members");
  if (members == nullptr || members->is_null()) {
    if (cohort.is_static) {
      warn(
          fmt::format("has no members here: they are read from the KV key cohort:{}, and flags "
                      "that use the cohort fail while that cannot be had",
                      cohort.id));
    }
    return;
  }
  Scope scope(*this, "members");
  std::string problem;
  cohort.members = MemberList::read(*members, problem);
  if (!cohort.members) error(std::move(problem));
}

CohortNode Compiler::compile_cohort_group(const Value& group, Cohort& cohort, int depth) {
  CohortNode node;
  const Value* values = group.find("values");
  const Value* type = group.find("type");
  if (values == nullptr || !values->is_array() || type == nullptr || !type->is_string()) {
    unreadable("must be a property group: {\"type\": \"AND\" or \"OR\", \"values\": [...]}");
    return node;
  }
  if (depth > limits::kCohortGroupDepthMax) {
    unreadable(fmt::format("groups nest over {} levels", limits::kCohortGroupDepthMax));
    return node;
  }
  if (type->text == "AND" || (type->text == "property" && depth > 0)) {
    node.kind = CohortNode::Kind::kAll;
    cohort.is_old_form = cohort.is_old_form || type->text == "property";
  } else if (type->text != "OR") {
    Scope scope(*this, "type");
    node.kind = CohortNode::Kind::kBadGroup;
    const std::string message = fmt::format("'{}' is neither AND nor OR", type->text);
    if (depth == 0) {
      unreadable(message);
    } else {
      error(message);
    }
  }
  if (values->items.empty()) {
    warn(node.kind == CohortNode::Kind::kAll ? "an empty AND is everybody"
                                             : "an empty OR is nobody");
  }
  Scope scope(*this, "values");
  node.values.reserve(values->items.size());
  for (size_t i = 0; i < values->items.size(); ++i) {
    Scope item(*this, i);
    const Value& value = values->items[i];
    if (!value.is_object()) {
      unreadable("must be a property filter or a group of them");
    } else if (value.find("values") != nullptr) {
      node.values.push_back(compile_cohort_group(value, cohort, depth + 1));
    } else {
      node.values.push_back(compile_cohort_leaf(value, cohort));
    }
  }
  return node;
}

CohortNode Compiler::compile_cohort_leaf(const Value& definition, Cohort& cohort) {
  const std::string_view type = read_text(definition, "type");
  const bool is_property =
      type.empty() || type == "person" || type == "group" || type == "person_metadata";
  if (!is_property && type != "cohort") {
    warn(
        fmt::format("a rule of type '{}' cannot be evaluated here and counts as a miss; where it "
                    "would have to count as a match, the flag fails",
                    type));
    return unknowable(cohort);
  }
  CohortNode node;
  node.kind = CohortNode::Kind::kLeaf;
  node.leaf = is_property ? compile_property_filter(definition, type, kNone)
                          : compile_cohort_filter(definition);
  node.leaf.negation = read_bool(definition, "negation", false);
  if (is_property && node.leaf.slot != kNone) cohort.slots.push_back(node.leaf.slot);
  if (!is_property && node.leaf.target != kNone) cohort.references.push_back(node.leaf.target);
  if (!is_property && node.leaf.target == kNone) {
    if (node.leaf.names_no_id) unreadable_ = true;
    cohort.state = Cohort::State::kUnknownReference;
  }
  return node;
}

// The form before filters: a list of groups, any of which is enough (legacy_groups.rs).
CohortNode Compiler::compile_old_groups(const Value& groups, Cohort& cohort) {
  CohortNode node;
  for (size_t i = 0; i < groups.items.size(); ++i) {
    Scope item(*this, i);
    node.values.push_back(compile_old_group(groups.items[i], cohort));
  }
  return node;
}

CohortNode Compiler::compile_old_group(const Value& group, Cohort& cohort) {
  const Value* properties = group.find("properties");
  Scope scope(*this, "properties");
  CohortNode node;
  node.kind = CohortNode::Kind::kAll;
  if (is_filled_list(properties)) {
    for (size_t i = 0; i < properties->items.size(); ++i) {
      Scope item(*this, i);
      const Value* type = properties->items[i].find("type");
      Value leaf = properties->items[i];
      if (!leaf.is_object()) {
        unreadable("must be a property filter");
        continue;
      }
      if (type == nullptr || type->is_null() || (type->is_string() && type->text == "event")) {
        leaf.set("type", Value::of(std::string_view("person")));
      }
      node.values.push_back(leaf.find("values") != nullptr ? compile_cohort_group(leaf, cohort, 1)
                                                           : compile_cohort_leaf(leaf, cohort));
    }
    return node;
  }
  if (properties != nullptr && properties->is_object() && !properties->items.empty()) {
    const bool has_type = properties->find("type") != nullptr;
    const bool has_values = properties->find("values") != nullptr;
    if (has_type && has_values) return compile_cohort_group(*properties, cohort, 1);
    if (has_type || has_values) {
      warn("has only one of type and values: nobody");
      return nobody();
    }
    for (size_t i = 0; i < properties->keys.size(); ++i) {
      Value leaf = Value::object();
      leaf.set("key", Value::of(std::string_view(properties->keys[i])));
      leaf.set("value", properties->items[i]);
      node.values.push_back(compile_cohort_leaf(leaf, cohort));
    }
    return node;
  }
  if (group.find("action_id") != nullptr || group.find("event_id") != nullptr) {
    warn("a group of an action or event cannot be evaluated here and counts as a miss");
    return unknowable(cohort);
  }
  warn("a group that names nothing is nobody");
  return nobody();
}

// Puts references first. A cohort that reaches an unknown cohort or a cycle fails the flags that
// use it.
void Compiler::resolve_cohorts() {
  std::vector<Cohort>& cohorts = catalog_->cohorts;
  for (Cohort& cohort : cohorts) {
    sort_unique(cohort.references);
    sort_unique(cohort.slots);
  }
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(cohorts.size(), Mark::kNew);
  struct Frame {
    int cohort;
    size_t next = 0;
  };
  const auto worsen = [](Cohort& cohort, Cohort::State state) {
    if (cohort.state == Cohort::State::kOk) cohort.state = state;
  };
  std::vector<Frame> stack;
  for (size_t start = 0; start < cohorts.size(); ++start) {
    if (marks[start] != Mark::kNew) continue;
    stack.push_back(Frame{static_cast<int>(start)});
    marks[start] = Mark::kOpen;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      const int index = frame.cohort;
      Cohort& cohort = cohorts[static_cast<size_t>(index)];
      if (frame.next == cohort.references.size()) {
        marks[static_cast<size_t>(index)] = Mark::kDone;
        catalog_->cohort_order.push_back(index);
        stack.pop_back();
        if (!stack.empty()) {
          worsen(cohorts[static_cast<size_t>(stack.back().cohort)], cohort.state);
        }
        continue;
      }
      const int next = cohort.references[frame.next++];
      Cohort& target = cohorts[static_cast<size_t>(next)];
      Mark& mark = marks[static_cast<size_t>(next)];
      if (mark == Mark::kDone) {
        worsen(cohort, target.state);
      } else if (mark == Mark::kNew) {
        mark = Mark::kOpen;
        stack.push_back(Frame{next});
      } else {
        cohort.state = Cohort::State::kCycle;
        const size_t first = problems_.size();
        std::swap(path_, cohort_paths_[static_cast<size_t>(index)]);
        error(fmt::format("cohort {} refers back to itself through cohort {}; break the cycle",
                          target.id, cohort.id));
        std::swap(path_, cohort_paths_[static_cast<size_t>(index)]);
        blame_cohort(index, first);
      }
    }
  }
}

// A cohort that no flag uses which answers is never an error.
void Compiler::soften_unused_cohorts() {
  std::vector<bool> used(catalog_->cohorts.size(), false);
  std::vector<int> open;
  for (const Flag& flag : catalog_->flags) {
    if (!flag.active || flag.deleted) continue;
    open.insert(open.end(), flag.cohorts.begin(), flag.cohorts.end());
  }
  while (!open.empty()) {
    const auto index = static_cast<size_t>(open.back());
    open.pop_back();
    if (used[index]) continue;
    used[index] = true;
    const std::vector<int>& references = catalog_->cohorts[index].references;
    open.insert(open.end(), references.begin(), references.end());
  }
  for (const auto& [problem, cohort] : cohort_problems_) {
    if (!used[static_cast<size_t>(cohort)]) problems_[problem].severity = Severity::kWarning;
  }
}

}  // namespace hogflare::flags
