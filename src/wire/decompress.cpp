#include "hogflare/decompress.h"

#include <zlib.h>

#include <algorithm>

namespace hogflare {
namespace {

// zlib's window-bits argument says which wrapper to expect.
constexpr int kGzipWrapper = 16 + MAX_WBITS;
constexpr int kZlibWrapper = MAX_WBITS;
constexpr int kRaw = -MAX_WBITS;
// JSON of events shrinks about tenfold; the first guess avoids most regrowth.
constexpr size_t kGuessedRatio = 8;
constexpr size_t kStepBytesMin = 4096;

Error broken(const char* why) {
  std::string detail = "compressed data is broken: ";
  detail += why == nullptr ? "unreadable" : why;
  return {ErrorCode::kDecodeFailed, std::move(detail)};
}

Error too_large(size_t output_bytes_max) {
  return {ErrorCode::kTooLarge,
          "decompressed body is over " + std::to_string(output_bytes_max) + " bytes"};
}

class Inflater {
 public:
  explicit Inflater(std::string_view bytes) {
    // zlib does not write to its input, but declares it so.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (open_) inflateEnd(&stream_);
  }

  bool open(int window_bits) {
    open_ = inflateInit2(&stream_, window_bits) == Z_OK;
    return open_;
  }

  Result<std::string> run(size_t output_bytes_max) {
    std::string out;
    const size_t guess = stream_.avail_in * kGuessedRatio + kStepBytesMin;
    out.resize(std::min(guess, output_bytes_max));
    size_t size = 0;
    for (;;) {
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + size);
      stream_.avail_out = static_cast<uInt>(out.size() - size);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      size = out.size() - stream_.avail_out;
      if (status == Z_STREAM_END) {
        if (!at_next_member()) break;
        inflateReset(&stream_);
        continue;
      }
      if (status != Z_OK && status != Z_BUF_ERROR) return broken(stream_.msg);
      if (stream_.avail_out > 0) return broken("it ends too early");
      if (out.size() == output_bytes_max) return too_large(output_bytes_max);
      // Without reserve() the library would double the room that was asked for, beyond the maximum.
      const size_t next = std::min(out.size() * 2, output_bytes_max);
      out.reserve(next);
      out.resize(next);
    }
    out.resize(size);
    return out;
  }

 private:
  // Gzip files may be concatenated; other bytes behind the end are ignored, as PostHog does.
  bool at_next_member() const {
    return is_gzip({reinterpret_cast<const char*>(stream_.next_in), stream_.avail_in});
  }

  z_stream stream_ = {};
  bool open_ = false;
};

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 3) == "\x1f\x8b\x08"; }

Result<std::string> decompress(Encoding encoding, std::string_view bytes, size_t output_bytes_max) {
  HF_ASSERT(encoding == Encoding::kGzip || encoding == Encoding::kDeflate);
  HF_ASSERT(output_bytes_max > 0);
  int window_bits = kGzipWrapper;
  if (encoding == Encoding::kDeflate) {
    window_bits = !bytes.empty() && bytes.front() == 0x78 ? kZlibWrapper : kRaw;
  }
  Inflater inflater(bytes);
  if (!inflater.open(window_bits)) return Error{ErrorCode::kInternal, "zlib cannot start"};
  return inflater.run(output_bytes_max);
}

}  // namespace hogflare
