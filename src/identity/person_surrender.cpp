#include "identity/person_surrender.h"

#include <algorithm>
#include <utility>

#include "hogflare/limits.h"
#include "hogflare/person_calls.h"
#include "identity/person_ids.h"
#include "identity/person_notes.h"

namespace hogflare {
namespace {

constexpr uint8_t kFirstVersion = 1;
constexpr uint8_t kCallVersion = 1;  // of an acknowledgement

bool is_cancelled(const PersonRecord& record, const SurrenderRequest& request) {
  return std::any_of(record.cancelled.begin(), record.cancelled.end(), [&](const CancelNote& note) {
    return note.survivor == request.survivor && note.sequence >= request.sequence;
  });
}

void note_cancelled(PersonRecord& record, const SurrenderRequest& request) {
  const auto same = [&](const CancelNote& note) { return note.survivor == request.survivor; };
  record.cancelled.erase(std::remove_if(record.cancelled.begin(), record.cancelled.end(), same),
                         record.cancelled.end());
  record.cancelled.push_back({std::string(request.survivor), request.sequence});
  if (record.cancelled.size() > limits::kCancelNotesMax)
    record.cancelled.erase(record.cancelled.begin());
}

void give_pages(Storage& storage, const PersonRecord& record, uint64_t first, uint8_t version,
                SurrenderReply& reply, std::optional<StoredFault>& fault) {
  size_t bytes = 0;
  for (uint64_t page = first; page < record.person.id_pages && !fault.has_value(); ++page) {
    // The first version has no parts.
    if (bytes >= record.bounds.surrender_bytes && version != kFirstVersion) break;
    reply.pages.push_back(load_id_page(storage, static_cast<uint32_t>(page), fault));
    bytes += reply.pages.back().size();
  }
}

SurrenderReply given(Storage& storage, const PersonRecord& record, const SurrenderRequest& request,
                     uint8_t version, std::optional<StoredFault>& fault) {
  SurrenderReply reply;
  reply.status = SurrenderStatus::kGiven;
  reply.personless = record.personless;
  reply.has_person = record.has_person;
  reply.first_page = request.first_page;
  if (!record.has_person) return reply;
  give_pages(storage, record, request.first_page, version, reply, fault);
  if (request.first_page > 0) return reply;
  reply.person = record.person;
  reply.person.unreported = load_reports(storage, record, fault);
  return reply;
}

SurrenderReply surrender_redirect(Storage& storage, const PersonRecord& record,
                                  const SurrenderRequest& request, uint8_t version,
                                  const ProtocolFaults& faults, std::optional<StoredFault>& fault) {
  const bool is_repeated =
      record.redirect_to == request.survivor && record.given_sequence == request.sequence;
  if (is_repeated && !faults.forget_surrender_sequence) {
    return given(storage, record, request, version, fault);
  }
  SurrenderReply reply;
  reply.status = SurrenderStatus::kMoved;
  reply.moved_to = record.redirect_to;
  return reply;
}

// A merge of one's own is under way. Waiting follows one direction of the names, so that no circle
// of merges waits for itself; the other direction gives way and begins again.
SurrenderReply surrender_locked(Storage& storage, PersonRecord& record,
                                const SurrenderRequest& request, const ProtocolFaults& faults,
                                std::optional<StoredFault>& fault) {
  SurrenderReply reply;
  reply.status = SurrenderStatus::kBusy;
  if (request.survivor < request.self) return reply;
  reply.status = SurrenderStatus::kCancelled;
  if (faults.skip_cancel_note) return reply;
  note_cancelled(record, request);
  store_record(storage, record, fault);
  return reply;
}

bool is_too_much(const PersonRecord& record, const SurrenderRequest& request) {
  const uint64_t ids = record.has_person ? count_of_ids(record.person) : 1;
  const uint64_t bytes = record.has_person ? bytes_of_ids(record.person) : request.self.size();
  return ids > request.room_ids || bytes > request.room_bytes;
}

SurrenderReply with_status(SurrenderStatus status) {
  SurrenderReply reply;
  reply.status = status;
  return reply;
}

}  // namespace

std::string write_surrender(const SurrenderRequest& request, uint8_t version) {
  ByteWriter out;
  out.u8(version);
  out.u8(static_cast<uint8_t>(PersonCall::kSurrender));
  out.text(request.self);
  out.text(request.survivor);
  out.number(request.sequence);
  out.u8(request.unless_identified ? 1 : 0);
  if (version == kFirstVersion) return out.take();
  out.number(request.room_ids);
  out.number(request.room_bytes);
  out.number(request.first_page);
  return out.take();
}

std::optional<SurrenderRequest> read_surrender(std::string_view bytes, uint8_t& version) {
  ByteReader in(bytes);
  version = in.u8();
  in.u8();
  if (version != kFirstVersion && version != kSurrenderVersion) return std::nullopt;
  SurrenderRequest request;
  request.self = in.text();
  request.survivor = in.text();
  request.sequence = in.number();
  request.unless_identified = in.u8() != 0;
  if (version == kSurrenderVersion) {
    request.room_ids = in.number();
    request.room_bytes = in.number();
    request.first_page = in.number();
  }
  if (!in.done()) return std::nullopt;
  return request;
}

std::string write_surrender_reply(const SurrenderReply& reply, uint8_t version) {
  ByteWriter out;
  out.u8(version);
  out.u8(static_cast<uint8_t>(reply.status));
  out.text(reply.moved_to);
  out.u8(static_cast<uint8_t>((reply.personless ? 1 : 0) | (reply.has_person ? 2 : 0)));
  if (version != kFirstVersion) out.number(reply.first_page);
  if (reply.has_person && reply.first_page == 0) write_person(out, reply.person);
  out.number(reply.pages.size());
  for (const std::string& page : reply.pages) out.text(page);
  return out.take();
}

std::optional<SurrenderReply> read_surrender_reply(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  if (version != kFirstVersion && version != kSurrenderVersion) return std::nullopt;
  SurrenderReply reply;
  const uint8_t status = in.u8();
  if (status > static_cast<uint8_t>(SurrenderStatus::kTooMany)) return std::nullopt;
  reply.status = static_cast<SurrenderStatus>(status);
  reply.moved_to = in.text();
  const uint8_t flags = in.u8();
  reply.personless = (flags & 1) != 0;
  reply.has_person = (flags & 2) != 0;
  if (version != kFirstVersion) reply.first_page = in.number();
  if (reply.has_person && reply.first_page == 0) {
    if (!read_person(in, reply.person) || !is_sound(reply.person)) return std::nullopt;
  }
  const size_t pages = in.count();
  for (size_t i = 0; i < pages; ++i) {
    reply.pages.emplace_back(in.text());
    if (!is_id_page(reply.pages.back())) return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  return reply;
}

SurrenderReply surrender(Storage& storage, const SurrenderRequest& request, uint8_t version,
                         const ProtocolFaults& faults, const PersonBounds& bounds,
                         std::optional<StoredFault>& fault) {
  PersonRecord record = load_record(storage, bounds, fault);
  if (fault.has_value()) return {};
  if (record.state == RecordState::kRedirect) {
    return surrender_redirect(storage, record, request, version, faults, fault);
  }
  if (is_cancelled(record, request)) return with_status(SurrenderStatus::kCancelled);
  if (record.intent.has_value() && !faults.surrender_while_locked) {
    return surrender_locked(storage, record, request, faults, fault);
  }
  if (record.has_person && record.person.is_identified && request.unless_identified) {
    return with_status(SurrenderStatus::kRefused);
  }
  if (is_too_much(record, request)) {
    // For good: the same question in the first version, which says nothing of room, may come later.
    note_cancelled(record, request);
    store_record(storage, record, fault);
    return with_status(SurrenderStatus::kTooMany);
  }
  SurrenderReply reply = given(storage, record, request, version, fault);
  if (fault.has_value()) return {};
  record.state = RecordState::kRedirect;
  record.redirect_to = request.survivor;
  record.given_sequence = request.sequence;
  record.cancelled.clear();
  record.intent.reset();
  if (faults.drop_record_on_surrender) record.has_person = false;
  store_record(storage, record, fault);
  return reply;
}

std::string write_acknowledge() {
  ByteWriter out;
  out.u8(kCallVersion);
  out.u8(static_cast<uint8_t>(PersonCall::kAcknowledge));
  return out.take();
}

void acknowledge(Storage& storage, const PersonBounds& bounds, std::optional<StoredFault>& fault) {
  PersonRecord record = load_record(storage, bounds, fault);
  if (fault.has_value()) return;
  if (record.state != RecordState::kRedirect || !record.has_person) return;
  erase_id_pages(storage, record.person);
  const bool owed_report = record.first_report < record.next_report;
  if (owed_report && load_tries(storage) > 0) store_tries(storage, 0);
  erase_reports(storage, record, record.next_report);
  forget_moved_ids(storage);
  record.has_person = false;
  record.person = {};
  store_record(storage, record, fault);
}

void repoint(Storage& storage, std::string_view expected, std::string_view to,
             const ProtocolFaults& faults, const PersonBounds& bounds,
             std::optional<StoredFault>& fault) {
  PersonRecord record = load_record(storage, bounds, fault);
  if (fault.has_value()) return;
  if (record.state != RecordState::kRedirect) return;
  if (record.redirect_to != expected && !faults.redirect_backwards) return;
  // The survivor that took this tombstone may still ask for it again under its own name.
  if (record.has_person) return;
  record.redirect_to = to;
  store_record(storage, record, fault);
}

}  // namespace hogflare
