// The families of problems: a generator with a difficulty dial and an exact checker each. Problems
// are functions of (family, difficulty, seed) alone, the same on every machine. Any thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "tasks/problem.h"

namespace polyphon {

struct Family {
  const char* name;
  // Fills text, solution and facts. Harder with `difficulty`: longer, or with bigger numbers.
  void (*generate)(Random& random, int difficulty, Problem& problem);
  // Whether the model's whole text ends in a right answer; null: its extracted answer, normalised,
  // is the solution's.
  bool (*check)(const Problem& problem, std::string_view text) = nullptr;
  // GBNF of the questions that a model may propose; null: it proposes none of this family.
  const char* questions = nullptr;
  // Fills text and solution from what a question names, as generate() does from what it drew: the
  // text comes out as the question was if it has this form, and the solution stays empty if nothing
  // solves it. Not null where `questions` is not.
  void (*read)(std::string_view question, Problem& problem) = nullptr;
};

// In the order of their names.
const std::vector<Family>& families();
// Throws Error{kNotFound} that lists the names.
const Family& family(std::string_view name);

// Throws Error{kInvalidArgument} for a difficulty out of range.
Problem make_problem(const Family& family, int difficulty, uint64_t seed);
// The problem of a question that a model proposed: none when it is not of the family's form to the
// letter, one without a solution when nothing solves it. Difficulty and seed are labels.
std::optional<Problem> proposed_problem(const Family& family, int difficulty, uint64_t seed,
                                        const std::string& question);
bool is_right(const Problem& problem, std::string_view text);
// What stands on the last "Answer:" line, else in the last \boxed{}, without markup around it;
// empty when there is neither. For checkers that need it as it was written.
std::string answer_line(std::string_view text);

// Uniform in [least, most].
int between(Random& random, int least, int most);
template <typename T>
const T& one_of(Random& random, const std::vector<T>& values) {
  return values[static_cast<size_t>(between(random, 0, static_cast<int>(values.size()) - 1))];
}

// One file of generators each; families() puts them together.
std::vector<Family> arithmetic_families();
std::vector<Family> puzzle_families();
std::vector<Family> text_families();
std::vector<Family> word_families();

}  // namespace polyphon
