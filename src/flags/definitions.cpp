#include <re2/re2.h>

#include <algorithm>

#include "hogflare/flags.h"
#include "flags/catalog.h"
#include "flags/compiler.h"

namespace hogflare::flags {
namespace {

// A value and its name, and what an object is compiled to beside that: a flag, a condition or a
// filter. Measured on documents of each (tests/conformance/flags_memory.test.mjs has them).
constexpr size_t kBytesPerValue = 100;
constexpr size_t kBytesPerObject = 150;

}  // namespace

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

std::string Definitions::members(std::span<const std::string_view> names) const {
  std::string out = "{";
  for (const std::string_view name : names) {
    const Value* member = catalog_->document.find(name);
    if (member == nullptr) continue;
    if (out.size() > 1) out.push_back(',');
    append_json_string(name, out);
    out.push_back(':');
    append_json(*member, out);
  }
  return out + "}";
}

size_t Definitions::document_bytes() const { return catalog_->document_bytes; }

size_t document_memory_bytes(std::string_view json) {
  size_t values = 1;
  size_t objects = 0;
  for (const char c : json) {
    values += (c == ',') | (c == '{') | (c == '[');
    objects += c == '{';
  }
  return 2 * json.size() + std::min(values, limits::kFlagsNodesMax) * kBytesPerValue +
         std::min(objects, limits::kFlagsNodesMax) * kBytesPerObject;
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
