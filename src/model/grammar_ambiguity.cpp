#include "model/grammar_ambiguity.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <limits>
#include <map>
#include <string>
#include <vector>

namespace polyphon {
namespace {

constexpr int kUnbounded = std::numeric_limits<int>::max();

struct Element {
  int rule = -1;  // -1: text, a class or a token, never empty
  int least = 1;  // repetitions
  int most = 1;
};
using Sequence = std::vector<Element>;
using Rule = std::vector<Sequence>;  // alternatives

// Reads just enough of GBNF; a group becomes a rule without a name.
class Reader {
 public:
  explicit Reader(std::string_view gbnf) : text_(gbnf) {}

  std::vector<Rule> read() {
    while (skip_space(), at_ < text_.size()) {
      const std::string_view name = read_name();
      skip_space();
      if (name.empty() || !text_.substr(at_).starts_with("::=")) return {};
      at_ += 3;
      const int rule = rule_of(name);
      read_alternatives(rule);
      if (at_ < text_.size() && text_[at_] == ')') return {};
    }
    return std::move(rules_);
  }

 private:
  void skip_space() {
    while (at_ < text_.size() &&
           (std::isspace(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '#'))
      at_ = text_[at_] == '#' ? std::min(text_.find('\n', at_), text_.size()) : at_ + 1;
  }

  std::string_view read_name() {
    const size_t begin = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '-'))
      ++at_;
    return text_.substr(begin, at_ - begin);
  }

  int rule_of(std::string_view name) {
    const auto [found, added] = numbers_.emplace(name, static_cast<int>(rules_.size()));
    if (added) rules_.emplace_back();
    return found->second;
  }

  void skip_to(char close) {
    for (++at_; at_ < text_.size() && text_[at_] != close; ++at_)
      if (text_[at_] == '\\') ++at_;
    at_ = std::min(at_ + 1, text_.size());
  }

  int read_number(int otherwise) {
    skip_space();
    int number = otherwise;
    const auto end = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number).ptr;
    at_ = static_cast<size_t>(end - text_.data());
    skip_space();
    return number;
  }

  void repeat(Element& element) {
    switch (text_[at_++]) {
      case '?':
        element.least = 0;
        return;
      case '*':
        element.least = 0;
        element.most = kUnbounded;
        return;
      case '+':
        element.most = kUnbounded;
        return;
      default:  // {m}, {m,} and {m,n}
        element.most = element.least = read_number(0);
        if (at_ < text_.size() && text_[at_] == ',') ++at_, element.most = read_number(kUnbounded);
        if (at_ < text_.size()) ++at_;
    }
  }

  // Until the group's ')' , the next rule's name or the end.
  void read_alternatives(int rule) {
    Rule alternatives(1);
    while (skip_space(), at_ < text_.size() && text_[at_] != ')') {
      const char c = text_[at_];
      Sequence& sequence = alternatives.back();
      if (c == '|') {
        ++at_;
        alternatives.emplace_back();
      } else if (std::string_view("?*+{").find(c) != std::string_view::npos) {
        if (sequence.empty()) break;
        repeat(sequence.back());
      } else if (c == '"' || c == '[' || c == '<') {
        skip_to(c == '"' ? '"' : c == '[' ? ']' : '>');
        sequence.push_back({});
      } else if (c == '(') {
        ++at_;
        const int group = static_cast<int>(rules_.size());
        rules_.emplace_back();
        read_alternatives(group);
        if (at_ < text_.size()) ++at_;
        sequence.push_back({group});
      } else if (const size_t begin = at_; !read_name().empty()) {
        const std::string_view name = text_.substr(begin, at_ - begin);
        skip_space();
        if (text_.substr(at_).starts_with("::=")) {
          at_ = begin;
          break;
        }
        sequence.push_back({rule_of(name)});
      } else {  // '.', '!', or nothing that GBNF knows
        ++at_;
        if (c == '.') sequence.push_back({});
      }
    }
    rules_[static_cast<size_t>(rule)] = std::move(alternatives);
  }

  std::string_view text_;
  size_t at_ = 0;
  std::map<std::string_view, int> numbers_;
  std::vector<Rule> rules_;
};

struct Reading {
  bool empty = false;  // may be read as nothing
  int passed = 0;      // then: optional elements passed on the way
};

}  // namespace

int longest_optional_run(std::string_view gbnf, int most) {
  const std::vector<Rule> rules = Reader(gbnf).read();
  std::vector<Reading> readings(rules.size());
  const auto read = [&](const Element& element) -> Reading {
    const Reading inner =
        element.rule < 0 ? Reading{} : readings[static_cast<size_t>(element.rule)];
    if (!inner.empty) return {element.least == 0, 1};
    // An unbounded repetition of what may be empty adds one more reading, not infinitely many.
    const int64_t times = element.most == kUnbounded ? element.least + 1L : element.most;
    return {true, static_cast<int>(std::min<int64_t>(most, std::max(1, inner.passed) * times))};
  };

  int longest = 0;
  // Readings only grow and are bounded, so rules that refer to themselves settle.
  for (bool changed = true; changed && longest < most;) {
    changed = false;
    for (size_t i = 0; i < rules.size(); ++i) {
      Reading whole;
      for (const Sequence& sequence : rules[i]) {
        bool empty = true;
        int run = 0;
        for (const Element& element : sequence) {
          const Reading part = read(element);
          run = part.empty ? std::min(most, run + part.passed) : 0;
          longest = std::max(longest, run);
          empty &= part.empty;
        }
        if (!empty) continue;
        whole.empty = true;
        whole.passed = std::max(whole.passed, run);
      }
      changed |= whole.empty != readings[i].empty || whole.passed > readings[i].passed;
      readings[i] = whole;
    }
  }
  return longest;
}

}  // namespace polyphon
