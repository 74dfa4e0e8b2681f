// People as docs/rules/identity.md describes them, one event after another: slow, obvious, and
// written from the text alone. The simulator holds the real core against it.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace hogflare::sim {

using Properties = std::map<std::string, std::string>;  // name → raw JSON

struct ModelEvent {
  std::string name;
  std::string distinct_id;
  std::string other;  // $anon_distinct_id or alias; empty: none
  int64_t timestamp_ms = 0;
  Properties properties;  // those that are lifted (I-5.2)
  Properties set;
  Properties set_once;
  std::vector<std::string> unset;
  bool personless = false;  // $process_person_profile: false
};

struct ModelPerson {
  std::string uuid_of;  // the distinct id its uuid is made from
  int64_t created_at_ms = 0;
  bool is_identified = false;
  Properties properties;
  std::map<std::string, bool> ids;  // → has an override
};

class Model {
 public:
  // exact: HOGFLARE_PERSONLESS=exact. Else personless events are unknown here, and a first
  // $identify takes the other id's uuid (docs/COMPATIBILITY-identity.md).
  explicit Model(bool exact) : exact_(exact) {}

  void apply(const ModelEvent& event);
  const std::vector<ModelPerson>& people() const { return people_; }
  // The distinct id whose uuid an event's row shows now.
  std::string uuid_of(const std::string& distinct_id) const;
  // Equal for equal states.
  std::string text() const;

 private:
  ModelPerson* find(const std::string& distinct_id);
  void create(const ModelEvent& event, const std::string& uuid_of, bool identified);
  void update(ModelPerson& person, const ModelEvent& event, bool identifies);
  void merge(const ModelEvent& event);
  void merge_people(ModelPerson& into, ModelPerson& other, const ModelEvent& event);

  bool exact_;
  std::vector<ModelPerson> people_;
  std::set<std::string> personless_;
};

std::string text_of(std::vector<ModelPerson> people);

}  // namespace hogflare::sim
