#include "hogflare/group_calls.h"

#include <algorithm>
#include <cstdlib>

#include "hogflare/bytes.h"
#include "hogflare/limits.h"
#include "hogflare/property_bag.h"
#include "hogflare/reply_room.h"
#include "hogflare/stored_fault.h"
#include "base/stored_value.h"

namespace hogflare {
namespace {

constexpr uint8_t kVersion = 1;        // of calls and replies
constexpr uint8_t kStoredVersion = 2;  // since then with a checksum
constexpr std::string_view kGroupKey = "group";
constexpr std::string_view kTypesKey = "types";

constexpr uint8_t kRoomVersion = 2;  // of replies to kApplyWithin

enum class GroupCall : uint8_t { kApply = 1, kTypes = 2, kApplyWithin = 3 };

struct Group {
  bool exists = false;
  uint64_t version = 0;
  int64_t created_at_ms = 0;
  std::string properties = "{}";
};

StoredFault fault_of(std::string_view key, std::string_view value) {
  const int found = value.empty() ? -1 : static_cast<uint8_t>(value[0]);
  return {std::string(key), found, kStoredVersion};
}

// What is in a stored value of this version or the one before; nullopt: damaged, or of another.
std::optional<std::string_view> body_of(std::string_view value) {
  if (!value.empty() && value[0] == 1) return value.substr(1);
  return unseal(value, kStoredVersion);
}

Group load_group(Storage& storage, std::optional<StoredFault>& fault) {
  Group group;
  std::string bytes;
  if (!storage.get(kGroupKey, bytes)) return group;
  const std::optional<std::string_view> body = body_of(bytes);
  ByteReader in(body.value_or(std::string_view()));
  group.exists = true;
  group.version = in.number();
  group.created_at_ms = in.signed_number();
  group.properties = in.text();
  // Taken apart here, for every call either shows or changes it. Without a checksum the values are
  // looked at too.
  PropertyBag bag;
  const bool is_sound = body.has_value() && in.done() && bag.add_text(group.properties) &&
                        (bytes[0] != 1 || json::Document::parse_const(group.properties, 1).ok());
  if (!is_sound) fault = fault_of(kGroupKey, bytes);
  return group;
}

void store_group(Storage& storage, const Group& group) {
  ByteWriter out;
  out.number(group.version);
  out.signed_number(group.created_at_ms);
  out.text(group.properties);
  storage.put(kGroupKey, seal(kStoredVersion, out.bytes()));
}

enum class GroupChange : uint8_t { kNone, kChanged, kTooLarge, kBad };

// A group's properties taken apart, so that many operations cost what they set and not as many
// times what the group holds. The group's stored text and the operations outlive it.
class OpenGroup {
 public:
  explicit OpenGroup(Group& group) : group_(group) {
    bag_.add_text(group.properties);
    bytes_ = bag_.text_bytes();
  }

  GroupChange apply(const GroupOp& op, int64_t now_ms) {
    PropertyBag set;
    if (!set.add_text(op.set)) return GroupChange::kBad;
    std::vector<Undo> undo;
    const size_t bytes_before = bytes_;
    for (const PropertyBag::Entry& entry : set.entries()) {
      const PropertyBag::Entry* old = bag_.find(entry.key);
      if (old != nullptr && same_json(old->value, entry.value)) continue;
      undo.push_back({entry.key, old != nullptr, old != nullptr ? old->value : std::string_view()});
      bytes_ += entry.value.size();
      bytes_ -= old != nullptr ? old->value.size() : 0;
      bytes_ += old != nullptr ? 0 : entry.key.size() + (bag_.empty() ? 3 : 4);
      bag_.set(entry.key, entry.value);
    }
    if (undo.empty() && group_.exists) return GroupChange::kNone;
    if (bytes_ > limits::kPersonPropertiesBytesMax) {
      for (const Undo& each : undo) {
        if (each.was_there) {
          bag_.set(each.key, each.value);
        } else {
          bag_.erase(each.key);
        }
      }
      bytes_ = bytes_before;
      return GroupChange::kTooLarge;
    }
    if (!group_.exists) group_.created_at_ms = std::min(now_ms, op.timestamp_ms);
    group_.exists = true;
    ++group_.version;
    return GroupChange::kChanged;
  }

  size_t text_bytes() const { return bytes_; }
  std::string text() const { return bag_.text(); }

 private:
  struct Undo {
    std::string_view key;
    bool was_there;
    std::string_view value;
  };

  Group& group_;
  PropertyBag bag_;
  size_t bytes_ = 0;  // of the text
};

std::vector<std::string> load_types(Storage& storage, std::optional<StoredFault>& fault) {
  std::vector<std::string> types;
  std::string bytes;
  if (!storage.get(kTypesKey, bytes)) return types;
  const std::optional<std::string_view> body = body_of(bytes);
  ByteReader in(body.value_or(std::string_view()));
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) types.emplace_back(in.text());
  if (!body.has_value() || !in.done()) fault = fault_of(kTypesKey, bytes);
  return types;
}

std::string types_body(const std::vector<std::string>& types) {
  ByteWriter out;
  out.number(types.size());
  for (const std::string& type : types) out.text(type);
  return out.take();
}

std::string write_types(const std::vector<std::string>& types) {
  return std::string(1, static_cast<char>(kVersion)) + types_body(types);
}

// Either kind of call is over in one turn.
class GroupTask final : public Task {
 public:
  explicit GroupTask(std::string bytes) : bytes_(std::move(bytes)) {}

  void start(const Turn& turn, Effects&) override {
    ByteReader in(bytes_);
    const bool known = in.u8() == kVersion;
    const auto call = static_cast<GroupCall>(in.u8());
    Reply reply;
    reply.status = 400;
    if (known && (call == GroupCall::kApply || call == GroupCall::kApplyWithin)) {
      apply(turn, in, call == GroupCall::kApplyWithin, reply);
    } else if (known && call == GroupCall::kTypes) {
      give_slots(turn, in, reply);
    }
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  void apply(const Turn& turn, ByteReader& in, bool says_room, Reply& reply) {
    const uint64_t room = says_room ? in.number() : UINT64_MAX;
    std::vector<GroupOp> ops(in.count());
    size_t op_bytes = 0;
    for (GroupOp& op : ops) {
      op.set = in.text();
      op.timestamp_ms = in.signed_number();
      op_bytes += op.set.size();
    }
    const uint64_t most =
        std::min<uint64_t>({room, limits::kGroupReplyBytesMax, reply_texts_most(op_bytes)});
    if (!in.done()) return;
    std::optional<StoredFault> fault;
    Group group = load_group(*turn.storage, fault);
    if (fault.has_value()) {
      reply = refuse_stored(turn, "group", *fault);
      return;
    }
    ByteWriter texts;
    ByteWriter after;
    uint64_t count = 1;
    texts.text(group.properties);
    OpenGroup open(group);
    bool is_full = false;  // no room for more texts than the last
    bool has_changed = false;
    for (const GroupOp& op : ops) {
      const GroupChange change = open.apply(op, turn.now_ms);
      if (change == GroupChange::kBad) return;  // nothing has been stored
      if (change == GroupChange::kChanged) {
        has_changed = true;
        if (!is_full) {
          ++count;
          // One that is not the last needs room for the last, too.
          is_full = texts.bytes().size() + (says_room ? 2 : 1) * open.text_bytes() > most;
          if (!is_full) texts.text(open.text());
        }
      }
      after.number(count - 1);
      after.u8(change == GroupChange::kTooLarge ? 1 : 0);
    }
    std::string properties = open.text();
    HF_ASSERT(properties.size() == open.text_bytes());
    group.properties = std::move(properties);
    if (is_full) texts.text(group.properties);
    if (has_changed) store_group(*turn.storage, group);
    // A usual group's text is no more than the room that every call has.
    const bool leaves_out = texts.bytes().size() > room;
    ByteWriter out;
    out.u8(says_room ? kRoomVersion : kVersion);
    if (says_room) out.u8(leaves_out ? 1 : 0);
    out.number(leaves_out ? 0 : count);
    if (!leaves_out) out.raw(texts.bytes());
    out.number(ops.size());
    out.raw(after.bytes());
    reply.body = out.take();
    reply.status = 200;
  }

  void give_slots(const Turn& turn, ByteReader& in, Reply& reply) {
    std::vector<std::string_view> wanted(in.count());
    for (std::string_view& type : wanted) type = in.text();
    if (!in.done()) return;
    std::optional<StoredFault> fault;
    std::vector<std::string> types = load_types(*turn.storage, fault);
    if (fault.has_value()) {
      reply = refuse_stored(turn, "group", *fault);
      return;
    }
    const size_t known = types.size();
    for (const std::string_view type : wanted) {
      if (types.size() == static_cast<size_t>(limits::kGroupTypes)) break;
      if (std::find(types.begin(), types.end(), type) == types.end()) types.emplace_back(type);
    }
    reply.body = write_types(types);
    if (types.size() != known)
      turn.storage->put(kTypesKey, seal(kStoredVersion, types_body(types)));
    reply.status = 200;
  }

  std::string bytes_;
};

}  // namespace

std::string group_object_name(int64_t team_id, std::string_view type, std::string_view key) {
  // The length keeps ("a", "b:c") and ("a:b", "c") apart.
  std::string name = std::to_string(team_id) + ":group:" + std::to_string(type.size()) + ":";
  name += type;
  name += ':';
  name += key;
  return name;
}

std::string group_types_object_name(int64_t team_id) { return std::to_string(team_id) + ":types"; }

std::string write_group_call(const std::vector<GroupOp>& ops, size_t texts_bytes_max) {
  const bool says_room = texts_bytes_max != SIZE_MAX;
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(says_room ? GroupCall::kApplyWithin : GroupCall::kApply));
  if (says_room) out.number(texts_bytes_max);
  out.number(ops.size());
  for (const GroupOp& op : ops) {
    out.text(op.set);
    out.signed_number(op.timestamp_ms);
  }
  return out.take();
}

std::optional<GroupReply> read_group_reply(std::string_view bytes) {
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  if (version != kVersion && version != kRoomVersion) return std::nullopt;
  GroupReply reply;
  reply.left_out = version == kRoomVersion && in.u8() != 0;
  const size_t texts = in.count();
  for (size_t i = 0; i < texts; ++i) reply.texts.emplace_back(in.text());
  if (reply.left_out != reply.texts.empty()) return std::nullopt;
  const size_t ops = in.count();
  for (size_t i = 0; i < ops; ++i) {
    reply.after.push_back(static_cast<uint32_t>(in.number()));
    reply.too_large.push_back(in.u8() != 0);
    if (reply.left_out) reply.after.back() = 0;
    if (reply.after.back() >= texts && !reply.left_out) return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  if (reply.left_out) reply.texts = {"{}"};
  return reply;
}

std::string write_group_types_call(const std::vector<std::string_view>& types) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(GroupCall::kTypes));
  out.number(types.size());
  for (const std::string_view type : types) out.text(type);
  return out.take();
}

std::optional<std::vector<std::string>> read_group_types_reply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kVersion) return std::nullopt;
  std::vector<std::string> types;
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) types.emplace_back(in.text());
  if (!in.done() || count > static_cast<size_t>(limits::kGroupTypes)) return std::nullopt;
  return types;
}

std::unique_ptr<Task> make_group_call(std::string request) {
  return std::make_unique<GroupTask>(std::move(request));
}

StoredGroupRecord read_stored_group(Storage& storage) {
  std::optional<StoredFault> fault;
  Group group = load_group(storage, fault);
  return {group.exists, group.version, group.created_at_ms, std::move(group.properties)};
}

}  // namespace hogflare
