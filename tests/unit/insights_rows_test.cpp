// Engines' rows read where they lie: the same cells however the engine spells a row, and the same
// bytes as a tree of the answer would give.
#include "insights/engine_rows.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <string>

#include "insights/kinds.h"
#include "insights/sql_text.h"

namespace hogflare::insights {
namespace {

const Statement kStatement = {.sql = "SELECT", .columns = {"a", "b", "c"}};

// The rows of a JSON array as they are read, as one text.
std::string read_rows(const std::string& text, const Statement& statement = kStatement) {
  const auto document = json::Document::parse_const(text, 2);
  REQUIRE(document.ok());
  const auto rows = Rows::read({.lists = {document.value().root()}}, statement);
  if (!rows) return "none";
  std::string out;
  for (size_t i = 0; i < rows->size(); ++i) {
    for (const json::Value& cell : (*rows)[i]) append_json(out += ' ', cell);
    out += ';';
  }
  return out;
}

TEST_CASE("engine rows: cells stand in the order of the columns, whatever the engine's order is") {
  CHECK(read_rows(R"([{"a":1,"b":"x","c":null}])") == " 1 \"x\" null;");
  CHECK(read_rows(R"([{"c":null,"b":"x","a":1}])") == " 1 \"x\" null;");
  CHECK(read_rows(R"([{"a":1,"b":"x"},{"a":1,"b":2,"c":3,"d":4}])") == " 1 \"x\" null; 1 2 3;");
  CHECK(read_rows(R"([{"a":1,"a":2,"b":3}])") == " 2 3 null;");
  CHECK(read_rows(R"([{"\u0061":1,"b":2,"c":3}])") == " 1 2 3;");
  CHECK(read_rows("[[1,2,null],[1,2,3]]") == " 1 2 null; 1 2 3;");
  CHECK(read_rows("[]").empty());
}

TEST_CASE("engine rows: a document is looked into as a text and as itself") {
  for (const char* row : {R"([{"a":"{\"plan\": \"pro\"}"}])", R"([{"a":{"plan": "pro"}}])"}) {
    CAPTURE(row);
    const auto document = json::Document::parse_const(row, 2);
    const auto rows =
        Rows::read({.lists = {document.value().root()}}, {.sql = "SELECT", .columns = {"a"}});
    REQUIRE(rows);
    std::string out = "before ";
    json::Document parsed;
    REQUIRE(append_parsed(out, (*rows)[0][0], parsed, 1));
    CHECK(parsed.root().find("plan").text() == "pro");
    CHECK(out == R"(before {"plan": "pro"})");
  }
}

TEST_CASE("engine rows: half a row is none") {
  for (const char* rows : {"[[1,2]]", "[[1,2,3,4]]", "[[1,2,3],[]]", "[{}]", R"([{"d":1}])"}) {
    CAPTURE(rows);
    CHECK(read_rows(rows) == "none");
  }
  // An engine that names its columns may leave nulls out, but no column.
  const std::vector<std::string> all = {"c", "b", "a"}, some = {"a", "b"};
  const auto document = json::Document::parse_const(R"([{"a":1},{}])", 2);
  const EngineRows named{.lists = {document.value().root()}, .columns = all};
  REQUIRE(Rows::read(named, kStatement));
  CHECK(is_null((*Rows::read(named, kStatement))[1][0]));
  const EngineRows unnamed{.lists = {document.value().root()}, .columns = some};
  CHECK_FALSE(Rows::read(unnamed, kStatement));
}

TEST_CASE("engine rows: counts and places of buckets are numbers in every row") {
  const Statement statement{.sql = "SELECT", .columns = {"b", "v", "n"}, .numbers = {"b", "n"}};
  CHECK(read_rows(R"([[0,null,2],["1","x","2.5"],[-1,"x",1e3]])", statement) ==
        " 0 null 2; \"1\" \"x\" \"2.5\"; -1 \"x\" 1e3;");
  for (const char* rows :
       {R"([["x","y",1]])", R"([[0,"y","z"]])", "[[0,1,null]]", "[[0,1,true]]", "[[0,1,[]]]",
        R"([{"b":2,"v":1}])", R"([{"b":0,"v":1,"n":2},{"v":1,"n":2}])", R"([[0,"y","NaN"]])"}) {
    CAPTURE(rows);
    CHECK(read_rows(rows, statement) == "none");
  }
  // Also where the engine leaves nulls out.
  const std::vector<std::string> names = {"b", "v", "n"};
  const auto document = json::Document::parse_const(R"([{"b":2}])", 2);
  CHECK_FALSE(Rows::read({.lists = {document.value().root()}, .columns = names}, statement));
}

TEST_CASE("engine rows: what is no row is refused") {
  CHECK(read_rows("[1]") == "none");
  CHECK(read_rows(R"([[1,2,3],"x"])") == "none");
  CHECK(read_rows("{}") == "none");
  CHECK(read_rows(R"([{"a":1}])", {.sql = "SELECT", .columns = {}}) == "none");
  CHECK(read_rows("[[1],[1,2]]", {.sql = "SELECT", .columns = {}}) == " 1; 1 2;");
}

TEST_CASE("engine rows: free SQL's objects are read by the names that the engine gives") {
  const auto document = json::Document::parse_const(R"([{"n":1,"event":"a"},{"event":"b"}])", 2);
  const std::vector<std::string> names = {"event", "n"};
  const auto rows = Rows::read({.lists = {document.value().root()}, .columns = names},
                               {.sql = "SELECT", .columns = {}});
  REQUIRE(rows);
  CHECK(text_of((*rows)[0][0]) == "a");
  CHECK(integer_of((*rows)[0][1]) == 1);
  CHECK(is_null((*rows)[1][1]));
}

TEST_CASE("engine rows: a member of a row is looked for once, however many columns there are") {
  // SELECT 0 AS a0, 1 AS a1, … of an engine whose rows have another order: to look for each column
  // would take minutes.
  constexpr size_t kColumns = 200'000;
  std::string text = "[{";
  std::vector<std::string> names;
  for (size_t i = 0; i < kColumns; ++i) {
    names.push_back("a" + std::to_string(i));
    const std::string place = std::to_string(kColumns - 1 - i);
    text += "\"a" + place + "\":" + place + ",";
  }
  text.replace(text.size() - 1, 1, "}]");
  const auto document = json::Document::parse_const(text, 2);
  const auto rows = Rows::read({.lists = {document.value().root()}, .columns = names},
                               {.sql = "SELECT", .columns = {}});
  REQUIRE(rows);
  CHECK(integer_of((*rows)[0][0], -1) == 0);
  CHECK(integer_of((*rows)[0][kColumns - 1]) == kColumns - 1);
  // Names that come twice, as a column's and as a member's.
  const auto twice = json::Document::parse_const(R"([{"a":1,"b":2,"a":3}])", 2);
  const std::vector<std::string> some = {"a", "b", "a", "c"};
  const auto read = Rows::read({.lists = {twice.value().root()}, .columns = some},
                               {.sql = "SELECT", .columns = {}});
  REQUIRE(read);
  CHECK(integer_of((*read)[0][0]) == 3);
  CHECK(integer_of((*read)[0][1]) == 2);
  CHECK(integer_of((*read)[0][2]) == 3);
  CHECK(is_null((*read)[0][3]));
}

// Texts of cells that engines may give: spellings of numbers, escapes, names twice and out of
// order.
const char* const kCells[] = {"0",
                              "-1",
                              "-0",
                              "1.50",
                              "1e3",
                              "12345678901234567890",
                              "-0.0",
                              "true",
                              "null",
                              R"("plain")",
                              R"("")",
                              R"("\b\f\n\u00e9\u0041\/\\\"")",
                              R"("é")",
                              "[]",
                              R"([1, 2 ,[{}]])",
                              "{}",
                              R"({"b":1,"a":{"z":[1.50],"\u0061":null},"b":2})",
                              R"({ "a\"b" : "x", "A" : 1e2 })",
                              "9223372036854775808",
                              "\"\x7f\""};

TEST_CASE("engine rows: a cell is given as it came, and read as a tree of it would be") {
  for (const std::string cell : kCells) {
    const std::string text = "[[" + cell + "]]";
    const auto document = json::Document::parse_const(text, 2);
    REQUIRE(document.ok());
    const json::Value value = *(*document.value().root().elements().begin()).elements().begin();
    std::string out;
    append_json(out, value);
    CHECK(out == cell);
    CHECK(text_of(value) == text_of(Json::parse(cell)));
    CHECK(number_of(value, 7) == number_of(Json::parse(cell), 7));
    // A property's value is a document in a text.
    const std::string inside = Json(cell).dump();
    const auto quoted = json::Document::parse_const(inside, 0);
    out = "before";
    json::Document scratch;
    append_parsed(out, quoted.value().root(), scratch);
    CHECK(out == "before" + cell);
  }
}

TEST_CASE("engine rows: a document in a text can be looked into where it was put") {
  const std::string cell = Json(R"({"a": [1, {"b": "x\"y"}], "c": "é"})").dump();
  const auto quoted = json::Document::parse_const(cell, 0);
  std::string out = "{\"properties\":";
  json::Document found;
  REQUIRE(append_parsed(out, quoted.value().root(), found, 2));
  CHECK(found.root().find("c").text() == "é");
  CHECK(found.root().find("a").raw() == R"([1, {"b": "x\"y"}])");
}

TEST_CASE("engine rows: decimals are read as the C library reads them, and written as trees are") {
  uint32_t state = 7;
  for (int i = 0; i < 20'000; ++i) {
    const auto next = [&state](uint32_t below) {
      state = state * 1'664'525 + 1'013'904'223;
      return (state >> 8) % below;
    };
    std::string text = next(2) == 0 ? "" : "-";
    const size_t before = 1 + next(9);
    text += static_cast<char>('1' + next(9));
    while (text.size() < before) text += static_cast<char>('0' + next(10));
    text += '.';
    for (size_t places = 1 + next(9); places > 0; --places) {
      text += static_cast<char>('0' + next(10));
    }
    const auto document = json::Document::parse_const(text, 0);
    REQUIRE(document.ok());
    CAPTURE(text);
    const double value = number_of(document.value().root());
    REQUIRE(value == std::strtod(text.c_str(), nullptr));
    std::string out;
    append_plain(out, value);
    REQUIRE(out == plain(value).dump());
  }
}

TEST_CASE("engine rows: a text that is no document stays a text") {
  for (const char* text : {"", "pro", "{bad", "1e999", "[1", "1 2", "\"\\ud83d\""}) {
    const std::string cell = Json(text).dump();
    const auto document = json::Document::parse_const(cell, 0);
    REQUIRE(document.ok());
    std::string out;
    json::Document scratch;
    CHECK_FALSE(append_parsed(out, document.value().root(), scratch));
    CHECK(out == cell);
  }
  const std::string deep = Json(std::string(1'000, '[') + std::string(1'000, ']')).dump();
  std::string out;
  json::Document scratch;
  CHECK_FALSE(append_parsed(out, json::Document::parse_const(deep, 0).value().root(), scratch));
  CHECK(out == deep);
}

TEST_CASE("engine rows: numbers and instants are spelled as everywhere") {
  for (const double value : {0.0, -3.0, 2.5, 1e15, 9.1e15, 1e300, 1.0 / 3, -0.0, std::nan("")}) {
    std::string out;
    append_plain(out, value);
    CHECK(out == plain(value).dump());
  }
  CHECK(instant_text(0) == "1970-01-01T00:00:00.000000Z");
  CHECK(instant_text(-1) == "1969-12-31T23:59:59.999999Z");
  CHECK(instant_text(1'764'000'000'123'456) == "2025-11-24T16:00:00.123456Z");
  CHECK(instant_text(253'402'300'800'000'000) == "10000-01-01T00:00:00.000000Z");
}

}  // namespace
}  // namespace hogflare::insights
