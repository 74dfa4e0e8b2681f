#include "hogflare/group_calls.h"

#include <algorithm>
#include <cstdlib>

#include "hogflare/bytes.h"
#include "hogflare/limits.h"
#include "hogflare/property_bag.h"
#include "hogflare/stored_fault.h"

namespace hogflare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kGroupKey = "group";
constexpr std::string_view kTypesKey = "types";

enum class GroupCall : uint8_t { kApply = 1, kTypes = 2 };

struct Group {
  bool exists = false;
  uint64_t version = 0;
  int64_t created_at_ms = 0;
  std::string properties = "{}";
};

StoredFault fault_of(std::string_view key, uint8_t version) {
  return {std::string(key), version, kVersion};
}

Group load_group(Storage& storage, std::optional<StoredFault>& fault) {
  Group group;
  std::string bytes;
  if (!storage.get(kGroupKey, bytes)) return group;
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  group.exists = true;
  group.version = in.number();
  group.created_at_ms = in.signed_number();
  group.properties = in.text();
  // Taken apart here, for every call either shows or changes it.
  PropertyBag bag;
  if (version != kVersion || !in.done() || !bag.add_text(group.properties)) {
    fault = fault_of(kGroupKey, version);
  }
  return group;
}

void store_group(Storage& storage, const Group& group) {
  ByteWriter out;
  out.u8(kVersion);
  out.number(group.version);
  out.signed_number(group.created_at_ms);
  out.text(group.properties);
  storage.put(kGroupKey, out.bytes());
}

bool is_number(std::string_view raw) { return raw[0] == '-' || (raw[0] >= '0' && raw[0] <= '9'); }

// PostHog compares loosely here: a number and a text of that number are no change.
bool loosely_equal(std::string_view left, std::string_view right) {
  if (same_value(left, right)) return true;
  if (left[0] == '"' && is_number(right)) std::swap(left, right);
  if (!is_number(left) || right[0] != '"') return false;
  const std::string text = json::decode_string(right);
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  return !text.empty() && end == text.c_str() + text.size() &&
         number == std::strtod(std::string(left).c_str(), nullptr);
}

enum class GroupChange : uint8_t { kNone, kChanged, kTooLarge };

// A group's properties taken apart, so that many operations cost what they set and not as many times
// what the group holds. The group's stored text and the operations outlive it.
class OpenGroup {
 public:
  explicit OpenGroup(Group& group) : group_(group) {
    bag_.add_text(group.properties);
    bytes_ = bag_.text_bytes();
  }

  GroupChange apply(const GroupOp& op, int64_t now_ms) {
    PropertyBag set;
    set.add_text(op.set);
    std::vector<Undo> undo;
    const size_t bytes_before = bytes_;
    for (const PropertyBag::Entry& entry : set.entries()) {
      const PropertyBag::Entry* old = bag_.find(entry.key);
      if (old != nullptr && loosely_equal(old->value, entry.value)) continue;
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
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) types.emplace_back(in.text());
  if (version != kVersion || !in.done()) fault = fault_of(kTypesKey, version);
  return types;
}

std::string write_types(const std::vector<std::string>& types) {
  ByteWriter out;
  out.u8(kVersion);
  out.number(types.size());
  for (const std::string& type : types) out.text(type);
  return out.take();
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
    if (known && call == GroupCall::kApply) {
      apply(turn, in, reply);
    } else if (known && call == GroupCall::kTypes) {
      give_slots(turn, in, reply);
    }
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  void apply(const Turn& turn, ByteReader& in, Reply& reply) {
    std::vector<GroupOp> ops(in.count());
    for (GroupOp& op : ops) {
      op.set = in.text();
      op.timestamp_ms = in.signed_number();
    }
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
      if (change == GroupChange::kChanged) {
        has_changed = true;
        if (!is_full) {
          ++count;
          is_full = texts.bytes().size() + open.text_bytes() > limits::kGroupReplyBytesMax;
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
    ByteWriter out;
    out.u8(kVersion);
    out.number(count);
    out.raw(texts.bytes());
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
    if (types.size() != known) turn.storage->put(kTypesKey, reply.body);
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

std::string write_group_call(const std::vector<GroupOp>& ops) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(GroupCall::kApply));
  out.number(ops.size());
  for (const GroupOp& op : ops) {
    out.text(op.set);
    out.signed_number(op.timestamp_ms);
  }
  return out.take();
}

std::optional<GroupReply> read_group_reply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kVersion) return std::nullopt;
  GroupReply reply;
  const size_t texts = in.count();
  for (size_t i = 0; i < texts; ++i) reply.texts.emplace_back(in.text());
  const size_t ops = in.count();
  for (size_t i = 0; i < ops; ++i) {
    reply.after.push_back(static_cast<uint32_t>(in.number()));
    reply.too_large.push_back(in.u8() != 0);
    if (reply.after.back() >= texts) return std::nullopt;
  }
  if (!in.done() || texts == 0) return std::nullopt;
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
