// Which property names the row writer treats in a way of their own.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "hogflare/enrich.h"

namespace hogflare::rows {

enum class Role : uint8_t {
  kPlain,
  kEnriched,  // index: into kEnrichedNames
  kSet,       // $set, $set_once: PersonView has the final form
  kUnset,
  kProcessPersonProfile,
  kGroup,  // $group_N, index N
  kGeoipDisable,
  kCaptureInternal,
  kBloat,   // never stored (I-11.1)
  kOs,      // $os
  kOsName,  // $os_name: another name of $os
  kIsServer,
  kSessionId,
  kElements,              // $elements
  kElementsChain,         // $elements_chain
  kExceptionList,         // $exception_list
  kExceptionFingerprint,  // $exception_fingerprint
};

struct KnownProperty {
  static constexpr uint8_t kNone = 255;
  Role role = Role::kPlain;
  uint8_t index = 0;
  uint8_t column = kNone;  // a Column that the value is lifted to
};

// The role of a (decoded) property name. Constant time: one entry of a table is looked at.
const KnownProperty& known_property(std::string_view name);

// A session id (JSON text) as rows hold it: a UUID in small letters, as PostHog's
// normalizeSessionId makes it, so that events and recordings of one session meet. In `scratch` when
// it differs.
std::string_view session_id_of(std::string_view raw, std::string& scratch);

}  // namespace hogflare::rows
