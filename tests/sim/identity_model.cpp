#include "identity_model.h"

#include <algorithm>

namespace hogflare::sim {
namespace {

bool is_merge(const std::string& name) {
  return name == "$identify" || name == "$create_alias" || name == "$merge_dangerously";
}

bool is_noisy(const std::string& name) { return name == "$current_url" || name == "$browser"; }

// I-5.2
Properties lifted_set(const ModelEvent& event) {
  Properties set = event.set;
  for (const auto& [name, value] : event.properties) set.emplace(name, value);
  return set;
}

Properties lifted_once(const ModelEvent& event) {
  Properties once = event.set_once;
  for (const auto& [name, value] : event.properties) {
    once.emplace("$initial_" + (name[0] == '$' ? name.substr(1) : name), value);
  }
  return once;
}

}  // namespace

ModelPerson* Model::find(const std::string& distinct_id) {
  for (ModelPerson& person : people_) {
    if (person.ids.count(distinct_id) > 0) return &person;
  }
  return nullptr;
}

std::string Model::uuid_of(const std::string& distinct_id) const {
  for (const ModelPerson& person : people_) {
    if (person.ids.count(distinct_id) > 0) return person.uuid_of;
  }
  return distinct_id;
}

void Model::apply(const ModelEvent& event) {
  // I-2, I-3
  if (event.personless && is_merge(event.name)) return;
  const bool nobody = find(event.distinct_id) == nullptr;
  if (event.personless || (event.name == "$feature_flag_called" && nobody)) {
    if (nobody && exact_) personless_.insert(event.distinct_id);
    return;
  }
  // I-6
  if (is_merge(event.name) && !event.other.empty() && event.other != event.distinct_id) {
    merge(event);
    return;
  }
  if (nobody) {
    create(event, event.distinct_id, false);
  } else {
    update(*find(event.distinct_id), event, false);
  }
}

// I-4
void Model::create(const ModelEvent& event, const std::string& uuid_of, bool identified) {
  ModelPerson person;
  person.uuid_of = uuid_of;
  person.created_at_ms = event.timestamp_ms;
  person.is_identified = identified;
  person.ids[event.distinct_id] = false;
  person.properties = lifted_once(event);
  for (const auto& [name, value] : lifted_set(event)) person.properties[name] = value;
  people_.push_back(std::move(person));
}

// I-5.1, I-5.3
void Model::update(ModelPerson& person, const ModelEvent& event, bool identifies) {
  bool persists = identifies && !person.is_identified;
  if (identifies) person.is_identified = true;
  if (event.name == "$exception") return;
  const Properties before = person.properties;
  const Properties set = lifted_set(event);
  Properties after = before;
  for (const auto& [name, value] : lifted_once(event)) {
    const auto old = before.find(name);
    const bool fills = old == before.end() || (old->second == "null" && value != "null");
    if (fills && set.count(name) == 0) after[name] = value;
  }
  for (const auto& [name, value] : set) after[name] = value;
  for (const std::string& name : event.unset) {
    if (before.count(name) > 0) after.erase(name);
  }
  for (const auto& [name, value] : before) {
    if (after.count(name) == 0) persists = true;
  }
  for (const auto& [name, value] : after) {
    const auto old = before.find(name);
    if (old == before.end()) {
      persists = true;
    } else if (old->second != value && !is_noisy(name)) {
      persists = true;
    }
  }
  if (is_merge(event.name) || event.name == "$set") persists = true;
  if (persists) person.properties = after;
}

// I-6.4 to I-6.7
void Model::merge(const ModelEvent& event) {
  ModelPerson* into = find(event.distinct_id);
  ModelPerson* other = find(event.other);
  if (into == nullptr && other == nullptr) {
    // I-6.8
    const bool other_personless = personless_.count(event.other) > 0;
    const bool into_personless = personless_.count(event.distinct_id) > 0;
    const bool swaps = exact_ ? other_personless && !into_personless : true;
    create(event, swaps ? event.other : event.distinct_id, true);
    people_.back().ids[event.other] = exact_ && other_personless && into_personless;
    if (!exact_) people_.back().ids[event.distinct_id] = true;
  } else if (into == nullptr || other == nullptr) {
    ModelPerson& person = into == nullptr ? *other : *into;
    const std::string& attached = into == nullptr ? event.distinct_id : event.other;
    person.ids[attached] = !exact_ || personless_.count(attached) > 0;
    update(person, event, true);
  } else if (into == other) {
    update(*into, event, true);
  } else if (event.name != "$merge_dangerously" && other->is_identified) {
    update(*into, event, true);  // I-7.2
  } else {
    merge_people(*into, *other, event);
  }
}

// I-6.10 to I-6.12
void Model::merge_people(ModelPerson& into, ModelPerson& other, const ModelEvent& event) {
  Properties properties = other.properties;
  for (const auto& [name, value] : into.properties) properties[name] = value;
  into.properties = properties;
  into.created_at_ms = std::min(into.created_at_ms, other.created_at_ms);
  into.is_identified = true;
  for (const auto& [id, overridden] : other.ids) into.ids[id] = true;
  update(into, event, true);
  people_.erase(std::find_if(people_.begin(), people_.end(),
                             [&](const ModelPerson& person) { return &person == &other; }));
}

std::string Model::text() const {
  std::string text = text_of(people_);
  for (const std::string& id : personless_) text += "p:" + id + ";";
  return text;
}

std::string text_of(std::vector<ModelPerson> people) {
  std::sort(people.begin(), people.end(),
            [](const ModelPerson& left, const ModelPerson& right) { return left.ids < right.ids; });
  std::string text;
  for (const ModelPerson& person : people) {
    text += "{uuid of " + person.uuid_of + ", created " + std::to_string(person.created_at_ms);
    text += person.is_identified ? ", identified, ids" : ", ids";
    for (const auto& [id, overridden] : person.ids) text += " " + id + (overridden ? "*" : "");
    text += ", properties";
    for (const auto& [name, value] : person.properties) text += " " + name + "=" + value;
    text += "}\n";
  }
  return text;
}

}  // namespace hogflare::sim
