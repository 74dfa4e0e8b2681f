#include "identity/person_describe.h"

#include "hogflare/json.h"
#include "identity/person_ids.h"
#include "identity/person_record.h"
#include "wire/members.h"

namespace hogflare {
namespace {

// Ids an answer lists: a page shows no more at once.
constexpr size_t kIdsMax = 1'000;

void append_flag(std::string& out, std::string_view name, bool flag) {
  append_name(out, name);
  out += flag ? "true" : "false";
}

void append_ids(std::string& out, const std::vector<PersonId>& ids, size_t& listed) {
  for (const PersonId& id : ids) {
    if (listed++ >= kIdsMax) return;
    if (out.back() != '[') out += ',';
    out += '{';
    append_text(out, "distinct_id", id.distinct_id);
    append_number(out, "version", id.version);
    out += '}';
  }
}

// The oldest ids stand on pages, the newest in the record.
void append_all_ids(std::string& out, Storage& storage, const Person& person,
                    std::optional<StoredFault>& fault) {
  append_name(out, "distinct_ids");
  out += '[';
  size_t listed = 0;
  for (uint32_t page = 0; page < person.id_pages && listed < kIdsMax; ++page) {
    const std::string body = load_id_page(storage, page, fault);
    if (fault.has_value()) return;
    ByteReader in(body);
    std::vector<PersonId> ids;
    if (read_ids(in, ids)) append_ids(out, ids, listed);
  }
  append_ids(out, person.ids, listed);
  out += ']';
  append_number(out, "distinct_ids_count", count_of_ids(person));
}

void append_changes(std::string& out, const Person& person) {
  append_name(out, "changes");
  out += '[';
  RecentChanges::Reader recent(person.recent);
  while (recent.next()) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_text(out, "event_uuid", recent.change().event_uuid);
    if (!recent.change().merged_uuid.empty()) {
      append_text(out, "merged_uuid", recent.change().merged_uuid);
    }
    out += '}';
  }
  out += ']';
}

}  // namespace

std::string describe_person(Storage& storage, const PersonBounds& bounds,
                            std::optional<StoredFault>& fault) {
  const PersonRecord record = load_record(storage, bounds, fault);
  if (fault.has_value()) return {};
  const bool is_redirect = record.state == RecordState::kRedirect;
  const bool is_person = record.has_person && !is_redirect;
  std::string out = "{";
  append_text(out, "state", is_redirect ? "redirect" : is_person ? "person" : "empty");
  append_flag(out, "personless", record.personless);
  if (is_redirect) append_text(out, "redirect_to", record.redirect_to);
  if (record.intent.has_value()) {
    append_name(out, "merge_under_way");
    out += '{';
    append_text(out, "with", record.intent->target);
    append_time(out, "since", record.intent->since_ms);
    out += '}';
  }
  if (!is_person) return out + "}";
  const Person& person = record.person;
  append_text(out, "uuid", person.uuid);
  append_number(out, "id", person.id);
  append_number(out, "version", person.version);
  append_flag(out, "is_identified", person.is_identified);
  append_time(out, "created_at", person.created_at_ms);
  append_name(out, "properties");
  out += person.properties.empty() ? "{}" : person.properties;
  append_all_ids(out, storage, person, fault);
  append_changes(out, person);
  return out + "}";
}

}  // namespace hogflare
