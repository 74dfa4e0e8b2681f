// Recordings as rows, cut into chunks where the sink's row limit asks for it.
#include <algorithm>

#include "hogflare/limits.h"
#include "hogflare/recordings.h"
#include "hogflare/rows.h"
#include "hogflare/uuid.h"
#include "columns.h"
#include "members.h"
#include "properties.h"

namespace hogflare {
namespace {

using rows::Pieces;

constexpr std::string_view kEventName = "$snapshot_items";
// What a chunk's own members take beside its data: names, a uuid and two numbers.
constexpr size_t kChunkMembersBytes = 256;

bool is_tail_byte(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// What a byte of JSON text costs inside a JSON string. Its other control characters cannot occur.
size_t escaped_bytes(char c) {
  return c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t' ? 2 : 1;
}

// The text of `$snapshot_items`: pieces that are joined only when they are written.
class ItemsText {
 public:
  explicit ItemsText(const Recording& recording) {
    pieces_.reserve(recording.items.size() * 2 + 1);
    std::string_view before = "[";
    for (const std::string_view items : recording.items) {
      pieces_.push_back(before);
      pieces_.push_back(items);
      before = ",";
    }
    if (pieces_.empty()) pieces_.push_back("[");
    pieces_.push_back("]");
    for (const std::string_view piece : pieces_) bytes_ += piece.size();
  }

  size_t bytes() const { return bytes_; }

  void append_to(std::string& out) const {
    for (const std::string_view piece : pieces_) out += piece;
  }

  // Lengths of the parts that, escaped, have at most `escaped_max` bytes each; never inside a
  // character.
  std::vector<size_t> cut(size_t escaped_max) const {
    std::vector<size_t> lengths;
    size_t length = 0;
    size_t escaped = 0;
    size_t character = 0;  // bytes of the unfinished character at the end of the part
    for (const std::string_view piece : pieces_) {
      for (const char c : piece) {
        character = is_tail_byte(c) ? character + 1 : 0;
        if (escaped + escaped_bytes(c) > escaped_max) {
          // A tail byte goes into the next part together with what it continues.
          lengths.push_back(length - character);
          length = character;
          escaped = character;
        }
        ++length;
        escaped += escaped_bytes(c);
      }
    }
    lengths.push_back(length);
    return lengths;
  }

  // Hands out consecutive parts.
  class Reader {
   public:
    explicit Reader(const ItemsText& text) : text_(text) {}
    // The next `length` bytes, joined.
    std::string take(size_t length) {
      std::string part;
      part.reserve(length);
      go_on(length, [&part](std::string_view taken) { part += taken; });
      return part;
    }
    void skip(size_t length) {
      go_on(length, [](std::string_view) {});
    }

   private:
    template <typename Take>
    void go_on(size_t length, Take take) {
      while (length > 0) {
        const std::string_view rest = text_.pieces_[piece_].substr(at_);
        const std::string_view taken = rest.substr(0, length);
        take(taken);
        length -= taken.size();
        at_ += taken.size();
        if (taken.size() < rest.size()) continue;
        ++piece_;
        at_ = 0;
      }
    }

    const ItemsText& text_;
    size_t piece_ = 0;
    size_t at_ = 0;
  };

 private:
  std::vector<std::string_view> pieces_;
  size_t bytes_ = 0;
};

// The same for the same recording cut the same way, so that a request that is sent again gives rows
// that are recognised.
std::string chunk_uuid(const Recording& recording, size_t index, size_t count) {
  const std::optional<Uuid> whole = Uuid::try_parse(recording.uuid);
  HF_ASSERT(whole.has_value());
  return Uuid::version_5(*whole, std::to_string(index) + "/" + std::to_string(count)).text();
}

}  // namespace

void RowWriter::append_recording_properties(std::string& out, const Recording& recording) const {
  std::string scratch;
  Pieces(out)
      .add("{\"distinct_id\":")
      .string(recording.distinct_id)
      .add(",\"$session_id\":")
      .add(rows::session_id_of(recording.session_id, scratch))
      .add(",\"$window_id\":")
      .add(recording.window_id)
      .add(",\"$snapshot_source\":")
      .add(recording.snapshot_source)
      .add(",\"$lib\":")
      .string(recording.library);
}

size_t RowWriter::append_recording(const Recording& recording, RowBatch& rows, size_t from,
                                   size_t bytes_max) const {
  std::string head;
  Head key{.uuid = recording.uuid,
           .team_id = team_id_,
           .name = kEventName,
           .distinct_id = recording.distinct_id,
           .timestamp_ms = recording.timestamp_ms};
  append_head(head, key);
  std::string shared;
  append_recording_properties(shared, recording);
  std::string scratch;
  std::string library;
  json::append_string(library, recording.library);
  rows::ColumnValues columns;
  columns.lift(rows::Column::kSessionId, rows::session_id_of(recording.session_id, scratch));
  columns.lift(rows::Column::kWindowId, recording.window_id);
  columns.lift(rows::Column::kLib, library);
  // Of properties with what stands beside `shared` in them.
  const auto tail_of = [&](size_t others_bytes) {
    std::string tail = "}" + api_key_member_;
    columns.append(tail, shared.size() + others_bytes + 1);
    return tail + "}";
  };
  const std::string longest_tail = tail_of(limits::kRowBytesMax);
  constexpr std::string_view kItems = ",\"$snapshot_items\":";

  const ItemsText items(recording);
  const size_t fixed = head.size() + shared.size() + longest_tail.size();
  if (fixed + kItems.size() + items.bytes() <= limits::kRowBytesMax) {
    std::string& out = rows.buffer();
    out += head;
    out += shared;
    out += kItems;
    items.append_to(out);
    out += tail_of(kItems.size() + items.bytes());
    HF_ASSERT(rows.end_row().ok());
    return 0;
  }
  HF_ASSERT(fixed + kChunkMembersBytes < limits::kRowBytesMax);
  const std::vector<size_t> lengths = items.cut(limits::kRowBytesMax - fixed - kChunkMembersBytes);
  // One growth instead of a doubling: a large recording is a good part of an isolate's memory.
  const size_t room = rows.bytes() < bytes_max ? bytes_max - rows.bytes() : 0;
  const size_t rows_now = std::min(lengths.size() - from, room / limits::kRowBytesMax + 1);
  rows.buffer().reserve(rows.buffer().size() + rows_now * (limits::kRowBytesMax + 1));
  ItemsText::Reader reader(items);
  for (size_t i = 0; i < from; ++i) reader.skip(lengths[i]);
  for (size_t i = from; i < lengths.size(); ++i) {
    if (i > from && rows.bytes() >= bytes_max) return i;
    std::string& out = rows.buffer();
    const std::string uuid = chunk_uuid(recording, i, lengths.size());
    key.uuid = uuid;
    append_head(out, key);
    out += shared;
    const size_t others = out.size();
    Pieces(out)
        .add(",\"$hogflare_chunk_of\":")
        .string(recording.uuid)
        .add(",\"$hogflare_chunk_index\":")
        .add(std::to_string(i))
        .add(",\"$hogflare_chunk_count\":")
        .add(std::to_string(lengths.size()))
        .add(",\"$hogflare_chunk_data\":")
        .string(reader.take(lengths[i]));
    out += tail_of(out.size() - others);
    HF_ASSERT(rows.end_row().ok());
  }
  return 0;
}

void RowWriter::append_recording_index(const Recording& recording, const RecordingIndex& index,
                                       RowBatch& rows) const {
  std::string& out = rows.buffer();
  append_head(out, {.uuid = recording.uuid,
                    .team_id = team_id_,
                    .name = kEventName,
                    .distinct_id = recording.distinct_id,
                    .timestamp_ms = recording.timestamp_ms});
  const size_t properties = out.size();
  append_recording_properties(out, recording);
  Pieces pieces(out);
  pieces.add(",\"$hogflare_recording_key\":").string(index.key);
  const auto number = [&pieces](std::string_view name, uint64_t value) {
    pieces.add(",\"$hogflare_recording_").add(name).add("\":").add(std::to_string(value));
  };
  number("bytes", index.bytes);
  number("items", index.items);
  number("clicks", index.clicks);
  number("keys", index.keys);
  number("first_ms", static_cast<uint64_t>(index.first_ms));
  number("last_ms", static_cast<uint64_t>(index.last_ms));
  pieces.add(",\"$hogflare_recording_urls\":[");
  for (size_t i = 0; i < index.urls.size(); ++i) {
    if (i > 0) pieces.add(",");
    pieces.string(index.urls[i]);
  }
  pieces.add("]");
  pieces.flush();
  std::string scratch;
  std::string library;
  json::append_string(library, recording.library);
  rows::ColumnValues columns;
  columns.lift(rows::Column::kSessionId, rows::session_id_of(recording.session_id, scratch));
  columns.lift(rows::Column::kWindowId, recording.window_id);
  columns.lift(rows::Column::kLib, library);
  const size_t properties_bytes = out.size() + 1 - properties;
  out += "}" + api_key_member_;
  columns.append(out, properties_bytes);
  out += "}";
  HF_ASSERT(rows.end_row().ok());
}

}  // namespace hogflare
