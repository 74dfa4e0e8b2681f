// Steps that the bodies of capture and of flags have in common.
#pragma once

#include <string>
#include <string_view>

namespace hogflare::wire {

inline constexpr std::string_view kFormType = "application/x-www-form-urlencoded";

// A content type without its parameters.
std::string_view media_type(std::string_view content_type);

// A '+' that nobody percent-encoded arrives as a space; base64 has no spaces. Other text stays.
void restore_pluses(std::string& text);

// The same where somebody says that the text is base64: its padding may be missing.
void restore_hinted_pluses(std::string& text);

// Removes white space around `text`.
void trim_in_place(std::string& text);

// Removes UTF-8's.
void drop_byte_order_mark(std::string& text);

}  // namespace hogflare::wire
