// The envelope of a value that an object stores: a version, a checksum and the bytes. Damage
// anywhere shows when the value is opened, so what is inside is used without another look.
//
//   storage.put(key, seal(kVersion, body));
//   std::optional<std::string_view> body = unseal(value, kVersion);   // nullopt: not ours
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hogflare {

std::string seal(uint8_t version, std::string_view body);
// The body, a view into `value`. Nullopt: another version, or damaged.
std::optional<std::string_view> unseal(std::string_view value, uint8_t version);

// A hash in which any change of up to eight neighbouring bytes shows for certain.
uint64_t checksum(std::string_view bytes);

}  // namespace hogflare
