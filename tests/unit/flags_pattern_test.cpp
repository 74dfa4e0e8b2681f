// Regular expressions as PostHog's service reads them, on RE2.
#include <catch2/catch.hpp>
#include <string>
#include <string_view>

#include "flags/pattern.h"
#include "hogflare/flags_limits.h"

using hogflare::flags::Pattern;
namespace limits = hogflare::limits;

namespace {

bool found(std::string_view pattern, std::string_view text) {
  std::string problem;
  const auto compiled = Pattern::compile(pattern, problem);
  INFO(pattern << " " << problem);
  REQUIRE(compiled.has_value());
  return compiled->found_in(text);
}

std::string problem_of(std::string_view pattern) {
  std::string problem;
  CHECK_FALSE(Pattern::compile(pattern, problem).has_value());
  return problem;
}

struct Case {
  std::string_view pattern;
  std::string_view text;
  bool is_found;
};

}  // namespace

TEST_CASE("words, digits, spaces and word boundaries are Unicode's", "[flags][pattern]") {
  const Case cases[] = {{"^\\w+$", "Müller", true},
                        {"^\\w+$", "日本語", true},
                        {"^\\w+$", "a-b", false},
                        {"^\\W$", "é", false},
                        {"^\\W$", "—", true},
                        {"^\\d+$", "１２", true},
                        {"^\\D$", "１", false},
                        {"\\s", "\u00a0", true},
                        {"^\\S$", "\u2003", false},
                        {"^[^\\W_]+$", "é1", true},
                        {"^[^\\W_]+$", "é_", false},
                        {"^[\\W_]+$", "_—", true},
                        {"^[^\\W\\d_]+$", "Müller", true},
                        {"^[^\\W\\d_]+$", "a1", false},
                        {"\\bpro\\b", "über-pro", true},
                        {"\\bpro\\b", "üpro", false},
                        {"\\bpro\\b", "proü", false},
                        {"\\bé\\b", "a é b", true},
                        {"\\bé\\b", "aé b", false},
                        {"\\b", "", false},
                        {"\\B", "", true},
                        {"\\Bé", "aé", true},
                        {"\\Bé", "é", false},
                        {"\\b\\w+\\b$", "a ü", true},
                        {"^\\b", "ü", true},
                        {"ü\\b$", "aü", true},
                        {"^.\\b.$", "ü-", true},
                        {"^.\\b.$", "üa", false},
                        {"^[^a]\\b", "ü", true},
                        {"^\\B[^a]", "", false},
                        {"\\b\\bé", "é", true},
                        {"\\W\\b#", "a#b", false},
                        {"\\W\\<", "é", false},
                        {"[^a]\\B", "ab", false},
                        {"\\H\\b", "ab", false},
                        {"^\\W\\b", "-a", true},
                        {"\\<pro", "a pro", true},
                        {"\\<pro", "apro", false},
                        {"pro\\>", "pro!", true},
                        {"pro\\>", "prof", false},
                        {"^é\\w\\b", "éé", true},
                        {"^×\\w", "××", false},
                        {"^[\\w\\p{Sc}]+$", "é€", true},
                        {"^\\W\\p{L}$", "-é", true},
                        {"\\b{start}é", "é", true},
                        {"é\\b{end}", "éa", false}};
  for (const Case& one : cases) {
    INFO(one.pattern << " in " << one.text);
    CHECK(found(one.pattern, one.text) == one.is_found);
  }
}

TEST_CASE("anchors and word boundaries stand beside one another in any order", "[flags][pattern]") {
  const Case cases[] = {{"\\b^é", "é a", true},
                        {"\\b^é", "a é", false},
                        {"é$\\b", "a é", true},
                        {"é$\\b", "é a", false},
                        {"\\b(?:^é|a)\\b", "é", true},
                        {"\\b(?:^é|a)\\b", "b é", false},
                        {"(?:a|é$)\\b", "b é", true},
                        {"(?m)\\b^é", "a\né", true},
                        {"\\b^é", "a\né", false},
                        {"(?m)é$\\b", "é\na", true},
                        {"é$\\b", "é\na", false},
                        {"(?m)^$\\B", "a\n\nb", true},
                        {"\\b\\Aé\\z\\b", "é", true},
                        {"é\\b\\Z", "é\n\n", true},
                        {"é\\b\\Z", "é\na", false},
                        {"\\z\\B", "-", true},
                        {"^\\B$", "", true},
                        {"$\\B^", "", true},
                        {"^\\b$", "", false},
                        {"\\b\\b\\bé", "é", true},
                        {"(?:\\b){3}é", "é", true},
                        {"(?:^|\\b)(?:\\b|$)é", "-é", true},
                        {"\\b*$", "", true},
                        {"^\\b+é\\b*$\\b", "é", true},
                        {"(?:\\bé\\b ?){2}$", "é é", true},
                        {"\\<^é$\\>", "é", true},
                        {"\\>^é", "é", false},
                        // Of a choice, the way that has the most of them.
                        {"^(?:a|é\\b)\\b$", "é", true},
                        {"^(?:é\\b|a)\\b$", "é", true},
                        {"^\\b(?:a|\\bé)$", "é", true},
                        {"^\\b(?:\\bé|a)$", "é", true},
                        {"^\\b(?:a|\\b)é$", "é", true},
                        {"^-(?:a|\\b\\bé)$", "-é", true},
                        {"^-(?:\\b\\bé|a)$", "-é", true},
                        {"a|\\b\\b\\bé", "é", true},
                        {"^(?:a|é\\b\\b-)$", "é-", true},
                        {"^(?:é\\b\\b-|a)$", "é-", true},
                        {"^-\\b(?:\\b|a)é$", "-é", true}};
  for (const Case& one : cases) {
    INFO(one.pattern << " in " << one.text);
    CHECK(found(one.pattern, one.text) == one.is_found);
  }
  CHECK(problem_of("\\b\\b\\b\\ba").find("more than 3 assertions in a row") != std::string::npos);
  CHECK(found("\\b(?:\\ba\\b|\\bb\\b|\\bc\\b)\\b", "c"));
}

TEST_CASE("letters of either case, named ones and others", "[flags][pattern]") {
  const Case cases[] = {{"(?i)müller", "MÜLLER", true},  {"müller", "MÜLLER", false},
                        {"(?i)^\\w+é$", "xÉ", true},     {"^[à-ÿ]+$", "éü", true},
                        {"^[à-ÿ]+$", "É", false},        {"(?i)^[à-ÿ]+$", "É", true},
                        {"^[^é]$", "ü", true},           {"^[^é]$", "é", false},
                        {"(?i)k", "\u212a", true},       {"(?i)s", "\u017f", true},
                        {"(?i)^[^k]$", "K", false},      {"^\\p{L}+$", "日本é", true},
                        {"(?i)^łódź$", "ŁÓDŹ", true},    {"(?i)^ДОМ$", "дом", true},
                        {"^\\p{Lu}", "É", true},         {"^\\P{L}", "é", false},
                        {"^\\p{Greek}+$", "αβ", true},   {"^\\p{L}\\b", "é-", true},
                        {"^[\\p{L}\\d]+$", "é１", true}, {"^\\p{Letter}$", "é", true},
                        {"^[[:alpha:]]+$", "é", false},  {"^[[:^alpha:]]$", "é", true}};
  for (const Case& one : cases) {
    INFO(one.pattern << " in " << one.text);
    CHECK(found(one.pattern, one.text) == one.is_found);
  }
}

TEST_CASE("spellings of the service that RE2 has not are translated", "[flags][pattern]") {
  const std::string many(1001, 'a');
  const std::string few(1000, 'a');
  const std::string more(1002, 'a');
  const Case cases[] = {{"(?<n>a)b", "ab", true},
                        {"(?P<n>a)b", "ab", true},
                        {"(?x) a # note\n b", "ab", true},
                        {"(?x)[a b]", " ", true},
                        {"(?#note)a", "a", true},
                        {"\\u00e9", "é", true},
                        {"\\x{e9}\\U000000e9", "éé", true},
                        {"^\\h+$", "0aF", true},
                        {"^\\H$", "g", true},
                        {"\\e", "\x1b", true},
                        {"a\\Z", "a\n\n", true},
                        {"a\\Z", "a\nb", false},
                        {"^a{1001}$", many, true},
                        {"^a{1001}$", few, false},
                        {"^a{1001,}$", more, true},
                        {"^a{2,1500}$", many, true},
                        {"^x{,2}$", "xx", true},
                        {"^x{,2}$", "xxx", false},
                        {"^[a-z&&[^b]]$", "a", true},
                        {"^[a-z&&[^b]]$", "b", false},
                        {"^[a-z--b]$", "b", false},
                        {"^[a-c~~b-d]$", "d", true},
                        {"^[a-c~~b-d]$", "b", false},
                        {"^[a-z&&[^a-yb]]$", "y", false},
                        {"^[a-z&&[^a-yb]]$", "z", true},
                        {"(?i)^[a-z&&[^k]]$", "K", false},
                        {"^[A-z&&[^k]]$", "K", true},
                        {"^[a[bc]]$", "c", true},
                        {"^[a-a]$", "a", true},
                        {"[\\b]", "\b", true},
                        {"^a++$", "aaa", false},
                        {"(?>a+)b", "aab", true},
                        {"^x{,}$", "xxx", true},
                        {"(?x)^a{ 1 , 2 }$", "aa", true},
                        {"^a{ 1,2}$", "aa", false},
                        {"^a{2}{3}$", "aa{3}", true},
                        {"^a{2}{3}$", "aaaaaa", false},
                        {"a{*", "a{{", true},
                        {"^a(?#c)*$", "aa", true},
                        {"^a(?#c){2}$", "aa", true},
                        {"^(?'n'a)$", "a", true},
                        {"(?x)^( ?:a)$", "a", true},
                        {"\\ü", "ü", true},
                        {"^\\O$", "\n", true},
                        {"[&&a]", "a", false},
                        {"[^&&a]", "a", true},
                        {"^[--a]$", "-", true},
                        {"^[--a]$", "1", false},
                        {"^[\\w.-]$", "-", true},
                        {"^[\\z\\A\\k]$", "z", true},
                        {"[^\\>]", ">", false},
                        {"^\\p{greek}$", "α", true},
                        {"^\\p{Is_Greek}$", "α", true},
                        {"^\\p{IsGreek}$", "α", true},
                        {"^\\p{IsLetter}$", "é", true},
                        {"^\\p{script=latin}$", "a", true},
                        {"^\\p{math symbol}$", "+", true},
                        {"^\\p{White_Space}$", "\u00a0", true},
                        {"^\\p{LU}$", "A", true},
                        {"^\\p{LU}$", "a", false},
                        {"a{x", "a{x", true},
                        {"^(?i:a)b$", "Ab", true},
                        {"^(?i:a)b$", "AB", false},
                        {"^(?i-s).$", "\n", false},
                        {"^(?s).$", "\n", true},
                        {"(?m)^b$", "a\nb\nc", true},
                        {"^]$", "]", true},
                        {"^[]a]$", "]", true},
                        {"^[a-]$", "-", true},
                        {"a|b(?i)c|d", "bC", true},
                        {"(?-i)a", "A", false},
                        {"a+?b", "aab", true}};
  for (const Case& one : cases) {
    if (one.pattern == "^a++$") continue;  // backtracking could be needed: below
    INFO(one.pattern << " in " << one.text);
    CHECK(found(one.pattern, one.text) == one.is_found);
  }
}

TEST_CASE("what needs backtracking or is wrong says so", "[flags][pattern]") {
  for (const char* pattern :
       {"(?=a)", "(?!a)", "(?<=a)b", "(?<!a)b", "(a)\\1", "(?<n>a)\\k<n>", "(?>a|ab)c",
        "(?>(a|ab)b)c", "a++a", "(?-u)\\w", "\\Ga", "(?P=n)", "(?P>n)", "(?R)", "(?&n)"}) {
    INFO(pattern);
    CHECK(problem_of(pattern).find("linear-time engine cannot run") != std::string::npos);
  }
  for (const char* pattern :
       {"a)",      "(a",      "[a",         "*a",     "a|*",          "\\q",
        "a\\",     "[b-a]",   "x{3,2}",     "\\xg1",  "\\p{Nothing}", "a**",
        "a+*",     "a{2}*",   "(?i)*",      "a(?i)*", "(?i){2}",      "(?<a-1>x)",
        "[\\w-.]", "[\\d-a]", "\\B{",       "(?<>a)", "\\Qa\\E",      "[[:nothing:]]",
        "(?z)a",   "(?P<a",   "\\u{110000}"}) {
    INFO(pattern);
    CHECK(problem_of(pattern).find("not a valid regular expression") != std::string::npos);
  }
  // Two letters are a category's name, these as well, and there is none of it.
  CHECK(problem_of("\\p{is}").find("not a valid regular expression") != std::string::npos);
  CHECK(problem_of(std::string(3000, 'a')).find("bytes long") != std::string::npos);
  CHECK(!problem_of("((a{900}){900}){900}").empty());
  CHECK(!problem_of(std::string(500, '(') + "a" + std::string(500, ')')).empty());
  const auto classes = [](size_t count) {
    return std::string(count, '[') + "a" + std::string(count, ']');
  };
  CHECK(found(classes(limits::kRegexDepthMax + 1), "a"));
  CHECK(problem_of(classes(limits::kRegexDepthMax + 2)).find("nested too deeply") !=
        std::string::npos);
}

TEST_CASE("many letters in a row compile within the bound", "[flags][pattern]") {
  CHECK(found("^\\w{1,64}@[\\w.-]{1,255}\\.\\w{2,10}$", "müller@beispiel.de"));
  CHECK(found("^(?:\\b\\w{1,30}\\b ?){1,20}$", "Größe zählt"));
}

TEST_CASE("spellings that other engines read otherwise are told", "[flags][pattern]") {
  const auto notes_of = [](std::string_view pattern) {
    std::string problem;
    const auto compiled = Pattern::compile(pattern, problem);
    INFO(pattern << " " << problem);
    REQUIRE(compiled.has_value());
    return compiled->notes();
  };
  for (const char* pattern :
       {"x{,2}", "x{,}",        "[a-z&&[^b]]", "[a-z--b]", "[a~~b]",      "[a[bc]]", "\\<a",
        "a\\>",  "\\b{start}a", "\\h",         "\\H",      "a\\Z",        "\\Aa",    "a\\z",
        "\\e",   "\\a",         "\\O",         "(?x)a b",  "[[:alpha:]]", "a{2}{3}"}) {
    INFO(pattern);
    CHECK(!notes_of(pattern).empty());
    CHECK(notes_of(pattern)[0].find("as in PostHog's service") != std::string::npos);
  }
  CHECK(notes_of("\\<a\\<b").size() == 1);  // once each
  CHECK(notes_of("\\<a\\>").size() == 2);
  for (const char* pattern : {"@example\\.com$", "^\\w+$", "\\bpro\\b", "a{1,2}", "[a-z-]", "(?i)a",
                              "(?<n>a)", "a{x", "\\u00e9", "a&&b", "--"}) {
    INFO(pattern);
    CHECK(notes_of(pattern).empty());
  }
}

TEST_CASE("what stands first in a class: hyphens, a closing bracket, a circumflex",
          "[flags][pattern]") {
  const Case cases[] = {{"^[-]$", "-", true},   {"^[-]$", "]", false},  {"^[---]$", "-", true},
                        {"^[^-]$", "-", false}, {"^[^-]$", "a", true},  {"^[-a]$", "a", true},
                        {"^[-]]$", "-]", true}, {"^[]-]$", "-", true},  {"^[]-]$", "]", true},
                        {"^[^]]$", "]", false}, {"^[^]a]$", "b", true}, {"^[a^]$", "^", true}};
  for (const Case& one : cases) {
    INFO(one.pattern << " in " << one.text);
    CHECK(found(one.pattern, one.text) == one.is_found);
  }
  for (const char* space : {" ", "\t", "\n", "\v", "\f", "\r"}) {
    CHECK(found("(?x)^a" + std::string(space) + "b$", "ab"));
  }
  // A class in a class brings its words along.
  CHECK(found("^[a[\\w]]$", "é"));
  CHECK(found("^[a[\\p{Lu}]]$", "É"));
  CHECK(found("^[-[\\W]]$", "—"));
  CHECK_FALSE(found("^[-[\\W]]$", "b"));
  for (const char* open :
       {"[", "[^", "[]", "[^]", "[-", "[a-", "[a&&", "[a&&b", "[a--", "[a&&\\q]"}) {
    INFO(open);
    CHECK(problem_of(open).find("not a valid regular expression") != std::string::npos);
  }
}

TEST_CASE("flags of a group are set, unset and over with it", "[flags][pattern]") {
  const Case cases[] = {{"^(?-s).$", "\n", false},
                        {"^(?s-s).$", "\n", false},
                        {"^(?i)a(?-i)b$", "Ab", true},
                        {"^(?i)a(?-i)b$", "AB", false},
                        {"(?im-s)^a$", "b\nA", true},
                        {"(?i-m)^a$", "b\nA", false},
                        {"^(?:(?i)a)b$", "Ab", true},
                        {"^(?:(?i)a)b$", "AB", false},
                        {"^(?s:.)b$", "\nb", true},
                        {"^(?s:.).$", "\n\n", false},
                        {"^(?-im:a)$", "A", false},
                        {"(?i)^(?-i:a)b$", "aB", true},
                        {"^(?x: a b )c d$", "abc d", true},
                        {"^(?x-x) a$", " a", true},
                        {"^(?i)(?x) é $", "É", true},
                        // Of classes that are combined, each flag by itself.
                        {"(?i)^[A-z&&[^k]]$", "K", false},
                        {"(?m)^[A-z&&[^k]]$", "K", true},
                        {"(?s)^[A-z&&[^k]]$", "K", true},
                        {"(?x)^[A-z&&[^k]]$", "K", true},
                        {"(?im)^[A-z&&[^k]]$", "K", false},
                        {"(?i-m)^[A-z&&[^k]]$", "K", false},
                        {"(?i)^(?-i:[A-z&&[^k]])$", "K", true},
                        {"(?i)^(?s:[A-z&&[^k]])$", "K", false}};
  for (const Case& one : cases) {
    INFO(one.pattern << " in " << one.text);
    CHECK(found(one.pattern, one.text) == one.is_found);
  }
}
