#include "hogflare/decompress.h"

#include <zlib.h>

#include <algorithm>

namespace hogflare {
namespace {

// zlib's window-bits argument says which wrapper to expect.
constexpr int kGzipWrapper = 16 + MAX_WBITS;
constexpr int kZlibWrapper = MAX_WBITS;
constexpr int kRaw = -MAX_WBITS;
// Deflate unfolds one byte to at most this many (zlib's "Maximum Expansion Factor").
constexpr size_t kRatioMax = 1032;
// JSON of events shrinks about tenfold; where nothing announces the size, this guess mostly fits.
constexpr size_t kGuessedRatio = 12;
constexpr size_t kRoomMin = 4096;
// Room in which output is counted instead of kept.
constexpr size_t kCountingBytes = 64u << 10;

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
  enum class End { kStream, kNoRoom, kBroken };

  Inflater(std::string_view bytes, int window_bits) {
    // zlib does not write to its input, but declares it so.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    open_ = inflateInit2(&stream_, window_bits) == Z_OK;
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (open_) inflateEnd(&stream_);
  }

  // Writes the next output; kNoRoom means that all of the room is used and more may follow.
  End fill(char* out, size_t room) {
    if (!open_) return End::kBroken;
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = static_cast<uInt>(room);
    for (;;) {
      const int status = inflate(&stream_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        if (!at_next_member()) return End::kStream;
        inflateReset(&stream_);
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return End::kBroken;
      } else if (stream_.avail_out == 0) {
        return End::kNoRoom;
      } else {
        stream_.msg = const_cast<char*>("it ends too early");
        return End::kBroken;
      }
    }
  }
  // Bytes of the last fill's room that are not used.
  size_t room_left() const { return stream_.avail_out; }
  // What is wrong; static text.
  const char* message() const { return open_ ? stream_.msg : "zlib cannot start"; }

 private:
  // Gzip files may be concatenated; other bytes behind the end are ignored, as PostHog does.
  bool at_next_member() const {
    return is_gzip({reinterpret_cast<const char*>(stream_.next_in), stream_.avail_in});
  }

  z_stream stream_ = {};
  bool open_ = false;
};

// What a gzip file's last member says it holds (RFC 1952, ISIZE). A hint: other members may stand
// before it, garbage behind.
size_t announced_bytes(std::string_view bytes) {
  if (bytes.size() < 4) return 0;
  size_t size = 0;
  for (size_t i = 0; i < 4; ++i) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - 4 + i]);
    size |= static_cast<size_t>(byte) << (8 * i);
  }
  return size;
}

size_t expected_bytes(Encoding encoding, std::string_view bytes) {
  const size_t announced = encoding == Encoding::kGzip ? announced_bytes(bytes) : 0;
  if (announced > 0 && announced / kRatioMax <= bytes.size()) return announced;
  return bytes.size() * kGuessedRatio + kRoomMin;
}

// Bytes of the output, counted up to the first above `bytes_max`. Needs no memory for them.
size_t count_output(std::string_view bytes, int window_bits, size_t bytes_max) {
  std::string scratch(kCountingBytes, '\0');
  Inflater inflater(bytes, window_bits);
  size_t size = 0;
  Inflater::End end = Inflater::End::kNoRoom;
  while (end == Inflater::End::kNoRoom && size <= bytes_max) {
    end = inflater.fill(scratch.data(), scratch.size());
    size += scratch.size() - inflater.room_left();
  }
  return size;
}

}  // namespace

bool is_gzip(std::string_view bytes) { return bytes.substr(0, 3) == "\x1f\x8b\x08"; }

// The output is allocated once and in its size: growing it would need up to three times its memory,
// and the memory of a wasm instance never shrinks.
Result<std::string> decompress(Encoding encoding, std::string_view bytes, size_t output_bytes_max) {
  HF_ASSERT(encoding == Encoding::kGzip || encoding == Encoding::kDeflate);
  HF_ASSERT(output_bytes_max > 0);
  int window_bits = kGzipWrapper;
  if (encoding == Encoding::kDeflate) {
    window_bits = !bytes.empty() && bytes.front() == 0x78 ? kZlibWrapper : kRaw;
  }
  size_t expected = expected_bytes(encoding, bytes);
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (attempt > 0 || expected > output_bytes_max) {
      expected = count_output(bytes, window_bits, output_bytes_max);
      if (expected > output_bytes_max) return too_large(output_bytes_max);
    }
    // One byte more, so that the stream's end is seen when the size is right.
    std::string out(expected + 1, '\0');
    Inflater inflater(bytes, window_bits);
    const Inflater::End end = inflater.fill(out.data(), out.size());
    if (end == Inflater::End::kBroken) return broken(inflater.message());
    out.resize(out.size() - inflater.room_left());
    if (end == Inflater::End::kStream) return out;
  }
  HF_ASSERT(false);  // the counted size is the size
  return broken(nullptr);
}

}  // namespace hogflare
