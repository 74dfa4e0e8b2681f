// The JSON shapes a request's events come in (W-2.4), and the rewriting of those that
// are not events yet.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "hogflare/json.h"
#include "hogflare/memory_share.h"
#include "hogflare/result.h"
#include "hogflare/wire.h"

namespace hogflare::capture {

struct Shape {
  json::Value wrapper;             // {api_key, batch, …}; does not exist for arrays and singles
  std::vector<json::Value> items;  // events in order
  bool is_single = false;
};

// kTooLarge when the array holds more than `events_max` events.
std::optional<Error> too_many_events(const json::Value& list, size_t events_max);
// kEventTooLarge: over limits::kEventBytesMax or kEventValuesMax.
std::optional<Error> check_size(const json::Value& event);

// kHydrateFailed when it is no shape of an event request, kEmptyBatch without events, kTooLarge
// with too many.
Result<Shape> find_shape(const json::Value& root, size_t events_max);

// The text inside {"data": "<text>"} with its compression undone, or nullopt when the root is not
// of that shape. The wrapper's token goes to `token`.
std::optional<Result<std::string>> unwrap_data_text(const json::Value& root, size_t bytes_max,
                                                    std::string& token, MemoryShare& memory);

// True when an item of /engage, /identify, /alias or /groups has no event name and must be
// rewritten.
bool needs_rewriting(Endpoint endpoint, const Shape& shape);

// The request's text with every such item turned into the event PostHog's SDKs send for it:
//   /identify {distinct_id, $anon_distinct_id?, properties}  → $identify, properties.$set
//   /alias    {distinct_id, alias}                           → $create_alias, properties.alias
//   /groups   {group_type, group_key, properties}            → $groupidentify, properties.$group_*
//   /engage   {$distinct_id, $set, $unset, …}                → $identify
// Other root members stay, so that they reach the row's extra column.
// kTooLarge when that is over limits::kDecompressedBytesMax; `memory` holds it.
Result<std::string> rewrite(Endpoint endpoint, const Shape& shape, MemoryShare& memory);

}  // namespace hogflare::capture
