#include "grammar/gbnf.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <unordered_map>

#include "base/error.h"
#include "base/utf8.h"

namespace polyphon {
namespace {

constexpr int kMaxRepeatedAgain = 4;

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '_';
}

class GbnfReader {
 public:
  GbnfReader(std::string_view text, const TokenByName& token_by_name)
      : text_(text), token_by_name_(token_by_name) {}

  GrammarSyntax read();

 private:
  [[noreturn]] void fail(const std::string& why) const { fail_at(at_, why); }
  [[noreturn]] void fail_at(size_t where, const std::string& why) const;

  bool over() const { return at_ >= text_.size(); }
  char peek() const { return over() ? '\0' : text_[at_]; }
  bool take(std::string_view expected) {
    if (!text_.substr(at_).starts_with(expected)) return false;
    at_ += expected.size();
    return true;
  }
  void skip_space();
  std::string_view read_name();
  // Whether a rule's definition begins here. Changes nothing.
  bool at_definition();
  uint32_t rule_named(std::string_view name);

  void read_alternatives(uint32_t rule, int depth);
  // Until '|', ')', the next rule or the end.
  GrammarSequence read_sequence(int depth);
  void read_element(GrammarSequence& sequence, int depth);
  void repeat_last(GrammarSequence& sequence);
  void read_bounds(GrammarElement& element);
  uint32_t read_count();
  std::string read_literal();
  CodePointSet read_class();
  uint32_t read_point();
  uint32_t read_hex(int digits);
  Token read_token();

  const std::string_view text_;
  const TokenByName& token_by_name_;
  size_t at_ = 0;
  int repeated_again_ = 0;  // of the last element: each makes one more level of nesting
  GrammarSyntax syntax_;
  std::unordered_map<std::string_view, uint32_t> numbers_;
  std::vector<size_t> first_use_;  // of each rule, by index
};

void GbnfReader::fail_at(size_t where, const std::string& why) const {
  const std::string_view before = text_.substr(0, where);
  const size_t line = static_cast<size_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const size_t last_line = before.rfind('\n');
  const size_t column = last_line == std::string_view::npos ? where + 1 : where - last_line;
  throw Error(
      ErrorCode::kInvalidArgument,
      fmt::format("the grammar does not parse: {} at line {}, column {}", why, line, column),
      "grammar");
}

void GbnfReader::skip_space() {
  while (!over()) {
    if (peek() == '#')
      at_ = std::min(text_.find('\n', at_), text_.size());
    else if (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n')
      ++at_;
    else
      return;
  }
}

std::string_view GbnfReader::read_name() {
  const size_t begin = at_;
  while (is_name(peek())) ++at_;
  return text_.substr(begin, at_ - begin);
}

bool GbnfReader::at_definition() {
  const size_t begin = at_;
  const bool named = !read_name().empty();
  skip_space();
  const bool definition = named && text_.substr(at_).starts_with("::=");
  at_ = begin;
  return definition;
}

uint32_t GbnfReader::rule_named(std::string_view name) {
  const auto [found, added] = numbers_.emplace(name, static_cast<uint32_t>(syntax_.rules.size()));
  if (added) {
    syntax_.rules.push_back({std::string(name), false, {}});
    first_use_.push_back(at_ - name.size());
  }
  return found->second;
}

GrammarSyntax GbnfReader::read() {
  if (text_.size() > kMaxGrammarBytes)
    throw Error(ErrorCode::kInvalidArgument,
                fmt::format("the grammar has {} bytes: at most {}", text_.size(), kMaxGrammarBytes),
                "grammar");
  if (!is_valid_utf8(text_))
    throw Error(ErrorCode::kInvalidArgument, "the grammar is not valid UTF-8", "grammar");
  for (skip_space(); !over(); skip_space()) {
    const size_t begin = at_;
    const std::string_view name = read_name();
    if (name.empty()) fail("expected the name of a rule");
    const uint32_t rule = rule_named(name);
    skip_space();
    if (!take("::=")) fail("expected ::= after the rule's name");
    if (syntax_.rules[rule].defined)
      fail_at(begin, fmt::format("rule '{}' is defined a second time", name));
    syntax_.rules[rule].defined = true;
    read_alternatives(rule, 0);
    if (peek() == ')') fail("unexpected ')'");
  }
  for (size_t i = 0; i < syntax_.rules.size(); ++i)
    if (!syntax_.rules[i].defined)
      fail_at(first_use_[i],
              fmt::format("rule '{}' is used but not defined", syntax_.rules[i].name));
  const auto root = numbers_.find("root");
  if (root == numbers_.end()) fail_at(0, "there is no rule 'root'");
  syntax_.root = root->second;
  return std::move(syntax_);
}

void GbnfReader::read_alternatives(uint32_t rule, int depth) {
  std::vector<GrammarSequence> alternatives;
  do {
    alternatives.push_back(read_sequence(depth));
  } while (take("|"));
  syntax_.rules[rule].alternatives = std::move(alternatives);
}

GrammarSequence GbnfReader::read_sequence(int depth) {
  GrammarSequence sequence;
  for (skip_space(); !over() && peek() != '|' && peek() != ')'; skip_space()) {
    if (is_name(peek()) && at_definition()) break;
    read_element(sequence, depth);
  }
  return sequence;
}

void GbnfReader::read_element(GrammarSequence& sequence, int depth) {
  using Kind = GrammarElement::Kind;
  const char c = peek();
  if (c == '?' || c == '*' || c == '+' || c == '{') return repeat_last(sequence);
  GrammarElement element;
  if (c == '"') {
    element.literal = read_literal();
  } else if (c == '[') {
    element.kind = Kind::kClass;
    element.points = read_class();
  } else if (c == '.') {
    ++at_;
    element.kind = Kind::kClass;
    element.points = CodePointSet().complement();
  } else if (c == '<' || c == '!') {
    element.kind = take("!") ? Kind::kNotToken : Kind::kToken;
    element.token = read_token();
  } else if (c == '(') {
    if (depth >= kMaxGrammarNesting)
      fail(fmt::format("parentheses nest deeper than {} levels", kMaxGrammarNesting));
    const size_t begin = at_++;
    element.kind = Kind::kGroup;
    element.rule = static_cast<uint32_t>(syntax_.rules.size());
    syntax_.rules.push_back({"", true, {}});
    first_use_.push_back(begin);
    read_alternatives(element.rule, depth + 1);
    if (!take(")")) fail("expected ')'");
  } else if (is_name(c)) {
    const std::string_view name = read_name();
    element.kind = Kind::kRule;
    element.rule = rule_named(name);
  } else {
    fail("expected a literal, a class, a rule or a group");
  }
  repeated_again_ = 0;
  sequence.push_back(std::move(element));
}

void GbnfReader::repeat_last(GrammarSequence& sequence) {
  if (sequence.empty()) fail("nothing stands here to be repeated");
  GrammarElement& last = sequence.back();
  if (last.least != 1 || last.most != 1) {  // of what is repeated already: x{2}{3}
    if (++repeated_again_ > kMaxRepeatedAgain) fail("too many repetitions of one element");
    const auto group = static_cast<uint32_t>(syntax_.rules.size());
    syntax_.rules.push_back({"", true, {{std::move(last)}}});
    first_use_.push_back(at_);
    last = GrammarElement{};
    last.kind = GrammarElement::Kind::kGroup;
    last.rule = group;
  }
  const char c = text_[at_];
  if (c == '{') return read_bounds(last);
  ++at_;
  last.least = c == '+' ? 1 : 0;
  last.most = c == '?' ? 1 : kUnbounded;
}

// {m}, {m,} and {m,n}
void GbnfReader::read_bounds(GrammarElement& element) {
  const size_t begin = at_++;
  element.least = element.most = read_count();
  if (take(",")) {
    skip_space();
    element.most = peek() == '}' ? kUnbounded : read_count();
  }
  if (!take("}")) fail("expected '}' after the number of repetitions");
  if (element.least > element.most)
    fail_at(begin,
            fmt::format("at least {} repetitions, but at most {}", element.least, element.most));
  if (element.least > kMaxRepetitions)
    fail_at(begin, fmt::format("{} repetitions: at most {} can be asked for", element.least,
                               kMaxRepetitions));
}

uint32_t GbnfReader::read_count() {
  skip_space();
  uint32_t count = 0;
  const char* const begin = text_.data() + at_;
  const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), count);
  if (error != std::errc() || count == kUnbounded) fail("expected a number of repetitions");
  at_ += static_cast<size_t>(end - begin);
  skip_space();
  return count;
}

std::string GbnfReader::read_literal() {
  const size_t begin = at_++;
  std::string literal;
  while (!over() && peek() != '"') {
    if (peek() == '\\')
      literal += utf8_of(read_point());
    else
      literal += text_[at_++];
  }
  if (!take("\"")) fail_at(begin, "the literal is not closed");
  return literal;
}

CodePointSet GbnfReader::read_class() {
  const size_t begin = at_++;
  const bool negated = take("^");
  std::vector<CodePointRange> ranges;
  while (!over() && peek() != ']') {
    const uint32_t first = read_point();
    uint32_t last = first;
    if (peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']') {
      ++at_;
      last = read_point();
    }
    if (last < first) fail_at(begin, "the class has a range whose end comes before its beginning");
    ranges.push_back({first, last});
  }
  if (!take("]")) fail_at(begin, "the class is not closed");
  if (ranges.empty() && !negated) fail_at(begin, "the class is empty");
  const CodePointSet points(std::move(ranges));
  return negated ? points.complement() : points;
}

// One character, or an escape.
uint32_t GbnfReader::read_point() {
  if (peek() != '\\') return next_code_point(text_, at_);
  ++at_;
  const char escape = peek();
  ++at_;
  switch (escape) {
    case 'x':
      return read_hex(2);
    case 'u':
      return read_hex(4);
    case 'U':
      return read_hex(8);
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'n':
      return '\n';
    case '\\':
    case '"':
    case '[':
    case ']':
    case '-':
    case '^':
      return static_cast<unsigned char>(escape);
    default:
      fail_at(at_ - 2, "unknown escape");
  }
}

uint32_t GbnfReader::read_hex(int digits) {
  const std::string_view text = text_.substr(at_, static_cast<size_t>(digits));
  uint32_t point = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), point, 16);
  if (error != std::errc() || end != text.data() + digits)
    fail(fmt::format("expected {} hexadecimal digits", digits));
  if (point > kLastCodePoint || (point >= 0xD800 && point <= 0xDFFF))
    fail(fmt::format("U+{:X} is not a character", point));
  at_ += static_cast<size_t>(digits);
  return point;
}

// <[123]> or <text>
Token GbnfReader::read_token() {
  const size_t begin = at_;
  const size_t end = text_.find('>', at_);
  if (peek() != '<' || end == std::string_view::npos) fail("expected a token such as <think>");
  const std::string_view text = text_.substr(begin, end + 1 - begin);
  at_ = end + 1;
  if (text.starts_with("<[")) {
    Token token = kNoToken;
    const auto [rest, error] = std::from_chars(text.data() + 2, text.data() + text.size(), token);
    if (error != std::errc() || token < 0 ||
        std::string_view(rest, static_cast<size_t>(text.data() + text.size() - rest)) != "]>")
      fail_at(begin, "expected a token's number as in <[123]>");
    return token;
  }
  const std::optional<Token> token = token_by_name_(text);
  if (!token) fail_at(begin, "the model has no such token");
  return *token;
}

}  // namespace

GrammarSyntax parse_gbnf(std::string_view text, const TokenByName& token_by_name) {
  return GbnfReader(text, token_by_name).read();
}

}  // namespace polyphon
