#include "tasks/worked.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "tasks/family.h"
#include "tasks/question_parts.h"

namespace polyphon {
namespace {

// The tokens of small models hold a digit each, and they count and carry badly: a step changes one
// digit's place, a running count stands where it changes. Steps are short, since a stream's budget
// is.

// 305 as 300 and 5; 0 as 0.
std::vector<Number> places(Number number) {
  std::vector<Number> parts;
  for (Number place = 1; number > 0; place *= 10, number /= 10)
    if (number % 10 > 0) parts.insert(parts.begin(), number % 10 * place);
  if (parts.empty()) parts.push_back(0);
  return parts;
}

// "47 + 80 = 127, 127 + 5 = 132"; for '-' `b` is at most `a`. Neither is negative.
std::string by_places(Number a, char sign, Number b) {
  std::vector<std::string> steps;
  for (const Number part : places(b)) {
    const Number result = sign == '+' ? a + part : a - part;
    steps.push_back(fmt::format("{} {} {} = {}", a, sign, part, result));
    a = result;
  }
  return fmt::format("{}", fmt::join(steps, ", "));
}

// A line that adds `term` to `total`, whatever their signs.
std::string added(Number total, Number term) {
  const Number a = std::abs(total), b = std::abs(term);
  const std::string sum = fmt::format("{} {} {}", total, term < 0 ? '-' : '+', b);
  const bool same_sign = total == 0 ? term >= 0 : (total < 0) == (term < 0);
  const std::string steps =
      same_sign ? by_places(a, '+', b) : by_places(std::max(a, b), '-', std::min(a, b));
  if (total >= 0 && total + term >= 0)
    return places(b).size() == 1 ? steps + "." : sum + ": " + steps + ".";
  return fmt::format("{}: {}, so it is {}.", sum, steps, total + term);
}

// Not negative.
std::string multiplied(Number a, Number b) {
  const std::vector<Number> parts = places(b);
  if (parts.size() == 1) return fmt::format("{} * {} = {}.", a, b, a * b);
  std::string text = fmt::format("{} * {}: ", a, b);
  for (const Number part : parts) text += fmt::format("{} * {} = {}, ", a, part, a * part);
  Number sum = a * parts[0];
  for (size_t i = 1; i < parts.size(); ++i) {
    text += fmt::format("{}{} + {} = {}", i > 1 ? ", " : "", sum, a * parts[i], sum + a * parts[i]);
    sum += a * parts[i];
  }
  return text + ".";
}

struct Work {
  std::vector<std::string> lines;
  std::string answer;

  void say(std::string line) { lines.push_back(std::move(line)); }
};

using Phrases = std::vector<std::string>;

void chain_sum(const Problem& problem, Random& random, Work& work) {
  const auto terms = numbers_in(question_of(problem));
  work.say(one_of(random, Phrases{"I go digit by digit.", "I add and subtract place by place.",
                                  "First the big digits, then the small ones."}));
  Number total = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    work.say(added(total, terms[i]));
    total += terms[i];
  }
  work.answer = std::to_string(total);
}

void products(const Problem& problem, Random& random, Work& work) {
  const auto factors = numbers_in(question_of(problem));
  work.say(one_of(random, Phrases{"I multiply by each digit.", "I split the second number.",
                                  "I take one digit at a time."}));
  work.say(multiplied(factors[0], factors[1]));
  work.answer = std::to_string(factors[0] * factors[1]);
}

// Euclid's algorithm by subtraction: a quotient and a remainder at once are too much for a step.
void gcd(const Problem& problem, Random& random, Work& work) {
  const auto numbers = numbers_in(question_of(problem));
  work.say(one_of(
      random, Phrases{"I take the smaller from the larger until both are the same.",
                      "I use Euclid's steps.", "I subtract the smaller one, again and again."}));
  Number a = std::max(numbers[0], numbers[1]), b = std::min(numbers[0], numbers[1]);
  while (a > b) {
    work.say(fmt::format("{} - {}: {}.", a, b, by_places(a, '-', b)));
    a -= b;
    if (a < b) std::swap(a, b);
  }
  work.say(fmt::format("{} is in both.", a));
  work.answer = std::to_string(a);
}

// Letter by letter, with the count behind each one that is wanted.
int count_aloud(const std::string& letters, char wanted, int count, Work& work) {
  std::string line;
  for (const char c : letters) {
    line += fmt::format("{}{}", line.empty() ? "" : " ", c);
    if (c == wanted) line += fmt::format("={}", ++count);
  }
  work.say(line);
  return count;
}

void letter_counting(const Problem& problem, Random& random, Work& work) {
  const auto quoted = quoted_in(question_of(problem));
  const char wanted = quoted[0][0];
  work.say(fmt::format(fmt::runtime(one_of(random, Phrases{"I spell it and count each {}.",
                                                           "I go through it letter by letter, {}.",
                                                           "I write the letters and count {}."})),
                       wanted));
  int count = 0;
  std::string word;
  for (const char c : quoted[1] + ' ') {
    if (c != ' ') {
      word += c;
      continue;
    }
    count = count_aloud(word, wanted, count, work);
    word.clear();
  }
  work.say(fmt::format("I counted {}.", count));
  work.answer = std::to_string(count);
}

void counting(const Problem& problem, Random& random, Work& work) {
  const std::string text = question_of(problem);
  constexpr std::string_view kLead = "the letter ";
  const char wanted = text[text.find(kLead) + kLead.size()];
  std::string letters = text.substr(text.find(": ") + 2);
  std::erase(letters, ' ');
  work.say(fmt::format(
      fmt::runtime(one_of(random, Phrases{"I count each {}.", "I go through the letters for {}.",
                                          "I write them down and count {}."})),
      wanted));
  const int count = count_aloud(letters, wanted, 0, work);
  work.say(fmt::format("I counted {}.", count));
  work.answer = std::to_string(count);
}

// Products first, then the sum.
void arithmetic_chain(const Problem& problem, Random& random, Work& work) {
  work.say(one_of(random, Phrases{"Products come first.", "I multiply before I add.",
                                  "First the products, then the sum."}));
  const std::string text = question_of(problem);
  const auto factors = numbers_in(text);
  std::vector<Number> terms;
  size_t at = 0;
  for (const Number factor : factors) {
    at = text.find(std::to_string(std::abs(factor)), at);
    const bool times = at >= 2 && text[at - 2] == '*';
    at += std::to_string(std::abs(factor)).size();
    if (!times) {
      terms.push_back(factor);
      continue;
    }
    work.say(multiplied(std::abs(terms.back()), factor));
    terms.back() *= factor;
  }
  Number total = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    work.say(added(total, terms[i]));
    total += terms[i];
  }
  work.answer = std::to_string(total);
}

std::string side(Number slope, Number constant) {
  return fmt::format("{}x {} {}", slope, constant < 0 ? '-' : '+', std::abs(constant));
}

// a x = right
void divide(Number a, Number right, Work& work) {
  work.say(fmt::format("{}x = {}, x = {} / {} = {}.", a, right, right, a, right / a));
  work.answer = std::to_string(right / a);
}

// a x + b = right
void subtract_and_divide(Number a, Number b, Number right, Work& work) {
  if (b != 0) work.say(fmt::format("{} = {}, I take {} from both sides.", side(a, b), right, b));
  divide(a, right - b, work);
}

void linear_equation(const Problem& problem, Random& random, Work& work) {
  const std::string text = question_of(problem);
  const auto n = numbers_in(text);
  work.say(one_of(random, Phrases{"I bring x to one side.", "I do the same to both sides.",
                                  "I undo each step."}));
  if (text.find('(') != std::string::npos) {  // n0 (n1 x + n2) + n3 x = right, or without n3
    const Number minus = n.size() == 5 ? n[3] : 0;
    work.say(fmt::format("{}({}) = {}.", n[0], side(n[1], n[2]), side(n[0] * n[1], n[0] * n[2])));
    subtract_and_divide(n[0] * n[1] + minus, n[0] * n[2], n.back(), work);
  } else if (n.size() == 4) {  // n0 x + n1 = n2 x + n3
    work.say(
        fmt::format("I take {}x from both sides: {} = {}.", n[0], n[1], side(n[2] - n[0], n[3])));
    divide(n[2] - n[0], n[1] - n[3], work);
  } else {
    subtract_and_divide(n[0], n[1], n[2], work);
  }
}

// The remainder of base^exponent by squaring.
Number power(Number base, Number exponent, Number modulus, Work& work) {
  Number result = 1, square = base % modulus;
  work.say(fmt::format("{} mod {} = {}.", base, modulus, square));
  for (Number at = 1, left = exponent; left > 0; at *= 2, left /= 2) {
    if (left % 2 == 1) {
      const Number product = result * square;
      if (result != 1)
        work.say(fmt::format("{} * {} = {}, mod {} = {}.", result, square, product, modulus,
                             product % modulus));
      result = product % modulus;
    }
    if (left > 1) {
      work.say(fmt::format("{}^{}: {} * {} = {}, mod {} = {}.", base, 2 * at, square, square,
                           square * square, modulus, square * square % modulus));
      square = square * square % modulus;
    }
  }
  return result;
}

void modular_arithmetic(const Problem& problem, Random& random, Work& work) {
  const std::string text = question_of(problem);
  const auto n = numbers_in(text);
  work.say(one_of(random, Phrases{"I compute it and divide.", "Step by step, then the remainder.",
                                  "I multiply, add and divide."}));
  const bool raised = text.find('^') != std::string::npos;
  const Number a = raised ? power(n[0], n[1], n[4], work) : n[0];
  const Number b = raised ? n[2] : n[1], c = raised ? n[3] : n[2], modulus = n.back();
  work.say(multiplied(a, b));
  work.say(added(a * b, c));
  const Number sum = a * b + c;
  work.say(fmt::format("{} = {} * {} + {}.", sum, sum / modulus, modulus, sum % modulus));
  work.answer = std::to_string(sum % modulus);
}

void number_sequence(const Problem& problem, Random& random, Work& work) {
  const auto terms = numbers_in(question_of(problem));
  work.say(one_of(
      random, Phrases{"I look at the steps between the numbers.",
                      "I compare each number with the one before.", "I take the differences."}));
  std::vector<Number> steps;
  for (size_t i = 1; i < terms.size(); ++i) steps.push_back(terms[i] - terms[i - 1]);
  const Number growth = steps[1] - steps[0];
  bool even = true;
  for (size_t i = 1; i < steps.size(); ++i) even = even && steps[i] - steps[i - 1] == growth;
  if (even) {
    work.say(fmt::format("The steps are {}.", fmt::join(steps, ", ")));
    if (growth != 0)
      work.say(fmt::format("They grow by {}, so the next is {}.", growth, steps.back() + growth));
    work.say(added(terms.back(), steps.back() + growth));
    work.answer = std::to_string(terms.back() + steps.back() + growth);
  } else {
    work.say("Each number is the sum of the two before it.");
    work.say(added(terms.back(), terms[terms.size() - 2]));
    work.answer = std::to_string(terms.back() + terms[terms.size() - 2]);
  }
}

using Worker = void (*)(const Problem&, Random&, Work&);

const std::map<std::string, Worker, std::less<>>& workers() {
  static const std::map<std::string, Worker, std::less<>> all = {
      {"arithmetic_chain", arithmetic_chain},
      {"chain_sum", chain_sum},
      {"counting", counting},
      {"gcd", gcd},
      {"letter_counting", letter_counting},
      {"linear_equation", linear_equation},
      {"modular_arithmetic", modular_arithmetic},
      {"number_sequence", number_sequence},
      {"products", products}};
  return all;
}

}  // namespace

bool has_worked_solution(std::string_view family) { return workers().contains(family); }

std::string worked_solution(const Problem& problem, uint64_t phrasing) {
  const auto worker = workers().find(problem.family);
  POLYPHON_CHECK(worker != workers().end());
  Random random(derive_seed(phrasing, problem.seed));
  Work work;
  worker->second(problem, random, work);
  return fmt::format("{}\nAnswer: {}", fmt::join(work.lines, "\n"), work.answer);
}

}  // namespace polyphon
