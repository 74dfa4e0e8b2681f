// What a client of the Model Context Protocol may read before it asks: the tables' columns, and
// questions that work as they stand.
#pragma once

#include <optional>
#include <string_view>

#include "http/mcp_tools.h"

namespace hogflare::mcp {

Json list_resources();
// {"contents": [{"uri", "mimeType", "text"}]}; nullopt: there is no such resource.
std::optional<Json> read_resource(std::string_view uri);

}  // namespace hogflare::mcp
