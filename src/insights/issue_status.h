// What is decided about an issue (the exceptions of one fingerprint), and what came of it.
//
// A decision is an event of our own, issue_status_changed, with the properties `issue` (the
// fingerprint), `status` (active, resolved, ignored) and, of ignored, `until_people` and
// `until_occurrences`: how many people, or events, it takes after the decision until the issue is
// active again. The newest counts. A resolved issue that is met after the decision is active again.
//
//   built.statements.push_back(decisions_statement(context));
//   Decisions decisions = read_decisions(table);
//   decisions.status_of(fingerprint);  // "active", "resolved" or "ignored"
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "insights/kinds.h"

namespace hogflare::insights {

struct Decision {
  std::string status;  // as decided: active, resolved or ignored
  int64_t at_us = 0;
  std::optional<int64_t> until_people, until_occurrences;  // 1 or more
  int64_t people = 0, occurrences = 0;                     // that met it after `at_us`

  // What holds now: active where a resolved issue was met again, or a bound of an ignored one is
  // reached.
  std::string_view status_now() const;
};

class Decisions {
 public:
  void add(std::string fingerprint, Decision decision) {
    of_.insert_or_assign(std::move(fingerprint), std::move(decision));
  }
  std::string_view status_of(const std::string& fingerprint) const;
  // status, at, people, occurrences and the bounds that were given; null where nothing was decided.
  Json json_of(const std::string& fingerprint) const;

 private:
  std::map<std::string, Decision> of_;
};

// The newest decision of each issue in the last kDecisionDays, with what met it since.
Statement decisions_statement(const Context& context);
Decisions read_decisions(const Rows& table);

}  // namespace hogflare::insights
