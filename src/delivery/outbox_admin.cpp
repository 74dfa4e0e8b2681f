// The operator's routes, in the Worker: each calls the shards and joins their answers.
#include <algorithm>
#include <map>

#include "hogflare/outbox.h"
#include "json/fields.h"
#include "json/members.h"

namespace hogflare {
namespace {

// Calls to one shard for one redrive: 10,000 rows, a full quarantine.
constexpr uint32_t kRedriveCalls =
    static_cast<uint32_t>(limits::kQuarantineRowsMax) / limits::kRedriveRows;

Reply json_reply(uint16_t status, std::string body) {
  return {
      .status = status, .headers = {{"content-type", "application/json"}}, .body = std::move(body)};
}

uint16_t status_of(uint32_t answered, uint32_t failed) {
  if (failed == 0) return 200;
  return answered > 0 ? 207 : 502;
}

class StatsTask final : public Task {
 public:
  void start(const Turn& turn, Effects& effects) override { run_.start(turn, effects); }

  void resume(const Turn& turn, EffectResult result, Effects& effects) override {
    run_.resume(turn, std::move(result), effects);
    if (!run_.finished()) return;
    const OutboxStats& stats = run_.stats();
    finish(json_reply(status_of(stats.shards, stats.shards_failed), write_outbox_stats(stats)));
  }

 private:
  OutboxStatsRun run_;
};

// Sums the numbers that every shard's answer holds, or lists the answers.
class ShardsTask final : public Task {
 public:
  ShardsTask(AdminKind kind, AdminQuery query) : kind_(kind), query_(std::move(query)) {}

  void start(const Turn&, Effects& effects) override {
    for (uint32_t shard = 0; shard < limits::kOutboxShards; ++shard) {
      if (!query_.shard.has_value() || *query_.shard == shard) to_ask_.push_back(shard);
    }
    if (to_ask_.empty()) {
      finish(json_reply(400, "{\"error\":\"shard is a number from 0 to " +
                                 std::to_string(limits::kOutboxShards - 1) + "\"}"));
      return;
    }
    ask(effects);
  }

  void resume(const Turn&, EffectResult result, Effects& effects) override {
    const auto found = in_flight_.find(result.id);
    HF_ASSERT(found != in_flight_.end());
    const uint32_t shard = found->second;
    in_flight_.erase(found);
    take_answer(shard, result);
    ask(effects);
    if (in_flight_.empty()) conclude();
  }

 private:
  std::string request() const {
    std::string out = "{";
    append_number(out, "version", kOutboxCallVersion);
    append_text(out, "op",
                kind_ == AdminKind::kDrain        ? "drain"
                : kind_ == AdminKind::kQuarantine ? "list"
                                                  : "redrive");
    if (query_.shard.has_value() && !query_.after.empty()) {
      append_text(out, "after", query_.after);
    }
    out += '}';
    return out;
  }

  void ask(Effects& effects) {
    while (in_flight_.size() < limits::kSendsAtOnce && !to_ask_.empty()) {
      const uint32_t shard = to_ask_.front();
      to_ask_.erase(to_ask_.begin());
      in_flight_.emplace(
          effects.add(CallObject{ObjectClass::kOutbox, outbox_name(shard), request()}), shard);
    }
  }

  void take_answer(uint32_t shard, const EffectResult& result) {
    const Result<json::Document> document = json::Document::parse_const(result.body, 1);
    if (!result.ok || !document.ok() || !document.value().root().is_object() ||
        document.value().root().find("error").exists()) {
      failed_.push_back(shard);
      return;
    }
    if (calls_[shard]++ == 0) ++answered_;
    const json::Value root = document.value().root();
    if (kind_ == AdminKind::kQuarantine) {
      list(shard, root);
      return;
    }
    for (const json::Member member : root.members()) {
      if (member.key_is("left")) {
        left_[shard] = to_number(member.value);  // the last answer's, not a sum
      } else {
        sums_[member.key()] += to_number(member.value);
      }
    }
    const bool goes_on = kind_ == AdminKind::kRedriveQuarantine && number_of(root, "moved") > 0 &&
                         number_of(root, "left") > 0 && calls_[shard] < kRedriveCalls;
    if (goes_on) to_ask_.push_back(shard);
  }

  void list(uint32_t shard, const json::Value& answer) {
    sums_["total"] += number_of(answer, "total");
    if (!pages_.empty()) pages_ += ',';
    pages_ += "{\"shard\":" + std::to_string(shard) + ",\"rows\":";
    pages_ += answer.find("rows").exists() ? answer.find("rows").raw() : "[]";
    pages_ += ",\"next\":";
    pages_ += answer.find("next").exists() ? answer.find("next").raw() : "null";
    pages_ += '}';
  }

  void conclude() {
    std::string body = "{";
    for (const auto& [name, sum] : sums_) append_number(body, name, sum);
    if (kind_ == AdminKind::kRedriveQuarantine) {
      int64_t left = 0;
      for (const auto& [shard, rows] : left_) left += rows;
      append_number(body, "left", left);
    }
    if (kind_ == AdminKind::kQuarantine) {
      append_name(body, "shards");
      body += '[' + pages_ + ']';
    }
    append_name(body, "failed_shards");
    body += '[';
    for (size_t i = 0; i < failed_.size(); ++i) {
      if (i > 0) body += ',';
      body += std::to_string(failed_[i]);
    }
    body += "]}";
    finish(
        json_reply(status_of(answered_, static_cast<uint32_t>(failed_.size())), std::move(body)));
  }

  AdminKind kind_;
  AdminQuery query_;
  std::vector<uint32_t> to_ask_;
  std::map<uint32_t, uint32_t> in_flight_;  // effect id to shard
  std::map<uint32_t, uint32_t> calls_;      // by shard, answered
  std::map<uint32_t, int64_t> left_;        // by shard
  std::map<std::string, int64_t> sums_;
  std::string pages_;
  std::vector<uint32_t> failed_;
  uint32_t answered_ = 0;
};

}  // namespace

std::unique_ptr<Task> make_admin_task(AdminKind kind, AdminQuery query) {
  if (kind == AdminKind::kOutbox) return std::make_unique<StatsTask>();
  return std::make_unique<ShardsTask>(kind, std::move(query));
}

}  // namespace hogflare
