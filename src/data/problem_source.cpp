#include "data/problem_source.h"

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/error.h"
#include "core/seeds.h"
#include "data/suite.h"
#include "tasks/family.h"
#include "tasks/question_parts.h"

namespace polyphon {

Problem ProblemSource::next(const Cell& cell) {
  constexpr int kTriesForNew = 50, kTries = 10000;
  uint64_t& drawn = drawn_[cell];
  for (int tries = 0; tries < kTries; ++tries) {
    const uint64_t seed = seeds::training_problem(seeds::kDrawnProblems.of(seed_, drawn++));
    Problem problem = make_problem(family(cell.family), cell.difficulty, seed);
    if (held_out_.contains(problem.text)) {
      ++skipped_;
      continue;
    }
    if (seen_.insert(problem.text).second || tries >= kTriesForNew) return problem;
  }
  POLYPHON_CHECK(!"a cell of which suites hold every problem");
  return {};
}

void ProblemSource::remember(const Problem& problem) {
  seen_.insert(problem.text);
  ++drawn_[{problem.family, problem.difficulty}];
}

ProblemSource::Standing ProblemSource::take(const Problem& problem) {
  if (held_out_.contains(problem.text)) return Standing::kHeldOut;
  return seen_.insert(problem.text).second ? Standing::kNew : Standing::kSeen;
}

std::vector<std::string> ProblemSource::examples(const Cell& cell, size_t count,
                                                 uint64_t seed) const {
  const uint64_t tries = 10 * count;
  std::vector<std::string> questions;
  for (uint64_t i = 0; i < tries && questions.size() < count; ++i) {
    const Problem problem =
        make_problem(family(cell.family), cell.difficulty,
                     seeds::training_problem(seeds::kDrawnProblems.of(seed, i)));
    std::string question = question_of(problem);
    if (!held_out_.contains(problem.text) &&
        std::find(questions.begin(), questions.end(), question) == questions.end())
      questions.push_back(std::move(question));
  }
  return questions;
}

std::set<std::string> held_out_texts(const std::string& suites_folder) {
  std::set<std::string> texts;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(suites_folder, failed)) {
    if (entry.path().extension() != ".json") continue;
    for (Problem& problem : suite_problems(read_suite(entry.path().string())))
      texts.insert(std::move(problem.text));
  }
  if (texts.empty())
    throw Error(ErrorCode::kNotFound, "no suites at " + suites_folder +
                                          ": self-play needs them to hold out their problems");
  return texts;
}

}  // namespace polyphon
