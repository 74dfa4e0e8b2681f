#include "insights/list_rows.h"

#include <algorithm>
#include <cstring>
#include <iterator>
#include <optional>
#include <set>
#include <string_view>

#include "json/decode.h"

namespace hogflare::insights {
namespace {

// Their sizes are known, which those of plain literals are not to append().
using namespace std::string_view_literals;

constexpr std::string_view kNames[] = {"email", "name", "username"};

// Whether another row of the person has other ids.
bool has_more_ids(Row row, const std::vector<Row>& others) {
  return std::any_of(others.begin(), others.end(), [row](Row other) {
    return !is_same_text(other[1], row[1]) || !is_same_text(other[2], row[2]);
  });
}

bool is_same_id(const json::Value& id, const json::Value& own) {
  if (!id.is_string() || !own.is_string()) return false;
  return id.raw() == own.raw() || id.text() == own.text();
}

// The first of kNames that a person has as a text, or nothing.
json::Value name_of(const json::Value& properties) {
  json::Value found[std::size(kNames)];
  for (const json::Member member : properties.members()) {
    for (size_t i = 0; i < std::size(kNames); ++i) {
      if (member.key_is(kNames[i])) found[i] = member.value;
    }
  }
  for (const json::Value& name : found) {
    if (name.is_string()) return name;
  }
  return {};
}

// A piece of the text that is being written.
struct Piece {
  size_t at = 0;
  size_t size = 0;
};

Piece piece_of(const std::string& out, std::string_view inside) {
  return {static_cast<size_t>(inside.data() - out.data()), inside.size()};
}

// The elements of a list of plain texts without blanks, which engines write: with their quotes, and
// without a document.
class PlainTexts {
 public:
  explicit PlainTexts(std::string_view list) : list_(list) {}

  // False behind the last one, and at anything else.
  bool next() {
    const char before = at_ == 0 ? '[' : ',';
    if (list_.size() - at_ < 2 || list_[at_] != before || list_[at_ + 1] != '"') return false;
    const size_t end = list_.find('"', at_ + 2);
    if (end == std::string_view::npos) return false;
    text_ = list_.substr(at_ + 1, end - at_);
    at_ = end + 1;
    return json::is_plain(text_.substr(1, text_.size() - 2));
  }
  std::string_view text() const { return text_; }
  // Whether the list was these and nothing else.
  bool is_at_end() const { return at_ > 0 && list_.substr(at_) == "]"; }

 private:
  std::string_view list_;
  std::string_view text_;
  size_t at_ = 0;
};

// The row's own list as it came, where that has all there is; gives the first id. Nothing is
// appended where it has not.
std::optional<Piece> append_own_ids(std::string& out, Row row, json::Document& ids) {
  const size_t begin = out.size();
  if (append_parsed(out, row[2], ids, 1) && ids.root().is_array()) {
    Piece first;
    bool is_listed = is_null(row[1]);
    for (const json::Value id : ids.root().elements()) {
      if (first.size == 0) first = piece_of(out, id.raw());
      is_listed = is_listed || is_same_id(id, row[1]);
      if (is_listed) return first;
    }
  }
  out.resize(begin);
  return std::nullopt;
}

// The distinct ids of a person's rows, each once; gives the first of them, or nothing.
Piece append_ids(std::string& out, Row row, const std::vector<Row>& others, json::Document& list) {
  if (!has_more_ids(row, others)) {
    if (const std::optional<Piece> first = append_own_ids(out, row, list)) return *first;
  }
  std::vector<std::string> ids;
  std::set<std::string> known;
  const auto add = [&ids, &known](const json::Value& id) {
    if (id.is_string() && known.insert(id.text()).second) ids.push_back(id.text());
  };
  const auto add_row = [&add, &list](Row one) {
    std::string text;
    if (append_parsed(text, one[2], list, 1) && list.root().is_array()) {
      for (const json::Value id : list.root().elements()) add(id);
    }
    add(one[1]);
  };
  add_row(row);
  for (const Row other : others) add_row(other);
  out += '[';
  Piece first{.at = out.size()};
  for (const std::string& id : ids) {
    if (first.size > 0) out += ',';
    append_json_text(out, id);
    if (first.size == 0) first.size = out.size() - first.at;
  }
  out += ']';
  return first;
}

const std::vector<Row>& others_of(Row row, const OthersOf& others) {
  static const std::vector<Row> kNone;
  if (others.empty()) return kNone;
  const auto found = row[0].exists() ? others.find(row[0].raw()) : others.end();
  return found == others.end() ? kNone : found->second;
}

// The first id of a list of plain texts that has `own`; empty of any other list.
std::string_view first_of_plain(std::string_view list, const json::Value& own) {
  PlainTexts ids(list);
  std::string_view first;
  bool is_listed = is_null(own);
  while (ids.next()) {
    if (first.empty()) first = ids.text();
    is_listed = is_listed || own.raw() == ids.text();
  }
  return is_listed && ids.is_at_end() ? first : std::string_view();
}

char* put(char* to, std::string_view text) {
  std::memcpy(to, text.data(), text.size());
  return to + text.size();
}

// Nearly every person: one row, whose ids and properties are documents in texts as engines write
// them. They are put together in memory that is asked for once; of anything else nothing is
// appended, and false returned.
bool append_plain_person(std::string& out, Row row, PersonScratch& scratch) {
  if (!row[0].exists() || !row[2].is_string() || !row[3].is_string() || !row[4].is_number()) {
    return false;
  }
  const std::string_view uuid = row[0].raw();
  // The name is one of the three.
  const size_t room = 3 * (uuid.size() + row[2].raw().size() + row[3].raw().size()) +
                      kInstantBytesMax + json::kDecodeSlack + 100;
  if (scratch.text.size() < room) scratch.text.resize(2 * room);
  char* const begin = scratch.text.data();
  char* to = put(begin, R"({"created_at":")"sv);
  to = put_instant(to, integer_of(row[4]));
  char* const ids = to = put(to, R"(","distinct_ids":)"sv);
  to = json::decode_to(to, row[2].raw());
  std::string_view name = first_of_plain({ids, static_cast<size_t>(to - ids)}, row[1]);
  if (name.empty()) return false;
  to = put(put(to, R"(,"id":)"sv), uuid);
  char* const properties = to = put(to, R"(,"properties":)"sv);
  to = json::decode_to(to, row[3].raw());
  const std::string_view text(properties, static_cast<size_t>(to - properties));
  if (scratch.document.renew(text, 1) || !scratch.document.root().is_object()) return false;
  if (const json::Value found = name_of(scratch.document.root()); found.exists()) {
    name = found.raw();
  }
  to = put(put(to, R"(,"name":)"sv), name);
  to = put(put(put(to, R"(,"uuid":)"sv), uuid), "}"sv);
  out.append(begin, static_cast<size_t>(to - begin));
  return true;
}

}  // namespace

bool is_same_text(const json::Value& one, const json::Value& other) {
  return one.exists() == other.exists() && (!one.exists() || one.raw() == other.raw());
}

void append_time(std::string& out, const json::Value& cell) {
  append_instant(out, integer_of(cell));
}

void append_time_or_null(std::string& out, const json::Value& cell) {
  return is_null(cell) ? append_json(out, cell) : append_time(out, cell);
}

// The name, which is one of the properties or an id, stands behind them.
void append_person(std::string& out, Row row, const OthersOf& others_by_id,
                   PersonScratch& scratch) {
  const std::vector<Row>& others = others_of(row, others_by_id);
  if (others.empty() && append_plain_person(out, row, scratch)) return;
  json::Document& document = scratch.document;
  append_time_or_null(out += R"({"created_at":)"sv, row[4]);
  Piece name = append_ids(out += R"(,"distinct_ids":)"sv, row, others, document);
  out += R"(,"id":)"sv;
  const size_t id = out.size();
  append_json(out, row[0]);
  if (name.size == 0) name = {.at = id, .size = out.size() - id};
  out += R"(,"properties":)"sv;
  if (is_null(row[3])) {
    out += "{}";
  } else if (append_parsed(out, row[3], document, 1)) {
    if (const json::Value found = name_of(document.root()); found.exists()) {
      name = piece_of(out, found.raw());
    }
  }
  out += R"(,"name":)"sv;
  out.append(out, name.at, name.size);
  append_json(out += R"(,"uuid":)"sv, row[0]);
  out += '}';
}

}  // namespace hogflare::insights
