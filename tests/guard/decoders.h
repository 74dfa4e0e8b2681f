// Bodies for every way that capture, flags and OFREP are decoded, as large a part of the way's
// limit as is asked for: scripts/guard counts the instructions for each of their bytes.
#pragma once

#include <string>
#include <vector>

namespace hogflare::guard {

struct DecoderCase {
  std::string path;
  std::string query;
  std::string content_type = "application/json";
  std::string content_encoding;
  bool is_v1 = false;
  std::string bearer;
  std::string body;
  size_t bytes = 0;  // that the instructions are for: of the text, where it is compressed
};

std::vector<std::string> decoder_names();
// `percent` of the way's limit. Names are those of decoder_names().
DecoderCase decoder_case(const std::string& name, size_t percent);

}  // namespace hogflare::guard
