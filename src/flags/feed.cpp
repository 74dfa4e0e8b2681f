// The definitions feed for SDKs that evaluate locally, and single payloads.
//
// A flag that some SDK would answer differently from `evaluate` carries
// `ensure_experience_continuity: true`: every server SDK refuses to evaluate such a flag itself and
// asks /flags instead. Source: W-9, F-10.
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "flags/catalog.h"
#include "flags/compiler.h"
#include "flags/hash.h"
#include "flags/json_writer.h"
#include "flags/portable.h"
#include "flags/text.h"
#include "hogflare/flags_responses.h"

namespace hogflare::flags {
namespace {

// Bytes of the values' texts and names, and of what stands around them, about.
size_t bytes_of(const Value& value) {
  size_t bytes = value.text.size() + 2;
  for (const std::string& key : value.keys) bytes += key.size() + 4;
  for (const Value& item : value.items) bytes += bytes_of(item);
  return bytes;
}

// Lists of filters; who matches all of one list is in.
using Ways = std::vector<std::vector<const Value*>>;

class FeedWriter {
 public:
  FeedWriter(const Catalog& catalog, Cohorts cohorts);

  std::string write(FlagCalledEvents events);
  FlagListPage write_list(const FlagListQuery& query);

 private:
  // What the document says of a cohort and what became of it.
  struct KnownCohort {
    const Cohort* cohort;
    const Value* definition = nullptr;
    bool is_looked_at = false;
    std::optional<Ways> ways;  // once it was looked at; none: it does not come to plain filters
    size_t bytes = 0;          // of them all
  };

  Value posthog_entry(const Flag& flag, const Value& definition);
  Value seed_entry(const Flag& flag) const;
  Value conditions(const Value& groups);
  Value properties(const Value& list);
  std::optional<std::vector<Value>> expand_cohort(const Value& condition);
  KnownCohort* known_cohort(const Value& id);
  const KnownCohort* plain_cohort(const Value& filter);
  Value dependency(const Value& filter);
  std::vector<int> chain_to(int flag);
  // Takes from what the feed may have beyond the document; false: it is not there.
  bool spend(size_t bytes);
  void write_group_types(JsonWriter& json) const;
  void write_cohorts(JsonWriter& json);

 public:
  std::string write_cohorts_for_questions();

 private:
  const Catalog& catalog_;
  Cohorts cohorts_;
  std::map<int64_t, KnownCohort> cohort_by_id_;
  std::unordered_map<std::string_view, int> flag_by_name_;  // by key, and by id where none has it
  std::vector<int> place_;                                  // of each flag in catalog.order
  std::vector<size_t> met_in_;                              // the chain a flag was met in last
  size_t chains_ = 0;
  size_t bytes_left_;
};

bool is_true(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value != nullptr && value->is_bool() && value->boolean;
}

std::string_view text_of(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value != nullptr && value->is_string() ? std::string_view(value->text)
                                                : std::string_view();
}

void set_default(Value& object, std::string_view name, Value value) {
  if (object.find(name) == nullptr) object.set(name, std::move(value));
}

// The property group of a dynamic cohort, from the API's form or the feed's.
const Value* group_of_cohort(const Value& definition) {
  if (definition.find("values") != nullptr) return &definition;
  if (is_true(definition, "is_static")) return nullptr;
  const Value* filters = definition.find("filters");
  const Value* group = filters == nullptr ? nullptr : filters->find("properties");
  return group != nullptr && group->find("values") != nullptr ? group : nullptr;
}

std::string cohort_id(const Value& cohorts, size_t index) {
  if (cohorts.is_object()) return cohorts.keys[index];
  const Value* id = cohorts.items[index].find("id");
  return id == nullptr ? std::string() : id->text;
}

bool is_decided_by_rules(const Cohort& cohort) {
  return !cohort.is_static && !cohort.is_stored && !cohort.has_unknowable;
}

bool is_plain_leaf(const Value& leaf) {
  const std::string_view type = text_of(leaf, "type");
  return type != "cohort" && type != "behavioral" && leaf.find("values") == nullptr &&
         !is_true(leaf, "negation");
}

bool has_items(const Value& object, std::string_view name) {
  const Value* value = object.find(name);
  return value != nullptr && value->is_array() && !value->items.empty();
}

// Whether the list of flags is asked for this one. Source: _apply_filters of PostHog's
// posthog/api/feature_flag.py.
bool is_asked_for(const Value& flag, const FlagListQuery& query) {
  const Value* active = flag.find("active");
  if (query.active && *query.active != (active->is_bool() && active->boolean)) return false;
  const Value* filters = flag.find("filters");
  const Value* multivariate = filters == nullptr ? nullptr : filters->find("multivariate");
  const bool has_variants = multivariate != nullptr && has_items(*multivariate, "variants");
  if (query.type == "boolean" && has_variants) return false;
  if (query.type == "multivariant" && !has_variants) return false;
  if (query.type == "experiment" && !has_items(flag, "experiment_set")) return false;
  if (!query.evaluation_runtime.empty()) {
    const std::string_view runtime = text_of(flag, "evaluation_runtime");
    if ((runtime.empty() ? "all" : runtime) != query.evaluation_runtime) return false;
  }
  if (query.search.empty()) return true;
  const std::string wanted = unicode_lower(query.search);
  return unicode_lower(text_of(flag, "key")).find(wanted) != std::string::npos ||
         unicode_lower(text_of(flag, "name")).find(wanted) != std::string::npos;
}

FeedWriter::FeedWriter(const Catalog& catalog, Cohorts cohorts)
    : catalog_(catalog),
      cohorts_(cohorts),
      place_(catalog.flags.size(), kNone),
      met_in_(catalog.flags.size(), 0),
      bytes_left_(catalog.document_bytes) {
  const Value* list = catalog.document.find("cohorts");
  for (const Cohort& cohort : catalog.cohorts) {
    cohort_by_id_.emplace(cohort.id, KnownCohort{.cohort = &cohort});
  }
  for (size_t i = 0; list != nullptr && i < list->items.size(); ++i) {
    if (is_true(list->items[i], "deleted")) continue;
    const std::optional<int64_t> id =
        cohort_id_of(Value::of(std::string_view(cohort_id(*list, i))));
    const auto known = id ? cohort_by_id_.find(*id) : cohort_by_id_.end();
    if (known == cohort_by_id_.end() || known->second.definition != nullptr) continue;
    known->second.definition = &list->items[i];
  }
  for (size_t i = 0; i < catalog.flags.size(); ++i) {
    flag_by_name_.emplace(catalog.flags[i].key, static_cast<int>(i));
  }
  const Value* flags = catalog.document.find("flags");
  for (size_t i = 0; flags != nullptr && i < flags->items.size(); ++i) {
    const Value* id = flags->items[i].find("id");
    if (id != nullptr && id->kind == Value::Kind::kInteger) {
      flag_by_name_.emplace(id->text, static_cast<int>(i));
    }
  }
  for (size_t i = 0; i < catalog.order.size(); ++i) {
    place_[static_cast<size_t>(catalog.order[i])] = static_cast<int>(i);
  }
}

bool FeedWriter::spend(size_t bytes) {
  if (bytes > bytes_left_) return false;
  bytes_left_ -= bytes;
  return true;
}

std::string FeedWriter::write(FlagCalledEvents events) {
  JsonWriter json;
  json.open_object().key("flags").open_array();
  const Value* flags = catalog_.document.find("flags");
  for (size_t i = 0; i < catalog_.flags.size(); ++i) {
    const Flag& flag = catalog_.flags[i];
    const Value& definition = flags->items[i];
    if (flag.deleted || is_true(definition, "is_remote_configuration")) continue;
    json.value(flag.dialect == Dialect::kSeed ? seed_entry(flag) : posthog_entry(flag, definition));
  }
  json.close_array();
  write_group_types(json);
  write_cohorts(json);
  if (catalog_.matching_version != 1) {
    json.key("property_matching_version").integer(catalog_.matching_version);
  }
  if (events == FlagCalledEvents::kMinimal) json.key("minimal_flag_called_events").boolean(true);
  return json.close_object().take();
}

FlagListPage FeedWriter::write_list(const FlagListQuery& query) {
  const Value* flags = catalog_.document.find("flags");
  JsonWriter results;
  results.open_array();
  FlagListPage page;
  for (size_t i = 0; i < catalog_.flags.size(); ++i) {
    const Flag& flag = catalog_.flags[i];
    if (flag.deleted || flag.key.empty()) continue;
    Value entry = flag.dialect == Dialect::kSeed ? seed_entry(flag) : flags->items[i];
    if (flag.dialect == Dialect::kSeed) {
      entry.set("ensure_experience_continuity", Value::of(false));
    }
    set_default(entry, "id", Value::of(flag.id.value_or(0)));
    set_default(entry, "name", Value::of(std::string_view()));
    set_default(entry, "active", Value::of(true));
    set_default(entry, "deleted", Value::of(false));
    set_default(entry, "ensure_experience_continuity", Value::of(false));
    // Read by clients of 2022, which ask the server for what is not simple.
    set_default(entry, "is_simple_flag", Value::of(false));
    set_default(entry, "rollout_percentage", Value::null());
    if (!is_asked_for(entry, query)) continue;
    const int64_t place = page.count++;
    if (place >= query.offset && place - query.offset < query.limit) results.value(entry);
  }
  page.results = results.close_array().take();
  return page;
}

Value FeedWriter::posthog_entry(const Flag& flag, const Value& definition) {
  Value entry = definition;
  set_default(entry, "id", Value::of(int64_t{0}));
  set_default(entry, "name", Value::of(std::string_view()));
  set_default(entry, "active", Value::of(true));
  set_default(entry, "deleted", Value::of(false));
  set_default(entry, "version", Value::null());
  entry.set("ensure_experience_continuity", Value::of(flag.continuity || !flag.agrees));
  Value filters = *definition.find("filters");
  if (const Value* groups = filters.find("groups"); groups != nullptr && groups->is_array()) {
    filters.set("groups", conditions(*groups));
  }
  entry.set("filters", std::move(filters));
  return entry;
}

// SDKs cannot compute the dialect's buckets, so they get the payloads and ask for the value; a flag
// that is on for everyone needs no bucket.
Value FeedWriter::seed_entry(const Flag& flag) const {
  const bool everyone = flag.agrees;
  Value entry = Value::object();
  entry.set("id", Value::of(flag.id.value_or(0)));
  entry.set("key", Value::of(std::string_view(flag.key)));
  entry.set("name", Value::of(std::string_view(flag.description ? *flag.description : "")));
  entry.set("active", Value::of(flag.active));
  entry.set("deleted", Value::of(false));
  entry.set("version", flag.version ? Value::of(*flag.version) : Value::null());
  entry.set("ensure_experience_continuity", Value::of(!everyone));
  Value filters = Value::object();
  Value groups = Value::array();
  if (everyone) {
    Value group = Value::object();
    group.set("properties", Value::array());
    group.set("rollout_percentage", Value::of(int64_t{100}));
    groups.items.push_back(std::move(group));
  }
  filters.set("groups", std::move(groups));
  Value payloads = Value::object();
  const auto payload_text = [&](int index) {
    return Value::of(std::string_view(to_json(flag.payloads[static_cast<size_t>(index)])));
  };
  if (flag.seed->payload != kNone) payloads.set("true", payload_text(flag.seed->payload));
  for (const auto& [name, index] : flag.seed->variant_payloads) {
    payloads.set(name, payload_text(index));
  }
  filters.set("payloads", std::move(payloads));
  filters.set("multivariate", Value::null());
  entry.set("filters", std::move(filters));
  return entry;
}

Value FeedWriter::conditions(const Value& groups) {
  Value out = Value::array();
  for (const Value& group : groups.items) {
    const Value* list = group.find("properties");
    if (list == nullptr || !list->is_array()) {
      out.items.push_back(group);
      continue;
    }
    if (cohorts_ == Cohorts::kExpandInline) {
      if (std::optional<std::vector<Value>> expanded = expand_cohort(group)) {
        for (Value& condition : *expanded) {
          condition.set("properties", properties(*condition.find("properties")));
          out.items.push_back(std::move(condition));
        }
        continue;
      }
    }
    Value condition = group;
    condition.set("properties", properties(*list));
    out.items.push_back(std::move(condition));
  }
  return out;
}

Value FeedWriter::properties(const Value& list) {
  Value out = Value::array();
  for (const Value& filter : list.items) {
    out.items.push_back(text_of(filter, "type") == "flag" ? dependency(filter) : filter);
  }
  return out;
}

FeedWriter::KnownCohort* FeedWriter::known_cohort(const Value& value) {
  const std::optional<int64_t> id = cohort_id_of(value);
  const auto known = id ? cohort_by_id_.find(*id) : cohort_by_id_.end();
  return known == cohort_by_id_.end() ? nullptr : &known->second;
}

// The ways into a cohort of plain leaves: one for each leaf or group of an OR, one for an AND.
std::optional<Ways> ways_into(const Value& group) {
  Ways ways;
  const auto add_group = [&](const Value& inner) {
    const Value* values = inner.find("values");
    if (values == nullptr || !values->is_array()) return false;
    if (!std::all_of(values->items.begin(), values->items.end(), is_plain_leaf)) return false;
    if (text_of(inner, "type") == "OR") {
      for (const Value& leaf : values->items) ways.push_back({&leaf});
      return true;
    }
    ways.emplace_back();
    for (const Value& leaf : values->items) ways.back().push_back(&leaf);
    return true;
  };
  const Value& values = *group.find("values");
  const bool nested = !values.items.empty() && values.items[0].find("values") != nullptr;
  if (!nested) {
    if (!add_group(group)) return std::nullopt;
    return ways;
  }
  if (text_of(group, "type") != "OR" && values.items.size() > 1) return std::nullopt;
  for (const Value& inner : values.items) {
    if (!add_group(inner)) return std::nullopt;
  }
  return ways;
}

// The cohort of a filter, where it is there and comes to plain filters.
const FeedWriter::KnownCohort* FeedWriter::plain_cohort(const Value& filter) {
  const Value* id = filter.find("value");
  KnownCohort* known = id == nullptr ? nullptr : known_cohort(*id);
  if (known == nullptr || known->definition == nullptr) return nullptr;
  if (!known->is_looked_at) {
    known->is_looked_at = true;
    const Value* group = group_of_cohort(*known->definition);
    if (group != nullptr && is_decided_by_rules(*known->cohort)) known->ways = ways_into(*group);
    if (known->ways) known->bytes = bytes_of(*group);
  }
  return known->ways ? known : nullptr;
}

// A condition with one `in` filter on a cohort of plain leaves becomes a condition for each way to
// be in that cohort; rollout and variant hang on the flag's hash, so the union answers the same.
// Where that would be too long the filter stays, and SDKs, which know no such cohort, ask.
std::optional<std::vector<Value>> FeedWriter::expand_cohort(const Value& condition) {
  const Value& list = *condition.find("properties");
  const Value* cohort_filter = nullptr;
  for (const Value& filter : list.items) {
    if (text_of(filter, "type") != "cohort") continue;
    if (cohort_filter != nullptr) return std::nullopt;
    cohort_filter = &filter;
  }
  if (cohort_filter == nullptr || text_of(*cohort_filter, "operator") == "not_in") {
    return std::nullopt;
  }
  const KnownCohort* cohort = plain_cohort(*cohort_filter);
  if (cohort == nullptr || cohort->bytes > bytes_left_) return std::nullopt;
  if (!spend(cohort->ways->size() * bytes_of(condition) + cohort->bytes)) return std::nullopt;
  std::vector<Value> expanded;
  for (const std::vector<const Value*>& way : *cohort->ways) {
    Value filters = Value::array();
    for (const Value& filter : list.items) {
      if (&filter != cohort_filter) {
        filters.items.push_back(filter);
        continue;
      }
      for (const Value* leaf : way) filters.items.push_back(*leaf);
    }
    Value one = condition;
    one.set("properties", std::move(filters));
    expanded.push_back(std::move(one));
  }
  return expanded;
}

// The feed names the target by key and lists all that must be evaluated before it, target last.
Value FeedWriter::dependency(const Value& filter) {
  Value out = filter;
  Value chain = Value::array();
  const Value* key = filter.find("key");
  const auto found = key == nullptr ? flag_by_name_.end() : flag_by_name_.find(key->text);
  if (found != flag_by_name_.end()) {
    const Flag& flag = catalog_.flags[static_cast<size_t>(found->second)];
    out.set("key", Value::of(std::string_view(flag.key)));
    // An empty chain tells SDKs that this cannot be decided locally.
    if (!flag.cyclic && !flag.missing_dependency) {
      for (const int index : chain_to(found->second)) {
        const std::string& name = catalog_.flags[static_cast<size_t>(index)].key;
        chain.items.push_back(Value::of(std::string_view(name)));
      }
    }
  }
  out.set("dependency_chain", std::move(chain));
  return out;
}

// Dependencies first; empty where the chain is too long to be written.
std::vector<int> FeedWriter::chain_to(int target) {
  std::vector<int> chain;
  std::vector<int> open = {target};
  size_t bytes = 0;
  ++chains_;
  while (!open.empty()) {
    const auto index = static_cast<size_t>(open.back());
    open.pop_back();
    if (met_in_[index] == chains_) continue;
    met_in_[index] = chains_;
    const Flag& flag = catalog_.flags[index];
    if (chain.size() == limits::kDependencyChainMax) return {};
    if (flag.dependencies.size() > limits::kDependencyChainMax) return {};
    chain.push_back(static_cast<int>(index));
    bytes += flag.key.size() + 3;
    open.insert(open.end(), flag.dependencies.begin(), flag.dependencies.end());
  }
  if (!spend(bytes)) return {};
  std::sort(chain.begin(), chain.end(), [this](int left, int right) {
    return place_[static_cast<size_t>(left)] < place_[static_cast<size_t>(right)];
  });
  return chain;
}

void FeedWriter::write_group_types(JsonWriter& json) const {
  json.key("group_type_mapping").open_object();
  for (size_t i = 0; i < catalog_.group_types.size(); ++i) {
    if (catalog_.group_types[i].empty()) continue;
    json.key(fmt::format("{}", i)).text(catalog_.group_types[i]);
  }
  json.close_object();
}

// Static and behavioural cohorts are left out, which makes SDKs ask the server.
void FeedWriter::write_cohorts(JsonWriter& json) {
  json.key("cohorts").open_object();
  const Value* cohorts = catalog_.document.find("cohorts");
  if (cohorts_ == Cohorts::kSend && cohorts != nullptr) {
    for (size_t i = 0; i < cohorts->items.size(); ++i) {
      const std::string id = cohort_id(*cohorts, i);
      const KnownCohort* known = known_cohort(Value::of(std::string_view(id)));
      if (known == nullptr || known->definition != &cohorts->items[i]) continue;
      const Value* group = group_of_cohort(cohorts->items[i]);
      if (group == nullptr || !is_decided_by_rules(*known->cohort)) continue;
      json.key(id).value(*group);
    }
  }
  json.close_object();
}

std::string_view unquoted(std::string_view tag) {
  while (!tag.empty() && (tag.front() == ' ' || tag.front() == '\t')) tag.remove_prefix(1);
  while (!tag.empty() && (tag.back() == ' ' || tag.back() == '\t')) tag.remove_suffix(1);
  if (tag.substr(0, 2) == "W/" || tag.substr(0, 2) == "w/") tag.remove_prefix(2);
  const bool quoted = tag.size() >= 2 && tag.front() == '"' && tag.back() == '"';
  return quoted ? tag.substr(1, tag.size() - 2) : tag;
}

}  // namespace

std::string FeedWriter::write_cohorts_for_questions() {
  JsonWriter json;
  json.open_object();
  const Value* cohorts = catalog_.document.find("cohorts");
  for (size_t i = 0; cohorts != nullptr && i < cohorts->items.size(); ++i) {
    const Value& definition = cohorts->items[i];
    const std::string id = cohort_id(*cohorts, i);
    const KnownCohort* cohort = known_cohort(Value::of(std::string_view(id)));
    if (cohort == nullptr || cohort->definition != &definition) continue;
    const Cohort* known = cohort->cohort;
    if (known->is_query) continue;
    const bool is_list = known->is_static || known->is_stored;
    const Value* who = is_list ? definition.find("members") : group_of_cohort(definition);
    if (who == nullptr) continue;
    // A list that is too long for a question, or stands in another form, is not known rather than
    // empty.
    const bool is_left_out =
        is_list &&
        (!who->is_array() || (who->items.empty() && known->members && known->members->size() > 0));
    if (is_left_out) continue;
    json.key(id).open_object().key("name").text(
        text_of(definition, "name").empty() ? std::string_view(id) : text_of(definition, "name"));
    json.key(is_list ? std::string_view("members") : std::string_view("properties")).value(*who);
    json.close_object();
  }
  return json.close_object().take();
}

std::string write_cohorts_for_questions(const Definitions& definitions) {
  return FeedWriter(definitions.catalog(), Cohorts::kSend).write_cohorts_for_questions();
}

std::string write_definitions(const Definitions& definitions, Cohorts cohorts,
                              FlagCalledEvents events) {
  return FeedWriter(definitions.catalog(), cohorts).write(events);
}

FlagListPage write_flag_list(const Definitions& definitions, const FlagListQuery& query) {
  return FeedWriter(definitions.catalog(), Cohorts::kSend).write_list(query);
}

std::string write_flag_list_answer(const FlagListPage& page, const std::optional<std::string>& next,
                                   const std::optional<std::string>& previous) {
  JsonWriter json;
  json.open_object().key("count").integer(page.count);
  json.key("next");
  next ? json.text(*next) : json.null();
  json.key("previous");
  previous ? json.text(*previous) : json.null();
  return json.key("results").raw(page.results).close_object().take();
}

std::string etag_of(std::string_view body) { return fmt::format("W/\"{}\"", sha1_hex(body)); }

bool etag_matches(std::string_view if_none_match, std::string_view etag) {
  const std::string_view wanted = unquoted(etag);
  for (;;) {
    const size_t comma = if_none_match.find(',');
    const std::string_view candidate = unquoted(if_none_match.substr(0, comma));
    if (candidate == wanted || candidate == "*") return true;
    if (comma == std::string_view::npos) return false;
    if_none_match.remove_prefix(comma + 1);
  }
}

std::optional<std::string> write_remote_config_payload(const Definitions& definitions,
                                                       std::string_view key) {
  const Catalog& catalog = definitions.catalog();
  const int index = catalog.find_flag(key);
  if (index == kNone) return std::nullopt;
  const Flag& flag = catalog.flags[static_cast<size_t>(index)];
  if (flag.deleted) return std::nullopt;
  const int payload = flag.seed ? flag.seed->payload : flag.true_payload;
  if (payload == kNone) return std::string();
  const Value& value = flag.payloads[static_cast<size_t>(payload)];
  if (value.is_null()) return std::string();
  // Clients read a JSON text that holds the payload's JSON, as PostHog stores it.
  if (value.is_string() && !flag.seed) return to_json(value);
  return to_json(Value::of(std::string_view(to_json(value))));
}

}  // namespace hogflare::flags
