// The entries of a person's object: calls that are over in one turn, and what the others begin
// with.
#include "hogflare/person_object.h"

#include <optional>
#include <utility>

#include "hogflare/person_calls.h"
#include "identity/person_describe.h"
#include "identity/person_ids.h"
#include "identity/person_merge.h"
#include "identity/person_notes.h"

namespace hogflare {
namespace {

constexpr uint8_t kVersion = 1;  // of acknowledgements and repoints

// Calls that are over in one turn.
class OneTurnTask final : public Task {
 public:
  OneTurnTask(std::string bytes, const ProtocolFaults& faults, const PersonBounds& bounds)
      : bytes_(std::move(bytes)), faults_(faults), bounds_(bounds) {}

  void start(const Turn& turn, Effects&) override {
    ByteReader in(bytes_);
    const uint8_t version = in.u8();
    const auto call = static_cast<PersonCall>(in.u8());
    std::optional<StoredFault> fault;
    Reply reply;
    reply.status = 400;
    if (call == PersonCall::kSurrender) {
      give(turn, reply, fault);
    } else if (version == kVersion && call == PersonCall::kAcknowledge && in.done()) {
      acknowledge(*turn.storage, bounds_, fault);
      reply.status = 200;
    } else if (version == kVersion && call == PersonCall::kDescribe && in.done()) {
      reply.body = describe_person(*turn.storage, bounds_, fault);
      reply.status = 200;
    } else if (version == kVersion && call == PersonCall::kRepoint) {
      in.text();
      const std::string_view expected = in.text();
      const std::string_view to = in.text();
      if (in.done() && to.size() <= limits::kIdBytesMax) {
        repoint(*turn.storage, expected, to, faults_, bounds_, fault);
        reply.status = 200;
      }
    }
    if (fault.has_value()) reply = refuse_stored(turn, kPersonClassName, *fault);
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  void give(const Turn& turn, Reply& reply, std::optional<StoredFault>& fault) {
    uint8_t version = 0;
    const std::optional<SurrenderRequest> request = read_surrender(bytes_, version);
    if (!request.has_value() || request->survivor.size() > limits::kIdBytesMax) return;
    reply.body = write_surrender_reply(
        surrender(*turn.storage, *request, version, faults_, bounds_, fault), version);
    reply.status = 200;
  }

  std::string bytes_;
  ProtocolFaults faults_;
  PersonBounds bounds_;
};

}  // namespace

std::unique_ptr<Task> make_person_call(std::string request) {
  return make_person_call(std::move(request), ProtocolFaults{});
}

std::unique_ptr<Task> make_person_call(std::string request, const ProtocolFaults& faults,
                                       const PersonBounds& bounds) {
  ByteReader in(request);
  in.u8();
  if (static_cast<PersonCall>(in.u8()) == PersonCall::kApply) {
    return make_apply_task(std::move(request), faults, bounds);
  }
  return std::make_unique<OneTurnTask>(std::move(request), faults, bounds);
}

std::unique_ptr<Task> make_person_alarm(SinkHealth* sink_health) {
  return make_person_alarm(ProtocolFaults{}, {}, sink_health);
}

std::unique_ptr<Task> make_person_alarm(const ProtocolFaults& faults, const PersonBounds& bounds,
                                        SinkHealth* sink_health) {
  return make_alarm_task(faults, bounds, sink_health);
}

StoredPerson read_stored_person(Storage& storage) {
  std::optional<StoredFault> fault;
  const PersonRecord record = load_record(storage, PersonBounds{}, fault);
  StoredPerson stored;
  stored.state = static_cast<StoredPerson::State>(record.state);
  stored.redirect_to = record.redirect_to;
  stored.has_intent = record.intent.has_value();
  stored.has_tombstone = record.state == RecordState::kRedirect && record.has_person;
  stored.has_unacknowledged = has_dismissals(storage);
  stored.has_unreported = record.first_report < record.next_report;
  const Person& person = record.person;
  stored.uuid = person.uuid;
  stored.created_at_ms = person.created_at_ms;
  stored.id = person.id;
  stored.version = person.version;
  stored.is_identified = person.is_identified;
  stored.properties = person.properties;
  for (uint32_t page = 0; page < person.id_pages; ++page) {
    const std::string body = load_id_page(storage, page, fault);
    std::vector<PersonId> ids;
    ByteReader in(body);
    read_ids(in, ids);
    for (const PersonId& id : ids) stored.distinct_ids.emplace_back(id.distinct_id, id.version);
  }
  for (const PersonId& id : person.ids)
    stored.distinct_ids.emplace_back(id.distinct_id, id.version);
  return stored;
}

}  // namespace hogflare
