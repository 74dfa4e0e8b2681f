#include <re2/re2.h>

#include <algorithm>

#include "hogflare/flags.h"
#include "flags/catalog.h"
#include "flags/compiler.h"

namespace hogflare::flags {

Definitions::Definitions() : catalog_(std::make_unique<Catalog>()) {}
Definitions::Definitions(std::unique_ptr<const Catalog> catalog) : catalog_(std::move(catalog)) {}
Definitions::~Definitions() = default;
Definitions::Definitions(Definitions&&) noexcept = default;
Definitions& Definitions::operator=(Definitions&&) noexcept = default;

Result<Definitions> Definitions::parse(std::string_view json, const ParseOptions& options) {
  Compiler compiler(options);
  std::unique_ptr<Catalog> catalog = compiler.compile(json);
  const bool refused = compiler.is_no_document();
  std::vector<Problem> problems = compiler.take_problems();
  if (refused) {
    std::string detail;
    for (const Problem& problem : problems) {
      if (problem.severity != Severity::kError) continue;
      if (!detail.empty()) detail.push_back('\n');
      detail.append(problem.path).append(": ").append(problem.message);
    }
    return Error(ErrorCode::kInvalidFlags, std::move(detail));
  }
  catalog->problems = std::move(problems);
  return Definitions(std::move(catalog));
}

std::vector<Problem> Definitions::check(std::string_view json, const ParseOptions& options) {
  Compiler compiler(options);
  compiler.compile(json);
  std::vector<Problem> problems = compiler.take_problems();
  std::stable_sort(problems.begin(), problems.end(), [](const Problem& left, const Problem& right) {
    return left.severity < right.severity;
  });
  return problems;
}

size_t Definitions::size() const { return catalog_->flags.size(); }

const std::vector<Problem>& Definitions::problems() const { return catalog_->problems; }

const std::array<std::string, limits::kGroupTypes>& Definitions::group_types() const {
  return catalog_->group_types;
}

int Catalog::find_flag(std::string_view key) const {
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i].key == key) return static_cast<int>(i);
  }
  return kNone;
}

const std::string* Catalog::group_type(int index) const {
  if (index < 0 || index >= limits::kGroupTypes) return nullptr;
  const std::string& name = group_types[static_cast<size_t>(index)];
  return name.empty() ? nullptr : &name;
}

}  // namespace hogflare::flags
