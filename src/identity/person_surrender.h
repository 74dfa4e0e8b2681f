// How an object gives its person away: what the survivor of a merge asks, what it is told, and the
// asked object's side (docs/adr/0002-merge-protocol.md). Each function is one turn.
//
//   effects.add(CallObject{…, write_surrender(request)});
//   std::optional<SurrenderReply> reply = read_surrender_reply(result.body);
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "identity/person_record.h"

namespace hogflare {

// Of these messages. Version 1 knows neither room nor parts: it is understood, and spoken to an
// object that did not understand this one, for a rollout runs old and new code side by side.
inline constexpr uint8_t kSurrenderVersion = 2;

struct SurrenderRequest {
  std::string_view self;      // the object asked
  std::string_view survivor;  // who asks
  uint64_t sequence = 0;      // of the survivor's merges
  bool unless_identified = false;
  // How many ids, and bytes of them, the survivor may still take.
  uint64_t room_ids = UINT64_MAX;
  uint64_t room_bytes = UINT64_MAX;
  uint64_t first_page = 0;  // above 0: the pages of ids from here on and nothing else
};

enum class SurrenderStatus : uint8_t {
  kGiven = 0,
  kMoved = 1,      // ask moved_to
  kRefused = 2,    // identified, and the kind of merge does not allow that
  kBusy = 3,       // a merge of its own is under way; ask again
  kCancelled = 4,  // the same, and this merge will never be granted: begin another
  kTooMany = 5,    // more ids than the survivor may take
};

struct SurrenderReply {
  SurrenderStatus status = SurrenderStatus::kBusy;
  std::string moved_to;
  bool personless = false;
  bool has_person = false;
  Person person;  // only with the first page; id_pages says how many there are
  uint64_t first_page = 0;
  std::vector<std::string> pages;  // as many as fit, each as write_ids made it
};

std::string write_surrender(const SurrenderRequest& request, uint8_t version);
// Views point into `bytes`. `version` becomes the one to answer in.
std::optional<SurrenderRequest> read_surrender(std::string_view bytes, uint8_t& version);
std::string write_surrender_reply(const SurrenderReply& reply, uint8_t version);
std::optional<SurrenderReply> read_surrender_reply(std::string_view bytes);

SurrenderReply surrender(Storage& storage, const SurrenderRequest& request, uint8_t version,
                         const ProtocolFaults& faults, const PersonBounds& bounds,
                         std::optional<StoredFault>& fault);

// The survivor holds the person now: the tombstone goes.
void acknowledge(Storage& storage, const PersonBounds& bounds, std::optional<StoredFault>& fault);
std::string write_acknowledge();

// Lets a redirect that led to `expected` lead to `to`.
void repoint(Storage& storage, std::string_view expected, std::string_view to,
             const ProtocolFaults& faults, const PersonBounds& bounds,
             std::optional<StoredFault>& fault);

}  // namespace hogflare
