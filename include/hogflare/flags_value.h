// A JSON value as the flag evaluator sees it.
//
// Flag rules compare *texts*: PostHog's service turns a property into the text its JSON library
// prints (serde_json: `1`, `1.0`, `1e16`, sorted object keys) and compares that. So a value keeps
// the text form of its numbers from the moment it is parsed, and no float is printed twice.
//
//   Result<Value> value = parse_value(R"({"plan": "pro", "seats": NaN})");
//   const Value* plan = value.value().find("plan");
//   plan->text;                                     // "pro"
//   value.value().find("seats")->kind;              // Kind::kNull
//
// Source of the text forms: F-4.0.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/flags_limits.h"
#include "hogflare/result.h"

namespace hogflare::flags {

struct Value {
  enum class Kind : uint8_t { kNull, kBool, kInteger, kFloat, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  bool boolean = false;           // kBool
  bool is_sorted = false;         // kObject: by sort_keys()
  double number = 0;              // kInteger, kFloat
  std::string text;               // kString: its content; kInteger, kFloat: the text form
  std::vector<Value> items;       // kArray: elements; kObject: values, one per key
  std::vector<std::string> keys;  // kObject: keys in document order, no duplicates

  static Value null() { return Value{}; }
  static Value of(bool value);
  static Value of(int64_t value);
  static Value of(std::string_view value);
  static Value array();
  static Value object();

  bool is_null() const { return kind == Kind::kNull; }
  bool is_bool() const { return kind == Kind::kBool; }
  bool is_string() const { return kind == Kind::kString; }
  bool is_number() const { return kind == Kind::kInteger || kind == Kind::kFloat; }
  bool is_array() const { return kind == Kind::kArray; }
  bool is_object() const { return kind == Kind::kObject; }

  // The value under `key`, or nullptr. Null for anything but an object.
  const Value* find(std::string_view key) const;
  // Puts the keys of an object that has many into the order of their bytes, where find() is quick.
  void sort_keys();
  // Sets `key`, replacing what was there. Requires an object.
  void set(std::string_view key, Value value);
  void erase(std::string_view key);

  // Equality as serde_json has it: 1 and 1.0 differ, object order does not matter.
  bool operator==(const Value& other) const;
};

// Parses one JSON document. `NaN`, `Infinity` and `-Infinity` become null, as PostHog's parser
// has it. Errors: kParseFailed with the byte offset; kTooLarge over limits::kJsonDepthMax levels or
// `nodes_max` values. `keep`: what is kept for long takes no more memory than it needs.
enum class Keep : uint8_t { kShortly, kLong };
Result<Value> parse_value(std::string_view json, size_t nodes_max = limits::kFlagValuesMax,
                          Keep keep = Keep::kShortly);

// Appends `value` as compact JSON, object keys in document order.
void append_json(const Value& value, std::string& out);
std::string to_json(const Value& value);

// The text of F-4.0: strings as they are, everything else compact JSON with object keys
// sorted by bytes.
std::string text_form(const Value& value);

// Appends `text` as a JSON string literal with serde_json's escapes.
void append_json_string(std::string_view text, std::string& out);

// Shortest text that reads back as `value`, in the form serde_json prints: `1.0`, `0.1`, `1e16`.
std::string float_text(double value);

}  // namespace hogflare::flags
