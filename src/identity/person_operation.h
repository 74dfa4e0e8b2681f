// One operation's work on the record at hand: creation, update, and what becomes of two people that
// are one. Everything here is one turn.
//
//   Operation operation(work, changes, op, {team_id, self, mode});
//   operation.apply(IdentifiedChange::kKeep);
//   writer.add(operation.result(), operation.row_properties(), op);
#pragma once

#include <string>
#include <string_view>

#include "identity/person_surrender.h"
#include "identity/person_work.h"

namespace hogflare {

// I-6.13: the absorbed person is published once more with this much added: it stays deleted.
inline constexpr uint64_t kDeletedVersionStep = 100;

struct OperationPlace {
  int64_t team_id = 1;
  std::string_view self;  // the object's distinct id
  PersonlessMode mode = PersonlessMode::kStateless;
};

class Operation {
 public:
  Operation(PersonWork& work, ChangeLog& changes, const PersonOp& op, const OperationPlace& place)
      : work_(work), changes_(changes), op_(op), place_(place) {}

  // The result's views and row text are valid until the next operation.
  OpResult& result() { return result_; }
  ApplyReplyWriter::Properties row_properties() {
    return {row_, row_storage_.empty() ? work_.text_revision() : 0};
  }

  // I-4, I-5: an operation without a merge, or after one was refused (I-7) or was none after all.
  void apply(IdentifiedChange identified);
  // I-6.5 to I-6.12: the other object has surrendered; `target` is its distinct id.
  void fold(SurrenderReply&& reply, const std::string& target);

 private:
  bool exact() const { return place_.mode == PersonlessMode::kExact; }
  // Copies of a call may come late, when the values they bring are no longer the last ones.
  bool is_redelivered() const;
  bool has_other() const { return work_.has_id(op_.other); }
  void show_ids();
  void show(std::string row);
  void show_person();
  void show_again();
  void report_again();
  void note_personless();
  void create(std::string uuid, bool identified);
  void update(IdentifiedChange identified, ChangeKind kind);
  void create_of_two(bool other_personless);
  void attach(const std::string& target, bool other_personless);
  void adopt(SurrenderReply&& reply);
  void absorb(SurrenderReply&& reply);
  void force_persist();
  void take_pages(const std::vector<std::string>& pages, uint64_t version_step);
  void take_reports(Person& other);
  void write_hash_keys();

  PersonWork& work_;
  ChangeLog& changes_;
  const PersonOp& op_;
  OperationPlace place_;
  OpResult result_;
  std::string row_storage_;
  std::string_view row_;
};

}  // namespace hogflare
