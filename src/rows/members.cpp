#include "members.h"

#include <algorithm>
#include <vector>

#include "hogflare/timestamp.h"

namespace hogflare::rows {
namespace {

constexpr std::string_view kMarkStart = "\"$hogflare_truncated\":[";
// Room for the mark; names beyond it are left out of the list.
constexpr size_t kMarkBytesMax = 8192;

struct Place {
  json::Member member;
  size_t bytes;
  bool stays = true;
};

std::string mark_of(const std::vector<Place>& places) {
  std::string mark(kMarkStart);
  for (const Place& place : places) {
    if (place.stays || mark.size() + place.member.raw_key().size() > kMarkBytesMax - 2) continue;
    if (mark.back() != '[') mark += ',';
    mark += place.member.raw_key();
  }
  mark += ']';
  return mark;
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
  size_t total = kMarkBytesMax + 2;
  for (const json::Member member : document.value().root().members()) {
    const size_t bytes = member.raw_key().size() + member.value.raw().size() + 2;
    places.push_back({member, bytes});
    total += bytes;
  }
  std::vector<size_t> by_size(places.size());
  for (size_t i = 0; i < by_size.size(); ++i) by_size[i] = i;
  std::stable_sort(by_size.begin(), by_size.end(), [&](size_t left, size_t right) {
    return places[left].bytes > places[right].bytes;
  });
  for (size_t i = 0; i < by_size.size() && total > bytes_max; ++i) {
    places[by_size[i]].stays = false;
    total -= places[by_size[i]].bytes;
  }
  std::string out;
  for (const Place& place : places) {
    if (!place.stays) continue;
    out += ',';
    out += place.member.raw_key();
    out += ':';
    out += place.member.value.raw();
  }
  out += ',';
  out += mark_of(places);
  close_object(out, 0);
  return out;
}

}  // namespace hogflare::rows
