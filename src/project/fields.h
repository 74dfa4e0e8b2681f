// A checker of JSON by tables: which members an object may have, and of which types.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "hogflare/flags.h"

namespace hogflare::project {

using Json = nlohmann::ordered_json;

// Types a member may have, as bits.
enum Kind : uint16_t {
  kNull = 1,
  kBool = 2,
  kText = 4,
  kNumber = 8,
  kRate = 16,   // a number from 0 to 1, or its decimal text; handed on as text
  kTexts = 32,  // a list of texts
  kObject = 64,
  kObjects = 128,  // a list of objects
  kAny = 256,
};

// What a wrong value of a member costs.
enum class Wrong : uint8_t {
  kMember,  // the member alone
  kParent,  // the object it stands in: it protects somebody, or nothing works without it
};

struct Field {
  std::string_view name;
  uint16_t kinds;
  std::span<const Field> fields = {};  // of kObject and kObjects; empty: any members
  std::string_view choices = {};       // of kText: "any|all"; empty: any text
  double low = 0;                      // of kNumber, when low < high
  double high = 0;
  Wrong wrong = Wrong::kMember;
  bool needed = false;  // its object is left out when it is not there
  bool open = false;    // members that `fields` does not name pass unremarked
};

// Names what is wrong, with its path.
class Checker {
 public:
  explicit Checker(std::vector<flags::Problem>& problems) : problems_(problems) {}

  void error(const std::string& path, std::string message);
  void warn(const std::string& path, std::string message);

  // The value as it is handed on; nullopt when it cannot be used.
  std::optional<Json> value(const Json& given, const Field& field, const std::string& path);
  // The members that can be used; nullopt when one failed whose fault is the whole object's. A
  // member that no field names is kept, with a warning.
  std::optional<Json> object(const Json& given, const Field& field, const std::string& path);
  // The items that can be used.
  Json objects(const Json& given, const Field& field, const std::string& path);

 private:
  std::vector<flags::Problem>& problems_;
};

// "true or false", "a text or null", …
std::string describe(const Field& field);
// JSON without blanks; text that is no UTF-8 becomes U+FFFD.
std::string dump(const Json& json);

}  // namespace hogflare::project
