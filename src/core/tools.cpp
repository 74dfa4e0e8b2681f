// Commands of the command-line tools: the first line names one, the rest is its arguments as JSON.
#include "http/state.h"
#include "hogflare/core.h"
#include "hogflare/flags_tools.h"

namespace hogflare {

std::string Core::tool(std::string_view request) {
  const size_t end = request.find('\n');
  const std::string_view command = request.substr(0, end);
  const std::string_view arguments =
      end == std::string_view::npos ? std::string_view() : request.substr(end + 1);
  if (command == "flags_check") return flags::tool_check(arguments, state_->zones);
  if (command == "flags_eval") return flags::tool_eval(arguments, state_->zones);
  if (command == "flags_answer") return flags::tool_answer(arguments, state_->zones);
  return R"({"ok":false,"error":"no such command; there are flags_check, flags_eval and flags_answer"})";
}

}  // namespace hogflare
