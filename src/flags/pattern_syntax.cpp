#include "flags/pattern_syntax.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "flags/text.h"
#include "hogflare/ascii.h"
#include "hogflare/flags_limits.h"
#include "hogflare/result.h"

namespace hogflare::flags {
namespace {

constexpr uint32_t kLastPoint = 0x10ffff;
// A noncharacter, which no subject has: pattern.cpp replaces those.
constexpr uint32_t kNotInText = 0xfdef;

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

constexpr std::string_view kMarkRange = "\\x{fdd0}-\\x{fdea}";
static_assert(kFirstMark == 0xfdd0 && kLastMark == 0xfdea && kSomeLetter > kLastMark);

void append_point(uint32_t point, std::string& out) { out += fmt::format("\\x{{{:x}}}", point); }

class Translator {
 public:
  explicit Translator(std::string_view pattern) : pattern_(pattern) {}

  std::optional<Translation> run(std::string& problem) {
    for (const bool is_first : {true, false}) {
      at_ = 0;
      out_.text.clear();
      out_.notes.clear();
      flags_ = {};
      Shape shape;
      if (!read_alternation(0, shape) || !problem_.empty()) {
        problem = std::move(problem_);
        return std::nullopt;
      }
      if (out_.is_marked && shape.asserts.most > kMarkCopiesMax) {
        beyond(fmt::format("more than {} assertions in a row", kMarkCopiesMax));
        problem = std::move(problem_);
        return std::nullopt;
      }
      out_.marks = std::max(shape.asserts.most, 1);
      if (is_first) close_kept();
    }
    return std::move(out_);
  }

  size_t written() const { return out_.text.size(); }
  bool is_beyond() const { return is_beyond_; }

 private:
  // How many assertions a path through a part meets in a row: before its first character, behind
  // its last one, on a path without characters (kNever when there is none), anywhere.
  struct Asserts {
    static constexpr int kNever = -1;
    int lead = 0;
    int trail = 0;
    int through = 0;
    int most = 0;

    static Asserts of_character() { return {0, 0, kNever, 0}; }
    static Asserts of_assertion() { return {1, 1, 1, 1}; }
    void then(const Asserts& next) {
      most = std::max({most, next.most, trail + next.lead});
      lead = through == kNever ? lead : std::max(lead, through + next.lead);
      trail = next.through == kNever ? next.trail : std::max(next.trail, trail + next.through);
      through = through == kNever || next.through == kNever ? kNever : through + next.through;
    }
    void or_else(const Asserts& other) {
      most = std::max(most, other.most);
      lead = std::max(lead, other.lead);
      trail = std::max(trail, other.trail);
      through = std::max(through, other.through);
    }
    // Of a repeat: at least `least` times, perhaps more.
    void repeat(int least) {
      const int times = std::clamp(least, 1, kMarkCopiesMax + 1);
      Asserts all = *this;
      for (int i = 1; i < times; ++i) all.then(*this);
      all.most = std::max(all.most, trail + lead);
      *this = all;
      if (least == 0) through = std::max(through, 0);
    }
  };

  // What a group holds: `only` is its set when it is one repeated character or class.
  struct Shape {
    int items = 0;
    bool has_choice = false;
    std::optional<Set> only;
    Asserts asserts;
  };

  bool fail(std::string_view what) {
    if (problem_.empty()) {
      problem_ = fmt::format("pattern '{}' is not a valid regular expression: {}", pattern_, what);
    }
    return false;
  }
  bool beyond(std::string_view what) {
    if (problem_.empty()) {
      is_beyond_ = true;
      problem_ = fmt::format(
          "pattern '{}' uses {}, which the linear-time engine cannot run; rewrite it, for instance "
          "as a second filter with not_regex",
          pattern_, what);
    }
    return false;
  }

  void note(std::string_view spelling, std::string_view meaning) {
    std::string text = fmt::format(
        "'{}' is {} here, as in PostHog's service, and something else in "
        "JavaScript or Python",
        spelling, meaning);
    const bool is_known = std::find(out_.notes.begin(), out_.notes.end(), text) != out_.notes.end();
    if (!is_known) out_.notes.push_back(std::move(text));
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

  // What the pattern names beyond ASCII, in capitals and small letters; too many points, or a class
  // that only RE2 knows, and subjects stay as they are.
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
    const auto belongs = kind == 'w'   ? is_word_point
                         : kind == 'd' ? is_digit_point
                                       : is_space_point;
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
    set.classes +=
        "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}"
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

  // RE2's name of a general category or script, whose names the service reads whatever their case,
  // spaces, hyphens and underscores (UAX44-LM3); empty when it can be none.
  static std::string property_name(std::string_view name) {
    std::string loose;
    std::string titled;  // a script as Unicode writes it: Old_Italic
    for (const char c : name) {
      const bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!is_letter && c != '_' && c != ' ' && c != '-') return {};
      if (!is_letter) {
        if (!titled.empty()) titled += '_';
        continue;
      }
      const bool is_first = titled.empty() || titled.back() == '_';
      const char small = static_cast<char>(c | 0x20);
      loose += small;
      titled += is_first ? static_cast<char>(small - 'a' + 'A') : small;
    }
    while (!titled.empty() && titled.back() == '_') titled.pop_back();
    if (loose.size() > 2 && loose.substr(0, 2) == "is") {
      loose.erase(0, 2);
      titled.erase(0, 2);
      if (!titled.empty() && titled[0] == '_') titled.erase(0, 1);
      if (!titled.empty()) titled[0] = static_cast<char>(titled[0] & ~0x20);
    }
    struct Long {
      std::string_view name;
      std::string_view category;
    };
    static constexpr std::array<Long, 41> kLong = {{{"any", "Any"},
                                                    {"letter", "L"},
                                                    {"mark", "M"},
                                                    {"combiningmark", "M"},
                                                    {"number", "N"},
                                                    {"punctuation", "P"},
                                                    {"punct", "P"},
                                                    {"symbol", "S"},
                                                    {"separator", "Z"},
                                                    {"other", "C"},
                                                    {"uppercaseletter", "Lu"},
                                                    {"lowercaseletter", "Ll"},
                                                    {"titlecaseletter", "Lt"},
                                                    {"modifierletter", "Lm"},
                                                    {"otherletter", "Lo"},
                                                    {"nonspacingmark", "Mn"},
                                                    {"spacingmark", "Mc"},
                                                    {"enclosingmark", "Me"},
                                                    {"decimalnumber", "Nd"},
                                                    {"digit", "Nd"},
                                                    {"letternumber", "Nl"},
                                                    {"othernumber", "No"},
                                                    {"connectorpunctuation", "Pc"},
                                                    {"dashpunctuation", "Pd"},
                                                    {"openpunctuation", "Ps"},
                                                    {"closepunctuation", "Pe"},
                                                    {"initialpunctuation", "Pi"},
                                                    {"finalpunctuation", "Pf"},
                                                    {"otherpunctuation", "Po"},
                                                    {"mathsymbol", "Sm"},
                                                    {"currencysymbol", "Sc"},
                                                    {"modifiersymbol", "Sk"},
                                                    {"othersymbol", "So"},
                                                    {"spaceseparator", "Zs"},
                                                    {"lineseparator", "Zl"},
                                                    {"paragraphseparator", "Zp"},
                                                    {"control", "Cc"},
                                                    {"cntrl", "Cc"},
                                                    {"format", "Cf"},
                                                    {"whitespace", "Space"},
                                                    {"space", "Space"}}};
    for (const Long& known : kLong) {
      if (loose == known.name) return std::string(known.category);
    }
    if (loose.size() == 1) return std::string(1, static_cast<char>(loose[0] & ~0x20));
    if (loose.size() == 2) titled = {static_cast<char>(loose[0] & ~0x20), loose[1]};
    return titled;
  }

  // \pL, \p{Greek}, \P{Lu}, \p{sc=Greek}
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
    const size_t sign = name.find('=');
    if (sign != std::string_view::npos) name.remove_prefix(sign + 1);
    const std::string known = property_name(name);
    if (known == "Space") return add_perl(negative ? 'S' : 's', true, set);
    if (known.empty()) return beyond(fmt::format("\\p{{{}}}", name));
    out_.is_projected = false;
    set.classes += fmt::format("\\{}{{{}}}", negative ? 'P' : 'p', known);
    return true;
  }

  void write_set(Set set) {
    if (set.classes.empty() && set.points.ranges().empty()) {
      set.negated = !set.negated;
      set.points.add(0, kLastPoint);
    }
    // What stands for all but some must not take a mark for one of the rest.
    if (out_.is_marked && !set.negated) {
      PointSet marks;
      marks.add(kFirstMark, kLastMark);
      set.points = set.points.intersected(marks.complement());
      if (set.classes.empty() && set.points.ranges().empty()) set.points.add(kNotInText);
    }
    std::string text = set.negated ? "[^" : "[";
    for (const Points& range : set.points.ranges()) {
      append_point(range.first, text);
      if (range.last == range.first) continue;
      text += '-';
      append_point(range.last, text);
    }
    text += set.classes;
    if (set.negated && out_.is_marked) text += kMarkRange;
    text += ']';
    write_atom(text);
  }

  // A character or class in RE2's text, its mark passed over.
  void write_atom(std::string_view text) {
    if (out_.is_marked) {
      out_.text += fmt::format("(?:[{}]*{})", kMarkRange, text);
    } else {
      out_.text += text;
    }
  }

  void write_any() {
    write_atom(out_.is_marked ? fmt::format("[^{}]", kMarkRange) : std::string("(?s:.)"));
  }

  // An assertion: one mark of those that `holds` takes, or RE2's own while there are no marks.
  bool write_assertion(bool (*holds)(Edge, Before, Behind), std::string_view unmarked) {
    last_asserts_ = Asserts::of_assertion();
    if (!out_.is_marked) {
      out_.text += unmarked;
      return true;
    }
    out_.text += '[';
    for (uint32_t mark = 0; mark < kMarks; ++mark) {
      const Edge edge = static_cast<Edge>(mark / 9);
      const Before before = static_cast<Before>(mark / 3 % 3);
      const Behind behind = static_cast<Behind>(mark % 3);
      if (holds(edge, before, behind)) append_point(kFirstMark + mark, out_.text);
    }
    out_.text += ']';
    return true;
  }

  // ^ and $ in the mode in force.
  bool write_begin() {
    if (!flags_.multi_line) return write_text_begin("^");
    return write_assertion([](Edge, Before before, Behind) { return before != Before::kOther; },
                           "^");
  }
  bool write_end() {
    if (!flags_.multi_line) return write_text_end("$");
    return write_assertion([](Edge, Before, Behind behind) { return behind != Behind::kOther; },
                           "$");
  }
  bool write_text_begin(std::string_view unmarked) {
    return write_assertion([](Edge, Before before, Behind) { return before == Before::kText; },
                           unmarked);
  }
  bool write_text_end(std::string_view unmarked) {
    return write_assertion([](Edge, Before, Behind behind) { return behind == Behind::kText; },
                           unmarked);
  }

  // --- Escapes ---

  bool take_hex(size_t count, uint32_t& point) {
    point = 0;
    size_t digits = 0;
    const bool braces = take("{");
    const size_t max = braces ? 8 : count;
    for (; digits < max; ++digits, ++at_) {
      const int value = hex_digit(peek());
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
    static constexpr std::array<Named, 7> kNamed = {
        {{'n', '\n'}, {'r', '\r'}, {'t', '\t'}, {'f', '\f'}, {'v', '\v'}, {'a', 7}, {'e', 27}}};
    const char c = peek();
    for (const Named& named : kNamed) {
      if (named.letter != c) continue;
      ++at_;
      if (c == 'a') note("\\a", "a bell");
      if (c == 'e') note("\\e", "an escape character");
      point = named.point;
      return true;
    }
    if (c == 'x' || c == 'u' || c == 'U') {
      ++at_;
      return take_hex(c == 'x' ? 2 : c == 'u' ? 4 : 8, point);
    }
    if (done()) return false;
    const auto byte = static_cast<unsigned char>(c);
    const bool is_word = byte < 0x80 && is_word_point(byte) && c != '_';
    if (is_word || c == '<' || c == '>') return false;
    point = take_point();
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
      note(c == 'h' ? "\\h" : "\\H", c == 'h' ? "a hexadecimal digit" : "no hexadecimal digit");
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
    if (take("O")) {
      write_any();
      note("\\O", "any character, a line's end too,");
      return true;
    }
    Set set;
    bool is_set = false;
    if (!read_set_escape(false, set, is_set)) return false;
    uint32_t point = 0;
    if (!is_set) {
      if (read_assertion()) return problem_.empty();
      if (!problem_.empty()) return false;
      if (!take_escaped_point(point)) {
        if (!problem_.empty()) return false;
        return peek() >= '1' && peek() <= '9'   ? beyond("back-references")
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
    const auto edge = [this](bool (*holds)(Edge, Before, Behind)) {
      out_.is_marked = true;
      return write_assertion(holds, "");
    };
    for (const std::string_view start : {"b{start}", "<"}) {
      if (!take(start)) continue;
      note(fmt::format("\\{}", start), "a word's start");
      return edge([](Edge at, Before, Behind) { return at == Edge::kWordStart; });
    }
    for (const std::string_view end : {"b{end}", ">"}) {
      if (!take(end)) continue;
      note(fmt::format("\\{}", end), "a word's end");
      return edge([](Edge at, Before, Behind) { return at == Edge::kWordEnd; });
    }
    if (peek() == 'b' && peek(1) == '{') return beyond("\\b{");
    if (peek() == 'B' && peek(1) == '{' && !at_count(1)) return false;
    if (take("b")) return edge([](Edge at, Before, Behind) { return at != Edge::kNone; });
    if (take("B")) return edge([](Edge at, Before, Behind) { return at == Edge::kNone; });
    if (take("A")) {
      note("\\A", "the text's beginning");
      return write_text_begin("\\A");
    }
    if (take("z")) {
      note("\\z", "the text's end");
      return write_text_end("\\z");
    }
    if (peek() != 'Z') return false;
    ++at_;
    note("\\Z", "the text's end or the line ends before it");
    Set newline;
    newline.points.add('\n');
    out_.text += "(?:";
    write_set(newline);
    out_.text += "*";
    write_text_end("\\z");
    out_.text += ")";
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
      note(pattern_.substr(at_, 2), "an operator of classes");
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
    // Hyphens that come first are hyphens, however many.
    while (is_first && peek() == '-') {
      ++at_;
      set.points.add('-');
    }
    is_first = is_first && set.points.ranges().empty();
    for (;; is_first = false) {
      if (done()) return fail("a class is not closed");
      if (peek() == ']' && !is_first) return true;
      if (at_combination()) return true;
      if (take("[:")) {
        if (!read_posix(set)) return false;
        note("[[:name:]]", "a class by name");
        continue;
      }
      if (take("[")) {
        note("[[", "a class in a class");
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
      } else if (!done() && std::string_view("ABGKkz<>").find(peek()) != std::string_view::npos) {
        point = take_point();
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
      if (is_set && peek() == '-' && peek(1) != ']' && peek(1) != '-') {
        return fail("a range begins with a class; write the hyphen last, as in [\\w.-]");
      }
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
      if (c == 'x' && on) note("(?x)", "to pass over spaces and # comments");
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
    if (flags_.extended) skip_extended();
    const Flags before = flags_;
    bool is_atomic = false;
    if (take("?#")) {
      const size_t end = pattern_.find(')', at_);
      if (end == std::string_view::npos) return fail("a comment is not closed");
      at_ = end + 1;
      last_ = Last::kComment;
      return true;
    }
    if (take("?=") || take("?!") || take("?<=") || take("?<!")) return beyond("look-around");
    if (take("?(")) return beyond("conditions");
    if (take("?P=") || take("?P>") || take("?R") || take("?&")) return beyond("back-references");
    const bool is_quoted = take("?'");
    if (is_quoted || take("?P<") || take("?<")) {
      if (!take_name(is_quoted ? '\'' : '>')) return false;
      out_.text += "(?:";
    } else if (take("?>")) {
      is_atomic = true;
      out_.text += "(?:";
    } else if (take("?")) {
      bool opens = false;
      if (!read_flags(opens)) return false;
      if (!opens) {
        last_ = Last::kFlags;
        return true;
      }
    } else {
      out_.text += "(?:";
    }
    Shape inner;
    if (!read_alternation(depth + 1, inner)) return false;
    if (!take(")")) return fail("a group is not closed");
    out_.text += ')';
    flags_ = before;
    last_ = Last::kAtom;
    ++shape.items;
    shape.only.reset();
    last_asserts_ = inner.asserts;
    if (!is_atomic) return true;
    const bool is_simple = inner.items == 1 && !inner.has_choice && inner.only;
    return is_simple && nothing_shortens(*inner.only) ? true : beyond("atomic groups");
  }

  // A group's name and `end`; the name counts for nothing without back-references.
  bool take_name(char end) {
    const size_t from = at_;
    while (!done() && peek() != end) {
      if (!is_word_point(take_point())) return fail("a group's name is no word");
    }
    if (done() || at_ == from) return fail("a group's name is not closed");
    ++at_;
    return true;
  }

  // Whether a repeat of `set` stops by itself: at the pattern's end, or where a letter or digit
  // follows that is not in it. Giving back, as backtracking does, could then match nothing more.
  bool nothing_shortens(const Set& set) const {
    if (done()) return true;
    const auto next = static_cast<unsigned char>(peek());
    const bool is_plain = next < 0x80 && is_word_point(next);
    const bool is_sure =
        std::string_view("?*{").find(peek(1)) == std::string_view::npos || peek(1) == '\0';
    return is_plain && is_sure && !flags_.ignore_case && !set.negated && set.classes.empty() &&
           !set.points.contains(next);
  }

  // {n} {n,} {n,m} {,m} {,}; false when it is text.
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
    const auto space = [this] {
      if (flags_.extended) skip_extended();
    };
    ++at_;
    space();
    const bool has_least = number(least);
    space();
    const bool comma = take(",");
    space();
    int given = 0;
    const bool has_most = comma && number(given);
    space();
    if ((has_least || comma) && take("}")) {
      if (!comma) most = least;
      if (has_most) most = given;
      if (!has_least) note(pattern_.substr(from, at_ - from), "a repeat from none on");
      return true;
    }
    at_ = from;
    return false;
  }

  bool at_count(size_t ahead = 0) {
    const size_t from = at_;
    at_ += ahead;
    std::vector<std::string> notes = out_.notes;
    int least = 0;
    std::optional<int> most;
    const bool counts = take_counts(least, most);
    at_ = from;
    out_.notes = std::move(notes);
    return counts;
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

  // `asserts` are the repeated atom's.
  bool read_repeat(size_t atom_at, Shape& shape, Asserts& asserts) {
    std::string atom = out_.text.substr(atom_at);
    // An assertion or a set is one item already; a group of one's own binds whatever it is.
    atom = "(?:" + atom + ")";
    out_.text.resize(atom_at);
    int least = 0;
    std::optional<int> most;
    if (peek() == '{') {
      const bool counts = take_counts(least, most);
      HF_ASSERT(counts);
      if (most && *most < least) return fail("a repeat counts backwards");
      if (least > limits::kRegexRepeatMax || most.value_or(0) > limits::kRegexRepeatMax) {
        return fail("a repeat counts too far");
      }
      write_counted(atom, least, most);
    } else {
      out_.text += atom + peek();
      if (peek() == '+') least = 1;
      ++at_;
    }
    asserts.repeat(least);
    if (take("?")) {
      // Lazy or not finds the same.
    } else if (peek() == '+') {
      ++at_;
      if (!shape.only || !nothing_shortens(*shape.only)) return beyond("possessive repeats");
    }
    return true;
  }

  bool read_alternation(int depth, Shape& shape) {
    std::optional<size_t> atom_at;
    bool after_flags = false;
    std::optional<Asserts> others;  // of the alternatives before this one
    Asserts here;
    Asserts atom;
    const auto end_atom = [&] {
      here.then(atom);
      atom = {};
    };
    const auto end_alternative = [&] {
      end_atom();
      if (others) here.or_else(*others);
      others = here;
      here = {};
    };
    while (!done()) {
      if (flags_.extended) skip_extended();
      if (done()) break;
      const char c = peek();
      if (c == ')') {
        if (depth == 0) return fail("a group is closed that was not opened");
        end_alternative();
        shape.asserts = *others;
        return true;
      }
      const bool is_count = c == '{' && at_count();
      if (c == '*' || c == '+' || c == '?' || (is_count && atom_at)) {
        if (!atom_at) return fail("there is nothing to repeat");
        if (!read_repeat(*atom_at, shape, atom)) return false;
        atom_at.reset();
        continue;
      }
      if (is_count && after_flags) return fail("there is nothing to repeat");
      if (is_count) {
        note("{", "text where nothing before it can be repeated, behind a repeat too,");
      }
      if (c == '|') {
        ++at_;
        out_.text += '|';
        shape.has_choice = true;
        end_alternative();
        atom_at.reset();
        after_flags = false;
        continue;
      }
      const size_t begins = out_.text.size();
      last_ = Last::kAtom;
      last_asserts_ = Asserts::of_character();
      if (!read_atom(depth, shape)) return false;
      if (last_ == Last::kAtom) {
        atom_at = begins;
        end_atom();
        atom = last_asserts_;
      }
      if (last_ == Last::kFlags) atom_at.reset();
      if (last_ != Last::kComment) after_flags = last_ == Last::kFlags;
      if (out_.text.size() > limits::kRegexTranslatedBytesMax) return fail("it is too large");
    }
    end_alternative();
    shape.asserts = *others;
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
      return write_begin();
    }
    if (c == '$') {
      ++at_;
      return write_end();
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
        write_any();
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

  // What was read last: flags alone cannot be repeated, behind a comment what stands before it is.
  enum class Last : uint8_t { kAtom, kFlags, kComment };

  std::string_view pattern_;
  size_t at_ = 0;
  Flags flags_;
  Last last_ = Last::kAtom;
  Asserts last_asserts_;
  PointSet named_;
  std::string problem_;
  bool is_beyond_ = false;
  Translation out_;
};

}  // namespace

std::optional<Translation> translate_pattern(std::string_view pattern, std::string& problem,
                                             bool& is_beyond, size_t& bytes) {
  Translator translator(pattern);
  std::optional<Translation> translation = translator.run(problem);
  is_beyond = translator.is_beyond();
  bytes = translation ? translation->text.size() : translator.written();
  return translation;
}

}  // namespace hogflare::flags
