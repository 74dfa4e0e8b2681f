#include "hogflare/person_calls.h"

#include <algorithm>

#include "hogflare/uuid.h"

namespace hogflare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kNeverInline = 64;
// Numbers and flags of a request or a reply, beside its operations or results.
constexpr size_t kHeadBytesMax = 64;
// What one result with a usual person's properties takes, so that it is written without growing.
constexpr size_t kFirstResultBytes = 500;
// Of an id or a uuid in a change: five times what one may have (limits::kIdBytesMax), so that a
// person from before the limit is still reported, and a change's row fits the sink.
constexpr size_t kChangeTextBytesMax = 8'000;
// What a request asks of its reply, and the reply's own flags. An older object takes any number as
// "changes", an older Worker asks for nothing else.
constexpr uint8_t kWantsChanges = 1;
constexpr uint8_t kWantsIdentified = 2;
// Above them six bits of how many bytes of texts there is room for: 0 nothing is said of it, 1
// none.
constexpr int kRoomShift = 2;
constexpr uint8_t kNextIsCovered = 1;
constexpr uint8_t kTookId = 2;
constexpr uint8_t kShowsIdentified = 4;
constexpr uint8_t kLeftOutChange = 8;
// In place of a text's prefix: the text is left out.
constexpr uint64_t kLeftOut = uint64_t{1} << 62;
// Of each result, where the reply shows them.
constexpr uint8_t kIsIdentified = 1;
constexpr uint8_t kIsChanged = 2;

enum ResultFlag : uint8_t {
  kExists = 1,
  kCreated = 2,
  kRefused = 4,
  kTooLarge = 8,
  // With kRefused, which no personless operation can be: refused because of the number of ids.
  kUpgraded = 16,
  kSamePerson = 32,
  kSameProperties = 64,
  kHasHashKeys = 128,
};

uint8_t flag_if(bool condition, ResultFlag flag) {
  return condition ? static_cast<uint8_t>(flag) : uint8_t{0};
}

// Three bits of the number, the first of them set, and how far they are shifted.
constexpr int kLeastRoomShift = 8;
constexpr int kMostRoomShift = 22;

uint8_t room_code(size_t bytes) {
  if (bytes == SIZE_MAX) return 0;
  int shift = kLeastRoomShift;
  while (shift < kMostRoomShift && bytes >> shift > 7) ++shift;
  const size_t digits = std::min<size_t>(bytes >> shift, 7);
  if (digits < 4) return 1;
  return static_cast<uint8_t>(2 + 4 * (shift - kLeastRoomShift) + static_cast<int>(digits - 4));
}

size_t room_of(uint8_t code) {
  if (code == 0) return SIZE_MAX;
  if (code == 1) return 0;
  return size_t{4u + (code - 2u) % 4} << (kLeastRoomShift + (code - 2) / 4);
}

size_t common_prefix(std::string_view left, std::string_view right) {
  const size_t limit = std::min(left.size(), right.size());
  size_t size = 0;
  while (size < limit && left[size] == right[size]) ++size;
  return size;
}

size_t common_suffix(std::string_view left, std::string_view right, size_t prefix) {
  const size_t limit = std::min(left.size(), right.size()) - prefix;
  size_t size = 0;
  while (size < limit && left[left.size() - 1 - size] == right[right.size() - 1 - size]) ++size;
  return size;
}

void write_change(ByteWriter& out, const PersonChange& change) {
  out.u8(static_cast<uint8_t>(change.kind));
  out.text(change.uuid);
  out.number(change.id);
  out.number(change.version);
  out.u8(change.is_identified ? 1 : 0);
  out.signed_number(change.created_at_ms);
  out.text(change.properties);
  out.text(change.distinct_id);
  out.number(change.distinct_ids.size());
  for (const std::string& id : change.distinct_ids) out.text(id);
  out.text(change.merged_into);
  out.text(change.event_uuid);
}

// What a row is made from without looking at it again.
bool is_whole(const PersonChange& change) {
  if (!is_uuid_text(change.uuid) ||
      !(change.merged_into.empty() || is_uuid_text(change.merged_into)))
    return false;
  if (change.properties.size() > limits::kPersonPropertiesBytesMax) return false;
  if (change.distinct_id.size() > kChangeTextBytesMax) return false;
  if (change.event_uuid.size() > kChangeTextBytesMax) return false;
  return std::all_of(change.distinct_ids.begin(), change.distinct_ids.end(),
                     [](const std::string& id) { return id.size() <= kChangeTextBytesMax; });
}

bool read_change(ByteReader& in, PersonChange& change) {
  const uint8_t kind = in.u8();
  if (kind > static_cast<uint8_t>(ChangeKind::kDelete)) return false;
  change.kind = static_cast<ChangeKind>(kind);
  change.uuid = in.text();
  change.id = in.number();
  change.version = in.number();
  change.is_identified = in.u8() != 0;
  change.created_at_ms = in.signed_number();
  change.properties = in.text();
  change.distinct_id = in.text();
  const size_t ids = in.count();
  for (size_t i = 0; i < ids; ++i) change.distinct_ids.emplace_back(in.text());
  change.merged_into = in.text();
  change.event_uuid = in.text();
  return in.ok() && is_whole(change);
}

// Rebuilds results out of their differences.
class ResultReader {
 public:
  ResultReader(ByteReader& in, ApplyReply& reply) : in_(in), reply_(reply) {}

  bool read() {
    const uint8_t flags = in_.u8();
    OpResult result;
    result.exists = (flags & kExists) != 0;
    result.created = (flags & kCreated) != 0;
    result.refused = (flags & kRefused) != 0;
    result.too_large = (flags & kTooLarge) != 0;
    result.is_full = result.refused && (flags & kUpgraded) != 0;
    result.upgraded = !result.refused && (flags & kUpgraded) != 0;
    if (result.exists && !read_person_of(flags, result)) return false;
    if ((flags & kHasHashKeys) != 0) read_hash_keys(result);
    reply_.results.push_back(std::move(result));
    return in_.ok();
  }

 private:
  bool read_person_of(uint8_t flags, OpResult& result) {
    if ((flags & kSamePerson) == 0) {
      uuid_ = in_.text();
      created_at_ms_ = in_.signed_number();
    }
    // Empty: "the same as before" of the first one.
    if (uuid_.size() != kUuidTextBytes) return false;
    result.uuid = uuid_;
    result.created_at_ms = created_at_ms_;
    if ((flags & kSameProperties) == 0) {
      const std::string_view last =
          reply_.property_texts.empty() ? std::string_view() : reply_.property_texts.back();
      const uint64_t prefix = in_.number();
      if (prefix == kLeftOut) {
        leave_out(result);
        return true;
      }
      const uint64_t suffix = in_.number();
      const std::string_view middle = in_.text();
      if (!is_full_ && (prefix > last.size() || suffix > last.size() - prefix)) return false;
      add_properties(last, prefix, middle, suffix);
    }
    if (reply_.property_texts.empty()) return false;
    result.properties = static_cast<uint32_t>(reply_.property_texts.size() - 1);
    result.properties_left_out = is_full_;
    return true;
  }

  void leave_out(OpResult& result) {
    if (!is_full_ || reply_.property_texts.empty()) reply_.property_texts.push_back("{}");
    is_full_ = true;
    result.properties = static_cast<uint32_t>(reply_.property_texts.size() - 1);
    result.properties_left_out = true;
  }

  // A difference that there is no room for leaves nothing for the next one to differ from.
  void add_properties(std::string_view last, size_t prefix, std::string_view middle,
                      size_t suffix) {
    if (prefix + suffix == 0) {
      is_full_ = false;
      reply_.property_texts.push_back(middle);
      return;
    }
    const size_t size = prefix + middle.size() + suffix;
    joined_bytes_ += is_full_ ? 0 : size;
    if (joined_bytes_ > limits::kPersonReplyBytesMax) is_full_ = true;
    reply_.property_texts.push_back(
        is_full_ ? std::string_view("{}")
                 : joined(last.substr(0, prefix), middle, last.substr(last.size() - suffix)));
  }

  std::string_view joined(std::string_view front, std::string_view middle, std::string_view back) {
    std::string text;
    text.reserve(front.size() + middle.size() + back.size());
    text += front;
    text += middle;
    text += back;
    reply_.joined_texts.push_back(std::move(text));
    return reply_.joined_texts.back();
  }

  void read_hash_keys(OpResult& result) {
    const size_t count = in_.count();
    for (size_t i = 0; i < count; ++i) {
      HashKey key;
      key.flag = in_.text();
      key.hash_key = in_.text();
      result.hash_keys.push_back(std::move(key));
    }
  }

  ByteReader& in_;
  ApplyReply& reply_;
  std::string_view uuid_;
  int64_t created_at_ms_ = 0;
  size_t joined_bytes_ = 0;
  bool is_full_ = false;
};

}  // namespace

bool is_uuid_text(std::string_view text) {
  return text.size() == kUuidTextBytes && Uuid::try_parse(text).has_value();
}

std::string person_object_name(int64_t team_id, std::string_view distinct_id) {
  std::string name = std::to_string(team_id);
  name += ':';
  name += distinct_id;
  return name;
}

size_t told_bytes(size_t bytes) { return room_of(room_code(bytes)); }

std::string write_apply(const ApplyRequest& request) {
  size_t bytes = kHeadBytesMax + request.self.size();
  for (const PersonOp& op : request.ops) bytes += op_bytes_max(op);
  ByteWriter out;
  out.reserve(bytes);
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(PersonCall::kApply));
  out.signed_number(request.team_id);
  out.text(request.self);
  out.number(request.offered_id);
  out.u8(static_cast<uint8_t>(request.personless));
  out.u8(static_cast<uint8_t>((request.wants_changes ? kWantsChanges : 0) |
                              (request.wants_identified ? kWantsIdentified : 0) |
                              room_code(request.texts_bytes_max) << kRoomShift));
  out.number(request.ops.size());
  for (const PersonOp& op : request.ops) write_op(out, op);
  return out.take();
}

std::optional<ApplyRequest> read_apply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kVersion || in.u8() != static_cast<uint8_t>(PersonCall::kApply)) {
    return std::nullopt;
  }
  ApplyRequest request;
  request.team_id = in.signed_number();
  request.self = in.text();
  request.offered_id = in.number();
  request.personless = in.u8() == 0 ? PersonlessMode::kStateless : PersonlessMode::kExact;
  const uint8_t wants = in.u8();
  request.wants_changes = (wants & kWantsChanges) != 0;
  request.wants_identified = (wants & kWantsIdentified) != 0;
  request.texts_bytes_max = room_of(wants >> kRoomShift);
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) {
    PersonOp op;
    if (!read_op(in, op)) return std::nullopt;
    request.ops.push_back(std::move(op));
  }
  if (!in.done()) return std::nullopt;
  return request;
}

std::string write_repoint(std::string_view self, std::string_view expected, std::string_view to) {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(PersonCall::kRepoint));
  out.text(self);
  out.text(expected);
  out.text(to);
  return out.take();
}

std::string write_describe() {
  ByteWriter out;
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(PersonCall::kDescribe));
  return out.take();
}

bool ApplyReplyWriter::is_full() const {
  return text_bytes_ >= texts_bytes_max_ ||
         text_bytes_ > limits::kPersonReplyBytesMax / 8 + limits::kCarriedBytesPerByte * op_bytes_;
}

bool ApplyReplyWriter::is_last(const Properties& properties) const {
  if (!has_last_) return false;
  if (properties.revision != 0 && properties.revision == last_revision_) return true;
  return properties.text == last_properties();
}

void ApplyReplyWriter::add(const OpResult& result, const Properties& properties,
                           const PersonOp& op) {
  if (count_ == 0) results_.reserve(kFirstResultBytes);
  const PersonAccess access = op.access;
  const bool same_person =
      has_last_ && result.uuid == at(last_uuid_) && result.created_at_ms == last_created_at_ms_;
  // A text that is not looked at costs nothing, however large.
  const bool same_properties = op.wants_text && is_last(properties);
  const bool is_left_out =
      !op.wants_text || (!same_properties && !has_room(properties.text.size()));
  const bool has_hash_keys =
      access == PersonAccess::kRead || access == PersonAccess::kWriteHashKeys;
  results_.u8(static_cast<uint8_t>(
      flag_if(result.exists, kExists) | flag_if(result.created, kCreated) |
      flag_if(result.refused, kRefused) | flag_if(result.too_large, kTooLarge) |
      flag_if(result.upgraded || result.is_full, kUpgraded) | flag_if(same_person, kSamePerson) |
      flag_if(same_properties, kSameProperties) | flag_if(has_hash_keys, kHasHashKeys)));
  if (result.exists) {
    if (!same_person) {
      last_uuid_ = write_text(result.uuid);
      results_.signed_number(result.created_at_ms);
      last_created_at_ms_ = result.created_at_ms;
    }
    if (is_left_out) {
      results_.number(kLeftOut);
      // The next one is no difference: the reader has nothing to put it on.
      last_properties_ = {};
      last_is_joined_ = false;
      last_revision_ = 0;
    } else if (!same_properties) {
      write_properties(properties.text);
      last_revision_ = properties.revision;
    }
    has_last_ = true;
  }
  if (has_hash_keys) {
    results_.number(result.hash_keys.size());
    for (const HashKey& key : result.hash_keys) {
      results_.text(key.flag);
      results_.text(key.hash_key);
    }
  }
  if (shows_identified_) {
    identified_ += static_cast<char>((result.is_identified.value_or(false) ? kIsIdentified : 0) |
                                     (result.is_changed ? kIsChanged : 0));
  }
  op_bytes_ += op_bytes_max(op);
  ++count_;
}

ApplyReplyWriter::Place ApplyReplyWriter::write_text(std::string_view text) {
  results_.text(text);
  return {results_.size() - text.size(), text.size()};
}

void ApplyReplyWriter::write_properties(std::string_view properties) {
  text_bytes_ += properties.size();
  const std::string_view last = last_properties();
  const size_t prefix = common_prefix(last, properties);
  const size_t suffix = common_suffix(last, properties, prefix);
  results_.number(prefix);
  results_.number(suffix);
  const Place written = write_text(properties.substr(prefix, properties.size() - prefix - suffix));
  last_is_joined_ = prefix + suffix > 0;
  if (last_is_joined_) {
    joined_properties_ = properties;
  } else {
    last_properties_ = written;
  }
}

std::string ApplyReplyWriter::finish(ApplyStatus status, std::string_view moved_to,
                                     bool next_is_covered, bool took_id,
                                     const std::vector<PersonChange>& changes) {
  // Who is gone is told in any case: it takes few bytes.
  const auto fits = [this](const PersonChange& change) {
    return change.kind == ChangeKind::kDelete || change.properties.size() <= texts_bytes_max_;
  };
  const auto told = std::count_if(changes.begin(), changes.end(), fits);
  const bool leaves_out = static_cast<size_t>(told) < changes.size();
  ByteWriter out;
  out.reserve(results_.size() + moved_to.size() + kHeadBytesMax);
  out.u8(kVersion);
  out.u8(static_cast<uint8_t>(status));
  out.text(moved_to);
  out.u8(static_cast<uint8_t>((next_is_covered ? kNextIsCovered : 0) | (took_id ? kTookId : 0) |
                              (shows_identified_ ? kShowsIdentified : 0) |
                              (leaves_out ? kLeftOutChange : 0)));
  out.number(count_);
  out.raw(results_.bytes());
  out.number(static_cast<uint64_t>(told));
  for (const PersonChange& change : changes) {
    if (fits(change)) write_change(out, change);
  }
  if (shows_identified_) out.text(identified_);
  return out.take();
}

std::optional<ApplyReply> read_apply_reply(std::string bytes) {
  ApplyReply reply;
  // A text short enough to lie within its string would move with it, away from its views.
  bytes.reserve(kNeverInline);
  reply.bytes = std::move(bytes);
  ByteReader in(reply.bytes);
  if (in.u8() != kVersion) return std::nullopt;
  const uint8_t status = in.u8();
  if (status > static_cast<uint8_t>(ApplyStatus::kBad)) return std::nullopt;
  reply.status = static_cast<ApplyStatus>(status);
  reply.moved_to = in.text();
  const uint8_t flags = in.u8();
  reply.next_is_covered = (flags & kNextIsCovered) != 0;
  reply.took_id = (flags & kTookId) != 0;
  reply.left_out_change = (flags & kLeftOutChange) != 0;
  const size_t count = in.count();
  ResultReader results(in, reply);
  for (size_t i = 0; i < count; ++i) {
    if (!results.read()) return std::nullopt;
  }
  const size_t changes = in.count();
  for (size_t i = 0; i < changes; ++i) {
    PersonChange change;
    if (!read_change(in, change)) return std::nullopt;
    reply.changes.push_back(std::move(change));
  }
  if ((flags & kShowsIdentified) != 0) {
    const std::string_view identified = in.text();
    if (identified.size() != reply.results.size()) return std::nullopt;
    for (size_t i = 0; i < identified.size(); ++i) {
      reply.results[i].is_identified = (identified[i] & kIsIdentified) != 0;
      reply.results[i].is_changed = (identified[i] & kIsChanged) != 0;
    }
  }
  if (!in.done()) return std::nullopt;
  return reply;
}

size_t memory_of(const ApplyReply& reply) {
  size_t bytes = reply.bytes.size();
  for (const std::string& text : reply.joined_texts) bytes += text.size();
  // The change, its row, and the row's copy on the way out.
  for (const PersonChange& change : reply.changes) bytes += 3 * change.properties.size();
  return bytes;
}

void leave_out_texts(ApplyReply& reply) {
  std::string uuids;
  uuids.reserve(kNeverInline + reply.results.size() * kUuidTextBytes);
  for (OpResult& result : reply.results) {
    if (!result.exists) continue;
    const size_t begin = uuids.size();
    uuids += result.uuid.substr(0, kUuidTextBytes);
    result.uuid = std::string_view(uuids).substr(begin);
    result.properties = 0;
    result.properties_left_out = true;
  }
  reply.property_texts = {"{}"};
  reply.changes.clear();
  reply.joined_texts.clear();
  reply.bytes = std::move(uuids);
}

}  // namespace hogflare
