// The JSON index against nlohmann/json's acceptor: the same texts are JSON for both, except where
// the index is stricter by intent (nesting) or more lenient by intent (lone surrogates in the
// replacing mode). What is accepted holds valid JSON in every value it names.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "hogflare/json.h"
#include "hogflare/result.h"

namespace {

using hogflare::ErrorCode;
using hogflare::json::Document;
using hogflare::json::Value;

void visit(const Value& value, int depth) {
  HF_ASSERT(Document::parse_const(value.raw(), 0).ok());
  if (value.is_string()) HF_ASSERT(hogflare::json::is_utf8(value.text()));
  if (depth == 0) return;
  for (const hogflare::json::Member member : value.members()) {
    HF_ASSERT(member.raw_key().front() == '"' && member.raw_key().back() == '"');
    HF_ASSERT(value.find(member.key()).exists());
    visit(member.value, depth - 1);
  }
  for (const Value element : value.elements()) visit(element, depth - 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto strict = Document::parse_const(text, 3);
  const bool too_large = !strict.ok() && strict.error().code == ErrorCode::kTooLarge;
  // nlohmann skips a byte order mark and takes a NUL for the end of input.
  const bool comparable = text.substr(0, 1) != "\xEF" && text.find('\0') == std::string_view::npos;
  if (!too_large && comparable) HF_ASSERT(strict.ok() == nlohmann::json::accept(text));

  std::string mutable_text(text);
  const auto lenient = Document::parse({mutable_text.data(), mutable_text.size()}, 3);
  if (strict.ok()) HF_ASSERT(lenient.ok() && mutable_text == text);
  if (!lenient.ok()) return 0;
  HF_ASSERT(Document::parse_const(mutable_text, 3).ok());
  if (size < 4096) visit(lenient.value().root(), 3);
  return 0;
}
