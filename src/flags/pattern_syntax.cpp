#include "flags/pattern_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "flags/text.h"
#include "hogflare/flags_limits.h"

namespace hogflare::flags {
namespace {

constexpr uint32_t kLastPoint = 0x10ffff;

// A set of code points as ranges.
class PointSet {
 public:
  void add(uint32_t first, uint32_t last) { ranges_.push_back({first, last}); }
  void add(uint32_t point) { add(point, point); }
  void add(const PointSet& other) {
    ranges_.insert(ranges_.end(), other.ranges_.begin(), other.ranges_.end());
  }

  // Ranges in order, none touching another.
  const std::vector<Points>& ranges() {
    std::sort(ranges_.begin(), ranges_.end(),
              [](const Points& a, const Points& b) { return a.first < b.first; });
    std::vector<Points> joined;
    for (const Points& range : ranges_) {
      if (!joined.empty() && range.first <= joined.back().last + 1) {
        joined.back().last = std::max(joined.back().last, range.last);
      } else {
        joined.push_back(range);
      }
    }
    ranges_ = std::move(joined);
    return ranges_;
  }

  bool contains(uint32_t point) const {
    return std::any_of(ranges_.begin(), ranges_.end(), [point](const Points& range) {
      return point >= range.first && point <= range.last;
    });
  }

  PointSet intersected(PointSet other) {
    PointSet both;
    const std::vector<Points>& mine = ranges();
    const std::vector<Points>& others = other.ranges();
    for (size_t i = 0, j = 0; i < mine.size() && j < others.size();) {
      const uint32_t first = std::max(mine[i].first, others[j].first);
      const uint32_t last = std::min(mine[i].last, others[j].last);
      if (first <= last) both.add(first, last);
      mine[i].last < others[j].last ? ++i : ++j;
    }
    return both;
  }

  PointSet complement() {
    PointSet rest;
    uint32_t next = 0;
    for (const Points& range : ranges()) {
      if (range.first > next) rest.add(next, range.first - 1);
      next = range.last + 1;
    }
    if (next <= kLastPoint) rest.add(next, kLastPoint);
    return rest;
  }

 private:
  std::vector<Points> ranges_;
};

// What a character class or a single character matches: points, and RE2's own classes (\p{Greek}).
struct Set {
  PointSet points;
  std::string classes;
  bool negated = false;
};

struct Flags {
  bool ignore_case = false;
  bool multi_line = false;
  bool dot_all = false;
  bool extended = false;
};

constexpr std::string_view kMarks = "[\\x{fdd0}-\\x{fdd2}]";

void append_point(uint32_t point, std::string& out) { out += fmt::format("\\x{{{:x}}}", point); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::optional<Translation> run(std::string& problem) {
    for (const bool is_first : {true, false}) {
      at_ = 0;
      out_.text.clear();
      flags_ = {};
      Shape shape;
      if (!read_alternation(0, shape) || !problem_.empty()) {
        problem = std::move(problem_);
        return std::nullopt;
      }
      if (is_first) close_kept();
    }
    return std::move(out_);
  }

 private:
  // What a group holds: `only` is its set when it is one repeated character or class.
  struct Shape {
    int items = 0;
    bool has_choice = false;
    std::optional<Set> only;
  };

  bool fail(std::string_view what) {
    if (problem_.empty()) {
      problem_ = fmt::format("pattern '{}' is not a valid regular expression: {}", pattern_, what);
    }
    return false;
  }
  bool beyond(std::string_view what) {
    if (problem_.empty()) {
      problem_ = fmt::format(
          "pattern '{}' uses {}, which the linear-time engine cannot run; rewrite it, for instance "
          "as a second filter with not_regex",
          pattern_, what);
    }
    return false;
  }

  bool done() const { return at_ == pattern_.size(); }
  char peek(size_t ahead = 0) const {
    return at_ + ahead < pattern_.size() ? pattern_[at_ + ahead] : '\0';
  }
  bool take(std::string_view text) {
    if (pattern_.substr(at_, text.size()) != text) return false;
    at_ += text.size();
    return true;
  }
  uint32_t take_point() {
    const Decoded next = decode(pattern_, at_);
    at_ += next.bytes;
    return next.point;
  }

  // What the pattern names beyond ASCII, in capitals and small letters; too many points, or a class that
  // only RE2 knows, and subjects stay as they are.
  void close_kept() {
    uint64_t count = 0;
    for (const Points& range : named_.ranges()) count += range.last - range.first + 1;
    if (count > limits::kRegexNamedPointsMax) out_.is_projected = false;
    if (!out_.is_projected) return;
    PointSet kept = named_;
    for (const Points& range : named_.ranges()) {
      for (uint32_t point = range.first; point <= range.last; ++point) {
        kept.add(lower_point(point));
        kept.add(upper_point(point));
      }
    }
    out_.kept = kept.ranges();
  }

  void name(uint32_t first, uint32_t last) {
    if (last < 0x80) return;
    if (first <= 0xfdef && last >= 0xfdd0 && first == last) fail("it names a noncharacter");
    named_.add(std::max<uint32_t>(first, 0x80), last);
  }

  // --- Sets ---

  PointSet perl_points(char kind) {
    PointSet set;
    const auto belongs = kind == 'w' ? is_word_point : kind == 'd' ? is_digit_point : is_space_point;
    for (uint32_t point = 0; point < 0x80; ++point) {
      if (belongs(point)) set.add(point);
    }
    if (!out_.is_projected) {
      for (uint32_t point = 0x80; kind == 's' && point <= 0x3000; ++point) {
        if (is_space_point(point)) set.add(point);
      }
      return set;
    }
    if (kind == 's') set.add(kSomeSpace);
    if (kind != 's') set.add(kSomeDigit);
    if (kind == 'w') {
      set.add(kSomeLetter);
      set.add(kLongS);
      set.add(kKelvin);
    }
    for (const Points& range : out_.kept) {
      for (uint32_t point = range.first; point <= range.last; ++point) {
        if (belongs(point)) set.add(point);
      }
    }
    return set;
  }

  // \w, \D …; `in_class` when it is an item of a class.
  bool add_perl(char letter, bool in_class, Set& set) {
    const bool negative = letter < 'a';
    const char kind = static_cast<char>(negative ? letter - 'A' + 'a' : letter);
    if (out_.is_projected || kind == 's') {
      set.points.add(negative ? perl_points(kind).complement() : perl_points(kind));
      return true;
    }
    if (kind == 'd') {
      set.classes += negative ? "\\P{Nd}" : "\\p{Nd}";
      return true;
    }
    if (negative && in_class) return beyond("\\W beside \\p in one class");
    set.negated = negative;
    set.classes += "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}"
                   "\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}";
    return true;
  }

  static void add_hexadecimal(bool negative, Set& set) {
    PointSet digits;
    digits.add('0', '9');
    digits.add('A', 'F');
    digits.add('a', 'f');
    set.points.add(negative ? digits.complement() : digits);
  }

  // \pL, \p{Greek}, \P{Lu}, \p{^L}, \p{sc=Greek}
  bool add_property(bool negative, Set& set) {
    std::string_view name;
    if (take("{")) {
      const size_t end = pattern_.find('}', at_);
      if (end == std::string_view::npos) return fail("\\p{ is not closed");
      name = pattern_.substr(at_, end - at_);
      at_ = end + 1;
    } else {
      name = pattern_.substr(at_, 1);
      at_ += name.size();
    }
    if (!name.empty() && name[0] == '^') {
      negative = !negative;
      name.remove_prefix(1);
    }
    if (const size_t sign = name.find('='); sign != std::string_view::npos) name.remove_prefix(sign + 1);
    struct Long {
      std::string_view name;
      std::string_view category;
    };
    static constexpr std::array<Long, 9> kLong = {{{"Letter", "L"}, {"Mark", "M"}, {"Number", "N"},
                                                   {"Punctuation", "P"}, {"Symbol", "S"},
                                                   {"Separator", "Z"}, {"Uppercase_Letter", "Lu"},
                                                   {"Lowercase_Letter", "Ll"},
                                                   {"Decimal_Number", "Nd"}}};
    for (const Long& known : kLong) {
      if (name == known.name) name = known.category;
    }
    const bool is_word = std::all_of(name.begin(), name.end(), [](char c) {
      return c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    });
    if (name.empty() || !is_word) return fail("\\p names no class");
    out_.is_projected = false;
    set.classes += fmt::format("\\{}{{{}}}", negative ? 'P' : 'p', name);
    return true;
  }

  void write_set(Set set) {
    if (set.classes.empty() && set.points.ranges().empty()) {
      set.negated = !set.negated;
      set.points.add(0, kLastPoint);
    }
    std::string text = set.negated ? "[^" : "[";
    for (const Points& range : set.points.ranges()) {
      append_point(range.first, text);
      if (range.last == range.first) continue;
      text += '-';
      append_point(range.last, text);
    }
    text += set.classes;
    if (set.negated && out_.is_marked) text += "\\x{fdd0}-\\x{fdd2}";
    text += ']';
    write_atom(text);
  }

  // A character or class in RE2's text, its mark passed over.
  void write_atom(std::string_view text) {
    if (out_.is_marked) {
      out_.text += fmt::format("(?:{}*{})", kMarks, text);
    } else {
      out_.text += text;
    }
  }

  // --- Escapes ---

  bool take_hex(size_t count, uint32_t& point) {
    point = 0;
    size_t digits = 0;
    const bool braces = take("{");
    const size_t max = braces ? 8 : count;
    for (; digits < max; ++digits, ++at_) {
      const char c = peek();
      const int value = c >= '0' && c <= '9'   ? c - '0'
                        : c >= 'a' && c <= 'f' ? c - 'a' + 10
                        : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                               : -1;
      if (value < 0) break;
      point = point * 16 + static_cast<uint32_t>(value);
    }
    if (digits == 0 || (!braces && digits != count) || (braces && !take("}")) ||
        point > kLastPoint || (point >= 0xd800 && point < 0xe000)) {
      return fail("an escape names no character");
    }
    return true;
  }

  // Behind a backslash, what stands for one character; false without a problem when it is none.
  bool take_escaped_point(uint32_t& point) {
    struct Named {
      char letter;
      uint32_t point;
    };
    static constexpr std::array<Named, 7> kNamed = {{{'n', '\n'}, {'r', '\r'}, {'t', '\t'},
                                                     {'f', '\f'}, {'v', '\v'}, {'a', 7}, {'e', 27}}};
    const char c = peek();
    for (const Named& named : kNamed) {
      if (named.letter != c) continue;
      ++at_;
      point = named.point;
      return true;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      return take_hex(c == 'x' ? 2 : c == 'u' ? 4 : 8, point);
    }
    const auto byte = static_cast<unsigned char>(c);
    const bool is_word = is_word_point(byte) && c != '_';
    if (done() || byte >= 0x80 || is_word || c == '<' || c == '>') return false;
    ++at_;
    point = byte;
    return true;
  }

  bool read_set_escape(bool in_class, Set& set, bool& is_set) {
    const char c = peek();
    is_set = true;
    if (c != '\0' && std::string_view("wWdDsS").find(c) != std::string_view::npos) {
      ++at_;
      return add_perl(c, in_class, set);
    }
    if (c == 'h' || c == 'H') {
      ++at_;
      add_hexadecimal(c == 'H', set);
      return true;
    }
    if (c == 'p' || c == 'P') {
      ++at_;
      return add_property(c == 'P', set);
    }
    is_set = false;
    return true;
  }

  bool read_escape(Shape& shape) {
    ++at_;
    if (done()) return fail("it ends in a backslash");
    Set set;
    bool is_set = false;
    if (!read_set_escape(false, set, is_set)) return false;
    uint32_t point = 0;
    if (!is_set) {
      if (read_assertion()) return problem_.empty();
      if (!problem_.empty()) return false;
      if (!take_escaped_point(point)) {
        if (!problem_.empty()) return false;
        return peek() >= '1' && peek() <= '9'  ? beyond("back-references")
               : peek() == 'k' || peek() == 'g' ? beyond("back-references")
               : peek() == 'G' || peek() == 'K' ? beyond(std::string("\\") + peek())
                                                : fail("an escape it does not know");
      }
      name(point, point);
      set.points.add(point);
    }
    shape.only = set;
    write_set(std::move(set));
    return true;
  }

  // \b \B \< \> \b{start} \A \z \Z; nothing is taken when it is none of them.
  bool read_assertion() {
    const auto mark = [this](std::string_view text) {
      out_.is_marked = true;
      out_.text += text;
      return true;
    };
    if (take("b{start}") || take("<")) return mark("\\x{fdd0}");
    if (take("b{end}") || take(">")) return mark("\\x{fdd1}");
    if (peek() == 'b' && peek(1) == '{') return beyond("\\b{");
    if (take("b")) return mark("[\\x{fdd0}\\x{fdd1}]");
    if (take("B")) return mark("\\x{fdd2}");
    if (take("A")) {
      out_.text += "\\A";
      return true;
    }
    if (take("z")) return write_end("\\z");
    if (peek() != 'Z') return false;
    ++at_;
    write_end("");
    Set newline;
    newline.points.add('\n');
    out_.text += "(?:";
    write_set(newline);
    out_.text += "*";
    write_end("\\z");
    out_.text += ")";
    return true;
  }

  // The marks before the end belong to it.
  bool write_end(std::string_view text) {
    if (text.empty()) return true;
    out_.text += out_.is_marked ? fmt::format("(?:{}*{})", kMarks, text) : std::string(text);
    return true;
  }

  // --- Classes ---

  // What may be combined must be known point by point.
  bool settle(Set& set) {
    if (!set.negated && set.classes.empty()) return true;
    if (!set.classes.empty()) return beyond("\\p in a class of classes");
    if (flags_.ignore_case) close_case(set.points);
    set.points = set.points.complement();
    set.negated = false;
    return true;
  }

  static void close_case(PointSet& points) {
    for (uint32_t letter = 'a'; letter <= 'z'; ++letter) {
      const uint32_t capital = letter - 'a' + 'A';
      if (points.contains(letter)) points.add(capital);
      if (points.contains(capital)) points.add(letter);
    }
  }

  // [a-z&&[^b]], `[` taken.
  bool read_class(int depth, Set& set) {
    if (depth > limits::kRegexDepthMax) return fail("it is nested too deeply");
    const bool negated = take("^");
    Set left;
    if (!read_class_items(depth, true, left)) return false;
    while (!take("]")) {
      const char combine = peek();
      at_ += 2;
      Set right;
      if (!read_class_items(depth, false, right) || !settle(left) || !settle(right)) return false;
      if (flags_.ignore_case) {
        close_case(left.points);
        close_case(right.points);
      }
      if (combine == '&') {
        left.points = left.points.intersected(right.points);
      } else if (combine == '-') {
        left.points = left.points.intersected(right.points.complement());
      } else {
        PointSet only = left.points.intersected(right.points.complement());
        only.add(right.points.intersected(left.points.complement()));
        left.points = only;
      }
    }
    left.negated = negated;
    set = std::move(left);
    return true;
  }

  bool at_combination() const {
    const char c = peek();
    return (c == '&' || c == '-' || c == '~') && peek(1) == c;
  }

  // Up to `]` or an operator.
  bool read_class_items(int depth, bool is_first, Set& set) {
    for (;; is_first = false) {
      if (flags_.extended) skip_extended();
      if (done()) return fail("a class is not closed");
      if (peek() == ']' && !is_first) return true;
      if (!is_first && at_combination()) return true;
      if (take("[:")) {
        if (!read_posix(set)) return false;
        continue;
      }
      if (take("[")) {
        Set inner;
        if (!read_class(depth + 1, inner) || !merge(inner, set)) return false;
        continue;
      }
      if (!read_class_item(set)) return false;
    }
  }

  bool merge(Set& inner, Set& set) {
    if (inner.negated && !settle(inner)) return false;
    set.points.add(inner.points);
    set.classes += inner.classes;
    return true;
  }

  bool take_class_point(uint32_t& point) {
    if (peek() != '\\') {
      point = take_point();
    } else {
      ++at_;
      if (take("b")) {
        point = 8;
      } else if (!take_escaped_point(point)) {
        return fail("an escape it does not know in a class");
      }
    }
    return true;
  }

  bool read_class_item(Set& set) {
    if (peek() == '\\') {
      ++at_;
      bool is_set = false;
      if (!read_set_escape(true, set, is_set)) return false;
      if (is_set) return true;
      --at_;
    }
    uint32_t first = 0;
    if (!take_class_point(first)) return false;
    uint32_t last = first;
    if (peek() == '-' && peek(1) != ']' && peek(1) != '-' && peek(1) != '\0') {
      ++at_;
      if (!take_class_point(last)) return false;
      if (last < first) return fail("a range runs backwards");
    }
    name(first, last);
    set.points.add(first, last);
    return problem_.empty();
  }

  // [:alpha:] and [:^alpha:], ASCII
  bool read_posix(Set& set) {
    const bool negative = take("^");
    struct Posix {
      std::string_view name;
      std::array<Points, 4> ranges;
    };
    static constexpr std::array<Posix, 14> kPosix = {{
        {"alnum", {{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'a', 'a'}}}},
        {"alpha", {{{'A', 'Z'}, {'a', 'z'}, {'a', 'a'}, {'a', 'a'}}}},
        {"ascii", {{{0, 0x7f}, {'a', 'a'}, {'a', 'a'}, {'a', 'a'}}}},
        {"blank", {{{'\t', '\t'}, {' ', ' '}, {' ', ' '}, {' ', ' '}}}},
        {"cntrl", {{{0, 0x1f}, {0x7f, 0x7f}, {0, 0}, {0, 0}}}},
        {"digit", {{{'0', '9'}, {'0', '0'}, {'0', '0'}, {'0', '0'}}}},
        {"graph", {{{'!', '~'}, {'!', '!'}, {'!', '!'}, {'!', '!'}}}},
        {"lower", {{{'a', 'z'}, {'a', 'a'}, {'a', 'a'}, {'a', 'a'}}}},
        {"print", {{{' ', '~'}, {' ', ' '}, {' ', ' '}, {' ', ' '}}}},
        {"punct", {{{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}}}},
        {"space", {{{'\t', '\r'}, {' ', ' '}, {' ', ' '}, {' ', ' '}}}},
        {"upper", {{{'A', 'Z'}, {'A', 'A'}, {'A', 'A'}, {'A', 'A'}}}},
        {"word", {{{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}}}},
        {"xdigit", {{{'0', '9'}, {'A', 'F'}, {'a', 'f'}, {'a', 'a'}}}},
    }};
    for (const Posix& known : kPosix) {
      if (!take(std::string(known.name) + ":]")) continue;
      PointSet points;
      for (const Points& range : known.ranges) points.add(range.first, range.last);
      set.points.add(negative ? points.complement() : points);
      return true;
    }
    return fail("a class [:name:] it does not know");
  }

  // --- Groups and repeats ---

  void skip_extended() {
    for (;;) {
      while (!done() && (peek() == ' ' || (peek() >= '\t' && peek() <= '\r'))) ++at_;
      if (peek() != '#' || done()) return;
      while (!done() && peek() != '\n') ++at_;
    }
  }

  // (?i), (?i-s:…) behind "(?"; `opens` when a group follows.
  bool read_flags(bool& opens) {
    bool on = true;
    std::string given = "(?";
    for (;; ++at_) {
      const char c = peek();
      if (c == '-' && on) {
        on = false;
        continue;
      }
      if (c == ':' || c == ')') break;
      if (c == 'i') flags_.ignore_case = on;
      if (c == 'm') flags_.multi_line = on;
      if (c == 's') flags_.dot_all = on;
      if (c == 'x') flags_.extended = on;
      if (c == 'u' && !on) return beyond("(?-u)");
      if (c == 'R') return beyond("(?R)");
      if (done() || std::string_view("imsxuU").find(c) == std::string_view::npos) {
        return fail("a group it does not know");
      }
      if (c == 'i' || c == 'm' || c == 'U') given += fmt::format("{}{}", on ? "" : "-", c);
      if (!on && (c == 'i' || c == 'm' || c == 'U')) given += ")(?";
    }
    opens = peek() == ':';
    ++at_;
    if (opens) out_.text += "(?:";
    // "(?i-m" was written as "(?i-m)(?": RE2 takes flags one group after the other.
    if (given.size() > 2) {
      if (given.substr(given.size() - 2) == "(?") {
        given.resize(given.size() - 2);
      } else {
        given += ')';
      }
      out_.text += given;
    }
    return true;
  }

  bool read_group(int depth, Shape& shape) {
    ++at_;
    if (depth > limits::kRegexDepthMax) return fail("it is nested too deeply");
    const Flags before = flags_;
    bool is_atomic = false;
    if (take("?#")) {
      const size_t end = pattern_.find(')', at_);
      if (end == std::string_view::npos) return fail("a comment is not closed");
      at_ = end + 1;
      return true;
    }
    if (take("?=") || take("?!") || take("?<=") || take("?<!")) return beyond("look-around");
    if (take("?(")) return beyond("conditions");
    if (take("?P=") || take("?P>") || take("?R") || take("?&")) return beyond("back-references");
    if (take("?P<") || take("?<")) {
      const size_t end = pattern_.find('>', at_);
      if (end == std::string_view::npos || end == at_) return fail("a group's name is not closed");
      at_ = end + 1;
      out_.text += "(?:";
    } else if (take("?>")) {
      is_atomic = true;
      out_.text += "(?:";
    } else if (take("?")) {
      bool opens = false;
      if (!read_flags(opens)) return false;
      if (!opens) return true;
    } else {
      out_.text += "(?:";
    }
    Shape inner;
    if (!read_alternation(depth + 1, inner)) return false;
    if (!take(")")) return fail("a group is not closed");
    out_.text += ')';
    flags_ = before;
    ++shape.items;
    shape.only.reset();
    if (!is_atomic) return true;
    const bool is_simple = inner.items == 1 && !inner.has_choice && inner.only;
    return is_simple && nothing_shortens(*inner.only) ? true : beyond("atomic groups");
  }

  // Whether a repeat of `set` stops by itself: at the pattern's end, or where a letter or digit follows
  // that is not in it. Giving back, as backtracking does, could then match nothing more.
  bool nothing_shortens(const Set& set) const {
    if (done()) return true;
    const auto next = static_cast<unsigned char>(peek());
    const bool is_plain = next < 0x80 && is_word_point(next);
    const bool is_sure = std::string_view("?*{").find(peek(1)) == std::string_view::npos || peek(1) == '\0';
    return is_plain && is_sure && !flags_.ignore_case && !set.negated && set.classes.empty() &&
           !set.points.contains(next);
  }

  // {n} {n,} {n,m} {,m}; false when it is text.
  bool take_counts(int& least, std::optional<int>& most) {
    const size_t from = at_;
    const auto number = [this](int& value) {
      value = 0;
      const size_t start = at_;
      for (; peek() >= '0' && peek() <= '9'; ++at_) {
        value = std::min(value * 10 + (peek() - '0'), limits::kRegexRepeatMax + 1);
      }
      return at_ > start;
    };
    ++at_;
    const bool has_least = number(least);
    const bool comma = take(",");
    int given = 0;
    const bool has_most = comma && number(given);
    if (take("}") && (has_least || has_most)) {
      if (!comma) most = least;
      if (has_most) most = given;
      return true;
    }
    at_ = from;
    return false;
  }

  // RE2 counts to 1000: more is written as several.
  void write_counted(const std::string& atom, int least, std::optional<int> most) {
    constexpr int kStep = 1000;
    std::string text;
    const auto in_steps = [&](int count, std::string_view open) {
      for (; count > 0; count -= kStep) {
        text += fmt::format("{}{{{}{}}}", atom, open, std::min(count, kStep));
      }
    };
    if (least <= kStep && (!most || *most <= kStep)) {
      text = most ? *most == least ? fmt::format("{}{{{}}}", atom, least)
                                   : fmt::format("{}{{{},{}}}", atom, least, *most)
                  : fmt::format("{}{{{},}}", atom, least);
    } else {
      in_steps(least, "");
      if (most) {
        in_steps(*most - least, "0,");
      } else {
        text += atom + "*";
      }
    }
    out_.text += text;
  }

  bool read_repeat(size_t atom_at, Shape& shape) {
    std::string atom = out_.text.substr(atom_at);
    // An assertion or a set is one item already; a group of one's own binds whatever it is.
    atom = "(?:" + atom + ")";
    out_.text.resize(atom_at);
    int least = 0;
    std::optional<int> most;
    if (peek() == '{') {
      if (!take_counts(least, most)) {
        out_.text += atom;
        at_ += 1;
        write_atom("\\{");
        shape.only.reset();
        return true;
      }
      if (most && *most < least) return fail("a repeat counts backwards");
      if (least > limits::kRegexRepeatMax || most.value_or(0) > limits::kRegexRepeatMax) {
        return fail("a repeat counts too far");
      }
      write_counted(atom, least, most);
    } else {
      out_.text += atom + peek();
      ++at_;
    }
    if (take("?")) {
      // Lazy or not finds the same.
    } else if (peek() == '+') {
      ++at_;
      if (!shape.only || !nothing_shortens(*shape.only)) return beyond("possessive repeats");
    }
    const char next = peek();
    if (next == '*' || next == '+' || next == '?') {
      // a** and a+? again: a repeat of a repeat.
      return read_repeat(atom_at, shape);
    }
    return true;
  }

  bool read_alternation(int depth, Shape& shape) {
    std::optional<size_t> atom_at;
    while (!done()) {
      if (flags_.extended) skip_extended();
      if (done()) break;
      const char c = peek();
      if (c == ')') {
        if (depth == 0) return fail("a group is closed that was not opened");
        return true;
      }
      if (c == '*' || c == '+' || c == '?' || (c == '{' && atom_at)) {
        if (!atom_at) return fail("there is nothing to repeat");
        if (!read_repeat(*atom_at, shape)) return false;
        atom_at.reset();
        continue;
      }
      if (c == '|') {
        ++at_;
        out_.text += '|';
        shape.has_choice = true;
        atom_at.reset();
        continue;
      }
      atom_at = out_.text.size();
      if (!read_atom(depth, shape)) return false;
      if (out_.text.size() == *atom_at) atom_at.reset();  // a comment
      if (out_.text.size() > limits::kRegexTranslatedBytesMax) return fail("it is too large");
    }
    return depth == 0 || fail("a group is not closed");
  }

  bool read_atom(int depth, Shape& shape) {
    const char c = peek();
    if (c == '(') return read_group(depth, shape);
    ++shape.items;
    shape.only.reset();
    if (c == '\\') return read_escape(shape);
    if (c == '^') {
      ++at_;
      out_.text += '^';
      return true;
    }
    if (c == '$') {
      ++at_;
      return write_end("$");
    }
    Set set;
    if (c == '[') {
      ++at_;
      if (!read_class(0, set)) return false;
    } else if (c == '.') {
      ++at_;
      set.negated = true;
      if (!flags_.dot_all) set.points.add('\n');
      if (flags_.dot_all) {
        set.negated = false;
        write_atom(out_.is_marked ? "[^\\x{fdd0}-\\x{fdd2}]" : "(?s:.)");
        return true;
      }
    } else {
      const uint32_t point = take_point();
      name(point, point);
      set.points.add(point);
    }
    shape.only = set;
    write_set(std::move(set));
    return problem_.empty();
  }

  std::string_view pattern_;
  size_t at_ = 0;
  Flags flags_;
  PointSet named_;
  std::string problem_;
  Translation out_;
};

}  // namespace

std::optional<Translation> translate_pattern(std::string_view pattern, std::string& problem) {
  return Translator(pattern).run(problem);
}

}  // namespace hogflare::flags
