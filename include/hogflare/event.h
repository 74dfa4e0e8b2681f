// One event between decoding and row: the contract of capture (which makes events), identity (which
// adds the person) and rows (which writes them).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/json.h"

namespace hogflare {

// What posthog-js sends as everybody's id in cookieless mode (packages/browser/src/constants.ts).
inline constexpr std::string_view kCookielessPlaceholder = "$posthog_cookieless";

inline bool is_cookieless_placeholder(std::string_view id) {
  return id.size() == kCookielessPlaceholder.size() && id == kCookielessPlaceholder;
}

// What cookieless mode has to do with an event (hogflare/cookieless.h).
enum class CookielessPart : uint8_t {
  kNone,         // nothing
  kAsked,        // $cookieless_mode is true: it wants its visitor's id
  kPlaceholder,  // it is the placeholder's, without $cookieless_mode
  kKept,         // it has its visitor's id, and neither address nor agent any more
  kRefused,      // it became a reject: nobody's person, no row
  kFailed,       // salt or state could not be had: it may be sent again
};

// Borrowed views point into the request's body and its documents, which live as long as the
// request.
struct Event {
  std::string uuid;          // 36 characters; the client's, else a new version 7
  std::string name;          // not empty, at most limits::kEventNameUnits
  std::string distinct_id;   // not empty, at most limits::kDistinctIdChars code points
  int64_t timestamp_ms = 0;  // by PostHog's rules (W-3)
  std::string_view token;    // of the project
  int64_t team_id = 1;

  json::Value root;          // the event object as it came
  json::Value properties;    // an object, or a value that does not exist
  json::Value set;           // top-level $set, or does not exist
  json::Value set_once;      // top-level $set_once, or does not exist
  bool historical = false;   // historical_migration of its batch
  bool is_internal = false;  // capture v1's capture_internal: the client's address is 127.0.0.1
  // Person processing is forced off, as by PostHog's header force_disable_person_processing: the
  // event is personless with the deterministic person uuid, without looking the person up.
  bool person_processing_off = false;
  // `timestamp` was given and could not be read: timestamp_ms is now, and a warning row says so.
  bool time_unread = false;
  CookielessPart cookieless = CookielessPart::kNone;

  // False: neither a row nor anybody's person may come of it.
  bool counts() const {
    return cookieless != CookielessPart::kRefused && cookieless != CookielessPart::kFailed;
  }
};

// What identity found out about one event; the row shows it. Views are those of
// PeopleRun::take_view.
struct PersonView {
  // The event is dropped (an identity event with person processing off): no row.
  bool dropped = false;
  // Replaces the event's $set / $set_once on the row (top level folded in, lifted properties
  // added). JSON objects; empty string: the row has none.
  std::string_view row_set;
  std::string_view row_set_once;
  // Removes $set, $set_once and $unset from the row, or stores $process_person_profile:false.
  bool personless = false;
  // Whether $process_person_profile stays (personless) or goes (full), per I-2.
  std::string_view person_id;                   // uuid text; never empty for a row
  std::optional<int64_t> person_created_at_ms;  // absent for a person that does not exist
  std::string_view person_properties = "{}";    // JSON object as of this event
  bool properties_left_out = false;             // there was no memory for them
  std::string_view mode;                        // "full", "propertyless", "force_upgrade"
  std::optional<bool> is_identified;            // nullopt: nobody was asked
  bool is_changed = false;                      // the event changed the person, or may have
};

// A PostHog ingestion warning (I-12); becomes a reject row of kind warning.
struct Warning {
  size_t event_index;
  std::string name;
  std::string detail;
  bool is_drop = false;  // the event has no row
};

}  // namespace hogflare
