#include "members.h"

#include <algorithm>
#include <vector>

#include "cut.h"
#include "hogflare/limits.h"
#include "hogflare/timestamp.h"

namespace hogflare::rows {
namespace {

constexpr std::string_view kMarkStart = "\"$hogflare_truncated\":[";
// Room for the mark; names beyond it are left out of the list.
constexpr size_t kMarkBytesMax = 8192;

enum class Fate : uint8_t { kStays, kCut, kGoes };

// A few words: an object may have hundreds of thousands.
struct Place {
  json::Member member;
  uint32_t bytes;  // of its value
  Fate fate = Fate::kStays;
  uint32_t cut = 0;  // kCut: where what is left of the value stands among the texts

  size_t name_bytes() const { return member.raw_key().size() + 2; }
};

std::string mark_of(const std::vector<Place>& places) {
  std::string mark(kMarkStart);
  for (const Place& place : places) {
    if (place.fate == Fate::kStays ||
        mark.size() + place.member.raw_key().size() > kMarkBytesMax - 2)
      continue;
    if (mark.back() != '[') mark += ',';
    mark += place.member.raw_key();
  }
  mark += ']';
  return mark;
}

// The size that values are cut to so that all of them have `room` bytes together. `by_size` begins
// with the largest. Below limits::kCutValueBytesMin: there is none.
size_t level_of(const std::vector<Place>& places, const std::vector<uint32_t>& by_size,
                size_t room) {
  size_t left = places.size();
  for (auto at = by_size.rbegin(); at != by_size.rend(); ++at, --left) {
    const size_t bytes = places[*at].bytes;
    if (bytes > room / left) return room / left;
    room -= bytes;
  }
  return SIZE_MAX;
}

// Cuts the values over the level that makes everything fit, or, where there are so many that
// nothing would be left of them, drops the largest. What is left of cut values goes to `cuts`.
void fit(std::vector<Place>& places, size_t bytes_max, std::vector<std::string>& cuts) {
  std::vector<uint32_t> by_size(places.size());
  for (uint32_t i = 0; i < by_size.size(); ++i) by_size[i] = i;
  std::sort(by_size.begin(), by_size.end(), [&](uint32_t left, uint32_t right) {
    return places[left].bytes != places[right].bytes ? places[left].bytes > places[right].bytes
                                                     : left < right;
  });
  size_t total = kMarkBytesMax + 2;
  size_t names = total;
  for (const Place& place : places) {
    names += place.name_bytes();
    total += place.name_bytes() + place.bytes;
  }
  const size_t level = names < bytes_max ? level_of(places, by_size, bytes_max - names) : 0;
  for (const uint32_t index : by_size) {
    Place& place = places[index];
    if (level < limits::kCutValueBytesMin ? total <= bytes_max : place.bytes <= level) return;
    std::string cut;
    if (level >= limits::kCutValueBytesMin) cut = cut_json(place.member.value.raw(), level);
    place.fate = cut.empty() ? Fate::kGoes : Fate::kCut;
    if (!cut.empty()) {
      place.cut = static_cast<uint32_t>(cuts.size());
      cuts.push_back(std::move(cut));
    }
    total -= place.name_bytes() + place.bytes;
  }
}

}  // namespace

Pieces& Pieces::add(std::string_view piece) {
  if (piece.size() > sizeof bytes_ - size_) flush();
  if (piece.size() > sizeof bytes_) {
    out_ += piece;
    return *this;
  }
  copy_bytes(bytes_ + size_, piece.data(), piece.size());
  size_ += piece.size();
  return *this;
}

void Pieces::flush() {
  out_.append(bytes_, size_);
  size_ = 0;
}

Pieces& Pieces::string(std::string_view utf8) {
  if (json::is_plain(utf8)) return add("\"").add(utf8).add("\"");
  flush();
  json::append_string(out_, utf8);
  return *this;
}

Pieces& Pieces::time(int64_t unix_ms) {
  add("\"").flush();
  append_rfc3339(out_, unix_ms);
  return add("\"");
}

std::string shrink_object(std::string object, size_t bytes_max) {
  HF_ASSERT(bytes_max > kMarkBytesMax + 2);
  if (object.size() <= bytes_max) return object;
  const Result<json::Document> document = json::Document::parse_const(object, 1);
  if (!document.ok() || !document.value().root().is_object()) {
    return "{" + std::string(kMarkStart) + "]}";
  }
  std::vector<Place> places;
  places.reserve(document.value().node_count());
  for (const json::Member member : document.value().root().members()) {
    places.push_back({member, static_cast<uint32_t>(member.value.raw().size())});
  }
  std::vector<std::string> cuts;
  fit(places, bytes_max, cuts);
  std::string out;
  for (const Place& place : places) {
    if (place.fate == Fate::kGoes) continue;
    out += ',';
    out += place.member.raw_key();
    out += ':';
    if (place.fate == Fate::kCut) {
      out += cuts[place.cut];
    } else {
      out += place.member.value.raw();
    }
  }
  out += ',';
  out += mark_of(places);
  close_object(out, 0);
  return out;
}

}  // namespace hogflare::rows
