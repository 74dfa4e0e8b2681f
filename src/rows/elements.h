// `$elements`, the list of clicked elements that posthog-js sent before 2024, as the one text that
// newer versions send as `$elements_chain`.
//
//   std::optional<std::string> chain =
//   elements_chain("[{\"tag_name\":\"a\",\"$el_text\":\"Buy\"}]");
//   // a:nth-child="0"nth-of-type="0"text="Buy"
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hogflare::rows {

// `list_raw` is a JSON array. The chain's text (not JSON); nullopt when the list is empty, holds
// something that is no element, or is over limits::kElementsBytesMax: it stays as it came then.
// Source: PostHog nodejs/src/common/utils/elements-chain.ts, extractElements and elementsToString.
std::optional<std::string> elements_chain(std::string_view list_raw);

}  // namespace hogflare::rows
