#include "hogflare/person.h"

#include <algorithm>
#include <array>

#include "hogflare/limits.h"
#include "identity/name_set.h"

namespace hogflare {
namespace {

// I-5.2.
constexpr NameSet kLifted(std::to_array<std::string_view>({"$app_build",
                                                           "$app_name",
                                                           "$app_namespace",
                                                           "$app_version",
                                                           "$browser",
                                                           "$browser_version",
                                                           "$current_url",
                                                           "$device_type",
                                                           "$os",
                                                           "$os_name",
                                                           "$os_version",
                                                           "$pathname",
                                                           "$raw_user_agent",
                                                           "$referrer",
                                                           "$referring_domain",
                                                           "$screen_height",
                                                           "$screen_width",
                                                           "$viewport_height",
                                                           "$viewport_width",
                                                           "_kx",
                                                           "dclid",
                                                           "epik",
                                                           "fbclid",
                                                           "gad_source",
                                                           "gbraid",
                                                           "gclid",
                                                           "gclsrc",
                                                           "igshid",
                                                           "irclid",
                                                           "li_fat_id",
                                                           "mc_cid",
                                                           "msclkid",
                                                           "qclid",
                                                           "rdt_cid",
                                                           "sccid",
                                                           "ttclid",
                                                           "twclid",
                                                           "utm_campaign",
                                                           "utm_content",
                                                           "utm_medium",
                                                           "utm_name",
                                                           "utm_source",
                                                           "utm_term",
                                                           "wbraid"}));
// Their names as the person's first values, in the same order.
constexpr auto kInitialNames = std::to_array<std::string_view>(
    {"$initial_app_build",      "$initial_app_name",     "$initial_app_namespace",
     "$initial_app_version",    "$initial_browser",      "$initial_browser_version",
     "$initial_current_url",    "$initial_device_type",  "$initial_os",
     "$initial_os_name",        "$initial_os_version",   "$initial_pathname",
     "$initial_raw_user_agent", "$initial_referrer",     "$initial_referring_domain",
     "$initial_screen_height",  "$initial_screen_width", "$initial_viewport_height",
     "$initial_viewport_width", "$initial__kx",          "$initial_dclid",
     "$initial_epik",           "$initial_fbclid",       "$initial_gad_source",
     "$initial_gbraid",         "$initial_gclid",        "$initial_gclsrc",
     "$initial_igshid",         "$initial_irclid",       "$initial_li_fat_id",
     "$initial_mc_cid",         "$initial_msclkid",      "$initial_qclid",
     "$initial_rdt_cid",        "$initial_sccid",        "$initial_ttclid",
     "$initial_twclid",         "$initial_utm_campaign", "$initial_utm_content",
     "$initial_utm_medium",     "$initial_utm_name",     "$initial_utm_source",
     "$initial_utm_term",       "$initial_wbraid"});

// I-5.3.
constexpr NameSet kNoisy(std::to_array<std::string_view>({"$browser",
                                                          "$browser_version",
                                                          "$current_url",
                                                          "$device_type",
                                                          "$geoip_accuracy_radius",
                                                          "$geoip_city_confidence",
                                                          "$geoip_country_confidence",
                                                          "$geoip_latitude",
                                                          "$geoip_longitude",
                                                          "$geoip_postal_code",
                                                          "$geoip_postal_code_confidence",
                                                          "$geoip_subdivision_1_code",
                                                          "$geoip_subdivision_1_confidence",
                                                          "$geoip_subdivision_1_name",
                                                          "$geoip_subdivision_2_code",
                                                          "$geoip_subdivision_2_confidence",
                                                          "$geoip_subdivision_2_name",
                                                          "$geoip_subdivision_3_code",
                                                          "$geoip_subdivision_3_name",
                                                          "$geoip_time_zone",
                                                          "$os",
                                                          "$os_name",
                                                          "$os_version",
                                                          "$pathname",
                                                          "$raw_user_agent",
                                                          "$referrer",
                                                          "$referring_domain",
                                                          "$screen_height",
                                                          "$screen_width",
                                                          "$viewport_height",
                                                          "$viewport_width"}));
static_assert(kLifted.complete() && kNoisy.complete());

// I-5.4: what a trim of an oversized record leaves alone.
bool is_protected_property(std::string_view name) {
  constexpr std::string_view kInitial = "$initial_";
  if (name == "email" || name == "name" || name == "$creator_event_uuid") return true;
  if (name.substr(0, kInitial.size()) == kInitial) return true;
  return is_lifted_property(name);
}

void trim_properties(PropertyBag& bag) {
  std::vector<std::string_view> names;
  for (const PropertyBag::Entry& entry : bag.entries()) {
    if (PropertyBag::alive(entry) && !is_protected_property(entry.key)) names.push_back(entry.key);
  }
  std::sort(names.begin(), names.end());
  for (const std::string_view name : names) {
    if (bag.text_bytes() <= limits::kPersonPropertiesTrimBytes) break;
    bag.erase(name);
  }
}

struct Change {
  std::string_view key;
  std::string_view value;
  bool erases;
};

// What an operation would do to a bag, before it is decided whether it is stored.
struct Changes {
  std::vector<Change> list;
  bool must_persist = false;  // something besides noisy properties that were there before
  bool has_unset = false;
  ptrdiff_t growth_bytes = 0;

  void put(const PropertyBag& bag, std::string_view key, std::string_view value) {
    const PropertyBag::Entry* old = bag.find(key);
    list.push_back({key, value, false});
    if (old == nullptr) {
      growth_bytes += static_cast<ptrdiff_t>(key.size() + value.size() + 4);
    } else {
      growth_bytes +=
          static_cast<ptrdiff_t>(value.size()) - static_cast<ptrdiff_t>(old->value.size());
    }
    if (old == nullptr || !is_noisy_property(key)) must_persist = true;
  }
};

Changes changes_of(const PropertyBag& bag, const PropertyBag& set, const PropertyBag& once,
                   const PersonOp& op) {
  Changes changes;
  for (const PropertyBag::Entry& entry : once.entries()) {
    const PropertyBag::Entry* old = bag.find(entry.key);
    const bool fills = old == nullptr || (old->value == "null" && entry.value != "null");
    if (fills && !set.has(entry.key)) changes.put(bag, entry.key, entry.value);
  }
  for (const PropertyBag::Entry& entry : set.entries()) {
    const PropertyBag::Entry* old = bag.find(entry.key);
    if (old == nullptr || !same_value(old->value, entry.value)) {
      changes.put(bag, entry.key, entry.value);
    }
  }
  for (const std::string_view key : op.unset) {
    if (!bag.has(key)) continue;
    changes.list.push_back({key, {}, true});
    changes.must_persist = true;
    changes.has_unset = true;
  }
  return changes;
}

void apply_changes(PropertyBag& bag, const Changes& changes) {
  for (const Change& change : changes.list) {
    if (change.erases) {
      bag.erase(change.key);
    } else {
      bag.set(change.key, change.value);
    }
  }
}

// I-9.2: the person's properties with changes that are shown, not stored, under the event's $set.
std::string row_text(const PropertyBag& bag, const Changes* shown, const PropertyBag& set) {
  PropertyBag row;
  row.add_bag(bag);
  if (shown != nullptr) apply_changes(row, *shown);
  row.add_bag(set);
  return row.text();
}

bool all_present(const PropertyBag& bag, const PropertyBag& set) {
  for (const PropertyBag::Entry& entry : set.entries()) {
    const PropertyBag::Entry* stored = bag.find(entry.key);
    if (stored == nullptr || stored->value != entry.value) return false;
  }
  return true;
}

}  // namespace

bool is_lifted_property(std::string_view name) { return kLifted.contains(name); }
bool is_noisy_property(std::string_view name) { return kNoisy.contains(name); }

std::string_view initial_property(std::string_view lifted) {
  const size_t place = kLifted.find(lifted);
  return place == kLifted.kNone ? std::string_view() : kInitialNames[place];
}

Update update_person(Person& person, PropertyBag& bag, const PersonOp& op,
                     IdentifiedChange identified) {
  Update update;
  PropertyBag set;
  PropertyBag once;
  if ((!op.set.empty() && !set.add_text(op.set)) ||
      (!op.set_once.empty() && op.updates_existing && !once.add_text(op.set_once))) {
    update.is_bad = true;
    return update;
  }
  bag.adopt_copies(set);
  bag.adopt_copies(once);
  const bool flips = identified == IdentifiedChange::kIdentify && !person.is_identified;

  Changes changes;
  if (op.updates_existing) changes = changes_of(bag, set, once, op);
  const size_t bytes_before = bag.text_bytes();
  const bool grows_over =
      changes.growth_bytes > 0 &&
      bytes_before + static_cast<size_t>(changes.growth_bytes) > limits::kPersonPropertiesBytesMax;
  bool trimmed = false;
  if (grows_over) {
    update.too_large = true;
    if (bytes_before > limits::kPersonPropertiesBytesMax) {
      trim_properties(bag);
      trimmed = true;
    }
    changes = {};
  }

  const bool persists =
      flips || trimmed || changes.must_persist || (op.writes_noisy && !changes.list.empty());
  if (persists) {
    apply_changes(bag, changes);
    if (flips) person.is_identified = true;
    ++person.version;
    update.persisted = true;
    if (op.wants_text && !all_present(bag, set))
      update.row_properties = row_text(bag, nullptr, set);
  } else if (!op.wants_text) {
    return update;
  } else if (!changes.list.empty() || !all_present(bag, set)) {
    update.row_properties = row_text(bag, &changes, set);
  }
  return update;
}

std::string shown_properties(const PropertyBag& bag, const PersonOp& op) {
  PropertyBag set;
  if (!op.wants_text) return {};
  if (!op.set.empty()) set.add_text(op.set);
  return all_present(bag, set) ? std::string() : row_text(bag, nullptr, set);
}

bool has_good_texts(const PersonOp& op) {
  const auto is_good = [](std::string_view text) {
    PropertyBag bag;
    return text.empty() || bag.add_text(text);
  };
  return is_good(op.set) && is_good(op.set_once);
}

uint64_t content_hash(const PersonOp& op) {
  // FNV-1a; a length before each part keeps ("a", "bc") and ("ab", "c") apart.
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view part) {
    hash = (hash ^ part.size()) * 0x100000001b3;
    for (const char c : part) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  };
  add(op.distinct_id);
  add(op.other);
  add(op.set);
  add(op.set_once);
  for (const std::string_view key : op.unset) add(key);
  return hash;
}

Created create_properties(PropertyBag& bag, const PersonOp& op) {
  PropertyBag wanted;
  if (!op.set_once.empty() && !wanted.add_text(op.set_once)) return Created::kBad;
  if (!op.set.empty() && !wanted.add_text(op.set)) return Created::kBad;
  std::string creator;
  json::append_string(creator, op.event_uuid);
  // As PropertyBag::text_bytes() will count it.
  const size_t bytes =
      wanted.text_bytes() + std::string_view("\"$creator_event_uuid\":,").size() + creator.size();
  const bool too_large = bytes > limits::kPersonPropertiesBytesMax;
  bag.adopt_copies(wanted);
  if (!too_large) bag.add_bag(wanted);
  bag.set("$creator_event_uuid", bag.keep(std::move(creator)));
  return too_large ? Created::kTooLarge : Created::kWhole;
}

bool absorb_person(Person& into, PropertyBag& bag, Person&& other) {
  bool too_large = false;
  PropertyBag theirs;
  const std::string_view their_text = bag.keep(std::move(other.properties));
  theirs.add_text(their_text);
  bag.adopt_copies(theirs);
  size_t bytes = bag.text_bytes();
  for (const PropertyBag::Entry& entry : theirs.entries()) {
    if (bag.has(entry.key)) continue;
    bytes += entry.key.size() + entry.value.size() + 4;
    if (bytes > limits::kPersonPropertiesBytesMax) {
      too_large = true;
      break;
    }
    bag.set(entry.key, entry.value);
  }
  into.created_at_ms = std::min(into.created_at_ms, other.created_at_ms);
  into.version = std::max(into.version, other.version) + 1;
  into.is_identified = true;
  if (into.id == 0) into.id = other.id;
  for (PersonId& id : other.ids) {
    into.ids.push_back({std::move(id.distinct_id), id.version + 1});
  }
  for (HashKey& theirs_key : other.hash_keys) {
    const auto same_flag = [&](const HashKey& ours) { return ours.flag == theirs_key.flag; };
    if (std::none_of(into.hash_keys.begin(), into.hash_keys.end(), same_flag)) {
      into.hash_keys.push_back(std::move(theirs_key));
    }
  }
  for (UnreportedMerge& merge : other.unreported) into.unreported.push_back(std::move(merge));
  return too_large;
}

// --- Bytes ---

namespace {

enum OpFlag : uint8_t {
  kUpdatesExisting = 1,
  kWritesNoisy = 2,
  kMayUpgrade = 4,
  kNeedsMerge = 8,
  kCovered = 16,
};

void write_recent(ByteWriter& out, const RecentChange& change) {
  out.text(change.event_uuid);
  out.number(change.content);
  out.text(change.merged_uuid);
  out.number(change.merged_version);
}

RecentChange read_recent(ByteReader& in) {
  RecentChange change;
  change.event_uuid = in.text();
  change.content = in.number();
  change.merged_uuid = in.text();
  change.merged_version = in.number();
  return change;
}

}  // namespace

size_t op_bytes_max(const PersonOp& op) {
  constexpr size_t kNumber = 10;  // bytes of the longest
  size_t bytes = op.distinct_id.size() + op.other.size() + op.event_uuid.size() + op.set.size() +
                 op.set_once.size() + 8 * kNumber;
  for (const std::string_view key : op.unset) bytes += key.size() + kNumber;
  return bytes;
}

void write_op(ByteWriter& out, const PersonOp& op) {
  out.text(op.distinct_id);
  out.text(op.other);
  out.u8(static_cast<uint8_t>(op.merge));
  out.u8(static_cast<uint8_t>(op.access));
  out.u8(static_cast<uint8_t>((op.updates_existing ? kUpdatesExisting : 0) |
                              (op.writes_noisy ? kWritesNoisy : 0) |
                              (op.may_upgrade ? kMayUpgrade : 0) |
                              (op.needs_merge ? kNeedsMerge : 0) | (op.covered ? kCovered : 0)));
  out.text(op.event_uuid);
  out.signed_number(op.timestamp_ms);
  out.text(op.set);
  out.text(op.set_once);
  out.number(op.unset.size());
  for (const std::string_view key : op.unset) out.text(key);
}

bool read_op(ByteReader& in, PersonOp& op) {
  op.distinct_id = in.text();
  op.other = in.text();
  const uint8_t merge = in.u8();
  const uint8_t access = in.u8();
  const uint8_t flags = in.u8();
  if (merge > static_cast<uint8_t>(MergeKind::kDangerously)) return false;
  if (access > static_cast<uint8_t>(PersonAccess::kWriteHashKeys)) return false;
  op.merge = static_cast<MergeKind>(merge);
  op.access = static_cast<PersonAccess>(access);
  op.updates_existing = (flags & kUpdatesExisting) != 0;
  op.writes_noisy = (flags & kWritesNoisy) != 0;
  op.may_upgrade = (flags & kMayUpgrade) != 0;
  op.needs_merge = (flags & kNeedsMerge) != 0;
  op.covered = (flags & kCovered) != 0;
  op.event_uuid = in.text();
  op.timestamp_ms = in.signed_number();
  op.set = in.text();
  op.set_once = in.text();
  op.unset.clear();
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) op.unset.push_back(in.text());
  return in.ok();
}

void write_ids(ByteWriter& out, const std::vector<PersonId>& ids) {
  out.number(ids.size());
  for (const PersonId& id : ids) {
    out.text(id.distinct_id);
    out.number(id.version);
  }
}

bool read_ids(ByteReader& in, std::vector<PersonId>& ids) {
  const size_t count = in.count();
  for (size_t i = 0; i < count; ++i) {
    PersonId id;
    id.distinct_id = in.text();
    id.version = in.number();
    ids.push_back(std::move(id));
  }
  return in.ok();
}

bool RecentChanges::Reader::next() {
  if (left_ == 0) return false;
  --left_;
  change_ = read_recent(in_);
  return true;
}

void RecentChanges::note(const RecentChange& change) {
  Reader reader(*this);
  size_t second_at = 0;
  size_t newest_at = 0;
  for (size_t i = 0; i < count_; ++i) {
    newest_at = bytes_.size() - reader.bytes_left();
    if (i == 1) second_at = newest_at;
    reader.next();
  }
  const RecentChange& newest = reader.change();
  const bool is_noted =
      count_ > 0 && newest.event_uuid == change.event_uuid && newest.content == change.content;
  if (is_noted && change.merged_uuid.empty()) return;
  ByteWriter out;
  write_recent(out, change);
  if (is_noted) {
    bytes_.resize(newest_at);
    --count_;
  } else if (count_ >= limits::kRecentChangesMax) {
    bytes_.erase(0, second_at);
    --count_;
  }
  bytes_ += out.bytes();
  ++count_;
}

void RecentChanges::write(ByteWriter& out) const {
  out.number(count_);
  out.raw(bytes_);
}

bool RecentChanges::read(ByteReader& in) {
  count_ = in.count();
  const std::string_view from = in.rest();
  for (size_t i = 0; i < count_; ++i) read_recent(in);
  bytes_ = from.substr(0, from.size() - in.rest().size());
  return in.ok();
}

void write_person(ByteWriter& out, const Person& person) {
  out.text(person.uuid);
  out.signed_number(person.created_at_ms);
  out.number(person.id);
  out.number(person.version);
  out.u8(person.is_identified ? 1 : 0);
  out.text(person.properties);
  write_ids(out, person.ids);
  out.number(person.id_pages);
  out.number(person.hash_keys.size());
  for (const HashKey& key : person.hash_keys) {
    out.text(key.flag);
    out.text(key.hash_key);
  }
  person.recent.write(out);
  out.number(person.unreported.size());
  for (const UnreportedMerge& merge : person.unreported) {
    out.text(merge.event_uuid);
    out.text(merge.distinct_id);
    out.text(merge.merged_uuid);
    out.number(merge.merged_version);
    out.signed_number(merge.merged_created_at_ms);
    out.signed_number(merge.team_id);
  }
}

bool read_person(ByteReader& in, Person& person) {
  person.uuid = in.text();
  person.created_at_ms = in.signed_number();
  person.id = in.number();
  person.version = in.number();
  person.is_identified = in.u8() != 0;
  person.properties = in.text();
  if (!read_ids(in, person.ids)) return false;
  person.id_pages = static_cast<uint32_t>(in.number());
  const size_t hash_keys = in.count();
  for (size_t i = 0; i < hash_keys; ++i) {
    HashKey key;
    key.flag = in.text();
    key.hash_key = in.text();
    person.hash_keys.push_back(std::move(key));
  }
  if (!person.recent.read(in)) return false;
  const size_t unreported = in.count();
  for (size_t i = 0; i < unreported; ++i) {
    UnreportedMerge merge;
    merge.event_uuid = in.text();
    merge.distinct_id = in.text();
    merge.merged_uuid = in.text();
    merge.merged_version = in.number();
    merge.merged_created_at_ms = in.signed_number();
    merge.team_id = in.signed_number();
    person.unreported.push_back(std::move(merge));
  }
  return in.ok();
}

}  // namespace hogflare
