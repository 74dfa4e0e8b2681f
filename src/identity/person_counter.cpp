// Object PERSON_ID_COUNTER: hands out ranges of sequential ids.
#include "hogflare/bytes.h"
#include "hogflare/person_object.h"
#include "hogflare/stored_fault.h"

namespace hogflare {
namespace {

constexpr uint8_t kVersion = 1;
constexpr std::string_view kNextKey = "next";

class CounterTask final : public Task {
 public:
  explicit CounterTask(std::string bytes) : bytes_(std::move(bytes)) {}

  void start(const Turn& turn, Effects&) override {
    ByteReader in(bytes_);
    const bool known = in.u8() == kVersion;
    const uint64_t count = in.number();
    Reply reply;
    if (!known || !in.done() || count == 0 || count > 1'000'000) {
      reply.status = 400;
      finish(std::move(reply));
      return;
    }
    std::string stored;
    uint64_t next = 1;
    if (turn.storage->get(kNextKey, stored)) {
      ByteReader next_in(stored);
      next = next_in.number();
      // The number has no version: its bytes are all there is to tell by.
      if (!next_in.done() || next == 0) {
        finish(refuse_stored(turn, "counter", {std::string(kNextKey), kVersion, kVersion}));
        return;
      }
    }
    ByteWriter after;
    after.number(next + count);
    turn.storage->put(kNextKey, after.bytes());
    ByteWriter out;
    out.u8(kVersion);
    out.number(next);
    reply.body = out.take();
    finish(std::move(reply));
  }

  void resume(const Turn&, EffectResult, Effects&) override { HF_ASSERT(false); }

 private:
  std::string bytes_;
};

}  // namespace

std::unique_ptr<Task> make_counter_call(std::string request) {
  return std::make_unique<CounterTask>(std::move(request));
}

std::string counter_object_name(int64_t team_id) { return std::to_string(team_id) + ":counter"; }

std::string write_lease(uint64_t count) {
  ByteWriter out;
  out.u8(kVersion);
  out.number(count);
  return out.take();
}

uint64_t read_lease_reply(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.u8() != kVersion) return 0;
  const uint64_t first = in.number();
  return in.done() ? first : 0;
}

}  // namespace hogflare
