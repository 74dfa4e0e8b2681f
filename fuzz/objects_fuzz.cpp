// Objects of every class: operations as no Worker would send them, stored bytes as no object wrote
// them, answers that come late, wrong or never. Whatever comes, a call ends with an answer, and
// what is stored keeps to what the platform stores.
#include <iterator>
#include <string>
#include <vector>

#include "fuzz_host.h"
#include "hogflare/group_calls.h"
#include "hogflare/outbox.h"
#include "hogflare/person_calls.h"

namespace {

using namespace hogflare;

constexpr std::string_view kHost =
    R"({"vars":{"CLOUDFLARE_PIPELINE_ENDPOINT":"http://s.invalid/",)"
    R"("HOGFLARE_OUTBOX_MAX_BYTES":"4194304",)"
    R"("CLOUDFLARE_PERSONS_PIPELINE_ENDPOINT":"http://s.invalid/p"},)"
    R"("bindings":["PERSONS","GROUPS","PERSON_ID_COUNTER","OUTBOX"],"bundled_flags":"[]"})";

std::string name_of_person(fuzz::Input& input) {
  static constexpr const char* kIds[] = {"ann", "bob", "cat", "dan"};
  return person_object_name(1, kIds[input.byte() % 4]);
}

// An operation whose texts the fuzzer wrote; mostly JSON, since its dictionary is.
PersonOp some_op(fuzz::Input& input) {
  PersonOp op;
  op.distinct_id = input.choose({"ann", "bob", "cat", "dan", ""});
  op.other = input.choose({"ann", "bob", "cat", "dan", ""});
  op.merge = static_cast<MergeKind>(input.byte() % 4);
  op.access = static_cast<PersonAccess>(input.byte() % 5);
  const uint8_t flags = input.byte();
  op.updates_existing = (flags & 1) == 0;
  op.writes_noisy = (flags & 2) != 0;
  op.may_upgrade = (flags & 4) != 0;
  op.needs_merge = (flags & 8) != 0;
  op.covered = (flags & 16) != 0;
  op.event_uuid = input.choose(
      {"0190a000-0000-7000-8000-000000000001", "0190a000-0000-7000-8000-000000000002", ""});
  op.timestamp_ms = (int64_t{input.byte()} - 128) << (input.byte() % 48);
  if ((flags & 32) != 0) op.set = input.line();
  if ((flags & 64) != 0) op.set_once = input.line();
  if ((flags & 128) != 0) op.unset.push_back(input.line());
  return op;
}

// What the caller says it has room for; mostly nothing is said.
size_t some_room(fuzz::Input& input) {
  const uint8_t bits = input.byte();
  return bits < 128 ? SIZE_MAX : size_t{1} << (bits % 32);
}

std::string some_apply(fuzz::Input& input) {
  ApplyRequest request;
  request.self = input.choose({"ann", "bob", "cat", "dan"});
  request.offered_id = input.byte();
  request.personless = input.flip() ? PersonlessMode::kExact : PersonlessMode::kStateless;
  request.wants_changes = input.flip();
  request.texts_bytes_max = some_room(input);
  for (int count = input.byte() % 6; count >= 0; --count) request.ops.push_back(some_op(input));
  return write_apply(request);
}

std::string some_group_call(fuzz::Input& input) {
  if (input.flip()) return write_group_types_call({input.line(), input.line()});
  std::vector<GroupOp> ops;
  for (int count = input.byte() % 4; count >= 0; --count) {
    ops.push_back({.set = input.line(), .timestamp_ms = input.byte()});
  }
  return write_group_call(ops, some_room(input));
}

std::string some_put(fuzz::Input& input) {
  const std::string_view rows = input.line();
  return write_outbox_put({.stream = static_cast<Stream>(input.byte() % 3),
                           .row_count = input.byte(),
                           .first_failed_ms = fuzz::kNowMs - input.byte() * 1000,
                           .retry_after_ms = input.byte() * 100u,
                           .status = static_cast<uint16_t>(input.byte() * 3),
                           .reason = "x",
                           .rows = rows});
}

// Changes a stored value, or puts one where another class or a later version would have it.
void damage(fuzz::Input& input, test::MemoryStorage& storage) {
  const uint8_t how = input.byte();
  if (storage.values.empty() || how < 64) {
    static constexpr const char* kKeys[] = {"person", "group", "types", "next",
                                            "meta",   "q/",    "p/",    "e0/"};
    const std::string key = std::string(kKeys[how % 8]) + std::string(how < 32 ? "" : input.line());
    storage.values[key] = std::string(input.line());
    return;
  }
  auto chosen = std::next(storage.values.begin(), input.byte() % storage.values.size());
  std::string& value = chosen->second;
  if (how < 128 && !value.empty()) {
    value[input.byte() % value.size()] = static_cast<char>(input.byte());
  } else if (how < 192) {
    value.resize(value.size() - std::min<size_t>(value.size(), input.byte()));
  } else if (how < 224) {
    value += input.line();
  } else {
    storage.values.erase(chosen);
  }
}

struct Target {
  ObjectClass object_class;
  std::string name;
};

Target some_target(fuzz::Input& input) {
  switch (input.byte() % 4) {
    case 0:
      return {ObjectClass::kGroup, group_object_name(1, "company", "acme")};
    case 1:
      return {ObjectClass::kGroup, group_types_object_name(1)};
    case 2:
      return {ObjectClass::kOutbox, outbox_name(0)};
    default:
      return {ObjectClass::kPerson, name_of_person(input)};
  }
}

void step(fuzz::Input& input, fuzz::Host& host) {
  Reply reply;
  switch (input.byte() % 8) {
    case 0: {
      const Target target = some_target(input);
      damage(input, host.objects[{target.object_class, target.name}]);
      return;
    }
    case 1: {  // bytes that are no call at all
      const Target target = some_target(input);
      reply = host.object(ObjectEntry::kCall, target.object_class, target.name,
                          std::string(input.line()));
      break;
    }
    case 2: {
      const Target target = some_target(input);
      host.now_ms += input.byte() * 10'000;
      reply = host.object(ObjectEntry::kAlarm, target.object_class, target.name, {});
      break;
    }
    case 3:
      reply = host.object(ObjectEntry::kCall, ObjectClass::kGroup,
                          group_object_name(1, "company", "acme"), some_group_call(input));
      break;
    case 4:
      reply =
          host.object(ObjectEntry::kCall, ObjectClass::kOutbox, outbox_name(0), some_put(input));
      break;
    case 5:
      reply = host.object(ObjectEntry::kCall, ObjectClass::kPersonIdCounter, "1:ids",
                          std::string(input.line()));
      break;
    default:
      reply = host.object(ObjectEntry::kCall, ObjectClass::kPerson, name_of_person(input),
                          some_apply(input));
  }
  // 500: a set text that cannot be read ends the call, and the host undoes the turn.
  HF_ASSERT(reply.status == 200 || reply.status == 400 || reply.status == 500 ||
            reply.status == 503);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Input input(data, size);
  fuzz::RunLengths decompressor;
  test::TableZones zones;
  Core core(kHost, decompressor, zones);
  fuzz::Host host(core, input, fuzz::Answers::kByInput);
  for (int steps = 0; steps < 32 && !input.rest().empty(); ++steps) step(input, host);
  for (const auto& [key, storage] : host.objects) {
    HF_ASSERT(storage.largest_value <= limits::kStorageValueBytesMax);
  }
  return 0;
}
