#include "freshness.h"

#include "asking.h"
#include "hogflare/digest.h"
#include "hogflare/json.h"

namespace hogflare {

// The table is all projects' own.
void Freshness::start(const Turn& turn, const Project& project, bool must_ask, Effects& effects) {
  project_ = &project;
  const std::string& table = turn.config.sql_tables[static_cast<size_t>(Stream::kEvents)];
  key_ = "2/" + turn.config.sql_lake_key + "/freshness/" + to_hex(sha256(table));
  if (must_ask) return ask(turn, effects);
  read_effect_ = effects.add(ReadCache{key_});
}

bool Freshness::owns(uint32_t effect_id) const {
  return !finished_ &&
         (effect_id == read_effect_ || effect_id == write_effect_ || run_.owns(effect_id));
}

void Freshness::ask(const Turn& turn, Effects& effects) {
  insights::Asked asked =
      insights::ask({.project = planner_project(turn.config, *project_, turn.now_ms),
                     .question = R"({"kind":"_Freshness"})",
                     .dialect = insights::Dialect::kBasin,
                     .zones = turn.config.zones});
  if (asked.refusal) {
    finished_ = true;
    return;
  }
  run_.start(turn, std::move(*asked.plan), "freshness", effects);
  conclude(effects);
}

void Freshness::resume(const Turn& turn, EffectResult result, Effects& effects) {
  if (result.id == write_effect_) {
    finished_ = true;
  } else if (result.id == read_effect_) {
    read_effect_ = 0;
    if (!result.ok || result.http_status != 200) return ask(turn, effects);
    const auto kept = json::Document::parse_const(result.body, 0);
    if (kept.ok()) until_ = result.body;
    finished_ = true;
  } else {
    run_.resume(turn, std::move(result), effects);
    conclude(effects);
  }
}

void Freshness::conclude(Effects& effects) {
  if (!run_.finished() || finished_) return;
  const std::string answer = run_.fault() ? std::string() : run_.answer("{}");
  const auto document = json::Document::parse_const(answer, 1);
  const json::Value until = document.ok() ? document.value().root().find("results") : json::Value();
  if (!until.exists()) {
    finished_ = true;
    return;
  }
  until_ = until.raw();
  write_effect_ = effects.add(WriteCache{key_, until_, limits::kAnswerAgeS});
}

}  // namespace hogflare
