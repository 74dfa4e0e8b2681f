// Which channel a visit came by, as SQL over its first texts.
//
// Rules and order: PostHog hogql/database/schema/channel_type.py, restated; the table of names is
// our own and shorter: docs/INSIGHTS.md "Channels".
#pragma once

#include <string>

#include "hogflare/insights.h"

namespace hogflare::insights {

// SQL expressions of texts that may be NULL.
struct ChannelTexts {
  std::string source;
  std::string medium;
  std::string campaign;
  std::string referring_domain;
  std::string gclid;
  std::string gad_source;
  std::string fbclid;
};

std::string channel_sql(const ChannelTexts& texts, Dialect dialect);

}  // namespace hogflare::insights
