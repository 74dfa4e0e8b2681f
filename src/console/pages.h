// The pages that the core writes itself: what this host is, and how to set the console's tokens.
// Neither has a script, and both forbid everything but their own style.
#pragma once

#include <string>
#include <string_view>

#include "hogflare/task.h"

namespace hogflare::console {

// Headers of every page of the console, with their content policy (docs/CONSOLE.md).
std::vector<Header> page_headers(std::string_view policy);

// Of the application's document; and of the replay's, whose recorded pages bring their own styles.
extern const std::string_view kApplicationPolicy;
extern const std::string_view kReplayPolicy;

// How to set a token, and nothing else.
Reply no_token_page();
// A sentence about why the application is not there.
Reply message_page(uint16_t status, std::string_view title, std::string_view sentence);

struct FrontPage {
  std::string host;         // "https://hogflare.example.workers.dev", with the path prefix
  bool takes_any_token;     // no project is configured, so a snippet works as it is
  std::string_view status;  // "ok", "degraded" or "error", as /healthz says
  std::string_view version;
};
// What `/` shows a browser.
Reply front_page(const FrontPage& front);

// `text` for an HTML text or a quoted attribute.
std::string escape_html(std::string_view text);

}  // namespace hogflare::console
