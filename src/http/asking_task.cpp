#include "asking_task.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "hogflare/digest.h"
#include "hogflare/flags_responses.h"
#include "hogflare/insights_limits.h"
#include "hogflare/json.h"
#include "hogflare/timestamp.h"
#include "json/members.h"

namespace hogflare {

void AskingTask::start(const Turn& turn, Effects& effects) {
  if (std::optional<Fault> refused = begin(turn, effects)) return respond(fault_reply(*refused));
  conclude(turn, effects);
}

std::optional<Fault> AskingTask::begin(const Turn& turn, Effects& effects) {
  const Config& config = state().config;
  if (std::optional<Fault> refused = refuse_asking(config, request(), turn.now_ms)) return refused;
  project_ = asked_project(config, route().argument);
  if (project_ == nullptr) return no_project();
  if (std::optional<Fault> refused = read(question_)) return refused;
  names_cohorts_ = question_.query.find("cohort") != std::string::npos;
  if (names_cohorts_ && state().flags.kv_is_due(turn.now_ms)) {
    flags_effect_ = effects.add(ReadKv{config.flags_kv_key});
    return std::nullopt;
  }
  return plan(turn, effects);
}

// Cohorts stand in the flags' document, which is as long as it likes: only questions that name one
// look there.
std::optional<Fault> AskingTask::plan(const Turn& turn, Effects& effects) {
  const Config& config = state().config;
  const FlagsLease lease = state().flags.lease();
  const std::string cohorts =
      names_cohorts_ ? flags::write_cohorts_for_questions(lease.definitions()) : std::string();
  insights::Asked asked =
      insights::ask({.project = planner_project(config, *project_, turn.now_ms, cohorts),
                     .question = question_.query,
                     .dialect = insights::Dialect::kBasin,
                     .zones = config.zones});
  if (asked.refusal) return fault_of(*asked.refusal, question_.path);
  if (asked.plan->is_free_sql() && !may_ask(config, request(), turn.now_ms).may_sql) {
    return Fault{.status = 403,
                 .type = "authentication_error",
                 .code = "permission_denied",
                 .detail = "a viewer may not ask SQL; HOGFLARE_VIEWER_SQL=on allows it",
                 .attr = question_.path + ".kind"};
  }
  // Its texts: the plan's two, the answer's two, and one on its way.
  size_t bytes = 0;
  for (const insights::Statement& each : asked.plan->statements) bytes += 5 * each.sql.size();
  if (memory_.hold_more(bytes)) {
    return memory_busy("other requests take the memory that this question needs: ask again");
  }
  plan_ = std::move(*asked.plan);
  key_ = cache_key(turn, cohorts);
  if (question_.must_estimate) {
    scans_.start(turn.config, *project_, *plan_, effects);
  } else if (question_.must_ask) {
    ask(turn, effects);
  } else {
    read_effect_ = effects.add(ReadCache{key_});
  }
  return std::nullopt;
}

// How fresh the table is, is asked first, so that it is told rather too early than too late.
void AskingTask::ask(const Turn& turn, Effects& effects) {
  scans_.start(turn.config, *project_, *plan_, effects);
  freshness_.start(turn, *project_, question_.must_ask, effects);
  run_.start(turn, std::move(*plan_), question_.path, effects,
             question_.must_be_whole ? QuestionRun::Parts::kRefused : QuestionRun::Parts::kAllowed);
}

void AskingTask::resume(const Turn& turn, EffectResult result, Effects& effects) {
  if (finished()) return;
  if (result.id == flags_effect_) {
    flags_effect_ = 0;
    state().flags.take_kv(result, turn.now_ms);
    if (std::optional<Fault> refused = plan(turn, effects)) return respond(fault_reply(*refused));
  } else if (result.id == read_effect_) {
    read_effect_ = 0;
    if (result.ok && result.http_status == 200) return answer_kept(turn, result.body);
    if (question_.must_not_ask) {
      return respond(json_answer(R"({"cache_key":")" + key_ + R"(","query_status":null})"));
    }
    ask(turn, effects);
  } else if (writes_left_ > 0) {
    // Nothing else is under way by then.
    if (--writes_left_ == 0) respond(write(std::move(answer_)));
    return;
  } else if (scans_.owns(result.id)) {
    scans_.resume(result);
  } else if (freshness_.owns(result.id)) {
    freshness_.resume(turn, std::move(result), effects);
  } else if (run_.owns(result.id)) {
    run_.resume(turn, std::move(result), effects);
  }
  conclude(turn, effects);
}

// Kept answers are the answer of a kind of question with its values and instants: what the
// statements say, tables with their versions included. A question about the last days is another
// one tomorrow, by itself. Where the moment of asking stands in the statements, which makes each
// unlike the one before, its minute takes their place, and what else they come from.
std::string AskingTask::cache_key(const Turn& turn, std::string_view cohorts) const {
  std::string all = std::to_string(project_->team_id) + "\n" + question_.query;
  if (question_.must_be_whole) all += "\nwhole";
  if (plan_->is_momentary) {
    const int64_t minute = turn.now_ms / 1'000 / limits::kAnswerAgeS;
    all += planner_project(turn.config, *project_, minute, cohorts);
  } else {
    for (const insights::Statement& statement : plan_->statements) all += "\n" + statement.sql;
  }
  return "2/" + turn.config.sql_lake_key + "/" + std::to_string(project_->team_id) + "/" +
         to_hex(sha256(all));
}

uint32_t AskingTask::age_s(const Turn& turn) const {
  const int64_t until_ms = run_.plan().until_us / 1000;
  const bool is_settled = until_ms > 0 && !run_.plan().is_free_sql() && !run_.plan().is_momentary &&
                          run_.days_missing().empty() &&
                          until_ms + limits::kSettledAfterMs < turn.now_ms;
  return is_settled ? limits::kSettledAnswerAgeS : limits::kAnswerAgeS;
}

// "<time>\n" and the answer that was given then.
void AskingTask::answer_kept(const Turn& turn, const std::string& kept) {
  if (memory_.hold_more(kept.size() * limits::kQueryReplyMemoryShare)) {
    return respond(fault_reply({.status = 503,
                                .type = "server_error",
                                .code = "memory_busy",
                                .detail = "other requests take the memory that this answer needs: "
                                          "ask again",
                                .retry_after_s = 1}));
  }
  int64_t at_ms = turn.now_ms;
  const size_t end = kept.find('\n');
  std::from_chars(kept.data(), kept.data() + std::min(end, kept.size()), at_ms);
  at_ms = std::min(at_ms, turn.now_ms);
  const std::string_view answer =
      end == std::string::npos ? std::string_view() : std::string_view(kept).substr(end);
  const auto document = json::Document::parse_const(answer, 0);
  if (!document.ok() || !document.value().root().is_object()) {
    return respond(
        fault_reply({.status = 503,
                     .type = "server_error",
                     .code = "cache_unreadable",
                     .detail = "the kept answer cannot be read: ask with refresh true"}));
  }
  const std::string age_s = std::to_string((turn.now_ms - at_ms) / 1000);
  const std::string status = query_status();
  MemberTexts members;
  members.put_all(answer);
  members.put("is_cached", "true");
  members.put("cache_age_s", age_s);
  members.put("query_status", status);
  respond(write(members.object()));
}

void AskingTask::conclude(const Turn& turn, Effects& effects) {
  if (question_.must_estimate && scans_.finished()) return respond(json_answer(scans_.estimate()));
  if (!run_.finished() || writes_left_ > 0) return;
  if (!run_.fault() && !(freshness_.finished() && scans_.finished())) return;
  if (!run_.fault()) answer_ = run_.answer(envelope(turn));
  if (run_.fault()) return respond(fault_reply(*run_.fault()));
  // Waited for, since nothing that a request has begun is sure to go on once it is answered.
  if (answer_.size() <= limits::kCachedAnswerBytesMax) {
    effects.add(WriteCache{key_, std::to_string(turn.now_ms) + "\n" + answer_, age_s(turn)});
    writes_left_ = 1;
  }
  if (run_.days_missing().empty()) writes_left_ += scans_.learn(run_.cost().bytes_scanned, effects);
  if (writes_left_ == 0) respond(write(std::move(answer_)));
}

// Members in the order of their names, as those of every answer.
std::string AskingTask::query_status() const {
  std::string out = R"({"complete":true,"error":false,"error_message":null,"id":)";
  if (question_.query_id.empty()) {
    out += "null";
  } else {
    json::append_string(out, question_.query_id);
  }
  out += R"(,"query_async":false)";
  append_number(out, "team_id", project_->team_id);
  out += '}';
  return out;
}

// What stands beside the planner's answer, in the order of names too.
std::string AskingTask::envelope(const Turn& turn) const {
  std::string as_of;
  append_rfc3339(as_of, run_.cost().began_at_ms);
  std::string out = "{";
  append_name(out, "hogflare");
  out += '{';
  append_text(out, "as_of", as_of);
  append_number(out, "bytes_scanned", run_.cost().bytes_scanned + freshness_.cost().bytes_scanned);
  append_name(out, "data_until");
  out += freshness_.until();
  const std::vector<std::string> missing = run_.days_missing();
  if (!missing.empty()) {
    append_name(out, "days_missing");
    out += '[';
    for (const std::string& day : missing) {
      if (out.back() != '[') out += ',';
      json::append_string(out, day);
    }
    out += ']';
  }
  append_number(out, "duration_ms", turn.now_ms - run_.cost().began_at_ms);
  append_name(out, "sql");
  out += '[';
  for (const insights::Statement& statement : run_.plan().statements) {
    if (out.back() != '[') out += ',';
    json::append_string(out, statement.sql);
  }
  out += ']';
  append_name(out, "warnings");
  out += '[';
  if (!missing.empty()) {
    json::append_string(
        out, fmt::format("the engine gave no answer for {} of {} days, which are missing here "
                         "(days_missing): ask for them alone, or again later",
                         missing.size(), run_.days()));
  }
  out += "]}";
  append_name(out, "query_status");
  out += query_status();
  if (!run_.columns().empty()) {
    append_name(out, "columns");
    out += run_.columns();
    append_name(out, "types");
    out += run_.types();
  }
  out += '}';
  return out;
}

}  // namespace hogflare
