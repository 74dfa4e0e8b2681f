// Events as rows of the stream: exactly the columns of schemas/events.json, in its order, written
// straight from the request's bytes.
//
//   RowWriter writer(head, {batch->token, batch->project, batch->sent_at_ms}, config, now_ms);
//   RowBatch rows(Stream::kEvents);
//   writer.append_event(event, person, groups, rows);
//   HF_ASSERT(!check_row(rows.row(0)));
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "hogflare/capture.h"
#include "hogflare/delivery.h"
#include "hogflare/enrich.h"
#include "hogflare/event.h"
#include "hogflare/group_view.h"

namespace hogflare {
struct RecordingIndex;
namespace rows {
struct Seen;
}

// What all rows of one request share.
struct RowShared {
  std::string_view token;
  const Project* project = nullptr;
  std::optional<int64_t> sent_at_ms;
};

class RowWriter {
 public:
  RowWriter(const RequestHead& head, const RowShared& shared, const Config& config, int64_t now_ms);

  // Appends the event's row, at most limits::kRowBytesMax: of a larger one the biggest values keep
  // their beginning only and `$hogflare_truncated` names them. Needs !person.dropped. Returns false
  // when something was cut.
  bool append_event(const Event& event, const PersonView& person, const GroupView& groups,
                    RowBatch& rows) const;

  // Appends a recording: one row `$snapshot_items` as PostHog makes it, or, when that would be over
  // limits::kRowBytesMax, as many as it takes. Each of those has a uuid of its own (version 5 of
  // the recording's and the part's number), the recording's ids, and
  //   $hogflare_chunk_of     the recording's uuid
  //   $hogflare_chunk_index  from 0
  //   $hogflare_chunk_count
  //   $hogflare_chunk_data   a piece of the text of `$snapshot_items`
  // The pieces in order, joined, are that text byte for byte
  // (sql/views/duckdb/12_sessions_replay.sql does it). Begins with the row of the number `from` and
  // stops when `rows` has `bytes_max`, for all of them may be twice the recording. Returns the
  // number of the row to go on with; 0: that was the last.
  size_t append_recording(const Recording& recording, RowBatch& rows, size_t from = 0,
                          size_t bytes_max = SIZE_MAX) const;
  // Appends the row of a recording that lies in the bucket: `$snapshot_items` without the items,
  // and
  //   $hogflare_recording_key, _bytes, _items, _clicks, _keys, _first_ms, _last_ms, _urls
  void append_recording_index(const Recording& recording, const RecordingIndex& index,
                              RowBatch& rows) const;

 private:
  // What identifies a row: the columns up to created_at.
  struct Head {
    std::string_view uuid;
    int64_t team_id;
    std::string_view name;
    std::string_view distinct_id;
    int64_t timestamp_ms;
  };
  // Up to where the object of `properties` begins.
  void append_head(std::string& out, const Head& head) const;
  void append_recording_properties(std::string& out, const Recording& recording) const;
  void append_fixed_head(std::string& out, const Event& event) const;
  // Leaves in `seen` what the typed columns are made of.
  void append_properties(std::string& out, const Event& event, const PersonView& person,
                         const GroupView& groups, rows::Seen& seen) const;
  static void append_columns(std::string& out, const Event& event, rows::Seen& seen,
                             size_t properties_bytes);
  // `time` is the column's text with its quotes.
  void append_extra_members(std::string& out, const Event& event, const PersonView& person,
                            std::string_view time) const;
  void note_columns(const PersonView& person, rows::Seen& seen) const;
  void append_cut_row(std::string& out, const Event& event, const PersonView& person,
                      const GroupView& groups) const;

  Enrichment enrichment_;
  bool shows_person_properties(const PersonView& person) const;
  static void append_own(std::string& out, const Event& event);

  int64_t team_id_;
  RowsMode mode_;
  PersonPropertiesMode person_properties_;
  std::string behind_timestamp_;  // ,"created_at":"…","properties":
  std::string api_key_member_;    // ,"api_key":"…"
  std::string sent_at_member_;    // ,"$sent_at":"…", or empty
};

// What is wrong with a row of the events stream, or nullopt: names, types and required columns of
// schemas/events.json, the size, and that it is JSON. Tests and fuzzers hold every row to it, since
// the sink answers 200 and drops what does not fit.
std::optional<std::string> check_row(std::string_view row);

// --- Rejects ---

enum class RejectKind : uint8_t { kReject, kWarning, kQuarantine };

struct RejectRow {
  std::string_view uuid;
  int64_t team_id = 1;
  RejectKind kind = RejectKind::kReject;
  std::string_view reason;  // ErrorInfo::tag or a warning's name
  std::string_view detail;
  std::string_view distinct_id;
  std::string_view event;
  std::string_view event_uuid;
  std::string_view payload;  // cut to limits::kRejectPayloadBytesMax
  int64_t received_at_ms = 0;
  std::string_view api_key;
};

// Appends a row of schemas/rejects.json; empty texts become absent columns.
void append_reject_row(RowBatch& rows, const RejectRow& reject);

}  // namespace hogflare
