// A host for fuzzers: runs tasks of a core over objects in memory, with an answer to every effect
// that the fuzzer's bytes choose, and counts what a request costs.
//
//   fuzz::Host host(core, input);
//   const Reply reply = host.http("POST", "/e/", body);
//   HF_ASSERT(host.work() < …);
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fuzz_input.h"
#include "hogflare/core.h"
#include "hogflare/limits.h"
#include "object_host.h"
#include "table_zones.h"

namespace hogflare::fuzz {

// Memory and work of the process since start (fuzz_costs.cpp).
struct Costs {
  size_t live_bytes;       // allocated and not freed
  size_t live_bytes_peak;  // the most since reset_costs
  uint64_t work;           // comparisons made and bytes allocated since reset_costs
};
Costs costs();
void reset_costs();

// Unfolds what no decoder of the core does: pairs of a byte and how often, as 2^n, it stands there.
class RunLengths final : public Decompressor {
 public:
  Result<std::string> run(Encoding, std::string_view input, size_t bytes_max) override {
    std::string out;
    for (size_t i = 0; i + 1 < input.size(); i += 2) {
      const size_t count = size_t{1} << (static_cast<unsigned char>(input[i + 1]) % 26);
      if (out.size() + count > bytes_max) return Error(ErrorCode::kTooLarge, "run lengths");
      out.append(count, input[i]);
    }
    given += out.size();
    return out;
  }
  uint64_t given = 0;  // bytes so far
};

// BODY_BYTES_MAX of js-shim/abi.js.
inline constexpr size_t kBodyBytesMax = 25u << 20;

// What js-shim/worker.js does with a body before the core sees it: one that is too large stays
// outside. Returns what the head says of the body.
inline std::string_view keep_out_large(std::string& body) {
  if (body.size() <= kBodyBytesMax) return {};
  std::string().swap(body);
  return "large";
}

// How effects are answered.
enum class Answers : uint8_t { kWell, kByInput };

class Host {
 public:
  Host(Core& core, Input& input, Answers answers)
      : core_(core), input_(input), answers_(answers), entropy_(kSeed) {}

  Reply http(std::string_view method, std::string_view path, std::string_view query,
             std::string_view headers, std::string body, std::string_view body_state = {}) {
    if (body_state.empty()) body_state = keep_out_large(body);
    std::string head(method);
    for (const std::string_view field : {path, query, body_state}) {
      head += '\0';
      head += field;
    }
    head += '\0';
    head += headers;
    return run(core_.http({std::move(head), std::move(body)}), nullptr);
  }

  Reply object(ObjectEntry entry, ObjectClass object_class, const std::string& name,
               std::string request) {
    test::MemoryStorage& storage = objects[{object_class, name}];
    return run(core_.object({entry, object_class, std::move(request)}), &storage);
  }

  // Effects performed so far: calls, sends, waits, reads.
  uint64_t effects_done() const { return effects_done_; }

  std::map<test::ObjectKey, test::MemoryStorage> objects;
  int64_t now_ms = kNowMs;

 private:
  // No task asks for so much; one that does goes round in circles.
  static constexpr uint64_t kEffectsMax = 2'000'000;
  static constexpr uint8_t kSeed[32] = {7};

  Reply run(std::unique_ptr<Task> task, test::MemoryStorage* storage) {
    if (++depth_ > 4) {  // a merge calls another person's object, which calls nobody
      --depth_;
      return {.status = 503, .headers = {}, .body = {}};
    }
    Effects effects;
    const Turn turn = core_.turn(now_ms, entropy_, storage);
    task->start(turn, effects);
    std::deque<Effect> pending;
    for (;;) {
      for (Effect& effect : effects.take()) pending.push_back(std::move(effect));
      if (pending.empty()) break;
      HF_ASSERT(++effects_done_ < kEffectsMax);
      const bool last = answers_ == Answers::kByInput && input_.flip();
      const Effect effect = std::move(last ? pending.back() : pending.front());
      last ? pending.pop_back() : pending.pop_front();
      EffectResult result = answer(effect);
      task->resume(core_.turn(now_ms, entropy_, storage), std::move(result), effects);
    }
    HF_ASSERT(task->finished());
    (void)core_.take_log();
    --depth_;
    return task->reply();
  }

  EffectResult answer(const Effect& effect) {
    EffectResult result;
    result.id = effect.id;
    result.ok = true;
    result.http_status = 200;
    if (const auto* call = std::get_if<CallObject>(&effect.kind)) {
      const Reply reply = object(ObjectEntry::kCall, call->object_class, call->name, call->request);
      result.ok = reply.status == 200;
      result.body = reply.body;
    } else if (const auto* wait = std::get_if<Wait>(&effect.kind)) {
      now_ms += wait->delay_ms;
    } else if (std::holds_alternative<ReadKv>(effect.kind)) {
      result.http_status = 404;
    }
    if (answers_ == Answers::kByInput) spoil(result);
    return result;
  }

  // Now and then the answer is another one, or late.
  void spoil(EffectResult& result) {
    const uint8_t how = input_.byte();
    if (how < 160) return;
    if (how < 180) result.ok = false;
    if (how >= 180 && how < 200) result.body = std::string(input_.line());
    if (how >= 200 && how < 220) {
      static constexpr uint16_t kStatuses[] = {0, 400, 401, 404, 413, 429, 500, 503};
      result.http_status = kStatuses[how % 8];
      result.retry_after_ms = how * 100u;
    }
    if (how >= 220 && how < 230) result.shared = true;
    if (how >= 230 && how < 245 && !result.body.empty()) {
      result.body[input_.byte() % result.body.size()] ^= static_cast<char>(input_.byte());
    }
    // A clock that jumps, backwards too.
    if (how >= 245) now_ms += (int64_t{input_.byte()} - 100) * 100'000;
  }

  Core& core_;
  Input& input_;
  const Answers answers_;
  Entropy entropy_;
  uint64_t effects_done_ = 0;
  int depth_ = 0;
};

}  // namespace hogflare::fuzz
