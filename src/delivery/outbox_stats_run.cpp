// The outbox's figures: asked from every shard, merged, written.
#include <algorithm>

#include "hogflare/outbox.h"
#include "json/fields.h"
#include "json/members.h"

namespace hogflare {
namespace {

void merge_stream(OutboxStreamStats& into, const json::Value& from) {
  into.sends += count_of<uint64_t>(from, "sends");
  into.rows += count_of<uint64_t>(from, "rows");
  into.bytes += count_of<uint64_t>(from, "bytes");
  into.oldest_ms = earlier_of(into.oldest_ms, number_of(from, "oldest_ms"));
  into.retry_at_ms = earlier_of(into.retry_at_ms, number_of(from, "retry_at_ms"));
  const uint32_t failures = count_of<uint32_t>(from, "failures");
  std::string reason = text_of(from, "last_reason");
  if (!reason.empty() && (into.last_reason.empty() || failures > into.failures)) {
    into.last_status = count_of<uint16_t>(from, "last_status");
    into.last_reason = std::move(reason);
  }
  into.failures = std::max(into.failures, failures);
}

std::string stats_call() {
  std::string out = "{";
  append_number(out, "version", kOutboxCallVersion);
  append_text(out, "op", "stats");
  return out + "}";
}

// False when the answer is not a shard's figures.
bool merge(OutboxStats& into, const EffectResult& result) {
  if (!result.ok) return false;
  const Result<json::Document> document = json::Document::parse_const(result.body, 3);
  if (!document.ok() || !document.value().root().find("streams").is_object()) return false;
  const json::Value root = document.value().root();
  for (size_t i = 0; i < kStreamCount; ++i) {
    merge_stream(into.streams[i], root.find("streams").find(name_of(static_cast<Stream>(i))));
  }
  into.quarantine_rows += count_of<uint64_t>(root, "quarantine_rows");
  into.quarantine_bytes += count_of<uint64_t>(root, "quarantine_bytes");
  into.bytes_max += count_of<uint64_t>(root, "bytes_max");
  return true;
}

}  // namespace

void OutboxStatsRun::start(const Turn& turn, Effects& effects) {
  HF_ASSERT(!started_);
  started_ = true;
  stats_.now_ms = turn.now_ms;
  ask(effects);
}

void OutboxStatsRun::ask(Effects& effects) {
  while (in_flight_.size() < limits::kSendsAtOnce && next_shard_ < limits::kOutboxShards) {
    const uint32_t id =
        effects.add(CallObject{ObjectClass::kOutbox, outbox_name(next_shard_), stats_call()});
    in_flight_.emplace(id, next_shard_++);
  }
}

void OutboxStatsRun::resume(const Turn&, EffectResult result, Effects& effects) {
  HF_ASSERT(owns(result.id));
  in_flight_.erase(result.id);
  if (merge(stats_, result)) {
    ++stats_.shards;
  } else {
    ++stats_.shards_failed;
  }
  ask(effects);
}

std::string write_outbox_stats(const OutboxStats& stats) {
  std::string out = "{";
  append_number(out, "shards", stats.shards);
  append_number(out, "shards_failed", stats.shards_failed);
  append_number(out, "sends", static_cast<int64_t>(stats.sends()));
  append_number(out, "rows", static_cast<int64_t>(stats.rows()));
  append_number(out, "bytes", static_cast<int64_t>(stats.bytes()));
  append_number(out, "bytes_max", static_cast<int64_t>(stats.bytes_max));
  append_number(out, "oldest_age_ms", stats.oldest_age_ms());
  append_number(out, "quarantine_rows", static_cast<int64_t>(stats.quarantine_rows));
  append_number(out, "quarantine_bytes", static_cast<int64_t>(stats.quarantine_bytes));
  append_name(out, "streams");
  out += '{';
  for (size_t i = 0; i < kStreamCount; ++i) {
    const OutboxStreamStats& stream = stats.streams[i];
    append_name(out, name_of(static_cast<Stream>(i)));
    out += '{';
    append_number(out, "sends", static_cast<int64_t>(stream.sends));
    append_number(out, "rows", static_cast<int64_t>(stream.rows));
    append_number(out, "bytes", static_cast<int64_t>(stream.bytes));
    append_number(out, "oldest_ms", stream.oldest_ms);
    append_number(out, "failures", stream.failures);
    append_number(out, "retry_at_ms", stream.retry_at_ms);
    append_number(out, "last_status", stream.last_status);
    append_text(out, "last_reason", stream.last_reason);
    out += '}';
  }
  out += "}}";
  return out;
}

}  // namespace hogflare
