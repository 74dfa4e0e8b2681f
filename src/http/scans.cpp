#include "scans.h"

#include <algorithm>
#include <charconv>

#include "hogflare/digest.h"
#include "hogflare/insights_limits.h"
#include "json/members.h"

namespace hogflare {
namespace {

// What makes one question read more a day than another are its columns and tables, so its
// statements without their instants and other numbers. Of free SQL nothing can be told but what
// the very text has read.
std::string shape_of(const insights::Plan& plan) {
  std::string shapes;
  for (const insights::Statement& statement : plan.statements) {
    std::string shape = "\n";
    for (const char c : statement.sql) {
      if (plan.days == 0 || c < '0' || c > '9') shape += c;
    }
    // A period before is of one shape with its own.
    if (shapes.find(shape) == std::string::npos) shapes += shape;
  }
  return to_hex(sha256(shapes));
}

}  // namespace

void Scans::start(const Config& config, const Project& project, const insights::Plan& plan,
                  Effects& effects) {
  is_started_ = true;
  days_ = plan.days;
  statements_ = static_cast<int64_t>(plan.statements.size());
  kind_.key = "2/" + config.sql_lake_key + "/" + std::to_string(project.team_id) + "/scan/";
  same_.key = kind_.key;
  same_.key += shape_of(plan);
  kind_.key += plan.kind;
  for (Known* known : {&same_, &kind_}) {
    // A kind's figure is one a day.
    if (known == &same_ || days_ > 0) known->effect = effects.add(ReadCache{known->key});
  }
}

bool Scans::owns(uint32_t effect_id) const {
  return effect_id != 0 && (effect_id == same_.effect || effect_id == kind_.effect);
}

void Scans::resume(const EffectResult& result) {
  Known& known = result.id == same_.effect ? same_ : kind_;
  known.effect = 0;
  if (!result.ok || result.http_status != 200) return;
  std::from_chars(result.body.data(), result.body.data() + result.body.size(), known.bytes);
}

std::string Scans::estimate() const {
  const bool is_same = same_.bytes > 0;
  const int64_t each = is_same ? same_.bytes : kind_.bytes;
  // What was kept may be any number.
  int64_t bytes = 0;
  if (__builtin_mul_overflow(each, std::max<int64_t>(days_, 1), &bytes)) bytes = INT64_MAX;
  const int64_t billed = std::max(bytes, statements_ * limits::kBilledBytesMin);
  const int64_t millionths = billed / limits::kMicrodollarBytes;
  std::string decimals = std::to_string(1'000'000 + millionths % 1'000'000);
  decimals[0] = '.';
  std::string out = "{";
  const auto append = [&out](std::string_view name, bool is_known, std::string_view value) {
    append_name(out, name);
    out += is_known ? value : "null";
  };
  append("basis", each > 0, is_same ? "\"same\"" : "\"kind\"");
  append("bytes", each > 0, std::to_string(bytes));
  append("days", days_ > 0, std::to_string(days_));
  append("dollars", each > 0, std::to_string(millionths / 1'000'000) + decimals);
  append("reason", each <= 0, "\"nothing like it has been answered here for a week\"");
  append("statements", true, std::to_string(statements_));
  return out + "}";
}

uint32_t Scans::learn(int64_t bytes, Effects& effects) const {
  const int64_t each = bytes / std::max<int64_t>(days_, 1);
  uint32_t writes = 0;
  for (const Known* known : {&same_, &kind_}) {
    // Of a kind the most counts.
    const bool is_news = known == &same_ || (days_ > 0 && each > kind_.bytes);
    if (each <= 0 || !is_news) continue;
    effects.add(WriteCache{known->key, std::to_string(each), limits::kScanKnownAgeS});
    ++writes;
  }
  return writes;
}

}  // namespace hogflare
