#include "identity/person_record_v1.h"

#include <cstdio>

#include "hogflare/json.h"
#include "hogflare/uuid.h"

namespace hogflare {
namespace {

enum RecordFlag : uint8_t { kPersonless = 1, kHasPerson = 2, kHasIntent = 4 };

std::string page_key(uint32_t page) {
  char key[24];
  std::snprintf(key, sizeof key, "ids:%08u", page);
  return key;
}

bool read_intent(ByteReader& in, Intent& intent) {
  intent.sequence = in.number();
  intent.self = in.text();
  intent.target = in.text();
  const uint8_t flags = in.u8();
  intent.into_existed = (flags & 1) != 0;
  intent.exact = (flags & 2) != 0;
  intent.since_ms = in.signed_number();
  intent.team_id = in.signed_number();
  intent.op = in.text();
  PersonOp op;
  ByteReader op_bytes(intent.op);
  return read_op(op_bytes, op) && op_bytes.done() && has_good_texts(op);
}

bool read_record(ByteReader& in, PersonRecord& record, RecordV1Lists& lists) {
  const uint8_t state = in.u8();
  if (state > static_cast<uint8_t>(RecordState::kRedirect)) return false;
  record.state = static_cast<RecordState>(state);
  const uint8_t flags = in.u8();
  record.personless = (flags & kPersonless) != 0;
  record.has_person = (flags & kHasPerson) != 0;
  record.redirect_to = in.text();
  record.given_sequence = in.number();
  if (record.has_person) {
    // Without a checksum, everything that others rely on is looked at here.
    if (!read_person(in, record.person) || !is_sound(record.person)) return false;
    lists.unreported.swap(record.person.unreported);
  }
  record.sequence = in.number();
  if ((flags & kHasIntent) != 0 && !read_intent(in, record.intent.emplace())) return false;
  const size_t applied = in.count();
  for (size_t i = 0; i < applied; ++i) record.applied.push_back(in.number());
  const size_t unacknowledged = in.count();
  for (size_t i = 0; i < unacknowledged; ++i) lists.unacknowledged.emplace_back(in.text());
  const size_t cancelled = in.count();
  for (size_t i = 0; i < cancelled; ++i) {
    CancelNote note;
    note.survivor = in.text();
    note.sequence = in.number();
    record.cancelled.push_back(std::move(note));
  }
  return in.done();
}

}  // namespace

PersonRecord read_record_v1(Storage& storage, std::string_view value, RecordV1Lists& lists,
                            std::optional<StoredFault>& fault) {
  PersonRecord record;
  ByteReader in(value);
  in.u8();
  if (!read_record(in, record, lists)) {
    fault = unreadable("person", value);
    return {};
  }
  for (uint32_t page = 0; page < record.person.id_pages; ++page) {
    const std::string key = page_key(page);
    std::string bytes;
    std::vector<PersonId> ids;
    const bool found = storage.get(key, bytes);
    ByteReader page_in(bytes);
    if (!found || !read_ids(page_in, ids) || !page_in.done()) {
      // Pages of this version have no version byte of their own: they have the record's.
      fault = found ? StoredFault{key, 1, kPersonStoredVersion} : missing(key);
      return {};
    }
    lists.pages.push_back(std::move(ids));
  }
  record.person.id_pages = 0;
  return record;
}

void erase_pages_v1(Storage& storage, size_t pages) {
  for (size_t page = 0; page < pages; ++page) storage.erase(page_key(static_cast<uint32_t>(page)));
}

}  // namespace hogflare
