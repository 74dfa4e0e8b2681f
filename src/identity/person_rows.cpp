// Rows of the persons stream, schemas/persons.json.
#include <string>

#include "hogflare/json.h"
#include "hogflare/memory_limits.h"
#include "hogflare/people_run.h"
#include "hogflare/timestamp.h"
#include "hogflare/uuid.h"
#include "rows/columns.h"

namespace hogflare {
namespace {

std::string_view name_of(ChangeKind kind) {
  switch (kind) {
    case ChangeKind::kCreate:
      return "create";
    case ChangeKind::kUpdate:
      return "update";
    case ChangeKind::kMerge:
      return "merge";
    case ChangeKind::kDelete:
      return "delete";
  }
  return "update";
}

void append_text(std::string& out, std::string_view name, std::string_view value) {
  out += ",\"";
  out += name;
  out += "\":";
  json::append_string(out, value);
}

void append_raw(std::string& out, std::string_view name, std::string_view raw) {
  out += ",\"";
  out += name;
  out += "\":";
  out += raw;
}

void append_time(std::string& out, std::string_view name, int64_t at_ms) {
  out += ",\"";
  out += name;
  out += "\":\"";
  append_rfc3339(out, at_ms);
  out += '"';
}

void append_custom(std::string& out, std::string_view properties) {
  const Result<json::Document> document = json::Document::parse_const(properties, 1);
  if (!document.ok()) return;
  const json::Value all = document.value().root();
  rows::CustomProperties custom;
  std::string scratch;
  for (const json::Member member : all.members()) {
    if (rows::is_persons_own(member.name(scratch))) custom.add(member);
  }
  if (custom.empty()) return;
  out += ",\"custom_properties\":";
  custom.append(out, all, rows::is_persons_own);
}

// Ids from `first` on, as many as fit; moves `first` behind them.
std::string ids_text(const std::vector<std::string>& ids, size_t& first) {
  std::string text = "[";
  while (first < ids.size() && (text.size() == 1 || text.size() < limits::kPersonRowIdsBytesMax)) {
    if (text.size() > 1) text += ',';
    json::append_string(text, ids[first++]);
  }
  return text + "]";
}

// The same change gives the same uuid however often it is reported.
std::string row_uuid(const PersonChange& change, size_t part) {
  const std::optional<Uuid> person = Uuid::try_parse(change.uuid);
  HF_ASSERT(person.has_value());
  return Uuid::version_5(*person, std::to_string(change.version) + ":" + change.event_uuid + ":" +
                                      std::string(name_of(change.kind)) + ":" +
                                      std::to_string(part))
      .text();
}

}  // namespace

void append_person_rows(RowBatch& rows, const PersonChange& change, const Project& project,
                        std::string_view api_key, int64_t now_ms, size_t part) {
  size_t first = 0;
  do {
    const std::string ids = ids_text(change.distinct_ids, first);
    std::string& out = rows.buffer();
    out += "{\"uuid\":\"" + row_uuid(change, part++) + "\"";
    append_raw(out, "team_id", std::to_string(project.team_id));
    append_text(out, "person_id", change.uuid);
    if (change.id != 0) append_raw(out, "id", std::to_string(change.id));
    append_text(out, "distinct_id", change.distinct_id);
    append_raw(out, "distinct_ids", ids);
    append_raw(out, "properties", change.properties);
    append_raw(out, "is_identified", change.is_identified ? "true" : "false");
    append_raw(out, "is_deleted", change.kind == ChangeKind::kDelete ? "true" : "false");
    append_raw(out, "version", std::to_string(change.version));
    append_text(out, "operation", name_of(change.kind));
    if (!change.merged_into.empty()) append_text(out, "merged_into", change.merged_into);
    append_text(out, "source_event_uuid", change.event_uuid);
    append_time(out, "created_at", change.created_at_ms);
    append_time(out, "timestamp", now_ms);
    // An alarm knows no token.
    if (!api_key.empty()) append_text(out, "api_key", api_key);
    append_custom(out, change.properties);
    out += '}';
    const Result<Ok> fits = rows.end_row();
    HF_ASSERT(fits.ok());
  } while (first < change.distinct_ids.size());
}

}  // namespace hogflare
