#include "grammar/pattern.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "grammar/code_points.h"
#include "grammar/gbnf.h"
#include "grammar/gbnf_text.h"

namespace polyphon {
namespace {

constexpr int kMaxPatternDepth = 50;
constexpr uint64_t kEndless = UINT64_MAX;

const CodePointSet kAll = CodePointSet().complement();
const CodePointSet kDigits({{'0', '9'}});
const CodePointSet kWord({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}, {'_', '_'}});
const CodePointSet kSpace({{'\t', '\r'},
                           {' ', ' '},
                           {0xA0, 0xA0},
                           {0x1680, 0x1680},
                           {0x2000, 0x200A},
                           {0x2028, 0x2029},
                           {0x202F, 0x202F},
                           {0x205F, 0x205F},
                           {0x3000, 0x3000},
                           {0xFEFF, 0xFEFF}});
const CodePointSet kLineEnds({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
// What JSON cannot hold as it is.
const CodePointSet kEscaped({{0, 0x1F}, {'"', '"'}, {'\\', '\\'}});

struct Node {
  enum class Kind { kSet, kSequence, kChoice } kind = Kind::kSequence;
  CodePointSet points;      // kSet
  std::vector<Node> parts;  // of a sequence or choice
  uint64_t least = 1;       // repetitions
  uint64_t most = 1;        // kEndless: no limit
};

// One of the alternatives at the top, and whether ^ and $ bind it.
struct Alternative {
  Node node;
  bool from_begin = false;
  bool to_end = false;
};

uint64_t times(uint64_t a, uint64_t b) {
  if (a == 0 || b == 0) return 0;
  return a > kEndless / b ? kEndless : a * b;
}
uint64_t plus(uint64_t a, uint64_t b) { return a > kEndless - b ? kEndless : a + b; }

struct Length {
  uint64_t least;
  uint64_t most;
};

Length length_of(const Node& node) {
  Length once{1, 1};
  if (node.kind == Node::Kind::kSequence) {
    once = {0, 0};
    for (const Node& part : node.parts) {
      const Length length = length_of(part);
      once = {plus(once.least, length.least), plus(once.most, length.most)};
    }
  } else if (node.kind == Node::Kind::kChoice) {
    once = length_of(node.parts.front());
    for (const Node& part : node.parts) {
      const Length length = length_of(part);
      once = {std::min(once.least, length.least), std::max(once.most, length.most)};
    }
  }
  return {times(once.least, node.least), times(once.most, node.most)};
}

class PatternReader {
 public:
  explicit PatternReader(std::string_view pattern) : text_(pattern) {}

  std::vector<Alternative> read() {
    std::vector<Alternative> alternatives;
    do {
      Alternative& alternative = alternatives.emplace_back();
      alternative.from_begin = take("^");
      alternative.node = read_sequence(0);
      alternative.to_end = take("$");
      if (!over() && peek() != '|') fail(peek() == ')' ? "an unopened ')'" : "text after '$'");
    } while (take("|"));
    return alternatives;
  }

 private:
  [[noreturn]] void fail(const std::string& why) const {
    throw PatternError(fmt::format("{} at character {}", why, at_ + 1));
  }
  bool over() const { return at_ >= text_.size(); }
  char peek() const { return over() ? '\0' : text_[at_]; }
  bool take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }

  Node read_choice(int depth) {
    Node choice;
    choice.kind = Node::Kind::kChoice;
    do {
      choice.parts.push_back(read_sequence(depth));
    } while (take("|"));
    return choice.parts.size() == 1 ? std::move(choice.parts.front()) : choice;
  }

  Node read_sequence(int depth) {
    Node sequence;
    while (!over() && peek() != '|' && peek() != ')') {
      if (peek() == '$' && depth == 0) break;
      sequence.parts.push_back(read_repeated(depth));
    }
    return sequence;
  }

  Node read_repeated(int depth) {
    Node node = read_atom(depth);
    const char c = peek();
    const bool repeats = c == '*' || c == '+' || c == '?' || (c == '{' && at_bounds());
    if (!repeats) return node;
    if (node.least != 1 || node.most != 1 || node.kind == Node::Kind::kChoice) {
      Node group;
      group.parts.push_back(std::move(node));
      node = std::move(group);
    }
    if (c == '{') {
      read_bounds(node);
    } else {
      ++at_;
      node.least = c == '+' ? 1 : 0;
      node.most = c == '?' ? 1 : kEndless;
    }
    take("?");  // lazy or greedy, the same texts match
    if (peek() == '*' || peek() == '+' || peek() == '?') fail("nothing to repeat");
    return node;
  }

  // {m}, {m,} or {m,n}; else the brace stands for itself.
  bool at_bounds() const {
    size_t i = at_ + 1;
    const auto digits = [&] {
      const size_t begin = i;
      while (i < text_.size() && text_[i] >= '0' && text_[i] <= '9') ++i;
      return i > begin;
    };
    if (!digits()) return false;
    if (i < text_.size() && text_[i] == ',') ++i, digits();
    return i < text_.size() && text_[i] == '}';
  }

  void read_bounds(Node& node) {
    ++at_;
    node.least = node.most = read_count();
    if (take(",")) node.most = peek() == '}' ? kEndless : read_count();
    ++at_;
    if (node.least > node.most)
      fail(fmt::format("at least {} repetitions but at most {}", node.least, node.most));
  }

  uint64_t read_count() {
    uint32_t count = 0;
    const char* const begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), count);
    if (error != std::errc() || count == kUnbounded) fail("too many repetitions");
    at_ += static_cast<size_t>(end - begin);
    return count;
  }

  Node read_atom(int depth) {
    if (depth > kMaxPatternDepth)
      fail(fmt::format("groups deeper than {} levels", kMaxPatternDepth));
    Node set;
    set.kind = Node::Kind::kSet;
    switch (peek()) {
      case '(':
        return read_group(depth);
      case '[':
        set.points = read_class();
        if (set.points.empty()) fail("a class that holds nothing");
        return set;
      case '.':
        ++at_;
        set.points = kAll.without(kLineEnds);
        return set;
      case '\\':
        set.points = read_escape();
        return set;
      case '^':
      case '$':
        fail(fmt::format("'{}' inside the pattern is not supported", peek()));
      case '*':
      case '+':
      case '?':
        fail("nothing to repeat");
      default: {
        const uint32_t point = read_point();
        set.points = CodePointSet({{point, point}});
        return set;
      }
    }
  }

  Node read_group(int depth) {
    ++at_;
    if (take("?")) {
      if (take("<")) {
        if (peek() == '=' || peek() == '!') fail("look-around is not supported");
        const size_t end = text_.find('>', at_);
        if (end == std::string_view::npos) fail("an unclosed name of a group");
        at_ = end + 1;
      } else if (!take(":")) {
        fail("look-around and other (?...) groups are not supported");
      }
    }
    Node group = read_choice(depth + 1);
    if (!take(")")) fail("an unclosed '('");
    if (group.kind == Node::Kind::kSequence && group.parts.size() == 1) {
      Node only = std::move(group.parts.front());
      return only;
    }
    return group;
  }

  uint32_t read_point() { return next_code_point(text_, at_); }

  CodePointSet read_class() {
    ++at_;
    const bool negated = take("^");
    CodePointSet points;
    while (!over() && peek() != ']') {
      const CodePointSet first = read_class_member();
      const bool range = peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (!range) {
        points = points.united(first);
        continue;
      }
      ++at_;
      const CodePointSet last = read_class_member();
      const auto one = [](const CodePointSet& set) {
        return set.ranges().size() == 1 && set.ranges()[0].first == set.ranges()[0].last;
      };
      if (!one(first) || !one(last)) fail("a range between classes");
      if (last.ranges()[0].first < first.ranges()[0].first) fail("a range that runs backwards");
      points = points.united(CodePointSet({{first.ranges()[0].first, last.ranges()[0].first}}));
    }
    if (!take("]")) fail("an unclosed '['");
    return negated ? points.complement() : points;
  }

  CodePointSet read_class_member() {
    if (peek() == '\\') {
      if (text_.substr(at_).starts_with("\\b")) {
        at_ += 2;
        return CodePointSet({{'\b', '\b'}});
      }
      return read_escape();
    }
    const uint32_t point = read_point();
    return CodePointSet({{point, point}});
  }

  CodePointSet read_escape() {
    ++at_;
    if (over()) fail("an unfinished escape");
    const char c = text_[at_];
    const auto single = [](uint32_t point) { return CodePointSet({{point, point}}); };
    switch (c) {
      case 'd':
        return ++at_, kDigits;
      case 'D':
        return ++at_, kDigits.complement();
      case 'w':
        return ++at_, kWord;
      case 'W':
        return ++at_, kWord.complement();
      case 's':
        return ++at_, kSpace;
      case 'S':
        return ++at_, kSpace.complement();
      case 'n':
        return ++at_, single('\n');
      case 'r':
        return ++at_, single('\r');
      case 't':
        return ++at_, single('\t');
      case 'f':
        return ++at_, single('\f');
      case 'v':
        return ++at_, single('\v');
      case '0':
        return ++at_, single(0);
      case 'x':
        return ++at_, single(read_hex(2));
      case 'u':
        ++at_;
        return single(take("{") ? read_braced() : read_unit());
      default:
        break;
    }
    if ((c >= '1' && c <= '9') || c == 'k') fail("references back are not supported");
    if (c == 'b' || c == 'B') fail("word boundaries are not supported");
    if (c == 'p' || c == 'P') fail("Unicode properties are not supported: write a class");
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
      fail(fmt::format("the unknown escape \\{}", c));
    return single(read_point());
  }

  uint32_t read_hex(size_t digits) {
    const std::string_view hex = text_.substr(at_, digits);
    uint32_t point = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), point, 16);
    if (hex.size() != digits || error != std::errc() || end != hex.data() + digits)
      fail(fmt::format("an escape without its {} hexadecimal digits", digits));
    at_ += digits;
    return point;
  }

  // \uXXXX, or two of them that make one character.
  uint32_t read_unit() {
    const uint32_t high = read_hex(4);
    if (high < 0xD800 || high > 0xDFFF) return high;
    if (high > 0xDBFF || !take("\\u")) fail("half of a surrogate pair");
    const uint32_t low = read_hex(4);
    if (low < 0xDC00 || low > 0xDFFF) fail("half of a surrogate pair");
    return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
  }

  uint32_t read_braced() {
    const size_t end = text_.find('}', at_);
    if (end == std::string_view::npos || end == at_ || end - at_ > 6) fail("an unclosed \\u{");
    const uint32_t point = read_hex(end - at_);
    if (point > kLastCodePoint) fail("a code point above U+10FFFF");
    ++at_;
    return point;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

class Writer {
 public:
  explicit Writer(const std::string& any_character) : any_character_(any_character) {}

  std::string write(const Node& node) const {
    std::string once;
    if (node.kind == Node::Kind::kSet) {
      once = write_set(node.points);
    } else {
      std::vector<std::string> parts;
      for (const Node& part : node.parts) parts.push_back(write(part));
      if (parts.empty())
        once = "\"\"";
      else if (node.kind == Node::Kind::kChoice)
        once = gbnf_choice(parts);
      else
        once = parts.size() == 1 ? parts[0] : fmt::format("({})", fmt::join(parts, " "));
    }
    if (node.least == 1 && node.most == 1) return once;
    return fmt::format("({}){}", once, bounds(node));
  }

 private:
  static std::string bounds(const Node& node) {
    if (node.least == 0 && node.most == 1) return "?";
    if (node.least <= 1 && node.most == kEndless) return node.least == 0 ? "*" : "+";
    if (node.most == kEndless) return fmt::format("{{{},}}", node.least);
    return fmt::format("{{{},{}}}", node.least, node.most);
  }

  // As JSON writes the characters. Of a large set, the control characters that have no short escape
  // are left out: they need not be generated.
  std::string write_set(const CodePointSet& points) const {
    if (points == kAll) return any_character_;
    std::vector<std::string> alternatives;
    const CodePointSet plain = points.without(kEscaped);
    if (!plain.without(CodePointSet({{0xD800, 0xDFFF}})).empty())
      alternatives.push_back(gbnf_class(plain));
    struct Short {
      char point;
      char written;
    };
    constexpr Short kShort[] = {{'"', '"'},  {'\\', '\\'}, {'\b', 'b'}, {'\f', 'f'},
                                {'\n', 'n'}, {'\r', 'r'},  {'\t', 't'}};
    CodePointSet left = points.without(plain);
    for (const Short& escape : kShort) {
      const auto point = static_cast<uint32_t>(static_cast<unsigned char>(escape.point));
      if (!left.contains(point)) continue;
      alternatives.push_back(
          gbnf_literal({std::initializer_list<char>{'\\', escape.written}.begin(), 2}));
      left = left.without(CodePointSet({{point, point}}));
    }
    const bool large = plain.ranges().size() > 0 && points.ranges().back().last > 0xFFFF;
    for (uint32_t point = 0; point < 0x20 && !large; ++point)
      if (left.contains(point))
        alternatives.push_back(gbnf_literal(fmt::format("\\u{:04x}", point)));
    if (alternatives.empty()) throw PatternError("a class of characters that no text can hold");
    return gbnf_choice(alternatives);
  }

  const std::string& any_character_;
};

// Narrows the one part whose number of characters is free, so that the whole has a length within
// the bounds.
void fit_length(Node& sequence, const LengthBounds& length) {
  const Length whole = length_of(sequence);
  const uint64_t most = length.most.value_or(kEndless);
  if (whole.least >= length.least && whole.most <= most) return;
  if (whole.most < length.least || whole.least > most)
    throw PatternError(fmt::format("no text that fits has a length of {} to {}", length.least,
                                   length.most ? std::to_string(*length.most) : "any"));
  Node* free_part = nullptr;
  uint64_t fixed = 0;
  for (Node& part : sequence.parts) {
    const Length own = length_of(part);
    if (own.least == own.most) {
      fixed += own.least;
      continue;
    }
    if (free_part || part.kind != Node::Kind::kSet)
      throw PatternError(
          "minLength and maxLength can only be combined with a pattern that has one repetition of "
          "one class: write the length into the pattern");
    free_part = &part;
  }
  free_part->least = std::max(free_part->least, length.least > fixed ? length.least - fixed : 0);
  if (length.most) free_part->most = std::min(free_part->most, *length.most - fixed);
}

Node any_characters() {
  Node node;
  node.kind = Node::Kind::kSet;
  node.points = kAll;
  node.least = 0;
  node.most = kEndless;
  return node;
}

}  // namespace

std::string pattern_gbnf(std::string_view pattern, const LengthBounds& length,
                         const std::string& any_character) {
  std::vector<std::string> written;
  const Writer writer(any_character);
  for (Alternative& alternative : PatternReader(pattern).read()) {
    Node& sequence = alternative.node;
    if (!alternative.from_begin) sequence.parts.insert(sequence.parts.begin(), any_characters());
    if (!alternative.to_end) sequence.parts.push_back(any_characters());
    fit_length(sequence, length);
    written.push_back(writer.write(sequence));
  }
  return gbnf_choice(written);
}

}  // namespace polyphon
