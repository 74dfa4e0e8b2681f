// The objects of class kCookieless. A project's salt object makes a day's salt when it is first
// asked for it and deletes it at the end of its window; a visitor's object counts log-ins and keeps
// the sessions of one day, and deletes everything soon after the salt that its name was made with.
// Keys end in the day, so that forgetting reads no value.
#include <algorithm>
#include <array>

#include "days.h"
#include "hogflare/bytes.h"
#include "hogflare/cookieless.h"
#include "hogflare/digest.h"
#include "hogflare/stored_fault.h"
#include "hogflare/uuid.h"
#include "object_format.h"

namespace hogflare {
namespace {

constexpr std::string_view kSaltPrefix = "salt:";
constexpr std::string_view kVisitorPrefix = "visitor:";
constexpr std::string_view kClassName = "cookieless";
// Keys of one object: five days' salts, or one visitor.
constexpr uint32_t kKeysAtOnce = 100;
constexpr size_t kUuidBytes = 16;

std::string key_of(std::string_view prefix, int64_t day) {
  return std::string(prefix) + cookieless_day_text(day);
}

// When what is stored under `key` must be gone; 0 for a key that is none of ours.
int64_t ends_ms(std::string_view key) {
  for (const std::string_view prefix : {kSaltPrefix, kVisitorPrefix}) {
    if (key.substr(0, prefix.size()) != prefix) continue;
    const std::optional<int64_t> day = parse_cookieless_day(key.substr(prefix.size()));
    if (!day) return 0;
    return cookieless_salt_ends_ms(*day) +
           (prefix == kVisitorPrefix ? limits::kCookielessStateGraceMs : 0);
  }
  return 0;
}

// Deletes what is over and sets the alarm for what is next.
void forget(Storage& storage, int64_t now_ms) {
  int64_t next_ms = 0;
  for (const std::string_view prefix : {kSaltPrefix, kVisitorPrefix}) {
    for (const std::string& key : storage.list(prefix, {}, kKeysAtOnce)) {
      const int64_t end = ends_ms(key);
      if (end <= now_ms) {
        storage.erase(key);
      } else if (next_ms == 0 || end < next_ms) {
        next_ms = end;
      }
    }
  }
  if (storage.alarm() != next_ms) storage.set_alarm(next_ms);
}

// --- Salts ---

std::string make_salt(Entropy& entropy) {
  // The 32 random bytes that the host gave this call, of which nothing else is made.
  ByteWriter random;
  for (int i = 0; i < 4; ++i) {
    const uint64_t word = entropy.next();
    for (int shift = 0; shift < 64; shift += 8) random.u8(static_cast<uint8_t>(word >> shift));
  }
  const Sha256Digest digest = sha256(random.bytes());
  return std::string(digest.begin(), digest.end());
}

// The day's salt, new where there is none; empty for a day that must not have one.
std::string salt_of(const Turn& turn, int64_t day, std::optional<StoredFault>& fault) {
  if (!may_have_cookieless_salt(day, turn.now_ms)) return {};
  const std::string key = key_of(kSaltPrefix, day);
  std::string bytes;
  if (turn.storage->get(key, bytes)) {
    ByteReader in(bytes);
    const uint8_t version = in.u8();
    std::string salt(in.text());
    if (version == kCookielessVersion && in.done() && salt.size() == limits::kCookielessSaltBytes) {
      return salt;
    }
    fault = StoredFault{key, version, kCookielessVersion};
    return {};
  }
  std::string salt = make_salt(turn.entropy);
  ByteWriter out;
  out.u8(kCookielessVersion);
  out.text(salt);
  turn.storage->put(key, out.bytes());
  return salt;
}

// --- Visitors ---

struct Session {
  int64_t n = 0;
  std::string uuid;  // 16 bytes
  int64_t last_ms = 0;
};

struct Recent {
  std::string key;
  CookielessPlace place;  // the session as 16 bytes
};

struct Visitor {
  uint64_t forgotten = 0;  // log-ins whose keys are no longer known
  std::vector<std::string> identifies;
  std::vector<Session> sessions;  // the one touched last behind the others
  std::vector<Recent> recent;     // the same

  int64_t size() const { return static_cast<int64_t>(forgotten + identifies.size()); }
};

Visitor load_visitor(Storage& storage, const std::string& key, std::optional<StoredFault>& fault) {
  Visitor visitor;
  std::string bytes;
  if (!storage.get(key, bytes)) return visitor;
  ByteReader in(bytes);
  const uint8_t version = in.u8();
  visitor.forgotten = in.number();
  visitor.identifies.resize(in.count());
  for (std::string& identify : visitor.identifies) identify = in.text();
  visitor.sessions.resize(in.count());
  bool is_whole = true;
  for (Session& session : visitor.sessions) {
    session.n = in.signed_number();
    session.uuid = in.text();
    session.last_ms = in.signed_number();
    is_whole &= session.uuid.size() == kUuidBytes;
  }
  visitor.recent.resize(in.count());
  for (Recent& recent : visitor.recent) {
    recent.key = in.text();
    recent.place.n = in.signed_number();
    recent.place.session = in.text();
    is_whole &= recent.place.session.size() == kUuidBytes;
  }
  if (version != kCookielessVersion || !in.done() || !is_whole) {
    fault = StoredFault{key, version, kCookielessVersion};
  }
  return visitor;
}

void store_visitor(Storage& storage, const std::string& key, const Visitor& visitor) {
  ByteWriter out;
  out.u8(kCookielessVersion);
  out.number(visitor.forgotten);
  out.number(visitor.identifies.size());
  for (const std::string& identify : visitor.identifies) out.text(identify);
  out.number(visitor.sessions.size());
  for (const Session& session : visitor.sessions) {
    out.signed_number(session.n);
    out.text(session.uuid);
    out.signed_number(session.last_ms);
  }
  out.number(visitor.recent.size());
  for (const Recent& recent : visitor.recent) {
    out.text(recent.key);
    out.signed_number(recent.place.n);
    out.text(recent.place.session);
  }
  storage.put(key, out.bytes());
}

template <typename T>
void keep_last(std::vector<T>& list, size_t count) {
  if (list.size() <= count) return;
  list.erase(list.begin(), list.end() - static_cast<std::ptrdiff_t>(count));
}

// Which of the visitor's ids an event has: those before the first log-in have n = 0, the log-in
// too, and what the user does then; the next anonymous event means a log-out, and the next id. A
// log-in that comes again has the place it had: PostHog gives it the last one's, which after
// another user's log-in is theirs.
int64_t place_of(Visitor& visitor, const CookielessOp& op) {
  if (op.visit == CookielessVisit::kAnonymous) return visitor.size();
  if (op.visit == CookielessVisit::kIdentified) return visitor.size() - 1;
  const auto known = std::find(visitor.identifies.begin(), visitor.identifies.end(), op.key);
  if (known != visitor.identifies.end()) {
    return static_cast<int64_t>(visitor.forgotten) + (known - visitor.identifies.begin());
  }
  visitor.identifies.push_back(op.key);
  if (visitor.identifies.size() > limits::kCookielessIdentifiesMax) {
    visitor.identifies.erase(visitor.identifies.begin());
    ++visitor.forgotten;
  }
  return visitor.size() - 1;
}

std::string uuid_bytes(const std::string& text) {
  std::string bytes;
  int half = -1;
  for (const char c : text) {
    if (c == '-') continue;
    const int value = c <= '9' ? c - '0' : c - 'a' + 10;
    if (half >= 0) bytes += static_cast<char>(half << 4 | value);
    half = half >= 0 ? -1 : value;
  }
  return bytes;
}

std::string uuid_text(std::string_view bytes) {
  std::array<uint8_t, kUuidBytes> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return Uuid::try_parse(to_hex(array))->text();
}

std::string session_of(Visitor& visitor, int64_t n, int64_t at_ms, Entropy& entropy) {
  Session session;
  const auto known = std::find_if(visitor.sessions.begin(), visitor.sessions.end(),
                                  [n](const Session& each) { return each.n == n; });
  if (known != visitor.sessions.end()) {
    session = std::move(*known);
    visitor.sessions.erase(known);
  }
  if (session.uuid.empty() || at_ms - session.last_ms > limits::kCookielessRestMs) {
    session.uuid = uuid_bytes(Uuid::version_7(at_ms, entropy).text());
  }
  session.n = n;
  session.last_ms = at_ms;
  visitor.sessions.push_back(std::move(session));
  keep_last(visitor.sessions, limits::kCookielessSessionsMax);
  return visitor.sessions.back().uuid;
}

CookielessPlace visit(Visitor& visitor, const CookielessOp& op, Entropy& entropy) {
  const auto is_same = [&op](const Recent& each) { return !op.key.empty() && each.key == op.key; };
  const auto known = std::find_if(visitor.recent.begin(), visitor.recent.end(), is_same);
  // A copy of an event has the ids of the first.
  if (known != visitor.recent.end()) return known->place;
  CookielessPlace place;
  place.n = place_of(visitor, op);
  place.session = session_of(visitor, place.n, op.at_ms, entropy);
  if (!op.key.empty()) {
    visitor.recent.push_back({op.key, place});
    keep_last(visitor.recent, limits::kCookielessRecentMax);
  }
  return place;
}

// Every kind of call is over in one turn.
class CookielessTask final : public Task {
 public:
  explicit CookielessTask(std::string bytes) : bytes_(std::move(bytes)) {}

  void start(const Turn& turn, Effects&) override {
    ByteReader in(bytes_);
    const bool known = in.u8() == kCookielessVersion;
    const auto call = static_cast<CookielessCall>(in.u8());
    Reply reply;
    reply.status = 400;
    if (known && call == CookielessCall::kSalts) {
      give_salts(turn, in, reply);
    } else if (known && call == CookielessCall::kVisit) {
      visit_all(turn, in, reply);
    } else if (known && call == CookielessCall::kQuestion) {
      answer(turn, in, reply);
    }
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  void give_salts(const Turn& turn, ByteReader& in, Reply& reply) {
    std::vector<int64_t> days(in.count());
    for (int64_t& day : days) day = in.signed_number();
    if (!in.done()) return;
    ByteWriter out;
    out.u8(kCookielessVersion);
    out.number(days.size());
    std::optional<StoredFault> fault;
    for (const int64_t day : days) {
      out.text(salt_of(turn, day, fault));
      if (!fault) continue;
      reply = refuse_stored(turn, kClassName, *fault);
      return;
    }
    forget(*turn.storage, turn.now_ms);
    reply = {.status = 200, .headers = {}, .body = out.take()};
  }

  void visit_all(const Turn& turn, ByteReader& in, Reply& reply) {
    const int64_t day = in.signed_number();
    std::vector<CookielessOp> ops(in.count());
    bool is_known = true;
    for (CookielessOp& op : ops) {
      op.visit = static_cast<CookielessVisit>(in.u8());
      op.key = in.text();
      op.at_ms = in.signed_number();
      is_known &= op.visit <= CookielessVisit::kIdentified;
    }
    const std::string key = key_of(kVisitorPrefix, day);
    if (!in.done() || !is_known || ends_ms(key) <= turn.now_ms) return;
    std::optional<StoredFault> fault;
    Visitor visitor = load_visitor(*turn.storage, key, fault);
    if (fault) {
      reply = refuse_stored(turn, kClassName, *fault);
      return;
    }
    ByteWriter out;
    out.u8(kCookielessVersion);
    out.number(ops.size());
    for (const CookielessOp& op : ops) {
      const CookielessPlace place = visit(visitor, op, turn.entropy);
      out.signed_number(place.n);
      out.text(uuid_text(place.session));
    }
    store_visitor(*turn.storage, key, visitor);
    // A later one is for a day that the clock was ahead in.
    const int64_t set_ms = turn.storage->alarm();
    if (set_ms == 0 || set_ms > ends_ms(key)) turn.storage->set_alarm(ends_ms(key));
    reply = {.status = 200, .headers = {}, .body = out.take()};
  }

  void answer(const Turn& turn, ByteReader& in, Reply& reply) {
    const int64_t day = in.signed_number();
    if (!in.done()) return;
    std::optional<StoredFault> fault;
    const Visitor visitor = load_visitor(*turn.storage, key_of(kVisitorPrefix, day), fault);
    if (fault) {
      reply = refuse_stored(turn, kClassName, *fault);
      return;
    }
    ByteWriter out;
    out.u8(kCookielessVersion);
    out.signed_number(visitor.size());
    reply = {.status = 200, .headers = {}, .body = out.take()};
  }

  std::string bytes_;
};

class CookielessAlarm final : public Task {
 public:
  void start(const Turn& turn, Effects&) override {
    forget(*turn.storage, turn.now_ms);
    finish({});
  }
  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }
};

ByteWriter begin_call(CookielessCall call) {
  ByteWriter out;
  out.u8(kCookielessVersion);
  out.u8(static_cast<uint8_t>(call));
  return out;
}

}  // namespace

std::string cookieless_salt_object_name(int64_t team_id) {
  return std::to_string(team_id) + ":salts";
}

std::string cookieless_visitor_object_name(int64_t team_id, const CookielessHash& key) {
  return std::to_string(team_id) + ":visitor:" + to_hex(key);
}

std::string write_salt_request(std::span<const int64_t> days) {
  ByteWriter out = begin_call(CookielessCall::kSalts);
  out.number(days.size());
  for (const int64_t day : days) out.signed_number(day);
  return out.take();
}

std::optional<std::vector<std::string>> read_salt_reply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kCookielessVersion) return std::nullopt;
  std::vector<std::string> salts(in.count());
  for (std::string& salt : salts) {
    salt = in.text();
    if (!salt.empty() && salt.size() != limits::kCookielessSaltBytes) return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  return salts;
}

std::string write_cookieless_visit(int64_t day, std::span<const CookielessOp> ops) {
  ByteWriter out = begin_call(CookielessCall::kVisit);
  out.signed_number(day);
  out.number(ops.size());
  for (const CookielessOp& op : ops) {
    out.u8(static_cast<uint8_t>(op.visit));
    out.text(op.key);
    out.signed_number(op.at_ms);
  }
  return out.take();
}

std::optional<std::vector<CookielessPlace>> read_cookieless_places(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kCookielessVersion) return std::nullopt;
  std::vector<CookielessPlace> places(in.count());
  for (CookielessPlace& place : places) {
    place.n = in.signed_number();
    place.session = in.text();
    if (place.session.size() != 36) return std::nullopt;
  }
  if (!in.done()) return std::nullopt;
  return places;
}

std::string write_cookieless_question(int64_t day) {
  ByteWriter out = begin_call(CookielessCall::kQuestion);
  out.signed_number(day);
  return out.take();
}

std::optional<int64_t> read_cookieless_answer(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kCookielessVersion) return std::nullopt;
  const int64_t n = in.signed_number();
  if (!in.done()) return std::nullopt;
  return n;
}

std::unique_ptr<Task> make_cookieless_call(std::string request) {
  return std::make_unique<CookielessTask>(std::move(request));
}

std::unique_ptr<Task> make_cookieless_alarm() { return std::make_unique<CookielessAlarm>(); }

}  // namespace hogflare
