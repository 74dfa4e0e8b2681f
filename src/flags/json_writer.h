// Writes JSON text in order, commas included. One reply is one string; nothing is built in between.
//
//   JsonWriter json;
//   json.open_object().key("status").text("Ok").close_object();
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "hogflare/flags_value.h"

namespace hogflare::flags {

class JsonWriter {
 public:
  JsonWriter& open_object() { return open('{'); }
  JsonWriter& close_object() { return close('}'); }
  JsonWriter& open_array() { return open('['); }
  JsonWriter& close_array() { return close(']'); }
  // A name of ours, which has nothing to escape.
  template <size_t kSize>
  JsonWriter& key(const char (&name)[kSize]) {
    char piece[kSize + 3];
    size_t size = 0;
    if (!fresh_) piece[size++] = ',';
    piece[size++] = '"';
    std::memcpy(piece + size, name, kSize - 1);
    size += kSize - 1;
    piece[size++] = '"';
    piece[size++] = ':';
    out_.append(piece, size);
    fresh_ = true;
    return *this;
  }
  JsonWriter& key(std::string_view name) {
    separate();
    append_json_string(name, out_);
    out_.push_back(':');
    fresh_ = true;
    return *this;
  }
  JsonWriter& text(std::string_view value) {
    separate();
    append_json_string(value, out_);
    return *this;
  }
  JsonWriter& boolean(bool value) { return raw(value ? "true" : "false"); }
  JsonWriter& null() { return raw("null"); }
  JsonWriter& integer(int64_t value);
  JsonWriter& value(const Value& value) {
    separate();
    append_json(value, out_);
    return *this;
  }
  // `json` must be one JSON value.
  JsonWriter& raw(std::string_view json) {
    separate();
    out_.append(json);
    return *this;
  }

  // Makes room for an answer of about this size.
  void reserve(size_t bytes) { out_.reserve(bytes); }

  std::string take() { return std::move(out_); }

 private:
  JsonWriter& open(char bracket) {
    separate();
    out_.push_back(bracket);
    fresh_ = true;
    return *this;
  }
  JsonWriter& close(char bracket) {
    out_.push_back(bracket);
    fresh_ = false;
    return *this;
  }
  // A comma before every value or key but the first of its container and the one behind a key.
  void separate() {
    if (!fresh_) out_.push_back(',');
    fresh_ = false;
  }

  std::string out_;
  bool fresh_ = true;
};

}  // namespace hogflare::flags
