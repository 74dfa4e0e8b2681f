#include "hogflare/json.h"

#include <catch2/catch.hpp>
#include <vector>

#include "hogflare/limits.h"
#include "hogflare/short_bytes.h"

using namespace hogflare;
using json::Document;
using json::Value;

namespace {

bool accepts(std::string text) { return Document::parse({text.data(), text.size()}, 8).ok(); }

std::string nested(size_t depth, char open, char close) {
  return std::string(depth, open) + std::string(depth, close);
}

}  // namespace

TEST_CASE("The beginning of a string ends with a whole character") {
  const std::string raw = R"("aé\n\u00e9\ud83d\ude00z")";
  const std::vector<std::pair<size_t, std::string>> cases = {{1, ""},
                                                             {2, "a"},
                                                             {3, "a"},
                                                             {4, "aé"},
                                                             {5, "aé"},
                                                             {6, "aé\n"},
                                                             {11, "aé\n"},
                                                             {12, "aé\né"},
                                                             {17, "aé\né"},
                                                             {18, "aé\né\uFFFD"},
                                                             {raw.size() - 2, "aé\né😀"},
                                                             {raw.size(), "aé\né😀z"},
                                                             {1'000, "aé\né😀z"}};
  for (const auto& [bytes, text] : cases) {
    CAPTURE(bytes);
    CHECK(json::decode_beginning(raw, bytes) == text);
  }
}

TEST_CASE("A text with an escape is decoded into one block of its size") {
  const std::string raw = "\"\\n" + std::string(1'000'000, 'x') + "\"";
  CHECK(json::decode_string(raw).capacity() < 1'000'100);
}

TEST_CASE("Every form of JSON that RFC 8259 allows is accepted") {
  const std::string_view valid[] = {"null",
                                    "true",
                                    "false",
                                    "0",
                                    "-0",
                                    "1",
                                    "-1",
                                    "10",
                                    "1.5",
                                    "1e5",
                                    "1E+5",
                                    "1e-5",
                                    "0.0e0",
                                    "123456789012345678901234567890",
                                    "1e308",
                                    R"("")",
                                    R"("a")",
                                    R"("\"\\\/\b\f\n\r\t")",
                                    R"("\u00e9\u20AC")",
                                    R"("\ud83d\ude00")",
                                    "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
                                    "[]",
                                    "{}",
                                    "[1,2]",
                                    R"({"a":1})",
                                    " \t\r\n{ \"a\" : [ 1 , 2 ] } \n",
                                    R"({"a":1,"a":2})",
                                    R"({"":""})",
                                    "[[[[[[]]]]]]",
                                    "\"\x7f\"",
                                    R"("\u0000")",
                                    "[0,-0.5,1e0,true,null,\"x\",{},[]]"};
  for (const std::string_view text : valid) {
    INFO(text);
    CHECK(accepts(std::string(text)));
    CHECK(Document::parse_const(text, 8).ok());
  }
}

TEST_CASE("What is nearly JSON is refused") {
  const std::string_view invalid[] = {"",
                                      " ",
                                      "nul",
                                      "nulll",
                                      "True",
                                      "NaN",
                                      "Infinity",
                                      "-",
                                      "+1",
                                      "01",
                                      "-01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "0x10",
                                      "1_000",
                                      "'a'",
                                      "\"",
                                      "\"a",
                                      "\"\\\"",
                                      R"("\x41")",
                                      R"("\u12")",
                                      R"("\u12g4")",
                                      "\"\n\"",
                                      "\"\t\"",
                                      "[",
                                      "]",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "{",
                                      "}",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "{\"a\" 1}",
                                      "{1:2}",
                                      "[1]]",
                                      "{}{}",
                                      "1 2",
                                      "[}",
                                      "{]",
                                      "// c\n1",
                                      "\xEF\xBB\xBF{}",
                                      "\"\xC3\"",
                                      "\"\xC3(\"",
                                      "\"\xC0\xAF\"",
                                      "\"\xE0\x80\xAF\"",
                                      "\"\xED\xA0\x80\"",
                                      "\"\xF0\x80\x80\xAF\"",
                                      "\"\xF4\x90\x80\x80\"",
                                      "\"\xF8\x88\x80\x80\x80\"",
                                      "\"\x80\"",
                                      "\"\xFF\""};
  for (const std::string_view text : invalid) {
    INFO(text);
    CHECK_FALSE(accepts(std::string(text)));
    CHECK_FALSE(Document::parse_const(text, 8).ok());
  }
  CHECK_FALSE(accepts(std::string("\"\0\"", 3)));
  CHECK_FALSE(accepts(std::string("1\0", 2)));
}

TEST_CASE("A number that no double can hold is refused, as the sink's parser would") {
  const std::string digits_308(308, '9');
  for (const std::string& text :
       {std::string("1e308"), std::string("0e2000"), std::string("1e-2000"),
        std::string("-1.7976931348623157e308"), digits_308}) {
    INFO(text);
    CHECK(Document::parse_const(text, 1).ok());
  }
  for (const std::string& text :
       {std::string("1e309"), std::string("-1e999"), std::string("[1e2000]"),
        std::string("154400e002000"), digits_308 + "00"}) {
    INFO(text);
    const auto parsed = Document::parse_const(text, 1);
    REQUIRE(!parsed.ok());
    CHECK(parsed.error().code == ErrorCode::kParseFailed);
    CHECK(parsed.error().detail.find("binary64") != std::string::npos);
  }
}

TEST_CASE("A special byte is found at every place of a 16 byte block") {
  for (size_t length = 0; length < 40; ++length) {
    const std::string plain(length, 'x');
    CHECK(accepts("\"" + plain + "\""));
    CHECK(accepts("\"" + plain + "\\n\""));
    CHECK(accepts("\"" + plain + "\xC3\xA9\""));
    CHECK_FALSE(accepts("\"" + plain + "\x1f\""));
    CHECK_FALSE(accepts("\"" + plain + "\xC3\""));
    CHECK_FALSE(accepts("\"" + plain));
  }
}

TEST_CASE("Strings are read right wherever a block or the text ends in them") {
  // Each text is a buffer of exactly its size, so that the sanitizer sees a read behind it.
  const auto outcome = [](const std::string& text) -> std::string {
    const std::vector<char> exact(text.begin(), text.end());
    const auto document = Document::parse_const({exact.data(), exact.size()}, 2);
    return document.ok() ? "ok" : document.error().detail;
  };
  const auto expected = [](size_t at, const char* what) {
    return "invalid JSON at byte " + std::to_string(at) + ": expected " + what;
  };
  const std::string_view good[] = {"\\n",
                                   "\\\\",
                                   "\\\"",
                                   "\\u00e9",
                                   "\\ud83d\\ude00",
                                   "\xC3\xA9",
                                   "\xE2\x82\xAC",
                                   "\xF0\x9F\x98\x80",
                                   "\x7f"};
  for (size_t before = 0; before < 36; ++before) {
    const std::string plain(before, 'x');
    const size_t at = before + 1;
    for (const std::string_view piece : good) {
      for (const size_t behind : {size_t{0}, size_t{3}, size_t{17}}) {
        const std::string text =
            "\"" + plain + std::string(piece) + std::string(behind, 'y') + "\"";
        INFO(text);
        CHECK(outcome(text) == "ok");
        CHECK(outcome("{" + text + ":" + text + "}") == "ok");
        CHECK(outcome(text.substr(0, text.size() - 1)) ==
              expected(text.size() - 1, "a closing double quote"));
      }
      const bool is_multibyte = static_cast<unsigned char>(piece[0]) >= 0x80;
      if (!is_multibyte) continue;
      const std::string cut = "\"" + plain + std::string(piece.substr(0, piece.size() - 1));
      CHECK(outcome(cut) == expected(at, "valid UTF-8"));
      CHECK(outcome(cut + "\"") == expected(at, "valid UTF-8"));
    }
    const std::string rest(20, 'y');
    for (const std::string& end : {std::string("\""), rest + "\""}) {
      CHECK(outcome("\"" + plain + "\x01" + end) ==
            expected(at, "no unescaped control character in a string"));
      CHECK(outcome("\"" + plain + "\\x" + end) == expected(at, "a known escape"));
      CHECK(outcome("\"" + plain + "\\u12g4" + end) == expected(at, "four hex digits after \\u"));
      CHECK(outcome("\"" + plain + "\x80" + end) == expected(at, "valid UTF-8"));
    }
    CHECK(outcome("\"" + plain + "\\") == expected(at, "an escape"));
  }
}

TEST_CASE("A parse error says where, with and without white space") {
  const std::pair<const char*, const char*> cases[] = {
      {"", "0: expected a value"},
      {"  ", "2: expected a value"},
      {"{", "1: expected a member or '}'"},
      {"{ ", "2: expected a member or '}'"},
      {"{\"a\":1", "6: expected a member or '}'"},
      {"{\"a\":1 ", "7: expected a member or '}'"},
      {"{\"a\":1 x", "7: expected ',' or '}'"},
      {"{\"a\":1]", "6: expected ',' or '}'"},
      {"{\"a\":1,}", "7: expected a member name in double quotes"},
      {"{\"a\":1, ", "8: expected a member name in double quotes"},
      {"{ 1", "2: expected a member name in double quotes"},
      {"{,", "1: expected a member name in double quotes"},
      {"{\"a\"", "4: expected ':' after the member name"},
      {"{\"a\" 1", "5: expected ':' after the member name"},
      {"{\"a\":", "5: expected a value"},
      {"{\"a\": ", "6: expected a value"},
      {"{\"a\": }", "6: expected a value"},
      {"[", "1: expected an element or ']'"},
      {"[1 ", "3: expected an element or ']'"},
      {"[1 2", "3: expected ',' or ']'"},
      {"[1}", "2: expected ',' or ']'"},
      {"[1,", "3: expected a value"},
      {"[1, ]", "4: expected a value"},
      {"[,", "1: expected a value"},
      {"[-]", "2: expected a value"},
      {"[1.]", "3: expected a digit after the decimal point"},
      {"[1e+]", "4: expected a digit in the exponent"},
      {"[1e999]", "6: expected a number in the range of binary64"},
      {"[nul", "1: expected a value"},
      {"1 1", "2: expected the end of the document"},
      {"{}}", "2: expected the end of the document"},
  };
  for (const auto& [text, detail] : cases) {
    INFO(text);
    const auto result = Document::parse_const(text, 4);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().detail == "invalid JSON at byte " + std::string(detail));
  }
}

TEST_CASE("Names of every length are told apart, escaped and foreign ones too") {
  for (const size_t length :
       {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 253, 254, 255, 256, 300}) {
    INFO(length);
    const std::string name(length, 'n');
    const std::string text = "{ \"" + name + "\" : 1 , \"" + name + "x\":2,\"" + name +
                             "\\u00e9\":3,\"" + name + "\xC3\xA9!\":4}";
    const auto document = Document::parse_const(text, 1);
    REQUIRE(document.ok());
    const Value root = document.value().root();
    CHECK(root.find(name).raw() == "1");
    CHECK(root.find(name + "x").raw() == "2");
    CHECK(root.find(name + "\xC3\xA9").raw() == "3");
    CHECK(root.find(name + "\xC3\xA9!").raw() == "4");
    CHECK_FALSE(root.find(name + "y").exists());
    // One byte of the name is another, each in its turn.
    for (size_t i = 0; i < length; ++i) {
      std::string other = name;
      other[i] = 'm';
      CHECK_FALSE(root.find(other).exists());
    }
    const json::Member first = *root.members().begin();
    std::string scratch;
    CHECK(first.raw_key() == "\"" + name + "\"");
    CHECK(first.inner_key() == name);
    CHECK(first.name(scratch) == name);
    CHECK(first.key() == name);
  }
}

TEST_CASE("Short copies and comparisons reach every byte and none behind") {
  for (size_t size = 0; size < 40; ++size) {
    INFO(size);
    std::string from;
    for (size_t i = 0; i < size; ++i) from += static_cast<char>('a' + i % 26);
    std::string to(size + 2, '.');
    copy_bytes(to.data() + 1, from.data(), size);
    CHECK(to == "." + from + ".");
    CHECK(same_bytes(to.data() + 1, from.data(), size));
    for (size_t i = 0; i < size; ++i) {
      std::string other = from;
      other[i] = '#';
      CHECK_FALSE(same_bytes(other.data(), from.data(), size));
    }
  }
}

TEST_CASE("Nesting is followed to its limit and refused one beyond, as too large") {
  CHECK(accepts(nested(limits::kJsonDepthMax, '[', ']')));
  std::string over = nested(limits::kJsonDepthMax + 1, '[', ']');
  const auto result = Document::parse({over.data(), over.size()}, 8);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::kTooLarge);
  CHECK_FALSE(accepts(std::string(1 << 20, '[')));
}

TEST_CASE("More values than the index may hold are refused, below the index they do not count") {
  std::string flat = "[";
  for (uint32_t i = 0; i < limits::kJsonNodesMax; ++i) flat += "0,";
  flat += "0]";
  const auto result = Document::parse_const(flat, 1);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::kTooLarge);
  CHECK(Document::parse_const(flat, 0).ok());
}

TEST_CASE("A parse error names the place and what was expected") {
  const auto result = Document::parse_const(R"({"a":1,"b":tru})", 4);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code == ErrorCode::kParseFailed);
  CHECK(result.error().detail == "invalid JSON at byte 11: expected a value");
}

TEST_CASE(
    "Escapes of the first and the last character of each length in UTF-8 are those characters") {
  const std::pair<const char*, const char*> cases[] = {{"\\u007f", "\x7F"},
                                                       {"\\u0080", "\xC2\x80"},
                                                       {"\\u07ff", "\xDF\xBF"},
                                                       {"\\u0800", "\xE0\xA0\x80"},
                                                       {"\\uffff", "\xEF\xBF\xBF"},
                                                       {"\\ud800\\udc00", "\xF0\x90\x80\x80"},
                                                       {"\\udbff\\udfff", "\xF4\x8F\xBF\xBF"}};
  for (const auto& [escape, text] : cases) {
    INFO(escape);
    CHECK(json::decode_string("\"" + std::string(escape) + "\"") == text);
  }
}

TEST_CASE("Lone surrogate escapes become U+FFFD in place, pairs stay") {
  std::string body = R"(["\ud83d","\ude00x","\ud83d\ud83d\ude00","\ud83dA","\ud83d\u0041"])";
  const auto document = Document::parse({body.data(), body.size()}, 4);
  REQUIRE(document.ok());
  CHECK(body == R"(["\ufffd","\ufffdx","\ufffd\ud83d\ude00","\ufffdA","\ufffd\u0041"])");
  CHECK_FALSE(Document::parse_const(R"("\ud83d")", 4).ok());
  CHECK_FALSE(Document::parse_const(R"("\ude00")", 4).ok());
}

TEST_CASE("Values keep the bytes they came as") {
  const std::string_view body =
      R"( { "big" : 12345678901234567890 , "price":1.10,"s":"\u0041b" , "o":{ "x" : [ 1 ] } } )";
  const auto document = Document::parse_const(body, 4);
  REQUIRE(document.ok());
  const Value root = document.value().root();
  CHECK(root.find("big").raw() == "12345678901234567890");
  CHECK(root.find("price").raw() == "1.10");
  CHECK(root.find("s").raw() == R"("\u0041b")");
  CHECK(root.find("s").text() == "Ab");
  CHECK(root.find("o").raw() == R"({ "x" : [ 1 ] })");
  CHECK_FALSE(root.find("absent").exists());
}

TEST_CASE("Of two members with one name the last counts, also when one is escaped") {
  const auto document = Document::parse_const(R"({"a":1,"\u0061":2,"b":3,"b":4})", 4);
  REQUIRE(document.ok());
  CHECK(document.value().root().find("a").raw() == "2");
  CHECK(document.value().root().find("b").raw() == "4");
}

TEST_CASE("Members and elements come in order, and what lies below the index has none") {
  const auto document = Document::parse_const(R"({"a":{"b":[1,[2],3]},"c":[]})", 2);
  REQUIRE(document.ok());
  std::string names;
  for (const json::Member member : document.value().root().members()) names += member.key();
  CHECK(names == "ac");
  const Value list = document.value().root().find("a").find("b");
  REQUIRE(list.is_array());
  CHECK(list.elements().empty());
  CHECK(document.value().root().find("c").elements().empty());
  CHECK(document.value().root().elements().empty());
}

TEST_CASE("Writing a string and reading it gives the same text") {
  const std::string texts[] = {"",
                               "a",
                               "\"\\/",
                               "\b\f\n\r\t",
                               std::string("\0\x01\x1f", 3),
                               "é€😀",
                               std::string(100, 'x') + "\"" + std::string(100, 'y')};
  for (const std::string& text : texts) {
    std::string out;
    json::append_string(out, text);
    CHECK(Document::parse_const(out, 1).ok());
    CHECK(json::decode_string(out) == text);
  }
}

TEST_CASE("A string that is not UTF-8 is written with U+FFFD and stays valid JSON") {
  for (const std::string text : {"\xFF", "a\xC3", "\xED\xA0\x80", "\xF4\x90\x80\x80"}) {
    std::string out;
    json::append_string(out, text);
    CHECK(Document::parse_const(out, 1).ok());
    CHECK_FALSE(json::is_utf8(text));
  }
  CHECK(json::is_utf8("é€😀"));
}

TEST_CASE("Surrogate pairs decode to one character, lone ones to U+FFFD") {
  CHECK(json::decode_string(R"("\ud83d\ude00")") == "😀");
  CHECK(json::decode_string(R"("\ud83dx")") == "\xEF\xBF\xBDx");
  CHECK(json::decode_string(R"("\u00e9\u20ac")") == "é€");
  CHECK(json::decode_string(R"("\u007f\u0080\u07ff\u0800")") == "\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80");
}

TEST_CASE("A document is made anew in the memory of the one before", "[json]") {
  json::Document document;
  for (const std::string_view text :
       {R"({"a":[1,2,3],"b":{"c":"d"}})", R"("x")",
        R"({"a":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]})", "{}"}) {
    REQUIRE_FALSE(document.renew(text, 3));
    const auto fresh = json::Document::parse_const(text, 3);
    REQUIRE(fresh.ok());
    CHECK(document.node_count() == fresh.value().node_count());
    CHECK(document.text() == text);
    CHECK(document.root().raw() == text);
  }
  const std::optional<Error> error = document.renew(R"({"a":)", 3);
  REQUIRE(error);
  CHECK(error->code == ErrorCode::kParseFailed);
  CHECK(document.text().empty());
  CHECK(document.node_count() == 0);
  CHECK_FALSE(document.renew("[1]", 1));
  CHECK(document.node_count() == 2);
}

TEST_CASE("An escape is decoded wherever it lies among plain bytes", "[json]") {
  const std::pair<std::string, std::string> escapes[] = {{R"(\n)", "\n"},
                                                         {R"(\")", "\""},
                                                         {R"(\u00e9)", "é"},
                                                         {R"(\ud83d\ude00)", "😀"},
                                                         {R"(\\)", "\\"}};
  for (const auto& [escape, meaning] : escapes) {
    for (size_t before = 0; before < 40; ++before) {
      for (const size_t behind : {0, 1, 7, 15, 16, 17, 33}) {
        const std::string front(before, 'a'), back(behind, 'z');
        // Twice, for the first one is found in another way than those behind it.
        const std::string raw = '"' + front + escape + front + escape + back + '"';
        std::string out = "kept";
        json::append_decoded(out, raw);
        REQUIRE(out == "kept" + front + meaning + front + meaning + back);
      }
    }
  }
}
