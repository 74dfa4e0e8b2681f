// The core's only way to act: effects as data.
//
// A task is a state machine for one request, one object call or one alarm. It is told what happened
// and answers with effects; whoever hosts it (the shim, a test, the simulator) performs them, those
// of one turn in parallel, and feeds each result back until the task has an outcome. Same inputs,
// same bytes out.
//
//   Effects effects;
//   task->start(turn, effects);
//   while (!task->finished()) task->resume(turn, perform_next(effects), effects);
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "hogflare/flags_limits.h"
#include "hogflare/limits.h"
#include "hogflare/result.h"

namespace hogflare {

// Objects live in these Durable Object classes; the value is part of the ABI (js-shim/abi.js).
enum class ObjectClass : uint8_t {
  kPerson = 0,           // binding PERSONS
  kGroup = 1,            // binding GROUPS
  kPersonIdCounter = 2,  // binding PERSON_ID_COUNTER
  kOutbox = 3,           // binding OUTBOX
  kCookieless = 4,       // binding COOKIELESS
  kLive = 5,  // binding LIVE: the host's own class, which holds sockets (js-shim/live.js)
};

enum class Stream : uint8_t { kEvents = 0, kPersons = 1, kRejects = 2, kDistinctIds = 3 };
inline constexpr int kStreamCount = 4;

// --- Effects ---

// Calls an object with a request of its own format; the result's body is its reply.
struct CallObject {
  ObjectClass object_class;
  std::string name;     // starts with the team id: "1:…", so projects never share an object
  std::string request;  // bytes
  uint32_t timeout_ms = limits::kObjectTimeoutMs;  // no answer by then counts as a failed call
};

// Sends rows to a stream's sink. The result's http_status is the sink's (0: no answer in time).
struct SendRows {
  Stream stream;
  std::string rows;  // a JSON array
  uint32_t row_count;
  uint32_t timeout_ms;
};

// Reads a value of the flags namespace. The result's body is the value; http_status 404: no such
// key. Not ok with http_status 413: it has more than `bytes_max` bytes, and nobody holds it.
struct ReadKv {
  std::string key;
  uint32_t bytes_max = limits::kFlagDefinitionsBytesMax;
};

// Reads a file of the Worker's static assets. The result's body is the file; http_status 404: there
// is none, or no assets are bound.
struct ReadAsset {
  std::string path;  // "/static/array.js"
};

// Asks the engine that reads the lake (Basin SQL) one statement, as the deployment's variables
// HOGFLARE_SQL_* say. The result's body is the engine's JSON and http_status its status; not ok: no
// answer in time, or with http_status 413 one over limits::kQueryReplyBytesMax.
struct RunQuery {
  std::string sql;
  uint32_t timeout_ms;
};

// Reads what WriteCache kept in this data centre. http_status 404: nothing, or no longer.
struct ReadCache {
  std::string key;  // [A-Za-z0-9/_-]
};

// Keeps a value for `max_age_s`, or for less: whoever misses it asks again.
struct WriteCache {
  std::string key;
  std::string value;
  uint32_t max_age_s;
};

// Changes or lists the flags namespace.
enum class KvChange : uint8_t {
  kPut = 0,  // `value` under `key`
  kDelete = 1,
  kList = 2,  // keys beginning with `key`: a JSON array of {"name", "metadata"?}, by name
};
struct ChangeKv {
  KvChange change;
  std::string key;
  // kPut: the first `metadata_size` bytes are JSON that lists show beside the key, the rest is
  // stored.
  std::string value;
  uint32_t metadata_size = 0;
};

// Gets a document that the configuration names by its address. The result's body is the document
// and http_status its status.
struct FetchDocument {
  std::string url;
  uint32_t timeout_ms;
};

// Waits. The result is empty.
struct Wait {
  uint32_t delay_ms;
};

// R2 buckets; the value is part of the ABI (js-shim/abi.js). docs/RECORDINGS.md.
enum class Bucket : uint8_t { kRecordings = 0, kSymbols = 1 };

// Puts an object into a bucket, packed as gzip and marked so by its content encoding. The result is
// empty; not ok: nobody knows whether it is there.
struct PutObject {
  Bucket bucket;
  std::string key;
  std::string bytes;
  uint32_t timeout_ms;
};

// Reads an object of at most `bytes_max` bytes, unpacked. The result's body is the object;
// http_status 404: there is none, 413: it has more.
struct GetObject {
  Bucket bucket;
  std::string key;
  uint32_t bytes_max;
};

// Keys with this prefix in byte order, behind `after` (exclusive; empty: from the first), at most
// `count_max` (R2: 1000). The result's body has them each ended by a NUL; http_status 206: there
// are more.
struct ListObjects {
  Bucket bucket;
  std::string prefix;
  std::string after;
  uint32_t count_max;
};

// Removes objects, at most 1000 (R2). Keys that are not there are fine.
struct DeleteObjects {
  Bucket bucket;
  std::string keys;  // each ended by a NUL
};

using EffectKind =
    std::variant<CallObject, SendRows, ReadKv, Wait, ReadAsset, RunQuery, ReadCache, WriteCache,
                 PutObject, GetObject, ListObjects, DeleteObjects, ChangeKv, FetchDocument>;

struct Effect {
  uint32_t id;  // unique within the task
  EffectKind kind;
};

// What became of one effect.
struct EffectResult {
  uint32_t id = 0;
  bool ok = false;  // false: no answer, an exception, a time-out
  // SendRows, ReadKv, ReadAsset, RunQuery, ReadCache, GetObject, ListObjects, ChangeKv,
  // FetchDocument
  uint16_t http_status = 0;
  // SendRows: the host let the rows travel in another request's send; that one counts the answer.
  bool shared = false;
  uint32_t retry_after_ms = 0;  // SendRows: what the sink asked for; 0 when it did not
  std::string body;             // reply bytes, or the reason when not ok
};

// Collects the effects of one turn and numbers them.
class Effects {
 public:
  // Adds an effect and returns its id.
  uint32_t add(EffectKind kind) {
    const uint32_t id = next_id_++;
    pending_.push_back({id, std::move(kind)});
    return id;
  }
  // Hands over what was added since the last call.
  std::vector<Effect> take() { return std::exchange(pending_, {}); }
  bool empty() const { return pending_.empty(); }

 private:
  std::vector<Effect> pending_;
  uint32_t next_id_ = 1;
};

// --- What a turn is given ---

// Random numbers expanded from the 32 random bytes the host gives each task: unique, not secret.
class Entropy {
 public:
  explicit Entropy(const uint8_t (&seed)[32]);
  uint64_t next();
  // Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);

 private:
  uint64_t state_[4];
};

// An object's own storage. Synchronous; everything written in one turn commits together or not at
// all (Cloudflare: writes without an await between them are one implicit transaction).
class Storage {
 public:
  virtual ~Storage() = default;
  // False when there is no such key.
  virtual bool get(std::string_view key, std::string& value) = 0;
  virtual void put(std::string_view key, std::string_view value) = 0;
  virtual void erase(std::string_view key) = 0;
  // Keys with this prefix in byte order, behind `after` (exclusive; empty: from the first), at most
  // `count_max`.
  virtual std::vector<std::string> list(std::string_view prefix, std::string_view after,
                                        uint32_t count_max) = 0;
  // One alarm per object; setting replaces it. 0 clears it.
  virtual void set_alarm(int64_t at_ms) = 0;
  // 0 when none is set. Inside an alarm handler the running alarm no longer counts.
  virtual int64_t alarm() = 0;
};

struct Config;   // hogflare/config.h
struct Metrics;  // hogflare/metrics.h

struct Turn {
  int64_t now_ms;  // Unix time, the host's clock
  Entropy& entropy;
  const Config& config;
  Metrics& metrics;
  Storage* storage;  // objects only; null in the Worker
};

// --- Outcomes ---

struct Header {
  std::string_view name;  // a constant
  std::string value;
};

// The reply to a client, or, for an object, just `body` with status 200 (or an error's status).
struct Reply {
  uint16_t status = 200;
  std::vector<Header> headers;
  std::string body;
  // Objects of a bucket that follow the body, each unpacked, streamed by the host; one that is not
  // there any more is left out.
  Bucket objects_of = Bucket::kRecordings;
  std::string objects = {};  // keys, each ended by a NUL; empty: none
};

class Task {
 public:
  virtual ~Task() = default;
  virtual void start(const Turn& turn, Effects& effects) = 0;
  virtual void resume(const Turn& turn, EffectResult result, Effects& effects) = 0;
  bool finished() const { return finished_; }
  // Needs finished().
  const Reply& reply() const { return reply_; }

 protected:
  void finish(Reply reply) {
    HF_ASSERT(!finished_);
    reply_ = std::move(reply);
    finished_ = true;
  }

 private:
  bool finished_ = false;
  Reply reply_;
};

}  // namespace hogflare
