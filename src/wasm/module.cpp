// The wasm module's exports: the ABI between js-shim/core.js and the core.
//
// Every entry is synchronous. A task in flight is a slot, known to the host by its number. The host
// writes inputs into memory it got from hf_alloc and reads the outcome of a turn from the record
// hf_begin and hf_resume return; the record and what it points to stay valid until the next call
// for the same slot. All integers are 32 bit, little endian; times are f64 Unix milliseconds.
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "host_storage.h"
#include "hogflare/core.h"

#define HF_EXPORT(name) extern "C" __attribute__((export_name(#name), used))

namespace hogflare {
namespace {

// One effect as the host reads it; field order is js-shim/abi.js's EFFECT_*.
struct EffectRecord {
  uint32_t id;
  uint32_t kind;  // 0 CallObject, 1 SendRows, 2 ReadKv, 3 Wait
  uint32_t a;     // object class | stream | - | delay_ms
  uint32_t b;     // - | row count
  uint32_t c;     // - | timeout_ms
  uint32_t name;  // object name | - | key
  uint32_t name_size;
  uint32_t bytes;  // object request | rows
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
};

uint32_t address(const void* pointer) {
  return static_cast<uint32_t>(reinterpret_cast<uintptr_t>(pointer));
}

struct Slot {
  explicit Slot(const uint8_t (&seed)[32]) : entropy(seed) {}
  std::unique_ptr<Task> task;
  Entropy entropy;
  Effects effects;
  std::vector<Effect> pending;  // what the host is reading
  std::vector<EffectRecord> records;
  std::string headers;
  std::string log;
  bool in_object = false;
  OutputRecord output{};
};

// The instance's only mutable state.
struct Module {
  std::unique_ptr<Core> core;
  std::vector<std::unique_ptr<Slot>> slots;
  HostStorage storage;
  std::string text;  // result of hf_configure and hf_tool
};

Module& module() {
  static Module instance;
  return instance;
}

void describe_effect(const Effect& effect, EffectRecord& record) {
  record.id = effect.id;
  record.kind = static_cast<uint32_t>(effect.kind.index());
  if (const auto* call = std::get_if<CallObject>(&effect.kind)) {
    record.a = static_cast<uint32_t>(call->object_class);
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
    record.name = address(read->key.data());
    record.name_size = static_cast<uint32_t>(read->key.size());
  } else if (const auto* wait = std::get_if<Wait>(&effect.kind)) {
    record.a = wait->delay_ms;
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
}

OutputRecord* describe(uint32_t index, Slot& slot) {
  slot.pending = slot.effects.take();
  slot.records.assign(slot.pending.size(), EffectRecord{});
  for (size_t i = 0; i < slot.pending.size(); ++i) {
    describe_effect(slot.pending[i], slot.records[i]);
  }
  slot.output = OutputRecord{};
  slot.output.slot = index;
  slot.output.effects = address(slot.records.data());
  slot.output.effect_count = static_cast<uint32_t>(slot.records.size());
  slot.output.finished = slot.task->finished() ? 1 : 0;
  if (slot.task->finished()) describe_reply(slot);
  slot.log = module().core->take_log();
  slot.output.log = address(slot.log.data());
  slot.output.log_size = static_cast<uint32_t>(slot.log.size());
  return &slot.output;
}

uint32_t new_slot(const char* seed) {
  uint8_t bytes[32];
  std::memcpy(bytes, seed, sizeof bytes);
  auto& slots = module().slots;
  auto slot = std::make_unique<Slot>(bytes);
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i] == nullptr) {
      slots[i] = std::move(slot);
      return static_cast<uint32_t>(i);
    }
  }
  slots.push_back(std::move(slot));
  return static_cast<uint32_t>(slots.size() - 1);
}

OutputRecord* start(uint32_t index, std::unique_ptr<Task> task, double now_ms, bool in_object) {
  Slot& slot = *module().slots[index];
  slot.task = std::move(task);
  slot.in_object = in_object;
  const Turn turn = module().core->turn(static_cast<int64_t>(now_ms), slot.entropy,
                                        in_object ? &module().storage : nullptr);
  slot.task->start(turn, slot.effects);
  return describe(index, slot);
}

}  // namespace
}  // namespace hogflare

using namespace hogflare;

// Memory for an input. The host owns it until it frees it; no entry takes it over.
HF_EXPORT(hf_alloc) char* hf_alloc(uint32_t size) {
  return static_cast<char*>(std::malloc(size == 0 ? 1 : size));
}

HF_EXPORT(hf_free) void hf_free(char* memory) { std::free(memory); }

// Reads the host's description (config.h). Must come first; a second call replaces the core.
HF_EXPORT(hf_configure) void hf_configure(const char* json, uint32_t size, double trap_count) {
  module().core = std::make_unique<Core>(std::string_view(json, size));
  module().core->set_trap_count(static_cast<uint64_t>(trap_count));
}

// Starts an HTTP request. Input: 32 random bytes, then `body_size` bytes of body, then the head.
HF_EXPORT(hf_http)
OutputRecord* hf_http(const char* input, uint32_t body_size, uint32_t head_size, double now_ms) {
  const uint32_t index = new_slot(input);
  HttpInput request{std::string(input + 32 + body_size, head_size),
                    std::string(input + 32, body_size)};
  return start(index, module().core->http(std::move(request)), now_ms, false);
}

// Starts an object's call (entry 1) or alarm (entry 2). Input: 32 random bytes, the request, the
// object's name.
HF_EXPORT(hf_object)
OutputRecord* hf_object(uint32_t entry, uint32_t object_class, const char* input,
                        uint32_t request_size, uint32_t name_size, double now_ms) {
  const uint32_t index = new_slot(input);
  ObjectInput object{static_cast<ObjectEntry>(entry), static_cast<ObjectClass>(object_class),
                     std::string(input + 32 + request_size, name_size),
                     std::string(input + 32, request_size)};
  return start(index, module().core->object(std::move(object)), now_ms, true);
}

// Feeds one effect's result into its task.
HF_EXPORT(hf_resume)
OutputRecord* hf_resume(uint32_t index, uint32_t effect_id, uint32_t ok, uint32_t http_status,
                        uint32_t retry_after_ms, const char* body, uint32_t body_size,
                        double now_ms) {
  Slot& slot = *module().slots[index];
  EffectResult result;
  result.id = effect_id;
  result.ok = ok != 0;
  result.http_status = static_cast<uint16_t>(http_status);
  result.retry_after_ms = retry_after_ms;
  result.body.assign(body, body_size);
  const Turn turn = module().core->turn(static_cast<int64_t>(now_ms), slot.entropy,
                                        slot.in_object ? &module().storage : nullptr);
  slot.task->resume(turn, std::move(result), slot.effects);
  return describe(index, slot);
}

// Forgets a task, finished or not.
HF_EXPORT(hf_end) void hf_end(uint32_t index) { module().slots[index].reset(); }

// Runs a command-line tool's command. Returns the address of {address, size} of the JSON answer.
HF_EXPORT(hf_tool) const uint32_t* hf_tool(const char* json, uint32_t size) {
  static uint32_t place[2];
  module().text = module().core->tool(std::string_view(json, size));
  place[0] = address(module().text.data());
  place[1] = static_cast<uint32_t>(module().text.size());
  return place;
}
