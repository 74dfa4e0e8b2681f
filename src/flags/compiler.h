// Turns a parsed document into a Catalog, noting every problem with its path on the way.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "flags/catalog.h"

namespace hogflare::flags {

// A cohort's id, given as a number or as its text.
std::optional<int64_t> cohort_id_of(const Value& value);

class Compiler {
 public:
  explicit Compiler(const ParseOptions& options) : options_(options) {}

  // The result is of no use when is_no_document().
  std::unique_ptr<Catalog> compile(std::string_view json);
  std::vector<Problem> take_problems() { return std::move(problems_); }
  bool is_no_document() const { return is_no_document_; }

 private:
  // A place in the document; pushes on construction, pops on destruction.
  class Scope {
   public:
    Scope(Compiler& compiler, std::string_view name)
        : compiler_(compiler), size_(compiler.path_.size()) {
      if (!compiler.path_.empty()) compiler.path_.push_back('.');
      compiler.path_.append(name);
    }
    Scope(Compiler& compiler, size_t index) : compiler_(compiler), size_(compiler.path_.size()) {
      compiler.path_.append("[").append(std::to_string(index)).append("]");
    }
    ~Scope() { compiler_.path_.resize(size_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Compiler& compiler_;
    size_t size_;
  };

  // --- problems
  void error(std::string message) { note(Severity::kError, std::move(message)); }
  void warn(std::string message) { note(Severity::kWarning, std::move(message)); }
  // An error after which the flag or cohort at hand does not parse.
  void unreadable(std::string message);
  // An error after which nothing of the text can be used.
  void no_document(std::string message);
  void note(Severity severity, std::string message);
  // Problems from `first` on are of something that does not answer.
  void soften(size_t first);

  // --- reading members; a wrong type is a problem and reads as absent
  const Value* member(const Value& object, std::string_view name, Value::Kind kind);
  // What the service cannot do without: absent or null does not parse there.
  const Value* required(const Value& object, std::string_view name, Value::Kind kind);
  bool read_bool(const Value& object, std::string_view name, bool fallback);
  std::optional<double> read_number(const Value& object, std::string_view name);
  std::optional<int64_t> read_integer(const Value& object, std::string_view name);
  std::string_view read_text(const Value& object, std::string_view name);
  std::vector<std::string> read_texts(const Value& object, std::string_view name);
  std::optional<double> read_percentage(const Value& object, std::string_view name);

  // --- the document
  void compile_document_options(const Value& document);
  void compile_group_types(const Value& mapping);
  void collect_cohorts(Value* cohorts);
  void collect_keys(const Value& flags);
  void collect_key(const Value& definition, size_t index,
                   std::unordered_map<std::string, size_t>& seen);
  void compile_cohort(size_t index, const Value& definition);
  void collect_cohort(const Value& definition, std::optional<int64_t> id);
  CohortNode compile_cohort_group(const Value& group, Cohort& cohort, int depth);
  CohortNode compile_cohort_leaf(const Value& definition, Cohort& cohort);
  CohortNode compile_old_groups(const Value& groups, Cohort& cohort);
  CohortNode compile_old_group(const Value& group, Cohort& cohort);
  void compile_members(const Value& definition, Cohort& cohort);
  void resolve_cohorts();
  void soften_unused_cohorts();
  void blame_cohort(int cohort, size_t first);
  void compile_flag(const Value& definition, Flag& flag);
  void compile_rules(const Value& definition, Flag& flag);
  void order_flags();
  void finish_flag(Flag& flag);

  // --- PostHog's format
  void compile_posthog_flag(const Value& definition, const Value& filters, Flag& flag);
  void compile_variants(const Value& filters, Flag& flag);
  void compile_payloads(const Value& filters, Flag& flag);
  int payload_of(const Flag& flag, std::string_view name) const;
  void compile_holdout(const Value& filters, Flag& flag);
  void compile_enrolment(const Value& filters, Flag& flag);
  Condition compile_condition(const Value& group, Flag& flag);
  Filter compile_filter(const Value& definition, int group_index, Flag* flag);
  Filter compile_property_filter(const Value& definition, std::string_view type, int group_index);
  Filter compile_cohort_filter(const Value& definition);
  Filter compile_flag_filter(const Value& definition, Flag* flag);
  bool is_rules_format(const Value& filters);
  void compile_rules_flag(const Value& filters, Flag& flag);
  int read_group_index(const Value& object, std::string_view name);
  void check_weights(double sum);
  // False: there are more variants than one flag may have.
  bool check_variants(const Value& variants);

  // --- the seed's dialect
  void compile_seed_flag(const Value& definition, Flag& flag);
  std::vector<SeedVariant> compile_seed_variants(const Value& owner);
  SeedCondition compile_seed_condition(const Value& definition);
  SeedFilter compile_seed_filter(const Value& definition);

  int slot(Slot wanted);

  const ParseOptions& options_;
  std::string_view text_;                                         // of the document
  std::optional<std::map<std::string, TextFaults>> text_faults_;  // read when rules need them
  std::unique_ptr<Catalog> catalog_;
  std::vector<Problem> problems_;
  std::string path_;
  bool is_no_document_ = false;
  bool unreadable_ = false;  // of the flag or cohort at hand
  std::unordered_map<std::string, int> slot_index_;
  std::unordered_map<std::string, int> flag_index_;      // by key, and by numeric id as text
  std::unordered_map<int64_t, int> cohort_index_;        // by id
  std::vector<std::pair<size_t, int>> cohort_problems_;  // index into problems_, cohort
  std::vector<const Value*> cohort_definitions_;
  std::vector<std::string> cohort_paths_;
};

}  // namespace hogflare::flags
