#include "tasks/family.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "text/answer_extraction.h"

namespace polyphon {
namespace {

constexpr const char* kHowToAnswer = "\nEnd with a line \"Answer: \" and the answer.";

}  // namespace

const std::vector<Family>& families() {
  static const std::vector<Family> all = [] {
    std::vector<Family> all;
    for (const auto& part :
         {arithmetic_families(), puzzle_families(), text_families(), word_families()})
      all.insert(all.end(), part.begin(), part.end());
    std::sort(all.begin(), all.end(), [](const Family& a, const Family& b) {
      return std::string_view(a.name) < std::string_view(b.name);
    });
    return all;
  }();
  return all;
}

const Family& family(std::string_view name) {
  std::string names;
  for (const Family& family : families()) {
    if (family.name == name) return family;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", family.name);
  }
  throw Error(ErrorCode::kNotFound,
              fmt::format("no family of problems is called '{}': there are {}", name, names));
}

Problem make_problem(const Family& family, int difficulty, uint64_t seed) {
  if (difficulty < 1 || difficulty > Problem::kMaxDifficulty)
    throw Error(ErrorCode::kInvalidArgument, fmt::format("difficulty is {}: must be 1 to {}",
                                                         difficulty, Problem::kMaxDifficulty));
  uint64_t name = 0;
  for (const char* c = family.name; *c; ++c) name = mix_bits(name ^ static_cast<uint64_t>(*c));
  Random random(derive_seed(derive_seed(name, static_cast<uint64_t>(difficulty)), seed));
  Problem problem;
  problem.family = family.name;
  problem.difficulty = difficulty;
  problem.seed = seed;
  family.generate(random, difficulty, problem);
  problem.text += kHowToAnswer;
  return problem;
}

std::optional<Problem> proposed_problem(const Family& family, int difficulty, uint64_t seed,
                                        const std::string& question) {
  if (!family.read) return std::nullopt;
  Problem problem;
  problem.family = family.name;
  problem.difficulty = difficulty;
  problem.seed = seed;
  family.read(question, problem);
  if (problem.text != question || question.empty()) return std::nullopt;
  problem.text += kHowToAnswer;
  return problem;
}

bool is_right(const Problem& problem, std::string_view text) {
  const Family& of = family(problem.family);
  if (of.check) return of.check(problem, text);
  return normalise_answer(extract_answer(text)) == normalise_answer(problem.solution);
}

std::string answer_line(std::string_view text) {
  constexpr std::string_view kAnswer = "Answer:", kBoxed = "\\boxed{";
  size_t begin = text.rfind(kAnswer), end = text.size();
  if (begin != std::string_view::npos) {
    begin += kAnswer.size();
  } else if (begin = text.rfind(kBoxed); begin != std::string_view::npos) {
    begin += kBoxed.size();
    end = std::min(text.find('}', begin), end);
  } else {
    return "";
  }
  std::string_view line = text.substr(begin, end - begin);
  line = line.substr(0, line.find('\n'));
  constexpr std::string_view kMarkup = " \t*_`$\"'.,\\[]";
  const size_t first = line.find_first_not_of(kMarkup);
  if (first == std::string_view::npos) return "";
  return std::string(line.substr(first, line.find_last_not_of(kMarkup) - first + 1));
}

int between(Random& random, int least, int most) {
  return least + static_cast<int>(random.uniform() * (static_cast<double>(most) - least + 1));
}

}  // namespace polyphon
