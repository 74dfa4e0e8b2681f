#include "flags/selection.h"

#include <re2/re2.h>

#include <algorithm>
#include <set>

namespace hogflare::flags {
namespace {

bool runtime_fits(Runtime flag, Runtime request) {
  return flag == Runtime::kAll || request == Runtime::kAll || flag == request;
}

using Texts = std::set<std::string_view>;

bool contexts_fit(const std::vector<std::string>& flag, const Texts& request) {
  if (request.empty() || flag.empty()) return true;
  return std::any_of(flag.begin(), flag.end(),
                     [&](const std::string& tag) { return request.count(tag) > 0; });
}

bool passes(const Flag& flag, const Request& request, const Texts& contexts) {
  if (!contexts_fit(flag.contexts, contexts)) return false;
  if (request.only_survey_flags && !flag.survey) return false;
  if (flag.deleted) return false;
  // The seed reports an inactive flag as disabled instead of leaving it out.
  if (flag.dialect == Dialect::kSeed) return true;
  return flag.active && runtime_fits(flag.runtime, request.runtime);
}

}  // namespace

std::vector<Inclusion> select_flags(const Catalog& catalog, const Request& request) {
  const size_t count = catalog.flags.size();
  std::vector<Inclusion> selected(count, Inclusion::kNotAsked);
  if (request.disable_flags) return selected;
  const Texts contexts(request.evaluation_contexts.begin(), request.evaluation_contexts.end());
  std::vector<size_t> asked;
  if (request.flag_keys) {
    const Texts keys(request.flag_keys->begin(), request.flag_keys->end());
    for (size_t i = 0; i < count; ++i) {
      if (keys.count(catalog.flags[i].key) > 0) asked.push_back(i);
    }
  } else {
    for (size_t i = 0; i < count; ++i) asked.push_back(i);
  }
  for (size_t next = 0; next < asked.size(); ++next) {  // grows with dependencies
    const size_t i = asked[next];
    if (selected[i] != Inclusion::kNotAsked) continue;
    const Flag& flag = catalog.flags[i];
    selected[i] = passes(flag, request, contexts) ? Inclusion::kEvaluated : Inclusion::kFilteredOut;
    if (!request.flag_keys) continue;
    for (const int dependency : flag.dependencies) asked.push_back(static_cast<size_t>(dependency));
  }
  return selected;
}

}  // namespace hogflare::flags
