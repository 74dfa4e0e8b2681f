// The host module's functions: what the core may ask for synchronously. The list is
// src/wasm/imports.txt; js-shim/core.js implements it. Gzip and deflate are unfolded in the core.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/decompress.h"
#include "hogflare/task.h"
#include "hogflare/zones.h"

#define HF_IMPORT(name) __attribute__((import_module("host"), import_name(#name)))

extern "C" {
// Storage of the object whose turn it is. Lengths in bytes; a result the core has not yet room for
// is kept by the host until `take`.
HF_IMPORT(storage_get) int32_t host_storage_get(const char* key, uint32_t key_size);
HF_IMPORT(take) void host_take(char* destination);
HF_IMPORT(storage_put)
void host_storage_put(const char* key, uint32_t key_size, const char* value, uint32_t value_size);
HF_IMPORT(storage_delete) void host_storage_delete(const char* key, uint32_t key_size);
// Keys joined by NUL, each ended by one; kept for `take`. Returns their size.
HF_IMPORT(storage_list)
int32_t host_storage_list(const char* prefix, uint32_t prefix_size, const char* after,
                          uint32_t after_size, uint32_t count_max);
HF_IMPORT(storage_set_alarm) void host_storage_set_alarm(double at_ms);
HF_IMPORT(storage_alarm) double host_storage_alarm();
// format: 3 brotli, 4 zstd. Returns the size of the kept result, -1
// when the input is broken, -2 when the output would exceed `size_max`.
HF_IMPORT(decompress)
int32_t host_decompress(uint32_t format, const char* input, uint32_t input_size, uint32_t size_max);
// Seconds east of UTC in the zone of that IANA name at an instant in seconds since 1970; kNoZone
// where no zone has the name.
HF_IMPORT(zone_offset)
int32_t host_zone_offset(const char* name, uint32_t name_size, double utc_seconds);
}

namespace hogflare {

class HostStorage final : public Storage {
 public:
  bool get(std::string_view key, std::string& value) override {
    const int32_t size = host_storage_get(key.data(), static_cast<uint32_t>(key.size()));
    if (size < 0) return false;
    value.resize(static_cast<size_t>(size));
    host_take(value.data());
    return true;
  }

  void put(std::string_view key, std::string_view value) override {
    ++rows_written_;
    host_storage_put(key.data(), static_cast<uint32_t>(key.size()), value.data(),
                     static_cast<uint32_t>(value.size()));
  }

  void erase(std::string_view key) override {
    ++rows_written_;
    host_storage_delete(key.data(), static_cast<uint32_t>(key.size()));
  }

  std::vector<std::string> list(std::string_view prefix, std::string_view after,
                                uint32_t count_max) override {
    const int32_t size =
        host_storage_list(prefix.data(), static_cast<uint32_t>(prefix.size()), after.data(),
                          static_cast<uint32_t>(after.size()), count_max);
    std::string joined(static_cast<size_t>(size), '\0');
    host_take(joined.data());
    std::vector<std::string> keys;
    for (size_t at = 0; at < joined.size();) {
      const size_t end = joined.find('\0', at);
      keys.push_back(joined.substr(at, end - at));
      at = end + 1;
    }
    return keys;
  }

  void set_alarm(int64_t at_ms) override {
    ++rows_written_;
    host_storage_set_alarm(static_cast<double>(at_ms));
  }
  int64_t alarm() override { return static_cast<int64_t>(host_storage_alarm()); }

  // Billed writes since the last call: each put, delete and alarm is one (Durable Objects pricing).
  uint64_t take_rows_written() { return std::exchange(rows_written_, 0); }

 private:
  uint64_t rows_written_ = 0;
};

class HostDecompressor final : public Decompressor {
 public:
  Result<std::string> run(Encoding encoding, std::string_view bytes,
                          size_t output_bytes_max) override {
    const uint32_t format = encoding == Encoding::kBrotli ? 3 : 4;
    HF_ASSERT(encoding == Encoding::kBrotli || encoding == Encoding::kZstd);
    const int32_t size = host_decompress(format, bytes.data(), static_cast<uint32_t>(bytes.size()),
                                         static_cast<uint32_t>(output_bytes_max));
    if (size == -2) return Error(ErrorCode::kTooLarge, "the body is too large after decompression");
    if (size < 0) return Error(ErrorCode::kDecodeFailed, "the compressed body is broken or cut");
    std::string output(static_cast<size_t>(size), '\0');
    host_take(output.data());
    return output;
  }
};

class HostZones final : public ZoneHost {
 public:
  std::optional<int32_t> offset_at(std::string_view name, int64_t utc_seconds) override {
    const int32_t offset = host_zone_offset(name.data(), static_cast<uint32_t>(name.size()),
                                            static_cast<double>(utc_seconds));
    return offset == kNoZone ? std::nullopt : std::optional(offset);
  }

 private:
  static constexpr int32_t kNoZone = INT32_MIN;
};

}  // namespace hogflare
