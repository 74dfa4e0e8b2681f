// Property bags and JavaScript's String(): what people and groups are kept in.
#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "hogflare/bytes.h"
#include "hogflare/js_string.h"
#include "hogflare/limits.h"
#include "hogflare/person.h"
#include "hogflare/property_bag.h"
#include "identity/name_set.h"

namespace hogflare {
namespace {

std::string after_adding(const char* first, const char* second) {
  PropertyBag bag;
  const std::string left = first;
  const std::string right = second;
  bag.add_text(left);
  bag.add_text(right);
  return bag.text();
}

TEST_CASE("A bag keeps values as the bytes they came in and keys in order of first appearance") {
  CHECK(after_adding(R"({"a":1.0,"b":12345678901234567890})", R"({"c":[1, 2]})") ==
        R"({"a":1.0,"b":12345678901234567890,"c":[1, 2]})");
  CHECK(after_adding(R"({"a":1,"b":2})", R"({"a":3})") == R"({"a":3,"b":2})");
  CHECK(after_adding("{}", "{}") == "{}");
}

TEST_CASE("A text that was written is read as it stands, whatever its values hold") {
  const char* texts[] = {"{}",
                         R"({"":1})",
                         R"({"a":""})",
                         R"({"a":"}","b":"{","c":"]","d":",","e":":"})",
                         R"({"a":"\"","b":"\\","c":"\\\"","d":"x\\\\"})",
                         R"({"quoted \" name":{"b":{"c":[1, {"d":"]}\""}]}},"last":[[],{}]})",
                         R"({"a":-1.5e+3,"b":true,"c":false,"d":null,"e":[ ],"f":{ }})",
                         R"({"caf\\":"é","long":"0123456789012345678901234567890123456789"})"};
  for (const char* text : texts) {
    INFO(text);
    const std::string owner = text;
    PropertyBag bag;
    bag.add_text(owner);
    CHECK(bag.text() == owner);
    CHECK(bag.text_bytes() == owner.size());
    // The same members as a parser finds.
    auto document = json::Document::parse_const(owner, 1);
    REQUIRE(document.ok());
    PropertyBag parsed;
    parsed.add(document.value().root());
    REQUIRE(parsed.size() == bag.size());
    for (size_t i = 0; i < bag.size(); ++i) {
      CHECK(parsed.entries()[i].key == bag.entries()[i].key);
      CHECK(parsed.entries()[i].value == bag.entries()[i].value);
    }
  }
}

TEST_CASE("A written text adds to a bag that holds something") {
  CHECK(after_adding(R"({"a":"\"","b":[1,2]})", R"({"b":{"c":"}"},"d":0})") ==
        R"({"a":"\"","b":{"c":"}"},"d":0})");
}

TEST_CASE("Two spellings of a name are one key") {
  PropertyBag bag;
  std::string text = R"({"caf\u00e9":1,"café":2,"\u0061":3})";
  auto document = json::Document::parse(text, 1);
  REQUIRE(document.ok());
  bag.add(document.value().root());
  CHECK(bag.size() == 2);
  REQUIRE(bag.find("a") != nullptr);
  CHECK(bag.find("a")->value == "3");
  CHECK(bag.find("café")->value == "2");
}

TEST_CASE("Anything but an object counts as empty") {
  for (const char* text : {"[1]", "\"a\"", "1", "null"}) {
    std::string copy = text;
    auto document = json::Document::parse(copy, 1);
    REQUIRE(document.ok());
    PropertyBag bag;
    bag.add(document.value().root());
    CHECK(bag.empty());
  }
}

TEST_CASE("Escaped NULs in values become U+FFFD") {
  PropertyBag bag;
  std::string text = R"({"a":"x\u0000y","b":"\\u0000"})";
  auto document = json::Document::parse(text, 1);
  REQUIRE(document.ok());
  bag.add(document.value().root());
  CHECK(bag.find("a")->value == R"("x\ufffdy")");
  CHECK(bag.find("b")->value == R"("\\u0000")");
}

TEST_CASE("An erased key is gone, and may come back behind the others") {
  PropertyBag bag;
  bag.add_text(R"({"a":1,"b":2})");
  CHECK(bag.erase("a"));
  CHECK_FALSE(bag.erase("a"));
  CHECK_FALSE(bag.has("a"));
  CHECK(bag.size() == 1);
  bag.set("a", "3");
  CHECK(bag.text() == R"({"b":2,"a":3})");
}

TEST_CASE("A bag of many keys finds each of them") {
  std::string text = "{";
  for (int i = 0; i < 500; ++i) {
    text += (i > 0 ? ",\"key" : "\"key") + std::to_string(i) + "\":" + std::to_string(i);
  }
  text += "}";
  PropertyBag bag;
  bag.add_text(text);
  for (int i = 0; i < 500; ++i) {
    const PropertyBag::Entry* entry = bag.find("key" + std::to_string(i));
    REQUIRE(entry != nullptr);
    CHECK(entry->value == std::to_string(i));
  }
  CHECK(bag.text() == text);
  CHECK(bag.text_bytes() == text.size());
  // One that goes is found no more, and comes back behind the others.
  CHECK(bag.erase("key7"));
  CHECK_FALSE(bag.has("key7"));
  CHECK_FALSE(bag.erase("key7"));
  CHECK(bag.size() == 499);
  bag.set("key7", "\"back\"");
  CHECK(bag.find("key7")->value == "\"back\"");
  CHECK(bag.text().substr(bag.text().size() - 15) == R"(,"key7":"back"})");
}

TEST_CASE("Values are the same as JavaScript's === has it") {
  const auto same = [](const char* left, const char* right) { return same_value(left, right); };
  CHECK(same("1", "1.0"));
  CHECK(same("1e2", "100"));
  CHECK(same("0", "-0"));
  CHECK(same(R"("a")", R"("\u0061")"));
  CHECK(same("null", "null"));
  CHECK_FALSE(same("1", R"("1")"));
  CHECK_FALSE(same("0", "false"));
  CHECK_FALSE(same("null", "false"));
  CHECK_FALSE(same(R"("a")", R"("A")"));
  CHECK_FALSE(same(R"("\u0031")", "[1]"));
  CHECK_FALSE(same("[1]", R"("\u0031")"));
  CHECK(same(R"("\u0061\u0061")", R"("aa")"));
  // Nobody compares a number of a million digits with every event's.
  const std::string long_one = "0." + std::string(500, '0') + "1";
  CHECK(same(long_one.c_str(), long_one.c_str()));
  CHECK_FALSE(same(long_one.c_str(), (long_one + "0").c_str()));
}

TEST_CASE("A person who is too large loses properties by name, but none that say who it is") {
  const std::string filling = "\"" + std::string(150'000, 'x') + "\"";
  PropertyBag bag;
  const std::string text = "{\"$initial_referrer\":" + filling + ",\"utm_source\":" + filling +
                           ",\"email\":" + filling + ",\"a\":" + filling + ",\"b\":" + filling +
                           ",\"small\":1}";
  REQUIRE(bag.add_text(text));
  Person person;
  PersonOp op;
  op.set = R"({"new":1})";
  const Update update = update_person(person, bag, op, IdentifiedChange::kKeep);
  CHECK(update.too_large);
  CHECK(update.persisted);
  CHECK(bag.text_bytes() <= limits::kPersonPropertiesTrimBytes);
  for (const char* kept : {"$initial_referrer", "utm_source", "email", "small"}) {
    INFO(kept);
    CHECK(bag.find(kept) != nullptr);
  }
  for (const char* gone : {"a", "b", "new"}) {
    INFO(gone);
    CHECK(bag.find(gone) == nullptr);
  }
}

TEST_CASE("Ids of any type become the text JavaScript makes of them") {
  const auto text = [](const char* raw) { return js_string_of(raw); };
  CHECK(text("42") == "42");
  CHECK(text("1.0") == "1");
  CHECK(text("-0") == "0");
  CHECK(text("1e21") == "1e+21");
  CHECK(text("123456789012345680000") == "123456789012345680000");
  CHECK(text("1e-7") == "1e-7");
  CHECK(text("0.1") == "0.1");
  CHECK(text("true") == "true");
  CHECK(text("null") == "null");
  CHECK(text(R"("a b")") == "a b");
  CHECK(text("{}") == "[object Object]");
  CHECK(text(R"([1,[2,null],"x"])") == "1,2,,x");
  CHECK(text("[]") == "");
}

// --- What a person remembers of recent events ---

std::vector<std::string> uuids_of(const RecentChanges& changes) {
  std::vector<std::string> uuids;
  RecentChanges::Reader reader(changes);
  while (reader.next()) uuids.emplace_back(reader.change().event_uuid);
  return uuids;
}

TEST_CASE("Operations that differ where one text ends and the next begins are different") {
  const auto hash = [](std::string_view id, std::string_view other, std::string_view set) {
    PersonOp op;
    op.distinct_id = id;
    op.other = other;
    op.set = set;
    return content_hash(op);
  };
  CHECK(hash("a", "bc", "") == hash("a", "bc", ""));
  CHECK(hash("a", "bc", "") != hash("ab", "c", ""));
  CHECK(hash("a", "bc", "") != hash("a", "b", "c"));
  CHECK(hash("", "abc", "") != hash("abc", "", ""));
  // Whatever an operation is to do counts.
  PersonOp op;
  op.set_once = "{}";
  const uint64_t with_once = content_hash(op);
  op.unset = {"a"};
  const uint64_t with_unset = content_hash(op);
  CHECK(hash("", "", "") != with_once);
  CHECK(with_once != with_unset);
  op.unset = {"a", "b"};
  CHECK(content_hash(op) != with_unset);
}

TEST_CASE("A value of so many bytes of JSON may be an id, and one byte more may not") {
  const std::string most = "\"" + std::string(limits::kIdRawBytesMax - 2, 'x') + "\"";
  REQUIRE(js_string_of(most).has_value());
  CHECK(js_string_of(most)->size() == limits::kIdRawBytesMax - 2);
  CHECK_FALSE(js_string_of("\"x" + most.substr(1)).has_value());
  const Result<json::Document> document = json::Document::parse_const(most, 1);
  REQUIRE(document.ok());
  CHECK(js_string(document.value().root()).has_value());
}

TEST_CASE("The last changes are kept, oldest first, and the oldest goes") {
  RecentChanges changes;
  CHECK(uuids_of(changes).empty());
  for (size_t i = 0; i < limits::kRecentChangesMax + 3; ++i) {
    const std::string uuid = "event " + std::to_string(i);
    changes.note({uuid, i, {}, 0});
  }
  const std::vector<std::string> kept = uuids_of(changes);
  REQUIRE(kept.size() == limits::kRecentChangesMax);
  CHECK(kept.front() == "event 3");
  CHECK(kept.back() == "event " + std::to_string(limits::kRecentChangesMax + 2));
}

TEST_CASE("The newest change is noted once, with what it absorbed when that is known") {
  RecentChanges changes;
  changes.note({"a", 1, {}, 0});
  changes.note({"b", 2, "person", 7});
  changes.note({"b", 2, {}, 0});  // knows less
  CHECK(uuids_of(changes) == std::vector<std::string>{"a", "b"});
  RecentChanges::Reader reader(changes);
  REQUIRE(reader.next());
  REQUIRE(reader.next());
  CHECK(reader.change().merged_uuid == "person");
  CHECK(reader.change().merged_version == 7);
  changes.note({"b", 2, "another", 8});
  changes.note({"b", 3, {}, 0});  // another event under the same uuid
  changes.note({"a", 1, {}, 0});  // no longer the newest
  CHECK(uuids_of(changes) == std::vector<std::string>{"a", "b", "b", "a"});
  RecentChanges::Reader again(changes);
  again.next();
  again.next();
  CHECK(again.change().merged_uuid == "another");
}

TEST_CASE("Changes are read as they were written, and broken ones are refused") {
  RecentChanges changes;
  changes.note({"a", 1, "person", 300});
  changes.note({"b", UINT64_MAX, {}, 0});
  ByteWriter out;
  changes.write(out);
  out.u8(42);  // belongs to what comes behind
  ByteReader in(out.bytes());
  RecentChanges read;
  REQUIRE(read.read(in));
  CHECK(in.u8() == 42);
  CHECK(in.done());
  CHECK(uuids_of(read) == std::vector<std::string>{"a", "b"});
  ByteWriter same;
  read.write(same);
  CHECK(std::string(same.bytes()) + '\x2a' == out.bytes());
  for (size_t size = 0; size + 1 < out.bytes().size(); ++size) {
    ByteReader cut(out.bytes().substr(0, size));
    RecentChanges broken;
    CHECK_FALSE(broken.read(cut));
  }
}

// --- Names that are copied to the person ---

TEST_CASE("A set of names finds its own names and no others") {
  constexpr NameSet kNames(std::to_array<std::string_view>({"bb", "a", "ab", "ccc"}));
  static_assert(kNames.complete());
  CHECK(kNames.find("bb") == 0);
  CHECK(kNames.find("a") == 1);
  CHECK(kNames.find("ab") == 2);
  CHECK(kNames.find("ccc") == 3);
  for (const std::string_view other : {"", "b", "ba", "aa", "ccb", "bcc", "cccc"}) {
    CHECK(kNames.find(other) == kNames.kNone);
  }
  CHECK_FALSE(kNames.contains(std::string(1000, 'a')));
  constexpr NameSet kTooLong(std::to_array<std::string_view>(
      {"a name of more than forty characters is not for this set"}));
  static_assert(!kTooLong.complete());
}

TEST_CASE("First values have the lifted name behind $initial_, without its dollar sign") {
  CHECK(initial_property("$os") == "$initial_os");
  CHECK(initial_property("$viewport_width") == "$initial_viewport_width");
  CHECK(initial_property("utm_source") == "$initial_utm_source");
  CHECK(initial_property("_kx") == "$initial__kx");
  CHECK(initial_property("wbraid") == "$initial_wbraid");
  for (const std::string_view other : {"", "$", "os", "$OS", "$oss", "$lib", "$initial_os"}) {
    CHECK(initial_property(other) == "");
    CHECK_FALSE(is_lifted_property(other));
  }
}

}  // namespace
}  // namespace hogflare
