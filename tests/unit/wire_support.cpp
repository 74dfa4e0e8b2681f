#include "wire_support.h"

#include <fstream>
#include <sstream>

#include "tests/deflated.h"

namespace hogflare::test {

std::string deflate_text(std::string_view text, Wrapper wrapper) {
  const int window_bits = wrapper == Wrapper::kGzip   ? kGzipBits
                          : wrapper == Wrapper::kZlib ? kZlibBits
                                                      : kRawBits;
  return deflated(text, window_bits, 6);
}

std::string encode_base64(std::string_view bytes) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t k = 0; k < 3; ++k) {
      bits = bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0);
    }
    for (size_t k = 0; k < 4; ++k) {
      out += i + k > bytes.size() ? '=' : kAlphabet[bits >> (18 - 6 * k) & 63];
    }
  }
  return out;
}

std::string encode_url(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (plain) {
      out += c;
      continue;
    }
    out += '%';
    out += kHex[static_cast<unsigned char>(c) >> 4];
    out += kHex[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

std::string read_data_file(std::string_view path) {
  std::ifstream file(std::string(HOGFLARE_TEST_DATA_DIR) + "/" + std::string(path),
                     std::ios::binary);
  HF_ASSERT(file.good());
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

}  // namespace hogflare::test
