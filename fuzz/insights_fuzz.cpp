// Questions of hostile JSON → SQL in both dialects, and hostile rows → answers. Whatever a question
// says, what it says stands in the SQL inside of literals and quoted names only.
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

#include "hogflare/insights.h"
#include "hogflare/insights_sql.h"
#include "hogflare/result.h"
#include "table_zones.h"

using namespace hogflare;

namespace {

constexpr std::string_view kProject =
    R"({"now":"2026-03-29T12:00:00Z","timezone":"UTC","team_id":7,"one_team_only":true,)"
    R"("tables":{"events":"default.events","persons":"default.persons","distinct_ids":"default.ids","rejects":"default.rejects"},)"
    R"("cohorts":{"1":{"name":"it's","person_ids":["a'b","c"]}},)"
    R"("test_account_filters":[{"key":"email","type":"person","operator":"not_icontains","value":"@x.test"}],)"
    R"("actions":[{"id":3,"name":"act","steps":[{"event":"a"}]}]})";

// Words that no plan has: what changes something, reads elsewhere, or sets something.
constexpr std::string_view kForbidden[] = {
    "alter",    "attach", "call",   "copy",    "create",   "delete",       "detach",    "drop",
    "export",   "import", "insert", "install", "load",     "merge",        "pragma",    "set",
    "truncate", "update", "use",    "vacuum",  "read_csv", "read_parquet", "read_text", "glob"};

// The SQL without what stands in '…' and "…"; asserts that each of these ends, and none is empty of
// meaning outside: no comment, no second statement, no byte that is no ASCII.
std::string skeleton(std::string_view sql) {
  std::string out;
  for (size_t i = 0; i < sql.size(); ++i) {
    const char c = sql[i];
    if (c != '\'' && c != '"') {
      HF_ASSERT(c >= ' ' && c <= '~');
      HF_ASSERT(c != ';' && c != '\\' && c != '`');
      out += c;
      continue;
    }
    size_t end = i + 1;
    while (true) {
      end = sql.find(c, end);
      HF_ASSERT(end != std::string_view::npos);
      if (end + 1 >= sql.size() || sql[end + 1] != c) break;
      end += 2;
    }
    out += c;
    i = end;
  }
  HF_ASSERT(out.find("--") == std::string::npos && out.find("/*") == std::string::npos);
  return out;
}

void check_words(const std::string& text) {
  std::string word;
  for (const char c : text + " ") {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      continue;
    }
    for (const std::string_view forbidden : kForbidden) HF_ASSERT(word != forbidden);
    word.clear();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // The question, and behind the first NUL the rows that the engine would give.
  const std::string_view all(reinterpret_cast<const char*>(data), size);
  const std::string_view question = all.substr(0, all.find('\0'));
  const std::string_view rows = question.size() == size ? "[]" : all.substr(question.size() + 1);
  test::TableZones host;
  Zones zones(host);
  for (const insights::Dialect dialect : {insights::Dialect::kDuckdb, insights::Dialect::kBasin}) {
    const insights::Asked asked = insights::ask(
        {.project = kProject, .question = question, .dialect = dialect, .zones = &zones});
    HF_ASSERT(asked.plan.has_value() != asked.refusal.has_value());
    if (!asked.plan) {
      HF_ASSERT(!asked.refusal->sentence.empty());
      continue;
    }
    const insights::Plan& plan = *asked.plan;
    for (const insights::Statement& statement : plan.statements) {
      // SQL of the asker's own is held by its allow-list instead.
      if (plan.is_free_sql()) continue;
      check_words(skeleton(statement.sql));
    }
    const std::vector<std::string> given(plan.statements.size(), std::string(rows));
    const insights::Answered answered = plan.answer(given);
    HF_ASSERT(answered.refusal.has_value() == answered.json.empty());
  }
  return 0;
}
