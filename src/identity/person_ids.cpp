#include "identity/person_ids.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "identity/person_record.h"
#include "base/stored_value.h"

namespace hogflare {
namespace {

constexpr std::string_view kIndexKey = "ids/index";
// What an id takes besides: its version and length on a page, quotes and a comma in a row.
constexpr size_t kIdOverheadBytes = 4;
constexpr size_t kPrintBytes = 4;

// At least what it takes in a row, where JSON makes six bytes of a control character.
size_t bytes_of(const PersonId& id) {
  size_t bytes = id.distinct_id.size() + kIdOverheadBytes;
  for (const char c : id.distinct_id) {
    const auto byte = static_cast<unsigned char>(c);
    bytes += byte < 0x20 ? 5 : byte == '"' || byte == '\\' ? 1 : 0;
  }
  return bytes;
}

std::string page_key(uint32_t page) {
  char key[24];
  std::snprintf(key, sizeof key, "ids/%08u", page);
  return key;
}

std::string fingerprint(std::string_view distinct_id) {
  const auto sum = static_cast<uint32_t>(checksum(distinct_id));
  std::string print(kPrintBytes, '\0');
  std::memcpy(print.data(), &sum, kPrintBytes);
  return print;
}

std::string load_index(Storage& storage, const Person& person, std::optional<StoredFault>& fault) {
  if (person.id_pages == 0) return {};
  std::string value;
  if (!storage.get(kIndexKey, value)) {
    fault = missing(kIndexKey);
    return {};
  }
  const std::optional<std::string_view> body = unseal(value, kPersonStoredVersion);
  if (!body.has_value()) {
    fault = unreadable(kIndexKey, value);
    return {};
  }
  return std::string(*body);
}

bool page_has(std::string_view body, std::string_view distinct_id) {
  ByteReader in(body);
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) {
    if (in.text() == distinct_id) return true;
    in.number();
  }
  return false;
}

bool prints_have(std::string_view prints, std::string_view print) {
  for (size_t at = 0; at < prints.size(); at += kPrintBytes) {
    if (std::memcmp(prints.data() + at, print.data(), kPrintBytes) == 0) return true;
  }
  return false;
}

}  // namespace

uint64_t bytes_of_ids(const std::vector<PersonId>& ids) {
  uint64_t bytes = 0;
  for (const PersonId& id : ids) bytes += bytes_of(id);
  return bytes;
}

uint64_t count_of_ids(const Person& person) { return person.paged_ids + person.ids.size(); }
uint64_t bytes_of_ids(const Person& person) {
  return person.paged_bytes + bytes_of_ids(person.ids);
}

bool is_id_page(std::string_view body) {
  ByteReader in(body);
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) {
    in.text();
    in.number();
  }
  return in.done();
}

std::string load_id_page(Storage& storage, uint32_t page, std::optional<StoredFault>& fault) {
  const std::string key = page_key(page);
  std::string value;
  if (!storage.get(key, value)) {
    fault = missing(key);
    return {};
  }
  const std::optional<std::string_view> body = unseal(value, kPersonStoredVersion);
  if (!body.has_value() || !is_id_page(*body)) {
    fault = unreadable(key, value);
    return {};
  }
  return std::string(*body);
}

void append_ids(Storage& storage, Person& person, std::vector<PersonId> ids,
                const PersonBounds& bounds, std::optional<StoredFault>& fault) {
  if (ids.empty()) return;
  std::string index = load_index(storage, person, fault);
  if (fault.has_value()) return;
  for (size_t from = 0; from < ids.size();) {
    std::vector<PersonId> page;
    ByteWriter prints;
    for (size_t bytes = 0; from < ids.size() && (page.empty() || bytes < bounds.id_page_bytes);) {
      PersonId& id = ids[from++];
      bytes += bytes_of(id);
      prints.raw(fingerprint(id.distinct_id));
      page.push_back(std::move(id));
    }
    person.paged_ids += page.size();
    person.paged_bytes += bytes_of_ids(page);
    ByteWriter body;
    write_ids(body, page);
    storage.put(page_key(person.id_pages++), seal(kPersonStoredVersion, body.bytes()));
    ByteWriter entry;
    entry.text(prints.bytes());
    index += entry.bytes();
  }
  storage.put(kIndexKey, seal(kPersonStoredVersion, index));
}

void erase_id_pages(Storage& storage, const Person& person) {
  for (uint32_t page = 0; page < person.id_pages; ++page) storage.erase(page_key(page));
  if (person.id_pages > 0) storage.erase(kIndexKey);
}

bool IdFinder::has(Storage& storage, const Person& person, std::string_view distinct_id,
                   std::optional<StoredFault>& fault) {
  const auto is_it = [&](const PersonId& id) { return id.distinct_id == distinct_id; };
  if (std::any_of(person.ids.begin(), person.ids.end(), is_it)) return true;
  if (!index_.has_value()) index_ = load_index(storage, person, fault);
  const std::string print = fingerprint(distinct_id);
  ByteReader in(*index_);
  for (uint32_t page = 0; page < person.id_pages && !fault.has_value(); ++page) {
    if (!prints_have(in.text(), print)) continue;
    if (page_ != page) {
      page_body_ = load_id_page(storage, page, fault);
      page_ = page;
    }
    if (page_has(page_body_, distinct_id)) return true;
  }
  return false;
}

}  // namespace hogflare
