// What an outbox object is asked, and its answers.
#include "hogflare/outbox.h"

#include <algorithm>

#include "delivery/outbox_run.h"
#include "delivery/outbox_store.h"
#include "hogflare/backoff.h"
#include "json/fields.h"
#include "json/members.h"

namespace hogflare {
namespace {

constexpr Backoff kFirstWait{.base_ms = limits::kOutboxBackoffBaseMs,
                             .cap_ms = limits::kOutboxBackoffCapMs};

std::optional<Stream> stream_named(std::string_view name) {
  for (const Stream stream :
       {Stream::kEvents, Stream::kPersons, Stream::kRejects, Stream::kDistinctIds}) {
    if (name == name_of(stream)) return stream;
  }
  return std::nullopt;
}

bool is_array_of_rows(std::string_view rows) {
  return rows.size() > 2 && rows.front() == '[' && rows.back() == ']';
}

std::string result_json(std::string_view result) {
  std::string out = "{";
  append_text(out, "result", result);
  out += '}';
  return out;
}

OutboxStats stats_of(const Turn& turn, OutboxStore& store) {
  OutboxStats stats;
  stats.shards = 1;
  stats.now_ms = turn.now_ms;
  stats.bytes_max = store.bytes_max();
  stats.quarantine_rows = store.meta().quarantine_rows;
  stats.quarantine_bytes = store.meta().quarantine_bytes;
  for (size_t i = 0; i < kStreamCount; ++i) {
    const OutboxStreamMeta& meta = store.meta().streams[i];
    stats.streams[i] = {.sends = meta.sends,
                        .rows = meta.rows,
                        .bytes = meta.bytes,
                        .oldest_ms = store.oldest_ms(static_cast<Stream>(i)),
                        .failures = meta.failures,
                        .retry_at_ms = meta.retry_at(turn.now_ms),
                        .last_status = meta.last_status,
                        .last_reason = meta.last_reason};
  }
  return stats;
}

class OutboxCall final : public Task {
 public:
  OutboxCall(std::string request, const OutboxFaults& faults)
      : request_(std::move(request)), faults_(faults) {}

  void start(const Turn& turn, Effects& effects) override {
    HF_ASSERT(turn.storage != nullptr);
    const size_t line_end = std::min(request_.find('\n'), request_.size());
    const Result<json::Document> line =
        json::Document::parse_const(std::string_view(request_).substr(0, line_end), 1);
    if (!line.ok()) return refuse("the first line is not JSON");
    const json::Value root = line.value().root();
    // Calls of the version before carry none.
    const json::Value version = root.find("version");
    if (version.exists() && to_number(version) != kOutboxCallVersion) {
      return refuse("the call is of another version");
    }
    if (const OutboxStore store(turn); store.fault().has_value()) {
      finish(refuse_stored(turn, "outbox", *store.fault()));
      return;
    }
    const std::string op = text_of(root, "op");
    if (op == "put") {
      put(turn, root, std::string_view(request_).substr(std::min(line_end + 1, request_.size())));
    } else if (op == "stats") {
      OutboxStore store(turn);
      const OutboxStats stats = stats_of(turn, store);
      // The platform may have given an alarm up; whoever asks for figures wakes the object.
      if (stats.sends() > 0 && store.has_no_alarm(turn.now_ms)) {
        turn.storage->set_alarm(turn.now_ms + limits::kOutboxContinueMs);
      }
      done(write_outbox_stats(stats));
    } else if (op == "list") {
      list(turn, text_of(root, "after"));
    } else if (op == "redrive") {
      redrive(turn);
    } else if (op == "drain") {
      drain_.emplace(OutboxRunKind::kDrain, faults_);
      drain_->start(turn, effects);
      finish_drain(turn);
    } else {
      refuse("\"op\" is not one of put, stats, list, redrive, drain");
    }
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    HF_ASSERT(drain_.has_value());
    drain_->resume(turn, std::move(result), effects);
    finish_drain(turn);
  }

 private:
  void done(std::string body) { finish({.status = 200, .headers = {}, .body = std::move(body)}); }

  void refuse(std::string_view what) {
    std::string body = "{";
    append_text(body, "error", what);
    body += '}';
    finish({.status = 400, .headers = {}, .body = std::move(body)});
  }

  void put(const Turn& turn, const json::Value& root, std::string_view rows) {
    const std::optional<Stream> stream = stream_named(text_of(root, "stream"));
    const uint32_t row_count = count_of<uint32_t>(root, "rows");
    if (!stream.has_value() || row_count == 0 || !is_array_of_rows(rows) ||
        rows.size() > limits::kSendBytesMax) {
      return refuse("a put needs a stream, a row count and an array of rows of one send");
    }
    OutboxStore store(turn);
    if (!store.has_room(*stream, rows.size())) {
      return done(result_json(faults_.store_nothing_when_full ? "stored" : "full"));
    }
    OutboxStreamMeta& meta = store.meta().streams[index_of(*stream)];
    const uint32_t asked_ms =
        std::min(count_of<uint32_t>(root, "retry_after_ms"), limits::kOutboxBackoffCapMs);
    if (meta.sends == 0) {
      meta.retry_at_ms =
          turn.now_ms + std::max(asked_ms, equal_jitter_ms(kFirstWait, 0, turn.entropy));
      meta.last_status = count_of<uint16_t>(root, "status");
      meta.last_reason = text_of(root, "reason");
    }
    const int64_t first_failed_ms = number_of(root, "first_failed_ms");
    store.put({.key = {},
               .stream = *stream,
               .first_failed_ms = first_failed_ms > 0 ? first_failed_ms : turn.now_ms,
               .row_count = row_count,
               .failures = 0,
               .status = count_of<uint16_t>(root, "status"),
               .reason = text_of(root, "reason"),
               .rows = std::string(rows)});
    if (!faults_.skip_put_alarm) {
      store.alarm_by(std::max(meta.retry_at(turn.now_ms), turn.now_ms + limits::kOutboxContinueMs));
    }
    if (!faults_.skip_put_counts) store.save();
    done(result_json("stored"));
  }

  void list(const Turn& turn, std::string_view after) {
    OutboxStore store(turn);
    const std::vector<std::string> keys =
        store.list_quarantined(after, limits::kQuarantineListRows + 1);
    std::string body = "{\"rows\":[";
    std::string last;
    bool more = false;
    uint32_t count = 0;
    for (const std::string& key : keys) {
      // A row may be 1 MB; the first is always shown, so that paging goes on.
      more = count == limits::kQuarantineListRows ||
             (count > 0 && body.size() > limits::kQuarantineListBytes);
      if (more) break;
      const std::optional<QuarantinedRow> row = store.load_quarantined(key);
      if (row.has_value()) {
        append_row(body, *row, count++);
      } else if (const std::optional<StoredFault> fault = store.take_unreadable()) {
        refuse_stored(turn, "outbox", *fault);  // for the log; the others are shown
      }
      last = key;
    }
    body += "],\"next\":";
    if (more) {
      json::append_string(body, last);
    } else {
      body += "null";
    }
    body += ",\"total\":" + std::to_string(store.meta().quarantine_rows) + "}";
    done(std::move(body));
  }

  static void append_row(std::string& body, const QuarantinedRow& row, uint32_t index) {
    if (index > 0) body += ',';
    body += '{';
    append_text(body, "key", row.key);
    append_text(body, "stream", name_of(row.stream));
    append_number(body, "status", row.status);
    append_text(body, "reason", row.reason);
    append_number(body, "first_failed_ms", row.first_failed_ms);
    append_number(body, "quarantined_ms", row.quarantined_ms);
    append_name(body, "row");
    body += row.row;
    body += '}';
  }

  // Quarantined rows become stored sends again, joined as far as a send goes.
  void redrive(const Turn& turn) {
    OutboxStore store(turn);
    PerStream<StoredSend> sends;
    uint64_t moved = 0;
    for (const std::string& key : store.list_quarantined({}, limits::kRedriveRows)) {
      const std::optional<QuarantinedRow> row = store.load_quarantined(key);
      if (!row.has_value()) continue;
      StoredSend& send = sends[index_of(row->stream)];
      if (send.rows.size() + row->row.size() + 2 > limits::kSendBytesMax) flush(store, send);
      if (send.rows.empty()) {
        send.stream = row->stream;
        send.first_failed_ms = row->first_failed_ms;
        send.status = row->status;
        send.reason = row->reason;
      }
      send.rows += send.rows.empty() ? "[" : ",";
      send.rows += row->row;
      ++send.row_count;
      store.erase_quarantined(*row);
      ++moved;
    }
    for (StoredSend& send : sends) flush(store, send);
    if (moved > 0) store.alarm_by(turn.now_ms + limits::kOutboxContinueMs);
    store.save();
    std::string body = "{";
    append_number(body, "moved", static_cast<int64_t>(moved));
    append_number(body, "left", static_cast<int64_t>(store.meta().quarantine_rows));
    body += '}';
    done(std::move(body));
  }

  static void flush(OutboxStore& store, StoredSend& send) {
    if (send.rows.empty()) return;
    send.rows += ']';
    store.put(std::exchange(send, StoredSend{}));
  }

  void finish_drain(const Turn& turn) {
    if (!drain_->finished()) return;
    const OutboxRun::Counts& counts = drain_->counts();
    OutboxStore store(turn);
    std::string body = "{";
    append_number(body, "rows_delivered", static_cast<int64_t>(counts.rows_delivered));
    append_number(body, "sends_delivered", static_cast<int64_t>(counts.sends_delivered));
    append_number(body, "rows_quarantined", static_cast<int64_t>(counts.rows_quarantined));
    append_number(body, "failures", static_cast<int64_t>(counts.failures));
    append_number(body, "sends_left", static_cast<int64_t>(stats_of(turn, store).sends()));
    body += '}';
    done(std::move(body));
  }

  std::string request_;
  OutboxFaults faults_;
  std::optional<OutboxRun> drain_;
};

class OutboxAlarm final : public Task {
 public:
  explicit OutboxAlarm(const OutboxFaults& faults) : run_(OutboxRunKind::kAlarm, faults) {}

  void start(const Turn& turn, Effects& effects) override {
    HF_ASSERT(turn.storage != nullptr);
    run_.start(turn, effects);
    if (run_.finished()) finish({});
  }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    run_.resume(turn, std::move(result), effects);
    if (run_.finished()) finish({});
  }

 private:
  OutboxRun run_;
};

}  // namespace

std::string outbox_name(uint32_t shard) { return "outbox:" + std::to_string(shard); }

std::string write_outbox_put(const OutboxPut& put) {
  std::string out;
  out.reserve(put.rows.size() + 2 * put.reason.size() + 160);
  out += '{';
  append_number(out, "version", kOutboxCallVersion);
  append_text(out, "op", "put");
  append_text(out, "stream", name_of(put.stream));
  append_number(out, "rows", put.row_count);
  append_number(out, "first_failed_ms", put.first_failed_ms);
  append_number(out, "retry_after_ms", put.retry_after_ms);
  append_number(out, "status", put.status);
  append_text(out, "reason", put.reason);
  out += "}\n";
  out += put.rows;
  return out;
}

PutResult read_put_reply(const EffectResult& result) {
  if (!result.ok) return PutResult::kFailed;
  if (result.body == result_json("stored")) return PutResult::kStored;
  return result.body == result_json("full") ? PutResult::kFull : PutResult::kFailed;
}

std::unique_ptr<Task> make_outbox_call(std::string request) {
  return make_outbox_call(std::move(request), {});
}

std::unique_ptr<Task> make_outbox_alarm() { return make_outbox_alarm(OutboxFaults{}); }

std::unique_ptr<Task> make_outbox_call(std::string request, const OutboxFaults& faults) {
  return std::make_unique<OutboxCall>(std::move(request), faults);
}

std::unique_ptr<Task> make_outbox_alarm(const OutboxFaults& faults) {
  return std::make_unique<OutboxAlarm>(faults);
}

}  // namespace hogflare
