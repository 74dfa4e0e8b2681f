// Cookieless visitors: events whose browser keeps no id get one from a hash of what the connection
// shows anyway, made with a salt that is random, of one day, and deleted afterwards
// (docs/COOKIELESS.md; PostHog nodejs/src/ingestion/common/cookieless/cookieless-manager.ts).
//
//   if (CookielessRun::has_work(events)) {
//     CookielessRun run(events, project, connection_ip(head), salts);
//     run.start(turn, effects);
//     …  if (run.owns(result.id)) run.resume(turn, std::move(result), effects);
//     if (run.finished()) … events now have their visitors' ids; run.refusals() become rejects
//   }
//
// It stands between decoding and identity, so that everything behind it sees ordinary events: the
// placeholder of all visitors never reaches a person, and neither address nor user agent a row.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "hogflare/config.h"
#include "hogflare/event.h"
#include "hogflare/flags.h"
#include "hogflare/limits.h"
#include "hogflare/request.h"
#include "hogflare/result.h"
#include "hogflare/task.h"
#include "hogflare/zones.h"

namespace hogflare {

// --- Days ---

// Whose calendar counts: the zone that `visitor` names where there is such a one, else `project`'s,
// else UTC.
struct VisitorZone {
  std::string_view visitor;
  std::string_view project;
  Zones* zones;  // Config::zones
};

// The day on that calendar as days since 1970-01-01.
int64_t cookieless_day(int64_t at_ms, const VisitorZone& zone);
// The instant at which that day begins there.
int64_t cookieless_midnight_ms(int64_t day, const VisitorZone& zone);
// `2026-05-20` and back; nullopt for any other text.
std::string cookieless_day_text(int64_t day);
std::optional<int64_t> parse_cookieless_day(std::string_view text);
// Whether the day has a salt at `now_ms`, and when it has none any more.
bool has_cookieless_salt(int64_t day, int64_t now_ms);
int64_t cookieless_salt_ends_ms(int64_t day);

// --- Ids ---

// The site a host belongs to: its registrable domain (Public Suffix List) with the port, or its
// address. Takes a host, a host with port, or a URL. What is neither stays as it is.
std::string cookieless_root_domain(std::string_view host);

// What tells one visitor from another.
struct CookielessVisitor {
  int64_t team_id = 0;
  std::string ip;
  std::string site;  // cookieless_root_domain
  std::string user_agent;
  std::string extra;  // at most limits::kCookielessExtraUnits
};

using CookielessHash = std::array<uint8_t, limits::kCookielessIdBytes>;

// Names the visitor's object; shown nowhere.
CookielessHash cookieless_visitor_key(std::string_view salt, const CookielessVisitor& visitor);
// `cookieless_…`: of the visitor's n-th id that day; -1 has no events of its own.
std::string cookieless_id(std::string_view salt, const CookielessVisitor& visitor, int64_t n);
// `cookielessd_…`: the same for all of the visitor's ids.
std::string cookieless_device_id(std::string_view salt, const CookielessVisitor& visitor);
// A version 7 uuid of the visitor's only session that day.
std::string cookieless_day_session(std::string_view salt, const CookielessVisitor& visitor,
                                   int64_t midnight_ms);

// The address a request comes from: Cloudflare's word, else the first hop that proxies name.
std::string_view connection_ip(const RequestHead& head);

// --- Salts ---

// What an isolate remembers of the projects' salts. May be lost at any time.
class CookielessSalts {
 public:
  // Null: ask the project's object. Valid until the next call.
  const std::string* find(int64_t team_id, int64_t day) const;
  void remember(int64_t team_id, int64_t day, std::string salt, int64_t now_ms);
  // Drops those whose time is over.
  void forget(int64_t now_ms);
  size_t size() const { return salts_.size(); }

 private:
  std::map<std::pair<int64_t, int64_t>, std::string> salts_;
};

// Gets the salts of some days into the isolate's memory. A part of the run that needs them.
class CookielessSaltRun {
 public:
  CookielessSaltRun(int64_t team_id, CookielessSalts& salts) : team_id_(team_id), salts_(salts) {}

  // `days` have salts now (has_cookieless_salt).
  void start(const Turn& turn, std::vector<int64_t> days, uint32_t timeout_ms, Effects& effects);
  bool owns(uint32_t effect_id) const { return effect_ != 0 && effect_ == effect_id; }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return effect_ == 0; }
  // Needs finished(). True: the object did not answer.
  bool failed() const { return failed_; }

 private:
  void ask(Effects& effects);

  int64_t team_id_;
  CookielessSalts& salts_;
  std::vector<int64_t> wanted_;
  uint32_t timeout_ms_ = limits::kObjectTimeoutMs;
  uint32_t effect_ = 0;
  bool waits_ = false;
  bool failed_ = false;
  int attempts_ = 0;
};

// --- A visitor's object ---

enum class CookielessVisit : uint8_t {
  kAnonymous = 0,   // the placeholder's event
  kIdentify = 1,    // a log-in
  kIdentified = 2,  // an event of somebody who is logged in
};

struct CookielessOp {
  CookielessVisit visit = CookielessVisit::kAnonymous;
  // By which a copy of the event is known; empty: it has no uuid of its client's.
  std::string key;
  int64_t at_ms = 0;
};

struct CookielessPlace {
  int64_t n = 0;        // which of the visitor's ids
  std::string session;  // 36 characters
};

std::string cookieless_salt_object_name(int64_t team_id);
std::string cookieless_visitor_object_name(int64_t team_id, const CookielessHash& key);
std::string write_cookieless_visit(int64_t day, std::span<const CookielessOp> ops);
std::optional<std::vector<CookielessPlace>> read_cookieless_places(std::string_view bytes);
// Asks which id the visitor has now, and changes nothing.
std::string write_cookieless_question(int64_t day);
std::optional<int64_t> read_cookieless_answer(std::string_view bytes);

// The tasks of class kCookieless, salts and visitors alike.
std::unique_ptr<Task> make_cookieless_call(std::string request);
std::unique_ptr<Task> make_cookieless_alarm();

// --- Capture ---

class CookielessRun {
 public:
  struct Refusal {
    size_t event;
    Error error;
    std::string_view warning;  // PostHog's ingestion warning beside the reject; empty: none
  };

  // Events (all of one project), project, address and salts must outlive the run, and the run what
  // it wrote into the events.
  CookielessRun(std::span<Event> events, const Project& project, std::string_view ip,
                CookielessSalts& salts);
  CookielessRun(const CookielessRun&) = delete;
  CookielessRun& operator=(const CookielessRun&) = delete;

  static bool has_work(std::span<const Event> events);

  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const {
    return salt_run_.owns(effect_id) || in_flight_.contains(effect_id);
  }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return finished_; }
  const std::vector<Refusal>& refusals() const { return refusals_; }
  // Of the events that were written anew.
  size_t memory_bytes() const;

 private:
  // An event that gets its visitor's id.
  struct Guest {
    size_t event;
    CookielessVisit visit;
    int64_t day;
    int64_t midnight_ms;  // when the day began where the visitor is
    CookielessVisitor visitor;
    std::string op_key;
    CookielessPlace place;
  };
  // The guests of one visitor's object, in the request's order.
  struct Group {
    std::string object;
    int64_t day = 0;
    std::vector<size_t> guests;
    int attempts = 0;
  };
  struct Sent {
    size_t group;
    bool waits;
  };

  void decide(size_t index, const Turn& turn);
  std::optional<Error> refuse_early(const Event& event) const;
  void refuse(size_t index, Error error, std::string_view warning);
  void place_guests(const Turn& turn, Effects& effects);
  void call_more(Effects& effects);
  void call(size_t group, Effects& effects);
  void answered(size_t group, const EffectResult& result, Effects& effects);
  void fail(size_t event) { events_[event].cookieless = CookielessPart::kFailed; }
  void finish();

  std::span<Event> events_;
  const Project& project_;
  std::string_view ip_;
  CookielessSalts& salts_;
  CookielessSaltRun salt_run_;
  std::vector<Guest> guests_;
  std::map<int64_t, std::string> salt_of_day_;  // the isolate may forget one while the run waits
  std::vector<Group> groups_;
  size_t next_group_ = 0;
  std::map<uint32_t, Sent> in_flight_;
  std::vector<Refusal> refusals_;
  bool finished_ = false;
  // What the events that were written anew point into.
  std::string text_;
  std::optional<json::Document> document_;
};

// Whether an event that was refused before it was looked at had $cookieless_mode, or capture v1's
// option of that name, by its JSON and in whatever spelling.
bool asks_for_cookieless(std::string_view event);

// What a guest's event gets.
struct CookielessIds {
  std::string distinct_id;
  std::string anon_distinct_id;  // of $identify; empty: the event keeps what it has
  std::string device_id;
  std::string session_id;
  bool names_distinct_id = false;  // stateless: properties.$distinct_id is written too
};

// Appends the event's JSON with its ids, and without address and agent.
void append_cookieless_event(std::string& out, const Event& event, const CookielessIds& ids);

// --- Flags ---

// Whom a flag request of the placeholder is about: its distinct_id becomes that visitor's.
class CookielessFlagsRun {
 public:
  // All must outlive the run. Needs the placeholder as distinct_id and a project whose mode is on.
  CookielessFlagsRun(flags::Request& request, const RequestHead& head, const Project& project,
                     CookielessSalts& salts);

  void start(const Turn& turn, Effects& effects);
  bool owns(uint32_t effect_id) const {
    return salt_run_.owns(effect_id) || (effect_ != 0 && effect_ == effect_id);
  }
  void resume(const Turn& turn, EffectResult result, Effects& effects);
  bool finished() const { return finished_; }
  // Needs finished(). kCookielessFlags, kObjectUnavailable.
  const std::optional<Error>& error() const { return error_; }

 private:
  void salt_known(Effects& effects);
  void become(int64_t n);
  void end(std::optional<Error> error);

  flags::Request& request_;
  const RequestHead& head_;
  const Project& project_;
  CookielessSalts& salts_;
  CookielessSaltRun salt_run_;
  CookielessVisitor visitor_;
  int64_t day_ = 0;
  std::string salt_;
  int attempts_ = 0;
  uint32_t effect_ = 0;
  bool finished_ = false;
  std::optional<Error> error_;
};

}  // namespace hogflare
