// The objects of class PERSONS and PERSON_ID_COUNTER. Calls and replies: person_calls.h; how merges
// survive crashes: docs/adr/0002-merge-protocol.md.
//
//   std::unique_ptr<Task> task = make_person_call(std::move(request));
//   task->start(turn, effects);          // turn.storage is the object's
//
// An object holds nothing outside its storage except the tasks in flight, which a crash may end
// between any two turns.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hogflare/limits.h"
#include "hogflare/task.h"

namespace hogflare {

class SinkHealth;

// Steps of the merge protocol that a test build leaves out to see the simulator notice.
struct ProtocolFaults {
  bool skip_intent = false;             // ask for the surrender without storing the intent first
  bool skip_intent_help = false;        // let calls pass a merge that is under way
  bool skip_alarm = false;              // nothing finishes what a crash left
  bool surrender_while_locked = false;  // give the record away with a merge of one's own under way
  bool drop_record_on_surrender = false;   // keep no tombstone
  bool forget_surrender_sequence = false;  // answer a repeated surrender with "moved"
  bool fold_twice = false;  // fold whatever comes, whether or not the intent is still there
  bool acknowledge_before_fold = false;
  bool skip_cancel_note = false;    // say "cancelled" without remembering it
  bool forget_next_target = false;  // ask the next owner without storing whom
  bool redirect_backwards = false;  // repoint without comparing
  bool skip_report = false;         // do not note a merge for the persons stream
  bool skip_paged_ids = false;      // tell the distinct_ids stream only of ids inside the record
};

// How much of a person goes where; the simulator draws small ones, so that every path is taken by
// people with a handful of ids.
struct PersonBounds {
  size_t inline_ids_bytes = limits::kPersonInlineIdsBytesMax;
  size_t id_page_bytes = limits::kPersonIdPageBytesMax;
  size_t ids = limits::kPersonIdsMax;
  size_t ids_bytes = limits::kPersonIdsBytesMax;
  size_t surrender_bytes = limits::kSurrenderBytesMax;
  size_t inline_op_bytes = limits::kIntentInlineBytesMax;
  size_t acknowledge_at_once = limits::kAcknowledgeAtOnce;
  size_t acknowledges_per_alarm = limits::kAcknowledgesPerAlarm;
  size_t id_rows_bytes = limits::kDistinctIdRowsBytes;
};

std::unique_ptr<Task> make_person_call(std::string request);
// `sink_health` is the isolate's and outlives the task; null: nothing is known of the sinks.
std::unique_ptr<Task> make_person_alarm(SinkHealth* sink_health = nullptr);
// The same with faults and bounds, for the simulator.
std::unique_ptr<Task> make_person_call(std::string request, const ProtocolFaults& faults,
                                       const PersonBounds& bounds = {});
std::unique_ptr<Task> make_person_alarm(const ProtocolFaults& faults,
                                        const PersonBounds& bounds = {},
                                        SinkHealth* sink_health = nullptr);

// Object PERSON_ID_COUNTER, "{team}:counter": hands out ranges of sequential ids.
std::unique_ptr<Task> make_counter_call(std::string request);
std::string counter_object_name(int64_t team_id);
std::string write_lease(uint64_t count);
// The first id of the range; 0 when the bytes are no reply.
uint64_t read_lease_reply(std::string_view bytes);

// What an object's storage holds, for tests and the simulator.
struct StoredPerson {
  enum class State : uint8_t { kEmpty, kOwner, kRedirect } state = State::kEmpty;
  std::string redirect_to;
  bool has_intent = false;
  bool has_tombstone = false;
  bool has_unacknowledged = false;
  bool has_unreported = false;
  std::string uuid;
  int64_t created_at_ms = 0;
  uint64_t id = 0;
  uint64_t version = 0;
  bool is_identified = false;
  std::string properties;
  std::vector<std::pair<std::string, uint64_t>> distinct_ids;  // with their override versions
};
StoredPerson read_stored_person(Storage& storage);

}  // namespace hogflare
