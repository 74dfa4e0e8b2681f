// The core as its host sees it: make a task for what happened, run it (task.h), read its reply.
//
//   Core core(host_json, decompressor, zones);
//   std::unique_ptr<Task> task = core.http(std::move(request));
//
// One Core per isolate, shared by the Worker and every object in it. It holds what may be lost at
// any time: the parsed configuration and caches. Nothing of an object lives here.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "hogflare/config.h"
#include "hogflare/decompress.h"
#include "hogflare/request.h"
#include "hogflare/task.h"
#include "hogflare/zones.h"

namespace hogflare {

enum class ObjectEntry : uint8_t { kCall = 1, kAlarm = 2 };

struct ObjectInput {
  ObjectEntry entry;
  ObjectClass object_class;
  std::string request;  // empty for an alarm
};

struct CoreState;

class Core {
 public:
  // `host_json` as parse_config takes it. Never fails: problems are in config().problems.
  // `decompressor` does what only the host can (brotli, zstd), `zones` knows what only it does;
  // both must outlive the core.
  Core(std::string_view host_json, Decompressor& decompressor, ZoneHost& zones);
  ~Core();
  Core(const Core&) = delete;
  Core& operator=(const Core&) = delete;

  std::unique_ptr<Task> http(HttpInput input);
  std::unique_ptr<Task> object(ObjectInput input);
  // A command of the command-line tools: its name, a line feed, JSON; the answer is JSON
  // (src/core/tools.cpp).
  std::string tool(std::string_view request);

  const Config& config() const;
  // Bytes a request's body may have now without taking memory that other requests hold.
  size_t body_bytes_left() const;
  // What a turn needs besides time and entropy.
  Turn turn(int64_t now_ms, Entropy& entropy, Storage* storage);
  // Log lines since the last call, one JSON object a line; empty most of the time.
  std::string take_log();
  Metrics& metrics();
  // Counters for Analytics Engine, a JSON array of [name, value]: what changed, at most every ten
  // seconds, and only where a dataset is bound. Empty otherwise.
  std::string take_points(int64_t now_ms);
  // The host had to reset the instance this many times (a trap); shown by /healthz and /metrics.
  void set_trap_count(uint64_t traps);

 private:
  std::unique_ptr<CoreState> state_;
};

}  // namespace hogflare
