// Families of numbers: sums, products, divisors, chains, equations, remainders, bases, sequences,
// and countdown.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <string_view>

#include "tasks/family.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

// Terms of products, added and subtracted: precedence matters.
void arithmetic_chain(Random& random, int difficulty, Problem& problem) {
  const int most = 9 + 4 * difficulty;
  std::string text;
  long long sum = 0, product = 0;
  int sign = 1;
  for (int i = 0; i <= difficulty + 1; ++i) {
    const int number = between(random, 2, most);
    // At most two factors a term, so that numbers stay readable.
    const bool times = i > 0 && product != 0 && product <= most && random.uniform() < 0.35;
    if (times) {
      text += fmt::format(" * {}", number);
      product *= number;
      continue;
    }
    sum += sign * product;
    sign = i > 0 && random.uniform() < 0.5 ? -1 : 1;
    text += i == 0 ? std::to_string(number) : fmt::format(" {} {}", sign < 0 ? '-' : '+', number);
    product = number;
  }
  sum += sign * product;
  problem.text = fmt::format("Compute {}.", text);
  problem.solution = std::to_string(sum);
}

// The families below that a model may propose have a function that asks a question of its numbers:
// drawn ones, or those that stand in a question. Numbers of no such question leave the text empty.

// Of two terms or more.
void ask_sum(const Numbers& terms, Problem& problem) {
  if (terms.size() < 2) return;
  std::string text = std::to_string(terms[0]);
  Number sum = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    text += fmt::format(" {} {}", terms[i] < 0 ? '-' : '+', std::abs(terms[i]));
    sum += terms[i];
  }
  problem.text = fmt::format("What is {}?", text);
  problem.solution = std::to_string(sum);
}

bool are_two_positive(const Numbers& numbers) {
  return numbers.size() == 2 && numbers[0] > 0 && numbers[1] > 0;
}

void ask_product(const Numbers& factors, Problem& problem) {
  if (!are_two_positive(factors)) return;
  problem.text = fmt::format("What is {} times {}?", factors[0], factors[1]);
  problem.solution = std::to_string(factors[0] * factors[1]);
}

void ask_gcd(const Numbers& numbers, Problem& problem) {
  if (!are_two_positive(numbers)) return;
  problem.text =
      fmt::format("What is the greatest common divisor of {} and {}?", numbers[0], numbers[1]);
  problem.solution = std::to_string(std::gcd(numbers[0], numbers[1]));
}

// a x + b = d of three numbers, a x + b = c x + d of four. Solved by whole numbers only.
void ask_equation(const Numbers& numbers, Problem& problem) {
  if (numbers.size() != 3 && numbers.size() != 4) return;
  const bool both_sides = numbers.size() == 4;
  const Number a = numbers[0], b = numbers[1], c = both_sides ? numbers[2] : 0, d = numbers.back();
  problem.text = fmt::format("Solve for x: {}x {} {} = {}{}.", a, b < 0 ? '-' : '+', std::abs(b),
                             both_sides ? fmt::format("{}x + ", c) : "", d);
  if (a != c && (d - b) % (a - c) == 0) problem.solution = std::to_string((d - b) / (a - c));
}

template <void (*ask)(const Numbers&, Problem&)>
void read_numbers(std::string_view question, Problem& problem) {
  ask(numbers_in(question), problem);
}

// Difficulty 1, as of the three below, is what models of 100 million parameters begin to get right.
void chain_sum(Random& random, int difficulty, Problem& problem) {
  const int count = 2 + (difficulty - 1) / 2, most = difficulty <= 3 ? 99 : 999;
  Numbers terms = {between(random, 1, most)};
  for (int i = 1; i < count; ++i) {
    const int term = between(random, 1, most);
    terms.push_back(random.uniform() < 0.5 ? -term : term);
  }
  ask_sum(terms, problem);
}

void products(Random& random, int difficulty, Problem& problem) {
  const int a = between(random, 1, 6 + 3 * difficulty),
            b = between(random, 1, 20 * difficulty - 11);
  ask_product({a, b}, problem);
}

void gcd(Random& random, int difficulty, Problem& problem) {
  const int shared = between(random, 1, 4 + 4 * difficulty), most = 4 + 2 * difficulty;
  const int a = shared * between(random, 2, most), b = shared * between(random, 2, most);
  ask_gcd({a, b}, problem);
}

void linear_equation(Random& random, int difficulty, Problem& problem) {
  const int x = between(random, -3 - 2 * difficulty, 3 + 2 * difficulty);
  const int a = between(random, 2, 3 + difficulty);
  const int b = between(random, 1, 5 + 5 * difficulty);
  if (difficulty <= 3) {
    ask_equation({a, b, a * x + b}, problem);
  } else if (difficulty <= 6) {
    const int c = a + between(random, 1, difficulty);
    // a x + b' = c x + d with b' = (c - a) x + d, written without double signs.
    const int d = between(random, 1, 20);
    ask_equation({a, (c - a) * x + d, c, d}, problem);
  } else {
    const int c = between(random, 2, difficulty), d = between(random, 1, 12);
    const int right = c * (a * x + b) - d * x;
    problem.text = fmt::format("Solve for x: {}({}x + {}) - {}x = {}.", c, a, b, d, right);
    if (c * a == d)
      problem.text = fmt::format("Solve for x: {}({}x + {}) = {}.", c, a, b, c * (a * x + b));
    problem.solution = std::to_string(x);
  }
}

void modular_arithmetic(Random& random, int difficulty, Problem& problem) {
  const int modulus = between(random, 3, 5 + 3 * difficulty);
  const int a = between(random, 2, 10 + 10 * difficulty);
  if (difficulty <= 4) {
    const int b = between(random, 2, 5 + 5 * difficulty);
    problem.text = fmt::format("What is the remainder when {} * {} + {} is divided by {}?", a, b,
                               b + modulus, modulus);
    problem.solution = std::to_string((a * b + b + modulus) % modulus);
    return;
  }
  const int exponent = between(random, difficulty, 3 * difficulty);
  const int b = between(random, 10, 100 + 10 * difficulty);
  long long value = 1;
  for (int i = 0; i < exponent; ++i) value = value * a % modulus;
  problem.text = fmt::format("What is the remainder when {}^{} * {} + {} is divided by {}?", a,
                             exponent, b, a + b, modulus);
  problem.solution = std::to_string((value * b + a + b) % modulus);
}

std::string in_base(int number, int base) {
  std::string digits;
  do {
    digits.insert(digits.begin(), "0123456789abcdef"[number % base]);
    number /= base;
  } while (number > 0);
  return digits;
}

void base_conversion(Random& random, int difficulty, Problem& problem) {
  const std::vector<int> bases = difficulty <= 4   ? std::vector{2, 10}
                                 : difficulty <= 7 ? std::vector{2, 8, 10}
                                                   : std::vector{2, 3, 5, 7, 8, 10, 16};
  const int from = one_of(random, bases);
  int to = one_of(random, bases);
  while (to == from) to = one_of(random, bases);
  const int number = between(random, 3 + difficulty, 8 << difficulty);
  problem.text =
      fmt::format("Write the number {} (base {}) in base {}.", in_base(number, from), from, to);
  problem.solution = in_base(number, to);
}

void number_sequence(Random& random, int difficulty, Problem& problem) {
  const int kind = difficulty <= 3   ? 0
                   : difficulty <= 6 ? between(random, 0, 1)
                                     : between(random, 1, 2);
  const int first = between(random, 1, 20 + 5 * difficulty),
            step = between(random, 2, 3 + difficulty);
  const int growth = between(random, 1, 3 + difficulty / 3);
  std::vector<long long> terms = {first, first + step};
  while (terms.size() < 7) {
    const long long last = terms.back(), before = terms[terms.size() - 2];
    terms.push_back(kind == 0   ? last + step
                    : kind == 1 ? last + (last - before) + growth
                                : last + before);
  }
  problem.text = fmt::format("What is the next number: {}, ...?",
                             fmt::join(terms.begin(), terms.end() - 1, ", "));
  problem.solution = std::to_string(terms.back());
}

// An exact fraction, for countdown's divisions.
struct Fraction {
  long long over = 0, under = 1;
};

// Recursive descent over + - * / and parentheses; collects the numbers it uses. Nothing for what is
// no expression, divides by zero, or nests too deep.
class Expression {
 public:
  explicit Expression(std::string_view text) : text_(text) {}

  std::optional<Fraction> evaluate() {
    const auto value = sum(0);
    skip_space();
    if (!value || at_ != text_.size() || numbers.empty()) return std::nullopt;
    return value;
  }
  std::vector<int> numbers;

 private:
  static constexpr int kDeepest = 20;
  static constexpr long long kLargest = 1'000'000'000;

  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  static std::optional<Fraction> reduced(long long over, long long under) {
    if (under == 0) return std::nullopt;
    const long long divisor = std::max(1LL, std::gcd(over, under));
    over /= divisor;
    under /= divisor;
    if (std::abs(over) > kLargest || std::abs(under) > kLargest) return std::nullopt;
    return under < 0 ? Fraction{-over, -under} : Fraction{over, under};
  }
  std::optional<Fraction> sum(int depth) {
    auto value = product(depth);
    while (value) {
      const bool plus = take('+');
      if (!plus && !take('-')) break;
      const auto other = product(depth);
      if (!other) return std::nullopt;
      const long long b = plus ? other->over : -other->over;
      value = reduced(value->over * other->under + b * value->under, value->under * other->under);
    }
    return value;
  }
  std::optional<Fraction> product(int depth) {
    auto value = factor(depth);
    while (value) {
      const bool times = take('*');
      if (!times && !take('/')) break;
      const auto other = factor(depth);
      if (!other) return std::nullopt;
      value = times ? reduced(value->over * other->over, value->under * other->under)
                    : reduced(value->over * other->under, value->under * other->over);
    }
    return value;
  }
  std::optional<Fraction> factor(int depth) {
    if (depth > kDeepest) return std::nullopt;
    if (take('(')) {
      const auto value = sum(depth + 1);
      return value && take(')') ? value : std::nullopt;
    }
    skip_space();
    long long number = 0;
    const size_t begin = at_;
    while (at_ < text_.size() && at_ < begin + 6 &&
           std::isdigit(static_cast<unsigned char>(text_[at_])) != 0)
      number = 10 * number + (text_[at_++] - '0');
    if (at_ == begin) return std::nullopt;
    numbers.push_back(static_cast<int>(number));
    return Fraction{number, 1};
  }

  std::string_view text_;
  size_t at_ = 0;
};

void countdown(Random& random, int difficulty, Problem& problem) {
  const int count = 2 + (difficulty + 2) / 3;
  std::vector<int> numbers;
  for (int i = 0; i < count; ++i) numbers.push_back(between(random, 1, 5 + 3 * difficulty));
  std::string expression = std::to_string(numbers[0]);
  long long value = numbers[0];
  for (int i = 1; i < count; ++i) {
    const int number = numbers[static_cast<size_t>(i)];
    const int kind = between(random, 0, value > 1000 ? 1 : 2);  // targets stay readable
    const char sign = kind == 2 ? '*' : kind == 1 && value > number ? '-' : '+';
    expression = fmt::format("{} {} {}", expression, sign, number);
    if (i + 1 < count) expression = fmt::format("({})", expression);
    value = sign == '+' ? value + number : sign == '-' ? value - number : value * number;
  }
  std::vector<int> shown = numbers;
  shuffle(random, shown);
  problem.text = fmt::format(
      "Use each of the numbers {} exactly once, with +, -, *, / and parentheses, to make {}. The "
      "answer is the expression.",
      fmt::join(shown, ", "), value);
  problem.solution = expression;
  problem.facts = {{"numbers", shown}, {"target", value}};
}

// The stated answer, or one side of its '=', is an expression that uses exactly the numbers and has
// the value.
bool check_countdown(const Problem& problem, std::string_view text) {
  static const std::vector<std::pair<std::string, char>> spellings = {
      {"\\times", '*'}, {"\\cdot", '*'}, {"\\div", '/'}, {"\u00d7", '*'},
      {"\u00b7", '*'},  {"\u00f7", '/'}, {"\u2212", '-'}};
  std::string line = answer_line(text);
  for (const auto& [spelling, sign] : spellings)
    for (size_t at = line.find(spelling); at != std::string::npos; at = line.find(spelling))
      line.replace(at, spelling.size(), 1, sign);
  auto wanted = problem.facts.at("numbers").get<std::vector<int>>();
  std::sort(wanted.begin(), wanted.end());
  const auto target = problem.facts.at("target").get<long long>();
  for (size_t begin = 0; begin <= line.size();) {
    const size_t end = std::min(line.find('=', begin), line.size());
    Expression side(std::string_view(line).substr(begin, end - begin));
    const auto value = side.evaluate();
    std::sort(side.numbers.begin(), side.numbers.end());
    if (value && value->under == 1 && value->over == target && side.numbers == wanted) return true;
    begin = end + 1;
  }
  return false;
}

// Digits are compared as they are: in base 16 "52b" is no 52 with a unit.
bool check_base(const Problem& problem, std::string_view text) {
  std::string digits = answer_line(text);
  digits.resize(std::min(digits.find(' '), digits.size()));
  for (char& c : digits) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const char* prefix : {"0x", "0b", "0o"})
    if (digits.starts_with(prefix) && digits.size() > 2) digits.erase(0, 2);
  return digits == problem.solution;
}

}  // namespace

std::vector<Family> arithmetic_families() {
  return {{"arithmetic_chain", arithmetic_chain},
          {"base_conversion", base_conversion, check_base},
          {"chain_sum", chain_sum, nullptr,
           R"(root ::= "What is " number (" " [-+] " " number){1,5} "?"
              number ::= [1-9] [0-9]{0,2})",
           read_numbers<ask_sum>},
          {"gcd", gcd, nullptr,
           R"(root ::= "What is the greatest common divisor of " number " and " number "?"
              number ::= [1-9] [0-9]{0,3})",
           read_numbers<ask_gcd>},
          {"products", products, nullptr,
           R"(root ::= "What is " number " times " number "?"
              number ::= [1-9] [0-9]{0,2})",
           read_numbers<ask_product>},
          {"countdown", countdown, check_countdown},
          {"linear_equation", linear_equation, nullptr,
           R"(root ::= "Solve for x: " number "x " added " = " right "."
              added ::= "+ 0" | [-+] " " number
              right ::= "0" | "-"? number | number "x + " number
              number ::= [1-9] [0-9]{0,2})",
           read_numbers<ask_equation>},
          {"modular_arithmetic", modular_arithmetic},
          {"number_sequence", number_sequence}};
}

}  // namespace polyphon
