// The tools of the Model Context Protocol: what each takes, and which request of this Worker's own
// it is.
//
//   Result of make_call(): a request for /api/projects/… or /app/api/…, made with the caller's
//   rights.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <variant>

namespace hogflare::mcp {

using Json = nlohmann::ordered_json;

// A request of this Worker's own.
struct Call {
  std::string_view method = "GET";
  std::string path;
  std::string query;
  std::string body;
  std::string if_match;
};

// Why a tool cannot be called so.
struct WrongArguments {
  bool is_unknown_tool = false;
  std::string sentence;
};

// The tools' definitions for tools/list. `may_write`: what writes is among them.
Json list_tools(bool may_write);

// The request that a tool called with `arguments` (an object) is. `team_id`: the project, already
// looked up; the arguments' own "team_id" has been.
std::variant<Call, WrongArguments> make_call(std::string_view tool, const Json& arguments,
                                             int64_t team_id);

// Why a value does not fit a schema of the few words that tools' use: type, enum, properties,
// required, items, minimum, maximum, maxLength, maxItems; empty: it does. `path` names the value.
std::string refuse_value(const Json& schema, const Json& value, const std::string& path);

}  // namespace hogflare::mcp
