// The wasm module's exports: the ABI between js-shim/core.js and the core.
//
// Every entry is synchronous. A task in flight is a slot, known to the host by its number. The host
// writes an entry's input where hf_input says and reads the outcome of a turn from the record that
// hf_http, hf_object and hf_resume return; the record and what it points to stay valid until the
// next call for the same slot. All integers are 32 bit, little endian; times are f64 Unix
// milliseconds.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "host.h"
#include "hogflare/core.h"
#include "hogflare/metrics.h"
#include "http/flags_state.h"

#define HF_EXPORT(name) extern "C" __attribute__((export_name(#name), used))

namespace hogflare {
namespace {

// One effect as the host reads it; field order is js-shim/abi.js's EFFECT_*.
struct EffectRecord {
  uint32_t id;
  // 0 CallObject, 1 SendRows, 2 ReadKv, 3 Wait, 4 ReadAsset, 5 RunQuery, 6 ReadCache, 7 WriteCache,
  // 8 PutObject, 9 GetObject, 10 ListObjects, 11 DeleteObjects, 12 ChangeKv, 13 FetchDocument
  uint32_t kind;
  uint32_t a;  // object class | stream | - | delay_ms | - | bucket (8 to 11), change (12)
  uint32_t b;  // - | rows | bytes_max (2, 9), max_age_s (7), count_max (10), bytes of metadata (12)
  uint32_t c;  // timeout_ms | timeout_ms | … | timeout_ms (5, 8, 13)
  uint32_t name;  // object name | - | key | - | path | - | key | key | key | key | prefix | - | key
                  // | address
  uint32_t name_size;
  uint32_t bytes;  // object request | rows | … | the object (8), after (10), keys (11), metadata
                   // and value (12)
  uint32_t bytes_size;
};

// The outcome of a turn; field order is js-shim/abi.js's OUTPUT_*.
struct OutputRecord {
  uint32_t slot;
  uint32_t finished;
  uint32_t effects;
  uint32_t effect_count;
  uint32_t status;
  uint32_t headers;  // name NUL value NUL …
  uint32_t headers_size;
  uint32_t body;
  uint32_t body_size;
  uint32_t log;
  uint32_t log_size;
  uint32_t points;  // for Analytics Engine: a JSON array of [name, value]; empty: none due
  uint32_t points_size;
  uint32_t objects;  // keys that follow the body, each ended by a NUL
  uint32_t objects_size;
  uint32_t objects_of;  // the bucket
};

uint32_t address(const void* pointer) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pointer));
}

// WebAssembly's unit of memory.
constexpr uint32_t kPageBytes = 65'536;

struct Slot {
  Slot(const uint8_t (&seed)[32], double now_ms) : entropy(seed), used_at_ms(now_ms) {}
  std::unique_ptr<Task> task;
  Entropy entropy;
  Effects effects;
  std::vector<Effect> pending;  // what the host is reading
  std::vector<EffectRecord> records;
  std::vector<std::pair<uint32_t, ObjectClass>> calls;  // effect ids in flight
  std::string headers;
  std::string log;
  std::string points;
  bool in_object = false;
  double used_at_ms;  // the last turn's time
  OutputRecord output{};
};

struct NumberedSlot {
  uint32_t number;
  std::unique_ptr<Slot> slot;
};

// The instance's only mutable state.
struct Module {
  std::unique_ptr<Core> core;
  std::vector<NumberedSlot> slots;  // in the order they were begun; numbers are not reused
  uint32_t next_slot = 1;
  double swept_at_ms = 0;  // when slots was last looked through for abandoned ones
  HostStorage storage;
  HostDecompressor decompressor;
  HostZones zones;
  std::string input;        // of the next entry, which takes it over
  std::string text;         // result of hf_tool
  uint32_t large_slot = 0;  // whose effects hold many bytes that the host has copied; 0: none
};

Module& module() {
  static Module instance;
  return instance;
}

void name_record(EffectRecord& record, Bucket bucket, const std::string& name) {
  record.a = static_cast<uint32_t>(bucket);
  record.name = address(name.data());
  record.name_size = static_cast<uint32_t>(name.size());
}

void fill_record(EffectRecord& record, const std::string& bytes) {
  record.bytes = address(bytes.data());
  record.bytes_size = static_cast<uint32_t>(bytes.size());
}

void describe_bucket_effect(const Effect& effect, EffectRecord& record) {
  if (const auto* put = std::get_if<PutObject>(&effect.kind)) {
    name_record(record, put->bucket, put->key);
    record.c = put->timeout_ms;
    fill_record(record, put->bytes);
  } else if (const auto* get = std::get_if<GetObject>(&effect.kind)) {
    name_record(record, get->bucket, get->key);
    record.b = get->bytes_max;
  } else if (const auto* list = std::get_if<ListObjects>(&effect.kind)) {
    name_record(record, list->bucket, list->prefix);
    record.b = list->count_max;
    fill_record(record, list->after);
  } else if (const auto* removal = std::get_if<DeleteObjects>(&effect.kind)) {
    record.a = static_cast<uint32_t>(removal->bucket);
    fill_record(record, removal->keys);
  }
}

void describe_effect(const Effect& effect, EffectRecord& record) {
  record.id = effect.id;
  record.kind = static_cast<uint32_t>(effect.kind.index());
  if (const auto* call = std::get_if<CallObject>(&effect.kind)) {
    record.a = static_cast<uint32_t>(call->object_class);
    record.c = call->timeout_ms;
    record.name = address(call->name.data());
    record.name_size = static_cast<uint32_t>(call->name.size());
    record.bytes = address(call->request.data());
    record.bytes_size = static_cast<uint32_t>(call->request.size());
  } else if (const auto* send = std::get_if<SendRows>(&effect.kind)) {
    record.a = static_cast<uint32_t>(send->stream);
    record.b = send->row_count;
    record.c = send->timeout_ms;
    record.bytes = address(send->rows.data());
    record.bytes_size = static_cast<uint32_t>(send->rows.size());
  } else if (const auto* read = std::get_if<ReadKv>(&effect.kind)) {
    record.b = read->bytes_max;
    record.name = address(read->key.data());
    record.name_size = static_cast<uint32_t>(read->key.size());
  } else if (const auto* asset = std::get_if<ReadAsset>(&effect.kind)) {
    record.name = address(asset->path.data());
    record.name_size = static_cast<uint32_t>(asset->path.size());
  } else if (const auto* query = std::get_if<RunQuery>(&effect.kind)) {
    record.c = query->timeout_ms;
    record.bytes = address(query->sql.data());
    record.bytes_size = static_cast<uint32_t>(query->sql.size());
  } else if (const auto* cached = std::get_if<ReadCache>(&effect.kind)) {
    record.name = address(cached->key.data());
    record.name_size = static_cast<uint32_t>(cached->key.size());
  } else if (const auto* kept = std::get_if<WriteCache>(&effect.kind)) {
    record.b = kept->max_age_s;
    record.name = address(kept->key.data());
    record.name_size = static_cast<uint32_t>(kept->key.size());
    record.bytes = address(kept->value.data());
    record.bytes_size = static_cast<uint32_t>(kept->value.size());
  } else if (const auto* change = std::get_if<ChangeKv>(&effect.kind)) {
    record.a = static_cast<uint32_t>(change->change);
    record.b = change->metadata_size;
    record.name = address(change->key.data());
    record.name_size = static_cast<uint32_t>(change->key.size());
    record.bytes = address(change->value.data());
    record.bytes_size = static_cast<uint32_t>(change->value.size());
  } else if (const auto* document = std::get_if<FetchDocument>(&effect.kind)) {
    record.c = document->timeout_ms;
    record.name = address(document->url.data());
    record.name_size = static_cast<uint32_t>(document->url.size());
  } else if (const auto* wait = std::get_if<Wait>(&effect.kind)) {
    record.a = wait->delay_ms;
  } else {
    describe_bucket_effect(effect, record);
  }
}

void describe_reply(Slot& slot) {
  const Reply& reply = slot.task->reply();
  slot.output.status = reply.status;
  slot.headers.clear();
  for (const Header& header : reply.headers) {
    slot.headers.append(header.name).push_back('\0');
    slot.headers.append(header.value).push_back('\0');
  }
  slot.output.headers = address(slot.headers.data());
  slot.output.headers_size = static_cast<uint32_t>(slot.headers.size());
  slot.output.body = address(reply.body.data());
  slot.output.body_size = static_cast<uint32_t>(reply.body.size());
  slot.output.objects = address(reply.objects.data());
  slot.output.objects_size = static_cast<uint32_t>(reply.objects.size());
  slot.output.objects_of = static_cast<uint32_t>(reply.objects_of);
}

void count_call(Slot& slot, const Effect& effect) {
  const auto* call = std::get_if<CallObject>(&effect.kind);
  if (call == nullptr) return;
  slot.calls.emplace_back(effect.id, call->object_class);
  module().core->metrics().object_calls[index_of(call->object_class)] += 1;
}

void count_call_result(Slot& slot, const EffectResult& result) {
  for (auto call = slot.calls.begin(); call != slot.calls.end(); ++call) {
    if (call->first != result.id) continue;
    if (!result.ok) module().core->metrics().object_calls_failed[index_of(call->second)] += 1;
    slot.calls.erase(call);
    return;
  }
}

// Bytes of effects from which on they are let go before the next entry, not with their task's next
// turn: a send may be under way for seconds.
constexpr uint32_t kLargeEffectBytes = 64u << 10;

OutputRecord* describe(uint32_t index, Slot& slot, double now_ms) {
  slot.pending = slot.effects.take();
  slot.records.assign(slot.pending.size(), EffectRecord{});
  for (size_t i = 0; i < slot.pending.size(); ++i) {
    describe_effect(slot.pending[i], slot.records[i]);
    count_call(slot, slot.pending[i]);
    if (slot.records[i].bytes_size >= kLargeEffectBytes) module().large_slot = index;
  }
  Metrics& metrics = module().core->metrics();
  metrics.storage_rows_written += module().storage.take_rows_written();
  metrics.memory_bytes = uint64_t{__builtin_wasm_memory_size(0)} * kPageBytes;
  slot.output = OutputRecord{};
  slot.output.slot = index;
  slot.output.effects = address(slot.records.data());
  slot.output.effect_count = static_cast<uint32_t>(slot.records.size());
  slot.output.finished = slot.task->finished() ? 1 : 0;
  if (slot.task->finished()) describe_reply(slot);
  slot.log = module().core->take_log();
  slot.output.log = address(slot.log.data());
  slot.output.log_size = static_cast<uint32_t>(slot.log.size());
  slot.points = module().core->take_points(static_cast<int64_t>(now_ms));
  slot.output.points = address(slot.points.data());
  slot.output.points_size = static_cast<uint32_t>(slot.points.size());
  return &slot.output;
}

// Cuts the last `size` bytes off the input.
std::string take_tail(size_t size) {
  std::string& input = module().input;
  HF_ASSERT(size <= input.size());
  std::string tail = input.substr(input.size() - size);
  input.resize(input.size() - size);
  return tail;
}

// What is left of the input.
std::string take_input() { return std::exchange(module().input, {}); }

// A request whose client went away, or a task whose object was ended, is never resumed again: after
// this long without a turn its slot, and the body it may hold, is let go. Nothing the core waits
// for takes as long.
constexpr double kAbandonedMs = 300'000;
// Looking for them touches every slot, so it is not done for every request.
constexpr double kSweepMs = 1'000;

void drop_abandoned(double now_ms) {
  // A clock that was set back must not put the sweep off.
  if (std::abs(now_ms - module().swept_at_ms) < kSweepMs) return;
  module().swept_at_ms = now_ms;
  auto& slots = module().slots;
  const auto is_abandoned = [&](const NumberedSlot& each) {
    return now_ms - each.slot->used_at_ms > kAbandonedMs;
  };
  slots.erase(std::remove_if(slots.begin(), slots.end(), is_abandoned), slots.end());
}

uint32_t new_slot(double now_ms) {
  std::string& input = module().input;
  uint8_t seed[32];
  HF_ASSERT(input.size() >= sizeof seed);
  std::memcpy(seed, input.data() + input.size() - sizeof seed, sizeof seed);
  input.resize(input.size() - sizeof seed);
  drop_abandoned(now_ms);
  const uint32_t number = module().next_slot++;
  module().slots.push_back({number, std::make_unique<Slot>(seed, now_ms)});
  return number;
}

// The task the host means; slots.end() when it is gone, as an abandoned one is, and as every task
// that waits is taken to be when the clock jumps ahead. The one meant is mostly among the last ones
// begun.
std::vector<NumberedSlot>::iterator find_slot(uint32_t number) {
  auto& slots = module().slots;
  auto at = slots.end();
  while (at != slots.begin()) {
    if ((--at)->number == number) return at;
  }
  return slots.end();
}

OutputRecord* start(uint32_t index, std::unique_ptr<Task> task, double now_ms, bool in_object) {
  const auto found = find_slot(index);
  HF_ASSERT(found != module().slots.end());
  Slot& slot = *found->slot;
  slot.task = std::move(task);
  slot.in_object = in_object;
  const Turn turn = module().core->turn(static_cast<int64_t>(now_ms), slot.entropy,
                                        in_object ? &module().storage : nullptr);
  slot.task->start(turn, slot.effects);
  return describe(index, slot, now_ms);
}

}  // namespace
}  // namespace hogflare

using namespace hogflare;

// Room for the input of the next entry, which takes it over: a body of 20 MB is not copied again.
// What the last output showed has been copied by now.
HF_EXPORT(hf_input) char* hf_input(uint32_t size) {
  if (module().large_slot != 0) {
    const auto found = find_slot(std::exchange(module().large_slot, 0));
    if (found != module().slots.end()) found->slot->pending.clear();
  }
  module().input.resize(size);
  return module().input.data();
}

// Reads the host's description (config.h) from the input. Must come first; a second call replaces
// the core.
HF_EXPORT(hf_configure) void hf_configure(double trap_count) {
  module().core = std::make_unique<Core>(take_input(), module().decompressor, module().zones);
  module().core->set_trap_count(static_cast<uint64_t>(trap_count));
}

// What js-shim/core.js asks after a trap: whether a document of flags was being taken.
HF_EXPORT(hf_flags_taking) const FlagsTaking* hf_flags_taking() { return &flags_taking(); }

// Bytes a body may have for hf_input to take it. Needs hf_configure.
HF_EXPORT(hf_body_bytes_left) uint32_t hf_body_bytes_left() {
  return static_cast<uint32_t>(module().core->body_bytes_left());
}

// Starts an HTTP request. Input: the body, `head_size` bytes of head, 32 random bytes.
HF_EXPORT(hf_http) OutputRecord* hf_http(uint32_t head_size, double now_ms) {
  const uint32_t index = new_slot(now_ms);
  HttpInput request;
  request.head = take_tail(head_size);
  request.body = take_input();
  return start(index, module().core->http(std::move(request)), now_ms, false);
}

// Starts an object's call (entry 1) or alarm (entry 2). Input: the request, 32 random bytes.
HF_EXPORT(hf_object)
OutputRecord* hf_object(uint32_t entry, uint32_t object_class, double now_ms) {
  const uint32_t index = new_slot(now_ms);
  ObjectInput object;
  object.entry = static_cast<ObjectEntry>(entry);
  object.object_class = static_cast<ObjectClass>(object_class);
  object.request = take_input();
  return start(index, module().core->object(std::move(object)), now_ms, true);
}

// Bits of hf_resume's `outcome`.
constexpr uint32_t kOutcomeOk = 1;
constexpr uint32_t kOutcomeShared = 2;

// Feeds one effect's result into its task. Input: the result's body. Null when the task is gone:
// the host answers for it.
HF_EXPORT(hf_resume)
OutputRecord* hf_resume(uint32_t index, uint32_t effect_id, uint32_t outcome, uint32_t http_status,
                        uint32_t retry_after_ms, double now_ms) {
  std::string body = take_input();
  const auto found = find_slot(index);
  if (found == module().slots.end()) return nullptr;
  Slot& slot = *found->slot;
  EffectResult result;
  result.id = effect_id;
  result.ok = (outcome & kOutcomeOk) != 0;
  result.shared = (outcome & kOutcomeShared) != 0;
  result.http_status = static_cast<uint16_t>(http_status);
  result.retry_after_ms = retry_after_ms;
  result.body = std::move(body);
  slot.used_at_ms = now_ms;
  count_call_result(slot, result);
  const Turn turn = module().core->turn(static_cast<int64_t>(now_ms), slot.entropy,
                                        slot.in_object ? &module().storage : nullptr);
  slot.task->resume(turn, std::move(result), slot.effects);
  return describe(index, slot, now_ms);
}

// Forgets a task, finished or not; nothing when it is gone already.
HF_EXPORT(hf_end) void hf_end(uint32_t index) {
  const auto found = find_slot(index);
  if (found != module().slots.end()) module().slots.erase(found);
}

// Runs a command-line tool's command, the input. Returns the address of {address, size} of the JSON
// answer.
HF_EXPORT(hf_tool) const uint32_t* hf_tool() {
  static uint32_t place[2];
  module().text = module().core->tool(take_input());
  place[0] = address(module().text.data());
  place[1] = static_cast<uint32_t>(module().text.size());
  return place;
}
