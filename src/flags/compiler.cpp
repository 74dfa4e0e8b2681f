#include "flags/compiler.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "flags/json_literals.h"
#include "flags/portable.h"
#include "flags/text.h"

namespace hogflare::flags {
namespace {

std::string_view kind_name(Value::Kind kind) {
  switch (kind) {
    case Value::Kind::kNull:
      return "null";
    case Value::Kind::kBool:
      return "true or false";
    case Value::Kind::kInteger:
    case Value::Kind::kFloat:
      return "a number";
    case Value::Kind::kString:
      return "a text";
    case Value::Kind::kArray:
      return "a list";
    case Value::Kind::kObject:
      break;
  }
  return "an object";
}

bool is_inactive(const Value& definition) {
  const Value* active = definition.is_object() ? definition.find("active") : nullptr;
  return active != nullptr && active->kind == Value::Kind::kBool && !active->boolean;
}

bool is_deleted(const Value& definition) {
  const Value* deleted = definition.find("deleted");
  return deleted != nullptr && deleted->is_bool() && deleted->boolean;
}

void sort_unique(std::vector<int>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace

void Compiler::note(Severity severity, std::string message) {
  problems_.push_back(Problem{severity, path_.empty() ? "$" : path_, std::move(message)});
}

void Compiler::unreadable(std::string message) {
  unreadable_ = true;
  error(std::move(message));
}

void Compiler::no_document(std::string message) {
  is_no_document_ = true;
  error(std::move(message));
}

void Compiler::soften(size_t first) {
  for (size_t i = first; i < problems_.size(); ++i) problems_[i].severity = Severity::kWarning;
}

// --- reading members

const Value* Compiler::member(const Value& object, std::string_view name, Value::Kind kind) {
  const Value* value = object.find(name);
  if (value == nullptr || value->is_null()) return nullptr;
  if (value->kind == kind) return value;
  Scope scope(*this, name);
  unreadable(fmt::format("must be {}, is {}", kind_name(kind), kind_name(value->kind)));
  return nullptr;
}

const Value* Compiler::required(const Value& object, std::string_view name, Value::Kind kind) {
  const Value* value = object.find(name);
  if (value != nullptr && !value->is_null()) return member(object, name, kind);
  Scope scope(*this, name);
  unreadable(fmt::format("must be {}, is {}", kind_name(kind),
                         value == nullptr ? "missing" : kind_name(Value::Kind::kNull)));
  return nullptr;
}

bool Compiler::read_bool(const Value& object, std::string_view name, bool fallback) {
  const Value* value = member(object, name, Value::Kind::kBool);
  return value == nullptr ? fallback : value->boolean;
}

std::optional<double> Compiler::read_number(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (value->is_number()) return value->number;
  Scope scope(*this, name);
  if (value->is_string() && value->text == kNoNumber) {
    unreadable("must be a number; NaN and Infinity are none");
    return std::nullopt;
  }
  unreadable(fmt::format("must be a number, is {}", kind_name(value->kind)));
  return std::nullopt;
}

std::optional<int64_t> Compiler::read_integer(const Value& object, std::string_view name) {
  const std::optional<double> number = read_number(object, name);
  if (!number) return std::nullopt;
  if (*number == std::floor(*number) && std::fabs(*number) < 9e15) {
    return static_cast<int64_t>(*number);
  }
  Scope scope(*this, name);
  unreadable("must be a whole number");
  return std::nullopt;
}

std::string_view Compiler::read_text(const Value& object, std::string_view name) {
  const Value* value = member(object, name, Value::Kind::kString);
  return value == nullptr ? std::string_view() : std::string_view(value->text);
}

std::vector<std::string> Compiler::read_texts(const Value& object, std::string_view name) {
  std::vector<std::string> texts;
  const Value* list = member(object, name, Value::Kind::kArray);
  if (list == nullptr) return texts;
  Scope scope(*this, name);
  for (size_t i = 0; i < list->items.size(); ++i) {
    if (list->items[i].is_string()) {
      texts.push_back(list->items[i].text);
      continue;
    }
    Scope item(*this, i);
    unreadable(fmt::format("must be a text, is {}", kind_name(list->items[i].kind)));
  }
  return texts;
}

std::optional<double> Compiler::read_percentage(const Value& object, std::string_view name) {
  const std::optional<double> number = read_number(object, name);
  if (number && !(*number >= 0 && *number <= 100)) {
    Scope scope(*this, name);
    error(fmt::format("must be from 0 to 100, is {}", *number));
  }
  return number;
}

int Compiler::slot(Slot wanted) {
  const std::string name = fmt::format("{}|{}|{}|{}", static_cast<int>(wanted.kind),
                                       wanted.group_index, wanted.group_type, wanted.key);
  const auto [found, added] = slot_index_.emplace(name, static_cast<int>(catalog_->slots.size()));
  if (added) catalog_->slots.push_back(std::move(wanted));
  return found->second;
}

// --- the document

std::unique_ptr<Catalog> Compiler::compile(std::string_view json) {
  catalog_ = std::make_unique<Catalog>();
  text_ = json;
  if (json.size() > limits::kFlagDefinitionsBytesMax) {
    no_document(fmt::format("the document has {} bytes; at most {} are taken", json.size(),
                            limits::kFlagDefinitionsBytesMax));
    return std::move(catalog_);
  }
  // In a document NaN is a fault of whoever wrote it, not a value that is not there.
  const std::optional<std::string> rewritten =
      rewrite_literals(json, "\"" + std::string(kNoNumber) + "\"");
  Result<Value> parsed = parse_value(rewritten ? std::string_view(*rewritten) : json,
                                     limits::kFlagsNodesMax, Keep::kLong);
  if (!parsed.ok()) {
    no_document(parsed.error().detail);
    return std::move(catalog_);
  }
  catalog_->document_bytes = json.size();
  Value& document = catalog_->document;
  document = std::move(parsed).value();
  if (document.is_array()) {
    Value wrapped = Value::object();
    wrapped.set("flags", std::move(document));
    document = std::move(wrapped);
  }
  if (!document.is_object()) {
    no_document("must be a list of flags or an object {\"flags\": [...]}");
    return std::move(catalog_);
  }
  compile_document_options(document);
  const Value* flags = member(document, "flags", Value::Kind::kArray);
  if (flags == nullptr) {
    is_no_document_ = true;
    const Value* given = document.find("flags");
    if (given == nullptr || given->is_null()) error("has no \"flags\" list");
    return std::move(catalog_);
  }
  if (flags->items.size() > limits::kFlagsMax) {
    no_document(fmt::format("holds {} flags; at most {} are taken", flags->items.size(),
                            limits::kFlagsMax));
    return std::move(catalog_);
  }
  collect_keys(*flags);
  const auto cohorts = std::find(document.keys.begin(), document.keys.end(), "cohorts");
  if (cohorts != document.keys.end()) {
    collect_cohorts(&document.items[static_cast<size_t>(cohorts - document.keys.begin())]);
  }
  for (size_t i = 0; i < flags->items.size(); ++i) {
    Scope list(*this, "flags");
    Scope item(*this, i);
    compile_flag(flags->items[i], catalog_->flags[i]);
  }
  order_flags();
  for (Flag& flag : catalog_->flags) finish_flag(flag);
  soften_unused_cohorts();
  mark_agreeing_cohorts(*catalog_);
  mark_agreeing_flags(*catalog_);
  return std::move(catalog_);
}

void Compiler::compile_document_options(const Value& document) {
  catalog_->group_types = options_.group_types;
  const Value* mapping = document.find("group_type_mapping");
  if (mapping != nullptr && !mapping->is_null()) compile_group_types(*mapping);
  const std::string_view zone = read_text(document, "timezone");
  if (!zone.empty()) {
    const std::optional<TimeZone> parsed = TimeZone::parse(zone, options_.zones);
    const std::string meant = TimeZone::correction(zone);
    Scope scope(*this, "timezone");
    if (parsed) {
      catalog_->zone = *parsed;
    } else if (!meant.empty()) {
      error(fmt::format("'{}' can be read in two ways; write {}", zone, meant));
    } else {
      error(
          fmt::format("'{}' is not a known time zone; give UTC, an offset such as +02:00, an "
                      "IANA name such as Europe/Berlin, or a POSIX rule such as "
                      "CET-1CEST,M3.5.0,M10.5.0/3",
                      zone));
    }
  }
  const std::optional<int64_t> version = read_integer(document, "property_matching_version");
  if (!version) return;
  if (*version == 1 || *version == 2) {
    catalog_->matching_version = static_cast<int>(*version);
  } else {
    Scope scope(*this, "property_matching_version");
    error(fmt::format("must be 1 or 2, is {}", *version));
  }
}

// {"0": "company"} or PostHog's API form [{"group_type": "company", "group_type_index": 0}].
void Compiler::compile_group_types(const Value& mapping) {
  Scope scope(*this, "group_type_mapping");
  catalog_->group_types = {};
  const auto assign = [&](std::string_view index_text, const Value* name) {
    const std::optional<double> index = parse_number(index_text);
    if (!index || *index < 0 || *index >= limits::kGroupTypes || *index != std::floor(*index)) {
      error(fmt::format("'{}' is not a group type index; give 0 to {}", index_text,
                        limits::kGroupTypes - 1));
      return;
    }
    if (name == nullptr || !name->is_string() || name->text.empty()) {
      error(fmt::format("the name of group type {} must be a text", index_text));
      return;
    }
    catalog_->group_types[static_cast<size_t>(*index)] = name->text;
  };
  if (mapping.is_object()) {
    for (size_t i = 0; i < mapping.keys.size(); ++i) assign(mapping.keys[i], &mapping.items[i]);
    return;
  }
  if (!mapping.is_array()) {
    error("must be an object from index to name, such as {\"0\": \"company\"}");
    return;
  }
  for (size_t i = 0; i < mapping.items.size(); ++i) {
    Scope item(*this, i);
    const Value* index = mapping.items[i].find("group_type_index");
    assign(index == nullptr ? "" : index->text, mapping.items[i].find("group_type"));
  }
}

// The key of one definition that is not deleted.
void Compiler::collect_key(const Value& definition, size_t index,
                           std::unordered_map<std::string, size_t>& seen) {
  Scope list(*this, "flags");
  Scope item(*this, index);
  const Severity severity = is_inactive(definition) ? Severity::kWarning : Severity::kError;
  if (!definition.is_object()) {
    return note(severity, fmt::format("must be an object, is {}", kind_name(definition.kind)));
  }
  Scope scope(*this, "key");
  const Value* key = definition.find("key");
  if (key == nullptr || !key->is_string() || key->text.empty()) {
    return note(severity, "must be a text that is not empty");
  }
  const auto [previous, added] = seen.emplace(key->text, index);
  if (!added) {
    return note(severity, fmt::format("'{}' is already the key of flags[{}]; keys must differ",
                                      key->text, previous->second));
  }
  catalog_->flags[index].key = key->text;
  flag_index_.emplace(key->text, static_cast<int>(index));
}

// First pass: keys and ids, so that a dependency may name a flag further down.
void Compiler::collect_keys(const Value& flags) {
  catalog_->flags.resize(flags.items.size());
  std::unordered_map<std::string, size_t> seen;
  std::vector<size_t> deleted;
  // Flags that are switched off come after those that are on, to which they give their keys up.
  for (const bool is_off_turn : {false, true}) {
    for (size_t i = 0; i < flags.items.size(); ++i) {
      const Value& definition = flags.items[i];
      if (is_inactive(definition) != is_off_turn) continue;
      if (is_deleted(definition)) {
        deleted.push_back(i);
        continue;
      }
      collect_key(definition, i, seen);
    }
  }
  // A deleted flag gives its key up to a living one.
  for (const size_t i : deleted) {
    const Value* key = flags.items[i].find("key");
    if (key == nullptr || !key->is_string() || !seen.emplace(key->text, i).second) continue;
    catalog_->flags[i].key = key->text;
    flag_index_.emplace(key->text, static_cast<int>(i));
  }
  // Ids after all keys: a key wins over another flag's id.
  for (size_t i = 0; i < flags.items.size(); ++i) {
    const Value* id = flags.items[i].find("id");
    if (id != nullptr && id->kind == Value::Kind::kInteger) {
      flag_index_.emplace(id->text, static_cast<int>(i));
    }
  }
}

void Compiler::compile_flag(const Value& definition, Flag& flag) {
  const size_t first = problems_.size();
  unreadable_ = false;
  if (flag.key.empty()) {
    // Said already, and such a flag never answers; what else is wrong with it is said as well.
    Flag unused;
    unused.key = "unnamed";
    if (definition.is_object()) compile_flag(definition, unused);
    flag.deleted = true;
    unreadable_ = false;
    return;
  }
  compile_rules(definition, flag);
  flag.deleted = is_deleted(definition);
  flag.unreadable = std::exchange(unreadable_, false);
  if (flag.active && !flag.deleted) return;
  soften(first);
  if (flag.dialect == Dialect::kSeed) return;
  // It reads as false, whatever it depends on.
  flag.dependencies.clear();
  flag.missing_dependency = false;
}

void Compiler::compile_rules(const Value& definition, Flag& flag) {
  flag.prefix = flag.key + ".";
  flag.id = read_integer(definition, "id");
  flag.version = read_integer(definition, "version");
  flag.active = read_bool(definition, "active", true);
  flag.survey = flag.key.rfind("survey-targeting-", 0) == 0;
  const Value* filters = definition.find("filters");
  if (filters != nullptr && filters->is_object()) {
    compile_posthog_flag(definition, *filters, flag);
    return;
  }
  if (filters != nullptr) {
    Scope scope(*this, "filters");
    unreadable(fmt::format("must be an object, is {}", kind_name(filters->kind)));
    return;
  }
  flag.dialect = Dialect::kSeed;
  catalog_->has_seed_flags = true;
  compile_seed_flag(definition, flag);
}

// Dependencies first. Depth-first over the dependency graph; a back edge is a cycle, and whatever
// reaches one leaves the answer with it.
void Compiler::order_flags() {
  std::vector<Flag>& flags = catalog_->flags;
  enum class Mark : uint8_t { kNew, kOpen, kDone };
  std::vector<Mark> marks(flags.size(), Mark::kNew);
  struct Frame {
    int flag;
    size_t next = 0;
  };
  for (size_t start = 0; start < flags.size(); ++start) {
    if (marks[start] != Mark::kNew) continue;
    std::vector<Frame> stack;
    stack.push_back(Frame{static_cast<int>(start)});
    marks[start] = Mark::kOpen;
    while (!stack.empty()) {
      Frame& frame = stack.back();
      Flag& flag = flags[static_cast<size_t>(frame.flag)];
      if (frame.next < flag.dependencies.size()) {
        const int next = flag.dependencies[frame.next++];
        Flag& target = flags[static_cast<size_t>(next)];
        if (marks[static_cast<size_t>(next)] == Mark::kNew) {
          marks[static_cast<size_t>(next)] = Mark::kOpen;
          stack.push_back(Frame{next});
        } else if (marks[static_cast<size_t>(next)] == Mark::kOpen) {
          flag.cyclic = true;
          Scope list(*this, "flags");
          Scope item(*this, static_cast<size_t>(frame.flag));
          error(fmt::format("flag '{}' depends on itself through '{}'; break the cycle", target.key,
                            flag.key));
        }
        continue;
      }
      marks[static_cast<size_t>(frame.flag)] = Mark::kDone;
      for (const int dependency : flag.dependencies) {
        const Flag& target = flags[static_cast<size_t>(dependency)];
        flag.cyclic = flag.cyclic || target.cyclic;
        flag.missing_dependency = flag.missing_dependency || target.missing_dependency;
      }
      if (!flag.cyclic) catalog_->order.push_back(frame.flag);
      stack.pop_back();
    }
  }
  catalog_->has_cycle =
      std::any_of(flags.begin(), flags.end(), [](const Flag& flag) { return flag.cyclic; });
}

// Gathers what an evaluation of `flag` may look at.
void Compiler::finish_flag(Flag& flag) {
  const auto visit = [&](const Filter& filter) {
    if (filter.kind == Filter::Kind::kProperty && filter.slot != kNone) {
      flag.slots.push_back(filter.slot);
    }
    if (filter.kind == Filter::Kind::kCohort && filter.target != kNone) {
      flag.cohorts.push_back(filter.target);
    }
  };
  const auto visit_condition = [&](const Condition& condition) {
    for (const Filter& filter : condition.filters) visit(filter);
    for (const Filter& filter : condition.cohort_filters) visit(filter);
    if (condition.rollout < 100) flag.needs_hash = true;
  };
  for (const Condition& condition : flag.conditions) visit_condition(condition);
  if (flag.super_condition) visit_condition(*flag.super_condition);
  if (flag.enrolment_slot != kNone) flag.slots.push_back(flag.enrolment_slot);
  if (!flag.variants.empty()) flag.needs_hash = true;
  if (flag.rules) {
    for (const Rule& rule : flag.rules->rules) {
      for (const Predicate& predicate : rule.targeting) {
        if (predicate.slot != kNone) flag.slots.push_back(predicate.slot);
      }
    }
  }
  if (flag.seed) {
    for (const SeedCondition& condition : flag.seed->conditions) {
      for (const SeedFilter& filter : condition.filters) {
        if (filter.slot != kNone) flag.slots.push_back(filter.slot);
      }
    }
  }
  sort_unique(flag.slots);
  sort_unique(flag.cohorts);
}

}  // namespace hogflare::flags
