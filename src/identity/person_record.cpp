#include "identity/person_record.h"

#include <algorithm>
#include <cstdio>

#include "hogflare/limits.h"

namespace hogflare {
namespace {

constexpr std::string_view kRecordKey = "person";
constexpr uint8_t kVersion = 1;

enum RecordFlag : uint8_t { kPersonless = 1, kHasPerson = 2, kHasIntent = 4 };

std::string page_key(uint32_t page) {
  char key[24];
  std::snprintf(key, sizeof key, "ids:%08u", page);
  return key;
}

void write_intent(ByteWriter& out, const Intent& intent) {
  out.number(intent.sequence);
  out.text(intent.self);
  out.text(intent.target);
  out.u8(static_cast<uint8_t>((intent.into_existed ? 1 : 0) | (intent.exact ? 2 : 0)));
  out.signed_number(intent.since_ms);
  out.signed_number(intent.team_id);
  out.text(intent.op);
}

Intent read_intent(ByteReader& in) {
  Intent intent;
  intent.sequence = in.number();
  intent.self = in.text();
  intent.target = in.text();
  const uint8_t flags = in.u8();
  intent.into_existed = (flags & 1) != 0;
  intent.exact = (flags & 2) != 0;
  intent.since_ms = in.signed_number();
  intent.team_id = in.signed_number();
  intent.op = in.text();
  return intent;
}

std::string write_record(const PersonRecord& record) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(record.state));
  out.u8(static_cast<uint8_t>((record.personless ? kPersonless : 0) |
                              (record.has_person ? kHasPerson : 0) |
                              (record.intent.has_value() ? kHasIntent : 0)));
  out.text(record.redirect_to);
  out.number(record.given_sequence);
  if (record.has_person) write_person(out, record.person);
  out.number(record.sequence);
  if (record.intent.has_value()) write_intent(out, *record.intent);
  out.number(record.applied.size());
  for (const uint64_t merge : record.applied) out.number(merge);
  out.number(record.unacknowledged.size());
  for (const std::string& object : record.unacknowledged) out.text(object);
  out.number(record.cancelled.size());
  for (const CancelNote& note : record.cancelled) {
    out.text(note.survivor);
    out.number(note.sequence);
  }
  return out.take();
}

bool read_record(ByteReader& in, PersonRecord& record) {
  const uint8_t state = in.u8();
  if (state > static_cast<uint8_t>(RecordState::kRedirect)) return false;
  record.state = static_cast<RecordState>(state);
  const uint8_t flags = in.u8();
  record.personless = (flags & kPersonless) != 0;
  record.has_person = (flags & kHasPerson) != 0;
  record.redirect_to = in.text();
  record.given_sequence = in.number();
  if (record.has_person) {
    if (!read_person(in, record.person)) return false;
    // The text within is checked when it is taken apart.
    const std::string& properties = record.person.properties;
    if (properties.size() < 2 || properties.front() != '{' || properties.back() != '}') return false;
  }
  record.sequence = in.number();
  if ((flags & kHasIntent) != 0) {
    record.intent = read_intent(in);
    PersonOp op;
    ByteReader op_bytes(record.intent->op);
    if (!read_op(op_bytes, op) || !op_bytes.done()) return false;
  }
  const size_t applied = in.count();
  for (size_t i = 0; i < applied; ++i) record.applied.push_back(in.number());
  const size_t unacknowledged = in.count();
  for (size_t i = 0; i < unacknowledged; ++i) record.unacknowledged.emplace_back(in.text());
  const size_t cancelled = in.count();
  for (size_t i = 0; i < cancelled; ++i) {
    CancelNote note;
    note.survivor = in.text();
    note.sequence = in.number();
    record.cancelled.push_back(std::move(note));
  }
  return in.done();
}

size_t ids_bytes(const std::vector<PersonId>& ids) {
  size_t bytes = 0;
  for (const PersonId& id : ids) bytes += id.distinct_id.size() + 4;
  return bytes;
}

}  // namespace

bool PersonRecord::was_applied(uint64_t merge) const {
  return std::find(applied.begin(), applied.end(), merge) != applied.end();
}

void PersonRecord::note_applied(uint64_t merge) {
  applied.push_back(merge);
  if (applied.size() > limits::kAppliedMergesMax) applied.erase(applied.begin());
}

PersonRecord load_record(Storage& storage, std::optional<StoredFault>& fault) {
  PersonRecord record;
  std::string bytes;
  if (!storage.get(kRecordKey, bytes)) return record;
  ByteReader in(bytes);
  // A record of another version was written by newer code; this one must not guess.
  const uint8_t version = in.u8();
  if (version != kVersion || !read_record(in, record)) {
    fault = StoredFault{std::string(kRecordKey), version, kVersion};
    return {};
  }
  return record;
}

void store_record(Storage& storage, PersonRecord& record) {
  if (record.has_person && ids_bytes(record.person.ids) > limits::kPersonInlineIdsBytesMax) {
    append_id_page(storage, record.person, record.person.ids);
    record.person.ids.clear();
  }
  storage.put(kRecordKey, write_record(record));
}

std::vector<std::string> load_id_pages(Storage& storage, const Person& person,
                                       std::optional<StoredFault>& fault) {
  std::vector<std::string> pages;
  for (uint32_t page = 0; page < person.id_pages; ++page) {
    std::string bytes;
    const bool found = storage.get(page_key(page), bytes);
    if (!found || !is_id_page(bytes)) {
      // Pages have the version of the record that counts them.
      fault = StoredFault{page_key(page), found ? kVersion : -1, kVersion};
      return {};
    }
    pages.push_back(std::move(bytes));
  }
  return pages;
}

StoredFault properties_fault() { return {std::string(kRecordKey), kVersion, kVersion}; }

bool is_id_page(std::string_view bytes) {
  ByteReader in(bytes);
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) {
    in.text();
    in.number();
  }
  return in.done();
}

void append_id_page(Storage& storage, Person& person, const std::vector<PersonId>& ids) {
  ByteWriter out;
  write_ids(out, ids);
  storage.put(page_key(person.id_pages), out.bytes());
  ++person.id_pages;
}

void erase_id_pages(Storage& storage, const Person& person) {
  for (uint32_t page = 0; page < person.id_pages; ++page) storage.erase(page_key(page));
}

bool has_distinct_id(Storage& storage, const Person& person, std::string_view distinct_id,
                     std::optional<StoredFault>& fault) {
  const auto is_it = [&](const PersonId& id) { return id.distinct_id == distinct_id; };
  if (std::any_of(person.ids.begin(), person.ids.end(), is_it)) return true;
  for (const std::string& page : load_id_pages(storage, person, fault)) {
    ByteReader in(page);
    const size_t count = in.count();
    for (size_t i = 0; i < count; ++i) {
      if (in.text() == distinct_id) return true;
      in.number();
    }
  }
  return false;
}

}  // namespace hogflare
