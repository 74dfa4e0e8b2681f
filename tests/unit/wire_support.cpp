#include "wire_support.h"

#include <zlib.h>

#include <fstream>
#include <sstream>

namespace hogflare::test {

std::string deflate_text(std::string_view text, Wrapper wrapper) {
  z_stream stream = {};
  const int window_bits = wrapper == Wrapper::kGzip   ? MAX_WBITS + 16
                          : wrapper == Wrapper::kZlib ? MAX_WBITS
                                                      : -MAX_WBITS;
  deflateInit2(&stream, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  HF_ASSERT(status == Z_STREAM_END);
  return out;
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
