// What objects keep is input: today's form of each value, under tests/vectors/stored/, must stay
// readable, and bytes that are not ours fail the call that reads them and nothing else.
#include <catch2/catch.hpp>

#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <vector>

#include "hogflare/bytes.h"
#include "hogflare/outbox.h"
#include "base/stored_value.h"
#include "cookieless/object_format.h"
#include "hogflare/cookieless.h"
#include "hogflare/stored_fault.h"
#include "identity/person_ids.h"
#include "identity/person_notes.h"
#include "identity/person_surrender.h"
#include "identity_support.h"

namespace hogflare::test {
namespace {

constexpr uint8_t kSeed[32] = {3};

// Runs one task over its storage; the effects it asks for are lost.
struct Turnaround {
  Entropy entropy{kSeed};
  Config config;
  Metrics metrics;
  MemoryStorage storage;
  size_t effects_left = 0;

  Reply run(std::unique_ptr<Task> task) {
    Effects effects;
    storage.begin_turn();
    task->start({1'704'067'200'000, entropy, config, metrics, &storage}, effects);
    effects_left = effects.take().size();
    storage.end_turn(task.get());
    if (!task->finished()) return {.status = 0, .headers = {}, .body = {}};
    return task->reply();
  }
  std::string log() {
    std::string lines;
    for (const LogEntry& entry : metrics.log.take()) lines += entry.line + "\n";
    return lines;
  }
};

std::string unhex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i + 1 < text.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(HOGFLARE_TEST_DATA_DIR "/vectors/stored/") + name + ".hex");
  INFO(name);
  REQUIRE(file.good());
  std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  return unhex(text);
}

std::string read_of(const std::string& distinct_id, const std::string& set = {}) {
  ApplyRequest request;
  request.self = distinct_id;
  PersonOp op;
  op.distinct_id = distinct_id;
  op.access = set.empty() ? PersonAccess::kRead : PersonAccess::kUpdate;
  op.set = set;
  request.ops.push_back(std::move(op));
  return write_apply(request);
}

struct StoredClass {
  const char* name;  // of the fixture
  const char* key;
  const char* object_class;
  std::function<std::unique_ptr<Task>()> call;
};

std::string outbox_list() { return R"({"version":1,"op":"list"})"; }

std::vector<StoredClass> classes() {
  const auto person = [] { return make_person_call(read_of("ann", R"({"b":2})")); };
  const auto group = [] { return make_group_call(write_group_call({{R"({"b":2})", 1}})); };
  const auto types = [] { return make_group_call(write_group_types_call({"x"})); };
  const auto outbox = [] { return make_outbox_call(outbox_list()); };
  return {
      {"person-1", "person", "person", person},
      {"person-2", "person", "person", person},
      {"group-1", "group", "group", group},
      {"group-2", "group", "group", group},
      {"group-types-1", "types", "group", types},
      {"group-types-2", "types", "group", types},
      {"cookieless-salt-1", "salt:2024-01-01", "cookieless",
       [] { return make_cookieless_call(write_salt_request(std::vector<int64_t>{19'723})); }},
      {"cookieless-visitor-1", "visitor:2024-01-01", "cookieless",
       [] {
         const CookielessOp op{CookielessVisit::kAnonymous, "copied", 1'704'067'200'000};
         return make_cookieless_call(write_cookieless_visit(19'723, std::vector<CookielessOp>{op}));
       }},
      {"counter-1", "next", "counter", [] { return make_counter_call(write_lease(5)); }},
      {"outbox-meta-1", "meta", "outbox", outbox},
      {"outbox-meta-2", "meta", "outbox", outbox},
  };
}

bool has_checksum(const StoredClass& each) { return std::string(each.name).back() == '2'; }

TEST_CASE("The stored values of each version are read") {
  for (const StoredClass& each : classes()) {
    Turnaround world;
    world.storage.put(each.key, fixture(each.name));
    CAPTURE(each.name);
    CHECK(world.run(each.call()).status == 200);
    CHECK(world.log() == "");
  }
  Turnaround world;
  world.storage.put("person", fixture("person-1"));
  const StoredPerson person = read_stored_person(world.storage);
  CHECK(person.state == StoredPerson::State::kOwner);
  CHECK(person.properties == R"({"plan":"pro"})");
  CHECK(person.version == 3);
  CHECK(person.is_identified);
  CHECK(person.distinct_ids == decltype(person.distinct_ids){{"ann", 0}, {"anna", 1}});
  world.storage.put("group", fixture("group-1"));
  CHECK(read_stored_group(world.storage).properties == R"({"name":"Acme"})");
}

TEST_CASE("Ids are leased in a bounded number, and a request that is none changes nothing") {
  const std::string lease = write_lease(5);
  std::string other_version = lease;
  ++other_version[0];
  for (const std::string& wrong : {std::string(), lease.substr(0, 1), lease + lease, other_version,
                                   write_lease(0), write_lease(1'000'001)}) {
    Turnaround world;
    CHECK(world.run(make_counter_call(wrong)).status == 400);
    CHECK(world.storage.values.empty());
  }
  Turnaround world;
  CHECK(read_lease_reply(world.run(make_counter_call(write_lease(1'000'000))).body) == 1);
  CHECK(read_lease_reply(world.run(make_counter_call(lease)).body) == 1'000'001);
  CHECK(read_lease_reply(world.run(make_counter_call(lease)).body) == 1'000'006);
}

TEST_CASE("A cookieless visitor's stored log-ins, sessions and copies keep their places") {
  Turnaround world;
  world.storage.put("visitor:2024-01-01", fixture("cookieless-visitor-1"));
  world.storage.put("salt:2024-01-01", fixture("cookieless-salt-1"));
  constexpr int64_t kAt = 1'704'067'200'000;
  const std::vector<CookielessOp> ops = {{CookielessVisit::kAnonymous, "one copy", kAt},
                                         {CookielessVisit::kIdentify, "log-in of one   ", kAt},
                                         {CookielessVisit::kAnonymous, "", kAt}};
  const auto places = read_cookieless_places(
      world.run(make_cookieless_call(write_cookieless_visit(19'723, ops))).body);
  REQUIRE(places.has_value());
  CHECK((*places)[0].n == 1);
  CHECK((*places)[0].session == "018cc251-f400-7000-8000-00000000000b");
  CHECK((*places)[1].n == 0);
  CHECK((*places)[1].session == "018cc251-f400-7000-8000-00000000000a");
  CHECK((*places)[2].n == 1);
  CHECK((*places)[2].session == "018cc251-f400-7000-8000-00000000000b");
  const auto salts = read_salt_reply(
      world.run(make_cookieless_call(write_salt_request(std::vector<int64_t>{19'723}))).body);
  REQUIRE(salts.has_value());
  CHECK(*salts == std::vector<std::string>{std::string(32, '\x11')});
}

TEST_CASE("A cookieless visitor of an earlier day than the alarm's moves the alarm") {
  Turnaround world;
  const auto alarm_after = [&world](int64_t day) {
    const std::vector<CookielessOp> ops = {{CookielessVisit::kAnonymous, "", 1'704'067'200'000}};
    CHECK(world.run(make_cookieless_call(write_cookieless_visit(day, ops))).status == 200);
    return world.storage.alarm_at_ms;
  };
  // The clock was two days ahead.
  const int64_t ahead_ms = alarm_after(19'725);
  CHECK(ahead_ms - alarm_after(19'723) == 2 * 86'400'000);
  CHECK(ahead_ms - alarm_after(19'725) == 2 * 86'400'000);
}

TEST_CASE("A cookieless visitor whose sessions are no UUIDs fails its call") {
  const auto status_of = [](size_t session_bytes, size_t copy_bytes) {
    ByteWriter out;
    out.u8(1);
    out.number(0);  // log-ins forgotten
    out.number(0);  // log-ins known
    out.number(1);
    out.signed_number(0);
    out.text(std::string(session_bytes, 'a'));
    out.signed_number(1'704'067'200'000);
    out.number(1);
    out.text("one copy");
    out.signed_number(0);
    out.text(std::string(copy_bytes, 'a'));
    Turnaround world;
    world.storage.put("visitor:2024-01-01", out.bytes());
    const std::vector<CookielessOp> ops = {{CookielessVisit::kAnonymous, "", 1'704'067'200'000}};
    return world.run(make_cookieless_call(write_cookieless_visit(19'723, ops))).status;
  };
  CHECK(status_of(16, 16) == 200);
  CHECK(status_of(15, 16) == 503);
  CHECK(status_of(16, 17) == 503);
}

TEST_CASE("A cookieless visitor that cannot be read fails the flags' question as well") {
  const auto ask = [](const std::string& stored) {
    Turnaround world;
    if (!stored.empty()) world.storage.put("visitor:2024-01-01", stored);
    const Reply reply = world.run(make_cookieless_call(write_cookieless_question(19'723)));
    CHECK((world.log().find("stored_value_unreadable") != std::string::npos) ==
          (reply.status == 503));
    return reply;
  };
  const std::string whole = fixture("cookieless-visitor-1");
  CHECK(read_cookieless_answer(ask(whole).body) == 1);
  CHECK(read_cookieless_answer(ask("").body) == 0);
  for (size_t size = 1; size < whole.size(); ++size) {
    CAPTURE(size);
    CHECK(ask(whole.substr(0, size)).status == 503);
  }
}

TEST_CASE("A stored value of another version fails its call alone and is left as it is") {
  for (const StoredClass& each : classes()) {
    // The counter's number has no version byte.
    if (std::string(each.key) == "next") continue;
    // Of the outbox's first version neither: it was JSON.
    if (std::string(each.name) == "outbox-meta-1") continue;
    Turnaround world;
    std::string bytes = fixture(each.name);
    bytes[0] = 9;
    world.storage.put(each.key, bytes);
    world.storage.rows_written = 0;
    CAPTURE(each.name);
    // A cookieless object's format has had one version, the others' two.
    const std::string known = std::string_view(each.object_class) == "cookieless" ? "1" : "2";
    const Reply reply = world.run(each.call());
    CHECK(reply.status == 503);
    CHECK(reply.body == "object_unavailable");
    CHECK(world.effects_left == 0);
    CHECK(world.storage.rows_written == 0);
    CHECK(world.log() ==
          std::string(R"({"level":"error","event":"stored_value_unreadable","class":")") +
              each.object_class + R"(","key":")" + each.key +
              "\",\"found_version\":9,\"known_version\":" + known + "}\n");
  }
}

TEST_CASE("A stored value cut anywhere, or with something behind it, fails its call") {
  for (const StoredClass& each : classes()) {
    const std::string whole = fixture(each.name);
    CAPTURE(each.name);
    for (size_t size = 0; size <= whole.size() + 1; ++size) {
      if (size == whole.size()) continue;
      Turnaround world;
      std::string bytes = whole.substr(0, size);
      if (size > whole.size()) bytes += '\1';
      world.storage.put(each.key, bytes);
      CAPTURE(size);
      CHECK(world.run(each.call()).status == 503);
    }
  }
}

TEST_CASE("No byte changed in a stored value ends more than its stored call") {
  for (const StoredClass& each : classes()) {
    const std::string whole = fixture(each.name);
    for (size_t at = 0; at < whole.size(); ++at) {
      for (const int bit : {1, 2, 4, 8, 16, 32, 64, 128}) {
        Turnaround world;
        std::string bytes = whole;
        bytes[at] = static_cast<char>(bytes[at] ^ bit);
        world.storage.put(each.key, bytes);
        const uint16_t status = world.run(each.call()).status;
        CAPTURE(each.name, at, bit);
        // A checksum sees every change; only what is made of a value of version 1 cannot.
        if (has_checksum(each) && !(at == 0 && bytes[at] == 1)) {
          CHECK(status == 503);
        } else {
          CHECK((status == 200 || status == 503));
        }
      }
    }
  }
}

TEST_CASE("Surrender, acknowledgement and alarm of a person that cannot be read") {
  Turnaround world;
  world.storage.put("person",
                    "\x09"
                    "newer");
  CHECK(world.run(make_person_call(write_repoint("ann", "x", "y"))).status == 503);
  CHECK(world.log().find("stored_value_unreadable") != std::string::npos);
  const Reply reply = world.run(make_person_alarm());
  CHECK(reply.status == 200);
  CHECK(world.storage.alarm_at_ms > 1'704'067'200'000);
  CHECK(world.storage.values.at("person") ==
        "\x09"
        "newer");
  CHECK(world.log().find("stored_value_unreadable") != std::string::npos);
}

TEST_CASE("Properties that are no text of ours fail the call that takes them apart") {
  for (const char* text :
       {"", "{", "}", "{}x", "{\"", "{\"a", "{\"a\"}", "{\"a\":}", "{\"a\":\"}", "{\"a\":\"b\"c}",
        "{\"a\":[}", "{a:1}", "{\"a\"x1}", "{\"a\"1:2}", "{\"a\":1,}", "{\"a\":1}}"}) {
    CAPTURE(text);
    PropertyBag bag;
    CHECK_FALSE(bag.add_text(text));
  }
  for (const char* text :
       {"{}", "{\"a\":1}", "{\"a\\\"\":\"\\\\\",\"b\":[\"}\"],\"c\":{\"d\":{}}}"}) {
    CAPTURE(text);
    PropertyBag bag;
    CHECK(bag.add_text(text));
  }
}

TEST_CASE("A stored value may be empty behind its head, and is not without the whole head") {
  const std::string empty = seal(2, "");
  CHECK(unseal(empty, 2) == "");
  CHECK_FALSE(unseal(empty, 1).has_value());
  for (size_t size = 0; size < empty.size(); ++size) {
    CHECK_FALSE(unseal(std::string_view(empty).substr(0, size), 2).has_value());
  }
}

// --- Rows beside a person's record ---

const char* const kPersonFixtures[][2] = {
    {"person-2-paged", "person"},
    {"person-page-2", "ids/00000000"},
    {"person-index-2", "ids/index"},
    {"person-dismissal-2", "dismiss/000000000000"},
    {"person-report-2", "report/000000000000"},
};

void put_paged_person(MemoryStorage& storage) {
  for (const auto& [name, key] : kPersonFixtures) storage.put(key, fixture(name));
}

std::unique_ptr<Task> alias_of(const std::string& other) {
  ApplyRequest request;
  request.self = "ann";
  PersonOp op;
  op.distinct_id = "ann";
  op.other = other;
  op.merge = MergeKind::kAlias;
  request.ops.push_back(std::move(op));
  return make_person_call(write_apply(request));
}

TEST_CASE("A person whose ids, tombstones and reports stand in rows of their own is read") {
  Turnaround world;
  put_paged_person(world.storage);
  const StoredPerson person = read_stored_person(world.storage);
  CHECK(person.state == StoredPerson::State::kOwner);
  CHECK(person.has_unacknowledged);
  CHECK(person.has_unreported);
  REQUIRE(person.distinct_ids.size() == 2);
  CHECK(person.distinct_ids[0].first == "ann");
  CHECK(person.distinct_ids[1].first == "bob");
  // An id that stands on the page is found there: no merge begins.
  CHECK(world.run(alias_of("bob")).status == 200);
  CHECK(world.effects_left == 0);
}

TEST_CASE(
    "A row beside a person's record that is damaged or gone fails whoever needs it, and no more") {
  for (size_t damaged = 1; damaged < std::size(kPersonFixtures); ++damaged) {
    const auto& [name, key] = kPersonFixtures[damaged];
    const std::string whole = fixture(name);
    for (size_t at = 0; at <= whole.size(); ++at) {
      Turnaround world;
      world.config.sinks[index_of(Stream::kPersons)] = SinkKind::kHttp;
      put_paged_person(world.storage);
      std::string bytes = whole;
      if (at < whole.size()) bytes[at] = static_cast<char>(bytes[at] ^ 4);
      world.storage.put(key, bytes);
      if (at == whole.size()) world.storage.erase(key);
      CAPTURE(name, at);
      const uint16_t merge = world.run(alias_of("bob")).status;
      CHECK((merge == 200 || merge == 503));
      if (damaged <= 2) CHECK(merge == 503);
      world.storage.alarm_at_ms = 0;
      const uint16_t alarm = world.run(make_person_alarm()).status;
      CHECK((alarm == 200 || alarm == 0));
      CHECK(world.storage.alarm_at_ms > 1'704'067'200'000);
      CHECK(world.run(make_person_call(read_of("ann"))).status == 200);
    }
  }
}

TEST_CASE("Notes of tombstones are read page by page, and a damaged one is told") {
  MemoryStorage storage;
  PersonRecord record;
  for (const char* object : {"1:ann", "1:bob", "1:cleo"}) note_dismissal(storage, record, object);
  std::optional<StoredFault> fault;
  const auto all = load_dismissals(storage, {}, 10, fault);
  REQUIRE(all.size() == 3);
  CHECK(all[0].second == "1:ann");
  CHECK(all[2].second == "1:cleo");
  CHECK(load_dismissals(storage, all[0].first, 1, fault) ==
        std::vector<std::pair<std::string, std::string>>{all[1]});
  CHECK_FALSE(fault.has_value());
  for (const auto& [key, object] : all) {
    MemoryStorage damaged = storage;
    damaged.put(key, "?");
    const auto others = load_dismissals(damaged, {}, 3, fault);
    CHECK(others.size() == 2);
    for (const auto& other : others) CHECK(other.first != key);
    REQUIRE(fault.has_value());
    CHECK(fault->key == key);
    fault.reset();
    CHECK(load_dismissals(damaged, key, 10, fault) == load_dismissals(storage, key, 10, fault));
    CHECK_FALSE(fault.has_value());
  }
}

TEST_CASE("Merges that are not reported yet are read whole, and a damaged or lost one is told") {
  MemoryStorage storage;
  PersonRecord record;
  for (const char* id : {"ann", "bob"}) note_report(storage, record, {"e", id, "u", 3, 4, 1});
  std::optional<StoredFault> fault;
  const std::vector<UnreportedMerge> reports = load_reports(storage, record, fault);
  CHECK_FALSE(fault.has_value());
  REQUIRE(reports.size() == 2);
  CHECK(reports[0].distinct_id == "ann");
  CHECK(reports[1].distinct_id == "bob");
  CHECK(reports[1].merged_version == 3);
  for (const auto& [key, value] : storage.values) {
    for (const bool is_lost : {false, true}) {
      CAPTURE(key, is_lost);
      MemoryStorage damaged = storage;
      is_lost ? damaged.erase(key) : damaged.put(key, "?");
      fault.reset();
      CHECK(load_reports(damaged, record, fault).empty());
      REQUIRE(fault.has_value());
      CHECK(fault->key == key);
    }
  }
}

TEST_CASE("Merges that cannot be read are owed still when the others are done") {
  for (const size_t bad : {0, 1, 2}) {
    CAPTURE(bad);
    MemoryStorage storage;
    PersonRecord record;
    for (const char* id : {"ann", "bob", "cleo"}) {
      note_report(storage, record, {"e", id, "u", 3, 4, 1});
    }
    const std::string key = "report/00000000000" + std::to_string(bad);
    storage.put(key, "?");
    const ReadReports read = read_reports(storage, record);
    CHECK(read.reports.size() == 2);
    REQUIRE(read.unread == std::vector<uint64_t>{bad});
    REQUIRE(read.fault.has_value());
    CHECK(read.fault->key == key);
    erase_reports(storage, record, 3, read.unread);
    CHECK(record.first_report == bad);
    CHECK(record.next_report == 3);
    CHECK(storage.list("report/", {}, 10) == std::vector<std::string>{key});
    // One that is lost is owed by nobody.
    storage.erase(key);
    erase_reports(storage, record, 3, read_reports(storage, record).unread);
    CHECK(record.first_report == 3);
  }
}

TEST_CASE("Whoever asks for a person or sends a redirect on names an object of so many bytes") {
  for (const size_t bytes : {limits::kIdBytesMax, limits::kIdBytesMax + 1}) {
    const std::string name(bytes, 'x');
    const uint16_t status = bytes == limits::kIdBytesMax ? 200 : 400;
    CAPTURE(bytes);
    Turnaround world;
    SurrenderRequest request;
    request.self = "1:ann";
    request.survivor = name;
    for (const uint8_t version : {uint8_t{1}, kSurrenderVersion}) {
      const std::string question = write_surrender(request, version);
      CHECK(world.run(make_person_call(question)).status == status);
      CHECK(world.run(make_person_call(question.substr(0, question.size() - 1))).status == 400);
    }
    CHECK(world.run(make_person_call(write_repoint("ann", "x", name))).status == status);
  }
}

TEST_CASE("Where ids that a report owes begin is read whole or not at all") {
  const auto first_of = [](std::string_view body) {
    MemoryStorage storage;
    storage.put("report-ids", seal(kPersonStoredVersion, body));
    std::optional<StoredFault> fault;
    const uint32_t first = first_moved_page(storage, fault);
    return fault.has_value() ? std::nullopt : std::optional<uint32_t>(first);
  };
  const auto number = [](uint64_t page) {
    ByteWriter out;
    out.number(page);
    return out.take();
  };
  CHECK(first_of(number(7)) == 7);
  CHECK(first_of(number(UINT32_MAX)) == UINT32_MAX);
  CHECK_FALSE(first_of(number(uint64_t{UINT32_MAX} + 1)).has_value());
  CHECK_FALSE(first_of(number(7) + "x").has_value());
  CHECK_FALSE(first_of("").has_value());
}

TEST_CASE("A page of ids is read whole or not at all, though its checksum is right") {
  ByteWriter page;
  write_ids(page, {{"ann", 0}, {"a phone", 1}});
  const std::string whole(page.bytes());
  for (size_t size = 0; size <= whole.size() + 1; ++size) {
    MemoryStorage storage;
    storage.put("ids/00000000", seal(kPersonStoredVersion, (whole + "x").substr(0, size)));
    std::optional<StoredFault> fault;
    const std::string body = load_id_page(storage, 0, fault);
    CAPTURE(size);
    CHECK(fault.has_value() == (size != whole.size()));
    CHECK(body == (size == whole.size() ? whole : ""));
  }
}

TEST_CASE("A record of version 1 with lists in it is spread over rows when it is first read") {
  Turnaround world;
  world.storage.put("person", fixture("person-1-lists"));
  world.storage.put("ids:00000000", fixture("person-1-page"));
  CHECK(world.run(make_person_call(read_of("ann"))).status == 200);
  CHECK(world.log() == "");
  CHECK(world.storage.values.count("ids:00000000") == 0);
  CHECK(world.storage.values.count("ids/00000000") == 1);
  CHECK(world.storage.values.count("dismiss/000000000000") == 1);
  CHECK(world.storage.values.count("report/000000000000") == 1);
  const StoredPerson person = read_stored_person(world.storage);
  CHECK(person.distinct_ids.size() == 2);
  world.storage.put("ids:00000000", "x");
  world.storage.put("person", fixture("person-1-lists"));
  CHECK(world.run(make_person_call(read_of("ann"))).status == 503);
}

// --- The outbox's sends ---

TEST_CASE("A stored send that cannot be read stays, is told, and the others go out") {
  constexpr const char* kKey = "e0/1704067100000/000000000001";
  for (const char* name : {"outbox-send-1", "outbox-send-2"}) {
    const std::string whole = fixture(name);
    for (size_t at = 0; at <= whole.size(); ++at) {
      for (const int bit : {1, 32, 128}) {
        Turnaround world;
        world.config.sinks[0] = SinkKind::kHttp;
        std::string bytes = whole;
        if (at < whole.size()) bytes[at] = static_cast<char>(bytes[at] ^ bit);
        world.storage.put("meta", fixture("outbox-meta-2"));
        world.storage.put(kKey, bytes);
        CAPTURE(name, at, bit);
        const Reply reply = world.run(make_outbox_call(R"({"version":1,"op":"drain"})"));
        CHECK((reply.status == 0 || reply.status == 200));
        if (at == whole.size()) {
          CHECK(world.effects_left == 1);
        } else if (world.effects_left == 0) {
          CHECK(world.log().find("stored_value_unreadable") != std::string::npos);
          CHECK(world.storage.values.at(kKey) == bytes);
          CHECK(world.storage.alarm_at_ms > 1'704'067'200'000 + 1'000);
        }
        if (std::string(name).back() == '2' && at < whole.size()) CHECK(world.effects_left == 0);
      }
    }
  }
}

TEST_CASE("An outbox whose figures cannot be read is left as it is, and its alarm comes back") {
  Turnaround world;
  world.config.sinks[0] = SinkKind::kHttp;
  const std::string newer = "\x09newer";
  world.storage.put("meta", newer);
  world.storage.put("e0/1704067100000/000000000001", fixture("outbox-send-2"));
  CHECK(world.run(make_outbox_alarm()).status == 200);
  CHECK(world.effects_left == 0);
  CHECK(world.storage.alarm_at_ms == 1'704'067'200'000 + limits::kOutboxBackoffCapMs);
  CHECK(world.storage.values.size() == 2);
  CHECK(world.storage.values.at("meta") == newer);
  CHECK(world.log().find("stored_value_unreadable") != std::string::npos);
}

TEST_CASE("An outbox is called in this version or without one, as the deployment before does") {
  for (const auto& [line, status] : std::initializer_list<std::pair<const char*, uint16_t>>{
           {R"({"op":"stats"})", 200},
           {R"({"version":1,"op":"stats"})", 200},
           {R"({"version":2,"op":"stats"})", 400},
           {R"({"version":"1","op":"stats"})", 400}}) {
    Turnaround world;
    CAPTURE(line);
    CHECK(world.run(make_outbox_call(line)).status == status);
  }
}

// --- Calls of other versions, and what is no call ---

TEST_CASE("A merge under way whose operation cannot be read fails its call, in either version") {
  PersonOp op;
  op.distinct_id = "ann";
  op.other = "bob";
  op.merge = MergeKind::kDangerously;
  op.set = R"({"a":1})";
  const auto bytes_of = [](const PersonOp& given) {
    ByteWriter out;
    write_op(out, given);
    return out.take();
  };
  const std::string good = bytes_of(op);
  op.set = "{\"a\":";
  const std::string bad_text = bytes_of(op);
  const auto reads = [](std::string_view value) {
    MemoryStorage storage;
    storage.put("person", value);
    std::optional<StoredFault> fault;
    const PersonRecord record = load_record(storage, {}, fault);
    CHECK(record.intent.has_value() == !fault.has_value());
    return !fault.has_value();
  };
  const auto second = [](const std::string& operation) {
    MemoryStorage storage;
    PersonRecord record;
    record.sequence = 1;
    record.intent.emplace();
    record.intent->sequence = 1;
    record.intent->self = "ann";
    record.intent->target = "bob";
    record.intent->op = operation;
    std::optional<StoredFault> fault;
    store_record(storage, record, fault);
    return storage.values.at("person");
  };
  const auto first = [](const std::string& operation) {
    ByteWriter out;
    out.u8(1);      // the version
    out.u8(0);      // an empty record
    out.u8(4);      // with a merge under way
    out.text("");   // no redirect
    out.number(0);  // given to nobody
    out.number(1);  // merges so far
    out.number(1);
    out.text("ann");
    out.text("bob");
    out.u8(0);
    out.signed_number(1'704'067'200'000);
    out.signed_number(1);
    out.text(operation);
    for (int list = 0; list < 3; ++list) out.number(0);
    return out.take();
  };
  CHECK(reads(second(good)));
  CHECK(reads(first(good)));
  for (const std::string& bad : {std::string(), good.substr(0, good.size() - 1), good + "x"}) {
    CHECK_FALSE(reads(second(bad)));
    CHECK_FALSE(reads(first(bad)));
  }
  CHECK_FALSE(reads(first(bad_text)));
}

TEST_CASE("A merge's large operation stands in a row of its own, and without it the call fails") {
  MemoryStorage storage;
  PersonBounds bounds;
  bounds.inline_op_bytes = 1;
  PersonOp op;
  op.distinct_id = "ann";
  op.other = "bob";
  ByteWriter bytes;
  write_op(bytes, op);
  PersonRecord record;
  record.bounds = bounds;
  record.sequence = 1;
  record.intent.emplace();
  record.intent->sequence = 1;
  record.intent->op = bytes.take();
  std::optional<StoredFault> fault;
  store_record(storage, record, fault);
  REQUIRE(storage.values.size() == 2);
  CHECK(load_record(storage, bounds, fault).intent.has_value());
  CHECK_FALSE(fault.has_value());
  std::string key;
  for (const auto& [name, value] : storage.values) {
    if (name != "person") key = name;
  }
  storage.erase(key);
  load_record(storage, bounds, fault);
  REQUIRE(fault.has_value());
  CHECK(fault->key == key);
}

TEST_CASE("A person remembers its last merges, and so many") {
  PersonRecord record;
  for (uint64_t merge = 1; merge <= limits::kAppliedMergesMax + 1; ++merge) {
    record.note_applied(merge);
    CHECK(record.was_applied(merge));
  }
  CHECK_FALSE(record.was_applied(1));
  CHECK(record.was_applied(2));
  CHECK(record.applied.size() == limits::kAppliedMergesMax);
}

TEST_CASE("The counter of ids hands out ranges without a gap, and refuses what is no lease") {
  Turnaround world;
  std::string newer = write_lease(10);
  newer[0] = 9;
  for (const std::string& call :
       {std::string(), newer, write_lease(10) + "x", write_lease(0), write_lease(1'000'001)}) {
    CAPTURE(call);
    CHECK(world.run(make_counter_call(call)).status == 400);
    CHECK(world.storage.values.empty());
  }
  const auto lease = [&](uint64_t count) {
    const Reply reply = world.run(make_counter_call(write_lease(count)));
    CHECK(reply.status == 200);
    return read_lease_reply(reply.body);
  };
  CHECK(lease(1'000'000) == 1);
  CHECK(lease(1) == 1'000'001);
  CHECK(lease(10) == 1'000'002);
}

TEST_CASE("A group's object refuses calls of another version or kind and changes nothing") {
  for (const std::string& known :
       {write_group_types_call({"org"}), write_group_call({{R"({"a":1})", 1}})}) {
    for (const size_t at : {size_t{0}, size_t{1}}) {
      for (const char other : {0, 7, 9}) {
        std::string call = known;
        call[at] = other;
        Turnaround world;
        CAPTURE(at, static_cast<int>(other));
        CHECK(world.run(make_group_call(call)).status == 400);
        CHECK(world.storage.values.empty());
      }
    }
    Turnaround world;
    CHECK(world.run(make_group_call(known)).status == 200);
  }
}

TEST_CASE("A group's version counts its changes") {
  Turnaround world;
  const auto version_after = [&](std::string_view set) {
    CHECK(world.run(make_group_call(write_group_call({{set, 1}}))).status == 200);
    return read_stored_group(world.storage).version;
  };
  CHECK(version_after(R"({"a":1})") == 1);
  CHECK(version_after(R"({"a":1})") == 1);
  CHECK(version_after(R"({"a":2,"b":3})") == 2);
  CHECK(version_after(R"({"c":4})") == 3);
}

TEST_CASE("A person is asked for in the first version or the second, and in no other") {
  SurrenderRequest request;
  request.self = "ann";
  request.survivor = "user";
  request.sequence = 1;
  for (const uint8_t version : {0, 1, 2, 3}) {
    Turnaround world;
    world.storage.put("person", fixture("person-2"));
    const std::string before = world.storage.values.at("person");
    CAPTURE(static_cast<int>(version));
    const Reply reply = world.run(make_person_call(write_surrender(request, version)));
    const bool is_known = version == 1 || version == 2;
    CHECK(reply.status == (is_known ? 200 : 400));
    if (is_known) {
      CHECK(read_surrender_reply(reply.body).has_value());
    } else {
      CHECK(reply.body == "");
      CHECK(world.storage.values.at("person") == before);
    }
  }
}

// --- A call's own texts ---

TEST_CASE("Properties of a call that are no text of ours change nothing") {
  for (const char* set : {R"({"a":1,"b"})", "{", R"({"a":"})"}) {
    Turnaround world;
    CAPTURE(set);
    CHECK(world.run(make_person_call(read_of("ann", set))).status == 500);
    CHECK(world.storage.rows_written == 0);
    world.storage.put("person", fixture("person-2"));
    world.storage.rows_written = 0;
    CHECK(world.run(make_person_call(read_of("ann", set))).status == 500);
    CHECK(world.storage.rows_written == 0);
    CHECK(world.run(make_group_call(write_group_call({{R"({"b":2})", 1}, {set, 1}}))).status ==
          400);
    CHECK(world.storage.rows_written == 0);
  }
}

// --- Identifiers are bounded before they are stored ---

TEST_CASE("A group's type or key of more than 400 characters is no group, with a warning") {
  ObjectHost host;
  IdentityCaches caches;
  Project project;
  EventBatch batch;
  const std::string fits(400, 'k');
  batch.add(R"({"event":"e","distinct_id":"a","properties":{"$groups":{"org":")" + fits +
            R"("}}})");
  batch.add(R"({"event":"e","distinct_id":"a","properties":{"$groups":{"org":"k)" + fits +
            R"("}}})");
  batch.add(R"({"event":"e","distinct_id":"a","properties":{"$groups":{"o)" + fits + R"(":"k"}}})");
  RequestRun run(host, caches, project, batch);
  REQUIRE(run.groups.warnings().size() == 2);
  CHECK(run.groups.warnings()[0].name == "group_name_too_long");
  for (const auto& [key, storage] : host.objects) CHECK(key.name.size() < 500);
}

TEST_CASE(
    "A merge with an id of any length beyond what an id may have is none, and the warning short") {
  for (const std::string& alias :
       {"\"" + std::string(2'000'000, 'a') + "\"", "\"" + std::string(401, 'a') + "\""}) {
    ObjectHost host;
    IdentityCaches caches;
    Project project;
    EventBatch batch;
    batch.add(R"({"event":"$create_alias","distinct_id":"ann","properties":{"alias":)" + alias +
              "}}");
    RequestRun run(host, caches, project, batch);
    REQUIRE(run.people.warnings().size() == 1);
    CHECK(run.people.warnings()[0].name == "cannot_merge_with_illegal_distinct_id");
    CHECK(run.people.warnings()[0].detail.size() < 400);
    CHECK(host.calls[ObjectClass::kPerson] == 1);
  }
}

}  // namespace
}  // namespace hogflare::test
