// The cookieless events of a request: who is refused, whose visitor's object is called, and what
// the events become.
#include <algorithm>

#include "days.h"
#include "hogflare/cookieless.h"
#include "hogflare/digest.h"
#include "hogflare/text.h"

namespace hogflare {
namespace {

// Down to the members of properties.$set: list, event, properties, $set, member.
constexpr uint32_t kIndexDepth = 4;

// What the decisions look at in an event's properties.
struct Found {
  json::Value ip, user_agent, host, zone, extra, person_switch;

  static Found in(const json::Value& properties) {
    Found found;
    if (!properties.exists()) return found;
    const std::pair<std::string_view, json::Value*> places[] = {
        {"$ip", &found.ip},
        {"$raw_user_agent", &found.user_agent},
        {"$host", &found.host},
        {"$timezone", &found.zone},
        {"$cookieless_extra", &found.extra},
        {"$process_person_profile", &found.person_switch}};
    for (const json::Member member : properties.members()) {
      for (const auto& [name, place] : places) {
        if (member.key_is(name)) *place = member.value;
      }
    }
    return found;
  }
};

std::string text_of(const json::Value& value) {
  return value.is_string() ? value.text() : std::string();
}

// A client may tell visitors apart by a number, too.
std::string extra_of(const json::Value& value) {
  std::string text = value.is_number() ? std::string(value.raw()) : text_of(value);
  text.resize(first_utf16_units(text, limits::kCookielessExtraUnits).size());
  return text;
}

// By which a copy of the event is known: its uuid, and what it says, for some clients give many
// events one uuid. Empty without a uuid of the client's.
std::string op_key_of(const Event& event, CookielessVisit visit) {
  const json::Value given = event.root.find("uuid");
  const bool has_uuid = given.exists() && !given.is_null();
  if (!has_uuid && visit != CookielessVisit::kIdentify) return {};
  std::string text = event.uuid;
  text.append(1, '\0').append(event.name).append(1, '\0').append(event.distinct_id);
  const Sha256Digest digest = sha256(text);
  // Log-ins are counted by it.
  const size_t size = visit == CookielessVisit::kIdentify ? 16 : 8;
  return std::string(digest.begin(), digest.begin() + static_cast<std::ptrdiff_t>(size));
}

bool is_merge(const Event& event) {
  return event.name == "$create_alias" || event.name == "$merge_dangerously";
}

}  // namespace

CookielessRun::CookielessRun(std::span<Event> events, const Project& project, std::string_view ip,
                             CookielessSalts& salts)
    : events_(events),
      project_(project),
      ip_(ip),
      salts_(salts),
      salt_run_(project.team_id, salts) {}

bool CookielessRun::has_work(std::span<const Event> events) {
  return std::any_of(events.begin(), events.end(), [](const Event& event) {
    return event.cookieless == CookielessPart::kAsked ||
           event.cookieless == CookielessPart::kPlaceholder;
  });
}

size_t CookielessRun::memory_bytes() const {
  return text_.capacity() + (document_ ? document_->node_count() * sizeof(json::Node) : 0);
}

void CookielessRun::start(const Turn& turn, Effects& effects) {
  std::vector<int64_t> days;
  for (size_t i = 0; i < events_.size(); ++i) decide(i, turn);
  for (const Guest& guest : guests_) days.push_back(guest.day);
  if (guests_.empty()) return finish();
  salt_run_.start(turn, std::move(days), limits::kObjectTimeoutMs, effects);
  if (salt_run_.finished()) place_guests(turn, effects);
}

// In PostHog's order.
std::optional<Error> CookielessRun::refuse_early(const Event& event) const {
  if (event.cookieless == CookielessPart::kPlaceholder) {
    return Error{ErrorCode::kCookielessPlaceholder,
                 "a distinct_id that all visitors share belongs to nobody; send $cookieless_mode"};
  }
  const bool is_identify = event.name == "$identify";
  if (is_merge(event) || (is_identify && is_cookieless_placeholder(event.distinct_id))) {
    return Error{ErrorCode::kCookielessUnsupported, event.name};
  }
  if (is_identify && project_.cookieless == CookielessMode::kStateless) {
    return Error{ErrorCode::kCookielessNoIdentify,
                 "set HOGFLARE_COOKIELESS or the project's \"cookieless\" to stateful to take it"};
  }
  if (project_.cookieless == CookielessMode::kDisabled) {
    return Error{ErrorCode::kCookielessDisabled,
                 "set HOGFLARE_COOKIELESS or the project's \"cookieless\" to stateless or "
                 "stateful"};
  }
  return std::nullopt;
}

void CookielessRun::refuse(size_t index, Error error, std::string_view warning) {
  events_[index].cookieless = CookielessPart::kRefused;
  refusals_.push_back({index, std::move(error), warning});
}

void CookielessRun::decide(size_t index, const Turn& turn) {
  Event& event = events_[index];
  if (event.cookieless != CookielessPart::kAsked &&
      event.cookieless != CookielessPart::kPlaceholder) {
    return;
  }
  if (std::optional<Error> error = refuse_early(event)) {
    const bool warns = error->code == ErrorCode::kCookielessNoIdentify;
    return refuse(index, std::move(*error),
                  warns ? error_info(ErrorCode::kCookielessNoIdentify).tag : std::string_view());
  }
  const Found found = Found::in(event.properties);
  Guest guest;
  guest.event = index;
  guest.visit = event.name == "$identify" && !event.person_processing_off
                    ? CookielessVisit::kIdentify
                : is_cookieless_placeholder(event.distinct_id) ? CookielessVisit::kAnonymous
                                                               : CookielessVisit::kIdentified;
  CookielessVisitor& visitor = guest.visitor;
  visitor.team_id = project_.team_id;
  visitor.user_agent = text_of(found.user_agent);
  visitor.ip = text_of(found.ip);
  if (visitor.ip.empty()) visitor.ip = ip_;
  visitor.site = cookieless_root_domain(text_of(found.host));
  visitor.extra = extra_of(found.extra);
  if (visitor.user_agent.empty()) {
    return refuse(index, {ErrorCode::kCookielessMissingAgent, "properties.$raw_user_agent"},
                  "cookieless_missing_user_agent");
  }
  if (visitor.ip.empty()) {
    return refuse(index, {ErrorCode::kCookielessMissingIp, "properties.$ip"},
                  "cookieless_missing_ip");
  }
  if (visitor.site.empty()) {
    return refuse(index, {ErrorCode::kCookielessMissingHost, "properties.$host"},
                  "cookieless_missing_host");
  }
  const auto is_out_of_range = [&](int64_t day) {
    refuse(index, {ErrorCode::kCookielessOutOfRange, cookieless_day_text(day)},
           "cookieless_timestamp_out_of_range");
  };
  if (is_far_from_cookieless_salts(event.timestamp_ms, turn.now_ms)) {
    return is_out_of_range(cookieless_day(event.timestamp_ms, VisitorZone{}));
  }
  const std::string named = text_of(found.zone);
  const VisitorZone zone{named, project_.timezone, turn.config.zones};
  guest.day = cookieless_day(event.timestamp_ms, zone);
  guest.midnight_ms = cookieless_midnight_ms(guest.day, zone);
  if (!takes_cookieless_day(guest.day, turn.now_ms, zone)) return is_out_of_range(guest.day);
  // A log-in that identity is going to drop merges nobody, so it does not count as one either.
  const bool is_dropped = found.person_switch.is_false() || project_.person_processing_opt_out;
  if (guest.visit == CookielessVisit::kIdentify && is_dropped) {
    event.cookieless = CookielessPart::kKept;
    return;
  }
  guest.op_key = op_key_of(event, guest.visit);
  guests_.push_back(std::move(guest));
}

void CookielessRun::resume(const Turn& turn, EffectResult result, Effects& effects) {
  if (salt_run_.owns(result.id)) {
    salt_run_.resume(turn, std::move(result), effects);
    if (salt_run_.finished()) place_guests(turn, effects);
    return;
  }
  const auto found = in_flight_.find(result.id);
  HF_ASSERT(found != in_flight_.end());
  const Sent sent = found->second;
  in_flight_.erase(found);
  if (sent.waits) {
    call(sent.group, effects);
  } else {
    answered(sent.group, result, effects);
  }
  call_more(effects);
  if (in_flight_.empty() && next_group_ == groups_.size()) finish();
}

void CookielessRun::place_guests(const Turn&, Effects& effects) {
  std::map<std::string, size_t> group_of;
  std::vector<Guest> placed;
  for (Guest& guest : guests_) {
    const std::string* salt =
        salt_run_.failed() ? nullptr : salts_.find(project_.team_id, guest.day);
    if (salt_run_.failed()) {
      fail(guest.event);
      continue;
    }
    if (salt == nullptr) {
      refuse(guest.event, {ErrorCode::kCookielessOutOfRange, cookieless_day_text(guest.day)},
             "cookieless_timestamp_out_of_range");
      continue;
    }
    salt_of_day_.emplace(guest.day, *salt);
    placed.push_back(std::move(guest));
    if (project_.cookieless == CookielessMode::kStateless) continue;
    const Guest& kept = placed.back();
    const std::string object = cookieless_visitor_object_name(
        project_.team_id, cookieless_visitor_key(*salt, kept.visitor));
    const auto [at, is_new] = group_of.emplace(object, groups_.size());
    if (is_new) groups_.push_back({object, kept.day, {}, 0});
    groups_[at->second].guests.push_back(placed.size() - 1);
  }
  guests_ = std::move(placed);
  call_more(effects);
  if (in_flight_.empty()) finish();
}

void CookielessRun::call_more(Effects& effects) {
  while (next_group_ < groups_.size() && in_flight_.size() < limits::kObjectCallsInFlight) {
    call(next_group_++, effects);
  }
}

void CookielessRun::call(size_t index, Effects& effects) {
  Group& group = groups_[index];
  ++group.attempts;
  std::vector<CookielessOp> ops;
  for (const size_t guest : group.guests) {
    ops.push_back(
        {guests_[guest].visit, guests_[guest].op_key, events_[guests_[guest].event].timestamp_ms});
  }
  const uint32_t id = effects.add(
      CallObject{ObjectClass::kCookieless, group.object, write_cookieless_visit(group.day, ops)});
  in_flight_[id] = {index, false};
}

void CookielessRun::answered(size_t index, const EffectResult& result, Effects& effects) {
  Group& group = groups_[index];
  std::optional<std::vector<CookielessPlace>> places;
  if (result.ok) places = read_cookieless_places(result.body);
  if (places && places->size() == group.guests.size()) {
    for (size_t i = 0; i < places->size(); ++i) {
      guests_[group.guests[i]].place = std::move((*places)[i]);
    }
    return;
  }
  if (group.attempts < limits::kCookielessAttemptsMax) {
    in_flight_[effects.add(Wait{limits::kCookielessRetryMs})] = {index, true};
    return;
  }
  for (const size_t guest : group.guests) fail(guests_[guest].event);
}

void CookielessRun::finish() {
  finished_ = true;
  std::vector<size_t> written;
  for (const Guest& guest : guests_) {
    Event& event = events_[guest.event];
    if (event.cookieless != CookielessPart::kAsked) continue;
    const std::string& salt = salt_of_day_.find(guest.day)->second;
    const bool is_stateful = project_.cookieless == CookielessMode::kStateful;
    const std::string id = cookieless_id(salt, guest.visitor, guest.place.n);
    CookielessIds ids;
    ids.distinct_id = event.distinct_id;
    if (!is_stateful || guest.visit == CookielessVisit::kAnonymous) ids.distinct_id = id;
    if (is_stateful && guest.visit == CookielessVisit::kIdentify) ids.anon_distinct_id = id;
    ids.device_id = cookieless_device_id(salt, guest.visitor);
    ids.names_distinct_id = !is_stateful;
    ids.session_id = is_stateful ? guest.place.session
                                 : cookieless_day_session(salt, guest.visitor, guest.midnight_ms);
    text_ += text_.empty() ? '[' : ',';
    append_cookieless_event(text_, event, ids);
    event.distinct_id = ids.distinct_id;
    written.push_back(guest.event);
  }
  guests_.clear();
  if (written.empty()) return;
  text_ += ']';
  Result<json::Document> document =
      json::Document::parse({text_.data(), text_.size()}, kIndexDepth);
  if (!document.ok()) {  // more values than a document may hold
    for (const size_t index : written) fail(index);
    return;
  }
  document_ = std::move(document).value();
  size_t next = 0;
  for (const json::Value root : document_->root().elements()) {
    Event& event = events_[written[next++]];
    event.cookieless = CookielessPart::kKept;
    event.root = root;
    event.properties = root.find("properties");
    const json::Value set = root.find("$set");
    const json::Value set_once = root.find("$set_once");
    event.set = set.is_null() ? json::Value() : set;
    event.set_once = set_once.is_null() ? json::Value() : set_once;
  }
}

}  // namespace hogflare
